package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// LaneListing is what one complete listing of a lane showed.
type LaneListing struct {
	Lane  cloud.Lane
	At    time.Time // our clock, before the listing began, UTC
	Items []cloud.Commitment
}

// Lane is what the ledger remembers of a lane as a whole.
type Lane struct {
	cloud.Lane
	ImportedAt time.Time // of the first complete listing; zero before it
	AuditedAt  time.Time // of the last listing that an audit recorded; zero before it
	Exclusive  bool      // declared: nobody but this installation buys there
}

// Books are what the ledger knows of one lane, all of one moment. Ids are folded
// to lower case: clouds show them in either.
type Books struct {
	Install  string
	Receipts map[string]purchase.Receipt
	Imported map[string]bool
	Foreign  map[string]bool // declared by a person
	Regained map[string]bool // bought by us, for a line that the ledger has lost
	// Open are the attempts in the lane whose effect is not known.
	Open []purchase.Attempt
	// Class is that of each line with an open attempt.
	Class map[purchase.LineID]cloud.Class
	// Lines are the states of all lines of the lane.
	Lines map[purchase.LineID]purchase.State
	// NotBought are the lines that a person closed as not bought.
	NotBought map[purchase.LineID]bool
}

// Fold is the form in which ids of commitments are compared.
func Fold(id string) string { return strings.ToLower(id) }

// Named reports whether a commitment carries a name that this installation gave,
// and of which line.
func (b *Books) Named(c cloud.Commitment) (purchase.LineID, bool) {
	for _, name := range []string{c.ID, c.Name} {
		rest, ours := strings.CutPrefix(Fold(name), "bu-"+b.Install+"-")
		if line, _, ok := strings.Cut(rest, "-"); ours && ok {
			return purchase.LineID(strings.ToUpper(line)), true
		}
	}
	return "", false
}

// Made returns the line with an open attempt that the cloud itself says this
// commitment is of: by its name, its second or its handle.
func (b *Books) Made(c cloud.Commitment) (purchase.LineID, bool) {
	for _, a := range b.Open {
		if Fold(a.Intent.Identity) == Fold(c.ID) || Fold(a.Intent.Identity) == Fold(c.Name) ||
			a.Intent.Order != "" && Fold(a.Intent.Order) == Fold(c.ID) ||
			!a.FireAt.IsZero() && c.Start.Equal(a.FireAt) || a.Handle != "" && a.Handle == c.ID {
			return a.Line, true
		}
	}
	return "", false
}

// May returns the line with an open attempt of class C or AC that may have bought this
// commitment: the cloud knows such a purchase by nothing.
func (b *Books) May(c cloud.Commitment) (purchase.LineID, bool) {
	for _, a := range b.Open {
		if b.Class[a.Line].Locks() && c.State.Binding() && !slices.Contains(a.Before, c.ID) && !c.Start.Before(a.ArmedAt.Add(-skew)) {
			return a.Line, true
		}
	}
	return "", false
}

// skew is how far a cloud's clock may differ from ours; purchasing stops beyond.
const skew = time.Minute

// Explained reports whether something in the ledger accounts for a commitment.
func (b *Books) Explained(c cloud.Commitment) bool {
	_, bought := b.Receipts[Fold(c.ID)]
	return bought || b.Imported[Fold(c.ID)] || b.Foreign[Fold(c.ID)] || b.Regained[Fold(c.ID)]
}

// Books reads what the ledger knows of a lane.
func (db *DB) Books(ctx context.Context, lane cloud.Lane) (*Books, error) {
	var b *Books
	err := db.view(ctx, func(q *rows.Queries) error {
		var err error
		b, err = books(ctx, q, lane)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("books of %s: %w", lane, err)
	}
	return b, nil
}

func books(ctx context.Context, q *rows.Queries, lane cloud.Lane) (*Books, error) {
	in, err := q.GetInstallation(ctx)
	if err != nil {
		return nil, err
	}
	b := &Books{
		Install: in.Install, Receipts: map[string]purchase.Receipt{}, Imported: map[string]bool{}, Foreign: map[string]bool{}, Regained: map[string]bool{},
		Class: map[purchase.LineID]cloud.Class{}, Lines: map[purchase.LineID]purchase.State{}, NotBought: map[purchase.LineID]bool{},
	}
	provider, account, region, service := columns(lane)
	bought, err := q.ReceiptRowsInLane(ctx, rows.ReceiptRowsInLaneParams{Provider: provider, Account: account, Region: region, Service: service})
	if err != nil {
		return nil, err
	}
	receipts, err := toReceipts(bought)
	if err != nil {
		return nil, err
	}
	for _, r := range receipts {
		b.Receipts[Fold(r.Commitment.ID)] = r
	}
	others, err := explained(ctx, q, lane)
	if err != nil {
		return nil, err
	}
	for _, id := range others.imported {
		b.Imported[Fold(id)] = true
	}
	for _, id := range others.foreign {
		b.Foreign[Fold(id)] = true
	}
	for _, id := range others.regained {
		b.Regained[Fold(id)] = true
	}
	open, err := q.OpenAttemptsInLane(ctx, rows.OpenAttemptsInLaneParams{Provider: provider, Account: account, Region: region, Service: service})
	if err != nil {
		return nil, err
	}
	for _, o := range open {
		b.Class[purchase.LineID(o.Attempt.LineID)] = cloud.Class(o.Class)
		a, err := toAttempts([]rows.Attempt{o.Attempt})
		if err != nil {
			return nil, err
		}
		b.Open = append(b.Open, a...)
	}
	lines, err := q.LinesInLane(ctx, rows.LinesInLaneParams{Provider: provider, Account: account, Region: region, Service: service})
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		id := purchase.LineID(l.ID)
		b.Lines[id] = purchase.State(l.State)
		b.NotBought[id] = l.NotBought > 0
	}
	return b, nil
}

// Import takes what a complete listing of a lane showed into the ledger, if it is
// the first one: everything there that is not ours was there before us. Whatever
// appears later has to be explained.
func (db *DB) Import(ctx context.Context, l LaneListing) error {
	lane, err := db.Lane(ctx, l.Lane)
	if err != nil || !lane.ImportedAt.IsZero() {
		return err
	}
	err = db.write(ctx, func(q *rows.Queries) error {
		provider, account, region, service := columns(l.Lane)
		err := q.AddLane(ctx, rows.AddLaneParams{Provider: provider, Account: account, Region: region, Service: service})
		if err != nil {
			return err
		}
		first, err := q.ImportLane(ctx, rows.ImportLaneParams{
			ImportedAt: micros(l.At), Provider: provider, Account: account, Region: region, Service: service,
		})
		if err != nil || first == 0 {
			return err
		}
		b, err := books(ctx, q, l.Lane)
		if err != nil {
			return err
		}
		in, err := q.GetInstallation(ctx)
		if err != nil {
			return err
		}
		for _, c := range l.Items {
			_, named := b.Named(c)
			_, made := b.Made(c)
			_, may := b.May(c)
			if named || made || may || b.Explained(c) || lostTime(in, c) {
				continue
			}
			raw, err := json.Marshal(c)
			if err != nil {
				return err
			}
			b.Imported[Fold(c.ID)] = true
			err = q.InsertImported(ctx, rows.InsertImportedParams{
				Provider: provider, Account: account, Region: region, Service: service,
				CommitmentID: c.ID, Commitment: string(raw), At: micros(l.At),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("import %s: %w", l.Lane, err)
	}
	return nil
}

// Lane reads what the ledger remembers of a lane; nothing, if it never saw it.
func (db *DB) Lane(ctx context.Context, lane cloud.Lane) (Lane, error) {
	provider, account, region, service := columns(lane)
	r, err := db.read().GetLane(ctx, rows.GetLaneParams{Provider: provider, Account: account, Region: region, Service: service})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Lane{Lane: lane}, nil
	case err != nil:
		return Lane{}, fmt.Errorf("lane %s: %w", lane, err)
	}
	return toLane(r), nil
}

// Lanes reads every lane that the ledger remembers.
func (db *DB) Lanes(ctx context.Context) ([]Lane, error) {
	rs, err := db.read().ListLanes(ctx)
	if err != nil {
		return nil, fmt.Errorf("lanes: %w", err)
	}
	lanes := make([]Lane, len(rs))
	for i, r := range rs {
		lanes[i] = toLane(r)
	}
	return lanes, nil
}

// DeclareExclusive makes exactly these lanes those in which nobody else buys.
func (db *DB) DeclareExclusive(ctx context.Context, lanes []cloud.Lane) error {
	known, err := db.Lanes(ctx)
	if err != nil {
		return err
	}
	want := map[cloud.Lane]bool{}
	for _, l := range lanes {
		want[l] = true
	}
	for _, l := range known {
		if l.Exclusive == want[l.Lane] {
			delete(want, l.Lane)
		} else if l.Exclusive {
			want[l.Lane] = false
		}
	}
	if len(want) == 0 {
		return nil
	}
	err = db.write(ctx, func(q *rows.Queries) error {
		for l, exclusive := range want {
			provider, account, region, service := columns(l)
			err := q.AddLane(ctx, rows.AddLaneParams{Provider: provider, Account: account, Region: region, Service: service})
			if err != nil {
				return err
			}
			_, err = q.DeclareLane(ctx, rows.DeclareLaneParams{
				Exclusive: flag(exclusive), Provider: provider, Account: account, Region: region, Service: service,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("declare lanes exclusive: %w", err)
	}
	return nil
}

// insertBase stores what a lane of a new plan held.
func insertBase(ctx context.Context, q *rows.Queries, plan purchase.PlanID, l LaneListing) error {
	ids := make([]string, len(l.Items))
	for i, c := range l.Items {
		ids[i] = c.ID
	}
	slices.Sort(ids)
	raw, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	provider, account, region, service := columns(l.Lane)
	err = q.InsertPlanLane(ctx, rows.InsertPlanLaneParams{
		PlanID: string(plan), Provider: provider, Account: account, Region: region, Service: service,
		Ids: string(raw), ListedAt: micros(l.At),
	})
	if err != nil {
		return fmt.Errorf("lane %s: %w", l.Lane, err)
	}
	return nil
}

// Base reads the ids that a lane held when a plan was made, folded. ErrNotFound
// means that the plan was made without listing the lane.
func (db *DB) Base(ctx context.Context, plan purchase.PlanID, lane cloud.Lane) (map[string]bool, error) {
	provider, account, region, service := columns(lane)
	raw, err := db.read().GetPlanLane(ctx, rows.GetPlanLaneParams{
		PlanID: string(plan), Provider: provider, Account: account, Region: region, Service: service,
	})
	if err != nil {
		return nil, orNotFound(err, "listing of the lane with plan", string(plan))
	}
	var ids []string
	if err := json.Unmarshal([]byte(raw), &ids); err != nil {
		return nil, fmt.Errorf("listing of %s with plan %s: %w", lane, plan, err)
	}
	base := make(map[string]bool, len(ids))
	for _, id := range ids {
		base[Fold(id)] = true
	}
	return base, nil
}

// columns are the four columns of a lane.
func columns(l cloud.Lane) (provider, account, region, service string) {
	return string(l.Provider), string(l.Account), string(l.Region), string(l.Service)
}

func toLane(r rows.Lane) Lane {
	return Lane{
		Lane: cloud.Lane{
			Provider: cloud.Provider(r.Provider), Account: cloud.Account(r.Account), Region: cloud.Region(r.Region), Service: cloud.Service(r.Service),
		},
		ImportedAt: fromMicros(r.ImportedAt), AuditedAt: fromMicros(r.AuditedAt), Exclusive: r.Exclusive == 1,
	}
}

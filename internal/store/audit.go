package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// FactKind says what became of a commitment after its purchase.
type FactKind string

// The kinds of facts.
const (
	FactActive         FactKind = "active"
	FactPaymentFailed  FactKind = "payment_failed"
	FactReturned       FactKind = "returned"
	FactRetired        FactKind = "retired"
	FactDiffers        FactKind = "differs"         // the cloud shows other goods than the receipt
	FactMissing        FactKind = "missing"         // a listing that must show it does not
	FactHeuristicMixed FactKind = "heuristic_mixed" // a person's guess that the cloud contradicts
)

// Fact is one thing that a listing showed of a purchased commitment. It is never
// changed; a line has a new one only when something changed.
type Fact struct {
	Line   purchase.LineID
	At     time.Time // our clock, before the listing, UTC
	Kind   FactKind
	Detail string // one sentence
	// Commitment is what was listed, or that of the receipt where nothing was.
	Commitment cloud.Commitment
}

// FindingKind says how the clouds and the ledger disagree.
type FindingKind string

// The kinds of findings.
const (
	FindingUnexplained    FindingKind = "unexplained"
	FindingMissing        FindingKind = "missing"
	FindingDiffers        FindingKind = "differs"
	FindingPaymentFailed  FindingKind = "payment_failed"
	FindingHeuristicMixed FindingKind = "heuristic_mixed"
)

// Finding is a disagreement between a cloud and the ledger about one commitment.
// At most one of a kind is open.
type Finding struct {
	ID         string
	Kind       FindingKind
	Line       purchase.LineID // of the receipt, or of the name it carries; "" for none
	Detail     string          // one sentence
	Commitment cloud.Commitment
	FirstSeen  time.Time // UTC
	LastSeen   time.Time // UTC
	ClosedAt   time.Time // zero while open
}

// Watch says when a purchased commitment is looked at next.
type Watch struct {
	Line   purchase.LineID
	Lane   cloud.Lane
	NextAt time.Time // zero when the commitment has come to its end
	Stage  int       // looks so far
	State  FactKind  // of the last fact; "" before the first
}

// Audited is what one listing of a lane says about the ledger.
type Audited struct {
	Lane  cloud.Lane
	At    time.Time // our clock, before the listing began, UTC
	Facts []Fact    // at most one for each receipt; those that say nothing new are dropped
	// Looked are the purchased lines that the listing was compared with.
	Looked []purchase.LineID
	// Findings are all disagreements in the lane.
	Findings []Finding
	// Settled reports whether an open finding that is not among Findings is over.
	Settled func(Finding) bool
}

// watchAt are the looks at a purchase, counted from its receipt; then one a day.
var watchAt = []time.Duration{15 * time.Minute, 2 * time.Hour, 24 * time.Hour}

// nextWatch returns the first look after now at what was bought at the given time.
func nextWatch(bought, now time.Time) time.Time {
	for _, d := range watchAt {
		if at := bought.Add(d); at.After(now) {
			return at
		}
	}
	const day = 24 * time.Hour
	return bought.Add((now.Sub(bought)/day + 1) * day)
}

func insertWatch(ctx context.Context, q *rows.Queries, r *purchase.Receipt) error {
	return q.InsertWatch(ctx, rows.InsertWatchParams{LineID: string(r.Line), NextAt: micros(nextWatch(r.At, r.At))})
}

// Watches reads when each purchased commitment is looked at next, the most
// overdue first.
func (db *DB) Watches(ctx context.Context) ([]Watch, error) {
	rs, err := db.read().ListWatches(ctx)
	if err != nil {
		return nil, fmt.Errorf("watches: %w", err)
	}
	list := make([]Watch, len(rs))
	for i, r := range rs {
		list[i] = Watch{
			Line: purchase.LineID(r.LineID), NextAt: fromMicros(r.NextAt), Stage: int(r.Stage), State: FactKind(r.State),
			Lane: cloud.Lane{
				Provider: cloud.Provider(r.Provider), Account: cloud.Account(r.Account), Region: cloud.Region(r.Region), Service: cloud.Service(r.Service),
			},
		}
	}
	return list, nil
}

// RecordAudit writes down what a listing of a lane showed: facts that are new,
// the next look at each commitment, findings that open, go on and close. It
// returns the new facts and the findings that it closed. A listing older than one
// that was recorded changes nothing.
func (db *DB) RecordAudit(ctx context.Context, a Audited) (news []Fact, closed []Finding, err error) {
	err = db.write(ctx, func(q *rows.Queries) error {
		provider, account, region, service := columns(a.Lane)
		newest, err := q.AuditLane(ctx, rows.AuditLaneParams{
			AuditedAt: micros(a.At), Provider: provider, Account: account, Region: region, Service: service,
		})
		if err != nil || newest == 0 {
			return err
		}
		if news, err = recordFacts(ctx, q, a); err != nil {
			return err
		}
		closed, err = recordFindings(ctx, q, a)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("record the audit of %s: %w", a.Lane, err)
	}
	return news, closed, nil
}

func recordFacts(ctx context.Context, q *rows.Queries, a Audited) (news []Fact, err error) {
	about := map[purchase.LineID]Fact{}
	for _, f := range a.Facts {
		about[f.Line] = f
	}
	b, err := books(ctx, q, a.Lane)
	if err != nil {
		return nil, err
	}
	bought := map[purchase.LineID]time.Time{}
	for _, r := range b.Receipts {
		bought[r.Line] = r.At
	}
	for _, line := range a.Looked {
		last, err := q.LastFact(ctx, string(line))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		state := last.Kind
		if f, ok := about[line]; ok && (string(f.Kind) != last.Kind || f.Detail != last.Detail) {
			raw, err := json.Marshal(f.Commitment)
			if err != nil {
				return nil, err
			}
			err = q.InsertFact(ctx, rows.InsertFactParams{
				ID: newID(f.At), LineID: string(line), At: micros(f.At), Kind: string(f.Kind), Detail: f.Detail, Commitment: string(raw),
			})
			if err != nil {
				return nil, err
			}
			state, news = string(f.Kind), append(news, f)
		}
		next := nextWatch(bought[line], a.At)
		if k := FactKind(state); k == FactRetired || k == FactReturned {
			next = time.Time{}
		}
		n, err := q.ArmWatch(ctx, rows.ArmWatchParams{NextAt: micros(next), State: state, LineID: string(line)})
		if err != nil {
			return nil, err
		}
		if n != 1 {
			return nil, fmt.Errorf("line %s is not watched", line)
		}
	}
	return news, nil
}

func recordFindings(ctx context.Context, q *rows.Queries, a Audited) (closed []Finding, err error) {
	provider, account, region, service := columns(a.Lane)
	open, err := q.OpenFindingsInLane(ctx, rows.OpenFindingsInLaneParams{Provider: provider, Account: account, Region: region, Service: service})
	if err != nil {
		return nil, err
	}
	type about struct {
		kind FindingKind
		id   string
	}
	known := map[about]string{}
	for _, r := range open {
		known[about{FindingKind(r.Kind), Fold(r.CommitmentID)}] = r.ID
	}
	seen := map[string]bool{}
	for _, f := range a.Findings {
		raw, err := json.Marshal(f.Commitment)
		if err != nil {
			return nil, err
		}
		id, again := known[about{f.Kind, Fold(f.Commitment.ID)}]
		if !again {
			err := q.InsertFinding(ctx, rows.InsertFindingParams{
				ID: newID(a.At), Provider: provider, Account: account, Region: region, Service: service, CommitmentID: f.Commitment.ID,
				Kind: string(f.Kind), LineID: string(f.Line), Detail: f.Detail, Commitment: string(raw), FirstSeen: micros(a.At),
			})
			if err != nil {
				return nil, err
			}
			continue
		}
		seen[id] = true
		n, err := q.SeeFinding(ctx, rows.SeeFindingParams{
			LastSeen: micros(a.At), Detail: f.Detail, Commitment: string(raw), LineID: string(f.Line), ID: id,
		})
		if err != nil {
			return nil, err
		}
		if n != 1 {
			return nil, fmt.Errorf("finding %s is not open", id)
		}
	}
	for _, r := range open {
		f, err := toFinding(r)
		if err != nil {
			return nil, err
		}
		if seen[r.ID] || !a.Settled(f) {
			continue
		}
		n, err := q.CloseFinding(ctx, rows.CloseFindingParams{ClosedAt: micros(a.At), ID: r.ID})
		if err != nil {
			return nil, err
		}
		if n != 1 {
			return nil, fmt.Errorf("finding %s is not open", r.ID)
		}
		f.ClosedAt = a.At
		closed = append(closed, f)
	}
	return closed, nil
}

// Findings reads every open finding, by lane.
func (db *DB) Findings(ctx context.Context) ([]Finding, error) {
	rs, err := db.read().OpenFindings(ctx)
	if err != nil {
		return nil, fmt.Errorf("findings: %w", err)
	}
	list := make([]Finding, len(rs))
	for i, r := range rs {
		if list[i], err = toFinding(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// AuditFacts reads what became of a line's commitment, oldest first.
func (db *DB) AuditFacts(ctx context.Context, line purchase.LineID) ([]Fact, error) {
	rs, err := db.read().ListFacts(ctx, string(line))
	if err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	facts := make([]Fact, len(rs))
	for i, r := range rs {
		facts[i] = Fact{Line: purchase.LineID(r.LineID), At: fromMicros(r.At), Kind: FactKind(r.Kind), Detail: r.Detail}
		if err := json.Unmarshal([]byte(r.Commitment), &facts[i].Commitment); err != nil {
			return nil, fmt.Errorf("fact %s: %w", r.ID, err)
		}
	}
	return facts, nil
}

// ids are what explains commitments of a lane besides receipts.
type ids struct{ imported, foreign, regained []string }

// explained lists what is in a lane that was not bought by us and that the ledger
// accounts for: what was there before us, what a person declared foreign, and what was
// bought in a time that the ledger has lost.
func explained(ctx context.Context, q *rows.Queries, lane cloud.Lane) (others ids, err error) {
	provider, account, region, service := columns(lane)
	others.imported, err = q.ImportedInLane(ctx, rows.ImportedInLaneParams{Provider: provider, Account: account, Region: region, Service: service})
	if err != nil {
		return others, err
	}
	declared, err := foreignItems(ctx, q, lane)
	for _, f := range declared {
		others.foreign = append(others.foreign, f.CommitmentID)
	}
	if err != nil {
		return others, err
	}
	others.regained, err = q.RegainedInLane(ctx, rows.RegainedInLaneParams{Provider: provider, Account: account, Region: region, Service: service})
	return others, err
}

// calm is how long nothing unexplained may have been seen in a lane before it
// counts as exclusive.
const calm = 30 * 24 * time.Hour

// laneOfRow returns the ids in a lane that the ledger accounts for, and whether
// nobody else buys there: it was declared, it is audited, and nothing
// unexplained was open in the 30 days before the last audit. That audit and not
// this moment is where the days are counted from: what nobody looked at is not
// calm.
func laneOfRow(ctx context.Context, q *rows.Queries, lane cloud.Lane) (known []string, exclusive bool, err error) {
	provider, account, region, service := columns(lane)
	known, err = q.ReceiptsInLane(ctx, rows.ReceiptsInLaneParams{Provider: provider, Account: account, Region: region, Service: service})
	if err != nil {
		return nil, false, err
	}
	others, err := explained(ctx, q, lane)
	if err != nil {
		return nil, false, err
	}
	known = slices.Concat(known, others.imported, others.foreign, others.regained)
	l, err := q.GetLane(ctx, rows.GetLaneParams{Provider: provider, Account: account, Region: region, Service: service})
	if errors.Is(err, sql.ErrNoRows) {
		return known, false, nil
	} else if err != nil {
		return nil, false, err
	}
	n, err := q.UnexplainedSince(ctx, rows.UnexplainedSinceParams{
		Provider: provider, Account: account, Region: region, Service: service, Since: l.AuditedAt - calm.Microseconds(),
	})
	return known, l.Exclusive == 1 && l.AuditedAt > 0 && n == 0, err
}

// CheckAudit tests what must hold of the books that audits keep.
func (db *DB) CheckAudit(ctx context.Context) ([]purchase.Finding, error) {
	findings := []purchase.Finding{
		{Name: "followed", Says: "every purchased commitment is watched until its end, and nothing else is"},
		{Name: "explained-once", Says: "nothing that was there before us is also claimed as ours"},
	}
	err := db.view(ctx, func(q *rows.Queries) error {
		in, err := q.GetInstallation(ctx)
		if err != nil {
			return err
		}
		bought, err := q.AllReceipts(ctx)
		if err != nil {
			return err
		}
		watches, err := q.ListWatches(ctx)
		if err != nil {
			return err
		}
		imported, err := q.AllImported(ctx)
		if err != nil {
			return err
		}
		bad := func(i int, format string, args ...any) {
			findings[i].Problems = append(findings[i].Problems, fmt.Sprintf(format, args...))
		}
		watched := map[string]bool{}
		for _, w := range watches {
			watched[w.LineID] = true
			end := FactKind(w.State) == FactRetired || FactKind(w.State) == FactReturned
			if w.NextAt == 0 && !end {
				bad(0, "%s of line %s is not watched any more although it has not ended", w.CommitmentID, w.LineID)
			}
		}
		type place struct{ provider, account, region, service, id string }
		ours := map[place]string{}
		for _, r := range bought {
			if !watched[r.LineID] {
				bad(0, "%s of line %s is not watched", r.CommitmentID, r.LineID)
			}
			ours[place{r.Provider, r.Account, r.Region, r.Service, Fold(r.CommitmentID)}] = r.LineID
		}
		b := Books{Install: in.Install}
		for _, i := range imported {
			if line, ok := ours[place{i.Provider, i.Account, i.Region, i.Service, Fold(i.CommitmentID)}]; ok {
				bad(1, "%s was there before us and is also the receipt of line %s", i.CommitmentID, line)
			} else if line, ok := b.Named(cloud.Commitment{ID: i.CommitmentID}); ok {
				bad(1, "%s was taken for somebody else's and carries the name of line %s", i.CommitmentID, line)
			}
		}
		findings[0].Checked, findings[1].Checked = len(bought), len(imported)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("check the audit: %w", err)
	}
	return findings, nil
}

func toFinding(r rows.Finding) (Finding, error) {
	f := Finding{
		ID: r.ID, Kind: FindingKind(r.Kind), Line: purchase.LineID(r.LineID), Detail: r.Detail,
		FirstSeen: fromMicros(r.FirstSeen), LastSeen: fromMicros(r.LastSeen), ClosedAt: fromMicros(r.ClosedAt),
	}
	if err := json.Unmarshal([]byte(r.Commitment), &f.Commitment); err != nil {
		return f, fmt.Errorf("finding %s: %w", r.ID, err)
	}
	return f, nil
}

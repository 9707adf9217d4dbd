package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/journal"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// A ledger that went back in time is made good in three steps: the lines that it still
// knows are looked for by their names (package purchase), what is listed under names of
// lines that it has lost is taken into the books with the entry of the journal, and
// whatever nothing explains waits for a person.

// BeginRecovery begins a recovery in a person's name: of a ledger that was restored and
// that no mark gave away, or that is a copy and is to go on. Backup may be zero.
func (e *Engine) BeginRecovery(ctx context.Context, backup time.Time, by, comment string) error {
	g := e.Guard
	g.mu.Lock()
	defer g.mu.Unlock()
	c, err := e.compare(ctx)
	if err != nil || c.Begun && backup.IsZero() {
		return err
	}
	in, err := e.DB.Installation(ctx)
	if err != nil {
		return err
	}
	marks := map[store.MarkName]string{store.MarkHolder: newID(e.Now())}
	if marks[store.MarkSystem], marks[store.MarkTimeline], err = e.DB.Marks(ctx); err != nil {
		return err
	}
	if g.Journal != nil {
		recent, err := g.Journal.Recent()
		if err != nil {
			return err
		}
		mark := store.JournalMark(g.Journal.ID())
		if marks[mark] = "0"; len(recent) > 0 {
			marks[mark] = strconv.FormatInt(recent[len(recent)-1].Seq, 10)
		}
	}
	place, err := e.place()
	if err != nil {
		return err
	}
	for name, value := range place {
		marks[name] = value
	}
	begun, err := e.DB.BeginRecovery(ctx, store.Rollback{
		RecoveryEvent: store.RecoveryEvent{By: by, At: e.Now(), Detail: "a person said that the ledger went back", Comment: comment, Incarnation: in.Incarnation},
		Backup:        backup, Marks: marks,
	})
	if err == nil && !begun {
		err = purchase.ErrLost
	}
	g.refusal, g.owned, g.stored = errRecovering, nil, marks
	return err
}

// place returns the marks of the place, without those that cannot be told.
func (e *Engine) place() (map[store.MarkName]string, error) {
	if e.Guard.Place == nil {
		return nil, nil
	}
	all, err := e.Guard.Place()
	if err != nil {
		return nil, err
	}
	marks := map[store.MarkName]string{}
	for _, name := range []store.MarkName{store.MarkFile, store.MarkHost, store.MarkEnvironment} {
		if value, told := all[name]; told {
			marks[name] = value
		}
	}
	return marks, nil
}

// ErrNotMoved: the ledger is where it was.
var ErrNotMoved = errors.New("the ledger is where it was")

// Moved takes the place of the ledger as it is now, in a person's name.
func (e *Engine) Moved(ctx context.Context, by, comment string) ([]string, error) {
	g := e.Guard
	g.mu.Lock()
	defer g.mu.Unlock()
	c, err := e.compare(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(c.Moved) == 0:
		return nil, ErrNotMoved
	case len(c.Back) > 0:
		return nil, purchase.ErrWentBack
	}
	marks, err := e.place()
	if err != nil {
		return nil, err
	}
	now := e.Now()
	err = e.DB.SetMarks(ctx, marks, &store.RecoveryEvent{Kind: "moved", By: by, At: now, Detail: strings.Join(c.Moved, "; "), Comment: comment}, now)
	if err == nil {
		_, err = e.compare(ctx)
	}
	return c.Moved, err
}

// regain takes into the books what a listing shows under our names for lines that the
// ledger has lost, if the journal tells of them. It does nothing outside a recovery.
func (e *Engine) regain(ctx context.Context, listing store.LaneListing) error {
	in, err := e.DB.Installation(ctx)
	if err != nil || !in.Recovery || e.Guard == nil || e.Guard.Journal == nil {
		return err
	}
	b, err := e.DB.Books(ctx, listing.Lane)
	if err != nil {
		return err
	}
	var entries []journal.Record
	for _, c := range listing.Items {
		line, named := b.Named(c)
		if _, known := b.Lines[line]; !named || known || b.Explained(c) || !c.State.Binding() {
			continue
		}
		if entries == nil {
			if entries, err = e.Guard.Journal.Records(0); err != nil {
				return err
			}
		}
		i := slices.IndexFunc(entries, func(r journal.Record) bool {
			return strings.EqualFold(r.Identity, c.ID) || strings.EqualFold(r.Identity, c.Name)
		})
		if i < 0 || journaled(entries[i]) != listing.Lane {
			continue // a person says whose it is
		}
		raw, err := json.Marshal(entries[i])
		if err != nil {
			return err
		}
		err = e.DB.Regain(ctx, store.Regained{
			Commitment: c, Entry: string(raw), By: store.ByMark, At: e.Now(),
			Comment: fmt.Sprintf("the journal has it as attempt %d of line %s", entries[i].N, entries[i].Line),
		})
		if err != nil && !errors.Is(err, store.ErrDeclared) {
			return err
		}
	}
	return nil
}

// journaled is the lane of a record.
func journaled(r journal.Record) cloud.Lane {
	return cloud.Lane{Provider: cloud.Provider(r.Provider), Account: cloud.Account(r.Account), Region: cloud.Region(r.Region), Service: cloud.Service(r.Service)}
}

// journalMargin is how much earlier than the backup the journal is asked for lanes.
const journalMargin = time.Hour

// RecoveryLanes are the lanes that a recovery looks at: those that are watched, those
// that the ledger knows, and those in which the journal has attempts since the backup.
func (e *Engine) RecoveryLanes(ctx context.Context, in store.Installation) (map[cloud.Lane]bool, error) {
	lanes, err := e.lanes(ctx)
	if err != nil {
		return nil, err
	}
	known, err := e.DB.Lanes(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range known {
		lanes[l.Lane] = true
	}
	if e.Guard != nil && e.Guard.Journal != nil {
		entries, err := e.Guard.Journal.Records(0)
		if err != nil {
			return nil, err
		}
		for _, r := range entries {
			if r.Line != "" && !r.At.Before(in.Backup.Add(-journalMargin)) {
				lanes[journaled(r)] = true
			}
		}
	}
	return lanes, nil
}

// Recovery is where a recovery stands.
type Recovery struct {
	Installation store.Installation
	Lines        int                  // in recovery
	Until        time.Time            // from then on everything that was lost can be seen
	Findings     []store.Finding      // unexplained
	Failed       map[cloud.Lane]error // could not be listed
}

// Recovery tells where a recovery stands, without asking any cloud.
func (e *Engine) Recovery(ctx context.Context) (*Recovery, error) {
	r := &Recovery{}
	var err error
	if r.Installation, err = e.DB.Installation(ctx); err != nil {
		return nil, err
	}
	if !r.Installation.Recovery {
		return r, nil
	}
	if r.Lines, err = e.DB.InRecovery(ctx); err != nil {
		return nil, err
	}
	lanes, err := e.RecoveryLanes(ctx, r.Installation)
	if err != nil {
		return nil, err
	}
	for lane := range lanes {
		svc, err := e.Clouds.Service(lane)
		if err != nil {
			continue // it fails when it is listed
		}
		if at := r.Installation.Restored.Add(svc.Info().Life + svc.Info().Settle + time.Minute); at.After(r.Until) {
			r.Until = at
		}
	}
	found, err := e.DB.Findings(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if f.Kind == store.FindingUnexplained {
			r.Findings = append(r.Findings, f)
		}
	}
	return r, nil
}

// ErrRecovering: the recovery cannot be finished yet.
var ErrRecovering = errors.New("the recovery cannot be finished yet")

// FinishRecovery looks at every lane once more and ends the recovery in a person's
// name, if nothing is left. Otherwise it is ErrRecovering, and the result says what is
// left.
func (e *Engine) FinishRecovery(ctx context.Context, by, comment string) (*Recovery, error) {
	r, err := e.Recovery(ctx)
	switch {
	case err != nil:
		return nil, err
	case !r.Installation.Recovery:
		return r, store.ErrState
	case r.Lines > 0 || e.Now().Before(r.Until):
		return r, ErrRecovering
	}
	lanes, err := e.RecoveryLanes(ctx, r.Installation)
	if err != nil {
		return nil, err
	}
	a, err := e.auditLanes(ctx, lanes)
	if err != nil {
		return nil, err
	}
	if r, err = e.Recovery(ctx); err != nil {
		return nil, err
	}
	if r.Failed = a.Failed; len(r.Failed) > 0 {
		return r, ErrRecovering
	}
	err = e.DB.EndRecovery(ctx, store.RecoveryEvent{By: by, At: e.Now(), Detail: fmt.Sprintf("%d lanes were listed, and nothing is unexplained", len(lanes)), Comment: comment})
	if errors.Is(err, store.ErrUnexplained) {
		return r, ErrRecovering
	}
	if err == nil {
		_, err = e.Compare(ctx)
	}
	return r, err
}

// ErrNoFinding: no open finding is about the commitment.
var ErrNoFinding = errors.New("nothing unexplained has this id")

// Explain is a person's word about a commitment that nothing explains: it is ours, of
// the time that was lost, or somebody else's. The next listing closes the finding.
func (e *Engine) Explain(ctx context.Context, id string, ours bool, by, comment string) (store.Finding, error) {
	found, err := e.DB.Findings(ctx)
	if err != nil {
		return store.Finding{}, err
	}
	found = slices.DeleteFunc(found, func(f store.Finding) bool {
		return f.Kind != store.FindingUnexplained || store.Fold(f.Commitment.ID) != store.Fold(id)
	})
	switch {
	case len(found) == 0:
		return store.Finding{}, ErrNoFinding
	case len(found) > 1:
		return store.Finding{}, store.ErrAmbiguous
	}
	f, now, whose := found[0], e.Now(), "somebody else's"
	if ours {
		whose = "ours"
		err = e.DB.Regain(ctx, store.Regained{Commitment: f.Commitment, By: by, Comment: comment, At: now})
	} else {
		err = e.DB.DeclareForeign(ctx, store.Foreign{Lane: f.Commitment.Lane, Commitment: f.Commitment.ID, By: by, Comment: comment, At: now})
	}
	if err != nil {
		return f, err
	}
	err = e.DB.RecordRecovery(ctx, store.RecoveryEvent{
		Kind: "explained", By: by, At: now, Comment: comment, Detail: fmt.Sprintf("%s in %s is %s", f.Commitment.ID, f.Commitment.Lane, whose),
	})
	return f, err
}

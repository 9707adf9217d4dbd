package engine

import (
	"context"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/store"
)

// auditEvery is how long a watched lane goes without an audit when nothing that
// was bought there is due sooner.
const auditEvery = 24 * time.Hour

// Audit is the result of an audit.
type Audit struct {
	Facts    []store.Fact    // new ones
	Findings []store.Finding // all that are open, also in lanes that were not due
	Closed   []store.Finding // by this audit
	// Equations are of the lanes that were listed.
	Equations []Equation
	// Failed are the lanes that were due and could not be listed. Nothing is
	// concluded about them, and they stay due.
	Failed map[cloud.Lane]error
	Lanes  int       // that were due
	NextAt time.Time // when something is due again; zero if nothing ever is
}

// Audit follows what was bought to what became of it, and compares the books of
// each lane with what the cloud lists there. It lists each lane with something
// due once, or every lane with all, and buys nothing. It may run in several
// processes at once.
func (e *Engine) Audit(ctx context.Context, all bool) (*Audit, error) {
	due, _, err := e.auditDue(ctx)
	if err != nil {
		return nil, err
	}
	if all {
		if due, err = e.lanes(ctx); err != nil {
			return nil, err
		}
	}
	return e.auditLanes(ctx, due)
}

func (e *Engine) auditLanes(ctx context.Context, due map[cloud.Lane]bool) (*Audit, error) {
	result := &Audit{Lanes: len(due)}
	listed, failed := e.list(ctx, due)
	result.Failed = failed
	for _, listing := range listed {
		if err := e.regain(ctx, listing); err != nil {
			return nil, err
		}
		m, err := e.match(ctx, listing)
		if err != nil {
			return nil, err
		}
		if err := e.settleUndos(ctx, listing); err != nil {
			return nil, err
		}
		news, closed, err := e.DB.RecordAudit(ctx, m.audited())
		if err != nil {
			return nil, err
		}
		e.tag(ctx, news)
		result.Facts, result.Closed = append(result.Facts, news...), append(result.Closed, closed...)
		result.Equations = append(result.Equations, m.equation())
	}
	var err error
	if result.Findings, err = e.DB.Findings(ctx); err != nil {
		return nil, err
	}
	_, result.NextAt, err = e.auditDue(ctx)
	return result, err
}

// auditDue returns the lanes that are due, and when the next one will be.
func (e *Engine) auditDue(ctx context.Context) (due map[cloud.Lane]bool, next time.Time, err error) {
	at := map[cloud.Lane]time.Time{}
	known, err := e.DB.Lanes(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	last := map[cloud.Lane]time.Time{}
	for _, l := range known {
		last[l.Lane] = l.AuditedAt
	}
	lanes, err := e.lanes(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	for l := range lanes {
		if at[l] = e.Now(); !last[l].IsZero() {
			at[l] = last[l].Add(auditEvery)
		}
	}
	watches, err := e.DB.Watches(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, w := range watches {
		if !w.NextAt.IsZero() && w.NextAt.Before(at[w.Lane]) {
			at[w.Lane] = w.NextAt
		}
	}
	undos, err := e.DB.SentUndos(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, u := range undos { // what came of it is looked for every time
		row, err := e.DB.Row(ctx, u.Line)
		if err != nil {
			return nil, time.Time{}, err
		}
		at[row.Line.Spec.Lane()] = e.Now()
	}
	due = map[cloud.Lane]bool{}
	now := e.Now()
	for l, t := range at {
		switch {
		case !t.After(now):
			due[l] = true
		case next.IsZero() || t.Before(next):
			next = t
		}
	}
	return due, next, nil
}

// audited turns what a listing says about the ledger into what is recorded.
func (m *comparison) audited() store.Audited {
	at := m.listing.At
	a := store.Audited{Lane: m.listing.Lane, At: at}
	listed := map[string]Item{}
	for _, i := range m.items {
		if i.listed {
			listed[store.Fold(i.Commitment.ID)] = i
		}
		if kind := i.finding(); kind != "" {
			a.Findings = append(a.Findings, store.Finding{Kind: kind, Line: i.Line, Detail: i.detail(), Commitment: i.Commitment})
		}
		if i.bought() {
			a.Looked = append(a.Looked, i.Line)
			if kind, detail := i.fact(); kind != "" {
				a.Facts = append(a.Facts, store.Fact{Line: i.Line, At: at, Kind: kind, Detail: detail, Commitment: i.Commitment})
			}
		}
	}
	for _, r := range m.ended {
		a.Looked = append(a.Looked, r.Line)
		if !at.Before(ends(r.Commitment)) {
			a.Facts = append(a.Facts, store.Fact{Line: r.Line, At: at, Kind: store.FactRetired, Detail: termOver, Commitment: r.Commitment})
		}
	}
	// Called for findings that this listing does not repeat.
	a.Settled = func(f store.Finding) bool {
		i, there := listed[store.Fold(f.Commitment.ID)]
		switch {
		case !at.Before(ends(f.Commitment)):
			return true // a commitment whose time is up need not be explained
		case f.Kind == store.FindingUnexplained:
			// That it is gone explains nothing.
			return m.books.Explained(f.Commitment) || there && i.finding() == ""
		}
		return there
	}
	return a
}

const termOver = "its term is over"

// bought reports whether the item is that of a receipt that was looked at.
func (i Item) bought() bool {
	return i.receipt && (i.listed || i.Match == Missing)
}

// finding is what an item is raised as; "" for nothing.
func (i Item) finding() store.FindingKind {
	switch {
	case i.heuristic && (i.Match == Unexplained || i.Match == Missing || i.Match == Differs):
		return store.FindingHeuristicMixed
	case i.Match == Unexplained:
		return store.FindingUnexplained
	case i.Match == Missing:
		return store.FindingMissing
	case i.Match == Differs && i.Commitment.State == cloud.Failed:
		return store.FindingPaymentFailed
	case i.Match == Differs:
		return store.FindingDiffers
	}
	return ""
}

// fact is what a look at a receipt's commitment showed; "" while nothing has come
// of it.
func (i Item) fact() (kind store.FactKind, detail string) {
	state := i.Commitment.State
	switch {
	case i.heuristic && (i.Match == Missing || i.Match == Differs):
		return store.FactHeuristicMixed, i.detail()
	case i.Match == Missing:
		return store.FactMissing, i.detail()
	case state == cloud.Failed:
		return store.FactPaymentFailed, i.detail()
	case i.Match == Differs:
		return store.FactDiffers, i.detail()
	}
	switch state {
	case cloud.Active:
		return store.FactActive, "the cloud lists it as active"
	case cloud.Retired:
		return store.FactRetired, termOver
	case cloud.Returned, cloud.Deleted:
		return store.FactReturned, "it was given back"
	}
	return "", ""
}

// detail says in one sentence what is wrong with the item.
func (i Item) detail() string {
	if i.heuristic && i.receipt {
		return fmt.Sprintf("a person decided that it is this line's: %s", i.Problem)
	}
	return i.Problem
}

package store

import (
	"context"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// People page through what workers have done. A page is found by an index and begins
// where the page before has ended, however many rows come before.

// last is behind every ULID.
const last = "~"

// PlansBefore reads plans without their lines, newest first: those older than before,
// which is "" for the newest page, in a state or, with "", in any.
func (db *DB) PlansBefore(ctx context.Context, before purchase.PlanID, state purchase.PlanState, most int) ([]*purchase.Plan, error) {
	if before == "" {
		before = last
	}
	var found []rows.Plan
	var err error
	if state == "" {
		found, err = db.read().PlansBefore(ctx, rows.PlansBeforeParams{Before: string(before), Most: int32(most)})
	} else {
		found, err = db.read().PlansBeforeInState(ctx, rows.PlansBeforeInStateParams{State: string(state), Before: string(before), Most: int32(most)})
	}
	return bare(found, err)
}

// LinePage says which lines to read. Zero fields select all.
type LinePage struct {
	Plan    purchase.PlanID
	State   purchase.State
	Account cloud.Account
	// After is the plan, and AfterNumber the number in it, of the last line of the page
	// before; "" begins with the newest plan.
	After       purchase.PlanID
	AfterNumber int
	Most        int
}

// Lines reads lines, those of the newest plan first, in its order.
func (db *DB) Lines(ctx context.Context, p LinePage) ([]purchase.Line, error) {
	var found []rows.Line
	err := db.view(ctx, func(q *rows.Queries) error {
		var err error
		found, err = pageLines(ctx, q, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lines: %w", err)
	}
	return toLines(found)
}

func pageLines(ctx context.Context, q *rows.Queries, p LinePage) (found []rows.Line, err error) {
	inPlan := rows.LinesAfterInPlanParams{PlanID: string(p.Plan), State: string(p.State), Account: string(p.Account), Most: int32(p.Most)}
	if p.After != "" && (p.Plan == "" || p.Plan == p.After) {
		inPlan.PlanID, inPlan.After = string(p.After), int64(p.AfterNumber)
	}
	if inPlan.PlanID != "" {
		if found, err = q.LinesAfterInPlan(ctx, inPlan); err != nil || p.Plan != "" || len(found) == p.Most {
			return found, err
		}
	}
	before, most := string(p.After), int32(p.Most-len(found))
	if before == "" {
		before = last
	}
	var older []rows.Line
	switch {
	case p.State != "":
		older, err = q.LinesBeforeInState(ctx, rows.LinesBeforeInStateParams{State: string(p.State), Before: before, Account: string(p.Account), Most: most})
	case p.Account != "":
		older, err = q.LinesBeforeOfAccount(ctx, rows.LinesBeforeOfAccountParams{Account: string(p.Account), Before: before, Most: most})
	default:
		older, err = q.LinesBefore(ctx, rows.LinesBeforeParams{Before: before, Most: most})
	}
	return append(found, older...), err
}

// LineReceipts reads the receipts of lines.
func (db *DB) LineReceipts(ctx context.Context, lines []purchase.Line) (map[purchase.LineID]purchase.Receipt, error) {
	by := map[purchase.LineID]purchase.Receipt{}
	err := db.view(ctx, func(q *rows.Queries) error {
		for _, l := range lines {
			if l.State != purchase.Purchased {
				continue
			}
			found, err := q.GetReceipt(ctx, string(l.ID))
			if err != nil {
				return err
			}
			receipts, err := toReceipts(found)
			if err != nil {
				return err
			}
			for _, r := range receipts {
				by[r.Line] = r
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("receipts: %w", err)
	}
	return by, nil
}

// LineSum is how many lines of an account are in a state and cost the same.
type LineSum struct {
	State   purchase.State
	Account cloud.Account
	Total   money.Amount // of each
	Lines   int
}

// SumLines counts all lines by what they have in common.
func (db *DB) SumLines(ctx context.Context) ([]LineSum, error) {
	found, err := db.read().SumLines(ctx)
	if err != nil {
		return nil, fmt.Errorf("sums of lines: %w", err)
	}
	sums := make([]LineSum, len(found))
	for i, r := range found {
		sums[i] = LineSum{State: purchase.State(r.State), Account: cloud.Account(r.Account), Lines: int(r.N)}
		if sums[i].Total, err = money.Parse(r.Total, r.Currency); err != nil {
			return nil, fmt.Errorf("sums of lines: %w", err)
		}
	}
	return sums, nil
}

// SumPlan counts the lines of a plan by what they have in common.
func (db *DB) SumPlan(ctx context.Context, id purchase.PlanID) ([]LineSum, error) {
	found, err := db.read().SumLinesOfPlan(ctx, string(id))
	if err != nil {
		return nil, fmt.Errorf("lines of plan %s: %w", id, err)
	}
	sums := make([]LineSum, len(found))
	for i, r := range found {
		sums[i] = LineSum{State: purchase.State(r.State), Account: cloud.Account(r.Account), Lines: int(r.N)}
		if sums[i].Total, err = money.Parse(r.Total, r.Currency); err != nil {
			return nil, fmt.Errorf("lines of plan %s: %w", id, err)
		}
	}
	return sums, nil
}

// CountPlans counts plans by state.
func (db *DB) CountPlans(ctx context.Context) (map[purchase.PlanState]int, error) {
	found, err := db.read().CountPlans(ctx)
	if err != nil {
		return nil, fmt.Errorf("number of plans: %w", err)
	}
	counts := map[purchase.PlanState]int{}
	for _, r := range found {
		counts[purchase.PlanState(r.State)] = int(r.N)
	}
	return counts, nil
}

// InDoubtSince is when the oldest line in doubt was armed; zero if none is in doubt.
func (db *DB) InDoubtSince(ctx context.Context) (time.Time, error) {
	found, err := db.read().OldestInState(ctx, string(purchase.Armed))
	if err != nil || len(found) == 0 {
		return time.Time{}, err
	}
	return fromMicros(found[0]), nil
}

// LineVersion is how often a line has moved, and where it is.
type LineVersion struct {
	Line    purchase.LineID
	Version int // moves of the line, from 0
	State   purchase.State
	At      time.Time // of the last move
}

// LineVersions reads how often the lines of a plan have moved, in the plan's order.
func (db *DB) LineVersions(ctx context.Context, id purchase.PlanID) ([]LineVersion, error) {
	found, err := db.read().LineVersions(ctx, string(id))
	if err != nil {
		return nil, fmt.Errorf("lines of plan %s: %w", id, err)
	}
	versions := make([]LineVersion, len(found))
	for i, r := range found {
		versions[i] = LineVersion{purchase.LineID(r.ID), int(r.Version), purchase.State(r.State), fromMicros(r.UpdatedAt)}
	}
	return versions, nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// A person begins a plan: from then on its lines may be bought by whatever process
// works on the ledger, and without it by none.

// How says by what a plan was begun.
type How string

// The ways to begin a plan.
const (
	ByApply    How = "apply"     // by a run in the foreground, which is not over
	ByDetach   How = "detached"  // for a worker
	BySchedule How = "scheduled" // for a worker, at a time that was said before
)

// Begun tells who began a plan.
type Begun struct {
	Plan purchase.PlanID
	By   string
	At   time.Time // UTC
	How  How
}

// ErrNotApproved: the plan is not approved, or its approval is over.
var ErrNotApproved = errors.New("only an approved plan can be begun")

// Begin lets the lines of a plan be bought from now on. It reports false when
// somebody has begun it before, which changes nothing, and ErrNotApproved when
// nobody may.
func (db *DB) Begin(ctx context.Context, b Begun) (first bool, err error) {
	err = db.write(ctx, func(q *rows.Queries) error {
		var err error
		first, err = db.begin(ctx, q, b)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("begin plan %s: %w", b.Plan, err)
	}
	return first, nil
}

func (db *DB) begin(ctx context.Context, q *rows.Queries, b Begun) (first bool, err error) {
	n, err := q.InsertBegun(ctx, rows.InsertBegunParams{PlanID: string(b.Plan), Person: b.By, At: micros(b.At), How: string(b.How)})
	if err != nil {
		return false, err
	}
	if n == 0 {
		_, err := q.GetBegun(ctx, string(b.Plan))
		if errors.Is(err, sql.ErrNoRows) {
			err = ErrNotApproved
		}
		return false, err
	}
	_, err = q.BeginLines(ctx, rows.BeginLinesParams{MustLeaveBy: micros(b.At.Add(purchase.ReadyDwell)), PlanID: string(b.Plan)})
	if err != nil {
		return false, err
	}
	return true, db.wake(ctx, q, b.At, b.At)
}

// Begun reads who began which plan, by plan.
func (db *DB) Begun(ctx context.Context) (map[purchase.PlanID]Begun, error) {
	rs, err := db.read().ListBegun(ctx)
	if err != nil {
		return nil, fmt.Errorf("plans that were begun: %w", err)
	}
	all := make(map[purchase.PlanID]Begun, len(rs))
	for _, r := range rs {
		all[purchase.PlanID(r.PlanID)] = toBegun(r)
	}
	return all, nil
}

// BegunBy reads who began a plan; nil if nobody did.
func (db *DB) BegunBy(ctx context.Context, plan purchase.PlanID) (*Begun, error) {
	r, err := db.read().GetBegun(ctx, string(plan))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("who began plan %s: %w", plan, err)
	}
	b := toBegun(r)
	return &b, nil
}

func toBegun(r rows.Begun) Begun {
	return Begun{Plan: purchase.PlanID(r.PlanID), By: r.Person, At: fromMicros(r.At), How: How(r.How)}
}

// Due lists at most so many lines that a worker may do something for at this
// moment, the most overdue first, beginning behind after: those of plans that were
// begun, and those that may have been bought, without those that another worker than
// the named one has claimed.
func (db *DB) Due(ctx context.Context, worker string, now time.Time, after Due, most int) ([]Due, error) {
	rs, err := db.read().DueLines(ctx, rows.DueLinesParams{
		Now: micros(now), AfterAt: micros(after.At), AfterID: string(after.Line), Most: int32(most), Worker: worker,
	})
	if err != nil {
		return nil, fmt.Errorf("lines that are due: %w", err)
	}
	due := make([]Due, len(rs))
	for i, r := range rs {
		due[i] = Due{
			Line: purchase.LineID(r.ID), Plan: purchase.PlanID(r.PlanID), State: purchase.State(r.State), At: fromMicros(r.LookAt),
			Lane: cloud.Lane{Provider: cloud.Provider(r.Provider), Account: cloud.Account(r.Account), Region: cloud.Region(r.Region), Service: cloud.Service(r.Service)},
		}
	}
	return due, nil
}

// LookUnanswered makes due every line with an attempt that nobody has recorded an
// answer of: the process that sent it may be dead.
func (db *DB) LookUnanswered(ctx context.Context, now time.Time) error {
	return db.write(ctx, func(q *rows.Queries) error {
		_, err := q.LookUnanswered(ctx, micros(now))
		return err
	})
}

// Shared reports whether workers of several machines may work on this ledger, so that
// it is worth while to claim lines. In a file nothing is claimed: who starts again
// there is not kept from what it was working on when it died.
func (db *DB) Shared() bool { return db.postgres }

// Claim makes a worker the one that looks after lines until a time, and returns those
// that no other one does. In a file, where nobody else works, these are all.
func (db *DB) Claim(ctx context.Context, worker string, lines []Due, now, until time.Time) (claimed []Due, err error) {
	if !db.postgres || len(lines) == 0 {
		return lines, nil
	}
	ids := make([]string, len(lines))
	for i, d := range lines {
		ids[i] = string(d.Line)
	}
	slices.Sort(ids) // so that two do not wait for each other
	var got []string
	err = db.writeStep(ctx, func(q *rows.Queries) error {
		got, err = q.ClaimLines(ctx, rows.ClaimLinesParams{LineIds: strings.Join(ids, ","), Worker: worker, Until: micros(until), Now: micros(now)})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim lines: %w", err)
	}
	for _, d := range lines {
		if slices.Contains(got, string(d.Line)) {
			claimed = append(claimed, d)
		}
	}
	return claimed, nil
}

// Release ends the claims of a worker.
func (db *DB) Release(ctx context.Context, worker string) error {
	return db.writeStep(ctx, func(q *rows.Queries) error {
		_, err := q.ReleaseClaims(ctx, worker)
		return err
	})
}

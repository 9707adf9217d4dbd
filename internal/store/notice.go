package store

import (
	"context"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// Notice says that a line was to leave its state by a time and has not. It is for
// people: no line moves because of its age.
type Notice struct {
	Line        purchase.LineID
	State       purchase.State
	MustLeaveBy time.Time // UTC
	RaisedAt    time.Time
	SeenAt      time.Time // the last time that it was still so
	ClosedAt    time.Time // when the line was seen to have moved; zero while it has not
}

// LookOverdue makes due every line that may have been bought and that was to be
// resolved by now.
func (db *DB) LookOverdue(ctx context.Context, now time.Time) error {
	overdue, err := db.read().OverdueLines(ctx, micros(now))
	if err != nil || len(overdue) == 0 {
		return err
	}
	return db.write(ctx, func(q *rows.Queries) error {
		_, err := q.LookOverdue(ctx, micros(now))
		return err
	})
}

// RaiseOverdue raises every line that is overdue and closes the notices of those
// that have moved. It returns the lines that are overdue, and how many of them are
// so for the first time.
func (db *DB) RaiseOverdue(ctx context.Context, now time.Time) (overdue []Notice, raised int, err error) {
	rs, err := db.read().OverdueLines(ctx, micros(now))
	if err != nil {
		return nil, 0, fmt.Errorf("overdue lines: %w", err)
	}
	if open, err := db.read().CountOpenNotices(ctx); err != nil || len(rs) == 0 && open == 0 {
		return nil, 0, err
	}
	err = db.write(ctx, func(q *rows.Queries) error {
		overdue, raised = nil, 0
		if _, err := q.CloseNotices(ctx, micros(now)); err != nil {
			return err
		}
		for _, r := range rs {
			at, err := q.RaiseNotice(ctx, rows.RaiseNoticeParams{
				ID: newID(now), LineID: r.ID, State: r.State, MustLeaveBy: r.MustLeaveBy, Now: micros(now),
			})
			if err != nil {
				return err
			}
			n := Notice{Line: purchase.LineID(r.ID), State: purchase.State(r.State), MustLeaveBy: fromMicros(r.MustLeaveBy), RaisedAt: fromMicros(at), SeenAt: now}
			if n.RaisedAt.Equal(fromMicros(micros(now))) {
				raised++
			}
			overdue = append(overdue, n)
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("raise overdue lines: %w", err)
	}
	return overdue, raised, nil
}

// Notices reads what was raised about a line, oldest first.
func (db *DB) Notices(ctx context.Context, line purchase.LineID) ([]Notice, error) {
	rs, err := db.read().LineNotices(ctx, string(line))
	if err != nil {
		return nil, fmt.Errorf("notices: %w", err)
	}
	list := make([]Notice, len(rs))
	for i, r := range rs {
		list[i] = Notice{
			Line: purchase.LineID(r.LineID), State: purchase.State(r.State), MustLeaveBy: fromMicros(r.MustLeaveBy),
			RaisedAt: fromMicros(r.RaisedAt), SeenAt: fromMicros(r.SeenAt), ClosedAt: fromMicros(r.ClosedAt),
		}
	}
	return list, nil
}

// OpenLines counts lines that have not ended.
type OpenLines struct {
	InDoubt int // armed: what came of their requests is not known
	Review  int // that wait for people: for a decision, a new approval, or a recovery
	Ready   int // of plans that were begun, not bought yet
}

// OpenLines counts the lines that have not ended.
func (db *DB) OpenLines(ctx context.Context) (o OpenLines, err error) {
	rs, err := db.read().CountStates(ctx)
	if err != nil {
		return OpenLines{}, fmt.Errorf("open lines: %w", err)
	}
	for _, r := range rs {
		switch purchase.State(r.State) {
		case purchase.Armed:
			o.InDoubt += int(r.N)
		case purchase.NeedsReview, purchase.NeedsReapproval, purchase.Recovery:
			o.Review += int(r.N)
		case purchase.Ready:
			o.Ready += int(r.N * r.Begun)
		}
	}
	return o, nil
}

// Lapsed lists the lines that were not sent before their approval was over.
func (db *DB) Lapsed(ctx context.Context, now time.Time) ([]Due, error) {
	rs, err := db.read().LapsedLines(ctx, micros(now))
	if err != nil {
		return nil, fmt.Errorf("lines whose approval is over: %w", err)
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

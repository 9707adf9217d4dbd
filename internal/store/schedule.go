package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// Schedule is a task that is done again and again.
type Schedule struct {
	Task   string
	Every  time.Duration // 0: it is off
	NextAt time.Time     // UTC
	// Holder runs it now and is taken for dead from HeldUntil on; "" if nobody does.
	Holder    string
	HeldUntil time.Time
	// Of the last time that it came to an end: an outcome of the engine, and what it
	// has counted or why it failed.
	LastAt   time.Time
	LastTook time.Duration
	Outcome  string
	Detail   string

	version int64
}

// Due reports whether the task is to be run: its time has come, or whoever has begun
// it is dead.
func (s Schedule) Due(now time.Time) bool {
	switch {
	case s.Every == 0:
		return false
	case s.Holder != "":
		return !now.Before(s.HeldUntil)
	}
	return !now.Before(s.NextAt)
}

// SyncSchedules makes these the cadences of tasks; zero turns one off. A task that
// is new, or whose cadence is another one, is due at once.
func (db *DB) SyncSchedules(ctx context.Context, every map[string]time.Duration, now time.Time) error {
	known, err := db.Schedules(ctx)
	if err != nil {
		return err
	}
	same := 0
	for _, s := range known {
		if e, ok := every[s.Task]; ok && e == s.Every {
			same++
		}
	}
	if same == len(every) {
		return nil
	}
	return db.write(ctx, func(q *rows.Queries) error {
		for task, e := range every {
			if err := q.SyncSchedule(ctx, rows.SyncScheduleParams{Task: task, Every: e.Microseconds(), NextAt: micros(now)}); err != nil {
				return fmt.Errorf("schedule %s: %w", task, err)
			}
		}
		return nil
	})
}

// Schedules reads all tasks, by name.
func (db *DB) Schedules(ctx context.Context) ([]Schedule, error) {
	rs, err := db.read().ListSchedules(ctx)
	if err != nil {
		return nil, fmt.Errorf("schedules: %w", err)
	}
	list := make([]Schedule, len(rs))
	for i, r := range rs {
		list[i] = Schedule{
			Task: r.Task, Every: time.Duration(r.Every) * time.Microsecond, NextAt: fromMicros(r.NextAt),
			Holder: r.Holder, HeldUntil: fromMicros(r.HeldUntil), LastAt: fromMicros(r.LastAt), LastTook: time.Duration(r.LastTook) * time.Microsecond,
			Outcome: r.Outcome, Detail: r.Detail, version: r.Version,
		}
	}
	return list, nil
}

// Of a schedule one row is changed at a time, so it does not keep the steps of lines
// waiting.

// TakeTick gives a process the tick of a task as it was read: it moves the next one
// on and holds the task until a time. It reports false when another process has
// it. With force it does not ask whether the task is due, and takes it from
// whoever holds it.
func (db *DB) TakeTick(ctx context.Context, s *Schedule, holder string, now, until time.Time, force bool) (taken bool, err error) {
	next := s.NextAt
	if s.Every > 0 {
		next = now.Add(s.Every)
	}
	err = db.writeAndWake(ctx, func(q *rows.Queries) error {
		var n int64
		var err error
		if force {
			n, err = q.TakeTickNow(ctx, rows.TakeTickNowParams{NextAt: micros(next), Holder: holder, HeldUntil: micros(until), Task: s.Task, Version: s.version})
		} else {
			n, err = q.TakeTick(ctx, rows.TakeTickParams{NextAt: micros(next), Holder: holder, HeldUntil: micros(until), Task: s.Task, Version: s.version, Now: micros(now)})
		}
		if taken = n == 1; !taken || err != nil || s.Every == 0 {
			return err
		}
		return db.wake(ctx, q, next, now)
	})
	if err != nil {
		return false, fmt.Errorf("schedule %s: %w", s.Task, err)
	}
	if taken {
		s.NextAt, s.Holder, s.HeldUntil = next, holder, until
		s.version++
	}
	return taken, nil
}

// KeepTick puts off the time at which the holder of a tick is taken for dead. It
// reports false when another process has the task.
func (db *DB) KeepTick(ctx context.Context, s Schedule, until time.Time) (kept bool, err error) {
	err = db.writeStep(ctx, func(q *rows.Queries) error {
		n, err := q.KeepTick(ctx, rows.KeepTickParams{HeldUntil: micros(until), Task: s.Task, Version: s.version})
		kept = n == 1
		return err
	})
	return kept, err
}

// EndTick records what came of a tick, unless another process has the task.
func (db *DB) EndTick(ctx context.Context, s Schedule) error {
	return db.writeStep(ctx, func(q *rows.Queries) error {
		_, err := q.EndTick(ctx, rows.EndTickParams{
			LastAt: micros(s.LastAt), LastTook: s.LastTook.Microseconds(), Outcome: s.Outcome, Detail: s.Detail, Task: s.Task, Version: s.version,
		})
		return err
	})
}

// PlanSchedule is a person's word that a plan is begun at a time.
type PlanSchedule struct {
	ID      string
	Plan    purchase.PlanID
	At      time.Time // UTC
	By      string
	MadeAt  time.Time
	State   string // waiting, begun, canceled, refused
	EndedAt time.Time
	EndedBy string
	Detail  string // why it was refused
}

// Errors of schedules of plans; match them with errors.Is.
var (
	// ErrScheduled: the plan waits for its time already.
	ErrScheduled = errors.New("the plan is scheduled already")
	// ErrNotWaiting: what was scheduled has ended.
	ErrNotWaiting = errors.New("it does not wait any more")
	// ErrBegun: somebody has begun the plan.
	ErrBegun = errors.New("the plan was begun already")
)

// SchedulePlan has a plan begun at a time, at which its approval must stand, else
// ErrNotApproved. It returns the schedule with its id.
func (db *DB) SchedulePlan(ctx context.Context, s PlanSchedule) (PlanSchedule, error) {
	s.ID, s.State = newID(s.MadeAt), "waiting"
	err := db.write(ctx, func(q *rows.Queries) error {
		n, err := q.InsertPlanSchedule(ctx, rows.InsertPlanScheduleParams{
			ID: s.ID, PlanID: string(s.Plan), At: micros(s.At), Person: s.By, MadeAt: micros(s.MadeAt),
		})
		switch {
		case isUnique(err):
			return ErrScheduled
		case err != nil:
			return err
		case n == 0:
			if _, err := q.GetBegun(ctx, string(s.Plan)); err == nil {
				return ErrBegun
			}
			return ErrNotApproved
		}
		err = q.PutOffReady(ctx, rows.PutOffReadyParams{MustLeaveBy: micros(s.At.Add(purchase.ReadyDwell)), PlanID: string(s.Plan)})
		if err != nil {
			return err
		}
		return db.wake(ctx, q, s.At, s.MadeAt)
	})
	if err != nil {
		return PlanSchedule{}, fmt.Errorf("schedule plan %s: %w", s.Plan, err)
	}
	return s, nil
}

// PlanSchedules reads what was ever scheduled, by time.
func (db *DB) PlanSchedules(ctx context.Context) ([]PlanSchedule, error) {
	rs, err := db.read().ListPlanSchedules(ctx)
	if err != nil {
		return nil, fmt.Errorf("schedules of plans: %w", err)
	}
	return toPlanSchedules(rs), nil
}

// CancelPlanSchedule calls off what was scheduled, else ErrNotWaiting. The id may be
// shortened to a unique prefix; the full one is returned.
func (db *DB) CancelPlanSchedule(ctx context.Context, prefix, by string, now time.Time) (id string, err error) {
	id, err = fullID(prefix, "schedule", func(like string) ([]string, error) { return db.read().PlanScheduleIDs(ctx, like) })
	if err != nil {
		return "", err
	}
	return id, db.write(ctx, func(q *rows.Queries) error {
		return endPlanSchedule(ctx, q, id, "canceled", by, "", now)
	})
}

func endPlanSchedule(ctx context.Context, q *rows.Queries, id, to, by, detail string, now time.Time) error {
	n, err := q.EndPlanSchedule(ctx, rows.EndPlanScheduleParams{ToState: to, EndedAt: micros(now), EndedBy: by, Detail: detail, ID: id})
	if err == nil && n != 1 {
		err = ErrNotWaiting
	}
	return err
}

// BeginScheduled begins the plans whose time has come and returns what came of
// each. A plan that may not be begun any more is refused. Of several processes one
// begins each plan.
func (db *DB) BeginScheduled(ctx context.Context, now time.Time) (ended []PlanSchedule, err error) {
	rs, err := db.read().DuePlanSchedules(ctx, micros(now))
	if err != nil || len(rs) == 0 {
		return nil, err
	}
	for _, s := range toPlanSchedules(rs) {
		err := db.write(ctx, func(q *rows.Queries) error {
			s.State, s.Detail = "begun", ""
			p, err := q.GetPlan(ctx, string(s.Plan))
			if err != nil {
				return err
			}
			if p.State != string(purchase.PlanApproved) || !fromMicros(p.ApprovalExpiresAt).After(now) {
				s.State, s.Detail = "refused", "the plan was "+p.State+" and its approval not standing when its time came"
			}
			if err := endPlanSchedule(ctx, q, s.ID, s.State, "", s.Detail, now); err != nil || s.State == "refused" {
				return err
			}
			_, err = db.begin(ctx, q, Begun{Plan: s.Plan, By: s.By, At: now, How: BySchedule})
			return err
		})
		switch {
		case errors.Is(err, ErrNotWaiting): // another process was faster
		case err != nil:
			return ended, fmt.Errorf("begin the scheduled plan %s: %w", s.Plan, err)
		default:
			s.EndedAt = now
			ended = append(ended, s)
		}
	}
	return ended, nil
}

func toPlanSchedules(rs []rows.PlanSchedule) []PlanSchedule {
	list := make([]PlanSchedule, len(rs))
	for i, r := range rs {
		list[i] = PlanSchedule{
			ID: r.ID, Plan: purchase.PlanID(r.PlanID), At: fromMicros(r.At), By: r.Person, MadeAt: fromMicros(r.MadeAt),
			State: r.State, EndedAt: fromMicros(r.EndedAt), EndedBy: r.EndedBy, Detail: r.Detail,
		}
	}
	return list
}

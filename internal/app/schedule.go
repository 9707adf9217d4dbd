package app

import (
	"context"
	"errors"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/engine"
	"bursar/internal/store"
)

// processName tells this process from others that work on the ledger.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "-" + strconv.Itoa(os.Getpid())
}

// RunTask runs a task once, due or not. What could not be done is told in the
// result.
func (a *App) RunTask(ctx context.Context, name string) (api.Ran, error) {
	task := engine.Task(name)
	known := false
	names := make([]string, len(engine.Tasks))
	for i, t := range engine.Tasks {
		known = known || t == task
		names[i] = string(t)
	}
	_, one := a.engine.Proposals[task]
	known = known || one
	if !known {
		return api.Ran{}, api.Errorf(api.NotFound, "there is no task %q: use %s", name, strings.Join(names, ", "))
	}
	by, err := a.actor(ctx, auth.TaskRun, name, "")
	if err != nil {
		return api.Ran{}, err
	}
	began, wall := a.clouds.now(), time.Now()
	schedules, err := a.schedules(ctx)
	if err != nil {
		return api.Ran{}, err
	}
	var r engine.TaskResult
	var failed error
	err = a.does(ctx, step{act: auth.TaskRun, by: by, subject: name, all: true}, func() error {
		for _, s := range schedules {
			if s.Task != name {
				continue
			}
			var ran bool
			if r, ran, failed = a.engine.Tick(ctx, s, processName(), true); failed == nil && !ran {
				failed = errors.New("another process has begun it at the same moment: see bursar schedule list")
			}
			return failed
		}
		r, failed = a.engine.RunTask(ctx, task)
		return failed
	})
	if err != nil && failed == nil { // it was not begun
		return api.Ran{}, err
	}
	return ranView(task, began, time.Since(wall), r, failed), nil
}

func ranView(t engine.Task, began time.Time, took time.Duration, r engine.TaskResult, err error) api.Ran {
	v := api.Ran{
		Task: string(t), Started: began, Took: took.Round(time.Millisecond).String(), TookMS: took.Milliseconds(),
		Outcome: string(r.Outcome), Counts: r.Counts, Problem: r.Problem,
	}
	if err != nil {
		v.Outcome, v.Problem = string(engine.TaskFailed), err.Error()
	}
	if v.Counts == nil {
		v.Counts = map[string]int{}
	}
	return v
}

// schedules reads the tasks with the cadences of the configuration.
func (a *App) schedules(ctx context.Context) ([]store.Schedule, error) {
	list, err := a.db.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	cadences := maps.Clone(a.cadences)
	for _, s := range list {
		if _, known := cadences[s.Task]; !known {
			cadences[s.Task] = 0 // of a policy that the configuration names no more
		}
	}
	if err := a.db.SyncSchedules(ctx, cadences, a.clouds.now()); err != nil {
		return nil, err
	}
	return a.db.Schedules(ctx)
}

// Schedules lists the tasks, and the plans that wait for their time or have ended
// waiting.
func (a *App) Schedules(ctx context.Context) (api.Schedules, error) {
	if err := a.reads(ctx); err != nil {
		return api.Schedules{}, err
	}
	now := a.clouds.now()
	tasks, err := a.schedules(ctx)
	if err != nil {
		return api.Schedules{}, err
	}
	v := api.Schedules{Tasks: []api.Schedule{}, Plans: []api.PlanSchedule{}}
	for _, s := range tasks {
		t := api.Schedule{
			Task: s.Task, Every: "off", LastAt: optional(s.LastAt), Outcome: s.Outcome, Detail: s.Detail,
		}
		if s.Every > 0 {
			t.Every, t.NextAt = shortly(s.Every), optional(s.NextAt)
		}
		if !s.LastAt.IsZero() {
			t.Took = s.LastTook.Round(time.Millisecond).String()
		}
		if s.Holder != "" && now.Before(s.HeldUntil) {
			t.RunBy = s.Holder
		}
		v.Tasks = append(v.Tasks, t)
	}
	plans, err := a.db.PlanSchedules(ctx)
	if err != nil {
		return api.Schedules{}, err
	}
	for _, s := range plans {
		if _, err := a.plan(ctx, string(s.Plan)); errors.Is(err, store.ErrNotFound) {
			continue // of accounts that they do not see
		} else if err != nil {
			return api.Schedules{}, err
		}
		v.Plans = append(v.Plans, planScheduleView(s))
	}
	return v, nil
}

func planScheduleView(s store.PlanSchedule) api.PlanSchedule {
	return api.PlanSchedule{
		ID: s.ID, Plan: string(s.Plan), At: s.At, By: s.By, MadeAt: s.MadeAt, State: s.State,
		EndedAt: optional(s.EndedAt), EndedBy: s.EndedBy, Detail: s.Detail,
	}
}

// SchedulePlan has an approved plan begun at a time.
func (a *App) SchedulePlan(ctx context.Context, id string, at time.Time, by string) (api.PlanSchedule, error) {
	p, err := a.toBegin(ctx, id)
	if err != nil {
		return api.PlanSchedule{}, err
	}
	if by, err = a.actor(ctx, auth.PlanSchedule, string(p.ID), by); err != nil {
		return api.PlanSchedule{}, err
	}
	now := a.clouds.now()
	if !at.After(now) {
		return api.PlanSchedule{}, api.Errorf(api.Invalid, "--at %s is not in the future; it is %s: to begin the plan now use bursar apply %s --detach",
			at.UTC().Format(time.RFC3339), now.Format(time.RFC3339), p.ID)
	}
	var s store.PlanSchedule
	err = a.does(ctx, step{
		act: auth.PlanSchedule, by: by, subject: string(p.ID), accounts: accountsOf(p), details: map[string]any{"digest": p.Digest, "at": at.UTC().Format(time.RFC3339)},
	}, func() error {
		s, err = a.db.SchedulePlan(ctx, store.PlanSchedule{Plan: p.ID, At: at.UTC(), By: by, MadeAt: now})
		return err
	})
	switch {
	case errors.Is(err, store.ErrScheduled):
		return api.PlanSchedule{}, api.Errorf(api.Conflict, "plan %s is scheduled already: see bursar schedule list", p.ID)
	case errors.Is(err, store.ErrBegun):
		return api.PlanSchedule{}, api.Errorf(api.Conflict, "plan %s was begun already: see bursar plan show %s", p.ID, p.ID)
	case errors.Is(err, store.ErrNotApproved):
		return api.PlanSchedule{}, api.Errorf(api.Conflict, "the approval of plan %s stands until %s only: schedule it for a time before, or have it approved for longer",
			p.ID, p.ApprovalExpires.Format(time.RFC3339))
	case err != nil:
		return api.PlanSchedule{}, err
	}
	return planScheduleView(s), nil
}

// scheduleAccounts lists the accounts of the plan that was scheduled under an id; none
// if there is no such schedule, which whoever calls it off is told later.
func (a *App) scheduleAccounts(ctx context.Context, id string) ([]string, error) {
	list, err := a.db.PlanSchedules(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if strings.HasPrefix(s.ID, strings.ToUpper(strings.TrimSpace(id))) {
			p, err := a.db.Plan(ctx, string(s.Plan))
			if err != nil {
				return nil, err
			}
			return accountsOf(p), nil
		}
	}
	return nil, nil
}

// CancelSchedule calls off what was scheduled.
func (a *App) CancelSchedule(ctx context.Context, id, by string) (api.PlanSchedule, error) {
	by, err := a.actor(ctx, auth.ScheduleCancel, id, by)
	if err != nil {
		return api.PlanSchedule{}, err
	}
	accounts, err := a.scheduleAccounts(ctx, id)
	if err != nil {
		return api.PlanSchedule{}, err
	}
	for _, account := range accounts {
		if !sees(ctx, account) { // as if it did not exist
			return api.PlanSchedule{}, api.Errorf(api.NotFound, "schedule %s: %w: bursar schedule list shows what is scheduled", id, store.ErrNotFound)
		}
	}
	var full string
	err = a.does(ctx, step{act: auth.ScheduleCancel, by: by, subject: id, accounts: accounts}, func() error {
		full, err = a.db.CancelPlanSchedule(ctx, id, by, a.clouds.now())
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return api.PlanSchedule{}, api.Errorf(api.NotFound, "%w: bursar schedule list shows what is scheduled", err)
	case errors.Is(err, store.ErrAmbiguous):
		return api.PlanSchedule{}, api.Errorf(api.Ambiguous, "%w: use more of the id", err)
	case err != nil && !errors.Is(err, store.ErrNotWaiting):
		return api.PlanSchedule{}, err
	}
	list, readErr := a.db.PlanSchedules(ctx)
	if readErr != nil {
		return api.PlanSchedule{}, readErr
	}
	for _, s := range list {
		switch {
		case s.ID != full:
		case err != nil:
			return api.PlanSchedule{}, api.Errorf(api.Conflict, "schedule %s does not wait any more: it was %s on %s; to call lines off use bursar cancel %s",
				full, s.State, s.EndedAt.Format(time.RFC3339), s.Plan)
		default:
			return planScheduleView(s), nil
		}
	}
	return api.PlanSchedule{}, err
}

func noticeViews(list []store.Notice) (views []api.Notice) {
	for _, n := range list {
		views = append(views, api.Notice{
			State: string(n.State), MustLeaveBy: n.MustLeaveBy, RaisedAt: n.RaisedAt, SeenAt: n.SeenAt, ClosedAt: optional(n.ClosedAt),
		})
	}
	return views
}

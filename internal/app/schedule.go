package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"bursar/internal/api"
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
		return api.Ran{}, fmt.Errorf("there is no task %q: use %s", name, strings.Join(names, ", "))
	}
	began, wall := a.clouds.now(), time.Now()
	schedules, err := a.schedules(ctx)
	if err != nil {
		return api.Ran{}, err
	}
	for _, s := range schedules {
		if s.Task != name {
			continue
		}
		r, ran, err := a.engine.Tick(ctx, s, processName(), true)
		if err == nil && !ran {
			err = errors.New("another process has begun it at the same moment: see bursar schedule list")
		}
		return ranView(task, began, time.Since(wall), r, err), nil
	}
	r, err := a.engine.RunTask(ctx, task)
	return ranView(task, began, time.Since(wall), r, err), nil
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
	by = person(by)
	if err := plain("the name of the person", by); err != nil {
		return api.PlanSchedule{}, err
	}
	now := a.clouds.now()
	if !at.After(now) {
		return api.PlanSchedule{}, fmt.Errorf("--at %s is not in the future; it is %s: to begin the plan now use bursar apply %s --detach",
			at.UTC().Format(time.RFC3339), now.Format(time.RFC3339), p.ID)
	}
	s, err := a.db.SchedulePlan(ctx, store.PlanSchedule{Plan: p.ID, At: at.UTC(), By: by, MadeAt: now})
	switch {
	case errors.Is(err, store.ErrScheduled):
		return api.PlanSchedule{}, fmt.Errorf("plan %s is scheduled already: see bursar schedule list", p.ID)
	case errors.Is(err, store.ErrBegun):
		return api.PlanSchedule{}, fmt.Errorf("plan %s was begun already: see bursar plan show %s", p.ID, p.ID)
	case errors.Is(err, store.ErrNotApproved):
		return api.PlanSchedule{}, fmt.Errorf("the approval of plan %s stands until %s only: schedule it for a time before, or have it approved for longer",
			p.ID, p.ApprovalExpires.Format(time.RFC3339))
	case err != nil:
		return api.PlanSchedule{}, err
	}
	return planScheduleView(s), nil
}

// CancelSchedule calls off what was scheduled.
func (a *App) CancelSchedule(ctx context.Context, id, by string) (api.PlanSchedule, error) {
	by = person(by)
	if err := plain("the name of the person", by); err != nil {
		return api.PlanSchedule{}, err
	}
	full, err := a.db.CancelPlanSchedule(ctx, id, by, a.clouds.now())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return api.PlanSchedule{}, fmt.Errorf("%w: bursar schedule list shows what is scheduled", err)
	case errors.Is(err, store.ErrAmbiguous):
		return api.PlanSchedule{}, fmt.Errorf("%w: use more of the id", err)
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
			return api.PlanSchedule{}, fmt.Errorf("schedule %s does not wait any more: it was %s on %s; to call lines off use bursar cancel %s",
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

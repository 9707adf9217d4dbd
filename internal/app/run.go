package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bursar/internal/api"
	"bursar/internal/engine"
	"bursar/internal/purchase"
)

// SetWorkers sets how many lines are worked on at once.
func (a *App) SetWorkers(n int) { a.engine.Workers = n }

// Apply works on the open lines of an approved plan and returns the plan as it
// then is. A line that is still in doubt, or that could not be tried, is no
// error: the plan says so.
func (a *App) Apply(ctx context.Context, id string, patience time.Duration, moved func(api.Moved)) (api.Plan, error) {
	p, err := a.db.Plan(ctx, id)
	if err != nil {
		return api.Plan{}, planHint(err)
	}
	switch p.State {
	case purchase.PlanProposed:
		return api.Plan{}, fmt.Errorf("plan %s is not approved: bursar approve %s", p.ID, p.ID)
	case purchase.PlanRejected, purchase.PlanSuperseded:
		return api.Plan{}, fmt.Errorf("plan %s was %s and is never bought", p.ID, p.State)
	}
	err = a.engine.Run(ctx, engine.RunOptions{Plan: p.ID, Patience: patience, Moved: a.follow(p, moved)})
	if err != nil && ctx.Err() == nil {
		return api.Plan{}, err
	}
	// A stop is no error either: what was under way is recorded.
	return a.Plan(context.WithoutCancel(ctx), string(p.ID))
}

// Reconcile looks again at every open line of all plans.
func (a *App) Reconcile(ctx context.Context, patience time.Duration, moved func(api.Moved)) error {
	var each func(purchase.Row, error)
	if moved != nil {
		each = func(row purchase.Row, err error) {
			moved(api.Moved{Line: lineView(row.Line, nil), Problem: problem(err)})
		}
	}
	return a.engine.Reconcile(ctx, engine.RunOptions{Patience: patience, Moved: each})
}

// follow keeps the state of a plan's lines up to date and tells of each change
// with the sums so far. It is called from several goroutines and tells one at a
// time.
func (a *App) follow(p *purchase.Plan, moved func(api.Moved)) func(purchase.Row, error) {
	if moved == nil {
		return nil
	}
	var mu sync.Mutex
	lines := make(map[purchase.LineID]int, len(p.Lines))
	for i, l := range p.Lines {
		lines[l.ID] = i
	}
	return func(row purchase.Row, err error) {
		mu.Lock()
		defer mu.Unlock()
		i, ok := lines[row.Line.ID]
		if !ok {
			return
		}
		p.Lines[i] = row.Line
		m := api.Moved{Line: lineView(row.Line, nil), Problem: problem(err), Lines: len(p.Lines)}
		m.Done, m.InDoubt, m.Bound = engine.Progress(p)
		moved(m)
	}
}

func problem(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

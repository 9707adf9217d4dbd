package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// DefaultWorkers is how many lines are worked on at once if nobody says.
const DefaultWorkers = engine.DefaultWorkers

// SetWorkers sets how many lines are worked on at once.
func (a *App) SetWorkers(n int) { a.engine.Workers = n }

// Apply begins an approved plan, works on its open lines and returns the plan as it
// then is. A line that is still in doubt, or that could not be tried, is no error:
// the plan says so.
func (a *App) Apply(ctx context.Context, id, by string, patience time.Duration, moved func(api.Moved)) (api.Plan, error) {
	p, err := a.toBegin(ctx, id)
	if err != nil {
		return api.Plan{}, err
	}
	if err := a.fit(ctx, p); err != nil {
		return api.Plan{}, err
	}
	// Where the approval is over nothing begins, and the run ends the lines.
	if _, err := a.begin(ctx, p, by, store.ByApply); err != nil && !errors.Is(err, store.ErrNotApproved) {
		return api.Plan{}, err
	}
	err = a.engine.Run(ctx, engine.RunOptions{Plan: p.ID, Patience: patience, Moved: a.follow(p, moved)})
	if err != nil && ctx.Err() == nil {
		return api.Plan{}, err
	}
	// A stop is no error either: what was under way is recorded.
	return a.Plan(context.WithoutCancel(ctx), string(p.ID))
}

// toBegin reads a plan that may be begun, or says why it may not.
func (a *App) toBegin(ctx context.Context, id string) (*purchase.Plan, error) {
	p, err := a.plan(ctx, id)
	if err != nil {
		return nil, err
	}
	switch p.State {
	case purchase.PlanProposed:
		return nil, api.Errorf(api.Conflict, "plan %s is not approved: bursar approve %s", p.ID, p.ID)
	case purchase.PlanSuperseded:
		return nil, api.Errorf(api.Conflict, "plan %s was superseded by a newer version, which bursar plan list shows; what of it is in doubt is looked up by bursar reconcile", p.ID)
	case purchase.PlanRejected:
		return nil, api.Errorf(api.Conflict, "plan %s was %s and is never bought", p.ID, p.State)
	}
	return p, nil
}

func (a *App) begin(ctx context.Context, p *purchase.Plan, by string, how store.How) (first bool, err error) {
	if by, err = a.actor(ctx, auth.PlanApply, string(p.ID), by); err != nil {
		return false, err
	}
	err = a.does(ctx, step{
		act: auth.PlanApply, by: by, subject: string(p.ID), accounts: accountsOf(p), details: map[string]any{"digest": p.Digest, "how": string(how)},
	}, func() error {
		first, err = a.db.Begin(ctx, store.Begun{Plan: p.ID, By: by, At: a.clouds.now(), How: how})
		return err
	})
	return first, err
}

// fit refuses to begin a plan with a ledger that must not buy, or in an account that is
// somebody else's. What is in doubt is looked up all the same.
func (a *App) fit(ctx context.Context, p *purchase.Plan) error {
	var lanes []cloud.Lane
	for _, l := range p.Lines {
		switch {
		case l.State == purchase.Ready:
			lanes = append(lanes, l.Spec.Lane())
		case !l.State.Terminal():
			return nil
		}
	}
	return a.engine.CheckOwners(ctx, lanes)
}

// Reconcile looks again at the open lines of every plan that apply has begun, or
// whose approval is over. It begins no plan: only Apply does.
func (a *App) Reconcile(ctx context.Context, patience time.Duration, moved func(api.Moved)) error {
	var each func(purchase.Row, error)
	if moved != nil {
		var mu sync.Mutex
		each = func(row purchase.Row, err error) {
			mu.Lock()
			defer mu.Unlock()
			moved(api.Moved{Line: lineView(row.Line, nil), Problem: problem(err)})
		}
	}
	now := a.clouds.now()
	by, err := a.actor(ctx, auth.Reconcile, "", "")
	if err != nil {
		return err
	}
	err = a.does(ctx, step{act: auth.Reconcile, by: by, all: true}, func() error { return a.db.LookNow(ctx, now) })
	if err != nil {
		return err
	}
	plans, err := a.db.Plans(ctx)
	if err != nil {
		return err
	}
	begun, err := a.db.Begun(ctx)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, len(plans))
	for i, p := range plans {
		if _, was := begun[p.ID]; goesOn(p, was, now) {
			wg.Go(func() {
				errs[i] = a.engine.Run(ctx, engine.RunOptions{Plan: p.ID, Patience: patience, Moved: each})
			})
		}
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// goesOn reports whether a plan has an open line and may be worked on without
// beginning it: it was begun before, or nothing of it can be sent any more.
func goesOn(p *purchase.Plan, begun bool, now time.Time) bool {
	open := false
	for _, l := range p.Lines {
		switch l.State {
		case purchase.Ready, purchase.Armed, purchase.QueuedLine:
			open = true
		case purchase.Recovery:
			open, begun = true, true // what was sent may be forgotten
		case purchase.NeedsReapproval:
			open = open || l.CancelRequested || !now.Before(p.ApprovalExpires)
		}
		begun = begun || l.Armed > 0
	}
	return open && (begun || p.State == purchase.PlanApproved && !now.Before(p.ApprovalExpires))
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

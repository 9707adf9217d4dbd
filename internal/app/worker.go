package app

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"bursar/internal/api"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// Begin lets a worker buy an approved plan, and returns the plan. first is false
// when somebody has begun it before.
func (a *App) Begin(ctx context.Context, id, by string) (p api.Plan, first bool, err error) {
	plan, err := a.toBegin(ctx, id)
	if err != nil {
		return api.Plan{}, false, err
	}
	first, err = a.begin(ctx, plan, by, store.ByDetach)
	if errors.Is(err, store.ErrNotApproved) {
		return api.Plan{}, false, api.Errorf(api.Conflict, "the approval of plan %s is over since %s: what is still wanted needs bursar plan continue %s",
			plan.ID, plan.ApprovalExpires.Format("2006-01-02 15:04:05Z"), plan.ID)
	} else if err != nil {
		return api.Plan{}, false, err
	}
	p, err = a.Plan(ctx, string(plan.ID))
	return p, first, err
}

// WorkOptions are those of a worker.
type WorkOptions struct {
	Lines int           // that are worked on at once
	Grace time.Duration // for calls that are under way when it is stopped
	// Alone: the process does nothing else, and its memory is for this.
	Alone bool
	// Told is told of every event, one at a time.
	Told func(api.Worked)
}

// Work works on what is due of the plans that were begun, begins those whose time
// has come and runs the tasks that are due, until ctx is over. The caller must then
// end the process.
func (a *App) Work(ctx context.Context, o WorkOptions) error {
	if o.Alone && os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(engine.GCPercent))
	}
	if _, err := a.schedules(ctx); err != nil {
		return err
	}
	var mu sync.Mutex
	tell := func(w api.Worked) {
		mu.Lock()
		defer mu.Unlock()
		w.At = time.Now().UTC()
		o.Told(w)
	}
	a.engine.Workers = o.Lines
	tell(api.Worked{Event: "started"})
	wake := make(chan struct{}, 1)
	var listening sync.WaitGroup
	listening.Go(func() { a.listen(ctx, wake) }) // what an earlier process left does not wait for it
	defer listening.Wait()
	tasks := &tasks{App: a, tell: tell, running: map[string]bool{}}
	left := a.engine.Work(ctx, engine.WorkOptions{
		Name: processName(), Grace: o.Grace, Wake: wake,
		Each: tasks.begin,
		Moved: func(row purchase.Row, err error) {
			tell(api.Worked{
				Event: "moved", Line: string(row.Line.ID), Plan: string(row.Line.Plan), State: string(row.Line.State),
				Reason: row.Line.Reason, Problem: problem(err),
			})
		},
		Stopping: func(underWay []purchase.LineID) { tell(api.Worked{Event: "stopping", UnderWay: lineIDs(underWay)}) },
	})
	tasks.all.Wait() // they end with ctx
	tell(api.Worked{Event: "stopped", UnderWay: lineIDs(left)})
	return nil
}

// listen hears of what becomes due until ctx is over. A worker that hears of nothing
// looks by itself.
func (a *App) listen(ctx context.Context, wake chan<- struct{}) {
	err := a.queue.Migrate(ctx)
	if err == nil {
		err = a.queue.Listen(ctx, wake)
	}
	if err != nil && ctx.Err() == nil {
		a.engine.Log.Warn("the worker hears of no changes and looks for them", "error", err)
	}
}

// tasks are those that this worker runs.
type tasks struct {
	*App
	tell    func(api.Worked)
	mu      sync.Mutex
	running map[string]bool
	all     sync.WaitGroup
}

// begin begins the plans whose time has come, and whatever task is due.
func (t *tasks) begin(ctx context.Context) error {
	plans, err := t.engine.BeginScheduled(ctx)
	for _, s := range plans {
		t.tell(api.Worked{Event: s.State, Plan: string(s.Plan), Reason: s.Detail})
	}
	if err != nil {
		return err
	}
	list, err := t.db.Schedules(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		t.mu.Lock()
		free := !t.running[s.Task] && s.Due(t.clouds.now())
		if free {
			t.running[s.Task] = true
		}
		t.mu.Unlock()
		if free {
			t.all.Go(func() { t.run(ctx, s) })
		}
	}
	return nil
}

func (t *tasks) run(ctx context.Context, s store.Schedule) {
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.running, s.Task)
	}()
	began, wall := t.clouds.now(), time.Now()
	r, ran, err := t.engine.Tick(ctx, s, processName(), false)
	if ran && ctx.Err() == nil {
		v := ranView(engine.Task(s.Task), began, time.Since(wall), r, err)
		t.tell(api.Worked{Event: "ran", Ran: &v})
	}
}

func lineIDs(lines []purchase.LineID) (ids []string) {
	for _, l := range lines {
		ids = append(ids, string(l))
	}
	return ids
}

package engine_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// begin lets workers buy a plan.
func (w *world) begin(p *purchase.Plan) {
	w.t.Helper()
	first, err := w.db.Begin(w.t.Context(), store.Begun{Plan: p.ID, By: "grace", At: w.sim.Now(), How: store.ByDetach})
	if err != nil || !first {
		w.t.Fatal(first, err)
	}
}

// worker starts one that is woken without a pause, and returns how to stop it.
func (w *world) worker(o engine.WorkOptions) (stop func() []purchase.LineID) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	left := make(chan []purchase.LineID, 1)
	o.Grace = time.Minute
	go func() { left <- w.engine.Work(ctx, o) }()
	ended := false
	stop = func() []purchase.LineID {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return <-left
	}
	w.t.Cleanup(func() { stop() })
	return stop
}

// soon waits until something holds.
func (w *world) soon(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s did not come about", what)
		}
	}
}

// all reports whether every line of a plan is in one state.
func (w *world) all(p *purchase.Plan, s purchase.State) bool {
	return !slices.ContainsFunc(w.plan(p).Lines, func(l purchase.Line) bool { return l.State != s })
}

// TestWorkOnWhatWasBegun: a worker sends nothing for a plan that nobody has begun,
// and nothing while purchasing is stopped.
func TestWorkOnWhatWasBegun(t *testing.T) {
	w := newWorld(t, sim.Options{})
	one, other := w.approved(drafts(3)...), w.approved(drafts(3)...)
	if err := w.db.SetPurchasing(t.Context(), store.Stop{By: "ada", At: w.sim.Now()}); err != nil {
		t.Fatal(err)
	}
	w.begin(one)
	requests := len(w.sim.Requests())
	sweeps := make(chan struct{}, 1000)
	wake := make(chan struct{})
	var moved atomic.Int64
	stop := w.worker(engine.WorkOptions{Wake: wake, Moved: func(purchase.Row, error) { moved.Add(1) }, Each: func(context.Context) error { sweeps <- struct{}{}; return nil }})
	for range 3 {
		<-sweeps
		select {
		case wake <- struct{}{}:
		case <-sweeps:
		}
	}
	if n := len(w.sim.Requests()) - requests; n != 0 {
		t.Errorf("%d requests while purchasing is stopped", n)
	}
	if n := moved.Load(); n != 0 {
		t.Errorf("lines were worked on %d times for nothing", n)
	}
	if err := w.db.SetPurchasing(t.Context(), store.Stop{Purchasing: true, By: "ada", At: w.sim.Now()}); err != nil {
		t.Fatal(err)
	}
	w.soon("the purchase of what was begun", func() bool { return w.all(one, purchase.Purchased) })
	if left := stop(); left != nil {
		t.Errorf("left: %v", left)
	}
	if !w.all(other, purchase.Ready) {
		t.Errorf("the plan that nobody has begun:\n%s", w.story(other))
	}
	w.audit(one)
}

// TestWorkerStopsArming: the stop of a worker lets the answer be recorded and arms
// nothing more.
func TestWorkerStopsArming(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.engine.Workers = 1
	w.fault(sim.Fault{Kind: sim.Slow, Duration: 300 * time.Millisecond, Times: -1})
	p := w.approved(drafts(5)...)
	w.begin(p)
	var underWay []purchase.LineID
	stop := w.worker(engine.WorkOptions{Stopping: func(lines []purchase.LineID) { underWay = lines }})
	w.soon("a purchase", func() bool { return len(w.sim.Ledger()) > 0 })
	if left := stop(); left != nil || len(underWay) != 1 {
		t.Errorf("%v were under way, %v were left", underWay, left)
	}
	bought := 0
	for _, l := range w.plan(p).Lines {
		if l.State == purchase.Purchased {
			bought++
		} else if l.State != purchase.Ready {
			t.Errorf("line %d is %s", l.Number, l.State)
		}
	}
	if n := len(w.sim.Ledger()); bought != n || n == 5 {
		t.Errorf("%d lines bought, %d sold", bought, n)
	}
	w.audit(w.settle(p))
}

// TestWorkerIsFair: a lane whose calls hang, with more lines than a sweep reads,
// keeps no other lane out.
func TestWorkerIsFair(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.clouds.answer = 25 * time.Second
	w.fault(sim.Fault{Kind: sim.Slow, Account: accountA, Duration: 20 * time.Second, Times: -1, Service: "rds", Operation: opBuy})
	first := w.approved(slices.Repeat(drafts(1), 600)...)
	w.begin(first)
	second := w.approved(drafts(2)[1])
	w.begin(second)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.engine.Work(ctx, engine.WorkOptions{})
	}()
	w.soon("a purchase of the other lane", func() bool { return w.all(second, purchase.Purchased) })
	if w.all(first, purchase.Purchased) {
		t.Error("the slow lane was not slow")
	}
	cancel()
	<-done
}

// TestHoldIsShared: what troubles a lane is found out by one worker; another asks
// nothing of it and its lines say why.
func TestHoldIsShared(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(2)[1])
	w.trouble(sim.Fault{Kind: sim.RegionDisabled})
	w.run(p)
	says := w.plan(p).Lines[0].Reason
	w.run(p) // tells it
	other, _ := w.newEngine(w.db)
	if paces, err := w.db.Paces(t.Context(), w.sim.Now().Add(-time.Minute), w.sim.Now()); err != nil || len(paces) != 1 || paces[0].Cause == "" {
		t.Fatal(paces, err)
	}
	if err := w.db.LookNow(t.Context(), w.sim.Now()); err != nil {
		t.Fatal(err)
	}
	requests := len(w.sim.Requests())
	if err := other.Run(t.Context(), engine.RunOptions{Plan: p.ID}); err != nil {
		t.Fatal(err)
	}
	if n := len(w.sim.Requests()) - requests; n != 0 {
		t.Errorf("%d requests to a lane that is held", n)
	}
	if l := w.plan(p).Lines[0]; l.Reason != says {
		t.Errorf("the line says %q, want %q", l.Reason, says)
	}
}

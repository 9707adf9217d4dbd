package engine_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// scheduled returns the row of a task.
func (w *world) scheduled(task engine.Task) store.Schedule {
	w.t.Helper()
	list, err := w.db.Schedules(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(s store.Schedule) bool { return s.Task == string(task) })
	if i < 0 {
		w.t.Fatalf("no schedule of %s", task)
	}
	return list[i]
}

func (w *world) cadence(task engine.Task, every time.Duration) {
	w.t.Helper()
	if err := w.db.SyncSchedules(w.t.Context(), map[string]time.Duration{string(task): every}, w.sim.Now()); err != nil {
		w.t.Fatal(err)
	}
}

// TestOneRunsEachTick: of many workers one runs each tick, whatever they have read.
func TestOneRunsEachTick(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.cadence(engine.TaskExpire, time.Minute)
	for range 5 {
		s := w.scheduled(engine.TaskExpire)
		var wg sync.WaitGroup
		var mu sync.Mutex
		runs := 0
		for range 8 {
			wg.Go(func() {
				_, ran, err := w.engine.Tick(t.Context(), s, "a worker", false)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if ran {
					runs++
				}
			})
		}
		wg.Wait()
		if runs != 1 {
			t.Errorf("%d workers ran one tick", runs)
		}
		s = w.scheduled(engine.TaskExpire)
		if s.Due(w.sim.Now()) || s.Holder != "" || s.Outcome != string(engine.TaskDone) {
			t.Errorf("after the tick: %+v", s)
		}
		if err := w.sim.Advance(2 * time.Minute); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTickOfTheDead: a tick that was taken and never ended is run by another one, once
// its holder is taken for dead and not before; and the dead one that wakes up does
// not write over it.
func TestTickOfTheDead(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.cadence(engine.TaskExpire, time.Hour)
	dead := w.scheduled(engine.TaskExpire)
	now := w.sim.Now()
	if taken, err := w.db.TakeTick(t.Context(), &dead, "the dead", now, now.Add(12*time.Second), false); !taken || err != nil {
		t.Fatal(taken, err)
	}
	tick := func() bool {
		t.Helper()
		_, ran, err := w.engine.Tick(t.Context(), w.scheduled(engine.TaskExpire), "another", false)
		if err != nil {
			t.Fatal(err)
		}
		return ran
	}
	if tick() {
		t.Error("the tick of a living process was taken")
	}
	if kept, err := w.db.KeepTick(t.Context(), dead, now.Add(time.Minute)); !kept || err != nil {
		t.Error(kept, err)
	}
	if err := w.sim.Advance(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if tick() {
		t.Error("the tick of a process that said that it lives was taken")
	}
	if err := w.sim.Advance(31 * time.Second); err != nil {
		t.Fatal(err)
	}
	if !tick() {
		t.Error("the tick of the dead was not taken")
	}
	if kept, err := w.db.KeepTick(t.Context(), dead, now.Add(time.Hour)); kept || err != nil {
		t.Errorf("the dead one keeps it: %t %v", kept, err)
	}
	dead.Outcome, dead.Detail = string(engine.TaskFailed), "late"
	if err := w.db.EndTick(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	if s := w.scheduled(engine.TaskExpire); s.Outcome != string(engine.TaskDone) || s.Detail == "late" {
		t.Errorf("the dead one wrote %+v", s)
	}
	if tick() {
		t.Error("it is due again at once")
	}
	// Off is off, but for a person who asks.
	w.cadence(engine.TaskExpire, 0)
	if err := w.sim.Advance(48 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if tick() {
		t.Error("a task that is off was run")
	}
	if _, ran, err := w.engine.Tick(t.Context(), w.scheduled(engine.TaskExpire), "a person", true); !ran || err != nil {
		t.Errorf("by hand: %t %v", ran, err)
	}
}

// TestOneBeginsAScheduledPlan: however many processes come at its time, a plan is
// begun once, and not before.
func TestOneBeginsAScheduledPlan(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(2)...)
	at := w.sim.Now().Add(time.Hour)
	_, err := w.db.SchedulePlan(t.Context(), store.PlanSchedule{Plan: p.ID, At: at, By: "grace", MadeAt: w.sim.Now()})
	if err != nil {
		t.Fatal(err)
	}
	begin := func() (n int) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 8 {
			wg.Go(func() {
				begun, err := w.engine.BeginScheduled(t.Context())
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				n += len(begun)
			})
		}
		wg.Wait()
		return n
	}
	if n := begin(); n != 0 {
		t.Errorf("begun %d times before its time", n)
	}
	if err := w.sim.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	if n := begin(); n != 1 {
		t.Errorf("begun %d times", n)
	}
	if b, err := w.db.BegunBy(t.Context(), p.ID); err != nil || b == nil || b.By != "grace" || b.How != store.BySchedule {
		t.Errorf("%+v %v", b, err)
	}
	r, err := w.engine.RunTask(t.Context(), engine.TaskPlans)
	if err != nil || r.Counts["purchased"] != 2 || r.Outcome != engine.TaskDone {
		t.Errorf("%+v %v", r, err)
	}
	w.audit(p)
}

// TestOverdueIsRaised: a line that is in doubt for longer than it may be is looked at,
// raised once, and moves by evidence alone.
func TestOverdueIsRaised(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.LoseReply})
	p := w.approved(drafts(1)...)
	w.begin(p)
	w.fault(sim.Fault{Kind: sim.ErrorBefore, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1, Skip: 1})
	w.run(p)
	if err := w.sim.Advance(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	for i, raised := range []int{1, 0} {
		r, err := w.engine.RunTask(t.Context(), engine.TaskResolve)
		if err != nil || r.Outcome != engine.TaskInDoubt || r.Counts["overdue"] != 1 || r.Counts["raised"] != raised {
			t.Errorf("time %d: %+v %v", i, r, err)
		}
	}
	l := w.plan(p).Lines[0]
	if l.State != purchase.Armed {
		t.Errorf("the line is %s", l.State)
	}
	if err := w.sim.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	w.advance(5 * time.Minute) // the lane is asked again
	if r, err := w.engine.RunTask(t.Context(), engine.TaskResolve); err != nil || r.Outcome != engine.TaskDone || r.Counts["purchased"] != 1 || r.Counts["overdue"] != 0 {
		t.Errorf("%+v %v", r, err)
	}
	notices, err := w.db.Notices(t.Context(), l.ID)
	if err != nil || len(notices) != 1 || notices[0].ClosedAt.IsZero() {
		t.Errorf("%+v %v", notices, err)
	}
	w.audit(p)
}

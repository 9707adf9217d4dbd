package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"bursar/internal/engine"
	"bursar/internal/pgtest/pgtesting"
	"bursar/internal/purchase"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// onPostgres moves a world without plans to a ledger in PostgreSQL, and returns where.
func (w *world) onPostgres() (url string) {
	w.t.Helper()
	url = pgtesting.Database(w.t)
	db, err := store.Create(w.t.Context(), url, "test", w.sim.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	old := w.db
	w.db = db // closed with the world
	w.engine, w.clouds = w.newEngine(db)
	if err := old.Close(); err != nil {
		w.t.Fatal(err)
	}
	return url
}

// TestWorkersOnPostgres lets three workers with connections of their own buy what was
// begun while a fifth of all purchases goes wrong, and one of them ends in the middle
// without waiting for its calls.
func TestWorkersOnPostgres(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: 3 * time.Second, Seed: 7})
	w.onPostgres()
	for _, kind := range []string{sim.LoseRequest, sim.LoseReply, sim.ErrorBefore, sim.ErrorAfter, sim.TornBody, sim.Throttle} {
		w.fault(sim.Fault{Kind: kind, Times: -1, Permille: 35})
	}
	p := w.approved(drafts(60)...)
	w.begin(p)
	all, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 3 {
		e, _ := w.newEngine(w.db)
		ctx, cancel := context.WithCancel(all)
		o := engine.WorkOptions{Name: fmt.Sprint("worker", i), Grace: time.Minute}
		if i == 0 {
			o.Grace = 0
			o.Moved = func(purchase.Row, error) { cancel() }
		}
		wg.Go(func() {
			defer cancel()
			e.Work(ctx, o)
		})
	}
	w.soon("the end", func() bool {
		if err := w.sim.Advance(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		return w.all(p, purchase.Purchased)
	})
	stop()
	wg.Wait()
	w.audit(p)
	if r, err := w.engine.RunTask(t.Context(), engine.TaskResolve); err != nil || r.Outcome != engine.TaskDone {
		t.Errorf("%+v %v", r, err)
	}
}

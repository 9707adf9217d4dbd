package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// RunOptions bound a run.
type RunOptions struct {
	// Plan limits the run to the lines of one plan; "" works on all.
	Plan purchase.PlanID
	// Patience is how long the run goes on while no line moves. Lines that are
	// then still open stay as they are: a later run goes on with them.
	Patience time.Duration
	// Moved is told of every line after work on it, from several goroutines. The
	// error is why nothing more could be done now; nil if there is none.
	Moved func(row purchase.Row, err error)
}

// pollEvery is how often a run looks for lines that have become due, at most:
// another process may move a line, or a simulated clock, at any moment.
const pollEvery = 200 * time.Millisecond

// Run works on open lines until none is left, patience ends or ctx does. It may
// run any number of times at once, in any number of processes, and be killed at
// any moment. The error is about the ledger; what went wrong with a line is told
// to Moved and written on the line.
func (e *Engine) Run(ctx context.Context, o RunOptions) error {
	lastMove := time.Now()
	seen := map[purchase.LineID]string{}
	for {
		if err := e.watch(ctx); err != nil {
			return err
		}
		e.share(ctx)
		r, err := e.once(ctx, o, seen)
		if err != nil {
			return err
		}
		if r.progress {
			lastMove = time.Now()
		}
		if r.held == r.due && !r.waiting || ctx.Err() != nil || time.Since(lastMove) >= o.Patience {
			return ctx.Err()
		}
		if r.progress && !r.waiting {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollEvery):
		}
	}
}

// pass is what came of one look at every line that was due.
type pass struct {
	due, held int  // as of work
	progress  bool // as of work
	waiting   bool // a line that was not due becomes so by itself
}

// atOnce is how many lines are picked at once: however many are open, this many are
// read and kept in memory.
const atOnce = 1000

// once advances the lines that are due now.
func (e *Engine) once(ctx context.Context, o RunOptions, seen map[purchase.LineID]string) (r pass, err error) {
	now := e.Now()
	for after := (store.Due{}); ctx.Err() == nil; {
		open, err := e.DB.Workable(ctx, o.Plan, now, after, atOnce)
		if err != nil {
			return r, err
		}
		due := make([]store.Due, 0, len(open))
		for _, d := range open {
			if e.paces.said(d, now) {
				r.waiting = true
			} else {
				due = append(due, d)
			}
		}
		// Processes that start at the same moment begin with different lines.
		rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
		progress, held := e.work(ctx, due, seen, o.Moved)
		r.due, r.held, r.progress = r.due+len(due), r.held+held, r.progress || progress
		if len(open) < atOnce {
			break
		}
		after = open[len(open)-1]
	}
	if r.waiting || ctx.Err() != nil {
		return r, nil
	}
	r.waiting, err = e.DB.Waiting(ctx, o.Plan, now)
	return r, err
}

// work advances the lines, some at a time. It reports whether any of them has
// moved since it was last seen, and how many wait for nothing but that somebody
// starts purchasing.
func (e *Engine) work(ctx context.Context, due []store.Due, seen map[purchase.LineID]string, moved func(purchase.Row, error)) (progress bool, held int) {
	var mu sync.Mutex
	turns := newTurns(&e.paces, e.Now, e.single)
	turns.add(due)
	turns.close()
	e.take(ctx, turns, min(e.workers(), len(due)), func(row purchase.Row, err error) {
		at := fmt.Sprint(row.Line.State, row.Line.Armed, row.InDoubt())
		mu.Lock()
		if row.Line.State == purchase.Ready && !row.Purchasing && err == nil {
			held++
		}
		if row.Line.ID != "" && seen[row.Line.ID] != at {
			seen[row.Line.ID], progress = at, true
		}
		mu.Unlock()
		if moved != nil && row.Line.ID != "" {
			moved(row, err)
		}
	}).Wait()
	return progress, held
}

// take starts so many goroutines that advance lines until no more come, and tells
// of each of them.
func (e *Engine) take(ctx context.Context, turns *turns, workers int, advanced func(purchase.Row, error)) *sync.WaitGroup {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for d, ok := turns.next(ctx); ok; d, ok = turns.next(ctx) {
				row, err := e.advance(ctx, d.Line)
				turns.done(d, err)
				if err != nil {
					e.Log.Debug("line not advanced", "line", d.Line, "error", err)
				}
				advanced(row, err)
			}
		})
	}
	return &wg
}

// single reports whether one purchase of a lane may be open at a time.
func (e *Engine) single(lane cloud.Lane) bool {
	svc, err := e.Clouds.Service(lane)
	return err == nil && svc.Info().Class.Locks()
}

// advance is Protocol.Advance with a fence around panics: what breaks one line
// must not take its neighbors along.
func (e *Engine) advance(ctx context.Context, id purchase.LineID) (row purchase.Row, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.Log.Error("panic", "line", id, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("line %s: internal error: %v", id, p)
		}
	}()
	ledger := &arming{DB: e.DB, paces: &e.paces}
	defer ledger.done()
	return e.protocol(ledger).Advance(ctx, id)
}

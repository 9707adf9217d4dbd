package engine

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store"
)

// WorkOptions are those of a worker.
type WorkOptions struct {
	// Name tells this worker from others on the ledger; "" claims nothing.
	Name string
	// Wake says that something may be due: a worker then looks at once instead of
	// after the usual pause. What it says may be lost or wrong. Nil never does.
	Wake <-chan struct{}
	// Grace is how long a stopped worker waits for the calls that are under way.
	Grace time.Duration
	// Each is called before every sweep, for what is to be done besides. Its error
	// ends nothing: it is logged.
	Each func(ctx context.Context) error
	// Moved is told of every line after work on it, from several goroutines. The
	// error is why nothing more could be done now; nil if there is none.
	Moved func(row purchase.Row, err error)
	// Stopping is told once, when ctx is over, of the lines that are under way.
	Stopping func(underWay []purchase.LineID)
}

// GCPercent is how far the heap of a process that only works may grow before it is
// collected: a purchase leaves much behind and keeps little.
const GCPercent = 400

const (
	// sweepEvery is how often a worker looks for lines that are due when nothing
	// wakes it.
	sweepEvery = 500 * time.Millisecond
	// restFor is how long a line is left alone that is due and for which nothing can be
	// done: an attempt of it was made by a newer program, or purchasing has just been
	// stopped.
	restFor = 5 * time.Second
	// claimFor is how long a worker keeps others from lines that it has picked: they
	// take up those of a dead one after it.
	claimFor = 5 * time.Second
	// sweepPause is how long it leaves a ledger alone that could not be read.
	sweepPause = 2 * time.Second
	// duePage and duePages bound what one sweep reads.
	duePage, duePages = 512, 8
	// laneAhead is how many lines of a lane wait for their turn at most, so that one
	// lane does not keep the others out.
	laneAhead = 4 * laneMost
)

// Work works on what is due of all plans that were begun, until ctx is over. Any
// number of processes may do so at once and be killed at any moment: the row of a
// line says what comes next, whoever left it.
//
// When ctx ends nothing more is armed; calls that are under way have Grace to end
// and to be recorded. Work returns the lines that were under way even then. The
// caller must end the process: another worker looks at these lines when they are
// due, and what is known of them is in the ledger.
func (e *Engine) Work(ctx context.Context, o WorkOptions) (left []purchase.LineID) {
	if err := e.DB.LookUnanswered(ctx, e.Now()); err != nil && ctx.Err() == nil {
		e.Log.Warn("what an earlier process left is looked at when it is due", "error", err)
	}
	turns := newTurns(&e.paces, e.Now, e.single)
	turns.lowAt = e.workers()
	moved := func(row purchase.Row, err error) {
		if row.Line.ID != "" && !row.Line.State.Terminal() && !row.Line.LookAt.After(e.Now()) {
			turns.rest(row.Line.ID, time.Now().Add(restFor))
		}
		if o.Moved != nil && row.Line.ID != "" {
			o.Moved(row, err)
		}
	}
	working := e.take(ctx, turns, e.workers(), moved)
	e.feed(ctx, turns, o)
	if o.Stopping != nil {
		o.Stopping(turns.underWay())
	}
	if !waitFor(working, o.Grace) {
		left = turns.underWay()
	}
	if o.Name != "" && e.DB.Shared() {
		if err := e.DB.Release(context.WithoutCancel(ctx), o.Name); err != nil {
			e.Log.Debug("what this worker has picked is free a little later", "error", err)
		}
	}
	return left
}

// feed hands in what is due until ctx is over.
func (e *Engine) feed(ctx context.Context, turns *turns, o WorkOptions) {
	var after store.Due
	for ctx.Err() == nil {
		pause := sweepEvery
		if o.Each != nil {
			if err := o.Each(ctx); err != nil && ctx.Err() == nil {
				e.Log.Warn("a sweep was not complete", "error", err)
			}
		}
		e.share(ctx)
		var err error
		if after, err = e.sweep(ctx, turns, after, o); err != nil && ctx.Err() == nil {
			// The database may be back in a moment; the rows wait for it.
			e.Log.Warn("the ledger cannot be read; trying again", "error", err)
			pause = sweepPause
		}
		select {
		case <-ctx.Done():
		case <-o.Wake:
		case <-turns.low:
		case <-time.After(pause):
		}
	}
}

// sweep hands in lines that are due, as many as are worked on for a while. It
// begins behind after, and returns where the next one begins: at the most overdue
// line again, once there is nothing behind.
func (e *Engine) sweep(ctx context.Context, turns *turns, after store.Due, o WorkOptions) (store.Due, error) {
	now := e.Now()
	in, err := e.DB.Installation(ctx)
	if err != nil {
		return after, err
	}
	ahead, all := turns.waiting()
	room := 4*e.workers() - all
	for range duePages {
		if room <= 0 {
			return store.Due{}, nil
		}
		page, err := e.DB.Due(ctx, o.Name, now, after, duePage)
		if err != nil {
			return after, err
		}
		// Processes that read the same page begin with different lines.
		last := len(page) - 1
		var next store.Due
		if last >= 0 {
			next = page[last]
		}
		rand.Shuffle(len(page), func(i, j int) { page[i], page[j] = page[j], page[i] })
		var chosen []store.Due
		for _, d := range page {
			// While purchasing is stopped nothing can be done for what was not sent.
			if d.State == purchase.Ready && !in.Purchasing {
				continue
			}
			if room > 0 && ahead[d.Lane] < laneAhead && !turns.has(d.Line, time.Now()) && !e.paces.said(d, now) {
				chosen = append(chosen, d)
				ahead[d.Lane]++
				room--
			}
		}
		if o.Name != "" && e.DB.Shared() && len(chosen) > 0 {
			if chosen, err = e.DB.Claim(ctx, o.Name, chosen, now, now.Add(claimFor)); err != nil {
				return after, err
			}
			rand.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		}
		turns.add(chosen)
		if len(page) < duePage {
			return store.Due{}, nil
		}
		after = next
	}
	return after, nil
}

// waitFor reports whether a group was done in time.
func waitFor(wg *sync.WaitGroup, within time.Duration) bool {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(within):
		return false
	}
}

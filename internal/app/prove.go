package app

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"bursar/internal/api"
	"bursar/internal/dst"
)

// batch is how many histories a core takes at a time.
const batch = 250

// Prove runs histories of the purchase protocol on simulated clouds, on all cores:
// those of the seeds from first on. It stops early when one violates an invariant,
// and then shows the smallest such seed, shrunk. mutant names a guard to take
// away; "" is the protocol as it is. Progress is told about once a second, never
// twice at once; nil tells nobody.
func Prove(ctx context.Context, histories int, first uint64, mutant string, progress func(done int)) (api.Proof, error) {
	m, err := dst.Named(mutant)
	if err != nil {
		return api.Proof{}, err
	}
	// Histories are short and leave little behind: collecting it often costs more
	// than keeping it a while.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	var (
		started = time.Now()
		next    atomic.Int64
		stop    atomic.Bool
		mu      sync.Mutex
		total   dst.Tally
		told    = started
		wg      sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			r := new(dst.Runner)
			defer r.Close()
			// A core that has begun a batch ends it: every seed below the first
			// violation has then been run.
			for !stop.Load() && ctx.Err() == nil {
				from := int(next.Add(batch)) - batch
				if from >= histories {
					return
				}
				var t dst.Tally
				for n := from; n < min(from+batch, histories); n++ {
					t.Add(r.Run(first+uint64(n), m))
				}
				if t.Violated > 0 {
					stop.Store(true)
				}
				mu.Lock()
				total.Merge(t)
				if now := time.Now(); progress != nil && now.Sub(told) >= time.Second {
					told = now
					progress(total.Histories)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(started)
	if err := ctx.Err(); err != nil {
		return api.Proof{}, err
	}
	p := api.Proof{
		Mutant: m.Name, Guard: m.Guard, FirstSeed: first, Histories: total.Histories, Violations: total.Violated,
		PerSecond: int(float64(total.Histories) / took.Seconds()), Cores: runtime.GOMAXPROCS(0),
		Awaits: total.Awaits, SimulatedHours: total.Minutes / 60, Faults: total.Faults,
		PointSides: dst.Points, Missed: total.Uncovered(),
	}
	if total.Violated > 0 {
		r := new(dst.Runner)
		defer r.Close()
		s := r.Shrink(total.First.Seed, m)
		p.Violation = &api.Violation{
			Seed: total.First.Seed, Says: s.Violation, Trace: s.Trace, Choices: s.From, Left: s.To, Replays: s.Replays,
		}
	}
	return p, nil
}

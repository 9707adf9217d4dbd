package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"bursar/internal/api"
)

// KillOptions are those of Kill.
type KillOptions struct {
	Options
	For     time.Duration // how long workers are killed, at least
	Workers int           // that work at once
	Kills   int           // at least
	Crashes int           // of PostgreSQL
	// Takeover is how long a line that a killed worker has left may stay without a look
	// while PostgreSQL is up, by the wall clock; 0 only reports.
	Takeover time.Duration
}

// Kill buys lines of every service while a fifth of all requests goes wrong, workers are
// killed wherever they happen to be, and PostgreSQL crashes. Then others finish, with a
// person beside them, and the books are compared.
func Kill(ctx context.Context, o KillOptions) error {
	w, err := open(ctx, o.Options)
	if err != nil {
		return err
	}
	defer w.close() //nolint:errcheck // a throw-away world
	began := time.Now()
	plans, err := w.approved(ctx, w.desk, linesOf(w.sim, goods, o.Lines), eachPlan)
	if err != nil {
		return err
	}
	w.say("%d lines of %d plans are approved; killing workers for %s (seed %d)", o.Lines, len(plans), o.For, w.Seed)
	if err := w.trouble(); err != nil {
		return err
	}
	w.clouds.latency.Store(int64(20 * time.Millisecond))
	w.clock.run(clockRate)
	k := &killing{world: w, KillOptions: o, began: time.Now()}
	w.heard = func(e api.Worked) {
		if e.Event == "moved" {
			k.taken.worked(e.Line, e.At)
		}
	}
	if err := k.run(ctx, plans); err != nil {
		return err
	}
	worked := time.Since(k.began)
	before, err := w.lines(ctx)
	if err != nil {
		return err
	}
	done := 0
	for _, l := range before {
		if ended(l) {
			done++
		}
	}
	w.say("%d lines have ended under fire; workers finish calmly", done)
	rounds, err := w.finish(ctx, w.at, o.Workers)
	if err != nil {
		return err
	}
	b, err := w.settled(ctx)
	if err != nil {
		return err
	}
	w.say("")
	longest, left := k.taken.measured()
	w.say("  workers killed        %d, of them %d before they had begun; %d starts", k.kills.Load(), k.unborn.Load(), k.starts.Load())
	w.say("  PostgreSQL crashed    %d times; %d workers could not start meanwhile", k.crashes, k.refused.Load())
	w.lineTable(b)
	w.say("  lines per second      %.1f under fire", float64(done)/worked.Seconds())
	w.say("  longest take-over     %s (%d lines were left by killed workers)", longest.Round(10*time.Millisecond), left)
	w.say("  took                  %s, %d moves of the clouds' clock at the end", time.Since(began).Round(time.Second), rounds)
	w.say("")
	var bad []string
	if w.restarts > 0 {
		bad = append(bad, fmt.Sprintf("%d workers ended by themselves while they finished calmly", w.restarts))
	}
	if n := int(k.kills.Load()); n < o.Kills {
		bad = append(bad, fmt.Sprintf("only %d workers were killed, and %d were to be", n, o.Kills))
	}
	if k.crashes < o.Crashes {
		bad = append(bad, fmt.Sprintf("PostgreSQL crashed %d times, and %d times was asked for", k.crashes, o.Crashes))
	}
	if late := k.taken.late(o.Takeover); late != "" {
		bad = append(bad, late)
	}
	return w.verdict(b, append(bad, k.problems...)...)
}

// clockRate is how many times as fast as ours the clock of the clouds runs while
// workers are killed: what is in doubt for a quarter of an hour is proven in a minute.
const clockRate = 20

func (w *world) spending() (n int) {
	for _, r := range w.sim.Requests() {
		if r.Spending {
			n++
		}
	}
	return n
}

// killing is the part of the drill in which workers are killed.
type killing struct {
	*world
	KillOptions
	began time.Time

	kills, unborn, starts, refused atomic.Int64
	down                           atomic.Bool  // PostgreSQL is
	downs                          atomic.Int64 // how often it has gone down, and come back
	startup                        atomic.Int64 // nanoseconds that the last worker took to begin
	crashes                        int

	mu       sync.Mutex
	problems []string

	taken takeovers
}

func (k *killing) problem(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.problems = append(k.problems, fmt.Sprintf(format, args...))
}

// run kills until the time is over and enough workers are killed, or nobody could be
// for patience.
func (k *killing) run(ctx context.Context, plans []api.Plan) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	all.Go(func() {
		defer stop()
		pause(ctx, k.For)
		last, since := int64(-1), time.Now()
		for int(k.kills.Load()) < k.Kills && time.Since(since) < patience && pause(ctx, 100*time.Millisecond) {
			if n := k.kills.Load(); n != last {
				last, since = n, time.Now()
			}
		}
	})
	errs := make([]error, 2+k.Workers)
	all.Go(func() { errs[0] = k.begin(ctx, plans) })
	all.Go(func() { errs[1] = k.crash(ctx) })
	for i := range k.Workers {
		random := rand.New(rand.NewPCG(k.world.Seed, uint64(i+1)))
		all.Go(func() { errs[2+i] = k.slot(ctx, random, i == 0 && k.Workers > 1) })
	}
	all.Go(func() { k.watch(ctx) })
	all.Wait()
	return errors.Join(errs...)
}

// begin begins the plans one after the other, so that there is work all the time.
func (k *killing) begin(ctx context.Context, plans []api.Plan) error {
	each := k.For * 8 / 10 / time.Duration(len(plans))
	whole := context.WithoutCancel(ctx)
	for i, p := range plans {
		if !pause(ctx, time.Until(k.began.Add(time.Duration(i)*each))) {
			// The rest is begun, and bought calmly.
			ctx = whole
		}
		for {
			_, _, err := k.desk.Begin(whole, p.ID, "ada")
			if err == nil {
				break
			}
			if !k.unsteady() {
				return err
			}
			pause(whole, 100*time.Millisecond)
		}
	}
	return nil
}

// unsteady reports whether the ledger may be out of reach: PostgreSQL is down, or was
// a moment ago.
func (k *killing) unsteady() bool { return k.down.Load() || k.downs.Load() > 0 }

// slot keeps one worker alive, and kills it. An old one lives for seconds: it takes over
// what the others leave.
func (k *killing) slot(ctx context.Context, random *rand.Rand, old bool) error {
	for ctx.Err() == nil {
		downs := k.downs.Load()
		down := k.down.Load()
		p, err := k.start(k.at)
		if err != nil {
			return err
		}
		k.starts.Add(1)
		born := time.Now()
		select {
		case <-p.started:
			k.startup.Store(int64(time.Since(born)))
			select {
			case <-time.After(k.life(random, old)):
			case <-ctx.Done():
			case <-p.ended:
			}
		case <-p.ended:
		case <-k.early(random):
			k.unborn.Add(1)
		case <-ctx.Done():
		}
		select {
		case <-p.ended:
			why := p.failed()
			if down || k.down.Load() || k.downs.Load() != downs {
				k.refused.Add(1)
				pause(ctx, 50*time.Millisecond)
				continue
			}
			k.problem("a worker ended by itself: %s", why)
			pause(ctx, 50*time.Millisecond)
		default:
			k.taken.killed(time.Now(), k.sim.Now())
			p.kill()
			k.kills.Add(1)
		}
	}
	return nil
}

// early ends one worker in ten before it has begun.
func (k *killing) early(random *rand.Rand) <-chan time.Time {
	if random.IntN(10) > 0 {
		return nil
	}
	return time.After(time.Duration(random.Int64N(max(1, k.startup.Load()))))
}

// life is how long a worker lives after it has begun: as long as the number of kills
// that is asked for leaves, and at least what takes a purchase into account.
func (k *killing) life(random *rand.Rand, old bool) time.Duration {
	if old {
		return time.Second + time.Duration(random.Int64N(int64(8*time.Second)))
	}
	const least, most = 40 * time.Millisecond, 440 * time.Millisecond
	left := time.Until(k.began.Add(k.For))
	wanted := max(1, int64(k.Kills+k.Kills/10)-k.kills.Load())
	mean := left*time.Duration(max(1, k.Workers-1))/time.Duration(wanted) - time.Duration(k.startup.Load())
	span := max(most-least, 2*(mean-least))
	return least + time.Duration(random.Int64N(int64(span)))
}

// crash crashes PostgreSQL, and starts it again a moment later.
func (k *killing) crash(ctx context.Context) error {
	if k.pg == nil {
		return nil
	}
	for n := range k.Crashes {
		if !pause(ctx, time.Until(k.began.Add(k.For*time.Duration(n+1)/time.Duration(k.Crashes+1)))) {
			return nil
		}
		k.down.Store(true)
		k.downs.Add(1)
		if err := k.pg.Stop(true); err != nil {
			return err
		}
		k.crashes++
		pause(ctx, 300*time.Millisecond)
		if err := k.pg.Restart(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		k.down.Store(false)
		k.downs.Add(1)
	}
	return nil
}

// watch holds the ledger against the kills until ctx is over.
func (k *killing) watch(ctx context.Context) {
	var downs int64
	for {
		if n := k.downs.Load(); k.down.Load() || n != downs {
			// Nobody can take anything over while PostgreSQL is down.
			k.taken.forget()
			downs = n
		}
		began := time.Now()
		lines, err := k.lines(context.WithoutCancel(ctx))
		if err == nil {
			k.taken.see(lines, time.Now())
		}
		if !pause(ctx, max(200*time.Millisecond, 2*time.Since(began))) { // others need the processors, too
			return
		}
	}
}

// pause waits, and reports whether ctx is not over.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(max(0, d)):
		return ctx.Err() == nil
	}
}

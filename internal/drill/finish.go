package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/app"
)

// step is by how much the clock is moved at least: a request that is being made when it
// moves is not late by it.
const step = 10 * time.Minute

// idle is for how long nothing has to happen, at least, before the clock is moved though
// lines are due: they may wait for their turn in a lane. On a busy machine it is as many
// times what reading the lines takes: a worker is as slow as we are, and a purchase that
// it is about to send would be too late.
const idle, idleReads = time.Second, 5

// patience is for how long no line has to end before it is given up on.
const patience = 3 * time.Minute

// finish lets workers end what is open, with a person beside them, while the clock of
// the clouds, which runs as ours does from now on, is moved on to whatever they wait for.
func (w *world) finish(ctx context.Context, at app.Options, workers int) (rounds int, err error) {
	if err := w.sim.ClearFaults(); err != nil {
		return 0, err
	}
	w.clock.run(1)
	var running []*worker
	defer func() {
		for _, k := range running {
			k.stop()
			if why := k.failed(); why != "" {
				err = errors.Join(err, fmt.Errorf("a worker that was asked to end: %s", why))
			}
		}
	}()
	for range workers {
		k, err := w.start(at)
		if err != nil {
			return 0, err
		}
		running = append(running, k)
	}
	p := person{world: w, desk: w.desk}
	plans, err := w.desk.Plans(ctx)
	if err != nil {
		return 0, err
	}
	seen, asked, since := "", int64(0), time.Now()
	least, progress := -1, time.Now()
	for time.Since(progress) < patience {
		for i, k := range running {
			select {
			case <-k.ended: // it could not begin; somebody starts it again
				if w.restarts++; w.restarts > 50 {
					return rounds, fmt.Errorf("workers end by themselves: %s", k.failed())
				}
				if running[i], err = w.start(at); err != nil {
					return rounds, err
				}
			default:
			}
		}
		began := time.Now()
		lines, err := w.begunLines(ctx, &plans)
		if err != nil {
			return rounds, err
		}
		took := time.Since(began)
		now := w.sim.Now()
		var next time.Time
		open, due := 0, 0
		var all strings.Builder
		for _, l := range lines {
			if ended(l) {
				continue
			}
			open++
			fmt.Fprint(&all, l.ID, l.State, l.Reason, l.Attempts, ";")
			switch {
			case l.State == "needs_review":
				p.decide(ctx, l)
			case l.State == "needs_reapproval":
				p.desk.Cancel(ctx, []string{l.ID}, "ada", "drill: "+l.Reason) //nolint:errcheck // asked again
			case l.LookAt == nil:
			case !l.LookAt.After(now):
				due++
			case next.IsZero() || l.LookAt.Before(next):
				next = *l.LookAt
			}
		}
		if open == 0 {
			return rounds, nil
		}
		if least < 0 || open < least {
			least, progress = open, time.Now()
		}
		if n := w.clouds.asked.Load(); all.String() != seen || n != asked {
			seen, asked, since = all.String(), n, time.Now()
		}
		if due == 0 || time.Since(since) > max(idle, idleReads*took) {
			rounds++
			if err := w.sim.Advance(max(step, next.Sub(now))); err != nil {
				return rounds, err
			}
			since = time.Now()
		}
		select {
		case <-ctx.Done():
			return rounds, ctx.Err()
		case <-time.After(max(50*time.Millisecond, 2*took)): // others need the processors, too
		}
	}
	return rounds, nil // what is open is counted
}

// begunLines are the lines of plans that workers have to do with: not those that were
// never begun. Plans whose lines have all ended are left out from then on.
func (w *world) begunLines(ctx context.Context, plans *[]api.Plan) (lines []api.Line, err error) {
	var open []api.Plan
	for _, p := range *plans {
		if p, err = w.desk.Plan(ctx, p.ID); err != nil {
			return nil, err
		}
		var begun []api.Line
		for _, l := range p.Lines {
			if p.Begun != nil || l.State != "ready" && l.State != "draft" {
				begun = append(begun, l)
			}
		}
		if slices.ContainsFunc(begun, func(l api.Line) bool { return !ended(l) }) {
			open = append(open, p)
		}
		lines = append(lines, begun...)
	}
	*plans = open
	return lines, nil
}

func ended(l api.Line) bool {
	switch l.State {
	case "purchased", "failed", "canceled", "expired", "superseded":
		return true
	}
	return false
}

// person decides about lines that ask for it, knowing what was bought.
type person struct {
	*world
	desk *app.App
}

// decide closes a line, or fails to: then it is asked again. A reservation that was
// never paid may be shown in a state that nobody can read: it is declared foreign, or
// it would stop the other lines of its lane as an item that nothing explains.
func (p *person) decide(ctx context.Context, l api.Line) {
	r := api.Resolution{Line: l.ID, Choice: "not_bought", By: "ada", Second: "hopper", Comment: "drill"}
	name := map[string]string{strings.ToLower(l.ID): l.ID}
	for _, e := range p.sim.Ledger() {
		switch {
		case lineOf(e, name) == "":
		case e.State != "payment-failed":
			r.Choice, r.Commitment = "adopt", e.ID
		default:
			_, _ = p.desk.Resolve(ctx, api.Resolution{Line: l.ID, Choice: "foreign", Commitment: e.ID, By: "ada", Comment: "never paid"})
		}
	}
	_, _ = p.desk.Resolve(ctx, r) // too early, or the listing misses it: later
}

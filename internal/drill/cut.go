package drill

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"bursar/internal/api"
)

// CommitCut buys lines while one COMMIT in four is carried out by PostgreSQL and its
// answer never arrives: the connection is reset instead.
func CommitCut(ctx context.Context, o Options) error {
	if o.Ledger != Postgres {
		return errors.New("a connection is cut between a worker and PostgreSQL: use --ledger postgres")
	}
	w, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer w.close() //nolint:errcheck // a throw-away world
	plans, err := w.approved(ctx, w.desk, linesOf(w.sim, goods, o.Lines), eachPlan)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(w.Seed, 9))
	commits, cuts, calm := 0, 0, false
	p, err := newProxy(w.pg.Addr(),
		func(f *flow, piece []byte) ([]byte, bool) {
			// A query of the simple protocol: a letter, its length, the text and a zero.
			if bytes.Contains(bytes.ToLower(piece), []byte("commit\x00")) {
				mu.Lock()
				commits++
				f.cut = !calm && random.IntN(4) == 0
				mu.Unlock()
			}
			return piece, false
		},
		func(f *flow, piece []byte) ([]byte, bool) {
			if !f.cut {
				return piece, false
			}
			mu.Lock()
			cuts++
			mu.Unlock()
			return nil, true // the server has answered, so it is committed
		})
	if err != nil {
		return err
	}
	defer p.close()
	through := w.at
	u, err := url.Parse(through.Ledger)
	if err != nil {
		return err
	}
	u.Host = p.addr
	through.Ledger = u.String()
	if err := w.beginAll(ctx, plans); err != nil {
		return err
	}
	w.say("%d lines of %d plans are begun; the answers of commits are lost (seed %d)", o.Lines, len(plans), w.Seed)
	began := time.Now()
	rounds, err := w.finish(ctx, through, 2)
	if err != nil {
		return err
	}
	b, err := w.settled(ctx)
	if err != nil {
		return err
	}
	w.say("")
	w.say("  commits               %d, of them %d carried out and never answered", commits, cuts)
	w.say("  workers               %d could not begin and were started again", w.restarts)
	w.lineTable(b)
	w.say("  took                  %s, %d moves of the clouds' clock", time.Since(began).Round(time.Second), rounds)
	w.say("")
	var bad []string
	if cuts == 0 {
		bad = append(bad, "no commit was cut")
	}
	return w.verdict(b, bad...)
}

// beginAll begins plans.
func (w *world) beginAll(ctx context.Context, plans []api.Plan) error {
	for _, p := range plans {
		if _, _, err := w.desk.Begin(ctx, p.ID, "ada"); err != nil {
			return err
		}
	}
	return nil
}

// settled counts once whatever may still have an effect has it.
func (w *world) settled(ctx context.Context) (*books, error) {
	if err := w.sim.Advance(48 * time.Hour); err != nil {
		return nil, err
	}
	return w.count(ctx, w.desk)
}

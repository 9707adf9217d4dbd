// Package drill breaks what a ledger lives on while purchases are made, and then
// counts. It starts all that it needs: simulated clouds, a ledger in a file or in a
// PostgreSQL of its own, and workers as processes of the program itself. What the
// clouds have sold is held against the ledger line by line.
//
// A drill reads the ledger and decides in the names of people as every command does.
// Of the clouds it knows the truth, which Bursar never sees.
package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"bursar/internal/api"
	"bursar/internal/app"
	"bursar/internal/pgtest"
	"bursar/internal/sim"
)

// The ledgers of a drill.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Options are those of all drills.
type Options struct {
	Bursar string   // the program whose processes work
	Env    []string // of these processes, besides the environment of this one
	Ledger string   // SQLite or Postgres
	Lines  int      // that are bought, over all services of all clouds
	Seed   uint64   // of faults, lives and whatever else is chosen; 0 draws one
	Out    io.Writer
}

// ErrFailed: a drill has found what must not be. It has said what.
var ErrFailed = errors.New("the drill has failed")

// world is what a drill takes place in.
type world struct {
	Options
	dir    string
	random *rand.Rand
	clock  *clock
	sim    *sim.Sim
	clouds *wire
	pg     *pgtest.Cluster // nil on SQLite
	data   string          // its directory
	at     app.Options     // of the installation
	desk   *app.App        // where people sit
	// heard is told of every event of workers that are started from now on; may be nil.
	heard func(api.Worked)
	// restarts counts workers that ended by themselves while others finished.
	restarts int
}

// open starts the clouds and makes a ledger. Everything ends with close.
func open(ctx context.Context, o Options) (w *world, err error) {
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	w = &world{Options: o, random: rand.New(rand.NewPCG(o.Seed, 0)), clock: &clock{began: time.Now(), rate: 1}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "bursar-drill-"); err != nil {
		return nil, err
	}
	w.sim, err = sim.New(sim.Options{
		Now: w.clock.now, Seed: o.Seed, Visibility: time.Minute, Quota: 1_000_000, Unthrottled: true, SignatureAge: time.Hour, PageSize: 100,
	})
	if err != nil {
		return nil, err
	}
	if w.clouds, err = serve(w.sim); err != nil {
		return nil, err
	}
	if w.at, err = w.install(ctx, "a"); err != nil {
		return nil, err
	}
	w.desk, err = app.Open(ctx, w.at)
	return w, err
}

// install makes a ledger of its own, with a configuration and a journal in a directory
// of this name.
func (w *world) install(ctx context.Context, name string) (app.Options, error) {
	dir := filepath.Join(w.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return app.Options{}, err
	}
	o := app.Options{Ledger: filepath.Join(dir, "bursar.db"), Config: filepath.Join(dir, app.ConfigName), Endpoint: w.clouds.url}
	if w.Ledger == Postgres {
		if w.pg == nil {
			var err error
			// After a crash the server syncs all its files, which takes long on a busy disk.
			if w.data, err = os.MkdirTemp(pgtest.Memory(), "bursar-drill-"); err != nil {
				return o, err
			}
			if w.pg, err = pgtest.Start(ctx, w.data); err != nil {
				return o, err
			}
		}
		var err error
		if o.Ledger, err = w.pg.NewDatabase(ctx, ""); err != nil {
			return o, err
		}
	}
	if err := os.WriteFile(o.Config, []byte(w.config(filepath.Join(dir, "journal"))), 0o600); err != nil {
		return o, err
	}
	_, err := app.Init(ctx, o)
	return o, err
}

// config is the configuration of an installation with this journal. Every account keeps
// marks. What looks at every lane of every account would be most of the work.
func (w *world) config(journal string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "journal: %s\nschedules:\n  audit: off\n  inventory: off\naccounts:\n", journal)
	for _, a := range w.sim.Accounts() {
		if a.Marks != "" {
			fmt.Fprintf(&b, "  - {provider: %s, id: %s, marks: %q, billing_account: %q}\n", a.Provider, a.ID, a.Marks, a.BillingAccount)
		}
	}
	return b.String()
}

// close ends everything and removes it.
func (w *world) close() error {
	var errs []error
	if w.desk != nil {
		errs = append(errs, w.desk.Close())
	}
	if w.clouds != nil {
		w.clouds.close()
	}
	if w.sim != nil {
		errs = append(errs, w.sim.Close())
	}
	if w.pg != nil {
		errs = append(errs, w.pg.Stop(true))
	}
	for _, dir := range []string{w.dir, w.data} {
		if dir != "" {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(w.Out, format+"\n", args...) }

// approved makes plans of some lines each and approves them.
func (w *world) approved(ctx context.Context, a *app.App, lines []string, each int) (plans []api.Plan, err error) {
	for of := range slices.Chunk(lines, each) {
		w.random.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		file := filepath.Join(w.dir, fmt.Sprintf("plan-%d.yaml", w.random.Uint32()))
		if err := os.WriteFile(file, planFile(of), 0o600); err != nil {
			return nil, err
		}
		created, err := a.CreatePlan(ctx, api.PlanRequest{File: file, Requester: "ada"})
		if err != nil {
			return nil, err
		}
		p, err := a.Decide(ctx, api.Decision{Plan: created.Plan.ID, Digest: created.Plan.Digest, By: "grace", Approve: true}, 30*24*time.Hour)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// lines reads all lines of the ledger.
func (w *world) lines(ctx context.Context) ([]api.Line, error) {
	return w.desk.History(ctx, api.HistoryFilter{})
}

// clock is the wall clock of the simulated clouds, which may run faster than ours.
type clock struct {
	mu    sync.Mutex
	began time.Time // by our clock, when it got its rate
	ahead time.Duration
	rate  int64
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at(time.Now())
}

func (c *clock) at(t time.Time) time.Time {
	return t.Add(c.ahead + t.Sub(c.began)*time.Duration(c.rate-1))
}

// run lets the clock go so many times as fast as ours.
func (c *clock) run(rate int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.ahead += now.Sub(c.began) * time.Duration(c.rate-1)
	c.began, c.rate = now, rate
}

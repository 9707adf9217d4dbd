package drill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bursar/internal/app"
)

// Clone copies a ledger, as for a staging environment, on accounts of all clouds that
// the original buys in, and sets up a second installation on the same accounts. Neither
// may buy.
func Clone(ctx context.Context, o Options) error {
	if o.Lines < 2*len(goods) {
		return fmt.Errorf("%d lines: use %d or more, so that every account is bought in before the second installation comes", o.Lines, 2*len(goods))
	}
	w, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer w.close() //nolint:errcheck // a throw-away world
	began := time.Now()
	plans, err := w.approved(ctx, w.desk, linesOf(w.sim, goods, o.Lines), len(goods))
	if err != nil {
		return err
	}
	half := len(plans) / 2
	if err := w.beginAll(ctx, plans[:half]); err != nil {
		return err
	}
	if _, err := w.finish(ctx, w.at, 1); err != nil {
		return err
	}
	// The rest is begun before the copy is made: a worker of the copy has work at once.
	if err := w.beginAll(ctx, plans[half:]); err != nil {
		return err
	}
	source, err := w.backup(ctx)
	if err != nil {
		return err
	}
	before := len(w.sim.Ledger())
	var bad []string
	tries := []struct {
		name, says string // a part of what it says on SQLite
		config     string
		journal    bool // it has a copy of the journal
	}{
		{"a copy without the journal", "journal", "", false},
		{"a copy in another environment, with a copy of the journal", "another environment", "environment: staging\n", true},
	}
	for i, t := range tries {
		copied, err := w.clone(ctx, source, fmt.Sprintf("clone-%d", i), t.config, t.journal)
		if err != nil {
			return err
		}
		refused, err := w.refused(ctx, copied)
		if err != nil {
			return err
		}
		w.say("%s: %s", t.name, orNothing(refused))
		// A database is another one than it was, which is a mark by itself.
		if w.pg != nil && !strings.Contains(refused, "went back in time") && !strings.Contains(refused, "is in recovery") || w.pg == nil && !strings.Contains(refused, t.says) {
			bad = append(bad, t.name+" does not know that it must not buy")
		}
		if n := len(w.sim.Ledger()) - before; n != 0 {
			bad = append(bad, fmt.Sprintf("%s has bought %d commitments", t.name, n))
			before += n
		}
	}

	// A second installation has a ledger and a journal of its own: only the accounts know.
	second, err := w.install(ctx, "second")
	if err != nil {
		return err
	}
	other, err := app.Open(ctx, second)
	if err != nil {
		return err
	}
	defer other.Close() //nolint:errcheck // simulated
	for _, provider := range []string{"aws", "azure", "gcp"} {
		theirs := slices.DeleteFunc(slices.Clone(goods), func(g good) bool { return g.provider != provider })
		plans, err := w.approved(ctx, other, linesOf(w.sim, theirs, len(theirs)), len(theirs))
		if err != nil {
			return err
		}
		refused := ""
		if _, err := other.Apply(ctx, plans[0].ID, "mallory", 0, nil); err != nil {
			refused = err.Error()
		}
		w.say("a second installation on %s: %s", provider, orNothing(refused))
		if !strings.Contains(refused, "belongs to the installation") {
			bad = append(bad, "the second installation was not refused by the owner mark of "+provider)
		}
	}
	k, err := w.start(second)
	if err != nil {
		return err
	}
	<-k.started
	pause(ctx, 3*time.Second)
	k.stop()
	if n := len(w.sim.Ledger()) - before; n != 0 {
		bad = append(bad, fmt.Sprintf("the second installation has bought %d commitments", n))
	}

	// The original goes on.
	rounds, err := w.finish(ctx, w.at, 1)
	if err != nil {
		return err
	}
	b, err := w.settled(ctx)
	if err != nil {
		return err
	}
	w.say("")
	w.lineTable(b)
	w.say("  took                  %s, %d moves of the clouds' clock", time.Since(began).Round(time.Second), rounds)
	w.say("")
	return w.verdict(b, bad...)
}

// clone makes an installation of a copy of a ledger.
func (w *world) clone(ctx context.Context, source, name, config string, journal bool) (app.Options, error) {
	dir := filepath.Join(w.dir, name)
	o := app.Options{Ledger: filepath.Join(dir, "bursar.db"), Config: filepath.Join(dir, app.ConfigName), Endpoint: w.clouds.url}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return o, err
	}
	var err error
	if w.pg != nil {
		o.Ledger, err = w.pg.NewDatabase(ctx, source)
	} else {
		err = copyFile(source, o.Ledger)
	}
	if err == nil && journal {
		err = copyFile(filepath.Join(w.dir, "a", "journal"), filepath.Join(dir, "journal"))
	}
	if err == nil {
		err = os.WriteFile(o.Config, []byte(config+w.config("journal")), 0o600)
	}
	return o, err
}

// refused lets a worker work on a ledger for a while, and returns what the ledger says
// of itself.
func (w *world) refused(ctx context.Context, at app.Options) (string, error) {
	k, err := w.start(at)
	if err != nil {
		return "", err
	}
	select {
	case <-k.started:
		pause(ctx, 3*time.Second)
	case <-k.ended:
	}
	k.stop()
	a, err := app.Open(ctx, at)
	if err != nil {
		return err.Error(), nil
	}
	notice := a.Notice()
	if r, err := a.RecoveryStatus(ctx, false); notice == "" && err == nil && r.State == "recovery" {
		notice = "the copy is in recovery: " + r.Events[len(r.Events)-1].Detail
	}
	return notice, a.Close()
}

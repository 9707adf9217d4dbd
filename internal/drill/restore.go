package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/app"
)

// RestoreOptions are those of Restore.
type RestoreOptions struct {
	Options
	// Files: the backup is of the files of the PostgreSQL cluster, which comes back with
	// the same system identifier and timeline. Else it is of the ledger alone: a copy of
	// its file or of its database.
	Files bool
}

// Restore takes a backup of a ledger, goes on buying for an hour of the clouds' time,
// of plans that the backup has and of one that it has not, and puts the backup back.
// The next process must notice by a mark. Then workers look for what was lost, a person
// explains what is left and finishes the recovery, and the books are compared.
func Restore(ctx context.Context, o RestoreOptions) error {
	if o.Files && o.Ledger != Postgres {
		return errors.New("the files of a cluster are those of PostgreSQL: use --ledger postgres")
	}
	w, err := open(ctx, o.Options)
	if err != nil {
		return err
	}
	defer w.close() //nolint:errcheck // a throw-away world
	began := time.Now()
	lines := linesOf(w.sim, goods, o.Lines)
	plans, err := w.approved(ctx, w.desk, lines, max(1, len(lines)/4+1))
	if err != nil {
		return err
	}
	half := len(plans) / 2
	if err := w.beginAll(ctx, plans[:half]); err != nil {
		return err
	}
	if _, err := w.finish(ctx, w.at, 2); err != nil {
		return err
	}
	backup, err := w.keep(ctx, o.Files)
	if err != nil {
		return err
	}
	if err := w.sim.Advance(time.Hour); err != nil {
		return err
	}
	extra, err := w.approved(ctx, w.desk, linesOf(w.sim, goods, len(goods)), eachPlan)
	if err != nil {
		return err
	}
	if err := w.beginAll(ctx, append(slices.Clone(plans[half:]), extra...)); err != nil {
		return err
	}
	w.say("%d of %d lines had ended when the backup was taken; purchases go on, %d lines of a plan that it has not among them (seed %d)",
		w.endedLines(ctx), o.Lines, len(goods), w.Seed)
	w.clouds.latency.Store(int64(20 * time.Millisecond))
	sold := len(w.sim.Ledger())
	for range 3 {
		if err := w.shortLife(ctx, sold+3); err != nil {
			return err
		}
	}
	before := len(w.sim.Ledger())
	if err := w.restore(ctx, backup, o.Files); err != nil {
		return err
	}
	notice := w.desk.Notice()
	w.say("the backup is back: %s", orNothing(notice))
	var bad []string
	if !strings.Contains(notice, "went back in time") {
		bad = append(bad, "no mark told that the ledger went back in time")
	}
	if o.Files && (strings.Contains(notice, "cluster") || strings.Contains(notice, "timeline")) {
		bad = append(bad, "the files that came back are of another cluster: the journal was not put to the test")
	}
	if _, err := w.finish(ctx, w.at, 2); err != nil {
		return err
	}
	explained, regained, err := w.recovered(ctx)
	if err != nil {
		bad = append(bad, err.Error())
	}
	// What was not sent has lost its approval: nobody wants it any more.
	open, err := w.lines(ctx)
	if err != nil {
		return err
	}
	for _, l := range open {
		if !ended(l) {
			_, _ = w.desk.Cancel(ctx, []string{l.ID}, "ada", "the approval is void") // what cannot be is counted
		}
	}
	if err := w.desk.Reconcile(ctx, 0, nil); err != nil {
		return err
	}
	if after := len(w.sim.Ledger()); after != before {
		bad = append(bad, fmt.Sprintf("%d commitments were bought while the ledger recovered", after-before))
	}
	b, err := w.settled(ctx)
	if err != nil {
		return err
	}
	var nobodys []string
	for _, text := range b.nobodys {
		if !slices.ContainsFunc(regained, func(l api.Lost) bool { return strings.Contains(text, " "+l.Commitment+" ") }) {
			nobodys = append(nobodys, text)
		}
	}
	b.nobodys = nobodys
	w.say("")
	w.say("  sold in the lost time %d commitments, %d of them for lines that the backup has not", before, len(regained))
	w.say("  explained by a person %d", explained)
	w.lineTable(b)
	w.say("  took                  %s", time.Since(began).Round(time.Second))
	w.say("")
	return w.verdict(b, bad...)
}

// shortLife lets a worker buy something, and kills it in the middle of more. At least so
// much is sold by then.
func (w *world) shortLife(ctx context.Context, least int) error {
	k, err := w.start(w.at)
	if err != nil {
		return err
	}
	defer k.kill()
	<-k.started
	until := time.Now().Add(patience)
	for pause(ctx, 700*time.Millisecond) && len(w.sim.Ledger()) < least && time.Now().Before(until) {
	}
	return ctx.Err()
}

func orNothing(s string) string {
	if s == "" {
		return "nothing was noticed"
	}
	return s
}

func (w *world) endedLines(ctx context.Context) (n int) {
	lines, err := w.lines(ctx)
	for _, l := range lines {
		if err == nil && ended(l) {
			n++
		}
	}
	return n
}

// recovered lets a person explain what nothing explains and finish the recovery. It
// returns how much was explained, and what was taken into the books in all.
func (w *world) recovered(ctx context.Context) (explained int, regained []api.Lost, err error) {
	word := api.RecoveryRequest{By: "ada", Comment: "drill"}
	for range 60 {
		r, done, err := w.desk.RecoveryFinish(ctx, word)
		if err != nil {
			return explained, nil, err
		}
		if done {
			return explained, r.Regained, nil
		}
		for _, f := range r.Findings {
			if _, err := w.desk.RecoveryExplain(ctx, f.Commitment, true, word); err == nil {
				explained++
			}
		}
		for _, l := range r.Lines {
			if l.State == "needs_review" {
				(&person{world: w, desk: w.desk}).decide(ctx, l)
			}
		}
		if err := w.sim.Advance(step); err != nil {
			return explained, nil, err
		}
		if err := w.desk.Reconcile(ctx, 0, nil); err != nil {
			return explained, nil, err
		}
	}
	return explained, nil, errors.New("the recovery cannot be finished")
}

// keep takes a backup, and returns where it is.
func (w *world) keep(ctx context.Context, files bool) (string, error) {
	if files {
		return w.pg.Save()
	}
	return w.backup(ctx)
}

// backup copies the ledger while no process works on it, and returns where the copy is.
func (w *world) backup(ctx context.Context) (string, error) {
	if err := w.desk.Close(); err != nil {
		return "", err
	}
	w.desk = nil
	var copied string
	var err error
	if w.pg != nil {
		copied, err = w.pg.NewDatabase(ctx, w.at.Ledger)
	} else {
		copied = w.at.Ledger + ".backup"
		err = copyFile(w.at.Ledger, copied)
	}
	if err == nil {
		w.desk, err = app.Open(ctx, w.at)
	}
	return copied, err
}

// restore puts a backup in the place of the ledger. A database comes back under another
// name, which is no mark, unless the files of its cluster do.
func (w *world) restore(ctx context.Context, backup string, files bool) error {
	if err := w.desk.Close(); err != nil {
		return err
	}
	w.desk = nil
	switch {
	case files:
		if err := w.pg.PutBack(ctx, backup); err != nil {
			return err
		}
	case w.pg != nil:
		if err := w.pg.DropDatabase(ctx, w.at.Ledger); err != nil {
			return err
		}
		w.at.Ledger = backup
	default:
		for _, beside := range []string{"-wal", "-shm"} {
			if err := os.Remove(w.at.Ledger + beside); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		if err := copyFile(backup, w.at.Ledger); err != nil {
			return err
		}
	}
	var err error
	w.desk, err = app.Open(ctx, w.at)
	return err
}

// copyFile writes what is in one file into another, which stays the same file.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

package store

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// together lets writers wait for each other before the first of them runs, and
// returns what each was told and how many commits it took.
func together(db *DB, writers ...func() error) (errs []error, commits int) {
	commit := db.commit
	db.commit = func(tx ender) error {
		commits++
		return commit(tx)
	}
	defer func() { db.commit = commit }()
	errs = make([]error, len(writers))
	db.commits.turn.Lock()
	var wg sync.WaitGroup
	for i, w := range writers {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("panic: %v", p)
				}
			}()
			errs[i] = w()
		})
	}
	for db.commits.waiting.Load() < int64(len(writers)) {
		runtime.Gosched()
	}
	db.commits.turn.Unlock()
	wg.Wait()
	return errs, commits
}

// arming are writers that arm the lines of a plan, each line twice.
func arming(e *engine, p *purchase.Plan) (writers []func() error) {
	for _, l := range p.Lines {
		for i := range 2 {
			c := e.step(l.ID, checked(l.Spec.Offering, t0, fmt.Sprint(l.ID, i)), t0)
			writers = append(writers, func() error { return e.Apply(e.t.Context(), c, t0) })
		}
	}
	return writers
}

func TestWritersShareACommit(t *testing.T) {
	e := sqliteFile.open(t)
	p := e.approve(1, 6)
	db := e.ledger.(*DB)
	boom := func() error {
		return db.write(t.Context(), func(q *rows.Queries) error {
			if err := q.AddLane(t.Context(), rows.AddLaneParams{Provider: "aws", Account: "1", Region: "r", Service: "s"}); err != nil {
				return err
			}
			panic("boom")
		})
	}
	errs, commits := together(db, append(arming(e, p), boom)...)
	if commits != 1 {
		t.Errorf("%d commits", commits)
	}
	for i, l := range p.Lines {
		one, other := errs[2*i], errs[2*i+1]
		if (one == nil) == (other == nil) || !errors.Is(errors.Join(one, other), purchase.ErrLost) {
			t.Errorf("line %d: %v and %v, want one of them lost", l.Number, one, other)
		}
		if row := e.row(l.ID); row.Line.State != purchase.Armed || len(row.Attempts) != 1 {
			t.Errorf("line %d is %s with %d attempts", l.Number, row.Line.State, len(row.Attempts))
		}
	}
	if lanes, err := db.Lanes(t.Context()); err != nil || len(lanes) != 0 {
		t.Errorf("half a step stayed: %v, %v", lanes, err)
	}
	if err := errs[len(errs)-1]; err == nil || err.Error() != "panic: boom" {
		t.Errorf("the one that panics: %v", err)
	}
}

// A COMMIT that fails, or a transaction that the database ends by itself, is told
// to everybody in it, and nobody takes it for done.
func TestAGroupIsToldItsCommit(t *testing.T) {
	for name, tc := range map[string]struct {
		commit func(ender) error
		torn   bool
	}{
		"commit": {commit: notAppliedUnknown}, "torn": {commit: ender.Commit, torn: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := sqliteFile.open(t)
			p := e.approve(1, 4)
			before := e.everything()
			db := e.ledger.(*DB)
			db.commit = tc.commit
			writers := arming(e, p)
			if tc.torn {
				db.commits.turn.Lock()
				tx, err := db.writer.BeginTx(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				db.commits.group = &group{tx: tx, done: make(chan struct{})}
				db.commits.turn.Unlock()
				writers = []func() error{writers[0], func() error {
					return db.write(t.Context(), func(*rows.Queries) error {
						_, err := tx.ExecContext(t.Context(), "ROLLBACK")
						return errors.Join(err, errors.New("the disk is full"))
					})
				}}
			}
			errs, _ := together(db, writers...)
			db.commit = ender.Commit
			unknown := 0
			for _, err := range errs {
				if errors.Is(err, purchase.ErrCommitUnknown) {
					unknown++
				} else if err == nil && !tc.torn {
					t.Error("a writer believes that it is done")
				}
			}
			switch {
			case !tc.torn && unknown != len(errs):
				t.Errorf("%d of %d do not know: %v", unknown, len(errs), errs)
			case !tc.torn:
				e.unchanged(before)
			case errs[0] == nil: // it came later, into a transaction of its own
				if row := e.row(p.Lines[0].ID); row.Line.State != purchase.Armed {
					t.Errorf("told that it is done, and the line is %s", row.Line.State)
				}
			default:
				if unknown != 2 {
					t.Errorf("%v", errs)
				}
				e.unchanged(before)
			}
		})
	}
}

package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// twoHandles opens one file twice, as two processes do.
func twoHandles(t *testing.T, on database) (*engine, [2]*DB) {
	t.Helper()
	path := on.place(t)
	first := create(t, path)
	return &engine{ledger: first, t: t}, [2]*DB{first, reopen(t, path)}
}

func TestOneOfManyArmsALine(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, handles := twoHandles(t, on)
		p := e.approve(1, 5)
		for _, l := range p.Lines {
			change := e.step(l.ID, checked(l.Spec.Offering, t0, ""), t0)
			errs := make([]error, 16)
			start := make(chan struct{})
			var wg sync.WaitGroup
			for i := range errs {
				c, a := change, *change.Arm
				a.Nonce = fmt.Sprintf("%s-%d", l.ID, i)
				c.Arm = &a
				wg.Go(func() {
					<-start
					errs[i] = handles[i%2].Apply(t.Context(), c, t0)
				})
			}
			close(start)
			wg.Wait()
			winner := -1
			for i, err := range errs {
				switch {
				case err == nil && winner < 0:
					winner = i
				case err == nil:
					t.Errorf("line %d: both %d and %d armed it", l.Number, winner, i)
				case !errors.Is(err, purchase.ErrLost):
					t.Errorf("line %d, %d: %v, want ErrLost", l.Number, i, err)
				}
			}
			row := e.row(l.ID)
			if winner < 0 || row.Line.Armed != 1 || len(row.Attempts) != 1 || row.Attempts[0].Nonce != fmt.Sprintf("%s-%d", l.ID, winner) {
				t.Errorf("line %d: winner %d, %d attempts", l.Number, winner, len(row.Attempts))
			}
		}
	})
}

func TestTwoHandlesMoveManyLines(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		const lines = 200
		e, handles := twoHandles(t, on)
		p := e.approve(1, lines)
		var won [2]int
		var wg sync.WaitGroup
		for h, db := range handles {
			wg.Go(func() {
				for i := range lines {
					l := p.Lines[i]
					if h == 1 {
						l = p.Lines[lines-1-i] // they meet in the middle and pass through each other
					}
					row, err := db.Row(t.Context(), l.ID)
					if err != nil {
						t.Errorf("handle %d: %v", h, err)
						return
					}
					c, err := purchase.DefaultRules.Step(row, checked(l.Spec.Offering, t0, fmt.Sprintf("%d-%s", h, l.ID)), t0)
					if errors.Is(err, purchase.ErrNoStep) {
						continue
					}
					if err == nil {
						err = db.Apply(t.Context(), c, t0)
					}
					if errors.Is(err, purchase.ErrLost) {
						continue
					}
					if err != nil {
						t.Errorf("handle %d, line %d: %v", h, l.Number, err)
						return
					}
					won[h]++
					if row, err = db.Row(t.Context(), l.ID); err != nil {
						t.Errorf("handle %d: %v", h, err)
						return
					}
					if c, err = purchase.DefaultRules.Step(row, answer(*c.Arm, cloud.Bought), t0.Add(time.Second)); err == nil {
						err = db.Apply(t.Context(), c, t0.Add(time.Second))
					}
					if err != nil {
						t.Errorf("handle %d, line %d: %v", h, l.Number, err)
					}
				}
			})
		}
		wg.Wait()
		if won[0]+won[1] != lines {
			t.Errorf("%d and %d lines armed, want %d in all", won[0], won[1], lines)
		}
		s := e.everything()
		if len(s.Attempts) != lines || len(s.Receipts) != lines {
			t.Errorf("%d attempts, %d receipts", len(s.Attempts), len(s.Receipts))
		}
		for _, f := range purchase.Check(s, t0) {
			for _, problem := range f.Problems {
				t.Errorf("%s: %s", f.Name, problem)
			}
		}
	})
}

func TestAReaderSeesOneMoment(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, handles := twoHandles(t, on)
		p := e.approve(1, 40)
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, l := range p.Lines {
				row, err := handles[1].Row(t.Context(), l.ID)
				if err != nil {
					t.Error(err)
					return
				}
				c, err := purchase.DefaultRules.Step(row, checked(l.Spec.Offering, t0, string(l.ID)), t0)
				if err == nil {
					err = handles[1].Apply(t.Context(), c, t0)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		for armed := 0; armed < len(p.Lines) && !t.Failed(); {
			s := e.everything()
			armed = len(s.Attempts)
			for _, f := range purchase.Check(s, t0) {
				for _, problem := range f.Problems {
					t.Errorf("with %d attempts, %s: %s", armed, f.Name, problem)
				}
			}
		}
		wg.Wait()
	})
}

// Two processes take the last two approvals of a plan at once: exactly one of them
// opens the lines, and no approval is lost.
func TestTwoHandlesApprove(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, handles := twoHandles(t, on)
		for n := range 20 {
			p := e.saveWith(n+1, 3, purchase.Approvals{Needed: 2})
			var wg sync.WaitGroup
			for h, db := range handles {
				wg.Go(func() {
					if err := db.Decide(t.Context(), by(p, fmt.Sprint("person ", h), true), t0.Add(time.Hour)); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := e.plan(p); got.State != purchase.PlanApproved || got.Lines[2].State != purchase.Ready {
				t.Errorf("%s, line %s", got.State, got.Lines[2].State)
			}
		}
	})
}

package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

var errLost = errors.New("the connection is gone")

// appliedUnknown commits and loses the answer; notAppliedUnknown loses the COMMIT.
func appliedUnknown(tx ender) error    { return errors.Join(tx.Commit(), errLost) }
func notAppliedUnknown(tx ender) error { return errors.Join(tx.Rollback(), errLost) }

func TestAnUnknownCommitIsReadBackByItsNonce(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		for name, c := range map[string]struct {
			commit func(ender) error
			armed  bool
		}{
			"applied":     {appliedUnknown, true},
			"not applied": {notAppliedUnknown, false},
		} {
			t.Run(name, func(t *testing.T) {
				e := on.open(t)
				line := e.approve(1, 1).Lines[0].ID
				change := e.step(line, checked(e.row(line).Line.Spec.Offering, t0, "nonce-1"), t0)
				before := e.everything()
				db := e.ledger.(*DB)
				db.commit = c.commit
				err := db.Apply(t.Context(), change, t0)
				if !errors.Is(err, purchase.ErrCommitUnknown) || !errors.Is(err, errLost) || errors.Is(err, purchase.ErrLost) {
					t.Errorf("apply: %v, want ErrCommitUnknown", err)
				}
				db.commit = ender.Commit
				if armed, err := db.Armed(t.Context(), line, "nonce-1"); err != nil || armed != c.armed {
					t.Errorf("armed: %v, %v, want %v", armed, err, c.armed)
				}
				if c.armed {
					if row := e.row(line); row.Line.State != purchase.Armed || len(row.Attempts) != 1 {
						t.Errorf("the line is %s with %d attempts", row.Line.State, len(row.Attempts))
					}
					return
				}
				e.unchanged(before)
				e.apply(change, t0) // the way is free
			})
		}
	})
}

func TestAnUnknownCommitOfADecisionSaysSo(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		p := e.save(1, 2)
		db := e.ledger.(*DB)
		for _, commit := range []func(ender) error{notAppliedUnknown, appliedUnknown} {
			db.commit = commit
			if err := e.Decide(t.Context(), yes(p), t0.Add(time.Hour)); !errors.Is(err, purchase.ErrCommitUnknown) {
				t.Errorf("decide: %v, want ErrCommitUnknown", err)
			}
		}
		db.commit = ender.Commit
		if err := e.Decide(t.Context(), yes(p), t0.Add(time.Hour)); !errors.Is(err, ErrDigest) {
			t.Errorf("the second of the two was applied, and a third is taken: %v", err)
		}
	})
}

func TestAStopDoesNotTearAWrite(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		line := e.approve(1, 1).Lines[0].ID
		change := e.step(line, checked(e.row(line).Line.Spec.Offering, t0, "nonce-1"), t0)
		before := e.everything()
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := e.Apply(ctx, change, t0); err == nil {
			t.Error("a change was applied after the stop")
		}
		e.unchanged(before)

		// A stop between the statements and COMMIT: the commit is finished.
		ctx, stop = context.WithCancel(t.Context())
		db := e.ledger.(*DB)
		db.commit = func(tx ender) error {
			stop()
			return tx.Commit()
		}
		if err := e.Apply(ctx, change, t0); err != nil {
			t.Errorf("apply: %v", err)
		}
		db.commit = ender.Commit
		if row := e.row(line); row.Line.State != purchase.Armed {
			t.Errorf("the line is %s", row.Line.State)
		}
	})
}

// market answers every purchase with a commitment and counts.
type market struct {
	now  time.Time
	sent int
	rows func() int // attempts in the ledger
	t    *testing.T
}

func (m *market) Facts(purchase.Line) (purchase.Facts, error) { return facts, nil }

func (m *market) Quote(_ context.Context, i purchase.Intent) (cloud.Quote, error) {
	return cloud.Quote{Offering: i.Offering, At: m.now, CloudTime: m.now, Credential: "AKIATEST"}, nil
}

func (m *market) Find(context.Context, purchase.Intent, time.Time) ([]cloud.Evidence, error) {
	return absent(m.now), nil
}

func (m *market) Purchase(_ context.Context, i purchase.Intent, _ time.Time) purchase.Answered {
	m.sent++
	if m.rows() < m.sent {
		m.t.Error("a request was sent whose row is not in the ledger")
	}
	return answer(purchase.Attempt{Intent: i}, cloud.Bought)
}

func TestTheProtocolBuysOnceOnARealLedger(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		for name, faults := range map[string][]func(ender) error{
			"no fault":                      nil,
			"arming, applied":               {appliedUnknown},
			"arming, not applied":           {notAppliedUnknown},
			"recording, applied":            {ender.Commit, appliedUnknown},
			"recording, not applied":        {ender.Commit, notAppliedUnknown},
			"both, not applied and applied": {notAppliedUnknown, appliedUnknown, notAppliedUnknown, appliedUnknown},
		} {
			t.Run(name, func(t *testing.T) {
				path := on.place(t)
				db := create(t, path)
				e := &engine{ledger: db, t: t}
				line := e.approve(1, 1).Lines[0].ID
				db.commit = func(tx ender) error {
					commit := ender.Commit
					if len(faults) > 0 {
						commit, faults = faults[0], faults[1:]
					}
					return commit(tx)
				}
				m := &market{now: t0, t: t, rows: func() int { return len(e.row(line).Attempts) }}
				n := 0
				p := &purchase.Protocol{
					Ledger: db, Market: m, Rules: purchase.DefaultRules, Now: func() time.Time { return t0 },
					Nonce: func() string { n++; return id("N", n) },
				}
				row, err := p.Advance(t.Context(), line)
				if err != nil || row.Line.State != purchase.Purchased || m.sent != 1 {
					t.Errorf("%s, %v, %d requests", row.Line.State, err, m.sent)
				}
				for _, f := range purchase.Check(e.everything(), t0) {
					for _, problem := range f.Problems {
						t.Errorf("%s: %s", f.Name, problem)
					}
				}
			})
		}
	})
}

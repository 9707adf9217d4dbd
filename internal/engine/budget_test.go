package engine_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
)

// capped gives the world a budget for all time that is used up by one purchase of
// the draft, and returns what the books of that budget say: "held", "spent", or "" when all of it is free.
func (w *world) capped(d recommend.Draft) func() string {
	w.t.Helper()
	p, err := w.engine.Propose(w.t.Context(), recommend.Input{Drafts: []recommend.Draft{d}}, engine.PlanOptions{Name: "price", Requester: "ada"})
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := w.db.SetBudget(w.t.Context(), purchase.Budget{
		Name: "one", Per: purchase.PerEver, Of: purchase.OfTotal, Cap: p.Total.Total, ChangedAt: w.sim.Now(), ChangedBy: "ana",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return func() string {
		w.t.Helper()
		_, periods, err := w.db.Budgets(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		i := slices.IndexFunc(periods, func(p purchase.BudgetPeriod) bool { return p.Budget == b.ID })
		if i < 0 {
			return "no period"
		}
		says := ""
		if !periods[i].Held.IsZero() {
			says = "held"
		}
		if !periods[i].Spent.IsZero() {
			says += "spent"
		}
		return says
	}
}

// TestHoldsFollowTheClouds takes one line through every kind of end, with the real
// driver: what its budget holds is decided by what the clouds have done.
func TestHoldsFollowTheClouds(t *testing.T) {
	for _, tc := range []struct {
		name    string
		fault   sim.Fault
		before  func(*world, *purchase.Plan)
		midway  string // after the first round of work
		state   purchase.State
		finally string
	}{
		{name: "bought", midway: "spent", state: purchase.Purchased, finally: "spent"},
		{name: "lost reply", fault: sim.Fault{Kind: sim.LoseReply}, midway: "held", state: purchase.Purchased, finally: "spent"},
		{name: "lost requests", fault: sim.Fault{Kind: sim.LoseRequest, Times: -1}, midway: "held", state: purchase.Failed},
		{name: "called off", before: func(w *world, p *purchase.Plan) {
			if _, err := w.db.Cancel(w.t.Context(), p.Lines[0].ID, "ada", "", w.sim.Now()); err != nil {
				w.t.Fatal(err)
			}
		}, state: purchase.Canceled},
		{name: "expired", before: func(w *world, _ *purchase.Plan) {
			if err := w.sim.Advance(25 * time.Hour); err != nil {
				w.t.Fatal(err)
			}
		}, state: purchase.Expired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, sim.Options{Visibility: 3 * time.Minute})
			books := w.capped(drafts(1)[0])
			if tc.fault.Kind != "" {
				w.fault(tc.fault)
			}
			p := w.approved(drafts(1)...)
			if got := books(); got != "held" {
				t.Errorf("approved: %s", got)
			}
			other := w.proposed(drafts(1)...)
			if err := w.approve(other); !errors.Is(err, purchase.ErrBudget) {
				t.Errorf("a second plan under the same cap: %v", err)
			}
			if tc.before != nil {
				tc.before(w, p)
			}
			w.run(p)
			if got := books(); got != tc.midway {
				t.Errorf("after a round of work the budget says %q, want %q\n%s", got, tc.midway, w.story(p))
			}
			p = w.settle(p)
			if l := p.Lines[0]; l.State != tc.state {
				t.Errorf("%s, want %s\n%s", l.State, tc.state, w.story(p))
			}
			if got := books(); got != tc.finally {
				t.Errorf("in the end the budget says %q, want %q", got, tc.finally)
			}
			// What was released can be approved again, what was spent cannot.
			if err := w.approve(other); (err == nil) != (tc.finally == "") {
				t.Errorf("the second plan, in the end: %v", err)
			}
			w.audit(p)
		})
	}
}

func (w *world) proposed(list ...recommend.Draft) *purchase.Plan {
	w.t.Helper()
	p, err := w.engine.Propose(w.t.Context(), recommend.Input{Drafts: list}, engine.PlanOptions{Name: "test", Requester: "ada"})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) approve(p *purchase.Plan) error {
	now := w.sim.Now()
	return w.db.Decide(w.t.Context(), purchase.Decision{Plan: p.ID, Digest: p.Digest, By: "grace", Approve: true, At: now}, now.Add(24*time.Hour))
}

package engine_test

import (
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
	"bursar/internal/store"
)

func (w *world) nothingSent() {
	w.t.Helper()
	for _, r := range w.sim.Requests() {
		if r.Spending {
			w.t.Errorf("%s was sent", r.Operation)
		}
	}
}

// TestExpiryBetweenReadAndArm lets the approval end while the reads before the
// purchase are under way.
func TestExpiryBetweenReadAndArm(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(1)...) // for 24 hours
	w.advance(24*time.Hour - time.Minute)
	w.clouds.before = func(op string) {
		if op == "Quote" {
			w.advance(2 * time.Minute)
		}
	}
	w.run(p)
	w.nothingSent()
	if l := w.plan(p).Lines[0]; l.Armed != 0 || l.State == purchase.Purchased {
		t.Errorf("%s, armed %d times", l.State, l.Armed)
	}
	w.clouds.before = nil
	if l := w.settle(p).Lines[0]; l.State != purchase.Expired {
		t.Errorf("%s: %s", l.State, l.Reason)
	}
	w.nothingSent()
	w.check()
}

// TestStopBetweenReadAndArm stops purchasing, through another process, while the
// reads before the purchase are under way.
func TestStopBetweenReadAndArm(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(3)...)
	other, err := store.Open(t.Context(), w.db.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() }) //nolint:errcheck // a reader
	stopped := false
	w.clouds.before = func(op string) {
		if op == "Quote" && !stopped {
			stopped = true
			if err := other.SetPurchasing(t.Context(), store.Stop{By: "grace", At: w.sim.Now()}); err != nil {
				t.Error(err)
			}
		}
	}
	w.engine.Workers = 1
	// Patience is not used up: nothing can be done until somebody starts.
	if err := w.engine.Run(t.Context(), engine.RunOptions{Plan: p.ID, Patience: time.Hour}); err != nil {
		t.Fatal(err)
	}
	w.nothingSent()
	if err := other.SetPurchasing(t.Context(), store.Stop{Purchasing: true, By: "grace", At: w.sim.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, l := range w.settle(p).Lines {
		if l.State != purchase.Purchased {
			t.Errorf("after the start: %s: %s", l.State, l.Reason)
		}
	}
	w.audit(p)
}

// A stop leaves what is in doubt to the looks: it ends by evidence.
func TestStopGoesOnLooking(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.LoseReply})
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: describe, Times: -1, Duration: 3 * time.Minute})
	p := w.approved(drafts(1)...)
	w.run(p)
	if err := w.db.SetPurchasing(t.Context(), store.Stop{By: "grace", At: w.sim.Now()}); err != nil {
		t.Fatal(err)
	}
	if l := w.settle(p).Lines[0]; l.State != purchase.Purchased || l.Armed != 1 {
		t.Errorf("%s after %d attempts", l.State, l.Armed)
	}
	w.audit(p)
}

func TestCancel(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.LoseRequest, Account: accountA})
	p := w.approved(drafts(3)...)
	ready := p.Lines[1]
	row, asked, err := w.engine.Cancel(t.Context(), ready.ID, "grace", "not needed")
	if err != nil || !asked || row.Line.State != purchase.Canceled {
		t.Errorf("ready: %s, %t, %v", row.Line.State, asked, err)
	}
	w.said(ready, "grace asked not to buy it: not needed")
	w.run(p)
	for _, l := range w.plan(p).Lines {
		row, asked, err := w.engine.Cancel(t.Context(), l.ID, "grace", "")
		if err != nil {
			t.Fatal(err)
		}
		switch l.State {
		case purchase.Armed:
			if !asked || row.Line.State != purchase.Armed || !row.Line.CancelRequested {
				t.Errorf("armed: %+v, %t", row.Line, asked)
			}
		default:
			if asked || row.Line.State != l.State {
				t.Errorf("%s: %s, %t", l.State, row.Line.State, asked)
			}
		}
	}
	states := map[purchase.State]int{}
	for _, l := range w.settle(p).Lines {
		states[l.State]++
	}
	if states[purchase.Canceled] != 2 || states[purchase.Purchased] != 1 {
		t.Errorf("%v\n%s", states, w.story(p))
	}
	w.audit(p)
}

// TestContinue plans what was refused, expired or became dearer again, and
// nothing else.
func TestContinue(t *testing.T) {
	w := newWorld(t, sim.Options{})
	list := []recommend.Draft{
		draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 1),
		draft(accountA, "us-east-1", "mysql", "db.r6g.large", 2),
		draft(accountB, "eu-west-1", "mysql", "db.m6g.large", 3),
		draft(accountB, "eu-west-1", "postgresql", "db.m6g.large", 1),
	}
	p := w.approved(list...)
	if _, _, err := w.engine.Cancel(t.Context(), p.Lines[3].ID, "grace", ""); err != nil {
		t.Fatal(err)
	}
	o := p.Lines[2].Spec.Offering
	dearer, err := o.Upfront.Percent(150)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sim.SetPrice(o.ID, dearer, o.Hourly); err != nil {
		t.Fatal(err)
	}
	w.fault(sim.Fault{Kind: sim.LoseRequest, Account: accountA, Times: 1})
	w.engine.Workers = 1
	w.run(p)
	states := map[purchase.State]purchase.Line{}
	for _, l := range w.plan(p).Lines {
		states[l.State] = l
	}
	if len(states) != 4 || states[purchase.Armed].ID == "" || states[purchase.NeedsReapproval].ID == "" {
		t.Fatalf("the first version: %s", w.story(p))
	}
	if _, _, err := w.engine.Continue(t.Context(), w.plan(p), engine.PlanOptions{}); err == nil {
		t.Error("a plan was continued by nobody")
	}
	next, left, err := w.engine.Continue(t.Context(), w.plan(p), engine.PlanOptions{Requester: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if next.Version != 2 || next.Lineage != p.ID || next.Name != p.Name || len(next.Lines) != 1 || len(left) != 3 {
		t.Fatalf("version %d of %s with %d lines, %d left: %v", next.Version, next.Lineage, len(next.Lines), len(left), left)
	}
	if l := next.Lines[0]; l.Spec.Offering.ID != o.ID || l.Spec.Quantity != 3 || !l.Spec.Offering.Upfront.Equal(dearer) || l.State != purchase.Draft {
		t.Errorf("the continued line: %+v", l.Spec)
	}
	if _, _, err := w.engine.Continue(t.Context(), w.plan(p), engine.PlanOptions{Requester: "ada"}); err == nil || !strings.Contains(err.Error(), string(next.ID)) {
		t.Errorf("continued twice: %v", err)
	}
	if err := w.approve(next); err != nil {
		t.Fatal(err)
	}
	// What is in doubt goes on being looked up under the superseded version, and
	// nothing more is sent for it.
	first := w.settle(p)
	if first.State != purchase.PlanSuperseded {
		t.Errorf("the first version is %s", first.State)
	}
	got := map[purchase.State]int{}
	for _, l := range first.Lines {
		got[l.State]++
	}
	if got[purchase.Purchased] != 1 || got[purchase.Expired] != 1 || got[purchase.Superseded] != 1 || got[purchase.Canceled] != 1 {
		t.Errorf("%v\n%s", got, w.story(p))
	}
	if l := w.settle(next).Lines[0]; l.State != purchase.Purchased {
		t.Errorf("the continued line is %s: %s", l.State, l.Reason)
	}
	w.audit(p)
	w.audit(next)

	if _, _, err := w.engine.Continue(t.Context(), w.plan(next), engine.PlanOptions{Requester: "ada"}); err == nil || !strings.Contains(err.Error(), "nothing to continue") {
		t.Errorf("all is bought: %v", err)
	}
	// Expired lines are planned again.
	again := w.approved(drafts(2)...)
	w.advance(25 * time.Hour)
	w.run(again)
	third, left, err := w.engine.Continue(t.Context(), w.plan(again), engine.PlanOptions{Requester: "ada"})
	if err != nil || len(third.Lines) != 2 || len(left) != 0 {
		t.Errorf("expired: %v, %v", left, err)
	}
}

// TestAllOrNothing: what is bought whole or not is called off, continued and
// replaced whole.
func TestAllOrNothing(t *testing.T) {
	w := newWorld(t, sim.Options{})
	in := recommend.Input{Drafts: drafts(3), AllOrNothing: new(true)}
	o := engine.PlanOptions{Name: "test", Requester: "ada"}
	if _, err := w.engine.Propose(t.Context(), in, o); err == nil || !strings.Contains(err.Error(), "all or nothing cannot hold line 1: orders of rds cannot be deleted") {
		t.Errorf("of lines that bind at once: %v", err)
	}
	w.engine, w.clouds = w.newEngine(w.db)
	w.clouds.class = cloud.ClassQueued
	p, err := w.engine.Propose(t.Context(), in, o)
	if err != nil || !p.AllOrNothing {
		t.Fatal(p, err)
	}
	if err := w.approve(p); err != nil {
		t.Fatal(err)
	}
	proceed := func(p *purchase.Plan) (*purchase.Plan, error) {
		next, _, err := w.engine.Continue(t.Context(), w.plan(p), engine.PlanOptions{Requester: "ada"})
		return next, err
	}
	if _, err := proceed(p); err == nil || !strings.Contains(err.Error(), "has nothing to continue") {
		t.Errorf("all open: %v", err)
	}
	if _, _, err := w.engine.Cancel(t.Context(), p.Lines[1].ID, "grace", ""); err != nil {
		t.Fatal(err)
	}
	want := "is all or nothing and is continued as a whole or not: line 1 is ready: it is still to be bought"
	if _, err := proceed(p); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("some open: %v", err)
	}
	w.run(p)
	for i, l := range w.plan(p).Lines {
		if l.State != purchase.Canceled || i != 1 && !strings.Contains(l.Reason, "all-or-nothing") {
			t.Errorf("line %d is %s: %s", l.Number, l.State, l.Reason)
		}
	}
	// The line that was called off is asked for again: it took the others with it.
	next, err := proceed(p)
	if err != nil || !next.AllOrNothing || len(next.Lines) != 3 {
		t.Fatal(next, err)
	}
	o.Replaces, in.AllOrNothing = next, nil
	if p, err = w.engine.Propose(t.Context(), in, o); err != nil || !p.AllOrNothing || p.Version != 3 {
		t.Errorf("a version that does not say: %v, %v", p, err)
	}
	in.AllOrNothing = new(false)
	if p, err = w.engine.Propose(t.Context(), in, o); err != nil || p.AllOrNothing {
		t.Errorf("a version that says no: %v, %v", p, err)
	}
	w.check()
}

// A new version is not approved while an earlier one may still have bought the
// same goods.
func TestSupersedeWaitsForDoubt(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.LoseRequest})
	p := w.approved(drafts(1)...)
	w.run(p)
	next, err := w.engine.Propose(t.Context(), recommend.Input{Drafts: drafts(1)}, engine.PlanOptions{Name: "test", Requester: "ada", Replaces: p})
	if err != nil || next.Version != 2 {
		t.Fatal(next, err)
	}
	now := w.sim.Now()
	yes := purchase.Decision{Plan: next.ID, Digest: next.Digest, By: "grace", Approve: true, At: now}
	if err := w.db.Decide(t.Context(), yes, now.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), string(p.Lines[0].ID)) {
		t.Errorf("approved while line %s is in doubt: %v", p.Lines[0].ID, err)
	}
	p = w.settle(p)
	if p.Lines[0].State != purchase.Purchased || p.State != purchase.PlanApproved {
		t.Errorf("the first version: %s", w.story(p))
	}
	w.check()
}

func TestApprovalRules(t *testing.T) {
	yes, no := true, false
	for _, tc := range []struct {
		name  string
		rules engine.ApprovalRules
		real  bool
		want  purchase.Approvals
		fails string
	}{
		{"default, simulated", engine.ApprovalRules{}, false, purchase.Approvals{Needed: 1, Self: true}, ""},
		{"default, real", engine.ApprovalRules{}, true, purchase.Approvals{Needed: 1}, ""},
		{"not the requester", engine.ApprovalRules{Needed: 2, Self: &no}, false, purchase.Approvals{Needed: 2}, ""},
		{"the requester, simulated", engine.ApprovalRules{Self: &yes}, false, purchase.Approvals{Needed: 1, Self: true}, ""},
		{"the requester, real", engine.ApprovalRules{Self: &yes}, true, purchase.Approvals{}, "requester_may_approve: true is for simulated accounts only"},
		{"enough approvers", engine.ApprovalRules{Needed: 1, Approvers: []string{"Ada", "grace"}, Self: &no}, false, purchase.Approvals{Needed: 1, Approvers: []string{"Ada", "grace"}}, ""},
		{"nobody left", engine.ApprovalRules{Needed: 2, Approvers: []string{"Ada", "grace"}, Self: &no}, false, purchase.Approvals{}, "needs 2 approvals, and only 1 of the approvers"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, sim.Options{})
			w.clouds.real = tc.real
			p, err := w.engine.Propose(t.Context(), recommend.Input{Drafts: drafts(2)}, engine.PlanOptions{Requester: "ada", Approvals: tc.rules})
			switch {
			case tc.fails != "":
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("%v, want %q", err, tc.fails)
				}
				if all, err := w.db.Plans(t.Context()); err != nil || len(all) != 0 {
					t.Errorf("%d plans were stored, %v", len(all), err)
				}
			case err != nil:
				t.Error(err)
			case p.Approvals.Needed != tc.want.Needed || p.Approvals.Self != tc.want.Self || strings.Join(p.Approvals.Approvers, " ") != strings.Join(tc.want.Approvers, " "):
				t.Errorf("%+v, want %+v", p.Approvals, tc.want)
			}
		})
	}
}

package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver/aws"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
)

// lane is n lines of the first lane.
func lane(n int) []recommend.Draft {
	list := make([]recommend.Draft, n)
	for i := range list {
		list[i] = draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 1)
	}
	return list
}

func (w *world) spent() (n int) {
	for _, r := range w.sim.Requests() {
		if r.Spending {
			n++
		}
	}
	return n
}

func (w *world) listings() (n int) {
	for _, r := range w.sim.Requests() {
		if r.Operation == "DescribeReservedDBInstances" {
			n++
		}
	}
	return n
}

// TestStrangerStopsTheLine: somebody else buys between planning and apply.
func TestStrangerStopsTheLine(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.intruder("before", w.offering())
	p := w.approved(drafts(2)...)
	w.intruder("in-between", p.Lines[0].Spec.Offering.ID)
	w.run(p)
	p = w.plan(p)
	want := "in-between is new in aws/111122223333/us-east-1/rds since the plan was made; it may meet the same need"
	if l := p.Lines[0]; l.State != purchase.NeedsReapproval || l.Reason != want {
		t.Errorf("%s: %s", l.State, l.Reason)
	}
	if l := p.Lines[1]; l.State != purchase.Purchased {
		t.Errorf("the other lane: %s: %s", l.State, l.Reason)
	}
	if n := w.spent(); n != 1 {
		t.Errorf("%d purchases were sent", n)
	}
	w.audit(p)

	// A new plan has seen it.
	if l := w.settle(w.approved(drafts(1)...)).Lines[0]; l.State != purchase.Purchased {
		t.Errorf("planned again: %s: %s", l.State, l.Reason)
	}
}

// TestOwnPurchasesAreNoNews: plans of one lane that were made before any of them
// was bought do not stop each other, however late a listing shows a purchase.
func TestOwnPurchasesAreNoNews(t *testing.T) {
	for name, visibility := range map[string]time.Duration{"at once": -1, "late": 8 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sim.Options{Visibility: visibility})
			// All three know the empty lane.
			first, second, third := w.approved(lane(3)...), w.approved(lane(2)...), w.approved(lane(1)...)
			for _, p := range []*purchase.Plan{first, second, third} {
				p = w.settle(p)
				for _, l := range p.Lines {
					if l.State != purchase.Purchased {
						t.Errorf("%s: %s", l.State, l.Reason)
					}
				}
				w.audit(p)
				w.advance(4 * time.Minute)
			}
		})
	}
}

// TestPurchaseInDoubtIsNoNews: the answer of a purchase was lost, and the lane
// lists it before a receipt names it.
func TestPurchaseInDoubtIsNoNews(t *testing.T) {
	w := newWorld(t, sim.Options{})
	first, second := w.approved(lane(1)...), w.approved(lane(1)...)
	w.fault(sim.Fault{Kind: sim.LoseReply})
	// Before the purchase the lane is listed, after it the name.
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Skip: 1, Duration: time.Hour})
	w.run(first)
	w.advance(time.Minute)
	if l := w.plan(first).Lines[0]; l.State != purchase.Armed || w.owned(l) != 1 {
		t.Fatalf("%s, sold %d times", l.State, w.owned(l))
	}
	w.run(second)
	if l := w.plan(second).Lines[0]; l.State != purchase.Purchased {
		t.Errorf("%s: %s", l.State, l.Reason)
	}
	w.audit(w.settle(first))
}

// TestOneListingServesTheLane: the lines of a lane share a listing for a minute,
// and then there is a new one.
func TestOneListingServesTheLane(t *testing.T) {
	w := newWorld(t, sim.Options{PageSize: 100})
	p, q := w.approved(lane(8)...), w.approved(lane(2)...)
	before := w.listings()
	w.run(p)
	if n := w.listings() - before; n != 1 {
		t.Errorf("%d listings for 8 lines of a lane", n)
	}
	w.advance(time.Minute)
	w.intruder("in-between", p.Lines[0].Spec.Offering.ID)
	w.engine.Workers = 1 // what stops the first of them stops the second, too
	w.run(q)
	for _, l := range w.plan(q).Lines {
		if l.State != purchase.NeedsReapproval {
			t.Errorf("a minute later: %s", l.State)
		}
	}
	w.audit(p)
}

// TestNoListingIsNoPermission: that the lane could not be listed is not "nothing
// is new".
func TestNoListingIsNoPermission(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(lane(1)...)
	w.fault(sim.Fault{Kind: sim.Throttle, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1})
	w.run(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Ready || l.Armed != 0 || !strings.Contains(l.Reason, "Throttling") {
		t.Errorf("%s: %s", l.State, l.Reason)
	}
	if err := w.sim.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	if p = w.settle(p); p.Lines[0].State != purchase.Purchased {
		t.Errorf("%s: %s", p.Lines[0].State, p.Lines[0].Reason)
	}
	w.audit(p)
}

// TestNoPlanWithoutItsLanes: a plan whose lanes cannot be listed is not stored.
func TestNoPlanWithoutItsLanes(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.Throttle, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1})
	if _, err := w.propose(0, lane(1)...); err == nil || !strings.Contains(err.Error(), "aws/111122223333/us-east-1/rds: ") {
		t.Errorf("%v", err)
	}
	if plans, err := w.db.Plans(t.Context()); err != nil || len(plans) != 0 {
		t.Errorf("%d plans, %v", len(plans), err)
	}
}

// TestAPersonKeepsTheLane: where a purchase has no name, what one line may have
// bought could as well be another's; nothing else of the lane is sent until a
// person has decided.
func TestAPersonKeepsTheLane(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.clouds.class = cloud.ClassNone
	first, second := w.approved(lane(1)...), w.approved(lane(1)...)
	l := first.Lines[0]
	w.fault(sim.Fault{Kind: sim.LoseReply})
	if got := w.settle(first).Lines[0]; got.State != purchase.NeedsReview || w.owned(l) != 1 {
		t.Fatalf("%s: %s, sold %d times", got.State, got.Reason, w.owned(l))
	}
	for range 10 {
		w.run(second)
		w.advance(time.Minute)
	}
	if got := w.plan(second).Lines[0]; got.State != purchase.Ready || got.Armed != 0 || got.Reason != purchase.ErrTaken.Error() {
		t.Errorf("while a person has the lane: %s, %d armed: %s", got.State, got.Armed, got.Reason)
	}
	if row, err := w.resolve(l, engine.Resolution{Choice: purchase.Adopt, Commitment: nameless(purchase.Identity("test", l.ID, 1))}); err != nil || row.Line.State != purchase.Purchased {
		t.Fatalf("adopted: %s, %v", row.Line.State, err)
	}
	if got := w.settle(second).Lines[0]; got.State != purchase.Purchased {
		t.Errorf("when the lane is free: %s: %s", got.State, got.Reason)
	}
	if n := w.spent(); n != 2 {
		t.Errorf("%d purchases were sent", n)
	}
	w.audit(first)
	w.audit(second)
}

// TestNewsMayBeAnOpenPurchase: where a purchase has no name, what is new may be
// its work; other lines of the lane wait until it is known.
func TestNewsMayBeAnOpenPurchase(t *testing.T) {
	w := newWorld(t, sim.Options{})
	named := w.approved(lane(1)...)
	as := func(c cloud.Class) {
		w.clouds.class = c
		clear(w.clouds.open)
	}
	as(cloud.ClassNone)
	first := w.approved(lane(1)...)
	w.fault(sim.Fault{Kind: sim.LoseRequest})
	w.run(first)
	open := w.plan(first).Lines[0]
	if open.State != purchase.Armed {
		t.Fatalf("%s: %s", open.State, open.Reason)
	}
	w.advance(time.Minute)
	w.intruder("whose", open.Spec.Offering.ID)
	as("")
	w.run(named)
	if l := w.plan(named).Lines[0]; l.State != purchase.Ready || !strings.Contains(l.Reason, "whose is new in") || !strings.Contains(l.Reason, string(open.ID)) {
		t.Errorf("%s: %s", l.State, l.Reason)
	}
	as(cloud.ClassNone)
	if a := w.audits(true); len(a.Findings) != 0 {
		t.Errorf("raised while it may be ours: %+v", a.Findings)
	}
	// Nothing proves whose it is: a person is asked, and the others go on waiting.
	for range 20 {
		w.advance(time.Minute)
		w.run(first)
	}
	if l := w.plan(first).Lines[0]; l.State != purchase.NeedsReview {
		t.Fatalf("%s: %s", l.State, l.Reason)
	}
	w.decide(open, purchase.Decided{Choice: purchase.NotBought, By: "ada", Second: "grace", Unexplained: []string{"whose"}})
	as("")
	w.run(named)
	if l := w.plan(named).Lines[0]; l.State != purchase.NeedsReapproval {
		t.Errorf("%s: %s", l.State, l.Reason)
	}
	if n := w.spent(); n != 1 {
		t.Errorf("%d purchases were sent", n)
	}
}

// TestDoubtIsLookedForByName: what one line bought is asked for by its name, and
// not by a listing of all that the lane holds.
func TestDoubtIsLookedForByName(t *testing.T) {
	w := newWorld(t, sim.Options{PageSize: 5, FullPages: true})
	p := w.approved(lane(1)...)
	for i := range 40 {
		w.intruder(fmt.Sprintf("theirs-%d", i), p.Lines[0].Spec.Offering.ID)
	}
	p = w.approved(lane(1)...)
	w.fault(sim.Fault{Kind: sim.LoseReply})
	before := w.listings()
	p = w.settle(p)
	// The lane is listed once, in eight pages, before anything is sent.
	if n := w.listings() - before; p.Lines[0].State != purchase.Purchased || n > 8+3 {
		t.Errorf("%s after %d pages", p.Lines[0].State, n)
	}
}

// TestAbsenceIsAskedByName: what closes a line as not bought is asked under its own
// names, also long after everything must be visible. A listing of the lane that ends
// early, and does not say so, would have it bought again.
func TestAbsenceIsAskedByName(t *testing.T) {
	w := newWorld(t, sim.Options{PageSize: 5, FullPages: true, Visibility: time.Minute})
	p := w.approved(lane(1)...)
	for i := range 40 {
		w.intruder(fmt.Sprintf("theirs-%d", i), p.Lines[0].Spec.Offering.ID)
	}
	p = w.approved(lane(1)...)
	w.fault(sim.Fault{Kind: sim.LoseReply})
	w.run(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Armed {
		t.Fatalf("%s: %s", l.State, l.Reason)
	}
	w.advance(3 * time.Hour)
	w.fault(sim.Fault{Kind: sim.TruncatedPage, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1})
	w.run(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Purchased || l.Armed != 1 {
		t.Errorf("%s after %d attempts", l.State, l.Armed)
	}
	w.audit(p)
}

// TestAbsenceIsListedTwice: where a line can be found in a listing of the whole lane
// only, nothing is concluded from one that ends early and does not say so.
func TestAbsenceIsListedTwice(t *testing.T) {
	for _, queued := range []bool{false, true} {
		t.Run(fmt.Sprintf("queued=%t", queued), func(t *testing.T) {
			w := newWorld(t, sim.Options{PageSize: 5, FullPages: true, Visibility: time.Minute, Unthrottled: true, Quota: 1 << 40})
			w.clouds.queue = queued
			draft := draftOf(aws.SavingsPlans)
			w.existing(aws.SavingsPlans, draft, 60)
			p := w.approved(draft)
			w.fault(sim.Fault{Kind: sim.LoseReply, Service: "savingsplans", Operation: "CreateSavingsPlan"})
			w.run(p)
			if l := w.plan(p).Lines[0]; l.State != purchase.Armed {
				t.Fatalf("%s: %s", l.State, l.Reason)
			}
			w.advance(20 * time.Minute)
			w.fault(sim.Fault{Kind: sim.TruncatedPage, Service: "savingsplans", Operation: "DescribeSavingsPlans", Times: 3})
			for range 300 {
				w.run(p)
				if w.plan(p).Lines[0].State.Terminal() {
					break
				}
				w.advance(time.Minute)
			}
			if l := w.plan(p).Lines[0]; l.State != purchase.Purchased || l.Armed != 1 {
				t.Errorf("%s after %d attempts: %s\n%s", l.State, l.Armed, l.Reason, w.told(l.ID))
			}
		})
	}
}

package engine_test

import (
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/sim"
)

// TestQueuedSavingsPlan orders a plan for a later second, and it fires.
func TestQueuedSavingsPlan(t *testing.T) {
	w := newWorld(t, sim.Options{Unthrottled: true})
	w.clouds.queue = true
	w.fault(sim.Fault{Kind: sim.LoseReply, Service: "savingsplans", Operation: "CreateSavingsPlan"})
	p := w.approved(draftOf(aws.SavingsPlans))
	if p.Lines[0].Class != cloud.ClassQueued {
		t.Fatalf("class %s", p.Lines[0].Class)
	}
	queued := false
	for range 300 {
		w.run(p)
		if p = w.plan(p); p.Lines[0].State.Terminal() {
			break
		}
		queued = queued || p.Lines[0].State == purchase.QueuedLine
		w.advance(time.Minute)
	}
	if l := w.sim.Ledger(); !queued || p.Lines[0].State != purchase.Purchased || len(l) != 1 || l[0].State == "queued" {
		t.Errorf("queued %v\n%s%+v", queued, w.story(p), l)
	}
	w.check()
}

// TestSavingsPlanModeChanged: a line is sent in no other way than people approved,
// and what is open already is followed to its end in the other mode too.
func TestSavingsPlanModeChanged(t *testing.T) {
	for _, planned := range []bool{false, true} {
		w := newWorld(t, sim.Options{Unthrottled: true, Visibility: 5 * time.Minute, Seed: 3})
		w.clouds.queue = planned
		ready, open := w.approved(draftOf(aws.SavingsPlans)), draftOf(aws.SavingsPlans)
		open.Attributes = cloud.Attributes{"plan_type": "Compute"}
		doubtful := w.approved(open)
		w.fault(sim.Fault{Kind: sim.LoseReply, Service: "savingsplans", Operation: "CreateSavingsPlan"})
		w.run(doubtful)
		if l := w.plan(doubtful).Lines[0]; l.State != purchase.Armed {
			t.Fatalf("%s: %s", l.State, l.Reason)
		}

		w.clouds.queue = !planned
		w.clouds.open = map[cloud.Lane]driver.Service{}
		for range 300 {
			w.run(doubtful)
			w.run(ready)
			if w.plan(doubtful).Lines[0].State.Terminal() {
				break
			}
			w.advance(time.Minute)
		}
		if l := w.plan(doubtful).Lines[0]; l.State != purchase.Purchased {
			t.Errorf("planned queued %v: what was open is %s: %s", planned, l.State, l.Reason)
		}
		if l := w.plan(ready).Lines[0]; l.Armed != 0 || l.State != purchase.Ready || !strings.Contains(l.Reason, "make a new plan, or change the configuration back") {
			t.Errorf("planned queued %v: %s after %d attempts: %s", planned, l.State, l.Armed, l.Reason)
		}
		if n := len(w.sim.Ledger()); n != 1 {
			t.Errorf("planned queued %v: %d plans were sold", planned, n)
		}
	}
}

// TestProposeCommitments: an amount that AWS does not take is refused when it is
// planned, and so is a count of what is sold by the amount.
func TestProposeCommitments(t *testing.T) {
	w := newWorld(t, sim.Options{})
	for _, row := range []struct {
		service  cloud.Service
		unit     string
		quantity int64
		says     string
	}{
		{aws.SavingsPlans, "0.00001", 150_001, "test.yaml:1: commitment: half of a commitment of 1.50001 USD/h over 1y is USD 6,570.0438, and AWS takes whole amounts upfront: change the commitment (a multiple of 0.05 per hour always works) or the payment"},
		{aws.SavingsPlans, "0.00001", 99, "test.yaml:1: commitment: a commitment of 0.00099 USD/h: want 0.001 to 1000000 USD/h"},
		{aws.SavingsPlans, "", 5_000, `test.yaml:1: quantity: the line counts units of "" per hour, the offering is sold in units of "0.00001"`},
		{aws.RDS, "0.00001", 5_000, `test.yaml:1: commitment: the line counts units of "0.00001" per hour, the offering is sold in units of ""`},
	} {
		d := draftOf(row.service)
		d.Unit, d.Quantity = row.unit, row.quantity
		if _, err := w.propose(0, d); err == nil || err.Error() != row.says {
			t.Errorf("%v\nwant %s", err, row.says)
		}
	}
	p, err := w.propose(0, draftOf(aws.SavingsPlans))
	if err != nil || p.Total.Total.Canonical() != "438.00" || p.Total.Upfront.Canonical() != "219.00" || p.Total.Hourly.Canonical() != "0.025" {
		t.Errorf("%+v, %v", p.Total, err)
	}
}

// TestSavingsPlanMatches: a plan whose answer named nothing but its id is what the
// receipt says, to the last decimal.
func TestSavingsPlanMatches(t *testing.T) {
	w := newWorld(t, sim.Options{Unthrottled: true})
	p := w.approved(draftOf(aws.SavingsPlans))
	w.run(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Purchased {
		t.Fatalf("%s: %s", l.State, l.Reason)
	}
	inv, err := w.engine.Inventory(t.Context())
	if err != nil || !inv.Balanced() || inv.Lanes != 3 {
		t.Errorf("%+v, %v", inv, err)
	}
	for _, i := range inv.Items {
		if i.Match != engine.Matched || i.Problem != "" || i.Commitment.Measure() != "0.05 USD/h" {
			t.Errorf("%s %s %s", i.Match, i.Problem, i.Commitment.Measure())
		}
	}
}

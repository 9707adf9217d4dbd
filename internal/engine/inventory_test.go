package engine_test

import (
	"testing"
	"time"

	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/sim"
)

// matches lists the inventory as commitment id to match.
func (w *world) matches() (map[string]engine.Match, *engine.Inventory) {
	w.t.Helper()
	inv, err := w.engine.Inventory(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	m := map[string]engine.Match{}
	for _, i := range inv.Items {
		m[i.Commitment.ID] = i.Match
	}
	return m, inv
}

func TestInventory(t *testing.T) {
	w := newWorld(t, sim.Options{PageSize: 3})
	offering := w.offering()
	w.intruder("there-before", offering)
	p := w.settle(w.approved(drafts(6)...))
	stray := purchase.Identity("test", "01J0000000000000000000000A", 1)
	other := purchase.Identity("else", "01J0000000000000000000000A", 1)
	err := w.sim.Add(
		sim.Existing{Account: accountA, Region: "us-east-1", ID: "bought-in-the-console", OfferingID: offering, Count: 1},
		sim.Existing{Account: accountA, Region: "us-east-1", ID: stray, OfferingID: offering, Count: 1},
		sim.Existing{Account: accountA, Region: "us-east-1", ID: other, OfferingID: offering, Count: 1},
	)
	if err != nil {
		t.Fatal(err)
	}
	got, inv := w.matches()
	want := map[string]engine.Match{
		"there-before":          engine.Imported,
		"bought-in-the-console": engine.Unexplained, // appeared after the lane was imported
		stray:                   engine.Unexplained, // our name, and nothing in the ledger knows it
		other:                   engine.Unexplained, // another installation's name
	}
	for _, l := range p.Lines {
		want[purchase.Identity("test", l.ID, 1)] = engine.Matched
	}
	for id, m := range want {
		if got[id] != m {
			t.Errorf("%s is %q, want %q", id, got[id], m)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d commitments listed, want %d", len(got), len(want))
	}
	if inv.Balanced() {
		t.Error("balanced although something is unexplained")
	}
	q := inv.Equations[0]
	if q.Lane.Account != accountA || q.Listed != 7 || q.Ours != 3 || q.Imported != 1 || q.Unexplained != 3 || q.Missing+q.Foreign+q.Differs != 0 || q.Holds() {
		t.Errorf("equation %+v", q)
	}
	if !inv.Equations[1].Holds() {
		t.Errorf("equation %+v", inv.Equations[1])
	}
}

// TestInventoryMisses: a purchase that no listing shows is awaited while a
// listing may miss it, and missing after.
func TestInventoryMisses(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.settle(w.approved(drafts(1)...))
	id := purchase.Identity("test", p.Lines[0].ID, 1)
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1, Duration: 1000 * time.Hour})
	if got, inv := w.matches(); got[id] != engine.Awaited || !inv.Balanced() {
		t.Errorf("just bought: %q, balanced %t", got[id], inv.Balanced())
	}
	if err := w.sim.Advance(11 * time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, inv := w.matches(); got[id] != engine.Missing || inv.Balanced() {
		t.Errorf("after the settle time: %q, balanced %t", got[id], inv.Balanced())
	}
}

// TestInventoryUnreachable: nothing is concluded about a lane that cannot be
// listed, and the other lanes are listed all the same.
func TestInventoryUnreachable(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.settle(w.approved(drafts(2)...))
	w.fault(sim.Fault{Kind: sim.Throttle, Service: "rds", Operation: "DescribeReservedDBInstances", Account: accountA, Times: -1})
	got, inv := w.matches()
	if len(inv.Failed) != 1 || inv.Balanced() {
		t.Errorf("%d lanes failed, balanced %t", len(inv.Failed), inv.Balanced())
	}
	if _, concluded := got[purchase.Identity("test", p.Lines[0].ID, 1)]; concluded {
		t.Error("concluded something about a lane that was not listed")
	}
	if got[purchase.Identity("test", p.Lines[1].ID, 1)] != engine.Matched {
		t.Error("the other lane was not listed")
	}
}

// TestInventoryDiffers: the payment of a purchase fails after it was recorded.
func TestInventoryDiffers(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.PaymentFailed})
	p := w.settle(w.approved(drafts(1)...))
	if err := w.sim.Advance(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	got, inv := w.matches()
	if got[purchase.Identity("test", p.Lines[0].ID, 1)] != engine.Differs || inv.Balanced() {
		t.Errorf("%v, balanced %t", got, inv.Balanced())
	}
}

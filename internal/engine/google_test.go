package engine_test

import (
	"strings"
	"testing"
	"time"

	"bursar/internal/driver/gcp"
	"bursar/internal/purchase"
	"bursar/internal/sim"
)

// finish runs a plan of one line, moving the simulated clock past every wait, until
// the line has come to an end or waits for a person.
func (w *world) finish(p *purchase.Plan) purchase.Line {
	w.t.Helper()
	for range 600 {
		w.run(p)
		if l := w.plan(p).Lines[0]; l.State.Terminal() || l.State == purchase.NeedsReview {
			return l
		}
		if err := w.sim.Advance(time.Minute); err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Fatalf("the line is open after ten hours:\n%s", w.story(p))
	return purchase.Line{}
}

// TestGoogleForgetsRequests: where no request id is remembered, the name is what keeps
// a second request from buying.
func TestGoogleForgetsRequests(t *testing.T) {
	for _, taken := range []sim.NameTaken{sim.AtRequest, sim.OnOperation} {
		for _, kind := range []string{sim.LoseReply, sim.LoseRequest, sim.Duplicate} {
			w := newWorld(t, sim.Options{TokenLife: -1, NameTaken: taken, Visibility: 30 * time.Minute, Unthrottled: true})
			w.fault(sim.Fault{Kind: kind, Service: "compute", Operation: "regionCommitments.insert"})
			p := w.approved(draftOf(gcp.Compute))
			if l := w.finish(p); l.State != purchase.Purchased || len(w.sim.Ledger()) != 1 {
				t.Errorf("%s, %d: %s, %s, and %d sold\n%s", kind, taken, l.State, l.Reason, len(w.sim.Ledger()), w.story(p))
			}
			w.check()
		}
	}
}

// TestGoogleNameOfAStranger: what somebody else has under the name of a line is not
// taken for the line's, nothing is sent, and a person decides.
func TestGoogleNameOfAStranger(t *testing.T) {
	for _, taken := range []sim.NameTaken{sim.AtRequest, sim.OnOperation} {
		w := newWorld(t, sim.Options{NameTaken: taken, Unthrottled: true})
		p := w.approved(draftOf(gcp.Compute))
		name := purchase.Identity("test", p.Lines[0].ID, 1)
		err := w.sim.Add(sim.Existing{Account: project, Region: "us-central1", ID: name, OfferingID: "GENERAL_PURPOSE_E2", Months: 36,
			Resources: map[string]string{"VCPU": "2", "MEMORY": "1024"}})
		if err != nil {
			t.Fatal(err)
		}
		l := w.finish(p)
		sold := 0
		for _, e := range w.sim.Ledger() {
			if !e.Existing {
				sold++
			}
		}
		if l.State != purchase.NeedsReview || !strings.Contains(l.Reason, name+" exists under this line's name") || sold != 0 {
			t.Errorf("%s, %q, and %d sold\n%s", l.State, l.Reason, sold, w.story(p))
		}
		w.check()
	}
}

// TestGoogleOperationFails: an operation that is done and has errors has bought nothing.
func TestGoogleOperationFails(t *testing.T) {
	for range 4 { // with a status in the operation, and without one
		w := newWorld(t, sim.Options{Unthrottled: true})
		w.fault(sim.Fault{Kind: sim.PaymentFailed, Service: "compute", Operation: "regionCommitments.insert"})
		p := w.approved(draftOf(gcp.Compute))
		if l := w.finish(p); l.State == purchase.Purchased || l.Reason == "" {
			t.Errorf("%s, %q\n%s", l.State, l.Reason, w.story(p))
		}
		w.check()
	}
}

// TestGoogleOperationLasts: an operation that outlasts every deadline is waited for.
func TestGoogleOperationLasts(t *testing.T) {
	w := newWorld(t, sim.Options{OperationTime: 9 * time.Hour, Unthrottled: true, Seed: 11})
	p := w.approved(draftOf(gcp.Compute))
	if l := w.finish(p); l.State != purchase.Purchased || len(w.sim.Ledger()) != 1 {
		t.Fatalf("%s, %s, and %d sold\n%s", l.State, l.Reason, len(w.sim.Ledger()), w.story(p))
	}
	if e := w.sim.Ledger()[0]; e.SettlesAt.Sub(e.BoughtAt) < 3*time.Hour {
		t.Errorf("the operation took %s only", e.SettlesAt.Sub(e.BoughtAt))
	}
	w.check()
}

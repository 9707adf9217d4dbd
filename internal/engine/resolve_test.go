package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/sim"
	"bursar/internal/store"
)

const describe = "DescribeReservedDBInstances"

// stranger puts a reservation of so many into the lane of a line.
func (w *world) stranger(l purchase.Line, id string, count int) {
	w.t.Helper()
	err := w.sim.Add(sim.Existing{
		Account: string(l.Spec.Account), Region: string(l.Spec.Offering.Region), ID: id, OfferingID: l.Spec.Offering.ID, Count: count,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) advance(d time.Duration) {
	w.t.Helper()
	if err := w.sim.Advance(d); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) resolve(l purchase.Line, r engine.Resolution) (purchase.Row, error) {
	if r.By == "" {
		r.By = "grace"
	}
	return w.engine.Resolve(w.t.Context(), l.ID, r)
}

func (w *world) theCase(l purchase.Line) *engine.Case {
	w.t.Helper()
	c, err := w.engine.Case(w.t.Context(), l.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// collided is a line whose request met a stranger's reservation of seven under
// its name, which the look before did not show.
func collided(t *testing.T) (*world, purchase.Line, string) {
	t.Helper()
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(1)...)
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: describe, Times: 1, Duration: 48 * time.Hour})
	name := purchase.Identity("test", p.Lines[0].ID, 1)
	w.stranger(p.Lines[0], name, 7)
	w.run(p)
	l := w.plan(p).Lines[0]
	if l.State != purchase.NeedsReview {
		t.Fatalf("the line whose name is taken is %s\n%s", l.State, w.story(p))
	}
	return w, l, name
}

func TestResolveNotBought(t *testing.T) {
	w, l, name := collided(t)
	// Too early: a request may still have an effect that no listing shows.
	_, err := w.resolve(l, engine.Resolution{Choice: purchase.NotBought, Second: "ada"})
	if !errors.Is(err, purchase.ErrTooEarly) {
		t.Errorf("at once: %v, want ErrTooEarly", err)
	}
	c := w.theCase(l)
	if !errors.Is(c.NotBought, purchase.ErrTooEarly) || !c.Settled.After(w.sim.Now()) ||
		!strings.Contains(c.Sentence(c.NotBought), c.Settled.Format("2006-01-02 15:04:05Z")) {
		t.Errorf("the case: %v from %s", c.NotBought, c.Settled)
	}
	w.advance(c.Settled.Sub(w.sim.Now()) - 2*time.Second)
	if _, err := w.resolve(l, engine.Resolution{Choice: purchase.NotBought, Second: "ada"}); !errors.Is(err, purchase.ErrTooEarly) {
		t.Errorf("two seconds early: %v, want ErrTooEarly", err)
	}
	w.advance(3 * time.Second)
	if _, err := w.resolve(l, engine.Resolution{Choice: purchase.NotBought, Second: "ada"}); !errors.Is(err, purchase.ErrStillThere) {
		t.Errorf("something has the line's name: %v, want ErrStillThere", err)
	}
	// One of the two listings is enough to show it.
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: describe, Times: 1, Duration: 48 * time.Hour})
	if _, err := w.resolve(l, engine.Resolution{Choice: purchase.NotBought, Second: "ada"}); !errors.Is(err, purchase.ErrStillThere) {
		t.Errorf("listed in the lane and not under the name: %v, want ErrStillThere", err)
	}
	// What is under the name is somebody else's: then nothing of it is in the way.
	row, err := w.resolve(l, engine.Resolution{Choice: engine.DeclareForeign, Commitment: name, Comment: "the console"})
	if err != nil || row.Line.State != purchase.NeedsReview {
		t.Fatalf("declared foreign: %s, %v", row.Line.State, err)
	}
	if _, err := w.resolve(l, engine.Resolution{Choice: engine.DeclareForeign, Commitment: name}); !errors.Is(err, purchase.ErrNotListed) {
		t.Errorf("declared twice: %v, want ErrNotListed", err)
	}
	if _, err := w.resolve(l, engine.Resolution{Choice: purchase.Adopt, Commitment: name}); !errors.Is(err, purchase.ErrNotListed) {
		t.Errorf("adopted what is foreign: %v, want ErrNotListed", err)
	}
	c = w.theCase(l)
	if c.NotBought != nil || c.Second || len(c.Items) != 1 || c.Items[0].Foreign == nil || c.Items[0].Foreign.By != "grace" || c.Items[0].Adopt {
		t.Errorf("the case: %v, %+v", c.NotBought, c.Items)
	}
	// Something else that nothing explains takes two people.
	w.stranger(l, "from-the-console", 1)
	if c := w.theCase(l); c.NotBought != nil || !c.Second {
		t.Errorf("the case with something unexplained: %v, second person %t", c.NotBought, c.Second)
	}
	for _, second := range []string{"", "Grace", " grace "} {
		if _, err := w.resolve(l, engine.Resolution{Choice: purchase.NotBought, Second: second}); !errors.Is(err, purchase.ErrSecondPerson) {
			t.Errorf("with the second person %q: %v, want ErrSecondPerson", second, err)
		}
	}
	row, err = w.resolve(l, engine.Resolution{Choice: purchase.NotBought, Second: "ada", Comment: "asked the owner"})
	if err != nil || row.Line.State != purchase.Failed || row.Line.DecidedBy != "grace" || row.InDoubt() != 0 {
		t.Fatalf("not bought: %s by %q, %d in doubt, %v", row.Line.State, row.Line.DecidedBy, row.InDoubt(), err)
	}
	w.said(l, "grace declared "+name+" foreign: the console", "grace decided that nothing was bought; ada agreed: asked the owner")
	if _, err := w.resolve(l, engine.Resolution{Choice: purchase.LookAgain}); !errors.Is(err, engine.ErrNoReview) {
		t.Errorf("after the decision: %v, want ErrNoReview", err)
	}
	w.check()
	if got, inv := w.matches(); got[name] != engine.Foreign || got["from-the-console"] != engine.Unexplained || inv.Balanced() {
		t.Errorf("in the inventory they are %s and %s, balanced %t", got[name], got["from-the-console"], inv.Balanced())
	}
}

// TestForeignIsExplained: what a person declares foreign is so everywhere. It ends
// the finding of the audit, the equation holds again, and no plan takes it for
// news. What was there before us needs no word.
func TestForeignIsExplained(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.intruder("before-us", w.offering())
	p, other := w.approved(drafts(1)...), w.approved(drafts(1)...)
	l := p.Lines[0]
	w.stranger(l, purchase.Identity("test", l.ID, 1), 7)
	w.run(p)
	w.intruder("in-the-console", l.Spec.Offering.ID)
	a := w.audits(true)
	if kinds(a.Findings) != "unexplained" || a.Findings[0].Commitment.ID != "in-the-console" {
		t.Fatalf("findings %+v", a.Findings)
	}
	explained := map[string]bool{}
	for _, i := range w.theCase(l).Items {
		explained[i.Commitment.ID] = i.Explained()
	}
	if !explained["before-us"] || explained["in-the-console"] || len(explained) != 3 {
		t.Errorf("the case: %v", explained)
	}
	if _, err := w.resolve(l, engine.Resolution{Choice: engine.DeclareForeign, Commitment: "before-us"}); !errors.Is(err, purchase.ErrNotListed) {
		t.Errorf("declared what was there before: %v, want ErrNotListed", err)
	}
	if _, err := w.resolve(l, engine.Resolution{Choice: engine.DeclareForeign, Commitment: "in-the-console"}); err != nil {
		t.Fatal(err)
	}
	a = w.audits(true)
	if kinds(a.Closed) != "unexplained" || a.Closed[0].Commitment.ID != "in-the-console" || len(a.Findings) != 0 {
		t.Errorf("closed %+v, open %+v", a.Closed, a.Findings)
	}
	for _, q := range a.Equations {
		if q.Lane == l.Spec.Lane() && (!q.Holds() || q.Imported != 1 || q.Foreign != 1) {
			t.Errorf("equation %+v", q)
		}
	}
	if got := w.settle(other).Lines[0]; got.State != purchase.Purchased {
		t.Errorf("another plan: %s: %s", got.State, got.Reason)
	}
}

// TestVersionsKnowTheirLanes: a new version rests on what its lanes hold when it
// is made, so that it may be bought beside what stopped the one before.
func TestVersionsKnowTheirLanes(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(1)...)
	w.intruder("in-between", p.Lines[0].Spec.Offering.ID)
	p = w.settle(p)
	if l := p.Lines[0]; l.State != purchase.NeedsReapproval {
		t.Fatalf("%s: %s", l.State, l.Reason)
	}
	next, _, err := w.engine.Continue(t.Context(), p, engine.PlanOptions{Requester: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.approve(next); err != nil {
		t.Fatal(err)
	}
	if l := w.settle(next).Lines[0]; l.State != purchase.Purchased {
		t.Errorf("%s: %s", l.State, l.Reason)
	}
	if l := w.plan(p).Lines[0]; l.State != purchase.Superseded {
		t.Errorf("version 1: %s", l.State)
	}
	w.audit(next)
}

// said looks for what people said in the evidence of a line.
func (w *world) said(l purchase.Line, want ...string) {
	w.t.Helper()
	facts, err := w.db.Facts(w.t.Context(), l.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	var got []string
	for _, f := range facts {
		if f.Kind == cloud.EvidencePerson {
			got = append(got, f.Detail)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("people said %q, want %q", got, want)
	}
}

func TestResolveAdopt(t *testing.T) {
	w, l, name := collided(t)
	w.stranger(l, "from-the-console", 1)
	for _, id := range []string{"", "nowhere", l.Spec.Offering.ID} {
		if _, err := w.resolve(l, engine.Resolution{Choice: purchase.Adopt, Commitment: id}); !errors.Is(err, purchase.ErrNotListed) {
			t.Errorf("adopt %q: %v, want ErrNotListed", id, err)
		}
	}
	c := w.theCase(l)
	if len(c.Items) != 2 {
		t.Fatalf("the lane lists %d", len(c.Items))
	}
	for _, i := range c.Items {
		if !i.Adopt || i.Explained() || i.Named != (i.Commitment.ID == name) || (i.Differs == "") == i.Named {
			t.Errorf("%s: %+v", i.Commitment.ID, i)
		}
	}
	row, err := w.resolve(l, engine.Resolution{Choice: purchase.Adopt, Commitment: name, Comment: "seven is fine"})
	if err != nil || row.Line.State != purchase.Purchased || row.Line.DecidedBy != "grace" {
		t.Fatalf("adopted: %s by %q, %v", row.Line.State, row.Line.DecidedBy, err)
	}
	w.said(l, "grace decided that "+name+" is this line's: seven is fine")
	receipts, err := w.db.Receipts(t.Context())
	if err != nil || len(receipts) != 1 || !receipts[0].Heuristic || receipts[0].Commitment.Quantity != 7 {
		t.Errorf("receipts: %+v, %v", receipts, err)
	}
	w.check()
	if got, _ := w.matches(); got[name] != engine.Matched {
		t.Errorf("in the inventory it is %s", got[name])
	}
	err = w.db.DeclareForeign(t.Context(), store.Foreign{Lane: l.Spec.Lane(), Commitment: name, By: "grace", At: w.sim.Now()})
	if err == nil {
		t.Error("what a receipt names was declared foreign")
	}
}

// What another line has bought is not there to be adopted or declared foreign.
func TestResolveWhatIsExplained(t *testing.T) {
	w, l, _ := collided(t)
	other := w.settle(w.approved(drafts(1)...)).Lines[0]
	if other.State != purchase.Purchased {
		t.Fatal(other.State)
	}
	theirs := purchase.Identity("test", other.ID, 1)
	for _, choice := range []purchase.Choice{purchase.Adopt, engine.DeclareForeign} {
		if _, err := w.resolve(l, engine.Resolution{Choice: choice, Commitment: theirs}); !errors.Is(err, purchase.ErrNotListed) {
			t.Errorf("%s: %v, want ErrNotListed", choice, err)
		}
	}
	for _, i := range w.theCase(l).Items {
		if i.Commitment.ID == theirs && (i.Receipt != other.ID || i.Adopt) {
			t.Errorf("%+v", i)
		}
	}
	w.check()
}

func TestResolveLookAgain(t *testing.T) {
	w, l, name := collided(t)
	sent := len(w.sim.Requests())
	row, err := w.resolve(l, engine.Resolution{Choice: purchase.LookAgain})
	// The look shows the same thing again, and says so.
	if err != nil || row.Line.State != purchase.NeedsReview || row.Line.Armed != 1 {
		t.Fatalf("%s, %d armed, %v", row.Line.State, row.Line.Armed, err)
	}
	for _, r := range w.sim.Requests()[sent:] {
		if r.Spending {
			t.Errorf("looking again sent %s", r.Operation)
		}
	}
	w.said(l, "grace asked to look again")

	// When the listing cannot be had, the line waits in doubt for one that can.
	w.fault(sim.Fault{Kind: sim.ErrorBefore, Service: "rds", Operation: describe, Times: -1})
	if c := w.theCase(l); c.Unlisted == nil || c.NotBought == nil || c.LookAgain != nil {
		t.Errorf("the case without a listing: %+v", c)
	}
	if _, err := w.resolve(l, engine.Resolution{Choice: purchase.Adopt, Commitment: name}); err == nil {
		t.Error("adopted without a listing")
	}
	if row, err = w.resolve(l, engine.Resolution{Choice: purchase.LookAgain}); err != nil || row.Line.State != purchase.Armed {
		t.Errorf("%s, %v", row.Line.State, err)
	}
	w.check()
}

// A line that waits for a person although nothing was sent for it: its name was
// found taken before.
func TestResolveNothingSent(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(1)...)
	l := p.Lines[0]
	name := purchase.Identity("test", l.ID, 1)
	w.stranger(l, name, 7)
	w.run(p)
	if got := w.plan(p).Lines[0]; got.State != purchase.NeedsReview {
		t.Fatal(got.State)
	}
	if _, err := w.resolve(l, engine.Resolution{Choice: purchase.LookAgain}); !errors.Is(err, purchase.ErrNothingToLook) {
		t.Errorf("look again: %v, want ErrNothingToLook", err)
	}
	if c := w.theCase(l); !c.Settled.IsZero() || !errors.Is(c.NotBought, purchase.ErrStillThere) || len(c.Items) != 1 || !c.Items[0].Adopt {
		t.Errorf("the case: %+v", c)
	}
	for _, second := range []string{"", "ada"} {
		if _, err := w.resolve(l, engine.Resolution{Choice: purchase.NotBought, Second: second}); !errors.Is(err, purchase.ErrStillThere) {
			t.Errorf("not bought with the second person %q: %v, want ErrStillThere", second, err)
		}
	}
	// The name is a stranger's; what else nothing explains takes two people.
	row, err := w.resolve(l, engine.Resolution{Choice: engine.DeclareForeign, Commitment: name})
	if err != nil || row.Line.State != purchase.NeedsReview {
		t.Fatalf("declared foreign: %s, %v", row.Line.State, err)
	}
	if c := w.theCase(l); c.NotBought != nil || c.Second {
		t.Errorf("the case of a name that is foreign: %v, second person %t", c.NotBought, c.Second)
	}
	w.stranger(l, "from-the-console", 1)
	if _, err := w.resolve(l, engine.Resolution{Choice: purchase.NotBought}); !errors.Is(err, purchase.ErrSecondPerson) {
		t.Errorf("not bought: %v, want ErrSecondPerson", err)
	}
	row, err = w.resolve(l, engine.Resolution{Choice: purchase.NotBought, Second: "ada"})
	if err != nil || row.Line.State != purchase.Failed || row.Line.DecidedBy != "grace" {
		t.Errorf("%s by %q, %v", row.Line.State, row.Line.DecidedBy, err)
	}
	w.said(l, "grace declared "+name+" foreign", "grace decided that nothing was bought; ada agreed")
	if n := w.spent(); n != 0 {
		t.Errorf("%d purchases were sent", n)
	}
	w.check()
}

// A name of a later generation is the line's too: the ledger may have forgotten
// that it was used.
func TestResolveForgottenGeneration(t *testing.T) {
	w, l, name := collided(t)
	later := purchase.Identity("test", l.ID, 7)
	w.stranger(l, later, 1)
	w.advance(w.theCase(l).Settled.Sub(w.sim.Now()) + time.Second)
	foreign := func(id string) {
		t.Helper()
		if row, err := w.resolve(l, engine.Resolution{Choice: engine.DeclareForeign, Commitment: id}); err != nil || row.Line.State != purchase.NeedsReview {
			t.Fatalf("declared %s foreign: %s, %v", id, row.Line.State, err)
		}
	}
	notBought := engine.Resolution{Choice: purchase.NotBought, Second: "ada"}
	foreign(name)
	if _, err := w.resolve(l, notBought); !errors.Is(err, purchase.ErrStillThere) {
		t.Errorf("a later name is listed: %v, want ErrStillThere", err)
	}
	foreign(later)
	if row, err := w.resolve(l, notBought); err != nil || row.Line.State != purchase.Failed {
		t.Errorf("%s, %v", row.Line.State, err)
	}
	w.check()
}

// A decision on a view that is not the newest any more loses.
func TestResolveLosesARace(t *testing.T) {
	w, l, name := collided(t)
	raced := false
	w.clouds.before = func(string) {
		if raced {
			return
		}
		raced = true
		row, err := w.db.Row(t.Context(), l.ID)
		if err != nil {
			t.Error(err)
		}
		c, err := purchase.DefaultRules.Step(row, purchase.Decided{Choice: purchase.LookAgain, By: "ada"}, w.sim.Now())
		if err == nil {
			err = w.db.Apply(t.Context(), c, w.sim.Now())
		}
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := w.resolve(l, engine.Resolution{Choice: purchase.Adopt, Commitment: name}); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("adopted what somebody else moved: %v, want ErrLost", err)
	}
	row, err := w.db.Row(t.Context(), l.ID)
	if err != nil || row.Line.State != purchase.Armed || row.Line.DecidedBy != "" {
		t.Errorf("%s, decided by %q, %v", row.Line.State, row.Line.DecidedBy, err)
	}
	w.check()
}

package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// offering is what draft sells in the first lane.
func (w *world) offering() string {
	w.t.Helper()
	svc, err := w.clouds.Service(w.clouds.Lanes()[0])
	if err != nil {
		w.t.Fatal(err)
	}
	d := drafts(1)[0]
	found, err := svc.Offerings(w.t.Context(), driver.Query{Attributes: d.Attributes, Term: d.Term, Payment: d.Payment})
	if err != nil || len(found) != 1 {
		w.t.Fatalf("%d offerings, %v", len(found), err)
	}
	return found[0].ID
}

// intruder buys one unit in the first lane.
func (w *world) intruder(id, offering string) {
	w.t.Helper()
	err := w.sim.Add(sim.Existing{Account: accountA, Region: "us-east-1", ID: id, OfferingID: offering, Count: 1, BoughtAt: w.sim.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) audits(all bool) *engine.Audit {
	w.t.Helper()
	a, err := w.engine.Audit(w.t.Context(), all)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(a.Failed) > 0 {
		w.t.Fatalf("lanes were not listed: %v", a.Failed)
	}
	return a
}

// facts tells what became of a line: "active missing".
func (w *world) facts(l purchase.Line) string {
	w.t.Helper()
	facts, err := w.db.AuditFacts(w.t.Context(), l.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	kinds := make([]string, len(facts))
	for i, f := range facts {
		kinds[i] = string(f.Kind)
	}
	return strings.Join(kinds, " ")
}

func kinds(list []store.Finding) string {
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = string(f.Kind)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestAuditFollows: a purchase is pending when its receipt is written and active
// when it is looked at; it is looked at when due and said only once.
func TestAuditFollows(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.settle(w.approved(drafts(1)...))
	l := p.Lines[0]
	if a := w.audits(false); a.Lanes != 2 || len(a.Facts) != 0 || len(a.Findings) != 0 {
		t.Errorf("at once: %d lanes, %v, %v", a.Lanes, a.Facts, a.Findings)
	}
	if a := w.audits(false); a.Lanes != 0 || a.NextAt.IsZero() {
		t.Errorf("again: %d lanes are due, next at %s", a.Lanes, a.NextAt)
	}
	w.advance(14 * time.Minute)
	if a := w.audits(false); a.Lanes != 0 {
		t.Errorf("after 14 minutes %d lanes are due", a.Lanes)
	}
	var looks []time.Duration
	bought := w.receipt(l).At
	for range 3 * 24 * 4 {
		w.advance(15 * time.Minute)
		if a := w.audits(false); slices.ContainsFunc(a.Equations, func(q engine.Equation) bool { return q.Lane == l.Spec.Lane() }) {
			looks = append(looks, w.sim.Now().Sub(bought).Truncate(15*time.Minute))
		}
	}
	day := 24 * time.Hour
	if want := []time.Duration{15 * time.Minute, 2 * time.Hour, day, 2 * day, 3 * day}; !slices.Equal(looks, want) {
		t.Errorf("looked at %v after the purchase, want %v", looks, want)
	}
	if got := w.facts(l); got != "active" {
		t.Errorf("facts: %q", got)
	}
	w.advance(400 * day)
	if a := w.audits(false); w.facts(l) != "active retired" || len(a.Findings) != 0 {
		t.Errorf("after the term: %q, %v", w.facts(l), a.Findings)
	}
	w.advance(100 * day)
	w.audits(false)
	watches, err := w.db.Watches(t.Context())
	if err != nil || !watches[0].NextAt.IsZero() || watches[0].State != store.FactRetired {
		t.Errorf("watch %+v, %v", watches[0], err)
	}
	if a := w.audits(false); a.Lanes != 0 {
		t.Errorf("what has ended is due for ever: %d lanes", a.Lanes)
	}
	w.audit(p)
}

func (w *world) receipt(l purchase.Line) purchase.Receipt {
	w.t.Helper()
	all, err := w.db.Receipts(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range all {
		if r.Line == l.ID {
			return r
		}
	}
	w.t.Fatalf("line %d has no receipt", l.Number)
	return purchase.Receipt{}
}

func TestAuditRaisesAFailedPayment(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.PaymentFailed})
	p := w.settle(w.approved(drafts(2)...))
	w.advance(15 * time.Minute)
	a := w.audits(false)
	if kinds(a.Findings) != "payment_failed" || a.Findings[0].Detail != "its payment failed" {
		t.Fatalf("findings %+v", a.Findings)
	}
	failed, paid := p.Lines[0], p.Lines[1]
	if a.Findings[0].Line != failed.ID {
		failed, paid = paid, failed
	}
	if w.facts(failed) != "payment_failed" || w.facts(paid) != "active" {
		t.Errorf("facts %q and %q", w.facts(failed), w.facts(paid))
	}
	w.advance(3 * 24 * time.Hour)
	if a := w.audits(false); len(a.Facts) != 0 || kinds(a.Findings) != "payment_failed" || a.Findings[0].LastSeen.Equal(a.Findings[0].FirstSeen) {
		t.Errorf("days later: %v, %+v", a.Facts, a.Findings)
	}
	// A cloud need not list for ever what was never paid; that it was not stays open.
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Account: string(failed.Spec.Account), Times: -1, Duration: 1000 * time.Hour})
	if a := w.audits(true); len(a.Facts)+len(a.Closed) != 0 || kinds(a.Findings) != "payment_failed" {
		t.Errorf("not listed: %v, %v, %+v", a.Facts, a.Closed, a.Findings)
	}
}

// TestAuditUnexplained: what a stranger buys after the lane was imported is
// raised with what is known, and closes when it is explained.
func TestAuditUnexplained(t *testing.T) {
	w := newWorld(t, sim.Options{})
	offering := w.offering()
	w.intruder("before-us", offering)
	if a := w.audits(false); len(a.Findings) != 0 || a.Equations[0].Imported+a.Equations[1].Imported != 1 {
		t.Fatalf("the first audit found %+v", a.Findings)
	}
	w.intruder("in-the-console", offering)
	if a := w.audits(false); a.Lanes != 0 {
		t.Errorf("%d lanes are due again at once", a.Lanes)
	}
	w.advance(24 * time.Hour)
	a := w.audits(false)
	if kinds(a.Findings) != "unexplained" {
		t.Fatalf("findings %+v", a.Findings)
	}
	f := a.Findings[0]
	c := f.Commitment
	if c.ID != "in-the-console" || c.OfferingID != offering || c.Quantity != 1 || c.State != cloud.Active || c.Start.IsZero() ||
		c.Attributes["class"] != "db.r6g.large" || f.Line != "" || !strings.Contains(f.Detail, "nothing here bought it") {
		t.Errorf("what is known: %+v", f)
	}
	// A listing that misses it explains nothing.
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: 2, Duration: 30 * time.Hour})
	if a := w.audits(true); kinds(a.Findings) != "unexplained" || len(a.Closed) != 0 {
		t.Errorf("not listed: %v, closed %v", a.Findings, a.Closed)
	}
	if a := w.audits(true); kinds(a.Findings) != "unexplained" || !a.Findings[0].FirstSeen.Equal(f.FirstSeen) {
		t.Errorf("listed again: %+v", a.Findings)
	}
	// Its term ends.
	w.advance(366 * 24 * time.Hour)
	if a := w.audits(false); kinds(a.Closed) != "" || kinds(a.Findings) != "unexplained" {
		t.Errorf("still listed: closed %v, open %v", a.Closed, a.Findings)
	}
	w.unlisted()
	if a := w.audits(true); kinds(a.Closed) != "unexplained" || len(a.Findings) != 0 {
		t.Errorf("over and not listed: closed %v, open %v", a.Closed, a.Findings)
	}
}

// unlisted makes all listings show a world in which nothing was bought yet.
func (w *world) unlisted() {
	w.t.Helper()
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1, Duration: 100_000 * time.Hour})
}

// TestAuditAfterTheEnd: what is over need not be listed any more.
func TestAuditAfterTheEnd(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.settle(w.approved(drafts(1)...))
	w.advance(366 * 24 * time.Hour)
	w.unlisted()
	if a := w.audits(false); len(a.Findings) != 0 || w.facts(p.Lines[0]) != "retired" {
		t.Errorf("findings %+v, facts %q", a.Findings, w.facts(p.Lines[0]))
	}
	watches, err := w.db.Watches(t.Context())
	if err != nil || !watches[0].NextAt.IsZero() {
		t.Errorf("watch %+v, %v", watches[0], err)
	}
	w.audit(p)
}

// TestAuditMissing: what a listing must show and does not is missing, and a later
// listing that shows it ends that.
func TestAuditMissing(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.settle(w.approved(drafts(1)...))
	stale := sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1, Duration: 1000 * time.Hour}
	w.fault(stale)
	if a := w.audits(true); len(a.Findings)+len(a.Facts) != 0 {
		t.Errorf("before the settle time: %v %v", a.Findings, a.Facts)
	}
	w.advance(15 * time.Minute)
	a := w.audits(false)
	if kinds(a.Findings) != "missing" || a.Findings[0].Line != p.Lines[0].ID || w.facts(p.Lines[0]) != "missing" {
		t.Errorf("%+v, facts %q", a.Findings, w.facts(p.Lines[0]))
	}
	if a := w.audits(true); kinds(a.Findings) != "missing" || w.facts(p.Lines[0]) != "missing" {
		t.Errorf("again: %+v, facts %q", a.Findings, w.facts(p.Lines[0]))
	}
	if err := w.sim.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	if a := w.audits(true); kinds(a.Closed) != "missing" || len(a.Findings) != 0 || w.facts(p.Lines[0]) != "missing active" {
		t.Errorf("found again: closed %v, open %v, facts %q", a.Closed, a.Findings, w.facts(p.Lines[0]))
	}
}

// TestAuditUnreachable: a lane that cannot be listed stays due, and nothing is
// concluded about it.
func TestAuditUnreachable(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.settle(w.approved(drafts(2)...))
	w.advance(15 * time.Minute)
	w.fault(sim.Fault{Kind: sim.Throttle, Service: "rds", Operation: "DescribeReservedDBInstances", Account: accountA, Times: -1})
	a, err := w.engine.Audit(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Failed) != 1 || a.Lanes != 2 || len(a.Findings) != 0 || w.facts(p.Lines[0]) != "" || w.facts(p.Lines[1]) != "active" {
		t.Errorf("%d failed, %v, facts %q %q", len(a.Failed), a.Findings, w.facts(p.Lines[0]), w.facts(p.Lines[1]))
	}
	if err := w.sim.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	if a := w.audits(false); a.Lanes != 1 || w.facts(p.Lines[0]) != "active" {
		t.Errorf("%d lanes, facts %q", a.Lanes, w.facts(p.Lines[0]))
	}
}

// decide carries out a person's decision about a line, on what its lane lists now.
func (w *world) decide(l purchase.Line, d purchase.Decided) {
	w.t.Helper()
	row, err := w.db.Row(w.t.Context(), l.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	svc, err := w.clouds.Service(l.Spec.Lane())
	if err != nil {
		w.t.Fatal(err)
	}
	if d.Found, err = svc.Find(w.t.Context(), driver.Request{Account: l.Spec.Account}); err != nil {
		w.t.Fatal(err)
	}
	c, err := purchase.DefaultRules.Step(row, d, w.sim.Now())
	if err == nil {
		err = w.db.Apply(w.t.Context(), c, w.sim.Now())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestHeuristicMixedNotBought: the cloud says that the name of a line is taken and
// lists nothing under it, long after it must. A person closes the line as not
// bought, and then it is listed.
func TestHeuristicMixedNotBought(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(1)...)
	l := p.Lines[0]
	name := purchase.Identity("test", l.ID, 1)
	stale := sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1, Duration: 1000 * time.Hour}
	w.fault(sim.Fault{Kind: sim.LoseReply})
	w.fault(stale)
	if got := w.settle(p).Lines[0]; got.State != purchase.NeedsReview || got.Reason != "the cloud said that this name exists, and no listing shows it" {
		t.Fatalf("%s: %s", got.State, got.Reason)
	}
	if w.owned(l) != 1 {
		t.Fatalf("sold %d times", w.owned(l))
	}
	if err := w.sim.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	if a := w.audits(true); len(a.Findings) != 0 {
		t.Errorf("raised although a person is asked about it: %+v", a.Findings)
	}
	if _, err := w.resolve(l, engine.Resolution{Choice: purchase.NotBought, Second: "ada"}); !errors.Is(err, purchase.ErrStillThere) {
		t.Errorf("not bought although it is listed: %v, want ErrStillThere", err)
	}
	w.fault(stale)
	if row, err := w.resolve(l, engine.Resolution{Choice: purchase.NotBought}); err != nil || row.Line.State != purchase.Failed || row.Line.DecidedBy != "grace" {
		t.Fatalf("not bought: %s, %v", row.Line.State, err)
	}
	if err := w.sim.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	a := w.audits(true)
	if kinds(a.Findings) != "heuristic_mixed" || a.Findings[0].Line != l.ID || a.Findings[0].Commitment.ID != name {
		t.Errorf("findings %+v", a.Findings)
	}
}

// TestHeuristicMixedAdopted: a person adopts a commitment that is gone later.
func TestHeuristicMixedAdopted(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 2))
	l := p.Lines[0]
	w.fault(sim.Fault{Kind: sim.LoseRequest})
	w.run(p)
	name := purchase.Identity("test", l.ID, 1)
	w.intruder(name, l.Spec.Offering.ID) // one unit, two were asked for
	w.advance(time.Minute)
	w.run(p)
	if got := w.plan(p).Lines[0]; got.State != purchase.NeedsReview {
		t.Fatalf("%s: %s", got.State, got.Reason)
	}
	w.decide(l, purchase.Decided{Choice: purchase.Adopt, By: "ada", Adopt: name})
	w.advance(15 * time.Minute)
	if a := w.audits(false); len(a.Findings) != 0 || w.facts(l) != "active" {
		t.Errorf("findings %+v, facts %q", a.Findings, w.facts(l))
	}
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1, Duration: 1000 * time.Hour})
	a := w.audits(true)
	if kinds(a.Findings) != "heuristic_mixed" || w.facts(l) != "active heuristic_mixed" ||
		!strings.HasPrefix(a.Findings[0].Detail, "a person decided that it is this line's: bought ") {
		t.Errorf("findings %+v, facts %q", a.Findings, w.facts(l))
	}
}

// TestAuditClosesWhatIsExplained: a person adopts what was unexplained. That the
// commitment under the line's own name is then nobody's is not forgotten.
func TestAuditClosesWhatIsExplained(t *testing.T) {
	w := newWorld(t, sim.Options{})
	other := w.approved(lane(1)...)
	p := w.approved(draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 2))
	l := p.Lines[0]
	w.fault(sim.Fault{Kind: sim.LoseRequest})
	w.run(p)
	name := purchase.Identity("test", l.ID, 1)
	w.intruder(name, l.Spec.Offering.ID)
	w.intruder("in-the-console", l.Spec.Offering.ID)
	w.advance(time.Minute)
	w.run(p)
	a := w.audits(true)
	if kinds(a.Findings) != "unexplained" || a.Findings[0].Commitment.ID != "in-the-console" {
		t.Fatalf("findings %+v", a.Findings)
	}
	w.decide(l, purchase.Decided{Choice: purchase.Adopt, By: "ada", Adopt: "in-the-console"})
	a = w.audits(true)
	if kinds(a.Closed) != "unexplained" || a.Closed[0].Commitment.ID != "in-the-console" {
		t.Errorf("closed %+v", a.Closed)
	}
	w.run(other) // and for another plan it is no news
	if got := w.plan(other).Lines[0]; got.State != purchase.Purchased {
		t.Errorf("%s: %s", got.State, got.Reason)
	}
	if kinds(a.Findings) != "unexplained" || a.Findings[0].Commitment.ID != name || a.Findings[0].Line != l.ID ||
		!strings.Contains(a.Findings[0].Detail, "a line that is purchased") {
		t.Errorf("findings %+v", a.Findings)
	}
}

// TestExclusiveLane: without a name, one new commitment is taken for the line's
// only where nobody else buys.
func TestExclusiveLane(t *testing.T) {
	for _, exclusive := range []bool{true, false} {
		w := newWorld(t, sim.Options{})
		w.clouds.class = cloud.ClassNone
		p := w.approved(lane(1)...)
		if exclusive {
			if err := w.db.DeclareExclusive(t.Context(), w.clouds.Lanes()); err != nil {
				t.Fatal(err)
			}
		}
		w.audits(true)
		w.fault(sim.Fault{Kind: sim.LoseReply})
		want := purchase.NeedsReview
		if exclusive {
			want = purchase.Purchased
		}
		if l := w.settle(p).Lines[0]; l.State != want {
			t.Errorf("exclusive %t: %s: %s", exclusive, l.State, l.Reason)
		}
	}
}

// TestUnpaidIsNotOurs: what was ordered under our name and never paid binds
// nothing, and its line says so.
func TestUnpaidIsNotOurs(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(1)...)
	w.fault(sim.Fault{Kind: sim.LoseReply})
	w.fault(sim.Fault{Kind: sim.PaymentFailed})
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Skip: 1, Duration: time.Hour})
	w.run(p)
	w.advance(time.Hour)
	if l := w.settle(p).Lines[0]; l.State != purchase.Failed {
		t.Fatalf("%s: %s", l.State, l.Reason)
	}
	if a := w.audits(true); len(a.Findings) != 0 {
		t.Errorf("findings %+v", a.Findings)
	}
	if got, inv := w.matches(); !inv.Balanced() || got[purchase.Identity("test", p.Lines[0].ID, 1)] != engine.Matched {
		t.Errorf("%v, balanced %t", got, inv.Balanced())
	}
}

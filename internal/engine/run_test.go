package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"bursar/internal/engine"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// TestOneFault buys one line while its first purchase request meets each fault.
func TestOneFault(t *testing.T) {
	for _, tc := range []struct {
		fault    sim.Fault
		attempts int // how many rights to send it took
	}{
		{sim.Fault{Kind: sim.LoseRequest}, 2},
		{sim.Fault{Kind: sim.LoseReply}, 1},
		{sim.Fault{Kind: sim.ErrorBefore, Status: 500}, 2},
		{sim.Fault{Kind: sim.ErrorAfter, Status: 500}, 1},
		{sim.Fault{Kind: sim.ErrorBefore, Status: 502}, 2},
		{sim.Fault{Kind: sim.ErrorAfter, Status: 502}, 1},
		{sim.Fault{Kind: sim.ErrorBefore, Status: 503}, 2},
		{sim.Fault{Kind: sim.ErrorAfter, Status: 503}, 1},
		{sim.Fault{Kind: sim.TornBody}, 1},
		{sim.Fault{Kind: sim.Slow}, 1},
		{sim.Fault{Kind: sim.Throttle}, 2},
		{sim.Fault{Kind: sim.Redirect}, 2},
	} {
		t.Run(fmt.Sprint(tc.fault.Kind, tc.fault.Status), func(t *testing.T) {
			w := newWorld(t, sim.Options{})
			w.clouds.answer = 300 * time.Millisecond
			w.fault(tc.fault)
			p := w.settle(w.approved(drafts(1)...))
			if l := p.Lines[0]; l.State != purchase.Purchased || l.Armed != tc.attempts {
				t.Errorf("line is %s after %d attempts, want purchased after %d\n%s", l.State, l.Armed, tc.attempts, w.story(p))
			}
			w.audit(p)
		})
	}
}

// TestStaticKeys buys without a role: the signature's age is what ends a request.
func TestStaticKeys(t *testing.T) {
	for _, kind := range []string{sim.LoseReply, sim.LoseRequest} {
		w := newWorld(t, sim.Options{})
		w.clouds.keys = true
		w.fault(sim.Fault{Kind: kind})
		p := w.settle(w.approved(drafts(2)...))
		for _, l := range p.Lines {
			if l.State != purchase.Purchased {
				t.Errorf("%s: %s\n%s", kind, l.State, w.story(p))
			}
		}
		w.audit(p)
	}
}

// TestDoubtEndsByEvidence loses every request: the line stays in doubt until a
// complete listing must show whatever its requests did, and only then is closed.
func TestDoubtEndsByEvidence(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.LoseRequest, Times: -1})
	p := w.approved(drafts(1)...)
	w.run(p)
	first := w.sim.Now()
	for range 11 { // the session's deadline is 2 minutes, the settle time 10
		if err := w.sim.Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
		w.run(p)
		if l := w.plan(p).Lines[0]; l.State != purchase.Armed {
			t.Fatalf("%s after %s: %s", l.State, w.sim.Now().Sub(first), l.Reason)
		}
	}
	p = w.settle(p)
	if l := p.Lines[0]; l.State != purchase.Failed || !strings.Contains(l.Reason, "nothing bought in 5 attempts") {
		t.Errorf("%s: %s", l.State, l.Reason)
	}
	w.audit(p)
}

// TestLateEffect delays requests inside the network: they arrive after Bursar has
// stopped waiting, and must be dead once the line is closed.
func TestLateEffect(t *testing.T) {
	for _, delay := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute} {
		t.Run(delay.String(), func(t *testing.T) {
			w := newWorld(t, sim.Options{})
			w.clouds.answer = 300 * time.Millisecond
			w.fault(sim.Fault{Kind: sim.Delay, Times: -1, Duration: delay})
			p := w.settle(w.approved(drafts(1)...))
			if err := w.sim.Advance(24 * time.Hour); err != nil {
				t.Fatal(err)
			}
			w.audit(p)
			want := purchase.Purchased
			if delay > 2*time.Minute { // the session's own deadline stops it at the cloud
				want = purchase.Failed
			}
			if got := p.Lines[0].State; got != want {
				t.Errorf("line is %s, want %s\n%s", got, want, w.story(p))
			}
		})
	}
}

// TestLateListing hides purchases from listings for longer than Bursar takes to
// look: a name that exists and is not listed stays in doubt.
func TestLateListing(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.LoseReply})
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1, Duration: 5 * time.Minute})
	p := w.approved(drafts(1)...)
	w.run(p)
	if err := w.sim.Advance(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	w.run(p)
	if l := w.plan(p).Lines[0]; l.State != purchase.Armed {
		t.Fatalf("%s: %s", l.State, l.Reason)
	}
	p = w.settle(p)
	if l := p.Lines[0]; l.State != purchase.Purchased {
		t.Errorf("%s\n%s", l.State, w.story(p))
	}
	w.audit(p)
}

// TestNameTaken puts a stranger's reservation under the name of a line.
func TestNameTaken(t *testing.T) {
	for _, when := range []string{"before the first look", "after the look"} {
		t.Run(when, func(t *testing.T) {
			w := newWorld(t, sim.Options{})
			p := w.approved(drafts(2)...)
			l := p.Lines[0]
			if when == "after the look" {
				// The look does not show it yet, the purchase collides with it.
				w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: 1, Duration: 48 * time.Hour})
			}
			err := w.sim.Add(sim.Existing{
				Account: accountA, Region: "us-east-1", ID: purchase.Identity("test", l.ID, 1),
				OfferingID: p.Lines[0].Spec.Offering.ID, Count: 7,
			})
			if err != nil {
				t.Fatal(err)
			}
			p = w.settle(p)
			if got := p.Lines[0]; got.State != purchase.NeedsReview {
				t.Errorf("the line whose name is taken is %s: %s", got.State, got.Reason)
			}
			if got := p.Lines[1]; got.State != purchase.Purchased {
				t.Errorf("its neighbor is %s: %s", got.State, got.Reason)
			}
			w.check()
		})
	}
}

// TestNobodyWaitsForPeople: a run is over when what is left needs a new approval.
func TestNobodyWaitsForPeople(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(1)...)
	hundred, more := money.MustParse("100", "USD"), money.MustParse("900000", "USD")
	if err := w.sim.SetPrice(p.Lines[0].Spec.Offering.ID, more, hundred); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 {
		if err := w.engine.Run(ctx, engine.RunOptions{Plan: p.ID, Patience: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	if l := w.plan(p).Lines[0]; l.State != purchase.NeedsReapproval {
		t.Errorf("%s: %s", l.State, l.Reason)
	}
}

// TestPriceMoves changes a price between approval and purchase.
func TestPriceMoves(t *testing.T) {
	usd := func(s string) money.Amount { return money.MustParse(s, "USD") }
	for _, tc := range []struct {
		name          string
		toleranceBP   int
		fixed, hourly string // per cent of the old price
		want          purchase.State
	}{
		{"upfront rises", 0, "101", "100", purchase.NeedsReapproval},
		{"hourly rises", 0, "100", "101", purchase.NeedsReapproval},
		{"rises within the tolerance", 100, "101", "101", purchase.Purchased},
		{"rises above the tolerance", 99, "101", "101", purchase.NeedsReapproval},
		{"falls", 0, "90", "90", purchase.Purchased},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, sim.Options{})
			p := w.approvedWith(tc.toleranceBP, drafts(1)...)
			o := p.Lines[0].Spec.Offering
			scale := func(a money.Amount, percent string) money.Amount {
				var n int64
				fmt.Sscan(percent, &n) //nolint:errcheck // a constant above
				scaled, err := a.Percent(n)
				if err != nil {
					t.Fatal(err)
				}
				return usd(scaled.Canonical())
			}
			if err := w.sim.SetPrice(o.ID, scale(o.Upfront, tc.fixed), scale(o.Hourly, tc.hourly)); err != nil {
				t.Fatal(err)
			}
			p = w.settle(p)
			if got := p.Lines[0]; got.State != tc.want {
				t.Errorf("%s: %s", got.State, got.Reason)
			}
			w.audit(p)
		})
	}
}

// TestWrongCaller: the credentials turn out to belong to somebody else. Nothing
// is sent, and the line says why.
func TestWrongCaller(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.WrongCaller, Service: "sts", Operation: "GetCallerIdentity", Times: -1})
	p := w.approved(drafts(1)...)
	for range 5 {
		w.run(p)
		if err := w.sim.Advance(10 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range w.sim.Requests() {
		if r.Spending {
			t.Errorf("%s was sent", r.Operation)
		}
	}
	if l := w.plan(p).Lines[0]; l.State == purchase.Purchased || !strings.Contains(l.Reason, "account") {
		t.Errorf("%s: %q", l.State, l.Reason)
	}
	w.audit(p)
}

// TestPaymentFails: the cloud accepts the order and its answer is lost; the
// payment fails before anybody looks. The name is spent, nothing is owned.
func TestPaymentFails(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.fault(sim.Fault{Kind: sim.LoseReply})
	w.fault(sim.Fault{Kind: sim.PaymentFailed})
	p := w.approved(drafts(1)...)
	// Before the purchase the lane is listed, after it the name.
	w.fault(sim.Fault{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: 2, Duration: time.Hour})
	w.run(p)
	if err := w.sim.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	p = w.settle(p)
	if l := p.Lines[0]; l.State != purchase.Failed || !strings.Contains(l.Reason, "payment failed") {
		t.Errorf("%s\n%s", l.State, w.story(p))
	}
	w.audit(p)
}

// TestRefused: what the cloud refuses for good is closed at once and not tried
// again; the other lines go on.
func TestRefused(t *testing.T) {
	w := newWorld(t, sim.Options{Quota: 3})
	p := w.settle(w.approved(
		draft(accountA, "us-east-1", "postgresql", "db.r6g.large", 4), // above the quota
		draft(accountB, "eu-west-1", "mysql", "db.m6g.large", 3),
	))
	if l := p.Lines[0]; l.State != purchase.Failed || l.Armed != 1 || !strings.Contains(l.Reason, "refused") {
		t.Errorf("line 1 is %s after %d attempts: %s", l.State, l.Armed, l.Reason)
	}
	if l := p.Lines[1]; l.State != purchase.Purchased {
		t.Errorf("line 2 is %s: %s", l.State, l.Reason)
	}
	w.audit(p)
}

// TestExpired: an approval that ends before a line is sent ends the line.
func TestExpired(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(drafts(2)...)
	if err := w.sim.Advance(25 * time.Hour); err != nil {
		t.Fatal(err)
	}
	p = w.settle(p)
	for _, l := range p.Lines {
		if l.State != purchase.Expired || l.Armed != 0 {
			t.Errorf("%s after %d attempts", l.State, l.Armed)
		}
	}
	w.audit(p)
}

// TestManyWorkers lets several processes work on one ledger at once, each with
// its own connections and drivers, while a fifth of all purchases goes wrong.
func TestManyWorkers(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: 3 * time.Second, Seed: 7})
	for _, kind := range []string{sim.LoseRequest, sim.LoseReply, sim.ErrorBefore, sim.ErrorAfter, sim.TornBody, sim.Throttle} {
		w.fault(sim.Fault{Kind: kind, Times: -1, Permille: 35})
	}
	p := w.approved(drafts(60)...)
	var wg sync.WaitGroup
	for range 4 {
		db, err := store.Open(t.Context(), w.db.Path())
		if err != nil {
			t.Fatal(err)
		}
		e, _ := w.newEngine(db)
		wg.Go(func() {
			defer db.Close() //nolint:errcheck // read back below
			if err := e.Run(t.Context(), engine.RunOptions{Plan: p.ID, Patience: 300 * time.Millisecond}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p = w.settle(p)
	for _, l := range p.Lines {
		if l.State != purchase.Purchased {
			t.Errorf("line %d is %s: %s", l.Number, l.State, l.Reason)
		}
	}
	w.audit(p)
}

// TestStopFinishes: a stop in the middle of a purchase lets the answer be
// recorded and arms nothing more.
func TestStopFinishes(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.engine.Workers = 1
	p := w.approved(drafts(5)...)
	ctx, stop := context.WithCancel(t.Context())
	err := w.engine.Run(ctx, engine.RunOptions{Plan: p.ID, Patience: time.Minute, Moved: func(purchase.Row, error) { stop() }})
	if err == nil {
		t.Error("a stopped run reports nothing")
	}
	states := map[purchase.State]int{}
	for _, l := range w.plan(p).Lines {
		states[l.State]++
	}
	if states[purchase.Purchased] == 0 || states[purchase.Armed] != 0 || states[purchase.Ready] == 0 {
		t.Errorf("after the stop: %v", states)
	}
	w.audit(w.settle(p))
}

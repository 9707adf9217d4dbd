// Package drivertest is the conformance suite of drivers. A driver's own test
// joins a simulated cloud to it and calls Run once for each way to configure the
// driver:
//
//	drivertest.Run(t, func(t *testing.T) drivertest.Harness { ... })
//
// The suite knows no cloud and no simulator. It asks the world what is true,
// injects faults by neutral names, and holds a driver to package driver's
// contract: every answer is judged against the ground truth, and after each
// check all invariants are computed anew.
//
// What the suite cannot see it does not assert: that a connection is fresh, that
// no redirect is followed to a foreign host, that errors hold no secrets. Those
// are tests of the driver, on the wire.
package drivertest

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// World is what the suite needs of a simulated cloud.
type World interface {
	// Now is the simulated time, UTC.
	Now() time.Time
	// Advance moves the simulated clock forward.
	Advance(d time.Duration)
	// Owned counts the commitments, in any state, shown by listings or not, by
	// which the cloud knows a request: under its identity, in any case of the
	// letters, whether that is an id, a name, a tag or a token; in class Q for its
	// second, deleted orders left out; in class C all that were bought. It is the
	// truth.
	Owned(r driver.Request) int
	// Spending counts the requests that could spend, of all attempts, that came
	// in over the wire since the world began, whatever became of them.
	Spending() int
	// Inject makes the next request that the fault is about go wrong, once.
	Inject(f Fault)
	// Hold keeps the next request that can spend on the wire: it reaches the
	// cloud d of simulated time later, even if its sender is gone.
	Hold(d time.Duration)
	// Stock puts a commitment into the world for each request, of its account,
	// offering and quantity, that somebody else bought long ago: under its
	// identity, as an id or as the name beside it, letter for letter where the cloud
	// keeps letters, and under an id of the cloud where that names what it sells.
	Stock(list ...driver.Request)
	// FillQuota leaves no room for another purchase.
	FillQuota()
}

// Fault is a way in which one request goes wrong.
type Fault string

// The faults. Unless said otherwise they are about the next request that can
// spend. Those named Applied take effect in the cloud, their pairs do not.
const (
	RequestLost     Fault = "request lost"     // the connection is cut before the cloud acts
	ReplyLost       Fault = "reply lost"       // applied; the connection is cut
	Error500        Fault = "500"              // an internal error
	Error500Applied Fault = "500 applied"      //
	Error502        Fault = "502"              // a gateway's page
	Error502Applied Fault = "502 applied"      //
	Error503        Fault = "503"              // unavailable, without a throttling code
	Error503Applied Fault = "503 applied"      //
	ReplySlow       Fault = "reply slow"       // applied; the answer never comes
	ReplyTorn       Fault = "reply torn"       // applied; the answer breaks off in its body
	Throttled       Fault = "throttled"        // refused with the cloud's throttling code
	Redirected      Fault = "redirected"       // sent elsewhere, by a redirect that keeps the method
	PaymentFails    Fault = "payment fails"    // applied; the payment fails later
	CallerChanges   Fault = "caller changes"   // the next identity call names another account
	ListingStale    Fault = "listing is stale" // the next listing shows the world before all purchases
	DeliveredTwice  Fault = "delivered twice"  // applied; the same bytes reach the cloud once more, right after
	StateStrange    Fault = "state is strange" // the next listing shows states in words that nobody knows
	ListingBusy     Fault = "listing is busy"  // the next listing is refused with the throttling code
)

// Harness is a fresh world with drivers on it.
type Harness struct {
	World World
	// Service is the driver under test.
	Service driver.Service
	// Impatient is the same driver with an answer time that is short in wall time.
	Impatient driver.Service
	// Stranger is a driver for the same account whose credentials belong to
	// another account.
	Stranger driver.Service
	// Request returns a request that is valid now, with an identity and an attempt
	// never used before and the times of Times; in class Q it is for a second never
	// used before, at least an hour from now.
	Request func() driver.Request
	// Attempt returns an attempt name never used before.
	Attempt func() string
	// NotSold is the id of an offering that does not exist.
	NotSold string
	// Trails: every attempt has a credential of its own, so the audit log, where
	// the service has one, tells the attempts apart.
	Trails bool
	// Vague: a payment that failed may be shown as something else.
	Vague bool
	// Composed: offerings are made of the attributes that are asked for, so there is
	// no list of all, and it is an error to ask for one.
	Composed bool
}

// named reports whether the cloud knows a purchase by an identity of ours, so that
// buying again under it is harmless. Of class H that is not said: what was sent once
// is followed and never sent again.
func (h Harness) named() bool {
	c := h.Service.Info().Class
	return c != cloud.ClassNone && c != cloud.ClassQueued && c != cloud.ClassHandle
}

// listed reports whether a listing tells by our identity what is ours. In class C
// some services show a name, but what is under it need not be one commitment.
func (h Harness) listed() bool {
	c := h.Service.Info().Class
	return c == cloud.ClassHandle || h.named() && c != cloud.ClassUnlisted
}

// queued reports whether a purchase is an order for a later second.
func (h Harness) queued() bool { return h.Service.Info().Class == cloud.ClassQueued }

// Times returns the last instants at which a request may be sent and take
// effect, as an engine would choose them now.
func Times(w World, life time.Duration) (sendBy, deadline time.Time) {
	sendBy = w.Now().Add(20 * time.Second)
	return sendBy, sendBy.Add(life)
}

// Run holds a driver to the contract. newHarness is called for every check.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	check := func(name string, f func(t *testing.T, h Harness)) {
		t.Run(name, func(t *testing.T) { f(t, newHarness(t)) })
	}
	// The SDK waits for seconds before it asks again; meanwhile the others run.
	busy := make(chan struct{})
	go func() {
		defer close(busy)
		check("FindBusy", testFindBusy)
	}()
	defer func() { <-busy }()

	check("Info", testInfo)
	check("OfferingsAll", testOfferingsAll)
	check("OfferingsByAttributes", testOfferingsByAttributes)
	check("OfferingsNone", testOfferingsNone)
	check("QuotePrice", testQuotePrice)
	check("QuoteNotSold", testQuoteNotSold)
	check("QuoteOtherGoods", testQuoteOtherGoods)
	check("QuoteWrongAccount", testQuoteWrongAccount)

	check("FindNothing", testFindNothing)
	check("FindWrongAccount", testFindWrongAccount)
	check("FindInventory", testFindInventory)
	check("FindAllIdentities", listed(testFindAllIdentities))
	check("FindOtherCase", testFindOtherCase)
	check("FindStaleThenSettled", testFindStaleThenSettled)
	check("FindAmongOthers", testFindAmongOthers)
	check("FindStrangeState", testFindStrangeState)

	check("PurchaseBought", testPurchaseBought)
	check("PurchaseWithoutQuote", testPurchaseWithoutQuote)
	check("PurchaseOncePerAttempt", testPurchaseOncePerAttempt)
	check("PurchaseSameIdentity", named(testPurchaseSameIdentity))
	check("PurchaseFireTime", testPurchaseFireTime)
	check("PurchaseWrongAccount", testPurchaseWrongAccount)
	check("PurchaseCallerChanges", testPurchaseCallerChanges)
	check("PurchaseTooLate", testPurchaseTooLate)
	check("PurchaseLastInstant", testPurchaseLastInstant)
	check("PurchaseNotSold", testPurchaseNotSold)
	check("PurchaseQuota", testPurchaseQuota)
	check("PurchaseNoQuantity", testPurchaseNoQuantity)
	check("PurchaseCanceled", testPurchaseCanceled)
	check("PurchasePaymentFails", testPurchasePaymentFails)
	check("DeliveredInTime", testDeliveredInTime)
	check("DeliveredTooLate", testDeliveredTooLate)
	check("DeliveredTwice", testDeliveredTwice)
	check("PurchaseThrottled", testPurchaseThrottled)
	check("Concurrent", testConcurrent)
	check("Trail", testTrail)
	check("Poll", testPoll)
	check("Release", testRelease)
	for _, row := range faults {
		check("Fault/"+string(row.fault), row.test)
	}
}

// named is a check that has a sense only where identities have one.
func named(check func(*testing.T, Harness)) func(*testing.T, Harness) {
	return func(t *testing.T, h Harness) {
		if h.named() {
			check(t, h)
		}
	}
}

// listed is a check that has a sense only where a listing tells by the identity
// what is ours.
func listed(check func(*testing.T, Harness)) func(*testing.T, Harness) {
	return func(t *testing.T, h Harness) {
		if h.listed() {
			check(t, h)
		}
	}
}

// quote quotes r, which must work, and returns what Purchase is to be given.
func quote(t *testing.T, s driver.Service, r driver.Request) cloud.Quote {
	t.Helper()
	q, err := s.Quote(t.Context(), r)
	if err != nil {
		t.Fatalf("Quote: %v", err)
	}
	return q
}

// again is r as a further attempt of the same line, valid now.
func again(h Harness, r driver.Request) driver.Request {
	r.Attempt = h.Attempt()
	r.SendBy, r.Deadline = Times(h.World, h.Service.Info().Life)
	return r
}

// wantOutcome checks the outcome of a purchase, in its error and its evidence.
func wantOutcome(t *testing.T, ev cloud.Evidence, err error, want cloud.Outcome) {
	t.Helper()
	if got := driver.OutcomeOf(err); got != want {
		t.Errorf("outcome %s, want %s (error: %v)", got, want, err)
	}
	handled := want == cloud.Bought && ev.Outcome == cloud.Accepted && ev.Handle != "" && ev.Commitment == nil
	if ev.Outcome != want && !handled {
		t.Errorf("outcome in the evidence %s, want %s", ev.Outcome, want)
	}
	if ev.Kind != cloud.EvidenceReply || ev.Operation == "" || ev.Started.IsZero() {
		t.Errorf("evidence %+v: want a reply with its operation and start", ev)
	}
	if want == cloud.Bought && ev.Commitment == nil && !handled {
		t.Error("bought, but the evidence names neither commitment nor handle")
	}
	if want != cloud.Bought && err == nil {
		t.Error("no error: only a proven purchase may have none")
	}
}

// wantWorld checks the ground truth.
func wantWorld(t *testing.T, h Harness, r driver.Request, owned, spending int) {
	t.Helper()
	if got := h.World.Owned(r); got != owned {
		t.Errorf("the world holds %d commitments of the request, want %d", got, owned)
	}
	if got := h.World.Spending(); got != spending {
		t.Errorf("%d spending requests on the wire, want %d", got, spending)
	}
}

// settle lets every request die and every listing catch up.
func settle(h Harness) {
	info := h.Service.Info()
	h.World.Advance(info.Life + info.Settle + time.Minute)
}

// wantFound checks, after settling, that Find says what the world holds of a
// request, at most one, and returns the evidence about it.
func wantFound(t *testing.T, h Harness, r driver.Request) []cloud.Evidence {
	t.Helper()
	settle(h)
	asked := h.World.Now()
	found, err := h.Service.Find(t.Context(), r)
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	mine := live(h, r, found)
	if h.World.Owned(r) == 0 {
		if h.listed() || found[0].Commitment == nil {
			wantAbsence(t, found, asked)
		} else if len(mine) > 0 {
			t.Fatalf("Find returned %+v, want nothing of the request", mine)
		}
		return found
	}
	if len(mine) != 1 || mine[0].Kind != cloud.EvidenceListing {
		t.Fatalf("Find returned %+v, want one commitment", found)
	}
	wantCommitment(t, *mine[0].Commitment, r, h.Service.Info().Lane)
	return mine
}

// live returns what of a look is about r: what is under its names, ordered for
// its second, or, where nothing is known by anything, not older than r. Deleted
// orders are left out.
func live(h Harness, r driver.Request, found []cloud.Evidence) []cloud.Evidence {
	var list []cloud.Evidence
	for _, f := range found {
		switch c := f.Commitment; {
		case c == nil, c.State == cloud.Deleted:
		case h.queued() && !c.Start.Equal(r.FireAt):
		case !h.listed() && !h.queued() && c.Start.Before(r.SendBy.Add(-time.Minute)):
		default:
			list = append(list, f)
		}
	}
	return list
}

// wantAbsence checks that a listing saw nothing, and when it looked.
func wantAbsence(t *testing.T, found []cloud.Evidence, asked time.Time) {
	t.Helper()
	if len(found) != 1 || found[0].Kind != cloud.EvidenceAbsence || found[0].Commitment != nil {
		t.Fatalf("Find returned %+v, want one absence", found)
	}
	if ev := found[0]; ev.Started.Before(asked) || ev.CloudTime.Before(asked.Truncate(time.Second)) {
		t.Errorf("absence started at %s, cloud time %s: want both after %s", ev.Started, ev.CloudTime, asked)
	}
}

// wantCommitment checks that c is what r asked for.
func wantCommitment(t *testing.T, c cloud.Commitment, r driver.Request, lane cloud.Lane) {
	t.Helper()
	o := r.Offering
	if c.Lane != lane || c.ID == "" || c.Start.IsZero() || c.Quantity != r.Quantity || c.Term != o.Term || c.Payment != o.Payment ||
		c.Attributes.String() != o.Attributes.String() || !c.Upfront.Equal(o.Upfront) || !c.Hourly.Equal(o.Hourly) || !c.Unit.Equal(o.Unit) {
		t.Errorf("commitment %+v does not fit the request for %d x %+v", c, r.Quantity, o)
	}
	if c.Name != "" && !strings.EqualFold(c.Name, r.Identity) {
		t.Errorf("commitment under the name %s, want %s", c.Name, r.Identity)
	}
	if !r.FireAt.IsZero() && !c.Start.Equal(r.FireAt) {
		t.Errorf("commitment starts at %s, want %s", c.Start, r.FireAt)
	}
	if c.OfferingID != "" && c.OfferingID != o.ID {
		t.Errorf("commitment of offering %s, want %s", c.OfferingID, o.ID)
	}
}

// nameOf is what a commitment is known by: the name beside its id, or the id.
func nameOf(c *cloud.Commitment) string { return strings.ToLower(cmp.Or(c.Name, c.ID)) }

// wantHarmless asks for r again and again, as further attempts: whatever the
// first one did, the line ends with one commitment. Where the cloud has no
// identity nothing is harmless, and nobody asks again.
func wantHarmless(t *testing.T, h Harness, r driver.Request) {
	t.Helper()
	if !h.named() {
		return
	}
	sent := h.World.Spending()
	want := cloud.Bought
	if h.World.Owned(r) > 0 {
		want = repeated(h)
	}
	first := ""
	for range 2 {
		n := again(h, r)
		quote(t, h.Service, n)
		ev, err := h.Service.Purchase(t.Context(), n)
		wantOutcome(t, ev, err, want)
		sent++
		wantWorld(t, h, r, 1, sent)
		want = repeated(h)
		if c := ev.Commitment; c != nil {
			if first = cmp.Or(first, c.ID); c.ID != first {
				t.Errorf("asked again, the cloud names %s, and before %s", c.ID, first)
			}
		}
	}
}

// repeated is the outcome of buying under an identity that has bought.
func repeated(h Harness) cloud.Outcome {
	if h.Service.Info().Class == cloud.ClassName {
		return cloud.Exists
	}
	return cloud.Bought // a token: the same commitment once more
}

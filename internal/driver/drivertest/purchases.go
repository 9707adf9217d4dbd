package drivertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

func testPurchaseBought(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	before := h.World.Now()
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	wantWorld(t, h, r, 1, 1)
	if ev.Commitment != nil {
		wantCommitment(t, *ev.Commitment, r, h.Service.Info().Lane)
		if s := ev.Commitment.State; s != cloud.Pending && s != cloud.Active {
			t.Errorf("bought in state %s", s)
		}
	}
	if ev.Started.Before(before) || ev.CloudTime.Before(before.Truncate(time.Second)) || ev.Status == 0 || ev.RequestID == "" {
		t.Errorf("evidence %+v: want its times, status and request id", ev)
	}
	if state := wantFound(t, h, r)[0].Commitment.State; h.queued() && state != cloud.Queued || !h.queued() && state != cloud.Active {
		t.Errorf("settled in state %s", state)
	}
	if h.queued() {
		fire(h, r)
		if state := wantFound(t, h, r)[0].Commitment.State; state != cloud.Active {
			t.Errorf("fired into state %s, want active", state)
		}
	}
	wantHarmless(t, h, r)
}

// fire lets the second of an order pass.
func fire(h Harness, r driver.Request) {
	if d := r.FireAt.Sub(h.World.Now()); d > 0 {
		h.World.Advance(d)
	}
}

// testPurchaseFireTime: an order has its second, is dead before it fires, and
// nothing else is ever ordered for later.
func testPurchaseFireTime(t *testing.T, h Harness) {
	r := h.Request()
	times := []func(n driver.Request) time.Time{
		func(n driver.Request) time.Time { return n.Deadline.Truncate(time.Second).Add(time.Hour) },
	}
	if h.queued() {
		times = []func(n driver.Request) time.Time{
			func(driver.Request) time.Time { return time.Time{} },
			func(n driver.Request) time.Time { return n.Deadline.Truncate(time.Second) },
			func(n driver.Request) time.Time { return n.FireAt.Add(time.Nanosecond) },
		}
	}
	for _, at := range times {
		n := again(h, r)
		n.FireAt = at(n)
		quote(t, h.Service, n)
		ev, err := h.Service.Purchase(t.Context(), n)
		wantOutcome(t, ev, err, cloud.Unsent)
		wantWorld(t, h, r, 0, 0)
	}
}

func testPurchaseWithoutQuote(t *testing.T, h Harness) {
	r := h.Request()
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Unsent)
	wantWorld(t, h, r, 0, 0)
}

func testPurchaseOncePerAttempt(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	ev, err = h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Unsent)
	wantWorld(t, h, r, 1, 1)
}

// testPurchaseSameIdentity buys twice under one identity, without settling: the
// second request finds what no listing may show yet.
func testPurchaseSameIdentity(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	wantHarmless(t, h, r)
	wantFound(t, h, r)
}

func testPurchaseWrongAccount(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	r.Account = "000000000000"
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Unsent)
	if !errors.Is(err, driver.ErrWrongAccount) {
		t.Errorf("error %v, want ErrWrongAccount", err)
	}
	wantWorld(t, h, r, 0, 0)
}

func testPurchaseCallerChanges(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	h.World.Inject(CallerChanges)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Unsent)
	if !errors.Is(err, driver.ErrWrongAccount) {
		t.Errorf("error %v, want ErrWrongAccount", err)
	}
	wantWorld(t, h, r, 0, 0)
}

func testPurchaseTooLate(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	h.World.Advance(r.SendBy.Sub(h.World.Now()) + time.Nanosecond)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Unsent)
	if !errors.Is(err, driver.ErrTooLate) {
		t.Errorf("error %v, want ErrTooLate", err)
	}
	wantWorld(t, h, r, 0, 0)
	wantHarmless(t, h, r)
}

// testPurchaseLastInstant buys long after the quote and just in time: nothing on
// the way may refresh a credential or read another clock.
func testPurchaseLastInstant(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	h.World.Advance(r.SendBy.Sub(h.World.Now()) - 10*time.Second)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	wantWorld(t, h, r, 1, 1)
}

func testPurchaseNotSold(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	gone := r
	gone.Offering.ID = h.NotSold
	ev, err := h.Service.Purchase(t.Context(), gone)
	wantOutcome(t, ev, err, cloud.Refused)
	wantWorld(t, h, r, 0, 1)
	wantFound(t, h, r)
}

func testPurchaseQuota(t *testing.T, h Harness) {
	h.World.FillQuota()
	r := h.Request()
	quote(t, h.Service, r)
	ev, err := h.Service.Purchase(t.Context(), r)
	if h.queued() { // the quota is met when the order fires
		wantOutcome(t, ev, err, cloud.Bought)
		fire(h, r)
		wantFailed(t, h, wantFound(t, h, r)[0])
		return
	}
	if ev.Handle != "" { // the quota is met when the order is carried out
		wantOutcome(t, ev, err, cloud.Bought)
		wantRefusedLater(t, h, r, ev.Handle)
		wantWorld(t, h, r, 0, 1)
		return
	}
	wantOutcome(t, ev, err, cloud.Refused)
	wantWorld(t, h, r, 0, 1)
	wantFound(t, h, r)
}

// wantRefusedLater follows an order that was accepted to its end in nothing.
func wantRefusedLater(t *testing.T, h Harness, r driver.Request, handle string) {
	t.Helper()
	wantFound(t, h, r)
	end, err := h.Service.(driver.Follower).Poll(t.Context(), r, handle)
	if err != nil || end.Outcome != cloud.Refused || end.Commitment != nil {
		t.Errorf("followed to its end: %+v, %v: want it refused", end, err)
	}
}

// wantFailed checks that a commitment is shown for what it is when it was never
// paid, or, where the cloud does not say so plainly, as one of which not enough
// is known.
func wantFailed(t *testing.T, h Harness, ev cloud.Evidence) {
	t.Helper()
	if s := ev.Commitment.State; s != cloud.Failed && (!h.Vague || s != cloud.Unknown) {
		t.Errorf("state %s, want payment_failed", s)
	}
}

func testPurchaseNoQuantity(t *testing.T, h Harness) {
	for _, n := range []int64{0, -1, 1 << 40} {
		r := h.Request()
		quote(t, h.Service, r)
		r.Quantity = n
		ev, err := h.Service.Purchase(t.Context(), r)
		wantOutcome(t, ev, err, cloud.Unsent)
		wantWorld(t, h, r, 0, 0)
	}
}

func testPurchaseCanceled(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ev, err := h.Service.Purchase(ctx, r)
	wantOutcome(t, ev, err, cloud.Unsent)
	wantWorld(t, h, r, 0, 0)
}

func testPurchasePaymentFails(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	h.World.Inject(PaymentFails)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	fire(h, r)
	if settle(h); h.World.Owned(r) == 0 { // what failed is not kept, and its request is remembered
		wantRefusedLater(t, h, r, ev.Handle)
		wantWorld(t, h, r, 0, 1)
		return
	}
	wantFailed(t, h, wantFound(t, h, r)[0])
	wantWorld(t, h, r, 1, 1)
	if h.named() { // asking again buys nothing, and its answer is about what failed
		n := again(h, r)
		quote(t, h.Service, n)
		if _, err := h.Service.Purchase(t.Context(), n); driver.OutcomeOf(err).Negative() {
			t.Errorf("asked again: %v, as if nothing were there", err)
		}
		wantWorld(t, h, r, 1, 2)
	}
}

// testDeliveredInTime: the sender gives up, the request arrives all the same.
func testDeliveredInTime(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Impatient, r)
	h.World.Hold(30 * time.Second)
	ev, err := h.Impatient.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.InDoubt)
	wantWorld(t, h, r, 0, 1)
	h.World.Advance(31 * time.Second)
	wantWorld(t, h, r, 1, 1)
	wantFound(t, h, r)
	wantHarmless(t, h, r)
}

// testDeliveredTooLate: what arrives after the deadline must not buy, or a line
// that was closed by then buys twice.
func testDeliveredTooLate(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Impatient, r)
	h.World.Hold(r.Deadline.Sub(h.World.Now()) + time.Second)
	ev, err := h.Impatient.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.InDoubt)
	h.World.Advance(r.Deadline.Sub(h.World.Now()) + 2*time.Second)
	wantWorld(t, h, r, 0, 1)
	wantFound(t, h, r)
	wantHarmless(t, h, r)
}

// testDeliveredTwice: something on the way sends the bytes of the one request to
// the cloud twice. Where it knows our identity it merges or refuses the second;
// elsewhere it may sell twice, and a look shows both.
func testDeliveredTwice(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	h.World.Inject(DeliveredTwice)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	want := h.World.Owned(r)
	if want != 1 && (h.named() || want != 2) {
		t.Errorf("the world holds %d commitments of the request", want)
	}
	wantWorld(t, h, r, want, 1)
	settle(h)
	found, err := h.Service.Find(t.Context(), r)
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	mine := live(h, r, found)
	if len(mine) != want {
		t.Errorf("Find returned %+v, want %d commitments", found, want)
	}
	ids := map[string]bool{}
	for _, f := range mine {
		wantCommitment(t, *f.Commitment, r, h.Service.Info().Lane)
		ids[f.Commitment.ID] = true
	}
	if len(ids) != len(mine) {
		t.Errorf("Find returned %+v, one of them twice", mine)
	}
	wantWorld(t, h, r, want, 1)
	wantHarmless(t, h, r)
}

// testPurchaseThrottled: each of several throttled purchases in a row is one
// request, and the one after them buys.
func testPurchaseThrottled(t *testing.T, h Harness) {
	r := h.Request()
	for sent := 1; sent <= 3; sent++ {
		n := again(h, r)
		quote(t, h.Service, n)
		h.World.Inject(Throttled)
		ev, err := h.Service.Purchase(t.Context(), n)
		wantOutcome(t, ev, err, cloud.Throttled)
		wantWorld(t, h, r, 0, sent)
	}
	r = again(h, r)
	quote(t, h.Service, r)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	wantWorld(t, h, r, 1, 4)
	wantFound(t, h, r)
}

// testConcurrent buys different lines at once, and one identity from several
// attempts at once where there are identities.
func testConcurrent(t *testing.T, h Harness) {
	const n = 6
	var lines, attempts []driver.Request
	same := h.Request()
	for range n {
		lines = append(lines, h.Request())
		if h.named() {
			attempts = append(attempts, again(h, same))
		}
	}
	requests := append(slices.Clone(lines), attempts...)
	var wg sync.WaitGroup
	outcomes := make([]cloud.Outcome, len(requests))
	for i, r := range requests {
		wg.Go(func() {
			if _, err := h.Service.Quote(t.Context(), r); err != nil {
				t.Errorf("Quote: %v", err)
				return
			}
			_, err := h.Service.Purchase(t.Context(), r)
			outcomes[i] = driver.OutcomeOf(err)
		})
	}
	wg.Wait()
	each := 1
	if h.Service.Info().Class == cloud.ClassNone {
		each = n
	}
	bought := 0
	for i, r := range requests {
		if i < n && outcomes[i] != cloud.Bought {
			t.Errorf("line %d: outcome %s, want bought", i, outcomes[i])
		}
		if i >= n && outcomes[i] == cloud.Bought {
			bought++
		}
		if got := h.World.Owned(r); got != each {
			t.Errorf("line %d: the world holds %d commitments, want %d", i, got, each)
		}
	}
	if h.named() && repeated(h) == cloud.Exists && bought != 1 {
		t.Errorf("%d attempts of one identity say they bought, want 1", bought)
	}
	if got := h.World.Spending(); got != len(requests) {
		t.Errorf("%d spending requests on the wire, want %d", got, len(requests))
	}
}

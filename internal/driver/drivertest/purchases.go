package drivertest

import (
	"context"
	"errors"
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
	found := wantFound(t, h, r)
	if s := found[0].Commitment.State; s != cloud.Active {
		t.Errorf("settled in state %s, want active", s)
	}
	wantHarmless(t, h, r)
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
	wantOutcome(t, ev, err, cloud.Refused)
	wantWorld(t, h, r, 0, 1)
	wantFound(t, h, r)
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
	found := wantFound(t, h, r)
	if c := found[0].Commitment; c.State != cloud.Failed || c.State.Binding() {
		t.Errorf("state %s, want payment_failed, which does not bind", c.State)
	}
	wantWorld(t, h, r, 1, 1)
	wantHarmless(t, h, r)
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

// testConcurrent buys different lines at once, and one identity from several
// attempts at once.
func testConcurrent(t *testing.T, h Harness) {
	const n = 6
	same := h.Request()
	requests := make([]driver.Request, 0, 2*n)
	for range n {
		requests = append(requests, h.Request(), again(h, same))
	}
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
	bought := 0
	for i, r := range requests {
		if i%2 == 0 && outcomes[i] != cloud.Bought {
			t.Errorf("line %d: outcome %s, want bought", i, outcomes[i])
		}
		if i%2 == 1 && outcomes[i] == cloud.Bought {
			bought++
		}
		if got := h.World.Owned(r.Identity); got != 1 {
			t.Errorf("line %d: the world holds %d commitments, want 1", i, got)
		}
	}
	if repeated(h) == cloud.Exists && bought != 1 {
		t.Errorf("%d attempts of one identity say they bought, want 1", bought)
	}
	if got := h.World.Spending(); got != len(requests) {
		t.Errorf("%d spending requests on the wire, want %d", got, len(requests))
	}
}

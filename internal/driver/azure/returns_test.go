package azure

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
	"bursar/internal/sim"
)

const (
	wireChild   = "/providers/microsoft.capacity/reservationOrders/" + wireOrder + "/reservations/22222222-2222-2222-2222-222222222222"
	wireSession = "66666666-6666-6666-6666-666666666666"
)

// refundBody is a recorded answer, of two.
func refundBody(change ...string) string {
	body := `{"id":"/providers/Microsoft.Capacity/reservationOrders/` + wireOrder + `/reservations/22222222-2222-2222-2222-222222222222",` +
		`"properties":{"sessionId":"` + wireSession + `","quantity":2,"billingRefundAmount":{"currencyCode":"GBP","amount":1.83},` +
		`"pricingRefundAmount":{"currencyCode":"USD","amount":2.18},"policyResult":{"properties":{"consumedRefundsTotal":{"currencyCode":"USD","amount":431.93},` +
		`"maxRefundLimit":{"currencyCode":"USD","amount":50000.0},"policyErrors":[]}},"billingInformation":{"billingPlan":"Monthly","completedTransactions":1,` +
		`"totalTransactions":12,"billingCurrencyTotalPaidAmount":{"currencyCode":"GBP","amount":5.49},"billingCurrencyProratedAmount":` +
		`{"currencyCode":"GBP","amount":3.66},"billingCurrencyRemainingCommitmentAmount":{"currencyCode":"GBP","amount":20.13}}}}`
	return strings.NewReplacer(change...).Replace(body)
}

// refunds lets the wire price a refund, and answer a return.
func (w *wire) refunds(h http.HandlerFunc) {
	const order = "/providers/Microsoft.Capacity/reservationOrders/" + wireOrder
	w.answers["GET "+order+"/reservations"] = `{"value":[` + reservationBody() + `]}`
	w.answers["POST "+order+"/calculateRefund"] = refundBody()
	w.put = h
}

// giveBack returns the order of the wire.
func (w *wire) giveBack(t *testing.T, change func(*driver.Request, *cloud.Commitment)) (cloud.Evidence, error) {
	t.Helper()
	d := w.open(t, "vm")
	r, c := w.request(d), w.bought(d)
	if change != nil {
		change(&r, &c)
	}
	return d.(driver.Returner).Return(t.Context(), r, c)
}

func (w *wire) bought(d driver.Service) cloud.Commitment {
	return cloud.Commitment{Lane: d.Info().Lane, ID: wireOrder, State: cloud.Active, Quantity: 2, Term: cloud.OneYear, Start: wireStart.Add(-time.Hour)}
}

func accepted() http.HandlerFunc {
	return reply(202, refundBody(), "Location", "<base>/providers/Microsoft.Capacity/reservationOrders/"+wireOrder)
}

// TestReturnOnTheWire pins the one request of a return and what its answer proves.
func TestReturnOnTheWire(t *testing.T) {
	location := "<base>/providers/Microsoft.Capacity/reservationOrders/" + wireOrder
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		want   cloud.Outcome
	}{
		"accepted":     {accepted(), cloud.Accepted},
		"of the order": {reply(202, orderBody("Pending"), "Location", location), cloud.Accepted},
		"another":      {reply(202, refundBody("22222222", "33333333"), "Location", location), cloud.InDoubt},
		"nothing":      {reply(202, `{}`, "Location", location), cloud.InDoubt},
		"torn":         {reply(202, refundBody()[:40], "Location", location), cloud.InDoubt},
		"a page":       {reply(200, `<html/>`), cloud.InDoubt},
		"500":          {reply(500, `{}`), cloud.InDoubt},
		"session gone": {reply(400, `{"error":{"code":"BadRequest","message":"Session timed out"}}`), cloud.InDoubt},
		"its state":    {reply(400, `{"error":{"code":"OperationCannotBePerformedInCurrentState","message":"x"}}`), cloud.InDoubt},
		"over":         {reply(400, `{"error":{"code":"RefundLimitExceeded","message":"x"}}`), cloud.Refused},
		"throttled":    {reply(429, `{"error":{"code":"TooManyRequests","message":"x"}}`), cloud.Throttled},
	} {
		w := newWire(t)
		w.refunds(row.answer)
		ev, err := w.giveBack(t, nil)
		if ev.Outcome != row.want || (err == nil) != (row.want == cloud.Accepted) || len(w.puts) != 1 || ev.Operation != opReturn {
			t.Fatalf("%s: %+v, %v, %d requests", name, ev, err, len(w.puts))
		}
		want := `{"properties":{"reservationToReturn":{"quantity":2,"reservationId":"` + wireChild + `"},"returnReason":"bu-wire-1","scope":"Reservation","sessionId":"` + wireSession + `"}}`
		if canonical(t, w.puts[0]) != canonical(t, want) || !strings.HasPrefix(w.calls[len(w.calls)-1], "POST /providers/Microsoft.Capacity/reservationOrders/"+wireOrder+"/return?") {
			t.Errorf("%s: %s %s", name, w.calls[len(w.calls)-1], w.puts)
		}
	}
}

// TestReturnUnsent: what must not be sent is not.
func TestReturnUnsent(t *testing.T) {
	const refund = "POST /providers/Microsoft.Capacity/reservationOrders/" + wireOrder + "/calculateRefund"
	for name, row := range map[string]struct {
		wire   func(*wire)
		change func(*driver.Request, *cloud.Commitment)
	}{
		"other account":  {change: func(r *driver.Request, _ *cloud.Commitment) { r.Account = testOther }},
		"other lane":     {change: func(_ *driver.Request, c *cloud.Commitment) { c.Account = testOther }},
		"strange id":     {change: func(_ *driver.Request, c *cloud.Commitment) { c.ID = "../x" }},
		"not active":     {change: func(_ *driver.Request, c *cloud.Commitment) { c.State = cloud.Pending }},
		"no token":       {change: func(r *driver.Request, _ *cloud.Commitment) { r.Identity = "" }},
		"too late":       {change: func(r *driver.Request, _ *cloud.Commitment) { r.SendBy = wireStart.Add(-time.Second) }},
		"dead":           {change: func(r *driver.Request, _ *cloud.Commitment) { r.Deadline = wireStart.Add(-time.Second) }},
		"fewer are left": {change: func(_ *driver.Request, c *cloud.Commitment) { c.Quantity = 3 }},
		"split": {wire: func(w *wire) {
			w.answers["GET /providers/Microsoft.Capacity/reservationOrders/"+wireOrder+"/reservations"] = `{"value":[` + reservationBody() + `,` + reservationBody() + `]}`
		}},
		"a rule":      {wire: func(w *wire) { w.answers[refund] = refundBody(`"policyErrors":[]`, `"policyErrors":[{"code":"X"}]`) }},
		"no session":  {wire: func(w *wire) { w.answers[refund] = refundBody(wireSession, "") }},
		"of another":  {wire: func(w *wire) { w.answers[refund] = refundBody("22222222", "33333333") }},
		"of one":      {wire: func(w *wire) { w.answers[refund] = refundBody(`"quantity":2`, `"quantity":1`) }},
		"no limit":    {wire: func(w *wire) { w.answers[refund] = refundBody(`"maxRefundLimit"`, `"x"`) }},
		"not allowed": {wire: func(w *wire) { w.statuses[refund] = 403 }},
	} {
		w := newWire(t)
		w.refunds(accepted())
		if row.wire != nil {
			row.wire(w)
		}
		ev, err := w.giveBack(t, row.change)
		if driver.OutcomeOf(err) != cloud.Unsent || ev.Outcome != cloud.Unsent || len(w.puts) != 0 {
			t.Errorf("%s: %+v, %v, sent %v", name, ev, err, w.puts)
		}
	}
}

// TestReturnTermsOnTheWire: what is paid back and what is left of the pool is read.
func TestReturnTermsOnTheWire(t *testing.T) {
	w := newWire(t)
	w.refunds(nil)
	d := w.open(t, "vm")
	terms, err := d.(driver.Returner).ReturnTerms(t.Context(), w.bought(d), nil, wireStart)
	if err != nil || terms.Why != "" || terms.Back == nil || !terms.Back.Equal(money.MustParse("1.83", "GBP")) || terms.Pool == nil ||
		!terms.Pool.Used.Equal(money.MustParse("431.93", "USD")) || !terms.Pool.Limit.Equal(money.MustParse("50000", "USD")) {
		t.Errorf("%+v, %v", terms, err)
	}
	w.statuses["POST /providers/Microsoft.Capacity/reservationOrders/"+wireOrder+"/calculateRefund"] = 500
	if terms, err := d.(driver.Returner).ReturnTerms(t.Context(), w.bought(d), nil, wireStart); err == nil {
		t.Errorf("terms of nothing: %+v", terms)
	}
}

// TestReturn gives back what the simulator sold: within the pool, and once.
func TestReturn(t *testing.T) {
	for _, s := range []cloud.Service{"vm", "disk", "databricks"} {
		w := newWorld(t, s, sim.Options{})
		d, err := Open(s, Config{
			Account: testAccount, Tenant: testTenant, Region: testRegion, Endpoint: w.url, Now: w.sim.Now,
			Credential: SimulatorCredential(testAccount, w.sim.Now),
		})
		if err != nil {
			t.Fatal(err)
		}
		returner := d.(driver.Returner)
		price, err := w.offer.Price(1)
		if err != nil {
			t.Fatal(err)
		}
		// Two of which the pool takes one: more than half of 50,000.
		n := int64(1)
		for total := price.Total; ; n++ {
			if more, _ := total.Cmp(money.MustParse("26000", "USD")); more > 0 {
				break
			}
			if total, err = total.Add(price.Total); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.sim.Add(w.existing(int(n)), w.existing(int(n))); err != nil {
			t.Fatal(err)
		}
		find := func() (lane []cloud.Commitment) {
			found, err := d.Find(t.Context(), driver.Request{Account: testAccount})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				lane = append(lane, *f.Commitment)
			}
			return lane
		}
		terms := func(c cloud.Commitment) driver.ReturnTerms {
			t.Helper()
			got, err := returner.ReturnTerms(t.Context(), c, nil, w.Now())
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		back := func(c cloud.Commitment) error {
			_, err := returner.Return(t.Context(), w.request(d), c)
			return err
		}
		lane := find()
		first, second := lane[0], lane[1]
		got := terms(first)
		if s == "databricks" {
			var e *driver.Error
			if got.Why == "" || !got.Until.IsZero() {
				t.Errorf("%s: %+v", s, got)
			}
			if err := back(first); !errors.As(err, &e) || e.Code != codeNoRefund || e.Outcome != cloud.Unsent {
				t.Errorf("%s: the cloud says %v", s, err)
			}
			continue
		}
		if got.Why != "" || got.Pool == nil || !got.Pool.Used.IsZero() || got.Back == nil || !got.Until.Equal(first.Start.AddDate(1, 0, 0)) {
			t.Errorf("%s: %+v", s, got)
		}
		if err := back(first); err != nil {
			t.Fatal(err)
		}
		if state := lookup(find(), first.ID).State; state != cloud.Returning {
			t.Errorf("%s: it is %s", s, state)
		}
		if err := back(first); driver.OutcomeOf(err) != cloud.Unsent {
			t.Errorf("%s: a second return: %v", s, err)
		}
		w.Advance(time.Hour)
		now := lookup(find(), first.ID)
		if now.State != cloud.Returned || terms(now).Why != "it is returned already" {
			t.Errorf("%s: it is %s: %+v", s, now.State, terms(now))
		}
		if got := terms(second); !strings.Contains(got.Why, "more than is left in the pool of refunds: USD 26") || !strings.Contains(got.Why, "of USD 50,000.00") {
			t.Errorf("%s: the second: %+v", s, got)
		}
		if err := back(second); err == nil {
			t.Errorf("%s: more than the pool was given back", s)
		}
		w.Advance(366 * 24 * time.Hour) // the term of both is over
		if got := terms(lookup(find(), second.ID)); got.Why == "" {
			t.Errorf("%s: after its term: %+v", s, got)
		}
	}
}

func lookup(lane []cloud.Commitment, id string) (found cloud.Commitment) {
	for _, c := range lane {
		if c.ID == id {
			found = c
		}
	}
	return found
}

// TestReturnEndsEitherWay: whether the order or only its reservation says so.
func TestReturnEndsEitherWay(t *testing.T) {
	w := newWorld(t, "vm", sim.Options{})
	d := w.open(t, nil).(carrying).Service
	states := map[string]bool{}
	for range 12 {
		if err := w.sim.Add(w.existing(1)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := d.Find(t.Context(), driver.Request{Account: testAccount})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if _, err := d.(driver.Returner).Return(t.Context(), w.request(d), *f.Commitment); err != nil {
			t.Fatal(err)
		}
	}
	w.Advance(time.Hour)
	if found, err = d.Find(t.Context(), driver.Request{Account: testAccount}); err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		states[string(f.Commitment.State)] = true
	}
	if len(states) != 1 || !states[string(cloud.Returned)] {
		t.Errorf("after their return they are %v", states)
	}
}

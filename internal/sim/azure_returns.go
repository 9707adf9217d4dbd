package sim

import (
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// Returns of Azure reservations. Source: Azure SDK for Go (armreservations v3.1.0) for
// routes and members; recordings of Microsoft's own client tests of March 2023 for the
// shape of the answers, and for an order that reads Pending afterwards; "Self-service
// exchanges and refunds for Azure Reservations" for the rules: 50,000 USD of canceled
// commitment in twelve months, no fee, nothing back of Databricks.
//
// Not published, and drawn or switched here: how long the session of a refund lives,
// how long a return takes, and whether its order or only its reservation says Cancelled
// in the end. The pool is that of a subscription here, and of a billing profile there.
const mostRefunded = "50000"

// finalTypes are the types that Azure takes nothing back of.
var finalTypes = map[string]bool{"Databricks": true}

var refundMembers = []string{
	"properties.scope", "properties.reservationToReturn.reservationId", "properties.reservationToReturn.quantity",
}

var refundNumbers = []string{"properties.reservationToReturn.quantity"}

// refund is what a return pays, and what it takes from the pool.
type refund struct {
	paid, consumed, back, left, canceled money.Amount // left is what is still to be paid
	done, total                          int64        // payments
}

// refunded says what a return of the order pays back at an instant: what was paid and
// not used up.
func (r *reservation) refunded(at time.Time) refund {
	price, months := r.price(), int64(1)
	f := refund{paid: price, total: 1, done: 1}
	if r.Payment == planMonthly {
		months = r.Seconds / oneYear * 12
		f.total, f.done = months, 0
		for m := range months {
			if !r.BoughtAt.AddDate(0, int(m), 0).After(at) {
				f.done++
			}
		}
		if f.done < months {
			f.paid = must(must(price.Div(months, 2)).Mul(f.done))
		}
	}
	hours := min(max(int64(at.Sub(r.StartsAt)/time.Hour), 0), r.Seconds/3600)
	f.consumed = must(must(price.Mul(hours)).Div(r.Seconds/3600, 2))
	f.back = must(f.paid.Sub(f.consumed))
	if f.back.Sign() < 0 {
		f.back = money.Zero(price.Currency())
	}
	f.left, f.canceled = must(price.Sub(f.paid)), must(price.Sub(f.consumed))
	return f
}

// refundsUsed is what an account has used of its pool in the twelve months before.
func (w *world) refundsUsed(account string, at time.Time) money.Amount {
	sum := money.Zero(currency)
	for _, r := range w.reservations {
		if r.Service == capacityService && r.Account == account && r.Return != nil && !r.Return.Fails && r.Return.At.After(at.AddDate(-1, 0, 0)) {
			sum = must(sum.Add(r.refunded(r.Return.At).canceled))
		}
	}
	return sum
}

// toReturn is the order that a return is about, if it can be returned at all.
func (c *call) toReturn() (*reservation, *apiError) {
	r, err := c.shown()
	if err != nil {
		return nil, err
	}
	for _, name := range refundMembers {
		if _, err := c.in.required(name); err != nil {
			return nil, err
		}
	}
	if scope := c.in["properties.scope"]; scope != "Reservation" {
		return nil, fail("InvalidRequestContent", "The scope '%s' is not Reservation", scope)
	}
	id := c.in["properties.reservationToReturn.reservationId"]
	if !strings.EqualFold(id, r.childPath()) {
		return nil, fail("ReservationIdNotInReservationOrder", "The reservation '%s' is not in the order '%s'", id, r.ID)
	}
	if state := r.childState(c.now); state != "Succeeded" {
		return nil, fail("OperationCannotBePerformedInCurrentState", "The reservation is %s", state)
	}
	n, err := c.in.integer("properties.reservationToReturn.quantity", 0, 1, 1_000_000)
	switch {
	case err != nil:
		return nil, err
	case n > r.Count:
		return nil, fail("InvalidRefundQuantity", "%d of a reservation of %d cannot be returned", n, r.Count)
	case n < r.Count:
		return nil, fail("InvalidRefundQuantity", "the simulator takes back whole reservations only")
	case finalTypes[r.Attributes[azureType]]:
		return nil, fail("SelfServiceRefundNotSupported", "Reservations of %s cannot be returned", r.Attributes[azureType])
	}
	return r, nil
}

// overPool reports whether a return would take more than is left in the pool.
func (c *call) overPool(f refund) bool {
	after := must(c.world.refundsUsed(c.who.account, c.now).Add(f.canceled))
	more := must(after.Sub(money.MustParse(mostRefunded, currency)))
	return more.Sign() > 0
}

// refundNode is the answer to both the price of a return and the return.
func (c *call) refundNode(r *reservation, f refund, session string) node {
	errors := list("policyErrors")
	if c.overPool(f) {
		errors.kids = append(errors.kids, group("", leaf("code", "RefundLimitExceeded"), leaf("message", "The refund limit of the last twelve months is exceeded")))
	}
	return node{kids: []node{leaf("id", r.childPath()), group("properties",
		leaf("sessionId", session), integer("quantity", int64(r.Count)),
		amountNode("billingRefundAmount", f.back.Canonical()), amountNode("pricingRefundAmount", f.back.Canonical()),
		group("policyResult", group("properties",
			amountNode("consumedRefundsTotal", c.world.refundsUsed(c.who.account, c.now).Canonical()), amountNode("maxRefundLimit", mostRefunded), errors)),
		group("billingInformation", leaf("billingPlan", r.Payment), number("completedTransactions", strconv.FormatInt(f.done, 10)),
			number("totalTransactions", strconv.FormatInt(f.total, 10)),
			amountNode("billingCurrencyTotalPaidAmount", f.paid.Canonical()), amountNode("billingCurrencyProratedAmount", f.consumed.Canonical()),
			amountNode("billingCurrencyRemainingCommitmentAmount", f.left.Canonical())))}}
}

func calculateRefund(c *call) (node, *apiError) {
	r, err := c.toReturn()
	if err != nil {
		return node{}, err
	}
	c.out.Minted = &minted{Order: drawUUID(c.world.seed, "azure refund", c.requestID), Account: c.who.account, Refund: r.ID, Count: r.Count, At: c.now}
	return c.refundNode(r, r.refunded(c.now), c.out.Minted.Order), nil
}

func returnAzure(c *call) (node, *apiError) {
	r, err := c.toReturn()
	if err != nil {
		return node{}, err
	}
	f := r.refunded(c.now)
	session, known := c.world.minted[c.in["properties.sessionId"]]
	switch {
	case !known || session.Account != c.who.account || session.Refund != r.ID || c.now.Sub(session.At) > c.opts.QuoteLife:
		return node{}, fail("BadRequest", "Session timed out - Call CalculateRefund again")
	case c.overPool(f):
		return node{}, fail("RefundLimitExceeded", "The refund limit of the last twelve months is exceeded")
	}
	answer := c.refundNode(r, f, session.Order)
	back := returned{ref: r.ref(), At: c.now}
	back.SettlesAt = c.now.Add(drawDuration(time.Minute, 30*time.Minute, c.world.seed, "return", c.requestID))
	_, back.Fails = c.hits[ReturnFails]
	c.out.Returned = append(c.out.Returned, back)
	c.status, c.header = 202, map[string]string{
		"Location": c.base + "/providers/Microsoft.Capacity/reservationOrders/" + r.ID + "?api-version=" + c.service.version,
	}
	return answer, nil
}

// orderState is the state that an order shows. Of a return it may say nothing in the
// end; its reservation does.
func (r *reservation) orderState(at time.Time) string {
	state := r.childState(at)
	if state == "Cancelled" && draw(2, 0, "azure return", r.ID) == 0 && at.Before(r.endsAt()) {
		return "Succeeded"
	}
	return state
}

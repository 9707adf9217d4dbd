package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/reservations/armreservations/v3"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
	"bursar/internal/money"
)

const (
	opReservations = "Reservation.list"
	opRefund       = "CalculateRefund.post"
	opReturn       = "Return.post"

	// codeOverPool and codeNoRefund are what Azure refuses a return with.
	codeOverPool = "RefundLimitExceeded"
	codeNoRefund = "SelfServiceRefundNotSupported"
)

// returnRules are the rules by which Azure takes a reservation back: "Self-service
// exchanges and refunds for Azure Reservations", as read in July 2026. How much of the
// pool is left, and what is paid back, Azure is asked each time.
const returnRules = "canceled commitment up to the pool of the billing profile in any 12 months, no fee for an early end, " +
	"at the lower of what was paid and today's price (Self-service exchanges and refunds for Azure Reservations, July 2026)"

var _ driver.Returner = (*reservations)(nil)

// refund is what Azure says of a return now.
type refund struct {
	reservation string // the one of the order
	session     string // that the return names
	back        money.Amount
	pool        driver.Pool
	refused     string // code of the first rule that forbids it; "" for none
}

// errParts: what was bought as one is not one any more.
var errParts = errors.New("it was split, merged or given back in part: give the rest back in the portal of Azure")

// ReturnTerms asks Azure what it would pay back, which changes nothing. There is no time
// limit but the end of the term.
func (d *reservations) ReturnTerms(ctx context.Context, c cloud.Commitment, _ []cloud.Commitment, now time.Time) (driver.ReturnTerms, error) {
	t := driver.ReturnTerms{Rule: returnRules, Until: c.Start.UTC().AddDate(0, int(c.Term), 0)}
	switch {
	case d.final:
		t.Why, t.Until = fmt.Sprintf("Azure takes back no reservation of %s", d.resource), time.Time{}
		return t, nil
	case c.State == cloud.Returned || c.State == cloud.Returning:
		t.Why = "it is " + string(c.State) + " already"
		return t, nil
	case c.State == cloud.Pending:
		t.Why = "Azure has not billed it yet: try again in some minutes"
		return t, nil
	case c.State != cloud.Active:
		t.Why = "it is " + string(c.State) + ", and Azure takes back only what is active"
		return t, nil
	case !now.Before(t.Until):
		t.Why = "its term is over"
		return t, nil
	}
	token, err := d.open(ctx)
	if err != nil {
		return t, err
	}
	f, err := d.refund(ctx, token, c)
	var e *driver.Error
	switch {
	case errors.Is(err, errParts):
		t.Why = errParts.Error()
	case saysMissing(err):
		t.Why = "Azure does not show it yet: try again in some minutes"
	case errors.As(err, &e) && e.Code == codeNoRefund:
		t.Why, t.Until = "Azure does not take it back", time.Time{}
	case errors.As(err, &e) && e.Code == codeOverPool:
		t.Why = "the pool of refunds of the billing profile is used up"
	case err != nil:
		return t, err
	default:
		t.Back, t.Pool = &f.back, &f.pool
		switch f.refused {
		case "":
		case codeOverPool:
			t.Why = fmt.Sprintf("it is more than is left in the pool of refunds: %s of %s are used in 12 months", f.pool.Used, f.pool.Limit)
		default:
			t.Why = "Azure does not take it back: " + f.refused
		}
	}
	return t, nil
}

// refund finds the reservation of an order, which must be all that was bought, and asks
// what its return pays.
func (d *reservations) refund(ctx context.Context, token azcore.AccessToken, c cloud.Commitment) (refund, error) {
	var f refund
	if c.Lane != d.lane(d.service) || !guidForm.MatchString(c.ID) {
		return f, readError(opRefund, fmt.Errorf("commitment %s is of %s: %w", c.ID, c.Lane, driver.ErrWrongAccount))
	}
	parts, err := d.children(ctx, token, &look{operation: opReservations}, c.ID)
	if err != nil {
		return f, readError(opReservations, err, token)
	}
	if len(parts) != 1 || parts[0].Properties.Quantity == nil || int64(*parts[0].Properties.Quantity) != c.Quantity {
		return f, readError(opReservations, errParts)
	}
	f.reservation = text(parts[0].ID)
	client, err := armreservations.NewCalculateRefundClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return f, readError(opRefund, err, token)
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out, err := client.Post(ctx, c.ID, armreservations.CalculateRefundRequest{
		ID: to.Ptr("/providers/microsoft.capacity/reservationOrders/" + c.ID),
		Properties: &armreservations.CalculateRefundRequestProperties{
			Scope: to.Ptr("Reservation"), ReservationToReturn: f.whole(c),
		},
	}, nil)
	if err != nil {
		return f, readError(opRefund, err, token)
	}
	p := out.Properties
	if p == nil || p.BillingRefundAmount == nil || p.PolicyResult == nil || p.PolicyResult.Properties == nil ||
		!strings.EqualFold(text(out.ID), f.reservation) || p.Quantity == nil || int64(*p.Quantity) != c.Quantity {
		return f, readError(opRefund, errors.New("the answer is not about the return of the reservation"))
	}
	f.session = text(p.SessionID)
	rules := p.PolicyResult.Properties
	for _, e := range rules.PolicyErrors {
		if e != nil && f.refused == "" {
			f.refused = fmt.Sprintf("%.80s", text(e.Code))
		}
	}
	if f.back, err = amountOf(p.BillingRefundAmount); err == nil {
		if f.pool.Used, err = amountOf(rules.ConsumedRefundsTotal); err == nil {
			f.pool.Limit, err = amountOf(rules.MaxRefundLimit)
		}
	}
	if err != nil {
		return f, readError(opRefund, err)
	}
	return f, nil
}

// whole names all that was bought.
func (f refund) whole(c cloud.Commitment) *armreservations.ReservationToReturn {
	return &armreservations.ReservationToReturn{ReservationID: to.Ptr(f.reservation), Quantity: to.Ptr(int32(c.Quantity))} //nolint:gosec // Azure named it
}

func amountOf(p *armreservations.Price) (money.Amount, error) {
	if p == nil {
		return money.Amount{}, errNoPrice
	}
	return driver.Amount(p.Amount, text(p.CurrencyCode))
}

// Return gives an order back. Azure knows no token of a return; a second one of the same
// order would find nothing left of it, and there is none.
func (d *reservations) Return(ctx context.Context, r driver.Request, c cloud.Commitment) (cloud.Evidence, error) {
	ev := cloud.Evidence{Kind: cloud.EvidenceReply, Operation: opReturn, Started: d.now()}
	switch err := d.accepts(r, d.service); {
	case err != nil:
		return unsent(ev, err)
	case c.Lane != d.lane(d.service) || !guidForm.MatchString(c.ID):
		return unsent(ev, fmt.Errorf("commitment %s is of %s: %w", c.ID, c.Lane, driver.ErrWrongAccount))
	case c.State != cloud.Active:
		return unsent(ev, fmt.Errorf("commitment %s is %s, not active", c.ID, c.State))
	case r.Identity == "":
		return unsent(ev, errors.New("a return without a token"))
	}
	token, err := d.open(ctx)
	if err != nil {
		return unsent(ev, err)
	}
	f, err := d.refund(ctx, token, c)
	switch {
	case err != nil:
		return unsent(ev, err)
	case f.refused != "":
		return unsent(ev, errors.New("Azure does not take it back: "+f.refused))
	case f.session == "":
		return unsent(ev, errors.New("the answer names no session to return in"))
	}
	r.Order = "" // a return has none
	d.sessions.put(&session{attempt: r.Attempt, token: token})
	return d.spend(ctx, r, order{
		operation: opReturn,
		accepted:  []int{http.StatusOK, http.StatusAccepted},
		send: func(ctx context.Context, client *http.Client, token string) error {
			returns, err := armreservations.NewReturnClient(frozen(token), d.options(client, true))
			if err != nil {
				return err
			}
			_, err = returns.BeginPost(ctx, c.ID, armreservations.RefundRequest{Properties: &armreservations.RefundRequestProperties{
				SessionID: to.Ptr(f.session), Scope: to.Ptr("Reservation"), ReturnReason: to.Ptr(r.Identity), ReservationToReturn: f.whole(c),
			}}, nil)
			return err
		},
		// The answer is about the refund or, by the description of the API, the order.
		handle: func(reply *oneshot.Reply) (string, string, error) {
			var got struct {
				ID string `json:"id"`
			}
			if json.Unmarshal(reply.Body, &got) != nil || got.ID == "" {
				return "", "", errors.New("the answer is not about a return")
			}
			if last := lastOf(got.ID); last != lastOf(f.reservation) && last != c.ID {
				return "", "", errors.New("the answer is about another reservation")
			}
			return c.ID, fmt.Sprintf("order %s is given back for %s", c.ID, f.back), nil
		},
	})
}

package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/reservations/armreservations/v3"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
)

// states are the states of an order. One that is not here is Unknown.
var states = map[string]cloud.CommitmentState{
	"Creating":              cloud.Pending,
	"Pending":               cloud.Pending,
	"PendingResourceHold":   cloud.Pending,
	"ConfirmedResourceHold": cloud.Pending,
	"PendingCapacity":       cloud.Pending, // seen, not documented
	"PendingBilling":        cloud.Pending,
	"ConfirmedBilling":      cloud.Pending,
	"Created":               cloud.Pending,
	"Succeeded":             cloud.Active,
	"Split":                 cloud.Active,
	"Merged":                cloud.Active,
	"Failed":                cloud.Failed,
	"BillingFailed":         cloud.Failed,
	"Expired":               cloud.Retired,
	"Cancelled":             cloud.Returned,
}

func stateOf(word string) cloud.CommitmentState {
	if s, known := states[word]; known {
		return s
	}
	return cloud.Unknown
}

// commitment reads an order; nil if it does not exist. Where its reservations are not
// known from a listing they are read too.
func (d *reservations) commitment(ctx context.Context, token azcore.AccessToken, l *look, id string,
	children []*armreservations.ReservationResponse, r driver.Request) (*cloud.Commitment, error) {
	orders, err := armreservations.NewReservationOrderClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return nil, readError(opOrder, err, token)
	}
	var resp *http.Response
	call, cancel := context.WithTimeout(policy.WithCaptureResponse(ctx, &resp), readTimeout)
	out, err := orders.Get(call, id, &armreservations.ReservationOrderClientGetOptions{Expand: to.Ptr("schedule")})
	cancel()
	l.seen(resp)
	switch {
	case saysMissing(err) && len(children) == 0:
		return nil, nil
	case err != nil:
		return nil, readError(opOrder, err, token)
	case out.Properties == nil || !strings.EqualFold(text(out.Name), id):
		return nil, readError(opOrder, errors.New("asked for one order, Azure showed another"))
	}
	if len(children) == 0 {
		if children, err = d.children(ctx, token, l, id); err != nil && !saysMissing(err) {
			return nil, readError(opOrder, err, token)
		}
	}
	if len(children) == 0 {
		return nil, readError(opOrder, fmt.Errorf("order %s is %s and shows no reservation yet", id, text(out.Properties.ProvisioningState)))
	}
	return d.translate(id, out.ReservationOrderResponse, children, r)
}

// stateIn is the state of an order with its reservations. One that has begun and says
// Pending is being given back. At the end of that the order says Cancelled or, since it
// is not published which, every reservation of it does.
func stateIn(p *armreservations.ReservationOrderProperties, children []*armreservations.ReservationResponse) cloud.CommitmentState {
	state := stateOf(text(p.ProvisioningState))
	switch {
	case text(p.ProvisioningState) == "Pending" && p.BenefitStartTime != nil:
		return cloud.Returning
	case state == cloud.Active && !slices.ContainsFunc(children, func(res *armreservations.ReservationResponse) bool {
		return text(res.Properties.ProvisioningState) != "Cancelled"
	}):
		return cloud.Returned
	}
	return state
}

// translate turns an order into a commitment. Its quantity is what was bought, whatever
// was split or merged since; what it is of, its first reservation says.
func (d *reservations) translate(id string, order armreservations.ReservationOrderResponse, children []*armreservations.ReservationResponse,
	r driver.Request) (*cloud.Commitment, error) {
	p, res := order.Properties, children[0]
	q := res.Properties
	g := goods{sku: "", term: text(p.Term), payment: paymentOf(text(p.BillingPlan))}
	if res.SKU != nil {
		g.sku = text(res.SKU.Name)
	}
	// Azure may write a SKU with other capitals than its catalog.
	if known := r.Offering.Attributes[attrSKU]; strings.EqualFold(known, g.sku) {
		g.sku = known
	}
	kind := kinds[max(0, slices.IndexFunc(kinds, func(k kind) bool { return strings.EqualFold(k.resource, text(q.ReservedResourceType)) }))]
	scopes := []string{}
	if a := q.AppliedScopeProperties; a != nil {
		scopes = append(scopes, text(a.ManagementGroupID), text(a.ResourceGroupID), text(a.SubscriptionID))
	}
	for _, s := range q.AppliedScopes {
		scopes = append(scopes, text(s))
	}
	c := &cloud.Commitment{
		Lane: laneOf(res), ID: id, Name: text(p.DisplayName), ARN: text(order.ID), OfferingID: g.id(),
		Attributes: cloud.Attributes{
			attrSKU: g.sku, attrScope: scopeOf(text(q.AppliedScopeType), scopes...), attrRenew: yes(q.Renew != nil && *q.Renew),
		},
		Term: g.months(), Payment: g.payment, State: stateIn(p, children),
		Start: timeOf(p.BenefitStartTime, q.BenefitStartTime, q.PurchaseDateTime, p.RequestDateTime),
		Used:  usedOrder(children),
	}
	if c.Name == "" || slices.ContainsFunc(r.Identities, func(name string) bool { return strings.EqualFold(name, text(q.DisplayName)) }) {
		c.Name = text(q.DisplayName)
	}
	if kind.service == c.Service && kind.flexible {
		c.Attributes[attrFlexible] = yes(text(q.InstanceFlexibility) != "Off")
	}
	switch {
	case p.OriginalQuantity != nil:
		c.Quantity = int64(*p.OriginalQuantity)
	case q.Quantity != nil:
		c.Quantity = int64(*q.Quantity)
	}
	if g.sku == "" || c.Quantity < 1 || c.Start.IsZero() {
		return nil, readError(opOrder, fmt.Errorf("order %s does not say what it is of, of how many or since when", id))
	}
	var err error
	if c.Upfront, c.Hourly, err = d.paid(p.PlanInformation, c.Quantity, g); err != nil {
		return nil, readError(opOrder, fmt.Errorf("order %s: %w", id, err))
	}
	return c, nil
}

// paid is the price of one unit by the schedule of an order: what is billed, or else
// what it is priced at. Where Azure shows no schedule it is zero.
func (d *reservations) paid(plan *armreservations.ReservationOrderBillingPlanInformation, n int64, g goods) (upfront, hourly money.Amount, err error) {
	zero := money.Zero(d.Currency)
	if plan == nil {
		return zero, zero, nil
	}
	var billed []money.Amount
	for _, t := range plan.Transactions {
		if t == nil || t.BillingCurrencyTotal == nil {
			billed = nil
			break
		}
		a, err := driver.Amount(t.BillingCurrencyTotal.Amount, text(t.BillingCurrencyTotal.CurrencyCode))
		if err != nil {
			return zero, zero, err
		}
		billed = append(billed, a)
	}
	var total money.Amount
	switch {
	case len(billed) > 0:
		total, err = money.Sum(billed...)
	case plan.PricingCurrencyTotal != nil:
		total, err = driver.Amount(plan.PricingCurrencyTotal.Amount, text(plan.PricingCurrencyTotal.CurrencyCode))
	default:
		return zero, zero, nil
	}
	if err != nil {
		return zero, zero, err
	}
	return perUnit(total, n, g)
}

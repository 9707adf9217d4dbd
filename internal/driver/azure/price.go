package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/reservations/armreservations/v3"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// request is the body of both the price and the purchase.
func (d *reservations) request(o cloud.Offering, quantity int64, name string) (armreservations.PurchaseRequest, goods, error) {
	g, err := parseGoods(o.ID)
	if err != nil {
		return armreservations.PurchaseRequest{}, g, err
	}
	if err := d.Allows(o, quantity); err != nil {
		return armreservations.PurchaseRequest{}, g, err
	}
	sc, err := parseScope(o.Attributes[attrScope])
	if err != nil {
		return armreservations.PurchaseRequest{}, g, err
	}
	p := &armreservations.PurchaseRequestProperties{
		ReservedResourceType: to.Ptr(armreservations.ReservedResourceType(d.resource)),
		BillingScopeID:       to.Ptr("/subscriptions/" + string(d.Account)),
		Term:                 to.Ptr(armreservations.ReservationTerm(g.term)),
		BillingPlan:          to.Ptr(armreservations.ReservationBillingPlan(planOf(g.payment))),
		Quantity:             to.Ptr(int32(quantity)),
		DisplayName:          to.Ptr(name),
		AppliedScopeType:     to.Ptr(armreservations.AppliedScopeType(sc.kind)),
		Renew:                to.Ptr(o.Attributes[attrRenew] == "true"), // said always: it buys again without us
	}
	switch {
	case sc.management != "":
		p.AppliedScopeProperties = &armreservations.AppliedScopeProperties{ManagementGroupID: to.Ptr(sc.management), TenantID: to.Ptr(d.Tenant)}
	case sc.group != "":
		p.AppliedScopeProperties = &armreservations.AppliedScopeProperties{ResourceGroupID: to.Ptr(sc.group)}
	case sc.subscription != "":
		p.AppliedScopeProperties = &armreservations.AppliedScopeProperties{SubscriptionID: to.Ptr(sc.subscription)}
	}
	if d.flexible {
		flexible := armreservations.InstanceFlexibilityOn
		if o.Attributes[attrFlexible] == "false" {
			flexible = armreservations.InstanceFlexibilityOff
		}
		p.ReservedResourceProperties = &armreservations.PurchaseRequestPropertiesReservedResourceProperties{InstanceFlexibility: to.Ptr(flexible)}
	}
	return armreservations.PurchaseRequest{Location: to.Ptr(string(d.Region)), SKU: &armreservations.SKUName{Name: to.Ptr(g.sku)}, Properties: p}, g, nil
}

// price asks what the account pays for a quantity, and returns the offering at the
// price of one, the order that Azure names with it, and the time of the answer.
func (d *reservations) price(ctx context.Context, token azcore.AccessToken, o cloud.Offering, quantity int64, name string) (_ cloud.Offering, order string, at time.Time, err error) {
	body, g, err := d.request(o, quantity, name)
	if err != nil {
		return o, "", at, readError(opPrice, err)
	}
	client, err := armreservations.NewReservationOrderClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return o, "", at, readError(opPrice, err, token)
	}
	var resp *http.Response
	ctx, cancel := context.WithTimeout(policy.WithCaptureResponse(ctx, &resp), readTimeout)
	defer cancel()
	out, err := client.Calculate(ctx, body, nil)
	if err != nil {
		return o, "", at, readError(opPrice, err, token)
	}
	p := out.Properties
	if p == nil || p.BillingCurrencyTotal == nil {
		return o, "", at, readError(opPrice, errNoPrice)
	}
	if order = strings.ToLower(text(p.ReservationOrderID)); !guidForm.MatchString(order) {
		return o, "", at, readError(opPrice, errors.New("the answer names no order"))
	}
	total, err := driver.Amount(p.BillingCurrencyTotal.Amount, text(p.BillingCurrencyTotal.CurrencyCode))
	if err == nil && total.IsZero() {
		err = errNoPrice
	}
	if err == nil {
		o.Upfront, o.Hourly, err = perUnit(total, quantity, g)
	}
	if err != nil {
		return o, "", at, readError(opPrice, err)
	}
	o.Attributes, o.Term, o.Payment = d.goods(g, o.Attributes), g.months(), g.payment
	return o, order, dateOf(resp.Header), nil
}

// Quote asks for today's price, and for the order that Purchase buys: Azure names a new
// one each time, and one that is not bought is forgotten.
func (d *reservations) Quote(ctx context.Context, r driver.Request) (cloud.Quote, error) {
	if err := d.check(r); err != nil {
		return cloud.Quote{}, readError(opPrice, err)
	}
	token, err := d.open(ctx)
	if err != nil {
		return cloud.Quote{}, err
	}
	quote := cloud.Quote{At: d.now(), Credential: nameOf(token)}
	quote.Offering, quote.Order, quote.CloudTime, err = d.price(ctx, token, r.Offering, r.Quantity, r.Identity)
	if err != nil {
		return cloud.Quote{}, d.whyNot(ctx, token, r.Offering.ID, err)
	}
	if o := quote.Offering; !o.SameGoods(r.Offering) {
		return cloud.Quote{}, readError(opPrice, fmt.Errorf("the offering is now %s, %s, %s", o.Attributes, o.Term, o.Payment))
	}
	d.sessions.put(&session{attempt: r.Attempt, token: token, order: quote.Order})
	return quote, nil
}

// whyNot tells a price that was refused because the offering is not sold, by the
// catalog: the codes of Azure do not.
func (d *reservations) whyNot(ctx context.Context, token azcore.AccessToken, id string, refused error) error {
	var e *driver.Error
	g, err := parseGoods(id)
	if err != nil || !errors.As(refused, &e) || e.Status < 400 || e.Status > 499 {
		return refused
	}
	sold, err := d.catalog(ctx, token, g.sku, driver.Query{ID: id})
	if err == nil && len(sold) == 0 {
		return readError(opPrice, driver.ErrNotSold)
	}
	return refused
}

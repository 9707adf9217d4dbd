package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/billingbenefits/armbillingbenefits"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

const (
	opBuyAlias         = "ReservationOrderAlias.create"
	opReservationAlias = "ReservationOrderAlias.get"
	reservationAliases = "/providers/Microsoft.BillingBenefits/reservationOrderAliases/"
)

// aliased sells the same reservations by an alias that we choose: the identity of the
// line, which is known before anything is asked, and names its order from the first
// answer on. The order that it makes is one like any other.
//
// What a second request under one alias does is not published; it may buy again. So the
// class is the one of orders that are followed, not that of unique names: the alias is
// read before the one request, and after any doubt.
//
// The price comes from another request than the purchase: that the two are the same is
// not promised.
type aliased struct{ *reservations }

var (
	_ driver.Service  = (*aliased)(nil)
	_ driver.Follower = (*aliased)(nil)
	_ driver.Limiter  = (*aliased)(nil)
	_ driver.Checker  = (*aliased)(nil)
)

// Info returns the facts of the service.
func (d *aliased) Info() driver.Info {
	return d.info(d.service, d.attributes(), "Azure knows a reservation by the name that its line chose; the name is looked up before the one "+
		"request that is sent under it, and after any doubt, and no second request is sent.")
}

// Quote asks for today's price, and makes sure that the alias is free. The order that
// Azure names with the price is not used.
func (d *aliased) Quote(ctx context.Context, r driver.Request) (cloud.Quote, error) {
	quote, err := d.reservations.Quote(ctx, r)
	if err != nil {
		return cloud.Quote{}, err
	}
	s := d.sessions.take(r.Attempt)
	if s == nil {
		return cloud.Quote{}, readError(opReservationAlias, errNoSession)
	}
	switch id, err := d.behind(ctx, s.token, &look{operation: opReservationAlias}, r.Identity); {
	case err != nil:
		return cloud.Quote{}, err
	case id != "":
		return cloud.Quote{}, readError(opReservationAlias, fmt.Errorf("the alias %s exists already, and names order %s", r.Identity, id))
	}
	quote.Order, s.order = "", ""
	d.sessions.put(s)
	return quote, nil
}

// model is the body of the purchase, in the words of Microsoft.BillingBenefits.
func (d *aliased) model(r driver.Request) (armbillingbenefits.ReservationOrderAliasRequest, error) {
	body, g, err := d.request(r.Offering, r.Quantity, r.Identity)
	if err != nil {
		return armbillingbenefits.ReservationOrderAliasRequest{}, err
	}
	p := body.Properties
	q := &armbillingbenefits.ReservationOrderAliasRequestProperties{
		ReservedResourceType: to.Ptr(armbillingbenefits.ReservedResourceType(d.resource)),
		BillingScopeID:       p.BillingScopeID,
		Term:                 to.Ptr(armbillingbenefits.Term(g.term)),
		Quantity:             p.Quantity,
		DisplayName:          p.DisplayName,
		AppliedScopeType:     to.Ptr(armbillingbenefits.AppliedScopeType(*p.AppliedScopeType)),
		Renew:                p.Renew,
	}
	if g.payment == cloud.Monthly {
		q.BillingPlan = to.Ptr(armbillingbenefits.BillingPlanP1M)
	}
	if a := p.AppliedScopeProperties; a != nil {
		q.AppliedScopeProperties = &armbillingbenefits.AppliedScopeProperties{
			ManagementGroupID: a.ManagementGroupID, TenantID: a.TenantID, ResourceGroupID: a.ResourceGroupID, SubscriptionID: a.SubscriptionID,
		}
	}
	if f := p.ReservedResourceProperties; f != nil {
		q.ReservedResourceProperties = &armbillingbenefits.ReservationOrderAliasRequestPropertiesReservedResourceProperties{
			InstanceFlexibility: to.Ptr(armbillingbenefits.InstanceFlexibility(*f.InstanceFlexibility)),
		}
	}
	return armbillingbenefits.ReservationOrderAliasRequest{Location: body.Location, SKU: &armbillingbenefits.SKU{Name: to.Ptr(g.sku)}, Properties: q}, nil
}

// Purchase buys r.Quantity units of r.Offering under the alias r.Identity.
func (d *aliased) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	err := d.check(r)
	var body armbillingbenefits.ReservationOrderAliasRequest
	if err == nil {
		body, err = d.model(r)
	}
	if err == nil && !r.FireAt.IsZero() {
		err = errors.New("reservations of Azure cannot be ordered for later")
	}
	if err != nil {
		return unsent(cloud.Evidence{Kind: cloud.EvidenceReply, Operation: opBuyAlias, Started: d.now()}, err)
	}
	return d.spend(ctx, r, order{
		operation: opBuyAlias,
		accepted:  []int{http.StatusOK, http.StatusCreated},
		send: func(ctx context.Context, client *http.Client, token string) error {
			aliases, err := armbillingbenefits.NewReservationOrderAliasClient(frozen(token), d.options(client, true))
			if err != nil {
				return err
			}
			_, err = aliases.BeginCreate(ctx, r.Identity, body, nil)
			return err
		},
		handle: func(reply *oneshot.Reply) (string, string, error) {
			id, err := parseAlias(reply.Body, r.Identity)
			if err != nil {
				return "", "", err
			}
			detail := "order " + id + " is on its way"
			if m := operationForm.FindStringSubmatch(reply.Header.Get("Azure-AsyncOperation")); m != nil {
				return handleOperation + strings.ToLower(m[1]) + "/" + handleOrder + id, detail, nil
			}
			return handleOrder + id, detail, nil
		},
	})
}

// parseAlias reads the order that an alias names. Nothing else of it is read: the SDK
// cannot decode an alias whose flexibility is a number, which Azure has answered.
func parseAlias(body []byte, alias string) (string, error) {
	var got struct {
		Name       string `json:"name"`
		Properties *struct {
			Order string `json:"reservationOrderId"`
		} `json:"properties"`
	}
	if json.Unmarshal(body, &got) != nil || got.Properties == nil {
		return "", errors.New("the answer is not an alias")
	}
	id := lastOf(got.Properties.Order)
	if !strings.EqualFold(got.Name, alias) || !guidForm.MatchString(id) {
		return "", errors.New("the answer is about another alias, or names no order")
	}
	return id, nil
}

// behind is the order that an alias names; "" if there is no such alias.
func (d *aliased) behind(ctx context.Context, token azcore.AccessToken, l *look, alias string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	resp, err := d.get(ctx, token, reservationAliases+url.PathEscape(alias), "api-version=2022-11-01")
	if err != nil {
		return "", readError(opReservationAlias, err, token)
	}
	l.seen(resp)
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		err := runtime.NewResponseError(resp)
		if saysMissing(err) {
			return "", nil
		}
		return "", readError(opReservationAlias, err, token)
	}
	body, err := runtime.Payload(resp)
	if err != nil {
		return "", readError(opReservationAlias, err, token)
	}
	id, err := parseAlias(body, alias)
	if err != nil {
		return "", readError(opReservationAlias, err)
	}
	return id, nil
}

// Find returns the orders whose alias is one of r.Identities, and what there is under
// them besides: an alias that was bought twice names only one of its orders. An alias
// whose order is not shown is an error, for it proves no absence.
func (d *aliased) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	if r.Account != d.Account {
		return nil, readError(opReservationAlias, driver.ErrWrongAccount)
	}
	if len(r.Identities) == 0 {
		return d.reservations.Find(ctx, r)
	}
	token, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	l := look{operation: opReservationAlias, started: d.now()}
	orders := map[string]string{} // by their ids, the alias of each
	r.Identities = slices.Clone(r.Identities)
	for _, name := range r.Identities {
		if name == "" {
			return nil, readError(opReservationAlias, errors.New("an empty identity"))
		}
		if guidForm.MatchString(strings.ToLower(name)) {
			continue // an order that Azure has named
		}
		id, err := d.behind(ctx, token, &l, name)
		if err != nil {
			return nil, err
		}
		if id != "" {
			orders[id] = name
		}
	}
	for id := range orders {
		r.Identities = append(r.Identities, id)
	}
	found, err := d.reservations.Find(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range found {
		// What came into being after the first answer may be missing in it.
		if found[i].Started = l.started; !l.first.IsZero() {
			found[i].CloudTime = l.first
		}
		if c := found[i].Commitment; c != nil {
			delete(orders, c.ID)
		}
	}
	for id, name := range orders {
		return nil, readError(opReservationAlias, fmt.Errorf("the alias %s names order %s, which is not shown yet", name, id))
	}
	return found, nil
}

// Poll asks what became of the operation by which the order was bought, and then reads
// the order. What the status of an operation is called besides is not published: only the
// words for an end are one. An operation that is forgotten leaves the word to the order.
func (d *aliased) Poll(ctx context.Context, r driver.Request, handle string) (cloud.Evidence, error) {
	operation, id := "", handle
	if rest, is := strings.CutPrefix(handle, handleOperation); is {
		operation, id, _ = strings.Cut(rest, "/")
	}
	id = strings.TrimPrefix(id, handleOrder)
	poll := func() (cloud.Evidence, error) {
		ev, err := d.reservations.Poll(ctx, r, id)
		if ev.Handle != "" {
			ev.Handle = handle
		}
		return ev, err
	}
	if operation == "" {
		return poll()
	}
	if r.Account != d.Account || !guidForm.MatchString(id) {
		return cloud.Evidence{}, readError(opOperation, errors.New("the handle is not an order of the subscription"))
	}
	token, err := d.open(ctx)
	if err != nil {
		return cloud.Evidence{}, err
	}
	l := look{operation: opOperation, started: d.now()}
	switch status, err := (&plans{d.core}).operation(ctx, token, &l, operation); {
	case saysMissing(err), status == "Succeeded":
		return poll()
	case err != nil:
		return cloud.Evidence{}, err
	default:
		ev := l.evidence(nil, "the operation is "+status)
		ev.Kind, ev.Outcome, ev.Handle = cloud.EvidenceListing, cloud.Accepted, handle
		if status == "Failed" || status == "Cancelled" || status == "Canceled" {
			ev.Outcome = cloud.Refused
		}
		return ev, nil
	}
}

// Check asks what the checks of the order ask, and for an alias.
func (d *aliased) Check(ctx context.Context, identity string) []driver.Check {
	k := &checks{list: d.reservations.Check(ctx, identity)}
	token, err := d.open(ctx)
	if err != nil {
		return k.list // the checks of the order have said so
	}
	_, err = d.behind(ctx, token, &look{operation: opReservationAlias}, identity)
	if d.judgeCheck(k, mayReadReservationAliases, err) {
		d.checkGranted(ctx, k, token, mayBuyByAlias)
	}
	return k.list
}

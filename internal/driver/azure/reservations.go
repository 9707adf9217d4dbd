package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/reservations/armreservations/v3"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
	"bursar/internal/money"
)

// kind is a type of resource that is reserved, which is a service here: reservations of
// one type and location are told from all others by what they say of themselves.
type kind struct {
	service  cloud.Service
	resource string // reservedResourceType, an open list
	flexible bool   // sold with and without flexibility in size
	final    bool   // never taken back
}

// kinds are what is sold. All of it is one wire API.
var kinds = []kind{
	{service: "vm", resource: "VirtualMachines", flexible: true},
	{service: "sql", resource: "SqlDatabases"},
	{service: "cosmosdb", resource: "CosmosDb"},
	{service: "redis", resource: "RedisCache"},
	{service: "synapse", resource: "SqlDataWarehouse"},
	{service: "appservice", resource: "AppService"},
	{service: "disk", resource: "ManagedDisk"},
	{service: "databricks", resource: "Databricks", final: true},
}

// serviceOf is the service of a resource type; one that is not sold here is its own name.
func serviceOf(resource string) cloud.Service {
	for _, k := range kinds {
		if strings.EqualFold(k.resource, resource) {
			return k.service
		}
	}
	return cloud.Service(strings.ToLower(resource))
}

// Operations, as the description of the API calls them.
const (
	opCatalog          = "AzureReservationAPI.getCatalog"
	opPrice            = "ReservationOrder.calculate"
	opBuyReservation   = "ReservationOrder.purchase"
	opOrder            = "ReservationOrder.get"
	opListReservations = "Reservation.listAll"
)

// reservations sells the reservations of one type of resource in one location.
//
// calculatePrice names the order that is then bought, by one PUT; the ledger holds the
// name before it is used. What a second PUT of an order does is not published, so there
// is none: doubt is resolved by reading the order, and by the display name, which is
// the only label of ours that Azure keeps.
type reservations struct {
	*core
	kind
}

var (
	_ driver.Service  = (*reservations)(nil)
	_ driver.Follower = (*reservations)(nil)
	_ driver.Limiter  = (*reservations)(nil)
)

func (d *reservations) attributes() []driver.Attribute {
	list := []driver.Attribute{{Key: attrSKU, Example: "Standard_D2s_v5"}, scopeAttribute, renewAttribute}
	if d.flexible {
		list = append(list, driver.Attribute{Key: attrFlexible, Example: "true", Values: []string{"true", "false"}})
	}
	return list
}

// Info returns the facts of the service.
func (d *reservations) Info() driver.Info {
	return d.info(d.service, d.attributes(), "Azure names an order together with its price; the name is stored before it is used, "+
		"one request is sent for it and never another, and what became of it is read under that name and under the name of the line.")
}

// Allows refuses a quantity that Azure does not take.
func (d *reservations) Allows(_ cloud.Offering, quantity int64) error {
	if quantity < 1 || quantity > math.MaxInt32 {
		return fmt.Errorf("quantity %d: want 1 to %d", quantity, math.MaxInt32)
	}
	return nil
}

// Offerings returns what the catalog of the location has, in the scope that q asks for
// or else the shared one, without renewal unless q asks for it. Where q names one SKU,
// prices are those that the account is asked; in a list of all they are list prices.
func (d *reservations) Offerings(ctx context.Context, q driver.Query) ([]cloud.Offering, error) {
	if err := checkQuery("reservations", q, d.attributes()); err != nil {
		return nil, err
	}
	name := q.Attributes[attrSKU]
	if q.ID != "" {
		g, err := parseGoods(q.ID)
		if err != nil || name != "" && name != g.sku {
			return nil, err
		}
		name = g.sku
	}
	token, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	all, err := d.catalog(ctx, token, name, q)
	if err != nil || name == "" {
		return all, err
	}
	for i, o := range all {
		priced, _, _, err := d.price(ctx, token, o, 1, "bursar-price")
		if err != nil {
			return nil, err
		}
		all[i] = priced
	}
	return all, nil
}

// catalog returns the offerings that match q at list prices, of one SKU if it is named.
func (d *reservations) catalog(ctx context.Context, token azcore.AccessToken, name string, q driver.Query) ([]cloud.Offering, error) {
	client, err := armreservations.NewAzureReservationAPIClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return nil, readError(opCatalog, err, token)
	}
	var all []cloud.Offering
	l := look{operation: opCatalog}
	pager := client.NewGetCatalogPager(string(d.Account), &armreservations.AzureReservationAPIClientGetCatalogOptions{
		ReservedResourceType: to.Ptr(d.resource), Location: to.Ptr(string(d.Region)),
	})
	err = each(ctx, d.core, &l, pager, func(p armreservations.AzureReservationAPIClientGetCatalogResponse) *string { return p.NextLink },
		func(p armreservations.AzureReservationAPIClientGetCatalogResponse) error {
			for _, item := range p.Value {
				if item == nil || text(item.Name) == "" || name != "" && text(item.Name) != name || !strings.EqualFold(text(item.ResourceType), d.resource) {
					continue
				}
				for _, o := range d.offeringsOf(item, q) {
					if !slices.ContainsFunc(all, func(known cloud.Offering) bool { return known.ID == o.ID }) {
						all = append(all, o)
					}
				}
			}
			return nil
		})
	if err != nil {
		return nil, readError(opCatalog, err, token)
	}
	return all, nil
}

// offeringsOf are the terms and payments of one SKU that match q.
func (d *reservations) offeringsOf(item *armreservations.Catalog, q driver.Query) (list []cloud.Offering) {
	for _, term := range item.Terms {
		plans := []string{"Upfront", "Monthly"}
		if known, there := item.BillingPlans[text(term)]; there {
			plans = nil
			for _, p := range known {
				plans = append(plans, text(p))
			}
		}
		for _, plan := range plans {
			g, err := parseGoods(strings.Join([]string{text(item.Name), text(term), plan}, "."))
			if err != nil {
				continue // terms of five years are not known here
			}
			o := cloud.Offering{
				Provider: cloud.Azure, Service: d.service, Region: d.Region, ID: g.id(), Attributes: d.goods(g, q.Attributes),
				Term: g.months(), Payment: g.payment,
			}
			if !matches(q, o) || d.list(&o, item, g) != nil {
				continue
			}
			list = append(list, o)
		}
	}
	return list
}

// goods are the attributes of what g names, on the terms that are asked for.
func (d *reservations) goods(g goods, asked cloud.Attributes) cloud.Attributes {
	all := cloud.Attributes{attrSKU: g.sku, attrScope: scopeShared, attrRenew: "false"}
	if d.flexible {
		all[attrFlexible] = "true"
	}
	for key := range all {
		if want := asked[key]; want != "" && key != attrSKU {
			all[key] = want
		}
	}
	return all
}

// list sets the list price of one unit.
func (d *reservations) list(o *cloud.Offering, item *armreservations.Catalog, g goods) error {
	var p *armreservations.Price
	if item.Msrp != nil {
		p = map[string]*armreservations.Price{"P1Y": item.Msrp.P1Y, "P3Y": item.Msrp.P3Y}[g.term]
	}
	if p == nil {
		return errNoPrice
	}
	total, err := driver.Amount(p.Amount, text(p.CurrencyCode))
	if err == nil {
		o.Upfront, o.Hourly, err = perUnit(total, 1, g)
	}
	return err
}

func matches(q driver.Query, o cloud.Offering) bool {
	for key, want := range q.Attributes {
		if o.Attributes[key] != want {
			return false
		}
	}
	return (q.ID == "" || o.ID == q.ID) && (q.Term == 0 || o.Term == q.Term) && (q.Payment == "" || o.Payment == q.Payment)
}

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

// check says what is wrong with a request before anything is sent.
func (d *reservations) check(r driver.Request) error {
	if err := d.accepts(r, d.service); err != nil {
		return err
	}
	if err := checkName(r.Identity); err != nil {
		return err
	}
	_, _, err := d.request(r.Offering, r.Quantity, r.Identity)
	return err
}

// Purchase buys r.Quantity units of r.Offering as r.Order.
func (d *reservations) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	body, _, err := d.request(r.Offering, r.Quantity, r.Identity)
	if err == nil {
		err = d.check(r)
	}
	switch {
	case err != nil:
	case !r.FireAt.IsZero():
		err = errors.New("reservations of Azure cannot be ordered for later")
	case r.Order != "" && !guidForm.MatchString(r.Order):
		err = errors.New("the order is not one of Azure")
	}
	if err != nil {
		return unsent(cloud.Evidence{Kind: cloud.EvidenceReply, Operation: opBuyReservation, Started: d.now()}, err)
	}
	return d.spend(ctx, r, order{
		operation: opBuyReservation,
		accepted:  []int{http.StatusOK, http.StatusAccepted},
		send: func(ctx context.Context, client *http.Client, token string) error {
			orders, err := armreservations.NewReservationOrderClient(frozen(token), d.options(client, true))
			if err != nil {
				return err
			}
			_, err = orders.BeginPurchase(ctx, r.Order, body, nil)
			return err
		},
		handle: func(reply *oneshot.Reply) (string, string, error) {
			var got struct {
				Name       string `json:"name"`
				Properties *struct {
					State string `json:"provisioningState"`
				} `json:"properties"`
			}
			if json.Unmarshal(reply.Body, &got) != nil || got.Properties == nil {
				return "", "", errors.New("the answer is not an order")
			}
			if !strings.EqualFold(got.Name, r.Order) {
				return "", "", errors.New("the answer is about another order")
			}
			return r.Order, fmt.Sprintf("order %s is %s", r.Order, got.Properties.State), nil
		},
	})
}

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

// Find returns the orders under r.Identities: those that are named so by Azure, and
// those with reservations that we named so. Without identities it returns what is
// listed of the type and location.
func (d *reservations) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	if r.Account != d.Account {
		return nil, readError(opOrder, driver.ErrWrongAccount)
	}
	token, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	l := look{operation: opListReservations, started: d.now()}
	children := map[string][]*armreservations.ReservationResponse{}
	var ids []string
	if len(r.Identities) > 0 {
		for _, id := range r.Identities {
			if id == "" {
				return nil, readError(opOrder, errors.New("an empty identity"))
			}
			if id = strings.ToLower(id); guidForm.MatchString(id) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	err = d.listAll(ctx, token, &l, func(o string, res *armreservations.ReservationResponse) {
		if !d.wanted(r, res) && !slices.Contains(ids, o) {
			return
		}
		children[o] = append(children[o], res)
		if !slices.Contains(ids, o) {
			ids = append(ids, o)
		}
	})
	if err != nil {
		return nil, err
	}
	var found []cloud.Evidence
	for _, id := range ids {
		c, err := d.commitment(ctx, token, &l, id, children[id], r)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		ev := l.evidence(c, "")
		if len(r.Identities) > 0 {
			ev.Outcome = cloud.Exists
		}
		found = append(found, ev)
	}
	if len(found) > 0 {
		return found, nil
	}
	detail := "the subscription has no reservation of the type in the region"
	if len(r.Identities) > 0 {
		detail = fmt.Sprintf("no reservation under %d identities", len(r.Identities))
	}
	return []cloud.Evidence{l.evidence(nil, detail)}, nil
}

// wanted reports whether a reservation is what a look is for: under one of our names,
// or, without names, of this lane.
func (d *reservations) wanted(r driver.Request, res *armreservations.ReservationResponse) bool {
	p := res.Properties
	if len(r.Identities) > 0 {
		return slices.ContainsFunc(r.Identities, func(id string) bool { return strings.EqualFold(id, text(p.DisplayName)) })
	}
	return laneOf(res) == d.lane(d.service)
}

// laneOf is the lane that a reservation is in, by what it says of itself.
func laneOf(res *armreservations.ReservationResponse) cloud.Lane {
	return cloud.Lane{
		Provider: cloud.Azure, Account: cloud.Account(lastOf(text(res.Properties.BillingScopeID))),
		Region: cloud.Region(strings.ToLower(text(res.Location))), Service: serviceOf(text(res.Properties.ReservedResourceType)),
	}
}

// listAll calls take with every reservation that the caller can see and the order that
// it belongs to.
func (d *reservations) listAll(ctx context.Context, token azcore.AccessToken, l *look, take func(order string, res *armreservations.ReservationResponse)) error {
	client, err := armreservations.NewReservationClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return readError(opListReservations, err, token)
	}
	seen := map[string]bool{}
	err = each(ctx, d.core, l, client.NewListAllPager(nil), func(p armreservations.ReservationClientListAllResponse) *string { return p.NextLink },
		func(p armreservations.ReservationClientListAllResponse) error {
			if p.Value == nil {
				return errNoList
			}
			for _, res := range p.Value {
				o, err := orderOf(res)
				if err != nil {
					return err
				}
				if id := strings.ToLower(text(res.ID)); !seen[id] { // a page may repeat an item of the page before
					seen[id] = true
					take(o, res)
				}
			}
			return nil
		})
	if err != nil {
		return readError(opListReservations, err, token)
	}
	return nil
}

// errNoList: an answer without a list lists nothing and proves no absence.
var errNoList = errors.New("the answer holds no list")

// orderOf is the order of a reservation: the part of its id before "/reservations/".
func orderOf(res *armreservations.ReservationResponse) (string, error) {
	if res == nil || res.Properties == nil {
		return "", errors.New("a reservation without properties")
	}
	parts := strings.Split(strings.ToLower(text(res.ID)), "/")
	for i, p := range parts {
		if p == "reservationorders" && i+1 < len(parts) && guidForm.MatchString(parts[i+1]) {
			return parts[i+1], nil
		}
	}
	return "", errors.New("a reservation whose id names no order")
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

// children are the reservations of an order.
func (d *reservations) children(ctx context.Context, token azcore.AccessToken, l *look, id string) (all []*armreservations.ReservationResponse, err error) {
	client, err := armreservations.NewReservationClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return nil, err
	}
	err = each(ctx, d.core, l, client.NewListPager(id, nil), func(p armreservations.ReservationClientListResponse) *string { return p.NextLink },
		func(p armreservations.ReservationClientListResponse) error {
			for _, res := range p.Value {
				if _, err := orderOf(res); err != nil {
					return err
				}
				all = append(all, res)
			}
			return nil
		})
	return all, err
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

// Poll reads the order that was accepted, also one that was bought by an alias.
func (d *reservations) Poll(ctx context.Context, r driver.Request, handle string) (cloud.Evidence, error) {
	if strings.HasPrefix(handle, handleOperation) || strings.HasPrefix(handle, handleOrder) {
		return (&aliased{d}).Poll(ctx, r, handle)
	}
	if r.Account != d.Account || !guidForm.MatchString(handle) {
		return cloud.Evidence{}, readError(opOrder, errors.New("the handle is not an order of the subscription"))
	}
	token, err := d.open(ctx)
	if err != nil {
		return cloud.Evidence{}, err
	}
	l := look{operation: opOrder, started: d.now()}
	c, err := d.commitment(ctx, token, &l, handle, nil, r)
	if err != nil {
		return cloud.Evidence{}, err
	}
	return followed(&l, handle, c), nil
}

// followed says what became of an order. One that is not shown yet is still on its way.
func followed(l *look, handle string, c *cloud.Commitment) cloud.Evidence {
	ev := l.evidence(c, "the order is not shown yet")
	ev.Kind, ev.Outcome, ev.Handle = cloud.EvidenceListing, cloud.Accepted, handle
	switch {
	case c == nil:
	case !c.State.Binding():
		ev.Outcome, ev.Commitment = cloud.Refused, nil
	case c.State == cloud.Active || c.State == cloud.Retired:
		ev.Outcome = cloud.Bought
	default:
		ev.Commitment = nil
	}
	return ev
}

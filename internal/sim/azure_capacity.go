package sim

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// Azure reservations, Microsoft.Capacity 2022-11-01. Source: Azure SDK for Go
// (armreservations v3.1.0) for routes and members; recordings of Microsoft's own
// client tests of March 2023 for the shape of answers and the way from Creating over
// PendingCapacity and PendingBilling to Succeeded, 45 minutes in one of them;
// Azure/bicep-types-az issue 2052 for "Session timed out".
//
// Not published, and drawn or switched here: how long an order that calculatePrice
// has named may be bought, what a second request for it does (Options), how late an
// order is visible. The names of SKUs other than those of virtual machines are
// examples.

//go:embed azure_prices.csv
var azurePrices string

// azureLevel is the price level of a location against eastus.
var azureLevel = []struct {
	location string
	permille int64
}{{"eastus", 1000}, {"northeurope", 1080}, {"uksouth", 1120}, {"westeurope", 1150}}

func azureLocations() []string {
	list := make([]string, len(azureLevel))
	for i, l := range azureLevel {
		list[i] = l.location
	}
	return list
}

// SecondPut says what a second request for a reservation order does, which is not
// published.
type SecondPut int

// The answers to a second request for an order that was bought.
const (
	// SessionGone: the first request has used up the session of the price, and the
	// second is told to ask for a new one, as if nothing had been bought.
	SessionGone SecondPut = iota
	// ReplayOrder answers 200 with the order.
	ReplayOrder
	// OrderExists answers ReservationOrderIdAlreadyExists.
	OrderExists
)

// minted is an order that calculatePrice has named and that may be bought once, or the
// session of a refund that was priced.
type minted struct {
	Order    string    `json:"order"`
	Account  string    `json:"account"`
	Offering string    `json:"offering,omitempty"`
	Refund   string    `json:"refund,omitempty"` // the order that a refund was priced for
	Count    int       `json:"count"`
	At       time.Time `json:"at"`
}

const (
	planUpfront = "Upfront"
	planMonthly = "Monthly"

	// Attributes of an Azure reservation.
	azureType      = "type"
	azureScope     = "scope"
	azureRenew     = "renew"
	azureFlexible  = "instance_flexibility"
	azureFailsWith = "failed_word"
)

var purchaseMembers = []string{
	"sku.name", "location", "properties.reservedResourceType", "properties.billingScopeId", "properties.term", "properties.billingPlan",
	"properties.quantity", "properties.displayName", "properties.appliedScopeType", "properties.appliedScopes.N",
	"properties.appliedScopeProperties.subscriptionId", "properties.appliedScopeProperties.resourceGroupId",
	"properties.appliedScopeProperties.managementGroupId", "properties.appliedScopeProperties.tenantId",
	"properties.appliedScopeProperties.displayName", "properties.renew", "properties.reservedResourceProperties.instanceFlexibility",
	"properties.reviewDateTime",
}

func init() {
	const orders, one = "/providers/Microsoft.Capacity/reservationOrders", "/providers/Microsoft.Capacity/reservationOrders/{order}"
	numbers, booleans := []string{"properties.quantity"}, []string{"properties.renew"}
	registerARM(&service{
		name: capacityService, version: "2022-11-01",
		operations: map[string]*operation{
			"AzureReservationAPI.getCatalog": {
				action: "Microsoft.Capacity/catalogs/read",
				route:  at("GET /subscriptions/{subscription}/providers/Microsoft.Capacity/catalogs"),
				pages:  armPages, members: []string{"reservedResourceType", "location", "$filter", "$skip", "$take", "$skiptoken", "publisherId", "offerId", "planId"},
				unserved: map[string]string{"$filter": "the simulator has few SKUs; list them all", "$skip": "follow nextLink", "$take": "follow nextLink"},
				run:      catalogs,
			},
			"ReservationOrder.calculate": {
				action: "Microsoft.Capacity/calculateprice/action",
				route:  at("POST /providers/Microsoft.Capacity/calculatePrice"), changes: true,
				members: purchaseMembers, numbers: numbers, booleans: booleans, run: calculatePrice,
			},
			"ReservationOrder.purchase": {
				action: "Microsoft.Capacity/reservationorders/write",
				route:  at("PUT " + one), spends: true, members: purchaseMembers, numbers: numbers, booleans: booleans, run: purchaseOrder,
			},
			"ReservationOrder.get": {action: "Microsoft.Capacity/reservationorders/read", route: at("GET " + one), lists: true, members: []string{"$expand"}, run: getReservationOrder},
			"ReservationOrder.list": {
				action: "Microsoft.Capacity/reservationorders/read",
				route:  at("GET " + orders), lists: true, pages: armPages, members: []string{"$skiptoken"}, run: listReservationOrders,
			},
			"Reservation.list": {
				action: "Microsoft.Capacity/reservationorders/reservations/read",
				route:  at("GET " + one + "/reservations"), lists: true, pages: armPages, members: []string{"$skiptoken"}, run: listOfOrder,
			},
			"Reservation.get": {action: "Microsoft.Capacity/reservationorders/reservations/read", route: at("GET " + one + "/reservations/{reservation}"), lists: true, members: []string{"$expand"}, run: getAzureReservation},
			"Reservation.listAll": {
				action: "Microsoft.Capacity/reservationorders/reservations/read",
				route:  at("GET /providers/Microsoft.Capacity/reservations"), lists: true, pages: armPages,
				members:  []string{"$skiptoken", "take", "refreshSummary", "selectedState", "$orderby", "$filter"},
				unserved: map[string]string{"$filter": "the simulator has few reservations; list them all", "$orderby": "the simulator has no order", "selectedState": "the simulator shows every state"},
				run:      listAllReservations,
			},
			"CalculateRefund.post": {
				action: "Microsoft.Capacity/reservationorders/calculaterefund/action",
				route:  at("POST " + one + "/calculateRefund"), changes: true, members: append([]string{"id"}, refundMembers...), numbers: refundNumbers,
				run: calculateRefund,
			},
			"Return.post": {
				action: "Microsoft.Capacity/reservationorders/return/action",
				route:  at("POST " + one + "/return"), changes: true,
				members: append([]string{"properties.sessionId", "properties.returnReason"}, refundMembers...), numbers: refundNumbers, run: returnAzure,
			},
			"OperationResults.get": {
				route: at("GET /providers/Microsoft.Capacity/operationResults/{operation}"), version: "2020-10-01-preview", run: operationResults,
			},
		},
		sells: &seller{
			labels: true,
			stock:  stockAzure,
			arn: func(_, _, id string) string {
				return "/providers/microsoft.capacity/reservationOrders/" + id
			},
			quota: 100,
			used: func(w *world, in scope, of terms, then time.Time) (n int) {
				for _, r := range w.byScope[in] {
					if r.Class == of.Class && !r.failed(then) {
						n += r.Count
					}
				}
				return n
			},
			adorn: adornAzure,
		},
	})
}

// stockAzure puts the SKUs on sale, for one year and three, at once or by the month at
// the same price. It is a whole number of cents over the term.
func stockAzure(c *catalog) {
	rows, err := csv.NewReader(strings.NewReader(azurePrices)).ReadAll()
	if err != nil {
		panic(fmt.Sprintf("sim: embedded prices of Azure: %v", err))
	}
	for _, l := range azureLevel {
		for _, row := range rows[1:] {
			for _, t := range []struct{ seconds, permille int64 }{{oneYear, 640}, {threeYears, 410}} {
				for _, payment := range []string{planUpfront, planMonthly} {
					// 0.0005 an hour is 4.38 a year.
					hourly := dollars(max(micros(row[2])*l.permille/1000*t.permille/1000, 500), 500)
					o := &offering{
						terms:   terms{Class: row[1], Attributes: map[string]string{azureType: row[0]}, Payment: payment, Seconds: t.seconds},
						service: capacityService, region: l.location, fixed: money.Zero(currency), hourly: money.Zero(currency),
						id: strings.Join([]string{l.location, row[1], armTerm(t.seconds), payment}, "/"),
					}
					if row[3] != "" {
						o.Attributes[azureFlexible] = "On"
					}
					if payment == planMonthly {
						o.hourly = hourly
					} else {
						o.fixed = must(hourly.Mul(t.seconds / 3600))
					}
					c.add(o)
				}
			}
		}
	}
}

// adornAzure draws how long the order takes and how it would fail.
func adornAzure(w *world, r *reservation) {
	if r.Attributes == nil {
		r.Attributes = map[string]string{}
	}
	for name, value := range map[string]string{azureScope: "Shared", azureRenew: "false"} {
		if r.Attributes[name] == "" {
			r.Attributes[name] = value
		}
	}
	r.SettlesAt = r.StartsAt.Add(drawDuration(2*time.Minute, 45*time.Minute, w.seed, "azure order", r.ID))
	r.Attributes[azureFailsWith] = []string{"Failed", "BillingFailed"}[draw(2, w.seed, "azure order", r.ID, "fails")]
}

// failed reports whether the order has come to nothing by then.
func (r *reservation) failed(at time.Time) bool { return r.Fails && !at.Before(r.SettlesAt) }

// childState is the state of the reservation of an order, in the words of Azure. An order that fails is
// answered with status 200 like any other.
func (r *reservation) childState(at time.Time) string {
	took := r.SettlesAt.Sub(r.StartsAt)
	switch {
	case at.Before(r.StartsAt.Add(took / 4)):
		return "Creating"
	case at.Before(r.StartsAt.Add(took / 2)):
		return "PendingCapacity"
	case at.Before(r.SettlesAt):
		return "PendingBilling"
	case r.Fails:
		return r.Attributes[azureFailsWith]
	case r.Return.pending(at):
		return "Pending"
	case r.Return.done(at):
		return "Cancelled"
	case at.Before(r.endsAt()):
		return "Succeeded"
	}
	return "Expired"
}

func (r *reservation) succeeded(at time.Time) bool {
	s := r.childState(at)
	return s == "Succeeded" || s == "Expired" || s == "Pending" || s == "Cancelled"
}

// price is what an Azure reservation costs over its term.
func (r *reservation) price() money.Amount {
	return must(must(r.Fixed.Add(must(r.Hourly.Mul(r.Seconds / 3600)))).Mul(int64(r.Count)))
}

// sold reads what a price or an order is asked for, and finds it in the catalog.
func (c *call) sold(action string) (o *offering, count int, scope string, err *apiError) {
	if err := c.billed("properties.billingScopeId", action); err != nil {
		return nil, 0, "", err
	}
	for _, name := range []string{"sku.name", "location", "properties.reservedResourceType", "properties.term", "properties.billingPlan", "properties.quantity", "properties.displayName"} {
		if _, err := c.in.required(name); err != nil {
			return nil, 0, "", err
		}
	}
	if count, err = c.in.integer("properties.quantity", 0, 1, 1_000_000); err != nil {
		return nil, 0, "", err
	}
	if scope, err = c.appliedScope("properties."); err != nil {
		return nil, 0, "", err
	}
	term := c.in["properties.term"]
	if term != "P1Y" && term != "P3Y" {
		return nil, 0, "", fail("UnsupportedReservationTerm", "The term '%s' is not sold", term)
	}
	o = c.catalog.byID[strings.Join([]string{strings.ToLower(c.in["location"]), c.in["sku.name"], term, c.in["properties.billingPlan"]}, "/")]
	if o == nil || o.service != capacityService || o.Attributes[azureType] != c.in["properties.reservedResourceType"] {
		return nil, 0, "", fail("InvalidRequestContent", "The SKU '%s' of %s is not sold in '%s' by the plan '%s'",
			c.in["sku.name"], c.in["properties.reservedResourceType"], c.in["location"], c.in["properties.billingPlan"])
	}
	if f := c.in["properties.reservedResourceProperties.instanceFlexibility"]; f != "" && (o.Attributes[azureFlexible] == "" || f != "On" && f != "Off") {
		return nil, 0, "", fail("InvalidRequestContent", "The instanceFlexibility '%s' does not fit the SKU", f)
	}
	return o, count, scope, nil
}

func calculatePrice(c *call) (node, *apiError) {
	o, count, _, err := c.sold("Microsoft.Capacity/calculateprice/action")
	if err != nil {
		return node{}, err
	}
	c.out.Minted = &minted{Order: drawUUID(c.world.seed, "azure order", c.requestID), Account: c.who.account, Offering: o.id, Count: count, At: c.now}
	fixed, hourly := c.world.quote(o)
	r := reservation{terms: o.terms, Fixed: fixed, Hourly: hourly, Count: count}
	total := r.price().Canonical()
	properties := group("properties", amountNode("billingCurrencyTotal", total), number("netTotal", "0.0"), number("taxTotal", "0.0"),
		number("grandTotal", "0.0"), leaf("reservationOrderId", c.out.Minted.Order),
		leaf("skuTitle", "Reserved "+o.Attributes[azureType]+", "+o.Class+", "+o.region), leaf("skuDescription", o.Class),
		amountNode("pricingCurrencyTotal", total))
	if o.Payment == planMonthly {
		r.BoughtAt = c.now
		properties.kids = append(properties.kids, node{name: "paymentSchedule", kind: isList, kids: r.payments(c.now)})
	}
	return node{kids: []node{properties}}, nil
}

// payments are what is paid of an order and when: at once, or by the month; the last
// month takes what does not divide.
func (r *reservation) payments(at time.Time) []node {
	total, months := r.price(), int64(1)
	if r.Payment == planMonthly {
		months = r.Seconds / oneYear * 12
	}
	part := must(total.Div(months, 2))
	var list []node
	for m := range months {
		due := r.BoughtAt.AddDate(0, int(m), 0)
		amount, status := part, "Scheduled"
		if m == months-1 {
			amount = must(total.Sub(must(part.Mul(months - 1))))
		}
		kids := []node{leaf("dueDate", due.Format(armDate))}
		if !due.After(at) && r.ID != "" {
			status = "Completed"
			kids = append(kids, leaf("paymentDate", due.Format(armDate)))
		}
		list = append(list, group("", append(kids, amountNode("pricingCurrencyTotal", amount.Canonical()),
			amountNode("billingCurrencyTotal", amount.Canonical()), leaf("status", status))...))
	}
	return list
}

// orderOf is the order of that id, whoever bought it, in any location.
func (w *world) orderOf(service, id string) *reservation {
	for _, r := range w.reservations {
		if r.Service == service && strings.EqualFold(r.ID, id) {
			return r
		}
	}
	return nil
}

// sessionGone is what an order is answered that no live session of a price has named.
var sessionGone = fail("BadRequest", "Session timed out - Call CalculatePrice again and provide the new Reservation Order ID for purchase")

func purchaseOrder(c *call) (node, *apiError) {
	id := strings.ToLower(c.in["path.order"])
	if !guidForm.MatchString(id) {
		return node{}, fail("InvalidReservationOrderId", "The reservation order id '%s' is not a GUID", id)
	}
	if r := c.world.orderOf(capacityService, id); r != nil {
		switch {
		case r.Account != c.who.account || c.opts.SecondPut == SessionGone:
			return node{}, sessionGone
		case c.opts.SecondPut == OrderExists:
			return node{}, fail("ReservationOrderIdAlreadyExists", "The reservation order '%s' already exists", id)
		}
		return node{kids: r.orderNodes(c, c.now, false)}, nil
	}
	session, known := c.world.minted[id]
	if !known || session.Offering == "" || session.Account != c.who.account || c.now.Sub(session.At) > c.opts.QuoteLife {
		return node{}, sessionGone
	}
	o, count, scope, err := c.sold("Microsoft.Capacity/reservationorders/write")
	switch {
	case err != nil:
		return node{}, err
	case o.id != session.Offering || count != session.Count:
		return node{}, fail("InvalidRequestContent", "The order '%s' was priced for something else", id)
	}
	if quota := c.opts.quotaOf(capacityService); count > quota-c.world.used(scopeAt(c.who.account, o.region), o.terms, c.now) {
		return node{}, fail("FulfillmentOutOfStockError", "There is no more of '%s' in '%s'", o.Class, o.region)
	}
	r := c.purchase(o, id, count, c.now)
	r.Name = c.in["properties.displayName"]
	r.Attributes[azureScope], r.Attributes[azureRenew] = scope, boolText(c.in["properties.renew"] == "true")
	if f := c.in["properties.reservedResourceProperties.instanceFlexibility"]; f != "" {
		r.Attributes[azureFlexible] = f
	}
	c.out.Bought = append(c.out.Bought, r)
	c.status, c.header = 202, map[string]string{
		"Location":    c.base + "/providers/Microsoft.Capacity/reservationOrders/" + id + "?api-version=" + c.service.version,
		"Retry-After": "120",
	}
	return node{kids: r.orderNodes(c, c.now, false)}, nil
}

func scopeAt(account, region string) scope { return scope{capacityService, account, region} }

func (r *reservation) childID() string { return drawUUID(0, "azure reservation", r.ID) }

func (r *reservation) childPath() string {
	return "/providers/Microsoft.Capacity/reservationOrders/" + r.ID + "/reservations/" + r.childID()
}

// etag grows with the state.
func (r *reservation) etag(at time.Time) string {
	return strconv.Itoa(map[string]int{"Creating": 1, "PendingCapacity": 4, "PendingBilling": 5}[r.childState(at)] + 1)
}

// orderNodes are an order; schedule adds what is paid of it and when.
func (r *reservation) orderNodes(c *call, at time.Time, schedule bool) []node {
	properties := group("properties",
		integer("originalQuantity", int64(r.Count)), leaf("requestDateTime", r.BoughtAt.Format(armTime)), leaf("billingPlan", r.Payment),
		list("reservations", group("", leaf("id", r.childPath()))), leaf("term", armTerm(r.Seconds)), leaf("displayName", r.Name),
		leaf("provisioningState", r.orderState(at)),
		leaf("billingAccountId", "/providers/Microsoft.Billing/billingAccounts/"+billingAccount(r.Account)))
	if r.succeeded(at) {
		properties.kids = append(properties.kids, leaf("createdDateTime", r.SettlesAt.Format(armTime)), leaf("benefitStartTime", r.StartsAt.Format(armTime)),
			leaf("expiryDate", r.endsAt().Format(armDate)), leaf("expiryDateTime", r.endsAt().Format(armTime)))
	}
	if schedule {
		properties.kids = append(properties.kids, group("planInformation", amountNode("pricingCurrencyTotal", r.price().Canonical()),
			leaf("startDate", r.BoughtAt.Format(armDate)), node{name: "transactions", kind: isList, kids: r.payments(at)}))
	}
	return []node{
		leaf("id", "/providers/microsoft.capacity/reservationOrders/"+r.ID), leaf("name", r.ID), leaf("type", "microsoft.capacity/reservationOrders"),
		number("etag", r.etag(at)), properties,
	}
}

// reservationNodes are the one reservation of an order.
func (r *reservation) reservationNodes(at time.Time) []node {
	state := r.childState(at)
	properties := group("properties",
		leaf("reservedResourceType", r.Attributes[azureType]), leaf("skuDescription", "Reserved "+r.Attributes[azureType]+", "+r.Class),
		flag("renew", r.Attributes[azureRenew] == "true"), flag("archived", false), integer("quantity", int64(r.Count)),
		leaf("displayName", r.Name), leaf("provisioningState", state), leaf("displayProvisioningState", state), leaf("term", armTerm(r.Seconds)),
		leaf("purchaseDateTime", r.BoughtAt.Format(armTime)), leaf("purchaseDate", r.BoughtAt.Format(armDate)),
		leaf("billingPlan", r.Payment), leaf("billingScopeId", "/subscriptions/"+r.Account))
	properties.kids = append(properties.kids, scopeNodes(r.Attributes[azureScope])...)
	if f := r.Attributes[azureFlexible]; f != "" {
		properties.kids = append(properties.kids, leaf("instanceFlexibility", f))
	}
	if r.succeeded(at) {
		properties.kids = append(properties.kids, leaf("benefitStartTime", r.StartsAt.Format(armTime)), leaf("expiryDateTime", r.endsAt().Format(armTime)))
	}
	if r.succeeded(at) {
		properties.kids = append(properties.kids, r.utilizationNodes(at))
	}
	return []node{
		leaf("id", r.childPath()), leaf("name", r.childID()), leaf("type", "microsoft.capacity/reservationOrders/reservations"),
		leaf("location", r.Region), number("etag", r.etag(at)), group("sku", leaf("name", r.Class)), properties,
	}
}

// shown is the order that the call names, if the caller may see it. Whoever did not
// buy an order has no role on it.
func (c *call) shown() (*reservation, *apiError) {
	id := c.in["path.order"]
	r := c.world.orderOf(capacityService, id)
	switch {
	case !guidForm.MatchString(id):
		return nil, fail("InvalidReservationOrderId", "The reservation order id '%s' is not a GUID", id)
	case r == nil || r.VisibleAt.After(c.asOf()):
		return nil, fail("ReservationOrderNotFound", "The reservation order '%s' is not found", id)
	case r.Account != c.who.account:
		return nil, forbidden(c, "Microsoft.Capacity/reservationOrders/read", "/providers/Microsoft.Capacity/reservationOrders/"+id)
	}
	return r, nil
}

func getReservationOrder(c *call) (node, *apiError) {
	r, err := c.shown()
	if err != nil {
		return node{}, err
	}
	return node{kids: r.orderNodes(c, c.asOf(), c.in["$expand"] == "schedule")}, nil
}

func getAzureReservation(c *call) (node, *apiError) {
	r, err := c.shown()
	if err != nil {
		return node{}, err
	}
	if !strings.EqualFold(c.in["path.reservation"], r.childID()) {
		return node{}, fail("ResourceNotFound", "The reservation '%s' is not in the order", c.in["path.reservation"])
	}
	return node{kids: r.reservationNodes(c.asOf())}, nil
}

func listOfOrder(c *call) (node, *apiError) {
	r, err := c.shown()
	if err != nil {
		return node{}, err
	}
	return c.page([]*reservation{r}, "/providers/Microsoft.Capacity/reservationOrders/"+r.ID+"/reservations", (*reservation).reservationNodes)
}

func listAllReservations(c *call) (node, *apiError) {
	return c.page(c.owned(capacityService), "/providers/Microsoft.Capacity/reservations", (*reservation).reservationNodes)
}

func listReservationOrders(c *call) (node, *apiError) {
	return c.page(c.owned(capacityService), "/providers/Microsoft.Capacity/reservationOrders", func(r *reservation, at time.Time) []node {
		return r.orderNodes(c, at, false)
	})
}

// owned are the orders that the caller may see: its own.
func (c *call) owned(service string) (list []*reservation) {
	for _, r := range c.world.reservations {
		if r.Service == service && r.Account == c.who.account {
			list = append(list, r)
		}
	}
	return list
}

// page answers one page of orders.
func (c *call) page(all []*reservation, path string, write func(*reservation, time.Time) []node) (node, *apiError) {
	page, marker, err := paginate(c, all, func(r *reservation) (time.Time, int) { return r.VisibleAt, r.seq })
	if err != nil {
		return node{}, err
	}
	var kids []node
	for _, r := range page {
		kids = append(kids, group("", write(r, c.asOf())...))
	}
	return pageOf(c, path, marker, kids), nil
}

// sku is what the catalog says of one SKU in a location.
type sku struct{ kind, name, location string }

func catalogs(c *call) (node, *apiError) {
	if id := strings.ToLower(c.in["path.subscription"]); id != c.who.account {
		return node{}, forbidden(c, "Microsoft.Capacity/catalogs/read", "/subscriptions/"+id)
	}
	kind, err := c.in.required("reservedResourceType")
	if err != nil {
		return node{}, err
	}
	prices := map[sku]map[string]string{}
	var skus []sku
	for _, o := range c.catalog.byShop[shop{capacityService, strings.ToLower(c.in["location"])}] {
		s := sku{o.Attributes[azureType], o.Class, o.region}
		if s.kind != kind || o.Payment != planUpfront {
			continue
		}
		if prices[s] == nil {
			prices[s] = map[string]string{}
			skus = append(skus, s)
		}
		fixed, _ := c.world.quote(o)
		prices[s][armTerm(o.Seconds)] = fixed.Canonical()
	}
	page, marker, err := paginate(c, skus, func(sku) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	var kids []node
	for _, s := range page {
		plans := textList("", []string{planUpfront, planMonthly})
		one, three := plans, plans
		one.name, three.name = "P1Y", "P3Y"
		kids = append(kids, group("", leaf("resourceType", s.kind), leaf("name", s.name), group("billingPlans", one, three),
			textList("terms", []string{"P1Y", "P3Y"}), textList("locations", []string{s.location}),
			group("msrp", amountNode("p1Y", prices[s]["P1Y"]), amountNode("p3Y", prices[s]["P3Y"])), list("restrictions")))
	}
	return pageOf(c, "/subscriptions/"+c.who.account+"/providers/Microsoft.Capacity/catalogs", marker, kids), nil
}

// operationResults is what became of an operation that bought by alias.
func operationResults(c *call) (node, *apiError) {
	for _, r := range append(c.owned(benefitsService), c.owned(capacityService)...) {
		id := r.operationID()
		if r.Attributes[azureAlias] == "" || !strings.EqualFold(id, c.in["path.operation"]) {
			continue
		}
		status := "Succeeded"
		switch at := c.now; {
		case at.Before(r.StartsAt.Add(r.SettlesAt.Sub(r.StartsAt) / 2)):
			status = "Pending"
		case at.Before(r.SettlesAt):
			status = "PendingPurchases"
		case r.Fails:
			status = "Failed"
		}
		c.header = map[string]string{"Retry-After": "5"}
		return node{kids: []node{leaf("id", "/providers/Microsoft.Capacity/operationResults/"+id), leaf("name", id), leaf("status", status)}}, nil
	}
	return node{}, fail("ResourceNotFound", "The operation '%s' is not found", c.in["path.operation"])
}

func (r *reservation) operationID() string { return drawUUID(0, "azure operation", r.ID) }

package sim

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Spend-based commitments: orders of the Cloud Commerce Consumer Procurement API v1,
// which belong to a billing account and have a server's id. Nothing of a client's
// identity is shown but the display name, which need not be unique; a request id is
// remembered for at least 24 hours (Options.TokenLife). An order that fails
// disappears.
const consumerProcurement = "consumerprocurement"

// Offer is a spend-based offer.
type Offer struct {
	ID       string `json:"id"`
	Product  string `json:"product"`
	Term     string `json:"term"` // "1y" or "3y"
	Regional bool   `json:"regional"`
}

func (o Offer) months() int {
	if o.Term == "3y" {
		return 36
	}
	return 12
}

// gcpOffers are the offers of the simulator.
var gcpOffers = []Offer{
	{"services/compute.googleapis.com/standardOffers/ffe0f6a3-2f98-437e-8d49-fc443a05d3c2", "compute-flexible", "1y", false},
	{"services/compute.googleapis.com/standardOffers/062a285d-8989-4ce7-8f9a-bed8d183236f", "compute-flexible", "3y", false},
	{"services/sqladmin.googleapis.com/standardOffers/5f0e7a52-7f3d-4f0a-9a4e-0c1d5a0a7b11", "cloud-sql", "1y", true},
	{"services/sqladmin.googleapis.com/standardOffers/5f0e7a52-7f3d-4f0a-9a4e-0c1d5a0a7b33", "cloud-sql", "3y", true},
}

func init() {
	pages := &pager{token: "pageToken", size: "pageSize", low: 0, high: 200, invalid: "INVALID_ARGUMENT", answer: "nextPageToken"}
	register(&service{
		name: consumerProcurement, provider: onGCP, protocol: gcpREST, codes: gcpCodes(false),
		operations: map[string]*operation{
			"orders.place":          {spends: true, rate: gcpWrites, run: placeOrder},
			"orders.get":            {lists: true, rate: gcpReads, run: getOrder},
			"orders.list":           {lists: true, pages: pages, rate: gcpReads, run: listOrders},
			"orders.operations.get": {rate: gcpReads, run: getOrderOperation},
		},
		sells: &seller{stock: func(*catalog) {}, quota: gcpQuota},
	})
	const base = "/v1/billingAccounts/{billing}/orders"
	gcpRoutes = append(gcpRoutes,
		gcpRoute{method: "POST", path: "/v1/billingAccounts/{billing}/orders:place", service: consumerProcurement, operation: "orders.place",
			body: map[string]jsonKind{
				"displayName": jsonText, "requestId": jsonText, "lineItemInfo.N.offer": jsonText,
				"lineItemInfo.N.parameters.N.name": jsonText, "lineItemInfo.N.parameters.N.value.int64Value": jsonInt64,
				"lineItemInfo.N.parameters.N.value.stringValue": jsonText, "lineItemInfo.N.parameters.N.value.doubleValue": jsonNumber,
				"lineItemInfo.N.subscription.autoRenewalEnabled": jsonBool,
			}},
		gcpRoute{method: "GET", path: base + "/{order}", service: consumerProcurement, operation: "orders.get"},
		gcpRoute{method: "GET", path: base, service: consumerProcurement, operation: "orders.list", query: []string{"pageSize", "pageToken", "filter"}},
		gcpRoute{method: "GET", path: base + "/{order}/operations/{operation}", service: consumerProcurement, operation: "orders.operations.get"},
	)
}

// hourlyCommit is an amount in dollars with at most two decimals.
var hourlyCommit = regexp.MustCompile(`^([0-9]{1,7})(?:\.([0-9]{1,2}))?$`)

// centUnits is how many units a cent is: what is committed to is counted in
// hundred-thousandths of a dollar per hour, as Savings Plans are.
const centUnits = 1000

// placeOrder sells.
func placeOrder(c *call) (node, *apiError) {
	if op, err := c.answered(c.in["requestId"], c.in.asked()); op != nil || err != nil {
		if err != nil {
			return node{}, err
		}
		return c.orderOperation(op), nil
	}
	o, err := c.ordered()
	if err != nil {
		return node{}, err
	}
	op := c.operate("operations/"+drawUUID(c.world.seed, "operation", c.requestID), o.ID)
	used := 0
	for _, other := range c.world.gcp.owned {
		if other.Service == consumerProcurement && other.Billing == o.Billing && other.stateOfOrder(c.now) != "GONE" {
			used++
		}
	}
	_, o.Fails = c.hits[PaymentFailed]
	if o.Fails {
		op.Code, op.Message = "INTERNAL", "The order could not be completed."
	}
	if limit := c.opts.quotaOf(consumerProcurement); used >= limit {
		op.Code, op.Message = "RESOURCE_EXHAUSTED", "The billing account has "+strconv.Itoa(limit)+" commitments already."
		c.out.GCP = &gcpChange{Operation: &op}
		return c.orderOperation(&op), nil
	}
	o.Operation, o.DoneAt, o.BoughtAt, o.StartsAt = op.Name, op.DoneAt, c.now, c.now
	o.VisibleAt = c.now.Add(drawDuration(0, c.opts.Visibility, c.world.seed, "visible", consumerProcurement, o.ID))
	o.AccessKey, o.RequestID = c.who.accessKey, c.requestID
	c.out.GCP = &gcpChange{Owned: []gcpOwned{o}, Operation: &op}
	return c.orderOperation(&op), nil
}

// ordered reads the order that a request asks for.
func (c *call) ordered() (gcpOwned, *apiError) {
	in := c.in
	o := gcpOwned{
		Service: consumerProcurement, Account: c.who.account, Billing: gcpBillingOf(c.who.account), Region: "global", Label: in["displayName"],
		ID:    drawUUID(c.world.seed, "order", c.requestID),
		Class: in["lineItemInfo.1.offer"], Resources: map[string]string{}, Hourly: "0.00001",
	}
	invalid := func(format string, args ...any) (gcpOwned, *apiError) {
		return o, fail("InvalidParameterValue", format, args...)
	}
	switch {
	case o.Label == "" || len(o.Label) > 120:
		return invalid("display_name is required, and has at most 120 characters")
	case in["lineItemInfo.2.offer"] != "":
		return invalid("an order has one line item")
	case in["lineItemInfo.1.subscription.autoRenewalEnabled"] == "true":
		return invalid("the simulator does not renew")
	}
	regional := false
	for _, offer := range gcpOffers {
		if offer.ID == o.Class {
			o.Months, regional = offer.months(), offer.Regional
		}
	}
	if o.Months == 0 {
		return invalid("offer %s is not valid for this billing account", o.Class)
	}
	for i := 1; in["lineItemInfo.1.parameters."+strconv.Itoa(i)+".name"] != ""; i++ {
		at := "lineItemInfo.1.parameters." + strconv.Itoa(i)
		switch in[at+".name"] {
		case "hourly_commit":
			m := hourlyCommit.FindStringSubmatch(in[at+".value.doubleValue"])
			if m == nil {
				return invalid("hourly_commit %q is not an amount", in[at+".value.doubleValue"])
			}
			cents, _ := strconv.Atoi(m[1] + (m[2] + "00")[:2])
			o.Count = cents * centUnits
		case "region":
			o.Region = in[at+".value.stringValue"]
			if !isGCPRegion(o.Region) {
				return invalid("region %q is not valid", o.Region)
			}
		default:
			return invalid("unknown parameter %q", in[at+".name"])
		}
	}
	switch {
	case o.Count < 1:
		return invalid("hourly_commit is required, and at least 0.01")
	case regional != (o.Region != "global"):
		return invalid("the offer needs a region, or has none")
	}
	o.Resources["hourly_commit"] = in["lineItemInfo.1.parameters.1.value.doubleValue"]
	return o, nil
}

// existingGoogle turns what Add was given into a commitment or an order that was
// bought long ago.
func (s *Sim) existingGoogle(w *world, now time.Time, n int, e Existing) (gcpOwned, error) {
	o := gcpOwned{
		Service: compute, Account: e.Account, Billing: gcpBillingOf(e.Account), Region: e.Region, ID: e.ID, Label: e.Label, Class: e.OfferingID,
		Resources: e.Resources, Months: e.Months, Count: max(e.Count, 1), BoughtAt: e.BoughtAt, Existing: true,
	}
	if o.BoughtAt.IsZero() {
		o.BoughtAt = now.Add(-48 * time.Hour)
	}
	o.DoneAt, o.StartsAt, o.VisibleAt = o.BoughtAt, o.BoughtAt, o.BoughtAt
	if strings.HasPrefix(e.OfferingID, "services/") {
		o.Service, o.Hourly, o.Resources = consumerProcurement, "0.00001", map[string]string{}
		if o.ID == "" {
			o.ID = drawUUID(w.seed, "existing", o.Account, strconv.Itoa(len(w.gcp.owned)+n))
		}
		for _, offer := range gcpOffers {
			if offer.ID == o.Class {
				o.Months = offer.months()
			}
		}
		if o.Months == 0 {
			return o, fail("InvalidParameterValue", "no offer %q", o.Class)
		}
		return o, nil
	}
	family := gcpFamily(o.Class)
	if name, cores := licenseOf(o.Class); strings.Contains(name, "/") {
		if l := gcpLicenseAt(licenseLink(name), cores); l != nil {
			l.give(&o)
		}
	}
	switch {
	case family == nil && !o.License || !isGCPRegion(o.Region):
		return o, fail("InvalidParameterValue", "no commitment type %q in %q", o.Class, o.Region)
	case !commitmentName.MatchString(o.ID) || o.Months != 12 && o.Months != 36:
		return o, fail("InvalidParameterValue", "want a name and 12 or 36 months")
	case w.gcp.byID[resourceKey{scope{compute, o.Account, o.Region}, o.ID}] != nil:
		return o, fail("InvalidParameterValue", "the name is taken")
	}
	if o.License {
		return o, nil
	}
	hourly, err := family.price(o.Region, o.Months, o.Resources)
	o.Hourly = hourly.Canonical()
	return o, err
}

// stateOfOrder: an order that failed is gone.
func (o *gcpOwned) stateOfOrder(at time.Time) string {
	switch {
	case o.Fails && !at.Before(o.DoneAt):
		return "GONE"
	case at.Before(o.endsAt()):
		return "ACTIVE"
	}
	return "ENDED"
}

func (c *call) orderOperation(o *gcpOperation) node {
	order := "billingAccounts/" + gcpBillingOf(o.Account) + "/orders/" + o.Target
	out := group("", leaf("name", order+"/"+o.Name), group("metadata",
		leaf("@type", "type.googleapis.com/google.cloud.commerce.consumer.procurement.v1.PlaceOrderMetadata")))
	switch {
	case o.running(c.now):
		return out
	case o.Code != "":
		out.kids = append(out.kids, number("done", "true"), group("error", integer("code", grpcCodes[o.Code]), leaf("message", o.Message)))
		return out
	}
	made := c.world.gcp.byID[resourceKey{scope{o.Service, o.Account, c.regionOfOrder(o.Target)}, o.Target}]
	out.kids = append(out.kids, number("done", "true"))
	if made != nil {
		response := c.order(made)
		response.name = "response"
		out.kids = append(out.kids, response)
	}
	return out
}

// grpcCodes are the canonical codes of google.rpc.Status.
var grpcCodes = map[string]int{"RESOURCE_EXHAUSTED": 8, "INTERNAL": 13}

func (c *call) regionOfOrder(id string) string {
	for _, o := range c.world.gcp.owned {
		if o.Service == consumerProcurement && o.ID == id {
			return o.Region
		}
	}
	return ""
}

func (c *call) order(o *gcpOwned) node {
	parameters := []node{group("", leaf("name", "hourly_commit"), group("value",
		number("doubleValue", strconv.Itoa(o.Count/centUnits/100)+"."+strconv.Itoa(o.Count/centUnits%100 + 100)[1:])))}
	if o.Region != "global" {
		parameters = append(parameters, group("", leaf("name", "region"), group("value", leaf("stringValue", o.Region))))
	}
	stamp := o.BoughtAt.Format(time.RFC3339Nano)
	info := group("lineItemInfo", leaf("offer", o.Class), list("parameters", parameters...))
	// An order has no state of its own: what is strange about one is that it does not
	// say from when to when it is.
	if _, strange := c.hits[StrangeState]; !strange {
		info.kids = append(info.kids, group("subscription", leaf("startTime", o.StartsAt.Format(time.RFC3339Nano)),
			leaf("endTime", o.endsAt().Format(time.RFC3339Nano)), number("autoRenewalEnabled", "false")))
	}
	return group("",
		leaf("name", "billingAccounts/"+o.Billing+"/orders/"+o.ID), leaf("displayName", o.Label),
		list("lineItems", group("", leaf("lineItemId", o.ID+"-1"), info)),
		leaf("createTime", stamp), leaf("updateTime", stamp), leaf("etag", drawUUID(c.world.seed, "etag", o.ID)),
	)
}

func (c *call) seesOrder(o *gcpOwned) bool {
	return o.Billing == gcpBillingOf(c.who.account) && o.stateOfOrder(c.asOf()) != "GONE"
}

func getOrder(c *call) (node, *apiError) {
	for _, o := range c.world.gcp.owned {
		if o.Service == consumerProcurement && o.ID == c.in["order"] && c.seesOrder(o) && !o.VisibleAt.After(c.asOf()) {
			return c.order(o), nil
		}
	}
	return node{}, fail("NotFound", "Order %s is not found.", c.in["order"])
}

func getOrderOperation(c *call) (node, *apiError) {
	o := c.world.gcp.operations["operations/"+c.in["operation"]]
	if o == nil || o.Service != consumerProcurement || o.Target != c.in["order"] || gcpBillingOf(o.Account) != c.in["billing"] {
		return node{}, fail("NotFound", "Operation %s is not found.", c.in["operation"])
	}
	return c.orderOperation(o), nil
}

func listOrders(c *call) (node, *apiError) {
	field, value, err := c.filter()
	if err == nil && field != "" && field != "display_name" {
		err = fail("InvalidParameterValue", "Invalid filter %q.", c.in["filter"])
	}
	if err != nil {
		return node{}, err
	}
	page, next, err := pageGCP(c, func(o *gcpOwned) bool { return c.seesOrder(o) && (field == "" || strings.EqualFold(o.Label, value)) })
	if err != nil {
		return node{}, err
	}
	out := group("")
	if len(page) > 0 { // an empty list is left out
		var items []node
		for _, o := range page {
			items = append(items, c.order(o))
		}
		out.kids = append(out.kids, list("orders", items...))
	}
	return out.maybe("nextPageToken", next), nil
}

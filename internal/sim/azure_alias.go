package sim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Azure reservations that are bought by an alias, Microsoft.BillingBenefits 2022-11-01.
// Source: Azure SDK for Go (armbillingbenefits v1.0.0) for routes and members; recordings
// of Microsoft's own client tests of December 2022 for the shape of answers: the alias
// names its order from the first answer on, the operation goes from Pending over
// PendingPurchases to Succeeded, and one answer had instanceFlexibility as a number. The
// order that it makes is one of Microsoft.Capacity.
//
// Not published: what a second request under one alias does (Options.SecondAlias), and
// that permissions are named after the route.

// reservationAlias is where an alias is.
const reservationAlias = "/providers/Microsoft.BillingBenefits/reservationOrderAliases/"

// The operations, which belong to the service of savings plans.
var (
	createAliasOperation = &operation{
		action: "Microsoft.BillingBenefits/reservationOrderAliases/write",
		route:  at("PUT " + reservationAlias + "{alias}"), spends: true, run: createReservationAlias,
		members: slices.DeleteFunc(slices.Clone(purchaseMembers), func(m string) bool { return m == "properties.appliedScopes.N" }),
		numbers: []string{"properties.quantity"}, booleans: []string{"properties.renew"},
	}
	getAliasOperation = &operation{
		action: "Microsoft.BillingBenefits/reservationOrderAliases/read",
		route:  at("GET " + reservationAlias + "{alias}"), lists: true, run: getReservationAlias,
	}
)

// aliasedOrder is what the alias names, the last if it was bought twice.
func (w *world) aliasedOrder(account, alias string) (last *reservation) {
	for _, r := range w.reservations {
		if r.Service == capacityService && r.Account == account && r.Attributes[azureAlias] != "" && strings.EqualFold(r.Attributes[azureAlias], alias) {
			last = r
		}
	}
	return last
}

func createReservationAlias(c *call) (node, *apiError) {
	alias := c.in["path.alias"]
	if !aliasForm.MatchString(alias) {
		return node{}, fail("InvalidRequestContent", "The alias '%s' has characters that an alias must not have", alias)
	}
	asked := *c // in the words of Microsoft.Capacity
	asked.in = maps.Clone(c.in)
	switch plan := c.in["properties.billingPlan"]; plan {
	case "":
		asked.in["properties.billingPlan"] = planUpfront
	case "P1M":
		asked.in["properties.billingPlan"] = planMonthly
	default:
		return node{}, fail("InvalidRequestContent", "The billing plan '%s' is not known: want P1M or none", plan)
	}
	o, count, scope, err := asked.sold(c.op.action)
	if err != nil {
		return node{}, err
	}
	if r := c.world.aliasedOrder(c.who.account, alias); r != nil {
		switch c.opts.SecondAlias {
		case AnswerAlias:
			return node{kids: r.reservationAliasNodes(c)}, nil
		case RefuseAlias:
			return node{}, fail("ReservationOrderIdAlreadyExists", "The alias '%s' already exists", alias)
		}
	}
	if quota := c.opts.quotaOf(capacityService); count > quota-c.world.used(scopeAt(c.who.account, o.region), o.terms, c.now) {
		return node{}, fail("FulfillmentOutOfStockError", "There is no more of '%s' in '%s'", o.Class, o.region)
	}
	r := c.purchase(o, drawUUID(c.world.seed, "azure alias", c.requestID), count, c.now)
	r.Name, r.Attributes[azureAlias], r.Attributes[azureScope] = c.in["properties.displayName"], alias, scope
	r.Attributes[azureRenew] = boolText(c.in["properties.renew"] == "true")
	if f := c.in["properties.reservedResourceProperties.instanceFlexibility"]; f != "" {
		r.Attributes[azureFlexible] = f
	}
	// Minutes, where an order that is bought by its id may take most of an hour.
	r.SettlesAt = r.StartsAt.Add(drawDuration(2*time.Minute, 16*time.Minute, c.world.seed, "azure alias", r.ID))
	c.out.Bought = append(c.out.Bought, r)
	c.status, c.header = http.StatusCreated, map[string]string{
		"Azure-AsyncOperation": c.base + "/providers/Microsoft.Capacity/operationResults/" + r.operationID() + "?api-version=2020-10-01-preview",
		"Retry-After":          "5",
	}
	return node{kids: r.reservationAliasNodes(c)}, nil
}

// reservationAliasNodes are the alias. Its state says Created throughout and means
// nothing.
func (r *reservation) reservationAliasNodes(c *call) []node {
	alias := r.Attributes[azureAlias]
	properties := group("properties", leaf("reservationOrderId", "/providers/Microsoft.Capacity/reservationOrders/"+r.ID),
		leaf("billingScopeId", "/subscriptions/"+r.Account), integer("quantity", int64(r.Count)), flag("renew", r.Attributes[azureRenew] == "true"),
		leaf("reservedResourceType", r.Attributes[azureType]), null("reviewDateTime"), leaf("displayName", r.Name), leaf("provisioningState", "Created"),
		leaf("term", armTerm(r.Seconds)))
	if r.Payment == planMonthly {
		properties.kids = append(properties.kids, leaf("billingPlan", "P1M"))
	}
	if f := r.Attributes[azureFlexible]; f != "" {
		word := leaf("instanceFlexibility", f)
		if draw(2, c.world.seed, "azure alias", c.requestID, "flexibility") == 0 {
			word = number("instanceFlexibility", map[string]string{"On": "1", "Off": "2"}[f])
		}
		properties.kids = append(properties.kids, group("reservedResourceProperties", word))
	}
	properties.kids = append(properties.kids, scopeNodes(r.Attributes[azureScope])...)
	return []node{
		leaf("id", reservationAlias+alias), leaf("name", alias), leaf("type", "Microsoft.BillingBenefits/reservationOrderAliases"),
		leaf("location", r.Region), null("kind"), group("sku", leaf("name", r.Class)), properties,
	}
}

func getReservationAlias(c *call) (node, *apiError) {
	r := c.world.aliasedOrder(c.who.account, c.in["path.alias"])
	if r == nil || r.VisibleAt.After(c.asOf()) {
		return node{}, fail("ResourceNotFound", "The alias '%s' is not found", c.in["path.alias"])
	}
	return node{kids: r.reservationAliasNodes(c)}, nil
}

package sim

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// Azure savings plans, Microsoft.BillingBenefits 2022-11-01. Source: Azure SDK for Go
// (armbillingbenefits v1.0.0) for routes and members; recordings of Microsoft's own
// client tests of December 2022 for the shape of answers. A commitment is an amount of
// money per hour, counted here in hundred-thousandths of a dollar. A plan is final:
// nothing ends or exchanges one.
//
// Not published, and switched here: what a second request under one alias does
// (Options), and how much an account may commit to.

// SecondAlias says what a second request for a savings plan or a reservation under one
// alias does.
type SecondAlias int

// The answers to a second request under one alias.
const (
	// BuyAgain buys a second one; the alias then names that.
	BuyAgain SecondAlias = iota
	// AnswerAlias answers 200 with the alias as it is.
	AnswerAlias
	// RefuseAlias answers 409.
	RefuseAlias
)

const (
	computePlan = "Compute_Savings_Plan"
	azureAlias  = "alias"
)

var (
	aliasForm  = regexp.MustCompile(`^[a-zA-Z0-9_\-.]+$`)
	planAmount = regexp.MustCompile(`^([0-9]{1,7})(?:\.([0-9]{1,5}))?$`)
)

func init() {
	const aliases, orders, plans = "/providers/Microsoft.BillingBenefits/savingsPlanOrderAliases/{alias}",
		"/providers/Microsoft.BillingBenefits/savingsPlanOrders", "/providers/Microsoft.BillingBenefits/savingsPlans"
	members := func(at string) []string {
		var list []string
		for _, m := range []string{
			"sku.name", "properties.displayName", "properties.billingScopeId", "properties.term", "properties.billingPlan",
			"properties.appliedScopeType", "properties.appliedScopeProperties.subscriptionId", "properties.appliedScopeProperties.resourceGroupId",
			"properties.appliedScopeProperties.managementGroupId", "properties.appliedScopeProperties.tenantId",
			"properties.appliedScopeProperties.displayName", "properties.commitment.grain", "properties.commitment.currencyCode",
			"properties.commitment.amount",
		} {
			list = append(list, at+m)
		}
		return list
	}
	registerARM(&service{
		name: benefitsService, version: "2022-11-01",
		operations: map[string]*operation{
			"SavingsPlanOrderAlias.create": {
				action: "Microsoft.BillingBenefits/savingsPlanOrderAliases/write",
				route:  at("PUT " + aliases), spends: true, members: members(""), numbers: []string{"properties.commitment.amount"}, run: createAlias,
			},
			"SavingsPlanOrderAlias.get": {action: "Microsoft.BillingBenefits/savingsPlanOrderAliases/read", route: at("GET " + aliases), lists: true, run: getAlias},
			"RP.validatePurchase": {
				action:  "Microsoft.BillingBenefits/validate/action",
				route:   at("POST /providers/Microsoft.BillingBenefits/validate"),
				members: members("benefits.N."), numbers: []string{"benefits.N.properties.commitment.amount"}, run: validatePlan,
			},
			"SavingsPlanOrder.get": {action: "Microsoft.BillingBenefits/savingsPlanOrders/read", route: at("GET " + orders + "/{order}"), lists: true, members: []string{"$expand"}, run: getPlanOrder},
			"SavingsPlanOrder.list": {
				action: "Microsoft.BillingBenefits/savingsPlanOrders/read",
				route:  at("GET " + orders), lists: true, pages: armPages, members: []string{"$skiptoken", "$expand"},
				run: func(c *call) (node, *apiError) {
					return c.page(c.owned(benefitsService), orders, (*reservation).planOrderNodes)
				},
			},
			"SavingsPlan.list": {
				action: "Microsoft.BillingBenefits/savingsPlanOrders/savingsPlans/read",
				route:  at("GET " + orders + "/{order}/savingsPlans"), lists: true, pages: armPages, members: []string{"$skiptoken", "$expand"},
				run: func(c *call) (node, *apiError) {
					r, err := c.planOrder()
					if err != nil {
						return node{}, err
					}
					return c.page([]*reservation{r}, orders+"/"+r.ID+"/savingsPlans", (*reservation).azurePlanNodes)
				},
			},
			"SavingsPlan.listAll": {
				action: "Microsoft.BillingBenefits/savingsPlanOrders/savingsPlans/read",
				route:  at("GET " + plans), lists: true, pages: armPages,
				members:  []string{"$skiptoken", "take", "refreshSummary", "selectedState", "$orderby", "$filter"},
				unserved: map[string]string{"$filter": "the simulator has few plans; list them all", "$orderby": "the simulator has no order", "selectedState": "the simulator shows every state"},
				run: func(c *call) (node, *apiError) {
					return c.page(c.owned(benefitsService), plans, (*reservation).azurePlanNodes)
				},
			},
			"ReservationOrderAlias.create": createAliasOperation,
			"ReservationOrderAlias.get":    getAliasOperation,
		},
		sells: &seller{
			labels: true,
			stock: func(c *catalog) {
				for _, seconds := range []int64{oneYear, threeYears} {
					for _, payment := range []string{planUpfront, planMonthly} {
						o := &offering{
							terms: terms{Class: computePlan, Payment: payment, Seconds: seconds}, service: benefitsService, region: noRegion,
							fixed: money.Zero(currency), hourly: money.Zero(currency), id: planID(computePlan, armTerm(seconds), payment),
						}
						if payment == planMonthly {
							o.hourly = hundredThousandth
						} else {
							o.fixed = must(hundredThousandth.Mul(seconds / 3600))
						}
						c.add(o)
					}
				}
			},
			arn:   func(_, _, id string) string { return "/providers/microsoft.billingbenefits/savingsPlanOrders/" + id },
			quota: 1_000_000_000, // 10,000 USD/h
			adorn: func(w *world, r *reservation) {
				adornAzure(w, r)
				r.SettlesAt = r.StartsAt.Add(drawDuration(2*time.Minute, 16*time.Minute, w.seed, "azure plan", r.ID))
			},
		},
	})
}

// planID is the id of an offering in the catalog.
func planID(name, term, payment string) string {
	return strings.Join([]string{name, term, payment}, "/")
}

// aliasedPlan reads what a purchase by alias asks for.
func (c *call) aliasedPlan(at string) (o *offering, count int, scope string, err *apiError) {
	if err := c.billed(at+"properties.billingScopeId", "Microsoft.BillingBenefits/savingsPlanOrderAliases/write"); err != nil {
		return nil, 0, "", err
	}
	if scope, err = c.appliedScope(at + "properties."); err != nil {
		return nil, 0, "", err
	}
	payment, ok := map[string]string{"": planUpfront, "P1M": planMonthly}[c.in[at+"properties.billingPlan"]]
	if o = c.catalog.byID[planID(c.in[at+"sku.name"], c.in[at+"properties.term"], payment)]; o == nil || !ok {
		return nil, 0, "", fail("InvalidRequestContent", "The plan '%s' is not sold for the term '%s' by the billing plan '%s'",
			c.in[at+"sku.name"], c.in[at+"properties.term"], c.in[at+"properties.billingPlan"])
	}
	m := planAmount.FindStringSubmatch(c.in[at+"properties.commitment.amount"])
	switch {
	case c.in[at+"properties.displayName"] == "":
		return nil, 0, "", fail("InvalidRequestContent", "The plan has no displayName")
	case c.in[at+"properties.commitment.grain"] != "Hourly":
		return nil, 0, "", fail("InvalidRequestContent", "The grain '%s' is not Hourly", c.in[at+"properties.commitment.grain"])
	case c.in[at+"properties.commitment.currencyCode"] != currency:
		return nil, 0, "", fail("InvalidRequestContent", "The account is billed in %s, not in '%s'", currency, c.in[at+"properties.commitment.currencyCode"])
	case m == nil:
		return nil, 0, "", fail("InvalidRequestContent", "The amount '%s' is not a decimal with at most five digits after the point", c.in[at+"properties.commitment.amount"])
	}
	n, _ := strconv.Atoi(m[1] + (m[2] + "00000")[:5]) // at most 12 digits
	if n < leastCommitment {
		return nil, 0, "", fail("InvalidRequestContent", "The amount '%s' is below 0.001", c.in[at+"properties.commitment.amount"])
	}
	return o, n, scope, nil
}

func createAlias(c *call) (node, *apiError) {
	alias := c.in["path.alias"]
	if !aliasForm.MatchString(alias) {
		return node{}, fail("InvalidRequestContent", "The alias '%s' has characters that an alias must not have", alias)
	}
	o, count, scope, err := c.aliasedPlan("")
	if err != nil {
		return node{}, err
	}
	if r := c.world.aliased(c.who.account, alias); r != nil {
		switch c.opts.SecondAlias {
		case AnswerAlias:
			return node{kids: r.aliasNodes()}, nil
		case RefuseAlias:
			return node{}, fail("ReservationOrderIdAlreadyExists", "The alias '%s' already exists", alias)
		}
	}
	in := planScope(c.who.account)
	if quota := c.opts.quotaOf(benefitsService); count > quota-c.world.used(in, o.terms, c.now) {
		return node{}, fail("RiskCheckFailed", "The commitments of the billing account would be too large")
	}
	r := c.purchase(o, drawUUID(c.world.seed, "azure plan", c.requestID), count, c.now)
	r.Name, r.Attributes[azureAlias], r.Attributes[azureScope] = c.in["properties.displayName"], alias, scope
	c.out.Bought = append(c.out.Bought, r)
	c.status, c.header = http.StatusCreated, map[string]string{
		"Azure-AsyncOperation": c.base + "/providers/Microsoft.Capacity/operationResults/" + r.operationID() + "?api-version=2020-10-01-preview",
		"Retry-After":          "5",
	}
	return node{kids: r.aliasNodes()}, nil
}

func planScope(account string) scope { return scope{benefitsService, account, noRegion} }

// aliased is what the alias names, the last if it was bought twice.
func (w *world) aliased(account, alias string) (last *reservation) {
	for _, r := range w.byScope[planScope(account)] {
		if strings.EqualFold(r.Attributes[azureAlias], alias) {
			last = r
		}
	}
	return last
}

func (r *reservation) planPath() string {
	return "/providers/Microsoft.BillingBenefits/savingsPlanOrders/" + r.ID
}

// planTerms are the members that alias, order and plan share.
func (r *reservation) planTerms() []node {
	kids := []node{
		leaf("billingScopeId", "/subscriptions/"+r.Account), leaf("displayName", r.Name), leaf("term", armTerm(r.Seconds)),
	}
	if r.Payment == planMonthly {
		kids = append(kids, leaf("billingPlan", "P1M"))
	}
	return kids
}

func (r *reservation) commitment() node {
	return group("commitment", leaf("grain", "Hourly"), leaf("currencyCode", currency),
		number("amount", must(hundredThousandth.Mul(int64(r.Count))).Canonical()))
}

// aliasNodes are the alias. Its state says Created throughout and means nothing.
func (r *reservation) aliasNodes() []node {
	alias := r.Attributes[azureAlias]
	properties := group("properties", append(r.planTerms(), leaf("savingsPlanOrderId", r.planPath()), r.commitment(), leaf("provisioningState", "Created"))...)
	properties.kids = append(properties.kids, scopeNodes(r.Attributes[azureScope])...)
	return []node{
		leaf("id", "/providers/Microsoft.BillingBenefits/savingsPlanOrderAliases/"+alias), leaf("name", alias),
		leaf("type", "Microsoft.BillingBenefits/savingsPlanOrderAliases"), null("kind"), group("sku", leaf("name", r.Class)), properties,
	}
}

// planState is the state of a plan and of its order.
func (r *reservation) planState(at time.Time) string {
	if s := r.childState(at); s != "PendingCapacity" && s != "BillingFailed" {
		return s
	}
	if r.failed(at) {
		return "Failed"
	}
	return "Creating"
}

func (r *reservation) planOrderNodes(at time.Time) []node {
	properties := group("properties", append(r.planTerms(), leaf("provisioningState", r.planState(at)),
		list("savingsPlans", leaf("", r.planPath()+"/savingsPlans/"+r.childID())))...)
	if r.succeeded(at) {
		properties.kids = append(properties.kids, leaf("benefitStartTime", r.StartsAt.Format(armTime)), leaf("expiryDateTime", r.endsAt().Format(armTime)))
	}
	return []node{
		leaf("id", "/providers/microsoft.billingbenefits/savingsPlanOrders/"+r.ID), leaf("name", r.ID),
		leaf("type", "microsoft.billingbenefits/savingsPlanOrders"), group("sku", leaf("name", r.Class)), properties,
	}
}

func (r *reservation) azurePlanNodes(at time.Time) []node {
	properties := group("properties", append(r.planTerms(), leaf("provisioningState", r.planState(at)), r.commitment(), flag("renew", false),
		leaf("purchaseDateTime", r.BoughtAt.Format(armTime)))...)
	properties.kids = append(properties.kids, scopeNodes(r.Attributes[azureScope])...)
	if r.succeeded(at) {
		properties.kids = append(properties.kids, leaf("benefitStartTime", r.StartsAt.Format(armTime)), leaf("expiryDateTime", r.endsAt().Format(armTime)),
			r.utilizationNodes(at))
	}
	return []node{
		leaf("id", r.planPath()+"/savingsPlans/"+r.childID()), leaf("name", r.childID()),
		leaf("type", "microsoft.billingbenefits/savingsPlanOrders/savingsPlans"), group("sku", leaf("name", r.Class)), properties,
	}
}

func getAlias(c *call) (node, *apiError) {
	r := c.world.aliased(c.who.account, c.in["path.alias"])
	if r == nil || r.VisibleAt.After(c.asOf()) {
		return node{}, fail("ResourceNotFound", "The alias '%s' is not found", c.in["path.alias"])
	}
	return node{kids: r.aliasNodes()}, nil
}

// planOrder is the order that the call names, if the caller may see it.
func (c *call) planOrder() (*reservation, *apiError) {
	id := c.in["path.order"]
	r := c.world.orderOf(benefitsService, id)
	switch {
	case r == nil || r.VisibleAt.After(c.asOf()):
		return nil, fail("ResourceNotFound", "The savings plan order '%s' is not found", id)
	case r.Account != c.who.account:
		return nil, forbidden(c, "Microsoft.BillingBenefits/savingsPlanOrders/read", r.planPath())
	}
	return r, nil
}

func getPlanOrder(c *call) (node, *apiError) {
	r, err := c.planOrder()
	if err != nil {
		return node{}, err
	}
	return node{kids: r.planOrderNodes(c.asOf())}, nil
}

// validatePlan answers whether each plan could be bought.
func validatePlan(c *call) (node, *apiError) {
	answers := list("benefits")
	for i := 1; c.in["benefits."+strconv.Itoa(i)+".sku.name"] != ""; i++ {
		_, _, _, err := c.aliasedPlan("benefits." + strconv.Itoa(i) + ".")
		if err != nil {
			answers.kids = append(answers.kids, group("", flag("valid", false), leaf("reasonCode", err.code), leaf("reason", err.message)))
			continue
		}
		answers.kids = append(answers.kids, group("", flag("valid", true)))
	}
	return node{kids: []node{answers}}, nil
}

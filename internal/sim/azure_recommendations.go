package sim

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What Azure recommends to buy, by three APIs. Source of routes, filters, their defaults
// and members: Azure SDK for Go (armconsumption v1.2.0, armcostmanagement/v2 v2.1.0,
// armadvisor v1.2.0); of the extendedProperties of Advisor, which are not published,
// what public tools read. An answer without recommendations may have status 204 and no
// body; here it always has. Nothing is published of a filter that is not understood:
// here it is refused.
//
// What is recommended is made up, the same for every call of one world, and always
// something that the simulator sells. A subscription answers in the kind legacy, a
// billing account or profile in the kind modern.
const (
	consumptionService    = "microsoft.consumption"
	costManagementService = "microsoft.costmanagement"
	advisorService        = "microsoft.advisor"
)

var (
	filterTerm     = regexp.MustCompile(`^properties/([a-zA-Z]+) eq '([^']*)'$`)
	filterAnd      = regexp.MustCompile(`(?i) and `)
	filterCategory = regexp.MustCompile(`^Category eq '([A-Za-z]+)'$`)
	lookBackDays   = map[string]int64{"Last7Days": 7, "Last30Days": 30, "Last60Days": 60}

	// advisedTypes are the resource types that a filter may ask for, folded; those that
	// the simulator sells by the name that it has for them.
	advisedTypes = map[string]string{
		"virtualmachines": "VirtualMachines", "sqldatabases": "SqlDatabases", "cosmosdb": "CosmosDb", "rediscache": "RedisCache",
		"sqldatawarehouse": "SqlDataWarehouse", "appservice": "AppService", "manageddisk": "ManagedDisk",
		"postgresql": "", "mysql": "", "mariadb": "", "redhat": "", "suselinux": "", "blockblob": "", "azuredataexplorer": "", "vmwarecloudsimple": "",
	}
)

func init() {
	const inScope, inSubscription = "/{scope*}/providers/", "/subscriptions/{subscription}/providers/Microsoft.Advisor"
	registerARM(&service{
		name: consumptionService, version: "2021-10-01",
		operations: map[string]*operation{
			"ReservationRecommendations.list": {
				action: "Microsoft.Consumption/reservationRecommendations/read",
				route:  at("GET " + inScope + "Microsoft.Consumption/reservationRecommendations"), pages: armPages, members: []string{"$filter", "$skiptoken"},
				run: recommendReservations,
			},
		},
	})
	registerARM(&service{
		name: costManagementService, version: "2022-10-01",
		operations: map[string]*operation{
			"BenefitRecommendations.list": {
				action: "Microsoft.CostManagement/benefitRecommendations/read",
				route:  at("GET " + inScope + "Microsoft.CostManagement/benefitRecommendations"), pages: armPages,
				members:  []string{"$filter", "$orderby", "$expand", "$skiptoken"},
				unserved: map[string]string{"$orderby": "the simulator has no order"}, run: recommendBenefits,
			},
		},
	})
	registerARM(&service{
		name: advisorService, version: "2020-01-01",
		operations: map[string]*operation{
			"Recommendations.list": {
				action: "Microsoft.Advisor/recommendations/read",
				route:  at("GET " + inSubscription + "/recommendations"), members: []string{"$filter", "$top", "$skipToken"},
				pages: &pager{token: "$skipToken", size: "$top", low: 1, high: 100, invalid: "InvalidRequestContent"}, run: listAdvice,
			},
			"Recommendations.get": {action: "Microsoft.Advisor/recommendations/read", route: at("GET " + inScope + "Microsoft.Advisor/recommendations/{recommendation}"), run: getAdvice},
			"Recommendations.generate": {
				action: "Microsoft.Advisor/generateRecommendations/action",
				route:  at("POST " + inSubscription + "/generateRecommendations"), run: func(c *call) (node, *apiError) {
					if err := c.mine(c.in["path.subscription"]); err != nil {
						return node{}, err
					}
					id := drawUUID(c.world.seed, "advice", c.requestID)
					c.status, c.header = http.StatusAccepted, map[string]string{
						"Location":    c.base + "/subscriptions/" + c.who.account + "/providers/Microsoft.Advisor/generateRecommendations/" + id + "?api-version=" + c.service.version,
						"Retry-After": "5",
					}
					return node{}, nil
				},
			},
			"Recommendations.getGenerateStatus": {
				action: "Microsoft.Advisor/generateRecommendations/read",
				route:  at("GET " + inSubscription + "/generateRecommendations/{operation}"), run: func(c *call) (node, *apiError) {
					c.status = http.StatusNoContent
					return node{}, c.mine(c.in["path.subscription"])
				},
			},
		},
	})
}

// mine refuses another subscription than the caller's.
func (c *call) mine(subscription string) *apiError {
	if id := strings.ToLower(subscription); id != c.who.account {
		return forbidden(c, c.op.action, "/subscriptions/"+id)
	}
	return nil
}

// billingAccount is that of a subscription.
func billingAccount(subscription string) string {
	return drawUUID(0, "billing account", subscription)
}

// adviceScope reads of what recommendations are asked: of a subscription, a resource
// group in it, or its billing account or a profile of that.
func (c *call) adviceScope() (modern bool, group string, err *apiError) {
	parts := strings.Split(c.in["path.scope"], "/")
	is := func(i int, word string) bool { return i < len(parts) && strings.EqualFold(parts[i], word) }
	switch {
	case len(parts) == 2 && is(0, "subscriptions"):
	case len(parts) == 4 && is(0, "subscriptions") && is(2, "resourceGroups"):
		group = parts[3]
	case is(0, "providers") && is(1, "Microsoft.Billing") && is(2, "billingAccounts") && (len(parts) == 4 || len(parts) == 6 && is(4, "billingProfiles")):
		if !strings.EqualFold(parts[3], billingAccount(c.who.account)) {
			return false, "", forbidden(c, c.op.action, "/"+c.in["path.scope"])
		}
		return true, "", nil
	default:
		return false, "", fail("InvalidParameterValue", "The scope '%s' is not a subscription, a resource group, a billing account or a billing profile", c.in["path.scope"])
	}
	return false, group, c.mine(parts[1])
}

// filtered reads a filter over the fields that have a default.
func (c *call) filtered(fields map[string]string) (map[string]string, *apiError) {
	fields = maps.Clone(fields)
	if c.in["$filter"] == "" {
		return fields, nil
	}
	for _, term := range filterAnd.Split(c.in["$filter"], -1) {
		m := filterTerm.FindStringSubmatch(strings.TrimSpace(term))
		if m == nil || fields[m[1]] == "" {
			return nil, fail("InvalidParameterValue", "The filter '%s' is not understood", term)
		}
		fields[m[1]] = m[2]
	}
	if lookBackDays[fields["lookBackPeriod"]] == 0 || fields["scope"] != "Shared" && fields["scope"] != "Single" {
		return nil, fail("InvalidParameterValue", "The filter '%s' has a value that is not known", c.in["$filter"])
	}
	return fields, nil
}

// advise answers one page of recommendations; nothing, where there are none.
func advise[T any](c *call, all []T, write func(T) []node) (node, *apiError) {
	if len(all) == 0 {
		c.status = http.StatusNoContent
		return node{}, nil
	}
	page, marker, err := paginate(c, all, func(T) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	var kids []node
	for _, item := range page {
		kids = append(kids, group("", write(item)...))
	}
	return pageOf(c, c.advicePath(), marker, kids), nil
}

// advicePath is the path that the call came to, as its route writes it.
func (c *call) advicePath() string {
	path := c.op.route.path
	for _, name := range []string{"scope*", "subscription"} {
		path = strings.Replace(path, "{"+name+"}", c.in["path."+strings.TrimSuffix(name, "*")], 1)
	}
	return path
}

// adviceID is the id of a recommendation of the call's scope.
func (c *call) adviceID(parts ...string) string {
	return drawUUID(c.world.seed, append([]string{"advice", c.service.name, c.in["path.scope"]}, parts...)...)
}

// reservable are the offerings of a resource type to recommend: of one SKU in each
// location, for both terms.
func (c *call) reservable(resource string) (list []*offering) {
	for _, l := range azureLevel {
		var skus []string
		shelf := c.catalog.byShop[shop{capacityService, l.location}]
		for _, o := range shelf {
			if o.Attributes[azureType] == resource && !slices.Contains(skus, o.Class) {
				skus = append(skus, o.Class)
			}
		}
		if len(skus) == 0 {
			continue
		}
		sku := skus[draw(uint64(len(skus)), c.world.seed, "advised", c.who.account, l.location, resource)]
		for _, o := range shelf {
			if o.Class == sku && o.Payment == planMonthly {
				list = append(list, o)
			}
		}
	}
	return list
}

// advisedCount is how many of an offering are recommended.
func (c *call) advisedCount(o *offering) int64 {
	return 1 + int64(draw(5, c.world.seed, "advised", c.who.account, o.region, o.Class))
}

// advisedCost is what usage of an offering's goods costs in a number of days with a
// reservation, without one, and the difference.
func (c *call) advisedCost(o *offering, days int64) (with, without, saved string) {
	_, hourly := c.world.quote(o)
	reserved := must(hourly.Mul(c.advisedCount(o) * days * 24))
	permille := map[int64]int64{oneYear: 640, threeYears: 410}[o.Seconds]
	demand := must(must(reserved.Mul(1000)).Div(permille, 6))
	return reserved.Canonical(), demand.Canonical(), must(demand.Sub(reserved)).Canonical()
}

func recommendReservations(c *call) (node, *apiError) {
	modern, group, err := c.adviceScope()
	if err != nil {
		return node{}, err
	}
	by, err := c.filtered(map[string]string{"scope": "Single", "resourceType": "VirtualMachines", "lookBackPeriod": "Last7Days"})
	if err != nil {
		return node{}, err
	}
	resource, known := advisedTypes[strings.ToLower(by["resourceType"])]
	if !known {
		return node{}, fail("InvalidParameterValue", "The resource type '%s' is not known", by["resourceType"])
	}
	if group != "" {
		by["scope"] = "Single"
	}
	return advise(c, c.reservable(resource), func(o *offering) []node {
		id := c.adviceID(o.id, by["scope"], by["lookBackPeriod"])
		kids := []node{
			leaf("id", strings.TrimPrefix(c.advicePath(), map[bool]string{true: "/"}[modern])+"/"+id), leaf("name", id),
			leaf("type", "Microsoft.Consumption/reservationRecommendations"), leaf("location", o.region), leaf("sku", o.Class),
		}
		if modern {
			return append(kids, leaf("kind", "modern"), c.modernAdvice(o, by))
		}
		return append(kids, leaf("kind", "legacy"), c.legacyAdvice(o, by))
	})
}

// adviceTerms are the members that both kinds have.
func (c *call) adviceTerms(o *offering, by map[string]string) []node {
	kids := []node{
		leaf("term", armTerm(o.Seconds)), leaf("scope", by["scope"]), integer("recommendedQuantity", c.advisedCount(o)),
		leaf("meterId", c.adviceID("meter", o.Class)), leaf("firstUsageDate", c.now.AddDate(0, 0, -int(lookBackDays[by["lookBackPeriod"]])).Format(time.RFC3339)),
		list("skuProperties", group("", leaf("name", "Cores"), leaf("value", "2"))),
	}
	if o.Attributes[azureFlexible] != "" {
		kids = append(kids, leaf("instanceFlexibilityGroup", strings.TrimPrefix(o.Class, "Standard_")+" Series"), number("instanceFlexibilityRatio", "1"))
	}
	return kids
}

// legacyAdvice has money as numbers, and the look-back in words.
func (c *call) legacyAdvice(o *offering, by map[string]string) node {
	with, without, saved := c.advisedCost(o, lookBackDays[by["lookBackPeriod"]])
	kids := append(c.adviceTerms(o, by), leaf("lookBackPeriod", by["lookBackPeriod"]), leaf("resourceType", by["resourceType"]),
		number("costWithNoReservedInstances", without), number("totalCostWithReservedInstances", with), number("netSavings", saved))
	if by["scope"] == "Single" {
		kids = append(kids, leaf("subscriptionId", c.who.account))
	}
	return group("properties", kids...)
}

// modernAdvice has money with its currency and the look-back as a number, and does not
// say the type of the resource.
func (c *call) modernAdvice(o *offering, by map[string]string) node {
	days := lookBackDays[by["lookBackPeriod"]]
	with, without, saved := c.advisedCost(o, days)
	amount := func(name, value string) node { return group(name, leaf("currency", currency), number("value", value)) }
	return group("properties", append(c.adviceTerms(o, by), integer("lookBackPeriod", days), leaf("skuName", o.Class), leaf("location", o.region),
		amount("costWithNoReservedInstances", without), amount("totalCostWithReservedInstances", with), amount("netSavings", saved))...)
}

// recommendBenefits recommends one savings plan, to an amount with more decimals than can
// be bought.
func recommendBenefits(c *call) (node, *apiError) {
	_, inGroup, err := c.adviceScope()
	if err != nil {
		return node{}, err
	}
	by, err := c.filtered(map[string]string{"scope": "Shared", "lookBackPeriod": "Last60Days", "term": "P3Y"})
	if err != nil {
		return node{}, err
	}
	var plans []string
	if by["term"] == "P1Y" || by["term"] == "P3Y" {
		plans = []string{by["term"]}
	}
	expand := strings.Split(c.in["$expand"], ",")
	return advise(c, plans, func(term string) []node {
		id, hours := c.adviceID(term, by["scope"], by["lookBackPeriod"]), 24*lookBackDays[by["lookBackPeriod"]]
		hundredths := 50 + int64(draw(500, c.world.seed, "advised", c.who.account))
		commitment := func(n int64) []node {
			return []node{
				number("commitmentAmount", fmt.Sprintf("%d.%02d34567", n/100, n%100)), number("averageUtilizationPercentage", "99.1"),
				number("coveragePercentage", "70"), number("savingsPercentage", "30"),
				number("savingsAmount", fmt.Sprintf("%d.5", n*hours/200)), number("benefitCost", fmt.Sprintf("%d.25", n*hours/100)),
				number("overageCost", "0"), number("totalCost", fmt.Sprintf("%d.25", n*hours/100)), number("wastageCost", "0.1"),
			}
		}
		properties := []node{
			leaf("scope", by["scope"]), leaf("term", term), leaf("lookBackPeriod", by["lookBackPeriod"]), leaf("armSkuName", computePlan),
			leaf("commitmentGranularity", "Hourly"), leaf("currencyCode", currency), integer("totalHours", hours),
			number("costWithoutBenefit", fmt.Sprintf("%d.75", hundredths*hours*3/200)), leaf("lastConsumptionDate", c.now.Format(time.RFC3339)),
			leaf("firstConsumptionDate", c.now.Add(-time.Duration(hours)*time.Hour).Format(time.RFC3339)),
			group("recommendationDetails", commitment(hundredths)...),
		}
		if by["scope"] == "Single" {
			properties = append(properties, leaf("subscriptionId", c.who.account))
			if inGroup != "" {
				properties = append(properties, leaf("resourceGroup", inGroup))
			}
		}
		if slices.Contains(expand, "properties/allRecommendationDetails") {
			properties = append(properties, group("allRecommendationDetails", list("value", group("", commitment(hundredths/2)...), group("", commitment(hundredths)...))))
		}
		if slices.Contains(expand, "properties/usage") {
			properties = append(properties, group("usage", leaf("usageGrain", "Hourly"), list("charges", number("", "1.1"), number("", "0.9"))))
		}
		return []node{
			leaf("id", c.advicePath()+"/"+id), leaf("name", id), leaf("type", "microsoft.costmanagement/benefitRecommendations"),
			leaf("kind", "SavingsPlan"), group("properties", properties...),
		}
	})
}

// advice is a recommendation of Advisor; of a reservation it has an offering.
type advice struct {
	category, about, problem string
	o                        *offering
	more                     map[string]string
}

// allAdvice is what Advisor has for the caller's subscription.
func (c *call) allAdvice() []advice {
	all := []advice{
		{category: "Security", about: "Microsoft.Compute/virtualMachines", problem: "Machines should be configured securely"},
		{category: "Cost", about: "Microsoft.Compute/virtualMachines", problem: "Right-size or shutdown underutilized virtual machines",
			more: map[string]string{"currentSku": "Standard_D4s_v5", "targetSku": "Standard_D2s_v5", "savingsAmount": "20.5", "annualSavingsAmount": "246"}},
		{category: "Cost", about: "Microsoft.Subscriptions/subscriptions", problem: "Consider purchasing a savings plan for compute",
			more: map[string]string{"term": "P3Y", "scope": "Shared", "lookbackPeriod": "30", "annualSavingsAmount": "900.5"}},
	}
	for _, resource := range []string{"VirtualMachines", "SqlDatabases"} {
		for _, o := range c.reservable(resource) {
			all = append(all, advice{category: "Cost", about: "Microsoft.Subscriptions/subscriptions", problem: "Consider reserved instances to save over on-demand costs", o: o})
		}
	}
	return all
}

func (c *call) adviceNodes(a advice) []node {
	extended := map[string]string{"savingsCurrency": currency}
	maps.Copy(extended, a.more)
	parts := []string{a.problem}
	if a.o != nil {
		_, _, saved := c.advisedCost(a.o, 365)
		count := strconv.FormatInt(c.advisedCount(a.o), 10)
		maps.Copy(extended, map[string]string{
			"reservedResourceType": strings.ToLower(a.o.Attributes[azureType]), "displaySKU": a.o.Class, "sku": a.o.Class, "displayQty": count,
			"region": a.o.region, "location": a.o.region, "term": armTerm(a.o.Seconds), "scope": "Single", "lookbackPeriod": "30", "subId": c.who.account,
			"annualSavingsAmount": saved,
		})
		parts = append(parts, a.o.id)
	}
	var properties []node
	for _, name := range slices.Sorted(maps.Keys(extended)) {
		properties = append(properties, leaf(name, extended[name]))
	}
	id := drawUUID(c.world.seed, append([]string{"advice", c.who.account}, parts...)...)
	return []node{
		leaf("id", "/subscriptions/"+c.who.account+"/providers/Microsoft.Advisor/recommendations/"+id), leaf("name", id), leaf("type", "Microsoft.Advisor/recommendations"),
		group("properties", leaf("category", a.category), leaf("impact", "High"), leaf("impactedField", a.about), leaf("impactedValue", c.who.account),
			leaf("lastUpdated", c.now.Truncate(24*time.Hour).Format(armTime)), leaf("recommendationTypeId", drawUUID(0, "advice", a.problem)),
			group("shortDescription", leaf("problem", a.problem), leaf("solution", a.problem)), group("extendedProperties", properties...)),
	}
}

func listAdvice(c *call) (node, *apiError) {
	if err := c.mine(c.in["path.subscription"]); err != nil {
		return node{}, err
	}
	all := c.allAdvice()
	if text := c.in["$filter"]; text != "" {
		m := filterCategory.FindStringSubmatch(text)
		if m == nil {
			return node{}, fail("InvalidParameterValue", "The filter '%s' is not understood", text)
		}
		all = slices.DeleteFunc(all, func(a advice) bool { return a.category != m[1] })
	}
	return advise(c, all, c.adviceNodes)
}

func getAdvice(c *call) (node, *apiError) {
	_, _, err := c.adviceScope()
	if err != nil {
		return node{}, err
	}
	for _, a := range c.allAdvice() {
		if kids := c.adviceNodes(a); strings.EqualFold(kids[1].text, c.in["path.recommendation"]) {
			return node{kids: kids}, nil
		}
	}
	return node{}, fail("ResourceNotFound", "The recommendation '%s' is not found", c.in["path.recommendation"])
}

package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// The listings of Savings Plans: what is for sale, at which rates, and what was
// bought.

// oneOf reads a list of which a value must be one, if it is given.
func (c *call) oneOf(member string, legal []string) (func(string) bool, *apiError) {
	values, err := c.in.list(member)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if legal != nil && !slices.Contains(legal, v) {
			return nil, fail("ValidationException", "Invalid value %q in %s", v, member)
		}
	}
	return func(v string) bool { return len(values) == 0 || slices.Contains(values, v) }, nil
}

func planTypeNames() (names []string) {
	for _, t := range planTypes {
		names = append(names, t.name)
	}
	return names
}

// namedFilters reads the list of filters, each a name and its values.
func (c *call) namedFilters(legal ...string) (map[string][]string, *apiError) {
	given := map[string]bool{}
	for member := range c.in {
		if rest, ok := strings.CutPrefix(member, "filters."); ok {
			number, _, _ := strings.Cut(rest, ".")
			given[number] = true
		}
	}
	all := map[string][]string{}
	for i := range len(given) {
		at := "filters." + strconv.Itoa(i+1)
		name := c.in[at+".name"]
		if !slices.Contains(legal, name) {
			return nil, fail("ValidationException", "Invalid filter %q", name)
		}
		values, err := c.in.list(at + ".values")
		if err != nil {
			return nil, err
		}
		all[name] = append(all[name], values...)
	}
	return all, nil
}

func planOfferings(c *call) (node, *apiError) {
	tests := map[string]func(string) bool{}
	for member, legal := range map[string][]string{
		"offeringIds": nil, "paymentOptions": payments, "planTypes": planTypeNames(), "durations": nil, "currencies": {"CNY", "USD", "EUR"},
		"descriptions": nil, "serviceCodes": nil, "usageTypes": nil, "operations": nil,
	} {
		test, err := c.oneOf(member, legal)
		if err != nil {
			return node{}, err
		}
		tests[member] = test
	}
	filters, err := c.namedFilters("region", "instanceFamily")
	if err != nil {
		return node{}, err
	}
	var found []*offering
	for _, o := range c.catalog.byShop[shop{savingsPlans, noRegion}] {
		w := o.planWords()
		keep := tests["offeringIds"](o.id) && tests["paymentOptions"](o.Payment) && tests["planTypes"](o.Class) &&
			tests["durations"](strconv.FormatInt(o.Seconds, 10)) && tests["currencies"](o.hourly.Currency()) && tests["descriptions"](w.description) &&
			tests["serviceCodes"](w.code) && tests["usageTypes"](w.usage) && tests["operations"]("")
		if p := c.in["productType"]; p != "" {
			keep = keep && slices.Contains(w.products, p)
		}
		for name, attribute := range map[string]string{"region": "region", "instanceFamily": "family"} {
			if values, there := filters[name]; there {
				keep = keep && slices.Contains(values, o.Attributes[attribute])
			}
		}
		if keep {
			found = append(found, o)
		}
	}
	page, next, err := paginate(c, found, func(*offering) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	items := list("searchResults")
	for _, o := range page {
		w := o.planWords()
		properties := list("properties")
		if o.Class == planEC2 {
			properties.kids = append(properties.kids,
				group("", leaf("name", "region"), leaf("value", o.Attributes["region"])),
				group("", leaf("name", "instanceFamily"), leaf("value", o.Attributes["family"])))
		}
		items.kids = append(items.kids, group("",
			leaf("offeringId", o.id), textList("productTypes", w.products), leaf("planType", o.Class), leaf("description", w.description),
			leaf("paymentOption", o.Payment), integer("durationSeconds", o.Seconds), leaf("currency", o.hourly.Currency()),
			leaf("serviceCode", w.code), leaf("usageType", w.usage), leaf("operation", ""), properties))
	}
	out := node{kids: []node{items}}
	return out.maybe("nextToken", next), nil
}

// planWords is what an offering is called besides.
type planWords struct {
	products                 []string
	code, usage, description string
}

func (o *offering) planWords() planWords {
	i := slices.IndexFunc(planTypes, func(t struct {
		name, code, usage string
		products          []string
	}) bool {
		return t.name == o.Class
	})
	t := planTypes[i]
	years := o.Seconds / oneYear
	usage, what := t.usage, o.Class
	if o.Class == planEC2 {
		usage, what = usage+":"+o.Attributes["family"]+"."+o.Attributes["region"]+".", o.Attributes["family"]+" EC2 Instance"
	} else {
		usage += ":"
	}
	plural := ""
	if years > 1 {
		plural = "s"
	}
	return planWords{
		products: t.products, code: t.code,
		usage:       fmt.Sprintf("%s%dyr%s", usage, years, strings.ReplaceAll(o.Payment, " ", "")),
		description: fmt.Sprintf("%d year%s %s %s Savings Plan", years, plural, o.Payment, what),
	}
}

func textList(name string, values []string) node {
	n := list(name)
	for _, v := range values {
		n.kids = append(n.kids, leaf("", v))
	}
	return n
}

// plansOf lists what was bought, in every state. Ids that do not exist are left out.
func plansOf(c *call) (node, *apiError) {
	at := c.asOf()
	ids, err := c.oneOf("savingsPlanIds", nil)
	if err != nil {
		return node{}, err
	}
	arns, err := c.oneOf("savingsPlanArns", nil)
	if err != nil {
		return node{}, err
	}
	states, err := c.oneOf("states", []string{
		statePending, stateFailed, stateActive, stateRetired, stateQueued, stateDeleted, stateReturning, stateReturned})
	if err != nil {
		return node{}, err
	}
	looks := map[string]func(*reservation) string{
		"region":              func(r *reservation) string { return r.Attributes["region"] },
		"ec2-instance-family": func(r *reservation) string { return r.Attributes["family"] },
		"instance-family":     func(r *reservation) string { return r.Attributes["family"] },
		"commitment":          func(r *reservation) string { return r.committed() },
		"upfront":             func(r *reservation) string { return r.Attributes["upfront"] },
		"term":                func(r *reservation) string { return strconv.FormatInt(r.Seconds, 10) },
		"savings-plan-type":   func(r *reservation) string { return r.Class },
		"payment-option":      func(r *reservation) string { return r.Payment },
		"start":               func(r *reservation) string { return r.StartsAt.Format(timestamp) },
		"end":                 func(r *reservation) string { return r.planEnd() },
	}
	var names []string
	for name := range looks {
		names = append(names, name)
	}
	filters, err := c.namedFilters(names...)
	if err != nil {
		return node{}, err
	}
	var found []*reservation
	for _, r := range c.world.byScope[c.scope()] {
		keep := ids(r.ID) && arns(r.arn()) && states(r.state(at))
		for name, values := range filters {
			keep = keep && slices.Contains(values, looks[name](r))
		}
		if keep {
			found = append(found, r)
		}
	}
	page, next, err := paginate(c, found, func(r *reservation) (time.Time, int) { return r.VisibleAt, r.seq })
	if err != nil {
		return node{}, err
	}
	items := list("savingsPlans")
	for _, r := range page {
		items.kids = append(items.kids, group("", r.planNodes(at)...))
	}
	out := node{kids: []node{items}}
	return out.maybe("nextToken", next), nil
}

// committed is the commitment as the service writes it: five decimals.
func (r *reservation) committed() string {
	return must(hundredThousandth.Mul(int64(r.Count))).Round(5).Decimal()
}

func (r *reservation) planEnd() string { return r.endsAt().Add(-time.Second).Format(timestamp) }

func (r *reservation) planNodes(at time.Time) []node {
	o := offering{terms: r.terms}
	w := o.planWords()
	out := node{kids: []node{
		leaf("offeringId", r.OfferingID),
		leaf("savingsPlanId", r.ID),
		leaf("savingsPlanArn", r.arn()),
		leaf("description", w.description),
		leaf("start", r.StartsAt.Format(timestamp)),
		leaf("end", r.planEnd()),
		leaf("state", r.state(at)),
	}}
	out = out.maybe("region", r.Attributes["region"]).maybe("ec2InstanceFamily", r.Attributes["family"])
	return append(out.kids,
		leaf("savingsPlanType", r.Class),
		leaf("paymentOption", r.Payment),
		textList("productTypes", w.products),
		leaf("currency", currency),
		leaf("commitment", r.committed()),
		leaf("upfrontPaymentAmount", double(money.MustParse(r.Attributes["upfront"], currency))),
		leaf("recurringPaymentAmount", r.recurring().Round(max(5, r.recurring().Decimals())).Decimal()),
		integer("termDurationInSeconds", r.Seconds),
		r.planTags(),
		leaf("returnableUntil", r.returnableUntil().Format(timestamp)),
	)
}

// planRates lists a rate of each offering for one product: the simulator bills no
// usage, and nothing of it depends on a rate.
func planRates(c *call) (node, *apiError) {
	tests := map[string]func(string) bool{}
	for member, legal := range map[string][]string{
		"savingsPlanOfferingIds": nil, "savingsPlanPaymentOptions": payments, "savingsPlanTypes": planTypeNames(), "products": nil,
		"serviceCodes": nil, "usageTypes": nil, "operations": nil,
	} {
		test, err := c.oneOf(member, legal)
		if err != nil {
			return node{}, err
		}
		tests[member] = test
	}
	serviceCodes := map[string]string{planCompute: "AmazonEC2", planEC2: "AmazonEC2", planSageMaker: "AmazonSageMaker", planDatabase: "AmazonRDS"}
	const usage, operation = "BoxUsage:m5.large", "RunInstances"
	var found []*offering
	for _, o := range c.catalog.byShop[shop{savingsPlans, noRegion}] {
		if tests["savingsPlanOfferingIds"](o.id) && tests["savingsPlanPaymentOptions"](o.Payment) && tests["savingsPlanTypes"](o.Class) &&
			tests["products"](o.planWords().products[0]) && tests["serviceCodes"](serviceCodes[o.Class]) && tests["usageTypes"](usage) &&
			tests["operations"](operation) {
			found = append(found, o)
		}
	}
	page, next, err := paginate(c, found, func(*offering) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	items := list("searchResults")
	for _, o := range page {
		w := o.planWords()
		items.kids = append(items.kids, group("",
			group("savingsPlanOffering", leaf("offeringId", o.id), leaf("paymentOption", o.Payment), leaf("planType", o.Class),
				integer("durationSeconds", o.Seconds), leaf("currency", o.hourly.Currency()), leaf("planDescription", w.description)),
			leaf("rate", "0.069"), leaf("unit", "Hrs"), leaf("productType", w.products[0]), leaf("serviceCode", serviceCodes[o.Class]),
			leaf("usageType", usage), leaf("operation", operation), list("properties")))
	}
	out := node{kids: []node{items}}
	return out.maybe("nextToken", next), nil
}

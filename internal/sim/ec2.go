package sim

import (
	_ "embed"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed ec2_prices.csv
var ec2Prices string

// Reserved Instances of Amazon EC2. Source of names, parameters and states: EC2
// API reference 2016-11-15 and botocore 1.43.67, checked against the Go SDK (ec2
// v1.344.1). The model declares no errors; codes are those of the EC2 developer
// guide, quotas and queueing those of the user guide ("Reserved Instance quotas",
// "Queue your purchase"), rates those of "Request throttling". A purchase has no
// identity but, if it is queued, the second that its buyer chose.
const (
	scopeRegion = "Region"
	scopeZone   = "Availability Zone"

	queueLimit = 3 * 365 * 24 * time.Hour
	deleteMost = 100 // ids per DeleteQueuedReservedInstances
)

// ec2Plans has a three-year No Upfront, which other services lack.
var ec2Plans = append(slices.Clone(plans), plan{threeYears, noUpfront, 490})

func init() {
	zoneID := "the simulator has no zone ids; name the zone"
	register(&service{
		name: "ec2", version: "2016-11-15", xmlns: "http://ec2.amazonaws.com/doc/2016-11-15/",
		regional: true, protocol: ec2Query, codes: ec2Codes,
		operations: map[string]*operation{
			"DescribeReservedInstancesOfferings": {
				pages: &pager{token: "NextToken", size: "MaxResults", low: 1, high: 100, invalid: "InvalidPaginationToken", answer: "nextToken"},
				rate:  rate{10, 10},
				members: []string{
					"AvailabilityZone", "IncludeMarketplace", "InstanceType", "MinDuration", "MaxDuration", "MaxInstanceCount", "OfferingClass",
					"ProductDescription", "ReservedInstancesOfferingId.N", "DryRun", "Filter.N.Name", "Filter.N.Value.N", "InstanceTenancy",
					"OfferingType", "NextToken", "MaxResults",
				},
				unserved: map[string]string{"AvailabilityZoneId": zoneID},
				run:      ec2Offerings,
			},
			"PurchaseReservedInstancesOffering": {
				spends:  true,
				rate:    rate{5, 5},
				members: []string{"InstanceCount", "ReservedInstancesOfferingId", "PurchaseTime", "DryRun"},
				unserved: map[string]string{
					"LimitPrice.Amount": "only for offerings of the Marketplace", "LimitPrice.CurrencyCode": "only for offerings of the Marketplace",
				},
				run: ec2Purchase,
			},
			"DescribeReservedInstances": {
				lists:   true,
				rate:    rate{100, 20},
				members: []string{"OfferingClass", "ReservedInstancesId.N", "DryRun", "Filter.N.Name", "Filter.N.Value.N", "OfferingType"},
				run:     ec2Reservations,
			},
			"DeleteQueuedReservedInstances": {
				changes: true,
				rate:    rate{5, 5},
				members: []string{"DryRun", "ReservedInstancesId.N"},
				resources: func(c *call) []string {
					ids, err := c.in.list("ReservedInstancesId")
					if err != nil || len(ids) == 0 {
						return []string{c.resource("*")}
					}
					var arns []string
					for _, id := range ids {
						arns = append(arns, c.resource(id))
					}
					return arns
				},
				run: ec2DeleteQueued,
			},
			"CreateTags":   ec2CreateTagsOp,
			"DescribeTags": ec2DescribeTagsOp,
		},
		sells: &seller{
			onDemand: ec2Prices,
			variants: func(region, _, product string) []variant {
				var list []variant
				for _, class := range []string{"standard", "convertible"} {
					for _, zone := range []string{"", region + "a", region + "b"} {
						v := variant{
							attributes: map[string]string{"product": product, "offering_class": class, "tenancy": "default", "scope": scopeRegion},
							key:        []string{class, zone}, plans: ec2Plans, times: 1,
						}
						if zone != "" {
							v.attributes["scope"], v.attributes["zone"] = scopeZone, zone
						}
						if class == "convertible" {
							v.dearer = 80
						}
						list = append(list, v)
					}
				}
				return list
			},
			arn: func(region, account, id string) string {
				return "arn:aws:ec2:" + region + ":" + account + ":reserved-instances/" + id
			},
			quota: 20,
			used:  ec2Used,
			// A payment that failed may show as retired (user guide, "payment-failed").
			adorn: func(w *world, r *reservation) {
				r.Attributes["failed_word"] = stateFailed
				if draw(2, w.seed, "failed word", r.ID) == 1 {
					r.Attributes["failed_word"] = stateRetired
				}
			},
		},
	})
}

// ec2Used counts the instances that started in the calendar month (UTC) of then,
// in the same zone, or in the region without a zone.
func ec2Used(w *world, in scope, of terms, then time.Time) int {
	n := 0
	for _, r := range w.byScope[in] {
		start := r.StartsAt.UTC()
		if start.Year() != then.Year() || start.Month() != then.Month() || r.Attributes["zone"] != of.Attributes["zone"] {
			continue
		}
		switch r.state(then) {
		case statePending, stateActive, stateRetired:
			n += r.Count
		}
	}
	return n
}

// dryRun ends a call that is only a question, once it is known to be permitted.
func (c *call) dryRun() *apiError {
	switch text, ok := c.in["DryRun"]; {
	case !ok || text == "false":
		return nil
	case text == "true":
		return fail("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	default:
		return fail("InvalidParameterValue", "Invalid value %q for DryRun", text)
	}
}

func ec2Purchase(c *call) (node, *apiError) {
	if err := c.dryRun(); err != nil {
		return node{}, err
	}
	offeringID, err := c.in.required("ReservedInstancesOfferingId")
	if err != nil {
		return node{}, err
	}
	if _, err := c.in.required("InstanceCount"); err != nil {
		return node{}, err
	}
	count, err := c.in.integer("InstanceCount", 0, 1, 1<<31-1)
	if err != nil {
		return node{}, err
	}
	o := c.offered(offeringID)
	if o == nil {
		return node{}, fail("InvalidReservedInstancesOfferingId", "The specified Reserved Instances offering does not exist: %s", offeringID)
	}
	startsAt, err := c.purchaseTime(o)
	if err != nil {
		return node{}, err
	}
	// A queued order is not held against a quota before it fires.
	quota := c.opts.quotaOf("ec2")
	if used := c.world.used(c.scope(), o.terms, c.now); startsAt.Equal(c.now) && count > quota-used {
		return node{}, fail("ReservedInstancesLimitExceeded", "Your current quota does not allow you to purchase the required number of reserved instances: %d of %d are used this month", used, quota)
	}
	r := c.purchase(o, drawUUID(c.world.seed, "reserved instances", c.requestID), count, startsAt)
	c.out.Bought = append(c.out.Bought, r)
	return node{kids: []node{leaf("reservedInstancesId", r.ID)}}, nil
}

// purchaseTime is when the order takes effect: now, or the second it is queued
// for. The user guide allows regional offerings, up to three years ahead; the
// codes of the refusals and the least time ahead are not published.
func (c *call) purchaseTime(o *offering) (time.Time, *apiError) {
	text, ok := c.in["PurchaseTime"]
	if !ok {
		return c.now, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	at = at.UTC().Truncate(time.Second)
	switch {
	case err != nil:
		return at, fail("InvalidParameterValue", "Invalid value %q for PurchaseTime: want a time such as 2026-11-23T03:04:05Z", text)
	case o.Attributes["scope"] != scopeRegion:
		return at, fail("InvalidParameterCombination", "A purchase can be queued only for an offering with the scope of a Region")
	case !at.After(c.now.Add(c.opts.QueueLead)):
		return at, fail("InvalidParameterValue", "Invalid value %q for PurchaseTime: it is too early", text)
	case at.Sub(c.now) > queueLimit:
		return at, fail("InvalidParameterValue", "Invalid value %q for PurchaseTime: it is more than three years ahead", text)
	}
	return at, nil
}

func ec2DeleteQueued(c *call) (node, *apiError) {
	ids, err := c.in.list("ReservedInstancesId")
	if err != nil {
		return node{}, err
	}
	if len(ids) == 0 {
		return node{}, fail("MissingParameter", "The request must contain the parameter ReservedInstancesId")
	}
	if len(ids) > deleteMost {
		return node{}, fail("InvalidParameterValue", "%d ids; a request has at most %d", len(ids), deleteMost)
	}
	if err := c.dryRun(); err != nil {
		return node{}, err
	}
	done, failed := list("successfulQueuedPurchaseDeletionSet"), list("failedQueuedPurchaseDeletionSet")
	seen := map[string]bool{}
	for _, id := range ids {
		code, message := "", ""
		switch r := c.world.byKey[c.world.key(c.scope(), id)]; {
		case r == nil || r.VisibleAt.After(c.now):
			code, message = "reserved-instances-id-invalid", "The Reserved Instances ID does not exist"
		case r.state(c.now) != stateQueued || seen[id]:
			code, message = "reserved-instances-not-in-queued-state", "The Reserved Instances are not queued"
		}
		seen[id] = true
		if code != "" {
			failed.kids = append(failed.kids, group("item",
				group("error", leaf("code", code), leaf("message", message)), leaf("reservedInstancesId", id)))
			continue
		}
		c.out.Deleted = append(c.out.Deleted, ref{"ec2", c.who.account, c.region, id})
		done.kids = append(done.kids, group("item", leaf("reservedInstancesId", id)))
	}
	return node{kids: []node{done, failed}}, nil
}

func ec2Offerings(c *call) (node, *apiError) {
	if err := c.dryRun(); err != nil {
		return node{}, err
	}
	ids, err := c.in.list("ReservedInstancesOfferingId")
	if err != nil {
		return node{}, err
	}
	for _, id := range ids {
		if c.offered(id) == nil {
			return node{}, fail("InvalidReservedInstancesOfferingId", "The specified Reserved Instances offering does not exist: %s", id)
		}
	}
	least, err := c.in.integer("MinDuration", 2592000, 1, 1<<31-1)
	if err != nil {
		return node{}, err
	}
	most, err := c.in.integer("MaxDuration", threeYears, 1, 1<<31-1)
	if err != nil {
		return node{}, err
	}
	keep, err := c.ec2Filter(offeringFilters)
	if err != nil {
		return node{}, err
	}
	var found []*offering
	for _, o := range c.catalog.byShop[shop{"ec2", c.region}] {
		fixed, hourly := c.world.quote(o)
		shown := reservation{terms: o.terms, OfferingID: o.id, Fixed: fixed, Hourly: hourly}
		if (len(ids) == 0 || slices.Contains(ids, o.id)) && int64(least) <= o.Seconds && o.Seconds <= int64(most) && keep(&shown, c.now) {
			found = append(found, o)
		}
	}
	page, next, err := paginate(c, found, func(*offering) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	items := list("reservedInstancesOfferingsSet")
	for _, o := range page {
		fixed, hourly := c.world.quote(o)
		r := reservation{terms: o.terms, Fixed: fixed, Hourly: hourly}
		items.kids = append(items.kids, group("item", slices.Concat(
			[]node{leaf("reservedInstancesOfferingId", o.id)}, r.ec2Terms(),
			[]node{number("marketplace", "false"), list("pricingDetailsSet")})...))
	}
	out := node{}.maybe(c.op.pages.out(), next)
	out.kids = append(out.kids, items)
	return out, nil
}

// ec2Reservations answers all at once: the operation has no pages.
func ec2Reservations(c *call) (node, *apiError) {
	if err := c.dryRun(); err != nil {
		return node{}, err
	}
	ids, err := c.in.list("ReservedInstancesId")
	if err != nil {
		return node{}, err
	}
	keep, err := c.ec2Filter(reservationFilters)
	if err != nil {
		return node{}, err
	}
	at := c.asOf()
	for _, id := range ids {
		if r := c.world.byKey[c.world.key(c.scope(), id)]; r == nil || r.VisibleAt.After(at) {
			return node{}, fail("InvalidReservedInstancesId", "The specified Reserved Instances do not exist: %s", id)
		}
	}
	items := list("reservedInstancesSet")
	for _, r := range c.world.byScope[c.scope()] {
		if !r.VisibleAt.After(at) && (len(ids) == 0 || slices.Contains(ids, r.ID)) && keep(r, at) {
			items.kids = append(items.kids, group("item", r.ec2Nodes(at)...))
		}
	}
	rng := rand.New(rand.NewChaCha8(digest(c.world.seed, "order", c.requestID)))
	rng.Shuffle(len(items.kids), func(i, j int) { items.kids[i], items.kids[j] = items.kids[j], items.kids[i] })
	return node{kids: []node{items}}, nil
}

// ec2State is the state in the words of EC2.
func (r *reservation) ec2State(at time.Time) string {
	state := r.state(at)
	if state == stateFailed {
		return r.Attributes["failed_word"]
	}
	return state
}

// ec2End is the last second of the term.
func (r *reservation) ec2End() string {
	return r.endsAt().Truncate(time.Second).Add(-time.Second).Format(timestamp)
}

func (r *reservation) ec2Nodes(at time.Time) []node {
	tags := list("tagSet")
	for _, t := range r.Tags {
		tags.kids = append(tags.kids, group("item", leaf("key", t.Key), leaf("value", t.Value)))
	}
	return slices.Concat(
		[]node{
			leaf("reservedInstancesId", r.ID),
			leaf("start", r.StartsAt.Format(timestamp)),
			leaf("end", r.ec2End()),
			integer("instanceCount", r.Count),
			leaf("state", r.ec2State(at)),
			tags,
		}, r.ec2Terms())
}

// ec2Terms is what an offering and a reservation both say.
func (r *reservation) ec2Terms() []node {
	out := node{kids: []node{
		leaf("instanceType", r.Class),
		leaf("scope", r.Attributes["scope"]),
		integer("duration", r.Seconds),
		number("fixedPrice", double(r.Fixed)),
		number("usagePrice", "0.0"),
		leaf("productDescription", r.Attributes["product"]),
		leaf("instanceTenancy", r.Attributes["tenancy"]),
		leaf("currencyCode", r.Fixed.Currency()),
		leaf("offeringClass", r.Attributes["offering_class"]),
		leaf("offeringType", r.Payment),
		list("recurringCharges", group("item", leaf("frequency", "Hourly"), number("amount", double(r.Hourly)))),
	}}
	return out.maybe("availabilityZone", r.Attributes["zone"]).kids
}

// A property is what a filter looks at.
type property func(r *reservation, at time.Time) string

func attribute(name string) property {
	return func(r *reservation, _ time.Time) string { return r.attribute(name) }
}

// Filters by name; the API reference lists them with the two operations.
var (
	commonFilters = map[string]property{
		"availability-zone":   attribute("zone"),
		"duration":            func(r *reservation, _ time.Time) string { return strconv.FormatInt(r.Seconds, 10) },
		"fixed-price":         func(r *reservation, _ time.Time) string { return double(r.Fixed) },
		"instance-type":       attribute("class"),
		"product-description": attribute("product"),
		"scope":               attribute("scope"),
		"usage-price":         func(*reservation, time.Time) string { return "0.0" },
	}
	offeringFilters = map[string]property{
		"marketplace":                    func(*reservation, time.Time) string { return "false" },
		"reserved-instances-offering-id": func(r *reservation, _ time.Time) string { return r.OfferingID },
	}
	reservationFilters = map[string]property{
		"end":                   func(r *reservation, _ time.Time) string { return r.ec2End() },
		"start":                 func(r *reservation, _ time.Time) string { return r.StartsAt.Format(timestamp) },
		"reserved-instances-id": func(r *reservation, _ time.Time) string { return r.ID },
		"state":                 (*reservation).ec2State,
	}
	// memberFilters are request members that select like a filter of one value.
	memberFilters = map[string]struct {
		property property
		values   []string // nil is any
	}{
		"AvailabilityZone":   {attribute("zone"), nil},
		"InstanceType":       {attribute("class"), nil},
		"InstanceTenancy":    {attribute("tenancy"), []string{"default", "dedicated"}},
		"OfferingClass":      {attribute("offering_class"), []string{"standard", "convertible"}},
		"OfferingType":       {func(r *reservation, _ time.Time) string { return r.Payment }, payments},
		"ProductDescription": {attribute("product"), nil},
	}
)

// ec2Filter reads the filters of a listing: any value of each, with wildcards.
func (c *call) ec2Filter(own map[string]property) (func(*reservation, time.Time) bool, *apiError) {
	type test func(*reservation, time.Time) bool
	var tests []test
	for member, f := range memberFilters {
		want, ok := c.in[member]
		if !ok {
			continue
		}
		if f.values != nil && !slices.Contains(f.values, want) {
			return nil, fail("InvalidParameterValue", "Invalid value %q for %s", want, member)
		}
		tests = append(tests, func(r *reservation, at time.Time) bool { return f.property(r, at) == want })
	}
	given := map[string]bool{}
	for member := range c.in {
		if rest, ok := strings.CutPrefix(member, "Filter."); ok {
			number, _, _ := strings.Cut(rest, ".")
			given[number] = true
		}
	}
	for i := range len(given) {
		prefix := "Filter." + strconv.Itoa(i+1)
		name, ok := c.in[prefix+".Name"]
		if !ok {
			return nil, fail("InvalidParameterValue", "The list Filter has a gap; its members are numbered from 1 and have a Name")
		}
		values, err := c.in.list(prefix + ".Value")
		if err != nil {
			return nil, err
		}
		if len(values) == 0 {
			return nil, fail("InvalidParameterValue", "The filter '%s' has no value", name)
		}
		look := commonFilters[name]
		if look == nil {
			look = own[name]
		}
		key, byTag := strings.CutPrefix(name, "tag:")
		_, forReservations := own["state"]
		switch {
		case look != nil:
			tests = append(tests, func(r *reservation, at time.Time) bool { return anyMatch(values, look(r, at)) })
		case forReservations && (byTag || name == "tag-key"):
			tests = append(tests, func(r *reservation, _ time.Time) bool {
				return slices.ContainsFunc(r.Tags, func(t Tag) bool {
					if byTag {
						return t.Key == key && anyMatch(values, t.Value)
					}
					return anyMatch(values, t.Key)
				})
			})
		default:
			return nil, fail("InvalidParameterValue", "The filter '%s' is invalid", name)
		}
	}
	return func(r *reservation, at time.Time) bool {
		return !slices.ContainsFunc(tests, func(t test) bool { return !t(r, at) })
	}, nil
}

package sim

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// The recommendations of AWS Cost Explorer. Source of names, members and errors:
// Cost Explorer API reference 2017-10-25 and botocore 1.43.67, checked against the
// Go SDK (costexplorer v1.63.10). The service has one endpoint, in us-east-1. What
// it recommends is made up, the same for every call of one day, and always
// something that the simulator sells. The management account sees all accounts,
// another account only itself.
func init() {
	filter := "the simulator filters by LINKED_ACCOUNT only"
	unserved := map[string]string{}
	for _, m := range []string{"Filter.Tags.Key", "Filter.Tags.Values.N", "Filter.CostCategories.Key", "Filter.CostCategories.Values.N"} {
		unserved[m] = filter
	}
	pages := &pager{token: "NextPageToken", size: "PageSize", low: 1, high: 6000, invalid: "InvalidNextTokenException"}
	register(&service{
		name: "ce", global: true, protocol: awsJSON, targets: []string{"AWSInsightsIndexService"},
		codes: jsonCodes(map[string]string{
			"InvalidParameterCombination": "ValidationException",
			"InvalidParameterValue":       "ValidationException",
			"MissingParameter":            "ValidationException",
			"Throttling":                  "LimitExceededException",
		}),
		operations: map[string]*operation{
			"GetReservationPurchaseRecommendation": {
				pages: pages,
				members: []string{"AccountId", "Service", "AccountScope", "LookbackPeriodInDays", "TermInYears", "PaymentOption", "PageSize",
					"NextPageToken", "ServiceSpecification.EC2Specification.OfferingClass", "Filter.Dimensions.Key", "Filter.Dimensions.Values.N"},
				numbers:  []string{"PageSize"},
				unserved: unserved,
				run:      reservationAdvice,
			},
			"GetSavingsPlansPurchaseRecommendation": {
				pages: pages,
				members: []string{"SavingsPlansType", "TermInYears", "PaymentOption", "AccountScope", "NextPageToken", "PageSize", "LookbackPeriodInDays",
					"Filter.Dimensions.Key", "Filter.Dimensions.Values.N"},
				numbers:  []string{"PageSize"},
				unserved: unserved,
				run:      planAdvice,
			},
			"StartSavingsPlansPurchaseRecommendationGeneration": {run: startGeneration},
		},
	})
}

// adviceTerms and advicePayments are Cost Explorer's words.
var (
	adviceTerms    = map[string]int64{"ONE_YEAR": oneYear, "THREE_YEARS": threeYears}
	advicePayments = map[string]string{"NO_UPFRONT": noUpfront, "PARTIAL_UPFRONT": partialUpfront, "ALL_UPFRONT": allUpfront}
	lookbackDays   = map[string]int64{"SEVEN_DAYS": 7, "THIRTY_DAYS": 30, "SIXTY_DAYS": 60}
)

// adviser is what Cost Explorer calls a service and what it says of its goods.
type adviser struct {
	service string
	wants   func(*offering) bool // nil is all
	member  string
	details func(*offering) []node
}

func family(class string) string {
	parts := strings.Split(class, ".")
	return parts[max(0, len(parts)-2)]
}

// advisers are the services with recommendations, by the name that requests use.
var advisers = map[string]adviser{
	"Amazon Relational Database Service": {
		service: "rds", member: "RDSInstanceDetails",
		details: func(o *offering) []node {
			engine, edition, license := rdsEngine(o.Attributes["product"])
			deployment := "Single-AZ"
			if o.Attributes["multi_az"] == "true" {
				deployment = "Multi-AZ"
			}
			return []node{
				leaf("Family", family(o.Class)), leaf("InstanceType", o.Class), leaf("Region", regionName[o.region]),
				leaf("DatabaseEngine", engine), leaf("DatabaseEdition", edition), leaf("DeploymentOption", deployment),
				leaf("LicenseModel", license), leaf("DeploymentModel", ""),
			}
		},
	},
	"Amazon ElastiCache": {
		service: "elasticache", member: "ElastiCacheInstanceDetails",
		details: func(o *offering) []node {
			product := o.Attributes["product"]
			return []node{
				leaf("Family", family(o.Class)), leaf("NodeType", o.Class), leaf("Region", regionName[o.region]),
				leaf("ProductDescription", strings.ToUpper(product[:1])+product[1:]),
			}
		},
	},
	"Amazon MemoryDB Service": {service: "memorydb", member: "MemoryDBInstanceDetails", details: nodeDetails},
	"Amazon Redshift": {
		service: "redshift", member: "RedshiftInstanceDetails", details: nodeDetails,
		wants: func(o *offering) bool { return cmp.Or(o.Attributes["offering_type"], "Regular") == "Regular" },
	},
	"Amazon OpenSearch Service": {
		service: "es", member: "ESInstanceDetails",
		details: func(o *offering) []node {
			class, size, _ := strings.Cut(o.Class, ".")
			return []node{leaf("InstanceClass", class), leaf("InstanceSize", size), leaf("Region", regionName[o.region])}
		},
	},
	"Amazon Elastic Compute Cloud - Compute": {
		service: "ec2", member: "EC2InstanceDetails",
		wants: func(o *offering) bool { return o.Attributes["scope"] == scopeRegion },
		details: func(o *offering) []node {
			return []node{
				leaf("Family", family(o.Class)), leaf("InstanceType", o.Class), leaf("Region", regionName[o.region]),
				leaf("AvailabilityZone", ""), leaf("Platform", o.Attributes["product"]), leaf("Tenancy", "shared"),
			}
		},
	},
}

func nodeDetails(o *offering) []node {
	return []node{leaf("Family", family(o.Class)), leaf("NodeType", o.Class), leaf("Region", regionName[o.region])}
}

// regionName is what Cost Explorer calls a region.
var regionName = map[string]string{
	"us-east-1": "US East (N. Virginia)", "us-west-2": "US West (Oregon)", "eu-west-1": "EU (Ireland)",
	"eu-central-1": "EU (Frankfurt)", "ap-southeast-2": "Asia Pacific (Sydney)",
}

// rdsEngine takes a product description of RDS apart.
func rdsEngine(product string) (engine, edition, license string) {
	switch product {
	case "oracle-se2(li)":
		return "Oracle", "Standard Two", "License included"
	case "sqlserver-se(li)":
		return "SQL Server", "Standard", "License included"
	}
	name := map[string]string{"mysql": "MySQL", "postgresql": "PostgreSQL", "mariadb": "MariaDB", "aurora-mysql": "Aurora MySQL", "aurora-postgresql": "Aurora PostgreSQL"}
	return name[product], "", "No license required"
}

// question is what both recommendations ask.
type question struct {
	term, payment, scope, lookback string
	account                        string // "" is all that the caller sees
}

func oneOf[V any](c *call, name, otherwise string, legal map[string]V) (string, *apiError) {
	text := cmp.Or(c.in[name], otherwise)
	if _, ok := legal[text]; !ok {
		return "", fail("InvalidParameterValue", "Invalid value %q for %s: want one of %s", text, name, strings.Join(slices.Sorted(maps.Keys(legal)), ", "))
	}
	return text, nil
}

func (c *call) question() (q question, err *apiError) {
	if q.term, err = oneOf(c, "TermInYears", "ONE_YEAR", adviceTerms); err != nil {
		return q, err
	}
	if q.payment, err = oneOf(c, "PaymentOption", "NO_UPFRONT", advicePayments); err != nil {
		return q, err
	}
	if q.lookback, err = oneOf(c, "LookbackPeriodInDays", "SEVEN_DAYS", lookbackDays); err != nil {
		return q, err
	}
	if q.scope, err = oneOf(c, "AccountScope", "PAYER", map[string]bool{"PAYER": true, "LINKED": true}); err != nil {
		return q, err
	}
	q.account = c.in["AccountId"]
	if key, ok := c.in["Filter.Dimensions.Key"]; ok {
		values, err := c.in.list("Filter.Dimensions.Values")
		if err != nil {
			return q, err
		}
		if key != "LINKED_ACCOUNT" || len(values) != 1 {
			return q, fail("InvalidParameterValue", "The simulator filters by one LINKED_ACCOUNT only")
		}
		q.account = values[0]
	}
	if c.who.account != management() {
		if q.account != "" && q.account != c.who.account {
			return q, fail("AccessDenied", "User: %s is not authorized to see account %s", c.who.arn(), q.account)
		}
		q.account = c.who.account
	}
	return q, nil
}

// goods are what a customer would do well to buy: an offering, who uses it, and
// how much.
type goods struct {
	*offering
	account string
	count   int
}

// advised draws from what the simulator sells: for each account a few goods of
// each region.
func (c *call) advised(q question, service string, wants func(*offering) bool) []goods {
	var all []goods
	for _, r := range regionPermille {
		var sold []*offering
		for _, o := range c.catalog.byShop[shop{service, r.region}] {
			if o.Seconds == adviceTerms[q.term] && o.Payment == advicePayments[q.payment] && (wants == nil || wants(o)) {
				sold = append(sold, o)
			}
		}
		for _, a := range accounts {
			if len(sold) == 0 || q.account != "" && a.ID != q.account {
				continue
			}
			seen := map[string]bool{}
			for i := range 1 + int(draw(3, c.world.seed, "advice", service, r.region, a.ID)) {
				o := sold[draw(uint64(len(sold)), c.world.seed, "advice", service, r.region, a.ID, strconv.Itoa(i), q.term, q.payment)]
				if !seen[o.id] {
					seen[o.id] = true
					all = append(all, goods{o, a.ID, 1 + int(draw(4, c.world.seed, "advice count", o.id, a.ID))})
				}
			}
		}
	}
	if q.scope == "LINKED" || q.account != "" && q.account != management() {
		return all
	}
	// For the organization as a whole, usage of all accounts adds up.
	var joint []goods
	for _, g := range all {
		if i := slices.IndexFunc(joint, func(j goods) bool { return j.offering == g.offering }); i >= 0 {
			joint[i].count += g.count
			continue
		}
		g.account = management()
		joint = append(joint, g)
	}
	return joint
}

func reservationAdvice(c *call) (node, *apiError) {
	name, err := c.in.required("Service")
	if err != nil {
		return node{}, err
	}
	q, err := c.question()
	if err != nil {
		return node{}, err
	}
	class, err := oneOf(c, "ServiceSpecification.EC2Specification.OfferingClass", "STANDARD", map[string]bool{"STANDARD": true, "CONVERTIBLE": true})
	if err != nil {
		return node{}, err
	}
	a, known := advisers[name]
	if !known {
		return node{}, fail("InvalidParameterValue", "Invalid service %q", name)
	}
	all := c.advised(q, a.service, func(o *offering) bool {
		return (a.wants == nil || a.wants(o)) && (a.service != "ec2" || strings.EqualFold(o.Attributes["offering_class"], class))
	})
	page, next, err := paginate(c, all, func(goods) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	recommendation := group("",
		leaf("AccountScope", q.scope), leaf("LookbackPeriodInDays", q.lookback), leaf("TermInYears", q.term), leaf("PaymentOption", q.payment))
	if a.service == "ec2" {
		recommendation.kids = append(recommendation.kids, group("ServiceSpecification", group("EC2Specification", leaf("OfferingClass", class))))
	}
	details, saved := list("RecommendationDetails"), int64(0)
	for _, g := range page {
		detail, savings := c.reservationDetail(q, a, g)
		details.kids, saved = append(details.kids, detail), saved+savings
	}
	recommendation.kids = append(recommendation.kids, details, group("RecommendationSummary",
		leaf("TotalEstimatedMonthlySavingsAmount", dollarText(saved)), leaf("TotalEstimatedMonthlySavingsPercentage", "30.0"), leaf("CurrencyCode", currency)))
	out := node{kids: []node{c.adviceMetadata(name), list("Recommendations", recommendation)}}
	return out.maybe("NextPageToken", next), nil
}

// reservationDetail is the record of one recommendation, and what it saves in a
// month, in millionths of a dollar.
func (c *call) reservationDetail(q question, a adviser, g goods) (node, int64) {
	fixed, hourly := c.world.quote(g.offering)
	count := int64(g.count)
	upfront, recurring := amountMicros(fixed)*count, amountMicros(hourly)*hoursPerMonth*count
	months := g.Seconds / oneYear * 12
	monthly := upfront/months + recurring
	onDemand := monthly * 10 / 7
	used := strconv.Itoa(g.count) + ".0"
	instance := group(a.member, append(a.details(g.offering), number("CurrentGeneration", "true"), number("SizeFlexEligible", "true"))...)
	return group("",
		leaf("AccountId", g.account), group("InstanceDetails", instance),
		leaf("RecommendedNumberOfInstancesToPurchase", strconv.Itoa(g.count)), leaf("RecommendedNormalizedUnitsToPurchase", ""),
		leaf("MinimumNumberOfInstancesUsedPerHour", used), leaf("MaximumNumberOfInstancesUsedPerHour", used),
		leaf("AverageNumberOfInstancesUsedPerHour", used), leaf("AverageUtilization", "99.86"),
		leaf("EstimatedBreakEvenInMonths", strconv.FormatInt(upfront/max(1, onDemand-recurring), 10)+".0"),
		leaf("CurrencyCode", currency), leaf("EstimatedMonthlySavingsAmount", dollarText(onDemand-monthly)), leaf("EstimatedMonthlySavingsPercentage", "30.0"),
		leaf("EstimatedMonthlyOnDemandCost", dollarText(onDemand)),
		leaf("EstimatedReservationCostForLookbackPeriod", dollarText(monthly*lookbackDays[q.lookback]/30)),
		leaf("UpfrontCost", dollarText(upfront)), leaf("RecurringStandardMonthlyCost", dollarText(recurring)),
	), onDemand - monthly
}

// hoursPerMonth is how AWS turns hours into months.
const hoursPerMonth = 730

// amountMicros is an amount of the catalog, which has at most 4 decimals, in
// millionths.
func amountMicros(a money.Amount) int64 {
	whole, rest, _ := strings.Cut(a.Canonical(), ".")
	n, err := strconv.ParseInt(whole+(rest + "000000")[:6], 10, 64)
	if err != nil {
		panic("sim: amount " + a.Canonical()) // the catalog's own
	}
	return n
}

// dollarText is an amount as Cost Explorer writes it.
func dollarText(micros int64) string { return double(dollars(micros, 1)) }

// startGeneration makes new recommendations: three times in 24 hours for all
// accounts together, and one at a time.
func startGeneration(c *call) (node, *apiError) {
	recent := 0
	for _, r := range slices.Backward(c.world.requests) {
		if c.now.Sub(r.Time) >= 24*time.Hour {
			break
		}
		if r.Operation != c.op.name || !r.Applied {
			continue
		}
		if c.now.Sub(r.Time) < generationTime {
			return node{}, fail("GenerationExistsException", "A request to generate a recommendation or analysis is already in progress.")
		}
		recent++
	}
	if recent >= generationsPerDay {
		return node{}, fail("ServiceQuotaExceededException", "You have reached the limit of %d recommendation generations in 24 hours.", generationsPerDay)
	}
	return node{kids: []node{
		leaf("RecommendationId", drawUUID(c.world.seed, "generation", c.requestID)),
		leaf("GenerationStartedTime", c.now.Format("2006-01-02T15:04:05Z")),
		leaf("EstimatedCompletionTime", c.now.Add(generationTime).Format("2006-01-02T15:04:05Z")),
	}}, nil
}

const (
	generationTime    = 30 * time.Minute // not published
	generationsPerDay = 3
)

func (c *call) adviceMetadata(of string) node {
	day := c.now.Truncate(24 * time.Hour)
	return group("Metadata",
		leaf("RecommendationId", drawUUID(c.world.seed, "recommendation", of, day.Format(time.DateOnly))),
		leaf("GenerationTimestamp", day.Add(-19*time.Hour).Format("2006-01-02T15:04:05Z")))
}

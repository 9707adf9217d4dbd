package sim

import (
	"math/big"
	"slices"
	"strconv"
	"time"
)

// What Cost Explorer says of use. Source of names, members and errors: Cost Explorer API
// reference 2017-10-25 and botocore 1.43.67. It is told of what is owned, so it follows
// from the ledger: each commitment is used at a rate of its own, drawn once. The last 24
// to 48 hours are not counted yet: they are paid for, and nothing is used in them. What
// the attributes of a group are called is not published; that there are some is.
func init() {
	ask := []string{"TimePeriod.Start", "TimePeriod.End", "Filter.Dimensions.Key", "Filter.Dimensions.Values.N",
		"Filter.And.N.Dimensions.Key", "Filter.And.N.Dimensions.Values.N"}
	byPage := &pager{token: "NextPageToken", size: "MaxResults", low: 1, high: 100, invalid: "InvalidNextTokenException"}
	byToken := &pager{token: "NextToken", size: "MaxResults", low: 1, high: 20, invalid: "InvalidNextTokenException"}
	for name, op := range map[string]*operation{
		"GetReservationUtilization": {
			pages: byPage, members: append(slices.Clone(ask), "GroupBy.N.Type", "GroupBy.N.Key", "NextPageToken", "MaxResults"),
			numbers: []string{"MaxResults"}, run: reservationUtilization,
		},
		"GetReservationCoverage": {
			pages: byPage, members: append(slices.Clone(ask), "Granularity", "Metrics.N", "NextPageToken", "MaxResults"),
			numbers: []string{"MaxResults"}, run: reservationCoverage,
		},
		"GetSavingsPlansUtilizationDetails": {
			pages: byToken, members: append(slices.Clone(ask), "DataType.N", "NextToken", "MaxResults"),
			numbers: []string{"MaxResults"}, run: planUtilization,
		},
		"GetSavingsPlansCoverage": {
			pages: byToken, members: append(slices.Clone(ask), "Granularity", "Metrics.N", "NextToken", "MaxResults"),
			numbers: []string{"MaxResults"}, run: planCoverage,
		},
	} {
		op.name = name
		services["ce"].operations[name] = op
	}
}

// meteredServices are those of which use is told, by the names that requests use (API
// reference, GetReservationUtilization).
var meteredServices = map[string]string{
	"Amazon Elastic Compute Cloud - Compute": "ec2", "Amazon Relational Database Service": "rds", "Amazon ElastiCache": "elasticache",
	"Amazon Redshift": "redshift", "Amazon Elasticsearch Service": "es",
}

// useAsked is what a question about use is about; "" is all that the caller sees.
type useAsked struct {
	start, end               time.Time
	service, account, region string
}

func (c *call) useAsked(plans bool) (q useAsked, err *apiError) {
	for name, t := range map[string]*time.Time{"TimePeriod.Start": &q.start, "TimePeriod.End": &q.end} {
		text, err := c.in.required(name)
		if err != nil {
			return q, err
		}
		at, bad := time.Parse(time.DateOnly, text)
		if bad != nil {
			return q, fail("InvalidParameterValue", "%s %q is no date", name, text)
		}
		*t = at
	}
	if !q.start.Before(q.end) || q.end.After(c.now) {
		return q, fail("InvalidParameterValue", "The end date is not after the start date, or in the future")
	}
	if !plans {
		q.service = "Amazon Elastic Compute Cloud - Compute"
	}
	ats := []string{"Filter"}
	if _, ok := c.in["Filter.And.1.Dimensions.Key"]; ok {
		ats = nil
		for i := 1; c.in["Filter.And."+strconv.Itoa(i)+".Dimensions.Key"] != ""; i++ {
			ats = append(ats, "Filter.And."+strconv.Itoa(i))
		}
	}
	for _, at := range ats {
		key, ok := c.in[at+".Dimensions.Key"]
		if !ok {
			continue
		}
		values, err := c.in.list(at + ".Dimensions.Values")
		if err != nil {
			return q, err
		}
		to, known := map[string]*string{"SERVICE": &q.service, "LINKED_ACCOUNT": &q.account, "REGION": &q.region}[key]
		if !known || len(values) != 1 || plans && key == "SERVICE" {
			return q, fail("InvalidParameterValue", "The simulator filters by one SERVICE, LINKED_ACCOUNT or REGION, not by %s", key)
		}
		*to = values[0]
	}
	if !plans && meteredServices[q.service] == "" {
		return q, fail("InvalidParameterValue", "Invalid service %q", q.service)
	}
	if c.who.account != management() {
		if q.account != "" && q.account != c.who.account {
			return q, fail("AccessDenied", "User: %s is not authorized to see account %s", c.who.arn(), q.account)
		}
		q.account = c.who.account
	}
	return q, nil
}

// use is what was paid for and used of one commitment, in seconds of one unit, and of
// usage beside it that no commitment covers.
type use struct {
	*reservation
	paid, used, uncovered int64
}

// uses are those of the commitments that were paid for in the period.
func (c *call) uses(q useAsked, service string) []use {
	counted := c.now.Add(-drawDuration(24*time.Hour, 48*time.Hour, c.world.seed, "counted", c.now.Format(time.DateOnly)))
	var all []use
	for _, r := range c.world.reservations {
		if r.Service != service || q.account != "" && r.Account != q.account || q.region != "" && r.Region != q.region || r.Fails || !r.DeletedAt.IsZero() {
			continue
		}
		overlap := func(end time.Time) int64 {
			from, to := later(r.StartsAt, q.start), earlier(earlier(r.endsAt(), q.end), end)
			return max(0, int64(to.Sub(from)/time.Second)) * int64(r.Count)
		}
		u := use{reservation: r, paid: overlap(c.now)}
		if u.paid == 0 {
			continue
		}
		u.used = scaled(overlap(counted), 600_000+draw(400_001, c.world.seed, "used", r.ID))
		u.uncovered = scaled(u.used, draw(600_000, c.world.seed, "uncovered", r.ID))
		all = append(all, u)
	}
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// percent is a part of a whole as Cost Explorer writes it, with decimals.
func percent(part, whole int64) string {
	if whole == 0 {
		return "0.0"
	}
	r := big.NewRat(part, whole)
	return r.Mul(r, big.NewRat(100, 1)).FloatString(6)
}

// scaled is n times a rate in millionths.
func scaled(n int64, rate uint64) int64 {
	x := new(big.Int).Mul(big.NewInt(n), new(big.Int).SetUint64(rate))
	return x.Quo(x, big.NewInt(1_000_000)).Int64()
}

// hoursText is seconds in hours, with decimals.
func hoursText(seconds int64) string { return exact(seconds / 36 * 10_000) }

func aggregates(name string, list []use) node {
	var paid, used int64
	for _, u := range list {
		paid, used = paid+u.paid, used+u.used
	}
	return group(name, leaf("UtilizationPercentage", percent(used, paid)), leaf("PurchasedHours", hoursText(paid)),
		leaf("TotalActualHours", hoursText(used)), leaf("UnusedHours", hoursText(paid-used)))
}

func (q useAsked) period() node {
	return group("TimePeriod", leaf("Start", q.start.Format(time.DateOnly)), leaf("End", q.end.Format(time.DateOnly)))
}

func unseen(use) (time.Time, int) { return time.Time{}, 0 }

func reservationUtilization(c *call) (node, *apiError) {
	q, err := c.useAsked(false)
	switch {
	case err != nil:
		return node{}, err
	case c.in["GroupBy.1.Type"] != "DIMENSION" || c.in["GroupBy.1.Key"] != "SUBSCRIPTION_ID" || c.in["GroupBy.2.Key"] != "":
		return node{}, fail("InvalidParameterValue", "The simulator groups by SUBSCRIPTION_ID only")
	}
	all := c.uses(q, meteredServices[q.service])
	page, next, err := paginate(c, all, unseen)
	if err != nil {
		return node{}, err
	}
	groups := list("Groups")
	for _, u := range page {
		number := strconv.FormatUint(draw(9_000_000_000, 0, "subscription", u.ID)+1_000_000_000, 10)
		attributes := group("Attributes", leaf("subscriptionId", number), leaf("accountId", u.Account), leaf("leaseId", u.ID),
			leaf("instanceType", u.Class), leaf("numberOfInstances", strconv.Itoa(u.Count)), leaf("region", u.Region)).maybe("reservationARN", u.arn())
		groups.kids = append(groups.kids, group("", leaf("Key", "SUBSCRIPTION_ID"), leaf("Value", number), attributes, aggregates("Utilization", []use{u})))
	}
	out := node{kids: []node{list("UtilizationsByTime", group("", q.period(), groups, aggregates("Total", all))), aggregates("Total", all)}}
	return out.maybe("NextPageToken", next), nil
}

func reservationCoverage(c *call) (node, *apiError) {
	q, err := c.useAsked(false)
	switch {
	case err != nil:
		return node{}, err
	case c.in["Granularity"] != "MONTHLY" || c.in["Metrics.1"] != "Hour" || c.in["Metrics.2"] != "":
		return node{}, fail("InvalidParameterValue", "The simulator tells coverage by Hour, MONTHLY only")
	}
	page, next, err := paginate(c, q.months(), func(useAsked) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	service := meteredServices[q.service]
	months := list("CoveragesByTime")
	for _, m := range page {
		months.kids = append(months.kids, group("", m.period(), list("Groups"), coverage("Total", c.uses(m, service))))
	}
	out := node{kids: []node{months, coverage("Total", c.uses(q, service))}}
	return out.maybe("NextPageToken", next), nil
}

func coverage(name string, list []use) node {
	var used, uncovered int64
	for _, u := range list {
		used, uncovered = used+u.used, uncovered+u.uncovered
	}
	return group(name, group("CoverageHours", leaf("OnDemandHours", hoursText(uncovered)), leaf("ReservedHours", hoursText(used)),
		leaf("TotalRunningHours", hoursText(used+uncovered)), leaf("CoverageHoursPercentage", percent(used, used+uncovered))))
}

// months are the parts of a period that are each of one calendar month.
func (q useAsked) months() (list []useAsked) {
	for at := q.start; at.Before(q.end); {
		m := q
		m.start, m.end = at, earlier(q.end, time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC))
		list, at = append(list, m), m.end
	}
	return list
}

func planUtilization(c *call) (node, *apiError) {
	q, err := c.useAsked(true)
	switch {
	case err != nil:
		return node{}, err
	case c.in["DataType.1"] != "UTILIZATION" || c.in["DataType.2"] != "":
		return node{}, fail("InvalidParameterValue", "The simulator tells UTILIZATION only")
	}
	all := c.uses(q, savingsPlans)
	page, next, err := paginate(c, all, unseen)
	if err != nil {
		return node{}, err
	}
	details := list("SavingsPlansUtilizationDetails")
	for _, u := range page {
		details.kids = append(details.kids, group("", leaf("SavingsPlanArn", u.arn()), spending([]use{u})))
	}
	out := node{kids: []node{details, group("Total", spending(all)), q.period()}}
	return out.maybe("NextToken", next), nil
}

// spending is what was used of the money that plans commit to.
func spending(list []use) node {
	var paid, used int64
	for _, u := range list {
		paid, used = paid+u.paid, used+u.used
	}
	return group("Utilization", leaf("TotalCommitment", spent(paid)), leaf("UsedCommitment", spent(used)), leaf("UnusedCommitment", spent(paid-used)),
		leaf("UtilizationPercentage", percent(used, paid)))
}

// spent is the amount of seconds of a plan, whose unit is a hundred-thousandth of a
// dollar per hour.
func spent(seconds int64) string { return exact(seconds / 360) }

func planCoverage(c *call) (node, *apiError) {
	q, err := c.useAsked(true)
	switch {
	case err != nil:
		return node{}, err
	case c.in["Granularity"] != "MONTHLY" || c.in["Metrics.1"] != "SpendCoveredBySavingsPlans" || c.in["Metrics.2"] != "":
		return node{}, fail("InvalidParameterValue", "The simulator tells SpendCoveredBySavingsPlans, MONTHLY only")
	}
	page, next, err := paginate(c, q.months(), func(useAsked) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	rows := list("SavingsPlansCoverages")
	for _, m := range page {
		var used, uncovered int64
		for _, u := range c.uses(m, savingsPlans) {
			used, uncovered = used+u.used, uncovered+u.uncovered
		}
		rows.kids = append(rows.kids, group("", group("Attributes"), group("Coverage", leaf("SpendCoveredBySavingsPlans", spent(used)),
			leaf("OnDemandCost", spent(uncovered)), leaf("TotalCost", spent(used+uncovered)), leaf("CoveragePercentage", percent(used, used+uncovered))), m.period()))
	}
	return node{kids: []node{rows}}.maybe("NextToken", next), nil
}

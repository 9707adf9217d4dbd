package sim

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// timestamp is the form of times in query services: UTC, milliseconds.
const timestamp = "2006-01-02T15:04:05.000Z"

func rdsOfferings(c *call) (node, *apiError) {
	keep, err := c.rdsFilter(strings.Contains)
	if err != nil {
		return node{}, err
	}
	id, byID := c.in["ReservedDBInstancesOfferingId"]
	var found []*offering
	for _, o := range c.catalog.byRegion[c.region] {
		if (!byID || o.id == id) && keep(o.class, o.product, o.payment, o.seconds, o.multiAZ) {
			found = append(found, o)
		}
	}
	if o := c.catalog.byID[id]; byID && (o == nil || o.region != c.region) {
		return node{}, fail("ReservedDBInstancesOfferingNotFound", "The specified offering is not found: %s", id)
	}
	page, marker, err := paginate(c, found, func(*offering) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	list := node{name: "ReservedDBInstancesOfferings"}
	for _, o := range page {
		fixed, hourly := c.world.quote(o)
		list.kids = append(list.kids, group("ReservedDBInstancesOffering",
			leaf("ReservedDBInstancesOfferingId", o.id),
			leaf("DBInstanceClass", o.class),
			leaf("Duration", strconv.FormatInt(o.seconds, 10)),
			leaf("FixedPrice", double(fixed)),
			leaf("UsagePrice", "0.0"),
			leaf("CurrencyCode", fixed.Currency()),
			leaf("ProductDescription", o.product),
			leaf("OfferingType", o.payment),
			leaf("MultiAZ", boolText(o.multiAZ)),
			recurring(hourly),
		))
	}
	out := node{}.maybe("Marker", marker)
	out.kids = append(out.kids, list)
	return out, nil
}

func rdsReservations(c *call) (node, *apiError) {
	keep, err := c.rdsFilter(func(a, b string) bool { return a == b })
	if err != nil {
		return node{}, err
	}
	at := c.asOf()
	list := node{name: "ReservedDBInstances"}
	if id, ok := c.in["ReservedDBInstanceId"]; ok {
		r := c.world.byKey[c.world.key(c.scope(), id)]
		if r == nil || r.VisibleAt.After(at) {
			return node{}, fail("ReservedDBInstanceNotFound", "The specified reserved DB Instance not found: %s", id)
		}
		if c.wants(r) && keep(r.Class, r.Product, r.Payment, r.Seconds, r.MultiAZ) {
			list.kids = append(list.kids, group("ReservedDBInstance", r.nodes(r.ID, at)...))
		}
		return node{kids: []node{list}}, nil
	}
	var found []*reservation
	for _, r := range c.world.byScope[c.scope()] {
		if c.wants(r) && keep(r.Class, r.Product, r.Payment, r.Seconds, r.MultiAZ) {
			found = append(found, r)
		}
	}
	page, marker, err := paginate(c, found, func(r *reservation) (time.Time, int) { return r.VisibleAt, r.seq })
	if err != nil {
		return node{}, err
	}
	for _, r := range page {
		list.kids = append(list.kids, group("ReservedDBInstance", r.nodes(r.ID, at)...))
	}
	out := node{}.maybe("Marker", marker)
	out.kids = append(out.kids, list)
	return out, nil
}

// wants applies the filters only reservations have.
func (c *call) wants(r *reservation) bool {
	offeringID, byOffering := c.in["ReservedDBInstancesOfferingId"]
	lease, byLease := c.in["LeaseId"]
	return (!byOffering || offeringID == r.OfferingID) && (!byLease || lease == r.LeaseID)
}

// rdsFilter reads the filters both listings share. An offering's product
// description matches a part of itself, a reservation's only the whole (RDS API
// reference, the two operations' ProductDescription).
func (c *call) rdsFilter(describes func(product, filter string) bool) (func(class, product, payment string, seconds int64, multiAZ bool) bool, *apiError) {
	var seconds int64
	duration, byDuration := c.in["Duration"]
	if byDuration {
		switch duration {
		case "1", "31536000":
			seconds = oneYear
		case "3", "94608000":
			seconds = threeYears
		default:
			return nil, fail("InvalidParameterValue", "Invalid Duration %q. Valid values: 1, 3, 31536000, 94608000", duration)
		}
	}
	payment, byPayment := c.in["OfferingType"]
	if byPayment && !slices.Contains([]string{allUpfront, partialUpfront, noUpfront}, payment) {
		return nil, fail("InvalidParameterValue", "Invalid OfferingType %q", payment)
	}
	zones, byZones := c.in["MultiAZ"]
	if byZones && zones != "true" && zones != "false" {
		return nil, fail("InvalidParameterValue", "Invalid MultiAZ %q", zones)
	}
	class, byClass := c.in["DBInstanceClass"]
	product, byProduct := c.in["ProductDescription"]
	return func(aClass, aProduct, aPayment string, aSeconds int64, aMultiAZ bool) bool {
		return (!byClass || class == aClass) &&
			(!byProduct || describes(aProduct, product)) &&
			(!byPayment || payment == aPayment) &&
			(!byDuration || seconds == aSeconds) &&
			(!byZones || zones == boolText(aMultiAZ))
	}, nil
}

// nodes is the ReservedDBInstance structure. Tags are not part of it.
func (r *reservation) nodes(id string, at time.Time) []node {
	return []node{
		leaf("ReservedDBInstanceId", id),
		leaf("ReservedDBInstancesOfferingId", r.OfferingID),
		leaf("DBInstanceClass", r.Class),
		leaf("StartTime", r.BoughtAt.Format(timestamp)),
		leaf("Duration", strconv.FormatInt(r.Seconds, 10)),
		leaf("FixedPrice", double(r.Fixed)),
		leaf("UsagePrice", "0.0"),
		leaf("CurrencyCode", r.Fixed.Currency()),
		leaf("DBInstanceCount", strconv.Itoa(r.Count)),
		leaf("ProductDescription", r.Product),
		leaf("OfferingType", r.Payment),
		leaf("MultiAZ", boolText(r.MultiAZ)),
		leaf("State", r.state(at)),
		recurring(r.Hourly),
		leaf("ReservedDBInstanceArn", r.arn()),
		leaf("LeaseId", r.LeaseID),
	}
}

// recurring is the list of recurring charges. All Upfront has one of 0.0.
func recurring(hourly money.Amount) node {
	return group("RecurringCharges", group("RecurringCharge",
		leaf("RecurringChargeAmount", double(hourly)),
		leaf("RecurringChargeFrequency", "Hourly"),
	))
}

// double is an amount as query services write a double: "123.0", "0.0825".
func double(a money.Amount) string {
	text := a.Canonical()
	if whole, ok := strings.CutSuffix(text, ".00"); ok {
		return whole + ".0"
	}
	if strings.Contains(text, ".") && len(text)-strings.IndexByte(text, '.') == 3 {
		return strings.TrimSuffix(text, "0")
	}
	return text
}

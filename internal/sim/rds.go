package sim

import (
	_ "embed"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

//go:embed rds_prices.csv
var rdsPrices string

// Reservations of Amazon RDS. Source of names, parameters, errors and states:
// RDS API reference 2014-10-31 and botocore 1.43.67, checked against the Go SDK
// (core v1.47.7, rds v1.132.1). The quota is L-78E853F4 of Service Quotas.
var rdsWords = &wording{
	offeringID: "ReservedDBInstancesOfferingId", id: "ReservedDBInstanceId", count: "DBInstanceCount",
	tags: "Tags.Tag", tagAction: "rds:AddTagsToResource",
	offerings: "ReservedDBInstancesOfferings", offering: "ReservedDBInstancesOffering",
	bought: "ReservedDBInstances", one: "ReservedDBInstance", nouns: "reserved DB instances",
	duration: "Duration", payment: "OfferingType",
	// An offering's product description matches a part of itself, a
	// reservation's only the whole (API reference, the two operations'
	// ProductDescription).
	filters: []filter{
		{member: "DBInstanceClass", attribute: "class"},
		{member: "ProductDescription", attribute: "product", partly: true},
		{member: "MultiAZ", attribute: "multi_az", boolean: true},
	},
	own: map[string]func(*reservation) string{
		"ReservedDBInstancesOfferingId": func(r *reservation) string { return r.OfferingID },
		"LeaseId":                       func(r *reservation) string { return r.Attributes["lease_id"] },
	},
	offeringNotFound: "ReservedDBInstancesOfferingNotFound", notFound: "ReservedDBInstanceNotFound",
	exists: "ReservedDBInstanceAlreadyExists", quota: "ReservedDBInstanceQuotaExceeded",
	invalid: "InvalidParameterValue",
	offers: func(o *offering, fixed, hourly money.Amount) []node {
		return []node{
			leaf("ReservedDBInstancesOfferingId", o.id),
			leaf("DBInstanceClass", o.Class),
			integer("Duration", o.Seconds),
			number("FixedPrice", double(fixed)),
			number("UsagePrice", "0.0"),
			leaf("CurrencyCode", fixed.Currency()),
			leaf("ProductDescription", o.Attributes["product"]),
			leaf("OfferingType", o.Payment),
			leaf("MultiAZ", o.Attributes["multi_az"]),
			recurring(hourly),
		}
	},
	// Tags are not part of the record.
	records: func(r *reservation, id string, at time.Time) []node {
		return []node{
			leaf("ReservedDBInstanceId", id),
			leaf("ReservedDBInstancesOfferingId", r.OfferingID),
			leaf("DBInstanceClass", r.Class),
			leaf("StartTime", r.BoughtAt.Format(timestamp)),
			integer("Duration", r.Seconds),
			number("FixedPrice", double(r.Fixed)),
			number("UsagePrice", "0.0"),
			leaf("CurrencyCode", r.Fixed.Currency()),
			integer("DBInstanceCount", r.Count),
			leaf("ProductDescription", r.Attributes["product"]),
			leaf("OfferingType", r.Payment),
			leaf("MultiAZ", r.Attributes["multi_az"]),
			leaf("State", r.state(at)),
			recurring(r.Hourly),
			leaf("ReservedDBInstanceArn", r.arn()),
			leaf("LeaseId", r.Attributes["lease_id"]),
		}
	},
}

func init() {
	filters := "this parameter isn't currently supported"
	unserved := map[string]string{"Filters.Filter.N.Name": filters, "Filters.Filter.N.Values.Value.N": filters}
	register(&service{
		name: "rds", version: "2014-10-31", xmlns: "http://rds.amazonaws.com/doc/2014-10-31/",
		regional: true, protocol: awsQuery,
		codes: map[string]string{"TagQuotaPerResourceExceeded": "InvalidParameterValue"}, // it declares no other
		operations: map[string]*operation{
			"DescribeReservedDBInstancesOfferings": {
				pages:    byMarker,
				members:  []string{"ReservedDBInstancesOfferingId", "DBInstanceClass", "Duration", "ProductDescription", "OfferingType", "MultiAZ", "MaxRecords", "Marker"},
				unserved: unserved,
				run:      rdsWords.offeringsOf,
			},
			"PurchaseReservedDBInstancesOffering": {
				spends:    true,
				members:   []string{"ReservedDBInstancesOfferingId", "ReservedDBInstanceId", "DBInstanceCount", "Tags.Tag.N.Key", "Tags.Tag.N.Value"},
				resources: rdsWords.ofPurchase,
				run:       rdsWords.buy,
			},
			"DescribeReservedDBInstances": {
				lists:     true,
				pages:     byMarker,
				members:   []string{"ReservedDBInstanceId", "ReservedDBInstancesOfferingId", "DBInstanceClass", "Duration", "ProductDescription", "OfferingType", "MultiAZ", "LeaseId", "MaxRecords", "Marker"},
				unserved:  unserved,
				resources: rdsWords.ofListing,
				run:       rdsWords.reservationsOf,
			},
		},
		sells: &seller{
			onDemand: rdsPrices,
			variants: func(_, _, product string) []variant {
				zones := []bool{false, true}
				if strings.HasPrefix(product, "aurora") {
					zones = zones[:1]
				}
				var list []variant
				for _, multiAZ := range zones {
					v := variant{
						attributes: map[string]string{"product": product, "multi_az": boolText(multiAZ)},
						key:        []string{boolText(multiAZ)}, plans: plans, times: 1,
					}
					if multiAZ {
						v.times = 2
					}
					list = append(list, v)
				}
				return list
			},
			ids: customerID, idsMax: customerIDMax,
			newID: timedID,
			arn: func(region, account, id string) string {
				return "arn:aws:rds:" + region + ":" + account + ":ri:" + id
			},
			quota: 40,
			adorn: func(w *world, r *reservation) {
				r.Attributes["lease_id"] = drawUUID(w.seed, "lease", r.arn())
			},
		},
	})
}

// timedID makes an id from the clock, such as ri-2026-11-23-12-00-00-577.
func timedID(c *call) string {
	base := "ri-" + strings.ReplaceAll(c.now.Format("2006-01-02-15-04-05.000"), ".", "-")
	id := base
	for n := 2; c.world.byKey[c.world.key(c.scope(), id)] != nil; n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	return id
}

package sim

import (
	_ "embed"
	"time"

	"bursar/internal/money"
)

//go:embed redshift_prices.csv
var redshiftPrices string

// Reserved nodes of Amazon Redshift. Source of names, parameters, errors and
// their status: Redshift API reference 2012-12-01 and botocore 1.43.67, checked
// against the Go SDK (redshift v1.62.10). Quota: Redshift management guide. A
// purchase has no identity: the service makes the id, there is no token, no tag
// and no resource type to name in a permission (Service Authorization Reference).
var redshiftWords = &wording{
	offeringID: "ReservedNodeOfferingId", count: "NodeCount",
	offerings: "ReservedNodeOfferings", offering: "ReservedNodeOffering",
	bought: "ReservedNodes", one: "ReservedNode", nouns: "reserved nodes",
	offeringNotFound: "ReservedNodeOfferingNotFound", notFound: "ReservedNodeNotFound",
	exists: "ReservedNodeAlreadyExists", quota: "ReservedNodeQuotaExceeded",
	invalid: "InvalidParameterValue",
	offers: func(o *offering, fixed, hourly money.Amount) []node {
		return []node{
			leaf("ReservedNodeOfferingId", o.id),
			leaf("NodeType", o.Class),
			integer("Duration", o.Seconds),
			number("FixedPrice", double(fixed)),
			number("UsagePrice", "0.0"),
			leaf("CurrencyCode", fixed.Currency()),
			leaf("OfferingType", o.Payment),
			recurring(hourly),
			leaf("ReservedNodeOfferingType", "Regular"),
		}
	},
	records: func(r *reservation, id string, at time.Time) []node {
		state := r.state(at)
		if state == statePending {
			state = r.Attributes["pending_word"]
		}
		return []node{
			leaf("ReservedNodeId", id),
			leaf("ReservedNodeOfferingId", r.OfferingID),
			leaf("NodeType", r.Class),
			leaf("StartTime", r.StartsAt.Format(timestamp)),
			integer("Duration", r.Seconds),
			number("FixedPrice", double(r.Fixed)),
			number("UsagePrice", "0.0"),
			leaf("CurrencyCode", r.Fixed.Currency()),
			integer("NodeCount", r.Count),
			leaf("State", state),
			leaf("OfferingType", r.Payment),
			recurring(r.Hourly),
			leaf("ReservedNodeOfferingType", "Regular"),
		}
	},
}

func init() {
	register(&service{
		name: "redshift", version: "2012-12-01", xmlns: "http://redshift.amazonaws.com/doc/2012-12-01/",
		regional: true, protocol: awsQuery,
		operations: map[string]*operation{
			"DescribeReservedNodeOfferings": {
				pages:   byMarker,
				members: []string{"ReservedNodeOfferingId", "MaxRecords", "Marker"},
				run:     redshiftWords.offeringsOf,
			},
			"PurchaseReservedNodeOffering": {
				spends:  true,
				members: []string{"ReservedNodeOfferingId", "NodeCount"},
				run:     redshiftWords.buy,
			},
			"DescribeReservedNodes": {
				lists:   true,
				pages:   byMarker,
				members: []string{"ReservedNodeId", "MaxRecords", "Marker"},
				run:     redshiftWords.reservationsOf,
			},
		},
		sells: &seller{
			onDemand: redshiftPrices,
			variants: func(string, string, string) []variant { return []variant{{plans: plans, times: 1}} },
			newID: func(c *call) string {
				return drawUUID(c.world.seed, "reserved node", c.requestID)
			},
			quota: 200,
			// The API reference spells the first state pending-payment, the
			// management guide payment-pending: a client must read both.
			adorn: func(w *world, r *reservation) {
				word := statePending
				if draw(2, w.seed, "pending word", r.ID) == 1 {
					word = "pending-payment"
				}
				r.Attributes = map[string]string{"pending_word": word}
			},
		},
	})
}

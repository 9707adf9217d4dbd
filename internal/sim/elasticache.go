package sim

import (
	_ "embed"
	"time"

	"bursar/internal/money"
)

//go:embed elasticache_prices.csv
var elasticachePrices string

// Reserved nodes of Amazon ElastiCache. Source of names, parameters, errors and
// their status: ElastiCache API reference 2015-02-02 and botocore 1.43.67, checked
// against the Go SDK (elasticache v1.64.4). The quota is L-DFE45DF3 of Service
// Quotas. Records have neither a currency nor tags.
var elasticacheWords = &wording{
	offeringID: "ReservedCacheNodesOfferingId", id: "ReservedCacheNodeId", count: "CacheNodeCount",
	tags: "Tags.Tag", tagAction: "elasticache:AddTagsToResource",
	offerings: "ReservedCacheNodesOfferings", offering: "ReservedCacheNodesOffering",
	bought: "ReservedCacheNodes", one: "ReservedCacheNode", nouns: "reserved cache nodes",
	duration: "Duration", payment: "OfferingType",
	filters: []filter{
		{member: "CacheNodeType", attribute: "class"},
		{member: "ProductDescription", attribute: "product"},
	},
	own: map[string]func(*reservation) string{
		"ReservedCacheNodesOfferingId": func(r *reservation) string { return r.OfferingID },
	},
	offeringNotFound: "ReservedCacheNodesOfferingNotFound", notFound: "ReservedCacheNodeNotFound",
	exists: "ReservedCacheNodeAlreadyExists", quota: "ReservedCacheNodeQuotaExceeded",
	invalid: "InvalidParameterValue",
	offers: func(o *offering, fixed, hourly money.Amount) []node {
		return []node{
			leaf("ReservedCacheNodesOfferingId", o.id),
			leaf("CacheNodeType", o.Class),
			integer("Duration", o.Seconds),
			number("FixedPrice", double(fixed)),
			number("UsagePrice", "0.0"),
			leaf("ProductDescription", o.Attributes["product"]),
			leaf("OfferingType", o.Payment),
			recurring(hourly),
		}
	},
	records: func(r *reservation, id string, at time.Time) []node {
		return []node{
			leaf("ReservedCacheNodeId", id),
			leaf("ReservedCacheNodesOfferingId", r.OfferingID),
			leaf("CacheNodeType", r.Class),
			leaf("StartTime", r.StartsAt.Format(timestamp)),
			integer("Duration", r.Seconds),
			number("FixedPrice", double(r.Fixed)),
			number("UsagePrice", "0.0"),
			integer("CacheNodeCount", r.Count),
			leaf("ProductDescription", r.Attributes["product"]),
			leaf("OfferingType", r.Payment),
			leaf("State", r.state(at)),
			recurring(r.Hourly),
			leaf("ReservationARN", r.arn()),
		}
	},
}

func init() {
	register(&service{
		name: "elasticache", version: "2015-02-02", xmlns: "http://elasticache.amazonaws.com/doc/2015-02-02/",
		regional: true, protocol: awsQuery,
		operations: map[string]*operation{
			"DescribeReservedCacheNodesOfferings": {
				pages:   byMarker,
				members: []string{"ReservedCacheNodesOfferingId", "CacheNodeType", "Duration", "ProductDescription", "OfferingType", "MaxRecords", "Marker"},
				run:     elasticacheWords.offeringsOf,
			},
			"PurchaseReservedCacheNodesOffering": {
				spends:    true,
				members:   []string{"ReservedCacheNodesOfferingId", "ReservedCacheNodeId", "CacheNodeCount", "Tags.Tag.N.Key", "Tags.Tag.N.Value"},
				resources: elasticacheWords.ofPurchase,
				run:       elasticacheWords.buy,
			},
			"DescribeReservedCacheNodes": {
				lists:     true,
				pages:     byMarker,
				members:   []string{"ReservedCacheNodeId", "ReservedCacheNodesOfferingId", "CacheNodeType", "Duration", "ProductDescription", "OfferingType", "MaxRecords", "Marker"},
				resources: elasticacheWords.ofListing,
				run:       elasticacheWords.reservationsOf,
			},
		},
		sells: &seller{
			onDemand: elasticachePrices,
			variants: func(_, _, product string) []variant {
				return []variant{{attributes: map[string]string{"product": product}, plans: plans, times: 1}}
			},
			ids: customerID, idsMax: customerIDMax,
			newID: timedID,
			// The resource type is reserved-instance although it is of nodes
			// (Service Authorization Reference).
			arn: func(region, account, id string) string {
				return "arn:aws:elasticache:" + region + ":" + account + ":reserved-instance:" + id
			},
			quota: 300,
		},
	})
}

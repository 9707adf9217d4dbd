package sim

import (
	_ "embed"
	"strconv"
	"time"

	"bursar/internal/money"
)

//go:embed memorydb_prices.csv
var memorydbPrices string

// Reserved nodes of Amazon MemoryDB. Source of names, parameters and errors:
// MemoryDB API reference 2021-01-01 and botocore 1.43.67, checked against the Go
// SDK (memorydb v1.36.2). Records have no usage price, currency or product. The
// quota is not published; the simulator takes that of ElastiCache. What the
// service does with the case of an id is not published either.
var memorydbWords = &wording{
	offeringID: "ReservedNodesOfferingId", id: "ReservationId", count: "NodeCount",
	tags: "Tags", tagAction: "memorydb:TagResource",
	offerings: "ReservedNodesOfferings", offering: "ReservedNodesOffering",
	bought: "ReservedNodes", one: "ReservedNode", nouns: "reserved nodes",
	duration: "Duration", payment: "OfferingType",
	filters: []filter{{member: "NodeType", attribute: "class"}},
	own: map[string]func(*reservation) string{
		"ReservedNodesOfferingId": func(r *reservation) string { return r.OfferingID },
	},
	offeringNotFound: "ReservedNodesOfferingNotFoundFault", notFound: "ReservedNodeNotFoundFault",
	exists: "ReservedNodeAlreadyExistsFault", quota: "ReservedNodeQuotaExceededFault",
	invalid: "InvalidParameterValueException",
	offers: func(o *offering, fixed, hourly money.Amount) []node {
		return []node{
			leaf("ReservedNodesOfferingId", o.id),
			leaf("NodeType", o.Class),
			integer("Duration", o.Seconds),
			number("FixedPrice", double(fixed)),
			leaf("OfferingType", o.Payment),
			recurring(hourly),
		}
	},
	records: func(r *reservation, id string, at time.Time) []node {
		return []node{
			leaf("ReservationId", id),
			leaf("ReservedNodesOfferingId", r.OfferingID),
			leaf("NodeType", r.Class),
			epoch("StartTime", r.StartsAt),
			integer("Duration", r.Seconds),
			number("FixedPrice", double(r.Fixed)),
			integer("NodeCount", r.Count),
			leaf("OfferingType", r.Payment),
			leaf("State", r.state(at)),
			recurring(r.Hourly),
			leaf("ARN", r.arn()),
		}
	},
}

func init() {
	// The model states no bounds of a page; these are those of its siblings.
	pages := &pager{token: "NextToken", size: "MaxResults", low: 20, high: 100, invalid: "InvalidParameterValueException"}
	register(&service{
		name: "memorydb", targets: []string{"AmazonMemoryDB"}, regional: true, protocol: awsJSON,
		codes: jsonCodes(map[string]string{
			"InvalidParameterCombination": "InvalidParameterCombinationException",
			"InvalidParameterValue":       "InvalidParameterValueException",
			"MissingParameter":            "InvalidParameterValueException",
		}),
		operations: map[string]*operation{
			"DescribeReservedNodesOfferings": {
				pages:   pages,
				members: []string{"ReservedNodesOfferingId", "NodeType", "Duration", "OfferingType", "MaxResults", "NextToken"},
				numbers: []string{"MaxResults"},
				run:     memorydbWords.offeringsOf,
			},
			"PurchaseReservedNodesOffering": {
				spends:    true,
				members:   []string{"ReservedNodesOfferingId", "ReservationId", "NodeCount", "Tags.N.Key", "Tags.N.Value"},
				numbers:   []string{"NodeCount"},
				resources: memorydbWords.ofPurchase,
				run:       memorydbWords.buy,
			},
			"DescribeReservedNodes": {
				lists:     true,
				pages:     pages,
				members:   []string{"ReservationId", "ReservedNodesOfferingId", "NodeType", "Duration", "OfferingType", "MaxResults", "NextToken"},
				numbers:   []string{"MaxResults"},
				resources: memorydbWords.ofListing,
				run:       memorydbWords.reservationsOf,
			},
		},
		sells: &seller{
			onDemand: memorydbPrices,
			variants: func(string, string, string) []variant { return []variant{{plans: plans, times: 1}} },
			ids:      customerID, idsMax: customerIDMax,
			newID: timedID,
			arn: func(region, account, id string) string {
				return "arn:aws:memorydb:" + region + ":" + account + ":reservednode/" + id
			},
			quota: 300,
		},
	})
}

// epoch is a time as JSON services write it: seconds, with milliseconds.
func epoch(name string, t time.Time) node {
	return number(name, strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64))
}

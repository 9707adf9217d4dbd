package sim

import (
	_ "embed"
	"net/http"
	"regexp"
	"strings"
	"time"

	"bursar/internal/money"
)

//go:embed opensearch_prices.csv
var openSearchPrices string

// Reserved Instances of Amazon OpenSearch Service, by its API of 2021 and by that
// of Elasticsearch of 2015 over the same records. Source of names, parameters,
// errors and their status: botocore 1.43.67, checked against the Go SDK (opensearch
// v1.70.2). Both are signed as es. The service makes the id; the buyer gives a
// name, which no listing can be filtered by. There are no tags (developer guide)
// and no resource type to name in a permission (Service Authorization Reference).
// The quota is not published, nor whether names are unique.
func openSearchWords(instance, instanceType, count, suffix string) *wording {
	class := func(text string) string { return strings.TrimSuffix(text, ".search") + suffix }
	return &wording{
		offeringID: instance + "OfferingId", name: "ReservationName", count: "InstanceCount", ids: guidForm,
		offerings: instance + "Offerings", offering: instance + "Offering",
		bought: instance + "s", one: instance, nouns: "reserved instances",
		offeringNotFound: "ResourceNotFoundException", notFound: "ResourceNotFoundException",
		exists: "ResourceAlreadyExistsException", quota: "LimitExceededException", invalid: "ValidationException",
		offers: func(o *offering, fixed, hourly money.Amount) []node {
			return []node{
				leaf(instance+"OfferingId", o.id),
				leaf(instanceType, class(o.Class)),
				integer("Duration", o.Seconds),
				number("FixedPrice", double(fixed)),
				number("UsagePrice", "0.0"),
				leaf("CurrencyCode", fixed.Currency()),
				leaf("PaymentOption", enumOf(o.Payment)),
				recurring(hourly),
			}
		},
		records: func(r *reservation, id string, at time.Time) []node {
			return []node{
				leaf("ReservationName", r.Name),
				leaf(instance+"Id", id),
				integer("BillingSubscriptionId", int64(draw(1_000_000_000, 0, "subscription", id))),
				leaf(instance+"OfferingId", r.OfferingID),
				leaf(instanceType, class(r.Class)),
				epoch("StartTime", r.StartsAt),
				integer("Duration", r.Seconds),
				number("FixedPrice", double(r.Fixed)),
				number("UsagePrice", "0.0"),
				leaf("CurrencyCode", r.Fixed.Currency()),
				integer(count, r.Count),
				leaf("State", r.state(at)),
				leaf("PaymentOption", enumOf(r.Payment)),
				recurring(r.Hourly),
			}
		},
		answer: func(r *reservation) []node {
			return []node{leaf(instance+"Id", r.ID), leaf("ReservationName", r.Name)}
		},
	}
}

var guidForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

func init() {
	operations := map[string]*operation{}
	pages := &pager{token: "NextToken", size: "MaxResults", low: 1, high: 100, invalid: "ValidationException"}
	for base, v := range map[string]*wording{
		"/2021-01-01/opensearch": openSearchWords("ReservedInstance", "InstanceType", "InstanceCount", ".search"),
		"/2015-01-01/es":         openSearchWords("ReservedElasticsearchInstance", "ElasticsearchInstanceType", "ElasticsearchInstanceCount", ".elasticsearch"),
	} {
		query := func(filter, member string) map[string]string {
			return map[string]string{filter: member, "maxResults": "MaxResults", "nextToken": "NextToken"}
		}
		operations["Describe"+v.offerings] = &operation{
			route:   route{http.MethodGet, base + "/reservedInstanceOfferings", query("offeringId", v.offeringID)},
			pages:   pages,
			members: []string{v.offeringID, "MaxResults", "NextToken"},
			run:     v.offeringsOf,
		}
		operations["Purchase"+v.offering] = &operation{
			route:   route{http.MethodPost, base + "/purchaseReservedInstanceOffering", nil},
			spends:  true,
			members: []string{v.offeringID, "ReservationName", "InstanceCount"},
			numbers: []string{"InstanceCount"},
			run:     v.buy,
		}
		operations["Describe"+v.bought] = &operation{
			route:   route{http.MethodGet, base + "/reservedInstances", query("reservationId", v.one+"Id")},
			lists:   true,
			pages:   pages,
			members: []string{v.one + "Id", "MaxResults", "NextToken"},
			run:     v.reservationsOf,
		}
	}
	register(&service{
		name: "es", regional: true, protocol: restJSON, operations: operations,
		codes: jsonCodes(map[string]string{
			"InternalFailure":             "InternalException",
			"InvalidParameterCombination": "ValidationException",
			"InvalidParameterValue":       "ValidationException",
			"MissingParameter":            "ValidationException",
		}),
		statuses: map[string]int{"ResourceNotFoundException": 409, "AccessDeniedException": 403, "ThrottlingException": 429},
		// The model says opensearch, and the calls go to es.
		sources: []string{"es", "opensearch"},
		sells: &seller{
			onDemand: openSearchPrices,
			variants: func(string, string, string) []variant { return []variant{{plans: plans, times: 1}} },
			newID: func(c *call) string {
				return drawUUID(c.world.seed, "reserved instance", c.requestID)
			},
			named: true,
			quota: 100,
		},
	})
}

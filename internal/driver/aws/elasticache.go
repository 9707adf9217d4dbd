package aws

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// elastiCacheProduct: as RDS in all but its words. A reservation is called
// reserved-instance in its ARN (Service Authorization Reference).
var elastiCacheProduct = product{
	service: ElastiCache,
	class:   cloud.ClassName,
	title:   "ElastiCache",
	noun:    "reserved cache node",
	attributes: []driver.Attribute{
		{Key: "engine", Example: "valkey"},
		{Key: "node_type", Example: "cache.r7g.large"},
	},
	guarantee: "ElastiCache refuses a second reservation under an id that exists in the account and region, " +
		"and every try of a line uses the same id.",
	grant: grant{
		reads:  []string{"elasticache:DescribeReservedCacheNodesOfferings", "elasticache:DescribeReservedCacheNodes"},
		spends: []string{"elasticache:PurchaseReservedCacheNodesOffering", "elasticache:AddTagsToResource"},
	},
	form: queryForm,
	arn:  [2]string{"elasticache", "reserved-instance:"},
	states: map[string]cloud.CommitmentState{
		"payment-pending": cloud.Pending,
		"active":          cloud.Active,
		"payment-failed":  cloud.Failed,
		"retired":         cloud.Retired,
	},
	opOfferings: "DescribeReservedCacheNodesOfferings", noOffering: "ReservedCacheNodesOfferingNotFound",
	opReserved: "DescribeReservedCacheNodes", noReservation: "ReservedCacheNodeNotFound",
	opBuy: "PurchaseReservedCacheNodesOffering",
}

type elastiCacheAPI struct{ *core }

func (a elastiCacheAPI) client(creds aws.Credentials) *elasticache.Client {
	return elasticache.New(elasticache.Options{
		Region:                     string(a.Region),
		BaseEndpoint:               a.baseEndpoint(),
		Credentials:                frozen(creds),
		HTTPClient:                 a.core.client,
		HTTPSignerV4:               a.signer(),
		DisableClockSkewCorrection: true,
		AppID:                      appID,
	})
}

func (a elastiCacheAPI) offerings(ctx context.Context, creds aws.Credentials, q driver.Query, marker *string) (page, error) {
	out, err := a.client(creds).DescribeReservedCacheNodesOfferings(ctx, &elasticache.DescribeReservedCacheNodesOfferingsInput{
		ReservedCacheNodesOfferingId: optional(q.ID),
		ProductDescription:           optional(q.Attributes["engine"]),
		CacheNodeType:                optional(q.Attributes["node_type"]),
		Duration:                     durationOf(q.Term),
		OfferingType:                 optional(payments[q.Payment]),
		Marker:                       marker,
	})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedCacheNodesOfferings != nil, next: out.Marker, meta: out.ResultMetadata}
	for _, o := range out.ReservedCacheNodesOfferings {
		p.items = append(p.items, item{
			id:         aws.ToString(o.ReservedCacheNodesOfferingId),
			attributes: cloud.Attributes{"engine": aws.ToString(o.ProductDescription), "node_type": aws.ToString(o.CacheNodeType)},
			seconds:    int64(aws.ToInt32(o.Duration)),
			payment:    aws.ToString(o.OfferingType),
			fixed:      o.FixedPrice, usage: o.UsagePrice, recurring: elastiCacheCharges(o.RecurringCharges),
			currency: a.currency(),
		})
	}
	return p, nil
}

func (a elastiCacheAPI) reservations(ctx context.Context, creds aws.Credentials, id string, marker *string) (page, error) {
	out, err := a.client(creds).DescribeReservedCacheNodes(ctx, &elasticache.DescribeReservedCacheNodesInput{
		ReservedCacheNodeId: optional(id), Marker: marker,
	})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedCacheNodes != nil, next: out.Marker, meta: out.ResultMetadata}
	for _, n := range out.ReservedCacheNodes {
		p.items = append(p.items, a.item(n))
	}
	return p, nil
}

func (a elastiCacheAPI) buy(ctx context.Context, client *http.Client, creds aws.Credentials, r driver.Request) (*item, error) {
	in := &elasticache.PurchaseReservedCacheNodesOfferingInput{
		ReservedCacheNodesOfferingId: aws.String(r.Offering.ID),
		ReservedCacheNodeId:          aws.String(r.Identity),
		CacheNodeCount:               aws.Int32(int32(r.Quantity)),
	}
	for _, key := range sortedKeys(r.Tags) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.Tags[key])})
	}
	out, err := a.client(creds).PurchaseReservedCacheNodesOffering(ctx, in, func(o *elasticache.Options) {
		o.HTTPClient, o.Retryer = client, aws.NopRetryer{}
	})
	if err != nil || out.ReservedCacheNode == nil {
		return nil, err
	}
	bought := a.item(*out.ReservedCacheNode)
	return &bought, nil
}

func (a elastiCacheAPI) item(n types.ReservedCacheNode) item {
	return item{
		id:         aws.ToString(n.ReservedCacheNodeId),
		offering:   aws.ToString(n.ReservedCacheNodesOfferingId),
		arn:        aws.ToString(n.ReservationARN),
		state:      aws.ToString(n.State),
		attributes: cloud.Attributes{"engine": aws.ToString(n.ProductDescription), "node_type": aws.ToString(n.CacheNodeType)},
		seconds:    int64(aws.ToInt32(n.Duration)),
		payment:    aws.ToString(n.OfferingType),
		fixed:      n.FixedPrice, usage: n.UsagePrice, recurring: elastiCacheCharges(n.RecurringCharges),
		currency: a.currency(),
		count:    int64(aws.ToInt32(n.CacheNodeCount)),
		start:    aws.ToTime(n.StartTime),
	}
}

func elastiCacheCharges(list []types.RecurringCharge) []charge {
	var all []charge
	for _, c := range list {
		all = append(all, charge{c.RecurringChargeAmount, aws.ToString(c.RecurringChargeFrequency)})
	}
	return all
}

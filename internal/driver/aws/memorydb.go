package aws

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/memorydb"
	"github.com/aws/aws-sdk-go-v2/service/memorydb/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// memoryDBProduct: JSON on the wire, so codes are the names of shapes, "Fault"
// included. The engine and a price by usage do not occur in it.
var memoryDBProduct = product{
	service:    MemoryDB,
	class:      cloud.ClassName,
	title:      "MemoryDB",
	noun:       "reserved node",
	attributes: []driver.Attribute{{Key: "node_type", Example: "db.r7g.large"}},
	guarantee: "MemoryDB refuses a second reservation under an id that exists in the account and region, " +
		"and every try of a line uses the same id.",
	grant: grant{
		reads:  []string{"memorydb:DescribeReservedNodesOfferings", "memorydb:DescribeReservedNodes"},
		spends: []string{"memorydb:PurchaseReservedNodesOffering", "memorydb:TagResource"},
	},
	form: jsonForm,
	arn:  [2]string{"memorydb", "reservednode/"},
	states: map[string]cloud.CommitmentState{
		"payment-pending": cloud.Pending,
		"active":          cloud.Active,
		"payment-failed":  cloud.Failed,
		"retired":         cloud.Retired,
	},
	opOfferings: "DescribeReservedNodesOfferings", noOffering: "ReservedNodesOfferingNotFoundFault",
	opReserved: "DescribeReservedNodes", noReservation: "ReservedNodeNotFoundFault",
	opBuy: "PurchaseReservedNodesOffering",
}

type memoryDBAPI struct{ *core }

func (a memoryDBAPI) client(creds aws.Credentials) *memorydb.Client {
	return memorydb.New(memorydb.Options{
		Region:                     string(a.Region),
		BaseEndpoint:               a.baseEndpoint(),
		Credentials:                frozen(creds),
		HTTPClient:                 a.core.client,
		HTTPSignerV4:               a.signer(),
		DisableClockSkewCorrection: true,
		AppID:                      appID,
	})
}

func (a memoryDBAPI) offerings(ctx context.Context, creds aws.Credentials, q driver.Query, marker *string) (page, error) {
	out, err := a.client(creds).DescribeReservedNodesOfferings(ctx, &memorydb.DescribeReservedNodesOfferingsInput{
		ReservedNodesOfferingId: optional(q.ID),
		NodeType:                optional(q.Attributes["node_type"]),
		Duration:                durationOf(q.Term),
		OfferingType:            optional(payments[q.Payment]),
		NextToken:               marker,
	})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedNodesOfferings != nil, next: out.NextToken, meta: out.ResultMetadata}
	for _, o := range out.ReservedNodesOfferings {
		p.items = append(p.items, item{
			id:         aws.ToString(o.ReservedNodesOfferingId),
			attributes: cloud.Attributes{"node_type": aws.ToString(o.NodeType)},
			seconds:    int64(o.Duration),
			payment:    aws.ToString(o.OfferingType),
			fixed:      &o.FixedPrice, usage: new(float64), recurring: memoryDBCharges(o.RecurringCharges),
			currency: a.currency(),
		})
	}
	return p, nil
}

func (a memoryDBAPI) reservations(ctx context.Context, creds aws.Credentials, id string, marker *string) (page, error) {
	out, err := a.client(creds).DescribeReservedNodes(ctx, &memorydb.DescribeReservedNodesInput{
		ReservationId: optional(id), NextToken: marker,
	})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedNodes != nil, next: out.NextToken, meta: out.ResultMetadata}
	for _, n := range out.ReservedNodes {
		p.items = append(p.items, a.item(n))
	}
	return p, nil
}

func (a memoryDBAPI) buy(ctx context.Context, client *http.Client, creds aws.Credentials, r driver.Request) (*item, error) {
	in := &memorydb.PurchaseReservedNodesOfferingInput{
		ReservedNodesOfferingId: aws.String(r.Offering.ID),
		ReservationId:           aws.String(r.Identity),
		NodeCount:               aws.Int32(int32(r.Quantity)),
	}
	for _, key := range sortedKeys(r.Tags) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.Tags[key])})
	}
	out, err := a.client(creds).PurchaseReservedNodesOffering(ctx, in, func(o *memorydb.Options) {
		o.HTTPClient, o.Retryer = client, aws.NopRetryer{}
	})
	if err != nil || out.ReservedNode == nil {
		return nil, err
	}
	bought := a.item(*out.ReservedNode)
	return &bought, nil
}

func (a memoryDBAPI) item(n types.ReservedNode) item {
	return item{
		id:         aws.ToString(n.ReservationId),
		offering:   aws.ToString(n.ReservedNodesOfferingId),
		arn:        aws.ToString(n.ARN),
		state:      aws.ToString(n.State),
		attributes: cloud.Attributes{"node_type": aws.ToString(n.NodeType)},
		seconds:    int64(n.Duration),
		payment:    aws.ToString(n.OfferingType),
		fixed:      &n.FixedPrice, usage: new(float64), recurring: memoryDBCharges(n.RecurringCharges),
		currency: a.currency(),
		count:    int64(n.NodeCount),
		start:    aws.ToTime(n.StartTime),
	}
}

func memoryDBCharges(list []types.RecurringCharge) []charge {
	var all []charge
	for _, c := range list {
		all = append(all, charge{&c.RecurringChargeAmount, aws.ToString(c.RecurringChargeFrequency)})
	}
	return all
}

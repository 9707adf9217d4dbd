package aws

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/opensearch"
	"github.com/aws/aws-sdk-go-v2/service/opensearch/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// openSearchProduct: a reservation has a name of ours beside the id that AWS makes.
// AWS asks for a unique name and declares an error for one that exists, but does
// not document that a used name is refused: unless that is known, a name only
// tells in the inventory what is ours. A listing cannot be filtered by it and
// reservations carry no tags (service model, developer guide). The answer to a
// purchase names id and name and nothing else. The actions of IAM are those of es
// (Service Authorization Reference), and the audit log may have either source.
func openSearchProduct(unique bool) product {
	p := product{
		service:    OpenSearch,
		class:      cloud.ClassNone,
		title:      "OpenSearch",
		noun:       "reserved instance",
		labeled:    true,
		attributes: []driver.Attribute{{Key: "instance_type", Example: "r6g.large.search"}},
		guarantee: "OpenSearch does not say whether it refuses a second reservation under a used name. One purchase at a time is open in the " +
			"account and region, and one in doubt is not asked again before the inventory, which shows its name, or the audit log has told what it did.",
		grant: grant{
			reads:  []string{"es:DescribeReservedInstanceOfferings", "es:DescribeReservedInstances", lookupEvents},
			spends: []string{"es:PurchaseReservedInstanceOffering"},
		},
		form:    jsonForm,
		sources: []string{"es.amazonaws.com", "opensearch.amazonaws.com"}, bought: "reservedInstanceId",
		states: map[string]cloud.CommitmentState{
			"payment-pending": cloud.Pending,
			"active":          cloud.Active,
			"payment-failed":  cloud.Failed,
			"retired":         cloud.Retired,
		},
		opOfferings: "DescribeReservedInstanceOfferings", noOffering: "ResourceNotFoundException",
		opReserved: "DescribeReservedInstances", noReservation: "ResourceNotFoundException",
		opBuy: "PurchaseReservedInstanceOffering",
	}
	if unique {
		p.class = cloud.ClassName
		p.guarantee = "OpenSearch refuses a second reservation under a name that exists in the account and region, as the configuration says, " +
			"and every try of a line uses the same name."
	}
	return p
}

type openSearchAPI struct{ *core }

// client leaves the correction of clock skew on, which this version of the SDK
// cannot turn off; the signer takes no notice of it.
func (a openSearchAPI) client(creds aws.Credentials) *opensearch.Client {
	return opensearch.New(opensearch.Options{
		Region:       string(a.Region),
		BaseEndpoint: a.baseEndpoint(),
		Credentials:  frozen(creds),
		HTTPClient:   a.core.client,
		HTTPSignerV4: a.signer(),
		AppID:        appID,
	})
}

func (a openSearchAPI) offerings(ctx context.Context, creds aws.Credentials, q driver.Query, marker *string) (page, error) {
	out, err := a.client(creds).DescribeReservedInstanceOfferings(ctx, &opensearch.DescribeReservedInstanceOfferingsInput{
		ReservedInstanceOfferingId: optional(q.ID), NextToken: marker,
	})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedInstanceOfferings != nil, next: out.NextToken, meta: out.ResultMetadata}
	for _, o := range out.ReservedInstanceOfferings {
		p.items = append(p.items, item{
			id:         aws.ToString(o.ReservedInstanceOfferingId),
			attributes: cloud.Attributes{"instance_type": string(o.InstanceType)},
			seconds:    int64(o.Duration),
			payment:    string(o.PaymentOption),
			fixed:      o.FixedPrice, usage: o.UsagePrice, recurring: openSearchCharges(o.RecurringCharges),
			currency: aws.ToString(o.CurrencyCode),
		})
	}
	return p, nil
}

func (a openSearchAPI) reservations(ctx context.Context, creds aws.Credentials, id string, marker *string) (page, error) {
	out, err := a.client(creds).DescribeReservedInstances(ctx, &opensearch.DescribeReservedInstancesInput{
		ReservedInstanceId: optional(id), NextToken: marker,
	})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedInstances != nil, next: out.NextToken, meta: out.ResultMetadata}
	for _, n := range out.ReservedInstances {
		p.items = append(p.items, item{
			id:         aws.ToString(n.ReservedInstanceId),
			name:       aws.ToString(n.ReservationName),
			offering:   aws.ToString(n.ReservedInstanceOfferingId),
			state:      aws.ToString(n.State),
			attributes: cloud.Attributes{"instance_type": string(n.InstanceType)},
			seconds:    int64(n.Duration),
			payment:    string(n.PaymentOption),
			fixed:      n.FixedPrice, usage: n.UsagePrice, recurring: openSearchCharges(n.RecurringCharges),
			currency: aws.ToString(n.CurrencyCode),
			count:    int64(n.InstanceCount),
			start:    aws.ToTime(n.StartTime),
		})
	}
	return p, nil
}

func (a openSearchAPI) buy(ctx context.Context, client *http.Client, creds aws.Credentials, r driver.Request) (*item, error) {
	out, err := a.client(creds).PurchaseReservedInstanceOffering(ctx, &opensearch.PurchaseReservedInstanceOfferingInput{
		ReservedInstanceOfferingId: aws.String(r.Offering.ID),
		ReservationName:            aws.String(r.Identity),
		InstanceCount:              aws.Int32(int32(r.Quantity)),
	}, func(o *opensearch.Options) {
		o.HTTPClient, o.Retryer = client, aws.NopRetryer{}
	})
	if err != nil || aws.ToString(out.ReservedInstanceId) == "" {
		return nil, err
	}
	return &item{id: *out.ReservedInstanceId, name: aws.ToString(out.ReservationName)}, nil
}

func openSearchCharges(list []types.RecurringCharge) []charge {
	var all []charge
	for _, c := range list {
		all = append(all, charge{c.RecurringChargeAmount, aws.ToString(c.RecurringChargeFrequency)})
	}
	return all
}

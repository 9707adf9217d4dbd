package aws

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshift"
	"github.com/aws/aws-sdk-go-v2/service/redshift/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// redshiftProduct: the purchase has an offering and a count and nothing else, so
// there is no identity, and a reservation can carry no tags (service model,
// Service Authorization Reference). The offering cannot be filtered either.
// ReservedNodeAlreadyExists is declared, but no two purchases can be equal; it is
// not in the table of verdicts.
var redshiftProduct = product{
	service: Redshift,
	class:   cloud.ClassNone,
	title:   "Redshift",
	noun:    "reserved node",
	attributes: []driver.Attribute{
		{Key: "node_type", Example: "ra3.xlplus"},
		{Key: "offering_type", Example: "Regular", Values: []string{"Regular", "Upgradable"}},
	},
	guarantee: "Redshift promises nothing: it buys again whenever it is asked again. One purchase at a time is open in the " +
		"account and region, and one in doubt is not asked again before the inventory or the audit log has told what it did.",
	grant: grant{
		reads:  []string{"redshift:DescribeReservedNodeOfferings", "redshift:DescribeReservedNodes", lookupEvents},
		spends: []string{"redshift:PurchaseReservedNodeOffering"},
	},
	form:    queryForm,
	sources: []string{"redshift.amazonaws.com"}, bought: "reservedNodeId",
	states: map[string]cloud.CommitmentState{
		"payment-pending": cloud.Pending, // Management Guide
		"pending-payment": cloud.Pending, // API Reference
		"active":          cloud.Active,
		"payment-failed":  cloud.Failed,
		"retired":         cloud.Retired,
		"exchanging":      cloud.Active,
	},
	opOfferings: "DescribeReservedNodeOfferings", noOffering: "ReservedNodeOfferingNotFound",
	opReserved: "DescribeReservedNodes", noReservation: "ReservedNodeNotFound",
	opBuy: "PurchaseReservedNodeOffering",
}

type redshiftAPI struct{ *core }

// client leaves the correction of clock skew on, which this version of the SDK
// cannot turn off; the signer takes no notice of it.
func (a redshiftAPI) client(creds aws.Credentials) *redshift.Client {
	return redshift.New(redshift.Options{
		Region:       string(a.Region),
		BaseEndpoint: a.baseEndpoint(),
		Credentials:  frozen(creds),
		HTTPClient:   a.core.client,
		HTTPSignerV4: a.signer(),
		AppID:        appID,
	})
}

func (a redshiftAPI) offerings(ctx context.Context, creds aws.Credentials, q driver.Query, marker *string) (page, error) {
	out, err := a.client(creds).DescribeReservedNodeOfferings(ctx, &redshift.DescribeReservedNodeOfferingsInput{
		ReservedNodeOfferingId: optional(q.ID), Marker: marker,
	})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedNodeOfferings != nil, next: out.Marker, meta: out.ResultMetadata}
	for _, o := range out.ReservedNodeOfferings {
		p.items = append(p.items, item{
			id:         aws.ToString(o.ReservedNodeOfferingId),
			attributes: redshiftAttributes(o.NodeType, o.ReservedNodeOfferingType),
			seconds:    int64(aws.ToInt32(o.Duration)),
			payment:    aws.ToString(o.OfferingType),
			fixed:      o.FixedPrice, usage: o.UsagePrice, recurring: redshiftCharges(o.RecurringCharges),
			currency: aws.ToString(o.CurrencyCode),
		})
	}
	return p, nil
}

func (a redshiftAPI) reservations(ctx context.Context, creds aws.Credentials, id string, marker *string) (page, error) {
	out, err := a.client(creds).DescribeReservedNodes(ctx, &redshift.DescribeReservedNodesInput{
		ReservedNodeId: optional(id), Marker: marker,
	})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedNodes != nil, next: out.Marker, meta: out.ResultMetadata}
	for _, n := range out.ReservedNodes {
		p.items = append(p.items, redshiftItem(n))
	}
	return p, nil
}

func (a redshiftAPI) buy(ctx context.Context, client *http.Client, creds aws.Credentials, r driver.Request) (*item, error) {
	out, err := a.client(creds).PurchaseReservedNodeOffering(ctx, &redshift.PurchaseReservedNodeOfferingInput{
		ReservedNodeOfferingId: aws.String(r.Offering.ID),
		NodeCount:              aws.Int32(int32(r.Quantity)),
	}, func(o *redshift.Options) {
		o.HTTPClient, o.Retryer = client, aws.NopRetryer{}
	})
	if err != nil || out.ReservedNode == nil {
		return nil, err
	}
	bought := redshiftItem(*out.ReservedNode)
	return &bought, nil
}

func redshiftItem(n types.ReservedNode) item {
	return item{
		id:         aws.ToString(n.ReservedNodeId),
		offering:   aws.ToString(n.ReservedNodeOfferingId),
		state:      aws.ToString(n.State),
		attributes: redshiftAttributes(n.NodeType, n.ReservedNodeOfferingType),
		seconds:    int64(aws.ToInt32(n.Duration)),
		payment:    aws.ToString(n.OfferingType),
		fixed:      n.FixedPrice, usage: n.UsagePrice, recurring: redshiftCharges(n.RecurringCharges),
		currency: aws.ToString(n.CurrencyCode),
		count:    int64(aws.ToInt32(n.NodeCount)),
		start:    aws.ToTime(n.StartTime),
	}
}

// redshiftAttributes takes an offering type that is not said for the regular one:
// the member is younger than the API.
func redshiftAttributes(nodeType *string, offeringType types.ReservedNodeOfferingType) cloud.Attributes {
	if offeringType == "" {
		offeringType = types.ReservedNodeOfferingTypeRegular
	}
	return cloud.Attributes{"node_type": aws.ToString(nodeType), "offering_type": string(offeringType)}
}

func redshiftCharges(list []types.RecurringCharge) []charge {
	var all []charge
	for _, c := range list {
		all = append(all, charge{c.RecurringChargeAmount, aws.ToString(c.RecurringChargeFrequency)})
	}
	return all
}

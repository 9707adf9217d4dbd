package aws

import (
	"context"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// rdsProduct: a reservation under a taken id is refused (service model). States
// are those of the RDS User Guide, "Working with reserved DB instances".
var rdsProduct = product{
	service: RDS,
	class:   cloud.ClassName,
	title:   "RDS",
	noun:    "reserved DB instance",
	attributes: []driver.Attribute{
		{Key: "engine", Example: "postgresql"},
		{Key: "class", Example: "db.r6g.large"},
		{Key: "multi_az", Example: "false", Values: []string{"true", "false"}},
	},
	guarantee: "RDS refuses a second reservation under an id that exists in the account and region, " +
		"and every try of a line uses the same id.",
	grant: grant{
		reads: []string{"rds:DescribeReservedDBInstancesOfferings", "rds:DescribeReservedDBInstances"},
		// AddTagsToResource is what the purchase needs to carry tags.
		spends: []string{"rds:PurchaseReservedDBInstancesOffering", "rds:AddTagsToResource"},
	},
	form: queryForm,
	arn:  [2]string{"rds", "ri:"},
	states: map[string]cloud.CommitmentState{
		"payment-pending": cloud.Pending,
		"active":          cloud.Active,
		"payment-failed":  cloud.Failed,
		"retired":         cloud.Retired,
	},
	opOfferings: "DescribeReservedDBInstancesOfferings", noOffering: "ReservedDBInstancesOfferingNotFound",
	opReserved: "DescribeReservedDBInstances", noReservation: "ReservedDBInstanceNotFound",
	opBuy: "PurchaseReservedDBInstancesOffering",
}

type rdsAPI struct{ *core }

func (a rdsAPI) client(creds aws.Credentials) *rds.Client {
	return rds.New(rds.Options{
		Region:                     string(a.Region),
		BaseEndpoint:               a.baseEndpoint(),
		Credentials:                frozen(creds),
		HTTPClient:                 a.core.client,
		HTTPSignerV4:               a.signer(),
		DisableClockSkewCorrection: true,
		AppID:                      appID,
	})
}

func (a rdsAPI) offerings(ctx context.Context, creds aws.Credentials, q driver.Query, marker *string) (page, error) {
	in := &rds.DescribeReservedDBInstancesOfferingsInput{
		ReservedDBInstancesOfferingId: optional(q.ID),
		ProductDescription:            optional(q.Attributes["engine"]),
		DBInstanceClass:               optional(q.Attributes["class"]),
		Duration:                      durationOf(q.Term),
		OfferingType:                  optional(payments[q.Payment]),
		Marker:                        marker,
	}
	if zones, asked := q.Attributes["multi_az"]; asked {
		in.MultiAZ = aws.Bool(zones == "true")
	}
	out, err := a.client(creds).DescribeReservedDBInstancesOfferings(ctx, in)
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedDBInstancesOfferings != nil, next: out.Marker, meta: out.ResultMetadata}
	for _, o := range out.ReservedDBInstancesOfferings {
		p.items = append(p.items, item{
			id:         aws.ToString(o.ReservedDBInstancesOfferingId),
			attributes: rdsAttributes(o.ProductDescription, o.DBInstanceClass, o.MultiAZ),
			seconds:    int64(aws.ToInt32(o.Duration)),
			payment:    aws.ToString(o.OfferingType),
			fixed:      o.FixedPrice, usage: o.UsagePrice, recurring: rdsCharges(o.RecurringCharges),
			currency: aws.ToString(o.CurrencyCode),
		})
	}
	return p, nil
}

func (a rdsAPI) reservations(ctx context.Context, creds aws.Credentials, id string, marker *string) (page, error) {
	out, err := a.client(creds).DescribeReservedDBInstances(ctx, &rds.DescribeReservedDBInstancesInput{
		ReservedDBInstanceId: optional(id), Marker: marker,
	})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedDBInstances != nil, next: out.Marker, meta: out.ResultMetadata}
	for _, i := range out.ReservedDBInstances {
		p.items = append(p.items, rdsItem(i))
	}
	return p, nil
}

func (a rdsAPI) buy(ctx context.Context, client *http.Client, creds aws.Credentials, r driver.Request) (*item, error) {
	in := &rds.PurchaseReservedDBInstancesOfferingInput{
		ReservedDBInstancesOfferingId: aws.String(r.Offering.ID),
		ReservedDBInstanceId:          aws.String(r.Identity),
		DBInstanceCount:               aws.Int32(int32(r.Quantity)),
	}
	for _, key := range sortedKeys(r.Tags) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.Tags[key])})
	}
	out, err := a.client(creds).PurchaseReservedDBInstancesOffering(ctx, in, func(o *rds.Options) {
		o.HTTPClient, o.Retryer = client, aws.NopRetryer{}
	})
	if err != nil || out.ReservedDBInstance == nil {
		return nil, err
	}
	bought := rdsItem(*out.ReservedDBInstance)
	return &bought, nil
}

func rdsItem(i types.ReservedDBInstance) item {
	return item{
		id:         aws.ToString(i.ReservedDBInstanceId),
		offering:   aws.ToString(i.ReservedDBInstancesOfferingId),
		arn:        aws.ToString(i.ReservedDBInstanceArn),
		lease:      aws.ToString(i.LeaseId),
		state:      aws.ToString(i.State),
		attributes: rdsAttributes(i.ProductDescription, i.DBInstanceClass, i.MultiAZ),
		seconds:    int64(aws.ToInt32(i.Duration)),
		payment:    aws.ToString(i.OfferingType),
		fixed:      i.FixedPrice, usage: i.UsagePrice, recurring: rdsCharges(i.RecurringCharges),
		currency: aws.ToString(i.CurrencyCode),
		count:    int64(aws.ToInt32(i.DBInstanceCount)),
		start:    aws.ToTime(i.StartTime),
	}
}

func rdsAttributes(engine, class *string, multiAZ *bool) cloud.Attributes {
	a := cloud.Attributes{"engine": aws.ToString(engine), "class": aws.ToString(class)}
	if multiAZ != nil {
		a["multi_az"] = strconv.FormatBool(*multiAZ)
	}
	return a
}

func rdsCharges(list []types.RecurringCharge) []charge {
	var all []charge
	for _, c := range list {
		all = append(all, charge{c.RecurringChargeAmount, aws.ToString(c.RecurringChargeFrequency)})
	}
	return all
}

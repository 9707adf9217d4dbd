package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// Reserved instances of EC2 are two services, because what stops a second
// purchase depends on the scope: those of a region can be queued and deleted,
// those of a zone cannot (EC2 User Guide). Each is a lane of its own.
//
// A purchase answers with an id and nothing else, takes no tags, and a
// reservation does not say of which offering it is.

// ec2Shared is what both have.
var ec2Shared = product{
	noun: "reserved instance",
	attributes: []driver.Attribute{
		{Key: "instance_type", Example: "m7g.large"},
		{Key: "platform", Example: "Linux/UNIX"},
		{Key: "tenancy", Example: "default", Values: []string{"default", "dedicated"}},
		{Key: "offering_class", Example: "standard", Values: []string{"standard", "convertible"}},
	},
	form:      ec2Form,
	unoffered: true,
	monthly:   true,
	states: map[string]cloud.CommitmentState{
		"payment-pending": cloud.Pending,
		"active":          cloud.Active,
		"payment-failed":  cloud.Failed,
		"retired":         cloud.Retired,
		"queued":          cloud.Queued,
		"queued-deleted":  cloud.Deleted,
	},
	opOfferings: "DescribeReservedInstancesOfferings", noOffering: "InvalidReservedInstancesOfferingId",
	opReserved: "DescribeReservedInstances", noReservation: "InvalidReservedInstancesId",
	opBuy: "PurchaseReservedInstancesOffering",
}

var ec2Product = func() product {
	p := ec2Shared
	p.service, p.class, p.title = EC2, cloud.ClassQueued, "EC2"
	p.guarantee = "EC2 promises nothing about a purchase that is asked for twice, but lets it be ordered for a later second " +
		"and deleted free of charge until then: what exists for the second of a line is listed, and all but one order is deleted."
	p.grant = grant{
		reads:    []string{"ec2:DescribeReservedInstancesOfferings", "ec2:DescribeReservedInstances"},
		spends:   []string{"ec2:PurchaseReservedInstancesOffering"},
		releases: []string{"ec2:DeleteQueuedReservedInstances"},
		tags:     []string{"ec2:CreateTags"},
	}
	return p
}()

var ec2ZonalProduct = func() product {
	p := ec2Shared
	p.service, p.class, p.title = EC2Zonal, cloud.ClassNone, "EC2 (zonal)"
	p.sources, p.bought = []string{"ec2.amazonaws.com"}, "reservedInstancesId"
	p.attributes = append([]driver.Attribute{{Key: "zone", Example: "eu-west-1a"}}, p.attributes...)
	p.guarantee = "EC2 promises nothing about reserved instances of a zone: it buys again whenever it is asked again. One purchase at a " +
		"time is open in the account and region, and one in doubt is not asked again before the inventory or the audit log has told what it did."
	p.grant = grant{
		reads:  []string{"ec2:DescribeReservedInstancesOfferings", "ec2:DescribeReservedInstances", lookupEvents},
		spends: []string{"ec2:PurchaseReservedInstancesOffering"},
		tags:   []string{"ec2:CreateTags"},
	}
	return p
}()

// ec2Regional is EC2 with orders that can be deleted.
type ec2Regional struct{ *reserved }

var _ driver.Releaser = ec2Regional{}

const opRelease = "DeleteQueuedReservedInstances"

// Release deletes an order that has not fired. One that is not queued any more is
// an error.
func (d ec2Regional) Release(ctx context.Context, r driver.Request, order cloud.Commitment) error {
	return d.release(ctx, r, order, opRelease, func(ctx context.Context, creds aws.Credentials) error {
		out, err := ec2API{d.core, types.ScopeRegional}.client(creds).DeleteQueuedReservedInstances(ctx,
			&ec2.DeleteQueuedReservedInstancesInput{ReservedInstancesIds: []string{order.ID}})
		if err != nil {
			return readError(opRelease, err, creds)
		}
		for _, f := range out.FailedQueuedPurchaseDeletions {
			if aws.ToString(f.ReservedInstancesId) == order.ID && f.Error != nil {
				return &driver.Error{Operation: opRelease, Code: string(f.Error.Code), Status: http.StatusOK,
					Err: quiet(errors.New(aws.ToString(f.Error.Message)), creds)}
			}
		}
		for _, s := range out.SuccessfulQueuedPurchaseDeletions {
			if aws.ToString(s.ReservedInstancesId) == order.ID {
				return nil
			}
		}
		return &driver.Error{Operation: opRelease, Err: fmt.Errorf("the answer says nothing of order %s", order.ID)}
	})
}

// ec2API reads and buys reserved instances of one scope.
type ec2API struct {
	*core
	scope types.Scope
}

func (a ec2API) client(creds aws.Credentials) *ec2.Client {
	return ec2.New(ec2.Options{
		Region:                     string(a.Region),
		BaseEndpoint:               a.baseEndpoint(),
		Credentials:                frozen(creds),
		HTTPClient:                 a.core.client,
		HTTPSignerV4:               a.signer(),
		DisableClockSkewCorrection: true,
		AppID:                      appID,
	})
}

// offerings leaves out the marketplace, where other customers sell: its offerings
// cannot be queued, and there may be fewer than are asked for.
func (a ec2API) offerings(ctx context.Context, creds aws.Credentials, q driver.Query, marker *string) (page, error) {
	in := &ec2.DescribeReservedInstancesOfferingsInput{
		AvailabilityZone:   optional(q.Attributes["zone"]),
		InstanceType:       types.InstanceType(q.Attributes["instance_type"]),
		ProductDescription: types.RIProductDescription(q.Attributes["platform"]),
		InstanceTenancy:    types.Tenancy(q.Attributes["tenancy"]),
		OfferingClass:      types.OfferingClassType(q.Attributes["offering_class"]),
		OfferingType:       types.OfferingTypeValues(payments[q.Payment]),
		IncludeMarketplace: aws.Bool(false),
		Filters:            []types.Filter{{Name: aws.String("scope"), Values: []string{string(a.scope)}}},
		NextToken:          marker,
	}
	if q.ID != "" {
		in.ReservedInstancesOfferingIds = []string{q.ID}
	}
	if q.Term != 0 {
		in.MinDuration = aws.Int64(int64(q.Term) * secondsAYear / 12)
		in.MaxDuration = in.MinDuration
	}
	out, err := a.client(creds).DescribeReservedInstancesOfferings(ctx, in)
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedInstancesOfferings != nil, next: out.NextToken, meta: out.ResultMetadata}
	for _, o := range out.ReservedInstancesOfferings {
		i := item{
			id:         aws.ToString(o.ReservedInstancesOfferingId),
			foreign:    o.Scope != a.scope || aws.ToBool(o.Marketplace),
			attributes: a.attributes(o.AvailabilityZone, o.InstanceType, o.ProductDescription, o.InstanceTenancy, o.OfferingClass),
			seconds:    aws.ToInt64(o.Duration),
			payment:    string(o.OfferingType),
			recurring:  ec2Charges(o.RecurringCharges),
			currency:   string(o.CurrencyCode),
		}
		if i.fixed, i.usage, err = ec2Prices(o.FixedPrice, o.UsagePrice); err != nil {
			return page{}, fmt.Errorf("offering %s: %w", i.id, err)
		}
		p.items = append(p.items, i)
	}
	return p, nil
}

// reservations are all on one page.
func (a ec2API) reservations(ctx context.Context, creds aws.Credentials, id string, _ *string) (page, error) {
	in := &ec2.DescribeReservedInstancesInput{}
	if id != "" {
		in.ReservedInstancesIds = []string{id}
	}
	out, err := a.client(creds).DescribeReservedInstances(ctx, in)
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservedInstances != nil, meta: out.ResultMetadata}
	for _, n := range out.ReservedInstances {
		i := item{
			id:         aws.ToString(n.ReservedInstancesId),
			foreign:    n.Scope != a.scope,
			state:      string(n.State),
			attributes: a.attributes(n.AvailabilityZone, n.InstanceType, n.ProductDescription, n.InstanceTenancy, n.OfferingClass),
			seconds:    aws.ToInt64(n.Duration),
			payment:    string(n.OfferingType),
			recurring:  ec2Charges(n.RecurringCharges),
			currency:   string(n.CurrencyCode),
			count:      int64(aws.ToInt32(n.InstanceCount)),
			start:      aws.ToTime(n.Start),
		}
		// A payment that failed may show as retired (EC2 User Guide), and so does
		// what was modified or exchanged: before its term is over the word does not
		// say what became of it.
		if i.state == "retired" && a.now().Before(i.start.Add(time.Duration(i.seconds)*time.Second)) {
			i.state = ""
		}
		// Which lane it is in must be known of every one of them.
		if n.Scope != types.ScopeRegional && n.Scope != types.ScopeAvailabilityZone {
			return page{}, fmt.Errorf("reservation %s has the scope %q", i.id, n.Scope)
		}
		if i.fixed, i.usage, err = ec2Prices(n.FixedPrice, n.UsagePrice); err != nil {
			return page{}, fmt.Errorf("reservation %s: %w", i.id, err)
		}
		p.items = append(p.items, i)
	}
	return p, nil
}

func (a ec2API) buy(ctx context.Context, client *http.Client, creds aws.Credentials, r driver.Request) (*item, error) {
	in := &ec2.PurchaseReservedInstancesOfferingInput{
		ReservedInstancesOfferingId: aws.String(r.Offering.ID),
		InstanceCount:               aws.Int32(int32(r.Quantity)),
	}
	if !r.FireAt.IsZero() {
		in.PurchaseTime = aws.Time(r.FireAt.UTC())
	}
	out, err := a.client(creds).PurchaseReservedInstancesOffering(ctx, in, func(o *ec2.Options) {
		o.HTTPClient, o.Retryer = client, aws.NopRetryer{}
	})
	if err != nil || aws.ToString(out.ReservedInstancesId) == "" {
		return nil, err
	}
	return &item{id: *out.ReservedInstancesId}, nil
}

// askToBuy asks whether a purchase is permitted. DryRun makes it a question, and
// the offering does not exist.
func (a ec2API) askToBuy(ctx context.Context, client *http.Client, creds aws.Credentials) error {
	_, err := a.client(creds).PurchaseReservedInstancesOffering(ctx, &ec2.PurchaseReservedInstancesOfferingInput{
		DryRun: aws.Bool(true), ReservedInstancesOfferingId: aws.String(noOffering), InstanceCount: aws.Int32(1),
	}, func(o *ec2.Options) {
		o.HTTPClient, o.Retryer = client, aws.NopRetryer{}
	})
	return err
}

// askToRelease asks whether the deletion of an order is permitted.
func (a ec2API) askToRelease(ctx context.Context, creds aws.Credentials) error {
	_, err := a.client(creds).DeleteQueuedReservedInstances(ctx, &ec2.DeleteQueuedReservedInstancesInput{
		DryRun: aws.Bool(true), ReservedInstancesIds: []string{noOffering},
	})
	return err
}

func (a ec2API) attributes(zone *string, instance types.InstanceType, platform types.RIProductDescription,
	tenancy types.Tenancy, class types.OfferingClassType) cloud.Attributes {
	all := cloud.Attributes{
		"instance_type": string(instance), "platform": string(platform), "tenancy": string(tenancy), "offering_class": string(class),
	}
	if a.scope == types.ScopeAvailabilityZone {
		all["zone"] = aws.ToString(zone)
	}
	return all
}

// ec2Prices takes prices that the SDK has made float32 of. The shortest decimal
// that parses to the same float32 is the text of AWS if that had at most 6
// digits, or was whole and below 2^24; upfront prices of EC2 are whole. What
// cannot be told apart any more is refused.
func ec2Prices(fixed, usage *float32) (f, u *float64, err error) {
	var out [2]*float64
	for i, p := range []*float32{fixed, usage} {
		if p == nil {
			continue
		}
		if !(*p < 1<<24) || *p >= 1<<17 && *p != float32(int32(*p)) {
			return nil, nil, errors.New("a price has more digits than the SDK keeps")
		}
		v, err := strconv.ParseFloat(strconv.FormatFloat(float64(*p), 'f', -1, 32), 64)
		if err != nil {
			return nil, nil, err
		}
		out[i] = &v
	}
	return out[0], out[1], nil
}

func ec2Charges(list []types.RecurringCharge) []charge {
	var all []charge
	for _, c := range list {
		all = append(all, charge{c.Amount, string(c.Frequency)})
	}
	return all
}

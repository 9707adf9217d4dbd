package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/savingsplans"
	"github.com/aws/aws-sdk-go-v2/service/savingsplans/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
)

// A Savings Plan is a commitment to an amount of money per hour, with at most five
// decimals (API reference, CreateSavingsPlan): its quantity counts planUnit. It has
// no price beyond that amount, so prices here are computed and exact.
//
// The answer to a purchase names an id and nothing else, the client token is shown
// nowhere, and the listing cannot be filtered by tag; but tags are set together with
// the plan and listed with it. The identity is both token and tag.
const (
	planUnit        = "0.00001" // USD or another currency, per hour
	planDecimals    = 5
	leastCommitment = 100             // 0.001 per hour
	mostCommitment  = 100_000_000_000 // 1,000,000 per hour

	identityTag = "bursar:identity"

	planType     = "plan_type"
	planFamily   = "family"     // of type EC2Instance only
	planRegion   = "ec2_region" // of type EC2Instance only
	opDeletePlan = "DeleteQueuedSavingsPlan"
	noPlan       = "ResourceNotFoundException"
)

var savingsPlansProduct = product{
	service: SavingsPlans,
	class:   cloud.ClassToken,
	title:   "Savings Plans",
	noun:    "Savings Plan",
	attributes: []driver.Attribute{
		{Key: planType, Example: "Compute", Values: []string{"Compute", "EC2Instance", "SageMaker", "Database"}},
		{Key: planFamily, Example: "m7g", Optional: true},
		{Key: planRegion, Example: "eu-west-1", Optional: true},
	},
	guarantee: "Savings Plans answers a request that comes again with the same client token with the plan that it has bought already; " +
		"how long it remembers a token is not published, so one is used again within minutes only. The plan carries the name of its line " +
		"as a tag from its first second on.",
	grant: grant{
		reads:  []string{"savingsplans:DescribeSavingsPlansOfferings", "savingsplans:DescribeSavingsPlans"},
		spends: []string{"savingsplans:CreateSavingsPlan", "savingsplans:TagResource"},

		releases: []string{"savingsplans:" + opDeletePlan},
		returns:  []string{"savingsplans:" + opReturnPlan},
	},
	form:   jsonForm,
	tagged: true,
	arn:    [2]string{"savingsplans", "savingsplan/"},
	most:   mostCommitment,
	unsold: noPlan,
	measured: func(r *driver.Request) {
		r.Offering.Unit, r.Quantity = money.MustParse(planUnit, "USD"), leastCommitment
	},
	allows: allowsPlan,
	states: map[string]cloud.CommitmentState{
		"queued":          cloud.Queued,
		"queued-deleted":  cloud.Deleted,
		"payment-pending": cloud.Pending,
		"payment-failed":  cloud.Failed,
		"active":          cloud.Active,
		"retired":         cloud.Retired,
		"pending-return":  cloud.Returning,
		"returned":        cloud.Returned,
	},
	opOfferings: "DescribeSavingsPlansOfferings", opReserved: "DescribeSavingsPlans", opBuy: "CreateSavingsPlan",
}

var queuedPlansProduct = func() product {
	p := savingsPlansProduct
	p.class = cloud.ClassQueued
	p.guarantee = "Savings Plans lets a plan be ordered for a later second and deleted free of charge until then: " +
		"what exists for the second of a line is listed, and all but one order is deleted."
	return p
}()

// savingsPlans sells plans that start at once, or at a second until which they can
// be deleted. What was ordered in the other way stays in reach of both.
type savingsPlans struct{ *reserved }

var (
	_ driver.Limiter  = savingsPlans{}
	_ driver.Releaser = savingsPlans{}
)

// Allows refuses an amount that AWS does not take as a commitment.
func (d savingsPlans) Allows(o cloud.Offering, quantity int64) error { return allowsPlan(o, quantity) }

// allowsPlan: half of a plan that is Partial Upfront is paid upfront, and that has to
// be a whole number.
func allowsPlan(o cloud.Offering, quantity int64) error {
	if quantity < leastCommitment || quantity > mostCommitment {
		return fmt.Errorf("a commitment of %s: want 0.001 to 1000000 %s/h", o.Measure(quantity), o.Unit.Currency())
	}
	if o.Payment != cloud.PartialUpfront {
		return nil
	}
	_, err := upfrontOf(o, quantity)
	return err
}

// upfrontOf is what is paid upfront of a plan that is Partial Upfront, a whole number.
func upfrontOf(o cloud.Offering, quantity int64) (string, error) {
	upfront, err := o.Upfront.Mul(quantity)
	if err != nil {
		return "", err
	}
	whole, isWhole := strings.CutSuffix(upfront.Canonical(), ".00")
	if !isWhole {
		return "", fmt.Errorf("half of a commitment of %s over %s is %s, and AWS takes whole amounts upfront: "+
			"change the commitment (a multiple of 0.05 per hour always works) or the payment", o.Measure(quantity), o.Term, upfront)
	}
	return whole, nil
}

// Release deletes an order that has not fired. One that is not queued any more is
// an error.
func (d savingsPlans) Release(ctx context.Context, r driver.Request, order cloud.Commitment) error {
	return d.release(ctx, r, order, opDeletePlan, func(ctx context.Context, creds aws.Credentials) error {
		_, err := savingsPlansAPI{d.core}.client(creds).DeleteQueuedSavingsPlan(ctx,
			&savingsplans.DeleteQueuedSavingsPlanInput{SavingsPlanId: aws.String(order.ID)})
		if err != nil {
			return readError(opDeletePlan, err, creds)
		}
		return nil
	})
}

type savingsPlansAPI struct{ *core }

// askToReturn asks to give back a plan that does not exist.
func (a savingsPlansAPI) askToReturn(ctx context.Context, creds aws.Credentials) error {
	_, err := a.client(creds).ReturnSavingsPlan(ctx, &savingsplans.ReturnSavingsPlanInput{SavingsPlanId: aws.String(noOffering)})
	return err
}

// askToRelease asks for the deletion of an order that does not exist.
func (a savingsPlansAPI) askToRelease(ctx context.Context, creds aws.Credentials) error {
	_, err := a.client(creds).DeleteQueuedSavingsPlan(ctx, &savingsplans.DeleteQueuedSavingsPlanInput{SavingsPlanId: aws.String(noOffering)})
	return err
}

// client leaves the correction of clock skew on, which this version of the SDK
// cannot turn off; the signer takes no notice of it.
func (a savingsPlansAPI) client(creds aws.Credentials) *savingsplans.Client {
	return savingsplans.New(savingsplans.Options{
		Region:       a.home(),
		BaseEndpoint: a.baseEndpoint(),
		Credentials:  frozen(creds),
		HTTPClient:   a.core.client,
		HTTPSignerV4: a.signer(),
		AppID:        appID,
	})
}

// offerings are those in the currency of the account: AWS lists others beside them.
func (a savingsPlansAPI) offerings(ctx context.Context, creds aws.Credentials, q driver.Query, marker *string) (page, error) {
	in := &savingsplans.DescribeSavingsPlansOfferingsInput{
		Currencies: []types.CurrencyCode{types.CurrencyCode(a.currency())}, MaxResults: 1000, NextToken: marker,
	}
	if q.ID != "" {
		in.OfferingIds = []string{q.ID}
	}
	if t := q.Attributes[planType]; t != "" {
		in.PlanTypes = []types.SavingsPlanType{types.SavingsPlanType(t)}
	}
	if q.Payment != "" {
		in.PaymentOptions = []types.SavingsPlanPaymentOption{types.SavingsPlanPaymentOption(payments[q.Payment])}
	}
	if q.Term != 0 {
		in.Durations = []int64{int64(q.Term) * secondsAYear / 12}
	}
	for key, name := range map[string]types.SavingsPlanOfferingFilterAttribute{
		planFamily: types.SavingsPlanOfferingFilterAttributeInstanceFamily, planRegion: types.SavingsPlanOfferingFilterAttributeRegion,
	} {
		if value := q.Attributes[key]; value != "" {
			in.Filters = append(in.Filters, types.SavingsPlanOfferingFilterElement{Name: name, Values: []string{value}})
		}
	}
	out, err := a.client(creds).DescribeSavingsPlansOfferings(ctx, in)
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.SearchResults != nil, next: out.NextToken, meta: out.ResultMetadata}
	for _, o := range out.SearchResults {
		i := item{
			id: aws.ToString(o.OfferingId), foreign: string(o.Currency) != a.currency(),
			seconds: o.DurationSeconds, payment: string(o.PaymentOption),
		}
		if i.unit, err = money.Parse(planUnit, string(o.Currency)); err != nil {
			return page{}, fmt.Errorf("offering %s: %w", i.id, err)
		}
		var family, region string
		for _, property := range o.Properties {
			switch property.Name {
			case types.SavingsPlanOfferingPropertyKeyInstanceFamily:
				family = aws.ToString(property.Value)
			case types.SavingsPlanOfferingPropertyKeyRegion:
				region = aws.ToString(property.Value)
			}
		}
		if i.attributes, err = planAttributes(string(o.PlanType), family, region); err == nil {
			err = i.pricePlan(cloud.Term(termOf(i.seconds)))
		}
		if err != nil {
			return page{}, fmt.Errorf("offering %s: %w", i.id, err)
		}
		p.items = append(p.items, i)
	}
	return p, nil
}

// planAttributes: a family and a region are of the type EC2Instance only, and it has
// both.
func planAttributes(of, family, region string) (cloud.Attributes, error) {
	all := cloud.Attributes{planType: of}
	if of != string(types.SavingsPlanTypeEc2Instance) {
		return all, nil
	}
	if family == "" || region == "" {
		return nil, errors.New("its instance family or region is missing")
	}
	all[planFamily], all[planRegion] = family, region
	return all, nil
}

// pricePlan sets the exact prices of one unit. Of Partial Upfront half is paid
// upfront.
func (i *item) pricePlan(term cloud.Term) (err error) {
	i.upfront, i.hourly = money.Zero(i.unit.Currency()), money.Zero(i.unit.Currency())
	switch i.payment {
	case payments[cloud.NoUpfront]:
		i.hourly = i.unit
		return nil
	case payments[cloud.AllUpfront]:
		i.upfront, err = i.unit.Mul(term.Hours())
		return err
	}
	whole, err := i.unit.Mul(term.Hours())
	if err != nil {
		return err
	}
	if i.upfront, err = whole.Div(2, planDecimals+1); err != nil {
		return err
	}
	i.hourly, err = i.unit.Div(2, planDecimals+1)
	return err
}

var commitmentForm = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,5}0*)?$`)

// reservations are all plans of the account: no filter knows a tag.
func (a savingsPlansAPI) reservations(ctx context.Context, creds aws.Credentials, _ string, marker *string) (page, error) {
	out, err := a.client(creds).DescribeSavingsPlans(ctx, &savingsplans.DescribeSavingsPlansInput{
		MaxResults: aws.Int32(1000), NextToken: marker,
	})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.SavingsPlans != nil, next: out.NextToken, meta: out.ResultMetadata}
	for _, plan := range out.SavingsPlans {
		i, err := planItem(plan)
		if err != nil {
			return page{}, fmt.Errorf("plan %s: %w", aws.ToString(plan.SavingsPlanId), err)
		}
		p.items = append(p.items, i)
	}
	return p, nil
}

func planItem(plan types.SavingsPlan) (item, error) {
	i := item{
		id: aws.ToString(plan.SavingsPlanId), offering: aws.ToString(plan.OfferingId), arn: aws.ToString(plan.SavingsPlanArn),
		state: string(plan.State), seconds: plan.TermDurationInSeconds, payment: string(plan.PaymentOption),
		name: plan.Tags[identityTag],
	}
	var err error
	if i.unit, err = money.Parse(planUnit, string(plan.Currency)); err != nil {
		return i, err
	}
	commitment := aws.ToString(plan.Commitment)
	if !commitmentForm.MatchString(commitment) {
		return i, fmt.Errorf("its commitment %q is not an amount with at most five decimals", commitment)
	}
	perHour, err := money.Parse(commitment, string(plan.Currency))
	if err != nil {
		return i, err
	}
	if i.count, err = (cloud.Offering{Unit: i.unit}).Count(perHour); err != nil {
		return i, err
	}
	if i.attributes, err = planAttributes(string(plan.SavingsPlanType), aws.ToString(plan.Ec2InstanceFamily), aws.ToString(plan.Region)); err != nil {
		return i, err
	}
	if i.start, err = time.Parse(time.RFC3339, aws.ToString(plan.Start)); err != nil {
		return i, fmt.Errorf("its start %q is not a time", aws.ToString(plan.Start))
	}
	if err = i.pricePlan(termOf(i.seconds)); err != nil || i.payment != payments[cloud.PartialUpfront] || i.count == 0 {
		return i, err
	}
	// Others may have paid more than half upfront. What one unit of that costs need
	// not be a short decimal.
	paid, err := money.Parse(aws.ToString(plan.UpfrontPaymentAmount), string(plan.Currency))
	if err != nil {
		return i, fmt.Errorf("its upfront payment: %w", err)
	}
	half, err := i.upfront.Mul(i.count)
	if err != nil || paid.Equal(half) {
		return i, err
	}
	hours := termOf(i.seconds).Hours()
	whole, err := perHour.Mul(hours)
	if err != nil {
		return i, err
	}
	rest, err := whole.Sub(paid)
	if err != nil {
		return i, err
	}
	if i.upfront, err = paid.Div(i.count, 9); err != nil {
		return i, err
	}
	if rest, err = rest.Div(max(hours, 1), 9); err != nil {
		return i, err
	}
	i.hourly, err = rest.Div(i.count, 9)
	return i, err
}

func (a savingsPlansAPI) buy(ctx context.Context, client *http.Client, creds aws.Credentials, r driver.Request) (*item, error) {
	perHour, err := r.Offering.Unit.Mul(r.Quantity)
	if err != nil {
		return nil, err
	}
	in := &savingsplans.CreateSavingsPlanInput{
		SavingsPlanOfferingId: aws.String(r.Offering.ID),
		Commitment:            aws.String(perHour.Canonical()),
		ClientToken:           aws.String(r.Identity),
		Tags:                  map[string]string{},
	}
	maps.Copy(in.Tags, r.Tags)
	in.Tags[identityTag] = r.Identity
	if r.Offering.Payment == cloud.PartialUpfront {
		upfront, err := upfrontOf(r.Offering, r.Quantity)
		if err != nil {
			return nil, err
		}
		in.UpfrontPaymentAmount = &upfront
	}
	if !r.FireAt.IsZero() {
		// Each attempt is an order for a second of its own: the token of the line would
		// answer with the order of an earlier one.
		in.PurchaseTime, in.ClientToken = aws.Time(r.FireAt.UTC()), aws.String(r.Attempt)
	}
	out, err := a.client(creds).CreateSavingsPlan(ctx, in, func(o *savingsplans.Options) {
		o.HTTPClient, o.Retryer = client, aws.NopRetryer{}
	})
	if err != nil || aws.ToString(out.SavingsPlanId) == "" {
		return nil, err
	}
	return &item{id: *out.SavingsPlanId, start: answerTimeOf(out.ResultMetadata)}, nil
}

package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/smithy-go/middleware"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// errNoList: the SDK decodes an empty body to an empty answer without an error.
// AWS writes the list element also when the list is empty, so an answer without
// one lists nothing and proves no absence.
var errNoList = errors.New("the answer holds no list")

// payments are the payments RDS sells, in its words.
var payments = map[cloud.Payment]*string{
	cloud.AllUpfront:     aws.String("All Upfront"),
	cloud.PartialUpfront: aws.String("Partial Upfront"),
	cloud.NoUpfront:      aws.String("No Upfront"),
}

// states are the states of a reserved DB instance (RDS User Guide, "Working with
// reserved DB instances").
var states = map[string]cloud.CommitmentState{
	"payment-pending": cloud.Pending,
	"active":          cloud.Active,
	"payment-failed":  cloud.Failed,
	"retired":         cloud.Retired,
}

// Find returns what exists under r.Identities, or the whole inventory without
// them. RDS answers an id it does not know with a fault; an empty list is taken
// the same way.
//
// The look began at Started by our clock and not after CloudTime by the cloud's:
// that of its first answer.
func (d *RDS) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	if r.Account != d.Account {
		return nil, &driver.Error{Operation: opReserved, Err: driver.ErrWrongAccount}
	}
	absent := cloud.Evidence{Kind: cloud.EvidenceAbsence, Operation: opReserved, Started: d.now()}
	creds, err := d.readCredentials(ctx, rdsGrant)
	if err != nil {
		return nil, err
	}
	lists := [][]cloud.Evidence{}
	if len(r.Identities) == 0 {
		list, err := d.list(ctx, creds, "", &absent)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
		absent.Detail = "the account has no reserved DB instance in the region"
	}
	for i, id := range r.Identities {
		if id == "" {
			return nil, &driver.Error{Operation: opReserved, Err: errors.New("an empty identity")}
		}
		if slices.ContainsFunc(r.Identities[:i], func(s string) bool { return strings.EqualFold(s, id) }) {
			continue
		}
		list, err := d.list(ctx, creds, id, &absent)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
		absent.Detail = fmt.Sprintf("no reserved DB instance under %d identities", i+1)
	}
	if found := slices.Concat(lists...); len(found) > 0 {
		return found, nil
	}
	return []cloud.Evidence{absent}, nil
}

// first keeps the earliest answer's time: whatever came into being after it may
// be missing from the listing.
func first(t *time.Time, answer time.Time) {
	if t.IsZero() {
		*t = answer
	}
}

// list returns the reservations under one id, or all for an empty id. It writes
// what is known of the answers to absent: the time of the first, the rest of the
// last.
func (d *RDS) list(ctx context.Context, creds aws.Credentials, id string, absent *cloud.Evidence) ([]cloud.Evidence, error) {
	var found []cloud.Evidence
	seen := map[string]bool{}
	started := d.now()
	client := d.sdk(creds)
	in := &rds.DescribeReservedDBInstancesInput{}
	if id != "" {
		in.ReservedDBInstanceId = aws.String(id)
	}
	err := pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		in.Marker = marker
		out, err := client.DescribeReservedDBInstances(ctx, in)
		var missing *types.ReservedDBInstanceNotFoundFault
		if id != "" && errors.As(err, &missing) && refusal(err) {
			absent.Status, absent.Code = http.StatusNotFound, missing.ErrorCode()
			first(&absent.CloudTime, errorTime(err))
			absent.RequestID = errorRequestID(err)
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if out.ReservedDBInstances == nil {
			return nil, errNoList
		}
		absent.Status, absent.Code = http.StatusOK, ""
		first(&absent.CloudTime, answerTimeOf(out.ResultMetadata))
		absent.RequestID, _ = awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
		for _, item := range out.ReservedDBInstances {
			c, err := d.commitment(item)
			if err != nil {
				return nil, err
			}
			if id != "" && !strings.EqualFold(c.ID, id) {
				return nil, errors.New("asked for one reservation, AWS showed another")
			}
			// A page may repeat an item of the page before. Two reservations that
			// share an id but not their lease or start stay two.
			key := strings.Join([]string{strings.ToLower(c.ID), aws.ToString(item.LeaseId), c.Start.String()}, "\n")
			if seen[key] {
				continue
			}
			seen[key] = true
			ev := cloud.Evidence{
				Kind: cloud.EvidenceListing, Operation: opReserved, Started: started,
				CloudTime: absent.CloudTime, RequestID: absent.RequestID, Status: absent.Status,
				Detail: fmt.Sprintf("commitment %s is %s", c.ID, c.State), Commitment: &c,
			}
			if id != "" {
				ev.Outcome = cloud.Exists
			}
			found = append(found, ev)
		}
		return out.Marker, nil
	})
	if err != nil {
		return nil, readError(opReserved, err, creds)
	}
	return found, nil
}

// offering translates an offering; sold is false for terms and payments that are
// not sold any more (light, medium and heavy utilization).
func (d *RDS) offering(o types.ReservedDBInstancesOffering) (_ cloud.Offering, sold bool, err error) {
	term, payment := termOf(o.Duration), paymentOf(o.OfferingType)
	if payments[payment] == nil || (term != cloud.OneYear && term != cloud.ThreeYears) {
		return cloud.Offering{}, false, nil
	}
	out := cloud.Offering{
		Provider: cloud.AWS, Service: serviceRDS, Region: d.Region,
		ID: aws.ToString(o.ReservedDBInstancesOfferingId), Term: term, Payment: payment,
	}
	if out.ID == "" {
		return out, false, errors.New("an offering without an id")
	}
	if out.Attributes, err = attributes(o.ProductDescription, o.DBInstanceClass, o.MultiAZ); err != nil {
		return out, false, fmt.Errorf("offering %s: %w", out.ID, err)
	}
	if out.Upfront, out.Hourly, err = prices(o.FixedPrice, o.UsagePrice, charges(o.RecurringCharges), aws.ToString(o.CurrencyCode)); err != nil {
		return out, false, fmt.Errorf("offering %s: %w", out.ID, err)
	}
	return out, true, nil
}

// commitment translates a reservation. Its account and region are those of its
// ARN, which must be ours.
func (d *RDS) commitment(i types.ReservedDBInstance) (cloud.Commitment, error) {
	c := cloud.Commitment{
		Lane:       cloud.Lane{Provider: cloud.AWS, Account: d.Account, Region: d.Region, Service: serviceRDS},
		ID:         aws.ToString(i.ReservedDBInstanceId),
		ARN:        aws.ToString(i.ReservedDBInstanceArn),
		OfferingID: aws.ToString(i.ReservedDBInstancesOfferingId),
		Term:       termOf(i.Duration),
		Payment:    paymentOf(i.OfferingType),
		Quantity:   int64(aws.ToInt32(i.DBInstanceCount)),
		State:      cloud.Unknown,
		Start:      aws.ToTime(i.StartTime).UTC(),
	}
	if c.ID == "" {
		return c, errors.New("a reservation without an id")
	}
	if want := fmt.Sprintf("arn:%s:rds:%s:%s:ri:%s", d.partition, d.Region, d.Account, c.ID); !strings.EqualFold(c.ARN, want) {
		return c, fmt.Errorf("reservation %s has an ARN of another account, region or name", c.ID)
	}
	if s, known := states[aws.ToString(i.State)]; known {
		c.State = s
	}
	var err error
	if c.Attributes, err = attributes(i.ProductDescription, i.DBInstanceClass, i.MultiAZ); err != nil {
		return c, fmt.Errorf("reservation %s: %w", c.ID, err)
	}
	if c.Upfront, c.Hourly, err = prices(i.FixedPrice, i.UsagePrice, charges(i.RecurringCharges), aws.ToString(i.CurrencyCode)); err != nil {
		return c, fmt.Errorf("reservation %s: %w", c.ID, err)
	}
	return c, nil
}

// fits checks that a commitment is what r asked for. The price is left to the
// engine, which knows the tolerance.
func fits(c cloud.Commitment, r driver.Request) error {
	switch {
	case !strings.EqualFold(c.ID, r.Identity):
		return fmt.Errorf("the answer is about reservation %s", c.ID)
	case c.OfferingID != r.Offering.ID:
		return errors.New("the answer is about another offering")
	case !maps.Equal(c.Attributes, r.Offering.Attributes):
		return fmt.Errorf("the answer is about %s", c.Attributes)
	case c.Term != r.Offering.Term || c.Payment != r.Offering.Payment:
		return fmt.Errorf("the answer is about %s, %s", c.Term, c.Payment)
	case c.Quantity != r.Quantity:
		return fmt.Errorf("the answer is about %d units, not %d", c.Quantity, r.Quantity)
	case c.State != cloud.Pending && c.State != cloud.Active:
		return fmt.Errorf("the answer shows the state %s", c.State)
	}
	return nil
}

func attributes(engine, class *string, multiAZ *bool) (cloud.Attributes, error) {
	if aws.ToString(engine) == "" || aws.ToString(class) == "" || multiAZ == nil {
		return nil, errors.New("engine, class or multi_az is missing")
	}
	return cloud.Attributes{attrEngine: *engine, attrClass: *class, attrMultiAZ: strconv.FormatBool(*multiAZ)}, nil
}

// termOf turns a duration in seconds into months; 0 is a duration that is not
// a whole number of years.
func termOf(seconds *int32) cloud.Term {
	if s := aws.ToInt32(seconds); s > 0 && s%secondsAYear == 0 {
		return cloud.Term(12 * s / secondsAYear)
	}
	return 0
}

// paymentOf reads an offering type; an old reservation keeps the word AWS has
// for it.
func paymentOf(offeringType *string) cloud.Payment {
	for p, word := range payments {
		if *word == aws.ToString(offeringType) {
			return p
		}
	}
	return cloud.Payment(aws.ToString(offeringType))
}

func charges(list []types.RecurringCharge) []charge {
	var all []charge
	for _, c := range list {
		all = append(all, charge{c.RecurringChargeAmount, aws.ToString(c.RecurringChargeFrequency)})
	}
	return all
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// refusal reports whether an error is an answer of status 4xx.
func refusal(err error) bool {
	var resp *awshttp.ResponseError
	return errors.As(err, &resp) && resp.HTTPStatusCode() >= 400 && resp.HTTPStatusCode() < 500
}

// answerTimeOf is the Date of an answer, UTC; zero if it had none.
func answerTimeOf(m middleware.Metadata) time.Time {
	at, _ := awsmiddleware.GetServerTime(m)
	if at.IsZero() {
		return time.Time{}
	}
	return at.UTC()
}

// errorTime is the Date of an answer that was an error, UTC.
func errorTime(err error) time.Time {
	var resp *awshttp.ResponseError
	if !errors.As(err, &resp) || resp.Response == nil {
		return time.Time{}
	}
	at, parseErr := http.ParseTime(resp.Response.Header.Get("Date"))
	if parseErr != nil {
		return time.Time{}
	}
	return at.UTC()
}

func errorRequestID(err error) string {
	var resp *awshttp.ResponseError
	if !errors.As(err, &resp) {
		return ""
	}
	return resp.ServiceRequestID()
}

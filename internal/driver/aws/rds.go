package aws

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const (
	serviceRDS   = cloud.Service("rds")
	opOfferings  = "DescribeReservedDBInstancesOfferings"
	opBuy        = "PurchaseReservedDBInstancesOffering"
	opReserved   = "DescribeReservedDBInstances"
	attrEngine   = "engine"
	attrClass    = "class"
	attrMultiAZ  = "multi_az"
	secondsAYear = 31_536_000 // a year as AWS sells it: 365 days
)

// rdsGrant is all a session of this driver may do. AddTagsToResource is what
// the purchase needs to carry tags (Service Authorization Reference).
var rdsGrant = grant{
	reads:  []string{"rds:Describe*"},
	spends: []string{"rds:PurchaseReservedDBInstancesOffering", "rds:AddTagsToResource"},
}

// RDS buys reserved DB instances. They are of class B: RDS takes the id we
// choose and refuses a second reservation under it.
type RDS struct{ *core }

var _ driver.Service = (*RDS)(nil)

// NewRDS returns a driver for one account and region. It does no IO.
func NewRDS(cfg Config) (*RDS, error) {
	c, err := newCore(cfg)
	if err != nil {
		return nil, err
	}
	return &RDS{core: c}, nil
}

var reservationForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// CheckReservationID reports whether an identity can be a reservation id of RDS:
// at most 60 lower-case letters, digits and single hyphens, a letter first. RDS
// folds the case of ids, so only lower case is sent.
func CheckReservationID(identity string) error {
	if len(identity) > 60 || !reservationForm.MatchString(identity) {
		return fmt.Errorf("%.60q is not a reservation id: want at most 60 lower-case letters, digits and single hyphens, a letter first", identity)
	}
	return nil
}

// Info returns the facts of the service.
func (d *RDS) Info() driver.Info {
	return driver.Info{
		Lane:   cloud.Lane{Provider: cloud.AWS, Account: d.Account, Region: d.Region, Service: serviceRDS},
		Class:  cloud.ClassName,
		Life:   d.life(),
		Settle: settleTime,
		Answer: d.Answer,
		Attributes: []driver.Attribute{
			{Key: attrEngine, Example: "postgresql"},
			{Key: attrClass, Example: "db.r6g.large"},
			{Key: attrMultiAZ, Example: "false", Values: []string{"true", "false"}},
		},
		Guarantee: "RDS refuses a second reservation under an id that exists in the account and region, " +
			"and every try of a line uses the same id.",
	}
}

// sdk returns a client that reads with the given credentials.
func (d *RDS) sdk(creds aws.Credentials) *rds.Client {
	return rds.New(rds.Options{
		Region:                     string(d.Region),
		BaseEndpoint:               d.baseEndpoint(),
		Credentials:                frozen(creds),
		HTTPClient:                 d.client,
		HTTPSignerV4:               d.signer(),
		DisableClockSkewCorrection: true,
		AppID:                      appID,
	})
}

// Offerings returns every offering that matches q. Offerings on terms or
// payments that are no longer sold to new buyers are left out.
func (d *RDS) Offerings(ctx context.Context, q driver.Query) ([]cloud.Offering, error) {
	in, err := offeringsInput(q)
	if err != nil {
		return nil, err
	}
	creds, err := d.readCredentials(ctx, rdsGrant)
	if err != nil {
		return nil, err
	}
	all, _, err := d.offerings(ctx, creds, in)
	if err != nil {
		return nil, err
	}
	// RDS matches a product description in part ("mysql" finds "aurora-mysql"),
	// so what was asked for is compared here.
	return slices.DeleteFunc(all, func(o cloud.Offering) bool {
		for key, want := range q.Attributes {
			if o.Attributes[key] != want {
				return true
			}
		}
		return (q.ID != "" && o.ID != q.ID) || (q.Term != 0 && o.Term != q.Term) ||
			(q.Payment != "" && o.Payment != q.Payment)
	}), nil
}

func offeringsInput(q driver.Query) (*rds.DescribeReservedDBInstancesOfferingsInput, error) {
	in := &rds.DescribeReservedDBInstancesOfferingsInput{}
	if q.ID != "" {
		in.ReservedDBInstancesOfferingId = aws.String(q.ID)
	}
	if q.Term != 0 {
		in.Duration = aws.String(strconv.FormatInt(int64(q.Term)*secondsAYear/12, 10))
	}
	if q.Payment != "" {
		if in.OfferingType = payments[q.Payment]; in.OfferingType == nil {
			return nil, fmt.Errorf("RDS does not sell %s", q.Payment)
		}
	}
	for key, want := range q.Attributes {
		switch key {
		case attrEngine:
			in.ProductDescription = aws.String(want)
		case attrClass:
			in.DBInstanceClass = aws.String(want)
		case attrMultiAZ:
			if want != "true" && want != "false" {
				return nil, fmt.Errorf("multi_az %q: want true or false", want)
			}
			in.MultiAZ = aws.Bool(want == "true")
		default:
			return nil, fmt.Errorf("RDS has no attribute %q: use engine, class and multi_az", key)
		}
	}
	return in, nil
}

// offerings returns all pages, and the cloud's time of the last answer. An
// offering that does not exist is an empty list.
func (d *RDS) offerings(ctx context.Context, creds aws.Credentials, in *rds.DescribeReservedDBInstancesOfferingsInput) ([]cloud.Offering, time.Time, error) {
	var all []cloud.Offering
	var at time.Time
	client := d.sdk(creds)
	err := pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		in.Marker = marker
		out, err := client.DescribeReservedDBInstancesOfferings(ctx, in)
		var missing *types.ReservedDBInstancesOfferingNotFoundFault
		if errors.As(err, &missing) && refusal(err) {
			at = errorTime(err)
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if out.ReservedDBInstancesOfferings == nil {
			return nil, errNoList
		}
		at = answerTimeOf(out.ResultMetadata)
		for _, o := range out.ReservedDBInstancesOfferings {
			offering, sold, err := d.offering(o)
			if err != nil {
				return nil, err
			}
			if sold && !slices.ContainsFunc(all, func(p cloud.Offering) bool { return p.ID == offering.ID }) {
				all = append(all, offering)
			}
		}
		return out.Marker, nil
	})
	if err != nil {
		return nil, at, readError(opOfferings, err, creds)
	}
	return all, at, nil
}

// Quote opens the session of the attempt and returns today's price of the
// offering, which must still be the same goods.
func (d *RDS) Quote(ctx context.Context, r driver.Request) (cloud.Quote, error) {
	if err := d.accepts(r, serviceRDS); err != nil {
		return cloud.Quote{}, &driver.Error{Operation: opOfferings, Err: err}
	}
	if r.Offering.ID == "" {
		return cloud.Quote{}, &driver.Error{Operation: opOfferings, Err: errors.New("the offering has no id")}
	}
	s, err := d.open(ctx, r, rdsGrant)
	if err != nil {
		return cloud.Quote{}, err
	}
	quote := cloud.Quote{At: d.now(), Credential: s.creds.AccessKeyID}
	all, at, err := d.offerings(ctx, s.creds, &rds.DescribeReservedDBInstancesOfferingsInput{
		ReservedDBInstancesOfferingId: aws.String(r.Offering.ID),
	})
	if err != nil {
		return cloud.Quote{}, err
	}
	i := slices.IndexFunc(all, func(o cloud.Offering) bool { return o.ID == r.Offering.ID })
	if i < 0 {
		return cloud.Quote{}, &driver.Error{Operation: opOfferings, Err: driver.ErrNotSold}
	}
	if !all[i].SameGoods(r.Offering) {
		return cloud.Quote{}, &driver.Error{Operation: opOfferings,
			Err: fmt.Errorf("the offering is now %s, %s, %s", all[i].Attributes, all[i].Term, all[i].Payment)}
	}
	quote.Offering, quote.CloudTime = all[i], at
	d.sessions.put(s)
	return quote, nil
}

// Purchase buys r.Quantity instances of r.Offering under the id r.Identity.
func (d *RDS) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	if err := d.checkOrder(r); err != nil {
		return unsent(cloud.Evidence{Kind: cloud.EvidenceReply, Operation: opBuy, Started: d.now()}, err)
	}
	return d.spend(ctx, r, order{
		operation: opBuy,
		root:      opBuy + "Response",
		code:      queryCode,
		send: func(ctx context.Context, client *http.Client, creds aws.Credentials) (*cloud.Commitment, error) {
			return d.buy(ctx, r, client, creds)
		},
	})
}

func (d *RDS) checkOrder(r driver.Request) error {
	if err := d.accepts(r, serviceRDS); err != nil {
		return err
	}
	if err := CheckReservationID(r.Identity); err != nil {
		return err
	}
	if r.Quantity < 1 || r.Quantity > math.MaxInt32 {
		return fmt.Errorf("quantity %d: want 1 to %d", r.Quantity, math.MaxInt32)
	}
	if r.Offering.ID == "" {
		return errors.New("the offering has no id")
	}
	return nil
}

// buy sends the one request.
func (d *RDS) buy(ctx context.Context, r driver.Request, client *http.Client, creds aws.Credentials) (*cloud.Commitment, error) {
	in := &rds.PurchaseReservedDBInstancesOfferingInput{
		ReservedDBInstancesOfferingId: aws.String(r.Offering.ID),
		ReservedDBInstanceId:          aws.String(r.Identity),
		DBInstanceCount:               aws.Int32(int32(r.Quantity)),
	}
	for _, key := range sortedKeys(r.Tags) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.Tags[key])})
	}
	out, err := d.sdk(creds).PurchaseReservedDBInstancesOffering(ctx, in, func(o *rds.Options) {
		o.HTTPClient = client
		o.Retryer = aws.NopRetryer{}
	})
	if err != nil {
		return nil, err
	}
	if out.ReservedDBInstance == nil {
		return nil, errors.New("the answer names no reservation")
	}
	bought, err := d.commitment(*out.ReservedDBInstance)
	if err != nil {
		return nil, err
	}
	return &bought, fits(bought, r)
}

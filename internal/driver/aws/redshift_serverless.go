package aws

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// serverlessProduct: a quantity is in RPUs. The purchase takes a client token, for
// how long it is remembered is not published, and nothing shows it afterwards;
// reservations carry no tags (service model, Service Authorization Reference).
// They are bought and shared at the level of the payer account, for one year, all
// or nothing upfront (management guide). The form of an ARN is not published
// beyond what all ARNs have.
var serverlessProduct = product{
	service: RedshiftServerless,
	class:   cloud.ClassUnlisted,
	title:   "Redshift Serverless",
	noun:    "reservation",
	guarantee: "Redshift Serverless merges requests with one token for a time that it does not publish, and never shows the token. One purchase " +
		"at a time is open in the account and region; one in doubt is asked again within 10 minutes only, and then not before the inventory " +
		"or the audit log has told what it did.",
	grant: grant{
		reads:  []string{"redshift-serverless:ListReservationOfferings", "redshift-serverless:ListReservations", lookupEvents},
		spends: []string{"redshift-serverless:CreateReservation"},
	},
	form:    jsonForm,
	arn:     [2]string{"redshift-serverless"},
	sources: []string{"redshift-serverless.amazonaws.com"}, bought: "reservationId",
	states: map[string]cloud.CommitmentState{
		"payment-pending": cloud.Pending,
		"active":          cloud.Active,
		"payment-failed":  cloud.Failed,
		"retired":         cloud.Retired,
	},
	opOfferings: "ListReservationOfferings",
	opReserved:  "ListReservations",
	opBuy:       "CreateReservation", unsold: "ResourceNotFoundException",
}

// clientToken is the token of an identity: 128 bits of its hash in the form of a
// UUID of version 4, which the service wants. The derivation is frozen: a changed
// one would buy again where an older binary has bought.
func clientToken(identity string) string {
	sum := sha256.Sum256([]byte(identity))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

type serverlessAPI struct{ *core }

// client leaves the correction of clock skew on, which this version of the SDK
// cannot turn off; the signer takes no notice of it.
func (a serverlessAPI) client(creds aws.Credentials) *redshiftserverless.Client {
	return redshiftserverless.New(redshiftserverless.Options{
		Region:       string(a.Region),
		BaseEndpoint: a.baseEndpoint(),
		Credentials:  frozen(creds),
		HTTPClient:   a.core.client,
		HTTPSignerV4: a.signer(),
		AppID:        appID,
	})
}

// offerings cannot be filtered.
func (a serverlessAPI) offerings(ctx context.Context, creds aws.Credentials, _ driver.Query, marker *string) (page, error) {
	out, err := a.client(creds).ListReservationOfferings(ctx, &redshiftserverless.ListReservationOfferingsInput{NextToken: marker})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservationOfferingsList != nil, next: out.NextToken, meta: out.ResultMetadata}
	for _, o := range out.ReservationOfferingsList {
		p.items = append(p.items, serverlessOffering(o))
	}
	return p, nil
}

func (a serverlessAPI) reservations(ctx context.Context, creds aws.Credentials, _ string, marker *string) (page, error) {
	out, err := a.client(creds).ListReservations(ctx, &redshiftserverless.ListReservationsInput{NextToken: marker})
	if err != nil {
		return page{}, err
	}
	p := page{listed: out.ReservationsList != nil, next: out.NextToken, meta: out.ResultMetadata}
	for _, r := range out.ReservationsList {
		p.items = append(p.items, serverlessItem(r))
	}
	return p, nil
}

func (a serverlessAPI) buy(ctx context.Context, client *http.Client, creds aws.Credentials, r driver.Request) (*item, error) {
	out, err := a.client(creds).CreateReservation(ctx, &redshiftserverless.CreateReservationInput{
		OfferingId:  aws.String(r.Offering.ID),
		Capacity:    int32(r.Quantity),
		ClientToken: aws.String(clientToken(r.Identity)),
	}, func(o *redshiftserverless.Options) {
		o.HTTPClient, o.Retryer = client, aws.NopRetryer{}
	})
	if err != nil || out.Reservation == nil {
		return nil, err
	}
	bought := serverlessItem(*out.Reservation)
	return &bought, nil
}

func serverlessItem(r types.Reservation) item {
	i := item{attributes: cloud.Attributes{}}
	if r.Offering != nil {
		i = serverlessOffering(*r.Offering)
	}
	i.id, i.offering = aws.ToString(r.ReservationId), i.id
	i.arn, i.state = aws.ToString(r.ReservationArn), aws.ToString(r.Status)
	i.count, i.start = int64(r.Capacity), aws.ToTime(r.StartDate)
	return i
}

// serverlessOffering takes the charges for those of one RPU: an offering has no
// capacity that they could be for.
func serverlessOffering(o types.ReservationOffering) item {
	return item{
		id:         aws.ToString(o.OfferingId),
		attributes: cloud.Attributes{},
		seconds:    int64(o.Duration),
		payment:    string(o.OfferingType),
		fixed:      &o.UpfrontCharge, usage: new(float64), recurring: []charge{{&o.HourlyCharge, "Hourly"}},
		currency: aws.ToString(o.CurrencyCode),
	}
}

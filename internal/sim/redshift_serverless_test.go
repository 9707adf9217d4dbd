package sim

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless"
	"github.com/aws/aws-sdk-go-v2/service/redshiftserverless/types"
	"github.com/google/go-cmp/cmp"
)

const aToken = "86968a30-c427-460e-ab9d-f952c7ae4817"

func serverlessClient(endpoint string) *redshiftserverless.Client {
	return redshiftserverless.NewFromConfig(operator(endpoint))
}

// aCapacity is a fixed offering of us-east-1.
func aCapacity() *offering {
	for _, o := range builtin().byShop[shop{"redshift-serverless", "us-east-1"}] {
		if o.Payment == allUpfront {
			return o
		}
	}
	panic("no such offering")
}

func reserve(ctx context.Context, c *redshiftserverless.Client, token string, capacity int32) (types.Reservation, error) {
	out, err := c.CreateReservation(ctx, &redshiftserverless.CreateReservationInput{
		OfferingId: aws.String(aCapacity().id), Capacity: capacity, ClientToken: &token,
	})
	if err != nil {
		return types.Reservation{}, err
	}
	return *out.Reservation, nil
}

func TestServerlessThroughSDK(t *testing.T) {
	s := newSim(t, Options{Visibility: time.Minute, PageSize: 2, Quota: 1000})
	c := serverlessClient(serve(t, s))
	o := aCapacity()
	got, err := reserve(t.Context(), c, aToken, 8)
	if err != nil {
		t.Fatal(err)
	}
	e := s.Ledger()[0]
	at := s.Now().Truncate(time.Millisecond)
	want := types.Reservation{
		ReservationId: &e.ID, ReservationArn: &e.ARN, Capacity: 8, Status: aws.String("payment-pending"),
		StartDate: &at, EndDate: aws.Time(at.Add(oneYear * time.Second)),
		Offering: &types.ReservationOffering{
			OfferingId: &o.id, Duration: oneYear, CurrencyCode: aws.String("USD"), OfferingType: types.OfferingTypeAllUpfront,
			UpfrontCharge: float(t, o.fixed), HourlyCharge: 0,
		},
	}
	opts := cmp.AllowUnexported(types.Reservation{}, types.ReservationOffering{})
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("bought (-want +got):\n%s", diff)
	}
	if e.Token != aToken || e.Count != 8 || e.Service != "redshift-serverless" {
		t.Errorf("ledger %+v", e)
	}
	get := func(id string) error {
		_, err := c.GetReservation(t.Context(), &redshiftserverless.GetReservationInput{ReservationId: &id})
		return err
	}
	if err := get(e.ID); code(err) != "ResourceNotFoundException" {
		t.Errorf("hidden: %v", err)
	}
	advance(t, s, time.Minute)
	if err := get(e.ID); err != nil {
		t.Errorf("visible: %v", err)
	}
	for range 4 {
		if err := s.Add(Existing{Account: account, Region: "us-east-1", OfferingID: o.id, Count: 1}); err != nil {
			t.Fatal(err)
		}
	}
	var ids, all []string
	for p := redshiftserverless.NewListReservationsPaginator(c, &redshiftserverless.ListReservationsInput{}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(out.ReservationsList) > 2 {
			t.Errorf("%d on a page", len(out.ReservationsList))
		}
		for _, r := range out.ReservationsList {
			ids = append(ids, *r.ReservationId)
		}
	}
	for _, e := range s.Ledger() {
		all = append(all, e.ID)
	}
	slices.Sort(ids)
	slices.Sort(all)
	if diff := cmp.Diff(all, ids); diff != "" {
		t.Errorf("listed (-ledger +listed):\n%s", diff)
	}
	offered := 0
	for p := redshiftserverless.NewListReservationOfferingsPaginator(c, &redshiftserverless.ListReservationOfferingsInput{}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		offered += len(out.ReservationOfferingsList)
	}
	one, err := c.GetReservationOffering(t.Context(), &redshiftserverless.GetReservationOfferingInput{OfferingId: &o.id})
	if err != nil || offered != 2 || one.ReservationOffering.UpfrontCharge != float(t, o.fixed) {
		t.Errorf("%d offerings, %+v, %v", offered, one, err)
	}
}

// A token brings back what it bought, for as long as it is remembered, and buys
// again afterwards.
func TestServerlessTokens(t *testing.T) {
	for _, life := range []time.Duration{0, 10 * time.Minute} {
		s := newSim(t, Options{TokenLife: life, Quota: 1000, TrailDelay: -1})
		url := serve(t, s)
		c := serverlessClient(url)
		first, err := reserve(t.Context(), c, aToken, 8)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reserve(t.Context(), c, aToken, 16); code(err) != "ConflictException" {
			t.Errorf("another order under the token: %v", err)
		}
		known := 24 * time.Hour
		if life != 0 {
			known = life
		}
		advance(t, s, known-time.Second)
		again, err := reserve(t.Context(), c, aToken, 8)
		if err != nil || *again.ReservationId != *first.ReservationId || len(s.Ledger()) != 1 {
			t.Errorf("again: %+v, %v", again, err)
		}
		if elsewhere, err := reserve(t.Context(), c, "96968a30-c427-460e-ab9d-f952c7ae4817", 8); err != nil || *elsewhere.ReservationId == *first.ReservationId {
			t.Errorf("another token: %+v, %v", elsewhere, err)
		}
		advance(t, s, 2*time.Second)
		late, err := reserve(t.Context(), c, aToken, 8)
		if err != nil || *late.ReservationId == *first.ReservationId || len(s.Ledger()) != 3 {
			t.Errorf("forgotten: %+v, %v", late, err)
		}
		for _, e := range lookup(t, trailOf(url), trail.LookupAttributeKeyEventName, "CreateReservation") {
			d := document(t, e)
			if d.ErrorCode != "" {
				continue
			}
			bought, _ := d.ResponseElements["reservation"].(map[string]any)
			if bought["reservationId"] == "" || bought["reservationId"] == nil || d.EventSource != "redshift-serverless.amazonaws.com" {
				t.Errorf("event %+v", d)
			}
		}
	}
}

func TestServerlessRefusals(t *testing.T) {
	s, endpoint := fixedSim(t, Options{})
	o := aCapacity().id
	const buy = "CreateReservation"
	for _, tt := range []struct{ op, body, want string }{
		{buy, `{"offeringId":"` + o + `","capacity":8,"clientToken":"bu-1"}`, "ValidationException"},
		{buy, `{"offeringId":"` + o + `","capacity":8,"clientToken":"86968a30-c427-560e-ab9d-f952c7ae4817"}`, "ValidationException"}, // version 5
		{buy, `{"offeringId":"` + o + `","capacity":8,"clientToken":"86968a30-c427-460e-cb9d-f952c7ae4817"}`, "ValidationException"}, // variant
		{buy, `{"offeringId":"` + o + `","capacity":8,"clientToken":"86968a30c427460eab9df952c7ae4817"}`, "ValidationException"},
		{buy, `{"offeringId":"` + o + `"}`, "ValidationException"},
		{buy, `{"offeringId":"` + o + `","capacity":0}`, "ValidationException"},
		{buy, `{"offeringId":"` + o + `","capacity":1025}`, "ServiceQuotaExceededException"},
		{buy, `{"capacity":8}`, "ValidationException"},
		{buy, `{"offeringId":"none","capacity":8}`, "ResourceNotFoundException"},
		{buy, `{"offeringId":"` + clientOf("redshift").aNode().id + `","capacity":8}`, "ResourceNotFoundException"},
		{buy, `{"offeringId":"` + o + `","capacity":8,"tags":[]}`, ""}, // an empty list says nothing
		{buy, `{"offeringId":"` + o + `","capacity":8,"tags":[{"key":"a","value":"b"}]}`, "SerializationException"},
		{"GetReservation", `{}`, "ValidationException"},
		{"GetReservation", `{"reservationId":"none"}`, "ResourceNotFoundException"},
		{"GetReservationOffering", `{"offeringId":"none"}`, "ResourceNotFoundException"},
		{"ListReservations", `{"maxResults":101}`, "ValidationException"},
		{"ListReservations", `{"offeringId":"` + o + `"}`, "SerializationException"},
		{"ListReservationOfferings", `{"nextToken":"e30"}`, "ValidationException"},
	} {
		status, body := askJSON(t, endpoint, "redshift-serverless", "RedshiftServerless."+tt.op, tt.body, nil)
		if tt.want != "" && (status != 400 || len(body) < 12 || body[11:11+len(tt.want)] != tt.want) {
			t.Errorf("%s %s: %d %s, want %s", tt.op, tt.body, status, body, tt.want)
		}
	}
	if n := len(s.Ledger()); n != 1 { // without a token nothing ties a request to another
		t.Errorf("%d bought", n)
	}
}

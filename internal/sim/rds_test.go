package sim

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/google/go-cmp/cmp"

	"bursar/internal/money"
)

func TestPurchaseThroughSDK(t *testing.T) {
	s := newSim(t, Options{})
	c := rdsClient(serve(t, s))
	o := anOffering()
	out, err := c.PurchaseReservedDBInstancesOffering(t.Context(), &rds.PurchaseReservedDBInstancesOfferingInput{
		ReservedDBInstancesOfferingId: aws.String(o.id),
		ReservedDBInstanceId:          aws.String("Team-A"),
		DBInstanceCount:               aws.Int32(3),
		Tags:                          []types.Tag{{Key: aws.String("plan"), Value: aws.String("p-1")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := out.ReservedDBInstance
	if *got.ReservedDBInstanceId != "Team-A" || *got.State != statePending || *got.DBInstanceCount != 3 || *got.MultiAZ ||
		*got.ReservedDBInstanceArn != "arn:aws:rds:us-east-1:111122223333:ri:team-a" || len(got.RecurringCharges) != 1 ||
		*got.LeaseId == "" || *got.Duration != 31536000 || fmt.Sprint(*got.FixedPrice) != strings.TrimSuffix(o.fixed.Canonical(), ".00") {
		t.Errorf("purchase answered %+v", got)
	}
	e := s.Ledger()[0]
	want := Entry{
		Provider: onAWS, Service: "rds", Account: account, Region: "us-east-1", ID: "team-a", SentID: "Team-A",
		ARN: "arn:aws:rds:us-east-1:111122223333:ri:team-a", OfferingID: o.id, Class: "db.r6g.large",
		Attributes: map[string]string{"product": "postgresql", "multi_az": "false", "lease_id": *got.LeaseId},
		Payment:    "Partial Upfront", Seconds: 31536000, Count: 3, Fixed: o.fixed, Hourly: o.hourly,
		Tags: []Tag{{"plan", "p-1"}}, State: "payment-pending", BoughtAt: s.Now(), StartsAt: s.Now(), VisibleAt: e.VisibleAt, SettlesAt: e.SettlesAt,
		EndsAt: s.Now().Add(365 * 24 * time.Hour), AccessKey: account, RequestID: s.Requests()[0].ID,
	}
	if diff := cmp.Diff(want, e, cmp.Comparer(money.Amount.Equal)); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	if !got.StartTime.Equal(e.BoughtAt.Truncate(time.Millisecond)) {
		t.Errorf("StartTime %s, bought at %s", got.StartTime, e.BoughtAt)
	}
}

// State and visibility follow the simulated clock alone.
func TestLife(t *testing.T) {
	s := newSim(t, Options{Visibility: time.Minute, Seed: 7})
	c := rdsClient(serve(t, s))
	if _, err := buy(t.Context(), c, "mine", 1); err != nil {
		t.Fatal(err)
	}
	e := s.Ledger()[0]
	if !e.VisibleAt.After(e.BoughtAt) || e.VisibleAt.Sub(e.BoughtAt) > time.Minute {
		t.Fatalf("visible after %s", e.VisibleAt.Sub(e.BoughtAt))
	}
	by := func(id string) (string, error) {
		out, err := c.DescribeReservedDBInstances(t.Context(), &rds.DescribeReservedDBInstancesInput{ReservedDBInstanceId: aws.String(id)})
		if err != nil {
			return "", err
		}
		return *out.ReservedDBInstances[0].ReservedDBInstanceId + " " + *out.ReservedDBInstances[0].State, nil
	}
	var missing *types.ReservedDBInstanceNotFoundFault
	if _, err := by("mine"); !errors.As(err, &missing) {
		t.Errorf("hidden reservation: %v", err)
	}
	steps := []struct {
		until time.Time
		want  string
	}{
		{e.VisibleAt, "mine payment-pending"},
		{e.SettlesAt, "mine active"},
		{e.EndsAt, "mine retired"},
	}
	for _, step := range steps {
		advance(t, s, step.until.Sub(s.Now()))
		if got, err := by("MINE"); err != nil || got != step.want {
			t.Errorf("at %s: %q, %v; want %q", step.until, got, err, step.want)
		}
	}
	var exists *types.ReservedDBInstanceAlreadyExistsFault
	if _, err := buy(t.Context(), c, "Mine", 1); !errors.As(err, &exists) {
		t.Errorf("buying under a retired id in other case: %v", err)
	}
	var wrong *types.ReservedDBInstancesOfferingNotFoundFault
	_, err := c.PurchaseReservedDBInstancesOffering(t.Context(), &rds.PurchaseReservedDBInstancesOfferingInput{ReservedDBInstancesOfferingId: aws.String("none")})
	if !errors.As(err, &wrong) {
		t.Errorf("unknown offering: %v", err)
	}
}

func TestPreserveCase(t *testing.T) {
	s := newSim(t, Options{IDCase: PreserveCase})
	url := serve(t, s)
	mustBuy(t, url, "One")
	mustBuy(t, url, "one")
	if got := s.Ledger(); got[0].ID != "One" || got[1].ID != "one" {
		t.Errorf("ids %q and %q", got[0].ID, got[1].ID)
	}
}

func TestScopeIsAccountAndRegion(t *testing.T) {
	s := newSim(t, Options{Visibility: -1})
	url := serve(t, s)
	mustBuy(t, url, "same")
	cfg := operator(url)
	cfg.Region = "eu-west-1"
	other := rds.NewFromConfig(cfg)
	if out, err := other.DescribeReservedDBInstances(t.Context(), nil); err != nil || len(out.ReservedDBInstances) != 0 {
		t.Errorf("other region lists %v, %v", out, err)
	}
	if _, err := buy(t.Context(), other, "same", 1); err == nil {
		t.Error("an offering of one region was sold in another")
	}
}

func TestGeneratedIDsDiffer(t *testing.T) {
	s := newSim(t, Options{})
	url := serve(t, s)
	mustBuy(t, url, "")
	mustBuy(t, url, "")
	l := s.Ledger()
	if len(l) != 2 || l[0].ID == l[1].ID || !strings.HasPrefix(l[0].ID, "ri-20") || l[0].SentID != "" {
		t.Errorf("ledger %+v", l)
	}
}

func TestQuota(t *testing.T) {
	s := newSim(t, Options{})
	c := rdsClient(serve(t, s))
	if _, err := buy(t.Context(), c, "a", 39); err != nil {
		t.Fatal(err)
	}
	var over *types.ReservedDBInstanceQuotaExceededFault
	for _, count := range []int32{2, math.MaxInt32} {
		if _, err := buy(t.Context(), c, "b", count); !errors.As(err, &over) {
			t.Errorf("%d over the quota: %v", count, err)
		}
	}
	if _, err := buy(t.Context(), c, "b", 1); err != nil {
		t.Errorf("the last one of the quota: %v", err)
	}
	addFault(t, s, Fault{Kind: PaymentFailed})
	advance(t, s, 366*24*time.Hour) // both retired: the quota is free again
	if _, err := buy(t.Context(), c, "c", 40); err != nil {
		t.Fatal(err)
	}
	advance(t, s, 11*time.Minute)
	if got := s.Ledger()[2].State; got != stateFailed {
		t.Errorf("state %s, want payment-failed", got)
	}
	if _, err := buy(t.Context(), c, "d", 40); err != nil {
		t.Errorf("a failed payment holds the quota: %v", err)
	}
}

func TestConcurrentPurchasesOfOneID(t *testing.T) {
	s := newSim(t, Options{})
	c := rdsClient(serve(t, s))
	const n = 16
	errs := make(chan error, n)
	for range n {
		go func() {
			_, err := buy(t.Context(), c, "only-one", 1)
			errs <- err
		}()
	}
	won := 0
	var exists *types.ReservedDBInstanceAlreadyExistsFault
	for range n {
		if err := <-errs; err == nil {
			won++
		} else if !errors.As(err, &exists) {
			t.Error(err)
		}
	}
	if won != 1 || len(s.Ledger()) != 1 || len(s.Requests()) != n {
		t.Errorf("%d won, %d in the ledger, %d requests", won, len(s.Ledger()), len(s.Requests()))
	}
}

func TestPriceOverride(t *testing.T) {
	s := newSim(t, Options{Visibility: -1})
	url := serve(t, s)
	mustBuy(t, url, "before")
	usd := func(v string) money.Amount { return money.MustParse(v, "USD") }
	if err := s.SetPrice(anOffering().id, usd("1234.5"), usd("0.0825")); err != nil {
		t.Fatal(err)
	}
	mustBuy(t, url, "after")
	l := s.Ledger()
	if !l[0].Fixed.Equal(anOffering().fixed) || !l[1].Fixed.Equal(usd("1234.5")) || !l[1].Hourly.Equal(usd("0.0825")) {
		t.Errorf("fixed %s then %s", l[0].Fixed, l[1].Fixed)
	}
	_, body := signed{service: "rds", at: s.Now(), form: rdsForm("DescribeReservedDBInstancesOfferings", "ReservedDBInstancesOfferingId", anOffering().id)}.do(t, url)
	if !strings.Contains(body, "<FixedPrice>1234.5</FixedPrice>") || !strings.Contains(body, "<RecurringChargeAmount>0.0825</RecurringChargeAmount>") {
		t.Error(body)
	}
	if s.SetPrice("none", usd("1"), usd("1")) == nil || s.SetPrice(anOffering().id, usd("-1"), usd("1")) == nil {
		t.Error("a bad price was accepted")
	}
}

func TestDouble(t *testing.T) {
	for in, want := range map[string]string{"0": "0.0", "123": "123.0", "0.50": "0.5", "0.0825": "0.0825", "0.05": "0.05"} {
		if got := double(money.MustParse(in, "USD")); got != want {
			t.Errorf("double(%s) = %s, want %s", in, got, want)
		}
	}
}

// The catalog must never change under a plan: ids and prices of one offering
// stand for all.
func TestCatalog(t *testing.T) {
	c := builtin()
	if len(c.byID) < 2000 || len(c.byID) > 12000 {
		t.Errorf("%d offerings", len(c.byID))
	}
	o := anOffering()
	if o.id != "6bb91ee1-6129-4cad-9fba-52e4f0a5916f" || o.fixed.Canonical() != "634.00" || o.hourly.Canonical() != "0.0723" {
		t.Errorf("id %s at %s + %s", o.id, o.fixed, o.hourly)
	}
	for _, o := range c.byID {
		if o.Seconds == threeYears && o.Payment == noUpfront && o.service != "ec2" && o.service != savingsPlans || strings.HasPrefix(o.Attributes["product"], "aurora") && o.Attributes["multi_az"] == "true" {
			t.Errorf("sells %+v", o)
		}
		if services[o.service].cloud() != onAWS {
			continue // other payments
		}
		if (o.fixed.Sign() > 0) == (o.Payment == noUpfront) || (o.hourly.Sign() > 0) == (o.Payment == allUpfront) {
			t.Errorf("%s costs %s and %s an hour", o.Payment, o.fixed, o.hourly)
		}
	}
}

package sizing

import (
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// Worked examples of the clouds' own documentation, to the cent.

// applied is how much of running machines reservations of one family cover, both in
// the file of an hour.
func applied(t *testing.T, running, reserved map[string]string) (covered, used Units) {
	t.Helper()
	var b strings.Builder
	b.WriteString(ownHead)
	for kind, n := range running {
		b.WriteString(ownRow("resource type", kind, "quantity", n))
	}
	u, err := Read("u.csv", strings.NewReader(b.String()), "")
	if err != nil || len(u.pools) != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	var held int64
	for kind, n := range reserved {
		count, _, err := parseUnits(n, false)
		if err != nil {
			t.Fatal(err)
		}
		h, err := holdOne(commitment(int64(count/One), kind, u.From(), "ri"), "held", "")
		if err != nil || h.Pool.key() != u.pools[0].key() {
			t.Fatalf("%v, %v", h, err)
		}
		held += int64(h.Units)
	}
	prof := newProfile(u.hours.first, slices.Clone(u.pools[0].use.v), nil, new(big.Int))
	return Units(floor(prof.covered(whole(held))).Int64()), Units(prof.total())
}

// EC2 User Guide, "How Reserved Instances are applied", scenarios 1 and 2 and the
// examples of the normalization factor
// (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/apply_ri.html, as stored at
// github.com/awsdocs/amazon-ec2-user-guide, doc_source/apply_ri.md).
func TestEC2SizeFlexibility(t *testing.T) {
	for _, tc := range []struct {
		name              string
		running, reserved map[string]string
		covered, used     string
	}{
		{"four m4.large cover two m4.xlarge", map[string]string{"m4.xlarge": "2"}, map[string]string{"m4.large": "4"}, "16", "16"},
		{"a c4.large covers 50% of a c4.xlarge", map[string]string{"c4.xlarge": "1"}, map[string]string{"c4.large": "1"}, "4", "8"},
		{"an m3.2xlarge covers two m3.large and one of two m3.xlarge", map[string]string{"m3.xlarge": "2", "m3.large": "2"}, map[string]string{"m3.2xlarge": "1"}, "16", "24"},
		{"a t2.medium covers two t2.small", map[string]string{"t2.small": "2"}, map[string]string{"t2.medium": "1"}, "2", "2"},
		{"a t2.medium covers 50% of a t2.large", map[string]string{"t2.large": "1"}, map[string]string{"t2.medium": "1"}, "2", "4"},
		{"an i3.metal covers four i3.4xlarge", map[string]string{"i3.4xlarge": "4"}, map[string]string{"i3.metal": "1"}, "128", "128"},
		{"two i3.8xlarge cover an i3.metal", map[string]string{"i3.metal": "1"}, map[string]string{"i3.8xlarge": "2"}, "128", "128"},
	} {
		covered, used := applied(t, tc.running, tc.reserved)
		if covered.String() != tc.covered || used.String() != tc.used {
			t.Errorf("%s: %s of %s normalized units, want %s of %s", tc.name, covered, used, tc.covered, tc.used)
		}
	}
}

// RDS User Guide, "Size-flexible reserved DB instances", table of normalized units
// (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithReservedDBInstances.html,
// as stored at github.com/awsdocs/amazon-rds-user-guide).
func TestRDSNormalizedUnits(t *testing.T) {
	for size, want := range map[string][2]string{
		"micro": {"0.5", "1"}, "small": {"1", "2"}, "medium": {"2", "4"}, "large": {"4", "8"}, "xlarge": {"8", "16"}, "2xlarge": {"16", "32"},
		"4xlarge": {"32", "64"}, "6xlarge": {"48", "96"}, "8xlarge": {"64", "128"}, "10xlarge": {"80", "160"}, "12xlarge": {"96", "192"},
		"16xlarge": {"128", "256"}, "24xlarge": {"192", "384"}, "32xlarge": {"256", "512"},
	} {
		for i, multi := range []string{"false", "true"} {
			g, _, err := goodsOf(cloud.Lane{Provider: cloud.AWS, Service: rds}, cloud.Attributes{"class": "db.m4." + size, "engine": "postgresql", "multi_az": multi}, "USD")
			if err != nil || g.size.String() != want[i] {
				t.Errorf("%s, Multi-AZ %s: %s, want %s, %v", size, multi, g.size, want[i], err)
			}
		}
	}
}

// AWS whitepaper "Amazon EC2 Reserved Instances and Other AWS Reservation Models",
// table 3 and the example of c4.8xlarge
// (https://docs.aws.amazon.com/whitepapers/latest/cost-optimization-reservation-models/maximizing-utilization-with-size-flexibility-in-regional-reserved-instances.html).
func TestNormalizationFactors(t *testing.T) {
	for size, want := range map[string]string{
		"nano": "0.25", "micro": "0.5", "small": "1", "medium": "2", "large": "4", "xlarge": "8", "2xlarge": "16", "4xlarge": "32", "8xlarge": "64",
		"9xlarge": "72", "10xlarge": "80", "12xlarge": "96", "16xlarge": "128", "24xlarge": "192", "32xlarge": "256",
	} {
		if f, ok := Factor(size); !ok || f.String() != want {
			t.Errorf("%s: %s, want %s", size, f, want)
		}
	}
	for kind, n := range map[string]string{"c4.8xlarge": "1", "c4.4xlarge": "2", "c4.2xlarge": "4", "c4.large": "16"} {
		if covered, used := applied(t, map[string]string{kind: n}, map[string]string{"c4.8xlarge": "1"}); covered != used || covered != 64*One {
			t.Errorf("a c4.8xlarge covers %s of %s x %s, which are %s", covered, n, kind, used)
		}
	}
}

// priced sizes usage whose one unit costs so much on-demand and committed.
func priced(t *testing.T, onDemand, committed string, hours []string, method Method) Proposal {
	t.Helper()
	// Fargate is a pool of a resource; as a machine of no family it has a price alone.
	u := history(t, hours, "platform", "Windows", "on-demand rate", onDemand, "committed rate", committed)
	o := onto(u)
	o.Prices, o.Method = FromUsage(0), method
	r := size(t, u, o)
	if len(r.Proposals) != 1 {
		t.Fatalf("%+v", r)
	}
	return r.Proposals[0]
}

// perHour is an amount over a term by the hour.
func perHour(t *testing.T, a money.Amount, term cloud.Term) string {
	t.Helper()
	h, err := a.Div(term.Hours(), 2)
	if err != nil {
		t.Fatal(err)
	}
	return h.Canonical()
}

// Savings Plans User Guide, "Understanding how Savings Plans apply to your usage",
// scenario 1 (https://docs.aws.amazon.com/savingsplans/latest/userguide/sp-applying.html,
// in the version with c5 and Fargate): a c5.9xlarge (4.00 on-demand, 2.00 committed), a
// c5.24xlarge for Windows (10.00, 8.00), 10 Fargate vCPU (1.50, 1.00) and 5 GB (2.00,
// 1.00) each hour, all covered by a commitment of 25.00 per hour.
func TestSavingsPlanExample(t *testing.T) {
	sum := func(quantities, rates []string) money.Amount {
		total := money.Zero("USD")
		for i, q := range quantities {
			n, _, err := parseUnits(q, false)
			if err != nil {
				t.Fatal(err)
			}
			a, err := money.MustParse(rates[i], "USD").Mul(int64(n / One))
			if err == nil {
				total, err = total.Add(a)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return total
	}
	quantities := []string{"1", "1", "10", "5"}
	onDemand, committed := sum(quantities, []string{"4.00", "10.00", "1.50", "2.00"}), sum(quantities, []string{"2.00", "8.00", "1.00", "1.00"})
	if !committed.Equal(money.MustParse("25.00", "USD")) {
		t.Fatalf("the commitment is %s", committed)
	}
	p := priced(t, onDemand.Canonical(), committed.Canonical(), repeat(24, "1"), Method{Kind: ByKnee})
	if got := perHour(t, p.Total, p.Term); got != "25.00" {
		t.Errorf("it costs %s per hour, want 25.00", got)
	}
	if got := perHour(t, p.Savings, p.Term); got != "14.00" { // 39.00 on-demand
		t.Errorf("it saves %s per hour, want 14.00", got)
	}
}

// Google Cloud, "Analyze the effectiveness of your spend-based committed use
// discounts", example of usage equaling commitment
// (https://cloud.google.com/billing/docs/how-to/cud-analysis-spend-based): a commitment
// for 50 per hour of on-demand spend at a discount of 25% costs 37.50 per hour.
func TestCommittedUseExample(t *testing.T) {
	u := history(t, repeat(24, "1"), "platform", "Windows", "on-demand rate", "50.00")
	o := onto(u)
	o.Prices = Discounted(2500, 0)
	p := size(t, u, o).Proposals[0]
	if got := perHour(t, p.Total, p.Term); got != "37.50" {
		t.Errorf("it costs %s per hour, want 37.50", got)
	}
	if got := perHour(t, p.Savings, p.Term); got != "12.50" {
		t.Errorf("it saves %s per hour, want 12.50", got)
	}
	if p.EffectiveSavingsRateBP != 2500 || p.CoverageBP != 10_000 || p.UtilizationBP != 10_000 {
		t.Errorf("effective savings rate %d, coverage %d, utilization %d", p.EffectiveSavingsRateBP, p.CoverageBP, p.UtilizationBP)
	}
	// Savings plans sized by spend agree: 50.00 covered by a commitment of 37.50.
	o.Services, o.Prices = []cloud.Service{SavingsPlans}, Discounted(0, 2500)
	if p := size(t, u, o).Proposals[0]; p.Measure != "37.5 USD/h" {
		t.Errorf("%s", p.Measure)
	}
}

// RDS User Guide, "Reserved DB instance billing example" (the page of
// TestRDSNormalizedUnits): on-demand a db.r4.large costs 0.1386 per hour or 101.18 per
// month, reserved without upfront 0.12 per hour. The page has no savings; a month has 730
// hours in both.
func TestReservedDBInstanceExample(t *testing.T) {
	p := priced(t, "0.1386", "0.12", repeat(24, "1"), Method{Kind: ByKnee})
	replaced, err := p.Total.Add(p.Savings)
	if err != nil {
		t.Fatal(err)
	}
	month, err := replaced.Div(12, 2)
	if err != nil || month.Canonical() != "101.18" {
		t.Errorf("it replaces %s a month on-demand, want 101.18, %v", month, err)
	}
	if p.BreakEvenMonths != 11 { // 12 x 0.12 / 0.1386 = 10.4
		t.Errorf("it breaks even in %d months", p.BreakEvenMonths)
	}
}

// An hour is used in part where a reservation is larger than what runs, and a month is
// the twelfth part of a year.
func TestTermHours(t *testing.T) {
	if got := time.Duration(cloud.OneYear.Hours()) * time.Hour; got != 365*24*time.Hour {
		t.Errorf("a year has %s", got)
	}
}

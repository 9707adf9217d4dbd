package aws

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
	"bursar/internal/sim"
)

// TestPlanOfferings: every type is sold in the account's currency, the attributes of
// EC2Instance are of that type only, and the prices of a unit are exact.
func TestPlanOfferings(t *testing.T) {
	w := newWorld(t, SavingsPlans)
	all, err := w.open(t, nil).Offerings(t.Context(), driver.Query{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	prices := map[string][2]string{
		"1y all-upfront": {"0.0876", "0.00"}, "1y partial-upfront": {"0.0438", "0.000005"}, "1y no-upfront": {"0.00", "0.00001"},
		"3y all-upfront": {"0.2628", "0.00"}, "3y partial-upfront": {"0.1314", "0.000005"}, "3y no-upfront": {"0.00", "0.00001"},
	}
	for _, o := range all {
		seen[o.Attributes["plan_type"]]++
		if want := prices[o.Term.String()+" "+string(o.Payment)]; o.Upfront.Canonical() != want[0] || o.Hourly.Canonical() != want[1] {
			t.Errorf("%s %s: %s and %s an hour", o.Term, o.Payment, o.Upfront, o.Hourly)
		}
		if len(o.Attributes) != map[bool]int{true: 3, false: 1}[o.Attributes["plan_type"] == "EC2Instance"] {
			t.Errorf("attributes %s", o.Attributes)
		}
		if o.Unit.Canonical() != "0.00001" || o.Unit.Currency() != "USD" || o.Region != Global {
			t.Errorf("offering %+v", o)
		}
	}
	if seen["Compute"] != 6 || seen["SageMaker"] != 6 || seen["Database"] != 1 || seen["EC2Instance"] != 240 {
		t.Errorf("%v", seen)
	}
}

// TestPlanCommitments: what AWS does not take as a commitment is not sent.
func TestPlanCommitments(t *testing.T) {
	w := newWorld(t, SavingsPlans)
	d := w.open(t, nil)
	for _, row := range []struct {
		payment  cloud.Payment
		quantity int64
		ok       bool
	}{
		{cloud.NoUpfront, 99, false}, {cloud.NoUpfront, 100, true}, {cloud.NoUpfront, 123_457, true},
		{cloud.NoUpfront, 500_000_000, true}, {cloud.NoUpfront, mostCommitment + 1, false}, {cloud.AllUpfront, 101, true},
		{cloud.PartialUpfront, 5_000, true}, {cloud.PartialUpfront, 150_000, true}, {cloud.PartialUpfront, 150_001, false},
		{cloud.PartialUpfront, 1_000, false},
	} {
		list, err := d.Offerings(t.Context(), driver.Query{
			Attributes: cloud.Attributes{"plan_type": "Compute"}, Term: cloud.OneYear, Payment: row.payment,
		})
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		if err := d.(driver.Limiter).Allows(list[0], row.quantity); (err == nil) != row.ok {
			t.Errorf("%d %s: %v", row.quantity, row.payment, err)
		}
		r := w.request(d)
		r.Offering, r.Quantity = list[0], row.quantity
		if _, err := d.Quote(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		sent := w.Spending()
		_, err = d.Purchase(t.Context(), r)
		if want := map[bool]cloud.Outcome{true: cloud.Bought, false: cloud.Unsent}[row.ok]; driver.OutcomeOf(err) != want || (w.Spending() == sent) == row.ok {
			t.Errorf("%d %s: %v, %d requests", row.quantity, row.payment, err, w.Spending()-sent)
		}
	}
	err := d.(driver.Limiter).Allows(cloud.Offering{Payment: cloud.PartialUpfront, Term: cloud.OneYear,
		Upfront: money.MustParse("0.0438", "USD"), Unit: money.MustParse("0.00001", "USD")}, 101_000)
	if err == nil || !strings.Contains(err.Error(), "half of a commitment of 1.01 USD/h over 1y is USD 4,423.80") || !strings.Contains(err.Error(), "multiple of 0.05") {
		t.Errorf("%v", err)
	}
}

// TestForeignPlans: a plan that others bought has no name, and its odd numbers are
// read.
func TestForeignPlans(t *testing.T) {
	for name, row := range map[string]struct {
		old, new string
		check    func(c *cloud.Commitment) bool
	}{
		"no tags":      {`"tags":{"a":"1","bursar:identity":"bu-wire-1"},`, "", func(c *cloud.Commitment) bool { return c.Name == "" }},
		"whole number": {`"1.50000"`, `"2"`, func(c *cloud.Commitment) bool { return c.Quantity == 200_000 }},
		"more zeros":   {`"1.50000"`, `"1.5000000"`, func(c *cloud.Commitment) bool { return c.Quantity == 150_000 }},
		"too fine":     {`"1.50000"`, `"1.500001"`, nil},
		"negative":     {`"1.50000"`, `"-1.5"`, nil},
		"nothing":      {`"1.50000"`, `""`, nil},
		"60 % upfront": {`"6570.0"`, `"7884.0"`, func(c *cloud.Commitment) bool {
			return c.Upfront.Canonical() == "0.05256" && c.Hourly.Canonical() == "0.000004"
		}},
		"no upfront":           {`"upfrontPaymentAmount":"6570.0",`, "", nil},
		"no start":             {`"start":"2031-02-03T04:05:07.000Z",`, "", nil},
		"no family":            {`"ec2InstanceFamily":"m7g",`, "", nil},
		"no region":            {`"region":"eu-west-1",`, "", nil},
		"other account":        {testAccount, "444455556666", nil},
		"an ARN with a region": {"arn:aws:savingsplans::", "arn:aws:savingsplans:us-east-1:", nil},
		"euros":                {`"USD"`, `"EUR"`, func(c *cloud.Commitment) bool { return c.Unit.Currency() == "EUR" && c.Hourly.Currency() == "EUR" }},
		"no currency":          {`"currency":"USD",`, "", nil},
		"a compute plan":       {`"EC2Instance"`, `"Compute"`, func(c *cloud.Commitment) bool { return len(c.Attributes) == 1 }},
	} {
		w := newWire(t)
		s := shapes[SavingsPlans]
		w.bodies = s.bodies()
		w.bodies[s.product.opReserved] = strings.Replace(s.reserved, row.old, row.new, 1)
		d := w.open(t, SavingsPlans, nil)
		if w.bodies[s.product.opReserved] == s.reserved {
			t.Fatalf("%s changes nothing", name)
		}
		found, err := d.Find(t.Context(), driver.Request{Account: testAccount})
		if (err == nil) != (row.check != nil) {
			t.Errorf("%s: %+v, %v", name, found, err)
		} else if err == nil && (len(found) != 1 || !row.check(found[0].Commitment)) {
			t.Errorf("%s: %+v", name, found[0].Commitment)
		}
	}
}

// TestForeignOfferings: what is sold in another currency is left out, whatever AWS was
// asked for, and what is not whole is an error.
func TestForeignOfferings(t *testing.T) {
	for name, row := range map[string]struct {
		old, new string
		want     int // -1 is an error
	}{
		"another currency": {`"USD"`, `"CNY"`, 0},
		"no currency":      {`"USD"`, `""`, -1},
		"no family":        {`{"name":"instanceFamily","value":"m7g"}`, `{"name":"x","value":"y"}`, -1},
		"no region":        {`{"name":"region","value":"eu-west-1"}`, `{"name":"x","value":"y"}`, -1},
		"another term":     {"31536000", "63072000", 0},
		"a compute plan":   {`"EC2Instance"`, `"Compute"`, 1},
	} {
		w := newWire(t)
		s := shapes[SavingsPlans]
		w.bodies = map[string]string{s.product.opOfferings: strings.Replace(s.offering, row.old, row.new, 1)}
		list, err := w.open(t, SavingsPlans, nil).Offerings(t.Context(), driver.Query{})
		if (err != nil) != (row.want < 0) || err == nil && len(list) != row.want {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
}

// TestPlansByTag: of many plans a look for names shows those of the names.
func TestPlansByTag(t *testing.T) {
	w := newWorld(t, SavingsPlans)
	d := w.open(t, nil)
	mine, other := w.request(d), w.request(d)
	w.Stock(mine, other)
	if err := w.sim.Add(sim.Existing{Account: testAccount, Region: "global", OfferingID: w.offer.ID, Count: 5_000}); err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Hour)
	found, err := d.Find(t.Context(), mine)
	if err != nil || len(found) != 1 || found[0].Commitment.Name != mine.Identity {
		t.Errorf("%+v, %v", found, err)
	}
	mine.Identities = nil
	if found, err = d.Find(t.Context(), mine); err != nil || len(found) != 3 {
		t.Errorf("%+v, %v", found, err)
	}
	mine.Identities = []string{""}
	if found, err = d.Find(t.Context(), mine); err == nil {
		t.Errorf("an empty name was looked for among plans that have none: %+v", found)
	}
}

// TestGlobalRegion: a service without regions is opened in none, and the others in
// one.
func TestGlobalRegion(t *testing.T) {
	for _, s := range Services {
		for _, region := range []cloud.Region{Global, "us-east-1", ""} {
			_, err := Open(s, Config{Account: testAccount, Region: region, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
			if want := region == "us-east-1"; s == SavingsPlans {
				if want = region == Global; (err == nil) != want {
					t.Errorf("%s in %q: %v", s, region, err)
				}
			} else if (err == nil) != want {
				t.Errorf("%s in %q: %v", s, region, err)
			}
		}
	}
	w := newWorld(t, SavingsPlans)
	if _, err := w.open(t, nil).Find(t.Context(), driver.Request{Account: testAccount}); err != nil {
		t.Fatal(err)
	}
	for _, r := range w.sim.Requests() {
		if r.Region != "us-east-1" {
			t.Errorf("%s was signed for %s", r.Operation, r.Region)
		}
	}
}

// TestPlanWindow: a token counts for as long as the configuration says, where it is
// what stops a second plan.
func TestPlanWindow(t *testing.T) {
	w := newWorld(t, SavingsPlans)
	for want, change := range map[time.Duration]func(*Config){
		10 * time.Minute: nil,
		time.Hour:        func(c *Config) { c.TokenWindow = time.Hour },
		0:                func(c *Config) { c.QueueSavingsPlans = true },
	} {
		if got := w.open(t, change).Info(); got.Window != want || !got.Lists {
			t.Errorf("%+v, want the window %s", got, want)
		}
	}
	cfg := Config{Account: testAccount, Region: Global, TokenWindow: -1, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	if _, err := Open(SavingsPlans, cfg); err == nil {
		t.Error("a negative window was accepted")
	}
}

// TestTokenForgotten is why a token is not used again for long: afterwards it buys
// a second plan.
func TestTokenForgotten(t *testing.T) {
	w := newWorld(t, SavingsPlans)
	d := w.open(t, nil)
	r := w.request(d)
	for i, after := range []time.Duration{0, time.Minute, 25 * time.Hour} {
		w.Advance(after)
		r.Attempt = w.attempt()
		r.SendBy = w.Now().Add(20 * time.Second)
		r.Deadline = r.SendBy.Add(d.Info().Life)
		if _, err := d.Quote(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Purchase(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if want := []int{1, 1, 2}[i]; w.Owned(r) != want {
			t.Errorf("after %s: %d plans, want %d", after, w.Owned(r), want)
		}
	}
	tags := w.sim.Ledger()[0].Tags
	if !slices.Contains(tags, sim.Tag{Key: identityTag, Value: r.Identity}) || !slices.Contains(tags, sim.Tag{Key: "a", Value: "b"}) {
		t.Errorf("tags %v", tags)
	}
}

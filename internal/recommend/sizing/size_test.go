package sizing

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

const firstHour = 490_000 // 2025-11-24T16:00:00Z

// history writes a usage file of one machine type, a quantity for each hour.
func history(t testing.TB, hours []string, cells ...string) *Usage {
	t.Helper()
	var b strings.Builder
	b.WriteString(ownHead)
	for i, q := range hours {
		if q != "" {
			b.WriteString(ownRow(append([]string{"hour", hourTime(firstHour + i).Format(time.RFC3339), "quantity", q}, cells...)...))
		}
	}
	u, err := Read("u.csv", strings.NewReader(b.String()), "")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// holdOne reads a commitment that is no more than one.
func holdOne(c cloud.Commitment, source string, buyer cloud.Account) (Held, error) {
	list, err := Hold(c, source, buyer)
	if err != nil {
		return Held{}, err
	}
	return list[0], nil
}

// repeat is a quantity for each of so many hours.
func repeat(n int, quantity string) []string { return slices.Repeat([]string{quantity}, n) }

// onto are options of sizing right after a file, without guards of days.
func onto(u *Usage) Options {
	o := Defaults()
	o.AsOf, o.Services, o.Prices = u.Until(), []cloud.Service{ec2}, Discounted(4000, 3000)
	o.SpikeDays, o.MinDays = 0, 1
	return o
}

func size(t testing.TB, u *Usage, o Options) Report {
	t.Helper()
	r, err := Size(u, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// says fails unless a text is somewhere in a value's JSON.
func says(t testing.TB, v any, parts ...string) {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if !strings.Contains(b.String(), part) {
			t.Errorf("it does not say %q:\n%s", part, b.String())
		}
	}
}

func TestMethods(t *testing.T) {
	// 60 hours of 4, 30 of 8, 10 of 10.
	u := history(t, slices.Concat(repeat(60, "4"), repeat(30, "8"), repeat(10, "10")))
	for _, tc := range []struct {
		method   Method
		discount int
		want     int64
		why      string
	}{
		{Method{Kind: ByMinimum}, 4000, 4, "minimum: no hour of 100 used less than 16 normalized units"},
		{Method{ByPercentile, 60}, 4000, 4, "60% of 100 hours used at most 16 normalized units"},
		{Method{ByPercentile, 61}, 4000, 8, "61% of 100 hours used at most 32 normalized units"},
		{Method{ByPercentile, 100}, 4000, 10, "100% of 100 hours used at most 40 normalized units"},
		{Method{Kind: ByKnee}, 4000, 4, "one pays if it is used more than 60%, its price against on-demand; the last one of 4 is used 100%, the next would be used 40%"},
		{Method{Kind: ByKnee}, 6100, 8, "the last one of 8 is used 40%, the next would be used 10%"},
		{Method{Kind: ByKnee}, 6000, 4, "more than 40%"}, // neither gains nor loses: not bought
		// 580 machine-hours: half are 290, and 2 of each hour are 200, 3 are 300.
		{Method{ByCoverage, 50}, 4000, 2, "coverage: 50% of the usage lies below 11.6 normalized units"},
		{Method{ByCoverage, 100}, 4000, 10, "the last one is used 10% and would pay above 60%: less would save more"},
	} {
		t.Run(fmt.Sprint(tc.method, tc.discount), func(t *testing.T) {
			o := onto(u)
			o.Method, o.Prices = tc.method, Discounted(tc.discount, 0)
			r := size(t, u, o)
			if len(r.Proposals) != 1 || r.Proposals[0].Quantity != tc.want {
				t.Fatalf("%+v", r.Proposals)
			}
			p := r.Proposals[0]
			says(t, p.Why, tc.why)
			if p.Method != tc.method.String() || p.Buys["instance_type"] != "m6g.large" {
				t.Errorf("%s %v", p.Method, p.Buys)
			}
		})
	}
}

func TestNumbersOfAProposal(t *testing.T) {
	// 4 in 60 of 100 hours, 8 in the others; 5 of them at 40% less, half paid upfront.
	u := history(t, slices.Concat(repeat(60, "4"), repeat(40, "8")))
	o := onto(u)
	o.Method, o.Mix = Method{ByCoverage, 80}, []Part{{cloud.OneYear, cloud.PartialUpfront, 100}}
	p := size(t, u, o).Proposals[0]
	// 560 machine-hours; 80% are 448 = 400 + 40 x 1.2: 5 machines cover 440.
	for _, a := range []struct {
		name string
		got  money.Amount
		want string
	}{
		{"hourly", p.Hourly, "0.1155"},      // 5 x 0.077 x 60% / 2
		{"upfront", p.Upfront, "1011.78"},   // 0.1155 x 8760
		{"total", p.Total, "2023.56"},       // both
		{"savings", p.Savings, "944.328"},   // 4.40 machines x 0.077 x 8760 = 2967.888, less 2023.56
		{"drop 40", p.Drops[2].Savings, ""}, // below
	} {
		if a.want != "" && !a.got.Equal(money.MustParse(a.want, "USD")) {
			t.Errorf("%s: %s, want %s", a.name, a.got, a.want)
		}
	}
	if p.Quantity != 5 || p.UtilizationBP != 8800 || p.CoverageBP != 7857 || p.EffectiveSavingsRateBP != 2500 || p.BreakEvenMonths != 9 {
		t.Errorf("quantity %d, utilization %d, coverage %d, effective savings rate %d, break-even %d", p.Quantity, p.UtilizationBP, p.CoverageBP, p.EffectiveSavingsRateBP, p.BreakEvenMonths)
	}
	// A fall by 40%: 2.4 and 4.8 machines are used, all of them covered: 3.36 on average.
	d := p.Drops[2]
	if !d.OnDemand.Equal(money.MustParse("2266.3872", "USD")) || !d.Cost.Equal(p.Total) || !d.Savings.Equal(money.MustParse("242.8272", "USD")) {
		t.Errorf("%+v", d)
	}
	if !p.Drops[0].Savings.Equal(money.MustParse("782.4432", "USD")) { // 3.6 and 5: 4.16 machines
		t.Errorf("%+v", p.Drops[0])
	}
	says(t, p.Dropped, "0.8 normalized units", "less than can be bought, which is 1 of instance_type=m6g.large")
}

func TestNeverPaysBack(t *testing.T) {
	u := history(t, slices.Concat(repeat(90, "0"), repeat(10, "4")))
	o := onto(u)
	o.Method = Method{ByCoverage, 100}
	p := size(t, u, o).Proposals[0]
	if p.BreakEvenMonths != 0 || p.Savings.Sign() >= 0 || p.EffectiveSavingsRateBP >= 0 {
		t.Errorf("%+v", p)
	}
	o.Method = Method{Kind: ByKnee}
	r := size(t, u, o)
	if len(r.Proposals) != 0 {
		t.Errorf("%+v", r.Proposals)
	}
	says(t, r.Dropped, "the first one would be used 10% and pays above 60%")
}

func TestSpikeGuard(t *testing.T) {
	day := func(low, high string) []string { return append(repeat(12, low), repeat(12, high)...) }
	var hours []string
	for d := range 20 {
		if d < 5 {
			hours = append(hours, day("2", "20")...)
		} else {
			hours = append(hours, day("2", "6")...)
		}
	}
	hours = hours[:20*24]
	u := history(t, hours)
	// Days are UTC and the history begins at 16:00: the high halves of 20 days.
	o := onto(u)
	o.Method, o.SpikeDays = Method{ByPercentile, 100}, 14
	p := size(t, u, o).Proposals[0]
	if p.Quantity != 6 {
		t.Errorf("%d are proposed, want 6", p.Quantity)
	}
	says(t, p.Dropped, "spike guard: 80 normalized units were reached on", "and less than 14 days carry no commitment; 24 were reached on 14")
	o.SpikeDays = 5
	if p := size(t, u, o).Proposals[0]; p.Quantity != 20 || len(p.Dropped) != 0 {
		t.Errorf("%d are proposed, want 20: %v", p.Quantity, p.Dropped)
	}
	o.SpikeDays = 40
	r := size(t, u, o)
	if len(r.Proposals) != 0 {
		t.Errorf("%+v", r.Proposals)
	}
	says(t, r.Dropped, "spike guard")
}

func TestUnfitHistory(t *testing.T) {
	fit := func(o *Options) {}
	hours := repeat(40*24, "3")
	holes := slices.Clone(hours)
	holes[100], holes[101] = "", ""
	for _, tc := range []struct {
		name   string
		hours  []string
		change func(*Options)
		want   string // of the error; "" for none
	}{
		{"fit", hours, fit, ""},
		{"short", repeat(29*24, "3"), fit, "u.csv: holds 696 hours of history, and a commitment for years needs 30 days of it"},
		{"stale", hours, func(o *Options) { o.AsOf = o.AsOf.Add(73 * time.Hour) }, "more than 72 hours before"},
		{"to come", hours, func(o *Options) { o.AsOf = o.AsOf.Add(-2 * time.Hour) }, "which is still to come"},
		{"gaps", holes, fit, "u.csv: tells nothing of 2 hours, the first of them 2025-11-28T20:00:00Z: export it again"},
		{"gaps skipped", holes, func(o *Options) { o.Gaps = GapsSkip }, ""},
		{"service", hours, func(o *Options) { o.Services = []cloud.Service{rds} }, "u.csv: tells nothing of rds: it is about ec2"},
		{"mix", hours, func(o *Options) { o.Mix[0].Percent = 99 }, "must add up to 100"},
		{"method", hours, func(o *Options) { o.Method.Kind = "luck" }, `"luck" is not a way of sizing`},
		{"per cent", hours, func(o *Options) { o.Method = Method{ByCoverage, 101} }, "use 1 to 100"},
		{"gaps of a sort", hours, func(o *Options) { o.Gaps = "guess" }, `"guess" is not a way to take gaps`},
		{"no prices", hours, func(o *Options) { o.Prices = nil }, "needs a time and prices"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := history(t, tc.hours)
			o := Defaults()
			o.AsOf, o.Services, o.Prices = u.Until(), []cloud.Service{ec2}, Discounted(4000, 3000)
			tc.change(&o)
			r, err := Size(u, o)
			switch {
			case tc.want == "" && (err != nil || len(r.Proposals) != 1 || r.Proposals[0].Quantity != 3):
				t.Errorf("%+v, %v", r.Proposals, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%v does not contain %q", err, tc.want)
			}
			if tc.name == "gaps skipped" {
				says(t, r.Notes, "2 hours of which the file tells nothing were left out")
				if r.Curves[0].Hours != 40*24-2 {
					t.Errorf("%d hours count", r.Curves[0].Hours)
				}
			}
		})
	}
	u := history(t, holes)
	o := onto(u)
	o.Gaps, o.Method = GapsZero, Method{Kind: ByMinimum}
	says(t, size(t, u, o).Dropped, "nothing is left to cover by minimum")
}

// A pool that began lately, ended, or has no price is left out with its reason; one
// that is silent for an hour in which others speak had no usage.
func TestUnfitPools(t *testing.T) {
	var b strings.Builder
	b.WriteString(ownHead)
	const days = 40
	for i := range days * 24 {
		at := []string{"hour", hourTime(firstHour + i).Format(time.RFC3339)}
		row := func(cells ...string) { b.WriteString(ownRow(append(slices.Clone(at), cells...)...)) }
		row("resource type", "m6g.large", "quantity", "1")
		if i >= 20*24 {
			row("resource type", "c7g.large", "quantity", "1")
		}
		if i < 36*24 {
			row("resource type", "r7g.large", "quantity", "1")
		}
		if i != 77 {
			row("resource type", "t4g.large", "quantity", "5")
		}
	}
	u, err := Read("u.csv", strings.NewReader(b.String()), "")
	if err != nil {
		t.Fatal(err)
	}
	o := Defaults()
	o.AsOf, o.Services, o.Prices, o.Method = u.Until(), []cloud.Service{ec2}, Discounted(4000, 0), Method{Kind: ByMinimum}
	r := size(t, u, o)
	if len(r.Proposals) != 1 || r.Proposals[0].Family != "m6g" {
		t.Errorf("%+v", r.Proposals)
	}
	says(t, r.Dropped, "ec2 c7g", "its usage began on 2025-12-14, less than 30 days before the end", "ec2 r7g", "it had no usage in the last 72 hours of the file",
		"ec2 t4g", "nothing is left to cover by minimum")
	o.Prices = FromUsage(0)
	says(t, size(t, u, o).Dropped, "the usage file tells no committed rate of it")
}

func commitment(units int64, instance string, start time.Time, id string) cloud.Commitment {
	return cloud.Commitment{Lane: cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "us-east-1", Service: ec2}, ID: id,
		Attributes: cloud.Attributes{"instance_type": instance, "platform": "Linux/UNIX", "tenancy": "default", "offering_class": "standard"},
		Term:       cloud.OneYear, Payment: cloud.NoUpfront, Quantity: units, Hourly: money.MustParse("0.05", "USD"), State: cloud.Active, Start: start}
}

// What is held is netted unless it ends within the re-buy window.
func TestNetting(t *testing.T) {
	u := history(t, repeat(100, "10"))
	o := onto(u)
	o.Known = true
	hold := func(c cloud.Commitment, source string) {
		h, err := holdOne(c, source, "")
		if err != nil {
			t.Fatal(err)
		}
		o.Held = append(o.Held, h)
	}
	year := -365 * 24 * time.Hour
	hold(commitment(1, "m6g.xlarge", o.AsOf.Add(-time.Hour), "long"), "held")            // 2 larges
	hold(commitment(3, "m6g.large", o.AsOf.Add(year+20*24*time.Hour), "ending"), "held") // in 20 days
	hold(commitment(4, "m6g.large", o.AsOf.Add(year-time.Hour), "over"), "held")         // ended
	hold(commitment(1, "m6g.large", o.AsOf.Add(240*time.Hour), "later"), "queued")       // begins in 10 days
	hold(commitment(1, "m6g.large", o.AsOf, "line 01"), "planned")                       // proposed
	hold(commitment(9, "c7g.large", o.AsOf, "other"), "held")                            // another family
	foreign := commitment(9, "m6g.large", o.AsOf, "elsewhere")
	foreign.Account = "444455556666"
	hold(foreign, "held")
	r := size(t, u, o)
	if p := r.Proposals[0]; p.Quantity != 6 || p.CoverageBP != 10_000 {
		t.Errorf("%d are proposed with a coverage of %d, want 10 less 2, 1 and 1", p.Quantity, p.CoverageBP)
	}
	says(t, r.Proposals[0].Why, "netted: 8 normalized units of 1 commitment held", "netted: 4 normalized units of 1 commitment queued", "netted: 4 normalized units of 1 commitment planned",
		"not netted: 12 normalized units of 1 commitment that end within 30 days")
	says(t, r.Notes, "commitment other is for aws/111122223333/us-east-1/ec2 c7g", "commitment elsewhere is for aws/444455556666")
	says(t, r.Curves[0].Expiries, `"name":"ending","source":"held","ends":"12","left":"16"`)
	o.Rebuy = 0
	if p := size(t, u, o).Proposals[0]; p.Quantity != 3 {
		t.Errorf("without a window %d are proposed, want 3", p.Quantity)
	}
	hold(commitment(9, "m6g.large", o.AsOf, "more"), "held")
	r = size(t, u, o)
	if len(r.Proposals) != 0 {
		t.Errorf("more is held than used, and %d are proposed", r.Proposals[0].Quantity)
	}
	says(t, r.Dropped, "what is held covers every hour of it")
}

// A buyer holds what its accounts do, and what is not sized cannot be held.
func TestHold(t *testing.T) {
	c := commitment(2, "m6g.large", hourTime(firstHour), "ri")
	h, err := holdOne(c, "held", "999900001111")
	if err != nil || h.Pool.Account != "999900001111" || h.Units != 8*One || h.End.Sub(h.Start) != 365*24*time.Hour {
		t.Errorf("%+v, %v", h, err)
	}
	for want, change := range map[string]func(*cloud.Commitment){
		"is no service of":                     func(c *cloud.Commitment) { c.Service = "redshift-serverless" },
		"platform: is empty":                   func(c *cloud.Commitment) { c.Attributes = cloud.Attributes{"instance_type": "m6g.large"} },
		"more than 1,000,000 units in an hour": func(c *cloud.Commitment) { c.Quantity = 1 << 62 },
		"a savings plan of type": func(c *cloud.Commitment) {
			c.Service, c.Attributes = SavingsPlans, cloud.Attributes{"plan_type": "Database"}
		},
	} {
		c := c
		change(&c)
		if _, err := holdOne(c, "held", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not contain %q", err, want)
		}
	}
}

// A zonal reservation is netted from the usage of its zone, and where the file tells no
// zones from that of the region.
func TestZonalReservations(t *testing.T) {
	c := commitment(3, "m6g.large", hourTime(firstHour), "zonal")
	c.Service = ec2Zonal
	c.Attributes["zone"] = "us-east-1a"
	h, err := holdOne(c, "held", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		cells []string
		want  int64
	}{
		{nil, 7},
		{[]string{"service", "ec2-zonal", "zone", "us-east-1a"}, 7},
		{[]string{"service", "ec2-zonal", "zone", "us-east-1b"}, 10},
	} {
		u := history(t, repeat(100, "10"), tc.cells...)
		o := onto(u)
		o.Services, o.Known, o.Held = []cloud.Service{ec2, ec2Zonal}, true, []Held{h}
		if p := size(t, u, o).Proposals[0]; p.Quantity != tc.want {
			t.Errorf("%v: %d are proposed, want %d", tc.cells, p.Quantity, tc.want)
		}
	}
}

// Without a list, what the file says is covered is not covered again.
func TestCoveredUsage(t *testing.T) {
	u := history(t, repeat(100, "10"), "covered", "3", "covered by plan", "2")
	r := size(t, u, onto(u))
	if p := r.Proposals[0]; p.Quantity != 5 || p.CoverageBP != 10_000 {
		t.Errorf("%d are proposed with a coverage of %d, want 5 and all", p.Quantity, p.CoverageBP)
	}
	says(t, r.Notes, "what the usage file says is covered is not covered again")
	o := onto(u)
	// A list that does not explain what is covered: somebody else's commitments do it.
	o.Known = true
	r = size(t, u, o)
	if p := r.Proposals[0]; p.Quantity != 5 {
		t.Errorf("%d are proposed, want 5", p.Quantity)
	}
	says(t, r.Notes, "more is covered in 100 hours than by the commitments listed")
	// One that has ended explains two of three: they are to be covered again.
	h, err := holdOne(commitment(2, "m6g.large", o.AsOf.Add(-365*24*time.Hour), "over"), "held", "")
	if err != nil {
		t.Fatal(err)
	}
	o.Held = []Held{h}
	if p := size(t, u, o).Proposals[0]; p.Quantity != 7 {
		t.Errorf("%d are proposed, want 7", p.Quantity)
	}
	// The same of a plan: nobody's is left alone, and one that has ended is sized again.
	o.Services, o.Prices, o.Held = []cloud.Service{SavingsPlans}, Discounted(0, 5000), nil
	if p := size(t, u, o).Proposals[0]; p.Measure != "0.1925 USD/h" { // half of 5 x 0.077
		t.Errorf("%s, want the half of what nothing covers", p.Measure)
	}
	plan, err := holdOne(cloud.Commitment{Lane: cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "global", Service: SavingsPlans}, ID: "sp-0",
		Attributes: cloud.Attributes{"plan_type": "Compute"}, Term: cloud.OneYear, Quantity: 100_000, Unit: money.MustParse("0.00001", "USD"),
		Hourly: money.MustParse("0.00001", "USD"), Start: o.AsOf.Add(-365 * 24 * time.Hour)}, "held", "")
	if err != nil {
		t.Fatal(err)
	}
	o.Held = []Held{plan}
	if p := size(t, u, o).Proposals[0]; p.Measure != "0.2695 USD/h" { // 7 x 0.077
		t.Errorf("%s, want also the half of what the plan covered", p.Measure)
	}
	o = onto(u)
	o.Method = Method{ByCoverage, 80}
	if p := size(t, u, o).Proposals[0]; p.Quantity != 3 || p.CoverageBP != 8_000 {
		t.Errorf("%d are proposed with a coverage of %d, want 3 to 80%%", p.Quantity, p.CoverageBP)
	}
	r = size(t, history(t, repeat(100, "1")), onto(u))
	says(t, r.Notes, "nothing is netted")
}

// A saving is counted once: a plan is sized from what reservations leave.
func TestPlanOnTheRest(t *testing.T) {
	u := history(t, slices.Concat(repeat(50, "10"), repeat(50, "20")))
	o := onto(u)
	o.Services = []cloud.Service{ec2, SavingsPlans}
	o.Prices = Discounted(4000, 6000) // a plan that pays at 40%
	r := size(t, u, o)
	if len(r.Proposals) != 2 || r.Proposals[0].Quantity != 10 {
		t.Fatalf("%+v", r.Proposals)
	}
	// 10 machines at 0.077 are left in half of the hours: 0.77 on-demand, 0.308 committed.
	plan := r.Proposals[1]
	if plan.Measure != "0.308 USD/h" || plan.UtilizationBP != 5000 || plan.CoverageBP != 10_000 || plan.Service != SavingsPlans || plan.Region != "global" {
		t.Errorf("%+v", plan)
	}
	// Together they replace no more than there is.
	sum, err := r.Proposals[0].Savings.Add(plan.Savings)
	if err != nil || !sum.Equal(money.MustParse("3372.60", "USD")) { // 2697.  + (0.385 - 0.308) x 8760
		t.Errorf("together they save %s, %v", sum, err)
	}
	// Alone, the plan covers what reservations would have.
	o.Services = []cloud.Service{SavingsPlans}
	if p := size(t, u, o).Proposals; len(p) != 1 || p[0].Measure != "0.616 USD/h" {
		t.Errorf("%+v", p)
	}
	// A plan that is held is netted from the plan, and stays out of reservations where the
	// file tells what it covers.
	o.Services, o.Known = []cloud.Service{ec2, SavingsPlans}, true
	held, err := holdOne(cloud.Commitment{Lane: cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "global", Service: SavingsPlans}, ID: "sp-1",
		Attributes: cloud.Attributes{"plan_type": "Compute"}, Term: cloud.OneYear, Quantity: 10_000, Unit: money.MustParse("0.00001", "USD"),
		Hourly: money.MustParse("0.00001", "USD"), Start: o.AsOf}, "held", "")
	if err != nil {
		t.Fatal(err)
	}
	o.Held = []Held{held}
	r = size(t, u, o)
	if p := r.Proposals[1]; p.Measure != "0.208 USD/h" {
		t.Errorf("%s is proposed, want 0.308 less 0.1", p.Measure)
	}
	says(t, r.Notes, "the savings plans that 111122223333 holds cover more than reservations leave of its usage in 50 of 100 hours")
	// What the file says that the plan covers is left to it, and no more is bought.
	covered := history(t, repeat(100, "10"), "covered by plan", "2")
	o.Held[0].Start = o.AsOf.AddDate(0, -6, 0)
	o.Held[0].Spend = money.MustParse("0.0616", "USD") // 2 x 0.077 at 60% less
	r = size(t, covered, o)
	if len(r.Proposals) != 1 || r.Proposals[0].Quantity != 8 || len(r.Notes) != 0 {
		t.Errorf("%+v, %q", r.Proposals, r.Notes)
	}
	says(t, r.Dropped, "what is held covers every hour of it")
	o.Services = []cloud.Service{ec2}
	says(t, size(t, u, o).Notes, "savings plan sp-1 is held: size savingsplans, too")
}

// A plan is bought by what AWS sells.
func TestPlanRounding(t *testing.T) {
	u := history(t, repeat(100, "1")) // 0.077 on-demand
	o := onto(u)
	o.Services, o.Prices = []cloud.Service{SavingsPlans}, Discounted(0, 3000)
	if p := size(t, u, o).Proposals[0]; p.Measure != "0.0539 USD/h" {
		t.Errorf("%s", p.Measure)
	}
	o.Mix = []Part{{cloud.OneYear, cloud.PartialUpfront, 100}}
	p := size(t, u, o).Proposals[0]
	if p.Measure != "0.05 USD/h" || !p.Upfront.Equal(money.MustParse("219", "USD")) {
		t.Errorf("%s, %s upfront", p.Measure, p.Upfront)
	}
	u = history(t, repeat(100, "0.001"))
	o = onto(u)
	o.Services, o.Prices = []cloud.Service{SavingsPlans}, Discounted(0, 3000)
	says(t, size(t, u, o).Dropped, "is less than can be bought, which is 0.001 USD/h")
}

// The first part of a mix takes the steadiest usage.
func TestMix(t *testing.T) {
	u := history(t, slices.Concat(repeat(50, "10"), repeat(50, "20")))
	o := onto(u)
	o.Method = Method{ByPercentile, 100}
	o.Mix = []Part{{cloud.ThreeYears, cloud.AllUpfront, 35}, {cloud.OneYear, cloud.NoUpfront, 65}}
	r := size(t, u, o)
	if len(r.Proposals) != 2 {
		t.Fatalf("%+v", r.Proposals)
	}
	base, flex := r.Proposals[0], r.Proposals[1]
	if base.Quantity != 7 || base.Term != cloud.ThreeYears || base.UtilizationBP != 10_000 || base.Hourly.Sign() != 0 || flex.Quantity != 13 || flex.UtilizationBP != 6153 {
		t.Errorf("%d %s used %d, %d %s used %d", base.Quantity, base.Term, base.UtilizationBP, flex.Quantity, flex.Term, flex.UtilizationBP)
	}
	if base.CoverageBP != 4666 || flex.CoverageBP != 10_000 {
		t.Errorf("coverage %d and %d", base.CoverageBP, flex.CoverageBP)
	}
}

// Sizes of a family are one pool where the cloud applies reservations to all of them.
func TestFlexibility(t *testing.T) {
	lane := cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "us-east-1"}
	for _, tc := range []struct {
		service cloud.Service
		a       cloud.Attributes
		units   string // of one
		pool    string
	}{
		{ec2, cloud.Attributes{"instance_type": "t2.nano", "platform": "Linux/UNIX", "tenancy": "default"}, "0.25", "t2 platform=Linux/UNIX tenancy=default"},
		{ec2, cloud.Attributes{"instance_type": "t2.small", "platform": "Linux/UNIX (Amazon VPC)", "tenancy": "default"}, "1", "t2 platform=Linux/UNIX tenancy=default"},
		{ec2, cloud.Attributes{"instance_type": "i3.metal", "platform": "Linux/UNIX", "tenancy": "default"}, "128", "i3 platform=Linux/UNIX tenancy=default"},
		{ec2, cloud.Attributes{"instance_type": "u-6tb1.metal", "platform": "Linux/UNIX", "tenancy": "default"}, "896", "u-6tb1 platform=Linux/UNIX tenancy=default"},
		{ec2, cloud.Attributes{"instance_type": "x9.metal", "platform": "Linux/UNIX", "tenancy": "default"}, "1", "x9 instance_type=x9.metal platform=Linux/UNIX tenancy=default"},
		{ec2, cloud.Attributes{"instance_type": "g5.xlarge", "platform": "Linux/UNIX", "tenancy": "default"}, "1", "g5 instance_type=g5.xlarge platform=Linux/UNIX tenancy=default"},
		{ec2, cloud.Attributes{"instance_type": "m5.large", "platform": "Windows", "tenancy": "default"}, "1", "m5 instance_type=m5.large platform=Windows tenancy=default"},
		{ec2, cloud.Attributes{"instance_type": "m5.large", "platform": "Linux/UNIX", "tenancy": "dedicated"}, "1", "m5 instance_type=m5.large platform=Linux/UNIX tenancy=dedicated"},
		{ec2Zonal, cloud.Attributes{"instance_type": "m5.large", "platform": "Linux/UNIX", "tenancy": "default", "zone": "us-east-1a"}, "1", "m5 instance_type=m5.large platform=Linux/UNIX tenancy=default zone=us-east-1a"},
		{rds, cloud.Attributes{"class": "db.r6g.xlarge", "engine": "mysql", "multi_az": "true"}, "16", "db.r6g engine=mysql"},
		{rds, cloud.Attributes{"class": "db.r6g.xlarge", "engine": "mysql", "multi_az": "false"}, "8", "db.r6g engine=mysql"},
		{rds, cloud.Attributes{"class": "db.r5.xlarge", "engine": "sqlserver-se(li)", "multi_az": "true"}, "1", "db.r5 class=db.r5.xlarge engine=sqlserver-se(li) multi_az=true"},
		{openSearch, cloud.Attributes{"instance_type": "r6g.large.search"}, "1", "r6g instance_type=r6g.large.search"},
		{memoryDB, cloud.Attributes{"node_type": "db.r7g.xlarge"}, "8", "db.r7g"},
		{elastiCache, cloud.Attributes{"node_type": "cache.r7g.2xlarge", "engine": "valkey"}, "16", "cache.r7g engine=valkey"},
		{redshift, cloud.Attributes{"node_type": "ra3.4xlarge"}, "1", "ra3 node_type=ra3.4xlarge"},
	} {
		lane.Service = tc.service
		g, _, err := goodsOf(lane, tc.a, "USD")
		if err != nil || g.size.String() != tc.units || strings.TrimSpace(g.pool.Family+" "+g.pool.Attributes.String()) != tc.pool {
			t.Errorf("%v: %s of %q, %v", tc.a, g.size, g.pool.Family+" "+g.pool.Attributes.String(), err)
		}
	}
}

// Different rates of one pool are said, and the lowest is taken.
func TestRatesDiffer(t *testing.T) {
	var b strings.Builder
	b.WriteString(ownHead)
	for i := range 48 {
		at := hourTime(firstHour + i).Format(time.RFC3339)
		b.WriteString(ownRow("hour", at, "quantity", "1", "committed rate", "0.05"))
		b.WriteString(ownRow("hour", at, "quantity", "1", "resource type", "m6g.xlarge", "on-demand rate", "0.20", "committed rate", "0.08"))
	}
	u, err := Read("u.csv", strings.NewReader(b.String()), "")
	if err != nil {
		t.Fatal(err)
	}
	o := onto(u)
	o.Prices = FromUsage(0)
	p := size(t, u, o).Proposals[0]
	says(t, p.Why, "on-demand rates of its usage differ, from USD 0.077 to USD 0.10 for one: the lowest is used", "the committed rate of the usage file")
	if p.Quantity != 3 || !p.Hourly.Equal(money.MustParse("0.15", "USD")) {
		t.Errorf("%d at %s", p.Quantity, p.Hourly)
	}
}

func TestFine(t *testing.T) {
	third := big.NewRat(1, 3)
	if a, err := fine(third, "USD", true); err != nil || a.Decimal() != "0.3333333334" {
		t.Errorf("%s, %v", a, err)
	}
	if a, err := fine(third, "USD", false); err != nil || a.Decimal() != "0.3333333333" {
		t.Errorf("%s, %v", a, err)
	}
	if a, err := amountUp(third, "USD"); err != nil || a.Decimal() != "0.333334" {
		t.Errorf("%s, %v", a, err)
	}
	if a, err := amountDown(new(big.Rat).Neg(third), "USD"); err != nil || a.Decimal() != "-0.333334" {
		t.Errorf("%s, %v", a, err)
	}
}

// Prices that are none leave a pool out, with the reason.
func TestUnfitPrices(t *testing.T) {
	u := history(t, repeat(100, "1"))
	zero, cent := money.Zero("USD"), money.MustParse("0.01", "USD")
	for _, tc := range []struct {
		services []cloud.Service
		offer    Offer
		err      error
		want     string
	}{
		{[]cloud.Service{ec2}, Offer{Upfront: zero, Hourly: zero}, nil, "its price is zero"},
		{[]cloud.Service{ec2}, Offer{Upfront: money.Zero("EUR"), Hourly: money.MustParse("1", "EUR")}, nil, "its price is in EUR and its usage in USD"},
		{[]cloud.Service{ec2}, Offer{}, errors.New("the shop is closed"), "the shop is closed"},
		{[]cloud.Service{SavingsPlans}, Offer{Upfront: zero, Hourly: cent}, nil, "does not say what one covers"},
		{[]cloud.Service{SavingsPlans}, Offer{Upfront: zero, Hourly: cent, Unit: cent, Worth: big.NewRat(1, 1_000_000_000)}, nil, "covers too little to be counted"},
	} {
		o := onto(u)
		o.Services, o.Prices = tc.services, func(Ask) (Offer, error) { return tc.offer, tc.err }
		r := size(t, u, o)
		if len(r.Proposals) != 0 {
			t.Errorf("%+v", r.Proposals)
		}
		says(t, r.Dropped, tc.want)
	}
	o := onto(u)
	o.Mix[0].Payment = "later"
	says(t, size(t, u, o).Dropped, "is not a payment option")
}

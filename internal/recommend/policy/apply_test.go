package policy

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/recommend"
)

func rds(line int, quantity int64, change ...func(*recommend.Draft)) recommend.Draft {
	d := recommend.Draft{
		At: recommend.Position{File: "ce.json", Line: line}, Provider: cloud.AWS, Service: "rds", Account: "111122223333", Region: "us-east-1",
		Attributes: cloud.Attributes{"engine": "mysql", "class": "db.m6g.large", "multi_az": "false"}, Term: cloud.OneYear, Payment: cloud.NoUpfront,
		Quantity: quantity, Claim: recommend.Claim{Source: "Cost Explorer", Window: 30, Savings: money.MustParse("100", "USD"), Of: quantity},
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func class(name string) func(*recommend.Draft) {
	return func(d *recommend.Draft) {
		d.Attributes = cloud.Attributes{"engine": "mysql", "class": name, "multi_az": "false"}
	}
}

func owns(d recommend.Draft, n int64, days int, change ...func(*Owned)) Owned {
	o := Owned{Lane: laneOf(d), Attributes: d.Attributes, Term: d.Term, Payment: d.Payment, Quantity: n, Currency: "USD", Held: Active,
		Starts: now.AddDate(0, 0, -days), Ends: now.AddDate(0, 0, 365-days), Name: "commitment c"}
	for _, c := range change {
		c(&o)
	}
	return o
}

// apply applies a policy to drafts that cost 0.10 USD an hour each, or 876 USD upfront.
func apply(t *testing.T, text string, s Situation, drafts ...recommend.Draft) *Result {
	t.Helper()
	p, err := Read("p.yaml", []byte(head+text))
	if err != nil {
		t.Fatal(err)
	}
	if s.Now.IsZero() {
		s.Now = now
	}
	run := p.Choose(recommend.Input{Drafts: drafts}, s)
	var offerings []cloud.Offering
	for _, d := range run.Drafts() {
		o := cloud.Offering{Provider: d.Provider, Service: d.Service, Region: d.Region, Attributes: d.Attributes, Term: d.Term, Payment: d.Payment,
			Upfront: money.Zero("USD"), Hourly: money.MustParse("0.1", "USD")}
		if d.Payment == cloud.AllUpfront {
			o.Upfront, o.Hourly = money.MustParse("876", "USD"), money.Zero("USD")
		}
		offerings = append(offerings, o)
	}
	r, err := run.Size(offerings, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// bought writes the quantities of the lines: "8 2".
func bought(r *Result) string {
	var parts []string
	for _, d := range r.Input.Drafts {
		parts = append(parts, d.Amount(d.Quantity))
	}
	return strings.Join(parts, " ")
}

// told is all that a result says, a line for each step.
func told(r *Result) string {
	var b strings.Builder
	for _, e := range r.Entries {
		for _, s := range e.Steps {
			b.WriteString(s.Rule + " | " + s.Says + " | " + s.At + "\n")
		}
	}
	return b.String()
}

func TestRules(t *testing.T) {
	d := rds(2, 10)
	big := rds(3, 4, class("db.r6g.large"))
	xl, multi := rds(4, 6, class("db.m6g.xlarge")), rds(5, 1, func(d *recommend.Draft) {
		d.Attributes = cloud.Attributes{"engine": "mysql", "class": "db.m6g.large", "multi_az": "true"}
	})
	rigid := func(d recommend.Draft) recommend.Draft {
		d.Attributes = maps.Clone(d.Attributes)
		d.Attributes["engine"] = "sqlserver-se(li)"
		return d
	}
	open := rigid(d) // it does not say whether it is Multi-AZ
	delete(open.Attributes, "multi_az")
	class2 := func(d recommend.Draft, name string) recommend.Draft {
		class(name)(&d)
		return d
	}
	const mix = "mix: [{term: 1y, payment: no-upfront, part: 60%}, {term: 3y, payment: all-upfront, part: 40%}]"
	year := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	past := func(plan string, days int, d recommend.Draft, n int64) Past {
		o := cloud.Offering{Term: d.Term, Upfront: money.Zero("USD"), Hourly: money.MustParse("0.1", "USD")}
		price, err := o.Price(n)
		if err != nil {
			t.Fatal(err)
		}
		return Past{Plan: plan, At: year(days), Lane: laneOf(d), Goods: d.Attributes, Offering: o, Price: price, Quantity: n}
	}
	for _, c := range []struct {
		name   string
		policy string
		s      Situation
		drafts []recommend.Draft
		want   string
		says   string // a part of what is told; "" asks for nothing
	}{
		{name: "all that is advised", want: "10 4", drafts: []recommend.Draft{d, big}},
		{name: "coverage", policy: "coverage: [{percent: 75%}]", want: "7", says: "coverage | 75% of 10 is 7.5, rounded down to 7 | p.yaml:3: coverage[0]"},
		{name: "no coverage of one", policy: "coverage: [{percent: 75%}]", drafts: []recommend.Draft{rds(2, 1)}, says: "coverage | 75% of 1 is 0.75, less than one | p.yaml:3: coverage[0]"},
		{name: "coverage for once", policy: "coverage: [{percent: 75%}]", s: Situation{Coverage: 50}, want: "5", says: "50% of 10 is 5 | --coverage"},
		// The advice leaves out what was active before it looked.
		{name: "active for long", policy: "coverage: [{percent: 80%}]", s: Situation{Owned: []Owned{owns(d, 30, 200)}}, want: "2",
			says: "80% of 40 (10 advised, and 30 that is active longer than 30 days, which the advice leaves out) is 32"},
		{name: "active for long, all to be covered", s: Situation{Owned: []Owned{owns(d, 30, 200)}}, want: "10"},
		{name: "active since a week", s: Situation{Owned: []Owned{owns(d, 3, 7)}}, want: "7", says: "net | 3 active already: commitment c until 2027-11-16; 7 is left"},
		{name: "recent is longer", policy: "recent: 300d", s: Situation{Owned: []Owned{owns(d, 3, 200)}}, want: "7"},
		{name: "of all usage", s: Situation{Owned: []Owned{owns(d, 3, 200)}}, want: "7", drafts: []recommend.Draft{rds(2, 10, func(d *recommend.Draft) { d.Claim.Usage = true })}},
		{name: "on other terms", s: Situation{Owned: []Owned{owns(d, 3, 7, func(o *Owned) { o.Term, o.Payment = cloud.ThreeYears, cloud.AllUpfront })}}, want: "7"},
		{name: "of another class", s: Situation{Owned: []Owned{owns(big, 3, 7)}}, want: "10"},
		{name: "of another account", s: Situation{Owned: []Owned{owns(d, 3, 7, func(o *Owned) { o.Lane.Account = "444455556666" })}}, want: "10"},
		{name: "queued and planned", s: Situation{Owned: []Owned{owns(d, 3, 7, func(o *Owned) { o.Held = Queued }), owns(d, 4, 7, func(o *Owned) { o.Held = Planned })}}, want: "3",
			says: "net | 4 planned already: commitment c until 2027-11-16; 3 is left"},
		{name: "more than enough", s: Situation{Owned: []Owned{owns(d, 30, 7)}}, says: "net | nothing is left to buy | "},
		// Other sizes of the family: large counts 4, xlarge 8, and Multi-AZ twice.
		{name: "another size", s: Situation{Owned: []Owned{owns(xl, 2, 7)}}, want: "6", says: "net | 2 db.m6g.xlarge active are 4 of db.m6g.large: commitment c until 2027-11-16; 6 is left"},
		{name: "a smaller size", s: Situation{Owned: []Owned{owns(d, 4, 7)}}, drafts: []recommend.Draft{xl}, want: "4", says: "net | 4 db.m6g.large active are 2 of db.m6g.xlarge: commitment c until 2027-11-16; 4 is left"},
		{name: "a part of a size", s: Situation{Owned: []Owned{owns(d, 3, 7)}}, drafts: []recommend.Draft{xl}, want: "4", says: "net | 3 db.m6g.large active are 1.5 of db.m6g.xlarge: commitment c until 2027-11-16; 4.5 is left"},
		{name: "less than one of a size is left", s: Situation{Owned: []Owned{owns(d, 11, 7)}}, drafts: []recommend.Draft{xl}, says: "net | 0.5 is left, less than one"},
		{name: "Multi-AZ", s: Situation{Owned: []Owned{owns(multi, 3, 7)}}, want: "4", says: "net | 3 db.m6g.large Multi-AZ active are 6 of db.m6g.large"},
		{name: "another size, queued and planned", s: Situation{Owned: []Owned{owns(xl, 1, 7, func(o *Owned) { o.Held = Queued }), owns(xl, 2, 7, func(o *Owned) { o.Held = Planned })}}, want: "4",
			says: "net | 2 db.m6g.xlarge planned are 4 of db.m6g.large"},
		{name: "another size of an engine that is rigid", s: Situation{Owned: []Owned{owns(rigid(xl), 2, 7)}}, drafts: []recommend.Draft{rigid(d)}, want: "10"},
		{name: "another size of another engine", s: Situation{Owned: []Owned{owns(rigid(xl), 2, 7)}}, want: "10"},
		{name: "another size that was sized", s: Situation{Owned: []Owned{owns(xl, 2, 7)}}, drafts: []recommend.Draft{rds(2, 10, func(d *recommend.Draft) { d.Claim.Usage = true })}, want: "10"},
		{name: "another size for long", policy: "coverage: [{percent: 80%}]", s: Situation{Owned: []Owned{owns(xl, 15, 200)}}, want: "2",
			says: "80% of 40 (10 advised, and 30 that is active longer than 30 days, which the advice leaves out) is 32"},
		{name: "another size for long, all to be covered", s: Situation{Owned: []Owned{owns(xl, 15, 200)}}, want: "10"},
		{name: "another size that ends soon", policy: "rebuy: 30d", s: Situation{Owned: []Owned{owns(xl, 2, 340)}}, want: "10 2"},
		// One commitment is taken off one line: first that of its size, and what that does not need off the others.
		{name: "two sizes", s: Situation{Owned: []Owned{owns(xl, 2, 7)}}, drafts: []recommend.Draft{d, xl}, want: "10 4"},
		{name: "more than its size needs", s: Situation{Owned: []Owned{owns(xl, 8, 7)}}, drafts: []recommend.Draft{d, xl}, want: "6", says: "net | 2 db.m6g.xlarge active are 4 of db.m6g.large"},
		{name: "more than its size needs, but for long", policy: "coverage: [{percent: 80%}]", s: Situation{Owned: []Owned{owns(d, 30, 200)}},
			drafts: []recommend.Draft{rds(2, 2), xl}, want: "4", says: "net | nothing is left to buy"},
		{name: "it covers one of two lines", s: Situation{Owned: []Owned{owns(open, 3, 7)}}, drafts: []recommend.Draft{rigid(d), rigid(rds(5, 9, func(d *recommend.Draft) {
			d.Attributes = multi.Attributes
		}))}, want: "7 9"},
		{name: "two other sizes", s: Situation{Owned: []Owned{owns(class2(d, "db.m6g.2xlarge"), 3, 7)}}, drafts: []recommend.Draft{d, xl}, want: "5", says: "net | 0.5 db.m6g.2xlarge active are 1 of db.m6g.xlarge"},
		// What ends soon.
		{name: "it ends soon", policy: "rebuy: 30d", s: Situation{Owned: []Owned{owns(d, 3, 340)}}, want: "13", says: "rebuy | not counted, as it ends within 30 days: commitment c until 2026-12-18 | p.yaml:3: rebuy"},
		{name: "it ends later", policy: "rebuy: 20d", s: Situation{Owned: []Owned{owns(d, 3, 340)}}, want: "10"},
		{name: "it renews by itself", policy: "rebuy: 30d", s: Situation{Owned: []Owned{owns(d, 3, 340, func(o *Owned) { o.Renews = true })}}, want: "10",
			says: "rebuy | counted, as the cloud renews it by itself: commitment c until 2026-12-18; turn its renewal off to have it planned here"},
		{name: "nobody advises it", policy: "rebuy: 30d\nfilters: {min_savings: 1 USD}", s: Situation{Owned: []Owned{owns(big, 3, 340)}}, want: "10 3",
			says: "rebuy | commitment c of 3 ends on 2026-12-18, and what ends within 30 days is bought again"},
		{name: "nobody advises it, and it renews by itself", policy: "rebuy: 30d", s: Situation{Owned: []Owned{owns(big, 3, 340, func(o *Owned) { o.Renews = true })}}, want: "10"},
		{name: "two end on different terms", policy: "rebuy: 30d\nterms: [{term: 3y, payment: all-upfront}, {term: 1y, payment: no-upfront}]", want: "10 5",
			s:    Situation{Owned: []Owned{owns(big, 3, 340), owns(big, 2, 340, func(o *Owned) { o.Term, o.Payment = cloud.ThreeYears, cloud.AllUpfront })}},
			says: "USD 4,380.00 over 3y"},
		{name: "it was bought again", policy: "rebuy: 30d", s: Situation{Owned: []Owned{owns(big, 3, 340), owns(big, 3, 2)}}, want: "10", says: "3 active already"},
		{name: "it is not used any more", policy: "rebuy: 30d", s: Situation{Owned: []Owned{owns(big, 3, 340)}}, want: "10", drafts: []recommend.Draft{rds(2, 10, func(d *recommend.Draft) { d.Claim.Usage = true })}},
		// Filters.
		{name: "families", policy: "filters: {families: {only: [r6*]}}", drafts: []recommend.Draft{d, big}, want: "4", says: "filters | m6g is not one of r6* | p.yaml:3: filters.families.only"},
		{name: "versions", policy: `filters: {extended_support: [{engine: mysql, versions: ["5.7"]}]}`, drafts: []recommend.Draft{rds(2, 10, func(d *recommend.Draft) { d.Claim.Version = "5.7.44" })},
			says: "filters | it is for version 5.7.44, which is in extended support"},
		{name: "versions that only begin alike", policy: `filters: {extended_support: [{engine: mysql, versions: ["5.7"]}]}`, drafts: []recommend.Draft{rds(2, 10, func(d *recommend.Draft) { d.Claim.Version = "5.70" })}, want: "10"},
		{name: "versions that nobody says", policy: `filters: {extended_support: [{engine: mysql, versions: ["5.7"]}]}`, want: "10", says: "filters | not asked: the source does not say which version"},
		{name: "savings", policy: "filters: {min_savings: 101 USD}", says: "filters | it saves USD 100.00 a month, less than USD 101.00 | p.yaml:3: filters.min_savings"},
		{name: "enough savings", policy: "filters: {min_savings: 100 USD}", want: "10"},
		{name: "savings in another currency", policy: "filters: {min_savings: 1 EUR}", says: "there is no exchange rate"},
		{name: "savings that nobody says", policy: "filters: {min_savings: 1 USD}", drafts: []recommend.Draft{rds(2, 10, func(d *recommend.Draft) { d.Claim.Savings = money.Amount{} })},
			says: "the source does not say what it saves in USD"},
		// 10 cost 730 a month: 100 of 830 is 12.04%.
		{name: "per cent", policy: "filters: {min_savings_percent: 12.05%}", says: "filters | it saves 12.04%, less than 12.05%"},
		{name: "enough per cent", policy: "filters: {min_savings_percent: 12.04%}", want: "10"},
		// 8,760 upfront, and 730 and 100 a month less: 10.55 months.
		{name: "break-even", policy: "filters: {max_break_even: 10}", drafts: []recommend.Draft{rds(2, 10, func(d *recommend.Draft) { d.Payment = cloud.AllUpfront })},
			says: "filters | it breaks even after 10.55 months, later than 10"},
		{name: "break-even in time", policy: "filters: {max_break_even: 11}", drafts: []recommend.Draft{rds(2, 10, func(d *recommend.Draft) { d.Payment = cloud.AllUpfront })}, want: "10"},
		{name: "nothing upfront breaks even at once", policy: "filters: {max_break_even: 0}", want: "10"},
		{name: "terms", policy: "terms: [{term: 1y, payment: all-upfront}]", says: "terms | 1y no-upfront is not one of the terms for rds"},
		{name: "terms of another service", policy: "terms: [{service: ec2, term: 1y, payment: all-upfront}]", want: "10"},
		{name: "the preferred terms", policy: "terms: [{term: 1y, payment: all-upfront}, {term: 1y, payment: no-upfront}]",
			drafts: []recommend.Draft{d, rds(3, 9, func(d *recommend.Draft) { d.Payment = cloud.AllUpfront })}, want: "9",
			says: "terms | the same goods are advised for 1y all-upfront, which is preferred: ce.json:3 | p.yaml:3: terms[0]"},
		{name: "no preferred terms", drafts: []recommend.Draft{d, rds(3, 9, func(d *recommend.Draft) { d.Payment = cloud.AllUpfront })},
			says: "terms | the same goods are advised on other terms at ce.json:3: write under terms which are preferred"},
		// A mix divides what is left to buy.
		{name: "a mix", policy: mix, want: "6 4", says: "mix | 40% of 10 on 3y all-upfront: 4, part 2 of 2 | p.yaml:3: mix[1]"},
		{name: "a mix of what is left", policy: mix, s: Situation{Owned: []Owned{owns(d, 3, 7)}}, want: "4 3", says: "net | 3 active already"},
		{name: "a mix of one", policy: mix, drafts: []recommend.Draft{rds(2, 1)}, want: "1", says: "mix | 60% of 1 on 1y no-upfront: its part is 0, of which nothing can be bought"},
		{name: "a mix with a ladder", policy: mix + "\nladder: {tranches: 4, interval: 30d}", drafts: []recommend.Draft{rds(2, 40)}, want: "6 4"},
		{name: "a mix of what is advised on both terms", policy: mix, drafts: []recommend.Draft{d, rds(3, 9, func(d *recommend.Draft) { d.Term, d.Payment = cloud.ThreeYears, cloud.AllUpfront })}, want: "6 4",
			says: "mix | the same goods are advised at ce.json:2, which is divided over the terms of the mix"},
		{name: "a part of which nobody says what it saves", policy: mix + "\nfilters: {min_savings: 1 USD}", want: "6", says: "filters | the source does not say what it saves"},
		{name: "both parts say what they save", policy: mix + "\nfilters: {min_savings: 1 USD}", want: "6 4",
			drafts: []recommend.Draft{d, rds(3, 9, func(d *recommend.Draft) { d.Term, d.Payment = cloud.ThreeYears, cloud.AllUpfront })}},
		{name: "a mix of nothing", policy: mix, s: Situation{Owned: []Owned{owns(d, 30, 7)}}, says: "net | nothing is left to buy"},
		{name: "a mix for another service", policy: strings.ReplaceAll(mix, "{term", "{service: ec2, term"), want: "10"},
		{name: "terms of the service before a mix for all", policy: mix + "\nterms: [{service: rds, term: 1y, payment: no-upfront}]", want: "10"},
		// People.
		{name: "dismissed", s: Situation{Verdicts: map[string]Verdict{Key(d): {By: "ada", Reason: "we leave"}}}, drafts: []recommend.Draft{d, big}, want: "4", says: "dismissed | ada dismissed it: we leave"},
		{name: "snoozed", s: Situation{Verdicts: map[string]Verdict{Key(d): {By: "ada", Reason: "later", Until: now.Add(time.Second)}}}, says: "snoozed | ada snoozed it until 2026-11-23: later"},
		{name: "snoozed until now", s: Situation{Verdicts: map[string]Verdict{Key(d): {By: "ada", Reason: "later", Until: now}}}, want: "10"},
		// Days.
		{name: "the first day", policy: "blackout: [{from: 2026-11-23, to: 2026-11-30, why: freeze}]", says: "blackout | nothing is planned from 2026-11-23 to 2026-11-30: freeze | p.yaml:3: blackout[0]"},
		{name: "the last day", policy: "blackout: [{from: 2026-11-01, to: 2026-11-23}]", says: "blackout | nothing is planned"},
		{name: "the day after", policy: "blackout: [{from: 2026-11-01, to: 2026-11-22}]", want: "10"},
		{name: "the last second", policy: "blackout: [{from: 2026-11-01, to: 2026-11-23}]", s: Situation{Now: time.Date(2026, 11, 23, 23, 59, 59, 0, time.UTC)}, says: "blackout"},
		// Ladders.
		{name: "the first of four", policy: "ladder: {tranches: 4, interval: 30d}", want: "2", says: "ladder | tranche 1 of 4: 1/4 of 10, so 2 of 10 | p.yaml:3: ladder.tranches"},
		{name: "the second of four", policy: "ladder: {tranches: 4, interval: 30d}", s: Situation{Owned: []Owned{owns(d, 2, 30)}, Past: []Past{past("1", 30, d, 2)}}, want: "3",
			says: "ladder | tranche 2 of 4: 1/4 of 10 (2 planned under the policy before), so 3 of 8"},
		{name: "too early", policy: "ladder: {tranches: 4, interval: 30d}", s: Situation{Past: []Past{past("1", 29, d, 2)}}, says: "ladder | tranche 2 of 4 is due on 2026-11-24"},
		{name: "all planned", policy: "ladder: {tranches: 2, interval: 30d}", s: Situation{Past: []Past{past("1", 90, d, 2), past("2", 60, d, 2)}}, says: "ladder | all 2 tranches are planned, the last one on 2026-09-24"},
		{name: "what others bought is no tranche", policy: "ladder: {tranches: 4, interval: 30d}", s: Situation{Owned: []Owned{owns(d, 2, 3)}}, want: "2", says: "tranche 1 of 4: 1/4 of 8, so 2 of 8"},
		{name: "less than one", policy: "ladder: {tranches: 4, interval: 30d}", drafts: []recommend.Draft{rds(2, 3)}, want: "1", says: "1/4 of 3 is less than the least that can be bought: 1"},
		// A line of one costs 0.10 an hour.
		{name: "by amount", policy: "ladder: {step: 0.35 USD/h, interval: 30d}", want: "3", says: "ladder | at most USD 0.35 of commitment per hour in a tranche: USD 0.35 is left, enough for 3 of 10 | p.yaml:3: ladder.step"},
		// Caps: a line of one costs 876 in total.
		{name: "a cap", policy: "caps: [{of: total, per: run, most: 2000 USD}]", want: "2", says: "caps | at most USD 2,000.00 of total commitment per run: USD 2,000.00 is left, enough for 2 of 10 | p.yaml:3: caps[0]"},
		{name: "a cap with the tolerance", policy: "tolerance: 10%\ncaps: [{of: total, per: run, most: 1760 USD}]", want: "1"},
		{name: "a cap for none", policy: "caps: [{of: total, per: run, most: 875 USD}]", says: "the USD 875.00 that is left is enough for none of 10"},
		{name: "a cap in another currency", policy: "caps: [{of: total, per: run, most: 9999 EUR}]", says: "caps | it is billed in USD and the cap is in EUR: there is no exchange rate"},
		{name: "a cap on what nobody pays upfront", policy: "caps: [{of: upfront, per: run, most: 1 USD}]", want: "10"},
		{name: "this month", policy: "caps: [{of: total, per: month, most: 2000 USD}]", s: Situation{Past: []Past{past("1", 22, big, 1)}}, want: "1", says: "USD 1,124.00 is left"},
		{name: "last month", policy: "caps: [{of: total, per: month, most: 2000 USD}]", s: Situation{Past: []Past{past("1", 23, big, 1)}}, want: "2"},
		{name: "the better one first", policy: "caps: [{of: total, per: run, most: 4380 USD}]", drafts: []recommend.Draft{d, big}, want: "1 4"},
		{name: "each account", policy: "caps: [{of: total, per: account, most: 2000 USD}]", drafts: []recommend.Draft{d, rds(3, 10, func(d *recommend.Draft) { d.Account = "444455556666" })}, want: "2 2"},
		{name: "one account", policy: "caps: [{of: total, per: run, account: \"444455556666\", most: 2000 USD}]", drafts: []recommend.Draft{d, rds(3, 10, func(d *recommend.Draft) { d.Account = "444455556666" })}, want: "10 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.drafts == nil {
				c.drafts = []recommend.Draft{d}
			}
			r := apply(t, c.policy, c.s, c.drafts...)
			if got := bought(r); got != c.want {
				t.Errorf("bought %q, want %q", got, c.want)
			}
			if text := told(r); !strings.Contains(text, c.says) {
				t.Errorf("not told: %s\nbut:\n%s", c.says, text)
			}
			dropped := 0
			for _, e := range r.Entries {
				if e.Line == 0 {
					dropped++
				}
			}
			if dropped+len(r.Input.Drafts) < len(c.drafts) {
				t.Errorf("%d lines and %d dropped of %d", len(r.Input.Drafts), dropped, len(c.drafts))
			}
		})
	}
}

// TestPartialSavingsPlansAreCut: AWS takes a commitment that is half paid upfront in
// multiples only, whatever cut it.
func TestPartialSavingsPlansAreCut(t *testing.T) {
	d := recommend.Draft{At: recommend.Position{File: "ce.json", Line: 2}, Provider: cloud.AWS, Service: "savingsplans", Account: "111122223333", Region: "global",
		Attributes: cloud.Attributes{"plan_type": "Compute"}, Term: cloud.OneYear, Payment: cloud.PartialUpfront, Quantity: 150_000, Unit: "0.00001"}
	r := apply(t, "coverage: [{percent: 33%}]", Situation{}, d)
	if got := bought(r); got != "0.45 per hour" {
		t.Errorf("bought %q", got)
	}
	if text := told(r); !strings.Contains(text, "offering | 0.45 per hour of 0.495 per hour can be bought") {
		t.Errorf("told:\n%s", text)
	}
}

func TestAdviceOnlyIsDroppedAndTold(t *testing.T) {
	p, err := Read("p.yaml", []byte(head))
	if err != nil {
		t.Fatal(err)
	}
	in := recommend.Input{Drafts: []recommend.Draft{rds(2, 1), rds(3, 2, class("db.r6g.large"))},
		Left: []recommend.Left{{At: recommend.Position{File: "ce.json", Line: 9}, What: "reserved capacity", Why: "commitments of this service cannot be bought yet"}}}
	run := p.Choose(in, Situation{Now: now})
	o := cloud.Offering{Term: cloud.OneYear, Upfront: money.Zero("USD"), Hourly: money.MustParse("0.1", "USD")}
	r, err := run.Size([]cloud.Offering{o}, map[int]error{0: errors.New("there is no offer")})
	if err != nil {
		t.Fatal(err)
	}
	if got := bought(r); got != "2" || len(r.Offerings) != 1 {
		t.Errorf("bought %q at %d prices", got, len(r.Offerings))
	}
	if text := told(r); !strings.Contains(text, "offering | there is no offer") || !strings.Contains(text, "input | commitments of this service cannot be bought yet") {
		t.Errorf("told:\n%s", text)
	}
	if _, err := run.Size(nil, nil); err == nil {
		t.Error("a draft without a price became a line")
	}
}

// TestTheKeyIsStable: what advice is about has the same key in every release, on any
// terms, from any source.
func TestTheKeyIsStable(t *testing.T) {
	d := rds(2, 10)
	if got := Key(d); got != "adv-87da52474eca" {
		t.Errorf("the key is %s: what people have dismissed would come back", got)
	}
	other := rds(77, 1, func(d *recommend.Draft) {
		d.Term, d.Payment, d.OfferingID, d.Claim = cloud.ThreeYears, cloud.AllUpfront, "x", recommend.Claim{}
		d.Attributes["renew"] = "true"
	})
	if Key(other) != Key(d) {
		t.Error("terms or quantity change the key")
	}
	for name, change := range map[string]func(*recommend.Draft){
		"provider": func(d *recommend.Draft) { d.Provider = cloud.Azure }, "account": func(d *recommend.Draft) { d.Account = "444455556666" },
		"region": func(d *recommend.Draft) { d.Region = "eu-west-1" }, "service": func(d *recommend.Draft) { d.Service = "ec2" },
		"attributes": class("db.r6g.large"),
	} {
		if Key(rds(2, 10, change)) == Key(d) {
			t.Errorf("another %s has the same key", name)
		}
	}
}

func TestWhoApproves(t *testing.T) {
	p, err := Read("p.yaml", []byte(head+"approvals:\n  - {above: 0 USD}\n  - {above: 1000 USD, needed: 2}\nauto_approve: {up_to: 500 USD}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for total, want := range map[string]int{"0": 0, "0.01": 1, "1000": 1, "1000.01": 2} {
		a, err := p.Approval(money.MustParse(total, "USD"))
		needed := 0
		if a != nil {
			needed = a.Needed
		}
		if err != nil || needed != want {
			t.Errorf("%s needs %d, want %d, %v", total, needed, want, err)
		}
	}
	if _, err := p.Approval(money.MustParse("1", "EUR")); err == nil {
		t.Error("euros were compared with dollars")
	}
	for total, want := range map[string]bool{"500": true, "500.000001": false} {
		if got := p.AutoApproves(money.MustParse(total, "USD")); got != want {
			t.Errorf("%s: approved %v", total, got)
		}
	}
	if p.AutoApproves(money.MustParse("1", "EUR")) || (&Policy{}).AutoApproves(money.MustParse("1", "USD")) {
		t.Error("approved without a rule")
	}
}

package policy

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// world is an application with all that it rests on.
type world struct {
	policy    *Policy
	in        recommend.Input
	s         Situation
	offerings map[string]cloud.Offering // by Key and terms
}

func (w world) run() (*Result, error) {
	run := w.policy.Choose(w.in, w.s)
	var offerings []cloud.Offering
	for _, d := range run.Drafts() {
		offerings = append(offerings, w.offering(d))
	}
	return run.Size(offerings, nil)
}

func (w world) offering(d recommend.Draft) cloud.Offering {
	return w.offerings[Key(d)+d.Term.String()+string(d.Payment)]
}

var accounts = []cloud.Account{"111122223333", "444455556666"}

func anAmount(t *rapid.T, most int64, name string) money.Amount {
	a, err := money.FromMillionths(rapid.Int64Range(1, most).Draw(t, name), "USD")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// aDraft is one of few goods, so that drafts, commitments and plans meet.
func aDraft(t *rapid.T) recommend.Draft {
	d := recommend.Draft{Provider: cloud.AWS, Account: rapid.SampledFrom(accounts).Draw(t, "account"), Term: cloud.OneYear,
		Payment: rapid.SampledFrom([]cloud.Payment{cloud.NoUpfront, cloud.PartialUpfront}).Draw(t, "payment")}
	if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
		d.Service, d.Region, d.Unit = "savingsplans", "global", "0.00001"
		d.Attributes = cloud.Attributes{"plan_type": "Compute"}
		d.Quantity = rapid.Int64Range(100, 10_000_000).Draw(t, "commitment")
	} else {
		d.Service, d.Region = "rds", "us-east-1"
		d.Attributes = cloud.Attributes{"engine": "mysql", "class": rapid.SampledFrom([]string{"db.m6g.large", "db.r6g.large", "db.r6g.xlarge", "db.r6g.4xlarge"}).Draw(t, "class")}
		d.Quantity = rapid.Int64Range(1, 60).Draw(t, "quantity")
	}
	d.At = recommend.Position{File: "in.csv", Line: rapid.IntRange(1, 99).Draw(t, "line")}
	if rapid.Bool().Draw(t, "claims") {
		d.Claim = recommend.Claim{Source: "Cost Explorer", Window: 30, Savings: anAmount(t, 1_000_000_000, "savings"), Of: d.Quantity}
	}
	d.Claim.Usage = rapid.IntRange(0, 4).Draw(t, "usage") == 0
	return d
}

func anOffering(t *rapid.T, d recommend.Draft) cloud.Offering {
	o := cloud.Offering{Provider: d.Provider, Service: d.Service, Region: d.Region, Attributes: d.Attributes, Term: d.Term, Payment: d.Payment}
	hourly, upfront := int64(1_000_000), int64(500_000_000)
	if d.Unit != "" {
		hourly, upfront, o.Unit = 10, 10_000, money.MustParse(d.Unit, "USD")
	}
	o.Hourly, o.Upfront = anAmount(t, hourly, "hourly"), money.Zero("USD")
	if d.Payment == cloud.PartialUpfront {
		o.Upfront = anAmount(t, upfront, "upfront")
	}
	return o
}

func aWorld(t *rapid.T) world {
	w := world{policy: &Policy{File: "p.yaml", Name: "p"}, offerings: map[string]cloud.Offering{}}
	place := recommend.Position{File: "p.yaml", Line: 3, Field: "x"}
	offer := func(d recommend.Draft) {
		key := Key(d) + d.Term.String() + string(d.Payment)
		if _, known := w.offerings[key]; !known {
			w.offerings[key] = anOffering(t, d)
		}
	}
	seen := map[string]bool{}
	for range rapid.IntRange(0, 6).Draw(t, "drafts") {
		d := aDraft(t)
		offer(d)
		if key := Key(d) + string(d.Payment); !seen[key] {
			seen[key] = true
			w.in.Drafts = append(w.in.Drafts, d)
		}
	}
	w.s.Now = now
	for i := range rapid.IntRange(0, 5).Draw(t, "owned") {
		d := aDraft(t)
		offer(d)
		o := Owned{Lane: laneOf(d), Attributes: d.Attributes, Term: d.Term, Payment: d.Payment, Quantity: max(1, d.Quantity/rapid.Int64Range(1, 30).Draw(t, "part")), Currency: "USD",
			Held: rapid.SampledFrom([]Held{Active, Queued, Planned}).Draw(t, "held"), Name: fmt.Sprintf("commitment c-%d", i)}
		if d.Unit != "" {
			o.Unit = money.MustParse(d.Unit, "USD")
		}
		if o.Held == Active {
			o.Starts = now.AddDate(0, 0, -rapid.IntRange(0, 364).Draw(t, "age"))
			o.Ends = o.Starts.AddDate(1, 0, 0)
			o.Renews = rapid.IntRange(0, 2).Draw(t, "renews") == 0
		}
		w.s.Owned = append(w.s.Owned, o)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "past") {
		d := aDraft(t)
		o := anOffering(t, d)
		price, err := o.Price(d.Quantity)
		if err != nil {
			t.Fatal(err)
		}
		w.s.Past = append(w.s.Past, Past{Plan: fmt.Sprintf("plan %d", i), At: now.AddDate(0, 0, -rapid.IntRange(0, 50).Draw(t, "planned")), Lane: laneOf(d),
			Goods: d.Attributes, Offering: o, Price: price, Quantity: d.Quantity, Tolerance: purchase.Tolerance(rapid.IntRange(0, 1000).Draw(t, "past tolerance"))})
	}
	p := w.policy
	w.in.ToleranceBP = rapid.IntRange(0, 1000).Draw(t, "tolerance")
	for range rapid.IntRange(0, 2).Draw(t, "coverages") {
		p.Coverage = append(p.Coverage, Coverage{Service: rapid.SampledFrom([]cloud.Service{"", "rds"}).Draw(t, "covered"), Percent: rapid.IntRange(1, 100).Draw(t, "percent"), At: place})
	}
	w.s.Coverage = rapid.SampledFrom([]int{0, 0, 1, 37, 100}).Draw(t, "override")
	p.Rebuy = Days{rapid.SampledFrom([]int{0, 30, 400}).Draw(t, "rebuy"), place}
	for range rapid.IntRange(0, 4).Draw(t, "caps") {
		p.Caps = append(p.Caps, Cap{
			Of:      rapid.SampledFrom([]purchase.Measure{purchase.OfTotal, purchase.OfUpfront, purchase.OfHourly}).Draw(t, "of"),
			Per:     rapid.SampledFrom([]Per{PerRun, PerMonth, PerAccount}).Draw(t, "per"),
			Account: rapid.SampledFrom([]cloud.Account{"", accounts[0]}).Draw(t, "of account"),
			Most:    anAmount(t, rapid.SampledFrom([]int64{1_000_000, 1_000_000_000, 1_000_000_000_000}).Draw(t, "size"), "most"), At: place,
		})
	}
	switch rapid.IntRange(0, 3).Draw(t, "ladder") {
	case 0:
		n := rapid.IntRange(2, 6).Draw(t, "tranches")
		p.Ladder = &Ladder{Tranches: n, Num: 1, Den: int64(n), Interval: 10, At: place, stepAt: place}
	case 1:
		p.Ladder = &Ladder{Num: rapid.Int64Range(1, 10_000).Draw(t, "step"), Den: 10_000, Interval: 10, At: place, stepAt: place}
	case 2:
		p.Ladder = &Ladder{PerHour: anAmount(t, 5_000_000, "step"), Interval: 10, At: place, stepAt: place}
	}
	return w
}

func rat(a money.Amount) *big.Rat {
	r, ok := new(big.Rat).SetString(a.Decimal())
	if !ok {
		panic(a.Decimal())
	}
	return r
}

// costs is the highest price that a tolerance allows, in a measure, not rounded.
func costs(of purchase.Measure, price cloud.Price, term cloud.Term, tolerance int64) *big.Rat {
	r := rat(price.Total)
	if of == purchase.OfUpfront {
		r = rat(price.Upfront)
	}
	r.Mul(r, big.NewRat(10_000+tolerance, 10_000))
	if of == purchase.OfHourly {
		r.Quo(r, new(big.Rat).SetInt64(term.Hours()))
	}
	return r
}

// TestPropertyNoCapIsExceeded: neither rounding, nor another coverage for once, nor the
// ladder, nor a mix of terms, nor what was planned this month takes a plan above a cap,
// whatever it is of and for.
func TestPropertyNoCapIsExceeded(t *testing.T) {
	for _, of := range []purchase.Measure{purchase.OfTotal, purchase.OfUpfront, purchase.OfHourly} {
		for _, per := range []Per{PerRun, PerMonth, PerAccount} {
			t.Run(string(of)+" per "+string(per), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					w := aWorld(t)
					w.policy.Caps = append(w.policy.Caps, Cap{Of: of, Per: per, Most: anAmount(t, 100_000_000_000, "cap"), At: recommend.Position{File: "p.yaml", Line: 3}})
					if rapid.Bool().Draw(t, "mix") {
						w.divide(t)
					}
					w.withinCaps(t)
				})
			})
		}
	}
}

// divide gives a world a mix.
func (w *world) divide(t *rapid.T) {
	n := rapid.IntRange(1, 99).Draw(t, "part")
	for i, terms := range []Terms{{Term: cloud.ThreeYears, Payment: cloud.PartialUpfront}, {Term: cloud.OneYear, Payment: cloud.NoUpfront}} {
		w.policy.Mix = append(w.policy.Mix, Part{terms, []int{n, 100 - n}[i]})
		for _, d := range w.in.Drafts {
			d.Term, d.Payment = terms.Term, terms.Payment
			if key := Key(d) + d.Term.String() + string(d.Payment); w.offerings[key].Term == 0 {
				w.offerings[key] = anOffering(t, d)
			}
		}
	}
}

// withinCaps runs a world and counts its lines against every cap.
func (w world) withinCaps(t *rapid.T) {
	got, err := w.run()
	if err != nil {
		t.Fatal(err)
	}
	caps := slices.Clone(w.policy.Caps)
	if l := w.policy.Ladder; l != nil && l.PerHour.Currency() != "" {
		caps = append(caps, Cap{Of: purchase.OfHourly, Per: PerRun, Most: l.PerHour})
	}
	for _, c := range caps {
		sums := map[cloud.Account]*big.Rat{}
		count := func(a cloud.Account, n *big.Rat) {
			if c.Account != "" && c.Account != a {
				return
			}
			if c.Per != PerAccount {
				a = ""
			}
			if sums[a] == nil {
				sums[a] = new(big.Rat)
			}
			sums[a].Add(sums[a], n)
		}
		for i, d := range got.Input.Drafts {
			price, err := got.Offerings[i].Price(d.Quantity)
			if err != nil {
				t.Fatal(err)
			}
			count(d.Account, costs(c.Of, price, d.Term, int64(got.Input.ToleranceBP)))
		}
		planned := len(sums) > 0
		for _, past := range w.s.Past {
			if c.Per == PerMonth && past.At.Format("2006-01") == now.Format("2006-01") {
				count(past.Lane.Account, costs(c.Of, past.Price, past.Offering.Term, int64(past.Tolerance)))
			}
		}
		for account, sum := range sums {
			free := c.Of == purchase.OfUpfront && func() bool { // what costs nothing upfront takes nothing
				for i, d := range got.Input.Drafts {
					if (c.Account == "" || c.Account == d.Account) && !got.Offerings[i].Upfront.IsZero() {
						return false
					}
				}
				return true
			}()
			if planned && !free && sum.Cmp(rat(c.Most)) > 0 {
				t.Fatalf("%s per %s of %q: %s is more than %s", c.Of, c.Per, account, sum.FloatString(9), c.Most)
			}
		}
	}
}

// TestPropertyNettingIsNeverNegative: a line buys at least what can be bought, and never
// more than what is to be covered less what is owned; and everything is accounted for.
func TestPropertyNettingIsNeverNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := aWorld(t)
		got, err := w.run()
		if err != nil {
			t.Fatal(err)
		}
		advised := map[string]recommend.Draft{}
		for _, d := range w.in.Drafts {
			advised[Key(d)+string(d.Payment)] = d
		}
		bought := map[string]bool{}
		for i, d := range got.Input.Drafts {
			least, _ := d.Least()
			if d.Quantity < least || d.Down(d.Quantity) != d.Quantity {
				t.Fatalf("line %d buys %d, which nobody can", i+1, d.Quantity)
			}
			if bought[Key(d)] {
				t.Fatalf("line %d buys the same goods as another", i+1)
			}
			bought[Key(d)] = true
			var active, old, ends, others int64
			for _, o := range w.s.Owned {
				if !Covers(o.Lane, o.Attributes, d) {
					continue
				}
				soon := w.policy.Rebuy.N > 0 && !o.Ends.After(now.AddDate(0, 0, w.policy.Rebuy.N))
				switch {
				case o.Held != Active:
					others += o.Quantity
				case soon && !o.Renews:
					ends += o.Quantity
				default:
					active += o.Quantity
				}
				if o.Held == Active && o.Starts.Before(now.AddDate(0, 0, -30)) {
					old += o.Quantity
				}
			}
			source := advised[Key(d)+string(d.Payment)]
			usage := source.Quantity
			if !source.Claim.Usage {
				usage += old
			}
			pct := int64(100)
			for _, c := range w.policy.Coverage {
				if c.Service == "" || c.Service == d.Service {
					pct = int64(c.Percent)
					break
				}
			}
			if w.s.Coverage > 0 {
				pct = int64(w.s.Coverage)
			}
			if most := usage*pct/100 - active - others; d.Quantity > most {
				t.Fatalf("line %d buys %d of %d: %d advised, %d active for long, %d active, %d others", i+1, d.Quantity, most, source.Quantity, old, active, others)
			}
			if d.Quantity > source.Quantity+ends {
				t.Fatalf("line %d buys %d, more than the %d that are advised and the %d that end", i+1, d.Quantity, source.Quantity, ends)
			}
		}
		places := map[string]int{}
		for i, e := range got.Entries {
			places[e.Key+e.Where]++
			if (e.Line > 0) != (i < len(got.Input.Drafts)) || len(e.Steps) == 0 || e.Steps[len(e.Steps)-1].Says == "" {
				t.Fatalf("entry %d says nothing: %+v", i, e)
			}
		}
		for _, d := range w.in.Drafts {
			places[Key(d)+d.At.String()]--
		}
		for key, n := range places {
			if n < 0 {
				t.Fatalf("%s is told of %d times too few", key, -n)
			}
		}
	})
}

// TestPropertyOneCommitmentIsNettedOnce: over all lines no more of a commitment is taken
// off than there is, in normalized units; nothing is taken off below zero; and what is
// not bought of a family is never more than what is owned of it.
func TestPropertyOneCommitmentIsNettedOnce(t *testing.T) {
	large := map[string]int64{"db.m6g.large": 1, "db.r6g.large": 1, "db.r6g.xlarge": 2, "db.r6g.4xlarge": 8}
	units := func(a cloud.Attributes) int64 { return max(1, large[a["class"]]) }
	rapid.Check(t, func(t *rapid.T) {
		w := aWorld(t)
		w.policy.Caps, w.policy.Ladder, w.policy.Coverage, w.s.Coverage, w.policy.Rebuy = nil, nil, nil, 0, Days{}
		run := w.policy.Choose(w.in, w.s)
		chosen := map[string]recommend.Draft{} // the source's, by what they are about
		var offerings []cloud.Offering
		for _, d := range run.Drafts() {
			offerings = append(offerings, w.offering(d))
			chosen[Key(d)] = d
		}
		all := slices.Clone(run.candidates)
		got, err := run.Size(offerings, nil)
		if err != nil {
			t.Fatal(err)
		}
		taken := map[int]int64{}
		for _, c := range all {
			for _, s := range c.net.shares {
				if s.units < 0 || s.spare < 0 || s.spare > s.units {
					t.Fatalf("%d units, %d to spare", s.units, s.spare)
				}
				taken[s.owned] += s.units - s.spare
			}
		}
		for i, n := range taken {
			if o := w.s.Owned[i]; n > o.Quantity*goodsOf(o.Lane, o.Attributes).units {
				t.Fatalf("%s of %d is taken off as %d units", o.Name, o.Quantity, n)
			}
		}
		// By the family, from outside: wanted less bought is at most owned and the rest of
		// one for each line.
		family := func(l cloud.Lane, a cloud.Attributes) string {
			class, _, _ := strings.Cut(strings.TrimPrefix(a["class"], "db."), ".")
			return l.String() + class
		}
		short, most := map[string]int64{}, map[string]int64{}
		for _, d := range chosen {
			if d.Unit == "" {
				short[family(laneOf(d), d.Attributes)] += d.Quantity * units(d.Attributes)
				most[family(laneOf(d), d.Attributes)] += units(d.Attributes) - 1
			}
		}
		for _, d := range got.Input.Drafts {
			short[family(laneOf(d), d.Attributes)] -= d.Quantity * units(d.Attributes)
		}
		for _, o := range w.s.Owned {
			most[family(o.Lane, o.Attributes)] += o.Quantity * units(o.Attributes)
		}
		for name, n := range short {
			if n > most[name] {
				t.Fatalf("%s: %d are not bought, and %d are owned", name, n, most[name])
			}
		}
	})
}

// TestPropertyAMixIsWhole: the parts of a mix are together what would be bought without
// one, but for what is less than the last of them can buy; and none is more than its
// percentage and what rounding took of those before it.
func TestPropertyAMixIsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := aWorld(t)
		p := w.policy
		p.Caps = nil
		if p.Ladder != nil && p.Ladder.Den == 0 {
			p.Ladder = nil
		}
		goods := map[string]bool{}
		w.in.Drafts = slices.DeleteFunc(w.in.Drafts, func(d recommend.Draft) bool {
			again := goods[Key(d)]
			goods[Key(d)] = true
			return again
		})
		for i := range w.in.Drafts {
			w.in.Drafts[i].Payment = cloud.NoUpfront
		}
		p.Rebuy = Days{}
		run := func() map[string][]recommend.Draft {
			run := p.Choose(w.in, w.s)
			var offerings []cloud.Offering
			for _, d := range run.Drafts() {
				offerings = append(offerings, anOffering(t, d))
			}
			got, err := run.Size(offerings, nil)
			if err != nil {
				t.Fatal(err)
			}
			by := map[string][]recommend.Draft{}
			for _, d := range got.Input.Drafts {
				by[Key(d)] = append(by[Key(d)], d)
			}
			return by
		}
		flat := run()
		left := 100
		for _, terms := range []Terms{{Term: cloud.OneYear, Payment: cloud.PartialUpfront}, {Term: cloud.ThreeYears, Payment: cloud.NoUpfront}, {Term: cloud.OneYear, Payment: cloud.NoUpfront}} {
			n := rapid.IntRange(1, left-2).Draw(t, "part")
			if terms.Term == cloud.OneYear && terms.Payment == cloud.NoUpfront {
				n = left
			} else {
				left -= n
			}
			p.Mix = append(p.Mix, Part{terms, n})
			if left < 4 {
				p.Mix[len(p.Mix)-1].Percent += left
				break
			}
		}
		if sum := func() (sum int) {
			for _, part := range p.Mix {
				sum += part.Percent
			}
			return sum
		}(); sum != 100 {
			return // a part too many was dealt
		}
		mixed := run()
		for key, all := range flat {
			whole, sum := all[0].Quantity, int64(0)
			for _, d := range mixed[key] {
				sum += d.Quantity
				if d.Down(d.Quantity) != d.Quantity {
					t.Fatalf("a part of %d cannot be bought", d.Quantity)
				}
			}
			rest := int64(0)
			if all[0].Unit != "" {
				rest = 5_000
			}
			if sum > whole || sum < whole-rest {
				t.Fatalf("the parts of %d are %d", whole, sum)
			}
			delete(mixed, key)
		}
		if len(mixed) > 0 {
			t.Fatalf("the mix buys what nobody asked for: %v", mixed)
		}
	})
}

// TestPropertyTheLadderTakesItsStep: a line of a tranche buys at most the step, rounded up
// to a whole one, and all tranches together no more than what is wanted.
func TestPropertyTheLadderTakesItsStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := aWorld(t)
		l := w.policy.Ladder
		if l == nil || l.Den == 0 {
			return
		}
		got, err := w.run()
		if err != nil {
			t.Fatal(err)
		}
		flat := w
		flat.policy = new(*w.policy)
		flat.policy.Ladder, flat.policy.Caps = nil, nil
		all, err := flat.run()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int64{}
		for _, d := range all.Input.Drafts {
			want[Key(d)] = d.Quantity
		}
		for i, d := range got.Input.Drafts {
			bought := int64(0)
			for _, past := range w.s.Past {
				if Covers(past.Lane, past.Goods, d) {
					bought += past.Quantity
				}
			}
			least, _ := d.Least()
			step := ((want[Key(d)]+bought)*l.Num + l.Den - 1) / l.Den
			if d.Quantity > max(step, least) || d.Quantity > want[Key(d)] {
				t.Fatalf("line %d buys %d, and a step of %d and %d is %d", i+1, d.Quantity, want[Key(d)], bought, step)
			}
		}
	})
}

// TestPropertySameInputsSameLines: an application reads nothing but its arguments, and
// changes none of them.
func TestPropertySameInputsSameLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := aWorld(t)
		first, err := w.run()
		if err != nil {
			t.Fatal(err)
		}
		second, err := w.run()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("the same again is different:\n%s", diff)
		}
		if a, b := digest(t, first, "01A", now), digest(t, second, "01B", now.AddDate(0, 0, 1)); a != b {
			t.Fatalf("the same lines on another day have digest %s, not %s", b, a)
		}
		// What was netted is netted in any order.
		turned := w
		turned.s.Owned = slices.Clone(w.s.Owned)
		slices.Reverse(turned.s.Owned)
		third, err := turned.run()
		if err != nil {
			t.Fatal(err)
		}
		quantities := func(r *Result) map[string]int64 {
			by := map[string]int64{}
			for _, d := range r.Input.Drafts {
				by[Key(d)] = d.Quantity
			}
			return by
		}
		if len(w.policy.Caps) == 0 && (w.policy.Ladder == nil || w.policy.Ladder.Den > 0) {
			if diff := cmp.Diff(quantities(first), quantities(third)); diff != "" {
				t.Fatalf("another order of what is owned changes quantities:\n%s", diff)
			}
		}
	})
}

// digest is that of a plan of a result.
func digest(t *rapid.T, r *Result, id purchase.PlanID, at time.Time) string {
	if len(r.Input.Drafts) == 0 {
		return ""
	}
	p := &purchase.Plan{ID: id, Lineage: id, Version: 1, Name: r.Input.Name, Requester: string(id), CreatedAt: at, Tolerance: purchase.Tolerance(r.Input.ToleranceBP)}
	for i, d := range r.Input.Drafts {
		p.Lines = append(p.Lines, purchase.Line{ID: purchase.LineID(fmt.Sprint(id, i)), Class: cloud.ClassName, State: purchase.Draft,
			Spec: purchase.Spec{Account: d.Account, Offering: r.Offerings[i], Quantity: d.Quantity, Note: d.Note, Purpose: d.Purpose}})
	}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	return p.Digest
}

// TestPropertySavingsScaleExactly: what a quantity saves is computed from what was said,
// however often the quantity changed before.
func TestPropertySavingsScaleExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := aDraft(t)
		d.Claim = recommend.Claim{Savings: anAmount(t, 1_000_000_000_000, "savings"), Of: d.Quantity}
		in := recommend.Input{Drafts: []recommend.Draft{d}}
		for range rapid.IntRange(0, 4).Draw(t, "times") {
			scaled, _, err := in.Scale(rapid.IntRange(1, 100).Draw(t, "coverage"))
			if err != nil {
				t.Fatal(err)
			}
			if len(scaled.Drafts) == 0 {
				return
			}
			in = scaled
		}
		q := in.Drafts[0].Quantity
		got, known, err := in.Drafts[0].Claim.Saves(q)
		if err != nil || !known {
			t.Fatal(known, err)
		}
		exact := rat(d.Claim.Savings)
		exact.Mul(exact, big.NewRat(q, d.Quantity))
		lost := new(big.Rat).Sub(exact, rat(got))
		if lost.Sign() < 0 || lost.Cmp(big.NewRat(1, 1_000_000)) >= 0 {
			t.Fatalf("%d of %d save %s, not %s", q, d.Quantity, got, exact.FloatString(9))
		}
	})
}

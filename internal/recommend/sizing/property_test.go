package sizing

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// anyHistory draws hours of usage of one machine type, with quarters.
func anyHistory(t *rapid.T) *Usage {
	n := rapid.IntRange(24, 96).Draw(t, "hours")
	var b strings.Builder
	b.WriteString(ownHead)
	for i := range n {
		q := rapid.IntRange(0, 60).Draw(t, "quarters")
		covered := rapid.IntRange(0, q).Draw(t, "covered")
		planned := rapid.IntRange(0, q-covered).Draw(t, "planned")
		quarters := func(n int) string { return fmt.Sprintf("%d.%02d", n/4, n%4*25) }
		b.WriteString(ownRow("hour", hourTime(firstHour+i).Format(time.RFC3339), "quantity", quarters(q), "covered", quarters(covered), "covered by plan", quarters(planned)))
	}
	u, err := Read("u.csv", strings.NewReader(b.String()), "")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func anyOptions(t *rapid.T, u *Usage) Options {
	o := Defaults()
	o.AsOf, o.MinDays = u.Until(), 1
	o.MaxAge = 1000 * time.Hour
	o.SpikeDays = rapid.IntRange(0, 3).Draw(t, "spike days")
	o.Services = rapid.SampledFrom([][]cloud.Service{{ec2}, {SavingsPlans}, {ec2, SavingsPlans}}).Draw(t, "services")
	o.Prices = Discounted(rapid.IntRange(1, 9999).Draw(t, "discount"), rapid.IntRange(1, 9999).Draw(t, "plan discount"))
	o.Method = Method{rapid.SampledFrom([]Kind{ByMinimum, ByPercentile, ByKnee, ByCoverage}).Draw(t, "method"), rapid.IntRange(1, 100).Draw(t, "percent")}
	payments := []cloud.Payment{cloud.AllUpfront, cloud.PartialUpfront, cloud.NoUpfront}
	o.Mix = []Part{{cloud.OneYear, rapid.SampledFrom(payments).Draw(t, "payment"), 100}}
	if share := rapid.IntRange(0, 99).Draw(t, "share"); share > 0 {
		o.Mix = []Part{{cloud.ThreeYears, rapid.SampledFrom(payments).Draw(t, "base payment"), share}, {cloud.OneYear, o.Mix[0].Payment, 100 - share}}
	}
	o.Known = rapid.Bool().Draw(t, "known")
	for i := range rapid.IntRange(0, 3).Draw(t, "held") {
		end := o.AsOf.Add(time.Duration(rapid.IntRange(-10, 400).Draw(t, "ends in days")) * 24 * time.Hour)
		h, err := holdOne(commitment(rapid.Int64Range(1, 8).Draw(t, "count"), "m6g.large", end.Add(-365*24*time.Hour), fmt.Sprint("c", i)), "held", "")
		if err != nil {
			t.Fatal(err)
		}
		o.Held = append(o.Held, h)
	}
	return o
}

// TestNothingIsNegativeAndNothingTwice: whatever is held, quantities are not negative,
// what is proposed is not more than what is used and not held, and a plan covers no
// more than reservations leave.
func TestNothingIsNegativeAndNothingTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := anyHistory(t)
		o := anyOptions(t, u)
		r, err := Size(u, o)
		if err != nil {
			t.Fatal(err)
		}
		most := slices.Max(u.pools[0].use.v)
		var held int64
		if o.Known {
			for _, h := range o.Held {
				if h.End.After(o.AsOf.Add(o.Rebuy)) {
					held += int64(h.Units)
				}
			}
		}
		var machines int64
		avoided, used := new(big.Rat), new(big.Rat)
		for _, p := range r.Proposals {
			if p.Quantity <= 0 || p.UtilizationBP < 0 || p.UtilizationBP > 10_000 || p.CoverageBP < 0 || p.CoverageBP > 10_000 || p.BreakEvenMonths < 0 || p.BreakEvenMonths > int(p.Term) {
				t.Fatalf("%+v", p)
			}
			for _, a := range []money.Amount{p.Hourly, p.Upfront, p.Total, p.Drops[0].Cost, p.Drops[0].OnDemand} {
				if a.Sign() < 0 {
					t.Fatalf("an amount below zero: %+v", p)
				}
			}
			if p.Service == ec2 {
				machines += p.Quantity
			}
			total, err := p.Savings.Add(p.Total)
			if err != nil {
				t.Fatal(err)
			}
			avoided.Add(avoided, over(ratOf(total), whole(p.Term.Hours())))
		}
		if covers := machines * 4 * int64(One); covers > max(0, most-held) {
			t.Fatalf("%d machines are proposed on top of %s units of %s", machines, Units(held), Units(most))
		}
		for _, n := range u.pools[0].use.v {
			used.Add(used, whole(n))
		}
		cost := over(times(times(used, big.NewRat(1, int64(One))), u.pools[0].onDemand), whole(int64(len(u.hours.v))))
		if avoided.Cmp(cost) > 0 {
			t.Fatalf("proposals replace %s per hour of usage that costs %s", avoided.FloatString(8), cost.FloatString(8))
		}
	})
}

// TestSameInputSameBytes: the result depends on nothing else.
func TestSameInputSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := anyHistory(t)
		o := anyOptions(t, u)
		var texts []string
		for range 2 {
			r, err := Size(u, o)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
			slices.Reverse(o.Held)
		}
		if texts[0] != texts[1] {
			t.Fatalf("%s\n%s", texts[0], texts[1])
		}
	})
}

// aLayer is the layer of a history at a price.
func aLayer(t *rapid.T, u *Usage, held int64) (*layer, part) {
	p := u.pools[0]
	v := slices.Clone(p.use.v)
	usage := new(big.Int)
	for _, n := range v {
		usage.Add(usage, big.NewInt(n))
	}
	l := &layer{sizer: &sizer{u: u, o: Defaults()}, Pool: p.Pool, unit: p.unit, buys: p.smallest.buys, onDemand: p.onDemand,
		prof: newProfile(p.use.first, v, nil, usage), base: whole(held * 4 * int64(One)), worth: whole(int64(p.smallest.size))}
	l.o.Prices = Discounted(rapid.IntRange(1, 9999).Draw(t, "discount"), 0)
	l.o.Mix = []Part{{cloud.OneYear, cloud.NoUpfront, 100}}
	var err error
	if l.ask.OnDemand, err = fine(times(p.onDemand, p.smallest.size.rat()), p.Currency, false); err != nil {
		t.Fatal(err)
	}
	parts, err := l.offers()
	if err != nil {
		t.Fatal(err)
	}
	return l, parts[0]
}

// bruteCovered is the coverage of a level, hour by hour.
func bruteCovered(v []int64, level int64) int64 {
	var sum int64
	for _, n := range v {
		sum += min(n, level)
	}
	return sum
}

// TestKneeIsTheArgmax compares the knee with the savings of every quantity, worked out
// hour by hour.
func TestKneeIsTheArgmax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := anyHistory(t)
		held := rapid.Int64Range(0, 5).Draw(t, "held")
		l, p := aLayer(t, u, held)
		base := held * 4 * int64(One)
		best, at := new(big.Rat), int64(0)
		for k := int64(1); k <= 20; k++ {
			covered := bruteCovered(l.prof.v, base+k*4*int64(One)) - bruteCovered(l.prof.v, base)
			perHour := over(times(big.NewRat(covered, int64(One)), l.onDemand), whole(int64(len(l.prof.v))))
			savings := minus(times(perHour, whole(8760)), times(p.total, whole(k)))
			if savings.Cmp(best) > 0 {
				best, at = savings, k
			}
			if got := l.value(p, l.base, k, 0).savings(); got.Cmp(savings) != 0 {
				t.Fatalf("%d save %s, hour by hour %s", k, got.FloatString(6), savings.FloatString(6))
			}
		}
		if got := l.knee(p); got != at {
			t.Fatalf("the knee is %d, the greatest savings are at %d", got, at)
		}
	})
}

// TestMoreCoversMore: coverage grows with the quantity, utilization and the use of the
// last one fall, and a fall of usage never saves more.
func TestMoreCoversMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := anyHistory(t)
		l, p := aLayer(t, u, rapid.Int64Range(0, 5).Draw(t, "held"))
		var last outcome
		for k := int64(1); k <= 18; k++ {
			o := l.value(p, l.base, k, 0)
			if k > 1 {
				switch {
				case o.covered.Cmp(last.covered) < 0:
					t.Fatalf("%d cover less than %d", k, k-1)
				case over(o.covered, o.level).Cmp(over(last.covered, last.level)) > 0:
					t.Fatalf("%d are used more than %d", k, k-1)
				case l.marginal(p, k).Cmp(l.marginal(p, k-1)) > 0:
					t.Fatalf("the last of %d is used more than that of %d", k, k-1)
				}
			}
			for _, fell := range drops {
				if d := l.value(p, l.base, k, fell); d.savings().Cmp(o.savings()) > 0 {
					t.Fatalf("%d save more if usage falls by %d per cent", k, fell)
				}
			}
			last = o
		}
	})
}

// TestFallOfUsage compares a fall with a history that was drawn that much lower.
func TestFallOfUsage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := anyHistory(t)
		l, p := aLayer(t, u, rapid.Int64Range(0, 5).Draw(t, "held"))
		k := rapid.Int64Range(1, 18).Draw(t, "quantity")
		for _, fell := range drops {
			got := l.value(p, l.base, k, fell)
			lower := *l
			v := slices.Clone(l.prof.v)
			for i := range v {
				v[i] = v[i] / 100 * int64(100-fell) // quarters of a normalized unit are multiples
			}
			lower.prof = newProfile(l.prof.first, v, nil, l.prof.usage)
			want := lower.value(p, l.base, k, 0)
			if got.covered.Cmp(want.covered) != 0 || got.onDemand.Cmp(want.onDemand) != 0 || got.savings().Cmp(want.savings()) != 0 {
				t.Fatalf("a fall by %d: %s covered, want %s", fell, got.covered, want.covered)
			}
		}
	})
}

// TestScaling: the amounts of a quantity are those of one times the quantity, exactly;
// prices that are so many times as high make every amount so many times as high, but
// for the last millionth.
func TestScaling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := anyHistory(t)
		l, p := aLayer(t, u, 0)
		k := rapid.Int64Range(1, 500).Draw(t, "quantity")
		one, err := l.propose(withCount(p, 1), l.base)
		if err != nil {
			t.Fatal(err)
		}
		many, err := l.propose(withCount(p, k), l.base)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range [][2]money.Amount{{one.Hourly, many.Hourly}, {one.Upfront, many.Upfront}, {one.Total, many.Total}} {
			if want, err := a[0].Mul(k); err != nil || !a[1].Equal(want) {
				t.Fatalf("%d times %s is %s, %v", k, a[0], a[1], err)
			}
		}
		if spent, err := many.Total.Add(many.Savings); err != nil || spent.Sign() < 0 {
			t.Fatalf("%s replaced: %v", spent, err)
		}
		factor := rapid.Int64Range(2, 9).Draw(t, "factor")
		dear := *l
		dear.onDemand = times(l.onDemand, whole(factor))
		q := p
		q.total = times(p.total, whole(factor))
		if q.price.Hourly, err = p.price.Hourly.Mul(factor); err != nil {
			t.Fatal(err)
		}
		other, err := dear.propose(withCount(q, k), l.base)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := many.Total.Mul(factor); err != nil || !other.Total.Equal(want) {
			t.Fatalf("%s, want %s, %v", other.Total, want, err)
		}
		if got, want := l.value(p, l.base, k, 20), dear.value(q, l.base, k, 20); times(got.savings(), whole(factor)).Cmp(want.savings()) != 0 {
			t.Fatalf("savings of %s at %d times the price are %s", got.savings().FloatString(8), factor, want.savings().FloatString(8))
		}
		if other.EffectiveSavingsRateBP != many.EffectiveSavingsRateBP || other.BreakEvenMonths != many.BreakEvenMonths || other.UtilizationBP != many.UtilizationBP {
			t.Fatal("rates depend on the currency")
		}
	})
}

func withCount(p part, n int64) part {
	p.count = n
	return p
}

// TestLevelOfCoverage: the level of a share covers that share and no lower one does.
func TestLevelOfCoverage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := anyHistory(t)
		l, _ := aLayer(t, u, 0)
		want := times(whole(l.prof.total()), big.NewRat(rapid.Int64Range(1, 100).Draw(t, "percent"), 100))
		level := l.prof.levelOf(want)
		if l.prof.covered(level).Cmp(want) != 0 {
			t.Fatalf("a level of %s covers %s, want %s", level, l.prof.covered(level), want)
		}
	})
}

// FuzzRead: no input makes it fall over, and what it reads has sizes.
func FuzzRead(f *testing.F) {
	f.Add(ownHead + ownRow())
	f.Add(focusHead + focusRow())
	f.Fuzz(func(t *testing.T, file string) {
		u, err := Read("u.csv", strings.NewReader(file), "")
		if err != nil {
			return
		}
		o := Defaults()
		o.AsOf, o.MinDays, o.Gaps = u.Until(), 1, GapsZero
		o.Services, o.Prices = append(Sized(cloud.AWS), Sized(cloud.Azure)...), Discounted(3000, 2000)
		if _, err := Size(u, o); err != nil && err.Error() == "" {
			t.Error("an error that says nothing")
		}
	})
}

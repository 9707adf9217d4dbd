package sizing

import (
	"fmt"
	"math/big"
	"slices"

	"bursar/internal/money"
)

// hoursPerMonth is a twelfth of the 8,760 hours that clouds bill a year: "730-hour
// period (365 * 24 /12)" (AWS Cost Management User Guide, "Estimated monthly savings").
const hoursPerMonth = 730

// drops are the falls of usage that every proposal is tried on, in per cent.
var drops = []int{10, 20, 40}

// outcome is what a quantity does to the usage that was observed, as exact fractions
// over a term.
type outcome struct {
	covered  *big.Rat // usage covered by the quantity alone, Units times observed hours
	level    *big.Rat // Units
	avoided  *big.Rat // on-demand cost over the term
	total    *big.Rat // cost over the term
	onDemand *big.Rat // cost over the term of what nothing else covers
}

func (o outcome) savings() *big.Rat { return minus(o.avoided, o.total) }

// value works out a quantity on top of a level. Usage fell by so many per cent.
func (l *layer) value(p part, below *big.Rat, quantity int64, fell int) outcome {
	o := outcome{level: times(p.worth, whole(quantity)), total: times(p.total, whole(quantity))}
	// The smaller of less usage and a level is that share of the smaller of usage and a
	// level that is as much higher.
	left := big.NewRat(int64(100-fell), 100)
	covered := func(level *big.Rat) *big.Rat { return times(left, l.prof.covered(over(level, left))) }
	bottom := covered(below)
	o.covered = minus(covered(plus(below, o.level)), bottom)
	o.avoided = l.termCost(p, o.covered)
	o.onDemand = l.termCost(p, minus(times(left, whole(l.prof.total())), bottom))
	return o
}

// termCost is what usage costs on-demand if the term goes on as the hours observed.
func (l *layer) termCost(p part, usage *big.Rat) *big.Rat {
	perHour := times(over(usage, whole(int64(l.prof.n()))), big.NewRat(1, int64(One)))
	return times(times(perHour, l.onDemand), whole(p.Term.Hours()))
}

// propose makes a proposal of a part on top of a level.
func (l *layer) propose(p part, below *big.Rat) (Proposal, error) {
	price, err := p.price.Price(p.count)
	if err != nil {
		return Proposal{}, err
	}
	o := l.value(p, below, p.count, 0)
	out := Proposal{
		Pool: l.Pool, Method: l.o.Method.String(), Buys: l.buys, Offering: p.ID, Quantity: p.count, Unit: p.Unit, Measure: p.price.Measure(p.count),
		Term: p.Term, Payment: p.Payment, Hourly: price.Hourly, Upfront: price.Upfront, Total: price.Total, Why: slices.Clone(l.why),
	}
	all := new(big.Rat).SetInt(l.prof.usage)
	uncovered := minus(whole(l.prof.total()), l.prof.covered(plus(below, o.level)))
	n := whole(int64(l.prof.n()))
	of := sums{outcome: o, committed: l.termCost(p, times(o.level, n)), reached: l.termCost(p, minus(all, uncovered)), usage: l.termCost(p, all)}
	for _, fell := range drops {
		of.falls = append(of.falls, l.value(p, below, p.count, fell))
	}
	if err := out.tell(of); err != nil {
		return Proposal{}, err
	}
	what := fmt.Sprintf("%s of %s, each at %s per hour on-demand, cost %s", out.Measure, l.buys, rough(times(times(p.worth, big.NewRat(1, int64(One))), l.onDemand), l.Currency), cents(out.Total))
	if l.plan {
		what = fmt.Sprintf("a commitment of %s covers %s %s and costs %s", out.Measure, decimal(o.level), l.unit, cents(out.Total))
	}
	out.Why = append(out.Why, fmt.Sprintf("%s over %s, by %s", what, out.Term, p.Source),
		fmt.Sprintf("%s of it is used, which replaces %s on-demand and saves %s: an effective savings rate of %s on the usage that nothing else covers",
			percent(out.UtilizationBP), cents(rough(o.avoided, l.Currency)), cents(out.Savings), percent(out.EffectiveSavingsRateBP)))
	if l.o.Method.Kind == ByCoverage {
		if marginal := l.marginalAt(p, below); marginal.Cmp(l.ratio(p)) <= 0 {
			out.Why = append(out.Why, fmt.Sprintf("the last one is used %s and would pay above %s: less would save more", percent(basisPoints(marginal)), percent(basisPoints(l.ratio(p)))))
		}
	}
	return out, nil
}

// cents is an amount for a sentence, which the fields have in full.
func cents(a money.Amount) money.Amount { return a.Round(2) }

// marginalAt is the use of the last lot of a part on top of a level.
func (l *layer) marginalAt(p part, below *big.Rat) *big.Rat {
	upper := *l
	upper.base = below
	return upper.marginal(p, p.count)
}

// tell sets the numbers that follow from what a proposal does to usage.
func (out *Proposal) tell(of sums) (err error) {
	out.sums = of
	if out.Savings, err = amountDown(of.savings(), out.Currency); err != nil {
		return err
	}
	out.BreakEvenMonths = 0
	if monthly := over(of.avoided, big.NewRat(out.Term.Hours(), hoursPerMonth)); monthly.Sign() > 0 {
		if months := new(big.Int).Neg(floor(new(big.Rat).Neg(over(of.total, monthly)))); months.IsInt64() && months.Int64() <= int64(out.Term) {
			out.BreakEvenMonths = int(months.Int64())
		}
	}
	out.CoverageBP = basisPoints(over(of.reached, of.usage))
	out.UtilizationBP = basisPoints(over(of.avoided, of.committed))
	out.EffectiveSavingsRateBP = basisPoints(over(of.savings(), of.onDemand))
	for i, o := range of.falls {
		d := Drop{Percent: drops[i]}
		if d.OnDemand, err = amountDown(o.onDemand, out.Currency); err != nil {
			return err
		}
		if d.Cost, err = amountUp(minus(plus(o.total, o.onDemand), o.avoided), out.Currency); err != nil {
			return err
		}
		if d.Savings, err = amountDown(o.savings(), out.Currency); err != nil {
			return err
		}
		out.Drops = append(out.Drops, d)
	}
	return nil
}

// Curve is what a pool shows: savings by quantity, when commitments end, and usage by
// day against them.
type Curve struct {
	Pool
	Unit     string     `json:"unit"` // of Level and usage
	Term     string     `json:"term"`
	Hours    int        `json:"hours"`
	Minimum  Units      `json:"minimum"` // of the hours, as Median and Maximum
	Median   Units      `json:"median"`
	Maximum  Units      `json:"maximum"`
	PaysAt   int        `json:"pays_above_bp"` // utilization above which one pays: its price against on-demand
	Knee     int64      `json:"knee"`          // the quantity with the greatest savings
	Chosen   int64      `json:"chosen"`        // the quantity proposed
	Covers   string     `json:"covers"`        // what it covers, in the unit, on top of what is held
	Points   []Point    `json:"points"`
	Expiries []Expiry   `json:"expiries,omitempty"`
	Days     []DayUsage `json:"days"`
}

// Point is one quantity of a savings curve.
type Point struct {
	Quantity      int64        `json:"quantity"`
	Measure       string       `json:"measure"`
	Savings       money.Amount `json:"savings"` // over the term
	UtilizationBP int          `json:"utilization_bp"`
	CoverageBP    int          `json:"coverage_bp"`
	// MarginalBP is the use of its last one.
	MarginalBP int `json:"marginal_bp"`
}

// Expiry is a step down of what is held.
type Expiry struct {
	At     string `json:"at"` // UTC
	Name   string `json:"name"`
	Source string `json:"source"`
	Ends   string `json:"ends"` // what of it ends, in the unit of the curve
	Left   string `json:"left"` // what is held then
}

// DayUsage is the usage of a day, after what is covered hour by hour, against what is
// held on it.
type DayUsage struct {
	Day     string `json:"day"`
	Minimum Units  `json:"minimum"`
	Maximum Units  `json:"maximum"`
	Held    string `json:"held"`
}

// curvePoints is how many points a curve has at most, besides its knee.
const curvePoints = 24

// curve draws the savings of a pool.
func (l *layer) curve(p part) Curve {
	prof := l.prof
	c := Curve{
		Pool: l.Pool, Unit: l.unit, Term: p.Term.String() + " " + string(p.Payment), Hours: prof.n(), Minimum: Units(prof.sorted[0]), Median: Units(prof.percentile(50)),
		Maximum: Units(prof.sorted[prof.n()-1]), PaysAt: basisPoints(l.ratio(p)), Knee: l.knee(p), Points: []Point{},
	}
	room := minus(whole(prof.sorted[prof.n()-1]), l.base)
	most := p.Lot
	if room.Sign() > 0 {
		if n := new(big.Int).Neg(floor(new(big.Rat).Neg(over(room, times(p.worth, whole(p.Lot)))))); n.IsInt64() {
			most = n.Int64() * p.Lot
		}
	}
	step := max(1, (most/p.Lot+curvePoints-1)/curvePoints) * p.Lot
	var at []int64
	for q := int64(0); q < most+step; q += step {
		at = append(at, min(q, most))
	}
	at = append(at, c.Knee)
	slices.Sort(at)
	for _, q := range slices.Compact(at) {
		o := l.value(p, l.base, q, 0)
		all := new(big.Rat).SetInt(prof.usage)
		point := Point{Quantity: q, Measure: p.price.Measure(q), Savings: rough(o.savings(), l.Currency),
			UtilizationBP: basisPoints(over(o.covered, times(o.level, whole(int64(prof.n()))))),
			CoverageBP:    basisPoints(over(minus(all, minus(whole(prof.total()), prof.covered(plus(l.base, o.level)))), all))}
		if q > 0 {
			point.MarginalBP = basisPoints(l.marginal(p, q))
		}
		c.Points = append(c.Points, point)
	}
	perOne := over(p.worth, ratOf(p.Unit))
	held := l.net.all()
	left := sumHeld(held, perOne)
	for _, h := range held {
		left = minus(left, h.level(perOne))
		c.Expiries = append(c.Expiries, Expiry{At: h.End.Format("2006-01-02T15:04:05Z"), Name: h.Name, Source: h.Source, Ends: decimal(h.level(perOne)), Left: decimal(left)})
	}
	c.Days = l.dayUsage(held, perOne)
	return c
}

// dayUsage is the usage by day, against what is held at its beginning.
func (l *layer) dayUsage(held []Held, perOne *big.Rat) []DayUsage {
	days, day := []DayUsage{}, -1
	for i, n := range l.prof.v {
		if l.prof.gap != nil && l.prof.gap[i] {
			continue
		}
		if d := (l.prof.first + i) / 24; d != day {
			day = d
			at := hourTime(l.prof.first + i)
			on := slices.DeleteFunc(slices.Clone(held), func(h Held) bool { return h.Start.After(at) || !h.End.After(at) })
			days = append(days, DayUsage{Day: at.Format("2006-01-02"), Minimum: Units(n), Maximum: Units(n), Held: decimal(sumHeld(on, perOne))})
		}
		d := &days[len(days)-1]
		d.Minimum, d.Maximum = min(d.Minimum, Units(n)), max(d.Maximum, Units(n))
	}
	return days
}

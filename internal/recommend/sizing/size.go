package sizing

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// order is how commitments take usage. Savings Plans apply after reservations (AWS
// Savings Plans User Guide, "Understanding how Savings Plans apply to your usage"), and
// so do savings plans of Azure, and Google's commitments to spending after those to
// resources.
const order = "what is held first, then reservations on their own usage, then a savings plan on what they leave: no usage is counted twice"

// Size works out what to buy. The result depends on its arguments only, and the
// proposals are in the order of their pools. A file that is not fit to be sized, as its
// history is short, old or has gaps, is an error.
func Size(u *Usage, o Options) (Report, error) {
	if err := o.check(); err != nil {
		return Report{}, err
	}
	gaps, err := u.fit(o)
	if err != nil {
		return Report{}, err
	}
	s := &sizer{u: u, o: o, gaps: gaps, rest: map[payer]*rest{}, r: Report{
		AsOf: o.AsOf.UTC(), From: u.From(), Until: u.Until(), Order: order, Proposals: []Proposal{}, Curves: []Curve{},
		Dropped: slices.Clone(u.Dropped), Notes: slices.Clone(u.Notes),
	}}
	if gaps != nil {
		n := 0
		for _, gap := range gaps {
			if gap {
				n++
			}
		}
		s.note("%s of which the file tells nothing were left out", count(n, "hour"))
	}
	told := map[string]bool{}
	for _, p := range u.pools {
		told[p.key()] = true
	}
	s.o.Held = placed(o.Held, told)
	s.sayHeld(told)
	sized := 0
	for _, p := range u.pools {
		if !slices.Contains(o.Services, p.Service) && !s.forPlan(p) {
			continue
		}
		sized++
		if err := s.pool(p); err != nil {
			return Report{}, fmt.Errorf("%s: %w", p.Pool, err)
		}
	}
	if sized == 0 {
		return Report{}, &Error{File: u.File, Problem: "tells nothing of " + joinServices(o.Services) + ": it is about " + joinServices(u.services())}
	}
	if err := s.plans(); err != nil {
		return Report{}, err
	}
	if slices.ContainsFunc(u.pools, func(p *pool) bool { return p.Service == vm && slices.Contains(o.Services, vm) }) {
		s.note("virtual machines of Azure are sized by SKU: a reservation of another size of the same flexibility group is neither proposed nor taken off")
	}
	return s.r, s.joinMeasured()
}

// forPlan reports whether usage of a pool is left to a plan that is to be sized.
func (s *sizer) forPlan(p *pool) bool {
	return p.coveredByPlan() && slices.Contains(s.o.Services, PlanOf(p.Provider))
}

func (u *Usage) services() (names []cloud.Service) {
	for _, p := range u.pools {
		if !slices.Contains(names, p.Service) {
			names = append(names, p.Service)
		}
	}
	slices.Sort(names)
	return names
}

// fit judges the history of the file, and returns the hours to leave out.
func (u *Usage) fit(o Options) (skip []bool, err error) {
	fail := func(format string, args ...any) error {
		return &Error{File: u.File, Problem: fmt.Sprintf(format, args...)}
	}
	hours := len(u.hours.v)
	switch age := o.AsOf.Sub(u.Until()); {
	case hours < o.MinDays*24:
		return nil, fail("holds %s of history, and a commitment for years needs %d days of it", count(hours, "hour"), o.MinDays)
	case age > o.MaxAge:
		return nil, fail("ends on %s, more than %d hours before %s: export it again", u.Until().Format(time.RFC3339), int(o.MaxAge.Hours()), o.AsOf.UTC().Format(time.RFC3339))
	case age < -time.Hour:
		return nil, fail("ends on %s, which is still to come on %s", u.Until().Format(time.RFC3339), o.AsOf.UTC().Format(time.RFC3339))
	}
	missing, first := 0, 0
	for i, told := range u.hours.v {
		if !told {
			if missing++; missing == 1 {
				first = i
			}
		}
	}
	switch {
	case missing == 0:
		return nil, nil
	case o.Gaps == GapsRefuse:
		return nil, fail("tells nothing of %s, the first of them %s: export it again, or say that gaps are hours without usage (zero) or are left out (skip)",
			count(missing, "hour"), hourTime(u.hours.first+first).Format(time.RFC3339))
	case o.Gaps == GapsZero:
		return nil, nil
	}
	skip = make([]bool, hours)
	for i, told := range u.hours.v {
		skip[i] = !told
	}
	return skip, nil
}

// payer is who buys a savings plan, of which provider, and in what currency.
type payer struct {
	provider cloud.Provider
	account  cloud.Account
	currency string
}

// rest is the on-demand cost by hour of what is left for a savings plan.
type rest struct {
	v       []int64 // in Units of the currency
	planned []int64 // what savings plans cover besides, as the file says
	usage   *big.Int
	from    []string // pools
}

type sizer struct {
	u    *Usage
	o    Options
	gaps []bool
	rest map[payer]*rest
	r    Report
}

func (s *sizer) note(format string, args ...any) {
	s.r.Notes = append(s.r.Notes, fmt.Sprintf(format, args...))
}

func (s *sizer) drop(what, format string, args ...any) {
	s.r.Dropped = append(s.r.Dropped, Dropped{What: what, Why: fmt.Sprintf(format, args...)})
}

// sayHeld tells what is known of commitments, and which of them are in no pool.
func (s *sizer) sayHeld(keys map[string]bool) {
	if !s.o.Known {
		told := slices.ContainsFunc(s.u.pools, func(p *pool) bool { return len(p.reserved.v)+len(p.planned.v) > 0 })
		if told {
			s.note("no list of commitments was given: what the usage file says is covered is not covered again, also where it ends soon")
		} else {
			s.note("no list of commitments was given and the usage file tells of none: nothing is netted")
		}
		return
	}
	for _, p := range s.u.pools {
		keys[planPool(p.Provider, p.payer(), p.Currency).key()] = true
	}
	held := slices.Clone(s.o.Held)
	slices.SortFunc(held, func(a, b Held) int { return strings.Compare(a.Name, b.Name) })
	for _, h := range held {
		if plan := h.Pool.Service; IsPlan(plan) && !slices.Contains(s.o.Services, plan) && h.End.After(s.o.AsOf) {
			s.note("savings plan %s is held: size %s, too, to see whether reservations leave it enough", h.Name, plan)
		}
		if h.End.After(s.o.AsOf) && !keys[h.Pool.key()] {
			s.note("commitment %s is for %s, of which the file tells no usage", h.Name, h.Pool.key())
		}
	}
}

// pool sizes the reservations of a pool, and leaves the rest for a savings plan.
func (s *sizer) pool(p *pool) error {
	first, hours := s.u.hours.first, len(s.u.hours.v)
	v := make([]int64, hours)
	usage := new(big.Int)
	listed := s.listed(p.Pool, nil)
	strange := 0
	for i := range v {
		if s.gaps != nil && s.gaps[i] {
			continue
		}
		h := first + i
		use := p.use.get(h)
		usage.Add(usage, big.NewInt(use))
		use -= p.planned.get(h)
		// What a list does not explain is covered by somebody else's commitment.
		elsewhere := p.reserved.get(h)
		if s.o.Known {
			if elsewhere = max(elsewhere-listed(h), 0); elsewhere > 0 {
				strange++
			}
		}
		v[i] = max(use-elsewhere, 0)
	}
	if strange > 0 {
		s.note("of %s, more is covered in %s than by the commitments listed: what else covers it is taken to go on", p.Pool, count(strange, "hour"))
	}
	n := s.o.netOf(p.Pool, p.smallest.buys)
	base := n.units(nil)
	// What is netted elsewhere takes the usage that is proposed, and leaves none of it to
	// a savings plan either.
	held := plus(base, sumHeld(n.apart, nil))
	taken := held
	prof := newProfile(first, v, s.gaps, usage)
	if slices.Contains(s.o.Services, p.Service) && !p.kind.plan {
		l := layer{sizer: s, Pool: p.Pool, unit: p.unit, buys: p.smallest.buys, prof: prof, net: n, base: base, onDemand: p.onDemand}
		switch why := s.unfit(p); {
		case why != "":
			s.drop(p.Pool.String(), "%s", why)
		default:
			var err error
			if l.ask.OnDemand, err = fine(times(p.onDemand, p.smallest.size.rat()), p.Currency, false); err != nil {
				return err
			}
			if p.committed != nil {
				if l.ask.Committed, err = fine(times(p.committed, p.smallest.size.rat()), p.Currency, true); err != nil {
					return err
				}
			}
			l.worth = whole(int64(p.smallest.size))
			if p.highest.Cmp(p.onDemand) > 0 {
				l.why = append(l.why, fmt.Sprintf("on-demand rates of its usage differ, from %s to %s for one: the lowest is used", l.ask.OnDemand,
					rough(times(p.highest, p.smallest.size.rat()), p.Currency)))
			}
			bought, err := l.size()
			if err != nil {
				return err
			}
			taken = maxRat(held, plus(base, bought))
		}
	}
	if s.forPlan(p) {
		s.leave(p, v, taken)
	}
	return nil
}

// unfit says why the usage of a pool is not to be committed to; "" if it may be.
func (s *sizer) unfit(p *pool) string {
	last := -1
	for i, n := range p.use.v {
		if n > 0 {
			last = p.use.first + i
		}
	}
	begin, end := p.use.first, s.u.hours.first+len(s.u.hours.v)
	switch {
	case p.onDemand == nil:
		return "the file tells no on-demand rate of it"
	case last < 0 || end-last > int(s.o.MaxAge.Hours()):
		return "it had no usage in the last " + count(int(s.o.MaxAge.Hours()), "hour") + " of the file"
	case end-begin < s.o.MinDays*24:
		return fmt.Sprintf("its usage began on %s, less than %d days before the end of the file", hourTime(begin).Format(time.DateOnly), s.o.MinDays)
	}
	return ""
}

// leave adds to the rest for a savings plan what a level does not take.
func (s *sizer) leave(p *pool, v []int64, taken *big.Rat) {
	if p.onDemand == nil {
		s.drop(p.Pool.String(), "the file tells no on-demand rate of it, so a savings plan on it cannot be sized")
		return
	}
	if p.payer() == "" {
		s.drop(p.Pool.String(), "the file tells no billing account, which buys commitments to spending: add the column billing account")
		return
	}
	to := payer{p.Provider, p.payer(), p.Currency}
	r := s.rest[to]
	if r == nil {
		r = &rest{v: make([]int64, len(v)), planned: make([]int64, len(v)), usage: new(big.Int)}
		s.rest[to] = r
	}
	r.from = append(r.from, p.Pool.String())
	num, den := p.onDemand.Num(), p.onDemand.Denom()
	exact := num.IsUint64() && den.IsUint64()
	cost := func(n int64) int64 {
		if exact {
			if hi, lo := bits.Mul64(uint64(n), num.Uint64()); hi < den.Uint64() {
				q, _ := bits.Div64(hi, lo, den.Uint64())
				return int64(min(q, uint64(maxHour)))
			}
		}
		return min(floor(times(whole(n), p.onDemand)).Int64(), int64(maxHour))
	}
	up := int64(maxHour) // the level, rounded up: what is taken is not left
	if n := new(big.Int).Neg(floor(new(big.Rat).Neg(taken))); n.IsInt64() {
		up = n.Int64()
	}
	sum := new(big.Int)
	for i, n := range v {
		h := s.u.hours.first + i
		if s.gaps != nil && s.gaps[i] {
			continue
		}
		sum.Add(sum, big.NewInt(cost(p.use.get(h))))
		r.v[i] = min(r.v[i]+cost(max(n-up, 0)), int64(maxHour))
		if planned := p.planned.get(h); planned > 0 {
			r.planned[i] = min(r.planned[i]+cost(planned), int64(maxHour))
		}
	}
	r.usage.Add(r.usage, sum)
}

// plans sizes savings plans from what reservations left.
func (s *sizer) plans() error {
	keys := make([]payer, 0, len(s.rest))
	for k := range s.rest {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b payer) int {
		if a.provider != b.provider {
			return strings.Compare(string(a.provider), string(b.provider))
		}
		if a.account != b.account {
			return strings.Compare(string(a.account), string(b.account))
		}
		return strings.Compare(a.currency, b.currency)
	})
	for _, k := range keys {
		r := s.rest[k]
		p := planPool(k.provider, k.account, k.currency)
		l := layer{sizer: s, Pool: p, unit: k.currency + " on-demand per hour", buys: p.Attributes, onDemand: whole(1), plan: true,
			rest: r, net: s.o.netOf(p, p.Attributes)}
		l.why = append(l.why, fmt.Sprintf("it covers what reservations leave of %s at on-demand rates", count(len(r.from), "pool")))
		if _, err := l.size(); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// listed returns how much of a pool the listed commitments cover in an hour, in Units.
func (s *sizer) listed(p Pool, worth *big.Rat) func(hour int) int64 {
	type span struct {
		from, until int
		units       int64
	}
	var spans []span
	for _, h := range s.o.Held {
		if h.Pool.key() == p.key() {
			if n := floor(h.level(worth)); n.IsInt64() {
				spans = append(spans, span{int(h.Start.Unix() / 3600), int(h.End.Unix() / 3600), n.Int64()})
			}
		}
	}
	return func(hour int) (sum int64) {
		for _, c := range spans {
			if c.from <= hour && hour < c.until {
				sum += c.units
			}
		}
		return sum
	}
}

// hours is the usage that a plan is sized from: with a list, what the file says that
// plans cover is usage again, as far as listed ones explain it.
func (l *layer) hours(perOne *big.Rat) []int64 {
	v := slices.Clone(l.rest.v)
	if !l.o.Known {
		return v
	}
	listed := l.listed(l.Pool, perOne)
	for i, planned := range l.rest.planned {
		v[i] += min(planned, listed(l.u.hours.first+i))
	}
	return v
}

// layer is usage of one pool above what is held, to be committed to.
type layer struct {
	*sizer
	Pool
	unit     string
	buys     cloud.Attributes
	prof     *profile
	rest     *rest // of a plan, whose profile waits for its price
	net      net
	base     *big.Rat // Units that are held
	onDemand *big.Rat // rate of one unit
	worth    *big.Rat // Units that one covers; of a plan, its offer tells
	plan     bool
	ask      Ask
	why      []string
}

// mostQuantity bounds quantities, so that sums of them fit 64 bits: ten times what a
// savings plan of a million per hour is.
const mostQuantity = 1_000_000_000_000

// part is one layer of a mix, with its price.
type part struct {
	Part
	Offer
	worth *big.Rat // Units that one covers
	total *big.Rat // cost of one over the term
	price cloud.Offering
	count int64
}

// ratio is the share of the on-demand price that one costs: what pays is used more.
func (l *layer) ratio(p part) *big.Rat {
	return over(p.total, times(times(times(p.worth, big.NewRat(1, int64(One))), l.onDemand), whole(p.Term.Hours())))
}

// size proposes what to buy and returns the level in Units that it covers.
func (l *layer) size() (*big.Rat, error) {
	parts, err := l.offers()
	if err != nil {
		l.drop(l.Pool.String(), "%v", err)
		return new(big.Rat), nil
	}
	if l.plan {
		// What is held covers as much as what is bought of the same plan.
		perOne := over(parts[0].worth, ratOf(parts[0].Unit))
		l.base = l.net.units(perOne)
		l.prof = newProfile(l.u.hours.first, l.hours(perOne), l.gaps, l.rest.usage)
		if n := l.prof.below(l.base); n > 0 {
			l.note("the savings plans that %s holds cover more than reservations leave of its usage in %s of %s", l.Account, group(int64(n)), count(l.prof.n(), "hour"))
		}
		l.why = append(l.why, l.net.why(l.unit, perOne, l.o.Rebuy)...)
	} else {
		l.why = append(l.why, l.net.why(l.unit, nil, l.o.Rebuy)...)
	}
	// The dearest part of a mix decides where it stops to pay.
	dear := parts[0]
	for _, p := range parts[1:] {
		if l.ratio(p).Cmp(l.ratio(dear)) > 0 {
			dear = p
		}
	}
	curve := l.curve(dear)
	level, guarded, err := l.level(dear)
	if err != nil {
		return nil, err
	}
	bought := l.deal(parts, level)
	below := l.base
	for _, p := range parts {
		if p.count == 0 {
			continue
		}
		proposal, err := l.propose(p, below)
		if err != nil {
			return nil, err
		}
		if guarded != nil {
			proposal.Dropped = append(proposal.Dropped, *guarded)
		}
		if left := minus(level, bought); left.Sign() > 0 {
			proposal.Dropped = append(proposal.Dropped, Dropped{What: decimal(left) + " " + l.unit, Why: "it is less than can be bought, which is " + l.one(p)})
		}
		l.r.Proposals = append(l.r.Proposals, proposal)
		below = plus(below, times(p.worth, whole(p.count)))
	}
	if bought.Sign() == 0 {
		l.drop(l.Pool.String(), "%s", l.none(level, dear, guarded))
	}
	curve.Covers = decimal(bought)
	curve.Chosen = quantityOf(bought, dear.worth)
	l.r.Curves = append(l.r.Curves, curve)
	return bought, nil
}

// one says what the smallest purchase is.
func (l *layer) one(p part) string {
	least := max(p.Lot, p.Least, 1)
	o := cloud.Offering{Unit: p.Unit}
	if l.plan {
		return o.Measure(least)
	}
	return fmt.Sprintf("%d of %s", least, l.buys)
}

// none says why nothing is proposed.
func (l *layer) none(level *big.Rat, p part, guarded *Dropped) string {
	switch {
	case guarded != nil && level.Sign() == 0:
		return guarded.Why
	case l.base.Sign() > 0 && whole(l.prof.sorted[l.prof.n()-1]).Cmp(l.base) <= 0:
		return "what is held covers every hour of it"
	case level.Sign() > 0:
		return decimal(level) + " " + l.unit + " is less than can be bought, which is " + l.one(p)
	case l.o.Method.Kind == ByKnee:
		return "the first one would be used " + percent(basisPoints(l.marginal(p, 1))) + " and pays above " + percent(basisPoints(l.ratio(p)))
	}
	return "nothing is left to cover by " + l.o.Method.String()
}

// offers asks for the price of each part of the mix.
func (l *layer) offers() ([]part, error) {
	var parts []part
	mix := l.o.Mix
	if l.o.Terms != nil {
		if term, payment, ok := l.o.Terms(l.Service); ok {
			mix = []Part{{term, payment, 100}}
		}
	}
	for _, m := range mix {
		if m.Payment == cloud.NoUpfront && l.Provider != cloud.AWS {
			m.Payment = cloud.Monthly
		}
		if !slices.Contains(payments[l.Provider], m.Payment) {
			return nil, fmt.Errorf("%q is not a payment option of %s: it is paid %s", m.Payment, l.Provider, joinPayments(payments[l.Provider]))
		}
		ask := l.ask
		ask.Pool, ask.Buys, ask.Term, ask.Payment = l.Pool, l.buys, m.Term, m.Payment
		offer, err := l.o.Prices(ask)
		if err != nil {
			return nil, err
		}
		offer.Lot, offer.Least = max(offer.Lot, 1), max(offer.Least, 1)
		p := part{Part: m, Offer: offer, worth: l.worth}
		if l.plan {
			if offer.Worth == nil || offer.Unit.Sign() <= 0 {
				return nil, errors.New("the price of a plan does not say what one covers")
			}
			p.worth = times(offer.Worth, whole(int64(One)))
		}
		p.price = cloud.Offering{Provider: l.Provider, Service: l.Service, Region: l.Region, ID: offer.ID, Attributes: l.buys, Term: m.Term, Payment: m.Payment,
			Upfront: offer.Upfront, Hourly: offer.Hourly, Unit: offer.Unit}
		one, err := p.price.Price(1)
		if err != nil {
			return nil, err
		}
		if one.Total.Currency() != l.Currency {
			return nil, fmt.Errorf("its price is in %s and its usage in %s", one.Total.Currency(), l.Currency)
		}
		if p.total = ratOf(one.Total); p.total.Sign() <= 0 {
			return nil, errors.New("its price is zero")
		}
		if most := over(whole(int64(maxHour)), p.worth); p.worth.Sign() <= 0 || most.Cmp(whole(mostQuantity)) > 0 {
			return nil, errors.New("one of it covers too little to be counted")
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// level chooses how much above what is held is to be covered, in Units.
func (l *layer) level(p part) (level *big.Rat, guarded *Dropped, err error) {
	m := l.o.Method
	top := new(big.Rat)
	switch m.Kind {
	case ByMinimum:
		top = whole(l.prof.sorted[0])
		l.say("minimum: no hour of %s used less than %s %s", group(int64(l.prof.n())), decimal(top), l.unit)
	case ByPercentile:
		top = whole(l.prof.percentile(m.Percent))
		l.say("percentile: %s of %s hours used at most %s %s", percent(m.Percent*100), group(int64(l.prof.n())), decimal(top), l.unit)
	case ByCoverage:
		// What is covered hour by hour was taken off before.
		all := new(big.Rat).SetInt(l.prof.usage)
		elsewhere := minus(all, whole(l.prof.total()))
		want := minus(times(all, big.NewRat(int64(m.Percent), 100)), elsewhere)
		if want.Sign() > 0 {
			top = l.prof.levelOf(want)
		}
		l.say("coverage: %s of the usage lies below %s %s", percent(m.Percent*100), decimal(top), l.unit)
	case ByKnee:
		k := l.knee(p)
		top = plus(l.base, times(p.worth, whole(k)))
		l.say("knee: %s", l.kneeWhy(p, k))
	}
	if carried := whole(l.prof.carried(l.o.SpikeDays)); l.o.SpikeDays > 0 && top.Cmp(carried) > 0 {
		days := l.prof.daysAt(top)
		guarded = &Dropped{What: decimal(minus(top, maxRat(carried, l.base))) + " " + l.unit,
			Why: fmt.Sprintf("spike guard: %s %s were reached on %s, and less than %d days carry no commitment; %s were reached on %d", decimal(top), l.unit, count(days, "day"), l.o.SpikeDays, decimal(carried), l.o.SpikeDays)}
		top = carried
	}
	level = minus(top, l.base)
	if level.Sign() < 0 {
		level = new(big.Rat)
	}
	return level, guarded, nil
}

func maxRat(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}

func (l *layer) say(format string, args ...any) { l.why = append(l.why, fmt.Sprintf(format, args...)) }

// marginal is the share of the hours in which the lot that ends at a quantity is used.
func (l *layer) marginal(p part, quantity int64) *big.Rat {
	from, to := plus(l.base, times(p.worth, whole(quantity-p.Lot))), plus(l.base, times(p.worth, whole(quantity)))
	if quantity < p.Lot {
		from = l.base
	}
	used := minus(l.prof.covered(to), l.prof.covered(from))
	return over(used, times(minus(to, from), whole(int64(l.prof.n()))))
}

// knee is the smallest quantity with the greatest savings. Each further lot is used no
// more than the one before it, so the last that pays is found by halving.
func (l *layer) knee(p part) int64 {
	ratio := l.ratio(p)
	room := minus(whole(l.prof.sorted[l.prof.n()-1]), l.base)
	if room.Sign() <= 0 {
		return 0
	}
	lots := floor(over(room, times(p.worth, whole(p.Lot))))
	most := int64(1)
	if lots.IsInt64() {
		most = lots.Int64() + 1
	}
	low, high := int64(0), most // low pays, or is none; high+1 does not
	for low < high {
		middle := low + (high-low+1)/2
		if l.marginal(p, middle*p.Lot).Cmp(ratio) > 0 {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low * p.Lot
}

func (l *layer) kneeWhy(p part, k int64) string {
	pays := percent(basisPoints(l.ratio(p)))
	next := percent(basisPoints(l.marginal(p, k+p.Lot)))
	what := "one"
	if l.plan {
		what = "amount"
	}
	if k == 0 {
		return fmt.Sprintf("one pays if it is used more than %s, its price against on-demand; the first %s would be used %s", pays, what, next)
	}
	return fmt.Sprintf("one pays if it is used more than %s, its price against on-demand; the last %s of %s is used %s, the next would be used %s",
		pays, what, p.price.Measure(k), percent(basisPoints(l.marginal(p, k))), next)
}

// deal gives the parts of a mix their quantities, rounded down to what is sold, and
// returns the level that they cover together.
func (l *layer) deal(parts []part, level *big.Rat) *big.Rat {
	dealt := new(big.Rat)
	for i := range parts {
		p := &parts[i]
		share := times(level, big.NewRat(int64(p.Percent), 100))
		if i == len(parts)-1 {
			share = minus(level, dealt)
		}
		lots := floor(over(share, times(p.worth, whole(p.Lot))))
		if !lots.IsInt64() {
			continue
		}
		if p.count = lots.Int64() * p.Lot; p.count < p.Least {
			p.count = 0
		}
		dealt.Add(dealt, times(p.worth, whole(p.count)))
	}
	return dealt
}

func joinPayments(list []cloud.Payment) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = string(p)
	}
	return strings.Join(words, " or ")
}

// quantityOf is how many of a worth a level is.
func quantityOf(level, worth *big.Rat) int64 {
	n := floor(over(level, worth))
	if !n.IsInt64() {
		return 0
	}
	return n.Int64()
}

// rough is an amount for a sentence.
func rough(r *big.Rat, currency string) money.Amount {
	a, err := amountDown(r, currency)
	if err != nil {
		return money.Zero(currency)
	}
	return a
}

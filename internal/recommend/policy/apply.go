package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
)

// Situation is what an application rests on besides the policy and the advice.
type Situation struct {
	Now      time.Time // UTC
	Owned    []Owned
	Past     []Past             // what was planned under the policy and is bought, or may yet be
	Verdicts map[string]Verdict // of people on advice, by Key
	Coverage int                // per cent, instead of the policy's rules; 0: the rules
}

// Held says how something is owned.
type Held string

// The ways of owning.
const (
	Active  Held = "active"  // listed by the cloud, or bought a moment ago
	Queued  Held = "queued"  // ordered for a later second
	Planned Held = "planned" // a line of a plan that is not bought yet
)

// Owned is a commitment, or what may become one.
type Owned struct {
	Lane       cloud.Lane
	Attributes cloud.Attributes
	Term       cloud.Term
	Payment    cloud.Payment
	Quantity   int64
	Unit       money.Amount // of an offering by amount
	Currency   string
	Held       Held
	Starts     time.Time // of what is active
	Ends       time.Time
	Renews     bool   // at its end, by itself
	Name       string // "commitment ri-1", "line 2 of plan 01..."
}

// Past is a line of an earlier plan of the policy.
type Past struct {
	Plan     string
	At       time.Time // of the plan
	Lane     cloud.Lane
	Goods    cloud.Attributes
	Offering cloud.Offering
	Price    cloud.Price
	Quantity int64
	// Tolerance is that of its plan.
	Tolerance purchase.Tolerance
}

// Verdict is what a person said about advice.
type Verdict struct {
	Until  time.Time // of a snooze; zero: dismissed
	By     string
	Reason string
}

// Step is one thing that a rule did, or a number that it used.
type Step struct {
	Rule string `json:"rule"`         // "coverage", "net", "caps" ...
	At   string `json:"at,omitempty"` // where it is written; "" where nothing is
	Says string `json:"says"`
}

// Entry is the story of one piece of advice.
type Entry struct {
	Line  int    // of the plan; 0: dropped
	Key   string // what it is about; "" for what was no advice that could be read
	About string
	Where string // in the input
	What  string
	Steps []Step // the last one of a dropped entry says why
}

// Result is what a policy makes of advice.
type Result struct {
	Input     recommend.Input  // with the lines of the plan
	Offerings []cloud.Offering // of its drafts
	Entries   []Entry          // of the lines, in their order, and then of what was dropped
	// Tranche counts the tranches of the ladder, this one included; 0 without one.
	Tranche int
	// Shut: nothing at all may be planned now, and why.
	Shut *Step
}

// Run is an application under way.
type Run struct {
	policy     *Policy
	in         recommend.Input
	s          Situation
	tolerance  purchase.Tolerance // of the plan: caps count the highest price that it allows
	candidates []*candidate
	dropped    []*candidate
	shut       *Step
	tranche    int
}

// candidate is a draft that may become a line.
type candidate struct {
	draft   recommend.Draft // with the quantity that is wanted so far
	advised int64           // by the source; 0 of a renewal
	renews  []Owned         // of a renewal: what ends
	order   int             // in the input; renewals come after it
	steps   []Step

	offering cloud.Offering
	saved    int64 // hundredths of a per cent; -1: not known
}

func (c *candidate) say(rule string, at recommend.Position, format string, args ...any) {
	place := ""
	if at.File != "" {
		place = at.String()
	}
	c.steps = append(c.steps, Step{rule, place, fmt.Sprintf(format, args...)})
}

// Choose begins an application: it drops what the policy does not want whatever it
// costs, and adds what ends soon. Drafts tells what is left.
func (p *Policy) Choose(in recommend.Input, s Situation) *Run {
	if p.Tolerance != nil {
		in.ToleranceBP = *p.Tolerance
	}
	r := &Run{policy: p, in: in, s: s, tolerance: purchase.Tolerance(in.ToleranceBP)}
	for i, l := range in.Left {
		r.dropped = append(r.dropped, &candidate{order: i - len(in.Left), draft: recommend.Draft{At: l.At, Note: l.What}, steps: []Step{{"input", "", l.Why}}})
	}
	var all []*candidate
	for i, d := range in.Drafts {
		if d.Purpose == "" {
			d.Purpose = p.Purpose
		}
		c := &candidate{draft: d, advised: d.Quantity, order: i, saved: -1}
		c.say("advice", recommend.Position{}, "%s", advised(d))
		for _, why := range d.Claim.Why {
			c.say("sizing", recommend.Position{}, "%s", why)
		}
		all = append(all, c)
	}
	r.shut = p.shut(s, &r.tranche)
	if r.shut == nil {
		all = append(all, r.renewals(all)...)
	}
	for _, c := range all {
		switch {
		case r.shut != nil:
			r.drop(c, *r.shut)
		case r.unwanted(c):
		default:
			r.candidates = append(r.candidates, c)
		}
	}
	r.preferred()
	return r
}

// advised says what the source says.
func advised(d recommend.Draft) string {
	text := "the input asks for " + d.Amount(d.Quantity)
	if d.Claim.Source != "" {
		text = d.Claim.Source
		if d.Claim.Window > 0 {
			text += fmt.Sprintf(", %d days of usage,", d.Claim.Window)
		}
		text += " advises " + d.Amount(d.Quantity)
	}
	if d.Claim.Usage {
		text += ", of all usage"
	}
	if saves, ok, err := d.Claim.Saves(d.Quantity); ok && err == nil {
		text += ", and expects to save " + saves.String() + " a month"
	}
	return text + "; " + d.Term.String() + " " + string(d.Payment)
}

// Drafts are the drafts that are to be looked up and priced.
func (r *Run) Drafts() []recommend.Draft {
	drafts := make([]recommend.Draft, len(r.candidates))
	for i, c := range r.candidates {
		drafts[i] = c.draft
	}
	return drafts
}

func (r *Run) drop(c *candidate, s Step) {
	c.steps = append(c.steps, s)
	r.dropped = append(r.dropped, c)
}

// reject drops a candidate by a rule.
func (r *Run) reject(c *candidate, rule string, at recommend.Position, format string, args ...any) {
	c.say(rule, at, format, args...)
	r.dropped = append(r.dropped, c)
}

// shut says why nothing may be planned now, nil if it may, and counts the tranche.
func (p *Policy) shut(s Situation, tranche *int) *Step {
	today := s.Now.UTC().Truncate(24 * time.Hour)
	for _, b := range p.Blackouts {
		if today.Before(b.From) || today.After(b.To) {
			continue
		}
		says := fmt.Sprintf("nothing is planned from %s to %s", day(b.From), day(b.To))
		if b.Why != "" {
			says += ": " + b.Why
		}
		return &Step{"blackout", b.At.String(), says}
	}
	l := p.Ladder
	if l == nil {
		return nil
	}
	done, last := tranches(s.Past)
	*tranche = done + 1
	due := last.UTC().Truncate(24*time.Hour).AddDate(0, 0, l.Interval)
	switch {
	case l.Tranches > 0 && done >= l.Tranches:
		return &Step{"ladder", l.At.String(), fmt.Sprintf("all %d tranches are planned, the last one on %s", l.Tranches, day(last))}
	case done > 0 && today.Before(due):
		return &Step{"ladder", l.At.String(), fmt.Sprintf("%s is due on %s", l.name(done+1), day(due))}
	}
	return nil
}

// tranches counts the plans that were made under the policy; last is when.
func tranches(past []Past) (n int, last time.Time) {
	seen := map[string]bool{}
	for _, l := range past {
		if !seen[l.Plan] {
			seen[l.Plan] = true
			n++
		}
		if l.At.After(last) {
			last = l.At
		}
	}
	return n, last
}

func (l *Ladder) name(n int) string {
	if l.Tranches > 0 {
		return fmt.Sprintf("tranche %d of %d", n, l.Tranches)
	}
	return fmt.Sprintf("tranche %d", n)
}

// unwanted drops a candidate that a filter or a person does not want.
func (r *Run) unwanted(c *candidate) bool {
	for _, f := range r.policy.filters {
		if why := f.drops(c.draft); why != "" {
			r.reject(c, "filters", f.at, "%s", why)
			return true
		}
	}
	for _, e := range r.policy.extended {
		why, unknown := e.drops(c.draft)
		if why != "" {
			r.reject(c, "filters", e.at, "%s", why)
			return true
		}
		if unknown != "" {
			c.say("filters", e.at, "not asked: %s", unknown)
		}
	}
	v, judged := r.s.Verdicts[Key(c.draft)]
	switch {
	case !judged:
	case v.Until.IsZero():
		r.reject(c, "dismissed", recommend.Position{}, "%s dismissed it: %s", v.By, v.Reason)
		return true
	case r.s.Now.Before(v.Until):
		r.reject(c, "snoozed", recommend.Position{}, "%s snoozed it until %s: %s", v.By, day(v.Until), v.Reason)
		return true
	}
	return false
}

// preferred keeps one candidate for the same goods: that on the terms which the policy
// prefers.
func (r *Run) preferred() {
	by := map[string][]*candidate{}
	for _, c := range r.candidates {
		by[Key(c.draft)] = append(by[Key(c.draft)], c)
	}
	var kept []*candidate
	for _, c := range r.candidates {
		rank, named := r.policy.rank(c.draft)
		at := recommend.Position{}
		if len(r.policy.Terms) > 0 {
			at = r.policy.Terms[0].At
		}
		if !named && len(c.renews) == 0 {
			r.reject(c, "terms", at, "%s %s is not one of the terms for %s", c.draft.Term, c.draft.Payment, c.draft.Service)
			continue
		}
		dropped := false
		for _, other := range by[Key(c.draft)] {
			if other == c {
				continue
			}
			otherRank, otherNamed := r.policy.rank(other.draft)
			switch {
			case otherNamed && otherRank < rank:
				r.reject(c, "terms", r.policy.Terms[otherRank].At, "the same goods are advised for %s %s, which is preferred: %s", other.draft.Term, other.draft.Payment, other.draft.At)
				dropped = true
			case otherNamed && otherRank == rank:
				r.reject(c, "terms", at, "the same goods are advised on other terms at %s: write under terms which are preferred", other.draft.At)
				dropped = true
			}
			if dropped {
				break
			}
		}
		if !dropped {
			kept = append(kept, c)
		}
	}
	r.candidates = kept
}

// renewals are candidates for what ends soon and is not among the advice, which is
// for what commitments do not cover. Where the input is of all usage, what it does
// not name is not used any more.
func (r *Run) renewals(advice []*candidate) []*candidate {
	p := r.policy
	if p.Rebuy.N == 0 || slices.ContainsFunc(advice, func(c *candidate) bool { return c.draft.Claim.Usage }) {
		return nil
	}
	by := map[string]*candidate{}
	var all []*candidate
	for _, o := range r.s.Owned {
		if !r.ends(o) {
			continue
		}
		d := recommend.Draft{
			At:       recommend.Position{File: "inventory", Field: o.Name},
			Provider: o.Lane.Provider, Service: o.Lane.Service, Account: o.Lane.Account, Region: o.Lane.Region,
			Attributes: maps.Clone(o.Attributes), Term: o.Term, Payment: o.Payment, Quantity: o.Quantity, Currency: o.Currency, Purpose: p.Purpose,
		}
		if !o.Unit.IsZero() {
			d.Unit = o.Unit.Canonical()
		}
		if slices.ContainsFunc(advice, func(c *candidate) bool { return Covers(o.Lane, o.Attributes, c.draft) }) {
			continue // counted there
		}
		c := by[Key(d)]
		if c == nil {
			c = &candidate{draft: d, order: len(r.in.Drafts) + len(all), saved: -1}
			c.draft.Quantity = 0
			by[Key(d)] = c
			all = append(all, c)
		}
		// Of several terms those that are preferred, else the first ones.
		rank, named := p.rank(d)
		if old, was := p.rank(c.draft); named && (!was || rank < old) {
			c.draft.Term, c.draft.Payment = d.Term, d.Payment
		}
		c.draft.Quantity += o.Quantity
		c.renews = append(c.renews, o)
		c.say("rebuy", p.Rebuy.At, "%s of %s ends on %s, and what ends within %d days is bought again", o.Name, d.Amount(o.Quantity), day(o.Ends), p.Rebuy.N)
	}
	for _, c := range all {
		names := make([]string, 0, 3)
		for _, o := range c.renews[:min(3, len(c.renews))] {
			names = append(names, o.Name)
		}
		c.draft.Note = "buys again: " + strings.Join(names, ", ")
		if more := len(c.renews) - 3; more > 0 {
			c.draft.Note += fmt.Sprintf(" and %d more", more)
		}
	}
	return all
}

// ends reports whether something that is owned ends within the re-buy window, and
// nothing renews it.
func (r *Run) ends(o Owned) bool {
	return o.Held == Active && !o.Renews && r.soon(o)
}

func (r *Run) soon(o Owned) bool {
	return r.policy.Rebuy.N > 0 && !o.Ends.IsZero() && !o.Ends.After(r.s.Now.Add(r.policy.Rebuy.duration()))
}

// Size ends an application. The offerings are those of Drafts, in their order; advised
// are the drafts, by their place, that nobody can buy, with the reason: their
// offerings are left out.
func (r *Run) Size(offerings []cloud.Offering, advised map[int]error) (*Result, error) {
	var priced []*candidate
	for i, c := range r.candidates {
		if why, is := advised[i]; is {
			r.reject(c, "offering", recommend.Position{}, "%v", why)
			continue
		}
		if len(offerings) == 0 {
			return nil, errors.New("a draft has no offering")
		}
		c.offering, offerings = offerings[0], offerings[1:]
		kept, err := r.worth(c)
		if err != nil {
			return nil, err
		}
		if kept && r.need(c) && r.step(c) {
			priced = append(priced, c)
		}
	}
	kept, err := r.bound(priced)
	if err != nil {
		return nil, err
	}
	return r.result(kept)
}

// month is what a quantity of an offering costs in a month on average.
func month(o cloud.Offering, n int64) (upfront, all money.Amount, err error) {
	price, err := o.Price(n)
	if err != nil {
		return upfront, all, err
	}
	if upfront, err = price.Upfront.RatioUp(1, int64(o.Term)); err != nil {
		return upfront, all, err
	}
	all, err = price.Total.RatioUp(1, int64(o.Term))
	return upfront, all, err
}

// worth drops what saves too little or too late. It asks about the quantity that is
// advised; a smaller one saves the same part.
func (r *Run) worth(c *candidate) (bool, error) {
	p := r.policy
	if len(c.renews) > 0 {
		if p.savings.amount.Currency() != "" || p.percent != nil || p.months != nil {
			c.say("filters", recommend.Position{}, "what it saves is not asked: nobody says it of what is bought again")
		}
		return true, nil
	}
	saves, known, err := c.draft.Claim.Saves(c.advised)
	if err != nil {
		return false, err
	}
	if known && saves.Currency() != c.offering.Hourly.Currency() {
		known = false
	}
	upfront, all, err := month(c.offering, c.advised)
	if err != nil {
		return false, err
	}
	ask := func(rule *limit, at recommend.Position, what string) bool {
		if !known {
			r.reject(c, "filters", at, "the source does not say what it saves in %s, so %s is not known", c.offering.Hourly.Currency(), what)
		}
		return known
	}
	if a := p.savings; a.amount.Currency() != "" {
		if !ask(nil, a.at, "whether it is enough") {
			return false, nil
		}
		order, err := saves.Cmp(a.amount)
		switch {
		case err != nil:
			r.reject(c, "filters", a.at, "it saves %s a month and the least is in %s: there is no exchange rate", saves, a.amount.Currency())
			return false, nil
		case order < 0:
			r.reject(c, "filters", a.at, "it saves %s a month, less than %s", saves, a.amount)
			return false, nil
		}
	}
	if known {
		// What is paid without the commitment is what it costs and what it saves.
		without, err := all.Add(saves)
		if err != nil {
			return false, err
		}
		c.saved = share(saves, without, 10_000)
		c.say("advice", recommend.Position{}, "that is %s of what is paid without it, %s a month at the price of %s", percent(c.saved), without, all)
	}
	if a := p.percent; a != nil {
		if !ask(a, a.at, "how much that is") {
			return false, nil
		}
		if c.saved < a.n {
			r.reject(c, "filters", a.at, "it saves %s, less than %s", percent(c.saved), percent(a.n))
			return false, nil
		}
	}
	if a := p.months; a != nil && upfront.Sign() > 0 {
		if !ask(a, a.at, "when it breaks even") {
			return false, nil
		}
		price, err := c.offering.Price(c.advised)
		if err != nil {
			return false, err
		}
		// Each month without the commitment costs its savings and the month's part of
		// what was paid upfront more.
		gain, err := upfront.Add(saves)
		if err != nil {
			return false, err
		}
		months := share(price.Upfront, gain, 100)
		c.say("advice", recommend.Position{}, "it breaks even after %s months", hundredths(months))
		if months > a.n {
			r.reject(c, "filters", a.at, "it breaks even after %s months, later than %s", hundredths(months), hundredths(a.n))
			return false, nil
		}
	}
	return true, nil
}

// need is how much is wanted in the end: what is to be covered less what is owned.
func (r *Run) need(c *candidate) bool {
	d := &c.draft
	recent := r.policy.Recent.N
	if recent == 0 {
		recent = max(d.Claim.Window, defaultRecent)
	}
	since := r.s.Now.Add(-Days{N: recent}.duration())
	usage, before := c.advised, int64(0)
	have := map[Held]*owned{}
	var ends, renew owned
	for _, o := range r.s.Owned {
		if !Covers(o.Lane, o.Attributes, *d) {
			continue
		}
		if o.Held == Active && !d.Claim.Usage && o.Starts.Before(since) {
			usage, before = usage+o.Quantity, before+o.Quantity
		}
		switch {
		case r.ends(o):
			ends.add(o)
			continue
		case o.Renews && r.soon(o):
			renew.add(o)
		}
		if have[o.Held] == nil {
			have[o.Held] = &owned{}
		}
		have[o.Held].add(o)
	}
	pct, at := r.policy.coverage(*d)
	if r.s.Coverage > 0 {
		pct, at = r.s.Coverage, recommend.Position{File: "--coverage"}
	}
	target, away := recommend.Part(usage, pct)
	of := d.Amount(usage)
	if before > 0 {
		of += fmt.Sprintf(" (%s advised, and %s that is active longer than %d days, which the advice leaves out)", d.Amount(c.advised), d.Amount(before), recent)
	}
	switch least, words := d.Least(); {
	case target < least:
		r.reject(c, "coverage", at, "%d%% of %s is %s, %s", pct, of, d.Share(target, away), words)
		return false
	case away > 0:
		c.say("coverage", at, "%d%% of %s is %s, rounded down to %s", pct, of, d.Share(target, away), d.Amount(target))
	case pct < 100 || before > 0 || at.File != "":
		c.say("coverage", at, "%d%% of %s is %s", pct, of, d.Amount(target))
	}
	want := target
	for _, held := range []Held{Active, Queued, Planned} {
		o := have[held]
		if o == nil {
			continue
		}
		want = max(0, want-o.n)
		c.say("net", recommend.Position{}, "%s %s already: %s; %s is left", d.Amount(o.n), held, o.names(), d.Amount(want))
	}
	if ends.n > 0 && len(c.renews) == 0 {
		c.say("rebuy", r.policy.Rebuy.At, "not counted, as it ends within %d days: %s", r.policy.Rebuy.N, ends.names())
	}
	if renew.n > 0 {
		c.say("rebuy", r.policy.Rebuy.At, "counted, as the cloud renews it by itself: %s; turn its renewal off to have it planned here", renew.names())
	}
	return r.take(c, want, "net", recommend.Position{}, "nothing is left to buy")
}

// defaultRecent is how many days advice is taken to look back where it does not say.
const defaultRecent = 30

// owned sums up what is owned.
type owned struct {
	n    int64
	list []Owned
}

func (o *owned) add(one Owned) {
	o.n += one.Quantity
	o.list = append(o.list, one)
}

func (o *owned) names() string {
	const most = 10
	var names []string
	for _, one := range o.list[:min(most, len(o.list))] {
		text := one.Name
		if !one.Ends.IsZero() {
			text += " until " + day(one.Ends)
		}
		names = append(names, text)
	}
	if more := len(o.list) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// take sets the quantity of a candidate to what can be bought of n, and drops it
// where that is nothing.
func (r *Run) take(c *candidate, n int64, rule string, at recommend.Position, why string) bool {
	down := c.draft.Down(n)
	switch {
	case n <= 0:
		r.reject(c, rule, at, "%s", why)
		return false
	case down == 0:
		_, words := c.draft.Least()
		r.reject(c, rule, at, "%s is %s", c.draft.Amount(n), words)
		return false
	case down < n:
		c.say("offering", recommend.Position{}, "%s of %s can be bought", c.draft.Amount(down), c.draft.Amount(n))
	}
	c.draft.Quantity = down
	return true
}

// step takes the part of a tranche.
func (r *Run) step(c *candidate) bool {
	l := r.policy.Ladder
	if l == nil || l.Den == 0 {
		return true
	}
	d := &c.draft
	bought := int64(0)
	for _, past := range r.s.Past {
		over := past.At.Add(time.Duration(past.Offering.Term.Hours()) * time.Hour)
		if Covers(past.Lane, past.Goods, *d) && r.s.Now.Before(over) {
			bought += past.Quantity
		}
	}
	want := d.Quantity
	target := want + bought
	least, _ := d.Least()
	of := fmt.Sprintf("%s of %s", l.part(1), d.Amount(target))
	if bought > 0 {
		of += fmt.Sprintf(" (%s planned under the policy before)", d.Amount(bought))
	}
	var n int64
	if exact := times(target, l.Num, l.Den); exact < least {
		if n = min(want, least); n == want {
			return true
		}
		c.say("ladder", l.stepAt, "%s: %s is less than the least that can be bought: %s", l.name(r.tranche), of, d.Amount(n))
	} else {
		up := exact
		if times(target, l.Num, 1)%l.Den != 0 {
			up++
		}
		// In whole numbers the tranches so far are never more than their parts.
		goal := times(target, min(l.Num*int64(r.tranche), l.Den), l.Den) - bought
		n = max(0, min(want, up, goal))
		if n == want {
			return true
		}
		c.say("ladder", l.stepAt, "%s: %s, so %s of %s", l.name(r.tranche), of, d.Amount(n), d.Amount(want))
	}
	return r.take(c, n, "ladder", l.stepAt, "its tranches so far are planned")
}

// part writes n steps: "1/4" or "25%".
func (l *Ladder) part(n int64) string {
	if l.Den == 10_000 {
		return percent(l.Num * n)
	}
	return fmt.Sprintf("%d/%d", l.Num*n, l.Den)
}

// result puts the lines in the order of the input, and tells the rest.
func (r *Run) result(kept []*candidate) (*Result, error) {
	slices.SortFunc(kept, func(a, b *candidate) int { return a.order - b.order })
	slices.SortStableFunc(r.dropped, func(a, b *candidate) int { return a.order - b.order })
	out := &Result{Input: r.in, Tranche: r.tranche, Shut: r.shut}
	out.Input.Name, out.Input.Drafts, out.Input.Left = r.policy.Name, nil, nil
	for i, c := range kept {
		price, err := c.offering.Price(c.draft.Quantity)
		if err != nil {
			return nil, err
		}
		text := fmt.Sprintf("%s: %s upfront, %s per hour, %s over %s", c.draft.Amount(c.draft.Quantity), price.Upfront, price.Hourly, price.Total, c.draft.Term)
		if saves, known, err := c.draft.Claim.Saves(c.draft.Quantity); err != nil {
			return nil, err
		} else if known {
			text += "; it is expected to save " + saves.String() + " a month"
		}
		c.say("price", recommend.Position{}, "%s", text)
		out.Input.Drafts = append(out.Input.Drafts, c.draft)
		out.Offerings = append(out.Offerings, c.offering)
		out.Entries = append(out.Entries, c.entry(i+1))
	}
	for _, c := range r.dropped {
		out.Entries = append(out.Entries, c.entry(0))
	}
	return out, nil
}

func (c *candidate) entry(line int) Entry {
	if c.draft.Provider == "" { // what could not be read
		return Entry{Where: c.draft.At.String(), What: c.draft.Note, Steps: c.steps}
	}
	d := c.draft
	if line == 0 && c.advised > 0 {
		d.Quantity = c.advised
	}
	return Entry{Line: line, Key: Key(d), About: About(d), Where: d.At.String(), What: d.What(), Steps: c.steps}
}

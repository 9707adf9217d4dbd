package policy

import (
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/recommend"
)

// How much of what is wanted is bought: the second part of an application, in the order
// of its functions. Caps come last.

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
		c.saved = ratio(saves, without, 10_000)
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
		months := ratio(price.Upfront, gain, 100)
		c.say("advice", recommend.Position{}, "it breaks even after %s months", hundredths(months))
		if months > a.n {
			r.reject(c, "filters", a.at, "it breaks even after %s months, later than %s", hundredths(months), hundredths(a.n))
			return false, nil
		}
	}
	return true, nil
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

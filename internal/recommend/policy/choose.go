package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bursar/internal/recommend"
)

// What is bought at all, whatever it costs: the first part of an application.

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
		if c.mixed != nil {
			kept = append(kept, c)
			continue
		}
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

package policy

import (
	"slices"

	"bursar/internal/recommend"
)

// mixed is what is bought of the same goods, divided over terms. Everything up to the
// caps is decided about all of it together; the parts are lines of their own.
type mixed struct {
	parts []*candidate // of the mix, in its order
	said  int          // steps of the first part that is wanted, which are its own
}

// divide makes candidates of the parts of a mix out of what is advised of the same goods.
// Of several terms that are advised the first is divided: advice for others is for the
// same usage. What advice says that its own terms save is kept for the part on them.
func (r *Run) divide() {
	var all []*candidate
	heads := map[string]*candidate{}
	said := map[string]map[Terms]recommend.Claim{}
	for _, c := range r.candidates {
		if len(r.policy.mixOf(c.draft.Service)) == 0 || len(c.renews) > 0 {
			continue
		}
		key := Key(c.draft)
		if said[key] == nil {
			said[key] = map[Terms]recommend.Claim{}
		}
		on := Terms{Term: c.draft.Term, Payment: c.draft.Payment}
		if _, known := said[key][on]; !known {
			said[key][on] = c.draft.Claim
		}
	}
	for _, c := range r.candidates {
		mix := r.policy.mixOf(c.draft.Service)
		if len(mix) == 0 || len(c.renews) > 0 {
			all = append(all, c)
			continue
		}
		key := Key(c.draft)
		if head := heads[key]; head != nil {
			r.reject(c, "mix", mix[0].At, "the same goods are advised at %s, which is divided over the terms of the mix", head.draft.At)
			continue
		}
		heads[key] = c
		m := &mixed{}
		for nth, part := range mix {
			d := c.draft
			claim, known := said[key][Terms{Term: part.Term, Payment: part.Payment}]
			d.Term, d.Payment = part.Term, part.Payment
			if d.Claim.Savings, d.Claim.Of = claim.Savings, claim.Of; !known {
				d.Claim.Of = 0
			}
			one := &candidate{draft: d, advised: c.advised, order: c.order, steps: append([]Step{}, c.steps...), saved: -1, mixed: m, part: part, nth: nth}
			m.parts = append(m.parts, one)
			all = append(all, one)
		}
	}
	r.candidates = all
}

// deal divides the quantity of the first part, which is that of all, over the parts: each
// gets its percentage of the whole, rounded down to what is sold, and what rounding took
// goes to the next. The parts together are never more than the whole. What a part does
// not want, as it saves too little, nobody gets.
func (r *Run) deal(m *mixed, wanted []*candidate) []*candidate {
	first := wanted[0]
	whole, steps := first.draft.Quantity, first.steps[m.said:]
	var kept []*candidate
	steps = slices.Clone(steps)
	percent, dealt := int64(0), int64(0)
	for i, c := range m.parts {
		percent += int64(c.part.Percent)
		goal := whole / 100 * percent
		goal += whole % 100 * percent / 100
		if !slices.Contains(wanted, c) {
			dealt = goal
			continue
		}
		if c != first {
			c.steps = append(c.steps, steps...)
		}
		n := c.draft.Down(goal - dealt)
		if n == 0 {
			r.reject(c, "mix", c.part.At, "%d%% of %s on %s %s: its part is %s, of which nothing can be bought", c.part.Percent, c.draft.Amount(whole), c.part.Term, c.part.Payment, c.draft.Amount(goal-dealt))
			continue
		}
		c.say("mix", c.part.At, "%d%% of %s on %s %s: %s, part %d of %d", c.part.Percent, c.draft.Amount(whole), c.part.Term, c.part.Payment, c.draft.Amount(n), i+1, len(m.parts))
		dealt += n
		c.draft.Quantity = n
		kept = append(kept, c)
	}
	return kept
}

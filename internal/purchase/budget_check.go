package purchase

import "bursar/internal/money"

// checkBudgets recomputes every budget from its holds, and every hold from the
// line that it is for.
func checkBudgets(v *view, bad func(string, ...any)) int {
	budgets := make(map[BudgetID]Budget, len(v.Budgets))
	for _, b := range v.Budgets {
		budgets[b.ID] = b
	}
	type key struct {
		budget BudgetID
		period string
	}
	counted := make(map[key]bool, len(v.Periods))
	for _, p := range v.Periods {
		counted[key{p.Budget, p.Period}] = true
	}
	held, spent := map[key]money.Amount{}, map[key]money.Amount{}
	add := func(sums map[key]money.Amount, h Hold) {
		k := key{h.Budget, h.Period}
		sum, err := sums[k].Add(h.Amount)
		if err != nil {
			bad("hold of line %s: %v", h.Line, err)
		}
		sums[k] = sum
	}
	for _, h := range v.Holds {
		switch h.State {
		case HoldHeld:
			add(held, h)
		case HoldSpent:
			add(spent, h)
		}
		b, l := budgets[h.Budget], v.byLine[h.Line]
		p := v.plans[l.Plan]
		if p == nil || b.ID == "" {
			bad("a hold names line %s and budget %s, which are not both in the ledger", h.Line, h.Budget)
			continue
		}
		want, err := b.Takes(l, p.Tolerance)
		switch {
		case err != nil:
			bad("hold of line %s: %v", h.Line, err)
		case !want.Equal(h.Amount):
			bad("line %s holds %s of %s and may cost %s", h.Line, h.Amount, b.label(), want)
		case !b.Covers(l.Spec.Account) || h.Period != b.Period(p.ID, h.At) || !counted[key{h.Budget, h.Period}]:
			bad("line %s holds something of %s in %s, where it does not belong", h.Line, b.label(), h.Period)
		}
	}
	for _, p := range v.Periods {
		k := key{p.Budget, p.Period}
		if !p.Held.Equal(zeroAs(held[k], p.Held)) || !p.Spent.Equal(zeroAs(spent[k], p.Spent)) {
			bad("%s counts %s held and %s spent in %s, its holds add up to %s and %s", budgets[p.Budget].label(),
				p.Held, p.Spent, p.Period, zeroAs(held[k], p.Held), zeroAs(spent[k], p.Spent))
		}
		if free, err := p.Free(); err != nil || free.Sign() < 0 || p.Held.Sign() < 0 || p.Spent.Sign() < 0 {
			bad("%s holds %s and has spent %s in %s with a cap of %s", budgets[p.Budget].label(), p.Held, p.Spent, p.Period, p.Cap)
		}
	}
	return len(v.Periods)
}

// zeroAs gives a sum of nothing the currency of another amount.
func zeroAs(sum, like money.Amount) money.Amount {
	if sum.Currency() == "" {
		return money.Zero(like.Currency())
	}
	return sum
}

// checkHolds compares the holds of every line with its state.
func checkHolds(v *view, bad func(string, ...any)) int {
	holds := map[LineID][]Hold{}
	for _, h := range v.Holds {
		holds[h.Line] = append(holds[h.Line], h)
	}
	returned := map[LineID]bool{}
	for _, u := range v.Undos {
		returned[u.Line] = returned[u.Line] || u.State == UndoReturned
	}
	ceilings := map[PlanID]bool{}
	for _, b := range v.Budgets {
		ceilings[b.Plan] = true
	}
	for _, l := range v.lines {
		want, holds, found := HoldStateOf(l.State), holds[l.ID], false
		if returned[l.ID] {
			want = HoldReturned
		}
		for _, h := range holds {
			found = found || h.Budget == BudgetID(l.Plan)
			if h.State != want {
				bad("line %s is %s and its hold on budget %s is %s", l.ID, l.State, h.Budget, h.State)
			}
		}
		// A ledger that went back in time may have forgotten an approval. What its
		// lines come to is known by looking, and holds nothing.
		forgotten := !ceilings[l.Plan] && l.Armed == 0 && (l.State.Terminal() || l.State == NeedsReview || l.State == Recovery)
		if l.State != Draft && !forgotten && !found {
			bad("line %s is %s without a hold on the ceiling of plan %s", l.ID, l.State, l.Plan)
		}
	}
	return len(v.lines)
}

// label names a budget in a finding.
func (b Budget) label() string {
	if b.Plan != "" {
		return "the ceiling of plan " + string(b.Plan)
	}
	return "budget " + b.Name
}

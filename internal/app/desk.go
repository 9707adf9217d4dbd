package app

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// The pages that a person opens first are made of sums and of the few lines that wait.

// Desk tells how things stand.
func (a *App) Desk(ctx context.Context, f api.DeskFilter) (v api.Desk, err error) {
	if err := a.reads(ctx); err != nil {
		return v, err
	}
	plans, err := a.db.CountPlans(ctx)
	if err != nil {
		return v, err
	}
	for _, n := range plans {
		v.Plans += n
	}
	if err := a.sumDesk(ctx, f, &v); err != nil {
		return v, err
	}
	if v.Doubts, err = a.Doubts(ctx, f.Most); err != nil {
		return v, err
	}
	if v.Review, err = a.oldest(ctx, purchase.NeedsReview, f.Most); err != nil {
		return v, err
	}
	if v.Replan, err = a.oldest(ctx, purchase.NeedsReapproval, f.Most); err != nil {
		return v, err
	}
	if err := a.deskPlans(ctx, f, &v); err != nil {
		return v, err
	}
	v.Ending, err = a.ending(ctx, store.Ending{After: a.clouds.now(), Until: f.Soon, Most: f.Most})
	return v, err
}

// sumDesk adds the sums of a desk.
func (a *App) sumDesk(ctx context.Context, f api.DeskFilter, v *api.Desk) error {
	v.Lines = map[string]int{}
	lines, err := a.db.SumLines(ctx)
	if err != nil {
		return err
	}
	for _, s := range lines {
		if !sees(ctx, string(s.Account)) {
			continue
		}
		v.Lines[string(s.State)] += s.Lines
		if slices.Contains(doubtful, s.State) {
			if err := addTimes(&v.Doubted, s.Total, s.Lines); err != nil {
				return err
			}
		}
	}
	receipts, err := a.db.SumReceipts(ctx, a.clouds.now(), f.Soon)
	if err != nil {
		return err
	}
	for _, s := range receipts {
		if !sees(ctx, string(s.Account)) {
			continue
		}
		v.Commitments += s.Count
		v.Ends += s.Soon
		rate := api.Rate(s.Total, int(s.Term))
		err := errors.Join(addTimes(&v.Bound, s.Total, s.Count), addTimes(&v.Hourly, rate, s.Count), addTimes(&v.EndsRate, rate, s.Soon))
		if err != nil {
			return err
		}
	}
	for _, sums := range [][]money.Amount{v.Bound, v.Hourly, v.Doubted, v.EndsRate} {
		slices.SortFunc(sums, func(x, y money.Amount) int { return cmp.Compare(x.Currency(), y.Currency()) })
	}
	return nil
}

// addTimes adds an amount so many times; what is of no currency is nothing.
func addTimes(sums *[]money.Amount, each money.Amount, n int) error {
	if n == 0 || each.Currency() == "" {
		return nil
	}
	all, err := each.Mul(int64(n))
	if err == nil {
		*sums, err = addTo(*sums, all)
	}
	return err
}

// deskPlans adds the plans of a desk: those that whoever asks may see.
func (a *App) deskPlans(ctx context.Context, f api.DeskFilter, v *api.Desk) error {
	proposed, err := a.db.PlansToDecide(ctx)
	if err != nil {
		return err
	}
	for _, p := range proposed {
		s, ok, err := a.seenSummary(ctx, p)
		if err != nil {
			return err
		} else if !ok {
			continue
		}
		decisions, err := a.db.Decisions(ctx, p.ID)
		if err != nil {
			return err
		}
		v.Decide = append(v.Decide, api.Proposed{PlanSummary: s, Decisions: decisionViews(decisions)})
	}
	begin, err := a.db.PlansToBegin(ctx)
	if err != nil {
		return err
	}
	who, ok := auth.From(ctx)
	all := !ok || who.Accounts == nil
	for _, p := range begin {
		if len(v.Begin) >= f.Most && all {
			v.Begins++ // it is only counted
			continue
		}
		s, ok, err := a.seenSummary(ctx, p)
		if err != nil {
			return err
		} else if !ok {
			continue
		}
		if v.Begins++; len(v.Begin) < f.Most {
			v.Begin = append(v.Begin, s)
		}
	}
	running, err := a.db.PlansBeingBought(ctx)
	if err != nil {
		return err
	}
	for _, p := range running {
		s, ok, err := a.seenSummary(ctx, p)
		if err != nil {
			return err
		}
		if ok && s.Progress == string(purchase.ProgressRunning) && len(v.Running) < f.Most {
			v.Running = append(v.Running, s)
		}
	}
	return nil
}

// seenSummary is a plan without its lines, if whoever asks may see all of them.
func (a *App) seenSummary(ctx context.Context, p *purchase.Plan) (api.PlanSummary, bool, error) {
	sums, err := a.db.SumPlan(ctx, p.ID)
	if err != nil || slices.ContainsFunc(sums, func(s store.LineSum) bool { return !sees(ctx, string(s.Account)) }) {
		return api.PlanSummary{}, false, err
	}
	s, err := a.summary(ctx, p, sums)
	return s, err == nil, err
}

// doubtful are the states in which it is not known what a line has bought, in the order
// in which they are shown.
var doubtful = []purchase.State{purchase.Armed, purchase.Recovery, purchase.NeedsReview}

// Doubts lists the lines in doubt: first those that are looked up, the oldest first, then
// those that wait for a person.
func (a *App) Doubts(ctx context.Context, most int) ([]api.Doubt, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	var list []api.Doubt
	names := map[string]string{}
	for _, state := range doubtful {
		lines, err := a.oldest(ctx, state, most)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			d := api.Doubt{Line: l, Since: l.UpdatedAt, Asked: a.asked.of(l, a.clouds.now()) != nil}
			n, at, err := a.db.LastAttempt(ctx, purchase.LineID(l.ID))
			if err != nil {
				return nil, err
			}
			if n > 0 {
				d.Attempt, d.Since = n, at
			}
			if _, ok := names[l.Plan]; !ok {
				if names[l.Plan], err = a.db.PlanName(ctx, purchase.PlanID(l.Plan)); err != nil {
					return nil, err
				}
			}
			d.Plan = names[l.Plan]
			list = append(list, d)
		}
	}
	person := func(d api.Doubt) int {
		if d.Line.State == string(purchase.NeedsReview) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(x, y api.Doubt) int {
		return cmp.Or(person(x)-person(y), x.Since.Compare(y.Since))
	})
	return list[:min(len(list), most)], nil
}

// oldest lists lines in a state by when they came to it. Where there are more than most,
// they are those of the oldest plans.
func (a *App) oldest(ctx context.Context, state purchase.State, most int) ([]api.Line, error) {
	var lines []purchase.Line
	for _, account := range scope(ctx) {
		found, err := a.db.OldestLines(ctx, state, account, most)
		if err != nil {
			return nil, err
		}
		lines = append(lines, found...)
	}
	views := make([]api.Line, len(lines))
	for i, l := range lines {
		views[i] = lineView(l, nil)
	}
	slices.SortStableFunc(views, func(x, y api.Line) int { return cmp.Compare(x.Plan, y.Plan) })
	views = views[:min(len(views), most)]
	slices.SortStableFunc(views, func(x, y api.Line) int {
		return cmp.Or(x.UpdatedAt.Compare(y.UpdatedAt), cmp.Compare(y.Plan, x.Plan), cmp.Compare(x.Number, y.Number))
	})
	return views, nil
}

// EndingSums counts what has not ended by the day on which it ends, the next day first.
func (a *App) EndingSums(ctx context.Context) ([]api.EndingSum, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	found, err := a.db.EndingSums(ctx, a.clouds.now())
	if err != nil {
		return nil, err
	}
	found = seen(ctx, found, func(s store.EndingSum) string { return string(s.Account) })
	list := make([]api.EndingSum, len(found))
	for i, s := range found {
		list[i] = api.EndingSum{Day: s.Day, N: s.Count}
		if i > 0 && s.Term == found[i-1].Term && s.Total == found[i-1].Total {
			list[i].Rate = list[i-1].Rate
		} else {
			list[i].Rate = api.Rate(s.Total, int(s.Term))
		}
	}
	slices.SortStableFunc(list, func(x, y api.EndingSum) int { return x.Day.Compare(y.Day) })
	return list, nil
}

// Ending lists the lines whose commitments have not ended, the next first.
func (a *App) Ending(ctx context.Context, f api.EndingFilter) ([]api.Line, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	return a.ending(ctx, store.Ending{After: a.clouds.now(), Until: f.Until, Since: f.Since, Most: f.Most})
}

func (a *App) ending(ctx context.Context, e store.Ending) ([]api.Line, error) {
	var lines []purchase.Line
	for _, account := range scope(ctx) {
		e.Account = account
		found, err := a.db.LinesEnding(ctx, e)
		if err != nil {
			return nil, err
		}
		lines = append(lines, found...)
	}
	receipts, err := a.db.LineReceipts(ctx, lines)
	if err != nil {
		return nil, err
	}
	views := make([]api.Line, len(lines))
	for i, l := range lines {
		views[i] = lineView(l, receipts)
	}
	slices.SortStableFunc(views, func(x, y api.Line) int { return x.End().Compare(y.End()) })
	if e.Most > 0 {
		views = views[:min(len(views), e.Most)]
	}
	return views, nil
}

// scope is what to ask the ledger for, account by account: "" asks for all of them.
func scope(ctx context.Context) []cloud.Account {
	p, ok := auth.From(ctx)
	if !ok || p.Accounts == nil {
		return []cloud.Account{""}
	}
	var list []cloud.Account
	for _, account := range slices.Compact(slices.Sorted(slices.Values(p.Accounts))) {
		if account != "" {
			list = append(list, cloud.Account(account))
		}
	}
	return list
}

// PlanNames are what plans are called that whoever asks has seen elsewhere.
func (a *App) PlanNames(ctx context.Context, ids []string) (map[string]string, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	names := make(map[string]string, len(ids))
	for _, id := range ids {
		name, err := a.db.PlanName(ctx, purchase.PlanID(id))
		if err != nil {
			return nil, err
		}
		names[id] = name
	}
	return names, nil
}

// LineAccounts are the accounts that lines are in, in order, of those that whoever asks
// may see.
func (a *App) LineAccounts(ctx context.Context) ([]string, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	found, err := a.db.LineAccounts(ctx)
	return seen(ctx, found, func(account string) string { return account }), err
}

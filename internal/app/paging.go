package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// A cursor names the last thing of a page: a plan, or a plan and the number of a line.

// limit is how many things a page holds.
func limit(n int) (int, error) {
	switch {
	case n == 0:
		return api.DefaultLimit, nil
	case n < 0 || n > api.MaxLimit:
		return 0, api.Errorf(api.Invalid, "limit %d: use 1 to %d", n, api.MaxLimit)
	}
	return n, nil
}

var planStates = []purchase.PlanState{purchase.PlanProposed, purchase.PlanApproved, purchase.PlanRejected, purchase.PlanSuperseded}

// oneOf refuses a state that is none.
func oneOf[S ~string](state string, states []S) error {
	if state == "" || slices.Contains(states, S(state)) {
		return nil
	}
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = string(s)
	}
	return api.Errorf(api.Invalid, "state %q: use one of %s", state, strings.Join(names, ", "))
}

// ulidCursor refuses a cursor that no page gave out.
func ulidCursor(text string) error {
	if len(text) != 26 || strings.Trim(text, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
		return api.Errorf(api.Invalid, "cursor %q: use what the page before gave as next", text)
	}
	return nil
}

// PlanPage returns a page of plans, newest first.
func (a *App) PlanPage(ctx context.Context, f api.PlanFilter) (api.PlanPage, error) {
	most, err := limit(f.Limit)
	if err == nil {
		err = oneOf(f.State, planStates)
	}
	if err == nil && f.Cursor != "" {
		err = ulidCursor(f.Cursor)
	}
	if err != nil {
		return api.PlanPage{}, err
	}
	if err := a.reads(ctx); err != nil {
		return api.PlanPage{}, err
	}
	page := api.PlanPage{Plans: []api.PlanSummary{}}
	before := purchase.PlanID(f.Cursor)
	for {
		plans, err := a.db.PlansBefore(ctx, before, purchase.PlanState(f.State), most+1)
		if err != nil {
			return api.PlanPage{}, err
		}
		for _, p := range plans {
			before = p.ID
			if !strings.Contains(strings.ToLower(strings.Join([]string{p.Name, string(p.ID), p.Requester, p.Digest}, " ")), strings.ToLower(f.Text)) {
				continue
			}
			if len(page.Plans) == most {
				page.Next = page.Plans[most-1].ID
				return page, nil
			}
			sums, err := a.db.SumPlan(ctx, p.ID)
			if err != nil {
				return api.PlanPage{}, err
			}
			if slices.ContainsFunc(sums, func(s store.LineSum) bool { return !sees(ctx, string(s.Account)) }) {
				continue
			}
			v, err := a.summary(ctx, p, sums)
			if err != nil {
				return api.PlanPage{}, err
			}
			page.Plans = append(page.Plans, v)
		}
		if len(plans) <= most {
			return page, nil
		}
	}
}

func (a *App) summary(ctx context.Context, p *purchase.Plan, sums []store.LineSum) (api.PlanSummary, error) {
	v := api.PlanSummary{
		ID: string(p.ID), Lineage: string(p.Lineage), Version: p.Version, Name: p.Name, Requester: p.Requester, CreatedAt: p.CreatedAt,
		State: string(p.State), Digest: p.Digest, ApprovalExpires: optional(p.ApprovalExpires), Total: priceView(p.Total), States: map[string]int{},
		Approvals: api.Approvals{Needed: p.Approvals.Needed, Approvers: p.Approvals.Approvers, RequesterMay: p.Approvals.Self},
	}
	v.Bound = money.Zero(p.Total.Total.Currency())
	for _, s := range sums {
		if s.State == purchase.Purchased {
			all, err := s.Total.Mul(int64(s.Lines))
			if err == nil {
				v.Bound, err = v.Bound.Add(all)
			}
			if err != nil {
				return v, err
			}
		}
		v.Lines += s.Lines
		v.States[string(s.State)] += s.Lines
		p.Lines = append(p.Lines, purchase.Line{State: s.State}) // the progress is that of one of each
	}
	v.Progress = string(p.Progress())
	decisions, err := a.db.Decisions(ctx, p.ID)
	for _, d := range decisions {
		if d.Approve {
			v.Approvals.Given++
		}
	}
	return v, err
}

// LinePage returns a page of lines, those of the newest plan first, in its order.
func (a *App) LinePage(ctx context.Context, f api.LineFilter) (api.LinePage, error) {
	most, err := limit(f.Limit)
	if err == nil {
		err = oneOf(f.State, purchase.States)
	}
	if err != nil {
		return api.LinePage{}, err
	}
	q := store.LinePage{State: purchase.State(f.State), Account: cloud.Account(f.Account), Most: most + 1}
	if f.Cursor != "" {
		plan, number, ok := strings.Cut(f.Cursor, ".")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 0 || ulidCursor(plan) != nil {
			return api.LinePage{}, api.Errorf(api.Invalid, "cursor %q: use what the page before gave as next", f.Cursor)
		}
		q.After, q.AfterNumber = purchase.PlanID(plan), n
	}
	if err := a.reads(ctx); err != nil {
		return api.LinePage{}, err
	}
	if f.Plan != "" {
		p, err := a.plan(ctx, f.Plan)
		if err != nil {
			return api.LinePage{}, err
		}
		if q.Plan = p.ID; q.After != "" && q.After != q.Plan {
			return api.LinePage{}, api.Errorf(api.Invalid, "cursor %q is one of another plan: use what the page before gave as next", f.Cursor)
		}
	}
	lines, err := a.linesOf(ctx, q)
	if err != nil {
		return api.LinePage{}, err
	}
	page := api.LinePage{Lines: []api.Line{}}
	if len(lines) > most {
		lines = lines[:most]
		page.Next = fmt.Sprintf("%s.%d", lines[most-1].Plan, lines[most-1].Number)
	}
	receipts, err := a.db.LineReceipts(ctx, lines)
	if err != nil {
		return api.LinePage{}, err
	}
	approvers := map[purchase.PlanID][]string{}
	for _, l := range lines {
		if _, ok := approvers[l.Plan]; !ok {
			decisions, err := a.db.Decisions(ctx, l.Plan)
			if err != nil {
				return api.LinePage{}, err
			}
			approvers[l.Plan] = purchase.ApprovedBy(decisions)
		}
		v := lineView(l, receipts)
		v.Tags = l.Tagged(approvers[l.Plan])
		page.Lines = append(page.Lines, v)
	}
	return page, nil
}

// linesOf reads the lines that whoever acts may see.
func (a *App) linesOf(ctx context.Context, q store.LinePage) ([]purchase.Line, error) {
	p, ok := auth.From(ctx)
	switch {
	case q.Account != "" && !sees(ctx, string(q.Account)):
		return nil, nil
	case !ok || q.Account != "" || p.Accounts == nil:
		return a.db.Lines(ctx, q)
	}
	var all []purchase.Line
	for _, account := range slices.Compact(slices.Sorted(slices.Values(p.Accounts))) {
		q.Account = cloud.Account(account)
		lines, err := a.db.Lines(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	slices.SortFunc(all, func(x, y purchase.Line) int {
		return cmp.Or(cmp.Compare(y.Plan, x.Plan), cmp.Compare(x.Number, y.Number))
	})
	return all[:min(len(all), q.Most)], nil
}

// Lines of each kind that an overview lists.
const overviewLines = 20

// Overview tells how things stand.
func (a *App) Overview(ctx context.Context) (api.Overview, error) {
	v := api.Overview{Plans: map[string]int{}, Lines: map[string]int{}, Bound: []money.Amount{}, Open: []money.Amount{}, Attention: []api.Line{}}
	err := a.reads(ctx)
	if err != nil {
		return api.Overview{}, err
	}
	if v.Installation, err = a.Installation(ctx); err != nil {
		return api.Overview{}, err
	}
	in, err := a.db.Installation(ctx)
	if err != nil {
		return api.Overview{}, err
	}
	v.Recovery = in.Recovery
	if v.Purchasing, err = a.Purchasing(ctx); err != nil {
		return api.Overview{}, err
	}
	sums, err := a.db.SumLines(ctx)
	if err != nil {
		return api.Overview{}, err
	}
	for _, s := range sums {
		if !sees(ctx, string(s.Account)) {
			continue
		}
		v.Lines[string(s.State)] += s.Lines
		total, err := s.Total.Mul(int64(s.Lines))
		if err != nil {
			return api.Overview{}, err
		}
		switch {
		case s.State == purchase.Purchased:
			v.Bound, err = addTo(v.Bound, total)
		case !s.State.Terminal() && s.State != purchase.Draft:
			v.Open, err = addTo(v.Open, total)
		}
		if err != nil {
			return api.Overview{}, err
		}
	}
	plans, err := a.db.CountPlans(ctx)
	if err != nil {
		return api.Overview{}, err
	}
	for state, n := range plans {
		v.Plans[string(state)] = n
	}
	if v.Lines[string(purchase.Armed)] > 0 {
		since, err := a.db.InDoubtSince(ctx)
		if err != nil {
			return api.Overview{}, err
		}
		v.Doubt = optional(since)
	}
	for _, state := range []purchase.State{purchase.Armed, purchase.NeedsReview, purchase.Recovery, purchase.NeedsReapproval} {
		if v.Lines[string(state)] == 0 || len(v.Attention) >= overviewLines {
			continue
		}
		page, err := a.LinePage(ctx, api.LineFilter{HistoryFilter: api.HistoryFilter{State: string(state)}, Limit: overviewLines - len(v.Attention)})
		if err != nil {
			return api.Overview{}, err
		}
		v.Attention = append(v.Attention, page.Lines...)
	}
	proposed, err := a.PlanPage(ctx, api.PlanFilter{State: string(purchase.PlanProposed), Limit: overviewLines})
	if err != nil {
		return api.Overview{}, err
	}
	v.Proposed = proposed.Plans
	if v.Budgets, err = a.Budgets(ctx); err != nil {
		return api.Overview{}, err
	}
	v.Budgets = slices.DeleteFunc(v.Budgets, func(b api.Budget) bool { return !sees(ctx, b.Account) })
	return v, nil
}

// addTo adds an amount to the sum in its currency.
func addTo(sums []money.Amount, a money.Amount) ([]money.Amount, error) {
	for i, s := range sums {
		if s.Currency() == a.Currency() {
			var err error
			sums[i], err = s.Add(a)
			return sums, err
		}
	}
	return append(sums, a), nil
}

// watchEvery is how often the ledger is asked for what another process has moved.
const watchEvery = 300 * time.Millisecond

// Watch tells where the lines of a plan are and how they go on. Each event is a line as
// it then is: a line that moved twice in between is told once. What follows the event of
// another number is told at least once.
func (a *App) Watch(ctx context.Context, id string, after int, moved func(api.Progress) error) error {
	p, err := a.plan(ctx, id)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	seen, number := map[purchase.LineID]int{}, 0
	for first := true; ; first = false {
		versions, err := a.db.LineVersions(ctx, p.ID)
		if err != nil {
			return err
		}
		sum, open := 0, false
		var news []store.LineVersion
		for _, v := range versions {
			sum += v.Version
			open = open || !v.State.Terminal()
			if v.Version > seen[v.Line] {
				news = append(news, v)
			}
		}
		if first && sum == after {
			news, number = nil, sum // nothing has happened since
			for _, v := range versions {
				seen[v.Line] = v.Version
			}
		}
		if len(news) > 0 {
			if p, err = a.db.Plan(ctx, string(p.ID)); err != nil {
				return err
			}
			if number, err = a.tell(ctx, p, news, seen, number, moved); err != nil {
				return err
			}
		}
		if !open {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// tell tells of lines in the order in which they moved.
func (a *App) tell(ctx context.Context, p *purchase.Plan, news []store.LineVersion, seen map[purchase.LineID]int, number int, moved func(api.Progress) error) (int, error) {
	slices.SortStableFunc(news, func(x, y store.LineVersion) int { return x.At.Compare(y.At) })
	receipts, err := a.db.LineReceipts(ctx, p.Lines)
	if err != nil {
		return number, err
	}
	event := api.Progress{Lines: len(p.Lines)}
	event.Done, event.InDoubt, event.Bound = engine.Progress(p)
	for _, v := range news {
		i := slices.IndexFunc(p.Lines, func(l purchase.Line) bool { return l.ID == v.Line })
		number += v.Version - seen[v.Line]
		seen[v.Line] = v.Version
		event.Number, event.Line = number, lineView(p.Lines[i], receipts)
		if err := moved(event); err != nil {
			return number, err
		}
	}
	return number, nil
}

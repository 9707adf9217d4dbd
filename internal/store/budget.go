package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// ErrNoHold: a line that is ready holds nothing, or no longer what its approval
// took. It is never armed.
var ErrNoHold = errors.New("the line holds nothing of its budgets: see bursar check")

// SetBudget gives the budget of that name the cap asked for as of ChangedAt, or makes
// it if no budget of that name takes holds; then its id and the time it was made
// are set here. It returns what is stored.
//
// A new budget takes over what was approved in its current period and is open or
// bought; one that is per plan begins with the next approval. *CapTooLow refuses
// a cap below what is held and spent in the current period, *OtherMeasure a
// change of anything but the cap, *OtherCurrency a line that cannot be taken
// over; nothing is changed then.
func (db *DB) SetBudget(ctx context.Context, asked purchase.Budget) (purchase.Budget, error) {
	var b purchase.Budget
	err := db.write(ctx, func(q *rows.Queries) error {
		b = asked
		r, err := q.GetActiveBudget(ctx, b.Name)
		if errors.Is(err, sql.ErrNoRows) {
			b.ID, b.CreatedAt, b.CreatedBy = purchase.BudgetID(newID(b.ChangedAt)), b.ChangedAt, b.ChangedBy
			return makeBudget(ctx, q, b)
		} else if err != nil {
			return err
		}
		old, err := toBudget(r)
		if err != nil {
			return err
		}
		if err := sameMeasure(old, b); err != nil {
			return err
		}
		old.Cap, old.ChangedAt, old.ChangedBy = b.Cap, b.ChangedAt, b.ChangedBy
		b = old
		return capBudget(ctx, q, b)
	})
	if err != nil {
		return purchase.Budget{}, fmt.Errorf("set the budget: %w", err)
	}
	return b, nil
}

func sameMeasure(old, b purchase.Budget) error {
	for _, f := range []struct{ name, has, asks string }{
		{"currency", old.Cap.Currency(), b.Cap.Currency()}, {"period", string(old.Per), string(b.Per)},
		{"measure", string(old.Of), string(b.Of)}, {"account", account(old), account(b)},
	} {
		if f.has != f.asks {
			return &purchase.OtherMeasure{Budget: old, Field: f.name, Has: f.has, Asks: f.asks}
		}
	}
	return nil
}

func account(b purchase.Budget) string {
	if b.Account == "" {
		return "every account"
	}
	return string(b.Account)
}

func capBudget(ctx context.Context, q *rows.Queries, b purchase.Budget) error {
	most, err := b.Cap.Millionths()
	if err != nil {
		return err
	}
	n, err := q.CapBudget(ctx, rows.CapBudgetParams{Cap: most, ChangedAt: micros(b.ChangedAt), ChangedBy: b.ChangedBy, ID: string(b.ID)})
	switch {
	case err != nil:
		return err
	case n != 1:
		return fmt.Errorf("budget %s: %w", b.Name, ErrNotFound)
	}
	if b.Per == purchase.PerPlan {
		return nil // each plan was approved under the cap of its day
	}
	period := b.Period("", b.ChangedAt)
	r, err := q.GetPeriod(ctx, rows.GetPeriodParams{BudgetID: string(b.ID), Period: period})
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	n, err = q.CapPeriod(ctx, rows.CapPeriodParams{Cap: most, BudgetID: string(b.ID), Period: period})
	if err == nil && n != 1 {
		used, err := money.FromMillionths(r.Taken, b.Cap.Currency())
		return errors.Join(err, &purchase.CapTooLow{Budget: b, Period: period, Used: used})
	}
	return err
}

// makeBudget inserts a budget with holds for what it takes over.
func makeBudget(ctx context.Context, q *rows.Queries, b purchase.Budget) error {
	if err := insertBudget(ctx, q, b); err != nil {
		return err
	}
	if b.Per == purchase.PerPlan {
		return nil
	}
	plans, err := allPlans(ctx, q)
	if err != nil {
		return err
	}
	lines, tolerance := map[string]purchase.Line{}, map[purchase.PlanID]purchase.Tolerance{}
	for _, p := range plans {
		tolerance[p.ID] = p.Tolerance
		for _, l := range p.Lines {
			lines[string(l.ID)] = l
		}
	}
	ceilings, err := q.CeilingHolds(ctx)
	if err != nil {
		return err
	}
	period := b.Period("", b.CreatedAt)
	claim := purchase.Claim{Budget: b, Period: period, Amount: money.Zero(b.Cap.Currency())}
	var from []rows.Hold
	for _, h := range ceilings {
		l := lines[h.LineID]
		if !b.Covers(l.Spec.Account) || b.Period("", fromMicros(h.At)) != period {
			continue
		}
		amount, err := b.Takes(l, tolerance[l.Plan])
		if err != nil {
			return err
		}
		if claim.Amount, err = claim.Amount.Add(amount); err != nil {
			return err
		}
		claim.Lines = append(claim.Lines, purchase.LineClaim{Line: l.ID, Amount: amount})
		from = append(from, h)
	}
	err = takeClaim(ctx, q, claim, func(i int) time.Time { return fromMicros(from[i].At) })
	var over *purchase.OverBudget
	if errors.As(err, &over) {
		return &purchase.CapTooLow{Budget: b, Period: period, Used: claim.Amount}
	} else if err != nil {
		return err
	}
	for _, h := range from {
		if h.State != string(purchase.HoldSpent) {
			continue
		}
		if err := spendHold(ctx, q, h.LineID, string(b.ID), fromMicros(h.EndedAt)); err != nil {
			return err
		}
	}
	return nil
}

// RetireBudget ends a budget: approvals from at on take nothing from it. What it
// holds goes on until the lines end. ErrNotFound if no budget of the name takes
// holds.
func (db *DB) RetireBudget(ctx context.Context, name, by string, at time.Time) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		n, err := q.RetireBudget(ctx, rows.RetireBudgetParams{RetiredAt: micros(at), RetiredBy: by, Name: name})
		if err == nil && n != 1 {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("budget %s: %w", name, err)
	}
	return nil
}

// Budgets reads the budgets that take holds, by name, with what they hold and
// have spent in each of their periods, all of one moment.
func (db *DB) Budgets(ctx context.Context) ([]purchase.Budget, []purchase.BudgetPeriod, error) {
	var budgets []purchase.Budget
	var periods []purchase.BudgetPeriod
	err := db.view(ctx, func(q *rows.Queries) error {
		var err error
		if budgets, err = activeBudgets(ctx, q); err != nil {
			return err
		}
		for _, b := range budgets {
			rs, err := q.ListPeriods(ctx, string(b.ID))
			if err != nil {
				return err
			}
			for _, r := range rs {
				p, err := toPeriod(rows.GetPeriodRow(r), b.Cap.Currency())
				if err != nil {
					return err
				}
				periods = append(periods, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("budgets: %w", err)
	}
	return budgets, periods, nil
}

// PlanBudget is what one budget has to do with one plan.
type PlanBudget struct {
	Budget purchase.Budget
	Period purchase.BudgetPeriod // as it is now
	// Needs is what approving a proposed plan would take, and Refusal why it could
	// not; it is no promise, as others may be faster.
	Needs   money.Amount
	Refusal error
	// Held and Spent are the plan's own part, once it is approved.
	Held, Spent money.Amount
}

// PlanBudgets tells which budgets a proposed plan would take from if it were
// approved at the given time, or, for one that was approved, what it holds and has
// spent of which. The ceiling of the plan is not among them.
func (db *DB) PlanBudgets(ctx context.Context, p *purchase.Plan, at time.Time) ([]PlanBudget, error) {
	var all []PlanBudget
	err := db.view(ctx, func(q *rows.Queries) error {
		var err error
		if p.State == purchase.PlanProposed {
			all, err = wouldTake(ctx, q, p, at)
		} else {
			all, err = hasTaken(ctx, q, p)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("budgets of plan %s: %w", p.ID, err)
	}
	return all, nil
}

func wouldTake(ctx context.Context, q *rows.Queries, p *purchase.Plan, at time.Time) ([]PlanBudget, error) {
	budgets, err := activeBudgets(ctx, q)
	if err != nil {
		return nil, err
	}
	var all []PlanBudget
	for _, b := range budgets {
		claim, err := p.Claim(b, at)
		if errors.Is(err, purchase.ErrBudget) {
			claim.Period, claim.Amount = b.Period(p.ID, at), money.Zero(b.Cap.Currency())
		} else if err != nil {
			return nil, err
		}
		if err == nil && len(claim.Lines) == 0 {
			continue
		}
		now, readErr := currentPeriod(ctx, q, b, claim.Period)
		if readErr != nil {
			return nil, readErr
		}
		t := PlanBudget{Budget: b, Period: now, Needs: claim.Amount, Refusal: err, Held: money.Zero(b.Cap.Currency()), Spent: money.Zero(b.Cap.Currency())}
		if free, err := freeFor(ctx, q, p, now); err != nil {
			return nil, err
		} else if order, err := claim.Amount.Cmp(free); err != nil {
			return nil, err
		} else if order > 0 {
			t.Refusal = &purchase.OverBudget{Budget: b, Period: claim.Period, Needs: claim.Amount, Free: free}
		}
		all = append(all, t)
	}
	return all, nil
}

// freeFor is what a period has left for a plan: also what the earlier versions
// hold, which approving the plan releases.
func freeFor(ctx context.Context, q *rows.Queries, p *purchase.Plan, in purchase.BudgetPeriod) (money.Amount, error) {
	free, err := in.Free()
	if err != nil {
		return free, err
	}
	held, err := q.EarlierHolds(ctx, rows.EarlierHoldsParams{
		Lineage: string(p.Lineage), Version: int64(p.Version), BudgetID: string(in.Budget), Period: in.Period,
	})
	if err != nil {
		return free, err
	}
	for _, r := range held {
		h, err := toHold(r, free.Currency())
		if err != nil {
			return free, err
		}
		if free, err = free.Add(h.Amount); err != nil {
			return free, err
		}
	}
	return free, nil
}

func hasTaken(ctx context.Context, q *rows.Queries, p *purchase.Plan) ([]PlanBudget, error) {
	holds, err := q.PlanHolds(ctx, string(p.ID))
	if err != nil {
		return nil, err
	}
	var all []PlanBudget
	for _, r := range holds { // by budget
		if r.BudgetID == string(p.ID) {
			continue
		}
		if len(all) == 0 || string(all[len(all)-1].Budget.ID) != r.BudgetID {
			br, err := q.GetBudget(ctx, r.BudgetID)
			if err != nil {
				return nil, err
			}
			b, err := toBudget(br)
			if err != nil {
				return nil, err
			}
			now, err := currentPeriod(ctx, q, b, r.Period)
			if err != nil {
				return nil, err
			}
			zero := money.Zero(b.Cap.Currency())
			all = append(all, PlanBudget{Budget: b, Period: now, Needs: zero, Held: zero, Spent: zero})
		}
		t := &all[len(all)-1]
		h, err := toHold(r, t.Budget.Cap.Currency())
		if err != nil {
			return nil, err
		}
		switch h.State {
		case purchase.HoldHeld:
			t.Held, err = t.Held.Add(h.Amount)
		case purchase.HoldSpent:
			t.Spent, err = t.Spent.Add(h.Amount)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// currentPeriod reads a period; one that nothing was approved in yet is empty.
func currentPeriod(ctx context.Context, q *rows.Queries, b purchase.Budget, period string) (purchase.BudgetPeriod, error) {
	r, err := q.GetPeriod(ctx, rows.GetPeriodParams{BudgetID: string(b.ID), Period: period})
	if errors.Is(err, sql.ErrNoRows) {
		zero := money.Zero(b.Cap.Currency())
		return purchase.BudgetPeriod{Budget: b.ID, Period: period, Cap: b.Cap, Held: zero, Spent: zero}, nil
	} else if err != nil {
		return purchase.BudgetPeriod{}, err
	}
	return toPeriod(r, b.Cap.Currency())
}

// takeHolds takes, for the plan that the decision approves, what its lines may
// cost from every budget that covers them and from the plan's own ceiling. It is
// part of the transaction that opens the lines: *OverBudget and *OtherCurrency
// undo the approval.
func takeHolds(ctx context.Context, q *rows.Queries, d purchase.Decision) error {
	r, err := q.GetPlan(ctx, string(d.Plan))
	if err != nil {
		return err
	}
	p, err := toPlan(r)
	if err != nil {
		return err
	}
	lines, err := q.ListLines(ctx, string(d.Plan))
	if err != nil {
		return err
	}
	if p.Lines, err = toLines(lines); err != nil {
		return err
	}
	budgets, err := activeBudgets(ctx, q)
	if err != nil {
		return err
	}
	ceiling, err := p.Ceiling(d.At, d.By)
	if err != nil {
		return err
	}
	if err := insertBudget(ctx, q, ceiling); err != nil {
		return err
	}
	for _, b := range append(budgets, ceiling) {
		claim, err := p.Claim(b, d.At)
		if err != nil {
			return err
		}
		if err := takeClaim(ctx, q, claim, func(int) time.Time { return d.At }); err != nil {
			return err
		}
	}
	return nil
}

// takeClaim holds a claim in its period, one hold for each line, or nothing and
// *OverBudget. That it fits is decided by the one guarded UPDATE: whatever was
// read before may have changed since.
func takeClaim(ctx context.Context, q *rows.Queries, c purchase.Claim, at func(i int) time.Time) error {
	if len(c.Lines) == 0 {
		return nil
	}
	most, err := c.Budget.Cap.Millionths()
	if err != nil {
		return err
	}
	amount, err := c.Amount.Millionths()
	if err != nil {
		return err
	}
	id := string(c.Budget.ID)
	if err := q.OpenPeriod(ctx, rows.OpenPeriodParams{BudgetID: id, Period: c.Period, Cap: most}); err != nil {
		return err
	}
	n, err := q.TakePeriod(ctx, rows.TakePeriodParams{Amount: amount, BudgetID: id, Period: c.Period})
	switch {
	case err != nil:
		return err
	case n != 1:
		now, err := currentPeriod(ctx, q, c.Budget, c.Period)
		if err != nil {
			return err
		}
		free, err := now.Free()
		if err != nil {
			return err
		}
		return &purchase.OverBudget{Budget: c.Budget, Period: c.Period, Needs: c.Amount, Free: free}
	}
	for i, l := range c.Lines {
		amount, err := l.Amount.Millionths()
		if err != nil {
			return err
		}
		err = q.InsertHold(ctx, rows.InsertHoldParams{LineID: string(l.Line), BudgetID: id, Period: c.Period, Amount: amount, At: micros(at(i))})
		if err != nil {
			return err
		}
	}
	return nil
}

// moveHolds ends the holds of a line that a change ends. While the line is open,
// in doubt included, they stay held.
func moveHolds(ctx context.Context, q *rows.Queries, c purchase.Change, now time.Time) error {
	if c.Rule == "" {
		return nil
	}
	return endHolds(ctx, q, c.Line, c.To, now)
}

// endHolds ends the holds of a line that has just come into a terminal state:
// spent with a purchase, released otherwise. In any other state it changes
// nothing. Whatever ends a line calls it in the same transaction.
func endHolds(ctx context.Context, q *rows.Queries, line purchase.LineID, state purchase.State, now time.Time) error {
	to := purchase.HoldStateOf(state)
	if to == purchase.HoldHeld {
		return nil
	}
	see := func(err error) error { return fmt.Errorf("holds of line %s: %w: see bursar check", line, err) }
	if to == purchase.HoldSpent { // what is taken stays taken
		if err := q.SpendHolds(ctx, rows.SpendHoldsParams{EndedAt: micros(now), LineID: string(line)}); err != nil {
			return see(err)
		}
		return nil
	}
	holds, err := q.EndHolds(ctx, rows.EndHoldsParams{State: string(to), EndedAt: micros(now), LineID: string(line)})
	if err != nil {
		return see(err)
	}
	// In one order, so that two lines never wait for each other.
	slices.SortFunc(holds, func(a, b rows.EndHoldsRow) int { return strings.Compare(a.BudgetID, b.BudgetID) })
	for _, h := range holds {
		if err := freePeriod(ctx, q, string(line), h); err != nil {
			return err
		}
	}
	return nil
}

// spendHold ends one hold as spent, or fails.
func spendHold(ctx context.Context, q *rows.Queries, line, budget string, at time.Time) error {
	n, err := q.EndHold(ctx, rows.EndHoldParams{State: string(purchase.HoldSpent), EndedAt: micros(at), LineID: line, BudgetID: budget})
	if err == nil && n != 1 {
		err = errors.New("it has ended already")
	}
	if err != nil {
		return fmt.Errorf("hold of line %s on budget %s: %w: see bursar check", line, budget, err)
	}
	return nil
}

// freePeriod gives a hold that is over back to its period.
func freePeriod(ctx context.Context, q *rows.Queries, line string, h rows.EndHoldsRow) error {
	n, err := q.FreePeriod(ctx, rows.FreePeriodParams(h))
	if err == nil && n != 1 {
		err = fmt.Errorf("budget %s has taken less in %s than line %s gives back: see bursar check", h.BudgetID, h.Period, line)
	}
	return err
}

// unarmed says why a line was not armed: usually because somebody else moved it.
// A line that stands still without a hold would be tried for ever.
func unarmed(ctx context.Context, q *rows.Queries, c purchase.Change) error {
	l, err := q.GetLine(ctx, string(c.Line))
	if errors.Is(err, sql.ErrNoRows) || err == nil && l.State != string(c.From) {
		return purchase.ErrLost
	} else if err != nil {
		return err
	}
	holds, err := q.LineHolds(ctx, string(c.Line))
	if err != nil {
		return err
	}
	for _, h := range holds {
		if h.State != string(purchase.HoldHeld) {
			return ErrNoHold
		}
	}
	if len(holds) == 0 {
		return ErrNoHold
	}
	return purchase.ErrLost
}

func insertBudget(ctx context.Context, q *rows.Queries, b purchase.Budget) error {
	most, err := b.Cap.Millionths()
	if err != nil {
		return err
	}
	return q.InsertBudget(ctx, rows.InsertBudgetParams{
		ID: string(b.ID), PlanID: sql.NullString{String: string(b.Plan), Valid: b.Plan != ""}, Name: b.Name,
		Account: string(b.Account), Period: string(b.Per), Measure: string(b.Of), Currency: b.Cap.Currency(), Cap: most,
		CreatedAt: micros(b.CreatedAt), CreatedBy: b.CreatedBy,
	})
}

func activeBudgets(ctx context.Context, q *rows.Queries) ([]purchase.Budget, error) {
	rs, err := q.ActiveBudgets(ctx)
	if err != nil {
		return nil, err
	}
	return toBudgets(rs)
}

func snapshotBudgets(ctx context.Context, q *rows.Queries, s *purchase.Snapshot) error {
	budgets, err := q.AllBudgets(ctx)
	if err != nil {
		return err
	}
	if s.Budgets, err = toBudgets(budgets); err != nil {
		return err
	}
	currency := make(map[string]string, len(budgets))
	for _, b := range budgets {
		currency[b.ID] = b.Currency
	}
	periods, err := q.AllPeriods(ctx)
	if err != nil {
		return err
	}
	for _, r := range periods {
		p, err := toPeriod(rows.GetPeriodRow(r), currency[r.BudgetID])
		if err != nil {
			return err
		}
		s.Periods = append(s.Periods, p)
	}
	holds, err := q.AllHolds(ctx)
	if err != nil {
		return err
	}
	for _, r := range holds {
		h, err := toHold(r, currency[r.BudgetID])
		if err != nil {
			return err
		}
		s.Holds = append(s.Holds, h)
	}
	return nil
}

func toBudgets(rs []rows.Budget) ([]purchase.Budget, error) {
	budgets := make([]purchase.Budget, len(rs))
	for i, r := range rs {
		var err error
		if budgets[i], err = toBudget(r); err != nil {
			return nil, err
		}
	}
	return budgets, nil
}

func toBudget(r rows.Budget) (purchase.Budget, error) {
	most, err := money.FromMillionths(r.Cap, r.Currency)
	if err != nil {
		return purchase.Budget{}, fmt.Errorf("budget %s: %w", r.ID, err)
	}
	return purchase.Budget{
		ID: purchase.BudgetID(r.ID), Plan: purchase.PlanID(r.PlanID.String), Name: r.Name, Account: cloud.Account(r.Account),
		Per: purchase.Per(r.Period), Of: purchase.Measure(r.Measure), Cap: most,
		CreatedAt: fromMicros(r.CreatedAt), CreatedBy: r.CreatedBy, ChangedAt: fromMicros(r.ChangedAt), ChangedBy: r.ChangedBy,
		RetiredAt: fromMicros(r.RetiredAt), RetiredBy: r.RetiredBy,
	}, nil
}

func toPeriod(r rows.GetPeriodRow, currency string) (purchase.BudgetPeriod, error) {
	p := purchase.BudgetPeriod{Budget: purchase.BudgetID(r.BudgetID), Period: r.Period}
	for _, m := range []struct {
		to *money.Amount
		n  int64
	}{{&p.Cap, r.Cap}, {&p.Held, r.Taken - r.Spent}, {&p.Spent, r.Spent}} {
		var err error
		if *m.to, err = money.FromMillionths(m.n, currency); err != nil {
			return purchase.BudgetPeriod{}, fmt.Errorf("budget %s in %s: %w", r.BudgetID, r.Period, err)
		}
	}
	return p, nil
}

func toHold(r rows.Hold, currency string) (purchase.Hold, error) {
	amount, err := money.FromMillionths(r.Amount, currency)
	if err != nil {
		return purchase.Hold{}, fmt.Errorf("hold of line %s: %w", r.LineID, err)
	}
	return purchase.Hold{
		Line: purchase.LineID(r.LineID), Budget: purchase.BudgetID(r.BudgetID), Period: r.Period, Amount: amount,
		State: purchase.HoldState(r.State), At: fromMicros(r.At), EndedAt: fromMicros(r.EndedAt),
	}, nil
}

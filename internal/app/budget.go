package app

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/store"
)

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// SetBudget makes a budget, or gives one another cap. Nothing is changed unless
// all of it fits.
func (a *App) SetBudget(ctx context.Context, r api.BudgetRequest) (api.Budget, error) {
	if err := budgetName(r.Name); err != nil {
		return api.Budget{}, err
	}
	by, err := a.actor(ctx, auth.BudgetSet, r.Name, r.By)
	if err != nil {
		return api.Budget{}, err
	}
	b := purchase.Budget{
		Name: r.Name, Account: cloud.Account(r.Account), Per: purchase.Per(r.Per), Of: purchase.Measure(r.Of),
		ChangedAt: a.clouds.now(), ChangedBy: by,
	}
	currency, err := a.fillBudget(ctx, &b, r.Currency)
	if err != nil {
		return api.Budget{}, err
	}
	if err := a.checkBudget(b, currency); err != nil {
		return api.Budget{}, err
	}
	if b.Cap, err = capOf(r.Cap, currency); err != nil {
		return api.Budget{}, err
	}
	err = a.does(ctx, step{
		act: auth.BudgetSet, by: by, subject: r.Name, accounts: budgetAccounts(b), all: b.Account == "",
		details: map[string]any{"cap": b.Cap.String(), "per": string(b.Per), "of": string(b.Of)},
	}, func() error {
		b, err = a.db.SetBudget(ctx, b)
		return err
	})
	if err != nil {
		return api.Budget{}, budgetHint(err)
	}
	views, err := a.Budgets(ctx)
	if err != nil {
		return api.Budget{}, err
	}
	i := slices.IndexFunc(views, func(v api.Budget) bool { return v.ID == string(b.ID) })
	if i < 0 {
		return api.Budget{}, api.Errorf(api.Conflict, "budget %s was set, and somebody has retired it since: see bursar budget list", b.Name)
	}
	return views[i], nil
}

// budgetAccounts is the account of a budget; none for one that covers all.
func budgetAccounts(b purchase.Budget) []string {
	if b.Account == "" {
		return nil
	}
	return []string{string(b.Account)}
}

// fillBudget completes a request from the budget of that name, or with the
// defaults.
func (a *App) fillBudget(ctx context.Context, b *purchase.Budget, currency string) (string, error) {
	known, _, err := a.db.Budgets(ctx)
	if err != nil {
		return "", err
	}
	was := purchase.Budget{Per: purchase.PerMonth, Of: purchase.OfTotal}
	if i := slices.IndexFunc(known, func(k purchase.Budget) bool { return k.Name == b.Name }); i >= 0 {
		was = known[i]
	}
	if b.Per == "" {
		b.Per = was.Per
	}
	if b.Of == "" {
		b.Of = was.Of
	}
	if b.Account == "" {
		b.Account = was.Account
	}
	if currency == "" {
		currency = was.Cap.Currency()
	}
	return currency, nil
}

func (a *App) checkBudget(b purchase.Budget, currency string) error {
	accounts := a.clouds.accounts()
	switch {
	case !slices.Contains([]purchase.Per{purchase.PerPlan, purchase.PerMonth, purchase.PerEver}, b.Per):
		return api.Errorf(api.Invalid, "--per %q: use plan, month or ever", b.Per)
	case !slices.Contains([]purchase.Measure{purchase.OfTotal, purchase.OfUpfront, purchase.OfHourly}, b.Of):
		return api.Errorf(api.Invalid, "--of %q: use total, upfront or hourly", b.Of)
	case currency == "":
		return api.Errorf(api.Invalid, "--currency: a new budget needs one, such as --currency USD")
	case !currencyCode.MatchString(currency):
		return api.Errorf(api.Invalid, "--currency %q: use a code such as USD", currency)
	case b.Account != "" && !slices.Contains(accounts, string(b.Account)):
		return api.Errorf(api.Invalid, "--account %q: nothing can be bought there: use one of %s", b.Account, strings.Join(accounts, ", "))
	}
	return nil
}

// accounts lists the accounts in which something can be bought.
func (c *clouds) accounts() []string {
	var ids []string
	if c.simulator != nil {
		for _, a := range c.simulator.accounts {
			ids = append(ids, a.ID)
		}
		return append(ids, c.billingAccounts()...)
	}
	for id := range maps.Keys(c.configured) {
		ids = append(ids, string(id))
	}
	ids = append(ids, c.billingAccounts()...)
	slices.Sort(ids)
	return ids
}

// capOf reads a cap and rounds it down to what a budget counts in.
func capOf(text, currency string) (money.Amount, error) {
	if text == "" {
		return money.Amount{}, api.Errorf(api.Invalid, "--cap: name the most that may be committed, such as --cap 10000")
	}
	if strings.Contains(strings.TrimSpace(text), " ") {
		return money.Amount{}, api.Errorf(api.Invalid, "--cap %q: use a number such as 10000, and --currency for the currency", text)
	}
	amount, err := recommend.ParseAmount("--cap", text+" "+currency)
	if err != nil {
		return money.Amount{}, err
	}
	n, err := amount.Millionths()
	switch {
	case err != nil:
		return money.Amount{}, api.Errorf(api.Invalid, "--cap: %w", err)
	case n == 0:
		return money.Amount{}, api.Errorf(api.Invalid, "--cap %s: a budget counts in millionths, and this is less than one", text)
	}
	return money.FromMillionths(n, currency)
}

func budgetName(name string) error {
	const most = 100
	switch {
	case strings.TrimSpace(name) == "":
		return api.Errorf(api.Invalid, "a budget needs a name: bursar budget set NAME")
	case strings.TrimSpace(name) != name:
		return api.Errorf(api.Invalid, "the budget's name %q begins or ends with a space: leave it out", name)
	case len(name) > most:
		return api.Errorf(api.Invalid, "the budget's name is longer than %d bytes: use a shorter one", most)
	}
	return plain("the budget's name", name)
}

// RetireBudget ends a budget: later approvals take nothing from it.
func (a *App) RetireBudget(ctx context.Context, name, by string) error {
	who, err := a.actor(ctx, auth.BudgetRetire, name, by)
	if err != nil {
		return err
	}
	known, _, err := a.db.Budgets(ctx)
	if err != nil {
		return err
	}
	var accounts []string
	all := true
	if i := slices.IndexFunc(known, func(b purchase.Budget) bool { return b.Name == name }); i >= 0 {
		accounts, all = budgetAccounts(known[i]), known[i].Account == ""
	}
	err = a.does(ctx, step{act: auth.BudgetRetire, by: who, subject: name, accounts: accounts, all: all}, func() error {
		return a.db.RetireBudget(ctx, name, who, a.clouds.now())
	})
	if errors.Is(err, store.ErrNotFound) {
		return api.Errorf(api.NotFound, "there is no budget %q: bursar budget list shows them", name)
	}
	return err
}

// Budgets returns the budgets that take holds, by name, in their current periods.
func (a *App) Budgets(ctx context.Context) ([]api.Budget, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	budgets, periods, err := a.db.Budgets(ctx)
	if err != nil {
		return nil, err
	}
	budgets = seen(ctx, budgets, func(b purchase.Budget) string { return string(b.Account) }) // one of all accounts has none
	now := a.clouds.now()
	views := make([]api.Budget, len(budgets))
	for i, b := range budgets {
		v := api.Budget{
			ID: string(b.ID), Name: b.Name, Account: string(b.Account), Per: string(b.Per), Of: string(b.Of), Cap: b.Cap,
			CreatedAt: b.CreatedAt, CreatedBy: b.CreatedBy, ChangedAt: b.ChangedAt, ChangedBy: b.ChangedBy, Current: []api.BudgetPeriod{},
		}
		current := b.Period("", now)
		for _, p := range periods {
			if p.Budget != b.ID || b.Per == purchase.PerPlan && p.Held.IsZero() || b.Per != purchase.PerPlan && p.Period != current {
				continue
			}
			view, err := periodView(p)
			if err != nil {
				return nil, err
			}
			v.Current = append(v.Current, view)
		}
		if len(v.Current) == 0 && b.Per != purchase.PerPlan {
			zero := money.Zero(b.Cap.Currency())
			v.Current = append(v.Current, api.BudgetPeriod{Period: current, Cap: b.Cap, Held: zero, Spent: zero, Free: b.Cap})
		}
		views[i] = v
	}
	return views, nil
}

func periodView(p purchase.BudgetPeriod) (api.BudgetPeriod, error) {
	free, err := p.Free()
	return api.BudgetPeriod{Period: p.Period, Cap: p.Cap, Held: p.Held, Spent: p.Spent, Free: free}, err
}

// addBudgets adds to the view of a plan which budgets it takes from, or would if
// it were approved now.
func (a *App) addBudgets(ctx context.Context, p *purchase.Plan, v *api.Plan) error {
	budgets, err := a.db.PlanBudgets(ctx, p, a.clouds.now())
	if err != nil {
		return err
	}
	for _, b := range budgets {
		now, err := periodView(b.Period)
		if err != nil {
			return err
		}
		view := api.PlanBudget{Name: b.Budget.Name, Account: string(b.Budget.Account), Per: string(b.Budget.Per), Of: string(b.Budget.Of), Now: now}
		if p.State == purchase.PlanProposed {
			fits := b.Refusal == nil
			view.Needs, view.Fits = &b.Needs, &fits
			if !fits {
				view.Problem = b.Refusal.Error()
			}
		} else {
			view.Held, view.Spent = &b.Held, &b.Spent
		}
		v.Budgets = append(v.Budgets, view)
	}
	return nil
}

// budgetHint adds the next step to a budget's refusal.
func budgetHint(err error) error {
	var over *purchase.OverBudget
	var low *purchase.CapTooLow
	var currency *purchase.OtherCurrency
	var other *purchase.OtherMeasure
	switch {
	case errors.As(err, &over):
		return api.Errorf(api.Conflict, "%w: set a higher cap with bursar budget set %s --cap AMOUNT, or plan less; nothing was changed", over, word(over.Budget.Name))
	case errors.As(err, &currency):
		return api.Errorf(api.Conflict, "%w: make budgets that cover accounts of one currency each (--account); nothing was changed", currency)
	case errors.As(err, &low):
		return api.Errorf(api.Conflict, "%w: use a cap of at least that; nothing was changed", low)
	case errors.As(err, &other):
		return api.Errorf(api.Conflict, "%w; nothing was changed", other)
	}
	return err
}

// word writes a name as one word of a command line.
func word(name string) string {
	if strings.ContainsAny(name, " '\"$`\\!*?[]{}()<>|&;#~") {
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}

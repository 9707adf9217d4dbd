package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/money"
)

func (sh *shell) budget() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "budget",
		Short: "Set and look at caps on what may be committed",
		Args:  nothing,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.budgetSet(), sh.budgetList(), sh.budgetRetire())
	return cmd
}

func (sh *shell) budgetSet() *cobra.Command {
	var r api.BudgetRequest
	cmd := &cobra.Command{
		Use:   "set NAME --cap AMOUNT",
		Short: "Make a budget, or change the cap of one",
		Long: `Makes a budget, or gives the budget of that name another cap. An approval takes
what its lines may cost from every budget that covers them, or is refused.

What a budget measures never changes: retire it and make another. A new budget
takes over what was approved in its current period and is open or bought.

  bursar budget set databases --cap 10000 --currency USD --per month --of total`,
		Args: budgetArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Name = args[0]
			return sh.with(cmd.Context(), func(a api.Service) error {
				b, err := a.SetBudget(cmd.Context(), r)
				if err != nil {
					return err
				}
				switch sh.format {
				case formatJSON:
					return writeJSON(sh.out, b)
				case formatCSV:
					return budgetsCSV(sh.out, []api.Budget{b})
				}
				fmt.Fprintf(sh.out, "Budget %s: at most %s of %s %s, in %s.\n", b.Name, b.Cap, measures[b.Of], spans[b.Per], accounts(b.Account))
				for _, p := range b.Current {
					fmt.Fprintf(sh.out, "%s: %s held, %s spent, %s free.\n", p.Period, p.Held, p.Spent, p.Free)
				}
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Cap, "cap", "", "the most that may be held and spent in a period, an `amount` such as 10000")
	f.StringVar(&r.Currency, "currency", "", "`code` of the cap's currency, such as USD; needed for a new budget")
	f.StringVar(&r.Per, "per", "", "`period` that the cap is for: plan, month (the default) or ever")
	f.StringVar(&r.Of, "of", "", "`measure`: total (the default), upfront, or hourly (the total per hour of the term)")
	f.StringVar(&r.Account, "account", "", "only lines of this `account`; default is every account")
	f.StringVar(&r.By, "as", "", "`name` of the person who sets it; default is the user's")
	return cmd
}

// measures and spans say what a budget counts.
var (
	measures = map[string]string{"total": "total commitment", "upfront": "upfront payment", "hourly": "commitment per hour of the term"}
	spans    = map[string]string{"plan": "per plan", "month": "per month", "ever": "altogether"}
)

func accounts(account string) string {
	if account == "" {
		return "every account"
	}
	return "account " + account
}

func budgetArg(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one budget: %s NAME (bursar budget list shows them)", cmd.CommandPath())
	}
	return nil
}

func (sh *shell) budgetList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the budgets with what they hold, have spent and leave free",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				budgets, err := a.Budgets(cmd.Context())
				if err != nil {
					return err
				}
				switch sh.format {
				case formatJSON:
					return writeJSON(sh.out, budgets)
				case formatCSV:
					return budgetsCSV(sh.out, budgets)
				}
				if len(budgets) == 0 {
					fmt.Fprintln(sh.out, "No budgets. Next: bursar budget set NAME --cap AMOUNT --currency USD")
					return nil
				}
				g := &grid{head: []string{"budget", "account", "per", "of", "period", ">cap", ">held", ">spent", ">free"}}
				budgetRows(budgets, func(b api.Budget, p api.BudgetPeriod) {
					account := b.Account
					if account == "" {
						account = "every"
					}
					g.add(b.Name, account, b.Per, b.Of, p.Period, p.Cap.String(), p.Held.String(), p.Spent.String(), p.Free.String())
				})
				g.print(sh.out)
				return nil
			})
		},
	}
}

// budgetRows visits the current periods of budgets, and budgets without one once,
// as a period that nothing was taken from.
func budgetRows(budgets []api.Budget, row func(api.Budget, api.BudgetPeriod)) {
	for _, b := range budgets {
		for _, p := range b.Current {
			row(b, p)
		}
		if len(b.Current) == 0 {
			zero := money.Zero(b.Cap.Currency())
			row(b, api.BudgetPeriod{Period: "next plan", Cap: b.Cap, Held: zero, Spent: zero, Free: b.Cap})
		}
	}
}

func budgetsCSV(w io.Writer, budgets []api.Budget) error {
	var rows [][]string
	budgetRows(budgets, func(b api.Budget, p api.BudgetPeriod) {
		rows = append(rows, []string{
			b.Name, b.Account, b.Per, b.Of, p.Period, b.Cap.Currency(), p.Cap.Canonical(), p.Held.Canonical(), p.Spent.Canonical(), p.Free.Canonical(),
		})
	})
	return writeCSV(w, []string{"budget", "account", "per", "of", "period", "currency", "cap", "held", "spent", "free"}, rows)
}

func (sh *shell) budgetRetire() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "retire NAME",
		Short: "End a budget: later approvals take nothing from it",
		Args:  budgetArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				if err := a.RetireBudget(cmd.Context(), args[0], by); err != nil {
					return err
				}
				fmt.Fprintf(sh.out, "Retired budget %s. What it holds stays held until those lines end.\n", args[0])
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&by, "as", "", "`name` of the person who retires it; default is the user's")
	return cmd
}

// printBudgets tells which budgets a plan takes from, or would.
func printBudgets(w io.Writer, budgets []api.PlanBudget) {
	for _, b := range budgets {
		name := b.Name
		if b.Per == "month" {
			name += " in " + b.Now.Period
		}
		per := ""
		if b.Of == "hourly" {
			per = " per hour"
		}
		switch {
		case b.Fits == nil:
			fmt.Fprintf(w, "budget     %s: %s%s held, %s%s spent by this plan\n", name, b.Held, per, b.Spent, per)
		case *b.Fits:
			fmt.Fprintf(w, "budget     %s: would take %s%s of %s%s free\n", name, b.Needs, per, b.Now.Free, per)
		default:
			fmt.Fprintf(w, "budget     does not fit: %s\n", b.Problem)
		}
	}
}

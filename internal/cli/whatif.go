package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bursar/internal/api"
	"bursar/internal/app"
	"bursar/internal/money"
	"bursar/internal/recommend/sizing"
)

func (sh *shell) whatIf() *cobra.Command {
	var r api.WhatIfRequest
	var curves bool
	cmd := &cobra.Command{
		Use:   "what-if --usage FILE",
		Short: "Work out from hourly usage what commitments would save, and lose",
		Long: `Reads hourly usage from CSV or from a FOCUS cost file, takes off what is held, and
proposes for each pool of usage what to buy: how much, why, what it saves, and what
it costs if usage falls. Nothing is bought, and no price is guessed: committed prices
are those of the clouds' catalogs, a discount that you give, or a column of the file.

  bursar what-if --usage usage.csv --service ec2
  bursar what-if --usage usage.csv --discount 35% --plan-discount 28%
  bursar what-if --usage usage.csv --service rds --coverage 80
  bursar what-if --usage usage.csv --discount 30% --held inventory -o csv

The CSV that it writes is an input of plan create. See docs/sizing.md.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkPercent(cmd.Flags(), "coverage", "percentile"); err != nil {
				return err
			}
			if curves && sh.format != formatTable {
				return errors.New("--curves is for tables: JSON has the curves always, CSV never")
			}
			report, err := app.WhatIf(cmd.Context(), sh.options(), sh.in, r)
			if err != nil {
				return err
			}
			switch sh.format {
			case formatJSON:
				return writeJSON(sh.out, report)
			case formatCSV:
				return proposalsCSV(sh.out, report)
			}
			printWhatIf(sh.out, report)
			if curves {
				for _, c := range report.Curves {
					printCurve(sh.out, c)
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	sizingFlags(f, &r)
	f.IntVar(&r.Coverage, "coverage", 0, "cover this `percent` of the usage")
	f.StringVar(&r.Mix, "mix", "", "`parts` with terms of their own, steadiest usage first, such as \"3y all-upfront 40%, 1y no-upfront 60%\"")
	f.StringVar(&r.Held, "held", "usage", "`source` of what is held: usage (what the file says is covered) or inventory (the clouds and open plans)")
	f.IntVar(&r.RebuyDays, "rebuy-days", rebuyDays, "buy again what ends within so many `days`")
	f.BoolVar(&curves, "curves", false, "draw the savings curve of each pool")
	return cmd
}

// rebuyDays is how soon what ends is bought again, if nobody says.
const rebuyDays = 30

// sizingFlags are those of every command that sizes usage.
func sizingFlags(f *pflag.FlagSet, r *api.WhatIfRequest) {
	f.StringVar(&r.Usage, "usage", "", "`file` of hourly usage, or - for standard input")
	f.StringSliceVar(&r.Services, "service", nil, "`services` to size, such as ec2,rds,savingsplans; default are the reservations of the file")
	f.StringVar(&r.Method, "method", "", "`way` to choose the quantity: knee (the default), minimum, percentile or coverage")
	f.IntVar(&r.Percentile, "percentile", 0, "commit to what this `percent` of the hours do not exceed")
	f.StringVar(&r.Discount, "discount", "", "`percent` that reservations cost less than on-demand")
	f.StringVar(&r.PlanDiscount, "plan-discount", "", "`percent` that a savings plan costs less than on-demand")
	f.StringVar(&r.Prices, "prices", "", "`source` of committed prices: catalog (the default), discount or usage (a column of the file)")
	f.StringVar(&r.Term, "term", "", "`length` of the commitment: 1y (the default) or 3y")
	f.StringVar(&r.Payment, "payment", "", "`option` of payment; default is no-upfront")
	f.StringVar(&r.Buyer, "buyer", "", "`account` that buys for all accounts of the file; default is each for itself")
	f.StringSliceVar(&r.Attributes, "attribute", nil, "`key=value` of what is bought that usage does not tell, such as offering_class=standard")
	f.IntVar(&r.SpikeDays, "spike-days", 14, "cut a level that fewer `days` reach")
	f.IntVar(&r.MinDays, "min-days", 30, "`days` of history that are needed")
	f.DurationVar(&r.MaxAge, "max-age", 72*time.Hour, "`duration` that the last hour of usage may be old")
	f.StringVar(&r.Gaps, "gaps", "refuse", "`way` to take hours that the file tells nothing of: refuse, zero or skip")
	f.StringVar(&r.AsOf, "as-of", "", "`time` to size for, such as 2026-10-01T00:00:00Z; default is now")
}

// checkPercent judges whole percentages that were given.
func checkPercent(f *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		if n, err := f.GetInt(name); f.Changed(name) && (err != nil || n < 1 || n > 100) {
			return fmt.Errorf("--%s %d: use a whole per cent from 1 to 100", name, n)
		}
	}
	return nil
}

// proposalsCSV writes proposals as plan create reads them, with what they save in a
// month.
func proposalsCSV(w io.Writer, r sizing.Report) error {
	rows := api.LineRows(proposedLines(r))
	for i, p := range r.Proposals {
		saved, err := p.SavedPerMonth()
		if err != nil {
			return err
		}
		rows[i] = append(rows[i], saved.Canonical())
	}
	return writeCSV(w, append(slices.Clone(api.LineColumns), "estimated monthly savings"), rows)
}

func proposedLines(r sizing.Report) []api.Line {
	lines := make([]api.Line, len(r.Proposals))
	for i, p := range r.Proposals {
		lines[i] = api.Line{
			UpdatedAt: r.AsOf, State: "recommended", Service: string(p.Service), Provider: string(p.Provider), Account: string(p.Account), Region: string(p.Region),
			Attributes: p.Buys, TermMonths: int(p.Term), Payment: string(p.Payment), Quantity: p.Quantity, PerHour: perHour(p),
			Price:  api.Price{Upfront: p.Upfront, Hourly: p.Hourly, Total: p.Total},
			Reason: fmt.Sprintf("%s; saves %s over %s", p.Method, p.Savings, p.Term),
		}
	}
	return lines
}

func perHour(p sizing.Proposal) *money.Amount {
	if p.Unit.IsZero() {
		return nil
	}
	amount, err := p.Unit.Mul(p.Quantity)
	if err != nil {
		return nil
	}
	return &amount
}

func printWhatIf(w io.Writer, r sizing.Report) {
	fmt.Fprintf(w, "Usage from %s to %s, as of %s\n", when(r.From), when(r.Until), when(r.AsOf))
	fmt.Fprintf(w, "Order: %s\n\n", r.Order)
	for _, currency := range currencies(r.Proposals) {
		printProposals(w, r.Proposals, currency)
	}
	if len(r.Proposals) == 0 {
		fmt.Fprintln(w, "Nothing to buy.")
	}
	for i, p := range r.Proposals {
		fmt.Fprintf(w, "\n%d  %s\n", i+1, p.Pool)
		for _, why := range p.Why {
			fmt.Fprintf(w, "   %s\n", why)
		}
		for _, d := range p.Drops {
			fmt.Fprintf(w, "   if usage falls by %d%%: %s instead of %s on-demand, %s\n", d.Percent, d.Cost.Round(2), d.OnDemand.Round(2), gain(d.Savings.Round(2)))
		}
		for _, d := range p.Dropped {
			fmt.Fprintf(w, "   left out: %s: %s\n", d.What, d.Why)
		}
	}
	if len(r.Dropped)+len(r.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, d := range r.Dropped {
		fmt.Fprintf(w, "left out  %s: %s\n", d.What, d.Why)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note      %s\n", n)
	}
}

func gain(a money.Amount) string {
	if a.Sign() < 0 {
		if loss, err := money.Zero(a.Currency()).Sub(a); err == nil {
			return loss.String() + " lost"
		}
	}
	return a.String() + " saved"
}

func currencies(ps []sizing.Proposal) (found []string) {
	for _, p := range ps {
		if !slices.Contains(found, p.Currency) {
			found = append(found, p.Currency)
		}
	}
	return found
}

// printProposals writes those of one currency; the numbers are those of the whole list.
func printProposals(w io.Writer, all []sizing.Proposal, currency string) {
	var ps []sizing.Proposal
	for _, p := range all {
		if p.Currency == currency {
			ps = append(ps, p)
		}
	}
	g := &grid{head: []string{">#", "account", "region", "what", "terms", ">qty", ">upfront " + currency, ">per hour " + currency, ">total " + currency,
		">saves " + currency, ">breaks even", ">coverage", ">utilization", ">effective savings rate"}}
	upfront := column(ps, func(p sizing.Proposal) money.Amount { return p.Upfront })
	hourly := column(ps, func(p sizing.Proposal) money.Amount { return p.Hourly })
	total := column(ps, func(p sizing.Proposal) money.Amount { return p.Total.Round(2) })
	saves := column(ps, func(p sizing.Proposal) money.Amount { return p.Savings.Round(2) })
	for i, p := range all {
		if p.Currency != currency {
			continue
		}
		even := "never"
		if p.BreakEvenMonths > 0 {
			even = strconv.Itoa(p.BreakEvenMonths) + " months"
		}
		g.add(strconv.Itoa(i+1), string(p.Account), string(p.Region), api.Goods(string(p.Service), p.Buys), api.Terms(int(p.Term), string(p.Payment)), p.Measure,
			upfront(p), hourly(p), total(p), saves(p), even, signed(p.CoverageBP), signed(p.UtilizationBP), signed(p.EffectiveSavingsRateBP))
	}
	g.print(w)
	var price api.Price
	var saved money.Amount
	for _, p := range ps {
		var err error
		for _, sum := range []struct {
			of  *money.Amount
			add money.Amount
		}{{&price.Upfront, p.Upfront}, {&price.Hourly, p.Hourly}, {&price.Total, p.Total}, {&saved, p.Savings}} {
			if *sum.of, err = sum.of.Add(sum.add); err != nil {
				return // beyond what an amount holds: the lines stand alone
			}
		}
	}
	fmt.Fprintf(w, "together %s upfront, %s per hour, %s in total, %s\n", price.Upfront, price.Hourly, price.Total.Round(2), gain(saved.Round(2)))
}

func signed(bp int) string {
	if bp < 0 {
		return "-" + percent(-bp) + "%"
	}
	return percent(bp) + "%"
}

// printCurve draws the savings by quantity: a bar to the right saves, one of crosses
// loses.
func printCurve(w io.Writer, c sizing.Curve) {
	const width = 30
	fmt.Fprintf(w, "\nSavings curve of %s, %s\n", c.Pool, c.Term)
	fmt.Fprintf(w, "%d hours: minimum %s, median %s, maximum %s %s; one pays above %s%% use\n", c.Hours, c.Minimum, c.Median, c.Maximum, c.Unit, percent(c.PaysAt))
	var most money.Amount
	for _, p := range c.Points {
		if order, err := p.Savings.Cmp(most); err == nil && order > 0 {
			most = p.Savings
		}
	}
	g := &grid{head: []string{">qty", ">coverage", ">utilization", ">last one used", ">saves " + c.Currency, ""}}
	saves := column(c.Points, func(p sizing.Point) money.Amount { return p.Savings.Round(2) })
	for _, p := range c.Points {
		mark := bar(p.Savings, most, width)
		if p.Quantity == c.Knee {
			mark += " knee"
		}
		if p.Quantity == c.Chosen && c.Chosen > 0 {
			mark += " proposed"
		}
		g.add(p.Measure, signed(p.CoverageBP), signed(p.UtilizationBP), signed(p.MarginalBP), saves(p), strings.TrimSpace(mark))
	}
	g.print(w)
	for _, e := range c.Expiries {
		fmt.Fprintf(w, "ends %s  %s %s: %s %s, %s left\n", e.At, e.Source, e.Name, e.Ends, c.Unit, e.Left)
	}
}

// bar is as long as an amount is of the greatest savings; losses may be greater and
// are cut.
func bar(a, most money.Amount, width int64) string {
	sign := "#"
	if a.Sign() < 0 {
		sign = "x"
		a, _ = money.Zero(a.Currency()).Sub(a)
	}
	part, whole := int64(0), int64(0)
	if n, err := a.Millionths(); err == nil {
		part = n
	}
	if n, err := most.Millionths(); err == nil {
		whole = n
	}
	switch {
	case part == 0:
		return ""
	case whole == 0:
		return sign
	}
	return strings.Repeat(sign, int(min(width, max(1, part/max(1, whole/width)))))
}

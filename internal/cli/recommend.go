package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
	"bursar/internal/money"
)

func (sh *shell) recommend() *cobra.Command {
	var r api.RecommendRequest
	var yes, last bool
	cmd := &cobra.Command{
		Use:   "recommend",
		Short: "Ask the clouds what they recommend to buy",
		Long: `Reads the advice of AWS Cost Explorer, of Azure (reservation and savings plan
recommendations, Advisor) and of Google's Recommender about every configured account,
with today's prices. Nothing is bought, and no ledger is needed. AWS charges for each
request to Cost Explorer: how many there will be is said first, and on live accounts
you are asked.

  bursar recommend --provider aws,azure,gcp
  bursar recommend --provider aws --service rds,savingsplans --term 1y,3y
  bursar recommend --account 111122223333 --all-cells -o csv

With --server that server asks, with its credentials, and keeps what it was told until
it is asked again: --last shows that and asks nobody.

The CSV that it writes is an input of plan create: what is only an alternative to
another line stays out of the plan. See docs/recommend.md.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := sh.askClouds(cmd.Context(), r, last, yes)
			if err != nil {
				return err
			}
			switch sh.format {
			case formatJSON:
				err = writeJSON(sh.out, found)
			case formatCSV:
				err = recommendationsCSV(sh.out, found)
				printSources(sh.err, found)
			default:
				printRecommendations(sh.out, found)
			}
			if n := found.Failed(); err == nil && n > 0 {
				return &exit{ExitError, fmt.Sprintf("%d of %d sources of advice failed; what the others say is shown", n, len(found.Sources))}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&r.Providers, "provider", nil, "`clouds` to ask: aws, azure, gcp; default are all that are configured")
	f.StringVar(&r.Account, "account", "", "`account`, subscription or project to ask about; default are all that are configured")
	f.StringSliceVar(&r.Services, "service", nil, "`services` to ask about, such as ec2,rds,savingsplans; default are all that the accounts watch")
	f.StringSliceVar(&r.Terms, "term", nil, "`lengths` to ask for: 1y, 3y; default is 1y")
	f.StringSliceVar(&r.Payments, "payment", nil, "`options` of payment to ask for, each where a cloud has it; default is no-upfront,monthly")
	f.BoolVar(&r.AllCells, "all-cells", false, "ask for every term with every option of payment")
	f.DurationVar(&r.MaxAge, "max-age", 72*time.Hour, "`duration` after which advice is said to be old")
	f.IntVar(&r.MaxRequests, "max-requests", 0, "the most `requests` to send that are charged for; default is no bound, on a server four times those that are said")
	f.BoolVar(&yes, "yes", false, "do not ask before requests that are charged for")
	f.BoolVar(&last, "last", false, "show what a server was told last; nobody is asked")
	return cmd
}

// askClouds asks for advice, in this process or by a server.
func (sh *shell) askClouds(ctx context.Context, r api.RecommendRequest, last, yes bool) (found api.Recommendations, err error) {
	if sh.server == "" {
		if last {
			return found, errors.New("--last: a server keeps what it was told: name it with --server")
		}
		return app.Recommend(ctx, sh.options(), r, func(c api.AdviceCost) error { return sh.agreeToAdvice(ctx, c, yes) })
	}
	return found, sh.with(ctx, func(a api.Service) error {
		if last {
			found, err = a.Recommended(ctx)
			return err
		}
		if err := sh.agreeBefore(ctx, a, &r, yes); err != nil {
			return err
		}
		found, err = a.Recommend(ctx, r)
		return err
	})
}

// agreeBefore says what asking costs, waits for a yes where it is real money, and bounds
// what was agreed to: further pages of answers are requests of their own.
func (sh *shell) agreeBefore(ctx context.Context, a api.Service, r *api.RecommendRequest, yes bool) error {
	c, err := a.AdviceCost(ctx, *r)
	if err != nil || c.Requests == 0 {
		return err
	}
	if r.MaxRequests > 0 && r.MaxRequests < c.Requests {
		return nil // which is refused
	}
	if err := sh.agreeToAdvice(ctx, c, yes); err != nil {
		return err
	}
	if r.MaxRequests == 0 {
		r.MaxRequests = 4 * c.Requests
	}
	return nil
}

// agreeToAdvice says what asking costs and, on live accounts, asks whether to go on.
func (sh *shell) agreeToAdvice(ctx context.Context, c api.AdviceCost, yes bool) error {
	if !c.Live {
		fmt.Fprintf(sh.err, "%d requests to Cost Explorer of simulated accounts: they would cost at least %s (%s each, %s).\n", c.Requests, c.Total, c.Each, c.Source)
		return nil
	}
	fmt.Fprintf(sh.err, "%d requests to Cost Explorer cost at least %s: %s each, and each further page is one more (%s).\n", c.Requests, c.Total, c.Each, c.Source)
	if yes {
		return nil
	}
	fmt.Fprint(sh.err, "Type yes to go on, anything else to stop: ")
	text, err := readLine(ctx, sh.in)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(sh.err)
		return &exit{ExitError, "stopped; nothing was asked"}
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case strings.TrimSpace(text) == "" && errors.Is(err, io.EOF):
		fmt.Fprintln(sh.err)
		return errors.New("nobody typed yes; nothing was asked (in a script, use --yes)")
	case strings.TrimSpace(text) != "yes":
		return errors.New("that is not yes; nothing was asked")
	}
	return nil
}

// recommendationsCSV writes advice as plan create reads it, with what it saves in a
// month.
func recommendationsCSV(w io.Writer, r api.Recommendations) error {
	lines := make([]api.Line, len(r.Lines))
	for i, l := range r.Lines {
		lines[i] = api.Line{
			UpdatedAt: r.At, State: l.State, Service: l.Service, Provider: l.Provider, Account: l.Account, Region: l.Region,
			Attributes: l.Attributes, TermMonths: l.TermMonths, Payment: l.Payment, Quantity: l.Quantity, PerHour: l.PerHour, Reason: l.Note,
		}
		if l.MadeAt != nil {
			lines[i].UpdatedAt = *l.MadeAt
		}
		if l.Price != nil {
			lines[i].Price = *l.Price
		}
		if l.Why != "" {
			lines[i].Reason = strings.TrimSuffix(l.Why+"; "+l.Note, "; ")
		}
	}
	rows := api.LineRows(lines)
	for i, l := range r.Lines {
		saves := ""
		if l.SavesPerMonth != nil {
			saves = l.SavesPerMonth.Canonical()
		}
		rows[i] = append(rows[i], saves, l.Recommendation, l.Etag)
	}
	return writeCSV(w, append(slices.Clone(api.LineColumns), "estimated monthly savings", "recommendation", "recommendation etag"), rows)
}

func printRecommendations(w io.Writer, r api.Recommendations) {
	if len(r.Lines) == 0 {
		fmt.Fprintln(w, "The clouds recommend to buy nothing.")
	} else {
		g := &grid{head: []string{">#", "provider", "account", "region", "what", ">qty", "terms", ">upfront", ">per hour", ">saves per month", ">breaks even", "state", "source"}}
		for i, l := range r.Lines {
			upfront, hourly, saves, even := "?", "?", "?", "?"
			if l.Price != nil {
				upfront, hourly = l.Price.Upfront.String(), l.Price.Hourly.String()
			}
			if l.SavesPerMonth != nil {
				saves = l.SavesPerMonth.Round(2).String()
			}
			if l.BreakEvenMonths > 0 {
				even = strconv.Itoa(l.BreakEvenMonths) + " months"
			}
			g.add(strconv.Itoa(i+1), l.Provider, l.Account, l.Region, api.Goods(l.Service, l.Attributes), quantityOf(l), api.Terms(l.TermMonths, l.Payment),
				upfront, hourly, saves, even, l.State, l.Source)
		}
		g.print(w)
		printSavings(w, r)
	}
	for i, l := range r.Lines {
		if l.State == api.Unpriced {
			fmt.Fprintf(w, "unpriced  %d: %s\n", i+1, l.Why)
		}
	}
	for _, l := range r.Left {
		fmt.Fprintf(w, "left out  %s, %s: %s: %s\n", l.Source, l.Account, l.What, l.Why)
	}
	printSources(w, r)
}

func quantityOf(l api.Recommendation) string {
	if l.PerHour != nil {
		return strings.TrimRight(strings.TrimRight(l.PerHour.Canonical(), "0"), ".") + " " + l.PerHour.Currency() + "/h"
	}
	return strconv.FormatInt(l.Quantity, 10)
}

// printSavings adds up what is recommended, by currency.
func printSavings(w io.Writer, r api.Recommendations) {
	sums := map[string]money.Amount{}
	var order []string
	lines, alternatives := 0, 0
	for _, l := range r.Lines {
		switch l.State {
		case api.Alternative:
			alternatives++
			continue
		case api.Unpriced:
			continue
		}
		lines++
		if l.SavesPerMonth == nil {
			continue
		}
		code := l.SavesPerMonth.Currency()
		sum, ok := sums[code]
		if !ok {
			order, sum = append(order, code), money.Zero(code)
		}
		if sum, err := sum.Add(*l.SavesPerMonth); err == nil {
			sums[code] = sum
		}
	}
	var parts []string
	for _, code := range order {
		parts = append(parts, sums[code].Round(2).String())
	}
	says := strings.Join(parts, " and ")
	if says == "" {
		says = "an unknown amount"
	}
	fmt.Fprintf(w, "%d recommended, expected to save %s per month; %d alternative\n", lines, says, alternatives)
}

// printSources says which sources failed or are old, and when the rest was made.
func printSources(w io.Writer, r api.Recommendations) {
	var oldest time.Time
	silent := 0
	for _, s := range r.Sources {
		switch {
		case s.Problem != "":
			fmt.Fprintf(w, "failed    %s, %s: %s\n", s.Source, s.Account, s.Problem)
		case s.Stale:
			fmt.Fprintf(w, "old       %s, %s: made %s\n", s.Source, s.Account, when(*s.MadeAt))
		case s.Lines > 0 && s.MadeAt == nil:
			silent++
		}
		if s.MadeAt != nil && (oldest.IsZero() || s.MadeAt.Before(oldest)) {
			oldest = *s.MadeAt
		}
	}
	answered := len(r.Sources) - r.Failed()
	fmt.Fprintf(w, "%d of %d sources answered", answered, len(r.Sources))
	if !oldest.IsZero() {
		fmt.Fprintf(w, "; the oldest advice was made %s", when(oldest))
	}
	if silent > 0 {
		fmt.Fprintf(w, "; %d with advice do not say when it was made", silent)
	}
	fmt.Fprintln(w)
}

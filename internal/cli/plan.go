package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bursar/internal/api"
	"bursar/internal/app"
	"bursar/internal/money"
)

func (sh *shell) plan() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Create and look at plans",
		Args:  nothing,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.planCreate(), sh.planShow(), sh.planList(), sh.planContinue())
	return cmd
}

func (sh *shell) planCreate() *cobra.Command {
	var r api.PlanRequest
	usage := api.WhatIfRequest{RebuyDays: rebuyDays}
	var clouds api.RecommendRequest
	var yes bool
	cmd := &cobra.Command{
		Use:   "create -f FILE | --usage FILE | --provider CLOUDS",
		Short: "Price what a file asks for and freeze it as a plan",
		Long: `Reads what to buy from a file, looks every offering up in the cloud, prices it
and stores a frozen plan. Nothing is bought, and nothing is stored if a single
line does not fit.

The file is one of
  a plan file (YAML, see docs/plan-file.md),
  what "aws ce get-reservation-purchase-recommendation" printed, unchanged,
  what Azure recommends, with what it does not say (see docs/plan-file.md),
  what Google's Recommender answered, with the ids of its projects,
  CSV with columns such as account, region, resource type, engine, count, term,
  payment option; the order is free and further columns are kept as notes.

With --policy the lines are what a policy (see docs/policy.md) makes of the file:
filtered, sized, less what is owned or planned already, and within its caps. Each
line says why it is there: bursar plan show PLAN --explain.

With --usage the lines are what hourly usage carries (see docs/sizing.md), at the
clouds' prices unless --discount or --prices says otherwise, less what is held:

  bursar plan create --policy policy.yaml --usage usage.csv

With --provider the clouds are asked for advice, as bursar recommend does, and the plan
is made of what is recommended; --service, --term, --payment and --max-age say of what.
A source that fails, or is older than --max-age, refuses the plan:

  bursar plan create --policy policy.yaml --provider aws,azure,gcp`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asks := cmd.Flags().Changed("provider")
			switch {
			case r.File == "" && usage.Usage == "" && !asks:
				return errors.New("name the file that says what to buy: bursar plan create -f FILE, or -f - for standard input")
			case r.File != "" && usage.Usage != "":
				return errors.New("--file and --usage contradict each other: use one of them")
			case asks && r.File+usage.Usage != "":
				return errors.New("--provider asks the clouds instead of reading --file or --usage: use one of them")
			case !asks && (clouds.MaxRequests != 0 || yes):
				return errors.New("--max-requests and --yes are about asking the clouds: name them with --provider")
			}
			if err := checkPercent(cmd.Flags(), "coverage", "percentile"); err != nil {
				return err
			}
			if usage.Usage == "" {
				if err := ofUsage(cmd.Flags(), asks); err != nil {
					return err
				}
			}
			return sh.with(cmd.Context(), func(a api.Service) error {
				var err error
				if asks {
					clouds.Services, clouds.Terms, clouds.Payments, clouds.MaxAge = usage.Services, list(usage.Term), list(usage.Payment), usage.MaxAge
					r.Clouds = &clouds
					err = sh.agreeBefore(cmd.Context(), a, r.Clouds, yes)
				} else if usage.Usage == "" {
					r.File, r.Content, err = app.ReadInput("input", r.File, sh.in)
				} else if r.Usage = &usage; usage.Usage == "-" {
					usage.Usage, usage.Content = "stdin", sh.in
				} else if sh.server != "" {
					var content []byte
					usage.Usage, content, err = app.ReadInput("usage", usage.Usage, sh.in)
					usage.Content = bytes.NewReader(content)
				}
				if err != nil {
					return err
				}
				if r.Policy != "" {
					if r.Policy, r.PolicyContent, err = app.ReadInput("policy", r.Policy, sh.in); err != nil {
						return err
					}
				}
				created, err := a.CreatePlan(cmd.Context(), r)
				if err != nil {
					return err
				}
				return sh.showCreated(created, r.Coverage)
			})
		},
	}
	f := cmd.Flags()
	f.StringVarP(&r.File, "file", "f", "", "input `file`, or - for standard input")
	f.StringVar(&r.Name, "name", "", "`name` of the plan; default is the file's")
	f.StringVar(&r.Policy, "policy", "", "make the plan by the policy in this `file`")
	f.IntVar(&r.Coverage, "coverage", 0, "buy this `percent` of each count, rounded down; with --policy instead of its coverage")
	f.StringVar(&r.Purpose, "purpose", "", "`text` saying what the lines are bought for that do not say it, for {purpose} in tags")
	f.StringVar(&r.MaxTotal, "max-total", "", "refuse a plan that costs more over its term, an `amount` such as \"25000 USD\"")
	f.StringVar(&r.MaxMonthly, "max-monthly", "", "refuse a plan that costs more each month, an `amount` such as \"900 USD\"")
	f.StringVar(&r.Supersedes, "supersedes", "", "make the next version of this `plan`; approving it supersedes the earlier ones")
	f.StringVar(&r.Requester, "as", "", "`name` of the requester; default is the user's")
	sizingFlags(f, &usage)
	f.StringSliceVar(&clouds.Providers, "provider", nil, "ask these `clouds` for advice instead of reading a file: aws, azure, gcp")
	f.IntVar(&clouds.MaxRequests, "max-requests", 0, "the most `requests` to send to clouds that are charged for; default is four times those that are said")
	f.BoolVar(&yes, "yes", false, "do not ask before requests to clouds that are charged for")
	return cmd
}

// list is a flag of one text that may hold several.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// ofUsage refuses flags that say how usage is sized where there is none. Some of them say
// also what clouds are asked.
func ofUsage(f *pflag.FlagSet, asks bool) error {
	sizing := pflag.NewFlagSet("", pflag.ContinueOnError)
	sizingFlags(sizing, &api.WhatIfRequest{})
	var stray error
	f.Visit(func(x *pflag.Flag) {
		if asks && slices.Contains([]string{"service", "term", "payment", "max-age"}, x.Name) {
			return
		}
		if stray == nil && sizing.Lookup(x.Name) != nil {
			stray = fmt.Errorf("--%s says how usage is sized: name the file of it with --usage", x.Name)
		}
	})
	return stray
}

func (sh *shell) planShow() *cobra.Command {
	var explain bool
	cmd := &cobra.Command{
		Use:   "show PLAN",
		Short: "Show a plan: lines, prices, digest, decisions",
		Args:  oneID("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				p, err := a.Plan(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if explain && sh.format == formatCSV {
					return explanationCSV(sh.out, p)
				}
				if err := sh.showPlan(p); err != nil || !explain || sh.format != formatTable {
					return err // JSON has it always
				}
				printExplanation(sh.out, p)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&explain, "explain", false, "say why each line is in it and why the rest of its input is not")
	return cmd
}

func (sh *shell) showPlan(p api.Plan) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, p)
	case formatCSV:
		return api.LinesCSV(sh.out, p.Lines)
	}
	printPlan(sh.out, p)
	return nil
}

func (sh *shell) planList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the plans, newest first",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				plans, err := a.Plans(cmd.Context())
				if err != nil {
					return err
				}
				switch sh.format {
				case formatJSON:
					return writeJSON(sh.out, plans)
				case formatCSV:
					return plansCSV(sh.out, plans)
				}
				if len(plans) == 0 {
					fmt.Fprintln(sh.out, "No plans yet. Next: bursar plan create -f FILE")
					return nil
				}
				g := &grid{head: []string{"plan", ">version", "created", "name", ">lines", ">total", "state", "progress", "digest"}}
				for _, p := range plans {
					g.add(p.ID, strconv.Itoa(p.Version), when(p.CreatedAt), p.Name, strconv.Itoa(len(p.Lines)), p.Total.Total.String(),
						p.State, p.Progress, masked(p.Digest))
				}
				g.print(sh.out)
				return nil
			})
		},
	}
}

func plansCSV(w io.Writer, plans []api.Plan) error {
	rows := make([][]string, len(plans))
	for i, p := range plans {
		rows[i] = []string{
			p.ID, p.CreatedAt.Format(time.RFC3339), p.Name, strconv.Itoa(len(p.Lines)), p.Total.Total.Currency(),
			p.Total.Upfront.Canonical(), p.Total.Hourly.Canonical(), p.Total.Total.Canonical(), p.State, p.Progress, p.Digest, strconv.Itoa(p.Version), p.Lineage,
		}
	}
	return writeCSV(w, []string{
		"plan", "created", "name", "lines", "currency", "upfront", "recurring hourly", "total", "state", "progress", "digest", "version", "lineage",
	}, rows)
}

// printPlan writes a plan for people: what it buys, what that costs, and what
// an approval would be bound to.
func printPlan(w io.Writer, p api.Plan) {
	mark := ""
	if p.Simulated {
		mark = "   SIMULATED: no real money"
	}
	fmt.Fprintf(w, "Plan %s  %s%s\n", p.ID, p.Name, mark)
	fmt.Fprintf(w, "%s (%s), requested by %s on %s\n\n", p.State, strings.ReplaceAll(p.Progress, "_", " "), p.Requester, when(p.CreatedAt))
	currency := p.Total.Total.Currency()
	g := &grid{head: []string{">#", "account", "region", "what", "terms", ">qty", ">upfront " + currency, ">per hour " + currency,
		">total " + currency, "state"}}
	upfront := column(p.Lines, func(l api.Line) money.Amount { return l.Price.Upfront })
	hourly := column(p.Lines, func(l api.Line) money.Amount { return l.Price.Hourly })
	total := column(p.Lines, func(l api.Line) money.Amount { return l.Price.Total })
	for _, l := range p.Lines {
		state := l.State
		if l.Reason != "" {
			state += ": " + l.Reason
		}
		g.add(strconv.Itoa(l.Number), l.Account, l.Region, api.Goods(l.Service, l.Attributes), api.Terms(l.TermMonths, l.Payment),
			l.Measure, upfront(l), hourly(l), total(l), state)
	}
	g.print(w)
	for _, d := range p.Advice {
		fmt.Fprintf(w, "advice only, not bought: %s: %s: %s\n", d.Where, d.What, d.Why)
	}
	fmt.Fprintf(w, "\nupfront    %s\nper hour   %s\ntotal      %s over the whole term\n", p.Total.Upfront, p.Total.Hourly, p.Total.Total)
	if !p.Bound.Total.IsZero() {
		fmt.Fprintf(w, "bound      %s so far\n", p.Bound.Total)
	}
	if p.ToleranceBP == 0 {
		fmt.Fprintln(w, "tolerance  none: a line whose price rises is not bought")
	} else {
		fmt.Fprintf(w, "tolerance  prices may rise by %s%% until the purchase\n", percent(p.ToleranceBP))
	}
	if p.AllOrNothing {
		fmt.Fprintln(w, "all or nothing: every line is bought, or none")
	}
	if p.Policy != nil {
		tranche := ""
		if p.Policy.Tranche > 0 {
			tranche = fmt.Sprintf(", tranche %d", p.Policy.Tranche)
		}
		fmt.Fprintf(w, "policy     %s (%s)%s; bursar plan show %s --explain says why\n", p.Policy.Name, p.Policy.File, tranche, p.ID)
	}
	printTags(w, p.Lines)
	printBudgets(w, p.Budgets)
	fmt.Fprintf(w, "digest     %s\n", p.Digest)
	if p.Version > 1 {
		fmt.Fprintf(w, "version    %d; version 1 is plan %s\n", p.Version, p.Lineage)
	}
	fmt.Fprintf(w, "approvals  %s\n", approvalRule(p.Approvals))
	if p.Begun != nil {
		fmt.Fprintf(w, "begun      by %s on %s, %s\n", p.Begun.By, when(p.Begun.At), p.Begun.How)
	}
	for _, d := range p.Decisions {
		verb := "rejected"
		if d.Approve {
			verb = "approved"
		}
		fmt.Fprintf(w, "%s   by %s on %s", verb, d.By, when(d.At))
		if d.Comment != "" {
			fmt.Fprintf(w, ": %s", d.Comment)
		}
		fmt.Fprintln(w)
	}
	if p.ApprovalExpires != nil {
		fmt.Fprintf(w, "expires    %s\n", when(*p.ApprovalExpires))
	}
	if p.Stopped != nil {
		fmt.Fprintf(w, "stopped    %s: %s\n", stopped(p.Stopped), goOn(p.Stopped))
	}
}

// printTags writes what the configuration tags purchases with, where the lines
// agree.
func printTags(w io.Writer, lines []api.Line) {
	keys := map[string]bool{}
	for _, l := range lines {
		for key := range l.Tags {
			keys[key] = !strings.HasPrefix(key, "bursar:")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		text := lines[0].Tags[key]
		if slices.ContainsFunc(lines, func(l api.Line) bool { return l.Tags[key] != text }) {
			text = "differs by line; -o json shows it"
		}
		if keys[key] {
			fmt.Fprintf(w, "tag        %s: %s\n", key, text)
		}
	}
}

// approvalRule says how far a plan is approved and by whom it can be.
func approvalRule(a api.Approvals) string {
	text := fmt.Sprintf("%d of %d", a.Given, a.Needed)
	if len(a.Approvers) > 0 {
		text += ", by " + strings.Join(a.Approvers, ", ")
	}
	if !a.RequesterMay {
		text += "; not by the requester"
	}
	return text
}

// percent writes basis points as per cent.
func percent(bp int) string {
	if bp%100 == 0 {
		return strconv.Itoa(bp / 100)
	}
	return fmt.Sprintf("%d.%02d", bp/100, bp%100)
}

// oneID demands one argument and says which.
func oneID(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			return nil
		case 0:
			return fmt.Errorf("name the %s: %s %s (bursar plan list shows the plans)", what, cmd.CommandPath(), what)
		}
		return fmt.Errorf("one %s at a time: %s %s", what, cmd.CommandPath(), args[0])
	}
}

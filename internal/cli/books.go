package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) reconcile() *cobra.Command {
	var patience time.Duration
	var workers workers
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Look again at every open line, then compare the books with the clouds",
		Long: `Looks again at every line that is in doubt, goes on with the plans that apply has
begun, runs the audits that are due, and then compares the ledger with what the
clouds list. It never begins a plan: people do, with apply or schedule plan.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := workers.check(); err != nil {
				return err
			}
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				a.SetWorkers(int(workers))
				progress := sh.progress()
				err := a.Reconcile(cmd.Context(), patience, progress.moved)
				progress.end()
				if err != nil {
					return err
				}
				audit, err := a.Audit(cmd.Context(), false)
				if err != nil {
					return err
				}
				inv, err := a.Inventory(cmd.Context())
				if err != nil {
					return err
				}
				if sh.format == formatTable {
					printAudit(sh.out, beyond(inv, audit))
				}
				open, err := a.History(cmd.Context(), api.HistoryFilter{})
				if err != nil {
					return err
				}
				begun := map[string]bool{}
				for _, l := range open {
					begun[l.Plan] = begun[l.Plan] || l.Attempts > 0
				}
				open = slices.DeleteFunc(open, func(l api.Line) bool {
					return l.State == "draft" || l.State == "ready" && !begun[l.Plan] || l.State == "failed" || l.State == "expired" || l.State == "canceled" || l.State == "superseded"
				})
				if err := sh.showInventory(inv, false); err != nil {
					return err
				}
				now, err := a.Purchasing(cmd.Context())
				if err != nil {
					return err
				}
				if now.Stopped != nil && sh.format == formatTable {
					fmt.Fprintf(sh.out, "stopped    %s: %s\n", stopped(now.Stopped), goOn(now.Stopped))
				}
				if err := unlessStopped(now.Stopped, open, "bursar reconcile"); err != nil {
					return err
				}
				if err := unbalanced(inv); err != nil || len(inv.Findings) == 0 {
					return err
				}
				return &exit{ExitDecision, openFindings(len(inv.Findings))}
			})
		},
	}
	cmd.Flags().DurationVar(&patience, "patience", 5*time.Second, "`duration` to go on for while no line moves")
	workers.flag(cmd)
	return cmd
}

func (sh *shell) inventory() *cobra.Command {
	var utilization bool
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "List what the clouds list, matched with the ledger",
		Long: `Lists what the clouds list and says of each commitment how the ledger accounts for
it: matched with a receipt, imported (it was there when its lane, a service of an
account in a region, was first listed), declared foreign, or not at all. What the
ledger has and a cloud does not list is missing.

With --utilization it says how much of each commitment was used, and how much of what
could be covered was covered, where the cloud tells. Azure tells it with its listing.
AWS is asked about each service, account and region that holds something: two requests
or more to Cost Explorer, which charges 0.01 USD for each. Google Cloud does not tell.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				ask := a.Inventory
				if utilization {
					ask = a.Utilization
				}
				inv, err := ask(cmd.Context())
				if err != nil {
					return err
				}
				if utilization && sh.format == formatTable {
					sh.showUtilization(inv)
				} else if err := sh.showInventory(inv, true); err != nil {
					return err
				}
				return unbalanced(inv)
			})
		},
	}
	cmd.Flags().BoolVar(&utilization, "utilization", false, "ask the clouds how much was used and covered; AWS charges for it")
	return cmd
}

// showUtilization prints how commitments are used: what was used of each, and apart from
// it what they cover.
func (sh *shell) showUtilization(inv api.Inventory) {
	g := &grid{head: []string{"account", "region", "commitment", "what", ">qty", ">used", "of"}}
	for _, i := range inv.Items {
		g.add(i.Account, i.Region, i.Commitment, api.Goods(i.Service, i.Attributes), i.Measure, api.Used(i.UtilizationBP), api.Window(i.UtilizationDays))
	}
	if len(g.rows) > 0 {
		g.print(sh.out)
	}
	if len(inv.Coverage) > 0 {
		c := &grid{head: []string{"account", "region", "service", ">covered", "of", "window"}}
		for _, x := range inv.Coverage {
			c.add(x.Account, x.Region, x.Service, api.Percent(x.CoverageBP), x.Of, api.Window(x.Days))
		}
		fmt.Fprintln(sh.out)
		c.print(sh.out)
	}
	for _, f := range inv.Untold {
		fmt.Fprintf(sh.out, "utilization  %s: %s\n", f.Where, f.Why)
	}
	for _, f := range inv.Failed {
		fmt.Fprintf(sh.out, "not listed  %s: %s\n", f.Where, f.Why)
	}
}

// unbalanced is the verdict on an inventory.
func unbalanced(inv api.Inventory) error {
	switch {
	case inv.Balanced:
		return nil
	case len(inv.Failed) > 0:
		return &exit{ExitError, fmt.Sprintf("%d of %d could not be listed, and nothing is concluded about them: see the reason above, then try again", len(inv.Failed), inv.Lanes)}
	}
	return &exit{ExitDecision, "the clouds and the ledger do not agree: see what is not matched above, and the evidence of a line with bursar history LINE"}
}

func (sh *shell) showInventory(inv api.Inventory, all bool) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, inv)
	case formatCSV:
		return inventoryCSV(sh.out, inv)
	}
	g := &grid{head: []string{"match", "account", "region", "commitment", "what", "terms", ">qty", ">total", "state", "start", "known", "line"}}
	for _, i := range inv.Items {
		if !all && settled(i.Match) {
			continue
		}
		g.add(i.Match, i.Account, i.Region, i.Commitment, api.Goods(i.Service, i.Attributes), api.Terms(i.TermMonths, i.Payment),
			i.Measure, total(i.Price), i.State, when(i.Start), i.Problem, i.Line)
	}
	if len(g.rows) > 0 {
		g.print(sh.out)
	}
	for _, f := range inv.Failed {
		fmt.Fprintf(sh.out, "not listed  %s: %s\n", f.Where, f.Why)
	}
	parts := []string{}
	for _, m := range slices.Sorted(maps.Keys(inv.Counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", inv.Counts[m], m))
	}
	if len(parts) == 0 {
		parts = []string{"no commitments"}
	}
	fmt.Fprintf(sh.out, "%d of %d lanes listed: %s\n", inv.Lanes-len(inv.Failed), inv.Lanes, strings.Join(parts, ", "))
	printEquation(sh.out, inv.Equations)
	return nil
}

func inventoryCSV(w io.Writer, inv api.Inventory) error {
	rows := make([][]string, len(inv.Items))
	for n, i := range inv.Items {
		var currency, upfront, hourly, total string
		if i.Price != nil {
			currency, upfront = i.Price.Total.Currency(), i.Price.Upfront.Canonical()
			hourly, total = i.Price.Hourly.Canonical(), i.Price.Total.Canonical()
		}
		count, commitment := api.Counted(i.Quantity, i.PerHour)
		var used, days string
		if i.UtilizationBP != nil {
			used, days = api.Percent(*i.UtilizationBP), strconv.Itoa(i.UtilizationDays)
		}
		rows[n] = []string{
			i.Match, i.Provider, i.Account, i.Region, i.Service, i.Commitment, i.State, api.Size(i.Attributes),
			i.Attributes["engine"], i.Attributes["multi_az"], count, api.Years(i.TermMonths),
			i.Payment, currency, upfront, hourly, total, i.Start.Format(time.RFC3339), i.Line, i.Problem,
			i.Attributes["scope"], i.Attributes["renew"], i.Attributes["flexible"], i.Attributes["vcpu"], i.Attributes["memory_gb"],
			api.PlanType(i.Attributes), i.Attributes["family"], i.Attributes["ec2_region"], commitment, used, days,
		}
	}
	return writeCSV(w, []string{
		"match", "provider", "account", "region", "service", "commitment", "status", "resource type", "engine", "multi az",
		"count", "term", "payment option", "currency", "upfront", "recurring hourly", "total", "start", "line", "problem",
		"scope", "renew", "flexible", "vcpu", "memory gb", "plan type", "family", "ec2 region", "hourly commitment", "utilization", "utilization days",
	}, rows)
}

func (sh *shell) history() *cobra.Command {
	var f api.HistoryFilter
	cmd := &cobra.Command{
		Use:   "history [LINE]",
		Short: "Show what happened to lines, or all evidence about one",
		Long: `Shows what happened to lines, newest plan first, or with LINE all evidence about one.
With -o focus the lines are rows of the dataset Contract Commitment of FOCUS, the FinOps
Open Cost and Usage Specification, as CSV.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("one LINE at a time: bursar history %s", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				if sh.format == formatFocus {
					return sh.showFocus(cmd.Context(), a, args, f)
				}
				if len(args) == 1 {
					h, err := a.Line(cmd.Context(), args[0])
					if err != nil {
						return err
					}
					return sh.showLine(h)
				}
				lines, err := a.History(cmd.Context(), f)
				if err != nil {
					return err
				}
				return sh.showHistory(lines)
			})
		},
	}
	cmd.Flags().StringVar(&f.Plan, "plan", "", "only lines of this `plan`")
	cmd.Flags().StringVar(&f.Account, "account", "", "only lines of this `account`")
	cmd.Flags().StringVar(&f.State, "state", "", "only lines in this `state`")
	return cmd
}

func (sh *shell) showHistory(lines []api.Line) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, lines)
	case formatCSV:
		return api.LinesCSV(sh.out, lines)
	}
	if len(lines) == 0 {
		fmt.Fprintln(sh.out, "No lines.")
		return nil
	}
	g := &grid{head: []string{"line", "updated", "account", "region", "what", "terms", ">qty", ">total", "state", "commitment"}}
	for _, l := range lines {
		commitment := l.Reason
		if l.Receipt != nil {
			commitment = l.Receipt.Commitment
		}
		g.add(l.ID, when(l.UpdatedAt), l.Account, l.Region, api.Goods(l.Service, l.Attributes), api.Terms(l.TermMonths, l.Payment),
			l.Measure, l.Price.Total.String(), l.State, commitment)
	}
	g.print(sh.out)
	return nil
}

// recommendationStands says what a recommendation was marked as, and why not.
func recommendationStands(r api.LineRecommendation) string {
	says := "not marked yet"
	if r.Mark != "" {
		says = "marked " + r.Mark + " " + when(*r.MarkedAt)
	}
	switch {
	case r.GivenUp:
		says += "; it is not tried again: " + r.Problem
	case r.Problem != "":
		says += "; the last try: " + r.Problem
	}
	return says
}

// showLine tells one line's story in the order in which it happened.
func (sh *shell) showLine(h api.LineHistory) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, h)
	case formatCSV:
		return api.LinesCSV(sh.out, []api.Line{h.Line})
	}
	fmt.Fprintf(sh.out, "Line %s, number %d of plan %s\n", h.ID, h.Number, h.Plan)
	fmt.Fprintf(sh.out, "%s, %s, account %s, %s\n", h.Line.Wanted(), api.Terms(h.TermMonths, h.Payment), h.Account, h.Region)
	fmt.Fprintf(sh.out, "upfront %s, per hour %s, total %s\n", h.Price.Upfront, h.Price.Hourly, h.Price.Total)
	fmt.Fprintln(sh.out, strings.TrimSuffix(h.State+": "+h.Reason, ": "))
	switch {
	case h.Receipt != nil && h.Receipt.Heuristic:
		fmt.Fprintf(sh.out, "receipt: %s (%s), decided by %s for attempt %d\n", h.Receipt.Commitment, h.Receipt.State, h.DecidedBy, h.Receipt.Attempt)
	case h.Receipt != nil:
		fmt.Fprintf(sh.out, "receipt: %s (%s), proven by %s for attempt %d\n", h.Receipt.Commitment, h.Receipt.State, h.Receipt.How, h.Receipt.Attempt)
	}
	if h.DecidedBy != "" {
		fmt.Fprintf(sh.out, "decided by %s, not proven: the books go on comparing it with the cloud\n", h.DecidedBy)
	}
	if h.Purpose != "" {
		fmt.Fprintf(sh.out, "purpose: %s\n", h.Purpose)
	}
	if r := h.Recommendation; r != nil {
		fmt.Fprintf(sh.out, "recommendation: %s, %s\n", r.Name, recommendationStands(*r))
	}
	for _, n := range h.Notices {
		until := "and still is"
		if n.ClosedAt != nil {
			until = "until " + when(*n.ClosedAt)
		}
		fmt.Fprintf(sh.out, "overdue: %s, was to move on by %s; raised %s, %s\n", strings.ReplaceAll(n.State, "_", " "), when(n.MustLeaveBy), when(n.RaisedAt), until)
	}
	for _, key := range slices.Sorted(maps.Keys(h.Tags)) {
		fmt.Fprintf(sh.out, "tag: %s: %s\n", key, h.Tags[key])
	}
	if len(h.Tries) > 0 {
		g := &grid{head: []string{">attempt", "name", "armed", "deadline", "settled", "state", "answer", "signed with"}}
		for _, t := range h.Tries {
			answer := t.Outcome
			if t.Code != "" {
				answer += " " + t.Code
			}
			g.add(strconv.Itoa(t.N), t.Identity, when(t.ArmedAt), when(t.Deadline), when(t.SettledAt), t.State, answer, t.Credential)
		}
		fmt.Fprintln(sh.out)
		g.print(sh.out)
	}
	if len(h.Evidence) > 0 {
		g := &grid{head: []string{"evidence", ">attempt", "kind", "says", "operation", "cloud's request", "detail"}}
		for _, e := range h.Evidence {
			says := e.Outcome
			if e.Commitment != "" {
				says = strings.TrimSpace(says + " " + e.Commitment)
			}
			if e.Code != "" {
				says += " " + e.Code
			}
			g.add(when(e.At), strconv.Itoa(e.Attempt), e.Kind, says, e.Operation, e.RequestID, e.Detail)
		}
		fmt.Fprintln(sh.out)
		g.print(sh.out)
	}
	if len(h.Facts) > 0 {
		g := &grid{head: []string{"after the purchase", "fact", "commitment", "state", "detail"}}
		for _, f := range h.Facts {
			g.add(when(f.At), f.Kind, f.Commitment, f.State, f.Detail)
		}
		fmt.Fprintln(sh.out)
		g.print(sh.out)
	}
	if len(h.Undos) > 0 {
		g := &grid{head: []string{"undo", "asked for", "by", "state", "since", ">requests", "detail"}}
		for _, u := range h.Undos {
			g.add(u.ID, when(u.RequestedAt), u.Requester, u.State, when(u.UpdatedAt), strconv.Itoa(u.Tries), u.Detail)
		}
		fmt.Fprintln(sh.out)
		g.print(sh.out)
	}
	return nil
}

func (sh *shell) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Test every invariant of the ledger, by name",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				findings, err := a.Check(cmd.Context())
				if err != nil {
					return err
				}
				broken := 0
				rows := make([][]string, len(findings))
				for i, f := range findings {
					result := "ok"
					if !f.OK {
						broken++
						result = "BROKEN"
					}
					rows[i] = []string{result, f.Name, strconv.Itoa(f.Checked), f.Says, strings.Join(f.Problems, "; ")}
				}
				switch sh.format {
				case formatJSON:
					err = writeJSON(sh.out, findings)
				case formatCSV:
					err = writeCSV(sh.out, []string{"result", "invariant", "checked", "says", "problems"}, rows)
				default:
					g := &grid{head: []string{"result", "invariant", ">checked", "says"}}
					for _, r := range rows {
						g.add(r[:4]...)
					}
					g.print(sh.out)
					for _, f := range findings {
						for _, p := range f.Problems {
							fmt.Fprintf(sh.out, "%s: %s\n", f.Name, p)
						}
					}
				}
				if err != nil {
					return err
				}
				if broken > 0 {
					return &exit{ExitError, fmt.Sprintf("%d of %d invariants are broken: buy nothing with this ledger until it is known why", broken, len(findings))}
				}
				return nil
			})
		},
	}
}

// showFocus writes lines in the words of FOCUS, which the ledger itself is needed for.
func (sh *shell) showFocus(ctx context.Context, a api.Service, lines []string, f api.HistoryFilter) error {
	local, ok := a.(api.Pages)
	switch {
	case len(lines) > 0:
		return errors.New("-o focus is of many lines: leave LINE out, or use --plan, --account or --state")
	case !ok:
		return errors.New("-o focus needs the ledger itself: run it where the ledger is, or take the file from the page History")
	}
	rows, err := local.Focus(ctx, f)
	if err != nil {
		return err
	}
	return api.FocusCSV(sh.out, rows)
}

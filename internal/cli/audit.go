package cli

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) audit() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Follow what was bought, and raise what the books cannot explain",
		Long: `Looks at every purchase 15 minutes, 2 hours and 24 hours after it, and daily from
then on, until its term is over: whether its payment came through and whether the
cloud shows what was bought. Where it looks it also compares everything that the
cloud lists with the ledger; each lane, which is a service of an account in a
region, is compared once a day at least. It buys nothing. What the books cannot
explain stays a finding until it is explained.

Run it every few minutes; what is not due costs nothing. reconcile runs it too.

Exit code 2 means that a finding is open: a person has to explain it.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				r, err := a.Audit(cmd.Context(), all)
				if err != nil {
					return err
				}
				if err := sh.showAudit(r); err != nil {
					return err
				}
				return unexplained(r)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "look at everything now, due or not")
	cmd.AddCommand(sh.auditLog(), sh.auditVerify(), sh.auditExport())
	return cmd
}

// unexplained is the verdict on an audit.
func unexplained(r api.Audit) error {
	switch {
	case len(r.Failed) > 0:
		return &exit{ExitError, fmt.Sprintf("%d of %d could not be listed, and nothing is concluded about them: see the reason above, then try again", len(r.Failed), r.Lanes)}
	case len(r.Findings) > 0:
		return &exit{ExitDecision, openFindings(len(r.Findings))}
	}
	return nil
}

func openFindings(n int) string {
	return count(n, "finding is", "findings are") + " open: see what is known above, and the evidence of a line with bursar history LINE"
}

func (sh *shell) showAudit(r api.Audit) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, r)
	case formatCSV:
		return findingsCSV(sh.out, r.Findings)
	}
	printAudit(sh.out, r)
	fmt.Fprintf(sh.out, "%d of %d due lanes listed; %s, %s open, %d closed", r.Lanes-len(r.Failed), r.Lanes,
		count(len(r.Facts), "new fact", "new facts"), count(len(r.Findings), "finding", "findings"), len(r.Closed))
	if r.NextAt != nil {
		fmt.Fprintf(sh.out, "; next due %s", when(*r.NextAt))
	}
	fmt.Fprintln(sh.out)
	printEquation(sh.out, r.Equations)
	return nil
}

// printAudit tells what an audit has learned and what is open; nothing, if that
// is nothing.
func printAudit(w io.Writer, r api.Audit) {
	if len(r.Facts) > 0 {
		g := &grid{head: []string{"fact", "seen", "commitment", "state", "line", "detail"}}
		for _, f := range r.Facts {
			g.add(f.Kind, when(f.At), f.Commitment, f.State, f.Line, f.Detail)
		}
		g.print(w)
		fmt.Fprintln(w)
	}
	if len(r.Findings) > 0 {
		g := &grid{head: []string{"finding", "since", "account", "region", "commitment", "what", "terms", ">qty", ">total", "state", "start", "known", "line"}}
		for _, f := range r.Findings {
			g.add(f.Kind, when(f.FirstSeen), f.Account, f.Region, f.Commitment, api.Goods(f.Service, f.Attributes), api.Terms(f.TermMonths, f.Payment),
				f.Measure, total(f.Price), f.State, when(f.Start), f.Detail, f.Line)
		}
		g.print(w)
		fmt.Fprintln(w)
	}
	for _, f := range r.Closed {
		fmt.Fprintf(w, "closed      %s %s in %s/%s, open since %s\n", f.Kind, f.Commitment, f.Account, f.Region, when(f.FirstSeen))
	}
	for _, f := range r.Failed {
		fmt.Fprintf(w, "not listed  %s: %s\n", f.Where, f.Why)
	}
}

// beyond is what an audit tells that the inventory of the same moment does not.
func beyond(inv api.Inventory, r api.Audit) api.Audit {
	r.Failed = nil
	shown := func(account, region, commitment string) bool {
		return slices.ContainsFunc(inv.Items, func(i api.Item) bool {
			return !settled(i.Match) && i.Account == account && i.Region == region && i.Commitment == commitment
		})
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f api.AuditFinding) bool { return shown(f.Account, f.Region, f.Commitment) })
	r.Facts = slices.DeleteFunc(r.Facts, func(f api.Fact) bool {
		return f.Kind != "active" && f.Kind != "retired" && f.Kind != "returned"
	})
	return r
}

// settled reports whether a match needs nobody's attention.
func settled(match string) bool {
	return match != "unexplained" && match != "missing" && match != "differs"
}

// printEquation writes the double entry of lanes in one line, and that of each
// lane where it does not hold.
func printEquation(w io.Writer, lanes []api.Equation) {
	if len(lanes) == 0 {
		return
	}
	sum := api.Equation{Holds: true}
	for _, q := range lanes {
		sum.Listed += q.Listed
		sum.Ours += q.Ours
		sum.Imported += q.Imported
		sum.Foreign += q.Foreign
		sum.Unexplained += q.Unexplained
		sum.Missing += q.Missing
		sum.Differs += q.Differs
		sum.Holds = sum.Holds && q.Holds
		if !q.Holds && len(lanes) > 1 {
			fmt.Fprintf(w, "%s/%s/%s/%s: %s\n", q.Provider, q.Account, q.Region, q.Service, equation(q))
		}
	}
	fmt.Fprintln(w, equation(sum))
}

func equation(q api.Equation) string {
	sign := "="
	if !q.Holds {
		sign = "is not"
	}
	text := fmt.Sprintf("inventory %d %s %d ours + %d imported + %d declared foreign; %d unexplained, %d missing",
		q.Listed, sign, q.Ours, q.Imported, q.Foreign, q.Unexplained, q.Missing)
	if q.Differs > 0 {
		text += fmt.Sprintf(", %d with other goods or unpaid", q.Differs)
	}
	return text
}

func total(p *api.Price) string {
	if p == nil {
		return ""
	}
	return p.Total.String()
}

func findingsCSV(w io.Writer, list []api.AuditFinding) error {
	rows := make([][]string, len(list))
	for n, f := range list {
		count, commitment := api.Counted(f.Quantity, f.PerHour)
		rows[n] = []string{
			f.Kind, f.FirstSeen.Format(time.RFC3339), f.LastSeen.Format(time.RFC3339), f.Provider, f.Account, f.Region, f.Service,
			f.Commitment, f.State, f.Offering, api.Size(f.Attributes), f.Attributes["engine"], f.Attributes["multi_az"],
			count, api.Years(f.TermMonths), f.Payment, f.Start.Format(time.RFC3339), f.Line, f.Detail,
			f.Attributes["scope"], f.Attributes["renew"], f.Attributes["flexible"], f.Attributes["vcpu"], f.Attributes["memory_gb"],
			api.PlanType(f.Attributes), f.Attributes["family"], f.Attributes["ec2_region"], commitment,
		}
	}
	return writeCSV(w, []string{
		"finding", "first seen", "last seen", "provider", "account", "region", "service", "commitment", "status", "offering", "resource type",
		"engine", "multi az", "count", "term", "payment option", "start", "line", "detail",
		"scope", "renew", "flexible", "vcpu", "memory gb", "plan type", "family", "ec2 region", "hourly commitment",
	}, rows)
}

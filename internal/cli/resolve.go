package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bursar/internal/api"
)

func (sh *shell) resolve() *cobra.Command {
	var r api.Resolution
	var adopt, foreign string
	var notBought, lookAgain bool
	cmd := &cobra.Command{
		Use:   "resolve LINE",
		Short: "Decide about a line that needs review; without a decision, show its case",
		Long: `Shows what is known of a line that needs review, what its account and region list
now, and what may be decided. With one of --adopt, --not-bought, --foreign and
--look-again the decision is carried out, after looking afresh. It is recorded as a
guess with your name, and the books go on comparing it with the cloud.

Nothing here sends a purchase. There is no retry: what may have been bought is
looked for until it is found or proven not to exist.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name one LINE: %s LINE (bursar history --state needs_review shows them)", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Line = args[0]
			var chosen []string
			for _, c := range []struct {
				flag, choice, commitment string
				given                    bool
			}{
				{"--adopt", "adopt", adopt, cmd.Flags().Changed("adopt")}, {"--not-bought", "not_bought", "", notBought},
				{"--foreign", "foreign", foreign, cmd.Flags().Changed("foreign")}, {"--look-again", "look_again", "", lookAgain},
			} {
				if c.given {
					chosen = append(chosen, c.flag)
					r.Choice, r.Commitment = c.choice, c.commitment
				}
			}
			if len(chosen) > 1 {
				return fmt.Errorf("%s cannot be decided at once: take one of them", strings.Join(chosen, " and "))
			}
			return sh.with(cmd.Context(), func(a api.Service) error {
				if len(chosen) == 0 {
					c, err := a.Case(cmd.Context(), r.Line)
					if err != nil {
						return err
					}
					return sh.showCase(c)
				}
				h, err := a.Resolve(cmd.Context(), r)
				if err != nil {
					return err
				}
				return sh.showResolved(h, r)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&adopt, "adopt", "", "this `commitment` is what the line bought")
	f.BoolVar(&notBought, "not-bought", false, "the line bought nothing")
	f.StringVar(&foreign, "foreign", "", "this `commitment` is somebody else's")
	f.BoolVar(&lookAgain, "look-again", false, "put the line back into doubt and look")
	f.StringVar(&r.By, "by", "", "`name` of the person who decides; default is the user's")
	f.StringVar(&r.Second, "second", "", "`name` of a second person who agrees")
	f.StringVar(&r.Comment, "comment", "", "why")
	return cmd
}

// showResolved says what a decision led to.
func (sh *shell) showResolved(h api.LineHistory, r api.Resolution) error {
	switch sh.format {
	case formatJSON:
		if err := writeJSON(sh.out, h); err != nil {
			return err
		}
	case formatCSV:
		if err := api.LinesCSV(sh.out, []api.Line{h.Line}); err != nil {
			return err
		}
	default:
		if r.Choice == "foreign" {
			fmt.Fprintf(sh.out, "%s is recorded as foreign.\n", r.Commitment)
		}
		fmt.Fprintf(sh.out, "Line %s is %s.\n", h.ID, strings.TrimSuffix(h.State+": "+h.Reason, ": "))
		if h.DecidedBy != "" {
			fmt.Fprintf(sh.out, "It is recorded as decided by %s; the books go on comparing it with the cloud.\n", h.DecidedBy)
		}
		if h.State == "ready" {
			fmt.Fprintf(sh.out, "Nothing of it was bought so far. Next: bursar apply %s\n", h.Plan)
		}
	}
	switch h.State {
	case "armed", "queued":
		return &exit{ExitInDoubt, "line " + h.ID + " is looked up until it is known whether it was bought: bursar reconcile"}
	case "needs_review":
		return &exit{ExitDecision, "line " + h.ID + " still needs a decision: bursar resolve " + h.ID}
	}
	return nil
}

// showCase tells what is known and what may be decided.
func (sh *shell) showCase(c api.Case) error {
	if sh.format == formatJSON {
		return writeJSON(sh.out, c)
	}
	rows := make([][]string, len(c.Items))
	for i, item := range c.Items {
		explained := "unexplained"
		switch item.Explained {
		case "receipt":
			explained = "bought by line " + item.Line
		case "imported":
			explained = "was there before"
		case "foreign":
			explained = "declared foreign by " + item.By
		}
		if item.Named {
			explained += ", under this line's name"
		}
		if item.Differs != "" && item.Explained == "" {
			explained += "; " + item.Differs
		}
		rows[i] = []string{item.Commitment, api.Goods(item.Service, item.Attributes), api.Terms(item.TermMonths, item.Payment),
			item.Measure, item.State, when(item.Start), explained}
	}
	if sh.format == formatCSV {
		return writeCSV(sh.out, []string{"commitment", "what", "terms", "count", "status", "start", "explained"}, rows)
	}
	if err := sh.showLine(c.LineHistory); err != nil {
		return err
	}
	switch {
	case c.Unlisted != "":
		fmt.Fprintf(sh.out, "\n%s could not be listed: %s\n", c.Lane, c.Unlisted)
	case len(rows) == 0:
		fmt.Fprintf(sh.out, "\n%s lists nothing.\n", c.Lane)
	default:
		fmt.Fprintf(sh.out, "\n%s lists now\n", c.Lane)
		g := &grid{head: []string{"commitment", "what", "terms", ">qty", "state", "start", "explained"}, rows: rows}
		g.print(sh.out)
	}
	fmt.Fprintln(sh.out, "\nWhat may be decided")
	g := &grid{head: []string{"decision", "means", "now"}}
	for _, d := range c.Choices {
		flag, means := "", ""
		switch d.Choice {
		case "adopt":
			flag, means = "--adopt COMMITMENT", "this is what the line bought"
		case "not_bought":
			flag, means = "--not-bought", "the line bought nothing"
		case "foreign":
			flag, means = "--foreign COMMITMENT", "this is somebody else's"
		case "look_again":
			flag, means = "--look-again", "the line is in doubt and looked up again"
		}
		now := "open"
		if d.Open && d.Second {
			now = "open, with --second NAME: something in the lane is unexplained"
		}
		if !d.Open {
			now = "no: " + d.Why
		}
		g.add(flag, means, now)
	}
	g.print(sh.out)
	return nil
}

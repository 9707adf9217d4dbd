package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"bursar/internal/api"
)

func (sh *shell) planContinue() *cobra.Command {
	var requester string
	cmd := &cobra.Command{
		Use:   "continue PLAN",
		Short: "Plan what of a plan was not bought, priced anew, as its next version",
		Long: `Makes the next version of a plan with the lines that failed, expired, were canceled
with the rest of their plan, or wait for a new approval. Lines that are bought, in
doubt or waiting for a decision are left to their version; a plan that is all or
nothing is continued with every line or not at all. Nothing is bought before
the new version is approved, which supersedes the earlier ones.`,
		Args: oneID("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				created, err := a.ContinuePlan(cmd.Context(), args[0], requester)
				if err != nil {
					return err
				}
				return sh.showCreated(created, 0)
			})
		},
	}
	cmd.Flags().StringVar(&requester, "as", "", "`name` of the requester; default is the user's")
	return cmd
}

// showCreated shows a new plan and what is not in it.
func (sh *shell) showCreated(created api.PlanCreated, coverage int) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, created)
	case formatCSV:
		return api.LinesCSV(sh.out, created.Plan.Lines)
	}
	for _, c := range created.Rounded {
		fmt.Fprintf(sh.out, "rounded   %s: %d%% of %s is %s; planned %s, %s rounded away\n",
			c.Where, coverage, c.Was, c.Exact, c.Kept, c.Away)
	}
	for _, d := range created.Left {
		fmt.Fprintf(sh.out, "left out  %s: %s: %s\n", d.Where, d.What, d.Why)
	}
	for _, d := range created.Bought {
		fmt.Fprintf(sh.out, "bought    %s: %s: %s\n", d.Where, d.What, d.Why)
	}
	for _, id := range created.Superseded {
		fmt.Fprintf(sh.out, "replaces  plan %s of the same policy, which nobody had approved\n", id)
	}
	printPlan(sh.out, created.Plan)
	fmt.Fprintf(sh.out, "\nNothing is bought yet. Next: bursar approve %s\n", created.Plan.ID)
	return nil
}

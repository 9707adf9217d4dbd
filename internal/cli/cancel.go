package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"bursar/internal/api"
)

func (sh *shell) cancel() *cobra.Command {
	var by, comment string
	cmd := &cobra.Command{
		Use:   "cancel PLAN|LINE...",
		Short: "Call lines off: at once where nothing was sent, by evidence elsewhere",
		Long: `Asks that lines not be bought, or all open lines of a plan. A line of which nothing
was sent is canceled at once. One that may have been sent is not sent again, and
ends as purchased or canceled by what the cloud shows. The order of a queued
purchase is deleted by a worker before it fires.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("name a PLAN or a LINE: %s PLAN", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				answers, err := a.Cancel(cmd.Context(), args, by, comment)
				if err != nil {
					return err
				}
				if err := sh.showCanceled(answers); err != nil {
					return err
				}
				counts := map[string]int{}
				for _, c := range answers {
					counts[c.Answer]++
				}
				switch {
				case counts["requested"] > 0:
					return &exit{ExitInDoubt, count(counts["requested"], "line is", "lines are") + " called off and may have been bought already: bursar reconcile looks how it ends"}
				case counts["no"] > 0:
					return &exit{ExitError, count(counts["no"], "line was", "lines were") + " not called off, for the reason above"}
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "`name` of the person; default is the user's")
	cmd.Flags().StringVar(&comment, "comment", "", "why")
	return cmd
}

func (sh *shell) showCanceled(answers []api.Canceled) error {
	rows := make([][]string, len(answers))
	for i, c := range answers {
		rows[i] = []string{c.Line.ID, c.Line.Plan, strconv.Itoa(c.Line.Number), c.Line.State, c.Says}
	}
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, answers)
	case formatCSV:
		return writeCSV(sh.out, []string{"line", "plan", "number", "state", "answer"}, rows)
	}
	g := &grid{head: []string{"line", "plan", ">number", "state", "answer"}, rows: rows}
	g.print(sh.out)
	return nil
}

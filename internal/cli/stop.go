package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"bursar/internal/api"
)

func (sh *shell) stop() *cobra.Command {
	return sh.switchPurchasing("stop", "Stop all purchasing, in every process at once", false, `Stops all purchasing, for every process that works on this ledger: no attempt is
armed from now on. What may have been sent already goes on being looked up, and
keeps its place in the books. See bursar start.`)
}

func (sh *shell) start() *cobra.Command {
	return sh.switchPurchasing("start", "Let purchasing go on after a stop", true, `Ends a stop: lines that are ready may be bought again, as long as their approval
stands.`)
}

func (sh *shell) switchPurchasing(use, short string, on bool, long string) *cobra.Command {
	var by, comment string
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long:  long,
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				p, err := a.SetPurchasing(cmd.Context(), on, by, comment)
				if err != nil {
					return err
				}
				switch {
				case sh.format == formatJSON:
					return writeJSON(sh.out, p)
				case sh.format == formatCSV:
					return writeCSV(sh.out, []string{"purchasing", "by", "at", "comment"}, [][]string{purchasingRow(p)})
				case on:
					fmt.Fprintln(sh.out, "Purchasing goes on. Next: bursar apply PLAN")
				default:
					fmt.Fprintf(sh.out, "%s.\nNothing is sent from now on; what is in doubt is still looked up. To go on: bursar start\n", upper(stopped(p.Stopped)))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "`name` of the person; default is the user's")
	cmd.Flags().StringVar(&comment, "comment", "", "why")
	return cmd
}

func purchasingRow(p api.Purchasing) []string {
	row := []string{fmt.Sprint(p.Purchasing), "", "", ""}
	if s := p.Stopped; s != nil {
		row[1], row[3] = s.By, s.Comment
		if s.At != nil {
			row[2] = when(*s.At)
		}
	}
	return row
}

// stopped is who stopped purchasing, as a clause.
func stopped(s *api.Stop) string {
	if s.By == "" || s.At == nil {
		return "purchasing is off until the ledger has recovered"
	}
	text := fmt.Sprintf("purchasing is stopped by %s since %s", s.By, when(*s.At))
	if s.Comment != "" {
		text += " (" + s.Comment + ")"
	}
	return text
}

// goOn is what ends a stop.
func goOn(s *api.Stop) string {
	if s.By == "" {
		return "bursar recovery status"
	}
	return "bursar start"
}

// unlessStopped is verdict while purchasing may be stopped: then nothing is wrong
// with the lines that are ready, and trying again does not help.
func unlessStopped(s *api.Stop, lines []api.Line, again string) error {
	err := verdict(lines, again)
	e, ok := err.(*exit) //nolint:errorlint // verdict returns nothing else
	if s == nil || !ok {
		return err
	}
	ready := 0
	for _, l := range lines {
		if l.State == "ready" {
			ready++
		}
	}
	switch {
	case ready == 0:
		return err
	case e.code == ExitInDoubt:
		return &exit{e.code, e.says + ". Besides, " + stopped(s) + ": " + goOn(s)}
	}
	return &exit{ExitDecision, stopped(s) + ", and " + count(ready, "line waits", "lines wait") + " for it: " + goOn(s)}
}

// upper begins a sentence.
func upper(s string) string {
	if s == "" {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

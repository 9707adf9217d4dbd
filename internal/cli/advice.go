package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) advice() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "advice",
		Short: "Dismiss and snooze advice, for plans that a policy makes",
		Args:  nothing,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.adviceList(),
		sh.adviceWord("dismiss", "Have policies leave advice out until it is restored", api.Service.DismissAdvice),
		sh.adviceWord("snooze", "Have policies leave advice out until a day", api.Service.SnoozeAdvice),
		sh.adviceWord("restore", "Take back what was said about advice", api.Service.RestoreAdvice))
	return cmd
}

// adviceWord is the command of one word on advice.
func (sh *shell) adviceWord(word, short string, say func(api.Service, context.Context, api.AdviceRequest) (api.Advice, error)) *cobra.Command {
	var r api.AdviceRequest
	var until string
	cmd := &cobra.Command{
		Use:   word + " KEY",
		Short: short,
		Long: short + `.

The key names the goods and the account that advice is about, whatever the file, the
quantity and the terms. bursar plan show PLAN --explain and bursar advice list -f FILE
show keys. Plans that are made already stay as they are.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name one key of advice: %s KEY (bursar advice list -f FILE shows them)", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Key = args[0]
			if word == "snooze" {
				at, err := time.Parse(time.DateOnly, until)
				if err != nil {
					return fmt.Errorf("--until %q: use a day such as 2026-12-31", until)
				}
				r.Until = at
			}
			if err := sh.sent(&r.File, &r.Content); err != nil {
				return err
			}
			return sh.with(cmd.Context(), func(a api.Service) error {
				said, err := say(a, cmd.Context(), r)
				if err != nil {
					return err
				}
				return sh.showAdvice([]api.Advice{said}, func() {
					switch word {
					case "dismiss":
						fmt.Fprintf(sh.out, "Dismissed %s: %s\n", said.Key, said.About)
					case "snooze":
						fmt.Fprintf(sh.out, "Snoozed %s until %s: %s\n", said.Key, said.Until.Format(time.DateOnly), said.About)
					default:
						fmt.Fprintf(sh.out, "Restored %s: %s\n", said.Key, said.About)
					}
				})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Reason, "reason", "", "`text` saying why")
	f.StringVarP(&r.File, "file", "f", "", "input `file` that holds the advice, where no plan knows it")
	if word == "snooze" {
		f.StringVar(&until, "until", "", "the `day`, in UTC, on which it counts again")
	}
	f.StringVar(&r.By, "as", "", "`name` of the person; default is the user's")
	return cmd
}

// sent reads an input whose file is named, as a server reads none of its own.
func (sh *shell) sent(file *string, content *[]byte) (err error) {
	if *file != "" {
		*file, *content, err = app.ReadInput("input", *file, sh.in)
	}
	return err
}

func (sh *shell) adviceList() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what was said about advice, or the advice of a file with its keys",
		Args:  nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var content []byte
			if err := sh.sent(&file, &content); err != nil {
				return err
			}
			return sh.with(cmd.Context(), func(a api.Service) error {
				list, err := a.Advices(cmd.Context(), file, content)
				if err != nil {
					return err
				}
				return sh.showAdvice(list, func() {
					if len(list) == 0 {
						fmt.Fprintln(sh.out, "Nobody has dismissed or snoozed advice. bursar advice list -f FILE shows what a file advises.")
						return
					}
					printAdvice(sh.out, list)
				})
			})
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "input `file` whose advice is listed")
	return cmd
}

func (sh *shell) showAdvice(list []api.Advice, table func()) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, list)
	case formatCSV:
		rows := make([][]string, len(list))
		for i, a := range list {
			rows[i] = []string{a.Key, a.About, a.Verdict, fmt.Sprint(a.Counts), dayOf(a.Until), a.Reason, a.By, dayOf(a.At), a.Where, a.What}
		}
		return writeCSV(sh.out, []string{"key", "about", "verdict", "counts", "until", "reason", "by", "at", "where", "what"}, rows)
	}
	table()
	return nil
}

func printAdvice(w io.Writer, list []api.Advice) {
	g := &grid{head: []string{"key", "about", "verdict", "by", "on", "reason"}}
	for _, a := range list {
		verdict := a.Verdict
		switch {
		case a.Until != nil && a.Counts:
			verdict += " until " + dayOf(a.Until)
		case a.Until != nil:
			verdict += ", over since " + dayOf(a.Until)
		}
		g.add(a.Key, a.About, verdict, a.By, dayOf(a.At), a.Reason)
	}
	g.print(w)
}

func dayOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// printExplanation says why the lines of a plan are in it, and why the rest is not.
func printExplanation(w io.Writer, p api.Plan) {
	if p.Policy == nil {
		fmt.Fprintln(w, "\nNo policy made this plan: its lines are what its input asks for.")
		return
	}
	fmt.Fprintf(w, "\nWhy, by policy %s (%s, sha256 %s)\n", p.Policy.Name, p.Policy.File, masked(p.Policy.SHA256))
	for _, e := range p.Explanation {
		head := "dropped"
		if e.Line > 0 {
			head = fmt.Sprintf("line %d", e.Line)
		}
		fmt.Fprintf(w, "\n%s  %s: %s", head, e.Where, e.What)
		if e.Key != "" {
			fmt.Fprintf(w, "  [%s]", e.Key)
		}
		fmt.Fprintln(w)
		for _, s := range e.Steps {
			at := ""
			if s.At != "" {
				at = "  (" + s.At + ")"
			}
			fmt.Fprintf(w, "  %-9s  %s%s\n", s.Rule, s.Says, at)
		}
	}
}

func explanationCSV(w io.Writer, p api.Plan) error {
	var rows [][]string
	for _, e := range p.Explanation {
		for _, s := range e.Steps {
			rows = append(rows, []string{strconv.Itoa(e.Line), e.Key, e.About, e.Where, e.What, s.Rule, s.At, s.Says})
		}
	}
	return writeCSV(w, []string{"line", "key", "about", "where", "what", "rule", "at", "says"}, rows)
}

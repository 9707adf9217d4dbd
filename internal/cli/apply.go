package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) apply() *cobra.Command {
	var patience time.Duration
	var workers workers
	var detach bool
	var by string
	cmd := &cobra.Command{
		Use:   "apply PLAN",
		Short: "Buy an approved plan; safe to run twice, to kill, to run in two shells",
		Long: `Buys the lines of an approved plan. Each attempt is written to the ledger before
it is sent, and sent once. A line whose answer was lost is in doubt: it is looked
up in the cloud until it is found or proven not to exist. Apply may be stopped or
killed at any moment and run again.

Apply begins the plan: from then on a bursar worker on this ledger works on it, too,
and goes on with it when apply ends. With --detach apply begins the plan and leaves
all of it to workers.`,
		Args: oneID("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := workers.check(); err != nil {
				return err
			}
			if detach {
				return sh.with(cmd.Context(), func(a api.Service) error { return sh.detach(cmd, a, args[0], by) })
			}
			if sh.server != "" {
				if cmd.Flags().Changed("workers") {
					return errors.New("--workers: the workers are the server's: leave it out")
				}
				return sh.with(cmd.Context(), func(a api.Service) error { return sh.follow(cmd.Context(), a, args[0], by, patience) })
			}
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				a.SetWorkers(int(workers))
				progress := sh.progress()
				p, err := a.Apply(cmd.Context(), args[0], by, patience, progress.moved)
				progress.end()
				if err != nil {
					return err
				}
				return sh.applied(p, progress)
			})
		},
	}
	cmd.Flags().DurationVar(&patience, "patience", 30*time.Second, "`duration` to go on for while no line moves")
	workers.flag(cmd)
	cmd.Flags().BoolVar(&detach, "detach", false, "begin the plan and let a bursar worker buy it")
	cmd.Flags().StringVar(&by, "as", "", "`name` of the person who begins the plan; default is the user's")
	return cmd
}

// applied shows a plan after it was worked on, and judges it.
func (sh *shell) applied(p api.Plan, progress *progress) error {
	var err error
	switch sh.format {
	case formatJSON:
		err = writeJSON(sh.out, p)
	case formatCSV:
		err = api.LinesCSV(sh.out, p.Lines)
	default:
		if len(progress.said) > 0 {
			fmt.Fprintln(sh.out)
		}
		printPlan(sh.out, p)
	}
	if err != nil {
		return err
	}
	return unlessStopped(p.Stopped, p.Lines, "bursar apply "+p.ID)
}

// detach begins a plan and leaves it to workers.
func (sh *shell) detach(cmd *cobra.Command, a api.Service, id, by string) error {
	p, first, err := a.Begin(cmd.Context(), id, by)
	switch {
	case err != nil:
		return err
	case sh.format == formatJSON:
		return writeJSON(sh.out, p)
	case sh.format == formatCSV:
		return api.LinesCSV(sh.out, p.Lines)
	case !first:
		fmt.Fprintf(sh.out, "%s was begun by %s on %s. A bursar worker buys it; to see how far it is: bursar plan show %s\n", p.ID, p.Begun.By, when(p.Begun.At), p.ID)
	default:
		fmt.Fprintf(sh.out, "Begun %s. A bursar worker buys it; to see how far it is: bursar plan show %s\n", p.ID, p.ID)
	}
	return nil
}

// workers is how many lines are worked on at once. The engine gives no lane more
// of them than it answers well.
type workers int

const maxWorkers = 256

func (w *workers) flag(cmd *cobra.Command) {
	cmd.Flags().IntVar((*int)(w), "workers", app.DefaultWorkers, "`number` of lines to work on at once")
}

func (w *workers) check() error {
	if *w < 1 || *w > maxWorkers {
		return fmt.Errorf("--workers %d: use 1 to %d", *w, maxWorkers)
	}
	return nil
}

// verdict turns the state of lines into an exit code and the next step.
func verdict(lines []api.Line, again string) error {
	counts, example := map[string]int{}, map[string]string{}
	var settles time.Time
	for _, l := range lines {
		counts[l.State]++
		example[l.State] = "history " + l.ID
		if l.State == "needs_review" {
			example[l.State] = "resolve " + l.ID
		}
		if l.State == "armed" && l.LookAt != nil && l.LookAt.After(settles) {
			settles = *l.LookAt
		}
	}
	switch review := counts["needs_review"] + counts["recovery"]; {
	case counts["armed"] > 0:
		return &exit{ExitInDoubt, fmt.Sprintf("%s in doubt: it is not known yet whether they were bought, and they are not bought again before it is. "+
			"Look again after %s with: %s", count(counts["armed"], "line is", "lines are"), when(settles), again)}
	case review > 0:
		return &exit{ExitDecision, count(review, "line needs", "lines need") + " a person: what the cloud shows contradicts the ledger. " +
			"Look at the evidence with: bursar " + cmp.Or(example["needs_review"], example["recovery"])}
	case counts["needs_reapproval"] > 0:
		return &exit{ExitDecision, count(counts["needs_reapproval"], "line is", "lines are") + " not bought because what was approved has changed: " +
			"see the reason above, then price and approve it anew with bursar plan continue, or leave it"}
	case counts["ready"] > 0:
		return &exit{ExitError, count(counts["ready"], "line was", "lines were") + " not bought yet for the reason above; try again with: " + again}
	case counts["failed"]+counts["expired"]+counts["canceled"]+counts["superseded"] > 0:
		n := counts["failed"] + counts["expired"] + counts["canceled"] + counts["superseded"]
		return &exit{ExitError, count(n, "line was", "lines were") + " not bought, for the reason above, and nothing of that is in doubt: what is still wanted needs a new plan or bursar plan continue"}
	}
	return nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// progress tells of lines while they move: one line of text for each change, and
// on a terminal a last line that is rewritten.
type progress struct {
	w      io.Writer
	live   bool
	said   map[string]string
	status string
}

// progress goes to where the result does not, unless the result is for people.
func (sh *shell) progress() *progress {
	w := sh.out
	if sh.format != formatTable {
		w = sh.err
	}
	return &progress{w: w, live: isTerminal(w), said: map[string]string{}}
}

// saw keeps what is known of a line from being told again, and tells nothing.
func (p *progress) saw(m api.Moved) { p.said[m.Line.ID] = phrase(m) }

// phrase is what is told of a line.
func phrase(m api.Moved) string {
	says, why := told(m)
	return says + ": " + why
}

func told(m api.Moved) (says, why string) {
	says = m.Line.State
	switch {
	case m.Line.State == "armed":
		says = "in doubt"
	case m.Problem != "":
		says = "not yet"
	}
	why = m.Line.Reason
	if m.Problem != "" {
		why = m.Problem
	}
	return says, why
}

// moved is told of one line at a time.
func (p *progress) moved(m api.Moved) {
	says, why := told(m)
	p.clear()
	if text := phrase(m); p.said[m.Line.ID] != text {
		p.said[m.Line.ID] = text
		fmt.Fprintf(p.w, "%-10s %3d  %s %-14s %s, %s", says, m.Line.Number, m.Line.Account, m.Line.Region,
			m.Line.Wanted(), api.Terms(m.Line.TermMonths, m.Line.Payment))
		if m.Line.State == "purchased" {
			fmt.Fprintf(p.w, "  %s", m.Line.Price.Total)
		}
		if why != "" {
			fmt.Fprintf(p.w, "  (%s)", why)
		}
		fmt.Fprintln(p.w)
	}
	if m.Lines > 0 {
		p.status = fmt.Sprintf("%d of %d lines done, %d in doubt, %s bound", m.Done, m.Lines, m.InDoubt, m.Bound)
	}
	p.show()
}

func (p *progress) show() {
	if p.live {
		fmt.Fprint(p.w, p.status)
	}
}

func (p *progress) clear() {
	if p.live && p.status != "" {
		fmt.Fprint(p.w, "\r"+strings.Repeat(" ", len(p.status))+"\r")
	}
}

// end leaves the last status as a line of its own.
func (p *progress) end() {
	p.clear()
	if p.status != "" {
		fmt.Fprintln(p.w, p.status)
	}
}

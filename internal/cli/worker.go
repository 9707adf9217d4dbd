package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

// defaultGrace is longer than a call to a cloud may last.
const defaultGrace = 30 * time.Second

func (sh *shell) worker() *cobra.Command {
	var o app.WorkOptions
	var lines workers
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Buy what was begun and look up what is in doubt, until it is stopped",
		Long: `Works on the plans that somebody has begun (bursar apply PLAN --detach) or scheduled
(bursar schedule plan), looks up what is in doubt, and runs the tasks that bursar
schedule list shows, until it is stopped. Any number of workers may share a ledger;
each may be killed at any moment, and another one goes on with what it leaves. A
worker begins no plan by itself: people do.

The first SIGTERM or SIGINT stops it: nothing more is armed, calls that are under way
end and are recorded, for as long as --grace says, and the exit code is 0. What is
still under way then is looked up by the next worker. A second signal ends the worker
at once, which is safe as well.

With -o json each event is a line of JSON.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch err := lines.check(); {
			case err != nil:
				return err
			case o.Grace < 0:
				return fmt.Errorf("--grace %s: use 0s or more; the default is %s", o.Grace, defaultGrace)
			case sh.format == formatCSV:
				return errors.New("a worker tells of events: use --output table or json")
			}
			o.Lines, o.Alone = int(lines), true
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				o.Told = sh.worked(o.Grace)
				return a.Work(cmd.Context(), o)
			})
		},
	}
	lines.flag(cmd)
	cmd.Flags().DurationVar(&o.Grace, "grace", defaultGrace, "`duration` that calls under way have to end when it is stopped")
	return cmd
}

// worked tells of the events of a worker. What it has said of a line it does not
// say again.
func (sh *shell) worked(grace time.Duration) func(api.Worked) {
	said := map[string]string{}
	return func(w api.Worked) {
		if w.Event == "moved" {
			text := w.State + " " + w.Reason + " " + w.Problem
			if said[w.Line] == text {
				return
			}
			said[w.Line] = text
			if left[w.State] {
				delete(said, w.Line)
			}
		}
		if w.Event == "ran" && sh.format != formatJSON {
			text := w.Ran.Outcome + " " + w.Ran.Problem
			if said[w.Ran.Task] == text || said[w.Ran.Task] == "" && w.Ran.Outcome == "done" {
				return // that all is well is worth a word only if it was not
			}
			said[w.Ran.Task] = text
		}
		if sh.format == formatJSON {
			enc := json.NewEncoder(sh.out)
			enc.SetEscapeHTML(false)
			enc.Encode(w) //nolint:errcheck // the ledger has it
			return
		}
		fmt.Fprintf(sh.out, "%s  %s\n", when(w.At), sh.workedSays(w, grace))
	}
}

// workedSays is an event of a worker for people.
func (sh *shell) workedSays(w api.Worked, grace time.Duration) string {
	n := count(len(w.UnderWay), "line is", "lines are") + " still under way"
	which := strings.Join(w.UnderWay, " ")
	switch {
	case w.Event == "started":
		return "working on " + sh.ledger + "; Ctrl-C stops it"
	case w.Event == "stopping" && which == "":
		return "stopping: nothing more is armed"
	case w.Event == "stopping":
		return fmt.Sprintf("stopping: nothing more is armed; %s, for %s at most: %s", n, grace, which)
	case w.Event == "stopped" && which == "":
		return "stopped: nothing is under way"
	case w.Event == "stopped":
		return fmt.Sprintf("stopped: %s, and the next worker looks: %s", n, which)
	}
	why := w.Reason
	switch w.Event {
	case "ran":
		if why = w.Ran.Problem; why != "" {
			why = ": " + why
		}
		return fmt.Sprintf("%-10s task %s%s", strings.ReplaceAll(w.Ran.Outcome, "_", " "), w.Ran.Task, why)
	case "begun":
		return "begun      plan " + w.Plan + ", as it was scheduled"
	case "refused":
		return "refused    plan " + w.Plan + ": " + why
	}
	if w.Problem != "" {
		why = w.Problem
	}
	if why != "" {
		why = "  (" + why + ")"
	}
	return fmt.Sprintf("%-10s line %s of plan %s%s", w.State, w.Line, w.Plan, why)
}

// left are the states from which no line moves on.
var left = map[string]bool{"purchased": true, "failed": true, "canceled": true, "expired": true, "superseded": true}

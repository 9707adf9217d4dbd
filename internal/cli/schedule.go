package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
)

func (sh *shell) run() *cobra.Command {
	return &cobra.Command{
		Use:   "run TASK",
		Short: "Run a task of the schedules once, by hand or from cron",
		Long: `Runs a task once, due or not, and prints one line of JSON: the task, when it started,
how long it took, its outcome and what it has counted. Workers run the tasks by
themselves; without a worker, cron or a Kubernetes CronJob may.

  plans            begin the plans whose time has come and buy what was begun
  resolve          look up what is in doubt, and raise what is overdue
  audit            follow what was bought and compare the books of lanes, where due
  inventory        compare all that the clouds list with the ledger
  expire           end what was not sent before its approval was over
  outbox           tell people what has happened and what is about to: see bursar notify
  recommendations  tell Google what was bought of its advice: see docs/recommend.md
  propose          make the plans of the configured policies; propose:NAME of one

Exit codes: 0 done, 1 error, 2 needs a person, 3 an outcome is not known yet.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name one task: plans, resolve, audit, inventory, expire, outbox, recommendations or propose")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				r, err := a.RunTask(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				enc := json.NewEncoder(sh.out)
				enc.SetEscapeHTML(false)
				if err := enc.Encode(r); err != nil {
					return err
				}
				return ranVerdict(r)
			})
		},
	}
}

// ranVerdict is the exit code of a task.
func ranVerdict(r api.Ran) error {
	switch r.Outcome {
	case "done":
		return nil
	case "decision":
		if strings.HasPrefix(r.Task, "propose") {
			return &exit{ExitDecision, "a plan waits for approval: see bursar plan list"}
		}
		return &exit{ExitDecision, r.Task + " leaves something for a person: see bursar history, bursar audit and bursar inventory"}
	case "in_doubt":
		return &exit{ExitInDoubt, count(r.Counts["in_doubt"], "line is", "lines are") + " in doubt: it is not known yet whether they were bought"}
	}
	return &exit{ExitError, r.Problem}
}

func (sh *shell) schedule() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "What is done at its time: tasks, and plans that begin later",
		Args:  nothing,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.scheduleList(), sh.schedulePlan(), sh.scheduleCancel())
	return cmd
}

func (sh *shell) scheduleList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the tasks with their cadence and last outcome, and the scheduled plans",
		Long: `Lists the tasks that workers run, how often (schedules in bursar.yaml), when next, and
what came of the last time; and the plans that are begun at a time.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				s, err := a.Schedules(cmd.Context())
				if err != nil {
					return err
				}
				return sh.showSchedules(s)
			})
		},
	}
}

func (sh *shell) showSchedules(s api.Schedules) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, s)
	case formatCSV:
		rows := [][]string{}
		for _, t := range s.Tasks {
			rows = append(rows, []string{"task", t.Task, t.Every, stamp(t.NextAt), stamp(t.LastAt), t.Took, t.Outcome, t.Detail, t.RunBy})
		}
		for _, p := range s.Plans {
			rows = append(rows, []string{"plan", p.ID, p.Plan, stamp(&p.At), stamp(p.EndedAt), "", p.State, p.Detail, p.By})
		}
		return writeCSV(sh.out, []string{"kind", "name", "every or plan", "next", "last", "took", "outcome", "detail", "by"}, rows)
	}
	g := &grid{head: []string{"task", "every", "next", "last", "took", "outcome", "detail"}}
	for _, t := range s.Tasks {
		next := sometime(t.NextAt)
		if t.RunBy != "" {
			next = "run now by " + t.RunBy
		}
		g.add(t.Task, t.Every, next, sometime(t.LastAt), t.Took, strings.ReplaceAll(t.Outcome, "_", " "), t.Detail)
	}
	g.print(sh.out)
	if len(s.Plans) == 0 {
		fmt.Fprintln(sh.out, "\nNo plan is scheduled.")
		return nil
	}
	fmt.Fprintln(sh.out)
	g = &grid{head: []string{"schedule", "plan", "at", "by", "state", "detail"}}
	for _, p := range s.Plans {
		detail := p.Detail
		if p.EndedBy != "" {
			detail = "by " + p.EndedBy
		}
		g.add(p.ID, p.Plan, when(p.At), p.By, p.State, detail)
	}
	g.print(sh.out)
	return nil
}

func sometime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return when(*t)
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (sh *shell) schedulePlan() *cobra.Command {
	var at, by string
	cmd := &cobra.Command{
		Use:   "plan PLAN --at TIME",
		Short: "Have an approved plan begun at a time",
		Long: `Has an approved plan begun at a time, for which its approval must stand. A worker
begins it then, or whoever runs bursar run plans. Before that it may be called off
with bursar schedule cancel.`,
		Args: oneID("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := time.Parse(time.RFC3339, at)
			if err != nil {
				return fmt.Errorf("--at %q: use a time with its zone, such as 2026-12-01T09:00:00Z", at)
			}
			return sh.with(cmd.Context(), func(a api.Service) error {
				s, err := a.SchedulePlan(cmd.Context(), args[0], t, by)
				if err != nil {
					return err
				}
				return sh.showPlanSchedule(s, fmt.Sprintf("Scheduled plan %s for %s. To call it off: bursar schedule cancel %s\n", s.Plan, when(s.At), s.ID))
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "`time` to begin, such as 2026-12-01T09:00:00Z")
	cmd.Flags().StringVar(&by, "as", "", "`name` of the person who schedules it; default is the user's")
	return cmd
}

func (sh *shell) scheduleCancel() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "cancel SCHEDULE",
		Short: "Call off a plan that waits for its time",
		Args:  oneID("SCHEDULE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				s, err := a.CancelSchedule(cmd.Context(), args[0], by)
				if err != nil {
					return err
				}
				return sh.showPlanSchedule(s, fmt.Sprintf("Canceled: plan %s is not begun on %s. It stays approved.\n", s.Plan, when(s.At)))
			})
		},
	}
	cmd.Flags().StringVar(&by, "as", "", "`name` of the person who calls it off; default is the user's")
	return cmd
}

func (sh *shell) showPlanSchedule(s api.PlanSchedule, says string) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, s)
	case formatCSV:
		return writeCSV(sh.out, []string{"schedule", "plan", "at", "by", "state"}, [][]string{{s.ID, s.Plan, stamp(&s.At), s.By, s.State}})
	}
	fmt.Fprint(sh.out, says)
	return nil
}

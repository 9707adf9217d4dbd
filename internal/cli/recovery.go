package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) recovery() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recovery",
		Short: "Make a ledger good that was restored, copied or moved",
		Long: `A ledger that was restored from a backup, failed over or copied may have forgotten
what it sent. Bursar holds it against what is outside of it (the intent journal, the
place where it lives, marks in the accounts that pay) whenever it starts, every
minute, and before every purchase.

A ledger that went back in time recovers: purchasing is off, approvals are void, and
every open line is looked for in its cloud by bursar reconcile, until everything that
may be lost must be visible. A person then finishes the recovery. A ledger that is
somewhere else, or without its journal, buys nothing until a person says what it is.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.recoveryStatus(), sh.recoveryStart(), sh.recoveryMoved(), sh.recoveryAdopt(), sh.recoveryExplain(), sh.recoveryFinish())
	return cmd
}

func word(cmd *cobra.Command, r *api.RecoveryRequest) {
	cmd.Flags().StringVar(&r.By, "by", "", "`name` of the person; default is the user's")
	cmd.Flags().StringVar(&r.Comment, "comment", "", "why; needed")
}

func (sh *shell) recoveryStatus() *cobra.Command {
	var owners bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell whether the ledger is the one that it was, and what is open",
		Long: `Shows what the ledger is held against, and of a recovery what is still looked for
and until when. It asks no cloud, unless with --owners it asks the accounts who buys
there. Exit code 2 means that a person has to say or to finish something.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				r, err := a.RecoveryStatus(cmd.Context(), owners)
				if err != nil {
					return err
				}
				if err := sh.showRecovery(r); err != nil {
					return err
				}
				return recoveryVerdict(r)
			})
		},
	}
	cmd.Flags().BoolVar(&owners, "owners", false, "ask the accounts who buys there")
	return cmd
}

func recoveryVerdict(r api.Recovery) error {
	switch r.State {
	case "recovery":
		return &exit{ExitDecision, "the ledger is in recovery, and nothing is bought: bursar reconcile looks for the lines, bursar recovery finish ends it"}
	case "refused":
		return &exit{ExitDecision, r.Refusal}
	}
	return nil
}

func (sh *shell) recoveryStart() *cobra.Command {
	var r api.RecoveryRequest
	var backup string
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Begin a recovery by hand",
		Long: `For whoever knows that the ledger was restored though no mark gave it away, and for
a copy that is to go on in the place of a ledger that is lost. Purchasing stops, all
approvals are void, and every open line is looked for.

--backup says when the backup was taken, as 2026-11-23T10:00:00Z; without it that is
the newest write of the ledger. What was bought in a lane without names since an hour
before is for a person to explain. A journal that is missing or damaged is begun anew.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if backup != "" {
				at, err := time.Parse(time.RFC3339, backup)
				if err != nil {
					return fmt.Errorf("--backup %q: use a time such as 2026-11-23T10:00:00Z", backup)
				}
				r.Backup = at.UTC()
			}
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				got, err := a.RecoveryStart(cmd.Context(), r)
				if err != nil {
					return err
				}
				return sh.showRecovery(got)
			})
		},
	}
	word(cmd, &r)
	cmd.Flags().StringVar(&backup, "backup", "", "`time` of the backup")
	return cmd
}

func (sh *shell) recoveryMoved() *cobra.Command {
	var r api.RecoveryRequest
	cmd := &cobra.Command{
		Use:   "moved",
		Short: "Say that the ledger was moved here, and that the old one is gone",
		Long: `For a ledger that was moved to another disk, host or environment and has not gone
back in time. The old one must never buy again: if it may, this one is a copy.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				moved, err := a.RecoveryMoved(cmd.Context(), r)
				if err != nil {
					return err
				}
				switch sh.format {
				case formatJSON:
					return writeJSON(sh.out, moved)
				case formatCSV:
					return writeCSV(sh.out, []string{"moved"}, [][]string{{strings.Join(moved, "; ")}})
				}
				fmt.Fprintf(sh.out, "Taken note: %s. Purchasing goes on.\n", strings.Join(moved, "; "))
				return nil
			})
		},
	}
	word(cmd, &r)
	return cmd
}

func (sh *shell) recoveryAdopt() *cobra.Command {
	var r api.RecoveryRequest
	var all bool
	cmd := &cobra.Command{
		Use:   "adopt ACCOUNT...",
		Short: "Take accounts over from another installation or copy",
		Long: `Writes this ledger into the owner mark of accounts, whoever had them. The other
installation, or the other copy of this ledger, buys nothing there from then on.`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return fmt.Errorf("--all takes every account, and %s is named too: use one of them", args[0])
			case !all && len(args) == 0:
				return fmt.Errorf("name the accounts, or take all of them with --all: bursar recovery status --owners shows whose they are")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				taken, err := a.RecoveryAdopt(cmd.Context(), args, r)
				if err != nil {
					return err
				}
				switch sh.format {
				case formatJSON:
					return writeJSON(sh.out, taken)
				case formatCSV:
					return writeCSV(sh.out, ownerHead, ownerRows(taken))
				}
				if len(taken) == 0 {
					fmt.Fprintln(sh.out, "Every account that keeps marks is this ledger's.")
				}
				for _, o := range taken {
					fmt.Fprintf(sh.out, "Account %s is this ledger's.\n", o.Account)
				}
				return nil
			})
		},
	}
	word(cmd, &r)
	cmd.Flags().BoolVar(&all, "all", false, "every account that is not this ledger's")
	return cmd
}

func (sh *shell) recoveryExplain() *cobra.Command {
	var r api.RecoveryRequest
	var ours, foreign bool
	cmd := &cobra.Command{
		Use:   "explain COMMITMENT --ours|--foreign",
		Short: "Say whose a commitment is that nothing explains",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return fmt.Errorf("name one commitment: bursar recovery status shows those that nothing explains")
			case ours == foreign:
				return fmt.Errorf("say whose it is, with --ours or with --foreign")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				l, err := a.RecoveryExplain(cmd.Context(), args[0], ours, r)
				if err != nil {
					return err
				}
				switch sh.format {
				case formatJSON:
					return writeJSON(sh.out, l)
				case formatCSV:
					return writeCSV(sh.out, lostHead, lostRows([]api.Lost{l}))
				}
				whose := "somebody else's"
				if ours {
					whose = "ours"
				}
				fmt.Fprintf(sh.out, "%s is %s.\nNext: bursar recovery finish\n", l.Commitment, whose)
				return nil
			})
		},
	}
	word(cmd, &r)
	cmd.Flags().BoolVar(&ours, "ours", false, "this installation bought it, in the time that was lost")
	cmd.Flags().BoolVar(&foreign, "foreign", false, "somebody else bought it")
	return cmd
}

func (sh *shell) recoveryFinish() *cobra.Command {
	var r api.RecoveryRequest
	cmd := &cobra.Command{
		Use:   "finish",
		Short: "End the recovery, if nothing is left to look for",
		Long: `Lists every lane once more and ends the recovery, unless a line is still looked
for, a lane cannot be listed, or a commitment is unexplained. What was listed under
names of lines that the ledger has lost is taken into the books on the way. Purchasing
goes on, of plans that are approved from then on. Exit code 2 means that something is
left.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error {
				got, done, err := a.RecoveryFinish(cmd.Context(), r)
				if err != nil {
					return err
				}
				if done && sh.format == formatTable {
					fmt.Fprintln(sh.out, "The recovery is finished. What was approved before is void: bursar plan continue PLAN makes a new version.")
					others := 0
					for _, o := range got.Owners {
						if o.State == "others" {
							others++
						}
					}
					if others > 0 {
						fmt.Fprintf(sh.out, "%s of the ledger as it was: bursar recovery adopt --all takes them over.\n", count(others, "account is still", "accounts are still"))
					}
					return nil
				}
				if err := sh.showRecovery(got); err != nil || done {
					return err
				}
				return &exit{ExitDecision, leftOf(got)}
			})
		},
	}
	word(cmd, &r)
	return cmd
}

// leftOf says what keeps a recovery from its end, and what to do.
func leftOf(r api.Recovery) string {
	looked, review := 0, 0
	for _, l := range r.Lines {
		if l.State == "recovery" {
			looked++
		} else {
			review++
		}
	}
	switch {
	case looked > 0:
		until := ""
		if r.Until != nil {
			until = " until about " + when(*r.Until)
		}
		return count(looked, "line is", "lines are") + " still looked for" + until + ": bursar reconcile"
	case len(r.Unlisted) > 0:
		return count(len(r.Unlisted), "lane", "lanes") + " could not be listed: see bursar doctor"
	case len(r.Findings) > 0:
		return count(len(r.Findings), "commitment is", "commitments are") + " unexplained: say whose with bursar recovery explain"
	case r.Until != nil:
		return "what was lost may still appear until " + when(*r.Until) + ": try again then"
	}
	return "something is left: see bursar recovery status"
}

var (
	ownerHead = []string{"state", "provider", "account", "detail"}
	lostHead  = []string{"provider", "account", "region", "service", "commitment", "says"}
)

func ownerRows(list []api.Owner) (rows [][]string) {
	for _, o := range list {
		rows = append(rows, []string{o.State, o.Provider, o.Account, o.Detail})
	}
	return rows
}

func lostRows(list []api.Lost) (rows [][]string) {
	for _, l := range list {
		rows = append(rows, []string{l.Provider, l.Account, l.Region, l.Service, l.Commitment, l.Says})
	}
	return rows
}

func (sh *shell) showRecovery(r api.Recovery) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, r)
	case formatCSV:
		var rows [][]string
		for _, m := range r.Marks {
			rows = append(rows, []string{"mark", m.State, m.Mark, m.Detail})
		}
		for _, l := range r.Lines {
			rows = append(rows, []string{"line", l.State, l.ID, l.Reason})
		}
		for _, f := range r.Findings {
			rows = append(rows, []string{"finding", "unexplained", f.Commitment, f.Says})
		}
		for _, f := range r.Regained {
			rows = append(rows, []string{"regained", "ok", f.Commitment, f.Says})
		}
		for _, o := range r.Owners {
			rows = append(rows, []string{"owner", o.State, o.Account, o.Detail})
		}
		return writeCSV(sh.out, []string{"what", "state", "id", "detail"}, rows)
	}
	switch r.State {
	case "ok":
		fmt.Fprintln(sh.out, "The ledger is the one that it was.")
	case "refused":
		fmt.Fprintln(sh.out, "The ledger may not be the one that it was, and buys nothing.")
	case "recovery":
		fmt.Fprintln(sh.out, "The ledger went back in time, and is in recovery: nothing is bought.")
		if r.Since != nil && r.Backup != nil {
			fmt.Fprintf(sh.out, "found     %s\nlost      what was written from about %s on\n", when(*r.Since), when(*r.Backup))
		}
		for i := len(r.Events) - 1; i >= 0; i-- {
			if e := r.Events[i]; e.Kind == "started" {
				fmt.Fprintf(sh.out, "because   %s\n", reasonOf(e))
				break
			}
		}
		if r.Until != nil {
			fmt.Fprintf(sh.out, "visible   everything that was lost, by about %s\n", when(*r.Until))
		}
	}
	show := func(title string, head []string, rows [][]string) {
		if len(rows) == 0 {
			return
		}
		fmt.Fprintf(sh.out, "\n%s\n", title)
		(&grid{head: head, rows: rows}).print(sh.out)
	}
	var marks, lines, events [][]string
	for _, m := range r.Marks {
		marks = append(marks, []string{m.State, m.Mark, m.Detail})
	}
	for _, l := range r.Lines {
		lines = append(lines, []string{l.State, l.ID, l.Account, l.Service, l.Reason})
	}
	for _, e := range r.Events {
		events = append(events, []string{when(e.At), e.Kind, e.By, reasonOf(e)})
	}
	show("Marks", []string{"state", "mark", "detail"}, marks)
	show("Accounts", ownerHead, ownerRows(r.Owners))
	show("Lines that are looked for, or wait for a person", []string{"state", "line", "account", "service", "reason"}, lines)
	show("Nothing explains", lostHead, lostRows(r.Findings))
	show("Taken into the books", lostHead, lostRows(r.Regained))
	for i, u := range r.Unlisted {
		if i == 0 {
			fmt.Fprintln(sh.out, "\nCould not be listed")
		}
		fmt.Fprintln(sh.out, u)
	}
	show("What was found and said", []string{"at", "what", "by", "detail"}, events)
	return nil
}

func reasonOf(e api.RecoveryEvent) string {
	if e.Comment == "" {
		return e.Detail
	}
	return e.Detail + " (" + e.Comment + ")"
}

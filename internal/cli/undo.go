package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bursar/internal/api"
)

func (sh *shell) undo() *cobra.Command {
	var r api.UndoRequest
	var yes bool
	cmd := &cobra.Command{
		Use:   "undo LINE",
		Short: "Give back what a line bought, where the cloud takes it back",
		Long: `Takes the next step to give back what a line bought: asks for it, approves it, sends
the one request, or looks what came of it. It is approved as a plan is: by as many
people, who type the total. What comes back to the budgets does so when the cloud
shows the commitment as returned. undo options tells what is possible and until
when; a line that is not bought yet is called off by cancel.

Exit code 2 means that somebody has to approve, 3 that it is not known yet what
came of it: run it again.`,
		Args: oneID("LINE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				o, err := a.UndoOptions(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				r.Line = o.Line.ID
				open := openUndo(o)
				if open != nil {
					r.Digest = open.Digest
				}
				possible := open != nil && open.State != "sent" || open == nil && o.Open && o.Way == "return" && (r.Again || len(o.Undos) == 0)
				if possible && !yes && !r.Reject {
					printUndo(sh.err, o)
					if err := sh.confirmUndo(cmd.Context(), o); err != nil {
						return err
					}
				}
				if o, err = a.Undo(cmd.Context(), r); err != nil {
					return err
				}
				if err := sh.showUndo(o); err != nil {
					return err
				}
				return undoExit(o)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.By, "as", "", "`name` of the person; default is the user's")
	f.StringVar(&r.Comment, "comment", "", "why")
	f.BoolVar(&r.Reject, "reject", false, "refuse what somebody asked for")
	f.BoolVar(&r.Again, "again", false, "ask anew although an earlier undo came to nothing")
	f.BoolVar(&yes, "yes", false, "do not ask for the total")
	cmd.AddCommand(sh.undoOptions())
	return cmd
}

func (sh *shell) undoOptions() *cobra.Command {
	return &cobra.Command{
		Use:   "options LINE",
		Short: "Tell what can be undone for a line, and until when",
		Args:  oneID("LINE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.with(cmd.Context(), func(a api.Service) error {
				o, err := a.UndoOptions(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return sh.showUndo(o)
			})
		},
	}
}

func openUndo(o api.UndoOptions) *api.Undo {
	if n := len(o.Undos); n > 0 {
		switch o.Undos[n-1].State {
		case "requested", "approved", "sent":
			return &o.Undos[n-1]
		}
	}
	return nil
}

// confirmUndo has the person type the total of what is given back.
func (sh *shell) confirmUndo(ctx context.Context, o api.UndoOptions) error {
	fmt.Fprintf(sh.err, "\nThis ends a commitment of %s and cannot be undone. Type that total to go on, anything else to stop: ", o.Freed)
	text, err := readLine(ctx, sh.in)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(sh.err)
		return &exit{ExitError, "stopped; nothing was decided"}
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	if strings.TrimSpace(text) == "" && errors.Is(err, io.EOF) {
		fmt.Fprintln(sh.err)
		return errors.New("nobody typed the total; nothing was decided (in a script, use --yes)")
	}
	if !sameTotal(text, *o.Freed) {
		return errors.New("that is not the total; nothing was decided")
	}
	return nil
}

func (sh *shell) showUndo(o api.UndoOptions) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, o)
	case formatCSV:
		rows := make([][]string, len(o.Undos))
		for i, u := range o.Undos {
			rows[i] = []string{u.ID, u.Line, u.Commitment, u.State, u.Requester, when(u.RequestedAt), when(u.Until), when(u.UpdatedAt), u.Detail}
		}
		return writeCSV(sh.out, []string{"undo", "line", "commitment", "state", "requester", "requested", "until", "updated", "detail"}, rows)
	}
	printUndo(sh.out, o)
	return nil
}

// printUndo tells what can be undone, and what was.
func printUndo(w io.Writer, o api.UndoOptions) {
	fmt.Fprintf(w, "Line %s: %s, %s, account %s, %s\n", o.Line.ID, o.Line.Wanted(), api.Terms(o.Line.TermMonths, o.Line.Payment), o.Line.Account, o.Line.State)
	switch {
	case o.Way == "cancel":
		fmt.Fprintf(w, "not bought: bursar cancel %s calls it off", o.Line.ID)
		if o.Until != nil {
			fmt.Fprintf(w, "; its order can be deleted until %s", when(*o.Until))
		}
		fmt.Fprintln(w)
	case o.Open:
		fmt.Fprintf(w, "can be given back until %s\n", when(*o.Until))
	default:
		fmt.Fprintf(w, "cannot be given back: %s\n", o.Why)
	}
	if o.Way == "return" {
		if o.Line.Receipt != nil && o.State != "" {
			fmt.Fprintf(w, "commitment %s is %s\n", o.Line.Receipt.Commitment, o.State)
		}
		if o.Open {
			of := " upfront"
			if o.PoolLimit != nil {
				of = " now"
			}
			fmt.Fprintf(w, "pays back  %s%s, and ends a commitment of %s\n", o.Back, of, o.Freed)
		}
		if o.Most > 0 {
			fmt.Fprintf(w, "this year  %d of %d returns used, as far as this account shows\n", o.Used, o.Most)
		}
		if o.PoolLimit != nil {
			fmt.Fprintf(w, "pool       %s of %s used in 12 months\n", o.PoolUsed, o.PoolLimit)
		}
		fmt.Fprintf(w, "rule       %s\n", o.Rule)
	}
	for _, u := range o.Undos {
		fmt.Fprintf(w, "\nundo %s: %s", u.ID, u.State)
		if u.Detail != "" {
			fmt.Fprintf(w, ", %s", u.Detail)
		}
		fmt.Fprintf(w, "\nasked for by %s on %s, %d of %d approvals, %s\n", u.Requester, when(u.RequestedAt), u.Approvals.Given, u.Approvals.Needed, count(u.Tries, "request", "requests"))
		for _, d := range u.Decisions {
			verb := "rejected"
			if d.Approve {
				verb = "approved"
			}
			fmt.Fprintf(w, "%s by %s on %s\n", verb, d.By, when(d.At))
		}
	}
}

// undoExit is how a step of an undo ends.
func undoExit(o api.UndoOptions) error {
	if len(o.Undos) == 0 {
		return nil
	}
	u := o.Undos[len(o.Undos)-1]
	switch u.State {
	case "requested":
		return &exit{ExitDecision, fmt.Sprintf("%d of %d people have approved: somebody else runs bursar undo %s", u.Approvals.Given, u.Approvals.Needed, o.Line.ID)}
	case "sent":
		return &exit{ExitInDoubt, "what came of it is looked up by bursar undo " + o.Line.ID + ", bursar audit or bursar reconcile"}
	case "approved":
		return &exit{ExitError, "nothing was given back: " + u.Detail + "; try again with: bursar undo " + o.Line.ID}
	case "refused", "kept", "expired":
		return &exit{ExitError, "nothing was given back: " + u.Detail + "; ask anew with: bursar undo " + o.Line.ID + " --again"}
	}
	return nil
}

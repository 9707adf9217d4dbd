package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
	"bursar/internal/money"
)

// decision holds the flags of approve and reject.
type decision struct {
	by, comment, digest string
	yes                 bool
	valid               time.Duration
}

func (sh *shell) approve() *cobra.Command {
	var d decision
	cmd := &cobra.Command{
		Use:   "approve PLAN",
		Short: "Approve a plan by its digest; asks for the total to be typed",
		Args:  oneID("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error { return sh.decide(cmd, a, args[0], true, d) })
		},
	}
	f := cmd.Flags()
	f.BoolVar(&d.yes, "yes", false, "do not ask for the total")
	f.DurationVar(&d.valid, "valid", app.DefaultApproval, "how long the approval stands")
	d.flags(cmd)
	return cmd
}

func (sh *shell) reject() *cobra.Command {
	var d decision
	cmd := &cobra.Command{
		Use:   "reject PLAN",
		Short: "Reject a plan; its lines are never bought",
		Args:  oneID("PLAN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withApp(cmd.Context(), func(a *app.App) error { return sh.decide(cmd, a, args[0], false, d) })
		},
	}
	d.flags(cmd)
	return cmd
}

func (d *decision) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&d.by, "as", "", "`name` of the person who decides; default is the user's")
	f.StringVar(&d.comment, "comment", "", "why")
	f.StringVar(&d.digest, "digest", "", "decide only if the plan's digest begins with `this`")
}

// decide shows the plan and binds the decision to the digest that was shown.
func (sh *shell) decide(cmd *cobra.Command, a *app.App, id string, approve bool, d decision) error {
	p, err := a.Plan(cmd.Context(), id)
	if err != nil {
		return err
	}
	if d.digest != "" && !digestMatches(p.Digest, d.digest) {
		return fmt.Errorf("plan %s has the digest %s, not %s: nothing was decided", p.ID, masked(p.Digest), d.digest)
	}
	if approve && !d.yes {
		if p.State != "proposed" {
			return fmt.Errorf("plan %s is %s already", p.ID, p.State)
		}
		printPlan(sh.err, p)
		if err := sh.confirmTotal(p); err != nil {
			return err
		}
	}
	p, err = a.Decide(cmd.Context(), api.Decision{
		Plan: p.ID, Digest: p.Digest, By: d.by, Approve: approve, Comment: d.comment,
	}, d.valid)
	if err != nil {
		return err
	}
	switch {
	case sh.format == formatJSON:
		return writeJSON(sh.out, p)
	case sh.format == formatCSV:
		return linesCSV(sh.out, p.Lines)
	case approve:
		fmt.Fprintf(sh.out, "Approved %s: %d lines, %s, digest %s, until %s.\nNext: bursar apply %s\n",
			p.ID, len(p.Lines), p.Total.Total, masked(p.Digest), when(*p.ApprovalExpires), p.ID)
	default:
		fmt.Fprintf(sh.out, "Rejected %s; nothing of it will be bought.\n", p.ID)
	}
	return nil
}

func digestMatches(digest, prefix string) bool {
	prefix = strings.TrimPrefix(strings.ToLower(prefix), "sha256:")
	return len(prefix) >= 6 && strings.HasPrefix(strings.TrimPrefix(digest, "sha256:"), prefix)
}

// confirmTotal has the person type the total of the plan.
func (sh *shell) confirmTotal(p api.Plan) error {
	fmt.Fprintf(sh.err, "\nThis binds %s. Type the total to approve, anything else to stop: ", p.Total.Total)
	text, err := bufio.NewReader(sh.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(text) == "" && errors.Is(err, io.EOF) {
		fmt.Fprintln(sh.err)
		return errors.New("nobody typed the total; nothing was approved (in a script, use --yes)")
	}
	if !sameTotal(text, p.Total.Total) {
		return errors.New("that is not the total; nothing was approved")
	}
	return nil
}

// sameTotal compares what was typed with the total: grouping, currency and
// trailing zeros do not matter, the number does.
func sameTotal(typed string, total money.Amount) bool {
	typed = strings.ToUpper(strings.TrimSpace(typed))
	typed = strings.TrimSpace(strings.Replace(typed, total.Currency(), "", 1))
	got, err := money.Parse(strings.ReplaceAll(typed, ",", ""), total.Currency())
	return err == nil && got.Equal(total)
}

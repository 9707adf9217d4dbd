package cli

import (
	"bufio"
	"context"
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
			return sh.with(cmd.Context(), func(a api.Service) error { return sh.decide(cmd, a, args[0], true, d) })
		},
	}
	f := cmd.Flags()
	f.BoolVar(&d.yes, "yes", false, "do not ask for the total")
	f.DurationVar(&d.valid, "valid", app.DefaultApproval, "`duration` that the approval stands for")
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
			return sh.with(cmd.Context(), func(a api.Service) error { return sh.decide(cmd, a, args[0], false, d) })
		},
	}
	d.flags(cmd)
	return cmd
}

func (d *decision) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&d.by, "as", "", "`name` of the person who decides; default is the user's")
	f.StringVar(&d.comment, "comment", "", "why")
	f.StringVar(&d.digest, "digest", "", "decide only if the plan's digest begins with this `prefix`")
}

// decide shows the plan and binds the decision to the digest that was shown.
func (sh *shell) decide(cmd *cobra.Command, a api.Service, id string, approve bool, d decision) error {
	p, err := a.Plan(cmd.Context(), id)
	if err != nil {
		return err
	}
	if n := len(hexDigits(d.digest)); d.digest != "" && n < 6 {
		return fmt.Errorf("--digest %s is too short to tell plans apart: give at least 6 characters of it; nothing was decided", d.digest)
	}
	if d.digest != "" && !strings.HasPrefix(hexDigits(p.Digest), hexDigits(d.digest)) {
		return fmt.Errorf("plan %s has the digest %s, not %s: nothing was decided", p.ID, masked(p.Digest), d.digest)
	}
	if approve && !d.yes {
		if p.State != "proposed" {
			return fmt.Errorf("plan %s is %s already: see bursar plan show %s", p.ID, p.State, p.ID)
		}
		printPlan(sh.err, p)
		if err := sh.confirmTotal(cmd.Context(), p); err != nil {
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
		return api.LinesCSV(sh.out, p.Lines)
	case approve && p.State == "proposed":
		fmt.Fprintf(sh.out, "%s has %d of %d approvals; nothing of it is bought before it has all.\n", p.ID, p.Approvals.Given, p.Approvals.Needed)
	case approve:
		fmt.Fprintf(sh.out, "Approved %s: %s, %s, digest %s, until %s.\nNext: bursar apply %s\n",
			p.ID, count(len(p.Lines), "line", "lines"), p.Total.Total, masked(p.Digest), when(*p.ApprovalExpires), p.ID)
	default:
		fmt.Fprintf(sh.out, "Rejected %s; nothing of it will be bought.\n", p.ID)
	}
	return nil
}

// hexDigits is a digest, or its beginning, without the name of its method.
func hexDigits(digest string) string {
	return strings.TrimPrefix(strings.ToLower(digest), "sha256:")
}

// confirmTotal has the person type the total of the plan.
func (sh *shell) confirmTotal(ctx context.Context, p api.Plan) error {
	fmt.Fprintf(sh.err, "\nThis binds %s. Type the total to approve, anything else to stop: ", p.Total.Total)
	text, err := readLine(ctx, sh.in)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(sh.err)
		return &exit{ExitError, "stopped; nothing was approved"}
	case err != nil && !errors.Is(err, io.EOF):
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

// readLine reads one line, and does not wait for it once ctx has ended.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(r).ReadString('\n')
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// sameTotal compares what was typed with the total: grouping, currency and
// trailing zeros do not matter, the number does.
func sameTotal(typed string, total money.Amount) bool {
	typed = strings.ToUpper(strings.TrimSpace(typed))
	typed = strings.TrimSpace(strings.Replace(typed, total.Currency(), "", 1))
	got, err := money.Parse(strings.ReplaceAll(typed, ",", ""), total.Currency())
	return err == nil && got.Equal(total)
}

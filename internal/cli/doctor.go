package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) doctor() *cobra.Command {
	var f app.DoctorFilter
	var iam, measure bool
	var lab app.CalibrateOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what would make a purchase fail, and buy nothing",
		Long: `Checks the configuration and the ledger, and then asks the clouds, for each
account, region and service: whose the credentials are, whether the clock of this
machine is right, whether every permission that a purchase needs is there, and how
much of the quota is left. A permission to buy is asked for by a dry run or, where
there is none, by a request for an offering that cannot exist; Google is asked which
permissions the credentials have.

With --iam it asks no cloud and prints, as JSON, the least that Bursar has to be
allowed in each account: of AWS the policy of the role or of the base credentials, and
where there is a role, the policy that lets it be assumed and its trust policy; of
Azure the definition of a custom role for the subscription; of Google Cloud the custom
roles for a project and its billing account.

With --calibrate it measures, in one account, what the cloud does not publish: how
late listings are, how old a signature may be, how long a client token is
remembered. It costs nothing: each order is queued two years ahead and deleted, and
what a run leaves, the next one deletes first. Do not run it while plans are
executed in the account. The ledger keeps the results, and purchases go by them.

Exit code 1 means that a purchase would fail somewhere.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case iam && measure:
				return errors.New("--iam and --calibrate are two things: use one of them")
			case !measure && (lab.Clean || cmd.Flags().Changed("cycles")):
				return errors.New("--cycles and --clean belong to --calibrate")
			case lab.Cycles < 1 || lab.Cycles > 200:
				return fmt.Errorf("--cycles %d: use 1 to 200", lab.Cycles)
			}
			if measure {
				lab.Account, lab.Region = f.Account, f.Region
				return sh.withApp(cmd.Context(), func(a *app.App) error { return sh.calibrate(cmd.Context(), a, lab) })
			}
			if iam {
				list, err := app.Policies(cmd.Context(), sh.options(), f)
				if err != nil {
					return err
				}
				return writeJSON(sh.out, list)
			}
			d, err := app.Doctor(cmd.Context(), sh.options(), f)
			if err != nil {
				return err
			}
			if err := sh.showDoctor(d); err != nil {
				return err
			}
			if d.OK {
				return nil
			}
			failed := 0
			for _, l := range d.Lines {
				if l.State == "failed" {
					failed++
				}
			}
			return &exit{ExitError, fmt.Sprintf("%d of %d checked would fail: see what to do above", failed, len(d.Lines))}
		},
	}
	cmd.Flags().BoolVar(&iam, "iam", false, "print the policies that Bursar needs, as JSON")
	cmd.Flags().BoolVar(&measure, "calibrate", false, "measure one account with orders that cost nothing")
	cmd.Flags().IntVar(&lab.Cycles, "cycles", 20, "with --calibrate, the `number` of orders that are placed and deleted to see when they show")
	cmd.Flags().BoolVar(&lab.Clean, "clean", false, "with --calibrate, only delete what experiments have left")
	cmd.Flags().StringVar(&f.Account, "account", "", "only this `account`")
	cmd.Flags().StringVar(&f.Region, "region", "", "only this `region`")
	cmd.Flags().StringVar(&f.Service, "service", "", "only this `service`, such as rds or ec2")
	return cmd
}

func (sh *shell) showDoctor(d api.Doctor) error {
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, d)
	case formatCSV:
		rows := make([][]string, len(d.Lines))
		for i, l := range d.Lines {
			rows[i] = []string{l.State, l.Subject, l.Provider, l.Account, l.Region, l.Service, l.Detail, l.Next}
		}
		return writeCSV(sh.out, []string{"state", "subject", "provider", "account", "region", "service", "detail", "next"}, rows)
	}
	g := &grid{head: []string{"state", "account", "region", "service", "detail", "next"}}
	for _, l := range d.Lines {
		what := l.Service
		if l.Subject != "service" {
			what = l.Subject
		}
		g.add(l.State, l.Account, l.Region, what, l.Detail, l.Next)
	}
	g.print(sh.out)
	return nil
}

// calibrate measures an account. Of a real one, a person types the id first.
func (sh *shell) calibrate(ctx context.Context, a *app.App, o app.CalibrateOptions) error {
	plan, err := a.CalibrationPlan(ctx, o)
	if err != nil {
		return err
	}
	if !plan.Simulated {
		if err := sh.confirmAccount(ctx, plan, o); err != nil {
			return err
		}
	}
	results := []api.Calibration{}
	g := &grid{head: []string{"result", "service", "value", "holds", "detail"}}
	err = a.Calibrate(ctx, o, func(c api.Calibration) {
		results = append(results, c)
		holds := map[bool]string{true: "yes", false: "no"}[c.Holds]
		if c.Skipped {
			holds = "not measured"
		}
		g.add(c.Name, c.Service, c.Value, holds, c.Detail)
	})
	switch {
	case sh.format == formatJSON:
		return errors.Join(writeJSON(sh.out, results), err)
	case sh.format == formatCSV:
		return errors.Join(writeCSV(sh.out, g.head, g.rows), err)
	case len(g.rows) > 0:
		g.print(sh.out)
	}
	if err == nil && o.Clean {
		fmt.Fprintf(sh.out, "Nothing of an experiment is left in account %s.\n", plan.Account)
	}
	return err
}

// confirmAccount says what is going to happen and has a person type the account.
func (sh *shell) confirmAccount(ctx context.Context, p api.CalibrationPlan, o app.CalibrateOptions) error {
	name := p.Account
	if p.Name != "" {
		name += " (" + p.Name + ")"
	}
	fmt.Fprintf(sh.err, "In account %s, region %s:\n", name, p.Region)
	if p.Left > 0 {
		fmt.Fprintf(sh.err, "  %s of earlier runs are looked for and deleted\n", count(p.Left, "order", "orders"))
	}
	if !o.Clean {
		fmt.Fprintf(sh.err, `  every service is asked to buy an offering that does not exist, with older and older signatures
  about %d reserved instances of the cheapest kind are queued two years ahead, some 30 days ahead, and deleted
  one Savings Plan of 0.001 per hour is queued two years ahead, asked for again for up to 7 days, and deleted
Nothing of it costs anything, unless an order is left for two years.
`, p.Cycles+30)
	}
	fmt.Fprint(sh.err, "Type the account id to go on, anything else to stop: ")
	text, err := readLine(ctx, sh.in)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(sh.err)
		return &exit{ExitError, "stopped; nothing was ordered"}
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case strings.TrimSpace(text) != p.Account:
		fmt.Fprintln(sh.err)
		return errors.New("that is not the account id; nothing was ordered")
	}
	return nil
}

func (sh *shell) accounts() *cobra.Command {
	return &cobra.Command{
		Use:   "accounts",
		Short: "List the accounts of the organization and which of them are configured",
		Long: `Lists the accounts of the organization of AWS, asked with the first configured
account that may, the subscriptions that the credentials of Azure see, and the
projects of Google Cloud that the credentials of the first project see, and prints
what the configuration needs to name those that it does not name. It adds none: money
only moves in accounts that the configuration names with live: true.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := app.Members(cmd.Context(), sh.options())
			if err != nil {
				return err
			}
			return sh.showMembers(list)
		},
	}
}

func (sh *shell) showMembers(list []api.Member) error {
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	switch sh.format {
	case formatJSON:
		return writeJSON(sh.out, list)
	case formatCSV:
		rows := make([][]string, len(list))
		for i, m := range list {
			rows[i] = []string{m.Provider, m.Account, m.Name, m.Status, yes(m.Configured), yes(m.Live)}
		}
		return writeCSV(sh.out, []string{"provider", "account", "name", "status", "configured", "live"}, rows)
	}
	g := &grid{head: []string{"account", "name", "status", "configured", "live"}}
	var add strings.Builder
	for _, m := range list {
		g.add(m.Account, m.Name, m.Status, yes(m.Configured), yes(m.Live))
		add.WriteString(m.Add)
	}
	g.print(sh.out)
	if add.Len() > 0 {
		fmt.Fprintf(sh.out, "\nTo name more of them in the configuration:\n\naccounts:\n%s", add.String())
	}
	return nil
}

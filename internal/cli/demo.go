package cli

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
	"bursar/internal/money"
)

//go:embed demo.yaml
var demoPlan []byte

func (sh *shell) demo() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Rehearse: a plan bought on simulated clouds that misbehave, and the books compared",
		Long: `Buys a plan of 12 lines on simulated clouds, through the same wire protocol as on
real ones, while replies are lost, requests vanish, the cloud answers 500 after it
has bought, and the worker is killed in the middle of two purchases. Then the
ledger is compared with what the clouds really sold. Needs no account, spends no
money, leaves nothing behind.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp("", "bursar-demo-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
			r, err := app.Rehearse(cmd.Context(), dir)
			if err != nil {
				return err
			}
			defer r.Close() //nolint:errcheck // simulated
			if err := sh.rehearse(cmd.Context(), r, dir); err != nil {
				return err
			}
			if !once {
				fmt.Fprintf(sh.out, "\nThe simulated clouds stay up. In another shell:\n\n  export BURSAR_LEDGER=%s BURSAR_ENDPOINT=%s\n"+
					"  bursar history\n  bursar inventory\n  curl %s/_sim/requests\n\nCtrl-C ends the demo and removes it all (demo --once ends by itself).\n", r.Ledger, r.URL, r.URL)
				<-cmd.Context().Done()
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the verdict")
	return cmd
}

// rehearse is the demo from plan to verdict.
func (sh *shell) rehearse(ctx context.Context, r *app.Rehearsal, dir string) error {
	a, err := r.Open(ctx)
	if err != nil {
		return err
	}
	defer a.Close() //nolint:errcheck // simulated

	sh.step("1. Plan", "12 lines in 2 accounts and 2 regions, priced by the simulated clouds and frozen")
	file := filepath.Join(dir, "demo.yaml")
	if err := os.WriteFile(file, demoPlan, 0o600); err != nil {
		return err
	}
	created, err := a.CreatePlan(ctx, api.PlanRequest{File: file, Requester: "ada"})
	if err != nil {
		return err
	}
	p := created.Plan
	printPlan(sh.out, p)

	sh.step("2. Approve", "another person binds the approval to that digest")
	p, err = a.Decide(ctx, api.Decision{Plan: p.ID, Digest: p.Digest, By: "grace", Approve: true}, app.DefaultApproval)
	if err != nil {
		return err
	}
	fmt.Fprintf(sh.out, "approved by grace: %s, %s\n", p.Total.Total, masked(p.Digest))

	sh.step("3. Apply, and kill the worker", "a worker process buys two lines; the next two are bought, but their replies hang; kill -9")
	if err := sh.killedWorker(ctx, r, p.ID); err != nil {
		return err
	}

	sh.step("4. Apply again", "a new worker finds out what the dead one did, while the clouds misbehave")
	err = r.Cause(
		app.Trouble{Kind: "lose-reply", Times: 1}, app.Trouble{Kind: "error-after", Times: 1},
		app.Trouble{Kind: "lose-request", Times: 1}, app.Trouble{Kind: "torn-body", Times: 1},
		app.Trouble{Kind: "throttle", Times: 1},
	)
	if err != nil {
		return err
	}
	progress := sh.progress()
	p, err = a.Apply(ctx, p.ID, 20*time.Second, progress.moved)
	progress.end()
	if err != nil {
		return err
	}
	strikes := r.Faults()
	for _, kind := range slices.Sorted(maps.Keys(strikes)) {
		fmt.Fprintf(sh.out, "  %-13s %d  %s\n", kind, strikes[kind], strike[kind])
	}

	sh.step("5. Books", "the clock of the clouds jumps 15 minutes, so that everything is listed; then line by line")
	if err := r.Advance(15 * time.Minute); err != nil {
		return err
	}
	return sh.compare(ctx, r, a, p)
}

// strike says what each fault did.
var strike = map[string]string{
	"slow":         "bought; the reply hung until the worker was dead",
	"lose-reply":   "bought; the connection was cut before the reply",
	"error-after":  "bought; answered 500",
	"torn-body":    "bought; the reply broke off in the middle",
	"lose-request": "not bought; the connection was cut",
	"throttle":     "not bought; told to slow down",
}

func (sh *shell) step(title, says string) { fmt.Fprintf(sh.out, "\n== %s: %s\n\n", title, says) }

// killedWorker runs bursar apply as a process of its own and kills it while two
// purchases are bought and unanswered.
func (sh *shell) killedWorker(ctx context.Context, r *app.Rehearsal, plan string) error {
	if err := r.Cause(app.Trouble{Kind: "slow", Skip: 2, Times: 2, Hold: time.Minute}); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	worker := exec.CommandContext(ctx, self, "apply", plan, "--workers", "2", "--ledger", r.Ledger, "--endpoint", r.URL)
	worker.Env = append(os.Environ(), "BURSAR_CONFIG=")
	var said strings.Builder
	worker.Stdout, worker.Stderr = &said, &said
	if err := worker.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- worker.Wait() }()
	for {
		if _, _, held := r.Sent("slow"); held == 2 {
			break
		}
		select {
		case <-ended:
			return fmt.Errorf("the worker ended before it could be killed:\n%s", said.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := worker.Process.Kill(); err != nil {
		return err
	}
	<-ended
	fmt.Fprint(sh.out, said.String())
	_, applied, held := r.Sent("slow")
	fmt.Fprintf(sh.out, "killed worker %d: the clouds have sold %d, the worker knew of %d\n", worker.Process.Pid, applied, applied-held)
	return nil
}

// compare holds the ledger against the truth of the clouds, line by line, and
// ends in a verdict: an error unless they agree.
func (sh *shell) compare(ctx context.Context, r *app.Rehearsal, a *app.App, p api.Plan) error {
	owned, err := r.Truth()
	if err != nil {
		return err
	}
	p, err = a.Plan(ctx, p.ID)
	if err != nil {
		return err
	}
	books, err := tally(p, owned)
	if err != nil {
		return err
	}
	books.grid.print(sh.out)

	findings, err := a.Check(ctx)
	if err != nil {
		return err
	}
	broken := 0
	for _, f := range findings {
		if !f.OK {
			broken++
			fmt.Fprintf(sh.out, "BROKEN %s: %s\n", f.Name, strings.Join(f.Problems, "; "))
		}
	}
	inv, err := a.Inventory(ctx)
	if err != nil {
		return err
	}
	all, applied, _ := r.Sent("")
	fmt.Fprintf(sh.out, "\n%d spending requests reached the clouds, %d of them bound money; %d of %d lines bought; %d invariants hold, %d broken; inventory balanced: %t\n",
		all, applied, books.bought, len(p.Lines), len(findings)-broken, broken, inv.Balanced)
	verdict, agree := books.verdict()
	switch {
	case !agree:
		return errors.New(verdict)
	case broken > 0 || !inv.Balanced:
		return errors.New("VERDICT: ledger and clouds DO NOT agree: an invariant is broken or the inventory is not balanced, see above")
	}
	fmt.Fprintln(sh.out, verdict)
	return nil
}

// books is a plan held against what the clouds sold.
type books struct {
	grid          *grid
	lines, bought int
	double        int // lines that the clouds sold more than once
	lost          int // lines where ledger and clouds differ otherwise
	nobody        int // commitments that belong to no line
	ledger, truth money.Amount
}

// verdict is one line for people, and whether ledger and clouds agree.
func (b books) verdict() (string, bool) {
	if b.bought != b.lines || b.double+b.lost+b.nobody > 0 || !b.truth.Equal(b.ledger) {
		return fmt.Sprintf("VERDICT: ledger and clouds DO NOT agree: %d of %d bought, %d bought twice, %d lost, %d nobody's; ledger %s, clouds %s",
			b.bought, b.lines, b.double, b.lost, b.nobody, b.ledger, b.truth), false
	}
	return fmt.Sprintf("VERDICT: ledger and clouds agree: %d of %d lines bought exactly once, 0 twice, 0 lost, %s bound on both sides (simulated)",
		b.bought, b.lines, b.truth), true
}

// tally finds for each line of a plan what the clouds sold under its names.
func tally(p api.Plan, owned []app.Owned) (books, error) {
	currency := p.Total.Total.Currency()
	b := books{
		grid: &grid{head: []string{
			">#", "account", "region", "what", "ledger says", ">tries", "proven by", "cloud sold", ">" + currency, "agree",
		}},
		lines: len(p.Lines), ledger: p.Bound.Total, truth: money.Zero(currency),
	}
	left := slices.Clone(owned)
	for _, o := range owned {
		var err error
		if b.truth, err = b.truth.Add(o.Total); err != nil {
			return books{}, err
		}
	}
	total := column(p.Lines, func(l api.Line) money.Amount { return l.Price.Total })
	for _, l := range p.Lines {
		// Every name that a line ever gave to a cloud carries its id.
		name := "-" + strings.ToLower(l.ID) + "-"
		var copies []app.Owned
		left = slices.DeleteFunc(left, func(o app.Owned) bool {
			named := strings.Contains(o.ID, name)
			if named {
				copies = append(copies, o)
			}
			return named
		})
		agree, how, sold := "yes", "", strconv.Itoa(len(copies))+" times"
		if len(copies) == 1 {
			sold = "once, " + copies[0].State
		}
		recorded := l.Receipt != nil && l.State == "purchased"
		if recorded {
			how = l.Receipt.How
			b.bought++
		}
		switch {
		case len(copies) > 1:
			agree = "BOUGHT TWICE"
			b.double++
		case len(copies) == 1 && !recorded:
			agree = "LOST"
			b.lost++
		case recorded && (len(copies) == 0 || !same(l, copies[0])):
			agree = "NO"
			b.lost++
		}
		b.grid.add(strconv.Itoa(l.Number), l.Account, l.Region, wanted(l),
			l.State, strconv.Itoa(l.Attempts), how, sold, total(l), agree)
	}
	b.nobody = len(left)
	return b, nil
}

func same(l api.Line, o app.Owned) bool {
	return o.Account == l.Account && o.Region == l.Region && o.Offering == l.Offering && o.Quantity == l.Quantity && o.Total.Equal(l.Price.Total)
}

package cli

import (
	"context"
	_ "embed"
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
)

//go:embed demo.yaml
var demoPlan []byte

func (sh *shell) demo() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Rehearse: a plan bought on simulated clouds that misbehave, and the books compared",
		Long: `Buys a plan of 20 lines on three simulated clouds, AWS, Azure and Google Cloud,
through the same wire protocols as on real ones, while replies are lost, requests
vanish, a cloud answers 500 after it has bought, and the worker is killed in the
middle of two purchases. What is not known is shown until it is proven, and orders
are shown while they can still be deleted. Then the ledger is compared with what the
clouds really sold. Needs no account, spends no money, leaves nothing behind.`,
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

	sh.step("1. Plan", "20 lines on three clouds, priced by them, simulated, and frozen")
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

	sh.step("3. Apply, and kill the worker", "two purchases are made whose replies hang; kill -9")
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
	if p, err = sh.applyFor(ctx, a, p.ID, 6*time.Second); err != nil {
		return err
	}
	strikes := r.Faults()
	for _, kind := range slices.Sorted(maps.Keys(strikes)) {
		fmt.Fprintf(sh.out, "  %-13s %d  %s\n", kind, strikes[kind], strike[kind])
	}

	sh.step("5. What is open", "a lane without names is in quarantine, and orders wait: nothing of them is asked for again")
	open := openLines(p)
	open.print(sh.out)

	sh.step("6. Fifteen minutes later", "everything that was sent must be dead and visible: what was in doubt is proven, and orders can be deleted until they fire")
	if err := r.Advance(15 * time.Minute); err != nil {
		return err
	}
	if p, err = sh.settle(ctx, r, a, p.ID, time.Minute, waits); err != nil {
		return err
	}
	open = openLines(p)
	open.print(sh.out)

	sh.step("7. Hours later", "the orders have fired, and no token of Azure can buy any more")
	if err := r.Advance(3 * time.Hour); err != nil {
		return err
	}
	if p, err = sh.settle(ctx, r, a, p.ID, 10*time.Minute, nil); err != nil {
		return err
	}

	sh.step("8. Books", "the ledger and what the clouds have really sold, line by line")
	return sh.compare(ctx, r, a, p)
}

// applyFor works on a plan and shows how it goes on.
func (sh *shell) applyFor(ctx context.Context, a *app.App, plan string, patience time.Duration) (api.Plan, error) {
	progress := sh.progress()
	defer progress.end()
	return a.Apply(ctx, plan, "", patience, progress.moved)
}

// settle goes on with a plan, a step of simulated time after the other, until every
// line has ended, waits for a person, or is where it may stay.
func (sh *shell) settle(ctx context.Context, r *app.Rehearsal, a *app.App, plan string, step time.Duration, stays func(api.Line) bool) (api.Plan, error) {
	progress := sh.progress()
	defer progress.end()
	for range 40 {
		p, err := a.Apply(ctx, plan, "ada", 0, progress.moved)
		if err != nil || !slices.ContainsFunc(p.Lines, func(l api.Line) bool {
			return !ended(l) && (stays == nil || !stays(l))
		}) {
			return p, err
		}
		if err := r.Advance(step); err != nil {
			return p, err
		}
	}
	return a.Plan(ctx, plan)
}

// waits reports whether a line stays open for hours: an order that fires later, and
// one of Azure, whose requests live as long as a token.
func waits(l api.Line) bool { return l.State == "queued" || l.Provider == "azure" }

// ended reports whether nothing more happens to a line by itself.
func ended(l api.Line) bool {
	return !slices.Contains([]string{"ready", "armed", "queued"}, l.State)
}

// openLines are the lines whose end is not known yet, and why.
func openLines(p api.Plan) *grid {
	g := &grid{head: []string{">#", "account", "region", "what", "state", "why"}}
	for _, l := range p.Lines {
		if ended(l) {
			continue
		}
		state := l.State
		if state == "armed" {
			state = "in doubt"
		}
		g.add(strconv.Itoa(l.Number), l.Account, l.Region, l.Wanted(), state, l.Reason)
	}
	return g
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
// purchases are made and unanswered.
func (sh *shell) killedWorker(ctx context.Context, r *app.Rehearsal, plan string) error {
	err := r.Cause(app.Trouble{Kind: "lose-reply", Times: 1, Only: "redshift"},
		app.Trouble{Kind: "slow", Skip: 2, Times: 2, Hold: time.Minute})
	if err != nil {
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
	exited := make(chan error, 1)
	go func() { exited <- worker.Wait() }()
	for {
		if _, _, held := r.Sent("slow"); held == 2 {
			break
		}
		select {
		case <-exited:
			return fmt.Errorf("the worker ended before it could be killed:\n%s", said.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := worker.Process.Kill(); err != nil {
		return err
	}
	<-exited
	fmt.Fprint(sh.out, said.String())
	_, applied, held := r.Sent("slow")
	_, _, lost := r.Sent("lose-reply")
	fmt.Fprintf(sh.out, "killed worker %d: the clouds have sold %d, the worker knew of %d\n", worker.Process.Pid, applied, applied-held-lost)
	return nil
}

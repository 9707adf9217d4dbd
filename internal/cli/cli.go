// Package cli is the command line. Each command is one file; they speak the
// types of api and reach the rest only through app.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"bursar/internal/app"
)

// Exit codes of every command.
const (
	ExitDone     = 0
	ExitError    = 1
	ExitDecision = 2 // a person has to decide
	ExitInDoubt  = 3 // the outcome of a purchase is not known yet
)

// exit is an error that carries an exit code. With an empty message nothing is
// printed: the command has said it already.
type exit struct {
	code int
	says string
}

func (e *exit) Error() string { return e.says }

// shell is what commands share.
type shell struct {
	in       io.Reader
	out, err io.Writer
	ledger   string
	config   string
	endpoint string
	format   string
}

// Run executes one command line and returns its exit code. It touches no global
// state: a test may run many in one process.
func Run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	sh := &shell{in: in, out: out, err: errOut}
	root := sh.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitDone
	}
	var e *exit
	if !errors.As(err, &e) {
		e = &exit{ExitError, err.Error()}
	}
	if e.says != "" {
		fmt.Fprintf(errOut, "bursar: %s\n", e.says)
	}
	return e.code
}

func (sh *shell) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bursar",
		Short: "Buy cloud commitments at most once, and never lose track of one",
		Long: `Bursar buys cloud commitments at most once, otherwise holds them as in doubt
until proven. A plan is frozen, approved by its digest, executed, resolved and
kept in a ledger. Without a live account everything happens on simulated clouds.

  bursar demo --once                     watch a whole rehearsal
  bursar init                            create a ledger in this directory
  bursar plan create -f FILE             price what you would like to buy
  bursar approve PLAN                    look at it, then type its total
  bursar apply PLAN                      buy it; safe to run twice or to kill
  bursar history                         what happened
  bursar inventory                       what the clouds list, against the ledger

Exit codes: 0 done, 1 error, 2 needs a decision, 3 an outcome is not known yet.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(sh.in)
	root.SetOut(sh.out)
	root.SetErr(sh.err)
	f := root.PersistentFlags()
	f.StringVar(&sh.ledger, "ledger", env("BURSAR_LEDGER", "bursar.db"), "`file` of the ledger (BURSAR_LEDGER)")
	f.StringVar(&sh.config, "config", os.Getenv("BURSAR_CONFIG"), "configuration `file`; default bursar.yaml beside the ledger (BURSAR_CONFIG)")
	f.StringVar(&sh.endpoint, "endpoint", env("BURSAR_ENDPOINT", os.Getenv("AWS_ENDPOINT_URL")), "`address` of a running bursar sim (BURSAR_ENDPOINT, AWS_ENDPOINT_URL)")
	f.StringVarP(&sh.format, "output", "o", "table", "table, json or csv")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		switch sh.format {
		case formatTable, formatJSON, formatCSV:
			return nil
		}
		return fmt.Errorf("--output %q: use table, json or csv", sh.format)
	}
	root.AddCommand(sh.demo(), sh.initialize(), sh.sim(), sh.plan(), sh.approve(), sh.reject(), sh.apply(),
		sh.reconcile(), sh.history(), sh.inventory(), sh.check(), sh.version())
	return root
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func (sh *shell) options() app.Options {
	return app.Options{Ledger: sh.ledger, Config: sh.config, Endpoint: sh.endpoint}
}

// withApp runs fn on the opened ledger.
func (sh *shell) withApp(ctx context.Context, fn func(*app.App) error) error {
	a, err := app.Open(ctx, sh.options())
	if err != nil {
		return err
	}
	err = fn(a)
	if closing := a.Close(); err == nil {
		err = closing
	}
	return err
}

// Package cli is the command line. Each command is one file; they speak the
// types of api and reach the rest only through app.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	in        io.Reader
	out, err  io.Writer
	ledger    string
	config    string
	endpoint  string
	format    string
	server    string // address of a server that is asked instead of the ledger
	tokenFile string // file with the token for it
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
	switch {
	case errors.As(err, &e):
	case ctx.Err() != nil:
		e = &exit{ExitError, "stopped before it was done; run it again to go on"}
	default:
		e = &exit{ExitError, err.Error()}
	}
	if e.says != "" {
		fmt.Fprintf(errOut, "bursar: %s\n", strings.ReplaceAll(e.says, "\n", "; "))
	}
	return e.code
}

// nothing refuses arguments and helps with a mistyped command.
func nothing(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !cmd.HasAvailableSubCommands():
		return fmt.Errorf("%s takes no argument such as %q: see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	hint := "see " + cmd.CommandPath() + " --help"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("%s has no command %q: %s", cmd.CommandPath(), args[0], hint)
}

// flagError says what is wrong with a flag in words for people.
func flagError(cmd *cobra.Command, err error) error {
	help := "see " + cmd.CommandPath() + " --help"
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		kind := map[string]string{
			"int": "a whole number", "uint64": "a whole number from 0 up", "bool": "true or false",
			"duration": "a duration such as 30s, 5m or 72h",
		}[value.GetFlag().Value.Type()]
		return fmt.Errorf("--%s %q: use %s", value.GetFlag().Name, value.GetValue(), kind)
	case errors.As(err, &missing):
		return fmt.Errorf("%s needs a value: %s", dashed(missing.GetSpecifiedName()), help)
	case errors.As(err, &unknown):
		return fmt.Errorf("%s has no flag %s: %s", cmd.CommandPath(), dashed(unknown.GetSpecifiedName()), help)
	}
	return fmt.Errorf("%w: %s", err, help)
}

func dashed(flag string) string {
	if len(flag) == 1 {
		return "-" + flag
	}
	return "--" + flag
}

func init() { cobra.EnableCommandSorting = false } // the order of a purchase's life is easier to follow

func (sh *shell) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bursar",
		Short: "Buy cloud commitments at most once, and never lose track of one",
		Long: `Bursar buys cloud commitments at most once, otherwise holds them as in doubt
until proven. A plan is frozen, approved by its digest, executed, resolved and
kept in a ledger. Without a live account everything happens on simulated clouds.

  bursar demo --once                     watch a whole rehearsal
  bursar init                            create a ledger in this directory
  bursar doctor                          what would make a purchase fail
  bursar budget set NAME --cap AMOUNT    cap what may be approved
  bursar what-if --usage FILE            what commitments usage would carry
  bursar recommend                       what the clouds recommend to buy
  bursar plan create -f FILE             price what you would like to buy
  bursar approve PLAN                    look at it, then type its total
  bursar apply PLAN                      buy it; safe to run twice or to kill
  bursar worker                          buy what apply --detach has begun
  bursar serve                           the same, with an API and pages for people
  bursar resolve LINE                    decide about a line that needs a person
  bursar history                         what happened
  bursar inventory                       what the clouds list, against the ledger
  bursar audit                           follow what was bought to its end
  bursar stop                            stop all purchasing at once
  bursar recovery status                 is the ledger the one that it was

Exit codes: 0 done, 1 error, 2 needs a person, 3 an outcome is not known yet.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          nothing,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(sh.in)
	root.SetOut(sh.out)
	root.SetErr(sh.err)
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.StringVar(&sh.ledger, "ledger", env("BURSAR_LEDGER", "bursar.db"), "`file` of the ledger, or the postgres:// URL of its database (BURSAR_LEDGER)")
	f.Lookup("ledger").DefValue = "bursar.db" // that of the environment may hold a password
	f.StringVar(&sh.config, "config", os.Getenv("BURSAR_CONFIG"), "configuration `file`; default bursar.yaml beside the ledger, or here when that is no file (BURSAR_CONFIG)")
	f.StringVar(&sh.endpoint, "endpoint", env("BURSAR_ENDPOINT", os.Getenv("AWS_ENDPOINT_URL")), "`address` of a running bursar sim (BURSAR_ENDPOINT, AWS_ENDPOINT_URL)")
	f.StringVar(&sh.server, "server", os.Getenv("BURSAR_SERVER"), "`address` of a bursar serve to ask instead of the ledger (BURSAR_SERVER)")
	f.StringVar(&sh.tokenFile, "token-file", os.Getenv("BURSAR_TOKEN_FILE"), "`file` with the token for --server; BURSAR_TOKEN holds the token itself (BURSAR_TOKEN_FILE)")
	f.StringVarP(&sh.format, "output", "o", "table", "`format`: table, json or csv")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		switch sh.format {
		case formatTable, formatJSON, formatCSV:
			return sh.place(cmd)
		case formatFocus:
			if cmd.Name() == "history" {
				return sh.place(cmd)
			}
			return errors.New("--output focus: only bursar history has it")
		}
		return fmt.Errorf("--output %q: use table, json or csv", sh.format)
	}
	root.AddCommand(sh.demo(), sh.initialize(), sh.budget(), sh.whatIf(), sh.recommend(), sh.advice(), sh.plan(), sh.approve(), sh.reject(), sh.apply(), sh.worker(), sh.serve(),
		sh.schedule(), sh.run(), sh.reconcile(), sh.resolve(), sh.cancel(), sh.undo(), sh.stop(), sh.start(),
		sh.history(), sh.inventory(), sh.audit(), sh.receipt(), sh.check(), sh.notify(), sh.recovery(), sh.doctor(), sh.accounts(), sh.person(), sh.tokens(), sh.signInLink(), sh.ledgers(), sh.migrate(), sh.prove(), sh.drill(), sh.sim(), sh.version())
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
	if says := a.Notice(); says != "" {
		fmt.Fprintf(sh.err, "Note: %s.\n", says)
	}
	err = fn(a)
	if closing := a.Close(); err == nil {
		err = closing
	}
	return err
}

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

func (sh *shell) serve() *cobra.Command {
	var o app.ServeOptions
	var lines workers
	var create bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer the API and show pages, and buy like a worker, until it is stopped",
		Long: `Serves the API under /api/v1 (docs/api.md), described by /openapi.json, and pages for
people, and works like bursar worker. Without a live account everything is SIMULATED,
and a ledger is created if none is named and none is there. While nobody can sign in it
prints a link by which the first person does.

The API needs a token, and so does /metrics; /healthz and /readyz do not. With --probes
health, readiness and metrics are also at an address of their own, without a token.

For others than this machine put a proxy in front that speaks TLS. The log goes to
standard error as lines of JSON, in which names of people and accounts are masked.

The first SIGTERM or SIGINT stops it: no new requests are taken, nothing more is armed,
and what is under way ends, for as long as --grace says.`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch err := lines.check(); {
			case err != nil:
				return err
			case o.Work.Grace < 0:
				return fmt.Errorf("--grace %s: use 0s or more; the default is %s", o.Work.Grace, defaultGrace)
			case sh.format == formatCSV:
				return errors.New("a server prints its address: use --output table or json")
			}
			options := sh.options()
			options.Log = newLog(sh.err)
			named := cmd.Flags().Changed("ledger") || os.Getenv("BURSAR_LEDGER") != ""
			if create || !named {
				if err := app.InitMissing(cmd.Context(), options, create); err != nil {
					return err
				}
			}
			a, err := app.Open(cmd.Context(), options)
			if err != nil {
				return err
			}
			if says := a.Notice(); says != "" {
				options.Log.Warn(says)
			}
			o.Work.Lines, o.Work.Told, o.Serving = int(lines), workLog(options.Log), sh.serving
			err = a.Serve(cmd.Context(), o)
			return errors.Join(err, a.Close())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "`address` to serve at")
	f.StringVar(&o.Probes, "probes", "", "`address` for health, readiness and metrics without a token")
	f.BoolVar(&create, "init", false, "create the ledger that is named, or one for live accounts, if there is none")
	lines.flag(cmd)
	f.DurationVar(&o.Work.Grace, "grace", defaultGrace, "`duration` that calls under way have to end when it is stopped")
	return cmd
}

// serving says where the server is.
func (sh *shell) serving(s app.Serving) {
	if sh.format == formatJSON {
		enc := json.NewEncoder(sh.out)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(s) // the server serves all the same
		return
	}
	if s.Probes != "" {
		fmt.Fprintf(sh.out, "Health, readiness and metrics are at %s.\n", s.Probes)
	}
	if s.Simulated {
		fmt.Fprintln(sh.out, "No live account is configured: purchases are SIMULATED.")
	}
	if s.SignIn != "" {
		fmt.Fprintf(sh.out, "Nobody can sign in yet. The first person does by this link, once: %s\n", s.SignIn)
	}
	fmt.Fprintf(sh.out, "Bursar is at %s; Ctrl-C stops it.\n", s.Address)
}

// people are the keys of a log that hold the names of people.
var people = []string{"by", "person", "requester", "approver"}

// newLog writes lines of JSON in which nobody is named.
func newLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		text := a.Value.String()
		switch {
		case slices.Contains(people, a.Key):
			return slog.String(a.Key, app.Masked(text))
		case a.Key == "account" && len(text) > 4:
			return slog.String(a.Key, "***"+text[len(text)-4:])
		}
		return a
	}}))
}

// workLog tells of a worker in a log.
func workLog(log *slog.Logger) func(api.Worked) {
	return func(w api.Worked) {
		switch w.Event {
		case "ran":
			log.Info("task", "task", w.Ran.Task, "outcome", w.Ran.Outcome, "ms", w.Ran.TookMS, "problem", w.Ran.Problem)
		case "moved", "begun", "refused":
			log.Info(w.Event, "line", w.Line, "plan", w.Plan, "state", w.State, "reason", w.Reason, "problem", w.Problem)
		default:
			log.Info("worker "+w.Event, "under_way", w.UnderWay)
		}
	}
}

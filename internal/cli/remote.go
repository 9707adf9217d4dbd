package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bursar/internal/api"
	"bursar/internal/app"
)

// Commands that a server does as well as the ledger itself, and those that need neither.
var (
	remote = []string{
		"budget set", "budget list", "budget retire", "plan create", "plan show", "plan list", "plan continue", "approve", "reject", "apply",
		"schedule list", "schedule plan", "schedule cancel", "run", "resolve", "cancel", "undo", "undo options", "stop", "start",
		"history", "inventory", "check", "recommend", "advice list", "advice dismiss", "advice snooze", "advice restore",
		"notify list", "notify outbox", "notify mute", "notify unmute",
	}
	anywhere = []string{"", "version", "help", "demo", "prove", "drill", "sim", "budget", "plan", "schedule", "recovery", "notify", "completion", "advice"}
)

// place refuses a command that cannot be done where the flags say.
func (sh *shell) place(cmd *cobra.Command) error {
	name := strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), "bursar"))
	given := func(flag string) bool { return cmd.Flags().Changed(flag) }
	switch {
	case sh.server == "" && given("token-file"):
		return errors.New("--token-file: is for --server, and no server is named")
	case sh.server == "":
		return nil
	case slices.Contains(remote, name):
		for _, flag := range []string{"ledger", "config", "endpoint"} {
			if given(flag) {
				return fmt.Errorf("--%s: the server at %s has its own: leave out this or --server", flag, sh.server)
			}
		}
		return nil
	case slices.Contains(anywhere, name) && !given("server"):
		return nil
	case slices.Contains(anywhere, name):
		return fmt.Errorf("--server: bursar %s asks no server: leave it out", name)
	}
	return fmt.Errorf("bursar %s needs the ledger itself: run it where the ledger is, without --server and BURSAR_SERVER", name)
}

// with runs fn on the service: that of a server if one is named, else the ledger.
func (sh *shell) with(ctx context.Context, fn func(api.Service) error) error {
	if sh.server == "" {
		return sh.withApp(ctx, func(a *app.App) error { return fn(a) })
	}
	token := os.Getenv("BURSAR_TOKEN")
	if sh.tokenFile != "" {
		raw, err := os.ReadFile(sh.tokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		token = strings.TrimSpace(string(raw))
	}
	c, err := api.NewClient(sh.server, token)
	if err != nil {
		return err
	}
	return fn(c)
}

// follow begins a plan and tells how the server's workers buy it, for as long as lines
// move.
func (sh *shell) follow(ctx context.Context, a api.Service, id, by string, patience time.Duration) error {
	before, err := a.Plan(ctx, id)
	if err != nil {
		return err
	}
	if _, _, err := a.Begin(ctx, before.ID, by); err != nil {
		return err
	}
	progress := sh.progress()
	states := map[string]string{}
	for _, l := range before.Lines {
		if states[l.ID] = l.State; l.State != "ready" {
			progress.saw(api.Moved{Line: l})
		}
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	idle := time.AfterFunc(patience, stop)
	defer idle.Stop()
	end := errors.New("nothing more is to be done now")
	over := func() error {
		for _, state := range states {
			if goesOn[state] && (before.Stopped == nil || state == "armed") {
				return nil
			}
		}
		return end
	}
	err = over()
	if err == nil {
		err = a.Watch(watching, before.ID, 0, func(p api.Progress) error {
			m := api.Moved{Line: p.Line, Done: p.Done, InDoubt: p.InDoubt, Lines: p.Lines, Bound: p.Bound}
			if states[p.Line.ID] != p.Line.State || p.Line.State == "ready" {
				idle.Reset(patience)
			}
			states[p.Line.ID] = p.Line.State
			progress.moved(m)
			return over()
		})
	}
	progress.end()
	if err != nil && !errors.Is(err, end) && watching.Err() == nil {
		return err
	}
	// A stop is no error: the server goes on.
	p, err := a.Plan(context.WithoutCancel(ctx), before.ID)
	if err != nil {
		return err
	}
	return sh.applied(p, progress)
}

// goesOn are the states of lines that a worker moves.
var goesOn = map[string]bool{"ready": true, "armed": true, "queued": true, "recovery": true}

package drill_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bursar/internal/cli"
	"bursar/internal/drill"
	"bursar/internal/pgtest"
)

// asBursar lets the test program be the program whose processes work.
const asBursar = "BURSAR_DRILL_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asBursar) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		os.Exit(cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	// Drills wait more than they work. The flags are not read yet: one that is given counts.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// written is where a drill says what it finds.
type written struct{ t *testing.T }

func (w written) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

func options(t *testing.T, ledger string, lines int) drill.Options {
	t.Helper()
	if ledger == drill.Postgres && !pgtest.Installed() && os.Getenv("CI") == "" {
		t.Skip(pgtest.ErrNoBinaries)
	}
	return drill.Options{Bursar: os.Args[0], Env: []string{asBursar + "=1", "GOGC=400"}, Ledger: ledger, Lines: lines, Out: written{t}}
}

func passes(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// TestDrillKill is the drill that every change has to pass: a thousand lines of all
// services, three hundred killed workers and five crashes of PostgreSQL.
func TestDrillKill(t *testing.T) {
	t.Parallel()
	passes(t, drill.Kill(t.Context(), drill.KillOptions{
		Options: options(t, drill.Postgres, 1000), For: 80 * time.Second, Workers: 3, Kills: 300, Crashes: 5,
	}))
}

func TestDrillKillOnSQLite(t *testing.T) {
	t.Parallel()
	passes(t, drill.Kill(t.Context(), drill.KillOptions{
		Options: options(t, drill.SQLite, 60), For: 8 * time.Second, Workers: 3, Kills: 5,
	}))
}

func TestDrillCommitCut(t *testing.T) {
	t.Parallel()
	passes(t, drill.CommitCut(t.Context(), options(t, drill.Postgres, 40)))
}

func TestDrillRestore(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]drill.RestoreOptions{
		"sqlite": {Options: options(t, drill.SQLite, 40)}, "postgres": {Options: options(t, drill.Postgres, 40)},
		"files": {Options: options(t, drill.Postgres, 40), Files: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Out = written{t}
			passes(t, drill.Restore(t.Context(), o))
		})
	}
}

func TestDrillClone(t *testing.T) {
	t.Parallel()
	for _, ledger := range []string{drill.SQLite, drill.Postgres} {
		t.Run(ledger, func(t *testing.T) {
			t.Parallel()
			passes(t, drill.Clone(t.Context(), options(t, ledger, 40)))
		})
	}
}

func TestDrillReset(t *testing.T) {
	t.Parallel()
	passes(t, drill.Reset(t.Context(), drill.ResetOptions{Options: options(t, drill.SQLite, 120), Step: 128}))
}

// TestDrillFindsWhatAGuardPrevents builds the program without the guard that nothing is
// concluded before everything sent must be dead and visible. The drill must see it.
func TestDrillFindsWhatAGuardPrevents(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "bursar")
	if out, err := exec.Command("go", "build", "-tags", "mutant", "-o", program, "bursar/cmd/bursar").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// What a slow machine leaves of a drill may be too little to show it.
	const tries = 4
	for try := 1; ; try++ {
		o := options(t, drill.SQLite, 80)
		o.Bursar, o.Env = program, nil
		var said strings.Builder
		o.Out = &said
		err := drill.Kill(t.Context(), drill.KillOptions{Options: o, For: 8 * time.Second, Workers: 2, Kills: 4})
		t.Log(said.String())
		switch {
		case errors.Is(err, drill.ErrFailed) && strings.Contains(said.String(), "bought twice: "):
			return
		case err != nil && !errors.Is(err, drill.ErrFailed), try == tries:
			t.Fatalf("the drill does not see it: %v", err)
		}
	}
}

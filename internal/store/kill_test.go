package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"bursar/internal/pgtest/pgtesting"
	"bursar/internal/purchase"
)

// childLedger names the environment variable that turns the test binary into a
// process that arms lines until it is killed.
const childLedger = "BURSAR_STORE_TEST_ARM_LINES_OF"

func TestMain(m *testing.M) {
	if path := os.Getenv(childLedger); path != "" {
		if err := armUntilKilled(context.Background(), path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(pgtesting.Run(m))
}

// armUntilKilled arms every ready line and prints each nonce once the ledger has
// confirmed it.
func armUntilKilled(ctx context.Context, path string) error {
	db, err := Open(ctx, path)
	if err != nil {
		return err
	}
	due, err := db.Workable(ctx, "", t0, Due{}, 1000)
	if err != nil {
		return err
	}
	for _, d := range due {
		row, err := db.Row(ctx, d.Line)
		if err != nil {
			return err
		}
		if row.Line.State != purchase.Ready {
			continue
		}
		nonce := fmt.Sprintf("%d-%s", os.Getpid(), d.Line)
		c, err := purchase.DefaultRules.Step(row, checked(row.Line.Spec.Offering, t0, nonce), t0)
		if err != nil {
			return err
		}
		if err := db.Apply(ctx, c, t0); errors.Is(err, purchase.ErrLost) {
			continue // another process was faster
		} else if err != nil {
			return err
		}
		fmt.Println(d.Line, nonce)
	}
	return nil
}

func TestWhatAKilledProcessConfirmedIsInTheLedger(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		const kills, perRun = 5, 30
		path := on.place(t)
		db := create(t, path)
		e := &engine{ledger: db, t: t}
		e.approve(1, kills*perRun*3)
		closed(t, db)
		confirmed := map[string]purchase.LineID{}
		for kill := range kills {
			killed(t, path, perRun-5*kill, confirmed)
			db := reopen(t, path)
			for nonce, line := range confirmed {
				if armed, err := db.Armed(t.Context(), line, nonce); err != nil || !armed {
					t.Errorf("kill %d: the confirmed attempt %s is gone, %v", kill, nonce, err)
				}
			}
			for _, f := range db.Integrity(t.Context(), t0) {
				if len(f.Problems) > 0 {
					t.Errorf("kill %d, %s: %q", kill, f.Name, f.Problems)
				}
			}
			s, err := db.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Attempts) < len(confirmed) {
				t.Errorf("kill %d: %d attempts for %d confirmations", kill, len(s.Attempts), len(confirmed))
			}
			for _, f := range purchase.Check(s, t0) {
				if len(f.Problems) > 0 {
					t.Errorf("kill %d, %s: %q", kill, f.Name, f.Problems)
				}
			}
			closed(t, db)
		}
		if len(confirmed) < kills*5 {
			t.Errorf("only %d attempts were confirmed", len(confirmed))
		}
	})
}

// killed runs the child, kills it with SIGKILL after it has confirmed so many
// attempts, and collects all that it had confirmed by then.
func killed(t *testing.T, path string, after int, confirmed map[string]purchase.LineID) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childLedger+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 1; lines.Scan(); n++ {
		var line, nonce string
		if _, err := fmt.Sscan(lines.Text(), &line, &nonce); err != nil {
			break // torn by the kill
		}
		confirmed[nonce] = purchase.LineID(line)
		if n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself: there were too few lines")
	}
}

// Several processes work on one ledger at once: each line is armed by one of them, and
// none is told that the ledger is busy.
func TestFourProcessesShareALedger(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		const lines = 150
		path := on.place(t)
		e := around(t, create(t, path))
		e.approve(1, lines)
		self, err := os.Executable()
		e.ok(err)
		said := make([]string, 4)
		var wg sync.WaitGroup
		for i := range said {
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), childLedger+"="+path)
			wg.Go(func() {
				out, err := cmd.CombinedOutput()
				if said[i] = string(out); err != nil {
					t.Errorf("process %d: %v: %s", i, err, out)
				}
			})
		}
		wg.Wait()
		armed := map[string]bool{}
		for _, out := range said {
			for _, text := range strings.Fields(out) {
				if line, ok := strings.CutPrefix(text, "01K"); ok {
					if armed[line] {
						t.Errorf("line %s was armed twice", line)
					}
					armed[line] = true
				}
			}
		}
		if s := e.everything(); len(armed) != lines || len(s.Attempts) != lines {
			t.Errorf("%d lines were armed, with %d attempts, of %d", len(armed), len(s.Attempts), lines)
		}
		e.sound(t0)
	})
}

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"bursar/internal/api"
)

// terminal opens a pseudo terminal; read returns what was written to it once it
// is closed.
func terminal(t *testing.T) (tty *os.File, read func() string) {
	t.Helper()
	ctrl, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ctrl.Close() }) //nolint:errcheck // a terminal
	if err := unix.IoctlSetPointerInt(int(ctrl.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(ctrl.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	shown := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(ctrl) // ends with an error when the other end is closed
		shown <- string(all)
	}()
	return tty, func() string {
		if err := tty.Close(); err != nil {
			t.Error(err)
		}
		return strings.ReplaceAll(<-shown, "\r\n", "\n")
	}
}

// TestTerminal runs the way of a plan in front of a person.
func TestTerminal(t *testing.T) {
	quiet(t)
	ledger := t.TempDir() + "/bursar.db"
	shows := func(stdin string, args ...string) string {
		t.Helper()
		tty, read := terminal(t)
		code := Run(t.Context(), append(args, "--ledger", ledger), strings.NewReader(stdin), tty, tty)
		text := read()
		if code != ExitDone {
			t.Fatalf("bursar %s: exit code %d\n%s", strings.Join(args, " "), code, text)
		}
		return text
	}
	shows("", "init")
	_, out, _ := in(t, "", "plan", "create", "-f", "../../testdata/ce-rds.json", "--ledger", ledger, "-o", "json")
	var created api.PlanCreated
	if err := json.Unmarshal([]byte(out), &created); err != nil {
		t.Fatal(err)
	}
	id := created.Plan.ID

	if text := shows("42,966.924\n", "approve", id); !strings.Contains(text, "╭") || !strings.Contains(text, "Approved "+id) {
		t.Errorf("approve shows:\n%s", text)
	}
	text := screen(shows("", "apply", id))
	for _, want := range []string{
		"\n14 of 14 lines done, 0 in doubt, USD 42,966.924 bound\n", "│ rds postgresql db.r6g.xlarge multi-AZ │", "╰", "approved (complete)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("apply does not show %q:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "lines done"); n != 1 {
		t.Errorf("%d status lines are left on the screen:\n%s", n, text)
	}
	if n := strings.Count(text, "\npurchased "); n != 13 && n != 14 { // the first has no line before it
		t.Errorf("%d lines tell of a purchase:\n%s", n, text)
	}
	for _, args := range [][]string{{"plan", "list"}, {"history"}, {"inventory"}, {"check"}} {
		if text := shows("", args...); !strings.Contains(text, "╭") || strings.Contains(text, "%!") {
			t.Errorf("%s shows:\n%s", strings.Join(args, " "), text)
		}
	}
}

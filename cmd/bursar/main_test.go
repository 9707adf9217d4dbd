package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build makes the program as users have it.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bursar")
	cmd := exec.Command("go", "build", "-o", binary, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// TestBinary runs the program itself: its exit codes, and the demo, which runs
// the program once more and kills it.
func TestBinary(t *testing.T) {
	binary := build(t)
	for _, tc := range []struct {
		args []string
		code int
		says string // on standard output, or on standard error with a code
	}{
		{[]string{"version"}, 0, "bursar "},
		{[]string{"demo", "--once"}, 0, "\nVERDICT: ledger and clouds agree: 20 of 20 lines bought exactly once"},
		{[]string{"plan", "list"}, 1, "bursar: bursar.db: there is no ledger"},
		{[]string{"init"}, 0, "Created the ledger bursar.db"},
		{[]string{"init"}, 1, "bursar: bursar.db: there is a ledger already"},
		{[]string{"frobnicate"}, 1, "bursar: bursar has no command"},
	} {
		name := strings.Join(tc.args, " ")
		cmd := exec.Command(binary, tc.args...)
		cmd.Dir = filepath.Dir(binary)
		cmd.Env = []string{"HOME=/no-home", "TMPDIR=" + filepath.Dir(binary)}
		var out, errOut strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errOut
		err := cmd.Run()
		if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		text := out.String()
		if tc.code != 0 {
			text = errOut.String()
		}
		if code := cmd.ProcessState.ExitCode(); code != tc.code || !strings.Contains(text, tc.says) {
			t.Errorf("bursar %s: exit code %d, want %d and %q\n%s%s", name, code, tc.code, tc.says, out.String(), errOut.String())
		}
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(binary), "bursar-demo-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the demo left %q behind, %v", left, err)
	}
}

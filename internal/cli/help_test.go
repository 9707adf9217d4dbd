package cli

import (
	"bytes"
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// in runs a command line in this process.
func in(t *testing.T, stdin string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Run(t.Context(), args, strings.NewReader(stdin), &o, &e)
	for _, complaint := range unfit(code, o.String(), e.String()) {
		t.Errorf("bursar %s: %s", strings.Join(args, " "), complaint)
	}
	return code, o.String(), e.String()
}

// quiet removes from the environment what changes defaults.
func quiet(t *testing.T) {
	t.Helper()
	for _, name := range []string{"BURSAR_LEDGER", "BURSAR_CONFIG", "BURSAR_ENDPOINT", "AWS_ENDPOINT_URL"} {
		t.Setenv(name, "")
	}
	t.Setenv("BURSAR_USER", "ada")
}

func commands() (all []*cobra.Command) {
	sh := &shell{in: strings.NewReader(""), out: new(bytes.Buffer), err: new(bytes.Buffer)}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		all = append(all, c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(sh.root())
	return all
}

// TestHelp holds the help of every command against testdata/help.txt. After a
// change that is meant, run the test with -update and read the difference.
func TestHelp(t *testing.T) {
	quiet(t)
	var all strings.Builder
	for _, c := range commands() {
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		code, out, errOut := in(t, "", args...)
		if code != ExitDone || errOut != "" {
			t.Errorf("%s: exit code %d, %q", strings.Join(args, " "), code, errOut)
		}
		all.WriteString("==== bursar " + strings.Join(args, " ") + "\n\n" + out + "\n")
	}
	const golden = "testdata/help.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(all.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Errorf("the help differs from %s; -update writes it anew:\n%s", golden, diff)
	}
}

// TestEveryCommandIsDescribed looks at commands and flags one by one.
func TestEveryCommandIsDescribed(t *testing.T) {
	for _, c := range commands() {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short description %q", c.CommandPath(), c.Short)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s has no description", c.CommandPath(), f.Name)
			}
		})
		for line := range strings.SplitSeq(c.Long, "\n") {
			if len([]rune(line)) > 90 {
				t.Errorf("%s: a line of help has %d characters: %s", c.CommandPath(), len([]rune(line)), line)
			}
		}
	}
}

// TestExamplesParse finds the command lines that the help shows and has them
// parsed.
func TestExamplesParse(t *testing.T) {
	found := 0
	for _, c := range commands() {
		for line := range strings.SplitSeq(c.Long+"\n"+c.Example, "\n") {
			line = strings.TrimSpace(line)
			if !strings.HasPrefix(line, "bursar ") {
				continue
			}
			found++
			example, _, _ := strings.Cut(line, "  ")
			target, rest, err := commands()[0].Find(strings.Fields(example)[1:])
			if err != nil {
				t.Errorf("%q: %v", example, err)
				continue
			}
			if err := target.ParseFlags(rest); err != nil {
				t.Errorf("%q: %v", example, err)
				continue
			}
			if err := target.ValidateArgs(target.Flags().Args()); err != nil {
				t.Errorf("%q: %v", example, err)
			}
		}
	}
	if found < 7 {
		t.Errorf("only %d examples were found", found)
	}
}

// TestStoppedBeforeItBegan gives a command no time at all.
func TestStoppedBeforeItBegan(t *testing.T) {
	quiet(t)
	ledger := t.TempDir() + "/bursar.db"
	if code, _, errOut := in(t, "", "init", "--ledger", ledger); code != ExitDone {
		t.Fatal(errOut)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errOut bytes.Buffer
	code := Run(ctx, []string{"plan", "create", "-f", "../../testdata/ce-rds.json", "--ledger", ledger}, strings.NewReader(""), &out, &errOut)
	if code != ExitError || errOut.String() != "bursar: stopped before it was done; run it again to go on\n" {
		t.Errorf("exit code %d, %q", code, errOut.String())
	}
	if _, out, _ := in(t, "", "plan", "list", "--ledger", ledger); !strings.Contains(out, "No plans yet") {
		t.Errorf("a plan was stored: %s", out)
	}
}

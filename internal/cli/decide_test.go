package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"bursar/internal/api"
	"bursar/internal/money"
)

func TestSameTotal(t *testing.T) {
	total, err := money.Parse("42966.92", "USD")
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]bool{
		"42966.92":              true,
		"42,966.92":             true,
		"USD 42,966.92":         true,
		"usd 42966.920":         true,
		"42966.92 USD":          true,
		"  42966.92 \r\n":       true,
		"42966.9":               false,
		"42966":                 false,
		"42966.93":              false,
		"-42966.92":             false,
		"42966.92 EUR":          false,
		"42.966,92":             false,
		"42966.92 42966.92":     false,
		"yes":                   false,
		"":                      false,
		"USD":                   false,
		"4.296692e4":            false,
		"0x1":                   false,
		"42966.92; rm -rf":      false,
		"USD USD 42966.92":      false,
		"forty-two thousand":    false,
		"42966.920000000000001": false,
	} {
		if got := sameTotal(typed, total); got != want {
			t.Errorf("%q: %t, want %t", typed, got, want)
		}
	}
}

// TestInterruptedAtTheQuestion ends the context while nobody types.
func TestInterruptedAtTheQuestion(t *testing.T) {
	quiet(t)
	ledger := t.TempDir() + "/bursar.db"
	if code, _, errOut := in(t, "", "init", "--ledger", ledger); code != ExitDone {
		t.Fatal(errOut)
	}
	code, out, errOut := in(t, "", "plan", "create", "-f", "../../testdata/ce-rds.json", "--ledger", ledger, "-o", "json")
	if code != ExitDone {
		t.Fatal(errOut)
	}
	var created api.PlanCreated
	if err := json.Unmarshal([]byte(out), &created); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	nobody, typing := io.Pipe()
	defer typing.Close() //nolint:errcheck // a pipe
	asked := &watched{look: []byte("Type the total"), seen: cancel}
	var answer bytes.Buffer
	code = Run(ctx, []string{"approve", created.Plan.ID, "--ledger", ledger}, nobody, &answer, asked)
	if code != ExitError || !strings.HasSuffix(asked.String(), "\nbursar: stopped; nothing was approved\n") {
		t.Errorf("exit code %d, %s", code, asked.String())
	}
	if _, out, _ := in(t, "", "plan", "show", created.Plan.ID, "--ledger", ledger); !strings.Contains(out, "proposed (waiting)") {
		t.Errorf("the plan was decided on: %s", out)
	}
}

// watched calls seen once the text to look for was written.
type watched struct {
	bytes.Buffer
	look []byte
	seen func()
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if bytes.Contains(w.Bytes(), w.look) {
		w.seen()
	}
	return n, err
}

package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
)

func moved(t *testing.T, number int, state, reason, problem string, done int) api.Moved {
	t.Helper()
	return api.Moved{
		Line: api.Line{
			ID: string(rune('a' + number)), Number: number, State: state, Reason: reason, Account: "111122223333", Region: "eu-west-1",
			Service: "rds", Attributes: map[string]string{"engine": "mysql", "class": "db.m6g.large", "multi_az": "true"},
			TermMonths: 36, Payment: "all-upfront", Quantity: 2, Measure: "2", Price: api.Price{Total: usd(t, "1234.50")},
		},
		Problem: problem, Done: done, Lines: 2, InDoubt: 2 - done, Bound: usd(t, "1234.50"),
	}
}

// screen is what a terminal shows after some text: "\r" goes back to the start of
// the line and what follows overwrites it.
func screen(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		var row []rune
		col := 0
		for _, c := range line {
			if c == '\r' {
				col = 0
				continue
			}
			if col == len(row) {
				row = append(row, ' ')
			}
			row[col] = c
			col++
		}
		lines = append(lines, strings.TrimRight(string(row), " "))
	}
	return strings.Join(lines, "\n")
}

const (
	armedLine  = "in doubt     1  111122223333 eu-west-1      2x rds mysql db.m6g.large multi-AZ, 3y all-upfront  (no answer)\n"
	lateLine   = "not yet      2  111122223333 eu-west-1      2x rds mysql db.m6g.large multi-AZ, 3y all-upfront  (connection refused)\n"
	boughtLine = "purchased    1  111122223333 eu-west-1      2x rds mysql db.m6g.large multi-AZ, 3y all-upfront  USD 1,234.50\n"
	status1    = "1 of 2 lines done, 1 in doubt, USD 1,234.50 bound"
)

func tell(t *testing.T, p *progress) {
	t.Helper()
	p.moved(moved(t, 1, "armed", "no answer", "", 0))
	p.moved(moved(t, 1, "armed", "no answer", "", 0)) // said before
	p.moved(moved(t, 2, "ready", "", "connection refused", 0))
	p.moved(moved(t, 1, "purchased", "", "", 1))
}

// TestProgressOnTerminal keeps one line up to date below those that stay.
func TestProgressOnTerminal(t *testing.T) {
	var out bytes.Buffer
	p := &progress{w: &out, live: true, said: map[string]string{}}
	tell(t, p)
	if got, want := screen(out.String()), armedLine+lateLine+boughtLine+status1; got != want {
		t.Errorf("while it runs:\n%s\nwant:\n%s", got, want)
	}
	p.end()
	if got, want := screen(out.String()), armedLine+lateLine+boughtLine+status1+"\n"; got != want {
		t.Errorf("at the end:\n%s\nwant:\n%s", got, want)
	}
}

// TestProgressElsewhere writes plain lines into files and pipes.
func TestProgressElsewhere(t *testing.T) {
	var out bytes.Buffer
	p := &progress{w: &out, said: map[string]string{}}
	tell(t, p)
	p.end()
	if got, want := out.String(), armedLine+lateLine+boughtLine+status1+"\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	// Nothing to tell, nothing told.
	out.Reset()
	(&progress{w: &out, live: true, said: map[string]string{}}).end()
	if out.Len() > 0 {
		t.Errorf("%q for nothing", out.String())
	}
}

func TestVerdict(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	line := func(state string) api.Line { return api.Line{ID: "01LINE-" + state, State: state, LookAt: &at} }
	for name, tc := range map[string]struct {
		states []string
		code   int
		says   string
	}{
		"all bought":       {[]string{"purchased", "purchased"}, ExitDone, ""},
		"nothing":          {nil, ExitDone, ""},
		"one in doubt":     {[]string{"purchased", "armed", "failed", "needs_review"}, ExitInDoubt, "1 line is in doubt"},
		"two in doubt":     {[]string{"armed", "armed"}, ExitInDoubt, "2 lines are in doubt: it is not known yet whether they were bought, and they are not bought again before it is. Look again after 2026-11-23 09:00:00Z with: AGAIN"},
		"a person":         {[]string{"needs_review", "ready"}, ExitDecision, "bursar resolve 01LINE-needs_review"},
		"rolled back":      {[]string{"recovery"}, ExitDecision, "bursar history 01LINE-recovery"},
		"anew":             {[]string{"needs_reapproval", "ready", "purchased"}, ExitDecision, "bursar plan continue"},
		"not yet":          {[]string{"ready", "ready", "failed"}, ExitError, "2 lines were not bought yet for the reason above; try again with: AGAIN"},
		"failed":           {[]string{"failed", "purchased"}, ExitError, "1 line was not bought"},
		"expired":          {[]string{"expired"}, ExitError, "1 line was not bought"},
		"canceled as well": {[]string{"expired", "canceled"}, ExitError, "2 lines were not bought"},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []api.Line
			for _, s := range tc.states {
				lines = append(lines, line(s))
			}
			err := verdict(lines, "AGAIN")
			var e *exit
			switch {
			case tc.code == ExitDone && err == nil:
			case !errors.As(err, &e) || e.code != tc.code || !strings.Contains(e.says, tc.says):
				t.Errorf("got %#v, want code %d and %q", err, tc.code, tc.says)
			}
		})
	}
}

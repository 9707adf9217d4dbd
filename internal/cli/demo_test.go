package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/app"
	"bursar/internal/money"
)

func usd(t *testing.T, text string) money.Amount {
	t.Helper()
	a, err := money.Parse(text, "USD")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// balanced is a plan of three purchased lines and what the clouds sold for it.
func balanced(t *testing.T) (api.Plan, []app.Owned) {
	t.Helper()
	p := api.Plan{Total: api.Price{Total: usd(t, "300.00")}, Bound: api.Price{Total: usd(t, "300.00")}}
	var owned []app.Owned
	for n := range 3 {
		l := api.Line{
			ID: fmt.Sprintf("01M83TYANNP1DCEA963BAG551%d", n), Number: n + 1, State: "purchased", Account: "111122223333",
			Region: "eu-west-1", Service: "rds", Offering: "offering-1", Quantity: 2, Measure: "2", Attempts: 1,
			Price: api.Price{Total: usd(t, "100.00")},
		}
		id := "bu-abcd-" + strings.ToLower(l.ID) + "-1"
		l.Receipt = &api.Receipt{Commitment: id, How: "reply"}
		p.Lines = append(p.Lines, l)
		owned = append(owned, app.Owned{
			Account: l.Account, Region: l.Region, ID: id, Names: []string{id}, Offering: l.Offering, State: "active", Quantity: 2, Total: usd(t, "100.00"),
		})
	}
	return p, owned
}

// TestTally holds ledgers against truths, one disagreement at a time.
func TestTally(t *testing.T) {
	copyOf := func(o app.Owned, n int) app.Owned {
		o.ID = strings.TrimSuffix(o.ID, "1") + fmt.Sprint(n)
		o.Names = []string{o.ID}
		return o
	}
	for name, tc := range map[string]struct {
		change func(*api.Plan, *[]app.Owned)
		says   string // in the verdict
		shows  string // in the table
	}{
		"agree":              {func(*api.Plan, *[]app.Owned) {}, "", "yes"},
		"a second copy":      {func(_ *api.Plan, o *[]app.Owned) { *o = append(*o, copyOf((*o)[1], 2)) }, "1 bought twice", "BOUGHT TWICE"},
		"twice in one name":  {func(_ *api.Plan, o *[]app.Owned) { *o = append(*o, (*o)[1]) }, "1 bought twice", "BOUGHT TWICE"},
		"a missing one":      {func(_ *api.Plan, o *[]app.Owned) { *o = (*o)[1:] }, "1 lost", "NO"},
		"a wrong count":      {func(_ *api.Plan, o *[]app.Owned) { (*o)[0].Quantity = 3 }, "1 lost", "NO"},
		"a wrong price":      {func(_ *api.Plan, o *[]app.Owned) { (*o)[0].Total = usd(t, "100.01") }, "clouds USD 300.01", "NO"},
		"a wrong account":    {func(_ *api.Plan, o *[]app.Owned) { (*o)[0].Account = "444455556666" }, "1 lost", "NO"},
		"a wrong region":     {func(_ *api.Plan, o *[]app.Owned) { (*o)[0].Region = "us-east-1" }, "1 lost", "NO"},
		"a wrong offering":   {func(_ *api.Plan, o *[]app.Owned) { (*o)[0].Offering = "offering-2" }, "1 lost", "NO"},
		"nobody's":           {func(_ *api.Plan, o *[]app.Owned) { *o = append(*o, app.Owned{ID: "ri-1", Total: usd(t, "0.00")}) }, "1 nobody's", "yes"},
		"sold, not recorded": {func(p *api.Plan, _ *[]app.Owned) { p.Lines[2].State, p.Lines[2].Receipt = "failed", nil }, "1 lost", "LOST"},
		"in doubt":           {func(p *api.Plan, o *[]app.Owned) { p.Lines[2].State, p.Lines[2].Receipt, *o = "armed", nil, (*o)[:2] }, "2 of 3 bought", "0 times"},
		"a wrong sum":        {func(p *api.Plan, _ *[]app.Owned) { p.Bound.Total = usd(t, "299.99") }, "ledger USD 299.99, clouds USD 300.00", "yes"},
	} {
		t.Run(name, func(t *testing.T) {
			p, owned := balanced(t)
			tc.change(&p, &owned)
			b, err := tally(p, owned)
			if err != nil {
				t.Fatal(err)
			}
			var table bytes.Buffer
			b.grid.print(&table)
			says, agree := b.verdict()
			if agree != (tc.says == "") || agree == strings.Contains(says, "DO NOT agree") || strings.Contains(says, "\n") {
				t.Errorf("agree %t: %s", agree, says)
			}
			if !strings.Contains(says, tc.says) {
				t.Errorf("the verdict %q does not say %q", says, tc.says)
			}
			if !strings.Contains(table.String(), tc.shows) {
				t.Errorf("the table does not show %q:\n%s", tc.shows, table.String())
			}
		})
	}
	t.Run("another currency", func(t *testing.T) {
		p, owned := balanced(t)
		eur, err := money.Parse("1.00", "EUR")
		if err != nil {
			t.Fatal(err)
		}
		owned[0].Total = eur
		if _, err := tally(p, owned); err == nil {
			t.Error("euros were added to dollars")
		}
	})
}

// TestDisagreementIsAnError runs the end of the demo on rehearsals that went
// wrong: the command must fail.
func TestDisagreementIsAnError(t *testing.T) {
	quiet(t)
	for name, tc := range map[string]struct {
		faults []app.Trouble
		buy    bool
		says   string
	}{
		"agree":         {nil, true, ""},
		"never applied": {nil, false, "0 of 20 bought"},
		// The ledger has its receipts, and then the cloud takes one back.
		"payment failed": {[]app.Trouble{{Kind: "payment-failed", Times: 1, Only: "rds"}}, true, "the inventory is not balanced"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			sh := &shell{out: &out, err: &out, format: formatTable}
			dir := t.TempDir()
			r, err := app.Rehearse(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close() //nolint:errcheck // simulated
			a, err := r.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close() //nolint:errcheck // simulated
			file := filepath.Join(dir, "demo.yaml")
			if err := os.WriteFile(file, demoPlan, 0o600); err != nil {
				t.Fatal(err)
			}
			created, err := a.CreatePlan(t.Context(), api.PlanRequest{File: file})
			if err != nil {
				t.Fatal(err)
			}
			p := created.Plan
			if p, err = a.Decide(t.Context(), api.Decision{Plan: p.ID, Digest: p.Digest, Approve: true}, time.Hour); err != nil {
				t.Fatal(err)
			}
			if err := r.Cause(tc.faults...); err != nil {
				t.Fatal(err)
			}
			if tc.buy {
				for _, wait := range []time.Duration{0, 15 * time.Minute, 3 * time.Hour} {
					if err := r.Advance(wait); err != nil {
						t.Fatal(err)
					}
					stays := waits
					if wait > time.Hour {
						stays = nil
					}
					if p, err = sh.settle(t.Context(), r, a, p.ID, 10*time.Minute, stays); err != nil {
						t.Fatal(err)
					}
				}
			}
			out.Reset()
			err = sh.compare(t.Context(), r, a, p)
			if tc.says == "" {
				if err != nil || !strings.Contains(out.String(), "VERDICT: ledger and clouds agree: 20 of 20") {
					t.Errorf("%v\n%s", err, out.String())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "VERDICT: ledger and clouds DO NOT agree") || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want it to say %q\n%s", err, tc.says, out.String())
			}
			if strings.Contains(out.String(), "VERDICT: ledger and clouds agree") {
				t.Errorf("it says both:\n%s", out.String())
			}
		})
	}
}

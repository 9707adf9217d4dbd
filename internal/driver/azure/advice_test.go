package azure

import (
	"bytes"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/recommend"
	"bursar/internal/sim"
)

// TestAdvice: all three sources are read with the least role, all pages, and each
// document has the entries of its term only.
func TestAdvice(t *testing.T) {
	role := RoleFor(testAccount, []cloud.Service{"vm"}, false, false).Actions
	w := newWorld(t, "vm", sim.Options{PageSize: 1, Actions: map[string][]string{testAccount: role}})
	d := Adviser{w.open(t, nil).(carrying).Service.(*reservations).core}
	ask := driver.AdviceAsk{
		Services: []cloud.Service{"vm", "sql", SavingsPlan}, Terms: []cloud.Term{cloud.OneYear, cloud.ThreeYears},
		Payments: []cloud.Payment{cloud.NoUpfront, cloud.Monthly, cloud.AllUpfront},
	}
	all := d.Advice(t.Context(), ask)
	if len(all) != 4*2*2 || d.Requests(ask) != 0 {
		t.Fatalf("%d documents", len(all))
	}
	for _, one := range all {
		term, other := `"P1Y"`, `"P3Y"`
		if strings.Contains(one.Source, " 3y ") {
			term, other = other, term
		}
		entries := bytes.Count(one.Document, []byte(term))
		many := 2
		if strings.Contains(one.Source, "savings plan") {
			many = 1
		}
		if one.Err != nil || entries < many || bytes.Contains(one.Document, []byte(other)) || !bytes.Contains(one.Document, []byte(testAccount)) {
			t.Errorf("%s: %d entries, %v", one.Source, entries, one.Err)
		}
		if one.Made.IsZero() != strings.HasPrefix(one.Source, "Azure reservation") {
			t.Errorf("%s: made %s", one.Source, one.Made)
		}
	}
	// Without its permission one source fails, and the others answer.
	for _, action := range adviceActions {
		w := newWorld(t, "vm", sim.Options{Actions: map[string][]string{testAccount: without(role, action)}})
		d := Adviser{w.open(t, nil).(carrying).Service.(*reservations).core}
		failed := 0
		for _, one := range d.Advice(t.Context(), ask) {
			if one.Err != nil {
				failed++
			}
		}
		if failed == 0 || failed == len(all) {
			t.Errorf("without %s %d of %d fail", action, failed, len(all))
		}
	}
}

// TestAdviceOfABillingAccount: in a billing scope the advice is for all subscriptions, in
// the modern shape, and is bought by the one. It is read like any other.
func TestAdviceOfABillingAccount(t *testing.T) {
	w := newWorld(t, "vm", sim.Options{PageSize: 1})
	scope := ""
	for _, a := range w.sim.Accounts() {
		if a.ID == testAccount {
			scope = a.BillingScope
		}
	}
	cfg := w.open(t, nil).(carrying).Service.(*reservations).Config
	adviser := func(scope string) driver.Adviser {
		cfg := cfg
		cfg.BillingScope = scope
		a, err := NewAdviser(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ask := driver.AdviceAsk{Services: []cloud.Service{"vm", SavingsPlan}, Terms: []cloud.Term{cloud.OneYear}, Payments: []cloud.Payment{cloud.Monthly}}
	for _, c := range []struct{ scope, has string }{
		{"", `"legacy"`}, {scope, `"modern"`}, {scope + "/billingProfiles/ABCD-1234", `"modern"`},
	} {
		lines := 0
		for _, one := range adviser(c.scope).Advice(t.Context(), ask) {
			if one.Err != nil {
				t.Fatal(one.Source, one.Err)
			}
			if strings.HasPrefix(one.Source, "Azure reservation") && !bytes.Contains(one.Document, []byte(c.has)) {
				t.Errorf("%s of %q has no %s: %s", one.Source, c.scope, c.has, one.Document)
			}
			in, err := recommend.Read(one.Source, bytes.NewReader(one.Document))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range in.Drafts {
				lines++
				if shared := d.Attributes["scope"] == "shared"; shared != (c.scope != "" && !strings.HasPrefix(one.Source, "Azure Advisor")) || d.Account != testAccount {
					t.Errorf("%s of %q: %s applies to %s", one.Source, c.scope, d.Account, d.Attributes["scope"])
				}
			}
		}
		if lines < 2 {
			t.Errorf("%q: %d lines", c.scope, lines)
		}
	}
	// Another's is not read.
	for _, one := range adviser("/providers/Microsoft.Billing/billingAccounts/00000000-0000-4000-8000-00000000000f").Advice(t.Context(), ask) {
		if one.Err == nil && !strings.HasPrefix(one.Source, "Azure Advisor") {
			t.Errorf("%s answers", one.Source)
		}
	}
	for _, bad := range []string{"/subscriptions/" + testAccount, "providers/Microsoft.Billing/billingAccounts/1", "/providers/Microsoft.Billing/billingAccounts/1/../2", "/providers/Microsoft.Billing/billingAccounts/"} {
		cfg.BillingScope = bad
		if _, err := NewAdviser(cfg); err == nil {
			t.Errorf("%s is taken for a billing scope", bad)
		}
	}
}

func without(actions []string, action string) (rest []string) {
	for _, a := range actions {
		if a != action {
			rest = append(rest, a)
		}
	}
	return rest
}

package azure

import (
	"bytes"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
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

func without(actions []string, action string) (rest []string) {
	for _, a := range actions {
		if a != action {
			rest = append(rest, a)
		}
	}
	return rest
}

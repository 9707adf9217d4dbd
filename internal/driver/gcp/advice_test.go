package gcp

import (
	"bytes"
	"slices"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

// TestAdvice: all pages are read with the least role, each term has a document of its
// own, and the number of the project has its id beside it.
func TestAdvice(t *testing.T) {
	role, _ := Roles([]cloud.Service{Compute}, false)
	open := func(permissions []string) Adviser {
		w := &world{t: t, what: Compute, region: testRegion}
		w.start(sim.Options{Unthrottled: true, PageSize: 1, GooglePermissions: map[string][]string{testProject: permissions}})
		d, err := NewAdviser(Compute, Config{Account: testProject, Region: testRegion, Endpoint: w.url, Now: w.sim.Now, Tokens: SimulatorTokens(testProject, w.sim.Now)})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	ask := driver.AdviceAsk{Terms: []cloud.Term{cloud.OneYear, cloud.ThreeYears}, Payments: []cloud.Payment{cloud.Monthly}}
	all := open(role.IncludedPermissions).Advice(t.Context(), ask)
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	for i, one := range all {
		if one.Err != nil || one.Made.IsZero() || !bytes.Contains(one.Document, []byte(`"`+testProject+`"`)) ||
			bytes.Count(one.Document, []byte("TWELVE_MONTH")) != 1-i || bytes.Count(one.Document, []byte("THIRTY_SIX_MONTH")) != i {
			t.Errorf("%s: %v: %s", one.Source, one.Err, one.Document)
		}
	}
	for _, p := range adviceRights {
		less := slices.DeleteFunc(slices.Clone(role.IncludedPermissions), func(has string) bool { return has == p })
		for _, one := range open(less).Advice(t.Context(), ask) {
			if one.Err == nil {
				t.Errorf("without %s: %s", p, one.Document)
			}
		}
	}
	if all := open(role.IncludedPermissions).Advice(t.Context(), driver.AdviceAsk{Terms: ask.Terms, Payments: []cloud.Payment{cloud.AllUpfront}}); all != nil {
		t.Errorf("paid upfront: %+v", all)
	}
}

// TestSpendAdvice: a billing account is asked with the least roles, all pages.
func TestSpendAdvice(t *testing.T) {
	project, billing := Roles([]cloud.Service{Spend}, false)
	all := slices.Concat(project.IncludedPermissions, billing.IncludedPermissions)
	ask := driver.AdviceAsk{Terms: []cloud.Term{cloud.OneYear}, Payments: []cloud.Payment{cloud.Monthly}}
	for _, lacks := range append([]string{""}, spendAdviceRights...) {
		w := &world{t: t, what: Spend, region: Global}
		w.start(sim.Options{Unthrottled: true, PageSize: 1, GooglePermissions: map[string][]string{
			testProject: slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p == lacks }),
		}})
		d, err := NewAdviser(Spend, Config{
			Account: testBilling, Project: testProject, Region: Global, Endpoint: w.url, Now: w.sim.Now, Tokens: SimulatorTokens(testProject, w.sim.Now),
		})
		if err != nil {
			t.Fatal(err)
		}
		got := d.Advice(t.Context(), ask)
		if len(got) != 1 || (got[0].Err == nil) != (lacks == "") || lacks == "" && bytes.Count(got[0].Document, []byte(spendRecommender)) != 2 {
			t.Errorf("without %q: %+v", lacks, got)
		}
	}
}

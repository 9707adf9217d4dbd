package azure

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

func within(actions []string) sim.Options {
	return sim.Options{Actions: map[string][]string{testAccount: actions}}
}

// TestRoleIsEnough drives each kind of service through all it does, in a simulator that
// lets it do what the role names and nothing else.
func TestRoleIsEnough(t *testing.T) {
	for _, c := range []struct {
		s     cloud.Service
		alias bool
	}{{"vm", false}, {"vm", true}, {SavingsPlan, false}} {
		s := c.s
		w := newWorld(t, s, within(RoleFor(testAccount, []cloud.Service{s}, c.alias, false).Actions))
		w.alias = c.alias
		d := w.open(t, nil).(carrying)
		r := w.request(d)
		if _, err := d.Quote(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		ev, err := d.Purchase(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		w.Advance(2 * time.Hour)
		if got, err := d.Poll(t.Context(), r, ev.Handle); err != nil || got.Outcome != cloud.Bought {
			t.Fatalf("%s: %+v, %v", s, got, err)
		}
		found, err := d.Find(t.Context(), r)
		if err != nil || found[0].Commitment == nil {
			t.Fatalf("%s: %+v, %v", s, found, err)
		}
		if back, ok := d.Service.(driver.Returner); ok {
			if _, err := back.Return(t.Context(), w.request(d), *found[0].Commitment); err != nil {
				t.Error(err)
			}
		} else if s != SavingsPlan {
			t.Errorf("%s takes nothing back", s)
		}
	}
}

// TestCheckFindsWhatLacks: with the role everything is permitted, and without any one of
// its permissions the doctor says so. What a check asks for buys nothing.
func TestCheckFindsWhatLacks(t *testing.T) {
	for _, kind := range []struct {
		s     cloud.Service
		alias bool
	}{{"disk", false}, {"disk", true}, {SavingsPlan, false}} {
		s := kind.s
		w := newWorld(t, s, sim.Options{})
		w.alias = kind.alias
		check := func(actions []string) map[string]driver.Check {
			limited, err := sim.New(sim.Options{Unthrottled: true, Now: w.sim.Now, Actions: map[string][]string{testAccount: actions}})
			if err != nil {
				t.Fatal(err)
			}
			url := serve(t, limited)
			d := w.open(t, func(c *Config) { c.Endpoint = url }).(carrying).Service
			all := map[string]driver.Check{}
			for _, c := range d.(driver.Checker).Check(t.Context(), "bu-test-doctor") {
				all[c.Of] = c
			}
			for _, r := range limited.Requests() {
				if r.Spending {
					t.Errorf("%s: %s was asked for", s, r.Operation)
				}
			}
			return all
		}
		role := RoleFor(testAccount, []cloud.Service{s}, kind.alias, false).Actions
		for of, c := range check(role) {
			if c.State != driver.CheckOK {
				t.Errorf("%s with its role: %s: %+v", s, of, c)
			}
		}
		for i, action := range role {
			all := check(slices.Delete(slices.Clone(role), i, i+1))
			of, want := action, driver.CheckFailed
			if slices.Contains(adviceActions, action) { // nothing is bought with it
				continue
			}
			switch action {
			case mayReadSubscription:
				of = "identity"
			case mayReadPermissions:
				of, want = mayBuyReservations, driver.CheckUnproven
				if s == SavingsPlan {
					of = mayBuyPlans
				}
			case mayBuyReservations, mayBuyByAlias, mayBuyPlans, mayPriceRefund, mayReturn, mayReadOrders:
				want = driver.CheckUnproven
			}
			if c := all[of]; c.State != want || !strings.Contains(c.Next, "bursar doctor --iam") && action != mayReadOrders {
				t.Errorf("%s without %s: %+v", s, action, c)
			}
		}
	}
}

// TestCheckToken: a token that is good for too long does not buy.
func TestCheckToken(t *testing.T) {
	w := newWire(t)
	w.expires = wireStart.Add(24 * time.Hour)
	for _, c := range w.open(t, "vm").(driver.Checker).Check(t.Context(), "bu-x") {
		if c.Of == "token" && c.State == driver.CheckFailed && strings.Contains(c.Next, "token_life") {
			return
		}
	}
	t.Error("a token of a day passed")
}

func TestRole(t *testing.T) {
	raw, err := json.Marshal(RoleFor(testAccount, []cloud.Service{"disk", "vm"}, false, false))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Name":"Bursar ` + testAccount + `","IsCustom":true,"Description":"Buys commitments for disk, vm","Actions":["` +
		strings.Join(slices.Concat([]string{mayReadSubscription, mayReadPermissions}, adviceActions, reservationActions), `","`) +
		`"],"NotActions":[],"DataActions":[],"NotDataActions":[],"AssignableScopes":["/subscriptions/` + testAccount + `"]}`
	if string(raw) != want {
		t.Errorf("%s, want %s", raw, want)
	}
}

func TestCovers(t *testing.T) {
	for pattern, want := range map[string]bool{
		"*": true, "*/write": true, "Microsoft.Capacity/*": true, "microsoft.capacity/ReservationOrders/write": true, "*/reservationorders/*": true,
		"*/read": false, "Microsoft.Capacity/reservationorders": false, "Microsoft.Compute/*": false, "": false, "*/writes": false,
	} {
		if covers(pattern, mayBuyReservations) != want {
			t.Errorf("%q covers: %t", pattern, !want)
		}
	}
	if (grant{Actions: []string{"*"}, NotActions: []string{"Microsoft.Capacity/*/write"}}).covers(mayBuyReservations) {
		t.Error("what is taken away is given")
	}
}

func TestSubscriptions(t *testing.T) {
	w := newWorld(t, "vm", sim.Options{})
	list, err := Subscriptions(t.Context(), Config{
		Account: testAccount, Tenant: testTenant, Region: testRegion, Endpoint: w.url, Now: w.sim.Now, Credential: SimulatorCredential(testAccount, w.sim.Now),
	})
	if err != nil || len(list) != 1 || list[0] != (Subscription{testAccount, testTenant, "Example Corp Platform", "Enabled"}) {
		t.Errorf("%+v, %v", list, err)
	}
	two := newWire(t)
	entry := func(id string) string {
		return `{"subscriptionId":"` + id + `","tenantId":"` + testTenant + `","displayName":"x","state":"Disabled"}`
	}
	two.answers["GET /subscriptions"] = `{"value":[` + entry(testAccount) + `],"nextLink":"<base>/next?api-version=2022-12-01&$skiptoken=x"}`
	two.answers["GET /next"] = `{"value":[` + entry(strings.ToUpper(testOther)) + `]}`
	list, err = Subscriptions(t.Context(), Config{Account: testAccount, Tenant: testTenant, Region: testRegion, Endpoint: two.URL, Credential: two})
	if err != nil || len(list) != 2 || list[1].ID != testOther {
		t.Errorf("%+v, %v", list, err)
	}
	two.answers["GET /subscriptions"] = `{"value":[],"nextLink":"http://elsewhere.example/x"}`
	if list, err := Subscriptions(t.Context(), Config{Account: testAccount, Tenant: testTenant, Region: testRegion, Endpoint: two.URL, Credential: two}); err == nil {
		t.Errorf("followed to another host: %+v", list)
	}
}

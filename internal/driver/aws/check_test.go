package aws

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

// asked is a check without its words.
type asked struct {
	Of    string
	State driver.CheckState
}

func states(list []driver.Check) (out []asked) {
	for _, c := range list {
		out = append(out, asked{c.Of, c.State})
	}
	return out
}

func check(t *testing.T, w *world, change func(*Config)) []driver.Check {
	t.Helper()
	before := len(w.sim.Ledger())
	list := w.open(t, func(c *Config) {
		c.RoleARN = testRole
		if change != nil {
			change(c)
		}
	}).(driver.Checker).Check(t.Context(), "bu-test-doctor")
	if n := len(w.sim.Ledger()); n != before {
		t.Fatalf("a check bought %d", n-before)
	}
	for _, c := range list {
		if c.Detail == "" || c.State == driver.CheckFailed && c.Next == "" || strings.Contains(c.Detail+c.Next, "arn:") {
			t.Errorf("check %+v", c)
		}
	}
	return list
}

// want is what a check of a service answers where all is well.
func want(t *testing.T, s way) (list []asked) {
	t.Helper()
	product := s.product(t)
	list = []asked{{actionAssume, driver.CheckOK}, {"identity", driver.CheckOK}, {"clock", driver.CheckOK}}
	for _, a := range product.grant.reads {
		list = append(list, asked{a, driver.CheckOK})
	}
	for _, a := range product.grant.releases {
		list = append(list, asked{a, driver.CheckOK})
	}
	for _, a := range product.grant.returns {
		list = append(list, asked{a, driver.CheckOK})
	}
	for _, a := range product.grant.tags {
		list = append(list, asked{a, driver.CheckOK})
	}
	list = append(list, asked{product.grant.spends[0], driver.CheckOK})
	for _, a := range product.grant.spends[1:] {
		list = append(list, asked{a, driver.CheckUnproven})
	}
	if !HasRegions(s.service()) {
		return list
	}
	return append(list, asked{"quota", driver.CheckOK})
}

// Where all is well, every permission is asked for, by at most one request that
// names a purchase, which asks for an offering of zeros.
func TestCheck(t *testing.T) {
	for _, s := range ways() {
		w := newWorld(t, cloud.Service(s))
		spending := w.Spending()
		if diff := cmp.Diff(want(t, s), states(check(t, w, nil))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", s, diff)
		}
		if n := w.Spending() - spending; n != 1 {
			t.Errorf("%s: %d requests that could spend", s, n)
		}
		for _, r := range w.sim.Requests() {
			if r.Spending && r.Code == "" {
				t.Errorf("%s: %+v", s, r)
			}
		}
	}
}

// A permission that is missing is named, whichever it is.
func TestCheckFindsWhatIsMissing(t *testing.T) {
	for _, s := range ways() {
		product := s.product(t)
		role, base := s.policy(t)
		actions := slices.Concat(product.grant.reads, product.grant.spends, product.grant.releases, product.grant.returns, product.grant.tags)
		for _, action := range actions {
			w := limited(t, s, without(role, action), base)
			list := check(t, w, func(c *Config) { c.ExternalID = "tenant-7" })
			var failed []string
			for _, c := range list {
				if c.State == driver.CheckFailed {
					failed = append(failed, c.Of)
				}
			}
			if diff := cmp.Diff([]string{action}, failed); diff != "" {
				t.Errorf("%s without %s (-want +got)\n%s", s, action, diff)
			}
		}
		w := limited(t, s, role, base)
		if got := states(check(t, w, func(c *Config) { c.ExternalID = "tenant-8" })); !cmp.Equal(got, []asked{{actionAssume, driver.CheckFailed}}) {
			t.Errorf("%s with another external id: %v", s, got)
		}
		if !HasRegions(s.service()) {
			continue
		}
		w = limited(t, s, without(role, actionQuotas), base)
		got := check(t, w, func(c *Config) { c.ExternalID = "tenant-7" })
		if last := got[len(got)-1]; last.Of != "quota" || last.State != driver.CheckUnproven {
			t.Errorf("%s without quotas: %+v", s, last)
		}
	}
}

// What is wrong with the account, the region, the clock or the quota ends the
// checks with one sentence.
func TestCheckOfTheSurroundings(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  *sim.Fault
		change func(*Config)
		of     string
		says   string
	}{
		"disabled":    {&sim.Fault{Kind: sim.RegionDisabled, Region: testRegion}, nil, actionAssume, "the region is not enabled"},
		"unreachable": {&sim.Fault{Kind: sim.RegionUnreachable, Region: testRegion}, nil, actionAssume, "cannot be reached"},
		"stranger":    {nil, func(c *Config) { c.RoleARN, c.Credentials = "", StaticKeys("444455556666", "test") }, "identity", "of account 444455556666"},
		"bad secret":  {nil, func(c *Config) { c.RoleARN, c.Credentials = "", StaticKeys(testAccount, "wrong") }, "identity", "signature"},
		"fast": {nil, func(c *Config) {
			now := c.Now
			c.Now = func() time.Time { return now().Add(2 * time.Minute) }
		}, "clock", "ahead of AWS"},
		"slow": {nil, func(c *Config) {
			now := c.Now
			c.Now = func() time.Time { return now().Add(-3 * time.Hour) }
		}, "clock", "behind AWS"},
	} {
		w := newWorld(t, MemoryDB)
		if tt.fault != nil {
			if _, err := w.sim.AddFault(*tt.fault); err != nil {
				t.Fatal(err)
			}
		}
		var found []driver.Check
		for _, c := range check(t, w, tt.change) {
			if c.State != driver.CheckOK && c.Of == tt.of {
				found = append(found, c)
			}
		}
		if len(found) != 1 || !strings.Contains(found[0].Detail, tt.says) {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestCheckOfQuotas(t *testing.T) {
	for _, s := range ways() {
		if !HasRegions(s.service()) {
			continue
		}
		w := newWorld(t, cloud.Service(s))
		r := driver.Request{Offering: w.offer, Quantity: 3, Identity: "stock-1"}
		w.Stock(r)
		list := check(t, w, nil)
		last := list[len(list)-1]
		left := samples[cloud.Service(s)].quota - 3
		if s.product(t).monthly && w.Now().Add(-time.Hour).Month() != w.Now().Month() {
			left = samples[cloud.Service(s)].quota
		}
		if last.Of != "quota" || !strings.HasPrefix(last.Detail, fmt.Sprintf("%d of %d left", left, samples[cloud.Service(s)].quota)) {
			t.Errorf("%s: %+v", s, last)
		}
	}
	w := newWorld(t, RDS)
	w.FillQuota()
	list := check(t, w, nil)
	if last := list[len(list)-1]; last.State != driver.CheckFailed || last.Next == "" {
		t.Errorf("a full quota: %+v", last)
	}
}

// An answer that sells what does not exist is the worst there is.
func TestCheckThatIsSold(t *testing.T) {
	w := newWire(t)
	d := w.rds(t, nil)
	w.bodies = map[string]string{rdsProduct.opBuy: boughtBody(reservationXML(nil))}
	w.offerings, w.reserved = "404!"+errorBody(rdsProduct.noOffering, "none"), "404!"+errorBody(rdsProduct.noReservation, "none")
	list := d.Check(t.Context(), "bu-test-doctor")
	var found bool
	for _, c := range list {
		if c.Of == rdsProduct.grant.spends[0] {
			found = c.State == driver.CheckFailed
		}
	}
	if !found {
		t.Errorf("%+v", list)
	}
	for _, c := range w.calls {
		if c.action == rdsProduct.opBuy && (c.form.Get("ReservedDBInstancesOfferingId") != "00000000-0000-0000-0000-000000000000" || !c.close) {
			t.Errorf("asked to buy %s", c.body)
		}
	}
}

func TestMembers(t *testing.T) {
	w := newWorld(t, RDS)
	cfg := Config{Account: testAccount, Region: testRegion, Endpoint: w.url, Now: w.sim.Now, Credentials: StaticKeys(testAccount, "test")}
	got, err := Members(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[cloud.Account]Member{}
	for _, m := range got {
		byID[m.ID] = m
	}
	if len(byID) != len(got) || byID["444455556666"] != (Member{"444455556666", "Example Corp Production", "ACTIVE"}) || byID["222233334444"].Status != "SUSPENDED" {
		t.Errorf("%+v", got)
	}
	cfg.Account, cfg.Credentials = "444455556666", StaticKeys("444455556666", "test")
	var e *driver.Error
	if _, err := Members(t.Context(), cfg); !errors.As(err, &e) || e.Code != "AccessDeniedException" || e.Status != http.StatusBadRequest {
		t.Errorf("a member lists: %v", err)
	}
}

// What was measured makes drivers wait longer, never shorter, and keeps back an
// order that would be refused.
func TestMeasuredConstants(t *testing.T) {
	w := newWorld(t, EC2)
	for settle, want := range map[time.Duration]time.Duration{0: settleTime, time.Minute: settleTime, time.Hour: time.Hour} {
		if got := w.open(t, func(c *Config) { c.Settle = settle }).Info().Settle; got != want {
			t.Errorf("measured %s: settles in %s, want %s", settle, got, want)
		}
	}
	d := w.open(t, func(c *Config) { c.QueueLead = 24 * time.Hour })
	if got := d.Info().Lead; got != 24*time.Hour {
		t.Errorf("orders are %s ahead", got)
	}
	r := w.request(d)
	if _, err := d.Quote(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Purchase(t.Context(), r); driver.OutcomeOf(err) != cloud.Unsent || !strings.Contains(err.Error(), "24h0m0s ahead") || w.Spending() != 0 {
		t.Errorf("an order that is too near: %v", err)
	}
}

package azure

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

const testMarks = "https://examplecorp.blob.core.windows.net/bursar"

// claimWorld is a simulator and a way to open the marks of a subscription with the
// credential of another, in a container.
func claimWorld(t *testing.T, o sim.Options) (*sim.Sim, func(account, caller, at string) Claims) {
	t.Helper()
	o.Unthrottled = true
	s, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, s)
	return s, func(account, caller, at string) Claims {
		c, err := NewClaims(Config{Account: cloud.Account(account), Tenant: testTenant, Endpoint: url, Now: s.Now, Credential: SimulatorCredential(caller, s.Now)}, at)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// A mark is of whoever was first, and a container that several subscriptions share has
// one for each.
func TestClaims(t *testing.T) {
	s, open := claimWorld(t, sim.Options{})
	here, there := open(testAccount, testAccount, testMarks), open(testAccount, testOther, testMarks)
	if text, err := here.Claimed(t.Context(), "owner"); text != "" || err != nil {
		t.Errorf("before: %q, %v", text, err)
	}
	if text, err := here.Claim(t.Context(), "owner", "one"); text != "one" || err != nil {
		t.Errorf("the first: %q, %v", text, err)
	}
	if text, err := there.Claim(t.Context(), "owner", "two"); text != "one" || err != nil {
		t.Errorf("the second: %q, %v", text, err)
	}
	if text, err := open(testOther, testOther, testMarks).Claim(t.Context(), "owner", "two"); text != "two" || err != nil {
		t.Errorf("another subscription: %q, %v", text, err)
	}
	if text, err := here.Claim(t.Context(), "claims/01LINE-1", "one"); text != "one" || err != nil {
		t.Errorf("of a line: %q, %v", text, err)
	}
	if err := there.Replace(t.Context(), "owner", "two"); err != nil {
		t.Error(err)
	}
	if text, err := here.Claimed(t.Context(), "owner"); text != "two" || err != nil {
		t.Errorf("taken over: %q, %v", text, err)
	}
	for _, r := range s.Requests() {
		if r.Spending {
			t.Errorf("%s spends", r.Operation)
		}
	}
}

// Two that saw no mark at the same moment do not write over each other.
func TestClaimsAreCreated(t *testing.T) {
	_, open := claimWorld(t, sim.Options{})
	c := open(testAccount, testAccount, testMarks)
	if err := c.put(t.Context(), "owner", "one", true); err != nil {
		t.Fatal(err)
	}
	if err := c.put(t.Context(), "owner", "two", true); err == nil {
		t.Error("it was created twice")
	}
	if text, err := c.Claimed(t.Context(), "owner"); text != "one" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

// Of many at once one wins, and all of them know who.
func TestClaimsAtOnce(t *testing.T) {
	_, open := claimWorld(t, sim.Options{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for _, who := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			text, err := open(testAccount, testAccount, testMarks).Claim(t.Context(), "claims/01LINE-1", who)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[text]++
		})
	}
	wg.Wait()
	if len(seen) != 1 {
		t.Errorf("%v", seen)
	}
}

// A lost answer is no second owner, also when the SDK asks again.
func TestClaimWhoseAnswerIsLost(t *testing.T) {
	for _, f := range []sim.Fault{{Kind: sim.LoseReply}, {Kind: sim.ErrorAfter, Status: 500}} {
		s, open := claimWorld(t, sim.Options{})
		f.Service, f.Operation = "microsoft.storage", "Blobs.put"
		if _, err := s.AddFault(f); err != nil {
			t.Fatal(err)
		}
		if text, err := open(testAccount, testAccount, testMarks).Claim(t.Context(), "owner", "one"); text != "one" || err != nil {
			t.Errorf("%s: %q, %v", f.Kind, text, err)
		}
	}
}

// A subscription that permits no marks is told from one that cannot be asked: a role for
// management gives no data.
func TestClaimsThatAreDenied(t *testing.T) {
	role := RoleFor(testAccount, []cloud.Service{"vm"}, false, true)
	for name, tc := range map[string]struct {
		actions []string
		denied  [3]bool // Claimed, Claim, Replace
	}{
		"the role": {role.DataActions, [3]bool{}},
		"reading":  {role.DataActions[:1], [3]bool{false, true, true}},
		"nothing":  {RoleFor(testAccount, []cloud.Service{"vm"}, false, false).DataActions, [3]bool{true, true, true}},
	} {
		_, open := claimWorld(t, sim.Options{DataActions: map[string][]string{testAccount: tc.actions}})
		c := open(testAccount, testAccount, testMarks)
		_, read := c.Claimed(t.Context(), "owner")
		_, claim := c.Claim(t.Context(), "owner", "one")
		replace := c.Replace(t.Context(), "owner", "one")
		for i, err := range []error{read, claim, replace} {
			if errors.Is(err, driver.ErrMarkDenied) != tc.denied[i] || (err != nil) != tc.denied[i] {
				t.Errorf("%s, call %d: %v", name, i, err)
			}
		}
	}
	s, open := claimWorld(t, sim.Options{})
	if _, err := s.AddFault(sim.Fault{Kind: sim.Redirect, Service: "microsoft.storage", Times: -1}); err != nil {
		t.Fatal(err)
	}
	c := open(testAccount, testAccount, testMarks)
	if _, err := c.Claim(t.Context(), "owner", "one"); err == nil || errors.Is(err, driver.ErrMarkDenied) {
		t.Errorf("out of order: %v", err)
	}
	_, open = claimWorld(t, sim.Options{})
	_, err := open(testAccount, testAccount, "https://examplecorp.blob.core.windows.net/nothing-here").Claim(t.Context(), "owner", "one")
	if err == nil || errors.Is(err, driver.ErrMarkDenied) || !strings.Contains(err.Error(), "create it") {
		t.Errorf("no container: %v", err)
	}
}

// Only an address of a container is one.
func TestMarksOfAzure(t *testing.T) {
	for _, at := range []string{
		"", "gs://bucket", "http://examplecorp.blob.core.windows.net/bursar", "https://examplecorp.blob.core.windows.net", "https://examplecorp.blob.core.windows.net/a/b",
		"https://examplecorp.blob.core.windows.net/bursar?sv=1", "https://examplecorp.example.com/bursar", "https://Example.blob.core.windows.net/bursar",
		"https://examplecorp.blob.core.windows.net/a--b", "https://examplecorp.blob.core.windows.net/ab",
	} {
		if CheckMarks(at) == nil {
			t.Errorf("%q is taken", at)
		}
	}
	if err := CheckMarks(testMarks); err != nil {
		t.Error(err)
	}
}

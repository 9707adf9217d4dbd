package gcp

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

const testMarks = "gs://example-corp-bursar"

// claimWorld is a simulator and a way to open the marks of an account, with the
// credentials of a project, in a bucket.
func claimWorld(t *testing.T, o sim.Options) (*sim.Sim, func(account cloud.Account, project, at string) Claims) {
	t.Helper()
	o.Unthrottled = true
	s, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		_ = s.Close()
		server.Close()
	})
	return s, func(account cloud.Account, project, at string) Claims {
		cfg := Config{Account: account, Endpoint: server.URL, Now: s.Now, Tokens: SimulatorTokens(cloud.Account(project), s.Now)}
		if account == testBilling {
			cfg.Project = project
		}
		c, err := NewClaims(cfg, at)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// A mark is of whoever was first, and a bucket that several accounts share has one for
// each.
func TestClaims(t *testing.T) {
	s, open := claimWorld(t, sim.Options{})
	here, there := open(testBilling, testProject, testMarks), open(testBilling, "example-data", testMarks)
	if text, err := here.Claimed(t.Context(), "owner"); text != "" || err != nil {
		t.Errorf("before: %q, %v", text, err)
	}
	if text, err := here.Claim(t.Context(), "owner", "one"); text != "one" || err != nil {
		t.Errorf("the first: %q, %v", text, err)
	}
	if text, err := there.Claim(t.Context(), "owner", "two"); text != "one" || err != nil {
		t.Errorf("the second: %q, %v", text, err)
	}
	if text, err := open(testProject, testProject, testMarks).Claim(t.Context(), "owner", "two"); text != "two" || err != nil {
		t.Errorf("another account: %q, %v", text, err)
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
	c := open(testProject, testProject, testMarks)
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
			text, err := open(testProject, testProject, testMarks).Claim(t.Context(), "claims/01LINE-1", who)
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

// A lost answer is no second owner, also when it is asked again.
func TestClaimWhoseAnswerIsLost(t *testing.T) {
	for _, f := range []sim.Fault{{Kind: sim.LoseReply}, {Kind: sim.ErrorAfter, Status: 503}} {
		s, open := claimWorld(t, sim.Options{})
		f.Service, f.Operation = "storage", "objects.insert"
		if _, err := s.AddFault(f); err != nil {
			t.Fatal(err)
		}
		if text, err := open(testProject, testProject, testMarks).Claim(t.Context(), "owner", "one"); text != "one" || err != nil {
			t.Errorf("%s: %q, %v", f.Kind, text, err)
		}
	}
}

// An account that permits no marks is told from one that cannot be asked. The role is
// what marks need, and all of it.
func TestClaimsThatAreDenied(t *testing.T) {
	role, _ := Roles([]cloud.Service{Compute}, true)
	without := func(permission string) []string {
		return slices.DeleteFunc(slices.Clone(role.IncludedPermissions), func(p string) bool { return p == permission })
	}
	none, _ := Roles([]cloud.Service{Compute}, false)
	for name, tc := range map[string]struct {
		permissions []string
		denied      [3]bool // Claimed, Claim, Replace
	}{
		"the role": {role.IncludedPermissions, [3]bool{}},
		"get":      {without("storage.objects.get"), [3]bool{true, true, false}},
		"list":     {without("storage.objects.list"), [3]bool{true, true, false}},
		"create":   {without("storage.objects.create"), [3]bool{false, true, true}},
		"delete":   {without("storage.objects.delete"), [3]bool{false, false, true}},
		"nothing":  {none.IncludedPermissions, [3]bool{true, true, true}},
	} {
		_, open := claimWorld(t, sim.Options{GooglePermissions: map[string][]string{testProject: tc.permissions}})
		c := open(testProject, testProject, testMarks)
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
	c := open(testProject, testProject, testMarks)
	if err := c.Replace(t.Context(), "owner", "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddFault(sim.Fault{Kind: sim.TornBody, Service: "storage", Times: -1}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Claim(t.Context(), "owner", "one"); err == nil || errors.Is(err, driver.ErrMarkDenied) {
		t.Errorf("out of order: %v", err)
	}
	_, open = claimWorld(t, sim.Options{})
	_, err := open(testProject, testProject, "gs://nothing-here").Claim(t.Context(), "owner", "one")
	if err == nil || errors.Is(err, driver.ErrMarkDenied) || !strings.Contains(err.Error(), "create it") {
		t.Errorf("no bucket: %v", err)
	}
}

// Only an address of a bucket is one.
func TestMarksOfGoogle(t *testing.T) {
	for _, at := range []string{"", "example-bursar", "gs://", "gs://Example", "gs://example/owner", "s3://example", "https://storage.googleapis.com/example"} {
		if CheckMarks(at) == nil {
			t.Errorf("%q is taken", at)
		}
	}
	if err := CheckMarks(testMarks); err != nil {
		t.Error(err)
	}
}

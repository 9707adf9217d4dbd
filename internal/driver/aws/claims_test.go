package aws

import (
	"errors"
	"net/http/httptest"
	"sync"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

// claimWorld is a simulator and a way to open the marks of an account.
func claimWorld(t *testing.T, o sim.Options) (*sim.Sim, func(account cloud.Account, region cloud.Region, role bool) Claims) {
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
	return s, func(account cloud.Account, region cloud.Region, role bool) Claims {
		cfg := Config{Account: account, Region: region, Endpoint: server.URL, Now: s.Now, Credentials: StaticKeys(string(account), "test")}
		if role {
			cfg.RoleARN = "arn:aws:iam::" + string(account) + ":role/bursar"
		}
		c, err := NewClaims(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// A mark is of whoever was first, in whatever region the others buy.
func TestClaims(t *testing.T) {
	s, open := claimWorld(t, sim.Options{})
	here, there := open(testAccount, "eu-west-1", true), open(testAccount, Global, false)
	if text, err := here.Claimed(t.Context(), "owner"); text != "" || err != nil {
		t.Errorf("before: %q, %v", text, err)
	}
	if text, err := here.Claim(t.Context(), "owner", "one"); text != "one" || err != nil {
		t.Errorf("the first: %q, %v", text, err)
	}
	if text, err := there.Claim(t.Context(), "owner", "two"); text != "one" || err != nil {
		t.Errorf("the second: %q, %v", text, err)
	}
	if text, err := open("444455556666", "eu-west-1", true).Claim(t.Context(), "owner", "two"); text != "two" || err != nil {
		t.Errorf("another account: %q, %v", text, err)
	}
	if err := there.Replace(t.Context(), "owner", "two"); err != nil {
		t.Error(err)
	}
	if text, err := here.Claimed(t.Context(), "owner"); text != "two" || err != nil {
		t.Errorf("taken over: %q, %v", text, err)
	}
	for _, r := range s.Requests() {
		if r.Service == "ssm" && r.Region != "us-east-1" {
			t.Errorf("%s went to %s", r.Operation, r.Region)
		}
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
			text, err := open(testAccount, testRegion, false).Claim(t.Context(), "claims/01LINE-1", who)
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

// A lost answer is no second owner.
func TestClaimWhoseAnswerIsLost(t *testing.T) {
	s, open := claimWorld(t, sim.Options{})
	if _, err := s.AddFault(sim.Fault{Kind: sim.LoseReply, Service: "ssm", Operation: "PutParameter"}); err != nil {
		t.Fatal(err)
	}
	if text, err := open(testAccount, testRegion, false).Claim(t.Context(), "owner", "one"); text != "one" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

// An account that permits no marks is told from one that cannot be asked.
func TestClaimsThatAreDenied(t *testing.T) {
	policy := func(actions string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],"Resource":"*"}]}`
	}
	for name, tc := range map[string]struct {
		actions string
		denied  [3]bool // Claimed, Claim, Replace
	}{
		"all":     {`"ssm:GetParameter","ssm:PutParameter"`, [3]bool{}},
		"reading": {`"ssm:GetParameter"`, [3]bool{false, true, true}},
		"nothing": {`"rds:*"`, [3]bool{true, true, true}},
	} {
		_, open := claimWorld(t, sim.Options{UserPolicy: map[string]string{testAccount: policy(tc.actions)}})
		c := open(testAccount, testRegion, false)
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
	if _, err := s.AddFault(sim.Fault{Kind: sim.ErrorBefore, Service: "ssm", Times: -1, Status: 400}); err == nil {
		if _, err := open(testAccount, testRegion, false).Claim(t.Context(), "owner", "one"); err == nil || errors.Is(err, driver.ErrMarkDenied) {
			t.Errorf("out of order: %v", err)
		}
	}
}

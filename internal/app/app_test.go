package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver/aws"
)

const onePlan = `version: 1
lines:
  - {account: "111122223333", region: us-east-1, service: rds, engine: mysql, class: db.m6g.large, multi_az: false, term: 1y, payment: all-upfront, quantity: 3}
  - {account: "444455556666", region: eu-west-1, service: rds, engine: mysql, class: db.m6g.large, multi_az: false, term: 1y, payment: all-upfront, quantity: 1}
`

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// approved is a rehearsal with plans that are approved and not begun.
func approved(t *testing.T, plans int) (*Rehearsal, *App, []string) {
	t.Helper()
	return approvedOf(t, onePlan, plans)
}

func approvedOf(t *testing.T, text string, plans int) (*Rehearsal, *App, []string) {
	t.Helper()
	dir := t.TempDir()
	r, err := Rehearse(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() }) //nolint:errcheck // simulated
	a, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() }) //nolint:errcheck // simulated
	file := write(t, dir, "plan.yaml", text)
	var ids []string
	for range plans {
		created, err := a.CreatePlan(t.Context(), api.PlanRequest{File: file})
		if err != nil {
			t.Fatal(err)
		}
		p := created.Plan
		if _, err := a.Decide(t.Context(), api.Decision{Plan: p.ID, Digest: p.Digest, Approve: true}, time.Hour); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.ID)
	}
	return r, a, ids
}

// TestReconcileBeginsNothing is the promise that money moves only by apply: a
// plan that was approved and never applied is looked at by nobody else.
func TestReconcileBeginsNothing(t *testing.T) {
	r, a, ids := approved(t, 2)
	told := 0
	if err := a.Reconcile(t.Context(), 0, func(api.Moved) { told++ }); err != nil {
		t.Fatal(err)
	}
	if all, _, _ := r.Sent(""); all != 0 || told != 0 {
		t.Errorf("reconcile sent %d purchases and told of %d lines", all, told)
	}

	// One of the two is begun, and its requests vanish: reconcile goes on with it
	// alone.
	if err := r.Cause(Trouble{Kind: "lose-request", Times: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(t.Context(), ids[0], "", 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Advance(13 * time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := a.Reconcile(t.Context(), 5*time.Second, func(m api.Moved) {
		if m.Line.Plan != ids[0] {
			t.Errorf("reconcile moved line %d of a plan that was never applied", m.Line.Number)
		}
	}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"purchased", "ready"} {
		p, err := a.Plan(t.Context(), ids[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range p.Lines {
			if l.State != want {
				t.Errorf("plan %d, line %d is %s, want %s", i+1, l.Number, l.State, want)
			}
		}
	}
}

// TestReconcileTellsOneAtATime calls a listener that is not made for two
// goroutines; the race detector and the counter watch.
func TestReconcileTellsOneAtATime(t *testing.T) {
	r, a, ids := approved(t, 3)
	if err := r.Cause(Trouble{Kind: "lose-reply", Times: -1}); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if _, err := a.Apply(t.Context(), id, "", 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Advance(13 * time.Minute); err != nil {
		t.Fatal(err)
	}
	var inside atomic.Int32
	said := map[string]string{}
	if err := a.Reconcile(t.Context(), 5*time.Second, func(m api.Moved) {
		if inside.Add(1) != 1 {
			t.Error("told of two lines at once")
		}
		said[m.Line.ID] = m.Line.State
		inside.Add(-1)
	}); err != nil {
		t.Fatal(err)
	}
	for id, state := range said {
		if state != "purchased" {
			t.Errorf("line %s is %s", id, state)
		}
	}
}

// TestLiveNeverBuysARehearsal opens a ledger whose plan was priced on the
// simulator with a live account, and without any network.
func TestLiveNeverBuysARehearsal(t *testing.T) {
	r, a, ids := approved(t, 1)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	refused := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		t.Errorf("something asked for %s", q.URL)
		w.WriteHeader(http.StatusTeapot)
	}))
	defer refused.Close()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "nobodys", "AWS_EC2_METADATA_DISABLED": "true",
		"HTTPS_PROXY": refused.URL, "HTTP_PROXY": refused.URL, "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	config := write(t, t.TempDir(), "live.yaml", `accounts: [{id: "111122223333", live: true, regions: [us-east-1]}]`)
	live, err := Open(t.Context(), Options{Ledger: r.Ledger, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close() //nolint:errcheck // only read
	if live.Simulated() {
		t.Error("it calls itself simulated")
	}
	p, err := live.Apply(t.Context(), ids[0], "", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"is real now and was simulated when the plan was priced: make a new plan", "is not configured with live: true"} {
		l := p.Lines[i]
		if l.State != "ready" || l.Attempts != 0 || !strings.Contains(l.Reason, want) {
			t.Errorf("line %d is %s after %d attempts: %s", l.Number, l.State, l.Attempts, l.Reason)
		}
	}
}

// TestNotASimulator names endpoints that answer, but not as a simulator.
func TestNotASimulator(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		says   string
	}{
		"a page":     {200, "<!DOCTYPE html><html></html>", "something else than a simulator"},
		"an object":  {200, "{}", "something else than a simulator"},
		"nobody":     {200, "[]", "has no accounts"},
		"null":       {200, "null", "has no accounts"},
		"not found":  {404, "<html>not found</html>", "404 Not Found"},
		"an error":   {500, strings.Repeat("x", 10_000), "500 Internal Server Error"},
		"no content": {204, "", "204 No Content"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				w.Write([]byte(tc.body)) //nolint:errcheck // a test's server
			}))
			defer server.Close()
			ledger := filepath.Join(t.TempDir(), "bursar.db")
			_, err := Init(t.Context(), Options{Ledger: ledger, Endpoint: server.URL})
			if err == nil {
				t.Fatal("it was taken for a simulator")
			}
			text := err.Error()
			if !strings.Contains(text, server.URL+" is not a running simulator") || !strings.Contains(text, tc.says) ||
				strings.ContainsAny(text, "<\n") || len(text) > 250 {
				t.Errorf("it says: %s", text)
			}
			if _, err := os.Stat(ledger); err == nil {
				t.Error("a ledger was created")
			}
		})
	}
}

// TestClockElsewhere follows the clock of a simulator that another process
// serves, also when it is moved between two looks.
func TestClockElsewhere(t *testing.T) {
	r, a, _ := approved(t, 0)
	before := a.clouds.now()
	if err := r.Advance(48 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if passed := a.clouds.now().Sub(before); passed < 48*time.Hour || passed > 49*time.Hour {
		t.Errorf("%s passed, want 48h", passed)
	}
	// A simulator that is gone leaves the clock where it was last seen.
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if passed := a.clouds.now().Sub(before); passed < 48*time.Hour || passed > 49*time.Hour {
		t.Errorf("%s passed without a simulator, want 48h", passed)
	}
}

// TestSimulate serves until its context ends, and says when the port is taken.
func TestSimulate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- Simulate(ctx, SimOptions{Listen: "127.0.0.1:0"}, func(url string) { ready <- url }) }()
	url := <-ready
	if err := Simulate(t.Context(), SimOptions{Listen: strings.TrimPrefix(url, "http://")}, func(string) {}); err == nil || !strings.Contains(err.Error(), "cannot listen on \"127.0.0.1:") {
		t.Errorf("a taken port: %v", err)
	}
	s, err := openSimulator(t.Context(), url, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.accounts) < 2 {
		t.Errorf("%d accounts", len(s.accounts))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "test": "test", "ASIAOYOEABCDEFGHWXYZ": "ASIA...WXYZ",
	} {
		if got := mask(in); got != want {
			t.Errorf("mask(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestNamesAreShownAsTheyAre refuses what would fool the next person's terminal.
func TestNamesAreShownAsTheyAre(t *testing.T) {
	r, a, _ := approved(t, 0)
	file := write(t, filepath.Dir(r.Ledger), "plan.yaml", onePlan)
	for name, bad := range map[string]string{
		"escape": "harmless\x1b[2K\rTotal USD 1.00", "newline": "a\nb", "bidi": "a\u202eb", "not UTF-8": "a\xffb", "long": strings.Repeat("x", 1001),
	} {
		t.Run(name, func(t *testing.T) {
			for _, q := range []api.PlanRequest{{File: file, Name: bad}, {File: file, Requester: bad}} {
				if _, err := a.CreatePlan(t.Context(), q); err == nil || strings.ContainsAny(err.Error(), "\x1b\r\n") {
					t.Errorf("plan create: %v", err)
				}
			}
			created, err := a.CreatePlan(t.Context(), api.PlanRequest{File: file, Name: "Größe – 漢字 (50%)", Requester: "Žofie"})
			if err != nil {
				t.Fatal(err)
			}
			p := created.Plan
			for _, d := range []api.Decision{{By: bad}, {Comment: bad}} {
				d.Plan, d.Digest, d.Approve = p.ID, p.Digest, true
				if _, err := a.Decide(t.Context(), d, time.Hour); err == nil || strings.ContainsAny(err.Error(), "\x1b\r\n") {
					t.Errorf("approve: %v", err)
				}
			}
			if p, err := a.Plan(t.Context(), p.ID); err != nil || p.State != "proposed" {
				t.Errorf("the plan is %s, %v", p.State, err)
			}
		})
	}
	if plans, err := a.Plans(t.Context()); err != nil || len(plans) != 5 {
		t.Errorf("%d plans are stored, want 5; %v", len(plans), err)
	}
}

// TestExclusiveIsWhatTheConfigurationSays: opening the ledger declares the lanes,
// and opening it without the key takes that back.
func TestExclusiveIsWhatTheConfigurationSays(t *testing.T) {
	dir := t.TempDir()
	r, err := Rehearse(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() }) //nolint:errcheck // simulated
	declared := func() (lanes []string) {
		a, err := r.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close() //nolint:errcheck // simulated
		known, err := a.db.Lanes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range known {
			if l.Exclusive {
				lanes = append(lanes, l.String())
			}
		}
		return lanes
	}
	if got := declared(); len(got) != 0 {
		t.Errorf("without a configuration: %v", got)
	}
	write(t, dir, ConfigName, "accounts: [{id: \"111122223333\", regions: [us-east-1, eu-west-1], exclusive: [rds]}]\n")
	if got := strings.Join(declared(), " "); got != "aws/111122223333/eu-west-1/rds aws/111122223333/us-east-1/rds" {
		t.Errorf("declared %s", got)
	}
	write(t, dir, ConfigName, "accounts: [{id: \"111122223333\", regions: [us-east-1, eu-west-1]}]\n")
	if got := declared(); len(got) != 0 {
		t.Errorf("still declared: %v", got)
	}
}

// TestOpenSearchNamesAreUniqueWhereTheConfigurationSaysSo: the key makes the name of
// a reservation its identity, in its account alone.
func TestOpenSearchNamesAreUniqueWhereTheConfigurationSaysSo(t *testing.T) {
	path := write(t, t.TempDir(), ConfigName, `accounts:
  - {id: "111122223333", live: true, regions: [us-east-1], opensearch_names_unique: true}
  - {id: "444455556666", live: true, regions: [us-east-1]}
`)
	cfg, err := LoadConfig(path, true)
	if err != nil {
		t.Fatal(err)
	}
	c, err := openClouds(t.Context(), cfg, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for account, want := range map[cloud.Account]cloud.Class{"111122223333": cloud.ClassName, "444455556666": cloud.ClassNone} {
		svc, err := c.Service(cloud.Lane{Provider: cloud.AWS, Account: account, Region: "us-east-1", Service: aws.OpenSearch})
		if err != nil {
			t.Fatal(err)
		}
		if got := svc.Info().Class; got != want {
			t.Errorf("account %s: class %s, want %s", account, got, want)
		}
	}
}

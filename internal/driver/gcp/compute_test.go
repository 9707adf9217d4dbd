package gcp

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

// bought quotes and buys, which must be accepted, and returns the handle.
func (w *world) bought(t *testing.T, d driver.Service, r driver.Request) string {
	t.Helper()
	ev, err := w.buy(t, d, r)
	if err != nil || ev.Outcome != cloud.Accepted || ev.Handle == "" {
		t.Fatalf("Purchase: %+v, %v", ev, err)
	}
	return ev.Handle
}

func (w *world) buy(t *testing.T, d driver.Service, r driver.Request) (cloud.Evidence, error) {
	t.Helper()
	if _, err := d.Quote(t.Context(), r); err != nil {
		t.Fatalf("Quote: %v", err)
	}
	return d.Purchase(t.Context(), r)
}

func (w *world) poll(t *testing.T, d driver.Service, r driver.Request, handle string) cloud.Evidence {
	t.Helper()
	ev, err := d.(driver.Follower).Poll(t.Context(), r, handle)
	if err != nil {
		t.Fatalf("Poll: %v", err)
	}
	return ev
}

// TestOperationOutlastsTheAttempt: what runs for days is neither bought nor empty.
func TestOperationOutlastsTheAttempt(t *testing.T) {
	for _, what := range []cloud.Service{Compute, Spend} {
		t.Run(string(what), func(t *testing.T) {
			region := cloud.Region(testRegion)
			if what == Spend {
				region = Global
			}
			w := newWorld(t, what, region, sim.Options{Seed: 3, Visibility: -1, OperationTime: 100 * 24 * time.Hour})
			d := w.open(t, nil)
			r := w.request(d)
			handle := w.bought(t, d, r)
			w.Advance(time.Minute)
			for range 3 {
				if ev := w.poll(t, d, r, handle); ev.Outcome != cloud.Accepted || ev.Handle != handle {
					t.Fatalf("while it runs: %+v", ev)
				}
				w.Advance(6 * time.Hour)
			}
			w.Advance(101 * 24 * time.Hour)
			if ev := w.poll(t, d, r, handle); ev.Outcome != cloud.Bought || ev.Commitment == nil {
				t.Errorf("when it is done: %+v", ev)
			}
		})
	}
}

// TestOperationFails: an operation that is done has failed if its body says so,
// whether or not it has a status for it.
func TestOperationFails(t *testing.T) {
	statuses := map[int]bool{}
	for seed := range uint64(8) {
		w := newWorld(t, Compute, testRegion, sim.Options{Seed: seed + 1, Visibility: -1, Quota: 1})
		d := w.open(t, nil)
		w.bought(t, d, w.request(d))
		r := w.request(d)
		handle := w.bought(t, d, r)
		w.Advance(time.Hour)
		ev := w.poll(t, d, r, handle)
		if ev.Outcome != cloud.Refused || ev.Code != "QUOTA_EXCEEDED" || ev.Commitment != nil {
			t.Errorf("seed %d: %+v, want it refused for the quota", seed, ev)
		}
		statuses[operationStatus(t, w, handle)] = true
		if n := w.Owned(r); n != 0 {
			t.Errorf("%d owned", n)
		}
	}
	if !statuses[0] || !statuses[403] {
		t.Errorf("statuses on the operations: %v, want one with and one without", statuses)
	}
}

func operationStatus(t *testing.T, w *world, handle string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/compute/v1/projects/"+testProject+"/regions/"+testRegion+"/operations/"+handle, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer sim-"+testProject)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	var op struct {
		HTTP int `json:"httpErrorStatusCode"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&op); err != nil {
		t.Fatal(err)
	}
	return op.HTTP
}

// TestNameTakenOnTheOperation: Google may tell on the operation that a name is taken.
// A look then shows by what, and that it is a stranger's.
func TestNameTakenOnTheOperation(t *testing.T) {
	w := newWorld(t, Compute, testRegion, sim.Options{Seed: 5, Visibility: -1, NameTaken: sim.OnOperation})
	d := w.open(t, nil)
	r := w.request(d)
	if err := w.sim.Add(sim.Existing{
		Account: testProject, Region: testRegion, ID: r.Identity, OfferingID: "GENERAL_PURPOSE_E2", Months: 36,
		Resources: map[string]string{"VCPU": "2", "MEMORY": "8192"},
	}); err != nil {
		t.Fatal(err)
	}
	handle := w.bought(t, d, r)
	w.Advance(time.Hour)
	if ev := w.poll(t, d, r, handle); ev.Outcome != cloud.Exists || ev.Commitment != nil {
		t.Errorf("%+v, want that the name exists", ev)
	}
	found, err := d.Find(t.Context(), r)
	if err != nil || len(found) != 1 || found[0].Commitment == nil {
		t.Fatalf("Find: %+v, %v", found, err)
	}
	got := *found[0].Commitment
	if got.Attributes.String() != "memory_gb=8 type=general-purpose-e2 vcpu=2" || got.Term != cloud.ThreeYears || got.OfferingID == r.Offering.ID {
		t.Errorf("the stranger's commitment is shown as %+v", got)
	}
}

// TestRememberedRequest: while a request id is remembered the same operation is
// answered, whichever attempt asks, and afterwards the name is taken.
func TestRememberedRequest(t *testing.T) {
	w := newWorld(t, Compute, testRegion, sim.Options{Seed: 5, Visibility: -1, TokenLife: 2 * time.Hour})
	d := w.open(t, nil)
	r := w.request(d)
	first := w.bought(t, d, r)
	again := func() driver.Request {
		n := r
		n.Attempt = w.attempt()
		n.SendBy, n.Deadline = w.Now().Add(20*time.Second), w.Now().Add(d.Info().Life+20*time.Second)
		return n
	}
	w.Advance(time.Hour)
	if second := w.bought(t, w.open(t, nil), again()); second != first {
		t.Errorf("asked again: operation %s, want %s", second, first)
	}
	w.Advance(2 * time.Hour)
	ev, err := w.buy(t, d, again())
	if driver.OutcomeOf(err) != cloud.Exists || ev.Code != "alreadyExists" {
		t.Errorf("asked again when it is forgotten: %+v, %v", ev, err)
	}
	if n := w.Owned(r); n != 1 {
		t.Errorf("%d owned, want 1", n)
	}
}

// TestWhatIsSent holds the one spending request of each service against what the
// references say, byte by byte where that matters.
func TestWhatIsSent(t *testing.T) {
	for what, want := range map[cloud.Service]string{
		Compute: `{"autoRenew":false,"category":"MACHINE","description":"bought by Bursar","name":"bu-test-0001-1","plan":"TWELVE_MONTH",` +
			`"resources":[{"amount":"4","type":"VCPU"},{"amount":"16640","type":"MEMORY"}],"type":"GENERAL_PURPOSE_N2"}`,
		Spend: `{"displayName":"bu-test-0001-1","lineItemInfo":[{"offer":"` + cloudSQL + `","parameters":[{"name":"hourly_commit","value":{"doubleValue":1.50}},` +
			`{"name":"region","value":{"stringValue":"europe-west1"}}],"subscription":{"autoRenewalEnabled":false}}],"requestId":"ID"}`,
	} {
		t.Run(string(what), func(t *testing.T) {
			w := newWorld(t, what, testRegion, sim.Options{Seed: 1})
			var sent []*http.Request
			var bodies []string
			front := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				r.Body = io.NopCloser(strings.NewReader(string(body)))
				if r.Method == http.MethodPost {
					sent, bodies = append(sent, r), append(bodies, strings.TrimSpace(string(body)))
				}
				w.sim.ServeHTTP(out, r)
			}))
			defer front.Close()
			d := w.open(t, func(c *Config) { c.Endpoint = front.URL })
			r := w.request(d)
			w.bought(t, d, r)
			if len(sent) != 1 {
				t.Fatalf("%d requests that could spend", len(sent))
			}
			id := sent[0].URL.Query().Get("requestId")
			if what == Spend {
				var body struct {
					RequestID string `json:"requestId"`
				}
				if err := json.Unmarshal([]byte(bodies[0]), &body); err != nil {
					t.Fatal(err)
				}
				id, bodies[0] = body.RequestID, strings.Replace(bodies[0], body.RequestID, "ID", 1)
			}
			if len(id) != 36 || id[14] != '8' {
				t.Errorf("request id %q", id)
			}
			if bodies[0] != want {
				t.Errorf("sent\n%s\nwant\n%s", bodies[0], want)
			}
			if h := sent[0].Header; h.Get("X-Goog-User-Project") != testProject || !strings.HasPrefix(h.Get("Authorization"), "Bearer sim-") ||
				!strings.HasPrefix(h.Get("Content-Type"), "application/json") {
				t.Errorf("headers %v", h)
			}
		})
	}
}

// TestTokens: a token that outlives the deadline of an attempt buys nothing.
func TestTokens(t *testing.T) {
	w := newWorld(t, Compute, testRegion, sim.Options{Seed: 1})
	for name, token := range map[string]*oauth2.Token{
		"none":       nil,
		"empty":      {},
		"long lived": {AccessToken: "sim-" + testProject, Expiry: w.Now().Add(12 * time.Hour)},
		"basic":      {AccessToken: "sim-" + testProject, TokenType: "Basic"},
	} {
		d := w.open(t, func(c *Config) { c.Tokens = fixed{token} })
		if _, err := d.Quote(t.Context(), w.request(d)); err == nil {
			t.Errorf("%s: quoted", name)
		}
	}
	d := w.open(t, func(c *Config) { c.Tokens = fixed{&oauth2.Token{AccessToken: "sim-" + testProject}} })
	r := w.request(d)
	r.Deadline = r.SendBy.Add(30 * time.Minute) // before the token must have expired
	ev, err := w.buy(t, d, r)
	if driver.OutcomeOf(err) != cloud.Unsent || w.Spending() != 0 {
		t.Errorf("with a short deadline: %+v, %v", ev, err)
	}
}

type fixed struct{ token *oauth2.Token }

func (f fixed) Token() (*oauth2.Token, error) { return f.token, nil }

func TestNoOffersIsAdvice(t *testing.T) {
	w := newWorld(t, Spend, Global, sim.Options{Seed: 1})
	d := w.open(t, func(c *Config) { c.Offers = nil })
	_, err := d.Offerings(t.Context(), driver.Query{Attributes: cloud.Attributes{"product": "compute-flexible"}})
	if !errors.Is(err, driver.ErrAdvice) || !strings.Contains(err.Error(), "no offers are configured for billing account") {
		t.Errorf("without offers: %v", err)
	}
}

// TestProjectOfAnotherBillingAccount: the project that asks must be one of the billing
// account's.
func TestProjectOfAnotherBillingAccount(t *testing.T) {
	w := newWorld(t, Spend, Global, sim.Options{Seed: 1})
	d := w.open(t, func(c *Config) { c.Account = "FEDCBA-987654-321000" })
	if _, err := d.Find(t.Context(), driver.Request{Account: "FEDCBA-987654-321000"}); !errors.Is(err, driver.ErrWrongAccount) {
		t.Errorf("Find: %v, want ErrWrongAccount", err)
	}
}

func TestConfigs(t *testing.T) {
	good := func() Config {
		return Config{Account: testProject, Region: testRegion, Tokens: fixed{}}
	}
	for name, change := range map[string]func(*Config){
		"project":  func(c *Config) { c.Account = "1" },
		"region":   func(c *Config) { c.Region = "global" },
		"tokens":   func(c *Config) { c.Tokens = nil },
		"endpoint": func(c *Config) { c.Endpoint = "example.com" },
		"currency": func(c *Config) { c.Currency = "dollars" },
		"answer":   func(c *Config) { c.Answer = -1 },
	} {
		c := good()
		change(&c)
		if _, err := Open(Compute, c); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	spend := func() Config {
		return Config{Account: testBilling, Project: testProject, Region: Global, Tokens: fixed{}, Offers: testOffers[:1:1]}
	}
	if _, err := Open(Spend, spend()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"project for an account": func(c *Config) { c.Account = testProject },
		"no project":             func(c *Config) { c.Project = "" },
		"offer":                  func(c *Config) { c.Offers[0].ID = "ffe0f6a3" },
		"twice":                  func(c *Config) { c.Offers = append(c.Offers, c.Offers[0]) },
		"term":                   func(c *Config) { c.Offers[0].Term = 24 },
	} {
		c := spend()
		c.Offers = append([]Offer(nil), c.Offers...)
		change(&c)
		if _, err := Open(Spend, c); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestGibibytes(t *testing.T) {
	for text, mb := range map[string]int64{"256": 262144, "0.5": 512, "16.25": 16640, "1.75": 1792} {
		r, err := resourcesOf(cloud.Attributes{"vcpu": "4", "memory_gb": text})
		if err != nil || r.memoryMB != mb || gibibytes(mb) != text {
			t.Errorf("%s: %d MB, back %s, %v", text, r.memoryMB, gibibytes(mb), err)
		}
	}
	for _, text := range []string{"", "0", "0.1", "1.250", "01", "-1", "1e3", "1.", "99999999"} {
		if _, err := resourcesOf(cloud.Attributes{"vcpu": "4", "memory_gb": text}); err == nil {
			t.Errorf("%q is memory", text)
		}
	}
}

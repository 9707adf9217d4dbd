package sim

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gce "google.golang.org/api/compute/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
)

const (
	project     = "example-prod"
	gcpTestZone = "us-central1"
	flexible    = "services/compute.googleapis.com/standardOffers/ffe0f6a3-2f98-437e-8d49-fc443a05d3c2"
	requestID   = "6f1c0b3e-5a5c-5d0a-9f6b-0123456789ab"
)

// google is a client of a simulator with a token.
type google struct {
	t     *testing.T
	url   string
	token string
}

func newGoogle(t *testing.T, s *Sim) google { return google{t, serve(t, s), "sim-" + project} }

func (g google) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+g.token)
	return http.DefaultTransport.RoundTrip(r)
}

// compute is the official client.
func (g google) compute() *gce.Service {
	g.t.Helper()
	c, err := gce.NewService(g.t.Context(), option.WithHTTPClient(&http.Client{Transport: g}), option.WithEndpoint(g.url+"/compute/v1/"))
	if err != nil {
		g.t.Fatal(err)
	}
	return c
}

// ask sends a request without any client and returns status and body.
func (g google) ask(method, path, body string) (int, string) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := (&http.Client{Transport: g}).Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func commitment(name string) *gce.Commitment {
	return &gce.Commitment{
		Name: name, Plan: "TWELVE_MONTH", Category: "MACHINE", Type: "GENERAL_PURPOSE_N2",
		Resources: []*gce.ResourceCommitment{{Type: "VCPU", Amount: 4}, {Type: "MEMORY", Amount: 16384}},
	}
}

// reason is status and reason of an error of the official client.
func reason(err error) string {
	var api *googleapi.Error
	if !errors.As(err, &api) || len(api.Errors) != 1 {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("%d %s", api.Code, api.Errors[0].Reason)
}

// TestCommitmentLife takes a commitment through its states with the official client.
func TestCommitmentLife(t *testing.T) {
	s := newSim(t, Options{Visibility: -1})
	c := newGoogle(t, s).compute()
	op, err := c.RegionCommitments.Insert(project, gcpTestZone, commitment("cud-x")).RequestId(requestID).Do()
	if err != nil || op.Status != "RUNNING" || op.ClientOperationId != requestID || !strings.HasSuffix(op.TargetLink, "/"+project+"/regions/"+gcpTestZone+"/commitments/cud-x") {
		t.Fatalf("insert: %+v, %v", op, err)
	}
	state := func() string {
		t.Helper()
		got, err := c.RegionCommitments.Get(project, gcpTestZone, "cud-x").Do()
		if err != nil {
			t.Fatal(err)
		}
		return got.Status
	}
	var seen []string
	for _, wait := range []time.Duration{0, time.Minute, 24 * time.Hour, 366 * 24 * time.Hour} {
		if err := s.Advance(wait); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, state())
	}
	if want := []string{"CREATING", "NOT_YET_ACTIVE", "ACTIVE", "EXPIRED"}; !slices.Equal(seen, want) {
		t.Errorf("states %v, want %v", seen, want)
	}
	done, err := c.RegionOperations.Get(project, gcpTestZone, op.Name).Do()
	if err != nil || done.Status != "DONE" || done.Error != nil {
		t.Errorf("operation: %+v, %v", done, err)
	}
	// vCPUs and gibibytes at the prices of the list: 4 x 0.019915 + 16 x 0.002669.
	if e := s.Ledger()[0]; e.Provider != onGCP || e.Hourly.Canonical() != "0.122364" || e.Attributes["vcpu"] != "4" || e.Account != project {
		t.Errorf("ledger: %+v", e)
	}
	if log := s.Requests()[0]; log.Provider != onGCP || !log.Spending || log.Operation != "regionCommitments.insert" || log.Account != project {
		t.Errorf("log: %+v", log)
	}
	_, err = c.RegionCommitments.Insert(project, gcpTestZone, commitment("cud-x")).Do()
	if got := reason(err); got != "409 alreadyExists" {
		t.Errorf("the name once more: %s", got)
	}
}

// TestCommitmentPages reads every page; each shows something, in no order.
func TestCommitmentPages(t *testing.T) {
	s := newSim(t, Options{PageSize: 3})
	var all []Existing
	for n := range 20 {
		all = append(all, Existing{Account: project, Region: gcpTestZone, ID: fmt.Sprintf("cud-%02d", n), OfferingID: "GENERAL_PURPOSE_N2", Months: 12,
			Resources: map[string]string{"VCPU": "4", "MEMORY": "16384"}})
	}
	if err := s.Add(all...); err != nil {
		t.Fatal(err)
	}
	c := newGoogle(t, s).compute()
	names, pages := map[string]bool{}, 0
	var order []string
	err := c.RegionCommitments.List(project, gcpTestZone).Pages(t.Context(), func(l *gce.CommitmentList) error {
		pages++
		for _, i := range l.Items {
			names[i.Name] = true
			order = append(order, i.Name)
		}
		return nil
	})
	if err != nil || len(names) != 20 || len(order) != 20 || pages < 7 || slices.IsSorted(order) {
		t.Errorf("%d names of 20 in %d pages, %v, %v", len(names), pages, order, err)
	}
	aggregated := 0
	err = c.RegionCommitments.AggregatedList(project).Pages(t.Context(), func(l *gce.CommitmentAggregatedList) error {
		for scope, in := range l.Items {
			if aggregated += len(in.Commitments); len(in.Commitments) == 0 && in.Warning == nil {
				t.Errorf("%s is empty without a warning", scope)
			}
		}
		return nil
	})
	if err != nil || aggregated != 20 {
		t.Errorf("%d in all regions, %v", aggregated, err)
	}
	if err := s.Add(all[0]); err == nil {
		t.Error("a name was given twice")
	}
}

// TestGoogleRefuses: what is wrong with a request is told, and nothing is sold.
func TestGoogleRefuses(t *testing.T) {
	s := newSim(t, Options{})
	g := newGoogle(t, s)
	const path = "/compute/v1/projects/example-prod/regions/us-central1/commitments"
	good := `{"name":"cud-x","plan":"TWELVE_MONTH","type":"GENERAL_PURPOSE_N2","resources":[{"type":"VCPU","amount":"4"},{"type":"MEMORY","amount":"16384"}]}`
	order := `{"displayName":"x","requestId":"` + requestID + `","lineItemInfo":[{"offer":"` + flexible + `","parameters":[{"name":"hourly_commit","value":{"doubleValue":1.5}}]}]}`
	const orders = "/v1/billingAccounts/012345-6789AB-CDEF01/orders:place"
	for name, c := range map[string]struct {
		path, body string
		status     int
		code       string
	}{
		"unknown member":      {path, strings.Replace(good, `"plan"`, `"owner":"me","plan"`, 1), 400, `"reason":"invalid"`},
		"number for an int64": {path, strings.Replace(good, `"4"`, `4`, 1), 400, `"reason":"invalid"`},
		"odd memory":          {path, strings.Replace(good, "16384", "16385", 1), 400, `"reason":"invalid"`},
		"no memory":           {path, strings.Replace(good, `,{"type":"MEMORY","amount":"16384"}`, "", 1), 400, `"reason":"invalid"`},
		"name":                {path, strings.Replace(good, "cud-x", "Cud", 1), 400, `"reason":"invalid"`},
		"accelerator":         {path, strings.Replace(good, "MEMORY", "ACCELERATOR", 1), 400, `"reason":"invalid"`},
		"query":               {path + "?dryRun=true", good, 400, `"reason":"invalid"`},
		"request id":          {path + "?requestId=1", good, 400, `"reason":"invalid"`},
		"zero request id":     {path + "?requestId=00000000-0000-0000-0000-000000000000", good, 400, `"reason":"invalid"`},
		"other project":       {strings.Replace(path, "example-prod", "example-data", 1), good, 403, `"reason":"forbidden"`},
		"region":              {strings.Replace(path, "us-central1", "us-east-1", 1), good, 404, `"reason":"notFound"`},
		"no such method":      {path + "/cud-x/cancel", good, 404, `"reason":"notFound"`},
		"offer":               {orders, strings.Replace(order, "ffe0f6a3", "ffe0f6a4", 1), 400, `"status":"INVALID_ARGUMENT"`},
		"three decimals":      {orders, strings.Replace(order, "1.5", "1.505", 1), 400, `"status":"INVALID_ARGUMENT"`},
		"billing account":     {strings.Replace(orders, "012345-6789AB-CDEF01", "FEDCBA-987654-321000", 1), order, 403, `"status":"PERMISSION_DENIED"`},
	} {
		if status, body := g.ask("POST", c.path, c.body); status != c.status || !strings.Contains(body, c.code) {
			t.Errorf("%s: %d %s, want %d %s", name, status, body, c.status, c.code)
		}
	}
	for _, token := range []string{"", "sim-nobody", "ya29.x", "sim-" + project + ".1", "sim-" + project + ".99999999999"} {
		bad := g
		bad.token = token
		if status, body := bad.ask("POST", path, good); status != 401 {
			t.Errorf("token %q: %d %s, want 401", token, status, body)
		}
	}
	if n := len(s.Ledger()); n != 0 {
		t.Fatalf("%d sold", n)
	}
	if _, err := s.AddFault(Fault{Kind: Throttle, Operation: "regionCommitments.insert"}); err != nil {
		t.Fatal(err)
	}
	if status, body := g.ask("POST", path, good); status != 403 || !strings.Contains(body, `"reason":"rateLimitExceeded"`) {
		t.Errorf("throttled: %d %s", status, body)
	}
	for what, ask := range map[string][2]string{"commitment": {path, good}, "order": {orders, order}} {
		if status, body := g.ask("POST", ask[0], ask[1]); status != 200 {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
}

// TestOrderIsRemembered: a request id stops a second order while it is remembered, and
// nothing does afterwards.
func TestOrderIsRemembered(t *testing.T) {
	s := newSim(t, Options{Visibility: -1})
	g := newGoogle(t, s)
	place := func() {
		t.Helper()
		body := `{"displayName":"bu-1","requestId":"` + requestID + `","lineItemInfo":[{"offer":"` + flexible + `","parameters":[{"name":"hourly_commit","value":{"doubleValue":1.5}}]}]}`
		if status, text := g.ask("POST", "/v1/billingAccounts/012345-6789AB-CDEF01/orders:place", body); status != 200 {
			t.Fatalf("%d %s", status, text)
		}
	}
	place()
	place()
	if n := len(s.Ledger()); n != 1 {
		t.Fatalf("%d orders inside the time, want 1", n)
	}
	if err := s.Advance(25 * time.Hour); err != nil {
		t.Fatal(err)
	}
	place()
	if n := len(s.Ledger()); n != 2 {
		t.Errorf("%d orders afterwards, want 2", n)
	}
	if status, text := g.ask("GET", "/v1/billingAccounts/012345-6789AB-CDEF01/orders?filter=display_name%3D%22bu-1%22", ""); status != 200 || strings.Count(text, `"displayName":"bu-1"`) != 2 {
		t.Errorf("by display name: %d %s", status, text)
	}
}

// TestGoogleRates: what a project asks too often is refused, by Compute Engine with the
// status 403, until some time has passed; another region is not affected.
func TestGoogleRates(t *testing.T) {
	s := newSim(t, Options{})
	g := newGoogle(t, s)
	insert := func(region string) (int, string) {
		return g.ask("POST", "/compute/v1/projects/example-prod/regions/"+region+"/commitments?requestId="+requestID,
			`{"name":"cud-x","plan":"TWELVE_MONTH","type":"GENERAL_PURPOSE_N2","resources":[{"type":"VCPU","amount":"4"},{"type":"MEMORY","amount":"16384"}]}`)
	}
	served, status, body := 0, 0, ""
	for status, body = insert("us-central1"); status == 200 && served < 100; status, body = insert("us-central1") {
		served++
	}
	if status != 403 || !strings.Contains(body, `"reason":"rateLimitExceeded"`) || served < int(gcpWrites.bucket) {
		t.Errorf("after %d: %d %s", served, status, body)
	}
	if status, body := insert("europe-west1"); status != 200 {
		t.Errorf("in another region: %d %s", status, body)
	}
	if err := s.Advance(time.Minute); err != nil {
		t.Fatal(err)
	}
	if status, body := insert("us-central1"); status != 200 || len(s.Ledger()) != 2 {
		t.Errorf("a minute later: %d %s, and %d sold", status, body, len(s.Ledger()))
	}
}

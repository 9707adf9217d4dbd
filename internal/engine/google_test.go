package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver/gcp"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
)

// finish runs a plan of one line, moving the simulated clock past every wait, until
// the line has come to an end or waits for a person.
func (w *world) finish(p *purchase.Plan) purchase.Line {
	w.t.Helper()
	for range 600 {
		w.run(p)
		if l := w.plan(p).Lines[0]; l.State.Terminal() || l.State == purchase.NeedsReview {
			return l
		}
		if err := w.sim.Advance(time.Minute); err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Fatalf("the line is open after ten hours:\n%s", w.story(p))
	return purchase.Line{}
}

// bought counts what was sold, without what was there before.
func (w *world) bought() (n int) {
	for _, e := range w.sim.Ledger() {
		if !e.Existing {
			n++
		}
	}
	return n
}

// TestGoogleForgetsRequests: where no request id is remembered, the name is what keeps
// a second request from buying.
func TestGoogleForgetsRequests(t *testing.T) {
	for _, service := range []cloud.Service{gcp.Compute, gcp.Licenses} {
		for _, taken := range []sim.NameTaken{sim.AtRequest, sim.OnOperation} {
			for _, kind := range []string{sim.LoseReply, sim.LoseRequest, sim.Duplicate} {
				w := newWorld(t, sim.Options{TokenLife: -1, NameTaken: taken, Visibility: 30 * time.Minute, Unthrottled: true})
				w.fault(sim.Fault{Kind: kind, Service: "compute", Operation: "regionCommitments.insert"})
				p := w.approved(draftOf(service))
				if l := w.finish(p); l.State != purchase.Purchased || w.bought() != 1 {
					t.Errorf("%s, %s, %d: %s, %s, and %d sold\n%s", service, kind, taken, l.State, l.Reason, w.bought(), w.story(p))
				}
				w.check()
			}
		}
	}
}

// TestGoogleForgetsOrders: when Google may have forgotten the request id of an order,
// nothing is sent under it: the list tells by the display name whether it is there.
func TestGoogleForgetsOrders(t *testing.T) {
	for kind, requests := range map[string]int{sim.LoseReply: 1, sim.LoseRequest: 2} {
		w := newWorld(t, sim.Options{TokenLife: 21 * time.Hour, Unthrottled: true})
		w.fault(sim.Fault{Kind: kind, Service: "consumerprocurement", Operation: "orders.place"})
		p := w.approved(draftOf(gcp.Spend))
		w.run(p)
		w.advance(22 * time.Hour)
		if l := w.finish(p); l.State != purchase.Purchased || w.spent() != requests || w.bought() != 1 {
			t.Errorf("%s: %s, %s, %d requests and %d sold\n%s", kind, l.State, l.Reason, w.spent(), w.bought(), w.story(p))
		}
		w.check()
	}
}

// TestGoogleNameOfAStranger: what somebody has under the name of a line before anything
// was sent is not taken for the line's, whatever it is: nothing is sent, and a person
// decides.
func TestGoogleNameOfAStranger(t *testing.T) {
	w := newWorld(t, sim.Options{Unthrottled: true})
	p := w.approved(draftOf(gcp.Compute))
	other := underName(p)
	if err := w.sim.Add(other); err != nil {
		t.Fatal(err)
	}
	l := w.finish(p)
	if l.State != purchase.NeedsReview || !strings.Contains(l.Reason, other.ID+" exists under this line's name") || w.spent() != 0 {
		t.Errorf("%s, %q, and %d requests\n%s", l.State, l.Reason, w.spent(), w.story(p))
	}
	w.check()
}

// underName is a commitment to what the line asks for, under its name.
func underName(p *purchase.Plan) sim.Existing {
	return sim.Existing{Account: project, Region: "us-central1", ID: purchase.Identity("test", p.Lines[0].ID, 1),
		OfferingID: "GENERAL_PURPOSE_N2", Months: 12, Resources: map[string]string{"VCPU": "8", "MEMORY": "32768"}}
}

// TestGoogleNameIsTaken: where the request, or its operation, says that the name is
// taken, what has it is the line's if its type, its resources and its plan are those
// that were asked for, and otherwise a person decides. Nothing more is sent.
func TestGoogleNameIsTaken(t *testing.T) {
	for name, change := range map[string]func(*sim.Existing){
		"nothing": func(*sim.Existing) {},
		"type":    func(e *sim.Existing) { e.OfferingID = "GENERAL_PURPOSE_E2" },
		"vcpu":    func(e *sim.Existing) { e.Resources["VCPU"] = "10" },
		"memory":  func(e *sim.Existing) { e.Resources["MEMORY"] = "16384" },
		"plan":    func(e *sim.Existing) { e.Months = 36 },
	} {
		for _, taken := range []sim.NameTaken{sim.AtRequest, sim.OnOperation} {
			w := newWorld(t, sim.Options{NameTaken: taken, Unthrottled: true})
			p := w.approved(draftOf(gcp.Compute))
			other := underName(p)
			change(&other)
			other.BoughtAt = w.sim.Now()
			if err := w.sim.Add(other); err != nil {
				t.Fatal(err)
			}
			if _, err := w.sim.AddFault(sim.Fault{Kind: sim.StaleListing, Service: "compute", Duration: time.Hour, Times: -1}); err != nil {
				t.Fatal(err)
			}
			w.run(p)
			if w.spent() != 1 {
				t.Fatalf("%s: %d requests before it was seen\n%s", name, w.spent(), w.story(p))
			}
			if err := w.sim.ClearFaults(); err != nil {
				t.Fatal(err)
			}
			want := purchase.NeedsReview
			if name == "nothing" {
				want = purchase.Purchased
			}
			if l := w.finish(p); l.State != want || w.spent() != 1 || w.bought() != 0 {
				t.Errorf("%s, %d: %s, %q, %d requests and %d sold\n%s", name, taken, l.State, l.Reason, w.spent(), w.bought(), w.story(p))
			}
			w.check()
		}
	}
}

// TestGoogleOperationFails: an operation that is done and has errors in its body, which
// comes with the status 200, has bought nothing, whether or not it names a status.
func TestGoogleOperationFails(t *testing.T) {
	for _, service := range gcp.Services {
		for seed := range uint64(4) { // with a status in the operation, and without one
			w := newWorld(t, sim.Options{Unthrottled: true, Seed: seed + 1})
			w.fault(sim.Fault{Kind: sim.PaymentFailed, Service: sold(service), Operation: goods[service].buy})
			p := w.approved(draftOf(service))
			if l := w.finish(p); l.State != purchase.Failed || l.Reason == "" {
				t.Errorf("%s: %s, %q\n%s", service, l.State, l.Reason, w.story(p))
			}
			if inv, err := w.engine.Inventory(t.Context()); err != nil || !inv.Balanced() || len(inv.Items) != 0 {
				t.Errorf("%s: inventory %+v, %v", service, inv, err)
			}
			w.check()
		}
	}
}

// TestGoogleOperationLasts: an operation that outlasts every deadline is waited for,
// and nothing is sent meanwhile.
func TestGoogleOperationLasts(t *testing.T) {
	for _, service := range gcp.Services {
		w := newWorld(t, sim.Options{OperationTime: 9 * time.Hour, Unthrottled: true, Seed: 11})
		p := w.approved(draftOf(service))
		if l := w.finish(p); l.State != purchase.Purchased || w.bought() != 1 {
			t.Fatalf("%s: %s, %s, and %d sold\n%s", service, l.State, l.Reason, w.bought(), w.story(p))
		}
		if e := w.sim.Ledger()[0]; e.SettlesAt.Sub(e.BoughtAt) < 2*time.Hour {
			t.Errorf("%s: the operation took %s only", service, e.SettlesAt.Sub(e.BoughtAt))
		}
		if n := w.spent(); n != 1 {
			t.Errorf("%s: %d requests to buy", service, n)
		}
		w.check()
	}
}

// TestGoogleThrottles: Compute Engine says with the status 403 that there were too many
// requests. That proves that nothing was bought, and the line is bought later.
func TestGoogleThrottles(t *testing.T) {
	for _, service := range gcp.Services {
		w := newWorld(t, sim.Options{Unthrottled: true})
		w.fault(sim.Fault{Kind: sim.Throttle, Service: sold(service), Operation: goods[service].buy})
		p := w.approved(draftOf(service))
		w.run(p)
		facts, err := w.db.Facts(t.Context(), p.Lines[0].ID)
		if err != nil || len(facts) == 0 || facts[0].Outcome != cloud.Throttled {
			t.Errorf("%s: the first evidence is not of a throttled request: %+v, %v", service, facts, err)
		} else if want := map[cloud.Service]string{gcp.Spend: "RESOURCE_EXHAUSTED"}[service]; want == "" && (facts[0].Status != 403 || facts[0].Code != "rateLimitExceeded") || want != "" && facts[0].Code != want {
			t.Errorf("%s: the answer was %d %s", service, facts[0].Status, facts[0].Code)
		}
		if l := w.finish(p); l.State != purchase.Purchased || w.bought() != 1 || w.spent() != 2 {
			t.Errorf("%s: %s, %s, %d sold with %d requests", service, l.State, l.Reason, w.bought(), w.spent())
		}
		w.check()
	}
}

// TestGoogleAdviceIsBought: what the Recommender answers, saved page by page with the ids
// of the projects that it names by number, is a plan, and of alternatives that exclude
// one another one is bought.
func TestGoogleAdviceIsBought(t *testing.T) {
	w := newWorld(t, sim.Options{Unthrottled: true, PageSize: 1, FullPages: true})
	token, err := gcp.SimulatorTokens(project, w.sim.Now).Token()
	if err != nil {
		t.Fatal(err)
	}
	type document struct {
		Recommendations []any             `json:"recommendations"`
		ProjectIDs      map[string]string `json:"project_ids,omitempty"`
		Next            string            `json:"nextPageToken,omitempty"`
	}
	var all document
	for page := "first"; page != ""; page = all.Next {
		address := w.url + "/v1/projects/" + project + "/locations/us-central1/recommenders/google.compute.commitment.UsageCommitmentRecommender/recommendations"
		if page != "first" {
			address += "?pageToken=" + url.QueryEscape(page)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token.AccessToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var got document
		if err := errors.Join(json.NewDecoder(resp.Body).Decode(&got), resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s, %v", resp.Status, err)
		}
		all.Recommendations, all.Next = append(all.Recommendations, got.Recommendations...), got.Next
	}
	read := func() recommend.Input {
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		in, err := recommend.Read("advice.json", bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	in := read()
	if len(in.Drafts) != 0 || len(in.Left) != 2 || !strings.Contains(in.Left[0].Why, "it names its project by number") {
		t.Fatalf("without the ids of projects: %+v", in)
	}
	_, number, _ := strings.Cut(in.Left[0].Why, `"project_ids": {"`)
	number, _, _ = strings.Cut(number, `"`)
	all.ProjectIDs = map[string]string{number: project}
	in = read()
	if len(in.Drafts) != 1 || len(in.Left) != 1 || !strings.Contains(in.Left[0].Why, "exclude one another") {
		t.Fatalf("with the ids of projects: %+v", in)
	}
	p := w.approved(in.Drafts...)
	if l := w.finish(p); l.State != purchase.Purchased || w.bought() != 1 {
		t.Fatalf("%s, %s, and %d sold", l.State, l.Reason, w.bought())
	}
	if e := w.sim.Ledger()[0]; e.OfferingID != "GENERAL_PURPOSE_N2" || in.Drafts[0].Account != project {
		t.Errorf("bought %+v", e)
	}
	w.check()
}

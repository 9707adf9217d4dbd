package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

// state is all that a refused request must leave as it is.
func state(t *testing.T, a *App) string {
	t.Helper()
	plans, err := a.Plans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	budgets, err := a.Budgets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop, err := a.Purchasing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	schedules, err := a.Schedules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal([]any{plans, budgets, stop, schedules.Plans})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestBadRequests: each is refused with the right status and one sentence, and changes
// nothing.
func TestBadRequests(t *testing.T) {
	_, a, ids := approvedOf(t, mine, 1)
	s := serve(t, a)
	admin := s.token("root", false, nil, auth.Admin)
	revoked := s.token("gone", false, nil, auth.Admin)
	tokens, err := a.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range tokens {
		if k.Owner == "gone" {
			if _, err := a.RevokeToken(t.Context(), k.ID, "root"); err != nil {
				t.Fatal(err)
			}
		}
	}
	forged := admin[:len(admin)-1] + map[bool]string{true: "a", false: "b"}[admin[len(admin)-1] == 'b']
	stop := `{"purchasing":false}`
	before := state(t, a)
	for _, c := range []struct {
		name, method, path, token, body string
		headers                         []string
		want                            int
		says                            string
	}{
		{"no token", "POST", "/api/v1/purchasing", "", stop, nil, 401, "sign in first"},
		{"forged token", "POST", "/api/v1/purchasing", forged, stop, nil, 401, "there is no such token"},
		{"revoked token", "POST", "/api/v1/purchasing", revoked, stop, nil, 401, "was revoked"},
		{"another scheme", "POST", "/api/v1/purchasing", "", stop, []string{"Authorization", "Basic YTpi"}, 401, "Bearer"},
		{"unknown field", "POST", "/api/v1/purchasing", admin, `{"purchasing":false,"force":true}`, nil, 422, "force"},
		{"in the name of another", "POST", "/api/v1/purchasing", admin, `{"purchasing":false,"by":"eve"}`, nil, 422, "by"},
		{"second person", "POST", "/api/v1/lines/" + ids[0] + "/resolutions", admin, `{"choice":"not_bought","second":"eve"}`, nil, 422, "second"},
		{"wrong type", "POST", "/api/v1/purchasing", admin, `{"purchasing":"no"}`, nil, 422, "purchasing"},
		{"no JSON", "POST", "/api/v1/purchasing", admin, `{"purchasing":`, nil, 400, ""},
		{"two values", "POST", "/api/v1/purchasing", admin, `{"purchasing":false}{"purchasing":true}`, nil, 400, ""},
		{"no body", "POST", "/api/v1/purchasing", admin, ``, nil, 400, "body"},
		{"another media type", "POST", "/api/v1/purchasing", admin, `purchasing=false`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, ""},
		{"unknown parameter", "GET", "/api/v1/plans?all=1", admin, "", nil, 422, "all"},
		{"limit", "GET", "/api/v1/plans?limit=501", admin, "", nil, 422, "limit"},
		{"cursor", "GET", "/api/v1/plans?cursor=%27", admin, "", nil, 422, "cursor"},
		{"cursor of lines", "GET", "/api/v1/lines?cursor=" + ids[0] + ".x", admin, "", nil, 422, "cursor"},
		{"state", "GET", "/api/v1/lines?state=sold", admin, "", nil, 422, "use one of"},
		{"large body", "POST", "/api/v1/purchasing", admin, `{"comment":"` + strings.Repeat("x", 10<<20) + `"}`, nil, 413, "larger"},
		{"large file", "POST", "/api/v1/plans", admin, `{"file":"f","content":"` + strings.Repeat("A", 10<<20) + `"}`, nil, 413, "larger"},
		{"a file of the host", "POST", "/api/v1/plans", admin, `{"file":"/etc/passwd"}`, nil, 422, "/etc/passwd: is empty"},
		{"no base64", "POST", "/api/v1/plans", admin, `{"file":"f","content":"?"}`, nil, 422, "base64"},
		{"path up", "GET", "/api/v1/plans/..%2f..%2fetc%2fpasswd", admin, "", nil, 404, "not the id of a plan"},
		{"path null", "GET", "/api/v1/plans/%00", admin, "", nil, 404, "not the id of a plan"},
		{"wildcard", "GET", "/api/v1/plans/%25", admin, "", nil, 404, "not the id of a plan"},
		{"nothing there", "GET", "/api/v1/nothing", admin, "", nil, 404, "nothing at this address"},
		{"another version", "GET", "/api/v9/plans", admin, "", nil, 404, "nothing at this address"},
		{"another method", "DELETE", "/api/v1/plans", admin, "", nil, 405, "GET or POST"},
		{"post where there is none", "POST", "/api/v1/overview", admin, "{}", nil, 405, "use GET"},
		{"cross-site", "POST", "/api/v1/purchasing", admin, stop, []string{"Sec-Fetch-Site", "cross-site"}, 403, "another site"},
		{"another origin", "POST", "/api/v1/purchasing", admin, stop, []string{"Origin", "https://evil.example"}, 403, "another site"},
		{"no key", "POST", "/api/v1/purchasing", admin, stop, []string{"Idempotency-Key", ""}, 400, "Idempotency-Key"},
		{"long key", "POST", "/api/v1/purchasing", admin, stop, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, "Idempotency-Key"},
		{"another digest", "POST", "/api/v1/plans/" + ids[0] + "/decisions", admin, `{"digest":"sha256:00","approve":false}`, nil, 412, "digest"},
		{"stale", "POST", "/api/v1/plans/" + ids[0] + "/begin", admin, `{}`, []string{"If-Match", `"old"`}, 412, "changed since"},
	} {
		got := s.ask(c.method, c.path, c.token, c.body, c.headers...)
		if got.StatusCode != c.want || !strings.Contains(got.problem.Detail, c.says) {
			t.Errorf("%s: %d %q, want %d and %q", c.name, got.StatusCode, got.problem.Detail, c.want, c.says)
		}
	}
	if after := state(t, a); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
	for _, path := range []string{"/api/v1/../../etc/passwd", "//api/v1/plans", "/api/v1/./plans"} {
		if got := s.ask("GET", path, admin, ""); got.StatusCode < 300 {
			t.Errorf("GET %s: %d", path, got.StatusCode)
		}
	}
	// What a person signed in can do, what nobody wrote it for cannot: the same request, as it should be.
	if got := s.ask("POST", "/api/v1/purchasing", admin, stop); got.StatusCode != 200 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// TestSameKey: a request is carried out once under its key, and answered again as it was.
func TestSameKey(t *testing.T) {
	_, a, _ := approvedOf(t, mine, 1)
	s := serve(t, a)
	ada, ben := s.token("ada", false, nil, auth.Planner), s.token("ben", false, nil, auth.Planner)
	body, err := json.Marshal(api.NewPlan{File: "mine.yaml", Content: []byte(mine)})
	if err != nil {
		t.Fatal(err)
	}
	send := func(token, path, body, key string) answered {
		return s.ask("POST", path, token, body, "Idempotency-Key", key)
	}
	count := func() int {
		plans, err := a.Plans(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(plans)
	}
	first := send(ada, "/api/v1/plans", string(body), "k")
	plan := into[api.PlanCreated](first, t).Plan
	again := send(ada, "/api/v1/plans", string(body), "k")
	if !bytes.Equal(first.body, again.body) || again.Header.Get("Idempotent-Replayed") != "true" || again.Header.Get("Content-Type") != first.Header.Get("Content-Type") {
		t.Errorf("%s %s: another answer", again.Status, again.body)
	}
	if n := count(); n != 2 {
		t.Errorf("%d plans", n)
	}
	if plan.Requester != "ada" {
		t.Errorf("requested by %s", plan.Requester)
	}
	if got := send(ada, "/api/v1/plans", `{"file":"x"}`, "k"); got.StatusCode != 422 || !strings.Contains(got.problem.Detail, "another request") {
		t.Errorf("another body: %d %s", got.StatusCode, got.body)
	}
	if got := send(ada, "/api/v1/cancellations", string(body), "k"); got.StatusCode != 422 || !strings.Contains(got.problem.Detail, "another request") {
		t.Errorf("another route: %d %s", got.StatusCode, got.body)
	}
	if other := into[api.PlanCreated](send(ben, "/api/v1/plans", string(body), "k"), t).Plan; other.ID == plan.ID || other.Requester != "ben" {
		t.Errorf("ben was answered what ada was: %s of %s", other.ID, other.Requester)
	}
	// A refusal is an answer, too, and stands.
	bad := send(ada, "/api/v1/plans", `{"file":"x","content":"eA=="}`, "k2")
	if same := send(ada, "/api/v1/plans", `{"file":"x","content":"eA=="}`, "k2"); bad.StatusCode != 422 || !bytes.Equal(bad.body, same.body) {
		t.Errorf("%d %s, then %d %s", bad.StatusCode, bad.body, same.StatusCode, same.body)
	}
	if n := count(); n != 3 {
		t.Errorf("%d plans", n)
	}
	// While one is under way, the other waits; what never ended is carried out after its time.
	k := []byte(`{"file":"mine.yaml","content":""}`)
	key := keyOf("ada", "busy", "POST /api/v1/plans", k)
	if _, _, err := a.db.TakeAnswer(t.Context(), key, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := send(ada, "/api/v1/plans", string(k), "busy"); got.StatusCode != 409 || !strings.Contains(got.problem.Detail, "being carried out") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// TestETags: what is the same is not sent again, and a decision can depend on what was seen.
func TestETags(t *testing.T) {
	_, a, ids := approvedOf(t, mine, 1)
	s := serve(t, a)
	token := s.token("grace", false, nil, auth.Approver)
	p, err := a.Plan(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, path := range []string{"/api/v1/plans/" + ids[0], "/api/v1/lines/" + p.Lines[0].ID} {
		first := s.ask("GET", path, token, "")
		tags[path] = first.Header.Get("ETag")
		if first.StatusCode != 200 || tags[path] == "" {
			t.Fatalf("%s: %s", path, first.Status)
		}
		same := s.ask("GET", path, token, "", "If-None-Match", `"other", `+tags[path])
		if same.StatusCode != http.StatusNotModified || len(same.body) != 0 || same.Header.Get("ETag") != tags[path] {
			t.Errorf("%s: %s %q", path, same.Status, same.body)
		}
	}
	begun := s.ask("POST", "/api/v1/plans/"+ids[0]+"/begin", token, "{}", "If-Match", tags["/api/v1/plans/"+ids[0]])
	if v := into[api.Started](begun, t); !v.First || v.Plan.Begun.By != "grace" {
		t.Errorf("begun by %v", v.Plan.Begun)
	}
	if err := a.Reconcile(t.Context(), time.Second, nil); err != nil {
		t.Fatal(err)
	}
	for path, tag := range tags {
		if got := s.ask("GET", path, token, "", "If-None-Match", tag); got.StatusCode != 200 || got.Header.Get("ETag") == tag {
			t.Errorf("%s: %s after it was bought", path, got.Status)
		}
	}
}

// TestEvents: a stream tells where each line is and ends when nothing can move, and after
// the last number nothing is told again.
func TestEvents(t *testing.T) {
	_, a, ids := approved(t, 1)
	s := serve(t, a)
	token := s.token("vi", false, nil, auth.Viewer)
	if _, err := a.Apply(t.Context(), ids[0], "", time.Second, nil); err != nil {
		t.Fatal(err)
	}
	got := s.ask("GET", "/api/v1/plans/"+ids[0]+"/events", token, "")
	if got.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %s", got.Status, got.body)
	}
	var told []api.Progress
	last := ""
	for _, line := range events(t, bytes.NewReader(got.body)) {
		switch name, value, _ := strings.Cut(line, ": "); name {
		case "id":
			last = value
		case "data":
			var p api.Progress
			if err := json.Unmarshal([]byte(value), &p); err != nil {
				t.Fatal(err)
			}
			if p.Number > 0 {
				told = append(told, p)
			}
		}
	}
	if len(told) != 2 || !strings.HasSuffix(string(got.body), "event: end\ndata: {}\n\n") {
		t.Fatalf("%s", got.body)
	}
	for i, p := range told {
		if p.Line.State != "purchased" || p.Done != 2 || p.Lines != 2 || p.InDoubt != 0 || i > 0 && p.Number <= told[i-1].Number || p.Number < 1 {
			t.Errorf("event %d: %+v", i, p)
		}
	}
	rest := s.ask("GET", "/api/v1/plans/"+ids[0]+"/events", token, "", "Last-Event-ID", last)
	if strings.Contains(string(rest.body), "progress\n") && strings.Contains(string(rest.body), "data: {\"number\"") || !strings.Contains(string(rest.body), "event: end") {
		t.Errorf("told again: %s", rest.body)
	}
	if again := s.ask("GET", "/api/v1/plans/"+ids[0]+"/events", token, "", "Last-Event-ID", "1"); strings.Count(string(again.body), "data: {\"number\"") != 2 {
		t.Errorf("something is left out: %s", again.body)
	}
}

// TestPages: pages hold every plan and line once, in order, for whoever may see them.
func TestPages(t *testing.T) {
	_, a, ids := approved(t, 5)
	s := serve(t, a)
	all, some := s.token("vi", false, nil, auth.Viewer), s.token("will", false, []string{"444455556666"}, auth.Viewer)
	var plans []string
	for cursor := ""; ; {
		page := into[api.PlanPage](s.ask("GET", "/api/v1/plans?limit=2&cursor="+cursor, all, ""), t)
		for _, p := range page.Plans {
			plans = append(plans, p.ID)
			if p.Lines != 2 || p.States["ready"] != 2 || p.Progress != "running" || p.Approvals.Given != 1 {
				t.Errorf("%+v", p)
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for i, id := range plans {
		if ids[len(ids)-1-i] != id {
			t.Errorf("plans %v of %v", plans, ids)
			break
		}
	}
	if len(plans) != 5 {
		t.Errorf("%d plans", len(plans))
	}
	for token, want := range map[string]int{all: 10, some: 5} {
		for _, filter := range []string{"", "&state=ready", "&account=444455556666", "&state=ready&account=444455556666"} {
			if strings.Contains(filter, "account") {
				want = 5
			}
			seen, last := map[string]bool{}, ""
			for cursor := ""; ; {
				page := into[api.LinePage](s.ask("GET", "/api/v1/lines?limit=3"+filter+"&cursor="+cursor, token, ""), t)
				for _, l := range page.Lines {
					if seen[l.ID] || last != "" && l.Plan > last {
						t.Errorf("%s: line %s again, or out of order", filter, l.ID)
					}
					seen[l.ID], last = true, l.Plan
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			if len(seen) != want {
				t.Errorf("%s: %d lines, want %d", filter, len(seen), want)
			}
		}
	}
	if page := into[api.PlanPage](s.ask("GET", "/api/v1/plans", some, ""), t); len(page.Plans) != 0 {
		t.Errorf("plans with lines in other accounts are shown: %v", page.Plans)
	}
	o := into[api.Overview](s.ask("GET", "/api/v1/overview", all, ""), t)
	if o.Plans["approved"] != 5 || o.Lines["ready"] != 10 || len(o.Open) != 1 || len(o.Bound) != 0 {
		t.Errorf("%+v", o)
	}
	if o := into[api.Overview](s.ask("GET", "/api/v1/overview", some, ""), t); o.Lines["ready"] != 5 {
		t.Errorf("%+v", o.Lines)
	}
}

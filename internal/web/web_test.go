package web_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/app"
)

// visitor is somebody with a browser that runs no scripts.
type visitor struct {
	*world
	who string
}

// send sends a request and reads the answer, which leads nowhere by itself.
func (v visitor) send(req *http.Request) (*http.Response, string) {
	v.Helper()
	if v.who != "" {
		req.AddCookie(v.session())
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	return resp, string(body)
}

// session signs the visitor in, the first time.
func (v visitor) session() *http.Cookie {
	v.Helper()
	if c := v.cookies[v.who]; c != nil {
		return c
	}
	link, err := url.Parse(v.link(v.who))
	if err != nil {
		v.Fatal(err)
	}
	req, err := http.NewRequestWithContext(v.Context(), http.MethodPost, v.base+link.Path, strings.NewReader(link.RawQuery))
	if err != nil {
		v.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, body := visitor{world: v.world}.send(req)
	if len(resp.Cookies()) == 0 {
		v.Fatalf("%s is not signed in: %s\n%s", v.who, resp.Status, body)
	}
	v.cookies[v.who] = resp.Cookies()[0]
	return v.cookies[v.who]
}

func (v visitor) open(path string) (int, string) {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), http.MethodGet, v.base+path, nil)
	if err != nil {
		v.Fatal(err)
	}
	resp, body := v.send(req)
	return resp.StatusCode, body
}

// post sends a form and returns the status, where it leads, and what it says.
func (v visitor) post(path string, form url.Values) (status int, to, body string) {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, body := v.send(req)
	return resp.StatusCode, resp.Header.Get("Location"), body
}

// upload makes a plan out of a file and returns its id.
func (v visitor) upload(file string, content []byte, fields map[string]string) string {
	v.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for name, text := range fields {
		form.WriteField(name, text) //nolint:errcheck // memory
	}
	part, err := form.CreateFormFile("file", file)
	if err != nil {
		v.Fatal(err)
	}
	part.Write(content) //nolint:errcheck // memory
	form.Close()        //nolint:errcheck // memory
	req, err := http.NewRequestWithContext(v.Context(), http.MethodPost, v.base+"/plans", &b)
	if err != nil {
		v.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, body := v.send(req)
	id, ok := strings.CutPrefix(resp.Header.Get("Location"), "/plans/")
	if resp.StatusCode != http.StatusSeeOther || !ok {
		v.Fatalf("%s\n%s", resp.Status, body)
	}
	return id
}

const onePlan = `version: 1
name: One
lines:
  - {account: "111122223333", region: us-east-1, service: rds, engine: mysql, class: db.m6g.large, multi_az: false, term: 1y, payment: all-upfront, quantity: %d}
%s`

// paths are those of every page that is read.
func paths(plan, line string) []string {
	return []string{
		"/", "/plans", "/plans/new", "/plans/" + plan, "/plans/" + plan + "/approve", "/plans/" + plan + "/execution", "/doubt", "/doubt/" + line,
		"/history", "/history/" + line, "/history/" + line + "/undo", "/inventory", "/expiry", "/what-if", "/recommendations", "/schedules", "/accounts", "/audit", "/sign-in/link?link=x", "/nowhere",
	}
}

// TestHomeIsSmall adds up what a browser loads to show Home for the first time.
func TestHomeIsSmall(t *testing.T) {
	w := newWorld(t, configuration)
	v := visitor{w, "grace"}
	file, err := os.ReadFile("../../testdata/plan-rds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	visitor{w, "ada"}.upload("plan.yaml", file, nil)
	const most = 100_000
	total := 0
	load := func(path string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip, br")
		resp, body := v.send(req)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: %s, encoding %q", path, resp.Status, resp.Header.Get("Content-Encoding"))
		}
		if strings.HasPrefix(path, "/assets/") && !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s is not kept by browsers", path)
		}
		for name, values := range resp.Header {
			total += len(name) + len(strings.Join(values, "")) + 4
		}
		total += len(body)
		return body
	}
	load("/")
	_, plain := v.open("/")
	for _, m := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(plain, -1) {
		load(m[1])
	}
	t.Logf("Home takes %d bytes", total)
	if total > most {
		t.Errorf("Home takes %d bytes, more than %d", total, most)
	}
}

// TestPagesRunNothing reads every page for what a strict policy forbids, and the policy
// for what it must not allow.
func TestPagesRunNothing(t *testing.T) {
	w := newWorld(t, configuration)
	plan := visitor{w, "ada"}.upload("plan.yaml", fmt.Appendf(nil, onePlan, 1, ""), nil)
	p, err := w.app.Plan(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	inline := regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	for _, path := range append(paths(plan, p.Lines[0].ID), "/sign-in") {
		for _, who := range []string{"root", "vera", ""} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, body := visitor{w, who}.send(req)
			policy := resp.Header.Get("Content-Security-Policy")
			if !strings.Contains(policy, "default-src 'self'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s has the policy %q", path, policy)
			}
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s may be sniffed", path)
			}
			if m := inline.FindString(body); m != "" {
				t.Errorf("%s as %q holds %q", path, who, m)
			}
			if who != "" && !strings.Contains(body, "SIMULATED") && !strings.HasPrefix(path, "/sign-in") {
				t.Errorf("%s does not say SIMULATED", path)
			}
			if who == "" && !strings.HasPrefix(path, "/sign-in") && strings.Contains(body, "Ledger") {
				t.Errorf("%s shows something to nobody:\n%s", path, body)
			}
		}
	}
}

// TestReadingDoesNotAct opens every page, and every address that acts, with GET.
func TestReadingDoesNotAct(t *testing.T) {
	w := newWorld(t, configuration)
	plan := visitor{w, "ada"}.upload("plan.yaml", fmt.Appendf(nil, onePlan, 1, ""), nil)
	before, err := w.app.Plan(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	line := before.Lines[0].ID
	v := visitor{w, "root"}
	for _, path := range append(paths(plan, line),
		"/plans/"+plan+"/approve?decision=approve&total="+before.Total.Total.Decimal()+"&digest="+before.Digest, "/plans/"+plan+"/begin", "/plans/"+plan+"/cancel", "/plans/"+plan+"/continue",
		"/plans/"+plan+"/schedule?at=2030-01-01T00:00", "/purchasing?on=false", "/schedules/run?task=resolve", "/schedules/cancel", "/accounts/doctor", "/audit/check", "/sign-out", "/doubt/"+line+"/second") {
		if status, body := v.open(path); status >= 500 {
			t.Errorf("%s: %d\n%s", path, status, body)
		}
	}
	after, err := w.app.Plan(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if after.State != before.State || len(after.Decisions) > 0 || after.Begun != nil || after.Lines[0].State != before.Lines[0].State {
		t.Errorf("the plan is %s (%s) after reading", after.State, after.Lines[0].State)
	}
	if all, _, _ := w.Sent(""); all > 0 {
		t.Errorf("reading sent %d purchases", all)
	}
	if p, err := w.app.Purchasing(t.Context()); err != nil || !p.Purchasing {
		t.Errorf("reading stopped purchasing: %v", err)
	}
}

// TestPostsFromElsewhere come to nothing.
func TestPostsFromElsewhere(t *testing.T) {
	w := newWorld(t, configuration)
	v := visitor{w, "root"}
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://elsewhere.example"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.base+"/purchasing", strings.NewReader("on=false&comment=x"))
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if resp, _ := v.send(req); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", header, resp.Status)
		}
	}
	if p, err := w.app.Purchasing(t.Context()); err != nil || !p.Purchasing {
		t.Errorf("purchasing was stopped from elsewhere: %v", err)
	}
}

// TestStop stops purchasing as a planner, who cannot start it again.
func TestStop(t *testing.T) {
	w := newWorld(t, configuration)
	if status, to, body := (visitor{w, "ada"}).post("/purchasing", url.Values{"on": {"false"}, "comment": {"prices look wrong"}}); status != http.StatusSeeOther || to != "/" {
		t.Fatalf("%d %s\n%s", status, to, body)
	}
	if _, body := (visitor{w, "vera"}).open("/history"); !strings.Contains(body, "Purchasing is stopped.") || !strings.Contains(body, "prices look wrong") {
		t.Error("a page does not say that purchasing is stopped")
	}
	for _, c := range []struct {
		who    string
		status int
	}{{"vera", http.StatusForbidden}, {"ada", http.StatusForbidden}, {"root", http.StatusSeeOther}} {
		if status, _, body := (visitor{w, c.who}).post("/purchasing", url.Values{"on": {"true"}}); status != c.status {
			t.Errorf("%s starts purchasing: %d\n%s", c.who, status, body)
		}
	}
}

// TestVersions shows what changed against the version before.
func TestVersions(t *testing.T) {
	w := newWorld(t, configuration)
	v := visitor{w, "ada"}
	first := v.upload("plan.yaml", fmt.Appendf(nil, onePlan, 1, ""), nil)
	more := `  - {account: "111122223333", region: us-east-1, service: rds, engine: postgresql, class: db.m6g.xlarge, multi_az: false, term: 1y, payment: all-upfront, quantity: 2}` + "\n"
	next := v.upload("plan.yaml", fmt.Appendf(nil, onePlan, 3, more), map[string]string{"supersedes": first})
	_, body := v.open("/plans/" + next)
	for _, want := range []string{"What changed against version 1", "1 → 3", "0 → 2", ">added<", ">changed<"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	_, body = visitor{w, "grace"}.open("/plans/" + first + "/approve")
	if !strings.Contains(body, "Only the newest version can be approved.") || strings.Contains(body, `name="total"`) {
		t.Error("an old version can be approved")
	}
}

// TestApproval is refused for another digest, and counts a person once.
func TestApproval(t *testing.T) {
	w := newWorld(t, strings.Replace(configuration, "needed: 1", "needed: 2", 1))
	plan := visitor{w, "ada"}.upload("plan.yaml", fmt.Appendf(nil, onePlan, 1, ""), nil)
	p, err := w.app.Plan(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	yes := url.Values{"decision": {"approve"}, "digest": {p.Digest}, "total": {p.Total.Total.String()}, "days": {"3"}}
	for _, c := range []struct {
		who, field, value string
		status            int
	}{
		{"ada", "", "", http.StatusForbidden},
		{"grace", "digest", strings.Replace(p.Digest, ":", ":0", 1)[:len(p.Digest)], http.StatusUnprocessableEntity},
		{"grace", "total", "1", http.StatusUnprocessableEntity},
		{"grace", "days", "31", http.StatusUnprocessableEntity},
		{"grace", "decision", "reject", http.StatusUnprocessableEntity}, // without a reason
		{"grace", "", "", http.StatusSeeOther},
		{"grace", "", "", http.StatusUnprocessableEntity},
		{"linus", "", "", http.StatusSeeOther},
	} {
		form := url.Values{}
		for k, x := range yes {
			form[k] = x
		}
		if c.field != "" {
			form.Set(c.field, c.value)
		}
		if status, _, body := (visitor{w, c.who}).post("/plans/"+plan+"/approve", form); status != c.status {
			t.Errorf("%s with %s %q: %d, want %d\n%s", c.who, c.field, c.value, status, c.status, body)
		}
	}
	if p, err = w.app.Plan(t.Context(), plan); err != nil || p.State != "approved" || len(p.Decisions) != 2 {
		t.Errorf("the plan is %s with %d decisions, %v", p.State, len(p.Decisions), err)
	}
}

// TestSchedule has a plan begin at a time and calls that off.
func TestSchedule(t *testing.T) {
	w := newWorld(t, configuration)
	plan := visitor{w, "ada"}.upload("plan.yaml", fmt.Appendf(nil, onePlan, 1, ""), nil)
	p, err := w.app.Plan(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.app.Decide(t.Context(), api.Decision{Plan: plan, Digest: p.Digest, By: "linus", Approve: true}, app.DefaultApproval); err != nil {
		t.Fatal(err)
	}
	v := visitor{w, "grace"}
	at := w.app.Now().Add(24 * time.Hour).UTC().Format("2006-01-02T15:04")
	if status, to, body := v.post("/plans/"+plan+"/schedule", url.Values{"at": {at}}); status != http.StatusSeeOther || to != "/plans/"+plan {
		t.Fatalf("%d\n%s", status, body)
	}
	_, body := v.open("/schedules")
	m := regexp.MustCompile(`name="schedule" value="([^"]+)"`).FindStringSubmatch(body)
	if m == nil || !strings.Contains(body, "waiting") {
		t.Fatalf("the schedule is not shown:\n%s", body)
	}
	if status, _, body := v.post("/schedules/cancel", url.Values{"schedule": {m[1]}}); status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", status, body)
	}
	if s, err := w.app.Schedules(t.Context()); err != nil || s.Plans[0].State != "canceled" {
		t.Errorf("%+v %v", s.Plans, err)
	}
	if status, _, body := (visitor{w, "vera"}).post("/schedules/run", url.Values{"task": {"audit"}}); status != http.StatusForbidden {
		t.Errorf("a viewer runs a task: %d\n%s", status, body)
	}
	if status, _, body := (visitor{w, "root"}).post("/schedules/run", url.Values{"task": {"audit"}}); status != http.StatusSeeOther {
		t.Errorf("%d\n%s", status, body)
	}
}

package app

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/recommend/policy"
	"bursar/internal/store"
)

// served is an app behind its server.
type served struct {
	t    *testing.T
	app  *App
	http *httptest.Server
	keys atomic.Int64
}

func serve(t *testing.T, a *App) *served {
	t.Helper()
	s, _, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	return &served{t: t, app: a, http: h}
}

// token makes a person with roles and a scope, and gives them a token.
func (s *served) token(name string, agent bool, accounts []string, roles ...auth.Role) string {
	s.t.Helper()
	if _, err := s.app.AddPerson(s.t.Context(), api.PersonRequest{Name: name, Roles: roleNames(roles), Accounts: accounts, By: "root"}); err != nil {
		s.t.Fatal(err)
	}
	made, err := s.app.CreateToken(s.t.Context(), api.TokenRequest{Name: name, Owner: name, Agent: agent, Valid: time.Hour, By: "root"})
	if err != nil {
		s.t.Fatal(err)
	}
	return made.Value
}

// answer is what came back.
type answered struct {
	*http.Response
	body    []byte
	problem api.Problem
}

// ask sends a request; pairs are headers. A POST gets a fresh key unless it brings one.
func (s *served) ask(method, path, token, body string, pairs ...string) answered {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.http.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if method == http.MethodPost {
		r.Header.Set("Idempotency-Key", fmt.Sprint("key ", s.keys.Add(1)))
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(pairs); i += 2 {
		if r.Header.Del(pairs[i]); pairs[i+1] != "" {
			r.Header.Set(pairs[i], pairs[i+1])
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answered{Response: resp, body: raw}
	if !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/assets/") && path != "/metrics" && path != "/readyz" {
		if kind := resp.Header.Get("Content-Type"); resp.StatusCode >= 400 && (!strings.HasPrefix(kind, "text/html") || !strings.Contains(string(raw), "<p>")) {
			s.t.Errorf("%s %s: %s is no page that says why: %s", method, path, resp.Status, raw)
		}
		return a
	}
	if resp.StatusCode >= 400 && !strings.HasPrefix(path, "/assets/") {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&a.problem); err != nil || a.problem.Status != resp.StatusCode || resp.Header.Get("Content-Type") != "application/problem+json" {
			s.t.Errorf("%s %s: %s is no problem of RFC 9457: %s", method, path, resp.Status, raw)
		}
		if d := a.problem.Detail; d == "" || strings.ContainsAny(d, "\r\n") {
			s.t.Errorf("%s %s: %q is not one sentence", method, path, d)
		}
	}
	return a
}

// into reads an answer that must be a success.
func into[T any](a answered, t *testing.T) (v T) {
	t.Helper()
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", a.Status, a.body)
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The scopes of the matrix.
const (
	everyAccount = "every account"
	theAccount   = "the account"
	otherAccount = "another account"
)

// route is who may what at one route. subject: what the path or body names is in the
// account, and for others does not exist. whole: it is about every account. open: it is
// for everybody, signed in or not, and answers with one of these.
type route struct {
	needs          auth.Permission
	subject, whole bool
	open           []int
	body           string
	file           bool   // the body is a form with a file
	at             string // where it is asked; "" is its path
}

// routes has a row for every route of the API.
var routes = map[string]route{
	"GET /api/v1/installation":                 {needs: auth.Read},
	"GET /api/v1/overview":                     {needs: auth.Read},
	"GET /api/v1/inventory":                    {needs: auth.Read},
	"POST /api/v1/inventory/utilization":       {needs: auth.Plan, body: `{}`},
	"GET /api/v1/check":                        {needs: auth.Read, whole: true},
	"GET /api/v1/plans":                        {needs: auth.Read},
	"POST /api/v1/plans":                       {needs: auth.Plan, body: `{"file":"p.yaml","content":"eA=="}`},
	"GET /api/v1/plans/{plan}":                 {needs: auth.Read, subject: true},
	"POST /api/v1/plans/{plan}/continue":       {needs: auth.Plan, subject: true, body: `{}`},
	"POST /api/v1/plans/{plan}/decisions":      {needs: auth.Approve, subject: true, body: `{"digest":"x","approve":true}`},
	"POST /api/v1/plans/{plan}/begin":          {needs: auth.Apply, subject: true, body: `{}`},
	"POST /api/v1/plans/{plan}/schedules":      {needs: auth.Apply, subject: true, body: `{"at":"2001-01-01T00:00:00Z"}`},
	"GET /api/v1/plans/{plan}/events":          {needs: auth.Read, subject: true},
	"GET /api/v1/lines":                        {needs: auth.Read},
	"GET /api/v1/lines/{line}":                 {needs: auth.Read, subject: true},
	"GET /api/v1/lines/{line}/case":            {needs: auth.Read, subject: true},
	"POST /api/v1/lines/{line}/resolutions":    {needs: auth.Resolve, subject: true, body: `{"choice":"look_again"}`},
	"GET /api/v1/lines/{line}/undo":            {needs: auth.Read, subject: true},
	"POST /api/v1/lines/{line}/undo":           {needs: auth.Resolve, subject: true, body: `{}`},
	"POST /api/v1/cancellations":               {needs: auth.Stop, subject: true, body: `{"ids":["{plan}"]}`},
	"GET /api/v1/purchasing":                   {needs: auth.Read},
	"POST /api/v1/purchasing":                  {needs: auth.Administer, whole: true, body: `{"purchasing":true}`},
	"GET /api/v1/budgets":                      {needs: auth.Read},
	"POST /api/v1/budgets":                     {needs: auth.Administer, whole: true, body: `{"name":"b","cap":"1000000","currency":"USD"}`},
	"POST /api/v1/budgets/{budget}/retire":     {needs: auth.Administer, whole: true, body: `{}`},
	"GET /api/v1/schedules":                    {needs: auth.Read},
	"POST /api/v1/schedules/{schedule}/cancel": {needs: auth.Stop, subject: true, body: `{}`},
	"GET /api/v1/recommendations/cost":         {needs: auth.Read},
	"GET /api/v1/recommendations":              {needs: auth.Read},
	"POST /api/v1/recommendations":             {needs: auth.Plan, body: `{"providers":["aws"],"services":["memorydb"]}`},
	"GET /api/v1/advice":                       {needs: auth.Read},
	"POST /api/v1/advice/of-file":              {needs: auth.Read, body: `{"file":"p.yaml","content":"eA=="}`},
	"POST /api/v1/advice/{key}/verdicts":       {needs: auth.Plan, whole: true, body: `{"verdict":"dismissed","reason":"x","input":{"file":"p.yaml","content":"{content}"}}`},
	"GET /api/v1/notifications":                {needs: auth.Read},
	"GET /api/v1/notifications/outbox":         {needs: auth.Read},
	"POST /api/v1/notifications/mutes":         {needs: auth.Own, body: `{"kind":"bought","for":"24h"}`},
	"POST /api/v1/notifications/unmute":        {needs: auth.Own, body: `{"kind":"bought"}`},
	"POST /api/v1/tasks/{task}/run":            {needs: auth.Resolve, whole: true, body: `{}`},
}

// mine is a plan in one account.
const mine = `version: 1
lines:
  - {account: "111122223333", region: us-east-1, service: rds, engine: mysql, class: db.m6g.large, multi_az: false, term: 1y, payment: all-upfront, quantity: 1}
`

// TestMatrix asks at every route as everybody: those of the API, of the server's own and
// of the pages. The routes are those that the router has: one without a row fails. What
// is of one account is not told to who sees another one only.
func TestMatrix(t *testing.T) {
	_, a, ids := approvedOf(t, mine, 3)
	server, _, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, a)
	p, err := a.Plan(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	account := p.Lines[0].Account
	other := a.clouds.accounts()[1]
	if other == account {
		other = a.clouds.accounts()[0]
	}
	waiting, err := a.SchedulePlan(t.Context(), ids[1], a.clouds.now().Add(30*time.Minute), "")
	if err != nil {
		t.Fatal(err)
	}
	bought, err := a.Apply(t.Context(), ids[2], "", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	// In its end nothing can move any more, and a stream is not waited for.
	if _, err := a.Cancel(t.Context(), ids[:1], "", ""); err != nil {
		t.Fatal(err)
	}
	if err := a.Reconcile(t.Context(), 0, nil); err != nil {
		t.Fatal(err)
	}

	rows := maps.Clone(routes)
	maps.Copy(rows, ownRoutes)
	maps.Copy(rows, pageRoutes)
	found := server.Routes()
	for name := range rows {
		if !slices.Contains(found, name) {
			t.Errorf("%s has a row and is no route", name)
		}
	}
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(s.ask("GET", "/openapi.json", "", "").body, &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			if name := strings.ToUpper(method) + " " + path; !slices.Contains(found, name) {
				t.Errorf("%s is in the document of the API and is no route", name)
			}
		}
	}

	scopes := map[string][]string{everyAccount: nil, theAccount: {account}, otherAccount: {other}}
	type actor struct {
		token, scope string
		who          auth.Principal
	}
	in, err := readInput("p.yaml", []byte(mine))
	if err != nil {
		t.Fatal(err)
	}
	actors := map[string]actor{"nobody": {scope: everyAccount}}
	for scope, accounts := range scopes {
		for _, role := range auth.Roles {
			name := string(role) + " of " + scope
			actors[name] = actor{s.token(name, false, accounts, role), scope, auth.Principal{Name: name, Roles: []auth.Role{role}}}
		}
		name := "agent of " + scope
		actors[name] = actor{s.token(name, true, accounts, auth.Admin), scope, auth.Principal{Name: name, Roles: []auth.Role{auth.Admin}, Agent: true}}
	}
	var asked atomic.Int64
	for _, name := range found {
		row, ok := rows[name]
		if !ok {
			t.Errorf("%s has no row: who may do it?", name)
			continue
		}
		method, path, ok := strings.Cut(name, " ")
		if !ok {
			method, path = http.MethodGet, name
		}
		fill := strings.NewReplacer("{plan}", ids[0], "{line}", p.Lines[0].ID, "{bought}", bought.Lines[0].ID, "{budget}", "b", "{schedule}", waiting.ID, "{task}", "expire",
			"{key}", policy.Key(in.Drafts[0]), "{content}", base64.StdEncoding.EncodeToString([]byte(mine)))
		path = fill.Replace(cmp.Or(row.at, path))
		page := !strings.HasPrefix(path, "/api/") && path != "/metrics"
		kind, body := "", fill.Replace(row.body)
		switch {
		case row.file:
			kind, body = upload(t, "file.yaml", "nothing of use")
		case page:
			kind = form
		default:
			kind = "application/json"
		}
		judge := func(who string, by actor) {
			answer := s.ask(method, path, by.token, body, "Content-Type", kind)
			got := answer.StatusCode
			asked.Add(1)
			if by.scope == otherAccount && bytes.Contains(answer.body, []byte(account)) {
				t.Errorf("%s tells %s of account %s", name, who, account)
			}
			var want []int // nil: whatever is neither of these
			switch {
			case row.open != nil:
				want = row.open
			case by.token == "" && page && method == http.MethodGet:
				if !led(answer) {
					t.Errorf("%s as %s: %d does not lead to the sign-in", name, who, got)
				}
				return
			case by.token == "":
				want = []int{401}
			case !by.who.May(row.needs):
				want = []int{403}
			case row.whole && by.scope != everyAccount:
				want = []int{403}
			case row.subject && by.scope == otherAccount:
				want = []int{404}
			}
			refused := got == 401 || got == 403 || got == 404 && row.subject || led(answer)
			if want == nil && (refused || got >= 500) || want != nil && !slices.Contains(want, got) {
				t.Errorf("%s as %s: %d, want %v", name, who, got, want)
			}
		}
		var all sync.WaitGroup
		for who, by := range actors {
			if name == "POST /api/v1/budgets/{budget}/retire" {
				if _, err := a.SetBudget(t.Context(), api.BudgetRequest{Name: "b", Cap: "1000000", Currency: "USD"}); err != nil {
					t.Fatal(err)
				}
				judge(who, by)
				continue
			}
			all.Go(func() { judge(who, by) })
		}
		all.Wait()
	}
	if want := len(rows) * len(actors); asked.Load() != int64(want) || len(actors) != 16 {
		t.Errorf("%d requests instead of %d", asked.Load(), want)
	}
}

// lines of what a stream sends.
func events(t *testing.T, r io.Reader) (list []string) {
	t.Helper()
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		list = append(list, in.Text())
	}
	return list
}

func keyOf(principal, key, route string, body []byte) store.AnswerKey {
	sum := sha256.Sum256(body)
	return store.AnswerKey{Principal: principal, Key: key, Route: route, Body: hex.EncodeToString(sum[:])}
}

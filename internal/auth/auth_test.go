package auth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/app"
	"bursar/internal/auth"
	"bursar/internal/auth/oidctest"
	"bursar/internal/pgtest/pgtesting"
)

func TestMain(m *testing.M) { os.Exit(pgtesting.Run(m)) }

// world is an installation with a server in front: GET /who tells who acts, and POST
// /approve is an act that is counted.
type world struct {
	t     *testing.T
	app   *app.App
	auth  *auth.Authenticator
	url   string
	acted atomic.Int32
	now   time.Time
}

const httpsBase = "https://bursar.example.org"

func open(t *testing.T, ledger, config string) *world {
	t.Helper()
	w := &world{t: t, now: time.Now().UTC()}
	dir := t.TempDir()
	if ledger == "" {
		ledger = filepath.Join(dir, "bursar.db")
	}
	srv := httptest.NewUnstartedServer(nil)
	w.url = "http://" + srv.Listener.Addr().String()
	o := app.Options{Ledger: ledger, Config: filepath.Join(dir, "bursar.yaml")}
	text := strings.ReplaceAll(config, "BASE", w.url)
	if err := os.WriteFile(o.Config, []byte(text+"\njournal: journal\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if _, err := app.Init(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	a, err := app.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() }) //nolint:errcheck // the test is over
	w.app = a
	if w.auth, err = a.Authenticator(nil); err != nil {
		t.Fatal(err)
	}
	w.auth.Now = func() time.Time { return w.now }
	mux := http.NewServeMux()
	mux.HandleFunc(auth.LinkPath, w.auth.UseLink)
	mux.HandleFunc(auth.StartPath, w.auth.StartOIDC)
	mux.HandleFunc(auth.CallbackPath, w.auth.FinishOIDC)
	mux.HandleFunc(auth.SignOutPath, w.auth.SignOut)
	mux.HandleFunc("GET /who", func(rw http.ResponseWriter, r *http.Request) {
		if p, ok := w.auth.Permit(rw, r, auth.ReadAny); ok {
			fmt.Fprintf(rw, "%s %v %v %t %s", p.Name, p.Roles, p.Accounts, p.Agent, p.Session)
		}
	})
	mux.Handle("POST /approve", w.auth.Require(auth.PlanApprove, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { w.acted.Add(1) })))
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	srv.Config.Handler = w.auth.Middleware(mux)
	srv.Start()
	t.Cleanup(srv.Close)
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// browser is one that keeps cookies and follows no redirect.
func (w *world) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	w.ok(err)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// do sends a request, and holds what is refused to one sentence.
func (w *world) do(c *http.Client, method, path string, form url.Values, header ...string) (int, string, http.Header) {
	w.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = w.url + path
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(form.Encode()))
	w.ok(err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	w.ok(err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	w.ok(err)
	body := strings.TrimSuffix(string(raw), "\n")
	if resp.StatusCode >= 400 && (body == "" || strings.Contains(body, "\n") || strings.HasSuffix(body, ".")) {
		w.t.Errorf("%s %s: %d is not told in one sentence: %q", method, path, resp.StatusCode, body)
	}
	return resp.StatusCode, body, resp.Header
}

func (w *world) wants(c *http.Client, method, path string, form url.Values, status int, says string, header ...string) {
	w.t.Helper()
	if got, body, _ := w.do(c, method, path, form, header...); got != status || !strings.Contains(body, says) {
		w.t.Errorf("%s %s: %d %q, want %d %q", method, path, got, body, status, says)
	}
}

// log is the last entry of the audit log.
func (w *world) log() api.AuditEntry {
	w.t.Helper()
	list, err := w.app.AuditLog(context.Background(), app.AuditFilter{Last: 1})
	w.ok(err)
	return list[0]
}

func (w *world) entries() int {
	w.t.Helper()
	list, err := w.app.AuditLog(context.Background(), app.AuditFilter{})
	w.ok(err)
	return len(list)
}

func (w *world) person(name, mail string, roles ...string) {
	w.t.Helper()
	_, err := w.app.AddPerson(w.t.Context(), api.PersonRequest{Name: name, Mail: mail, Roles: roles})
	w.ok(err)
}

func (w *world) token(r api.TokenRequest) api.Token {
	w.t.Helper()
	if r.Valid == 0 {
		r.Valid = time.Hour
	}
	t, err := w.app.CreateToken(w.t.Context(), r)
	w.ok(err)
	return t
}

func (w *world) link(name string) string {
	w.t.Helper()
	l, err := w.app.SignInLink(w.t.Context(), name, "", "")
	w.ok(err)
	u, err := url.Parse(l.URL)
	w.ok(err)
	if u.Path != auth.LinkPath {
		w.t.Errorf("the link is %s", l.URL)
	}
	return u.Query().Get(auth.LinkField)
}

// signedIn is a browser of somebody.
func (w *world) signedIn(name string) *http.Client {
	w.t.Helper()
	w.now = time.Now().UTC() // by which the ledger dates links
	c := w.browser()
	w.wants(c, "POST", auth.LinkPath, url.Values{auth.LinkField: {w.link(name)}}, 303, "")
	return c
}

func bearer(t string) []string { return []string{"Authorization", "Bearer " + t} }

func (w *world) cookies(c *http.Client) []*http.Cookie {
	u, err := url.Parse(w.url)
	w.ok(err)
	return c.Jar.Cookies(u)
}

const plain = "auth: {base_url: BASE}"

// onBoth runs a test on both databases.
func onBoth(t *testing.T, config string, test func(*testing.T, *world)) {
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, "", config)) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, pgtesting.Database(t), config)) })
}

func TestALinkSignsInOnce(t *testing.T) {
	onBoth(t, plain, func(t *testing.T, w *world) {
		link := w.link("ada")
		c := w.browser()
		w.wants(c, "GET", auth.LinkPath+"?link="+link, nil, 405, "takes a POST")
		w.wants(c, "GET", "/who", nil, 401, "sign in first")
		before := w.entries()
		w.wants(c, "POST", auth.LinkPath, url.Values{"link": {link}, "next": {"/plans/1"}}, 303, "")
		w.wants(c, "GET", "/who", nil, 200, "ada [admin] [] false session ")
		if e := w.log(); w.entries() != before+1 || e.Act != "sign_in" || e.Actor != "ada" || e.Kind != "act" || e.Details["address"] != "127.0.0.1" {
			t.Errorf("the audit log says %+v", e)
		}
		if got := w.cookies(c); len(got) != 1 || got[0].Name != "bursar" || strings.Contains(w.log().Session, got[0].Value) {
			t.Errorf("cookies %v, session %s", got, w.log().Session)
		}
		other := w.browser()
		w.wants(other, "POST", auth.LinkPath, url.Values{"link": {link}}, 401, "used before")
		w.wants(other, "POST", auth.LinkPath, url.Values{"link": {"x"}}, 401, "there is no such link")
		w.wants(other, "GET", "/who", nil, 401, "sign in first")
		if e := w.log(); e.Kind != "denied" || e.Act != "sign_in" || e.Actor != "nobody" {
			t.Errorf("the audit log says %+v", e)
		}

		// A fresh link makes the earlier one useless, and none lives long.
		first, second := w.link("ada"), w.link("ada")
		w.wants(other, "POST", auth.LinkPath, url.Values{"link": {first}}, 401, "a later one took its place")
		w.now = time.Now().UTC().Add(auth.LinkLifetime)
		w.wants(other, "POST", auth.LinkPath, url.Values{"link": {second}}, 401, "time is over")
	})
}

// TestOneOfManyUsesALink sends the same link at once.
func TestOneOfManyUsesALink(t *testing.T) {
	onBoth(t, plain, func(t *testing.T, w *world) {
		link := w.link("ada")
		answers := make(chan int, 8)
		for range cap(answers) {
			c := w.browser()
			go func() {
				resp, err := c.PostForm(w.url+auth.LinkPath, url.Values{"link": {link}})
				if err != nil {
					answers <- 0
					return
				}
				resp.Body.Close()
				answers <- resp.StatusCode
			}()
		}
		in := 0
		for range cap(answers) {
			switch status := <-answers; status {
			case 303:
				in++
			case 401:
			default:
				t.Errorf("answered %d", status)
			}
		}
		if in != 1 {
			t.Errorf("%d signed in", in)
		}
		if _, err := w.app.VerifyAudit(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}

func TestSessions(t *testing.T) {
	onBoth(t, "auth: {base_url: BASE, session: 3h, idle: 1h}", func(t *testing.T, w *world) {
		c := w.signedIn("ada")
		old := w.cookies(c)[0].Value
		for range 3 { // used often enough, it lasts until its end
			w.now = w.now.Add(50 * time.Minute)
			w.wants(c, "GET", "/who", nil, 200, "ada")
		}
		w.now = w.now.Add(50 * time.Minute)
		w.wants(c, "GET", "/who", nil, 401, "your session is over: sign in again")

		c = w.signedIn("ada")
		w.now = w.now.Add(time.Hour)
		w.wants(c, "GET", "/who", nil, 401, "your session is over")
		w.wants(c, "POST", "/approve", nil, 401, "your session is over")

		// A new sign-in has a new secret and ends the session before it.
		c = w.signedIn("ada")
		before := w.cookies(c)[0].Value
		w.wants(c, "POST", auth.LinkPath, url.Values{"link": {w.link("ada")}}, 303, "")
		if now := w.cookies(c)[0].Value; now == before || now == old {
			t.Error("the secret of the session was not changed")
		}
		w.wants(w.browser(), "GET", "/who", nil, 401, "your session is over", "Cookie", "bursar="+before)

		secret := w.cookies(c)[0].Value
		w.wants(c, "GET", auth.SignOutPath, nil, 405, "takes a POST")
		w.wants(c, "GET", "/who", nil, 200, "ada")
		w.wants(c, "POST", auth.SignOutPath, nil, 303, "")
		if e := w.log(); e.Act != "sign_out" || e.Actor != "ada" {
			t.Errorf("the audit log says %+v", e)
		}
		w.wants(c, "GET", "/who", nil, 401, "sign in first")
		w.wants(w.browser(), "GET", "/who", nil, 401, "your session is over", "Cookie", "bursar="+secret)
		w.wants(w.browser(), "GET", "/who", nil, 401, "your session is over", "Cookie", "bursar=forged")
		if w.acted.Load() != 0 {
			t.Error("something was done")
		}
	})
}

func TestDisabledPeopleAreOutAtOnce(t *testing.T) {
	w := open(t, "", plain)
	c := w.signedIn("ada")
	w.person("grace", "", "approver")
	g := w.signedIn("grace")
	key := w.token(api.TokenRequest{Name: "n", Owner: "grace"})
	w.wants(g, "POST", "/approve", nil, 200, "")
	_, err := w.app.SetRoles(t.Context(), api.PersonRequest{Name: "Grace", Roles: []string{"viewer"}})
	w.ok(err)
	w.wants(g, "POST", "/approve", nil, 403, "it takes the role approver or admin")
	w.wants(http.DefaultClient, "POST", "/approve", nil, 403, "it takes the role", bearer(key.Value)...) // the token has what its owner has
	_, err = w.app.DisablePerson(t.Context(), "grace", true, "")
	w.ok(err)
	w.wants(g, "GET", "/who", nil, 401, "your session is over")
	w.wants(http.DefaultClient, "GET", "/who", nil, 401, "grace, whose token it is, is disabled", bearer(key.Value)...)
	w.wants(c, "GET", "/who", nil, 200, "ada")
	if w.acted.Load() != 1 {
		t.Errorf("%d acts", w.acted.Load())
	}
}

func TestTokens(t *testing.T) {
	onBoth(t, plain, func(t *testing.T, w *world) {
		w.person("ada", "", "admin")
		w.person("paul", "", "planner")
		_, err := w.app.SetRoles(t.Context(), api.PersonRequest{Name: "paul", Roles: []string{"planner"}, Accounts: []string{"111122223333"}})
		w.ok(err)
		c := http.DefaultClient
		full := w.token(api.TokenRequest{Name: "full", Owner: "ada"})
		if !strings.HasPrefix(full.Value, "bursar_") || len(full.Value) != len("bursar_")+52 {
			t.Errorf("a token is %q", full.Value)
		}
		w.wants(c, "GET", "/who", nil, 200, "ada [admin] [] false token "+full.Value[:11]+"...", bearer(full.Value)...)
		w.wants(c, "POST", "/approve", nil, 200, "", bearer(full.Value)...)
		few := w.token(api.TokenRequest{Name: "few", Owner: "ada", Roles: []string{"viewer", "planner"}, Accounts: []string{"111122223333"}})
		w.wants(c, "GET", "/who", nil, 200, "ada [viewer planner] [111122223333] false", bearer(few.Value)...)
		w.wants(c, "POST", "/approve", nil, 403, "ada may not do this (plan.approve): it takes the role approver or admin", bearer(few.Value)...)
		if e := w.log(); e.Kind != "denied" || e.Act != "plan.approve" || e.Actor != "ada" || e.Session != "token "+few.Value[:11]+"..." {
			t.Errorf("the audit log says %+v", e)
		}
		agent := w.token(api.TokenRequest{Name: "agent", Owner: "ada", Agent: true})
		w.wants(c, "GET", "/who", nil, 200, "ada [admin] [] true", bearer(agent.Value)...)
		w.wants(c, "POST", "/approve", nil, 403, "needs a person", bearer(agent.Value)...)
		pauls := w.token(api.TokenRequest{Name: "p", Owner: "paul"})
		w.wants(c, "GET", "/who", nil, 200, "paul [planner] [111122223333] false", bearer(pauls.Value)...)

		// A token gives nothing more than its owner has.
		for _, r := range []api.TokenRequest{
			{Name: "x", Owner: "paul", Roles: []string{"admin"}, Valid: time.Hour},
			{Name: "x", Owner: "paul", Accounts: []string{"444455556666"}, Valid: time.Hour},
			{Name: "x", Owner: "nobody", Valid: time.Hour},
			{Name: "", Owner: "ada", Valid: time.Hour},
			{Name: "x", Owner: "ada"},
			{Name: "x", Owner: "ada", Valid: 9000 * time.Hour},
		} {
			if _, err := w.app.CreateToken(t.Context(), r); err == nil {
				t.Errorf("%+v was made", r)
			}
		}

		forged := full.Value[:len(full.Value)-8] + "aaaaaaaa"
		before := w.entries()
		for token, says := range map[string]string{forged: "there is no such token", "bursar_x": "this is not a token of Bursar", "x": "this is not a token"} {
			w.wants(c, "GET", "/who", nil, 401, says, bearer(token)...)
			w.wants(c, "POST", "/approve", nil, 401, says, bearer(token)...)
		}
		w.wants(c, "GET", "/who", nil, 401, "use Authorization: Bearer", "Authorization", "Basic eDp5")
		if got := w.entries(); got != before+7 {
			t.Errorf("%d entries for 7 attempts", got-before)
		}
		raw, err := json.Marshal(w.log())
		w.ok(err)
		if strings.Contains(string(raw), forged) {
			t.Errorf("the audit log has the token: %s", raw)
		}
		_, err = w.app.RevokeToken(t.Context(), few.ID, "")
		w.ok(err)
		w.wants(c, "GET", "/who", nil, 401, "the token was revoked on", bearer(few.Value)...)
		if _, err := w.app.RevokeToken(t.Context(), few.ID, ""); err == nil {
			t.Error("a token was revoked twice")
		}
		w.now = time.Now().UTC().Add(time.Hour)
		w.wants(c, "POST", "/approve", nil, 401, "the token expired on", bearer(full.Value)...)
		if e := w.log(); e.Actor != "ada" || e.Kind != "denied" {
			t.Errorf("the audit log says %+v", e)
		}
		if w.acted.Load() != 1 {
			t.Errorf("%d acts", w.acted.Load())
		}
		list, err := w.app.Tokens(t.Context())
		w.ok(err)
		if list[0].SeenAt == nil || list[1].State != "revoked" || strings.Contains(fmt.Sprint(list), full.Value) {
			t.Errorf("tokens: %+v", list)
		}
	})
}

// TestOtherSitesSendNothing is what a browser does when another site has a form for
// Bursar.
func TestOtherSitesSendNothing(t *testing.T) {
	w := open(t, "", plain)
	c := w.signedIn("ada")
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		w.wants(c, "POST", "/approve", nil, 403, "came from another site", header...)
		if e := w.log(); e.Act != "cross_site" || e.Kind != "denied" || e.Actor != "ada" || e.Subject != "POST /approve" {
			t.Errorf("the audit log says %+v", e)
		}
		w.wants(c, "POST", auth.SignOutPath, nil, 403, "came from another site", header...)
		w.wants(w.browser(), "POST", auth.LinkPath, url.Values{"link": {w.link("ada")}}, 403, "came from another site", header...)
		w.wants(c, "GET", "/who", nil, 200, "ada", header...)
	}
	if w.acted.Load() != 0 {
		t.Error("something was done")
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", w.url}, nil} {
		w.wants(c, "POST", "/approve", nil, 200, "", header...)
	}
}

func TestWhoeverFailsTooOftenWaits(t *testing.T) {
	onBoth(t, plain, func(t *testing.T, w *world) {
		good := w.signedIn("ada")
		w.now = w.now.Truncate(15 * time.Minute) // the beginning of a window
		key := w.token(api.TokenRequest{Name: "n", Owner: "ada", Valid: 24 * time.Hour})
		link, c := w.link("ada"), w.browser()
		failed := 0
		for status := 0; status != 429 && failed < 100; failed++ {
			status, _, _ = w.do(c, "POST", auth.LinkPath, url.Values{"link": {"x"}})
		}
		if failed != 21 {
			t.Errorf("%d attempts before one has to wait", failed)
		}
		before := w.entries()
		status, says, header := w.do(c, "POST", auth.LinkPath, url.Values{"link": {link}})
		if status != 429 || header.Get("Retry-After") == "" || !strings.Contains(says, "wait 15 min") {
			t.Errorf("%d %q, retry after %q", status, says, header.Get("Retry-After"))
		}
		w.wants(c, "GET", "/who", nil, 429, "too many attempts", bearer("bursar_x")...)
		if w.entries() != before {
			t.Error("whoever has to wait fills the audit log")
		}
		w.wants(good, "GET", "/who", nil, 200, "ada") // who is in stays in
		w.wants(c, "GET", "/who", nil, 200, "ada", bearer(key.Value)...)
		w.now = w.now.Add(15 * time.Minute)
		w.wants(c, "POST", auth.LinkPath, url.Values{"link": {w.link("ada")}}, 303, "")
	})
}

// TestANameThatFailsTooOftenWaits has one name fail from many addresses.
func TestANameThatFailsTooOftenWaits(t *testing.T) {
	w := open(t, "", "auth: {base_url: BASE, proxies: [127.0.0.1]}")
	used := w.link("ada")
	c := w.browser()
	w.wants(c, "POST", auth.LinkPath, url.Values{"link": {used}}, 303, "")
	from := func(i int) []string { return []string{"X-Forwarded-For", fmt.Sprintf("203.0.113.9, 198.51.100.%d", i)} }
	for i := range 10 {
		w.wants(w.browser(), "POST", auth.LinkPath, url.Values{"link": {used}}, 401, "used before", from(i)...)
		if e := w.log(); e.Details["address"] != fmt.Sprintf("198.51.100.%d", i) || e.Actor != "ada" {
			t.Errorf("the audit log says %+v", e)
		}
	}
	w.wants(w.browser(), "POST", auth.LinkPath, url.Values{"link": {used}}, 429, "wait", from(11)...)
	w.wants(w.browser(), "POST", auth.LinkPath, url.Values{"link": {w.link("ada")}}, 429, "wait", from(12)...)
	w.person("grace", "", "viewer")
	w.wants(w.browser(), "POST", auth.LinkPath, url.Values{"link": {w.link("grace")}}, 303, "", from(12)...)
}

// TestForwardedAddressesOfStrangersAreNotBelieved sends them without a proxy.
func TestForwardedAddressesOfStrangersAreNotBelieved(t *testing.T) {
	w := open(t, "", plain)
	w.wants(w.browser(), "POST", auth.LinkPath, url.Values{"link": {"x"}}, 401, "no such link", "X-Forwarded-For", "203.0.113.9")
	if e := w.log(); e.Details["address"] != "127.0.0.1" {
		t.Errorf("the audit log says %+v", e)
	}
}

func TestCookiesOverTLS(t *testing.T) {
	w := open(t, "", "auth: {base_url: "+httpsBase+"}")
	r := httptest.NewRequest("POST", httpsBase+auth.LinkPath, strings.NewReader(url.Values{"link": {w.link("ada")}, "next": {"//evil.example"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.auth.Middleware(http.HandlerFunc(w.auth.UseLink)).ServeHTTP(rec, r)
	got := rec.Result().Cookies()
	if len(got) != 1 || got[0].Name != "__Host-bursar" || !got[0].Secure || !got[0].HttpOnly || got[0].SameSite != http.SameSiteLaxMode || got[0].Path != "/" || got[0].Domain != "" {
		t.Errorf("cookies: %v", got)
	}
	if to := rec.Header().Get("Location"); to != "/" {
		t.Errorf("it goes on to %q", to)
	}
}

func TestNextIsAPathOfThisServer(t *testing.T) {
	for path, want := range map[string]string{
		"/plans/1?x=1": "/plans/1?x=1", "": "/", "//evil.example": "/", "https://evil.example": "/", "/\\evil.example": "/", "/a\nb": "/", "plans": "/",
	} {
		if got := auth.Next(path); got != want {
			t.Errorf("%q goes to %q", path, got)
		}
	}
}

// begin sends a browser to the provider and returns where that sends it back to.
func begin(i *oidctest.Issuer, w *world, c *http.Client, next string) (back string) {
	w.t.Helper()
	before := w.entries()
	status, _, header := w.do(c, "GET", auth.StartPath+"?next="+url.QueryEscape(next), nil)
	to, err := url.Parse(header.Get("Location"))
	if err != nil || status != 303 || !strings.HasPrefix(to.String(), i.URL+"/auth?") {
		w.t.Fatalf("the browser is sent to %d %q, %v", status, header.Get("Location"), err)
	}
	if w.entries() != before {
		w.t.Error("a GET has changed the ledger")
	}
	return i.Grant(to)
}

func withOIDC(i *oidctest.Issuer, more string) string {
	return "auth: {base_url: BASE, oidc: {issuer: \"" + i.URL + "\", client_id: bursar, client_secret: \"env:BURSAR_OIDC_SECRET\"" + more + "}}"
}

func TestSignInByOIDC(t *testing.T) {
	t.Setenv("BURSAR_OIDC_SECRET", "hush")
	i := oidctest.New(t)
	onBoth(t, withOIDC(i, ""), func(t *testing.T, w *world) {
		i.Claims = nil
		w.person("Ada", "Ada@Example.org", "approver")
		c := w.browser()
		back := begin(i, w, c, "/who")
		if !strings.HasPrefix(back, w.url+auth.CallbackPath) {
			t.Fatalf("the provider sends back to %s", back)
		}
		status, _, header := w.do(c, "GET", back, nil)
		if status != 303 || header.Get("Location") != "/who" {
			t.Fatalf("%d to %s", status, header.Get("Location"))
		}
		w.wants(c, "GET", "/who", nil, 200, "Ada [approver] [] false session ")
		if e := w.log(); e.Act != "sign_in" || e.Actor != "Ada" || e.Details["how"] != "oidc" {
			t.Errorf("the audit log says %+v", e)
		}
		w.wants(c, "GET", back, nil, 400, "not begun in this browser") // the same answer again

		// From then on the identity counts, whatever the address is.
		i.Claims = map[string]any{"email": "lovelace@example.org"}
		c = w.browser()
		w.wants(c, "GET", begin(i, w, c, "/"), nil, 303, "")
		w.wants(c, "GET", "/who", nil, 200, "Ada")
		i.Claims = map[string]any{"sub": "sub-2"}
		c = w.browser()
		w.wants(c, "GET", begin(i, w, c, "/"), nil, 403, "belongs to somebody who signs in with another identity")
		i.Claims = map[string]any{"sub": "sub-3", "email": "eve@example.org"}
		c = w.browser()
		w.wants(c, "GET", begin(i, w, c, "/"), nil, 403, "eve@example.org has no role here")
		if e := w.log(); e.Kind != "denied" || e.Actor != "eve@example.org" {
			t.Errorf("the audit log says %+v", e)
		}
		i.Claims = map[string]any{"sub": "sub-3", "email": "ada@example.org", "email_verified": false}
		c = w.browser()
		w.wants(c, "GET", begin(i, w, c, "/"), nil, 403, "vouches for no mail address")
		w.wants(c, "GET", "/who", nil, 401, "sign in first")

		_, err := w.app.DisablePerson(t.Context(), "ada", true, "")
		w.ok(err)
		i.Claims = nil
		c = w.browser()
		w.wants(c, "GET", begin(i, w, c, "/"), nil, 403, "Ada is disabled")
	})
}

func TestTokensOfTheProviderThatAreNotGood(t *testing.T) {
	t.Setenv("BURSAR_OIDC_SECRET", "hush")
	i := oidctest.New(t)
	w := open(t, "", withOIDC(i, ""))
	w.person("ada", "ada@example.org", "approver")
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	w.ok(err)
	for name, tc := range map[string]struct {
		claims map[string]any
		sign   *rsa.PrivateKey
		says   string
	}{
		"another audience":    {claims: map[string]any{"aud": "other"}, says: "not for this client"},
		"two audiences":       {claims: map[string]any{"aud": []string{"other", "bursar"}}, says: "made for another client"},
		"another party":       {claims: map[string]any{"aud": []string{"other", "bursar"}, "azp": "other"}, says: "made for another client"},
		"another nonce":       {claims: map[string]any{"nonce": "other"}, says: "is not of this sign-in"},
		"no nonce":            {claims: map[string]any{"nonce": nil}, says: "is not of this sign-in"},
		"expired":             {claims: map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, says: "is expired"},
		"another issuer":      {claims: map[string]any{"iss": "https://evil.example"}, says: "is not good"},
		"signed by a strange": {sign: other, says: "not signed by its keys"},
	} {
		i.Claims, i.Sign = tc.claims, tc.sign
		c := w.browser()
		w.now = w.now.Add(time.Minute)
		w.wants(c, "GET", begin(i, w, c, "/"), nil, 401, tc.says)
		if e := w.log(); e.Kind != "denied" || e.Act != "sign_in" {
			t.Errorf("%s: the audit log says %+v", name, e)
		}
		w.wants(c, "GET", "/who", nil, 401, "sign in first")
	}
	i.Claims, i.Sign, w.now = nil, nil, time.Now().UTC()

	c := w.browser()
	back := begin(i, w, c, "/")
	asked := i.Asked
	w.wants(w.browser(), "GET", back, nil, 400, "not begun in this browser") // somebody else's browser
	w.wants(c, "GET", strings.Replace(back, "state=", "state=x", 1), nil, 400, "not begun in this browser")
	w.wants(c, "GET", back, nil, 400, "not begun in this browser") // one try each
	if i.Asked != asked {
		t.Error("a code was exchanged")
	}
	w.wants(c, "GET", strings.Replace(begin(i, w, c, "/"), "code=", "code=x", 1), nil, 401, "did not take the code")
	w.wants(c, "GET", begin(i, w, c, "/")+"&error=access_denied", nil, 401, "did not sign you in")

	// The provider takes another key: it is asked for its keys again.
	i.Rotate()
	w.wants(c, "GET", begin(i, w, c, "/"), nil, 303, "")
	w.wants(c, "GET", "/who", nil, 200, "ada")
}

func TestGroupsGiveRoles(t *testing.T) {
	t.Setenv("BURSAR_OIDC_SECRET", "hush")
	i := oidctest.New(t)
	w := open(t, "", withOIDC(i, `, domains: [example.org], groups: [{group: boss, roles: [admin]}, {group: finops, roles: [planner, approver], accounts: ["111122223333"]}]`))
	in := func(status int, says string, groups any, more ...any) *http.Client {
		t.Helper()
		i.Claims = map[string]any{"groups": groups}
		for k := 0; k < len(more); k += 2 {
			i.Claims[more[k].(string)] = more[k+1]
		}
		c := w.browser()
		w.wants(c, "GET", begin(i, w, c, "/"), nil, status, says)
		return c
	}
	in(403, "ada@example.org has no role here", []string{"others"})
	c := in(303, "", []string{"others", "finops"})
	w.wants(c, "GET", "/who", nil, 200, "ada@example.org [planner approver] [111122223333] false")
	list, err := w.app.AuditLog(t.Context(), app.AuditFilter{Act: "person.add"})
	if err != nil || len(list) != 1 || list[0].Details["group"] != "finops" {
		t.Errorf("the audit log says %+v, %v", list, err)
	}
	again := in(303, "", []string{"finops", "boss"}) // the first of the configuration decides
	w.wants(again, "GET", "/who", nil, 200, "ada@example.org [admin] [] false")
	w.wants(c, "GET", "/who", nil, 200, "[admin]") // at once
	in(303, "", "finops")
	in(403, "is in no group that has a role here any more", []string{})
	in(403, "only verified mail addresses at example.org", []string{"boss"}, "email", "ada@example.org.evil.example")
	in(403, "only verified mail addresses at example.org", []string{"boss"}, "email_verified", false)

	// Whoever is given roles by a person keeps them.
	_, err = w.app.SetRoles(t.Context(), api.PersonRequest{Name: "ada@example.org", Roles: []string{"viewer"}})
	w.ok(err)
	c = in(303, "", []string{"boss"})
	w.wants(c, "GET", "/who", nil, 200, "[viewer]")
}

func TestAProviderThatIsAwayKeepsNoServerFromStarting(t *testing.T) {
	t.Setenv("BURSAR_OIDC_SECRET", "hush")
	i := oidctest.New(t)
	i.Away = true
	w := open(t, "", withOIDC(i, ""))
	c := w.browser()
	w.wants(c, "GET", auth.StartPath, nil, 502, "the identity provider does not answer")
	w.signedIn("ada")
	i.Away = false
	begin(i, w, c, "/")
	w.wants(open(t, "", plain).browser(), "GET", w.url+auth.CallbackPath, nil, 400, "not begun")
	none := open(t, "", plain)
	none.wants(none.browser(), "GET", auth.StartPath, nil, 404, "no identity provider is configured")
}

package web_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"bursar/internal/api"
	"bursar/internal/auth/oidctest"
)

// TestSignInByProvider: a browser is led to the identity provider, which is another site,
// and comes back to the page that was asked for, signed in with the roles and accounts that
// the claims give.
func TestSignInByProvider(t *testing.T) {
	t.Setenv("BURSAR_OIDC_SECRET", "hush")
	chat := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(chat.Close)
	t.Setenv("CHAT_URL", chat.URL)
	i := oidctest.New(t)
	i.URL = strings.Replace(i.URL, "127.0.0.1", "localhost", 1)
	i.Claims = map[string]any{"groups": []string{"staff", "finops"}}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	w := newWorld(t, configuration+fmt.Sprintf(`auth:
  base_url: %s
  oidc:
    issuer: %s
    client_id: bursar
    client_secret: env:BURSAR_OIDC_SECRET
    groups:
      - {group: finops, roles: [planner], accounts: ["111122223333"]}
notify:
  channels:
    chat: {type: slack, url: "env:CHAT_URL"}
    mail: {type: mail, server: "127.0.0.1:1", tls: none, from: bursar@example.org, to: [ada], kinds: [waiting_for_approval, in_doubt, needs_decision]}
  people: {ada: ada@example.org}
`, base, i.URL))
	bursar, _, err := w.app.Server()
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: bursar.Handler()}} //nolint:gosec // of a test
	server.Start()
	t.Cleanup(server.Close)

	for name, account := range map[string]string{"Databases, fourth quarter": "111122223333", "Somebody else's": "444455556666"} {
		content := fmt.Appendf(nil, "version: 1\nlines:\n  - {account: %q, region: us-east-1, service: rds, engine: mysql, class: db.m6g.large, multi_az: false, term: 1y, payment: all-upfront, quantity: 1}\n", account)
		if _, err := w.app.CreatePlan(t.Context(), api.PlanRequest{File: "p.yaml", Content: content, Name: name, Requester: "grace"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.app.RunTask(t.Context(), "outbox"); err != nil {
		t.Fatal(err)
	}

	b := browse(t, base)
	defer b.quiet()
	b.open("/notifications") // leads to the sign-in, and back
	b.sees("never loses track")
	b.press("Sign in")
	b.press("Continue")
	b.sees("Notifications", "every kind", "ada@example.org", "“Databases, fourth quarter” waits for approval", "mail to ada")
	b.lacks("Somebody else's") // which is of an account that she does not see
	people, err := w.app.People(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, p := range people {
		if p.Identity {
			found = p.By == "claims" && fmt.Sprint(p.Roles, p.Accounts) == "[planner] [111122223333]"
		}
	}
	if !found {
		t.Errorf("%+v", people)
	}

	// She mutes a kind for herself, and hears of it again.
	if n := b.count(`form[action="/notifications/unmute"]`); n != 0 {
		t.Errorf("%d kinds are muted", n)
	}
	b.press("Mute")
	b.sees("muted with every kind", "Unmute")
	b.snaps("notifications")
	b.press("Unmute")
	b.do(chromedp.WaitNotPresent(`form[action="/notifications/unmute"]`))

	b.open("/accounts")
	b.sees("111122223333")
	b.lacks("444455556666")
	b.open("/plans/new")
	b.sees("Make the plan")
	b.signOut()
	b.open("/plans")
	b.sees("never loses track")
}

package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/api"
)

// posted is what a webhook has got.
type posted struct {
	header http.Header
	body   []byte
}

// hook is a webhook at a secret path that answers with a handler, and the channel to it.
func hook(t *testing.T, kind Type, answer http.HandlerFunc) (Channel, *[]posted) {
	t.Helper()
	var got []posted
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.URL.Path != "/services/T0/hush" {
			t.Errorf("%s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		got = append(got, posted{r.Header, body})
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	t.Setenv("HOOK_URL", s.URL+"/services/T0/hush")
	return Channel{Name: "chat", Type: kind, URL: "env:HOOK_URL"}, &got
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// TestWebhookIsSigned: who knows the key can tell that the body is ours, and when it
// was sent; the body is the message.
func TestWebhookIsSigned(t *testing.T) {
	c, got := hook(t, TypeWebhook, status(202))
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("the key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Key = Secret("file:" + key)
	before := time.Now().Unix()
	if err := c.Send(t.Context(), bought(), ""); err != nil {
		t.Fatal(err)
	}
	p := (*got)[0]
	if id := p.header.Get("Bursar-Message-Id"); id != "bought.01K" {
		t.Errorf("id %q", id)
	}
	m := regexp.MustCompile(`^t=(\d+),v1=([0-9a-f]{64})$`).FindStringSubmatch(p.header.Get("Bursar-Signature"))
	if m == nil {
		t.Fatalf("signature %q", p.header.Get("Bursar-Signature"))
	}
	mac := hmac.New(sha256.New, []byte("the key"))
	fmt.Fprintf(mac, "%s.%s", m[1], p.body)
	if want := hex.EncodeToString(mac.Sum(nil)); m[2] != want {
		t.Errorf("signature %s, want %s", m[2], want)
	}
	if sent, err := strconv.ParseInt(m[1], 10, 64); err != nil || sent < before || sent > time.Now().Unix() {
		t.Errorf("time %s", m[1])
	}
	want := bought()
	want.Title = Title(want)
	var body api.Message
	if err := json.Unmarshal(p.body, &body); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	c.Key = ""
	if err := c.Send(t.Context(), bought(), ""); err != nil {
		t.Fatal(err)
	}
	if s := (*got)[1].header.Get("Bursar-Signature"); s != "" {
		t.Errorf("signed without a key: %q", s)
	}
}

// TestChats: each gets what it understands, and a name cannot call a channel, make a
// link or change how it looks.
func TestChats(t *testing.T) {
	const title = "Bought: 1 line of plan \u201cfleet <!channel> *x*\u201d"
	for kind, want := range map[Type]string{
		TypeSlack: `{"text":"*Bought: 1 line of plan “fleet &lt;!channel&gt; *x*”*\nEach line has its receipt.\n• line 1: 3 class=db.r6g.large, rds in 111122223333 eu-west-1, USD 2,331.00 in total, ri-1\n` +
			`<https://bursar.example.com/plans/01P|Open in Bursar>\n` + "`bursar plan show 01P`" + `","unfurl_links":false,"unfurl_media":false}`,
		TypeDiscord: `{"allowed_mentions":{"parse":[]},"content":"**Bought: 1 line of plan “fleet \\<!channel> \\*x\\*”**\nEach line has its receipt.\n- line 1: 3 class=db.r6g.large, rds in 111122223333 eu-west-1, USD 2,331.00 in total, ri-1\n` +
			`<https://bursar.example.com/plans/01P>\n` + "`bursar plan show 01P`" + `"}`,
		TypeTeams: `{"attachments":[{"content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json",` +
			`"actions":[{"title":"Open in Bursar","type":"Action.OpenUrl","url":"https://bursar.example.com/plans/01P"}],"body":[` +
			`{"inlines":[{"text":"` + title + `","type":"TextRun","weight":"Bolder"}],"type":"RichTextBlock"},` +
			`{"inlines":[{"text":"Each line has its receipt.","type":"TextRun"}],"type":"RichTextBlock"},` +
			`{"inlines":[{"text":"• line 1: 3 class=db.r6g.large, rds in 111122223333 eu-west-1, USD 2,331.00 in total, ri-1","type":"TextRun"}],"type":"RichTextBlock"},` +
			`{"inlines":[{"text":"More: bursar plan show 01P","type":"TextRun"}],"type":"RichTextBlock"}` +
			`],"type":"AdaptiveCard","version":"1.4"},"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null}],"type":"message"}`,
	} {
		c, got := hook(t, kind, status(200))
		if err := c.Send(t.Context(), bought(), ""); err != nil {
			t.Fatal(err)
		}
		if body := string((*got)[0].body); body != want {
			t.Errorf("%s gets\n%s\nwant\n%s", kind, body, want)
		}
	}
	many := bought()
	for range 600 {
		many.Items = append(many.Items, many.Items[0])
	}
	c, got := hook(t, TypeDiscord, status(204))
	if err := c.Send(t.Context(), many, ""); err != nil {
		t.Fatal(err)
	}
	var body struct{ Content string }
	if err := json.Unmarshal((*got)[0].body, &body); err != nil || utf8.RuneCountInString(body.Content) > discordMost || !strings.HasSuffix(body.Content, "`bursar plan show 01P`") {
		t.Errorf("%d characters, %v:\n%s", utf8.RuneCountInString(body.Content), err, body.Content)
	}
}

func TestWebhookFails(t *testing.T) {
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   Failure
	}{
		"500": {status(500), Failure{Says: "the answer is 500 internal server error"}},
		"410": {status(410), Failure{Says: "the answer is 410 gone", Gone: true}},
		"404 of Slack": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			fmt.Fprint(w, "no_service")
		}, Failure{Says: "the answer is 404 not found: no_service"}},
		// What else is in an answer is not told: it may repeat the address.
		"an echo": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, r.URL)
		}, Failure{Says: "the answer is 400 bad request"}},
		"slow down": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(429)
		}, Failure{Says: "the answer is 429 too many requests", After: 2 * time.Minute}},
		"far too slow": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "99999999999")
			w.WriteHeader(503)
		}, Failure{Says: "the answer is 503 service unavailable", After: 24 * time.Hour}},
		"hangs up": {func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			_ = c.Close()
		}, Failure{Says: "EOF"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, got := hook(t, TypeSlack, tc.answer)
			if f := failed(t, c, ""); *f != tc.want {
				t.Errorf("%+v, want %+v", *f, tc.want)
			}
			if len(*got) != 1 {
				t.Errorf("posted %d times", len(*got))
			}
		})
	}
}

// TestWebhookStaysWhereItIs: nothing is posted to where an answer points to.
func TestWebhookStaysWhereItIs(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was followed") }))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 307, 308} {
		c, _ := hook(t, TypeWebhook, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, code) })
		if f := failed(t, c, ""); !strings.Contains(f.Says, "redirects are not followed") || f.Gone {
			t.Errorf("%+v", f)
		}
	}
}

// TestAnswerThatDoesNotCome ends with the time, or with the process.
func TestAnswerThatDoesNotCome(t *testing.T) {
	reached, over := make(chan struct{}), make(chan struct{})
	c, _ := hook(t, TypeSlack, func(http.ResponseWriter, *http.Request) {
		close(reached)
		<-over
	})
	defer close(over)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	if err := c.Send(ctx, bought(), ""); err == nil || err.Error() != "stopped while it was being sent" {
		t.Errorf("%v", err)
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if err := c.Send(late, bought(), ""); err == nil || err.Error() != "no answer within 20s" {
		t.Errorf("%v", err)
	}
}

// TestSecretsStaySecret: no error, address or problem tells more of a secret than where
// it is.
func TestSecretsStaySecret(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		closed.URL + "/hush":                "the server cannot be reached: connect: connection refused",
		"http://hooks.example.com/hush":     "env:HOOK_URL does not hold an https address",
		"http://10.0.0.1/hush":              "env:HOOK_URL does not hold an https address",
		"hooks.example.com/hush":            "env:HOOK_URL does not hold the address of a webhook",
		"https://u:hush@nowhere.invalid/x":  "the name of the server is not known: nowhere.invalid",
		"https://hu\x7fsh.example.com/hush": "env:HOOK_URL does not hold the address of a webhook",
		"":                                  "the environment has no HOOK_URL",
	} {
		t.Setenv("HOOK_URL", url)
		c := Channel{Type: TypeSlack, URL: "env:HOOK_URL"}
		if f := failed(t, c, ""); f.Says != want {
			t.Errorf("%q: says %q, want %q", url, f.Says, want)
		}
		for _, shown := range []string{c.Address(), c.Problem()} {
			if strings.Contains(shown, "hush") {
				t.Errorf("shows %q", shown)
			}
		}
	}
	t.Setenv("HOOK_URL", "https://hooks.slack.com/services/T0/B0/hush")
	c := Channel{Type: TypeSlack, URL: "env:HOOK_URL"}
	if got := c.Address(); got != "https://hooks.slack.com/..." {
		t.Errorf("shows %q", got)
	}
	for secret, want := range map[Secret]string{
		"env:X": "", "file:/x": "", "https://hooks.slack.com/hush": "is not where a secret is: use env:NAME or file:PATH", "env:": "is not where a secret is: use env:NAME or file:PATH",
	} {
		if got := secret.Problem(); got != want {
			t.Errorf("%s: %q, want %q", secret, got, want)
		}
	}
	if _, err := Secret("file:" + empty).Reveal(); err == nil {
		t.Error("an empty file is a secret")
	}
	t.Setenv("KEY", "")
	hooked := Channel{Type: TypeWebhook, URL: "env:HOOK_URL", Key: "env:KEY"}
	if got := hooked.Problem(); got != "the environment has no KEY" {
		t.Errorf("problem %q", got)
	}
	if f := failed(t, hooked, ""); f.Says != "the environment has no KEY" {
		t.Errorf("sent unsigned: %+v", f)
	}
}

// TestEveryKindHasWords that are those of a person and hold no markup.
func TestEveryKindHasWords(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range []string{
		"waiting_for_approval", "will_buy", "bought", "not_bought", "in_doubt", "needs_decision", "finding", "overdue", "expiry",
		"return_window", "payment_pending", "undelivered", "test",
	} {
		m := bought()
		m.Kind, m.DueAt, m.Days, m.Channel, m.Simulated = kind, &at, 30, "chat", true
		w := say(m)
		if seen[w.title] || !strings.HasPrefix(w.title, "[simulated] ") || strings.Contains(kind, "_") && strings.Contains(w.title, kind) {
			t.Errorf("%s: %q", kind, w.title)
		}
		seen[w.title] = true
		text := w.text()
		if len(w.lines) < 2 || !strings.Contains(text, "nothing of it is real") || strings.Contains(text, "%!") {
			t.Errorf("%s: %s", kind, text)
		}
	}
	m := bought()
	m.Kind, m.Items = "waiting_for_approval", nil
	m.Undo = &api.MessageUndo{ID: "01U", Requester: "bob", Comment: "too much", Needed: 2}
	if text := say(m).text(); !strings.Contains(text, "bob asks to give it back; 2 approvals are needed.\nbob says: too much") {
		t.Error(text)
	}
}

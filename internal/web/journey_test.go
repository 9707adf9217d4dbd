package web_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"bursar/internal/api"
	"bursar/internal/app"
)

// world is a ledger with simulated clouds, a worker and the pages.
type world struct {
	*testing.T
	*app.Rehearsal
	app     *app.App
	base    string
	cookies map[string]*http.Cookie // of the people that visitors are
}

// people may do what their roles permit.
var people = map[string][]string{
	"ada": {"planner", "approver"}, "grace": {"approver"}, "linus": {"approver"}, "root": {"admin"}, "vera": {"viewer"},
}

const configuration = `approvals:
  needed: 1
  requester_may_approve: false
`

func newWorld(t *testing.T, config string) *world {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, app.ConfigName), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := app.Rehearse(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	a, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	w := &world{T: t, Rehearsal: r, app: a, cookies: map[string]*http.Cookie{}}
	for name, roles := range people {
		if _, err := a.AddPerson(t.Context(), api.PersonRequest{Name: name, Roles: roles, By: "root"}); err != nil {
			t.Fatal(err)
		}
	}
	bursar, _, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(bursar.Handler())
	t.Cleanup(server.Close)
	w.base = server.URL
	return w
}

// link makes the path of a link that signs somebody in once.
func (w *world) link(who string) string {
	w.Helper()
	l, err := w.app.SignInLink(w.Context(), who, "", "root")
	if err != nil {
		w.Fatal(err)
	}
	u, err := url.Parse(l.URL)
	if err != nil {
		w.Fatal(err)
	}
	return u.RequestURI()
}

// work has a worker until the test ends.
func (w *world) work() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- w.app.Work(ctx, app.WorkOptions{Lines: 4, Grace: 5 * time.Second, Told: func(api.Worked) {}})
	}()
	w.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			w.Error(err)
		}
	})
}

// sim asks the simulator for something.
func (w *world) sim(method, path, body string) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(resp.Body)
		w.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
	}
}

// pass advances the simulated clock step by step until something holds.
func (w *world) pass(step time.Duration, holds func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			w.Fatal("it did not come true")
		}
		if err := w.Advance(step); err != nil {
			w.Fatal(err)
		}
		if _, err := w.app.RunTask(w.Context(), "resolve"); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) line(state string) (found api.Line, ok bool) {
	w.Helper()
	lines, err := w.app.History(w.Context(), api.HistoryFilter{State: state})
	if err != nil {
		w.Fatal(err)
	}
	if len(lines) == 0 {
		return found, false
	}
	return lines[0], true
}

func (w *world) signIn(b *browser, who string) {
	b.Helper()
	b.open(w.link(who))
	b.press("Sign in")
	b.sees("Waits for you")
}

func (b *browser) signOut() {
	b.Helper()
	b.do(chromedp.Click(`//header//button[normalize-space()="Sign out"]`))
	b.sees("never loses track")
}

// TestJourney is the way of a purchase as people see it: from the first start to the
// books, through a reply that is lost and that no listing makes good.
func TestJourney(t *testing.T) {
	w := newWorld(t, configuration)
	b := browse(t, w.base)
	defer b.quiet()

	b.open("/plans") // leads to the sign-in
	b.sees("never loses track", "bursar sign-in-link")
	b.snaps("sign-in")
	w.signIn(b, "ada")
	b.sees("SIMULATED", "Nothing is in doubt.", "Make the first plan")

	// A plan from a file. A wrong cap keeps what was filled in and stores nothing.
	b.press("Make the first plan")
	b.fill("name", "Databases, fourth quarter")
	b.fill("max_total", "5 USD")
	file, err := filepath.Abs("../../testdata/plan-rds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.SetUploadFiles(`[name=file]`, []string{file}))
	b.press("Make the plan")
	b.sees("is above the cap of USD 5.00")
	b.fill("max_total", "")
	b.do(chromedp.SetUploadFiles(`[name=file]`, []string{file}))
	b.press("Make the plan")
	b.sees("Databases, fourth quarter", "proposed", "sha256:", "What can be undone", "final")
	b.snaps("plan")
	plan := w.plan()

	// Whoever requested it may not approve it.
	b.press("Decisions")
	b.sees("requested it", "may not approve it", "You requested the plan, and somebody else has to approve it.")
	if n := b.count("form [name=total]"); n != 0 {
		t.Error("the requester has the form to approve")
	}
	b.signOut()

	// A second person does, and types the total.
	w.signIn(b, "grace")
	b.sees("Approve Databases, fourth quarter")
	b.snaps("home-waiting")
	b.press("Approve")
	b.fill("total", "1.00")
	b.press("Approve")
	b.sees("That is not the total; nothing was approved.")
	b.snaps("approve")
	b.fill("total", strings.ToLower(plan.Total.Total.String()))
	b.press("Approve")
	b.sees("approved", "Begin: let it be bought now")

	// The reply to one purchase is lost, and listings are late.
	w.sim("POST", "/_sim/faults", `{"kind":"lose-reply","operation":"PurchaseReservedDBInstancesOffering","skip":2}`)
	w.sim("POST", "/_sim/faults", `{"kind":"stale-listing","operation":"DescribeReservedDBInstances","times":-1,"duration":"48h"}`)
	b.press("Begin: let it be bought now")
	b.sees("Execution of Databases")
	w.work()
	b.sees("in doubt", "9 of 10 lines ended") // over the stream
	b.snaps("execution")
	b.open("/")
	b.sees("1 line", "may be bound")
	b.snaps("home")
	var doubtful api.Line
	w.pass(time.Minute, func() (ok bool) { doubtful, ok = w.line("needs_review"); return ok })
	b.open("/doubt")
	b.sees("needs review", "a person decides")
	b.snaps("doubt")

	// Evidence side by side, and a closed list of decisions.
	b.do(chromedp.Click(`//main//table//a`))
	b.sees("What was approved, and what was sent", "What the cloud said", "There are these decisions, and no other")
	b.snaps("case")
	w.sim("DELETE", "/_sim/faults", "")
	b.do(chromedp.Reload())
	b.sees("(could be this line's)")
	b.do(chromedp.Click(`[name=choice][value=adopt]`))
	b.fill("comment", "the listing shows it under this line's name")
	b.press("Decide")
	b.sees("Name the commitment; nothing was decided.")
	b.do(chromedp.Click(`[name=choice][value=adopt]`))
	ask(b, chromedp.Evaluate[chromedp.Void](`(() => { const s = document.querySelector('[name=commitment]'); s.value = [...s.options].find(o => o.text.includes('could be')).value })()`))
	b.fill("comment", "the listing shows it under this line's name")
	b.press("Decide")
	b.sees("purchased")

	// The books.
	b.open("/history/" + doubtful.ID)
	b.sees("What happened, and the evidence", "Receipt", "Attempt 1")
	b.snaps("line")
	b.open("/history")
	b.sees("10 lines")
	b.do(chromedp.Click(`//th//a[normalize-space()="Total"]`))
	b.sees("Total")
	b.do(chromedp.WaitVisible(`th[aria-sort=ascending]`))
	b.snaps("history")
	w.exports(b)
	b.open("/inventory")
	b.sees("the books balance", "matched")
	b.snaps("inventory")
	b.open("/expiry")
	b.sees("By month, USD per hour", "Within 90 days")
	b.snaps("expiry")
	b.open("/schedules")
	b.snaps("schedules")
	b.open("/accounts")
	b.press("Ask the doctor")
	b.sees("The doctor looked")
	b.snaps("accounts")
	b.open("/plans")
	b.sees("complete")
	b.snaps("plans")
	b.open("/audit")
	b.lacks("Who did what") // of everybody, which an admin reads
	b.signOut()
	w.signIn(b, "root")
	b.open("/audit")
	b.press("Check now")
	b.sees("all hold", "Who did what", "plan.approve")
	b.press("Verify the chain")
	b.sees("the chain holds")
	b.snaps("audit")
}

func (b *browser) count(selector string) int {
	b.Helper()
	return ask(b, chromedp.Evaluate[int](fmt.Sprintf("document.querySelectorAll(%q).length", selector)))
}

func (w *world) plan() api.Plan {
	w.Helper()
	plans, err := w.app.Plans(w.Context())
	if err != nil || len(plans) == 0 {
		w.Fatalf("%d plans, %v", len(plans), err)
	}
	return plans[0]
}

// exports reads the three files that the history offers.
func (w *world) exports(b *browser) {
	w.Helper()
	for format, check := range map[string]func([]byte){
		"csv": func(data []byte) {
			rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
			if err != nil || len(rows) != 11 || rows[0][0] != "timestamp" {
				w.Errorf("csv: %d rows, %v", len(rows), err)
			}
		},
		"json": func(data []byte) {
			var lines []api.Line
			if err := json.Unmarshal(data, &lines); err != nil || len(lines) != 10 || lines[0].Receipt == nil {
				w.Errorf("json: %d lines, %v", len(lines), err)
			}
		},
		"focus": func(data []byte) {
			rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
			if err != nil || len(rows) != 11 {
				w.Fatalf("focus: %d rows, %v", len(rows), err)
			}
			status := slices.Index(rows[0], "ContractCommitmentLifecycleStatus")
			for _, r := range rows[1:] {
				if r[status] != "Active" {
					w.Errorf("focus: a bought line is %s", r[status])
				}
			}
		},
	} {
		link := ask(b, chromedp.AttributeValue(`main a[href*="format=`+format+`"]`, "href"))
		_, body := visitor{w, "grace"}.open(link.Value)
		check([]byte(body))
	}
}

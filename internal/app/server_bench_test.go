package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/web"

	_ "modernc.org/sqlite"
)

// BenchmarkFirstPage measures the handlers on a ledger with 100,000 lines in 200 plans.
func BenchmarkFirstPage(b *testing.B) {
	a, plan, _ := filled(b, 200, 500)
	s, _, err := a.Server()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := a.AddPerson(b.Context(), api.PersonRequest{Name: "vi", Roles: []string{string(auth.Viewer)}, By: "root"}); err != nil {
		b.Fatal(err)
	}
	made, err := a.CreateToken(b.Context(), api.TokenRequest{Name: "vi", Owner: "vi", Valid: DefaultTokenLife, By: "root"})
	if err != nil {
		b.Fatal(err)
	}
	h := s.Handler()
	for _, path := range []string{
		"/api/v1/overview", "/api/v1/plans", "/api/v1/lines", "/api/v1/lines?state=needs_review", "/api/v1/lines?account=111122223333",
		"/api/v1/lines?cursor=" + plan + ".0",
	} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				q := httptest.NewRequest(http.MethodGet, path, nil)
				q.Header.Set("Authorization", "Bearer "+made.Value)
				h.ServeHTTP(w, q)
				if raw, _ := io.ReadAll(w.Body); w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, raw)
				}
			}
		})
	}
}

// BenchmarkFirstPageForPeople measures the pages that people open on the same ledger. What
// a page asks of the clouds it asks once and remembers, and that is not measured.
func BenchmarkFirstPageForPeople(b *testing.B) {
	a, plan, _ := filled(b, 200, 500)
	pages := web.New(web.Options{Service: a})
	lines, err := a.LinePage(b.Context(), api.LineFilter{HistoryFilter: api.HistoryFilter{State: "needs_review"}, Limit: 1})
	if err != nil {
		b.Fatal(err)
	}
	ofPlan, ofLine := "/plans/"+lines.Lines[0].Plan, lines.Lines[0].ID
	for _, page := range []struct{ name, path string }{
		{"home", "/"}, {"plans", "/plans"}, {"history", "/history"}, {"history/state", "/history?state=needs_review"}, {"history/text", "/history?q=nothing+of+this"}, {"doubt", "/doubt"},
		{"plan/1", "/plans/" + plan}, {"plan/500", ofPlan}, {"approve/1", "/plans/" + plan + "/approve"}, {"approve/500", ofPlan + "/approve"}, {"execution/500", ofPlan + "/execution"},
		{"history/line", "/history/" + ofLine}, {"expiry", "/expiry"}, {"inventory", "/inventory"}, {"expiry/listed", "/expiry"}, {"schedules", "/schedules"}, {"accounts", "/accounts"}, {"audit", "/audit"},
	} {
		b.Run(page.name, func(b *testing.B) {
			opened(b.Context(), pages, page.path)
			for b.Loop() {
				if status, body := opened(b.Context(), pages, page.path); status != http.StatusOK {
					b.Fatalf("%d %s", status, body)
				}
			}
		})
	}
}

// TestPagesReadWhatTheyShow: a page reads no plan and no line beyond those that it shows.
// The specification of every other line is broken here, and who reads one fails.
func TestPagesReadWhatTheyShow(t *testing.T) {
	const plans, each = 60, 100
	a, _, ledger := filled(t, plans, each)
	db, err := sql.Open("sqlite", ledger)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it is read only from now on
	broken, err := db.ExecContext(t.Context(), `UPDATE line SET spec = '{' WHERE state <> 'needs_review'
		AND plan_id NOT IN (SELECT id FROM plan ORDER BY id DESC LIMIT 5)
		AND id NOT IN (SELECT line_id FROM receipt ORDER BY ends_at, line_id LIMIT 200)`)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := broken.RowsAffected(); err != nil || n < plans*each/2 {
		t.Fatal(n, err)
	}
	if _, err := a.Plans(t.Context()); err == nil {
		t.Fatal("who reads every plan does not fail")
	}
	newest, err := a.PlanPage(t.Context(), api.PlanFilter{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	plan := "/plans/" + newest.Plans[0].ID
	pages := web.New(web.Options{Service: a})
	for path, says := range map[string]string{
		plan: newest.Plans[0].Digest, plan + "/approve": newest.Plans[0].Digest, plan + "/execution": "Execution", "/expiry": "Rows 1 to 200 of",
		"/": "commitments", "/plans": "Older plans", "/plans?state=proposed": "proposed", "/history": "Older lines", "/doubt": "In doubt since", "/schedules": "Schedules",
		"/history?state=needs_review": "needs review",
	} {
		if status, body := opened(t.Context(), pages, path); status != http.StatusOK || !strings.Contains(body, says) {
			t.Errorf("%s: %d\n%s", path, status, body)
		}
	}
}

// TestPagesLeadOn: the links from page to page show every plan and line once.
func TestPagesLeadOn(t *testing.T) {
	const plans, each = 120, 4
	a, _, _ := filled(t, plans, each)
	next := regexp.MustCompile(`href="([^"]*)"[^>]*rel="next"`)
	for path, row := range map[string]struct {
		of   string
		want int
	}{
		"/plans":                 {`href="/plans/([0-9A-Z]{26})"`, plans + 1},
		"/plans?state=proposed":  {`href="/plans/([0-9A-Z]{26})"`, plans/20 + 1},
		"/plans?q=no+such":       {`href="/plans/([0-9A-Z]{26})"`, 0},
		"/history":               {`href="/history/([0-9A-Z]{26})"`, plans*each + 1},
		"/history?q=no+such":     {`href="/history/([0-9A-Z]{26})"`, 0},
		"/history?q=db.m6g":      {`href="/history/([0-9A-Z]{26})"`, plans*each + 1},
		"/history?state=draft":   {`href="/history/([0-9A-Z]{26})"`, 1},
		"/history?account=other": {`href="/history/([0-9A-Z]{26})"`, 0},
		"/expiry":                {`>ri-([0-9A-Z]{26})<`, plans * each},
		"/inventory":             {`>ri-([0-9A-Z]{26})<`, plans * each},
		"/inventory?sort=-total": {`>ri-([0-9A-Z]{26})<`, plans * each},
	} {
		pages := web.New(web.Options{Service: a}) // that has asked no cloud yet
		found := map[string]bool{}
		n := 0
		for to := path; to != ""; {
			status, body := opened(t.Context(), pages, to)
			if status != http.StatusOK {
				t.Fatalf("%s: %d\n%s", to, status, body)
			}
			for _, m := range regexp.MustCompile(row.of).FindAllStringSubmatch(body, -1) {
				found[m[1]] = true
				n++
			}
			to = ""
			if m := next.FindStringSubmatch(body); m != nil {
				to = html.UnescapeString(m[1])
			}
		}
		if len(found) != row.want || n != row.want {
			t.Errorf("%s: %d links to %d, want %d", path, n, len(found), row.want)
		}
	}
}

// opened is a page as somebody who may do everything sees it.
func opened(ctx context.Context, pages http.Handler, path string) (status int, body string) {
	who := auth.Principal{Name: "ada", Roles: auth.Roles}
	w := httptest.NewRecorder()
	pages.ServeHTTP(w, httptest.NewRequestWithContext(auth.With(ctx, who), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// filled is an app on a ledger of so many plans with so many lines each, beside one with
// one line, whose id it returns.
func filled(b testing.TB, plans, each int) (a *App, plan, ledger string) {
	b.Helper()
	r, err := Rehearse(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Close() }) //nolint:errcheck // simulated
	if a, err = r.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() }) //nolint:errcheck // simulated
	created, err := a.CreatePlan(b.Context(), api.PlanRequest{File: "mine.yaml", Content: []byte(mine)})
	if err != nil {
		b.Fatal(err)
	}
	multiply(b, r.Ledger, created.Plan.ID, plans, each, a.Now())
	return a, created.Plan.ID, r.Ledger
}

// multiply fills a ledger with plans of so many lines each, copied from a plan with one,
// and puts them into states that only purchases lead to. No guard of the ledger is asked:
// it is for reading.
func multiply(b testing.TB, ledger, plan string, plans, each int, now time.Time) {
	b.Helper()
	db, err := sql.Open("sqlite", ledger)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it is read only from now on
	rows, err := db.QueryContext(b.Context(), "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('plan', 'line')")
	if err != nil {
		b.Fatal(err)
	}
	var triggers []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			b.Fatal(err)
		}
		triggers = append(triggers, name)
	}
	if err := rows.Close(); err != nil {
		b.Fatal(err)
	}
	exec := func(query string, args ...any) {
		b.Helper()
		if _, err := db.ExecContext(b.Context(), query, args...); err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range triggers {
		exec("DROP TRIGGER " + name)
	}
	series := func(n int) string {
		return fmt.Sprintf("(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s)", n)
	}
	exec(`INSERT INTO plan (id, lineage, version, name, requester, requester_key, created_at, tolerance_bp, all_or_nothing, currency, upfront, hourly, total, digest, state, approvals_needed, self_approval, approvers, approval_expires_at)
		SELECT substr(id, 1, 20) || printf('%06d', n), substr(id, 1, 20) || printf('%06d', n), 1, name || n, requester, requester_key, created_at, tolerance_bp, 0, currency, upfront, hourly, total, digest || n,
		CASE WHEN n % 20 = 0 THEN 'proposed' ELSE 'approved' END, approvals_needed, self_approval, approvers, 1
		FROM plan, `+series(plans)+` s WHERE plan.id = $1`, plan)
	exec(`INSERT INTO line (id, plan_id, number, provider, service, account, region, class, spec, currency, total, state, generation, armed, version, cancel_requested, reason, must_leave_by, look_at, updated_at)
		SELECT substr(l.id, 1, 17) || printf('%09d', p.rowid * 100000 + s.n), p.id, s.n, provider, service, account, region, class, spec, l.currency, (CAST(l.total AS INTEGER) + s.n % 40) || '.25',
		CASE WHEN s.n % 100 = 0 THEN 'needs_review' WHEN s.n % 25 = 0 THEN 'ready' ELSE 'purchased' END, 1, 1, 3, 0, '', 1, 1, updated_at
		FROM line l, plan p, `+series(each)+` s WHERE l.plan_id = $1 AND p.id <> $1`, plan)
	bought, err := json.Marshal(cloud.Commitment{Lane: cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "us-east-1", Service: "rds"}, ID: "ri-1", State: "active", Start: now, Term: cloud.OneYear, Quantity: 1})
	if err != nil {
		b.Fatal(err)
	}
	exec(`INSERT INTO receipt (line_id, provider, account, region, service, commitment_id, commitment, how, heuristic, at, ends_at, term_months, currency, total)
		SELECT id, provider, account, region, service, 'ri-' || id, replace($1, '"ri-1"', '"ri-' || id || '"'), 'reply', 0, $2 - (365 - rowid % 365) * 86400000000, $2 + (rowid % 365 + 1) * 86400000000, 12, currency, total
		FROM line WHERE state = 'purchased'`, string(bought), now.UnixMicro())
	exec("ANALYZE")
}

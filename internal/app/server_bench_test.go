package app

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"bursar/internal/api"
	"bursar/internal/auth"

	_ "modernc.org/sqlite"
)

// BenchmarkFirstPage measures the handlers on a ledger with 100,000 lines in 200 plans.
func BenchmarkFirstPage(b *testing.B) {
	const plans, each = 200, 500
	r, err := Rehearse(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // simulated
	a, err := r.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close() //nolint:errcheck // simulated
	created, err := a.CreatePlan(b.Context(), api.PlanRequest{File: "mine.yaml", Content: []byte(mine)})
	if err != nil {
		b.Fatal(err)
	}
	multiply(b, r.Ledger, created.Plan.ID, plans, each)
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
		"/api/v1/lines?cursor=" + created.Plan.ID + ".0",
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

// multiply fills a ledger with plans of so many lines each, copied from a plan with one,
// and puts them into states that only purchases lead to. No guard of the ledger is asked:
// it is for reading.
func multiply(b *testing.B, ledger, plan string, plans, each int) {
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
	exec("ANALYZE")
}

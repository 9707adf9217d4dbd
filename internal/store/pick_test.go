package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// explainer runs queries, and keeps how the database goes about each of them.
type explainer struct {
	*sql.DB
	t        *testing.T
	postgres bool
	plans    []string
}

func (e *explainer) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	explain := "EXPLAIN QUERY PLAN "
	if e.postgres {
		explain = "EXPLAIN "
	}
	found, err := e.DB.QueryContext(ctx, explain+query, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var plan []string
	for found.Next() {
		var text string
		into := []any{&text}
		if !e.postgres {
			into = []any{new(int), new(int), new(int), &text}
		}
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		plan = append(plan, text)
	}
	e.plans = append(e.plans, strings.Join(plan, "\n"))
	if err := found.Err(); err != nil {
		return nil, err
	}
	return e.DB.QueryContext(ctx, query, args...)
}

// Picking what is due reads an index in its order, however many lines are open: no
// query of it reads or sorts a table.
func TestPickingDoesNotReadEveryLine(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		const open = 100_000
		e := on.open(t)
		p := e.approve(1, 1)
		guard := e.dropTrigger("line_starts_as_draft")
		columns := map[string]string{
			"id": "'01L' || n", "number": "n + 10", "state": "'ready'", "look_at": fmt.Sprintf("%d + n * 1000", micros(t0)),
		}
		series := "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < " + fmt.Sprint(open) + ") SELECT n FROM s) series"
		e.ok(e.exec(strings.Replace(copyLine(columns), "FROM line", "FROM "+series+", line", 1), p.Lines[0].ID))
		e.ok(e.exec(guard))
		e.ok(e.exec("ANALYZE"))
		ctx, ex := t.Context(), &explainer{DB: e.db.reader, t: t, postgres: e.db.postgres}
		now := micros(t0.Add(5 * time.Second))
		for _, plan := range []purchase.PlanID{"", p.ID} {
			due, err := workable(ctx, rows.New(ex), plan, rows.WorkableLinesParams{Now: now, Most: 1000})
			if err != nil || len(due) != 1000 {
				t.Errorf("%d are due, %v", len(due), err)
			}
			more, err := workable(ctx, rows.New(ex), plan, rows.WorkableLinesParams{Now: now, AfterAt: due[999].LookAt, AfterID: due[999].ID, Most: 1000})
			if err != nil || len(more) != 1000 || more[0].LookAt != due[999].LookAt+1000 {
				t.Errorf("%d more are due, %v", len(more), err)
			}
			if ids, err := waiting(ctx, rows.New(ex), plan, now); err != nil || len(ids) != 1 {
				t.Errorf("%d wait, %v", len(ids), err)
			}
		}
		if len(ex.plans) != 6 {
			t.Errorf("%d queries", len(ex.plans))
		}
		for _, plan := range ex.plans {
			if !strings.Contains(plan, "line_open") || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort") ||
				strings.Contains(plan, "SCAN") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("the pick reads more than an index:\n%s", plan)
			}
			t.Log(plan)
		}
	})
}

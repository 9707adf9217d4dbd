package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// A page reads an index in its order, however many lines come before it, and sums read an
// index alone: no query of them reads or sorts the table of lines.
func TestPagingDoesNotReadEveryLine(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		const many = 20_000
		e := on.open(t)
		p := e.approve(1, 1)
		guard := e.dropTrigger("line_starts_as_draft")
		columns := map[string]string{
			"id": "'01L' || n", "number": "n + 10", "state": "CASE WHEN n % 2 = 0 THEN 'needs_review' ELSE 'purchased' END", "must_leave_by": "1",
		}
		series := "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < " + fmt.Sprint(many) + ") SELECT n FROM s) series"
		e.ok(e.exec(strings.Replace(copyLine(columns), "FROM line", "FROM "+series+", line", 1), p.Lines[0].ID))
		e.ok(e.exec(guard))
		e.ok(e.exec("ANALYZE"))
		if e.db.postgres {
			e.ok(e.exec("VACUUM line")) // which marks what an index alone tells of
		}
		ctx, ex := t.Context(), &explainer{DB: e.db.reader, t: t, postgres: e.db.postgres}
		q := rows.New(ex)
		account := p.Lines[0].Spec.Account
		for _, page := range []LinePage{
			{Most: 50}, {Most: 50, Plan: p.ID}, {Most: 50, After: p.ID, AfterNumber: 10_000}, {Most: 50, State: purchase.NeedsReview},
			{Most: 50, Account: account}, {Most: 50, State: purchase.NeedsReview, Account: account},
		} {
			found, err := pageLines(ctx, q, page)
			if err != nil || len(found) != 50 {
				t.Errorf("%+v: %d lines, %v", page, len(found), err)
			}
			for i := 1; i < len(found); i++ {
				if found[i].Number <= found[i-1].Number {
					t.Errorf("%+v: number %d after %d", page, found[i].Number, found[i-1].Number)
				}
			}
		}
		oldest, err := q.OldestLinesInState(ctx, rows.OldestLinesInStateParams{State: string(purchase.NeedsReview), Most: 20})
		if err != nil || len(oldest) != 20 {
			t.Errorf("%d lines of the oldest plans in a state, %v", len(oldest), err)
		}
		pages := len(ex.plans)
		for _, i := range []int{3, pages - 1} { // a state of which there is nothing costs nothing
			if !e.db.postgres && !strings.Contains(ex.plans[i], "line_page_in_state") {
				t.Errorf("query %d does not look the state up:\n%s", i, ex.plans[i])
			}
		}
		sums, err := q.SumLines(ctx)
		if err != nil || len(sums) != 3 {
			t.Errorf("%d sums, %v", len(sums), err)
		}
		of, err := q.SumLinesOfPlan(ctx, string(p.ID))
		if err != nil || len(of) != 3 {
			t.Errorf("%d sums of the plan, %v", len(of), err)
		}
		for i, plan := range ex.plans {
			t.Log(plan)
			reads := strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "SCAN") && !strings.Contains(plan, "COVERING INDEX line_sums")
			// Groups of one plan are sorted by either; a page is not.
			sorts := strings.Contains(plan, "TEMP B-TREE FOR ORDER") || strings.Contains(plan, "Sort Key") || strings.Contains(plan, "Sort  (")
			if reads || sorts && i < pages {
				t.Errorf("query %d reads more than an index:\n%s", i, plan)
			}
		}
	})
}

// TestAnswers: an answer is taken by one, kept for all, and forgotten after its time.
func TestAnswers(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		ctx, k := t.Context(), AnswerKey{Principal: "ada", Key: "k", Route: "POST /a", Body: "b"}
		take := func(k AnswerKey, at, until time.Time) (string, Answer) {
			t.Helper()
			token, found, err := e.db.TakeAnswer(ctx, k, at, until)
			if err != nil {
				t.Fatal(err)
			}
			return token, found
		}
		soon, later := t0.Add(time.Minute), t0.Add(time.Hour)
		token, _ := take(k, t0, soon)
		if token == "" {
			t.Fatal("nobody has it")
		}
		if second, found := take(k, t0, soon); second != "" || found.Done || found.Route != k.Route || found.Body != k.Body {
			t.Errorf("taken twice: %q %+v", second, found)
		}
		if other, _ := take(AnswerKey{Principal: "ben", Key: "k", Route: "POST /a", Body: "b"}, t0, soon); other == "" {
			t.Error("another one's key stands in the way")
		}
		if err := e.db.KeepAnswer(ctx, k, "another", Answer{}, later); err == nil {
			t.Error("somebody else kept an answer")
		}
		e.ok(e.db.KeepAnswer(ctx, k, token, Answer{Status: 200, MediaType: "application/json", ETag: `"x"`, Text: "{}"}, later))
		e.ok(e.db.DropAnswer(ctx, k, token)) // what is kept stays
		want := Answer{Route: k.Route, Body: k.Body, Done: true, Status: 200, MediaType: "application/json", ETag: `"x"`, Text: "{}"}
		if second, found := take(k, soon, later); second != "" || found != want {
			t.Errorf("%q %+v", second, found)
		}
		if again, _ := take(k, later, later.Add(time.Minute)); again == "" {
			t.Error("it is not forgotten after its time")
		}
		dropped := AnswerKey{Principal: "ada", Key: "d", Route: "POST /a", Body: "b"}
		token, _ = take(dropped, t0, soon)
		e.ok(e.db.DropAnswer(ctx, dropped, token))
		if again, _ := take(dropped, t0, soon); again == "" {
			t.Error("what was given up cannot be taken")
		}
		// One that was given up on is carried out by somebody else, whose answer stands.
		if late, _ := take(dropped, soon, later); late == "" {
			t.Error("its time is over")
		}
		if err := e.db.KeepAnswer(ctx, dropped, token, Answer{}, later); err == nil {
			t.Error("an answer that came too late was kept")
		}
	})
}

// TestLineVersions: every move of a line counts, and what it costs is in its row.
func TestLineVersions(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, p := full(t, on)
		versions, err := e.db.LineVersions(t.Context(), p.ID)
		if err != nil || len(versions) != len(p.Lines) {
			t.Fatal(len(versions), err)
		}
		moved := false
		for i, v := range versions {
			if v.Line != p.Lines[i].ID {
				t.Errorf("line %d is %s", i, v.Line)
			}
			moved = moved || v.Version > 0
		}
		if !moved {
			t.Error("no line has moved")
		}
		sums, err := e.db.SumLines(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, s := range sums {
			n += s.Lines
			if s.Total.Currency() == "" || s.Account == cloud.Account("") {
				t.Errorf("%+v", s)
			}
		}
		if n != len(p.Lines) {
			t.Errorf("%d lines of %d", n, len(p.Lines))
		}
		e.refuses("UPDATE line SET total = '1' WHERE id = $1", p.Lines[0].ID)
		e.refuses("UPDATE line SET currency = 'XXX' WHERE id = $1", p.Lines[0].ID)
		if _, err := e.db.PlansBefore(t.Context(), "", purchase.PlanApproved, 1); errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

package store

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

func (e *engine) begin(p *purchase.Plan, at time.Time) (bool, error) {
	e.t.Helper()
	return e.db.Begin(e.t.Context(), Begun{Plan: p.ID, By: "ana", At: at, How: ByDetach})
}

// dueNow lists the lines that a worker would pick.
func (e *engine) dueNow(at time.Time, after Due, most int) (ids []purchase.LineID) {
	e.t.Helper()
	due, err := e.db.Due(e.t.Context(), "me", at, after, most)
	e.ok(err)
	for _, d := range due {
		ids = append(ids, d.Line)
	}
	return ids
}

// TestBegin: people begin what people have approved, once.
func TestBegin(t *testing.T) { onEngines(t, testBegin) }

func testBegin(t *testing.T, on database) {
	e := on.open(t)
	db := e.db
	p := e.save(1, 2)
	if _, err := e.begin(p, t0); !errors.Is(err, ErrNotApproved) {
		t.Errorf("a proposed plan: %v", err)
	}
	if err := e.exec("INSERT INTO begun (plan_id, person, at, how) VALUES ($1, 'x', $2, 'apply')", string(p.ID), micros(t0)); err == nil {
		t.Error("the database lets a proposed plan begin")
	}
	e.ok(e.Decide(t.Context(), yes(p), t0.Add(2*time.Hour)))
	if err := e.exec("UPDATE line SET begun = 1"); err == nil {
		t.Error("the database lets a line begin without its plan")
	}
	if _, err := e.begin(p, t0.Add(2*time.Hour)); !errors.Is(err, ErrNotApproved) {
		t.Errorf("a plan whose approval is over: %v", err)
	}
	if got := e.dueNow(t0.Add(time.Hour), Due{}, 9); len(got) != 0 {
		t.Errorf("due before the plan is begun: %v", got)
	}
	later := t0.Add(time.Hour)
	if first, err := e.begin(p, later); !first || err != nil {
		t.Error(first, err)
	}
	if first, err := e.begin(p, later.Add(time.Minute)); first || err != nil {
		t.Errorf("the second time: %t %v", first, err)
	}
	b, err := db.BegunBy(t.Context(), p.ID)
	if err != nil || b == nil || *b != (Begun{Plan: p.ID, By: "ana", At: later, How: ByDetach}) {
		t.Errorf("%+v %v", b, err)
	}
	if l := e.row(p.Lines[0].ID).Line; !l.MustLeaveBy.Equal(later.Add(purchase.ReadyDwell)) {
		t.Errorf("the line must leave by %s", l.MustLeaveBy)
	}
	for _, query := range []string{"UPDATE begun SET person = 'y'", "DELETE FROM begun", "UPDATE line SET begun = 0"} {
		if err := e.exec(query); err == nil {
			t.Errorf("the database takes %s", query)
		}
	}
}

// TestDue: a worker picks what is due of plans that were begun, and whatever may have
// been bought, page by page, and never waits for an index that is not there.
func TestDue(t *testing.T) { onEngines(t, testDueOfWorker) }

func testDueOfWorker(t *testing.T, on database) {
	e := on.open(t)
	begun, other := e.approve(1, 5), e.approve(2, 2)
	_, err := e.begin(begun, t0)
	e.ok(err)
	e.armed(other.Lines[1].ID, t0, "n1")
	want := []purchase.LineID{}
	for _, l := range begun.Lines {
		want = append(want, l.ID)
	}
	want = append(want, other.Lines[1].ID) // in doubt: due two seconds after it was armed
	if got := e.dueNow(t0.Add(time.Minute), Due{}, 100); !slices.Equal(got, want) {
		t.Errorf("due: %v, want %v", got, want)
	}
	if got := e.dueNow(t0.Add(time.Second), Due{}, 100); !slices.Equal(got, want[:5]) {
		t.Errorf("due before: %v", got)
	}
	var paged []purchase.LineID
	var after Due
	for {
		page, err := e.db.Due(t.Context(), "me", t0.Add(time.Minute), after, 2)
		e.ok(err)
		for _, d := range page {
			paged = append(paged, d.Line)
			if d.Lane != (cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "eu-west-1", Service: "rds"}) {
				t.Errorf("lane %s", d.Lane)
			}
		}
		if len(page) < 2 {
			break
		}
		after = page[1]
	}
	if !slices.Equal(paged, want) {
		t.Errorf("page by page: %v", paged)
	}
	e.indexed("SELECT id FROM line WHERE CASE WHEN state IN ('armed', 'queued', 'recovery') THEN 1 WHEN state IN ('ready', 'needs_reapproval') THEN begun ELSE 0 END = 1 "+
		"AND look_at <= 5 AND NOT EXISTS (SELECT 1 FROM claim c WHERE c.line_id = line.id AND c.until > 5 AND c.worker <> 'me') AND (look_at, id) > (0, '') ORDER BY look_at, id LIMIT 9", "line_due")
}

// indexed fails unless a query is answered from an index, in the order of the index.
func (e *engine) indexed(query, index string) {
	e.t.Helper()
	explain := "EXPLAIN QUERY PLAN "
	if e.db.postgres {
		explain = "EXPLAIN "
		e.ok(e.exec("ANALYZE"))
	}
	conn, err := e.db.reader.Conn(e.t.Context())
	e.ok(err)
	defer conn.Close() //nolint:errcheck // back to the pool
	if e.db.postgres { // a few rows are read faster without any index
		_, err := conn.ExecContext(e.t.Context(), "SET enable_seqscan = off")
		e.ok(err)
	}
	rows, err := conn.QueryContext(e.t.Context(), explain+query)
	e.ok(err)
	defer rows.Close() //nolint:errcheck // read only
	columns, err := rows.Columns()
	e.ok(err)
	var plan []string
	for rows.Next() {
		row, into := make([]string, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		e.ok(rows.Scan(into...))
		plan = append(plan, row[len(row)-1])
	}
	e.ok(rows.Err())
	text := strings.Join(plan, "; ")
	if !strings.Contains(text, index) || strings.Contains(text, "Sort") || strings.Contains(text, "TEMP B-TREE") {
		e.t.Errorf("the plan of the query: %s", text)
	}
}

// TestLookUnanswered: what nobody has recorded an answer of is due at once for the
// process that starts; what has one is not.
func TestLookUnanswered(t *testing.T) { onEngines(t, testLookUnanswered) }

func testLookUnanswered(t *testing.T, on database) {
	e := on.open(t)
	p := e.approve(1, 2)
	e.armed(p.Lines[0].ID, t0, "n1")
	a := e.armed(p.Lines[1].ID, t0, "n2")
	now := t0.Add(time.Second)
	c := e.step(p.Lines[1].ID, answer(a, cloud.InDoubt), now)
	c.LookAt = now.Add(time.Minute)
	e.apply(c, now)
	e.ok(e.db.LookUnanswered(t.Context(), now))
	if got := e.dueNow(now, Due{}, 9); !slices.Equal(got, []purchase.LineID{p.Lines[0].ID}) {
		t.Errorf("due at once: %v", got)
	}
}

// TestClaim: what one worker has claimed another does not pick, until the claim is over
// or released; in a file, which is of one machine, nothing is claimed.
func TestClaim(t *testing.T) { onEngines(t, testClaim) }

func testClaim(t *testing.T, on database) {
	e := on.open(t)
	p := e.approve(1, 3)
	_, err := e.begin(p, t0)
	e.ok(err)
	lines := func(worker string, at time.Time) []Due {
		t.Helper()
		due, err := e.db.Due(t.Context(), worker, at, Due{}, 9)
		e.ok(err)
		return due
	}
	claim := func(worker string, of []Due, at time.Time, want int) {
		t.Helper()
		got, err := e.db.Claim(t.Context(), worker, of, at, at.Add(8*time.Second))
		if err != nil || len(got) != want {
			t.Errorf("%s has %d lines, want %d, %v", worker, len(got), want, err)
		}
	}
	all := lines("me", t0)
	claim("me", all[:2], t0, 2)
	if !e.db.Shared() {
		claim("you", all, t0, 3)
		return
	}
	claim("me", all[:2], t0, 2)
	claim("you", all, t0, 1)
	if n := len(lines("you", t0)); n != 1 {
		t.Errorf("%d lines for another", n)
	}
	if n := len(lines("me", t0)); n != 2 {
		t.Errorf("%d lines for me", n)
	}
	later := t0.Add(8 * time.Second)
	if n := len(lines("you", later)); n != 3 {
		t.Errorf("%d lines after the claim", n)
	}
	claim("you", all, later, 3)
	claim("me", all, later, 0)
	e.ok(e.db.Release(t.Context(), "you"))
	claim("me", all, later, 3)
}

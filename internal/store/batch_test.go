package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// The connections of the pool are gone, as after a restart of the server, and nobody
// has noticed: nothing was sent on them, so another one takes the step.
func TestAStepIsRunAgainOnAConnectionThatIsThere(t *testing.T) {
	e := postgresDB.open(t)
	p := e.approve(1, 3)
	e.armed(p.Lines[0].ID, t0, "nonce-0")
	c := e.step(p.Lines[1].ID, checked(p.Lines[1].Spec.Offering, t0, "nonce-1"), t0)
	texts(t, e.db, "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()")
	if err := e.Apply(t.Context(), c, t0); err != nil {
		t.Fatal(err)
	}
	if row := e.row(p.Lines[1].ID); row.Line.State != purchase.Armed || len(row.Attempts) != 1 {
		t.Errorf("the line is %s with %d attempts", row.Line.State, len(row.Attempts))
	}
}

// What fails is told by what failed, wherever it is asked for, and nothing of the step
// stays.
func TestAStatementThatFailsFailsItsStep(t *testing.T) {
	e := postgresDB.open(t)
	p := e.approve(1, 1)
	line := string(p.Lines[0].ID)
	before := e.everything()
	evidence := func(q *rows.Queries) error {
		return q.InsertEvidence(t.Context(), rows.InsertEvidenceParams{ID: newID(t0), LineID: "no such line", At: 1})
	}
	for name, fn := range map[string]func(*rows.Queries) error{
		"nobody asks": evidence,
		"a count": func(q *rows.Queries) error {
			if err := evidence(q); err != nil {
				return err
			}
			n, err := q.EndHold(t.Context(), rows.EndHoldParams{LineID: line})
			if err == nil {
				t.Errorf("%d rows after a statement that failed", n)
			}
			return err
		},
		"a row": func(q *rows.Queries) error {
			if err := evidence(q); err != nil {
				return err
			}
			_, err := q.GetLine(t.Context(), line)
			return err
		},
		"rows": func(q *rows.Queries) error {
			if err := evidence(q); err != nil {
				return err
			}
			_, err := q.LineHolds(t.Context(), line)
			return err
		},
		"whoever does not ask twice": func(q *rows.Queries) error {
			_ = evidence(q)
			_, _ = q.GetLine(t.Context(), line)
			return nil
		},
	} {
		err := e.db.writeStep(t.Context(), func(q *rows.Queries) error {
			if err := q.SpendHolds(t.Context(), rows.SpendHoldsParams{EndedAt: 1, LineID: "nobody's"}); err != nil {
				return err
			}
			return fn(q)
		})
		if pgCode(err) != "23503" || !strings.Contains(err.Error(), "evidence") || errors.Is(err, purchase.ErrCommitUnknown) {
			t.Errorf("%s: %v, want that of the evidence", name, err)
		}
		e.unchanged(before)
	}
	e.armed(p.Lines[0].ID, t0.Add(time.Second), "nonce-0")
}

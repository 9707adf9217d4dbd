package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"
	"time"

	"bursar/internal/cloud"
)

// TestWake: a message is written with the change that it is about, or not at all, and
// one that cannot be written stops no change.
func TestWake(t *testing.T) { onEngines(t, testWake) }

func testWake(t *testing.T, on database) {
	e := on.open(t)
	e.ok(e.exec("CREATE TABLE hint (due BIGINT)"))
	e.db.WakeWith(func(ctx context.Context, tx *sql.Tx, in time.Duration) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO hint (due) VALUES ($1)", int64(in/time.Second))
		return err
	})
	said := func(want ...int64) {
		t.Helper()
		rows, err := e.db.reader.QueryContext(t.Context(), "SELECT due FROM hint ORDER BY due")
		e.ok(err)
		defer rows.Close() //nolint:errcheck // read only
		var got []int64
		for rows.Next() {
			var n int64
			e.ok(rows.Scan(&n))
			got = append(got, n)
		}
		e.ok(rows.Err())
		if !slices.Equal(got, want) {
			t.Errorf("messages for %v, want %v", got, want)
		}
	}
	p := e.approve(1, 2)
	said()
	if _, err := e.begin(p, t0); err != nil {
		t.Fatal(err)
	}
	said(0)
	a := e.armed(p.Lines[0].ID, t0, "n1")
	said(0) // the answer is awaited
	c := e.step(p.Lines[0].ID, answer(a, cloud.InDoubt), t0)
	c.LookAt = t0.Add(30 * time.Second)
	stale := c
	e.apply(c, t0)
	said(0, 30)
	if err := e.Apply(t.Context(), stale, t0); err == nil {
		t.Error("a step was taken twice")
	}
	said(0, 30)

	e.db.WakeWith(func(ctx context.Context, tx *sql.Tx, _ time.Duration) error {
		_, one := tx.ExecContext(ctx, "INSERT INTO hint (due) VALUES (99)")
		_, other := tx.ExecContext(ctx, "INSERT INTO no_such_table (due) VALUES (1)")
		return errors.Join(one, other)
	})
	other := e.approve(2, 1)
	if first, err := e.begin(other, t0); !first || err != nil {
		t.Errorf("with a message that cannot be written: %t %v", first, err)
	}
	if b, err := e.db.BegunBy(t.Context(), other.ID); err != nil || b == nil {
		t.Errorf("the change is lost: %v", err)
	}
	said(0, 30)
}

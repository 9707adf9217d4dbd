package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// Waker writes, in the transaction of a change, a message that something is due for
// workers in a while. It must change no row of the ledger. What it writes is a hint:
// it carries no state, and work is found by query. If it fails, what it has written
// is taken back and the change goes on.
type Waker func(ctx context.Context, tx *sql.Tx, in time.Duration) error

// WakeWith sets who writes the messages, before the ledger is used.
func (db *DB) WakeWith(w Waker) { db.waker = w }

// wake has a message written for a moment. The error is that of the transaction and
// not of the waker.
func (db *DB) wake(ctx context.Context, q *rows.Queries, at, now time.Time) error {
	if db.waker == nil {
		return nil
	}
	var tx *sql.Tx
	switch on := q.On().(type) {
	case transaction:
		tx, ctx = on.Tx, on.in(ctx)
	case unstopped:
		tx, ctx = on.on.(*sql.Tx), on.ctx
	default:
		return errors.New("a batch wakes nobody")
	}
	if _, err := q.On().ExecContext(ctx, "SAVEPOINT wake"); err != nil {
		return err
	}
	if failed := db.waker(ctx, tx, max(0, at.Sub(now))); failed != nil {
		if _, err := q.On().ExecContext(ctx, "ROLLBACK TO SAVEPOINT wake"); err != nil {
			return err
		}
	}
	_, err := q.On().ExecContext(ctx, "RELEASE SAVEPOINT wake")
	return err
}

// wakes reports whether a message is written for the next look at a line that is moved.
// For one that is armed none is: its answer is awaited, and if the process dies the
// sweep of another finds the line.
func (db *DB) wakes(c purchase.Change, now time.Time) bool {
	return db.waker != nil && c.Arm == nil && !c.To.Terminal() && c.LookAt.After(now)
}

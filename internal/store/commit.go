package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// On SQLite there is one writer. Writers of one process that wait for each other share
// a COMMIT, because a disk takes longer to sync than a step takes to write. Each step
// keeps its own guards and is whole or nothing by a savepoint of its own; none is told
// that it is done before the COMMIT that holds it has succeeded, and all of them are
// told what came of it.
type commits struct {
	waiting atomic.Int64 // writers that want the turn
	turn    sync.Mutex   // held by the writer that runs its step, or ends the group
	group   *group       // that is open; nil for none
}

// groupMost bounds the steps that share a COMMIT, so that the first of them does
// not wait for ever.
const groupMost = 64

// group is one transaction of the database.
type group struct {
	tx    *sql.Tx
	steps int
	torn  error         // why it cannot be committed; nil if it can
	done  chan struct{} // closed once err is set
	err   error         // of the COMMIT
}

// write runs fn in a writing transaction that sees and changes the ledger alone:
// whole, or not at all with an error. If the answer to COMMIT is an error, whether it
// took effect is unknown, and the error says so. fn may run more than once, and what
// it has written before is then undone.
func (db *DB) write(ctx context.Context, fn func(*rows.Queries) error) error {
	return db.commitAs(ctx, alone, false, fn)
}

// writeStep is write for a step of one line, which on PostgreSQL runs beside the
// steps of other lines. fn first changes the row of the line by a guarded UPDATE,
// which makes any other step of the line wait for this one, and after it touches only
// rows of that line: attempts, evidence, receipt, watch, and last its holds and their
// periods in the order of the budgets. What it does is sent as a batch, so a statement
// that changes rows may fail only after the next ones were asked for.
func (db *DB) writeStep(ctx context.Context, fn func(*rows.Queries) error) error {
	return db.commitAs(ctx, beside, true, fn)
}

// writeAndWake is writeStep for a step that writes a message for workers, statement by
// statement.
func (db *DB) writeAndWake(ctx context.Context, fn func(*rows.Queries) error) error {
	return db.commitAs(ctx, beside, false, fn)
}

func (db *DB) commitAs(ctx context.Context, lock ledgerLock, batched bool, fn func(*rows.Queries) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.postgres {
		return db.writePostgres(ctx, lock, batched, fn)
	}
	return db.writeSQLite(ctx, fn)
}

// ender ends a transaction.
type ender interface {
	Commit() error
	Rollback() error
}

func (db *DB) writeSQLite(ctx context.Context, fn func(*rows.Queries) error) error {
	// From here on no stop is heard: it would end what others have written, too.
	ctx = context.WithoutCancel(ctx)
	c := &db.commits
	c.waiting.Add(1)
	c.turn.Lock()
	c.waiting.Add(-1)
	g, err := db.step(ctx, fn)
	if g == nil {
		return err
	}
	<-g.done
	if g.err != nil {
		return g.err
	}
	return err
}

// step runs fn in the open group, and ends the group if nobody wants to join it.
// It gives up the turn. Without a group there was no transaction.
func (db *DB) step(ctx context.Context, fn func(*rows.Queries) error) (_ *group, err error) {
	c := &db.commits
	defer c.turn.Unlock()
	g := c.group
	if g == nil {
		tx, err := db.writer.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		if err := db.keep(ctx, tx); err != nil {
			return nil, errors.Join(err, tx.Rollback())
		}
		g = &group{tx: tx, done: make(chan struct{})}
		c.group = g
	}
	g.steps++
	defer func() { // also when fn panics
		if g.torn != nil || g.steps == groupMost || c.waiting.Load() == 0 {
			c.group = nil
			g.err = db.end(ctx, g)
			close(g.done)
		}
	}()
	return g, db.within(ctx, g, fn)
}

// within runs fn between a savepoint and its release.
func (db *DB) within(ctx context.Context, g *group, fn func(*rows.Queries) error) (err error) {
	tx := transaction{g.tx, db.writes}
	if _, err := tx.ExecContext(ctx, "SAVEPOINT step"); err != nil {
		g.torn = err
		return err
	}
	whole := false
	defer func() {
		if whole {
			return
		}
		_, back := tx.ExecContext(ctx, "ROLLBACK TO step")
		if back == nil {
			_, back = tx.ExecContext(ctx, "RELEASE step")
		}
		if back != nil { // the database has rolled back more than the step
			g.torn = back
			err = errors.Join(err, back)
		}
	}()
	if err := fn(rows.New(tx)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "RELEASE step"); err != nil {
		g.torn = err
		return err
	}
	whole = true
	return nil
}

// end commits a group. One that is torn is rolled back, and its steps are told
// that they do not know, because what tore it may have been an answer that was
// lost.
func (db *DB) end(ctx context.Context, g *group) error {
	defer db.writes.prepare(ctx)
	err := g.torn
	if err == nil {
		err = db.commit(g.tx)
	} else {
		err = errors.Join(err, g.tx.Rollback())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", purchase.ErrCommitUnknown, err)
	}
	return nil
}

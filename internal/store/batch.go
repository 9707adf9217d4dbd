package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"bursar/internal/store/internal/rows"
)

// unstopped is a transaction of PostgreSQL. Its queries run in its own context and not
// in that of whoever asks: pgx ends a connection whose query is stopped.
type unstopped struct {
	tx  *sql.Tx
	ctx context.Context
}

func (u unstopped) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return u.tx.ExecContext(u.ctx, query, args...)
}

func (u unstopped) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return u.tx.QueryContext(u.ctx, query, args...)
}

func (u unstopped) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return u.tx.QueryRowContext(u.ctx, query, args...)
}

func (u unstopped) PrepareContext(_ context.Context, query string) (*sql.Stmt, error) {
	return u.tx.PrepareContext(u.ctx, query)
}

// batch is the transaction of a step. A statement whose result nobody asks for waits
// for the next that is asked, or for the end, and goes to the server with it: a step is
// a few small statements, and to wait for each answer takes longer than most of them.
// They are carried out in their order, and after one that fails none is; its error is
// told where somebody asks next.
type batch struct {
	unstopped
	conn   *sql.Conn // of the transaction
	queued []*outcome
	failed error // of a statement; the server carries out nothing after it
}

// outcome is the result of a statement that is sent when it is asked for.
type outcome struct {
	of    *batch // nil once it was sent
	query string
	args  []any
	n     int64
}

var (
	_ rows.DBTX  = unstopped{}
	_ rows.DBTX  = (*batch)(nil)
	_ sql.Result = (*outcome)(nil)
)

// run takes the lock, runs fn, and sends what is left.
func (b *batch) run(lock ledgerLock, fn func(*rows.Queries) error) error {
	_, err := b.ExecContext(b.ctx, string(lock))
	if err == nil {
		err = fn(rows.New(b))
	}
	sent := b.send()
	if err == nil || sent != nil && pgCode(err) == abortedTransaction {
		return sent
	}
	return err
}

func (b *batch) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	if b.failed != nil {
		return nil, b.failed
	}
	o := &outcome{of: b, query: query, args: args}
	b.queued = append(b.queued, o)
	return o, nil
}

func (b *batch) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := b.send(); err != nil {
		return nil, err
	}
	return b.unstopped.QueryContext(ctx, query, args...)
}

// QueryRowContext tells of an earlier statement that failed only that one did: what did
// is told at the end.
func (b *batch) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = b.send() // the server refuses the query then
	return b.unstopped.QueryRowContext(ctx, query, args...)
}

// send sends what has waited, and reports the first statement that failed.
func (b *batch) send() error {
	if b.failed != nil || len(b.queued) == 0 {
		return b.failed
	}
	b.failed = b.conn.Raw(func(driver any) error {
		var all pgx.Batch
		for _, o := range b.queued {
			all.Queue(o.query, o.args...)
		}
		results := driver.(*stdlib.Conn).Conn().SendBatch(b.ctx, &all)
		for _, o := range b.queued {
			tag, err := results.Exec()
			if err != nil {
				_ = results.Close() // it says the same
				return err
			}
			o.of, o.n = nil, tag.RowsAffected()
		}
		return results.Close()
	})
	b.queued = nil
	return b.failed
}

// RowsAffected sends the statement with all before it.
func (o *outcome) RowsAffected() (int64, error) {
	if o.of == nil {
		return o.n, nil
	}
	if err := o.of.send(); err != nil {
		return 0, err
	}
	return o.n, nil
}

func (o *outcome) LastInsertId() (int64, error) {
	return 0, errors.New("PostgreSQL has no such id")
}

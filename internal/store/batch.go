package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"bursar/internal/store/internal/rows"
)

// unstopped runs the queries of a transaction of PostgreSQL in its own context and not
// in that of whoever asks: pgx ends a connection whose query is stopped.
type unstopped struct {
	on  rows.DBTX
	ctx context.Context
}

func (u unstopped) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return u.on.ExecContext(u.ctx, query, args...)
}

func (u unstopped) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return u.on.QueryContext(u.ctx, query, args...)
}

func (u unstopped) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return u.on.QueryRowContext(u.ctx, query, args...)
}

func (u unstopped) PrepareContext(_ context.Context, query string) (*sql.Stmt, error) {
	return u.on.PrepareContext(u.ctx, query)
}

// batch is a transaction whose statements wait, where nobody asks for their result,
// for the next that is asked, or for COMMIT, and go to the server with it: a step is a
// few small statements, and to wait for each answer takes longer than most of them.
// They are carried out in their order, and after one that fails none is; its error is
// told where somebody asks next.
type batch struct {
	unstopped
	conn   *sql.Conn
	queued []*outcome
	failed error // of a statement; the server carries out nothing after it
}

// outcome is the result of a statement that is sent when it is asked for.
type outcome struct {
	of    *batch // nil once it was sent
	query string
	args  []any
	tag   pgconn.CommandTag
}

var (
	_ rows.DBTX  = unstopped{}
	_ rows.DBTX  = (*batch)(nil)
	_ sql.Result = (*outcome)(nil)
	_ ender      = (*batch)(nil)
)

func (b *batch) queue(query string, args ...any) *outcome {
	o := &outcome{of: b, query: query, args: args}
	b.queued = append(b.queued, o)
	return o
}

func (b *batch) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return b.queue(query, args...), b.failed
}

func (b *batch) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := b.send(); err != nil {
		return nil, err
	}
	return b.unstopped.QueryContext(ctx, query, args...)
}

// QueryRowContext fails after a statement that failed, without telling what did.
func (b *batch) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = b.send() // the server refuses the query then
	return b.unstopped.QueryRowContext(ctx, query, args...)
}

// errUnsent: the connection of a batch was gone before COMMIT was sent, as one that has
// waited in the pool while the server was started again. Nothing was changed.
var errUnsent = errors.New("the connection was lost before the end of the transaction")

// send sends what has waited, and reports the first statement that failed.
func (b *batch) send() error {
	if b.failed == nil && len(b.queued) > 0 {
		if b.failed = b.exchange(); b.failed != nil && !refused(b.failed) {
			b.failed = fmt.Errorf("%w: %w", errUnsent, b.failed)
		}
	}
	return b.failed
}

func (b *batch) exchange() error {
	sent := b.queued
	b.queued = nil
	return b.conn.Raw(func(driver any) error {
		var all pgx.Batch
		for _, o := range sent {
			all.Queue(o.query, o.args...)
		}
		results := driver.(*stdlib.Conn).Conn().SendBatch(b.ctx, &all)
		for _, o := range sent {
			var err error
			if o.tag, err = results.Exec(); err != nil {
				_ = results.Close() // it says the same
				return err
			}
			o.of = nil
		}
		return results.Close()
	})
}

// Commit sends what has waited together with COMMIT.
func (b *batch) Commit() error {
	if b.failed != nil {
		return b.failed
	}
	end := b.queue("COMMIT")
	if b.failed = b.exchange(); b.failed == nil && end.tag.String() != "COMMIT" {
		b.failed = pgx.ErrTxCommitRollback
	}
	return b.failed
}

func (b *batch) Rollback() error {
	b.queued = nil
	_, err := b.conn.ExecContext(b.ctx, "ROLLBACK")
	return err
}

// RowsAffected sends the statement with all before it.
func (o *outcome) RowsAffected() (int64, error) {
	if o.of != nil {
		if err := o.of.send(); err != nil {
			return 0, err
		}
	}
	return o.tag.RowsAffected(), nil
}

func (o *outcome) LastInsertId() (int64, error) {
	return 0, errors.New("PostgreSQL has no such id")
}

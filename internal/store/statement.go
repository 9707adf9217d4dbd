package store

import (
	"context"
	"database/sql"
	"sync"

	"bursar/internal/store/internal/rows"
)

// statements keeps the queries of a pool prepared. SQLite compiles a query in
// about the time in which it then runs it, and a line on its way from ready to
// purchased runs some forty. The queries are those of package rows, so there are
// as many as that has at most.
//
// A query is prepared after the transaction that first runs it: preparing takes a
// connection, and within a transaction of the only writer there is no other.
type statements struct {
	pool   *sql.DB
	writes bool // of the pool that writes

	mu     sync.Mutex
	ready  map[string]*sql.Stmt
	wanted map[string]bool
}

func prepared(pool *sql.DB, writes bool) *statements {
	return &statements{pool: pool, writes: writes, ready: map[string]*sql.Stmt{}, wanted: map[string]bool{}}
}

// get returns a prepared query, or nil if it is not there yet.
func (s *statements) get(query string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.ready[query]
	if st == nil {
		s.wanted[query] = true
	}
	return st
}

// prepare readies what was asked for and not there. A query that cannot be
// prepared runs as it is, and says then what is wrong with it.
func (s *statements) prepare(ctx context.Context) {
	s.mu.Lock()
	wanted := s.wanted
	if len(wanted) == 0 {
		s.mu.Unlock()
		return
	}
	s.wanted = map[string]bool{}
	s.mu.Unlock()
	for query := range wanted {
		st, err := s.pool.PrepareContext(ctx, query)
		if err != nil {
			continue
		}
		s.mu.Lock()
		if s.ready[query] == nil {
			s.ready[query] = st
		} else {
			defer st.Close() //nolint:errcheck // the other one serves
		}
		s.mu.Unlock()
	}
}

// transaction runs the queries of package rows in a transaction. A context that
// ends does not end a query of a writing one: SQLite would roll back all of it.
type transaction struct {
	*sql.Tx
	statements *statements
}

// in is the context for a query.
func (t transaction) in(ctx context.Context) context.Context {
	if t.statements.writes {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

var _ rows.DBTX = transaction{}

func (t transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx = t.in(ctx)
	if st := t.statements.get(query); st != nil {
		return t.StmtContext(ctx, st).ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

func (t transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	ctx = t.in(ctx)
	if st := t.statements.get(query); st != nil {
		return t.StmtContext(ctx, st).QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

func (t transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	ctx = t.in(ctx)
	if st := t.statements.get(query); st != nil {
		return t.StmtContext(ctx, st).QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}

// Package queue wakes workers, by jobs of River in the database of the ledger. A job
// is written in the transaction of the change that makes something due, and says
// nothing but that: what is due is found by query. So it is harmless if a job is lost,
// delivered twice or thrown away; then a worker finds the work a moment later, by
// its sweep.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// Queue is the jobs of one ledger. It is safe for concurrent use.
type Queue struct {
	driver riverdriver.Driver[*sql.Tx]
	writer *river.Client[*sql.Tx] // only inserts
	log    *slog.Logger
	polls  bool // hears of jobs by asking
	close  []func() error
}

// warned keeps back what River tells of its own work, unless the log is for finding
// mistakes.
func warned(log *slog.Logger) *slog.Logger { return slog.New(warnings{log.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return w.Handler.Enabled(ctx, level) && (level >= slog.LevelWarn || w.Handler.Enabled(ctx, slog.LevelDebug))
}

func (w warnings) WithAttrs(a []slog.Attr) slog.Handler { return warnings{w.Handler.WithAttrs(a)} }
func (w warnings) WithGroup(name string) slog.Handler   { return warnings{w.Handler.WithGroup(name)} }

// wake is the only kind of job.
type wake struct{}

func (wake) Kind() string { return "wake" }

// InsertOpts: a job that cannot be worked is thrown away.
func (wake) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1} }

// SQLite opens the queue in the file of a ledger, on a connection of its own: what
// River does there does not keep the writer of the ledger waiting for more than a
// statement.
func SQLite(path string, log *slog.Logger) (*Queue, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath()+
		"?mode=rw&_txlock=immediate&_pragma=busy_timeout(15000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // as River asks
	q := &Queue{driver: riversqlite.New(db), log: warned(log), polls: true, close: []func() error{db.Close}}
	return q.open()
}

// Postgres opens the queue in the database of a ledger. One connection of each
// process that listens hears of jobs when they are committed.
func Postgres(ctx context.Context, url string, log *slog.Logger) (*Queue, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err) // pgx masks the password
	}
	// The pool is for LISTEN alone: River takes its one connection out of it.
	cfg.MinConns, cfg.MinIdleConns, cfg.MaxConns = 0, 0, 1
	listener, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	db := stdlib.OpenDB(*cfg.ConnConfig)
	db.SetMaxOpenConns(4)
	q := &Queue{
		driver: riverdatabasesql.NewWithPgxListener(db, listener), log: warned(log),
		close: []func() error{db.Close, func() error { listener.Close(); return nil }},
	}
	return q.open()
}

func (q *Queue) open() (*Queue, error) {
	var err error
	if q.writer, err = river.NewClient(q.driver, &river.Config{Logger: q.log}); err != nil {
		return nil, errors.Join(fmt.Errorf("queue: %w", err), q.Close())
	}
	return q, nil
}

// Close closes the queue. What listens must have been stopped.
func (q *Queue) Close() error {
	var errs []error
	for _, c := range q.close {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// Migrate makes the tables of the queue, or brings them up to date. Several
// processes may do so at once.
func (q *Queue) Migrate(ctx context.Context) error {
	m, err := rivermigrate.New(q.driver, &rivermigrate.Config{Logger: q.log})
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	// One of several that begin at once makes the tables; the others find them.
	for range 5 {
		if _, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return fmt.Errorf("make the tables of the queue: %w", err)
}

// Wake writes a job in a transaction of the ledger: something is due in a while.
func (q *Queue) Wake(ctx context.Context, tx *sql.Tx, in time.Duration) error {
	opts := &river.InsertOpts{}
	if in > 0 { // by the clock of this process: that of the ledger may be simulated
		opts.ScheduledAt = time.Now().Add(in)
	}
	_, err := q.writer.InsertTx(ctx, tx, wake{}, opts)
	if err != nil {
		q.log.Debug("no message was written; workers find the work by themselves", "error", err)
	}
	return err
}

// Listen takes jobs until ctx is over. Each of them sends to the channel, unless
// nobody is ready to take it: make it with room for one.
func (q *Queue) Listen(ctx context.Context, to chan<- struct{}) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[wake]) error {
		select {
		case to <- struct{}{}:
		default:
		}
		return nil
	}))
	client, err := river.NewClient(q.driver, &river.Config{
		Logger: q.log, Workers: workers, PollOnly: q.polls,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}},
		CompletedJobRetentionPeriod: keptFor, CancelledJobRetentionPeriod: keptFor, DiscardedJobRetentionPeriod: keptFor,
	})
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	<-ctx.Done()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := client.StopAndCancel(within); err != nil {
		return fmt.Errorf("the queue did not end in time: %w", err)
	}
	return nil
}

const (
	keptFor    = 10 * time.Minute // jobs that are done, for people who look
	stopWithin = 3 * time.Second
)

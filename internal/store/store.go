// Package store keeps the ledger in SQLite.
//
// A step of a line is one guarded UPDATE in one transaction together with all
// that belongs to it (attempt, evidence, receipt): it happens whole or not at
// all. Nothing saves a whole row. What must never happen is refused by the
// database itself, whatever the caller believes: the table of transitions is a
// trigger, evidence is append-only, what an attempt may send cannot be changed,
// and a commitment belongs to one line by a unique index.
//
// Times are microseconds since the epoch, money and documents are text, ids are
// ULIDs. The rows of the database are private to this package.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"bursar/internal/store/internal/rows"
)

//go:generate go tool -modfile=../../tools.mod sqlc generate

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// DB is an open ledger. It is safe for concurrent use.
type DB struct {
	path   string
	writer *sql.DB // one connection: writers queue here instead of at the file lock
	reader *sql.DB
	// writes and reads are the prepared queries of the two.
	writes, reads *statements
	commits       commits
	// commit ends a writing transaction; tests replace it to lose the answer.
	commit func(*sql.Tx) error
	// incarnation is the one that this process has recognized.
	incarnation atomic.Int64
}

// Errors of the package; match them with errors.Is.
var (
	ErrNoLedger     = errors.New("there is no ledger")
	ErrLedgerExists = errors.New("there is a ledger already")
	ErrNotFound     = errors.New("not found")
	ErrAmbiguous    = errors.New("matches more than one")
	// ErrDigest: the plan is not in the state, or has not the digest, that the
	// person decided on.
	ErrDigest = errors.New("the plan is not waiting for a decision on this digest")
	// ErrDecided: the person has decided on this plan before.
	ErrDecided = errors.New("already decided by this person")
)

// Create makes a new ledger at path, where no file may exist. install tells this
// installation's purchases from those of others: four lower-case letters or
// digits.
func Create(ctx context.Context, path, install string, now time.Time) (*DB, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("%s: %w", path, ErrLedgerExists)
	case err != nil:
		return nil, fmt.Errorf("create the ledger: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("create the ledger: %w", err)
	}
	db, err := open(ctx, path)
	if err == nil {
		err = db.init(ctx, install, now)
	}
	if err != nil {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
		return nil, errors.Join(fmt.Errorf("create the ledger %s: %w", path, err), os.Remove(path))
	}
	return db, nil
}

// Open opens an existing ledger. It never creates one: a wrong path must not
// start an empty ledger that knows of no purchase.
func Open(ctx context.Context, path string) (*DB, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return nil, fmt.Errorf("%s: %w", path, ErrNoLedger)
	case err != nil:
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	if err := isLedger(ctx, path); err != nil {
		return nil, fmt.Errorf("open the ledger %s: %w", path, err)
	}
	db, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open the ledger %s: %w", path, err)
	}
	if _, err := db.Recognize(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// isLedger refuses a file that is something else before anything is written to
// it: the migrations would turn any database into a ledger that knows of no
// purchase.
func isLedger(ctx context.Context, path string) (err error) {
	name, err := dsn(path)
	if err != nil {
		return err
	}
	// A connection that may only read would leave -wal and -shm files behind.
	db, err := sql.Open("sqlite", name+"?mode=rw&_pragma=busy_timeout(15000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM installation JOIN pragma_table_info('attempt') a ON a.name = 'nonce'").Scan(&n); err != nil {
		return fmt.Errorf("not a ledger: %w", err)
	}
	if n != 1 {
		return errors.New("not a ledger: it was never completely created")
	}
	return nil
}

// readers is how many reading transactions may run at once.
const readers = 4

func dsn(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return "file:" + (&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath(), nil
}

func open(ctx context.Context, path string) (*DB, error) {
	name, err := dsn(path)
	if err != nil {
		return nil, err
	}
	name += "?_txlock=immediate" +
		"&_pragma=busy_timeout(15000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)" +
		// Without it INSERT OR REPLACE deletes a row and asks no trigger.
		"&_pragma=recursive_triggers(ON)"
	db := &DB{path: path, commit: (*sql.Tx).Commit}
	if db.writer, err = sql.Open("sqlite", name); err != nil {
		return nil, err
	}
	db.writer.SetMaxOpenConns(1)
	if db.reader, err = sql.Open("sqlite", name+"&_pragma=query_only(ON)"); err != nil {
		return nil, errors.Join(err, db.writer.Close())
	}
	db.reader.SetMaxOpenConns(readers)
	db.reader.SetMaxIdleConns(readers) // a new connection knows no prepared query
	db.writes, db.reads = prepared(db.writer, true), prepared(db.reader, false)
	if err := errors.Join(db.checkSettings(ctx), db.migrate(ctx)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// checkSettings refuses a connection that could lose a confirmed intent: with
// synchronous=NORMAL a commit may be rolled back at power loss.
func (db *DB) checkSettings(ctx context.Context) error {
	for _, want := range []struct{ pragma, value, name string }{
		{"journal_mode", "wal", "WAL"}, {"synchronous", "2", "FULL"}, {"foreign_keys", "1", "ON"},
	} {
		var got string
		if err := db.writer.QueryRowContext(ctx, "PRAGMA "+want.pragma).Scan(&got); err != nil {
			return err
		}
		if !strings.EqualFold(got, want.value) {
			return fmt.Errorf("%s is %q and must be %s; is the ledger on a network file system?", want.pragma, got, want.name)
		}
	}
	return nil
}

func (db *DB) migrate(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.writer, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	known := provider.ListSources()
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("not a ledger: %w", err)
	}
	if newest := known[len(known)-1].Version; version > newest {
		return fmt.Errorf("this ledger has version %d and this program knows %d: use the newer program", version, newest)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the ledger up to date: %w", err)
	}
	return nil
}

// Close closes the ledger.
func (db *DB) Close() error {
	return errors.Join(db.reader.Close(), db.writer.Close())
}

// Path returns the file that the ledger was opened from.
func (db *DB) Path() string { return db.path }

// Installation is the ledger's own identity.
type Installation struct {
	Install    string // four characters, part of every name given to a cloud
	Purchasing bool
	CreatedAt  time.Time
	// Incarnation counts the times that the ledger was found to have gone back, from 1.
	Incarnation int64
	Recovery    bool // what was lost is not made good yet
	// Restored is when it was last found to have gone back, and Backup the time from
	// which on it may have forgotten something; zero if it never has.
	Restored, Backup time.Time
}

func (db *DB) init(ctx context.Context, install string, now time.Time) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		if err := setMarks(ctx, q, map[MarkName]string{MarkHolder: newID(now)}, now); err != nil {
			return err
		}
		return q.CreateInstallation(ctx, rows.CreateInstallationParams{Install: install, CreatedAt: micros(now)})
	})
	if err == nil {
		_, err = db.Recognize(ctx)
	}
	return err
}

// Installation reads the ledger's own identity.
func (db *DB) Installation(ctx context.Context) (Installation, error) {
	r, err := db.read().GetInstallation(ctx)
	if err != nil {
		return Installation{}, fmt.Errorf("installation: %w", err)
	}
	return Installation{
		Install: r.Install, Purchasing: r.State == "purchasing", CreatedAt: fromMicros(r.CreatedAt), Incarnation: r.Incarnation,
		Recovery: r.State == "recovery", Restored: fromMicros(r.RestoredAt), Backup: fromMicros(r.BackupAt),
	}, nil
}

func (db *DB) read() *rows.Queries { return rows.New(db.reader) }

// view runs fn in one reading transaction: everything it reads is of one moment.
func (db *DB) view(ctx context.Context, fn func(*rows.Queries) error) error {
	tx, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	err = fn(rows.New(transaction{tx, db.reads}))
	_ = tx.Rollback() // nothing was written
	db.reads.prepare(ctx)
	return err
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

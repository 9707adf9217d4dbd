// Package store keeps the ledger in SQLite or in PostgreSQL.
//
// A step of a line is one guarded UPDATE in one transaction together with all
// that belongs to it (attempt, evidence, receipt): it happens whole or not at
// all. Nothing saves a whole row. What must never happen is refused by the
// database itself, whatever the caller believes: the table of transitions is a
// trigger, evidence is append-only, what an attempt may send cannot be changed,
// and a commitment belongs to one line by a unique index.
//
// Both databases have the same tables, the same guards by the same names, and run
// the same queries; what a step is on each is in commit.go.
//
// Times are microseconds since the epoch, money and documents are text, ids are
// ULIDs. The rows of the database are private to this package.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"bursar/internal/store/internal/rows"
)

//go:generate go tool -modfile=../../tools.mod sqlc generate

// DB is an open ledger. It is safe for concurrent use.
type DB struct {
	name     string // a path, or a URL without its password
	postgres bool
	host     host    // this one, of a file
	writer   *sql.DB // on SQLite one connection: writers queue here instead of at the file lock
	reader   *sql.DB
	// writes and reads are the prepared queries of the two, and commits the shared
	// ones, on SQLite.
	writes, reads *statements
	commits       commits
	clocks        clocks
	// commit ends a writing transaction; tests replace it to lose the answer.
	commit func(ender) error
	// incarnation is the one that this process has recognized.
	incarnation atomic.Int64
	// waker is told of what becomes due; nil for nobody.
	waker Waker
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

// Create makes a new ledger and opens it. ledger is a path where no file may exist,
// or the URL of an empty PostgreSQL database. install tells this installation's
// purchases from those of others: four lower-case letters or digits.
func Create(ctx context.Context, ledger, install string, now time.Time) (*DB, error) {
	return newLedger(ctx, ledger, func(db *DB) error { return db.init(ctx, install, now) })
}

func newLedger(ctx context.Context, ledger string, fill func(*DB) error) (*DB, error) {
	if IsURL(ledger) {
		return createPostgres(ctx, ledger, fill)
	}
	return createSQLite(ctx, ledger, fill)
}

// Open opens an existing ledger by its path or URL. It never creates one: a wrong
// name must not start an empty ledger that knows of no purchase. Nor does it bring
// an older one up to date, which is what Migrate is for.
func Open(ctx context.Context, ledger string) (*DB, error) {
	connect := openSQLite
	if IsURL(ledger) {
		connect = openPostgres
	}
	db, err := connect(ctx, ledger)
	if err != nil {
		return nil, err
	}
	if _, err := db.Recognize(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Close closes the ledger.
func (db *DB) Close() error {
	return errors.Join(db.reader.Close(), db.writer.Close())
}

// Path returns the file that the ledger was opened from, or its URL without the
// password.
func (db *DB) Path() string { return db.name }

// Installation is the ledger's own identity.
type Installation struct {
	Install    string // four characters, part of every name given to a cloud
	Purchasing bool
	CreatedAt  time.Time
	CopiedTo   string // where this ledger goes on; "" if it does here
	// Incarnation counts the times that the ledger was found to have gone back, from 1.
	Incarnation int64
	Recovery    bool // what was lost is not made good yet
	// Restored is when it was last found to have gone back, and Backup the time from
	// which on it may have forgotten something; zero if it never has.
	Restored, Backup time.Time
}

func (db *DB) init(ctx context.Context, install string, now time.Time) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		err := q.CreateInstallation(ctx, rows.CreateInstallationParams{Install: install, CreatedAt: micros(now)})
		if isUnique(err) {
			return ErrLedgerExists // somebody was faster
		}
		if err != nil {
			return err
		}
		return setMarks(ctx, q, map[MarkName]string{MarkHolder: newID(now)}, now)
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
		Install: r.Install, Purchasing: r.State == "purchasing", CreatedAt: fromMicros(r.CreatedAt), CopiedTo: r.CopiedTo,
		Incarnation: r.Incarnation, Recovery: r.State == "recovery", Restored: fromMicros(r.RestoredAt), Backup: fromMicros(r.BackupAt),
	}, nil
}

func (db *DB) read() *rows.Queries { return rows.New(db.reader) }

// view runs fn in one reading transaction: everything it reads is of one moment.
func (db *DB) view(ctx context.Context, fn func(*rows.Queries) error) error {
	if db.postgres {
		return db.viewPostgres(ctx, fn)
	}
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

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// createSQLite makes the file, which may not exist, with the tables of a ledger, and
// lets fill make one of it. If anything fails, no file is left.
func createSQLite(ctx context.Context, path string, fill func(*DB) error) (*DB, error) {
	if err := onDisk(path); err != nil {
		return nil, fmt.Errorf("create the ledger: %w", err)
	}
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
	db, err := connectSQLite(path)
	if err == nil {
		err = errors.Join(db.checkSettings(ctx), db.migrate(ctx))
	}
	if err == nil {
		err = fill(db)
	}
	if err == nil {
		err = db.claim(ctx)
	}
	if err != nil {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
		return nil, errors.Join(fmt.Errorf("create the ledger %s: %w", path, err), os.Remove(path))
	}
	return db, nil
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return nil, fmt.Errorf("%s: %w", path, ErrNoLedger)
	case err != nil:
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	if err := onDisk(path); err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	if err := isLedger(ctx, path); err != nil {
		return nil, fmt.Errorf("open the ledger %s: %w", path, err)
	}
	db, err := connectSQLite(path)
	if err == nil {
		err = errors.Join(db.checkSettings(ctx), db.upToDate(ctx))
	}
	if err == nil {
		err = db.claim(ctx)
	}
	if err != nil {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
		return nil, fmt.Errorf("open the ledger %s: %w", path, err)
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

func connectSQLite(path string) (*DB, error) {
	name, err := dsn(path)
	if err != nil {
		return nil, err
	}
	name += "?_txlock=immediate" +
		"&_pragma=busy_timeout(15000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)" +
		// Without it INSERT OR REPLACE deletes a row and asks no trigger.
		"&_pragma=recursive_triggers(ON)"
	db := &DB{name: path, host: thisHost(), commit: ender.Commit}
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
	return db, nil
}

// checkSettings refuses a connection that could lose a confirmed intent: with
// synchronous=NORMAL a commit may be rolled back at power loss.
func (db *DB) checkSettings(ctx context.Context) error {
	if db.postgres {
		return db.checkServer(ctx)
	}
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

// intact asks the database to check its own pages and indexes.
func (db *DB) intact(ctx context.Context) error {
	if db.postgres {
		return db.intactPostgres(ctx)
	}
	var result string
	err := db.reader.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&result)
	if err == nil && result != "ok" {
		err = errors.New(result)
	}
	return err
}

// dangling counts the rows that refer to rows which do not exist.
func (db *DB) dangling(ctx context.Context) (n int, err error) {
	if db.postgres {
		return db.danglingPostgres(ctx)
	}
	err = db.reader.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&n)
	return n, err
}

// guard counts the triggers and indexes of this name.
func (db *DB) guard(ctx context.Context, name string) (n int, err error) {
	if db.postgres {
		return db.guardPostgres(ctx, name)
	}
	err = db.reader.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = $1", name).Scan(&n)
	return n, err
}

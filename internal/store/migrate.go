package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// ErrOld: the ledger was made by an older program; see Migrate.
var ErrOld = errors.New("the ledger is of an older version")

// Migrate brings an existing ledger up to date, and returns the version that it had
// and the one that it has. Several at once wait for each other.
func Migrate(ctx context.Context, ledger string) (from, to int64, err error) {
	var db *DB
	if IsURL(ledger) {
		db, err = connectPostgres(ledger)
		if err == nil {
			err = db.isLedgerPostgres(ctx)
		}
	} else {
		if info, err := os.Stat(ledger); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			return 0, 0, fmt.Errorf("%s: %w", ledger, ErrNoLedger)
		}
		if err := isLedger(ctx, ledger); err != nil {
			return 0, 0, fmt.Errorf("bring the ledger %s up to date: %w", ledger, err)
		}
		// goose has no lock for SQLite. A file of its own: closing a second handle of
		// the ledger's file would release the locks that SQLite holds on it.
		turn := flock.New(ledger + ".migrate")
		if _, err := turn.TryLockContext(ctx, 50*time.Millisecond); err != nil {
			return 0, 0, fmt.Errorf("bring the ledger %s up to date: %w", ledger, err)
		}
		defer func() { err = errors.Join(err, turn.Close(), os.Remove(ledger+".migrate")) }()
		db, err = connectSQLite(ledger)
	}
	if db != nil {
		defer func() { err = errors.Join(err, db.Close()) }()
	}
	if err == nil {
		err = db.checkSettings(ctx)
	}
	if err == nil {
		from, to, err = db.version(ctx)
	}
	if err == nil && from < to {
		err = db.migrate(ctx)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("bring the ledger %s up to date: %w", Masked(ledger), err)
	}
	return from, to, nil
}

func (db *DB) migrations() (*goose.Provider, error) {
	dialect, dir := goose.DialectSQLite3, "migrations/sqlite"
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if db.postgres {
		dialect, dir = goose.DialectPostgres, "migrations/postgres"
		turn, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(turn))
	}
	files, err := fs.Sub(migrations, dir)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, db.writer, files, options...)
}

// version returns the version of the ledger and the newest that this program knows.
func (db *DB) version(ctx context.Context) (has, newest int64, err error) {
	m, err := db.migrations()
	if err != nil {
		return 0, 0, err
	}
	if err := db.writer.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&has); err != nil {
		return 0, 0, fmt.Errorf("not a ledger: %w", err)
	}
	known := m.ListSources()
	if newest = known[len(known)-1].Version; has > newest {
		return has, newest, fmt.Errorf("this ledger has version %d and this program knows %d: use the newer program", has, newest)
	}
	return has, newest, nil
}

// upToDate refuses a ledger of another version than this program's.
func (db *DB) upToDate(ctx context.Context) error {
	has, newest, err := db.version(ctx)
	if err == nil && has < newest {
		err = fmt.Errorf("%w: it has version %d and this program needs %d: bring it up to date with bursar migrate", ErrOld, has, newest)
	}
	return err
}

// migrate runs what the ledger has not seen yet.
func (db *DB) migrate(ctx context.Context) error {
	m, err := db.migrations()
	if err != nil {
		return err
	}
	_, err = m.Up(ctx)
	return err
}

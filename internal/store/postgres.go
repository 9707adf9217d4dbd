package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// IsURL reports whether a ledger is named by the URL of a PostgreSQL database and not
// by a path.
func IsURL(ledger string) bool {
	return strings.HasPrefix(ledger, "postgres://") || strings.HasPrefix(ledger, "postgresql://")
}

var (
	userinfo  = regexp.MustCompile(`^(postgres(?:ql)?://[^:/?#@]*):[^?#]*@`)
	passwords = regexp.MustCompile(`([?&](?:password|sslpassword)=)[^&]*`)
)

// Masked is a ledger's name as it may be shown: without the password of a URL.
func Masked(ledger string) string {
	if !IsURL(ledger) {
		return ledger
	}
	return passwords.ReplaceAllString(userinfo.ReplaceAllString(ledger, "$1:***@"), "$1***")
}

// What a connection of a ledger is. A transaction that nobody goes on with, because
// its process stands still, is ended by the server, so that its locks are free.
var session = map[string]string{
	"application_name":                    "bursar",
	"synchronous_commit":                  "on",
	"default_transaction_isolation":       "read committed",
	"idle_in_transaction_session_timeout": "30s",
	"statement_timeout":                   "60s",
}

// longest bounds a writing transaction, with the wait for a server that says nothing.
const longest = 2 * time.Minute

// writers and pgReaders are how many connections a process has at most, unless
// pool_max_conns in the URL says how many there are in all.
const (
	writers   = 6
	pgReaders = 3
)

// connectPostgres prepares both pools. It speaks to no server.
func connectPostgres(ledger string) (*DB, error) {
	name, write, read, err := pools(ledger)
	if err != nil {
		return nil, err
	}
	open := func(most int, more map[string]string) (*sql.DB, error) {
		cfg, err := pgx.ParseConfig(name)
		if err != nil {
			return nil, err // pgx masks the password
		}
		maps.Copy(cfg.RuntimeParams, session)
		maps.Copy(cfg.RuntimeParams, more)
		// What a standby does not know yet may have been bought.
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
		pool := stdlib.OpenDB(*cfg)
		pool.SetMaxOpenConns(most)
		pool.SetMaxIdleConns(most)
		return pool, nil
	}
	db := &DB{name: Masked(ledger), postgres: true, commit: ender.Commit}
	// What is written is found by its key, whatever the key: a plan is made once.
	if db.writer, err = open(write, map[string]string{"plan_cache_mode": "force_generic_plan"}); err != nil {
		return nil, err
	}
	if db.reader, err = open(read, map[string]string{"default_transaction_read_only": "on"}); err != nil {
		return nil, errors.Join(err, db.writer.Close())
	}
	return db, nil
}

// pools splits pool_max_conns, which a server does not know, off a URL.
func pools(ledger string) (name string, write, read int, err error) {
	base, query, _ := strings.Cut(ledger, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", 0, 0, errors.New("what follows ? in the URL of the ledger cannot be read")
	}
	write, read = writers, pgReaders
	if text := values.Get("pool_max_conns"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 2 {
			return "", 0, 0, fmt.Errorf("pool_max_conns is %q and must be a number from 2 on", text)
		}
		read = max(1, n/3)
		write = n - read
	}
	values.Del("pool_max_conns")
	if len(values) > 0 {
		base += "?" + values.Encode()
	}
	return base, write, read, nil
}

// createPostgres makes the tables of a ledger in an empty database, and lets fill make
// a ledger of them. If fill fails, tables without a ledger are left, which the next
// one fills.
func createPostgres(ctx context.Context, ledger string, fill func(*DB) error) (_ *DB, err error) {
	db, err := connectPostgres(ledger)
	if err != nil {
		return nil, fmt.Errorf("create the ledger: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("create the ledger %s: %w", db.name, err), db.Close())
		}
	}()
	switch err := db.isLedgerPostgres(ctx); {
	case err == nil:
		return nil, ErrLedgerExists
	case !errors.Is(err, ErrNoLedger) && !errors.Is(err, errUnnamed):
		return nil, err
	}
	if err := db.checkSettings(ctx); err != nil {
		return nil, err
	}
	if err := db.migrate(ctx); err != nil {
		return nil, err
	}
	if err := fill(db); err != nil {
		return nil, err
	}
	return db, nil
}

func openPostgres(ctx context.Context, ledger string) (*DB, error) {
	db, err := connectPostgres(ledger)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	err = db.isLedgerPostgres(ctx)
	if err == nil {
		err = errors.Join(db.checkSettings(ctx), db.upToDate(ctx))
	}
	switch {
	case errors.Is(err, ErrNoLedger):
		return nil, errors.Join(fmt.Errorf("%s: %w", db.name, ErrNoLedger), db.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("open the ledger %s: %w", db.name, err), db.Close())
	}
	return db, nil
}

// ErrUnreachable: no connection to the database of a ledger.
var ErrUnreachable = errors.New("PostgreSQL cannot be reached")

// reached puts a connection that was not made into one sentence; any other error stays.
// What was tried says the same for each address, so the last one is told.
func reached(err error) error {
	if refused := (*pgconn.ConnectError)(nil); errors.As(err, &refused) {
		lines := strings.Split(strings.TrimSpace(refused.Error()), "\n")
		return fmt.Errorf("%w (%s): start it, or name its host, port, user and database in the URL",
			ErrUnreachable, strings.TrimSpace(lines[len(lines)-1]))
	}
	return err
}

var errUnnamed = errors.New("not a ledger: it was never completely created")

// isLedgerPostgres tells a ledger from an empty database (ErrNoLedger), from one that
// was never completely created (errUnnamed), and from one that is something else.
func (db *DB) isLedgerPostgres(ctx context.Context) error {
	var tables, ours int
	var other sql.NullString
	err := db.writer.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE table_name IN ('installation', 'goose_db_version')),
		min(table_name) FILTER (WHERE table_name <> 'goose_db_version')
		FROM information_schema.tables WHERE table_schema = current_schema()`).Scan(&tables, &ours, &other)
	switch {
	case err != nil:
		return reached(err)
	case !other.Valid: // at most what goose makes first
		return ErrNoLedger
	case ours != 2:
		return fmt.Errorf("not a ledger: the database holds other tables, such as %s", other.String)
	}
	var n int
	if err := db.writer.QueryRowContext(ctx, `SELECT count(*) FROM installation JOIN information_schema.columns c
		ON c.table_schema = current_schema() AND c.table_name = 'attempt' AND c.column_name = 'nonce'`).Scan(&n); err != nil {
		return fmt.Errorf("not a ledger: %w", err)
	}
	if n != 1 {
		return errUnnamed
	}
	return nil
}

// checkServer refuses a server that could lose a confirmed intent.
func (db *DB) checkServer(ctx context.Context) error {
	var version, standbys int
	var encoding, standby string
	set := map[string]*string{"fsync": new(string), "full_page_writes": new(string), "data_sync_retry": new(string), "synchronous_commit": new(string)}
	err := db.writer.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
		current_setting('fsync'), current_setting('full_page_writes'), current_setting('data_sync_retry'), current_setting('synchronous_commit'),
		current_setting('synchronous_standby_names'),
		(SELECT count(*) FROM pg_stat_replication r WHERE r.state IN ('catchup', 'streaming')
		   AND r.application_name NOT IN ('pg_receivewal', 'pg_basebackup')
		   AND NOT EXISTS (SELECT 1 FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical'))`).Scan(
		&version, &encoding, set["fsync"], set["full_page_writes"], set["data_sync_retry"], set["synchronous_commit"], &standby, &standbys)
	if err != nil {
		return err
	}
	if version < 130000 {
		return fmt.Errorf("the server is PostgreSQL %d and must be 13 or newer", version/10000)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the encoding of the database is %s and must be UTF8", encoding)
	}
	for _, want := range []struct{ name, value string }{
		{"fsync", "on"}, {"full_page_writes", "on"}, {"data_sync_retry", "off"}, {"synchronous_commit", "on"},
	} {
		if got := *set[want.name]; got != want.value {
			return fmt.Errorf("%s is %q and must be %s: otherwise a confirmed purchase can be lost with a crash of the server", want.name, got, want.value)
		}
	}
	if standbys > 0 && standby == "" {
		return errors.New("a standby is attached and synchronous_standby_names is empty: a failover would lose confirmed purchases; name the standby there")
	}
	return nil
}

// ledgerLock is what a writing transaction takes before it looks at anything.
type ledgerLock string

// The transactions that hold the lock alone are those that touch several lines or what
// all lines depend on: plans, decisions, budgets, the state of the installation. They
// find no step under way and let none begin, so that everything a guard of a step
// reads outside its own line stands still while it reads. The one exception is
// whether another line keeps the lane: that is a guard of the database, which looks
// after the line is in the index of lanes.
const (
	alone  ledgerLock = "SELECT pg_advisory_xact_lock(7094995462107914)"
	beside ledgerLock = "SELECT pg_advisory_xact_lock_shared(7094995462107914)"
)

// SQL states of PostgreSQL.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	abortedTransaction   = "25P02"
)

// pgCode is the SQL state of an error; "" for one that PostgreSQL did not send.
func pgCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// tries bounds how often a transaction is run that the server rolls back because of
// others.
const tries = 10

func (db *DB) writePostgres(ctx context.Context, lock ledgerLock, batched bool, fn func(*rows.Queries) error) error {
	once := db.once
	if batched {
		once = db.onceBatched
	}
	for try := 1; ; try++ {
		err := once(ctx, lock, fn)
		switch code := pgCode(err); {
		case code != serializationFailure && code != deadlockDetected && !errors.Is(err, errUnsent), errors.Is(err, purchase.ErrCommitUnknown), try == tries:
			return err
		}
		select {
		case <-time.After(rand.N(time.Duration(try) * 2 * time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// once runs fn in one transaction. The context of the caller is heard before it
// begins and not afterwards.
func (db *DB) once(ctx context.Context, lock ledgerLock, fn func(*rows.Queries) error) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	defer cancel()
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	whole := false
	defer func() { // also when fn panics
		if !whole {
			_ = tx.Rollback() // a connection that is gone has rolled back
		}
	}()
	if _, err := tx.ExecContext(ctx, string(lock)); err != nil {
		return err
	}
	if err := fn(rows.New(unstopped{tx, ctx})); err != nil {
		return err
	}
	whole = true
	return db.ended(tx)
}

// onceBatched is once with the statements of a batch.
func (db *DB) onceBatched(ctx context.Context, lock ledgerLock, fn func(*rows.Queries) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	defer cancel()
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // back to the pool
	b := &batch{unstopped: unstopped{conn, ctx}, conn: conn}
	whole := false
	defer func() { // also when fn panics
		if !whole {
			_ = b.Rollback() // a connection that is gone has rolled back
		}
	}()
	b.queue("BEGIN")
	b.queue(string(lock))
	err = fn(rows.New(b))
	if failed := b.failed; failed != nil && (err == nil || pgCode(err) == abortedTransaction) {
		err = failed
	}
	if err != nil {
		return err
	}
	whole = true
	return db.ended(b)
}

// ended commits a transaction.
func (db *DB) ended(t ender) error {
	if err := db.commit(t); err != nil && refused(err) {
		return err
	} else if err != nil {
		return fmt.Errorf("%w: %w", purchase.ErrCommitUnknown, err)
	}
	return nil
}

// refused reports whether an error of COMMIT says that nothing was committed. An
// error that ends the connection says nothing.
func refused(err error) bool {
	var e *pgconn.PgError
	return errors.Is(err, pgx.ErrTxCommitRollback) || errors.Is(err, errUnsent) || errors.As(err, &e) && e.SeverityUnlocalized == "ERROR"
}

// viewPostgres is view in a transaction whose queries see one moment.
func (db *DB) viewPostgres(ctx context.Context, fn func(*rows.Queries) error) error {
	tx, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return err
	}
	err = fn(rows.New(tx))
	_ = tx.Rollback() // nothing was written
	return err
}

// armedPostgres waits for whoever holds the row of the line: a transaction whose
// COMMIT was not answered may still be under way in the server.
func (db *DB) armedPostgres(ctx context.Context, line purchase.LineID, nonce string) (bool, error) {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("read back the attempt: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	var n int64
	if _, err = tx.ExecContext(ctx, "SELECT id FROM line WHERE id = $1 FOR SHARE", string(line)); err == nil {
		n, err = rows.New(tx).CountNonce(ctx, rows.CountNonceParams{LineID: string(line), Nonce: nonce})
	}
	if err != nil {
		return false, fmt.Errorf("read back the attempt: %w", err)
	}
	return n == 1, nil
}

// Marks are what tells a database of a PostgreSQL server from any other, and its history from that
// of a copy which was promoted or restored; both are "" on SQLite.
func (db *DB) Marks(ctx context.Context) (system, timeline string, err error) {
	if !db.postgres {
		return "", "", nil
	}
	// The timeline of the control file is that of the last checkpoint.
	err = db.reader.QueryRowContext(ctx, `SELECT (SELECT system_identifier::text FROM pg_control_system()) || '/' || (SELECT oid FROM pg_database WHERE datname = current_database()),
		('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int::text`).Scan(&system, &timeline)
	if err != nil {
		return "", "", fmt.Errorf("the marks of the database: %w", err)
	}
	return system, timeline, nil
}

// intactPostgres looks for indexes that are not at work. The pages are the server's.
func (db *DB) intactPostgres(ctx context.Context) error {
	return db.none(ctx, "index %s is not valid", `SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		WHERE c.relnamespace = current_schema()::regnamespace AND NOT (i.indisvalid AND i.indisready)`)
}

// none fails with the first name that a query finds.
func (db *DB) none(ctx context.Context, format, query string) error {
	var name string
	err := db.reader.QueryRowContext(ctx, query+" LIMIT 1").Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	return fmt.Errorf(format, name)
}

// danglingPostgres counts rows that refer to none: the server trusts its own work, and a
// superuser can switch it off.
func (db *DB) danglingPostgres(ctx context.Context) (dangling int, err error) {
	keys, err := db.reader.QueryContext(ctx, `SELECT c.conname, c.conrelid::regclass::text, c.confrelid::regclass::text,
		(SELECT string_agg('t.' || quote_ident(a.attname) || ' = o.' || quote_ident(b.attname), ' AND ')
		 FROM unnest(c.conkey, c.confkey) k(a, b)
		 JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.a JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.b),
		(SELECT string_agg('t.' || quote_ident(a.attname) || ' IS NOT NULL', ' AND ')
		 FROM unnest(c.conkey) k(a) JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.a)
		FROM pg_constraint c WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace ORDER BY 1`)
	if err != nil {
		return 0, err
	}
	defer keys.Close() //nolint:errcheck // read to the end
	var queries []string
	for keys.Next() {
		var name, table, other, same, set string
		if err := keys.Scan(&name, &table, &other, &same, &set); err != nil {
			return 0, err
		}
		queries = append(queries, fmt.Sprintf("SELECT count(*) FROM %s t WHERE %s AND NOT EXISTS (SELECT 1 FROM %s o WHERE %s)", table, set, other, same))
	}
	if err := keys.Err(); err != nil {
		return 0, err
	}
	for _, query := range queries {
		var n int
		if err := db.reader.QueryRowContext(ctx, query).Scan(&n); err != nil {
			return 0, err
		}
		dangling += n
	}
	return dangling, nil
}

// guardPostgres counts the triggers and unique indexes of this name that are at work.
func (db *DB) guardPostgres(ctx context.Context, name string) (n int, err error) {
	err = db.reader.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		 WHERE c.relnamespace = current_schema()::regnamespace AND t.tgname = $1 AND t.tgenabled IN ('O', 'A')) +
		(SELECT count(*) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
		 WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = $1 AND i.indisunique AND i.indisvalid)`, name).Scan(&n)
	return n, err
}

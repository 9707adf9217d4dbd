package store

import (
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/pgtest/pgtesting"
)

// database is one of the two that a ledger is kept in.
type database struct {
	name string
	// place names a ledger that is not there yet.
	place func(t *testing.T) string
}

var (
	sqliteFile = database{"sqlite", func(t *testing.T) string { return filepath.Join(t.TempDir(), "l.db") }}
	postgresDB = database{"postgres", func(t *testing.T) string {
		return pgtesting.Copy(t, "empty ledger", migrated)
	}}
	engines = []database{sqliteFile, postgresDB}
)

// migrated makes the tables of a ledger that has no name yet: Create finishes it.
func migrated(url string) error {
	db, err := connectPostgres(url)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // the next one would say so
	return db.migrate(context.Background())
}

// onEngines runs a test on both.
func onEngines(t *testing.T, test func(t *testing.T, on database)) {
	t.Helper()
	for _, on := range engines {
		t.Run(on.name, func(t *testing.T) { test(t, on) })
	}
}

// open is a new ledger.
func (on database) open(t *testing.T) *engine {
	t.Helper()
	return around(t, create(t, on.place(t)))
}

// around is what a test does with an open ledger.
func around(t *testing.T, db *DB) *engine {
	return &engine{ledger: db, db: db, t: t, exec: func(query string, args ...any) error {
		if db.postgres {
			query = inPostgres(query)
		}
		_, err := db.writer.ExecContext(t.Context(), query, args...)
		return err
	}}
}

// inPostgres says what a statement of SQLite says as nearly as PostgreSQL can.
func inPostgres(query string) string {
	for _, r := range rewrites {
		query = r.from.ReplaceAllString(query, r.to)
	}
	return query
}

var rewrites = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`^INSERT OR IGNORE (.*)$`), "INSERT $1 ON CONFLICT DO NOTHING"},
	{regexp.MustCompile(` OR (REPLACE|IGNORE) `), " "},
	{regexp.MustCompile(`rowid = 1$`), "ctid = '(0,1)'"},
	{regexp.MustCompile(`\browid\b`), "ctid"},
	{regexp.MustCompile(`^DROP TRIGGER (\w+)$`),
		"DO $$$$ BEGIN EXECUTE (SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger WHERE tgname = '$1'); END $$$$"},
	{regexp.MustCompile(`^PRAGMA ignore_check_constraints = ON$`),
		"DO $$$$ BEGIN EXECUTE (SELECT string_agg(format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname), ';') FROM pg_constraint WHERE contype = 'c' AND connamespace = current_schema()::regnamespace); END $$$$"},
}

// refusal reports whether an error is the word of a guard, and not that the statement
// makes no sense.
func (e *engine) refusal(err error) bool {
	return err != nil && (!e.db.postgres || strings.HasPrefix(pgCode(err), "23"))
}

// dropTrigger takes a guard away and returns what puts it back.
func (e *engine) dropTrigger(name string) (create string) {
	e.t.Helper()
	query := "SELECT sql FROM sqlite_master WHERE name = $1"
	if e.db.postgres {
		query = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = $1"
	}
	e.ok(e.db.reader.QueryRowContext(e.t.Context(), query, name).Scan(&create))
	e.ok(e.exec("DROP TRIGGER " + name))
	return create
}

// columnsOf are the columns of a table with their types, bigint or text.
func columnsOf(t *testing.T, db *DB, table string) map[string]string {
	t.Helper()
	query := "SELECT name, CASE type WHEN 'INTEGER' THEN 'bigint' ELSE lower(type) END FROM pragma_table_info($1)"
	if db.postgres {
		query = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1"
	}
	rows, err := db.reader.QueryContext(t.Context(), query, table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns := map[string]string{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			t.Fatal(err)
		}
		columns[name] = kind
	}
	if err := rows.Err(); err != nil || len(columns) < 2 {
		t.Fatalf("%s has %d columns, %v", table, len(columns), err)
	}
	return columns
}

// tablesOf are the tables of a ledger, without those of the migrations.
func tablesOf(t *testing.T, db *DB) []string {
	t.Helper()
	if db.postgres {
		return texts(t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name NOT LIKE 'goose%' ORDER BY 1")
	}
	return texts(t, db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%' AND name <> 'host' ORDER BY 1")
}

// texts are the rows of a query with one column.
func texts(t *testing.T, db *DB, query string) (all []string) {
	t.Helper()
	rows, err := db.reader.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Both databases have the same tables with the same columns, and forbid the same by
// triggers and unique indexes of the same names.
func TestBothSchemasAreTheSame(t *testing.T) {
	one, other := sqliteFile.open(t).db, postgresDB.open(t).db
	tables := tablesOf(t, one)
	if diff := cmp.Diff(tables, tablesOf(t, other)); diff != "" {
		t.Fatalf("tables (-sqlite +postgres):\n%s", diff)
	}
	for _, table := range tables {
		if diff := cmp.Diff(columnsOf(t, one, table), columnsOf(t, other, table)); diff != "" {
			t.Errorf("columns of %s (-sqlite +postgres):\n%s", table, diff)
		}
	}
	for what, queries := range map[string][2]string{
		"triggers": {
			"SELECT tbl_name || '.' || name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1",
			"SELECT tgrelid::regclass || '.' || tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
		},
		"indexes": {
			"SELECT tbl_name || '.' || name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND name NOT LIKE 'goose%' ORDER BY 1",
			"SELECT tablename || '.' || indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT LIKE '%\\_key' AND indexname NOT LIKE '%\\_pkey' ORDER BY 1",
		},
	} {
		want, got := texts(t, one, queries[0]), texts(t, other, queries[1])
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || len(want) < 5 {
			t.Errorf("%s (-sqlite +postgres):\n%s", what, diff)
		}
	}
	words := func(db *DB, query string) []string {
		all := texts(t, db, query)
		for i, def := range all {
			all[i] = message.FindStringSubmatch(def)[1]
		}
		slices.Sort(all)
		return all
	}
	want := words(one, "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name NOT LIKE '%\\_tells' ESCAPE '\\'")
	got := words(other, "SELECT CASE p.proname WHEN 'refuse' THEN pg_get_triggerdef(t.oid) ELSE p.prosrc END FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal AND tgname NOT LIKE '%\\_tells'")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the guards say (-sqlite +postgres):\n%s", diff)
	}
}

// message is the sentence of a guard: the last text with a space in it.
var message = regexp.MustCompile(`'([a-z][^']* [^']*)'(?:\)|, ERRCODE)`)

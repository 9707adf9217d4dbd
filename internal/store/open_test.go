package store

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/purchase"
)

// contents reads every file below a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		files[d.Name()] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// foreign makes a SQLite database that is not a ledger.
func foreign(t *testing.T, path, journal string) {
	t.Helper()
	raw(t, path, "PRAGMA journal_mode = "+journal, "CREATE TABLE song (title TEXT)", "INSERT INTO song VALUES ('x')")
}

// raw runs statements on a database file past the ledger.
func raw(t *testing.T, path string, statements ...string) {
	t.Helper()
	name, err := dsn(path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenCreatesAndChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		is      error
		says    string
	}{
		"no file":           {func(*testing.T, string) {}, ErrNoLedger, ""},
		"an empty file":     {func(t *testing.T, path string) { write(t, path, "") }, ErrNoLedger, ""},
		"text":              {func(t *testing.T, path string) { write(t, path, strings.Repeat("this is not a database\n", 100)) }, nil, "not a ledger"},
		"a short text":      {func(t *testing.T, path string) { write(t, path, "x") }, nil, "not a ledger"},
		"a torn header":     {func(t *testing.T, path string) { write(t, path, "SQLite format 3\x00") }, nil, "not a ledger"},
		"another database":  {func(t *testing.T, path string) { foreign(t, path, "DELETE") }, nil, "not a ledger"},
		"another, in WAL":   {func(t *testing.T, path string) { foreign(t, path, "WAL") }, nil, "not a ledger"},
		"an empty database": {func(t *testing.T, path string) { raw(t, path, "CREATE TABLE a (b)", "DROP TABLE a") }, nil, "not a ledger"},
		"a directory":       {func(t *testing.T, path string) { mkdir(t, path) }, nil, "open the ledger"},
		"a newer ledger": {func(t *testing.T, path string) {
			ledgerAt(t, path)
			raw(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
		}, nil, "use the newer program"},
		"a ledger that was never completely created": {func(t *testing.T, path string) {
			ledgerAt(t, path)
			raw(t, path, "DROP TRIGGER installation_no_delete", "DELETE FROM installation")
		}, nil, "not a ledger"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a ledger?#%41.db")
			c.prepare(t, path)
			before := contents(t, dir)
			db, err := Open(t.Context(), path)
			if err == nil {
				t.Error("opened")
				closed(t, db)
			} else if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v %q", err, c.is, c.says)
			}
			if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
				t.Errorf("files were changed (-before +after):\n%s", diff)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// ledgerAt leaves a closed ledger at path.
func ledgerAt(t *testing.T, path string) {
	t.Helper()
	db, err := Create(t.Context(), path, "k7f2", t0)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, db)
}

func TestCreateReplacesNothing(t *testing.T) {
	for name, text := range map[string]string{"an empty file": "", "text": "important", "a ledger": "ledger"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "l.db")
		if text == "ledger" {
			ledgerAt(t, path)
		} else {
			write(t, path, text)
		}
		before := contents(t, dir)
		if _, err := Create(t.Context(), path, "zzzz", t0); !errors.Is(err, ErrLedgerExists) {
			t.Errorf("%s: %v, want ErrLedgerExists", name, err)
		}
		if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
			t.Errorf("%s was changed (-before +after):\n%s", name, diff)
		}
	}
}

func TestCreateThatFailsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ path, install string }{
		"a bad installation": {filepath.Join(dir, "l.db"), "toolong"},
		"no directory":       {filepath.Join(dir, "none", "l.db"), "k7f2"},
	} {
		if db, err := Create(t.Context(), c.path, c.install, t0); err == nil {
			t.Errorf("%s: created", name)
			closed(t, db)
		}
		if left := contents(t, dir); len(left) != 0 {
			t.Errorf("%s left %d files", name, len(left))
		}
	}
}

func TestALedgerIsOpenedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ledger?#%41&mode=memory.db")
	ledgerAt(t, path)
	db := reopen(t, path)
	got, err := db.Installation(t.Context())
	want := Installation{Install: "k7f2", Purchasing: true, CreatedAt: t0, Incarnation: 1}
	if err != nil || got != want || db.Path() != path {
		t.Errorf("installation %+v at %s, %v, want %+v", got, db.Path(), err, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the ledger is readable by others: %v, %v", info.Mode(), err)
	}
}

func TestAConfirmedWriteSurvivesPowerLoss(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	db := create(t, path)
	for pool, conn := range map[string]*sql.DB{"writer": db.writer, "reader": db.reader} {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "15000"} {
			var got string
			if err := conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: %s is %q, %v, want %q", pool, pragma, got, err, want)
			}
		}
	}
	if _, err := db.reader.ExecContext(t.Context(), "UPDATE installation SET state = 'stopped'"); err == nil {
		t.Error("the reading connections can write")
	}
}

func TestAConnectionThatCouldLoseAWriteIsRefused(t *testing.T) {
	for _, c := range []struct{ pragma, says string }{
		{"synchronous = NORMAL", "synchronous"}, {"synchronous = OFF", "synchronous"}, {"foreign_keys = OFF", "foreign_keys"},
	} {
		db := create(t, filepath.Join(t.TempDir(), "l.db"))
		if _, err := db.writer.ExecContext(t.Context(), "PRAGMA "+c.pragma); err != nil {
			t.Fatal(err)
		}
		if err := db.checkSettings(t.Context()); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("with %s: %v", c.pragma, err)
		}
		if got := problemsOf(db.Integrity(t.Context(), t0), "settings"); len(got) == 0 {
			t.Errorf("with %s: the self-check is content", c.pragma)
		}
	}
	// A file that refuses WAL: another connection holds it in the old mode.
	path := filepath.Join(t.TempDir(), "l.db")
	ledgerAt(t, path)
	other, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	other.SetMaxOpenConns(1)
	defer closeSQL(t, other)
	for _, s := range []string{"PRAGMA journal_mode = DELETE", "BEGIN IMMEDIATE"} {
		if _, err := other.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	name, err := dsn(path)
	if err != nil {
		t.Fatal(err)
	}
	writer, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	defer closeSQL(t, writer)
	if err := (&DB{writer: writer}).checkSettings(t.Context()); err == nil || !strings.Contains(err.Error(), "WAL") {
		t.Errorf("without WAL: %v", err)
	}
}

func closeSQL(t *testing.T, db *sql.DB) {
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func problemsOf(findings []purchase.Finding, name string) []string {
	for _, f := range findings {
		if f.Name == name {
			return f.Problems
		}
	}
	return []string{"there is no finding " + name}
}

func TestTheSelfCheckSeesMissingGuards(t *testing.T) {
	db := create(t, filepath.Join(t.TempDir(), "l.db"))
	for _, f := range db.Integrity(t.Context(), time.Time{}) {
		if len(f.Problems) > 0 || f.Checked == 0 {
			t.Errorf("a new ledger, %s: %q, %d checked", f.Name, f.Problems, f.Checked)
		}
	}
	for _, statement := range []string{
		"DROP TRIGGER evidence_append_only", "DROP TRIGGER line_transition", "DROP TRIGGER attempt_closed", "DROP INDEX line_one_open_per_lane",
		"DELETE FROM transition WHERE from_state = 'armed' AND to_state = 'ready'", "INSERT INTO transition VALUES ('failed', 'ready')",
	} {
		db := create(t, filepath.Join(t.TempDir(), "l.db"))
		if _, err := db.writer.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if got := problemsOf(db.Integrity(t.Context(), t0), "guards-in-place"); len(got) != 1 {
			t.Errorf("%s: %q", statement, got)
		}
	}
	db = create(t, filepath.Join(t.TempDir(), "l.db"))
	if _, err := db.writer.ExecContext(t.Context(), "PRAGMA foreign_keys = OFF; INSERT INTO evidence VALUES ('x', 'none', 1, '', '', '', 1, 1, '', 1, '', '', '', 1); PRAGMA foreign_keys = ON"); err != nil {
		t.Fatal(err)
	}
	if got := problemsOf(db.Integrity(t.Context(), t0), "references"); len(got) != 1 {
		t.Errorf("a dangling row: %q", got)
	}
}

// Every trigger and partial index of the schema is one that the self-check knows.
func TestTheSelfCheckKnowsEveryGuard(t *testing.T) {
	db := create(t, filepath.Join(t.TempDir(), "l.db"))
	rows, err := db.reader.QueryContext(t.Context(), "SELECT name FROM sqlite_master WHERE type = 'trigger' OR type = 'index' AND sql LIKE '%UNIQUE%'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	known := map[string]bool{}
	for _, g := range guards {
		known[g] = true
	}
	n := 0
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !known[name] {
			t.Errorf("%s is not checked", name)
		}
		n++
	}
	if err := rows.Err(); err != nil || n != len(guards) {
		t.Errorf("%d guards in the schema, %d known, %v", n, len(guards), err)
	}
}

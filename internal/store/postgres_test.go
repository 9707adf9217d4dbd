package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"bursar/internal/cloud"
	"bursar/internal/pgtest"
	"bursar/internal/pgtest/pgtesting"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

func TestPasswordsAreMasked(t *testing.T) {
	for name, want := range map[string]string{
		"/var/lib/a:b@c/l.db":                              "/var/lib/a:b@c/l.db",
		"postgres://host/db":                               "postgres://host/db",
		"postgres://ana@host:5432/db?x=1":                  "postgres://ana@host:5432/db?x=1",
		"postgres://ana:secret@host/db":                    "postgres://ana:***@host/db",
		"postgresql://ana:se@c:r/et@host/db?x=a@b":         "postgresql://ana:***@host/db?x=a@b",
		"postgres://host/db?user=ana&password=secret&x=1":  "postgres://host/db?user=ana&password=***&x=1",
		"postgres://:secret@host/db?sslpassword=secret%40": "postgres://:***@host/db?sslpassword=***",
	} {
		if got := Masked(name); got != want {
			t.Errorf("%s is shown as %s, want %s", name, got, want)
		}
	}
	_, err := Open(t.Context(), "postgres://ana:secret@127.0.0.1:1/db")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("no server: %v", err)
	}
	_, err = Open(t.Context(), "postgres://ana:secret@[::1/db")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a torn URL: %v", err)
	}
}

func TestPoolsAreBounded(t *testing.T) {
	for name, want := range map[string][2]int{
		"postgres://h/d": {writers, pgReaders}, "postgres://h/d?pool_max_conns=9": {6, 3}, "postgres://h/d?pool_max_conns=2&sslmode=disable": {1, 1},
	} {
		rest, write, read, err := pools(name)
		if err != nil || write != want[0] || read != want[1] || strings.Contains(rest, "pool") {
			t.Errorf("%s: %d and %d of %s, %v", name, write, read, rest, err)
		}
	}
	for _, bad := range []string{"1", "0", "many", "-3"} {
		if _, err := Open(t.Context(), "postgres://h/d?pool_max_conns="+bad); err == nil || !strings.Contains(err.Error(), "pool_max_conns") {
			t.Errorf("pool_max_conns=%s: %v", bad, err)
		}
	}
}

// sql runs statements in a database past the ledger.
func sqlIn(t *testing.T, url string, statements ...string) {
	t.Helper()
	db, err := connectPostgres(url)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, db)
	for _, s := range statements {
		if _, err := db.writer.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestOpeningADatabaseCreatesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		prepare []string
		ledger  bool
		is      error
		says    string
	}{
		"an empty database":   {nil, false, ErrNoLedger, ""},
		"another application": {[]string{"CREATE TABLE song (title TEXT)"}, false, nil, "holds other tables, such as song"},
		"a newer ledger":      {[]string{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)"}, true, nil, "use the newer program"},
		"an older ledger":     {[]string{"UPDATE goose_db_version SET version_id = 0"}, true, ErrOld, "bursar migrate"},
		"no name":             {[]string{"DROP TRIGGER installation_no_delete ON installation", "DELETE FROM installation"}, true, nil, "never completely created"},
	} {
		t.Run(name, func(t *testing.T) {
			url := pgtesting.Database(t)
			if c.ledger {
				url = postgresDB.place(t)
				ledgerAt(t, url)
			}
			sqlIn(t, url, c.prepare...)
			db, err := Open(t.Context(), url)
			if err == nil {
				t.Error("opened")
				closed(t, db)
			} else if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %v %q", err, c.is, c.says)
			}
			if c.ledger {
				return
			}
			plain, err := connectPostgres(url)
			if err != nil {
				t.Fatal(err)
			}
			defer closed(t, plain)
			if tables := texts(t, plain, "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"); len(tables) != len(c.prepare) {
				t.Errorf("the database holds %q", tables)
			}
			if len(c.prepare) > 0 {
				if _, err := Create(t.Context(), url, "k7f2", t0); err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("create: %v", err)
				}
			}
		})
	}
}

// Several processes create one ledger at once: one of them does, whole.
func TestALedgerIsCreatedOnce(t *testing.T) {
	url := pgtesting.Database(t)
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			db, err := Create(t.Context(), url, fmt.Sprintf("aaa%d", i), t0)
			if errs[i] = err; err == nil {
				closed(t, db)
			}
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrLedgerExists) {
			t.Errorf("%v, want ErrLedgerExists", err)
		}
	}
	if won != 1 {
		t.Errorf("%d created it", won)
	}
	db := reopen(t, url)
	for _, f := range db.Integrity(t.Context(), t0) {
		if len(f.Problems) > 0 || f.Checked == 0 {
			t.Errorf("a new ledger, %s: %q, %d checked", f.Name, f.Problems, f.Checked)
		}
	}
}

func TestTheSelfCheckSeesMissingGuardsInPostgres(t *testing.T) {
	for _, statement := range []string{
		"DROP TRIGGER evidence_append_only", "ALTER TABLE line DISABLE TRIGGER line_transition", "DROP INDEX line_one_open_per_lane",
		"DELETE FROM transition WHERE from_state = 'armed' AND to_state = 'ready'", "INSERT INTO transition VALUES ('failed', 'ready')",
	} {
		e := postgresDB.open(t)
		e.ok(e.exec(statement))
		if got := problemsOf(e.db.Integrity(t.Context(), t0), "guards-in-place"); len(got) != 1 {
			t.Errorf("%s: %q", statement, got)
		}
	}
	e := postgresDB.open(t)
	e.ok(e.exec("ALTER TABLE evidence DISABLE TRIGGER ALL"))
	e.ok(e.exec("INSERT INTO evidence VALUES ('x', 'none', 1, '', '', '', 1, 1, '', 1, '', '', '', 1)"))
	e.ok(e.exec("ALTER TABLE evidence ENABLE TRIGGER ALL"))
	if got := problemsOf(e.db.Integrity(t.Context(), t0), "references"); len(got) != 1 {
		t.Errorf("a dangling row: %q", got)
	}
	for _, table := range tablesOf(t, e.db) {
		if err := e.exec("TRUNCATE " + table + " CASCADE"); table != "transition" && table != "answer" && !e.refusal(err) {
			t.Errorf("%s can be emptied: %v", table, err)
		}
	}
}

func TestAServerThatCouldLoseAWriteIsRefused(t *testing.T) {
	url := postgresDB.place(t)
	db := create(t, url)
	if _, err := db.reader.ExecContext(t.Context(), "UPDATE installation SET state = 'stopped'"); err == nil {
		t.Error("the reading connections can write")
	}
	// The session has the last word on what the database's own settings say.
	sqlIn(t, url, "ALTER DATABASE "+url[strings.LastIndex(url, "/")+1:strings.Index(url, "?")]+" SET synchronous_commit = off")
	again := reopen(t, url)
	if err := again.checkSettings(t.Context()); err != nil {
		t.Error(err)
	}
	sqlIn(t, url, "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()")
	defer sqlIn(t, url, "ALTER SYSTEM RESET full_page_writes", "SELECT pg_reload_conf()")
	for range 500 { // the server reads it when it comes to it
		if settings := texts(t, db, "SHOW full_page_writes"); settings[0] == "off" {
			break
		}
	}
	if _, err := Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), "full_page_writes") {
		t.Errorf("without full_page_writes: %v", err)
	}
	if got := problemsOf(db.Integrity(t.Context(), t0), "settings"); len(got) == 0 {
		t.Error("the self-check is content")
	}
}

// A standby may lack what was bought, and the marks tell servers apart.
func TestAStandbyIsRefused(t *testing.T) {
	pgtesting.Cluster(t) // or skip
	c, err := pgtest.Start(t.Context(), mkTemp(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop(true) //nolint:errcheck // it goes with its directory
	url, err := c.NewDatabase(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	db, err := Create(t.Context(), url, "k7f2", t0)
	if err != nil {
		t.Fatal(err)
	}
	system, timeline, err := db.Marks(t.Context())
	if err != nil || len(system) < 15 || timeline != "1" {
		t.Errorf("marks %q %q, %v", system, timeline, err)
	}
	if other, _, err := create(t, postgresDB.place(t)).Marks(t.Context()); err != nil || other == system {
		t.Errorf("two servers have the mark %s, %v", other, err)
	}
	closed(t, db)
	if err := c.Stop(false); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Dir(), "data", "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), "standby") {
		t.Errorf("on a standby: %v", err)
	}
}

// mkTemp is a directory whose path leads through none that others may not read.
func mkTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestClocksAreCompared(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		skew, err := on.open(t).db.Skew(t.Context())
		if err != nil || skew.Abs() > time.Second {
			t.Errorf("the clock of this machine and its own differ by %s, %v", skew, err)
		}
	})
}

// What the server rolls back because of others is run again, and nothing else is.
func TestADeadlockIsRunAgain(t *testing.T) {
	db := postgresDB.open(t).db
	for code, want := range map[string]int{deadlockDetected: 3, serializationFailure: 3, uniqueViolation: 1, "57P01": 1} {
		runs := 0
		err := db.write(t.Context(), func(q *rows.Queries) error {
			runs++
			if runs < 3 {
				return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code, SeverityUnlocalized: "ERROR"})
			}
			return nil
		})
		if runs != want || (err == nil) != (want == 3) {
			t.Errorf("%s: %d runs, %v", code, runs, err)
		}
	}
	runs := 0
	err := db.write(t.Context(), func(*rows.Queries) error {
		runs++
		return &pgconn.PgError{Code: deadlockDetected}
	})
	if err == nil || runs != tries {
		t.Errorf("%d runs, %v", runs, err)
	}
}

// A line begins to be armed while the lane is free, waits for its own row, and goes on
// after another line of the lane was armed and has come to a person: what it read in
// the meantime is old, and the database looks again.
func TestALaneThatIsTakenMeanwhileIsKept(t *testing.T) {
	e := postgresDB.open(t)
	p := newPlan(t, 1, 2)
	for i := range p.Lines {
		p.Lines[i].Class = cloud.ClassNone
	}
	e.ok(p.Freeze())
	e.ok(e.SavePlan(t.Context(), p))
	e.ok(e.Decide(t.Context(), yes(p), t0.Add(time.Hour)))
	slow, other := p.Lines[0], p.Lines[1]
	c := e.step(slow.ID, checked(slow.Spec.Offering, t0, "nonce-0"), t0)
	tx, err := e.db.writer.BeginTx(t.Context(), nil)
	e.ok(err)
	_, err = tx.ExecContext(t.Context(), "SELECT 1 FROM line WHERE id = $1 FOR UPDATE", slow.ID)
	e.ok(err)
	done := make(chan error)
	go func() { done <- e.Apply(context.WithoutCancel(t.Context()), c, t0) }()
	for texts(t, e.db, "SELECT count(*)::text FROM pg_locks WHERE NOT granted")[0] == "0" {
		if t.Context().Err() != nil {
			t.Fatal("nobody waits")
		}
	}
	e.armed(other.ID, t0, "nonce-1")
	e.ok(e.exec("UPDATE line SET state = 'needs_review', version = version + 1 WHERE id = $1", other.ID))
	e.ok(tx.Rollback())
	if err := <-done; !errors.Is(err, purchase.ErrTaken) {
		t.Errorf("a lane that is kept was taken: %v", err)
	}
	if row := e.row(slow.ID); row.Line.State != purchase.Ready || len(row.Attempts) != 0 {
		t.Errorf("the line is %s", row.Line.State)
	}
}

// Who stops purchasing has the ledger for itself: a step that comes meanwhile waits,
// and finds it stopped. Steps of other lines do not wait for each other.
func TestAStopIsSeenByEveryLaterStep(t *testing.T) {
	e := postgresDB.open(t)
	p := e.approve(1, 3)
	arm := func(i int) purchase.Change {
		return e.step(p.Lines[i].ID, checked(p.Lines[i].Spec.Offering, t0, fmt.Sprint("nonce-", i)), t0)
	}
	late, free := arm(0), arm(1)
	step, err := e.db.writer.BeginTx(t.Context(), nil)
	e.ok(err)
	_, err = step.ExecContext(t.Context(), string(beside))
	e.ok(err)
	_, err = step.ExecContext(t.Context(), "UPDATE line SET reason = 'x' WHERE id = $1", p.Lines[2].ID)
	e.ok(err)
	e.apply(free, t0)
	e.ok(step.Rollback())

	held, err := e.db.hold(t.Context())
	e.ok(err)
	done := make(chan error, 1)
	go func() { done <- e.Apply(context.WithoutCancel(t.Context()), late, t0) }()
	for waits := false; !waits; {
		select {
		case err := <-done:
			t.Fatalf("a step did not wait: %v", err)
		default:
			waits = texts(t, e.db, "SELECT count(*)::text FROM pg_locks WHERE NOT granted")[0] == "1"
		}
	}
	_, err = held.ExecContext(t.Context(), "UPDATE installation SET state = 'stopped'")
	e.ok(err)
	e.ok(held.Commit())
	if err := <-done; !errors.Is(err, purchase.ErrLost) {
		t.Errorf("armed after the stop: %v", err)
	}
}

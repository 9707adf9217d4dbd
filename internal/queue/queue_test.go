package queue

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bursar/internal/pgtest/pgtesting"
)

func TestMain(m *testing.M) { os.Exit(pgtesting.Run(m)) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// onBoth runs a test on a queue in each database; ledger is a way to write there.
func onBoth(t *testing.T, test func(t *testing.T, q *Queue, ledger *sql.DB)) {
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "l.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		q, err := SQLite(path, quiet)
		if err != nil {
			t.Fatal(err)
		}
		ledger, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(15000)")
		if err != nil {
			t.Fatal(err)
		}
		run(t, q, ledger, test)
	})
	t.Run("postgres", func(t *testing.T) {
		url := pgtesting.Database(t)
		q, err := Postgres(t.Context(), url, quiet)
		if err != nil {
			t.Fatal(err)
		}
		ledger, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		run(t, q, ledger, test)
	})
}

func run(t *testing.T, q *Queue, ledger *sql.DB, test func(*testing.T, *Queue, *sql.DB)) {
	t.Helper()
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	var wg sync.WaitGroup
	for range 4 { // at once
		wg.Go(func() {
			if err := q.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	test(t, q, ledger)
}

// wake writes a job and ends the transaction.
func write(t *testing.T, q *Queue, ledger *sql.DB, in time.Duration, end func(*sql.Tx) error) {
	t.Helper()
	tx, err := ledger.BeginTx(t.Context(), nil)
	if err == nil {
		err = q.Wake(t.Context(), tx, in)
	}
	if err == nil {
		err = end(tx)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func jobs(t *testing.T, ledger *sql.DB, state string) (n int) {
	t.Helper()
	if err := ledger.QueryRowContext(t.Context(), "SELECT count(*) FROM river_job WHERE state = '"+state+"'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestWake: a job that was committed wakes whoever listens, one that was rolled back
// nobody, and one for later waits.
func TestWake(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue, ledger *sql.DB) {
		write(t, q, ledger, 0, (*sql.Tx).Rollback)
		write(t, q, ledger, time.Hour, (*sql.Tx).Commit)
		if now, later := jobs(t, ledger, "available"), jobs(t, ledger, "scheduled"); now != 0 || later != 1 {
			t.Errorf("%d jobs now and %d later", now, later)
		}
		wakes, _ := listen(t, q)
		for range 3 {
			write(t, q, ledger, 0, (*sql.Tx).Commit)
			select {
			case <-wakes:
			case <-time.After(time.Minute):
				t.Fatal("nobody was woken")
			}
		}
		select {
		case <-wakes:
			t.Error("woken by nothing")
		default:
		}
	})
}

// listen listens until stop is called, or the test is over.
func listen(t *testing.T, q *Queue) (wakes <-chan struct{}, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	to, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		if err := q.Listen(ctx, to); err != nil {
			t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return to, stop
}

// TestStop: whoever has stopped listening takes no job.
func TestStop(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue, ledger *sql.DB) {
		wakes, stop := listen(t, q)
		write(t, q, ledger, 0, (*sql.Tx).Commit)
		<-wakes
		stop()
		write(t, q, ledger, 0, (*sql.Tx).Commit)
		if n := jobs(t, ledger, "available"); n != 1 {
			t.Errorf("%d jobs wait after the stop", n)
		}
	})
}

// TestNoTables: what cannot be written is an error of the queue, and the caller may
// roll it back alone.
func TestNoTables(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue, ledger *sql.DB) {
		if _, err := ledger.ExecContext(t.Context(), "DROP TABLE river_job"); err != nil {
			t.Fatal(err)
		}
		tx, err := ledger.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback() //nolint:errcheck // nothing was written
		if err := q.Wake(t.Context(), tx, 0); err == nil {
			t.Error("a job was written nowhere")
		}
	})
}

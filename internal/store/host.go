package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"bursar/internal/store/internal/rows"
)

// A ledger in a file belongs to one host at a time: what SQLite's processes share is
// in the memory of the machine, and a second machine does not see it. So the file is
// on no network file system, and it says which host uses it. The mark of another host
// stands for hostLease after that host last wrote; then the ledger can be taken over,
// and the other one, should it live, finds the mark gone before it writes again.

// ErrOtherHost: another host uses the file of the ledger.
var ErrOtherHost = errors.New("the ledger is in use by another host")

const (
	hostLease = 2 * time.Minute
	hostRenew = hostLease / 4
)

// host is how a machine is known. Processes of one machine in different containers
// have the same boot and may have other names.
type host struct {
	boot    string // of its running kernel
	machine string // of its installation; it stays when it boots again
	name    string
}

// thisHost is a variable for tests.
var thisHost = func() host {
	read := func(path string) string {
		raw, err := os.ReadFile(path)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(raw))
	}
	name, _ := os.Hostname()
	return host{read("/proc/sys/kernel/random/boot_id"), read("/etc/machine-id"), name}
}

// same reports whether two marks are of one machine.
func (h host) same(o host) bool {
	switch {
	case h.boot != "" && h.boot == o.boot, h.machine != "" && h.machine == o.machine:
		return true
	}
	return h.boot == "" && h.machine == "" && h.name == o.name
}

// claim makes this host the one that uses the ledger, or says which one does.
func (db *DB) claim(ctx context.Context) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing left
	has, seen, err := markOf(ctx, tx)
	if err != nil {
		return err
	}
	if has != (host{}) && !has.same(db.host) && time.Since(seen) < hostLease {
		return fmt.Errorf("%w: %s wrote to it %s ago; stop Bursar there, wait %s, and open it again, or use PostgreSQL for several hosts",
			ErrOtherHost, has.name, time.Since(seen).Round(time.Second), hostLease)
	}
	if err := db.mark(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// keep refuses to write where another host has taken over, and renews the mark. It
// runs at the beginning of every writing transaction.
func (db *DB) keep(ctx context.Context, tx *sql.Tx) error {
	has, seen, err := markOf(ctx, transaction{tx, db.writes})
	switch {
	case err != nil:
		return err
	case has == host{}: // it is being created
		return nil
	case !has.same(db.host):
		return fmt.Errorf("%w: %s has taken it over", ErrOtherHost, has.name)
	case time.Since(seen).Abs() < hostRenew:
		return nil
	}
	return db.mark(ctx, tx)
}

func markOf(ctx context.Context, tx rows.DBTX) (h host, seen time.Time, err error) {
	var at int64
	err = tx.QueryRowContext(ctx, "SELECT boot, machine, name, seen_at FROM host WHERE id = 1").Scan(&h.boot, &h.machine, &h.name, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return host{}, time.Time{}, nil
	}
	return h, fromMicros(at), err
}

func (db *DB) mark(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO host (id, boot, machine, name, seen_at) VALUES (1, $1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, machine = excluded.machine, name = excluded.name, seen_at = excluded.seen_at`,
		db.host.boot, db.host.machine, db.host.name, micros(time.Now()))
	return err
}

// onDisk refuses a path whose file system other hosts may share.
func onDisk(path string) error {
	if kind := networkOf(path); kind != "" {
		return fmt.Errorf("%s is on a file system of the network (%s), where a ledger in a file can be torn: put it on a disk of this host, or use PostgreSQL", path, kind)
	}
	return nil
}

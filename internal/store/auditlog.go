package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"bursar/internal/auditlog"
	"bursar/internal/store/internal/rows"
)

// Record appends an entry to the audit log, in a transaction of its own, and returns it
// with its number and hash. Without an error it is on disk. Processes append one after
// the other.
func (db *DB) Record(ctx context.Context, e auditlog.Entry) (auditlog.Entry, error) {
	err := db.write(ctx, func(q *rows.Queries) error {
		last, err := q.LastAuditEntry(ctx)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		e = e.Seal(toEntry(last))
		return q.InsertAuditEntry(ctx, rows.InsertAuditEntryParams{
			Seq: e.Seq, At: e.At.UnixMicro(), Actor: e.Actor, Session: e.Session, Act: e.Act, Kind: string(e.Kind),
			Subject: e.Subject, Details: e.Details, Prev: e.Prev, Hash: e.Hash,
		})
	})
	if err != nil {
		return auditlog.Entry{}, fmt.Errorf("audit log: %w", err)
	}
	return e, nil
}

func toEntry(r rows.AuditEntry) auditlog.Entry {
	return auditlog.Entry{
		Seq: r.Seq, At: time.UnixMicro(r.At).UTC(), Actor: r.Actor, Session: r.Session, Act: r.Act, Kind: auditlog.Kind(r.Kind),
		Subject: r.Subject, Details: r.Details, Prev: r.Prev, Hash: r.Hash,
	}
}

// page is how many entries are read at once.
const page = 500

// AuditLog hands over the entries after a number, in order, until there are no more or
// each returns an error.
func (db *DB) AuditLog(ctx context.Context, after int64, each func(auditlog.Entry) error) error {
	for {
		rs, err := db.read().ListAuditEntries(ctx, rows.ListAuditEntriesParams{After: after, Most: page})
		if err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
		for _, r := range rs {
			if err := each(toEntry(r)); err != nil {
				return err
			}
			after = r.Seq
		}
		if len(rs) < page {
			return nil
		}
	}
}

// AuditHead reads the newest entry; ErrNotFound if there is none.
func (db *DB) AuditHead(ctx context.Context) (auditlog.Entry, error) {
	r, err := db.read().LastAuditEntry(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return auditlog.Entry{}, fmt.Errorf("audit log: %w", ErrNotFound)
	} else if err != nil {
		return auditlog.Entry{}, fmt.Errorf("audit log: %w", err)
	}
	return toEntry(r), nil
}

// AuditedOn reads the entries about a subject, oldest first.
func (db *DB) AuditedOn(ctx context.Context, subject string) ([]auditlog.Entry, error) {
	rs, err := db.read().AuditEntriesOn(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	list := make([]auditlog.Entry, len(rs))
	for i, r := range rs {
		list[i] = toEntry(r)
	}
	return list, nil
}

// AddSigningKey stores the public half of a key that signs from now on.
func (db *DB) AddSigningKey(ctx context.Context, public string, now time.Time) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		return q.InsertSigningKey(ctx, rows.InsertSigningKeyParams{ID: newID(now), PublicKey: public, CreatedAt: micros(now)})
	})
	if err != nil {
		return fmt.Errorf("signing key: %w", err)
	}
	return nil
}

// SigningKeys reads the public keys, oldest first.
func (db *DB) SigningKeys(ctx context.Context) ([]string, error) {
	rs, err := db.read().ListSigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	list := make([]string, len(rs))
	for i, r := range rs {
		list[i] = r.PublicKey
	}
	return list, nil
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// MarkName names something outside the ledger that tells it from its copies and from
// its own past.
type MarkName string

// The marks. The first four tell of a rollback or of a place that no copy shares,
// the rest are where the ledger lives.
const (
	// MarkHolder is drawn anew in every incarnation. Accounts carry it: a copy that
	// was left behind cannot buy there any more.
	MarkHolder MarkName = "holder"
	// MarkSystem and MarkTimeline are those of a PostgreSQL cluster.
	MarkSystem      MarkName = "system"
	MarkTimeline    MarkName = "timeline"
	MarkFile        MarkName = "file"
	MarkHost        MarkName = "host"
	MarkEnvironment MarkName = "environment"
)

// journalMark begins the marks of intent journals.
const journalMark = "journal/"

// JournalMark is the mark of an intent journal. Its value is the number of the record
// up to which the ledger need not have the attempts: an earlier recovery took them in.
func JournalMark(id string) MarkName { return MarkName(journalMark + id) }

// HasJournal reports whether a ledger with these marks has written any journal.
func HasJournal(marks map[MarkName]string) bool {
	for name := range marks {
		if strings.HasPrefix(string(name), journalMark) {
			return true
		}
	}
	return false
}

// StoredMarks reads the marks as they were when the ledger was last known to be the
// right one. One that was never taken is missing.
func (db *DB) StoredMarks(ctx context.Context) (map[MarkName]string, error) {
	rs, err := db.read().ListMarks(ctx)
	if err != nil {
		return nil, fmt.Errorf("marks: %w", err)
	}
	marks := map[MarkName]string{}
	for _, r := range rs {
		marks[MarkName(r.Name)] = r.Value
	}
	return marks, nil
}

// SetMarks records marks. If by is not empty a person says so, and the event tells
// what for.
func (db *DB) SetMarks(ctx context.Context, marks map[MarkName]string, e *RecoveryEvent, now time.Time) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		if err := setMarks(ctx, q, marks, now); err != nil || e == nil {
			return err
		}
		return insertRecoveryEvent(ctx, q, *e)
	})
	if err != nil {
		return fmt.Errorf("marks: %w", err)
	}
	return nil
}

func setMarks(ctx context.Context, q *rows.Queries, marks map[MarkName]string, now time.Time) error {
	for name, value := range marks {
		if err := q.SetMark(ctx, rows.SetMarkParams{Name: string(name), Value: value, At: micros(now)}); err != nil {
			return err
		}
	}
	return nil
}

// RecoveryEvent is something that was found or said of the ledger's past.
type RecoveryEvent struct {
	Kind        string // "started", "moved", "adopted", "explained", "finished"
	Incarnation int64  // set by the ledger if 0
	By          string // "bursar" where a mark spoke
	At          time.Time
	Detail      string // what differs, or what was taken; one clause
	Comment     string
}

// ByMark is who an event is by when no person said anything.
const ByMark = "bursar"

func insertRecoveryEvent(ctx context.Context, q *rows.Queries, e RecoveryEvent) error {
	if e.Incarnation == 0 {
		in, err := q.GetInstallation(ctx)
		if err != nil {
			return err
		}
		e.Incarnation = in.Incarnation
	}
	return q.InsertRecoveryEvent(ctx, rows.InsertRecoveryEventParams{
		ID: newID(e.At), Kind: e.Kind, Incarnation: e.Incarnation, Person: e.By, At: micros(e.At), Detail: e.Detail, Comment: e.Comment,
	})
}

// RecordRecovery records an event that changes nothing in the ledger.
func (db *DB) RecordRecovery(ctx context.Context, e RecoveryEvent) error {
	return db.SetMarks(ctx, nil, &e, e.At)
}

// RecoveryEvents reads all events, the oldest first.
func (db *DB) RecoveryEvents(ctx context.Context) ([]RecoveryEvent, error) {
	rs, err := db.read().ListRecoveryEvents(ctx)
	if err != nil {
		return nil, fmt.Errorf("recovery: %w", err)
	}
	list := make([]RecoveryEvent, len(rs))
	for i, r := range rs {
		list[i] = RecoveryEvent{Kind: r.Kind, Incarnation: r.Incarnation, By: r.Person, At: fromMicros(r.At), Detail: r.Detail, Comment: r.Comment}
	}
	return list, nil
}

// Rollback is what is known of a ledger that has gone back in time.
type Rollback struct {
	RecoveryEvent
	// Backup is the time from which on the ledger may have forgotten something; zero
	// is that of its newest write.
	Backup time.Time
	// Marks are those that hold from now on.
	Marks map[MarkName]string
	// Incarnation of the event is the one that was found to have gone back.
}

// recoveryReason is written on every open line.
const recoveryReason = "the ledger went back in time: what it has lost is looked for"

// BeginRecovery begins another incarnation of a ledger that has gone back (T14), all
// of it or nothing: nothing is bought, every open line is in recovery, every approval
// and every undo that was not sent is void. It reports false if another process did so
// first, and the ledger is then as that one left it.
func (db *DB) BeginRecovery(ctx context.Context, r Rollback) (bool, error) {
	begun := false
	err := db.write(ctx, func(q *rows.Queries) error {
		now := micros(r.At)
		newest, err := q.NewestWrite(ctx)
		if err != nil {
			return err
		}
		backup := micros(r.Backup)
		if backup == 0 {
			backup = min(newest, now)
		}
		n, err := q.BeginRecovery(ctx, rows.BeginRecoveryParams{Now: now, Backup: backup, Incarnation: r.Incarnation})
		if err != nil || n != 1 {
			return err
		}
		begun = true
		if _, err := q.RecoverLines(ctx, rows.RecoverLinesParams{
			Reason: recoveryReason, MustLeaveBy: micros(r.At.Add(purchase.RecoveryDwell)), Now: now,
		}); err != nil {
			return err
		}
		if _, err := q.VoidApprovals(ctx, now); err != nil {
			return err
		}
		if _, err := q.VoidUndos(ctx, rows.VoidUndosParams{Detail: "the ledger went back in time, which voids the approval", Now: now}); err != nil {
			return err
		}
		if err := setMarks(ctx, q, r.Marks, r.At); err != nil {
			return err
		}
		e := r.RecoveryEvent
		e.Kind, e.Incarnation = "started", r.Incarnation+1
		return insertRecoveryEvent(ctx, q, e)
	})
	if err != nil {
		return false, fmt.Errorf("begin the recovery: %w", err)
	}
	_, err = db.Recognize(ctx)
	return begun, err
}

// Recognize reads the installation and works with its incarnation from now on. It is
// for whoever has compared the marks: until then, a change that this process makes to
// a line of another incarnation is purchase.ErrWentBack.
func (db *DB) Recognize(ctx context.Context) (Installation, error) {
	in, err := db.Installation(ctx)
	if err == nil {
		db.incarnation.Store(in.Incarnation)
	}
	return in, err
}

// moved says why a guarded update of a line changed nothing.
func (db *DB) moved(ctx context.Context, q *rows.Queries) error {
	in, err := q.GetInstallation(ctx)
	switch {
	case err != nil:
		return err
	case in.Incarnation != db.incarnation.Load():
		return purchase.ErrWentBack
	}
	return purchase.ErrLost
}

// ErrUnexplained: a line is in recovery, or a commitment is unexplained.
var ErrUnexplained = errors.New("the recovery is not finished")

// EndRecovery ends the recovery in a person's name. Purchasing goes on unless a person
// had stopped it.
func (db *DB) EndRecovery(ctx context.Context, e RecoveryEvent) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		in, err := q.GetInstallation(ctx)
		switch {
		case err != nil:
			return err
		case in.State != "recovery":
			return ErrState
		}
		to := "purchasing"
		last, err := q.LastInstallationEvent(ctx)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return err
		default:
			to = last.State
		}
		n, err := q.EndRecovery(ctx, rows.EndRecoveryParams{ToState: to, Incarnation: db.incarnation.Load()})
		switch {
		case err != nil:
			return err
		case n != 1:
			return ErrUnexplained
		}
		e.Kind = "finished"
		return insertRecoveryEvent(ctx, q, e)
	})
	if err != nil {
		return fmt.Errorf("finish the recovery: %w", err)
	}
	return nil
}

// InRecovery counts the lines that are in recovery.
func (db *DB) InRecovery(ctx context.Context) (int, error) {
	r, err := db.read().CountRecoveryLines(ctx)
	if err != nil {
		return 0, fmt.Errorf("recovery: %w", err)
	}
	return int(r.Lines), nil
}

// HasIntent reports whether the ledger has an attempt with this number and digest.
func (db *DB) HasIntent(ctx context.Context, line purchase.LineID, n int, digest string) (bool, error) {
	got, err := db.read().IntentDigest(ctx, rows.IntentDigestParams{LineID: string(line), N: int64(n)})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("attempt %d of line %s: %w", n, line, err)
	}
	return got == digest, nil
}

// Regained is a commitment that this installation bought in a time that the ledger has
// lost, for a line that it does not know.
type Regained struct {
	Commitment cloud.Commitment
	Entry      string // of the intent journal, JSON; "" for none
	By         string // ByMark where the journal names it
	Comment    string
	At         time.Time
}

// Regain takes a commitment into the books. It is never taken back. A commitment that
// a receipt names is refused by the database; one that is there already is ErrDeclared.
func (db *DB) Regain(ctx context.Context, r Regained) error {
	raw, err := json.Marshal(r.Commitment)
	if err != nil {
		return err
	}
	err = db.write(ctx, func(q *rows.Queries) error {
		provider, account, region, service := columns(r.Commitment.Lane)
		err := q.InsertRegained(ctx, rows.InsertRegainedParams{
			ID: newID(r.At), Provider: provider, Account: account, Region: region, Service: service,
			CommitmentID: r.Commitment.ID, Commitment: string(raw), Entry: r.Entry, Person: r.By, Comment: r.Comment, At: micros(r.At),
		})
		if isUnique(err) {
			return ErrDeclared
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("take %s into the books: %w", r.Commitment.ID, err)
	}
	return nil
}

// RegainedItems reads everything that was regained, the oldest first.
func (db *DB) RegainedItems(ctx context.Context) ([]Regained, error) {
	rs, err := db.read().AllRegained(ctx)
	if err != nil {
		return nil, fmt.Errorf("regained: %w", err)
	}
	list := make([]Regained, len(rs))
	for i, r := range rs {
		list[i] = Regained{Entry: r.Entry, By: r.Person, Comment: r.Comment, At: fromMicros(r.At)}
		if err := json.Unmarshal([]byte(r.Commitment), &list[i].Commitment); err != nil {
			return nil, fmt.Errorf("regained %s: %w", r.CommitmentID, err)
		}
	}
	return list, nil
}

// lostTime reports whether a commitment may have been bought in a time that a ledger
// in recovery has lost: it is then not taken for one that was there before us.
func lostTime(in rows.Installation, c cloud.Commitment) bool {
	const margin = time.Hour // of purchase, for what was under way when a backup was taken
	return in.State == "recovery" && !c.Start.Before(fromMicros(in.BackupAt).Add(-margin))
}

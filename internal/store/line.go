package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/oklog/ulid/v2"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

var _ purchase.Ledger = (*DB)(nil)

// newID returns a ULID of the given moment.
func newID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), ulid.DefaultEntropy()).String()
}

// Row reads a line, its attempts, and what its plan and this installation allow,
// all of one moment.
func (db *DB) Row(ctx context.Context, line purchase.LineID) (row purchase.Row, err error) {
	whole := false
	read := func(q *rows.Queries) error {
		p, err := readParts(ctx, q, string(line))
		if err != nil {
			return err
		}
		if row, err = p.row(); err != nil || !p.more(row) {
			whole = err == nil
			return err
		}
		return nil
	}
	if db.postgres { // one query sees one moment without a transaction
		err = read(db.read())
	}
	if err == nil && !whole {
		err = db.view(ctx, func(q *rows.Queries) error {
			if err := read(q); err != nil || whole {
				return err
			}
			return readMore(ctx, q, &row)
		})
	}
	if err != nil {
		return purchase.Row{}, fmt.Errorf("read the line: %w", err)
	}
	return row, nil
}

// parts are the rows that every purchase.Row is made of.
type parts struct {
	line     rows.Line
	plan     rows.Plan
	in       rows.Installation
	attempts []rows.Attempt
}

// readParts reads all parts by one query for a line without attempts, as most are when
// they are read, and by a second one for the others.
func readParts(ctx context.Context, q *rows.Queries, line string) (p parts, err error) {
	r, err := q.RowWithoutAttempts(ctx, line)
	if err == nil {
		return parts{line: r.Line, plan: r.Plan, in: r.Installation}, nil
	} else if !errors.Is(err, sql.ErrNoRows) {
		return p, err
	}
	rs, err := q.RowWithAttempts(ctx, line) // they are never deleted
	if err != nil {
		return p, err
	}
	for _, r := range rs {
		p.line, p.plan, p.in = r.Line, r.Plan, r.Installation
		p.attempts = append(p.attempts, r.Attempt)
	}
	if len(rs) == 0 {
		return p, orNotFound(sql.ErrNoRows, "line", line)
	}
	return p, nil
}

func (p parts) row() (row purchase.Row, err error) {
	if row.Line, err = toLine(p.line); err != nil {
		return row, err
	}
	row.PlanState, row.ApprovalExpires = purchase.PlanState(p.plan.State), fromMicros(p.plan.ApprovalExpiresAt)
	row.Tolerance, row.Install = purchase.Tolerance(p.plan.ToleranceBp), p.in.Install
	row.Purchasing = p.in.State == "purchasing"
	row.Restored, row.Backup = fromMicros(p.in.RestoredAt), fromMicros(p.in.BackupAt)
	row.Together = p.plan.AllOrNothing == 1
	row.Attempts, err = toAttempts(p.attempts)
	return row, err
}

// more reports whether a row depends on more than its parts; see readMore.
func (p parts) more(row purchase.Row) bool {
	l := row.Line
	return l.Spec.Tags.NameApprovers() || !l.Class.Named() || l.Class.Locks() || row.Together
}

// readMore adds to a row what only some lines depend on: who approved, what else is
// in the lane, and the other lines of the plan.
func readMore(ctx context.Context, q *rows.Queries, row *purchase.Row) (err error) {
	l := row.Line
	if l.Spec.Tags.NameApprovers() {
		ds, err := q.ListDecisions(ctx, string(l.Plan))
		if err != nil {
			return err
		}
		row.Approvers = purchase.ApprovedBy(toDecisions(ds))
	}
	if !l.Class.Named() {
		if row.Explained, row.Exclusive, err = laneOfRow(ctx, q, l.Spec.Lane()); err != nil {
			return err
		}
	}
	if l.Class.Locks() {
		if row.LaneHeld, err = laneHeld(ctx, q, l); err != nil {
			return err
		}
	}
	if row.Together {
		beside, err := q.StatesBeside(ctx, rows.StatesBesideParams{PlanID: string(l.Plan), ID: string(l.ID)})
		if err != nil {
			return err
		}
		for _, s := range beside {
			s := purchase.State(s)
			row.PlanFailed = row.PlanFailed || s.Unbought()
			row.PlanShort = row.PlanShort || !s.Ordered()
		}
	}
	return nil
}

// laneHeld returns when the line that keeps the lane of a class C line is looked at
// next; zero when the lane is free.
func laneHeld(ctx context.Context, q *rows.Queries, l purchase.Line) (time.Time, error) {
	lane := l.Spec.Lane()
	holder, err := q.LaneHolder(ctx, rows.LaneHolderParams{
		Provider: string(lane.Provider), Account: string(lane.Account), Region: string(lane.Region), Service: string(lane.Service), ID: string(l.ID),
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	case holder.LookAt == 0: // it waits for a person
		return fromMicros(holder.MustLeaveBy), nil
	}
	return fromMicros(holder.LookAt), nil
}

// Apply performs a change under its guards, whole or not at all. A line of an
// all-or-nothing plan that ends without a purchase makes the others due at once:
// an order that is not looked at would fire. See purchase.Ledger for what its
// errors mean.
func (db *DB) Apply(ctx context.Context, c purchase.Change, now time.Time) error {
	if c.Arm != nil {
		if err := db.rightClock(ctx); err != nil {
			return fmt.Errorf("arm line %s: %w", c.Line, err)
		}
	}
	ends, wakes := c.To != c.From && c.To.Unbought(), db.wakes(c, now)
	write := db.writeStep
	switch {
	case ends || c.DecidedBy != "":
		write = db.write // it may touch other lines
	case wakes:
		write = db.writeAndWake
	}
	err := write(ctx, func(q *rows.Queries) error {
		if err := db.moveLine(ctx, q, c, now); err != nil {
			return err
		}
		if ends {
			if err := q.CallOffBeside(ctx, rows.CallOffBesideParams{LookAt: micros(now), ID: string(c.Line)}); err != nil {
				return err
			}
		}
		if c.Arm != nil {
			if err := insertAttempt(ctx, q, c.Arm); err != nil {
				return err
			}
		}
		for _, e := range c.Evidence {
			if err := insertEvidence(ctx, q, c.Line, e, now); err != nil {
				return err
			}
		}
		if c.Receipt != nil {
			if err := insertReceipt(ctx, q, c.Receipt); err != nil {
				return err
			}
			if err := insertWatch(ctx, q, c.Receipt); err != nil {
				return err
			}
		}
		if err := moveHolds(ctx, q, c, now); err != nil {
			return err
		}
		for _, a := range c.Attempts {
			n, err := q.MoveAttempt(ctx, rows.MoveAttemptParams{
				State: string(a.To), Outcome: string(a.Outcome), Code: a.Code, EndedAt: micros(a.EndedAt), NewHandle: a.Handle,
				LineID: string(c.Line), N: int64(a.N),
			})
			if err != nil {
				return err
			}
			if n != 1 {
				return purchase.ErrLost
			}
		}
		if !wakes {
			return nil
		}
		return db.wake(ctx, q, c.LookAt, now)
	})
	switch {
	case err == nil, errors.Is(err, purchase.ErrLost), errors.Is(err, purchase.ErrTaken), errors.Is(err, purchase.ErrCommitUnknown), errors.Is(err, purchase.ErrWentBack):
		return err
	case c.Arm != nil && isUnique(err):
		return purchase.ErrTaken // its nonce, its number or its second
	}
	return fmt.Errorf("move line %s from %s to %s: %w", c.Line, c.From, c.To, err)
}

// moveLine is the guarded UPDATE that decides whether the change happens.
func (db *DB) moveLine(ctx context.Context, q *rows.Queries, c purchase.Change, now time.Time) error {
	var changed int64
	var err error
	switch {
	case c.DecidedBy != "":
		changed, err = db.decideLine(ctx, q, c, now)
	case c.Arm != nil:
		changed, err = q.ArmLine(ctx, rows.ArmLineParams{
			MustLeaveBy: micros(c.MustLeaveBy), LookAt: micros(c.LookAt), UpdatedAt: micros(now),
			ID: string(c.Line), Generation: int64(c.Generation), FromState: string(c.From), Version: int64(c.Version),
			Incarnation: db.incarnation.Load(),
		})
	default:
		changed, err = q.MoveLine(ctx, rows.MoveLineParams{
			ToState: string(c.To), Generation: int64(c.Generation), Reason: c.Reason,
			MustLeaveBy: micros(c.MustLeaveBy), LookAt: micros(c.LookAt), UpdatedAt: micros(now),
			ListingDigest: c.Listing.Digest, ListingAt: micros(c.Listing.At),
			ID: string(c.Line), FromState: string(c.From), Version: int64(c.Version), CancelRequested: flag(c.CancelRequested),
			Incarnation: db.incarnation.Load(),
		})
	}
	switch {
	case isUnique(err):
		return purchase.ErrTaken // the lane has an open purchase
	case err != nil:
		return err
	case changed == 1:
		return nil
	}
	if err := db.moved(ctx, q); c.Arm == nil || !errors.Is(err, purchase.ErrLost) {
		return err
	}
	return unarmed(ctx, q, c)
}

func insertAttempt(ctx context.Context, q *rows.Queries, a *purchase.Attempt) error {
	intent, err := a.Intent.Bytes()
	if err != nil {
		return err
	}
	sum, err := a.Intent.SHA256()
	if err != nil {
		return err
	}
	before, err := json.Marshal(a.Before)
	if err != nil {
		return err
	}
	return q.InsertAttempt(ctx, rows.InsertAttemptParams{
		LineID: string(a.Line), N: int64(a.N), Generation: int64(a.Generation), Nonce: a.Nonce,
		Protocol: int64(a.Protocol), Account: string(a.Intent.Account), Region: string(a.Intent.Offering.Region),
		Identity: a.Intent.Identity, Intent: string(intent), IntentSha256: sum, Credential: a.Credential,
		ArmedAt: micros(a.ArmedAt), AnswerBy: micros(a.AnswerBy), Deadline: micros(a.Intent.Deadline), SettledAt: micros(a.SettledAt),
		FireAt: sql.NullInt64{Int64: micros(a.FireAt), Valid: !a.FireAt.IsZero()}, BeforeIds: string(before),
	})
}

func insertEvidence(ctx context.Context, q *rows.Queries, line purchase.LineID, e purchase.AttemptEvidence, now time.Time) error {
	commitment := ""
	if e.Commitment != nil {
		raw, err := json.Marshal(e.Commitment)
		if err != nil {
			return err
		}
		commitment = string(raw)
	}
	return q.InsertEvidence(ctx, rows.InsertEvidenceParams{
		ID: newID(now), LineID: string(line), N: int64(e.N), Kind: string(e.Kind), Outcome: string(e.Outcome),
		Operation: e.Operation, Started: micros(e.Started), CloudTime: micros(e.CloudTime), RequestID: e.RequestID,
		Status: int64(e.Status), Code: e.Code, Detail: e.Detail, Commitment: commitment, At: micros(now),
	})
}

func insertReceipt(ctx context.Context, q *rows.Queries, r *purchase.Receipt) error {
	c := r.Commitment
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return q.InsertReceipt(ctx, rows.InsertReceiptParams{
		LineID: string(r.Line), N: sql.NullInt64{Int64: int64(r.Attempt), Valid: r.Attempt > 0}, Provider: string(c.Provider), Account: string(c.Account),
		Region: string(c.Region), Service: string(c.Service), CommitmentID: c.ID, Commitment: string(raw),
		How: string(r.How), Heuristic: flag(r.Heuristic), At: micros(r.At),
		EndsAt: micros(c.Start.AddDate(0, int(r.Term), 0)), TermMonths: int64(r.Term),
	})
}

// Armed reports whether the line has an attempt with this nonce. It reads after
// whatever transaction on the line is still under way: on SQLite on the writing
// connection, on PostgreSQL under the lock of its row.
func (db *DB) Armed(ctx context.Context, line purchase.LineID, nonce string) (bool, error) {
	if db.postgres {
		return db.armedPostgres(ctx, line, nonce)
	}
	n, err := rows.New(db.writer).CountNonce(ctx, rows.CountNonceParams{LineID: string(line), Nonce: nonce})
	if err != nil {
		return false, fmt.Errorf("read back the attempt: %w", err)
	}
	return n == 1, nil
}

// LookNow makes every open line due.
func (db *DB) LookNow(ctx context.Context, now time.Time) error {
	return db.write(ctx, func(q *rows.Queries) error {
		_, err := q.LookNow(ctx, micros(now))
		return err
	})
}

// Due is a line that a worker can do something for, from At on.
type Due struct {
	Line  purchase.LineID
	Plan  purchase.PlanID
	Lane  cloud.Lane
	State purchase.State
	At    time.Time
}

// Workable lists at most so many lines that a worker can do something for at this
// moment, the most overdue first, beginning behind after: those of one plan, or of all
// if plan is "".
func (db *DB) Workable(ctx context.Context, plan purchase.PlanID, now time.Time, after Due, most int) ([]Due, error) {
	rs, err := workable(ctx, db.read(), plan, rows.WorkableLinesParams{
		Now: micros(now), AfterAt: micros(after.At), AfterID: string(after.Line), Most: int32(most),
	})
	if err != nil {
		return nil, fmt.Errorf("open lines: %w", err)
	}
	due := make([]Due, len(rs))
	for i, r := range rs {
		lane := cloud.Lane{Provider: cloud.Provider(r.Provider), Account: cloud.Account(r.Account), Region: cloud.Region(r.Region), Service: cloud.Service(r.Service)}
		due[i] = Due{Line: purchase.LineID(r.ID), Plan: purchase.PlanID(r.PlanID), Lane: lane, State: purchase.State(r.State), At: fromMicros(r.LookAt)}
	}
	return due, nil
}

func workable(ctx context.Context, q *rows.Queries, plan purchase.PlanID, p rows.WorkableLinesParams) ([]rows.WorkableLinesRow, error) {
	if plan == "" {
		return q.WorkableLines(ctx, p)
	}
	rs, err := q.WorkableLinesOfPlan(ctx, rows.WorkableLinesOfPlanParams{
		PlanID: string(plan), Now: p.Now, AfterAt: p.AfterAt, AfterID: p.AfterID, Most: p.Most,
	})
	all := make([]rows.WorkableLinesRow, len(rs))
	for i, r := range rs {
		all[i] = rows.WorkableLinesRow(r)
	}
	return all, err
}

// Waiting reports whether a line, of one plan or of all if plan is "", becomes
// workable by itself later than now.
func (db *DB) Waiting(ctx context.Context, plan purchase.PlanID, now time.Time) (bool, error) {
	ids, err := waiting(ctx, db.read(), plan, micros(now))
	if err != nil {
		return false, fmt.Errorf("lines that wait: %w", err)
	}
	return len(ids) > 0, nil
}

func waiting(ctx context.Context, q *rows.Queries, plan purchase.PlanID, now int64) ([]string, error) {
	if plan == "" {
		return q.WaitingLines(ctx, now)
	}
	return q.WaitingLinesOfPlan(ctx, rows.WaitingLinesOfPlanParams{PlanID: string(plan), Now: now})
}

func toAttempts(rs []rows.Attempt) ([]purchase.Attempt, error) {
	attempts := make([]purchase.Attempt, len(rs))
	for i, r := range rs {
		a := purchase.Attempt{
			Line: purchase.LineID(r.LineID), N: int(r.N), Generation: int(r.Generation), Nonce: r.Nonce,
			Protocol: int(r.Protocol), Credential: r.Credential, ArmedAt: fromMicros(r.ArmedAt),
			AnswerBy: fromMicros(r.AnswerBy), SettledAt: fromMicros(r.SettledAt), State: purchase.AttemptState(r.State),
			Outcome: cloud.Outcome(r.Outcome), Code: r.Code, EndedAt: fromMicros(r.EndedAt),
			FireAt: fromMicros(r.FireAt.Int64), Handle: r.Handle,
		}
		if err := json.Unmarshal([]byte(r.BeforeIds), &a.Before); err != nil {
			return nil, fmt.Errorf("attempt %d of line %s: %w", r.N, r.LineID, err)
		}
		if err := json.Unmarshal([]byte(r.Intent), &a.Intent); err != nil {
			return nil, fmt.Errorf("attempt %d of line %s: %w", r.N, r.LineID, err)
		}
		attempts[i] = a
	}
	return attempts, nil
}

// flag is how a boolean is stored.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// isUnique reports whether a unique index refused a row.
func isUnique(err error) bool {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return pgCode(err) == uniqueViolation
}

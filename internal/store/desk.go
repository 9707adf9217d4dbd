package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// ReceiptSum is how many commitments of an account cost the same over the same term and
// have not ended.
type ReceiptSum struct {
	Account     cloud.Account
	Total       money.Amount // of each
	Term        cloud.Term
	Count, Soon int // all of them, and those that end soon
}

// SumReceipts counts the commitments that have not ended, and of them those that end
// until soon.
func (db *DB) SumReceipts(ctx context.Context, now, soon time.Time) ([]ReceiptSum, error) {
	found, err := db.read().SumReceipts(ctx, rows.SumReceiptsParams{Now: micros(now), Soon: micros(soon)})
	if err != nil {
		return nil, fmt.Errorf("sums of receipts: %w", err)
	}
	sums := make([]ReceiptSum, len(found))
	for i, r := range found {
		sums[i] = ReceiptSum{Account: cloud.Account(r.Account), Term: cloud.Term(r.TermMonths), Count: int(r.N), Soon: int(r.Soon)}
		if sums[i].Total, err = money.Parse(r.Total, r.Currency); err != nil {
			return nil, fmt.Errorf("sums of receipts: %w", err)
		}
	}
	return sums, nil
}

// EndingSum is how many commitments of an account end on a day and cost the same over the
// same term.
type EndingSum struct {
	Account cloud.Account
	Day     time.Time    // its beginning
	Total   money.Amount // of each
	Term    cloud.Term
	Count   int
}

// EndingSums counts the commitments that have not ended by the day on which they end.
func (db *DB) EndingSums(ctx context.Context, now time.Time) ([]EndingSum, error) {
	found, err := db.read().EndingSums(ctx, micros(now))
	if err != nil {
		return nil, fmt.Errorf("sums of what ends: %w", err)
	}
	sums := make([]EndingSum, len(found))
	for i, r := range found {
		sums[i] = EndingSum{
			Account: cloud.Account(r.Account), Day: fromMicros(int64(r.Day) * (24 * time.Hour).Microseconds()), Term: cloud.Term(r.TermMonths), Count: int(r.N),
		}
		if i > 0 && r.Total == found[i-1].Total && r.Currency == found[i-1].Currency {
			sums[i].Total = sums[i-1].Total
		} else if sums[i].Total, err = money.Parse(r.Total, r.Currency); err != nil {
			return nil, fmt.Errorf("sums of what ends: %w", err)
		}
	}
	return sums, nil
}

// Ending says of which lines the commitments end.
type Ending struct {
	After, Until time.Time     // the end is behind After and not behind Until; zero Until is any time
	Since        time.Time     // bought then or later
	Account      cloud.Account // "" for all
	Most         int           // 0 is no bound
}

// LinesEnding reads the lines whose commitments end in a time, the next first.
func (db *DB) LinesEnding(ctx context.Context, e Ending) ([]purchase.Line, error) {
	p := rows.LinesEndingParams{After: micros(e.After), Until: math.MaxInt64, Since: micros(e.Since), Account: string(e.Account), Most: math.MaxInt32}
	if !e.Until.IsZero() {
		p.Until = micros(e.Until)
	}
	if e.Most > 0 {
		p.Most = int32(e.Most)
	}
	found, err := db.read().LinesEnding(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("lines that end: %w", err)
	}
	return toLines(found)
}

// OldestLines reads lines in a state, those of the oldest plan first, of an account or,
// with "", of all.
func (db *DB) OldestLines(ctx context.Context, state purchase.State, account cloud.Account, most int) ([]purchase.Line, error) {
	found, err := db.read().OldestLinesInState(ctx, rows.OldestLinesInStateParams{State: string(state), Account: string(account), Most: int32(most)})
	if err != nil {
		return nil, fmt.Errorf("lines: %w", err)
	}
	return toLines(found)
}

// LastAttempt is the number of the last attempt of a line and when it was armed; 0 for
// none.
func (db *DB) LastAttempt(ctx context.Context, line purchase.LineID) (n int, at time.Time, err error) {
	found, err := db.read().LastAttempt(ctx, string(line))
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("attempts of line %s: %w", line, err)
	}
	for _, r := range found {
		n, at = int(r.N), fromMicros(r.ArmedAt)
	}
	return n, at, nil
}

// PlansToDecide reads the plans that wait for approval and are the newest version,
// without their lines, the oldest first.
func (db *DB) PlansToDecide(ctx context.Context) ([]*purchase.Plan, error) {
	return bare(db.read().PlansToDecide(ctx))
}

// PlansToBegin reads the approved plans that nobody has begun and that have open lines,
// without their lines, the oldest first.
func (db *DB) PlansToBegin(ctx context.Context) ([]*purchase.Plan, error) {
	return bare(db.read().PlansToBegin(ctx))
}

// PlansBeingBought reads the begun plans with lines that a worker can do something for,
// without their lines, the newest first.
func (db *DB) PlansBeingBought(ctx context.Context) ([]*purchase.Plan, error) {
	return bare(db.read().PlansBeingBought(ctx))
}

// bare turns rows into plans without lines.
func bare(found []rows.Plan, err error) ([]*purchase.Plan, error) {
	if err != nil {
		return nil, fmt.Errorf("plans: %w", err)
	}
	plans := make([]*purchase.Plan, len(found))
	for i, r := range found {
		if plans[i], err = toPlan(r); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// PlanName is what a plan is called; its id is whole.
func (db *DB) PlanName(ctx context.Context, id purchase.PlanID) (string, error) {
	name, err := db.read().PlanName(ctx, string(id))
	if err != nil {
		return "", fmt.Errorf("plan %s: %w", id, err)
	}
	return name, nil
}

// LineAccounts are the accounts that lines are in, in order.
func (db *DB) LineAccounts(ctx context.Context) ([]string, error) {
	found, err := db.read().LineAccounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("accounts of lines: %w", err)
	}
	return found, nil
}

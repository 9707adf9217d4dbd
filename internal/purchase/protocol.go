package purchase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bursar/internal/cloud"
)

// Ledger is where rows live. It is durable: what Apply has confirmed survives
// every crash.
type Ledger interface {
	// Row reads a line with its attempts, on the primary.
	Row(ctx context.Context, line LineID) (Row, error)
	// Apply performs the change in one transaction. It returns nil when it is
	// committed, ErrLost when a guard did not hold and nothing was changed, and
	// ErrCommitUnknown when the answer to COMMIT was lost. Any other error means
	// that nothing was changed.
	Apply(ctx context.Context, c Change, now time.Time) error
	// Armed reports whether an attempt with this nonce is in the ledger.
	Armed(ctx context.Context, line LineID, nonce string) (bool, error)
}

// Errors of a Ledger.
var (
	ErrLost          = errors.New("somebody else moved the line")
	ErrCommitUnknown = errors.New("the answer to COMMIT was lost")
)

// Market is the cloud as one line needs it. Only Purchase can spend.
type Market interface {
	// Facts returns what is known of the line's service.
	Facts(l Line) (Facts, error)
	// Quote proves the caller and prices the offering, with the credential that
	// Purchase will use. It returns ErrNotSold when the offering is gone.
	Quote(ctx context.Context, i Intent) (cloud.Quote, error)
	// Find makes a complete look under every identity of the line.
	Find(ctx context.Context, i Intent) ([]cloud.Evidence, error)
	// Purchase sends at most one request, and none after sendBy.
	Purchase(ctx context.Context, i Intent, sendBy time.Time) Answered
}

// ErrNotSold is returned by a Market for an offering that cannot be bought.
var ErrNotSold = errors.New("the offering is not sold any more")

// Protocol carries lines from ready to an end. It holds no state: any number of
// them, in any number of processes, may work on one ledger.
type Protocol struct {
	Ledger Ledger
	Market Market
	Rules  Rules
	Now    func() time.Time // UTC, with a monotonic reading where there is one
	Nonce  func() string    // fresh and random
}

// Advance takes a line as far as it can go at this moment and returns its row.
// The error is about what could not be done now; the row says what is known. A
// line in doubt is never an error.
//
// It runs the same way for the first try, after a crash and for a line that
// another process left: the row alone says what comes next.
func (p *Protocol) Advance(ctx context.Context, id LineID) (Row, error) {
	var trouble error
	for {
		row, err := p.Ledger.Row(ctx, id)
		if err != nil {
			return Row{}, err
		}
		now := p.Now()
		if trouble != nil || ctx.Err() != nil || !row.workable() || now.Before(row.Line.LookAt) {
			return row, trouble
		}
		switch {
		case row.Line.State == Ready && !row.Sendable(now):
			err = p.apply(ctx, row, Swept{}, now)
		default:
			err = p.work(ctx, row)
		}
		switch {
		case errors.Is(err, ErrNoStep):
			return row, nil
		case errors.Is(err, ErrLost):
			// The other process's view is newer: read the row again.
		default:
			trouble = err
		}
	}
}

// workable reports whether a worker can do anything for the line.
func (r Row) workable() bool {
	for _, a := range r.Attempts {
		if a.Protocol != ProtocolVersion {
			return false
		}
	}
	return r.Line.State == Ready || r.Line.State == Armed
}

// work is one round: look under every identity of the line, then conclude, or
// buy.
func (p *Protocol) work(ctx context.Context, row Row) error {
	facts, err := p.Market.Facts(row.Line)
	if err != nil {
		return p.postpone(ctx, row, err)
	}
	intent := row.Intent(p.Now().Add(facts.Life))
	found, err := p.Market.Find(ctx, intent)
	if err != nil {
		return p.postpone(ctx, row, err)
	}
	now := p.Now()
	if row.Line.State == Armed {
		conclusive := len(commitments(found)) > 0 || !now.Before(row.SettledAt())
		if conclusive || !row.Sendable(now) || !p.Rules.mayResend(row, now) {
			return p.apply(ctx, row, Looked{Facts: facts, Found: found}, now)
		}
	}

	checked := Checked{Facts: facts, Found: found, Nonce: p.Nonce()}
	checked.Quote, err = p.Market.Quote(ctx, intent)
	if errors.Is(err, ErrNotSold) {
		checked.Drift = err.Error()
	} else if err != nil {
		return p.postpone(ctx, row, err)
	}
	return p.buy(ctx, row, checked, intent.Deadline)
}

// buy arms one attempt and sends it.
func (p *Protocol) buy(ctx context.Context, row Row, checked Checked, deadline time.Time) error {
	armedAt := p.Now()
	if checked.Drift == "" && !armedAt.Add(p.Rules.Gate).Before(deadline) {
		// The reads took so long that a request might be sent after its deadline.
		return p.postpone(ctx, row, errors.New("the reads before the purchase took too long"))
	}
	c, err := p.Rules.Step(row, checked, armedAt)
	if err != nil {
		return err
	}
	if c.Arm == nil {
		return p.Ledger.Apply(ctx, c, armedAt)
	}
	// The deadline is the one that the credential was opened with.
	c.Arm.Intent.Deadline, c.Arm.SettledAt = deadline, deadline.Add(checked.Facts.Settle)

	err = p.Ledger.Apply(ctx, c, armedAt)
	if errors.Is(err, ErrCommitUnknown) {
		// The row is there or it is not; without having seen it, nothing is sent.
		var armed bool
		if armed, err = p.Ledger.Armed(ctx, row.Line.ID, c.Arm.Nonce); err == nil && !armed {
			err = ErrLost
		}
	}
	if err != nil {
		return err
	}

	// From here on the request may be on the wire. It is bounded by its own time
	// limits and not by ours: a stop lets it finish and be recorded.
	ctx = context.WithoutCancel(ctx)
	answer := p.Market.Purchase(ctx, c.Arm.Intent, armedAt.Add(p.Rules.Gate))
	answer.N, answer.Nonce = c.Arm.N, c.Arm.Nonce
	return p.record(ctx, row.Line.ID, answer)
}

// record writes down what became of an attempt. It is repeated until the ledger
// has it: applying it twice is harmless, and if it fails for good the attempt
// stays armed and the next look finds out.
func (p *Protocol) record(ctx context.Context, line LineID, answer Answered) error {
	var err error
	for range 5 {
		var row Row
		if row, err = p.Ledger.Row(ctx, line); err != nil {
			continue
		}
		err = p.apply(ctx, row, answer, p.Now())
		if err == nil || errors.Is(err, ErrNoStep) {
			return nil
		}
	}
	return fmt.Errorf("the answer for attempt %d could not be recorded; the line stays in doubt and is looked up again: %w", answer.N, err)
}

func (p *Protocol) apply(ctx context.Context, row Row, ev Event, now time.Time) error {
	c, err := p.Rules.Step(row, ev, now)
	if err != nil {
		return err
	}
	return p.Ledger.Apply(ctx, c, now)
}

// postpone notes on the row why nothing could be done, and when to try again.
func (p *Protocol) postpone(ctx context.Context, row Row, cause error) error {
	now := p.Now()
	c := stay(row)
	c.Reason, c.LookAt = cause.Error(), now.Add(ReadRetry)
	if err := p.Ledger.Apply(ctx, c, now); err != nil && !errors.Is(err, ErrLost) {
		return errors.Join(cause, err)
	}
	return cause
}

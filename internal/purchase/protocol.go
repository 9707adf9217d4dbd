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
	// ErrTaken: a unique index refused an attempt: its lane has an open purchase,
	// or its second belongs to another one.
	ErrTaken = errors.New("another purchase of this lane is open")
	// ErrWentBack: the ledger is not the one that it was; it takes no step.
	ErrWentBack = errors.New("the ledger has gone back in time; nothing is done until that is looked into")
)

// Market is the cloud as one line needs it. Only Purchase can spend.
type Market interface {
	// Facts returns what is known of the line's service.
	Facts(l Line) (Facts, error)
	// Quote proves the caller and prices the offering, with the credential that
	// Purchase will use. It returns ErrNotSold when the offering is gone.
	Quote(ctx context.Context, i Intent) (cloud.Quote, error)
	// Find makes a complete look under every identity of the intent, or of the
	// whole lane when it has none. A look that began at or after since, by our
	// clock, serves as well: its evidence says when it began.
	Find(ctx context.Context, i Intent, since time.Time) ([]cloud.Evidence, error)
	// Purchase sends at most one request, and none after sendBy.
	Purchase(ctx context.Context, i Intent, sendBy time.Time) Answered
}

// What a Market can do besides. The power that a cloud does not give is one that
// its market does not have.
type (
	// Watcher knows what is new in a lane: the ids that it did not hold when the
	// plan was made and that nothing explains. It may answer from a listing of a
	// few minutes ago.
	Watcher interface {
		News(ctx context.Context, l Line) ([]string, error)
	}
	// Auditor reads what the audit log has of a credential, as far as it goes:
	// absence proves nothing.
	Auditor interface {
		Trail(ctx context.Context, i Intent, credential string) ([]cloud.Evidence, error)
	}
	// Follower asks what became of a handle.
	Follower interface {
		Poll(ctx context.Context, i Intent, handle string) (cloud.Evidence, error)
	}
	// Releaser deletes a queued order, which costs nothing. That it worked is shown
	// by the next look only.
	Releaser interface {
		Release(ctx context.Context, i Intent, order cloud.Commitment) error
	}
)

// Errors for a market without the power that a line of its class needs.
var (
	errNoFollower = errors.New("this service gives a handle and cannot be asked about it")
	errNoReleaser = errors.New("this service cannot delete orders")
	errRunning    = errors.New("accepted by the cloud; following it")
)

// ErrNotSold is returned by a Market for an offering that cannot be bought.
var ErrNotSold = errors.New("the offering is not sold any more")

// Later is the error of a Market that sells nothing to a line before a time. A line with
// nothing open is not looked at before.
type Later struct {
	Until time.Time
	Why   string // what a person reads
}

// Error is why.
func (l Later) Error() string { return l.Why }

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
		case row.Line.State == NeedsReapproval, row.Line.State == Ready && !row.Sendable(now):
			err = p.apply(ctx, &row, Swept{}, now)
		case row.Line.State == Ready && !row.LaneHeld.IsZero():
			err = p.queueUp(ctx, &row, now)
		default:
			err = p.work(ctx, &row)
		}
		switch {
		case err == nil && row.Line.State.Terminal():
			return row, nil
		case errors.Is(err, ErrNoStep):
			return row, nil
		case errors.Is(err, ErrTaken):
			trouble = p.postpone(ctx, &row, ErrTaken)
		case errors.Is(err, ErrLost):
			// The other process's view is newer: read the row again.
		default:
			trouble = err
		}
	}
}

// workable reports whether a worker can do anything for the line.
func (r *Row) workable() bool {
	for _, a := range r.Attempts {
		if a.Protocol != ProtocolVersion {
			return false
		}
	}
	switch r.Line.State {
	case Ready, Armed, QueuedLine, NeedsReapproval, Recovery:
		return true
	}
	return false
}

// work is one round: look under every identity of the line, then conclude, or
// buy.
func (p *Protocol) work(ctx context.Context, row *Row) error {
	facts, err := p.Market.Facts(row.Line)
	if err != nil {
		return p.postpone(ctx, row, err)
	}
	intent := row.Intent(p.Now().Add(facts.Life))
	if !row.named() || row.Line.State == Recovery {
		intent.Identities = nil // the whole lane
	}
	done, running, err := p.poll(ctx, row, intent)
	if done {
		return err
	}
	var found []cloud.Evidence
	if !errors.Is(running, errRunning) || !p.Now().Before(row.SettledAt()) {
		if found, err = p.Market.Find(ctx, intent, row.lookSince(p.Now())); err != nil {
			return p.postpone(ctx, row, err)
		}
	}
	now := p.Now()
	if running != nil && len(commitments(found)) == 0 {
		// What is listed counts; what is not may be what still runs.
		c := stay(row)
		c.Reason, c.LookAt = running.Error(), nextLook(row, now, time.Time{})
		if err := p.Ledger.Apply(ctx, c, now); err != nil || errors.Is(running, errRunning) {
			return err
		}
		return running
	}
	if row.Line.State != Ready {
		if again, err := p.release(ctx, row, intent, found, now); again || err != nil {
			return err
		}
		known := row.named() && len(commitments(found)) > 0 || !now.Before(row.SettledAt())
		if known || !row.Sendable(now) || !p.Rules.mayResend(row, facts, now) {
			looked := Looked{Facts: facts, Found: found}
			if looked.Trail, err = p.trail(ctx, row, intent); err != nil {
				return p.postpone(ctx, row, err)
			}
			return p.apply(ctx, row, looked, now)
		}
	}

	checked := Checked{Facts: facts, Found: found, Nonce: p.Nonce()}
	if watcher, ok := p.Market.(Watcher); ok && row.Line.State == Ready {
		if checked.News, err = watcher.News(ctx, row.Line); err != nil {
			return p.postpone(ctx, row, err)
		}
	}
	checked.Quote, err = p.Market.Quote(ctx, intent)
	if errors.Is(err, ErrNotSold) {
		checked.Drift = err.Error()
	} else if err != nil {
		return p.postpone(ctx, row, err)
	}
	return p.buy(ctx, row, checked, intent.Deadline)
}

// lookAge is how old a look may be that serves many lines.
const lookAge = time.Minute

// lookSince is when a look must have begun to be good for the line now. Before
// anything is armed it may be a minute old: what appears later is no older than
// the attempt. For an open line it is not older than the moment for which the look
// was meant, nor, when everything must be visible, than that. What a listing of an
// earlier moment does not show proves nothing in any case; this only spares looks
// that cannot conclude anything.
func (r *Row) lookSince(now time.Time) time.Time {
	since := now.Add(-lookAge)
	if r.Line.State == Ready {
		return since
	}
	for _, t := range []time.Time{r.Line.LookAt, r.SettledAt()} {
		if t.After(since) && !t.After(now) {
			since = t
		}
	}
	// What is closed as not bought is asked of itself, under its own names where it has
	// some: a listing that many lines share may end early and not say so.
	unsure := r.named() || r.Line.Class == cloud.ClassQueued && r.Line.State == Armed && !r.mayHaveBought()
	if unsure && !now.Before(r.SettledAt()) || r.Line.State == Recovery {
		return now
	}
	return since
}

// poll asks what became of the handles that the cloud has given. done means that
// one of them has come to an end, which is recorded, or not, as err says. running
// says why nothing can be concluded from what is not listed.
func (p *Protocol) poll(ctx context.Context, row *Row, intent Intent) (done bool, running, err error) {
	if row.Line.State != Armed || row.Line.Class == cloud.ClassQueued {
		return false, nil, nil
	}
	for a := range row.Open() {
		if a.State != AttemptAccepted || a.Handle == "" {
			continue
		}
		follower, ok := p.Market.(Follower)
		if !ok {
			return false, errNoFollower, nil
		}
		e, err := follower.Poll(ctx, intent, a.Handle)
		switch {
		case err != nil:
			running = err
		case e.Outcome == cloud.Bought || e.Outcome.Negative():
			return true, nil, p.apply(ctx, row, Answered{N: a.N, Nonce: a.Nonce, Evidence: e}, p.Now())
		case e.Outcome == cloud.Accepted:
			running = errRunning
		}
	}
	return false, running, nil
}

// release deletes orders that must not fire. again means that it asked for a
// deletion; only another look shows whether it worked.
func (p *Protocol) release(ctx context.Context, row *Row, intent Intent, found []cloud.Evidence, now time.Time) (again bool, err error) {
	if row.Line.Class != cloud.ClassQueued {
		return false, nil
	}
	for _, order := range p.Rules.unwanted(row, found, now) {
		releaser, ok := p.Market.(Releaser)
		if !ok {
			return true, p.postpone(ctx, row, errNoReleaser)
		}
		if err := releaser.Release(ctx, intent, order); err != nil {
			return true, p.postpone(ctx, row, err)
		}
		again = true
	}
	if again {
		c := stay(row)
		c.LookAt, c.Reason = now.Add(ReadRetry), "deleting an order that must not fire"
		return true, p.Ledger.Apply(ctx, c, now)
	}
	return false, nil
}

// trail reads the audit log for the open attempts of a line without identity.
func (p *Protocol) trail(ctx context.Context, row *Row, intent Intent) ([]cloud.Evidence, error) {
	auditor, ok := p.Market.(Auditor)
	if !ok || !row.Line.Class.Locks() {
		return nil, nil
	}
	var all []cloud.Evidence
	for a := range row.Open() {
		if a.Credential == "" {
			continue
		}
		found, err := auditor.Trail(ctx, intent, a.Credential)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// buy arms one attempt and sends it.
func (p *Protocol) buy(ctx context.Context, row *Row, checked Checked, deadline time.Time) error {
	armedAt := p.Now()
	if checked.Drift == "" && !armedAt.Add(p.Rules.Gate).Before(deadline) {
		// The reads took so long that a request might be sent after its deadline.
		return p.postpone(ctx, row, errors.New("the reads before the purchase took too long"))
	}
	c, err := p.Rules.Step(*row, checked, armedAt)
	if err != nil {
		return err
	}
	if c.Arm == nil {
		return p.commit(ctx, row, c, armedAt)
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
	*row = c.Applied(*row, armedAt)

	// From here on the request may be on the wire. It is bounded by its own time
	// limits and not by ours: a stop lets it finish and be recorded.
	ctx = context.WithoutCancel(ctx)
	answer := p.Market.Purchase(ctx, c.Arm.Intent, armedAt.Add(p.Rules.Gate))
	answer.N, answer.Nonce = c.Arm.N, c.Arm.Nonce
	return p.record(ctx, row, answer)
}

// record writes down what became of an attempt. It is repeated until the ledger
// has it: applying it twice is harmless, and if it fails for good the attempt
// stays armed and the next look finds out.
//
// What was bought is tried with the row as it was armed: whoever has moved the line
// since, or called it off, makes that fail. Any other answer may end in another way
// by what has happened to the plan in the meantime.
func (p *Protocol) record(ctx context.Context, row *Row, answer Answered) error {
	var err error
	for try := range 5 {
		if try > 0 || answer.Evidence.Outcome != cloud.Bought {
			var now Row
			if now, err = p.Ledger.Row(ctx, row.Line.ID); err != nil {
				continue
			}
			*row = now
		}
		err = p.apply(ctx, row, answer, p.Now())
		if err == nil || errors.Is(err, ErrNoStep) {
			return nil
		}
	}
	return fmt.Errorf("the answer for attempt %d could not be recorded; the line stays in doubt and is looked up again: %w", answer.N, err)
}

func (p *Protocol) apply(ctx context.Context, row *Row, ev Event, now time.Time) error {
	c, err := p.Rules.Step(*row, ev, now)
	if err != nil {
		return err
	}
	return p.commit(ctx, row, c, now)
}

// commit performs a change; row is then what it made of the line.
func (p *Protocol) commit(ctx context.Context, row *Row, c Change, now time.Time) error {
	if err := p.Ledger.Apply(ctx, c, now); err != nil {
		return err
	}
	*row = c.Applied(*row, now)
	return nil
}

// queueUp waits for the line that holds the lane, without asking the cloud.
func (p *Protocol) queueUp(ctx context.Context, row *Row, now time.Time) error {
	c := stay(row)
	c.Reason, c.LookAt = ErrTaken.Error(), row.LaneHeld
	if soonest, latest := now.Add(firstLook), now.Add(relist); c.LookAt.Before(soonest) {
		c.LookAt = soonest
	} else if c.LookAt.After(latest) {
		c.LookAt = latest // it may be settled sooner, by a person or a late answer
	}
	return p.Ledger.Apply(ctx, c, now)
}

// postpone notes on the row why nothing could be done, and when to try again.
func (p *Protocol) postpone(ctx context.Context, row *Row, cause error) error {
	now := p.Now()
	c := stay(row)
	c.Reason, c.LookAt = cause.Error(), now.Add(ReadRetry)
	if later := (Later{}); row.Line.State == Ready && errors.As(cause, &later) && later.Until.After(c.LookAt) {
		c.LookAt = later.Until
		if row.ApprovalExpires.Before(c.LookAt) {
			c.LookAt = row.ApprovalExpires // that is then what is to be seen to
		}
	}
	if err := p.Ledger.Apply(ctx, c, now); err != nil && !errors.Is(err, ErrLost) {
		return errors.Join(cause, err)
	}
	return cause
}

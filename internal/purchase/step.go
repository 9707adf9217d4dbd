package purchase

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"bursar/internal/cloud"
)

// Rules are the constants of the protocol.
type Rules struct {
	// Gate is how long after the commit of its row an attempt may still be sent.
	Gate time.Duration
	// MaxAttempts bounds the attempts of a line that were sent; MaxArmed bounds
	// all, those that never left or were throttled included.
	MaxAttempts, MaxArmed int
	// Grace is what an armed line may take beyond its settled time before a
	// person is told.
	Grace time.Duration
}

// DefaultRules are the rules of every installation.
var DefaultRules = Rules{Gate: 20 * time.Second, MaxAttempts: 5, MaxArmed: 40, Grace: 20 * time.Minute}

// Facts are what the service of a line is known to do.
type Facts struct {
	Class  cloud.Class
	Life   time.Duration // from signing to the last moment a request can take effect
	Settle time.Duration // from an effect to the first complete listing sure to show it
	Answer time.Duration // bound of one purchase call
	// Window is how long the cloud is proven to remember a token, class A.
	Window time.Duration
	// Lead is how far ahead the cloud takes an order at least, class Q.
	Lead time.Duration
}

// Event is a fact about a line. The events are Checked, Answered, Looked, Decided
// and Swept.
type Event interface{ event() }

// Checked is the result of the reads before a purchase.
type Checked struct {
	Facts Facts
	Quote cloud.Quote
	Found []cloud.Evidence // from a complete look under every identity of the line
	Nonce string           // fresh and random; becomes the attempt's
	// Drift is set when the offering is not sold any more.
	Drift string
	// News are ids in the lane that it did not hold when the plan was made and that
	// nothing explains: somebody else has bought for the same need.
	News []string
}

// Answered is what became of the one request of an attempt, told by the process
// that armed it.
type Answered struct {
	N        int
	Nonce    string
	Evidence cloud.Evidence
	// SecondRequest: the transport refused a second spending request. That one
	// request per attempt leaves can no longer be taken for granted.
	SecondRequest bool
}

// Looked is a complete look under every identity of the line, begun after the
// row was read.
type Looked struct {
	Facts Facts
	// Found is what is listed under the identities of the line, or, where it has
	// none, in its whole lane.
	Found []cloud.Evidence
	// Trail is what the audit log has of the credentials of the line's attempts.
	Trail []cloud.Evidence
}

// Swept is nothing but the passing of time.
type Swept struct{}

func (Checked) event()  {}
func (Answered) event() {}
func (Looked) event()   {}
func (Swept) event()    {}

// Change is one guarded step of a line. The ledger applies all of it in one
// transaction, or nothing: only if the line is still in From, at the version that
// was read, and its cancel request is as it was.
type Change struct {
	Rule            Rule // "" for a step that does not move the line
	Line            LineID
	From, To        State
	Version         int  // as read
	CancelRequested bool // as read

	Generation  int
	Listing     Listing
	Reason      string
	MustLeaveBy time.Time
	LookAt      time.Time

	// Arm inserts an attempt. The ledger then also demands, in the same
	// transaction, that the approval stands and purchasing is on.
	Arm      *Attempt
	Attempts []AttemptChange
	Evidence []AttemptEvidence
	Receipt  *Receipt
	// Heuristic: a person's guess, not evidence from the cloud, closes the line.
	Heuristic bool
	DecidedBy string // whose guess; "" without one
}

// Applied is a row right after the change was committed, as far as the change says it:
// what surrounds the line is as it was read. The attempts of row stay as they are.
func (c Change) Applied(row Row, now time.Time) Row {
	l := &row.Line
	l.Version++
	l.State, l.Generation, l.Reason, l.Listing = c.To, c.Generation, c.Reason, c.Listing
	l.MustLeaveBy, l.LookAt, l.UpdatedAt = c.MustLeaveBy, c.LookAt, now
	if c.DecidedBy != "" {
		l.DecidedBy = c.DecidedBy
	}
	row.Attempts = slices.Clone(row.Attempts)
	if c.Arm != nil {
		l.Armed++
		row.Attempts = append(row.Attempts, *c.Arm)
	}
	for _, m := range c.Attempts {
		a := &row.Attempts[m.N-1]
		a.State, a.Outcome, a.Code, a.EndedAt = m.To, m.Outcome, m.Code, m.EndedAt
		if m.Handle != "" {
			a.Handle = m.Handle
		}
	}
	return row
}

// AttemptChange ends or moves one attempt that must not be closed.
type AttemptChange struct {
	N       int
	To      AttemptState
	Outcome cloud.Outcome
	Code    string
	Handle  string // kept as it is when empty
	EndedAt time.Time
}

// AttemptEvidence ties a fact to the attempt it is about.
type AttemptEvidence struct {
	N int // 0: about the line as a whole
	cloud.Evidence
}

// ErrNoStep is returned for an event that does not fit the row. Nothing is
// changed; the caller reads the row again.
var ErrNoStep = errors.New("nothing to do in this state")

// Step decides what a fact means for a line. It is the only place where a line's
// next state is chosen.
func (rules Rules) Step(row Row, ev Event, now time.Time) (Change, error) {
	var c Change
	var err error
	switch ev := ev.(type) {
	case Checked:
		c, err = rules.arm(&row, ev, now)
	case Answered:
		c, err = rules.answer(&row, ev, now)
	case Looked:
		c, err = rules.look(&row, ev, now)
	case Decided:
		c, err = rules.decide(&row, ev, now)
	case Swept:
		c, err = rules.sweep(&row, now)
	}
	if err != nil {
		return Change{}, err
	}
	if c.Rule != "" && !Legal(c.Rule, c.From, c.To) {
		// Unreachable unless a rule below contradicts the table.
		return Change{}, fmt.Errorf("%s from %s to %s is not in the table of transitions", c.Rule, c.From, c.To)
	}
	return c, nil
}

// stay is a change that moves nothing.
func stay(row *Row) Change {
	return Change{
		Line: row.Line.ID, From: row.Line.State, To: row.Line.State, Version: row.Line.Version,
		CancelRequested: row.Line.CancelRequested, Generation: row.Line.Generation,
		Listing: row.Line.Listing, Reason: row.Line.Reason, MustLeaveBy: row.Line.MustLeaveBy, LookAt: row.Line.LookAt,
	}
}

func move(row *Row, rule Rule, to State, reason string, now time.Time) Change {
	c := stay(row)
	c.Rule, c.To, c.Reason = rule, to, reason
	c.LookAt, c.MustLeaveBy, c.Listing = time.Time{}, time.Time{}, Listing{}
	switch {
	case to == Ready:
		c.LookAt, c.MustLeaveBy = now, now.Add(ReadyDwell)
	case !to.Terminal():
		c.MustLeaveBy = now.Add(personDwell)
	}
	return c
}

// ReadRetry is the pause after reads that failed before anything was armed.
const ReadRetry = 5 * time.Second

// ReadyDwell is how long a line may be ready before somebody is told that
// nothing works on it.
const ReadyDwell = 15 * time.Minute

const (
	maxSkew     = time.Minute     // between our clock and the cloud's
	clockRetry  = 5 * time.Minute // a wrong clock rights itself slowly, if at all
	firstLook   = 2 * time.Second // after arming; an answer usually comes sooner
	personDwell = 4 * time.Hour   // then a line that waits for a person is raised again
)

// sweep (T10) ends a line that has nothing open and may never be sent again.
func (rules Rules) sweep(row *Row, now time.Time) (Change, error) {
	if row.Line.State != Ready && row.Line.State != NeedsReapproval {
		return Change{}, ErrNoStep
	}
	switch {
	case row.Line.CancelRequested:
		return move(row, "T10", Canceled, "called off before it was sent", now), nil
	case row.PlanFailed:
		return move(row, "T10", Canceled, "another line of this all-or-nothing plan was not bought", now), nil
	case row.PlanState == PlanSuperseded:
		return move(row, "T10", Superseded, "a newer version of the plan replaced it", now), nil
	case !now.Before(row.ApprovalExpires):
		return move(row, "T10", Expired, "the approval ended before it was sent", now), nil
	}
	return Change{}, ErrNoStep
}

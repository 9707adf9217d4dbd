package driver

import (
	"context"
	"errors"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// What a Service can do besides, where the cloud gives it the power. None of it
// can spend.
type (
	// Auditor reads what the cloud's audit log has of one credential. Presence
	// proves, absence proves nothing. Evidence carries a commitment with its id.
	Auditor interface {
		Trail(ctx context.Context, r Request, credential string) ([]cloud.Evidence, error)
	}
	// Follower asks what became of an order or operation by the handle that the
	// answer to Purchase gave. The outcome is Accepted while it still runs, Bought
	// with the commitment, or a negative one when it ended in nothing for good.
	Follower interface {
		Poll(ctx context.Context, r Request, handle string) (cloud.Evidence, error)
	}
	// Limiter knows quantities that an offering is not sold in. The error says how to
	// change the quantity. It does no IO.
	Limiter interface {
		Allows(o cloud.Offering, quantity int64) error
	}
	// Returner gives back what is bought, where the cloud takes it back. It costs
	// nothing and cannot be undone.
	Returner interface {
		// ReturnTerms tells whether a commitment can be given back now, by the cloud's
		// published rules, what its lane holds and, where the cloud can be asked, by what
		// it says. It is read only.
		ReturnTerms(ctx context.Context, c cloud.Commitment, lane []cloud.Commitment, now time.Time) (ReturnTerms, error)
		// Return sends at most one request, with r.Identity as its token, by the rules
		// of Purchase: it proves the caller, sends nothing after r.SendBy, and the cloud
		// refuses the request from r.Deadline on. Accepted with a nil error means that
		// the cloud has taken the request; the next listings show what comes of it.
		// Anything else is an error whose outcome OutcomeOf tells.
		Return(ctx context.Context, r Request, c cloud.Commitment) (cloud.Evidence, error)
	}
	// Closing is a Returner whose way back closes long before the end of the term.
	Closing interface {
		// ReturnUntil is the last instant, UTC, at which a commitment could be given back by
		// the published rules; zero if it never could. It does no IO.
		ReturnUntil(c cloud.Commitment) time.Time
	}
	// Releaser deletes an order that has not fired, which costs nothing. That it
	// worked is shown by the next listing only.
	Releaser interface {
		Release(ctx context.Context, r Request, order cloud.Commitment) error
	}
	// Tagger adds r.Tags to what is bought, where a purchase takes none. Keys that are
	// there get the new text; nothing else is changed, and it may be done again.
	Tagger interface {
		Tag(ctx context.Context, r Request, c cloud.Commitment) error
	}
	// Claimer keeps marks in an account that pays, where every installation sees them.
	// A name is of letters, digits, "-" and "/"; a text has at most 4,000 bytes. An
	// account that does not permit it answers ErrMarkDenied.
	Claimer interface {
		// Claimed reads a mark; "" means that there is none.
		Claimed(ctx context.Context, name string) (text string, err error)
		// Claim creates a mark if there is none of its name, and returns the text that is
		// there afterwards, whoever wrote it.
		Claim(ctx context.Context, name, text string) (there string, err error)
		// Replace writes a mark whatever is there.
		Replace(ctx context.Context, name, text string) error
	}
	// Meter asks a cloud that does not say it with its listing how commitments are used.
	// Every request may cost money. It is read only.
	Meter interface {
		// Measure tells of held, all of one lane, how much of each was used, and how much
		// of the usage of the lane was covered. What the cloud does not tell is missing.
		Measure(ctx context.Context, held []cloud.Commitment) (Measured, error)
	}
	// Checker asks the cloud what the credentials of a lane may do. The order of
	// the checks is that of a purchase, and those that cannot be asked because an
	// earlier one failed are left out.
	Checker interface {
		// Check needs an identity of the installation that no line has or will have.
		Check(ctx context.Context, identity string) []Check
	}
)

// Measured is what a cloud says of the use of a lane. Utilization is of what was paid
// for, coverage of what was used: neither follows from the other.
type Measured struct {
	Used     map[string]cloud.Used // by the id of the commitment
	Coverage []Covered
}

// Covered is how much of the usage of a lane that commitments could cover was covered.
type Covered struct {
	Of   string // what is covered: "hours" or "spend"
	Days int    // the window
	BP   int    // hundredths of a per cent
}

// ErrNotTold: the cloud does not say how its commitments are used.
var ErrNotTold = errors.New("not told by the cloud")

// ErrMarkDenied: the account does not permit marks.
var ErrMarkDenied = errors.New("the account does not permit marks")

// Check is one question to the cloud and what came of it. Its texts are fit to be
// shown to people.
type Check struct {
	Of     string // "identity", "clock", "quota", or an action in the words of the cloud's permissions
	State  CheckState
	Detail string // one clause
	Next   string // what to do about it, one clause; empty when there is nothing to do
}

// CheckState is the result of a check.
type CheckState string

// The states.
const (
	CheckOK       CheckState = "ok"
	CheckFailed   CheckState = "failed"   // a purchase would fail
	CheckUnproven CheckState = "unproven" // the cloud does not say
)

// Pool is how much commitment a cloud takes back at most in a year, by what it says
// itself.
type Pool struct{ Used, Limit money.Amount }

// ReturnTerms are what a cloud's rules say about giving one commitment back.
type ReturnTerms struct {
	Until time.Time     // the last instant, UTC; zero if never
	Why   string        // why not now; "" means that it can be given back
	Used  int           // returns of the account this year, as far as its lane shows
	Most  int           // that the cloud allows in a year; 0 if it does not count them
	Back  *money.Amount // what the cloud says that it pays back; nil if all that was paid upfront
	Pool  *Pool         // what the cloud limits returns to; nil if that is no amount
	Rule  string        // for people, with source and date
}

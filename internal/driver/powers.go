package driver

import (
	"context"
	"time"

	"bursar/internal/cloud"
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
		// published rules and what its lane holds. It does no IO.
		ReturnTerms(c cloud.Commitment, lane []cloud.Commitment, now time.Time) ReturnTerms
		// Return sends at most one request, with r.Identity as its token, by the rules
		// of Purchase: it proves the caller, sends nothing after r.SendBy, and the cloud
		// refuses the request from r.Deadline on. Accepted with a nil error means that
		// the cloud has taken the request; the next listings show what comes of it.
		// Anything else is an error whose outcome OutcomeOf tells.
		Return(ctx context.Context, r Request, c cloud.Commitment) (cloud.Evidence, error)
	}
	// Releaser deletes an order that has not fired, which costs nothing. That it
	// worked is shown by the next listing only.
	Releaser interface {
		Release(ctx context.Context, r Request, order cloud.Commitment) error
	}
)

// ReturnTerms are what a cloud's rules say about giving one commitment back.
type ReturnTerms struct {
	Until time.Time // the last instant, UTC; zero if never
	Why   string    // why not now; "" means that it can be given back
	Used  int       // returns of the account this year, as far as its lane shows
	Most  int       // that the cloud allows in a year
	Rule  string    // for people, with source and date
}

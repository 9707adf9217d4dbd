package driver

import (
	"context"

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
	// Releaser deletes an order that has not fired, which costs nothing. That it
	// worked is shown by the next listing only.
	Releaser interface {
		Release(ctx context.Context, r Request, order cloud.Commitment) error
	}
)

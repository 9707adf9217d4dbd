package driver

import (
	"context"
	"fmt"
)

// ClaimFirst is Claim of a Claimer, given how it creates a mark where there is none:
// create also succeeds where somebody else was first. The mark is read before, so that a
// caller that may only read sees who has it.
func ClaimFirst(ctx context.Context, c Claimer, name string, create func() error) (there string, err error) {
	if there, err = c.Claimed(ctx, name); there != "" || err != nil {
		return there, err
	}
	if err := create(); err != nil {
		return "", err
	}
	// Whoever was first is there now, this caller too if its answer was lost.
	if there, err = c.Claimed(ctx, name); err == nil && there == "" {
		err = fmt.Errorf("mark %s was written and is not there", name)
	}
	return there, err
}

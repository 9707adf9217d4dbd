package aws

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// release deletes a queued order of this lane by one operation, with credentials
// that may do nothing else where a role is configured.
func (d *reserved) release(ctx context.Context, r driver.Request, order cloud.Commitment, operation string,
	send func(context.Context, aws.Credentials) error) error {
	fail := func(err error) error { return &driver.Error{Operation: operation, Err: err} }
	if r.Account != d.Account || order.Lane != d.lane() {
		return fail(fmt.Errorf("order %s is of %s: %w", order.ID, order.Lane, driver.ErrWrongAccount))
	}
	if order.State != cloud.Queued {
		return fail(fmt.Errorf("order %s is %s, not queued", order.ID, order.State))
	}
	creds, err := d.credentialsFor(ctx, releaseSession, d.grant.releases)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return send(ctx, creds)
}

// credentialsFor are good for these actions alone where a role is configured.
func (d *reserved) credentialsFor(ctx context.Context, session string, actions []string) (aws.Credentials, error) {
	if d.role == "" {
		return d.base(ctx)
	}
	creds, _, err := d.assume(ctx, session, grant{reads: actions}, time.Time{})
	return creds, err
}

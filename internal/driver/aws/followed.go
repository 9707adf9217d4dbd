package aws

import (
	"context"
	"errors"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// followed is a service whose answer to a purchase names an id and nothing that it
// stands for: the reservation is read by it.
type followed struct{ audited }

var _ driver.Follower = followed{}

// Poll reads the reservation that the answer to a purchase named. What was just
// bought may not be listed yet: one that is not there is accepted.
func (d followed) Poll(ctx context.Context, r driver.Request, handle string) (cloud.Evidence, error) {
	fail := func(err error) (cloud.Evidence, error) {
		return cloud.Evidence{}, &driver.Error{Operation: d.opReserved, Err: err}
	}
	if r.Account != d.Account {
		return fail(driver.ErrWrongAccount)
	}
	if !idForm.MatchString(handle) {
		return fail(errors.New("the handle is not the id of a reservation"))
	}
	absent := cloud.Evidence{Kind: cloud.EvidenceAbsence, Operation: d.opReserved, Started: d.now()}
	creds, err := d.readCredentials(ctx, d.grant)
	if err != nil {
		return cloud.Evidence{}, err
	}
	found, err := d.list(ctx, creds, handle, &absent)
	if err != nil {
		return cloud.Evidence{}, err
	}
	if len(found) == 0 {
		absent.Outcome, absent.Handle, absent.Detail = cloud.Accepted, handle, handle+" is not listed yet"
		return absent, nil
	}
	ev := found[0]
	ev.Handle = handle
	switch ev.Commitment.State {
	case cloud.Pending, cloud.Active:
		ev.Outcome = cloud.Bought
	case cloud.Failed:
		ev.Outcome, ev.Detail = cloud.Refused, "the payment of "+handle+" failed"
	default:
		ev.Outcome, ev.Detail = cloud.Accepted, d.title+" does not say what became of "+handle
	}
	return ev, nil
}

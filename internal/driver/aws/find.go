package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// Find returns what exists under r.Identities, or the whole inventory without
// them, and always where the service knows nothing by a name of ours. A service
// answers an id it does not know with a fault; an empty list is taken the same
// way. Where the identity is a name beside the id, the inventory is searched for it.
//
// The look began at Started by our clock and not after CloudTime by the cloud's:
// that of its first answer.
func (d *reserved) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	fail := func(err error) ([]cloud.Evidence, error) {
		return nil, &driver.Error{Operation: d.opReserved, Err: err}
	}
	if r.Account != d.Account {
		return fail(driver.ErrWrongAccount)
	}
	var names []string
	if d.class.Named() || d.tagged {
		for _, id := range r.Identities {
			if id == "" {
				return fail(errors.New("an empty identity"))
			}
			if !slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, id) }) {
				names = append(names, id)
			}
		}
	}
	absent := cloud.Evidence{Kind: cloud.EvidenceAbsence, Operation: d.opReserved, Started: d.now()}
	creds, err := d.readCredentials(ctx, d.grant)
	if err != nil {
		return nil, err
	}
	ids := []string{""}
	if d.byID() && len(names) > 0 {
		ids = names
	}
	var found []cloud.Evidence
	for _, id := range ids {
		list, err := d.list(ctx, creds, id, &absent)
		if err != nil {
			return nil, err
		}
		found = append(found, list...)
	}
	absent.Detail = fmt.Sprintf("the account has no %s in the region", d.noun)
	if len(names) > 0 {
		found = under(names, found)
		absent.Detail = fmt.Sprintf("no %s under %d identities", d.noun, len(names))
	}
	if len(found) > 0 {
		return found, nil
	}
	return []cloud.Evidence{absent}, nil
}

// under keeps what has one of the names as its id or beside it.
func under(names []string, found []cloud.Evidence) (kept []cloud.Evidence) {
	for _, ev := range found {
		if slices.ContainsFunc(names, func(s string) bool {
			return strings.EqualFold(s, ev.Commitment.ID) || strings.EqualFold(s, ev.Commitment.Name)
		}) {
			ev.Outcome = cloud.Exists
			kept = append(kept, ev)
		}
	}
	return kept
}

// list returns the reservations under one id, or all for an empty id. It writes
// what is known of the answers to absent: the time of the first, the rest of the
// last.
func (d *reserved) list(ctx context.Context, creds aws.Credentials, id string, absent *cloud.Evidence) ([]cloud.Evidence, error) {
	var found []cloud.Evidence
	seen := map[string]bool{}
	started := d.now()
	err := pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		p, err := d.api.reservations(ctx, creds, id, marker)
		if id != "" && saysMissing(err, d.noReservation) {
			absent.Status, absent.Code = errorStatus(err), d.noReservation
			first(&absent.CloudTime, errorTime(err))
			absent.RequestID = errorRequestID(err)
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if !p.listed {
			return nil, errNoList
		}
		absent.Status, absent.Code = http.StatusOK, ""
		first(&absent.CloudTime, answerTimeOf(p.meta))
		absent.RequestID = requestIDOf(p.meta)
		for _, i := range p.items {
			if i.foreign {
				continue
			}
			c, err := d.commitment(i)
			if err != nil {
				return nil, err
			}
			if id != "" && !strings.EqualFold(c.ID, id) {
				return nil, errors.New("asked for one reservation, AWS showed another")
			}
			// A page may repeat an item of the page before. Two reservations that
			// share an id but not their lease or start stay two.
			key := strings.Join([]string{strings.ToLower(c.ID), i.lease, c.Start.String()}, "\n")
			if seen[key] {
				continue
			}
			seen[key] = true
			ev := cloud.Evidence{
				Kind: cloud.EvidenceListing, Operation: d.opReserved, Started: started,
				CloudTime: absent.CloudTime, RequestID: absent.RequestID, Status: absent.Status,
				Detail: fmt.Sprintf("commitment %s is %s", c.ID, c.State), Commitment: &c,
			}
			found = append(found, ev)
		}
		return p.next, nil
	})
	if err != nil {
		return nil, readError(d.opReserved, err, creds)
	}
	return found, nil
}

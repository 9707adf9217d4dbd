package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

// order is one spending request of a service, ready to be sent.
type order struct {
	operation string
	form      form
	// send calls the operation once with this client and credential, with the
	// retries of the SDK off, and returns what the answer shows. An error beside
	// a commitment says what in the answer does not fit the request.
	send func(context.Context, *http.Client, aws.Credentials) (receipt, error)
}

// receipt is what the answer to a purchase shows: the commitment, or only the id
// by which it is to be followed.
type receipt struct {
	commitment *cloud.Commitment
	handle     string
	detail     string // in the place of the usual sentence about a commitment
}

// errNoSession tells an attempt without a Quote, or with one too many Purchases.
var errNoSession = errors.New("the attempt has no session: quote it first; it is good for one purchase")

// spend is the way of every purchase: it proves the caller, waits at no point,
// sends at most one request, and judges the answer.
func (c *core) spend(ctx context.Context, r driver.Request, o order) (cloud.Evidence, error) {
	ev := cloud.Evidence{Kind: cloud.EvidenceReply, Operation: o.operation, Started: c.now()}
	s := c.sessions.take(r.Attempt)
	if s == nil {
		return unsent(ev, errNoSession)
	}
	if err := c.timely(r, s); err != nil {
		return unsent(ev, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Answer)
	defer cancel()
	if err := c.prove(ctx, s.creds); err != nil {
		return unsent(ev, err)
	}

	g := oneshot.New(c.Transport, c.now, r.SendBy)
	ev.Started = c.now()
	bought, err := o.send(ctx, g.Client(), s.creds)
	return judge(ev, o, g.Close().Told(c.Count), bought, err, s.creds)
}

// timely checks that the cloud refuses the request from r.Deadline on, if it is
// sent as late as r.SendBy.
func (c *core) timely(r driver.Request, s *session) error {
	switch {
	case c.role == "" && r.Deadline.Before(r.SendBy.Add(signatureLife)):
		return fmt.Errorf("a request sent at %s can take effect for %s, which is after the deadline of the attempt",
			r.SendBy.UTC().Format(time.RFC3339), signatureLife)
	case c.role != "" && !s.deadline.Equal(r.Deadline):
		return errors.New("the session of the attempt was opened with another deadline")
	case r.SendBy.After(r.Deadline):
		return errors.New("the attempt may be sent after its deadline")
	}
	return nil
}

// unsent is the evidence of a request of which nothing left.
func unsent(ev cloud.Evidence, err error) (cloud.Evidence, error) {
	ev.Outcome = cloud.Unsent
	ev.Detail = quiet(err).Error()
	var inner *driver.Error
	if errors.As(err, &inner) {
		ev.Operation, ev.Code, ev.Status = inner.Operation, inner.Code, inner.Status
		ev.Detail = inner.Err.Error()
		err = inner.Err
	}
	return ev, &driver.Error{Outcome: cloud.Unsent, Operation: ev.Operation, Code: ev.Code, Status: ev.Status, Err: quiet(err)}
}

// judge says what the record of an attempt proves. Doubt is the default: each
// other outcome needs its own complete proof.
func judge(ev cloud.Evidence, o order, rec oneshot.Record, bought receipt, err error, creds aws.Credentials) (cloud.Evidence, error) {
	if rec.Reply != nil {
		ev.Status = rec.Reply.Status
		ev.RequestID = requestID(rec.Reply)
		if at, dateErr := http.ParseTime(rec.Reply.Header.Get("Date")); dateErr == nil {
			ev.CloudTime = at.UTC()
		}
	}
	ev.Commitment = bought.commitment
	switch {
	case rec.Asked > 1:
		err = cause{driver.ErrSecondRequest.Error(), errors.Join(driver.ErrSecondRequest, err)}
	case !rec.Wrote && err != nil:
		if rec.Refused != nil {
			err = rec.Refused
		}
		return unsent(ev, quiet(err, creds))
	case rec.Reply == nil:
		err = orElse(err, "no answer")
	case rec.Reply.Err != nil:
		err = fmt.Errorf("the answer broke off: %w", rec.Reply.Err)
	case rec.Reply.Status != http.StatusOK:
		// A status without a code of the table stays in doubt.
		ev.Code = o.form.code(rec.Reply)
		ev.Outcome = classify(o.operation, ev.Code, ev.Status)
		err = orElse(err, "an answer with status "+http.StatusText(ev.Status))
	case err == nil && (bought.commitment != nil || bought.handle != ""):
		if err = o.form.whole(rec.Reply.Body, o.operation); err != nil {
			break
		}
		if c := bought.commitment; c != nil {
			ev.Outcome, ev.Detail = cloud.Bought, fmt.Sprintf("commitment %s is %s", c.ID, c.State)
			if bought.detail != "" {
				ev.Detail = bought.detail
			}
		} else {
			ev.Outcome, ev.Handle, ev.Detail = cloud.Accepted, bought.handle, "ordered as "+bought.handle
		}
		return ev, nil
	default:
		err = orElse(err, "an answer without a commitment")
	}
	err = quiet(err, creds)
	ev.Detail = err.Error()
	e := &driver.Error{Outcome: ev.Outcome, Operation: o.operation, Code: ev.Code, Status: ev.Status, Err: err}
	if e.Outcome.Negative() {
		trouble(e, err)
	}
	return ev, e
}

func orElse(err error, text string) error {
	if err == nil {
		return errors.New(text)
	}
	return err
}

package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

// order is one spending request, ready to be sent.
type order struct {
	operation string
	accepted  []int // statuses of an answer that takes the order
	// send calls the operation once, through the given client and with the retries of the
	// SDK off.
	send func(ctx context.Context, client *http.Client, token string) error
	// handle reads from an answer what the order is to be followed by; it fails if the
	// answer is about something else.
	handle func(*oneshot.Reply) (handle, detail string, err error)
}

// errNoSession tells an attempt without a Quote, or with one too many Purchases.
var errNoSession = errors.New("the attempt has no session: quote it first; it is good for one purchase")

// spend is the way of every purchase: it proves the caller, waits at no point, sends at
// most one request, and judges the answer.
func (c *core) spend(ctx context.Context, r driver.Request, o order) (cloud.Evidence, error) {
	ev := cloud.Evidence{Kind: cloud.EvidenceReply, Operation: o.operation, Started: c.now()}
	s := c.sessions.take(r.Attempt)
	if s == nil {
		return unsent(ev, errNoSession)
	}
	if err := timely(r, s); err != nil {
		return unsent(ev, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Answer)
	defer cancel()
	if err := c.prove(ctx, s.token); err != nil {
		return unsent(ev, err)
	}
	g := oneshot.New(c.Transport, c.now, r.SendBy)
	ev.Started = c.now()
	err := o.send(ctx, g.Client(), s.token.Token)
	return judge(ev, o, g.Close().Told(c.Count), quiet(err, s.token))
}

// timely checks that Azure refuses the request from r.Deadline on, and that the order
// is the one that the ledger holds.
func timely(r driver.Request, s *session) error {
	switch {
	case s.token.ExpiresOn.After(r.Deadline):
		return fmt.Errorf("the token is good until %s, which is after the deadline of the attempt: make its longest life known (token_life)",
			s.token.ExpiresOn.UTC().Format(time.RFC3339))
	case !r.SendBy.Before(s.token.ExpiresOn):
		return errors.New("the token may have expired when the request is sent")
	case r.SendBy.After(r.Deadline):
		return errors.New("the attempt may be sent after its deadline")
	case r.Order != s.order:
		return errors.New("the order is not the one that the price of the attempt named")
	}
	return nil
}

// unsent is the evidence of a request of which nothing left.
func unsent(ev cloud.Evidence, err error) (cloud.Evidence, error) {
	ev.Outcome = cloud.Unsent
	var inner *driver.Error
	if errors.As(err, &inner) {
		ev.Operation, ev.Code, ev.Status = inner.Operation, inner.Code, inner.Status
		err = inner.Err
	}
	err = quiet(err)
	ev.Detail = err.Error()
	return ev, &driver.Error{Outcome: cloud.Unsent, Operation: ev.Operation, Code: ev.Code, Status: ev.Status, Err: err}
}

// judge says what the record of an attempt proves. Doubt is the default: each other
// outcome needs its own complete proof. An error of the SDK beside an answer that takes
// the order is doubt too: it decodes less than Azure sends.
func judge(ev cloud.Evidence, o order, rec oneshot.Record, err error) (cloud.Evidence, error) {
	if rec.Reply != nil {
		ev.Status, ev.RequestID = rec.Reply.Status, requestID(rec.Reply.Header)
		ev.CloudTime = dateOf(rec.Reply.Header)
	}
	switch {
	case rec.Asked > 1:
		err = cause{driver.ErrSecondRequest.Error(), errors.Join(driver.ErrSecondRequest, err)}
	case !rec.Wrote && err != nil:
		if rec.Refused != nil {
			err = rec.Refused
		}
		return unsent(ev, err)
	case rec.Reply == nil:
		err = orElse(err, "no answer")
	case rec.Reply.Err != nil:
		err = fmt.Errorf("the answer broke off: %w", rec.Reply.Err)
	case !slices.Contains(o.accepted, rec.Reply.Status):
		// A status without a code of the table stays in doubt.
		ev.Code = errorCode(rec.Reply)
		ev.Outcome = classify(o.operation, ev.Code, ev.Status)
		err = orElse(err, "an answer with status "+http.StatusText(ev.Status))
	case err == nil:
		if ev.Handle, ev.Detail, err = o.handle(rec.Reply); err == nil {
			ev.Outcome = cloud.Accepted
			return ev, nil
		}
		ev.Handle = ""
	}
	err = quiet(err)
	ev.Detail = err.Error()
	return ev, &driver.Error{Outcome: ev.Outcome, Operation: o.operation, Code: ev.Code, Status: ev.Status, Err: err}
}

func orElse(err error, text string) error {
	if err == nil {
		return errors.New(text)
	}
	return err
}

// lastOf is what stands behind the last slash of a resource's id, in lower case: Azure
// does not keep the case of ids.
func lastOf(id string) string { return strings.ToLower(id[strings.LastIndexByte(id, '/')+1:]) }

package gcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

// order is one spending request of a service, ready to be sent.
type order struct {
	operation string
	prove     prover
	// send asks once with this client and token and returns what the answer shows. An
	// error says what in the answer does not fit the request.
	send func(context.Context, *http.Client, *oauth2.Token) (receipt, error)
}

// receipt is what the answer to a purchase shows: the operation that carries it out.
type receipt struct {
	handle string
	id     string // Google's id of the operation, for people
}

// errNoTicket tells an attempt without a Quote, or with one too many Purchases.
var errNoTicket = errors.New("the attempt has no credential: quote it first; it is good for one purchase")

// spend is the way of every purchase: it proves the caller, waits at no point, sends
// at most one request, and judges the answer.
func (c *core) spend(ctx context.Context, r driver.Request, o order) (cloud.Evidence, error) {
	ev := cloud.Evidence{Kind: cloud.EvidenceReply, Operation: o.operation, Started: c.now()}
	token := c.tickets.take(r.Attempt)
	if token == nil {
		return unsent(ev, errNoTicket)
	}
	if err := timely(r, token); err != nil {
		return unsent(ev, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Answer)
	defer cancel()
	if _, err := o.prove(ctx, token); err != nil {
		return unsent(ev, err)
	}
	g := oneshot.New(c.Transport, c.now, r.SendBy)
	ev.Started = c.now()
	got, err := o.send(ctx, g.Client(), token)
	return judge(ev, g.Close().Told(c.Count), got, err)
}

// timely checks that Google refuses the request from r.Deadline on, if it is sent as
// late as r.SendBy: its token has expired by then.
func timely(r driver.Request, t *oauth2.Token) error {
	end := t.Expiry
	if end.IsZero() {
		end = r.SendBy.Add(tokenLife)
	}
	switch {
	case end.After(r.Deadline):
		return fmt.Errorf("the token lives until %s, which is after the deadline of the attempt", end.UTC().Format(time.RFC3339))
	case r.SendBy.After(r.Deadline):
		return errors.New("the attempt may be sent after its deadline")
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
// outcome needs its own complete proof.
func judge(ev cloud.Evidence, rec oneshot.Record, got receipt, err error) (cloud.Evidence, error) {
	if rec.Reply != nil {
		ev.Status, ev.CloudTime = rec.Reply.Status, dateOf(rec.Reply.Header)
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
	case rec.Reply.Status != http.StatusOK:
		ev.Code = codeOf(rec.Reply)
		ev.Outcome = classify(ev.Code, ev.Status)
		err = orElse(err, "an answer with status "+http.StatusText(ev.Status))
	case err == nil && got.handle != "":
		if err = whole(rec.Reply.Body); err != nil {
			break
		}
		ev.Outcome, ev.Handle, ev.RequestID, ev.Detail = cloud.Accepted, got.handle, got.id, "accepted as "+got.handle
		return ev, nil
	default:
		err = orElse(err, "an answer without an operation")
	}
	err = quiet(err)
	ev.Detail = err.Error()
	return ev, &driver.Error{Outcome: ev.Outcome, Operation: ev.Operation, Code: ev.Code, Status: ev.Status, Err: err}
}

func orElse(err error, text string) error {
	if err == nil {
		return errors.New(text)
	}
	return err
}

// requestID is the UUID under which Google remembers the purchases of one identity in
// a place: derived, so every attempt of a generation has the same, and in no case all
// zero.
func (c *core) requestID(identity string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"bursar request", c.lane().String(), identity}, "\n")))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80 // version 8: what its bits mean is ours to say
	b[8] = b[8]&0x3f | 0x80
	x := hex.EncodeToString(b)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

package sim

import (
	"crypto/subtle"
	"net/http"
	"time"
)

// authenticate finds out who signed a request and until when, in simulated
// time, the signature may be acted upon.
func (s *Sim) authenticate(w *world, now time.Time, r *http.Request, body []byte, sig signature) (who caller, until time.Time, err *apiError) {
	invalid := fail("InvalidClientTokenId", "The security token included in the request is invalid.")
	token := r.Header.Get("X-Amz-Security-Token")
	secret := staticSecret
	if ses := w.sessions[sig.accessKey]; ses != nil {
		if subtle.ConstantTimeCompare([]byte(token), []byte(ses.Token)) != 1 {
			return who, until, invalid
		}
		who = caller{account: ses.Account, accessKey: ses.AccessKey, session: ses}
		secret = ses.Secret
	} else {
		account, ok := accountOfKey(sig.accessKey)
		if !ok || token != "" {
			return who, until, invalid
		}
		who = caller{account: account.ID, accessKey: sig.accessKey}
	}
	if err := sig.verify(r, body, secret); err != nil {
		return who, until, err
	}
	if err := who.expired(now); err != nil {
		return who, until, err
	}
	until, err = s.fresh(w, sig.time, now)
	return who, until, err
}

func (c caller) expired(now time.Time) *apiError {
	if c.session != nil && !now.Before(c.session.Expires) {
		return fail("ExpiredToken", "The security token included in the request is expired")
	}
	return nil
}

// fresh checks the age of a signature against the clocks a client may have: the
// wall clock, the simulated clock, and what the simulated clock would be had it
// not been advanced lately. The Go SDK signs by the Date of the last answer it
// got, and has no part in it when a test moves the clock. fresh returns when the
// signature expires, in simulated time.
func (s *Sim) fresh(w *world, signed, now time.Time) (until time.Time, err *apiError) {
	limit := s.opts.SignatureAge
	wall := s.opts.Now().UTC()
	clocks := []time.Time{now, wall}
	for _, offset := range w.offsets {
		clocks = append(clocks, wall.Add(offset))
	}
	for _, clock := range clocks {
		if age := clock.Sub(signed); age <= limit && age >= -limit {
			if u := now.Add(limit - age); u.After(until) {
				until = u
			}
		}
	}
	switch {
	case !until.IsZero():
		return until, nil
	case signed.Before(now):
		return until, s.signatureExpired(signed, now)
	}
	return until, fail("SignatureDoesNotMatch", "Signature not yet current: %s is still later than %s (%s + %d min.)",
		signed.Format(amzTime), now.Add(limit).Format(amzTime), now.Format(amzTime), int(limit.Minutes()))
}

func (s *Sim) signatureExpired(signed, now time.Time) *apiError {
	limit := s.opts.SignatureAge
	return fail("SignatureDoesNotMatch", "Signature expired: %s is now earlier than %s (%s - %d min.)",
		signed.Format(amzTime), now.Add(-limit).Format(amzTime), now.Format(amzTime), int(limit.Minutes()))
}

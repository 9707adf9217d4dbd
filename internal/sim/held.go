package sim

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// held is a request that was received but not yet applied: a fault keeps it
// until the simulated clock reaches Due. It is part of the world, so it is
// applied even if its client hung up and the process that received it died.
type held struct {
	RequestID string    `json:"request_id"`
	Service   string    `json:"service"`
	Operation string    `json:"operation"`
	Account   string    `json:"account"`
	Region    string    `json:"region"`
	AccessKey string    `json:"access_key"`
	UserAgent string    `json:"user_agent,omitempty"`
	In        params    `json:"in"`
	Hits      []Fault   `json:"hits,omitempty"` // those that bear on its effect
	Until     time.Time `json:"until"`          // its signature is stale after that
	Due       time.Time `json:"due"`
}

// release is the end of a held request.
type release struct {
	RequestID   string `json:"request_id"`
	Status      int    `json:"status"`
	Code        string `json:"code,omitempty"`
	Applied     bool   `json:"applied,omitempty"`
	ContentType string `json:"content_type"`
	CodeHeader  bool   `json:"code_header,omitempty"`
	Body        string `json:"body"`
}

// heldReply is what a waiting handler is woken with; no release means that the
// world was reset under it.
type heldReply struct {
	*release
	at time.Time
}

func newHeld(c *call, until, due time.Time) *held {
	h := &held{
		RequestID: c.requestID, Service: c.service.name, Operation: c.op.name, Account: c.who.account,
		Region: c.region, AccessKey: c.who.accessKey, UserAgent: c.userAgent, In: c.in, Until: until, Due: due,
	}
	for _, kind := range slices.Sorted(maps.Keys(c.hits)) {
		if !kindTable[kind].reply {
			h.Hits = append(h.Hits, c.hits[kind])
		}
	}
	return h
}

// settle applies what is due by now, each at its own time: queued orders fire, and
// held requests are carried out if they are still authorized then.
func (s *Sim) settle(now time.Time) error {
	for {
		h, r := s.world.nextHeld(now), s.world.nextQueued(now)
		var err error
		switch {
		case r != nil && (h == nil || !h.Due.Before(r.StartsAt)):
			err = s.fire(r)
		case h != nil:
			err = s.release(h)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// release carries out a held request.
func (s *Sim) release(h *held) error {
	who := caller{account: h.Account, accessKey: h.AccessKey, session: s.world.sessions[h.AccessKey]}
	service := services[h.Service]
	c := s.call(s.world, h.Due, who, service, service.operations[h.Operation], h.Region, h.In, h.RequestID)
	c.userAgent = h.UserAgent
	for _, f := range h.Hits {
		c.hits[f.Kind] = f
	}
	var r reply
	applied := false
	switch refusal := who.expired(h.Due); {
	case h.Due.After(h.Until):
		r = s.failure(c, s.signatureExpired(h.Until.Add(-s.opts.SignatureAge), h.Due))
	case refusal != nil:
		r = s.failure(c, refusal)
	default:
		r, applied = s.carryOut(c)
	}
	c.out.At = h.Due
	c.out.Release = &release{
		RequestID: h.RequestID, Status: r.status, Code: r.code, Applied: applied,
		ContentType: r.contentType, CodeHeader: r.codeHeader, Body: string(r.body),
	}
	return s.commit(c.out)
}

// wake gives the handlers of this process the replies of held requests that
// were released, by whichever process. It runs when their effects are written.
func (s *Sim) wake() {
	for id, ch := range s.waiters {
		r, released := s.world.released[id]
		if _, held := s.world.held[id]; held {
			continue
		}
		if !released {
			r = heldReply{}
		}
		ch <- r // buffered, and sent to once
		delete(s.waiters, id)
	}
}

// pollHeld is how often a waiting handler looks for what other processes did to
// its request, and for the passing of wall time.
const pollHeld = 50 * time.Millisecond

// await waits for the reply to a held request and puts it into a. It reports
// false if there is no one to answer or nothing to say.
func (s *Sim) await(r *http.Request, a *answer) bool {
	tick := time.NewTicker(pollHeld)
	defer tick.Stop()
	for {
		select {
		case got := <-a.held:
			if got.release == nil {
				return false
			}
			a.at = got.at
			a.reply = reply{status: got.Status, code: got.Code, contentType: got.ContentType, codeHeader: got.CodeHeader, body: []byte(got.Body)}
			return true
		case <-tick.C:
			if s.read(func(*world, time.Time) {}) != nil {
				return false
			}
		case <-r.Context().Done():
			s.forget(a.requestID)
			return false
		case <-s.closed:
			s.forget(a.requestID)
			return false
		}
	}
}

func (s *Sim) forget(requestID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiters, requestID)
}

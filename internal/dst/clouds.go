package dst

import (
	"fmt"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// sold is one commitment in the simulated clouds' own ledger: the truth, which
// the protocol never sees.
type sold struct {
	cloud.Commitment
	line     int // whose request bought it; -1 for somebody else
	attempt  string
	visible  time.Duration // listings show it from then on
	deletion time.Duration // listings show the deletion of an order from then on; 0 without one
	logged   time.Duration // the audit log shows it from then on; -1 never
	key      string        // credential it was bought with
}

// binding reports whether it costs money or will: an order counts from its
// second on.
func (s *sold) binding() bool {
	return s.State == cloud.Pending || s.State == cloud.Active
}

// operation is what a handle stands for.
type operation struct {
	done time.Duration
	sold *sold
}

// clouds is the other side of the wire.
type clouds struct {
	w          *world
	sold       []*sold
	tokens     map[string]token
	operations map[string]*operation
	requests   map[string]int // attempt -> spending requests that arrived
}

// token is a client token that the cloud remembers for a time.
type token struct {
	sold  *sold
	until time.Duration
}

// tokenMemory is how long the simulated cloud remembers a token: exactly the
// window that Bursar counts on.
const tokenMemory = 10 * time.Minute

// wire is a spending request on its way.
type wire struct {
	line       int
	intent     purchase.Intent
	attempt    string
	credential string
	identity   string
}

// receive carries out a spending request that arrives now, and returns what is
// answered.
func (c *clouds) receive(r wire) cloud.Evidence {
	w := c.w
	c.requests[r.attempt]++
	if c.requests[r.attempt] > 1 {
		w.violate("I9", "attempt %s put %d requests on the wire", r.attempt, c.requests[r.attempt])
	}
	e := cloud.Evidence{Kind: cloud.EvidenceReply, Operation: "Purchase", CloudTime: w.clock(0), Status: 400}
	refuse := func(o cloud.Outcome, code string) cloud.Evidence {
		e.Outcome, e.Code = o, code
		w.say("cloud: %s %s %s", w.lineName(r.line), r.attempt, code)
		return e
	}
	if !w.clock(0).Before(r.intent.Deadline) && !w.mutant.lateAccept {
		return refuse(cloud.Refused, "AccessDenied")
	}
	switch {
	case w.fault(faultThrottle, 40):
		return refuse(cloud.Throttled, "Throttling")
	case w.fault(faultRefuse, 8):
		return refuse(cloud.Refused, "QuotaExceeded")
	}
	class := w.lines[r.line].class
	switch class {
	case cloud.ClassToken, cloud.ClassUnlisted:
		if t, ok := c.tokens[r.identity]; ok && w.now < t.until {
			return c.bought(e, t.sold)
		}
	case cloud.ClassName, cloud.ClassHandle:
		for _, s := range c.sold {
			if strings.EqualFold(s.ID, r.identity) && class == cloud.ClassName {
				return refuse(cloud.Exists, "AlreadyExists")
			}
		}
	}
	s := c.sell(r, class)
	// That an order can be doubled by the cloud is harmless only while a worker is
	// awake to delete it before it fires; longer sleeps, and lines that a person has,
	// are for other histories.
	watched := !w.drowsy && w.now >= w.away && w.ledger.find(w.lines[r.line].id).row.Line.State == purchase.Armed
	if class == cloud.ClassQueued && watched && s.Quantity == r.intent.Quantity && w.fault(faultDouble, 30) {
		w.awake, w.doubled = true, true
		w.say("cloud: %s is ordered twice", r.attempt)
		c.sell(r, class)
	}
	w.say("cloud: %s %s sold %s", w.lineName(r.line), r.attempt, s.ID)
	w.touched(r.line)
	switch class {
	case cloud.ClassToken, cloud.ClassUnlisted:
		c.tokens[r.identity] = token{s, w.now + tokenMemory}
	case cloud.ClassHandle:
		op := &operation{done: w.now + time.Duration(w.c.pick(4))*5*time.Minute, sold: s}
		c.operations["op-"+r.attempt] = op
		e.Outcome, e.Handle, e.Status = cloud.Accepted, "op-"+r.attempt, 202
		return e
	}
	return c.bought(e, s)
}

func (c *clouds) bought(e cloud.Evidence, s *sold) cloud.Evidence {
	e.Outcome, e.Status = cloud.Bought, 200
	copied := s.Commitment
	e.Commitment = &copied
	return e
}

// sell binds a commitment.
func (c *clouds) sell(r wire, class cloud.Class) *sold {
	w := c.w
	spec := w.lines[r.line].spec
	s := &sold{line: r.line, attempt: r.attempt, key: r.credential, logged: -1}
	s.Commitment = cloud.Commitment{
		Lane: spec.Lane(), OfferingID: spec.Offering.ID, Attributes: spec.Offering.Attributes,
		Term: spec.Offering.Term, Payment: spec.Offering.Payment, Quantity: r.intent.Quantity,
		State: cloud.Pending, Start: w.clock(0), ID: fmt.Sprintf("ri-%d", len(c.sold)+1),
	}
	if !w.awake && w.fault(faultGoods, 4) {
		s.Quantity++
		w.say("cloud: sells %d to %s instead of %d", s.Quantity, r.attempt, r.intent.Quantity)
	}
	switch class {
	case cloud.ClassName, cloud.ClassHandle:
		s.ID = r.identity
		if r.intent.Order != "" {
			s.ID, s.Name = r.intent.Order, r.identity
		}
	case cloud.ClassToken:
		s.Name = r.identity
	case cloud.ClassNone:
		if w.shown {
			s.Name = r.identity
		}
	case cloud.ClassQueued:
		s.State, s.Start = cloud.Queued, r.intent.FireAt
		w.after(s.Start.Sub(w.clock(0)), func() { c.fire(s) })
	}
	s.visible = w.now + w.delay(faultVisibility)
	if w.c.pick(4) != 3 {
		s.logged = w.now + time.Duration(w.c.pick(4))*5*time.Minute
	}
	c.sold = append(c.sold, s)
	if class != cloud.ClassQueued {
		c.settlePayment(s)
	}
	return s
}

// fire turns an order into a commitment at its second.
func (c *clouds) fire(s *sold) {
	if s.State != cloud.Queued {
		return
	}
	s.State = cloud.Pending
	c.w.say("cloud: order %s fires", s.ID)
	c.w.checkTogether(s)
	c.settlePayment(s)
	c.w.touched(s.line)
}

// settlePayment lets the payment succeed or fail some minutes later.
func (c *clouds) settlePayment(s *sold) {
	fails := c.w.fault(faultPayment, 5)
	c.w.after(time.Duration(1+c.w.c.pick(8))*time.Minute, func() {
		if s.State != cloud.Pending {
			return
		}
		s.State = cloud.Active
		if fails {
			s.State = cloud.Failed
			c.w.say("cloud: payment of %s fails", s.ID)
		}
		c.w.touched(s.line)
	})
}

// list answers a complete listing of a lane as of now.
func (c *clouds) list(lane cloud.Lane) []cloud.Evidence {
	var found []cloud.Evidence
	for _, s := range c.sold {
		if s.Lane != lane || c.w.now < s.visible {
			continue
		}
		copied := s.Commitment
		if s.State == cloud.Deleted && c.w.now < s.deletion {
			copied.State = cloud.Queued
		}
		found = append(found, cloud.Evidence{Kind: cloud.EvidenceListing, Outcome: cloud.Exists, Commitment: &copied})
	}
	if found == nil {
		found = []cloud.Evidence{{Kind: cloud.EvidenceAbsence}}
	}
	for i := range found {
		found[i].CloudTime = c.w.clock(0)
	}
	return found
}

// release deletes a queued order.
func (c *clouds) release(id string) {
	for _, s := range c.sold {
		if s.ID == id && s.State == cloud.Queued {
			s.State, s.deletion = cloud.Deleted, c.w.now+c.w.delay(faultVisibility)
			c.w.say("cloud: order %s deleted", id)
			c.w.touched(s.line)
		}
	}
}

// bound counts what a line's requests bound and nobody gave back.
func (c *clouds) bound(line int) (n int) {
	for _, s := range c.sold {
		if s.line == line && s.binding() {
			n++
		}
	}
	return n
}

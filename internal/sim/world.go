package sim

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// change is one transaction: one line of the journal. Its parts take effect
// together.
type change struct {
	At        time.Time     `json:"at"` // simulated
	Reset     bool          `json:"reset,omitempty"`
	Advance   time.Duration `json:"advance,omitempty"` // nanoseconds
	Request   *Request      `json:"request,omitempty"`
	Matches   []match       `json:"matches,omitempty"`
	Bought    []reservation `json:"bought,omitempty"`
	Event     *event        `json:"event,omitempty"`
	Session   *session      `json:"session,omitempty"`
	Fault     *Fault        `json:"fault,omitempty"`
	NoFault   string        `json:"no_fault,omitempty"` // the id of one
	NoFaults  bool          `json:"no_faults,omitempty"`
	Price     *price        `json:"price,omitempty"`
	Deleted   []ref         `json:"deleted,omitempty"` // queued orders
	Returned  []returned    `json:"returned,omitempty"`
	Tagged    []tagged      `json:"tagged,omitempty"`
	Fired     *fired        `json:"fired,omitempty"`
	Minted    *minted       `json:"minted,omitempty"`
	Hold      *held         `json:"hold,omitempty"`
	Release   *release      `json:"release,omitempty"`
	GCP       *gcpChange    `json:"gcp,omitempty"`
	Parameter *parameter    `json:"parameter,omitempty"`
	Object    *object       `json:"object,omitempty"`
}

// price replaces the catalog's price of an offering.
type price struct {
	OfferingID string       `json:"offering_id"`
	Fixed      money.Amount `json:"fixed"`
	Hourly     money.Amount `json:"hourly"`
}

// session is what AssumeRole issued.
type session struct {
	AccessKey string    `json:"access_key"`
	Secret    string    `json:"secret"`
	Token     string    `json:"token"`
	Account   string    `json:"account"`
	Role      string    `json:"role"` // the role's name, without its path
	Name      string    `json:"name"`
	Policy    string    `json:"policy,omitempty"` // "" is no session policy
	Expires   time.Time `json:"expires"`
	policy    *policy   // parsed, when Policy is not ""
}

// scope is where a name is unique and a quota holds.
type scope struct{ service, account, region string }

// resourceKey identifies a commitment; an id its buyer chose is folded unless
// case is preserved.
type resourceKey struct {
	scope
	id string
}

// world is the state: a pure fold over the changes. Only fold writes to it.
type world struct {
	seed uint64
	ids  IDCase

	last         time.Time // of the newest change
	offset       time.Duration
	offsets      []time.Duration // earlier ones, newest last
	generation   int             // number of resets
	requests     []Request
	requestIndex map[string]int // by request id
	reservations []*reservation
	byKey        map[resourceKey]*reservation
	byScope      map[scope][]*reservation
	queued       map[*reservation]bool // orders that will fire
	tokens       map[tokenKey]*reservation
	minted       map[string]minted // by order id
	buckets      map[bucketKey]bucket
	events       []*event
	sessions     map[string]*session // by access key id
	issued       int                 // sessions, for the next one's secrets
	faults       []*faultState
	faultsAdded  int
	prices       map[string]price
	held         map[string]*held     // by request id
	released     map[string]heldReply // by request id
	gcp          gcpWorld
	parameters   map[parameterKey]*parameter
	objects      map[objectKey]*object
}

func newWorld(seed uint64, ids IDCase) *world {
	w := &world{seed: seed, ids: ids}
	w.clear()
	return w
}

// offsetsKept bounds the earlier clock offsets a client may still sign by.
const offsetsKept = 64

func (w *world) clear() {
	w.requests, w.requestIndex = nil, map[string]int{}
	w.reservations = nil
	w.byKey = map[resourceKey]*reservation{}
	w.byScope = map[scope][]*reservation{}
	w.queued = map[*reservation]bool{}
	w.tokens = map[tokenKey]*reservation{}
	w.minted = map[string]minted{}
	w.events = nil
	w.buckets = map[bucketKey]bucket{}
	w.sessions, w.issued = map[string]*session{}, 0
	w.faults, w.faultsAdded = nil, 0
	w.prices = map[string]price{}
	w.held, w.released = map[string]*held{}, map[string]heldReply{}
	w.gcp = newGCPWorld()
	w.parameters = map[parameterKey]*parameter{}
	w.objects = map[objectKey]*object{}
}

// fold applies one change. It must be total and depend on nothing but its
// arguments: every process over a state file runs it over the same lines.
func (w *world) fold(c change) {
	if c.At.After(w.last) {
		w.last = c.At
	}
	if c.Advance != 0 {
		w.offsets = append(w.offsets[max(0, len(w.offsets)-offsetsKept+1):], w.offset)
		w.offset += c.Advance
	}
	if c.Reset {
		w.generation++
		w.clear()
	}
	if c.Fault != nil {
		w.faultsAdded++
		w.faults = append(w.faults, &faultState{Fault: *c.Fault})
	}
	if c.NoFault != "" {
		w.faults = slices.DeleteFunc(w.faults, func(f *faultState) bool { return f.ID == c.NoFault })
	}
	if c.NoFaults {
		w.faults = nil
	}
	for _, m := range c.Matches {
		w.matched(m)
	}
	for i := range c.Bought {
		w.add(&c.Bought[i])
	}
	w.foldQueued(c)
	w.foldPlans(c)
	w.gcp.fold(c.GCP)
	w.foldParameter(c.Parameter)
	w.foldObject(c.Object)
	if c.Event != nil {
		c.Event.seq = len(w.events)
		w.events = append(w.events, c.Event)
	}
	if c.Session != nil {
		s := *c.Session
		if s.Policy != "" {
			// It was valid when it was issued; one that is not denies all.
			s.policy, _ = parsePolicy(s.Policy)
			if s.policy == nil {
				s.policy = &policy{}
			}
		}
		w.issued++
		w.sessions[s.AccessKey] = &s
	}
	if c.Minted != nil {
		w.minted[c.Minted.Order] = *c.Minted
	}
	if c.Price != nil {
		w.prices[c.Price.OfferingID] = *c.Price
	}
	if c.Request != nil {
		w.requestIndex[c.Request.ID] = len(w.requests)
		w.requests = append(w.requests, *c.Request)
		w.drain(c.Request)
	}
	if c.Hold != nil {
		w.held[c.Hold.RequestID] = c.Hold
	}
	if c.Release != nil {
		delete(w.held, c.Release.RequestID)
		if i, ok := w.requestIndex[c.Release.RequestID]; ok {
			w.requests[i].Status = c.Release.Status
			w.requests[i].Code = c.Release.Code
			w.requests[i].Applied = c.Release.Applied
			if c.Release.Applied {
				w.requests[i].AppliedAt = c.At
			}
		}
		w.released[c.Release.RequestID] = heldReply{release: c.Release, at: c.At}
	}
}

func (w *world) add(r *reservation) {
	r.seq = len(w.reservations)
	w.reservations = append(w.reservations, r)
	w.byKey[w.key(r.scope(), r.ID)] = r
	w.byScope[r.scope()] = append(w.byScope[r.scope()], r)
	if r.StartsAt.After(r.BoughtAt) {
		w.queued[r] = true
	}
	if r.Token != "" {
		w.tokens[tokenKey{r.scope(), r.Token}] = r
	}
}

// folds reports whether ids of a service are compared without case.
func (w *world) folds(service string) bool {
	s := services[service]
	return w.ids == FoldCase && s != nil && s.sells != nil && s.sells.ids != nil
}

func (w *world) key(in scope, id string) resourceKey {
	if w.folds(in.service) {
		id = strings.ToLower(id)
	}
	return resourceKey{in, id}
}

// nextHeld is the first held request that is due by now, nil if there is none.
// One that a program with more services holds is not for this one.
func (w *world) nextHeld(now time.Time) *held {
	var first *held
	for _, h := range w.held {
		if s := services[h.Service]; h.Due.After(now) || s == nil || s.operations[h.Operation] == nil {
			continue
		}
		if first == nil || h.Due.Before(first.Due) || h.Due.Equal(first.Due) && strings.Compare(h.RequestID, first.RequestID) < 0 {
			first = h
		}
	}
	return first
}

// nextRequestID is the id of the request being answered, the same in every
// world of the seed.
func (w *world) nextRequestID() string {
	return drawUUID(w.seed, "request", strconv.Itoa(w.generation), strconv.Itoa(len(w.requests)))
}

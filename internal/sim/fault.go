package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The kinds of faults. "Applied" says whether the operation is carried out.
const (
	LoseRequest   = "lose-request"   // not applied; the connection is cut
	LoseReply     = "lose-reply"     // applied; the connection is cut
	ErrorBefore   = "error-before"   // not applied; answered with Status
	ErrorAfter    = "error-after"    // applied; answered with Status
	TornBody      = "torn-body"      // applied; the reply breaks off in its body
	Slow          = "slow"           // applied; the reply is held for Duration of wall time, or until the client hangs up
	Delay         = "delay"          // applied once the simulated clock has advanced by Duration, if still authorized
	Throttle      = "throttle"       // not applied; Throttling 400
	Redirect      = "redirect"       // not applied; 307 to the same address
	StaleListing  = "stale-listing"  // listings show the world as it was Duration ago
	TruncatedPage = "truncated-page" // a listing ends after a page although there is more
	PaymentFailed = "payment-failed" // applied; the payment fails later
	ReturnFails   = "return-fails"   // applied; what was to be returned is active again later
	StrangeState  = "strange-state"  // a listing shows every state as a word that nobody knows
	Duplicate     = "duplicate"      // applied; the same bytes arrive once more, in a request of their own, right after
	NoTrail       = "no-trail"       // applied; CloudTrail never shows the call
	WrongCaller   = "wrong-caller"   // what proves an account (GetCallerIdentity of AWS) answers for another

	// These last until they are removed, unless Times says otherwise.
	DenyAction        = "deny-action"        // not applied; the caller has no permission for it
	RegionDisabled    = "region-disabled"    // not applied; the account has not opted in to the region
	RegionUnreachable = "region-unreachable" // not applied; the connection is cut, after Duration of wall time
)

// kindTable says what a kind matches and needs. A request meets at most one
// fault of the kinds that shape its reply, and one of each other kind.
var kindTable = map[string]struct {
	reply    bool // shapes the reply
	lasts    bool // Times 0 means without end
	duration int  // -1 refused, 0 optional, 1 required
	matches  func(*operation) bool
}{
	LoseRequest:   {reply: true, duration: -1},
	LoseReply:     {reply: true, duration: -1},
	ErrorBefore:   {reply: true, duration: -1},
	ErrorAfter:    {reply: true, duration: -1},
	TornBody:      {reply: true, duration: -1},
	Slow:          {reply: true},
	Delay:         {reply: true, duration: 1},
	Throttle:      {reply: true, duration: -1},
	Redirect:      {reply: true, duration: -1},
	StaleListing:  {duration: 1, matches: func(op *operation) bool { return op.lists }},
	TruncatedPage: {duration: -1, matches: func(op *operation) bool { return op.pages != nil }},
	PaymentFailed: {duration: -1, matches: func(op *operation) bool { return op.spends }},
	ReturnFails:   {duration: -1, matches: func(op *operation) bool { return op.name == "ReturnSavingsPlan" || op.name == "Return.post" }},
	StrangeState:  {duration: -1, matches: func(op *operation) bool { return op.lists }},
	Duplicate:     {duration: -1, matches: func(op *operation) bool { return op.spends }},
	NoTrail:       {duration: -1},
	WrongCaller:   {duration: -1, matches: func(op *operation) bool { return op.proves }},

	DenyAction:        {lasts: true, duration: -1, matches: func(op *operation) bool { return !op.public }},
	RegionDisabled:    {reply: true, lasts: true, duration: -1},
	RegionUnreachable: {reply: true, lasts: true},
}

// Fault makes authenticated requests go wrong. An empty Service, Operation,
// Account or Region matches any.
type Fault struct {
	ID        string        `json:"id,omitempty"` // given by AddFault
	Kind      string        `json:"kind"`
	Service   string        `json:"service,omitempty"` // "rds", "sts"
	Operation string        `json:"operation,omitempty"`
	Spending  bool          `json:"spending,omitempty"` // only requests that can spend
	Account   string        `json:"account,omitempty"`
	Region    string        `json:"region,omitempty"`
	Times     int           `json:"times,omitempty"`    // strikes; 0 means 1, or without end for a kind that lasts; -1 without end
	Skip      int           `json:"skip,omitempty"`     // matching requests let through first
	Permille  int           `json:"permille,omitempty"` // chance of each match to strike; 0 means always
	Status    int           `json:"status,omitempty"`   // of error-before and error-after: 500 (default), 502, 503, 504
	Duration  time.Duration `json:"duration,omitempty"` // JSON: a string such as "90s"
}

// faultWire is Fault with its duration as text.
type faultWire struct {
	faultFields
	Duration string `json:"duration,omitempty"`
}

type faultFields Fault

// MarshalJSON writes the duration as text.
func (f Fault) MarshalJSON() ([]byte, error) {
	w := faultWire{faultFields: faultFields(f)}
	if f.Duration != 0 {
		w.Duration = f.Duration.String()
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes and refuses unknown fields.
func (f *Fault) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var w faultWire
	if err := dec.Decode(&w); err != nil {
		return err
	}
	*f = Fault(w.faultFields)
	f.Duration = 0
	if w.Duration == "" {
		return nil
	}
	d, err := time.ParseDuration(w.Duration)
	if err != nil {
		return fmt.Errorf("duration %q is not one such as 90s or 15m", w.Duration)
	}
	f.Duration = d
	return nil
}

// check refuses a fault that could never strike or means nothing.
func (f Fault) check(c *catalog) error {
	kind, ok := kindTable[f.Kind]
	if !ok {
		return fmt.Errorf("no fault kind %q; the kinds are %s", f.Kind, strings.Join(faultKinds(), ", "))
	}
	if _, ok := services[f.Service]; f.Service != "" && !ok {
		return fmt.Errorf("no service %q; the services are %s", f.Service, serviceNames())
	}
	if _, ok := accountByID(f.Account); f.Account != "" && !ok && gcpBillingOf(f.Account) == "" {
		return fmt.Errorf("no account %q", f.Account)
	}
	if f.Region != "" && !c.regions[f.Region] && !isGCPRegion(f.Region) {
		return fmt.Errorf("no region %q", f.Region)
	}
	found := false
	for name, s := range services {
		for op := range s.operations {
			found = found || (f.Service == "" || f.Service == name) && f.fits(s.operations[op])
		}
	}
	switch {
	case !found:
		return fmt.Errorf("no operation %q in service %q that the kind %s applies to", f.Operation, f.Service, f.Kind)
	case f.Times < -1:
		return fmt.Errorf("times %d: want a count, or -1 for no end", f.Times)
	case f.Skip < 0:
		return fmt.Errorf("skip %d is negative", f.Skip)
	case f.Permille < 0 || f.Permille > 1000:
		return fmt.Errorf("permille %d: want 0 to 1000", f.Permille)
	case f.Duration < 0 || kind.duration > 0 && f.Duration == 0:
		return fmt.Errorf("the kind %s needs a duration above 0", f.Kind)
	case f.Duration != 0 && kind.duration < 0:
		return fmt.Errorf("the kind %s takes no duration", f.Kind)
	case f.Status != 0 && f.Kind != ErrorBefore && f.Kind != ErrorAfter:
		return fmt.Errorf("the kind %s takes no status", f.Kind)
	case f.Status != 0 && !slices.Contains([]int{500, 502, 503, 504}, f.Status):
		return fmt.Errorf("status %d: want 500, 502, 503 or 504", f.Status)
	}
	return nil
}

// fits reports whether the fault is about an operation.
func (f Fault) fits(op *operation) bool {
	if f.Operation != "" && f.Operation != op.name || f.Spending && !op.spends {
		return false
	}
	matches := kindTable[f.Kind].matches
	return matches == nil || matches(op)
}

// concerns reports whether the fault is about a call.
func (f Fault) concerns(c *call) bool {
	return f.fits(c.op) &&
		(f.Service == "" || f.Service == c.service.name) &&
		(f.Account == "" || f.Account == c.who.account) &&
		(f.Region == "" || f.Region == c.region)
}

// faultState is a fault and what became of it.
type faultState struct {
	Fault
	matched int // requests it fitted
	struck  int
}

func (f *faultState) spent() bool { return f.Times != -1 && f.struck >= max(f.Times, 1) }

// match is a fault meeting a request; Struck is false if it let it through.
type match struct {
	FaultID string `json:"fault"`
	Struck  bool   `json:"struck,omitempty"`
}

func (w *world) matched(m match) {
	for _, f := range w.faults {
		if f.ID == m.FaultID {
			f.matched++
			if m.Struck {
				f.struck++
			}
		}
	}
}

// strike returns the faults that hit the call, by kind, with the matches to
// record. Faults are tried in the order they were added.
func (w *world) strike(c *call) (hits []Fault, matches []match) {
	taken := map[string]bool{}
	for _, f := range w.faults {
		slot := f.Kind
		if kindTable[f.Kind].reply {
			slot = "reply"
		}
		if taken[slot] || f.spent() || !f.concerns(c) {
			continue
		}
		hit := f.matched >= f.Skip &&
			(f.Permille == 0 || draw(1000, w.seed, "fault", f.ID, strconv.Itoa(f.matched)) < uint64(f.Permille))
		matches = append(matches, match{FaultID: f.ID, Struck: hit})
		if hit {
			taken[slot] = true
			hits = append(hits, f.Fault)
		}
	}
	return hits, matches
}

// cutOff reports whether nothing that the call's region says reaches the caller,
// not even that there were too many requests.
func (w *world) cutOff(c *call) bool {
	return slices.ContainsFunc(w.faults, func(f *faultState) bool {
		return f.Kind == RegionUnreachable && !f.spent() && f.concerns(c)
	})
}

// AddFault adds a fault and returns its id. Requests that arrive from now on
// meet it.
func (s *Sim) AddFault(f Fault) (id string, err error) {
	if f.ID != "" {
		return "", fmt.Errorf("id %q: the simulator names faults itself", f.ID)
	}
	if err := f.check(s.catalog); err != nil {
		return "", err
	}
	if f.Times == 0 && kindTable[f.Kind].lasts {
		f.Times = -1
	}
	err = s.update(func(w *world, now time.Time, commit func(change) error) error {
		f.ID = "f-" + strconv.Itoa(w.faultsAdded+1)
		return commit(change{At: now, Fault: &f})
	})
	return f.ID, err
}

// RemoveFault removes one fault. Requests it already holds stay held.
func (s *Sim) RemoveFault(id string) error {
	return s.update(func(w *world, now time.Time, commit func(change) error) error {
		if !slices.ContainsFunc(w.faults, func(f *faultState) bool { return f.ID == id }) {
			return fmt.Errorf("no fault %q", id)
		}
		return commit(change{At: now, NoFault: id})
	})
}

// ClearFaults removes all faults. Requests already held stay held.
func (s *Sim) ClearFaults() error {
	return s.update(func(_ *world, now time.Time, commit func(change) error) error {
		return commit(change{At: now, NoFaults: true})
	})
}

func faultKinds() []string {
	kinds := make([]string, 0, len(kindTable))
	for k := range kindTable {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	return kinds
}

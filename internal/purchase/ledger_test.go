package purchase

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
)

// memLedger keeps rows in memory under the same guards as the real ledgers.
type memLedger struct {
	rows     map[LineID]Row
	evidence []StoredFact
	receipts []Receipt
	// lose says what happens to the answer of the nth COMMIT, counted from 1.
	lose    map[int]commitFault
	commits int
	// down makes that many calls fail before anything happens.
	down int
}

type commitFault int

const (
	appliedUnknown commitFault = iota + 1
	notAppliedUnknown
)

var _ Ledger = (*memLedger)(nil)

var errDown = errors.New("the ledger is not there")

func newLedger(rows ...Row) *memLedger {
	l := &memLedger{rows: map[LineID]Row{}, lose: map[int]commitFault{}}
	for _, r := range rows {
		l.rows[r.Line.ID] = r
	}
	return l
}

func (l *memLedger) unavailable() bool {
	if l.down > 0 {
		l.down--
		return true
	}
	return false
}

func (l *memLedger) Row(_ context.Context, id LineID) (Row, error) {
	if l.unavailable() {
		return Row{}, errDown
	}
	row, ok := l.rows[id]
	if !ok {
		return Row{}, fmt.Errorf("line %s: not found", id)
	}
	row.Attempts = slices.Clone(row.Attempts)
	return row, nil
}

func (l *memLedger) Armed(_ context.Context, line LineID, nonce string) (bool, error) {
	if l.unavailable() {
		return false, errDown
	}
	return slices.ContainsFunc(l.rows[line].Attempts, func(a Attempt) bool { return a.Nonce == nonce }), nil
}

func (l *memLedger) Apply(_ context.Context, c Change, now time.Time) error {
	if l.unavailable() {
		return errDown
	}
	row, receipts, err := l.change(c, now)
	if err != nil {
		return err
	}
	l.commits++
	fault := l.lose[l.commits]
	if fault == notAppliedUnknown {
		return ErrCommitUnknown
	}
	l.rows[c.Line], l.receipts = row, receipts
	for _, e := range c.Evidence {
		l.evidence = append(l.evidence, StoredFact{Line: c.Line, At: now, AttemptEvidence: e})
	}
	if fault == appliedUnknown {
		return ErrCommitUnknown
	}
	return nil
}

// change returns what would be stored, or why it may not be.
func (l *memLedger) change(c Change, now time.Time) (Row, []Receipt, error) {
	row := l.rows[c.Line]
	row.Attempts = slices.Clone(row.Attempts)
	if row.Line.State != c.From || row.Line.Version != c.Version || row.Line.CancelRequested != c.CancelRequested {
		return Row{}, nil, ErrLost
	}
	if c.From != c.To && !slices.ContainsFunc(Transitions, func(t Transition) bool { return t.From == c.From && t.To == c.To }) {
		return Row{}, nil, fmt.Errorf("%s from %s to %s is not in the table", c.Rule, c.From, c.To)
	}
	if c.Generation < row.Line.Generation {
		return Row{}, nil, errors.New("generations only count up")
	}
	if c.Arm != nil {
		if !row.Sendable(now) || c.Generation != row.Line.Generation || c.To != Armed {
			return Row{}, nil, ErrLost
		}
		for _, other := range l.rows {
			for _, a := range other.Attempts {
				if a.Nonce == c.Arm.Nonce || other.Line.ID == c.Line && a.N == c.Arm.N {
					return Row{}, nil, errors.New("an attempt has a twin")
				}
			}
		}
	}
	for _, m := range c.Attempts {
		if m.N < 1 || m.N > len(row.Attempts) || row.Attempts[m.N-1].State.Closed() {
			return Row{}, nil, ErrLost
		}
	}
	receipts := l.receipts
	if r := c.Receipt; r != nil {
		for _, other := range l.receipts {
			if other.Line == r.Line || other.Commitment.Lane == r.Commitment.Lane && other.Commitment.ID == r.Commitment.ID {
				return Row{}, nil, errors.New("a commitment belongs to one line")
			}
		}
		receipts = append(slices.Clone(receipts), *r)
	}
	return c.Applied(row, now), receipts, nil
}

func (l *memLedger) change1(line LineID, f func(*Row)) {
	row := l.rows[line]
	f(&row)
	l.rows[line] = row
}

// clock is a time that moves when told.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// fault is what happens to one purchase request.
type fault string

const (
	noFault     fault = ""
	lostRequest fault = "lost request"
	lostReply   fault = "lost reply"
	refuses     fault = "refused"
	throttles   fault = "throttled"
	neverSent   fault = "never sent"
)

// fakeCloud sells under unique names (class B), lists what was bought only after
// a delay, and refuses what comes after its deadline.
type fakeCloud struct {
	clock    *clock
	lag      time.Duration
	faults   []fault // of the requests in order; none after the last
	requests int     // purchase requests that reached the cloud
	owned    map[string]cloud.Commitment
	bound    map[string]time.Time
	onWire   func() // runs while a request is under way
	seen     map[string]int
	drift    func(*cloud.Offering)
	fills    func(*cloud.Commitment) // what it makes of an order
	failing  map[string]error        // by method: every call fails
	// What a process learns that is given the cloud itself and not its ports.
	news    []string
	audits  map[string][]cloud.Evidence // by credential
	handles map[string]cloud.Evidence
	asked   []string // what was asked of the cloud's other powers
}

func newCloud(c *clock) *fakeCloud {
	return &fakeCloud{
		clock: c, lag: 30 * time.Second, owned: map[string]cloud.Commitment{}, bound: map[string]time.Time{},
		onWire: func() {}, fills: func(*cloud.Commitment) {}, seen: map[string]int{}, failing: map[string]error{},
	}
}

var (
	_ Market   = (*fakeCloud)(nil)
	_ Watcher  = (*fakeCloud)(nil)
	_ Auditor  = (*fakeCloud)(nil)
	_ Follower = (*fakeCloud)(nil)
	_ Releaser = (*fakeCloud)(nil)
)

func (f *fakeCloud) News(_ context.Context, l Line) ([]string, error) {
	f.asked = append(f.asked, "news of "+string(l.ID))
	return f.news, f.failing["News"]
}

func (f *fakeCloud) Trail(_ context.Context, _ Intent, credential string) ([]cloud.Evidence, error) {
	f.asked = append(f.asked, "trail of "+credential)
	return f.audits[credential], f.failing["Trail"]
}

func (f *fakeCloud) Poll(_ context.Context, _ Intent, handle string) (cloud.Evidence, error) {
	f.asked = append(f.asked, "poll of "+handle)
	return f.handles[handle], f.failing["Poll"]
}

func (f *fakeCloud) Release(_ context.Context, _ Intent, order cloud.Commitment) error {
	f.asked = append(f.asked, "release of "+order.ID)
	if err := f.failing["Release"]; err != nil {
		return err
	}
	order.State = cloud.Deleted
	f.owned[order.ID] = order
	return nil
}

func (f *fakeCloud) Facts(Line) (Facts, error) { return testFacts, f.failing["Facts"] }

func (f *fakeCloud) Quote(_ context.Context, i Intent) (cloud.Quote, error) {
	o := testOffering()
	if f.drift != nil {
		f.drift(&o)
	}
	return cloud.Quote{Offering: o, At: f.clock.now, CloudTime: f.clock.now, Credential: "AKIA-" + i.Attempt}, f.failing["Quote"]
}

func (f *fakeCloud) Find(_ context.Context, i Intent, _ time.Time) ([]cloud.Evidence, error) {
	if err := f.failing["Find"]; err != nil {
		return nil, err
	}
	var shown []cloud.Commitment
	for _, name := range slices.Sorted(maps.Keys(f.owned)) {
		ours := i.Identities == nil || slices.ContainsFunc(i.Identities, func(id string) bool { return strings.EqualFold(id, name) })
		if ours && !f.clock.now.Before(f.bound[name].Add(f.lag)) {
			shown = append(shown, f.owned[name])
		}
	}
	if len(shown) == 0 {
		return nothingListed(f.clock.now), nil
	}
	return listed(f.clock.now, shown...), nil
}

func (f *fakeCloud) Purchase(_ context.Context, i Intent, sendBy time.Time) Answered {
	e := cloud.Evidence{Kind: cloud.EvidenceReply, Operation: "Purchase", Started: f.clock.now, RequestID: i.Attempt}
	say := func(o cloud.Outcome) Answered {
		e.Outcome = o
		return Answered{Evidence: e}
	}
	f.seen[i.Attempt]++
	var fate fault
	if len(f.faults) > 0 {
		fate, f.faults = f.faults[0], f.faults[1:]
	}
	if f.clock.now.After(sendBy) || fate == neverSent {
		return say(cloud.Unsent)
	}
	if fate == lostRequest {
		return say(cloud.InDoubt)
	}
	f.onWire()
	f.requests++
	switch {
	case f.clock.now.After(i.Deadline):
		return say(cloud.InDoubt) // refused, and nobody was waiting for the answer any more
	case fate == refuses:
		return say(cloud.Refused)
	case fate == throttles:
		return say(cloud.Throttled)
	}
	if _, taken := f.owned[i.Identity]; taken {
		if fate == lostReply {
			return say(cloud.InDoubt)
		}
		return say(cloud.Exists)
	}
	c := cloud.Commitment{
		Lane: cloud.Lane{Provider: i.Offering.Provider, Account: i.Account, Region: i.Offering.Region, Service: i.Offering.Service},
		ID:   i.Identity, OfferingID: i.Offering.ID, Attributes: i.Offering.Attributes, Term: i.Offering.Term,
		Payment: i.Offering.Payment, Quantity: i.Quantity, State: cloud.Active, Start: f.clock.now,
	}
	f.fills(&c)
	f.owned[i.Identity], f.bound[i.Identity] = c, f.clock.now
	if fate == lostReply {
		return say(cloud.InDoubt)
	}
	e.Commitment = &c
	return say(cloud.Bought)
}

// ports counts the calls of a protocol to its ledger and its market and lets a
// test step in before and after the effect of each.
type ports struct {
	Ledger
	Market
	before, after func(port string)
}

func (p ports) Row(ctx context.Context, line LineID) (Row, error) {
	p.before("Row")
	defer p.after("Row")
	return p.Ledger.Row(ctx, line)
}

func (p ports) Apply(ctx context.Context, c Change, now time.Time) error {
	p.before("Apply")
	err := p.Ledger.Apply(ctx, c, now)
	p.after("Apply")
	return err
}

func (p ports) Armed(ctx context.Context, line LineID, nonce string) (bool, error) {
	p.before("Armed")
	armed, err := p.Ledger.Armed(ctx, line, nonce)
	p.after("Armed")
	return armed, err
}

func (p ports) Quote(ctx context.Context, i Intent) (cloud.Quote, error) {
	p.before("Quote")
	q, err := p.Market.Quote(ctx, i)
	p.after("Quote")
	return q, err
}

func (p ports) Find(ctx context.Context, i Intent, since time.Time) ([]cloud.Evidence, error) {
	p.before("Find")
	found, err := p.Market.Find(ctx, i, since)
	p.after("Find")
	return found, err
}

func (p ports) Purchase(ctx context.Context, i Intent, sendBy time.Time) Answered {
	p.before("Purchase")
	a := p.Market.Purchase(ctx, i, sendBy)
	p.after("Purchase")
	return a
}

// world is one line, one ledger and one cloud, and any number of processes.
type world struct {
	*testing.T
	clock  *clock
	ledger *memLedger
	cloud  *fakeCloud
	nonces int
}

func newWorld(t *testing.T, row Row, faults ...fault) *world {
	c := &clock{now: t0}
	w := &world{T: t, clock: c, ledger: newLedger(row), cloud: newCloud(c)}
	w.cloud.faults = faults
	return w
}

// process is a fresh protocol. step runs before and after the effect of each
// call of a port.
func (w *world) process(before, after func(port string)) *Protocol {
	nop := func(string) {}
	if before == nil {
		before = nop
	}
	if after == nil {
		after = nop
	}
	p := ports{Ledger: w.ledger, Market: w.cloud, before: before, after: after}
	return &Protocol{Ledger: p, Market: p, Rules: DefaultRules, Now: w.clock.Now, Nonce: func() string {
		w.nonces++
		return fmt.Sprintf("n%d", w.nonces)
	}}
}

// settle lets fresh processes carry the line to its end.
func (w *world) settle() Row {
	w.Helper()
	for range 100 {
		row, err := w.process(nil, nil).Advance(w.Context(), testLine)
		if err != nil && !errors.Is(err, errDown) {
			w.Fatalf("advance: %v", err)
		}
		if err == nil && !row.workable() {
			return row
		}
		w.clock.now = w.clock.now.Add(time.Second)
		if row.Line.LookAt.After(w.clock.now) {
			w.clock.now = row.Line.LookAt
		}
	}
	w.Fatalf("the line never ends: %+v", w.ledger.rows[testLine].Line)
	return Row{}
}

// bought checks the promise: one commitment, and the line says so.
func (w *world) bought(row Row) {
	w.Helper()
	if len(w.cloud.owned) != 1 {
		w.Errorf("the cloud holds %d commitments: %v", len(w.cloud.owned), slices.Sorted(maps.Keys(w.cloud.owned)))
	}
	if row.Line.State != Purchased || len(w.ledger.receipts) != 1 {
		w.Errorf("the line is %s (%s) with %d receipts", row.Line.State, row.Line.Reason, len(w.ledger.receipts))
		return
	}
	if _, owned := w.cloud.owned[w.ledger.receipts[0].Commitment.ID]; !owned {
		w.Errorf("the receipt names %s, which nobody owns", w.ledger.receipts[0].Commitment.ID)
	}
	w.consistent(row)
}

// consistent checks what must hold however the line ended.
func (w *world) consistent(row Row) {
	w.Helper()
	for attempt, n := range w.cloud.seen {
		if n != 1 {
			w.Errorf("attempt %s was handed to the cloud %d times", attempt, n)
		}
	}
	for _, a := range row.Attempts {
		if !a.Intent.Deadline.After(a.ArmedAt.Add(DefaultRules.Gate)) {
			w.Errorf("attempt %d may be sent after its deadline", a.N)
		}
	}
	if row.Line.State.Terminal() && row.InDoubt() > 0 {
		w.Errorf("the line is %s with open attempts", row.Line.State)
	}
	if row.Line.State.Terminal() && row.Line.State != Purchased && len(w.cloud.owned) > 0 {
		w.Errorf("the line is %s and the cloud holds %d commitments", row.Line.State, len(w.cloud.owned))
	}
}

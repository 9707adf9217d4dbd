package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/dst"
	"bursar/internal/purchase"
)

// TestTheLedgerInMemoryIsTheLedger runs the same random steps against this ledger
// and against the one in memory that the simulation believes in. After every step
// both must have answered alike and hold the same rows: what is proven on the one
// is then true of the other.
func TestTheLedgerInMemoryIsTheLedger(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		// A step takes longer on a server, and the guards are the same: a part of the
		// histories compares them.
		histories := uint64(60)
		if on.name == "postgres" {
			histories = 12
		}
		steps, applied, refused, reached := 0, 0, 0, map[purchase.State]bool{}
		run := func(seed uint64, classes []cloud.Class, allOrNothing bool) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				d := newPair(t, on, seed, classes, allOrNothing)
				for range 80 {
					d.step()
				}
				steps, applied, refused = steps+d.steps, applied+d.applied, refused+d.refused
				for s := range d.reached {
					reached[s] = true
				}
			})
		}
		for seed := range histories {
			run(seed, pairClasses, false)
		}
		for seed := range histories / 3 {
			run(1000+seed, slices.Repeat([]cloud.Class{cloud.ClassQueued}, 4), true)
		}
		t.Logf("%d steps: %d applied, %d refused by both", steps, applied, refused)
		if most := int(histories); applied < 16*most || refused < 5*most {
			t.Errorf("%d steps were applied and %d refused: that compares too little", applied, refused)
		}
		for _, s := range purchase.States {
			if s != purchase.Draft && s != purchase.Recovery && s != purchase.Superseded && !reached[s] {
				t.Errorf("no line was ever %s", s)
			}
		}
	})
}

// pair is one history of the same steps on both ledgers.
type pair struct {
	t      *testing.T
	rand   *rand.Rand
	sql    *engine
	memory *dst.Memory
	plan   *purchase.Plan
	now    time.Time
	// stale are rows as they once were: a process that stood still decides on them.
	stale                   []purchase.Row
	steps, applied, refused int
	reached                 map[purchase.State]bool
	nonces                  int
}

var pairClasses = []cloud.Class{cloud.ClassName, cloud.ClassNone, cloud.ClassNone, cloud.ClassQueued, cloud.ClassQueued, cloud.ClassToken, cloud.ClassHandle}

func newPair(t *testing.T, on database, seed uint64, classes []cloud.Class, allOrNothing bool) *pair {
	p := &pair{
		t: t, rand: rand.New(rand.NewPCG(seed, 7)), sql: on.open(t), memory: dst.NewMemory("k7f2"), now: t0,
		reached: map[purchase.State]bool{},
	}
	p.plan = newPlan(t, 1, len(classes))
	for i, c := range classes {
		p.plan.Lines[i].Class = c
	}
	p.plan.AllOrNothing, p.memory.AllOrNothing = allOrNothing, allOrNothing
	p.sql.ok(p.plan.Freeze())
	p.sql.ok(p.sql.SavePlan(t.Context(), p.plan))
	p.memory.Cap = 1 << 62
	for _, l := range p.plan.Lines {
		p.memory.Add(p.sql.row(l.ID))
	}
	p.sql.ok(p.sql.Decide(t.Context(), yes(p.plan), t0.Add(2*time.Hour)))
	for _, l := range p.plan.Lines {
		p.memory.Approve(l.ID, t0, t0.Add(2*time.Hour))
	}
	p.equal("after the approval")
	return p
}

func (p *pair) oneIn(n int) bool { return p.rand.IntN(n) == 0 }

// step does one random thing to both.
func (p *pair) step() {
	p.steps++
	p.now = p.now.Add(time.Duration(p.rand.IntN(4000)) * 100 * time.Millisecond)
	id := p.plan.Lines[p.rand.IntN(len(p.plan.Lines))].ID
	switch p.rand.IntN(24) {
	case 0:
		got, err := p.sql.Cancel(p.t.Context(), id, "ana", "", p.now)
		p.sql.ok(err)
		if want := p.memory.Cancel(id, p.now); got != want {
			p.t.Fatalf("cancel: %v, in memory %v", got, want)
		}
	case 1:
		p.memory.Purchasing = p.oneIn(2)
		state := map[bool]string{true: "purchasing", false: "stopped"}[p.memory.Purchasing]
		p.sql.ok(p.sql.exec("UPDATE installation SET state = $1", state))
	default:
		row, err := p.memory.Row(p.t.Context(), id)
		p.sql.ok(err)
		if len(p.stale) > 0 && p.oneIn(4) {
			row = p.stale[p.rand.IntN(len(p.stale))]
		} else if p.oneIn(3) {
			p.stale = append(p.stale, row)
		}
		p.apply(row, p.event(row))
	}
	p.equal("")
}

// apply takes the step that the core decides on for a row, on both.
func (p *pair) apply(row purchase.Row, ev purchase.Event) {
	c, err := purchase.DefaultRules.Step(row, ev, p.now)
	if err != nil {
		return
	}
	inMemory := p.memory.Apply(p.t.Context(), c, p.now)
	inSQL := p.sql.Apply(p.t.Context(), c, p.now)
	if (inMemory == nil) != (inSQL == nil) {
		p.t.Fatalf("%s of %s from %s to %s: %v, in memory %v", c.Rule, c.Line, c.From, c.To, inSQL, inMemory)
	}
	if inMemory != nil {
		p.refused++
		// Which of two guards speaks first is not part of the contract: both make
		// the caller read again.
		again := func(err error) bool { return errors.Is(err, purchase.ErrLost) || errors.Is(err, purchase.ErrTaken) }
		if again(inMemory) != again(inSQL) {
			p.t.Fatalf("%s of %s from %s to %s: %v, in memory %v", c.Rule, c.Line, c.From, c.To, inSQL, inMemory)
		}
		return
	}
	p.applied++
	p.reached[c.To] = true
}

// event is something that may have happened to the line.
func (p *pair) event(row purchase.Row) purchase.Event {
	f := facts
	f.Class, f.Window = row.Line.Class, 10*time.Minute
	late := p.now.Add(time.Hour) // settled by both clocks
	var a purchase.Attempt
	if n := len(row.Attempts); n > 0 {
		a = row.Attempts[p.rand.IntN(n)]
	}
	kind := p.rand.IntN(6)
	if row.Line.State == purchase.NeedsReview {
		kind = 5
	}
	switch {
	case kind <= 1 && row.Line.State == purchase.Ready || a.N == 0:
		p.nonces++
		ev := checked(row.Line.Spec.Offering, p.now, fmt.Sprintf("nonce-%d", p.nonces/(1+p.rand.IntN(2)*p.rand.IntN(2))))
		ev.Facts = f
		if p.oneIn(8) {
			ev.Drift = "gone"
		}
		return ev
	case kind <= 2:
		outcome := []cloud.Outcome{
			cloud.Bought, cloud.InDoubt, cloud.Refused, cloud.Throttled, cloud.Unsent, cloud.Accepted, cloud.Exists,
		}[p.rand.IntN(7)]
		ev := answer(a, outcome)
		if outcome == cloud.Accepted {
			ev.Evidence.Handle = "op-1"
		}
		ev.SecondRequest = p.oneIn(12)
		return ev
	case kind == 5 && row.Line.State == purchase.NeedsReview:
		c := p.commitment(a)
		d := purchase.Decided{
			Facts: f, By: "ana", Second: "bob", Found: p.found(late, c), Adopt: c.ID,
			Choice: []purchase.Choice{purchase.Adopt, purchase.NotBought, purchase.LookAgain}[p.rand.IntN(3)],
		}
		return d
	case kind == 4 && p.oneIn(3):
		return purchase.Swept{}
	}
	at := p.now
	if p.oneIn(2) {
		at = late
	}
	ev := purchase.Looked{Facts: f, Found: absent(at)}
	if p.oneIn(2) {
		c := p.commitment(a)
		if row.Line.Class == cloud.ClassNone && p.oneIn(2) {
			ev.Trail = p.found(at, c)
			ev.Trail[0].Kind = cloud.EvidenceAuditLog
		}
		ev.Found = p.found(at, c)
	}
	return ev
}

func (p *pair) found(at time.Time, c cloud.Commitment) []cloud.Evidence {
	e := absent(at)
	e[0].Kind, e[0].Commitment = cloud.EvidenceListing, &c
	return e
}

// commitment is what an attempt may have bought; sometimes another line has
// bought the very same.
func (p *pair) commitment(a purchase.Attempt) cloud.Commitment {
	c := commitment(a)
	c.State = []cloud.CommitmentState{cloud.Pending, cloud.Active, cloud.Active, cloud.Failed}[p.rand.IntN(4)]
	c.Start = a.ArmedAt
	class := p.plan.Lines[0].Class
	for _, l := range p.plan.Lines {
		if l.ID == a.Line {
			class = l.Class
		}
	}
	switch class {
	case cloud.ClassNone:
		c.ID = fmt.Sprintf("ri-%d", p.rand.IntN(3))
	case cloud.ClassQueued:
		c.ID, c.Start = fmt.Sprintf("order-%d", p.rand.IntN(3)), a.FireAt
		c.State = []cloud.CommitmentState{cloud.Queued, cloud.Queued, cloud.Active, cloud.Deleted}[p.rand.IntN(4)]
	case cloud.ClassToken:
		c.ID, c.Name = "sp-"+a.Intent.Identity, a.Intent.Identity
	}
	return c
}

// equal compares every row.
func (p *pair) equal(when string) {
	p.t.Helper()
	for _, l := range p.plan.Lines {
		inMemory, err := p.memory.Row(p.t.Context(), l.ID)
		p.sql.ok(err)
		inSQL := p.sql.row(l.ID)
		for i := range inMemory.Attempts {
			inMemory.Attempts = append([]purchase.Attempt(nil), inMemory.Attempts...)
			inMemory.Attempts[i].Intent.Identities = nil // derived, not stored
		}
		if diff := cmp.Diff(inMemory, inSQL, comparable...); diff != "" {
			p.t.Fatalf("%s: line %d, class %s (-memory +store):\n%s", when, l.Number, l.Class, diff)
		}
	}
}

// comparable makes no difference between no entries and an empty list, and cuts
// times as the database does.
var comparable = []cmp.Option{
	cmp.Transformer("list", func(ids []string) string { return fmt.Sprint(ids) }),
	cmp.Transformer("attempts", func(as []purchase.Attempt) string { return fmt.Sprintf("%+v", as) }),
}

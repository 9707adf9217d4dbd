// Package dst is deterministic simulation of the purchase protocol. It runs the
// same core as the product (package purchase) on a ledger in memory, against
// clouds of every identity class, over a wire that loses, delays and repeats,
// with workers that are killed or stand still at every point at which they wait,
// and with people who change their minds. After every event it compares what the
// ledger says with what the clouds have really sold.
//
// A history is a seed: all randomness comes from one list of choices in which 0
// is the benign outcome. The same seed gives the same history, and a list with
// entries set to zero gives a calmer one, which is how a violation is shrunk.
//
// A mutant is a world in which one guard is blind. Every mutant must be caught;
// that is the test of the test.
package dst

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
)

// The constants of the simulated services, those of AWS.
const (
	settle     = 10 * time.Minute
	answerTime = 25 * time.Second
)

// How long a history is.
const (
	turmoil = 8 * time.Hour  // faults happen until then
	horizon = 40 * time.Hour // everything must have ended by then
	maxSkew = 45 * time.Second
	idle    = 15 * time.Second // before a worker tries a line again that it could not move
	busy    = 20_000           // awaits; more is a loop that gets nowhere
)

var beginning = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// world is one history under way.
type world struct {
	scheduler
	c        *choices
	mutant   Mutant
	scripted map[int]script
	drowsy   bool          // the ledger fails or goes back for long
	shown    bool          // class C: listings show the name that a request carried
	minted   bool          // class H: the cloud names an order when it is priced
	together bool          // all orders of the plan fire, or none
	away     time.Duration // until then a worker is down
	doubled  bool          // an order was doubled by the cloud
	awake    bool          // nobody sleeps for long from now on
	calm     bool          // no random faults: only scripted ones
	only     cloud.Class

	clouds  *clouds
	ledger  *Memory
	lines   []*lineTruth
	foreign []string // ids in lanes when the plan was made
	workers int
	life    time.Duration      // of a request: with a role, or without one
	outages [][2]time.Duration // of the ledger
	clicks  int                // approvals still to come
	rights  map[string]right   // by attempt: what was ever committed, whatever the ledger has forgotten
	level   [numFaults]int     // per mille factor of each family: 0, 1, 3
	keys    int
	nonces  int

	awaits    int
	points    [numPoints]coverage
	injected  [numFaults]int
	hash      uint64
	trace     []string
	tracing   bool
	violation string
}

// right is a right to send that was committed.
type right struct {
	identity          string
	deadline, armedAt time.Time
}

// lineTruth is what the checker knows of a line.
type lineTruth struct {
	id      purchase.LineID
	plan    string // the id as the intent's tag has it
	name    string // for the trace
	class   cloud.Class
	spec    purchase.Spec
	expires time.Duration // of the approval
	off     time.Duration // when a cancel request was committed; 0 without one
	closed  bool          // negatively, by evidence
	refused bool          // never approved: the budget was spent
	over    bool          // its plan was superseded
	alone   time.Duration // since when the line is neither ordered nor bought
	wronged bool          // a person decided against the truth
}

func (w *world) clock(skew time.Duration) time.Time { return beginning.Add(w.now + skew) }

// fault draws whether a fault of the family happens now.
func (w *world) fault(k faultKind, permille int) bool {
	if w.calm || w.now >= turmoil || w.level[k] == 0 {
		return false
	}
	if !w.c.chance(permille * w.level[k]) {
		return false
	}
	w.injected[k]++
	return true
}

// delay draws how long a listing misses something.
func (w *world) delay(k faultKind) time.Duration {
	if !w.fault(k, 250) {
		return 0
	}
	return min(time.Duration(1+w.c.pick(10))*time.Minute, settle-time.Second)
}

// mix takes something that happens now into the hash of the history.
func (w *world) mix(what uint64) { w.hash = (w.hash ^ what ^ uint64(w.now)) * 1099511628211 }

// say notes an event in the trace. The hash of a history covers every event
// whether or not it is told.
func (w *world) say(format string, args ...any) {
	w.mix(uint64(len(format)) << 32)
	if w.tracing {
		w.trace = append(w.trace, strings.TrimRight(fmt.Sprintf("%9s  ", w.now.Round(time.Millisecond))+fmt.Sprintf(format, args...), " "))
	}
}

// violate records the first violation.
func (w *world) violate(invariant, format string, args ...any) {
	if w.violation == "" {
		w.violation = invariant + ": " + fmt.Sprintf(format, args...)
		w.say("VIOLATION %s", w.violation)
	}
}

func (w *world) lineName(i int) string {
	if i < 0 {
		return "somebody else"
	}
	return w.lines[i].name
}

func (w *world) lineOf(i purchase.Intent) int {
	return slices.IndexFunc(w.lines, func(l *lineTruth) bool { return l.plan == i.Tags["bursar:line"] })
}

// credentialOf returns what the attempt is signed with.
func (w *world) credentialOf(line int, i purchase.Intent) string {
	for _, a := range w.ledger.find(w.lines[line].id).row.Attempts {
		if a.Intent.Attempt == i.Attempt {
			return a.Credential
		}
	}
	return "key-unknown"
}

func keyName(n int) string { return fmt.Sprintf("key-%d", n) }

// offerings of the simulated services; only class and lane matter.
var offering = cloud.Offering{
	Provider: cloud.AWS, Service: "rds", Region: "eu-west-1", ID: "offering-1",
	Attributes: cloud.Attributes{"class": "db.r6g.large"}, Term: cloud.OneYear, Payment: cloud.NoUpfront,
	Upfront: money.MustParse("0.00", "USD"), Hourly: money.MustParse("0.10", "USD"),
}

var classes = []cloud.Class{cloud.ClassName, cloud.ClassToken, cloud.ClassNone, cloud.ClassQueued, cloud.ClassHandle, cloud.ClassUnlisted}

// price is the approved price of every line.
var price = func() cloud.Price {
	p, err := offering.Price(1)
	if err != nil {
		panic(err)
	}
	return p
}()

// lineCost is what a line commits to, in millionths of a dollar.
const lineCost = 876_000_000

// lineIDs are the ids of the lines of every history.
var lineIDs = []purchase.LineID{"01H0000000000000000000000A", "01H0000000000000000000000B", "01H0000000000000000000000C"}

// build draws the world of a history.
func (w *world) build() {
	w.clouds = &clouds{w: w, tokens: map[string]token{}, operations: map[string]*operation{}, requests: map[string]int{}}
	w.ledger = NewMemory("test")
	w.ledger.blind = w.mutant.ledger
	w.rights = map[string]right{}
	w.hash = 14695981039346656037
	for k := range w.level {
		w.level[k] = []int{0, 1, 3}[w.c.pick(3)]
	}
	w.workers = 1 + w.c.pick(2)
	w.life = 2 * time.Minute
	if w.c.pick(3) == 1 {
		w.life = 17 * time.Minute
	}

	w.shown, w.minted = w.c.pick(4) == 1, w.c.pick(2) == 1
	n := 1 + w.c.pick(len(lineIDs))
	class := classes[w.c.pick(len(classes))]
	if w.only != "" {
		class = w.only
	}
	exclusive := w.c.pick(3) != 1
	batch := w.c.pick(4) == 1
	for i := range n {
		if w.c.pick(4) == 1 {
			class = classes[w.c.pick(len(classes))]
		}
		l := &lineTruth{id: lineIDs[i], plan: string(lineIDs[i]), class: class}
		l.name = lineNames[i] + string(class) + ")"
		l.spec = purchase.Spec{Account: "111122223333", Offering: offering, Quantity: 1, Price: price, Simulated: true}
		l.spec.Offering.Service = cloud.Service("class-" + strings.ToLower(string(class)))
		l.expires = horizon - 10*time.Hour
		if w.c.pick(4) == 1 {
			l.expires = time.Duration(1+w.c.pick(120)) * time.Minute
		}
		w.lines = append(w.lines, l)
		w.ledger.Add(purchase.Row{
			Line: purchase.Line{
				ID: l.id, Plan: "01H00000000000000000000000", Number: i + 1, Spec: l.spec, Class: class,
				State: purchase.Draft, Generation: 1,
			},
			PlanState: purchase.PlanProposed, Exclusive: exclusive,
		})
		w.approval(l, time.Duration(w.c.pick(3))*time.Second)
		if w.c.pick(6) == 1 {
			w.approval(l, time.Duration(w.c.pick(90))*time.Second) // a second click
		}
	}
	w.ledger.Cap = lineCost * int64(n-w.c.pick(2))
	w.ledger.AllOrNothing = batch
	w.earlier(w.c.pick(3))
	if !exclusive && w.c.pick(2) == 1 {
		w.strangers()
	}
	w.people()
	if w.c.pick(5) == 1 {
		start := time.Duration(w.c.pick(60)) * time.Minute
		w.drowsy = true
		w.outages = append(w.outages, [2]time.Duration{start, start + time.Duration(1+w.c.pick(90))*time.Minute})
	}
	if w.c.pick(6) == 1 {
		w.drowsy = true
		w.rollback()
	}
	if w.ledger.AllOrNothing && !w.drowsy && w.ofClass(cloud.ClassQueued) {
		w.together, w.awake = true, true
	}
	for i := range w.workers {
		w.hire(workerNames[i], 0)
	}
}

// rollback takes a backup of the ledger at some time and puts it back later. The
// guard, which looks at the database's mark every minute, notices.
func (w *world) rollback() {
	at := time.Duration(w.c.pick(120)) * []time.Duration{30 * time.Second, 250 * time.Millisecond}[w.c.pick(2)]
	after := time.Duration(1+w.c.pick(40)) * []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute}[w.c.pick(3)]
	w.after(at, func() {
		b := w.ledger.Backup(w.clock(0))
		w.after(after, func() {
			w.ledger.GoBack(b)
			w.say("the ledger is put back to what it was %s ago", after)
			w.wentBack()
			if !w.mutant.restoreNaive {
				w.after(time.Duration(1+w.c.pick(60))*time.Second, func() {
					w.ledger.Recover(w.clock(0))
					w.say("the guard notices; every open line is in recovery")
					w.hire("worker after the restore", 0)
					w.wake()
				})
			}
		})
	})
}

// wentBack makes the checker forget what the ledger has forgotten.
func (w *world) wentBack() {
	for _, l := range w.lines {
		row := &w.ledger.find(l.id).row
		l.closed = row.Line.State.Terminal() && row.Line.State != purchase.Purchased
		if !row.Line.CancelRequested {
			l.off = 0
		}
	}
}

// skews of worker clocks. With the last ones nothing may be armed, but everything
// must be resolved.
var skews = []time.Duration{0, 0, 0, 0, -45 * time.Second, 45 * time.Second, -45 * time.Second, 45 * time.Second, -10 * time.Minute, 10 * time.Minute}

// ofClass reports whether all lines are of one class.
func (w *world) ofClass(c cloud.Class) bool {
	return !slices.ContainsFunc(w.lines, func(l *lineTruth) bool { return l.class != c })
}

var lineNames = []string{"line 1 (", "line 2 (", "line 3 ("}

var workerNames = []string{"worker 1", "worker 2"}

// earlier puts commitments into the lanes that were there before the plan.
func (w *world) earlier(n int) {
	for i := range n {
		w.stranger(fmt.Sprintf("old-%d", i+1), w.lines[i%len(w.lines)], -24*time.Hour)
	}
	for _, s := range w.clouds.sold {
		w.foreign = append(w.foreign, s.ID)
	}
}

// stranger buys what a line asks for, in the console.
func (w *world) stranger(id string, l *lineTruth, age time.Duration) {
	s := &sold{line: -1, visible: w.now + w.delay(faultVisibility), logged: -1}
	s.Commitment = cloud.Commitment{
		Lane: l.spec.Lane(), ID: id, OfferingID: l.spec.Offering.ID, Attributes: l.spec.Offering.Attributes,
		Term: l.spec.Offering.Term, Payment: l.spec.Offering.Payment, Quantity: 1, State: cloud.Active, Start: w.clock(age),
	}
	w.clouds.sold = append(w.clouds.sold, s)
	w.say("somebody else owns %s", id)
}

// strangers buy at random times in the lanes of the lines.
func (w *world) strangers() {
	for i := range 1 + w.c.pick(2) {
		l := w.lines[w.c.pick(len(w.lines))]
		w.after(time.Duration(w.c.pick(90))*time.Minute, func() { w.stranger(fmt.Sprintf("console-%d", i+1), l, 0) })
	}
}

// news lists what is new and unexplained in a line's lane.
func (w *world) news(l purchase.Line) []string {
	if l.Class.Locks() {
		return nil // the before-image of the attempt is taken anyway, and a person asked
	}
	var ids []string
	for _, s := range w.clouds.sold {
		if s.line < 0 && s.Lane == l.Spec.Lane() && w.now >= s.visible && !slices.Contains(w.foreign, s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// hire starts a worker process with a clock of its own.
func (w *world) hire(name string, after time.Duration) {
	w.after(after, func() {
		skew := skews[w.c.pick(len(skews))]
		if name == workerNames[0] {
			skew = max(min(skew, maxSkew), -maxSkew) // one of them can work
		}
		p := w.spawn(func(p *process) { w.work(&ports{w: w, p: p, skew: skew, looks: map[cloud.Lane][]cloud.Evidence{}}) })
		p.name = name
	})
}

// crash ends the process that calls it; its successor knows nothing.
func (w *world) crash(p *process) {
	downtime := time.Duration(w.c.pick(5)) * 20 * time.Second
	if w.c.pick(12) == 1 && !w.awake {
		downtime = time.Duration(1+w.c.pick(6)) * 30 * time.Minute
	}
	w.away = max(w.away, w.now+downtime)
	w.hire(p.name, downtime)
	panic(killed{})
}

// work is the life of a worker: it advances what is due, then sleeps until
// something is.
func (w *world) work(o *ports) {
	protocol := &purchase.Protocol{Ledger: o, Market: o, Rules: purchase.DefaultRules, Now: o.now, Nonce: w.nonce}
	for w.now < horizon {
		next := 2 * time.Hour
		for _, l := range w.lines {
			row := &w.ledger.find(l.id).row
			switch row.Line.State {
			case purchase.Ready, purchase.Armed, purchase.QueuedLine, purchase.NeedsReapproval, purchase.Recovery:
			default:
				continue
			}
			if !row.Line.LookAt.After(o.now()) {
				protocol.Advance(context.Background(), l.id) //nolint:errcheck // written on the line
				row = &w.ledger.find(l.id).row
				if !row.Line.LookAt.After(o.now()) {
					next = min(next, idle) // stopped, or somebody else is at it
					continue
				}
			}
			next = min(next, row.Line.LookAt.Sub(o.now()))
		}
		if w.finished() && w.clicks == 0 {
			return
		}
		o.p.idle = true
		o.p.sleep(next)
		o.p.idle = false
	}
}

// wake lets idle workers look for work: people have changed something.
func (w *world) wake() {
	for _, p := range w.processes {
		if p.idle && !p.dead {
			p.idle = false
			w.push(event{at: w.now, wake: p, turn: p.turn})
		}
	}
}

func (w *world) nonce() string {
	w.nonces++
	return fmt.Sprintf("nonce-%d", w.nonces)
}

// apply performs a step on the ledger and looks at what it did.
func (w *world) apply(ctx context.Context, c purchase.Change) error {
	if w.mutant.change != nil {
		c = w.mutant.change(c)
	}
	err := w.ledger.Apply(ctx, c, w.clock(0))
	if errors.Is(err, errUnique) {
		w.violate("I11", "%s was to get a commitment that belongs to another line", c.Line)
	}
	if err != nil {
		return err
	}
	if w.ledger.AllOrNothing && c.To != c.From && c.To.Unbought() {
		w.wake() // the other lines are due
	}
	i := slices.IndexFunc(w.lines, func(l *lineTruth) bool { return l.id == c.Line })
	w.applied(i, c)
	return nil
}

// finished reports whether no line can move any more.
func (w *world) finished() bool {
	for _, l := range w.lines {
		s := w.ledger.find(l.id).row.Line.State
		if !s.Terminal() && s != purchase.NeedsReview && !(s == purchase.Draft && l.refused) {
			return false
		}
	}
	return true
}

// run carries the history to its end or to its first violation.
func (w *world) run() {
	w.build()
	for w.violation == "" && w.now < horizon && w.step() {
		if w.awaits > busy {
			w.violate("I6", "%d awaits and no end", w.awaits)
		}
		if w.finished() && w.now > turmoil {
			break
		}
	}
	w.end()
	if w.violation == "" {
		w.conclude()
	}
}

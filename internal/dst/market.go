package dst

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// ports are the ledger, the market and the clock as one worker process reaches
// them. Every call is an await point, before and after its effect.
type ports struct {
	w     *world
	p     *process
	skew  time.Duration                   // of this process's clock
	looks map[cloud.Lane][]cloud.Evidence // the last look of this process at a whole lane
	// doomed: the process dies as soon as the call under way has had its effect.
	doomed bool
}

var (
	_ purchase.Ledger = (*ports)(nil)
	_ purchase.Market = (*ports)(nil)
	_ interface {
		purchase.Watcher
		purchase.Auditor
		purchase.Follower
		purchase.Releaser
	} = (*ports)(nil)
)

var (
	errDown = errors.New("the ledger does not answer")
	errRead = errors.New("the cloud does not answer")
)

func (o *ports) now() time.Time { return o.w.clock(o.skew) }

// await is a point at which the process may be killed, paused, or go on.
func (o *ports) await(point awaitPoint) {
	w := o.w
	n := w.awaits
	w.awaits++
	w.mix(uint64(point))
	w.points[point].reached++
	f := w.scripted[n]
	switch {
	case f == scriptCrash || f == scriptCrashAfter || w.fault(faultCrash, 8):
		if f == scriptCrashAfter || f == scriptNone && w.c.pick(2) == 1 {
			o.doomed = true // the call is carried out first
			return
		}
		w.points[point].before++
		w.say("%s killed before: %s", o.p.name, point)
		w.crash(o.p)
	case f == scriptPause || w.fault(faultPause, 6):
		pause := w.pause()
		w.say("%s stands still for %s before: %s", o.p.name, pause, point)
		o.p.sleep(pause)
	default:
		o.p.sleep(time.Duration(1+w.c.pick(3)) * 20 * time.Millisecond)
	}
}

// pause draws how long a process stands still.
func (w *world) pause() time.Duration {
	pause := time.Duration(1+w.c.pick(60)) * time.Minute
	if w.awake {
		return min(pause, 3*time.Minute)
	}
	return pause
}

// done is the other side of await: the call has had its effect, and the process
// is killed before it learns of it, or stands still, or goes on.
func (o *ports) done(point awaitPoint) {
	if !o.doomed {
		return
	}
	o.doomed = false
	o.w.points[point].after++
	o.w.say("%s killed after: %s", o.p.name, point)
	o.w.crash(o.p)
}

// rest lets the process stand still after a call that had an effect.
func (o *ports) rest(point awaitPoint) {
	o.done(point)
	if o.w.fault(faultPause, 6) {
		pause := o.w.pause()
		o.w.say("%s stands still for %s after: %s", o.p.name, pause, point)
		o.p.sleep(pause)
	}
}

func (o *ports) Row(ctx context.Context, id purchase.LineID) (purchase.Row, error) {
	o.await(atRead)
	if o.w.down() {
		return purchase.Row{}, errDown
	}
	row, err := o.w.ledger.Row(ctx, id)
	if o.w.mutant.row != nil {
		row = o.w.mutant.row(row)
	}
	o.done(atRead)
	return row, err
}

func (o *ports) Apply(ctx context.Context, c purchase.Change, _ time.Time) error {
	w := o.w
	point := atStep
	if c.Arm != nil {
		point = atArm
	} else if len(c.Attempts) > 0 {
		point = atRecord
	}
	if c.Arm != nil && w.mutant.noIntent {
		// Call first, write the row afterwards.
		w.send(wire{line: w.lineOf(c.Arm.Intent), intent: c.Arm.Intent, attempt: c.Arm.Intent.Attempt, identity: c.Arm.Intent.Identity}, func(cloud.Evidence) {})
	}
	n := w.awaits
	o.await(point)
	if w.down() || w.fault(faultLedger, 5) {
		o.done(point)
		return errDown
	}
	switch f := w.scripted[n]; {
	case f == scriptLost || w.fault(faultCommitLost, 6):
		w.say("%s: COMMIT not applied, and nobody knows", o.p.name)
		o.done(point)
		return purchase.ErrCommitUnknown
	case f == scriptUnknown || w.fault(faultCommitUnknown, 10):
		if err := w.apply(ctx, c); err != nil {
			o.done(point)
			return err
		}
		w.say("%s: COMMIT applied, and nobody knows", o.p.name)
		o.rest(point)
		return purchase.ErrCommitUnknown
	}
	if err := w.apply(ctx, c); err != nil {
		o.done(point)
		return err
	}
	o.rest(point)
	return nil
}

func (o *ports) Armed(ctx context.Context, id purchase.LineID, nonce string) (bool, error) {
	o.await(atReadBack)
	defer o.done(atReadBack)
	if o.w.down() {
		return false, errDown
	}
	if o.w.mutant.blindCommit {
		return true, nil
	}
	return o.w.ledger.Armed(ctx, id, nonce)
}

func (o *ports) Facts(l purchase.Line) (purchase.Facts, error) {
	f := purchase.Facts{
		Class: l.Class, Life: o.w.life, Settle: settle, Answer: answerTime, Window: 10 * time.Minute,
	}
	if o.w.mutant.facts != nil {
		f = o.w.mutant.facts(f)
	}
	return f, nil
}

// read is one read of the cloud; it may fail, and never spends.
func (o *ports) read(point awaitPoint) error {
	o.await(point)
	failed := o.w.fault(faultRead, 25)
	if point != atRelease {
		o.done(point) // what was read dies with the process
	}
	if failed {
		return errRead
	}
	return nil
}

func (o *ports) Quote(_ context.Context, i purchase.Intent) (cloud.Quote, error) {
	if err := o.read(atQuote); err != nil {
		return cloud.Quote{}, err
	}
	w := o.w
	if w.fault(faultDrift, 4) {
		return cloud.Quote{}, purchase.ErrNotSold
	}
	w.keys++
	q := cloud.Quote{Offering: i.Offering, At: o.now(), CloudTime: w.clock(0), Credential: keyName(w.keys)}
	if w.minted && w.lines[w.lineOf(i)].class == cloud.ClassHandle {
		q.Order = fmt.Sprintf("order-%d", w.keys)
	}
	return q, nil
}

// Find lists the whole lane, and serves from the last listing whenever that is
// allowed.
func (o *ports) Find(_ context.Context, i purchase.Intent, since time.Time) ([]cloud.Evidence, error) {
	started := o.now()
	if err := o.read(atFind); err != nil {
		return nil, err
	}
	kept := o.looks[lane(i)]
	if kept == nil || kept[0].Started.Before(since) && !o.w.mutant.oldLook {
		kept = o.w.clouds.list(lane(i))
		for n := range kept {
			kept[n].Started = started
		}
		o.looks[lane(i)] = kept
	}
	found := under(kept, i.Identities)
	if o.w.mutant.oldLook {
		for n := range found {
			found[n].Started, found[n].CloudTime = started, o.w.clock(0)
		}
	}
	if o.w.mutant.tagGuard {
		found = o.w.tagged(found)
	}
	if o.w.mutant.noCompare {
		for n := range found {
			if c := found[n].Commitment; c != nil {
				c.Quantity = i.Quantity
			}
		}
	}
	if fake := o.w.mutant.listing; fake != nil {
		fake(o.w, found)
	}
	o.rest(atFind)
	return found, nil
}

// tagged hides from a listing what carries no tag yet: the tag is written after
// the purchase is recorded.
func (w *world) tagged(found []cloud.Evidence) []cloud.Evidence {
	kept := slices.DeleteFunc(slices.Clone(found), func(e cloud.Evidence) bool {
		if e.Commitment == nil {
			return true
		}
		_, recorded := w.ledger.receipts[e.Commitment.Lane.String()+"/"+e.Commitment.ID]
		return !recorded
	})
	if len(kept) == 0 {
		return []cloud.Evidence{{Kind: cloud.EvidenceAbsence, Started: found[0].Started, CloudTime: found[0].CloudTime}}
	}
	return kept
}

// under returns what a listing of a lane shows under some names, or all of it.
func under(listed []cloud.Evidence, names []string) []cloud.Evidence {
	var found []cloud.Evidence
	for _, f := range listed {
		named := names == nil
		for _, n := range names {
			named = named || f.Commitment != nil && (strings.EqualFold(n, f.Commitment.ID) || strings.EqualFold(n, f.Commitment.Name))
		}
		if named {
			if f.Commitment != nil {
				copied := *f.Commitment
				f.Commitment = &copied
			}
			found = append(found, f)
		}
	}
	if found == nil {
		found = []cloud.Evidence{{Kind: cloud.EvidenceAbsence, Started: listed[0].Started, CloudTime: listed[0].CloudTime}}
	}
	return found
}

func lane(i purchase.Intent) cloud.Lane {
	return cloud.Lane{Provider: i.Offering.Provider, Account: i.Account, Region: i.Offering.Region, Service: i.Offering.Service}
}

func (o *ports) News(_ context.Context, l purchase.Line) ([]string, error) {
	if err := o.read(atNews); err != nil {
		return nil, err
	}
	return o.w.news(l), nil
}

func (o *ports) Trail(_ context.Context, i purchase.Intent, credential string) ([]cloud.Evidence, error) {
	if err := o.read(atTrail); err != nil {
		return nil, err
	}
	var trail []cloud.Evidence
	for _, s := range o.w.clouds.sold {
		if s.key == credential && s.logged >= 0 && o.w.now >= s.logged {
			copied := s.Commitment
			trail = append(trail, cloud.Evidence{Kind: cloud.EvidenceAuditLog, Started: o.now(), CloudTime: o.w.clock(0), Commitment: &copied})
		}
	}
	return trail, nil
}

func (o *ports) Poll(_ context.Context, _ purchase.Intent, handle string) (cloud.Evidence, error) {
	if err := o.read(atPoll); err != nil {
		return cloud.Evidence{}, err
	}
	e := cloud.Evidence{Kind: cloud.EvidenceReply, Operation: "Poll", Started: o.now(), CloudTime: o.w.clock(0), Handle: handle}
	op := o.w.clouds.operations[handle]
	switch {
	case op == nil || o.w.now < op.done:
		e.Outcome = cloud.Accepted
		return e, nil
	case op.sold.State == cloud.Failed:
		e.Outcome, e.Code = cloud.Refused, "PaymentFailed"
		return e, nil
	}
	return o.w.clouds.bought(e, op.sold), nil
}

func (o *ports) Release(_ context.Context, _ purchase.Intent, order cloud.Commitment) error {
	if err := o.read(atRelease); err != nil {
		o.done(atRelease)
		return err
	}
	if !o.w.mutant.keepOrders {
		o.w.clouds.release(order.ID)
	}
	o.rest(atRelease)
	return nil
}

// Purchase puts one request on the wire and waits for its answer.
func (o *ports) Purchase(_ context.Context, i purchase.Intent, sendBy time.Time) purchase.Answered {
	w, line := o.w, o.w.lineOf(i)
	o.await(atSend)
	if o.now().After(sendBy) && !w.mutant.noGate {
		o.done(atSend)
		return purchase.Answered{Evidence: cloud.Evidence{Kind: cloud.EvidenceReply, Outcome: cloud.Unsent, Started: o.now()}}
	}
	r := wire{line: line, intent: i, attempt: i.Attempt, identity: i.Identity, credential: w.credentialOf(line, i)}
	w.checkSend(r)
	copies := 1
	if w.mutant.sdkRetry {
		copies = 2
	}
	if w.mutant.newToken {
		r.identity += "-" + i.Attempt
	}
	var reply *cloud.Evidence
	turn := o.p.turn
	for n := range copies {
		w.send(r, func(e cloud.Evidence) {
			if o.p.turn == turn && !o.p.dead && (n == copies-1 || reply == nil) {
				reply = &e
				if n == copies-1 {
					o.p.turn++
					o.p.resume()
				}
			}
		})
	}
	o.done(atSend)
	started := o.now()
	o.p.wakeAfter(answerTime, turn)
	o.p.wait()
	if reply == nil {
		w.say("%s has no answer for %s", o.p.name, i.Attempt)
		reply = &cloud.Evidence{Kind: cloud.EvidenceReply, Operation: "Purchase", Detail: "no answer"}
	}
	reply.Started = started
	if w.mutant.noCompare && reply.Commitment != nil {
		reply.Commitment.Quantity = i.Quantity
	}
	if w.mutant.fiveHundredFinal && reply.Outcome == cloud.InDoubt {
		reply.Outcome = cloud.Refused
	}
	o.rest(atSend)
	second := 3
	if reply.Outcome == cloud.InDoubt {
		second = 60
	}
	if !w.doubled && w.fault(faultSecond, second) {
		w.say("%s: a second request of %s was stopped", o.p.name, i.Attempt)
		return purchase.Answered{Evidence: *reply, SecondRequest: true}
	}
	return purchase.Answered{Evidence: *reply}
}

// lateBy are the times by which a request may arrive late, on both sides of every
// deadline.
var lateBy = []time.Duration{5 * time.Second, 30 * time.Second, time.Minute, 100 * time.Second, 3 * time.Minute, 12 * time.Minute, 14 * time.Minute, time.Hour}

// send lets a request travel: it may be lost, or arrive late; its answer may be
// lost, be late, or say nothing.
func (w *world) send(r wire, answer func(cloud.Evidence)) {
	if w.fault(faultRequestLost, 60) {
		w.say("wire: request %s is lost", r.attempt)
		return
	}
	travel := 50 * time.Millisecond
	if w.fault(faultRequestLate, 50) {
		travel = lateBy[w.c.pick(len(lateBy))]
		w.say("wire: request %s is held back for %s", r.attempt, travel)
	}
	w.after(travel, func() {
		e := w.clouds.receive(r)
		switch {
		case w.fault(faultReplyLost, 60):
			w.say("wire: the answer to %s is lost", r.attempt)
			return
		case w.fault(faultFiveHundred, 40):
			w.say("wire: %s is answered 500", r.attempt)
			e = cloud.Evidence{Kind: cloud.EvidenceReply, Operation: "Purchase", CloudTime: w.clock(0), Status: 500, Code: "InternalFailure"}
		}
		w.after(50*time.Millisecond, func() { answer(e) })
	})
}

// down reports whether the ledger is unavailable at this moment.
func (w *world) down() bool {
	return slices.ContainsFunc(w.outages, func(o [2]time.Duration) bool { return w.now >= o[0] && w.now < o[1] })
}

package dst

import (
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// The invariants I1 to I17 of the protocol, checked where they can break: when a
// request leaves, when the clouds change, when the ledger changes, and at the end.

// checkSend looks at a request that is about to leave (I8, I12, I17).
func (w *world) checkSend(r wire) {
	a, ok := w.rights[r.attempt]
	switch {
	case !ok:
		w.violate("I8", "a request leaves for %s and the ledger has no attempt for it", r.attempt)
	case !a.deadline.Equal(r.intent.Deadline) || a.identity != r.intent.Identity:
		w.violate("I8", "attempt %s sends something else than its row holds", r.attempt)
	case w.clock(0).Sub(a.armedAt) > purchase.DefaultRules.Gate+2*maxSkew:
		w.violate("I12", "attempt %s is sent %s after it was armed", r.attempt, w.clock(0).Sub(a.armedAt))
	}
}

// applied looks at a committed step.
func (w *world) applied(i int, c purchase.Change) {
	l := w.lines[i]
	if c.Rule != "" {
		w.say("ledger: %s %s %s -> %s %s", w.lineName(i), c.Rule, c.From, c.To, c.Reason)
	}
	if c.Rule != "" && !purchase.Legal(c.Rule, c.From, c.To) {
		w.violate("T", "%s from %s to %s is not in the table", c.Rule, c.From, c.To)
	}
	if c.From.Ordered() && !c.To.Ordered() {
		l.alone = w.now
	}
	if c.Arm != nil {
		w.rights[c.Arm.Intent.Attempt] = right{c.Arm.Intent.Identity, c.Arm.Intent.Deadline, w.clock(0)}
		w.armed(i, l)
	}
	switch c.Rule {
	case "T4", "T5", "T6", "T7", "T9", "T12", "T13":
		if len(c.Evidence) == 0 && w.ledger.find(l.id).facts == 0 {
			w.violate("I14", "%s: %s cites no evidence", w.lineName(i), c.Rule)
		}
	}
	if c.To != purchase.Purchased && c.To.Terminal() {
		l.closed = true
	}
	if c.MustLeaveBy.IsZero() && !c.To.Terminal() {
		w.violate("I6", "%s is %s and nobody is told when that lasts", w.lineName(i), c.To)
	}
	w.checkBudget()
	w.touched(i)
}

// checkBudget: what is held and spent stays within the cap, belongs to lines in
// the right states, and so does what the clouds have sold (I7, I13).
func (w *world) checkBudget() {
	m := w.ledger
	if m.Held+m.Spent > m.Cap || m.Held < 0 || m.Spent < 0 {
		w.violate("I7", "held %d and spent %d of a cap of %d", m.Held, m.Spent, m.Cap)
	}
	for i, e := range m.lines {
		want := held
		switch s := e.row.Line.State; {
		case s == purchase.Draft, s == purchase.Recovery && e.hold == noHold, s == purchase.NeedsReview && e.hold == noHold:
			want = noHold // approved in a time that was lost, if at all
		case s == purchase.Purchased:
			want = spent
		case s.Terminal():
			want = released
		}
		lost := m.incarnation > 0 && e.hold == noHold // with its approval
		if e.hold != want && !(want == released && e.hold == noHold) && !lost {
			w.violate("I13", "%s is %s and its hold is %d", w.lineName(i), e.row.Line.State, e.hold)
		}
	}
	var sold int64
	for i := range w.lines {
		sold += int64(w.clouds.bound(i)) * lineCost
	}
	if sold > m.Cap {
		w.violate("I7", "sold %d with a cap of %d", sold, m.Cap)
	}
}

// armed looks at a right to send that was just given (I10, I12).
func (w *world) armed(i int, l *lineTruth) {
	switch {
	case w.now >= l.expires:
		w.violate("I12", "%s is armed after its approval ended", w.lineName(i))
	case l.off > 0:
		w.violate("I12", "%s is armed after it was called off", w.lineName(i))
	case l.over:
		w.violate("I12", "%s is armed after its plan was superseded", w.lineName(i))
	case !w.ledger.Purchasing:
		w.violate("I12", "%s is armed while purchasing is stopped", w.lineName(i))
	}
	row := w.ledger.find(l.id).row
	for _, o := range w.lines {
		other := w.ledger.find(o.id).row
		if o != l && o.class.Locks() && l.class.Locks() && o.class == l.class && other.Line.State == purchase.Armed {
			w.violate("I10", "two purchases are open in one lane of class C")
		}
		for _, a := range other.Attempts {
			for _, b := range row.Attempts {
				same := a.Nonce == b.Nonce
				if !same && !a.FireAt.IsZero() && a.FireAt.Equal(b.FireAt) && o.class == l.class {
					w.violate("I10", "two attempts for one second")
				}
			}
		}
	}
	open := 0
	for _, a := range row.Attempts {
		if !a.State.Closed() && a.Generation < row.Line.Generation {
			w.violate("I1", "%s is armed in generation %d while attempt %d of an earlier one is %s", w.lineName(i), row.Line.Generation, a.N, a.State)
		}
		if !a.State.Closed() {
			open++
		}
	}
	if open > 1 && (l.class == cloud.ClassNone || l.class == cloud.ClassQueued) {
		w.violate("I1", "%s has %d open attempts", w.lineName(i), open)
	}
}

// touched compares what the ledger says of a line with what the clouds have sold
// for it (I1, I2, I3, I5).
func (w *world) touched(i int) {
	if i < 0 {
		return
	}
	l := w.lines[i]
	state := w.ledger.find(l.id).row.Line.State
	bound := w.clouds.bound(i)
	if bound > 1 {
		w.violate("I1", "%s was bought %d times", w.lineName(i), bound)
	}
	if l.closed && bound > 0 && !l.wronged {
		w.violate("I3", "%s is %s and was bought", w.lineName(i), state)
	}
	if state == purchase.Purchased {
		w.checkReceipt(i, l)
	}
}

// checkReceipt: a purchased line names a commitment that its own request bought.
func (w *world) checkReceipt(i int, l *lineTruth) {
	for key, owner := range w.ledger.receipts {
		if owner != l.id {
			continue
		}
		for _, s := range w.clouds.sold {
			if key == s.Lane.String()+"/"+s.ID {
				if s.line != i {
					w.violate("I2", "%s is recorded as bought with %s, which %s bought", w.lineName(i), s.ID, w.lineName(s.line))
				}
				if heuristic := w.ledger.find(l.id).heuristic; s.Quantity != l.spec.Quantity && !heuristic {
					w.violate("I2", "%s is recorded as bought with %d pieces, approved was %d", w.lineName(i), s.Quantity, l.spec.Quantity)
				}
				return
			}
		}
		w.violate("I2", "%s is recorded as bought with something that does not exist", w.lineName(i))
		return
	}
	w.violate("I2", "%s is purchased without a receipt", w.lineName(i))
}

// checkTogether looks at an order of an all-or-nothing plan that fires: no other line
// was left behind long before (I18). One that falls out in the last minutes may be.
func (w *world) checkTogether(s *sold) {
	if !w.together || s.line < 0 {
		return
	}
	e := w.ledger.find(w.lines[s.line].id)
	if e.heuristic || e.row.Line.State == purchase.NeedsReview {
		return // a person has it
	}
	for i, l := range w.lines {
		state := w.ledger.find(l.id).row.Line.State
		if i != s.line && !state.Ordered() && w.now-l.alone > 28*time.Minute {
			w.violate("I18", "%s fires alone: %s is %s", w.lineName(s.line), w.lineName(i), state)
		}
	}
}

// conclude looks at a world that has come to rest (I3, I4, I6).
func (w *world) conclude() {
	for i, l := range w.lines {
		row := w.ledger.find(l.id).row
		state := row.Line.State
		bound := w.clouds.bound(i)
		switch {
		case state == purchase.Draft && l.refused:
		case !state.Terminal() && state != purchase.NeedsReview:
			w.violate("I6", "%s is still %s after %s: %s", w.lineName(i), state, w.now.Round(time.Minute), row.Line.Reason)
		case bound > 0 && state != purchase.Purchased && state != purchase.NeedsReview && !l.wronged:
			w.violate("I4", "%s is %s, and %d commitments of it are nobody's", w.lineName(i), state, bound)
		}
	}
}

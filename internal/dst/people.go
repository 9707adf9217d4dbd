package dst

import (
	"context"
	"slices"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// people lets operators call lines off, stop and start the installation, and
// decide what needs a decision.
func (w *world) people() {
	for i, l := range w.lines {
		if w.c.pick(5) != 1 {
			continue
		}
		w.after(time.Duration(w.c.pick(150))*time.Minute, func() { w.callOff(i, l) })
	}
	if w.c.pick(6) == 1 {
		stop := time.Duration(w.c.pick(60)) * time.Minute
		w.after(stop, func() { w.ledger.Purchasing = false; w.say("somebody stops all purchasing") })
		w.after(stop+time.Duration(1+w.c.pick(120))*time.Minute, func() {
			w.ledger.Purchasing = w.ledger.timeline == w.ledger.known && w.ledger.incarnation == 0
			w.say("purchasing goes on")
			w.wake()
		})
	}
	if w.c.pick(8) == 1 {
		w.after(time.Duration(w.c.pick(150))*time.Minute, w.supersede)
	}
	w.after(time.Duration(3+9*w.c.pick(4))*time.Minute, w.desk)
	if w.mutant.reaper {
		w.after(10*time.Minute, w.reaper)
	}
}

// approval lets an operator approve a line: its hold is taken in the same step, or
// it is not approved. The mutant looks at the budget first and approves later.
func (w *world) approval(l *lineTruth, after time.Duration) {
	w.clicks++
	w.after(after, func() {
		w.clicks--
		if !w.mutant.budgetRace {
			w.approve(l, w.ledger.Free() >= lineCost)
			return
		}
		free := w.ledger.Free() >= lineCost
		w.clicks++
		w.after(2*time.Second, func() { w.clicks--; w.approve(l, free) })
	})
}

func (w *world) approve(l *lineTruth, free bool) {
	if w.ledger.WentBack() || w.ledger.incarnation > 0 {
		return // refused, or its plan is void
	}
	if !free {
		w.say("no budget for %s", l.name)
		l.refused = true
		return
	}
	if !w.ledger.Approve(l.id, w.clock(0), w.clock(l.expires-w.now)) {
		return // approved already
	}
	w.say("somebody approves %s", l.name)
	w.wake()
	w.checkBudget()
}

// callOff asks that a line not be bought.
func (w *world) callOff(i int, l *lineTruth) {
	row := &w.ledger.find(l.id).row
	if w.ledger.WentBack() {
		return // refused
	}
	if !w.ledger.Cancel(l.id, w.clock(0)) {
		return
	}
	l.off = w.now
	w.say("somebody calls off %s", w.lineName(i))
	w.wake()
	if w.mutant.cancelFinal && row.Line.State == purchase.Armed {
		c := purchase.Change{
			Rule: "T9", Line: l.id, From: purchase.Armed, To: purchase.Canceled, Version: row.Line.Version,
			CancelRequested: true, Generation: row.Line.Generation,
		}
		w.apply(context.Background(), c) //nolint:errcheck // a mutant
	}
}

// supersede replaces the plan by another one.
func (w *world) supersede() {
	if w.ledger.WentBack() {
		return // refused
	}
	w.ledger.Supersede()
	w.say("somebody supersedes the plan")
	for i, l := range w.lines {
		l.over = true
		if w.ledger.find(l.id).row.Line.State == purchase.Superseded {
			l.closed = true
		}
		w.touched(i)
	}
	w.checkBudget()
}

// desk is a person who looks at what needs review now and then, with everything
// the clouds list at hand. Now and then the decision is wrong: that is a risk which
// is told to customers, and even then nothing is bought twice.
func (w *world) desk() {
	if w.now < horizon-2*time.Hour {
		w.after(2*time.Hour, w.desk)
	}
	for i, l := range w.lines {
		row, _ := w.ledger.Row(context.Background(), l.id)
		if row.Line.State != purchase.NeedsReview {
			continue
		}
		names := row.Identities()
		if !l.class.Named() {
			names = nil
		}
		found := under(w.clouds.list(l.spec.Lane()), names)
		for n := range found {
			found[n].Started = w.clock(0)
			if w.mutant.personEarly {
				found[n].Started, found[n].CloudTime = w.clock(1000*time.Hour), w.clock(1000*time.Hour)
			}
		}
		if w.mutant.personEarly {
			row.Attempts = slices.Clone(row.Attempts)
			for n := range row.Attempts {
				row.Attempts[n].SettledAt = w.clock(0)
			}
		}
		d := purchase.Decided{
			Facts: purchase.Facts{Class: l.class, Life: w.life, Settle: settle}, Choice: purchase.NotBought,
			By: "ada", Second: "grace", Found: found, Unexplained: []string{"anything"},
		}
		for _, s := range w.clouds.sold {
			switch {
			case s.line != i || !s.binding() && s.State != cloud.Queued:
			case d.Choice == purchase.NotBought:
				d.Choice, d.Adopt = purchase.Adopt, s.ID
			case s.State == cloud.Queued:
				w.clouds.release(s.ID) // a surplus order, deleted in the console
			}
		}
		if d.Choice == purchase.Adopt && w.c.pick(8) == 1 {
			d.Choice, d.Adopt = purchase.NotBought, "" // wrong
			l.wronged = true
		}
		c, err := purchase.DefaultRules.Step(row, d, w.clock(0))
		if err != nil {
			continue // too early, or not listed yet: the next round
		}
		w.say("ada decides on %s: %s", w.lineName(i), d.Choice)
		w.apply(context.Background(), c) //nolint:errcheck // somebody else was faster
	}
}

// reaper is what some systems have and this one must not: it calls old lines
// failed. Only a mutant hires it.
func (w *world) reaper() {
	if w.now < turmoil {
		w.after(10*time.Minute, w.reaper)
	}
	for _, l := range w.lines {
		row := &w.ledger.find(l.id).row
		if row.Line.State == purchase.Armed && w.clock(0).Sub(row.Line.UpdatedAt) > 5*time.Minute {
			c := purchase.Change{
				Rule: "T9", Line: l.id, From: purchase.Armed, To: purchase.Failed, Version: row.Line.Version,
				CancelRequested: row.Line.CancelRequested, Generation: row.Line.Generation,
			}
			w.say("a reaper calls %s failed", l.id)
			w.apply(context.Background(), c) //nolint:errcheck // a mutant
		}
	}
}

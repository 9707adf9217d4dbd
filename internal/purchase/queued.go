package purchase

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
)

// Class Q: the purchase is ordered for a later second that nobody else of this
// account and region uses, and can be deleted for nothing until then. The second
// is its identity; doubt is resolved while nothing is owed.

const (
	// lead is how far ahead a purchase is queued at least: long enough for every
	// request to be dead and visible, and for a person to call it off.
	lead = 2 * time.Hour
	// LastCall is how long before its second an order can no longer be deleted safely.
	LastCall = 10 * time.Minute
	// verify is how long before its second an order of an all-or-nothing plan is
	// deleted unless every other line of the plan is ordered too.
	verify = 30 * time.Minute
	// fired is how long after its second an order must have become something else.
	fired = 30 * time.Minute
)

// LatestFire is the last second that a purchase which is ordered now may be ordered for.
func LatestFire(now time.Time, least time.Duration) time.Time {
	return now.Add(max(lead, least) + fireSpread*time.Second)
}

// fireSpread is over how many seconds attempts spread theirs.
const fireSpread = 1800

// fireAt picks the second of an attempt from its nonce, so that two attempts of
// one lane rarely want the same one; the ledger refuses a second taker.
func fireAt(now time.Time, least time.Duration, nonce string) time.Time {
	h := uint32(2166136261)
	for i := range len(nonce) {
		h = (h ^ uint32(nonce[i])) * 16777619
	}
	return now.Add(max(lead, least)).Truncate(time.Second).Add(time.Duration(1+h%fireSpread) * time.Second)
}

// orders returns what is listed for the second of an attempt, deleted orders
// apart.
func orders(a Attempt, found []cloud.Evidence) (live, deleted []cloud.Evidence) {
	for _, f := range commitments(found) {
		switch {
		case !f.Commitment.Start.Equal(a.FireAt):
		case f.Commitment.State == cloud.Deleted:
			deleted = append(deleted, f)
		default:
			live = append(live, f)
		}
	}
	return live, deleted
}

// unwanted returns the orders that have to be deleted: all but one of several
// for the same second once no more can appear, and all of a line that was called
// off.
func (rules Rules) unwanted(row *Row, found []cloud.Evidence, now time.Time) []cloud.Commitment {
	if len(row.Attempts) == 0 {
		return nil // lost with a rollback: what is there is for a person
	}
	a := row.Attempts[len(row.Attempts)-1]
	live, _ := orders(a, found)
	// Every look of every process keeps the same one.
	slices.SortFunc(live, func(x, y cloud.Evidence) int { return strings.Compare(x.Commitment.ID, y.Commitment.ID) })
	var list []cloud.Commitment
	for i, f := range live {
		if mismatch(row, *f.Commitment) != "" {
			return nil // somebody else's, perhaps: a person decides
		}
		surplus := i > 0 && !now.Before(a.SettledAt)
		off := (row.Line.State == QueuedLine || row.Line.State == Recovery) && row.takenBack(a.FireAt, now)
		if f.Commitment.State == cloud.Queued && now.Before(a.FireAt.Add(-LastCall)) && (surplus || off) {
			list = append(list, *f.Commitment)
		}
	}
	return list
}

// calledOff reports whether the line is not wanted any more: somebody canceled
// it, or its all-or-nothing plan has failed elsewhere.
func (r *Row) calledOff() bool { return r.Line.CancelRequested || r.PlanFailed }

// takenBack reports whether an order of the line has to be deleted before its
// second: the line was called off, or its all-or-nothing plan is short of another
// line when it has to be whole.
func (r *Row) takenBack(fireAt, now time.Time) bool {
	return r.calledOff() || r.PlanShort && !now.Before(fireAt.Add(-verify))
}

// nextOfOrder is when a queued order is looked at next.
func (r *Row) nextOfOrder(fireAt, now time.Time) time.Time {
	switch check := fireAt.Add(-verify); {
	case r.takenBack(fireAt, now) && now.Before(fireAt.Add(-LastCall)):
		return now.Add(ReadRetry)
	case r.Together && now.Before(check):
		return check
	case now.After(fireAt):
		return now.Add(ReadRetry)
	}
	return fireAt.Add(time.Minute)
}

// lookQueued (T5, T6, T7, T8, T9, T12) follows an order from in doubt to queued to
// fired.
func (rules Rules) lookQueued(row *Row, ev Looked, now time.Time) (Change, error) {
	a := row.Attempts[len(row.Attempts)-1]
	live, deleted := orders(a, ev.Found)
	first := ev.Found[0]
	settled := !first.Started.Before(a.SettledAt) && !first.CloudTime.Before(a.SettledAt)
	review := func(why string, about ...cloud.Evidence) (Change, error) {
		c := move(row, "T12", NeedsReview, why, now)
		c.Evidence = evidenceFor(a.N, append(about, first))
		return c, nil
	}
	switch {
	case len(live) == 1 && mismatch(row, *live[0].Commitment) != "":
		return review(mismatch(row, *live[0].Commitment), live[0])
	case row.Line.State == Armed && !settled:
		return stillInDoubt(row, row.SettledAt(), now), nil
	case len(live) > 1:
		for _, f := range live {
			if why := mismatch(row, *f.Commitment); why != "" {
				return review("one of several orders for one second is not this line's: "+why, live...)
			}
		}
		if now.Before(a.FireAt.Add(-LastCall)) {
			c := stay(row)
			c.Reason, c.LookAt = fmt.Sprintf("%d orders for one second; deleting all but one", len(live)), now.Add(ReadRetry)
			return c, nil
		}
		return review(fmt.Sprintf("%d orders for one second were not deleted in time", len(live)), live...)
	case len(live) == 0:
		return rules.noOrder(row, a, deleted, ev, now)
	}

	order := live[0]
	switch order.Commitment.State {
	case cloud.Queued:
		if row.Line.State == QueuedLine {
			c := stay(row)
			c.LookAt = row.nextOfOrder(a.FireAt, now)
			if now.After(a.FireAt.Add(fired)) {
				return review("the order is still queued long after its second", order)
			}
			return c, nil
		}
		c := move(row, "T5", QueuedLine, "queued for "+a.FireAt.UTC().Format("2006-01-02 15:04:05 MST")+", deletable until 10 minutes before", now)
		c.LookAt, c.MustLeaveBy = row.nextOfOrder(a.FireAt, now), a.FireAt.Add(fired)
		if c.MustLeaveBy.Before(now) {
			c.MustLeaveBy = now.Add(rules.Grace)
		}
		if row.takenBack(a.FireAt, now) {
			c.LookAt = now
		}
		c.Attempts = []AttemptChange{{N: a.N, To: AttemptAccepted, Outcome: a.Outcome, Code: a.Code, Handle: order.Commitment.ID, EndedAt: a.EndedAt}}
		c.Evidence = about(a.N, []cloud.Evidence{order})
		return c, nil
	case cloud.Failed, cloud.Returned:
		c := move(row, "T9", Failed, "the order fired, but "+fate(order.Commitment.State), now)
		c.Attempts = closeOthers(row, 0, AttemptDead, now)
		c.Evidence = about(a.N, []cloud.Evidence{order})
		return c, nil
	}
	c := rules.take(row, a.N, order, now)
	if row.Line.State == QueuedLine {
		c.Rule = "T6"
	}
	return c, nil
}

// noOrder concludes from a settled listing without an order for the second.
func (rules Rules) noOrder(row *Row, a Attempt, deleted []cloud.Evidence, ev Looked, now time.Time) (Change, error) {
	// What an all-or-nothing plan has taken back stays so, if the line that it was
	// short of came in between.
	off := row.takenBack(a.FireAt, now) || row.Together && !now.Before(a.FireAt.Add(-verify))
	switch {
	case row.Line.State == QueuedLine && off && slices.ContainsFunc(deleted, func(e cloud.Evidence) bool {
		return a.Handle == "" || e.Commitment.ID == a.Handle
	}):
		why := "called off"
		if !row.calledOff() {
			why = "the all-or-nothing plan was not whole in time"
		}
		c := move(row, "T7", Canceled, why+"; the order was deleted before it fired", now)
		c.Attempts = closeOthers(row, 0, AttemptDead, now)
		c.Evidence = about(a.N, deleted)
		return c, nil
	case row.Line.State == QueuedLine && now.Before(a.FireAt.Add(fired)) && len(deleted) == 0:
		c := stay(row) // a listing may miss it for a moment
		c.LookAt = now.Add(ReadRetry)
		return c, nil
	case row.Line.State == QueuedLine || a.State == AttemptAccepted:
		c := move(row, "T12", NeedsReview, "the order is gone and nobody here deleted it", now)
		c.Evidence = evidenceFor(a.N, append(deleted, ev.Found[0]))
		return c, nil
	}
	last := summary(ev.Found[0], "a complete listing shows no order for the second of this attempt")
	c := rules.empty(row, last, now)
	c.Attempts = closeOthers(row, 0, AttemptDead, now)
	c.Evidence = about(a.N, []cloud.Evidence{last})
	return c, nil
}

// evidenceFor is about without repeats of the same listing.
func evidenceFor(n int, found []cloud.Evidence) []AttemptEvidence {
	if len(found) > 1 && found[len(found)-1].Commitment == found[0].Commitment {
		found = found[:len(found)-1]
	}
	return about(n, found)
}

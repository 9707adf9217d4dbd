package purchase

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"bursar/internal/cloud"
)

// look (T4, T8, T9, T12, T15) draws the conclusion from a complete look. What is found
// counts at once; what is not found counts only when everything the open attempts
// could have done must be visible.
func (rules Rules) look(row *Row, ev Looked, now time.Time) (Change, error) {
	if row.Line.State == Recovery && len(ev.Found) > 0 {
		return rules.lookBack(row, ev, now)
	}
	waiting := row.Line.State == Armed || row.Line.State == QueuedLine && row.Line.Class == cloud.ClassQueued
	if !waiting || len(ev.Found) == 0 || !row.named() && row.InDoubt() == 0 {
		return Change{}, ErrNoStep
	}
	switch {
	case row.Line.Class.Locks():
		return rules.lookLane(row, ev, now)
	case row.Line.Class == cloud.ClassQueued:
		return rules.lookQueued(row, ev, now)
	}
	found := commitments(ev.Found)
	switch {
	case len(found) > 1:
		c := move(row, "T12", NeedsReview, fmt.Sprintf("%d commitments exist under this line's names", len(found)), now)
		c.Evidence = about(0, found)
		return c, nil
	case len(found) == 1:
		return rules.adopt(row, found[0], now)
	}

	// Nothing is open, and the line still armed, when two negative answers were
	// written down at once, each by a process that saw the other attempt open.
	settled := row.SettledAt()
	seen := ev.Found[0]
	if seen.Started.Before(settled) || seen.CloudTime.Before(settled) {
		return stillInDoubt(row, settled, now), nil
	}
	if row.mayHaveBought() {
		return review(row, row.firstOpen().N, "the cloud said that this name exists, and no listing shows it", seen, now), nil
	}
	seen.Detail = "a complete listing shows nothing"
	if !settled.IsZero() {
		seen.Detail = "a complete listing after " + settled.UTC().Format(time.RFC3339) + " shows nothing"
	}
	c := rules.empty(row, seen, now)
	c.Attempts = closeOthers(row, 0, AttemptDead, now)
	c.Evidence = about(0, ev.Found)
	return c, nil
}

// fate says why a commitment in a state that binds nobody came to nothing.
func fate(s cloud.CommitmentState) string {
	switch s {
	case cloud.Failed:
		return "its payment failed"
	case cloud.Returned:
		return "it was given back"
	}
	return "it is " + string(s)
}

// mayHaveBought reports whether the cloud has said something about an open attempt
// that a listing without it contradicts.
func (r *Row) mayHaveBought() bool {
	for a := range r.Open() {
		if a.Outcome == cloud.Exists || a.State == AttemptAccepted {
			return true
		}
	}
	return false
}

// review (T12) leaves a contradiction to a person.
func review(row *Row, n int, why string, cite cloud.Evidence, now time.Time) Change {
	c := move(row, "T12", NeedsReview, why, now)
	c.Evidence = about(n, []cloud.Evidence{cite})
	return c
}

// stillInDoubt keeps a line that may have been bought until the cloud must show it.
func stillInDoubt(row *Row, settled, now time.Time) Change {
	c := stay(row)
	until := settled.UTC().Format("15:04:05 MST")
	switch {
	case row.Line.Class.Locks():
		c.Reason = "in quarantine: what it bought may still appear until " + until + "; nothing else is bought in its lane before"
	case row.Line.Class == cloud.ClassQueued && row.mayHaveBought():
		c.Reason = "ordered; that it is the only order for its second shows from " + until
	default:
		c.Reason = "in doubt: not listed, but it may still appear until " + until
	}
	c.LookAt = nextLook(row, now, settled)
	return c
}

// nextLook spaces the looks of a line in doubt by a quarter of the time that the
// doubt has lasted, and puts the last one on the moment it can be closed.
func nextLook(row *Row, now, settled time.Time) time.Time {
	last := row.Attempts[len(row.Attempts)-1].ArmedAt
	wait := min(max(now.Sub(last)/4, time.Second), time.Minute)
	if next := now.Add(wait); next.Before(settled) || !now.Before(settled) {
		return next
	}
	return settled
}

// adopt (T4, T9, T12) takes a commitment found under the line's name as the
// effect of the attempt that used the name. Where purchases are orders that are
// carried out later, one that is pending has no effect yet.
func (rules Rules) adopt(row *Row, found cloud.Evidence, now time.Time) (Change, error) {
	owner := row.maker(*found.Commitment)
	why := mismatch(row, *found.Commitment)
	switch {
	case owner == 0:
		why = found.Commitment.ID + " carries a name of this line that no attempt used"
	case row.Attempts[owner-1].State.Closed():
		why = found.Commitment.ID + " was bought under a name that was already proven empty"
	}
	if why != "" {
		c := move(row, "T12", NeedsReview, why, now)
		c.Evidence = about(owner, []cloud.Evidence{found})
		return c, nil
	}
	if row.Line.Class == cloud.ClassHandle && found.Commitment.State == cloud.Pending {
		c := stay(row)
		c.Reason = "ordered as " + found.Commitment.ID + "; the cloud has not confirmed it yet"
		c.LookAt = nextLook(row, now, time.Time{})
		return c, nil
	}
	if !found.Commitment.State.Binding() {
		// The name is spent on a commitment that was never paid, and nothing else
		// can come of the requests under it.
		c := move(row, "T9", Failed, found.Commitment.ID+" was ordered, but "+fate(found.Commitment.State), now)
		c.Attempts = append(closeOthers(row, owner, AttemptDead, now),
			AttemptChange{N: owner, To: AttemptDead, Outcome: row.Attempts[owner-1].Outcome, Code: row.Attempts[owner-1].Code, EndedAt: now})
		c.Evidence = about(owner, []cloud.Evidence{found})
		return c, nil
	}
	return rules.take(row, owner, found, now), nil
}

// mismatch says how a commitment differs from what the line asked for; "" means
// that it is what was approved.
func mismatch(row *Row, got cloud.Commitment) string {
	want := row.Line.Spec
	differs := func(what string, got, want any) string {
		return fmt.Sprintf("the cloud shows %s %v, approved was %v", what, got, want)
	}
	switch {
	case got.Account != want.Account:
		return differs("account", got.Account, want.Account)
	case got.Region != want.Offering.Region:
		return differs("region", got.Region, want.Offering.Region)
	case got.OfferingID != "" && got.OfferingID != want.Offering.ID:
		return differs("offering", got.OfferingID, want.Offering.ID)
	case got.Quantity != want.Quantity:
		return differs("quantity", got.Measure(), want.Offering.Measure(want.Quantity))
	case got.Term != want.Offering.Term:
		return differs("term", got.Term, want.Offering.Term)
	case got.Payment != want.Offering.Payment:
		return differs("payment", got.Payment, want.Offering.Payment)
	case !maps.Equal(got.Attributes, want.Offering.Attributes):
		return differs("attributes", got.Attributes, want.Offering.Attributes)
	}
	return ""
}

func commitments(found []cloud.Evidence) []cloud.Evidence {
	if !slices.ContainsFunc(found, func(e cloud.Evidence) bool { return e.Commitment == nil }) {
		return found
	}
	var with []cloud.Evidence
	for _, e := range found {
		if e.Commitment != nil {
			with = append(with, e)
		}
	}
	return with
}

func about(n int, found []cloud.Evidence) []AttemptEvidence {
	rows := make([]AttemptEvidence, len(found))
	for i, e := range found {
		rows[i] = AttemptEvidence{N: n, Evidence: e}
	}
	return rows
}

package purchase

import (
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
)

// A ledger that was restored, cloned or failed over may have forgotten attempts
// that were sent, even whole generations. Then every approval is void and every
// open line waits in recovery (T14) until each request of the lost time is dead
// and visible. It is closed (T15) by a listing of its whole lane, by the line's
// prefix and not by attempt: a later generation that the ledger knows nothing of
// may be the one that bought.

// RecoveryDwell is how long a line may wait in recovery before somebody is told.
const RecoveryDwell = 2 * time.Hour

// backupMargin covers writes that were under way when a backup was taken.
const backupMargin = time.Hour

// lookBack (T15) closes a line in recovery.
func (rules Rules) lookBack(row *Row, ev Looked, now time.Time) (Change, error) {
	settled := row.Restored.Add(ev.Facts.Life + ev.Facts.Settle)
	first := ev.Found[0]
	if first.Started.Before(settled) || first.CloudTime.Before(settled) {
		c := stay(row)
		c.Reason = "the ledger went back in time; what it has lost may still appear until " + settled.UTC().Format("15:04:05 MST")
		c.LookAt = settled
		if !now.Before(settled) {
			c.LookAt = now.Add(ReadRetry) // the cloud's clock is behind ours
		}
		return c, nil
	}
	found := row.lost(ev.Found)
	end := func(to State, why string, cite ...cloud.Evidence) Change {
		c := move(row, "T15", to, why, now)
		c.Evidence = about(0, cite)
		if to.Terminal() {
			c.Attempts = closeOthers(row, 0, AttemptDead, now)
		}
		return c
	}
	if !row.named() {
		trail := commitments(ev.Trail)
		listed := func(t cloud.Evidence) int {
			return slices.IndexFunc(found, func(e cloud.Evidence) bool { return e.Commitment.ID == t.Commitment.ID })
		}
		for _, t := range trail {
			if listed(t) < 0 {
				return end(NeedsReview, "the audit log names "+t.Commitment.ID+", which no listing shows as new", t), nil
			}
		}
		if len(trail) == 1 {
			t, i := trail[0], listed(trail[0])
			if mismatch(row, *found[i].Commitment) == "" {
				n := 0 // the log was asked about the credential of the open attempt
				for a := range row.Open() {
					n = a.N
				}
				t.Commitment = found[i].Commitment
				return rules.recovered(row, n, t, now), nil
			}
		}
	}
	switch {
	case len(found) == 0:
		for a := range row.Open() {
			if a.Outcome == cloud.Exists || a.State == AttemptAccepted && row.Line.Class != cloud.ClassQueued {
				return end(NeedsReview, "the cloud said that a request of this line was accepted, and no listing shows what came of it", first), nil
			}
		}
		return end(Canceled, "the ledger went back in time, which voids the approval; nothing was bought", summary(first, "a complete listing shows nothing")), nil
	case len(found) > 1:
		return end(NeedsReview, "the ledger went back in time, and more than one commitment could be this line's", found...), nil
	}
	only := found[0]
	if why := mismatch(row, *only.Commitment); why != "" {
		return end(NeedsReview, why, only), nil
	}
	n := row.maker(*only.Commitment)
	switch {
	case n > 0 && row.Attempts[n-1].State.Closed() && row.Attempts[n-1].State != AttemptSucceeded:
		return end(NeedsReview, only.Commitment.ID+" was bought under a name that was already proven empty", only), nil
	case !row.named() && n == 0 && !row.Ours(*only.Commitment):
		return end(NeedsReview, "the ledger went back in time, and "+only.Commitment.ID+" could be this line's", only), nil
	case row.Line.Class == cloud.ClassHandle && only.Commitment.State == cloud.Pending:
		c := stay(row)
		c.Reason, c.LookAt = "ordered before the ledger went back in time; the cloud has not confirmed it yet", now.Add(ReadRetry)
		return c, nil
	case only.Commitment.State == cloud.Queued:
		c := stay(row)
		c.Reason, c.LookAt = "ordered before the ledger went back in time; waiting for its second", only.Commitment.Start.Add(time.Minute)
		c.MustLeaveBy = only.Commitment.Start.Add(fired)
		if row.calledOff() || !now.Before(c.LookAt) {
			c.LookAt = now.Add(ReadRetry)
		}
		if now.After(c.MustLeaveBy) {
			return end(NeedsReview, "the order is still queued long after its second", only), nil
		}
		return c, nil
	}
	return rules.recovered(row, n, only, now), nil
}

// lost returns what a listing of the lane shows that this line may have bought,
// whatever the ledger still knows of it. What was never paid is left out.
func (r *Row) lost(found []cloud.Evidence) []cloud.Evidence {
	prefix := identityPrefix(r.Install, r.Line.ID)
	var list, ordered []cloud.Evidence
	for _, f := range commitments(found) {
		c := f.Commitment
		switch {
		case !c.State.Binding():
		case !r.named() && slices.Contains(r.Explained, c.ID):
		case c.Name != "" && !r.Ours(*c): // somebody else's: our requests carry names
		case r.Line.Class == cloud.ClassQueued && r.maker(*c) > 0:
			ordered = append(ordered, f)
		case r.named():
			if hasPrefix(c.ID, prefix) || hasPrefix(c.Name, prefix) || r.maker(*c) > 0 {
				list = append(list, f)
			}
		case r.maker(*c) > 0, !c.Start.Before(r.Backup.Add(-backupMargin)):
			list = append(list, f)
		}
	}
	if len(ordered) > 0 {
		return ordered // the second is the line's own
	}
	return list
}

// recovered (T15) records what the lost time had bought. n is 0 when the attempt
// was lost too.
func (rules Rules) recovered(row *Row, n int, e cloud.Evidence, now time.Time) Change {
	c := move(row, "T15", Purchased, "found when the ledger had gone back in time", now)
	c.Attempts = closeOthers(row, n, AttemptDead, now)
	if n > 0 && !row.Attempts[n-1].State.Closed() {
		a := row.Attempts[n-1]
		c.Attempts = append(c.Attempts, AttemptChange{N: n, To: AttemptSucceeded, Outcome: a.Outcome, Code: a.Code, EndedAt: now})
	}
	c.Evidence = about(n, []cloud.Evidence{e})
	c.Receipt = &Receipt{Line: row.Line.ID, Attempt: n, Term: row.Line.Spec.Offering.Term, Commitment: *e.Commitment, At: now, How: e.Kind}
	return c
}

// hasPrefix compares without case: clouds may fold names.
func hasPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

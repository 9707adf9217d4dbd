package purchase

import (
	"fmt"
	"time"

	"bursar/internal/cloud"
)

// answer (T4, T8, T9, T12) records what the one request of an attempt proved.
func (rules Rules) answer(row *Row, ev Answered, now time.Time) (Change, error) {
	if ev.N < 1 || ev.N > len(row.Attempts) || row.Attempts[ev.N-1].Nonce != ev.Nonce {
		return Change{}, ErrNoStep
	}
	a := row.Attempts[ev.N-1]
	if row.Line.State != Armed || a.State != AttemptArmed && a.State != AttemptAccepted {
		return late(row, a, ev.Evidence, now)
	}
	e := ev.Evidence
	record := func(c Change, to AttemptState) Change {
		c.Attempts = append(c.Attempts, AttemptChange{N: a.N, To: to, Outcome: e.Outcome, Code: e.Code, Handle: e.Handle, EndedAt: now})
		c.Evidence = append(c.Evidence, AttemptEvidence{N: a.N, Evidence: e})
		return c
	}
	switch {
	case ev.SecondRequest:
		c := move(row, "T12", NeedsReview, "a second request was about to be sent for one attempt and was stopped; the first is in doubt", now)
		return record(c, AttemptInDoubt), nil

	case row.Line.Class == cloud.ClassQueued && (e.Outcome == cloud.Bought || e.Outcome == cloud.Accepted):
		// An order, not yet a purchase: the listing has to show that it is the only
		// one for its second.
		c := stay(row)
		c.LookAt, c.Reason = a.SettledAt, "ordered; waiting for the listing to settle"
		return record(c, AttemptAccepted), nil

	case e.Outcome == cloud.Accepted:
		c := stay(row)
		c.LookAt, c.Reason = now, "accepted by the cloud; following it"
		return record(c, AttemptAccepted), nil

	case e.Outcome == cloud.Bought && e.Commitment != nil:
		why := mismatch(row, *e.Commitment)
		if why == "" && row.Line.Class == cloud.ClassName && !a.made(*e.Commitment) {
			why = "the cloud names " + e.Commitment.ID + ", asked for was " + a.Intent.Identity
		}
		if why != "" {
			return record(move(row, "T12", NeedsReview, why, now), AttemptInDoubt), nil
		}
		c := record(move(row, "T4", Purchased, "", now), AttemptSucceeded)
		c.Receipt = &Receipt{Line: row.Line.ID, Attempt: a.N, Term: row.Line.Spec.Offering.Term, Commitment: *e.Commitment, At: now, How: e.Kind}
		c.Attempts = append(c.Attempts, closeOthers(row, a.N, AttemptDead, now)...)
		return c, nil

	case e.Outcome.Negative():
		to := AttemptRejected
		if e.Outcome == cloud.Unsent {
			to = AttemptUnsent
		}
		if row.InDoubt() > 1 {
			// This request bought nothing; another one of the line is still in doubt.
			c := stay(row)
			c.LookAt, c.Reason = now, "refused, but an earlier request is still in doubt"
			return record(c, to), nil
		}
		return record(rules.empty(row, e, now), to), nil
	}
	c := stay(row)
	c.LookAt = now
	c.Reason = "no answer that proves anything; looking"
	if e.Outcome == cloud.Exists {
		c.Reason = "the cloud says that this name exists; looking for it"
	}
	return record(c, AttemptInDoubt), nil
}

// late keeps an answer that comes after somebody else has moved the line. It
// changes nothing, unless it proves a purchase that the ledger holds for empty.
func late(row *Row, a Attempt, e cloud.Evidence, now time.Time) (Change, error) {
	if a.Outcome == e.Outcome && a.State != AttemptArmed {
		return Change{}, ErrNoStep // recorded already
	}
	c := stay(row)
	positive := e.Outcome == cloud.Bought || e.Outcome == cloud.Exists
	if positive && row.Line.State == Ready {
		c = move(row, "T12", NeedsReview, "a late answer proves a purchase that was held for empty", now)
	}
	c.Evidence = []AttemptEvidence{{N: a.N, Evidence: e}}
	return c, nil
}

// closeOthers closes the other open attempts of a line that is settled: whatever
// they sent was merged by the cloud into the one commitment.
func closeOthers(row *Row, n int, to AttemptState, now time.Time) []AttemptChange {
	var changes []AttemptChange
	for a := range row.Open() {
		if a.N != n {
			changes = append(changes, AttemptChange{N: a.N, To: to, Outcome: a.Outcome, Code: a.Code, EndedAt: now})
		}
	}
	return changes
}

// empty (T8, T9) moves a line whose every attempt is proven to have bought
// nothing. last is what closed the last of them.
func (rules Rules) empty(row *Row, last cloud.Evidence, now time.Time) Change {
	switch {
	case row.Line.CancelRequested:
		return move(row, "T9", Canceled, "called off; nothing was bought", now)
	case row.PlanState != PlanApproved || !now.Before(row.ApprovalExpires):
		return move(row, "T9", Expired, "the approval ended; nothing was bought", now)
	case last.Outcome == cloud.Refused:
		return move(row, "T9", Failed, "refused: "+sentence(last), now)
	case !rules.attemptsLeft(row):
		return move(row, "T9", Failed, fmt.Sprintf("nothing bought in %d attempts; last: %s", row.Line.Armed, sentence(last)), now)
	}
	c := move(row, "T8", Ready, "", now)
	c.Generation = row.Line.Generation + 1
	if last.Outcome == cloud.Throttled || last.Outcome == cloud.Unsent {
		c.Reason = "not sent or throttled: " + sentence(last)
		c.LookAt = now.Add(backoff(row.Line.Armed))
	}
	return c
}

func sentence(e cloud.Evidence) string {
	if e.Detail != "" {
		return e.Detail
	}
	if e.Code != "" {
		return e.Code
	}
	return e.Outcome.String()
}

// backoff doubles from half a second to a minute.
func backoff(n int) time.Duration {
	d := 500 * time.Millisecond
	for range min(n, 8) - 1 {
		d *= 2
	}
	return min(d, time.Minute)
}

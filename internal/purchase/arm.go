package purchase

import (
	"fmt"
	"time"

	"bursar/internal/cloud"
)

// arm (T2, T3) gives one attempt the right to be sent.
func (rules Rules) arm(row *Row, ev Checked, now time.Time) (Change, error) {
	if row.Line.State != Ready && !rules.mayResend(row, ev.Facts, now) || !row.Sendable(now) {
		return Change{}, ErrNoStep
	}
	if found := commitments(ev.Found); len(found) > 0 && row.named() {
		if row.Line.State == Armed {
			return rules.look(row, Looked{Facts: ev.Facts, Found: ev.Found}, now)
		}
		// Every earlier attempt is proven empty and none of this generation was
		// armed. Either the ledger went back in time or somebody uses our names.
		c := move(row, "T12", NeedsReview, fmt.Sprintf(
			"%s exists under this line's name although the ledger says that nothing was bought", found[0].Commitment.ID), now)
		c.Evidence = about(0, found)
		return c, nil
	}
	if ev.Drift == "" && len(ev.News) > 0 && row.Line.State == Ready {
		ev.Drift = fmt.Sprintf("%s is new in %s since the plan was made; it may meet the same need", ev.News[0], row.Line.Spec.Lane())
	}
	if skew := ev.Quote.CloudTime.Sub(now).Abs(); ev.Drift == "" && skew > maxSkew {
		c := stay(row)
		c.Reason = fmt.Sprintf("this machine's clock and the cloud's differ by %s; deadlines would not hold", skew.Round(time.Second))
		c.LookAt = now.Add(clockRetry)
		return c, nil
	}
	if ev.Drift == "" {
		var err error
		if ev.Drift, err = drift(row, ev.Quote.Offering); err != nil {
			return Change{}, err
		}
	}
	if ev.Drift != "" {
		if row.Line.State == Armed { // T11 is for lines with nothing open: keep looking instead
			c := stay(row)
			c.Reason, c.LookAt = ev.Drift, row.SettledAt()
			return c, nil
		}
		c := move(row, "T11", NeedsReapproval, ev.Drift, now)
		c.LookAt = row.ApprovalExpires // until then a new version of the plan may take its place
		return c, nil
	}

	deadline := now.Add(ev.Facts.Life)
	a := Attempt{
		Line: row.Line.ID, N: row.Line.Armed + 1, Generation: row.Line.Generation, Nonce: ev.Nonce,
		Protocol: ProtocolVersion, Intent: row.Intent(deadline), Credential: ev.Quote.Credential,
		ArmedAt: now, AnswerBy: now.Add(rules.Gate + ev.Facts.Answer + 5*time.Second),
		SettledAt: deadline.Add(ev.Facts.Settle), State: AttemptArmed,
	}
	a.Intent.Order = ev.Quote.Order
	switch {
	case row.Line.Class.Locks():
		a.Before = ids(ev.Found)
		if first := row.firstOpen(); first != nil {
			a.Before = first.Before // a request that is repeated may have had its effect already
		}
	case row.Line.Class == cloud.ClassQueued:
		a.FireAt = fireAt(now, ev.Facts.Lead, ev.Nonce)
		a.Intent.FireAt = a.FireAt
		if live, deleted := orders(a, ev.Found); len(live)+len(deleted) > 0 {
			c := stay(row) // the second is taken; another nonce picks another one
			c.LookAt = now
			return c, nil
		}
	}
	rule := Rule("T2")
	if row.Line.State == Armed {
		rule = "T3"
	}
	c := move(row, rule, Armed, "", now)
	c.Arm = &a
	c.LookAt = now.Add(firstLook)
	c.MustLeaveBy = a.SettledAt.Add(rules.Grace)
	return c, nil
}

// named reports whether a look can ask for the line's purchases alone.
func (r *Row) named() bool { return r.Line.Class.Named() }

// firstOpen returns the earliest attempt whose effect is not known; nil without
// one.
func (r *Row) firstOpen() *Attempt {
	for a := range r.Open() {
		return a
	}
	return nil
}

// mayResend reports whether the line's identity may be used for one more request
// while an earlier one is in doubt. The cloud merges requests of one name (class
// B), so there this is about load and not about safety: no attempt may be under
// way in a process that is still waiting for its answer, and attempts are spaced.
// A token (classes A and AC) is merged only while the cloud remembers it: the new
// request must be dead before that ends.
func (rules Rules) mayResend(row *Row, f Facts, now time.Time) bool {
	if row.Line.State != Armed || f.Class != row.Line.Class || !rules.attemptsLeft(row) {
		return false
	}
	switch row.Line.Class {
	case cloud.ClassName:
	case cloud.ClassToken, cloud.ClassUnlisted:
		if !now.Add(f.Life).Before(row.firstUse().Add(f.Window)) {
			return false
		}
	default:
		return false
	}
	for _, a := range row.Attempts {
		if a.Generation != row.Line.Generation {
			continue
		}
		switch {
		case a.State == AttemptArmed && now.Before(a.AnswerBy):
			return false
		case a.State == AttemptInDoubt && now.Before(a.EndedAt.Add(backoff(a.N))):
			return false
		case a.Outcome == cloud.Exists:
			return false // the name is taken: a look has to show by what
		case a.Outcome == cloud.Refused:
			return false // and would be again
		}
	}
	return true
}

// firstUse is when the current generation's identity was first armed.
func (r *Row) firstUse() time.Time {
	for _, a := range r.Attempts {
		if a.Generation == r.Line.Generation {
			return a.ArmedAt
		}
	}
	return time.Time{}
}

func (rules Rules) attemptsLeft(row *Row) bool {
	sent := 0
	for _, a := range row.Attempts {
		if a.State != AttemptUnsent && a.Outcome != cloud.Throttled {
			sent++
		}
	}
	return sent < rules.MaxAttempts && len(row.Attempts) < rules.MaxArmed
}

// drift says in one sentence how the offering has moved away from what was
// approved; "" means that it has not.
func drift(row *Row, now cloud.Offering) (string, error) {
	spec := row.Line.Spec
	if !now.SameGoods(spec.Offering) {
		return fmt.Sprintf("offering %s is now %s; approved was %s", now.ID, now.Attributes, spec.Offering.Attributes), nil
	}
	asked, err := now.Price(spec.Quantity)
	if err != nil {
		return "", err
	}
	ok, err := row.Tolerance.Allows(spec.Price, asked)
	if err != nil {
		return "", err
	}
	if !ok {
		return fmt.Sprintf("the price is now %s over the term; approved was %s", asked.Total, spec.Price.Total), nil
	}
	return "", nil
}

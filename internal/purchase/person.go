package purchase

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"bursar/internal/cloud"
)

// Choice is what a person may decide about a line that needs review. There is no
// "retry": a doubt is resolved by looking or by evidence.
type Choice string

// The choices.
const (
	Adopt     Choice = "adopt"      // this commitment is the line's
	NotBought Choice = "not_bought" // the line bought nothing
	LookAgain Choice = "look_again"
)

// Decided is a person's decision about one line, with what was listed for it at
// that moment.
type Decided struct {
	Facts  Facts
	Choice Choice
	By     string
	Second string // a second person; needed when something in the lane is unexplained
	Adopt  string // id of the commitment, for Adopt
	// Comment is why, in the person's words.
	Comment string
	// Found is a complete look under the line's identities, or of its lane.
	Found []cloud.Evidence
	// Unexplained are the ids in the lane that nothing explains.
	Unexplained []string
}

func (Decided) event() {}

// Errors of a decision; each says what is missing.
var (
	ErrTooEarly      = errors.New("what was sent may still appear")
	ErrSecondPerson  = errors.New("something in the lane is unexplained: a second person has to agree")
	ErrNotListed     = errors.New("the commitment is not listed, or something else explains it")
	ErrStillThere    = errors.New("something under this line's names is listed")
	ErrNothingToLook = errors.New("no request of the line is open; there is nothing to look for")
)

// decide (T13) carries out a person's decision. It is recorded as a guess: the
// ledger goes on comparing it with what the cloud lists.
func (rules Rules) decide(row *Row, ev Decided, now time.Time) (Change, error) {
	if row.Line.State != NeedsReview || ev.By == "" {
		return Change{}, ErrNoStep
	}
	word := cloud.Evidence{Kind: cloud.EvidencePerson, Operation: string(ev.Choice), Started: now}
	says := func(c *Change, agreed bool) {
		word.Detail = c.Reason
		if agreed && ev.Second != "" {
			word.Detail += "; " + ev.Second + " agreed"
		}
		if ev.Comment != "" {
			word.Detail += ": " + ev.Comment
		}
	}
	switch ev.Choice {
	case LookAgain:
		if row.InDoubt() == 0 {
			return Change{}, ErrNothingToLook
		}
		c := move(row, "T13", Armed, ev.By+" asked to look again", now)
		c.LookAt, c.MustLeaveBy = now, row.SettledAt().Add(rules.Grace)
		if c.MustLeaveBy.Before(now) {
			c.MustLeaveBy = now.Add(rules.Grace)
		}
		says(&c, false)
		c.Evidence = about(0, []cloud.Evidence{word})
		return c, nil

	case NotBought:
		settled := row.SettledSince()
		first := cloud.Evidence{}
		if len(ev.Found) > 0 {
			first = ev.Found[0]
		}
		switch {
		case len(ev.Found) == 0 || now.Before(settled) || first.Started.Before(settled) || first.CloudTime.Before(settled):
			return Change{}, fmt.Errorf("%w until %s", ErrTooEarly, settled.UTC().Format(time.RFC3339))
		case slices.ContainsFunc(commitments(ev.Found), func(e cloud.Evidence) bool { return e.Commitment.State.Binding() && row.Ours(*e.Commitment) }):
			return Change{}, ErrStillThere
		case len(ev.Unexplained) > 0 && (PersonKey(ev.Second) == "" || PersonKey(ev.Second) == PersonKey(ev.By)):
			return Change{}, ErrSecondPerson
		}
		c := move(row, "T13", Failed, ev.By+" decided that nothing was bought", now)
		c.Heuristic, c.DecidedBy = true, ev.By
		c.Attempts = closeOthers(row, 0, AttemptDead, now)
		says(&c, true)
		c.Evidence = about(0, []cloud.Evidence{word, summary(first, "the listing that the decision rests on")})
		return c, nil

	case Adopt:
		i := slices.IndexFunc(ev.Found, func(e cloud.Evidence) bool {
			return e.Commitment != nil && e.Commitment.ID == ev.Adopt && e.Commitment.State.Binding()
		})
		if i < 0 || slices.Contains(row.Explained, ev.Adopt) {
			return Change{}, ErrNotListed
		}
		n := len(row.Attempts) // 0 when the ledger has lost them
		for open := range row.Open() {
			n = open.N
			break
		}
		c := rules.take(row, n, ev.Found[i], now)
		c.Rule, c.Heuristic, c.Reason = "T13", true, ev.By+" decided that "+ev.Adopt+" is this line's"
		c.DecidedBy = ev.By
		if n == 0 || row.Attempts[n-1].State.Closed() {
			c.Attempts = closeOthers(row, 0, AttemptDead, now)
		}
		says(&c, true)
		c.Evidence = append(c.Evidence, about(n, []cloud.Evidence{word})...)
		c.Receipt.How, c.Receipt.Heuristic = cloud.EvidencePerson, true
		return c, nil
	}
	return Change{}, fmt.Errorf("%q is not a choice", ev.Choice)
}

// SettledSince is when everything the line ever sent must be dead and visible:
// from then on a person may decide that nothing was bought. It is zero for a line
// that sent nothing.
func (r *Row) SettledSince() time.Time {
	var last time.Time
	for _, a := range r.Attempts {
		if a.SettledAt.After(last) {
			last = a.SettledAt
		}
	}
	return last
}

// Mismatch says how a commitment differs from what the line asked for; "" means
// that it is what was approved.
func (r *Row) Mismatch(c cloud.Commitment) string { return mismatch(r, c) }

// Ours reports whether a commitment carries a name, of whatever generation, or a
// second of this line.
func (r *Row) Ours(c cloud.Commitment) bool {
	prefix := identityPrefix(r.Install, r.Line.ID)
	return hasPrefix(c.ID, prefix) || hasPrefix(c.Name, prefix) ||
		slices.ContainsFunc(r.Attempts, func(a Attempt) bool { return a.made(c) })
}

package purchase

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bursar/internal/cloud"
)

func moment() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		return t0.Add(time.Duration(rapid.IntRange(-60, 3*3600).Draw(t, "seconds")) * time.Second)
	})
}

// anyRow draws rows that a ledger can hold, and many that it should not.
func anyRow() *rapid.Generator[Row] {
	return rapid.Custom(func(t *rapid.T) Row {
		row := lineIn(rapid.SampledFrom(append(States, Ready, Armed, Armed, Armed)).Draw(t, "state"))
		row.Line.CancelRequested = rapid.IntRange(0, 4).Draw(t, "cancel") == 0
		row.Line.Class = rapid.SampledFrom([]cloud.Class{cloud.ClassName, cloud.ClassName, cloud.ClassNone, cloud.ClassToken}).Draw(t, "class")
		row.Purchasing = rapid.IntRange(0, 4).Draw(t, "stopped") != 0
		row.PlanState = rapid.SampledFrom([]PlanState{PlanApproved, PlanApproved, PlanApproved, PlanSuperseded, PlanProposed}).Draw(t, "plan")
		row.ApprovalExpires = moment().Draw(t, "approval")
		row.Tolerance = Tolerance(rapid.IntRange(0, 300).Draw(t, "tolerance"))
		g := 1
		var as []Attempt
		for n := 1; n <= rapid.IntRange(0, 4).Draw(t, "attempts"); n++ {
			a := attempt(n, g, rapid.SampledFrom(AttemptStates).Draw(t, "attempt"),
				rapid.SampledFrom([]cloud.Outcome{cloud.InDoubt, cloud.Exists, cloud.Refused, cloud.Throttled, cloud.Unsent, cloud.Bought}).Draw(t, "outcome"))
			a.SettledAt = moment().Draw(t, "settled")
			as = append(as, a)
			g += rapid.IntRange(0, 1).Draw(t, "next generation")
		}
		with(as...)(&row)
		row.Line.Generation = max(row.Line.Generation, g)
		return row
	})
}

func anyCommitment() *rapid.Generator[cloud.Commitment] {
	return rapid.Custom(func(t *rapid.T) cloud.Commitment {
		c := boughtAs(identity(rapid.IntRange(1, 5).Draw(t, "name")))
		c.State = rapid.SampledFrom([]cloud.CommitmentState{cloud.Active, cloud.Active, cloud.Pending, cloud.Failed, cloud.Unknown, cloud.Returned}).Draw(t, "commitment")
		if rapid.IntRange(0, 5).Draw(t, "differs") == 0 {
			c.Quantity++
		}
		return c
	})
}

func anyFound() *rapid.Generator[[]cloud.Evidence] {
	return rapid.Custom(func(t *rapid.T) []cloud.Evidence {
		at := moment().Draw(t, "look")
		if rapid.Bool().Draw(t, "absent") {
			return absentAt(at, moment().Draw(t, "cloud")).Found
		}
		return listed(at, rapid.SliceOfN(anyCommitment(), 0, 2).Draw(t, "found")...)
	})
}

func anyEvent() *rapid.Generator[Event] {
	return rapid.Custom(func(t *rapid.T) Event {
		switch rapid.IntRange(0, 3).Draw(t, "event") {
		case 0:
			ev := checkedAt(moment().Draw(t, "quote"))
			ev.Found = anyFound().Draw(t, "found")
			if rapid.IntRange(0, 5).Draw(t, "gone") == 0 {
				ev.Drift = "gone"
			}
			if rapid.IntRange(0, 3).Draw(t, "dearer") == 0 {
				ev.Quote.Offering.Upfront = usd("780")
			}
			return ev
		case 1:
			n := rapid.IntRange(0, 5).Draw(t, "n")
			ev := Answered{N: n, Nonce: nonce(n), SecondRequest: rapid.IntRange(0, 9).Draw(t, "second") == 0, Evidence: cloud.Evidence{
				Kind: cloud.EvidenceReply,
				Outcome: rapid.SampledFrom([]cloud.Outcome{cloud.InDoubt, cloud.Bought, cloud.Exists, cloud.Accepted, cloud.Refused,
					cloud.Throttled, cloud.Unsent, "teapot"}).Draw(t, "answer"),
			}}
			if rapid.Bool().Draw(t, "named") {
				c := anyCommitment().Draw(t, "bought")
				ev.Evidence.Commitment = &c
			}
			return ev
		case 2:
			return Looked{Facts: testFacts, Found: anyFound().Draw(t, "found")}
		}
		return Swept{}
	})
}

func TestPropertyNoFactLeadsToAnIllegalStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row, ev, now := anyRow().Draw(t, "row"), anyEvent().Draw(t, "ev"), moment().Draw(t, "now")
		c, err := DefaultRules.Step(row, ev, now)
		if errors.Is(err, ErrNoStep) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range illegal(row, ev, c, now) {
			t.Error(problem)
		}
	})
}

// illegal says what of a change must never be, for whatever reason it was made.
func illegal(row Row, ev Event, c Change, now time.Time) []string {
	var bad []string
	claim := func(ok bool, what string) {
		if !ok {
			bad = append(bad, what+": "+string(c.Rule)+" from "+string(c.From)+" to "+string(c.To))
		}
	}
	claim(c.Line == row.Line.ID && c.From == row.Line.State, "the change is of another line")
	claim(c.Version == row.Line.Version && c.CancelRequested == row.Line.CancelRequested, "the guards are not those of the row")
	if c.Rule == "" {
		claim(c.To == c.From && c.Receipt == nil && c.Arm == nil && c.Generation == row.Line.Generation, "a step without a rule moves something")
	} else {
		claim(Legal(c.Rule, c.From, c.To), "not in the table")
	}
	claim(!row.Line.State.Terminal() || c.To == row.Line.State, "a terminal state is left")
	if c.Rule != "" && !c.To.Terminal() {
		claim(c.MustLeaveBy.After(now), "an open line without a time to leave by")
	}

	// What is open after the change.
	to := map[int]AttemptState{}
	for _, a := range c.Attempts {
		claim(a.N >= 1 && a.N <= len(row.Attempts) && !row.Attempts[a.N-1].State.Closed(), "a closed attempt is moved")
		_, twice := to[a.N]
		claim(!twice, "an attempt is moved twice")
		to[a.N] = a.To
	}
	open := 0
	for a := range row.Open() {
		if s, moved := to[a.N]; !moved || !s.Closed() {
			open++
		}
	}
	if c.Rule == "T4" || c.Rule == "T8" || c.Rule == "T9" || c.Rule == "T15" && c.To.Terminal() {
		claim(open == 0, "the line is closed with an open attempt")
	}
	claim(c.Generation == row.Line.Generation || c.Rule == "T8" && c.Generation == row.Line.Generation+1, "the generation jumps")
	claim((c.Rule == "T8") == (c.Generation != row.Line.Generation), "a generation begins without T8 or T8 without a generation")

	// Success needs the word of the cloud.
	claim((c.Receipt != nil) == (c.To == Purchased && c.From != Purchased), "a receipt and a purchase do not go together")
	if r := c.Receipt; r != nil {
		claim(mismatch(&row, r.Commitment) == "", "a receipt for other goods")
		// The ledger may have lost the attempt, or know that it succeeded and have
		// lost no more than the receipt.
		lost := c.Rule == "T15" && r.Attempt == 0
		again := c.Rule == "T15" && r.Attempt > 0 && row.Attempts[r.Attempt-1].State == AttemptSucceeded
		claim(lost || again || to[r.Attempt] == AttemptSucceeded, "a receipt for an attempt that did not succeed")
		cited := false
		for _, e := range c.Evidence {
			cited = cited || e.Commitment != nil && e.Commitment.ID == r.Commitment.ID
		}
		claim(cited, "a receipt without evidence of the commitment")
		switch {
		case row.Line.Class != cloud.ClassName:
		case lost:
			claim(hasPrefix(r.Commitment.ID, identityPrefix(row.Install, row.Line.ID)), "a receipt under the name of another line")
		default:
			claim(strings.EqualFold(r.Commitment.ID, row.Attempts[r.Attempt-1].Intent.Identity), "a receipt under another name")
		}
		if _, isLook := ev.(Looked); isLook {
			claim(r.Commitment.State.Binding(), "a receipt for what was never paid")
		}
	}
	switch c.Rule {
	case "T4", "T5", "T6", "T7", "T9", "T12", "T13", "T15":
		claim(len(c.Evidence) > 0, "no evidence")
	case "T8":
		claim(len(c.Evidence) > 0, "an empty closing without evidence")
	}

	// Arming needs permission, an own number and the line's own name.
	claim((c.Arm != nil) == (c.Rule == "T2" || c.Rule == "T3"), "arming and its rules do not go together")
	if a := c.Arm; a != nil {
		claim(row.Sendable(now), "armed without permission")
		claim(a.N == row.Line.Armed+1 && a.Generation == row.Line.Generation && a.Line == row.Line.ID, "the attempt has a wrong place")
		claim(a.Intent.Identity == Identity(row.Install, row.Line.ID, row.Line.Generation), "the attempt has a wrong name")
		claim(a.SettledAt.After(a.Intent.Deadline) && a.Intent.Deadline.After(now) && a.AnswerBy.After(now), "the attempt has wrong times")
		claim(len(row.Attempts) < DefaultRules.MaxArmed, "more attempts than allowed")
		checked, isCheck := ev.(Checked)
		claim(isCheck && (len(commitments(checked.Found)) == 0 || !row.named()), "armed although something exists")
		if c.Rule == "T3" {
			claim(row.named(), "sent again where the cloud merges nothing")
		}
	}
	return bad
}

func TestPropertyTheNextLookIsAheadAndNotPastTheSettledTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row, now, end := armedOnce(), moment().Draw(t, "now"), moment().Draw(t, "settled")
		next := nextLook(&row, now, end)
		if !next.After(now) {
			t.Fatalf("at %s the next look is at %s", now, next)
		}
		if end.After(now) && next.After(end) {
			t.Fatalf("at %s the next look is at %s, past the settled time %s", now, next, end)
		}
		if next.Sub(now) > time.Minute {
			t.Fatalf("the next look is %s away", next.Sub(now))
		}
	})
}

func TestPropertyNobodyIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row, ev, now := anyRow().Draw(t, "row"), anyEvent().Draw(t, "ev"), moment().Draw(t, "now")
		c, err := DefaultRules.Step(row, ev, now)
		if err != nil {
			return
		}
		if !c.To.Terminal() && c.To != Draft && c.MustLeaveBy.IsZero() {
			t.Errorf("%s has no time to leave by", c.To)
		}
		// A worker comes back to every line that it can do something for. One that
		// is armed with nothing open is looked up before anything is checked.
		_, isCheck := ev.(Checked)
		unreachable := isCheck && row.Line.State == Armed && row.InDoubt() == 0
		if (c.To == Ready || c.To == Armed) && c.LookAt.IsZero() && !unreachable {
			t.Errorf("%s is never looked at again", c.To)
		}
	})
}

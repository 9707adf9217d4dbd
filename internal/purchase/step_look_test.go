package purchase

import (
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
)

func looked(found []cloud.Evidence) Looked { return Looked{Facts: testFacts, Found: found} }

// absentAt is a complete look that shows nothing, begun at the given times by
// our clock and by the cloud's.
func absentAt(ours, clouds time.Time) Looked {
	found := nothingListed(ours)
	found[0].CloudTime = clouds
	return looked(found)
}

func TestWhatIsNotListedIsEmptyOnlyWhenSettledByBothClocks(t *testing.T) {
	end := t0.Add(settled)
	dead := map[int]AttemptState{1: AttemptDead}
	doubt := "not listed, but it may still appear until 10:07:00 UTC"
	two := lineIn(Armed, with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(2, 1, AttemptInDoubt, cloud.InDoubt)))
	runSteps(t, []stepCase{
		{name: "long before", row: armedOnce(), ev: absentAt(t0, t0), now: t0, to: Armed, reason: doubt, lookAt: t0.Add(time.Second)},
		{name: "a nanosecond before by our clock", row: armedOnce(), ev: absentAt(end.Add(-1), end), now: end, to: Armed, reason: doubt},
		{name: "a nanosecond before by the cloud's", row: armedOnce(), ev: absentAt(end, end.Add(-1)), now: end, to: Armed, reason: doubt},
		{name: "by our clock only", row: armedOnce(), ev: absentAt(end.Add(time.Hour), t0), now: end.Add(time.Hour), to: Armed, reason: doubt},
		{name: "by the cloud's only", row: armedOnce(), ev: absentAt(t0, end.Add(time.Hour)), now: t0, to: Armed, reason: doubt},
		{name: "the cloud told no time", row: armedOnce(), ev: absentAt(end.Add(time.Hour), time.Time{}), now: end.Add(time.Hour), to: Armed, reason: doubt},
		{name: "the look began before and ended after", row: armedOnce(), ev: absentAt(end.Add(-time.Second), end.Add(time.Second)), now: end.Add(time.Minute), to: Armed, reason: doubt},

		{name: "settled", row: armedOnce(), ev: absentAt(end, end), now: end, rule: "T8", to: Ready, generation: 2, attempts: dead, lookAt: end, evidence: 1},
		{name: "settled, stopped", row: armedOnce(stopped), ev: absentAt(end, end), now: end, rule: "T8", to: Ready, generation: 2, attempts: dead, evidence: 1},
		{name: "settled, called off", row: armedOnce(calledOff), ev: absentAt(end, end), now: end, rule: "T9", to: Canceled, attempts: dead, reason: "called off", evidence: 1},
		{name: "settled, approval over", row: armedOnce(approvedUntil(end)), ev: absentAt(end, end), now: end, rule: "T9", to: Expired, attempts: dead, reason: "approval ended", evidence: 1},
		{name: "called off, not settled", row: armedOnce(calledOff), ev: absentAt(t0, t0), now: t0, to: Armed, reason: doubt},
		{name: "approval over, not settled", row: armedOnce(approvedUntil(t0)), ev: absentAt(t0, t0), now: t0, to: Armed, reason: doubt},

		{name: "settled for the first of two", row: two, ev: absentAt(end, end), now: end, to: Armed, reason: "until 10:08:00 UTC"},
		{name: "settled for both of two", row: two, ev: absentAt(end.Add(time.Minute), end.Add(time.Minute)), now: end.Add(time.Minute),
			rule: "T8", to: Ready, generation: 2, attempts: map[int]AttemptState{1: AttemptDead, 2: AttemptDead}, evidence: 1},
		{name: "closed attempts do not matter", row: lineIn(Armed, with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(2, 1, AttemptRejected, cloud.Throttled))),
			ev: absentAt(end, end), now: end, rule: "T8", to: Ready, generation: 2, attempts: dead, evidence: 1},
	})
}

func TestALineWhoseNameExistsIsNeverClosedAsEmpty(t *testing.T) {
	end := t0.Add(settled)
	exists := attempt(1, 1, AttemptInDoubt, cloud.Exists)
	runSteps(t, []stepCase{
		{name: "not settled", row: lineIn(Armed, with(exists)), ev: absentAt(t0, t0), now: t0, to: Armed, reason: "may still appear"},
		{name: "settled", row: lineIn(Armed, with(exists)), ev: absentAt(end, end), now: end, rule: "T12", to: NeedsReview, reason: "no listing shows it", evidence: 1},
		{name: "settled, called off, approval over", row: lineIn(Armed, with(exists), calledOff, approvedUntil(t0)), ev: absentAt(end, end), now: end,
			rule: "T12", to: NeedsReview, reason: "no listing shows it", evidence: 1},
		{name: "the second of two says so", row: lineIn(Armed, with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(2, 1, AttemptInDoubt, cloud.Exists))),
			ev: absentAt(end.Add(time.Hour), end.Add(time.Hour)), now: end.Add(time.Hour), rule: "T12", to: NeedsReview, reason: "no listing shows it", evidence: 1},
		{name: "found", row: lineIn(Armed, with(exists)), ev: looked(listed(t0, boughtAs(identity(1)))), now: t0,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
	})
}

func TestWhatIsFoundCountsAtOnce(t *testing.T) {
	folded := boughtAs(identity(1))
	folded.ID = strings.ToUpper(folded.ID)
	unpaid := boughtAs(identity(1))
	unpaid.State = cloud.Failed
	unpaidWrong := unpaid
	unpaidWrong.Quantity = 9
	won := map[int]AttemptState{1: AttemptSucceeded}
	lost := attempt(1, 1, AttemptInDoubt, cloud.InDoubt)
	now := t0.Add(time.Second)
	second := attempt(2, 2, AttemptArmed, cloud.InDoubt)

	cases := []stepCase{
		{name: "found", row: armedOnce(), ev: looked(listed(t0, boughtAs(identity(1)))), now: now, rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1},
		{name: "found in other case", row: armedOnce(), ev: looked(listed(t0, folded)), now: now, rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1},
		{name: "found while called off", row: armedOnce(calledOff), ev: looked(listed(t0, boughtAs(identity(1)))), now: now, rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1},
		{name: "found after the approval", row: armedOnce(approvedUntil(t0)), ev: looked(listed(t0, boughtAs(identity(1)))), now: now, rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1},
		{name: "one of two open attempts", row: lineIn(Armed, with(lost, attempt(2, 1, AttemptInDoubt, cloud.InDoubt))), ev: looked(listed(t0, boughtAs(identity(1)))), now: now,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded, 2: AttemptDead}, receipt: 1, evidence: 1},
		{name: "of an open attempt behind a closed one", row: lineIn(Armed, with(attempt(1, 1, AttemptUnsent, cloud.Unsent), attempt(2, 1, AttemptInDoubt, cloud.InDoubt))),
			ev: looked(listed(t0, boughtAs(identity(1)))), now: now, rule: "T4", to: Purchased, attempts: map[int]AttemptState{2: AttemptSucceeded}, receipt: 2, evidence: 1},
		{name: "of the second generation", row: lineIn(Armed, with(attempt(1, 1, AttemptDead, cloud.InDoubt), second)), ev: looked(listed(t0, boughtAs(identity(2)))), now: now,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{2: AttemptSucceeded}, receipt: 2, evidence: 1},

		{name: "under a name that was proven empty", row: lineIn(Armed, with(attempt(1, 1, AttemptDead, cloud.InDoubt), second)), ev: looked(listed(t0, boughtAs(identity(1)))), now: now,
			rule: "T12", to: NeedsReview, reason: "already proven empty", evidence: 1},
		{name: "under a name that no attempt used", row: armedOnce(generation(2)), ev: looked(listed(t0, boughtAs(identity(2)))), now: now,
			rule: "T12", to: NeedsReview, reason: "no attempt used", evidence: 1},
		{name: "two commitments", row: lineIn(Armed, with(attempt(1, 1, AttemptDead, cloud.InDoubt), second)), ev: looked(listed(t0, boughtAs(identity(1)), boughtAs(identity(2)))), now: now,
			rule: "T12", to: NeedsReview, reason: "2 commitments exist", evidence: 2},
		{name: "two, one of them unpaid", row: lineIn(Armed, with(attempt(1, 1, AttemptDead, cloud.InDoubt), second)), ev: looked(listed(t0, unpaid, boughtAs(identity(2)))), now: now,
			rule: "T12", to: NeedsReview, reason: "2 commitments exist", evidence: 2},

		{name: "payment failed", row: armedOnce(), ev: looked(listed(t0, unpaid)), now: now,
			rule: "T9", to: Failed, attempts: map[int]AttemptState{1: AttemptDead}, reason: "was ordered, but its payment failed", evidence: 1},
		{name: "given back", row: armedOnce(), ev: looked(listed(t0, inLane(identity(1), inState(cloud.Returned)))), now: now,
			rule: "T9", to: Failed, attempts: map[int]AttemptState{1: AttemptDead}, reason: "was ordered, but it was given back", evidence: 1},
		{name: "payment failed, two attempts", row: lineIn(Armed, with(lost, attempt(2, 1, AttemptInDoubt, cloud.Exists))), ev: looked(listed(t0, unpaid)), now: now,
			rule: "T9", to: Failed, attempts: map[int]AttemptState{1: AttemptDead, 2: AttemptDead}, reason: "payment failed", evidence: 1},
		{name: "payment failed for something else", row: armedOnce(), ev: looked(listed(t0, unpaidWrong)), now: now,
			rule: "T12", to: NeedsReview, reason: "quantity 9", evidence: 1},

		{name: "no complete look", row: armedOnce(), ev: looked(nil), now: now, none: true},
		{name: "not armed", row: lineIn(Ready, with(attempt(1, 1, AttemptDead, cloud.InDoubt))), ev: looked(listed(t0, boughtAs(identity(1)))), now: now, none: true},
	}
	for _, state := range []cloud.CommitmentState{cloud.Pending, cloud.Retired, cloud.Unknown, "a-new-word"} {
		c := boughtAs(identity(1))
		c.State = state
		cases = append(cases, stepCase{name: "found " + string(state), row: armedOnce(), ev: looked(listed(t0, c)), now: now,
			rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1})
	}
	runSteps(t, cases)
}

// Two processes may write down the negative answers to two attempts of one name
// at once. Each saw the other attempt open, and neither closed the line.
func TestAnArmedLineWithNothingOpenIsClosedByTheNextLook(t *testing.T) {
	throttled, unsent := attempt(1, 1, AttemptRejected, cloud.Throttled), attempt(2, 1, AttemptUnsent, cloud.Unsent)
	now := t0.Add(time.Second)
	row := lineIn(Armed, with(throttled, unsent))
	off := lineIn(Armed, with(throttled, unsent), calledOff)
	runSteps(t, []stepCase{
		{name: "nothing listed", row: row, ev: absentAt(t0, t0), now: now, rule: "T8", to: Ready, generation: 2, evidence: 1},
		{name: "nothing listed, called off", row: off, ev: absentAt(t0, t0), now: now, rule: "T9", to: Canceled, reason: "called off", evidence: 1},
		{name: "nothing listed, approval over", row: lineIn(Armed, with(throttled, unsent), approvedUntil(t0)), ev: absentAt(t0, t0), now: now,
			rule: "T9", to: Expired, reason: "approval ended", evidence: 1},
		{name: "found after all", row: row, ev: looked(listed(t0, boughtAs(identity(1)))), now: now, rule: "T12", to: NeedsReview, reason: "already proven empty", evidence: 1},
	})
}

func TestLooksAreSpacedAndTheLastIsWhenTheDoubtCanEnd(t *testing.T) {
	end := t0.Add(settled)
	for _, c := range []struct {
		name      string
		now, want time.Duration
	}{
		{"at once", 0, time.Second},
		{"after ten seconds", 10 * time.Second, 12500 * time.Millisecond},
		{"after three minutes", 3 * time.Minute, 225 * time.Second},
		{"at most a minute", 5 * time.Minute, 6 * time.Minute},
		{"on the settled time", settled - 10*time.Second, settled},
		{"a moment before", settled - 1, settled},
		{"when it is settled", settled, settled + time.Minute},
		{"when only the cloud's clock is behind", settled + time.Hour, settled + time.Hour + time.Minute},
		{"with a clock set back", -time.Hour, -time.Hour + time.Second},
	} {
		row := armedOnce()
		if got := nextLook(&row, t0.Add(c.now), end); !got.Equal(t0.Add(c.want)) {
			t.Errorf("%s: next look at %s, want %s", c.name, got.Sub(t0), c.want)
		}
	}
}

func TestALookThatProvesEmptinessCitesTheListing(t *testing.T) {
	end := t0.Add(settled)
	c, err := DefaultRules.Step(armedOnce(), absentAt(end, end), end)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Evidence) != 1 || c.Evidence[0].Kind != cloud.EvidenceAbsence || c.Evidence[0].N != 0 {
		t.Errorf("evidence %+v", c.Evidence)
	}
	if got := c.Attempts[0]; got.Outcome != cloud.InDoubt || got.To != AttemptDead {
		t.Errorf("the attempt was moved to %s with outcome %s; its answer never came", got.To, got.Outcome)
	}
}

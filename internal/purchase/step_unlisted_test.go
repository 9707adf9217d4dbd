package purchase

import (
	"slices"
	"testing"
	"time"

	"bursar/internal/cloud"
)

func classAC(r *Row) { r.Line.Class = cloud.ClassUnlisted }

// called gives a commitment the name that the cloud shows of it.
func called(name string) func(*cloud.Commitment) {
	return func(c *cloud.Commitment) { c.Name = name }
}

func TestARepeatedTokenKeepsTheImageOfTheFirstRequest(t *testing.T) {
	at := t0.Add(answerBy)
	ev := remembering(10*time.Minute, 2*time.Minute, at)
	ev.Facts.Class = cloud.ClassUnlisted
	ev.Found = lane(at, inLane("old"), inLane("new"))
	row := laneOnce(classAC)
	c, err := DefaultRules.Step(row, ev, at)
	if err != nil || c.Rule != "T3" {
		t.Fatalf("step %q, %v", c.Rule, err)
	}
	if c.Arm.N != 2 || c.Arm.Intent.Identity != identity(1) || !slices.Equal(c.Arm.Before, []string{"old"}) {
		t.Errorf("attempt %d under %s, held before %v", c.Arm.N, c.Arm.Intent.Identity, c.Arm.Before)
	}
	ev = remembering(10*time.Minute, 2*time.Minute, at.Add(8*time.Minute))
	if c, err := DefaultRules.Step(row, ev, at.Add(8*time.Minute)); err == nil && c.Arm != nil {
		t.Error("sent again when the cloud may have forgotten the token")
	}
	ev = remembering(10*time.Minute, 2*time.Minute, at)
	ev.Found = lane(at, inLane("old"))
	if c, err := DefaultRules.Step(laneOnce(), ev, at); err == nil && c.Arm != nil {
		t.Error("class C: sent again in doubt")
	}
}

// Two requests of one token are one purchase: the image is the first one's, and
// the log of either may name it.
func TestRequestsOfOneTokenAreOnePurchase(t *testing.T) {
	first, second := attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(2, 1, AttemptInDoubt, cloud.InDoubt)
	first.Before, second.Before = []string{"old"}, []string{"old"}
	twice := func(options ...rowOption) Row {
		return lineIn(Armed, append([]rowOption{classAC, with(first, second)}, options...)...)
	}
	end := t0.Add(settled + time.Minute) // of the second
	later := end.Add(time.Minute)
	old, ours := inLane("old"), inLane("r-1")
	dead := map[int]AttemptState{1: AttemptDead, 2: AttemptDead}
	runSteps(t, []stepCase{
		{name: "the log names it for both", row: twice(), ev: audited(lane(t0, old, ours), "r-1", "r-1"), now: t0.Add(2 * time.Minute),
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded, 2: AttemptDead}, evidence: 1, receipt: 1},
		{name: "the log names two", row: twice(shown(end, old, ours, inLane("r-2"))), ev: audited(lane(later, old, ours, inLane("r-2")), "r-1", "r-2"), now: later,
			rule: "T12", to: NeedsReview, reason: "2 new commitments could be this line's", evidence: 2},
		{name: "it was there before the second request", row: twice(shown(end, old, ours), exclusive), ev: looked(lane(later, old, ours)), now: later,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded, 2: AttemptDead}, evidence: 1, receipt: 1},
		{name: "neither did anything", row: twice(shown(end, old)), ev: looked(lane(later, old)), now: later,
			rule: "T8", to: Ready, generation: 2, attempts: dead, evidence: 1},
		{name: "the second is not settled", row: twice(), ev: looked(lane(end.Add(-1), old)), now: end.Add(-1),
			to: Armed, reason: "may still appear"},
	})
}

// Where a cloud shows names that it does not guard, ours proves, and another's is
// not ours.
func TestANameInALaneProves(t *testing.T) {
	end := t0.Add(settled)
	later := end.Add(time.Minute)
	dead := map[int]AttemptState{1: AttemptDead}
	old := inLane("old", called("before"))
	mine := inLane("g-1", called(identity(1)))
	twin := inLane("g-2", called(identity(1)))
	theirs := inLane("g-3", called("console"))
	runSteps(t, []stepCase{
		{name: "ours", row: laneOnce(), ev: looked(lane(t0, old, theirs, mine)), now: t0,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, evidence: 1, receipt: 1},
		{name: "ours, of other goods", row: laneOnce(), ev: looked(lane(t0, inLane("g-1", called(identity(1)), mismatches["quantity"]))), now: t0,
			rule: "T12", to: NeedsReview, reason: "quantity", evidence: 2},
		{name: "two of ours", row: laneOnce(shown(end, mine, twin)), ev: looked(lane(later, mine, twin)), now: later,
			rule: "T12", to: NeedsReview, reason: "2 new commitments could be this line's", evidence: 2},
		{name: "another's, where nobody else buys", row: laneOnce(shown(end, old, theirs), exclusive), ev: looked(lane(later, old, theirs)), now: later,
			rule: "T8", to: Ready, generation: 2, attempts: dead, evidence: 1},
		{name: "without a name", row: laneOnce(shown(end, inLane("g-4"))), ev: looked(lane(later, inLane("g-4"))), now: later,
			rule: "T12", to: NeedsReview, reason: "1 new commitments could be this line's", evidence: 1},
	})
}

func TestALookMayServeOnlyWhileItCanConclude(t *testing.T) {
	now := t0.Add(settled + time.Hour)
	due := func(at time.Time) rowOption { return func(r *Row) { r.Line.LookAt = at } }
	for name, c := range map[string]struct {
		row  Row
		now  time.Time
		want time.Time
	}{
		"before anything is armed":         {lineIn(Ready, due(now)), now, now.Add(-time.Minute)},
		"in doubt, due a moment ago":       {laneOnce(due(t0.Add(9 * time.Second))), t0.Add(10 * time.Second), t0.Add(9 * time.Second)},
		"in doubt, due long ago":           {laneOnce(due(t0)), t0.Add(5 * time.Minute), t0.Add(4 * time.Minute)},
		"in doubt, just settled":           {laneOnce(due(t0)), t0.Add(settled + time.Second), t0.Add(settled)},
		"in doubt, settled long ago":       {laneOnce(due(t0)), now, now.Add(-time.Minute)},
		"in doubt, a second listing":       {laneOnce(shown(now.Add(-time.Minute)), due(now.Add(-time.Second))), now, now.Add(-time.Second)},
		"the ledger has gone back in time": {lineIn(Recovery, due(t0)), now, now},
	} {
		if got := c.row.lookSince(c.now); !got.Equal(c.want) {
			t.Errorf("%s: since %s, want %s", name, got, c.want)
		}
	}
}

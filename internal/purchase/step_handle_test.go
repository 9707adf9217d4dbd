package purchase

import (
	"testing"
	"time"

	"bursar/internal/cloud"
)

// following is attempt n, for which the cloud has given a handle.
func following(n int) Attempt {
	a := attempt(n, n, AttemptAccepted, cloud.Accepted)
	a.Handle = "op-1"
	return a
}

func TestAHandleIsFollowed(t *testing.T) {
	now := t0.Add(time.Minute)
	row := lineIn(Armed, classH, with(following(1)))
	bought := func(change func(*cloud.Commitment)) Answered {
		return buying(1, func(c *cloud.Commitment) {
			c.ID = "order-9"
			change(c)
		})
	}
	cases := []stepCase{
		{name: "accepted", row: armedOnce(classH), ev: answered(1, cloud.Accepted), now: now, to: Armed, attempts: map[int]AttemptState{1: AttemptAccepted},
			reason: "accepted by the cloud; following it", lookAt: now, evidence: 1},
		{name: "accepted, called off", row: armedOnce(classH, calledOff), ev: answered(1, cloud.Accepted), now: now, to: Armed, attempts: map[int]AttemptState{1: AttemptAccepted},
			reason: "following it", evidence: 1},
		{name: "bought", row: row, ev: bought(func(*cloud.Commitment) {}), now: now, rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
		{name: "bought, called off and the approval over", row: lineIn(Armed, classH, with(following(1)), calledOff, approvedUntil(t0)), ev: bought(func(*cloud.Commitment) {}), now: now,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
		{name: "refused", row: row, ev: answered(1, cloud.Refused), now: now, rule: "T9", to: Failed, attempts: map[int]AttemptState{1: AttemptRejected}, reason: "refused: the words", evidence: 1},
		{name: "refused, called off", row: lineIn(Armed, classH, with(following(1)), calledOff), ev: answered(1, cloud.Refused), now: now,
			rule: "T9", to: Canceled, attempts: map[int]AttemptState{1: AttemptRejected}, reason: "called off", evidence: 1},
		{name: "still running", row: row, ev: answered(1, cloud.Accepted), now: now, to: Armed, attempts: map[int]AttemptState{1: AttemptAccepted}, reason: "following it", evidence: 1},
	}
	for name, change := range mismatches {
		cases = append(cases, stepCase{name: "bought another " + name, row: row, ev: bought(change), now: now,
			rule: "T12", to: NeedsReview, attempts: map[int]AttemptState{1: AttemptInDoubt}, reason: "the cloud shows ", evidence: 1})
	}
	runSteps(t, cases)
}

func TestTheHandleOfAnAnswerIsKept(t *testing.T) {
	ev := answered(1, cloud.Accepted)
	ev.Evidence.Handle = "op-1"
	c, err := DefaultRules.Step(armedOnce(classH), ev, t0)
	if err != nil || c.Attempts[0].Handle != "op-1" {
		t.Errorf("the handle is %q, %v", c.Attempts[0].Handle, err)
	}
}

func TestAHandleThatIsLostIsNeverClosedAsEmpty(t *testing.T) {
	end := t0.Add(settled)
	accepted := attempt(1, 1, AttemptAccepted, cloud.Accepted) // and no handle came with it
	review := func(name string, row Row) stepCase {
		return stepCase{name: name, row: row, ev: absentAt(end, end), now: end, rule: "T12", to: NeedsReview, reason: "no listing shows it", evidence: 1}
	}
	runSteps(t, []stepCase{
		{name: "not settled", row: lineIn(Armed, classH, with(following(1))), ev: absentAt(t0, t0), now: t0, to: Armed, reason: "may still appear"},
		review("settled", lineIn(Armed, classH, with(following(1)))),
		review("settled, no handle came", lineIn(Armed, classH, with(accepted))),
		review("settled, under a name", lineIn(Armed, with(accepted))),
		review("settled, under a token", lineIn(Armed, classA, with(accepted))),
		review("settled, called off and the approval over", lineIn(Armed, classH, with(following(1)), calledOff, approvedUntil(t0))),
		{name: "listed under the handle", row: lineIn(Armed, classH, with(following(1))), ev: looked(listed(t0, inLane("op-1"))), now: t0,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, how: cloud.EvidenceListing, evidence: 1},
		{name: "listed under another handle", row: lineIn(Armed, classH, with(following(1))), ev: looked(listed(t0, inLane("op-2"))), now: t0,
			rule: "T12", to: NeedsReview, reason: "no attempt used", evidence: 1},
		{name: "listed without an id, and no handle came", row: lineIn(Armed, classH, with(accepted)), ev: looked(listed(t0, inLane(""))), now: t0,
			rule: "T12", to: NeedsReview, reason: "no attempt used", evidence: 1},
		{name: "listed under the handle, not carried out yet", row: lineIn(Armed, classH, with(following(1))), ev: looked(listed(t0, inLane("op-1", inState(cloud.Pending)))), now: t0,
			to: Armed, reason: "the cloud has not confirmed it yet"},
		{name: "listed under the handle, not carried out long after", row: lineIn(Armed, classH, with(following(1))), ev: looked(listed(end, inLane("op-1", inState(cloud.Pending)))), now: end,
			to: Armed, reason: "the cloud has not confirmed it yet"},
		{name: "listed under a name, its payment pending", row: armedOnce(), ev: looked(listed(t0, inLane(identity(1), inState(cloud.Pending)))), now: t0,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, how: cloud.EvidenceListing, evidence: 1},
		{name: "listed in recovery, not carried out yet", row: rolledBack(classH, with(following(1))), ev: lookedBack(inLane("op-1", inState(cloud.Pending))), now: foundAgain,
			to: Recovery, reason: "the cloud has not confirmed it yet", lookAt: foundAgain.Add(ReadRetry)},
		{name: "listed under the handle, never paid", row: lineIn(Armed, classH, with(following(1))), ev: looked(listed(t0, inLane("op-1", inState(cloud.Failed)))), now: t0,
			rule: "T9", to: Failed, attempts: map[int]AttemptState{1: AttemptDead}, reason: "payment failed", evidence: 1},
	})
}

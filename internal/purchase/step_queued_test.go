package purchase

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
)

// fire is the second that the test line's order is for.
var fire = t0.Add(2*time.Hour + 17*time.Second)

// ordering is attempt n of the test line, an order for a second of its own: fire
// for the first one.
func ordering(n int, state AttemptState) Attempt {
	a := attempt(n, n, state, cloud.InDoubt)
	a.FireAt = fire.Add(time.Duration(n-1) * time.Second)
	a.Intent.FireAt = a.FireAt
	return a
}

// orderedOnce is a line of class Q with one order in a state.
func orderedOnce(line State, order AttemptState, options ...rowOption) Row {
	return lineIn(line, append([]rowOption{classQ, with(ordering(1, order))}, options...)...)
}

// order is what the cloud shows of the test line's order.
func order(id string, state cloud.CommitmentState, changes ...func(*cloud.Commitment)) cloud.Commitment {
	return inLane(id, append([]func(*cloud.Commitment){inState(state), startingAt(fire)}, changes...)...)
}

func TestTheSecondOfAnOrderIsTwoFullHoursToTwoAndAHalfAhead(t *testing.T) {
	seconds := map[time.Duration]bool{}
	for i := range 30_000 {
		at := fireAt(t0, 0, fmt.Sprintf("nonce-%d", i))
		if again := fireAt(t0, 0, fmt.Sprintf("nonce-%d", i)); !at.Equal(again) {
			t.Fatalf("one nonce picks %s and %s", at, again)
		}
		seconds[at.Sub(t0.Add(2*time.Hour))] = true
	}
	// Every second of half an hour is picked, and no other.
	if len(seconds) != 1800 || !seconds[time.Second] || !seconds[1800*time.Second] {
		t.Errorf("%d seconds are picked; the first: %v, the last: %v", len(seconds), seconds[time.Second], seconds[1800*time.Second])
	}
	for off := range seconds {
		if off < time.Second || off > 1800*time.Second || off%time.Second != 0 {
			t.Errorf("%s after two hours is picked", off)
		}
	}
	// A moment within a second is cut, and the second is still two full hours ahead.
	late := t0.Add(time.Second - 1)
	for i := range 30_000 {
		nonce := fmt.Sprintf("nonce-%d", i)
		if at := fireAt(late, 0, nonce); !at.Equal(fireAt(t0, 0, nonce)) || at.Sub(late) <= 2*time.Hour {
			t.Fatalf("at %s, %s is picked", late, at)
		}
	}
}

func TestOrdersOfOneMomentRarelyWantOneSecond(t *testing.T) {
	seconds := map[time.Time]bool{}
	for i := range 100 {
		seconds[fireAt(t0, 0, fmt.Sprintf("01JNB3XQZ5W8Y2K7M4T6R9V%03d", i))] = true
	}
	if len(seconds) < 90 {
		t.Errorf("100 nonces want %d seconds", len(seconds))
	}
}

func TestASecondThatIsTakenIsNotUsed(t *testing.T) {
	at := fireAt(t0, 0, "fresh")
	ready := lineIn(Ready, classQ)
	holding := func(c cloud.Commitment) Checked { return checkedAt(t0, found(c)) }
	runSteps(t, []stepCase{
		{name: "free", row: ready, ev: checkedAt(t0), now: t0, rule: "T2", to: Armed, armed: true, lookAt: t0.Add(firstLook), mustLeaveBy: t0.Add(settled + 20*time.Minute)},
		{name: "by an order", row: ready, ev: holding(order("r", cloud.Queued, startingAt(at))), now: t0, to: Ready, lookAt: t0},
		{name: "by a deleted order", row: ready, ev: holding(order("r", cloud.Deleted, startingAt(at))), now: t0, to: Ready, lookAt: t0},
		{name: "by an order of other goods", row: ready, ev: holding(order("r", cloud.Queued, startingAt(at), mismatches["quantity"])), now: t0, to: Ready, lookAt: t0},
		{name: "the one before", row: ready, ev: holding(order("r", cloud.Queued, startingAt(at.Add(-time.Second)))), now: t0, rule: "T2", to: Armed, armed: true},
		{name: "the one after", row: ready, ev: holding(order("r", cloud.Queued, startingAt(at.Add(time.Second)))), now: t0, rule: "T2", to: Armed, armed: true},
	})
	c, err := DefaultRules.Step(ready, checkedAt(t0), t0)
	if err != nil || !c.Arm.FireAt.Equal(at) || !c.Arm.Intent.FireAt.Equal(at) {
		t.Errorf("armed for %s, the request says %s, want %s (%v)", c.Arm.FireAt, c.Arm.Intent.FireAt, at, err)
	}
}

// Where an account was measured to take orders only further ahead, they are placed
// there, and never nearer than the rules have it.
func TestAnOrderIsAsFarAheadAsTheCloudWants(t *testing.T) {
	for least, want := range map[time.Duration]time.Duration{0: lead, time.Hour: lead, 48 * time.Hour: 48 * time.Hour} {
		ev := checkedAt(t0, func(ev *Checked) { ev.Facts.Lead = least })
		c, err := DefaultRules.Step(lineIn(Ready, classQ), ev, t0)
		if err != nil || c.Arm.FireAt.Sub(t0) <= want || c.Arm.FireAt.Sub(t0) > want+time.Hour {
			t.Errorf("at least %s ahead: armed for %s, %v", least, c.Arm.FireAt, err)
		}
	}
}

func TestAnOrderIsInDoubtUntilTheListingSettles(t *testing.T) {
	now, end := t0.Add(time.Second), t0.Add(settled)
	queued := order("r-1", cloud.Queued)
	doubt, waiting := "may still appear until 10:07:00", "waiting for the listing"
	taken := map[int]AttemptState{1: AttemptAccepted}
	byCloud := func(at, clouds time.Time, cs ...cloud.Commitment) Looked {
		found := lane(at, cs...)
		found[0].CloudTime = clouds
		return looked(found)
	}
	armed := orderedOnce(Armed, AttemptArmed)
	runSteps(t, []stepCase{
		{name: "answered as bought", row: armed, ev: buying(1, func(c *cloud.Commitment) { *c = queued }), now: now, to: Armed, attempts: taken, reason: waiting, lookAt: end, evidence: 1},
		{name: "answered as bought, other goods", row: armed, ev: buying(1, func(c *cloud.Commitment) { c.Quantity = 9 }), now: now, to: Armed, attempts: taken, reason: waiting, lookAt: end, evidence: 1},
		{name: "accepted", row: armed, ev: answered(1, cloud.Accepted), now: now, to: Armed, attempts: taken, reason: waiting, lookAt: end, evidence: 1},
		{name: "accepted, called off", row: orderedOnce(Armed, AttemptArmed, calledOff), ev: answered(1, cloud.Accepted), now: now, to: Armed, attempts: taken, reason: waiting, evidence: 1},
		{name: "refused", row: armed, ev: answered(1, cloud.Refused), now: now, rule: "T9", to: Failed, attempts: map[int]AttemptState{1: AttemptRejected}, reason: "refused", evidence: 1},

		{name: "listed at once", row: armed, ev: looked(lane(t0, queued)), now: now, to: Armed, reason: doubt},
		{name: "listed a nanosecond before by our clock", row: armed, ev: byCloud(end.Add(-1), end, queued), now: end, to: Armed, reason: doubt},
		{name: "listed a nanosecond before by the cloud's", row: armed, ev: byCloud(end, end.Add(-1), queued), now: end, to: Armed, reason: doubt},
		{name: "two listed too early to delete one", row: armed, ev: looked(lane(t0, queued, order("r-2", cloud.Queued))), now: now, to: Armed, reason: doubt},
		{name: "not listed a nanosecond before by our clock", row: armed, ev: byCloud(end.Add(-1), end), now: end, to: Armed, reason: doubt},
		{name: "not listed a nanosecond before by the cloud's", row: armed, ev: byCloud(end, end.Add(-1)), now: end, to: Armed, reason: doubt},
	})
}

func TestOneOrderForTheSecondIsQueued(t *testing.T) {
	end := t0.Add(settled)
	queued := order("r-1", cloud.Queued)
	kept := map[int]AttemptState{1: AttemptAccepted}
	leave := fire.Add(fired)
	second := "queued for 2026-03-02 12:00:17 UTC"
	runSteps(t, []stepCase{
		{name: "accepted", row: orderedOnce(Armed, AttemptAccepted), ev: looked(lane(end, queued)), now: end,
			rule: "T5", to: QueuedLine, attempts: kept, reason: second, lookAt: fire.Add(time.Minute), mustLeaveBy: leave, evidence: 1},
		{name: "no answer", row: orderedOnce(Armed, AttemptArmed), ev: looked(lane(end, queued)), now: end, rule: "T5", to: QueuedLine, attempts: kept, reason: second, evidence: 1},
		{name: "approval over", row: orderedOnce(Armed, AttemptInDoubt, approvedUntil(t0)), ev: looked(lane(end, queued)), now: end, rule: "T5", to: QueuedLine, attempts: kept, reason: second, evidence: 1},
		{name: "next to a deleted one", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(end, order("r-0", cloud.Deleted), queued)), now: end,
			rule: "T5", to: QueuedLine, attempts: kept, reason: second, evidence: 1},
		{name: "next to one for another second", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(end, order("r-0", cloud.Queued, startingAt(fire.Add(time.Second))), queued)), now: end,
			rule: "T5", to: QueuedLine, attempts: kept, reason: second, evidence: 1},
		{name: "of the second generation", row: lineIn(Armed, classQ, with(ordering(1, AttemptDead), ordering(2, AttemptInDoubt))),
			ev: looked(lane(end.Add(time.Minute), order("r-2", cloud.Queued, startingAt(fire.Add(time.Second))))), now: end.Add(time.Minute),
			rule: "T5", to: QueuedLine, attempts: map[int]AttemptState{2: AttemptAccepted}, reason: "12:00:18", evidence: 1},
		{name: "found on the last moment of its time", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(leave, queued)), now: leave,
			rule: "T5", to: QueuedLine, attempts: kept, reason: second, lookAt: leave.Add(ReadRetry), mustLeaveBy: leave, evidence: 1},
		{name: "found after its time", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(leave.Add(1), queued)), now: leave.Add(1),
			rule: "T5", to: QueuedLine, attempts: kept, reason: second, lookAt: leave.Add(1 + ReadRetry), mustLeaveBy: leave.Add(20*time.Minute + 1), evidence: 1},
		{name: "called off, so looked at now", row: orderedOnce(Armed, AttemptInDoubt, calledOff), ev: looked(lane(end, queued)), now: end,
			rule: "T5", to: QueuedLine, attempts: kept, reason: second, lookAt: end, evidence: 1},
		{name: "the plan failed elsewhere, so looked at now", row: orderedOnce(Armed, AttemptInDoubt, planFailed), ev: looked(lane(end, queued)), now: end,
			rule: "T5", to: QueuedLine, attempts: kept, reason: second, lookAt: end, evidence: 1},
	})
	c, err := DefaultRules.Step(orderedOnce(Armed, AttemptInDoubt), looked(lane(end, queued)), end)
	if err != nil || c.Attempts[0].Handle != "r-1" {
		t.Errorf("the handle of the order is %q, %v", c.Attempts[0].Handle, err)
	}
}

func TestNoOrderForTheSecondIsEmpty(t *testing.T) {
	end := t0.Add(settled)
	dead := map[int]AttemptState{1: AttemptDead}
	gone := order("r-1", cloud.Deleted)
	used := func(r *Row) {
		var as []Attempt
		for n := 1; n <= 4; n++ {
			as = append(as, ordering(n, AttemptDead))
		}
		last := ordering(5, AttemptInDoubt)
		last.SettledAt = end
		with(append(as, last)...)(r)
	}
	runSteps(t, []stepCase{
		{name: "no answer", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(end)), now: end, rule: "T8", to: Ready, generation: 2, attempts: dead, lookAt: end, evidence: 1},
		{name: "another second has one", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(end, order("r-1", cloud.Queued, startingAt(fire.Add(time.Second))))), now: end,
			rule: "T8", to: Ready, generation: 2, attempts: dead, evidence: 1},
		{name: "a deleted one", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(end, gone)), now: end, rule: "T8", to: Ready, generation: 2, attempts: dead, evidence: 1},
		{name: "called off", row: orderedOnce(Armed, AttemptInDoubt, calledOff), ev: looked(lane(end)), now: end, rule: "T9", to: Canceled, attempts: dead, reason: "called off", evidence: 1},
		{name: "approval over", row: orderedOnce(Armed, AttemptInDoubt, approvedUntil(end)), ev: looked(lane(end)), now: end, rule: "T9", to: Expired, attempts: dead, reason: "approval ended", evidence: 1},
		{name: "no attempts left", row: lineIn(Armed, classQ, used), ev: looked(lane(end)), now: end,
			rule: "T9", to: Failed, attempts: map[int]AttemptState{5: AttemptDead}, reason: "shows no order for the second", evidence: 1},
		{name: "the cloud had accepted it", row: orderedOnce(Armed, AttemptAccepted), ev: looked(lane(end)), now: end,
			rule: "T12", to: NeedsReview, reason: "the order is gone", evidence: 1},
		{name: "the cloud had accepted it, and it was deleted", row: orderedOnce(Armed, AttemptAccepted, calledOff), ev: looked(lane(end, gone)), now: end,
			rule: "T12", to: NeedsReview, reason: "the order is gone", evidence: 1},
	})
}

func TestSeveralOrdersForOneSecondAreDeletedButOne(t *testing.T) {
	end, late := t0.Add(settled), fire.Add(-10*time.Minute)
	one, two := order("r-1", cloud.Queued), order("r-2", cloud.Queued)
	other := inLane("other")
	doubt, accepted := orderedOnce(Armed, AttemptInDoubt), orderedOnce(QueuedLine, AttemptAccepted)
	cases := []stepCase{
		{name: "next to other goods for another second", row: doubt, ev: looked(lane(end, one, two, order("r-3", cloud.Queued, startingAt(fire.Add(time.Second)), mismatches["quantity"]))), now: end,
			to: Armed, reason: "2 orders for one second", lookAt: end.Add(ReadRetry)},
		{name: "next to other goods that were deleted", row: doubt, ev: looked(lane(end, one, two, order("r-3", cloud.Deleted, mismatches["quantity"]))), now: end,
			to: Armed, reason: "2 orders for one second", lookAt: end.Add(ReadRetry)},
		{name: "settled", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(end, one, two)), now: end, to: Armed, reason: "2 orders for one second; deleting all but one", lookAt: end.Add(ReadRetry)},
		{name: "queued", row: orderedOnce(QueuedLine, AttemptAccepted), ev: looked(lane(end, one, two)), now: end, to: QueuedLine, reason: "2 orders for one second", lookAt: end.Add(ReadRetry)},
		{name: "just in time", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(late, one, two)), now: late.Add(-1), to: Armed, reason: "2 orders for one second", lookAt: late.Add(ReadRetry - 1)},
		{name: "too late", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(late, one, two)), now: late,
			rule: "T12", to: NeedsReview, reason: "2 orders for one second were not deleted in time", evidence: 2},
		{name: "too late, queued", row: orderedOnce(QueuedLine, AttemptAccepted), ev: looked(lane(late, one, two)), now: late,
			rule: "T12", to: NeedsReview, reason: "not deleted in time", evidence: 2},
		{name: "too late, behind something else", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(late, other, one, two)), now: late,
			rule: "T12", to: NeedsReview, reason: "not deleted in time", evidence: 3},
	}
	// Which of them are this line's is not told by the second any more.
	for name, change := range mismatches {
		odd := order("r-2", cloud.Queued, change)
		review := func(when string, row Row, now time.Time, evidence int, cs ...cloud.Commitment) stepCase {
			return stepCase{name: "another " + name + ", " + when, row: row, ev: looked(lane(now, cs...)), now: now, rule: "T12", to: NeedsReview,
				reason: "one of several orders for one second is not this line's: the cloud shows ", evidence: evidence}
		}
		cases = append(cases,
			review("settled", doubt, end, 2, one, odd),
			review("settled, listed first", doubt, end, 2, odd, one),
			review("settled, and two as approved", doubt, end, 3, one, odd, order("r-3", cloud.Queued)),
			review("settled, called off", orderedOnce(Armed, AttemptInDoubt, calledOff), end, 2, one, odd),
			review("settled, too late to delete", doubt, late, 2, one, odd),
			review("queued", accepted, t0, 2, one, odd),
			review("queued, called off", orderedOnce(QueuedLine, AttemptAccepted, calledOff), end, 2, one, odd),
			stepCase{name: "another " + name + ", not settled", row: doubt, ev: looked(lane(t0, one, odd)), now: t0, to: Armed, reason: "may still appear"})
	}
	runSteps(t, cases)
}

func TestWhichOrdersMustNotFire(t *testing.T) {
	end, late := t0.Add(settled), fire.Add(-10*time.Minute)
	one, two, three := order("r-1", cloud.Queued), order("r-2", cloud.Queued), order("r-3", cloud.Queued)
	odd := order("r-4", cloud.Queued, mismatches["quantity"])
	armed, queued := orderedOnce(Armed, AttemptInDoubt), orderedOnce(QueuedLine, AttemptAccepted)
	for _, c := range []struct {
		name  string
		row   Row
		found []cloud.Commitment
		now   time.Time
		want  []string
	}{
		{name: "the only one", row: armed, found: []cloud.Commitment{one}, now: end},
		{name: "several, not settled", row: armed, found: []cloud.Commitment{one, two}, now: end.Add(-1)},
		{name: "several, settled", row: armed, found: []cloud.Commitment{one, two, three}, now: end, want: []string{"r-2", "r-3"}},
		{name: "several, listed in another order", row: armed, found: []cloud.Commitment{three, one, two}, now: end, want: []string{"r-2", "r-3"}},
		{name: "several, one of other goods", row: armed, found: []cloud.Commitment{one, two, odd}, now: end},
		{name: "several, the first of other goods", row: armed, found: []cloud.Commitment{order("r-0", cloud.Queued, mismatches["term"]), one, two}, now: end},
		{name: "several, one of other goods is for another second", row: armed, found: []cloud.Commitment{one, two, order("r-3", cloud.Queued, startingAt(fire.Add(time.Second)), mismatches["quantity"])}, now: end, want: []string{"r-2"}},
		{name: "several, one of other goods is deleted", row: armed, found: []cloud.Commitment{one, two, order("r-3", cloud.Deleted, mismatches["quantity"])}, now: end, want: []string{"r-2"}},
		{name: "called off, of other goods", row: orderedOnce(QueuedLine, AttemptAccepted, calledOff), found: []cloud.Commitment{odd}, now: end},
		{name: "called off, one of other goods", row: orderedOnce(QueuedLine, AttemptAccepted, calledOff), found: []cloud.Commitment{one, odd}, now: end},
		{name: "called off in recovery, one of other goods", row: orderedOnce(Recovery, AttemptAccepted, calledOff), found: []cloud.Commitment{one, odd}, now: end},
		{name: "several, queued", row: queued, found: []cloud.Commitment{one, two}, now: end, want: []string{"r-2"}},
		{name: "several, just in time", row: armed, found: []cloud.Commitment{one, two}, now: late.Add(-1), want: []string{"r-2"}},
		{name: "several, too late", row: armed, found: []cloud.Commitment{one, two}, now: late},
		{name: "several, and one has fired", row: armed, found: []cloud.Commitment{order("r-0", cloud.Active), one, order("r-2", cloud.Active)}, now: end, want: []string{"r-1"}},
		{name: "one is deleted", row: armed, found: []cloud.Commitment{order("r-0", cloud.Deleted), one}, now: end},
		{name: "one of another second", row: armed, found: []cloud.Commitment{order("r-0", cloud.Queued, startingAt(fire.Add(time.Second))), one}, now: end},
		{name: "of an earlier generation", row: lineIn(Armed, classQ, with(ordering(1, AttemptDead), ordering(2, AttemptInDoubt))), found: []cloud.Commitment{one, two}, now: end.Add(time.Hour)},

		{name: "called off, in doubt", row: orderedOnce(Armed, AttemptInDoubt, calledOff), found: []cloud.Commitment{one}, now: end},
		{name: "called off, queued", row: orderedOnce(QueuedLine, AttemptAccepted, calledOff), found: []cloud.Commitment{one}, now: end, want: []string{"r-1"}},
		{name: "called off, queued, several", row: orderedOnce(QueuedLine, AttemptAccepted, calledOff), found: []cloud.Commitment{one, two}, now: end, want: []string{"r-1", "r-2"}},
		{name: "called off, just in time", row: orderedOnce(QueuedLine, AttemptAccepted, calledOff), found: []cloud.Commitment{one}, now: late.Add(-1), want: []string{"r-1"}},
		{name: "called off, too late", row: orderedOnce(QueuedLine, AttemptAccepted, calledOff), found: []cloud.Commitment{one}, now: late},
		{name: "called off, fired", row: orderedOnce(QueuedLine, AttemptAccepted, calledOff), found: []cloud.Commitment{order("r-1", cloud.Active)}, now: end},
		{name: "the plan failed elsewhere", row: orderedOnce(QueuedLine, AttemptAccepted, planFailed), found: []cloud.Commitment{one}, now: end, want: []string{"r-1"}},
		{name: "called off, in recovery", row: orderedOnce(Recovery, AttemptAccepted, calledOff), found: []cloud.Commitment{one}, now: end, want: []string{"r-1"}},
		{name: "in recovery", row: orderedOnce(Recovery, AttemptAccepted), found: []cloud.Commitment{one}, now: end},
		{name: "called off, in recovery, the attempt lost", row: lineIn(Recovery, classQ, calledOff), found: []cloud.Commitment{one}, now: end},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, o := range DefaultRules.unwanted(&c.row, lane(end, c.found...), c.now) {
				got = append(got, o.ID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("to delete (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnOrderMustBeWhatWasApproved(t *testing.T) {
	end := t0.Add(settled)
	var cases []stepCase
	for name, change := range mismatches {
		odd := order("r-1", cloud.Queued, change)
		cases = append(cases,
			stepCase{name: "in doubt, another " + name, row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(t0, odd)), now: t0, rule: "T12", to: NeedsReview, reason: "the cloud shows ", evidence: 1},
			stepCase{name: "queued, another " + name, row: orderedOnce(QueuedLine, AttemptAccepted), ev: looked(lane(end, odd)), now: end, rule: "T12", to: NeedsReview, reason: "the cloud shows ", evidence: 1},
			stepCase{name: "behind something else, another " + name, row: orderedOnce(QueuedLine, AttemptAccepted), ev: looked(lane(end, inLane("other"), odd)), now: end,
				rule: "T12", to: NeedsReview, reason: "the cloud shows ", evidence: 2})
	}
	runSteps(t, cases)
}

func TestAQueuedLineThatIsCalledOffEndsWhenItsOrderIsShownAsDeleted(t *testing.T) {
	now, late := t0.Add(time.Hour), fire.Add(-10*time.Minute)
	dead := map[int]AttemptState{1: AttemptDead}
	off, failed, wanted := orderedOnce(QueuedLine, AttemptAccepted, calledOff), orderedOnce(QueuedLine, AttemptAccepted, planFailed), orderedOnce(QueuedLine, AttemptAccepted)
	queued, gone, surplus := order("r-1", cloud.Queued), order("r-1", cloud.Deleted), order("r-2", cloud.Deleted)
	handled := orderedOnce(QueuedLine, AttemptAccepted, calledOff, func(r *Row) { r.Attempts[0].Handle = "r-1" })
	runSteps(t, []stepCase{
		{name: "still queued", row: off, ev: looked(lane(now, queued)), now: now, to: QueuedLine, lookAt: now.Add(ReadRetry)},
		{name: "still queued, the plan failed elsewhere", row: failed, ev: looked(lane(now, queued)), now: now, to: QueuedLine, lookAt: now.Add(ReadRetry)},
		{name: "still queued, just in time", row: off, ev: looked(lane(late, queued)), now: late.Add(-1), to: QueuedLine, lookAt: late.Add(ReadRetry - 1)},
		{name: "still queued, too late", row: off, ev: looked(lane(late, queued)), now: late, to: QueuedLine, lookAt: fire.Add(time.Minute)},
		{name: "deleted", row: off, ev: looked(lane(now, gone)), now: now, rule: "T7", to: Canceled, attempts: dead, reason: "the order was deleted before it fired", evidence: 1},
		{name: "deleted, the plan failed elsewhere", row: failed, ev: looked(lane(now, gone)), now: now, rule: "T7", to: Canceled, attempts: dead, reason: "called off", evidence: 1},
		{name: "deleted, known by its handle", row: handled, ev: looked(lane(now, gone)), now: now, rule: "T7", to: Canceled, attempts: dead, reason: "called off", evidence: 1},
		{name: "deleted, next to one too many", row: handled, ev: looked(lane(now, surplus, gone)), now: now, rule: "T7", to: Canceled, attempts: dead, reason: "called off", evidence: 2},
		{name: "only one too many is deleted", row: handled, ev: looked(lane(now, surplus)), now: now, rule: "T12", to: NeedsReview, reason: "the order is gone", evidence: 1},
		{name: "only one too many is deleted, and it is still queued", row: handled, ev: looked(lane(now, surplus, queued)), now: now, to: QueuedLine, lookAt: now.Add(ReadRetry)},
		{name: "not listed", row: off, ev: looked(lane(now)), now: now, to: QueuedLine, lookAt: now.Add(ReadRetry)},
		{name: "fired all the same", row: off, ev: looked(lane(fire, order("r-1", cloud.Active))), now: fire,
			rule: "T6", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
		{name: "deleted by somebody else", row: wanted, ev: looked(lane(now, gone)), now: now, rule: "T12", to: NeedsReview, reason: "nobody here deleted it", evidence: 1},
		{name: "deleted by somebody else, behind something", row: wanted, ev: looked(lane(now, inLane("other"), gone)), now: now, rule: "T12", to: NeedsReview, reason: "nobody here deleted it", evidence: 2},
	})
}

func TestAQueuedLineWaitsForItsSecond(t *testing.T) {
	wanted := orderedOnce(QueuedLine, AttemptAccepted)
	now, last := t0.Add(time.Hour), fire.Add(30*time.Minute)
	queued := order("r-1", cloud.Queued)
	wait := func(name string, at, next time.Time, cs ...cloud.Commitment) stepCase {
		return stepCase{name: name, row: wanted, ev: looked(lane(at, cs...)), now: at, to: QueuedLine, lookAt: next}
	}
	review := func(name string, at time.Time, reason string, cs ...cloud.Commitment) stepCase {
		return stepCase{name: name, row: wanted, ev: looked(lane(at, cs...)), now: at, rule: "T12", to: NeedsReview, reason: reason, evidence: 1}
	}
	runSteps(t, []stepCase{
		wait("queued, before", now, fire.Add(time.Minute), queued),
		wait("queued, on its second", fire, fire.Add(time.Minute), queued),
		wait("queued, just after", fire.Add(1), fire.Add(ReadRetry+1), queued),
		wait("queued, half an hour after", last, last.Add(ReadRetry), queued),
		review("queued long after", last.Add(1), "still queued long after its second", queued),
		wait("not listed, before", now, now.Add(ReadRetry)),
		wait("not listed, just within half an hour after", last.Add(-1), last.Add(ReadRetry-1)),
		review("not listed, half an hour after", last, "the order is gone"),
		{name: "not listed, half an hour after, and never answered", row: orderedOnce(QueuedLine, AttemptInDoubt), ev: looked(lane(last)), now: last,
			rule: "T12", to: NeedsReview, reason: "the order is gone", evidence: 1},
		{name: "the order of a closed attempt", row: orderedOnce(QueuedLine, AttemptDead), ev: looked(lane(now, queued)), now: now, none: true},
		{name: "no complete look", row: wanted, ev: looked(nil), now: now, none: true},
	})
}

func TestAnOrderThatFiredIsAPurchase(t *testing.T) {
	var cases []stepCase
	for _, state := range []cloud.CommitmentState{cloud.Active, cloud.Pending, cloud.Retired, cloud.Unknown, "a-new-word"} {
		for from, rule := range map[State]Rule{QueuedLine: "T6", Armed: "T4"} {
			cases = append(cases, stepCase{name: string(from) + " and " + string(state), row: orderedOnce(from, AttemptAccepted), ev: looked(lane(fire, order("r-1", state))), now: fire,
				rule: rule, to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, how: cloud.EvidenceListing, evidence: 1})
		}
	}
	dead := map[int]AttemptState{1: AttemptDead}
	for state, reason := range map[cloud.CommitmentState]string{cloud.Failed: "the order fired, but its payment failed", cloud.Returned: "the order fired, but it was given back"} {
		ev := looked(lane(fire, order("r-1", state)))
		cases = append(cases,
			stepCase{name: string(state), row: orderedOnce(QueuedLine, AttemptAccepted), ev: ev, now: fire, rule: "T9", to: Failed, attempts: dead, reason: reason, evidence: 1},
			stepCase{name: string(state) + ", in doubt", row: orderedOnce(Armed, AttemptInDoubt), ev: ev, now: fire, rule: "T9", to: Failed, attempts: dead, reason: reason, evidence: 1},
			stepCase{name: string(state) + ", called off", row: orderedOnce(QueuedLine, AttemptAccepted, calledOff), ev: ev, now: fire, rule: "T9", to: Failed, attempts: dead, reason: reason, evidence: 1})
	}
	cases = append(cases,
		stepCase{name: "in doubt, in time, and not settled", row: orderedOnce(Armed, AttemptInDoubt), ev: looked(lane(t0, order("r-1", cloud.Active))), now: t0, to: Armed, reason: "may still appear"},
	)
	runSteps(t, cases)
}

func TestAnAllOrNothingPlanThatFailedElsewhereSendsNothing(t *testing.T) {
	after := t0.Add(answerBy)
	runSteps(t, []stepCase{
		{name: "ready", row: lineIn(Ready, planFailed), ev: Swept{}, now: t0, rule: "T10", to: Canceled, reason: "all-or-nothing"},
		{name: "waiting for an approval", row: lineIn(NeedsReapproval, planFailed), ev: Swept{}, now: t0, rule: "T10", to: Canceled, reason: "all-or-nothing"},
		{name: "armed", row: armedOnce(planFailed), ev: Swept{}, now: t0, none: true},
		{name: "queued", row: orderedOnce(QueuedLine, AttemptAccepted, planFailed), ev: Swept{}, now: t0, none: true},
		{name: "checked", row: lineIn(Ready, planFailed), ev: checkedAt(t0), now: t0, none: true},
		{name: "checked again under its name", row: armedOnce(planFailed), ev: checkedAt(after), now: after, none: true},
		{name: "in doubt and found", row: armedOnce(planFailed), ev: looked(listed(t0, boughtAs(identity(1)))), now: t0,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
	})
}

func TestAnOrderOfAnAllOrNothingPlanIsTakenBackUnlessAllOthersAreThere(t *testing.T) {
	check, call := fire.Add(-verify), fire.Add(-LastCall)
	together := func(r *Row) { r.Together = true }
	short := func(r *Row) { r.Together, r.PlanShort = true, true }
	one := order("r-1", cloud.Queued)
	row := func(options ...rowOption) Row { return orderedOnce(QueuedLine, AttemptAccepted, options...) }
	for _, c := range []struct {
		name string
		row  Row
		now  time.Time
		want int // orders deleted
	}{
		{"short, long before", row(short), check.Add(-1), 0},
		{"short, when it has to be whole", row(short), check, 1},
		{"short, at the last call", row(short), call, 0},
		{"whole", row(together), check, 0},
		{"not all or nothing", row(), check, 0},
	} {
		if got := DefaultRules.unwanted(&c.row, lane(c.now, one), c.now); len(got) != c.want {
			t.Errorf("%s: %d orders are deleted, want %d", c.name, len(got), c.want)
		}
	}
	gone := order("r-1", cloud.Deleted)
	dead := map[int]AttemptState{1: AttemptDead}
	runSteps(t, []stepCase{
		{name: "looked at when it has to be whole", row: row(together), ev: looked(lane(t0, one)), now: t0, to: QueuedLine, lookAt: check},
		{name: "whole then, looked at when it has fired", row: row(together), ev: looked(lane(check, one)), now: check, to: QueuedLine, lookAt: fire.Add(time.Minute)},
		{name: "short then, looked at until it is gone", row: row(short), ev: looked(lane(check, one)), now: check, to: QueuedLine, lookAt: check.Add(ReadRetry)},
		{name: "short and gone", row: row(short), ev: looked(lane(check, gone)), now: check, rule: "T7", to: Canceled, attempts: dead, reason: "not whole in time", evidence: 1},
		{name: "gone, and the other line came in between", row: row(together), ev: looked(lane(check, gone)), now: check, rule: "T7", to: Canceled, attempts: dead, reason: "not whole in time", evidence: 1},
		{name: "gone before it had to be whole", row: row(together), ev: looked(lane(check.Add(-time.Minute), gone)), now: check.Add(-time.Minute),
			rule: "T12", to: NeedsReview, reason: "nobody here deleted it", evidence: 1},
	})
}

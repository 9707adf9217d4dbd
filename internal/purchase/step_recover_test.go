package purchase

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
)

// The ledger of these tests was found to have gone back at restoredAt. What it
// has lost began at t0 at the earliest and is settled at foundAgain.
var (
	restoredAt = t0.Add(2 * time.Hour)
	backupAt   = t0.Add(backupMargin)
	foundAgain = restoredAt.Add(settled)
	// laterFire is the second of an order that fires after that.
	laterFire = foundAgain.Add(time.Hour)
)

const voided = "voids the approval; nothing was bought"

// rolledBack is a line in recovery.
func rolledBack(options ...rowOption) Row {
	return lineIn(Recovery, append([]rowOption{func(r *Row) { r.Restored, r.Backup = restoredAt, backupAt }}, options...)...)
}

// once is one attempt in doubt.
func once(r *Row) { with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt))(r) }

func TestRecoveryWaitsUntilWhatWasLostIsSettledByBothClocks(t *testing.T) {
	dead := map[int]AttemptState{1: AttemptDead}
	byCloud := func(at, clouds time.Time, cs ...cloud.Commitment) Looked {
		found := lane(at, cs...)
		found[0].CloudTime = clouds
		return looked(found)
	}
	wait := "may still appear until 12:07:00 UTC"
	row := rolledBack(once)
	runSteps(t, []stepCase{
		{name: "at once", row: row, ev: byCloud(restoredAt, restoredAt), now: restoredAt, to: Recovery, reason: wait, lookAt: foundAgain},
		{name: "at once, and something is listed", row: row, ev: byCloud(restoredAt, restoredAt, boughtAs(identity(1))), now: restoredAt, to: Recovery, reason: wait, lookAt: foundAgain},
		{name: "a nanosecond before", row: row, ev: byCloud(foundAgain.Add(-1), foundAgain), now: foundAgain.Add(-1), to: Recovery, reason: wait, lookAt: foundAgain},
		{name: "a nanosecond before by our clock", row: row, ev: byCloud(foundAgain.Add(-1), foundAgain), now: foundAgain, to: Recovery, reason: wait, lookAt: foundAgain.Add(ReadRetry)},
		{name: "a nanosecond before by the cloud's", row: row, ev: byCloud(foundAgain, foundAgain.Add(-1)), now: foundAgain, to: Recovery, reason: wait, lookAt: foundAgain.Add(ReadRetry)},
		{name: "the cloud told no time", row: row, ev: byCloud(foundAgain.Add(time.Hour), time.Time{}), now: foundAgain.Add(time.Hour), to: Recovery, reason: wait},
		{name: "settled", row: row, ev: byCloud(foundAgain, foundAgain), now: foundAgain, rule: "T15", to: Canceled, attempts: dead, reason: voided, evidence: 1},
		{name: "no complete look", row: row, ev: looked(nil), now: foundAgain, none: true},
	})
}

// lookedBack is a settled look.
func lookedBack(cs ...cloud.Commitment) Looked { return looked(lane(foundAgain, cs...)) }

func TestALineInRecoveryThatBoughtNothingIsCanceled(t *testing.T) {
	dead := map[int]AttemptState{1: AttemptDead}
	other := strings.TrimSuffix(identity(1), "ac-1") + "ad-1"
	ends := func(name string, row Row, attempts map[int]AttemptState, cs ...cloud.Commitment) stepCase {
		return stepCase{name: name, row: row, ev: lookedBack(cs...), now: foundAgain, rule: "T15", to: Canceled, attempts: attempts, reason: voided, evidence: 1}
	}
	runSteps(t, []stepCase{
		ends("an attempt is open", rolledBack(once), dead),
		ends("two attempts are open", rolledBack(with(attempt(1, 1, AttemptArmed, cloud.InDoubt), attempt(2, 1, AttemptInDoubt, cloud.InDoubt))), map[int]AttemptState{1: AttemptDead, 2: AttemptDead}),
		ends("the attempts are lost", rolledBack(), nil),
		ends("of a lane", rolledBack(classC, once), dead),
		ends("of a lane, the attempts lost", rolledBack(classC), nil),
		ends("an order", rolledBack(classQ, with(ordering(1, AttemptInDoubt))), dead),
		ends("an order that was accepted and deleted", rolledBack(classQ, with(ordering(1, AttemptAccepted))), dead, order("r-1", cloud.Deleted)),
		ends("its payment failed", rolledBack(once), dead, inLane(identity(1), inState(cloud.Failed))),
		ends("its payment failed, of a lane", rolledBack(classC, once), dead, inLane("new", inState(cloud.Failed))),
		ends("a name of another line", rolledBack(once), dead, boughtAs(other)),
		ends("a name of another installation", rolledBack(once), dead, boughtAs(Identity("zzzz", testLine, 1))),
		ends("a name that is only the beginning of its own", rolledBack(once), dead, boughtAs("bu-"+testInstall)),
		ends("somebody else's", rolledBack(once), dead, inLane("new")),
		ends("somebody else's name, of a lane", rolledBack(classC, once), dead, inLane("new", called("console"))),
	})
}

func TestALineInRecoveryFindsItsNamesOfEveryGeneration(t *testing.T) {
	dead := map[int]AttemptState{1: AttemptDead}
	won := map[int]AttemptState{1: AttemptSucceeded}
	folded := boughtAs(strings.ToUpper(identity(7)))
	token := func(g int) cloud.Commitment {
		return inLane("sp-1", func(c *cloud.Commitment) { c.Name = identity(g) })
	}
	handled := attempt(1, 1, AttemptAccepted, cloud.Accepted)
	handled.Handle = "op-1"
	finds := func(name string, row Row, receipt int, attempts map[int]AttemptState, cs ...cloud.Commitment) stepCase {
		return stepCase{name: name, row: row, ev: lookedBack(cs...), now: foundAgain, rule: "T15", to: Purchased, attempts: attempts,
			receipt: receipt, how: cloud.EvidenceListing, reason: "found when the ledger had gone back in time", evidence: 1}
	}
	runSteps(t, []stepCase{
		finds("of an open attempt", rolledBack(once), 1, won, boughtAs(identity(1))),
		finds("of one of two open attempts", rolledBack(with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(2, 1, AttemptInDoubt, cloud.InDoubt))), 1,
			map[int]AttemptState{1: AttemptSucceeded, 2: AttemptDead}, boughtAs(identity(1))),
		finds("of the open one, though the later was refused", rolledBack(with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(2, 1, AttemptRejected, cloud.Throttled))), 1,
			won, boughtAs(identity(1))),
		finds("of an open attempt behind a closed one", rolledBack(with(attempt(1, 1, AttemptUnsent, cloud.Unsent), attempt(2, 1, AttemptInDoubt, cloud.InDoubt))), 2,
			map[int]AttemptState{2: AttemptSucceeded}, boughtAs(identity(1))),
		finds("of an attempt that succeeded", rolledBack(with(attempt(1, 1, AttemptSucceeded, cloud.Bought))), 1, nil, boughtAs(identity(1))),
		finds("of a later generation", rolledBack(once), lostAttempt, dead, boughtAs(identity(2))),
		finds("of a much later generation, in other case", rolledBack(once), lostAttempt, dead, folded),
		finds("of a generation, the attempts lost", rolledBack(), lostAttempt, nil, boughtAs(identity(1))),
		finds("next to one that was never paid", rolledBack(once), 1, won, inLane(identity(2), inState(cloud.Failed)), boughtAs(identity(1))),
		finds("next to somebody else's", rolledBack(once), 1, won, inLane("new"), boughtAs(identity(1))),
		finds("by a token", rolledBack(classA, once), 1, won, token(1)),
		finds("by a token of a later generation", rolledBack(classA, once), lostAttempt, dead, token(3)),
		finds("by the name that a lane shows", rolledBack(classC, once), 1, won, inLane("g-1", called(identity(1)))),
		finds("by the name that a lane shows, the attempts lost", rolledBack(classC), lostAttempt, nil, inLane("g-1", called(identity(2)))),
		finds("by a handle", rolledBack(classH, with(handled)), 1, won, inLane("op-1")),
		finds("called off and the approval over", rolledBack(once, calledOff, approvedUntil(t0)), 1, won, boughtAs(identity(1))),
	})
}

func TestWhatContradictsALineInRecoveryIsForAPerson(t *testing.T) {
	handled := attempt(1, 1, AttemptAccepted, cloud.Accepted)
	handled.Handle = "op-1"
	review := func(name string, row Row, evidence int, reason string, cs ...cloud.Commitment) stepCase {
		return stepCase{name: name, row: row, ev: lookedBack(cs...), now: foundAgain, rule: "T15", to: NeedsReview, reason: reason, evidence: evidence}
	}
	cases := []stepCase{
		review("under a name that was proven empty", rolledBack(with(attempt(1, 1, AttemptDead, cloud.InDoubt))), 1, "already proven empty", boughtAs(identity(1))),
		review("under a name that was refused", rolledBack(with(attempt(1, 1, AttemptRejected, cloud.Refused), attempt(2, 2, AttemptInDoubt, cloud.InDoubt))), 1,
			"already proven empty", boughtAs(identity(1))),
		review("two names", rolledBack(once), 2, "more than one commitment could be this line's", boughtAs(identity(1)), boughtAs(identity(2))),
		review("two names, the attempts lost", rolledBack(), 2, "more than one commitment", boughtAs(identity(1)), boughtAs(identity(2))),
		review("accepted and not listed", rolledBack(classH, with(handled)), 1, "no listing shows what came of it"),
		review("accepted without a handle and not listed", rolledBack(with(attempt(1, 1, AttemptAccepted, cloud.Accepted))), 1, "no listing shows what came of it"),
		review("the name exists and is not listed", rolledBack(with(attempt(1, 1, AttemptInDoubt, cloud.Exists))), 1, "no listing shows what came of it"),
		review("accepted in a lane and not listed", rolledBack(classC, with(attempt(1, 1, AttemptAccepted, cloud.Accepted))), 1, "no listing shows what came of it"),
	}
	for name, change := range mismatches {
		cases = append(cases,
			review("another "+name, rolledBack(once), 1, "the cloud shows ", inLane(identity(1), change)),
			review("another "+name+", of a later generation", rolledBack(once), 1, "the cloud shows ", inLane(identity(2), change)),
			review("another "+name+", of an order", rolledBack(classQ, with(ordering(1, AttemptAccepted))), 1, "the cloud shows ", order("r-1", cloud.Queued, change)))
	}
	runSteps(t, cases)
}

func TestALaneInRecoveryIsForAPersonUnlessTheAuditLogNamesThePurchase(t *testing.T) {
	dead := map[int]AttemptState{1: AttemptDead}
	fresh := inLane("new")
	handled := attempt(1, 1, AttemptAccepted, cloud.Accepted)
	handled.Handle = "op-1"
	odd := inLane("op-1", mismatches["quantity"])
	could := "new could be this line's"
	review := func(name string, row Row, ev Looked, reason string, evidence int) stepCase {
		return stepCase{name: name, row: row, ev: ev, now: foundAgain, rule: "T15", to: NeedsReview, reason: reason, evidence: evidence}
	}
	none := func(name string, row Row, ev Looked) stepCase {
		return stepCase{name: name, row: row, ev: ev, now: foundAgain, rule: "T15", to: Canceled, attempts: dead, reason: voided, evidence: 1}
	}
	names := func(name string, row Row, ev Looked, receipt int, attempts map[int]AttemptState) stepCase {
		return stepCase{name: name, row: row, ev: ev, now: foundAgain, rule: "T15", to: Purchased, attempts: attempts,
			receipt: receipt, how: cloud.EvidenceAuditLog, reason: "found when", evidence: 1}
	}
	unlisted := "the audit log names elsewhere, which no listing shows as new"
	won := map[int]AttemptState{1: AttemptSucceeded}
	second := with(attempt(1, 1, AttemptDead, cloud.InDoubt), attempt(2, 2, AttemptInDoubt, cloud.InDoubt))
	cases := []stepCase{
		review("one since the backup", rolledBack(classC, once), lookedBack(fresh), could, 1),
		review("one since the backup, exclusive", rolledBack(classC, once, exclusive), lookedBack(fresh), could, 1),
		review("one since the backup, the attempts lost", rolledBack(classC), lookedBack(fresh), could, 1),
		review("one as old as the margin", rolledBack(classC, once), lookedBack(inLane("new", startingAt(backupAt.Add(-time.Hour)))), could, 1),
		review("two", rolledBack(classC, once), lookedBack(fresh, inLane("other")), "more than one commitment", 2),
		none("one older than the margin", rolledBack(classC, once), lookedBack(inLane("new", startingAt(backupAt.Add(-time.Hour-1))))),
		none("one that something explains", rolledBack(classC, once, explained("new")), lookedBack(fresh)),

		names("named", rolledBack(classC, once), audited(lane(foundAgain, fresh), "new"), 1, won),
		names("named, one of two", rolledBack(classC, once), audited(lane(foundAgain, inLane("other"), fresh), "new"), 1, won),
		names("named, one of several goods", rolledBack(classC, once), audited(lane(foundAgain, odd, fresh), "new"), 1, won),
		names("named, of the second generation", rolledBack(classC, second), audited(lane(foundAgain, fresh), "new"), 2, map[int]AttemptState{2: AttemptSucceeded}),
		names("named, the attempts lost", rolledBack(classC), audited(lane(foundAgain, fresh), "new"), lostAttempt, nil),
		review("something not listed is named", rolledBack(classC, once), audited(lane(foundAgain), "elsewhere"), unlisted, 1),
		review("something not listed is named, the attempts lost", rolledBack(classC), audited(lane(foundAgain), "elsewhere"), unlisted, 1),
		review("something not listed is named, next to one since the backup", rolledBack(classC, once), audited(lane(foundAgain, fresh), "elsewhere"), unlisted, 1),
		review("named behind something not listed", rolledBack(classC, once), audited(lane(foundAgain, fresh), "elsewhere", "new"), unlisted, 1),
		review("the audit log shows nothing", rolledBack(classC), Looked{Facts: testFacts, Found: lane(foundAgain, fresh), Trail: nothingListed(foundAgain)}, could, 1),
		review("named, of other goods", rolledBack(classC, with(handled)), audited(lane(foundAgain, odd), "op-1"), "the cloud shows quantity", 1),
	}
	for name, change := range mismatches {
		cases = append(cases,
			review("one of another "+name, rolledBack(classC, once), lookedBack(inLane("new", change)), "the cloud shows ", 1),
			review("one of another "+name+", the attempts lost", rolledBack(classC), lookedBack(inLane("new", change)), "the cloud shows ", 1),
			review("two, one of another "+name, rolledBack(classC, once), lookedBack(fresh, inLane("other", change)), "more than one commitment", 2),
			none("one of another "+name+", older than the margin", rolledBack(classC, once), lookedBack(inLane("new", change, startingAt(backupAt.Add(-time.Hour-1))))),
			none("one of another "+name+" that something explains", rolledBack(classC, once, explained("new")), lookedBack(inLane("new", change))),
			review("an order of another "+name, rolledBack(classQ), lookedBack(order("r-1", cloud.Queued, startingAt(laterFire), change)), "the cloud shows ", 1))
	}
	runSteps(t, cases)
}

func TestAReceiptOfALaneInRecoveryHoldsWhatIsListed(t *testing.T) {
	c, err := DefaultRules.Step(rolledBack(classC, once), audited(lane(foundAgain, inLane("new")), "new"), foundAgain)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inLane("new"), c.Receipt.Commitment); diff != "" {
		t.Errorf("commitment (-want +got):\n%s", diff)
	}
	if got := c.Evidence[0]; got.N != 1 || got.Kind != cloud.EvidenceAuditLog {
		t.Errorf("evidence %+v", got)
	}
}

func TestTheAuditLogDoesNotSettleWhatHasAName(t *testing.T) {
	ev := audited(lane(foundAgain, boughtAs(identity(1)), boughtAs(identity(2))), identity(1))
	runSteps(t, []stepCase{
		{name: "two names", row: rolledBack(once), ev: ev, now: foundAgain, rule: "T15", to: NeedsReview, reason: "more than one commitment", evidence: 2},
	})
}

func TestAnOrderInRecoveryWaitsForItsSecond(t *testing.T) {
	dead := map[int]AttemptState{1: AttemptDead}
	queued := order("r-1", cloud.Queued, startingAt(laterFire))
	ordered := func(state AttemptState) rowOption {
		a := ordering(1, state)
		a.FireAt, a.Intent.FireAt = laterFire, laterFire
		return with(a)
	}
	known := ordered(AttemptAccepted)
	next, leave := laterFire.Add(time.Minute), laterFire.Add(30*time.Minute)
	wait := func(name string, row Row, now, lookAt time.Time) stepCase {
		return stepCase{name: name, row: row, ev: looked(lane(now, queued)), now: now, to: Recovery, reason: "waiting for its second", lookAt: lookAt, mustLeaveBy: leave}
	}
	won := map[int]AttemptState{1: AttemptSucceeded}
	runSteps(t, []stepCase{
		wait("long before", rolledBack(classQ, known), foundAgain, next),
		wait("called off", rolledBack(classQ, known, calledOff), foundAgain, foundAgain.Add(ReadRetry)),
		wait("the plan failed elsewhere", rolledBack(classQ, known, planFailed), foundAgain, foundAgain.Add(ReadRetry)),
		wait("a nanosecond before it is looked at", rolledBack(classQ, known), next.Add(-1), next),
		wait("when it is looked at", rolledBack(classQ, known), next, next.Add(ReadRetry)),
		wait("half an hour after", rolledBack(classQ, known), leave, leave.Add(ReadRetry)),
		{name: "more than half an hour after", row: rolledBack(classQ, known), ev: looked(lane(leave.Add(1), queued)), now: leave.Add(1),
			rule: "T15", to: NeedsReview, reason: "still queued long after its second", evidence: 1},
		{name: "fired", row: rolledBack(classQ, known), ev: looked(lane(next, inLane("r-1", startingAt(laterFire)))), now: next,
			rule: "T15", to: Purchased, attempts: won, receipt: 1, how: cloud.EvidenceListing, reason: "found when", evidence: 1},
		{name: "fired, and something explains it", row: rolledBack(classQ, known, explained("r-1")), ev: looked(lane(next, inLane("r-1", startingAt(laterFire)))), now: next,
			rule: "T15", to: Canceled, attempts: dead, reason: voided, evidence: 1},
		{name: "queued, its attempt lost", row: rolledBack(classQ), ev: lookedBack(queued), now: foundAgain, rule: "T15", to: NeedsReview, reason: "r-1 could be this line's", evidence: 1},
		{name: "queued, and its attempt was proven empty", row: rolledBack(classQ, ordered(AttemptDead)), ev: lookedBack(queued), now: foundAgain, rule: "T15", to: NeedsReview, reason: "already proven empty", evidence: 1},
		{name: "two for its second", row: rolledBack(classQ, known), ev: lookedBack(queued, order("r-2", cloud.Queued, startingAt(laterFire))), now: foundAgain,
			rule: "T15", to: NeedsReview, reason: "more than one commitment", evidence: 2},
	})
}

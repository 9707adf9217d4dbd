package purchase

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
)

// laneOnce is an armed line of class C with one attempt that has no answer. When
// it was armed its lane held "old".
func laneOnce(options ...rowOption) Row {
	a := attempt(1, 1, AttemptArmed, cloud.InDoubt)
	a.Before = []string{"old"}
	return lineIn(Armed, append([]rowOption{classC, with(a)}, options...)...)
}

// lane is a complete listing of the lane that began at a moment by both clocks.
func lane(at time.Time, cs ...cloud.Commitment) []cloud.Evidence {
	if len(cs) == 0 {
		return nothingListed(at)
	}
	return listed(at, cs...)
}

// shown says that a lane was listed once before, at a moment by our clock.
func shown(at time.Time, cs ...cloud.Commitment) rowOption {
	return func(r *Row) { r.Line.Listing = Listing{Digest: listingDigest(lane(at, cs...)), At: at} }
}

// audited is a look at the lane with what the audit log has of the attempt's
// credential.
func audited(found []cloud.Evidence, ids ...string) Looked {
	ev := looked(found)
	for _, id := range ids {
		ev.Trail = append(ev.Trail, cloud.Evidence{Kind: cloud.EvidenceAuditLog, Operation: "LookupEvents", Commitment: &cloud.Commitment{ID: id}})
	}
	return ev
}

func TestArmingInALaneKeepsWhatTheLaneHolds(t *testing.T) {
	for name, c := range map[string]struct {
		held []cloud.Commitment
		want []string
	}{
		"nothing":           {},
		"the same goods":    {held: []cloud.Commitment{inLane("a"), inLane("b")}, want: []string{"a", "b"}},
		"what was not paid": {held: []cloud.Commitment{inLane("a", inState(cloud.Failed))}, want: []string{"a"}},
		"other goods":       {held: []cloud.Commitment{inLane("a", mismatches["quantity"])}, want: []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			ev := checkedAt(t0)
			ev.Found = lane(t0, c.held...)
			got, err := DefaultRules.Step(lineIn(Ready, classC), ev, t0)
			if err != nil || got.Rule != "T2" {
				t.Fatalf("step %q, %v", got.Rule, err)
			}
			if diff := cmp.Diff(c.want, got.Arm.Before); diff != "" {
				t.Errorf("held before (-want +got):\n%s", diff)
			}
		})
	}
}

func TestALaneIsSettledByBothClocks(t *testing.T) {
	end := t0.Add(settled)
	old := inLane("old")
	byCloud := func(at, clouds time.Time) Looked {
		found := lane(at, old)
		found[0].CloudTime = clouds
		return looked(found)
	}
	doubt := "bought may still appear until 10:07:00 UTC"
	once := "listing once more"
	runSteps(t, []stepCase{
		{name: "at once", row: laneOnce(), ev: byCloud(t0, t0), now: t0, to: Armed, reason: doubt, lookAt: t0.Add(time.Second)},
		{name: "a nanosecond before by our clock", row: laneOnce(), ev: byCloud(end.Add(-1), end), now: end, to: Armed, reason: doubt},
		{name: "a nanosecond before by the cloud's", row: laneOnce(), ev: byCloud(end, end.Add(-1)), now: end, to: Armed, reason: doubt},
		{name: "the cloud told no time", row: laneOnce(), ev: byCloud(end.Add(time.Hour), time.Time{}), now: end.Add(time.Hour), to: Armed, reason: doubt},
		{name: "by both", row: laneOnce(), ev: byCloud(end, end), now: end, to: Armed, reason: once, lookAt: end.Add(time.Minute), listedAt: end},
		{name: "by both, and the listing took five seconds", row: laneOnce(), ev: byCloud(end, end), now: end.Add(5 * time.Second),
			to: Armed, reason: once, lookAt: end.Add(65 * time.Second), listedAt: end.Add(5 * time.Second)},
		{name: "one like ours appears too early to conclude", row: laneOnce(exclusive), ev: looked(lane(t0, old, inLane("new"))), now: t0, to: Armed, reason: doubt},
		{name: "two equal ones, the second too early by the cloud's", row: laneOnce(shown(end, old)), ev: byCloud(end.Add(time.Minute), end.Add(-1)), now: end.Add(time.Minute),
			to: Armed, reason: doubt, listedAt: end},
	})
}

func TestTwoEqualSettledListingsAMinuteApartEndTheDoubt(t *testing.T) {
	end := t0.Add(settled)
	later := end.Add(time.Minute)
	dead := map[int]AttemptState{1: AttemptDead}
	old, two := inLane("old"), inLane("two", mismatches["offering"])
	used := func(r *Row) {
		for n := 2; n <= 5; n++ {
			r.Attempts = append(r.Attempts, attempt(n, n, AttemptDead, cloud.InDoubt))
		}
		r.Line.Armed = 5
	}
	runSteps(t, []stepCase{
		{name: "a minute apart", row: laneOnce(shown(end, old)), ev: looked(lane(later, old)), now: later, rule: "T8", to: Ready, generation: 2, attempts: dead, lookAt: later, evidence: 1},
		{name: "a nanosecond less", row: laneOnce(shown(end, old)), ev: looked(lane(later, old)), now: later.Add(-1), to: Armed, lookAt: later, listedAt: end},
		{name: "an empty lane", row: laneOnce(shown(end)), ev: looked(lane(later)), now: later, rule: "T8", to: Ready, generation: 2, attempts: dead, evidence: 1},
		{name: "called off", row: laneOnce(shown(end, old), calledOff), ev: looked(lane(later, old)), now: later, rule: "T9", to: Canceled, attempts: dead, reason: "called off", evidence: 1},
		{name: "approval over", row: laneOnce(shown(end, old), approvedUntil(later)), ev: looked(lane(later, old)), now: later, rule: "T9", to: Expired, attempts: dead, reason: "approval ended", evidence: 1},
		{name: "no attempts left", row: laneOnce(shown(end, old), used), ev: looked(lane(later, old)), now: later,
			rule: "T9", to: Failed, attempts: dead, reason: "two complete listings show nothing new", evidence: 1},
		{name: "in another order", row: laneOnce(shown(end, old, two)), ev: looked(lane(later, two, old)), now: later, rule: "T8", to: Ready, generation: 2, attempts: dead, evidence: 1},

		{name: "one more, of other goods", row: laneOnce(shown(end, old)), ev: looked(lane(later, old, two)), now: later,
			to: Armed, reason: "listing once more", lookAt: later.Add(time.Minute), listedAt: later},
		{name: "one more, like ours", row: laneOnce(shown(end, old), exclusive), ev: looked(lane(later, old, inLane("new"))), now: later,
			to: Armed, reason: "listing once more", lookAt: later.Add(time.Minute), listedAt: later},
		{name: "one less", row: laneOnce(shown(end, old, two)), ev: looked(lane(later, old)), now: later, to: Armed, reason: "listing once more", listedAt: later},
		{name: "the first was not settled", row: laneOnce(shown(end.Add(-1), old)), ev: looked(lane(later, old)), now: later, to: Armed, reason: "listing once more", listedAt: later},
	})
}

// The digest that is kept is that of the listing that was seen.
func TestAChangedListingStartsOver(t *testing.T) {
	row, now := laneOnce(), t0.Add(settled)
	old, other := inLane("old"), inLane("other", mismatches["region"])
	for i, look := range []struct {
		shown []cloud.Commitment
		to    State
	}{
		{[]cloud.Commitment{old}, Armed}, {[]cloud.Commitment{old, other}, Armed}, {[]cloud.Commitment{old}, Armed},
		{[]cloud.Commitment{old, other}, Armed}, {[]cloud.Commitment{other, old}, Ready},
	} {
		c, err := DefaultRules.Step(row, looked(lane(now, look.shown...)), now)
		if err != nil || c.To != look.to {
			t.Fatalf("look %d: to %s (%s), %v, want %s", i+1, c.To, c.Reason, err, look.to)
		}
		row.Line.Listing, now = c.Listing, now.Add(time.Minute)
	}
}

func TestWhatCannotBeOfTheLineIsNoCandidate(t *testing.T) {
	end := t0.Add(settled)
	later := end.Add(time.Minute)
	dead := map[int]AttemptState{1: AttemptDead}
	ends := func(name string, c cloud.Commitment, options ...rowOption) stepCase {
		return stepCase{name: name, row: laneOnce(append(options, shown(end, c), exclusive)...), ev: looked(lane(later, c)), now: later,
			rule: "T8", to: Ready, generation: 2, attempts: dead, evidence: 1}
	}
	cases := []stepCase{
		ends("it was there before", inLane("old")),
		ends("something explains it", inLane("new"), explained("another", "new")),
		ends("it started before the attempt", inLane("new", startingAt(t0.Add(-maxSkew-1)))),
		ends("its payment failed", inLane("new", inState(cloud.Failed))),
		ends("it was given back", inLane("new", inState(cloud.Returned))),
		ends("it was deleted", inLane("new", inState(cloud.Deleted))),
	}
	for _, name := range []string{"account", "region", "offering"} {
		cases = append(cases, ends("another "+name, inLane("new", mismatches[name])))
	}
	counts := inLane("new", startingAt(t0.Add(-maxSkew)))
	cases = append(cases, stepCase{name: "it started as long before as clocks may differ", row: laneOnce(shown(end, counts), exclusive), ev: looked(lane(later, counts)), now: later,
		rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, how: cloud.EvidenceListing, evidence: 1})
	runSteps(t, cases)
}

// A cloud may fill an order in part, or show it in other words: what is new of the
// offering that was asked for may be the line's, whatever else differs.
func TestWhatIsOfTheOfferingAndNotAsApprovedIsForAPerson(t *testing.T) {
	end := t0.Add(settled)
	later := end.Add(time.Minute)
	var cases []stepCase
	asks := func(name string, c cloud.Commitment, options ...rowOption) {
		cases = append(cases, stepCase{name: name, row: laneOnce(append(options, shown(end, c))...), ev: looked(lane(later, c)), now: later,
			rule: "T12", to: NeedsReview, reason: "1 new commitments could be this line's", evidence: 1})
	}
	for _, name := range []string{"quantity", "term", "payment", "attributes", "attributes, fewer"} {
		asks("another "+name, inLane("new", mismatches[name]))
		asks("another "+name+", exclusive", inLane("new", mismatches[name]), exclusive)
		asks("another "+name+", called off and the approval over", inLane("new", mismatches[name]), exclusive, calledOff, approvedUntil(t0))
	}
	for name, q := range map[string]int64{"one unit": 1, "more than were asked for": 4} {
		asks(name, inLane("new", func(c *cloud.Commitment) { c.Quantity = q }), exclusive)
	}
	runSteps(t, cases)
}

func TestALaneThatHidesWhatIsKnownOfThePurchaseIsForAPerson(t *testing.T) {
	end := t0.Add(settled)
	later := end.Add(time.Minute)
	in := func(state AttemptState, outcome cloud.Outcome) rowOption {
		return func(r *Row) { r.Attempts[0].State, r.Attempts[0].Outcome = state, outcome }
	}
	accepted, exists := in(AttemptAccepted, cloud.Accepted), in(AttemptInDoubt, cloud.Exists)
	old, other, fresh := inLane("old"), inLane("other", mismatches["offering"]), inLane("new")
	named := "the audit log names elsewhere, which no listing shows as new"
	unseen := "the cloud accepted the request, and no listing shows what came of it"
	review := func(name string, row Row, ev Looked, reason string, evidence int) stepCase {
		return stepCase{name: name, row: row, ev: ev, now: later, rule: "T12", to: NeedsReview, reason: reason, evidence: evidence}
	}
	empty, held := shown(end), shown(end, old, other)
	runSteps(t, []stepCase{
		review("the audit log names something", laneOnce(empty), audited(lane(later), "elsewhere"), named, 1),
		review("the audit log names two", laneOnce(empty), audited(lane(later), "elsewhere", "nowhere"), named, 2),
		review("the audit log names something, exclusive", laneOnce(empty, exclusive), audited(lane(later), "elsewhere"), named, 1),
		review("the audit log names something, called off and the approval over", laneOnce(empty, calledOff, approvedUntil(t0)), audited(lane(later), "elsewhere"), named, 1),
		review("the audit log names something, next to other goods", laneOnce(held), audited(lane(later, old, other), "elsewhere"), named, 1),
		review("the audit log names something, and it was accepted", laneOnce(empty, accepted), audited(lane(later), "elsewhere"), named, 1),
		review("it was accepted", laneOnce(empty, accepted), looked(lane(later)), unseen, 1),
		review("it was accepted, next to other goods", laneOnce(held, accepted), looked(lane(later, old, other)), unseen, 1),
		review("it was accepted, called off and the approval over", laneOnce(empty, accepted, calledOff, approvedUntil(t0)), looked(lane(later)), unseen, 1),
		review("it exists", laneOnce(empty, exists), looked(lane(later)), unseen, 1),
		{name: "the audit log names something, not settled", row: laneOnce(), ev: audited(lane(t0), "elsewhere"), now: t0, to: Armed, reason: "may still appear"},
		{name: "it was accepted, not settled", row: laneOnce(accepted), ev: looked(lane(t0)), now: t0, to: Armed, reason: "may still appear"},
		{name: "the audit log names something, listed once", row: laneOnce(), ev: audited(lane(end), "elsewhere"), now: end, to: Armed, reason: "listing once more", listedAt: end},
		{name: "it was accepted and is listed", row: laneOnce(shown(end, fresh), exclusive, accepted), ev: looked(lane(later, fresh)), now: later,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, how: cloud.EvidenceListing, evidence: 1},
	})
}

func TestACandidateIsTheLinesWhereNobodyElseBuys(t *testing.T) {
	end := t0.Add(settled)
	later := end.Add(time.Minute)
	won := map[int]AttemptState{1: AttemptSucceeded}
	seen := func(cs ...cloud.Commitment) (rowOption, Looked) { return shown(end, cs...), looked(lane(later, cs...)) }
	old, new1, new2, other := inLane("old"), inLane("new-1"), inLane("new-2"), inLane("other", mismatches["offering"])
	one, lookOne := seen(old, new1)
	two, lookTwo := seen(old, new1, new2)
	odd, lookOdd := seen(other, new1)
	part, lookPart := seen(inLane("part", mismatches["quantity"]), new1)
	unsaid := func(c *cloud.Commitment) { c.OfferingID = "" }
	silent, lookSilent := seen(inLane("silent", unsaid), inLane("other-goods", unsaid, mismatches["attributes"]),
		inLane("other-term", unsaid, mismatches["term"]), inLane("other-payment", unsaid, mismatches["payment"]))
	silentTwo, lookSilentTwo := seen(inLane("silent", unsaid), inLane("silent-part", unsaid, mismatches["quantity"]))
	runSteps(t, []stepCase{
		{name: "one, exclusive", row: laneOnce(one, exclusive), ev: lookOne, now: later, rule: "T4", to: Purchased, attempts: won, receipt: 1, how: cloud.EvidenceListing, evidence: 1},
		{name: "one, exclusive, called off", row: laneOnce(one, exclusive, calledOff), ev: lookOne, now: later, rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1},
		{name: "one, exclusive, approval over", row: laneOnce(one, exclusive, approvedUntil(t0)), ev: lookOne, now: later, rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1},
		{name: "one, exclusive, next to another offering", row: laneOnce(odd, exclusive), ev: lookOdd, now: later, rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1},
		{name: "one, exclusive, next to its offering in another quantity", row: laneOnce(part, exclusive), ev: lookPart, now: later,
			rule: "T12", to: NeedsReview, reason: "2 new commitments could be this line's", evidence: 2},
		{name: "one, exclusive, of a cloud that does not say the offering", row: laneOnce(silent, exclusive), ev: lookSilent, now: later,
			rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1},
		{name: "two, exclusive, of a cloud that does not say the offering", row: laneOnce(silentTwo, exclusive), ev: lookSilentTwo, now: later,
			rule: "T12", to: NeedsReview, reason: "2 new commitments could be this line's", evidence: 2},
		{name: "one, shared", row: laneOnce(one), ev: lookOne, now: later, rule: "T12", to: NeedsReview, reason: "1 new commitments could be this line's", evidence: 1},
		{name: "two, exclusive", row: laneOnce(two, exclusive), ev: lookTwo, now: later, rule: "T12", to: NeedsReview, reason: "2 new commitments could be this line's", evidence: 2},
		{name: "two, shared, called off", row: laneOnce(two, calledOff), ev: lookTwo, now: later, rule: "T12", to: NeedsReview, reason: "2 new commitments", evidence: 2},
		{name: "two, one of them explained", row: laneOnce(two, exclusive, explained("new-1")), ev: lookTwo, now: later, rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1},
	})
}

func TestTheAuditLogNamesThePurchaseAtOnce(t *testing.T) {
	now := t0.Add(time.Second)
	won := map[int]AttemptState{1: AttemptSucceeded}
	doubt := "may still appear"
	old, new1, new2 := inLane("old"), inLane("new-1"), inLane("new-2")
	cases := []stepCase{
		{name: "names one", row: laneOnce(), ev: audited(lane(t0, old, new1), "new-1"), now: now, rule: "T4", to: Purchased, attempts: won, receipt: 1, how: cloud.EvidenceAuditLog, evidence: 1},
		{name: "names one of two", row: laneOnce(), ev: audited(lane(t0, new1, new2), "new-2"), now: now, rule: "T4", to: Purchased, attempts: won, receipt: 1, how: cloud.EvidenceAuditLog, evidence: 1},
		{name: "names one, called off", row: laneOnce(calledOff), ev: audited(lane(t0, new1), "new-1"), now: now, rule: "T4", to: Purchased, attempts: won, receipt: 1, evidence: 1},
		{name: "names one behind something not listed", row: laneOnce(), ev: audited(lane(t0, new1), "elsewhere", "new-1"), now: now, to: Armed, reason: doubt},
		{name: "names something not listed before one", row: laneOnce(exclusive), ev: audited(lane(t0, new1), "new-1", "elsewhere"), now: now, to: Armed, reason: doubt},
		{name: "names two", row: laneOnce(exclusive), ev: audited(lane(t0, new1, new2), "new-1", "new-2"), now: now, to: Armed, reason: doubt},
		{name: "names something not listed", row: laneOnce(), ev: audited(lane(t0, new1), "elsewhere"), now: now, to: Armed, reason: doubt},
		{name: "names what was there before", row: laneOnce(), ev: audited(lane(t0, old), "old"), now: now, to: Armed, reason: doubt},
		{name: "names what something explains", row: laneOnce(explained("new-1")), ev: audited(lane(t0, new1), "new-1"), now: now, to: Armed, reason: doubt},
		{name: "names nothing", row: laneOnce(), ev: audited(lane(t0, new1)), now: now, to: Armed, reason: doubt},
		{name: "was read and shows nothing", row: laneOnce(), ev: Looked{Facts: testFacts, Found: lane(t0, new1), Trail: nothingListed(t0)}, now: now, to: Armed, reason: doubt},
	}
	for name, change := range mismatches {
		cases = append(cases, stepCase{name: "names another " + name, row: laneOnce(exclusive), ev: audited(lane(t0, inLane("new-1", change)), "new-1"), now: now,
			rule: "T12", to: NeedsReview, reason: "the cloud shows ", evidence: 2})
	}
	runSteps(t, cases)
}

func TestAReceiptFromTheAuditLogHoldsWhatIsListed(t *testing.T) {
	c, err := DefaultRules.Step(laneOnce(), audited(lane(t0, inLane("new-1"), inLane("new-2")), "new-2"), t0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inLane("new-2"), c.Receipt.Commitment); diff != "" {
		t.Errorf("commitment (-want +got):\n%s", diff)
	}
	if got := c.Evidence[0]; got.N != 1 || got.Kind != cloud.EvidenceAuditLog {
		t.Errorf("evidence %+v", got)
	}
}

func TestALaneIsLookedAtForAnOpenAttemptOnly(t *testing.T) {
	end := t0.Add(settled)
	runSteps(t, []stepCase{
		{name: "nothing is open", row: lineIn(Armed, classC, with(attempt(1, 1, AttemptRejected, cloud.Throttled))), ev: looked(lane(end)), now: end, none: true},
		{name: "no complete look", row: laneOnce(), ev: looked(nil), now: end, none: true},
		{name: "queued, which is of another class", row: lineIn(QueuedLine, classC, with(attempt(1, 1, AttemptAccepted, cloud.Accepted))), ev: looked(lane(end)), now: end, none: true},
		{name: "a person is looking", row: lineIn(NeedsReview, classC, with(attempt(1, 1, AttemptArmed, cloud.InDoubt))), ev: looked(lane(end)), now: end, none: true},
	})
}

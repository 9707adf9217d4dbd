package purchase

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
)

// decided is ana's decision with what was listed at a moment by both clocks.
func decided(choice Choice, at time.Time, changes ...func(*Decided)) Decided {
	found := nothingListed(at)
	found[0].CloudTime = at
	ev := Decided{Facts: testFacts, Choice: choice, By: "ana", Found: found}
	for _, change := range changes {
		change(&ev)
	}
	return ev
}

func adopting(id string, cs ...cloud.Commitment) Decided {
	return Decided{Facts: testFacts, Choice: Adopt, By: "ana", Adopt: id, Found: lane(t0, cs...)}
}

// among has the listing of a decision show commitments.
func among(cs ...cloud.Commitment) func(*Decided) {
	return func(ev *Decided) { ev.Found = listed(ev.Found[0].Started, cs...) }
}

func unexplained(ids ...string) func(*Decided) { return func(ev *Decided) { ev.Unexplained = ids } }
func agreed(second string) func(*Decided)      { return func(ev *Decided) { ev.Second = second } }

// reviewed is a line that waits for a person, with one attempt in doubt.
func reviewed(options ...rowOption) Row {
	return lineIn(NeedsReview, append([]rowOption{with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt))}, options...)...)
}

func TestAPersonDecidesOnlyWhatNeedsReview(t *testing.T) {
	end := t0.Add(settled)
	for _, choice := range []Choice{Adopt, NotBought, LookAgain} {
		ev := decided(choice, end, among(inLane("new")))
		ev.Adopt = "new"
		for _, state := range States {
			row := reviewed()
			row.Line.State = state
			_, err := DefaultRules.Step(row, ev, end)
			if refused := errors.Is(err, ErrNoStep); refused != (state != NeedsReview) || !refused && err != nil {
				t.Errorf("%s while the line is %s: %v", choice, state, err)
			}
		}
		nobody := ev
		nobody.By = ""
		if _, err := DefaultRules.Step(reviewed(), nobody, end); !errors.Is(err, ErrNoStep) {
			t.Errorf("%s by nobody: %v", choice, err)
		}
	}
}

func TestThereIsNoOtherChoice(t *testing.T) {
	end := t0.Add(settled)
	for _, choice := range []Choice{"", "retry", "bought"} {
		c, err := DefaultRules.Step(reviewed(), decided(choice, end), end)
		if err == nil || errors.Is(err, ErrNoStep) || !strings.Contains(err.Error(), "is not a choice") {
			t.Errorf("%q leads to %s, %v", choice, c.To, err)
		}
	}
}

func TestLookingAgainNeedsAnOpenRequest(t *testing.T) {
	end, leave := t0.Add(settled), t0.Add(settled+20*time.Minute)
	ev := decided(LookAgain, t0)
	runSteps(t, []stepCase{
		{name: "in doubt", row: reviewed(), ev: ev, now: t0, rule: "T13", to: Armed, reason: "ana asked to look again", lookAt: t0, mustLeaveBy: leave, evidence: 1},
		{name: "in doubt, until the last moment", row: reviewed(), ev: ev, now: leave, rule: "T13", to: Armed, reason: "look again", lookAt: leave, mustLeaveBy: leave, evidence: 1},
		{name: "in doubt for long", row: reviewed(), ev: ev, now: leave.Add(1), rule: "T13", to: Armed, reason: "look again", lookAt: leave.Add(1), mustLeaveBy: leave.Add(20*time.Minute + 1), evidence: 1},
		{name: "called off, approval over", row: reviewed(calledOff, approvedUntil(t0)), ev: ev, now: t0, rule: "T13", to: Armed, reason: "look again", evidence: 1},
		{name: "its lane was listed once", row: reviewed(classC, shown(end)), ev: ev, now: end, rule: "T13", to: Armed, reason: "look again", evidence: 1},
		{name: "without a listing", row: reviewed(), ev: Decided{Choice: LookAgain, By: "ana"}, now: t0, rule: "T13", to: Armed, reason: "look again", evidence: 1},
		{name: "nothing is open", row: lineIn(NeedsReview, with(attempt(1, 1, AttemptDead, cloud.InDoubt))), ev: ev, now: t0, err: ErrNothingToLook},
		{name: "nothing was ever sent", row: lineIn(NeedsReview), ev: ev, now: t0, err: ErrNothingToLook},
	})
}

func TestNotBoughtWaitsUntilEverythingIsSettledByBothClocks(t *testing.T) {
	end := t0.Add(settled)
	byCloud := func(at, clouds time.Time) Decided {
		return decided(NotBought, at, func(ev *Decided) { ev.Found[0].CloudTime = clouds })
	}
	dead := map[int]AttemptState{1: AttemptDead}
	two := lineIn(NeedsReview, with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(2, 2, AttemptDead, cloud.InDoubt)))
	slow := lineIn(NeedsReview, with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(2, 2, AttemptDead, cloud.InDoubt)))
	slow.Attempts[0].SettledAt = end.Add(time.Hour)
	runSteps(t, []stepCase{
		{name: "settled", row: reviewed(), ev: byCloud(end, end), now: end, rule: "T13", to: Failed, heuristic: true, attempts: dead, reason: "ana decided that nothing was bought", evidence: 2},
		{name: "a nanosecond early", row: reviewed(), ev: byCloud(end, end), now: end.Add(-1), err: ErrTooEarly},
		{name: "listed a nanosecond before by our clock", row: reviewed(), ev: byCloud(end.Add(-1), end), now: end, err: ErrTooEarly},
		{name: "listed a nanosecond before by the cloud's", row: reviewed(), ev: byCloud(end, end.Add(-1)), now: end, err: ErrTooEarly},
		{name: "the cloud told no time", row: reviewed(), ev: byCloud(end.Add(time.Hour), time.Time{}), now: end.Add(time.Hour), err: ErrTooEarly},
		{name: "no complete look", row: reviewed(), ev: Decided{Choice: NotBought, By: "ana"}, now: end.Add(time.Hour), err: ErrTooEarly},
		{name: "no complete look, and the ledger has lost the attempts", row: lineIn(NeedsReview), ev: Decided{Choice: NotBought, By: "ana"}, now: end, err: ErrTooEarly},
		{name: "no complete look, and a second person agrees", row: lineIn(NeedsReview, classC), ev: Decided{Choice: NotBought, By: "ana", Second: "ben"}, now: end, err: ErrTooEarly},
		{name: "a closed attempt may still appear", row: two, ev: byCloud(end, end), now: end, err: ErrTooEarly},
		{name: "not the last attempt settles last", row: slow, ev: byCloud(end.Add(time.Hour-1), end.Add(time.Hour)), now: end.Add(time.Hour), err: ErrTooEarly},
		{name: "no attempt may still appear", row: two, ev: byCloud(end.Add(time.Minute), end.Add(time.Minute)), now: end.Add(time.Minute),
			rule: "T13", to: Failed, heuristic: true, attempts: dead, reason: "nothing was bought", evidence: 2},
		{name: "too early with something unexplained and listed", row: reviewed(), ev: decided(NotBought, end.Add(-1), among(boughtAs(identity(1))), unexplained("new")), now: end, err: ErrTooEarly},
	})
	_, err := DefaultRules.Step(reviewed(), byCloud(t0, t0), t0)
	if err == nil || !strings.Contains(err.Error(), "until 2026-03-02T10:07:00Z") {
		t.Errorf("the refusal does not say until when: %v", err)
	}
}

func TestNotBoughtIsRefusedWhileSomethingOfTheLineIsListed(t *testing.T) {
	end := t0.Add(settled)
	dead := map[int]AttemptState{1: AttemptDead}
	says := func(cs ...cloud.Commitment) Decided { return decided(NotBought, end, among(cs...)) }
	handled := attempt(1, 1, AttemptAccepted, cloud.Accepted)
	handled.Handle = "op-1"
	ordered := orderedOnce(NeedsReview, AttemptAccepted)
	named := inLane("sp-1", func(c *cloud.Commitment) { c.Name = identity(1) })
	allowed := stepCase{now: end, rule: "T13", to: Failed, heuristic: true, attempts: dead, reason: "nothing was bought", evidence: 2}
	allow := func(name string, row Row, ev Decided) stepCase {
		c := allowed
		c.name, c.row, c.ev = name, row, ev
		return c
	}
	runSteps(t, []stepCase{
		{name: "its name", row: reviewed(), ev: says(boughtAs(identity(1))), now: end, err: ErrStillThere},
		{name: "its name, behind something else", row: reviewed(), ev: says(inLane("other"), boughtAs(identity(1))), now: end, err: ErrStillThere},
		{name: "its token", row: reviewed(classA), ev: says(named), now: end, err: ErrStillThere},
		{name: "its second", row: ordered, ev: says(order("r-1", cloud.Queued)), now: end, err: ErrStillThere},
		{name: "its handle", row: lineIn(NeedsReview, classH, with(handled)), ev: says(inLane("op-1")), now: end, err: ErrStillThere},
		{name: "the name of a closed attempt", row: lineIn(NeedsReview, with(attempt(1, 1, AttemptDead, cloud.InDoubt))), ev: says(boughtAs(identity(1))), now: end, err: ErrStillThere},
		{name: "a name of a generation that the ledger does not know", row: reviewed(), ev: says(boughtAs(strings.ToUpper(identity(7)))), now: end, err: ErrStillThere},
		{name: "a token of a generation that the ledger does not know", row: reviewed(classA), ev: says(inLane("sp-1", func(c *cloud.Commitment) { c.Name = identity(7) })), now: end, err: ErrStillThere},
		{name: "its name, the attempts lost", row: lineIn(NeedsReview), ev: says(boughtAs(identity(1))), now: end, err: ErrStillThere},
		{name: "its token, the attempts lost", row: lineIn(NeedsReview, classA), ev: says(named), now: end, err: ErrStillThere},
		{name: "its name on other goods, the attempts lost", row: lineIn(NeedsReview), ev: says(inLane(identity(2), mismatches["quantity"])), now: end, err: ErrStillThere},
		{name: "its name, the attempts lost, and a second person agrees", row: lineIn(NeedsReview), ev: decided(NotBought, end, among(boughtAs(identity(1))), unexplained(identity(1)), agreed("ben")), now: end, err: ErrStillThere},
		{name: "its name, and a second person agrees", row: reviewed(), ev: decided(NotBought, end, among(boughtAs(identity(1))), unexplained(identity(1)), agreed("ben")), now: end, err: ErrStillThere},

		allow("its name, never paid", reviewed(), says(inLane(identity(1), inState(cloud.Failed)))),
		allow("a name of another line", reviewed(), says(boughtAs(Identity(testInstall, "01JNB3XQZ5W8Y2K7M4T6R9V0AD", 1)))),
		allow("a name of another installation", reviewed(), says(boughtAs(Identity("zzzz", testLine, 1)))),
		allow("its second, deleted", ordered, says(order("r-1", cloud.Deleted))),
		allow("another second", ordered, says(order("r-1", cloud.Queued, startingAt(fire.Add(time.Second))))),
		allow("another name", reviewed(), says(inLane("other"))),
		{name: "its name, which the cloud shows and does not guard", row: reviewed(classC), ev: says(boughtAs(identity(1))), now: end, err: ErrStillThere},
	})
}

func TestNotBoughtNeedsASecondPersonWhileSomethingIsUnexplained(t *testing.T) {
	end := t0.Add(settled)
	dead := map[int]AttemptState{1: AttemptDead}
	says := func(changes ...func(*Decided)) Decided { return decided(NotBought, end, changes...) }
	agrees := func(name string, row Row, ev Decided, attempts map[int]AttemptState) stepCase {
		return stepCase{name: name, row: row, ev: ev, now: end, rule: "T13", to: Failed, heuristic: true, attempts: attempts, reason: "nothing was bought", evidence: 2}
	}
	runSteps(t, []stepCase{
		{name: "nobody agrees", row: reviewed(), ev: says(unexplained("new")), now: end, err: ErrSecondPerson},
		{name: "the same person agrees", row: reviewed(), ev: says(unexplained("new"), agreed("ana")), now: end, err: ErrSecondPerson},
		{name: "nobody agrees, in a lane", row: reviewed(classC), ev: says(unexplained("new"), among(inLane("new"))), now: end, err: ErrSecondPerson},
		agrees("another one agrees", reviewed(), says(unexplained("new"), agreed("ben")), dead),
		agrees("another one agrees, in a lane", reviewed(classC), says(unexplained("new"), among(inLane("new")), agreed("ben")), dead),
		agrees("everything is explained", reviewed(), says(), dead),
		agrees("everything is explained, and somebody agrees", reviewed(), says(agreed("ana")), dead),
		agrees("the ledger has lost the attempts", lineIn(NeedsReview), says(), nil),
	})
	c, err := DefaultRules.Step(reviewed(), says(unexplained("new"), agreed("ben")), end)
	if err != nil {
		t.Fatal(err)
	}
	if word := c.Evidence[0]; word.Kind != cloud.EvidencePerson || word.Operation != "not_bought" || !strings.Contains(word.Detail, "ana decided") || !strings.Contains(word.Detail, "ben agreed") {
		t.Errorf("the word is %+v", word)
	}
	if listing := c.Evidence[1]; listing.Kind != cloud.EvidenceAbsence || !listing.Started.Equal(end) {
		t.Errorf("the listing is %+v", listing)
	}
}

func TestAPersonAdoptsWhatIsListedAndUnexplained(t *testing.T) {
	won := map[int]AttemptState{1: AttemptSucceeded}
	word := "ana decided that new is this line's"
	adopts := func(name string, row Row, ev Decided, receipt int, attempts map[int]AttemptState) stepCase {
		return stepCase{name: name, row: row, ev: ev, now: t0, rule: "T13", to: Purchased, heuristic: true, attempts: attempts,
			receipt: receipt, how: cloud.EvidencePerson, reason: word, evidence: 2}
	}
	refuses := func(name string, row Row, ev Decided) stepCase {
		return stepCase{name: name, row: row, ev: ev, now: t0, err: ErrNotListed}
	}
	fresh := inLane("new")
	lost, dead, second := attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(1, 1, AttemptDead, cloud.InDoubt), attempt(2, 2, AttemptArmed, cloud.InDoubt)
	runSteps(t, []stepCase{
		adopts("listed", reviewed(), adopting("new", fresh), 1, won),
		adopts("listed, in a lane", reviewed(classC), adopting("new", inLane("old"), fresh), 1, won),
		adopts("listed, other goods", reviewed(), adopting("new", inLane("new", mismatches["quantity"])), 1, won),
		adopts("listed, called off and the approval over", reviewed(calledOff, approvedUntil(t0)), adopting("new", fresh), 1, won),
		adopts("something else is explained", reviewed(explained("old")), adopting("new", fresh), 1, won),
		adopts("the first of two open attempts is taken", lineIn(NeedsReview, with(lost, attempt(2, 1, AttemptArmed, cloud.InDoubt))), adopting("new", fresh), 1,
			map[int]AttemptState{1: AttemptSucceeded, 2: AttemptDead}),
		adopts("the open attempt behind a closed one is taken", lineIn(NeedsReview, with(dead, second)), adopting("new", fresh), 2, map[int]AttemptState{2: AttemptSucceeded}),
		adopts("the open attempt before a closed one is taken", lineIn(NeedsReview, with(lost, attempt(2, 1, AttemptRejected, cloud.Throttled))), adopting("new", fresh), 1, won),
		adopts("every attempt is closed", lineIn(NeedsReview, with(dead, attempt(2, 2, AttemptRejected, cloud.Refused))), adopting("new", fresh), 2, nil),
		adopts("the ledger has lost the attempts", lineIn(NeedsReview), adopting("new", fresh), lostAttempt, nil),

		refuses("not listed", reviewed(), adopting("new", inLane("old"))),
		refuses("nothing is listed", reviewed(), adopting("new")),
		refuses("nothing is named", reviewed(), adopting("")),
		refuses("explained", reviewed(explained("old", "new")), adopting("new", fresh)),
		refuses("its payment failed", reviewed(), adopting("new", inLane("new", inState(cloud.Failed)))),
		refuses("given back", reviewed(), adopting("new", inLane("new", inState(cloud.Returned)))),
		refuses("deleted", reviewed(), adopting("new", inLane("new", inState(cloud.Deleted)))),
	})
}

func TestAPersonsWordIsKeptWithWhatItRestsOn(t *testing.T) {
	c, err := DefaultRules.Step(reviewed(), adopting("new", inLane("old"), inLane("new")), t0)
	if err != nil {
		t.Fatal(err)
	}
	listing, word := c.Evidence[0], c.Evidence[1]
	if listing.N != 1 || listing.Kind != cloud.EvidenceListing || listing.Commitment.ID != "new" {
		t.Errorf("the listing is %+v", listing)
	}
	if word.N != 1 || word.Kind != cloud.EvidencePerson || word.Operation != "adopt" || !word.Started.Equal(t0) || word.Detail != c.Reason {
		t.Errorf("the word is %+v", word)
	}
	if c.Receipt.Commitment.ID != "new" {
		t.Errorf("the receipt names %s", c.Receipt.Commitment.ID)
	}
}

package purchase

import (
	"maps"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
)

func TestTheAnswerToTheOnlyAttempt(t *testing.T) {
	now := t0.Add(time.Second)
	doubt := map[int]AttemptState{1: AttemptInDoubt}
	runSteps(t, []stepCase{
		{name: "bought", row: armedOnce(), ev: answered(1, cloud.Bought), now: now, rule: "T4", to: Purchased,
			attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
		{name: "bought while called off", row: armedOnce(calledOff), ev: answered(1, cloud.Bought), now: now, rule: "T4", to: Purchased,
			attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
		{name: "bought, but what", row: armedOnce(), ev: func() Event {
			ev := answered(1, cloud.Bought)
			ev.Evidence.Commitment = nil
			return ev
		}(), now: now, to: Armed, attempts: doubt, reason: "no answer that proves anything", lookAt: now, evidence: 1},
		{name: "nothing heard", row: armedOnce(), ev: answered(1, cloud.InDoubt), now: now, to: Armed, attempts: doubt, reason: "no answer that proves anything", lookAt: now, evidence: 1},
		{name: "a word nobody knows", row: armedOnce(), ev: answered(1, "teapot"), now: now, to: Armed, attempts: doubt, reason: "no answer that proves anything", evidence: 1},
		{name: "accepted", row: armedOnce(), ev: answered(1, cloud.Accepted), now: now, to: Armed, attempts: map[int]AttemptState{1: AttemptAccepted}, reason: "accepted by the cloud", evidence: 1},
		{name: "exists", row: armedOnce(), ev: answered(1, cloud.Exists), now: now, to: Armed, attempts: doubt, reason: "this name exists", lookAt: now, evidence: 1},
		{name: "exists, called off, approval over", row: armedOnce(calledOff, approvedUntil(t0)), ev: answered(1, cloud.Exists), now: now,
			to: Armed, attempts: doubt, reason: "this name exists", evidence: 1},
		{name: "nothing heard, called off", row: armedOnce(calledOff), ev: answered(1, cloud.InDoubt), now: now, to: Armed, attempts: doubt, reason: "no answer", evidence: 1},
		{name: "second request", row: armedOnce(), ev: func() Event {
			ev := answered(1, cloud.Refused) // even then: the first one is in doubt
			ev.SecondRequest = true
			return ev
		}(), now: now, rule: "T12", to: NeedsReview, attempts: doubt, reason: "second request", evidence: 1},
		{name: "second request after a purchase", row: armedOnce(), ev: func() Event {
			ev := answered(1, cloud.Bought)
			ev.SecondRequest = true
			return ev
		}(), now: now, rule: "T12", to: NeedsReview, attempts: doubt, reason: "second request", evidence: 1},

		{name: "refused", row: armedOnce(), ev: answered(1, cloud.Refused), now: now, rule: "T9", to: Failed,
			attempts: map[int]AttemptState{1: AttemptRejected}, reason: "refused: the words of the cloud", evidence: 1},
		{name: "refused, called off", row: armedOnce(calledOff), ev: answered(1, cloud.Refused), now: now, rule: "T9", to: Canceled,
			attempts: map[int]AttemptState{1: AttemptRejected}, reason: "called off", evidence: 1},
		{name: "refused, approval over", row: armedOnce(approvedUntil(now)), ev: answered(1, cloud.Refused), now: now, rule: "T9", to: Expired,
			attempts: map[int]AttemptState{1: AttemptRejected}, reason: "approval ended", evidence: 1},
		{name: "refused, superseded", row: armedOnce(superseded), ev: answered(1, cloud.Refused), now: now, rule: "T9", to: Expired,
			attempts: map[int]AttemptState{1: AttemptRejected}, reason: "approval ended", evidence: 1},
		{name: "throttled", row: armedOnce(), ev: answered(1, cloud.Throttled), now: now, rule: "T8", to: Ready, generation: 2,
			attempts: map[int]AttemptState{1: AttemptRejected}, reason: "not sent or throttled: the words", lookAt: now.Add(backoff(1)), evidence: 1},
		{name: "throttled, stopped", row: armedOnce(stopped), ev: answered(1, cloud.Throttled), now: now, rule: "T8", to: Ready, generation: 2,
			attempts: map[int]AttemptState{1: AttemptRejected}, reason: "throttled", evidence: 1},
		{name: "throttled, called off", row: armedOnce(calledOff), ev: answered(1, cloud.Throttled), now: now, rule: "T9", to: Canceled,
			attempts: map[int]AttemptState{1: AttemptRejected}, reason: "called off", evidence: 1},
		{name: "unsent", row: armedOnce(), ev: answered(1, cloud.Unsent), now: now, rule: "T8", to: Ready, generation: 2,
			attempts: map[int]AttemptState{1: AttemptUnsent}, reason: "not sent", lookAt: now.Add(backoff(1)), evidence: 1},
	})
}

func TestANegativeAnswerSaysNothingAboutOtherAttempts(t *testing.T) {
	now := t0.Add(2 * time.Minute)
	two := lineIn(Armed, with(attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(2, 1, AttemptArmed, cloud.InDoubt)))
	gone := lineIn(Armed, with(attempt(1, 1, AttemptDead, cloud.InDoubt), attempt(2, 2, AttemptArmed, cloud.InDoubt)))
	var cases []stepCase
	for outcome, to := range map[cloud.Outcome]AttemptState{cloud.Refused: AttemptRejected, cloud.Throttled: AttemptRejected, cloud.Unsent: AttemptUnsent} {
		cases = append(cases, stepCase{name: "another is open: " + outcome.String(), row: two, ev: answered(2, outcome), now: now,
			to: Armed, attempts: map[int]AttemptState{2: to}, reason: "earlier request is still in doubt", lookAt: now, evidence: 1})
	}
	off := two
	off.Line.CancelRequested = true
	cases = append(cases,
		stepCase{name: "another is open and the line called off", row: off, ev: answered(2, cloud.Refused), now: now,
			to: Armed, attempts: map[int]AttemptState{2: AttemptRejected}, reason: "still in doubt", evidence: 1},
		stepCase{name: "the other is closed", row: gone, ev: answered(2, cloud.Throttled), now: now,
			rule: "T8", to: Ready, generation: 3, attempts: map[int]AttemptState{2: AttemptRejected}, reason: "throttled", evidence: 1},
		stepCase{name: "bought closes the other", row: two, ev: answered(2, cloud.Bought), now: now,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptDead, 2: AttemptSucceeded}, receipt: 2, evidence: 1},
	)
	runSteps(t, cases)
}

func TestTheLastAttemptThatBoughtNothingFailsTheLine(t *testing.T) {
	now := t0.Add(time.Second)
	var sent, unsent []Attempt
	for n := 1; n <= 4; n++ {
		sent = append(sent, attempt(n, n, AttemptDead, cloud.InDoubt))
	}
	for n := 1; n <= 39; n++ {
		unsent = append(unsent, attempt(n, n, AttemptUnsent, cloud.Unsent))
	}
	fifth, fortieth := attempt(5, 5, AttemptInDoubt, cloud.InDoubt), attempt(40, 40, AttemptArmed, cloud.InDoubt)
	runSteps(t, []stepCase{
		{name: "five sent, nothing listed", row: lineIn(Armed, with(append(sent, fifth)...)), ev: Looked{Facts: testFacts, Found: nothingListed(t0.Add(time.Hour))}, now: t0.Add(time.Hour),
			rule: "T9", to: Failed, attempts: map[int]AttemptState{5: AttemptDead}, reason: "nothing bought in 5 attempts", evidence: 1},
		{name: "forty never sent", row: lineIn(Armed, with(append(unsent, fortieth)...)), ev: Answered{N: 40, Nonce: nonce(40), Evidence: answered(1, cloud.Unsent).Evidence}, now: now,
			rule: "T9", to: Failed, attempts: map[int]AttemptState{40: AttemptUnsent}, reason: "nothing bought in 40 attempts", evidence: 1},
		{name: "thirty-nine never sent", row: lineIn(Armed, with(append(unsent[:38:38], attempt(39, 39, AttemptArmed, cloud.InDoubt))...)),
			ev: Answered{N: 39, Nonce: nonce(39), Evidence: answered(1, cloud.Unsent).Evidence}, now: now,
			rule: "T8", to: Ready, generation: 40, attempts: map[int]AttemptState{39: AttemptUnsent}, reason: "not sent", lookAt: now.Add(time.Minute), evidence: 1},
	})
}

// mismatches are all the ways in which a commitment can differ from what was
// approved.
var mismatches = map[string]func(*cloud.Commitment){
	"account":           func(c *cloud.Commitment) { c.Account = "999999999999" },
	"region":            func(c *cloud.Commitment) { c.Region = "us-east-1" },
	"offering":          func(c *cloud.Commitment) { c.OfferingID = "another" },
	"quantity":          func(c *cloud.Commitment) { c.Quantity = 2 },
	"term":              func(c *cloud.Commitment) { c.Term = cloud.ThreeYears },
	"payment":           func(c *cloud.Commitment) { c.Payment = cloud.NoUpfront },
	"attributes":        func(c *cloud.Commitment) { c.Attributes = changed(c.Attributes, "class", "db.r6g.xlarge") },
	"attributes, fewer": func(c *cloud.Commitment) { c.Attributes = nil },
}

func changed(a cloud.Attributes, key, value string) cloud.Attributes {
	b := maps.Clone(a)
	b[key] = value
	return b
}

func TestWhatWasBoughtMustBeWhatWasApproved(t *testing.T) {
	now := t0.Add(time.Second)
	var cases []stepCase
	for name, change := range mismatches {
		what, _, _ := strings.Cut(name, ",")
		c := boughtAs(identity(1))
		change(&c)
		cases = append(cases,
			stepCase{name: "answer with another " + name, row: armedOnce(), ev: buying(1, change), now: now,
				rule: "T12", to: NeedsReview, attempts: map[int]AttemptState{1: AttemptInDoubt}, reason: "the cloud shows " + what, evidence: 1},
			stepCase{name: "listing with another " + name, row: armedOnce(), ev: Looked{Facts: testFacts, Found: listed(now, c)}, now: now,
				rule: "T12", to: NeedsReview, reason: "the cloud shows " + what, evidence: 1})
	}
	other := boughtAs(identity(2))
	cases = append(cases, stepCase{name: "answer with another name", row: armedOnce(), ev: buying(1, func(c *cloud.Commitment) { *c = other }), now: now,
		rule: "T12", to: NeedsReview, attempts: map[int]AttemptState{1: AttemptInDoubt}, reason: "the cloud names " + other.ID, evidence: 1})
	runSteps(t, cases)
}

func TestLateAnswers(t *testing.T) {
	now := t0.Add(time.Hour)
	dead, won := attempt(1, 1, AttemptDead, cloud.InDoubt), attempt(1, 1, AttemptSucceeded, cloud.Bought)
	lost := attempt(1, 1, AttemptInDoubt, cloud.InDoubt)
	held := lineIn(Ready, with(dead), generation(2))
	runSteps(t, []stepCase{
		{name: "bought after all", row: held, ev: answered(1, cloud.Bought), now: now, rule: "T12", to: NeedsReview, reason: "late answer proves", evidence: 1},
		{name: "exists after all", row: held, ev: answered(1, cloud.Exists), now: now, rule: "T12", to: NeedsReview, reason: "late answer proves", evidence: 1},
		{name: "refused, as was held", row: held, ev: answered(1, cloud.Refused), now: now, to: Ready, evidence: 1},
		{name: "throttled, as was held", row: held, ev: answered(1, cloud.Throttled), now: now, to: Ready, evidence: 1},
		{name: "still nothing heard", row: held, ev: answered(1, cloud.InDoubt), now: now, none: true},
		{name: "bought, and the next generation is armed", row: lineIn(Armed, with(dead, attempt(2, 2, AttemptArmed, cloud.InDoubt))),
			ev: answered(1, cloud.Bought), now: now, to: Armed, evidence: 1},
		{name: "bought, as recorded", row: lineIn(Purchased, with(won)), ev: answered(1, cloud.Bought), now: now, none: true},
		{name: "exists, and another attempt won", row: lineIn(Purchased, with(dead, attempt(2, 1, AttemptSucceeded, cloud.Bought))), ev: answered(1, cloud.Exists), now: now, to: Purchased, evidence: 1},
		{name: "bought, and the line is failed", row: lineIn(Failed, with(dead)), ev: answered(1, cloud.Bought), now: now, to: Failed, evidence: 1},
		{name: "bought, and a person is looking", row: lineIn(NeedsReview, with(attempt(1, 1, AttemptArmed, cloud.InDoubt))), ev: answered(1, cloud.Bought), now: now, to: NeedsReview, evidence: 1},
		{name: "nothing heard, and a person is looking", row: lineIn(NeedsReview, with(attempt(1, 1, AttemptArmed, cloud.InDoubt))), ev: answered(1, cloud.InDoubt), now: now, to: NeedsReview, evidence: 1},
		{name: "the same doubt twice", row: lineIn(Armed, with(lost)), ev: answered(1, cloud.InDoubt), now: now, none: true},
		{name: "doubt, and then an answer", row: lineIn(Armed, with(lost)), ev: answered(1, cloud.Bought), now: now, to: Armed, evidence: 1},
	})
}

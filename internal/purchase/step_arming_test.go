package purchase

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
)

func skewed(by time.Duration) func(*Checked) {
	return func(ev *Checked) { ev.Quote.CloudTime = ev.Quote.CloudTime.Add(by) }
}

func offered(change func(*cloud.Offering)) func(*Checked) {
	return func(ev *Checked) { change(&ev.Quote.Offering) }
}

func found(cs ...cloud.Commitment) func(*Checked) {
	return func(ev *Checked) { ev.Found = listed(t0, cs...) }
}

func notSold(ev *Checked) { ev.Drift = ErrNotSold.Error() }

func TestArmingFromReady(t *testing.T) {
	dearer := func(upfront, hourly string) func(*Checked) {
		return offered(func(o *cloud.Offering) { o.Upfront, o.Hourly = usd(upfront), usd(hourly) })
	}
	runSteps(t, []stepCase{
		{name: "as approved", row: lineIn(Ready), ev: checkedAt(t0), now: t0, rule: "T2", to: Armed, armed: true, lookAt: t0.Add(firstLook)},
		{name: "next generation", row: lineIn(Ready, with(attempt(1, 1, AttemptDead, cloud.InDoubt)), generation(2)),
			ev: checkedAt(t0), now: t0, rule: "T2", to: Armed, armed: true},

		{name: "approval over", row: lineIn(Ready), ev: checkedAt(t0), now: t0.Add(2 * time.Hour), none: true},
		{name: "approval over to the nanosecond", row: lineIn(Ready, approvedUntil(t0)), ev: checkedAt(t0), now: t0, none: true},
		{name: "called off", row: lineIn(Ready, calledOff), ev: checkedAt(t0), now: t0, none: true},
		{name: "stopped", row: lineIn(Ready, stopped), ev: checkedAt(t0), now: t0, none: true},
		{name: "plan superseded", row: lineIn(Ready, superseded), ev: checkedAt(t0), now: t0, none: true},
		{name: "plan rejected", row: lineIn(Ready, rejected), ev: checkedAt(t0), now: t0, none: true},
		{name: "draft", row: lineIn(Draft), ev: checkedAt(t0), now: t0, none: true},
		{name: "purchased", row: lineIn(Purchased), ev: checkedAt(t0), now: t0, none: true},
		{name: "failed", row: lineIn(Failed), ev: checkedAt(t0), now: t0, none: true},
		{name: "needs review", row: lineIn(NeedsReview), ev: checkedAt(t0), now: t0, none: true},
		{name: "needs reapproval", row: lineIn(NeedsReapproval), ev: checkedAt(t0), now: t0, none: true},
		{name: "recovery", row: lineIn(Recovery), ev: checkedAt(t0), now: t0, none: true},

		{name: "clock behind by a minute", row: lineIn(Ready), ev: checkedAt(t0, skewed(time.Minute)), now: t0, rule: "T2", to: Armed, armed: true},
		{name: "clock ahead by a minute", row: lineIn(Ready), ev: checkedAt(t0, skewed(-time.Minute)), now: t0, rule: "T2", to: Armed, armed: true},
		{name: "clock behind by more", row: lineIn(Ready), ev: checkedAt(t0, skewed(time.Minute+1)), now: t0, to: Ready, reason: "clock", lookAt: t0.Add(clockRetry)},
		{name: "clock ahead by more", row: lineIn(Ready), ev: checkedAt(t0, skewed(-time.Minute-1)), now: t0, to: Ready, reason: "clock", lookAt: t0.Add(clockRetry)},

		{name: "not sold", row: lineIn(Ready), ev: checkedAt(t0, notSold), now: t0, rule: "T11", to: NeedsReapproval, reason: "not sold"},
		{name: "not sold, and no time came with it", row: lineIn(Ready), ev: Checked{Facts: testFacts, Found: nothingListed(t0), Drift: "gone"}, now: t0,
			rule: "T11", to: NeedsReapproval, reason: "gone"},
		{name: "other goods", row: lineIn(Ready), ev: checkedAt(t0, offered(func(o *cloud.Offering) { o.Attributes = cloud.Attributes{"class": "db.r6g.xlarge"} })), now: t0,
			rule: "T11", to: NeedsReapproval, reason: "approved was class=db.r6g.large"},
		{name: "other term at the same price", row: lineIn(Ready), ev: checkedAt(t0, offered(func(o *cloud.Offering) { o.Term = cloud.ThreeYears })), now: t0,
			rule: "T11", to: NeedsReapproval, reason: "is now"},
		{name: "other payment", row: lineIn(Ready), ev: checkedAt(t0, offered(func(o *cloud.Offering) { o.Payment = cloud.AllUpfront })), now: t0,
			rule: "T11", to: NeedsReapproval, reason: "is now"},

		{name: "cheaper", row: lineIn(Ready), ev: checkedAt(t0, dearer("700", "0.08")), now: t0, rule: "T2", to: Armed, armed: true},
		{name: "upfront up by a cent", row: lineIn(Ready), ev: checkedAt(t0, dearer("777.01", "0.08")), now: t0, rule: "T11", to: NeedsReapproval, reason: "price is now"},
		{name: "hourly up by the least", row: lineIn(Ready), ev: checkedAt(t0, dearer("1", "0.0888")), now: t0, rule: "T11", to: NeedsReapproval, reason: "price is now"},
		{name: "total up, the parts within", row: lineIn(Ready, tolerance(100), func(r *Row) { r.Line.Spec.Price.Total = usd("4000") }),
			ev: checkedAt(t0), now: t0, rule: "T11", to: NeedsReapproval, reason: "approved was USD 4,000.00"},
		{name: "within one per cent", row: lineIn(Ready, tolerance(100)), ev: checkedAt(t0, dearer("784.77", "0.089587")), now: t0, rule: "T2", to: Armed, armed: true},
		{name: "upfront above one per cent", row: lineIn(Ready, tolerance(100)), ev: checkedAt(t0, dearer("784.771", "0.0887")), now: t0, rule: "T11", to: NeedsReapproval, reason: "price"},
		{name: "hourly above one per cent", row: lineIn(Ready, tolerance(100)), ev: checkedAt(t0, dearer("777", "0.089588")), now: t0, rule: "T11", to: NeedsReapproval, reason: "price"},

		{name: "already there under our name", row: lineIn(Ready), ev: checkedAt(t0, found(boughtAs(identity(1)))), now: t0,
			rule: "T12", to: NeedsReview, reason: "although the ledger says", evidence: 1},
		{name: "a corpse under our name", row: lineIn(Ready), ev: checkedAt(t0, found(func() cloud.Commitment {
			c := boughtAs(identity(1))
			c.State = cloud.Failed
			return c
		}())), now: t0, rule: "T12", to: NeedsReview, reason: "although the ledger says", evidence: 1},
		{name: "already there, clocks differ and not sold", row: lineIn(Ready), ev: checkedAt(t0, found(boughtAs(identity(1))), skewed(time.Hour), notSold), now: t0,
			rule: "T12", to: NeedsReview, reason: "although the ledger says", evidence: 1},
	})
}

func TestWhatIsNewInTheLaneNeedsANewApproval(t *testing.T) {
	news := func(ids ...string) func(*Checked) { return func(ev *Checked) { ev.News = ids } }
	after := t0.Add(answerBy)
	new1 := "new-1 is new in aws/111122223333/eu-west-1/rds since the plan was made"
	moved := func(name string, row Row, ev Checked, reason string) stepCase {
		return stepCase{name: name, row: row, ev: ev, now: t0, rule: "T11", to: NeedsReapproval, reason: reason, lookAt: t0.Add(2 * time.Hour)}
	}
	runSteps(t, []stepCase{
		moved("one", lineIn(Ready), checkedAt(t0, news("new-1")), new1),
		moved("two", lineIn(Ready), checkedAt(t0, news("new-1", "new-2")), new1),
		moved("one, of a lane", lineIn(Ready, classC), checkedAt(t0, news("new-1"), found(inLane("new-1"))), new1),
		moved("one, of a line that orders", lineIn(Ready, classQ), checkedAt(t0, news("new-1")), new1),
		moved("one, and the clocks differ", lineIn(Ready), checkedAt(t0, news("new-1"), skewed(time.Hour)), new1),
		moved("one, and the offering is not sold", lineIn(Ready), checkedAt(t0, news("new-1"), notSold), "not sold"),
		{name: "one, and something is there under our name", row: lineIn(Ready), ev: checkedAt(t0, news("new-1"), found(boughtAs(identity(1)))), now: t0,
			rule: "T12", to: NeedsReview, reason: "although the ledger says", evidence: 1},
		{name: "none", row: lineIn(Ready), ev: checkedAt(t0, news()), now: t0, rule: "T2", to: Armed, armed: true},
		{name: "one, and the line is in doubt", row: armedOnce(), ev: checkedAt(after, news("new-1")), now: after, rule: "T3", to: Armed, armed: true},
	})
}

func TestArmingAgainUnderTheSameName(t *testing.T) {
	lost := attempt(1, 1, AttemptInDoubt, cloud.InDoubt)
	after := t0.Add(answerBy)
	runSteps(t, []stepCase{
		{name: "no answer until it was due", row: armedOnce(), ev: checkedAt(after), now: after, rule: "T3", to: Armed, armed: true},
		{name: "an answer may still come", row: armedOnce(), ev: checkedAt(after), now: after.Add(-1), none: true},
		{name: "lost", row: lineIn(Armed, with(lost)), ev: checkedAt(t0.Add(2 * time.Second)), now: t0.Add(2 * time.Second), rule: "T3", to: Armed, armed: true},
		{name: "lost a moment ago", row: lineIn(Armed, with(lost)), ev: checkedAt(t0), now: t0.Add(1400 * time.Millisecond), none: true},
		{name: "called off", row: armedOnce(calledOff), ev: checkedAt(after), now: after, none: true},
		{name: "stopped", row: armedOnce(stopped), ev: checkedAt(after), now: after, none: true},
		{name: "approval over", row: armedOnce(approvedUntil(after)), ev: checkedAt(after), now: after, none: true},
		{name: "superseded", row: armedOnce(superseded), ev: checkedAt(after), now: after, none: true},
		{name: "the cloud merges nothing", row: armedOnce(classC), ev: checkedAt(after), now: after, none: true},
		{name: "the name exists", row: lineIn(Armed, with(attempt(1, 1, AttemptInDoubt, cloud.Exists))), ev: checkedAt(after), now: after, none: true},
		{name: "an attempt of this name was refused",
			row: lineIn(Armed, with(lost, attempt(2, 1, AttemptRejected, cloud.Refused))), ev: checkedAt(t0.Add(5 * time.Minute)), now: t0.Add(5 * time.Minute), none: true},
		{name: "an attempt of an earlier name was refused",
			row: lineIn(Armed, with(attempt(1, 1, AttemptRejected, cloud.Refused), attempt(2, 2, AttemptInDoubt, cloud.InDoubt))),
			ev:  checkedAt(t0.Add(5 * time.Minute)), now: t0.Add(5 * time.Minute), rule: "T3", to: Armed, armed: true},

		{name: "found after all", row: armedOnce(), ev: checkedAt(after, found(boughtAs(identity(1)))), now: after,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
		{name: "clocks differ", row: armedOnce(), ev: checkedAt(after, skewed(2*time.Minute)), now: after, to: Armed, reason: "clock", lookAt: after.Add(clockRetry)},
		{name: "dearer now", row: armedOnce(), ev: checkedAt(after, offered(func(o *cloud.Offering) { o.Upfront = usd("778") })), now: after,
			to: Armed, reason: "price is now", lookAt: t0.Add(settled)},
		{name: "not sold now", row: armedOnce(), ev: checkedAt(after, notSold), now: after, to: Armed, reason: "not sold", lookAt: t0.Add(settled)},
	})
}

func TestTheBudgetOfAttemptsCountsWhatWasSent(t *testing.T) {
	many := func(n int, last Attempt, state AttemptState, outcome cloud.Outcome) Row {
		var as []Attempt
		for i := 1; i < n; i++ {
			a := attempt(1, i, state, outcome)
			a.N, a.Nonce = i, "n"
			as = append(as, a)
		}
		last.N, last.Generation = n, n
		return lineIn(Armed, with(append(as, last)...))
	}
	lost := attempt(1, 1, AttemptInDoubt, cloud.InDoubt)
	at := t0.Add(5 * time.Minute)
	runSteps(t, []stepCase{
		{name: "four sent", row: many(4, lost, AttemptDead, cloud.InDoubt), ev: checkedAt(at), now: at, rule: "T3", to: Armed, armed: true},
		{name: "five sent", row: many(5, lost, AttemptDead, cloud.InDoubt), ev: checkedAt(at), now: at, none: true},
		{name: "38 throttled", row: many(39, lost, AttemptRejected, cloud.Throttled), ev: checkedAt(at), now: at, rule: "T3", to: Armed, armed: true},
		{name: "38 unsent", row: many(39, lost, AttemptUnsent, cloud.Unsent), ev: checkedAt(at), now: at, rule: "T3", to: Armed, armed: true},
		{name: "forty armed, most of them throttled", row: many(40, lost, AttemptRejected, cloud.Throttled), ev: checkedAt(at), now: at, none: true},
	})
}

func TestAnArmedAttemptHoldsTheWholeRequest(t *testing.T) {
	row := lineIn(Ready, with(attempt(1, 1, AttemptDead, cloud.InDoubt)), generation(2))
	c, err := DefaultRules.Step(row, checkedAt(t0), t0)
	if err != nil {
		t.Fatal(err)
	}
	want := &Attempt{
		Line: testLine, N: 2, Generation: 2, Nonce: "fresh", Protocol: ProtocolVersion, Credential: "AKIATEST",
		Intent: Intent{
			Account: testAccount, Offering: testOffering(), Quantity: 3, Identity: identity(2),
			Identities: []string{identity(1), identity(2)}, Attempt: identity(2) + "-a2", Deadline: t0.Add(2 * time.Minute),
			Tags: map[string]string{"bursar:plan": string(testPlan), "bursar:line": string(testLine)},
		},
		ArmedAt: t0, AnswerBy: t0.Add(answerBy), SettledAt: t0.Add(settled), State: AttemptArmed,
	}
	if diff := cmp.Diff(want, c.Arm); diff != "" {
		t.Errorf("attempt (-want +got):\n%s", diff)
	}
	if want := t0.Add(settled + DefaultRules.Grace); !c.MustLeaveBy.Equal(want) {
		t.Errorf("must leave by %s, want %s", c.MustLeaveBy, want)
	}
}

func TestBackoffDoublesToAMinute(t *testing.T) {
	want := []time.Duration{0: 500, 1: 500, 2: 1000, 3: 2000, 4: 4000, 5: 8000, 6: 16000, 7: 32000, 8: 60000, 9: 60000, 40: 60000}
	for n, ms := range want {
		if ms != 0 && backoff(n) != ms*time.Millisecond {
			t.Errorf("after %d attempts: %s, want %s", n, backoff(n), ms*time.Millisecond)
		}
	}
}

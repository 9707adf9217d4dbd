package purchase

import (
	"testing"
	"time"

	"bursar/internal/cloud"
)

// remembering is a preflight for a service that remembers a token for a while.
func remembering(window, life time.Duration, at time.Time) Checked {
	return checkedAt(at, func(ev *Checked) {
		ev.Facts.Class, ev.Facts.Window, ev.Facts.Life = cloud.ClassToken, window, life
	})
}

func TestATokenIsUsedAgainOnlyWhileTheNewRequestDiesInsideTheWindow(t *testing.T) {
	const window, life = 10 * time.Minute, 2 * time.Minute
	last := t0.Add(window - life) // too late by a nanosecond
	again := func(name string, row Row, at time.Time) stepCase {
		return stepCase{name: name, row: row, ev: remembering(window, life, at), now: at, rule: "T3", to: Armed, armed: true}
	}
	not := func(name string, row Row, at time.Time) stepCase {
		return stepCase{name: name, row: row, ev: remembering(window, life, at), now: at, none: true}
	}
	lost, second := attempt(1, 1, AttemptInDoubt, cloud.InDoubt), attempt(2, 1, AttemptInDoubt, cloud.InDoubt)
	unsent, emptied := attempt(1, 1, AttemptUnsent, cloud.Unsent), attempt(1, 1, AttemptDead, cloud.InDoubt)
	runSteps(t, []stepCase{
		again("soon after a loss", lineIn(Armed, classA, with(lost)), t0.Add(2*time.Second)),
		again("no answer until it was due", armedOnce(classA), t0.Add(answerBy)),
		again("at the last moment", armedOnce(classA), last.Add(-1)),
		not("a nanosecond too late", armedOnce(classA), last),
		not("long after", armedOnce(classA), last.Add(time.Hour)),
		not("the window begins with the first use", lineIn(Armed, classA, with(lost, second)), last),
		again("the last moment after the first use", lineIn(Armed, classA, with(lost, second)), last.Add(-1)),
		not("the window begins with the first use, sent or not", lineIn(Armed, classA, with(unsent, second)), last),
		again("each token has its own window", lineIn(Armed, classA, with(emptied, attempt(2, 2, AttemptInDoubt, cloud.InDoubt))), last.Add(time.Minute-1)),
		not("each token has its own window, and it ends", lineIn(Armed, classA, with(emptied, attempt(2, 2, AttemptInDoubt, cloud.InDoubt))), last.Add(time.Minute)),

		not("an answer may still come", armedOnce(classA), t0.Add(answerBy-1)),
		not("the token was refused", lineIn(Armed, classA, with(lost, attempt(2, 1, AttemptRejected, cloud.Refused))), t0.Add(5*time.Minute)),
		not("called off", armedOnce(classA, calledOff), t0.Add(answerBy)),
		not("approval over", armedOnce(classA, approvedUntil(t0)), t0.Add(answerBy)),
		not("stopped", armedOnce(classA, stopped), t0.Add(answerBy)),

		{name: "a window that nobody has proven", row: armedOnce(classA), ev: remembering(0, life, t0.Add(answerBy)), now: t0.Add(answerBy), none: true},
		{name: "a request lives longer than the window", row: armedOnce(classA), ev: remembering(window, 15*time.Minute, t0.Add(answerBy)), now: t0.Add(answerBy), none: true},
		{name: "the first use of a token needs no window", row: lineIn(Ready, classA), ev: remembering(0, life, t0), now: t0, rule: "T2", to: Armed, armed: true},
	})
}

func TestOnlyNamesAndTokensAreUsedAgain(t *testing.T) {
	at := t0.Add(answerBy)
	var cases []stepCase
	for class, again := range map[cloud.Class]bool{
		cloud.ClassToken: true, cloud.ClassName: true, cloud.ClassUnlisted: true, cloud.ClassNone: false, cloud.ClassQueued: false, cloud.ClassHandle: false, "Z": false,
	} {
		ev := remembering(time.Hour, time.Minute, at)
		ev.Facts.Class = class
		c := stepCase{name: "class " + string(class), row: armedOnce(func(r *Row) { r.Line.Class = class }), ev: ev, now: at, none: true}
		ev.Facts.Class = cloud.ClassHandle
		cases = append(cases, stepCase{name: "class " + string(class) + " when the plan was made", row: c.row, ev: ev, now: at, none: true})
		if again {
			c.none, c.rule, c.to, c.armed = false, "T3", Armed, true
		}
		cases = append(cases, c)
	}
	runSteps(t, cases)
}

func TestARepeatUsesTheSameToken(t *testing.T) {
	at := t0.Add(answerBy)
	c, err := DefaultRules.Step(armedOnce(classA), remembering(10*time.Minute, 2*time.Minute, at), at)
	if err != nil {
		t.Fatal(err)
	}
	if c.Arm.N != 2 || c.Arm.Generation != 1 || c.Arm.Intent.Identity != identity(1) || c.Generation != 1 {
		t.Errorf("attempt %d of generation %d under %s", c.Arm.N, c.Arm.Generation, c.Arm.Intent.Identity)
	}
}

func TestATokenIsFoundByTheNameThatTheCloudShows(t *testing.T) {
	end := t0.Add(settled)
	named := func(g int) cloud.Commitment {
		return inLane("sp-1", func(c *cloud.Commitment) { c.Name = identity(g) })
	}
	runSteps(t, []stepCase{
		{name: "answered", row: armedOnce(classA), ev: buying(1, func(c *cloud.Commitment) { *c = named(1) }), now: t0,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
		{name: "listed", row: armedOnce(classA), ev: looked(listed(t0, named(1))), now: t0,
			rule: "T4", to: Purchased, attempts: map[int]AttemptState{1: AttemptSucceeded}, receipt: 1, evidence: 1},
		{name: "listed under a token that no attempt used", row: armedOnce(classA), ev: looked(listed(t0, named(2))), now: t0,
			rule: "T12", to: NeedsReview, reason: "no attempt used", evidence: 1},
		{name: "not listed and settled", row: armedOnce(classA), ev: absentAt(end, end), now: end,
			rule: "T8", to: Ready, generation: 2, attempts: map[int]AttemptState{1: AttemptDead}, evidence: 1},
	})
}

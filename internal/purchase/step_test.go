package purchase

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
)

// stepCase says what one event means for one row. Whatever is not named is
// expected not to be: no attempt moves, nothing is armed, there is no receipt, no
// person guessed, no listing is kept, and the generation stays.
type stepCase struct {
	name string
	row  Row
	ev   Event
	now  time.Time

	none        bool  // ErrNoStep
	err         error // refused, for this reason
	rule        Rule  // "" stays
	to          State
	armed       bool
	attempts    map[int]AttemptState
	receipt     int                // attempt that the receipt names; lostAttempt for none
	how         cloud.EvidenceKind // what the receipt rests on; checked when set
	heuristic   bool
	generation  int
	reason      string    // a part of it
	lookAt      time.Time // checked when set
	mustLeaveBy time.Time // checked when set
	listedAt    time.Time // of the first settled listing that is kept
	evidence    int       // rows
}

// lostAttempt is what a receipt names when the ledger has lost the attempt.
const lostAttempt = -1

func (c stepCase) run(t *testing.T) {
	t.Helper()
	got, err := DefaultRules.Step(c.row, c.ev, c.now)
	if c.none {
		c.err = ErrNoStep
	}
	if c.err != nil {
		if !errors.Is(err, c.err) {
			t.Errorf("step %s from %s to %s, %v, want %v", got.Rule, got.From, got.To, err, c.err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got.Rule != c.rule || got.From != c.row.Line.State || got.To != c.to {
		t.Errorf("step %q from %s to %s (%s), want %q to %s", got.Rule, got.From, got.To, got.Reason, c.rule, c.to)
	}
	if got.Line != c.row.Line.ID || got.Version != c.row.Line.Version || got.CancelRequested != c.row.Line.CancelRequested {
		t.Errorf("guards are line %s, version %d, canceled %v", got.Line, got.Version, got.CancelRequested)
	}
	if (got.Arm != nil) != c.armed {
		t.Errorf("armed: %v, want %v", got.Arm, c.armed)
	}
	moved := map[int]AttemptState{}
	for _, a := range got.Attempts {
		if _, twice := moved[a.N]; twice {
			t.Errorf("attempt %d is moved twice", a.N)
		}
		moved[a.N] = a.To
		ended := c.now
		if c.rule == "T5" {
			ended = c.row.Attempts[a.N-1].EndedAt // the order goes on
		}
		if !a.EndedAt.Equal(ended) {
			t.Errorf("attempt %d ended at %s, want %s", a.N, a.EndedAt, ended)
		}
	}
	if c.attempts == nil {
		c.attempts = map[int]AttemptState{}
	}
	if diff := cmp.Diff(c.attempts, moved); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	switch {
	case c.receipt == 0 && got.Receipt != nil:
		t.Errorf("a receipt for %s", got.Receipt.Commitment.ID)
	case c.receipt != 0 && got.Receipt == nil:
		t.Error("no receipt")
	case c.receipt != 0 && (got.Receipt.Attempt != max(c.receipt, 0) || got.Receipt.Line != testLine || !got.Receipt.At.Equal(c.now)):
		t.Errorf("receipt %+v, want attempt %d now", got.Receipt, c.receipt)
	case c.how != "" && got.Receipt.How != c.how:
		t.Errorf("the receipt rests on %s, want %s", got.Receipt.How, c.how)
	}
	if got.Heuristic != c.heuristic || got.Receipt != nil && got.Receipt.Heuristic != c.heuristic {
		t.Errorf("a guess: %v, receipt %+v, want %v", got.Heuristic, got.Receipt, c.heuristic)
	}
	if c.generation == 0 {
		c.generation = c.row.Line.Generation
	}
	if got.Generation != c.generation {
		t.Errorf("generation %d, want %d", got.Generation, c.generation)
	}
	if !strings.Contains(got.Reason, c.reason) || c.reason == "" && c.rule != "" && got.Reason != "" {
		t.Errorf("reason %q, want %q", got.Reason, c.reason)
	}
	if !c.lookAt.IsZero() && !got.LookAt.Equal(c.lookAt) {
		t.Errorf("next look at %s, want %s", got.LookAt, c.lookAt)
	}
	if !c.mustLeaveBy.IsZero() && !got.MustLeaveBy.Equal(c.mustLeaveBy) {
		t.Errorf("must leave by %s, want %s", got.MustLeaveBy, c.mustLeaveBy)
	}
	if !got.Listing.At.Equal(c.listedAt) {
		t.Errorf("the listing that is kept is of %s, want %s", got.Listing.At, c.listedAt)
	}
	if len(got.Evidence) != c.evidence {
		t.Errorf("%d rows of evidence, want %d", len(got.Evidence), c.evidence)
	}
}

func runSteps(t *testing.T, cases []stepCase) {
	t.Helper()
	names := map[string]bool{}
	for _, c := range cases {
		if names[c.name] {
			t.Errorf("two cases are called %q", c.name)
		}
		names[c.name] = true
		t.Run(c.name, c.run)
	}
}

func TestSweepEndsOnlyWhatWasNeverOpen(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "called off", row: lineIn(Ready, calledOff), ev: Swept{}, now: t0, rule: "T10", to: Canceled, reason: "called off"},
		{name: "superseded", row: lineIn(Ready, superseded), ev: Swept{}, now: t0, rule: "T10", to: Superseded, reason: "newer version"},
		{name: "approval over", row: lineIn(Ready), ev: Swept{}, now: t0.Add(2 * time.Hour), rule: "T10", to: Expired, reason: "approval ended"},
		{name: "approval not over", row: lineIn(Ready), ev: Swept{}, now: t0.Add(2*time.Hour - 1), none: true},
		{name: "stopped only", row: lineIn(Ready, stopped), ev: Swept{}, now: t0, none: true},
		{name: "armed and called off", row: armedOnce(calledOff), ev: Swept{}, now: t0, none: true},
		{name: "armed and over", row: armedOnce(), ev: Swept{}, now: t0.Add(24 * time.Hour), none: true},
		{name: "draft", row: lineIn(Draft, calledOff), ev: Swept{}, now: t0, none: true},
		{name: "purchased", row: lineIn(Purchased, calledOff), ev: Swept{}, now: t0, none: true},
		{name: "needs review", row: lineIn(NeedsReview, calledOff), ev: Swept{}, now: t0, none: true},
	})
}

func TestTheTableOfTransitions(t *testing.T) {
	for _, c := range Transitions {
		if c.From.Terminal() {
			t.Errorf("%s leaves %s, which is terminal", c.Rule, c.From)
		}
		if !Legal(c.Rule, c.From, c.To) {
			t.Errorf("%s from %s to %s is not legal", c.Rule, c.From, c.To)
		}
	}
	n := 0
	for _, from := range States {
		for _, to := range States {
			for _, rule := range []Rule{"T1", "T2", "T3", "T4", "T8", "T9", "T10", "T11", "T12", "T13", "T5", "T6", "T7", "T14", "T15", ""} {
				if Legal(rule, from, to) {
					n++
				}
			}
		}
	}
	if n != len(Transitions) {
		t.Errorf("%d moves are legal, the table has %d", n, len(Transitions))
	}
	// The moves that have cost money somewhere: named so that a wider table fails.
	for _, c := range []Transition{
		{"T9", Ready, Failed}, {"T4", Ready, Purchased}, {"T2", Failed, Armed}, {"T2", NeedsReview, Armed}, {"T2", Draft, Armed},
		{"T8", Purchased, Ready}, {"T10", Armed, Canceled}, {"T10", Armed, Expired}, {"T11", Armed, NeedsReapproval}, {"T2", NeedsReapproval, Armed},
		{"T2", Recovery, Armed}, {"T15", Recovery, Ready}, {"T14", Purchased, Recovery},
	} {
		if Legal(c.Rule, c.From, c.To) {
			t.Errorf("%s from %s to %s is legal", c.Rule, c.From, c.To)
		}
	}
}

func TestWhichStatesEnd(t *testing.T) {
	terminal := map[State]bool{Purchased: true, Failed: true, Canceled: true, Expired: true, Superseded: true}
	for _, s := range States {
		if s.Terminal() != terminal[s] {
			t.Errorf("%s is terminal: %v", s, s.Terminal())
		}
	}
	closed := map[AttemptState]bool{AttemptUnsent: true, AttemptSucceeded: true, AttemptRejected: true, AttemptDead: true}
	for _, s := range AttemptStates {
		if s.Closed() != closed[s] {
			t.Errorf("an attempt that is %s is closed: %v", s, s.Closed())
		}
	}
}

func TestOpenAttemptsAndTheirSettledTime(t *testing.T) {
	row := lineIn(Armed, with(
		attempt(1, 1, AttemptDead, cloud.InDoubt), attempt(2, 2, AttemptInDoubt, cloud.InDoubt),
		attempt(3, 2, AttemptAccepted, cloud.Accepted), attempt(4, 2, AttemptArmed, cloud.InDoubt), attempt(5, 2, AttemptUnsent, cloud.Unsent),
	))
	row.Attempts[1].SettledAt = t0.Add(time.Hour) // not the last one ends last
	var open []int
	for a := range row.Open() {
		open = append(open, a.N)
	}
	if diff := cmp.Diff([]int{2, 3, 4}, open); diff != "" {
		t.Errorf("open attempts (-want +got):\n%s", diff)
	}
	if got := row.SettledAt(); !got.Equal(t0.Add(time.Hour)) {
		t.Errorf("settled at %s", got)
	}
	row = lineIn(Ready, with(attempt(1, 1, AttemptDead, cloud.InDoubt)))
	if got := row.SettledAt(); !got.IsZero() {
		t.Errorf("nothing is open and settled at %s", got)
	}
}

func TestAnAnswerForAnotherAttemptIsNone(t *testing.T) {
	if _, err := DefaultRules.Step(armedOnce(), Answered{N: 1, Nonce: "of another process"}, t0); !errors.Is(err, ErrNoStep) {
		t.Errorf("an answer with a foreign nonce: %v", err)
	}
	for _, n := range []int{-1, 0, 2} {
		if _, err := DefaultRules.Step(armedOnce(), Answered{N: n, Nonce: nonce(1)}, t0); !errors.Is(err, ErrNoStep) {
			t.Errorf("an answer for attempt %d of 1: %v", n, err)
		}
	}
}

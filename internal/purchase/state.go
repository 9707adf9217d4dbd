package purchase

import "slices"

// State is the state of a line.
type State string

// The line states.
const (
	Draft           State = "draft"            // frozen, not approved
	Ready           State = "ready"            // may be armed
	Armed           State = "armed"            // an attempt may have been sent; in doubt until answered
	QueuedLine      State = "queued"           // ordered for a later second, deletable until then
	Purchased       State = "purchased"        // terminal
	Failed          State = "failed"           // terminal, by evidence
	Canceled        State = "canceled"         // terminal
	Expired         State = "expired"          // terminal: the approval ended first
	Superseded      State = "superseded"       // terminal: a newer version of the plan
	NeedsReapproval State = "needs_reapproval" // the price or the lane moved since approval
	NeedsReview     State = "needs_review"     // evidence contradicts; a person decides
	Recovery        State = "recovery"         // the ledger may have been rolled back
)

// States lists every line state.
var States = []State{
	Draft, Ready, Armed, QueuedLine, Purchased, Failed, Canceled, Expired, Superseded,
	NeedsReapproval, NeedsReview, Recovery,
}

// Terminal reports whether a line in this state never leaves it.
func (s State) Terminal() bool {
	switch s {
	case Purchased, Failed, Canceled, Expired, Superseded:
		return true
	}
	return false
}

// Unbought reports whether a line in this state has ended without a purchase, and
// no newer version of the plan has it instead. One such line ends an
// all-or-nothing plan.
func (s State) Unbought() bool { return s == Failed || s == Canceled || s == Expired }

// Ordered reports whether a line in this state is bought or ordered for a later
// second.
func (s State) Ordered() bool { return s == QueuedLine || s == Purchased }

// AttemptState is the state of an attempt.
type AttemptState string

// The attempt states.
const (
	AttemptArmed     AttemptState = "armed"     // may have been sent
	AttemptUnsent    AttemptState = "unsent"    // terminal: no byte left
	AttemptSucceeded AttemptState = "succeeded" // terminal: it bought
	AttemptRejected  AttemptState = "rejected"  // terminal: the cloud refused
	AttemptAccepted  AttemptState = "accepted"  // the cloud gave a handle to follow
	AttemptInDoubt   AttemptState = "in_doubt"  // an answer came or was lost, and proves nothing
	AttemptDead      AttemptState = "dead"      // terminal: a settled listing shows that it did nothing
)

// AttemptStates lists every attempt state.
var AttemptStates = []AttemptState{
	AttemptArmed, AttemptUnsent, AttemptSucceeded, AttemptRejected, AttemptAccepted, AttemptInDoubt, AttemptDead,
}

// Closed reports whether the effect of an attempt in this state is known.
func (s AttemptState) Closed() bool {
	switch s {
	case AttemptUnsent, AttemptSucceeded, AttemptRejected, AttemptDead:
		return true
	}
	return false
}

// Rule names a row of the transition table.
type Rule string

// Transition is one legal move of a line.
type Transition struct {
	Rule Rule
	From State
	To   State
}

// Transitions is the whole table. Nothing else may happen to a line: the step
// function produces only these, and the database refuses all others.
var Transitions = []Transition{
	{"T1", Draft, Ready},               // approved
	{"T2", Ready, Armed},               // first attempt of a generation
	{"T3", Armed, Armed},               // classes A, B: next attempt under the same identity
	{"T4", Armed, Purchased},           // evidence of success
	{"T5", Armed, QueuedLine},          // class Q: exactly one order is left
	{"T6", QueuedLine, Purchased},      // the order fired
	{"T7", QueuedLine, Canceled},       // the order was deleted
	{"T8", Armed, Ready},               // all attempts proven empty; next generation
	{"T9", Armed, Failed},              // all attempts proven empty; refused for good
	{"T9", Armed, Canceled},            // all attempts proven empty; called off
	{"T9", Armed, Expired},             // all attempts proven empty; approval over
	{"T9", QueuedLine, Failed},         // the order fired and was not paid
	{"T10", Draft, Canceled},           // the plan was rejected
	{"T10", Draft, Superseded},         // a newer version of the plan was approved
	{"T10", Ready, Canceled},           // called off before it was sent
	{"T10", Ready, Superseded},         //
	{"T10", Ready, Expired},            // the approval ended before it was sent
	{"T10", NeedsReapproval, Canceled}, //
	{"T10", NeedsReapproval, Superseded},
	{"T10", NeedsReapproval, Expired},
	{"T11", Ready, NeedsReapproval},  // price drift, offering withdrawn, lane changed
	{"T12", Ready, NeedsReview},      // something exists under an identity we did not use
	{"T12", Armed, NeedsReview},      // contradiction
	{"T12", QueuedLine, NeedsReview}, //
	{"T13", NeedsReview, Purchased},  // a person decided
	{"T13", NeedsReview, Failed},     //
	{"T13", NeedsReview, Armed},      // a person asked to look again
	{"T14", Draft, Recovery},         // the ledger went back in time
	{"T14", Ready, Recovery},         //
	{"T14", Armed, Recovery},         //
	{"T14", QueuedLine, Recovery},    //
	{"T14", NeedsReapproval, Recovery},
	{"T14", NeedsReview, Recovery},
	{"T15", Recovery, Purchased},   // the lost time had bought it
	{"T15", Recovery, Canceled},    // it had not; the approval is void
	{"T15", Recovery, NeedsReview}, // a person decides
}

// Legal reports whether the table has this move.
func Legal(rule Rule, from, to State) bool {
	return slices.Contains(Transitions, Transition{rule, from, to})
}

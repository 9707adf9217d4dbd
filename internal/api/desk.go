package api

import (
	"time"

	"bursar/internal/money"
)

// Desk is how things stand for a person who looks: sums of everything, and of what
// somebody should look at a part, those of the oldest plans.
type Desk struct {
	Plans int            // all
	Lines map[string]int // by state
	// Commitments are those that have not ended; Bound is what they cost over their terms
	// and Hourly in an hour of them.
	Commitments   int
	Bound, Hourly []money.Amount
	Doubted       []money.Amount // what the lines in doubt cost
	Doubts        []Doubt        // those of the oldest plans
	// Decide are the newest versions that wait for approval, and Begin the approved plans
	// that nobody has let be bought, the oldest first.
	Decide []Proposed
	Begin  []PlanSummary
	// Begins is how many there are to begin; Begin may hold fewer.
	Begins int
	// Review and Replan are the lines that wait for a person, of the oldest plans.
	Review, Replan []Line
	Running        []PlanSummary // what is being bought, the newest first
	// Ends counts what ends until the time that was asked for, with what it costs in an
	// hour; Ending is what ends next.
	Ends     int
	EndsRate []money.Amount
	Ending   []Line
}

// DeskFilter says what of a desk is wanted.
type DeskFilter struct {
	Soon time.Time // what ends until then
	Most int       // lines and plans of each kind
}

// Proposed is a plan that waits for approval, with what was decided about it.
type Proposed struct {
	PlanSummary
	Decisions []Decision
}

// Doubt is a line of which it is not known what it has bought.
type Doubt struct {
	Line    Line
	Plan    string    // its name
	Since   time.Time // its last request was allowed, or it was found out
	Attempt int       // the last one, 0 for none
	Asked   bool      // a decision waits for a second person
}

// EndingFilter selects lines by the end of what they bought. Zero fields select all.
type EndingFilter struct {
	Until time.Time // it ends then or before
	Since time.Time // it was bought then or later
	Most  int       // only so many, those that end next
}

// EndingSum is how many commitments end on a day and cost the same.
type EndingSum struct {
	Day  time.Time    // its beginning
	Rate money.Amount // of each, per hour of the term
	N    int
}

// Rate is what a total costs in an hour of a term in months, all payments together; the
// zero amount of no currency where there is no term.
func Rate(total money.Amount, months int) money.Amount {
	if months <= 0 || total.Currency() == "" {
		return money.Amount{}
	}
	r, err := total.Div(int64(months)*730, 4)
	if err != nil {
		return money.Amount{}
	}
	return r
}

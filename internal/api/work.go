package api

import "time"

// Begun is who let a plan be bought.
type Begun struct {
	By  string    `json:"by"`
	At  time.Time `json:"at"`
	How string    `json:"how"` // apply, detached, scheduled
}

// Worked is one event in the life of a worker, a line of JSON each.
type Worked struct {
	At    time.Time `json:"at"`
	Event string    `json:"event"` // started, moved, stopping, stopped
	// Of the line that moved.
	Line    string `json:"line,omitempty"`
	Plan    string `json:"plan,omitempty"`
	State   string `json:"state,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Problem string `json:"problem,omitempty"` // why nothing more could be done now
	// UnderWay are the lines whose calls have not ended when a worker stops.
	UnderWay []string `json:"under_way,omitempty"`
}

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
	Event string    `json:"event"` // started, begun, refused, moved, ran, stopping, stopped
	// Of the line that moved.
	Line    string `json:"line,omitempty"`
	Plan    string `json:"plan,omitempty"`
	State   string `json:"state,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Problem string `json:"problem,omitempty"` // why nothing more could be done now
	Ran     *Ran   `json:"ran,omitempty"`     // the task that was run
	// UnderWay are the lines whose calls have not ended when a worker stops.
	UnderWay []string `json:"under_way,omitempty"`
}

// Ran is what came of a task.
type Ran struct {
	Task    string         `json:"task"`
	Started time.Time      `json:"started"`
	Took    string         `json:"took"` // for people: "1.2s"
	TookMS  int64          `json:"took_ms"`
	Outcome string         `json:"outcome"` // done, error, decision, in_doubt
	Counts  map[string]int `json:"counts"`
	Problem string         `json:"problem,omitempty"` // why it could not be done, or not all of it
}

// Schedules are the tasks that are done again and again, and the plans that are
// begun at a time.
type Schedules struct {
	Tasks []Schedule     `json:"tasks"`
	Plans []PlanSchedule `json:"plans"`
}

// Schedule is one task.
type Schedule struct {
	Task    string     `json:"task"`
	Every   string     `json:"every"` // a duration, or off
	NextAt  *time.Time `json:"next_at,omitempty"`
	RunBy   string     `json:"run_by,omitempty"` // the process that runs it now
	LastAt  *time.Time `json:"last_at,omitempty"`
	Took    string     `json:"took,omitempty"`
	Outcome string     `json:"outcome,omitempty"` // done, error, decision, in_doubt
	Detail  string     `json:"detail,omitempty"`
}

// PlanSchedule is a person's word that a plan is begun at a time.
type PlanSchedule struct {
	ID      string     `json:"id"`
	Plan    string     `json:"plan"`
	At      time.Time  `json:"at"`
	By      string     `json:"by"`
	MadeAt  time.Time  `json:"made_at"`
	State   string     `json:"state"` // waiting, begun, canceled, refused
	EndedAt *time.Time `json:"ended_at,omitempty"`
	EndedBy string     `json:"ended_by,omitempty"`
	Detail  string     `json:"detail,omitempty"`
}

// Notice says that a line was to leave its state by a time and had not.
type Notice struct {
	State       string     `json:"state"`
	MustLeaveBy time.Time  `json:"must_leave_by"`
	RaisedAt    time.Time  `json:"raised_at"`
	SeenAt      time.Time  `json:"seen_at"` // the last time that it was still so
	ClosedAt    *time.Time `json:"closed_at,omitempty"`
}

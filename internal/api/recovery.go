package api

import "time"

// Recovery tells whether the ledger is the one that it was.
type Recovery struct {
	// State is "ok", "refused" (nothing is bought until a person says, see Refusal) or
	// "recovery" (the ledger went back in time).
	State   string `json:"state"`
	Refusal string `json:"refusal,omitempty"` // one sentence with the next step
	// Marks are what the ledger is held against.
	Marks []Mark `json:"marks"`
	// Of a recovery:
	Incarnation int64           `json:"incarnation"` // counts the recoveries, from 1
	Since       *time.Time      `json:"since,omitempty"`
	Backup      *time.Time      `json:"backup,omitempty"`   // what was written from then on may be lost
	Until       *time.Time      `json:"until,omitempty"`    // from then on everything that was lost can be seen
	Lines       []Line          `json:"lines,omitempty"`    // that are looked for, or wait for a person
	Findings    []Lost          `json:"findings,omitempty"` // that nothing explains
	Regained    []Lost          `json:"regained,omitempty"` // taken into the books
	Unlisted    []string        `json:"unlisted,omitempty"` // lanes that could not be listed, with the reason
	Events      []RecoveryEvent `json:"events,omitempty"`
	Owners      []Owner         `json:"owners,omitempty"`
}

// Mark is one thing outside the ledger.
type Mark struct {
	Mark   string `json:"mark"`
	State  string `json:"state"` // "ok", "differs", "missing" or "none"
	Detail string `json:"detail"`
}

// Lost is a commitment of a time that the ledger has lost.
type Lost struct {
	Provider   string `json:"provider"`
	Account    string `json:"account"`
	Region     string `json:"region"`
	Service    string `json:"service"`
	Commitment string `json:"commitment"`
	Says       string `json:"says"`
}

// RecoveryEvent is something that was found or said of the ledger's past.
type RecoveryEvent struct {
	Kind    string    `json:"kind"` // "started", "moved", "adopted", "explained" or "finished"
	By      string    `json:"by"`   // "bursar" where a mark spoke
	At      time.Time `json:"at"`
	Detail  string    `json:"detail"`
	Comment string    `json:"comment,omitempty"`
}

// Owner is who buys in an account.
type Owner struct {
	Provider string `json:"provider"`
	Account  string `json:"account"`
	State    string `json:"state"` // "ours", "nobody", "others", "denied" or "unknown"
	Detail   string `json:"detail"`
}

// RecoveryRequest is what a person says about the ledger's past.
type RecoveryRequest struct {
	By      string
	Comment string
	Backup  time.Time // of start: when the backup was taken; zero is the newest write of the ledger
}

package api

import "time"

// Approvals is the rule by which a plan is approved, and how far it is.
type Approvals struct {
	Needed    int      `json:"needed"`
	Given     int      `json:"given"`
	Approvers []string `json:"approvers,omitempty"` // empty is anybody
	// RequesterMay: the requester may be one of those who approve.
	RequesterMay bool `json:"requester_may_approve"`
}

// Stop is who stopped purchasing.
type Stop struct {
	By      string     `json:"by,omitempty"` // empty: no person did
	At      *time.Time `json:"at,omitempty"`
	Comment string     `json:"comment,omitempty"`
}

// Purchasing tells whether anything may be bought.
type Purchasing struct {
	Purchasing bool  `json:"purchasing"`
	Stopped    *Stop `json:"stopped,omitempty"`
}

// Canceled is the answer to a request not to buy a line.
type Canceled struct {
	Line Line `json:"line"`
	// Answer is what the request means for the line: "canceled", "requested" (it may
	// have been bought, and ends as purchased or canceled by evidence), or "no".
	Answer string `json:"answer"`
	Says   string `json:"says"` // in one sentence
}

// Resolution is a person's decision about a line that needs review.
type Resolution struct {
	Line       string
	Choice     string // "adopt", "not_bought", "foreign" or "look_again"
	Commitment string // of adopt and foreign
	By, Second string
	Comment    string
}

// Case is what a person needs to decide about a line that needs review.
type Case struct {
	LineHistory
	Lane  string     `json:"lane"`
	Items []CaseItem `json:"items"` // what the lane lists now
	// Unlisted is why the lane could not be listed; empty if it was.
	Unlisted string   `json:"unlisted,omitempty"`
	Choices  []Choice `json:"choices"`
}

// CaseItem is one commitment in the lane of a line under review.
type CaseItem struct {
	Item
	// Explained is "receipt" (of Line), "imported" (it was there before), "foreign"
	// (declared by By) or "" if nothing explains it.
	Explained string `json:"explained,omitempty"`
	By        string `json:"declared_by,omitempty"`
	Named     bool   `json:"named"`             // it carries the name of the line under review
	Differs   string `json:"differs,omitempty"` // how it is not what was approved
	Adoptable bool   `json:"adoptable"`
}

// Choice is one of the decisions that a person may take.
type Choice struct {
	Choice string     `json:"choice"`
	Open   bool       `json:"open"`
	Why    string     `json:"why,omitempty"`  // it is not open
	From   *time.Time `json:"from,omitempty"` // from when it can be
	Second bool       `json:"second_person"`  // a second person has to agree
}

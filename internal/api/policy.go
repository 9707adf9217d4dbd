package api

import "time"

// PlanPolicy is the policy that a plan was made under.
type PlanPolicy struct {
	Name    string `json:"name"`
	File    string `json:"file"`
	SHA256  string `json:"sha256"`            // of the file
	Tranche int    `json:"tranche,omitempty"` // of its ladder
}

// Explanation says why a line is in a plan, or why something of its input is not.
type Explanation struct {
	Line  int           `json:"line,omitempty"` // none: it was dropped
	Key   string        `json:"key,omitempty"`  // what the advice is about
	About string        `json:"about,omitempty"`
	Where string        `json:"where"` // in the input
	What  string        `json:"what"`
	Steps []ExplainStep `json:"steps"`
}

// ExplainStep is one thing that a rule did, or a number that it used.
type ExplainStep struct {
	Rule string `json:"rule"`
	At   string `json:"at,omitempty"` // where the rule is written
	Says string `json:"says"`
}

// AdviceRequest is a person's word on advice.
type AdviceRequest struct {
	Key  string
	File string // in which the advice is looked up where no plan knows it; "" for none
	// Content is what File holds; where it is nil, the file is read.
	Content []byte
	Until   time.Time
	Reason  string
	By      string
}

// Advice is advice with the last word of a person on it.
type Advice struct {
	Key     string     `json:"key"`
	About   string     `json:"about"`
	Verdict string     `json:"verdict"` // dismissed, snoozed, restored; open where nobody said anything
	Counts  bool       `json:"counts"`  // policies leave it out now
	Until   *time.Time `json:"until,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	By      string     `json:"by,omitempty"`
	At      *time.Time `json:"at,omitempty"`
	Where   string     `json:"where,omitempty"` // in the file that was asked about
	What    string     `json:"what,omitempty"`
}

// Package api holds the types that leave Bursar: what the commands print as JSON
// and what a server will answer. They are plain data. A field is added, never
// renamed: scripts read them.
package api

import (
	"time"

	"bursar/internal/money"
)

// Price is what a quantity costs: upfront once, hourly over the whole term, and
// both together. All are of one currency.
type Price struct {
	Upfront money.Amount `json:"upfront"`
	Hourly  money.Amount `json:"hourly"`
	Total   money.Amount `json:"total"`
}

// Installation is a ledger.
type Installation struct {
	Ledger    string    `json:"ledger"`
	Install   string    `json:"install"`
	CreatedAt time.Time `json:"created_at"`
	Simulated bool      `json:"simulated"`
	// Clouds says where purchases go: the state file of the built-in simulator,
	// the address of a running one, or "live".
	Clouds string `json:"clouds"`
	// PublicKey verifies its receipts and exports.
	PublicKey string `json:"public_key"`
}

// Plan is a frozen plan with the state of its lines.
type Plan struct {
	ID              string     `json:"id"`
	Lineage         string     `json:"lineage"` // id of version 1
	Version         int        `json:"version"`
	Name            string     `json:"name"`
	Requester       string     `json:"requester"`
	CreatedAt       time.Time  `json:"created_at"`
	State           string     `json:"state"`
	Progress        string     `json:"progress"`
	Simulated       bool       `json:"simulated"`
	Digest          string     `json:"digest"`
	ToleranceBP     int        `json:"tolerance_bp"`   // hundredths of a per cent
	AllOrNothing    bool       `json:"all_or_nothing"` // every line is bought, or none
	ApprovalExpires *time.Time `json:"approval_expires_at,omitempty"`
	Total           Price      `json:"total"`
	Bound           Price      `json:"bound"` // of the lines that are purchased
	Lines           []Line     `json:"lines"`
	Advice          []Dropped  `json:"advice,omitempty"` // what of its input nobody can buy; the digest does not cover it
	// Policy is the one that the plan was made under, and Explanation why it is what it
	// is; of one plan that is asked for. The digest does not cover them.
	Policy      *PlanPolicy   `json:"policy,omitempty"`
	Explanation []Explanation `json:"explanation,omitempty"`
	Approvals   Approvals     `json:"approvals"`
	Decisions   []Decision    `json:"decisions,omitempty"`
	// Budgets are those that the plan takes from, or would if it were approved now.
	Budgets []PlanBudget `json:"budgets,omitempty"`
	// Begun tells who let it be bought; nil while nobody has.
	Begun *Begun `json:"begun,omitempty"`
	// Stopped tells who stopped purchasing while the plan has open lines.
	Stopped *Stop `json:"stopped,omitempty"`
}

// Line is one line of a plan.
type Line struct {
	ID         string            `json:"id"`
	Plan       string            `json:"plan"`
	Number     int               `json:"number"`
	State      string            `json:"state"`
	Reason     string            `json:"reason,omitempty"`
	Provider   string            `json:"provider"`
	Account    string            `json:"account"`
	Region     string            `json:"region"`
	Service    string            `json:"service"`
	Offering   string            `json:"offering"`
	Attributes map[string]string `json:"attributes"`
	TermMonths int               `json:"term_months"`
	Payment    string            `json:"payment"`
	Quantity   int64             `json:"quantity"`
	Measure    string            `json:"measure"`                       // the quantity for people: "3", "1.5 USD/h"
	PerHour    *money.Amount     `json:"commitment_per_hour,omitempty"` // of a commitment to an amount of money
	Price      Price             `json:"price"`
	Class      string            `json:"identity_class"`
	Note       string            `json:"note,omitempty"`
	Purpose    string            `json:"purpose,omitempty"`
	// Tags are what its purchase is tagged with, where the service takes tags; in a
	// plan and in the history of one line. Until somebody approves {approvers} stays.
	Tags       map[string]string `json:"tags,omitempty"`
	Simulated  bool              `json:"simulated"`
	Generation int               `json:"generation"`
	Attempts   int               `json:"attempts"`
	UpdatedAt  time.Time         `json:"updated_at"`
	// CancelRequested: somebody asked not to buy it.
	CancelRequested bool       `json:"cancel_requested,omitempty"`
	DecidedBy       string     `json:"decided_by,omitempty"` // who closed it by a decision instead of evidence
	LookAt          *time.Time `json:"look_at,omitempty"`    // when a worker looks next
	Receipt         *Receipt   `json:"receipt,omitempty"`
}

// Receipt names the commitment that settled a line.
type Receipt struct {
	Commitment string    `json:"commitment"`
	ARN        string    `json:"arn,omitempty"`
	State      string    `json:"state"` // what the cloud called it then
	How        string    `json:"how"`   // reply or listing
	Attempt    int       `json:"attempt"`
	Heuristic  bool      `json:"heuristic,omitempty"` // a person's guess
	Start      time.Time `json:"start"`
	At         time.Time `json:"at"`
}

// LineHistory is a line with everything that happened to it.
type LineHistory struct {
	Line
	Tries    []Attempt  `json:"tries"`
	Evidence []Evidence `json:"evidence"`
	Facts    []Fact     `json:"facts"` // of the commitment, after the purchase
	Undos    []Undo     `json:"undos,omitempty"`
	// Recommendation is what of Google's advice the line carries out.
	Recommendation *LineRecommendation `json:"recommendation,omitempty"`
	// Notices were raised because the line was to have moved on and had not.
	Notices []Notice `json:"notices,omitempty"`
}

// Attempt is one right to send one request.
type Attempt struct {
	N          int    `json:"n"`
	Generation int    `json:"generation"`
	Identity   string `json:"identity"`
	Credential string `json:"credential,omitempty"` // masked
	// Tags are those of the stored request.
	Tags      map[string]string `json:"tags"`
	State     string            `json:"state"`
	Outcome   string            `json:"outcome"`
	Code      string            `json:"code,omitempty"`
	ArmedAt   time.Time         `json:"armed_at"`
	Deadline  time.Time         `json:"deadline"`
	SettledAt time.Time         `json:"settled_at"`
	EndedAt   *time.Time        `json:"ended_at,omitempty"`
}

// Evidence is one fact from the cloud about a line.
type Evidence struct {
	Attempt    int        `json:"attempt"` // 0: about the line as a whole
	At         time.Time  `json:"at"`
	Kind       string     `json:"kind"`
	Outcome    string     `json:"outcome,omitempty"` // of a reply: what it proves
	Operation  string     `json:"operation,omitempty"`
	Status     int        `json:"status,omitempty"`
	Code       string     `json:"code,omitempty"`
	RequestID  string     `json:"request_id,omitempty"`
	CloudTime  *time.Time `json:"cloud_time,omitempty"`
	Detail     string     `json:"detail,omitempty"`
	Commitment string     `json:"commitment,omitempty"`
}

// Decision is one person's yes or no on a digest.
type Decision struct {
	Plan    string    `json:"plan"`
	Digest  string    `json:"digest"`
	By      string    `json:"by"`
	Approve bool      `json:"approve"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitempty"`
}

// PlanRequest asks for a plan from a file. Content is what the file holds; where it is
// nil, the file is read.
type PlanRequest struct {
	File       string
	Content    []byte
	Name       string // "" takes the file's
	Requester  string
	Coverage   int    // per cent of each count; 0 and 100 take all
	MaxTotal   string // "25000 USD"; "" is no cap
	MaxMonthly string
	Purpose    string // of lines that say none
	Supersedes string // id of the plan that the new version replaces; "" begins a new plan
	Policy     string // file of the policy by which the plan is made; "" is none
	// PolicyContent is what the policy's file holds; where it is nil, the file is read.
	PolicyContent []byte
	// Usage is what the plan is sized from, instead of a file of lines; nil: there is one.
	Usage *WhatIfRequest
	// Clouds are asked for advice, instead of reading a file; nil: they are not.
	Clouds *RecommendRequest
	// Asked is the time of the last asking, whose advice the plan is made of; nil: it is
	// not.
	Asked *time.Time
}

// PlanCreated is a new plan and what of the input did not get into it.
type PlanCreated struct {
	Plan    Plan      `json:"plan"`
	Format  string    `json:"format"`
	Rounded []Rounded `json:"rounded,omitempty"` // what coverage took away
	Left    []Dropped `json:"left,omitempty"`    // what is not in the plan
	// Bought are lines that ask for goods which an earlier version has bought.
	Bought []Dropped `json:"bought,omitempty"`
	// Superseded are the plans of the same policy that nobody had approved.
	Superseded []string `json:"superseded,omitempty"`
}

// Rounded is a line that lost a part of a unit to coverage: Kept plus Away is
// Exact. All are counts or, where a commitment is to an amount of money, amounts per
// hour.
type Rounded struct {
	Where string `json:"where"`
	Was   string `json:"was"` // in the input
	Exact string `json:"exact"`
	Kept  string `json:"kept"`
	Away  string `json:"away"`
}

// Dropped is something of an input that is not in the plan, with the reason.
type Dropped struct {
	Where string `json:"where"`
	What  string `json:"what"`
	Why   string `json:"why"`
}

// Moved tells of a line while a run works on it.
type Moved struct {
	Line    Line
	Problem string // why nothing more could be done now; "" if there is none
	Done    int    // lines of the plan that have ended
	InDoubt int    // lines of the plan that are in doubt
	Lines   int    // lines of the plan
	Bound   money.Amount
}

// Progress is an event in the execution of a plan: where one line is. Events are
// numbered by the moves that the lines of the plan have made, from 1.
type Progress struct {
	Number  int          `json:"number"`
	Line    Line         `json:"line"`
	Done    int          `json:"done"`     // lines of the plan that have ended
	InDoubt int          `json:"in_doubt"` // lines of the plan that are in doubt
	Lines   int          `json:"lines"`    // lines of the plan
	Bound   money.Amount `json:"bound"`    // by the lines that are purchased
}

// Item is one commitment, as a cloud lists it or as a receipt names it.
type Item struct {
	Match      string            `json:"match"` // matched, imported, foreign, unexplained, missing, differs, awaited
	Provider   string            `json:"provider"`
	Account    string            `json:"account"`
	Region     string            `json:"region"`
	Service    string            `json:"service"`
	Commitment string            `json:"commitment"`
	Offering   string            `json:"offering,omitempty"`
	State      string            `json:"state"`
	Attributes map[string]string `json:"attributes"`
	TermMonths int               `json:"term_months"`
	Payment    string            `json:"payment"`
	Quantity   int64             `json:"quantity"`
	Measure    string            `json:"measure"`                       // the quantity for people: "3", "1.5 USD/h"
	PerHour    *money.Amount     `json:"commitment_per_hour,omitempty"` // of a commitment to an amount of money
	Price      *Price            `json:"price,omitempty"`
	Start      time.Time         `json:"start"`
	Line       string            `json:"line,omitempty"`
	Problem    string            `json:"problem,omitempty"`
	// UtilizationBP is how much of the commitment was used in the last UtilizationDays
	// that the cloud has counted, in hundredths of a per cent; nil where it was not told.
	UtilizationBP   *int `json:"utilization_bp,omitempty"`
	UtilizationDays int  `json:"utilization_days,omitempty"`
}

// Coverage is how much of the usage that could be covered was covered by commitments,
// in a lane. It says nothing of how much of a commitment was used.
type Coverage struct {
	Provider   string `json:"provider"`
	Account    string `json:"account"`
	Region     string `json:"region"`
	Service    string `json:"service"`
	CoverageBP int    `json:"coverage_bp"` // hundredths of a per cent
	Of         string `json:"of"`          // what is covered: hours, or spend
	Days       int    `json:"days"`        // the window
}

// Inventory is the comparison of the clouds with the ledger.
type Inventory struct {
	Balanced  bool           `json:"balanced"`
	Simulated bool           `json:"simulated"`
	Lanes     int            `json:"lanes"`
	Counts    map[string]int `json:"counts"` // by match
	Items     []Item         `json:"items"`
	Equations []Equation     `json:"equations"`          // of the lanes that were listed
	Findings  []AuditFinding `json:"findings,omitempty"` // of audits; open
	Failed    []Dropped      `json:"failed,omitempty"`   // lanes that could not be listed
	Coverage  []Coverage     `json:"coverage,omitempty"` // of the lanes that were asked and told it
	Untold    []Dropped      `json:"untold,omitempty"`   // lanes that were asked for their utilization and did not tell it
}

// Finding is the result of one invariant.
type Finding struct {
	Name     string   `json:"name"`
	Says     string   `json:"says"`
	OK       bool     `json:"ok"`
	Checked  int      `json:"checked"`
	Problems []string `json:"problems,omitempty"`
}

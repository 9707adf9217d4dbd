package api

import (
	"time"

	"bursar/internal/money"
)

// Fact is one thing that a listing showed of a commitment after its purchase.
type Fact struct {
	Line string    `json:"line"`
	At   time.Time `json:"at"`
	// Kind is active, payment_failed, returned, retired, differs, missing or
	// heuristic_mixed.
	Kind       string `json:"kind"`
	Detail     string `json:"detail"`
	Commitment string `json:"commitment"`
	State      string `json:"state"` // what the cloud called it then; where it was not listed, when it was bought
}

// AuditFinding is a disagreement between a cloud and the ledger about one
// commitment, with what is known of it.
type AuditFinding struct {
	ID string `json:"id"`
	// Kind is unexplained, missing, differs, payment_failed or heuristic_mixed.
	Kind       string            `json:"kind"`
	Detail     string            `json:"detail"`
	FirstSeen  time.Time         `json:"first_seen"`
	LastSeen   time.Time         `json:"last_seen"`
	ClosedAt   *time.Time        `json:"closed_at,omitempty"`
	Provider   string            `json:"provider"`
	Account    string            `json:"account"`
	Region     string            `json:"region"`
	Service    string            `json:"service"`
	Commitment string            `json:"commitment"`
	Name       string            `json:"name,omitempty"` // the token or name it carries, where that is not its id
	Offering   string            `json:"offering,omitempty"`
	Attributes map[string]string `json:"attributes"`
	TermMonths int               `json:"term_months"`
	Payment    string            `json:"payment"`
	Quantity   int64             `json:"quantity"`
	Measure    string            `json:"measure"`                       // the quantity for people: "3", "1.5 USD/h"
	PerHour    *money.Amount     `json:"commitment_per_hour,omitempty"` // of a commitment to an amount of money
	Price      *Price            `json:"price,omitempty"`
	State      string            `json:"state"`
	Start      time.Time         `json:"start"`
	Line       string            `json:"line,omitempty"` // of the receipt, or of the name it carries
}

// Equation is the double entry of one lane: listed = ours + imported + foreign,
// when nothing is unexplained or missing.
type Equation struct {
	Provider    string `json:"provider"`
	Account     string `json:"account"`
	Region      string `json:"region"`
	Service     string `json:"service"`
	Holds       bool   `json:"holds"`
	Listed      int    `json:"listed"` // by the cloud
	Ours        int    `json:"ours"`   // by receipt, or under the name of a line in doubt; missing ones included
	Imported    int    `json:"imported"`
	Foreign     int    `json:"declared_foreign"`
	Unexplained int    `json:"unexplained"`
	Missing     int    `json:"missing"`
	Differs     int    `json:"differs"`
}

// Audit is the result of an audit.
type Audit struct {
	Simulated bool           `json:"simulated"`
	Lanes     int            `json:"lanes"`    // that were due
	Facts     []Fact         `json:"facts"`    // new ones
	Findings  []AuditFinding `json:"findings"` // all that are open
	Closed    []AuditFinding `json:"closed"`   // by this audit
	Equations []Equation     `json:"equations"`
	Failed    []Dropped      `json:"failed,omitempty"` // lanes that could not be listed; they stay due
	NextAt    *time.Time     `json:"next_at,omitempty"`
}

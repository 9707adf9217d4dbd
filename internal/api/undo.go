package api

import (
	"time"

	"bursar/internal/money"
)

// UndoOptions are what can be undone for one line at one moment.
type UndoOptions struct {
	Line Line `json:"line"`
	// Way is cancel while the line is not bought, return where the cloud takes back
	// what is, and none.
	Way   string     `json:"way"`
	Open  bool       `json:"open"`            // it can be undone now
	Why   string     `json:"why,omitempty"`   // it cannot
	Until *time.Time `json:"until,omitempty"` // the last instant
	State string     `json:"state,omitempty"` // of the commitment, as the cloud lists it now
	// Back is what the cloud pays back, and Freed what of the commitment ends.
	Back  *money.Amount `json:"back,omitempty"`
	Freed *money.Amount `json:"freed,omitempty"`
	Used  int           `json:"used"` // returns of the account this year
	Most  int           `json:"most"` // that the cloud allows; 0 if it does not count them
	// PoolUsed is what the cloud has taken back in a year, of PoolLimit, where it limits
	// that.
	PoolUsed  *money.Amount `json:"pool_used,omitempty"`
	PoolLimit *money.Amount `json:"pool_limit,omitempty"`
	Rule      string        `json:"rule,omitempty"`
	Undos     []Undo        `json:"undos"` // oldest first
}

// Undo is a request to give back what a line bought.
type Undo struct {
	ID          string         `json:"id"`
	Line        string         `json:"line"`
	Commitment  string         `json:"commitment"`
	State       string         `json:"state"` // requested, approved, sent, returned, refused, kept, rejected or expired
	Outcome     string         `json:"outcome,omitempty"`
	Detail      string         `json:"detail,omitempty"`
	Digest      string         `json:"digest"`
	Requester   string         `json:"requester"`
	RequestedAt time.Time      `json:"requested_at"`
	Comment     string         `json:"comment,omitempty"`
	Approvals   Approvals      `json:"approvals"`
	Until       time.Time      `json:"until"`
	Tries       int            `json:"tries"`                // requests that may have been sent
	SettledAt   *time.Time     `json:"settled_at,omitempty"` // a listing shows what came of it from then on
	UpdatedAt   time.Time      `json:"updated_at"`
	Decisions   []UndoDecision `json:"decisions,omitempty"`
}

// UndoDecision is one person's yes or no on an undo.
type UndoDecision struct {
	By      string    `json:"by"`
	Approve bool      `json:"approve"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitempty"`
}

// UndoRequest asks in a person's name for the next step of an undo: that it be asked
// for, approved, sent, or looked after.
type UndoRequest struct {
	Line    string
	By      string
	Comment string
	Reject  bool
	Again   bool // ask anew although an earlier undo has ended
	// Digest is that of the open undo which the person saw; "" if there was none.
	Digest string
}

package api

import (
	"time"

	"bursar/internal/money"
)

// Limits of pages.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// PlanFilter selects a page of plans, of those whose every line is in an account that
// whoever asks may see. Zero fields select all.
type PlanFilter struct {
	State  string // proposed, approved, rejected or superseded
	Text   string // that the name, id, requester or digest holds, in either case
	Cursor string // of the page before; "" is the first page
	Limit  int    // 0 is DefaultLimit
}

// PlanPage is one page of plans, newest first.
type PlanPage struct {
	Plans []PlanSummary `json:"plans"`
	Next  string        `json:"next,omitempty"` // cursor of the next page; none on the last
}

// PlanSummary is a plan without its lines.
type PlanSummary struct {
	ID              string         `json:"id"`
	Lineage         string         `json:"lineage"` // id of version 1
	Version         int            `json:"version"`
	Name            string         `json:"name"`
	Requester       string         `json:"requester"`
	CreatedAt       time.Time      `json:"created_at"`
	State           string         `json:"state"`
	Progress        string         `json:"progress"`
	Digest          string         `json:"digest"`
	ApprovalExpires *time.Time     `json:"approval_expires_at,omitempty"`
	Total           Price          `json:"total"`
	Bound           money.Amount   `json:"bound"` // by the lines that are purchased, over their terms
	Lines           int            `json:"lines"`
	States          map[string]int `json:"states"` // lines by state
	Approvals       Approvals      `json:"approvals"`
}

// LineFilter selects a page of lines, of those in accounts that whoever asks may see.
// Zero fields select all.
type LineFilter struct {
	HistoryFilter
	Cursor string // of the page before; "" is the first page
	Limit  int    // 0 is DefaultLimit
}

// LinePage is one page of lines: those of the newest plan first, in its order.
type LinePage struct {
	Lines []Line `json:"lines"`
	Next  string `json:"next,omitempty"` // cursor of the next page; none on the last
}

// Overview is how things stand, for whoever opens the door.
type Overview struct {
	Installation Installation `json:"installation"`
	Purchasing   Purchasing   `json:"purchasing"`
	// Recovery: the ledger went back in time, and what it lost is not made good yet.
	Recovery bool           `json:"recovery"`
	Plans    map[string]int `json:"plans"` // by state
	Lines    map[string]int `json:"lines"` // by state
	// Bound is what the purchased lines cost over their terms, and Open what those cost
	// that are approved and have not ended, one amount for each currency.
	Bound []money.Amount `json:"bound"`
	Open  []money.Amount `json:"open"`
	// Doubt is since when the oldest line in doubt is in doubt.
	Doubt *time.Time `json:"in_doubt_since,omitempty"`
	// Attention are the lines that somebody should look at: those in doubt first, then
	// those that wait for a person. There may be more than are listed.
	Attention []Line        `json:"attention"`
	Proposed  []PlanSummary `json:"proposed"` // the newest plans that wait for approval
	Budgets   []Budget      `json:"budgets"`
}

// DefaultApproval is how long an approval stands unless it says otherwise.
const DefaultApproval = 72 * time.Hour

package api

import (
	"time"

	"bursar/internal/money"
)

// BudgetRequest asks for a budget, or for another cap of one. Empty fields are
// as they were, or the default.
type BudgetRequest struct {
	Name     string
	Cap      string // a number, "10000"; it is rounded down to a millionth
	Currency string // "USD"; needed for a new budget
	Per      string // plan, month (the default) or ever
	Of       string // total (the default), upfront or hourly
	Account  string // "" is every account
	By       string // "" is the user
}

// Budget is a cap on what may be committed.
type Budget struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Account   string         `json:"account,omitempty"` // none: every account
	Per       string         `json:"per"`               // plan, month (of the approval, in UTC) or ever
	Of        string         `json:"of"`                // total, upfront, or hourly (the total per hour of the term)
	Cap       money.Amount   `json:"cap"`
	CreatedAt time.Time      `json:"created_at"`
	CreatedBy string         `json:"created_by"`
	ChangedAt time.Time      `json:"changed_at"` // when the cap was set last
	ChangedBy string         `json:"changed_by"`
	Current   []BudgetPeriod `json:"current"` // the current period; per plan, those that hold something
}

// BudgetPeriod is what a budget holds and has spent in one period.
type BudgetPeriod struct {
	Period string       `json:"period"` // 2026-11, ever, or the id of a plan
	Cap    money.Amount `json:"cap"`
	Held   money.Amount `json:"held"`
	Spent  money.Amount `json:"spent"`
	Free   money.Amount `json:"free"`
}

// PlanBudget is what one budget has to do with one plan.
type PlanBudget struct {
	Name    string       `json:"name"`
	Account string       `json:"account,omitempty"`
	Per     string       `json:"per"`
	Of      string       `json:"of"`
	Now     BudgetPeriod `json:"now"`
	// Of a proposed plan: what its approval would hold, and whether that fits now.
	Needs   *money.Amount `json:"needs,omitempty"`
	Fits    *bool         `json:"fits,omitempty"`
	Problem string        `json:"problem,omitempty"`
	// Of an approved plan: its own part.
	Held  *money.Amount `json:"held,omitempty"`
	Spent *money.Amount `json:"spent,omitempty"`
}

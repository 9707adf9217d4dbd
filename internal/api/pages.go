package api

import (
	"context"
	"io"
	"time"
)

// Pages is what the pages need of a process that has the ledger, beyond what it does
// for everybody.
type Pages interface {
	Service

	// Now is the time that the ledger's clouds keep; a simulator's may be ahead.
	Now() time.Time
	// Desk tells how things stand. It reads sums, and no plan with its lines.
	Desk(ctx context.Context, f DeskFilter) (Desk, error)
	// Doubts lists the lines in doubt: first those that are looked up, the oldest first,
	// then those that wait for a person. Where there are more than most, they are those
	// of the oldest plans.
	Doubts(ctx context.Context, most int) ([]Doubt, error)
	// Ending lists the lines whose commitments have not ended, the next first.
	Ending(ctx context.Context, f EndingFilter) ([]Line, error)
	// EndingSums counts all of them, the next day first.
	EndingSums(ctx context.Context) ([]EndingSum, error)
	// Versions are the versions of a plan, the first one first.
	Versions(ctx context.Context, plan string) ([]Plan, error)
	// LineAccounts are the accounts that lines are in, in order.
	LineAccounts(ctx context.Context) ([]string, error)
	// PlanNames are what plans are called, by their whole ids.
	PlanNames(ctx context.Context, ids []string) (map[string]string, error)
	// Accounts lists the accounts that can be bought in. It asks no cloud.
	Accounts(ctx context.Context) ([]Account, error)
	// Doctor asks the clouds what would make a purchase fail.
	Doctor(ctx context.Context) (Doctor, error)
	// AfterPurchase tells of each service of a plan what can be undone once it is bought.
	AfterPurchase(ctx context.Context, plan string) ([]Final, error)
	Findings(ctx context.Context) ([]AuditFinding, error)
	// AskSecond keeps a person's decision about a line until a second person agrees, for
	// an hour and in this process; Asked returns it, nil for none. Agree carries it out in
	// the name of both, or with no drops it: whoever agrees is who acts in ctx.
	AskSecond(ctx context.Context, r Resolution) error
	Asked(ctx context.Context, line string) (*Asked, error)
	Agree(ctx context.Context, line string, yes bool) error

	// AuditLog lists the newest entries of the audit log, oldest first.
	AuditLog(ctx context.Context, f AuditFilter) ([]AuditEntry, error)
	VerifyAudit(ctx context.Context, export io.Reader) (AuditHead, error)
	ExportAudit(ctx context.Context, to io.Writer) (AuditHead, error)
	// Receipt is the signed receipt of a purchase, as a document.
	Receipt(ctx context.Context, line string) ([]byte, error)
	// RecoveryStatus asks the clouds only with owners.
	RecoveryStatus(ctx context.Context, owners bool) (Recovery, error)
	// WhatIf sizes what the content of the request says was used. It stores nothing.
	WhatIf(ctx context.Context, r WhatIfRequest) (WhatIf, error)
	Focus(ctx context.Context, f HistoryFilter) ([]FocusRow, error)
}

// Asked is a decision about a line that waits for a second person.
type Asked struct {
	Resolution
	At time.Time
}

// AuditFilter selects entries of the audit log. Zero fields select all.
type AuditFilter struct {
	Actor, Act, Subject string
	Refused             bool // only what was denied or failed
	Last                int  // only so many, the newest
}

// Account is one account that can be bought in.
type Account struct {
	Provider  string   `json:"provider"`
	Account   string   `json:"account"`
	Name      string   `json:"name,omitempty"`
	Live      bool     `json:"live"`
	Regions   []string `json:"regions"`
	Services  []string `json:"services"`
	Exclusive []string `json:"exclusive,omitempty"` // of the services, those that nobody but Bursar buys
}

// Final tells what can be undone of a service once it is bought.
type Final struct {
	Provider string `json:"provider"`
	Service  string `json:"service"`
	Lines    int    `json:"lines"` // of the plan
	// Way is return where the cloud takes back what is bought, and none.
	Way  string `json:"way"`
	Says string `json:"says"` // in one clause
	// Orders: the cloud takes an order first, which can be deleted until it fires.
	Orders bool `json:"orders,omitempty"`
}

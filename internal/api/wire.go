package api

import "time"

// What requests over HTTP carry in their bodies. Who acts is not among it: the server
// knows that by the token.

// Problem is an error as the server answers it (RFC 9457).
type Problem struct {
	Type   string `json:"type"`   // always about:blank
	Title  string `json:"title"`  // the status in words
	Status int    `json:"status"` // the status
	Detail string `json:"detail"` // one sentence, with the next step
	Kind   Kind   `json:"kind"`
}

// NewPlan asks for a plan from a file.
type NewPlan struct {
	File       string `json:"file,omitempty" doc:"Name of the file, for messages; none where usage, clouds or asked say what the plan is made of" maxLength:"1000"`
	Content    []byte `json:"content,omitempty" doc:"What the file holds, in base64: YAML, CSV, or JSON of a cloud's advice; no file of the server is read"`
	Name       string `json:"name,omitempty" doc:"Name of the plan; default is the file's"`
	Coverage   int    `json:"coverage,omitempty" doc:"Per cent of each count, rounded down; default is all" minimum:"0" maximum:"100"`
	MaxTotal   string `json:"max_total,omitempty" doc:"Refuse a plan that costs more over its term, such as 25000 USD"`
	MaxMonthly string `json:"max_monthly,omitempty" doc:"Refuse a plan that costs more each month, such as 900 USD"`
	Purpose    string `json:"purpose,omitempty" doc:"What the lines are bought for that do not say it"`
	Supersedes string `json:"supersedes,omitempty" doc:"Plan whose next version this is"`
	Policy     string `json:"policy,omitempty" doc:"Name of the file of the policy by which the plan is made, for messages"`
	// PolicyContent is what that file holds.
	PolicyContent []byte `json:"policy_content,omitempty" doc:"What the policy's file holds, in base64: YAML; no file of the server is read"`
	// Instead of a file.
	Usage  *NewUsage  `json:"usage,omitempty" doc:"Hourly usage that the plan is sized from"`
	Clouds *NewAsking `json:"clouds,omitempty" doc:"What the clouds are asked for advice, which may cost money"`
	Asked  *time.Time `json:"asked,omitempty" doc:"The time (at) of the last recommendations that this server was given, of which the plan is made"`
}

// Nothing is the body of a request that needs none.
type Nothing struct{}

// NewDecision is a yes or no on the digest that its sender saw.
type NewDecision struct {
	Digest  string `json:"digest" doc:"Digest of the plan as it was shown" minLength:"1"`
	Approve bool   `json:"approve" doc:"Yes or no"`
	Comment string `json:"comment,omitempty" doc:"Why"`
	Valid   string `json:"valid,omitempty" doc:"How long an approval stands, such as 72h, which is the default"`
}

// Comment is why something is asked for.
type Comment struct {
	Comment string `json:"comment,omitempty" doc:"Why"`
}

// NewCancel names plans and lines that shall not be bought.
type NewCancel struct {
	IDs     []string `json:"ids" doc:"Plans, which means all of their open lines, and lines" minItems:"1" maxItems:"1000" nullable:"false"`
	Comment string   `json:"comment,omitempty" doc:"Why"`
}

// SwitchPurchasing stops all purchasing or lets it go on.
type SwitchPurchasing struct {
	Purchasing bool   `json:"purchasing" doc:"Whether anything may be bought"`
	Comment    string `json:"comment,omitempty" doc:"Why"`
}

// NewResolution decides about a line that needs review.
type NewResolution struct {
	Choice     string `json:"choice" enum:"adopt,not_bought,foreign,look_again" doc:"What is decided"`
	Commitment string `json:"commitment,omitempty" doc:"Commitment that is adopted or declared foreign"`
	Comment    string `json:"comment,omitempty" doc:"Why"`
}

// NewUndo asks for the next step of an undo.
type NewUndo struct {
	Comment string `json:"comment,omitempty" doc:"Why"`
	Reject  bool   `json:"reject,omitempty" doc:"Refuse what somebody asked for"`
	Again   bool   `json:"again,omitempty" doc:"Ask anew although an earlier undo has ended"`
	Digest  string `json:"digest,omitempty" doc:"Digest of the open undo as it was shown; none if none was open"`
}

// NewBudget makes a budget, or gives one another cap.
type NewBudget struct {
	Name     string `json:"name" doc:"Name of the budget"`
	Cap      string `json:"cap" doc:"The most that may be held and spent in a period, such as 10000"`
	Currency string `json:"currency,omitempty" doc:"Currency of the cap; needed for a new budget"`
	Per      string `json:"per,omitempty" enum:"plan,month,ever" doc:"Period that the cap is for; default is month"`
	Of       string `json:"of,omitempty" enum:"total,upfront,hourly" doc:"What is measured; default is the total"`
	Account  string `json:"account,omitempty" doc:"Only lines of this account; default is every account"`
}

// NewSchedule has a plan begun at a time.
type NewSchedule struct {
	At time.Time `json:"at" doc:"When the plan is begun"`
}

// Started is the answer to who begins a plan.
type Started struct {
	Plan  Plan `json:"plan"`
	First bool `json:"first"` // false: somebody has begun it before
}

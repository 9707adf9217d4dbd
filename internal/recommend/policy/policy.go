// Package policy turns advice into the lines of a plan by rules that are kept in a
// file: what is bought at all, how much of it, in which steps, up to which sums, when
// not, and by whose approval. It is pure: the time, what is owned and what was planned
// before are arguments, and the same arguments give the same lines.
//
// Every line says why it is there, and everything that was dropped says why it is not,
// with the place of the rule in the policy file. A rule takes away and never adds:
// no line buys more than its source advises and what ends soon.
package policy

import (
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
)

// Policy is a policy file. Its zero value buys all that is advised.
type Policy struct {
	File string
	// Name tells the plans of the policy from those of others, for good: what was
	// planned under it counts against its ladder and its caps.
	Name      string
	Purpose   string
	Tolerance *int // hundredths of a per cent; nil: what the input says

	filters  []filter
	extended []extended
	savings  minimum
	percent  *limit // hundredths of a per cent
	months   *limit // hundredths of a month

	Terms     []Terms
	Mix       []Part
	Coverage  []Coverage
	Recent    Days // younger commitments are netted in full
	Rebuy     Days // what ends within it is bought again; zero lets everything end
	Ladder    *Ladder
	Caps      []Cap
	Blackouts []Blackout
	Approvals []Approval // by Above, the smallest first
	Auto      *Auto
}

// Days is a number of days and where it is written.
type Days struct {
	N  int
	At recommend.Position
}

func (d Days) duration() time.Duration { return time.Duration(d.N) * 24 * time.Hour }

// limit is a bound on a number.
type limit struct {
	n  int64
	at recommend.Position
}

// minimum is a bound on an amount.
type minimum struct {
	amount money.Amount // no currency: none
	at     recommend.Position
}

// Terms are a term and a payment option that are bought, of one service or of all.
// Earlier ones are preferred.
type Terms struct {
	Service cloud.Service // "" is every one
	Term    cloud.Term
	Payment cloud.Payment
	At      recommend.Position
}

// Part is a share of a mix: what is bought of a service is divided over the terms of its
// parts, which are 100 per cent together.
type Part struct {
	Terms
	Percent int
}

// Coverage is how much of the eligible usage is to be covered, in per cent. The
// first one that matches counts.
type Coverage struct {
	Account cloud.Account // "" is every one
	Service cloud.Service // likewise
	Percent int           // 1 to 100
	At      recommend.Position
}

// Ladder buys in tranches: each a part of what is wanted in the end, with a pause
// after each.
type Ladder struct {
	Tranches int // 0: without an end
	// Step is the size of a tranche: a part of what is wanted for each line, Num / Den,
	// or an amount per hour of the term over all lines.
	Num, Den int64
	PerHour  money.Amount // no currency: by part
	Interval int          // days
	At       recommend.Position
	stepAt   recommend.Position
}

// Per is what a cap is for.
type Per string

// The spans of a cap.
const (
	PerRun     Per = "run"     // one plan
	PerMonth   Per = "month"   // what was planned under the policy in a calendar month, UTC
	PerAccount Per = "account" // each account in one plan
)

// Cap bounds what may be planned. Its measures are those of budgets, at the highest
// price that the tolerance allows.
type Cap struct {
	Of      purchase.Measure
	Per     Per
	Account cloud.Account // "" is every one
	Most    money.Amount
	At      recommend.Position
	rule    string
}

// Blackout is a range of days, in UTC, on which nothing is planned. Both ends are a
// part of it.
type Blackout struct {
	From, To time.Time // midnight
	Why      string
	At       recommend.Position
}

// Approval is who approves a plan whose total is above an amount.
type Approval struct {
	Above     money.Amount // of zero: from the first cent
	Needed    int          // people
	Approvers []string     // empty: those of the configuration
	At        recommend.Position
}

// Auto approves a plan without a person, up to a total.
type Auto struct {
	UpTo money.Amount
	// Buy: what was approved is bought without a person, too.
	Buy bool
	At  recommend.Position
}

// Approver is who approves in the name of the policy. Nobody else may be called so.
func (p *Policy) Approver() string { return ReservedPrefix + p.Name }

// ReservedPrefix begins the names of what is no person.
const ReservedPrefix = "policy:"

// Approval returns who approves a plan of that total, nil where the policy does not
// say. An amount in another currency is an error: there is no exchange rate.
func (p *Policy) Approval(total money.Amount) (*Approval, error) {
	var found *Approval
	for i, a := range p.Approvals {
		order, err := total.Cmp(a.Above)
		if err != nil {
			return nil, &recommend.Error{Position: a.At, Problem: "the plan is billed in " + total.Currency() + " and the rule is in " + a.Above.Currency() + ": there is no exchange rate"}
		}
		if order > 0 {
			found = &p.Approvals[i]
		}
	}
	return found, nil
}

// AutoApproves reports whether the policy approves a plan of that total by itself.
func (p *Policy) AutoApproves(total money.Amount) bool {
	if p.Auto == nil || total.Currency() != p.Auto.UpTo.Currency() {
		return false
	}
	order, err := total.Cmp(p.Auto.UpTo)
	return err == nil && order <= 0
}

// Package sizing works out how much commitment hourly usage carries: what to buy on
// top of what is held, what that saves, and when it would lose money.
//
// It is pure: usage is read from an io.Reader, the time is an argument, prices and
// what is held are given. It buys nothing and looks nothing up. Usage is counted in
// whole hundred-millionths of a unit and every amount is a money.Amount; between them
// stand exact fractions, which are rounded once, at the end and to the cautious
// side: quantities, savings, coverage and utilization down, costs up.
package sizing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// Pool is usage that one commitment can cover alike: all sizes of a family where the
// cloud applies reservations across sizes, else one resource type. Times are UTC
// hours.
type Pool struct {
	Provider cloud.Provider `json:"provider"`
	Account  cloud.Account  `json:"account"`
	Region   cloud.Region   `json:"region"`
	Service  cloud.Service  `json:"service"`
	Family   string         `json:"family,omitempty"` // "m7g", "db.r6g"; empty where a service has none
	// Attributes tell pools of a family apart, in the words of the service.
	Attributes cloud.Attributes `json:"attributes,omitempty"`
	Currency   string           `json:"currency"`
}

// String is the one text of a pool, by which pools are sorted and told apart.
func (p Pool) String() string { return p.key() + " " + p.Currency }

func (p Pool) key() string {
	lane := cloud.Lane{Provider: p.Provider, Account: p.Account, Region: p.Region, Service: p.Service}
	return strings.TrimSpace(strings.Join([]string{lane.String(), p.Family, p.Attributes.String()}, " "))
}

// Proposal is advice to buy one quantity on one set of terms. Amounts are of the whole
// quantity; those over a term take the observed hours for typical ones.
type Proposal struct {
	Pool
	Method string `json:"method"`
	// Buys are the attributes of what is bought, as far as usage tells them.
	Buys     cloud.Attributes `json:"buys"`
	Offering string           `json:"offering,omitempty"` // the cloud's id, where the price came from its catalog
	Quantity int64            `json:"quantity"`
	// Unit is what one of the quantity is worth per hour where a commitment is to an
	// amount of money; zero where a quantity counts things.
	Unit    money.Amount  `json:"unit,omitzero"`
	Measure string        `json:"measure"` // the quantity for people: "3", "1.5 USD/h"
	Term    cloud.Term    `json:"term_months"`
	Payment cloud.Payment `json:"payment"`

	Hourly  money.Amount `json:"hourly"`  // recurring
	Upfront money.Amount `json:"upfront"` // once
	Total   money.Amount `json:"total"`   // upfront plus hourly over every hour of the term
	// Savings are the on-demand cost avoided over the term less Total; below zero it
	// loses money.
	Savings money.Amount `json:"savings"`
	// BreakEvenMonths is how many months the usage must go on until the on-demand cost
	// avoided has paid Total, whatever is paid when; 0 if the term is too short.
	BreakEvenMonths int `json:"break_even_months"`
	// CoverageBP is the share of the pool's usage that is covered with the proposal and
	// all below it; UtilizationBP that of the proposal which is used.
	CoverageBP    int `json:"coverage_bp"`
	UtilizationBP int `json:"utilization_bp"`
	// EffectiveSavingsRateBP is Savings in relation to the on-demand cost of the usage
	// that nothing else covers: the effective savings rate of this proposal.
	EffectiveSavingsRateBP int `json:"effective_savings_rate_bp"`
	// Drops tell what it costs if usage falls.
	Drops []Drop `json:"drops"`
	// Why explains the quantity, a sentence each.
	Why []string `json:"why"`
	// Dropped is what was left out of the quantity, with the reason.
	Dropped []Dropped `json:"dropped,omitempty"`

	sums sums
}

// SavedPerMonth is what a proposal saves in a month of its term, rounded down to a
// millionth.
func (p Proposal) SavedPerMonth() (money.Amount, error) {
	return amountDown(over(ratOf(p.Savings), whole(int64(p.Term))), p.Currency)
}

// Drop is the cost over the term of the usage that nothing else covers, if it falls.
type Drop struct {
	Percent  int          `json:"percent"`
	OnDemand money.Amount `json:"on_demand"` // without the proposal
	Cost     money.Amount `json:"cost"`      // with it, and on-demand what it does not cover
	Savings  money.Amount `json:"savings"`   // below zero, the commitment costs more than it saves
}

// Dropped is something that is not part of the result.
type Dropped struct {
	What string `json:"what"`
	Why  string `json:"why"` // one clause
}

// Report is all that follows from one file of usage.
type Report struct {
	AsOf  time.Time `json:"as_of"`
	From  time.Time `json:"from"`  // the first hour of the file
	Until time.Time `json:"until"` // the end of its last hour
	// Order tells in which order commitments take usage, so that nothing is counted
	// twice.
	Order     string     `json:"order"`
	Proposals []Proposal `json:"proposals"`
	Curves    []Curve    `json:"curves"` // of every pool that was sized
	Dropped   []Dropped  `json:"dropped,omitempty"`
	Notes     []string   `json:"notes,omitempty"`
}

// Error is a mistake in a file. Problem is the rest of a sentence that begins with the
// column or, where there is none, with the line.
type Error struct {
	File    string
	Line    int    // 1-based; 0 for the whole file
	Column  string // "" for the whole line
	Problem string
}

// Error returns "usage.csv:12: quantity: -1 is negative".
func (e *Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s = fmt.Sprintf("%s:%d", s, e.Line)
	}
	if e.Column != "" {
		s += ": " + e.Column
	}
	return s + ": " + e.Problem
}

// Method says how a quantity is chosen.
type Method struct {
	Kind    Kind
	Percent int // of ByPercentile and ByCoverage, 1 to 100
}

// Kind is a way to choose a quantity.
type Kind string

// The ways.
const (
	// ByMinimum commits to what is used in every hour.
	ByMinimum Kind = "minimum"
	// ByPercentile commits to the lowest usage that at least so many per cent of the
	// hours do not exceed.
	ByPercentile Kind = "percentile"
	// ByKnee commits until the next one would cost more than it saves: the quantity
	// with the greatest savings.
	ByKnee Kind = "knee"
	// ByCoverage commits until so many per cent of the usage are covered, whether the
	// last ones pay or not.
	ByCoverage Kind = "coverage"
)

// String returns "knee" or "coverage 80%".
func (m Method) String() string {
	if m.Kind == ByPercentile || m.Kind == ByCoverage {
		return fmt.Sprintf("%s %d%%", m.Kind, m.Percent)
	}
	return string(m.Kind)
}

func (m Method) check() error {
	switch m.Kind {
	case ByMinimum, ByKnee:
		return nil
	case ByPercentile, ByCoverage:
		if m.Percent < 1 || m.Percent > 100 {
			return fmt.Errorf("%s of %d per cent: use 1 to 100", m.Kind, m.Percent)
		}
		return nil
	}
	return fmt.Errorf("%q is not a way of sizing: use %s, %s, %s or %s", m.Kind, ByMinimum, ByPercentile, ByKnee, ByCoverage)
}

// Part is a share of a mix of terms. The first part takes the lowest layer of the
// usage, which is the steadiest.
type Part struct {
	Term    cloud.Term
	Payment cloud.Payment
	Percent int // of the quantity
}

// Gaps says what an hour is of which the whole file says nothing.
type Gaps string

// The ways to take a gap. An hour of which the file tells something, but nothing of a
// pool, is always an hour without usage of that pool.
const (
	GapsRefuse Gaps = "refuse" // a mistake: the file is not complete
	GapsZero   Gaps = "zero"   // an hour without any usage
	GapsSkip   Gaps = "skip"   // an hour that is left out
)

// Options of sizing. The zero value of a field is not a default: Defaults are.
type Options struct {
	AsOf   time.Time // now, UTC
	Method Method
	Mix    []Part // the percentages add up to 100
	// Terms returns the only terms of a service instead of Mix; nil, or false, is Mix.
	Terms func(cloud.Service) (cloud.Term, cloud.Payment, bool)
	// Services are sized, all others left: reservations each from their own usage, and
	// last the plans of each provider from what they leave.
	Services []cloud.Service
	Prices   Prices
	// Held are the commitments that exist, are queued or planned. Unless Known, what the
	// file says is covered takes their place.
	Held  []Held
	Known bool
	// Apart reports whether somebody else nets a commitment from what is proposed to be
	// bought: it is then not netted here, and what is proposed is on top of the others
	// only. Nil: everything is netted here.
	Apart func(h Held, buys cloud.Attributes) bool

	SpikeDays int           // a level that fewer days reach is cut
	MinDays   int           // of history
	MaxAge    time.Duration // between the last hour of usage and AsOf
	Rebuy     time.Duration // what ends within it is not netted: it is bought again
	Gaps      Gaps
}

// Defaults are the limits that are used unless somebody says otherwise.
func Defaults() Options {
	return Options{
		Method: Method{Kind: ByKnee}, Mix: []Part{{cloud.OneYear, cloud.NoUpfront, 100}},
		SpikeDays: 14, MinDays: 30, MaxAge: 72 * time.Hour, Rebuy: 30 * 24 * time.Hour, Gaps: GapsRefuse,
	}
}

func (o Options) check() error {
	if o.AsOf.IsZero() || o.Prices == nil {
		return fmt.Errorf("sizing needs a time and prices")
	}
	if err := o.Method.check(); err != nil {
		return err
	}
	if o.SpikeDays < 0 || o.MinDays < 1 || o.MaxAge <= 0 || o.Rebuy < 0 {
		return fmt.Errorf("days of sizing must not be negative, and history at least one day")
	}
	if !slices.Contains([]Gaps{GapsRefuse, GapsZero, GapsSkip}, o.Gaps) {
		return fmt.Errorf("%q is not a way to take gaps: use %s, %s or %s", o.Gaps, GapsRefuse, GapsZero, GapsSkip)
	}
	sum := 0
	for _, p := range o.Mix {
		if p.Percent < 1 || p.Term.Hours() < 1 {
			return fmt.Errorf("a part of a mix has a term and at least 1 per cent")
		}
		sum += p.Percent
	}
	if sum != 100 {
		return fmt.Errorf("the parts of the mix are %d per cent: they must add up to 100", sum)
	}
	return nil
}

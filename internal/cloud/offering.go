package cloud

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

func sortedKeys(a Attributes) []string { return slices.Sorted(maps.Keys(a)) }

// Offering is a thing that can be bought. Prices are those of one unit, before
// tax, in the currency the cloud bills.
type Offering struct {
	Provider   Provider     `json:"provider"`
	Service    Service      `json:"service"`
	Region     Region       `json:"region"`
	ID         string       `json:"id"` // the cloud's own id, empty where it has none
	Attributes Attributes   `json:"attributes"`
	Term       Term         `json:"term_months"`
	Payment    Payment      `json:"payment"`
	Upfront    money.Amount `json:"upfront"` // paid once
	Hourly     money.Amount `json:"hourly"`  // recurring, per hour of the term
	// Unit is what one of a quantity is worth in usage per hour where a commitment
	// is to an amount of money, such as 0.00001 USD for a Savings Plan; zero where a
	// quantity counts things.
	Unit money.Amount `json:"unit,omitzero"`
}

// SameGoods reports whether two offerings are the same thing on the same terms,
// whatever they cost.
func (o Offering) SameGoods(p Offering) bool {
	return o.Provider == p.Provider && o.Service == p.Service && o.Region == p.Region && o.ID == p.ID &&
		o.Term == p.Term && o.Payment == p.Payment && o.Unit.Equal(p.Unit) && maps.Equal(o.Attributes, p.Attributes)
}

// Count returns how many units a commitment to an amount of money per hour is. It
// fails on an amount that is no whole number of units, and where quantities count
// things.
func (o Offering) Count(perHour money.Amount) (int64, error) {
	if o.Unit.Sign() <= 0 {
		return 0, fmt.Errorf("%s counts things, not %s per hour", o.Service, perHour.Currency())
	}
	if o.Unit.Currency() != perHour.Currency() {
		return 0, fmt.Errorf("a commitment in %s to an offering in %s", perHour.Currency(), o.Unit.Currency())
	}
	amount, ok := new(big.Rat).SetString(perHour.Decimal())
	unit, fine := new(big.Rat).SetString(o.Unit.Decimal())
	if !ok || !fine {
		return 0, fmt.Errorf("%s per hour is not an amount", perHour)
	}
	n := amount.Quo(amount, unit)
	if !n.IsInt() || !n.Num().IsInt64() {
		return 0, fmt.Errorf("%s per hour is not a whole number of %s", perHour, o.Unit)
	}
	return n.Num().Int64(), nil
}

// Measure is a quantity for people: "3", or "1.5 USD/h" of an offering with a unit.
func (o Offering) Measure(n int64) string { return measure(o.Unit, n) }

// PerHour is what a quantity of an offering with a unit is worth in usage per hour;
// zero without one.
func (o Offering) PerHour(n int64) money.Amount { return perHour(o.Unit, n) }

func perHour(unit money.Amount, n int64) money.Amount {
	amount, err := unit.Mul(n)
	if err != nil {
		return money.Amount{} // beyond 19 digits: no cloud sells that
	}
	return amount
}

func measure(unit money.Amount, n int64) string {
	amount := perHour(unit, n)
	if amount.IsZero() {
		return strconv.FormatInt(n, 10)
	}
	return strings.TrimSuffix(strings.TrimRight(amount.Canonical(), "0"), ".") + " " + amount.Currency() + "/h"
}

// Price is what a quantity of an offering costs. All three are of one currency.
type Price struct {
	Upfront money.Amount `json:"upfront"` // once, for the whole quantity
	Hourly  money.Amount `json:"hourly"`  // recurring, for the whole quantity
	Total   money.Amount `json:"total"`   // upfront plus hourly over every hour of the term
}

// Price returns the exact price of n units over the term.
func (o Offering) Price(n int64) (Price, error) {
	if n < 1 {
		return Price{}, fmt.Errorf("quantity %d: want at least 1", n)
	}
	var p Price
	var err error
	if p.Upfront, err = o.Upfront.Mul(n); err != nil {
		return Price{}, err
	}
	if p.Hourly, err = o.Hourly.Mul(n); err != nil {
		return Price{}, err
	}
	recurring, err := p.Hourly.Mul(o.Term.Hours())
	if err != nil {
		return Price{}, err
	}
	if p.Total, err = p.Upfront.Add(recurring); err != nil {
		return Price{}, err
	}
	return p, nil
}

// Add returns the sum of two prices of one currency.
func (p Price) Add(q Price) (Price, error) {
	var sum Price
	var err error
	if sum.Upfront, err = p.Upfront.Add(q.Upfront); err != nil {
		return Price{}, err
	}
	if sum.Hourly, err = p.Hourly.Add(q.Hourly); err != nil {
		return Price{}, err
	}
	if sum.Total, err = p.Total.Add(q.Total); err != nil {
		return Price{}, err
	}
	return sum, nil
}

// Quote is what the cloud asks for an offering at an instant.
type Quote struct {
	Offering  Offering  `json:"offering"`
	At        time.Time `json:"at"`         // our clock, UTC
	CloudTime time.Time `json:"cloud_time"` // the Date of the cloud's answer
	// Credential names, without revealing it, the credential that was proven to
	// belong to the account and that the purchase will be signed with: an access
	// key id. It finds the purchase in the cloud's audit log.
	Credential string `json:"credential,omitempty"`
	// Order is the id under which the cloud will keep the purchase, where it names an
	// order together with its price. It is used for one purchase.
	Order string `json:"order,omitempty"`
}

// CommitmentState is what the cloud says about a commitment, in one vocabulary.
type CommitmentState string

// The states. A state a driver does not know is Unknown, which means that the
// commitment exists.
const (
	Pending CommitmentState = "pending" // bound, payment not yet taken
	Active  CommitmentState = "active"
	Failed  CommitmentState = "payment_failed"
	Retired CommitmentState = "retired"
	Queued  CommitmentState = "queued"
	Deleted CommitmentState = "queued_deleted"
	// Returning: given back, which may fail yet; then it is active again.
	Returning CommitmentState = "returning"
	Returned  CommitmentState = "returned"
	Unknown   CommitmentState = "unknown"
)

// Binding reports whether a commitment in this state costs money, did, or may:
// everything but what the cloud says was never paid or was given back.
func (s CommitmentState) Binding() bool {
	return s != Failed && s != Deleted && s != Returned
}

// Commitment is what an account owns, as the cloud lists it.
type Commitment struct {
	Lane
	ID         string       `json:"id"`                 // as the cloud spells it
	Name       string       `json:"name,omitempty"`     // the token or name we gave, where it is not the id
	ARN        string       `json:"arn,omitempty"`      // full resource name where there is one
	OfferingID string       `json:"offering,omitempty"` // it was bought from; empty where the cloud does not say
	Attributes Attributes   `json:"attributes"`
	Term       Term         `json:"term_months"`
	Payment    Payment      `json:"payment"`
	Quantity   int64        `json:"quantity"`
	Upfront    money.Amount `json:"upfront"` // per unit
	Hourly     money.Amount `json:"hourly"`  // per unit
	// Unit is that of its offering: what one of the quantity is worth in usage per
	// hour; zero where a quantity counts things.
	Unit  money.Amount    `json:"unit,omitzero"`
	State CommitmentState `json:"state"`
	Start time.Time       `json:"start"`
	// Used is what the listing told of its utilization, by window, the longest last; nil
	// where it tells none. It changes by the hour and is no part of a record.
	Used []Used `json:"-"`
}

// Used is the utilization of a commitment: how much of it was used, not how much usage
// it covers.
type Used struct {
	Days int // the window; where it ends the cloud says, about a day ago
	BP   int // of what was paid for, in hundredths of a per cent, 0 to 10000
}

// Measure is the quantity for people: "3", or "1.5 USD/h".
func (c Commitment) Measure() string { return measure(c.Unit, c.Quantity) }

// PerHour is what the commitment is worth in usage per hour; zero where a quantity
// counts things.
func (c Commitment) PerHour() money.Amount { return perHour(c.Unit, c.Quantity) }

// EvidenceKind says how a fact was learned.
type EvidenceKind string

// The kinds of evidence.
const (
	EvidenceReply    EvidenceKind = "reply"    // the answer to the purchase request itself
	EvidenceListing  EvidenceKind = "listing"  // a complete listing showed the commitment
	EvidenceAbsence  EvidenceKind = "absence"  // a complete listing did not show it
	EvidenceAuditLog EvidenceKind = "auditlog" // the cloud's audit log showed the call
	EvidencePerson   EvidenceKind = "person"   // a person said so
)

// Evidence is one fact from the cloud. It is never changed and never deleted.
type Evidence struct {
	Kind       EvidenceKind `json:"kind"`
	Outcome    Outcome      `json:"outcome"`
	Operation  string       `json:"operation"`            // the cloud's operation name
	Started    time.Time    `json:"started"`              // our clock, before the request, UTC
	CloudTime  time.Time    `json:"cloud_time"`           // the Date of the answer; zero when there was none
	RequestID  string       `json:"request_id,omitempty"` // the cloud's id of the request
	Status     int          `json:"status,omitempty"`     // HTTP status; 0 without an answer
	Code       string       `json:"code,omitempty"`       // the cloud's error code
	Detail     string       `json:"detail,omitempty"`     // one sentence, no secrets
	Handle     string       `json:"handle,omitempty"`     // order or operation to follow
	Commitment *Commitment  `json:"commitment,omitempty"`
}

// Outcome is what one answer, or its absence, proves about one purchase request.
type Outcome string

// The outcomes. The zero value is doubt: whatever is not proven is unknown.
const (
	InDoubt   Outcome = ""          // it may have bought
	Bought    Outcome = "bought"    // it bought, and the commitment is named
	Exists    Outcome = "exists"    // our name is taken: an earlier request bought, or a stranger did
	Accepted  Outcome = "accepted"  // it bought or is about to; a handle is to be followed
	Refused   Outcome = "refused"   // it bought nothing and never will
	Throttled Outcome = "throttled" // as Refused, and the cloud asks to slow down
	Unsent    Outcome = "unsent"    // not one byte left
)

// String names the outcome; the zero value is "in_doubt".
func (o Outcome) String() string {
	if o == InDoubt {
		return "in_doubt"
	}
	return string(o)
}

// Negative reports whether the outcome proves that the request bought nothing
// and never will.
func (o Outcome) Negative() bool { return o == Refused || o == Throttled || o == Unsent }

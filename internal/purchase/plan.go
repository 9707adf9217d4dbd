package purchase

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gowebpki/jcs"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// PlanID and LineID are ULIDs in upper case.
type (
	PlanID string
	LineID string
)

// PlanState is the state of one version of a plan.
type PlanState string

// The plan states. Whether an approved plan is running or done is derived from
// its lines (Progress) and never stored.
const (
	PlanProposed   PlanState = "proposed"
	PlanApproved   PlanState = "approved"
	PlanRejected   PlanState = "rejected"
	PlanSuperseded PlanState = "superseded"
)

// Plan is a frozen proposal: priced lines and the digest that people approve.
// Nothing that the digest covers ever changes; a changed plan is a new version
// with new lines.
type Plan struct {
	ID        PlanID
	Lineage   PlanID // the first version's id
	Version   int    // 1-based within the lineage
	Name      string
	Requester string
	CreatedAt time.Time
	Tolerance Tolerance
	// AllOrNothing: every line is bought, or none. Only lines of class Q can promise
	// it: their orders can be deleted until they fire.
	AllOrNothing bool
	Approvals    Approvals
	Lines        []Line
	Total        cloud.Price // over all lines
	Digest       string      // "sha256:" and 64 hex digits
	State        PlanState
	// ApprovalExpires is when the approval ends; zero unless approved. From then
	// on nothing new is sent.
	ApprovalExpires time.Time
}

// Tolerance is how far a price may rise between approval and purchase, in basis
// points (hundredths of a per cent) of each of upfront, hourly and total.
type Tolerance int

// Allows reports whether the price now asked is within the tolerance of the
// approved one. A lower price always is.
func (t Tolerance) Allows(approved, asked cloud.Price) (bool, error) {
	for _, pair := range [][2]money.Amount{
		{approved.Upfront, asked.Upfront}, {approved.Hourly, asked.Hourly}, {approved.Total, asked.Total},
	} {
		// asked x 10000 <= approved x (10000 + tolerance), all exact.
		left, err := pair[1].Mul(10_000)
		if err != nil {
			return false, err
		}
		right, err := pair[0].Mul(10_000 + int64(t))
		if err != nil {
			return false, err
		}
		cmp, err := left.Cmp(right)
		if err != nil {
			return false, err
		}
		if cmp > 0 {
			return false, nil
		}
	}
	return true, nil
}

// Spec is what a line asks for, frozen by the plan's digest.
type Spec struct {
	Account  cloud.Account
	Offering cloud.Offering // with the price of one unit at planning time
	Quantity int64
	Price    cloud.Price // of the whole quantity; what people approve
	Note     string
	Purpose  string // what it is bought for, in the words of whoever asked; "" if they did not say
	Tags     Tags   // besides those that every purchase carries; nil without any
	// Simulated lines are priced on a simulated cloud and can only be bought
	// there.
	Simulated bool
}

// Lane returns where the commitment will pile up.
func (s Spec) Lane() cloud.Lane {
	return cloud.Lane{
		Provider: s.Offering.Provider, Account: s.Account,
		Region: s.Offering.Region, Service: s.Offering.Service,
	}
}

// ErrCurrencies is returned for a plan whose lines are billed in more than one
// currency: it would have no total that a person could approve.
var ErrCurrencies = errors.New("a plan has one currency")

// Freeze numbers the lines, sums them and sets the digest. It fails on a plan
// without lines, on mixed currencies, on a line whose price is not that of its
// offering and quantity, and on one that an all-or-nothing plan cannot take back.
func (p *Plan) Freeze() error {
	if len(p.Lines) == 0 {
		return errors.New("a plan needs at least one line")
	}
	if p.Tolerance < 0 || p.Tolerance > 10_000 {
		return fmt.Errorf("tolerance of %d basis points is not within 0 and 10000", p.Tolerance)
	}
	var total cloud.Price
	for i := range p.Lines {
		l := &p.Lines[i]
		l.Plan, l.Number = p.ID, i+1
		if p.AllOrNothing && l.Class != cloud.ClassQueued {
			return fmt.Errorf("a plan that is all or nothing cannot hold line %d: orders of %s cannot be deleted before they bind; plan the line apart, or without all_or_nothing",
				l.Number, l.Spec.Offering.Service)
		}
		price, err := l.Spec.Offering.Price(l.Spec.Quantity)
		if err != nil {
			return fmt.Errorf("line %d: %w", l.Number, err)
		}
		l.Spec.Price = price
		if total, err = total.Add(price); errors.Is(err, money.ErrCurrency) {
			return fmt.Errorf("line %d is in %s, the lines before it in %s: %w",
				l.Number, price.Total.Currency(), total.Total.Currency(), ErrCurrencies)
		} else if err != nil {
			return fmt.Errorf("line %d: %w", l.Number, err)
		}
	}
	p.Total = total
	digest, err := p.ComputeDigest()
	if err != nil {
		return err
	}
	p.Digest = digest
	return nil
}

// digestDoc is the canonical form of a plan: everything a person approves, and
// neither ids nor times, so that the same input has the same digest. Changing it
// voids every approval: it carries its own version.
type digestDoc struct {
	Form        string `json:"form"`
	Name        string `json:"name"`
	ToleranceBP int    `json:"tolerance_bp"`
	// Present only when true, so that the digests of all other plans stay.
	AllOrNothing bool         `json:"all_or_nothing,omitempty"`
	Lines        []digestLine `json:"lines"`
	Total        cloud.Price  `json:"total"`
}

type digestLine struct {
	Number   int            `json:"line"`
	Account  cloud.Account  `json:"account"`
	Offering cloud.Offering `json:"offering"`
	Quantity int64          `json:"quantity"`
	Price    cloud.Price    `json:"price"`
	Note     string         `json:"note"`
	// Present only where there are any, so that the digests of all other plans stay.
	Purpose string `json:"purpose,omitempty"`
	Tags    Tags   `json:"tags,omitempty"`
	// Present only when true, so that the digest of a real plan does not depend
	// on there being a simulator.
	Simulated bool `json:"simulated,omitempty"`
}

// Canonical returns the plan in the fixed form that is hashed: RFC 8785 JSON
// with every price as text. No number in it is anything but a small integer.
func (p *Plan) Canonical() ([]byte, error) {
	doc := digestDoc{Form: "bursar-plan-1", Name: p.Name, ToleranceBP: int(p.Tolerance), AllOrNothing: p.AllOrNothing, Total: p.Total}
	for _, l := range p.Lines {
		doc.Lines = append(doc.Lines, digestLine{
			Number: l.Number, Account: l.Spec.Account, Offering: l.Spec.Offering,
			Quantity: l.Spec.Quantity, Price: l.Spec.Price, Note: l.Spec.Note, Purpose: l.Spec.Purpose, Tags: l.Spec.Tags, Simulated: l.Spec.Simulated,
		})
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	canonical, err := jcs.Transform(raw)
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	return canonical, nil
}

// ComputeDigest hashes the canonical form.
func (p *Plan) ComputeDigest() (string, error) {
	canonical, err := p.Canonical()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Approvals is the rule by which people approve a plan. It is frozen with the
// plan: who approves is decided before anybody does.
type Approvals struct {
	// Needed is how many different people have to say yes; at least 1. One no is
	// a veto, whatever yes there are.
	Needed int
	// Approvers are the people who may say yes; empty is anybody.
	Approvers []string
	// Self: the requester may be one of them.
	Self bool
}

// May reports whether a person may approve a plan of the requester.
func (a Approvals) May(person, requester string) bool {
	if !a.Self && PersonKey(person) == PersonKey(requester) {
		return false
	}
	return len(a.Approvers) == 0 ||
		slices.ContainsFunc(a.Approvers, func(name string) bool { return PersonKey(name) == PersonKey(person) })
}

// PersonKey is a person's name as it is compared: two spellings that differ in
// case or surrounding space are one person.
func PersonKey(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// Decision is one person's yes or no on a digest. It is never changed.
type Decision struct {
	Plan    PlanID
	Digest  string
	By      string
	Approve bool
	At      time.Time
	Comment string
}

// Progress is what a plan's lines add up to.
type Progress string

// The progress of a plan.
const (
	ProgressWaiting   Progress = "waiting"   // not approved
	ProgressRunning   Progress = "running"   // a line is open
	ProgressAttention Progress = "attention" // a line waits for a person
	ProgressComplete  Progress = "complete"  // every line purchased
	ProgressPartial   Progress = "partial"   // some purchased, the others closed
	ProgressNothing   Progress = "nothing_bought"
)

// Progress derives the progress of the plan from its lines.
func (p *Plan) Progress() Progress {
	var open, attention, purchased int
	for _, l := range p.Lines {
		switch {
		case l.State == Purchased:
			purchased++
		case l.State == NeedsReview, l.State == NeedsReapproval, l.State == Recovery:
			attention++
		case !l.State.Terminal():
			open++
		}
	}
	switch {
	case p.State == PlanProposed:
		return ProgressWaiting
	case attention > 0:
		return ProgressAttention
	case open > 0:
		return ProgressRunning
	case purchased == len(p.Lines):
		return ProgressComplete
	case purchased > 0:
		return ProgressPartial
	}
	return ProgressNothing
}

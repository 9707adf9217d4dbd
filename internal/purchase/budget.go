package purchase

import (
	"errors"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// BudgetID is a ULID in upper case; that of a plan's own ceiling is the plan's.
type BudgetID string

// Per says what a budget's cap is for: each plan, each month of approval, or all
// time.
type Per string

// The spans of a budget.
const (
	PerPlan  Per = "plan"
	PerMonth Per = "month" // of the approval, in UTC
	PerEver  Per = "ever"
)

// Measure says what of a line counts against a budget.
type Measure string

// The measures of a budget.
const (
	OfTotal   Measure = "total"   // the commitment over the whole term
	OfUpfront Measure = "upfront" // what is paid once
	OfHourly  Measure = "hourly"  // the total divided by the hours of the term
)

// Budget is a cap on what may be committed. Everything but the cap is frozen.
type Budget struct {
	ID BudgetID
	// Plan is set on the ceiling of a plan: a budget without a name that comes with
	// the approval, so that every approved line holds at least something.
	Plan      PlanID
	Name      string        // unique among those that are not retired
	Account   cloud.Account // "" covers every account
	Per       Per
	Of        Measure
	Cap       money.Amount // whole millionths; per hour of the term for OfHourly
	CreatedAt time.Time
	CreatedBy string
	ChangedAt time.Time // when the cap was set last
	ChangedBy string
	RetiredAt time.Time // zero while it takes holds
	RetiredBy string
}

// BudgetPeriod is what a budget holds and has spent in one period. Held and
// Spent are never negative, and together never above Cap.
type BudgetPeriod struct {
	Budget           BudgetID
	Period           string // a plan's id, "2026-11", or "ever"
	Cap, Held, Spent money.Amount
}

// Free is what the period can still hold.
func (p BudgetPeriod) Free() (money.Amount, error) {
	used, err := p.Held.Add(p.Spent)
	if err != nil {
		return money.Amount{}, err
	}
	return p.Cap.Sub(used)
}

// HoldState is the state of a hold.
type HoldState string

// The states of a hold: held until the line ends, then one of the others for
// good, but that what is spent may be returned.
const (
	HoldHeld     HoldState = "held"
	HoldSpent    HoldState = "spent"    // the line bought a commitment
	HoldReleased HoldState = "released" // the line ended without one
	HoldReturned HoldState = "returned" // the cloud took the commitment back
)

// Hold is what one approved line takes from one budget. Only its state changes.
type Hold struct {
	Line    LineID
	Budget  BudgetID
	Period  string
	Amount  money.Amount // the most the line may cost, in the budget's measure
	State   HoldState
	At      time.Time // of the approval
	EndedAt time.Time // zero while held
}

// HoldStateOf is the state that the holds of a line in this state have; "" for a
// draft, which has none.
func HoldStateOf(s State) HoldState {
	switch {
	case s == Draft:
		return ""
	case s == Purchased:
		return HoldSpent
	case s.Terminal():
		return HoldReleased
	}
	return HoldHeld
}

// Claim is what the approval of a plan takes from one budget.
type Claim struct {
	Budget Budget
	Period string
	Amount money.Amount // over all lines
	Lines  []LineClaim
}

// LineClaim is one line's part of a claim.
type LineClaim struct {
	Line   LineID
	Amount money.Amount
}

// Period names the period of the budget that the approval of a plan at the given
// time falls into.
func (b Budget) Period(plan PlanID, at time.Time) string {
	switch b.Per {
	case PerPlan:
		return string(plan)
	case PerMonth:
		return at.UTC().Format("2006-01")
	}
	return string(PerEver)
}

// Covers reports whether lines of the account count against the budget.
func (b Budget) Covers(a cloud.Account) bool { return b.Account == "" || b.Account == a }

// Takes returns what a line takes from the budget: the most it may cost, in the
// budget's measure, rounded up to a millionth. A line that is billed in another
// currency is an *OtherCurrency.
func (b Budget) Takes(l Line, t Tolerance) (money.Amount, error) {
	price := l.Spec.Price
	if c := price.Total.Currency(); c != b.Cap.Currency() {
		return money.Amount{}, &OtherCurrency{Budget: b, Plan: l.Plan, Line: l.Number, Currency: c}
	}
	const whole = 10_000 // basis points
	amount, num, den := price.Total, whole+int64(t), int64(whole)
	switch b.Of {
	case OfUpfront:
		amount = price.Upfront
	case OfHourly:
		den *= l.Spec.Offering.Term.Hours()
	}
	if den <= 0 {
		return money.Amount{}, fmt.Errorf("line %d has no term to spread its cost over", l.Number)
	}
	up, err := amount.RatioUp(num, den)
	if err != nil {
		return money.Amount{}, fmt.Errorf("line %d: %w", l.Number, err)
	}
	return up, nil
}

// Claim returns what the approval of the plan at the given time takes from the
// budget; a claim without lines takes nothing.
func (p *Plan) Claim(b Budget, at time.Time) (Claim, error) {
	c := Claim{Budget: b, Period: b.Period(p.ID, at), Amount: money.Zero(b.Cap.Currency())}
	for _, l := range p.Lines {
		if !b.Covers(l.Spec.Account) {
			continue
		}
		amount, err := b.Takes(l, p.Tolerance)
		if err != nil {
			return Claim{}, err
		}
		if c.Amount, err = c.Amount.Add(amount); err != nil {
			return Claim{}, err
		}
		c.Lines = append(c.Lines, LineClaim{Line: l.ID, Amount: amount})
	}
	return c, nil
}

// Ceiling returns the plan's own budget, whose cap is the most that all its lines
// together may cost over their terms.
func (p *Plan) Ceiling(at time.Time, by string) (Budget, error) {
	b := Budget{
		ID: BudgetID(p.ID), Plan: p.ID, Per: PerPlan, Of: OfTotal, Cap: money.Zero(p.Total.Total.Currency()),
		CreatedAt: at, CreatedBy: by, ChangedAt: at, ChangedBy: by,
	}
	c, err := p.Claim(b, at)
	b.Cap = c.Amount
	return b, err
}

// ErrBudget is in the chain of every refusal by a budget.
var ErrBudget = errors.New("refused by a budget")

// OverBudget refuses an approval that does not fit a budget.
type OverBudget struct {
	Budget Budget
	Period string
	Needs  money.Amount // what the plan would hold
	Free   money.Amount // what the budget can still hold in the period
}

func (e *OverBudget) Error() string {
	return fmt.Sprintf("budget %s has %s free%s and the plan needs %s", e.Budget.Name, e.Budget.text(e.Free), e.Budget.in(e.Period), e.Budget.text(e.Needs))
}

// Is makes every refusal ErrBudget.
func (e *OverBudget) Is(target error) bool { return target == ErrBudget }

// OtherCurrency refuses to count a line against a budget of another currency:
// there is no rate that would be true on the day of the purchase.
type OtherCurrency struct {
	Budget   Budget
	Plan     PlanID
	Line     int    // its number within the plan
	Currency string // of the line
}

func (e *OtherCurrency) Error() string {
	return fmt.Sprintf("budget %s is in %s and line %d of plan %s is billed in %s: there is no exchange rate",
		e.Budget.Name, e.Budget.Cap.Currency(), e.Line, e.Plan, e.Currency)
}

// Is makes every refusal ErrBudget.
func (e *OtherCurrency) Is(target error) bool { return target == ErrBudget }

// CapTooLow refuses a cap below what is held and spent already.
type CapTooLow struct {
	Budget Budget // with the cap that was asked for
	Period string
	Used   money.Amount // held and spent together
}

func (e *CapTooLow) Error() string {
	return fmt.Sprintf("budget %s cannot have a cap of %s: held and spent%s are %s already", e.Budget.Name, e.Budget.text(e.Budget.Cap), e.Budget.in(e.Period), e.Budget.text(e.Used))
}

// Is makes every refusal ErrBudget.
func (e *CapTooLow) Is(target error) bool { return target == ErrBudget }

// OtherMeasure refuses to change what a budget measures.
type OtherMeasure struct {
	Budget           Budget // as it is
	Field, Has, Asks string
}

func (e *OtherMeasure) Error() string {
	return fmt.Sprintf("the %s of budget %s is %s and never becomes %s: retire it and make another", e.Field, e.Budget.Name, e.Has, e.Asks)
}

// Is makes every refusal ErrBudget.
func (e *OtherMeasure) Is(target error) bool { return target == ErrBudget }

// text writes an amount in the budget's measure.
func (b Budget) text(a money.Amount) string {
	if b.Of == OfHourly {
		return a.String() + " per hour"
	}
	return a.String()
}

// in names a period where the reader does not know it anyway.
func (b Budget) in(period string) string {
	if b.Per == PerMonth {
		return " in " + period
	}
	return ""
}

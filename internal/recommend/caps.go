package recommend

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// hoursPerMonth is a twelfth of the 8,760 hours that clouds bill a year.
const hoursPerMonth = 730

// ErrCap is in the chain of every refusal by Caps.Check.
var ErrCap = errors.New("above the cap")

// Caps bound what one plan may commit to, all lines together. A zero value is
// no cap.
type Caps struct {
	MaxTotal   money.Amount // over the whole term, upfront included
	MaxMonthly money.Amount // recurring, for a month of 730 hours
}

// Check refuses a total above a cap, or in another currency than a cap. It never
// trims: what to leave out is for a person to decide.
func (c Caps) Check(total cloud.Price) error {
	monthly, err := total.Hourly.Mul(hoursPerMonth)
	if err != nil {
		return fmt.Errorf("monthly cost: %w", err)
	}
	return errors.Join(
		within("the total over the term", total.Total, c.MaxTotal),
		within("the recurring cost per month", monthly, c.MaxMonthly),
	)
}

func within(what string, is, most money.Amount) error {
	if most.Currency() == "" {
		return nil
	}
	// An amount without a currency would pass for the cap's currency.
	if is.Currency() == "" && !is.IsZero() {
		return fmt.Errorf("%s, %s, has no currency and the cap is %s: %w", what, is, most, ErrCap)
	}
	order, err := is.Cmp(most)
	if errors.Is(err, money.ErrCurrency) {
		return fmt.Errorf("%s, %s, cannot be held against the cap of %s: %w: %w", what, is, most, err, ErrCap)
	}
	if err != nil {
		return err
	}
	if order > 0 {
		return fmt.Errorf("%s, %s, is %w of %s", what, is, ErrCap, most)
	}
	return nil
}

// capText is a number without grouping or with correct grouping.
var capText = regexp.MustCompile(`^([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?$`)

// ParseAmount reads the amount of a flag: a number and a currency code in either
// order with a space between, "25000 USD", "USD 25000", "USD 25,000.00". Commas
// are accepted only where they group thousands, so that a decimal comma is never
// taken for one. The amount must be more than zero: an absent flag is no cap.
func ParseAmount(flag, text string) (money.Amount, error) {
	a, err := Money(text)
	if err != nil {
		return a, fmt.Errorf("%s: %w", flag, err)
	}
	return a, nil
}

// Money is ParseAmount for a value that is not of a flag: the error is about it alone.
func Money(text string) (money.Amount, error) {
	parts := strings.Fields(text)
	if len(parts) == 1 && capText.MatchString(parts[0]) {
		return money.Amount{}, fmt.Errorf("%s has no currency: write for example %s USD", show(text), parts[0])
	}
	if len(parts) == 2 && isoCurrency.MatchString(parts[0]) {
		parts[0], parts[1] = parts[1], parts[0]
	}
	if len(parts) != 2 || !isoCurrency.MatchString(parts[1]) || !capText.MatchString(parts[0]) {
		return money.Amount{}, fmt.Errorf("%s is not an amount such as 25000 USD or USD 25,000.00", show(text))
	}
	a, err := money.Parse(strings.ReplaceAll(parts[0], ",", ""), parts[1])
	if err != nil {
		return money.Amount{}, err
	}
	if a.Sign() <= 0 {
		return money.Amount{}, fmt.Errorf("%s is not more than zero", show(text))
	}
	return a, nil
}

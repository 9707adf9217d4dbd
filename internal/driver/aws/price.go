package aws

import (
	"errors"
	"fmt"
	"strconv"

	"bursar/internal/money"
)

// charge is a recurring charge of an offering or a commitment.
type charge struct {
	amount    *float64
	frequency string
}

// amount turns a price of the SDK into money. AWS sends decimal text; the SDK
// parses it into a float64, and the shortest decimal that parses to the same
// float64 is the text AWS sent, as long as that had at most 15 digits. This is
// the only place of the package where money is a float.
func amount(f *float64, currency string) (money.Amount, error) {
	if f == nil {
		return money.Amount{}, errors.New("a price is missing")
	}
	a, err := money.Parse(strconv.FormatFloat(*f, 'f', -1, 64), currency)
	if err != nil {
		return money.Amount{}, fmt.Errorf("a price of AWS: %w", err)
	}
	if a.Sign() < 0 {
		return money.Amount{}, fmt.Errorf("a price of AWS: %s is negative", a)
	}
	return a, nil
}

// prices returns the upfront and the hourly price of one unit. Both the usage
// price and the recurring charges are billed for every hour of the term.
func prices(fixed, usage *float64, recurring []charge, currency string) (upfront, hourly money.Amount, err error) {
	if upfront, err = amount(fixed, currency); err != nil {
		return upfront, hourly, err
	}
	if hourly, err = amount(usage, currency); err != nil {
		return upfront, hourly, err
	}
	for _, c := range recurring {
		if c.frequency != "Hourly" {
			return upfront, hourly, fmt.Errorf("a recurring charge is %q: only Hourly is known", c.frequency)
		}
		more, err := amount(c.amount, currency)
		if err != nil {
			return upfront, hourly, err
		}
		if hourly, err = hourly.Add(more); err != nil {
			return upfront, hourly, err
		}
	}
	return upfront, hourly, nil
}

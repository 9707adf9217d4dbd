package aws

import (
	"fmt"

	"bursar/internal/driver"
	"bursar/internal/money"
)

// charge is a recurring charge of an offering or a commitment.
type charge struct {
	amount    *float64
	frequency string
}

// prices returns the upfront and the hourly price of one unit. Both the usage
// price and the recurring charges are billed for every hour of the term.
func prices(fixed, usage *float64, recurring []charge, currency string) (upfront, hourly money.Amount, err error) {
	if upfront, err = driver.Amount(fixed, currency); err != nil {
		return upfront, hourly, err
	}
	if hourly, err = driver.Amount(usage, currency); err != nil {
		return upfront, hourly, err
	}
	for _, c := range recurring {
		if c.frequency != "Hourly" {
			return upfront, hourly, fmt.Errorf("a recurring charge is %q: only Hourly is known", c.frequency)
		}
		more, err := driver.Amount(c.amount, currency)
		if err != nil {
			return upfront, hourly, err
		}
		if hourly, err = hourly.Add(more); err != nil {
			return upfront, hourly, err
		}
	}
	return upfront, hourly, nil
}

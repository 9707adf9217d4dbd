package driver

import (
	"errors"
	"fmt"
	"strconv"

	"bursar/internal/money"
)

// Amount turns a price of an SDK into money; it fails without one and below zero. The
// clouds send decimal text, which their SDKs parse into a float64, and the shortest
// decimal that parses to the same float64 is the text that was sent, as long as that
// had at most 15 digits. This is the only place of all drivers where money is a float.
func Amount(f *float64, currency string) (money.Amount, error) {
	if f == nil {
		return money.Amount{}, errors.New("a price is missing")
	}
	a, err := money.Parse(strconv.FormatFloat(*f, 'f', -1, 64), currency)
	if err != nil {
		return money.Amount{}, fmt.Errorf("a price of the cloud: %w", err)
	}
	if a.Sign() < 0 {
		return money.Amount{}, fmt.Errorf("a price of the cloud: %s is negative", a)
	}
	return a, nil
}

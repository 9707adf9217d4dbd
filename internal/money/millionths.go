package money

import (
	"fmt"
	"math/big"

	"github.com/govalues/decimal"
)

// millionths are the decimals of an amount that is counted in millionths of its
// currency.
const millionths = 6

// FromMillionths returns n millionths of a currency.
func FromMillionths(n int64, currency string) (Amount, error) {
	if err := checkCurrency(currency); err != nil {
		return Amount{}, err
	}
	d, err := decimal.New(n, millionths)
	if err != nil {
		return Amount{}, fmt.Errorf("%d millionths: %w", n, ErrOverflow)
	}
	return Amount{value: d, currency: currency}, nil
}

// Millionths returns the amount in millionths of its currency, rounded down.
func (a Amount) Millionths() (int64, error) {
	down, _ := a.ratio(1, 1)
	if !down.IsInt64() {
		return 0, fmt.Errorf("%s: %w", a, ErrOverflow)
	}
	return down.Int64(), nil
}

// RatioUp returns a × num / den rounded up to whole millionths; den is more than
// zero. The only rounding is the last step.
func (a Amount) RatioUp(num, den int64) (Amount, error) {
	n, exact := a.ratio(num, den)
	if !exact {
		n.Add(n, big.NewInt(1))
	}
	return a.millionths(n, num, den)
}

// RatioDown is RatioUp, rounded down.
func (a Amount) RatioDown(num, den int64) (Amount, error) {
	n, _ := a.ratio(num, den)
	return a.millionths(n, num, den)
}

// millionths is n of them, which a × num / den is.
func (a Amount) millionths(n *big.Int, num, den int64) (Amount, error) {
	if !n.IsInt64() {
		return Amount{}, fmt.Errorf("%s x %d / %d: %w", a, num, den, ErrOverflow)
	}
	d, err := decimal.New(n.Int64(), millionths)
	if err != nil {
		return Amount{}, fmt.Errorf("%s x %d / %d: %w", a, num, den, ErrOverflow)
	}
	return Amount{value: d, currency: a.currency}, nil
}

// ratio is a × num / den in millionths, rounded down, and whether nothing was
// lost.
func (a Amount) ratio(num, den int64) (down *big.Int, exact bool) {
	n := new(big.Int).SetUint64(a.value.Coef())
	if a.value.IsNeg() {
		n.Neg(n)
	}
	n.Mul(n, big.NewInt(num))
	n.Mul(n, power(millionths))
	d := new(big.Int).Mul(big.NewInt(den), power(a.value.Scale()))
	rest := new(big.Int)
	n.DivMod(n, d, rest) // Euclidean: down for a positive divisor, whatever the sign
	return n, rest.Sign() == 0
}

func power(exponent int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
}

package sizing

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"bursar/internal/money"
)

// Units counts usage in hundred-millionths: of an instance or node, of a normalized
// unit, or of an hourly on-demand cost in the currency of its pool.
type Units int64

// One is one whole unit. Six decimals of a quantity times a normalization factor,
// which is a whole number of quarters, are exact in it.
const One Units = 100_000_000

// maxHour is the most usage of a pool in an hour: so much that the sum over the
// longest history still fits 64 bits.
const maxHour = 1_000_000 * One

// quantityDecimals is how many decimals of a quantity count.
const quantityDecimals = 6

var errTooLarge = errors.New("is more than 1,000,000 units in an hour, the most that is counted")

// String is the plain number: "3", "1.25".
func (u Units) String() string {
	whole, part := u/One, u%One
	if part == 0 {
		return strconv.FormatInt(int64(whole), 10)
	}
	sign := ""
	if u < 0 {
		sign, whole, part = "-", -whole, -part
	}
	return sign + strconv.FormatInt(int64(whole), 10) + "." + strings.TrimRight(fmt.Sprintf("%08d", int64(part)), "0")
}

// MarshalJSON writes the plain number as text, so that no reader makes a float of it.
func (u Units) MarshalJSON() ([]byte, error) { return []byte(`"` + u.String() + `"`), nil }

// parseUnits reads a plain decimal. What stands beyond the sixth decimal and is not
// zero is an error, or cut off toward zero and reported.
func parseUnits(text string, cut bool) (u Units, wasCut bool, err error) {
	digits, negative := text, false
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		negative, digits = digits[0] == '-', digits[1:]
	}
	var n int64
	seen, point, decimals := false, false, 0
	for i := range len(digits) {
		c := digits[i]
		switch {
		case c == '.' && !point:
			point = true
			continue
		case c < '0' || c > '9':
			return 0, false, fmt.Errorf("%s is not a plain number such as 12.5", show(text))
		}
		seen = true
		if point {
			if decimals++; decimals > quantityDecimals {
				if c != '0' {
					if !cut {
						return 0, false, fmt.Errorf("%s has more than %d decimals", show(text), quantityDecimals)
					}
					wasCut = true
				}
				continue
			}
		}
		if n = n*10 + int64(c-'0'); n > 1_000_000_000_000 {
			return 0, false, fmt.Errorf("%s %w", show(text), errTooLarge)
		}
	}
	if !seen {
		return 0, false, fmt.Errorf("%s is not a plain number such as 12.5", show(text))
	}
	for range quantityDecimals - min(decimals, quantityDecimals) {
		n *= 10
	}
	if n > int64(maxHour)/100 {
		return 0, false, fmt.Errorf("%s %w", show(text), errTooLarge)
	}
	if negative {
		n = -n
	}
	return Units(n * 100), wasCut, nil
}

// times returns usage in units of a size: 2.5 instances of size 8 are 20.
func (u Units) times(size Units) (Units, error) {
	// Both hold eight decimals, of which six and two are used.
	// u is at most maxHour and size 896 twice, so that the product fits.
	n := u / 100 * (size / 1_000_000)
	if n > maxHour || n < -maxHour {
		return 0, errTooLarge
	}
	return n, nil
}

func (u Units) rat() *big.Rat { return big.NewRat(int64(u), int64(One)) }

func whole(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func times(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }

func plus(a, b *big.Rat) *big.Rat { return new(big.Rat).Add(a, b) }

func minus(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }

// over is a / b; zero where b is.
func over(a, b *big.Rat) *big.Rat {
	if b.Sign() == 0 {
		return new(big.Rat)
	}
	return new(big.Rat).Quo(a, b)
}

// floor rounds down, whatever the sign.
func floor(r *big.Rat) *big.Int {
	q, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	_ = m
	return q
}

// ratOf is an amount as a fraction.
func ratOf(a money.Amount) *big.Rat {
	r, ok := new(big.Rat).SetString(a.Decimal())
	if !ok {
		return new(big.Rat)
	}
	return r
}

// amountDown rounds to whole millionths, down: a gain is not overstated and a loss not
// understated.
func amountDown(r *big.Rat, currency string) (money.Amount, error) {
	n := floor(times(r, whole(1_000_000)))
	if !n.IsInt64() {
		return money.Amount{}, fmt.Errorf("%s: %w", r.FloatString(2), money.ErrOverflow)
	}
	return money.FromMillionths(n.Int64(), currency)
}

// amountUp is amountDown for costs.
func amountUp(r *big.Rat, currency string) (money.Amount, error) {
	n := floor(times(r, whole(-1_000_000)))
	if n.Neg(n); !n.IsInt64() {
		return money.Amount{}, fmt.Errorf("%s: %w", r.FloatString(2), money.ErrOverflow)
	}
	return money.FromMillionths(n.Int64(), currency)
}

// basisPoints rounds a share down to hundredths of a per cent, within 32 bits.
func basisPoints(r *big.Rat) int {
	n := floor(times(r, whole(10_000)))
	if !n.IsInt64() || n.Int64() > 1<<31-1 {
		return 1<<31 - 1
	}
	return int(max(n.Int64(), -1<<31))
}

// percent writes basis points as per cent: "62.1%".
func percent(bp int) string {
	sign := ""
	if bp < 0 {
		sign, bp = "-", -bp
	}
	text := strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%02d", bp/100, bp%100), "0"), ".")
	return sign + text + "%"
}

// show returns a value for a message, in quotes and cut to what fits a line.
func show(text string) string {
	const most = 40
	if cut := []rune(text); len(cut) > most {
		text = string(cut[:most]) + "..."
	}
	return strconv.Quote(text)
}

// count writes "1 hour", "12,000 hours".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return group(int64(n)) + " " + what
}

func group(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return group(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

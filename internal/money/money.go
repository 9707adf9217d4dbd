// Package money holds exact amounts of money: a decimal number with a
// currency. There is no float in it and none may come near it: an amount enters
// as text and leaves as text.
//
// Every operation is exact or an error. The decimal library behind it rounds
// silently beyond 19 significant digits; Add, Mul and Parse ask for exactness
// and return ErrOverflow instead, so that a sum that is shown is a sum that is
// true. Rounding happens only in Percent and Round, which say so.
package money

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/govalues/decimal"
)

// Errors of the package; match them with errors.Is.
var (
	// ErrCurrency is returned when two amounts of different currencies meet.
	ErrCurrency = errors.New("different currencies")
	// ErrOverflow is returned when a result does not fit 19 significant digits
	// exactly.
	ErrOverflow = errors.New("amount out of range")
)

// Amount is an exact decimal amount in one currency. It is a comparable value,
// but == also compares the number of decimals ("1.5" and "1.50" differ): use
// Cmp or Equal. The zero value is "no amount": it has no currency, is zero, and
// adding to it yields the other operand.
type Amount struct {
	value    decimal.Decimal
	currency string
}

// Parse reads a plain decimal ("1234.56", no exponent, no grouping) and an ISO
// 4217 code in capitals ("USD").
func Parse(value, currency string) (Amount, error) {
	if err := checkCurrency(currency); err != nil {
		return Amount{}, err
	}
	d, err := parsePlain(value)
	if err != nil {
		return Amount{}, err
	}
	return Amount{value: d, currency: currency}, nil
}

// MustParse is Parse for constants in code and tests; it panics on an error.
func MustParse(value, currency string) Amount {
	a, err := Parse(value, currency)
	if err != nil {
		panic(err)
	}
	return a
}

// Zero returns 0 in the given currency.
func Zero(currency string) Amount { return Amount{currency: currency} }

func parsePlain(value string) (decimal.Decimal, error) {
	digits := strings.TrimLeft(value, "+-")
	if len(value)-len(digits) > 1 || digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return decimal.Decimal{}, fmt.Errorf("%q is not a plain decimal amount such as 1234.56", clip(value))
	}
	// The library rounds what does not fit; asking for as many decimals as were
	// written makes it refuse instead.
	scale := 0
	if i := strings.IndexByte(digits, '.'); i >= 0 {
		scale = len(digits) - i - 1
	}
	if scale > decimal.MaxScale {
		return decimal.Decimal{}, fmt.Errorf("%q: %w: more than %d decimals", clip(value), ErrOverflow, decimal.MaxScale)
	}
	d, err := decimal.ParseExact(value, scale)
	if err != nil {
		return decimal.Decimal{}, fmt.Errorf("%q is not an amount of at most %d digits: %w", clip(value), decimal.MaxPrec, ErrOverflow)
	}
	return d, nil
}

func clip(s string) string {
	if len(s) > 32 {
		return s[:32] + "..."
	}
	return s
}

func checkCurrency(c string) error {
	if len(c) == 3 && c[0] >= 'A' && c[0] <= 'Z' && c[1] >= 'A' && c[1] <= 'Z' && c[2] >= 'A' && c[2] <= 'Z' {
		return nil
	}
	return fmt.Errorf("%q is not a currency code such as USD", clip(c))
}

// Currency returns the ISO 4217 code, or "" for the zero value.
func (a Amount) Currency() string { return a.currency }

// Decimal returns the number alone, plain, with the decimals it carries
// ("10.50").
func (a Amount) Decimal() string { return a.value.String() }

// IsZero reports whether the number is 0, in whatever currency.
func (a Amount) IsZero() bool { return a.value.IsZero() }

// Sign returns -1, 0 or +1.
func (a Amount) Sign() int { return a.value.Sign() }

// Add returns a+b. The currencies must be equal, unless one is the zero value.
func (a Amount) Add(b Amount) (Amount, error) {
	currency, err := common(a, b)
	if err != nil {
		return Amount{}, err
	}
	sum, err := a.value.AddExact(b.value, max(a.value.Scale(), b.value.Scale()))
	if err != nil {
		return Amount{}, fmt.Errorf("%s + %s: %w", a.Decimal(), b.Decimal(), ErrOverflow)
	}
	return Amount{value: sum, currency: currency}, nil
}

// Sub returns a-b, with the rules of Add.
func (a Amount) Sub(b Amount) (Amount, error) {
	return a.Add(Amount{value: b.value.Neg(), currency: b.currency})
}

// Mul returns a times n.
func (a Amount) Mul(n int64) (Amount, error) {
	d, err := decimal.New(n, 0)
	if err != nil {
		return Amount{}, fmt.Errorf("%d: %w", n, ErrOverflow)
	}
	product, err := a.value.MulExact(d, a.value.Scale())
	if err != nil {
		return Amount{}, fmt.Errorf("%s x %d: %w", a.Decimal(), n, ErrOverflow)
	}
	return Amount{value: product, currency: a.currency}, nil
}

// Div returns a divided by n, rounded half to even to the given number of
// decimals.
func (a Amount) Div(n int64, decimals int) (Amount, error) {
	d, err := decimal.New(n, 0)
	if err != nil {
		return Amount{}, fmt.Errorf("%d: %w", n, ErrOverflow)
	}
	q, err := a.value.Quo(d)
	if err != nil {
		return Amount{}, fmt.Errorf("%s / %d: %w", a.Decimal(), n, err)
	}
	return Amount{value: q.Round(decimals).Pad(decimals), currency: a.currency}, nil
}

// Percent returns p per cent of a, rounded half to even to the decimals of a
// plus two: 2 percent of "10.00" is "0.2000".
func (a Amount) Percent(p int64) (Amount, error) {
	product, err := a.Mul(p)
	if err != nil {
		return Amount{}, err
	}
	return product.Div(100, min(a.value.Scale()+2, decimal.MaxScale))
}

// Round returns a rounded half to even to the given number of decimals, padded
// to exactly that many.
func (a Amount) Round(decimals int) Amount {
	return Amount{value: a.value.Round(decimals).Pad(decimals), currency: a.currency}
}

// Cmp returns -1, 0 or +1 as a is less than, equal to or greater than b.
func (a Amount) Cmp(b Amount) (int, error) {
	if _, err := common(a, b); err != nil {
		return 0, err
	}
	return a.value.Cmp(b.value), nil
}

// Equal reports whether both are the same number in the same currency.
func (a Amount) Equal(b Amount) bool {
	return a.currency == b.currency && a.value.Cmp(b.value) == 0
}

func common(a, b Amount) (string, error) {
	switch {
	case a.currency == b.currency, b.currency == "":
		return a.currency, nil
	case a.currency == "":
		return b.currency, nil
	}
	return "", fmt.Errorf("%s and %s: %w", a.currency, b.currency, ErrCurrency)
}

// Sum adds amounts of one currency. The sum of none is the zero value.
func Sum(amounts ...Amount) (Amount, error) {
	var total Amount
	for _, a := range amounts {
		var err error
		if total, err = total.Add(a); err != nil {
			return Amount{}, err
		}
	}
	return total, nil
}

// Decimals returns how many decimals the amount needs to be written exactly, at
// least two.
func (a Amount) Decimals() int { return max(2, a.value.Trim(0).Scale()) }

// String is the form for people: grouped, at least two decimals, all further
// significant ones, currency first: "USD 12,345.60", "USD 0.0825".
func (a Amount) String() string {
	if a.currency == "" {
		return a.Grouped(0)
	}
	return a.currency + " " + a.Grouped(0)
}

// Grouped is the number of String without the currency, with at least the given
// number of decimals, so that a column of amounts lines up: "12,345.600".
func (a Amount) Grouped(decimals int) string {
	text := a.value.Trim(2).Pad(max(2, decimals)).String()
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, frac, _ := strings.Cut(text, ".")
	var b strings.Builder
	b.WriteString(sign)
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	b.WriteByte('.')
	b.WriteString(frac)
	// The decimal library does not pad beyond 19 digits.
	for i := len(frac); i < max(2, decimals); i++ {
		b.WriteByte('0')
	}
	return b.String()
}

// wire is the JSON form: decimals stay text, so no reader turns them into a
// float.
type wire struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// MarshalJSON writes {"amount":"12.50","currency":"USD"}; trailing zeros beyond
// two decimals are dropped, so that equal amounts are equal text.
func (a Amount) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{Amount: a.Canonical(), Currency: a.currency})
}

// Canonical returns the number with at least two decimals and no zero after
// them: the one text of this number, fit for storing and hashing.
func (a Amount) Canonical() string { return a.value.Trim(2).Pad(2).String() }

// UnmarshalJSON reads what MarshalJSON writes. A number without quotes is
// refused, and so is a missing currency unless the amount is the zero value.
func (a *Amount) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	var w wire
	if err := dec.Decode(&w); err != nil {
		return fmt.Errorf(`amount: want {"amount":"12.50","currency":"USD"}: %w`, err)
	}
	if w.Currency == "" && strings.Trim(w.Amount, "0.") == "" {
		*a = Amount{}
		return nil
	}
	parsed, err := Parse(w.Amount, w.Currency)
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

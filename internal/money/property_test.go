package money

import (
	"encoding/json"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// plain draws a decimal of at most 19 digits as text.
func plain() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		text := rapid.StringMatching(`-?[0-9]{1,10}`).Draw(t, "whole")
		if rapid.Bool().Draw(t, "has decimals") {
			text += "." + rapid.StringMatching(`[0-9]{1,9}`).Draw(t, "decimals")
		}
		return text
	})
}

func rat(t *rapid.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is not a number", text)
	}
	return r
}

func TestPropertyTheCanonicalTextIsTheAmount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := plain().Draw(t, "text")
		a := usd(text)
		if rat(t, a.Canonical()).Cmp(rat(t, text)) != 0 {
			t.Fatalf("%s has the canonical text %s", text, a.Canonical())
		}
		back, err := Parse(a.Canonical(), "USD")
		if err != nil || !back.Equal(a) || back.Canonical() != a.Canonical() {
			t.Fatalf("Parse(%s) = %s, %v", a.Canonical(), back, err)
		}
		if padded, err := Parse(a.Decimal(), "USD"); err != nil || padded.Canonical() != a.Canonical() {
			t.Fatalf("%s and %s are one number and two texts", padded.Canonical(), a.Canonical())
		}
		raw, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var read Amount
		if err := json.Unmarshal(raw, &read); err != nil || !read.Equal(a) {
			t.Fatalf("%s reads as %s, %v", raw, read, err)
		}
	})
}

func TestPropertySumsAndProductsAreThoseOfExactArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := plain().Draw(t, "x"), plain().Draw(t, "y")
		n := rapid.Int64Range(-1_000_000, 1_000_000).Draw(t, "n")
		agree := func(what string, got Amount, err error, want *big.Rat) {
			// An error is an answer; a wrong amount is not.
			if err == nil && rat(t, got.Decimal()).Cmp(want) != 0 {
				t.Fatalf("%s = %s, want %s", what, got.Decimal(), want.FloatString(20))
			}
		}
		sum, err := usd(x).Add(usd(y))
		agree(x+" + "+y, sum, err, new(big.Rat).Add(rat(t, x), rat(t, y)))
		diff, err := usd(x).Sub(usd(y))
		agree(x+" - "+y, diff, err, new(big.Rat).Sub(rat(t, x), rat(t, y)))
		product, err := usd(x).Mul(n)
		agree(x+" times", product, err, new(big.Rat).Mul(rat(t, x), big.NewRat(n, 1)))
		if cmp, err := usd(x).Cmp(usd(y)); err != nil || cmp != rat(t, x).Cmp(rat(t, y)) {
			t.Fatalf("Cmp(%s, %s) = %d, %v", x, y, cmp, err)
		}
	})
}

func TestPropertyDivisionAndPercentRoundHalfToEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cents := rapid.Int64Range(-1_000_000_000, 1_000_000_000).Draw(t, "cents")
		text := big.NewRat(cents, 100).FloatString(2)
		n := rapid.Int64Range(1, 10_000).Draw(t, "n")
		decimals := rapid.IntRange(0, 6).Draw(t, "decimals")

		got, err := usd(text).Div(n, decimals)
		if err != nil {
			t.Fatal(err)
		}
		if want := halfEven(big.NewRat(cents, 100*n), decimals); rat(t, got.Decimal()).Cmp(want) != 0 {
			t.Fatalf("%s / %d to %d decimals = %s, want %s", text, n, decimals, got.Decimal(), want.FloatString(decimals))
		}
		p := rapid.Int64Range(-200, 200).Draw(t, "p")
		percent, err := usd(text).Percent(p)
		if err != nil {
			t.Fatal(err)
		}
		want := new(big.Rat).Mul(big.NewRat(cents, 100), big.NewRat(p, 100))
		if rat(t, percent.Decimal()).Cmp(want) != 0 {
			t.Fatalf("%d%% of %s = %s, want %s", p, text, percent.Decimal(), want.FloatString(6))
		}
	})
}

// halfEven rounds r with integers alone.
func halfEven(r *big.Rat, decimals int) *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	num := new(big.Int).Mul(r.Num(), scale)
	q, rest := new(big.Int).QuoRem(num, r.Denom(), new(big.Int))
	twice := new(big.Int).Abs(rest)
	twice.Lsh(twice, 1)
	if cmp := twice.Cmp(r.Denom()); cmp > 0 || cmp == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(int64(r.Sign())))
	}
	return new(big.Rat).SetFrac(q, scale)
}

package recommend

import (
	"errors"
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

func TestCaps(t *testing.T) {
	usd := func(s string) money.Amount { return money.MustParse(s, "USD") }
	price := cloud.Price{Upfront: usd("100"), Hourly: usd("1.25"), Total: usd("11050")}
	for _, c := range []struct {
		name string
		caps Caps
		want string
	}{
		{"none", Caps{}, ""},
		{"exact", Caps{usd("11050"), usd("912.50")}, ""},
		{"total", Caps{MaxTotal: usd("11049.99")}, "the total over the term, USD 11,050.00, is above the cap of USD 11,049.99"},
		{"monthly", Caps{MaxMonthly: usd("912.49")}, "the recurring cost per month, USD 912.50, is above the cap of USD 912.49"},
		{"both", Caps{usd("1"), usd("1")}, "the total over the term, USD 11,050.00, is above the cap of USD 1.00\nthe recurring cost per month, USD 912.50, is above the cap of USD 1.00"},
		{"nothing allowed", Caps{MaxTotal: money.Zero("USD")}, "the total over the term, USD 11,050.00, is above the cap of USD 0.00"},
		{"currency", Caps{MaxTotal: money.MustParse("99999", "EUR")}, "the total over the term, USD 11,050.00, cannot be held against the cap of EUR 99,999.00: USD and EUR: different currencies: above the cap"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.caps.Check(price)
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || err.Error() != c.want || !errors.Is(err, ErrCap) {
				t.Errorf("error:\n got %v\nwant %s", err, c.want)
			}
		})
	}
	if err := (Caps{MaxTotal: usd("1")}).Check(cloud.Price{}); err != nil {
		t.Errorf("a price of nothing is refused: %v", err)
	}
}

// TestPropertyCapsOfAPlan: a plan is refused if, and only if, the exact sum of its lines
// is above a cap, however small the difference and whatever their quantities.
func TestPropertyCapsOfAPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := func(name string, most int64) money.Amount {
			a, err := money.FromMillionths(rapid.Int64Range(0, most).Draw(t, name), "USD")
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		var sum cloud.Price
		total, monthly := new(big.Rat), new(big.Rat)
		for i := range rapid.IntRange(1, 6).Draw(t, "lines") {
			o := cloud.Offering{Term: rapid.SampledFrom([]cloud.Term{cloud.OneYear, cloud.ThreeYears}).Draw(t, "term"), Upfront: amount("upfront", 1_000_000_000), Hourly: amount("hourly", 10_000_000)}
			n := rapid.Int64Range(1, 500).Draw(t, "quantity")
			p, err := o.Price(n)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				sum = p
			} else if sum, err = sum.Add(p); err != nil {
				t.Fatal(err)
			}
			exact := func(a money.Amount) *big.Rat {
				r, _ := new(big.Rat).SetString(a.Decimal())
				return r.Mul(r, big.NewRat(n, 1))
			}
			hourly := exact(o.Hourly)
			monthly.Add(monthly, new(big.Rat).Mul(hourly, big.NewRat(hoursPerMonth, 1)))
			total.Add(total, exact(o.Upfront)).Add(total, new(big.Rat).Mul(hourly, big.NewRat(o.Term.Hours(), 1)))
		}
		above := func(sum *big.Rat, most money.Amount) bool {
			r, _ := new(big.Rat).SetString(most.Decimal())
			return sum.Cmp(r) > 0
		}
		// Caps at the sum, a millionth beside it, and anywhere.
		near := func(sum *big.Rat, name string) money.Amount {
			n := new(big.Int).Div(new(big.Int).Mul(sum.Num(), big.NewInt(1_000_000)), sum.Denom()).Int64()
			a, err := money.FromMillionths(max(0, n+rapid.SampledFrom([]int64{-1, 0, 1, -1_000_000, 1_000_000}).Draw(t, name)), "USD")
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		caps := Caps{MaxTotal: near(total, "total"), MaxMonthly: near(monthly, "monthly")}
		if err := caps.Check(sum); (err != nil) != (above(total, caps.MaxTotal) || above(monthly, caps.MaxMonthly)) {
			t.Fatalf("%s and %s a month against %+v: %v", total.FloatString(6), monthly.FloatString(6), caps, err)
		}
	})
}

// TestPropertyPricesScale: every amount of a price is that of one, as often as the
// quantity says, exactly; and no rounding of one is in it.
func TestPropertyPricesScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) money.Amount {
			return money.MustParse(fmt.Sprintf("%d.%06d", rapid.IntRange(0, 9).Draw(t, name), rapid.Int64Range(0, 999_999).Draw(t, name+" decimals")), "USD")
		}
		o := cloud.Offering{Term: rapid.SampledFrom([]cloud.Term{cloud.OneYear, cloud.ThreeYears}).Draw(t, "term"), Upfront: text("upfront"), Hourly: text("hourly")}
		n, k := rapid.Int64Range(1, 1000).Draw(t, "quantity"), rapid.Int64Range(1, 1000).Draw(t, "scale")
		exact := func(a money.Amount, times int64) *big.Rat {
			r, _ := new(big.Rat).SetString(a.Decimal())
			return r.Mul(r, big.NewRat(times, 1))
		}
		for _, quantity := range []int64{n, n * k} {
			p, err := o.Price(quantity)
			if err != nil {
				t.Fatal(err)
			}
			total := exact(o.Upfront, quantity)
			total.Add(total, exact(o.Hourly, quantity*o.Term.Hours()))
			for name, pair := range map[string][2]*big.Rat{
				"upfront": {exact(p.Upfront, 1), exact(o.Upfront, quantity)}, "hourly": {exact(p.Hourly, 1), exact(o.Hourly, quantity)}, "total": {exact(p.Total, 1), total},
			} {
				if pair[0].Cmp(pair[1]) != 0 {
					t.Fatalf("%s of %d: %s, want %s", name, quantity, pair[0].FloatString(12), pair[1].FloatString(12))
				}
			}
		}
	})
}

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]string{
		"25000 USD": "USD 25,000.00", "USD 25000": "USD 25,000.00", "USD 25,000.00": "USD 25,000.00", " 1,250,000.5  EUR ": "EUR 1,250,000.50", "0.01 USD": "USD 0.01",
	} {
		a, err := ParseAmount("--max-total", text)
		if err != nil || a.String() != want {
			t.Errorf("%q: got %v, %v, want %s", text, a, err, want)
		}
	}
	for text, want := range map[string]string{
		"25000":                    "--max-total: 25000 has no currency: write for example 25000 USD",
		"25,00 USD":                `--max-total: "25,00 USD" is not an amount such as 25000 USD or USD 25,000.00`,
		"2500,000 USD":             `--max-total: "2500,000 USD" is not an amount such as 25000 USD or USD 25,000.00`,
		"25.000,00 EUR":            `--max-total: "25.000,00 EUR" is not an amount such as 25000 USD or USD 25,000.00`,
		"25000 usd":                `--max-total: "25000 usd" is not an amount such as 25000 USD or USD 25,000.00`,
		"$25000":                   `--max-total: "$25000" is not an amount such as 25000 USD or USD 25,000.00`,
		"25000USD":                 `--max-total: "25000USD" is not an amount such as 25000 USD or USD 25,000.00`,
		"-1 USD":                   `--max-total: "-1 USD" is not an amount such as 25000 USD or USD 25,000.00`,
		"1e9 USD":                  `--max-total: "1e9 USD" is not an amount such as 25000 USD or USD 25,000.00`,
		"0.00 USD":                 `--max-total: "0.00 USD" is not more than zero`,
		"":                         `--max-total: "" is not an amount such as 25000 USD or USD 25,000.00`,
		"99999999999999999999 USD": `--max-total: "99999999999999999999" is not an amount of at most 19 digits: amount out of range`,
	} {
		if _, err := ParseAmount("--max-total", text); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

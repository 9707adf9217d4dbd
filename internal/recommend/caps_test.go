package recommend

import (
	"errors"
	"testing"

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

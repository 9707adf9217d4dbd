package money

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func usd(text string) Amount { return MustParse(text, "USD") }

func TestParseReadsPlainDecimalsExactly(t *testing.T) {
	for _, c := range []struct{ text, decimal, canonical, shown string }{
		{"0", "0", "0.00", "USD 0.00"},
		{"0.00000", "0.00000", "0.00", "USD 0.00"},
		{"+7", "7", "7.00", "USD 7.00"},
		{"-7.5", "-7.5", "-7.50", "USD -7.50"},
		{".5", "0.5", "0.50", "USD 0.50"},
		{"1.", "1", "1.00", "USD 1.00"},
		{"007.10", "7.10", "7.10", "USD 7.10"},
		{"1234.5600", "1234.5600", "1234.56", "USD 1,234.56"},
		{"0.0825", "0.0825", "0.0825", "USD 0.0825"},
		{"999.999", "999.999", "999.999", "USD 999.999"},
		{"1000", "1000", "1000.00", "USD 1,000.00"},
		{"-1234567.8", "-1234567.8", "-1234567.80", "USD -1,234,567.80"},
		{"12345678901234567.89", "12345678901234567.89", "12345678901234567.89", "USD 12,345,678,901,234,567.89"},
		{"0.0000000000000000001", "0.0000000000000000001", "0.0000000000000000001", "USD 0.0000000000000000001"},
		{"1234567890123456789", "1234567890123456789", "1234567890123456789", "USD 1,234,567,890,123,456,789.00"},
		{"123456789012345678.9", "123456789012345678.9", "123456789012345678.9", "USD 123,456,789,012,345,678.90"},
	} {
		a, err := Parse(c.text, "USD")
		if err != nil {
			t.Errorf("Parse(%q): %v", c.text, err)
			continue
		}
		if got := a.Decimal(); got != c.decimal {
			t.Errorf("Parse(%q).Decimal() = %q, want %q", c.text, got, c.decimal)
		}
		if got := a.Canonical(); got != c.canonical {
			t.Errorf("Parse(%q).Canonical() = %q, want %q", c.text, got, c.canonical)
		}
		if got := a.String(); got != c.shown {
			t.Errorf("Parse(%q).String() = %q, want %q", c.text, got, c.shown)
		}
	}
}

func TestParseRefusesWhatIsNotAPlainDecimal(t *testing.T) {
	for _, text := range []string{
		"", "-", "+", ".", "-.", "--1", "+-1", "-+1", "1-", "1-2", "1e3", "1E3", "1e-3", "1,000", "1 000", " 1", "1 ", "1_000",
		"NaN", "Inf", "-Infinity", "0x10", "1.2.3", "..", "1..2", "$5", "5USD", "\u0661", "1\x00", "1\n", "\u22121",
	} {
		if a, err := Parse(text, "USD"); err == nil {
			t.Errorf("Parse(%q) = %s, want an error", text, a)
		}
	}
}

func TestParseRefusesWhatDoesNotFitInsteadOfRounding(t *testing.T) {
	for _, text := range []string{
		"12345678901234567890",                 // 20 digits
		"99999999999999999999",                 //
		"1234567890.1234567891",                // 20 digits with a point
		"0.00000000000000000001",               // 20 decimals
		"0." + strings.Repeat("1", 30),         // 30 decimals
		"1." + strings.Repeat("0", 30),         // 30 decimals, all of them zero
		"1" + strings.Repeat("0", 400),         // longer than the library reads
		strings.Repeat("9", 19) + ".1",         //
		"-" + strings.Repeat("9", 19) + ".001", //
	} {
		if a, err := Parse(text, "USD"); !errors.Is(err, ErrOverflow) {
			t.Errorf("Parse(%q) = %s, %v, want ErrOverflow", text, a, err)
		}
	}
}

func TestParseRefusesCurrenciesThatAreNotCodes(t *testing.T) {
	for _, c := range []string{"", "usd", "US", "USDX", "U$D", "Usd", "US ", "€"} {
		if a, err := Parse("1", c); err == nil {
			t.Errorf("Parse(1, %q) = %s, want an error", c, a)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("MustParse of nonsense did not panic")
		}
	}()
	MustParse("one", "USD")
}

func TestAmountsOfDifferentCurrenciesNeverMeet(t *testing.T) {
	eur := MustParse("1", "EUR")
	if _, err := usd("1").Add(eur); !errors.Is(err, ErrCurrency) {
		t.Errorf("Add: %v, want ErrCurrency", err)
	}
	if _, err := usd("1").Sub(eur); !errors.Is(err, ErrCurrency) {
		t.Errorf("Sub: %v, want ErrCurrency", err)
	}
	if _, err := usd("1").Cmp(eur); !errors.Is(err, ErrCurrency) {
		t.Errorf("Cmp: %v, want ErrCurrency", err)
	}
	if _, err := Sum(usd("1"), Zero("EUR")); !errors.Is(err, ErrCurrency) {
		t.Errorf("Sum: %v, want ErrCurrency", err)
	}
	if usd("1").Equal(eur) {
		t.Error("USD 1 equals EUR 1")
	}
}

func TestTheZeroValueTakesTheCurrencyOfTheOther(t *testing.T) {
	for name, sum := range map[string]func() (Amount, error){
		"zero + a": func() (Amount, error) { return Amount{}.Add(usd("1.50")) },
		"a + zero": func() (Amount, error) { return usd("1.50").Add(Amount{}) },
		"sum":      func() (Amount, error) { return Sum(usd("1.00"), Amount{}, usd("0.50")) },
	} {
		got, err := sum()
		if err != nil || !got.Equal(usd("1.50")) {
			t.Errorf("%s = %s, %v, want USD 1.50", name, got, err)
		}
	}
	none, err := Sum()
	if err != nil || none != (Amount{}) || !none.IsZero() || none.Currency() != "" {
		t.Errorf("Sum() = %#v, %v, want the zero value", none, err)
	}
	if got := (Amount{}).String(); got != "0.00" {
		t.Errorf("the zero value is shown as %q", got)
	}
}

func TestArithmeticIsExactOrAnError(t *testing.T) {
	for _, c := range []struct {
		name string
		got  func() (Amount, error)
		want string // "" means ErrOverflow
	}{
		{"tenths", func() (Amount, error) { return usd("0.1").Add(usd("0.2")) }, "0.3"},
		{"scales differ", func() (Amount, error) { return usd("100").Add(usd("0.00001")) }, "100.00001"},
		{"below zero", func() (Amount, error) { return usd("1").Sub(usd("1.01")) }, "-0.01"},
		{"a year of hours", func() (Amount, error) { return usd("0.0823").Mul(8760) }, "720.9480"},
		{"negative times", func() (Amount, error) { return usd("2.5").Mul(-4) }, "-10.0"},
		{"sum loses digits", func() (Amount, error) { return usd("9999999999999999999").Add(usd("0.1")) }, ""},
		{"sum too large", func() (Amount, error) { return usd("9999999999999999999").Add(usd("1")) }, ""},
		{"difference too large", func() (Amount, error) { return usd("-9999999999999999999").Sub(usd("1")) }, ""},
		{"product too large", func() (Amount, error) { return usd("9999999999999999999").Mul(2) }, ""},
		{"product loses digits", func() (Amount, error) { return usd("1.234567890123456789").Mul(11) }, ""},
		{"percent too large", func() (Amount, error) { return usd("9999999999999999999").Percent(3) }, ""},
	} {
		got, err := c.got()
		switch {
		case c.want == "" && !errors.Is(err, ErrOverflow):
			t.Errorf("%s: %s, %v, want ErrOverflow", c.name, got, err)
		case c.want != "" && (err != nil || !got.Equal(usd(c.want))):
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.want)
		}
	}
}

func TestDivisionRoundsHalfToEven(t *testing.T) {
	for _, c := range []struct {
		amount   string
		n        int64
		decimals int
		want     string
	}{
		{"1", 3, 4, "0.3333"}, {"2", 3, 4, "0.6667"},
		{"0.5", 1, 0, "0"}, {"1.5", 1, 0, "2"}, {"2.5", 1, 0, "2"}, {"-0.5", 1, 0, "0"}, {"-1.5", 1, 0, "-2"},
		{"0.25", 2, 2, "0.12"}, {"0.27", 2, 2, "0.14"}, {"10", 4, 5, "2.50000"}, {"10", -4, 1, "-2.5"},
	} {
		got, err := usd(c.amount).Div(c.n, c.decimals)
		if err != nil || got.Decimal() != c.want {
			t.Errorf("%s / %d to %d decimals = %s, %v, want %s", c.amount, c.n, c.decimals, got.Decimal(), err, c.want)
		}
	}
	if _, err := usd("1").Div(0, 2); err == nil {
		t.Error("a division by zero has a result")
	}
}

func TestPercentAndRound(t *testing.T) {
	for _, c := range []struct {
		amount string
		p      int64
		want   string
	}{{"10.00", 2, "0.2000"}, {"0.01", 1, "0.0001"}, {"99.99", 100, "99.9900"}, {"5", -10, "-0.50"}} {
		if got, err := usd(c.amount).Percent(c.p); err != nil || got.Decimal() != c.want {
			t.Errorf("%d%% of %s = %s, %v, want %s", c.p, c.amount, got.Decimal(), err, c.want)
		}
	}
	for _, c := range []struct {
		amount   string
		decimals int
		want     string
	}{{"1.005", 2, "1.00"}, {"1.015", 2, "1.02"}, {"1.0151", 2, "1.02"}, {"7", 3, "7.000"}, {"-2.5", 0, "-2"}} {
		if got := usd(c.amount).Round(c.decimals); got.Decimal() != c.want {
			t.Errorf("%s to %d decimals = %s, want %s", c.amount, c.decimals, got.Decimal(), c.want)
		}
	}
}

func TestComparisonIgnoresTrailingZeros(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"1.5", "1.50", 0}, {"1.49", "1.5", -1}, {"-1", "-2", 1}, {"0", "-0.00", 0}} {
		if got, err := usd(c.a).Cmp(usd(c.b)); err != nil || got != c.want {
			t.Errorf("Cmp(%s, %s) = %d, %v, want %d", c.a, c.b, got, err, c.want)
		}
		if got := usd(c.a).Equal(usd(c.b)); got != (c.want == 0) {
			t.Errorf("Equal(%s, %s) = %v", c.a, c.b, got)
		}
	}
	if usd("-0.00").Sign() != 0 || usd("-3").Sign() != -1 || usd("3").Sign() != 1 {
		t.Error("Sign is wrong")
	}
}

func TestColumnsLineUp(t *testing.T) {
	for _, c := range []struct {
		amount   string
		decimals int
		grouped  string
		needs    int
	}{
		{"12345.6", 0, "12,345.60", 2}, {"12345.6", 3, "12,345.600", 2}, {"0.0825", 2, "0.0825", 4},
		{"0.0825000", 0, "0.0825", 4}, {"-100", 4, "-100.0000", 2}, {"-1000", 0, "-1,000.00", 2},
		{"1234567890123456789", 4, "1,234,567,890,123,456,789.0000", 2},
	} {
		if got := usd(c.amount).Grouped(c.decimals); got != c.grouped {
			t.Errorf("Grouped(%s, %d) = %q, want %q", c.amount, c.decimals, got, c.grouped)
		}
		if got := usd(c.amount).Decimals(); got != c.needs {
			t.Errorf("Decimals(%s) = %d, want %d", c.amount, got, c.needs)
		}
	}
}

func TestJSONKeepsDecimalsAsText(t *testing.T) {
	for _, c := range []struct {
		amount Amount
		want   string
	}{
		{usd("12.5"), `{"amount":"12.50","currency":"USD"}`},
		{usd("12.5000"), `{"amount":"12.50","currency":"USD"}`},
		{MustParse("-0.0825", "EUR"), `{"amount":"-0.0825","currency":"EUR"}`},
		{Amount{}, `{"amount":"0.00","currency":""}`},
	} {
		raw, err := json.Marshal(c.amount)
		if err != nil || string(raw) != c.want {
			t.Errorf("Marshal(%s) = %s, %v, want %s", c.amount, raw, err, c.want)
		}
		var back Amount
		if err := json.Unmarshal(raw, &back); err != nil || !back.Equal(c.amount) {
			t.Errorf("Unmarshal(%s) = %s, %v", raw, back, err)
		}
	}
}

func TestJSONRefusesNumbersAndStrangers(t *testing.T) {
	for _, text := range []string{
		`12.5`, `"12.5"`, `[]`, `{"amount":12.5,"currency":"USD"}`, `{"amount":"12.5"}`, `{"amount":"1e3","currency":"USD"}`,
		`{"amount":"1,000","currency":"USD"}`, `{"amount":"","currency":"USD"}`, `{"amount":"5","currency":"usd"}`,
		`{"amount":"5","currency":"USD","rate":"1"}`, `{"amount":"123456789012345678901","currency":"USD"}`,
	} {
		kept := usd("3")
		if err := json.Unmarshal([]byte(text), &kept); err == nil {
			t.Errorf("Unmarshal(%s) = %s, want an error", text, kept)
		} else if kept != usd("3") {
			t.Errorf("Unmarshal(%s) failed and changed the amount to %s", text, kept)
		}
	}
}

package money

import (
	"errors"
	"math"
	"testing"
)

func TestMillionths(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
	}{
		{"0", 0}, {"1", 1_000_000}, {"0.000001", 1}, {"0.0000019", 1}, {"0.0000001", 0}, {"10000.50", 10_000_500_000},
		{"-0.0000001", -1}, {"9223372036854.775807", math.MaxInt64},
	} {
		if got, err := MustParse(c.text, "USD").Millionths(); err != nil || got != c.want {
			t.Errorf("%s: %d, %v, want %d", c.text, got, err, c.want)
		}
		back, err := FromMillionths(c.want, "USD")
		if n, again := back.Millionths(); err != nil || again != nil || n != c.want {
			t.Errorf("%d millionths are %s, %v", c.want, back, err)
		}
	}
	if _, err := MustParse("9223372036854.775808", "USD").Millionths(); !errors.Is(err, ErrOverflow) {
		t.Errorf("beyond 64 bits: %v", err)
	}
	if _, err := FromMillionths(1, "dollar"); err == nil {
		t.Error("a currency that is none was taken")
	}
}

func TestRatioUpRoundsUpOnce(t *testing.T) {
	for _, c := range []struct {
		text     string
		num, den int64
		want     string
	}{
		{"100", 1, 1, "100"}, {"100", 10_050, 10_000, "100.5"}, {"1", 1, 3, "0.333334"}, {"0.0000001", 1, 1, "0.000001"},
		{"0", 10_050, 10_000, "0"}, {"876", 10_000, 10_000 * 8760, "0.1"}, {"-1", 1, 3, "-0.333333"},
		// More digits on the way than an amount holds.
		{"42966.92400000000000", 10_001, 10_000, "42971.220693"},
	} {
		got, err := MustParse(c.text, "USD").RatioUp(c.num, c.den)
		if err != nil || !got.Equal(MustParse(c.want, "USD")) {
			t.Errorf("%s x %d / %d: %s, %v, want %s", c.text, c.num, c.den, got, err, c.want)
		}
	}
	if _, err := MustParse("9000000000000", "USD").RatioUp(2, 1); !errors.Is(err, ErrOverflow) {
		t.Errorf("beyond 64 bits: %v", err)
	}
	for _, c := range []struct{ text, want string }{{"1", "0.333333"}, {"3", "1"}, {"-1", "-0.333334"}} {
		if got, err := MustParse(c.text, "USD").RatioDown(1, 3); err != nil || !got.Equal(MustParse(c.want, "USD")) {
			t.Errorf("a third of %s, rounded down: %s, %v, want %s", c.text, got, err, c.want)
		}
	}
}

package recommend

import (
	"regexp"
	"strconv"
	"strings"

	"bursar/internal/money"
)

// Claim is what advice says of the quantity that it advises. Its zero value says
// nothing.
type Claim struct {
	Source string // who advises: "Cost Explorer"; "" where nobody does
	Window int    // days of usage that the advice rests on; 0 where it does not say
	// Savings is expected a month of 730 hours for a quantity of Of; without a currency
	// where nobody says. It is kept as it was said: what a smaller quantity saves is
	// computed from it, never from a rounded part of it.
	Savings money.Amount
	Of      int64
	// Usage: the quantity is all that was used, with what commitments cover. Advice of
	// clouds is of what they do not cover.
	Usage bool
	// Why are the numbers that the quantity was chosen by, a sentence each.
	Why []string
	// Version is the engine's, where the source says it: "5.7".
	Version string
}

// Saves is what a quantity saves a month, in proportion to what was said, rounded
// down to a millionth; false where nothing was said.
func (c Claim) Saves(quantity int64) (money.Amount, bool, error) {
	if c.Savings.Currency() == "" || c.Of < 1 {
		return money.Amount{}, false, nil
	}
	saved, err := c.Savings.RatioDown(quantity, c.Of)
	return saved, err == nil, err
}

// savings fills in what a file says that a quantity saves in so many seconds; a month has
// 2,628,000. What cannot be read says nothing: it is for reading in the note as well.
func (c *Claim) savings(text, currency string, seconds, of int64) {
	if i := strings.IndexByte(text, '.'); i >= 0 && len(text) > i+7 {
		text = text[:i+7]
	}
	a, err := money.Parse(text, currency)
	if err != nil || currency == "" || seconds < 1 {
		return
	}
	if a, err = a.RatioDown(secondsPerMonth, seconds); err == nil {
		c.Savings, c.Of = a, of
	}
}

const (
	secondsPerMonth = hoursPerMonth * 3600
	secondsPerYear  = 12 * secondsPerMonth
)

var firstDigits = regexp.MustCompile(`[0-9]+`)

// days reads the number in a look-back: "30 days", "Last30Days", "30".
func days(text string) int {
	n, _ := strconv.Atoi(firstDigits.FindString(text)) // 0 for none
	return n
}

// Least is the smallest quantity of the draft that can be bought, and what is to be
// said of less.
func (d Draft) Least() (int64, string) { return d.least() }

// Down is the largest quantity of at most n that can be bought; 0 if there is none.
func (d Draft) Down(n int64) int64 {
	if d.Unit == "" {
		return max(0, min(n, MaxQuantity))
	}
	n = min(n, mostCommitment)
	if d.cents() {
		n -= n % wholeCents
	}
	if d.Service == savingsPlansService.name && d.Provider == savingsPlansService.provider && d.Payment == savingsPlansHalf {
		n -= n % wholeHalves
	}
	if n < leastCommitment {
		return 0
	}
	return n
}

// Amount writes a quantity of the draft: "3", or "1.5 per hour" where it is an amount.
func (d Draft) Amount(n int64) string {
	if d.Unit != "" {
		return d.amount(n) + " per hour"
	}
	return d.amount(n)
}

// Share is Amount with hundredths of one besides, "2.4": what a part of a quantity is
// before it is rounded.
func (d Draft) Share(n, hundredths int64) string {
	if d.Unit != "" {
		return d.share(n, hundredths) + " per hour"
	}
	return d.share(n, hundredths)
}

// What names the draft in a list: "3 x engine=mysql ... in us-east-1 for 111122223333".
func (d Draft) What() string { return d.what() }

// Part returns coverage per cent of a quantity, from 1 to 100, rounded down, and the
// hundredths of one that are lost.
func Part(quantity int64, coverage int) (kept, hundredths int64) {
	// Whole hundreds apart from the rest: no product can overflow.
	part := quantity % 100 * int64(coverage)
	return quantity/100*int64(coverage) + part/100, part % 100
}

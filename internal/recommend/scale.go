package recommend

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rounded is a line that lost a part of a unit when it was scaled. Kept plus
// Away is Exact. Where a quantity counts no things, all are amounts per hour.
type Rounded struct {
	At    Position
	Was   string // "3"
	Exact string // what was asked for: "2.4"
	Kept  string // "2"; "0" when the line is gone
	Away  string // "0.4"
}

// Scale returns the input with every quantity at coverage per cent of what it
// was, 1 to 100, rounded down: never more than was asked for is bought. A line
// of which nothing is left moves to Left. Whatever was rounded away is listed,
// in the order of the lines. The receiver is not changed.
func (in Input) Scale(coverage int) (Input, []Rounded, error) {
	if coverage < 1 || coverage > 100 {
		return Input{}, nil, fmt.Errorf("a coverage of %d per cent is not from 1 to 100", coverage)
	}
	out := in
	out.Drafts = make([]Draft, 0, len(in.Drafts))
	out.Left = slices.Clone(in.Left)
	var rounded []Rounded
	for _, d := range in.Drafts {
		kept, away := Part(d.Quantity, coverage)
		if d.cents() {
			away += kept % wholeCents * 100
			kept -= kept % wholeCents
		}
		if away > 0 {
			rounded = append(rounded, Rounded{At: d.At, Was: d.amount(d.Quantity), Exact: d.share(kept, away), Kept: d.amount(kept), Away: d.share(0, away)})
		}
		if least, words := d.least(); kept < least {
			out.Left = append(out.Left, d.Leave(fmt.Sprintf("%d per cent of %s is %s, %s", coverage, d.amount(d.Quantity), d.share(kept, away), words)))
			continue
		}
		d.Quantity = kept
		out.Drafts = append(out.Drafts, d)
	}
	return out, rounded, nil
}

// least is the smallest quantity that can be bought, and what is to be said of less.
func (d Draft) least() (int64, string) {
	if d.cents() {
		return wholeCents, "less than " + d.amount(wholeCents) + " per hour"
	}
	if d.Unit != "" {
		return leastCommitment, "less than " + d.amount(leastCommitment) + " per hour"
	}
	return 1, "less than one"
}

// wholeCents is a commitment to spending that Google takes: its amounts have two decimals.
const wholeCents = 1_000

func (d Draft) cents() bool {
	return d.Unit != "" && d.Provider == spendService.provider && d.Service == spendService.name
}

// amount writes a quantity without zeros at the end: "3", or "1.5" where it counts
// hundred-thousandths of an amount.
func (d Draft) amount(n int64) string { return d.share(n, 0) }

// share is amount with hundredths of one besides: "2.4".
func (d Draft) share(n, hundredths int64) string {
	decimals := 2
	if d.Unit != "" {
		decimals += planDecimals
	}
	text := strconv.FormatInt(n, 10) + fmt.Sprintf("%02d", hundredths)
	text = strings.Repeat("0", max(0, decimals+1-len(text))) + text
	at := len(text) - decimals
	return strings.TrimSuffix(strings.TrimRight(text[:at]+"."+text[at:], "0"), ".")
}

// Leave tells why a draft is not planned.
func (d Draft) Leave(why string) Left { return Left{At: d.At, What: d.what(), Why: why} }

// what names a draft in a list.
func (d Draft) what() string {
	if d.Unit != "" {
		return fmt.Sprintf("%s per hour, %s, for %s", d.amount(d.Quantity), d.Attributes, d.Account)
	}
	return fmt.Sprintf("%d x %s in %s for %s", d.Quantity, d.Attributes, d.Region, d.Account)
}

package recommend

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rounded is a line that lost a part of a unit when it was scaled. Kept plus
// Away is Exact.
type Rounded struct {
	At       Position
	Quantity int64  // before
	Exact    string // the quantity that was asked for: "2.4"
	Kept     int64  // 2; 0 when the line is gone
	Away     string // "0.4"
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
		// Whole hundreds apart from the rest: no product can overflow.
		part := d.Quantity % 100 * int64(coverage)
		kept, away := d.Quantity/100*int64(coverage)+part/100, part%100
		if away > 0 {
			rounded = append(rounded, Rounded{At: d.At, Quantity: d.Quantity, Exact: hundredths(kept, away), Kept: kept, Away: hundredths(0, away)})
		}
		if kept == 0 {
			out.Left = append(out.Left, Left{At: d.At, What: d.what(), Why: fmt.Sprintf("%d per cent of %d is %s, less than one", coverage, d.Quantity, hundredths(0, away))})
			continue
		}
		d.Quantity = kept
		out.Drafts = append(out.Drafts, d)
	}
	return out, rounded, nil
}

// hundredths writes n and h hundredths without zeros at the end: "2.4".
func hundredths(n, h int64) string {
	return strings.TrimRight(strconv.FormatInt(n, 10)+fmt.Sprintf(".%02d", h), "0")
}

// what names a draft in a list.
func (d Draft) what() string {
	return fmt.Sprintf("%d x %s in %s for %s", d.Quantity, d.Attributes, d.Region, d.Account)
}

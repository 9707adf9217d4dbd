package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bursar/internal/api"
	"bursar/internal/app"
	"bursar/internal/money"
)

// compare holds the ledger against the truth of the clouds, line by line, and
// ends in a verdict: an error unless they agree.
func (sh *shell) compare(ctx context.Context, r *app.Rehearsal, a *app.App, p api.Plan) error {
	owned, err := r.Truth()
	if err != nil {
		return err
	}
	p, err = a.Plan(ctx, p.ID)
	if err != nil {
		return err
	}
	books, err := tally(p, owned)
	if err != nil {
		return err
	}
	books.grid.print(sh.out)

	findings, err := a.Check(ctx)
	if err != nil {
		return err
	}
	broken := 0
	for _, f := range findings {
		if !f.OK {
			broken++
			fmt.Fprintf(sh.out, "BROKEN %s: %s\n", f.Name, strings.Join(f.Problems, "; "))
		}
	}
	inv, err := a.Inventory(ctx)
	if err != nil {
		return err
	}
	all, _, _ := r.Sent("")
	fmt.Fprintf(sh.out, "\n%d spending requests reached the clouds, which sold %d commitments; %d of %d lines bought; %d invariants hold, %d broken; inventory balanced: %t\n",
		all, len(owned), books.bought, len(p.Lines), len(findings)-broken, broken, inv.Balanced)
	verdict, agree := books.verdict()
	switch {
	case !agree:
		return errors.New(verdict)
	case broken > 0 || !inv.Balanced:
		return errors.New("VERDICT: ledger and clouds DO NOT agree: an invariant is broken or the inventory is not balanced, see above")
	}
	fmt.Fprintln(sh.out, verdict)
	return nil
}

// books is a plan held against what the clouds sold.
type books struct {
	grid          *grid
	lines, bought int
	double        int // lines that the clouds sold more than once
	lost          int // lines where ledger and clouds differ otherwise
	nobody        int // commitments that belong to no line
	ledger, truth money.Amount
}

// verdict is one line for people, and whether ledger and clouds agree.
func (b books) verdict() (string, bool) {
	if b.bought != b.lines || b.double+b.lost+b.nobody > 0 || !b.truth.Equal(b.ledger) {
		return fmt.Sprintf("VERDICT: ledger and clouds DO NOT agree: %d of %d bought, %d bought twice, %d lost, %d nobody's; ledger %s, clouds %s",
			b.bought, b.lines, b.double, b.lost, b.nobody, b.ledger, b.truth), false
	}
	return fmt.Sprintf("VERDICT: ledger and clouds agree: %d of %d lines bought exactly once, 0 twice, 0 lost, %s bound on both sides (simulated)",
		b.bought, b.lines, b.truth), true
}

// tally finds for each line of a plan what the clouds sold under its names.
func tally(p api.Plan, owned []app.Owned) (books, error) {
	currency := p.Total.Total.Currency()
	b := books{
		grid: &grid{head: []string{
			">#", "account", "region", "what", "ledger says", ">tries", "proven by", "cloud sold", ">" + currency, "agree",
		}},
		lines: len(p.Lines), ledger: p.Bound.Total, truth: money.Zero(currency),
	}
	left := slices.Clone(owned)
	for _, o := range owned {
		var err error
		if b.truth, err = b.truth.Add(o.Total); err != nil {
			return books{}, err
		}
	}
	total := column(p.Lines, func(l api.Line) money.Amount { return l.Price.Total })
	for _, l := range p.Lines {
		// Every name that a line ever gave to a cloud carries its id. Where a cloud takes
		// no name, the receipt says which commitment is the line's: a second one is left
		// over and nobody's.
		name := "-" + strings.ToLower(l.ID) + "-"
		var copies []app.Owned
		left = slices.DeleteFunc(left, func(o app.Owned) bool {
			ours := slices.ContainsFunc(o.Names, func(n string) bool { return strings.Contains(n, name) }) ||
				l.Receipt != nil && strings.EqualFold(l.Receipt.Commitment, o.ID)
			if ours {
				copies = append(copies, o)
			}
			return ours
		})
		agree, how, sold := "yes", "", strconv.Itoa(len(copies))+" times"
		if len(copies) == 1 {
			sold = "once, " + copies[0].State
		}
		recorded := l.Receipt != nil && l.State == "purchased"
		if recorded {
			how = l.Receipt.How
			b.bought++
		}
		switch {
		case len(copies) > 1:
			agree = "BOUGHT TWICE"
			b.double++
		case len(copies) == 1 && !recorded:
			agree = "LOST"
			b.lost++
		case recorded && (len(copies) == 0 || !same(l, copies[0])):
			agree = "NO"
			b.lost++
		}
		b.grid.add(strconv.Itoa(l.Number), l.Account, l.Region, l.Wanted(),
			l.State, strconv.Itoa(l.Attempts), how, sold, total(l), agree)
	}
	b.nobody = len(left)
	return b, nil
}

func same(l api.Line, o app.Owned) bool {
	return o.Account == l.Account && o.Region == l.Region && o.Offering == l.Offering && o.Quantity == l.Quantity && o.Total.Equal(l.Price.Total)
}

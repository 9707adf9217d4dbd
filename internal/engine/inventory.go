package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// Match says how a commitment in a cloud relates to the ledger.
type Match string

// The matches.
const (
	Matched     Match = "matched"     // a receipt names it
	Imported    Match = "imported"    // it was there before us
	Foreign     Match = "foreign"     // a person declared that somebody else bought it
	Regained    Match = "regained"    // bought by us, for a line that the ledger has lost
	Unexplained Match = "unexplained" // nothing in the ledger accounts for it
	Missing     Match = "missing"     // a receipt names it, and the cloud does not list it
	Differs     Match = "differs"     // the cloud shows other goods than the receipt
	Awaited     Match = "awaited"     // bought so recently that a listing may still miss it, or of a line in doubt
)

// Item is one commitment, listed by a cloud or by a receipt.
type Item struct {
	Match      Match
	Commitment cloud.Commitment
	Line       purchase.LineID // of the receipt, or of the name it carries
	Problem    string          // what differs, or what is known of it; "" for most

	listed    bool
	receipt   bool // a receipt names it
	heuristic bool // a person's guess is at stake
}

// Equation is the double entry of one lane: what is listed there is what we
// bought, what was there before us, and what somebody declared foreign. Nothing
// may remain on either side.
type Equation struct {
	Lane   cloud.Lane
	Listed int // by the cloud
	// Ours are bought by us: by receipt, or under the name of a line in doubt.
	Ours        int
	Imported    int
	Foreign     int
	Unexplained int
	Missing     int // counted in Ours and not listed
	Differs     int // counted in Ours, with other goods
}

// Holds reports whether both sides are equal, item by item.
func (q Equation) Holds() bool { return q.Unexplained+q.Missing+q.Differs == 0 }

// Inventory compares what the clouds list with the ledger.
type Inventory struct {
	Items     []Item     // by lane, then start
	Equations []Equation // of the lanes that were listed
	// Failed are the lanes that could not be listed. Nothing is concluded about
	// them.
	Failed map[cloud.Lane]error
	Lanes  int
}

// Balanced reports whether every lane was listed and its equation holds.
func (inv *Inventory) Balanced() bool {
	return len(inv.Failed) == 0 && !slices.ContainsFunc(inv.Equations, func(q Equation) bool { return !q.Holds() })
}

// Inventory lists every lane that is watched or has a receipt, and matches what
// is there with the ledger.
func (e *Engine) Inventory(ctx context.Context) (*Inventory, error) {
	lanes, err := e.lanes(ctx)
	if err != nil {
		return nil, err
	}
	listed, failed := e.list(ctx, lanes)
	inv := &Inventory{Failed: failed, Lanes: len(lanes)}
	for _, listing := range listed {
		m, err := e.match(ctx, listing)
		if err != nil {
			return nil, err
		}
		inv.Items = append(inv.Items, m.items...)
		inv.Equations = append(inv.Equations, m.equation())
	}
	slices.SortFunc(inv.Equations, func(a, b Equation) int { return strings.Compare(a.Lane.String(), b.Lane.String()) })
	slices.SortStableFunc(inv.Items, func(a, b Item) int {
		if c := strings.Compare(a.Commitment.Lane.String(), b.Commitment.Lane.String()); c != 0 {
			return c
		}
		if c := a.Commitment.Start.Compare(b.Commitment.Start); c != 0 {
			return c
		}
		return strings.Compare(a.Commitment.ID, b.Commitment.ID)
	})
	return inv, nil
}

// lanes are those that this installation watches and those it bought in.
func (e *Engine) lanes(ctx context.Context) (map[cloud.Lane]bool, error) {
	lanes := map[cloud.Lane]bool{}
	for _, l := range e.Clouds.Lanes() {
		lanes[l] = true
	}
	receipts, err := e.DB.Receipts(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range receipts {
		lanes[r.Commitment.Lane] = true
	}
	return lanes, nil
}

// comparison is a complete listing of a lane held against the ledger.
type comparison struct {
	listing store.LaneListing
	books   *store.Books
	items   []Item
	// ended are the receipts whose commitment came to an end after which a cloud
	// need not list it any more, and does not.
	ended []purchase.Receipt
}

// match holds a complete listing of a lane against the ledger. The ledger is read
// after the cloud: what is bought in between is then in the ledger only, and
// such receipts are too young to be missed.
func (e *Engine) match(ctx context.Context, listing store.LaneListing) (*comparison, error) {
	svc, err := e.Clouds.Service(listing.Lane)
	if err != nil {
		return nil, err
	}
	settle := svc.Info().Settle
	m := &comparison{listing: listing}
	if m.books, err = e.DB.Books(ctx, listing.Lane); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, c := range listing.Items {
		seen[store.Fold(c.ID)] = true
		m.items = append(m.items, explain(m.books, c))
	}
	for _, id := range slices.Sorted(maps.Keys(m.books.Receipts)) {
		if seen[id] {
			continue
		}
		r := m.books.Receipts[id]
		if over, err := e.over(ctx, r, listing.At); err != nil {
			return nil, err
		} else if over {
			m.ended = append(m.ended, r)
			continue
		}
		item := Item{Match: Missing, Commitment: r.Commitment, Line: r.Line, receipt: true, heuristic: r.Heuristic}
		item.Problem = "bought " + r.At.Format("2006-01-02 15:04 MST") + ", and a complete listing does not show it"
		if visible := r.At.Add(settle); listing.At.Before(visible) {
			item.Match, item.Problem = Awaited, "listed by "+visible.Format("15:04:05 MST")
		}
		m.items = append(m.items, item)
	}
	return m, nil
}

// over reports whether a commitment has come to its end by the given time.
func (e *Engine) over(ctx context.Context, r purchase.Receipt, at time.Time) (bool, error) {
	if !at.Before(ends(r.Commitment)) {
		return true, nil
	}
	facts, err := e.DB.AuditFacts(ctx, r.Line)
	if err != nil || len(facts) == 0 {
		return false, err
	}
	switch facts[len(facts)-1].Kind {
	case store.FactRetired, store.FactReturned, store.FactPaymentFailed:
		return true, nil
	}
	return false, nil
}

// ends is when a commitment's term is over.
func ends(c cloud.Commitment) time.Time {
	return c.Start.Add(time.Duration(c.Term.Hours()) * time.Hour)
}

// explain says what a listed commitment is to the ledger.
func explain(books *store.Books, c cloud.Commitment) Item {
	item := Item{Match: Unexplained, Commitment: c, listed: true}
	if r, ok := books.Receipts[store.Fold(c.ID)]; ok {
		item.Match, item.Line, item.receipt, item.heuristic = Matched, r.Line, true, r.Heuristic
		if item.Problem = difference(r.Commitment, c); item.Problem != "" {
			item.Match = Differs
		}
		return item
	}
	switch {
	case books.Imported[store.Fold(c.ID)]:
		item.Match = Imported
		return item
	case books.Foreign[store.Fold(c.ID)]:
		item.Match = Foreign
		return item
	case books.Regained[store.Fold(c.ID)]:
		item.Match, item.Problem = Regained, "bought for a line that the ledger has lost"
		return item
	}
	if line, ok := books.Made(c); ok {
		item.Match, item.Line, item.Problem = Awaited, line, "of a line in doubt"
		return item
	}
	if line, ok := books.May(c); ok {
		item.Match, item.Line, item.Problem = Awaited, line, "may be of a line in doubt"
		return item
	}
	line, named := books.Named(c)
	state, known := books.Lines[line]
	if named {
		item.Line = line
	}
	switch {
	case !named && strings.HasPrefix(store.Fold(c.ID), "bu-"):
		item.Problem = "carries the name of another installation"
	case !named:
		item.Problem = "appeared after the lane was imported, and nothing here bought it"
	case !known:
		item.Problem = "carries the name of a line that this ledger does not have here"
	case state == purchase.NeedsReview || state == purchase.Recovery:
		item.Match, item.Problem = Awaited, "of a line that waits for a person"
	case !c.State.Binding():
		// The line was closed for it: it was ordered and never paid, or given back.
		item.Match, item.Problem = Matched, "its line is "+string(state)+": it binds nothing"
	case books.NotBought[line]:
		item.heuristic = true
		item.Problem = "a person decided that its line bought nothing"
	default:
		item.Problem = fmt.Sprintf("carries the name of a line that is %s", state)
	}
	return item
}

// equation sums up the items of the lane.
func (m *comparison) equation() Equation {
	q := Equation{Lane: m.listing.Lane, Listed: len(m.listing.Items)}
	for _, i := range m.items {
		switch i.Match {
		case Matched, Regained:
			q.Ours++
		case Differs:
			q.Ours++
			q.Differs++
		case Missing:
			q.Ours++
			q.Missing++
		case Awaited:
			if i.listed {
				q.Ours++
			}
		case Imported:
			q.Imported++
		case Foreign:
			q.Foreign++
		case Unexplained:
			q.Unexplained++
		}
	}
	return q
}

// difference says how a listed commitment differs from its receipt in what can
// never change.
func difference(receipt, listed cloud.Commitment) string {
	switch {
	case receipt.OfferingID != listed.OfferingID:
		return fmt.Sprintf("offering %s, the receipt says %s", listed.OfferingID, receipt.OfferingID)
	case receipt.Quantity != listed.Quantity:
		return fmt.Sprintf("quantity %s, the receipt says %s", listed.Measure(), receipt.Measure())
	case receipt.Term != listed.Term || receipt.Payment != listed.Payment:
		return fmt.Sprintf("%s %s, the receipt says %s %s", listed.Term, listed.Payment, receipt.Term, receipt.Payment)
	case !maps.Equal(receipt.Attributes, listed.Attributes):
		return fmt.Sprintf("%s, the receipt says %s", listed.Attributes, receipt.Attributes)
	case !receipt.Upfront.Equal(listed.Upfront) || !receipt.Hourly.Equal(listed.Hourly):
		return fmt.Sprintf("%s and %s per hour, the receipt says %s and %s", listed.Upfront, listed.Hourly, receipt.Upfront, receipt.Hourly)
	case listed.State == cloud.Failed:
		return "its payment failed"
	}
	return ""
}

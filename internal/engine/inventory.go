package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/purchase"
)

// Match says how a commitment in a cloud relates to the ledger.
type Match string

// The matches.
const (
	Matched     Match = "matched"     // a receipt names it
	Foreign     Match = "foreign"     // somebody else bought it
	Unexplained Match = "unexplained" // it carries our name, and no receipt names it
	Missing     Match = "missing"     // a receipt names it, and the cloud does not list it
	Differs     Match = "differs"     // the cloud shows other goods than the receipt
	Awaited     Match = "awaited"     // bought so recently that a listing may still miss it
)

// Item is one commitment, listed by a cloud or by a receipt.
type Item struct {
	Match      Match
	Commitment cloud.Commitment
	Line       purchase.LineID // of the receipt, or of the name it carries
	Problem    string          // what differs; "" for most
}

// Inventory compares what the clouds list with the ledger.
type Inventory struct {
	Items []Item // by lane, then start
	// Failed are the lanes that could not be listed. Nothing is concluded about
	// them.
	Failed map[cloud.Lane]error
	Lanes  int
}

// Balanced reports whether every lane was listed and everything that carries our
// name is explained by a receipt, and the other way round as far as a listing
// must show it by now.
func (inv *Inventory) Balanced() bool {
	return len(inv.Failed) == 0 && !slices.ContainsFunc(inv.Items, func(i Item) bool {
		return i.Match != Matched && i.Match != Foreign && i.Match != Awaited
	})
}

// Inventory lists every lane that is watched or has a receipt, and matches what
// is there with the receipts.
func (e *Engine) Inventory(ctx context.Context) (*Inventory, error) {
	// The clouds are read before the ledger: what is bought in between is then
	// in the ledger only, and such receipts are younger than the listing.
	in, err := e.DB.Installation(ctx)
	if err != nil {
		return nil, err
	}
	before, err := e.DB.Receipts(ctx)
	if err != nil {
		return nil, err
	}
	lanes := map[cloud.Lane]bool{}
	for _, l := range e.Clouds.Lanes() {
		lanes[l] = true
	}
	for _, r := range before {
		lanes[r.Commitment.Lane] = true
	}
	listed, failed := e.list(ctx, lanes)
	after, err := e.DB.Receipts(ctx)
	if err != nil {
		return nil, err
	}

	declared := map[string]bool{} // foreign, by a person's word
	for lane := range lanes {
		ids, err := e.DB.ForeignItems(ctx, lane)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			declared[key(cloud.Commitment{Lane: lane, ID: id})] = true
		}
	}

	inv := &Inventory{Failed: failed, Lanes: len(lanes)}
	receipts := map[string]purchase.Receipt{}
	for _, r := range after {
		receipts[key(r.Commitment)] = r
	}
	seen := map[string]bool{}
	for _, c := range listed {
		item := Item{Match: Foreign, Commitment: c}
		r, ours := receipts[key(c)]
		switch {
		case ours:
			seen[key(c)] = true
			item.Match, item.Line = Matched, r.Line
			if item.Problem = difference(r.Commitment, c); item.Problem != "" {
				item.Match = Differs
			}
		case declared[key(c)]:
		default:
			if line, named := lineOf(in.Install, c.ID); named {
				item.Match, item.Line = Unexplained, line
			}
		}
		inv.Items = append(inv.Items, item)
	}
	for _, r := range before {
		if failed[r.Commitment.Lane] == nil && !seen[key(r.Commitment)] {
			item := Item{Match: Missing, Commitment: r.Commitment, Line: r.Line}
			if svc, err := e.Clouds.Service(r.Commitment.Lane); err == nil {
				if visible := r.At.Add(svc.Info().Settle); e.Now().Before(visible) {
					item.Match, item.Problem = Awaited, "listed by "+visible.Format("15:04:05 MST")
				}
			}
			inv.Items = append(inv.Items, item)
		}
	}
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

// key is by what a commitment is one: ids are compared without case.
func key(c cloud.Commitment) string { return c.Lane.String() + "/" + strings.ToLower(c.ID) }

// lineOf reads the line out of a name that this installation gave.
func lineOf(install, id string) (purchase.LineID, bool) {
	rest, ours := strings.CutPrefix(strings.ToLower(id), "bu-"+install+"-")
	line, _, ok := strings.Cut(rest, "-")
	return purchase.LineID(strings.ToUpper(line)), ours && ok
}

// difference says how a listed commitment differs from its receipt in what can
// never change.
func difference(receipt, listed cloud.Commitment) string {
	switch {
	case receipt.OfferingID != listed.OfferingID:
		return fmt.Sprintf("offering %s, the receipt says %s", listed.OfferingID, receipt.OfferingID)
	case receipt.Quantity != listed.Quantity:
		return fmt.Sprintf("quantity %d, the receipt says %d", listed.Quantity, receipt.Quantity)
	case receipt.Term != listed.Term || receipt.Payment != listed.Payment:
		return fmt.Sprintf("%s %s, the receipt says %s %s", listed.Term, listed.Payment, receipt.Term, receipt.Payment)
	case !maps.Equal(receipt.Attributes, listed.Attributes):
		return fmt.Sprintf("%s, the receipt says %s", listed.Attributes, receipt.Attributes)
	case listed.State == cloud.Failed:
		return "its payment failed"
	}
	return ""
}

// list reads the inventory of all lanes.
func (e *Engine) list(ctx context.Context, lanes map[cloud.Lane]bool) ([]cloud.Commitment, map[cloud.Lane]error) {
	var (
		mu     sync.Mutex
		all    []cloud.Commitment
		failed = map[cloud.Lane]error{}
		wg     sync.WaitGroup
		slots  = make(chan struct{}, e.workers())
	)
	for lane := range lanes {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found, err := e.listLane(ctx, lane)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[lane] = err
				return
			}
			all = append(all, found...)
		})
	}
	wg.Wait()
	return all, failed
}

func (e *Engine) listLane(ctx context.Context, lane cloud.Lane) ([]cloud.Commitment, error) {
	svc, err := e.Clouds.Service(lane)
	if err != nil {
		return nil, err
	}
	found, err := svc.Find(ctx, driver.Request{Account: lane.Account})
	if err != nil {
		return nil, err
	}
	var list []cloud.Commitment
	for _, f := range found {
		if f.Commitment != nil {
			list = append(list, *f.Commitment)
		}
	}
	return list, nil
}

package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/money"
)

func (s *site) inventoryPages() {
	s.get("/inventory", auth.Read, s.showInventory)
	s.post("/inventory", s.listInventory)
}

// stale is after what time the clouds are listed anew when somebody looks.
const stale = time.Hour

// stock is a page of the inventory.
type stock struct {
	api.Inventory
	at     time.Time
	items  []api.Item // that the filter selects
	counts []tally
	sorted sorting
	total  column
}

// tally is how many items the ledger accounts for in one way.
type tally struct {
	match string
	n     int
}

// matches are the ways, with the most urgent first.
var matches = []string{"unexplained", "missing", "differs", "awaited", "matched", "imported", "foreign"}

func (s *site) showInventory(w http.ResponseWriter, r *http.Request, v view) error {
	if _, at := s.inventory.last(v.who); at.IsZero() || v.now.Sub(at) > stale {
		if err := s.ask(r.Context(), v); err != nil {
			return err
		}
	}
	var k stock
	k.Inventory, k.at = s.inventory.last(v.who)
	for _, m := range matches {
		if n := k.Counts[m]; n > 0 {
			k.counts = append(k.counts, tally{m, n})
		}
	}
	match, text := v.query("match"), strings.ToLower(v.query("q"))
	k.items = slices.DeleteFunc(slices.Clone(k.Items), func(i api.Item) bool {
		return match != "" && i.Match != match ||
			text != "" && !strings.Contains(strings.ToLower(strings.Join([]string{i.Commitment, api.Goods(i.Service, i.Attributes), i.Account, i.Region, i.State}, " ")), text)
	})
	slices.SortStableFunc(k.items, func(a, b api.Item) int { return slices.Index(matches, a.Match) - slices.Index(matches, b.Match) })
	k.sorted = order(v, k.items, map[string]func(a, b api.Item) int{
		"match": func(a, b api.Item) int { return byText(a.Match, b.Match) },
		"what": func(a, b api.Item) int {
			return byText(api.Goods(a.Service, a.Attributes), api.Goods(b.Service, b.Attributes))
		},
		"account": func(a, b api.Item) int { return byText(a.Account+a.Region, b.Account+b.Region) },
		"total":   func(a, b api.Item) int { return byMoney(itemTotal(a), itemTotal(b)) },
		"end":     func(a, b api.Item) int { return byTime(itemEnd(a), itemEnd(b)) },
	})
	k.total = over(k.items, itemTotal)
	v.wide = true
	return s.show(w, r, http.StatusOK, inventoryPage(v.titled("inventory", "Inventory"), k))
}

func itemTotal(i api.Item) money.Amount {
	if i.Price == nil {
		return money.Amount{}
	}
	return i.Price.Total
}

func itemEnd(i api.Item) time.Time { return i.Start.AddDate(0, i.TermMonths, 0) }

// ask lists the clouds anew.
func (s *site) ask(ctx context.Context, v view) error {
	return s.inventory.ask(ctx, v, s.Service.Inventory)
}

func (s *site) listInventory(w http.ResponseWriter, r *http.Request, v view) error {
	if err := s.ask(r.Context(), v); err != nil {
		return err
	}
	return done(w, r, "/inventory")
}

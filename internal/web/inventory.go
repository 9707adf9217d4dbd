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
	s.post("/inventory", auth.ReadAny, s.listInventory)
	s.post("/inventory/utilization", auth.UtilizationAsk, s.askUtilization)
}

// stale is after what time the clouds are listed anew when somebody looks.
const stale = time.Hour

// useful is for how long the answers about use are shown: they were paid for, are of 30
// days, and change by the day.
const useful = 24 * time.Hour

// listing is what the clouds have listed: an inventory with the most urgent items first.
type listing struct {
	api.Inventory
	ends  []ending        // of what is listed and had not ended then, the next first
	lines map[string]bool // that bought what an item is
}

// stock is a page of the inventory.
type stock struct {
	api.Inventory
	at     time.Time
	items  []api.Item // of those that the filter selects, the ones of this page
	part   window
	counts []tally
	sorted sorting
	total  column
	asked  time.Time // when the clouds were asked about use; zero if that is long ago
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
	list, at := s.inventory.last(v.who)
	k.Inventory, k.at = list.Inventory, at
	for _, m := range matches {
		if n := k.Counts[m]; n > 0 {
			k.counts = append(k.counts, tally{m, n})
		}
	}
	match, text := v.query("match"), strings.ToLower(v.query("q"))
	k.items = k.Items // which are everybody's, and changed in a copy only
	if match != "" || text != "" || v.query("sort") != "" {
		k.items = slices.DeleteFunc(slices.Clone(k.Items), func(i api.Item) bool {
			return match != "" && i.Match != match ||
				text != "" && !strings.Contains(strings.ToLower(strings.Join([]string{i.Commitment, api.Goods(i.Service, i.Attributes), i.Account, i.Region, i.State}, " ")), text)
		})
	}
	k.sorted = order(v, k.items, map[string]func(a, b api.Item) int{
		"match": func(a, b api.Item) int { return byText(a.Match, b.Match) },
		"what": func(a, b api.Item) int {
			return byText(api.Goods(a.Service, a.Attributes), api.Goods(b.Service, b.Attributes))
		},
		"account": func(a, b api.Item) int { return byText(a.Account+a.Region, b.Account+b.Region) },
		"total":   func(a, b api.Item) int { return byMoney(itemTotal(a), itemTotal(b)) },
		"end":     func(a, b api.Item) int { return byTime(itemEnd(a), itemEnd(b)) },
	})
	k.part = windowOf(v, len(k.items))
	k.items = k.items[k.part.from:k.part.to]
	if use, at := s.measured.last(v.who); !at.IsZero() && v.now.Sub(at) <= useful {
		k.asked, k.Coverage, k.Untold = at, use.Coverage, use.Untold
		k.items = withUse(k.items, use.Items)
	}
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
	return s.inventory.ask(ctx, v, func(ctx context.Context) (l listing, err error) {
		if l.Inventory, err = s.Service.Inventory(ctx); err != nil {
			return l, err
		}
		slices.SortStableFunc(l.Items, func(a, b api.Item) int { return slices.Index(matches, a.Match) - slices.Index(matches, b.Match) })
		l.ends, l.lines = listedEnds(v.now, l.Items)
		return l, nil
	})
}

// withUse are items with what the clouds said when they were asked about use.
func withUse(items, use []api.Item) []api.Item {
	key := func(i api.Item) [4]string { return [4]string{i.Account, i.Region, i.Service, i.Commitment} }
	wanted := map[[4]string]int{}
	items = slices.Clone(items)
	for n, i := range items {
		if i.UtilizationBP == nil {
			wanted[key(i)] = n
		}
	}
	for _, u := range use {
		if n, ok := wanted[key(u)]; ok {
			items[n].UtilizationBP, items[n].UtilizationDays = u.UtilizationBP, u.UtilizationDays
		}
	}
	return items
}

// used says how much of a commitment was used: a number only where the cloud told it.
func (k stock) used(i api.Item) string {
	if i.UtilizationBP == nil && k.asked.IsZero() && i.Provider == "aws" {
		return "not asked"
	}
	return api.Used(i.UtilizationBP)
}

func (s *site) askUtilization(w http.ResponseWriter, r *http.Request, v view) error {
	if err := s.measured.ask(r.Context(), v, s.Service.Utilization); err != nil {
		return err
	}
	return done(w, r, "/inventory")
}

func (s *site) listInventory(w http.ResponseWriter, r *http.Request, v view) error {
	if err := s.ask(r.Context(), v); err != nil {
		return err
	}
	return done(w, r, "/inventory")
}

package web

import (
	"net/http"
	"slices"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/money"
)

func (s *site) expiryPages() {
	s.get("/expiry", auth.Read, s.expiry)
}

// ending is a commitment with the end of its term.
type ending struct {
	what, commitment string
	account, region  string
	line             string // that bought it; "" for none
	terms, source    string
	end              time.Time
	rate             money.Amount // per hour of the term, all payments together
	total            money.Amount
}

// notListed selects the lines that the last listing of the clouds cannot show: a day
// before it, or all before the first.
func (s *site) notListed(v view, until time.Time) api.EndingFilter {
	f := api.EndingFilter{Until: until}
	if _, at := s.inventory.last(v.who); !at.IsZero() {
		f.Since = at.Add(-24 * time.Hour)
	}
	return f
}

// endings lists the commitments that have not ended, the next first: those of the last
// listing of the clouds and, of what it cannot show, those that lines have bought.
func (s *site) endings(v view, lines []api.Line) []ending {
	var list []ending
	listed := map[string]bool{}
	inv, _ := s.inventory.last(v.who)
	for _, i := range inv.Items {
		if i.Line != "" {
			listed[i.Line] = true
		}
		if !liveState(i.State) || !v.now.Before(itemEnd(i)) || i.Match == "missing" {
			continue
		}
		e := ending{
			what: i.Measure + " " + api.Goods(i.Service, i.Attributes), commitment: i.Commitment, account: i.Account, region: i.Region, line: i.Line,
			terms: api.Terms(i.TermMonths, i.Payment), source: i.Match, end: itemEnd(i),
		}
		if i.PerHour == nil {
			e.what = i.Measure + "x " + api.Goods(i.Service, i.Attributes)
		}
		if i.Price != nil {
			e.rate, e.total = rate(*i.Price, i.TermMonths), i.Price.Total
		}
		list = append(list, e)
	}
	for _, l := range lines {
		if listed[l.ID] {
			continue
		}
		list = append(list, ending{
			what: l.Wanted(), commitment: l.Receipt.Commitment, account: l.Account, region: l.Region, line: l.ID,
			terms: api.Terms(l.TermMonths, l.Payment), source: "receipt", end: l.End(), rate: rate(l.Price, l.TermMonths), total: l.Price.Total,
		})
	}
	slices.SortStableFunc(list, func(a, b ending) int { return a.end.Compare(b.end) })
	return list
}

// liveState reports whether a commitment in this state of the cloud is, or will be, one.
func liveState(state string) bool {
	switch state {
	case "retired", "returned", "expired", "canceled", "cancelled", "payment-failed", "queued-deleted", "failed":
		return false
	}
	return true
}

// lead is what ends within a number of days.
type lead struct {
	days  int
	n     int
	rates []money.Amount
}

// month is what ends in a month, and what is left after it.
type month struct {
	name       string
	n          int
	ends, left money.Amount
	// Of the waterfall, in thousandths of what is committed now.
	from, width int
}

// fall is the waterfall of one currency.
type fall struct {
	currency string
	now      money.Amount
	months   []month
}

// calendar is a page of what ends.
type calendar struct {
	list   []ending
	leads  []lead
	falls  []fall
	at     time.Time
	sorted sorting
}

func (s *site) expiry(w http.ResponseWriter, r *http.Request, v view) error {
	lines, err := s.Service.Ending(r.Context(), s.notListed(v, time.Time{}))
	if err != nil {
		return err
	}
	c := calendar{list: s.endings(v, lines)}
	_, c.at = s.inventory.last(v.who)
	if c.leads, err = leads(v.now, c.list); err != nil {
		return err
	}
	if c.falls, err = waterfall(c.list); err != nil {
		return err
	}
	c.sorted = order(v, c.list, map[string]func(a, b ending) int{
		"what":    func(a, b ending) int { return byText(a.what, b.what) },
		"account": func(a, b ending) int { return byText(a.account+a.region, b.account+b.region) },
		"end":     func(a, b ending) int { return byTime(a.end, b.end) },
		"rate":    func(a, b ending) int { return byMoney(a.rate, b.rate) },
		"total":   func(a, b ending) int { return byMoney(a.total, b.total) },
	})
	return s.show(w, r, http.StatusOK, expiryPage(v.titled("expiry", "Expiry"), c))
}

// leads counts what ends within 7, 30, 60 and 90 days.
func leads(now time.Time, list []ending) (all []lead, err error) {
	for _, days := range []int{7, 30, 60, 90} {
		l, sum := lead{days: days}, purse{}
		for _, e := range list {
			if e.end.Sub(now) <= time.Duration(days)*24*time.Hour {
				l.n++
				if err := sum.add(e.rate); err != nil {
					return nil, err
				}
			}
		}
		l.rates = sum.list()
		all = append(all, l)
	}
	return all, nil
}

// waterfall tells for each currency what of the commitments per hour ends in which
// month, of the months in which something ends.
func waterfall(list []ending) (falls []fall, err error) {
	all := purse{}
	for _, e := range list {
		if err := all.add(e.rate); err != nil {
			return nil, err
		}
	}
	for _, now := range all.list() {
		f := fall{currency: now.Currency(), now: now}
		left := now
		for _, e := range list { // in the order of their ends
			if e.rate.Currency() != f.currency {
				continue
			}
			name := e.end.UTC().Format("2006-01")
			if n := len(f.months); n == 0 || f.months[n-1].name != name {
				f.months = append(f.months, month{name: name, ends: money.Zero(f.currency)})
			}
			m := &f.months[len(f.months)-1]
			m.n++
			if m.ends, err = m.ends.Add(e.rate); err != nil {
				return nil, err
			}
			if left, err = left.Sub(e.rate); err != nil {
				return nil, err
			}
			m.left = left
		}
		for i := range f.months {
			m := &f.months[i]
			m.from = thousandths(m.left, now)
			m.width = max(2, thousandths(m.ends, now))
		}
		falls = append(falls, f)
	}
	return falls, nil
}

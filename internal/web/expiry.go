package web

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
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

// listedEnds lists what the clouds have listed and has not ended, the next first, and the
// lines that bought any of the items.
func listedEnds(now time.Time, items []api.Item) (list []ending, lines map[string]bool) {
	lines = map[string]bool{}
	for _, i := range items {
		if i.Line != "" {
			lines[i.Line] = true
		}
		if !liveState(i.State) || !now.Before(itemEnd(i)) || i.Match == "missing" {
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
	slices.SortStableFunc(list, func(a, b ending) int { return a.end.Compare(b.end) })
	return list, lines
}

// endings lists the commitments that have not ended, the next first: those of the last
// listing of the clouds and, of what it cannot show, those that lines have bought.
func (s *site) endings(v view, lines []api.Line) []ending {
	listed, _ := s.inventory.last(v.who)
	ended, _ := slices.BinarySearchFunc(listed.ends, v.now, func(e ending, now time.Time) int {
		if e.end.After(now) {
			return 1
		}
		return -1
	})
	list := slices.Clone(listed.ends[ended:])
	for _, l := range lines {
		if listed.lines[l.ID] {
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

// perHour is the column of what is paid in an hour.
const perHour column = 4

func totalsOf(list []ending) column {
	return over(list, func(e ending) money.Amount { return e.total })
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
	list   []ending // of this page
	part   window
	leads  []lead
	falls  []fall
	at     time.Time
	sorted sorting
}

func (s *site) expiry(w http.ResponseWriter, r *http.Request, v view) error {
	var c calendar
	var dues []due
	_, c.at = s.inventory.last(v.who)
	if c.at.IsZero() {
		// From sums of the receipts, of which only those of this page are read.
		sums, err := s.Service.EndingSums(r.Context())
		if err != nil {
			return err
		}
		n := 0
		for _, d := range sums {
			n += d.N
			dues = append(dues, due(d))
		}
		c.part = windowOf(v, n)
		lines, err := s.Service.Ending(r.Context(), api.EndingFilter{Most: c.part.to})
		if err != nil {
			return err
		}
		c.part.to = min(c.part.to, len(lines))
		c.list = s.endings(v, lines[min(c.part.from, len(lines)):])
	} else {
		lines, err := s.Service.Ending(r.Context(), s.notListed(v, time.Time{}))
		if err != nil {
			return err
		}
		c.list = s.endings(v, lines)
		c.part = windowOf(v, len(c.list))
		for _, e := range c.list {
			dues = append(dues, due{Day: e.end, Rate: e.rate, N: 1})
		}
	}
	var err error
	if c.leads, err = leads(v.now, dues); err != nil {
		return err
	}
	if c.falls, err = waterfall(dues); err != nil {
		return err
	}
	c.sorted = order(v, c.list, map[string]func(a, b ending) int{
		"what":    func(a, b ending) int { return byText(a.what, b.what) },
		"account": func(a, b ending) int { return byText(a.account+a.region, b.account+b.region) },
		"end":     func(a, b ending) int { return byTime(a.end, b.end) },
		"rate":    func(a, b ending) int { return byMoney(a.rate, b.rate) },
		"total":   func(a, b ending) int { return byMoney(a.total, b.total) },
	})
	if !c.at.IsZero() {
		c.list = c.list[c.part.from:c.part.to]
	}
	return s.show(w, r, http.StatusOK, expiryPage(v.titled("expiry", "Expiry"), c))
}

// due are commitments that end on a day and cost the same.
type due api.EndingSum

// within is when the day ends that is so many days from now.
func within(now time.Time, days int) time.Time {
	return now.UTC().Truncate(24*time.Hour).AddDate(0, 0, days+1)
}

// leads counts what ends within 7, 30, 60 and 90 days.
func leads(now time.Time, dues []due) (all []lead, err error) {
	for _, days := range []int{7, 30, 60, 90} {
		l, sum, until := lead{days: days}, purse{}, within(now, days)
		for _, d := range dues {
			if !d.Day.Before(until) {
				continue
			}
			l.n += d.N
			if err := sum.addTimes(d.Rate, d.N); err != nil {
				return nil, err
			}
		}
		l.rates = sum.list()
		all = append(all, l)
	}
	return all, nil
}

// waterfall tells for each currency what of the commitments per hour ends in which
// month, of the months in which something ends.
func waterfall(dues []due) (falls []fall, err error) {
	type key struct {
		currency string
		year     int
		month    time.Month
	}
	all, ends, counts := purse{}, map[key]purse{}, map[key]int{}
	for _, d := range dues {
		k := key{d.Rate.Currency(), d.Day.Year(), d.Day.Month()}
		if ends[k] == nil {
			ends[k] = purse{}
		}
		counts[k] += d.N
		if err := errors.Join(all.addTimes(d.Rate, d.N), ends[k].addTimes(d.Rate, d.N)); err != nil {
			return nil, err
		}
	}
	months := slices.SortedFunc(maps.Keys(ends), func(a, b key) int { return cmp.Or(a.year-b.year, int(a.month-b.month)) })
	for _, now := range all.list() {
		f := fall{currency: now.Currency(), now: now}
		left := now
		for _, k := range months {
			if k.currency != f.currency {
				continue
			}
			m := month{name: fmt.Sprintf("%04d-%02d", k.year, k.month), n: counts[k], ends: ends[k][f.currency]}
			if left, err = left.Sub(m.ends); err != nil {
				return nil, err
			}
			m.left = left
			m.from, m.width = thousandths(m.left, now), max(2, thousandths(m.ends, now))
			f.months = append(f.months, m)
		}
		falls = append(falls, f)
	}
	return falls, nil
}

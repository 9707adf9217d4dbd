package web

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/money"
)

// says are states as people read them, where they differ from the ledger's.
var says = map[string]string{
	"armed": "in doubt", "needs_review": "needs review", "needs_reapproval": "needs reapproval",
	"nothing_bought": "nothing bought", "not_bought": "not bought", "look_again": "look again",
	"payment_failed": "payment failed", "heuristic_mixed": "guess contradicted", "in_doubt": "in doubt",
}

func word(state string) string {
	if s := says[state]; s != "" {
		return s
	}
	return strings.ReplaceAll(state, "_", " ")
}

// tone is how urgent a state looks.
func tone(state string) string {
	switch state {
	case "armed", "in_doubt", "recovery", "awaited", "unproven", "requested", "sent", "waiting":
		return "doubt"
	case "needs_review", "needs_reapproval", "attention", "failed", "denied", "missing", "differs", "unexplained", "payment_failed", "heuristic_mixed", "error", "refused", "others":
		return "alarm"
	case "purchased", "complete", "approved", "matched", "ok", "done", "active", "returned", "ours", "begun":
		return "good"
	case "ready", "queued", "proposed", "draft", "running", "scheduled":
		return "open"
	}
	return "quiet"
}

// span is a duration in two units at most: "42 s", "3 h 5 min", "4 d 2 h".
func span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	unit := func(n int64, name string, rest int64, small string) string {
		text := strconv.FormatInt(n, 10) + " " + name
		if rest > 0 {
			text += " " + strconv.FormatInt(rest, 10) + " " + small
		}
		return text
	}
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return unit(s, "s", 0, "")
	case s < 3600:
		return unit(s/60, "min", 0, "")
	case s < 86400:
		return unit(s/3600, "h", s%3600/60, "min")
	case s < 14*86400:
		return unit(s/86400, "d", s%86400/3600, "h")
	}
	return unit(s/86400, "d", 0, "")
}

// ago tells how long something is ago, or how far ahead.
func ago(now, t time.Time) string {
	switch d := now.Sub(t); {
	case d > -time.Second && d < time.Second:
		return "now"
	case d > 0:
		return span(d) + " ago"
	default:
		return "in " + span(-d)
	}
}

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// count is a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// tail is the end of an id, by which people tell rows of one page apart.
func tail(id string) string {
	if len(id) > 6 {
		return id[len(id)-6:]
	}
	return id
}

// percent writes basis points as per cent.
func percent(bp int) string {
	if bp%100 == 0 {
		return strconv.Itoa(bp/100) + "%"
	}
	return fmt.Sprintf("%d.%02d%%", bp/100, bp%100)
}

// purse sums amounts by currency.
type purse map[string]money.Amount

func (p purse) add(a money.Amount) error {
	sum, err := p[a.Currency()].Add(a)
	if err == nil {
		p[a.Currency()] = sum
	}
	return err
}

// addTimes adds an amount so many times.
func (p purse) addTimes(a money.Amount, n int) (err error) {
	if n == 0 || a.Currency() == "" {
		return nil
	}
	if n > 1 {
		if a, err = a.Mul(int64(n)); err != nil {
			return err
		}
	}
	return p.add(a)
}

// list are the sums, in the order of their currencies.
func (p purse) list() []money.Amount {
	var list []money.Amount
	for _, a := range p {
		if a.Currency() != "" {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b money.Amount) int { return strings.Compare(a.Currency(), b.Currency()) })
	return list
}

// column writes amounts with the same number of decimals, so that they line up.
type column int

// over returns the column that holds the amounts of rows.
func over[T any](rows []T, amount func(T) money.Amount) column {
	decimals := 2
	for _, r := range rows {
		decimals = max(decimals, amount(r).Decimals())
	}
	return column(decimals)
}

func (c column) text(a money.Amount) string {
	if a.Currency() == "" {
		return "0.00"
	}
	return a.Currency() + " " + a.Grouped(int(c))
}

// lineColumns are the columns of the prices of lines.
type lineColumns struct{ upfront, hourly, total column }

func columnsOf(lines []api.Line) lineColumns {
	return lineColumns{
		over(lines, func(l api.Line) money.Amount { return l.Price.Upfront }),
		over(lines, func(l api.Line) money.Amount { return l.Price.Hourly }),
		over(lines, func(l api.Line) money.Amount { return l.Price.Total }),
	}
}

// rate is what a commitment costs in an hour of its term, all payments together.
func rate(p api.Price, months int) money.Amount { return api.Rate(p.Total, months) }

// sameTotal compares what was typed with a total: grouping, currency and trailing
// zeros do not matter, the number does.
func sameTotal(typed string, total money.Amount) bool {
	typed = strings.ToUpper(strings.TrimSpace(typed))
	typed = strings.TrimSpace(strings.Replace(typed, total.Currency(), "", 1))
	got, err := money.Parse(strings.ReplaceAll(typed, ",", ""), total.Currency())
	return err == nil && got.Equal(total)
}

// ended reports whether nothing more happens to a line by itself or by people.
func ended(state string) bool {
	switch state {
	case "purchased", "failed", "canceled", "expired", "superseded":
		return true
	}
	return false
}

// scale is a part of a whole in hundredths, as SVG takes it.
func scale(part, whole int) string {
	if whole <= 0 {
		return "0"
	}
	return strconv.Itoa(part * 100 / whole)
}

// errorText is a text that reads as an error does.
type errorText string

func (e errorText) Error() string { return string(e) }

func joined(list []string) string { return strings.Join(list, ", ") }

// thousandths is a part of a whole of the same currency, rounded down.
func thousandths(part, whole money.Amount) int {
	p, ok := new(big.Rat).SetString(part.Decimal())
	w, okay := new(big.Rat).SetString(whole.Decimal())
	if !ok || !okay || w.Sign() <= 0 {
		return 0
	}
	q := p.Mul(p.Quo(p, w), big.NewRat(1000, 1))
	return int(new(big.Int).Quo(q.Num(), q.Denom()).Int64())
}

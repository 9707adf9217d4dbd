package sizing

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// Limits of one file. They bound memory on any input.
const (
	maxPools  = 10_000
	maxMeters = 500_000      // different things that rows are about
	maxHours  = 3 * 366 * 24 // between the first hour of a file and its last
	maxCells  = 20_000_000   // hours of all pools together
)

// Format is how usage is written.
type Format string

// The formats.
const (
	CSV   Format = "usage"
	FOCUS Format = "focus"
)

// Usage is hourly usage by pool. It does not change after it was read.
type Usage struct {
	File    string
	Format  Format
	Rows    int // that count
	Dropped []Dropped
	Notes   []string

	pools []*pool     // by key
	hours track[bool] // of which the file tells anything
}

// From is the first hour of the file, Until the end of the last.
func (u *Usage) From() time.Time { return hourTime(u.hours.first) }

// Until is the end of the last hour of the file.
func (u *Usage) Until() time.Time { return hourTime(u.hours.first + len(u.hours.v)) }

// Pools lists the pools of the file.
func (u *Usage) Pools() []Pool {
	out := make([]Pool, len(u.pools))
	for i, p := range u.pools {
		out[i] = p.Pool
	}
	return out
}

func hourTime(hour int) time.Time { return time.Unix(int64(hour)*3600, 0).UTC() }

// pool is the usage of a pool, in all hours.
type pool struct {
	Pool
	unit string
	kind kind
	use  track[int64]
	// reserved and planned are what of it commitments to things and to an amount of money
	// cover already, as the file says; empty where it says nothing.
	reserved, planned track[int64]
	// onDemand and highest bound the on-demand rate of one unit, committed is the highest
	// committed rate, if the file has any. Nil where no row tells.
	onDemand, highest, committed *big.Rat
	// smallest is the smallest resource of the pool: what is bought.
	smallest goods
	line     int // where the file first tells of it
	// billing is the account that pays for the account, where the file tells it: Google
	// sells commitments to spending to it.
	billing cloud.Account
}

// payer is the account that buys the plan which covers usage of a pool; "" where it is
// not told.
func (p *pool) payer() cloud.Account {
	if p.Provider == cloud.GCP {
		return p.billing
	}
	return p.Account
}

// rate is the price of one resource of a size.
type rate struct {
	amount money.Amount
	size   Units
}

func (r rate) perUnit() *big.Rat { return over(ratOf(r.amount), r.size.rat()) }

// meter is what rows with the same words are about.
type meter struct {
	pool *pool
	goods
	seen track[bool] // hours told, where an hour is told once
	// texts of the last rates, so that equal ones are read once.
	rateText, committedText string
}

// Read reads a file of hourly usage to its end, in a CSV of our own columns or as a
// FOCUS cost file; the header tells which. The name is used in messages. A buyer makes
// one account of all: that which buys for the others. A mistake in the file is an
// *Error.
func Read(file string, r io.Reader, buyer cloud.Account) (*Usage, error) {
	buffered := bufio.NewReaderSize(r, 1<<20)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\ufeff" {
		buffered.Discard(3) //nolint:errcheck // they were read already
	}
	rows := csv.NewReader(buffered)
	rows.ReuseRecord = true
	f := &source{file: file, rows: rows, buyer: buyer, u: &Usage{File: file}, pools: map[string]*pool{}, meters: map[string]*meter{}, dropped: map[string]int{}, currencies: map[string]string{}}
	head, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, &Error{File: file, Problem: "is empty"}
	}
	if err != nil {
		return nil, f.wording(err)
	}
	f.head = slices.Clone(head)
	if slices.Contains(head, "ChargePeriodStart") {
		f.u.Format = FOCUS
		err = f.readFocus()
	} else {
		f.u.Format = CSV
		err = f.readOwn()
	}
	if err != nil {
		return nil, err
	}
	return f.finish()
}

// source is a file that is being read.
type source struct {
	file       string
	rows       *csv.Reader
	head       []string
	buyer      cloud.Account
	u          *Usage
	pools      map[string]*pool
	meters     map[string]*meter
	currencies map[string]string // by pool without its currency
	dropped    map[string]int    // rows by reason
	cells      int
	key        []byte
	cuts       int // quantities that lost decimals
	sub        int // rows that were corrections
}

func (f *source) errorf(column int, format string, args ...any) *Error {
	line, _ := f.rows.FieldPos(max(column, 0))
	e := &Error{File: f.file, Line: line, Problem: fmt.Sprintf(format, args...)}
	if column >= 0 {
		e.Column = strings.TrimSpace(f.head[column])
	}
	return e
}

// wording turns the CSV reader's errors into sentences of ours.
func (f *source) wording(err error) error {
	var syntax *csv.ParseError
	switch {
	case !errors.As(err, &syntax):
		return fmt.Errorf("%s: %w", f.file, err)
	case errors.Is(syntax.Err, csv.ErrFieldCount):
		return &Error{File: f.file, Line: syntax.Line, Problem: fmt.Sprintf("does not have %s as the header", count(len(f.head), "cell"))}
	case errors.Is(syntax.Err, csv.ErrQuote):
		return &Error{File: f.file, Line: syntax.StartLine, Problem: "has a quote that is not closed, or text after a closing quote"}
	}
	return &Error{File: f.file, Line: syntax.Line, Problem: "has a quote in the middle of a cell: put the whole cell in quotes and double the quote"}
}

// meterOf returns the meter of a row by the cells that identify it, and makes it the
// first time.
func (f *source) meterOf(cells []string, by []int, make func() (*meter, error)) (*meter, error) {
	f.key = f.key[:0]
	for _, i := range by {
		if i >= 0 {
			f.key = append(f.key, cells[i]...)
		}
		f.key = append(f.key, 0)
	}
	if m, ok := f.meters[string(f.key)]; ok {
		return m, nil
	}
	if len(f.meters) == maxMeters {
		return nil, f.errorf(-1, "is about something new for the %sth time, more than is read: split the file", group(maxMeters+1))
	}
	key := string(f.key)
	m, err := make()
	if err != nil {
		return nil, err
	}
	f.meters[key] = m
	return m, nil
}

// meter makes a meter of goods, and its pool.
func (f *source) meter(g goods, column int) (*meter, error) {
	if f.buyer != "" {
		g.pool.Account = f.buyer
	}
	bare := g.pool.key()
	if other, ok := f.currencies[bare]; ok && other != g.pool.Currency {
		return nil, f.errorf(column, "is %s, and other rows of %s are in %s: one pool has one currency", g.pool.Currency, bare, other)
	}
	f.currencies[bare] = g.pool.Currency
	p := f.pools[bare]
	if p == nil {
		if len(f.pools) == maxPools {
			return nil, f.errorf(-1, "begins pool %s; one file holds at most %s", group(maxPools+1), group(maxPools))
		}
		line, _ := f.rows.FieldPos(0)
		p = &pool{Pool: g.pool, unit: g.unit, kind: g.kind, smallest: g, line: line, billing: g.billing}
		f.pools[bare] = p
	}
	if order := g.size - p.smallest.size; order < 0 || order == 0 && g.buys.String() < p.smallest.buys.String() {
		p.smallest = g
	}
	return &meter{pool: p, goods: g}, nil
}

// tell notes that the file tells of an hour.
func (f *source) tell(hour int) error {
	if n := len(f.u.hours.v); n > 0 && (hour-f.u.hours.first >= maxHours || f.u.hours.first+n-hour > maxHours) {
		return f.errorf(-1, "is of %s, more than three years from other rows", hourTime(hour).Format(time.RFC3339))
	}
	*f.u.hours.at(hour) = true
	return nil
}

// add counts usage of a resource in an hour. Covered usage is a part of it.
func (f *source) add(m *meter, hour int, quantity, reserved, planned Units, column int) error {
	if err := f.tell(hour); err != nil {
		return err
	}
	sums := []struct {
		t *track[int64]
		u Units
	}{{&m.pool.use, quantity}, {&m.pool.reserved, reserved}, {&m.pool.planned, planned}}
	for _, s := range sums {
		if s.u == 0 && s.t != &m.pool.use {
			continue
		}
		if f.cells += s.t.cost(hour); f.cells > maxCells {
			return f.errorf(-1, "makes more than %s hours of all pools together, the most that is read: split the file", group(maxCells))
		}
		n, err := s.u.times(m.size)
		if err != nil {
			return f.errorf(column, "%v", err)
		}
		at := s.t.at(hour)
		if *at += int64(n); *at > int64(maxHour) || *at < -int64(maxHour) {
			return f.errorf(column, "makes an hour of %s: it %v", m.pool.Pool, errTooLarge)
		}
	}
	f.u.Rows++
	return nil
}

// priced notes the on-demand rate of a row, committedAt a committed rate.
func (m *meter) priced(a money.Amount) {
	r := rate{a, m.size}.perUnit()
	if m.pool.onDemand == nil || r.Cmp(m.pool.onDemand) < 0 {
		m.pool.onDemand = r
	}
	if m.pool.highest == nil || r.Cmp(m.pool.highest) > 0 {
		m.pool.highest = r
	}
}

func (m *meter) committedAt(a money.Amount) {
	if r := (rate{a, m.size}).perUnit(); m.pool.committed == nil || r.Cmp(m.pool.committed) > 0 {
		m.pool.committed = r
	}
}

// finish judges the whole of a file.
func (f *source) finish() (*Usage, error) {
	u := f.u
	for _, why := range slices.Sorted(maps.Keys(f.dropped)) {
		u.Dropped = append(u.Dropped, Dropped{What: count(f.dropped[why], "row"), Why: why})
	}
	if u.Rows == 0 {
		why := "holds no row of usage"
		if len(u.Dropped) > 0 {
			why += " that is sized: " + u.Dropped[0].What + ": " + u.Dropped[0].Why
		}
		return nil, &Error{File: f.file, Problem: why}
	}
	midnights := 0
	for i, told := range u.hours.v {
		if told && (u.hours.first+i)%24 != 0 {
			midnights = -1
			break
		} else if told {
			midnights++
		}
	}
	if midnights > 1 {
		return nil, &Error{File: f.file, Problem: "tells of midnight hours only, which is usage by day: daily averages over-commit; export it by the hour"}
	}
	if f.cuts > 0 {
		u.Notes = append(u.Notes, fmt.Sprintf("%s had more than %d decimals, which were cut off: less usage is counted, by less than 0.000001 each", count(f.cuts, "quantity cell"), quantityDecimals))
	}
	negative, hours := 0, 0
	for _, key := range slices.Sorted(maps.Keys(f.pools)) {
		p := f.pools[key]
		below := 0
		for i := range p.use.v {
			if p.use.v[i] < 0 {
				p.use.v[i] = 0
				below++
			}
		}
		if below > 0 {
			negative++
			hours += below
		}
		u.pools = append(u.pools, p)
	}
	if f.sub > 0 {
		u.Notes = append(u.Notes, fmt.Sprintf("%s of corrections were added to the hour that they correct", count(f.sub, "row")))
	}
	if negative > 0 {
		u.Notes = append(u.Notes, fmt.Sprintf("corrections leave less than nothing in %s of %s: counted as no usage", count(hours, "hour"), count(negative, "pool")))
	}
	return u, nil
}

// parseHour reads the beginning of an hour. The offset from UTC must be written: a
// local time is two hours when clocks are set back and none when they are set forward.
func parseHour(text string) (int, error) {
	if len(text) == 20 && text[19] == 'Z' && text[13:19] == ":00:00" && text[4] == '-' && text[7] == '-' && text[10] == 'T' {
		y, a := digits(text[0:4])
		m, b := digits(text[5:7])
		d, c := digits(text[8:10])
		h, e := digits(text[11:13])
		if a && b && c && e && y >= 2000 && m >= 1 && m <= 12 && d >= 1 && d <= 28 && h <= 23 {
			return int(time.Date(y, time.Month(m), d, h, 0, 0, 0, time.UTC).Unix() / 3600), nil
		}
	}
	var t time.Time
	var err error
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00"} {
		if t, err = time.Parse(layout, text); err == nil {
			break
		}
	}
	if err != nil {
		if _, day := time.Parse(time.DateOnly, text); day == nil {
			return 0, fmt.Errorf("%s is a day: daily averages over-commit; export usage by the hour", show(text))
		}
		for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
			if _, local := time.Parse(layout, text); local == nil {
				return 0, fmt.Errorf("%s does not say its offset from UTC, and a local hour is none or two when clocks change: write it as 2026-03-29T01:00:00Z", show(text))
			}
		}
		return 0, fmt.Errorf("%s is not an hour such as 2026-03-29T01:00:00Z", show(text))
	}
	if t.Unix()%3600 != 0 || t.Nanosecond() != 0 {
		return 0, fmt.Errorf("%s is not the beginning of an hour in UTC", show(text))
	}
	if t.Year() < 2000 || t.Year() > 2199 {
		return 0, fmt.Errorf("%s is not of this century", show(text))
	}
	return int(t.Unix() / 3600), nil
}

func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// parseRate reads an amount of money that is not negative.
func parseRate(text, currency string) (money.Amount, error) {
	a, err := money.Parse(text, currency)
	if err != nil {
		return money.Amount{}, err
	}
	if a.Sign() < 0 {
		return money.Amount{}, fmt.Errorf("%s is negative", show(text))
	}
	return a, nil
}

package sizing

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// ownColumn is a column of our own CSV.
type ownColumn struct {
	name      string // as documented; a header may fold it otherwise
	attribute string // of the resource that it carries; "type" is the one that names it
	needed    bool
}

var ownColumns = []ownColumn{
	{name: "hour", needed: true},
	{name: "provider", needed: true},
	{name: "account", needed: true},
	{name: "region", needed: true},
	{name: "service", needed: true},
	{name: "resource type", attribute: "type", needed: true},
	{name: "platform", attribute: "platform"},
	{name: "tenancy", attribute: "tenancy"},
	{name: "zone", attribute: "zone"},
	{name: "engine", attribute: "engine"},
	{name: "multi az", attribute: "multi_az"},
	{name: "resource", attribute: resourceKey},
	{name: "billing account"},
	{name: "quantity", needed: true},
	{name: "covered"},
	{name: "covered by plan"},
	{name: "on-demand rate", needed: true},
	{name: "committed rate"},
	{name: "currency", needed: true},
}

var (
	// accountName also takes a project of Google with its domain in front.
	accountName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:-]{0,63}$`)
	billingName = regexp.MustCompile(`^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$`)
	regionName  = regexp.MustCompile(`^[a-z][a-z0-9-]{1,39}$`)
)

// fold returns the letters and digits of text in lower case.
func fold(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		}
		return -1
	}, text)
}

// columnsOf finds the cells of the columns, -1 where there is none.
func (f *source) columnsOf() (map[string]int, error) {
	at := map[string]int{}
	for _, c := range ownColumns {
		at[c.name] = -1
	}
	for i, name := range f.head {
		known := slices.IndexFunc(ownColumns, func(c ownColumn) bool { return fold(c.name) == fold(name) })
		if known < 0 {
			names := make([]string, len(ownColumns))
			for i, c := range ownColumns {
				names[i] = c.name
			}
			return nil, f.errorf(i, "is not a column of usage: the columns are %s", strings.Join(names, ", "))
		}
		if at[ownColumns[known].name] >= 0 {
			return nil, f.errorf(i, "is there twice")
		}
		at[ownColumns[known].name] = i
	}
	for _, c := range ownColumns {
		if c.needed && at[c.name] < 0 {
			return nil, &Error{File: f.file, Line: 1, Column: c.name, Problem: "has no column: add one to the header"}
		}
	}
	return at, nil
}

// readOwn reads rows of our own columns: one for each resource type and hour.
func (f *source) readOwn() error {
	at, err := f.columnsOf()
	if err != nil {
		return err
	}
	var by []int
	for _, name := range []string{"provider", "account", "region", "service", "resource type", "platform", "tenancy", "zone", "engine", "multi az", "resource", "billing account", "currency"} {
		by = append(by, at[name])
	}
	hourAt, quantityAt, coveredAt, plannedAt, rateAt, committedAt := at["hour"], at["quantity"], at["covered"], at["covered by plan"], at["on-demand rate"], at["committed rate"]
	for {
		cells, err := f.rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return f.wording(err)
		}
		m, err := f.meterOf(cells, by, func() (*meter, error) { return f.ownMeter(cells, at) })
		if err != nil {
			return err
		}
		hour, err := parseHour(cells[hourAt])
		if err != nil {
			return f.errorf(hourAt, "%v", err)
		}
		if err := f.tell(hour); err != nil { // before room is made for it
			return err
		}
		f.cells += m.seen.cost(hour) // add refuses too many
		told := m.seen.at(hour)
		if *told {
			return f.errorf(hourAt, "%s is there already for this %s of %s: make it one row", cells[hourAt], f.head[at["resource type"]], m.pool.Account)
		}
		*told = true
		quantity, err := f.units(cells, quantityAt)
		if err != nil {
			return err
		}
		var covered, planned Units
		if coveredAt >= 0 && cells[coveredAt] != "" {
			if covered, err = f.units(cells, coveredAt); err != nil {
				return err
			}
		}
		if plannedAt >= 0 && cells[plannedAt] != "" {
			if planned, err = f.units(cells, plannedAt); err != nil {
				return err
			}
		}
		if covered+planned > quantity {
			return f.errorf(max(coveredAt, plannedAt), "is more than the quantity of its row, of which it is a part")
		}
		if text := cells[rateAt]; text == "" || text != m.rateText {
			a, err := parseRate(text, m.pool.Currency)
			if err == nil && a.IsZero() {
				err = errors.New("is zero: usage that costs nothing needs no commitment")
			}
			if err != nil {
				return f.errorf(rateAt, "%v", err)
			}
			m.priced(a)
			m.rateText = strings.Clone(text)
		}
		if committedAt >= 0 && cells[committedAt] != m.committedText {
			if text := cells[committedAt]; text != "" {
				a, err := parseRate(text, m.pool.Currency)
				if err != nil {
					return f.errorf(committedAt, "%v", err)
				}
				m.committedAt(a)
			}
			m.committedText = strings.Clone(cells[committedAt])
		}
		if err := f.add(m, hour, quantity, covered, planned, quantityAt); err != nil {
			return err
		}
	}
}

// units reads a quantity that is not negative.
func (f *source) units(cells []string, column int) (Units, error) {
	u, _, err := parseUnits(cells[column], false)
	if err == nil && u < 0 {
		err = fmt.Errorf("%s is negative: a correction belongs to the hour that it corrects, take it off there", show(cells[column]))
	}
	if err != nil {
		return 0, f.errorf(column, "%v", err)
	}
	return u, nil
}

// ownMeter reads what a row is about.
func (f *source) ownMeter(cells []string, at map[string]int) (*meter, error) {
	cell := func(name string) string {
		if at[name] < 0 {
			return ""
		}
		return strings.Clone(cells[at[name]])
	}
	lane := cloud.Lane{Provider: cloud.Provider(cell("provider")), Account: cloud.Account(cell("account")), Region: cloud.Region(cell("region")), Service: cloud.Service(cell("service"))}
	currency := cell("currency")
	if _, err := money.Parse("0", currency); err != nil {
		return nil, f.errorf(at["currency"], "%v", err)
	}
	switch {
	case kinds[lane.Provider] == nil:
		return nil, f.errorf(at["provider"], "%s is no cloud whose usage is sized: use aws, azure or gcp", show(string(lane.Provider)))
	case !accountName.MatchString(string(lane.Account)):
		return nil, f.errorf(at["account"], "%s does not look like an account", show(string(lane.Account)))
	case !regionName.MatchString(string(lane.Region)):
		return nil, f.errorf(at["region"], "%s does not look like a region code such as eu-west-1", show(string(lane.Region)))
	}
	k := kinds[lane.Provider][lane.Service]
	a := cloud.Attributes{}
	for _, c := range ownColumns {
		if c.attribute == "" || cell(c.name) == "" {
			continue
		}
		key := c.attribute
		if key == "type" {
			key = k.typeKey
		} else if k.typeKey != "" && !slices.Contains(k.keys, key) {
			return nil, f.errorf(at[c.name], "is not said of %s: empty the cell", lane.Service)
		}
		a[key] = cell(c.name)
	}
	if v := a["multi_az"]; v != "" && v != "true" && v != "false" {
		return nil, f.errorf(at["multi az"], "%s is not true or false", show(v))
	}
	g, key, err := goodsOf(lane, a, currency)
	if err != nil {
		return nil, f.atAttribute(key, k, at, err)
	}
	if text := cell("billing account"); text != "" {
		if lane.Provider != cloud.GCP || !billingName.MatchString(text) {
			return nil, f.errorf(at["billing account"], "%s is not a billing account of Google such as 012345-6789AB-CDEF01", show(text))
		}
		g.billing = cloud.Account(text)
	}
	m, err := f.meter(g, at["currency"])
	if err == nil && m.pool.billing != g.billing {
		return nil, f.errorf(at["billing account"], "is %s, and another row of %s has %s: one pool has one billing account", show(string(g.billing)), m.pool.key(), show(string(m.pool.billing)))
	}
	return m, err
}

// atAttribute places an error at the column that carries an attribute.
func (f *source) atAttribute(key string, k kind, at map[string]int, err error) error {
	name := key
	for _, c := range ownColumns {
		if c.attribute == key || c.attribute == "type" && key == k.typeKey {
			name = c.name
		}
	}
	if at[name] < 0 {
		return &Error{File: f.file, Line: 1, Column: name, Problem: fmt.Sprintf("has no column, and a row needs it: %v", err)}
	}
	return f.errorf(at[name], "%v", err)
}

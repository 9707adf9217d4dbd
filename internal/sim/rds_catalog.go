package sim

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"bursar/internal/money"
)

// currency is that of every price in the catalog.
const currency = "USD"

// Payment options in RDS's words.
const (
	allUpfront     = "All Upfront"
	partialUpfront = "Partial Upfront"
	noUpfront      = "No Upfront"
)

// Terms in RDS's unit, seconds.
const (
	oneYear    = 31536000
	threeYears = 94608000
)

// offering is something RDS sells. Prices are per instance: fixed once, hourly
// for the whole term whether used or not.
type offering struct {
	id      string
	region  string
	class   string
	product string
	payment string
	multiAZ bool
	seconds int64
	fixed   money.Amount
	hourly  money.Amount
}

// catalog is what is for sale. It does not change; a price override lives in
// the world.
type catalog struct {
	regions  map[string]bool
	byRegion map[string][]*offering
	byID     map[string]*offering
}

// onDemand holds, per class and product, the single-AZ on-demand price per hour
// in us-east-1, USD, near the public list of 2026. An empty cell is not sold.
//
//go:embed rds_prices.csv
var onDemand string

// regionPermille is the price level of a region against us-east-1.
var regionPermille = []struct {
	region   string
	permille int64
}{
	{"us-east-1", 1000}, {"us-west-2", 1000}, {"eu-west-1", 1095}, {"eu-central-1", 1190}, {"ap-southeast-2", 1260},
}

// plans is what RDS sells of each class: no three-year No Upfront. The discount
// is against on-demand; up to 30 permille more is drawn per class and product.
var plans = []struct {
	seconds  int64
	payment  string
	discount int64 // permille
}{
	{oneYear, noUpfront, 290}, {oneYear, partialUpfront, 330}, {oneYear, allUpfront, 345},
	{threeYears, partialUpfront, 520}, {threeYears, allUpfront, 545},
}

// builtin returns the catalog, the same in every world and version: ids are
// derived from what is offered, prices from rds_prices.csv by the scheme below.
var builtin = sync.OnceValue(func() *catalog {
	rows, err := csv.NewReader(strings.NewReader(onDemand)).ReadAll()
	if err != nil {
		panic(fmt.Sprintf("sim: embedded prices: %v", err))
	}
	c := &catalog{regions: map[string]bool{}, byRegion: map[string][]*offering{}, byID: map[string]*offering{}}
	for _, r := range regionPermille {
		c.regions[r.region] = true
		for _, row := range rows[1:] {
			for i, product := range rows[0][1:] {
				if row[i+1] != "" {
					c.sell(r.region, r.permille, row[0], product, micros(row[i+1]))
				}
			}
		}
	}
	return c
})

// sell adds the offerings of one class and product in one region. All
// arithmetic is in integer millionths of a dollar:
//
//	effective hour = on-demand x region x zones x (1 - discount)
//	All Upfront:     fixed = effective x hours of the term, whole dollars
//	Partial Upfront: fixed = half of that, hourly = half of effective, 4 decimals
//	No Upfront:      hourly = effective, 4 decimals
func (c *catalog) sell(region string, level int64, class, product string, perHour int64) {
	zones := []bool{false, true}
	if strings.HasPrefix(product, "aurora") {
		zones = zones[:1]
	}
	for _, multiAZ := range zones {
		for _, p := range plans {
			discount := p.discount + int64(draw(31, 0, "discount", class, product))
			effective := perHour * level / 1000 * (1000 - discount) / 1000
			if multiAZ {
				effective *= 2
			}
			o := &offering{
				id:     drawUUID(0, "rds offering", region, class, product, boolText(multiAZ), strconv.FormatInt(p.seconds, 10), p.payment),
				region: region, class: class, product: product,
				payment: p.payment, multiAZ: multiAZ, seconds: p.seconds,
				fixed: money.Zero(currency), hourly: money.Zero(currency),
			}
			term := effective * (p.seconds / 3600)
			switch p.payment {
			case allUpfront:
				o.fixed = dollars(term, 1_000_000)
			case partialUpfront:
				o.fixed, o.hourly = dollars(term/2, 1_000_000), dollars(effective/2, 100)
			case noUpfront:
				o.hourly = dollars(effective, 100)
			}
			c.byRegion[region] = append(c.byRegion[region], o)
			c.byID[o.id] = o
		}
	}
}

// micros reads a price with four decimals as millionths of a dollar.
func micros(text string) int64 {
	n, err := strconv.ParseInt(strings.Replace(text, ".", "", 1), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("sim: embedded price %q: %v", text, err))
	}
	return n * 100
}

// dollars turns millionths into an amount, rounded half up to a multiple of
// step millionths.
func dollars(n, step int64) money.Amount {
	n = (n + step/2) / step * step
	return money.MustParse(fmt.Sprintf("%d.%06d", n/1_000_000, n%1_000_000), currency).Round(4)
}

// quote returns what an offering costs now, per instance.
func (w *world) quote(o *offering) (fixed, hourly money.Amount) {
	if p, ok := w.prices[o.id]; ok {
		return p.Fixed, p.Hourly
	}
	return o.fixed, o.hourly
}

package sim

import (
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"bursar/internal/money"
)

// currency is that of every price in the catalog.
const currency = "USD"

// Payment options in the words of AWS.
const (
	allUpfront     = "All Upfront"
	partialUpfront = "Partial Upfront"
	noUpfront      = "No Upfront"
)

var payments = []string{allUpfront, partialUpfront, noUpfront}

// Terms in the unit of AWS, seconds.
const (
	oneYear    = 31536000
	threeYears = 94608000
)

// terms is what a reservation is of: the same in the offering and in what was
// bought of it. Attributes are those its service has besides, such as "product".
type terms struct {
	Class      string            `json:"class"` // instance or node type
	Attributes map[string]string `json:"attributes,omitempty"`
	Payment    string            `json:"payment"`
	Seconds    int64             `json:"seconds"`
}

// offering is something a service sells. Prices are per instance: fixed once,
// hourly for the whole term whether used or not.
type offering struct {
	terms
	service string
	region  string
	id      string
	fixed   money.Amount
	hourly  money.Amount
}

// shop is where offerings are sold.
type shop struct{ service, region string }

// catalog is what is for sale. It does not change; a price override lives in
// the world.
type catalog struct {
	regions map[string]bool
	byShop  map[shop][]*offering
	byID    map[string]*offering
}

// regionPermille is the price level of a region against us-east-1.
var regionPermille = []struct {
	region   string
	permille int64
}{
	{"us-east-1", 1000}, {"us-west-2", 1000}, {"eu-west-1", 1095}, {"eu-central-1", 1190}, {"ap-southeast-2", 1260},
}

// plan is a term and a way to pay for it. The discount is against on-demand; up
// to 30 permille more is drawn per class and product.
type plan struct {
	seconds  int64
	payment  string
	discount int64 // permille
}

// plans is what most services sell of each class: no three-year No Upfront.
var plans = []plan{
	{oneYear, noUpfront, 290}, {oneYear, partialUpfront, 330}, {oneYear, allUpfront, 345},
	{threeYears, partialUpfront, 520}, {threeYears, allUpfront, 545},
}

// builtin returns the catalog, the same in every world and version: ids are
// derived from what is offered, prices from the embedded on-demand prices by the
// scheme below.
var builtin = sync.OnceValue(func() *catalog {
	c := &catalog{regions: map[string]bool{}, byShop: map[shop][]*offering{}, byID: map[string]*offering{}}
	for _, r := range regionPermille {
		c.regions[r.region] = true
		for _, name := range slices.Sorted(maps.Keys(services)) {
			s := services[name].sells
			if s == nil || s.stock != nil {
				continue
			}
			rows, err := csv.NewReader(strings.NewReader(s.onDemand)).ReadAll()
			if err != nil {
				panic(fmt.Sprintf("sim: embedded prices of %s: %v", name, err))
			}
			for _, row := range rows[1:] {
				for i, product := range rows[0][1:] {
					if row[i+1] != "" {
						for _, v := range s.variants(r.region, row[0], product) {
							c.sell(name, r.region, r.permille, row[0], product, micros(row[i+1]), v)
						}
					}
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		if s := services[name].sells; s != nil && s.stock != nil {
			s.stock(c)
		}
	}
	return c
})

// add puts an offering into the catalog.
func (c *catalog) add(o *offering) {
	at := shop{o.service, o.region}
	c.byShop[at] = append(c.byShop[at], o)
	c.byID[o.id] = o
}

// variant is one form in which a class and product is sold.
type variant struct {
	attributes map[string]string
	key        []string // tells it from the others; ids are derived from it
	plans      []plan
	times      int64 // the price of one, such as 2 for two zones
	dearer     int64 // permille less discount
}

// sell adds the offerings of one variant in one region. All arithmetic is in
// integer millionths of a dollar:
//
//	effective hour = on-demand x region x (1 - discount) x times
//	All Upfront:     fixed = effective x hours of the term, whole dollars
//	Partial Upfront: fixed = half of that, hourly = half of effective, 4 decimals
//	No Upfront:      hourly = effective, 4 decimals
func (c *catalog) sell(service, region string, level int64, class, product string, perHour int64, v variant) {
	for _, p := range v.plans {
		discount := p.discount + int64(draw(31, 0, "discount", class, product)) - v.dearer
		effective := perHour * level / 1000 * (1000 - discount) / 1000 * v.times
		parts := append([]string{service + " offering", region, class, product}, v.key...)
		o := &offering{
			terms:   terms{Class: class, Attributes: v.attributes, Payment: p.payment, Seconds: p.seconds},
			service: service, region: region,
			id:    drawUUID(0, append(parts, strconv.FormatInt(p.seconds, 10), p.payment)...),
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
		c.add(o)
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

// offered is the offering of that id that the service sells in the call's region,
// or nil.
func (c *call) offered(id string) *offering {
	o := c.catalog.byID[id]
	if o == nil || o.service != c.service.name || o.region != c.place() {
		return nil
	}
	return o
}

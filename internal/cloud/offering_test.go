package cloud

import (
	"errors"
	"reflect"
	"testing"

	"bursar/internal/money"
)

func offering() Offering {
	return Offering{
		Provider: AWS, Service: "rds", Region: "eu-west-1", ID: "649fd0c8",
		Attributes: Attributes{"engine": "mysql", "class": "db.r6g.large", "multi_az": "false"},
		Term:       OneYear, Payment: PartialUpfront,
		Upfront: money.MustParse("777", "USD"), Hourly: money.MustParse("0.0887", "USD"),
	}
}

func TestThePriceIsThatOfTheWholeQuantityOverTheTerm(t *testing.T) {
	for _, c := range []struct {
		name                   string
		change                 func(*Offering)
		n                      int64
		upfront, hourly, total string
	}{
		{"one", func(*Offering) {}, 1, "777.00", "0.0887", "1554.012"},
		{"three", func(*Offering) {}, 3, "2331.00", "0.2661", "4662.036"},
		{"three years", func(o *Offering) { o.Term = ThreeYears }, 1, "777.00", "0.0887", "3108.036"},
		{"nothing upfront", func(o *Offering) { o.Upfront = money.Zero("USD") }, 2, "0.00", "0.1774", "1554.024"},
		{"nothing hourly", func(o *Offering) { o.Hourly = money.Zero("USD") }, 2, "1554.00", "0.00", "1554.00"},
	} {
		o := offering()
		c.change(&o)
		p, err := o.Price(c.n)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if p.Upfront.Canonical() != c.upfront || p.Hourly.Canonical() != c.hourly || p.Total.Canonical() != c.total {
			t.Errorf("%s: %s, %s, %s, want %s, %s, %s", c.name, p.Upfront, p.Hourly, p.Total, c.upfront, c.hourly, c.total)
		}
	}
}

func TestAPriceThatIsNotExactIsRefused(t *testing.T) {
	for _, n := range []int64{0, -1} {
		if p, err := offering().Price(n); err == nil {
			t.Errorf("%d units cost %s, want an error", n, p.Total)
		}
	}
	huge := money.MustParse("9999999999999999999", "USD")
	for name, change := range map[string]func(*Offering){
		"upfront":    func(o *Offering) { o.Upfront = huge },
		"hourly":     func(o *Offering) { o.Hourly = huge },
		"the term":   func(o *Offering) { o.Hourly = money.MustParse("999999999999999999", "USD") },
		"the total":  func(o *Offering) { o.Upfront = money.MustParse("4999999999999999999", "USD") },
		"currencies": func(o *Offering) { o.Upfront = money.MustParse("1", "EUR") },
	} {
		o := offering()
		change(&o)
		_, err := o.Price(2)
		if !errors.Is(err, money.ErrOverflow) && !errors.Is(err, money.ErrCurrency) {
			t.Errorf("%s: %v, want ErrOverflow or ErrCurrency", name, err)
		}
	}
}

func TestPricesAdd(t *testing.T) {
	a, err := offering().Price(1)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := Price{}.Add(a)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err = sum.Add(a); err != nil {
		t.Fatal(err)
	}
	two, err := offering().Price(2)
	if err != nil || !sum.Upfront.Equal(two.Upfront) || !sum.Hourly.Equal(two.Hourly) || !sum.Total.Equal(two.Total) {
		t.Errorf("one and one are %s, two are %s, %v", sum.Total, two.Total, err)
	}
	for name, change := range map[string]func(*Price){
		"upfront": func(p *Price) { p.Upfront = money.MustParse("1", "EUR") },
		"hourly":  func(p *Price) { p.Hourly = money.MustParse("1", "EUR") },
		"total":   func(p *Price) { p.Total = money.MustParse("1", "EUR") },
	} {
		other := a
		change(&other)
		if _, err := a.Add(other); !errors.Is(err, money.ErrCurrency) {
			t.Errorf("%s in another currency: %v, want ErrCurrency", name, err)
		}
	}
}

// Every field of an offering is either a part of what it is or of what it costs.
// A new field fails here until it is put on one side.
func TestSameGoodsLooksAtEveryFieldButThePrice(t *testing.T) {
	changes := map[string]struct {
		same   bool
		change func(*Offering)
	}{
		"Provider": {false, func(o *Offering) { o.Provider = Azure }},
		"Service":  {false, func(o *Offering) { o.Service = "elasticache" }},
		"Region":   {false, func(o *Offering) { o.Region = "eu-central-1" }},
		"ID":       {false, func(o *Offering) { o.ID = "other" }},
		"Attributes": {false, func(o *Offering) {
			o.Attributes = Attributes{"engine": "mysql", "class": "db.r6g.xlarge", "multi_az": "false"}
		}},
		"Term":    {false, func(o *Offering) { o.Term = ThreeYears }},
		"Payment": {false, func(o *Offering) { o.Payment = AllUpfront }},
		"Unit":    {false, func(o *Offering) { o.Unit = money.MustParse("0.00001", "USD") }},
		"Upfront": {true, func(o *Offering) { o.Upfront = money.MustParse("1", "USD") }},
		"Hourly":  {true, func(o *Offering) { o.Hourly = money.MustParse("1", "USD") }},
	}
	kind := reflect.TypeFor[Offering]()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		c, known := changes[name]
		if !known {
			t.Errorf("Offering.%s is new: is it a part of SameGoods?", name)
			continue
		}
		changed := offering()
		c.change(&changed)
		if reflect.DeepEqual(changed, offering()) {
			t.Errorf("%s was not changed", name)
		}
		if got := offering().SameGoods(changed); got != c.same {
			t.Errorf("with another %s: SameGoods = %v, want %v", name, got, c.same)
		}
		if got := changed.SameGoods(offering()); got != c.same {
			t.Errorf("with another %s, the other way round: SameGoods = %v, want %v", name, got, c.same)
		}
	}
	if len(changes) != kind.NumField() {
		t.Errorf("%d changes for %d fields", len(changes), kind.NumField())
	}
	for name, attributes := range map[string]Attributes{
		"one more":  {"engine": "mysql", "class": "db.r6g.large", "multi_az": "false", "license": "x"},
		"one fewer": {"engine": "mysql", "class": "db.r6g.large"},
		"none":      nil,
	} {
		o := offering()
		o.Attributes = attributes
		if o.SameGoods(offering()) || offering().SameGoods(o) {
			t.Errorf("%s attribute: the same goods", name)
		}
	}
}

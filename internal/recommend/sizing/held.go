package sizing

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// Held is a commitment that exists, is queued, or is planned: it covers usage of its
// pool until it ends.
type Held struct {
	Pool Pool
	Name string // id or line, for people
	// Lane and Attributes are those of the commitment itself.
	Lane       cloud.Lane
	Attributes cloud.Attributes
	// Source says where it is known from: "held", "queued" or "planned".
	Source string
	Units  Units        // usage that it covers, per hour
	Spend  money.Amount // instead of Units, where it is a commitment to an amount per hour
	Start  time.Time
	End    time.Time

	// A zonal reservation covers what runs in its zone; where a file does not tell zones
	// apart, that is usage of this pool.
	wide      Pool
	wideUnits Units
}

// Hold reads what a commitment covers: one of each resource where it was made to
// measure. A service whose usage is not sized is an error, and so is a plan other than
// one for compute. buyer is as in Read.
func Hold(c cloud.Commitment, source string, buyer cloud.Account) ([]Held, error) {
	h := Held{Name: c.ID, Lane: c.Lane, Attributes: c.Attributes, Source: source, Start: c.Start.UTC(), End: c.Start.UTC().Add(time.Duration(c.Term.Hours()) * time.Hour)}
	account := c.Account
	currency := c.Hourly.Currency()
	if p := plans[c.Provider]; p.service != "" && c.Service == p.service {
		for key, want := range p.attributes {
			if t := c.Attributes[key]; t != want {
				return nil, fmt.Errorf("a savings plan of type %s is not sized", show(t))
			}
		}
		if buyer != "" && c.Provider != cloud.GCP {
			account = buyer
		}
		h.Pool, h.Spend = planPool(c.Provider, account, currency), c.PerHour()
		return []Held{h}, nil
	}
	if buyer != "" {
		account = buyer
	}
	if kinds[c.Provider][c.Service].measured {
		return h.measured(c, account)
	}
	g, key, err := goodsOf(c.Lane, c.Attributes, currency)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	g.pool.Account = account
	h.Pool = g.pool
	if h.Units, err = g.units(c.Quantity); err != nil || c.Service != ec2Zonal {
		return []Held{h}, err
	}
	c.Service = ec2
	if g, _, err = goodsOf(c.Lane, c.Attributes, currency); err == nil {
		g.pool.Account = account
		h.wide = g.pool
		h.wideUnits, err = g.units(c.Quantity)
	}
	return []Held{h}, err
}

// units is the usage that a number of the goods covers.
func (g goods) units(quantity int64) (Units, error) {
	n := new(big.Int).Mul(big.NewInt(int64(g.size)), big.NewInt(quantity))
	if !n.IsInt64() || n.Int64() > int64(maxHour) {
		return 0, fmt.Errorf("%d of it %w", quantity, errTooLarge)
	}
	return Units(n.Int64()), nil
}

// placed moves zonal reservations to the usage of their region where usage by zone is
// not told.
func placed(held []Held, told map[string]bool) []Held {
	out := slices.Clone(held)
	for i, h := range out {
		if h.wideUnits > 0 && !told[h.Pool.key()] {
			out[i].Pool, out[i].Units = h.wide, h.wideUnits
		}
	}
	return out
}

// net is what of a pool is held, seen from a time.
type net struct {
	kept   []Held // beyond the re-buy window
	ending []Held // within it: bought again
	apart  []Held // netted by somebody else, whenever they end
}

// netOf takes the commitments of a pool apart by who nets them and by their end. What
// has ended is left.
func (o Options) netOf(p Pool, buys cloud.Attributes) (n net) {
	for _, h := range o.Held {
		switch {
		case h.Pool.key() != p.key() || !h.End.After(o.AsOf) || h.elsewhere(p):
		case o.Apart != nil && o.Apart(h, buys):
			n.apart = append(n.apart, h)
		case h.End.After(o.AsOf.Add(o.Rebuy)):
			n.kept = append(n.kept, h)
		default:
			n.ending = append(n.ending, h)
		}
	}
	order := func(a, b Held) int {
		if c := a.End.Compare(b.End); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	}
	slices.SortStableFunc(n.kept, order)
	slices.SortStableFunc(n.ending, order)
	slices.SortStableFunc(n.apart, order)
	return n
}

// elsewhere reports whether a commitment is to spending in another currency than that of
// a pool: there is no exchange rate.
func (h Held) elsewhere(p Pool) bool { return !h.Spend.IsZero() && h.Spend.Currency() != p.Currency }

// all are the commitments of the pool, by their end.
func (n net) all() []Held {
	list := slices.Concat(n.ending, n.kept, n.apart)
	slices.SortStableFunc(list, func(a, b Held) int { return a.End.Compare(b.End) })
	return list
}

// units is the usage that is covered by the kept ones; worth says what one of a
// currency per hour of a commitment to spend covers, in Units.
func (n net) units(worth *big.Rat) *big.Rat { return sumHeld(n.kept, worth) }

func sumHeld(held []Held, worth *big.Rat) *big.Rat {
	sum := new(big.Rat)
	for _, h := range held {
		sum.Add(sum, h.level(worth))
	}
	return sum
}

func (h Held) level(worth *big.Rat) *big.Rat {
	if h.Spend.IsZero() {
		return whole(int64(h.Units))
	}
	return times(ratOf(h.Spend), worth)
}

// why says what is netted, a sentence each.
func (n net) why(unit string, worth *big.Rat, rebuy time.Duration) (says []string) {
	bySource := map[string][]Held{}
	for _, h := range n.kept {
		bySource[h.Source] = append(bySource[h.Source], h)
	}
	for _, source := range []string{"held", "queued", "planned"} {
		if of := bySource[source]; len(of) > 0 {
			says = append(says, fmt.Sprintf("netted: %s %s of %s %s, the first until %s", decimal(sumHeld(of, worth)), unit, count(len(of), "commitment"), source, of[0].End.Format(time.DateOnly)))
		}
	}
	if len(n.ending) > 0 {
		says = append(says, fmt.Sprintf("not netted: %s %s of %s that end within %d days, from %s on: bought again; let the new one begin then",
			decimal(sumHeld(n.ending, worth)), unit, count(len(n.ending), "commitment"), int(rebuy.Hours()/24), n.ending[0].End.Format(time.DateOnly)))
	}
	if len(n.apart) > 0 {
		says = append(says, fmt.Sprintf("not netted from the usage, as it is taken off afterwards: %s %s of %s of what is to be bought", decimal(sumHeld(n.apart, worth)), unit, count(len(n.apart), "commitment")))
	}
	return says
}

// decimal writes a level given in Units as a plain number, cut to four decimals.
func decimal(level *big.Rat) string {
	text := over(level, whole(int64(One))).FloatString(4)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

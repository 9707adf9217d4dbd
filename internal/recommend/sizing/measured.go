package sizing

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"bursar/internal/cloud"
)

// A resource-based commitment of Google is made to measure of vCPUs and of memory: each
// is a pool of usage, with a rate of its own, and they are bought together as one line
// with a quantity of 1.

// measured takes a commitment apart into its resources.
func (h Held) measured(c cloud.Commitment, account cloud.Account) ([]Held, error) {
	var list []Held
	for _, key := range []string{"vcpu", "memory_gb"} {
		if c.Attributes[key] == "" {
			continue // a commitment to accelerators alone
		}
		g, what, err := goodsOf(c.Lane, cloud.Attributes{"type": c.Attributes["type"], resourceKey: key}, c.Hourly.Currency())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		n, _, err := parseUnits(c.Attributes[key], false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		sum := new(big.Int).Mul(big.NewInt(int64(n)), big.NewInt(c.Quantity))
		if !sum.IsInt64() || sum.Int64() > int64(maxHour) {
			return nil, fmt.Errorf("%s: %s times %d %w", key, c.Attributes[key], c.Quantity, errTooLarge)
		}
		part := h
		g.pool.Account = account
		part.Pool, part.Units = g.pool, Units(sum.Int64())
		list = append(list, part)
	}
	return list, nil
}

// sums are the exact fractions behind the numbers of a proposal, as costs over its term,
// so that several can be told as one.
type sums struct {
	outcome
	committed *big.Rat // on-demand cost of all that it could cover
	reached   *big.Rat // on-demand cost of the usage that is covered, with what is held
	usage     *big.Rat // on-demand cost of all usage of the pool
	falls     []outcome
}

func (a sums) plus(b sums) sums {
	join := func(a, b outcome) outcome {
		return outcome{covered: new(big.Rat), level: new(big.Rat), avoided: plus(a.avoided, b.avoided), total: plus(a.total, b.total), onDemand: plus(a.onDemand, b.onDemand)}
	}
	out := sums{outcome: join(a.outcome, b.outcome), committed: plus(a.committed, b.committed), reached: plus(a.reached, b.reached), usage: plus(a.usage, b.usage)}
	for i := range a.falls {
		out.falls = append(out.falls, join(a.falls[i], b.falls[i]))
	}
	return out
}

// joinMeasured makes one proposal of those for the resources of one commitment. One
// resource alone cannot be bought.
func (s *sizer) joinMeasured() error {
	type whole struct {
		cloud.Lane
		family, currency string
		term             cloud.Term
		payment          cloud.Payment
	}
	by := map[whole][]Proposal{}
	var order []whole
	var rest []Proposal
	for _, p := range s.r.Proposals {
		if !kinds[p.Provider][p.Service].measured {
			rest = append(rest, p)
			continue
		}
		k := whole{cloud.Lane{Provider: p.Provider, Account: p.Account, Region: p.Region, Service: p.Service}, p.Family, p.Currency, p.Term, p.Payment}
		if by[k] == nil {
			order = append(order, k)
		}
		by[k] = append(by[k], p)
	}
	var joined []Proposal
	for _, k := range order {
		if len(by[k]) < len(measures) {
			alone := by[k][0]
			s.drop(alone.Pool.String(), "a commitment is to vCPUs and memory together, and only %s of %s carry one for %s %s", alone.Measure, alone.Buys[resourceKey], alone.Term, alone.Payment)
			continue
		}
		p, err := joinProposals(by[k])
		if err != nil {
			return fmt.Errorf("%s %s: %w", k.Lane, k.family, err)
		}
		joined = append(joined, p)
	}
	if len(order) > 0 {
		s.r.Proposals = append(rest, joined...)
		slices.SortStableFunc(s.r.Proposals, func(a, b Proposal) int {
			if x, y := IsPlan(a.Service), IsPlan(b.Service); x != y { // plans last
				if x {
					return 1
				}
				return -1
			}
			return strings.Compare(a.Pool.String(), b.Pool.String())
		})
	}
	return nil
}

// joinProposals adds up the proposals for the resources of one commitment. Coverage and
// utilization are shares of on-demand cost.
func joinProposals(list []Proposal) (Proposal, error) {
	out := list[0]
	out.Buys = cloud.Attributes{"type": out.Family}
	out.Attributes = cloud.Attributes{"type": out.Family}
	out.Quantity, out.Why, out.Dropped, out.Drops = 1, nil, nil, nil
	all, measure := list[0].sums, []string{}
	for i, p := range list {
		key := p.Buys[resourceKey]
		out.Buys[key] = fmt.Sprint(p.Quantity)
		measure = append(measure, p.Measure+" "+measures[key])
		for _, why := range p.Why {
			out.Why = append(out.Why, measures[key]+": "+why)
		}
		out.Dropped = append(out.Dropped, p.Dropped...)
		if i == 0 {
			continue
		}
		all = all.plus(p.sums)
		var err error
		if out.Upfront, err = out.Upfront.Add(p.Upfront); err != nil {
			return out, err
		}
		if out.Hourly, err = out.Hourly.Add(p.Hourly); err != nil {
			return out, err
		}
		if out.Total, err = out.Total.Add(p.Total); err != nil {
			return out, err
		}
	}
	slices.Reverse(measure)
	out.Measure = strings.Join(measure, " and ")
	return out, out.tell(all)
}

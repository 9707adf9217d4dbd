package sizing

import (
	"math/big"
	"slices"
	"sort"
)

// profile is the usage of a pool, hour by hour, after what is covered hour by hour was
// taken off.
type profile struct {
	first  int     // hour of v[0]
	v      []int64 // by hour
	gap    []bool  // hours that are left out; nil for none
	sorted []int64 // of the hours that count
	prefix []int64 // sums of sorted: prefix[i] of the first i
	// days are the greatest hours of the days, greatest first.
	days []int64
	// usage is the sum of all usage in the hours that count, with what was taken off.
	usage *big.Int
}

// newProfile takes over v.
func newProfile(first int, v []int64, gap []bool, usage *big.Int) *profile {
	p := &profile{first: first, v: v, gap: gap, usage: usage, sorted: make([]int64, 0, len(v))}
	day, most := -1, int64(0)
	for i, n := range v {
		if d := (first + i) / 24; d != day {
			if day >= 0 {
				p.days = append(p.days, most)
			}
			day, most = d, 0
		}
		if gap != nil && gap[i] {
			continue
		}
		most = max(most, n)
		p.sorted = append(p.sorted, n)
	}
	p.days = append(p.days, most)
	slices.Sort(p.days)
	slices.Reverse(p.days)
	slices.Sort(p.sorted)
	p.prefix = make([]int64, len(p.sorted)+1)
	for i, n := range p.sorted {
		p.prefix[i+1] = p.prefix[i] + n
	}
	return p
}

func (p *profile) n() int { return len(p.sorted) }

// total is the usage that the profile is of, in Units times hours.
func (p *profile) total() int64 { return p.prefix[p.n()] }

// below counts the hours with less usage than a level.
func (p *profile) below(level *big.Rat) int {
	up := floor(new(big.Rat).Neg(level)) // the ceiling, negated
	if up.Neg(up); !up.IsInt64() {
		return p.n()
	}
	at := up.Int64()
	return sort.Search(p.n(), func(i int) bool { return p.sorted[i] >= at })
}

// covered is how much of the usage a commitment to a level covers: the sum over the
// hours of the smaller of usage and level, in Units times hours.
func (p *profile) covered(level *big.Rat) *big.Rat {
	i := p.below(level)
	return plus(whole(p.prefix[i]), times(level, whole(int64(p.n()-i))))
}

// levelOf is the lowest level that covers a sum, which is at most the total.
func (p *profile) levelOf(sum *big.Rat) *big.Rat {
	i := sort.Search(p.n(), func(i int) bool {
		return plus(whole(p.prefix[i]), times(whole(p.sorted[i]), whole(int64(p.n()-i)))).Cmp(sum) >= 0
	})
	if i == p.n() {
		return whole(p.sorted[p.n()-1])
	}
	return over(minus(sum, whole(p.prefix[i])), whole(int64(p.n()-i)))
}

// percentile is the lowest usage that at least so many per cent of the hours do not
// exceed.
func (p *profile) percentile(percent int) int64 {
	return p.sorted[max(0, (p.n()*percent+99)/100-1)]
}

// carried is the highest level that so many days reach, at least one hour of each.
func (p *profile) carried(days int) int64 {
	switch {
	case days == 0:
		return p.days[0]
	case days > len(p.days):
		return 0
	}
	return p.days[days-1]
}

// daysAt counts the days that reach a level.
func (p *profile) daysAt(level *big.Rat) int {
	return sort.Search(len(p.days), func(i int) bool { return whole(p.days[i]).Cmp(level) < 0 })
}

package policy

import (
	"fmt"
	"math/big"
	"strings"

	"bursar/internal/cloud"
	"bursar/internal/recommend"
	"bursar/internal/recommend/sizing"
)

// What is owned is taken off what is wanted: first what covers just the goods of a line,
// and then what the cloud applies to other sizes of their family. Every commitment is
// taken off once, however many lines it could cover. Quantities are counted in units,
// which are quarters of normalized units where sizes count together, and else things.

// goods is what one of a draft or of a commitment counts for.
type goods struct {
	family string // "" where no other size counts
	name   string // of the size, for people
	units  int64  // of one
}

func goodsOf(lane cloud.Lane, a cloud.Attributes) goods {
	if family, name, units, ok := sizing.Flexible(lane, a); ok {
		return goods{family, name, units}
	}
	return goods{units: 1}
}

// share is what of a commitment is taken off a line.
type share struct {
	owned int // in the situation
	of    goods
	units int64
	spare int64 // of units, that the line does not need and other sizes have
	other bool  // another size of the family
	old   bool  // it was active before the advice looked
}

// netting is what is owned, of one line.
type netting struct {
	goods
	usage  int64 // in units, that is to be covered
	target int64 // of it, in units
	pct    int
	at     recommend.Position
	shares []share
	ends   owned // not counted
	renew  owned // counted, and renewed by its cloud
	recent int   // days
}

// want is what is left to buy, in units.
func (n *netting) want() int64 {
	left := n.target
	for _, s := range n.shares {
		left -= s.units
	}
	return max(0, left)
}

// aim sets how much is to be covered of the usage: in whole ones, if it is whole.
func (n *netting) aim() {
	if n.usage%n.units == 0 {
		whole, _ := recommend.Part(n.usage/n.units, n.pct)
		n.target = whole * n.units
		return
	}
	n.target = new(big.Int).Div(new(big.Int).Mul(big.NewInt(n.usage), big.NewInt(int64(n.pct))), big.NewInt(100)).Int64()
}

// net gives every candidate its share of what is owned.
func (r *Run) net(all []*candidate) {
	left := make([]int64, len(r.s.Owned)) // units of each commitment that no line has
	home := make([]bool, len(r.s.Owned))  // a line is for just these goods
	of := make([]goods, len(r.s.Owned))
	for i, o := range r.s.Owned {
		of[i] = goodsOf(o.Lane, o.Attributes)
		left[i] = o.Quantity * of[i].units
	}
	for _, c := range all {
		r.netSame(c, of, left, home)
	}
	for _, c := range all {
		r.netSizes(c, of, left, home)
	}
}

// netSame takes off a line what covers just its goods. What of it is younger than the
// advice and more than the line wants is left for other sizes.
func (r *Run) netSame(c *candidate, of []goods, left []int64, home []bool) {
	d := &c.draft
	n := &netting{goods: goodsOf(laneOf(*d), d.Attributes), recent: r.policy.Recent.N}
	if n.recent == 0 {
		n.recent = max(d.Claim.Window, defaultRecent)
	}
	n.pct, n.at = r.policy.coverage(*d)
	if r.s.Coverage > 0 {
		n.pct, n.at = r.s.Coverage, recommend.Position{File: "--coverage"}
	}
	c.net = n
	n.usage = c.advised * n.units
	for i, o := range r.s.Owned {
		if home[i] || !Covers(o.Lane, o.Attributes, *d) {
			continue
		}
		home[i] = true
		old := r.old(o, d.Claim, n.recent)
		if old {
			n.usage += left[i]
		}
		switch {
		case r.ends(o):
			n.ends.add(o)
			continue
		case o.Renews && r.soon(o):
			n.renew.add(o)
		}
		n.shares = append(n.shares, share{owned: i, of: of[i], units: left[i], old: old})
		left[i] = 0
	}
	n.aim()
	if n.family == "" {
		return
	}
	// What is more than the target covers other sizes, but not what the advice has left
	// out already.
	over := -n.target
	for _, s := range n.shares {
		over += s.units
	}
	for k := len(n.shares) - 1; k >= 0 && over > 0; k-- {
		s := &n.shares[k]
		if s.old {
			continue
		}
		s.spare = min(over, s.units)
		left[s.owned] = s.spare
		over -= s.spare
	}
}

// netSizes takes off a line what other sizes of its family cover. Usage that is sized here
// has been netted of them there.
func (r *Run) netSizes(c *candidate, of []goods, left []int64, home []bool) {
	n := c.net
	if n.family == "" || c.draft.Claim.Usage {
		return
	}
	for i, o := range r.s.Owned {
		// What a line of its own size has left over is younger than that line's advice.
		if home[i] || of[i].family != n.family || r.ends(o) || left[i] == 0 || !r.old(o, c.draft.Claim, n.recent) {
			continue
		}
		n.usage += left[i]
		n.shares = append(n.shares, share{owned: i, of: of[i], units: left[i], other: true, old: true})
		left[i] = 0
	}
	n.aim()
	for i, o := range r.s.Owned {
		if left[i] == 0 || of[i].family != n.family || r.ends(o) {
			continue
		}
		if units := min(left[i], n.want()); units > 0 {
			n.shares = append(n.shares, share{owned: i, of: of[i], units: units, other: true})
			left[i] -= units
		}
	}
}

// old reports whether a commitment was active before advice looked, which is then not
// for the usage that it covers.
func (r *Run) old(o Owned, claim recommend.Claim, recent int) bool {
	return o.Held == Active && !claim.Usage && o.Starts.Before(r.s.Now.Add(-Days{N: recent}.duration()))
}

// need is how much is wanted in the end: what is to be covered less what is owned.
func (r *Run) need(c *candidate) bool {
	d, n := &c.draft, c.net
	before := int64(0)
	for _, s := range n.shares {
		if s.old {
			before += s.units
		}
	}
	for _, o := range n.ends.list {
		if r.old(o, d.Claim, n.recent) {
			before += o.Quantity * n.units
		}
	}
	of := n.amount(*d, n.usage)
	if before > 0 {
		of += fmt.Sprintf(" (%s advised, and %s that is active longer than %d days, which the advice leaves out)", d.Amount(c.advised), n.amount(*d, before), n.recent)
	}
	exact := n.part(*d)
	switch least, words := d.Least(); {
	case n.target < least*n.units:
		r.reject(c, "coverage", n.at, "%d%% of %s is %s, %s", n.pct, of, exact, words)
		return false
	case exact != n.amount(*d, n.target):
		c.say("coverage", n.at, "%d%% of %s is %s, rounded down to %s", n.pct, of, exact, n.amount(*d, n.target))
	case n.pct < 100 || before > 0 || n.at.File != "":
		c.say("coverage", n.at, "%d%% of %s is %s", n.pct, of, n.amount(*d, n.target))
	}
	left := n.target
	for _, held := range []Held{Active, Queued, Planned} {
		var same owned
		units := int64(0)
		for _, s := range n.shares {
			if o := r.s.Owned[s.owned]; o.Held == held && !s.other {
				same.add(o)
				units += s.units
			}
		}
		if len(same.list) > 0 {
			left = max(0, left-units)
			c.say("net", recommend.Position{}, "%s %s already: %s; %s is left", n.amount(*d, units), held, same.names(), n.amount(*d, left))
		}
		for _, s := range n.shares {
			o := r.s.Owned[s.owned]
			if o.Held != held || !s.other {
				continue
			}
			left = max(0, left-s.units)
			one := owned{}
			one.add(o)
			c.say("net", recommend.Position{}, "%s %s %s are %s of %s: %s; %s is left", s.of.number(s.units), s.of.name, held, n.number(s.units), n.name, one.names(), n.amount(*d, left))
		}
	}
	if n.ends.n > 0 && len(c.renews) == 0 {
		c.say("rebuy", r.policy.Rebuy.At, "not counted, as it ends within %d days: %s", r.policy.Rebuy.N, n.ends.names())
	}
	if n.renew.n > 0 {
		c.say("rebuy", r.policy.Rebuy.At, "counted, as the cloud renews it by itself: %s; turn its renewal off to have it planned here", n.renew.names())
	}
	want := n.want()
	if want > 0 && want < n.units {
		r.reject(c, "net", recommend.Position{}, "%s is left, less than one", n.amount(*d, want))
		return false
	}
	return r.take(c, want/n.units, "net", recommend.Position{}, "nothing is left to buy")
}

// number writes units as a number of goods: "2", "1.5".
func (g goods) number(units int64) string {
	text := big.NewRat(units, g.units).FloatString(4)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// amount writes units of a draft.
func (g goods) amount(d recommend.Draft, units int64) string {
	if units%g.units == 0 {
		return d.Amount(units / g.units)
	}
	return g.number(units)
}

// part writes what is to be covered before it is rounded.
func (n *netting) part(d recommend.Draft) string {
	if n.usage%n.units != 0 {
		return n.amount(d, n.target)
	}
	return d.Share(recommend.Part(n.usage/n.units, n.pct))
}

// defaultRecent is how many days advice is taken to look back where it does not say.
const defaultRecent = 30

// owned sums up what is owned.
type owned struct {
	n    int64
	list []Owned
}

func (o *owned) add(one Owned) {
	o.n += one.Quantity
	o.list = append(o.list, one)
}

func (o *owned) names() string {
	const most = 10
	var names []string
	for _, one := range o.list[:min(most, len(o.list))] {
		text := one.Name
		if !one.Ends.IsZero() {
			text += " until " + day(one.Ends)
		}
		names = append(names, text)
	}
	if more := len(o.list) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
)

// Situation is what an application rests on besides the policy and the advice.
type Situation struct {
	Now      time.Time // UTC
	Owned    []Owned
	Past     []Past             // what was planned under the policy and is bought, or may yet be
	Verdicts map[string]Verdict // of people on advice, by Key
	Coverage int                // per cent, instead of the policy's rules; 0: the rules
}

// Held says how something is owned.
type Held string

// The ways of owning.
const (
	Active  Held = "active"  // listed by the cloud, or bought a moment ago
	Queued  Held = "queued"  // ordered for a later second
	Planned Held = "planned" // a line of a plan that is not bought yet
)

// Owned is a commitment, or what may become one.
type Owned struct {
	Lane       cloud.Lane
	Attributes cloud.Attributes
	Term       cloud.Term
	Payment    cloud.Payment
	Quantity   int64
	Unit       money.Amount // of an offering by amount
	Currency   string
	Held       Held
	Starts     time.Time // of what is active
	Ends       time.Time
	Renews     bool   // at its end, by itself
	Name       string // "commitment ri-1", "line 2 of plan 01..."
}

// Past is a line of an earlier plan of the policy.
type Past struct {
	Plan     string
	At       time.Time // of the plan
	Lane     cloud.Lane
	Goods    cloud.Attributes
	Offering cloud.Offering
	Price    cloud.Price
	Quantity int64
	// Tolerance is that of its plan.
	Tolerance purchase.Tolerance
}

// Verdict is what a person said about advice.
type Verdict struct {
	Until  time.Time // of a snooze; zero: dismissed
	By     string
	Reason string
}

// Step is one thing that a rule did, or a number that it used.
type Step struct {
	Rule string `json:"rule"`         // "coverage", "net", "caps" ...
	At   string `json:"at,omitempty"` // where it is written; "" where nothing is
	Says string `json:"says"`
}

// Entry is the story of one piece of advice.
type Entry struct {
	Line  int    // of the plan; 0: dropped
	Key   string // what it is about; "" for what was no advice that could be read
	About string
	Where string // in the input
	What  string
	Steps []Step // the last one of a dropped entry says why
}

// Result is what a policy makes of advice.
type Result struct {
	Input     recommend.Input  // with the lines of the plan
	Offerings []cloud.Offering // of its drafts
	Entries   []Entry          // of the lines, in their order, and then of what was dropped
	// Tranche counts the tranches of the ladder, this one included; 0 without one.
	Tranche int
	// Shut: nothing at all may be planned now, and why.
	Shut *Step
}

// Run is an application under way.
type Run struct {
	policy     *Policy
	in         recommend.Input
	s          Situation
	tolerance  purchase.Tolerance // of the plan: caps count the highest price that it allows
	candidates []*candidate
	dropped    []*candidate
	shut       *Step
	tranche    int
}

// candidate is a draft that may become a line.
type candidate struct {
	draft   recommend.Draft // with the quantity that is wanted so far
	advised int64           // by the source; 0 of a renewal
	renews  []Owned         // of a renewal: what ends
	order   int             // in the input; renewals come after it
	steps   []Step

	mixed    *mixed // of a part of a mix; nil of others
	part     Part
	nth      int // of the parts
	net      *netting
	offering cloud.Offering
	saved    int64 // hundredths of a per cent; -1: not known
}

func (c *candidate) say(rule string, at recommend.Position, format string, args ...any) {
	place := ""
	if at.File != "" {
		place = at.String()
	}
	c.steps = append(c.steps, Step{rule, place, fmt.Sprintf(format, args...)})
}

// Choose begins an application: it drops what the policy does not want whatever it
// costs, and adds what ends soon. Drafts tells what is left.
func (p *Policy) Choose(in recommend.Input, s Situation) *Run {
	if p.Tolerance != nil {
		in.ToleranceBP = *p.Tolerance
	}
	r := &Run{policy: p, in: in, s: s, tolerance: purchase.Tolerance(in.ToleranceBP)}
	for i, l := range in.Left {
		r.dropped = append(r.dropped, &candidate{order: i - len(in.Left), draft: recommend.Draft{At: l.At, Note: l.What}, steps: []Step{{"input", "", l.Why}}})
	}
	var all []*candidate
	for i, d := range in.Drafts {
		if d.Purpose == "" {
			d.Purpose = p.Purpose
		}
		c := &candidate{draft: d, advised: d.Quantity, order: i, saved: -1}
		c.say("advice", recommend.Position{}, "%s", advised(d))
		for _, why := range d.Claim.Why {
			c.say("sizing", recommend.Position{}, "%s", why)
		}
		all = append(all, c)
	}
	r.shut = p.shut(s, &r.tranche)
	if r.shut == nil {
		all = append(all, r.renewals(all)...)
	}
	for _, c := range all {
		switch {
		case r.shut != nil:
			r.drop(c, *r.shut)
		case r.unwanted(c):
		default:
			r.candidates = append(r.candidates, c)
		}
	}
	r.divide()
	r.preferred()
	return r
}

// advised says what the source says.
func advised(d recommend.Draft) string {
	text := "the input asks for " + d.Amount(d.Quantity)
	if d.Claim.Source != "" {
		text = d.Claim.Source
		if d.Claim.Window > 0 {
			text += fmt.Sprintf(", %d days of usage,", d.Claim.Window)
		}
		text += " advises " + d.Amount(d.Quantity)
	}
	if d.Claim.Usage {
		text += ", of all usage"
	}
	if saves, ok, err := d.Claim.Saves(d.Quantity); ok && err == nil {
		text += ", and expects to save " + saves.String() + " a month"
	}
	return text + "; " + d.Term.String() + " " + string(d.Payment)
}

// Drafts are the drafts that are to be looked up and priced.
func (r *Run) Drafts() []recommend.Draft {
	drafts := make([]recommend.Draft, len(r.candidates))
	for i, c := range r.candidates {
		drafts[i] = c.draft
	}
	return drafts
}

func (r *Run) drop(c *candidate, s Step) {
	c.steps = append(c.steps, s)
	r.dropped = append(r.dropped, c)
}

// reject drops a candidate by a rule.
func (r *Run) reject(c *candidate, rule string, at recommend.Position, format string, args ...any) {
	c.say(rule, at, format, args...)
	r.dropped = append(r.dropped, c)
}

// Size ends an application. The offerings are those of Drafts, in their order; advised
// are the drafts, by their place, that nobody can buy, with the reason: their
// offerings are left out.
func (r *Run) Size(offerings []cloud.Offering, advised map[int]error) (*Result, error) {
	var worth, priced []*candidate
	for i, c := range r.candidates {
		if why, is := advised[i]; is {
			r.reject(c, "offering", recommend.Position{}, "%v", why)
			continue
		}
		if len(offerings) == 0 {
			return nil, errors.New("a draft has no offering")
		}
		c.offering, offerings = offerings[0], offerings[1:]
		kept, err := r.worth(c)
		if err != nil {
			return nil, err
		}
		if kept {
			worth = append(worth, c)
		}
	}
	// A mix is decided about by the first of its parts.
	var decided []*candidate
	parts := map[*mixed][]*candidate{}
	for _, c := range worth {
		if c.mixed == nil || parts[c.mixed] == nil {
			decided = append(decided, c)
		}
		if c.mixed != nil {
			parts[c.mixed] = append(parts[c.mixed], c)
		}
	}
	r.net(decided)
	for _, c := range decided {
		said, payment := len(c.steps), c.draft.Payment
		if c.mixed != nil { // its parts are rounded to what is sold, and not the whole
			c.mixed.said, c.draft.Payment = said, cloud.NoUpfront
		}
		wanted := r.need(c) && r.step(c)
		c.draft.Payment = payment
		switch {
		case c.mixed == nil && wanted:
			priced = append(priced, c)
		case wanted:
			priced = append(priced, r.deal(c.mixed, parts[c.mixed])...)
		case c.mixed != nil:
			for _, other := range parts[c.mixed][1:] {
				other.steps = append(other.steps, c.steps[said:]...)
				r.dropped = append(r.dropped, other)
			}
		}
	}
	kept, err := r.bound(priced)
	if err != nil {
		return nil, err
	}
	return r.result(kept)
}

// result puts the lines in the order of the input, and tells the rest.
func (r *Run) result(kept []*candidate) (*Result, error) {
	slices.SortFunc(kept, func(a, b *candidate) int { return cmp.Or(a.order-b.order, a.nth-b.nth) })
	slices.SortStableFunc(r.dropped, func(a, b *candidate) int { return a.order - b.order })
	out := &Result{Input: r.in, Tranche: r.tranche, Shut: r.shut}
	out.Input.Name, out.Input.Drafts, out.Input.Left = r.policy.Name, nil, nil
	for i, c := range kept {
		price, err := c.offering.Price(c.draft.Quantity)
		if err != nil {
			return nil, err
		}
		text := fmt.Sprintf("%s: %s upfront, %s per hour, %s over %s", c.draft.Amount(c.draft.Quantity), price.Upfront, price.Hourly, price.Total, c.draft.Term)
		if saves, known, err := c.draft.Claim.Saves(c.draft.Quantity); err != nil {
			return nil, err
		} else if known {
			text += "; it is expected to save " + saves.String() + " a month"
		}
		c.say("price", recommend.Position{}, "%s", text)
		out.Input.Drafts = append(out.Input.Drafts, c.draft)
		out.Offerings = append(out.Offerings, c.offering)
		out.Entries = append(out.Entries, c.entry(i+1))
	}
	for _, c := range r.dropped {
		out.Entries = append(out.Entries, c.entry(0))
	}
	return out, nil
}

func (c *candidate) entry(line int) Entry {
	if c.draft.Provider == "" { // what could not be read
		return Entry{Where: c.draft.At.String(), What: c.draft.Note, Steps: c.steps}
	}
	d := c.draft
	if line == 0 && c.advised > 0 {
		d.Quantity = c.advised
	}
	return Entry{Line: line, Key: Key(d), About: About(d), Where: d.At.String(), What: d.What(), Steps: c.steps}
}

package policy

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
)

// ratio is a / b in parts of whole, rounded down; b is more than zero, else it is 0.
func ratio(a, b money.Amount, whole int64) int64 {
	x, okA := new(big.Rat).SetString(a.Decimal())
	y, okB := new(big.Rat).SetString(b.Decimal())
	if !okA || !okB || y.Sign() <= 0 {
		return 0
	}
	x.Quo(x, y).Mul(x, new(big.Rat).SetInt64(whole))
	return new(big.Int).Div(x.Num(), x.Denom()).Int64()
}

// times is n * num / den rounded down. Quantities are below 2^40, parts below 2^14.
func times(n, num, den int64) int64 { return n * num / den }

// bound trims candidates until every cap holds, those first kept that save the
// largest part.
func (r *Run) bound(all []*candidate) ([]*candidate, error) {
	caps := slices.Clone(r.policy.Caps)
	for i := range caps {
		caps[i].rule = "caps"
	}
	if l := r.policy.Ladder; l != nil && l.PerHour.Currency() != "" {
		caps = append(caps, Cap{Of: purchase.OfHourly, Per: PerRun, Most: l.PerHour, At: l.stepAt, rule: "ladder"})
	}
	slices.SortStableFunc(all, func(a, b *candidate) int { return cmp.Compare(b.saved, a.saved) })
	used := map[bucket]money.Amount{}
	if err := r.spent(caps, used); err != nil {
		return nil, err
	}
	var kept []*candidate
	for _, c := range all {
		ok, err := r.fit(c, caps, used)
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// bucket is what is counted against one cap: together, or by account.
type bucket struct {
	cap     int
	account cloud.Account
}

func (c Cap) bucket(i int, a cloud.Account) bucket {
	if c.Per == PerAccount {
		return bucket{i, a}
	}
	return bucket{i, ""}
}

func (c Cap) covers(a cloud.Account) bool { return c.Account == "" || c.Account == a }

// spent counts what was planned under the policy in this month.
func (r *Run) spent(caps []Cap, used map[bucket]money.Amount) error {
	for i, c := range caps {
		if c.Per != PerMonth {
			continue
		}
		for _, past := range r.s.Past {
			if monthOf(past.At) != monthOf(r.s.Now) || !c.covers(past.Lane.Account) || past.Price.Total.Currency() != c.Most.Currency() {
				continue
			}
			n, err := c.takes(past.Offering, past.Price, past.Tolerance)
			if err != nil {
				return err
			}
			if err := add(used, c.bucket(i, past.Lane.Account), n); err != nil {
				return err
			}
		}
	}
	return nil
}

func monthOf(t time.Time) string { return t.UTC().Format("2006-01") }

// takes is what a line takes of a cap: the measures are those of budgets.
func (c Cap) takes(o cloud.Offering, price cloud.Price, t purchase.Tolerance) (money.Amount, error) {
	return purchase.Budget{Of: c.Of, Cap: c.Most}.Takes(purchase.Line{Spec: purchase.Spec{Offering: o, Price: price}}, t)
}

func add(used map[bucket]money.Amount, b bucket, n money.Amount) error {
	sum, ok := used[b]
	if !ok {
		used[b] = n
		return nil
	}
	sum, err := sum.Add(n)
	used[b] = sum
	return err
}

// fit trims a candidate to what every cap leaves, and counts it.
func (r *Run) fit(c *candidate, caps []Cap, used map[bucket]money.Amount) (bool, error) {
	currency := c.offering.Hourly.Currency()
	for i, limit := range caps {
		if !limit.covers(c.draft.Account) {
			continue
		}
		if currency != limit.Most.Currency() {
			r.reject(c, limit.rule, limit.At, "it is billed in %s and the cap is in %s: there is no exchange rate", currency, limit.Most.Currency())
			return false, nil
		}
		left := limit.Most
		if sum, ok := used[limit.bucket(i, c.draft.Account)]; ok {
			var err error
			if left, err = left.Sub(sum); err != nil {
				return false, err
			}
		}
		n, err := r.most(c, limit, left)
		if err != nil {
			return false, err
		}
		if n == c.draft.Quantity {
			continue
		}
		says := fmt.Sprintf("at most %s %s: %s is left, enough for %s of %s", limit.Most, limit.says(), atLeastZero(left), c.draft.Amount(n), c.draft.Amount(c.draft.Quantity))
		if n == 0 {
			r.reject(c, limit.rule, limit.At, "at most %s %s: the %s that is left is enough for none of %s", limit.Most, limit.says(), atLeastZero(left), c.draft.Amount(c.draft.Quantity))
			return false, nil
		}
		c.say(limit.rule, limit.At, "%s", says)
		if !r.take(c, n, limit.rule, limit.At, "nothing is left") {
			return false, nil
		}
	}
	price, err := c.offering.Price(c.draft.Quantity)
	if err != nil {
		return false, err
	}
	for i, limit := range caps {
		if !limit.covers(c.draft.Account) {
			continue
		}
		n, err := limit.takes(c.offering, price, r.tolerance)
		if err != nil {
			return false, err
		}
		if err := add(used, limit.bucket(i, c.draft.Account), n); err != nil {
			return false, err
		}
	}
	return true, nil
}

func atLeastZero(a money.Amount) money.Amount {
	if a.Sign() < 0 {
		return money.Zero(a.Currency())
	}
	return a
}

// most is the largest quantity of a candidate that takes no more than left.
func (r *Run) most(c *candidate, limit Cap, left money.Amount) (int64, error) {
	low, high := int64(0), c.draft.Quantity // low fits, above high nothing does
	for low < high {
		mid := low + (high-low+1)/2
		price, err := c.offering.Price(mid)
		if err != nil {
			return 0, err
		}
		n, err := limit.takes(c.offering, price, r.tolerance)
		if err != nil {
			return 0, err
		}
		order, err := n.Cmp(left)
		if err != nil {
			return 0, err
		}
		if order <= 0 {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low, nil
}

// says describes what a cap counts: "of total commitment per run".
func (c Cap) says() string {
	text := map[purchase.Measure]string{
		purchase.OfTotal: "of total commitment", purchase.OfUpfront: "upfront", purchase.OfHourly: "of commitment per hour",
	}[c.Of] + " per " + string(c.Per)
	if c.rule == "ladder" {
		text = "of commitment per hour in a tranche"
	}
	if c.Account != "" {
		text += " in account " + string(c.Account)
	}
	return text
}

package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/recommend/policy"
	"bursar/internal/recommend/sizing"
)

// usageFormat is the format of an input that was sized from usage.
const usageFormat recommend.Format = "usage"

// usageInput sizes usage and returns the proposals as what a plan is made of. Prices are
// those of the clouds' catalogs unless the request says otherwise.
//
// Every commitment is netted exactly once. Without a policy sizing nets all of them. With
// one it is policy.Covers that decides, on both sides: what covers the goods that a
// proposal buys is netted by the policy, out of a quantity that is of all usage
// (Claim.Usage), and sizing leaves it; what covers the same usage otherwise, such as
// another size of a family, the policy cannot know, and sizing nets it. What is planned
// in a plan that this one replaces is netted by neither.
func (a *App) usageInput(ctx context.Context, r api.PlanRequest) (recommend.Input, error) {
	w := whatIf{r: *r.Usage, app: a, clouds: a.clouds, extra: cloud.Attributes{}}
	if w.r.Prices == "" && w.r.Discount == "" {
		w.r.Prices = pricesCatalog
	}
	w.r.Held = heldInventory
	if err := w.read(); err != nil {
		return recommend.Input{}, err
	}
	byPolicy := r.Policy != ""
	if byPolicy {
		pol, _, err := readPolicy(r.Policy, r.PolicyContent)
		if err != nil {
			return recommend.Input{}, err
		}
		under, err := a.db.PlanPolicies(ctx)
		if err != nil {
			return recommend.Input{}, err
		}
		w.o.Rebuy = days(pol.Rebuy.N)
		if w.r.Term == "" && w.r.Payment == "" {
			w.o.Terms = pol.Preferred
		}
		w.o.Apart = func(h sizing.Held, buys cloud.Attributes) bool {
			return !sizing.Measured(h.Lane.Provider, h.Lane.Service) && policy.Covers(h.Lane, h.Attributes, w.draftOf(h.Pool, buys))
		}
		w.replaced = func(p *purchase.Plan) bool {
			return p.State == purchase.PlanProposed && under[p.Lineage].Policy == pol.Name
		}
	} else if r.Supersedes != "" {
		p, err := a.plan(ctx, r.Supersedes)
		if err != nil {
			return recommend.Input{}, err
		}
		w.replaced = func(q *purchase.Plan) bool { return q.Lineage == p.Lineage }
	}
	done, err := a.sizingTurn(ctx)
	if err != nil {
		return recommend.Input{}, err
	}
	defer done()
	u, err := w.usage()
	if err == nil {
		err = w.inScope(ctx, u)
	}
	if err != nil {
		return recommend.Input{}, err
	}
	report, err := w.size(ctx, u)
	if err != nil {
		return recommend.Input{}, err
	}
	file := u.File
	in := recommend.Input{Format: usageFormat, Name: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))}
	for _, d := range report.Dropped {
		in.Left = append(in.Left, recommend.Left{At: recommend.Position{File: file}, What: d.What, Why: d.Why})
	}
	window := max(1, int(report.Until.Sub(report.From).Hours())/24)
	for _, p := range report.Proposals {
		d, err := w.draft(p)
		if err != nil {
			return recommend.Input{}, err
		}
		d.At = recommend.Position{File: file, Field: p.Pool.String()}
		d.Note = fmt.Sprintf("sized from %d days of usage until %s by %s", window, report.Until.Format("2006-01-02T15:04Z"), p.Method)
		if why := w.unbuyable(d); why != "" {
			in.Left = append(in.Left, recommend.Left{At: d.At, What: d.What(), Why: why})
			continue
		}
		d.Claim.Source, d.Claim.Window, d.Claim.Usage = "sizing of "+file+" by "+p.Method, window, byPolicy
		in.Drafts = append(in.Drafts, d)
	}
	return in, nil
}

// draftOf is a draft that buys goods for a pool, without a quantity.
func (w *whatIf) draftOf(p sizing.Pool, buys cloud.Attributes) recommend.Draft {
	return recommend.Draft{
		Provider: p.Provider, Service: p.Service, Account: p.Account, Region: p.Region, Attributes: w.attributes(p.Provider, p.Service, buys), Currency: p.Currency,
	}
}

// draft is a proposal as a line of a plan, with what is claimed of it.
func (w *whatIf) draft(p sizing.Proposal) (recommend.Draft, error) {
	d := w.draftOf(p.Pool, p.Buys)
	d.Term, d.Payment, d.Quantity = p.Term, p.Payment, p.Quantity
	if !p.Unit.IsZero() {
		d.Unit = p.Unit.Canonical()
	}
	saved, err := p.SavedPerMonth()
	if err != nil {
		return d, err
	}
	d.Claim = recommend.Claim{Savings: saved, Of: p.Quantity, Why: slices.Clone(p.Why)}
	for _, x := range p.Dropped {
		d.Claim.Why = append(d.Claim.Why, "left out: "+x.What+": "+x.Why)
	}
	return d, nil
}

// unbuyable says why no line can buy what a draft asks for; "" if one can.
func (w *whatIf) unbuyable(d recommend.Draft) string {
	if d.Unit != "" {
		return "" // a plan of one kind does not have the attributes of others
	}
	var missing []string
	for _, key := range recommend.AttributeKeys(d.Provider, d.Service) {
		if d.Attributes[key] == "" {
			missing = append(missing, key)
		}
	}
	switch {
	case len(missing) > 0:
		return fmt.Sprintf("usage does not tell its %s: say it with --attribute %s=...", strings.Join(missing, " and "), missing[0])
	case d.Quantity > recommend.MaxQuantity:
		return fmt.Sprintf("one line buys at most %d", recommend.MaxQuantity)
	}
	return ""
}

// attributes adds to those that usage tells the ones that were named, as far as the
// service has them.
func (w *whatIf) attributes(p cloud.Provider, s cloud.Service, of cloud.Attributes) cloud.Attributes {
	all := maps.Clone(of)
	keys := recommend.AttributeKeys(p, s)
	for key, value := range w.extra {
		if slices.Contains(keys, key) {
			all[key] = cmp.Or(all[key], value)
		}
	}
	for key, value := range usual[p] {
		if slices.Contains(keys, key) {
			all[key] = cmp.Or(all[key], value)
		}
	}
	return all
}

// usual is what is bought unless --attribute says otherwise. Of AWS, reservations of the
// class that saves more, as its own recommendations do. Of Azure, for all subscriptions
// of the billing account, for all sizes of a group, and not again by itself.
var usual = map[cloud.Provider]cloud.Attributes{
	cloud.AWS:   {"offering_class": "standard"},
	cloud.Azure: {"scope": "shared", "flexible": "true", "renew": "false"},
}

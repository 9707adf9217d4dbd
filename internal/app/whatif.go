package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/recommend/sizing"
)

// Where a what-if takes committed prices from, and what is held.
const (
	pricesDiscount = "discount"
	pricesUsage    = "usage"
	pricesCatalog  = "catalog"
	heldUsage      = "usage"
	heldInventory  = "inventory"
	defaultTerm    = "1y"
	defaultPayment = "no-upfront"
)

// WhatIf sizes commitments from a file of usage. It buys nothing and stores nothing but
// what a listing of the inventory always stores, for which alone it opens a ledger.
func WhatIf(ctx context.Context, o Options, stdin io.Reader, r api.WhatIfRequest) (sizing.Report, error) {
	w := whatIf{r: r, extra: cloud.Attributes{}}
	if err := w.read(); err != nil {
		return sizing.Report{}, err
	}
	switch {
	case w.r.Held == heldInventory:
		a, err := Open(ctx, o)
		if err != nil {
			return sizing.Report{}, err
		}
		defer a.Close() //nolint:errcheck // nothing was written that matters here
		w.app, w.clouds = a, a.clouds
	case w.r.Prices == pricesCatalog:
		cfg, err := o.config()
		if err != nil {
			return sizing.Report{}, err
		}
		if w.clouds, err = openClouds(ctx, cfg, o.Endpoint, CloudsPath(o.Ledger)); err != nil {
			return sizing.Report{}, err
		}
		defer w.clouds.close() //nolint:errcheck // nothing was written
	}
	if r.Usage == "-" {
		w.r.Usage, w.r.Content = "stdin", stdin
	}
	u, err := w.usage()
	if err != nil {
		return sizing.Report{}, err
	}
	return w.size(ctx, u)
}

// size sizes usage as the request says.
func (w *whatIf) size(ctx context.Context, u *sizing.Usage) (sizing.Report, error) {
	var old string
	if w.o.AsOf.IsZero() {
		w.o.AsOf = time.Now().UTC()
		if w.clouds != nil {
			w.o.AsOf = w.clouds.now()
			if until := u.Until(); w.clouds.simulator != nil && until.Before(w.o.AsOf.Add(-w.o.MaxAge)) {
				w.o.AsOf = until
				old = "the usage is old and the clouds are simulated: it is sized as of its end"
			}
		}
	}
	if err := w.choose(u); err != nil {
		return sizing.Report{}, err
	}
	if err := w.price(ctx); err != nil {
		return sizing.Report{}, err
	}
	if w.r.Held == heldInventory {
		if err := w.hold(ctx); err != nil {
			return sizing.Report{}, err
		}
		w.o.Held = seen(ctx, w.o.Held, func(h sizing.Held) string { return string(h.Lane.Account) })
	}
	report, err := sizing.Size(u, w.o)
	if old != "" {
		report.Notes = append(report.Notes, old)
	}
	for i := range report.Proposals {
		w.complete(&report.Proposals[i])
	}
	return report, err
}

// WhatIf sizes the usage that a request carries, for pages. Who asks for prices or
// commitments of the clouds asks in accounts of their own scope only.
func (a *App) WhatIf(ctx context.Context, r api.WhatIfRequest) (api.WhatIf, error) {
	if err := a.reads(ctx); err != nil {
		return api.WhatIf{}, err
	}
	if r.Content == nil {
		return api.WhatIf{}, api.Errorf(api.Invalid, "usage: send it with the request: no file of the server is read")
	}
	done, err := a.sizingTurn(ctx)
	if err != nil {
		return api.WhatIf{}, err
	}
	defer done()
	w := whatIf{r: r, app: a, clouds: a.clouds, extra: cloud.Attributes{}}
	if err := w.read(); err != nil {
		return api.WhatIf{}, invalid(err)
	}
	u, err := w.usage()
	if err != nil {
		return api.WhatIf{}, invalid(err)
	}
	if err := w.inScope(ctx, u); err != nil {
		return api.WhatIf{}, err
	}
	report, err := w.size(ctx, u)
	if err != nil {
		return api.WhatIf{}, refused(ctx, err)
	}
	return whatIfView(report), nil
}

// sizingTurn waits until nobody else has usage sized, which takes much memory.
func (a *App) sizingTurn(ctx context.Context) (done func(), err error) {
	select {
	case a.sizing <- struct{}{}:
		return func() { <-a.sizing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// inScope refuses usage of accounts that whoever asks does not see, where their prices
// or commitments would be looked up.
func (w *whatIf) inScope(ctx context.Context, u *sizing.Usage) error {
	if w.r.Prices != pricesCatalog && w.r.Held != heldInventory {
		return nil
	}
	for _, p := range u.Pools() {
		if !sees(ctx, string(p.Account)) {
			return api.Errorf(api.Forbidden, "account %s of the usage is not in your scope: its prices and commitments are not looked up", p.Account)
		}
	}
	return nil
}

type whatIf struct {
	r            api.WhatIfRequest
	o            sizing.Options
	clouds       *clouds          // nil where none is asked
	app          *App             // nil where no inventory is asked for
	extra        cloud.Attributes // of what is bought, which usage does not tell
	discount     int
	planDiscount int
	replaced     func(*purchase.Plan) bool // its lines are not bought any more; nil: of none
}

// read judges the request.
func (w *whatIf) read() (err error) {
	r := w.r
	w.o = sizing.Defaults()
	if r.Usage == "" {
		return errors.New("name the file of usage: bursar what-if --usage FILE, or --usage - for standard input")
	}
	switch {
	case r.Coverage != 0 && r.Method != "" && r.Method != string(sizing.ByCoverage), r.Percentile != 0 && r.Method != "" && r.Method != string(sizing.ByPercentile),
		r.Coverage != 0 && r.Percentile != 0:
		return errors.New("--method, --coverage and --percentile contradict each other: use one of them")
	case r.Coverage != 0 || r.Method == string(sizing.ByCoverage):
		w.o.Method = sizing.Method{Kind: sizing.ByCoverage, Percent: r.Coverage}
	case r.Percentile != 0 || r.Method == string(sizing.ByPercentile):
		w.o.Method = sizing.Method{Kind: sizing.ByPercentile, Percent: r.Percentile}
	case r.Method != "":
		w.o.Method = sizing.Method{Kind: sizing.Kind(r.Method)}
	}
	if r.Discount != "" {
		if w.discount, err = recommend.Percentage(r.Discount); err != nil {
			return fmt.Errorf("--discount: %w", err)
		}
	}
	if r.PlanDiscount != "" {
		if w.planDiscount, err = recommend.Percentage(r.PlanDiscount); err != nil {
			return fmt.Errorf("--plan-discount: %w", err)
		}
	}
	if r.Prices == "" {
		w.r.Prices = pricesCatalog
		if w.discount+w.planDiscount > 0 {
			w.r.Prices = pricesDiscount
		}
	}
	switch w.r.Prices {
	case pricesDiscount, pricesUsage, pricesCatalog:
	default:
		return fmt.Errorf("--prices %q: use %s, %s or %s", r.Prices, pricesDiscount, pricesUsage, pricesCatalog)
	}
	if w.discount > 0 && w.r.Prices != pricesDiscount {
		return fmt.Errorf("--discount and --prices %s contradict each other: use one of them", w.r.Prices)
	}
	if r.Held != heldUsage && r.Held != heldInventory {
		return fmt.Errorf("--held %q: use %s or %s", r.Held, heldUsage, heldInventory)
	}
	if w.o.Mix, err = mixOf(r); err != nil {
		return err
	}
	for _, text := range r.Attributes {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" || value == "" {
			return fmt.Errorf("--attribute %q: write it as offering_class=standard", text)
		}
		w.extra[key] = value
	}
	if r.AsOf != "" {
		if w.o.AsOf, err = time.Parse(time.RFC3339, r.AsOf); err != nil {
			return fmt.Errorf("--as-of %q: write a time such as 2026-10-01T00:00:00Z", r.AsOf)
		}
	}
	if r.SpikeDays < 0 || r.MinDays < 1 || r.RebuyDays < 0 || r.MaxAge <= 0 {
		return errors.New("--spike-days and --rebuy-days are 0 or more, --min-days and --max-age more than 0")
	}
	w.o.SpikeDays, w.o.MinDays, w.o.MaxAge = r.SpikeDays, r.MinDays, r.MaxAge
	w.o.Rebuy, w.o.Gaps = days(r.RebuyDays), sizing.Gaps(r.Gaps)
	return nil
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// mixOf reads the terms: one, or several with their share.
func mixOf(r api.WhatIfRequest) ([]sizing.Part, error) {
	text := r.Mix
	if text == "" {
		text = fmt.Sprintf("%s %s 100%%", cmp.Or(r.Term, defaultTerm), cmp.Or(r.Payment, defaultPayment))
	} else if r.Term != "" || r.Payment != "" {
		return nil, errors.New("--mix and --term or --payment contradict each other: use one of them")
	}
	var mix []sizing.Part
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) != 3 {
			return nil, fmt.Errorf("--mix: %q is not a part such as 3y all-upfront 40%%", strings.TrimSpace(part))
		}
		term, err := cloud.ParseTerm(words[0])
		if err != nil {
			return nil, err
		}
		payment, err := cloud.ParsePayment(words[1])
		if err != nil {
			return nil, err
		}
		percent := 10_000
		if words[2] != "100%" {
			if percent, err = recommend.Percentage(words[2]); err != nil || percent%100 != 0 {
				return nil, fmt.Errorf("--mix: %q is not a whole percentage such as 40%%", words[2])
			}
		}
		mix = append(mix, sizing.Part{Term: term, Payment: payment, Percent: percent / 100})
	}
	return mix, nil
}

// usage reads the file.
func (w *whatIf) usage() (*sizing.Usage, error) {
	file, buyer := w.r.Usage, cloud.Account(w.r.Buyer)
	if w.r.Content != nil {
		return sizing.Read(file, w.r.Content, buyer)
	}
	f, err := openFile("usage", file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	return sizing.Read(file, f, buyer)
}

// choose takes the services that were named, or those of the file.
func (w *whatIf) choose(u *sizing.Usage) error {
	sized := slices.Concat(sizing.Sized(cloud.AWS), sizing.Sized(cloud.Azure), sizing.Sized(cloud.GCP))
	for _, name := range w.r.Services {
		if !slices.Contains(sized, cloud.Service(name)) {
			return fmt.Errorf("--service %q: usage is sized of %s", name, joined(sized))
		}
		w.o.Services = append(w.o.Services, cloud.Service(name))
	}
	if len(w.o.Services) > 0 {
		return nil
	}
	found, plans := map[cloud.Service]bool{}, map[cloud.Service]bool{}
	for _, p := range u.Pools() {
		plans[sizing.PlanOf(p.Provider)] = true
		if slices.Contains(sizing.Sized(p.Provider), p.Service) {
			found[p.Service] = true
		}
	}
	w.o.Services = slices.Sorted(maps.Keys(found))
	if w.planDiscount > 0 {
		w.o.Services = append(w.o.Services, slices.Sorted(maps.Keys(plans))...)
	}
	return nil
}

func joined(names []cloud.Service) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = string(n)
	}
	return strings.Join(words, ", ")
}

// price chooses where prices come from.
func (w *whatIf) price(ctx context.Context) error {
	switch w.r.Prices {
	case pricesUsage:
		w.o.Prices = sizing.FromUsage(w.planDiscount)
	case pricesCatalog:
		w.o.Prices = func(a sizing.Ask) (sizing.Offer, error) {
			if sizing.IsPlan(a.Pool.Service) {
				return sizing.Discounted(0, w.planDiscount)(a)
			}
			return w.catalog(ctx, a)
		}
	default:
		w.o.Prices = sizing.Discounted(w.discount, w.planDiscount)
	}
	return nil
}

// catalog looks a price up in the cloud, as a plan would.
func (w *whatIf) catalog(ctx context.Context, a sizing.Ask) (sizing.Offer, error) {
	lane := cloud.Lane{Provider: a.Pool.Provider, Account: a.Pool.Account, Region: a.Pool.Region, Service: a.Pool.Service}
	svc, err := w.clouds.Service(lane)
	if err != nil {
		return sizing.Offer{}, err
	}
	if lane.Provider == cloud.GCP {
		return measuredPrice(ctx, svc, a)
	}
	attributes := w.attributes(lane.Provider, lane.Service, a.Buys)
	found, err := svc.Offerings(ctx, driver.Query{Attributes: attributes, Term: a.Term, Payment: a.Payment})
	switch {
	case err != nil:
		return sizing.Offer{}, err
	case len(found) == 0:
		return sizing.Offer{}, fmt.Errorf("%s, %s %s, is not sold", attributes, a.Term, a.Payment)
	case len(found) > 1:
		return sizing.Offer{}, fmt.Errorf("%s, %s %s, is %d offerings: tell them apart with --attribute, such as offering_class=standard", attributes, a.Term, a.Payment, len(found))
	}
	o := found[0]
	return sizing.Offer{ID: o.ID, Upfront: o.Upfront, Hourly: o.Hourly, Source: "the price of offering " + o.ID}, nil
}

// measuredPrice is the price of one vCPU or of one gigabyte of memory. Google prices them
// by themselves, and a commitment has both: so it is what one more costs.
func measuredPrice(ctx context.Context, svc driver.Service, a sizing.Ask) (sizing.Offer, error) {
	price := func(more string) (money.Amount, string, error) {
		attributes := cloud.Attributes{"type": a.Buys["type"], "vcpu": "1", "memory_gb": "1"}
		if more != "" {
			attributes[more] = "2"
		}
		found, err := svc.Offerings(ctx, driver.Query{Attributes: attributes, Term: a.Term, Payment: a.Payment})
		if err != nil {
			return money.Amount{}, "", err
		}
		if len(found) != 1 {
			return money.Amount{}, "", fmt.Errorf("%s, %s %s, is not sold", attributes, a.Term, a.Payment)
		}
		return found[0].Hourly, found[0].ID, nil
	}
	less, _, err := price("")
	if err != nil {
		return sizing.Offer{}, err
	}
	two, id, err := price(a.Buys["resource"])
	if err != nil {
		return sizing.Offer{}, err
	}
	one, err := two.Sub(less)
	return sizing.Offer{ID: id, Upfront: money.Zero(a.Pool.Currency), Hourly: one, Source: "the price of " + id}, err
}

func (w *whatIf) complete(p *sizing.Proposal) { p.Buys = w.attributes(p.Provider, p.Service, p.Buys) }

// hold collects what the clouds list and what plans are about to buy.
func (w *whatIf) hold(ctx context.Context) error {
	inv, err := w.app.engine.Inventory(ctx)
	if err != nil {
		return err
	}
	for _, lane := range slices.SortedFunc(maps.Keys(inv.Failed), func(a, b cloud.Lane) int { return strings.Compare(a.String(), b.String()) }) {
		if sizing.Rests(w.o.Services, lane) {
			return fmt.Errorf("%s could not be listed, so what is held is not known: %w", lane, inv.Failed[lane])
		}
	}
	w.o.Known = true
	for _, i := range inv.Items {
		source := "held"
		switch c := i.Commitment; {
		case !c.State.Binding():
			continue // what is retired explains past usage
		case c.State == cloud.Queued:
			source = "queued"
		}
		w.add(i.Commitment, source)
	}
	plans, err := w.app.db.Plans(ctx)
	if err != nil {
		return err
	}
	for _, p := range plans {
		if p.State != purchase.PlanProposed && p.State != purchase.PlanApproved || w.replaced != nil && w.replaced(p) {
			continue
		}
		for _, l := range p.Lines {
			// What is ordered is listed by its cloud.
			if l.State.Terminal() || l.State.Ordered() {
				continue
			}
			o := l.Spec.Offering
			w.add(cloud.Commitment{Lane: l.Spec.Lane(), ID: "line " + string(l.ID), Attributes: o.Attributes, Term: o.Term, Quantity: l.Spec.Quantity,
				Hourly: o.Hourly, Unit: o.Unit, Start: w.o.AsOf}, "planned")
		}
	}
	return nil
}

// add holds a commitment; one of a service that is not sized covers nothing here.
func (w *whatIf) add(c cloud.Commitment, source string) {
	h, err := sizing.Hold(c, source, cloud.Account(w.r.Buyer))
	if err != nil {
		return
	}
	w.o.Held = append(w.o.Held, h...)
}

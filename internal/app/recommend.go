package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/driver/azure"
	"bursar/internal/driver/gcp"
	"bursar/internal/money"
	"bursar/internal/recommend"
	"bursar/internal/recommend/policy"
)

// explorerPrice is what a request to Cost Explorer costs in US dollars, each page being
// one.
const (
	explorerPrice  = "0.01"
	explorerSource = "https://aws.amazon.com/aws-cost-management/aws-cost-explorer/pricing/"
)

// Recommend asks the clouds what they recommend to buy. It buys nothing, stores
// nothing and needs no ledger. Before a request that is charged for is sent, agree is
// asked; its error ends it.
func Recommend(ctx context.Context, o Options, r api.RecommendRequest, agree func(api.AdviceCost) error) (api.Recommendations, error) {
	ask, err := readAsk(r)
	if err != nil {
		return api.Recommendations{}, err
	}
	cfg, err := o.config()
	if err != nil {
		return api.Recommendations{}, err
	}
	c, err := openClouds(ctx, cfg, o.Endpoint, CloudsPath(o.Ledger))
	if err != nil {
		return api.Recommendations{}, err
	}
	defer c.close() //nolint:errcheck // nothing was written
	cost, asked, err := c.costOf(ctx, r, ask)
	if err == nil && cost.Requests > 0 {
		err = agree(cost)
	}
	if err != nil {
		return api.Recommendations{}, err
	}
	g, err := c.gather(ctx, r, asked)
	if err != nil {
		return api.Recommendations{}, err
	}
	return g.out, nil
}

// gather asks for advice, prices it and finds out what is recommended of it.
func (c *clouds) gather(ctx context.Context, r api.RecommendRequest, asked []askedAdviser) (*gathered, error) {
	sent := 0
	charge := func() error {
		if sent++; r.MaxRequests > 0 && sent > r.MaxRequests {
			return fmt.Errorf("the %d requests that may be charged for are used up: it has further pages", r.MaxRequests)
		}
		return nil
	}
	g := &gathered{out: api.Recommendations{
		At: c.now().UTC(), Simulated: c.simulator != nil, Lines: []api.Recommendation{}, Sources: []api.AdviceSource{}, Left: []api.LeftAdvice{},
	}, maxAge: r.MaxAge}
	for _, q := range asked {
		q.ask.Charge = charge
		if q.err != nil {
			g.fail(q, q.what, q.err)
			continue
		}
		for _, one := range q.adviser.Advice(ctx, q.ask) {
			g.take(q, one)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(g.out.Sources) == 0 {
		return nil, errors.New("nothing was asked: these services are not recommended with this payment: AWS has no-upfront, partial-upfront and all-upfront, Azure monthly and all-upfront, Google Cloud monthly")
	}
	g.price(ctx, c)
	g.choose()
	return g, ctx.Err()
}

// readAsk judges what is asked for, whatever the cloud.
func readAsk(r api.RecommendRequest) (driver.AdviceAsk, error) {
	var ask driver.AdviceAsk
	if r.MaxRequests < 0 {
		return ask, fmt.Errorf("--max-requests %d: use a number of at least 1", r.MaxRequests)
	}
	for _, name := range r.Providers {
		if !slices.ContainsFunc(wards, func(w ward) bool { return string(w.provider) == name }) {
			return ask, fmt.Errorf("--provider %q: use aws, azure or gcp", name)
		}
	}
	for _, name := range r.Services {
		if err := (DoctorFilter{Service: name}).check(); err != nil {
			return ask, fmt.Errorf("--%w", err)
		}
		ask.Services = append(ask.Services, cloud.Service(name))
	}
	if r.AllCells {
		if len(r.Terms)+len(r.Payments) > 0 {
			return ask, errors.New("--all-cells is every term and payment: leave --term and --payment out")
		}
		ask.Terms = []cloud.Term{cloud.OneYear, cloud.ThreeYears}
		ask.Payments = []cloud.Payment{cloud.NoUpfront, cloud.PartialUpfront, cloud.AllUpfront, cloud.Monthly}
		return ask, nil
	}
	for _, text := range r.Terms {
		t, err := cloud.ParseTerm(text)
		if err != nil {
			return ask, fmt.Errorf("--term: %w", err)
		}
		if !slices.Contains(ask.Terms, t) {
			ask.Terms = append(ask.Terms, t)
		}
	}
	for _, text := range r.Payments {
		p, err := cloud.ParsePayment(text)
		if err != nil {
			return ask, fmt.Errorf("--payment: %w", err)
		}
		if !slices.Contains(ask.Payments, p) {
			ask.Payments = append(ask.Payments, p)
		}
	}
	if len(ask.Terms) == 0 {
		ask.Terms = []cloud.Term{cloud.OneYear}
	}
	if len(ask.Payments) == 0 {
		ask.Payments = []cloud.Payment{cloud.NoUpfront, cloud.Monthly}
	}
	return ask, nil
}

// askedAdviser is whom to ask what.
type askedAdviser struct {
	provider cloud.Provider
	account  cloud.Account
	what     string // for people
	adviser  driver.Adviser
	ask      driver.AdviceAsk
	err      error // why it cannot be asked
}

// advisers are those of the accounts that are asked for. A service that the
// configuration does not watch in an account is not asked about there.
func (c *clouds) advisers(r api.RecommendRequest, ask driver.AdviceAsk) ([]askedAdviser, error) {
	patients, err := c.patients(DoctorFilter{Account: r.Account})
	if err != nil {
		return nil, err
	}
	var all []askedAdviser
	for _, p := range patients {
		q := askedAdviser{provider: p.provider, account: p.id, ask: ask}
		q.ask.Services = slices.DeleteFunc(slices.Clone(p.services), func(s cloud.Service) bool { return !ask.Wants(s) })
		if len(q.ask.Services) == 0 || len(r.Providers) > 0 && !slices.Contains(r.Providers, string(p.provider)) {
			continue
		}
		switch p.provider {
		case cloud.AWS:
			q.what = "Cost Explorer"
			var dc aws.Config
			if dc, q.err = c.config(p.id, p.regions[0]); q.err == nil {
				q.adviser, q.err = aws.NewAdviser(dc)
			}
			all = append(all, q)
		case cloud.Azure:
			q.what = "Azure"
			var dc azure.Config
			if dc, q.err = c.azureConfig(p.id, p.regions[0]); q.err == nil {
				q.adviser, q.err = azure.NewAdviser(dc)
			}
			all = append(all, q)
		case cloud.GCP:
			for _, l := range p.lanes {
				if l.Service == gcp.Licenses || !slices.Contains(q.ask.Services, l.Service) {
					continue
				}
				one := q
				one.account, one.ask.Services = l.Account, []cloud.Service{l.Service}
				one.what = "Google's Recommender " + string(l.Region)
				var dc gcp.Config
				if dc, one.err = c.googleConfig(l); one.err == nil {
					one.adviser, one.err = gcp.NewAdviser(l.Service, dc)
				}
				all = append(all, one)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there is nobody to ask: no account of these clouds has these services")
	}
	return all, nil
}

// costOf finds whom to ask, of the accounts that whoever asks sees, and what that costs.
// More requests than may be sent are an error.
func (c *clouds) costOf(ctx context.Context, r api.RecommendRequest, ask driver.AdviceAsk) (api.AdviceCost, []askedAdviser, error) {
	cost := api.AdviceCost{Each: money.MustParse(explorerPrice, "USD"), Source: explorerSource, Live: c.simulator == nil}
	asked, err := c.advisers(r, ask)
	if err != nil {
		return cost, nil, err
	}
	asked = slices.DeleteFunc(asked, func(q askedAdviser) bool { return !sees(ctx, string(q.account)) })
	if len(asked) == 0 {
		return cost, nil, api.Errorf(api.Forbidden, "none of these accounts is in your scope: nothing was asked")
	}
	for _, q := range asked {
		if q.err == nil {
			cost.Requests += q.adviser.Requests(q.ask)
		}
	}
	if cost.Total, err = cost.Each.Mul(int64(cost.Requests)); err != nil {
		return cost, nil, err
	}
	if r.MaxRequests > 0 && cost.Requests > r.MaxRequests {
		return cost, nil, fmt.Errorf("asking takes %d requests to Cost Explorer at least, which cost %s, and at most %d may be sent: ask for less, or allow more; nothing was asked", cost.Requests, cost.Total, r.MaxRequests)
	}
	return cost, asked, nil
}

// gathered are recommendations in the making.
type gathered struct {
	out    api.Recommendations
	drafts []recommend.Draft // of out.Lines, by index
	maxAge time.Duration
}

func (g *gathered) fail(q askedAdviser, source string, err error) {
	problem := strings.ReplaceAll(err.Error(), "\n", "; ")
	if says := driver.Says(cloud.Lane{Provider: q.provider, Account: q.account}, err); says != "" {
		problem = says
	}
	g.out.Sources = append(g.out.Sources, api.AdviceSource{Provider: string(q.provider), Account: string(q.account), Source: source, Problem: problem})
}

// take reads the answer of one source.
func (g *gathered) take(q askedAdviser, one driver.Advice) {
	if one.Err != nil {
		g.fail(q, one.Source, one.Err)
		return
	}
	in, err := recommend.Read(one.Source+".json", bytes.NewReader(one.Document))
	if err != nil {
		g.fail(q, one.Source, err)
		return
	}
	s := api.AdviceSource{Provider: string(q.provider), Account: string(q.account), Source: one.Source}
	if !one.Made.IsZero() {
		s.MadeAt, s.Stale = &one.Made, g.out.At.Sub(one.Made) > g.maxAge
	}
	leave := func(what, why string) {
		l := api.LeftAdvice{Provider: s.Provider, Account: s.Account, Source: s.Source, What: what, Why: why}
		if !slices.Contains(g.out.Left, l) {
			g.out.Left = append(g.out.Left, l)
		}
	}
	for _, l := range in.Left {
		leave(l.What, l.Why)
	}
	for _, d := range in.Drafts {
		switch {
		case d.Account != q.account:
			leave(d.What(), fmt.Sprintf("it is for account %s, and %s was asked about", d.Account, q.account))
			continue
		case !q.ask.Wants(d.Service):
			leave(d.What(), "its service was not asked about")
			continue
		}
		line := api.Recommendation{
			State: api.Recommended, Provider: string(d.Provider), Account: string(d.Account), Region: string(d.Region), Service: string(d.Service),
			Attributes: d.Attributes, TermMonths: int(d.Term), Payment: string(d.Payment), Quantity: d.Quantity, Source: cmp.Or(d.Claim.Source, one.Source), MadeAt: s.MadeAt, Note: d.Note,
			Key: policy.Key(d), Recommendation: d.Recommendation.Name, Etag: d.Recommendation.Etag,
		}
		if saves, known, err := d.Claim.Saves(d.Quantity); known && err == nil {
			line.SavesPerMonth = &saves
		}
		g.out.Lines, g.drafts = append(g.out.Lines, line), append(g.drafts, d)
		s.Lines++
	}
	g.out.Sources = append(g.out.Sources, s)
}

// price looks every line up in the catalog of its cloud, as a plan would.
func (g *gathered) price(ctx context.Context, c *clouds) {
	for i, d := range g.drafts {
		if ctx.Err() != nil {
			return
		}
		line := &g.out.Lines[i]
		if err := priceLine(ctx, c, d, line); err != nil {
			line.State, line.Why = api.Unpriced, strings.ReplaceAll(err.Error(), "\n", "; ")
		}
	}
}

func priceLine(ctx context.Context, c *clouds, d recommend.Draft, line *api.Recommendation) error {
	svc, err := c.Service(cloud.Lane{Provider: d.Provider, Account: d.Account, Region: d.Region, Service: d.Service})
	if err != nil {
		return err
	}
	found, err := svc.Offerings(ctx, driver.Query{ID: d.OfferingID, Attributes: d.Attributes, Term: d.Term, Payment: d.Payment})
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return errors.New("it is not sold")
	}
	// Of several offerings of the same goods a plan chooses; their prices are one.
	o := found[0]
	price, err := o.Price(d.Quantity)
	if err != nil {
		return err
	}
	line.Price = &api.Price{Upfront: price.Upfront, Hourly: price.Hourly, Total: price.Total}
	if amount := o.PerHour(d.Quantity); !amount.IsZero() {
		line.PerHour = &amount
	}
	if line.SavesPerMonth != nil {
		line.BreakEvenMonths = breakEven(price.Total, *line.SavesPerMonth, int(d.Term))
	}
	return nil
}

// breakEven is after how many months on-demand would have cost as much as the whole
// commitment; 0 for never, and where that cannot be said.
func breakEven(total, saves money.Amount, months int) int {
	monthly, err := total.Div(int64(months), 6)
	if err != nil {
		return 0
	}
	demand, err := monthly.Add(saves)
	if err != nil {
		return 0
	}
	cost, err := total.Millionths()
	if err != nil {
		return 0
	}
	each, err := demand.Millionths()
	if err != nil || each < 1 {
		return 0
	}
	if n := (cost + each - 1) / each; n <= int64(months) {
		return int(n)
	}
	return 0
}

// usageOf is what recommendations have in common that are for the same usage, and how
// wide the commitment is: of two the narrower one stands, which says more exactly what
// is used. Within one width the goods tell usages apart.
func usageOf(l api.Recommendation) (usage string, width int) {
	plan := l.Attributes["plan_type"]
	switch {
	case l.Service == "ec2", plan == "EC2Instance", plan == "Compute":
		return "machines", map[string]int{"": 0, "EC2Instance": 1, "Compute": 2}[plan]
	case plan == "Database", slices.Contains([]string{"rds", "elasticache", "opensearch"}, l.Service):
		return "databases", min(1, len(plan))
	case l.Service == string(azure.SavingsPlan), l.Service == "vm":
		return "machines", map[bool]int{l.Service != "vm": 1}[true]
	}
	return l.Service, 0
}

// choose finds, of the lines that are for the same usage, the one to buy: the others are
// alternatives, which a plan leaves. Lines without a price stay as they are.
func (g *gathered) choose() {
	lines := g.out.Lines
	narrowest := map[string]int{}
	key := usageKey
	for _, l := range lines {
		usage, width := usageOf(l)
		if known, ok := narrowest[key(l, usage)]; l.State == api.Recommended && (!ok || width < known) {
			narrowest[key(l, usage)] = width
		}
	}
	goods := goodsKey
	best := map[string]int{} // of the same goods, by index
	for i := range lines {
		l := &lines[i]
		if l.State != api.Recommended {
			continue
		}
		if usage, width := usageOf(*l); width > narrowest[key(*l, usage)] {
			l.State, l.Why = api.Alternative, narrower
			continue
		}
		if j, ok := best[goods(*l)]; !ok || savesMore(*l, lines[j]) {
			best[goods(*l)] = i
		}
	}
	for i := range lines {
		if l := &lines[i]; l.State == api.Recommended && best[goods(*l)] != i {
			l.State, l.Why = api.Alternative, fmt.Sprintf("line %d is for the same usage", best[goods(*l)]+1)
		}
	}
}

// narrower is why a wide commitment is an alternative.
const narrower = "what is narrower is recommended for the same usage"

func usageKey(l api.Recommendation, usage string) string {
	return l.Provider + " " + l.Account + " " + usage
}

// goodsKey is equal for the same goods, whatever the quantity, terms and source.
func goodsKey(l api.Recommendation) string {
	return usageKey(l, strings.Join([]string{l.Region, l.Service, cloud.Attributes(goodsOf(l)).String()}, " "))
}

// goodsOf are the attributes without those that say how much: of Google they are a part
// of the goods.
func goodsOf(l api.Recommendation) map[string]string {
	if l.Provider != string(cloud.GCP) {
		return l.Attributes
	}
	return map[string]string{"type": l.Attributes["type"]}
}

// savesMore compares what is expected; what is not known is less.
func savesMore(a, b api.Recommendation) bool {
	if a.SavesPerMonth == nil || b.SavesPerMonth == nil {
		return a.SavesPerMonth != nil
	}
	order, err := a.SavesPerMonth.Cmp(*b.SavesPerMonth)
	return err == nil && order > 0
}

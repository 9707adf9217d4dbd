package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/gcp"
)

// Offer is a spend-based offer of Google Cloud, as a person has looked it up: its id
// differs from account to account, and a wrong one buys something else.
type Offer struct {
	ID       string `yaml:"id" json:"id"`
	Product  string `yaml:"product" json:"product"`   // as plans call it: compute-flexible
	Term     string `yaml:"term" json:"term"`         // 1y or 3y
	Regional bool   `yaml:"regional" json:"regional"` // sold for one region
}

// License is a license on Compute Engine, as a person has looked up its SKU: the price
// list says in prose only which it is of.
type License struct {
	License string `yaml:"license" json:"license"` // PROJECT/LICENSE
	Cores   string `yaml:"cores" json:"cores"`     // 1-2, 3-4 or 5+; empty where it is not sold by cores
	Term    string `yaml:"term" json:"term"`       // 1y or 3y
	SKU     string `yaml:"sku" json:"sku"`
}

// isGCP reports whether the account is a project of Google Cloud.
func (a Account) isGCP() bool { return a.Provider == string(cloud.GCP) }

// watchedGCP are the services of a project that inventory watches: licenses also where
// none is configured, as they may be owned, and spending only where it is known which
// billing account pays.
func (a Account) watchedGCP() []cloud.Service {
	switch {
	case len(a.Services) > 0:
		return named(a.Services)
	case a.BillingAccount == "":
		return []cloud.Service{gcp.Compute, gcp.Licenses}
	}
	return gcp.Services
}

// payer is the account that a service of the project is bought for.
func (a Account) payer(s cloud.Service) string {
	if s == gcp.Spend {
		return a.BillingAccount
	}
	return a.ID
}

// gcpLanes are the lanes of services in a project. Spend-based commitments are of its
// billing account, for all regions and, where some offer is regional, for one of them.
func (a Account) gcpLanes(services []cloud.Service) []cloud.Lane {
	var lanes []cloud.Lane
	for _, s := range services {
		var in []string
		if s == gcp.Spend {
			in = append(in, string(gcp.Global))
		}
		if s != gcp.Spend || slices.ContainsFunc(a.Offers, func(o Offer) bool { return o.Regional }) {
			in = append(in, a.Regions...)
		}
		for _, r := range in {
			lanes = append(lanes, cloud.Lane{Provider: cloud.GCP, Account: cloud.Account(a.payer(s)), Region: cloud.Region(r), Service: s})
		}
	}
	return lanes
}

var (
	gcpProject = regexp.MustCompile(`^([a-z][a-z0-9.-]{1,61}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	gcpBilling = regexp.MustCompile(`^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$`)
)

// gcpProblem says what is wrong with a project of the configuration; "" means nothing.
func (a Account) gcpProblem() string {
	switch {
	case !gcpProject.MatchString(a.ID):
		return fmt.Sprintf("id: %q is not a project id of Google Cloud such as example-prod", a.ID)
	case a.Profile != "" || a.RoleARN != "" || a.ExternalID != "" || a.OpenSearchNamesUnique || a.QueueSavingsPlans:
		return "profile, role_arn, external_id, opensearch_names_unique and queue_savings_plans are of AWS: remove them"
	case a.Tenant+a.TokenLife != "":
		return "tenant and token_life are of Azure: remove them"
	case a.BillingAccount != "" && !gcpBilling.MatchString(a.BillingAccount):
		return fmt.Sprintf("billing_account: %q is not one such as 012345-6789AB-CDEF01", a.BillingAccount)
	case a.BillingAccount == "" && (len(a.Offers) > 0 || slices.Contains(a.Services, string(gcp.Spend))):
		return "billing_account: spend-based commitments belong to a billing account: write for example billing_account: 012345-6789AB-CDEF01"
	}
	for _, o := range a.Offers {
		if t, err := cloud.ParseTerm(o.Term); err != nil || t.String() != o.Term {
			return fmt.Sprintf("offers: term: %q is not a term: use 1y or 3y", o.Term)
		}
	}
	for _, l := range a.Licenses {
		if t, err := cloud.ParseTerm(l.Term); err != nil || t.String() != l.Term {
			return fmt.Sprintf("licenses: term: %q is not a term: use 1y or 3y", l.Term)
		}
	}
	if problem := a.servicesProblem(); problem != "" {
		return problem
	}
	// What else is wrong, the driver knows; it does no IO.
	for _, s := range a.watchedGCP() {
		cfg := a.gcpConfig(cloud.Lane{Account: cloud.Account(a.payer(s)), Region: "europe-west1", Service: s})
		cfg.Tokens = gcp.SimulatorTokens(cfg.Account, nil)
		if _, err := gcp.Open(s, cfg); err != nil {
			return strings.TrimPrefix(err.Error(), "gcp: ")
		}
	}
	return ""
}

// gcpConfig is the driver's configuration for a lane of the project, without its
// credentials.
func (a Account) gcpConfig(lane cloud.Lane) gcp.Config {
	cfg := gcp.Config{Account: lane.Account, Region: lane.Region, Currency: a.Currency}
	switch lane.Service {
	case gcp.Spend:
		cfg.Project = a.ID
	case gcp.Licenses:
		for _, l := range a.Licenses {
			term, _ := cloud.ParseTerm(l.Term) // checked by gcpProblem
			cfg.Licenses = append(cfg.Licenses, gcp.License{Name: l.License, Cores: l.Cores, Term: term, SKU: l.SKU})
		}
	}
	for _, o := range a.Offers {
		term, _ := cloud.ParseTerm(o.Term) // checked by gcpProblem
		cfg.Offers = append(cfg.Offers, gcp.Offer{ID: o.ID, Product: o.Product, Term: term, Regional: o.Regional})
	}
	return cfg
}

// openGCP opens the driver of a lane in a project.
func (c *clouds) openGCP(lane cloud.Lane) (driver.Service, error) {
	cfg, err := c.googleConfig(lane)
	if err != nil {
		return nil, err
	}
	cfg.Count = c.calls.of(lane.Provider, lane.Service)
	return gcp.Open(lane.Service, cfg)
}

// googleConfig is how the driver of a lane in a project is configured.
func (c *clouds) googleConfig(lane cloud.Lane) (gcp.Config, error) {
	a, err := c.projectFor(lane)
	if err != nil {
		return gcp.Config{}, err
	}
	cfg := a.gcpConfig(lane)
	cfg.Now = c.now
	if c.simulator == nil {
		cfg.Tokens, err = gcp.DefaultTokens(context.Background())
		return cfg, err
	}
	if lane.Region != gcp.Global && !slices.Contains(a.Regions, string(lane.Region)) {
		return cfg, fmt.Errorf("region %s is not simulated: the simulator has %s", lane.Region, strings.Join(a.Regions, ", "))
	}
	cfg.Endpoint, cfg.Tokens = c.simulator.url, gcp.SimulatorTokens(cloud.Account(a.ID), c.now)
	return cfg, nil
}

// projects are the projects that can be used, by id.
func (c *clouds) projects() []Account {
	var list []Account
	if c.simulator != nil {
		for _, a := range c.simulator.accounts {
			if a.Provider == string(cloud.GCP) {
				list = append(list, a.project(c.configured[cloud.Account(a.ID)]))
			}
		}
		return list
	}
	for _, a := range c.configured {
		if a.isGCP() {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b Account) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// gcpLanes are the lanes of all projects, each once: a billing account may pay for
// several.
func (c *clouds) gcpLanes() []cloud.Lane {
	var lanes []cloud.Lane
	for _, a := range c.projects() {
		for _, l := range a.gcpLanes(a.watchedGCP()) {
			if !slices.Contains(lanes, l) {
				lanes = append(lanes, l)
			}
		}
	}
	return lanes
}

// projectFor is the project in which a lane is worked on: of several with one billing
// account the first, preferably one that knows offers.
func (c *clouds) projectFor(lane cloud.Lane) (Account, error) {
	var found *Account
	var payers []string
	for _, a := range c.projects() {
		payer := a.payer(lane.Service)
		if payer != "" && !slices.Contains(payers, payer) {
			payers = append(payers, payer)
		}
		if payer == string(lane.Account) && (found == nil || lane.Service == gcp.Spend && len(found.Offers) == 0) {
			found = &a
		}
	}
	switch {
	case found != nil:
		return *found, nil
	case c.simulator == nil:
		return Account{}, fmt.Errorf("gcp %s is not configured with live: true, and with a live account nothing is simulated", lane.Account)
	}
	return Account{}, fmt.Errorf("account %s is neither configured with live: true nor simulated: the simulator has %s", lane.Account, strings.Join(payers, ", "))
}

// project is a simulated project with what the configuration says of it. Its billing
// account, offers and licenses are the simulator's, unless the configuration has some.
func (s simAccount) project(configured Account) Account {
	a := configured
	a.ID, a.Provider, a.Regions = s.ID, s.Provider, s.Regions
	if a.Name == "" {
		a.Name = s.Name
	}
	if a.BillingAccount == "" {
		a.BillingAccount = s.BillingAccount
	}
	if a.Offers == nil {
		a.Offers = s.Offers
	}
	if a.Licenses == nil {
		a.Licenses = s.Licenses
	}
	return a
}

// billingAccounts are those for which spending can be committed to.
func (c *clouds) billingAccounts() []string {
	var ids []string
	for _, a := range c.projects() {
		if a.BillingAccount != "" && !slices.Contains(ids, a.BillingAccount) {
			ids = append(ids, a.BillingAccount)
		}
	}
	return ids
}

// googlePatients are the projects that the filter selects; a lane that several share
// is looked at once.
func (c *clouds) googlePatients(f DoctorFilter) []patient {
	var all []patient
	seen := map[cloud.Lane]bool{}
	for _, a := range c.projects() {
		p := patient{provider: cloud.GCP, id: cloud.Account(a.ID), name: a.Name, services: f.services(a.watchedGCP())}
		for _, l := range a.gcpLanes(p.services) {
			if (f.Account == "" || f.Account == a.ID || f.Account == string(l.Account)) && (f.Region == "" || f.Region == string(l.Region)) && !seen[l] {
				seen[l] = true
				p.lanes = append(p.lanes, l)
				if !slices.Contains(p.regions, l.Region) {
					p.regions = append(p.regions, l.Region)
				}
			}
		}
		if len(p.lanes) > 0 {
			slices.SortStableFunc(p.lanes, func(x, y cloud.Lane) int {
				return cmp.Or(strings.Compare(string(x.Account), string(y.Account)), strings.Compare(string(x.Region), string(y.Region)))
			})
			all = append(all, p)
		}
	}
	return all
}

// googlePolicies are the custom roles for a project and, where spending is bought, for
// its billing account. A role of a project cannot be granted on a billing account:
// that one is the organization's.
func (c *clouds) googlePolicies(p patient, _ string) ([]api.AccountPolicy, error) {
	project, billing := gcp.Roles(p.services, c.keepsMarks(p))
	var list []api.AccountPolicy
	add := func(account cloud.Account, whom string, role *gcp.Role) error {
		if role == nil {
			return nil
		}
		v := api.AccountPolicy{Provider: string(cloud.GCP), Account: string(account), Name: p.name, For: whom}
		for _, l := range p.lanes { // spending is of a billing account, and needs rights in the project too
			if l.Account != account && role != project {
				continue
			}
			if !slices.Contains(v.Regions, string(l.Region)) {
				v.Regions = append(v.Regions, string(l.Region))
			}
			if !slices.Contains(v.Services, string(l.Service)) {
				v.Services = append(v.Services, string(l.Service))
			}
		}
		var err error
		v.Policy, err = json.Marshal(role)
		list = append(list, v)
		return err
	}
	err := add(p.id, "a custom role of the project, or of the organization", project)
	if err == nil && billing != nil {
		i := slices.IndexFunc(p.lanes, func(l cloud.Lane) bool { return l.Service == gcp.Spend })
		if i >= 0 {
			err = add(p.lanes[i].Account, "a custom role of the organization, granted on the billing account", billing)
		}
	}
	return list, err
}

// googleMembers are the projects that the credentials of the first project may see.
func googleMembers(ctx context.Context, c *clouds, _ []patient) ([]api.Member, error) {
	known := c.projects()
	if len(known) == 0 {
		return nil, nil
	}
	a := known[0]
	if len(a.Regions) == 0 {
		return nil, fmt.Errorf("project %s: name one of its regions in the configuration", a.ID)
	}
	cfg := gcp.Config{Account: cloud.Account(a.ID), Region: cloud.Region(a.Regions[0]), Now: c.now}
	if c.simulator != nil {
		cfg.Endpoint, cfg.Tokens = c.simulator.url, gcp.SimulatorTokens(cfg.Account, c.now)
	} else {
		var err error
		if cfg.Tokens, err = gcp.DefaultTokens(ctx); err != nil {
			return nil, err
		}
	}
	found, err := gcp.Projects(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("the projects of Google Cloud: %w", err)
	}
	list := make([]api.Member, len(found))
	for i, m := range found {
		list[i] = api.Member{Provider: string(cloud.GCP), Account: string(m.ID), Name: printable(m.Name), Status: m.State}
		if m.State == "ACTIVE" {
			list[i].Add = googleStanza(list[i], a.Regions)
		}
	}
	return list, nil
}

// googleStanza is an entry of a project in the configuration. It moves no money before
// somebody writes live: true.
func googleStanza(m api.Member, regions []string) string {
	return fmt.Sprintf("  - id: %s\n    provider: gcp\n    name: %s\n    live: false\n    regions: [%s]\n",
		m.Account, strconv.QuoteToASCII(m.Name), strings.Join(regions, ", "))
}

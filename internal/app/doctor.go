package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/driver/azure"
	"bursar/internal/driver/gcp"
	"bursar/internal/store"
)

// DoctorFilter selects what the doctor looks at. Zero fields select all.
type DoctorFilter struct {
	Account, Region, Service string
}

// baseCredentials is whom a policy is for where there is no role.
const baseCredentials = "the base credentials"

// doctorAtOnce is how many regions are asked at the same time.
const doctorAtOnce = 8

// patient is an account that the doctor looks at.
type patient struct {
	provider cloud.Provider
	id       cloud.Account
	name     string
	regions  []cloud.Region
	services []cloud.Service // those that the configuration watches there
	lanes    []cloud.Lane    // of the services in the regions, those of a region together
}

// ward is what the doctor, the roles and the list of accounts are made of in a cloud.
type ward struct {
	provider cloud.Provider
	services []cloud.Service
	// patients are the accounts that the filter selects, in the order of their ids, with
	// the regions that the configuration names.
	patients func(*clouds, DoctorFilter) []patient
	// policies are the least that Bursar, whose purchases have names with that prefix,
	// has to be allowed in an account. It asks no cloud.
	policies func(c *clouds, p patient, prefix string) ([]api.AccountPolicy, error)
	// members are the accounts that the credentials see, each with what the
	// configuration needs to name it.
	members func(context.Context, *clouds, []patient) ([]api.Member, error)
}

// wards are the clouds that the doctor knows.
var wards = []ward{
	{cloud.AWS, aws.Services, (*clouds).awsPatients, (*clouds).awsPolicies, awsMembers},
	{cloud.Azure, azure.Services(), (*clouds).azurePatients, (*clouds).azurePolicies, azureMembers},
	{cloud.GCP, gcp.Services, (*clouds).googlePatients, (*clouds).googlePolicies, googleMembers},
}

// Doctor looks for what would make a purchase fail, and buys nothing. What it
// finds are lines and not errors: an error is a filter that selects nothing.
func Doctor(ctx context.Context, o Options, f DoctorFilter) (api.Doctor, error) {
	if err := f.check(); err != nil {
		return api.Doctor{}, err
	}
	out := api.Doctor{}
	cfg, err := o.config()
	if err != nil {
		out.Lines = append(out.Lines, failedLine("configuration", err, "mend the file, then run bursar doctor again"))
		return out, nil
	}
	c, err := openClouds(ctx, cfg, o.Endpoint, CloudsPath(o.Ledger))
	if err != nil {
		out.Lines = append(out.Lines, failedLine("configuration", err, "mend the configuration or the environment, then run bursar doctor again"))
		return out, nil
	}
	defer c.close() //nolint:errcheck // nothing was written
	return diagnose(ctx, o, cfg, c, f)
}

// Doctor looks at every account of this app.
func (a *App) Doctor(ctx context.Context) (api.Doctor, error) {
	cfg, err := a.options.config()
	if err != nil {
		return api.Doctor{}, err
	}
	if err := a.reads(ctx); err != nil {
		return api.Doctor{}, err
	}
	v, err := diagnose(ctx, a.options, cfg, a.clouds, DoctorFilter{})
	v.Lines = slices.DeleteFunc(v.Lines, func(l api.DoctorLine) bool { return l.Account != "" && !sees(ctx, l.Account) })
	return v, err
}

func diagnose(ctx context.Context, o Options, cfg Config, c *clouds, f DoctorFilter) (api.Doctor, error) {
	out := api.Doctor{OK: true, At: c.now().UTC(), Simulated: c.simulator != nil}
	add := func(l api.DoctorLine) {
		out.Lines = append(out.Lines, l)
		out.OK = out.OK && l.State != string(driver.CheckFailed)
	}
	patients, err := c.patients(f)
	if err != nil {
		return api.Doctor{}, err
	}
	patients = seen(ctx, patients, func(p patient) string { return string(p.id) })
	add(api.DoctorLine{Subject: "configuration", State: string(driver.CheckOK), Detail: cfg.summary(c)})
	for _, a := range cfg.Accounts {
		if !a.Live && !out.Simulated {
			add(api.DoctorLine{
				Subject: "configuration", Provider: string(a.provider()), Account: a.ID, Name: a.Name, State: string(driver.CheckOK),
				Detail: "named without live: true: nothing is bought there", Next: "write live: true to buy there for real",
			})
		}
		if a.Live && a.RoleARN == "" && a.provider() == cloud.AWS {
			add(api.DoctorLine{
				Subject: "configuration", Provider: string(cloud.AWS), Account: a.ID, Name: a.Name, State: string(driver.CheckOK),
				Detail: "without a role, a purchase in doubt stays open until its signature is stale",
				Next:   "name a role_arn: its sessions end each purchase after two minutes",
			})
		}
	}
	install, err := ledgerOf(ctx, o)
	if err != nil {
		add(failedLine("ledger", err, "the clouds were not asked: what they allow depends on the ledger"))
		return out, nil
	}
	add(api.DoctorLine{Subject: "ledger", State: string(driver.CheckOK), Detail: "opens; its purchases are named " + prefixOf(install) + "..."})
	marks, err := markLines(ctx, o, cfg, c, patients)
	if err != nil {
		return api.Doctor{}, err
	}
	for _, l := range marks {
		add(l)
	}
	for _, l := range c.examine(ctx, patients, prefixOf(install)+"doctor") {
		add(l)
	}
	return out, ctx.Err()
}

// prefixOf is how the identities of an installation begin.
func prefixOf(install string) string { return "bu-" + install + "-" }

// ledgerOf opens the ledger and closes it again.
func ledgerOf(ctx context.Context, o Options) (install string, err error) {
	if isDir(o.Ledger) {
		return "", fmt.Errorf("%s is a directory: name the ledger's file with --ledger", o.Ledger)
	}
	db, err := store.Open(ctx, o.Ledger)
	if errors.Is(err, store.ErrNoLedger) {
		return "", fmt.Errorf("%w: create one with: bursar init --ledger %s", err, store.Masked(o.Ledger))
	} else if err != nil {
		return "", err
	}
	in, err := db.Installation(ctx)
	return in.Install, errors.Join(err, db.Close())
}

func failedLine(subject string, err error, next string) api.DoctorLine {
	return api.DoctorLine{Subject: subject, State: string(driver.CheckFailed), Detail: strings.ReplaceAll(err.Error(), "\n", "; "), Next: next}
}

func (f DoctorFilter) check() error {
	var all []cloud.Service
	for _, w := range wards {
		all = append(all, w.services...)
	}
	if f.Service == "" || slices.Contains(all, cloud.Service(f.Service)) {
		return nil
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = string(s)
	}
	return fmt.Errorf("service %q: use one of %s", f.Service, strings.Join(names, ", "))
}

// services are those of an account that the filter selects.
func (f DoctorFilter) services(watched []cloud.Service) []cloud.Service {
	return slices.DeleteFunc(slices.Clone(watched), func(s cloud.Service) bool { return f.Service != "" && string(s) != f.Service })
}

// summary is the configuration in a few words.
func (c Config) summary(clouds *clouds) string {
	if clouds.simulator != nil {
		return fmt.Sprintf("no live account: purchases go to the simulator, which has %d accounts", len(clouds.simulator.accounts))
	}
	return fmt.Sprintf("%d live of %d accounts", len(clouds.configured), len(c.Accounts))
}

// patients are the accounts that can be bought in, of one cloud after the other.
func (c *clouds) patients(f DoctorFilter) ([]patient, error) {
	var all []patient
	for _, w := range wards {
		all = append(all, w.patients(c, f)...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is nothing to look at: no account %s with region %s where the service %s is watched",
			cmp.Or(f.Account, "(any)"), cmp.Or(f.Region, "(any)"), cmp.Or(f.Service, "(any)"))
	}
	return all, nil
}

func (c *clouds) awsPatients(f DoctorFilter) []patient { return c.regional(cloud.AWS, f) }

// regional are the patients of a cloud whose accounts have services in regions and
// services without one.
func (c *clouds) regional(provider cloud.Provider, f DoctorFilter) []patient {
	var all []patient
	add := func(id, name string, regions []string) {
		watched := bought[provider]
		if a, known := c.configured[cloud.Account(id)]; known {
			watched = a.watched()
		}
		p := patient{provider: provider, id: cloud.Account(id), name: name, services: f.services(watched)}
		for _, r := range regions {
			if f.Region == "" || f.Region == r {
				p.regions = append(p.regions, cloud.Region(r))
			}
		}
		if f.Account != "" && f.Account != id || len(p.regions) == 0 || len(p.services) == 0 {
			return
		}
		for _, r := range append(slices.Clone(p.regions), aws.Global) {
			for _, s := range p.services {
				if hasRegions(provider, s) != (r == aws.Global) {
					p.lanes = append(p.lanes, cloud.Lane{Provider: provider, Account: p.id, Region: r, Service: s})
				}
			}
		}
		all = append(all, p)
	}
	if c.simulator != nil {
		for _, a := range c.simulator.accounts {
			if a.provider() == provider {
				add(a.ID, a.Name, a.Regions)
			}
		}
	} else {
		for _, id := range slices.Sorted(maps.Keys(c.configured)) {
			if a := c.configured[id]; a.provider() == provider {
				add(a.ID, a.Name, a.Regions)
			}
		}
	}
	return all
}

// examine asks about every service of every account and region, several at once.
// What one of them says changes nothing about the others.
func (c *clouds) examine(ctx context.Context, patients []patient, identity string) []api.DoctorLine {
	var lines []api.DoctorLine
	for _, p := range patients {
		for _, l := range p.lanes {
			lines = append(lines, api.DoctorLine{
				Subject: "service", Provider: string(l.Provider), Account: string(l.Account), Name: p.name, Region: string(l.Region), Service: string(l.Service),
			})
		}
	}
	// The services of a region are asked one after the other: the audit log, which
	// several need, takes two requests a second.
	var wait sync.WaitGroup
	turns := make(chan struct{}, doctorAtOnce)
	for start, end := 0, 0; start < len(lines); start = end {
		for end = start; end < len(lines) && lines[end].Account == lines[start].Account && lines[end].Region == lines[start].Region; {
			end++
		}
		group := lines[start:end]
		turns <- struct{}{}
		wait.Go(func() {
			defer func() { <-turns }()
			for i := range group {
				l := &group[i]
				checks, err := c.ask(ctx, cloud.Lane{Provider: cloud.Provider(l.Provider), Account: cloud.Account(l.Account), Region: cloud.Region(l.Region), Service: cloud.Service(l.Service)}, identity)
				if err != nil {
					l.State, l.Detail, l.Next = string(driver.CheckFailed), err.Error(), "mend the configuration of the account"
					continue
				}
				sum(l, checks)
			}
		})
	}
	wait.Wait()
	return lines
}

func (c *clouds) ask(ctx context.Context, lane cloud.Lane, identity string) ([]driver.Check, error) {
	svc, err := c.Service(lane)
	if err != nil {
		return nil, err
	}
	checker, ok := svc.(driver.Checker)
	if !ok {
		return []driver.Check{{Of: "service", State: driver.CheckUnproven, Detail: "there is no way to ask"}}, nil
	}
	return checker.Check(ctx, identity), nil
}

// sum says in one line what the checks of a service found: what failed, or what is
// worth knowing where nothing did.
func sum(l *api.DoctorLine, checks []driver.Check) {
	l.State = string(driver.CheckOK)
	var failed, open, silent []string
	quota := "all permissions are there"
	for _, c := range checks {
		l.Checks = append(l.Checks, api.Check{Of: c.Of, State: string(c.State), Detail: c.Detail, Next: c.Next})
		says := c.Of + ": " + c.Detail
		switch {
		case c.State == driver.CheckFailed:
			failed = append(failed, says)
		case c.State == driver.CheckOK && c.Of == "quota":
			quota = c.Detail
		case c.State == driver.CheckUnproven && c.Of == "quota":
			quota = c.Detail
		case c.State == driver.CheckUnproven && c.Next != "":
			open = append(open, says)
		case c.State == driver.CheckUnproven:
			silent = append(silent, c.Of)
		}
	}
	first := func(s driver.CheckState) string {
		for _, c := range checks {
			if c.State == s && c.Next != "" {
				return c.Next
			}
		}
		return ""
	}
	switch {
	case len(failed) > 0:
		l.State, l.Detail, l.Next = string(driver.CheckFailed), strings.Join(failed, "; "), first(driver.CheckFailed)
	case len(open) > 0:
		l.State, l.Detail, l.Next = string(driver.CheckUnproven), strings.Join(open, "; "), first(driver.CheckUnproven)
	default:
		l.Detail = quota
		if len(silent) > 0 {
			l.Detail += "; not provable: " + strings.Join(silent, ", ")
		}
	}
}

// Policies returns the least that Bursar has to be allowed, one for each account
// that the filter selects. It asks no cloud.
func Policies(ctx context.Context, o Options, f DoctorFilter) ([]api.AccountPolicy, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	install, err := ledgerOf(ctx, o)
	if err != nil {
		return nil, err
	}
	c, err := openClouds(ctx, cfg, o.Endpoint, CloudsPath(o.Ledger))
	if err != nil {
		return nil, err
	}
	defer c.close() //nolint:errcheck // nothing was written
	patients, err := c.patients(f)
	if err != nil {
		return nil, err
	}
	list := []api.AccountPolicy{}
	for _, p := range patients {
		w := slices.IndexFunc(wards, func(w ward) bool { return w.provider == p.provider })
		views, err := wards[w].policies(c, p, prefixOf(install))
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", p.id, err)
		}
		list = append(list, views...)
	}
	return list, nil
}

func (c *clouds) awsPolicies(p patient, prefix string) ([]api.AccountPolicy, error) {
	dc, err := c.config(p.id, p.regions[0])
	if err != nil {
		return nil, err
	}
	v, err := policyView(p, aws.Access{
		Account: p.id, Regions: p.regions, Services: p.services, IDPrefix: prefix,
		TagKeys: dc.TagKeys, RoleARN: dc.RoleARN, ExternalID: dc.ExternalID,
	})
	return []api.AccountPolicy{v}, err
}

// policyOf is a policy of which only the subject is known.
func policyOf(p patient, whom string) api.AccountPolicy {
	v := api.AccountPolicy{Provider: string(p.provider), Account: string(p.id), Name: p.name, For: whom}
	for _, r := range p.regions {
		v.Regions = append(v.Regions, string(r))
	}
	for _, s := range p.services {
		v.Services = append(v.Services, string(s))
	}
	return v
}

func policyView(p patient, a aws.Access) (api.AccountPolicy, error) {
	v := policyOf(p, cmp.Or(a.RoleARN, baseCredentials))
	var err error
	if v.Utilization, err = json.Marshal(a.Utilization()); err != nil {
		return v, err
	}
	policy, err := a.Policy()
	if err != nil {
		return v, err
	}
	if v.Policy, err = json.Marshal(policy); err != nil {
		return v, err
	}
	if v.Advice, err = json.Marshal(a.Advice()); err != nil || a.RoleARN == "" {
		return v, err
	}
	if v.Base, err = json.Marshal(a.Base()); err != nil {
		return v, err
	}
	v.Trust, err = json.Marshal(a.Trust())
	return v, err
}

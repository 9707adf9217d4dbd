package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/driver/azure"
	"bursar/internal/driver/gcp"
	"bursar/internal/engine"
	"bursar/internal/server"
)

// clouds opens drivers for the accounts of the configuration, or for those of a
// simulator. It is all of one kind: where a live account is configured, nothing
// is simulated.
type clouds struct {
	configured map[cloud.Account]Account // of the configuration; the live ones only when live
	simulator  *simulator                // nil when live
	now        func() time.Time
	tagKeys    []string // of the configuration
	// constants follow from what was measured in each account.
	constants map[cloud.Account]calibration

	mu       sync.Mutex
	services map[cloud.Lane]driver.Service // kept: a driver holds the sessions of its attempts
	claims   map[cloud.Lane]driver.Claimer // by provider and account
	calls    calls
}

var _ engine.Clouds = (*clouds)(nil)

// Simulated is the same for all lanes.
func (c *clouds) Simulated(cloud.Lane) bool { return c.simulator != nil }

// Lanes lists the lanes that inventory watches: every service that can be bought, in
// every region of every account, unless the configuration names fewer.
func (c *clouds) Lanes() []cloud.Lane {
	var lanes []cloud.Lane
	if c.simulator != nil {
		for _, a := range c.simulator.accounts {
			if a.provider() != cloud.GCP {
				configured := c.configured[cloud.Account(a.ID)]
				configured.Provider = a.Provider
				lanes = append(lanes, lanesOf(a.provider(), a.ID, a.Regions, configured.watched())...)
			}
		}
		return append(lanes, c.gcpLanes()...)
	}
	for _, a := range c.configured {
		if !a.isGCP() {
			lanes = append(lanes, lanesOf(a.provider(), a.ID, a.Regions, a.watched())...)
		}
	}
	return append(lanes, c.gcpLanes()...)
}

// lanesOf are the lanes of services in the regions of an account; those of a service
// without regions are one.
func lanesOf(provider cloud.Provider, account string, regions []string, services []cloud.Service) []cloud.Lane {
	var lanes []cloud.Lane
	for _, s := range services {
		in := regions
		if !hasRegions(provider, s) {
			in = []string{string(aws.Global)}
		}
		for _, r := range in {
			lanes = append(lanes, cloud.Lane{Provider: provider, Account: cloud.Account(account), Region: cloud.Region(r), Service: s})
		}
	}
	return lanes
}

// Service returns the driver of a lane, always the same one.
func (c *clouds) Service(lane cloud.Lane) (driver.Service, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if svc, ok := c.services[lane]; ok {
		return svc, nil
	}
	svc, err := c.open(lane)
	if err != nil {
		return nil, err
	}
	c.services[lane] = svc
	return svc, nil
}

func (c *clouds) open(lane cloud.Lane) (driver.Service, error) {
	if !slices.Contains(bought[lane.Provider], lane.Service) {
		return nil, fmt.Errorf("%s %s cannot be bought yet: use %s", lane.Provider, lane.Service, strings.Join(everything(), ", "))
	}
	switch lane.Provider {
	case cloud.Azure:
		return c.openAzure(lane)
	case cloud.GCP:
		return c.openGCP(lane)
	}
	cfg, err := c.config(lane.Account, lane.Region)
	if err != nil {
		return nil, err
	}
	cfg.Count = c.calls.of(lane.Provider, lane.Service)
	return aws.Open(lane.Service, cfg)
}

// config is how the driver of an account and region is configured.
func (c *clouds) config(account cloud.Account, region cloud.Region) (aws.Config, error) {
	a, ok := c.configured[account]
	k := c.constants[account]
	cfg := aws.Config{
		Account: account, Region: region, Now: c.now, QueueSavingsPlans: a.QueueSavingsPlans, TagKeys: c.tagKeys,
		Settle: k.settle, TokenWindow: k.window, QueueLead: k.queueLead,
	}
	if c.simulator != nil {
		if _, err := c.simulator.account(cloud.Lane{Provider: cloud.AWS, Account: account, Region: region}, region != aws.Global); err != nil {
			return cfg, err
		}
		cfg.Endpoint = c.simulator.url
		cfg.Credentials = aws.StaticKeys(string(account), simSecret)
		cfg.RoleARN = "arn:aws:iam::" + string(account) + ":role/bursar"
		return cfg, nil
	}
	if !ok {
		return cfg, notLive(account)
	}
	base, err := aws.DefaultKeys(context.Background(), a.Profile, string(region))
	if err != nil {
		return cfg, fmt.Errorf("credentials for account %s: %w", account, err)
	}
	cfg.Credentials, cfg.RoleARN, cfg.ExternalID = base, a.RoleARN, a.ExternalID
	cfg.OpenSearchNamesUnique = a.OpenSearchNamesUnique
	return cfg, nil
}

// bought are the services that can be bought, by cloud.
var bought = map[cloud.Provider][]cloud.Service{cloud.AWS: aws.Services, cloud.Azure: azure.Services(), cloud.GCP: gcp.Services}

// everything are those services with their clouds, for people.
func everything() []string {
	var names []string
	for _, p := range slices.Sorted(maps.Keys(bought)) {
		for _, s := range bought[p] {
			names = append(names, string(p)+" "+string(s))
		}
	}
	return names
}

// hasRegions reports whether a service is sold by region alone.
func hasRegions(p cloud.Provider, s cloud.Service) bool {
	switch p {
	case cloud.Azure:
		return azure.HasRegions(s)
	case cloud.GCP:
		return s != gcp.Spend
	}
	return aws.HasRegions(s)
}

func openClouds(ctx context.Context, cfg Config, endpoint, statePath string) (*clouds, error) {
	c := &clouds{
		configured: map[cloud.Account]Account{}, tagKeys: slices.Sorted(maps.Keys(cfg.Tags)), services: map[cloud.Lane]driver.Service{}, claims: map[cloud.Lane]driver.Claimer{}, calls: calls{n: map[server.Calls]uint64{}},
	}
	for _, a := range cfg.Accounts {
		if a.Live || !cfg.live() {
			c.configured[cloud.Account(a.ID)] = a
		}
	}
	if cfg.live() {
		if endpoint != "" {
			return nil, errors.New("a live account is configured and an endpoint is named: " +
				"unset --endpoint, BURSAR_ENDPOINT and AWS_ENDPOINT_URL to buy for real, or remove live: true to rehearse")
		}
		c.now = func() time.Time { return time.Now().UTC() }
		return c, nil
	}
	var err error
	if c.simulator, err = openSimulator(ctx, endpoint, statePath); err != nil {
		return nil, err
	}
	c.now = c.simulator.Now
	return c, nil
}

func (c *clouds) close() error {
	if c.simulator == nil {
		return nil
	}
	return c.simulator.close()
}

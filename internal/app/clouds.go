package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/engine"
)

// clouds opens drivers for the accounts of the configuration, or for those of a
// simulator. It is all of one kind: where a live account is configured, nothing
// is simulated.
type clouds struct {
	live      map[cloud.Account]Account
	simulator *simulator // nil when live
	now       func() time.Time

	mu       sync.Mutex
	services map[cloud.Lane]driver.Service // kept: a driver holds the sessions of its attempts
}

var _ engine.Clouds = (*clouds)(nil)

// rds is the service that inventory watches everywhere.
const rds = aws.RDS

// Simulated is the same for all lanes.
func (c *clouds) Simulated(cloud.Lane) bool { return c.simulator != nil }

// Lanes lists the accounts and regions that inventory watches.
func (c *clouds) Lanes() []cloud.Lane {
	var lanes []cloud.Lane
	add := func(account string, regions []string) {
		for _, r := range regions {
			lanes = append(lanes, cloud.Lane{Provider: cloud.AWS, Account: cloud.Account(account), Region: cloud.Region(r), Service: rds})
		}
	}
	if c.simulator != nil {
		for _, a := range c.simulator.accounts {
			add(a.ID, a.Regions)
		}
		return lanes
	}
	for _, a := range c.live {
		add(string(a.ID), a.Regions)
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
	if lane.Provider != cloud.AWS || !slices.Contains(aws.Services, lane.Service) {
		names := make([]string, len(aws.Services))
		for i, s := range aws.Services {
			names[i] = "aws " + string(s)
		}
		return nil, fmt.Errorf("%s %s cannot be bought yet: use %s", lane.Provider, lane.Service, strings.Join(names, ", "))
	}
	cfg := aws.Config{Account: lane.Account, Region: lane.Region, Now: c.now}
	if c.simulator != nil {
		known := slices.IndexFunc(c.simulator.accounts, func(a simAccount) bool { return a.ID == string(lane.Account) })
		if known < 0 {
			ids := make([]string, len(c.simulator.accounts))
			for i, a := range c.simulator.accounts {
				ids[i] = a.ID
			}
			return nil, fmt.Errorf("account %s is neither configured with live: true nor simulated: the simulator has %s",
				lane.Account, strings.Join(ids, ", "))
		}
		if regions := c.simulator.accounts[known].Regions; !slices.Contains(regions, string(lane.Region)) {
			return nil, fmt.Errorf("region %s is not simulated: the simulator has %s", lane.Region, strings.Join(regions, ", "))
		}
		cfg.Endpoint = c.simulator.url
		cfg.Credentials = aws.StaticKeys(string(lane.Account), simSecret)
		cfg.RoleARN = "arn:aws:iam::" + string(lane.Account) + ":role/bursar"
		return aws.Open(lane.Service, cfg)
	}
	a, ok := c.live[lane.Account]
	if !ok {
		return nil, fmt.Errorf("account %s is not configured with live: true, and with a live account nothing is simulated", lane.Account)
	}
	base, err := aws.DefaultKeys(context.Background(), a.Profile, string(lane.Region))
	if err != nil {
		return nil, fmt.Errorf("credentials for account %s: %w", lane.Account, err)
	}
	cfg.Credentials, cfg.RoleARN, cfg.ExternalID = base, a.RoleARN, a.ExternalID
	cfg.OpenSearchNamesUnique = a.OpenSearchNamesUnique
	return aws.Open(lane.Service, cfg)
}

func openClouds(ctx context.Context, cfg Config, endpoint, statePath string) (*clouds, error) {
	c := &clouds{services: map[cloud.Lane]driver.Service{}}
	if cfg.live() {
		if endpoint != "" {
			return nil, errors.New("a live account is configured and an endpoint is named: " +
				"unset --endpoint, BURSAR_ENDPOINT and AWS_ENDPOINT_URL to buy for real, or remove live: true to rehearse")
		}
		c.live, c.now = map[cloud.Account]Account{}, func() time.Time { return time.Now().UTC() }
		for _, a := range cfg.Accounts {
			if a.Live {
				c.live[cloud.Account(a.ID)] = a
			}
		}
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

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver/aws"
	"bursar/internal/driver/azure"
)

// Members lists the accounts of the organization of AWS, asked with the first credentials
// that may, and the subscriptions of Azure that the credentials see. It changes nothing:
// money only moves in accounts that the configuration names.
func Members(ctx context.Context, o Options) ([]api.Member, error) {
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	c, err := openClouds(ctx, cfg, o.Endpoint, CloudsPath(o.Ledger))
	if err != nil {
		return nil, err
	}
	defer c.close() //nolint:errcheck // nothing was written
	patients, err := c.patients(cfg, DoctorFilter{})
	if err != nil {
		return nil, err
	}
	of := map[cloud.Provider][]patient{}
	for _, p := range patients {
		of[p.provider] = append(of[p.provider], p)
	}
	list := []api.Member{}
	if known := of[cloud.AWS]; len(known) > 0 {
		found, err := c.organization(ctx, known)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			v := cfg.member(cloud.AWS, m.ID, m.Name, m.Status)
			if !v.Configured && m.Status == "ACTIVE" {
				v.Add = stanza(v, known[0].regions)
			}
			list = append(list, v)
		}
	}
	if known := of[cloud.Azure]; len(known) > 0 {
		found, err := c.subscriptions(ctx, known)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			v := cfg.member(cloud.Azure, s.ID, s.Name, s.State)
			if !v.Configured && s.State == "Enabled" {
				v.Add = azureStanza(v, s.Tenant, known[0].regions)
			}
			list = append(list, v)
		}
	}
	return list, nil
}

// organization lists the accounts of AWS, by id.
func (c *clouds) organization(ctx context.Context, patients []patient) (found []aws.Member, err error) {
	var refusals error
	for _, p := range patients {
		dc, err := c.config(p.id, p.regions[0])
		if err == nil {
			found, err = aws.Members(ctx, dc)
		}
		if err == nil {
			refusals = nil
			break
		}
		refusals = errors.Join(refusals, fmt.Errorf("account %s: %w", p.id, err))
	}
	if refusals != nil {
		return nil, fmt.Errorf("no account may list the organization (%s): allow the base credentials of its management account "+
			"organizations:ListAccounts, which bursar doctor --iam prints", strings.ReplaceAll(refusals.Error(), "\n", "; "))
	}
	slices.SortFunc(found, func(a, b aws.Member) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return found, nil
}

// subscriptions lists those of Azure that any of the credentials sees, by id.
func (c *clouds) subscriptions(ctx context.Context, patients []patient) (found []azure.Subscription, err error) {
	for _, p := range patients {
		dc, err := c.azureConfig(p.id, p.regions[0])
		if err != nil {
			return nil, err
		}
		list, err := azure.Subscriptions(ctx, dc)
		if err != nil {
			return nil, fmt.Errorf("the subscriptions that the credential of %s sees cannot be listed: %w", p.id, err)
		}
		for _, s := range list {
			if !slices.ContainsFunc(found, func(known azure.Subscription) bool { return known.ID == s.ID }) {
				found = append(found, s)
			}
		}
	}
	slices.SortFunc(found, func(a, b azure.Subscription) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return found, nil
}

// member is an account that a cloud has named.
func (c Config) member(provider cloud.Provider, id cloud.Account, name, status string) api.Member {
	v := api.Member{Provider: string(provider), Account: string(id), Name: printable(name), Status: status}
	if i := slices.IndexFunc(c.Accounts, func(a Account) bool { return a.provider() == provider && a.ID == v.Account }); i >= 0 {
		v.Configured, v.Live = true, c.Accounts[i].Live
	}
	return v
}

// printable is a name that somebody chose without what a terminal acts upon.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return -1
	}, name)
}

// stanza is an entry of accounts in the configuration. It moves no money before
// somebody writes live: true.
func stanza(m api.Member, regions []cloud.Region) string {
	names := make([]string, 0, len(regions))
	for _, r := range regions {
		names = append(names, string(r))
	}
	return fmt.Sprintf("  - id: %q\n    name: %s\n    live: false\n    role_arn: arn:%s:iam::%s:role/bursar\n    regions: [%s]\n",
		m.Account, strconv.QuoteToASCII(m.Name), aws.Partition(regions[0]), m.Account, strings.Join(names, ", "))
}

// azureStanza is an entry of a subscription.
func azureStanza(m api.Member, tenant string, regions []cloud.Region) string {
	names := make([]string, 0, len(regions))
	for _, r := range regions {
		names = append(names, string(r))
	}
	return fmt.Sprintf("  - provider: azure\n    id: %s\n    name: %s\n    live: false\n    tenant: %s\n    regions: [%s]\n",
		m.Account, strconv.QuoteToASCII(m.Name), tenant, strings.Join(names, ", "))
}

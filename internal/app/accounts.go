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
)

// Members lists the accounts of the organization of AWS, asked with the first
// credentials that may, and the subscriptions of Azure and the projects of Google Cloud
// that the credentials see. It changes nothing: money only moves in accounts that the
// configuration names.
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
	patients, err := c.patients(DoctorFilter{})
	if err != nil {
		return nil, err
	}
	list := []api.Member{}
	for _, w := range wards {
		found, err := w.members(ctx, c, slices.DeleteFunc(slices.Clone(patients), func(p patient) bool { return p.provider != w.provider }))
		if err != nil {
			return nil, err
		}
		slices.SortFunc(found, func(a, b api.Member) int { return strings.Compare(a.Account, b.Account) })
		for _, m := range found {
			if i := slices.IndexFunc(cfg.Accounts, func(a Account) bool { return a.ID == m.Account }); i >= 0 {
				m.Configured, m.Live = true, cfg.Accounts[i].Live
			}
			if m.Configured {
				m.Add = ""
			}
			list = append(list, m)
		}
	}
	return list, nil
}

// awsMembers lists the accounts of the organization.
func awsMembers(ctx context.Context, c *clouds, patients []patient) ([]api.Member, error) {
	var refusals error
	for _, p := range patients {
		dc, err := c.config(p.id, p.regions[0])
		var found []aws.Member
		if err == nil {
			found, err = aws.Members(ctx, dc)
		}
		if err != nil {
			refusals = errors.Join(refusals, fmt.Errorf("account %s: %w", p.id, err))
			continue
		}
		list := make([]api.Member, len(found))
		for i, m := range found {
			list[i] = api.Member{Provider: string(cloud.AWS), Account: string(m.ID), Name: printable(m.Name), Status: m.Status}
			if m.Status == "ACTIVE" {
				list[i].Add = stanza(list[i], patients[0].regions)
			}
		}
		return list, nil
	}
	if refusals == nil {
		return nil, nil
	}
	return nil, fmt.Errorf("no account may list the organization (%s): allow the base credentials of its management account "+
		"organizations:ListAccounts, which bursar doctor --iam prints", strings.ReplaceAll(refusals.Error(), "\n", "; "))
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

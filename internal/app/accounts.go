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

// Members lists the accounts of the organization, asked with the first credentials
// that may. It changes nothing: money only moves in accounts that the configuration
// names.
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
	var found []aws.Member
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
	list := []api.Member{}
	for _, m := range found {
		v := api.Member{Provider: string(cloud.AWS), Account: string(m.ID), Name: printable(m.Name), Status: m.Status}
		if i := slices.IndexFunc(cfg.Accounts, func(a Account) bool { return a.ID == v.Account }); i >= 0 {
			v.Configured, v.Live = true, cfg.Accounts[i].Live
		} else if m.Status == "ACTIVE" {
			v.Add = stanza(v, patients[0].regions)
		}
		list = append(list, v)
	}
	return list, nil
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

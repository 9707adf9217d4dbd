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
	"bursar/internal/driver/gcp"
)

// Members lists the accounts of the organization of AWS, asked with the first
// credentials that may, and the projects of Google Cloud that the credentials see. It
// changes nothing: money only moves in accounts that the configuration names.
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
	ofAWS := slices.DeleteFunc(slices.Clone(patients), func(p patient) bool { return p.provider != cloud.AWS })
	var found []aws.Member
	var refusals error
	for _, p := range ofAWS {
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
			v.Add = stanza(v, ofAWS[0].regions)
		}
		list = append(list, v)
	}
	projects, err := c.googleProjects(ctx)
	if err != nil {
		return nil, fmt.Errorf("the projects of Google Cloud: %w", err)
	}
	slices.SortFunc(projects, func(a, b gcp.Project) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for _, m := range projects {
		v := api.Member{Provider: string(cloud.GCP), Account: string(m.ID), Name: printable(m.Name), Status: m.State}
		if i := slices.IndexFunc(cfg.Accounts, func(a Account) bool { return a.ID == v.Account }); i >= 0 {
			v.Configured, v.Live = true, cfg.Accounts[i].Live
		} else if m.State == "ACTIVE" {
			v.Add = googleStanza(v, c.projects()[0].Regions)
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

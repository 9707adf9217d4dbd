package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"bursar/internal/cloud"
)

const opListAccounts = "ListAccounts"

// Member is an account of an organization.
type Member struct {
	ID     cloud.Account
	Name   string
	Status string // in the words of AWS: ACTIVE, SUSPENDED, PENDING_CLOSURE and others
}

// Members lists the accounts of the organization that the base credentials belong
// to, all pages; a page may be empty and have a next one. Only the management
// account and delegated administrators may ask. The service has one endpoint in
// each partition.
func Members(ctx context.Context, cfg Config) ([]Member, error) {
	c, err := newCore(cfg, false)
	if err != nil {
		return nil, err
	}
	creds, err := c.retrieve(ctx)
	if err != nil {
		return nil, err
	}
	client := organizations.New(organizations.Options{
		Region:                     payerRegion(c),
		BaseEndpoint:               c.baseEndpoint(),
		Credentials:                frozen(creds),
		HTTPClient:                 c.client,
		HTTPSignerV4:               c.signer(),
		DisableClockSkewCorrection: true,
		AppID:                      appID,
	})
	var all []Member
	err = pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		out, err := client.ListAccounts(ctx, &organizations.ListAccountsInput{NextToken: marker})
		if err != nil {
			return nil, err
		}
		if out.Accounts == nil {
			return nil, errNoList
		}
		for _, a := range out.Accounts {
			status := string(a.State)
			if status == "" {
				status = string(a.Status)
			}
			all = append(all, Member{cloud.Account(aws.ToString(a.Id)), aws.ToString(a.Name), status})
		}
		return out.NextToken, nil
	})
	if err != nil {
		return nil, readError(opListAccounts, err, creds)
	}
	return all, nil
}

// payerRegion is where a partition has what it has once for an organization.
func payerRegion(c *core) string {
	switch c.partition {
	case "aws":
		return "us-east-1"
	case "aws-cn":
		return "cn-northwest-1"
	case "aws-us-gov":
		return "us-gov-west-1"
	}
	return string(c.Region)
}

package app

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/driver/azure"
	"bursar/internal/driver/gcp"
	"bursar/internal/engine"
)

var _ engine.Claimants = (*clouds)(nil)

// Marks is where an account of Azure or Google Cloud keeps the marks of who buys there:
// the address of a container or of a bucket; empty for none.
type Marks struct {
	At   string
	line int // of the configuration file
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (m *Marks) UnmarshalYAML(n *yaml.Node) error {
	m.line = n.Line
	return n.Decode(&m.At)
}

// marksProblem says what is wrong with the marks of the accounts; "" means nothing.
func (c Config) marksProblem() string {
	buckets := map[string]Marks{} // by billing account
	for i, a := range c.Accounts {
		where := fmt.Sprintf("line %d: accounts[%d]: marks: ", a.Marks.line, i)
		if a.Marks.line == 0 {
			continue
		}
		var err error
		switch a.provider() {
		case cloud.AWS:
			return where + "accounts of AWS keep theirs in Systems Manager: remove it"
		case cloud.Azure:
			err = azure.CheckMarks(a.Marks.At)
		case cloud.GCP:
			err = gcp.CheckMarks(a.Marks.At)
		}
		if err != nil {
			return where + err.Error()
		}
		if a.BillingAccount == "" {
			continue
		}
		if other, ok := buckets[a.BillingAccount]; ok && other.At != a.Marks.At {
			return fmt.Sprintf("%sbilling account %s keeps its marks in %s, by line %d: one account has its marks in one place",
				where, a.BillingAccount, other.At, other.line)
		}
		buckets[a.BillingAccount] = a.Marks
	}
	return ""
}

// Claimer keeps the marks of an account: of AWS always, of the others where the
// configuration says where.
func (c *clouds) Claimer(p cloud.Provider, account cloud.Account) (driver.Claimer, error) {
	key := cloud.Lane{Provider: p, Account: account}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.claims[key]; ok {
		return k, nil
	}
	k, err := c.openClaimer(p, account)
	if k == nil || err != nil {
		return nil, err
	}
	c.claims[key] = k
	return k, nil
}

func (c *clouds) openClaimer(p cloud.Provider, account cloud.Account) (driver.Claimer, error) {
	a := c.configured[account]
	switch p {
	case cloud.Azure:
		if a.Marks.At == "" {
			return nil, nil
		}
		cfg, err := c.azureConfig(account, azure.Global)
		if err != nil {
			return nil, err
		}
		return azure.NewClaims(cfg, a.Marks.At)
	case cloud.GCP:
		project, service, at := c.bucketFor(account)
		if at == "" {
			return nil, nil
		}
		cfg, err := c.googleConfig(cloud.Lane{Provider: p, Account: account, Region: gcp.Global, Service: service})
		if err != nil {
			return nil, err
		}
		if service == gcp.Spend {
			cfg.Project = project
		}
		return gcp.NewClaims(cfg, at)
	}
	region := aws.Global
	if len(a.Regions) > 0 {
		region = cloud.Region(a.Regions[0])
	}
	cfg, err := c.config(account, region)
	if err != nil {
		return nil, err
	}
	return aws.NewClaims(cfg)
}

// bucketFor is where a project or a billing account keeps its marks, with the project
// whose credentials write them: of several with one billing account the first that says.
func (c *clouds) bucketFor(account cloud.Account) (project string, service cloud.Service, at string) {
	for _, a := range c.projects() {
		switch {
		case a.ID == string(account):
			return a.ID, gcp.Compute, a.Marks.At
		case a.BillingAccount == string(account) && a.Marks.At != "":
			return a.ID, gcp.Spend, a.Marks.At
		}
	}
	return "", "", ""
}

// payersOf are the accounts that pay for what a patient buys.
func payersOf(p patient) []cloud.Account {
	list := []cloud.Account{p.id}
	for _, l := range p.lanes {
		if !slices.Contains(list, l.Account) {
			list = append(list, l.Account)
		}
	}
	return list
}

// keepsMarks reports whether the configuration says where an account that pays for a
// patient keeps marks.
func (c *clouds) keepsMarks(p patient) bool { return c.configured[p.id].Marks.At != "" }

// marksNext says what lets an account keep marks: where it has no place for them, and
// where it permits none.
func marksNext(p cloud.Provider, denied bool) string {
	switch {
	case p == cloud.AWS:
		return "allow ssm:GetParameter and ssm:PutParameter: bursar doctor --iam prints the policy"
	case denied && p == cloud.Azure:
		return "allow reading and writing blobs of the container: bursar doctor --iam prints the role"
	case denied:
		return "allow storage.objects.create, delete, get and list on the bucket: bursar doctor --iam prints the role"
	case p == cloud.Azure:
		return "create a container, and name it in bursar.yaml with marks: https://ACCOUNT.blob.core.windows.net/CONTAINER"
	}
	return "create a bucket, and name it in bursar.yaml with marks: gs://BUCKET"
}

package sim

import (
	"maps"
	"regexp"
	"slices"
)

// Account is an account of the simulated clouds.
type Account struct {
	Provider   string `json:"provider"`         // "aws", "azure", "gcp"
	ID         string `json:"id"`               // 12 digits, the GUID of a subscription, or the id of a project
	Tenant     string `json:"tenant,omitempty"` // GUID, of Azure
	Name       string `json:"name"`
	Management bool   `json:"management"` // of the organization all others belong to
	// BillingAccount is that of a project.
	BillingAccount string `json:"billing_account,omitempty"`
	// BillingScope is the id of the billing account of a subscription.
	BillingScope string `json:"billing_scope,omitempty"`
	// Offers are the spend-based offers of a project's billing account.
	Offers []Offer `json:"offers,omitempty"`
	// Licenses are those that a project can commit to.
	Licenses []License `json:"licenses,omitempty"`
	// Marks is where an account of Azure or Google Cloud may keep marks of who buys there.
	Marks string `json:"marks,omitempty"`
	// Regions are those with something to buy, the same for every account of a cloud.
	Regions []string `json:"regions"`
}

// The accounts of AWS are the same in every world, so that plans and tests can name
// them.
var accounts = []Account{
	{Provider: onAWS, ID: "111122223333", Name: "Example Corp Management", Management: true},
	{Provider: onAWS, ID: "444455556666", Name: "Example Corp Production"},
	{Provider: onAWS, ID: "777788889999", Name: "Example Corp Data Platform"},
	{Provider: onAWS, ID: "123456789012", Name: "Example Corp Sandbox"},
}

// subscriptions are the accounts of Azure, the same in every world too.
var subscriptions = []Account{
	{Provider: onAzure, ID: "40000000-0000-4000-8000-000000000001", Tenant: simTenant, Name: "Example Corp Platform"},
	{Provider: onAzure, ID: "40000000-0000-4000-8000-000000000002", Tenant: simTenant, Name: "Example Corp Analytics"},
}

// The clouds.
const (
	onAWS   = "aws"
	onAzure = "azure"
	onGCP   = "gcp"
)

// cloud is the provider of a service.
func (s *service) cloud() string {
	if s == nil || s.provider == "" {
		return onAWS
	}
	return s.provider
}

// Accounts returns the accounts of the world. The id of one of AWS is also the
// access key id that acts as its user "operator", with the secret "test"; the token
// of a subscription or of a project is "sim-" and its id.
func (s *Sim) Accounts() []Account {
	regions := map[string][]string{onAWS: slices.Sorted(maps.Keys(s.catalog.regions)), onAzure: azureLocations()}
	list := slices.Concat(accounts, subscriptions)
	for i := range list {
		list[i].Regions, list[i].Marks = regions[list[i].Provider], marksAt(list[i].Provider)
		if list[i].Provider == onAzure {
			list[i].BillingScope = "/providers/Microsoft.Billing/billingAccounts/" + billingAccount(list[i].ID)
		}
	}
	var places []string
	for _, r := range gcpRegions {
		places = append(places, r.name)
	}
	for _, p := range gcpProjects {
		if p.billing != gcpProjects[0].billing {
			continue // a stranger's
		}
		list = append(list, Account{Provider: onGCP, ID: p.id, Name: p.name, BillingAccount: p.billing, Marks: marksAt(onGCP), Regions: slices.Clone(places), Offers: slices.Clone(gcpOffers), Licenses: licenseList()})
	}
	return list
}

func accountByID(id string) (Account, bool) {
	for _, a := range slices.Concat(accounts, subscriptions) {
		if a.ID == id {
			return a, true
		}
	}
	return Account{}, false
}

// accountOfKey resolves a static access key id: the account id itself, or
// "test" for the first account.
func accountOfKey(accessKey string) (Account, bool) {
	if accessKey == "test" {
		return accounts[0], true
	}
	a, ok := accountByID(accessKey)
	return a, ok && a.Provider == onAWS
}

// staticSecret is the secret of every static access key.
const staticSecret = "test"

// roleARN is the form AssumeRole accepts; any role name exists in any account.
var roleARN = regexp.MustCompile(`^arn:aws:iam::([0-9]{12}):role/([\w+=,.@/-]{1,576})$`)

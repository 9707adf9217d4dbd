package sim

import (
	"maps"
	"regexp"
	"slices"
)

// Account is an account of the simulated clouds.
type Account struct {
	ID         string `json:"id"` // 12 digits
	Name       string `json:"name"`
	Management bool   `json:"management"` // of the organization all others belong to
	// Regions are those with something to buy, the same for every account.
	Regions []string `json:"regions"`
}

// The accounts are the same in every world, so that plans and tests can name
// them.
var accounts = []Account{
	{ID: "111122223333", Name: "Example Corp Management", Management: true},
	{ID: "444455556666", Name: "Example Corp Production"},
	{ID: "777788889999", Name: "Example Corp Data Platform"},
	{ID: "123456789012", Name: "Example Corp Sandbox"},
}

// Accounts returns the accounts of the world. The id is also the access key id
// that acts as its user "operator", with the secret "test".
func (s *Sim) Accounts() []Account {
	regions := slices.Sorted(maps.Keys(s.catalog.regions))
	list := slices.Clone(accounts)
	for i := range list {
		list[i].Regions = regions
	}
	return list
}

func accountByID(id string) (Account, bool) {
	for _, a := range accounts {
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
	return accountByID(accessKey)
}

// staticSecret is the secret of every static access key.
const staticSecret = "test"

// roleARN is the form AssumeRole accepts; any role name exists in any account.
var roleARN = regexp.MustCompile(`^arn:aws:iam::([0-9]{12}):role/([\w+=,.@/-]{1,576})$`)

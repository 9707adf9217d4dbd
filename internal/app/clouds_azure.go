package app

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/azure"
)

// guid is the form of the ids of Azure.
var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// The identities of reservations.
const byOrder, byAlias = "order", "alias"

// azureProblem says what is wrong with an account of Azure; "" means nothing.
func (a Account) azureProblem() string {
	life, err := a.tokenLife()
	switch {
	case !guid.MatchString(a.ID):
		return fmt.Sprintf("id: %q is not the id of a subscription: write the GUID in lower case", a.ID)
	case a.Live && a.Tenant == "":
		return "tenant: name the tenant of the subscription: money is only spent where both are as they are written here"
	case a.Tenant != "" && !guid.MatchString(a.Tenant):
		return fmt.Sprintf("tenant: %q is not the id of a tenant: write the GUID in lower case", a.Tenant)
	case err != nil || life < 0 || a.TokenLife != "" && (life < time.Hour || life > 48*time.Hour):
		return fmt.Sprintf("token_life: %q is not a duration from 1h to 48h, such as 24h", a.TokenLife)
	case a.Currency != "" && !currencyCode.MatchString(a.Currency):
		return fmt.Sprintf("currency: %q is not a code such as USD", a.Currency)
	case a.ReservationIdentity != "" && a.ReservationIdentity != byOrder && a.ReservationIdentity != byAlias:
		return fmt.Sprintf("reservation_identity: %q is not known: use order, which Azure names with a price, or alias, which is the name of the line", a.ReservationIdentity)
	case a.BillingScope != "" && !azure.IsBillingScope(a.BillingScope):
		return fmt.Sprintf("billing_scope: %q is not the id of a billing account: write /providers/Microsoft.Billing/billingAccounts/ID, with /billingProfiles/ID for a profile", a.BillingScope)
	case a.Profile != "" || a.RoleARN != "" || a.ExternalID != "" || a.QueueSavingsPlans || a.OpenSearchNamesUnique:
		return "profile, role_arn, external_id, opensearch_names_unique and queue_savings_plans are of AWS: remove them"
	case a.BillingAccount != "" || len(a.Offers) > 0:
		return "billing_account and offers are of Google Cloud: remove them"
	}
	return ""
}

func (a Account) tokenLife() (time.Duration, error) {
	if a.TokenLife == "" {
		return 0, nil
	}
	return time.ParseDuration(a.TokenLife)
}

// openAzure opens a driver with the credential of the machine, or with that of a
// simulated subscription.
func (c *clouds) openAzure(lane cloud.Lane) (driver.Service, error) {
	cfg, err := c.azureConfig(lane.Account, lane.Region)
	if err != nil {
		return nil, err
	}
	cfg.Count = c.calls.of(lane.Provider, lane.Service)
	return azure.Open(lane.Service, cfg)
}

// azureConfig is how the driver of a subscription and region is configured.
func (c *clouds) azureConfig(account cloud.Account, region cloud.Region) (azure.Config, error) {
	a, configured := c.configured[account]
	life, err := a.tokenLife()
	if err != nil {
		return azure.Config{}, err
	}
	cfg := azure.Config{
		Account: account, Tenant: a.Tenant, Region: region, TokenLife: life, Currency: a.Currency, Now: c.now,
		ByAlias: a.ReservationIdentity == byAlias, BillingScope: a.BillingScope,
	}
	if c.simulator != nil {
		known, err := c.simulator.account(cloud.Lane{Provider: cloud.Azure, Account: account, Region: region}, region != azure.Global)
		if err != nil {
			return cfg, err
		}
		cfg.Tenant, cfg.Endpoint = known.Tenant, c.simulator.url
		cfg.Credential = azure.SimulatorCredential(string(account), c.now)
		return cfg, nil
	}
	if !configured {
		return cfg, notLive(account)
	}
	if cfg.Credential, err = azure.DefaultCredential(a.Tenant); err != nil {
		return cfg, fmt.Errorf("credentials for subscription %s: %w", account, err)
	}
	return cfg, nil
}

// notLive is the error of an account that may not be used.
func notLive(account cloud.Account) error {
	return fmt.Errorf("account %s is not configured with live: true, and with a live account nothing is simulated", account)
}

// account is what a simulator says of the account of a lane, whose region it must have
// unless the service has none.
func (s *simulator) account(lane cloud.Lane, regional bool) (simAccount, error) {
	var ids []string
	for _, a := range s.accounts {
		if a.provider() != lane.Provider {
			continue
		}
		ids = append(ids, a.ID)
		if a.ID != string(lane.Account) {
			continue
		}
		if regional && !slices.Contains(a.Regions, string(lane.Region)) {
			return a, fmt.Errorf("region %s is not simulated: the simulator has %s", lane.Region, strings.Join(a.Regions, ", "))
		}
		return a, nil
	}
	return simAccount{}, fmt.Errorf("account %s is neither configured with live: true nor simulated: the simulator has %s",
		lane.Account, strings.Join(ids, ", "))
}

func (c *clouds) azurePatients(f DoctorFilter) []patient { return c.regional(cloud.Azure, f) }

// azurePolicies are the custom role for a subscription.
func (c *clouds) azurePolicies(p patient, _ string) ([]api.AccountPolicy, error) {
	v := policyOf(p, baseCredentials)
	var err error
	v.Policy, err = json.Marshal(azure.RoleFor(p.id, p.services, c.configured[p.id].ReservationIdentity == byAlias, c.keepsMarks(p)))
	return []api.AccountPolicy{v}, err
}

// azureMembers are the subscriptions that any of the credentials sees.
func azureMembers(ctx context.Context, c *clouds, patients []patient) ([]api.Member, error) {
	var list []api.Member
	for _, p := range patients {
		dc, err := c.azureConfig(p.id, p.regions[0])
		if err != nil {
			return nil, err
		}
		found, err := azure.Subscriptions(ctx, dc)
		if err != nil {
			return nil, fmt.Errorf("the subscriptions that the credential of %s sees cannot be listed: %w", p.id, err)
		}
		for _, s := range found {
			m := api.Member{Provider: string(cloud.Azure), Account: string(s.ID), Name: printable(s.Name), Status: s.State}
			if s.State == "Enabled" {
				m.Add = azureStanza(m, s.Tenant, patients[0].regions)
			}
			if !slices.ContainsFunc(list, func(known api.Member) bool { return known.Account == m.Account }) {
				list = append(list, m)
			}
		}
	}
	return list, nil
}

// azureStanza is an entry of a subscription in the configuration. It moves no money
// before somebody writes live: true.
func azureStanza(m api.Member, tenant string, regions []cloud.Region) string {
	names := make([]string, 0, len(regions))
	for _, r := range regions {
		names = append(names, string(r))
	}
	return fmt.Sprintf("  - provider: azure\n    id: %s\n    name: %s\n    live: false\n    tenant: %s\n    regions: [%s]\n",
		m.Account, strconv.QuoteToASCII(m.Name), tenant, strings.Join(names, ", "))
}

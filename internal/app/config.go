package app

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/purchase"
)

// Config is the configuration file. Without one, nothing is real: every purchase
// goes to the simulator.
//
//	accounts:
//	  - id: "123456789012"          # always quoted
//	    name: production            # optional, for people
//	    live: true                  # buy for real in this account
//	    profile: finops             # optional: AWS profile of the base credentials
//	    role_arn: arn:aws:iam::123456789012:role/bursar
//	    external_id: example        # optional
//	    regions: [eu-west-1]        # where inventory is watched
//	    services: [rds, ec2]        # optional: what is watched there; default is all that can be bought
//	    exclusive: [rds]            # optional: nobody but Bursar buys these there
//	    opensearch_names_unique: true  # optional: OpenSearch was seen to refuse a used name
//	    queue_savings_plans: true   # optional: order Savings Plans two hours ahead, deletable until then
//	  - provider: azure
//	    id: 00000000-0000-0000-0000-000000000000      # the subscription that pays
//	    tenant: 00000000-0000-0000-0000-000000000000  # its tenant
//	    live: true
//	    regions: [westeurope]
//	    token_life: 24h             # optional: of a managed identity's tokens; default 90m
//	    currency: EUR               # optional: that savings plans commit to; default USD
//	    billing_scope: /providers/Microsoft.Billing/billingAccounts/ID  # optional: read what is recommended for all of its subscriptions
//	    reservation_identity: alias # optional: buy reservations under a name of ours; default order
//	    marks: https://example.blob.core.windows.net/bursar  # optional: the container that says who buys here
//	  - id: example-prod            # a project of Google Cloud
//	    provider: gcp               # default: aws
//	    live: true                  # with application default credentials
//	    regions: [europe-west1]
//	    services: [compute, spend]
//	    billing_account: 012345-6789AB-CDEF01  # for spend
//	    currency: EUR               # optional: that of the billing account; default USD
//	    offers:                     # for spend: what can be bought, from Google's documents
//	      - {id: services/compute.googleapis.com/standardOffers/ID, product: compute-flexible, term: 1y}
//	    marks: gs://example-bursar  # optional: the bucket that says who buys here
//	    licenses:                   # for licenses: each with its SKU in Google's price list
//	      - {license: suse-sap-cloud/sles-sap-12, cores: 3-4, term: 1y, sku: 0123-4567-89AB}
//	approvals:                      # frozen into every plan that is made from now on
//	  needed: 2                     # how many different people approve a plan; default 1
//	  approvers: [ada, grace]       # who they are; default anybody
//	  requester_may_approve: false  # default: where every line is simulated
//	tags:                           # frozen into every plan that is made from now on
//	  cost-center: "{purpose}"      # what purchases are tagged with besides bursar:plan and bursar:line
//	schedules:                      # how often workers run their tasks, or off
//	  resolve: 30s                  # look up what is in doubt, raise what is overdue
//	  audit: 1h
//	  inventory: 6h
//	  expire: 5m                    # end what was not sent before its approval was over
//	  outbox: 30s                   # tell people what notify says
//	notify:                         # optional: who is told of what
//	  links: https://bursar.example.com  # optional: where the pages are
//	  before_purchase_hours: [24]   # default
//	  before_expiry_days: [90, 60, 30, 7]  # default
//	  before_return_end_hours: 48   # default
//	  before_month_end_days: 3      # default; while a payment is pending
//	  people:                       # mail addresses
//	    ada: ada@example.com
//	  channels:                     # each with a name
//	    finops:
//	      type: slack               # or teams, discord: incoming webhooks
//	      url: env:SLACK_URL        # where the address is: env:NAME or file:PATH
//	      kinds: [bought, in_doubt] # optional: default is all
//	    team:
//	      type: mail
//	      server: smtp.example.com:587
//	      tls: starttls             # default; or tls, or none
//	      ca: /etc/ssl/mail.pem     # optional: who signs the server's certificate
//	      user: bursar              # optional
//	      password: file:/run/secrets/smtp
//	      from: bursar@example.com
//	      to: [ada, finops@example.com]  # optional: default is all people
//	    bot:
//	      type: webhook             # the message as JSON
//	      url: env:HOOK_URL
//	      secret: env:HOOK_SECRET   # optional: signs it
//	policies:                       # optional: plans that workers make by a policy
//	  - name: databases             # that of the policy
//	    file: databases.yaml        # from the directory of this file, see docs/policy.md
//	    input: advice.json          # likewise: what is advised; or clouds: {providers: [aws], max_requests: 20}
//	    every: 168h                 # optional: how often; default a week
//	journal: /mnt/other/bursar.journal  # optional: where intents are written; default LEDGER.journal
//	environment: production         # optional: a copy of the ledger in another one buys nothing
//	claims: true                    # optional: claim every purchase in the account that pays
//	auth: {}                        # optional: how people sign in to the server, see Auth
//	signing_key: /mnt/other/bursar.key  # optional: what receipts are signed with; default LEDGER.key
type Config struct {
	Accounts  []Account     `yaml:"accounts"`
	Approvals Approvals     `yaml:"approvals"`
	Tags      purchase.Tags `yaml:"tags"`
	Schedules Schedules     `yaml:"schedules"`
	Notify    Notify        `yaml:"notify"`
	Policies  []PolicyFile  `yaml:"policies"`
	// Journal is the path of the intent journal, from the directory of this file.
	Journal     string `yaml:"journal"`
	Environment string `yaml:"environment"`
	Claims      bool   `yaml:"claims"`
	// SigningKey is the path of the key that signs receipts, from the directory of this
	// file.
	SigningKey string `yaml:"signing_key"`
	Auth       Auth   `yaml:"auth"`

	notifier *notifier // made of Notify; nil without a file
}

// Approvals is the rule by which plans are approved.
type Approvals struct {
	Needed              *int     `yaml:"needed"`
	Approvers           []string `yaml:"approvers"`
	RequesterMayApprove *bool    `yaml:"requester_may_approve"`
}

// Account is one account that Bursar may use.
type Account struct {
	ID         string `yaml:"id"`
	Provider   string `yaml:"provider"` // "" means aws
	Name       string `yaml:"name"`
	Tenant     string `yaml:"tenant"`     // of Azure
	TokenLife  string `yaml:"token_life"` // of Azure
	Currency   string `yaml:"currency"`   // of Azure and Google Cloud
	Live       bool   `yaml:"live"`
	Profile    string `yaml:"profile"`
	RoleARN    string `yaml:"role_arn"`
	ExternalID string `yaml:"external_id"`
	// ReservationIdentity says by what Azure knows a purchase of reservations: "order", or
	// "", is the id that it names with a price, "alias" the name of the line.
	ReservationIdentity string `yaml:"reservation_identity"`
	Marks               Marks  `yaml:"marks"`

	// BillingScope is the billing account of Azure, or a profile of it, whose
	// recommendations are read instead of those of the subscription.
	BillingScope string `yaml:"billing_scope"`

	Regions   []string `yaml:"regions"`
	Services  []string `yaml:"services"`
	Exclusive []string `yaml:"exclusive"`
	// Of projects of Google Cloud.
	BillingAccount string    `yaml:"billing_account"`
	Offers         []Offer   `yaml:"offers"`
	Licenses       []License `yaml:"licenses"`
	// OpenSearchNamesUnique says that OpenSearch refuses a reservation under a used
	// name, which AWS does not document. A line then takes its name for its identity.
	OpenSearchNamesUnique bool `yaml:"opensearch_names_unique"`
	// QueueSavingsPlans orders Savings Plans two hours ahead instead of buying them at
	// once.
	QueueSavingsPlans bool `yaml:"queue_savings_plans"`
}

// named are services by their names.
func named(names []string) []cloud.Service {
	services := make([]cloud.Service, len(names))
	for i, n := range names {
		services[i] = cloud.Service(n)
	}
	return services
}

func (a Account) provider() cloud.Provider { return cmp.Or(cloud.Provider(a.Provider), cloud.AWS) }

// watched are the services of the account that inventory watches.
func (a Account) watched() []cloud.Service {
	if len(a.Services) == 0 {
		return bought[a.provider()]
	}
	return named(a.Services)
}

// servicesProblem says what is wrong with the services that an account names; ""
// means nothing.
func (a Account) servicesProblem() string {
	for _, list := range []struct {
		key   string
		names []string
	}{{"services", a.Services}, {"exclusive", a.Exclusive}} {
		for _, s := range named(list.names) {
			switch {
			case !slices.Contains(bought[a.provider()], s):
				all := make([]string, len(bought[a.provider()]))
				for i, s := range bought[a.provider()] {
					all[i] = string(s)
				}
				return fmt.Sprintf("%s: %q is not a service that is bought: use %s", list.key, s, strings.Join(all, ", "))
			case list.key == "exclusive" && !slices.Contains(a.watched(), s):
				return fmt.Sprintf("exclusive: %s is not watched: add it to services", s)
			case list.key == "exclusive" && hasRegions(a.provider(), s) && len(a.Regions) == 0:
				return "regions: name the regions in which these services are exclusive, such as [eu-west-1]"
			}
		}
	}
	if a.Live && len(a.Regions) == 0 && slices.ContainsFunc(a.watched(), func(s cloud.Service) bool { return hasRegions(a.provider(), s) }) {
		return "regions: name the regions to watch, such as [eu-west-1]"
	}
	return ""
}

var awsAccount = regexp.MustCompile(`^[0-9]{12}$`)

// LoadConfig reads a configuration file. A missing file is an empty
// configuration unless must is set. Unknown keys are errors.
func LoadConfig(path string, must bool) (Config, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !must {
		return Config{}, nil
	} else if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("configuration: there is no file %s", path)
	} else if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	var c Config
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: %s", path, yamlProblem(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: a configuration is one YAML document, and here a second one follows", path)
	}
	if err := c.Schedules.parse(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if c.notifier, err = c.Notify.notifier(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := parsePolicies(path, c.Policies); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

var (
	unknownKey = regexp.MustCompile(`^line (\d+): field (.+) not found in type (.+)$`)
	wrongKind  = regexp.MustCompile(`^line (\d+): cannot unmarshal (.+) into .+$`)
)

// yamlProblem turns the first complaint of the YAML library into a sentence.
func yamlProblem(err error) string {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) || len(wrong.Errors) == 0 {
		return strings.TrimPrefix(err.Error(), "yaml: ")
	}
	first := wrong.Errors[0]
	if m := unknownKey.FindStringSubmatch(first); m != nil {
		keys := "accounts, approvals, tags, schedules, notify, policies, journal, environment, claims, auth, signing_key"
		if strings.HasSuffix(m[3], "Account") {
			keys = "id, provider, name, live, profile, role_arn, external_id, regions, services, exclusive, opensearch_names_unique, queue_savings_plans, tenant, token_life, reservation_identity, billing_scope, currency, billing_account, offers, licenses, marks"
		}
		if strings.HasSuffix(m[3], "Offer") {
			keys = "id, product, term, regional"
		}
		if strings.HasSuffix(m[3], "Schedules") {
			keys = "resolve, audit, inventory, expire, outbox, recommendations"
		}
		if strings.HasSuffix(m[3], "Notify") {
			keys = "links, before_purchase_hours, before_expiry_days, before_return_end_hours, before_month_end_days, people, channels"
		}
		if strings.HasSuffix(m[3], "Channel") {
			keys = "type, kinds, url, secret, server, tls, ca, user, password, from, to"
		}
		if strings.HasSuffix(m[3], "PolicyFile") {
			keys = "name, file, input, clouds, every"
		}
		if strings.HasSuffix(m[3], "AskedClouds") {
			keys = "providers, account, services, terms, payments, max_requests"
		}
		if strings.HasSuffix(m[3], "Approvals") {
			keys = "needed, approvers, requester_may_approve"
		}
		for kind, own := range authKeys {
			if strings.HasSuffix(m[3], "."+kind) {
				keys = own
			}
		}
		return fmt.Sprintf("line %s: %s is not a key here: use %s", m[1], m[2], keys)
	}
	if m := wrongKind.FindStringSubmatch(first); m != nil {
		return fmt.Sprintf("line %s: %s is not what belongs here: accounts is a list, live, opensearch_names_unique and queue_savings_plans are true or false, regions, services and exclusive are lists of names, approvals has needed, approvers and requester_may_approve, tags is a list of keys with texts, schedules has durations, notify has links, lead times, people with their addresses and channels by name",
			m[1], strings.TrimPrefix(m[2], "!!"))
	}
	return first
}

func (c Config) validate() error {
	seen := map[string]bool{}
	for i, a := range c.Accounts {
		where := fmt.Sprintf("accounts[%d]", i)
		if a.Name != "" {
			where += " (" + a.Name + ")"
		}
		switch {
		case len(bought[a.provider()]) == 0:
			return fmt.Errorf("%s: provider: %q is not supported: use aws, azure or gcp", where, a.Provider)
		case a.ID == "" && a.Live:
			return fmt.Errorf("%s: live: true needs the account's id: money is only spent in accounts that are named", where)
		case a.provider() != cloud.Azure && a.ReservationIdentity != "":
			return fmt.Errorf("%s: reservation_identity: is of Azure: remove it, or name the provider", where)
		case a.provider() != cloud.Azure && a.BillingScope != "":
			return fmt.Errorf("%s: billing_scope: is of Azure: remove it, or name the provider", where)
		case a.BillingScope != "" && seen[strings.ToLower(a.BillingScope)]:
			return fmt.Errorf("%s: billing_scope: another account has the same: name it for the subscription that buys, or its advice counts twice", where)
		case a.provider() == cloud.Azure && a.azureProblem() != "":
			return fmt.Errorf("%s: %s", where, a.azureProblem())
		case a.provider() == cloud.GCP && a.gcpProblem() != "":
			return fmt.Errorf("%s: %s", where, a.gcpProblem())
		case a.provider() == cloud.AWS && (a.Tenant+a.TokenLife+a.Currency+a.BillingAccount != "" || len(a.Offers)+len(a.Licenses) > 0):
			return fmt.Errorf("%s: tenant, token_life, currency, billing_account, offers and licenses are of other clouds: remove them, or name the provider", where)
		case a.provider() == cloud.AWS && !awsAccount.MatchString(a.ID):
			return fmt.Errorf("%s: id: %q is not an AWS account id: write its 12 digits in quotes", where, a.ID)
		case seen[a.ID]:
			return fmt.Errorf("%s: id: account %s is named twice", where, a.ID)
		case a.RoleARN != "" && !strings.Contains(a.RoleARN, ":"+a.ID+":role/"):
			return fmt.Errorf("%s: role_arn: %q is not a role of account %s", where, a.RoleARN, a.ID)
		case a.ExternalID != "" && a.RoleARN == "":
			return fmt.Errorf("%s: external_id: belongs to a role_arn, and there is none", where)
		case a.servicesProblem() != "":
			return fmt.Errorf("%s: %s", where, a.servicesProblem())
		}
		seen[a.ID] = true
		if a.BillingScope != "" {
			seen[strings.ToLower(a.BillingScope)] = true
		}
	}
	if problem := c.marksProblem(); problem != "" {
		return errors.New(problem)
	}
	if err := c.Approvals.validate(); err != nil {
		return err
	}
	if err := plain("environment", c.Environment); err != nil {
		return err
	}
	if _, err := c.Auth.options(false); err != nil {
		return err
	}
	return c.Tags.CheckTemplates()
}

func (a Approvals) validate() error {
	people := map[string]bool{}
	for i, name := range a.Approvers {
		where := fmt.Sprintf("approvals: approvers[%d]", i)
		key := purchase.PersonKey(name)
		switch {
		case key == "":
			return fmt.Errorf("%s: an approver needs a name", where)
		case people[key]:
			return fmt.Errorf("%s: %s is named twice: case and surrounding space do not matter", where, name)
		}
		if err := plain(where, name); err != nil {
			return err
		}
		people[key] = true
	}
	switch {
	case a.Needed != nil && *a.Needed < 1:
		return fmt.Errorf("approvals: needed: %d people cannot approve a plan: use 1 or more", *a.Needed)
	case a.Needed != nil && len(people) > 0 && *a.Needed > len(people):
		return fmt.Errorf("approvals: needed: %d of %d approvers cannot approve a plan: name more of them or need fewer", *a.Needed, len(people))
	}
	return nil
}

// rules is the rule as the engine takes it.
func (a Approvals) rules() engine.ApprovalRules {
	r := engine.ApprovalRules{Self: a.RequesterMayApprove}
	if a.Needed != nil {
		r.Needed = *a.Needed
	}
	for _, name := range a.Approvers {
		r.Approvers = append(r.Approvers, strings.TrimSpace(name))
	}
	return r
}

// live reports whether any account is real.
func (c Config) live() bool {
	for _, a := range c.Accounts {
		if a.Live {
			return true
		}
	}
	return false
}

// Package azure buys commitments from Microsoft Azure with the official SDK:
// reservations of every resource type by one driver, savings plans by another.
// Tokens, the proof of the caller, the spending request, the classification of
// answers and pages exist once for both.
//
// What both may rely on:
//
//   - Azure Resource Manager checks no time in a request. What ends an attempt is the
//     token it carries, which is frozen when the attempt is quoted.
//   - A client of the SDK is made for one call, of a concrete type, and never stored in
//     an interface of ours: the linker would keep all its methods.
//   - A read may be retried by the SDK. A spending request goes through spend, and
//     there it is one request on one fresh connection or none. The SDK's pollers are
//     not used: they never end at some states and take others for errors.
//   - An address in an answer is never followed to another host.
package azure

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	azure "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

const (
	// appID goes into the User-Agent of every request.
	appID = "bursar"
	// management is the address of Azure Resource Manager, and what tokens are for.
	management = "https://management.azure.com"
	// answerTime bounds a call of Purchase unless Config says otherwise.
	answerTime = 25 * time.Second
	// readTimeout bounds one read with the retries of the SDK.
	readTimeout = 30 * time.Second
	// tokenLife is the upper bound of the default life of a token, which is drawn
	// between 60 and 90 minutes (Microsoft identity platform, "Access token lifetime").
	tokenLife = 90 * time.Minute
	// tokenLeft is how long a token must still be good for to be used.
	tokenLeft = 5 * time.Minute
	// sendWindow is what a round may take from its first read to the purchase; one that
	// takes longer sends nothing.
	sendWindow = 2 * time.Minute
	// settleTime is how long after an effect a listing is taken to miss it, which is not
	// published.
	settleTime = time.Hour
	// maxPages ends a listing whose pages never end.
	maxPages = 10_000
)

// Global is the region of what is sold for all regions at once.
const Global cloud.Region = "global"

// Config binds a driver to one subscription and one region.
type Config struct {
	Account cloud.Account // id of the subscription that pays, a GUID in lower case
	Tenant  string        // id of its tenant, a GUID in lower case
	Region  cloud.Region  // such as "westeurope"; Global for what has none, and for nothing else
	// Endpoint replaces the address of Azure Resource Manager; empty means that of the
	// public cloud.
	Endpoint string
	// Credential gives the tokens that read and buy.
	Credential azcore.TokenCredential
	// TokenLife is the longest that a token of Credential is good for; 0 means 90
	// minutes. A managed identity's are good for a day. What is in doubt stays so for as
	// long, and a token that is good for longer does not buy.
	TokenLife time.Duration
	// ByAlias buys reservations by an alias that we choose, not by the order that Azure
	// names with its price.
	ByAlias bool
	// Currency is what the billing account pays in: savings plans commit to it; empty
	// means USD.
	Currency string
	// BillingScope is the id of the billing account, or of a billing profile of it, whose
	// recommendations are asked for instead of those of the subscription; empty means the
	// subscription.
	BillingScope string
	// Now is the clock; nil means time.Now. It may be a simulated clock.
	Now func() time.Time
	// Answer bounds one call of Purchase, in wall time; 0 means 25 seconds.
	Answer time.Duration
	// Transport is where proxy, dialer and certificate authorities come from; nil means a
	// direct connection, whatever the environment says of proxies. It is copied, and its
	// connections are never used for spending.
	Transport *http.Transport
	// Count is told of every request by the status of its answer; nil is not told.
	Count func(result string)
}

var (
	guidForm     = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	regionForm   = regexp.MustCompile(`^[a-z][a-z0-9]{1,39}$`)
	currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)
	billingForm  = regexp.MustCompile(`^/providers/Microsoft\.Billing/billingAccounts/[A-Za-z0-9:_.-]{1,128}(/billingProfiles/[A-Za-z0-9-]{1,64})?$`)
	nameForm     = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
)

// IsBillingScope reports whether an id is that of a billing account or of a profile of one.
func IsBillingScope(id string) bool { return billingForm.MatchString(id) }

// Services are those that Open knows.
func Services() []cloud.Service {
	var names []cloud.Service
	for _, k := range kinds {
		names = append(names, k.service)
	}
	return append(names, SavingsPlan)
}

// HasRegions reports whether a service is sold by region; what another one sells is in
// Global.
func HasRegions(s cloud.Service) bool { return s != SavingsPlan }

// Open returns the driver of a service for one subscription and region. It does no IO.
func Open(s cloud.Service, cfg Config) (driver.Service, error) {
	c, err := newCore(cfg)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(Services(), s) {
		return nil, fmt.Errorf("azure %s cannot be bought", s)
	}
	if global := !HasRegions(s); global != (cfg.Region == Global) {
		if global {
			return nil, fmt.Errorf("azure: region %q: %s has no regions: want %s", cfg.Region, s, Global)
		}
		return nil, fmt.Errorf("azure: region %q: %s is sold by region: want a name such as westeurope", cfg.Region, s)
	}
	if s == SavingsPlan {
		return &plans{c}, nil
	}
	d := &reservations{c, kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.service == s })]}
	if cfg.ByAlias {
		return &aliased{d}, nil
	}
	return d, nil
}

// core is what the services of one subscription and region share.
type core struct {
	Config
	host     string       // of the endpoint
	client   *http.Client // for reads
	sessions sessions
	reader   reader
}

func newCore(cfg Config) (*core, error) {
	switch {
	case !guidForm.MatchString(string(cfg.Account)):
		return nil, fmt.Errorf("azure: account %q: want the id of a subscription, a GUID in lower case", cfg.Account)
	case !guidForm.MatchString(cfg.Tenant):
		return nil, fmt.Errorf("azure: tenant %q: want the id of a tenant, a GUID in lower case", cfg.Tenant)
	case !regionForm.MatchString(string(cfg.Region)):
		return nil, fmt.Errorf("azure: region %q: want a name such as westeurope", cfg.Region)
	case cfg.Credential == nil:
		return nil, errors.New("azure: no credential")
	case cfg.BillingScope != "" && !IsBillingScope(cfg.BillingScope):
		return nil, fmt.Errorf("azure: billing scope %.200q: want /providers/Microsoft.Billing/billingAccounts/ID", cfg.BillingScope)
	case cfg.TokenLife < 0 || cfg.Answer < 0:
		return nil, errors.New("azure: token life and answer time: want positive durations")
	}
	c := &core{Config: cfg}
	if c.Endpoint == "" {
		c.Endpoint = management
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("azure: endpoint: want an absolute http or https URL")
	}
	c.host = u.Host
	if c.Currency == "" {
		c.Currency = "USD"
	}
	if !currencyForm.MatchString(c.Currency) {
		return nil, fmt.Errorf("azure: currency %q: want a code such as USD", c.Currency)
	}
	if c.TokenLife == 0 {
		c.TokenLife = tokenLife
	}
	if c.Answer == 0 {
		c.Answer = answerTime
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext}
	}
	c.Transport = c.Transport.Clone()
	c.client = &http.Client{Transport: oneshot.Counted(c.Transport, c.Count), CheckRedirect: oneshot.NoRedirect}
	return c, nil
}

// now returns Config.Now in UTC, with its monotonic reading if it has one.
func (c *core) now() time.Time { return c.Now().UTC() }

func (c *core) lane(s cloud.Service) cloud.Lane {
	return cloud.Lane{Provider: cloud.Azure, Account: c.Account, Region: c.Region, Service: s}
}

func (c *core) info(s cloud.Service, attributes []driver.Attribute, guarantee string) driver.Info {
	return driver.Info{
		Lane: c.lane(s), Class: cloud.ClassHandle, Life: c.TokenLife + sendWindow, Settle: settleTime, Answer: c.Answer,
		Attributes: slices.Clone(attributes), Guarantee: guarantee,
	}
}

// options are those of a client of the SDK. A spending client has a transport of its
// own and retries nothing.
func (c *core) options(client *http.Client, spends bool) *arm.ClientOptions {
	o := &arm.ClientOptions{
		DisableRPRegistration: true, // a driver changes nothing that it was not asked to
		ClientOptions: policy.ClientOptions{
			Cloud: azure.Configuration{
				ActiveDirectoryAuthorityHost: azure.AzurePublic.ActiveDirectoryAuthorityHost,
				Services: map[azure.ServiceName]azure.ServiceConfiguration{
					azure.ResourceManager: {Endpoint: c.Endpoint, Audience: management},
				},
			},
			Telemetry:                       policy.TelemetryOptions{ApplicationID: appID},
			Transport:                       client,
			InsecureAllowCredentialWithHTTP: strings.HasPrefix(c.Endpoint, "http://"), // a simulator's
		},
	}
	if spends {
		o.Retry.MaxRetries = -1
	}
	return o
}

// accepts checks that a request is for this subscription, region and service.
func (c *core) accepts(r driver.Request, s cloud.Service) error {
	if r.Account != c.Account {
		return fmt.Errorf("request for subscription %s at a driver of %s: %w", r.Account, c.Account, driver.ErrWrongAccount)
	}
	if o := r.Offering; o.Provider != cloud.Azure || o.Service != s || o.Region != c.Region {
		return fmt.Errorf("offering of %s/%s/%s at a driver of %s/%s/%s",
			o.Provider, o.Region, o.Service, cloud.Azure, c.Region, s)
	}
	return nil
}

// checkName reports whether an identity can be the name of a commitment: what Azure
// takes as an alias, in lower case.
func checkName(identity string) error {
	if len(identity) > 64 || !nameForm.MatchString(identity) {
		return fmt.Errorf("%.64q cannot be a name: want at most 64 lower-case letters, digits and single hyphens, a letter first", identity)
	}
	return nil
}

// checkQuery refuses what a service does not know: a filter that is not understood
// would match too much.
func checkQuery(title string, q driver.Query, attributes []driver.Attribute) error {
	if q.Payment != "" && planOf(q.Payment) == "" {
		return fmt.Errorf("%s are not sold %s: use all-upfront or monthly", title, q.Payment)
	}
	for key, want := range q.Attributes {
		i := slices.IndexFunc(attributes, func(a driver.Attribute) bool { return a.Key == key })
		if i < 0 {
			keys := make([]string, len(attributes))
			for i, a := range attributes {
				keys[i] = a.Key
			}
			return fmt.Errorf("%s have no attribute %q: use %s", title, key, strings.Join(keys, ", "))
		}
		if legal := attributes[i].Values; legal != nil && !slices.Contains(legal, want) {
			return fmt.Errorf("%s %q: want %s", key, want, strings.Join(legal, " or "))
		}
	}
	return nil
}

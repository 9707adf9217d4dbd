// Package aws buys commitments from Amazon Web Services with the official SDK.
// A service is one file that says what is special about it; listing, quoting and
// ordering, sessions, the spending transport, the classification of answers,
// pagination and prices exist once for all of them.
//
// What every service may rely on:
//
//   - All times come from Config.Now, the time in a signature included: the signer
//     takes no other, and where the SDK can, its correction of clock skew is off.
//   - A client of the SDK is made for one call, of a concrete type, and never
//     stored in an interface of ours: the linker would keep all its methods.
//   - A read may be retried by the SDK. A spending request goes through spend,
//     and there it is one request on one fresh connection or none.
package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

const (
	// appID goes into the User-Agent of every request (app/bursar).
	appID = "bursar"
	// answerTime bounds a call of Purchase unless Config says otherwise.
	answerTime = 25 * time.Second
	// readTimeout bounds one read with the retries of the SDK.
	readTimeout = 30 * time.Second
	// signatureLife is the documented upper bound of the age at which AWS accepts
	// a signature; most services refuse after 5 minutes.
	signatureLife = 15 * time.Minute
	// sendWindow is what a round may take from its first read to the signing of
	// the purchase; one that takes longer sends nothing.
	sendWindow = 2 * time.Minute
	// sessionLife is how far ahead of the purchase the deadline in a session
	// policy is meant to be.
	sessionLife = 2 * time.Minute
	// settleTime is how long after an effect a listing may still miss it.
	settleTime = 10 * time.Minute
	// tokenWindow is far below what any service of AWS says of its tokens.
	tokenWindow = 10 * time.Minute
	// globalRegion is where the services without a region are, and how their requests
	// are signed.
	globalRegion = "us-east-1"
	// maxPages ends a listing whose markers never end.
	maxPages = 10_000
)

// Config binds a driver to one account and one region.
type Config struct {
	Account cloud.Account // 12 digits
	Region  cloud.Region  // "global" for a service that has none, and for no other
	// Endpoint replaces the endpoints of all services; empty means those of AWS.
	Endpoint string
	// Credentials are the base: they read, and they buy or assume RoleARN.
	Credentials aws.CredentialsProvider
	// RoleARN is a role of Account that is assumed once for each attempt, so that
	// AWS itself ends the attempt at its deadline. Empty means that Credentials
	// buy, and an attempt can take effect for as long as its signature lives.
	RoleARN    string
	ExternalID string // what the role's trust policy asks for; may be empty
	// Now is the clock; nil means time.Now. It may be a simulated clock that runs
	// ahead of the wall clock.
	Now func() time.Time
	// Answer bounds one call of Purchase, in wall time; 0 means 25 seconds.
	Answer time.Duration
	// OpenSearchNamesUnique says that OpenSearch refuses a second reservation under a
	// name that was used in the account and region. AWS does not document it: it is
	// for those who have seen it.
	OpenSearchNamesUnique bool
	// TagKeys are the keys that purchases are tagged with besides ours: the doctor asks
	// with them.
	TagKeys []string
	// Transport is where proxy, dialer and certificate authorities come from; nil
	// means a direct connection, whatever the environment says of proxies. It is
	// copied, and its connections are never used for spending.
	Transport *http.Transport
	// Count is told of every request by the status of its answer; nil is not told.
	Count func(result string)
	// QueueSavingsPlans orders Savings Plans for a later second, until which they can
	// be deleted free of charge. Otherwise they start at once, and a client token
	// stops a second one.
	QueueSavingsPlans bool
	// TokenWindow is how long a client token is taken to be remembered, which AWS does
	// not publish; 0 means 10 minutes.
	TokenWindow time.Duration
	// Settle is how long a listing may miss an effect, as it was measured; what is
	// less than 10 minutes changes nothing.
	Settle time.Duration
	// QueueLead is how far ahead an order must at least be to be taken, as it was
	// measured; 0 means that no limit is known.
	QueueLead time.Duration
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2,5}(-[a-z]+)+-[0-9]+$`)
	roleForm    = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::([0-9]{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,64})$`)
	attemptForm = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// core is what all services of one account and region share.
type core struct {
	Config
	partition string       // "aws", "aws-cn", "aws-us-gov": fixed by the region
	role      string       // name of the role, empty without one
	client    *http.Client // for reads
	sessions  sessions
	callers   callers
	reader    reader
	shelf     shelf
}

func newCore(cfg Config, global bool) (*core, error) {
	if !accountForm.MatchString(string(cfg.Account)) {
		return nil, fmt.Errorf("aws: account %q: want 12 digits", cfg.Account)
	}
	if global && cfg.Region != Global {
		return nil, fmt.Errorf("aws: region %q: the service has no regions: want %s", cfg.Region, Global)
	}
	if !global && !regionForm.MatchString(string(cfg.Region)) {
		return nil, fmt.Errorf("aws: region %q: want a region code such as eu-west-1", cfg.Region)
	}
	if cfg.Credentials == nil {
		return nil, errors.New("aws: no credentials")
	}
	if cfg.Endpoint != "" {
		u, err := url.Parse(cfg.Endpoint)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, errors.New("aws: endpoint: want an absolute http or https URL")
		}
	}
	if cfg.Answer < 0 {
		return nil, fmt.Errorf("aws: answer time %s: want a positive duration", cfg.Answer)
	}
	if cfg.TokenWindow < 0 {
		return nil, fmt.Errorf("aws: token window %s: want a positive duration", cfg.TokenWindow)
	}
	c := &core{Config: cfg, partition: Partition(cfg.Region)}
	switch m := roleForm.FindStringSubmatch(cfg.RoleARN); {
	case m != nil && m[2] != string(cfg.Account):
		return nil, fmt.Errorf("aws: the role is of account %s, not %s", m[2], cfg.Account)
	case m != nil && m[1] != c.partition:
		return nil, fmt.Errorf("aws: the role is of partition %s, but region %s is of %s", m[1], cfg.Region, c.partition)
	case m != nil:
		c.role = m[3]
	case cfg.RoleARN != "":
		return nil, errors.New("aws: role: want arn:aws:iam::111122223333:role/NAME")
	case cfg.ExternalID != "":
		return nil, errors.New("aws: an external id without a role")
	}
	if c.Answer == 0 {
		c.Answer = answerTime
	}
	if c.TokenWindow == 0 {
		c.TokenWindow = tokenWindow
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext}
	}
	c.Transport = c.Transport.Clone()
	c.client = &http.Client{Transport: oneshot.Counted(plainBody{c.Transport}, c.Count), CheckRedirect: oneshot.NoRedirect}
	return c, nil
}

// plainBody hides that the body of a request is an io.WriterTo. The SDK's
// (smithy-go v1.28.8) answers io.EOF once it is closed, and it is closed when the
// response arrives; net/http may still be asking then, and would cut the
// connection under the response.
type plainBody struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p plainBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.next.RoundTrip(r)
}

// Partition returns the partition a region is in, such as "aws" or "aws-cn". The prefixes are those of
// the SDK's own partition table.
func Partition(r cloud.Region) string {
	for _, p := range [...][2]string{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-iso-", "aws-iso"}, {"us-isob-", "aws-iso-b"},
		{"eu-isoe-", "aws-iso-e"}, {"us-isof-", "aws-iso-f"}, {"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(string(r), p[0]) {
			return p[1]
		}
	}
	return "aws"
}

// currency is what AWS bills in where an answer does not say: yuan in China,
// which two other companies run, and dollars.
func (c *core) currency() string {
	if c.partition == "aws-cn" {
		return "CNY"
	}
	return "USD"
}

// home is the region that requests go to and are signed for.
func (c *core) home() string {
	if c.Region == Global {
		return globalRegion
	}
	return string(c.Region)
}

// now returns Config.Now in UTC, with its monotonic reading if it has one.
func (c *core) now() time.Time { return c.Now().UTC() }

// life is how far ahead of a round's first read the deadline of an attempt is.
func (c *core) life() time.Duration {
	if c.role != "" {
		return sessionLife
	}
	return signatureLife + sendWindow
}

// baseEndpoint is what the options of a client of the SDK take.
func (c *core) baseEndpoint() *string {
	if c.Endpoint == "" {
		return nil
	}
	return aws.String(c.Endpoint)
}

// accepts checks that a request is for this account, region and service.
func (c *core) accepts(r driver.Request, s cloud.Service) error {
	if r.Account != c.Account {
		return fmt.Errorf("request for account %s at a driver of %s: %w", r.Account, c.Account, driver.ErrWrongAccount)
	}
	if o := r.Offering; o.Provider != cloud.AWS || o.Service != s || o.Region != c.Region {
		return fmt.Errorf("offering of %s/%s/%s at a driver of %s/%s/%s",
			o.Provider, o.Region, o.Service, cloud.AWS, c.Region, s)
	}
	return nil
}

// signer signs with the clock of the driver, whatever time the SDK proposes.
type signer struct {
	*v4.Signer
	now func() time.Time
}

// SignHTTP implements the HTTPSignerV4 of every service's options.
func (s signer) SignHTTP(ctx context.Context, creds aws.Credentials, r *http.Request, hash, service, region string,
	_ time.Time, opts ...func(*v4.SignerOptions)) error {
	return s.Signer.SignHTTP(ctx, creds, r, hash, service, region, s.now(), opts...)
}

func (c *core) signer() signer { return signer{Signer: v4.NewSigner(), now: c.now} }

// sts returns a client that reads with the given credentials. Its endpoint is
// the one of the region, so a session is valid where it is used.
func (c *core) sts(creds aws.Credentials) *sts.Client {
	return sts.New(sts.Options{
		Region:                     c.home(),
		BaseEndpoint:               c.baseEndpoint(),
		Credentials:                frozen(creds),
		HTTPClient:                 c.client,
		HTTPSignerV4:               c.signer(),
		DisableClockSkewCorrection: true,
		AppID:                      appID,
	})
}

// pages calls next with the marker of each page until there is none. A marker
// that comes back, or no end, is an error: a listing is complete or nothing.
func pages(ctx context.Context, next func(ctx context.Context, marker *string) (*string, error)) error {
	seen := map[string]bool{}
	var marker *string
	for {
		call, cancel := context.WithTimeout(ctx, readTimeout)
		following, err := next(call, marker)
		cancel()
		if err != nil {
			return err
		}
		if aws.ToString(following) == "" {
			return nil
		}
		if seen[*following] {
			return errors.New("a page marker came back: the listing has no end")
		}
		if len(seen) == maxPages {
			return fmt.Errorf("no end after %d pages", maxPages)
		}
		seen[*following] = true
		marker = following
	}
}

// Package gcp buys committed-use discounts from Google Cloud: of resources, with the
// official client of Compute Engine, and of spending, over the Consumer Procurement
// API, for which there is none.
//
// What every service may rely on:
//
//   - All times come from Config.Now.
//   - A client of the SDK is made for one call, of a concrete type, and never stored
//     in an interface of ours: the linker would keep all its methods.
//   - A read may be repeated. A spending request goes through spend, and there it is
//     one request on one fresh connection or none.
//   - An answer to a spending request is an operation, and a finished operation may
//     have failed: its body says so, and not its status (helpers of Google's clients
//     that wait for operations take some failures for success).
package gcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

const (
	// answerTime bounds a call of Purchase unless Config says otherwise.
	answerTime = 25 * time.Second
	// readTimeout bounds one read with its repetitions.
	readTimeout = 30 * time.Second
	// tokenLife is how long an access token lives: those of Google expire after an
	// hour, unless an organization lets service accounts have longer ones, and then the
	// token says so and is refused here.
	tokenLife = time.Hour
	// sendWindow is what a round may take from its first read to the purchase.
	sendWindow = 2 * time.Minute
	// settleTime is how long after an effect a read may still miss it. Google publishes
	// nothing; operations of commitments take seconds.
	settleTime = 10 * time.Minute
	// maxPages ends a listing whose tokens never end.
	maxPages = 10_000
	// maxTickets bounds the attempts between Quote and Purchase; the oldest is
	// forgotten first, and its Purchase then sends nothing.
	maxTickets = 256
	// userAgent goes with every request.
	userAgent = "bursar"
)

// Config binds a driver to one account and one region.
type Config struct {
	// Account is what pays: a project for Compute, and for Spend a billing account, as
	// 012345-6789AB-CDEF01, to which all orders belong whoever placed them.
	Account cloud.Account
	// Project is the project of the billing account that the requests are made for.
	// Spend only.
	Project string
	Region  cloud.Region // "global" for a spend-based offer without a region
	// Endpoint replaces the hosts of all APIs; empty means those of Google.
	Endpoint string
	// Tokens are the access tokens, for reading and for buying.
	Tokens oauth2.TokenSource
	// Offers are the spend-based offers that a person has looked up for this billing
	// account. Spend only.
	Offers []Offer
	// Licenses are those that a person has looked up. Licenses only.
	Licenses []License
	// Currency is that of the billing account; empty means USD.
	Currency string
	// Now is the clock; nil means time.Now. It may be a simulated one.
	Now func() time.Time
	// Answer bounds one call of Purchase, in wall time; 0 means 25 seconds.
	Answer time.Duration
	// Transport is where proxy, dialer and certificate authorities come from; nil
	// means a direct connection. It is copied, and its connections are never used for
	// spending.
	Transport *http.Transport
	// Count is told of every request by the status of its answer; nil is not told.
	Count func(result string)
}

var (
	// A project id, with its domain in front where it has one.
	projectForm = regexp.MustCompile(`^([a-z][a-z0-9.-]{1,61}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	regionForm  = regexp.MustCompile(`^[a-z]+(-[a-z]+)+[0-9]+$`)
	billingForm = regexp.MustCompile(`^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$`)
	isoCurrency = regexp.MustCompile(`^[A-Z]{3}$`)
	attemptForm = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// core is what all services of one account and region share.
type core struct {
	Config
	service cloud.Service
	reads   *http.Client
	tickets tickets
	proven  proven
	book    priceBook
}

func newCore(s cloud.Service, cfg Config) (*core, error) {
	switch {
	case s == Spend && !billingForm.MatchString(string(cfg.Account)):
		return nil, fmt.Errorf("gcp: billing account %q: want one such as 012345-6789AB-CDEF01", cfg.Account)
	case s != Spend && cfg.Project != "":
		return nil, errors.New("gcp: a project beside the account, which is one")
	}
	if s != Spend {
		cfg.Project = string(cfg.Account)
	}
	switch {
	case !projectForm.MatchString(cfg.Project):
		return nil, fmt.Errorf("gcp: project %q: want a project id such as example-prod", cfg.Project)
	case cfg.Tokens == nil:
		return nil, errors.New("gcp: no credentials")
	case cfg.Answer < 0:
		return nil, fmt.Errorf("gcp: answer time %s: want a positive duration", cfg.Answer)
	case cfg.Currency != "" && !isoCurrency.MatchString(cfg.Currency):
		return nil, fmt.Errorf("gcp: currency %q: want a code such as USD", cfg.Currency)
	case !regionForm.MatchString(string(cfg.Region)) && (s != Spend || cfg.Region != Global):
		return nil, fmt.Errorf("gcp: region %q: want a region such as europe-west1", cfg.Region)
	}
	if cfg.Endpoint != "" {
		u, err := url.Parse(cfg.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, errors.New("gcp: endpoint: want an absolute http or https URL")
		}
		cfg.Endpoint = strings.TrimRight(cfg.Endpoint, "/")
	}
	c := &core{Config: cfg, service: s}
	if c.Answer == 0 {
		c.Answer = answerTime
	}
	if c.Currency == "" {
		c.Currency = "USD"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext}
	}
	c.Transport = c.Transport.Clone()
	c.reads = &http.Client{Transport: oneshot.Counted(c.Transport, c.Count), CheckRedirect: oneshot.NoRedirect}
	return c, nil
}

// now returns Config.Now in UTC, with its monotonic reading if it has one.
func (c *core) now() time.Time { return c.Now().UTC() }

// at is the address of an API: its host, or the endpoint in its place.
func (c *core) at(host, path string) string {
	if c.Endpoint != "" {
		return c.Endpoint + path
	}
	return "https://" + host + path
}

func (c *core) lane() cloud.Lane {
	return cloud.Lane{Provider: cloud.GCP, Account: c.Account, Region: c.Region, Service: c.service}
}

// life is how far ahead of a round's first read the deadline of an attempt is: the
// token is refused from its expiry on, and nothing else ends a request.
func (c *core) life() time.Duration { return tokenLife + sendWindow }

// accepts checks that a request is for this account, region and service.
func (c *core) accepts(r driver.Request) error {
	if r.Account != c.Account {
		return fmt.Errorf("request for account %s at a driver of %s: %w", r.Account, c.Account, driver.ErrWrongAccount)
	}
	if o := r.Offering; o.Provider != cloud.GCP || o.Service != c.service || o.Region != c.Region {
		return fmt.Errorf("offering of %s/%s/%s at a driver of %s/%s/%s", o.Provider, o.Region, o.Service, cloud.GCP, c.Region, c.service)
	}
	if r.Offering.ID == "" {
		return errors.New("the offering has no id")
	}
	return nil
}

// sendable checks of a purchase what is the same for every service.
func (c *core) sendable(r driver.Request) error {
	if err := c.accepts(r); err != nil {
		return err
	}
	if !r.FireAt.IsZero() {
		return errors.New("a fire time: Google takes no orders for later")
	}
	return nil
}

// token retrieves an access token. One that lives longer than an attempt may be in
// doubt is an error.
func (c *core) token(ctx context.Context) (*oauth2.Token, error) {
	type result struct {
		token *oauth2.Token
		err   error
	}
	done := make(chan result, 1) // a token source takes no context
	go func() {
		t, err := c.Tokens.Token()
		done <- result{t, err}
	}()
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("credentials: %w", ctx.Err())
	case r := <-done:
		switch {
		case r.err != nil:
			return nil, fmt.Errorf("credentials: %w", quiet(r.err))
		case r.token == nil || r.token.AccessToken == "" || r.token.Type() != "Bearer":
			return nil, errors.New("credentials: the source has no bearer token")
		case !r.token.Expiry.IsZero() && r.token.Expiry.After(c.now().Add(tokenLife+time.Minute)):
			return nil, fmt.Errorf("credentials: the token lives until %s; purchases want one of at most an hour", r.token.Expiry.UTC().Format(time.RFC3339))
		}
		return r.token, nil
	}
}

// fingerprint names a token without revealing it.
func fingerprint(t *oauth2.Token) string {
	sum := sha256.Sum256([]byte(t.AccessToken))
	return "token-" + hex.EncodeToString(sum[:6])
}

// proven remembers which tokens were shown to act for the project.
type proven struct {
	mu    sync.Mutex
	known []string
}

func (p *proven) has(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.known, name)
}

func (p *proven) add(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = append(p.known[max(0, len(p.known)-maxTickets+1):], name)
}

// ticket is the credential of one attempt: retrieved and proven by Quote, used as it
// is by Purchase. It lives in memory only.
type ticket struct {
	attempt string
	token   *oauth2.Token
}

type tickets struct {
	mu  sync.Mutex
	all []ticket // oldest first
}

// put replaces the ticket of the same attempt, so the last Quote counts.
func (t *tickets) put(n ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = slices.DeleteFunc(t.all, func(o ticket) bool { return o.attempt == n.attempt })
	t.all = append(t.all[max(0, len(t.all)-maxTickets+1):], n)
}

// take returns the token of an attempt and forgets it, nil if there is none: an
// attempt has one Purchase.
func (t *tickets) take(attempt string) *oauth2.Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.all, func(o ticket) bool { return o.attempt == attempt })
	if i < 0 {
		return nil
	}
	token := t.all[i].token
	t.all = slices.Delete(t.all, i, i+1)
	return token
}

// open retrieves the token of an attempt and proves that it acts for the project. at
// is the time of that answer by Google's clock.
func (c *core) open(ctx context.Context, r driver.Request, prove prover) (t ticket, at time.Time, err error) {
	if !attemptForm.MatchString(r.Attempt) {
		return t, at, errors.New("attempt: want 2 to 64 characters")
	}
	if !c.now().Before(r.Deadline) {
		return t, at, errors.New("the deadline of the attempt has passed")
	}
	t.attempt = r.Attempt
	if t.token, err = c.token(ctx); err != nil {
		return t, at, err
	}
	at, err = prove(ctx, t.token)
	if err == nil {
		c.proven.add(fingerprint(t.token))
	}
	return t, at, err
}

// prover asks Google, with a token, whether it acts for the project; another project
// is ErrWrongAccount.
type prover func(ctx context.Context, t *oauth2.Token) (at time.Time, err error)

// reader returns a token for reading that acts for the project: what is absent from
// another project proves nothing.
func (c *core) reader(ctx context.Context, prove prover) (*oauth2.Token, error) {
	t, err := c.token(ctx)
	if err != nil || c.proven.has(fingerprint(t)) {
		return t, err
	}
	if _, err = prove(ctx, t); err == nil {
		c.proven.add(fingerprint(t))
	}
	return t, err
}

// authorize lets a request carry the token. The project that is asked about also
// pays for the quota.
func (c *core) authorize(h http.Header, t *oauth2.Token) {
	h.Set("Authorization", "Bearer "+t.AccessToken)
	h.Set("X-Goog-User-Project", c.Project)
}

// attempts is how often a read is asked while Google says that it is busy.
const attempts = 4

// read asks once, or again while the answer is that the server is busy or there is
// none.
func read[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	wait := 100 * time.Millisecond
	for n := 1; ; n++ {
		got, err := ask(ctx)
		if err == nil || n == attempts || !passing(err) {
			return got, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return got, err
		case <-timer.C:
		}
		wait *= 3
	}
}

// passing reports whether asking again may get another answer.
func passing(err error) bool {
	var api *googleapi.Error
	if !errors.As(err, &api) {
		var wire net.Error
		return errors.As(err, &wire) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	return api.Code == http.StatusTooManyRequests || api.Code >= 500 || isThrottle(api)
}

// pages calls next with the token of each page until there is none. A token that
// comes back, or no end, is an error: a listing is complete or nothing.
func pages(next func(token string) (string, error)) error {
	seen := map[string]bool{}
	token := ""
	for {
		following, err := next(token)
		switch {
		case err != nil:
			return err
		case following == "":
			return nil
		case seen[following]:
			return errors.New("a page token came back: the listing has no end")
		case len(seen) == maxPages:
			return fmt.Errorf("no end after %d pages", maxPages)
		}
		seen[following] = true
		token = following
	}
}

// dateOf is the Date of an answer, UTC; zero if it had none.
func dateOf(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// whole checks that a body is one JSON object and nothing behind it.
func whole(body []byte) error {
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil || object == nil {
		return errors.New("the answer is not one whole JSON object")
	}
	return nil
}

package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

const (
	account  = "111122223333"
	purchase = "PurchaseReservedDBInstancesOffering"
)

// testClock is a wall clock that moves only when told to.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newSim returns a simulator whose wall clock stands still near the real time,
// as the SDKs sign by that.
func newSim(t *testing.T, opts Options) *Sim {
	t.Helper()
	if opts.Now == nil {
		opts.Now = (&testClock{now: time.Now()}).Now
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func serve(t *testing.T, s *Sim) string {
	t.Helper()
	return serveFunc(t, s.ServeHTTP)
}

func serveFunc(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// plainBody hides that a request's body is an io.WriterTo. That of smithy-go
// v1.28.8 answers io.EOF once it is closed, which it is when the response
// arrives; net/http may still be asking then, and cuts the connection.
type plainBody struct{ next http.RoundTripper }

func (p plainBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.next.RoundTrip(r)
}

func config(endpoint string, creds aws.Credentials) aws.Config {
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.StaticCredentialsProvider{Value: creds},
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient:   &http.Client{Transport: plainBody{&http.Transport{DisableKeepAlives: true}}},
	}
}

func operator(endpoint string) aws.Config {
	return config(endpoint, aws.Credentials{AccessKeyID: account, SecretAccessKey: "test"})
}

func rdsClient(endpoint string) *rds.Client { return rds.NewFromConfig(operator(endpoint)) }
func stsClient(endpoint string) *sts.Client { return sts.NewFromConfig(operator(endpoint)) }

// anOffering is a fixed offering of us-east-1.
func anOffering() *offering {
	for _, o := range builtin().byShop[shop{"rds", "us-east-1"}] {
		if o.Class == "db.r6g.large" && o.Attributes["product"] == "postgresql" && o.Attributes["multi_az"] == "false" && o.Seconds == oneYear && o.Payment == partialUpfront {
			return o
		}
	}
	panic("no such offering")
}

func buy(ctx context.Context, c *rds.Client, id string, count int32) (*rds.PurchaseReservedDBInstancesOfferingOutput, error) {
	in := &rds.PurchaseReservedDBInstancesOfferingInput{
		ReservedDBInstancesOfferingId: aws.String(anOffering().id),
		DBInstanceCount:               aws.Int32(count),
	}
	if id != "" {
		in.ReservedDBInstanceId = aws.String(id)
	}
	return c.PurchaseReservedDBInstancesOffering(ctx, in)
}

func mustBuy(t *testing.T, endpoint, id string) {
	t.Helper()
	if _, err := buy(t.Context(), rdsClient(endpoint), id, 1); err != nil {
		t.Fatalf("purchase %s: %v", id, err)
	}
}

func addFault(t *testing.T, s *Sim, f Fault) {
	t.Helper()
	if _, err := s.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

func advance(t *testing.T, s *Sim, d time.Duration) {
	t.Helper()
	if err := s.Advance(d); err != nil {
		t.Fatal(err)
	}
}

// signed is a raw request, signed by the SDK's own signer.
type signed struct {
	service, region, key, secret, token string
	at                                  time.Time
	form                                url.Values
	edit                                func(*http.Request) // after signing
}

func (q signed) do(t *testing.T, endpoint string) (*http.Response, string) {
	t.Helper()
	resp, err := q.send(t, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func (q signed) send(t *testing.T, endpoint string) (*http.Response, error) {
	t.Helper()
	body := q.form.Encode()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(body))
	if q.region == "" {
		q.region = "us-east-1"
	}
	if q.key == "" {
		q.key = account
	}
	if q.secret == "" {
		q.secret = "test"
	}
	creds := aws.Credentials{AccessKeyID: q.key, SecretAccessKey: q.secret, SessionToken: q.token}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hex.EncodeToString(sum[:]), q.service, q.region, q.at); err != nil {
		t.Fatal(err)
	}
	if q.edit != nil {
		q.edit(r)
	}
	return (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
}

// code is the wire code of an SDK error, "" for any other.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func rdsForm(action string, pairs ...string) url.Values {
	v := form(pairs...)
	v.Set("Action", action)
	v.Set("Version", "2014-10-31")
	return v
}

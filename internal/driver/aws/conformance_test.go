package aws

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/drivertest"
	"bursar/internal/sim"
)

const (
	testAccount = "111122223333"
	testRegion  = "eu-west-1"
	testRole    = "arn:aws:iam::111122223333:role/finops/bursar-buyer"
)

func TestRDS(t *testing.T) {
	t.Run("Static", func(t *testing.T) { drivertest.Run(t, harness("")) })
	t.Run("Role", func(t *testing.T) { drivertest.Run(t, harness(testRole)) })
}

func harness(role string) func(t *testing.T) drivertest.Harness {
	return func(t *testing.T) drivertest.Harness {
		w := newWorld(t)
		service := w.rds(t, func(c *Config) { c.RoleARN = role })
		impatient := w.rds(t, func(c *Config) { c.RoleARN, c.Answer = role, 400*time.Millisecond })
		stranger := w.rds(t, func(c *Config) {
			c.Credentials = credentials.NewStaticCredentialsProvider("444455556666", "test", "")
		})
		return drivertest.Harness{
			World: w, Service: service, Impatient: impatient, Stranger: stranger,
			Request: func() driver.Request { return w.request(t, service) },
			Attempt: w.attempt,
			NotSold: "00000000-0000-4000-8000-000000000000",
		}
	}
}

// world joins the simulator to the suite.
type world struct {
	t     *testing.T
	sim   *sim.Sim
	url   string
	names atomic.Int64
	offer cloud.Offering
}

func newWorld(t *testing.T) *world {
	s, err := sim.New(sim.Options{Seed: 7, Visibility: 5 * time.Minute, PageSize: 7})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		_ = s.Close()
		server.Close()
	})
	w := &world{t: t, sim: s, url: server.URL}
	// The simulated clock is ahead of the wall clock, as it is in every test that
	// has advanced it: no request may be signed with the wrong one.
	w.Advance(300 * 24 * time.Hour)
	w.offer = w.offering(cloud.Attributes{"engine": "mysql", "class": "db.r6g.large", "multi_az": "false"})
	return w
}

func (w *world) rds(t *testing.T, change func(*Config)) *RDS {
	cfg := Config{
		Account: testAccount, Region: testRegion, Endpoint: w.url, Now: w.sim.Now,
		Credentials: credentials.NewStaticCredentialsProvider(testAccount, "test", ""),
	}
	if change != nil {
		change(&cfg)
	}
	d, err := NewRDS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *world) offering(a cloud.Attributes) cloud.Offering {
	w.t.Helper()
	list, err := w.rds(w.t, nil).Offerings(w.t.Context(), driver.Query{Attributes: a, Term: cloud.OneYear, Payment: cloud.PartialUpfront})
	if err != nil || len(list) != 1 {
		w.t.Fatalf("offerings: %v, %v", list, err)
	}
	return list[0]
}

func (w *world) attempt() string { return fmt.Sprintf("bu-att-%04d", w.names.Add(1)) }

func (w *world) request(t *testing.T, d *RDS) driver.Request {
	id := fmt.Sprintf("bu-test-%04d-1", w.names.Add(1))
	r := driver.Request{
		Account: testAccount, Offering: w.offer, Quantity: 2, Identity: id, Identities: []string{id},
		Attempt: w.attempt(), Tags: map[string]string{"bursar:line": id, "a": "b"},
	}
	r.SendBy, r.Deadline = drivertest.Times(w, d.Info().Life)
	return r
}

func (w *world) Now() time.Time { return w.sim.Now() }

func (w *world) Advance(d time.Duration) {
	if err := w.sim.Advance(d); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Owned(identity string) (n int) {
	for _, e := range w.sim.Ledger() {
		if strings.EqualFold(e.ID, identity) {
			n++
		}
	}
	return n
}

func (w *world) Spending() (n int) {
	for _, r := range w.sim.Requests() {
		if r.Spending {
			n++
		}
	}
	return n
}

func (w *world) Hold(d time.Duration) { w.fault(sim.Fault{Kind: sim.Delay, Duration: d}) }

func (w *world) fault(f sim.Fault) {
	w.t.Helper()
	switch f.Kind {
	case sim.StaleListing, sim.WrongCaller:
	default:
		f.Operation = opBuy
	}
	if _, err := w.sim.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Inject(f drivertest.Fault) {
	w.t.Helper()
	w.fault(map[drivertest.Fault]sim.Fault{
		drivertest.RequestLost:     {Kind: sim.LoseRequest},
		drivertest.ReplyLost:       {Kind: sim.LoseReply},
		drivertest.Error500:        {Kind: sim.ErrorBefore, Status: 500},
		drivertest.Error500Applied: {Kind: sim.ErrorAfter, Status: 500},
		drivertest.Error502:        {Kind: sim.ErrorBefore, Status: 502},
		drivertest.Error502Applied: {Kind: sim.ErrorAfter, Status: 502},
		drivertest.Error503:        {Kind: sim.ErrorBefore, Status: 503},
		drivertest.Error503Applied: {Kind: sim.ErrorAfter, Status: 503},
		drivertest.ReplySlow:       {Kind: sim.Slow},
		drivertest.ReplyTorn:       {Kind: sim.TornBody},
		drivertest.Throttled:       {Kind: sim.Throttle},
		drivertest.Redirected:      {Kind: sim.Redirect},
		drivertest.PaymentFails:    {Kind: sim.PaymentFailed},
		drivertest.CallerChanges:   {Kind: sim.WrongCaller},
		drivertest.ListingStale:    {Kind: sim.StaleListing, Duration: 24 * time.Hour},
	}[f])
}

func (w *world) Stock(identities ...string) {
	w.t.Helper()
	var list []sim.Existing
	for _, id := range identities {
		list = append(list, sim.Existing{Account: testAccount, Region: testRegion, ID: id, OfferingID: w.offer.ID, Count: 2})
	}
	if err := w.sim.Add(list...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) FillQuota() {
	w.t.Helper()
	err := w.sim.Add(sim.Existing{Account: testAccount, Region: testRegion, ID: "quota-filler", OfferingID: w.offer.ID, Count: 40})
	if err != nil {
		w.t.Fatal(err)
	}
}

package aws

import (
	"cmp"
	"fmt"
	"net/http/httptest"
	"slices"
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

// TestDrivers runs the suite on every service, with the keys of the account and
// with a role.
func TestDrivers(t *testing.T) {
	for _, s := range append(slices.Clone(Services), openSearchNames, plansQueued) {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel() // the SDK waits for seconds before it asks a busy cloud again
			if _, there := samples[s]; !there {
				t.Fatal("the service has no sample here")
			}
			t.Run("Static", func(t *testing.T) { drivertest.Run(t, harness(s, "")) })
			t.Run("Role", func(t *testing.T) { drivertest.Run(t, harness(s, testRole)) })
		})
	}
}

// Services in a mode of their own: OpenSearch in a world where names are unique,
// with the driver that relies on it, and Savings Plans that are ordered for later.
const (
	openSearchNames cloud.Service = "opensearch-names"
	plansQueued     cloud.Service = "savingsplans-queued"
)

// samples say of each service what the suite buys, by which call, how much is more
// than the quota leaves room for, what the simulator calls it, and how much it buys
// at once if that is not two.
var samples = map[cloud.Service]struct {
	goods cloud.Attributes
	buy   string
	quota int
	where string
	size  int64
}{
	RDS:         {cloud.Attributes{"engine": "mysql", "class": "db.r6g.large", "multi_az": "false"}, rdsProduct.opBuy, 40, "rds", 2},
	ElastiCache: {cloud.Attributes{"engine": "redis", "node_type": "cache.m7g.large"}, elastiCacheProduct.opBuy, 300, "elasticache", 2},
	MemoryDB:    {cloud.Attributes{"node_type": "db.r7g.large"}, memoryDBProduct.opBuy, 300, "memorydb", 2},
	EC2: {cloud.Attributes{"instance_type": "m5.large", "platform": "Linux/UNIX", "tenancy": "default", "offering_class": "standard"},
		ec2Product.opBuy, 20, "ec2", 2},
	EC2Zonal: {cloud.Attributes{"instance_type": "m5.large", "platform": "Linux/UNIX", "tenancy": "default", "offering_class": "standard",
		"zone": "eu-west-1a"}, ec2Product.opBuy, 20, "ec2", 2},
	Redshift:           {cloud.Attributes{"node_type": "ra3.xlplus", "offering_type": "Regular"}, redshiftProduct.opBuy, 200, "redshift", 2},
	OpenSearch:         {cloud.Attributes{"instance_type": "r6g.large.search"}, openSearchProduct(false).opBuy, 100, "es", 2},
	openSearchNames:    {cloud.Attributes{"instance_type": "r6g.large.search"}, openSearchProduct(true).opBuy, 100, "es", 2},
	RedshiftServerless: {cloud.Attributes{}, serverlessProduct.opBuy, 1024, "redshift-serverless", 2},
	SavingsPlans: {cloud.Attributes{"plan_type": "EC2Instance", "family": "m7g", "ec2_region": testRegion},
		savingsPlansProduct.opBuy, 1_000_000_000, "savingsplans", 150_000},
	plansQueued: {cloud.Attributes{"plan_type": "EC2Instance", "family": "m7g", "ec2_region": testRegion},
		savingsPlansProduct.opBuy, 1_000_000_000, "savingsplans", 150_000},
}

// samplePayment is how the suite pays: partly upfront where that is sold.
func samplePayment(s cloud.Service) cloud.Payment {
	if s == RedshiftServerless {
		return cloud.AllUpfront
	}
	return cloud.PartialUpfront
}

// regionOf is where a service is sold to the tests.
func regionOf(s cloud.Service) cloud.Region {
	if HasRegions(s) {
		return testRegion
	}
	return Global
}

func harness(s cloud.Service, role string) func(t *testing.T) drivertest.Harness {
	return func(t *testing.T) drivertest.Harness {
		w := newWorld(t, s)
		service := w.open(t, func(c *Config) { c.RoleARN = role })
		impatient := w.open(t, func(c *Config) { c.RoleARN, c.Answer = role, 400*time.Millisecond })
		stranger := w.open(t, func(c *Config) {
			c.Credentials = credentials.NewStaticCredentialsProvider("444455556666", "test", "")
		})
		return drivertest.Harness{
			World: w, Service: service, Impatient: impatient, Stranger: stranger,
			Request: func() driver.Request { return w.request(service) },
			Attempt: w.attempt,
			NotSold: "00000000-0000-4000-8000-000000000000",
			Trails:  role != "",
			Vague:   s == EC2 || s == EC2Zonal, // "retired", User Guide
		}
	}
}

// world joins the simulator to the suite.
type world struct {
	t     *testing.T
	what  cloud.Service
	sim   *sim.Sim
	url   string
	names atomic.Int64
	offer cloud.Offering
}

func newWorld(t *testing.T, what cloud.Service) *world {
	opts := sim.Options{Seed: 7, Visibility: 5 * time.Minute, PageSize: 7, Unthrottled: true}
	if what == openSearchNames {
		opts.OpenSearchNames = sim.NamesUnique
	}
	s, err := sim.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		_ = s.Close()
		server.Close()
	})
	w := &world{t: t, what: what, sim: s, url: server.URL}
	// The simulated clock is ahead of the wall clock, as it is in every test that
	// has advanced it: no request may be signed with the wrong one.
	// Mid-month, because quotas of EC2 are of a calendar month.
	w.Advance(300 * 24 * time.Hour)
	w.Advance(time.Duration((40-w.Now().Day())%31) * 24 * time.Hour)
	list, err := w.open(t, nil).Offerings(t.Context(), driver.Query{
		Attributes: samples[what].goods, Term: cloud.OneYear, Payment: samplePayment(what),
	})
	if err != nil || len(list) != 1 {
		t.Fatalf("offerings: %v, %v", list, err)
	}
	w.offer = list[0]
	return w
}

func (w *world) open(t *testing.T, change func(*Config)) driver.Service {
	cfg := Config{
		Account: testAccount, Region: regionOf(w.service()), Endpoint: w.url, Now: w.sim.Now,
		Credentials: credentials.NewStaticCredentialsProvider(testAccount, "test", ""),
	}
	cfg.OpenSearchNamesUnique, cfg.QueueSavingsPlans = w.what == openSearchNames, w.what == plansQueued
	if change != nil {
		change(&cfg)
	}
	d, err := Open(w.service(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *world) attempt() string { return fmt.Sprintf("bu-att-%04d", w.names.Add(1)) }

func (w *world) request(d driver.Service) driver.Request {
	n := w.names.Add(1)
	id := fmt.Sprintf("bu-test-%04d-1", n)
	r := driver.Request{
		Account: testAccount, Offering: w.offer, Quantity: samples[w.what].size, Identity: id, Identities: []string{id},
		Attempt: w.attempt(), Tags: map[string]string{"bursar:line": id, "a": "b"},
	}
	r.SendBy, r.Deadline = drivertest.Times(w, d.Info().Life)
	if d.Info().Class == cloud.ClassQueued {
		r.FireAt = w.Now().Add(2 * time.Hour).Truncate(time.Second).Add(time.Duration(n) * time.Second)
	}
	return r
}

func (w *world) Now() time.Time { return w.sim.Now() }

func (w *world) Advance(d time.Duration) {
	if err := w.sim.Advance(d); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Owned(r driver.Request) (n int) {
	for _, e := range w.sim.Ledger() {
		switch {
		case e.Service != samples[w.what].where:
		case !r.FireAt.IsZero():
			if e.StartsAt.Equal(r.FireAt) && e.State != "queued-deleted" {
				n++
			}
		case (w.what == Redshift || w.what == EC2Zonal || w.what == OpenSearch) && !e.Existing:
			n++
		case strings.EqualFold(e.ID, r.Identity) || w.what == openSearchNames && strings.EqualFold(e.Name, r.Identity):
			n++
		case w.what == RedshiftServerless && e.Token == clientToken(r.Identity):
			n++
		case slices.ContainsFunc(e.Tags, func(t sim.Tag) bool { return t.Key == identityTag && strings.EqualFold(t.Value, r.Identity) }):
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
	case sim.StaleListing, sim.StrangeState, sim.WrongCaller:
	default:
		f.Operation = cmp.Or(f.Operation, samples[w.what].buy)
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
		drivertest.ListingBusy:     {Kind: sim.Throttle, Operation: shapes[w.service()].product.opReserved},
		drivertest.StateStrange:    {Kind: sim.StrangeState},
		drivertest.DeliveredTwice:  {Kind: sim.Duplicate},
	}[f])
}

func (w *world) Stock(list ...driver.Request) {
	w.t.Helper()
	var all []sim.Existing
	for _, r := range list {
		e := sim.Existing{Account: testAccount, Region: string(regionOf(w.service())), OfferingID: r.Offering.ID, Count: int(r.Quantity)}
		switch {
		case w.named():
			e.ID = r.Identity
		case w.service() == SavingsPlans:
			e.Tags = []sim.Tag{{Key: identityTag, Value: r.Identity}}
		}
		if w.service() == OpenSearch {
			e.Name = r.Identity
		}
		all = append(all, e)
	}
	if err := w.sim.Add(all...); err != nil {
		w.t.Fatal(err)
	}
}

// named reports whether we choose the ids.
func (w *world) named() bool { return w.what == RDS || w.what == ElastiCache || w.what == MemoryDB }

// service is what the driver calls it.
func (w *world) service() cloud.Service {
	switch w.what {
	case openSearchNames:
		return OpenSearch
	case plansQueued:
		return SavingsPlans
	}
	return w.what
}

func (w *world) FillQuota() {
	w.t.Helper()
	e := sim.Existing{Account: testAccount, Region: string(regionOf(w.service())), OfferingID: w.offer.ID, Count: samples[w.what].quota}
	if w.named() {
		e.ID = "quota-filler"
	}
	if err := w.sim.Add(e); err != nil {
		w.t.Fatal(err)
	}
}

package gcp

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/drivertest"
	"bursar/internal/sim"
)

const (
	testProject  = "example-prod"
	testBilling  = "012345-6789AB-CDEF01"
	testRegion   = "europe-west1"
	otherProject = "other-corp"
	flexible     = "services/compute.googleapis.com/standardOffers/ffe0f6a3-2f98-437e-8d49-fc443a05d3c2"
	cloudSQL     = "services/sqladmin.googleapis.com/standardOffers/5f0e7a52-7f3d-4f0a-9a4e-0c1d5a0a7b11"
)

func TestCompute(t *testing.T)       { drivertest.Run(t, harness(Compute, testRegion)) }
func TestLicenses(t *testing.T)      { drivertest.Run(t, harness(Licenses, testRegion)) }
func TestSpend(t *testing.T)         { drivertest.Run(t, harness(Spend, Global)) }
func TestSpendRegional(t *testing.T) { drivertest.Run(t, harness(Spend, testRegion)) }

// samples say of each service what the suite buys, and how much at once.
var samples = map[cloud.Service]struct {
	goods   func(cloud.Region) cloud.Attributes
	notSold string
	size    int64
}{
	Compute: {func(cloud.Region) cloud.Attributes {
		return cloud.Attributes{"type": "general-purpose-n2", "vcpu": "4", "memory_gb": "16.25"}
	}, "GENERAL_PURPOSE_Z9", 1},
	Licenses: {func(cloud.Region) cloud.Attributes {
		return cloud.Attributes{"license": "suse-sap-cloud/sles-sap-12", "cores": "3-4"}
	}, "suse-sap-cloud/sles-sap-13 3-4 1y", 3},
	Spend: {func(r cloud.Region) cloud.Attributes {
		if r == Global {
			return cloud.Attributes{"product": "compute-flexible"}
		}
		return cloud.Attributes{"product": "cloud-sql"}
	}, "services/compute.googleapis.com/standardOffers/00000000-0000-4000-8000-000000000000", 150_000},
}

var testOffers = []Offer{
	{ID: flexible, Product: "compute-flexible", Term: cloud.OneYear},
	{ID: cloudSQL, Product: "cloud-sql", Term: cloud.OneYear, Regional: true},
}

func harness(s cloud.Service, region cloud.Region) func(t *testing.T) drivertest.Harness {
	return func(t *testing.T) drivertest.Harness {
		o := sim.Options{Seed: 7, Visibility: 5 * time.Minute, PageSize: 7, Unthrottled: true}
		if s != Spend {
			o.TokenLife = -1 // nothing but the name guards a purchase
		}
		w := newWorld(t, s, region, o)
		service := w.open(t, nil)
		return drivertest.Harness{
			World: w, Service: service,
			Impatient: w.open(t, func(c *Config) { c.Answer = 400 * time.Millisecond }),
			Stranger:  w.open(t, func(c *Config) { c.Tokens = SimulatorTokens(otherProject, w.sim.Now) }),
			Request:   func() driver.Request { return w.request(service) },
			Attempt:   w.attempt,
			NotSold:   samples[s].notSold,
			Composed:  s == Compute,
			Vague:     true,
		}
	}
}

// world joins the simulator to the suite.
type world struct {
	t      *testing.T
	what   cloud.Service
	region cloud.Region
	sim    *sim.Sim
	url    string
	names  atomic.Int64
	offer  cloud.Offering
}

func newWorld(t *testing.T, what cloud.Service, region cloud.Region, o sim.Options) *world {
	w := &world{t: t, what: what, region: region}
	w.start(o)
	// Ahead of the wall clock, as in every test that has advanced it.
	w.Advance(300 * 24 * time.Hour)
	list, err := w.open(t, nil).Offerings(t.Context(), driver.Query{Attributes: samples[what].goods(region), Term: cloud.OneYear, Payment: cloud.Monthly})
	if err != nil || len(list) != 1 {
		t.Fatalf("offerings: %v, %v", list, err)
	}
	w.offer = list[0]
	return w
}

// start starts the simulator.
func (w *world) start(o sim.Options) {
	s, err := sim.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewServer(s)
	w.t.Cleanup(func() {
		_ = s.Close()
		server.Close()
	})
	w.sim, w.url = s, server.URL
}

func (w *world) open(t *testing.T, change func(*Config)) driver.Service {
	cfg := Config{
		Account: w.account(), Region: w.region, Endpoint: w.url, Now: w.sim.Now, Tokens: SimulatorTokens(testProject, w.sim.Now),
		Offers: testOffers,
	}
	if w.what == Licenses {
		cfg.Licenses = w.licenses()
	}
	if w.what == Spend {
		cfg.Project = testProject
	}
	if change != nil {
		change(&cfg)
	}
	d, err := Open(w.what, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// licenses are those of the simulator, as a person would configure them.
func (w *world) licenses() (list []License) {
	for _, a := range w.sim.Accounts() {
		if a.ID != testProject {
			continue
		}
		for _, l := range a.Licenses {
			term, err := cloud.ParseTerm(l.Term)
			if err != nil {
				w.t.Fatal(err)
			}
			list = append(list, License{Name: l.License, Cores: l.Cores, Term: term, SKU: l.SKU})
		}
	}
	return list
}

func (w *world) account() cloud.Account {
	if w.what == Spend {
		return testBilling
	}
	return testProject
}

func (w *world) attempt() string { return fmt.Sprintf("bu-att-%04d", w.names.Add(1)) }

func (w *world) request(d driver.Service) driver.Request {
	id := fmt.Sprintf("bu-test-%04d-1", w.names.Add(1))
	r := driver.Request{
		Account: w.account(), Offering: w.offer, Quantity: samples[w.what].size, Identity: id, Identities: []string{id},
		Attempt: w.attempt(), Tags: map[string]string{"a": "b"},
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

func (w *world) Owned(r driver.Request) (n int) {
	for _, e := range w.sim.Ledger() {
		name := e.ID
		if w.what == Spend {
			name = e.Attributes["display_name"]
		}
		if e.Provider == "gcp" && e.State != "GONE" && strings.EqualFold(name, r.Identity) {
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
	case sim.StaleListing, sim.WrongCaller, sim.StrangeState:
	default:
		f.Operation = map[cloud.Service]string{Compute: opInsert, Licenses: opInsert, Spend: opPlace}[w.what]
	}
	if _, err := w.sim.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Inject(f drivertest.Fault) {
	w.t.Helper()
	if f == drivertest.ListingBusy {
		read := map[cloud.Service]string{Compute: opGet, Licenses: opGet, Spend: opOrders}[w.what]
		if _, err := w.sim.AddFault(sim.Fault{Kind: sim.Throttle, Operation: read}); err != nil {
			w.t.Fatal(err)
		}
		return
	}
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
		drivertest.DeliveredTwice:  {Kind: sim.Duplicate},
		drivertest.StateStrange:    {Kind: sim.StrangeState},
		drivertest.ListingStale:    {Kind: sim.StaleListing, Duration: 24 * time.Hour},
	}[f])
}

func (w *world) Stock(list ...driver.Request) {
	w.t.Helper()
	var all []sim.Existing
	for _, r := range list {
		all = append(all, w.existing(r.Identity, r.Quantity))
	}
	if err := w.sim.Add(all...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) existing(name string, quantity int64) sim.Existing {
	e := sim.Existing{Account: testProject, Region: string(w.region), OfferingID: w.offer.ID, Count: int(quantity), Label: name}
	if w.what == Licenses {
		e.ID, e.Months, e.OfferingID = strings.ToLower(name), 12, w.offer.ID
	}
	if w.what == Compute {
		// Names are in lower case only; the list price is that of the sample.
		e.ID, e.Months, e.Resources = strings.ToLower(name), 12, map[string]string{"VCPU": "4", "MEMORY": "16640"}
	}
	return e
}

func (w *world) FillQuota() {
	w.t.Helper()
	var all []sim.Existing
	for n := range 40 {
		all = append(all, w.existing(fmt.Sprintf("quota-%d", n), orderStep))
	}
	if err := w.sim.Add(all...); err != nil {
		w.t.Fatal(err)
	}
}

package azure

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/drivertest"
	"bursar/internal/sim"
)

const (
	testAccount = "40000000-0000-4000-8000-000000000001"
	testOther   = "40000000-0000-4000-8000-000000000002"
	testTenant  = "10000000-0000-4000-8000-000000000001"
	testRegion  = "westeurope"
)

func TestVM(t *testing.T)          { conform(t, "vm") }
func TestSQL(t *testing.T)         { conform(t, "sql") }
func TestCosmosDB(t *testing.T)    { conform(t, "cosmosdb") }
func TestRedis(t *testing.T)       { conform(t, "redis") }
func TestSynapse(t *testing.T)     { conform(t, "synapse") }
func TestAppService(t *testing.T)  { conform(t, "appservice") }
func TestDisk(t *testing.T)        { conform(t, "disk") }
func TestDatabricks(t *testing.T)  { conform(t, "databricks") }
func TestSavingsPlan(t *testing.T) { conform(t, SavingsPlan) }

func conform(t *testing.T, s cloud.Service) { drivertest.Run(t, harness(s)) }

// samples say of each service which SKU the suite buys.
var samples = map[cloud.Service]string{
	"vm": "Standard_D2s_v5", "sql": "SQLDB_GP_Compute_Gen5", "cosmosdb": "CosmosDB_RU_100", "redis": "Redis_Cache_Premium_P1",
	"synapse": "SQLDW_cDWU_100", "appservice": "P1v3", "disk": "P30_LRS", "databricks": "DBCU_12500", SavingsPlan: computePlan,
}

func harness(s cloud.Service) func(t *testing.T) drivertest.Harness {
	return func(t *testing.T) drivertest.Harness {
		return join(t, newWorld(t, s, sim.Options{}))
	}
}

// join makes a harness of a world.
func join(t *testing.T, w *world) drivertest.Harness {
	service := w.open(t, nil)
	return drivertest.Harness{
		World: w, Service: service,
		Impatient: w.open(t, func(c *Config) { c.Answer = 400 * time.Millisecond }),
		Stranger:  w.open(t, func(c *Config) { c.Credential = SimulatorCredential(testOther, w.sim.Now) }),
		Request:   func() driver.Request { return w.request(service) },
		Attempt:   w.attempt,
		NotSold:   "No_Such_SKU.P1Y.Monthly",
	}
}

// carrying is a driver with what the core does around it: the order that a quote names
// goes with the purchase and is among the identities of later looks.
type carrying struct {
	driver.Service
	driver.Follower
	driver.Limiter
	w *world
}

func (c carrying) Quote(ctx context.Context, r driver.Request) (cloud.Quote, error) {
	q, err := c.Service.Quote(ctx, r)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if q.Order != "" {
		c.w.orders[r.Attempt] = q.Order
		c.w.lines[r.Identity] = append(c.w.lines[r.Identity], q.Order)
	}
	return q, err
}

func (c carrying) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	c.w.mu.Lock()
	r.Order = c.w.orders[r.Attempt]
	c.w.mu.Unlock()
	return c.Service.Purchase(ctx, r)
}

func (c carrying) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	c.w.mu.Lock()
	for _, id := range r.Identities {
		r.Identities = append(r.Identities[:len(r.Identities):len(r.Identities)], c.w.lines[id]...)
	}
	c.w.mu.Unlock()
	return c.Service.Find(ctx, r)
}

// world joins the simulator to the suite.
type world struct {
	t     *testing.T
	what  cloud.Service
	alias bool // reservations are bought by alias
	sim   *sim.Sim
	url   string
	names atomic.Int64
	offer cloud.Offering

	mu     sync.Mutex
	orders map[string]string   // by attempt
	lines  map[string][]string // by identity
}

func newWorld(t *testing.T, what cloud.Service, o sim.Options) *world {
	o.Seed, o.Visibility, o.PageSize, o.Unthrottled = 7, 5*time.Minute, 3, true
	s, err := sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, what: what, sim: s, url: serve(t, s), orders: map[string]string{}, lines: map[string][]string{}}
	// The simulated clock is ahead of the wall clock, as it is in every test that has
	// advanced it.
	w.Advance(300 * 24 * time.Hour)
	list, err := w.open(t, nil).Offerings(t.Context(), driver.Query{
		Attributes: cloud.Attributes{attrSKU: samples[what]}, Term: cloud.OneYear, Payment: cloud.Monthly,
	})
	if err != nil || len(list) != 1 {
		t.Fatalf("offerings: %v, %v", list, err)
	}
	w.offer = list[0]
	return w
}

func serve(t *testing.T, s *sim.Sim) string {
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		_ = s.Close()
		server.Close()
	})
	return server.URL
}

func (w *world) open(t *testing.T, change func(*Config)) driver.Service {
	cfg := Config{
		Account: testAccount, Tenant: testTenant, Region: testRegion, Endpoint: w.url, Now: w.sim.Now,
		Credential: SimulatorCredential(testAccount, w.sim.Now),
	}
	cfg.ByAlias = w.alias
	if !HasRegions(w.what) {
		cfg.Region = Global
	}
	if change != nil {
		change(&cfg)
	}
	d, err := Open(w.what, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return carrying{d, d.(driver.Follower), d.(driver.Limiter), w}
}

func (w *world) attempt() string { return fmt.Sprintf("bu-att-%04d", w.names.Add(1)) }

func (w *world) request(d driver.Service) driver.Request {
	id := fmt.Sprintf("bu-test-%04d-1", w.names.Add(1))
	r := driver.Request{
		Account: testAccount, Offering: w.offer, Quantity: w.size(), Identity: id, Identities: []string{id},
		Attempt: w.attempt(), Tags: map[string]string{"bursar:line": id},
	}
	r.SendBy, r.Deadline = drivertest.Times(w, d.Info().Life)
	return r
}

// size is how much the suite buys at once.
func (w *world) size() int64 {
	if w.what == SavingsPlan {
		return 150_000
	}
	return 2
}

func (w *world) Now() time.Time { return w.sim.Now() }

func (w *world) Advance(d time.Duration) {
	if err := w.sim.Advance(d); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Owned(r driver.Request) (n int) {
	for _, e := range w.sim.Ledger() {
		if strings.EqualFold(e.Name, r.Identity) {
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
	switch {
	case f.Kind == sim.StaleListing:
		f.Times = 2 // a look is two reads
	case f.Kind == sim.WrongCaller || f.Operation != "":
	default:
		f.Operation = w.buys()
	}
	if _, err := w.sim.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) buys() string {
	if w.alias {
		return opBuyAlias
	}
	if w.what == SavingsPlan {
		return opBuyPlan
	}
	return opBuyReservation
}

func (w *world) lists() string {
	if w.what == SavingsPlan {
		return opListPlans
	}
	return opListReservations
}

// tells is the operation that tells the state of a commitment.
func (w *world) tells() string {
	if w.what == SavingsPlan {
		return opListPlans
	}
	return opOrder
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
		drivertest.ListingBusy:     {Kind: sim.Throttle, Operation: w.lists()},
		drivertest.StateStrange:    {Kind: sim.StrangeState, Operation: w.tells()},
		drivertest.DeliveredTwice:  {Kind: sim.Duplicate},
		drivertest.ListingStale:    {Kind: sim.StaleListing, Duration: 24 * time.Hour},
	}[f])
}

func (w *world) Stock(list ...driver.Request) {
	w.t.Helper()
	var all []sim.Existing
	for _, r := range list {
		e := w.existing(int(r.Quantity))
		e.Name = r.Identity
		all = append(all, e)
	}
	if err := w.sim.Add(all...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) existing(n int) sim.Existing {
	offering := strings.ReplaceAll(w.offer.ID, ".", "/")
	if w.what == SavingsPlan {
		return sim.Existing{Account: testAccount, Region: "global", OfferingID: offering, Count: n}
	}
	return sim.Existing{Account: testAccount, Region: testRegion, OfferingID: testRegion + "/" + offering, Count: n}
}

func (w *world) FillQuota() {
	w.t.Helper()
	n := 100
	if w.what == SavingsPlan {
		n = 1_000_000_000
	}
	if err := w.sim.Add(w.existing(n)); err != nil {
		w.t.Fatal(err)
	}
}

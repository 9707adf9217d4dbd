package engine_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/driver/azure"
	"bursar/internal/driver/gcp"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
	"bursar/internal/store"
)

const (
	accountA = "111122223333"
	accountB = "444455556666"
	opBuy    = "PurchaseReservedDBInstancesOffering"

	// Of Azure.
	subscription = "40000000-0000-4000-8000-000000000001"
	simTenant    = "10000000-0000-4000-8000-000000000001"
	// Of Google Cloud.
	project = "example-prod"
	billing = "012345-6789AB-CDEF01"
)

// world is a ledger, an engine and simulated clouds, joined by the real drivers
// over HTTP.
type world struct {
	t      testing.TB
	sim    *sim.Sim
	url    string
	db     *store.DB
	engine *engine.Engine
	clouds *simulated
	// Where a guarded engine finds its ledger.
	file, environment string
}

// simulated opens the real drivers for the lanes of the simulator.
type simulated struct {
	url    string
	now    func() time.Time
	answer time.Duration
	keys   bool            // buy with static keys instead of a role
	unique bool            // names of OpenSearch reservations are known to be unique
	real   bool            // tell the engine that the clouds are real
	before func(op string) // is called before a driver's Find and Quote; nil for nothing
	class  cloud.Class     // what the driver says of itself, if not what is true
	queue  bool            // order Savings Plans for a later second
	alias  bool            // buy reservations of Azure by alias
	mu     sync.Mutex
	open   map[cloud.Lane]driver.Service
}

func (s *simulated) Simulated(cloud.Lane) bool { return !s.real }

func (s *simulated) Lanes() []cloud.Lane {
	return []cloud.Lane{
		{Provider: cloud.AWS, Account: accountA, Region: "us-east-1", Service: "rds"},
		{Provider: cloud.AWS, Account: accountB, Region: "eu-west-1", Service: "rds"},
	}
}

func (s *simulated) Service(l cloud.Lane) (driver.Service, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if svc, ok := s.open[l]; ok {
		return svc, nil
	}
	m := markets[slices.IndexFunc(markets, func(m market) bool { return m.provider == l.Provider })]
	svc, err := m.open(s, l)
	if err == nil {
		s.open[l] = svc
	}
	return svc, err
}

func (s *simulated) microsoft(l cloud.Lane) (driver.Service, error) {
	return azure.Open(l.Service, azure.Config{
		Account: l.Account, Tenant: simTenant, Region: l.Region, Endpoint: s.url, Now: s.now, Answer: s.answer,
		Credential: azure.SimulatorCredential(string(l.Account), s.now), ByAlias: s.alias,
	})
}

func (s *simulated) amazon(l cloud.Lane) (driver.Service, error) {
	cfg := aws.Config{
		Account: l.Account, Region: l.Region, Endpoint: s.url, Now: s.now, Answer: s.answer,
		Credentials: aws.StaticKeys(string(l.Account), "test"), OpenSearchNamesUnique: s.unique, QueueSavingsPlans: s.queue,
	}
	if !s.keys {
		cfg.RoleARN = "arn:aws:iam::" + string(l.Account) + ":role/bursar"
	}
	svc, err := aws.Open(l.Service, cfg)
	if err != nil || l.Service != aws.RDS { // with all its powers
		return svc, err
	}
	svc = watched{svc, s}
	if s.class != "" {
		svc = posing{svc, s.class}
	}
	return svc, nil
}

// google opens the driver of a lane of Google Cloud, with what the simulator sells.
func (s *simulated) google(l cloud.Lane) (driver.Service, error) {
	cfg := gcp.Config{Account: l.Account, Region: l.Region, Endpoint: s.url, Now: s.now, Answer: s.answer}
	switch l.Service {
	case gcp.Spend:
		cfg.Project = project
		cfg.Offers = []gcp.Offer{
			{ID: "services/compute.googleapis.com/standardOffers/ffe0f6a3-2f98-437e-8d49-fc443a05d3c2", Product: "compute-flexible", Term: cloud.OneYear},
			{ID: "services/sqladmin.googleapis.com/standardOffers/5f0e7a52-7f3d-4f0a-9a4e-0c1d5a0a7b11", Product: "cloud-sql", Term: cloud.OneYear, Regional: true},
		}
	case gcp.Licenses:
		cfg.Licenses = []gcp.License{{Name: "suse-sap-cloud/sles-sap-12", Cores: "3-4", Term: cloud.OneYear, SKU: "5F60-A130-184A"}}
	}
	acting := l.Account
	if cfg.Project != "" {
		acting = cloud.Account(cfg.Project)
	}
	cfg.Tokens = gcp.SimulatorTokens(acting, s.now)
	return gcp.Open(l.Service, cfg)
}

// watched is a driver that lets a test act at the moments when a process reads.
type watched struct {
	driver.Service
	s *simulated
}

func (w watched) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	if w.s.before != nil {
		w.s.before("Find")
	}
	return w.Service.Find(ctx, r)
}

func (w watched) Quote(ctx context.Context, r driver.Request) (cloud.Quote, error) {
	if w.s.before != nil {
		w.s.before("Quote")
	}
	return w.Service.Quote(ctx, r)
}

// posing is a driver that passes for one of another class.
type posing struct {
	driver.Service
	class cloud.Class
}

// Purchase gives what it buys no name of ours.
func (p posing) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	r.Identity = nameless(r.Identity)
	return p.Service.Purchase(ctx, r)
}

func nameless(identity string) string { return "x" + strings.TrimPrefix(identity, "bu") }

func (p posing) Info() driver.Info {
	info := p.Service.Info()
	info.Class = p.class
	return info
}

// newWorld starts a fresh world. Purchases are listed at once unless the options
// say otherwise.
func newWorld(t testing.TB, o sim.Options) *world {
	t.Helper()
	return newWorldOn(t, o, filepath.Join(t.TempDir(), "ledger.db"))
}

// newWorldOn is newWorld with the ledger at a path or a URL.
func newWorldOn(t testing.TB, o sim.Options, ledger string) *world {
	t.Helper()
	if o.Visibility == 0 {
		o.Visibility = -1
	}
	if o.Quota == 0 {
		o.Quota = 100_000
	}
	w := &world{t: t}
	var err error
	if w.sim, err = sim.New(o); err != nil {
		t.Fatal(err)
	}
	url, stop, err := sim.Serve(w.sim)
	if err != nil {
		t.Fatal(err)
	}
	w.url = url
	t.Cleanup(func() {
		w.sim.Close() //nolint:errcheck // in memory
		stop()
	})
	if w.db, err = store.Create(t.Context(), ledger, "test", w.sim.Now()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	})
	w.engine, w.clouds = w.newEngine(w.db)
	return w
}

// newEngine is one more worker process on the same ledger and clouds.
func (w *world) newEngine(db *store.DB) (*engine.Engine, *simulated) {
	c := &simulated{url: w.url, now: w.sim.Now, answer: 2 * time.Second, open: map[cloud.Lane]driver.Service{}}
	return &engine.Engine{DB: db, Clouds: c, Now: w.sim.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, c
}

// draft is one ordinary line.
func draft(account, region, engine, class string, n int64) recommend.Draft {
	return recommend.Draft{
		At: recommend.Position{File: "test.yaml", Line: 1}, Provider: cloud.AWS, Service: "rds",
		Account: cloud.Account(account), Region: cloud.Region(region),
		Attributes: cloud.Attributes{"engine": engine, "class": class, "multi_az": "false"},
		Term:       cloud.OneYear, Payment: cloud.PartialUpfront, Quantity: n,
	}
}

// drafts returns n different lines over two lanes.
func drafts(n int) []recommend.Draft {
	list := make([]recommend.Draft, n)
	for i := range list {
		if i%2 == 0 {
			list[i] = draft(accountA, "us-east-1", "postgresql", "db.r6g.large", int64(i%3+1))
		} else {
			list[i] = draft(accountB, "eu-west-1", "mysql", "db.m6g.large", int64(i%3+1))
		}
	}
	return list
}

// approved plans and approves the drafts.
func (w *world) approved(list ...recommend.Draft) *purchase.Plan {
	w.t.Helper()
	return w.approvedWith(0, list...)
}

func (w *world) approvedWith(toleranceBP int, list ...recommend.Draft) *purchase.Plan {
	w.t.Helper()
	return w.decided(toleranceBP, 24*time.Hour, list...)
}

// approvedFor is a plan whose approval lasts for a time.
func (w *world) approvedFor(d time.Duration, list ...recommend.Draft) *purchase.Plan {
	w.t.Helper()
	return w.decided(0, d, list...)
}

func (w *world) decided(toleranceBP int, lasts time.Duration, list ...recommend.Draft) *purchase.Plan {
	w.t.Helper()
	p, err := w.propose(toleranceBP, list...)
	if err != nil {
		w.t.Fatal(err)
	}
	now := w.sim.Now()
	err = w.db.Decide(w.t.Context(), purchase.Decision{Plan: p.ID, Digest: p.Digest, By: "grace", Approve: true, At: now}, now.Add(lasts))
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) propose(toleranceBP int, list ...recommend.Draft) (*purchase.Plan, error) {
	return w.engine.Propose(w.t.Context(), recommend.Input{Drafts: list, ToleranceBP: toleranceBP},
		engine.PlanOptions{Name: "test", Requester: "ada"})
}

func (w *world) fault(f sim.Fault) {
	w.t.Helper()
	if f.Operation == "" {
		f.Service, f.Operation = "rds", opBuy
	}
	if _, err := w.sim.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

// settle runs the engine, moving the simulated clock past every wait, until no
// line of the plan can move any more.
func (w *world) settle(p *purchase.Plan) *purchase.Plan {
	w.t.Helper()
	for range 60 {
		w.run(p)
		p = w.plan(p)
		open := slices.ContainsFunc(p.Lines, func(l purchase.Line) bool { return l.State == purchase.Ready || l.State == purchase.Armed })
		if !open {
			return p
		}
		if err := w.sim.Advance(time.Minute); err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Fatalf("lines are still open after an hour:\n%s", w.story(p))
	return nil
}

// run works on what is due at this moment.
func (w *world) run(p *purchase.Plan) {
	w.t.Helper()
	if err := w.engine.Run(w.t.Context(), engine.RunOptions{Plan: p.ID}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) plan(p *purchase.Plan) *purchase.Plan {
	w.t.Helper()
	fresh, err := w.db.Plan(context.WithoutCancel(w.t.Context()), string(p.ID))
	if err != nil {
		w.t.Fatal(err)
	}
	return fresh
}

// story tells the lines of a plan for a failure message.
func (w *world) story(p *purchase.Plan) string {
	var b strings.Builder
	for _, l := range w.plan(p).Lines {
		row, err := w.db.Row(w.t.Context(), l.ID)
		fmt.Fprintf(&b, "%d %s %s gen %d: %s %v\n", l.Number, l.ID, l.State, l.Generation, l.Reason, err)
		for _, a := range row.Attempts {
			fmt.Fprintf(&b, "   attempt %d gen %d %s %s %s\n", a.N, a.Generation, a.State, a.Outcome, a.Code)
		}
	}
	return b.String()
}

// owned counts what the clouds really sold for a line, under any of its names.
func (w *world) owned(l purchase.Line) (n int) {
	for _, e := range w.sim.Ledger() {
		if strings.Contains(strings.ToLower(e.ID), "-"+strings.ToLower(string(l.ID))+"-") && e.State != "payment-failed" {
			n++
		}
	}
	return n
}

// audit recounts everything after a test: each line was sold once if and only if
// it is purchased, every attempt put at most one request on the wire, and every
// invariant of the ledger holds.
func (w *world) audit(p *purchase.Plan) {
	w.t.Helper()
	p = w.plan(p)
	for _, l := range p.Lines {
		want := 0
		if l.State == purchase.Purchased {
			want = 1
		}
		if got := w.owned(l); got != want {
			w.t.Errorf("line %d is %s and was sold %d times\n%s", l.Number, l.State, got, w.story(p))
		}
	}
	sent := map[string]int{}
	for _, r := range w.sim.Requests() {
		if r.Spending && r.Session != "" { // static keys do not name their attempt
			sent[r.Session]++
		}
	}
	for session, n := range sent {
		if n > 1 {
			w.t.Errorf("attempt %s put %d requests on the wire", session, n)
		}
	}
	w.check()
}

func (w *world) check() {
	w.t.Helper()
	snapshot, err := w.db.Snapshot(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	audited, err := w.db.CheckAudit(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range slices.Concat(w.db.Integrity(w.t.Context(), w.sim.Now()), purchase.Check(snapshot, w.sim.Now()), audited) {
		for _, problem := range f.Problems {
			if f.Name != "nobody-forgotten" { // the tests jump over days
				w.t.Errorf("%s: %s", f.Name, problem)
			}
		}
	}
}

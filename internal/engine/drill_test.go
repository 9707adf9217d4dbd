package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/driver/azure"
	"bursar/internal/driver/gcp"
	"bursar/internal/engine"
	"bursar/internal/pgtest/pgtesting"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// TestMain lets the test program be a worker of TestDrill.
func TestMain(m *testing.M) {
	if text := os.Getenv(drillWorker); text != "" {
		if err := workDrill(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(pgtesting.Run(m))
}

const (
	drillLines  = 200
	drillKills  = 16
	drillWorker = "BURSAR_DRILL_WORKER" // a drillOrder
	drillSeed   = "BURSAR_DRILL_SEED"   // repeats the faults of a failed drill
)

// drillOrder is what a worker process is told.
type drillOrder struct {
	Ledger string          `json:"ledger"`
	URL    string          `json:"url"`
	Plan   purchase.PlanID `json:"plan"`
	Ahead  time.Duration   `json:"ahead"` // of the simulated clock
}

// workDrill is a worker process: it works once on what is due.
func workDrill(text string) error {
	var o drillOrder
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	ctx := context.Background()
	db, err := store.Open(ctx, o.Ledger)
	if err != nil {
		return err
	}
	now := func() time.Time { return time.Now().UTC().Add(o.Ahead) }
	return drillEngine(db, o.URL, now).Run(ctx, engine.RunOptions{Plan: o.Plan})
}

// drillEngine has workers enough for those that wait between the retries of a
// read.
func drillEngine(db *store.DB, url string, now func() time.Time) *engine.Engine {
	clouds := &simulated{url: url, now: now, answer: 120 * time.Millisecond, open: map[cloud.Lane]driver.Service{}}
	return &engine.Engine{DB: db, Clouds: clouds, Now: now, Workers: 64, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// drillDrafts are lines of some services of one cloud over all its accounts and regions.
func drillDrafts(s *sim.Sim, services []cloud.Service, n int) []recommend.Draft {
	list := make([]recommend.Draft, n)
	accounts := slices.DeleteFunc(s.Accounts(), func(a sim.Account) bool { return a.Provider != string(marketOf(services[0]).provider) })
	for i := range list {
		a := accounts[i%len(accounts)]
		region := a.Regions[i/len(accounts)%len(a.Regions)]
		service := services[i/len(accounts)%len(services)]
		d := draftOf(service)
		d.At.Line, d.Quantity = i+1, d.Quantity*int64(i%3+1)
		switch {
		case service == aws.SavingsPlans: // 200 of them within the quota
			d.Quantity, d.Payment = d.Quantity/50, cloud.NoUpfront
		case goods[service].count == 1: // made to measure
			d.Quantity = 1
		}
		if service != gcp.Spend {
			d.Account = cloud.Account(a.ID)
		} else if i%5 > 0 { // of one billing account, so lanes are regions
			d.Attributes, d.Region = cloud.Attributes{"product": "cloud-sql"}, cloud.Region(a.Regions[i%5-1])
		}
		if d.Region != aws.Global && service != gcp.Spend {
			d.Region = cloud.Region(region)
		}
		if d.Attributes["zone"] != "" {
			d.Attributes = maps.Clone(d.Attributes)
			d.Attributes["zone"] = region + "a"
		}
		list[i] = d
	}
	return list
}

// unanswered are the faults that leave a caller without a good answer. The SDK
// tries a read again after most of them, some seconds later by the wall clock, but
// not after the first, and that of AWS not after the second.
var unanswered = []sim.Fault{
	{Kind: sim.Redirect}, {Kind: sim.TornBody}, {Kind: sim.LoseRequest}, {Kind: sim.LoseReply}, {Kind: sim.Throttle},
	{Kind: sim.ErrorBefore, Status: 500}, {Kind: sim.ErrorAfter, Status: 500}, {Kind: sim.ErrorBefore, Status: 503}, {Kind: sim.ErrorAfter, Status: 502},
}

// drillFaults let a fifth of the requests go wrong from now on, purchases in every
// way there is, and reads in the given ones, or by showing too little.
func (w *world) drillFaults(services []cloud.Service, class cloud.Class, reads map[[2]string]bool, unread []sim.Fault) {
	w.t.Helper()
	add := func(f sim.Fault, service, operation string, permille int) {
		f.Service, f.Operation, f.Times, f.Permille = service, operation, -1, permille
		if _, err := w.sim.AddFault(f); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.sim.ClearFaults(); err != nil {
		w.t.Fatal(err)
	}
	for op := range reads {
		for _, f := range unread {
			add(f, op[0], op[1], 220/len(unread))
		}
	}
	buys := map[string]string{}
	for _, s := range services {
		buys[sold(s)] = goods[s].buy
	}
	for wire, buy := range buys {
		add(sim.Fault{Kind: sim.StaleListing, Duration: 4 * time.Minute}, wire, "", 100)
		add(sim.Fault{Kind: sim.TruncatedPage}, wire, "", 20)
		for _, f := range append(slices.Clone(unanswered),
			sim.Fault{Kind: sim.Slow}, sim.Fault{Kind: sim.Delay, Duration: time.Minute}, sim.Fault{Kind: sim.Delay, Duration: 40 * time.Minute},
		) {
			add(f, wire, buy, 18)
		}
		// A cloud that tells the second from the first, or lets it be deleted. What an
		// alias of Azure does with the same bytes twice is not published.
		if !class.Locks() && wire != sold(azure.SavingsPlan) {
			add(sim.Fault{Kind: sim.Duplicate}, wire, buy, 20)
		}
		add(sim.Fault{Kind: sim.PaymentFailed}, wire, buy, 20)
		add(sim.Fault{Kind: sim.NoTrail}, wire, buy, 200)
	}
}

// reads are the requests that made a plan, and those to the audit log; of Azure those
// besides that follow an order or look for one.
func (w *world) reads(p cloud.Provider) map[[2]string]bool {
	all := map[[2]string]bool{{"cloudtrail", "LookupEvents"}: true}
	if p == cloud.Azure {
		all = map[[2]string]bool{}
		for service, operations := range map[string][]string{
			"microsoft.capacity":        {"ReservationOrder.get", "Reservation.list", "Reservation.listAll", "OperationResults.get"},
			"microsoft.billingbenefits": {"RP.validatePurchase", "SavingsPlanOrderAlias.get", "SavingsPlan.list", "SavingsPlan.listAll"},
		} {
			for _, op := range operations {
				all[[2]string{service, op}] = true
			}
		}
	}
	for _, r := range w.sim.Requests() {
		all[[2]string{r.Service, r.Operation}] = true
	}
	return all
}

// TestDrill buys plans of every service of AWS, and a mixed one of Azure, while a fifth of all requests goes wrong
// and workers, processes of their own, are killed wherever they happen to be.
// Then another finishes, with a person beside it. What the cloud holds must be what
// the ledger says, and only lines of a service that knows purchases by nothing may
// ask the person.
func TestDrill(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv(drillSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range markets {
		for _, s := range m.services {
			together := []cloud.Service{s}
			if m.provider == cloud.Azure {
				if s != m.services[0] {
					continue
				}
				together = m.services
			}
			t.Run(string(m.provider)+"/"+string(s), func(t *testing.T) {
				t.Parallel()
				t.Logf("%s=%d", drillSeed, seed)
				drill(t, together, seed)
			})
		}
	}
}

func drill(t *testing.T, services []cloud.Service, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	opts := sim.Options{Visibility: time.Minute, Unthrottled: true, Seed: seed}
	ahead := int64(150)
	if services[0] == gcp.Spend { // one billing account has them all: of many pages one always fails, and few lines are under way
		opts.PageSize, opts.FullPages, ahead = 500, true, 12
	}
	w := newWorld(t, opts)
	k := &killer{sim: w.sim, random: random, ahead: ahead}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	w.engine = drillEngine(w.db, server.URL, w.sim.Now)
	p := w.approvedFor(30*24*time.Hour, drillDrafts(w.sim, services, drillLines)...)
	reads, swift := w.reads(p.Lines[0].Spec.Offering.Provider), unanswered[:2]
	if p.Lines[0].Spec.Offering.Provider == cloud.Azure {
		swift = unanswered[:1]
	}
	w.drillFaults(services, p.Lines[0].Class, reads, unanswered)

	kills := 0
	for range drillKills / 2 {
		order, err := json.Marshal(drillOrder{Ledger: w.db.Path(), URL: server.URL, Plan: p.ID, Ahead: time.Until(w.sim.Now())})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 2 {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), drillWorker+"="+string(order))
			var said strings.Builder
			cmd.Stderr = &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			k.mark(cmd.Process)
			wg.Go(func() {
				cmd.Wait() //nolint:errcheck // its state tells
				if code := cmd.ProcessState.ExitCode(); code > 0 {
					t.Errorf("a worker ended with %d: %s", code, said.String())
				}
			})
		}
		wg.Wait()
		kills += k.killed()
		w.advance(3 * time.Second)
	}
	if kills < drillKills/4 {
		t.Errorf("only %d workers were killed", kills)
	}

	w.drillFaults(services, p.Lines[0].Class, reads, swift)
	reviewed := 0
	open := func() (n int, next time.Time) {
		for _, l := range w.plan(p).Lines {
			switch l.State {
			case purchase.NeedsReview:
				n++
				reviewed++
				w.judge(l)
			case purchase.Ready, purchase.Armed, purchase.QueuedLine, purchase.Recovery:
				if n++; next.IsZero() || l.LookAt.Before(next) {
					next = l.LookAt
				}
			}
		}
		return n, next
	}
	// What is in doubt stays so for as long as an attempt lives: two minutes or ninety.
	svc, err := w.engine.Clouds.Service(p.Lines[0].Spec.Lane())
	if err != nil {
		t.Fatal(err)
	}
	step := max(30*time.Second, svc.Info().Life/10)
	rounds := 0
	for n, next := open(); n > 0; n, next = open() {
		if rounds++; rounds > 1500 {
			t.Fatalf("%d lines are open after %d rounds:\n%s", n, rounds, w.story(p))
		}
		w.advance(max(step, next.Sub(w.sim.Now())))
		w.run(p)
	}
	t.Logf("%d workers killed, %d requests, %d rounds, %d decisions by a person", kills, k.n.Load(), rounds, reviewed)
	w.advance(48 * time.Hour) // whatever may still have an effect has it
	w.tally(p)
	w.check()
}

// judge is a person who knows what was bought, and decides about a line that says
// why it needs one. A reservation whose payment failed may be shown as something that
// nobody can read: it is declared foreign, or it would stop the other lines of its
// lane as an item that nothing explains.
func (w *world) judge(l purchase.Line) {
	w.t.Helper()
	if !l.Class.Locks() || l.Reason == "" {
		w.t.Errorf("line %d waits for a person: %q", l.Number, l.Reason)
	}
	r := engine.Resolution{Choice: purchase.NotBought, Second: "hopper", Comment: "drill"}
	for _, e := range w.sim.Ledger() {
		switch {
		case !strings.Contains(e.Session, strings.ToLower(string(l.ID))):
		case e.State != "payment-failed":
			r.Choice, r.Commitment = purchase.Adopt, e.ID
		default:
			_, err := w.resolve(l, engine.Resolution{Choice: engine.DeclareForeign, Commitment: e.ID, Comment: "never paid"})
			if !errors.Is(err, purchase.ErrNotListed) {
				w.t.Logf("line %d is decided in another round: %v", l.Number, err)
				return
			}
		}
	}
	if _, err := w.resolve(l, r); err != nil { // too early, or the listing misses it: later
		w.t.Logf("line %d is not decided yet: %v", l.Number, err)
	}
}

// signature names the line that something was bought for: the session of its request,
// or the name of what Azure or Google sold.
func signature(e sim.Entry) string {
	if name := e.Attributes["display_name"]; name != "" {
		return name
	}
	switch cloud.Provider(e.Provider) {
	case cloud.Azure:
		return e.Name
	case cloud.GCP:
		return e.ID
	}
	return e.Session
}

// tally compares the ledger of the cloud with ours, line by line.
func (w *world) tally(p *purchase.Plan) {
	w.t.Helper()
	snapshot, err := w.db.Snapshot(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	receipts := map[purchase.LineID]string{}
	for _, r := range snapshot.Receipts {
		receipts[r.Line] = r.Commitment.ID
	}
	held := map[purchase.LineID][]sim.Entry{}
	for _, e := range w.sim.Ledger() {
		part := strings.Split(signature(e), "-") // bu-test-LINE-1, of a session with -a1 behind
		if len(part) < 4 {
			w.t.Fatalf("%s was bought by %q", e.ID, signature(e))
		}
		line := purchase.LineID(strings.ToUpper(part[2]))
		held[line] = append(held[line], e)
	}
	states := map[purchase.State]int{}
	for _, l := range w.plan(p).Lines {
		states[l.State]++
		owned, failed := 0, 0
		for _, e := range held[l.ID] {
			switch e.State {
			case "payment-failed", "CANCELLED", "GONE":
				failed++
			case "queued-deleted":
			default:
				owned++
			}
		}
		wrong := ""
		switch {
		case owned > 1:
			wrong = fmt.Sprintf("was bought %d times", owned)
		case l.State == purchase.Purchased && owned+failed == 0:
			wrong = "was not bought"
		case l.State == purchase.Purchased && !named(held[l.ID], receipts[l.ID]):
			wrong = fmt.Sprintf("has the receipt of %s", receipts[l.ID])
		case l.State == purchase.Purchased:
		case l.State == purchase.NeedsReapproval && l.Class.Locks() && l.Reason != "" && owned == 0:
			// Something in its lane is explained by nothing; people have to say.
		case owned > 0:
			wrong = "was bought and the ledger does not know"
		case l.State != purchase.Failed || l.Reason == "":
			wrong = "has not come to an end"
		}
		if wrong != "" {
			w.t.Errorf("line %d, %s, %s: %s\n%+v\n%s", l.Number, l.State, l.Reason, wrong, held[l.ID], w.told(l.ID))
		}
	}
	w.t.Logf("%v", states)
	if n := states[purchase.Purchased]; n < drillLines*9/10 {
		w.t.Errorf("only %d of %d lines were bought", n, drillLines)
	}
}

// told is all that is written down about a line.
func (w *world) told(id purchase.LineID) string {
	row, err := w.db.Row(w.t.Context(), id)
	if err != nil {
		return err.Error()
	}
	facts, err := w.db.Facts(w.t.Context(), id)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, a := range row.Attempts {
		fmt.Fprintf(&b, "attempt %d of generation %d, %s, %s: armed %s, settled %s, before %v\n",
			a.N, a.Generation, a.State, a.Outcome, a.ArmedAt, a.SettledAt, a.Before)
	}
	for _, f := range facts {
		fmt.Fprintf(&b, "%+v\n", f)
	}
	return b.String()
}

func named(held []sim.Entry, id string) bool {
	for _, e := range held {
		if strings.EqualFold(e.ID, id) {
			return true
		}
	}
	return false
}

// killer serves the simulator and kills workers at random requests: while the
// request is under way, with the reply on its way, or a moment later.
type killer struct {
	sim   *sim.Sim
	ahead int64 // how far the request is at most that a worker does not survive
	n     atomic.Int64

	mu     sync.Mutex
	random *rand.Rand
	marked map[int64]*os.Process // by the request that it does not survive
	kills  int
}

// mark chooses a request, not far ahead, for a worker to end with.
func (k *killer) mark(p *os.Process) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.marked == nil {
		k.marked = map[int64]*os.Process{}
	}
	k.marked[k.n.Load()+1+k.random.Int64N(k.ahead)] = p
}

// killed returns how many workers were killed since it was last asked, and
// forgets those that were not.
func (k *killer) killed() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.kills
	k.kills, k.marked = 0, nil
	return n
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := k.n.Add(1)
	k.mu.Lock()
	victim := k.marked[at]
	var how int
	var later time.Duration
	if victim != nil {
		k.kills++
		how, later = k.random.IntN(3), time.Duration(k.random.Int64N(int64(20*time.Millisecond)))
	}
	k.mu.Unlock()
	kill := func() { victim.Kill() } //nolint:errcheck // it may have ended
	switch {
	case victim == nil:
		k.sim.ServeHTTP(w, r)
	case how == 0:
		kill()
		k.sim.ServeHTTP(w, r)
	case how == 1:
		k.sim.ServeHTTP(w, r)
		kill()
	default:
		time.AfterFunc(later, kill)
		k.sim.ServeHTTP(w, r)
	}
}

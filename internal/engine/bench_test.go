package engine_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/engine"
	"bursar/internal/pgtest/pgtesting"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// roomy is a simulator whose pages are as large as those of AWS and that refuses
// nothing for being asked often.
var roomy = sim.Options{PageSize: 1 << 20, FullPages: true, Unthrottled: true, Visibility: -1, Quota: 1 << 40}

// BenchmarkThroughput buys a plan of 4000 lines of RDS in four accounts, with 20 ms
// between the workers and the cloud: sessions, looks, quotes, purchases, and a ledger
// in a file with one worker, or in PostgreSQL with some that have connections of their
// own. Workers, server and simulator share the machine.
func BenchmarkThroughput(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(engine.GCPercent)) // as bursar worker does
	b.Run("sqlite", func(b *testing.B) {
		throughput(b, 1, func() string { return filepath.Join(b.TempDir(), "ledger.db") })
	})
	for _, workers := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("postgres/%d", workers), func(b *testing.B) {
			throughput(b, workers, func() string { return pgtesting.Database(b) })
		})
	}
}

func throughput(b *testing.B, workers int, ledger func() string) {
	const lines = 4000
	for b.Loop() {
		b.StopTimer()
		o := roomy
		o.Latency = 20 * time.Millisecond
		path := ledger()
		w := newWorldOn(b, o, path)
		p := w.approved(drillDrafts(w.sim, []cloud.Service{aws.RDS}, lines)...)
		w.begin(p)
		engines := make([]*engine.Engine, workers)
		dbs := make([]*store.DB, workers)
		for i := range engines {
			var err error
			if dbs[i], err = store.Open(b.Context(), path); err != nil {
				b.Fatal(err)
			}
			engines[i], _ = w.newEngine(dbs[i])
		}
		ctx, stop := context.WithCancel(b.Context())
		var done sync.Map
		var left atomic.Int64
		left.Store(lines)
		moved := func(row purchase.Row, _ error) {
			if !row.Line.State.Terminal() {
				return
			}
			if _, again := done.LoadOrStore(row.Line.ID, true); !again && left.Add(-1) == 0 {
				stop()
			}
		}
		var wg sync.WaitGroup
		b.StartTimer()
		for i, e := range engines {
			wg.Go(func() {
				e.Work(ctx, engine.WorkOptions{Name: fmt.Sprint("worker", i), Grace: time.Minute, Moved: moved})
			})
		}
		wg.Wait()
		b.StopTimer()
		if n := len(w.sim.Ledger()); n != lines || !w.all(p, purchase.Purchased) {
			b.Fatalf("the cloud holds %d", n)
		}
		for _, db := range append(dbs, w.db) {
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
	b.ReportMetric(lines*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// callsMost is how many requests a line may take, with the inventory, which the lines
// of a lane share, divided among them. What else they share is a price for as long as
// it is fresh, and a session to read with: laneCalls for all of them.
var callsMost = map[cloud.Service]struct {
	calls  int
	listed bool // the inventory counts apart: it may be read once
}{
	aws.RDS: {calls: 4}, aws.ElastiCache: {calls: 4}, aws.MemoryDB: {calls: 4}, aws.EC2: {calls: 4}, aws.SavingsPlans: {calls: 4},
	aws.OpenSearch: {4, true}, aws.Redshift: {4, true}, aws.EC2Zonal: {4, true}, aws.RedshiftServerless: {4, true},
}

const laneCalls = 2

// BenchmarkCalls counts what a plan of 100 lines in one lane asks of the cloud from
// the moment apply starts until nothing is left to do, sessions included, where the
// lane holds more or less already.
func BenchmarkCalls(b *testing.B) {
	const lines = 100
	for _, service := range aws.Services {
		for _, existing := range []int{0, 1_000, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", service, existing), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					w := newWorld(b, roomy)
					w.clouds.answer = time.Minute
					list := make([]recommend.Draft, lines)
					for i := range list {
						list[i] = draftOf(service)
					}
					w.existing(service, list[0], existing)
					p := w.approved(list...)
					before := len(w.sim.Requests())
					b.StartTimer()
					for done := false; !done; {
						w.run(p)
						done = true
						for _, l := range w.plan(p).Lines {
							done = done && l.State.Terminal()
							if l.State == purchase.NeedsReview || l.State == purchase.Failed {
								b.Fatalf("line %d is %s: %s", l.Number, l.State, l.Reason)
							}
						}
						if !done {
							w.advance(time.Minute)
						}
					}
					b.StopTimer()
					count(b, service, w.sim.Requests()[before:], lines, existing)
					b.StartTimer()
				}
			})
		}
	}
}

// existing puts commitments of somebody else into the lane of a draft.
func (w *world) existing(service cloud.Service, d recommend.Draft, n int) {
	svc, err := w.clouds.Service(cloud.Lane{Provider: d.Provider, Account: d.Account, Region: d.Region, Service: d.Service})
	if err != nil {
		w.t.Fatal(err)
	}
	offered, err := svc.Offerings(w.t.Context(), driver.Query{Attributes: d.Attributes, Term: d.Term, Payment: d.Payment})
	if err != nil || len(offered) != 1 {
		w.t.Fatal(offered, err)
	}
	named := service == aws.RDS || service == aws.ElastiCache || service == aws.MemoryDB
	list := make([]sim.Existing, n)
	for i := range list {
		list[i] = sim.Existing{Account: string(d.Account), Region: string(d.Region), OfferingID: offered[0].ID, Count: 1}
		if named {
			list[i].ID = fmt.Sprintf("theirs-%d", i)
		}
	}
	if err := w.sim.Add(list...); err != nil {
		w.t.Fatal(err)
	}
}

// count reports the requests of a plan, and fails if they are more than they may
// be.
func count(b *testing.B, service cloud.Service, requests []sim.Request, lines, existing int) {
	b.Helper()
	pages, polls := 0, 0
	byName := map[string]int{}
	for _, r := range requests {
		byName[r.Operation]++
		switch {
		case !lists(r.Operation):
		case slices.Contains(followed, service) && polls < lines:
			polls++ // what the answer named is read once
		default:
			pages++
		}
	}
	perLine := float64(len(requests)) / float64(lines)
	b.ReportMetric(perLine, "calls/line")
	b.ReportMetric(float64(pages), "pages")
	for name, n := range byName {
		b.Logf("%s %d", name, n)
	}
	most := callsMost[service]
	if most.calls == 0 {
		b.Fatalf("%s has no entry in callsMost", service)
	}
	counted := len(requests)
	if most.listed {
		counted -= pages
		if once := max(1, (existing+lines)/perPage(service)); pages > once {
			b.Fatalf("%d pages of the inventory, which has %d: %v", pages, once, byName)
		}
	}
	if counted > most.calls*lines+laneCalls {
		b.Fatalf("%d requests for %d lines, at most %d for each and %d for the lane: %v", counted, lines, most.calls, laneCalls, byName)
	}
}

// followed are the services whose answer to a purchase names an id and nothing else.
var followed = []cloud.Service{aws.EC2Zonal, aws.OpenSearch}

// lists reports whether an operation reads the inventory.
func lists(operation string) bool {
	return strings.HasPrefix(operation, "DescribeReserved") && !strings.HasSuffix(operation, "Offerings") ||
		operation == "DescribeSavingsPlans" || operation == "ListReservations"
}

// perPage is how much of the inventory one answer holds at most: EC2 has no pages.
func perPage(s cloud.Service) int {
	if s == aws.EC2Zonal {
		return 1 << 30
	}
	return 100
}

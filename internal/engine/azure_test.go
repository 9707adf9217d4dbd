package engine_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/sim"
)

// road is the way of a PUT to Azure: a test decides what happens to the first one.
type road struct {
	sim   *sim.Sim
	first func(w http.ResponseWriter, send func() *http.Request)
	puts  int
}

func (r *road) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.Method == http.MethodPut {
		r.puts++
	}
	if q.Method != http.MethodPut || r.puts > 1 || r.first == nil {
		r.sim.ServeHTTP(w, q)
		return
	}
	body, err := io.ReadAll(q.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.first(w, func() *http.Request {
		again := q.Clone(q.Context())
		again.Body = io.NopCloser(bytes.NewReader(body))
		return again
	})
}

// TestAzureOrders: whatever Azure does with a second request for an order, whenever the
// session of its price ends, and however long its billing takes, an order is bought at
// most once, and its line comes to the right end.
func TestAzureOrders(t *testing.T) {
	type sender = func() *http.Request
	ways := map[string]func(w *world) func(http.ResponseWriter, sender){
		"arrives once": func(*world) func(http.ResponseWriter, sender) { return nil },
		"arrives twice, and the second is answered": func(w *world) func(http.ResponseWriter, sender) {
			return func(out http.ResponseWriter, q sender) {
				w.sim.ServeHTTP(httptest.NewRecorder(), q())
				w.sim.ServeHTTP(out, q())
			}
		},
		"arrives twice, and nothing is answered": func(w *world) func(http.ResponseWriter, sender) {
			return func(_ http.ResponseWriter, q sender) {
				w.sim.ServeHTTP(httptest.NewRecorder(), q())
				w.sim.ServeHTTP(httptest.NewRecorder(), q())
				panic(http.ErrAbortHandler)
			}
		},
		"arrives after its session": func(w *world) func(http.ResponseWriter, sender) {
			return func(out http.ResponseWriter, q sender) {
				w.advance(16 * time.Minute)
				w.sim.ServeHTTP(out, q())
			}
		},
		"arrives, and once more after its session": func(w *world) func(http.ResponseWriter, sender) {
			return func(out http.ResponseWriter, q sender) {
				w.sim.ServeHTTP(httptest.NewRecorder(), q())
				w.advance(16 * time.Minute)
				w.sim.ServeHTTP(out, q())
			}
		},
	}
	for name, way := range ways {
		for second, what := range map[sim.SecondPut]string{sim.SessionGone: "the session is gone", sim.ReplayOrder: "the order is shown", sim.OrderExists: "it exists"} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true, SecondPut: second})
				w.through(way(w))
				w.boughtOnce(w.carried(w.approved(draftOf("disk"))))
			})
		}
	}
}

// TestAzureFailedOrder: an order that ends as failed is answered with status 200, and
// its line has failed.
func TestAzureFailedOrder(t *testing.T) {
	for _, service := range ofAzure {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprint(service, lost), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true})
				p := w.approved(draftOf(service))
				w.fault(sim.Fault{Kind: sim.PaymentFailed, Service: sold(service), Operation: goods[service].buy})
				if lost {
					w.through(func(_ http.ResponseWriter, q func() *http.Request) {
						w.sim.ServeHTTP(httptest.NewRecorder(), q())
						panic(http.ErrAbortHandler)
					})
				}
				p = w.carried(p)
				if l := p.Lines[0]; l.State != purchase.Failed || l.Armed != 1 || l.Reason == "" {
					t.Errorf("%s after %d attempts: %s", l.State, l.Armed, l.Reason)
				}
				w.check()
			})
		}
	}
}

// TestAzureLongBilling: an order whose billing takes three quarters of an hour is
// followed, by whoever comes, and nothing else is sent for it.
func TestAzureLongBilling(t *testing.T) {
	w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true})
	p := w.approved(draftOf("vm"), draftOf("vm"), draftOf("disk"), draftOf("disk"), draftOf("vm"))
	var slowest time.Duration
	for range 60 {
		w.run(p)
		p = w.plan(p)
		for _, l := range p.Lines {
			if l.State == purchase.Armed && w.sim.Now().Sub(p.CreatedAt) > slowest {
				slowest = w.sim.Now().Sub(p.CreatedAt)
			}
		}
		w.advance(time.Minute)
	}
	if slowest < 15*time.Minute {
		t.Errorf("the slowest order took %s: the simulator has no long billing", slowest)
	}
	w.boughtOnce(p)
}

// through puts a road before the simulator.
func (w *world) through(first func(w http.ResponseWriter, send func() *http.Request)) {
	server := httptest.NewServer(&road{sim: w.sim, first: first})
	w.t.Cleanup(server.Close)
	w.clouds.url = server.URL
	clear(w.clouds.open) // what is open goes another way
}

// carried works on a plan until its lines have ended or wait for a person.
func (w *world) carried(p *purchase.Plan) *purchase.Plan {
	w.t.Helper()
	for range 400 {
		w.run(p)
		p = w.plan(p)
		open := false
		for _, l := range p.Lines {
			open = open || !l.State.Terminal() && l.State != purchase.NeedsReview
		}
		if !open {
			return p
		}
		w.advance(time.Minute)
	}
	w.t.Fatalf("lines are open after hours:\n%s", w.story(p))
	return nil
}

// boughtOnce fails unless every line of a plan of Azure is purchased and was sold once.
func (w *world) boughtOnce(p *purchase.Plan) {
	w.t.Helper()
	sold := map[string]int{}
	for _, e := range w.sim.Ledger() {
		if e.Provider == string(cloud.Azure) {
			sold[strings.ToUpper(strings.Split(e.Name+"--", "-")[2])]++
		}
	}
	for _, l := range p.Lines {
		if l.State != purchase.Purchased || sold[string(l.ID)] != 1 {
			w.t.Errorf("line %d is %s and was sold %d times\n%s", l.Number, l.State, sold[string(l.ID)], w.story(p))
		}
	}
	w.check()
}

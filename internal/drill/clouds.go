package drill

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"bursar/internal/sim"
)

// wire serves the clouds.
type wire struct {
	url     string
	sim     *sim.Sim
	server  *http.Server
	latency atomic.Int64 // of every answer of a cloud
	asked   atomic.Int64 // requests to the clouds
}

func serve(s *sim.Sim) (*wire, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{url: "http://" + l.Addr().String(), sim: s}
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: time.Minute}
	go w.server.Serve(l) //nolint:errcheck // it ends with close
	return w, nil
}

func (w *wire) close() { _ = w.server.Close() }

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/_sim/") {
		w.asked.Add(1)
		time.Sleep(time.Duration(w.latency.Load()))
	}
	w.sim.ServeHTTP(rw, r)
}

// answers are the faults that leave a caller without a good answer.
var answers = []sim.Fault{
	{Kind: sim.TornBody}, {Kind: sim.Redirect}, {Kind: sim.LoseRequest}, {Kind: sim.LoseReply}, {Kind: sim.Throttle},
	{Kind: sim.ErrorBefore, Status: 500}, {Kind: sim.ErrorAfter, Status: 500}, {Kind: sim.ErrorBefore, Status: 503}, {Kind: sim.ErrorAfter, Status: 502},
}

// trouble lets a fifth of all requests go wrong from now on: purchases in every way
// there is, and what was asked up to now besides them, which is what was read to make
// plans.
func (w *world) trouble() error {
	type operation struct{ service, name string }
	reads, sells := map[operation]bool{}, map[string]bool{}
	for _, r := range w.sim.Requests() {
		if !r.Spending {
			reads[operation{r.Service, r.Operation}] = true
			sells[r.Service] = true
		}
	}
	reads[operation{"cloudtrail", "LookupEvents"}] = true
	var errs []error
	add := func(f sim.Fault, permille int) {
		f.Times, f.Permille = -1, permille
		if _, err := w.sim.AddFault(f); err != nil {
			errs = append(errs, err)
		}
	}
	for _, op := range slices.SortedFunc(maps.Keys(reads), func(a, b operation) int { return strings.Compare(a.service+a.name, b.service+b.name) }) {
		for _, f := range answers {
			f.Service, f.Operation = op.service, op.name
			add(f, 200/len(answers))
		}
	}
	add(sim.Fault{Kind: sim.StaleListing, Duration: 4 * time.Minute}, 100)
	add(sim.Fault{Kind: sim.TruncatedPage}, 20)
	for _, f := range append(slices.Clone(answers),
		sim.Fault{Kind: sim.Slow, Duration: 2 * time.Second}, sim.Fault{Kind: sim.Delay, Duration: time.Minute}, sim.Fault{Kind: sim.Delay, Duration: 40 * time.Minute},
	) {
		f.Spending = true
		add(f, 17)
	}
	// A cloud that tells the second from the first, or where it can be deleted.
	for service := range sells {
		if repeats[service] {
			add(sim.Fault{Kind: sim.Duplicate, Service: service, Spending: true}, 20)
		}
		if bills[service] {
			add(sim.Fault{Kind: sim.PaymentFailed, Service: service, Spending: true}, 15)
		}
	}
	add(sim.Fault{Kind: sim.NoTrail, Spending: true}, 200)
	if len(errs) > 0 {
		return fmt.Errorf("faults: %w", errs[0])
	}
	return nil
}

// repeats are the services that tell a second request from the first, as the
// simulator calls them; bills those whose payments may fail.
var (
	repeats = map[string]bool{"rds": true, "elasticache": true, "memorydb": true, "savingsplans": true, "redshift-serverless": true}
	bills   = map[string]bool{"rds": true, "elasticache": true, "memorydb": true, "savingsplans": true, "ec2": true, "es": true, "redshift": true}
)

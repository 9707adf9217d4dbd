package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"bursar/internal/api"
	"bursar/internal/auth"
)

// Metrics are what is measured, as it is when it is asked for.
type Metrics struct {
	Lines map[string]int // by state
	// Doubt is how long the oldest line in doubt has been in doubt; 0 if none is.
	Doubt   time.Duration
	Money   []Money
	Calls   []Calls
	Lag     map[string]time.Duration // of each task with a schedule: since when it is due; 0 if it is not
	Running bool                     // purchasing is not stopped
	// Recovery: the ledger went back in time, and what it lost is not made good yet.
	Recovery bool
}

// Money is what a budget has in its current period.
type Money struct {
	Budget, Currency string
	Cap, Held, Spent string // decimal
}

// Calls counts the requests of this process to the clouds, since it began.
type Calls struct {
	Provider, Service, Result string
	N                         uint64
}

var (
	metricLines    = prometheus.NewDesc("bursar_lines", "Lines by state.", []string{"state"}, nil)
	metricDoubt    = prometheus.NewDesc("bursar_in_doubt_age_seconds", "Age of the oldest line in doubt; 0 if none is in doubt.", nil, nil)
	metricMoney    = prometheus.NewDesc("bursar_budget", "What a budget has in its current period: cap, held, spent.", []string{"budget", "kind", "currency"}, nil)
	metricCalls    = prometheus.NewDesc("bursar_cloud_calls_total", "Requests of this process to the clouds.", []string{"provider", "service", "result"}, nil)
	metricLag      = prometheus.NewDesc("bursar_task_lag_seconds", "How long a task has been due and not begun.", []string{"task"}, nil)
	metricRunning  = prometheus.NewDesc("bursar_purchasing", "1 while purchasing is not stopped.", nil, nil)
	metricRecovery = prometheus.NewDesc("bursar_recovery", "1 while the ledger has to make good what it lost.", nil, nil)
	metricUp       = prometheus.NewDesc("bursar_ledger_up", "1 if the ledger could be read.", nil, nil)
)

// collector reads the metrics when they are asked for.
type collector struct {
	read func(context.Context) (Metrics, error)
	fail func(error)
}

// Describe tells nothing: to know what there is the ledger would have to be read.
func (collector) Describe(chan<- *prometheus.Desc) {}

func (c collector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	m, err := c.read(ctx)
	gauge(metricUp, one(err == nil))
	if err != nil {
		c.fail(err)
		return
	}
	for state, n := range m.Lines {
		gauge(metricLines, float64(n), state)
	}
	gauge(metricDoubt, m.Doubt.Seconds())
	for _, b := range m.Money {
		for kind, amount := range map[string]string{"cap": b.Cap, "held": b.Held, "spent": b.Spent} {
			// A gauge is a float. It is for graphs; the books are exact.
			if v, err := strconv.ParseFloat(amount, 64); err == nil {
				gauge(metricMoney, v, b.Budget, kind, b.Currency)
			}
		}
	}
	for _, n := range m.Calls {
		to <- prometheus.MustNewConstMetric(metricCalls, prometheus.CounterValue, float64(n.N), n.Provider, n.Service, n.Result)
	}
	for task, lag := range m.Lag {
		gauge(metricLag, lag.Seconds(), task)
	}
	gauge(metricRunning, one(m.Running))
	gauge(metricRecovery, one(m.Recovery))
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// Measured answers with the metrics, whoever asks.
func (s *Server) Measured() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collector{s.Options.Metrics, func(err error) { s.Log.Warn("metrics could not be read", "error", err) }},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), s.requests,
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: nil})
}

// metrics answers with the metrics to who may see all of the ledger.
func (s *Server) metrics() http.Handler {
	measured := s.Measured()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := auth.From(r.Context())
		err := p.Check(auth.ReadAny)
		switch {
		case !ok:
			err = api.Errorf(api.SignedOut, "metrics need a token: Authorization: Bearer TOKEN; bursar serve --probes has them without one")
		case err == nil && p.Accounts != nil:
			err = api.Errorf(api.Forbidden, "metrics are about every account, and %s sees some of them", p.Name)
		}
		if err != nil {
			problemOf(r.Context(), err).write(w)
			return
		}
		measured.ServeHTTP(w, r)
	})
}

// newRequests counts what this server has answered.
func newRequests() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "bursar_api_requests_total", Help: "Requests to the API by operation and status."}, []string{"operation", "status"})
}

// count counts an answer of the API. Paths that do not exist count as one.
func (s *Server) count(r *http.Request, status int) {
	_, pattern := s.mux.Handler(r)
	if !strings.Contains(pattern, prefix) {
		pattern = "other"
	}
	s.requests.WithLabelValues(pattern, strconv.Itoa(status)).Inc()
}

// Probes answers health, readiness and metrics without a token, for a listener that only
// the operator reaches.
func (s *Server) Probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.Measured())
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		newProblem(http.StatusNotFound, api.NotFound, "here are /healthz, /readyz and /metrics").write(w)
	})
	return mux
}

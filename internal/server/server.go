// Package server is Bursar over HTTP: the API, what tells that it lives, and the place
// where the pages are.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"bursar/internal/api"
	"bursar/internal/auth"
)

// Options are what a server is made of.
type Options struct {
	// Service does what is asked, and knows by the auth.Principal of the context who asks
	// and what they may.
	Service api.Service
	// Auth finds out who sends a request and hands it on with the auth.Principal in its
	// context, or with none. It refuses what another site made a browser send.
	Auth func(http.Handler) http.Handler
	// Denied records an attempt that was not permitted.
	Denied  func(ctx context.Context, p auth.Principal, act auth.Act, subject, why string) error
	Answers Answers
	// Ready returns why the ledger cannot be used; nil if it can.
	Ready func(context.Context) error
	// Metrics are read when they are asked for.
	Metrics func(context.Context) (Metrics, error)
	Pages   Pages // of every path that is not the server's own; nil for none
	Log     *slog.Logger
	Now     func() time.Time
}

// Pages answer requests, and tell by which patterns.
type Pages interface {
	http.Handler
	Routes() []string
}

// Limits of requests, in bytes.
const (
	maxBody   = 64 << 10
	maxPlan   = 8 << 20 // of a request that carries a file
	maxHeader = 64 << 10
)

// Server answers requests.
type Server struct {
	Options
	mux      *routes
	docs     []byte // the OpenAPI document
	requests *prometheus.CounterVec
}

// New puts a server together.
func New(o Options) (*Server, error) {
	s := &Server{Options: o, mux: &routes{ServeMux: http.NewServeMux()}, requests: newRequests()}
	if err := s.operations(); err != nil {
		return nil, err
	}
	s.mux.HandleFunc("GET /healthz", s.healthz)
	s.mux.HandleFunc("GET /readyz", s.readyz)
	s.mux.Handle("GET /metrics", s.metrics())
	s.mux.HandleFunc("GET /openapi.json", s.openapi)
	s.mux.HandleFunc("/api/", s.nowhere)
	if o.Pages != nil {
		s.mux.Handle("/", o.Pages)
	} else {
		s.mux.HandleFunc("/", s.nowhere)
	}
	return s, nil
}

// routes is a mux that knows its patterns.
type routes struct {
	*http.ServeMux
	patterns []string
}

func (m *routes) Handle(pattern string, h http.Handler) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.Handle(pattern, h)
}

func (m *routes) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(h))
}

// Routes are the patterns of the requests that are answered, those of the pages among
// them, in order.
func (s *Server) Routes() []string {
	list := slices.Clone(s.mux.patterns)
	if s.Pages != nil {
		list = append(list, s.Pages.Routes()...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// HTTP is an http.Server for the handler that waits for nobody for ever. Streams put
// off the end of their writes themselves.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
}

// Handler answers everything.
func (s *Server) Handler() http.Handler {
	return s.logged(secured(s.Auth(http.HandlerFunc(s.serve))))
}

// serve lets nobody at the API who is not known.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	p, ok := auth.From(r.Context())
	told(r.Context()).who = p
	switch {
	case !strings.HasPrefix(r.URL.Path, "/api/"):
		s.mux.ServeHTTP(w, r)
	case !ok || p.Name == "":
		Refuse(w, r, http.StatusUnauthorized, "sign in first, or send a token: Authorization: Bearer TOKEN")
	case r.Method == http.MethodPost:
		s.once(w, r, p)
	default:
		s.mux.ServeHTTP(w, r)
	}
}

// Refuse answers with one sentence as the API does.
func Refuse(w http.ResponseWriter, _ *http.Request, status int, sentence string) {
	kind := api.Invalid
	switch status {
	case http.StatusUnauthorized:
		kind = api.SignedOut
		w.Header().Set("WWW-Authenticate", `Bearer realm="bursar"`)
	case http.StatusForbidden:
		kind = api.Forbidden
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		kind = api.Unavailable
	case http.StatusInternalServerError:
		kind = api.Internal
	}
	newProblem(status, kind, sentence).write(w)
}

// nowhere answers for paths of the API that do not exist, or not for this method.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := s.mux.Handler(probe); strings.HasPrefix(pattern, method+" ") {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		fault := newProblem(http.StatusMethodNotAllowed, api.Invalid, fmt.Sprintf("%s cannot be done here: use %s", r.Method, strings.Join(allowed, " or ")))
		fault.headers = http.Header{"Allow": {strings.Join(allowed, ", ")}}
		fault.write(w)
		return
	}
	newProblem(http.StatusNotFound, api.NotFound, "there is nothing at this address: /openapi.json lists what there is").write(w)
}

// secured sets what browsers are told of every answer.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/"):
			h.Set("Cache-Control", "private, no-cache") // it may be kept, and is asked for again by its ETag
		case !strings.HasPrefix(r.URL.Path, "/assets/"):
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// note is what is logged of a request beside itself.
type note struct{ who auth.Principal }

type noteKey struct{}

func told(ctx context.Context) *note {
	if n, ok := ctx.Value(noteKey{}).(*note); ok {
		return n
	}
	return &note{}
}

// logged writes one line for each request, and answers for a handler that panics.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, n := time.Now(), &note{}
		id := ulid.MustNew(ulid.Timestamp(began), ulid.DefaultEntropy()).String()
		w.Header().Set("X-Request-Id", id)
		out := &counted{ResponseWriter: w}
		defer func() {
			fault := recover()
			if fault != nil && fault != http.ErrAbortHandler { //nolint:errorlint // it is this value
				s.Log.Error("a request panicked", "request", id, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
				if out.status == 0 {
					newProblem(http.StatusInternalServerError, api.Internal, "Bursar failed over this request, which is request "+id+" in its log").write(out)
				}
			}
			if strings.HasPrefix(r.URL.Path, "/api/") {
				s.count(r, cmp.Or(out.status, http.StatusOK))
			}
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			s.Log.Info("request", "request", id, "method", r.Method, "path", r.URL.Path, "status", cmp.Or(out.status, http.StatusOK), "bytes", out.bytes,
				"ms", time.Since(began).Milliseconds(), "who", Masked(n.who.Name), "session", n.who.Session, "from", host)
		}()
		next.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), noteKey{}, n)))
	})
}

// Masked keeps what of a name tells a few people apart, and not who they are.
func Masked(name string) string {
	letters := []rune(name)
	if len(letters) == 0 {
		return ""
	}
	return string(letters[:min(2, (len(letters)+1)/2)]) + "***"
}

// counted remembers what was answered.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap is for http.ResponseController.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *counted) WriteHeader(status int) {
	c.status = cmp.Or(c.status, status)
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(b []byte) (int, error) {
	c.status = cmp.Or(c.status, http.StatusOK)
	n, err := c.ResponseWriter.Write(b)
	c.bytes += int64(n)
	return n, err
}

// Serve answers on a listener until ctx is over, and then lets requests end for a grace.
func (s *Server) Serve(ctx context.Context, l net.Listener, grace time.Duration) error {
	h := s.HTTP()
	streams, stop := context.WithCancel(context.Background())
	defer stop()
	h.BaseContext = func(net.Listener) context.Context { return streams }
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stop() // nobody waits for a stream that has no end
		until, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		err := h.Shutdown(until)
		if errors.Is(err, context.DeadlineExceeded) {
			err = h.Close()
		}
		stopped <- err
	}()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

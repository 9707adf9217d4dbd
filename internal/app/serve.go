package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/purchase"
	"bursar/internal/server"
	"bursar/internal/store"
	"bursar/internal/web"
)

// ServeOptions are those of a server.
type ServeOptions struct {
	Listen string // address, such as 127.0.0.1:8080; port 0 takes a free one
	Probes string // address for health, readiness and metrics without a token; "" for none
	Work   WorkOptions
	// Serving is told the addresses once requests are answered.
	Serving func(Serving)
}

// Serving is a server that answers.
type Serving struct {
	Address string `json:"address"`
	Probes  string `json:"probes,omitempty"`
	// SignIn is the link by which the first person signs in; "" when somebody can.
	SignIn    string `json:"sign_in,omitempty"`
	Simulated bool   `json:"simulated"`
}

// Serve answers requests and works on what is due, until ctx is over. The caller must
// then end the process.
func (a *App) Serve(ctx context.Context, o ServeOptions) error {
	l, err := listen(ctx, o.Listen)
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // the server closes it
	s, who, err := a.Server()
	if err != nil {
		return err
	}
	serving := Serving{Address: "http://" + l.Addr().String(), Simulated: a.Simulated()}
	if serving.SignIn, err = a.firstLink(ctx, who, serving.Address); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	errs := make([]error, 3)
	if o.Probes != "" {
		p, err := listen(ctx, o.Probes)
		if err != nil {
			return err
		}
		defer p.Close() //nolint:errcheck // the server closes it
		serving.Probes = "http://" + p.Addr().String()
		h := s.HTTP()
		h.Handler = s.Probes()
		context.AfterFunc(ctx, func() { _ = h.Close() }) // it only reads
		all.Go(func() {
			defer stop()
			if err := h.Serve(p); !errors.Is(err, http.ErrServerClosed) {
				errs[2] = err
			}
		})
	}
	all.Go(func() {
		defer stop()
		errs[0] = s.Serve(ctx, l, o.Work.Grace)
	})
	o.Serving(serving)
	errs[1] = a.Work(ctx, o.Work)
	stop()
	all.Wait()
	return errors.Join(errs...)
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; name another address with --listen", address, unwrapped(err))
	}
	return l, nil
}

// unwrapped leaves out what repeats the address.
func unwrapped(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// Server is this app over HTTP, and who finds out who asks it.
func (a *App) Server() (*server.Server, *auth.Authenticator, error) {
	who, err := a.Authenticator(func(w http.ResponseWriter, r *http.Request, status int, sentence string) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			server.Refuse(w, r, status, sentence)
		} else {
			web.Refuse(w, r, status, sentence)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	s, err := server.New(server.Options{
		Service: a, Auth: who.Middleware, Denied: a.Denied, Answers: answers{a.db}, Ready: a.Ready, Metrics: a.Metrics,
		Pages: web.New(web.Options{Service: a, SignIn: who, Denied: a.Denied, Log: a.engine.Log}),
		Log:   a.engine.Log, Now: func() time.Time { return time.Now().UTC() },
	})
	return s, who, err
}

// firstLink is the link by which the first person signs in; "" where somebody can.
func (a *App) firstLink(ctx context.Context, who *auth.Authenticator, address string) (string, error) {
	people, err := a.db.People(ctx)
	if err != nil || len(people) > 0 || who.HasOIDC() {
		return "", err
	}
	l, err := a.SignInLink(ctx, "", cmp.Or(a.auth.BaseURL, address), "")
	return l.URL, err
}

// answers keeps the answers of a server in the ledger.
type answers struct{ db *store.DB }

func (s answers) TakeAnswer(ctx context.Context, k server.AnswerKey, now, until time.Time) (string, server.Answer, error) {
	token, found, err := s.db.TakeAnswer(ctx, store.AnswerKey(k), now, until)
	return token, server.Answer(found), err
}

func (s answers) KeepAnswer(ctx context.Context, k server.AnswerKey, token string, a server.Answer, until time.Time) error {
	return s.db.KeepAnswer(ctx, store.AnswerKey(k), token, store.Answer(a), until)
}

func (s answers) DropAnswer(ctx context.Context, k server.AnswerKey, token string) error {
	return s.db.DropAnswer(ctx, store.AnswerKey(k), token)
}

// Ready returns why the ledger cannot be used; nil if it can. An open ledger is of the
// newest schema.
func (a *App) Ready(ctx context.Context) error {
	in, err := a.db.Installation(ctx)
	switch {
	case err != nil:
		return api.Errorf(api.Unavailable, "the ledger cannot be read: %w", err)
	case in.Recovery:
		return api.Errorf(api.Unavailable, "the ledger is in recovery: nothing is bought before what it lost is made good, see bursar recovery status")
	case in.CopiedTo != "":
		return api.Errorf(api.Unavailable, "the ledger was copied, and the copy goes on")
	}
	return nil
}

// Metrics are what a server measures of the ledger, now.
func (a *App) Metrics(ctx context.Context) (server.Metrics, error) {
	m := server.Metrics{Lines: map[string]int{}, Lag: map[string]time.Duration{}}
	sums, err := a.db.SumLines(ctx)
	if err != nil {
		return server.Metrics{}, err
	}
	for _, s := range purchase.States {
		m.Lines[string(s)] = 0
	}
	for _, s := range sums {
		m.Lines[string(s.State)] += s.Lines
	}
	now := a.clouds.now()
	if m.Lines[string(purchase.Armed)] > 0 {
		since, err := a.db.InDoubtSince(ctx)
		if err != nil {
			return server.Metrics{}, err
		}
		m.Doubt = now.Sub(since)
	}
	budgets, err := a.Budgets(ctx)
	if err != nil {
		return server.Metrics{}, err
	}
	for _, b := range budgets {
		for _, p := range b.Current {
			if b.Per == string(purchase.PerPlan) {
				continue // there is one for each plan
			}
			m.Money = append(m.Money, server.Money{Budget: b.Name, Currency: p.Cap.Currency(), Cap: p.Cap.Canonical(), Held: p.Held.Canonical(), Spent: p.Spent.Canonical()})
		}
	}
	tasks, err := a.db.Schedules(ctx)
	if err != nil {
		return server.Metrics{}, err
	}
	for _, t := range tasks {
		if t.Every > 0 {
			m.Lag[t.Task] = max(0, now.Sub(t.NextAt))
		}
	}
	in, err := a.db.Installation(ctx)
	m.Running, m.Recovery = in.Purchasing, in.Recovery
	m.Calls = a.clouds.calls.all()
	return m, err
}

// Masked keeps what of a name tells a few people apart, for logs.
func Masked(name string) string { return server.Masked(name) }

// InitMissing creates the ledger where there is none. Where nobody has asked for that,
// it does so for simulated clouds only: a live account has its ledger somewhere else.
func InitMissing(ctx context.Context, o Options, asked bool) error {
	if cfg, err := o.config(); err != nil {
		return err
	} else if cfg.live() && !asked {
		return nil
	}
	_, err := Init(ctx, o)
	if errors.Is(err, store.ErrLedgerExists) {
		return nil
	}
	return err
}

package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/sim"
)

// simSecret is the secret of every static key of the simulator; the key id is
// the account id.
const simSecret = "test"

// simAccount is what the simulator says of an account.
type simAccount struct {
	Provider string   `json:"provider"` // "" is aws
	Tenant   string   `json:"tenant"`   // of Azure
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Regions  []string `json:"regions"`
	// Of projects of Google Cloud.
	BillingAccount string    `json:"billing_account"`
	Offers         []Offer   `json:"offers"`
	Licenses       []License `json:"licenses"`
}

func (a simAccount) provider() cloud.Provider { return cmp.Or(cloud.Provider(a.Provider), cloud.AWS) }

// simulator is a set of simulated clouds, reached over HTTP like real ones: run
// by this process over a state file, or running elsewhere.
type simulator struct {
	url      string
	where    string // for people
	accounts []simAccount
	own      *sim.Sim // nil when it runs elsewhere
	stop     func()

	offset atomic.Int64 // nanoseconds that a simulator elsewhere was last seen ahead
}

// openSimulator uses the simulator at endpoint, or runs one over the state file.
func openSimulator(ctx context.Context, endpoint, statePath string) (*simulator, error) {
	s := &simulator{url: strings.TrimRight(endpoint, "/"), where: endpoint, stop: func() {}}
	if endpoint == "" {
		var err error
		if s.own, err = sim.New(sim.Options{Path: statePath}); err != nil {
			return nil, fmt.Errorf("the simulated clouds: %w", err)
		}
		if s.url, s.stop, err = sim.Serve(s.own); err != nil {
			return nil, errors.Join(err, s.own.Close())
		}
		s.where = statePath
	} else if err := onlyHTTP(endpoint); err != nil {
		return nil, err
	}
	err := s.get(ctx, "/_sim/accounts", &s.accounts)
	if err == nil && len(s.accounts) == 0 {
		err = errors.New("it has no accounts")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not a running simulator: %w; start one with bursar sim, or unset the endpoint to use the built-in one", s.url, err), s.close())
	}
	return s, nil
}

func onlyHTTP(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("endpoint %q: want an address such as http://127.0.0.1:4566", endpoint)
	}
	return nil
}

func (s *simulator) close() error {
	s.stop()
	if s.own == nil {
		return nil
	}
	return s.own.Close()
}

// Now is the simulated time. A simulator elsewhere is asked every time: somebody
// may move its clock at any moment, and a deadline computed from the old time
// would be over before it began.
func (s *simulator) Now() time.Time {
	if s.own != nil {
		return s.own.Now()
	}
	var clock struct {
		Now time.Time `json:"now"`
	}
	before := time.Now()
	if err := s.get(context.Background(), "/_sim/clock", &clock); err == nil {
		s.offset.Store(int64(clock.Now.Sub(before)))
	}
	return before.Add(time.Duration(s.offset.Load())).UTC()
}

var simClient = &http.Client{Timeout: 10 * time.Second}

func (s *simulator) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := simClient.Do(req)
	var where *url.Error
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno): // the rest repeats the address
		return errno
	case errors.As(err, &where):
		return where.Err
	case err != nil:
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("it answers %s with %s", path, resp.Status)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("it answers %s with something else than a simulator does", path)
	}
	return nil
}

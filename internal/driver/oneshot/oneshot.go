// Package oneshot sends one HTTP request or none. It is the transport of a request
// that spends: however many times a layer above it wants to send, one request
// leaves, on a connection of its own, not a byte of it too late, and afterwards it
// is known whether any byte left and what came back.
package oneshot

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"bursar/internal/driver"
)

const (
	// MaxReply bounds an answer; a real one to a purchase has a few kilobytes.
	MaxReply = 1 << 20
	// dialTime bounds the opening of the connection.
	dialTime = 30 * time.Second
)

// Guard is the transport of one attempt. It lets one request through and it
// knows whether a byte of it may have left.
//
// It watches the connection and not the trace hooks of net/http: a hook fires
// when a header is put into a buffer, and a request that was given up may still
// be written by the goroutine behind it. On the connection the two questions
// that matter have exact answers: the gate is asked in the instant before the
// first byte, and after close no first byte can leave any more.
//
// net/http itself cannot send a second time: it replays only on a reused
// connection, and there is none; the guard also refuses a second connection.
type Guard struct {
	now    func() time.Time
	sendBy time.Time
	next   *http.Transport

	mu      sync.Mutex
	asked   int  // requests that layers above wanted to send
	dialed  int  // connections
	wrote   bool // a byte may have left
	closed  bool
	refused error // why the first byte was held back
	reply   *Reply
}

// Reply is the answer as it came over the wire.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
	Err    error // the body broke off
}

// New makes the transport of one attempt. Of base it takes the proxy, the
// dialer and the TLS configuration, never a connection. Behind a proxy the
// first byte is the one of CONNECT, which errs towards doubt.
func New(base *http.Transport, now func() time.Time, sendBy time.Time) *Guard {
	g := &Guard{now: now, sendBy: sendBy}
	dial := base.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conf := base.TLSClientConfig.Clone()
	if conf == nil {
		conf = &tls.Config{}
	}
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	conf.NextProtos = []string{"http/1.1"}

	g.next = &http.Transport{
		Proxy:              base.Proxy,
		ProxyConnectHeader: base.ProxyConnectHeader,
		TLSClientConfig:    conf,
		DisableKeepAlives:  true,
		DisableCompression: true,
		Protocols:          new(http.Protocols),
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return g.dial(ctx, dial, network, addr, nil)
		},
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return g.dial(ctx, dial, network, addr, conf)
		},
	}
	g.next.Protocols.SetHTTP1(true)
	return g
}

// Client returns the HTTP client of the attempt. It has no timeout, which the
// SDK would take for a reason to retry: the context of the call is the bound.
func (g *Guard) Client() *http.Client {
	return &http.Client{Transport: g, CheckRedirect: NoRedirect}
}

// NoRedirect hands a redirect to the caller instead of following it.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// RoundTrip sends the first request and refuses every other. It reads the whole
// answer, within the deadline of the request's context.
func (g *Guard) RoundTrip(req *http.Request) (*http.Response, error) {
	g.mu.Lock()
	g.asked++
	second := g.asked > 1
	g.mu.Unlock()
	if second || g.late() {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		if second {
			return nil, driver.ErrSecondRequest
		}
		return nil, g.refuse(driver.ErrTooLate)
	}
	req = req.Clone(req.Context())
	req.GetBody = nil // a body that cannot be rewound cannot be replayed
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer g.next.CloseIdleConnections()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply+1))
	_ = resp.Body.Close()
	if err == nil && len(body) > MaxReply {
		err = errors.New("the answer is too long")
	}
	g.mu.Lock()
	g.reply = &Reply{Status: resp.StatusCode, Header: resp.Header, Body: body, Err: err}
	g.mu.Unlock()
	rest := io.Reader(bytes.NewReader(body))
	if err != nil {
		rest = io.MultiReader(rest, broken{err})
	}
	resp.Body = io.NopCloser(rest)
	return resp, nil
}

// late compares both the monotonic readings and the wall clocks: the first see
// a wall clock that was set back, the second a machine that was suspended,
// during which Linux stops the monotonic clock.
func (g *Guard) late() bool {
	now := g.now()
	return now.After(g.sendBy) || now.Round(0).After(g.sendBy.Round(0))
}

func (g *Guard) refuse(why error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused = why
	return why
}

// Record is what a guard saw of its attempt.
type Record struct {
	Asked   int    // requests that layers above wanted to send
	Wrote   bool   // a byte may have left
	Refused error  // why the first byte was held back
	Reply   *Reply // nil without an answer
}

// Close ends the attempt: from now on no first byte can leave, so what it
// returns is final.
func (g *Guard) Close() Record {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return Record{Asked: g.asked, Wrote: g.wrote || g.reply != nil, Refused: g.refused, Reply: g.reply}
}

// dial opens the one connection of the attempt, with TLS if conf is not nil.
func (g *Guard) dial(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error),
	network, addr string, conf *tls.Config) (net.Conn, error) {
	g.mu.Lock()
	g.dialed++
	second, closed := g.dialed > 1, g.closed
	g.mu.Unlock()
	if second {
		return nil, driver.ErrSecondRequest
	}
	if closed {
		return nil, net.ErrClosed
	}
	// net/http detaches a dial from the request, so it needs its own end.
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if conf != nil {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		conf = conf.Clone()
		if conf.ServerName == "" {
			conf.ServerName = host
		}
		secure := tls.Client(conn, conf)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = secure
	}
	return &gate{Conn: conn, guard: g}, nil
}

// gate is the connection of the attempt. Only the request is written to it: TLS,
// where there is any, is below.
type gate struct {
	net.Conn
	guard *Guard
}

// Write lets the first byte pass if it is not too late and the attempt is open.
func (c *gate) Write(p []byte) (int, error) {
	if err := c.guard.admit(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (g *Guard) admit() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.wrote:
		return nil
	case g.closed:
		return net.ErrClosed
	case g.late():
		g.refused = driver.ErrTooLate
		return driver.ErrTooLate
	}
	g.wrote = true
	return nil
}

// broken is the rest of a body that broke off.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

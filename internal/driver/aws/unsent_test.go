package aws

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/aws/aws-sdk-go-v2/aws"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// dialer is the DialContext of a driver.
type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// detour dials directly until a purchase has proven its caller. The connection
// that is opened next is the one that spends, and it goes through dial.
func (w *wire) detour(conf *tls.Config, dial dialer) *http.Transport {
	return &http.Transport{TLSClientConfig: conf, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if w.hasProved() {
			return dial(ctx, network, addr)
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
}

func wantUnsent(t *testing.T, w *wire, ev cloud.Evidence, err error, operation string) {
	t.Helper()
	if got := driver.OutcomeOf(err); got != cloud.Unsent || ev.Outcome != cloud.Unsent {
		t.Errorf("outcome %s, in the evidence %s, error %v: want unsent", got, ev.Outcome, err)
	}
	if ev.Operation != operation {
		t.Errorf("failed at %s, want %s: %v", ev.Operation, operation, err)
	}
	if got := w.spent(); got != 0 {
		t.Errorf("%d spending requests on the wire, want none", got)
	}
}

// TestUnsent: as long as no byte of the request left, nothing was bought.
func TestUnsent(t *testing.T) {
	dialers := map[string]dialer{
		"refused": func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		},
		"no such host": func(_ context.Context, _, addr string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
		},
		"dial stalls": func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"unknown certificate": (&net.Dialer{}).DialContext,
	}
	for name, dial := range dialers {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			w.StartTLS()
			conf := w.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
			if name == "unknown certificate" {
				// The certificate is fine until the purchase; then it is somebody's.
				conf.VerifyConnection = func(tls.ConnectionState) error {
					if w.hasProved() {
						return x509.UnknownAuthorityError{}
					}
					return nil
				}
			}
			d := w.rds(t, func(c *Config) {
				c.Transport = w.detour(conf, dial)
				c.Answer = time.Second
			})
			ev, err := w.purchase(t, d)
			wantUnsent(t, w, ev, err, rdsProduct.opBuy)
		})
	}
}

// TestPurchaseOverTLS: the connection of a purchase is made by hand, so its TLS
// is tested: the certificate is verified and HTTP/2 is not spoken.
func TestPurchaseOverTLS(t *testing.T) {
	w := newWire(t)
	w.EnableHTTP2 = true
	w.StartTLS()
	conf := w.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	ev, err := w.purchase(t, w.rds(t, func(c *Config) { c.Transport = &http.Transport{TLSClientConfig: conf} }))
	if err != nil || ev.Outcome != cloud.Bought || w.spent() != 1 {
		t.Errorf("outcome %s, %v, %d requests", ev.Outcome, err, w.spent())
	}
	for _, c := range w.calls {
		if c.action == rdsProduct.opBuy && c.proto != "HTTP/1.1" {
			t.Errorf("purchase over %s", c.proto)
		}
	}
}

// TestLateAfterDial: the gate is asked in the instant before the first byte, not
// only before a dial that may take long.
func TestLateAfterDial(t *testing.T) {
	w := newWire(t)
	slow := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		w.advance(21 * time.Second)
		return conn, err
	}
	d := w.rds(t, func(c *Config) { c.Transport = w.detour(nil, slow) })
	ev, err := w.purchase(t, d)
	wantUnsent(t, w, ev, err, rdsProduct.opBuy)
	if !errors.Is(err, driver.ErrTooLate) {
		t.Errorf("error %v, want ErrTooLate", err)
	}
}

// TestGateClocks: SendBy is compared in wall time and in monotonic time, and is
// itself in time.
func TestGateClocks(t *testing.T) {
	start := time.Now() // carries a monotonic reading
	wall := start.Round(0)
	for name, row := range map[string]struct {
		now, sendBy time.Time
		late        bool
	}{
		"in time":     {start, start, false},
		"one later":   {start.Add(1), start, true},
		"wall only":   {wall.Add(1), wall, true},
		"wall equal":  {wall, wall, false},
		"suspended":   {suspend(start, time.Hour), start, true},
		"set back":    {suspend(start.Add(time.Hour), -2*time.Hour), start, true},
		"mixed, fine": {wall, start, false},
	} {
		g := newGuard(&http.Transport{}, func() time.Time { return row.now }, row.sendBy)
		if got := g.late(); got != row.late {
			t.Errorf("%s: late %t, want %t", name, got, row.late)
		}
	}
}

// suspend moves the wall clock of a time and leaves its monotonic reading, which
// no function of package time does. The wall clock's seconds are the bits above
// the 30 of its nanoseconds.
func suspend(t time.Time, d time.Duration) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t))
	*wall += uint64(int64(d/time.Second)) << 30
	return t
}

// TestGuardClosed: once the outcome is read, a request that was given up cannot
// leave any more. Without that an unsent request may still be sent.
func TestGuardClosed(t *testing.T) {
	now := time.Now()
	g := newGuard(&http.Transport{}, func() time.Time { return now }, now.Add(time.Hour))
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	_ = ours.SetDeadline(now.Add(time.Second)) // nobody reads
	if rec := g.close(); rec.wrote {
		t.Error("nothing was written")
	}
	if n, err := (&gate{Conn: ours, guard: g}).Write([]byte("POST")); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %d, %v, want net.ErrClosed", n, err)
	}
	if _, err := g.next.DialContext(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial: %v, want net.ErrClosed", err)
	}
}

// TestSecondRequest: a layer above that sends again, as an SDK with retries
// would, gets one request through and doubt for it.
func TestSecondRequest(t *testing.T) {
	for _, first := range []int{200, 400, 500} {
		w := newWire(t)
		w.buy = answer(first, errorBody("Throttling", "x"))
		var dials atomic.Int64
		d := w.rds(t, func(c *Config) {
			c.Transport = w.detour(nil, func(ctx context.Context, network, addr string) (net.Conn, error) {
				dials.Add(1)
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			})
		})
		r := w.request(d)
		if _, err := d.Quote(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		w.arm()
		o := d.order(r)
		once := o.send
		o.send = func(ctx context.Context, client *http.Client, creds aws.Credentials) (receipt, error) {
			_, _ = once(ctx, client, creds)
			return once(ctx, client, creds)
		}
		ev, err := d.spend(t.Context(), r, o)
		if dials.Load() != 1 {
			t.Errorf("first answer %d: %d connections", first, dials.Load())
		}
		if !errors.Is(err, driver.ErrSecondRequest) || driver.OutcomeOf(err) != cloud.InDoubt || ev.Outcome != cloud.InDoubt {
			t.Errorf("first answer %d: outcome %s, error %v: want doubt and ErrSecondRequest", first, ev.Outcome, err)
		}
		if got := w.spent(); got != 1 {
			t.Errorf("first answer %d: %d requests on the wire, want 1", first, got)
		}
	}
}

// TestSecondRoundTrip: the count of requests alone holds, also where the count
// of connections would let a second one through.
func TestSecondRoundTrip(t *testing.T) {
	w := newWire(t)
	w.Start()
	w.arm()
	g := newGuard(&http.Transport{}, time.Now, time.Now().Add(time.Hour))
	g.dialed = -100
	for i := range 3 {
		resp, err := g.client().Post(w.URL, "text/plain", strings.NewReader("x"))
		if i == 0 && err != nil || i > 0 && !errors.Is(err, driver.ErrSecondRequest) {
			t.Errorf("request %d: %v", i+1, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	if w.spent() != 1 {
		t.Errorf("%d requests on the wire, want 1", w.spent())
	}
}

// TestLateBeforeDial: nothing is even connected when it is too late already.
func TestLateBeforeDial(t *testing.T) {
	now := time.Now()
	g := newGuard(&http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a connection was opened")
		return nil, net.ErrClosed
	}}, func() time.Time { return now.Add(1) }, now)
	if _, err := g.client().Get("http://127.0.0.1:1/"); !errors.Is(err, driver.ErrTooLate) {
		t.Errorf("error %v, want ErrTooLate", err)
	}
	if rec := g.close(); rec.wrote || !errors.Is(rec.refused, driver.ErrTooLate) {
		t.Errorf("record %+v", rec)
	}
}

// TestSecondConnection: whatever net/http does, an attempt has one connection.
func TestSecondConnection(t *testing.T) {
	w := newWire(t)
	w.Start()
	g := newGuard(&http.Transport{}, time.Now, time.Now().Add(time.Hour))
	addr := strings.TrimPrefix(w.URL, "http://")
	conn, err := g.next.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := g.next.DialContext(t.Context(), "tcp", addr); !errors.Is(err, driver.ErrSecondRequest) {
		t.Errorf("second connection: %v, want ErrSecondRequest", err)
	}
}

// TestGuardTakesNoProxy: the environment has no say in where money is spent.
func TestGuardTakesNoProxy(t *testing.T) {
	d := newWire(t).rds(t, nil)
	if g := newGuard(d.Transport, d.now, wireStart); g.next.Proxy != nil || d.Transport.Proxy != nil {
		t.Error("a proxy was taken from somewhere")
	}
}

// TestRequestChecks: what may not be sent is refused before any call.
func TestRequestChecks(t *testing.T) {
	for name, change := range map[string]func(*driver.Request){
		"upper case":              func(r *driver.Request) { r.Identity = "Bu-wire-1" },
		"long":                    func(r *driver.Request) { r.Identity = "a" + strings.Repeat("1", 60) },
		"two hyphens":             func(r *driver.Request) { r.Identity = "a--b" },
		"no identity":             func(r *driver.Request) { r.Identity = "" },
		"no offering":             func(r *driver.Request) { r.Offering.ID = "" },
		"another region":          func(r *driver.Request) { r.Offering.Region = "eu-west-2" },
		"another service":         func(r *driver.Request) { r.Offering.Service = "elasticache" },
		"another attempt":         func(r *driver.Request) { r.Attempt = "bu-att-2" },
		"deadline too near":       func(r *driver.Request) { r.Deadline = r.SendBy.Add(signatureLife - time.Second) },
		"sent after the deadline": func(r *driver.Request) { r.SendBy = r.Deadline.Add(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			d := w.rds(t, nil)
			r := w.request(d)
			if _, err := d.Quote(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			before := len(w.seen())
			w.arm()
			change(&r)
			ev, err := d.Purchase(t.Context(), r)
			wantUnsent(t, w, ev, err, rdsProduct.opBuy)
			if after := len(w.seen()); after != before {
				t.Errorf("%d calls were made", after-before)
			}
		})
	}
	for _, id := range []string{"a", "bu-1a2b-01hzy", "a" + strings.Repeat("1", 59)} {
		if err := CheckReservationID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
}

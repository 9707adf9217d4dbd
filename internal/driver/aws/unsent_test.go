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

// TestNoProxy: the environment has no say in where money is spent.
func TestNoProxy(t *testing.T) {
	d := newWire(t).rds(t, nil)
	if d.Transport.Proxy != nil {
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

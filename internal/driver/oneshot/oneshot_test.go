package oneshot

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"bursar/internal/driver"
)

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
		g := New(&http.Transport{}, func() time.Time { return row.now }, row.sendBy)
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
	g := New(&http.Transport{}, func() time.Time { return now }, now.Add(time.Hour))
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	_ = ours.SetDeadline(now.Add(time.Second)) // nobody reads
	if rec := g.Close(); rec.Wrote {
		t.Error("nothing was written")
	}
	if n, err := (&gate{Conn: ours, guard: g}).Write([]byte("POST")); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %d, %v, want net.ErrClosed", n, err)
	}
	if _, err := g.next.DialContext(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial: %v, want net.ErrClosed", err)
	}
}

// TestSecondRoundTrip: the count of requests alone holds, also where the count
// of connections would let a second one through.
func TestSecondRoundTrip(t *testing.T) {
	var spent atomic.Int64
	w := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { spent.Add(1) }))
	defer w.Close()
	g := New(&http.Transport{}, time.Now, time.Now().Add(time.Hour))
	g.dialed = -100
	for i := range 3 {
		resp, err := g.Client().Post(w.URL, "text/plain", strings.NewReader("x"))
		if i == 0 && err != nil || i > 0 && !errors.Is(err, driver.ErrSecondRequest) {
			t.Errorf("request %d: %v", i+1, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	if spent.Load() != 1 {
		t.Errorf("%d requests on the wire, want 1", spent.Load())
	}
}

// TestLateBeforeDial: nothing is even connected when it is too late already.
func TestLateBeforeDial(t *testing.T) {
	now := time.Now()
	g := New(&http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a connection was opened")
		return nil, net.ErrClosed
	}}, func() time.Time { return now.Add(1) }, now)
	if _, err := g.Client().Get("http://127.0.0.1:1/"); !errors.Is(err, driver.ErrTooLate) {
		t.Errorf("error %v, want ErrTooLate", err)
	}
	if rec := g.Close(); rec.Wrote || !errors.Is(rec.Refused, driver.ErrTooLate) {
		t.Errorf("record %+v", rec)
	}
}

// TestSecondConnection: whatever net/http does, an attempt has one connection.
func TestSecondConnection(t *testing.T) {
	w := httptest.NewServer(http.NotFoundHandler())
	defer w.Close()
	g := New(&http.Transport{}, time.Now, time.Now().Add(time.Hour))
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

// TestNoProxyOfItsOwn: the environment has no say in where money is spent.
func TestNoProxyOfItsOwn(t *testing.T) {
	if g := New(&http.Transport{}, time.Now, time.Now()); g.next.Proxy != nil {
		t.Error("a proxy was taken from somewhere")
	}
}

package sim

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// A reply that does not fit a client's first read waits for settleClient. An
// answer within microseconds meets a Go SDK client that is still busy with its
// request: smithy-go v1.28.8 closes the request body when the response arrives,
// its reader then gives net/http an io.EOF where none is due, and net/http cuts
// the connection under the response. No cloud answers that fast.
const (
	settleClient = 2 * time.Millisecond
	firstRead    = 2048
)

// send puts an answer on the wire, or what the fault leaves of it. Everything
// is committed already and no lock is held.
func (s *Sim) send(w http.ResponseWriter, r *http.Request, a answer) {
	switch a.fault.Kind {
	case LoseRequest, LoseReply:
		cut(w)
		return
	case RegionUnreachable:
		if a.fault.Duration == 0 || s.hold(r, a.fault.Duration) {
			cut(w)
		}
		return
	case Slow:
		if !s.hold(r, a.fault.Duration) {
			return
		}
	case Delay:
		if !s.await(r, &a) {
			cut(w)
			return
		}
	case Redirect:
		w.Header().Set("Location", location(r))
	}
	if len(a.body) > firstRead && !s.hold(r, settleClient) {
		return
	}
	h := w.Header()
	h.Set("Date", a.at.Format(http.TimeFormat))
	if a.provider == onAWS {
		h.Set("X-Amzn-Requestid", a.requestID)
	}
	for name, value := range a.header {
		h.Set(name, value)
	}
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	}
	if a.codeHeader {
		h.Set("X-Amzn-Errortype", a.code)
	}
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if a.fault.Kind == TornBody {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // net/http closes the connection without a word
	}
	_, _ = w.Write(a.body) // a client that is gone does not undo what was done
}

// hold waits for wall time to pass, for ever if d is 0, and reports false if
// the client hung up or the simulator closed first.
func (s *Sim) hold(r *http.Request, d time.Duration) bool {
	var enough <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-enough:
		return true
	case <-r.Context().Done():
	case <-s.closed:
	}
	return false
}

// cut ends the connection with a reset and without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2, or a recorder in a test
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func location(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.URL.RequestURI()
}

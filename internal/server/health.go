package server

import (
	"fmt"
	"net/http"
)

// healthz tells that the process lives.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}

// readyz tells whether the ledger can be used.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.Ready(r.Context()); err != nil {
		fault := problemOf(r.Context(), err)
		fault.Status, fault.Title = http.StatusServiceUnavailable, http.StatusText(http.StatusServiceUnavailable)
		fault.write(w)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ready")
}

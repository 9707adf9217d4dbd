package web

import (
	"net/http"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

func (s *site) auditPages() {
	s.get("/audit", auth.Read, s.audit)
	s.post("/audit/check", s.check)
}

// books is the page of the audit.
type books struct {
	findings []api.AuditFinding
	recovery api.Recovery
	checks   []api.Finding
	checked  time.Time // zero: not since this server started
}

func (s *site) audit(w http.ResponseWriter, r *http.Request, v view) error {
	var b books
	var err error
	if b.findings, err = s.Service.Findings(r.Context()); err != nil {
		return err
	}
	if b.recovery, err = s.Service.RecoveryStatus(r.Context(), false); err != nil {
		return err
	}
	b.checks, b.checked = s.checks.last(v.who)
	return s.show(w, r, http.StatusOK, auditPage(v.titled("audit", "Audit"), b))
}

// check tests every invariant of the ledger.
func (s *site) check(w http.ResponseWriter, r *http.Request, v view) error {
	if err := s.checks.ask(r.Context(), v, s.Service.Check); err != nil {
		return err
	}
	return done(w, r, "/audit")
}

// broken counts the invariants that do not hold.
func broken(list []api.Finding) (n int) {
	for _, f := range list {
		if !f.OK {
			n++
		}
	}
	return n
}

package web

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

func (s *site) auditPages() {
	s.get("/audit", auth.Read, s.audit)
	s.get("/audit/export", auth.Administer, s.exportAudit)
	s.post("/audit/check", auth.ReadAny, s.check)
	s.post("/audit/verify", auth.AuditRead, s.verifyAudit)
}

// entries is how many entries of the audit log the page shows.
const entries = 100

// books is the page of the audit.
type books struct {
	findings []api.AuditFinding
	recovery *api.Recovery // nil for whoever does not see every account
	checks   []api.Finding
	checked  time.Time // zero: not since this server started
	// Of the audit log, for whoever may read it.
	readsLog bool
	log      []api.AuditEntry // the newest first
	chain    api.AuditHead
	verified time.Time
}

func (s *site) audit(w http.ResponseWriter, r *http.Request, v view) error {
	var b books
	var err error
	if b.findings, err = s.Service.Findings(r.Context()); err != nil {
		return err
	}
	if v.who.Accounts == nil {
		recovery, err := s.Service.RecoveryStatus(r.Context(), false)
		if err != nil {
			return err
		}
		b.recovery = &recovery
		b.readsLog = v.who.May(auth.Administer)
	}
	b.checks, b.checked = s.checks.last(v.who)
	if b.readsLog {
		b.log, err = s.Service.AuditLog(r.Context(), api.AuditFilter{
			Actor: v.query("actor"), Subject: v.query("subject"), Refused: v.query("refused") != "", Last: entries,
		})
		if err != nil {
			return err
		}
		slices.Reverse(b.log)
		b.chain, b.verified = s.chain.last(v.who)
	}
	return s.show(w, r, http.StatusOK, auditPage(v.titled("audit", "Audit"), b))
}

// check tests every invariant of the ledger.
func (s *site) check(w http.ResponseWriter, r *http.Request, v view) error {
	if err := s.checks.ask(r.Context(), v, s.Service.Check); err != nil {
		return err
	}
	return done(w, r, "/audit")
}

// verifyAudit walks the audit log from its beginning.
func (s *site) verifyAudit(w http.ResponseWriter, r *http.Request, v view) error {
	err := s.chain.ask(r.Context(), v, func(ctx context.Context) (api.AuditHead, error) { return s.Service.VerifyAudit(ctx, nil) })
	if err != nil {
		return err
	}
	return done(w, r, "/audit")
}

// exportAudit sends the audit log with its signed head.
func (s *site) exportAudit(w http.ResponseWriter, r *http.Request, _ view) error {
	var b bytes.Buffer
	if _, err := s.Service.ExportAudit(r.Context(), &b); err != nil {
		return err
	}
	download(w, r, "application/jsonl", "bursar-audit.jsonl", b.Bytes())
	return nil
}

// download sends a file.
func download(w http.ResponseWriter, r *http.Request, kind, name string, content []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Cache-Control", "no-store")
	send(w, r, http.StatusOK, content)
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

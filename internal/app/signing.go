package app

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"bursar/internal/api"
	"bursar/internal/auditlog"
	"bursar/internal/auth"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// createKey makes the file of a new signing key, which may not exist.
func createKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("%s exists: it may be the signing key of an earlier ledger, which its receipts need; move it away, or name another one with signing_key: in bursar.yaml", path)
	case err != nil:
		return nil, fmt.Errorf("signing key: %w", err)
	}
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("signing key: %w", err), os.Remove(path))
	}
	return key, nil
}

func readKey(path string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no signing key %s: bring it back from a backup, or name it with signing_key: in bursar.yaml", path)
	} else if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s is not a signing key", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s is not a signing key: it does not hold an Ed25519 key", path)
	}
	return key, nil
}

// firstKey makes the key of a new ledger the one that it signs with, and begins its
// audit log.
func (a *App) firstKey(ctx context.Context, key ed25519.PrivateKey, install string) error {
	public := auditlog.PublicText(key.Public().(ed25519.PublicKey))
	by, err := a.actor(ctx, auth.LedgerCreate, install, "")
	if err != nil {
		return err
	}
	return a.does(ctx, step{act: auth.LedgerCreate, by: by, subject: install, details: map[string]any{"public_key": public}}, func() error {
		return a.db.AddSigningKey(ctx, public, a.clouds.now())
	})
}

// signer is the key of this ledger.
func (a *App) signer(ctx context.Context) (ed25519.PrivateKey, error) {
	key, err := readKey(a.keyPath)
	if err != nil {
		return nil, err
	}
	known, err := a.db.SigningKeys(ctx)
	if err == nil && !slices.Contains(known, auditlog.PublicText(key.Public().(ed25519.PublicKey))) {
		err = fmt.Errorf("%s is the signing key of another ledger: name the right one with signing_key: in bursar.yaml", a.keyPath)
	}
	return key, err
}

// publicKey reads the public key that a person names; "" is none.
func publicKey(text string) (ed25519.PublicKey, error) {
	if text == "" {
		return nil, nil
	}
	key, err := auditlog.ParsePublic(text)
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	return key, nil
}

// AuditFilter selects entries of the audit log.
type AuditFilter = api.AuditFilter

// AuditLog reads the audit log, oldest first.
func (a *App) AuditLog(ctx context.Context, f AuditFilter) ([]api.AuditEntry, error) {
	if err := a.readsAll(ctx, auth.AuditRead); err != nil {
		return nil, err
	}
	list := []api.AuditEntry{}
	err := a.db.AuditLog(ctx, 0, func(e auditlog.Entry) error {
		if f.Actor != "" && purchase.PersonKey(f.Actor) != purchase.PersonKey(e.Actor) || f.Act != "" && f.Act != e.Act ||
			f.Subject != "" && f.Subject != e.Subject || f.Refused && e.Kind == auditlog.Did {
			return nil
		}
		list = append(list, entryView(e))
		if f.Last > 0 && len(list) > f.Last {
			list = list[1:]
		}
		return nil
	})
	return list, err
}

func entryView(e auditlog.Entry) api.AuditEntry {
	return api.AuditEntry{
		Seq: e.Seq, At: e.At, Actor: e.Actor, Session: e.Session, Act: e.Act, Kind: string(e.Kind), Subject: e.Subject, Details: e.Told(), Hash: e.Hash,
	}
}

// VerifyAudit walks the audit log. An *auditlog.Broken says where it does not hold. With
// an export, which is tested too, the log must go on from where that ends.
func (a *App) VerifyAudit(ctx context.Context, export io.Reader) (api.AuditHead, error) {
	if err := a.readsAll(ctx, auth.AuditRead); err != nil {
		return api.AuditHead{}, err
	}
	in, err := a.db.Installation(ctx)
	if err != nil {
		return api.AuditHead{}, err
	}
	var was auditlog.Head
	if export != nil {
		if was, err = a.ownExport(ctx, export); err != nil {
			return api.AuditHead{}, err
		}
	}
	var chain auditlog.Chain
	err = a.db.AuditLog(ctx, 0, func(e auditlog.Entry) error {
		if err := chain.Next(e); err != nil {
			return err
		}
		if e.Seq == was.Entries && e.Hash != was.Hash {
			return &auditlog.Broken{Seq: e.Seq, Why: "it is another one than in the export: the log was made anew"}
		}
		return nil
	})
	if err == nil && chain.Entries < was.Entries {
		err = &auditlog.Broken{Seq: chain.Entries + 1, Why: fmt.Sprintf("it is missing: the export has %d entries", was.Entries)}
	}
	if err != nil {
		return api.AuditHead{}, fmt.Errorf("audit log: %w", err)
	}
	return api.AuditHead{Install: in.Install, Entries: chain.Entries, Hash: chain.Hash, At: optional(chain.At)}, nil
}

// ownExport tests an export of this ledger.
func (a *App) ownExport(ctx context.Context, export io.Reader) (auditlog.Head, error) {
	h, err := auditlog.VerifyExport(export, nil, nil)
	if err != nil {
		return h, fmt.Errorf("the export: %w", err)
	}
	known, err := a.db.SigningKeys(ctx)
	if err == nil && !slices.Contains(known, h.PublicKey) {
		err = errors.New("the export: it was not signed by a key of this ledger")
	}
	return h, err
}

// ExportAudit writes the audit log with a signed head.
func (a *App) ExportAudit(ctx context.Context, to io.Writer) (api.AuditHead, error) {
	if err := a.readsAll(ctx, auth.AuditRead); err != nil {
		return api.AuditHead{}, err
	}
	key, err := a.signer(ctx)
	if err != nil {
		return api.AuditHead{}, err
	}
	in, err := a.db.Installation(ctx)
	if err != nil {
		return api.AuditHead{}, err
	}
	w := auditlog.NewWriter(to)
	if err := a.db.AuditLog(ctx, 0, w.Write); err != nil {
		return api.AuditHead{}, fmt.Errorf("audit log: %w", err)
	}
	h, err := w.End(key, in.Install, a.clouds.now())
	return headView(h), err
}

func headView(h auditlog.Head) api.AuditHead {
	return api.AuditHead{Install: h.Install, Entries: h.Entries, Hash: h.Hash, At: optional(h.Time()), PublicKey: h.PublicKey}
}

// VerifyAuditExport tests an export without a ledger. key is the installation's public
// one; "" takes the export's word for it.
func VerifyAuditExport(export io.Reader, key string) (api.AuditHead, error) {
	k, err := publicKey(key)
	if err != nil {
		return api.AuditHead{}, err
	}
	h, err := auditlog.VerifyExport(export, k, nil)
	return headView(h), err
}

// auditFinding is the check of the audit log.
func (a *App) auditFinding(ctx context.Context) (api.Finding, error) {
	f := api.Finding{Name: "audit-log", Says: "each entry of the audit log follows the one before it", Problems: []string{}}
	var chain auditlog.Chain
	err := a.db.AuditLog(ctx, 0, chain.Next)
	var broken *auditlog.Broken
	if errors.As(err, &broken) {
		f.Problems, err = append(f.Problems, broken.Error()), nil
	}
	f.Checked, f.OK = int(chain.Entries), len(f.Problems) == 0
	return f, err
}

const receiptFormat = "bursar receipt 1"

// Receipt makes the signed receipt of a purchase. It changes nothing: the same purchase
// has the same receipt.
func (a *App) Receipt(ctx context.Context, id string) ([]byte, error) {
	h, err := a.Line(ctx, id)
	if err != nil {
		return nil, err
	}
	if h.Receipt == nil {
		return nil, fmt.Errorf("line %s is %s: only what is purchased has a receipt", h.ID, h.State)
	}
	key, err := a.signer(ctx)
	if err != nil {
		return nil, err
	}
	parts, err := a.receiptParts(ctx, h)
	if err != nil {
		return nil, err
	}
	return auditlog.Sign(key, receiptFormat, parts)
}

func (a *App) receiptParts(ctx context.Context, h api.LineHistory) (map[string]any, error) {
	in, err := a.db.Installation(ctx)
	if err != nil {
		return nil, err
	}
	p, err := a.db.Plan(ctx, h.Plan)
	if err != nil {
		return nil, err
	}
	made, err := a.db.Decisions(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	decisions := []api.Decision{}
	for _, d := range made {
		decisions = append(decisions, api.Decision{Plan: string(d.Plan), Digest: d.Digest, By: d.By, Approve: d.Approve, At: d.At, Comment: d.Comment})
	}
	row, err := a.db.Row(ctx, purchase.LineID(h.ID))
	if err != nil {
		return nil, err
	}
	var request *api.ReceiptRequest
	for _, t := range row.Attempts {
		if t.N != h.Receipt.Attempt {
			continue
		}
		digest, err := t.Intent.SHA256()
		if err != nil {
			return nil, err
		}
		request = &api.ReceiptRequest{Attempt: t.N, Identity: t.Intent.Identity, ArmedAt: t.ArmedAt, SHA256: digest}
	}
	chain, err := a.positions(ctx, p.ID, h.ID)
	if err != nil {
		return nil, err
	}
	line := h.Line
	line.Receipt, line.LookAt = nil, nil
	return map[string]any{
		"installation": in.Install,
		"plan":         api.ReceiptPlan{ID: string(p.ID), Name: p.Name, Version: p.Version, Requester: p.Requester, CreatedAt: p.CreatedAt, Digest: p.Digest},
		"decisions":    decisions,
		"line":         line,
		"request":      request,
		"answer":       h.Evidence,
		"commitment":   h.Receipt,
		"chain":        chain,
	}, nil
}

// positions are the entries of the audit log that led to a purchase: the approvals, what
// let the plan be bought, and what people decided about the line. What failed did not,
// and what was said after it does not change it.
func (a *App) positions(ctx context.Context, plan purchase.PlanID, line string) ([]api.ReceiptPosition, error) {
	begun, err := a.db.BegunBy(ctx, plan)
	if err != nil {
		return nil, err
	}
	entries, err := a.db.AuditedOn(ctx, string(plan))
	if err != nil {
		return nil, err
	}
	about, err := a.db.AuditedOn(ctx, line)
	if err != nil {
		return nil, err
	}
	entries = append(entries, about...)
	failed := map[int64]bool{}
	for _, e := range entries {
		if seq, ok := e.Told()["entry"].(float64); ok && e.Kind != auditlog.Did {
			failed[int64(seq)] = true
		}
	}
	chain := []api.ReceiptPosition{}
	add := func(e auditlog.Entry) {
		chain = append(chain, api.ReceiptPosition{Seq: e.Seq, Actor: e.Actor, Act: e.Act, Hash: e.Hash})
	}
	var let *auditlog.Entry
	for _, e := range entries {
		switch act := auth.Act(e.Act); {
		case e.Kind != auditlog.Did || failed[e.Seq]:
		case act == auth.PlanApprove, act == auth.LineResolve:
			add(e)
		case act == auth.PlanSchedule && begun != nil && begun.How == store.BySchedule: // the last one, after others were called off
			let = &e
		case act == auth.PlanApply && (begun == nil || begun.How != store.BySchedule) && let == nil:
			let = &e
		}
	}
	if let != nil {
		add(*let)
	}
	slices.SortFunc(chain, func(x, y api.ReceiptPosition) int { return int(x.Seq - y.Seq) })
	return chain, nil
}

// VerifyReceipt tests a receipt without a ledger. key is the installation's public one;
// "" takes the receipt's word for it. With an export of the audit log, the entries that
// the receipt names must be in it.
func VerifyReceipt(text []byte, key string, export io.Reader) (api.Verdict, error) {
	k, err := publicKey(key)
	if err != nil {
		return api.Verdict{}, err
	}
	d, problems := auditlog.Verify(text, receiptFormat, k)
	v := api.Verdict{PublicKey: d.PublicKey, Problems: problems}
	if len(problems) == 0 {
		if problems, v.Line, err = checkReceipt(d, export); err != nil {
			return v, err
		}
		v.Problems = append([]string{}, problems...)
	}
	v.OK = len(v.Problems) == 0
	return v, nil
}

// checkReceipt tests whether the parts of a receipt agree, and with the log.
func checkReceipt(d auditlog.Document, export io.Reader) (problems []string, line string, err error) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	raw, err := json.Marshal(d.Parts)
	if err != nil {
		return nil, "", err
	}
	var p api.ReceiptParts
	if err := json.Unmarshal(raw, &p); err != nil {
		bad("parts: they cannot be read: %v", err)
		return problems, "", nil
	}
	if p.Line.Plan != p.Plan.ID {
		bad("line: it is of plan %s and not of %s", p.Line.Plan, p.Plan.ID)
	}
	for _, d := range p.Decisions {
		if d.Approve && d.Digest != p.Plan.Digest {
			bad("decisions: %s approved %s and not the digest of the plan", d.By, d.Digest)
		}
	}
	if export == nil {
		return problems, p.Line.ID, nil
	}
	own, err := auditlog.ParsePublic(d.PublicKey)
	if err != nil {
		return nil, p.Line.ID, err
	}
	hashes := map[int64]string{}
	if _, err := auditlog.VerifyExport(export, own, func(e auditlog.Entry) { hashes[e.Seq] = e.Hash }); err != nil {
		return nil, p.Line.ID, fmt.Errorf("the export: %w", err)
	}
	for _, c := range p.Chain {
		if hashes[c.Seq] != c.Hash {
			bad("chain: entry %d is not in the audit log as it is here", c.Seq)
		}
	}
	return problems, p.Line.ID, nil
}

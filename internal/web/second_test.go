package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/app"
)

// buy makes a plan of one line in an app, approves it and lets it be bought.
func buy(t *testing.T, a *app.App) api.Plan {
	t.Helper()
	ctx := t.Context()
	created, err := a.CreatePlan(ctx, api.PlanRequest{File: "one.yaml", Content: fmt.Appendf(nil, onePlan, 1, ""), Requester: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	p := created.Plan
	if _, err := a.Decide(ctx, api.Decision{Plan: p.ID, Digest: p.Digest, By: "grace", Approve: true}, app.DefaultApproval); err != nil {
		t.Fatal(err)
	}
	p, err = a.Apply(ctx, p.ID, "grace", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSecondPerson: where something in the lane is unexplained, two people who are both
// signed in decide that a line bought nothing.
func TestSecondPerson(t *testing.T) {
	w := newWorld(t, configuration)
	ctx := context.WithoutCancel(t.Context())
	// Another ledger buys in the account: before this one has listed it, and after.
	o := app.Options{Ledger: filepath.Join(t.TempDir(), "other.db"), Endpoint: w.URL}
	if _, err := app.Init(ctx, o); err != nil {
		t.Fatal(err)
	}
	other, err := app.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	buy(t, other)
	w.advance(time.Hour)
	if _, err := w.app.Inventory(ctx); err != nil {
		t.Fatal(err)
	}
	buy(t, other)
	w.advance(50 * time.Hour)
	if _, err := w.app.RecoveryAdopt(ctx, nil, api.RecoveryRequest{By: "root", Comment: "ours again"}); err != nil {
		t.Fatal(err)
	}
	w.sim("POST", "/_sim/faults", `{"kind":"lose-reply","operation":"PurchaseReservedDBInstancesOffering"}`)
	w.sim("POST", "/_sim/faults", `{"kind":"stale-listing","operation":"DescribeReservedDBInstances","times":-1,"duration":"48h"}`)
	buy(t, w.app)
	var line api.Line
	w.pass(time.Minute, func() (ok bool) { line, ok = w.line("needs_review"); return ok })

	path := "/doubt/" + line.ID
	grace, linus, vera := visitor{w, "grace"}, visitor{w, "linus"}, visitor{w, "vera"}
	if _, body := grace.open(path); !strings.Contains(body, "A second person has to agree.") || !strings.Contains(body, "unexplained") {
		t.Fatalf("the page does not say that two people are needed:\n%s", body)
	}
	decision := url.Values{"choice": {"not_bought"}, "comment": {"the other team's"}}
	if status, _, body := vera.post(path, decision); status != http.StatusForbidden {
		t.Errorf("a viewer decides: %d\n%s", status, body)
	}
	if status, _, body := linus.post(path+"/second", url.Values{"answer": {"yes"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("somebody agrees with nobody: %d\n%s", status, body)
	}
	if status, _, body := grace.post(path, decision); status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", status, body)
	}
	if _, body := linus.open("/doubt"); !strings.Contains(body, "waits for a second person") {
		t.Error("the desk does not say that a second person is waited for")
	}
	if status, _, body := grace.post(path+"/second", url.Values{"answer": {"yes"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("one person is two: %d\n%s", status, body)
	}
	if l, ok := w.line("needs_review"); !ok || l.ID != line.ID {
		t.Fatal("one person has decided")
	}
	if status, _, body := vera.post(path+"/second", url.Values{"answer": {"yes"}}); status != http.StatusForbidden {
		t.Errorf("a viewer agrees: %d\n%s", status, body)
	}
	if status, _, body := linus.post(path+"/second", url.Values{"answer": {"yes"}}); status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", status, body)
	}
	h, err := w.app.Line(ctx, line.ID)
	if err != nil || h.State != "failed" || h.DecidedBy != "grace" {
		t.Errorf("the line is %s, decided by %q, %v", h.State, h.DecidedBy, err)
	}
	log, err := w.app.AuditLog(ctx, api.AuditFilter{Act: "line.resolve", Subject: line.ID})
	if n := len(log); err != nil || n < 4 || log[n-1].Actor != "linus" || log[n-1].Kind != "act" {
		t.Errorf("the audit log has %+v about the decision, %v", log, err)
	}
}

func (w *world) advance(d time.Duration) {
	w.Helper()
	if err := w.Advance(d); err != nil {
		w.Fatal(err)
	}
}

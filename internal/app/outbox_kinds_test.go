package app

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// TestEveryKindIsSent: of whatever people are to be told a message comes to a channel, from
// the ledger and clouds in which it happens.
func TestEveryKindIsSent(t *testing.T) {
	a, s, l, o := listening(t, false, `  before_purchase_hours: [24]
  before_expiry_days: [366]
  before_return_end_hours: 168
  before_month_end_days: 28
`)
	ctx := t.Context()
	advance := func(d time.Duration) {
		t.Helper()
		if err := s.Advance(d); err != nil {
			t.Fatal(err)
		}
	}
	run := func(tasks ...engine.Task) {
		t.Helper()
		for _, name := range tasks {
			if r, err := a.engine.RunTask(ctx, name); err != nil {
				t.Fatalf("%s: %+v, %v", name, r, err)
			}
		}
	}
	told := map[string][]api.Message{} // by kind
	tell := func() {
		t.Helper()
		run(engine.TaskOutbox)
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, m := range l.got {
			told[m.Kind] = append(told[m.Kind], m)
		}
		l.got = nil
	}
	sent := func(kind store.MessageKind, subject func(api.Message) string, want string) {
		t.Helper()
		tell()
		got := told[string(kind)]
		if len(got) != 1 || subject(got[0]) != want || got[0].Title == "" || got[0].Next == "" {
			t.Errorf("%s: %+v, want one about %s", kind, got, want)
		}
		delete(told, string(kind))
	}
	ofPlan := func(m api.Message) string {
		if m.Plan == nil {
			return ""
		}
		return m.Plan.ID
	}
	ofLine := func(m api.Message) string {
		if len(m.Items) != 1 {
			return ""
		}
		return m.Items[0].Line
	}
	plan := func(a *App, lines string) api.Plan {
		t.Helper()
		created, err := a.CreatePlan(ctx, api.PlanRequest{File: "p.yaml", Content: []byte("version: 1\nlines:\n" + lines), Requester: "ana"})
		if err != nil {
			t.Fatal(err)
		}
		return created.Plan
	}
	approve := func(a *App, p api.Plan) {
		t.Helper()
		if _, err := a.Decide(ctx, api.Decision{Plan: p.ID, Digest: p.Digest, By: "bob", Approve: true}, 72*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	apply := func(a *App, p api.Plan) api.Line {
		t.Helper()
		p, err := a.Apply(ctx, p.ID, "", 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p.Lines[0]
	}
	const database = `  - {account: "111122223333", region: us-east-1, service: rds, engine: mysql, class: db.m6g.large, multi_az: false, term: 1y, payment: all-upfront, quantity: 1}
`
	const savings = `  - {account: "111122223333", region: global, service: savingsplans, plan_type: Compute, term: 1y, payment: no-upfront, commitment: "1.00"}
`
	// Early in a month its end is further away than the most days beforehand.
	if now := a.Now(); now.Day() < 5 {
		advance(5 * 24 * time.Hour)
	}
	// Another ledger buys in the account: before this one has listed it, and after.
	theirs := o
	theirs.Ledger, theirs.Config = filepath.Join(t.TempDir(), "other.db"), ""
	if _, err := Init(ctx, theirs); err != nil {
		t.Fatal(err)
	}
	other := reopen(t, theirs)
	for range 2 {
		p := plan(other, database)
		approve(other, p)
		apply(other, p)
		advance(time.Hour)
		if _, err := a.Inventory(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.RecoveryAdopt(ctx, nil, api.RecoveryRequest{By: "root", Comment: "ours again"}); err != nil {
		t.Fatal(err)
	}

	p := plan(a, database)
	sent(store.MessageApproval, ofPlan, p.ID)
	approve(a, p)
	if _, err := a.SchedulePlan(ctx, p.ID, a.Now().Add(2*time.Hour), "bob"); err != nil {
		t.Fatal(err)
	}
	sent(store.MessageWillBuy, ofPlan, p.ID)
	bought := apply(a, p)
	sent(store.MessageBought, ofLine, bought.ID)

	back := plan(a, savings)
	approve(a, back)
	returnable := apply(a, back)
	advance(2 * time.Hour) // what ends is looked through once an hour
	sent(store.MessageReturnWindow, ofLine, returnable.ID)
	if got := told["expiry"]; len(got) != 1 || got[0].Days != 366 || len(got[0].Items) != 2 {
		t.Errorf("expiry: %+v", got)
	}

	// After three hours somebody has looked, and has not seen it paid.
	advance(2 * time.Hour)
	lane := cloud.Lane{Provider: cloud.AWS, Account: "111122223333", Region: "us-east-1", Service: "rds"}
	if _, _, err := a.db.RecordAudit(ctx, store.Audited{Lane: lane, At: a.Now(), Looked: []purchase.LineID{purchase.LineID(bought.ID)}, Settled: func(store.Finding) bool { return true }}); err != nil {
		t.Fatal(err)
	}
	sent(store.MessagePaymentPending, ofLine, bought.ID)

	for _, f := range []sim.Fault{
		{Kind: sim.LoseReply, Service: "rds", Operation: "PurchaseReservedDBInstancesOffering", Times: 1},
		{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1, Duration: 48 * time.Hour},
	} {
		if _, err := s.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	lost := plan(a, database)
	approve(a, lost)
	doubtful := apply(a, lost)
	sent(store.MessageInDoubt, ofLine, doubtful.ID)
	for range 200 {
		if h, err := a.Line(ctx, doubtful.ID); err != nil {
			t.Fatal(err)
		} else if h.State == "needs_review" {
			break
		}
		advance(time.Minute)
		run(engine.TaskResolve)
	}
	sent(store.MessageNeedsDecision, ofLine, doubtful.ID)
	advance(5 * time.Hour)
	run(engine.TaskResolve)
	sent(store.MessageOverdue, ofLine, doubtful.ID)
	if err := s.ClearFaults(); err != nil {
		t.Fatal(err)
	}

	advance(5 * time.Hour)
	if _, err := a.Audit(ctx, true); err != nil {
		t.Fatal(err)
	}
	tell()
	got := told["finding"]
	if len(got) != 1 || !slices.ContainsFunc(got[0].Items, func(i api.MessageItem) bool { return i.Finding == "unexplained" && i.Commitment != "" }) {
		t.Errorf("finding: %+v", got)
	}
}

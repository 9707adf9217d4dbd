package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
)

// t0 has microseconds, which a ledger keeps, and no nanoseconds, which it does not.
var t0 = time.Date(2026, 3, 2, 10, 0, 0, 123_456_000, time.UTC)

var facts = purchase.Facts{Class: cloud.ClassName, Life: 2 * time.Minute, Settle: 5 * time.Minute, Answer: 25 * time.Second}

// ledger is what every engine must do. The suite in suite_test.go asks for
// nothing else, so that another engine can run it.
type ledger interface {
	purchase.Ledger
	SavePlan(ctx context.Context, p *purchase.Plan, base ...LaneListing) error
	Plan(ctx context.Context, id string) (*purchase.Plan, error)
	Plans(ctx context.Context) ([]*purchase.Plan, error)
	Decide(ctx context.Context, d purchase.Decision, expires time.Time) error
	Decisions(ctx context.Context, plan purchase.PlanID) ([]purchase.Decision, error)
	Cancel(ctx context.Context, line purchase.LineID, by, comment string, now time.Time) (bool, error)
	SetPurchasing(ctx context.Context, s Stop) error
	Stopped(ctx context.Context) (*Stop, error)
	DeclareForeign(ctx context.Context, f Foreign) error
	ForeignItems(ctx context.Context, lane cloud.Lane) ([]string, error)
	Versions(ctx context.Context, lineage purchase.PlanID) ([]*purchase.Plan, error)
	LookNow(ctx context.Context, now time.Time) error
	Workable(ctx context.Context, plan purchase.PlanID, now time.Time, after Due, most int) ([]Due, error)
	Waiting(ctx context.Context, plan purchase.PlanID, now time.Time) (bool, error)
	LineID(ctx context.Context, prefix string) (purchase.LineID, error)
	Facts(ctx context.Context, line purchase.LineID) ([]purchase.StoredFact, error)
	Receipts(ctx context.Context) ([]purchase.Receipt, error)
	Snapshot(ctx context.Context) (*purchase.Snapshot, error)
	SetBudget(ctx context.Context, b purchase.Budget) (purchase.Budget, error)
	RetireBudget(ctx context.Context, name, by string, at time.Time) error
	Budgets(ctx context.Context) ([]purchase.Budget, []purchase.BudgetPeriod, error)
	PlanBudgets(ctx context.Context, p *purchase.Plan, at time.Time) ([]PlanBudget, error)
	Installation(ctx context.Context) (Installation, error)
	BeginRecovery(ctx context.Context, r Rollback) (bool, error)
	EndRecovery(ctx context.Context, e RecoveryEvent) error
	RecoveryEvents(ctx context.Context) ([]RecoveryEvent, error)
	InRecovery(ctx context.Context) (int, error)
	StoredMarks(ctx context.Context) (map[MarkName]string, error)
	Recognize(ctx context.Context) (Installation, error)
	RecordAudit(ctx context.Context, a Audited) ([]Fact, []Finding, error)
	SetMarks(ctx context.Context, marks map[MarkName]string, e *RecoveryEvent, now time.Time) error
	Regain(ctx context.Context, r Regained) error
	RegainedItems(ctx context.Context) ([]Regained, error)
	Explained(ctx context.Context, lane cloud.Lane) ([]string, error)
	Books(ctx context.Context, lane cloud.Lane) (*Books, error)
	Import(ctx context.Context, l LaneListing) error
	HasIntent(ctx context.Context, line purchase.LineID, n int, digest string) (bool, error)
}

// engine is an open ledger and a way around it.
type engine struct {
	ledger
	t  *testing.T
	db *DB
	// exec changes rows behind the ledger's back.
	exec func(query string, args ...any) error
}

func create(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Create(t.Context(), path, "k7f2", t0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, db) })
	return db
}

func reopen(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, db) })
	return db
}

func closed(t *testing.T, db *DB) {
	if err := db.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func usd(text string) money.Amount { return money.MustParse(text, "USD") }

// id makes a ULID-shaped id that is easy to read.
func id(prefix string, n int) string {
	return prefix + strings.Repeat("0", 26-len(prefix)-6) + fmt.Sprintf("%06d", n)
}

// newPlan is plan n with so many lines, frozen.
func newPlan(t *testing.T, n, lines int) *purchase.Plan {
	t.Helper()
	p := &purchase.Plan{
		ID: purchase.PlanID(id("01P", n)), Lineage: purchase.PlanID(id("01P", n)), Version: 1, Name: "fleet 'March' \u20ac",
		Requester: "ana", CreatedAt: t0, Tolerance: 50, State: purchase.PlanProposed, Approvals: purchase.Approvals{Needed: 1},
	}
	for i := range lines {
		p.Lines = append(p.Lines, purchase.Line{
			ID: purchase.LineID(id("01K", n*1000+i)), Class: cloud.ClassName, State: purchase.Draft, Generation: 1, UpdatedAt: t0,
			Spec: purchase.Spec{
				Account: "111122223333", Quantity: 3, Note: "a \"note\"",
				Offering: cloud.Offering{
					Provider: cloud.AWS, Service: "rds", Region: "eu-west-1", ID: "649fd0c8",
					Attributes: cloud.Attributes{"engine": "mysql", "class": "db.r6g.large"}, Term: cloud.OneYear,
					Payment: cloud.PartialUpfront, Upfront: usd("777.00"), Hourly: usd("0.0887"),
				},
			},
		})
	}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	return p
}

// save stores plan n.
func (e *engine) save(n, lines int) *purchase.Plan {
	e.t.Helper()
	p := newPlan(e.t, n, lines)
	e.ok(e.SavePlan(e.t.Context(), p))
	return p
}

// approve stores and approves plan n for two hours.
func (e *engine) approve(n, lines int) *purchase.Plan {
	e.t.Helper()
	p := e.save(n, lines)
	e.ok(e.Decide(e.t.Context(), yes(p), t0.Add(2*time.Hour)))
	return p
}

func yes(p *purchase.Plan) purchase.Decision {
	return purchase.Decision{Plan: p.ID, Digest: p.Digest, By: "bob", Approve: true, At: t0, Comment: "ok"}
}

func (e *engine) ok(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *engine) row(line purchase.LineID) purchase.Row {
	e.t.Helper()
	row, err := e.Row(e.t.Context(), line)
	e.ok(err)
	return row
}

// everything is all that the ledger holds; comparing two of them tells whether
// anything was changed.
func (e *engine) everything() *purchase.Snapshot {
	e.t.Helper()
	s, err := e.Snapshot(e.t.Context())
	e.ok(err)
	return s
}

func (e *engine) unchanged(before *purchase.Snapshot) {
	e.t.Helper()
	if diff := cmp.Diff(before, e.everything()); diff != "" {
		e.t.Errorf("the ledger was changed (-before +after):\n%s", diff)
	}
}

// step is what the protocol makes of an event for the row as it is now.
func (e *engine) step(line purchase.LineID, ev purchase.Event, now time.Time) purchase.Change {
	e.t.Helper()
	c, err := purchase.DefaultRules.Step(e.row(line), ev, now)
	e.ok(err)
	return c
}

func (e *engine) apply(c purchase.Change, now time.Time) {
	e.t.Helper()
	e.ok(e.Apply(e.t.Context(), c, now))
}

func checked(o cloud.Offering, now time.Time, nonce string) purchase.Checked {
	return purchase.Checked{
		Facts: facts, Nonce: nonce, Quote: cloud.Quote{Offering: o, At: now, CloudTime: now, Credential: "AKIATEST"},
		Found: absent(now),
	}
}

func absent(now time.Time) []cloud.Evidence {
	return []cloud.Evidence{{Kind: cloud.EvidenceAbsence, Operation: "Describe", Started: now, CloudTime: now.Add(time.Millisecond), Status: 200, RequestID: "r"}}
}

// armed arms the next attempt of a line.
func (e *engine) armed(line purchase.LineID, now time.Time, nonce string) purchase.Attempt {
	e.t.Helper()
	c := e.step(line, checked(e.row(line).Line.Spec.Offering, now, nonce), now)
	if c.Arm == nil {
		e.t.Fatalf("line %s cannot be armed: %s", line, c.Reason)
	}
	e.apply(c, now)
	return *c.Arm
}

func commitment(a purchase.Attempt) cloud.Commitment {
	o := a.Intent.Offering
	return cloud.Commitment{
		Lane: cloud.Lane{Provider: o.Provider, Account: a.Intent.Account, Region: o.Region, Service: o.Service},
		ID:   a.Intent.Identity, ARN: "arn:aws:rds:::ri:" + a.Intent.Identity, OfferingID: o.ID, Attributes: o.Attributes,
		Term: o.Term, Payment: o.Payment, Quantity: a.Intent.Quantity, Upfront: o.Upfront, Hourly: o.Hourly,
		State: cloud.Pending, Start: t0,
	}
}

func answer(a purchase.Attempt, outcome cloud.Outcome) purchase.Answered {
	e := cloud.Evidence{
		Kind: cloud.EvidenceReply, Outcome: outcome, Operation: "Purchase", Started: t0, CloudTime: t0.Add(time.Second),
		RequestID: "req-1", Status: 400, Code: "Code", Detail: "in the cloud's words",
	}
	if outcome == cloud.Bought {
		c := commitment(a)
		e.Commitment, e.Status, e.Code = &c, 200, ""
	}
	return purchase.Answered{N: a.N, Nonce: a.Nonce, Evidence: e}
}

package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// saveWith stores plan n with a rule for its approval.
func (e *engine) saveWith(n, lines int, a purchase.Approvals) *purchase.Plan {
	e.t.Helper()
	p := newPlan(e.t, n, lines)
	p.Approvals = a
	e.ok(e.SavePlan(e.t.Context(), p))
	return p
}

func by(p *purchase.Plan, name string, approve bool) purchase.Decision {
	return purchase.Decision{Plan: p.ID, Digest: p.Digest, By: name, Approve: approve, At: t0}
}

func (e *engine) plan(p *purchase.Plan) *purchase.Plan {
	e.t.Helper()
	got, err := e.Plan(e.t.Context(), string(p.ID))
	e.ok(err)
	return got
}

func testApprovals(t *testing.T, e *engine) {
	p := e.saveWith(1, 2, purchase.Approvals{Needed: 2})
	e.ok(e.Decide(t.Context(), by(p, "bob", true), t0.Add(time.Hour)))
	got := e.plan(p)
	if got.State != purchase.PlanProposed || got.Lines[0].State != purchase.Draft || !got.ApprovalExpires.IsZero() {
		t.Errorf("after one of two: %s, line %s, until %s", got.State, got.Lines[0].State, got.ApprovalExpires)
	}
	before := e.everything()
	for _, name := range []string{"bob", "BOB", "  Bob\t"} {
		if err := e.Decide(t.Context(), by(p, name, true), t0.Add(time.Hour)); !errors.Is(err, ErrDecided) {
			t.Errorf("%q again: %v, want ErrDecided", name, err)
		}
		e.unchanged(before)
	}
	e.ok(e.Decide(t.Context(), by(p, "eve", true), t0.Add(2*time.Hour)))
	got = e.plan(p)
	if got.State != purchase.PlanApproved || got.Lines[1].State != purchase.Ready || !got.ApprovalExpires.Equal(t0.Add(2*time.Hour)) {
		t.Errorf("after two of two: %s, line %s, until %s", got.State, got.Lines[1].State, got.ApprovalExpires)
	}

	// A no is a veto, also the no of somebody who said yes.
	for n, name := range []string{"bob", "eve"} {
		p := e.saveWith(n+2, 1, purchase.Approvals{Needed: 2})
		e.ok(e.Decide(t.Context(), by(p, "bob", true), t0.Add(time.Hour)))
		e.ok(e.Decide(t.Context(), by(p, name, false), time.Time{}))
		if got := e.plan(p); got.State != purchase.PlanRejected || got.Lines[0].State != purchase.Canceled {
			t.Errorf("after the veto of %s: %s, line %s", name, got.State, got.Lines[0].State)
		}
		before := e.everything()
		for _, approve := range []bool{true, false} {
			if err := e.Decide(t.Context(), by(p, "kim", approve), t0.Add(time.Hour)); !errors.Is(err, ErrDigest) {
				t.Errorf("after the veto: %v, want ErrDigest", err)
			}
		}
		e.unchanged(before)
	}
	for _, f := range purchase.Check(e.everything(), t0) {
		for _, problem := range f.Problems {
			t.Errorf("%s: %s", f.Name, problem)
		}
	}
}

// testApprovalsAtOnce lets many people approve at the same moment: each counts,
// and exactly one of them opens the lines.
func testApprovalsAtOnce(t *testing.T, e *engine) {
	const people = 8
	for needed := 1; needed <= people; needed += 3 {
		p := e.saveWith(needed, 3, purchase.Approvals{Needed: needed})
		var wg sync.WaitGroup
		var mu sync.Mutex
		counted := 0
		for i := range people {
			wg.Go(func() {
				err := e.Decide(t.Context(), by(p, fmt.Sprint("person ", i), true), t0.Add(time.Hour))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					counted++
				case !errors.Is(err, ErrDigest): // approved already
					t.Error(err)
				}
			})
		}
		wg.Wait()
		decisions, err := e.Decisions(t.Context(), p.ID)
		e.ok(err)
		if got := e.plan(p); counted != needed || len(decisions) != needed || got.State != purchase.PlanApproved || got.Lines[2].State != purchase.Ready {
			t.Errorf("%d of %d counted, %d decisions, %s", counted, needed, len(decisions), got.State)
		}
	}
}

func testApprovers(t *testing.T, e *engine) {
	n := 0
	for _, c := range []struct {
		rule    purchase.Approvals
		who     string
		approve bool
		want    error
	}{
		{purchase.Approvals{Needed: 1}, "bob", true, nil},
		{purchase.Approvals{Needed: 1}, "ana", true, ErrRequester},
		{purchase.Approvals{Needed: 1}, " ANA ", true, ErrRequester},
		{purchase.Approvals{Needed: 1, Self: true}, "ana", true, nil},
		{purchase.Approvals{Needed: 1}, "ana", false, nil}, // takes it back
		{purchase.Approvals{Needed: 1, Approvers: []string{"Bob", "kim"}}, "bob", true, nil},
		{purchase.Approvals{Needed: 1, Approvers: []string{"Bob", "kim"}}, "eve", true, ErrNotApprover},
		{purchase.Approvals{Needed: 1, Approvers: []string{"Bob", "kim"}}, "eve", false, ErrNotApprover},
		{purchase.Approvals{Needed: 1, Approvers: []string{"Bob", "kim"}}, "Kim", false, nil},
		{purchase.Approvals{Needed: 1, Approvers: []string{"ana", "kim"}}, "ana", true, ErrRequester},
		{purchase.Approvals{Needed: 1, Approvers: []string{"ana", "kim"}, Self: true}, "ana", true, nil},
		{purchase.Approvals{Needed: 1, Approvers: []string{"kim"}, Self: true}, "ana", true, ErrNotApprover},
		{purchase.Approvals{Needed: 1, Approvers: []string{"kim"}}, "ana", false, nil},
	} {
		n++
		p := e.saveWith(n, 1, c.rule)
		if got := e.plan(p).Approvals; !cmp.Equal(got, c.rule) {
			t.Errorf("saved %+v, read %+v", c.rule, got)
		}
		before := e.everything()
		err := e.Decide(t.Context(), by(p, c.who, c.approve), t0.Add(time.Hour))
		if !errors.Is(err, c.want) {
			t.Errorf("%+v, %s %t: %v, want %v", c.rule, c.who, c.approve, err, c.want)
		}
		if c.want != nil {
			e.unchanged(before)
		}
	}
	bad := newPlan(t, 99, 1)
	bad.Approvals.Needed = 0
	if err := e.SavePlan(t.Context(), bad); err == nil {
		t.Error("a plan that nobody has to approve was saved")
	}
}

// version stores version n of the plan p with so many of the same lines.
func (e *engine) version(p *purchase.Plan, n, lines int) *purchase.Plan {
	e.t.Helper()
	v := newPlan(e.t, 10*n, lines)
	v.Lineage, v.Version = p.Lineage, n
	e.ok(e.SavePlan(e.t.Context(), v))
	return v
}

func testSupersede(t *testing.T, e *engine) {
	first := e.approve(1, 3)
	a := e.armed(first.Lines[0].ID, t0, "nonce-1")
	now := t0.Add(time.Second)
	e.apply(e.step(first.Lines[0].ID, answer(a, cloud.Bought), now), now)
	e.ok(e.exec("UPDATE line SET state = 'needs_reapproval' WHERE id = $1", first.Lines[2].ID))
	second, third := e.version(first, 2, 2), e.version(first, 3, 1)

	before := e.everything()
	if err := e.Decide(t.Context(), by(second, "bob", true), t0.Add(time.Hour)); !errors.Is(err, ErrNotNewest) {
		t.Errorf("version 2 of 3: %v, want ErrNotNewest", err)
	}
	e.unchanged(before)
	e.ok(e.Decide(t.Context(), by(third, "bob", true), t0.Add(time.Hour)))

	versions, err := e.Versions(t.Context(), first.ID)
	e.ok(err)
	states := map[int][]string{}
	for _, v := range versions {
		states[v.Version] = []string{string(v.State)}
		for _, l := range v.Lines {
			states[v.Version] = append(states[v.Version], string(l.State))
		}
	}
	want := map[int][]string{
		1: {"superseded", "purchased", "superseded", "superseded"}, 2: {"superseded", "superseded", "superseded"}, 3: {"approved", "ready"},
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	if l := e.row(first.Lines[1].ID).Line; l.Reason != "version 3 of the plan replaced it" || !l.LookAt.IsZero() || !l.MustLeaveBy.IsZero() {
		t.Errorf("superseded: %+v", l)
	}

	// A rejected version stands in nobody's way.
	p := e.save(4, 1)
	rejected := newPlan(t, 5, 1)
	rejected.Lineage, rejected.Version = p.ID, 2
	e.ok(e.SavePlan(t.Context(), rejected))
	e.ok(e.Decide(t.Context(), by(rejected, "bob", false), time.Time{}))
	e.ok(e.Decide(t.Context(), by(p, "bob", true), t0.Add(time.Hour)))
}

func testSupersedeInDoubt(t *testing.T, e *engine) {
	n := 0
	for _, c := range []struct {
		state string
		other string // "" asks for the same goods
		want  bool   // that the new version is approved
	}{
		{"armed", "", false}, {"queued", "", false}, {"needs_review", "", false}, {"recovery", "", false},
		{"armed", "account", true}, {"armed", "offering", true}, {"purchased", "", true},
	} {
		n++
		p := e.approve(n, 2)
		line := p.Lines[0].ID
		a := e.armed(line, t0, fmt.Sprint("nonce ", n))
		now := t0.Add(time.Second)
		switch c.state {
		case "purchased":
			e.apply(e.step(line, answer(a, cloud.Bought), now), now)
		case "recovery":
			e.ok(e.exec("INSERT OR IGNORE INTO transition VALUES ('armed', 'recovery')"))
			fallthrough
		default:
			e.ok(e.exec("UPDATE line SET state = $1 WHERE id = $2", c.state, line))
		}
		v := newPlan(t, 100+n, 1)
		v.Lineage, v.Version = p.ID, 2
		switch c.other {
		case "account":
			v.Lines[0].Spec.Account = "999988887777"
		case "offering":
			v.Lines[0].Spec.Offering.ID = "another"
		}
		e.ok(v.Freeze())
		e.ok(e.SavePlan(t.Context(), v))
		before := e.everything()
		err := e.Decide(t.Context(), by(v, "bob", true), t0.Add(time.Hour))
		var doubt *InDoubtError
		switch {
		case c.want && err != nil:
			t.Errorf("%+v: %v", c, err)
		case !c.want && (!errors.As(err, &doubt) || doubt.Line.ID != line || doubt.Version != 1):
			t.Errorf("%+v: %v, want InDoubtError", c, err)
		case !c.want:
			e.unchanged(before)
		}
	}
}

func testStop(t *testing.T, e *engine) {
	if s, err := e.Stopped(t.Context()); err != nil || s != nil {
		t.Errorf("a new ledger is stopped: %v, %v", s, err)
	}
	if err := e.SetPurchasing(t.Context(), Stop{Purchasing: true, By: "ana", At: t0}); !errors.Is(err, ErrState) {
		t.Errorf("start without a stop: %v, want ErrState", err)
	}
	stop := Stop{By: "ana", At: t0, Comment: "month end"}
	e.ok(e.SetPurchasing(t.Context(), stop))
	if err := e.SetPurchasing(t.Context(), Stop{By: "bob", At: t0.Add(time.Second)}); !errors.Is(err, ErrState) {
		t.Errorf("a second stop: %v, want ErrState", err)
	}
	if s, err := e.Stopped(t.Context()); err != nil || !cmp.Equal(&stop, s) {
		t.Errorf("stopped: %+v, %v, want %+v", s, err, stop)
	}
	line := e.approve(1, 1).Lines[0]
	if row := e.row(line.ID); row.Purchasing || row.Sendable(t0) {
		t.Error("a line may be sent while purchasing is stopped")
	}
	e.ok(e.SetPurchasing(t.Context(), Stop{Purchasing: true, By: "bob", At: t0.Add(time.Minute)}))
	if s, err := e.Stopped(t.Context()); err != nil || s != nil {
		t.Errorf("started: %v, %v", s, err)
	}
	e.armed(line.ID, t0, "nonce-1")
	// A state that no person set is not a person's to end.
	e.ok(e.exec("UPDATE installation SET state = 'recovery'"))
	if err := e.SetPurchasing(t.Context(), Stop{Purchasing: true, By: "bob", At: t0.Add(time.Hour)}); !errors.Is(err, ErrState) {
		t.Errorf("start in recovery: %v, want ErrState", err)
	}
	if s, err := e.Stopped(t.Context()); err != nil || s == nil || s.By != "" {
		t.Errorf("in recovery: %+v, %v", s, err)
	}
	if err := e.SetPurchasing(t.Context(), Stop{By: "", At: t0}); err == nil {
		t.Error("nobody stopped purchasing")
	}
}

func testForeign(t *testing.T, e *engine) {
	p := newPlan(t, 1, 2)
	for i := range p.Lines {
		p.Lines[i].Class = cloud.ClassNone
	}
	e.ok(p.Freeze())
	e.ok(e.SavePlan(t.Context(), p))
	e.ok(e.Decide(t.Context(), yes(p), t0.Add(time.Hour)))
	lane := p.Lines[0].Spec.Lane()
	f := Foreign{Lane: lane, Commitment: "theirs", By: "ana", Comment: "bought in the console", At: t0}
	e.ok(e.DeclareForeign(t.Context(), f))
	if err := e.DeclareForeign(t.Context(), f); !errors.Is(err, ErrDeclared) {
		t.Errorf("declared twice: %v, want ErrDeclared", err)
	}
	a := e.armed(p.Lines[0].ID, t0, "nonce-1")
	now := t0.Add(time.Second)
	e.apply(e.step(p.Lines[0].ID, answer(a, cloud.Bought), now), now)
	if err := e.DeclareForeign(t.Context(), Foreign{Lane: lane, Commitment: a.Intent.Identity, By: "ana", At: t0}); err == nil {
		t.Error("what a receipt names was declared foreign")
	}
	if got := e.row(p.Lines[1].ID).Explained; !cmp.Equal(got, []string{a.Intent.Identity, "theirs"}) {
		t.Errorf("explained: %q", got)
	}
	if got, err := e.ForeignItems(t.Context(), lane); err != nil || !cmp.Equal(got, []string{"theirs"}) {
		t.Errorf("foreign: %q, %v", got, err)
	}
	lane.Region = "us-east-1"
	if got, err := e.ForeignItems(t.Context(), lane); err != nil || len(got) != 0 {
		t.Errorf("foreign in another lane: %q, %v", got, err)
	}
}

func testDecidedLine(t *testing.T, e *engine) {
	p := e.approve(1, 2)
	line := p.Lines[0].ID
	a := e.armed(line, t0, "nonce-1")
	odd := answer(a, cloud.Bought)
	odd.Evidence.Commitment.Quantity++
	now := t0.Add(time.Second)
	e.apply(e.step(line, odd, now), now)
	late := t0.Add(time.Hour)
	c := e.step(line, purchase.Decided{
		Facts: facts, Choice: purchase.NotBought, By: "ana", Comment: "checked with the bill", Found: absent(late),
	}, late)
	lost := c
	lost.Version++
	before := e.everything()
	if err := e.Apply(t.Context(), lost, late); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("another version: %v, want ErrLost", err)
	}
	e.unchanged(before)
	e.apply(c, late)
	row := e.row(line)
	if row.Line.State != purchase.Failed || row.Line.DecidedBy != "ana" {
		t.Errorf("%s, decided by %q", row.Line.State, row.Line.DecidedBy)
	}
	if err := e.Apply(t.Context(), c, late); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("decided twice: %v, want ErrLost", err)
	}
	for _, f := range purchase.Check(e.everything(), t0) {
		for _, problem := range f.Problems {
			t.Errorf("%s: %s", f.Name, problem)
		}
	}
	e.refuses("UPDATE line SET decided_by = 'bob' WHERE id = $1", line)
	e.refuses("UPDATE line SET decided_by = '' WHERE id = $1", line)
	e.refuses("UPDATE line SET decided_by = 'bob' WHERE id = $1", p.Lines[1].ID)
}

func testTagsNameApprovers(t *testing.T, e *engine) {
	p := newPlan(t, 1, 2)
	p.Approvals.Needed = 2
	p.Lines[0].Spec.Purpose, p.Lines[0].Spec.Tags = "orders", purchase.Tags{"team": "shop"}
	p.Lines[1].Spec.Tags = purchase.Tags{"who": "{approvers}"}
	e.ok(p.Freeze())
	e.ok(e.SavePlan(t.Context(), p))
	got := e.plan(p)
	if diff := cmp.Diff(p.Lines, got.Lines, cmpopts.IgnoreFields(purchase.Line{}, "UpdatedAt")); diff != "" {
		t.Errorf("lines (-saved +read):\n%s", diff)
	}
	if digest, err := got.ComputeDigest(); err != nil || digest != p.Digest {
		t.Errorf("digest %s, %v, want %s", digest, err, p.Digest)
	}

	e.ok(e.Decide(t.Context(), by(p, "eve", true), t0.Add(time.Hour)))
	before := e.everything()
	for _, name := range []string{"O!Neil", strings.Repeat("x", 253)} {
		var wrong *purchase.TagError
		if err := e.Decide(t.Context(), by(p, name, true), t0.Add(time.Hour)); !errors.As(err, &wrong) || wrong.Key != "who" {
			t.Errorf("%s: %v, want an error about the tag", name, err)
		}
		e.unchanged(before)
	}
	e.ok(e.Decide(t.Context(), by(p, "bob", true), t0.Add(time.Hour)))
	if got := e.row(p.Lines[1].ID); !slices.Equal(got.Approvers, []string{"eve", "bob"}) || got.Intent(t0).Tags["who"] != "bob+eve" {
		t.Errorf("approvers %v, tags %v", got.Approvers, got.Intent(t0).Tags)
	}
	if got := e.row(p.Lines[0].ID); got.Approvers != nil {
		t.Errorf("no tag names them: %v", got.Approvers)
	}
	a := e.armed(p.Lines[1].ID, t0, "nonce-tags")
	if got := e.row(p.Lines[1].ID).Attempts[0].Intent.Tags; got["who"] != "bob+eve" || a.Intent.Tags["who"] != "bob+eve" {
		t.Errorf("stored request: %v", got)
	}
}

package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// allOrNothing is plan n with lines of class Q, of which every one is bought or none.
func allOrNothing(t *testing.T, n, lines int) *purchase.Plan {
	t.Helper()
	p := newPlan(t, n, lines)
	p.AllOrNothing = true
	for i := range p.Lines {
		p.Lines[i].Class = cloud.ClassQueued
	}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	return p
}

// queue arms a line of class Q and sees its order listed.
func (e *engine) queue(line purchase.LineID, nonce string) {
	e.t.Helper()
	f := facts
	f.Class = cloud.ClassQueued
	ev := checked(e.row(line).Line.Spec.Offering, t0, nonce)
	ev.Facts = f
	c := e.step(line, ev, t0)
	e.apply(c, t0)
	order := commitment(*c.Arm)
	order.ID, order.State, order.Start = "order-"+nonce, cloud.Queued, c.Arm.FireAt
	settled := c.Arm.SettledAt.Add(time.Second)
	found := absent(settled)
	found[0].Kind, found[0].Commitment = cloud.EvidenceListing, &order
	e.apply(e.step(line, purchase.Looked{Facts: f, Found: found}, settled), settled)
	if row := e.row(line); row.Line.State != purchase.QueuedLine || row.PlanFailed {
		e.t.Fatalf("line %s is %s: %s", line, row.Line.State, row.Line.Reason)
	}
}

// callOff cancels a line that is ready.
func (e *engine) callOff(line purchase.LineID, now time.Time) {
	e.t.Helper()
	_, err := e.Cancel(e.t.Context(), line, "ana", "", now)
	e.ok(err)
	e.apply(e.step(line, purchase.Swept{}, now), now)
}

func testAllOrNothing(t *testing.T, e *engine) {
	p := allOrNothing(t, 1, 5)
	e.ok(e.SavePlan(t.Context(), p))
	e.ok(e.Decide(t.Context(), yes(p), t0.Add(2*time.Hour)))
	other := e.approve(2, 2)
	queued, armed, ready, first, second := p.Lines[0].ID, p.Lines[1].ID, p.Lines[2].ID, p.Lines[3].ID, p.Lines[4].ID
	e.queue(queued, "nonce-q")
	f := checked(p.Lines[1].Spec.Offering, t0, "nonce-a")
	f.Facts.Class = cloud.ClassQueued
	e.apply(e.step(armed, f, t0), t0)

	now := t0.Add(30 * time.Minute)
	stale := e.row(queued)
	f.Nonce = "nonce-r"
	arm := e.step(ready, f, t0)
	bystander := e.row(other.Lines[1].ID)
	e.callOff(other.Lines[0].ID, now)
	e.callOff(first, now)

	// The others are due at once: an order that nobody looks at fires.
	for _, line := range []purchase.LineID{queued, armed, ready, second} {
		if row := e.row(line); !row.PlanFailed || !row.Line.LookAt.Equal(now) {
			t.Errorf("%s line: plan failed %v, looked at %s", row.Line.State, row.PlanFailed, row.Line.LookAt)
		}
	}
	if row := e.row(first); row.PlanFailed {
		t.Error("a line is its own neighbor")
	}
	if diff := cmp.Diff(bystander, e.row(other.Lines[1].ID)); diff != "" {
		t.Errorf("a line of a plan that is not all or nothing (-before +after):\n%s", diff)
	}
	// What was decided before is void.
	before := e.everything()
	for _, c := range []purchase.Change{arm, {
		Line: queued, From: purchase.QueuedLine, To: purchase.QueuedLine, Version: stale.Line.Version, Generation: 1,
		LookAt: stale.Line.LookAt, MustLeaveBy: stale.Line.MustLeaveBy,
	}} {
		if err := e.Apply(t.Context(), c, now); !errors.Is(err, purchase.ErrLost) {
			t.Errorf("%s of %s decided before: %v, want ErrLost", c.To, c.Line, err)
		}
	}
	e.unchanged(before)

	// The next line to end makes nobody due again.
	versions := func() (vs []int) {
		for _, line := range []purchase.LineID{queued, armed, ready} {
			vs = append(vs, e.row(line).Line.Version)
		}
		return vs
	}
	vs := versions()
	e.apply(e.step(second, purchase.Swept{}, now), now)
	if row := e.row(second); row.Line.State != purchase.Canceled || row.Line.Reason != "another line of this all-or-nothing plan was not bought" {
		t.Errorf("the last line is %s: %s", row.Line.State, row.Line.Reason)
	}
	if got := versions(); !slices.Equal(got, vs) {
		t.Errorf("versions %v, before %v", got, vs)
	}
	if row := e.row(first); !row.PlanFailed {
		t.Error("two lines ended, and the first knows of none")
	}
}

// testTakenBack: the way in which a line ends says whether its plan has failed.
func testTakenBack(t *testing.T, e *engine) {
	for n, s := range purchase.States {
		if s == purchase.Ready {
			continue // not without a hold
		}
		p := allOrNothing(t, n, 2)
		e.ok(e.SavePlan(t.Context(), p))
		e.ok(e.exec("INSERT OR IGNORE INTO transition VALUES ('draft', $1)", s))
		e.ok(e.exec("UPDATE line SET state = $1, must_leave_by = 1 WHERE id = $2", s, p.Lines[0].ID))
		want := s == purchase.Failed || s == purchase.Canceled || s == purchase.Expired
		if got := e.row(p.Lines[1].ID).PlanFailed; got != want {
			t.Errorf("beside a line that is %s: plan failed %v", s, got)
		}
		plain := newPlan(t, n+100, 2)
		e.ok(e.SavePlan(t.Context(), plain))
		e.ok(e.exec("UPDATE line SET state = $1, must_leave_by = 1 WHERE id = $2", s, plain.Lines[0].ID))
		if e.row(plain.Lines[1].ID).PlanFailed {
			t.Errorf("a plan that is not all or nothing has failed by a line that is %s", s)
		}
	}
	// Only lines of class Q are in such a plan.
	for i, c := range []cloud.Class{cloud.ClassName, cloud.ClassToken, cloud.ClassNone, cloud.ClassHandle} {
		p := allOrNothing(t, 50+i, 2)
		p.Lines[1].Class = c
		before := e.everything()
		if err := e.SavePlan(t.Context(), p); err == nil {
			t.Errorf("a line of class %s is all or nothing", c)
		}
		e.unchanged(before)
	}
}

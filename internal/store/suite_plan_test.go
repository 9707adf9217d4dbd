package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

func testDecisions(t *testing.T, e *engine) {
	expires := t0.Add(time.Hour)
	p := e.save(1, 2)
	before := e.everything()
	wrong := yes(p)
	wrong.Digest = newPlan(t, 1, 1).Digest
	if err := e.Decide(t.Context(), wrong, expires); !errors.Is(err, ErrDigest) {
		t.Errorf("another digest: %v, want ErrDigest", err)
	}
	e.unchanged(before)
	no := wrong
	no.Approve = false
	if err := e.Decide(t.Context(), no, time.Time{}); !errors.Is(err, ErrDigest) {
		t.Errorf("a no on another digest: %v, want ErrDigest", err)
	}
	e.unchanged(before)
	gone := yes(p)
	gone.Plan = "01NONE"
	if err := e.Decide(t.Context(), gone, expires); !errors.Is(err, ErrDigest) {
		t.Errorf("no such plan: %v, want ErrDigest", err)
	}
	// An approval without an end is refused by the database, and nothing is half done.
	if err := e.Decide(t.Context(), yes(p), time.Time{}); err == nil {
		t.Error("an approval without an end was taken")
	}
	e.unchanged(before)

	e.ok(e.Decide(t.Context(), yes(p), expires))
	before = e.everything()
	for _, l := range before.Plans[0].Lines {
		if l.State != purchase.Ready || !l.MustLeaveBy.Equal(t0.Add(purchase.ReadyDwell)) {
			t.Errorf("line %d is %s until %s", l.Number, l.State, l.MustLeaveBy)
		}
	}
	for name, d := range map[string]purchase.Decision{
		"again": yes(p),
		"by another person": func() purchase.Decision {
			d := yes(p)
			d.By = "eve"
			return d
		}(),
		"a no after a yes": func() purchase.Decision {
			d := yes(p)
			d.Approve = false
			return d
		}(),
	} {
		if err := e.Decide(t.Context(), d, expires.Add(time.Hour)); !errors.Is(err, ErrDigest) && !errors.Is(err, ErrDecided) {
			t.Errorf("%s: %v, want ErrDigest or ErrDecided", name, err)
		}
		e.unchanged(before)
	}

	q := e.save(2, 2)
	no = yes(q)
	no.Approve, no.Comment = false, "too dear"
	e.ok(e.Decide(t.Context(), no, time.Time{}))
	got, err := e.Plan(t.Context(), string(q.ID))
	e.ok(err)
	if got.State != purchase.PlanRejected || !got.ApprovalExpires.IsZero() {
		t.Errorf("rejected: %s until %s", got.State, got.ApprovalExpires)
	}
	for _, l := range got.Lines {
		if l.State != purchase.Canceled || l.Reason != "the plan was rejected" {
			t.Errorf("line %d is %s: %s", l.Number, l.State, l.Reason)
		}
	}
	before = e.everything()
	if err := e.Decide(t.Context(), yes(q), expires); !errors.Is(err, ErrDigest) {
		t.Errorf("a yes after a no: %v, want ErrDigest", err)
	}
	e.unchanged(before)
	if _, err := e.Decisions(t.Context(), "01NONE"); err != nil {
		t.Errorf("decisions on no plan: %v", err)
	}
}

func testPrefixes(t *testing.T, e *engine) {
	p := e.save(1, 2)
	q := e.save(2, 1)
	for prefix, want := range map[string]purchase.PlanID{
		string(p.ID): p.ID, strings.ToLower(string(p.ID)): p.ID, "  " + string(q.ID) + "\n": q.ID, string(p.ID)[:26]: p.ID,
	} {
		if got, err := e.Plan(t.Context(), prefix); err != nil || got.ID != want {
			t.Errorf("plan %q: %v", prefix, err)
		}
	}
	for prefix, want := range map[string]error{
		"01P": ErrAmbiguous, "01p": ErrAmbiguous, "0": ErrAmbiguous, string(p.ID)[:25]: ErrAmbiguous,
		"": ErrNotFound, " ": ErrNotFound, "%": ErrNotFound, "_": ErrNotFound, "01P%": ErrNotFound, "__P": ErrNotFound,
		"01P000000000000000000_": ErrNotFound, "1": ErrNotFound, string(p.ID) + "0": ErrNotFound, "01PI": ErrNotFound, "01P'": ErrNotFound,
		"01P\x00": ErrNotFound, string(p.Lines[0].ID): ErrNotFound,
	} {
		if got, err := e.Plan(t.Context(), prefix); !errors.Is(err, want) {
			t.Errorf("plan %q: %v, %v, want %v", prefix, got, err, want)
		}
	}
	first, second := string(p.Lines[0].ID), string(p.Lines[1].ID)
	if got, err := e.LineID(t.Context(), strings.ToLower(first)); err != nil || string(got) != first {
		t.Errorf("line %s: %s, %v", first, got, err)
	}
	if got, err := e.LineID(t.Context(), second[:len(second)-3]); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("an ambiguous line: %s, %v", got, err)
	}
	if got, err := e.LineID(t.Context(), string(q.Lines[0].ID)[:24]); err != nil || got != q.Lines[0].ID {
		t.Errorf("a shortened line: %s, %v", got, err)
	}
	for _, prefix := range []string{"", "%", "_1K", "9"} {
		if got, err := e.LineID(t.Context(), prefix); !errors.Is(err, ErrNotFound) {
			t.Errorf("line %q: %s, %v, want ErrNotFound", prefix, got, err)
		}
	}
}

func testCancel(t *testing.T, e *engine) {
	p := e.approve(1, 2)
	ready, armed := p.Lines[0].ID, p.Lines[1].ID
	e.armed(armed, t0, "nonce-1")
	draft := e.save(2, 1).Lines[0].ID
	queued := e.approve(3, 2)
	e.armed(queued.Lines[0].ID, t0, "nonce-2")
	e.ok(e.exec("UPDATE line SET state = 'queued' WHERE id = $1", queued.Lines[0].ID))
	e.ok(e.exec("UPDATE line SET state = 'needs_reapproval' WHERE id = $1", queued.Lines[1].ID))
	now := t0.Add(time.Second)
	for line, want := range map[purchase.LineID]bool{ready: true, armed: true, draft: false, "01NONE": false, queued.Lines[0].ID: true, queued.Lines[1].ID: true} {
		if changed, err := e.Cancel(t.Context(), line, "ana", "", now); err != nil || changed != want {
			t.Errorf("cancel %s: %v, %v, want %v", line, changed, err, want)
		}
		if changed, err := e.Cancel(t.Context(), line, "ana", "", now); err != nil || changed {
			t.Errorf("cancel %s again: %v, %v", line, changed, err)
		}
	}
	if row := e.row(ready); !row.Line.CancelRequested || row.Line.State != purchase.Ready || !row.Line.LookAt.Equal(now) {
		t.Errorf("ready: %+v", row.Line)
	}
	if row := e.row(armed); !row.Line.CancelRequested || row.Line.State != purchase.Armed || row.InDoubt() != 1 {
		t.Errorf("armed: %+v", row.Line)
	}
	if found, err := e.Facts(t.Context(), ready); err != nil || len(found) != 1 || found[0].Kind != cloud.EvidencePerson || found[0].Detail != "ana asked not to buy it" {
		t.Errorf("what is known of the request: %v, %v", found, err)
	}
	if row := e.row(draft); row.Line.CancelRequested {
		t.Error("a draft was called off; its plan is to be rejected")
	}
	e.apply(e.step(ready, purchase.Swept{}, now), now)
	if row := e.row(ready); row.Line.State != purchase.Canceled {
		t.Errorf("swept: %s", row.Line.State)
	}
}

func testDue(t *testing.T, e *engine) {
	p := e.approve(1, 3)
	e.save(2, 1) // drafts are nobody's work
	e.armed(p.Lines[2].ID, t0.Add(-time.Hour), "nonce-1")
	e.armed(p.Lines[1].ID, t0, "nonce-2")
	e.approve(3, 1)
	due := func(now time.Time, after Due, most int) []Due {
		t.Helper()
		d, err := e.Workable(t.Context(), p.ID, now, after, most)
		e.ok(err)
		return d
	}
	want := []Due{
		{p.Lines[2].ID, p.ID, p.Lines[2].Spec.Lane(), purchase.Armed, t0.Add(-time.Hour + 2*time.Second)},
		{p.Lines[0].ID, p.ID, p.Lines[0].Spec.Lane(), purchase.Ready, t0},
		{p.Lines[1].ID, p.ID, p.Lines[1].Spec.Lane(), purchase.Armed, t0.Add(2 * time.Second)},
	}
	late := t0.Add(time.Minute)
	for what, c := range map[string][2][]Due{
		"all":                {want, due(late, Due{}, 10)},
		"now":                {want[:2], due(t0, Due{}, 10)},
		"the first":          {want[:1], due(late, Due{}, 1)},
		"behind the first":   {want[1:], due(late, want[0], 10)},
		"one behind another": {want[1:2], due(late, want[0], 1)},
		"behind the last":    {{}, due(late, want[2], 10)},
	} {
		if diff := cmp.Diff(c[0], c[1]); diff != "" {
			t.Errorf("due, %s (-want +got):\n%s", what, diff)
		}
	}
	if all, err := e.Workable(t.Context(), "", late, Due{}, 10); err != nil || len(all) != 4 {
		t.Errorf("of all plans %d are due, %v", len(all), err)
	}
	waits := func(plan purchase.PlanID, now time.Time) bool {
		t.Helper()
		waits, err := e.Waiting(t.Context(), plan, now)
		e.ok(err)
		return waits
	}
	if !waits(p.ID, t0) || waits(p.ID, late) || !waits("", t0) || waits("", late) || waits(purchase.PlanID(id("01P", 3)), t0) {
		t.Error("a line waits, or does not, against its time")
	}
	e.ok(e.LookNow(t.Context(), t0))
	want[2].At = t0
	if diff := cmp.Diff(want, due(t0, Due{}, 10)); diff != "" {
		t.Errorf("due now (-want +got):\n%s", diff)
	}
	// What a ledger has forgotten is looked for like what it knows.
	e.ok(e.exec("INSERT OR IGNORE INTO transition VALUES ('ready', 'recovery')"))
	e.ok(e.exec("UPDATE line SET state = 'recovery' WHERE id = $1", p.Lines[0].ID))
	want[1].State = purchase.Recovery
	if diff := cmp.Diff(want, due(t0, Due{}, 10)); diff != "" {
		t.Errorf("due in recovery (-want +got):\n%s", diff)
	}
	// A price that rose waits for people.
	e.ok(e.exec("UPDATE line SET state = 'needs_reapproval', look_at = $1 WHERE id = $2", micros(late), string(id("01K", 3000))))
	if waits(purchase.PlanID(id("01P", 3)), t0) {
		t.Error("a line that waits for people becomes workable by itself")
	}
}

func testMissing(t *testing.T, e *engine) {
	if _, err := e.Row(t.Context(), "01NONE"); !errors.Is(err, ErrNotFound) {
		t.Errorf("row: %v, want ErrNotFound", err)
	}
	if _, err := e.Plan(t.Context(), "01"); !errors.Is(err, ErrNotFound) {
		t.Errorf("plan: %v, want ErrNotFound", err)
	}
	if plans, err := e.Plans(t.Context()); err != nil || len(plans) != 0 {
		t.Errorf("plans: %v, %v", plans, err)
	}
	if armed, err := e.Armed(t.Context(), "01NONE", ""); err != nil || armed {
		t.Errorf("armed: %v, %v", armed, err)
	}
	if found, err := e.Facts(t.Context(), "01NONE"); err != nil || len(found) != 0 {
		t.Errorf("facts: %v, %v", found, err)
	}
}

func testPlanOnce(t *testing.T, e *engine) {
	p := e.save(1, 2)
	before := e.everything()
	if err := e.SavePlan(t.Context(), p); err == nil {
		t.Error("a plan was saved twice")
	}
	e.unchanged(before)
	twin := newPlan(t, 2, 1)
	twin.Lineage = p.Lineage
	if err := e.SavePlan(t.Context(), twin); err == nil {
		t.Error("a version of a plan was saved twice")
	}
	e.unchanged(before)
	stolen := newPlan(t, 3, 2)
	stolen.Lines[1].ID = p.Lines[0].ID // the second line fails; the plan and the first must vanish
	if err := e.SavePlan(t.Context(), stolen); err == nil {
		t.Error("a line was saved twice")
	}
	e.unchanged(before)
}

func testArmedByNonce(t *testing.T, e *engine) {
	p := e.approve(1, 2)
	e.armed(p.Lines[0].ID, t0, "nonce-1")
	for _, c := range []struct {
		line  purchase.LineID
		nonce string
		want  bool
	}{{p.Lines[0].ID, "nonce-1", true}, {p.Lines[1].ID, "nonce-1", false}, {p.Lines[0].ID, "nonce-2", false}, {p.Lines[0].ID, "", false}} {
		if got, err := e.Armed(t.Context(), c.line, c.nonce); err != nil || got != c.want {
			t.Errorf("line %s, nonce %q: %v, %v, want %v", c.line, c.nonce, got, err, c.want)
		}
	}
}

package purchase

import (
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
)

// TestUndoAnswered: only that nothing was sent, or that the cloud will not, ends the
// doubt of a return.
func TestUndoAnswered(t *testing.T) {
	for outcome, want := range map[cloud.Outcome]UndoState{
		cloud.Refused: UndoRefused, cloud.Unsent: UndoApproved, cloud.Throttled: UndoApproved, cloud.Accepted: UndoSent,
		cloud.InDoubt: UndoSent, cloud.Bought: UndoSent, cloud.Exists: UndoSent, "teapot": UndoSent,
	} {
		m := Undo{State: UndoSent, Tries: 1}.Answered(cloud.Evidence{Outcome: outcome, Detail: "x"})
		if m.To != want || m.Detail == "" {
			t.Errorf("%s: %+v, want %s", outcome, m, want)
		}
		if known := outcome == cloud.Accepted || outcome.Negative(); known != (m.Outcome == outcome) && outcome != cloud.InDoubt {
			t.Errorf("%s is recorded as %s", outcome, m.Outcome)
		}
	}
}

// TestUndoLooked: that it is returned counts at once, that it is not only when every
// request is dead and every listing has caught up.
func TestUndoLooked(t *testing.T) {
	u := Undo{State: UndoSent, Tries: 1, Commitment: "Plan-1", SettledAt: t0}
	late := t0.Add(maxSkew + time.Second)
	for name, row := range map[string]struct {
		state cloud.CommitmentState
		id    string
		at    time.Time
		to    UndoState
	}{
		"returned at once":      {cloud.Returned, "plan-1", t0.Add(-time.Hour), UndoReturned},
		"returning":             {cloud.Returning, "plan-1", late, ""},
		"unknown":               {cloud.Unknown, "plan-1", late, ""},
		"active too early":      {cloud.Active, "plan-1", t0.Add(maxSkew), ""},
		"active when settled":   {cloud.Active, "plan-1", late, UndoKept},
		"retired when settled":  {cloud.Retired, "plan-1", late, UndoKept},
		"another is returned":   {cloud.Returned, "plan-2", late, ""},
		"not listed any longer": {"", "", late, ""},
	} {
		m, ok := u.Looked([]cloud.Commitment{{ID: row.id, State: row.state}}, row.at)
		if ok != (row.to != "") || m.To != row.to {
			t.Errorf("%s: %+v, %v", name, m, ok)
		}
	}
	for _, s := range []UndoState{UndoRequested, UndoApproved, UndoReturned, UndoKept} {
		if m, ok := (Undo{State: s, Commitment: "plan-1", SettledAt: t0}).Looked([]cloud.Commitment{{ID: "plan-1", State: cloud.Returned}}, late); ok {
			t.Errorf("%s: %+v", s, m)
		}
	}
}

// TestNewUndo: the digest is of what is given back, and the token of this undo alone.
func TestNewUndo(t *testing.T) {
	l := Line{ID: "LINE", Spec: Spec{Price: cloud.Price{Upfront: usd("1"), Hourly: usd("2"), Total: usd("3")}}}
	r := Receipt{Line: "LINE", Commitment: cloud.Commitment{ID: "plan-1"}}
	first, err := NewUndo("01ABC", "test", l, r, "ada", "", Approvals{Needed: 1}, t0, t0)
	if err != nil {
		t.Fatal(err)
	}
	if first.Token != "bu-test-undo-01abc" || first.Attempt() != "bu-test-undo-01abc-0" || first.State != UndoRequested {
		t.Errorf("%+v", first)
	}
	digests := map[string]bool{first.Digest: true}
	for _, change := range []func(*Line, *Receipt){
		func(l *Line, _ *Receipt) { l.ID = "OTHER" },
		func(l *Line, _ *Receipt) { l.Spec.Price.Total = usd("4") },
		func(_ *Line, r *Receipt) { r.Commitment.ID = "plan-2" },
		func(_ *Line, r *Receipt) { r.Commitment.Account = "1" },
	} {
		l, r := l, r
		change(&l, &r)
		u, err := NewUndo("01ABC", "test", l, r, "ada", "", Approvals{Needed: 1}, t0, t0)
		if err != nil || digests[u.Digest] || !strings.HasPrefix(u.Digest, "sha256:") {
			t.Errorf("digest %s of %+v, %v", u.Digest, r, err)
		}
		digests[u.Digest] = true
	}
}

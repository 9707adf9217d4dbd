package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

func (e *engine) installation() Installation {
	e.t.Helper()
	in, err := e.Installation(e.t.Context())
	e.ok(err)
	return in
}

// rollback is what a mark says of the present incarnation.
func (e *engine) rollback(now time.Time) Rollback {
	return Rollback{
		RecoveryEvent: RecoveryEvent{By: ByMark, At: now, Detail: "the journal has more", Incarnation: e.installation().Incarnation},
		Marks:         map[MarkName]string{MarkHolder: "holder-2", JournalMark("j"): "7"},
	}
}

func (e *engine) recover(r Rollback) {
	e.t.Helper()
	begun, err := e.BeginRecovery(e.t.Context(), r)
	if e.ok(err); !begun {
		e.t.Fatal("another process was first")
	}
}

// testRecovery: T14 takes every open line in one step, and voids what was approved.
func testRecovery(t *testing.T, e *engine) {
	p := e.approve(1, 3)
	bought, open := p.Lines[0].ID, p.Lines[1].ID
	a := e.armed(bought, t0, "nonce-1")
	e.apply(e.step(bought, answer(a, cloud.Bought), t0), t0)
	e.armed(open, t0.Add(time.Minute), "nonce-2")
	draft := e.save(2, 1).Lines[0].ID

	now := t0.Add(time.Hour)
	for _, set := range []string{"incarnation = 2", "restored_at = 1", "backup_at = 1", "incarnation = 0, state = 'recovery'"} {
		e.refuses("UPDATE installation SET " + set)
	}
	e.recover(e.rollback(now))
	want := Installation{
		Install: "k7f2", CreatedAt: t0, Incarnation: 2, Recovery: true, Restored: now,
		Backup: t0.Add(time.Minute), // the newest write
	}
	if diff := cmp.Diff(want, e.installation()); diff != "" {
		t.Errorf("installation (-want +got):\n%s", diff)
	}
	for _, line := range []purchase.LineID{open, p.Lines[2].ID, draft} {
		row := e.row(line)
		if l := row.Line; l.State != purchase.Recovery || !l.LookAt.Equal(now) || !l.MustLeaveBy.Equal(now.Add(purchase.RecoveryDwell)) {
			t.Errorf("line %s is %s, looked at %s, to leave by %s", l.ID, l.State, l.LookAt, l.MustLeaveBy)
		}
		if row.Purchasing || !row.Restored.Equal(now) || !row.Backup.Equal(want.Backup) {
			t.Errorf("line %s: %+v", line, row)
		}
	}
	if s := e.row(bought).Line.State; s != purchase.Purchased {
		t.Errorf("what was bought is %s", s)
	}
	if e.row(open).ApprovalExpires.After(now) {
		t.Error("an approval outlived it")
	}
	if n, err := e.InRecovery(t.Context()); n != 3 || err != nil {
		t.Errorf("%d lines in recovery, %v", n, err)
	}
	if stop, err := e.Stopped(t.Context()); err != nil || stop == nil || stop.By != "" {
		t.Errorf("stopped: %+v, %v", stop, err)
	}
	events, err := e.RecoveryEvents(t.Context())
	e.ok(err)
	if diff := cmp.Diff([]RecoveryEvent{{Kind: "started", Incarnation: 2, By: ByMark, At: now, Detail: "the journal has more"}}, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if marks, err := e.StoredMarks(t.Context()); err != nil || marks[MarkHolder] != "holder-2" || marks[JournalMark("j")] != "7" || !HasJournal(marks) {
		t.Errorf("marks %v, %v", marks, err)
	}

	// Whoever saw the same rollback and came second changes nothing.
	before := e.everything()
	late := e.rollback(now)
	late.Incarnation = 1
	if begun, err := e.BeginRecovery(t.Context(), late); begun || err != nil {
		t.Errorf("begun again: %t, %v", begun, err)
	}
	e.unchanged(before)

	// What an earlier rollback lost is still lost in the next one.
	again := e.rollback(now.Add(time.Hour))
	e.recover(again)
	if in := e.installation(); in.Incarnation != 3 || !in.Restored.Equal(again.At) || !in.Backup.Equal(want.Backup) {
		t.Errorf("the second time: %+v", in)
	}
	by := e.rollback(now.Add(2 * time.Hour))
	by.Backup = t0.Add(-24 * time.Hour)
	e.recover(by)
	if in := e.installation(); !in.Backup.Equal(by.Backup) {
		t.Errorf("what a person knows of the backup is not taken: %+v", in)
	}
}

// testIncarnation: what was decided on the ledger as it was changes nothing in the
// ledger as it is.
func testIncarnation(t *testing.T, e *engine) {
	line := e.approve(1, 1).Lines[0].ID
	quoted := e.step(line, checked(e.row(line).Line.Spec.Offering, t0, "nonce-1"), t0)
	for _, c := range []purchase.Change{quoted, {Line: line, From: quoted.From, To: quoted.From, Version: quoted.Version, Generation: quoted.Generation, LookAt: t0, MustLeaveBy: t0.Add(time.Hour)}} {
		// The ledger is put back behind the process's back, and another one noticed.
		e.ok(e.exec("UPDATE installation SET state = 'recovery', incarnation = incarnation + 1, restored_at = restored_at + 1"))
		e.ok(e.exec("UPDATE installation SET state = 'purchasing'"))
		before := e.everything()
		if err := e.Apply(t.Context(), c, t0); !errors.Is(err, purchase.ErrWentBack) {
			t.Errorf("a change of an old incarnation: %v", err)
		}
		e.unchanged(before)
	}
	_, err := e.Recognize(t.Context())
	e.ok(err)
	e.ok(e.Apply(t.Context(), quoted, t0))
}

func testRecoveryEnds(t *testing.T, e *engine) {
	line := e.approve(1, 1).Lines[0].ID
	now := t0.Add(time.Hour)
	end := RecoveryEvent{By: "grace", At: now.Add(time.Hour), Comment: "looked at everything"}
	if err := e.EndRecovery(t.Context(), end); !errors.Is(err, ErrState) {
		t.Errorf("without one: %v", err)
	}
	e.recover(e.rollback(now))
	if err := e.EndRecovery(t.Context(), end); !errors.Is(err, ErrUnexplained) {
		t.Errorf("with a line in recovery: %v", err)
	}
	e.refuses("UPDATE installation SET state = 'purchasing'")
	at := now.Add(time.Hour)
	e.apply(e.step(line, purchase.Looked{Facts: facts, Found: []cloud.Evidence{
		{Kind: cloud.EvidenceAbsence, Operation: "Describe", Started: at, CloudTime: at, Status: 200},
	}}, at), at)
	if s := e.row(line).Line.State; s != purchase.Canceled {
		t.Fatalf("the line is %s", s)
	}
	e.ok(e.Import(t.Context(), listed(at)))
	_, _, err := e.RecordAudit(t.Context(), Audited{Lane: laneA, At: at, Findings: []Finding{{Kind: FindingUnexplained, Detail: "unknown", Commitment: thing("ri-1")}}})
	e.ok(err)
	if err := e.EndRecovery(t.Context(), end); !errors.Is(err, ErrUnexplained) {
		t.Errorf("with something unexplained: %v", err)
	}
	e.refuses("UPDATE installation SET state = 'purchasing'")
	_, _, err = e.RecordAudit(t.Context(), Audited{Lane: laneA, At: at, Settled: func(Finding) bool { return true }})
	e.ok(err)
	e.ok(e.EndRecovery(t.Context(), end))
	if in := e.installation(); in.Recovery || !in.Purchasing || in.Incarnation != 2 {
		t.Errorf("finished: %+v", in)
	}
	events, err := e.RecoveryEvents(t.Context())
	if e.ok(err); len(events) != 2 || events[1].Kind != "finished" || events[1].By != "grace" || events[1].Comment != end.Comment || events[1].Incarnation != 2 {
		t.Errorf("events %+v", events)
	}
	// A stop by a person outlives it.
	e.ok(e.SetPurchasing(t.Context(), Stop{By: "ada", At: at}))
	e.recover(e.rollback(at.Add(time.Hour)))
	if err := e.SetPurchasing(t.Context(), Stop{Purchasing: true, By: "ada", At: at}); !errors.Is(err, ErrState) {
		t.Errorf("started in recovery: %v", err)
	}
	e.ok(e.EndRecovery(t.Context(), end))
	if in := e.installation(); in.Recovery || in.Purchasing {
		t.Errorf("after a stop: %+v", in)
	}
}

func testRegained(t *testing.T, e *engine) {
	c := thing("bu-k7f2-01LOST-1")
	r := Regained{Commitment: c, Entry: `{"seq":1}`, By: ByMark, At: t0}
	e.ok(e.Regain(t.Context(), r))
	if err := e.Regain(t.Context(), r); !errors.Is(err, ErrDeclared) {
		t.Errorf("twice: %v", err)
	}
	list, err := e.RegainedItems(t.Context())
	if e.ok(err); len(list) != 1 || list[0].Entry != r.Entry || list[0].Commitment.ID != c.ID || list[0].By != ByMark {
		t.Errorf("regained %+v", list)
	}
	known, err := e.Explained(t.Context(), laneA)
	if diff := cmp.Diff([]string{c.ID}, known); diff != "" || err != nil {
		t.Errorf("%v, explained (-want +got):\n%s", err, diff)
	}
	b, err := e.Books(t.Context(), laneA)
	if e.ok(err); !b.Explained(c) || b.Explained(thing("other")) {
		t.Errorf("books %+v", b)
	}
	line := e.approve(1, 1).Lines[0].ID
	a := e.armed(line, t0, "nonce-1")
	e.apply(e.step(line, answer(a, cloud.Bought), t0), t0)
	r.Commitment = commitment(a)
	if err := e.Regain(t.Context(), r); err == nil {
		t.Error("what a receipt names was regained")
	}
	// What may be of the lost time was not there before us.
	e.recover(e.rollback(t0.Add(time.Hour)))
	late, early := thing("late"), thing("early")
	late.Start, early.Start = t0.Add(-time.Minute), t0.Add(-2*time.Hour)
	e.ok(e.Import(t.Context(), listed(t0.Add(time.Hour), late, early)))
	b, err = e.Books(t.Context(), laneA)
	e.ok(err)
	if diff := cmp.Diff(map[string]bool{"early": true}, b.Imported); diff != "" {
		t.Errorf("imported (-want +got):\n%s", diff)
	}
}

func testMarks(t *testing.T, e *engine) {
	first, err := e.StoredMarks(t.Context())
	if e.ok(err); len(first) != 1 || len(first[MarkHolder]) != 26 || HasJournal(first) {
		t.Errorf("a new ledger has the marks %v", first)
	}
	e.ok(e.SetMarks(t.Context(), map[MarkName]string{MarkFile: "17"}, nil, t0))
	e.ok(e.SetMarks(t.Context(), map[MarkName]string{MarkFile: "18", MarkHost: "h"}, &RecoveryEvent{Kind: "moved", By: "ada", At: t0, Comment: "new disk"}, t0))
	got, err := e.StoredMarks(t.Context())
	want := map[MarkName]string{MarkHolder: first[MarkHolder], MarkFile: "18", MarkHost: "h"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, marks (-want +got):\n%s", err, diff)
	}
	events, err := e.RecoveryEvents(t.Context())
	if e.ok(err); len(events) != 1 || events[0].Incarnation != 1 || events[0].By != "ada" {
		t.Errorf("events %+v", events)
	}
	line := e.approve(1, 1).Lines[0].ID
	a := e.armed(line, t0, "nonce-1")
	sum, err := a.Intent.SHA256()
	e.ok(err)
	for _, tc := range []struct {
		n      int
		digest string
		want   bool
	}{{1, sum, true}, {2, sum, false}, {1, "other", false}} {
		if got, err := e.HasIntent(t.Context(), line, tc.n, tc.digest); got != tc.want || err != nil {
			t.Errorf("attempt %d with %s: %t, %v", tc.n, tc.digest, got, err)
		}
	}
}

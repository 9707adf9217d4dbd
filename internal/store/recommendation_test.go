package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// TestRecommendations: what a line carries out is stored with its plan, claimed once the
// plan is begun, ended with its line, and marked by one process at a time.
func TestRecommendations(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		db := e.ledger.(*DB)
		p := newPlan(t, 1, 3)
		var with []Recommendation
		for _, l := range p.Lines {
			with = append(with, Recommendation{Line: l.ID, Name: "projects/1/" + string(l.ID), Etag: "e1"})
		}
		e.ok(db.SaveAdvisedPlan(t.Context(), p, Beside{Recommendations: with}))
		now := t0.Add(time.Minute)
		due := func() (list []purchase.LineID) {
			t.Helper()
			found, err := db.DueRecommendations(t.Context(), now, 100)
			e.ok(err)
			for _, r := range found {
				if r.Lineage != p.ID || r.Etag != "e1" {
					t.Errorf("%+v", r)
				}
				list = append(list, r.Line)
			}
			return list
		}
		is := func(after string, want ...int) {
			t.Helper()
			var lines []purchase.LineID
			for _, n := range want {
				lines = append(lines, p.Lines[n].ID)
			}
			if got := due(); !slices.Equal(got, lines) {
				t.Errorf("%s: due are %v, want %v", after, got, lines)
			}
		}
		is("proposed")
		e.ok(e.Decide(t.Context(), yes(p), t0.Add(2*time.Hour)))
		is("approved")
		_, err := db.Begin(t.Context(), Begun{Plan: p.ID, By: "bob", At: t0, How: ByApply})
		e.ok(err)
		is("begun", 0, 1, 2)
		_, err = db.Cancel(t.Context(), p.Lines[2].ID, "bob", "", t0)
		e.ok(err)
		e.apply(e.step(p.Lines[2].ID, purchase.Swept{}, t0), t0)
		is("one is called off before it was claimed", 0, 1)

		r, err := db.LineRecommendation(t.Context(), p.Lines[0].ID)
		e.ok(err)
		other := *r
		if mine, err := db.TakeRecommendation(t.Context(), r, now, now.Add(time.Minute)); err != nil || !mine {
			t.Fatalf("taken %v, %v", mine, err)
		}
		if mine, err := db.TakeRecommendation(t.Context(), &other, now, now.Add(time.Minute)); err != nil || mine {
			t.Errorf("taken twice %v, %v", mine, err)
		}
		if err := db.MarkRecommendation(t.Context(), &other, "CLAIMED", now); !errors.Is(err, purchase.ErrLost) {
			t.Errorf("marked by who has not taken it: %v", err)
		}
		is("taken", 1)
		ended := *r
		ended.Mark = "CLAIMED"
		if err := db.MarkRecommendation(t.Context(), &ended, "SUCCEEDED", now); err == nil {
			t.Error("ended without a claim")
		}
		e.ok(db.MarkRecommendation(t.Context(), r, "CLAIMED", now))
		is("claimed, and the line is open", 1)
		a := e.armed(p.Lines[0].ID, t0, "nonce-1")
		e.apply(e.step(p.Lines[0].ID, answer(a, cloud.Bought), t0), t0)
		is("bought", 1, 0)
		if mine, err := db.TakeRecommendation(t.Context(), r, now, now.Add(time.Minute)); err != nil || !mine {
			t.Fatalf("taken %v, %v", mine, err)
		}
		e.ok(db.PutOffRecommendation(t.Context(), *r, now.Add(time.Hour), "busy"))
		is("put off", 1)
		now = now.Add(time.Hour)
		if mine, err := db.TakeRecommendation(t.Context(), r, now, now.Add(time.Minute)); err != nil || !mine {
			t.Fatalf("taken %v, %v", mine, err)
		}
		e.ok(db.MarkRecommendation(t.Context(), r, "SUCCEEDED", now))
		is("done", 1)
		by, err := db.PlanRecommendations(t.Context(), p.ID)
		e.ok(err)
		if got := by[r.Line]; len(by) != 3 || !got.Done() || !got.NextAt.IsZero() || !got.MarkedAt.Equal(now) || got.Detail != "" {
			t.Errorf("%+v", by)
		}
		for _, query := range []string{
			"DELETE FROM recommendation", "UPDATE recommendation SET etag = 'x'", "UPDATE recommendation SET name = 'x'",
			"UPDATE recommendation SET mark = 'FAILED'", "UPDATE recommendation SET next_at = 1 WHERE next_at = 0", "UPDATE recommendation SET tries = -1",
			"UPDATE recommendation SET mark = 'CLAIMED', marked_at = 1 WHERE tries = 0",
		} {
			if err := e.exec(query); !e.refusal(err) {
				t.Errorf("the database took: %s", query)
			}
		}
		if err := e.exec("INSERT INTO recommendation (line_id, name, etag, next_at) VALUES ($1, 'x', 'y', 1)", string(p.Lines[1].ID)); err == nil {
			t.Error("stored later than its plan")
		}
	})
}

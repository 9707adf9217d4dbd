package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAdvice: what of a plan's input is advice only is saved with the plan or not at
// all, in its order, and never changes.
func TestAdvice(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, db, _ := lanes(t, on)
		p := newPlan(t, 3, 1)
		want := []Advice{{"p.yaml:7", "0.75 per hour", "there is no offer"}, {"p.yaml:3", "1.5 per hour", "there is no offer"}}
		e.ok(db.SaveAdvisedPlan(t.Context(), p, Beside{Advice: want}))
		same := func(after string) {
			t.Helper()
			got, err := db.Advice(t.Context(), p.ID)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", after, err, diff)
			}
		}
		same("saved")
		for _, query := range []string{
			"DELETE FROM plan_advice", "UPDATE plan_advice SET why = 'x'", "INSERT OR REPLACE INTO plan_advice SELECT * FROM plan_advice",
		} {
			if err := e.exec(query); !e.refusal(err) {
				t.Errorf("the database took: %s", query)
			}
			same(query)
		}
		e.ok(e.Decide(t.Context(), yes(p), t0.Add(2*time.Hour)))
		if err := e.exec("INSERT INTO plan_advice VALUES ($1, 3, '', 'more', 'later')", string(p.ID)); err == nil {
			t.Error("advice was added to a plan that is approved")
		}
		same("approved")
		bad := newPlan(t, 4, 1)
		if err := db.SaveAdvisedPlan(t.Context(), bad, Beside{Advice: []Advice{{"p.yaml:3", "1.5 per hour", ""}}}); err == nil {
			t.Error("advice without a reason was saved")
		}
		if _, err := db.Plan(t.Context(), string(bad.ID)); err == nil {
			t.Error("the plan was saved without its advice")
		}
	})
}

package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/purchase"
)

var under = PlanPolicy{Policy: "databases", File: "p.yaml", SHA256: strings.Repeat("a", 64), Tranche: 2}

func why(n int) []Explanation {
	return []Explanation{
		{Line: 1, Key: "adv-000000000001", About: fmt.Sprintf("rds %d", n), Where: "ce.json:3", What: "3 x x", Steps: []Step{{"coverage", "p.yaml:4", "80% of 4 is 3"}, {Rule: "price", Says: "\"much\""}}},
		{Where: "ce.json:9", What: "y", Steps: []Step{{Rule: "input", Says: "no"}}},
	}
}

// p0 is the id of a plan that is not stored.
func p0(t *testing.T, n int) purchase.PlanID { return newPlan(t, n, 1).ID }

// TestPolicyPlans: a plan of a policy is stored with its reasons, which never change, and
// takes the place of the one that nobody has approved. A policy has one open plan.
func TestPolicyPlans(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		db := e.ledger.(*DB)
		save := func(n int, of PlanPolicy) (*purchase.Plan, []purchase.PlanID, error) {
			p := newPlan(t, n, 2)
			superseded, err := db.SavePolicyPlan(t.Context(), p, of, why(n), Beside{})
			return p, superseded, err
		}
		first, superseded, err := save(1, under)
		e.ok(err)
		if len(superseded) > 0 {
			t.Errorf("the first one superseded %v", superseded)
		}
		got, err := db.Explanations(t.Context(), first.ID)
		if diff := cmp.Diff(why(1), got); err != nil || diff != "" {
			t.Errorf("explanation: %v (-want +got):\n%s", err, diff)
		}
		if about, err := db.AboutAdvice(t.Context(), "adv-000000000001"); err != nil || about != "rds 1" {
			t.Errorf("about %q, %v", about, err)
		}
		if _, err := db.AboutAdvice(t.Context(), "adv-000000000009"); !errors.Is(err, ErrNotFound) {
			t.Errorf("about nothing: %v", err)
		}
		second, superseded, err := save(2, under)
		e.ok(err)
		if diff := cmp.Diff([]purchase.PlanID{first.ID}, superseded); diff != "" {
			t.Errorf("superseded (-want +got):\n%s", diff)
		}
		if p := e.plan(first); p.State != purchase.PlanSuperseded || p.Lines[0].State != purchase.Superseded || !strings.Contains(p.Lines[1].Reason, string(second.ID)) {
			t.Errorf("the first is %s, its lines %s: %s", p.State, p.Lines[0].State, p.Lines[1].Reason)
		}
		if err := e.Decide(t.Context(), yes(first), t0.Add(time.Hour)); !errors.Is(err, ErrDigest) {
			t.Errorf("the superseded plan was decided on: %v", err)
		}
		policies, err := db.PlanPolicies(t.Context())
		if diff := cmp.Diff(map[purchase.PlanID]PlanPolicy{first.ID: under, second.ID: under}, policies); err != nil || diff != "" {
			t.Errorf("policies: %v (-want +got):\n%s", err, diff)
		}
		// Nothing of it ever changes.
		for _, query := range []string{
			"DELETE FROM plan_policy", "UPDATE plan_policy SET tranche = 0", "DELETE FROM plan_explanation", "UPDATE plan_explanation SET steps = '[]'",
			"INSERT OR REPLACE INTO plan_explanation SELECT * FROM plan_explanation",
		} {
			if err := e.exec(query); !e.refusal(err) {
				t.Errorf("the database took: %s", query)
			}
		}
		// Nothing of a plan is bought in its blackout: from its first instant on, and not
		// at its end.
		dark := under
		dark.Policy, dark.Blackouts = "dark", []Blackout{{From: t0.Add(time.Hour), Until: t0.Add(2 * time.Hour), Why: "freeze", At: "p.yaml:7"}, {From: t0.Add(3 * time.Hour), Until: t0.Add(4 * time.Hour)}}
		frozen, _, err := save(17, dark)
		e.ok(err)
		blackouts, err := db.Blackouts(t.Context(), frozen.Lineage)
		if diff := cmp.Diff(dark.Blackouts, blackouts); err != nil || diff != "" {
			t.Errorf("blackouts: %v (-want +got):\n%s", err, diff)
		}
		for _, c := range []struct {
			now, latest time.Duration
			until       time.Duration // 0: none
		}{
			{0, 0, 0}, {0, time.Hour - 1000, 0}, {0, time.Hour, 2 * time.Hour}, {time.Hour, time.Hour, 2 * time.Hour},
			{2*time.Hour - 1000, 2*time.Hour - 1000, 2 * time.Hour}, {2 * time.Hour, 2 * time.Hour, 0}, {time.Hour, 3 * time.Hour, 4 * time.Hour},
		} {
			b, found, err := db.Blackout(t.Context(), frozen.Lines[0].ID, t0.Add(c.now), t0.Add(c.latest))
			if err != nil || found != (c.until > 0) || found && !b.Until.Equal(t0.Add(c.until)) {
				t.Errorf("from %s to %s: %v, %v, %v", c.now, c.latest, b, found, err)
			}
		}
		for _, query := range []string{"DELETE FROM plan_blackout", "UPDATE plan_blackout SET until_at = until_at - 1", "INSERT INTO plan_blackout VALUES ('" + string(p0(t, 19)) + "', 1, 1, 2, '', '')"} {
			if err := e.exec(query); !e.refusal(err) {
				t.Errorf("the database took: %s", query)
			}
		}
		e.ok(e.Decide(t.Context(), yes(frozen), t0.Add(9*time.Hour)))
		arm := func(at time.Duration, fire string) error {
			return e.exec(fmt.Sprintf("INSERT INTO attempt (line_id, n, generation, nonce, protocol, account, region, identity, intent, intent_sha256, credential, armed_at, answer_by, deadline, settled_at, fire_at, before_ids, handle, state, outcome, code, ended_at) "+
				"VALUES ('%s', 1, 1, 'nonce-%d%s', 1, 'a', 'r', 'i', '{}', 'x', 'c', %d, 0, 0, 0, %s, '[]', '', 'armed', '', '', 0)", frozen.Lines[0].ID, at, fire, micros(t0.Add(at)), fire))
		}
		for _, at := range []time.Duration{time.Hour, 2*time.Hour - time.Microsecond, 3 * time.Hour} {
			if err := arm(at, "NULL"); !e.refusal(err) || !strings.Contains(err.Error(), "in its blackout") {
				t.Errorf("the database took an attempt in the blackout, after %s: %v", at, err)
			}
		}
		if err := arm(0, fmt.Sprint(micros(t0.Add(90*time.Minute)))); !e.refusal(err) || !strings.Contains(err.Error(), "in its blackout") {
			t.Errorf("the database took an order that fires in the blackout: %v", err)
		}
		e.ok(arm(2*time.Hour, "NULL"))
		// While it is bought there is no other one, also not by going around the code.
		e.ok(e.Decide(t.Context(), yes(second), t0.Add(2*time.Hour)))
		var open *PolicyOpen
		if _, _, err := save(3, under); !errors.As(err, &open) || open.Plan != second.ID {
			t.Errorf("a second open plan: %v", err)
		}
		if _, err := db.Plan(t.Context(), string(newPlan(t, 3, 2).ID)); !errors.Is(err, ErrNotFound) {
			t.Errorf("it is stored all the same: %v", err)
		}
		e.ok(db.SavePlan(t.Context(), newPlan(t, 4, 1)))
		insert := "INSERT INTO plan_policy VALUES ($1, 'databases', 'p.yaml', '" + under.SHA256 + "', 0)"
		if err := e.exec(insert, string(newPlan(t, 4, 1).ID)); !e.refusal(err) {
			t.Errorf("the database took a second open plan of a policy: %v", err)
		}
		if err := e.exec(strings.Replace(insert, "'databases'", "'others'", 1), string(second.ID)); err == nil {
			t.Error("the database took another policy for a plan that is approved")
		}
		if err := e.exec("INSERT INTO plan_explanation VALUES ($1, 9, 0, '', '', '', 'x', '[]')", string(second.ID)); err == nil {
			t.Error("an explanation was added to a plan that is approved")
		}
		// Of another policy there may be one.
		other := under
		other.Policy = "others"
		_, _, err = save(5, other)
		e.ok(err)
		// A later version of an earlier plan is under its policy: there is no second one
		// beside the open one.
		later := newPlan(t, 6, 1)
		later.Lineage, later.Version = first.ID, 2
		if err := db.SavePlan(t.Context(), later); err == nil {
			t.Error("an earlier plan of the policy was continued beside the open one")
		}
		// Once all its lines have ended the policy may plan again.
		for _, l := range e.plan(second).Lines {
			_, err := db.Cancel(t.Context(), l.ID, "bob", "", t0)
			e.ok(err)
			e.apply(e.step(l.ID, purchase.Swept{}, t0), t0)
		}
		_, superseded, err = save(7, under)
		e.ok(err)
		if len(superseded) > 0 {
			t.Errorf("superseded %v", superseded)
		}
	})
}

// TestPoliciesRace: of many plans of a policy that are made at once one is open.
func TestPoliciesRace(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		db := e.ledger.(*DB)
		var wg sync.WaitGroup
		for n := range 8 {
			p := newPlan(t, n+1, 1)
			wg.Go(func() {
				if _, err := db.SavePolicyPlan(t.Context(), p, under, why(n), Beside{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		plans, err := db.Plans(t.Context())
		e.ok(err)
		states := map[purchase.PlanState]int{}
		for _, p := range plans {
			states[p.State]++
		}
		if diff := cmp.Diff(map[purchase.PlanState]int{purchase.PlanProposed: 1, purchase.PlanSuperseded: 7}, states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

// TestVerdicts: what people say about advice is kept in its order and never changes.
func TestVerdicts(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e := on.open(t)
		db := e.ledger.(*DB)
		want := []Verdict{
			{"adv-1", "rds", Dismissed, time.Time{}, "we leave", "ada", t0},
			{"adv-1", "rds", Restored, time.Time{}, "we stay", "bob", t0.Add(time.Second)},
			{"adv-2", "ec2", Snoozed, t0.Add(48 * time.Hour), "later", "ada", t0.Add(2 * time.Second)},
		}
		for _, v := range want {
			e.ok(db.Judge(t.Context(), v))
		}
		got, err := db.Verdicts(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		for _, bad := range []Verdict{
			{"adv-1", "rds", Dismissed, time.Time{}, "", "ada", t0}, {"adv-1", "rds", "liked", time.Time{}, "x", "ada", t0},
			{"adv-1", "rds", Snoozed, t0, "x", "ada", t0}, {"adv-1", "rds", Dismissed, t0.Add(time.Hour), "x", "ada", t0},
			{"", "rds", Dismissed, time.Time{}, "x", "ada", t0}, {"adv-1", "rds", Dismissed, time.Time{}, "x", "", t0},
		} {
			if err := db.Judge(t.Context(), bad); err == nil {
				t.Errorf("the database took %+v", bad)
			}
		}
		for _, query := range []string{"DELETE FROM advice_verdict", "UPDATE advice_verdict SET reason = 'x'"} {
			if err := e.exec(query); !e.refusal(err) {
				t.Errorf("the database took: %s", query)
			}
		}
	})
}

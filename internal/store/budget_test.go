package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"bursar/internal/purchase"
)

// budgeted is a full ledger with a named budget: line 0 spent, lines 1 and 2 held.
func budgeted(t *testing.T, on database) (*engine, *purchase.Plan) {
	t.Helper()
	e, p := full(t, on)
	e.setBudget(budget("march", times(5)))
	return e, p
}

func TestTheDatabaseKeepsBudgetsWithinTheirCaps(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, _ := budgeted(t, on)
		e.refuses("UPDATE budget_period SET taken = taken + 100000000000")
		e.refuses("UPDATE budget_period SET taken = -1")
		e.refuses("UPDATE budget_period SET cap = taken - 1 WHERE period = '2026-03'")
		e.refuses("UPDATE budget SET cap = -1 WHERE plan_id IS NULL")
		e.refuses("INSERT INTO budget_period SELECT budget_id, '', cap, taken FROM budget_period LIMIT 1")
		e.refuses("INSERT INTO budget_period SELECT budget_id, '2026-04', 1, 2 FROM budget_period LIMIT 1")
		e.refuses("INSERT INTO budget_period SELECT budget_id, '2026-04', 1, -1 FROM budget_period LIMIT 1")
		e.refuses("INSERT INTO budget_period VALUES ('01NONE', '2026-04', 1, 0)")
		e.refuses("UPDATE budget_period SET taken = taken - 1")
	})
}

func TestTheDatabaseFreezesBudgets(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, p := budgeted(t, on)
		for _, column := range []string{
			"id = 'x'", "plan_id = '" + string(p.ID) + "'", "name = 'x'", "account = 'x'", "period = 'ever'", "measure = 'upfront'",
			"currency = 'EUR'", "created_at = 1", "created_by = 'x'",
		} {
			e.refuses("UPDATE budget SET " + column + " WHERE name = 'march'")
		}
		e.refuses("UPDATE budget SET cap = cap + 1 WHERE plan_id IS NOT NULL")
		e.refuses("UPDATE budget SET retired_at = 1 WHERE plan_id IS NOT NULL")
		e.refuses("UPDATE budget_period SET cap = cap + 1 WHERE budget_id = $1", p.ID)
		e.refuses("UPDATE budget_period SET period = 'x'")
		e.refuses("UPDATE budget_period SET budget_id = $1 WHERE period = '2026-03'", p.ID)
		const columns = "account, period, measure, currency, cap, created_at, created_by, changed_at, changed_by, retired_at, retired_by"
		twin := "INSERT INTO budget (id, plan_id, name, " + columns + ") SELECT $1, $2, $3, " + columns + " FROM budget WHERE name = 'march'"
		e.refuses(twin, "01B", nil, "march")
		e.refuses(twin, "01B", nil, "")
		e.refuses(twin, "01B", p.ID, "")
		e.refuses(twin, "01B", nil, nil)
		// What nothing refers to is kept as well.
		unused := budget("unused", usd("1"))
		unused.Account = "444455556666"
		e.setBudget(unused)
		e.refuses("DELETE FROM budget WHERE name = 'unused'")
		e.ok(e.exec("INSERT INTO budget_period SELECT id, '2026-04', 1, 0 FROM budget WHERE name = 'unused'"))
		e.refuses("DELETE FROM budget_period WHERE period = '2026-04'")
		e.ok(e.RetireBudget(t.Context(), "march", "ana", t0))
		e.refuses("UPDATE budget SET cap = cap + 1 WHERE name = 'march'")
		e.refuses("UPDATE budget SET retired_at = 0 WHERE name = 'march'")
		e.refuses("UPDATE budget_period SET cap = cap + 1 WHERE period = '2026-03'")
		e.ok(e.exec(strings.Replace(twin, "retired_at, retired_by FROM", "0, '' FROM", 1), "01B", nil, "march"))
		for column, wrong := range map[string]string{"period": "'year'", "measure": "'list'", "currency": "'US'"} {
			head, tail, _ := strings.Cut(twin, "SELECT")
			e.refuses(head+"SELECT"+strings.Replace(tail, column, wrong, 1), "01C", nil, "other")
		}
	})
}

func TestTheDatabaseEndsAHoldOnceAndRightly(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, p := budgeted(t, on)
		spent, armed, ready := p.Lines[0].ID, p.Lines[1].ID, p.Lines[2].ID
		const end = "UPDATE hold SET state = $1, ended_at = 1 WHERE line_id = $2"
		for _, line := range []purchase.LineID{armed, ready} {
			e.refuses(end, purchase.HoldSpent, line)    // without a commitment
			e.refuses(end, purchase.HoldReleased, line) // while the line may still buy
		}
		for _, to := range []purchase.HoldState{purchase.HoldHeld, purchase.HoldReleased, purchase.HoldSpent} {
			e.refuses(end, to, spent)
		}
		e.refuses("UPDATE hold SET state = 'held', ended_at = 0 WHERE line_id = $1", spent)
		e.refuses("UPDATE hold SET state = 'limbo'")
		e.refuses("UPDATE hold SET ended_at = 1 WHERE line_id = $1", ready)
		e.refuses("UPDATE hold SET amount = 0 WHERE line_id = $1", ready)
		draft := e.save(2, 1).Lines[0].ID
		const insert = "INSERT INTO hold (line_id, budget_id, period, amount, state, at, ended_at) SELECT $1, budget_id, period, $2, $3, at, $4 FROM hold WHERE period = '2026-03' AND line_id = $5"
		for _, state := range []purchase.HoldState{purchase.HoldSpent, purchase.HoldReleased} {
			e.refuses(insert, draft, 1, state, 1, ready)
		}
		e.refuses(insert, draft, -1, "held", 0, ready)
		e.refuses(insert, draft, 1, "held", 1, ready)
		e.refuses(insert, ready, 1, "held", 0, ready)
		e.refuses(insert, "01NONE", 1, "held", 0, ready)
		e.ok(e.exec(insert, draft, 1, "held", 0, ready))
		// A hold on some budget is not one on the ceiling of the plan.
		e.refuses("UPDATE line SET state = 'ready', must_leave_by = 1 WHERE id = $1", draft)
	})
}

// Every way in which the books of a budget can be wrong is seen by the check, once
// the database's own guards are gone.
func TestTheCheckSeesWrongBudgets(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		for change, invariant := range map[string]string{
			"UPDATE budget_period SET taken = taken + 1 WHERE period = '2026-03'":                                  "within-budget",
			"UPDATE budget_period SET cap = 1 WHERE period = '2026-03'":                                            "within-budget",
			"UPDATE hold SET amount = amount - 1 WHERE line_id LIKE '%2'":                                          "within-budget",
			"UPDATE hold SET at = at - 2678400000000 WHERE period = '2026-03'":                                     "within-budget",
			"DELETE FROM hold WHERE period = '2026-03' AND line_id LIKE '%2'":                                      "within-budget",
			"UPDATE budget SET account = '444455556666' WHERE name = 'march'":                                      "within-budget",
			"UPDATE hold SET state = 'released', ended_at = 1 WHERE line_id LIKE '%1'":                             "hold-state",
			"UPDATE hold SET state = 'spent', ended_at = 1 WHERE line_id LIKE '%2'":                                "hold-state",
			"UPDATE hold SET state = 'held', ended_at = 0 WHERE line_id LIKE '%0'":                                 "hold-state",
			"DELETE FROM hold WHERE period <> '2026-03' AND line_id LIKE '%2'":                                     "hold-state",
			"UPDATE line SET state = 'failed', must_leave_by = 0 WHERE id LIKE '%2' AND state IN ('ready')":        "hold-state",
			"UPDATE line SET state = 'purchased', must_leave_by = 0 WHERE id LIKE '%1' AND state IN ('armed')":     "hold-state",
			"UPDATE line SET state = 'draft', must_leave_by = 0 WHERE id LIKE '%2' AND state IN ('ready') AND 1=1": "hold-state",
		} {
			e, _ := budgeted(t, on)
			e.sound(t0)
			for _, guard := range guards {
				if strings.HasPrefix(guard, "hold_") || strings.HasPrefix(guard, "budget_") && guard != "budget_one_of_a_name" || guard == "line_transition" {
					e.ok(e.exec("DROP TRIGGER " + guard))
				}
			}
			e.ok(e.exec("PRAGMA ignore_check_constraints = ON"))
			e.ok(e.exec(change))
			if got := problemsOf(purchase.Check(e.everything(), t0), invariant); len(got) == 0 {
				t.Errorf("%s: %s does not see it", change, invariant)
			}
		}
	})
}

// Of many approvals that race for one cap, exactly as many win as it holds, in
// whatever order and in however many processes: what was free before the
// transaction decides nothing.
func TestApprovalsRaceForOneCap(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		const plans, fit = 16, 5
		e, handles := twoHandles(t, on)
		for round := range 4 {
			name := fmt.Sprintf("round-%d", round)
			b := budget(name, times(fit))
			b.ChangedAt = t0.AddDate(0, round, 0)
			e.setBudget(b)
			all := make([]*purchase.Plan, plans)
			for i := range all {
				all[i] = e.save(100*(round+1)+i, 1)
				// Everybody has looked, and it fits.
				look, err := handles[i%2].PlanBudgets(t.Context(), all[i], b.ChangedAt)
				if err != nil || len(look) != 1 || look[0].Refusal != nil {
					t.Fatalf("look: %+v, %v", look, err)
				}
			}
			errs := make([]error, plans)
			start := make(chan struct{})
			var wg sync.WaitGroup
			for i, p := range all {
				wg.Go(func() {
					d := yes(p)
					d.At = b.ChangedAt
					<-start
					errs[i] = handles[i%2].Decide(t.Context(), d, d.At.Add(time.Hour))
				})
			}
			close(start)
			wg.Wait()
			won := 0
			var over *purchase.OverBudget
			for i, err := range errs {
				p, readErr := e.Plan(t.Context(), string(all[i].ID))
				e.ok(readErr)
				switch {
				case err == nil && p.State == purchase.PlanApproved && p.Lines[0].State == purchase.Ready:
					won++
				case errors.As(err, &over) && over.Budget.Name == name && p.State == purchase.PlanProposed && len(e.holds(p.Lines[0].ID)) == 0:
				default:
					t.Errorf("round %d, plan %d is %s: %v", round, i, p.State, err)
				}
			}
			period := b.Period("", b.ChangedAt)
			if got := e.sums(name, period); won != fit || got != held(fit) {
				t.Errorf("round %d: %d of %d approvals won a cap for %d: %s", round, won, plans, fit, got)
			}
			e.ok(e.RetireBudget(t.Context(), name, "ana", b.ChangedAt))
		}
		e.sound(t0)
	})
}

// Setting a lower cap races with approvals: whoever comes second sees the other.
func TestALowerCapRacesWithApprovals(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, handles := twoHandles(t, on)
		for round := range 8 {
			b := budget(fmt.Sprintf("round-%d", round), times(1))
			b.ChangedAt = t0.AddDate(0, round, 0)
			e.setBudget(b)
			p := e.save(round+1, 1)
			d := yes(p)
			d.At = b.ChangedAt
			lower := b
			lower.Cap = usd("1")
			var approved, lowered error
			start := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() { <-start; approved = handles[0].Decide(t.Context(), d, d.At.Add(time.Hour)) })
			wg.Go(func() { <-start; _, lowered = handles[1].SetBudget(t.Context(), lower) })
			close(start)
			wg.Wait()
			var over *purchase.OverBudget
			var low *purchase.CapTooLow
			if !(approved == nil && errors.As(lowered, &low) || lowered == nil && errors.As(approved, &over)) {
				t.Errorf("round %d: approving says %v, lowering the cap %v", round, approved, lowered)
			}
			e.ok(e.RetireBudget(t.Context(), b.Name, "ana", b.ChangedAt))
		}
		e.sound(t0)
	})
}

func TestAnUnknownCommitHoldsAllOrNothing(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		for name, commit := range map[string]func(ender) error{"applied": appliedUnknown, "not applied": notAppliedUnknown} {
			e := on.open(t)
			e.setBudget(budget("march", times(2)))
			p := e.save(1, 2)
			db := e.ledger.(*DB)
			db.commit = commit
			if err := e.Decide(t.Context(), yes(p), t0.Add(time.Hour)); !errors.Is(err, purchase.ErrCommitUnknown) {
				t.Errorf("%s: %v", name, err)
			}
			db.commit = ender.Commit
			want := "none"
			if name == "applied" {
				want = held(2)
			}
			if got := e.sums("march", "2026-03"); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
			e.sound(t0)
		}
	})
}

package store

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
)

// A line of newPlan costs USD 4,662.036 and may cost half a per cent more.
const lineTakes = "4685.34618"

// times is n times what a line takes.
func times(n int64) money.Amount {
	a, err := usd(lineTakes).Mul(n)
	if err != nil {
		panic(err)
	}
	return a
}

// budget is a monthly budget of the total, in every account.
func budget(name string, most money.Amount) purchase.Budget {
	return purchase.Budget{Name: name, Per: purchase.PerMonth, Of: purchase.OfTotal, Cap: most, ChangedAt: t0, ChangedBy: "ana"}
}

func (e *engine) setBudget(b purchase.Budget) purchase.Budget {
	e.t.Helper()
	b, err := e.SetBudget(e.t.Context(), b)
	e.ok(err)
	return b
}

// sums are what a named budget holds and has spent in a period, "none" if nothing
// was ever taken there.
func (e *engine) sums(name, period string) string {
	e.t.Helper()
	s := e.everything()
	for _, b := range s.Budgets {
		for _, p := range s.Periods {
			if b.Name == name && b.RetiredAt.IsZero() && p.Budget == b.ID && p.Period == period {
				return p.Held.Canonical() + " held, " + p.Spent.Canonical() + " spent"
			}
		}
	}
	return "none"
}

func held(n int64) string { return times(n).Canonical() + " held, 0.00 spent" }

// holds are the states of a line's holds.
func (e *engine) holds(line purchase.LineID) (states []purchase.HoldState) {
	e.t.Helper()
	for _, h := range e.everything().Holds {
		if h.Line == line {
			states = append(states, h.State)
		}
	}
	return states
}

// sound checks the invariants of budgets and holds.
func (e *engine) sound(now time.Time) {
	e.t.Helper()
	for _, name := range []string{"within-budget", "hold-state"} {
		for _, problem := range problemsOf(purchase.Check(e.everything(), now), name) {
			e.t.Errorf("%s: %s", name, problem)
		}
	}
}

func testHolds(t *testing.T, e *engine) {
	e.setBudget(budget("march", times(10)))
	p := e.approve(1, 7)
	line := func(n int) purchase.LineID { return p.Lines[n].ID }
	if got := e.sums("march", "2026-03"); got != held(7) {
		t.Errorf("approved: %s", got)
	}
	now := t0.Add(time.Second)
	expect := func(n int, state purchase.State, want purchase.HoldState) {
		t.Helper()
		if row := e.row(line(n)); row.Line.State != state {
			t.Errorf("line %d is %s, want %s: %s", n, row.Line.State, state, row.Line.Reason)
		}
		if diff := cmp.Diff([]purchase.HoldState{want, want}, e.holds(line(n))); diff != "" {
			t.Errorf("holds of line %d, which is %s (-want +got):\n%s", n, state, diff)
		}
		e.sound(now)
	}
	for n, c := range []struct {
		outcome cloud.Outcome
		state   purchase.State
		hold    purchase.HoldState
	}{
		{cloud.Bought, purchase.Purchased, purchase.HoldSpent},
		{cloud.Refused, purchase.Failed, purchase.HoldReleased},
		{cloud.InDoubt, purchase.Armed, purchase.HoldHeld},
		{cloud.Throttled, purchase.Ready, purchase.HoldHeld},
	} {
		a := e.armed(line(n), t0, "nonce-"+string(line(n)))
		expect(n, purchase.Armed, purchase.HoldHeld)
		e.apply(e.step(line(n), answer(a, c.outcome), now), now)
		expect(n, c.state, c.hold)
	}

	// Doubt keeps the hold until evidence has ended it.
	a := e.row(line(2)).Attempts[0]
	listed := absent(now)
	c := commitment(a)
	listed[0] = cloud.Evidence{Kind: cloud.EvidenceListing, Operation: "Describe", Started: now, CloudTime: now, Status: 200, Commitment: &c}
	e.apply(e.step(line(2), purchase.Looked{Facts: facts, Found: listed}, now), now)
	expect(2, purchase.Purchased, purchase.HoldSpent)

	// Called off before it was sent.
	_, err := e.Cancel(t.Context(), line(4), "ana", "", now)
	e.ok(err)
	expect(4, purchase.Ready, purchase.HoldHeld)
	e.apply(e.step(line(4), purchase.Swept{}, now), now)
	expect(4, purchase.Canceled, purchase.HoldReleased)

	// A contradiction keeps the hold while a person decides; the person ends it.
	stranger := c
	stranger.ID = purchase.Identity("k7f2", line(5), 1)
	check := checked(p.Lines[5].Spec.Offering, now, "nonce-5")
	check.Found = []cloud.Evidence{{Kind: cloud.EvidenceListing, Started: now, CloudTime: now, Commitment: &stranger}}
	e.apply(e.step(line(5), check, now), now)
	expect(5, purchase.NeedsReview, purchase.HoldHeld)
	e.apply(e.step(line(5), purchase.Decided{Facts: facts, Choice: purchase.NotBought, By: "bob", Found: absent(now)}, now), now)
	expect(5, purchase.Failed, purchase.HoldReleased)

	// A price that moved waits for a person, and the approval ends first.
	check = checked(p.Lines[6].Spec.Offering, now, "nonce-6")
	check.Drift = "the price moved"
	e.apply(e.step(line(6), check, now), now)
	expect(6, purchase.NeedsReapproval, purchase.HoldHeld)
	if got := e.sums("march", "2026-03"); got != times(2).Canonical()+" held, "+times(2).Canonical()+" spent" {
		t.Errorf("in the end: %s", got)
	}
	now = t0.Add(2 * time.Hour)
	for _, n := range []int{3, 6} {
		e.apply(e.step(line(n), purchase.Swept{}, now), now)
		expect(n, purchase.Expired, purchase.HoldReleased)
	}
	if got := e.sums("march", "2026-03"); got != "0.00 held, "+times(2).Canonical()+" spent" {
		t.Errorf("in the end: %s", got)
	}
}

func testOverBudget(t *testing.T, e *engine) {
	e.setBudget(budget("march", times(3)))
	e.setBudget(budget("wide", times(100)))
	e.approve(1, 2)
	second := e.save(2, 2)
	before := e.everything()
	err := e.Decide(t.Context(), yes(second), t0.Add(time.Hour))
	var over *purchase.OverBudget
	if !errors.As(err, &over) || !errors.Is(err, purchase.ErrBudget) || over.Budget.Name != "march" || !over.Needs.Equal(times(2)) || !over.Free.Equal(times(1)) {
		t.Errorf("approve: %v", err)
	}
	e.unchanged(before) // the hold on the other budget, the decision and the ceiling included

	// A no needs no budget, and neither does what fits to the last millionth.
	e.ok(e.Decide(t.Context(), yes(e.save(3, 1)), t0.Add(time.Hour)))
	if got := e.sums("march", "2026-03"); got != held(3) {
		t.Errorf("full: %s", got)
	}
	rejected := e.save(4, 1)
	no := yes(rejected)
	no.Approve = false
	e.ok(e.Decide(t.Context(), no, time.Time{}))
	if states := e.holds(rejected.Lines[0].ID); len(states) != 0 {
		t.Errorf("a rejected plan has the holds %v", states)
	}

	// A cap that is one millionth short.
	e.ok(e.RetireBudget(t.Context(), "march", "ana", t0))
	short, err := times(5).Sub(usd("0.000001"))
	e.ok(err)
	e.setBudget(budget("short", short))
	before = e.everything()
	if err := e.Decide(t.Context(), yes(second), t0.Add(time.Hour)); !errors.As(err, &over) || over.Budget.Name != "short" {
		t.Errorf("a millionth too much: %v", err)
	}
	e.unchanged(before)
	e.setBudget(budget("short", times(5)))
	e.ok(e.Decide(t.Context(), yes(second), t0.Add(time.Hour)))
	e.sound(t0)
}

// testSupersedeReleases approves a new version under a cap that it fits only with
// what the earlier version held.
func testSupersedeReleases(t *testing.T, e *engine) {
	first := e.approve(1, 4)
	e.setBudget(budget("march", times(4)))
	now := t0.Add(time.Second)
	a := e.armed(first.Lines[0].ID, t0, "nonce-1")
	e.apply(e.step(first.Lines[0].ID, answer(a, cloud.Bought), now), now)
	check := checked(first.Lines[1].Spec.Offering, now, "nonce-2")
	check.Drift = "the price moved"
	e.apply(e.step(first.Lines[1].ID, check, now), now)
	second := e.version(first, 2, 3)
	if all, err := e.PlanBudgets(t.Context(), second, now); err != nil || len(all) != 1 || all[0].Refusal != nil {
		t.Errorf("what version 2 would take: %+v, %v", all, err)
	}
	third := e.version(first, 3, 4) // one line too many, as the first is bought
	all, err := e.PlanBudgets(t.Context(), third, now)
	e.ok(err)
	var over *purchase.OverBudget
	if len(all) != 1 || !errors.As(all[0].Refusal, &over) || !over.Free.Equal(times(3)) {
		t.Errorf("what version 3 would take: %+v", all)
	}
	before := e.everything()
	if err := e.Decide(t.Context(), yes(third), t0.Add(time.Hour)); !errors.As(err, &over) || !over.Free.Equal(times(3)) {
		t.Errorf("version 3: %v", err)
	}
	e.unchanged(before) // the earlier version and its holds included
	e.ok(e.Decide(t.Context(), by(third, "bob", false), time.Time{}))

	e.ok(e.Decide(t.Context(), yes(second), t0.Add(time.Hour)))
	if got := e.sums("march", "2026-03"); got != times(3).Canonical()+" held, "+times(1).Canonical()+" spent" {
		t.Errorf("superseded: %s", got)
	}
	for n, want := range []purchase.HoldState{purchase.HoldSpent, purchase.HoldReleased, purchase.HoldReleased, purchase.HoldReleased} {
		if got := e.holds(first.Lines[n].ID); !cmp.Equal(got, []purchase.HoldState{want, want}) {
			t.Errorf("line %d of version 1: %v, want %s", n+1, got, want)
		}
	}
	e.sound(now)
}

func testBudgetCovers(t *testing.T, e *engine) {
	for _, b := range []purchase.Budget{
		{Name: "all", Per: purchase.PerEver, Of: purchase.OfTotal, Cap: usd("100000")},
		{Name: "here", Per: purchase.PerMonth, Of: purchase.OfUpfront, Cap: usd("100000"), Account: "111122223333"},
		{Name: "there", Per: purchase.PerMonth, Of: purchase.OfTotal, Cap: money.MustParse("100000", "EUR"), Account: "444455556666"},
		{Name: "each", Per: purchase.PerPlan, Of: purchase.OfHourly, Cap: usd("2")},
	} {
		b.ChangedAt, b.ChangedBy = t0, "ana"
		e.setBudget(b)
	}
	p := e.approve(1, 2)
	for name, want := range map[string][2]string{
		"all": {"ever", held(2)}, "here": {"2026-03", "4685.31 held, 0.00 spent"}, "there": {"2026-03", "none"},
		"each": {string(p.ID), "1.069714 held, 0.00 spent"}, // 0.534857 for each line, rounded up
	} {
		if got := e.sums(name, want[0]); got != want[1] {
			t.Errorf("%s: %s, want %s", name, got, want[1])
		}
	}
	// Another plan is another period of a budget per plan; the cap of one is not
	// enough for four lines.
	e.approve(2, 3)
	large := e.save(3, 4)
	var over *purchase.OverBudget
	if err := e.Decide(t.Context(), yes(large), t0.Add(time.Hour)); !errors.As(err, &over) || over.Budget.Name != "each" || !over.Free.Equal(usd("2")) {
		t.Errorf("four lines: %v", err)
	}
	e.ok(e.RetireBudget(t.Context(), "each", "ana", t0))
	// Another month is another period, by the time of the approval in UTC.
	april := yes(large)
	april.At = time.Date(2026, 3, 31, 23, 0, 0, 0, time.FixedZone("", -3600))
	e.ok(e.Decide(t.Context(), april, april.At.Add(time.Hour)))
	if got := e.sums("here", "2026-04"); got != "9370.62 held, 0.00 spent" {
		t.Errorf("april: %s", got)
	}

	// There is no exchange rate.
	e.ok(e.RetireBudget(t.Context(), "there", "ana", t0))
	b := budget("euro", money.MustParse("1000000", "EUR"))
	b.Per = purchase.PerPlan
	e.setBudget(b)
	last := e.save(4, 1)
	before := e.everything()
	var other *purchase.OtherCurrency
	if err := e.Decide(t.Context(), yes(last), t0.Add(time.Hour)); !errors.As(err, &other) || !errors.Is(err, purchase.ErrBudget) {
		t.Errorf("another currency: %v", err)
	}
	e.unchanged(before)
	e.ok(e.RetireBudget(t.Context(), "euro", "ana", t0))
	e.ok(e.Decide(t.Context(), yes(last), t0.Add(time.Hour)))
	e.sound(t0)
}

func testSetBudget(t *testing.T, e *engine) {
	made := e.setBudget(budget("march", times(3)))
	if made.ID == "" || !made.CreatedAt.Equal(t0) || made.CreatedBy != "ana" {
		t.Errorf("made: %+v", made)
	}
	e.approve(1, 2)
	later := t0.Add(time.Hour)
	raised := budget("march", times(5))
	raised.ChangedAt, raised.ChangedBy = later, "bob"
	got := e.setBudget(raised)
	if got.ID != made.ID || !got.CreatedAt.Equal(t0) || !got.ChangedAt.Equal(later) || got.ChangedBy != "bob" {
		t.Errorf("raised: %+v", got)
	}
	budgets, periods, err := e.Budgets(t.Context())
	e.ok(err)
	if diff := cmp.Diff([]purchase.Budget{got}, budgets); diff != "" {
		t.Errorf("read (-set +read):\n%s", diff)
	}
	if diff := cmp.Diff([]purchase.BudgetPeriod{{Budget: made.ID, Period: "2026-03", Cap: times(5), Held: times(2), Spent: usd("0")}}, periods); diff != "" {
		t.Errorf("periods (-want +got):\n%s", diff)
	}

	before := e.everything()
	short, err := times(2).Sub(usd("0.000001"))
	e.ok(err)
	var low *purchase.CapTooLow
	if _, err := e.SetBudget(t.Context(), budget("march", short)); !errors.As(err, &low) || !errors.Is(err, purchase.ErrBudget) || !low.Used.Equal(times(2)) {
		t.Errorf("below what is held: %v", err)
	}
	e.unchanged(before)
	for field, change := range map[string]func(*purchase.Budget){
		"currency": func(b *purchase.Budget) { b.Cap = money.MustParse("100000", "EUR") },
		"period":   func(b *purchase.Budget) { b.Per = purchase.PerEver },
		"measure":  func(b *purchase.Budget) { b.Of = purchase.OfUpfront },
		"account":  func(b *purchase.Budget) { b.Account = "111122223333" },
	} {
		b := budget("march", times(9))
		change(&b)
		var other *purchase.OtherMeasure
		if _, err := e.SetBudget(t.Context(), b); !errors.As(err, &other) || !errors.Is(err, purchase.ErrBudget) || other.Field != field || !strings.Contains(err.Error(), field) {
			t.Errorf("another %s: %v", field, err)
		}
		e.unchanged(before)
	}
	e.setBudget(budget("march", times(2))) // exactly what is held

	// A lower cap in another month leaves this one as it was.
	april := budget("march", usd("1"))
	april.ChangedAt = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	e.setBudget(april)
	if _, periods, err = e.Budgets(t.Context()); err != nil || len(periods) != 1 || !periods[0].Cap.Equal(times(2)) {
		t.Errorf("march in april: %+v, %v", periods, err)
	}

	e.ok(e.RetireBudget(t.Context(), "march", "eve", later))
	for _, name := range []string{"march", "never", ""} {
		if err := e.RetireBudget(t.Context(), name, "eve", later); !errors.Is(err, ErrNotFound) {
			t.Errorf("retire %q: %v", name, err)
		}
	}
	if budgets, _, err := e.Budgets(t.Context()); err != nil || len(budgets) != 0 {
		t.Errorf("after retiring: %+v, %v", budgets, err)
	}
	// What it held goes on; new approvals take nothing.
	p := e.approve(2, 1)
	if states := e.holds(p.Lines[0].ID); len(states) != 1 {
		t.Errorf("approved after retiring: %v", states)
	}
	again := e.setBudget(budget("march", times(9)))
	if again.ID == made.ID {
		t.Error("a retired budget came back")
	}
	if got := e.sums("march", "2026-03"); got != held(3) {
		t.Errorf("the next of that name: %s", got)
	}
	e.sound(t0)
}

func testTakeOver(t *testing.T, e *engine) {
	p := e.approve(1, 4)
	now := t0.Add(time.Second)
	for i, outcome := range []cloud.Outcome{cloud.Bought, cloud.Refused, cloud.InDoubt} {
		a := e.armed(p.Lines[i].ID, t0, "nonce-"+string(outcome))
		e.apply(e.step(p.Lines[i].ID, answer(a, outcome), now), now)
	}
	e.save(2, 1)
	february := yes(e.save(3, 2))
	february.At = t0.AddDate(0, -1, 0)
	e.ok(e.Decide(t.Context(), february, t0.Add(time.Hour)))

	before := e.everything()
	short, err := times(3).Sub(usd("0.000001"))
	e.ok(err)
	var low *purchase.CapTooLow
	if _, err := e.SetBudget(t.Context(), budget("march", short)); !errors.As(err, &low) || !low.Used.Equal(times(3)) {
		t.Errorf("a cap below what there is: %v", err)
	}
	e.unchanged(before)
	var other *purchase.OtherCurrency
	if _, err := e.SetBudget(t.Context(), budget("euro", money.MustParse("1000000", "EUR"))); !errors.As(err, &other) {
		t.Errorf("another currency: %v", err)
	}
	e.unchanged(before)

	e.setBudget(budget("march", times(3)))
	if got := e.sums("march", "2026-03"); got != times(2).Canonical()+" held, "+times(1).Canonical()+" spent" {
		t.Errorf("march: %s", got)
	}
	ever := budget("ever", times(9))
	ever.Per = purchase.PerEver
	e.setBudget(ever)
	if got := e.sums("ever", "ever"); got != times(4).Canonical()+" held, "+times(1).Canonical()+" spent" {
		t.Errorf("ever: %s", got)
	}
	elsewhere := budget("elsewhere", usd("1"))
	elsewhere.Account = "444455556666"
	e.setBudget(elsewhere)
	each := budget("each", usd("1")) // begins with the next approval
	each.Per = purchase.PerPlan
	e.setBudget(each)
	for name, period := range map[string]string{"elsewhere": "2026-03", "each": string(p.ID)} {
		if got := e.sums(name, period); got != "none" {
			t.Errorf("%s took over %s", name, got)
		}
	}
	e.sound(now)

	// What was taken over ends like any other hold.
	last := p.Lines[3].ID
	_, err = e.Cancel(t.Context(), last, "ana", "", now)
	e.ok(err)
	e.apply(e.step(last, purchase.Swept{}, now), now)
	if got := e.sums("march", "2026-03"); got != times(1).Canonical()+" held, "+times(1).Canonical()+" spent" {
		t.Errorf("march, after a line was called off: %s", got)
	}
	e.sound(now)
}

func testArmingNeedsHolds(t *testing.T, e *engine) {
	e.setBudget(budget("march", times(10)))
	e.ok(e.exec("DROP TRIGGER hold_released_after_end"))
	e.ok(e.exec("DROP TRIGGER hold_no_delete"))
	n := 0
	for name, behind := range map[string]string{
		"one of two was released": "UPDATE hold SET state = 'released', ended_at = 1 WHERE line_id = $1 AND budget_id <> $2",
		"the ceiling's":           "UPDATE hold SET state = 'released', ended_at = 1 WHERE line_id = $1 AND budget_id = $2",
		"both are gone":           "DELETE FROM hold WHERE line_id = $1 AND $2 <> ''",
	} {
		n++
		p := e.approve(n, 1)
		line := p.Lines[0].ID
		c := e.step(line, checked(p.Lines[0].Spec.Offering, t0, "nonce "+name), t0)
		e.ok(e.exec(behind, line, p.ID))
		before := e.everything()
		if err := e.Apply(t.Context(), c, t0); !errors.Is(err, ErrNoHold) || errors.Is(err, purchase.ErrLost) {
			t.Errorf("%s: %v, want ErrNoHold", name, err)
		}
		e.unchanged(before)
	}
}

// A change that cannot end its holds does not happen, and says so.
func testHoldsAreWhole(t *testing.T, e *engine) {
	e.setBudget(budget("march", times(10)))
	p := e.approve(1, 2)
	now := t0.Add(time.Second)
	line := p.Lines[0].ID
	c := e.step(line, answer(e.armed(line, t0, "nonce-1"), cloud.Refused), now)
	create := e.dropTrigger("budget_period_taken_stays")
	e.ok(e.exec("UPDATE budget_period SET taken = 1 WHERE period = '2026-03'"))
	before := e.everything()
	if err := e.Apply(t.Context(), c, now); err == nil || errors.Is(err, purchase.ErrLost) || !strings.Contains(err.Error(), "bursar check") {
		t.Errorf("the budget has taken less: %v", err)
	}
	e.unchanged(before)
	e.ok(e.exec("UPDATE budget_period SET taken = $1 WHERE period = '2026-03'", 2*4685_346_180))
	e.ok(e.exec(create))
	e.apply(c, now)
	line = p.Lines[1].ID
	e.apply(e.step(line, answer(e.armed(line, t0, "nonce-2"), cloud.Bought), now), now)
	e.sound(now)

	// A receipt that is refused leaves the hold as it was.
	q := e.approve(2, 1)
	line = q.Lines[0].ID
	c = e.step(line, answer(e.armed(line, t0, "nonce-3"), cloud.Bought), now)
	c.Receipt.Attempt = 2
	before = e.everything()
	if err := e.Apply(t.Context(), c, now); err == nil {
		t.Error("a receipt for an attempt that does not exist was written")
	}
	e.unchanged(before)
}

func testPlanBudgets(t *testing.T, e *engine) {
	b := e.setBudget(budget("march", times(3)))
	elsewhere := budget("elsewhere", usd("1"))
	elsewhere.Account = "444455556666"
	e.setBudget(elsewhere)
	euro := budget("euro", money.MustParse("1", "EUR"))
	euro.Per = purchase.PerPlan
	e.setBudget(euro)
	look := func(n int) []PlanBudget {
		t.Helper()
		p, err := e.Plan(t.Context(), id("01P", n))
		e.ok(err)
		all, err := e.PlanBudgets(t.Context(), p, t0)
		e.ok(err)
		return all
	}
	first := e.save(1, 2)
	e.save(2, 2)
	for n := 1; n <= 2; n++ {
		got := look(n)
		if len(got) != 2 || got[0].Budget.Name != "euro" || got[1].Budget.ID != b.ID {
			t.Fatalf("plan %d: %+v", n, got)
		}
		if !errors.Is(got[0].Refusal, purchase.ErrBudget) || got[1].Refusal != nil || !got[1].Needs.Equal(times(2)) {
			t.Errorf("plan %d: %+v", n, got)
		}
	}
	e.ok(e.RetireBudget(t.Context(), "euro", "ana", t0))
	e.ok(e.Decide(t.Context(), yes(first), t0.Add(time.Hour)))
	now := t0.Add(time.Second)
	line := first.Lines[0].ID
	e.apply(e.step(line, answer(e.armed(line, t0, "nonce-1"), cloud.Bought), now), now)
	if got := look(1); len(got) != 1 || !got[0].Held.Equal(times(1)) || !got[0].Spent.Equal(times(1)) || got[0].Refusal != nil {
		t.Errorf("approved: %+v", got)
	}
	var over *purchase.OverBudget
	if got := look(2); len(got) != 1 || !errors.As(got[0].Refusal, &over) || !over.Free.Equal(times(1)) {
		t.Errorf("the other plan: %+v", got)
	}
}

// A ledger that has forgotten an approval records what that had bought all the
// same: a missing hold never stands in the way of a receipt.
func testForgottenApproval(t *testing.T, e *engine) {
	e.setBudget(budget("march", times(1)))
	line := e.save(1, 1).Lines[0].ID
	e.ok(e.exec("UPDATE line SET state = 'recovery', must_leave_by = $1", micros(t0.Add(time.Hour))))
	now := t0.Add(time.Hour)
	row := e.row(line)
	c := commitment(purchase.Attempt{Intent: row.Intent(now)})
	e.apply(e.step(line, purchase.Looked{Facts: facts, Found: []cloud.Evidence{
		{Kind: cloud.EvidenceListing, Operation: "Describe", Started: now, CloudTime: now, Status: 200, Commitment: &c},
	}}, now), now)
	if row := e.row(line); row.Line.State != purchase.Purchased || len(e.holds(line)) != 0 {
		t.Errorf("%s with the holds %v", row.Line.State, e.holds(line))
	}
	e.sound(now)
}

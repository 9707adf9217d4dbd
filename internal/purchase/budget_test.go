package purchase

import (
	"errors"
	"slices"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

// withHolds gives an approved plan what its approval took: its ceiling and a
// budget of the month, with holds in the states of its lines.
func withHolds(t *testing.T, s *Snapshot, p *Plan) {
	t.Helper()
	ceiling, err := p.Ceiling(t0, "ana")
	if err != nil {
		t.Fatal(err)
	}
	month := Budget{ID: "01BUDGET", Name: "databases", Per: PerMonth, Of: OfHourly, Cap: usd("1000"), CreatedAt: t0, CreatedBy: "ana"}
	for _, b := range []Budget{ceiling, month} {
		c, err := p.Claim(b, t0)
		if err != nil {
			t.Fatal(err)
		}
		period := BudgetPeriod{Budget: b.ID, Period: c.Period, Cap: b.Cap, Held: usd("0"), Spent: usd("0")}
		for i, l := range c.Lines {
			h := Hold{Line: l.Line, Budget: b.ID, Period: c.Period, Amount: l.Amount, State: HoldStateOf(p.Lines[i].State), At: t0}
			switch h.State {
			case HoldHeld:
				period.Held, err = period.Held.Add(l.Amount)
			case HoldSpent:
				period.Spent, err = period.Spent.Add(l.Amount)
			}
			if err != nil {
				t.Fatal(err)
			}
			s.Holds = append(s.Holds, h)
		}
		s.Budgets, s.Periods = append(s.Budgets, b), append(s.Periods, period)
	}
}

// holdOf returns a line's hold on the ceiling of its plan.
func holdOf(s *Snapshot, l *Line) *Hold {
	i := slices.IndexFunc(s.Holds, func(h Hold) bool { return h.Line == l.ID && h.Budget == BudgetID(l.Plan) })
	return &s.Holds[i]
}

// priced is a plan of one line of 3 units at USD 100 upfront and 0.01 per hour,
// that may cost half a per cent more.
func priced(t *testing.T) *Plan {
	t.Helper()
	p := &Plan{ID: testPlan, Version: 1, Tolerance: 50, Lines: []Line{{ID: "01LINE", Spec: Spec{
		Account: "111122223333", Quantity: 3,
		Offering: cloud.Offering{Term: cloud.OneYear, Upfront: usd("100"), Hourly: usd("0.01")},
	}}}}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestALineTakesTheMostItMayCost(t *testing.T) {
	p := priced(t)
	for of, want := range map[Measure]string{
		OfTotal:   "565.614", // 3 x (100 + 0.01 x 8760) x 1.005
		OfUpfront: "301.5",
		OfHourly:  "0.064568", // the total over 8760 hours, rounded up
	} {
		got, err := Budget{Of: of, Cap: usd("1")}.Takes(p.Lines[0], p.Tolerance)
		if err != nil || !got.Equal(usd(want)) {
			t.Errorf("%s: %s, %v, want %s", of, got, err, want)
		}
	}
	// Whatever the tolerance allows at the purchase was held.
	held, err := Budget{Of: OfTotal, Cap: usd("1")}.Takes(p.Lines[0], p.Tolerance)
	if err != nil {
		t.Fatal(err)
	}
	for _, total := range []string{"565.613999", "565.614", "565.614001"} {
		asked := p.Lines[0].Spec.Price
		asked.Total = usd(total)
		allowed, err := p.Tolerance.Allows(p.Lines[0].Spec.Price, asked)
		order, cmpErr := asked.Total.Cmp(held)
		if err != nil || cmpErr != nil || allowed != (order <= 0) {
			t.Errorf("%s is allowed: %v, and %s is held", total, allowed, held)
		}
	}
}

func TestPeriods(t *testing.T) {
	// The last moment of October in UTC is November in Tokyo already.
	at := time.Date(2026, 11, 1, 8, 59, 59, 0, time.FixedZone("JST", 9*3600))
	for per, want := range map[Per]string{PerPlan: "01PLAN", PerMonth: "2026-10", PerEver: "ever"} {
		if got := (Budget{Per: per}).Period("01PLAN", at); got != want {
			t.Errorf("%s: %s, want %s", per, got, want)
		}
	}
}

func TestAClaimIsOfOneAccountAndOneCurrency(t *testing.T) {
	p := priced(t)
	for account, want := range map[cloud.Account]int{"": 1, "111122223333": 1, "444455556666": 0} {
		c, err := p.Claim(Budget{Account: account, Per: PerEver, Of: OfTotal, Cap: usd("1")}, t0)
		if err != nil || len(c.Lines) != want || (want == 0) != c.Amount.IsZero() {
			t.Errorf("account %q: %+v, %v", account, c, err)
		}
	}
	euro := Budget{Name: "eu", Of: OfTotal, Cap: money.MustParse("1", "EUR")}
	_, err := p.Claim(euro, t0)
	var other *OtherCurrency
	if !errors.As(err, &other) || !errors.Is(err, ErrBudget) || other.Line != 1 || other.Currency != "USD" {
		t.Errorf("another currency: %v", err)
	}
	// A budget that covers no line of the plan has nothing to say about it.
	euro.Account = "444455556666"
	if c, err := p.Claim(euro, t0); err != nil || len(c.Lines) != 0 {
		t.Errorf("another currency and account: %+v, %v", c, err)
	}
}

func TestTheCeilingIsTheSumOfWhatTheLinesMayCost(t *testing.T) {
	p := priced(t)
	p.Lines = append(p.Lines, p.Lines[0], p.Lines[0])
	p.Lines[2].Spec.Offering.Upfront = usd("0.0000001")
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	b, err := p.Ceiling(t0, "ana")
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Claim(b, t0)
	if err != nil || !c.Amount.Equal(b.Cap) || len(c.Lines) != 3 || c.Period != string(p.ID) {
		t.Errorf("ceiling %s, claim %+v, %v", b.Cap, c, err)
	}
}

func TestAForgottenApprovalHoldsNothing(t *testing.T) {
	for state, sound := range map[State]bool{
		Draft: true, Recovery: true, NeedsReview: true, Purchased: true, Canceled: true, Superseded: true,
		Ready: false, Armed: false, QueuedLine: false, NeedsReapproval: false,
	} {
		s := healthy(t)
		s.Plans[1].Lines[0].State = state // of the plan that nobody has decided on
		if found := problems(s, t0)["hold-state"]; (len(found) == 0) != sound {
			t.Errorf("%s without a hold: %q", state, found)
		}
		s.Plans[1].Lines[0].Armed = 1
		if found := problems(s, t0)["hold-state"]; state != Draft && len(found) == 0 {
			t.Errorf("%s after an attempt without a hold is not seen", state)
		}
	}
}

package purchase

import (
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

func TestProgressIsWhatTheLinesAddUpTo(t *testing.T) {
	for _, c := range []struct {
		name  string
		state PlanState
		lines []State
		want  Progress
	}{
		{"proposed", PlanProposed, []State{Draft, Draft}, ProgressWaiting},
		{"nothing done yet", PlanApproved, []State{Ready, Ready}, ProgressRunning},
		{"one in doubt", PlanApproved, []State{Purchased, Armed}, ProgressRunning},
		{"one queued", PlanApproved, []State{Purchased, QueuedLine}, ProgressRunning},
		{"one waits for a person, one runs", PlanApproved, []State{NeedsReview, Armed}, ProgressAttention},
		{"a new approval is needed", PlanApproved, []State{Purchased, NeedsReapproval}, ProgressAttention},
		{"recovery", PlanApproved, []State{Purchased, Recovery}, ProgressAttention},
		{"all bought", PlanApproved, []State{Purchased, Purchased}, ProgressComplete},
		{"some bought", PlanApproved, []State{Purchased, Failed}, ProgressPartial},
		{"some bought, others called off", PlanApproved, []State{Canceled, Purchased, Expired}, ProgressPartial},
		{"nothing bought", PlanApproved, []State{Failed, Expired}, ProgressNothing},
		{"rejected", PlanRejected, []State{Canceled, Canceled}, ProgressNothing},
		{"superseded before", PlanSuperseded, []State{Superseded}, ProgressNothing},
		{"superseded in between", PlanSuperseded, []State{Superseded, Purchased}, ProgressPartial},
	} {
		p := &Plan{State: c.state}
		for _, s := range c.lines {
			p.Lines = append(p.Lines, Line{State: s})
		}
		if got := p.Progress(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func price(upfront, hourly, total string) cloud.Price {
	return cloud.Price{Upfront: usd(upfront), Hourly: usd(hourly), Total: usd(total)}
}

func TestToleranceIsExactInEachPart(t *testing.T) {
	approved := price("100", "0.01", "187.60")
	for _, c := range []struct {
		name      string
		tolerance Tolerance
		asked     cloud.Price
		want      bool
	}{
		{"the same", 0, approved, true},
		{"lower", 0, price("99.99", "0.0099", "1"), true},
		{"upfront above", 0, price("100.0000000001", "0.01", "187.60"), false},
		{"hourly above", 0, price("100", "0.0100000000001", "187.60"), false},
		{"total above", 0, price("100", "0.01", "187.6000000001"), false},
		{"exactly one basis point", 1, price("100.01", "0.010001", "187.61876"), true},
		{"upfront just above one", 1, price("100.0100000001", "0.01", "187.60"), false},
		{"hourly just above one", 1, price("100", "0.0100010001", "187.60"), false},
		{"total just above one", 1, price("100", "0.01", "187.6187600001"), false},
		{"double", 10_000, price("200", "0.02", "375.20"), true},
		{"more than double", 10_000, price("200.01", "0.02", "375.20"), false},
		{"a lower total does not pay for a higher upfront", 100, price("102", "0.001", "110.76"), false},
	} {
		if got, err := c.tolerance.Allows(approved, c.asked); err != nil || got != c.want {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
	// Of nothing there is no per cent.
	if ok, err := Tolerance(10_000).Allows(price("0", "1", "8760"), price("0.01", "1", "8760")); err != nil || ok {
		t.Errorf("an upfront price where none was approved: %v, %v", ok, err)
	}
}

func TestToleranceThatCannotBeComputedIsAnError(t *testing.T) {
	big, other := usd("9999999999999999999"), money.MustParse("1", "EUR")
	for name, pair := range map[string][2]cloud.Price{
		"asked too large":    {price("1", "1", "1"), {Upfront: big, Hourly: usd("1"), Total: usd("1")}},
		"approved too large": {{Upfront: big, Hourly: usd("1"), Total: usd("1")}, price("1", "1", "1")},
	} {
		if ok, err := Tolerance(100).Allows(pair[0], pair[1]); !errors.Is(err, money.ErrOverflow) || ok {
			t.Errorf("%s: %v, %v, want ErrOverflow", name, ok, err)
		}
	}
	if ok, err := Tolerance(100).Allows(price("1", "1", "1"), cloud.Price{Upfront: other, Hourly: other, Total: other}); !errors.Is(err, money.ErrCurrency) || ok {
		t.Errorf("another currency: %v, %v, want ErrCurrency", ok, err)
	}
	// A line whose price cannot be compared is not armed.
	c, err := DefaultRules.Step(lineIn(Ready), checkedAt(t0, offered(func(o *cloud.Offering) { o.Upfront, o.Hourly = other, other })), t0)
	if err == nil || c.Arm != nil {
		t.Errorf("a quote in another currency: armed %v, %v", c.Arm, err)
	}
}

func TestPropertyToleranceAgreesWithExactArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		approved := rapid.Int64Range(0, 1_000_000_000).Draw(t, "approved")
		asked := rapid.Int64Range(max(0, approved-approved/50), approved+approved/50+2).Draw(t, "asked")
		bp := rapid.IntRange(0, 300).Draw(t, "tolerance")
		in := func(units int64) cloud.Price {
			a := usd(big.NewRat(units, 10_000).FloatString(4))
			return cloud.Price{Upfront: a, Hourly: a, Total: a}
		}
		got, err := Tolerance(bp).Allows(in(approved), in(asked))
		if err != nil {
			t.Fatal(err)
		}
		limit := new(big.Rat).Mul(big.NewRat(approved, 1), big.NewRat(10_000+int64(bp), 10_000))
		if want := big.NewRat(asked, 1).Cmp(limit) <= 0; got != want {
			t.Fatalf("%d for %d at %d basis points: %v, want %v", asked, approved, bp, got, want)
		}
	})
}

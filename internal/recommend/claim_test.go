package recommend

import (
	"fmt"
	"testing"
)

// TestClaims: what each cloud says is saved becomes savings of a month of 730 hours.
func TestClaims(t *testing.T) {
	for file, want := range map[string]string{
		"ce-rds.json":             "Cost Explorer, 30 days: USD 142.8975",
		"ce-savingsplans.json":    "Cost Explorer, 30 days: USD 530.66",
		"azure-reservations.json": "Azure reservation recommendations, 7 days: unknown",
		// 3 in 168 hours, 605.50 a year, 120.50 in 30 days.
		"azure-savings-plans.json": "Azure savings plan recommendations, 7 days: USD 13.035714",
		"azure-advisor.json":       "Azure Advisor, 30 days: USD 50.458333",
		"recommender.json":         "Google's Recommender, 0 days: USD 122.173611",
		"plan-rds.yaml":            ", 0 days: unknown",
	} {
		in, err := readFile(t, file)
		if err != nil {
			t.Fatal(err)
		}
		d := in.Drafts[0]
		text := "unknown"
		saves, known, err := d.Claim.Saves(d.Quantity)
		if known {
			text = saves.String()
		}
		if got := fmt.Sprintf("%s, %d days: %s", d.Claim.Source, d.Claim.Window, text); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", file, got, err, want)
		}
	}
}

func TestDown(t *testing.T) {
	things := Draft{Service: "rds", Provider: "aws"}
	whole := Draft{Service: "savingsplans", Provider: "aws", Payment: "no-upfront", Unit: "0.00001"}
	half := whole
	half.Payment = savingsPlansHalf
	for _, c := range []struct {
		of   Draft
		n    int64
		want int64
	}{
		{things, -1, 0}, {things, 0, 0}, {things, 1, 1}, {things, 10_001, 10_000},
		{whole, 99, 0}, {whole, 100, 100}, {whole, 12_345, 12_345}, {half, 12_345, 10_000}, {half, 4_999, 0},
	} {
		if got := c.of.Down(c.n); got != c.want {
			t.Errorf("%s %s: %d becomes %d, want %d", c.of.Service, c.of.Payment, c.n, got, c.want)
		}
	}
}

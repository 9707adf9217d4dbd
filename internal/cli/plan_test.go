package cli

import (
	"strings"
	"testing"

	"bursar/internal/api"
	"bursar/internal/money"
)

// Nothing that the simulator sells can be all or nothing yet.
func TestAPlanSaysThatItIsAllOrNothing(t *testing.T) {
	zero := money.MustParse("0", "USD")
	price := api.Price{Upfront: zero, Hourly: zero, Total: zero}
	for _, all := range []bool{true, false} {
		var b strings.Builder
		printPlan(&b, api.Plan{ID: "01P", AllOrNothing: all, Total: price, Bound: price})
		if got := strings.Contains(b.String(), "\nall or nothing: every line is bought, or none\n"); got != all {
			t.Errorf("all or nothing %v:\n%s", all, b.String())
		}
	}
}

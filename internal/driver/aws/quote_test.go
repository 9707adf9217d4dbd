package aws

import (
	"testing"
	"time"

	"bursar/internal/money"
)

// TestAPriceServesAttemptsOfTheMoment: with a role the session proves the caller, so
// attempts for the same offering share what it costs for some seconds; without one
// the read is the proof.
func TestAPriceServesAttemptsOfTheMoment(t *testing.T) {
	for name, tc := range map[string]struct {
		role string
		want [3]int // reads of the offering: of two quotes at once, and of one later
	}{
		"role":   {testRole, [3]int{1, 1, 2}},
		"static": {"", [3]int{1, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, RDS)
			d := w.open(t, func(c *Config) { c.RoleARN = tc.role })
			reads := func() (n int) {
				for _, r := range w.sim.Requests() {
					if r.Operation == rdsProduct.opOfferings {
						n++
					}
				}
				return n
			}
			before := reads()
			dearer := money.MustParse("9000.00", "USD")
			for i, want := range tc.want {
				if i == 2 {
					w.Advance(priceAge)
					if err := w.sim.SetPrice(w.offer.ID, dearer, w.offer.Hourly); err != nil {
						t.Fatal(err)
					}
				}
				q, err := d.Quote(t.Context(), w.request(d))
				if err != nil {
					t.Fatal(err)
				}
				if got := reads() - before; got != want {
					t.Errorf("quote %d: %d reads of the offering, want %d", i+1, got, want)
				}
				if skew := q.CloudTime.Sub(w.Now()).Abs(); skew > 2*time.Second {
					t.Errorf("quote %d: the cloud's time is %s away", i+1, skew)
				}
				if i == 2 && !q.Offering.Upfront.Equal(dearer) {
					t.Errorf("an old price: %s", q.Offering.Upfront)
				}
			}
		})
	}
}

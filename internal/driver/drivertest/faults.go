package drivertest

import (
	"testing"

	"bursar/internal/cloud"
)

// row is one line of the fault table: what the answer may prove, and what is
// true in the world.
type row struct {
	fault     Fault
	want      cloud.Outcome
	owned     int
	impatient bool
}

// faults holds each failure twice where it can be had both ways: with and
// without effect. A driver cannot tell the two apart, so it must not try.
var faults = []row{
	{fault: RequestLost, want: cloud.InDoubt, owned: 0},
	{fault: ReplyLost, want: cloud.InDoubt, owned: 1},
	{fault: Error500, want: cloud.InDoubt, owned: 0},
	{fault: Error500Applied, want: cloud.InDoubt, owned: 1},
	{fault: Error502, want: cloud.InDoubt, owned: 0},
	{fault: Error502Applied, want: cloud.InDoubt, owned: 1},
	{fault: Error503, want: cloud.InDoubt, owned: 0},
	{fault: Error503Applied, want: cloud.InDoubt, owned: 1},
	{fault: ReplySlow, want: cloud.InDoubt, owned: 1, impatient: true},
	{fault: ReplyTorn, want: cloud.InDoubt, owned: 1},
	{fault: Throttled, want: cloud.Throttled, owned: 0},
	{fault: Redirected, want: cloud.InDoubt, owned: 0},
}

func (row row) test(t *testing.T, h Harness) {
	r, s := h.Request(), h.Service
	if row.impatient {
		s = h.Impatient
	}
	quote(t, s, r)
	h.World.Inject(row.fault)
	ev, err := s.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, row.want)
	wantWorld(t, h, r, row.owned, 1)
	wantFound(t, h, r)
	wantHarmless(t, h, r)
	wantFound(t, h, r)
}

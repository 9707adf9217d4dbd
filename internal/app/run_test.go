package app

import (
	"testing"
	"time"

	"bursar/internal/purchase"
)

// TestGoesOn: what reconcile works on without that anybody asks for it.
func TestGoesOn(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		line  purchase.Line
		valid time.Duration
		begun bool
		want  bool
	}{
		{"not begun", purchase.Line{State: purchase.Ready}, time.Hour, false, false},
		{"begun", purchase.Line{State: purchase.Ready}, time.Hour, true, true},
		{"sent before", purchase.Line{State: purchase.Ready, Armed: 1}, time.Hour, false, true},
		{"never to begin", purchase.Line{State: purchase.Ready}, 0, false, true},
		{"in doubt", purchase.Line{State: purchase.Armed, Armed: 1}, time.Hour, false, true},
		{"waits for a new version", purchase.Line{State: purchase.NeedsReapproval, Armed: 1}, time.Hour, false, false},
		{"called off", purchase.Line{State: purchase.NeedsReapproval, Armed: 1, CancelRequested: true}, time.Hour, false, true},
		{"perhaps forgotten", purchase.Line{State: purchase.Recovery}, time.Hour, false, true},
		{"bought", purchase.Line{State: purchase.Purchased, Armed: 1}, time.Hour, false, false},
	} {
		p := &purchase.Plan{State: purchase.PlanApproved, ApprovalExpires: now.Add(c.valid), Lines: []purchase.Line{c.line}}
		if got := goesOn(p, c.begun, now); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

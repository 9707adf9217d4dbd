package drill

import (
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
)

// A line that was left counts from the kill to the first work on it, and what was taken
// up too late fails the drill.
func TestTakeovers(t *testing.T) {
	ours := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	clouds := ours.Add(300 * 24 * time.Hour)
	at := func(s int) time.Time { return ours.Add(time.Duration(s) * time.Second) }
	line := func(id string, armed int, reason string) api.Line {
		return api.Line{ID: id, State: "armed", Reason: reason, UpdatedAt: clouds.Add(time.Duration(armed) * time.Second)}
	}
	for name, tc := range map[string]struct {
		do      func(*takeovers)
		longest time.Duration
		left    int
	}{
		"nobody was killed": {func(k *takeovers) {
			k.see([]api.Line{line("a", 0, "")}, at(1))
			k.see([]api.Line{line("a", 0, "")}, at(30))
		}, 0, 0},
		"killed before it was armed": {func(k *takeovers) {
			k.killed(at(1), clouds.Add(1*time.Second))
			k.see([]api.Line{line("a", 2, "")}, at(3))
			k.see([]api.Line{line("a", 2, "")}, at(30))
		}, 0, 0},
		"worked on": {func(k *takeovers) {
			k.killed(at(2), clouds.Add(2*time.Second))
			k.see([]api.Line{line("a", 1, "")}, at(3))
			k.worked("a", at(1)) // what the dead one had said
			k.worked("b", at(4))
			k.worked("a", at(6))
			k.worked("a", at(29))
			k.see([]api.Line{line("a", 1, "")}, at(30))
		}, 4 * time.Second, 1},
		"found": {func(k *takeovers) {
			k.killed(at(2), clouds.Add(2*time.Second))
			k.see([]api.Line{line("a", 1, "")}, at(3))
			k.see([]api.Line{line("a", 1, "in doubt")}, at(5))
			k.see([]api.Line{line("a", 1, "in doubt")}, at(30))
		}, 3 * time.Second, 1},
		"left once more": {func(k *takeovers) {
			k.killed(at(2), clouds.Add(2*time.Second))
			k.see([]api.Line{line("a", 1, "")}, at(3))
			k.worked("a", at(4))
			k.killed(at(10), clouds.Add(10*time.Second))
			k.see([]api.Line{line("a", 9, "")}, at(11))
			k.worked("a", at(17))
			k.see(nil, at(30))
		}, 7 * time.Second, 2},
		"nobody looks": {func(k *takeovers) {
			k.killed(at(2), clouds.Add(2*time.Second))
			k.see([]api.Line{line("a", 1, "")}, at(3))
			k.see([]api.Line{line("a", 1, "")}, at(19))
		}, 17 * time.Second, 1},
		"nobody can look": {func(k *takeovers) {
			k.killed(at(2), clouds.Add(2*time.Second))
			k.see([]api.Line{line("a", 1, "")}, at(3))
			k.forget()
			k.see([]api.Line{line("a", 1, "")}, at(19))
			k.see([]api.Line{line("a", 1, "")}, at(30))
		}, 0, 1},
	} {
		k := &takeovers{}
		tc.do(k)
		if k.longest != tc.longest || k.left != tc.left {
			t.Errorf("%s: %s and %d lines, want %s and %d", name, k.longest, k.left, tc.longest, tc.left)
		}
		says := k.late(15 * time.Second)
		if late := tc.longest > 15*time.Second; late != (says != "") || late && says != "line a was left by a killed worker and taken up 17s later: --takeover allows 15s" {
			t.Errorf("%s: %q", name, says)
		}
		if says := k.late(0); says != "" {
			t.Errorf("%s: without a bound: %q", name, says)
		}
		if tc.longest > 0 && !strings.HasPrefix(k.late(tc.longest-1), "line a was left") || k.late(max(1, tc.longest)) != "" {
			t.Errorf("%s: the bound itself", name)
		}
	}
}

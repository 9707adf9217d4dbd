package engine

import (
	"errors"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// TestShare: what one process learns of a lane is told once and adopted once by
// another, and all of them together keep to the width of one.
func TestShare(t *testing.T) {
	var one, other paces
	now := noon
	l := one.of(here)
	l.width = laneMost
	one.slower(here)
	for range 2 {
		l.learn("h1", &driver.Error{Err: errors.New("no route")}, now)
	}
	told := one.news(now)
	if len(told) != 1 || told[0].Lane != here || told[0].Most != laneMost/2 || !told[0].Until.Equal(now.Add(2*holdLeast)) || told[0].Cause != l.cause.Error() {
		t.Fatalf("told: %+v", told)
	}
	if again := one.news(now); len(again) != 0 {
		t.Errorf("told again: %+v", again)
	}
	one.tellAgain(here)
	if again := one.news(now.Add(time.Hour)); len(again) != 1 || !again[0].Until.IsZero() || again[0].Cause != "" {
		t.Errorf("after the hold: %+v", again)
	}

	told[0].Version = 1
	other.of(here).width = laneMost
	other.of(there).width = laneMost
	other.adopt(told, nil, nil, now)
	o := other.of(here)
	if o.width != laneMost/2 || o.limit() != laneMost/2 || other.held(here, now) == nil || other.held(here, now).Error() != told[0].Cause {
		t.Errorf("adopted: %+v", o)
	}
	if other.held(there, now) != nil || other.of(there).width != laneMost {
		t.Error("the wrong lane is held")
	}
	o.most, o.until = 12, time.Time{}
	other.adopt(told, nil, nil, now)
	if o.most != 12 || other.held(here, now) != nil {
		t.Error("the same was adopted twice")
	}
	told[0].Version, told[0].Most, told[0].Until = 2, 14, now
	other.adopt(told, nil, nil, now)
	if o.most != 12 || other.held(here, now) != nil {
		t.Errorf("a wider pace and a hold that is over were adopted: %+v", o)
	}
}

// TestTogether: what others have under way leaves less of a lane, and one line at
// least.
func TestTogether(t *testing.T) {
	for _, c := range []struct{ underWay, here, before, want int }{
		{0, 0, 0, laneMost}, {6, 0, 0, laneMost - 6}, {laneMost, 0, 0, 1}, {100, 0, 0, 1},
		{6, 6, 6, laneMost},      // ours
		{6, 2, 6, laneMost},      // ours, of which four have ended meanwhile
		{6, 9, 4, laneMost},      // ours, and more since
		{10, 4, 4, laneMost - 6}, // six are theirs
	} {
		var p paces
		now := noon
		r := round(&p, &now)
		l := p.of(here)
		l.width, l.armed = laneMost, c.here
		p.adopt(nil, map[cloud.Lane]int{here: c.underWay}, map[cloud.Lane]int{here: c.before}, now)
		if got := len(r.take(here)); got != c.want {
			t.Errorf("%+v: %d lines", c, got)
		}
	}
}

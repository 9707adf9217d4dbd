package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

var (
	here, there = cloud.Lane{Region: "here"}, cloud.Lane{Region: "there"}
	locked      = cloud.Lane{Region: "locked"} // one purchase at a time
	noon        = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
)

// round begins a round of 40 lines in each of three lanes.
func round(p *paces, now *time.Time) *turns {
	var due []store.Due
	for i := range 40 {
		due = append(due, store.Due{Lane: here, Line: purchase.LineID(fmt.Sprint("h", i))}, store.Due{Lane: there, Line: purchase.LineID(fmt.Sprint("t", i))},
			store.Due{Lane: locked, Line: purchase.LineID(fmt.Sprint("l", i))})
	}
	t := newTurns(p, func() time.Time { return *now }, func(l cloud.Lane) bool { return l == locked })
	t.add(due)
	t.close()
	return t
}

// take returns the lines that may be under way now, of one lane.
func (t *turns) take(lane cloud.Lane) (list []store.Due) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	for {
		free := false
		t.paces.mu.Lock()
		for _, l := range t.lanes {
			free = free || len(l.due) > 0 && (l.may() || t.now().Before(l.until))
		}
		t.paces.mu.Unlock()
		if !free {
			return list
		}
		if d, _ := t.next(ctx); d.Lane == lane {
			list = append(list, d)
		}
	}
}

// TestPace: how many lines of a lane are under way depends on how the last went.
func TestPace(t *testing.T) {
	var p paces
	now := noon
	r := round(&p, &now)
	well := func(lines []store.Due) {
		for _, d := range lines {
			r.done(d, nil)
		}
	}
	for _, want := range []int{1, 2, 4, 8, 16} {
		lines := r.take(here)
		if len(lines) != want {
			t.Errorf("%d lines, want %d", len(lines), want)
		}
		well(lines)
	}
	r = round(&p, &now)
	p.of(locked).busy = 0
	for range 5 {
		lines := r.take(locked)
		if len(lines) != 1 {
			t.Errorf("%d lines of a lane for one purchase at a time", len(lines))
		}
		well(lines)
	}
	r = round(&p, &now)
	p.of(here).busy = 0
	lines := r.take(here)
	if len(lines) != laneMost {
		t.Fatalf("%d lines, want %d", len(lines), laneMost)
	}
	p.slower(here)
	well(lines)
	if got := len(r.take(here)); got != laneMost/2 {
		t.Errorf("%d lines after a refusal for being asked too often", got)
	}
	for range laneMost { // 16 lines that go well for each one more
		r = round(&p, &now)
		p.of(here).busy = 0
		well(r.take(here))
	}

	// One failure leaves one line, two in a row none for a while, then one.
	r = round(&p, &now)
	p.of(here).busy = 0
	lines = r.take(here)
	once := &driver.Error{Err: errors.New("reset")}
	well(lines[2:])
	r.done(lines[0], once)
	r.done(lines[1], &driver.Error{Err: context.Canceled})
	lines = r.take(here)
	if len(lines) != 1 || p.held(here, now) != nil {
		t.Errorf("%d lines after a failure, held: %v", len(lines), p.held(here, now))
	}
	r.done(lines[0], once)
	if err := p.held(here, now); !errors.As(err, new(held)) || err.Error() != once.Error() {
		t.Errorf("after two failures: %v", err)
	}
	if p.held(there, now) != nil || !p.said(lines[0], now) {
		t.Error("the wrong lane or line is held")
	}
	for i, want := range []time.Duration{20 * time.Second, 40 * time.Second, 80 * time.Second, 2 * time.Minute, 2 * time.Minute} {
		until := p.of(here).until
		now = until
		r = round(&p, &now)
		lines := r.take(here)
		if len(lines) != 1 {
			t.Fatalf("hold %d: %d lines are tried after it", i, len(lines))
		}
		r.done(lines[0], once)
		if got := p.of(here).until.Sub(now); got != want {
			t.Errorf("hold %d lasts %s, want %s", i, got, want)
		}
	}
}

package purchase

import (
	"fmt"
	"iter"
	"testing"
	"time"
)

// crashed is what a killed process panics with.
type crashed struct{}

// runUntil advances the line in a process that is killed at its kth port call,
// before or after the effect of the call. It reports whether that call came.
func (w *world) runUntil(k int, afterEffect bool) (killed bool) {
	calls := 0
	kill := func(after bool) func(string) {
		return func(string) {
			if !after {
				calls++
			}
			if calls == k && after == afterEffect {
				panic(crashed{})
			}
		}
	}
	defer func() {
		if r := recover(); r != nil {
			if _, ours := r.(crashed); !ours {
				panic(r)
			}
			killed = true
		}
	}()
	// What a process that was not killed makes of trouble is not of interest here.
	_, _ = w.process(kill(false), kill(true)).Advance(w.Context(), testLine)
	return false
}

// downtimes are how long nobody works after a crash: shorter than an answer may
// take, shorter than the settled time, and longer than everything.
var downtimes = []time.Duration{0, 5 * time.Second, 55 * time.Second, 3 * time.Minute, 20 * time.Minute}

func TestACrashAtAnyPortCallBuysOnce(t *testing.T) {
	histories := 0
	for _, faults := range [][]fault{nil, {lostReply}, {lostRequest}, {throttles}, {lostReply, lostReply}, {lostRequest, lostReply}} {
		for _, afterEffect := range []bool{false, true} {
			for _, down := range downtimes {
				for k := 1; ; k++ {
					w := newWorld(t, lineIn(Ready), faults...)
					killed := w.runUntil(k, afterEffect)
					w.clock.now = w.clock.now.Add(down)
					w.bought(w.settle())
					histories++
					if t.Failed() {
						t.Fatalf("faults %q, killed at call %d (after its effect: %v), down for %s", faults, k, afterEffect, down)
					}
					if !killed {
						break
					}
				}
			}
		}
	}
	if histories < 500 {
		t.Errorf("only %d histories", histories)
	}
}

func TestTwoCrashesAtAnyPortCallsBuyOnce(t *testing.T) {
	for _, faults := range [][]fault{nil, {lostReply}, {lostRequest}} {
		for _, down := range downtimes[1:] {
			for first := 1; first <= 12; first++ {
				for second := 1; second <= 12; second++ {
					for effects := range 4 {
						w := newWorld(t, lineIn(Ready), faults...)
						w.runUntil(first, effects&1 != 0)
						w.clock.now = w.clock.now.Add(down)
						w.runUntil(second, effects&2 != 0)
						w.clock.now = w.clock.now.Add(down)
						w.bought(w.settle())
						if t.Failed() {
							t.Fatalf("faults %q, killed at calls %d and %d (effects %02b), down for %s", faults, first, second, effects, down)
						}
					}
				}
			}
		}
	}
}

// stepper is a process that halts before each call of a port and while its
// request is on the wire.
type stepper struct {
	next func() (string, bool)
	done bool
}

func (w *world) stepper() (*stepper, func()) {
	next, stop := iter.Pull(func(yield func(string) bool) {
		halt := func(port string) {
			if !yield(port) {
				panic(crashed{})
			}
		}
		defer func() {
			if r := recover(); r != nil {
				if _, ours := r.(crashed); !ours {
					panic(r)
				}
			}
		}()
		p := w.process(func(port string) {
			halt(port)
			// Whoever calls next sets what happens while its own request is under way.
			w.cloud.onWire = func() { halt("wire") }
		}, nil)
		_, _ = p.Advance(w.Context(), testLine) // trouble is part of the history
	})
	return &stepper{next: next}, stop
}

// run lets the process make n port calls, or all that it has left.
func (s *stepper) run(n int) {
	for i := 0; i < n && !s.done; i++ {
		_, more := s.next()
		s.done = !more
	}
}

// halted ends the steppers; requests are no longer halted on the wire.
func (w *world) halted(stops ...func()) {
	for _, stop := range stops {
		stop()
	}
	w.cloud.onWire = func() {}
}

const allTheRest = 1 << 20

func TestTwoProcessesOnOneLineBuyOnce(t *testing.T) {
	for _, faults := range [][]fault{nil, {lostReply}, {lostRequest}, {throttles}} {
		for _, jump := range []time.Duration{0, time.Second, 55 * time.Second, 8 * time.Minute} {
			t.Run(fmt.Sprintf("%q, %s later", faults, jump), func(t *testing.T) {
				// The first makes i calls, the second j, the first k more, then both end.
				for i := 0; i <= 14; i++ {
					for j := 0; j <= 14; j++ {
						for k := 0; k <= 6; k += 2 {
							w := newWorld(t, lineIn(Ready), faults...)
							a, stopA := w.stepper()
							b, stopB := w.stepper()
							a.run(i)
							w.clock.now = w.clock.now.Add(jump)
							b.run(j)
							a.run(k)
							w.clock.now = w.clock.now.Add(jump)
							b.run(allTheRest)
							a.run(allTheRest)
							w.halted(stopA, stopB)
							w.bought(w.settle())
							if t.Failed() {
								t.Fatalf("the first halted at call %d, the second at %d, the first again after %d more", i, j, k)
							}
						}
					}
				}
			})
		}
	}
}

func TestEveryInterleavingOfTwoProcessesBuysOnce(t *testing.T) {
	// Every order of the calls of two processes, as a string of bits: 0 lets the
	// first make its next call, 1 the second. What is left runs in order.
	const calls = 13
	for order := range 1 << calls {
		w := newWorld(t, lineIn(Ready), lostReply)
		a, stopA := w.stepper()
		b, stopB := w.stepper()
		for bit := range calls {
			if order>>bit&1 == 0 {
				a.run(1)
			} else {
				b.run(1)
			}
		}
		a.run(allTheRest)
		b.run(allTheRest)
		w.halted(stopA, stopB)
		w.bought(w.settle())
		if t.Failed() {
			t.Fatalf("order %0*b", calls, order)
		}
	}
}

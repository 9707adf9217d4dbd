package dst

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"

	"bursar/internal/cloud"
)

// TestMain lets garbage pile up: histories are short and leave little behind.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

func runner(t *testing.T) *Runner {
	r := new(Runner)
	t.Cleanup(r.Close)
	return r
}

// spread runs histories on all cores.
func spread(from, to int, m Mutant) Tally {
	var (
		mu    sync.Mutex
		total Tally
		wg    sync.WaitGroup
		cores = runtime.GOMAXPROCS(0)
	)
	for core := range cores {
		wg.Go(func() {
			var t Tally
			r := new(Runner)
			defer r.Close()
			for seed := from + core; seed < to; seed += cores {
				t.Add(r.Run(uint64(seed), m))
			}
			mu.Lock()
			defer mu.Unlock()
			total.Merge(t)
		})
	}
	wg.Wait()
	return total
}

// TestCorrect runs histories of the correct protocol: no invariant is violated,
// every family of faults happens, and processes are killed at every await point.
func TestCorrect(t *testing.T) {
	histories := 40_000
	if os.Getenv("CI") == "true" {
		histories = 500_000
	}
	total := spread(0, histories, Mutant{})
	if total.Violated > 0 {
		s := runner(t).Shrink(total.First.Seed, Mutant{})
		t.Fatalf("%d of %d histories violated; seed %d: %s", total.Violated, total.Histories, total.First.Seed, tell(s))
	}
	for _, name := range total.Uncovered() {
		t.Errorf("never happened: %s", name)
	}
}

func tell(s Shrunk) string {
	text := s.Violation
	for _, line := range s.Trace {
		text += "\n" + line
	}
	return text
}

// TestSameSeedSameHistory: a seed is a history.
func TestSameSeedSameHistory(t *testing.T) {
	r := runner(t)
	for seed := range uint64(500) {
		a, b := r.Run(seed, Mutant{}), r.Run(seed, Mutant{})
		if a.Hash != b.Hash || a.Awaits != b.Awaits {
			t.Fatalf("seed %d is two histories", seed)
		}
	}
}

// TestExhaustive puts every fault, and every pair of faults, at every await of a
// calm history.
func TestExhaustive(t *testing.T) {
	for _, class := range []cloud.Class{cloud.ClassName, cloud.ClassToken, cloud.ClassNone, cloud.ClassQueued, cloud.ClassHandle} {
		n, violation := runner(t).Exhaust(class, true)
		if violation != "" {
			t.Errorf("class %s: %s", class, violation)
		}
		t.Logf("class %s: %d histories", class, n)
	}
}

// TestShrink: a violation is made small enough to read.
func TestShrink(t *testing.T) {
	m, err := Named("no-quarantine")
	if err != nil {
		t.Fatal(err)
	}
	total := spread(0, 2000, m)
	if total.Violated == 0 {
		t.Fatal("no violation to shrink")
	}
	s := runner(t).Shrink(total.First.Seed, m)
	t.Logf("%d choices became %d in %d replays\n%s", s.From, s.To, s.Replays, tell(s))
	if s.Violation == "" || s.To >= s.From || len(s.Trace) > 40 {
		t.Errorf("%d choices, %d lines", s.To, len(s.Trace))
	}
}

func BenchmarkHistories(b *testing.B) {
	b.RunParallel(func(pb *testing.PB) {
		r := new(Runner)
		defer r.Close()
		seed := uint64(0)
		for pb.Next() {
			seed++
			r.Run(seed, Mutant{})
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "histories/s")
}

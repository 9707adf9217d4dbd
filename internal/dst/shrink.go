package dst

import (
	"slices"
	"strings"
)

// Shrunk is a violation made as small as it goes.
type Shrunk struct {
	Violation string
	Trace     []string
	From, To  int // choices that are not benign, before and after
	Replays   int
}

// Shrink replays the history of a seed with fewer and calmer choices for as long
// as the same invariant is violated. It returns the zero Shrunk if the seed
// violates nothing.
func (r *Runner) Shrink(seed uint64, m Mutant) Shrunk {
	w := r.world(&choices{state: seed}, m)
	w.run()
	if w.violation == "" {
		return Shrunk{}
	}
	s := &shrinker{runner: r, mutant: m, invariant: invariantOf(w.violation), best: w.c.list[:min(w.c.at, len(w.c.list))]}
	from := wild(s.best)
	for s.replays < maxReplays {
		before := slices.Clone(s.best)
		s.zeroBlocks()
		s.deleteBlocks()
		s.lower()
		if slices.Equal(before, s.best) {
			break
		}
	}
	last := r.replay(s.best, m, true)
	return Shrunk{Violation: last.violation, Trace: last.trace, From: from, To: wild(s.best), Replays: s.replays}
}

// maxReplays bounds the work of one shrinking.
const maxReplays = 6000

type shrinker struct {
	runner    *Runner
	mutant    Mutant
	invariant string
	best      []uint16
	replays   int
}

func invariantOf(violation string) string {
	name, _, _ := strings.Cut(violation, ":")
	return name
}

func wild(list []uint16) (n int) {
	for _, v := range list {
		if v != 0 {
			n++
		}
	}
	return n
}

func (r *Runner) replay(list []uint16, m Mutant, tracing bool) *world {
	w := r.world(&choices{list: list, replay: true}, m)
	w.tracing = tracing
	w.run()
	return w
}

// keep takes a candidate over if it still violates the invariant.
func (s *shrinker) keep(candidate []uint16) bool {
	if s.replays >= maxReplays {
		return false
	}
	s.replays++
	w := s.runner.replay(candidate, s.mutant, false)
	if invariantOf(w.violation) != s.invariant {
		return false
	}
	// What was never read is not part of the history.
	s.best = candidate[:min(w.c.at, len(candidate))]
	return true
}

func (s *shrinker) zeroBlocks() {
	for size := max(len(s.best)/2, 1); size > 0; size /= 2 {
		for at := 0; at < len(s.best); at += size {
			end := min(at+size, len(s.best))
			if wild(s.best[at:end]) == 0 {
				continue
			}
			c := slices.Clone(s.best)
			clear(c[at:end])
			s.keep(c)
		}
	}
}

func (s *shrinker) deleteBlocks() {
	for size := 16; size > 0; size /= 2 {
		for at := len(s.best) - size; at >= 0; at -= size {
			if at+size <= len(s.best) {
				s.keep(slices.Delete(slices.Clone(s.best), at, at+size))
			}
		}
	}
}

// lower tries smaller values of what is left.
func (s *shrinker) lower() {
	for at := 0; at < len(s.best); at++ {
		for v := s.best[at] / 2; at < len(s.best) && s.best[at] > 1; v /= 2 {
			c := slices.Clone(s.best)
			c[at] = max(v, 1)
			if !s.keep(c) || v == 0 {
				break
			}
		}
	}
}

package drill

import (
	"fmt"
	"sync"
	"time"

	"bursar/internal/api"
)

// takeovers measures how long lines that a killed worker may have left stay without a
// look: a line is left by the first kill after it was armed, and taken up when a worker
// has worked on it, or when it is armed without a word no more. Its sender may have been
// another worker, which lives and waits for the answer: so what is measured is what a
// take-over takes at most.
type takeovers struct {
	mu      sync.Mutex
	kills   []kill // oldest first
	waiting map[string]*leftLine
	longest time.Duration
	worst   string // the line that took longest
	left    int
}

// kill is when a worker was killed, by our clock and by that of the clouds.
type kill struct{ ours, clouds time.Time }

// leftLine is a line that nobody has looked at since it was left.
type leftLine struct {
	armed, since time.Time // by the clock of the clouds, and by ours
}

// killed is told of a kill before it happens.
func (t *takeovers) killed(ours, clouds time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kills = append(t.kills, kill{ours, clouds})
}

// worked is told that a worker has worked on a line, at a time by our clock.
func (t *takeovers) worked(line string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.waiting[line]; l != nil && !l.since.IsZero() && at.After(l.since) {
		t.took(line, at.Sub(l.since))
		// It is looked at from now on as every line in doubt is.
		l.since = time.Time{}
	}
}

func (t *takeovers) took(line string, d time.Duration) {
	if d > t.longest {
		t.longest, t.worst = d, line
	}
}

// forget is told that nobody could look meanwhile.
func (t *takeovers) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kills, t.waiting = nil, nil
}

// see holds the lines of the ledger at a time, by our clock, against the kills.
func (t *takeovers) see(lines []api.Line, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	still := map[string]*leftLine{}
	for _, l := range lines {
		if l.State != "armed" || l.Reason != "" {
			continue
		}
		was := t.waiting[l.ID]
		if was == nil || !was.armed.Equal(l.UpdatedAt) {
			was = t.leaves(l)
		}
		if was != nil {
			still[l.ID] = was
		}
	}
	for id, l := range t.waiting {
		if !l.since.IsZero() {
			t.took(id, now.Sub(l.since))
		}
	}
	t.waiting = still
}

// leaves is the line as it was left; nil if no worker was killed since it was armed.
func (t *takeovers) leaves(l api.Line) *leftLine {
	for _, k := range t.kills {
		if !k.clouds.Before(l.UpdatedAt) {
			t.left++
			return &leftLine{l.UpdatedAt, k.ours}
		}
	}
	return nil
}

// measured is the longest take-over, and how many lines were left.
func (t *takeovers) measured() (longest time.Duration, left int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.longest, t.left
}

// late says what was taken up later than the bound; "" for nothing, or without a bound.
func (t *takeovers) late(bound time.Duration) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if bound <= 0 || t.longest <= bound {
		return ""
	}
	return fmt.Sprintf("line %s was left by a killed worker and taken up %s later: --takeover allows %s", t.worst, t.longest.Round(10*time.Millisecond), bound)
}

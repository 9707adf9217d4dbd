package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// A lane that does not answer must not keep the workers from the others. Each
// lane begins with one line at a time. What goes well lets more of its lines be
// under way; a refusal for being asked too often halves them, and a failure leaves
// one. A lane that fails for a reason that concerns all of it, or twice in a row,
// is not asked for a while: its lines say why, without asking. Where one purchase of
// a lane may be open at a time, one line of it is: another would only ask for a
// price that it cannot take.
const (
	laneMost  = 16 // lines of one lane under way
	holdLeast = 5 * time.Second
	holdMost  = 2 * time.Minute
)

// paces are those of all lanes. The zero value is ready.
type paces struct {
	mu    sync.Mutex
	lanes map[cloud.Lane]*pace
}

// pace is what the last lines of one lane have taught.
type pace struct {
	width  int // lines that may be under way
	most   int // that width may grow to, slowly above where it was too much; 0 is laneMost
	well   int // lines that went well at that width
	busy   int // lines that are under way
	failed int // lines in a row that could not ask
	// until is when the lane is asked again, by our clock, and cause why not sooner;
	// told are the lines that say so.
	until time.Time
	cause error
	told  map[purchase.LineID]bool
}

// of returns the pace of a lane. The caller holds mu.
func (p *paces) of(lane cloud.Lane) *pace {
	if p.lanes == nil {
		p.lanes = map[cloud.Lane]*pace{}
	}
	if p.lanes[lane] == nil {
		p.lanes[lane] = &pace{width: 1, told: map[purchase.LineID]bool{}}
	}
	return p.lanes[lane]
}

// held returns why a lane is not asked now, nil if it may be.
func (p *paces) held(lane cloud.Lane, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.of(lane); now.Before(l.until) {
		return held{l.cause}
	}
	return nil
}

// said reports whether nothing can be done for a line now but what it says
// already: its lane is held.
func (p *paces) said(d store.Due, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.of(d.Lane)
	return now.Before(l.until) && l.told[d.Line]
}

// slower halves the lines under way of a lane that was asked too often.
func (p *paces) slower(lane cloud.Lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.of(lane)
	l.most, l.well = max(1, l.width/2), 0
	l.width = l.most
}

func (l *pace) limit() int {
	if l.most == 0 {
		return laneMost
	}
	return l.most
}

// learn takes in how the work on a line ended.
func (l *pace) learn(line purchase.LineID, err error, now time.Time) {
	var e *driver.Error
	switch {
	case err == nil:
		l.failed = 0
		if l.well++; l.well > laneMost {
			l.most, l.well = min(l.limit()+1, laneMost), 0
		}
		l.width = min(l.width+1, l.limit())
	case errors.As(err, new(held)):
		l.told[line] = true
	case errors.As(err, &e) && !errors.Is(err, context.Canceled):
		l.failed++
		l.width = 1
		if e.Trouble != "" || l.failed > 1 {
			l.until, l.cause = now.Add(min(holdLeast<<min(l.failed-1, 8), holdMost)), err
			l.told = map[purchase.LineID]bool{line: true}
		}
	}
}

// held is the error of a line whose lane is not asked now. Its text is the cause.
type held struct{ error }

// turns hands out the lines of one round, so that no lane keeps the others
// waiting.
type turns struct {
	paces *paces
	now   func() time.Time

	change *sync.Cond // of all below, and of the paces; its lock is that of paces
	lanes  []*turn
	left   int
}

// turn is what one lane has to do in a round.
type turn struct {
	*pace
	single bool
	due    []store.Due
}

// may reports whether one more line of the lane may be under way.
func (l *turn) may() bool { return l.busy < l.width && (!l.single || l.busy == 0) }

// newTurns begins a round. single tells the lanes in which one purchase may be open
// at a time.
func newTurns(p *paces, now func() time.Time, single func(cloud.Lane) bool, due []store.Due) *turns {
	t := &turns{paces: p, now: now, change: sync.NewCond(&p.mu), left: len(due)}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := map[cloud.Lane]*turn{}
	for _, d := range due {
		l := at[d.Lane]
		if l == nil {
			l = &turn{pace: p.of(d.Lane), single: single(d.Lane)}
			at[d.Lane] = l
			t.lanes = append(t.lanes, l)
		}
		l.due = append(l.due, d)
	}
	return t
}

// next waits for a line that may be worked on, of the lane with the fewest lines
// under way. It returns false when the round is over.
func (t *turns) next(ctx context.Context) (store.Due, bool) {
	stop := context.AfterFunc(ctx, func() {
		t.paces.mu.Lock()
		defer t.paces.mu.Unlock()
		t.change.Broadcast()
	})
	defer stop()
	t.paces.mu.Lock()
	defer t.paces.mu.Unlock()
	for t.left > 0 && ctx.Err() == nil {
		var best *turn
		now := t.now()
		for _, l := range t.lanes {
			// A line of a held lane only takes note of it.
			if len(l.due) > 0 && (l.may() || now.Before(l.until)) && (best == nil || l.busy < best.busy) {
				best = l
			}
		}
		if best != nil {
			d := best.due[0]
			best.due = best.due[1:]
			best.busy++
			t.left--
			return d, true
		}
		t.change.Wait()
	}
	return store.Due{}, false
}

// done takes in how the work on a line ended.
func (t *turns) done(d store.Due, err error) {
	t.paces.mu.Lock()
	defer t.paces.mu.Unlock()
	l := t.paces.of(d.Lane)
	l.busy--
	l.learn(d.Line, err, t.now())
	t.change.Broadcast()
}

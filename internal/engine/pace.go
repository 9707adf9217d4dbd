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

	// Of all workers: armed are the attempts that this one waits for, others those that
	// the others do; version is what was adopted of them, news that they do not know yet
	// what was learned here.
	armed, others int
	version       int
	news          bool
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
	l.width, l.news = l.most, true
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
			l.news = true
		}
	}
}

// held is the error of a line whose lane is not asked now. Its text is the cause.
type held struct{ error }

// turns hands out lines, so that no lane keeps the others waiting.
type turns struct {
	paces  *paces
	now    func() time.Time
	single func(cloud.Lane) bool // tells the lanes in which one purchase may be open at a time

	change *sync.Cond // of all below, and of the paces; its lock is that of paces
	lanes  map[cloud.Lane]*turn
	left   int                           // lines that nobody works on yet
	here   map[purchase.LineID]bool      // those, and the ones under way
	rests  map[purchase.LineID]time.Time // lines that are not handed in before, by the wall clock
	closed bool                          // no more lines come
	// low is sent to when few lines are left, if somebody waits for that.
	low   chan struct{}
	lowAt int
}

// turn is what one lane has to do.
type turn struct {
	*pace
	single bool
	due    []store.Due
}

// may reports whether one more line of the lane may be under way. One may always, so
// that what a dead worker has armed stops nobody.
func (l *turn) may() bool {
	return l.busy == 0 || l.busy < l.width && !l.single && l.busy+l.others < l.limit()
}

func newTurns(p *paces, now func() time.Time, single func(cloud.Lane) bool) *turns {
	return &turns{
		paces: p, now: now, single: single, change: sync.NewCond(&p.mu),
		lanes: map[cloud.Lane]*turn{}, here: map[purchase.LineID]bool{}, rests: map[purchase.LineID]time.Time{}, low: make(chan struct{}, 1),
	}
}

// add hands in lines, of which those that are here already are left out.
func (t *turns) add(due []store.Due) {
	t.paces.mu.Lock()
	defer t.paces.mu.Unlock()
	for _, d := range due {
		if t.here[d.Line] {
			continue
		}
		l := t.lanes[d.Lane]
		if l == nil {
			l = &turn{pace: t.paces.of(d.Lane), single: t.single(d.Lane)}
			t.lanes[d.Lane] = l
		}
		l.due = append(l.due, d)
		t.here[d.Line] = true
		t.left++
	}
	t.change.Broadcast()
}

// close says that no more lines come.
func (t *turns) close() {
	t.paces.mu.Lock()
	defer t.paces.mu.Unlock()
	t.closed = true
	t.change.Broadcast()
}

// waiting counts the lines of a lane that nobody works on yet, and all of them.
func (t *turns) waiting() (in map[cloud.Lane]int, all int) {
	t.paces.mu.Lock()
	defer t.paces.mu.Unlock()
	in = make(map[cloud.Lane]int, len(t.lanes))
	for lane, l := range t.lanes {
		in[lane] = len(l.due)
	}
	return in, t.left
}

// has reports whether a line is waiting, under way, or at rest.
func (t *turns) has(line purchase.LineID, now time.Time) bool {
	t.paces.mu.Lock()
	defer t.paces.mu.Unlock()
	until, rests := t.rests[line]
	if rests && !now.Before(until) {
		delete(t.rests, line)
		rests = false
	}
	return t.here[line] || rests
}

// rest leaves a line alone for a while.
func (t *turns) rest(line purchase.LineID, until time.Time) {
	t.paces.mu.Lock()
	defer t.paces.mu.Unlock()
	t.rests[line] = until
}

// underWay lists the lines that are worked on.
func (t *turns) underWay() []purchase.LineID {
	t.paces.mu.Lock()
	defer t.paces.mu.Unlock()
	waiting := map[purchase.LineID]bool{}
	for _, l := range t.lanes {
		for _, d := range l.due {
			waiting[d.Line] = true
		}
	}
	var list []purchase.LineID
	for line := range t.here {
		if !waiting[line] {
			list = append(list, line)
		}
	}
	return list
}

// next waits for a line that may be worked on, of the lane with the fewest lines
// under way. It returns false when no more come, or ctx is over.
func (t *turns) next(ctx context.Context) (store.Due, bool) {
	stop := context.AfterFunc(ctx, func() {
		t.paces.mu.Lock()
		defer t.paces.mu.Unlock()
		t.change.Broadcast()
	})
	defer stop()
	t.paces.mu.Lock()
	defer t.paces.mu.Unlock()
	for (t.left > 0 || !t.closed) && ctx.Err() == nil {
		var best *turn
		now := t.now()
		for lane, l := range t.lanes {
			if len(l.due) == 0 {
				delete(t.lanes, lane)
				continue
			}
			// A line of a held lane only takes note of it.
			if (l.may() || now.Before(l.until)) && (best == nil || l.busy < best.busy) {
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
	delete(t.here, d.Line)
	if t.left <= t.lowAt {
		select {
		case t.low <- struct{}{}:
		default:
		}
	}
	t.change.Broadcast()
}

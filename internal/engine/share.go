package engine

import (
	"context"
	"errors"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// What a worker learns of a lane, that it was asked too often or that it is not asked
// for a while, is told to the others by a row. So is, by the attempts themselves,
// how many purchases of the lane are under way elsewhere: all workers together keep to
// what one would do.

// paceMemory is how long what was learned of a lane is news to a worker that starts.
const paceMemory = holdMost

// share tells what this process has learned since the last time and adopts what others
// have. What cannot be told or read now is so the next time.
func (e *Engine) share(ctx context.Context) {
	now := e.Now()
	for _, p := range e.paces.news(now) {
		if err := e.DB.LearnPace(ctx, p); err != nil {
			e.paces.tellAgain(p.Lane)
			e.Log.Debug("the pace of a lane was not told", "lane", p.Lane, "error", err)
		}
	}
	learned, err := e.DB.Paces(ctx, now.Add(-paceMemory), now)
	if err != nil {
		e.Log.Debug("the paces of lanes cannot be read", "error", err)
		return
	}
	before := e.paces.armedHere()
	underWay, err := e.DB.UnderWay(ctx, now)
	if err != nil {
		e.Log.Debug("what is under way cannot be read", "error", err)
		return
	}
	e.paces.adopt(learned, underWay, before, now)
}

// news returns what was learned of lanes and not told yet.
func (p *paces) news(now time.Time) (list []store.Pace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for lane, l := range p.lanes {
		if !l.news {
			continue
		}
		l.news = false
		n := store.Pace{Lane: lane, Most: l.limit(), At: now}
		if now.Before(l.until) {
			n.Until, n.Cause = l.until, l.cause.Error()
		}
		list = append(list, n)
	}
	return list
}

func (p *paces) tellAgain(lane cloud.Lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(lane).news = true
}

// armedHere counts the attempts of each lane that this process is waiting for.
func (p *paces) armedHere() map[cloud.Lane]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := map[cloud.Lane]int{}
	for lane, l := range p.lanes {
		if l.armed > 0 {
			n[lane] = l.armed
		}
	}
	return n
}

// adopt takes in what others have learned, and how much of each lane is under way
// elsewhere. before is what was under way here before the others were counted: what
// began or ended meanwhile is not theirs.
func (p *paces) adopt(learned []store.Pace, underWay, before map[cloud.Lane]int, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for lane, l := range p.lanes {
		l.others = max(0, underWay[lane]-max(l.armed, before[lane]))
	}
	for _, n := range learned {
		l := p.of(n.Lane)
		if n.Version <= l.version {
			continue
		}
		l.version = n.Version
		if n.Most < l.limit() {
			l.most, l.well = n.Most, 0
			l.width = min(l.width, n.Most)
		}
		if n.Until.After(l.until) && now.Before(n.Until) {
			l.until, l.cause, l.told = n.Until, errors.New(n.Cause), map[purchase.LineID]bool{}
		}
	}
}

// arming counts, for the time that a line is worked on, the attempt that is armed for
// it.
type arming struct {
	*store.DB
	paces *paces
	lane  *cloud.Lane // nil while none is
}

func (a *arming) Apply(ctx context.Context, c purchase.Change, now time.Time) error {
	if c.Arm != nil && a.lane == nil {
		lane := laneOf(c.Arm.Intent)
		a.lane = &lane
		a.paces.count(lane, 1)
	}
	return a.DB.Apply(ctx, c, now)
}

func (a *arming) done() {
	if a.lane != nil {
		a.paces.count(*a.lane, -1)
	}
}

func (p *paces) count(lane cloud.Lane, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(lane).armed += n
}

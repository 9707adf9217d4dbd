package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

var _ purchase.Watcher = market{}

// newsAge is how old a listing of a lane may be that tells what is new there: one
// listing then serves all lines of a plan in the lane.
const newsAge = time.Minute

// looks keeps the last complete look at each lane. The zero value is ready.
type looks struct {
	mu    sync.Mutex
	lanes map[cloud.Lane]*kept
}

// kept is one lane's look. Whoever holds the only slot may read and replace it.
type kept struct {
	slot chan struct{}
	look *look
}

// look is what one complete look at a lane found. It is never changed.
type look struct {
	lane  cloud.Lane
	began time.Time // our clock, UTC
	found []cloud.Evidence
	// twice: another look, a moment before, showed the same.
	twice bool
	mu    sync.Mutex
	// strange are the commitments that bind and that a plan's lane did not hold when
	// the plan was made.
	strange map[purchase.PlanID][]cloud.Commitment
}

func (l *looks) lane(lane cloud.Lane) *kept {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lanes == nil {
		l.lanes = map[cloud.Lane]*kept{}
	}
	k := l.lanes[lane]
	if k == nil {
		k = &kept{slot: make(chan struct{}, 1)}
		l.lanes[lane] = k
	}
	return k
}

// errDiffer: one of two looks at a lane is not complete, and neither says so.
var errDiffer = errors.New("two listings of the lane, one after the other, do not show the same: nothing is concluded from them")

// recent returns a look at a lane that began at or after since: the last one, if
// it did, or a new one. Lines that ask at once share one look; a look that failed
// is not kept.
//
// With twice it is one that another look agrees with: a listing may end early and
// not say so, and from what it then does not show would follow that nothing was
// bought.
func (e *Engine) recent(ctx context.Context, lane cloud.Lane, since time.Time, twice bool) (*look, error) {
	k := e.kept.lane(lane)
	select {
	case k.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-k.slot }()
	l, err := k.look, error(nil)
	if l == nil || l.began.Before(since) || l.began.After(e.Now()) {
		if l, err = e.look(ctx, lane); err != nil {
			return nil, err
		}
		k.look = l
	}
	if !twice || l.twice {
		return l, nil
	}
	again, err := e.look(ctx, lane)
	if err != nil {
		return nil, err
	}
	k.look, again.twice = again, again.agrees(l)
	if !again.twice {
		return nil, errDiffer
	}
	return again, nil
}

// agrees reports whether a look shows all that an earlier one does, and besides only
// what has begun since.
func (l *look) agrees(earlier *look) bool {
	shown := map[string]bool{}
	for _, f := range earlier.found {
		if f.Commitment != nil {
			shown[store.Fold(f.Commitment.ID)] = true
		}
	}
	for _, f := range l.found {
		if c := f.Commitment; c != nil && !shown[store.Fold(c.ID)] && c.Start.Before(earlier.began.Add(-newsAge)) {
			return false
		} else if c != nil {
			delete(shown, store.Fold(c.ID))
		}
	}
	return len(shown) == 0
}

// look looks at a lane afresh. The first time, the ledger takes in what it shows.
func (e *Engine) look(ctx context.Context, lane cloud.Lane) (*look, error) {
	svc, err := e.Clouds.Service(lane)
	if err != nil {
		return nil, err
	}
	l := &look{lane: lane, began: e.Now(), strange: map[purchase.PlanID][]cloud.Commitment{}}
	if l.found, err = svc.Find(ctx, driver.Request{Account: lane.Account}); err != nil {
		return nil, err
	}
	return l, e.DB.Import(ctx, l.listing())
}

// listing is the look as the ledger takes it.
func (l *look) listing() store.LaneListing {
	listing := store.LaneListing{Lane: l.lane, At: l.began}
	for _, f := range l.found {
		if f.Commitment != nil {
			listing.Items = append(listing.Items, *f.Commitment)
		}
	}
	return listing
}

// under returns what a look found under some names, or that it found nothing.
func (l *look) under(names []string) []cloud.Evidence {
	var found []cloud.Evidence
	for _, f := range l.found {
		if c := f.Commitment; c != nil && slices.ContainsFunc(names, func(name string) bool {
			return strings.EqualFold(name, c.ID) || strings.EqualFold(name, c.Name)
		}) {
			f.Outcome = cloud.Exists
			found = append(found, f)
		}
	}
	if found == nil {
		absent := l.found[0]
		absent.Kind, absent.Commitment, absent.Outcome = cloud.EvidenceAbsence, nil, cloud.InDoubt
		absent.Detail = fmt.Sprintf("a complete listing of the lane shows none of %d names", len(names))
		found = []cloud.Evidence{absent}
	}
	return found
}

// Find looks for a line. Where the service lists everything whatever it is asked
// for, or a listing of the lane is needed anyway, many lines share one. What may be
// concluded from it alone is listed twice; a line of a lane that one purchase keeps
// waits for its second listing by itself.
func (m market) Find(ctx context.Context, i purchase.Intent, since time.Time) ([]cloud.Evidence, error) {
	svc, err := m.service(i)
	if err != nil {
		return nil, err
	}
	info := svc.Info()
	concludes := since.After(m.Now().Add(-newsAge)) && !info.Class.Locks()
	if i.Identities != nil && !info.Lists && since.After(m.Now().Add(-newsAge)) {
		return svc.Find(ctx, request(i, time.Time{}))
	}
	l, err := m.recent(ctx, laneOf(i), since, concludes)
	switch {
	case err != nil:
		return nil, err
	case i.Identities == nil:
		return slices.Clone(l.found), nil
	}
	return l.under(i.Identities), nil
}

// News returns the ids that the line's lane holds now, did not hold when the plan
// was made, and that nothing explains. What carries one of our names is ours,
// though its answer was lost and no receipt names it yet. What may be the work of
// an open purchase that the cloud knows by nothing is neither news nor none: the
// line waits until that purchase is resolved.
func (m market) News(ctx context.Context, l purchase.Line) ([]string, error) {
	lane := l.Spec.Lane()
	seen, err := m.recent(ctx, lane, m.Now().Add(-newsAge), false)
	if err != nil {
		return nil, err
	}
	strange, err := m.strange(ctx, seen, l.Plan)
	if err != nil || len(strange) == 0 {
		return nil, err
	}
	books, err := m.DB.Books(ctx, lane) // read after the look: what we bought before it is in it
	if err != nil {
		return nil, err
	}
	seen.accounted(l.Plan, books)
	return news(lane, strange, books)
}

// accounted forgets of a look what the ledger accounts for, which stays so: where
// others buy in the lane, each line would read the books anew because of it.
func (l *look) accounted(plan purchase.PlanID, books *store.Books) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var left []cloud.Commitment
	for _, c := range l.strange[plan] {
		if _, named := books.Named(c); !named && !books.Explained(c) {
			left = append(left, c)
		}
	}
	l.strange[plan] = left
}

// strange returns what a look found that the lane did not hold when the plan was
// made, and that is not accounted for yet.
func (e *Engine) strange(ctx context.Context, l *look, plan purchase.PlanID) ([]cloud.Commitment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if list, known := l.strange[plan]; known {
		return list, nil
	}
	base, err := e.DB.Base(ctx, plan, l.lane)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("it is not known what %s held when plan %s was made: make a new plan", l.lane, plan)
	} else if err != nil {
		return nil, err
	}
	l.strange[plan] = l.beyond(base)
	return l.strange[plan], nil
}

// beyond returns the commitments that bind and are not in a plan's base.
func (l *look) beyond(base map[string]bool) []cloud.Commitment {
	var list []cloud.Commitment
	for _, f := range l.found {
		if c := f.Commitment; c != nil && c.State.Binding() && !base[store.Fold(c.ID)] {
			list = append(list, *c)
		}
	}
	return list
}

// news returns what nothing explains.
func news(lane cloud.Lane, strange []cloud.Commitment, books *store.Books) ([]string, error) {
	var ids []string
	for _, c := range strange {
		if _, named := books.Named(c); named || books.Explained(c) {
			continue
		}
		if _, made := books.Made(c); made {
			continue
		}
		if other, may := books.May(c); may {
			return nil, fmt.Errorf("%s is new in %s and may be what line %s bought, which is in doubt: waiting until that is resolved", c.ID, lane, other)
		}
		ids = append(ids, c.ID)
	}
	return ids, nil
}

// base lists every lane of a plan once, for what they hold before anything of it
// is bought.
func (e *Engine) base(ctx context.Context, p *purchase.Plan) ([]store.LaneListing, error) {
	lanes := map[cloud.Lane]bool{}
	for _, l := range p.Lines {
		lanes[l.Spec.Lane()] = true
	}
	listed, failed := e.list(ctx, lanes)
	if len(failed) > 0 {
		return nil, unreadLanes(failed)
	}
	return listed, nil
}

// list reads the inventory of lanes, some at a time.
func (e *Engine) list(ctx context.Context, lanes map[cloud.Lane]bool) ([]store.LaneListing, map[cloud.Lane]error) {
	var (
		mu     sync.Mutex
		all    []store.LaneListing
		failed = map[cloud.Lane]error{}
		wg     sync.WaitGroup
		slots  = make(chan struct{}, e.workers())
	)
	for lane := range lanes {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			l, err := e.look(ctx, lane)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[lane] = err
				return
			}
			all = append(all, l.listing())
		})
	}
	wg.Wait()
	return all, failed
}

package engine

import (
	"context"
	"errors"
	"fmt"
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

// listings keeps the last listing of each lane. The zero value is ready.
type listings struct {
	mu    sync.Mutex
	lanes map[cloud.Lane]*kept
}

// kept is one lane's listing. Whoever holds the only slot may read and replace
// it.
type kept struct {
	slot    chan struct{}
	listing store.LaneListing
}

func (l *listings) lane(lane cloud.Lane) *kept {
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

// recent returns a listing of a lane that is at most newsAge old. Lines that ask
// at once share one listing; a listing that failed is not kept.
func (e *Engine) recent(ctx context.Context, lane cloud.Lane) (store.LaneListing, error) {
	k := e.kept.lane(lane)
	select {
	case k.slot <- struct{}{}:
	case <-ctx.Done():
		return store.LaneListing{}, ctx.Err()
	}
	defer func() { <-k.slot }()
	if age := e.Now().Sub(k.listing.At); !k.listing.At.IsZero() && age >= 0 && age < newsAge {
		return k.listing, nil
	}
	listing, err := e.listLane(ctx, lane)
	if err != nil {
		return store.LaneListing{}, err
	}
	k.listing = listing
	return listing, nil
}

// listLane lists a lane completely. The first time, the ledger takes in what it
// shows.
func (e *Engine) listLane(ctx context.Context, lane cloud.Lane) (store.LaneListing, error) {
	svc, err := e.Clouds.Service(lane)
	if err != nil {
		return store.LaneListing{}, err
	}
	listing := store.LaneListing{Lane: lane, At: e.Now()}
	found, err := svc.Find(ctx, driver.Request{Account: lane.Account})
	if err != nil {
		return store.LaneListing{}, err
	}
	for _, f := range found {
		if f.Commitment != nil {
			listing.Items = append(listing.Items, *f.Commitment)
		}
	}
	return listing, e.DB.Import(ctx, listing)
}

// News returns the ids that the line's lane holds now, did not hold when the plan
// was made, and that nothing explains. What carries one of our names is ours,
// though its answer was lost and no receipt names it yet. What may be the work of
// an open purchase that the cloud knows by nothing is neither news nor none: the
// line waits until that purchase is resolved.
func (m market) News(ctx context.Context, l purchase.Line) ([]string, error) {
	lane := l.Spec.Lane()
	base, err := m.DB.Base(ctx, l.Plan, lane)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("it is not known what %s held when plan %s was made: make a new plan", lane, l.Plan)
	} else if err != nil {
		return nil, err
	}
	listing, err := m.recent(ctx, lane)
	if err != nil {
		return nil, err
	}
	books, err := m.DB.Books(ctx, lane) // read after the listing: what we bought before it is in it
	if err != nil {
		return nil, err
	}
	return news(listing, base, books)
}

func news(listing store.LaneListing, base map[string]bool, books *store.Books) ([]string, error) {
	var ids []string
	for _, c := range listing.Items {
		if _, named := books.Named(c); named || !c.State.Binding() || base[store.Fold(c.ID)] || books.Explained(c) {
			continue
		}
		if _, made := books.Made(c); made {
			continue
		}
		if other, may := books.May(c); may {
			return nil, fmt.Errorf("%s is new in %s and may be what line %s bought, which is in doubt: waiting until that is resolved", c.ID, listing.Lane, other)
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
	for _, l := range p.Lines {
		if err := failed[l.Spec.Lane()]; err != nil {
			return nil, fmt.Errorf("%s could not be listed, and a plan rests on what its lanes hold: %w", l.Spec.Lane(), err)
		}
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
			listing, err := e.listLane(ctx, lane)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[lane] = err
				return
			}
			all = append(all, listing)
		})
	}
	wg.Wait()
	return all, failed
}

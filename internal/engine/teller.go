package engine

import (
	"context"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/purchase"
)

// teller is a market whose errors tell a person what to do, and that asks nothing
// of a lane that is held.
type teller struct{ market }

var (
	_ purchase.Market   = teller{}
	_ purchase.Watcher  = teller{}
	_ purchase.Auditor  = teller{}
	_ purchase.Follower = teller{}
	_ purchase.Releaser = teller{}
)

// told is an error with a text for people.
type told struct {
	text string
	error
}

func (t told) Error() string { return t.text }
func (t told) Unwrap() error { return t.error }

// tell puts what troubles a whole lane into words; any other error stays.
func tell(lane cloud.Lane, err error) error {
	if text := driver.Says(lane, err); text != "" {
		return told{text, err}
	}
	return err
}

func (t teller) Facts(l purchase.Line) (purchase.Facts, error) {
	if err := t.paces.held(l.Spec.Lane(), t.Now()); err != nil {
		return purchase.Facts{}, err
	}
	return t.market.Facts(l)
}

func (t teller) Quote(ctx context.Context, i purchase.Intent) (cloud.Quote, error) {
	if err := t.mayBuy(ctx, laneOf(i)); err != nil {
		return cloud.Quote{}, tell(laneOf(i), err)
	}
	if err := t.awake(ctx, i); err != nil {
		return cloud.Quote{}, err
	}
	q, err := t.market.Quote(ctx, i)
	return q, tell(laneOf(i), err)
}

func (t teller) Find(ctx context.Context, i purchase.Intent, since time.Time) ([]cloud.Evidence, error) {
	found, err := t.market.Find(ctx, i, since)
	return found, tell(laneOf(i), err)
}

func (t teller) News(ctx context.Context, l purchase.Line) ([]string, error) {
	news, err := t.market.News(ctx, l)
	return news, tell(l.Spec.Lane(), err)
}

func (t teller) Trail(ctx context.Context, i purchase.Intent, credential string) ([]cloud.Evidence, error) {
	found, err := t.market.Trail(ctx, i, credential)
	return found, tell(laneOf(i), err)
}

func (t teller) Poll(ctx context.Context, i purchase.Intent, handle string) (cloud.Evidence, error) {
	e, err := t.market.Poll(ctx, i, handle)
	return e, tell(laneOf(i), err)
}

func (t teller) Release(ctx context.Context, i purchase.Intent, order cloud.Commitment) error {
	return tell(laneOf(i), t.market.Release(ctx, i, order))
}

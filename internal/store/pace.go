package store

import (
	"context"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/store/internal/rows"
)

// Pace is what some worker has learned of a lane.
type Pace struct {
	Lane  cloud.Lane
	Most  int       // lines that may be under way in all workers together, from 1 on
	Until time.Time // the lane is asked again from here on, by our clock; zero for now
	Cause string    // why not sooner
	At    time.Time // when it was learned
	// Version counts what was learned of the lane; a reader adopts each once.
	Version int
}

// LearnPace tells other workers what one has learned. Of two times at which a lane is
// asked again the later one stays.
func (db *DB) LearnPace(ctx context.Context, p Pace) error {
	err := db.writeStep(ctx, func(q *rows.Queries) error {
		provider, account, region, service := columns(p.Lane)
		return q.LearnPace(ctx, rows.LearnPaceParams{
			Provider: provider, Account: account, Region: region, Service: service,
			Most: int64(p.Most), Until: micros(p.Until), Cause: p.Cause, At: micros(p.At),
		})
	})
	if err != nil {
		return fmt.Errorf("pace of %s: %w", p.Lane, err)
	}
	return nil
}

// Paces reads what was learned since a time, or holds a lane now.
func (db *DB) Paces(ctx context.Context, since, now time.Time) ([]Pace, error) {
	rs, err := db.read().ListPaces(ctx, rows.ListPacesParams{Since: micros(since), Now: micros(now)})
	if err != nil {
		return nil, fmt.Errorf("paces: %w", err)
	}
	list := make([]Pace, len(rs))
	for i, r := range rs {
		list[i] = Pace{
			Lane: cloud.Lane{Provider: cloud.Provider(r.Provider), Account: cloud.Account(r.Account), Region: cloud.Region(r.Region), Service: cloud.Service(r.Service)},
			Most: int(r.Most), Until: fromMicros(r.Until), Cause: r.Cause, At: fromMicros(r.At), Version: int(r.Version),
		}
	}
	return list, nil
}

// UnderWay counts the attempts of each lane that some process is waiting for.
func (db *DB) UnderWay(ctx context.Context, now time.Time) (map[cloud.Lane]int, error) {
	rs, err := db.read().UnderWay(ctx, micros(now))
	if err != nil {
		return nil, fmt.Errorf("attempts under way: %w", err)
	}
	n := make(map[cloud.Lane]int, len(rs))
	for _, r := range rs {
		n[cloud.Lane{Provider: cloud.Provider(r.Provider), Account: cloud.Account(r.Account), Region: cloud.Region(r.Region), Service: cloud.Service(r.Service)}] = int(r.N)
	}
	return n, nil
}

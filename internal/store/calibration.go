package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/store/internal/rows"
)

// Trial is an order that an experiment places. It is stored before it is placed, so
// that it can be found and deleted whatever becomes of the process.
type Trial struct {
	ID         string // given by BeginTrial
	Lane       cloud.Lane
	Experiment string
	FireAt     time.Time // the second it is queued for, UTC, at least 30 days ahead
	Token      string    // of services that have one
	Offering   string
	Before     []string // ids of the orders that were queued before
	Order      string   // its id, once the cloud has told it
	StartedAt  time.Time
}

// Calibration is one result of an experiment in a lane.
type Calibration struct {
	Lane   cloud.Lane
	Name   string
	Value  time.Duration // where the result is one, in microseconds
	Holds  bool          // what was hoped for is so
	Detail string
	At     time.Time // UTC
}

// ErrSecondTaken: another trial of the lane is, or was, ordered for this second.
var ErrSecondTaken = errors.New("another trial is ordered for this second")

// BeginTrial stores a trial and returns its id. A trial that would fire within 30
// days is refused by the database.
func (db *DB) BeginTrial(ctx context.Context, t Trial) (id string, err error) {
	before, err := json.Marshal(t.Before)
	if err != nil {
		return "", fmt.Errorf("begin a trial: %w", err)
	}
	id = newID(t.StartedAt)
	err = db.write(ctx, func(q *rows.Queries) error {
		return q.InsertTrial(ctx, rows.InsertTrialParams{
			ID: id, Provider: string(t.Lane.Provider), Account: string(t.Lane.Account), Region: string(t.Lane.Region), Service: string(t.Lane.Service),
			Experiment: t.Experiment, FireAt: micros(t.FireAt), Token: t.Token, Offering: t.Offering, Before: string(before), StartedAt: micros(t.StartedAt),
		})
	})
	if isUnique(err) {
		err = ErrSecondTaken
	}
	if err != nil {
		return "", fmt.Errorf("begin a trial: %w", err)
	}
	return id, nil
}

// TrialOrdered records the id of the order that an open trial placed.
func (db *DB) TrialOrdered(ctx context.Context, id, order string) error {
	return db.moveTrial(ctx, id, func(q *rows.Queries) (int64, error) {
		return q.TrialOrdered(ctx, rows.TrialOrderedParams{OrderID: order, ID: id})
	})
}

// CloseTrial records that nothing of a trial is left.
func (db *DB) CloseTrial(ctx context.Context, id string, at time.Time) error {
	return db.moveTrial(ctx, id, func(q *rows.Queries) (int64, error) {
		return q.CloseTrial(ctx, rows.CloseTrialParams{ClosedAt: micros(at), ID: id})
	})
}

func (db *DB) moveTrial(ctx context.Context, id string, move func(*rows.Queries) (int64, error)) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		n, err := move(q)
		if err == nil && n != 1 {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("trial %s: %w", id, err)
	}
	return nil
}

// OpenTrials lists the trials of an account of which something may be left, oldest
// first.
func (db *DB) OpenTrials(ctx context.Context, p cloud.Provider, a cloud.Account) ([]Trial, error) {
	rs, err := db.read().OpenTrials(ctx, rows.OpenTrialsParams{Provider: string(p), Account: string(a)})
	if err != nil {
		return nil, fmt.Errorf("open trials: %w", err)
	}
	list := make([]Trial, len(rs))
	for i, r := range rs {
		list[i] = Trial{
			ID: r.ID, Lane: laneOfText(r.Provider, r.Account, r.Region, r.Service), Experiment: r.Experiment, FireAt: fromMicros(r.FireAt),
			Token: r.Token, Offering: r.Offering, Order: r.OrderID, StartedAt: fromMicros(r.StartedAt),
		}
		if err := json.Unmarshal([]byte(r.Before), &list[i].Before); err != nil {
			return nil, fmt.Errorf("trial %s: %w", r.ID, err)
		}
	}
	return list, nil
}

// NoteCalibration stores a result, which is never changed.
func (db *DB) NoteCalibration(ctx context.Context, c Calibration) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		return q.InsertCalibration(ctx, rows.InsertCalibrationParams{
			ID: newID(c.At), Provider: string(c.Lane.Provider), Account: string(c.Lane.Account), Region: string(c.Lane.Region), Service: string(c.Lane.Service),
			Name: c.Name, Value: c.Value.Microseconds(), Holds: flag(c.Holds), Detail: c.Detail, At: micros(c.At),
		})
	})
	if err != nil {
		return fmt.Errorf("note a calibration: %w", err)
	}
	return nil
}

// Calibrations lists all results, oldest first.
func (db *DB) Calibrations(ctx context.Context) ([]Calibration, error) {
	rs, err := db.read().Calibrations(ctx)
	if err != nil {
		return nil, fmt.Errorf("calibrations: %w", err)
	}
	list := make([]Calibration, len(rs))
	for i, r := range rs {
		list[i] = Calibration{
			Lane: laneOfText(r.Provider, r.Account, r.Region, r.Service), Name: r.Name, Value: time.Duration(r.Value) * time.Microsecond,
			Holds: r.Holds == 1, Detail: r.Detail, At: fromMicros(r.At),
		}
	}
	return list, nil
}

func laneOfText(provider, account, region, service string) cloud.Lane {
	return cloud.Lane{Provider: cloud.Provider(provider), Account: cloud.Account(account), Region: cloud.Region(region), Service: cloud.Service(service)}
}

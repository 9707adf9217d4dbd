package store

import (
	"context"
	"fmt"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// Recommendation is one of Google's Recommender that a line carries out.
type Recommendation struct {
	Line     purchase.LineID
	Name     string
	Etag     string    // as it was planned
	Mark     string    // "", CLAIMED, SUCCEEDED or FAILED
	MarkedAt time.Time // UTC
	Tries    int
	NextAt   time.Time // UTC; zero: it is not tried any more
	Detail   string    // why the last try did not mark it
	// Of those that are due: where the line is, and its plan's first version.
	State   purchase.State
	Lineage purchase.PlanID
}

// Done reports whether nothing is left to be marked.
func (r Recommendation) Done() bool { return r.Mark == "SUCCEEDED" || r.Mark == "FAILED" }

// Beside is what is stored with a plan and is not bought: its digest does not cover it.
type Beside struct {
	Advice          []Advice
	Recommendations []Recommendation // by line
}

func insertRecommendations(ctx context.Context, q *rows.Queries, p *purchase.Plan, list []Recommendation) error {
	for _, r := range list {
		err := q.InsertRecommendation(ctx, rows.InsertRecommendationParams{LineID: string(r.Line), Name: r.Name, Etag: r.Etag, NextAt: micros(p.CreatedAt)})
		if err != nil {
			return fmt.Errorf("recommendation %s: %w", r.Name, err)
		}
	}
	return nil
}

func toRecommendation(r rows.Recommendation) Recommendation {
	return Recommendation{
		Line: purchase.LineID(r.LineID), Name: r.Name, Etag: r.Etag, Mark: r.Mark, MarkedAt: fromMicros(r.MarkedAt), Tries: int(r.Tries),
		NextAt: fromMicros(r.NextAt), Detail: r.Detail,
	}
}

// DueRecommendations reads at most so many that are to be marked now, the most overdue
// first.
func (db *DB) DueRecommendations(ctx context.Context, now time.Time, most int) ([]Recommendation, error) {
	rs, err := db.read().DueRecommendations(ctx, rows.DueRecommendationsParams{Now: micros(now), Most: int32(most)})
	if err != nil {
		return nil, fmt.Errorf("recommendations: %w", err)
	}
	list := make([]Recommendation, len(rs))
	for i, r := range rs {
		list[i] = toRecommendation(r.Recommendation)
		list[i].State, list[i].Lineage = purchase.State(r.State), purchase.PlanID(r.Lineage)
	}
	return list, nil
}

// TakeRecommendation makes one as it was read this process's to mark, until a time. It
// reports false when somebody else has it.
func (db *DB) TakeRecommendation(ctx context.Context, r *Recommendation, now, until time.Time) (mine bool, err error) {
	err = db.writeStep(ctx, func(q *rows.Queries) error {
		n, err := q.TakeRecommendation(ctx, rows.TakeRecommendationParams{Until: micros(until), LineID: string(r.Line), Tries: int64(r.Tries), Now: micros(now)})
		mine = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("recommendation of line %s: %w", r.Line, err)
	}
	if mine {
		r.Tries++
	}
	return mine, nil
}

// MarkRecommendation records what a taken one was marked as. One that is claimed is due
// again once its line has ended.
func (db *DB) MarkRecommendation(ctx context.Context, r *Recommendation, mark string, now time.Time) error {
	var next int64
	if mark == "CLAIMED" {
		next = micros(now)
	}
	err := db.moveRecommendation(ctx, *r, func(q *rows.Queries) (int64, error) {
		return q.MarkRecommendation(ctx, rows.MarkRecommendationParams{
			ToMark: mark, Now: micros(now), NextAt: next, LineID: string(r.Line), FromMark: r.Mark, Tries: int64(r.Tries),
		})
	})
	if err == nil {
		r.Mark, r.MarkedAt = mark, now
	}
	return err
}

// PutOffRecommendation has a taken one tried again at a time, zero for never, and says
// why.
func (db *DB) PutOffRecommendation(ctx context.Context, r Recommendation, next time.Time, why string) error {
	return db.moveRecommendation(ctx, r, func(q *rows.Queries) (int64, error) {
		return q.PutOffRecommendation(ctx, rows.PutOffRecommendationParams{NextAt: micros(next), Detail: why, LineID: string(r.Line), Tries: int64(r.Tries)})
	})
}

// moveRecommendation returns purchase.ErrLost when another process has it.
func (db *DB) moveRecommendation(ctx context.Context, r Recommendation, move func(*rows.Queries) (int64, error)) error {
	err := db.writeStep(ctx, func(q *rows.Queries) error {
		n, err := move(q)
		if err == nil && n != 1 {
			err = purchase.ErrLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("recommendation of line %s: %w", r.Line, err)
	}
	return nil
}

// PlanRecommendations reads what the lines of a plan carry out, by line.
func (db *DB) PlanRecommendations(ctx context.Context, id purchase.PlanID) (map[purchase.LineID]Recommendation, error) {
	rs, err := db.read().PlanRecommendations(ctx, string(id))
	if err != nil {
		return nil, fmt.Errorf("recommendations of plan %s: %w", id, err)
	}
	by := make(map[purchase.LineID]Recommendation, len(rs))
	for _, r := range rs {
		by[purchase.LineID(r.Recommendation.LineID)] = toRecommendation(r.Recommendation)
	}
	return by, nil
}

// LineRecommendation reads what a line carries out; nil for nothing.
func (db *DB) LineRecommendation(ctx context.Context, id purchase.LineID) (*Recommendation, error) {
	rs, err := db.read().LineRecommendation(ctx, string(id))
	if err != nil {
		return nil, fmt.Errorf("recommendation of line %s: %w", id, err)
	}
	if len(rs) == 0 {
		return nil, nil
	}
	r := toRecommendation(rs[0])
	return &r, nil
}

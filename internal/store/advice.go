package store

import (
	"context"
	"fmt"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// Advice is something that a plan's input asks for and nobody can buy. It is no line of
// the plan, and its digest does not cover it.
type Advice struct {
	Where string // the place in the input: "p.yaml:3"
	What  string // a short name of it
	Why   string // why it is not bought, one clause
}

// Advice reads what of a plan's input is advice only, in the order of the input.
func (db *DB) Advice(ctx context.Context, id purchase.PlanID) ([]Advice, error) {
	var list []Advice
	err := db.view(ctx, func(q *rows.Queries) error {
		found, err := q.ListAdvice(ctx, string(id))
		for _, r := range found {
			list = append(list, Advice{r.Place, r.What, r.Why})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("advice of plan %s: %w", id, err)
	}
	return list, nil
}

func insertAdvice(ctx context.Context, q *rows.Queries, id purchase.PlanID, list []Advice) error {
	for i, a := range list {
		err := q.InsertAdvice(ctx, rows.InsertAdviceParams{PlanID: string(id), Number: int64(i + 1), Place: a.Where, What: a.What, Why: a.Why})
		if err != nil {
			return fmt.Errorf("advice %d: %w", i+1, err)
		}
	}
	return nil
}

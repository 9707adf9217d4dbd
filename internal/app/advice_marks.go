package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver/gcp"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/store"
)

// What lines carry out of Google's Recommender is marked there by a task of its own: it
// reads from the ledger what there is to say, so a purchase never waits for it, and a
// process that dies leaves nothing behind that the next one does not see.

const (
	markPage  = 100
	markTries = 40 // over more than a day, as each pause is longer than the one before
)

// What a mark says of whose it is (stateMetadata).
const (
	saysLine = "bursar-line"
	saysPlan = "bursar-plan" // the first version
)

// markRecommendations is the engine's TaskRecommendations.
func (a *App) markRecommendations(ctx context.Context, r *engine.TaskResult) error {
	for ctx.Err() == nil {
		due, err := a.db.DueRecommendations(ctx, a.clouds.now(), markPage)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, rec := range due {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			now := a.clouds.now()
			mine, err := a.db.TakeRecommendation(ctx, &rec, now, now.Add(claimFor))
			if err != nil {
				return err
			}
			if !mine {
				continue
			}
			if err := a.markOne(ctx, rec, r); err != nil && !errors.Is(err, purchase.ErrLost) {
				return err
			}
		}
	}
	return ctx.Err()
}

// hopeless is why a recommendation is never marked.
type hopeless string

func (h hopeless) Error() string { return string(h) }

// markOne marks a recommendation that is taken as far as there is something to say, or
// puts it off.
func (a *App) markOne(ctx context.Context, rec store.Recommendation, r *engine.TaskResult) error {
	err := a.markTaken(ctx, &rec, r)
	if err == nil || errors.Is(err, purchase.ErrLost) {
		return err
	}
	keep := context.WithoutCancel(ctx)
	var never hopeless
	if errors.As(err, &never) || rec.Tries >= markTries {
		r.Counts["not_marked"]++
		a.engine.Log.Warn("a recommendation is not marked", "line", rec.Line, "recommendation", rec.Name, "why", err)
		return a.db.PutOffRecommendation(keep, rec, time.Time{}, err.Error())
	}
	r.Counts["put_off"]++
	a.engine.Log.Warn("a recommendation could not be marked yet", "line", rec.Line, "recommendation", rec.Name, "tries", rec.Tries, "error", err)
	wait := min(firstWait<<min(rec.Tries-1, 10), mostWait)
	return a.db.PutOffRecommendation(keep, rec, a.clouds.now().Add(wait), err.Error())
}

func (a *App) markTaken(ctx context.Context, rec *store.Recommendation, r *engine.TaskResult) error {
	row, err := a.db.Row(ctx, rec.Line)
	if err != nil {
		return err
	}
	spec := row.Line.Spec
	if spec.Simulated != a.clouds.Simulated(spec.Lane()) {
		return hopeless("the line and this process are not both simulated, or both live")
	}
	cfg, err := a.clouds.googleConfig(spec.Lane())
	if err != nil {
		return err
	}
	google, err := gcp.NewAdviser(spec.Lane().Service, cfg)
	if err != nil {
		return hopeless(err.Error())
	}
	got, err := google.Recommendation(ctx, rec.Name)
	if errors.Is(err, gcp.ErrNoRecommendation) {
		return hopeless(err.Error())
	} else if err != nil {
		return err
	}
	said := map[string]string{saysLine: string(rec.Line), saysPlan: string(rec.Lineage)}
	mark := func(as gcp.Mark) error {
		// Whether an earlier try has marked it without our knowing, it says itself.
		if got.Mark != as || !maps.Equal(got.Said, said) {
			if got.Etag, err = google.Mark(ctx, rec.Name, got.Etag, as, said); err != nil {
				return err
			}
			got.Mark, got.Said = as, said
		}
		if err := a.db.MarkRecommendation(context.WithoutCancel(ctx), rec, string(as), a.clouds.now()); err != nil {
			return err
		}
		r.Counts[map[gcp.Mark]string{gcp.Claimed: "claimed", gcp.Succeeded: "succeeded", gcp.Failed: "failed"}[as]]++
		return nil
	}
	switch {
	case rec.Mark != "":
	case got.Mark == gcp.Active && got.Etag != rec.Etag && !advises(got.Document, spec):
		return hopeless("it advises something else now than what was planned")
	case got.Mark != gcp.Active && got.Said[saysPlan] != string(rec.Lineage):
		return hopeless(fmt.Sprintf("somebody else has marked it %s", got.Mark))
	default:
		if err := mark(gcp.Claimed); err != nil {
			return err
		}
	}
	if !rec.State.Terminal() {
		return nil
	}
	if got.Said[saysLine] != string(rec.Line) {
		return hopeless(fmt.Sprintf("somebody else has marked it %s", got.Mark))
	}
	if rec.State == purchase.Purchased {
		return mark(gcp.Succeeded)
	}
	return mark(gcp.Failed)
}

// advises reports whether a recommendation is still for the goods of a line.
func advises(document []byte, spec purchase.Spec) bool {
	in, err := recommend.Read("recommendation.json", bytes.NewReader(document))
	if err != nil || len(in.Drafts) != 1 {
		return false
	}
	d, o := in.Drafts[0], spec.Offering
	lane := cloud.Lane{Provider: d.Provider, Account: d.Account, Region: d.Region, Service: d.Service}
	if lane != spec.Lane() || d.Term != o.Term || d.Quantity != spec.Quantity {
		return false
	}
	for key, value := range d.Attributes {
		if o.Attributes[key] != value {
			return false
		}
	}
	return true
}

// recommendationView tells what a line carries out; nil where it is nothing.
func recommendationView(r *store.Recommendation) *api.LineRecommendation {
	if r == nil {
		return nil
	}
	return &api.LineRecommendation{Name: r.Name, Mark: r.Mark, MarkedAt: optional(r.MarkedAt), Problem: r.Detail, GivenUp: r.NextAt.IsZero() && !r.Done()}
}

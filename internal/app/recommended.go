package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/recommend"
	"bursar/internal/recommend/policy"
)

// advised is what the clouds said when this process asked them last. It is not stored:
// advice is worth little tomorrow.
type advised struct {
	mu sync.Mutex
	g  *gathered
}

func (l *advised) keep(g *gathered) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.g = g
}

// last is what was kept, as far as whoever asks sees it; nil for nothing.
func (l *advised) last(ctx context.Context) *gathered {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.g == nil {
		return nil
	}
	seen := &gathered{out: l.g.out, maxAge: l.g.maxAge}
	seen.out.Lines, seen.drafts = []api.Recommendation{}, nil
	for i, line := range l.g.out.Lines {
		if sees(ctx, line.Account) {
			seen.out.Lines, seen.drafts = append(seen.out.Lines, line), append(seen.drafts, l.g.drafts[i])
		}
	}
	seen.out.Sources = slices.DeleteFunc(slices.Clone(l.g.out.Sources), func(s api.AdviceSource) bool { return !sees(ctx, s.Account) })
	seen.out.Left = slices.DeleteFunc(slices.Clone(l.g.out.Left), func(s api.LeftAdvice) bool { return !sees(ctx, s.Account) })
	return seen
}

// AdviceCost says what asking would cost at least, and asks nobody.
func (a *App) AdviceCost(ctx context.Context, r api.RecommendRequest) (api.AdviceCost, error) {
	if err := a.reads(ctx); err != nil {
		return api.AdviceCost{}, err
	}
	r.MaxRequests = 0
	cost, _, err := a.adviceCost(ctx, r)
	return cost, refused(ctx, err)
}

// Recommend asks the clouds what they recommend to buy, and keeps what they say. On live
// accounts it takes an explicit bound of the requests that are charged for.
func (a *App) Recommend(ctx context.Context, r api.RecommendRequest) (api.Recommendations, error) {
	by, err := a.actor(ctx, auth.AdviceAsk, "", "")
	if err != nil {
		return api.Recommendations{}, err
	}
	if r.MaxAge == 0 {
		r.MaxAge = api.AdviceAge
	}
	g, err := a.ask(ctx, r, by, "")
	if err != nil {
		return api.Recommendations{}, refused(ctx, err)
	}
	g.out.By = by
	a.advised.keep(g)
	return a.Recommended(ctx)
}

// Recommended is what the clouds said when this process asked them last, with what people
// have said about it since. It asks nobody.
func (a *App) Recommended(ctx context.Context) (api.Recommendations, error) {
	if err := a.reads(ctx); err != nil {
		return api.Recommendations{}, err
	}
	g := a.advised.last(ctx)
	if g == nil {
		return api.Recommendations{}, api.Errorf(api.NotFound, "the clouds were not asked since the server was started: bursar recommend asks them")
	}
	said, err := a.words(ctx)
	if err != nil {
		return api.Recommendations{}, err
	}
	for i := range g.out.Lines {
		if word, known := said[g.out.Lines[i].Key]; known {
			g.out.Lines[i].Said = &word
		}
	}
	return g.out, nil
}

// cloudsInput is what the clouds advise for a plan: as they are asked now or, at a time
// that names it, as they were asked last.
func (a *App) cloudsInput(ctx context.Context, r api.PlanRequest, by string) (in recommend.Input, err error) {
	var pol *policy.Policy
	subject := r.Name
	if r.Policy != "" {
		if pol, _, err = readPolicy(r.Policy, r.PolicyContent); err != nil {
			return in, err
		}
		subject = pol.Name
	}
	var g *gathered
	switch {
	case r.Clouds != nil:
		ask := *r.Clouds
		if ask.MaxAge == 0 {
			ask.MaxAge = api.AdviceAge
		}
		if g, err = a.ask(ctx, ask, by, subject); err != nil {
			return in, err
		}
	default:
		if g = a.advised.last(ctx); g == nil {
			return in, errors.New("the clouds were not asked since the server was started: ask them again")
		}
		if !g.out.At.Equal(*r.Asked) {
			return in, api.Errorf(api.Stale, "the clouds were asked again on %s: look at what they say now", g.out.At.Format(time.DateTime+"Z"))
		}
	}
	said, err := a.words(ctx)
	if err != nil {
		return in, err
	}
	return g.input(pol, said)
}

// oneInput refuses a request that names not exactly one input.
func oneInput(r api.PlanRequest) error {
	n := 0
	for _, has := range []bool{r.Content != nil || r.File != "", r.Usage != nil, r.Clouds != nil, r.Asked != nil} {
		if has {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("a plan is made of one input: a file, usage, what the clouds are asked, or what they said when they were asked last")
	}
	return nil
}

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auditlog"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/recommend"
	"bursar/internal/recommend/policy"
)

// cloudsFormat is the format of an input that the clouds were asked for.
const cloudsFormat recommend.Format = "clouds"

// bounded agrees to what asking costs, where nobody is there to be asked: on live
// accounts within an explicit bound only.
func bounded(r api.RecommendRequest, c api.AdviceCost) error {
	if c.Live && r.MaxRequests == 0 && c.Requests > 0 {
		return api.Errorf(api.Invalid, "each request to Cost Explorer costs %s, and asking takes %d at least: say how many may be sent (max_requests); nothing was asked", c.Each, c.Requests)
	}
	return nil
}

// ask asks the clouds for advice in somebody's name, once at a time. Who pays is in the
// audit log before anything is asked.
func (a *App) ask(ctx context.Context, r api.RecommendRequest, by, subject string) (*gathered, error) {
	cost, asked, err := a.adviceCost(ctx, r)
	if err == nil {
		err = bounded(r, cost)
	}
	if err != nil {
		return nil, err
	}
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	default:
		return nil, api.Errorf(api.Conflict, "the clouds are being asked for advice already: wait for what they say")
	}
	s := step{act: auth.AdviceAsk, by: by, subject: subject, details: map[string]any{"requests": cost.Requests, "cost": cost.Total.String()}}
	var g *gathered
	gather := func() (err error) {
		g, err = a.clouds.gather(ctx, r, asked)
		return err
	}
	if by == requesterOfTasks { // whoever had the task run was permitted that
		if _, err = a.log(ctx, s, auditlog.Did); err == nil {
			err = gather()
		}
		return g, err
	}
	return g, a.does(ctx, s, gather)
}

func (a *App) adviceCost(ctx context.Context, r api.RecommendRequest) (api.AdviceCost, []askedAdviser, error) {
	ask, err := readAsk(r)
	if err != nil {
		return api.AdviceCost{}, nil, err
	}
	return a.clouds.costOf(ctx, r, ask)
}

// input is what was gathered as the input of a plan. Where a source has failed or is old
// there is none: advice that is missing would have the rest bought in its place.
//
// Under a policy that names its terms, the same goods on other terms are no alternatives:
// the policy chooses.
//
// What somebody has dismissed or snoozed is left.
func (g *gathered) input(pol *policy.Policy, said map[string]api.Advice) (recommend.Input, error) {
	in := recommend.Input{Format: cloudsFormat, Name: string(cloudsFormat)}
	var missing []string
	for _, s := range g.out.Sources {
		switch {
		case s.Problem != "":
			missing = append(missing, fmt.Sprintf("%s, %s: %s", s.Source, s.Account, s.Problem))
		case s.Stale:
			missing = append(missing, fmt.Sprintf("%s, %s: its advice was made on %s, longer ago than %s", s.Source, s.Account, s.MadeAt.Format(time.DateTime+"Z"), g.maxAge))
		}
	}
	const most = 5
	if more := len(missing) - most; more > 0 {
		missing = append(missing[:most], fmt.Sprintf("and %d more", more))
	}
	if len(missing) > 0 {
		return in, errors.New("a plan rests on all that was asked for, and not all was answered: " + strings.Join(missing, "; "))
	}
	for i, l := range g.out.Lines {
		d := g.drafts[i]
		why := ""
		if word := said[l.Key]; pol == nil && word.Counts {
			why = fmt.Sprintf("%s by %s: %s", word.Verdict, word.By, word.Reason)
		} else if l.State != api.Recommended && (l.State != api.Alternative || !g.forPolicy(i, pol)) {
			why = l.State + ": " + l.Why
		}
		if why == "" {
			in.Drafts = append(in.Drafts, d)
			continue
		}
		in.Left = append(in.Left, recommend.Left{At: d.At, What: d.What(), Why: why})
	}
	// Clouds list their advice in any order, and a plan has the order of its input.
	order := func(d recommend.Draft) string {
		return fmt.Sprint(d.Provider, d.Account, d.Region, d.Service, d.Attributes, d.Term, d.Payment, d.Quantity)
	}
	slices.SortStableFunc(in.Drafts, func(a, b recommend.Draft) int { return strings.Compare(order(a), order(b)) })
	for _, l := range g.out.Left {
		in.Left = append(in.Left, recommend.Left{At: recommend.Position{File: l.Source + ", " + l.Account}, What: l.What, Why: l.Why})
	}
	return in, nil
}

// forPolicy reports whether an alternative is for the policy to choose: it is the same
// goods on terms of their own, and of those on the same terms the best.
func (g *gathered) forPolicy(i int, pol *policy.Policy) bool {
	lines := g.out.Lines
	if pol == nil || lines[i].Why == narrower {
		return false
	}
	if _, _, chooses := pol.Preferred(cloud.Service(lines[i].Service)); !chooses {
		return false
	}
	for j, other := range lines {
		same := j != i && other.State != api.Unpriced && other.Why != narrower && goodsKey(other) == goodsKey(lines[i]) &&
			other.TermMonths == lines[i].TermMonths && other.Payment == lines[i].Payment
		if same && (other.State == api.Recommended || savesMore(other, lines[i]) || j < i && !savesMore(lines[i], other)) {
			return false
		}
	}
	return true
}

// words are the last words of people on advice, by key.
func (a *App) words(ctx context.Context) (map[string]api.Advice, error) {
	list, err := a.verdicts(ctx)
	by := make(map[string]api.Advice, len(list))
	for _, said := range list {
		by[said.Key] = said
	}
	return by, err
}

package app

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/recommend/policy"
	"bursar/internal/store"
)

var adviceKey = regexp.MustCompile(`^adv-[0-9a-f]{12}$`)

// DismissAdvice has policies leave advice out until somebody restores it.
func (a *App) DismissAdvice(ctx context.Context, r api.AdviceRequest) (api.Advice, error) {
	return a.judge(ctx, r, store.Dismissed)
}

// SnoozeAdvice has policies leave advice out until a time.
func (a *App) SnoozeAdvice(ctx context.Context, r api.AdviceRequest) (api.Advice, error) {
	if now := a.clouds.now(); !r.Until.After(now) {
		return api.Advice{}, api.Errorf(api.Invalid, "--until %s is not in the future; it is %s", r.Until.UTC().Format(time.DateOnly), now.Format(time.DateOnly))
	}
	return a.judge(ctx, r, store.Snoozed)
}

// RestoreAdvice takes back what was said about advice.
func (a *App) RestoreAdvice(ctx context.Context, r api.AdviceRequest) (api.Advice, error) {
	return a.judge(ctx, r, store.Restored)
}

func (a *App) judge(ctx context.Context, r api.AdviceRequest, verdict string) (api.Advice, error) {
	r.Reason = strings.TrimSpace(r.Reason)
	if r.Reason == "" {
		return api.Advice{}, api.Errorf(api.Invalid, "--reason: say why, for those who wonder later")
	}
	if err := plain("the reason", r.Reason); err != nil {
		return api.Advice{}, err
	}
	by, err := a.actor(ctx, auth.AdviceJudge, r.Key, r.By)
	if err != nil {
		return api.Advice{}, err
	}
	r.By = by
	now := a.clouds.now()
	list, err := a.verdicts(ctx)
	if err != nil {
		return api.Advice{}, err
	}
	v := store.Verdict{Key: r.Key, Verdict: verdict, Reason: r.Reason, By: r.By, At: now}
	if verdict == store.Snoozed {
		v.Until = r.Until.UTC()
	}
	before := ""
	for _, known := range list {
		if known.Key == r.Key {
			v.About = known.About
			before = known.Verdict
		}
	}
	if verdict == store.Restored && (before == "" || before == store.Restored) {
		return api.Advice{}, api.Errorf(api.Conflict, "advice %s is neither dismissed nor snoozed: see bursar advice list", r.Key)
	}
	if v.About == "" {
		if v.About, err = a.about(ctx, r); err != nil {
			return api.Advice{}, err
		}
	}
	err = a.does(ctx, step{
		act: auth.AdviceJudge, by: v.By, subject: v.Key, all: true, details: map[string]any{"verdict": v.Verdict, "about": v.About, "reason": v.Reason},
	}, func() error { return a.db.Judge(ctx, v) })
	if err != nil {
		return api.Advice{}, err
	}
	return adviceView(v, now), nil
}

// about says what a key is about: as a plan knows it, or the file that was named.
func (a *App) about(ctx context.Context, r api.AdviceRequest) (string, error) {
	if !adviceKey.MatchString(r.Key) {
		return "", api.Errorf(api.Invalid, "%q is not the key of advice, such as adv-0123456789ab: bursar plan show PLAN --explain and bursar advice list -f FILE show the keys", r.Key)
	}
	about, err := a.db.AboutAdvice(ctx, r.Key)
	if !errors.Is(err, store.ErrNotFound) {
		return about, err
	}
	if g := a.advised.last(ctx); g != nil {
		for _, d := range g.drafts {
			if policy.Key(d) == r.Key {
				return policy.About(d), nil
			}
		}
	}
	if r.File == "" {
		return "", api.Errorf(api.NotFound, "no plan knows advice %s: name the file that holds it with -f FILE", r.Key)
	}
	if _, ok := auth.From(ctx); ok && r.Content == nil {
		return "", api.Errorf(api.Invalid, "input: send it with the request: no file of the server is read")
	}
	in, err := readInput(r.File, r.Content)
	if err != nil {
		return "", refused(ctx, err)
	}
	for _, d := range in.Drafts {
		if policy.Key(d) == r.Key {
			return policy.About(d), nil
		}
	}
	return "", api.Errorf(api.NotFound, "%s holds no advice %s: bursar advice list -f %s shows what it holds", r.File, r.Key, r.File)
}

func adviceView(v store.Verdict, now time.Time) api.Advice {
	return api.Advice{
		Key: v.Key, About: v.About, Verdict: v.Verdict, Until: optional(v.Until), Reason: v.Reason, By: v.By, At: optional(v.At),
		Counts: v.Verdict == store.Dismissed || v.Verdict == store.Snoozed && now.Before(v.Until),
	}
}

// verdicts lists what people have said about advice, the last word on each.
func (a *App) verdicts(ctx context.Context) ([]api.Advice, error) {
	now := a.clouds.now()
	said, err := a.db.Verdicts(ctx)
	if err != nil {
		return nil, err
	}
	list, at := []api.Advice{}, map[string]int{}
	for _, v := range said {
		i, known := at[v.Key]
		if !known {
			i = len(list)
			at[v.Key] = i
			list = append(list, api.Advice{})
		}
		list[i] = adviceView(v, now)
	}
	return list, nil
}

// Advices lists what people have said about advice, the last word on each; with a file,
// instead what that advises, with the last word on it. A server reads no file of its own:
// content is what the file holds.
func (a *App) Advices(ctx context.Context, file string, content []byte) ([]api.Advice, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	if file == "" {
		list, err := a.verdicts(ctx)
		// What it is about ends with the account.
		return slices.DeleteFunc(list, func(said api.Advice) bool { return !sees(ctx, said.About[strings.LastIndexByte(said.About, ' ')+1:]) }), err
	}
	if _, ok := auth.From(ctx); ok && content == nil {
		return nil, api.Errorf(api.Invalid, "input: send it with the request: no file of the server is read")
	}
	in, err := readInput(file, content)
	if err != nil {
		return nil, refused(ctx, err)
	}
	said, err := a.words(ctx)
	if err != nil {
		return nil, err
	}
	of := []api.Advice{}
	for _, d := range in.Drafts {
		one := api.Advice{Key: policy.Key(d), About: policy.About(d), Verdict: "open"}
		if word, known := said[one.Key]; known {
			one = word
		}
		one.Where, one.What = d.At.String(), d.What()
		of = append(of, one)
	}
	return of, nil
}

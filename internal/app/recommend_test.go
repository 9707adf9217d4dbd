package app

import (
	"context"
	"errors"
	"testing"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/money"
)

// TestAskingLiveAccountsIsBounded: where nobody is there to agree to what asking costs,
// live accounts are asked within an explicit bound only.
func TestAskingLiveAccountsIsBounded(t *testing.T) {
	cost := func(n int, live bool) api.AdviceCost {
		return api.AdviceCost{Requests: n, Each: money.MustParse("0.01", "USD"), Live: live}
	}
	for _, c := range []struct {
		cost    api.AdviceCost
		most    int
		refused bool
	}{{cost(3, true), 0, true}, {cost(3, true), 3, false}, {cost(0, true), 0, false}, {cost(3, false), 0, false}} {
		if err := bounded(api.RecommendRequest{MaxRequests: c.most}, c.cost); (err != nil) != c.refused {
			t.Errorf("%+v, at most %d: %v", c.cost, c.most, err)
		}
	}
}

// TestAskedWithinScope: nobody is asked about accounts that whoever asks does not see,
// nobody is shown what others were told of them, and a plan is made of what is shown.
func TestAskedWithinScope(t *testing.T) {
	w := open(t)
	as := func(accounts ...string) context.Context {
		return auth.With(t.Context(), auth.Principal{Name: "grace", Roles: []auth.Role{auth.Admin}, Accounts: accounts})
	}
	all := api.RecommendRequest{Providers: []string{"aws"}, Services: []string{"rds"}}
	few, err := w.AdviceCost(as(mixed[0]), all)
	if err != nil || few.Requests != 1 {
		t.Errorf("cost %+v, %v", few, err)
	}
	var e *api.Error
	if _, err := w.AdviceCost(as("000000000000"), all); !errors.As(err, &e) || e.Kind != api.Forbidden {
		t.Errorf("cost of nothing: %v", err)
	}
	if _, err := w.Recommended(t.Context()); !errors.As(err, &e) || e.Kind != api.NotFound {
		t.Errorf("before anybody has asked: %v", err)
	}
	got, err := w.Recommend(as(nil...), all)
	if err != nil || len(got.Lines) == 0 || got.By != "grace" {
		t.Fatalf("%+v, %v", got, err)
	}
	seen, err := w.Recommended(as(mixed[0]))
	if err != nil || len(seen.Lines) == 0 || len(seen.Lines) >= len(got.Lines) || len(seen.Sources) != 1 {
		t.Fatalf("%d lines of %d, %d sources, %v", len(seen.Lines), len(got.Lines), len(seen.Sources), err)
	}
	// Of what is dismissed there is no line, also without a policy.
	dismissed := seen.Lines[0].Key
	if _, err := w.DismissAdvice(as(nil...), api.AdviceRequest{Key: dismissed, Reason: "we leave"}); err != nil {
		t.Fatal(err)
	}
	made, err := w.CreatePlan(as(mixed[0]), api.PlanRequest{Asked: &seen.At})
	if err != nil {
		t.Fatal(err)
	}
	recommended, left := 0, 0
	for _, l := range seen.Lines {
		if l.State == api.Recommended && l.Key != dismissed {
			recommended++
		}
	}
	for _, l := range made.Plan.Lines {
		if l.Account != mixed[0] {
			t.Errorf("a line for account %s", l.Account)
		}
	}
	for _, l := range made.Left {
		if l.Why == "dismissed by grace: we leave" {
			left++
		}
	}
	if len(made.Plan.Lines) != recommended || left == 0 {
		t.Errorf("%d lines of %d; %d dismissed", len(made.Plan.Lines), recommended, left)
	}
	again, err := w.CreatePlan(as(mixed[0]), api.PlanRequest{Asked: &seen.At})
	if err != nil || again.Plan.Digest != made.Plan.Digest {
		t.Errorf("another digest: %v", err)
	}
	earlier := seen.At.Add(-1)
	if _, err := w.CreatePlan(as(mixed[0]), api.PlanRequest{Asked: &earlier}); !errors.As(err, &e) || e.Kind != api.Stale {
		t.Errorf("of what was said before: %v", err)
	}
	for _, r := range []api.PlanRequest{{}, {Asked: &seen.At, Clouds: &all}, {File: "x.yaml", Content: []byte("x"), Clouds: &all}} {
		if _, err := w.CreatePlan(as(nil...), r); !errors.As(err, &e) || e.Kind != api.Invalid {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

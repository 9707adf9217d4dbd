package server

import (
	"bytes"
	"context"

	"github.com/danielgtaylor/huma/v2"

	"bursar/internal/api"
	"bursar/internal/auth"
)

const adviceOfFile = prefix + "/advice/of-file"

// planRequest is what a request for a plan asks for. A file that is named has a content,
// if an empty one: none of this machine is read.
func planRequest(b api.NewPlan) (api.PlanRequest, error) {
	r := api.PlanRequest{
		File: b.File, Name: b.Name, Coverage: b.Coverage, MaxTotal: b.MaxTotal, MaxMonthly: b.MaxMonthly, Purpose: b.Purpose, Supersedes: b.Supersedes,
		Policy: b.Policy, PolicyContent: append([]byte{}, b.PolicyContent...), Asked: b.Asked,
	}
	if b.File != "" || b.Content != nil {
		r.Content = append([]byte{}, b.Content...)
	}
	if b.Usage != nil {
		usage, err := b.Usage.Request()
		if err != nil {
			return r, err
		}
		usage.Content = bytes.NewReader(b.Usage.Content)
		r.Usage = &usage
	}
	if b.Clouds != nil {
		asking, err := b.Clouds.Request()
		if err != nil {
			return r, err
		}
		r.Clouds = &asking
	}
	return r, nil
}

// advice registers what is done about advice.
func (s *Server) advice(a huma.API) {
	type cost struct {
		Provider []string `query:"provider,explode" doc:"Clouds to ask; default are all"`
		Account  string   `query:"account" doc:"Account to ask about; default are all" maxLength:"128"`
		Service  []string `query:"service,explode" doc:"Services to ask about; default are all"`
		Term     []string `query:"term,explode" doc:"Lengths to ask for; default is 1y"`
		Payment  []string `query:"payment,explode" doc:"Options of payment; default is no-upfront and monthly"`
		AllCells bool     `query:"all_cells" doc:"Every term with every option of payment"`
	}
	get(a, s, "/recommendations/cost", "advice-cost", "What asking the clouds for advice costs at least; nobody is asked", func(ctx context.Context, in *cost) (*answer[api.AdviceCost], error) {
		return answered(s.Service.AdviceCost(ctx, api.RecommendRequest{
			Providers: in.Provider, Account: in.Account, Services: in.Service, Terms: in.Term, Payments: in.Payment, AllCells: in.AllCells,
		}))
	})
	get(a, s, "/recommendations", "recommended", "What the clouds said when this server asked them last; nobody is asked", func(ctx context.Context, _ *none) (*answer[api.Recommendations], error) {
		return answered(s.Service.Recommended(ctx))
	})
	post(a, s, auth.AdviceAsk, "/recommendations", "recommend", "Ask the clouds what they recommend to buy, which may cost money", func(ctx context.Context, in *withBody[api.NewAsking]) (*answer[api.Recommendations], error) {
		r, err := in.Body.Request()
		if err != nil {
			return nil, err
		}
		return answered(s.Service.Recommend(ctx, r))
	})
	get(a, s, "/advice", "list-advice", "The last words of people on advice", func(ctx context.Context, _ *none) (*answer[[]api.Advice], error) {
		return answered(s.Service.Advices(ctx, "", nil))
	})
	post(a, s, auth.ReadAny, "/advice/of-file", "list-advice-of-file", "What a file advises, with its keys and the last words on it; nothing is stored", func(ctx context.Context, in *withBody[api.InputFile]) (*answer[[]api.Advice], error) {
		return answered(s.Service.Advices(ctx, in.Body.File, append([]byte{}, in.Body.Content...)))
	})
	type verdict struct {
		Key  string `path:"key" doc:"Key of the advice, such as adv-0123456789ab" maxLength:"64"`
		Body api.NewVerdict
	}
	post(a, s, auth.AdviceJudge, "/advice/{key}/verdicts", "judge-advice", "Dismiss, snooze or restore advice, for plans that a policy makes or that are made of what the clouds say", func(ctx context.Context, in *verdict) (*answer[api.Advice], error) {
		r := api.AdviceRequest{Key: in.Key, Reason: in.Body.Reason}
		if f := in.Body.Input; f != nil {
			r.File, r.Content = f.File, append([]byte{}, f.Content...)
		}
		switch in.Body.Verdict {
		case "dismissed":
			return answered(s.Service.DismissAdvice(ctx, r))
		case "snoozed":
			if in.Body.Until == nil {
				return nil, api.Errorf(api.Invalid, "until: say until when it is snoozed")
			}
			r.Until = *in.Body.Until
			return answered(s.Service.SnoozeAdvice(ctx, r))
		}
		return answered(s.Service.RestoreAdvice(ctx, r))
	})
}

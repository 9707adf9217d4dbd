package server

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bursar/internal/api"
	"bursar/internal/auth"
)

// notifications are what people are told. Whoever is signed in mutes for themselves.
func (s *Server) notifications(a huma.API) {
	get(a, s, "/notifications", "list-notifications", "The kinds of messages, the channels with what each gets, and what whoever asks has muted", func(ctx context.Context, _ *none) (*answer[api.Notifications], error) {
		return answered(s.Service.Notifications(ctx))
	})
	get(a, s, "/notifications/outbox", "list-outbox", "The newest messages, and what became of each", func(ctx context.Context, _ *none) (*answer[api.Outbox], error) {
		return answered(s.Service.Outbox(ctx))
	})
	post(a, s, auth.NotifyMute, "/notifications/mutes", "mute", "Get no mail of a kind for a while", func(ctx context.Context, in *withBody[api.NewMute]) (*answer[api.Mute], error) {
		r := api.MuteRequest{Kind: in.Body.Kind}
		switch {
		case (in.Body.For != "") == (in.Body.Until != nil):
			return nil, api.Errorf(api.Invalid, "say for how long, with for, or until when, with until")
		case in.Body.Until != nil:
			r.Until = *in.Body.Until
		default:
			var err error
			if r.For, err = time.ParseDuration(in.Body.For); err != nil {
				return nil, api.Errorf(api.Invalid, "for %q: use a duration such as 72h", in.Body.For)
			}
		}
		return answered(s.Service.Mute(ctx, r))
	})
	post(a, s, auth.NotifyUnmute, "/notifications/unmute", "unmute", "Get mail of a kind again", func(ctx context.Context, in *withBody[api.NewUnmute]) (*answer[api.Mute], error) {
		return answered(s.Service.Unmute(ctx, in.Body.Kind, ""))
	})
}

package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// outboxShown is how many messages are shown, newest first.
const outboxShown = 100

// Outbox shows what was told lately and what became of it.
// A message that is about something beyond the scope of whoever asks is not shown.
func (a *App) Outbox(ctx context.Context) (api.Outbox, error) {
	if err := a.reads(ctx); err != nil {
		return api.Outbox{}, err
	}
	list, deliveries, err := a.db.Messages(ctx, outboxShown)
	if err != nil {
		return api.Outbox{}, err
	}
	v := api.Outbox{Messages: []api.OutboxMessage{}}
	for _, m := range list {
		ok, err := a.seesMessage(ctx, m)
		if err != nil {
			return v, err
		} else if !ok {
			continue
		}
		o := api.OutboxMessage{
			ID: m.ID, Kind: string(m.Kind), At: m.CreatedAt, Plan: string(m.Plan), Line: string(m.Line), RoutedAt: optional(m.RoutedAt),
			ToldBy: m.ToldBy, Deliveries: []api.Delivery{},
		}
		if m.Document != "" {
			var document api.Message
			if err := json.Unmarshal([]byte(m.Document), &document); err != nil {
				return v, fmt.Errorf("message %s is damaged: %w", m.ID, err)
			}
			o.Title = document.Title
		}
		for _, d := range deliveries[m.ID] {
			view := api.Delivery{Channel: d.Channel, Recipient: d.Recipient, State: string(d.State), Tries: d.Tries, EndedAt: optional(d.EndedAt), Detail: d.Detail}
			if d.State == store.DeliveryWaiting {
				view.NextAt = optional(d.NextAt)
			}
			o.Deliveries = append(o.Deliveries, view)
		}
		v.Messages = append(v.Messages, o)
	}
	return v, nil
}

// seesMessage reports whether all that a message is about is in the scope of whoever asks.
func (a *App) seesMessage(ctx context.Context, m store.Message) (bool, error) {
	if who, ok := auth.From(ctx); !ok || who.Accounts == nil {
		return true, nil
	}
	var told api.Message
	if m.Document != "" {
		if err := json.Unmarshal([]byte(m.Document), &told); err != nil {
			return false, fmt.Errorf("message %s is damaged: %w", m.ID, err)
		}
	}
	if slices.ContainsFunc(told.Items, func(i api.MessageItem) bool { return !sees(ctx, i.Account) }) {
		return false, nil
	}
	switch {
	case m.Line != "":
		row, err := a.db.Row(ctx, m.Line)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return err == nil && sees(ctx, string(row.Line.Spec.Account)), err
	case m.Plan != "":
		_, err := a.plan(ctx, string(m.Plan))
		var unknown *api.Error
		if errors.As(err, &unknown) && unknown.Kind == api.NotFound {
			return false, nil
		}
		return err == nil, err
	}
	return len(told.Items) > 0 || m.Kind == store.MessageUndelivered, nil
}

// Notifications shows who is told of what, and what whoever asks does not want to hear of;
// a command on the ledger itself shows that of everybody.
func (a *App) Notifications(ctx context.Context) (api.Notifications, error) {
	v := api.Notifications{Kinds: api.MessageKinds, Channels: []api.Channel{}, Mutes: []api.Mute{}}
	if err := a.reads(ctx); err != nil {
		return v, err
	}
	who, signedIn := auth.From(ctx)
	for _, c := range a.notify.channels {
		view := api.Channel{Name: c.Name, Type: string(c.Type), Address: c.Address(), Problem: c.Problem()}
		for _, k := range c.kinds {
			view.Kinds = append(view.Kinds, string(k))
		}
		for _, to := range c.to {
			if to != "" {
				view.To = append(view.To, to)
			}
		}
		v.Channels = append(v.Channels, view)
	}
	mutes, err := a.db.Mutes(ctx, a.clouds.now())
	if err != nil {
		return v, err
	}
	for _, m := range mutes {
		if signedIn && purchase.PersonKey(m.Person) != purchase.PersonKey(who.Name) {
			continue
		}
		v.Mutes = append(v.Mutes, muteView(m))
	}
	return v, nil
}

func muteView(m store.Mute) api.Mute {
	v := api.Mute{Person: m.Person, Kind: string(m.Kind), Until: m.Until}
	if v.Kind == "" {
		v.Kind = "all"
	}
	return v
}

// TestChannel sends a message of kind test by a channel, to each of its recipients, and
// returns the channel.
func (a *App) TestChannel(ctx context.Context, name string) (api.Channel, error) {
	c := a.notify.find(name)
	if c == nil {
		var names []string
		for _, c := range a.notify.channels {
			names = append(names, c.Name)
		}
		if len(names) == 0 {
			return api.Channel{}, errors.New("the configuration has no channels: add some to notify in bursar.yaml")
		}
		return api.Channel{}, fmt.Errorf("the configuration has no channel %q: it has %s", name, strings.Join(names, ", "))
	}
	in, err := a.db.Installation(ctx)
	if err != nil {
		return api.Channel{}, err
	}
	now := a.clouds.now()
	m := api.Message{
		ID: fmt.Sprintf("test.%s.%d", name, now.UnixMicro()), Kind: "test", At: now, Installation: in.Install, Simulated: a.Simulated(), Channel: name,
		Next: "bursar notify list",
	}
	m.Link = a.notify.page(m)
	v := api.Channel{Name: c.Name, Type: string(c.Type), Address: c.Address()}
	for _, to := range c.to {
		address, err := a.notify.address(to)
		if err == nil {
			err = c.Send(ctx, m, address)
		}
		if err != nil {
			return v, fmt.Errorf("the channel %s does not work: %w", name, err)
		}
		if to != "" {
			v.To = append(v.To, to)
		}
	}
	return v, nil
}

// muteMost bounds a wish: who never wants to hear of something leaves the channel.
const muteMost = 366 * 24 * time.Hour

// Mute keeps a person from mail of one kind, or of all, for so long, or until a time. Who
// is signed in mutes for nobody else.
func (a *App) Mute(ctx context.Context, r api.MuteRequest) (api.Mute, error) {
	now := a.clouds.now()
	if r.Until.IsZero() {
		r.Until = now.Add(r.For)
	}
	if !r.Until.After(now) || r.Until.Sub(now) > muteMost {
		return api.Mute{}, api.Errorf(api.Invalid, "it is %s: mute until a later time, a year at most", now.Format(time.RFC3339))
	}
	return a.mute(ctx, auth.NotifyMute, r.Kind, r.By, r.Until)
}

// Unmute ends what Mute has begun.
func (a *App) Unmute(ctx context.Context, kind, by string) (api.Mute, error) {
	return a.mute(ctx, auth.NotifyUnmute, kind, by, a.clouds.now())
}

func (a *App) mute(ctx context.Context, act auth.Act, kind, by string, until time.Time) (api.Mute, error) {
	by, err := a.actor(ctx, act, kind, by)
	if err != nil {
		return api.Mute{}, err
	}
	m := store.Mute{Person: by, Kind: store.MessageKind(kind), Until: until.UTC(), At: a.clouds.now()}
	switch {
	case kind == "all":
		m.Kind = ""
	case !slices.Contains(store.MessageKinds, m.Kind):
		return api.Mute{}, api.Errorf(api.Invalid, "there is no kind of message %q: use all, or one of %s", kind, kindsText())
	}
	err = a.does(ctx, step{act: act, by: by, subject: kind, details: map[string]any{"until": until.UTC().Format(time.RFC3339)}}, func() error {
		return a.db.SetMute(ctx, m)
	})
	return muteView(m), err
}

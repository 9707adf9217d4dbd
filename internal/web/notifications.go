package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

func (s *site) notificationPages() {
	s.get("/notifications", auth.Read, s.notifications)
	s.post("/notifications/mute", auth.NotifyMute, s.mute)
	s.post("/notifications/unmute", auth.NotifyUnmute, s.unmute)
}

// muteDays are for how long a kind can be muted.
var muteDays = []int{1, 7, 30, 365}

// told is the page of what people are told.
type told struct {
	kinds    []toldKind
	all      *api.Mute // of every kind, by whoever looks
	channels []api.Channel
	messages []api.OutboxMessage
}

// toldKind is a kind of message as whoever looks gets it.
type toldKind struct {
	api.MessageKind
	muted    *api.Mute
	channels []string // that get it
}

func (s *site) notifications(w http.ResponseWriter, r *http.Request, v view) error {
	n, err := s.Service.Notifications(r.Context())
	if err != nil {
		return err
	}
	o, err := s.Service.Outbox(r.Context())
	if err != nil {
		return err
	}
	t := told{channels: n.Channels, messages: o.Messages}
	muted := func(kind string) *api.Mute {
		for i, m := range n.Mutes {
			if m.Kind == kind && same(m.Person, v.who.Name) {
				return &n.Mutes[i]
			}
		}
		return nil
	}
	t.all = muted("all")
	for _, k := range n.Kinds {
		row := toldKind{MessageKind: k, muted: muted(k.Kind)}
		for _, c := range n.Channels {
			if slices.Contains(c.Kinds, k.Kind) {
				row.channels = append(row.channels, c.Name)
			}
		}
		t.kinds = append(t.kinds, row)
	}
	return s.show(w, r, http.StatusOK, notificationsPage(v.titled("notifications", "Notifications"), t))
}

// mute keeps mail of a kind from whoever is signed in.
func (s *site) mute(w http.ResponseWriter, r *http.Request, _ view) error {
	days, err := strconv.Atoi(r.FormValue("days"))
	if err != nil || !slices.Contains(muteDays, days) {
		return fmt.Errorf("a kind is muted for 1, 7, 30 or 365 days, not %q", r.FormValue("days"))
	}
	if _, err := s.Service.Mute(r.Context(), api.MuteRequest{Kind: r.FormValue("kind"), For: time.Duration(days) * 24 * time.Hour}); err != nil {
		return err
	}
	return done(w, r, "/notifications")
}

func (s *site) unmute(w http.ResponseWriter, r *http.Request, _ view) error {
	if _, err := s.Service.Unmute(r.Context(), r.FormValue("kind"), ""); err != nil {
		return err
	}
	return done(w, r, "/notifications")
}

// subject is what a message tells in one line.
func subject(m api.OutboxMessage) string {
	if m.Title != "" {
		return m.Title
	}
	return word(m.Kind)
}

// fate is what became of a message that has no delivery of its own.
func fate(m api.OutboxMessage) string {
	switch {
	case m.ToldBy != "":
		return "told with another"
	case m.RoutedAt == nil:
		return "waits for a worker"
	case len(m.Deliveries) == 0:
		return "for nobody"
	}
	return ""
}

// toWhom is where a delivery goes.
func toWhom(d api.Delivery) string {
	if d.Recipient == "" {
		return d.Channel
	}
	return d.Channel + " to " + d.Recipient
}

// aboutPath is the page about what a message tells; "" for none.
func aboutPath(m api.OutboxMessage) string {
	switch {
	case m.Line != "":
		return "/history/" + m.Line
	case m.Plan != "":
		return "/plans/" + m.Plan
	}
	return ""
}

// deliveryTone is the color of what became of a delivery.
func deliveryTone(state string) string {
	switch state {
	case "sent":
		return "good"
	case "waiting":
		return "doubt"
	case "given_up":
		return "alarm"
	}
	return "quiet"
}

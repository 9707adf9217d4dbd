package app

import (
	"errors"
	"slices"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/store"
)

// TestPeopleMuteForThemselves over HTTP: whoever is signed in, and nobody else. A person is
// known in the channels by name or by address.
func TestPeopleMuteForThemselves(t *testing.T) {
	a, _, _, _ := listening(t, false, `    team: {type: mail, server: "127.0.0.1:1", tls: none, from: bursar@example.com, to: [Ada, grace, ops@example.com], kinds: [waiting_for_approval]}
  people: {Ada: ada@example.com, grace: grace@example.com}
`)
	s := serve(t, a)
	if _, err := a.AddPerson(t.Context(), api.PersonRequest{Name: "Ada Lovelace", Mail: "ada@example.com", Roles: []string{string(auth.Viewer)}, By: "root"}); err != nil {
		t.Fatal(err)
	}
	made, err := a.CreateToken(t.Context(), api.TokenRequest{Name: "hers", Owner: "Ada Lovelace", Valid: time.Hour, By: "root"})
	if err != nil {
		t.Fatal(err)
	}
	client := func(token string) *api.Client {
		t.Helper()
		c, err := api.NewClient(s.http.URL, token)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ada, grace, elsewhere := client(made.Value), client(s.token("grace", false, nil, auth.Approver)), client(s.token("eve", false, []string{"777788889999"}, auth.Viewer))
	until := a.Now().Add(24 * time.Hour).Truncate(time.Second)
	if m, err := ada.Mute(t.Context(), api.MuteRequest{Kind: "waiting_for_approval", Until: until}); err != nil || m.Person != "Ada Lovelace" || !m.Until.Equal(until) {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := grace.Mute(t.Context(), api.MuteRequest{Kind: "bought", For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	var refused *api.Error
	for _, r := range []api.MuteRequest{
		{Kind: "bought"}, {Kind: "bought", Until: a.Now().Add(-time.Hour)}, {Kind: "bought", For: 2 * 366 * 24 * time.Hour}, {Kind: "no such kind", For: time.Hour}, {Kind: "bought", For: time.Hour, By: "grace"},
	} {
		if _, err := ada.Mute(t.Context(), r); !errors.As(err, &refused) || refused.Kind != api.Invalid {
			t.Errorf("%+v: %v", r, err)
		}
	}
	for name, c := range map[string]*api.Client{"waiting_for_approval": ada, "bought": grace} {
		n, err := c.Notifications(t.Context())
		if err != nil || len(n.Mutes) != 1 || n.Mutes[0].Kind != name || len(n.Channels) != 2 || len(n.Kinds) != len(store.MessageKinds) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}

	planned(t, a, 1)
	outboxOnce(t, a)
	o, err := ada.Outbox(t.Context())
	if err != nil || len(o.Messages) != 1 {
		t.Fatalf("%+v, %v", o, err)
	}
	states := map[string]string{}
	for _, d := range o.Messages[0].Deliveries {
		states[d.Recipient] = d.State
	}
	if states["Ada"] != "dropped" || states["grace"] != "waiting" || states["ops@example.com"] != "waiting" {
		t.Errorf("%v", states)
	}
	if o, err := elsewhere.Outbox(t.Context()); err != nil || len(o.Messages) != 0 {
		t.Errorf("who does not see the account is shown %+v, %v", o, err)
	}

	if m, err := ada.Unmute(t.Context(), "waiting_for_approval", ""); err != nil || m.Person != "Ada Lovelace" {
		t.Errorf("%+v, %v", m, err)
	}
	if n, err := ada.Notifications(t.Context()); err != nil || len(n.Mutes) != 0 {
		t.Errorf("%+v, %v", n, err)
	}
	log, err := a.AuditLog(t.Context(), AuditFilter{Act: string(auth.NotifyMute)})
	if err != nil || len(log) != 2 || log[0].Actor != "Ada Lovelace" || log[0].Subject != "waiting_for_approval" {
		t.Errorf("%+v, %v", log, err)
	}
}

// TestKindsAreTold: the kinds that people read of are those that there are.
func TestKindsAreTold(t *testing.T) {
	for _, k := range store.MessageKinds {
		if !slices.ContainsFunc(api.MessageKinds, func(m api.MessageKind) bool { return m.Kind == string(k) && m.Says != "" }) {
			t.Errorf("nobody is told what %s is", k)
		}
	}
	if len(api.MessageKinds) != len(store.MessageKinds) {
		t.Errorf("%d kinds, not %d", len(api.MessageKinds), len(store.MessageKinds))
	}
}

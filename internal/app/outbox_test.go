package app

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/engine"
	"bursar/internal/pgtest/pgtesting"
	"bursar/internal/sim"
	"bursar/internal/store"
)

func TestMain(m *testing.M) { os.Exit(pgtesting.Run(m)) }

// listener is a webhook that keeps what it gets.
type listener struct {
	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request)
	got    []api.Message
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var m api.Message
	l.mu.Lock()
	if err == nil && json.Unmarshal(body, &m) == nil {
		l.got = append(l.got, m)
	}
	answer := l.answer
	l.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

// messages are what came of a kind since the last time.
func (l *listener) messages(kind store.MessageKind) (list []api.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.got {
		if m.Kind == string(kind) {
			list = append(list, m)
		}
	}
	l.got = nil
	return list
}

func (l *listener) answers(answer http.HandlerFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

// listening is an app with a webhook named bot, and a simulator; on one database or the
// other.
func listening(t *testing.T, postgres bool, more string) (*App, *sim.Sim, *listener, Options) {
	t.Helper()
	l := &listener{}
	hook := httptest.NewServer(l)
	t.Cleanup(hook.Close)
	t.Setenv("BOT_URL", hook.URL)
	s, err := sim.New(sim.Options{Visibility: -1})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		server.Close()
		_ = s.Close()
	})
	dir := t.TempDir()
	o := Options{
		Ledger: filepath.Join(dir, "bursar.db"), Endpoint: server.URL, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Config: write(t, dir, "bursar.yaml", "journal: "+filepath.Join(dir, "journal")+"\nnotify:\n  channels:\n    bot: {type: webhook, url: \"env:BOT_URL\"}\n"+more),
	}
	if postgres {
		o.Ledger = pgtesting.Database(t)
	}
	if _, err := Init(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return reopen(t, o), s, l, o
}

// onBoth runs a test with a ledger in each database.
func onBoth(t *testing.T, test func(t *testing.T, postgres bool)) {
	for _, postgres := range []bool{false, true} {
		t.Run(map[bool]string{false: "sqlite", true: "postgres"}[postgres], func(t *testing.T) { test(t, postgres) })
	}
}

// outboxOnce runs the task once.
func outboxOnce(t *testing.T, a *App) engine.TaskResult {
	t.Helper()
	r, err := a.engine.RunTask(t.Context(), engine.TaskOutbox)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// planned makes plans that wait for approval.
func planned(t *testing.T, a *App, n int) (ids []string) {
	t.Helper()
	file := write(t, t.TempDir(), "plan.yaml", onePlan)
	for range n {
		created, err := a.CreatePlan(t.Context(), api.PlanRequest{File: file, Requester: "ana"})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, created.Plan.ID)
	}
	return ids
}

// TestManySendOnce: of several processes each message is sent by one.
func TestManySendOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		a, _, l, o := listening(t, postgres, "")
		others := []*App{a, reopen(t, o), reopen(t, o)}
		ids := planned(t, a, 12)
		var all sync.WaitGroup
		for range 2 {
			for _, a := range others {
				all.Go(func() {
					if _, err := a.engine.RunTask(t.Context(), engine.TaskOutbox); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		outboxOnce(t, a)
		got := map[string]int{}
		for _, m := range l.messages(store.MessageApproval) {
			got[m.ID]++
		}
		for _, id := range ids {
			if n := got["waiting_for_approval."+id]; n != 1 {
				t.Errorf("plan %s was told %d times", id, n)
			}
		}
		if len(got) != len(ids) {
			t.Errorf("%d messages of %d plans", len(got), len(ids))
		}
	})
}

// TestADeadProcessIsFollowed: what a process has claimed, and perhaps sent, when it died
// is sent by another one, under the same id.
func TestADeadProcessIsFollowed(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		a, s, l, o := listening(t, postgres, "")
		id := "waiting_for_approval." + planned(t, a, 1)[0]
		// It dies after the answer and before it says so.
		dead := reopen(t, o)
		l.answers(func(http.ResponseWriter, *http.Request) {
			if err := dead.db.Close(); err != nil {
				t.Error(err)
			}
		})
		if _, err := dead.engine.RunTask(t.Context(), engine.TaskOutbox); err == nil {
			t.Fatal("a dead process has recorded what it sent")
		}
		l.answers(nil)
		outboxOnce(t, a)
		if got := l.messages(store.MessageApproval); len(got) != 1 {
			t.Fatalf("sent %d times while it may still be under way", len(got))
		}
		if err := s.Advance(claimFor + time.Second); err != nil {
			t.Fatal(err)
		}
		if r := outboxOnce(t, a); r.Counts["sent"] != 1 {
			t.Errorf("%v", r.Counts)
		}
		if got := l.messages(store.MessageApproval); len(got) != 1 || got[0].ID != id {
			t.Errorf("sent again: %+v", got)
		}
		outboxOnce(t, a)
		if got := l.messages(store.MessageApproval); len(got) != 0 {
			t.Errorf("and again: %+v", got)
		}
	})
}

// TestLinesAreToldTogether: what happened to the lines of one plan is one message; what
// is over before it is sent is none.
func TestLinesAreToldTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		a, s, l, _ := listening(t, postgres, "")
		ids := planned(t, a, 2)
		for i, id := range ids {
			p, err := a.Plan(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Decide(t.Context(), api.Decision{Plan: id, Digest: p.Digest, By: "bob", Approve: true}, time.Hour); err != nil {
				t.Fatal(err)
			}
			if i == 1 { // its answers are lost, and what came of them is not seen
				for _, f := range []sim.Fault{
					{Kind: sim.LoseReply, Service: "rds", Operation: "PurchaseReservedDBInstancesOffering", Times: 2},
					{Kind: sim.StaleListing, Service: "rds", Operation: "DescribeReservedDBInstances", Times: -1, Duration: time.Hour},
				} {
					if _, err := s.AddFault(f); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := a.Apply(t.Context(), id, "", 0, nil); err != nil {
				t.Fatal(err)
			}
		}
		outboxOnce(t, a)
		l.mu.Lock()
		got := slices.Clone(l.got)
		l.mu.Unlock()
		want := map[string]string{"bought": ids[0], "in_doubt": ids[1]}
		for _, m := range got {
			if want[m.Kind] == "" {
				t.Errorf("told %s: %s", m.Kind, m.Title)
				continue
			}
			if m.Plan == nil || m.Plan.ID != want[m.Kind] || len(m.Items) != 2 || !m.Simulated || !strings.HasPrefix(m.Title, "[simulated] ") || !strings.Contains(m.Title, "2 lines") {
				t.Errorf("%+v", m)
			}
			for _, i := range m.Items {
				if (i.Commitment != "") != (m.Kind == "bought") || i.Number == 0 || i.Total == nil {
					t.Errorf("%+v", i)
				}
			}
			delete(want, m.Kind)
		}
		if len(want) > 0 {
			t.Errorf("not told: %v", want)
		}
		o, err := a.Outbox(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range o.Messages {
			switch {
			case m.Kind == "waiting_for_approval" && (len(m.Deliveries) != 1 || m.Deliveries[0].State != "dropped" || m.Deliveries[0].Detail != itIsOver):
				t.Errorf("%+v", m)
			case m.RoutedAt == nil:
				t.Errorf("not routed: %+v", m)
			}
		}
	})
}

// TestPeopleAreSparedWhatTheyMuted, each by themselves, and a channel that does not work
// keeps no other waiting.
func TestPeopleAreSparedWhatTheyMuted(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		a, s, l, o := listening(t, postgres, `    team: {type: mail, server: "127.0.0.1:1", tls: none, from: bursar@example.com, to: [Ada, grace, ops@example.com], kinds: [waiting_for_approval]}
  people: {Ada: ada@example.com, grace: grace@example.com}
`)
		if _, err := a.Mute(t.Context(), api.MuteRequest{Kind: "waiting_for_approval", By: "ada ", For: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Mute(t.Context(), api.MuteRequest{Kind: "bought", By: "grace", For: time.Hour}); err != nil {
			t.Fatal(err)
		}
		planned(t, a, 1)
		if r := outboxOnce(t, a); r.Counts["sent"] != 1 || r.Counts["put_off"] != 2 {
			t.Errorf("%v", r.Counts)
		}
		if got := l.messages(store.MessageApproval); len(got) != 1 {
			t.Errorf("the webhook got %d", len(got))
		}
		states := func() (list []string) {
			t.Helper()
			o, err := a.Outbox(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range o.Messages {
				for _, d := range m.Deliveries {
					list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s %d", d.Channel, d.Recipient, d.State, d.Tries)))
				}
			}
			slices.Sort(list)
			return list
		}
		want := []string{"bot  sent 1", "team Ada dropped 0", "team grace waiting 1", "team ops@example.com waiting 1"}
		if got := states(); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		// Each try comes later than the one before; a process without the channel leaves it.
		for range 2 {
			if err := s.Advance(61 * time.Second); err != nil {
				t.Fatal(err)
			}
			outboxOnce(t, a)
		}
		if got := states(); !slices.Contains(got, "team grace waiting 2") {
			t.Errorf("after two minutes: %q", got)
		}
		if err := s.Advance(3 * time.Minute); err != nil {
			t.Fatal(err)
		}
		without := o
		without.Config = write(t, t.TempDir(), "without.yaml", "journal: "+filepath.Join(filepath.Dir(o.Config), "journal")+"\nnotify: {channels: {bot: {type: webhook, url: \"env:BOT_URL\"}}}\n")
		other := reopen(t, without)
		outboxOnce(t, other)
		if got := states(); !slices.Contains(got, "team grace waiting 2") {
			t.Errorf("a process without the channel: %q", got)
		}
		// After a day it is given up, whoever looks; the others are told, and the task says so.
		if err := s.Advance(triedFor); err != nil {
			t.Fatal(err)
		}
		r := outboxOnce(t, other)
		if r.Outcome != engine.TaskFailed || r.Counts["given_up"] != 2 || !strings.Contains(r.Problem, "2 deliveries were given up") {
			t.Errorf("%+v", r)
		}
		outboxOnce(t, other)
		if got := l.messages(store.MessageUndelivered); len(got) != 1 || got[0].Channel != "team" {
			t.Errorf("%+v", got)
		}
	})
}

// TestABrokenChannelIsToldByOthers, and not by itself.
func TestABrokenChannelIsToldByOthers(t *testing.T) {
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	defer broken.Close()
	t.Setenv("CHAT_URL", broken.URL)
	a, _, l, _ := listening(t, false, "    chat: {type: slack, url: \"env:CHAT_URL\"}\n")
	planned(t, a, 1)
	outboxOnce(t, a)
	outboxOnce(t, a)
	if got := l.messages(store.MessageUndelivered); len(got) != 1 || got[0].Channel != "chat" {
		t.Errorf("%+v", got)
	}
	o, err := a.Outbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range o.Messages {
		if m.Kind == string(store.MessageUndelivered) && (len(m.Deliveries) != 1 || m.Deliveries[0].Channel != "bot") {
			t.Errorf("told by %+v", m.Deliveries)
		}
	}
}

// TestOldNewsIsNone: what nobody has routed for a week is not told.
func TestOldNewsIsNone(t *testing.T) {
	a, s, l, _ := listening(t, false, "")
	planned(t, a, 1)
	if err := s.Advance(freshFor + time.Hour); err != nil {
		t.Fatal(err)
	}
	if r := outboxOnce(t, a); r.Counts["sent"] != 0 || len(l.messages(store.MessageApproval)) != 0 {
		t.Errorf("%v", r.Counts)
	}
}

package store

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// told are the ids of all messages, oldest first.
func (e *engine) told() (ids []string) {
	e.t.Helper()
	list, _, err := e.db.Messages(e.t.Context(), 1000)
	e.ok(err)
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids
}

// news is what is told since the messages that were known.
func (e *engine) news(known []string) (ids []string) {
	e.t.Helper()
	for _, id := range e.told() {
		if !slices.Contains(known, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// TestChangesTell: what happens writes its message in its own transaction, once, and
// what does not happen writes none.
func TestChangesTell(t *testing.T) { onEngines(t, testChangesTell) }

func testChangesTell(t *testing.T, on database) {
	e := on.open(t)
	e.ok(e.db.Import(t.Context(), listed(t0)))
	var known []string
	tells := func(what string, ids ...string) {
		t.Helper()
		slices.Sort(ids)
		if got := e.news(known); !slices.Equal(got, ids) {
			t.Errorf("%s tells %q, want %q", what, got, ids)
		}
		known = e.told()
	}
	stands := func(id string, want bool) {
		t.Helper()
		if got, err := e.db.Stands(t.Context(), id, t0.Add(time.Minute)); err != nil || got != want {
			t.Errorf("%s stands: %t %v", id, got, err)
		}
	}
	p := e.save(1, 5)
	waits := "waiting_for_approval." + string(p.ID)
	tells("a plan", waits)
	stands(waits, true)
	e.ok(e.Decide(t.Context(), yes(p), t0.Add(2*time.Hour)))
	tells("an approval")
	stands(waits, false)
	line := func(i int) purchase.LineID { return p.Lines[i].ID }

	bought := e.armed(line(0), t0, "n0")
	tells("a line that is armed")
	c := e.step(line(0), answer(bought, cloud.Bought), t0.Add(time.Second))
	stale := c
	stale.Version--
	if err := e.Apply(t.Context(), stale, t0); !errors.Is(err, purchase.ErrLost) {
		t.Fatalf("a lost step: %v", err)
	}
	tells("a step that was lost")
	e.apply(c, t0.Add(time.Second))
	tells("a purchase", "bought."+string(line(0)))
	list, _, err := e.db.Messages(t.Context(), 1)
	e.ok(err)
	want := Message{ID: "bought." + string(line(0)), Kind: MessageBought, Plan: p.ID, Line: line(0), CreatedAt: t0.Add(time.Second)}
	if len(list) != 1 || list[0] != want {
		t.Errorf("%+v, want %+v", list, want)
	}

	doubt := e.armed(line(1), t0, "n1")
	e.apply(e.step(line(1), answer(doubt, cloud.InDoubt), t0), t0)
	tells("a lost answer", "in_doubt."+string(line(1))+".1")
	stands("in_doubt."+string(line(1))+".1", true)

	refused := e.armed(line(2), t0, "n2")
	e.apply(e.step(line(2), answer(refused, cloud.Refused), t0), t0)
	if s := e.row(line(2)).Line.State; s == purchase.Failed {
		tells("a refusal", "not_bought."+string(line(2)))
	} else {
		t.Errorf("a refused line is %s", s)
	}

	twice := e.armed(line(3), t0, "n3")
	two := answer(twice, cloud.InDoubt)
	two.SecondRequest = true
	e.apply(e.step(line(3), two, t0), t0)
	row := e.row(line(3)).Line
	if row.State != purchase.NeedsReview {
		t.Fatalf("%s", row.State)
	}
	decide := e.news(known)
	i := slices.IndexFunc(decide, func(id string) bool { return strings.HasPrefix(id, "needs_decision."+string(line(3))+".") })
	if i < 0 {
		t.Fatalf("a review tells %q", decide)
	}
	stands(decide[i], true)
	known = e.told()

	_, _, err = e.db.RaiseOverdue(t.Context(), t0.Add(30*time.Hour))
	e.ok(err)
	overdue := e.news(known)
	if len(overdue) == 0 || !strings.HasPrefix(overdue[0], "overdue.") {
		t.Errorf("what is overdue tells %q", overdue)
	}
	known = e.told()
	_, _, err = e.db.RaiseOverdue(t.Context(), t0.Add(31*time.Hour))
	e.ok(err)
	tells("what is overdue still")

	e.record(Audited{Lane: laneA, At: t0.Add(time.Hour), Findings: []Finding{{Kind: FindingUnexplained, Detail: "whose", Commitment: thing("theirs")}}})
	f := e.findings()[0]
	tells("a finding", "finding."+f.ID)
	e.record(Audited{Lane: laneA, At: t0.Add(2 * time.Hour), Findings: []Finding{{Kind: FindingUnexplained, Detail: "whose", Commitment: thing("theirs")}}})
	tells("the same finding")
	stands("finding."+f.ID, true)
	e.record(Audited{Lane: laneA, At: t0.Add(3 * time.Hour)})
	stands("finding."+f.ID, false)

	receipts, err := e.Receipts(t.Context())
	e.ok(err)
	u, err := purchase.NewUndo("01UNDO", "k7f2", p.Lines[0], receipts[0], "ana", "why", purchase.Approvals{Needed: 1}, t0.Add(time.Hour), t0)
	e.ok(err)
	e.ok(e.db.RequestUndo(t.Context(), u))
	tells("an undo", "waiting_for_approval.01UNDO")
	stands("waiting_for_approval.01UNDO", true)
	e.ok(e.db.DecideUndo(t.Context(), decision(u, "bob", true)))
	stands("waiting_for_approval.01UNDO", false)
}

// message is one that nobody has routed.
func (e *engine) message(id string) Message {
	e.t.Helper()
	m := Message{ID: id, Kind: MessageExpiry, Line: "01K", DueAt: t0.Add(time.Hour), CreatedAt: t0}
	if n, err := e.db.Tell(e.t.Context(), []Message{m}); err != nil || n != 1 {
		e.t.Fatalf("%d %v", n, err)
	}
	return m
}

func to(channel, recipient string) Delivery {
	return Delivery{Channel: channel, Recipient: recipient, State: DeliveryWaiting, NextAt: t0, LastAt: t0.Add(24 * time.Hour)}
}

// TestAMessageIsRoutedOnce, by one of many, whole or not at all.
func TestAMessageIsRoutedOnce(t *testing.T) { onEngines(t, testRoute) }

func testRoute(t *testing.T, on database) {
	e := on.open(t)
	ctx := t.Context()
	m, with := e.message("expiry.a.7"), e.message("expiry.b.7")
	if n, err := e.db.Tell(ctx, []Message{m, with}); n != 0 || err != nil {
		t.Errorf("told again: %d %v", n, err)
	}
	m.Document = `{"id":"expiry.a.7"}`
	var wg sync.WaitGroup
	var mu sync.Mutex
	routed := 0
	for range 6 {
		wg.Go(func() {
			err := e.db.Route(ctx, m, []string{with.ID}, []Delivery{to("chat", ""), to("mail", "ada")}, t0)
			if err != nil && !errors.Is(err, purchase.ErrLost) {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				routed++
			}
		})
	}
	wg.Wait()
	if routed != 1 {
		t.Errorf("routed %d times", routed)
	}
	// With one that was routed before, nothing of it happens.
	third := e.message("expiry.c.7")
	if err := e.db.Route(ctx, third, []string{with.ID}, []Delivery{to("chat", "")}, t0); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("half of it was routed: %v", err)
	}
	left, err := e.db.Unrouted(ctx, 10)
	if err != nil || len(left) != 1 || left[0] != third {
		t.Errorf("%+v %v", left, err)
	}
	due, err := e.db.DueDeliveries(ctx, t0, 10)
	if err != nil || len(due) != 2 || due[0].Document != m.Document || due[1].Recipient != "ada" {
		t.Errorf("%+v %v", due, err)
	}
	for _, query := range []string{
		"UPDATE outbox SET id = 'x'", "UPDATE outbox SET kind = 'bought' WHERE routed_at = 0", "UPDATE outbox SET document = 'x' WHERE routed_at > 0",
		"DELETE FROM outbox WHERE routed_at = 0", "DELETE FROM delivery", "INSERT INTO outbox (id, kind, created_at, routed_at) VALUES ('x', 'bought', 1, 1)",
		"INSERT INTO outbox (id, kind, created_at) VALUES ('x', 'rumor', 1)", "INSERT INTO outbox (id, kind, created_at) VALUES ('expiry.c.7', 'bought', 1)",
		"INSERT INTO delivery (message_id, channel, recipient, state, next_at, last_at) VALUES ('expiry.c.7', 'chat', '', 'waiting', 1, 1)",
		"INSERT INTO delivery (message_id, channel, recipient, state, next_at, last_at) VALUES ('expiry.b.7', 'chat', '', 'waiting', 1, 1)",
		"INSERT INTO delivery (message_id, channel, recipient, state, next_at, last_at, ended_at) VALUES ('expiry.a.7', 'other', '', 'sent', 1, 1, 1)",
		"INSERT INTO delivery (message_id, channel, recipient, state, next_at, last_at) VALUES ('expiry.a.7', 'chat', '', 'waiting', 1, 1)",
		"UPDATE delivery SET state = 'sent', ended_at = 1", "UPDATE delivery SET recipient = 'x'", "UPDATE delivery SET last_at = 1", "UPDATE delivery SET tries = -1",
	} {
		if err := e.exec(query); !e.refusal(err) {
			t.Errorf("the database takes %s: %v", query, err)
		}
	}
}

// TestADeliveryIsTriedByOne: of many processes one tries at a time, what a dead one has
// claimed is due again, and the dead one does not write over it.
func TestADeliveryIsTriedByOne(t *testing.T) { onEngines(t, testDelivery) }

func testDelivery(t *testing.T, on database) {
	e := on.open(t)
	ctx := t.Context()
	m := e.message("expiry.a.7")
	e.ok(e.db.Route(ctx, m, nil, []Delivery{to("chat", ""), to("hook", "")}, t0))
	dueAt := func(now time.Time) []Delivery {
		t.Helper()
		due, err := e.db.DueDeliveries(ctx, now, 10)
		e.ok(err)
		return due
	}
	first := dueAt(t0)[0]
	until := t0.Add(2 * time.Minute)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won []Delivery
	for range 6 {
		wg.Go(func() {
			d := first
			mine, err := e.db.ClaimDelivery(ctx, &d, t0, until)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if mine {
				won = append(won, d)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 || won[0].Tries != 1 {
		t.Fatalf("%+v", won)
	}
	if due := dueAt(t0.Add(time.Minute)); len(due) != 1 || due[0].Channel != "hook" {
		t.Errorf("due while it is tried: %+v", due)
	}
	due := dueAt(until)
	i := slices.IndexFunc(due, func(d Delivery) bool { return d.Channel == "chat" })
	if i < 0 {
		t.Fatal("what a dead process has claimed is not due again")
	}
	again, stale := due[i], first // read before the dead one has tried
	if mine, err := e.db.ClaimDelivery(ctx, &stale, until, until.Add(time.Minute)); err != nil || mine {
		t.Errorf("claimed as it was read long ago: %t %v", mine, err)
	}
	if mine, err := e.db.ClaimDelivery(ctx, &again, until, until.Add(time.Minute)); err != nil || !mine || again.Tries != 2 {
		t.Fatalf("%t %v %+v", mine, err, again)
	}
	if err := e.db.EndDelivery(ctx, won[0], DeliverySent, "", until); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("the dead one wrote: %v", err)
	}
	e.ok(e.db.PutOffDelivery(ctx, again, until.Add(time.Hour), "no answer"))
	if due := dueAt(until.Add(time.Minute)); len(due) != 1 {
		t.Errorf("what was put off is due: %+v", due)
	}
	later := dueAt(until.Add(time.Hour))
	i = slices.IndexFunc(later, func(d Delivery) bool { return d.Channel == "chat" })
	last := later[i]
	if mine, err := e.db.ClaimDelivery(ctx, &last, until.Add(time.Hour), until.Add(2*time.Hour)); err != nil || !mine {
		t.Fatal(mine, err)
	}
	e.ok(e.db.EndDelivery(ctx, last, DeliverySent, "", until.Add(time.Hour)))
	if err := e.db.EndDelivery(ctx, last, DeliveryGivenUp, "", until.Add(time.Hour)); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("it ended twice: %v", err)
	}
	if err := e.exec("UPDATE delivery SET state = 'waiting', ended_at = 0 WHERE state = 'sent'"); !e.refusal(err) {
		t.Errorf("what is sent is to be sent again: %v", err)
	}

	// What is given up is told, once a day for each channel; that it was not told is not.
	known := e.told()
	hook := dueAt(t0)[0]
	e.ok(e.db.EndDelivery(ctx, hook, DeliveryGivenUp, "gone", t0))
	id := "undelivered.hook.20514"
	if got := e.news(known); !slices.Equal(got, []string{id}) {
		t.Fatalf("told %q", got)
	}
	if n, err := e.db.GivenUp(ctx, t0); n != 1 || err != nil {
		t.Errorf("%d given up, %v", n, err)
	}
	left, err := e.db.Unrouted(ctx, 10)
	e.ok(err)
	e.ok(e.db.Route(ctx, left[0], nil, []Delivery{to("chat", "")}, t0))
	known = e.told()
	d := dueAt(t0)[0]
	e.ok(e.db.EndDelivery(ctx, d, DeliveryGivenUp, "gone", t0))
	if got := e.news(known); len(got) != 0 {
		t.Errorf("a report that was not delivered tells %q", got)
	}
	// The old ledger of a copy sends nothing.
	e.ok(e.db.Route(ctx, e.message("expiry.b.7"), nil, []Delivery{to("chat", "")}, t0))
	e.message("expiry.c.7")
	e.ok(e.exec("UPDATE installation SET state = 'stopped', copied_to = 'elsewhere'"))
	for _, query := range []string{"UPDATE delivery SET next_at = 1 WHERE state = 'waiting'", "UPDATE outbox SET routed_at = 1 WHERE routed_at = 0"} {
		if err := e.exec(query); !e.refusal(err) {
			t.Errorf("the database takes %s: %v", query, err)
		}
	}
}

func TestMutes(t *testing.T) { onEngines(t, testMutes) }

func testMutes(t *testing.T, on database) {
	e := on.open(t)
	ctx := t.Context()
	first := Mute{Person: "Ada", Kind: MessageBought, Until: t0.Add(time.Hour), At: t0}
	e.ok(e.db.SetMute(ctx, first))
	e.ok(e.db.SetMute(ctx, Mute{Person: "bob", Until: t0.Add(time.Hour), At: t0}))
	second := Mute{Person: " ada", Kind: MessageBought, Until: t0.Add(2 * time.Hour), At: t0.Add(time.Minute)}
	e.ok(e.db.SetMute(ctx, second))
	got, err := e.db.Mutes(ctx, t0.Add(time.Hour))
	if err != nil || len(got) != 1 || got[0] != second {
		t.Errorf("%+v %v", got, err)
	}
	if err := e.exec("DELETE FROM mute"); !e.refusal(err) {
		t.Errorf("a wish was deleted: %v", err)
	}
}

// TestComing: what is about to be bought, and what nobody has answered for.
func TestComing(t *testing.T) { onEngines(t, testComing) }

func testComing(t *testing.T, on database) {
	e := on.open(t)
	ctx := t.Context()
	p := e.approve(1, 1)
	s, err := e.db.SchedulePlan(ctx, PlanSchedule{Plan: p.ID, At: t0.Add(time.Hour), By: "ana", MadeAt: t0})
	e.ok(err)
	got, err := e.db.ComingPurchases(ctx, t0, t0.Add(time.Hour))
	if err != nil || len(got) != 1 || got[0] != (Coming{Plan: p.ID, About: s.ID, At: t0.Add(time.Hour)}) {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := e.db.ComingPurchases(ctx, t0, t0.Add(59*time.Minute)); err != nil || len(got) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	a := e.armed(p.Lines[0].ID, t0, "n1")
	lost, err := e.db.Unanswered(ctx, t0, a.AnswerBy)
	if err != nil || len(lost) != 1 || lost[0] != (Coming{Plan: p.ID, Line: a.Line, N: 1, At: a.AnswerBy}) {
		t.Errorf("%+v %v", lost, err)
	}
	if lost, err := e.db.Unanswered(ctx, t0, a.AnswerBy.Add(-time.Second)); err != nil || len(lost) != 0 {
		t.Errorf("%+v %v", lost, err)
	}
}

package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/driver/aws"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// foreseen are the messages of some kinds that looking ahead writes, by a process that
// was just started.
func (w *world) foreseen(kinds ...store.MessageKind) (news []store.Message) {
	w.t.Helper()
	was, _, err := w.db.Messages(w.t.Context(), 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	e, clouds := w.newEngine(w.db)
	clouds.queue = w.clouds.queue
	if _, err := e.Foresee(w.t.Context(), engine.DefaultLeads); err != nil {
		w.t.Fatal(err)
	}
	// The same process again finds nothing new.
	if n, err := e.Foresee(w.t.Context(), engine.DefaultLeads); err != nil || n != 0 {
		w.t.Errorf("%d messages again, %v", n, err)
	}
	is, _, err := w.db.Messages(w.t.Context(), 10_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range is {
		old := slices.ContainsFunc(was, func(o store.Message) bool { return o.ID == m.ID })
		if !old && slices.Contains(kinds, m.Kind) {
			news = append(news, m)
		}
	}
	slices.SortFunc(news, func(a, b store.Message) int { return strings.Compare(a.ID, b.ID) })
	return news
}

// foresees expects the ids of what is foreseen, of some kinds.
func (w *world) foresees(kind store.MessageKind, ids ...string) {
	w.t.Helper()
	var got []string
	for _, m := range w.foreseen(kind) {
		got = append(got, m.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		w.t.Errorf("at %s %q is foreseen, want %q", w.sim.Now(), got, ids)
	}
}

// TestExpiryIsForeseen at each of its leads once, and only at the shortest if nobody has
// looked for long.
func TestExpiryIsForeseen(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.settle(w.approved(drafts(2)...))
	const day = 24 * time.Hour
	w.audits(true)
	bought := w.sim.Now()
	at := func(left time.Duration) { w.advance(bought.Add(365*day - left).Sub(w.sim.Now())) }
	expiry := func(lead int) (ids []string) {
		for _, l := range p.Lines {
			ids = append(ids, fmt.Sprintf("expiry.%s.%d", l.ID, lead))
		}
		return ids
	}
	at(92 * day)
	w.foresees(store.MessageExpiry)
	at(89 * day)
	w.foresees(store.MessageExpiry, expiry(90)...)
	at(88 * day)
	w.foresees(store.MessageExpiry)
	at(20 * day)
	w.foresees(store.MessageExpiry, expiry(30)...)
	back := p.Lines[1] // was given back, and ends no more
	_, _, err := w.db.RecordAudit(t.Context(), store.Audited{
		Lane: back.Spec.Lane(), At: w.sim.Now(), Looked: []purchase.LineID{back.ID}, Settled: func(store.Finding) bool { return true },
		Facts: []store.Fact{{Line: back.ID, At: w.sim.Now(), Kind: store.FactReturned, Detail: "it was given back", Commitment: w.receipt(back).Commitment}},
	})
	if err != nil {
		t.Fatal(err)
	}
	at(3 * day)
	w.foresees(store.MessageExpiry, expiry(7)[0])
	at(-day)
	w.audits(true) // sees that they are over
	w.foresees(store.MessageExpiry)
}

// TestPurchasesAreForeseen: a scheduled plan, and an order that fires.
func TestPurchasesAreForeseen(t *testing.T) {
	w := newWorld(t, sim.Options{Unthrottled: true})
	p := w.approvedFor(100*time.Hour, drafts(1)...)
	at := w.sim.Now().Add(30 * time.Hour)
	s, err := w.db.SchedulePlan(t.Context(), store.PlanSchedule{Plan: p.ID, At: at, By: "ada", MadeAt: w.sim.Now()})
	if err != nil {
		t.Fatal(err)
	}
	w.foresees(store.MessageWillBuy)
	w.advance(7 * time.Hour)
	got := w.foreseen(store.MessageWillBuy)
	if len(got) != 1 || got[0].ID != "will_buy."+s.ID+".1440" || got[0].DueAt.Sub(at).Abs() > time.Second || got[0].Plan != p.ID || got[0].About != s.ID {
		t.Fatalf("%+v", got)
	}
	stands := func(m store.Message, want bool) {
		t.Helper()
		if ok, err := w.db.Stands(t.Context(), m.ID, w.sim.Now()); err != nil || ok != want {
			t.Errorf("%s stands: %t %v", m.ID, ok, err)
		}
	}
	stands(got[0], true)
	if _, err := w.db.CancelPlanSchedule(t.Context(), s.ID, "ada", w.sim.Now()); err != nil {
		t.Fatal(err)
	}
	stands(got[0], false)

	w.clouds.queue = true
	q := w.approved(draftOf(aws.SavingsPlans))
	for range 60 {
		if w.run(q); w.plan(q).Lines[0].State == purchase.QueuedLine {
			break
		}
		w.advance(time.Minute)
	}
	order := w.foreseen(store.MessageWillBuy)
	if len(order) != 1 || order[0].ID != fmt.Sprintf("will_buy.%s.1.1440", q.Lines[0].ID) || !order[0].DueAt.After(w.sim.Now()) {
		t.Fatalf("%+v\n%s", order, w.story(q))
	}
	stands(order[0], true)
	w.advance(order[0].DueAt.Sub(w.sim.Now()))
	stands(order[0], false)
}

// TestReturnWindowIsForeseen where it closes, and not once it is used.
func TestReturnWindowIsForeseen(t *testing.T) {
	w := newWorld(t, sim.Options{Unthrottled: true})
	p := w.settle(w.approved(draftOf(aws.SavingsPlans)))
	rds := w.settle(w.approved(drafts(1)...)) // that nobody takes back
	o, err := w.engine.UndoOptions(t.Context(), p.Lines[0].ID)
	if err != nil || o.Until.IsZero() {
		t.Fatalf("%+v %v", o, err)
	}
	if left := o.Until.Sub(w.sim.Now()); left > 49*time.Hour {
		w.foresees(store.MessageReturnWindow)
		w.advance(left - 47*time.Hour)
	}
	got := w.foreseen(store.MessageReturnWindow)
	if len(got) != 1 || got[0].ID != "return_window."+string(p.Lines[0].ID) || got[0].DueAt.Sub(o.Until).Abs() > time.Second {
		t.Errorf("%+v, of %s and %s, until %s", got, p.Lines[0].ID, rds.Lines[0].ID, o.Until)
	}
}

// TestPendingPaymentIsForeseen when the month ends, unless it was seen to be paid.
func TestPendingPaymentIsForeseen(t *testing.T) {
	w := newWorld(t, sim.Options{})
	now := w.sim.Now()
	end := time.Date(now.Year(), now.Month()+2, 1, 0, 0, 0, 0, time.UTC)
	w.advance(end.Add(-100 * time.Hour).Sub(now)) // whatever the day of the test is
	p := w.settle(w.approved(drafts(2)...))
	paid, pending := p.Lines[0], p.Lines[1]
	lane := func(l purchase.Line, facts ...store.Fact) {
		t.Helper()
		a := store.Audited{Lane: l.Spec.Lane(), At: w.sim.Now(), Looked: []purchase.LineID{l.ID}, Facts: facts, Settled: func(store.Finding) bool { return true }}
		if _, _, err := w.db.RecordAudit(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	w.advance(20 * time.Hour)
	lane(paid, store.Fact{Line: paid.ID, At: w.sim.Now(), Kind: store.FactActive, Detail: "the cloud lists it as active"})
	w.foresees(store.MessagePaymentPending) // 80 hours before, and nobody has looked at the other one
	w.advance(10 * time.Hour)
	w.foresees(store.MessagePaymentPending)
	lane(pending)
	w.foresees(store.MessagePaymentPending, fmt.Sprintf("payment_pending.%s.%s", pending.ID, w.sim.Now().Format("2006-01")))
}

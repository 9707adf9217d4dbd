package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/sim"
	"bursar/internal/store"
)

// bought is a world with one Savings Plan that is active, and what a budget says that
// it used up.
func bought(t *testing.T) (*world, purchase.Line, func() string) {
	t.Helper()
	w := newWorld(t, sim.Options{Unthrottled: true})
	// Early in a month, so that no month ends on the way.
	for w.sim.Now().Day() != 3 {
		w.advance(24 * time.Hour)
	}
	says := w.capped(draftOf(aws.SavingsPlans))
	p := w.approved(draftOf(aws.SavingsPlans))
	w.run(p)
	w.advance(20 * time.Minute)
	l := w.plan(p).Lines[0]
	if l.State != purchase.Purchased || says() != "spent" {
		t.Fatalf("%s: %s, %s", l.State, l.Reason, says())
	}
	return w, l, says
}

func (w *world) undoOptions(l purchase.Line) *engine.UndoOptions {
	w.t.Helper()
	o, err := w.engine.UndoOptions(w.t.Context(), l.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// asked asks for an undo and lets grace approve it.
func (w *world) asked(l purchase.Line) *engine.UndoOptions {
	w.t.Helper()
	o := w.undoOptions(l)
	if err := w.engine.RequestUndo(w.t.Context(), o, engine.ApprovalRules{}, "ada", "too much"); err != nil {
		w.t.Fatal(err)
	}
	w.yes(o, "grace")
	return w.undoOptions(l)
}

func (w *world) yes(o *engine.UndoOptions, by string) {
	w.t.Helper()
	u := o.Open()
	err := w.db.DecideUndo(w.t.Context(), purchase.UndoDecision{Undo: u.ID, Digest: u.Digest, By: by, Approve: true, At: w.sim.Now()})
	if err != nil {
		w.t.Fatal(err)
	}
}

// returns counts the requests to give something back that came in.
func (w *world) returns() (n int) {
	for _, r := range w.sim.Requests() {
		if r.Operation == "ReturnSavingsPlan" {
			n++
		}
	}
	return n
}

const opReturn = "ReturnSavingsPlan"

// TestUndo gives a Savings Plan back under every fault: one request is sent, and the
// budget has its money again if and only if the cloud shows the plan as returned.
func TestUndo(t *testing.T) {
	for name, row := range map[string]struct {
		fault  sim.Fault
		at     purchase.UndoState // after the request
		end    purchase.UndoState // when everything is visible
		budget string
	}{
		"answered":     {sim.Fault{}, purchase.UndoSent, purchase.UndoReturned, ""},
		"lost answer":  {sim.Fault{Kind: sim.LoseReply}, purchase.UndoSent, purchase.UndoReturned, ""},
		"lost request": {sim.Fault{Kind: sim.LoseRequest}, purchase.UndoSent, purchase.UndoKept, "spent"},
		"500":          {sim.Fault{Kind: sim.ErrorAfter, Status: 500}, purchase.UndoSent, purchase.UndoReturned, ""},
		"503":          {sim.Fault{Kind: sim.ErrorBefore, Status: 503}, purchase.UndoSent, purchase.UndoKept, "spent"},
		"back again":   {sim.Fault{Kind: sim.ReturnFails}, purchase.UndoSent, purchase.UndoKept, "spent"},
		"throttled":    {sim.Fault{Kind: sim.Throttle}, purchase.UndoApproved, purchase.UndoApproved, "spent"},
	} {
		t.Run(name, func(t *testing.T) {
			w, l, says := bought(t)
			o := w.asked(l)
			if row.fault.Kind != "" {
				row.fault.Service, row.fault.Operation = "savingsplans", opReturn
				w.fault(row.fault)
			}
			if err := w.engine.SendUndo(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if u := w.undoOptions(l).Last(); u.State != row.at || w.returns() != 1 || says() != "spent" {
				t.Errorf("at once: %s %s %s, %d requests, budget %s", u.State, u.Outcome, u.Detail, w.returns(), says())
			}
			for range 20 {
				w.advance(time.Minute)
				w.audits(false)
			}
			undos, err := w.db.LineUndos(t.Context(), l.ID) // as the audits left it
			if err != nil || len(undos) != 1 {
				t.Fatal(undos, err)
			}
			u := undos[0]
			if u.State != row.end || w.returns() != 1 || says() != row.budget {
				t.Errorf("%s: %s, %d requests, budget %q, want %s and %q", u.State, u.Detail, w.returns(), says(), row.end, row.budget)
			}
			if state := w.sim.Ledger()[0].State; (state == "returned") != (row.end == purchase.UndoReturned) {
				t.Errorf("the cloud shows %s", state)
			}
			fresh, err := w.db.Row(t.Context(), l.ID)
			if err != nil || fresh.Line.State != purchase.Purchased {
				t.Errorf("the line is %s, %v", fresh.Line.State, err)
			}
			if inv, err := w.engine.Inventory(t.Context()); err != nil || !inv.Balanced() {
				t.Errorf("%+v, %v", inv, err)
			}
			w.check()
		})
	}
}

// TestUndoAgain: what was throttled is sent again under the same token, and an undo
// that came to nothing may be asked for anew.
func TestUndoAgain(t *testing.T) {
	w, l, says := bought(t)
	w.fault(sim.Fault{Kind: sim.Throttle, Service: "savingsplans", Operation: opReturn})
	w.fault(sim.Fault{Kind: sim.ReturnFails, Skip: 1, Service: "savingsplans", Operation: opReturn})
	o := w.asked(l)
	for range 2 {
		if err := w.engine.SendUndo(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		o = w.undoOptions(l)
	}
	if u := o.Last(); u.State != purchase.UndoSent || u.Tries != 2 || w.returns() != 2 {
		t.Fatalf("%s after %d tries, %d requests", u.State, u.Tries, w.returns())
	}
	if err := w.engine.RequestUndo(t.Context(), o, engine.ApprovalRules{}, "ada", ""); err == nil {
		t.Error("asked for while another one is open")
	}
	w.advance(20 * time.Minute)
	if u := w.undoOptions(l).Last(); u.State != purchase.UndoKept {
		t.Fatalf("%s: %s", u.State, u.Detail)
	}
	if err := w.engine.SendUndo(t.Context(), w.asked(l)); err != nil {
		t.Fatal(err)
	}
	w.advance(20 * time.Minute)
	if u := w.undoOptions(l).Last(); u.State != purchase.UndoReturned || says() != "" {
		t.Errorf("%s: %s, budget %s", u.State, u.Detail, says())
	}
	if o := w.undoOptions(l); o.Why != "it is returned already" {
		t.Errorf("again: %s", o.Why)
	}
	w.check()
}

// TestUndoKilled: a worker that dies between the intent and the call has sent nothing,
// and nobody sends it in its place.
func TestUndoKilled(t *testing.T) {
	w, l, says := bought(t)
	o := w.asked(l)
	now := w.sim.Now()
	if err := w.db.SendUndo(t.Context(), *o.Open(), now.Add(2*time.Minute), now.Add(12*time.Minute), now); err != nil {
		t.Fatal(err)
	}
	// The process is gone. Another one finds what it left.
	for range 20 {
		o := w.undoOptions(l)
		if o.Last().State == purchase.UndoSent {
			if err := w.engine.SendUndo(t.Context(), o); !errors.Is(err, purchase.ErrLost) {
				t.Errorf("sent in the place of another: %v", err)
			}
		}
		w.advance(time.Minute)
	}
	if u := w.undoOptions(l).Last(); u.State != purchase.UndoKept || w.returns() != 0 || says() != "spent" {
		t.Errorf("%s: %s, %d requests, budget %s", u.State, u.Detail, w.returns(), says())
	}
	w.check()
}

// TestUndoTwoWorkers: of two that send at once one sends.
func TestUndoTwoWorkers(t *testing.T) {
	w, l, _ := bought(t)
	o := w.asked(l)
	other := *o
	other.Undos = slices.Clone(o.Undos)
	if err := w.engine.SendUndo(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := w.engine.SendUndo(t.Context(), &other); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("%v, want ErrLost", err)
	}
	if w.returns() != 1 {
		t.Errorf("%d requests", w.returns())
	}
}

// TestUndoLate: an undo that nobody sent in time is not sent.
func TestUndoLate(t *testing.T) {
	w, l, _ := bought(t)
	o := w.asked(l)
	w.advance(8 * 24 * time.Hour)
	if err := w.engine.SendUndo(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if u := w.undoOptions(l).Last(); u.State != purchase.UndoExpired || w.returns() != 0 {
		t.Errorf("%s, %d requests", u.State, w.returns())
	}
	if err := w.engine.RequestUndo(t.Context(), w.undoOptions(l), engine.ApprovalRules{}, "ada", ""); !errors.Is(err, engine.ErrNoUndo) {
		t.Errorf("asked for when its time is over: %v", err)
	}
	w.check()
}

// TestUndoApprovals: an undo is approved as a plan is.
func TestUndoApprovals(t *testing.T) {
	w, l, _ := bought(t)
	self := false
	o := w.undoOptions(l)
	rules := engine.ApprovalRules{Needed: 2, Approvers: []string{"grace", "linus", "ada"}, Self: &self}
	if err := w.engine.RequestUndo(t.Context(), o, rules, "ada", ""); err != nil {
		t.Fatal(err)
	}
	decide := func(by, digest string, yes bool) error {
		u := w.undoOptions(l).Last()
		if digest == "" {
			digest = u.Digest
		}
		return w.db.DecideUndo(t.Context(), purchase.UndoDecision{Undo: u.ID, Digest: digest, By: by, Approve: yes, At: w.sim.Now()})
	}
	for _, row := range []struct {
		by, digest string
		want       error
	}{
		{"ada", "", store.ErrRequester}, {"mallory", "", store.ErrNotApprover}, {"grace", "sha256:0", store.ErrDigest}, {"grace", "", nil}, {" GRACE ", "", store.ErrDecided},
	} {
		if err := decide(row.by, row.digest, true); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.by, err, row.want)
		}
	}
	if u := w.undoOptions(l).Last(); u.State != purchase.UndoRequested || u.Yes() != 1 {
		t.Errorf("%s with %d approvals", u.State, u.Yes())
	}
	if err := w.engine.SendUndo(t.Context(), w.undoOptions(l)); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("sent with one approval of two: %v", err)
	}
	if err := decide("linus", "", true); err != nil {
		t.Fatal(err)
	}
	if u := w.undoOptions(l).Last(); u.State != purchase.UndoApproved {
		t.Errorf("%s", u.State)
	}
	// A no counts until it is sent.
	if err := decide("ada", "", false); err != nil {
		t.Fatal(err)
	}
	if u := w.undoOptions(l).Last(); u.State != purchase.UndoRejected || w.returns() != 0 {
		t.Errorf("%s, %d requests", u.State, w.returns())
	}
	w.check()
}

// TestUndoWays: what is not bought is canceled, and what the cloud never takes back is
// said so.
func TestUndoWays(t *testing.T) {
	w := newWorld(t, sim.Options{Unthrottled: true})
	w.clouds.queue = true
	queued := w.approved(draftOf(aws.SavingsPlans))
	rds := w.approved(drafts(1)...)
	for range 15 {
		w.run(queued)
		w.advance(time.Minute)
	}
	w.run(rds)
	o := w.undoOptions(w.plan(queued).Lines[0])
	if o.Way != engine.UndoByCancel || o.Why != "" || o.Until.IsZero() || !o.Until.Before(w.sim.Ledger()[0].StartsAt) {
		t.Errorf("queued: %s %s until %s", o.Way, o.Why, o.Until)
	}
	if o := w.undoOptions(w.plan(rds).Lines[0]); o.Way != engine.UndoNever || o.Why != "rds takes nothing back that is bought" {
		t.Errorf("rds: %s %s", o.Way, o.Why)
	}
	if err := w.engine.RequestUndo(t.Context(), w.undoOptions(w.plan(rds).Lines[0]), engine.ApprovalRules{}, "ada", ""); !errors.Is(err, engine.ErrNoUndo) {
		t.Errorf("%v", err)
	}
	big := draftOf(aws.SavingsPlans)
	if o := w.undoOptions(purchase.Line{ID: w.approved(big).Lines[0].ID}); o.Way != engine.UndoByCancel {
		t.Errorf("ready: %s", o.Way)
	}
}

// TestUndoByAnother: an undo reaches no cloud through a driver of another kind.
func TestUndoByAnother(t *testing.T) {
	w, l, _ := bought(t)
	o := w.asked(l)
	w.clouds.real = true
	if err := w.engine.SendUndo(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is real now, and the line was bought in a simulated one") {
		t.Errorf("%v", err)
	}
	w.clouds.real = false
	w.clouds.open[l.Spec.Lane()] = withoutPowers{w.clouds.open[l.Spec.Lane()]}
	if err := w.engine.SendUndo(t.Context(), o); !errors.Is(err, engine.ErrNoUndo) {
		t.Errorf("%v", err)
	}
	if w.returns() != 0 {
		t.Errorf("%d requests", w.returns())
	}
}

type withoutPowers struct{ driver.Service }

package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// undone is a ledger with an undo of what line 0 has bought, requested by ana.
func undone(t *testing.T, on database, rule purchase.Approvals) (*engine, *purchase.Plan, *DB, purchase.Undo) {
	t.Helper()
	e, p := full(t, on)
	db := e.ledger.(*DB)
	receipts, err := db.Receipts(t.Context())
	e.ok(err)
	u, err := purchase.NewUndo("01UNDO", "k7f2", p.Lines[0], receipts[0], "ana", "why", rule, t0.Add(time.Hour), t0)
	e.ok(err)
	e.ok(db.RequestUndo(t.Context(), u))
	return e, p, db, u
}

func (e *engine) undo(db *DB, line purchase.LineID) purchase.Undo {
	e.t.Helper()
	list, err := db.LineUndos(e.t.Context(), line)
	e.ok(err)
	if len(list) == 0 {
		e.t.Fatal("no undo")
	}
	return list[len(list)-1]
}

func decision(u purchase.Undo, by string, yes bool) purchase.UndoDecision {
	return purchase.UndoDecision{Undo: u.ID, Digest: u.Digest, By: by, Approve: yes, At: t0.Add(time.Minute)}
}

// TestUndoGoesItsWay takes an undo from its request to its end: what is read is what
// was written, and the budgets have their money back at the end only.
func TestUndoGoesItsWay(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, p, db, u := undone(t, on, purchase.Approvals{Needed: 2, Approvers: []string{"bob", "cleo"}})
		line := p.Lines[0].ID
		if got := e.undo(db, line); fmt.Sprint(got) != fmt.Sprint(u) {
			t.Errorf("stored\n%+v\nread\n%+v", u, got)
		}
		e.ok(db.DecideUndo(t.Context(), decision(u, "bob", true)))
		if got := e.undo(db, line); got.State != purchase.UndoRequested || got.Yes() != 1 {
			t.Errorf("%+v", got)
		}
		e.ok(db.DecideUndo(t.Context(), decision(u, "cleo", true)))
		now := t0.Add(2 * time.Minute)
		approved := e.undo(db, line)
		e.ok(db.SendUndo(t.Context(), approved, now.Add(time.Minute), now.Add(2*time.Minute), now))
		if err := db.SendUndo(t.Context(), approved, now, now, now); !errors.Is(err, purchase.ErrLost) {
			t.Errorf("sent twice: %v", err)
		}
		sent := e.undo(db, line)
		if sent.State != purchase.UndoSent || sent.Tries != 1 || !sent.Deadline.Equal(now.Add(time.Minute)) || !sent.SettledAt.Equal(now.Add(2*time.Minute)) {
			t.Errorf("%+v", sent)
		}
		if got := e.holds(line); fmt.Sprint(got) != "[spent]" {
			t.Errorf("holds %v while it is sent", got)
		}
		ev := cloud.Evidence{Kind: cloud.EvidenceListing, Started: now, Detail: "x"}
		e.ok(db.MoveUndo(t.Context(), sent, purchase.UndoMove{To: purchase.UndoReturned, Detail: "gone"}, &ev, now))
		if got := e.holds(line); fmt.Sprint(got) != "[returned]" {
			t.Errorf("holds %v", got)
		}
		if err := db.MoveUndo(t.Context(), sent, purchase.UndoMove{To: purchase.UndoKept}, nil, now); !errors.Is(err, purchase.ErrLost) {
			t.Errorf("moved from a state it has left: %v", err)
		}
		facts, err := db.Facts(t.Context(), line)
		if err != nil || facts[len(facts)-1].Detail != "x" {
			t.Errorf("%+v, %v", facts, err)
		}
		e.sound(t0.Add(time.Hour))
	})
}

// TestUndoDecisions: a person counts once, the requester and strangers not at all, and
// a no ends it until it is sent.
func TestUndoDecisions(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, p, db, u := undone(t, on, purchase.Approvals{Needed: 1, Approvers: []string{"ana", "bob"}})
		other := u
		other.ID, other.Token = "01OTHER", "other"
		if err := db.RequestUndo(t.Context(), other); !errors.Is(err, ErrUndoOpen) {
			t.Errorf("a second one: %v", err)
		}
		stale := decision(u, "bob", true)
		stale.Digest = "sha256:0"
		for _, row := range []struct {
			d    purchase.UndoDecision
			want error
		}{{decision(u, "ANA ", true), ErrRequester}, {decision(u, "eve", true), ErrNotApprover}, {decision(u, "eve", false), ErrNotApprover}, {stale, ErrDigest}} {
			if err := db.DecideUndo(t.Context(), row.d); !errors.Is(err, row.want) {
				t.Errorf("%s: %v, want %v", row.d.By, err, row.want)
			}
		}
		e.ok(db.DecideUndo(t.Context(), decision(u, "bob", true)))
		if err := db.DecideUndo(t.Context(), decision(u, "bob", true)); err == nil {
			t.Error("a yes after it was approved")
		}
		late := e.undo(db, p.Lines[0].ID)
		if err := db.SendUndo(t.Context(), late, t0.Add(2*time.Hour), t0.Add(3*time.Hour), late.Until); !errors.Is(err, purchase.ErrLost) {
			t.Errorf("sent when its time was over: %v", err)
		}
		e.ok(db.DecideUndo(t.Context(), decision(u, "ana", false)))
		if got := e.undo(db, p.Lines[0].ID); got.State != purchase.UndoRejected || got.Detail != "rejected by ana" {
			t.Errorf("%+v", got)
		}
		e.ok(db.RequestUndo(t.Context(), other))
		e.sound(t0.Add(time.Hour))
	})
}

// TestUndoForbids: the database refuses what must not happen, whoever asks.
func TestUndoForbids(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, p, db, u := undone(t, on, purchase.Approvals{Needed: 2, Self: false})
		id, line, budget := string(u.ID), string(p.Lines[0].ID), string(p.ID)
		e.refuses("DELETE FROM undo")
		e.refuses("INSERT OR REPLACE INTO undo SELECT * FROM undo")
		e.harmless("INSERT OR IGNORE INTO undo SELECT * FROM undo")
		for _, column := range []string{"line_id", "commitment_id", "digest", "token", "requester", "requester_key", "comment", "approvers"} {
			e.refuses("UPDATE undo SET "+column+" = $1", line+"x")
		}
		e.refuses("UPDATE undo SET until = until + 1")
		e.refuses("UPDATE undo SET approvals_needed = 1")
		e.refuses("UPDATE undo SET self_approval = 1")
		for _, state := range []string{"sent", "returned", "refused", "kept", "limbo", "approved"} {
			e.refuses("UPDATE undo SET state = $1, tries = tries, deadline = 1, settled_at = 1", state)
		}
		e.refuses("UPDATE undo SET tries = tries + 1")
		insert := "INSERT INTO undo SELECT $1, $2, $3, digest, $1, requester, requester_key, requested_at, comment, approvals_needed, self_approval, approvers, " +
			"until, $4, $5, deadline, settled_at, outcome, detail, updated_at FROM undo LIMIT 1"
		e.refuses(insert, "second", line, u.Commitment, "requested", 0) // one is open
		e.refuses(insert, "unbought", string(p.Lines[1].ID), u.Commitment, "requested", 0)
		decide := "INSERT INTO undo_decision VALUES ($1, $2, $3, $4, $4, $5, 1, '')"
		e.refuses(decide, "d1", id, "sha256:0", "bob", 1)
		e.refuses(decide, "d1", id, u.Digest, "ana", 1)
		e.ok(e.exec(decide, "d1", id, u.Digest, "bob", 1))
		e.refuses(decide, "d2", id, u.Digest, "bob", 1)
		e.refuses("UPDATE undo SET state = 'approved'") // one of two
		e.refuses("DELETE FROM undo_decision")
		e.refuses("INSERT OR REPLACE INTO undo_decision SELECT * FROM undo_decision")
		e.refuses("UPDATE undo_decision SET approve = 0")
		e.ok(e.exec(decide, "d3", id, u.Digest, "cleo", 1))
		e.ok(e.exec("UPDATE undo SET state = 'approved'"))
		e.refuses("UPDATE undo SET state = 'sent', tries = tries + 1") // without a deadline
		e.refuses("UPDATE undo SET state = 'sent', deadline = 1, settled_at = 1")
		e.refuses("UPDATE undo SET state = 'sent', tries = tries + 2, deadline = 1, settled_at = 1")
		e.ok(e.exec("UPDATE undo SET state = 'sent', tries = tries + 1, deadline = 1, settled_at = 1"))
		e.refuses(decide, "d4", id, u.Digest, "dora", 0) // too late for a no
		e.refuses("UPDATE undo SET state = 'sent', tries = tries + 1")

		// Before it is returned nothing comes back, and then exactly what was spent.
		e.refuses("UPDATE hold SET state = 'returned', ended_at = 2 WHERE line_id = $1", line)
		e.refuses("UPDATE budget_period SET taken = 0 WHERE budget_id = $1", budget)
		e.ok(db.MoveUndo(t.Context(), e.undo(db, p.Lines[0].ID), purchase.UndoMove{To: purchase.UndoReturned}, nil, t0))
		e.refuses("UPDATE hold SET state = 'spent' WHERE line_id = $1", line)
		e.refuses("UPDATE hold SET state = 'returned' WHERE line_id = $1", string(p.Lines[1].ID))
		e.refuses("UPDATE undo SET state = 'kept'")
		e.refuses("UPDATE undo SET detail = 'x'")
		e.refuses(insert, "third", line, "other", "requested", 0)
		e.refuses(insert, "third", line, u.Commitment, "approved", 0)
		e.refuses(insert, "third", line, u.Commitment, "requested", 1)
		e.sound(t0.Add(time.Hour))
	})
}

// TestUndoVeto: with a no on record, an undo is neither approved nor sent.
func TestUndoVeto(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, _, _, u := undone(t, on, purchase.Approvals{Needed: 1, Self: true})
		decide := "INSERT INTO undo_decision VALUES ($1, $2, $3, $4, $4, $5, 1, '')"
		e.ok(e.exec(decide, "d1", string(u.ID), u.Digest, "ana", 1)) // may approve herself
		e.ok(e.exec("UPDATE undo SET state = 'approved'"))
		e.ok(e.exec(decide, "d2", string(u.ID), u.Digest, "bob", 0))
		e.refuses("UPDATE undo SET state = 'sent', tries = tries + 1, deadline = 1, settled_at = 1")
	})
}

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// ErrUndoOpen: an undo of the line is open already.
var ErrUndoOpen = errors.New("giving it back was asked for already")

// RequestUndo stores an undo as requested. ErrUndoOpen means that another one of the
// line is open; the database refuses one of anything but the line's purchase.
func (db *DB) RequestUndo(ctx context.Context, u purchase.Undo) error {
	approvers, err := approversText(u.Approvals.Approvers)
	if err != nil {
		return err
	}
	err = db.write(ctx, func(q *rows.Queries) error {
		err := q.InsertUndo(ctx, rows.InsertUndoParams{
			ID: string(u.ID), LineID: string(u.Line), CommitmentID: u.Commitment, Digest: u.Digest, Token: u.Token,
			Requester: u.Requester, RequesterKey: purchase.PersonKey(u.Requester), RequestedAt: micros(u.RequestedAt), Comment: u.Comment,
			ApprovalsNeeded: int64(u.Approvals.Needed), SelfApproval: flag(u.Approvals.Self), Approvers: approvers, Until: micros(u.Until),
		})
		if isUnique(err) {
			return ErrUndoOpen
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("undo of line %s: %w", u.Line, err)
	}
	return nil
}

// DecideUndo records one person's decision on an undo and carries it out, in one
// transaction: a no ends it, and the yes that completes the number that it needs
// makes it approved. It must not have been sent and have exactly this digest, else
// ErrDigest. On any error nothing is changed.
func (db *DB) DecideUndo(ctx context.Context, d purchase.UndoDecision) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		n, err := q.HoldUndo(ctx, rows.HoldUndoParams{ID: string(d.Undo), Digest: d.Digest})
		switch {
		case err != nil:
			return err
		case n != 1:
			return ErrDigest
		}
		r, err := q.GetUndo(ctx, string(d.Undo))
		if err != nil {
			return err
		}
		u, err := toUndo(r, nil)
		if err != nil {
			return err
		}
		requester := purchase.PersonKey(d.By) == purchase.PersonKey(u.Requester)
		switch {
		case requester && !d.Approve: // may always take it back
		case requester && !u.Approvals.Self:
			return ErrRequester
		case !u.Approvals.May(d.By, u.Requester):
			return ErrNotApprover
		case d.Approve && u.State != purchase.UndoRequested:
			return ErrDigest
		}
		err = q.InsertUndoDecision(ctx, rows.InsertUndoDecisionParams{
			ID: newID(d.At), UndoID: string(d.Undo), Digest: d.Digest, Person: d.By, PersonKey: purchase.PersonKey(d.By),
			Approve: flag(d.Approve), At: micros(d.At), Comment: d.Comment,
		})
		switch {
		case isUnique(err):
			return ErrDecided
		case err != nil:
			return err
		case !d.Approve:
			return moveUndo(ctx, q, u, purchase.UndoMove{To: purchase.UndoRejected, Detail: "rejected by " + d.By}, d.At)
		}
		yes, err := q.CountUndoApprovals(ctx, rows.CountUndoApprovalsParams{UndoID: string(d.Undo), Digest: d.Digest})
		if err != nil || yes < int64(u.Approvals.Needed) {
			return err
		}
		return moveUndo(ctx, q, u, purchase.UndoMove{To: purchase.UndoApproved}, d.At)
	})
	if err != nil {
		return fmt.Errorf("decide on undo %s: %w", d.Undo, err)
	}
	return nil
}

// SendUndo makes an approved undo sent: whoever it returns nil to, and nobody else,
// may send one request, which the cloud refuses from the deadline on and whose effect
// a listing shows from settled on. purchase.ErrLost means that somebody else moved
// it, or that its time is over.
func (db *DB) SendUndo(ctx context.Context, u purchase.Undo, deadline, settled, now time.Time) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		n, err := q.SendUndo(ctx, rows.SendUndoParams{
			Deadline: micros(deadline), SettledAt: micros(settled), Now: micros(now), ID: string(u.ID), Tries: int64(u.Tries),
		})
		if err == nil && n != 1 {
			err = purchase.ErrLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("send undo %s: %w", u.ID, err)
	}
	return nil
}

// MoveUndo moves an undo from the state it was read in, with the evidence for it if
// there is any. One that is returned gives every budget back what its line had
// spent. purchase.ErrLost means that somebody else moved it.
func (db *DB) MoveUndo(ctx context.Context, u purchase.Undo, m purchase.UndoMove, e *cloud.Evidence, now time.Time) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		if e != nil {
			if err := insertEvidence(ctx, q, u.Line, purchase.AttemptEvidence{Evidence: *e}, now); err != nil {
				return err
			}
		}
		return moveUndo(ctx, q, u, m, now)
	})
	if err != nil {
		return fmt.Errorf("undo %s: %w", u.ID, err)
	}
	return nil
}

func moveUndo(ctx context.Context, q *rows.Queries, u purchase.Undo, m purchase.UndoMove, now time.Time) error {
	n, err := q.MoveUndo(ctx, rows.MoveUndoParams{
		ToState: string(m.To), Outcome: string(m.Outcome), Detail: m.Detail, Now: micros(now), ID: string(u.ID),
		FromState: string(u.State), Tries: int64(u.Tries),
	})
	switch {
	case err != nil:
		return err
	case n != 1:
		return purchase.ErrLost
	case m.To != purchase.UndoReturned:
		return nil
	}
	holds, err := q.LineHolds(ctx, string(u.Line))
	if err != nil {
		return err
	}
	for _, h := range holds {
		if purchase.HoldState(h.State) != purchase.HoldSpent {
			continue // of a ledger that went back in time: see bursar check
		}
		back, err := q.ReturnHold(ctx, rows.ReturnHoldParams{EndedAt: micros(now), LineID: h.LineID, BudgetID: h.BudgetID})
		if err != nil {
			return err
		}
		if err := freePeriod(ctx, q, h.LineID, rows.EndHoldsRow{BudgetID: h.BudgetID, Period: back.Period, Amount: back.Amount}); err != nil {
			return err
		}
	}
	return nil
}

// LineUndos reads the undos of a line, oldest first.
func (db *DB) LineUndos(ctx context.Context, line purchase.LineID) ([]purchase.Undo, error) {
	return db.undos(ctx, func(q *rows.Queries) ([]rows.Undo, error) { return q.LineUndos(ctx, string(line)) })
}

// SentUndos reads the undos of which it is not known what came of them.
func (db *DB) SentUndos(ctx context.Context) ([]purchase.Undo, error) {
	return db.undos(ctx, func(q *rows.Queries) ([]rows.Undo, error) { return q.SentUndos(ctx) })
}

func (db *DB) undos(ctx context.Context, read func(*rows.Queries) ([]rows.Undo, error)) (list []purchase.Undo, err error) {
	err = db.view(ctx, func(q *rows.Queries) error {
		rs, err := read(q)
		if err != nil {
			return err
		}
		for _, r := range rs {
			ds, err := q.ListUndoDecisions(ctx, r.ID)
			if err != nil {
				return err
			}
			u, err := toUndo(r, ds)
			if err != nil {
				return err
			}
			list = append(list, u)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("undos: %w", err)
	}
	return list, nil
}

func snapshotUndos(ctx context.Context, q *rows.Queries, s *purchase.Snapshot) error {
	rs, err := q.AllUndos(ctx)
	if err != nil {
		return err
	}
	ds, err := q.AllUndoDecisions(ctx)
	if err != nil {
		return err
	}
	by := map[string][]rows.UndoDecision{}
	for _, d := range ds {
		by[d.UndoID] = append(by[d.UndoID], d)
	}
	for _, r := range rs {
		u, err := toUndo(r, by[r.ID])
		if err != nil {
			return err
		}
		s.Undos = append(s.Undos, u)
	}
	return nil
}

func toUndo(r rows.Undo, decisions []rows.UndoDecision) (purchase.Undo, error) {
	u := purchase.Undo{
		ID: purchase.UndoID(r.ID), Line: purchase.LineID(r.LineID), Commitment: r.CommitmentID, Digest: r.Digest, Token: r.Token,
		Requester: r.Requester, RequestedAt: fromMicros(r.RequestedAt), Comment: r.Comment, Until: fromMicros(r.Until),
		State: purchase.UndoState(r.State), Tries: int(r.Tries), Deadline: fromMicros(r.Deadline), SettledAt: fromMicros(r.SettledAt),
		Outcome: cloud.Outcome(r.Outcome), Detail: r.Detail, UpdatedAt: fromMicros(r.UpdatedAt),
	}
	var err error
	if u.Approvals, err = toApprovals(rows.Plan{ApprovalsNeeded: r.ApprovalsNeeded, SelfApproval: r.SelfApproval, Approvers: r.Approvers}); err != nil {
		return u, fmt.Errorf("undo %s: %w", r.ID, err)
	}
	for _, d := range decisions {
		u.Decisions = append(u.Decisions, purchase.UndoDecision{
			Undo: u.ID, Digest: d.Digest, By: d.Person, Approve: d.Approve == 1, At: fromMicros(d.At), Comment: d.Comment,
		})
	}
	return u, nil
}

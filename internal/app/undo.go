package app

import (
	"context"
	"errors"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// UndoOptions tells what can be undone for a line; the id may be shortened.
func (a *App) UndoOptions(ctx context.Context, id string) (api.UndoOptions, error) {
	o, err := a.undoOptions(ctx, id)
	if err != nil {
		return api.UndoOptions{}, err
	}
	return a.undoView(ctx, o)
}

func (a *App) undoOptions(ctx context.Context, id string) (*engine.UndoOptions, error) {
	h, err := a.Line(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.engine.UndoOptions(ctx, purchase.LineID(h.ID))
}

// Undo takes the next step to give back what a line bought: it is asked for, approved
// by as many people as a plan would be, sent, and looked after until the cloud shows
// what came of it.
func (a *App) Undo(ctx context.Context, r api.UndoRequest) (api.UndoOptions, error) {
	if err := plain("the comment", r.Comment); err != nil {
		return api.UndoOptions{}, err
	}
	var err error
	if r.By, err = a.actor(ctx, auth.LineUndo, r.Line, r.By); err != nil {
		return api.UndoOptions{}, err
	}
	o, err := a.undoOptions(ctx, r.Line)
	if err != nil {
		return api.UndoOptions{}, err
	}
	u := o.Open()
	if u == nil && o.Last() != nil && !r.Again {
		return a.undoView(ctx, o) // how it ended
	}
	switch {
	case o.Way == engine.UndoByCancel:
		return api.UndoOptions{}, api.Errorf(api.Conflict, "line %s is not bought: bursar cancel %s calls it off", o.Line.ID, o.Line.ID)
	case u == nil && r.Reject:
		return api.UndoOptions{}, api.Errorf(api.Conflict, "nobody has asked to give back what line %s bought", o.Line.ID)
	case u == nil && (o.Way == engine.UndoNever || o.Why != ""):
		return api.UndoOptions{}, api.Errorf(api.Conflict, "what line %s bought cannot be given back: %s", o.Line.ID, o.Why)
	case u == nil && r.Digest != "", u != nil && r.Digest != u.Digest && u.State != purchase.UndoSent:
		return api.UndoOptions{}, api.Errorf(api.Conflict, "the undo of line %s is another one by now: see bursar undo options %s; nothing was decided", o.Line.ID, o.Line.ID)
	}
	err = a.does(ctx, step{
		act: auth.LineUndo, by: r.By, subject: string(o.Line.ID), accounts: []string{string(o.Line.Spec.Account)},
		details: map[string]any{"digest": r.Digest, "reject": r.Reject, "comment": r.Comment},
	}, func() error { return a.goOnWithUndo(ctx, o, r) })
	if err != nil {
		return api.UndoOptions{}, err
	}
	if o, err = a.engine.UndoOptions(ctx, o.Line.ID); err != nil {
		return api.UndoOptions{}, err
	}
	return a.undoView(ctx, o)
}

// goOnWithUndo asks for an undo, decides on it and sends it, as far as that is due.
func (a *App) goOnWithUndo(ctx context.Context, o *engine.UndoOptions, r api.UndoRequest) error {
	u := o.Open()
	if u == nil {
		err := a.engine.RequestUndo(ctx, o, a.rules, r.By, r.Comment)
		if errors.Is(err, store.ErrUndoOpen) {
			err = api.Errorf(api.Conflict, "somebody else has asked to give back what line %s bought: see bursar undo options %s", o.Line.ID, o.Line.ID)
		}
		if err != nil {
			return err
		}
		u = o.Open()
	}
	asked := purchase.PersonKey(u.Requester) == purchase.PersonKey(r.By)
	if r.Reject || u.State == purchase.UndoRequested && (!asked || u.Approvals.May(r.By, u.Requester)) {
		if err := a.decideUndo(ctx, *u, r); err != nil {
			return err
		}
		var err error
		if o, err = a.engine.UndoOptions(ctx, o.Line.ID); err != nil {
			return err
		}
	}
	if u = o.Open(); u != nil && u.State == purchase.UndoApproved {
		if err := a.engine.SendUndo(ctx, o); errors.Is(err, purchase.ErrLost) {
			// Somebody else sends it, or its time is over: the options tell.
		} else if err != nil {
			return api.Errorf(api.Unavailable, "it is approved and was not sent: %w; try again with: bursar undo %s", err, o.Line.ID)
		}
	}
	return nil
}

func (a *App) decideUndo(ctx context.Context, u purchase.Undo, r api.UndoRequest) error {
	err := a.db.DecideUndo(ctx, purchase.UndoDecision{
		Undo: u.ID, Digest: u.Digest, By: r.By, Approve: !r.Reject, At: a.clouds.now(), Comment: r.Comment,
	})
	switch {
	case errors.Is(err, store.ErrRequester):
		return &api.Error{Kind: api.Forbidden, Err: &said{r.By + " asked for it, and somebody else has to approve", err}}
	case errors.Is(err, store.ErrNotApprover):
		return &api.Error{Kind: api.Forbidden, Err: &said{r.By + " is not one of the approvers", err}}
	case errors.Is(err, store.ErrDecided):
		return api.Errorf(api.Conflict, "%s has decided already; %d of %d people have approved", r.By, u.Yes(), u.Approvals.Needed)
	case errors.Is(err, store.ErrDigest):
		return api.Errorf(api.Conflict, "the undo of line %s was sent or has ended by now: see bursar undo options %s; nothing was decided", u.Line, u.Line)
	}
	return err
}

func (a *App) undoView(ctx context.Context, o *engine.UndoOptions) (api.UndoOptions, error) {
	receipts, err := a.receipts(ctx)
	if err != nil {
		return api.UndoOptions{}, err
	}
	v := api.UndoOptions{
		Line: lineView(o.Line, receipts), Way: string(o.Way), Open: o.Way != engine.UndoNever && o.Why == "", Why: o.Why,
		Until: optional(o.Until), Used: o.Terms.Used, Most: o.Terms.Most, Rule: o.Terms.Rule, Undos: undoViews(o.Undos),
	}
	if o.Listed != nil {
		v.State = string(o.Listed.State)
	}
	if o.Way == engine.UndoByReturn {
		v.Back, v.Freed = &o.Line.Spec.Price.Upfront, &o.Line.Spec.Price.Total
		if o.Terms.Back != nil {
			v.Back = o.Terms.Back
		}
		if p := o.Terms.Pool; p != nil {
			v.PoolUsed, v.PoolLimit = &p.Used, &p.Limit
		}
	}
	return v, nil
}

func undoViews(list []purchase.Undo) []api.Undo {
	views := make([]api.Undo, len(list))
	for i, u := range list {
		views[i] = api.Undo{
			ID: string(u.ID), Line: string(u.Line), Commitment: u.Commitment, State: string(u.State), Outcome: string(u.Outcome), Detail: u.Detail,
			Digest: u.Digest, Requester: u.Requester, RequestedAt: u.RequestedAt, Comment: u.Comment, Until: u.Until, Tries: u.Tries,
			SettledAt: optional(u.SettledAt), UpdatedAt: u.UpdatedAt,
			Approvals: api.Approvals{Needed: u.Approvals.Needed, Approvers: u.Approvals.Approvers, RequesterMay: u.Approvals.Self, Given: u.Yes()},
		}
		for _, d := range u.Decisions {
			views[i].Decisions = append(views[i].Decisions, api.UndoDecision{By: d.By, Approve: d.Approve, At: d.At, Comment: d.Comment})
		}
	}
	return views
}

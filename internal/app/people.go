package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/store"
)

// ContinuePlan makes the next version of a plan out of the lines that were not
// bought, priced anew.
func (a *App) ContinuePlan(ctx context.Context, id, requester string) (api.PlanCreated, error) {
	p, err := a.plan(ctx, id)
	if err != nil {
		return api.PlanCreated{}, err
	}
	requester, err = a.actor(ctx, auth.PlanContinue, string(p.ID), requester)
	if err != nil {
		return api.PlanCreated{}, err
	}
	var next *purchase.Plan
	var left []recommend.Left
	err = a.does(ctx, step{act: auth.PlanContinue, by: requester, subject: string(p.ID), accounts: accountsOf(p)}, func() error {
		next, left, err = a.engine.Continue(ctx, p, engine.PlanOptions{Requester: requester, Approvals: a.rules, Tags: a.tags})
		return err
	})
	if err != nil {
		return api.PlanCreated{}, refused(ctx, err)
	}
	created := api.PlanCreated{Format: "plan", Left: dropped(left)}
	if created.Plan, err = a.planView(ctx, next); err != nil {
		return api.PlanCreated{}, err
	}
	return created, a.addBudgets(ctx, next, &created.Plan)
}

func dropped(left []recommend.Left) (list []api.Dropped) {
	for _, l := range left {
		list = append(list, api.Dropped{Where: l.At.String(), What: l.What, Why: l.Why})
	}
	return list
}

// bought lists the lines of a new version that ask for goods which an earlier
// version has bought.
func (a *App) bought(ctx context.Context, p *purchase.Plan) (list []api.Dropped, err error) {
	if p.Version == 1 {
		return nil, nil
	}
	versions, err := a.db.Versions(ctx, p.Lineage)
	if err != nil {
		return nil, err
	}
	for _, l := range p.Lines {
		for _, v := range versions {
			for _, e := range v.Lines {
				if v.Version < p.Version && e.State == purchase.Purchased && e.Spec.Account == l.Spec.Account && e.Spec.Offering.ID == l.Spec.Offering.ID {
					list = append(list, api.Dropped{
						Where: fmt.Sprintf("line %d", l.Number), What: fmt.Sprintf("line %d of version %d has bought %s of the same", e.Number, v.Version, e.Spec.Offering.Measure(e.Spec.Quantity)),
						Why: "approving buys more of it",
					})
				}
			}
		}
	}
	return list, nil
}

// stopped tells who stopped purchasing; nil while it goes on.
func (a *App) stopped(ctx context.Context) (*api.Stop, error) {
	s, err := a.db.Stopped(ctx)
	if s == nil || err != nil {
		return nil, err
	}
	return &api.Stop{By: s.By, At: optional(s.At), Comment: s.Comment}, nil
}

// Purchasing tells whether anything may be bought.
func (a *App) Purchasing(ctx context.Context) (api.Purchasing, error) {
	if err := a.reads(ctx); err != nil {
		return api.Purchasing{}, err
	}
	s, err := a.stopped(ctx)
	return api.Purchasing{Purchasing: err == nil && s == nil, Stopped: s}, err
}

// SetPurchasing stops or starts all purchasing, for every process on this ledger.
// What may have been sent already goes on being looked up.
func (a *App) SetPurchasing(ctx context.Context, on bool, by, comment string) (api.Purchasing, error) {
	act := auth.PurchasingStop
	if on {
		act = auth.PurchasingStart
	}
	if err := plain("the comment", comment); err != nil {
		return api.Purchasing{}, err
	}
	by, err := a.actor(ctx, act, "", by)
	if err != nil {
		return api.Purchasing{}, err
	}
	err = a.does(ctx, step{act: act, by: by, all: on, details: map[string]any{"comment": comment}}, func() error {
		return a.db.SetPurchasing(ctx, store.Stop{Purchasing: on, By: by, At: a.clouds.now(), Comment: comment})
	})
	var copied *store.CopiedError
	if errors.As(err, &copied) {
		return api.Purchasing{}, &api.Error{Kind: api.Conflict, Err: copied}
	}
	if !errors.Is(err, store.ErrState) {
		if err != nil {
			return api.Purchasing{}, err
		}
		return a.Purchasing(ctx)
	}
	s, err := a.stopped(ctx)
	switch {
	case err != nil:
		return api.Purchasing{}, err
	case s == nil:
		return api.Purchasing{}, api.Errorf(api.Conflict, "purchasing is not stopped: there is nothing to start")
	case on:
		return api.Purchasing{}, api.Errorf(api.Conflict, "purchasing is off until the ledger has recovered, and start cannot end that: see bursar recovery status")
	case s.By == "":
		return api.Purchasing{}, api.Errorf(api.Conflict, "purchasing is off already, until the ledger has recovered: see bursar recovery status")
	}
	return api.Purchasing{}, api.Errorf(api.Conflict, "purchasing is stopped already, by %s since %s", s.By, s.At.Format("2006-01-02 15:04:05Z"))
}

// Cancel asks that lines not be bought. Each id is that of a plan, which means all
// its open lines, or of a line. Nothing is asked unless every id can be.
func (a *App) Cancel(ctx context.Context, ids []string, by, comment string) ([]api.Canceled, error) {
	if err := plain("the comment", comment); err != nil {
		return nil, err
	}
	by, err := a.actor(ctx, auth.LineCancel, strings.Join(ids, ", "), by)
	if err != nil {
		return nil, err
	}
	var lines []purchase.LineID
	for _, id := range ids {
		found, err := a.linesToCancel(ctx, id)
		if err != nil {
			return nil, err
		}
		lines = append(lines, found...)
	}
	receipts, err := a.receipts(ctx)
	if err != nil {
		return nil, err
	}
	answers := []api.Canceled{}
	for _, id := range lines {
		var row purchase.Row
		var asked bool
		account, err := a.accountOf(ctx, id)
		if err != nil {
			return answers, err
		}
		err = a.does(ctx, step{
			act: auth.LineCancel, by: by, subject: string(id), accounts: account, details: map[string]any{"comment": comment},
		}, func() error {
			row, asked, err = a.engine.Cancel(ctx, id, by, comment)
			return err
		})
		if err != nil {
			return answers, err
		}
		c := api.Canceled{Line: lineView(row.Line, receipts)}
		c.Answer, c.Says = canceled(row.Line, asked)
		answers = append(answers, c)
	}
	return answers, nil
}

// linesToCancel turns the id of a plan or of a line into lines that can be called
// off.
func (a *App) linesToCancel(ctx context.Context, id string) ([]purchase.LineID, error) {
	p, planErr := a.plan(ctx, id)
	line, lineErr := a.lineID(ctx, id)
	switch {
	case planErr == nil && lineErr == nil, errors.Is(planErr, store.ErrAmbiguous), errors.Is(lineErr, store.ErrAmbiguous):
		return nil, api.Errorf(api.Ambiguous, "%s matches more than one plan or line: use more of the id", id)
	case planErr != nil && !errors.Is(planErr, store.ErrNotFound):
		return nil, planErr
	case lineErr != nil && !errors.Is(lineErr, store.ErrNotFound):
		return nil, lineErr
	case planErr != nil && lineErr != nil:
		return nil, api.Errorf(api.NotFound, "there is no plan and no line %s: bursar plan list shows the plans, bursar history the lines", id)
	case lineErr == nil:
		row, err := a.db.Row(ctx, line)
		if err != nil {
			return nil, err
		}
		if row.Line.State == purchase.Draft {
			return nil, api.Errorf(api.Conflict, "line %s is a draft of a plan that nobody has approved: bursar reject %s", line, row.Line.Plan)
		}
		return []purchase.LineID{line}, nil
	case p.State == purchase.PlanProposed:
		return nil, api.Errorf(api.Conflict, "plan %s is not approved, so nothing of it can be bought: bursar reject %s", p.ID, p.ID)
	}
	var open []purchase.LineID
	for _, l := range p.Lines {
		if !l.State.Terminal() {
			open = append(open, l.ID)
		}
	}
	if len(open) == 0 {
		return nil, api.Errorf(api.Conflict, "every line of plan %s has ended: see bursar plan show %s", p.ID, p.ID)
	}
	return open, nil
}

// canceled says what a request not to buy a line means for it.
func canceled(l purchase.Line, asked bool) (answer, says string) {
	switch l.State {
	case purchase.Canceled:
		return "canceled", "canceled: it was not bought and never will be"
	case purchase.Armed:
		return "requested", "cancel requested: it may have been bought; nothing more is sent, and it ends as purchased or canceled by evidence"
	case purchase.QueuedLine:
		return "requested", "cancel requested: a worker deletes the order if it has not fired, and the line ends as canceled or purchased by evidence"
	case purchase.Ready, purchase.NeedsReapproval:
		if asked || l.CancelRequested {
			return "requested", "cancel requested: the next worker ends it"
		}
	case purchase.NeedsReview:
		return "no", "a person has to decide whether it was bought: bursar resolve " + string(l.ID)
	case purchase.Recovery:
		return "no", "whether it was bought is not known: bursar reconcile"
	case purchase.Purchased:
		return "no", "it is bought; that cannot be called off"
	}
	return "no", "it is " + string(l.State) + " already: it was not bought and never will be"
}

// Case tells what a person needs to decide about a line; the id may be shortened
// to a unique prefix.
func (a *App) Case(ctx context.Context, id string) (api.Case, error) {
	h, err := a.Line(ctx, id)
	if err != nil {
		return api.Case{}, err
	}
	c, err := a.engine.Case(ctx, purchase.LineID(h.ID))
	if err != nil {
		return api.Case{}, reviewHint(h.Line, err)
	}
	v := api.Case{LineHistory: h, Lane: c.Row.Line.Spec.Lane().String(), Items: []api.CaseItem{}}
	if c.Unlisted != nil {
		v.Unlisted = c.Unlisted.Error()
	}
	adopt, declare := false, false
	for _, i := range c.Items {
		item := api.CaseItem{
			Item:  itemView(engine.Item{Commitment: i.Commitment, Match: engine.Unexplained, Line: i.Receipt}),
			Named: i.Named, Differs: i.Differs, Adoptable: i.Adopt,
		}
		switch {
		case i.Receipt != "":
			item.Explained, item.Match = "receipt", string(engine.Matched)
		case i.Imported:
			item.Explained, item.Match = "imported", string(engine.Imported)
		case i.Foreign != nil:
			item.Explained, item.By, item.Match = "foreign", i.Foreign.By, string(engine.Foreign)
		default:
			declare = true
		}
		adopt = adopt || i.Adopt
		v.Items = append(v.Items, item)
	}
	choice := func(name purchase.Choice, open bool, why string) *api.Choice {
		v.Choices = append(v.Choices, api.Choice{Choice: string(name), Open: open, Why: why})
		return &v.Choices[len(v.Choices)-1]
	}
	if adopt {
		choice(purchase.Adopt, true, "")
	} else {
		choice(purchase.Adopt, false, c.Sentence(purchase.ErrNotListed))
	}
	notBought := choice(purchase.NotBought, c.NotBought == nil, why(c, c.NotBought))
	notBought.From, notBought.Second = optional(c.Settled), c.Second
	if declare {
		choice(engine.DeclareForeign, true, "")
	} else {
		choice(engine.DeclareForeign, false, "nothing in the lane is unexplained")
	}
	choice(purchase.LookAgain, c.LookAgain == nil, why(c, c.LookAgain))
	return v, nil
}

func why(c *engine.Case, err error) string {
	if err == nil {
		return ""
	}
	if s := c.Sentence(err); s != "" {
		return s
	}
	return err.Error()
}

// reviewHint says what to do with a line that waits for nobody.
func reviewHint(l api.Line, err error) error {
	if !errors.Is(err, engine.ErrNoReview) {
		return err
	}
	if l.State == string(purchase.Armed) || l.State == string(purchase.QueuedLine) {
		return api.Errorf(api.Conflict, "line %s is %s and is being looked up: bursar reconcile looks again", l.ID, l.State)
	}
	return api.Errorf(api.Conflict, "line %s is %s and waits for no decision: see bursar history %s", l.ID, l.State, l.ID)
}

// mayName refuses a second person who is only named by somebody else who is signed in.
func (a *App) mayName(ctx context.Context, r api.Resolution, line string) error {
	p, ok := auth.From(ctx)
	if !ok || r.Second == "" {
		return nil
	}
	err := &auth.ForbiddenError{Who: p.Name, Act: auth.LineResolve, Why: fmt.Sprintf("%s cannot speak for %s: use bursar resolve %s on the ledger's host, together", p.Name, r.Second, line)}
	return errors.Join(err, a.Denied(ctx, p, auth.LineResolve, line, err.Why))
}

// accountOf is the account of a line.
func (a *App) accountOf(ctx context.Context, line purchase.LineID) ([]string, error) {
	row, err := a.db.Row(ctx, line)
	return []string{string(row.Line.Spec.Account)}, err
}

// Resolve carries out a person's decision about a line that needs review.
func (a *App) Resolve(ctx context.Context, r api.Resolution) (api.LineHistory, error) {
	before, err := a.Line(ctx, r.Line)
	if err != nil {
		return api.LineHistory{}, err
	}
	r.Second, r.Commitment = strings.TrimSpace(r.Second), strings.TrimSpace(r.Commitment)
	err = errors.Join(plain("the second person's name", r.Second), plain("the comment", r.Comment))
	if err != nil {
		return api.LineHistory{}, err
	}
	if r.By, err = a.actor(ctx, auth.LineResolve, before.ID, r.By); err != nil {
		return api.LineHistory{}, err
	}
	if err := a.mayName(ctx, r, before.ID); err != nil {
		return api.LineHistory{}, err
	}
	if r.Second != "" && purchase.PersonKey(r.Second) == purchase.PersonKey(r.By) {
		return api.LineHistory{}, api.Errorf(api.Invalid, "the second person has to be another one than %s", r.By)
	}
	choice := purchase.Choice(r.Choice)
	err = a.does(ctx, step{
		act: auth.LineResolve, by: r.By, subject: before.ID, accounts: []string{before.Account},
		details: map[string]any{"choice": r.Choice, "commitment": r.Commitment, "second": r.Second, "comment": r.Comment},
	}, func() error {
		_, err := a.engine.Resolve(ctx, purchase.LineID(before.ID), engine.Resolution{
			Choice: choice, Commitment: r.Commitment, By: r.By, Second: r.Second, Comment: r.Comment,
		})
		return err
	})
	switch {
	case err == nil:
		return a.Line(ctx, before.ID)
	case errors.Is(err, purchase.ErrLost):
		return api.LineHistory{}, api.Errorf(api.Conflict, "somebody else moved line %s at the same moment, and nothing was decided: see bursar resolve %s", before.ID, before.ID)
	case errors.Is(err, store.ErrDeclared):
		return api.LineHistory{}, api.Errorf(api.Conflict, "%s was declared foreign before: see bursar resolve %s", r.Commitment, before.ID)
	case errors.Is(err, engine.ErrNoReview):
		return api.LineHistory{}, reviewHint(before.Line, err)
	}
	if c, caseErr := a.engine.Case(ctx, purchase.LineID(before.ID)); caseErr == nil {
		if s := c.Sentence(err); s != "" {
			err = api.Errorf(api.Conflict, "%s", s)
		}
	}
	return api.LineHistory{}, err
}

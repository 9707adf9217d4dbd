package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bursar/internal/auditlog"
	"bursar/internal/auth"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// step is what somebody is about to do.
type step struct {
	act      auth.Act
	by       string
	subject  string         // id or name of what it is about
	accounts []string       // that it is about; whoever acts needs all of them
	all      bool           // it is about every account
	details  map[string]any // what is told besides
}

// actor names who acts: whoever ctx says, who cannot be anybody else, or in this process
// the person named.
func (a *App) actor(ctx context.Context, act auth.Act, subject, named string) (string, error) {
	p, ok := auth.From(ctx)
	switch {
	case !ok:
		named = person(named)
		return named, plain("the name of the person", named)
	case named != "" && purchase.PersonKey(named) != purchase.PersonKey(p.Name):
		err := &auth.ForbiddenError{Who: p.Name, Act: act, Why: fmt.Sprintf("%s is signed in and cannot act in the name of %s", p.Name, auditlog.Text(named))}
		return "", errors.Join(err, a.Denied(ctx, p, act, subject, err.Why))
	}
	return p.Name, nil
}

// Denied logs an attempt that was not permitted.
func (a *App) Denied(ctx context.Context, p auth.Principal, act auth.Act, subject, why string) error {
	_, err := a.log(auth.With(ctx, p), step{act: act, by: p.Name, subject: subject, details: map[string]any{"why": auditlog.Text(why)}}, auditlog.Denied)
	return err
}

// log appends to the audit log.
func (a *App) log(ctx context.Context, s step, kind auditlog.Kind) (auditlog.Entry, error) {
	session := operator()
	if p, ok := auth.From(ctx); ok {
		session = p.Session
	}
	if s.details == nil {
		s.details = map[string]any{}
	}
	details, err := auditlog.Details(s.details)
	if err != nil {
		return auditlog.Entry{}, err
	}
	// Real time also where the clouds are simulated and their clock is moved.
	return a.db.Record(ctx, auditlog.Entry{
		At: time.Now().UTC(), Actor: cmp.Or(auditlog.Text(s.by), "nobody"), Session: session, Act: string(s.act), Kind: kind,
		Subject: auditlog.Text(s.subject), Details: details,
	})
}

// does lets somebody do something: whoever may not is refused, and that is logged; then
// what is about to be done is logged, and on disk, before it is done. Without the line in
// the log nothing is done. An act that fails has a second line, which says why.
func (a *App) does(ctx context.Context, s step, do func() error) error {
	if p, ok := auth.From(ctx); ok {
		err := p.Check(s.act, s.accounts...)
		if err == nil && s.all {
			err = a.readsAll(ctx, s.act)
		}
		if err != nil {
			return errors.Join(err, a.Denied(ctx, p, s.act, s.subject, err.Error()))
		}
	}
	if len(s.accounts) > 0 {
		s.details = maps.Clone(s.details)
		if s.details == nil {
			s.details = map[string]any{}
		}
		s.details["accounts"] = s.accounts
	}
	e, err := a.log(ctx, s, auditlog.Did)
	if err != nil {
		return fmt.Errorf("%w; nothing was done", err)
	}
	if err = do(); err == nil {
		return nil
	}
	kind := auditlog.Failed
	if errors.Is(err, store.ErrRequester) || errors.Is(err, store.ErrNotApprover) {
		kind = auditlog.Denied
	}
	s.details = map[string]any{"entry": e.Seq, "why": auditlog.Text(err.Error())}
	if _, logErr := a.log(context.WithoutCancel(ctx), s, kind); logErr != nil {
		return errors.Join(err, logErr)
	}
	return err
}

// said is an error in words for people, which is still the one that it was.
type said struct {
	says string
	error
}

func (e *said) Error() string { return e.says }
func (e *said) Unwrap() error { return e.error }

// reads refuses whoever may not read.
func (a *App) reads(ctx context.Context) error {
	if p, ok := auth.From(ctx); ok {
		return p.Check(auth.ReadAny)
	}
	return nil
}

// readsAll refuses whoever does not see every account.
func (a *App) readsAll(ctx context.Context, act auth.Act) error {
	p, ok := auth.From(ctx)
	if !ok {
		return nil
	}
	if err := p.Check(act); err != nil {
		return err
	}
	if p.Accounts != nil {
		return &auth.ForbiddenError{Who: p.Name, Act: act, Why: fmt.Sprintf("this is about every account, and %s sees some of them", p.Name)}
	}
	return nil
}

// sees reports whether an account is in the scope of whoever asks.
func sees(ctx context.Context, account string) bool {
	p, ok := auth.From(ctx)
	return !ok || p.Sees(account)
}

// seesPlan reports whether all accounts of a plan are in the scope of whoever asks: its
// totals are of all lines.
func seesPlan(ctx context.Context, p *purchase.Plan) bool {
	return !slices.ContainsFunc(accountsOf(p), func(account string) bool { return !sees(ctx, account) })
}

// accountsOf lists the accounts of a plan, in order.
func accountsOf(p *purchase.Plan) []string {
	all := map[string]bool{}
	for _, l := range p.Lines {
		all[string(l.Spec.Account)] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// plan reads a plan that whoever asks may see. What is outside of their scope is not
// found, as if it did not exist.
func (a *App) plan(ctx context.Context, id string) (*purchase.Plan, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	p, err := a.db.Plan(ctx, id)
	if err == nil && !seesPlan(ctx, p) {
		err = fmt.Errorf("plan %s: %w", id, store.ErrNotFound)
	}
	if err != nil {
		return nil, planHint(err)
	}
	return p, nil
}

// lineID completes the id of a line that whoever asks may see.
func (a *App) lineID(ctx context.Context, id string) (purchase.LineID, error) {
	if err := a.reads(ctx); err != nil {
		return "", err
	}
	full, err := a.db.LineID(ctx, id)
	if _, ok := auth.From(ctx); ok && err == nil {
		var row purchase.Row
		if row, err = a.db.Row(ctx, full); err == nil && !sees(ctx, string(row.Line.Spec.Account)) {
			err = fmt.Errorf("line %s: %w", id, store.ErrNotFound)
		}
	}
	return full, err
}

// seen keeps of a list what is in the scope of whoever asks.
func seen[T any](ctx context.Context, list []T, account func(T) string) []T {
	return slices.DeleteFunc(list, func(v T) bool { return !sees(ctx, account(v)) })
}

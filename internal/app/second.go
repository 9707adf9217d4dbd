package app

import (
	"context"
	"sync"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/engine"
	"bursar/internal/purchase"
)

// asked are decisions about lines that wait for a second person. They are kept in this
// process: one that is forgotten is asked for again, and nothing was decided.
type asked struct {
	mu   sync.Mutex
	list map[string]waitingAsked
}

type waitingAsked struct {
	api.Asked
	line api.Line // as the first person saw it
}

// secondWaits is how long a decision waits for a second person.
const secondWaits = time.Hour

// of returns what waits about a line, unless the line is another one by now.
func (k *asked) of(l api.Line, now time.Time) *api.Asked {
	k.mu.Lock()
	defer k.mu.Unlock()
	w, ok := k.list[l.ID]
	if !ok || l.State != w.line.State || !l.UpdatedAt.Equal(w.line.UpdatedAt) || now.Sub(w.At) >= secondWaits {
		return nil
	}
	return &w.Asked
}

func (k *asked) keep(l api.Line, d api.Asked) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list == nil {
		k.list = map[string]waitingAsked{}
	}
	k.list[l.ID] = waitingAsked{d, l}
}

func (k *asked) drop(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.list, line)
}

// resolveStep is a person's part in a decision about a line.
func resolveStep(l api.Line, by string, d api.Resolution, part string) step {
	return step{act: auth.LineResolve, by: by, subject: l.ID, accounts: []string{l.Account}, details: map[string]any{
		"choice": d.Choice, "commitment": d.Commitment, "comment": d.Comment, "part": part,
	}}
}

// AskSecond keeps a decision until a second person agrees.
func (a *App) AskSecond(ctx context.Context, r api.Resolution) error {
	h, err := a.Line(ctx, r.Line)
	if err != nil {
		return err
	}
	if err := plain("the comment", r.Comment); err != nil {
		return err
	}
	if r.By, err = a.actor(ctx, auth.LineResolve, h.ID, r.By); err != nil {
		return err
	}
	r.Line = h.ID
	return a.does(ctx, resolveStep(h.Line, r.By, r, "first of two"), func() error {
		a.asked.keep(h.Line, api.Asked{Resolution: r, At: a.clouds.now()})
		return nil
	})
}

// Asked returns the decision that waits about a line; nil for none.
func (a *App) Asked(ctx context.Context, line string) (*api.Asked, error) {
	h, err := a.Line(ctx, line)
	if err != nil {
		return nil, err
	}
	return a.asked.of(h.Line, a.clouds.now()), nil
}

// Agree carries out what another person has decided, or drops it.
func (a *App) Agree(ctx context.Context, line string, yes bool) error {
	h, err := a.Line(ctx, line)
	if err != nil {
		return err
	}
	by, err := a.actor(ctx, auth.LineResolve, h.ID, "")
	if err != nil {
		return err
	}
	d := a.asked.of(h.Line, a.clouds.now())
	switch {
	case d == nil:
		return api.Errorf(api.Conflict, "nobody waits for a second person about line %s any more; nothing was decided", h.ID)
	case yes && purchase.PersonKey(d.By) == purchase.PersonKey(by):
		return api.Errorf(api.Conflict, "%s has decided, and a second person has to agree", by)
	}
	part := "second of two, with " + d.By
	if !yes {
		part = "against " + d.By
	}
	return a.does(ctx, resolveStep(h.Line, by, d.Resolution, part), func() error {
		if yes {
			_, err := a.engine.Resolve(ctx, purchase.LineID(h.ID), engine.Resolution{
				Choice: purchase.Choice(d.Choice), Commitment: d.Commitment, By: d.By, Second: by, Comment: d.Comment,
			})
			if err != nil {
				return err
			}
		}
		a.asked.drop(h.ID)
		return nil
	})
}

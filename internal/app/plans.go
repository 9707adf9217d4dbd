package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bursar/internal/api"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/store"
)

// CreatePlan reads a file, prices its lines and stores them as a proposed plan.
// Nothing is stored unless everything fits.
func (a *App) CreatePlan(ctx context.Context, r api.PlanRequest) (api.PlanCreated, error) {
	var caps recommend.Caps
	var err error
	if r.MaxTotal != "" {
		if caps.MaxTotal, err = recommend.ParseAmount("--max-total", r.MaxTotal); err != nil {
			return api.PlanCreated{}, err
		}
	}
	if r.MaxMonthly != "" {
		if caps.MaxMonthly, err = recommend.ParseAmount("--max-monthly", r.MaxMonthly); err != nil {
			return api.PlanCreated{}, err
		}
	}
	in, err := a.readInput(r.File)
	if err != nil {
		return api.PlanCreated{}, err
	}
	if r.Purpose != "" {
		purpose, err := recommend.Purpose(r.Purpose)
		if err != nil {
			return api.PlanCreated{}, fmt.Errorf("--purpose: %w", err)
		}
		in.SetPurpose(purpose)
	}
	if r.Policy != "" {
		return a.createByPolicy(ctx, r, in, caps)
	}
	created := api.PlanCreated{Format: string(in.Format)}
	if r.Coverage != 0 {
		var rounded []recommend.Rounded
		if in, rounded, err = in.Scale(r.Coverage); err != nil {
			return api.PlanCreated{}, err
		}
		for _, c := range rounded {
			created.Rounded = append(created.Rounded, api.Rounded{
				Where: c.At.String(), Was: c.Was, Exact: c.Exact, Kept: c.Kept, Away: c.Away,
			})
		}
	}
	for _, l := range in.Left {
		created.Left = append(created.Left, api.Dropped{Where: l.At.String(), What: l.What, Why: l.Why})
	}
	if len(in.Drafts) == 0 {
		why := "it advises nothing"
		if len(created.Left) > 0 {
			why = fmt.Sprintf("%s: %s", created.Left[0].What, created.Left[0].Why)
		}
		return api.PlanCreated{}, fmt.Errorf("%s has nothing to buy: %s", r.File, why)
	}
	name := r.Name
	if name == "" {
		name = in.Name
	}
	requester := person(r.Requester)
	if err := errors.Join(plain("the plan's name", name), plain("the requester's name", requester), notAPerson(requester)); err != nil {
		return api.PlanCreated{}, err
	}
	o := engine.PlanOptions{Name: name, Requester: requester, Caps: caps, Approvals: a.rules, Tags: a.tags}
	if r.Supersedes != "" {
		if o.Replaces, err = a.db.Plan(ctx, r.Supersedes); err != nil {
			return api.PlanCreated{}, planHint(err)
		}
	}
	p, err := a.engine.Propose(ctx, in, o)
	if err != nil {
		return api.PlanCreated{}, err
	}
	if created.Bought, err = a.bought(ctx, p); err != nil {
		return api.PlanCreated{}, err
	}
	if created.Plan, err = a.planView(ctx, p); err != nil {
		return api.PlanCreated{}, err
	}
	return created, a.addBudgets(ctx, p, &created.Plan)
}

// plain refuses text that could make a terminal show something else than what is
// there: one person reads what another wrote.
func plain(what, text string) error {
	const most = 1000
	if n := utf8.RuneCountInString(text); n > most {
		return fmt.Errorf("%s has %d characters: use %d at most", what, n, most)
	}
	for _, c := range text {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return fmt.Errorf("%s holds the character %U, which is not shown as it is: leave it out", what, c)
		}
	}
	return nil
}

func (a *App) readInput(file string) (recommend.Input, error) {
	if file == "-" {
		if a.stdin != nil {
			return recommend.Read("stdin", a.stdin)
		}
		return recommend.Read("stdin", os.Stdin)
	}
	f, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return recommend.Input{}, fmt.Errorf("input: there is no file %s", file)
	case err != nil:
		return recommend.Input{}, fmt.Errorf("input: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return recommend.Input{}, fmt.Errorf("input: %s is a directory, not a file", file)
	}
	return recommend.Read(file, io.Reader(f))
}

// Plan returns a plan; the id may be shortened to a unique prefix.
func (a *App) Plan(ctx context.Context, id string) (api.Plan, error) {
	p, err := a.db.Plan(ctx, id)
	if err != nil {
		return api.Plan{}, planHint(err)
	}
	v, err := a.planView(ctx, p)
	if err != nil {
		return api.Plan{}, err
	}
	return v, errors.Join(a.addExplanation(ctx, p, &v), a.addBudgets(ctx, p, &v))
}

// planHint adds the next step to an error about an id.
func planHint(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: bursar plan list shows the plans", err)
	case errors.Is(err, store.ErrAmbiguous):
		return fmt.Errorf("%w: use more of the id", err)
	}
	return err
}

// Plans returns all plans, newest first.
func (a *App) Plans(ctx context.Context) ([]api.Plan, error) {
	ps, err := a.db.Plans(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]api.Plan, len(ps))
	for i, p := range ps {
		if views[i], err = a.planView(ctx, p); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// DefaultApproval is how long an approval stands unless it says otherwise.
const DefaultApproval = 72 * time.Hour

// Decide records a decision on the plan's digest and carries it out. The digest
// is the one that the person saw.
func (a *App) Decide(ctx context.Context, d api.Decision, valid time.Duration) (api.Plan, error) {
	if d.Approve && (valid <= 0 || valid > 30*24*time.Hour) {
		return api.Plan{}, fmt.Errorf("an approval cannot stand for %s: use more than 0s, and 720h at most", valid)
	}
	p, err := a.db.Plan(ctx, d.Plan)
	if err != nil {
		return api.Plan{}, planHint(err)
	}
	by := person(d.By)
	if err := errors.Join(plain("the name of the person", by), plain("the comment", d.Comment), notAPerson(by)); err != nil {
		return api.Plan{}, err
	}
	now := a.clouds.now()
	err = a.db.Decide(ctx, purchase.Decision{
		Plan: p.ID, Digest: d.Digest, By: by, Approve: d.Approve, At: now, Comment: d.Comment,
	}, now.Add(valid))
	var doubt *store.InDoubtError
	var tag *purchase.TagError
	switch {
	case errors.Is(err, store.ErrRequester):
		return api.Plan{}, fmt.Errorf("%s requested plan %s and may not approve it: somebody else has to", by, p.ID)
	case errors.Is(err, store.ErrNotApprover):
		return api.Plan{}, fmt.Errorf("%s is not one of the approvers of plan %s: %s", by, p.ID, strings.Join(p.Approvals.Approvers, ", "))
	case errors.Is(err, store.ErrDecided):
		return api.Plan{}, fmt.Errorf("%s has approved plan %s already and counts once: see bursar plan show %s", by, p.ID, p.ID)
	case errors.Is(err, store.ErrNotNewest):
		return api.Plan{}, fmt.Errorf("plan %s is version %d, and only the newest version can be approved: bursar plan list shows the versions", p.ID, p.Version)
	case errors.As(err, &doubt):
		return api.Plan{}, fmt.Errorf("line %d of version %d is in doubt (%s, line %s) and asks for the same goods: wait for it with bursar reconcile, or leave it out; nothing was approved",
			doubt.Line.Number, doubt.Version, doubt.Line.State, doubt.Line.ID)
	case errors.Is(err, store.ErrDigest) && d.Digest == p.Digest:
		return api.Plan{}, fmt.Errorf("plan %s is %s already: see bursar plan show %s", p.ID, p.State, p.ID)
	case errors.Is(err, store.ErrDigest):
		return api.Plan{}, fmt.Errorf("plan %s does not have the digest you saw: look again with bursar plan show %s", p.ID, p.ID)
	case errors.As(err, &tag):
		return api.Plan{}, fmt.Errorf("%w; approve under another name with --as; nothing was approved", tag)
	case errors.Is(err, purchase.ErrBudget):
		return api.Plan{}, budgetHint(err)
	case err != nil:
		return api.Plan{}, err
	}
	return a.Plan(ctx, string(p.ID))
}

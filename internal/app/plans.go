package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bursar/internal/api"
	"bursar/internal/auth"
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
			return api.PlanCreated{}, invalid(err)
		}
	}
	if r.MaxMonthly != "" {
		if caps.MaxMonthly, err = recommend.ParseAmount("--max-monthly", r.MaxMonthly); err != nil {
			return api.PlanCreated{}, invalid(err)
		}
	}
	if err := oneInput(r); err != nil {
		return api.PlanCreated{}, invalid(err)
	}
	if _, ok := auth.From(ctx); ok && (r.File != "" && r.Content == nil || r.Usage != nil && r.Usage.Content == nil) {
		return api.PlanCreated{}, api.Errorf(api.Invalid, "input: send it with the request: no file of the server is read")
	} else if ok && r.Policy != "" && len(r.PolicyContent) == 0 {
		return api.PlanCreated{}, api.Errorf(api.Invalid, "policy: send it with the request: no file of the server is read")
	}
	var in recommend.Input
	switch {
	case r.Usage != nil:
		r.File = r.Usage.Usage
		in, err = a.usageInput(ctx, r)
	case r.File != "":
		in, err = readInput(r.File, r.Content)
	default:
		r.File = string(cloudsFormat)
		var by string
		if by, err = a.actor(ctx, auth.AdviceAsk, r.Name, r.Requester); err == nil {
			in, err = a.cloudsInput(ctx, r, by)
		}
	}
	if err != nil {
		return api.PlanCreated{}, refused(ctx, err)
	}
	if r.Purpose != "" {
		purpose, err := recommend.Purpose(r.Purpose)
		if err != nil {
			return api.PlanCreated{}, api.Errorf(api.Invalid, "--purpose: %w", err)
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
			return api.PlanCreated{}, invalid(err)
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
		return api.PlanCreated{}, api.Errorf(api.Invalid, "%s has nothing to buy: %s", r.File, why)
	}
	name := r.Name
	if name == "" {
		name = in.Name
	}
	if err := plain("the plan's name", name); err != nil {
		return api.PlanCreated{}, err
	}
	requester, err := a.actor(ctx, auth.PlanCreate, name, r.Requester)
	if err != nil {
		return api.PlanCreated{}, err
	}
	o := engine.PlanOptions{Name: name, Requester: requester, Caps: caps, Approvals: a.rules, Tags: a.tags}
	if r.Supersedes != "" {
		if o.Replaces, err = a.plan(ctx, r.Supersedes); err != nil {
			return api.PlanCreated{}, err
		}
	}
	var p *purchase.Plan
	err = a.does(ctx, step{
		act: auth.PlanCreate, by: requester, subject: name, accounts: draftAccounts(in), details: map[string]any{"lines": len(in.Drafts), "supersedes": r.Supersedes},
	}, func() error {
		p, err = a.engine.Propose(ctx, in, o)
		return err
	})
	if err != nil {
		return api.PlanCreated{}, refused(ctx, err)
	}
	if created.Bought, err = a.bought(ctx, p); err != nil {
		return api.PlanCreated{}, err
	}
	if created.Plan, err = a.planView(ctx, p); err != nil {
		return api.PlanCreated{}, err
	}
	return created, a.addBudgets(ctx, p, &created.Plan)
}

// draftAccounts lists the accounts that an input names, in order.
func draftAccounts(in recommend.Input) []string {
	all := map[string]bool{}
	for _, d := range in.Drafts {
		all[string(d.Account)] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// plain refuses text that could make a terminal show something else than what is
// there: one person reads what another wrote.
func plain(what, text string) error {
	const most = 1000
	if n := utf8.RuneCountInString(text); n > most {
		return api.Errorf(api.Invalid, "%s has %d characters: use %d at most", what, n, most)
	}
	for _, c := range text {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return api.Errorf(api.Invalid, "%s holds the character %U, which is not shown as it is: leave it out", what, c)
		}
	}
	return nil
}

// readInput reads an input from its content or, where that is nil, from its file.
func readInput(file string, content []byte) (recommend.Input, error) {
	if content == nil {
		var err error
		if file, content, err = ReadInput("input", file, os.Stdin); err != nil {
			return recommend.Input{}, err
		}
	}
	return recommend.Read(file, bytes.NewReader(content))
}

// ReadInput reads the file of an input of some kind, or stdin for "-", and says how it is called in
// messages.
func ReadInput(what, file string, stdin io.Reader) (name string, content []byte, err error) {
	from := stdin
	if name = file; file == "-" {
		name = "stdin"
	} else {
		f, err := openFile(what, file)
		if err != nil {
			return "", nil, err
		}
		defer f.Close() //nolint:errcheck // read only
		from = f
	}
	// One byte more than is taken tells that there is too much.
	content, err = io.ReadAll(io.LimitReader(from, recommend.MaxSize+1))
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", name, err)
	}
	return name, content, nil
}

// openFile opens what a person named as an input of some kind.
func openFile(what, file string) (*os.File, error) {
	f, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, api.Errorf(api.Invalid, "%s: there is no file %s", what, file)
	case err != nil:
		return nil, api.Errorf(api.Invalid, "%s: %w", what, err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(api.Errorf(api.Invalid, "%s: %s is a directory, not a file", what, file), f.Close())
	}
	return f, nil
}

// Plan returns a plan; the id may be shortened to a unique prefix.
func (a *App) Plan(ctx context.Context, id string) (api.Plan, error) {
	p, err := a.plan(ctx, id)
	if err != nil {
		return api.Plan{}, err
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
		return api.Errorf(api.NotFound, "%w: bursar plan list shows the plans", err)
	case errors.Is(err, store.ErrAmbiguous):
		return api.Errorf(api.Ambiguous, "%w: use more of the id", err)
	}
	return err
}

// Plans returns all plans, newest first.
func (a *App) Plans(ctx context.Context) ([]api.Plan, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	ps, err := a.db.Plans(ctx)
	if err != nil {
		return nil, err
	}
	return a.planViews(ctx, slices.DeleteFunc(ps, func(p *purchase.Plan) bool { return !seesPlan(ctx, p) }))
}

// Versions returns the versions of a plan, the first one first.
func (a *App) Versions(ctx context.Context, id string) ([]api.Plan, error) {
	p, err := a.plan(ctx, id)
	if err != nil {
		return nil, err
	}
	ps, err := a.db.Lineage(ctx, p.Lineage)
	if err != nil {
		return nil, err
	}
	return a.planViews(ctx, slices.DeleteFunc(ps, func(p *purchase.Plan) bool { return !seesPlan(ctx, p) }))
}

func (a *App) planViews(ctx context.Context, ps []*purchase.Plan) (_ []api.Plan, err error) {
	views := make([]api.Plan, len(ps))
	for i, p := range ps {
		if views[i], err = a.planView(ctx, p); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// DefaultApproval is how long an approval stands unless it says otherwise.
const DefaultApproval = api.DefaultApproval

// Decide records a decision on the plan's digest and carries it out. The digest
// is the one that the person saw.
func (a *App) Decide(ctx context.Context, d api.Decision, valid time.Duration) (api.Plan, error) {
	if d.Approve && (valid <= 0 || valid > 30*24*time.Hour) {
		return api.Plan{}, api.Errorf(api.Invalid, "an approval cannot stand for %s: use more than 0s, and 720h at most", valid)
	}
	act := auth.PlanApprove
	if !d.Approve {
		act = auth.PlanReject
	}
	p, err := a.plan(ctx, d.Plan)
	if err != nil {
		return api.Plan{}, err
	}
	if err := plain("the comment", d.Comment); err != nil {
		return api.Plan{}, err
	}
	by, err := a.actor(ctx, act, string(p.ID), d.By)
	if err != nil {
		return api.Plan{}, err
	}
	err = a.does(ctx, step{
		act: act, by: by, subject: string(p.ID), accounts: accountsOf(p), details: map[string]any{"digest": d.Digest, "comment": d.Comment},
	}, func() error {
		now := a.clouds.now()
		return a.db.Decide(ctx, purchase.Decision{
			Plan: p.ID, Digest: d.Digest, By: by, Approve: d.Approve, At: now, Comment: d.Comment,
		}, now.Add(valid))
	})
	var doubt *store.InDoubtError
	var tag *purchase.TagError
	switch {
	case errors.Is(err, store.ErrRequester):
		return api.Plan{}, api.Errorf(api.Forbidden, "%s requested plan %s and may not approve it: somebody else has to", by, p.ID)
	case errors.Is(err, store.ErrNotApprover):
		return api.Plan{}, api.Errorf(api.Forbidden, "%s is not one of the approvers of plan %s: %s", by, p.ID, strings.Join(p.Approvals.Approvers, ", "))
	case errors.Is(err, store.ErrDecided):
		return api.Plan{}, api.Errorf(api.Conflict, "%s has approved plan %s already and counts once: see bursar plan show %s", by, p.ID, p.ID)
	case errors.Is(err, store.ErrNotNewest):
		return api.Plan{}, api.Errorf(api.Conflict, "plan %s is version %d, and only the newest version can be approved: bursar plan list shows the versions", p.ID, p.Version)
	case errors.As(err, &doubt):
		return api.Plan{}, api.Errorf(api.Conflict, "line %d of version %d is in doubt (%s, line %s) and asks for the same goods: wait for it with bursar reconcile, or leave it out; nothing was approved",
			doubt.Line.Number, doubt.Version, doubt.Line.State, doubt.Line.ID)
	case errors.Is(err, store.ErrDigest) && d.Digest == p.Digest:
		return api.Plan{}, api.Errorf(api.Conflict, "plan %s is %s already: see bursar plan show %s", p.ID, p.State, p.ID)
	case errors.Is(err, store.ErrDigest):
		return api.Plan{}, api.Errorf(api.Stale, "plan %s does not have the digest you saw: look again with bursar plan show %s", p.ID, p.ID)
	case errors.As(err, &tag):
		return api.Plan{}, api.Errorf(api.Conflict, "%w; approve under another name with --as; nothing was approved", tag)
	case errors.Is(err, purchase.ErrBudget):
		return api.Plan{}, budgetHint(err)
	case err != nil:
		return api.Plan{}, err
	}
	return a.Plan(ctx, string(p.ID))
}

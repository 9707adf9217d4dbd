package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/journal"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// heard wants a name and a reason of a person.
func (a *App) heard(ctx context.Context, act auth.Act, r *recoveryWord) (err error) {
	if strings.TrimSpace(r.Comment) == "" {
		return errors.New("say why, with --comment: it is kept with your name")
	}
	if err := plain("the comment", r.Comment); err != nil {
		return err
	}
	r.By, err = a.actor(ctx, act, "", r.By)
	return err
}

// word is the step of a person who says something about the ledger's past.
func (r recoveryWord) word(act auth.Act, subject string) step {
	return step{act: act, by: r.By, subject: subject, all: true, details: map[string]any{"comment": r.Comment}}
}

type recoveryWord api.RecoveryRequest

// RecoveryStatus tells whether the ledger is the one that it was, and where a recovery
// stands. With owners it asks the accounts who buys there; otherwise it asks no cloud.
func (a *App) RecoveryStatus(ctx context.Context, owners bool) (api.Recovery, error) {
	if err := a.readsAll(ctx, auth.ReadAny); err != nil {
		return api.Recovery{}, err
	}
	c, err := a.engine.Compare(ctx)
	if err != nil {
		return api.Recovery{}, err
	}
	r, err := a.engine.Recovery(ctx)
	if err != nil {
		return api.Recovery{}, err
	}
	v, err := a.recoveryView(ctx, r)
	if err != nil {
		return v, err
	}
	if v.State != "recovery" && c.Refusal != nil {
		v.State, v.Refusal = "refused", c.Refusal.Error()
	}
	if v.Marks, err = a.marks(ctx, c); err != nil || !owners {
		return v, err
	}
	v.Owners = a.owners(ctx)
	return v, nil
}

func (a *App) recoveryView(ctx context.Context, r *engine.Recovery) (api.Recovery, error) {
	in := r.Installation
	v := api.Recovery{State: "ok", Incarnation: in.Incarnation, Marks: []api.Mark{}, Backup: optional(in.Backup), Since: optional(in.Restored)}
	events, err := a.db.RecoveryEvents(ctx)
	if err != nil {
		return v, err
	}
	for _, e := range events {
		v.Events = append(v.Events, api.RecoveryEvent{Kind: e.Kind, By: e.By, At: e.At, Detail: e.Detail, Comment: e.Comment})
	}
	regained, err := a.db.RegainedItems(ctx)
	if err != nil {
		return v, err
	}
	for _, g := range regained {
		v.Regained = append(v.Regained, lost(g.Commitment, cmp.Or(g.Comment, "by the word of "+g.By)))
	}
	if !in.Recovery {
		return v, nil
	}
	v.State, v.Until = "recovery", optional(r.Until)
	for _, f := range r.Findings {
		v.Findings = append(v.Findings, lost(f.Commitment, f.Detail))
	}
	for _, lane := range slices.SortedFunc(maps.Keys(r.Failed), func(x, y cloud.Lane) int { return strings.Compare(x.String(), y.String()) }) {
		v.Unlisted = append(v.Unlisted, fmt.Sprintf("%s: %v", lane, r.Failed[lane]))
	}
	plans, err := a.db.Plans(ctx)
	if err != nil {
		return v, err
	}
	for _, p := range plans {
		for _, l := range p.Lines {
			if l.State == purchase.Recovery || l.State == purchase.NeedsReview {
				v.Lines = append(v.Lines, lineView(l, nil))
			}
		}
	}
	return v, nil
}

func lost(c cloud.Commitment, says string) api.Lost {
	return api.Lost{
		Provider: string(c.Provider), Account: string(c.Account), Region: string(c.Region), Service: string(c.Service), Commitment: c.ID, Says: says,
	}
}

// marks tells of each mark whether it is as it was.
func (a *App) marks(ctx context.Context, c *engine.Comparison) ([]api.Mark, error) {
	stored, err := a.db.StoredMarks(ctx)
	if err != nil {
		return nil, err
	}
	var list []api.Mark
	add := func(mark, state, detail string) {
		list = append(list, api.Mark{Mark: mark, State: state, Detail: detail})
	}
	g := a.engine.Guard
	switch {
	case g.Journal == nil:
		add("journal", "missing", g.Unready.Error())
	default:
		recent, err := g.Journal.Recent()
		_, known := stored[store.JournalMark(g.Journal.ID())]
		switch n := len(recent); {
		case err != nil:
			add("journal", "missing", err.Error())
		case !known:
			add("journal", "differs", g.Journal.Path()+" is of another ledger")
		case len(c.Lost) > 0:
			add("journal", "differs", c.Back[0])
		case n == 0:
			add("journal", "ok", g.Journal.Path()+", nothing was sent yet")
		default:
			add("journal", "ok", fmt.Sprintf("%s, %d records, the last at %s", g.Journal.Path(), recent[n-1].Seq, recent[n-1].At.UTC().Format("2006-01-02 15:04:05Z")))
		}
	}
	moved := strings.Join(c.Moved, "; ")
	for _, m := range []struct {
		name       store.MarkName
		says, none string
	}{
		{store.MarkSystem, "the same cluster", "of PostgreSQL only"},
		{store.MarkTimeline, "the same timeline", "of PostgreSQL only"},
		{store.MarkFile, "the same file", "nothing tells this file from its copies"},
		{store.MarkHost, "the same host", "this host has no machine id"},
		{store.MarkEnvironment, "the same environment", "bursar.yaml names no environment"},
	} {
		state, detail := "ok", m.says
		switch {
		case strings.Contains(moved, " "+string(m.name)+" "):
			state, detail = "differs", moved
		case stored[m.name] == "":
			state, detail = "none", m.none
		case m.name == store.MarkEnvironment:
			detail += ": " + stored[m.name]
		}
		add(string(m.name), state, detail)
	}
	return list, nil
}

// payers are the accounts that this installation may buy in, in order.
func (a *App) payers() (list []cloud.Lane) {
	seen := map[[2]string]bool{}
	for _, l := range a.clouds.Lanes() {
		key := [2]string{string(l.Provider), string(l.Account)}
		if !seen[key] {
			seen[key] = true
			list = append(list, l)
		}
	}
	slices.SortStableFunc(list, func(x, y cloud.Lane) int { return strings.Compare(string(x.Account), string(y.Account)) })
	return list
}

func (a *App) owners(ctx context.Context) (list []api.Owner) {
	for _, l := range a.payers() {
		o, err := a.engine.Owner(ctx, l.Provider, l.Account, false)
		v := api.Owner{Provider: string(l.Provider), Account: string(l.Account), State: "ours", Detail: "its mark names this ledger"}
		switch {
		case err != nil:
			v.State, v.Detail = "unknown", err.Error()
		case !o.Kept:
			continue
		case o.Denied:
			v.State, v.Detail = "denied", "it permits no marks: a second installation there is not seen"
		case !o.Taken:
			v.State, v.Detail = "nobody", "nobody has bought there yet"
		case o.Refusal != nil:
			v.State, v.Detail = "others", o.Refusal.Error()
		}
		list = append(list, v)
	}
	return list
}

// RecoveryStart begins a recovery by hand. A journal that is missing or damaged is
// begun anew; what is left of a damaged one is kept beside it.
func (a *App) RecoveryStart(ctx context.Context, req api.RecoveryRequest) (api.Recovery, error) {
	r := recoveryWord(req)
	if err := a.heard(ctx, auth.RecoveryStart, &r); err != nil {
		return api.Recovery{}, err
	}
	now := a.clouds.now()
	if r.Backup.After(now) {
		return api.Recovery{}, fmt.Errorf("--backup %s is in the future", r.Backup.UTC().Format("2006-01-02 15:04:05Z"))
	}
	err := a.does(ctx, r.word(auth.RecoveryStart, ""), func() error {
		if err := a.mendJournal(ctx); err != nil {
			return err
		}
		return a.engine.BeginRecovery(ctx, r.Backup, r.By, r.Comment)
	})
	if errors.Is(err, purchase.ErrLost) {
		return api.Recovery{}, errors.New("another process began a recovery at the same moment: see bursar recovery status")
	} else if err != nil {
		return api.Recovery{}, err
	}
	return a.RecoveryStatus(ctx, false)
}

// mendJournal begins a new journal where there is none, or none that can be read.
func (a *App) mendJournal(ctx context.Context) error {
	g := a.engine.Guard
	if g.Journal != nil {
		_, err := g.Journal.Recent()
		if err == nil || !errors.Is(err, journal.ErrMissing) && !errors.Is(err, journal.ErrCorrupt) {
			return err
		}
		g.Unready = err
	}
	in, err := a.db.Installation(ctx)
	if err != nil {
		return err
	}
	now := a.clouds.now()
	switch {
	case errors.Is(g.Unready, journal.ErrMissing):
	case errors.Is(g.Unready, journal.ErrCorrupt):
		if err := os.Rename(a.journal, fmt.Sprintf("%s.damaged-%s", a.journal, now.UTC().Format("20060102T150405Z"))); err != nil {
			return fmt.Errorf("keep what is left of the journal: %w", err)
		}
	default:
		return g.Unready
	}
	old := g.Journal
	if g.Journal, err = createJournal(a.journal, in.Install, now); err != nil {
		return err
	}
	if g.Unready = nil; old != nil {
		return old.Close()
	}
	return nil
}

// RecoveryMoved is a person's word that the ledger was moved to where it is.
func (a *App) RecoveryMoved(ctx context.Context, req api.RecoveryRequest) ([]string, error) {
	r := recoveryWord(req)
	if err := a.heard(ctx, auth.RecoveryMoved, &r); err != nil {
		return nil, err
	}
	var moved []string
	err := a.does(ctx, r.word(auth.RecoveryMoved, ""), func() (err error) {
		moved, err = a.engine.Moved(ctx, r.By, r.Comment)
		return err
	})
	if errors.Is(err, engine.ErrNotMoved) {
		err = errors.New("the ledger is where it was: there is nothing to say")
	}
	return moved, err
}

// RecoveryAdopt takes accounts over; none means all that are not ours.
func (a *App) RecoveryAdopt(ctx context.Context, accounts []string, req api.RecoveryRequest) ([]api.Owner, error) {
	r := recoveryWord(req)
	if err := a.heard(ctx, auth.RecoveryAdopt, &r); err != nil {
		return nil, err
	}
	payers := a.payers()
	var take []cloud.Lane
	for _, name := range accounts {
		i := slices.IndexFunc(payers, func(l cloud.Lane) bool { return string(l.Account) == name })
		if i < 0 {
			return nil, fmt.Errorf("account %s is not one that this installation buys in: bursar accounts lists them", name)
		}
		take = append(take, payers[i])
	}
	for _, o := range a.owners(ctx) {
		if len(accounts) == 0 && (o.State == "others" || o.State == "nobody") {
			take = append(take, cloud.Lane{Provider: cloud.Provider(o.Provider), Account: cloud.Account(o.Account)})
		}
	}
	taken := []api.Owner{}
	for _, l := range take {
		s := r.word(auth.RecoveryAdopt, string(l.Account))
		if err := a.does(ctx, s, func() error { return a.engine.Adopt(ctx, l.Provider, l.Account, r.By, r.Comment) }); err != nil {
			return taken, fmt.Errorf("account %s: %w", l.Account, err)
		}
		taken = append(taken, api.Owner{Provider: string(l.Provider), Account: string(l.Account), State: "ours", Detail: "its mark names this ledger"})
	}
	return taken, nil
}

// RecoveryExplain is a person's word about a commitment that nothing explains.
func (a *App) RecoveryExplain(ctx context.Context, id string, ours bool, req api.RecoveryRequest) (api.Lost, error) {
	r := recoveryWord(req)
	if err := a.heard(ctx, auth.RecoveryExplain, &r); err != nil {
		return api.Lost{}, err
	}
	s := r.word(auth.RecoveryExplain, strings.TrimSpace(id))
	s.details["ours"] = ours
	var f store.Finding
	err := a.does(ctx, s, func() (err error) {
		f, err = a.engine.Explain(ctx, strings.TrimSpace(id), ours, r.By, r.Comment)
		return err
	})
	switch {
	case errors.Is(err, engine.ErrNoFinding):
		return api.Lost{}, fmt.Errorf("nothing unexplained is named %s: bursar audit --all lists the clouds, and bursar recovery status what is open", id)
	case errors.Is(err, store.ErrAmbiguous):
		return api.Lost{}, fmt.Errorf("%s is in more than one lane: see bursar recovery status", id)
	case errors.Is(err, store.ErrDeclared):
		return api.Lost{}, fmt.Errorf("%s was explained before: bursar recovery finish looks again", id)
	case err != nil:
		return api.Lost{}, err
	}
	return lost(f.Commitment, f.Detail), nil
}

// RecoveryFinish ends the recovery, or tells what is left. done is whether it ended.
func (a *App) RecoveryFinish(ctx context.Context, req api.RecoveryRequest) (v api.Recovery, done bool, err error) {
	r := recoveryWord(req)
	if err := a.heard(ctx, auth.RecoveryFinish, &r); err != nil {
		return v, false, err
	}
	var left *engine.Recovery
	err = a.does(ctx, r.word(auth.RecoveryFinish, ""), func() (err error) {
		left, err = a.engine.FinishRecovery(ctx, r.By, r.Comment)
		return err
	})
	switch {
	case errors.Is(err, store.ErrState):
		return v, false, errors.New("the ledger is not in recovery: there is nothing to finish")
	case err != nil && !errors.Is(err, engine.ErrRecovering):
		return v, false, err
	}
	if done = err == nil; done {
		v, err = a.RecoveryStatus(ctx, true)
		return v, true, err
	}
	v, err = a.recoveryView(ctx, left)
	return v, false, err
}

// checkJournal holds every record of the journal against the ledger.
func (a *App) checkJournal(ctx context.Context) (api.Finding, error) {
	f := api.Finding{Name: "journal-agrees", Says: "the ledger has every attempt that the journal has, or a recovery has taken it in", Problems: []string{}}
	stored, err := a.db.StoredMarks(ctx)
	if err != nil {
		return f, err
	}
	bad := func(format string, args ...any) { f.Problems = append(f.Problems, fmt.Sprintf(format, args...)) }
	if g := a.engine.Guard; g.Journal == nil {
		bad("%v", g.Unready)
	} else if records, err := g.Journal.Records(0); err != nil {
		bad("%v", err)
	} else {
		base, _ := strconv.ParseInt(stored[store.JournalMark(g.Journal.ID())], 10, 64) // none is 0
		for _, r := range records {
			if r.Line == "" {
				continue
			}
			f.Checked++
			if r.Seq <= base {
				continue
			}
			has, err := a.db.HasIntent(ctx, purchase.LineID(r.Line), r.N, r.Request)
			if err != nil {
				return f, err
			}
			if !has {
				bad("attempt %d of line %s is in the journal and not in the ledger", r.N, r.Line)
			}
		}
	}
	f.OK = len(f.Problems) == 0
	return f, nil
}

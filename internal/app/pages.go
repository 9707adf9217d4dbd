package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// Now is the time that the clouds of this app keep.
func (a *App) Now() time.Time { return a.clouds.now() }

// Accounts lists the accounts that can be bought in, in the order of the clouds and
// of their ids.
func (a *App) Accounts(ctx context.Context) ([]api.Account, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	patients, err := a.clouds.patients(DoctorFilter{})
	if err != nil {
		return nil, err
	}
	list := make([]api.Account, 0, len(patients))
	for _, p := range patients {
		known := a.clouds.configured[p.id]
		v := api.Account{
			Provider: string(p.provider), Account: string(p.id), Name: cmp.Or(p.name, known.Name), Live: known.Live, Exclusive: known.Exclusive,
		}
		for _, r := range p.regions {
			v.Regions = append(v.Regions, string(r))
		}
		for _, s := range p.services {
			v.Services = append(v.Services, string(s))
		}
		list = append(list, v)
	}
	return seen(ctx, list, func(v api.Account) string { return v.Account }), nil
}

// Findings lists what audits have found and nothing has explained yet.
func (a *App) Findings(ctx context.Context) ([]api.AuditFinding, error) {
	if err := a.reads(ctx); err != nil {
		return nil, err
	}
	list, err := a.db.Findings(ctx)
	return seen(ctx, findingViews(list), func(f api.AuditFinding) string { return f.Account }), err
}

// AfterPurchase tells of each service of a plan what can be undone once it is bought.
// It asks no cloud.
func (a *App) AfterPurchase(ctx context.Context, plan string) ([]api.Final, error) {
	p, err := a.plan(ctx, plan)
	if err != nil {
		return nil, err
	}
	type service struct {
		provider cloud.Provider
		name     cloud.Service
	}
	found := map[service]*api.Final{}
	for _, l := range p.Lines {
		lane := l.Spec.Lane()
		key := service{lane.Provider, lane.Service}
		if v := found[key]; v != nil {
			v.Lines++
			continue
		}
		v := &api.Final{Provider: string(lane.Provider), Service: string(lane.Service), Lines: 1, Way: "none", Orders: l.Class == cloud.ClassQueued}
		found[key] = v
		svc, err := a.clouds.Service(lane)
		if err != nil {
			v.Says = err.Error()
			continue
		}
		if _, ok := svc.(driver.Returner); ok {
			v.Way, v.Says = "return", "the cloud takes it back within limits: bursar undo options tells them for a line"
			continue
		}
		v.Says = cmp.Or(svc.Info().Final, fmt.Sprintf("%s takes nothing back that is bought", lane.Service))
	}
	list := make([]api.Final, 0, len(found))
	for _, v := range found {
		list = append(list, *v)
	}
	slices.SortFunc(list, func(x, y api.Final) int {
		return cmp.Or(cmp.Compare(x.Provider, y.Provider), cmp.Compare(x.Service, y.Service))
	})
	return list, nil
}

// over are the facts after which a commitment is one no more.
var over = map[store.FactKind]bool{store.FactReturned: true, store.FactRetired: true}

// Focus tells of lines in the words of FOCUS.
func (a *App) Focus(ctx context.Context, f api.HistoryFilter) ([]api.FocusRow, error) {
	lines, err := a.History(ctx, f)
	if err != nil {
		return nil, err
	}
	plans, err := a.db.Plans(ctx)
	if err != nil {
		return nil, err
	}
	planned := make(map[string]time.Time, len(plans))
	for _, p := range plans {
		planned[string(p.ID)] = p.CreatedAt
	}
	now := a.clouds.now()
	rows := make([]api.FocusRow, len(lines))
	for i, l := range lines {
		ended := false
		if l.State == string(purchase.Purchased) {
			facts, err := a.db.AuditFacts(ctx, purchase.LineID(l.ID))
			if err != nil {
				return nil, err
			}
			ended = slices.ContainsFunc(facts, func(f store.Fact) bool { return over[f.Kind] && f.At.Before(l.End()) })
		}
		rows[i] = api.Focus(l, planned[l.Plan], now, ended)
	}
	return rows, nil
}

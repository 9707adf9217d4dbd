package app

import (
	"context"
	"slices"
	"strings"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/store"
)

// Audit looks at what was bought, where that is due or, with all, everywhere.
func (a *App) Audit(ctx context.Context, all bool) (api.Audit, error) {
	by, err := a.actor(ctx, auth.Follow, "", "")
	if err != nil {
		return api.Audit{}, err
	}
	var r *engine.Audit
	err = a.does(ctx, step{act: auth.Follow, by: by, all: true, details: map[string]any{"all": all}}, func() error {
		r, err = a.engine.Audit(ctx, all)
		return err
	})
	if err != nil {
		return api.Audit{}, err
	}
	return api.Audit{
		Simulated: a.Simulated(), Lanes: r.Lanes, Facts: factViews(r.Facts), Findings: findingViews(r.Findings),
		Closed: findingViews(r.Closed), Equations: equationViews(r.Equations), Failed: notListed(r.Failed), NextAt: optional(r.NextAt),
	}, nil
}

// exclusive lists the lanes in which, by the configuration, nobody else buys.
func (c Config) exclusive() []cloud.Lane {
	var lanes []cloud.Lane
	for _, a := range c.Accounts {
		if a.isGCP() {
			lanes = append(lanes, a.gcpLanes(named(a.Exclusive))...)
		} else {
			lanes = append(lanes, lanesOf(a.provider(), a.ID, a.Regions, named(a.Exclusive))...)
		}
	}
	return lanes
}

func factViews(facts []store.Fact) []api.Fact {
	views := make([]api.Fact, len(facts))
	for i, f := range facts {
		views[i] = api.Fact{
			Line: string(f.Line), At: f.At, Kind: string(f.Kind), Detail: f.Detail,
			Commitment: f.Commitment.ID, State: string(f.Commitment.State),
		}
	}
	return views
}

func findingViews(list []store.Finding) []api.AuditFinding {
	views := make([]api.AuditFinding, len(list))
	for i, f := range list {
		c := itemView(engine.Item{Commitment: f.Commitment, Line: f.Line})
		views[i] = api.AuditFinding{
			ID: f.ID, Kind: string(f.Kind), Detail: f.Detail, FirstSeen: f.FirstSeen, LastSeen: f.LastSeen, ClosedAt: optional(f.ClosedAt),
			Provider: c.Provider, Account: c.Account, Region: c.Region, Service: c.Service, Commitment: c.Commitment,
			Name: f.Commitment.Name, Offering: c.Offering, Attributes: c.Attributes, TermMonths: c.TermMonths, Payment: c.Payment,
			Quantity: c.Quantity, Measure: c.Measure, PerHour: c.PerHour, Price: c.Price, State: c.State, Start: c.Start, Line: c.Line,
		}
	}
	return views
}

func equationViews(list []engine.Equation) []api.Equation {
	views := make([]api.Equation, len(list))
	for i, q := range list {
		views[i] = api.Equation{
			Provider: string(q.Lane.Provider), Account: string(q.Lane.Account), Region: string(q.Lane.Region), Service: string(q.Lane.Service),
			Holds: q.Holds(), Listed: q.Listed, Ours: q.Ours, Imported: q.Imported, Foreign: q.Foreign,
			Unexplained: q.Unexplained, Missing: q.Missing, Differs: q.Differs,
		}
	}
	return views
}

// notListed tells of lanes that could not be listed, in order.
func notListed(failed map[cloud.Lane]error) []api.Dropped {
	var views []api.Dropped
	for lane, err := range failed {
		views = append(views, api.Dropped{Where: lane.String(), What: "not listed", Why: err.Error()})
	}
	slices.SortFunc(views, func(a, b api.Dropped) int { return strings.Compare(a.Where, b.Where) })
	return views
}

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// History returns lines, newest plan first, with their receipts.
func (a *App) History(ctx context.Context, f api.HistoryFilter) ([]api.Line, error) {
	if f.State != "" && !slices.Contains(purchase.States, purchase.State(f.State)) {
		names := make([]string, len(purchase.States))
		for i, s := range purchase.States {
			names[i] = string(s)
		}
		return nil, fmt.Errorf("state %q: use one of %s", f.State, strings.Join(names, ", "))
	}
	if f.Plan != "" {
		p, err := a.db.Plan(ctx, f.Plan)
		if err != nil {
			return nil, planHint(err)
		}
		f.Plan = string(p.ID)
	}
	plans, err := a.Plans(ctx)
	if err != nil {
		return nil, err
	}
	lines := []api.Line{}
	for _, p := range plans {
		for _, l := range p.Lines {
			if (f.Plan == "" || p.ID == f.Plan) && (f.Account == "" || l.Account == f.Account) && (f.State == "" || l.State == f.State) {
				lines = append(lines, l)
			}
		}
	}
	return lines, nil
}

// Line returns one line with everything that happened to it; the id may be
// shortened to a unique prefix.
func (a *App) Line(ctx context.Context, id string) (api.LineHistory, error) {
	full, err := a.db.LineID(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return api.LineHistory{}, fmt.Errorf("%w: bursar history shows the lines", err)
	case errors.Is(err, store.ErrAmbiguous):
		return api.LineHistory{}, fmt.Errorf("%w: use more of the id", err)
	case err != nil:
		return api.LineHistory{}, err
	}
	row, err := a.db.Row(ctx, full)
	if err != nil {
		return api.LineHistory{}, err
	}
	facts, err := a.db.Facts(ctx, full)
	if err != nil {
		return api.LineHistory{}, err
	}
	receipts, err := a.receipts(ctx)
	if err != nil {
		return api.LineHistory{}, err
	}
	after, err := a.db.AuditFacts(ctx, full)
	if err != nil {
		return api.LineHistory{}, err
	}
	undos, err := a.db.LineUndos(ctx, full)
	if err != nil {
		return api.LineHistory{}, err
	}
	notices, err := a.db.Notices(ctx, full)
	if err != nil {
		return api.LineHistory{}, err
	}
	line := lineView(row.Line, receipts)
	line.Tags = row.Line.Tagged(row.Approvers)
	h := api.LineHistory{Line: line, Undos: undoViews(undos), Notices: noticeViews(notices), Tries: []api.Attempt{}, Evidence: []api.Evidence{}, Facts: factViews(after)}
	for _, t := range row.Attempts {
		h.Tries = append(h.Tries, attemptView(t))
	}
	for _, f := range facts {
		h.Evidence = append(h.Evidence, evidenceView(f))
	}
	return h, nil
}

func (a *App) receipts(ctx context.Context) (map[purchase.LineID]purchase.Receipt, error) {
	list, err := a.db.Receipts(ctx)
	if err != nil {
		return nil, err
	}
	by := make(map[purchase.LineID]purchase.Receipt, len(list))
	for _, r := range list {
		by[r.Line] = r
	}
	return by, nil
}

// Inventory compares what the clouds list with the ledger.
func (a *App) Inventory(ctx context.Context) (api.Inventory, error) {
	inv, err := a.engine.Inventory(ctx)
	if err != nil {
		return api.Inventory{}, err
	}
	v := api.Inventory{
		Balanced: inv.Balanced(), Simulated: a.Simulated(), Lanes: inv.Lanes,
		Counts: map[string]int{}, Items: []api.Item{}, Equations: equationViews(inv.Equations), Failed: notListed(inv.Failed),
	}
	for _, i := range inv.Items {
		v.Counts[string(i.Match)]++
		v.Items = append(v.Items, itemView(i))
	}
	findings, err := a.db.Findings(ctx)
	v.Findings = findingViews(findings)
	return v, err
}

// Check tests every invariant of the ledger. It asks no cloud.
func (a *App) Check(ctx context.Context) ([]api.Finding, error) {
	now := a.clouds.now()
	snapshot, err := a.db.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	audited, err := a.db.CheckAudit(ctx)
	if err != nil {
		return nil, err
	}
	journaled, err := a.checkJournal(ctx)
	if err != nil {
		return nil, err
	}
	found := slices.Concat(a.db.Integrity(ctx, now), purchase.Check(snapshot, now), audited)
	views := make([]api.Finding, len(found))
	for i, f := range found {
		views[i] = api.Finding{Name: f.Name, Says: f.Says, OK: len(f.Problems) == 0, Checked: f.Checked, Problems: f.Problems}
	}
	return append(views, journaled), nil
}

func itemView(i engine.Item) api.Item {
	c := i.Commitment
	v := api.Item{
		Match: string(i.Match), Provider: string(c.Provider), Account: string(c.Account), Region: string(c.Region),
		Service: string(c.Service), Commitment: c.ID, State: string(c.State), Attributes: c.Attributes,
		TermMonths: int(c.Term), Payment: string(c.Payment), Quantity: c.Quantity, Measure: c.Measure(), PerHour: amount(c.PerHour()), Start: c.Start,
		Offering: c.OfferingID, Line: string(i.Line), Problem: i.Problem,
	}
	unit := cloud.Offering{Term: c.Term, Upfront: c.Upfront, Hourly: c.Hourly}
	if p, err := unit.Price(c.Quantity); err == nil {
		price := priceView(p)
		v.Price = &price
	}
	return v
}

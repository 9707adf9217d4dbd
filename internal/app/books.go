package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// History returns lines, newest plan first, with their receipts.
func (a *App) History(ctx context.Context, f api.HistoryFilter) ([]api.Line, error) {
	lines := []api.Line{}
	for cursor := ""; ; {
		page, err := a.LinePage(ctx, api.LineFilter{HistoryFilter: f, Cursor: cursor, Limit: api.MaxLimit})
		if err != nil {
			return nil, err
		}
		lines = append(lines, page.Lines...)
		if cursor = page.Next; cursor == "" {
			return lines, nil
		}
	}
}

// Line returns one line with everything that happened to it; the id may be
// shortened to a unique prefix.
func (a *App) Line(ctx context.Context, id string) (api.LineHistory, error) {
	full, err := a.lineID(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return api.LineHistory{}, api.Errorf(api.NotFound, "%w: bursar history shows the lines", err)
	case errors.Is(err, store.ErrAmbiguous):
		return api.LineHistory{}, api.Errorf(api.Ambiguous, "%w: use more of the id", err)
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
	receipts, err := a.db.LineReceipts(ctx, []purchase.Line{row.Line})
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
	recommendation, err := a.db.LineRecommendation(ctx, full)
	if err != nil {
		return api.LineHistory{}, err
	}
	line := lineView(row.Line, receipts)
	line.Tags = row.Line.Tagged(row.Approvers)
	h := api.LineHistory{Line: line, Recommendation: recommendationView(recommendation), Undos: undoViews(undos), Notices: noticeViews(notices), Tries: []api.Attempt{}, Evidence: []api.Evidence{}, Facts: factViews(after)}
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
	if err := a.reads(ctx); err != nil {
		return api.Inventory{}, err
	}
	inv, err := a.engine.Inventory(ctx)
	if err != nil {
		return api.Inventory{}, err
	}
	return a.inventoryView(ctx, inv)
}

// inventoryView is an inventory as whoever asks sees it.
func (a *App) inventoryView(ctx context.Context, inv *engine.Inventory) (api.Inventory, error) {
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
	a.seenInventory(ctx, &v)
	return v, err
}

// seenInventory keeps of an inventory what is in the scope of whoever asks.
func (a *App) seenInventory(ctx context.Context, v *api.Inventory) {
	if p, ok := auth.From(ctx); !ok || p.Accounts == nil {
		return
	}
	v.Items = seen(ctx, v.Items, func(i api.Item) string { return i.Account })
	v.Findings = seen(ctx, v.Findings, func(f api.AuditFinding) string { return f.Account })
	v.Equations = seen(ctx, v.Equations, func(q api.Equation) string { return q.Account })
	// Where is a lane: provider/account/region/service.
	v.Failed = slices.DeleteFunc(v.Failed, func(d api.Dropped) bool {
		return !slices.ContainsFunc(strings.Split(d.Where, "/"), func(part string) bool { return sees(ctx, part) })
	})
	v.Counts = map[string]int{}
	for _, i := range v.Items {
		v.Counts[i.Match]++
	}
	v.Lanes = len(v.Equations) + len(v.Failed)
	v.Balanced = !slices.ContainsFunc(v.Equations, func(q api.Equation) bool { return !q.Holds }) && len(v.Failed) == 0
}

// Check tests every invariant of the ledger. It asks no cloud.
func (a *App) Check(ctx context.Context) ([]api.Finding, error) {
	if err := a.readsAll(ctx, auth.ReadAny); err != nil {
		return nil, err
	}
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
	logged, err := a.auditFinding(ctx)
	if err != nil {
		return nil, err
	}
	views = append(views, journaled, logged)
	if p, ok := auth.From(ctx); ok && p.Accounts != nil { // what is wrong names lines of every account
		for i, f := range views {
			if len(f.Problems) > 0 {
				views[i].Problems = []string{fmt.Sprintf("%d problems, which whoever sees every account can read", len(f.Problems))}
			}
		}
	}
	return views, nil
}

func itemView(i engine.Item) api.Item {
	c := i.Commitment
	v := api.Item{
		Match: string(i.Match), Provider: string(c.Provider), Account: string(c.Account), Region: string(c.Region),
		Service: string(c.Service), Commitment: c.ID, State: string(c.State), Attributes: c.Attributes,
		TermMonths: int(c.Term), Payment: string(c.Payment), Quantity: c.Quantity, Measure: c.Measure(), PerHour: amount(c.PerHour()), Start: c.Start,
		Offering: c.OfferingID, Line: string(i.Line), Problem: i.Problem,
	}
	if n := len(c.Used); n > 0 {
		v.UtilizationBP, v.UtilizationDays = &c.Used[n-1].BP, c.Used[n-1].Days
	}
	unit := cloud.Offering{Term: c.Term, Upfront: c.Upfront, Hourly: c.Hourly}
	if p, err := unit.Price(c.Quantity); err == nil {
		price := priceView(p)
		v.Price = &price
	}
	return v
}

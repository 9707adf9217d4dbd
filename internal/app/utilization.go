package app

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/engine"
)

// Utilization is the inventory with what the clouds say of use. Where a cloud does not
// say it with its listing it is asked, for money, about the lanes where something is
// held. One that does not answer is said so, and the inventory stands.
func (a *App) Utilization(ctx context.Context) (api.Inventory, error) {
	by, err := a.actor(ctx, auth.UtilizationAsk, "", "")
	if err != nil {
		return api.Inventory{}, err
	}
	var v api.Inventory
	err = a.does(ctx, step{act: auth.UtilizationAsk, by: by}, func() error {
		inv, err := a.engine.Inventory(ctx)
		if err != nil {
			return err
		}
		coverage, untold := a.measure(ctx, inv)
		v, err = a.inventoryView(ctx, inv)
		v.Coverage, v.Untold = coverage, untold
		return err
	})
	return v, err
}

// measure asks about the lanes of what is held and not told yet, and writes the answers
// to the items. Accounts that whoever asks does not see are not asked about.
func (a *App) measure(ctx context.Context, inv *engine.Inventory) (coverage []api.Coverage, untold []api.Dropped) {
	lanes := map[cloud.Lane][]int{}
	var order []cloud.Lane
	for n, i := range inv.Items {
		lane := i.Commitment.Lane
		if i.Match == engine.Missing || !i.Commitment.State.Binding() || i.Commitment.Used != nil || !sees(ctx, string(lane.Account)) {
			continue
		}
		if lanes[lane] == nil {
			order = append(order, lane)
		}
		lanes[lane] = append(lanes[lane], n)
	}
	slices.SortFunc(order, func(x, y cloud.Lane) int { return strings.Compare(x.String(), y.String()) })
	for _, lane := range order {
		held := make([]cloud.Commitment, len(lanes[lane]))
		for k, n := range lanes[lane] {
			held[k] = inv.Items[n].Commitment
		}
		m, err := a.clouds.measured(ctx, lane, held)
		if err != nil {
			untold = append(untold, api.Dropped{Where: lane.String(), What: "utilization", Why: cmp.Or(driver.Says(lane, err), err.Error())})
			continue
		}
		for _, n := range lanes[lane] {
			if u, ok := m.Used[inv.Items[n].Commitment.ID]; ok {
				inv.Items[n].Commitment.Used = []cloud.Used{u}
			}
		}
		for _, c := range m.Coverage {
			coverage = append(coverage, api.Coverage{
				Provider: string(lane.Provider), Account: string(lane.Account), Region: string(lane.Region), Service: string(lane.Service),
				CoverageBP: c.BP, Of: c.Of, Days: c.Days,
			})
		}
	}
	return coverage, untold
}

// measured asks the cloud of a lane, if it can be asked.
func (c *clouds) measured(ctx context.Context, lane cloud.Lane, held []cloud.Commitment) (driver.Measured, error) {
	if lane.Provider != cloud.AWS {
		return driver.Measured{}, driver.ErrNotTold
	}
	cfg, err := c.config(lane.Account, lane.Region)
	if err != nil {
		return driver.Measured{}, err
	}
	cfg.Count = c.calls.of(lane.Provider, lane.Service)
	m, err := aws.NewMeter(lane.Service, cfg)
	if err != nil {
		return driver.Measured{}, err
	}
	return m.Measure(ctx, held)
}

package app

import (
	"bursar/internal/api"
	"bursar/internal/recommend/sizing"
)

// whatIfView is a report as pages show it.
func whatIfView(r sizing.Report) api.WhatIf {
	v := api.WhatIf{AsOf: r.AsOf, From: r.From, Until: r.Until, Order: r.Order, Notes: r.Notes}
	for _, d := range r.Dropped {
		v.Left = append(v.Left, api.Dropped{What: d.What, Why: d.Why})
	}
	for _, p := range r.Proposals {
		q := api.Proposal{
			Account: string(p.Account), Region: string(p.Region), Service: string(p.Service), Attributes: p.Buys, TermMonths: int(p.Term), Payment: string(p.Payment),
			Quantity: p.Quantity, Measure: p.Measure, Price: api.Price{Upfront: p.Upfront, Hourly: p.Hourly, Total: p.Total}, Savings: p.Savings,
			BreakEvenMonths: p.BreakEvenMonths, CoverageBP: p.CoverageBP, UtilizationBP: p.UtilizationBP, EffectiveSavingsRateBP: p.EffectiveSavingsRateBP, Why: p.Why,
		}
		for _, d := range p.Dropped {
			q.Why = append(q.Why, "left out: "+d.What+": "+d.Why)
		}
		for _, d := range p.Drops {
			q.Drops = append(q.Drops, api.UsageDrop{Percent: d.Percent, OnDemand: d.OnDemand, Cost: d.Cost, Savings: d.Savings})
		}
		v.Proposals = append(v.Proposals, q)
	}
	for _, c := range r.Curves {
		p := api.UsagePool{
			Name: c.Pool.String(), Unit: c.Unit, Terms: c.Term, Hours: c.Hours, Minimum: c.Minimum.String(), Median: c.Median.String(), Maximum: c.Maximum.String(),
			PaysAboveBP: c.PaysAt, Knee: c.Knee, Chosen: c.Chosen, Covers: c.Covers,
		}
		for _, x := range c.Points {
			p.Curve = append(p.Curve, api.CurvePoint{
				Quantity: x.Quantity, Measure: x.Measure, Savings: x.Savings, CoverageBP: x.CoverageBP, UtilizationBP: x.UtilizationBP, LastUsedBP: x.MarginalBP,
			})
		}
		for _, e := range c.Expiries {
			p.Expiries = append(p.Expiries, api.UsageExpiry(e))
		}
		for _, d := range c.Days {
			p.Days = append(p.Days, api.UsageDay{Day: d.Day, Minimum: d.Minimum.String(), Maximum: d.Maximum.String(), Held: d.Held})
		}
		v.Pools = append(v.Pools, p)
	}
	return v
}

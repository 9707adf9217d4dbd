package app

import (
	"context"
	"slices"
	"time"

	"bursar/internal/api"
	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
)

// The views turn what the core knows into what people and scripts are shown.

func (a *App) planView(ctx context.Context, p *purchase.Plan) (api.Plan, error) {
	receipts, err := a.db.LineReceipts(ctx, p.Lines)
	if err != nil {
		return api.Plan{}, err
	}
	decisions, err := a.db.Decisions(ctx, p.ID)
	if err != nil {
		return api.Plan{}, err
	}
	v := api.Plan{
		ID: string(p.ID), Lineage: string(p.Lineage), Version: p.Version, Name: p.Name, Requester: p.Requester, CreatedAt: p.CreatedAt,
		State: string(p.State), Progress: string(p.Progress()), Digest: p.Digest, ToleranceBP: int(p.Tolerance), AllOrNothing: p.AllOrNothing,
		ApprovalExpires: optional(p.ApprovalExpires), Total: priceView(p.Total),
		Approvals: api.Approvals{Needed: p.Approvals.Needed, Approvers: p.Approvals.Approvers, RequesterMay: p.Approvals.Self},
	}
	advice, err := a.db.Advice(ctx, p.ID)
	if err != nil {
		return api.Plan{}, err
	}
	for _, d := range advice {
		v.Advice = append(v.Advice, api.Dropped{Where: d.Where, What: d.What, Why: d.Why})
	}
	zero, err := p.Total.Total.Mul(0)
	if err != nil {
		return api.Plan{}, err
	}
	bound := cloud.Price{Upfront: zero, Hourly: zero, Total: zero}
	for _, l := range p.Lines {
		line := lineView(l, receipts)
		line.Tags = l.Tagged(purchase.ApprovedBy(decisions))
		v.Lines = append(v.Lines, line)
		v.Simulated = v.Simulated || l.Spec.Simulated
		if l.State == purchase.Purchased {
			if bound, err = bound.Add(l.Spec.Price); err != nil {
				return api.Plan{}, err
			}
		}
	}
	v.Bound = priceView(bound)
	open := slices.ContainsFunc(p.Lines, func(l purchase.Line) bool { return !l.State.Terminal() })
	if open {
		if v.Stopped, err = a.stopped(ctx); err != nil {
			return api.Plan{}, err
		}
	}
	begun, err := a.db.BegunBy(ctx, p.ID)
	if err != nil {
		return api.Plan{}, err
	}
	if begun != nil {
		v.Begun = &api.Begun{By: begun.By, At: begun.At, How: string(begun.How)}
	}
	for _, d := range decisions {
		if d.Approve {
			v.Approvals.Given++
		}
	}
	v.Decisions = decisionViews(decisions)
	return v, nil
}

func decisionViews(decisions []purchase.Decision) (views []api.Decision) {
	for _, d := range decisions {
		views = append(views, api.Decision{
			Plan: string(d.Plan), Digest: d.Digest, By: d.By, Approve: d.Approve, At: d.At, Comment: d.Comment,
		})
	}
	return views
}

func lineView(l purchase.Line, receipts map[purchase.LineID]purchase.Receipt) api.Line {
	o := l.Spec.Offering
	v := api.Line{
		ID: string(l.ID), Plan: string(l.Plan), Number: l.Number, State: string(l.State), Reason: l.Reason,
		Provider: string(o.Provider), Account: string(l.Spec.Account), Region: string(o.Region), Service: string(o.Service),
		Offering: o.ID, Attributes: o.Attributes, TermMonths: int(o.Term), Payment: string(o.Payment),
		Quantity: l.Spec.Quantity, Measure: o.Measure(l.Spec.Quantity), PerHour: amount(o.PerHour(l.Spec.Quantity)), Price: priceView(l.Spec.Price), Class: string(l.Class), Note: l.Spec.Note, Purpose: l.Spec.Purpose,
		Simulated: l.Spec.Simulated, Generation: l.Generation, Attempts: l.Armed, UpdatedAt: l.UpdatedAt,
		CancelRequested: l.CancelRequested, DecidedBy: l.DecidedBy,
	}
	if !l.State.Terminal() {
		v.LookAt = optional(l.LookAt)
	}
	if r, ok := receipts[l.ID]; ok {
		v.Receipt = &api.Receipt{
			Commitment: r.Commitment.ID, ARN: r.Commitment.ARN, State: string(r.Commitment.State),
			How: string(r.How), Heuristic: r.Heuristic, Attempt: r.Attempt, Start: r.Commitment.Start, At: r.At,
		}
	}
	return v
}

func attemptView(t purchase.Attempt) api.Attempt {
	return api.Attempt{
		N: t.N, Generation: t.Generation, Identity: t.Intent.Identity, Tags: t.Intent.Tags, Credential: mask(t.Credential),
		State: string(t.State), Outcome: t.Outcome.String(), Code: t.Code, ArmedAt: t.ArmedAt,
		Deadline: t.Intent.Deadline, SettledAt: t.SettledAt, EndedAt: optional(t.EndedAt),
	}
}

func evidenceView(f purchase.StoredFact) api.Evidence {
	v := api.Evidence{
		Attempt: f.N, At: f.At, Kind: string(f.Kind), Operation: f.Operation,
		Status: f.Status, Code: f.Code, RequestID: f.RequestID, CloudTime: optional(f.CloudTime), Detail: f.Detail,
	}
	if f.Kind == cloud.EvidenceReply {
		v.Outcome = f.Outcome.String() // what a listing shows is no outcome of a request
	}
	if f.Commitment != nil {
		v.Commitment = f.Commitment.ID
	}
	return v
}

func priceView(p cloud.Price) api.Price {
	return api.Price{Upfront: p.Upfront, Hourly: p.Hourly, Total: p.Total}
}

// amount is nil for no amount.
func amount(a money.Amount) *money.Amount {
	if a.IsZero() {
		return nil
	}
	return &a
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// mask keeps the parts of a credential's name that tell two apart: its kind in
// front and its end. What follows the kind is the same for a whole account.
func mask(s string) string {
	if len(s) <= 8 {
		return s
	}
	return s[:4] + "..." + s[len(s)-4:]
}

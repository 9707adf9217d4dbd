package engine

import (
	"context"
	"fmt"
	"strings"

	"bursar/internal/purchase"
	"bursar/internal/recommend"
)

// Continue proposes the next version of a plan with those lines of it that ended
// without a purchase, by evidence, or wait for a new approval; each is priced
// anew. The others stay what they are, and left says of each why. Of an
// all-or-nothing plan it is every line or an error. It must be the newest version.
func (e *Engine) Continue(ctx context.Context, p *purchase.Plan, o PlanOptions) (next *purchase.Plan, left []recommend.Left, err error) {
	if p.State == purchase.PlanProposed || p.State == purchase.PlanRejected {
		return nil, nil, fmt.Errorf("plan %s is %s: only an approved plan is continued", p.ID, p.State)
	}
	versions, err := e.DB.Versions(ctx, p.Lineage)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range versions {
		if v.Version > p.Version && v.State != purchase.PlanRejected {
			return nil, nil, fmt.Errorf("plan %s is version %d, and version %d is newer: continue %s", p.ID, p.Version, v.Version, v.ID)
		}
	}
	recommended, err := e.DB.PlanRecommendations(ctx, p.ID)
	if err != nil {
		return nil, nil, err
	}
	in := recommend.Input{Name: p.Name, ToleranceBP: int(p.Tolerance)}
	for _, l := range p.Lines {
		at := recommend.Position{File: "plan " + string(p.ID), Line: l.Number}
		if p.AllOrNothing && l.State == purchase.Canceled {
			l.CancelRequested = false // the whole plan was called off with it
		}
		if why := staysOut(l); why != "" {
			left = append(left, recommend.Left{At: at, What: fmt.Sprintf("line %d is %s", l.Number, l.State), Why: why})
			continue
		}
		offering := l.Spec.Offering
		in.Drafts = append(in.Drafts, recommend.Draft{
			At: at, Provider: offering.Provider, Service: offering.Service, Account: l.Spec.Account, Region: offering.Region,
			Attributes: offering.Attributes, Term: offering.Term, Payment: offering.Payment, Quantity: l.Spec.Quantity, Unit: unitOf(offering),
			OfferingID: offering.ID, Currency: l.Spec.Price.Total.Currency(), Note: l.Spec.Note, Purpose: l.Spec.Purpose,
			Recommendation: recommend.Recommendation{Name: recommended[l.ID].Name, Etag: recommended[l.ID].Etag},
		})
	}
	if len(in.Drafts) == 0 {
		whys := make([]string, len(left))
		for i, l := range left {
			whys[i] = l.What + ": " + l.Why
		}
		return nil, left, fmt.Errorf("plan %s has nothing to continue: %s", p.ID, strings.Join(whys, "; "))
	}
	if p.AllOrNothing && len(left) > 0 {
		return nil, left, fmt.Errorf("plan %s is all or nothing and is continued as a whole or not: %s: %s; plan what is still wanted with bursar plan create",
			p.ID, left[0].What, left[0].Why)
	}
	o.Name, o.Replaces = p.Name, p
	next, err = e.Propose(ctx, in, o)
	return next, left, err
}

// staysOut says why a line is not continued; "" means that it is.
func staysOut(l purchase.Line) string {
	switch l.State {
	case purchase.Failed:
		if l.DecidedBy != "" {
			return "that nothing was bought is the word of " + l.DecidedBy + " and not proven: plan it anew if it is still wanted"
		}
		return ""
	case purchase.Expired, purchase.NeedsReapproval:
		return ""
	case purchase.Canceled:
		if l.CancelRequested {
			return "somebody called it off"
		}
		return ""
	case purchase.Purchased:
		return "it is bought"
	case purchase.Superseded:
		return "another version has it"
	case purchase.Draft, purchase.Ready:
		return "it is still to be bought"
	case purchase.NeedsReview, purchase.Recovery:
		return "a person has to decide whether it was bought"
	}
	return "it may have been bought"
}

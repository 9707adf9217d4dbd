package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// SavePlan stores a frozen plan without advice.
func (db *DB) SavePlan(ctx context.Context, p *purchase.Plan, base ...LaneListing) error {
	return db.SaveAdvisedPlan(ctx, p, Beside{}, base...)
}

// SaveAdvisedPlan stores a frozen plan as proposed, with its lines as drafts, with
// what its lanes held when it was made, and with what is beside it.
func (db *DB) SaveAdvisedPlan(ctx context.Context, p *purchase.Plan, beside Beside, base ...LaneListing) error {
	err := db.write(ctx, func(q *rows.Queries) error { return savePlan(ctx, q, p, beside, base) })
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

func savePlan(ctx context.Context, q *rows.Queries, p *purchase.Plan, beside Beside, base []LaneListing) error {
	approvers, err := approversText(p.Approvals.Approvers)
	if err != nil {
		return err
	}
	err = q.InsertPlan(ctx, rows.InsertPlanParams{
		ID: string(p.ID), Lineage: string(p.Lineage), Version: int64(p.Version), Name: p.Name,
		Requester: p.Requester, RequesterKey: purchase.PersonKey(p.Requester), CreatedAt: micros(p.CreatedAt), ToleranceBp: int64(p.Tolerance),
		AllOrNothing: flag(p.AllOrNothing),
		Currency:     p.Total.Total.Currency(), Upfront: p.Total.Upfront.Canonical(),
		Hourly: p.Total.Hourly.Canonical(), Total: p.Total.Total.Canonical(), Digest: p.Digest,
		ApprovalsNeeded: int64(p.Approvals.Needed), SelfApproval: flag(p.Approvals.Self), Approvers: approvers,
	})
	if err != nil {
		return err
	}
	for _, l := range p.Lines {
		spec, err := json.Marshal(specDoc(l.Spec))
		if err != nil {
			return err
		}
		err = q.InsertLine(ctx, rows.InsertLineParams{
			ID: string(l.ID), PlanID: string(p.ID), Number: int64(l.Number),
			Provider: string(l.Spec.Offering.Provider), Service: string(l.Spec.Offering.Service),
			Account: string(l.Spec.Account), Region: string(l.Spec.Offering.Region),
			Class: string(l.Class), Spec: string(spec), Currency: l.Spec.Price.Total.Currency(), Total: l.Spec.Price.Total.Canonical(), UpdatedAt: micros(p.CreatedAt),
		})
		if err != nil {
			return fmt.Errorf("line %d: %w", l.Number, err)
		}
	}
	for _, l := range base {
		if err := insertBase(ctx, q, p.ID, l); err != nil {
			return err
		}
	}
	if err := insertRecommendations(ctx, q, p, beside.Recommendations); err != nil {
		return err
	}
	return insertAdvice(ctx, q, p.ID, beside.Advice)
}

// Plan reads a plan with its lines. id may be shortened to a unique prefix, in
// either case; ErrNotFound and ErrAmbiguous tell the rest.
func (db *DB) Plan(ctx context.Context, id string) (*purchase.Plan, error) {
	var p *purchase.Plan
	err := db.view(ctx, func(q *rows.Queries) error {
		full, err := fullID(id, "plan", func(like string) ([]string, error) { return q.PlanIDs(ctx, like) })
		if err != nil {
			return err
		}
		r, err := q.GetPlan(ctx, full)
		if err != nil {
			return err
		}
		if p, err = toPlan(r); err != nil {
			return err
		}
		lines, err := q.ListLines(ctx, full)
		if err != nil {
			return err
		}
		p.Lines, err = toLines(lines)
		return err
	})
	return p, err
}

// Plans reads all plans with their lines, newest first.
func (db *DB) Plans(ctx context.Context) ([]*purchase.Plan, error) {
	var plans []*purchase.Plan
	err := db.view(ctx, func(q *rows.Queries) error {
		var err error
		plans, err = allPlans(ctx, q)
		return err
	})
	return plans, err
}

// Lineage reads the versions of a plan with their lines, the first version first.
func (db *DB) Lineage(ctx context.Context, lineage purchase.PlanID) ([]*purchase.Plan, error) {
	var plans []*purchase.Plan
	err := db.view(ctx, func(q *rows.Queries) error {
		found, err := q.PlansOfLineage(ctx, string(lineage))
		if plans, err = bare(found, err); err != nil {
			return err
		}
		for _, p := range plans {
			lines, err := q.ListLines(ctx, string(p.ID))
			if err != nil {
				return err
			}
			if p.Lines, err = toLines(lines); err != nil {
				return err
			}
		}
		return nil
	})
	return plans, err
}

func allPlans(ctx context.Context, q *rows.Queries) ([]*purchase.Plan, error) {
	rs, err := q.ListPlans(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[purchase.PlanID]*purchase.Plan, len(rs))
	plans := make([]*purchase.Plan, len(rs))
	for i, r := range rs {
		if plans[i], err = toPlan(r); err != nil {
			return nil, err
		}
		byID[plans[i].ID] = plans[i]
	}
	all, err := q.AllLines(ctx)
	if err != nil {
		return nil, err
	}
	lines, err := toLines(all)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		p := byID[l.Plan]
		p.Lines = append(p.Lines, l)
	}
	return plans, nil
}

// fullID completes a prefix of an id.
func fullID(prefix, what string, find func(like string) ([]string, error)) (string, error) {
	up := strings.ToUpper(strings.TrimSpace(prefix))
	if up == "" || strings.Trim(up, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" {
		return "", fmt.Errorf("%q is not the id of a %s: %w", prefix, what, ErrNotFound)
	}
	ids, err := find(up + "%")
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", fmt.Errorf("%s %s: %w", what, prefix, ErrNotFound)
	case len(ids) > 1:
		return "", fmt.Errorf("%s %s: %w: %s, %s", what, prefix, ErrAmbiguous, ids[0], ids[1])
	}
	return ids[0], nil
}

// Decisions reads the decisions on a plan in the order they were made.
func (db *DB) Decisions(ctx context.Context, plan purchase.PlanID) ([]purchase.Decision, error) {
	rs, err := db.read().ListDecisions(ctx, string(plan))
	if err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	return toDecisions(rs), nil
}

func toDecisions(rs []rows.Decision) []purchase.Decision {
	ds := make([]purchase.Decision, len(rs))
	for i, r := range rs {
		ds[i] = purchase.Decision{
			Plan: purchase.PlanID(r.PlanID), Digest: r.Digest, By: r.Person,
			Approve: r.Approve == 1, At: fromMicros(r.At), Comment: r.Comment,
		}
	}
	return ds
}

func toPlan(r rows.Plan) (*purchase.Plan, error) {
	p := &purchase.Plan{
		ID: purchase.PlanID(r.ID), Lineage: purchase.PlanID(r.Lineage), Version: int(r.Version), Name: r.Name,
		Requester: r.Requester, CreatedAt: fromMicros(r.CreatedAt), Tolerance: purchase.Tolerance(r.ToleranceBp),
		AllOrNothing: r.AllOrNothing == 1, Digest: r.Digest, State: purchase.PlanState(r.State), ApprovalExpires: fromMicros(r.ApprovalExpiresAt),
	}
	var err error
	if p.Approvals, err = toApprovals(r); err != nil {
		return nil, err
	}
	for _, m := range []struct {
		to   *money.Amount
		text string
	}{{&p.Total.Upfront, r.Upfront}, {&p.Total.Hourly, r.Hourly}, {&p.Total.Total, r.Total}} {
		if *m.to, err = money.Parse(m.text, r.Currency); err != nil {
			return nil, fmt.Errorf("plan %s: %w", r.ID, err)
		}
	}
	return p, nil
}

// specDoc is the stored form of purchase.Spec.
type specDoc struct {
	Account   cloud.Account  `json:"account"`
	Offering  cloud.Offering `json:"offering"`
	Quantity  int64          `json:"quantity"`
	Price     cloud.Price    `json:"price"`
	Note      string         `json:"note"`
	Purpose   string         `json:"purpose,omitempty"`
	Tags      purchase.Tags  `json:"tags,omitempty"`
	Simulated bool           `json:"simulated"`
}

func toLines(rs []rows.Line) ([]purchase.Line, error) {
	lines := make([]purchase.Line, len(rs))
	for i, r := range rs {
		var err error
		if lines[i], err = toLine(r); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

func toLine(r rows.Line) (purchase.Line, error) {
	var spec specDoc
	if err := json.Unmarshal([]byte(r.Spec), &spec); err != nil {
		return purchase.Line{}, fmt.Errorf("line %s: %w", r.ID, err)
	}
	return purchase.Line{
		ID: purchase.LineID(r.ID), Plan: purchase.PlanID(r.PlanID), Number: int(r.Number),
		Spec: purchase.Spec(spec), Class: cloud.Class(r.Class), State: purchase.State(r.State),
		Generation: int(r.Generation), Armed: int(r.Armed), Version: int(r.Version), CancelRequested: r.CancelRequested == 1, DecidedBy: r.DecidedBy,
		Listing: purchase.Listing{Digest: r.ListingDigest, At: fromMicros(r.ListingAt)},
		Reason:  r.Reason, MustLeaveBy: fromMicros(r.MustLeaveBy), LookAt: fromMicros(r.LookAt),
		UpdatedAt: fromMicros(r.UpdatedAt),
	}, nil
}

// orNotFound turns the database's word for a missing row into ours.
func orNotFound(err error, what, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s %s: %w", what, id, ErrNotFound)
	}
	return err
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// What people do besides planning: they decide on plans, call lines off, and stop
// all purchasing.

// Errors of a decision; match them with errors.Is.
var (
	// ErrRequester: the plan's rule does not let the requester approve it.
	ErrRequester = errors.New("the requester of a plan does not approve it")
	// ErrNotApprover: the plan's rule names its approvers, and not this person.
	ErrNotApprover = errors.New("not one of the approvers of this plan")
	// ErrNotNewest: a newer version of the plan exists.
	ErrNotNewest = errors.New("only the newest version of a plan can be approved")
)

// InDoubtError says that an earlier version of a plan may still buy, or may have
// bought, what a line of the new version asks for.
type InDoubtError struct {
	Line    purchase.Line
	Version int // of the plan that Line belongs to
}

func (e *InDoubtError) Error() string {
	return fmt.Sprintf("line %d of version %d (%s) is %s and asks for the same goods", e.Line.Number, e.Version, e.Line.ID, e.Line.State)
}

// Decide records one person's decision on a plan's digest and carries it out, in
// one transaction. A no makes the plan rejected and its lines canceled. A yes
// counts once for each person; the one that completes the number that the plan
// needs makes it approved until expires and its lines ready, and supersedes the
// earlier versions of the plan. The plan must be proposed and have exactly this
// digest, else ErrDigest; and what its lines may cost must fit every budget, else
// purchase.ErrBudget; and where tags name the approvers, the names must fit, else
// a *purchase.TagError. On any error nothing is changed.
func (db *DB) Decide(ctx context.Context, d purchase.Decision, expires time.Time) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		n, err := q.HoldPlan(ctx, rows.HoldPlanParams{ID: string(d.Plan), Digest: d.Digest})
		switch {
		case err != nil:
			return err
		case n != 1:
			return ErrDigest
		}
		r, err := q.GetPlan(ctx, string(d.Plan))
		if err != nil {
			return err
		}
		p, err := toPlan(r)
		if err != nil {
			return err
		}
		if err := mayDecide(ctx, q, p, d); err != nil {
			return err
		}
		err = q.InsertDecision(ctx, rows.InsertDecisionParams{
			ID: newID(d.At), PlanID: string(d.Plan), Digest: d.Digest, Person: d.By, PersonKey: purchase.PersonKey(d.By),
			Approve: flag(d.Approve), At: micros(d.At), Comment: d.Comment,
		})
		switch {
		case isUnique(err):
			return ErrDecided
		case err != nil:
			return err
		case !d.Approve:
			return reject(ctx, q, d)
		}
		if err := nameApprovers(ctx, q, p.ID); err != nil {
			return err
		}
		yes, err := q.CountApprovals(ctx, rows.CountApprovalsParams{PlanID: string(d.Plan), Digest: d.Digest})
		if err != nil || yes < int64(p.Approvals.Needed) {
			return err
		}
		return approve(ctx, q, p, d, expires)
	})
	if err != nil {
		return fmt.Errorf("decide on plan %s: %w", d.Plan, err)
	}
	return nil
}

// mayDecide tests the plan's rule. Whoever asked for a plan may always take it
// back.
func mayDecide(ctx context.Context, q *rows.Queries, p *purchase.Plan, d purchase.Decision) error {
	requester := purchase.PersonKey(d.By) == purchase.PersonKey(p.Requester)
	switch {
	case requester && !d.Approve:
		return nil
	case requester && !p.Approvals.Self:
		return ErrRequester
	case !p.Approvals.May(d.By, p.Requester):
		return ErrNotApprover
	case !d.Approve:
		return nil
	}
	newer, err := q.CountNewerVersions(ctx, rows.CountNewerVersionsParams{Lineage: string(p.Lineage), Version: int64(p.Version)})
	if err == nil && newer > 0 {
		err = ErrNotNewest
	}
	return err
}

// nameApprovers tests that the tags of the lines can name those who have approved
// so far: an armed line cannot ask anybody for another name.
func nameApprovers(ctx context.Context, q *rows.Queries, plan purchase.PlanID) error {
	rs, err := q.ListLines(ctx, string(plan))
	if err != nil {
		return err
	}
	lines, err := toLines(rs)
	if err != nil {
		return err
	}
	ds, err := q.ListDecisions(ctx, string(plan))
	if err != nil {
		return err
	}
	names := purchase.ApprovedBy(toDecisions(ds))
	for _, l := range lines {
		if err := l.CheckApprovers(names); err != nil {
			return fmt.Errorf("line %d: %w", l.Number, err)
		}
	}
	return nil
}

func reject(ctx context.Context, q *rows.Queries, d purchase.Decision) error {
	n, err := q.RejectPlan(ctx, rows.RejectPlanParams{ID: string(d.Plan), Digest: d.Digest})
	switch {
	case err != nil:
		return err
	case n != 1:
		return ErrDigest
	}
	_, err = q.CancelDraftLines(ctx, rows.CancelDraftLinesParams{
		Reason: "the plan was rejected", UpdatedAt: micros(d.At), PlanID: string(d.Plan),
	})
	return err
}

// approve makes a plan approved and opens its lines, once it has the decisions.
func approve(ctx context.Context, q *rows.Queries, p *purchase.Plan, d purchase.Decision, expires time.Time) error {
	n, err := q.ApprovePlan(ctx, rows.ApprovePlanParams{ApprovalExpiresAt: micros(expires), ID: string(d.Plan), Digest: d.Digest})
	switch {
	case err != nil:
		return err
	case n != 1:
		return ErrDigest
	}
	if err := supersede(ctx, q, p, d.At); err != nil {
		return err
	}
	// After what the earlier versions held was released, and before a line can be
	// armed.
	if err := takeHolds(ctx, q, d); err != nil {
		return err
	}
	n, err = q.OpenLines(ctx, rows.OpenLinesParams{
		LookAt: micros(d.At), MustLeaveBy: micros(d.At.Add(purchase.ReadyDwell)), PlanID: string(d.Plan),
	})
	if err == nil && n == 0 {
		err = errors.New("the plan has no line to open")
	}
	return err
}

// supersede ends what the earlier versions of a plan have not sent, and refuses
// if one of them may still buy what the new version asks for.
func supersede(ctx context.Context, q *rows.Queries, p *purchase.Plan, now time.Time) error {
	if p.Version == 1 {
		return nil
	}
	versions, err := q.VersionsOf(ctx, string(p.Lineage))
	if err != nil {
		return err
	}
	type goods struct {
		account  cloud.Account
		offering string
	}
	asked := map[goods]bool{}
	own, err := q.ListLines(ctx, string(p.ID))
	if err != nil {
		return err
	}
	lines, err := toLines(own)
	if err != nil {
		return err
	}
	for _, l := range lines {
		asked[goods{l.Spec.Account, l.Spec.Offering.ID}] = true
	}
	for _, v := range versions {
		if v.Version >= int64(p.Version) {
			continue
		}
		ended, err := q.SupersedeLines(ctx, rows.SupersedeLinesParams{
			Reason: fmt.Sprintf("version %d of the plan replaced it", p.Version), UpdatedAt: micros(now), PlanID: v.ID,
		})
		if err != nil {
			return err
		}
		for _, line := range ended {
			if err := endHolds(ctx, q, purchase.LineID(line), purchase.Superseded, now); err != nil {
				return err
			}
		}
		// Read after the update: a line that a worker has armed in the meantime is
		// seen here.
		left, err := q.ListLines(ctx, v.ID)
		if err != nil {
			return err
		}
		earlier, err := toLines(left)
		if err != nil {
			return err
		}
		for _, l := range earlier {
			if !l.State.Terminal() && asked[goods{l.Spec.Account, l.Spec.Offering.ID}] {
				return &InDoubtError{Line: l, Version: int(v.Version)}
			}
		}
		if _, err := q.SupersedePlan(ctx, v.ID); err != nil {
			return err
		}
	}
	return nil
}

// Versions reads all versions of a plan with their lines, the first one first.
func (db *DB) Versions(ctx context.Context, lineage purchase.PlanID) ([]*purchase.Plan, error) {
	var versions []*purchase.Plan
	err := db.view(ctx, func(q *rows.Queries) error {
		rs, err := q.VersionsOf(ctx, string(lineage))
		if err != nil {
			return err
		}
		versions = make([]*purchase.Plan, len(rs))
		for i, r := range rs {
			if versions[i], err = toPlan(r); err != nil {
				return err
			}
			lines, err := q.ListLines(ctx, r.ID)
			if err != nil {
				return err
			}
			if versions[i].Lines, err = toLines(lines); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("versions of plan %s: %w", lineage, err)
	}
	return versions, nil
}

// Cancel asks in a person's name that a line not be bought. A line that waits is
// canceled when a worker next looks at it; of one that may have been sent only
// further requests are forbidden, and the cloud decides how it ends; a queued
// order is deleted by a worker. It reports whether the request changed anything;
// it does not for a draft, for a line that has ended or needs a person, nor the
// second time.
func (db *DB) Cancel(ctx context.Context, line purchase.LineID, by, comment string, now time.Time) (bool, error) {
	var changed int64
	err := db.write(ctx, func(q *rows.Queries) error {
		var err error
		changed, err = q.RequestCancel(ctx, rows.RequestCancelParams{LookAt: micros(now), ID: string(line)})
		if err != nil || changed != 1 {
			return err
		}
		word := by + " asked not to buy it"
		if comment != "" {
			word += ": " + comment
		}
		return insertEvidence(ctx, q, line, purchase.AttemptEvidence{Evidence: cloud.Evidence{
			Kind: cloud.EvidencePerson, Operation: "cancel", Started: now, Detail: word,
		}}, now)
	})
	if err != nil {
		return false, fmt.Errorf("cancel line %s: %w", line, err)
	}
	return changed == 1, nil
}

// Stop is a person's word that stopped or started purchasing.
type Stop struct {
	Purchasing bool // started
	By         string
	At         time.Time // UTC
	Comment    string
}

// ErrState: the installation is not in the state that the request is for.
var ErrState = errors.New("the installation is in another state")

// CopiedError says that this ledger was copied and goes on elsewhere.
type CopiedError struct{ To string }

func (e *CopiedError) Error() string {
	return fmt.Sprintf("this ledger was copied to %s and goes on there: use that one", e.To)
}

// SetPurchasing stops or starts all purchasing in a person's name. It takes
// effect for every attempt armed later, by any process. If purchasing is not in
// the opposite state it is ErrState and nothing is changed; a ledger that was copied
// is never started, which is a *CopiedError.
func (db *DB) SetPurchasing(ctx context.Context, s Stop) error {
	from, to := "purchasing", "stopped"
	if s.Purchasing {
		from, to = to, from
	}
	err := db.write(ctx, func(q *rows.Queries) error {
		in, err := q.GetInstallation(ctx)
		if err == nil && in.CopiedTo != "" {
			err = &CopiedError{To: in.CopiedTo}
		}
		if err != nil {
			return err
		}
		n, err := q.SetInstallationState(ctx, rows.SetInstallationStateParams{ToState: to, FromState: from})
		switch {
		case err != nil:
			return err
		case n != 1:
			return ErrState
		}
		return q.InsertInstallationEvent(ctx, rows.InsertInstallationEventParams{
			ID: newID(s.At), State: to, Person: s.By, At: micros(s.At), Comment: s.Comment,
		})
	})
	if err != nil {
		return fmt.Errorf("purchasing: %w", err)
	}
	return nil
}

// Stopped returns who stopped purchasing; nil while it goes on. By is "" when no
// person did.
func (db *DB) Stopped(ctx context.Context) (*Stop, error) {
	var stop *Stop
	err := db.view(ctx, func(q *rows.Queries) error {
		in, err := q.GetInstallation(ctx)
		if err != nil || in.State == "purchasing" {
			return err
		}
		stop = &Stop{}
		last, err := q.LastInstallationEvent(ctx)
		switch {
		case errors.Is(err, sql.ErrNoRows), err == nil && last.State != in.State:
			return nil
		case err != nil:
			return err
		}
		stop.By, stop.At, stop.Comment = last.Person, fromMicros(last.At), last.Comment
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("installation: %w", err)
	}
	return stop, nil
}

func approversText(names []string) (string, error) {
	raw, err := json.Marshal(append([]string{}, names...))
	return string(raw), err
}

func toApprovals(r rows.Plan) (purchase.Approvals, error) {
	a := purchase.Approvals{Needed: int(r.ApprovalsNeeded), Self: r.SelfApproval == 1}
	var names []string
	if err := json.Unmarshal([]byte(r.Approvers), &names); err != nil {
		return a, fmt.Errorf("plan %s: approvers: %w", r.ID, err)
	}
	if len(names) > 0 {
		a.Approvers = names
	}
	return a, nil
}

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// PlanPolicy is the policy that a plan was made under.
type PlanPolicy struct {
	Policy  string // its name
	File    string
	SHA256  string // of the file, in hex
	Tranche int    // of its ladder; 0 without one
	// Blackouts are when nothing of the plan is bought. PlanPolicies does not read them.
	Blackouts []Blackout
}

// Blackout is a time in which nothing of a plan is bought, UTC. Until is no part of it.
type Blackout struct {
	From, Until time.Time
	Why         string // "" where nobody says
	At          string // where the policy says it
}

// Step is one thing that a rule did for a line, or against it.
type Step struct {
	Rule string `json:"rule"`
	At   string `json:"at,omitempty"` // where the rule is written
	Says string `json:"says"`
}

// Explanation says why a line is in a plan, or why something is not.
type Explanation struct {
	Line  int    // 0: it was dropped
	Key   string // what the advice is about; "" for what could not be read
	About string
	Where string
	What  string
	Steps []Step
}

// PolicyOpen is returned where a plan of the same policy is being bought.
type PolicyOpen struct {
	Policy string
	Plan   purchase.PlanID
}

// Error names the plan.
func (e *PolicyOpen) Error() string {
	return fmt.Sprintf("plan %s of policy %s is approved and not done: a policy has one open plan", e.Plan, e.Policy)
}

// SavePolicyPlan stores a frozen plan that a policy has made, with its explanation. A
// plan of the policy that nobody has approved is superseded in the same transaction;
// one that is being bought is *PolicyOpen, and nothing is stored.
func (db *DB) SavePolicyPlan(ctx context.Context, p *purchase.Plan, of PlanPolicy, why []Explanation, beside Beside, base ...LaneListing) (superseded []purchase.PlanID, err error) {
	err = db.write(ctx, func(q *rows.Queries) error {
		superseded = nil
		open, err := q.OpenOfPolicy(ctx, of.Policy)
		if err != nil {
			return err
		}
		if len(open) > 0 {
			return &PolicyOpen{of.Policy, purchase.PlanID(open[0])}
		}
		proposed, err := q.ProposedOfPolicy(ctx, of.Policy)
		if err != nil {
			return err
		}
		for _, id := range proposed {
			if err := replacePlan(ctx, q, id, p); err != nil {
				return err
			}
			superseded = append(superseded, purchase.PlanID(id))
		}
		if err := savePlan(ctx, q, p, beside, base); err != nil {
			return err
		}
		err = q.InsertPlanPolicy(ctx, rows.InsertPlanPolicyParams{
			Lineage: string(p.Lineage), Policy: of.Policy, File: of.File, Sha256: of.SHA256, Tranche: int64(of.Tranche),
		})
		if err != nil {
			return err
		}
		for i, b := range of.Blackouts {
			err := q.InsertPlanBlackout(ctx, rows.InsertPlanBlackoutParams{
				Lineage: string(p.Lineage), Number: int64(i + 1), FromAt: micros(b.From), UntilAt: micros(b.Until), Why: b.Why, Place: b.At,
			})
			if err != nil {
				return fmt.Errorf("blackout %d: %w", i+1, err)
			}
		}
		return insertExplanations(ctx, q, p.ID, why)
	})
	if err != nil {
		return nil, fmt.Errorf("save the plan: %w", err)
	}
	return superseded, nil
}

// replacePlan supersedes a plan that nobody has approved: its lines are drafts and hold
// nothing.
func replacePlan(ctx context.Context, q *rows.Queries, id string, by *purchase.Plan) error {
	_, err := q.SupersedeLines(ctx, rows.SupersedeLinesParams{
		Reason: fmt.Sprintf("plan %s of the same policy replaced it", by.ID), UpdatedAt: micros(by.CreatedAt), PlanID: id,
	})
	if err != nil {
		return err
	}
	n, err := q.SupersedePlan(ctx, id)
	if err == nil && n != 1 {
		err = fmt.Errorf("plan %s: %w", id, purchase.ErrLost)
	}
	return err
}

func insertExplanations(ctx context.Context, q *rows.Queries, id purchase.PlanID, list []Explanation) error {
	for i, e := range list {
		steps, err := json.Marshal(e.Steps)
		if err != nil {
			return err
		}
		err = q.InsertExplanation(ctx, rows.InsertExplanationParams{
			PlanID: string(id), Number: int64(i + 1), Line: int64(e.Line), Key: e.Key, About: e.About, Place: e.Where, What: e.What, Steps: string(steps),
		})
		if err != nil {
			return fmt.Errorf("explanation %d: %w", i+1, err)
		}
	}
	return nil
}

// Blackout returns the blackout of a line that has not ended now and begins by latest, the
// last one to end, or false.
func (db *DB) Blackout(ctx context.Context, line purchase.LineID, now, latest time.Time) (Blackout, bool, error) {
	found, err := db.read().BlackoutsOfLine(ctx, rows.BlackoutsOfLineParams{ID: string(line), Latest: micros(latest), Now: micros(now)})
	if err != nil {
		return Blackout{}, false, fmt.Errorf("blackout of line %s: %w", line, err)
	}
	if len(found) == 0 {
		return Blackout{}, false, nil
	}
	return toBlackout(found[0]), true, nil
}

// Blackouts reads those of a plan, by the id of its first version.
func (db *DB) Blackouts(ctx context.Context, lineage purchase.PlanID) ([]Blackout, error) {
	found, err := db.read().BlackoutsOfPlan(ctx, string(lineage))
	if err != nil {
		return nil, fmt.Errorf("blackouts of plan %s: %w", lineage, err)
	}
	list := make([]Blackout, len(found))
	for i, r := range found {
		list[i] = toBlackout(r)
	}
	return list, nil
}

func toBlackout(r rows.PlanBlackout) Blackout {
	return Blackout{From: fromMicros(r.FromAt), Until: fromMicros(r.UntilAt), Why: r.Why, At: r.Place}
}

// Explanations reads why a plan is what it is: its lines in their order, then what was
// dropped. A plan that no policy made has none.
func (db *DB) Explanations(ctx context.Context, id purchase.PlanID) ([]Explanation, error) {
	found, err := db.read().ListExplanations(ctx, string(id))
	if err != nil {
		return nil, fmt.Errorf("explanation of plan %s: %w", id, err)
	}
	var list []Explanation
	for _, r := range found {
		e := Explanation{Line: int(r.Line), Key: r.Key, About: r.About, Where: r.Place, What: r.What}
		if err := json.Unmarshal([]byte(r.Steps), &e.Steps); err != nil {
			return nil, fmt.Errorf("explanation of plan %s: %w", id, err)
		}
		list = append(list, e)
	}
	return list, nil
}

// PlanPolicies reads which plans were made under policies, by the id of their first
// version.
func (db *DB) PlanPolicies(ctx context.Context) (map[purchase.PlanID]PlanPolicy, error) {
	found, err := db.read().ListPlanPolicies(ctx)
	if err != nil {
		return nil, fmt.Errorf("policies of plans: %w", err)
	}
	by := make(map[purchase.PlanID]PlanPolicy, len(found))
	for _, r := range found {
		by[purchase.PlanID(r.Lineage)] = PlanPolicy{Policy: r.Policy, File: r.File, SHA256: r.Sha256, Tranche: int(r.Tranche)}
	}
	return by, nil
}

// AboutAdvice says what a key of advice is about, as the newest plan that knows it does;
// ErrNotFound where none does.
func (db *DB) AboutAdvice(ctx context.Context, key string) (string, error) {
	found, err := db.read().AboutKey(ctx, key)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("advice %s: %w", key, err)
	}
	return found[0], nil
}

// The verdicts on advice.
const (
	Dismissed = "dismissed"
	Snoozed   = "snoozed"
	Restored  = "restored" // what was said before counts no more
)

// Verdict is what a person said about advice. It is never changed; the newest one on a
// key counts.
type Verdict struct {
	Key     string
	About   string
	Verdict string
	Until   time.Time // of a snooze, UTC; else zero
	Reason  string
	By      string
	At      time.Time // UTC
}

// Judge records a verdict.
func (db *DB) Judge(ctx context.Context, v Verdict) error {
	err := db.write(ctx, func(q *rows.Queries) error {
		return q.InsertVerdict(ctx, rows.InsertVerdictParams{
			ID: newID(v.At), Key: v.Key, About: v.About, Verdict: v.Verdict, Until: micros(v.Until), Reason: v.Reason, Person: v.By, At: micros(v.At),
		})
	})
	if err != nil {
		return fmt.Errorf("advice %s: %w", v.Key, err)
	}
	return nil
}

// Verdicts reads all that was ever said about advice, in its order.
func (db *DB) Verdicts(ctx context.Context) ([]Verdict, error) {
	found, err := db.read().ListVerdicts(ctx)
	if err != nil {
		return nil, fmt.Errorf("verdicts on advice: %w", err)
	}
	list := make([]Verdict, len(found))
	for i, r := range found {
		list[i] = Verdict{r.Key, r.About, r.Verdict, fromMicros(r.Until), r.Reason, r.Person, fromMicros(r.At)}
	}
	return list, nil
}

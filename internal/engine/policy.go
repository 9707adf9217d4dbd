package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/recommend/policy"
	"bursar/internal/store"
)

// Policied says how a policy is applied.
type Policied struct {
	Policy   *policy.Policy
	SHA256   string // of its file, in hex
	Coverage int    // per cent, instead of the policy's rules; 0: the rules
	// Auto lets the policy approve by itself what its own rule allows. It is for
	// policies that the configuration names: who writes a file must not approve by it.
	Auto bool
	// Keep leaves a plan of the policy that waits for approval as it is where a new one
	// would have the same digest.
	Keep bool
}

// PolicyPlan is what came of a policy.
type PolicyPlan struct {
	Plan       *purchase.Plan // nil where nothing is to be bought
	Result     *policy.Result
	Superseded []purchase.PlanID // plans of the policy that nobody had approved
	Kept       bool              // Plan was there before, and is the same
	// Auto: the policy may approve the plan. NotAuto is why it may not, where it would
	// by its rule.
	Auto    bool
	NotAuto string
}

// ProposeUnder makes a plan by a policy out of advice, prices it, freezes it and stores
// it as proposed, with the reason of every line. What is owned and planned already is
// netted: a lane that cannot be listed is an error. Where nothing is left there is no
// plan and no error. A plan of the policy that waits for approval is superseded; one
// that is being bought is a *store.PolicyOpen.
func (e *Engine) ProposeUnder(ctx context.Context, in recommend.Input, o PlanOptions, under Policied) (*PolicyPlan, error) {
	pol := under.Policy
	s, open, err := e.situation(ctx, in, pol)
	if err != nil {
		return nil, err
	}
	s.Coverage = under.Coverage
	run := pol.Choose(in, s)
	out := &PolicyPlan{}
	var offerings []cloud.Offering
	var advised map[int]error
	if drafts := run.Drafts(); len(drafts) > 0 {
		var failed map[cloud.Lane]error
		if offerings, advised, failed, err = e.lookUp(ctx, drafts, true); len(failed) > 0 {
			return nil, e.unread(ctx, drafts, failed)
		} else if err != nil {
			return nil, err
		}
	}
	if out.Result, err = run.Size(offerings, advised); err != nil || len(out.Result.Input.Drafts) == 0 {
		return out, err
	}
	o.Name = pol.Name
	p, err := e.begin(ctx, out.Result.Input, o)
	if err != nil {
		return nil, err
	}
	err = e.fill(p, out.Result.Input.Drafts, out.Result.Offerings, o, func(rules ApprovalRules) (ApprovalRules, error) {
		return out.tighten(rules, pol, under.Auto, p.Total.Total)
	})
	if err != nil {
		return nil, err
	}
	if open != nil && under.Keep && open.Digest == p.Digest && slices.Equal(open.Approvals.Approvers, p.Approvals.Approvers) &&
		open.Approvals.Needed == p.Approvals.Needed {
		dark, err := e.DB.Blackouts(ctx, open.Lineage)
		if err != nil {
			return nil, err
		}
		if slices.EqualFunc(dark, blackouts(pol), func(a, b store.Blackout) bool { return a.From.Equal(b.From) && a.Until.Equal(b.Until) }) {
			out.Plan, out.Kept = open, true
			return out, nil
		}
	}
	base, err := e.base(ctx, p)
	if err != nil {
		return nil, err
	}
	out.Superseded, err = e.DB.SavePolicyPlan(ctx, p, store.PlanPolicy{
		Policy: pol.Name, File: pol.File, SHA256: under.SHA256, Tranche: out.Result.Tranche, Blackouts: blackouts(pol),
	}, Explanations(out.Result), store.Beside{Recommendations: carriedOut(p, out.Result.Input.Drafts)}, base...)
	if err != nil {
		return nil, err
	}
	out.Plan, err = e.DB.Plan(ctx, string(p.ID))
	return out, err
}

// blackouts are the days of a policy as times.
func blackouts(pol *policy.Policy) []store.Blackout {
	list := make([]store.Blackout, len(pol.Blackouts))
	for i, b := range pol.Blackouts {
		list[i] = store.Blackout{From: b.From, Until: b.To.AddDate(0, 0, 1), Why: b.Why, At: b.At.String()}
	}
	return list
}

// Explanations are the entries of a result as the ledger keeps them.
func Explanations(r *policy.Result) []store.Explanation {
	list := make([]store.Explanation, len(r.Entries))
	for i, e := range r.Entries {
		list[i] = store.Explanation{Line: e.Line, Key: e.Key, About: e.About, Where: e.Where, What: e.What}
		for _, s := range e.Steps {
			list[i].Steps = append(list[i].Steps, store.Step(s))
		}
	}
	return list
}

// tighten makes the rule of the configuration stricter by that of the policy: more
// people, or fewer of them to choose from. A policy never makes it weaker, but that it
// may approve by itself where the configuration lets anybody, or names it.
func (out *PolicyPlan) tighten(rules ApprovalRules, pol *policy.Policy, auto bool, total money.Amount) (ApprovalRules, error) {
	configured := rules
	a, err := pol.Approval(total)
	if err != nil {
		return rules, err
	}
	if a != nil {
		rules.Needed = max(rules.Needed, a.Needed)
		if len(a.Approvers) > 0 {
			for _, name := range a.Approvers {
				if len(configured.Approvers) > 0 && !named(configured.Approvers, name) {
					return rules, &recommend.Error{Position: a.At, Problem: name + " is not one of the approvers of the configuration: " + strings.Join(configured.Approvers, ", ")}
				}
			}
			rules.Approvers = slices.Clone(a.Approvers)
		}
	}
	if !auto || !pol.AutoApproves(total) {
		return rules, nil
	}
	switch by := pol.Approver(); {
	case rules.Needed > 1:
		out.NotAuto = fmt.Sprintf("%d people have to approve it", rules.Needed)
	case len(configured.Approvers) > 0 && !named(configured.Approvers, by):
		out.NotAuto = "the approvers of the configuration do not name " + by
	default:
		out.Auto = true
		if len(rules.Approvers) > 0 && !named(rules.Approvers, by) {
			rules.Approvers = append(slices.Clone(rules.Approvers), by)
		}
	}
	return rules, nil
}

func named(people []string, name string) bool {
	return slices.ContainsFunc(people, func(p string) bool { return purchase.PersonKey(p) == purchase.PersonKey(name) })
}

// situation reads what a policy rests on, or fails with *store.PolicyOpen. open is the plan of the policy that waits for
// approval, nil if there is none.
func (e *Engine) situation(ctx context.Context, in recommend.Input, pol *policy.Policy) (s policy.Situation, open *purchase.Plan, err error) {
	s.Now = e.Now()
	if s.Verdicts, err = e.verdicts(ctx); err != nil {
		return s, nil, err
	}
	before, err := e.DB.Plans(ctx)
	if err != nil {
		return s, nil, err
	}
	waited := map[purchase.LineID]bool{}
	for _, p := range before {
		for _, l := range p.Lines {
			waited[l.ID] = !l.State.Terminal()
		}
	}
	listed := map[purchase.LineID]bool{}
	if s.Owned, err = e.owned(ctx, in, pol, s.Now, listed); err != nil {
		return s, nil, err
	}
	// Read again after the clouds: a plan that was made in between counts, and so does a
	// line that was bought after its lane was listed.
	plans, err := e.DB.Plans(ctx)
	if err != nil {
		return s, nil, err
	}
	under, err := e.DB.PlanPolicies(ctx)
	if err != nil {
		return s, nil, err
	}
	newest := map[purchase.PlanID]int{}
	for _, p := range plans {
		if p.State != purchase.PlanRejected {
			newest[p.Lineage] = max(newest[p.Lineage], p.Version)
		}
	}
	for _, p := range plans { // newest first
		own := under[p.Lineage].Policy == pol.Name
		switch {
		case p.State == purchase.PlanRejected:
			continue
		case p.State == purchase.PlanProposed && own:
			if open == nil {
				open = p
			}
			continue // the new one takes its place
		case p.State == purchase.PlanProposed && p.Version < newest[p.Lineage]:
			continue // nobody can approve it any more
		}
		for _, l := range p.Lines {
			if own && !l.State.Terminal() {
				return s, nil, &store.PolicyOpen{Policy: pol.Name, Plan: p.ID}
			}
			if own && l.State == purchase.Purchased {
				s.Past = append(s.Past, past(p, l))
			}
			if (!l.State.Terminal() || l.State == purchase.Purchased && waited[l.ID]) && !listed[l.ID] {
				s.Owned = append(s.Owned, planned(p, l))
			}
		}
	}
	slices.Reverse(s.Past) // the oldest plan first
	return s, open, nil
}

func past(p *purchase.Plan, l purchase.Line) policy.Past {
	return policy.Past{
		Plan: string(p.Lineage), At: p.CreatedAt, Lane: l.Spec.Lane(), Goods: l.Spec.Offering.Attributes, Offering: l.Spec.Offering,
		Price: l.Spec.Price, Quantity: l.Spec.Quantity, Tolerance: p.Tolerance,
	}
}

func planned(p *purchase.Plan, l purchase.Line) policy.Owned {
	held := policy.Planned
	if l.State == purchase.QueuedLine {
		held = policy.Queued
	}
	return policy.Owned{
		Lane: l.Spec.Lane(), Attributes: l.Spec.Offering.Attributes, Term: l.Spec.Offering.Term, Payment: l.Spec.Offering.Payment,
		Quantity: l.Spec.Quantity, Unit: l.Spec.Offering.Unit, Currency: l.Spec.Price.Total.Currency(), Held: held,
		Name: fmt.Sprintf("line %d of plan %s", l.Number, p.ID),
	}
}

// owned lists what the lanes of the input hold, and those of all that is watched where
// the policy buys again what ends. listed gets the lines that the listings account for.
func (e *Engine) owned(ctx context.Context, in recommend.Input, pol *policy.Policy, now time.Time, listed map[purchase.LineID]bool) ([]policy.Owned, error) {
	lanes := map[cloud.Lane]bool{}
	if pol.Rebuy.N > 0 {
		var err error
		if lanes, err = e.lanes(ctx); err != nil {
			return nil, err
		}
	}
	for _, d := range in.Drafts {
		lanes[laneOfDraft(d)] = true
	}
	for lane := range lanes {
		if !pol.Admits(lane) {
			delete(lanes, lane)
		}
	}
	listings, failed := e.list(ctx, lanes)
	if len(failed) > 0 {
		return nil, unreadLanes(failed)
	}
	var all []policy.Owned
	for _, listing := range listings {
		m, err := e.match(ctx, listing)
		if err != nil {
			return nil, err
		}
		for _, i := range m.items {
			c := i.Commitment
			if !c.State.Binding() || c.State == cloud.Retired || !now.Before(ends(c)) {
				continue
			}
			if i.Line != "" {
				listed[i.Line] = true
			}
			o := policy.Owned{
				Lane: c.Lane, Attributes: c.Attributes, Term: c.Term, Payment: c.Payment, Quantity: c.Quantity, Unit: c.Unit,
				Currency: c.Hourly.Currency(), Held: policy.Active, Starts: c.Start, Ends: ends(c), Name: "commitment " + c.ID,
				Renews: c.Provider == cloud.Azure && c.Attributes["renew"] == "true",
			}
			if c.State == cloud.Queued {
				o.Held = policy.Queued
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b policy.Owned) int {
		if c := strings.Compare(a.Lane.String(), b.Lane.String()); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

// verdicts are those on advice that count, by key.
func (e *Engine) verdicts(ctx context.Context) (map[string]policy.Verdict, error) {
	list, err := e.DB.Verdicts(ctx)
	if err != nil {
		return nil, err
	}
	by := map[string]policy.Verdict{}
	for _, v := range list {
		by[v.Key] = policy.Verdict{Until: v.Until, By: v.By, Reason: v.Reason}
		if v.Verdict == store.Restored {
			delete(by, v.Key)
		}
	}
	return by, nil
}

// ApproveByPolicy approves a plan in the name of its policy, and lets it be bought where
// the policy's rule says so.
func (e *Engine) ApproveByPolicy(ctx context.Context, out *PolicyPlan, pol *policy.Policy, valid time.Duration) error {
	if !out.Auto || out.Plan == nil {
		return errors.New("the policy does not approve this plan")
	}
	now := e.Now()
	return e.DB.Decide(ctx, purchase.Decision{
		Plan: out.Plan.ID, Digest: out.Plan.Digest, By: pol.Approver(), Approve: true, At: now,
		Comment: fmt.Sprintf("%s approves up to %s", pol.Auto.At, pol.Auto.UpTo),
	}, now.Add(valid))
}

package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/recommend/policy"
	"bursar/internal/store"
)

// PolicyFile is a policy by which workers make plans.
type PolicyFile struct {
	Name  string  `yaml:"name"`
	File  string  `yaml:"file"`  // once it is read, from the working directory
	Input string  `yaml:"input"` // likewise; "" asks the clouds
	Every cadence `yaml:"every"`
	// Clouds says what the clouds are asked, where there is no Input.
	Clouds *AskedClouds `yaml:"clouds"`
}

// AskedClouds is what clouds are asked for advice, each time that a policy makes a plan.
type AskedClouds struct {
	Providers []string `yaml:"providers"`
	Account   string   `yaml:"account"`
	Services  []string `yaml:"services"`
	Terms     []string `yaml:"terms"`
	Payments  []string `yaml:"payments"`
	// MaxRequests is how many requests may be sent at most that are charged for.
	MaxRequests int `yaml:"max_requests"`
}

// request asks for it.
func (c AskedClouds) request() api.RecommendRequest {
	return api.RecommendRequest{
		Providers: c.Providers, Account: c.Account, Services: c.Services, Terms: c.Terms, Payments: c.Payments, MaxRequests: c.MaxRequests, MaxAge: api.AdviceAge,
	}
}

// weekly is how often a policy makes a plan if nobody says.
const weekly = 7 * 24 * time.Hour

// parsePolicies checks the policies of the configuration at path. Their files are read
// when a plan is made.
func parsePolicies(path string, list []PolicyFile) error {
	seen := map[string]bool{}
	for i := range list {
		p := &list[i]
		where := fmt.Sprintf("policies[%d]", i)
		switch {
		case !policyName(p.Name):
			return fmt.Errorf("%s: name: %q is not the name of a policy: small letters, digits and hyphens, as in its file", where, p.Name)
		case seen[p.Name]:
			return fmt.Errorf("%s: name: policy %s is named twice", where, p.Name)
		case p.File == "":
			return fmt.Errorf("%s: file: name the file of the policy, such as %s.yaml", where, p.Name)
		case p.Input == "" && p.Clouds == nil:
			return fmt.Errorf("%s: input: name the file with what is advised, or write clouds to ask them", where)
		case p.Input != "" && p.Clouds != nil:
			return fmt.Errorf("%s: input and clouds contradict each other: use one of them", where)
		}
		if p.Clouds != nil {
			if _, err := readAsk(p.Clouds.request()); err != nil {
				return fmt.Errorf("%s: clouds: %w", where, yamlWords(err))
			}
		}
		seen[p.Name] = true
		if !p.Every.named {
			p.Every.every = weekly
		} else if err := p.Every.parse(where+": every", weekly); err != nil {
			return err
		}
		for _, file := range []*string{&p.File, &p.Input} {
			if *file != "" && !filepath.IsAbs(*file) {
				*file = filepath.Join(filepath.Dir(path), *file)
			}
		}
	}
	return nil
}

func policyName(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && s[0] >= 'a'
}

// usePolicies makes a task of each policy.
func (a *App) usePolicies(list []PolicyFile) {
	a.engine.Proposals = map[engine.Task]engine.Proposal{}
	for _, p := range list {
		task := engine.ProposeTask(p.Name)
		a.cadences[string(task)] = p.Every.every
		a.engine.Proposals[task] = func(ctx context.Context, r *engine.TaskResult) error { return a.propose(ctx, p, r) }
	}
}

// requesterOfTasks requests what no person does.
const requesterOfTasks = "schedule"

// notAPerson refuses a name that stands for none.
func notAPerson(name string) error {
	key := purchase.PersonKey(name)
	if key == requesterOfTasks || strings.HasPrefix(key, policy.ReservedPrefix) {
		return fmt.Errorf("%s is the name of no person: use your own", name)
	}
	return nil
}

// propose makes the plan of a policy of the configuration.
func (a *App) propose(ctx context.Context, f PolicyFile, r *engine.TaskResult) error {
	pol, sum, err := readPolicy(f.File, nil)
	if err != nil {
		return err
	}
	if pol.Name != f.Name {
		return fmt.Errorf("%s is policy %q, and the configuration calls it %q: name both alike", f.File, pol.Name, f.Name)
	}
	in, err := a.inputOf(ctx, f, pol)
	if err != nil {
		return err
	}
	out, err := a.engine.ProposeUnder(ctx, in, engine.PlanOptions{Requester: requesterOfTasks, Approvals: a.rules, Tags: a.tags},
		engine.Policied{Policy: pol, SHA256: sum, Auto: true, Keep: true})
	var open *store.PolicyOpen
	if errors.As(err, &open) {
		r.Counts["under_way"]++
		return nil
	} else if err != nil {
		return fmt.Errorf("policy %s: %w", pol.Name, err)
	}
	for _, e := range out.Result.Entries {
		if e.Line == 0 {
			r.Counts["dropped"]++
			a.engine.Log.Info("the policy drops advice", "policy", pol.Name, "where", e.Where, "what", e.What, "why", lastStep(e))
		}
	}
	switch {
	case out.Plan == nil:
		return nil
	case out.Kept:
		r.Counts["kept"]++
	default:
		r.Counts["proposed"]++
		r.Counts["superseded"] += len(out.Superseded)
	}
	r.Counts["lines"] += len(out.Plan.Lines)
	if out.NotAuto != "" {
		a.engine.Log.Warn("the policy does not approve its plan by itself", "policy", pol.Name, "plan", out.Plan.ID, "why", out.NotAuto)
	}
	if !out.Auto {
		r.Outcome = engine.TaskDecision
		return nil
	}
	err = a.does(ctx, step{
		act: auth.PlanApprove, by: pol.Approver(), subject: string(out.Plan.ID), accounts: accountsOf(out.Plan), details: map[string]any{"digest": out.Plan.Digest, "policy": sum},
	}, func() error { return a.engine.ApproveByPolicy(ctx, out, pol, DefaultApproval) })
	if err != nil {
		r.Outcome = engine.TaskDecision
		return fmt.Errorf("policy %s: plan %s waits for a person: %w", pol.Name, out.Plan.ID, err)
	}
	r.Counts["approved"]++
	if !pol.Auto.Buy {
		return nil
	}
	err = a.does(ctx, step{act: auth.PlanApply, by: pol.Approver(), subject: string(out.Plan.ID), accounts: accountsOf(out.Plan), details: map[string]any{"digest": out.Plan.Digest}}, func() error {
		_, err := a.db.Begin(ctx, store.Begun{Plan: out.Plan.ID, By: pol.Approver(), At: a.clouds.now(), How: store.BySchedule})
		return err
	})
	if err != nil {
		return fmt.Errorf("policy %s: %w", pol.Name, err)
	}
	r.Counts["begun"]++
	return nil
}

// inputOf is what a policy of the configuration makes its plan of.
func (a *App) inputOf(ctx context.Context, f PolicyFile, pol *policy.Policy) (recommend.Input, error) {
	if f.Clouds == nil {
		return readInput(f.Input, nil)
	}
	r := f.Clouds.request()
	g, err := a.ask(ctx, r, requesterOfTasks, f.Name)
	var in recommend.Input
	if err == nil {
		in, err = g.input(pol, nil) // the policy drops by itself what nobody wants
	}
	if err != nil {
		err = fmt.Errorf("policy %s: %w", f.Name, err)
	}
	return in, err
}

// yamlWords names the keys of clouds in the words of the configuration.
func yamlWords(err error) error {
	return errors.New(strings.NewReplacer("--provider", "providers", "--service", "services", "--term", "terms", "--payment", "payments", "--max-requests", "max_requests").Replace(err.Error()))
}

// readPolicy reads a policy from its content or, where that is nil, from its file, and
// the digest of its bytes.
func readPolicy(file string, data []byte) (*policy.Policy, string, error) {
	if data == nil {
		var err error
		if file, data, err = ReadInput("policy", file, os.Stdin); err != nil {
			return nil, "", err
		}
	}
	pol, err := policy.Read(file, data)
	sum := sha256.Sum256(data)
	return pol, hex.EncodeToString(sum[:]), err
}

// createByPolicy is CreatePlan for a request that names a policy. The input may be of any
// source: what is said of a draft beyond its goods is its Claim. Nobody approves by the
// policy: who makes a plan may have written the file.
func (a *App) createByPolicy(ctx context.Context, r api.PlanRequest, in recommend.Input, caps recommend.Caps) (api.PlanCreated, error) {
	switch {
	case r.Name != "":
		return api.PlanCreated{}, errors.New("--name: a plan of a policy has the policy's name: leave it out")
	case r.Supersedes != "":
		return api.PlanCreated{}, errors.New("--supersedes: a plan of a policy replaces the one that waits for approval by itself: leave it out")
	}
	pol, sum, err := readPolicy(r.Policy, r.PolicyContent)
	if err != nil {
		return api.PlanCreated{}, err
	}
	requester, err := a.actor(ctx, auth.PlanCreate, pol.Name, r.Requester)
	if err != nil {
		return api.PlanCreated{}, err
	}
	var out *engine.PolicyPlan
	err = a.does(ctx, step{
		act: auth.PlanCreate, by: requester, subject: pol.Name, accounts: draftAccounts(in), details: map[string]any{"lines": len(in.Drafts), "policy": sum},
	}, func() error {
		out, err = a.engine.ProposeUnder(ctx, in, engine.PlanOptions{Requester: requester, Caps: caps, Approvals: a.rules, Tags: a.tags},
			engine.Policied{Policy: pol, SHA256: sum, Coverage: r.Coverage})
		return err
	})
	var open *store.PolicyOpen
	if errors.As(err, &open) {
		return api.PlanCreated{}, fmt.Errorf("plan %s of policy %s is approved and not done, and a policy has one open plan: bursar apply %s, or bursar cancel %s", open.Plan, open.Policy, open.Plan, open.Plan)
	} else if err != nil {
		return api.PlanCreated{}, err
	}
	if out.Plan == nil {
		return api.PlanCreated{}, leavesNothing(r.File, out.Result)
	}
	created := api.PlanCreated{Format: string(in.Format)}
	for _, id := range out.Superseded {
		created.Superseded = append(created.Superseded, string(id))
	}
	for _, e := range out.Result.Entries {
		if e.Line == 0 {
			created.Left = append(created.Left, api.Dropped{Where: e.Where, What: e.What, Why: lastStep(e)})
		}
	}
	created.Plan, err = a.Plan(ctx, string(out.Plan.ID))
	return created, err
}

// lastStep says why something was dropped, with the place of the rule.
func lastStep(e policy.Entry) string {
	s := e.Steps[len(e.Steps)-1]
	if s.At == "" {
		return s.Says
	}
	return fmt.Sprintf("%s (%s)", s.Says, s.At)
}

// leavesNothing is the error of a policy that leaves nothing.
func leavesNothing(file string, r *policy.Result) error {
	if r.Shut != nil {
		return fmt.Errorf("the policy plans nothing now: %s (%s)", r.Shut.Says, r.Shut.At)
	}
	var whys []string
	for _, e := range r.Entries {
		whys = append(whys, fmt.Sprintf("%s: %s: %s", e.Where, e.What, lastStep(e)))
	}
	if len(whys) == 0 {
		return fmt.Errorf("%s has nothing to buy: it advises nothing", file)
	}
	const most = 10
	if more := len(whys) - most; more > 0 {
		whys = append(whys[:most], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("the policy leaves nothing of %s to buy: %s", file, strings.Join(whys, "; "))
}

// addExplanation tells the policy that a plan was made under, and why it is what it is.
func (a *App) addExplanation(ctx context.Context, p *purchase.Plan, v *api.Plan) error {
	policies, err := a.db.PlanPolicies(ctx)
	if err != nil {
		return err
	}
	of, ok := policies[p.Lineage]
	if !ok {
		return nil
	}
	v.Policy = &api.PlanPolicy{Name: of.Policy, File: of.File, SHA256: of.SHA256, Tranche: of.Tranche}
	list, err := a.db.Explanations(ctx, p.ID)
	for _, e := range list {
		view := api.Explanation{Line: e.Line, Key: e.Key, About: e.About, Where: e.Where, What: e.What, Steps: []api.ExplainStep{}}
		for _, s := range e.Steps {
			view.Steps = append(view.Steps, api.ExplainStep(s))
		}
		v.Explanation = append(v.Explanation, view)
	}
	return err
}

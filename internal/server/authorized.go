package server

import (
	"context"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

// authorized does what the principal of the context may do, in that principal's name.
// What is in accounts outside its scope it cannot tell from what does not exist.
type authorized struct{ svc api.Service }

// Authorize limits a service to what the principal in the context may do. Without a
// principal it does nothing.
func Authorize(svc api.Service) api.Service { return authorized{svc} }

var acts = map[auth.Permission]string{
	auth.Read: "look", auth.Plan: "make plans", auth.Approve: "approve or reject", auth.Apply: "begin or schedule plans",
	auth.Resolve: "decide about lines", auth.Stop: "stop purchasing or call lines off", auth.Administer: "administer",
}

// may returns the principal if its roles permit an act.
func may(ctx context.Context, act auth.Permission) (auth.Principal, error) {
	p, ok := auth.From(ctx)
	switch {
	case !ok || p.Name == "":
		return auth.Principal{}, api.Errorf(api.SignedOut, "nobody is signed in: sign in, or send a token")
	case p.Agent && !p.May(act):
		return auth.Principal{}, api.Errorf(api.Forbidden, "%s is an agent and may not %s: a person has to", p.Name, acts[act])
	case !p.May(act):
		roles := make([]string, len(p.Roles))
		for i, r := range p.Roles {
			roles[i] = string(r)
		}
		return auth.Principal{}, api.Errorf(api.Forbidden, "%s (%s) may not %s: an administrator gives roles", p.Name, strings.Join(roles, ", "), acts[act])
	}
	return p, nil
}

// everywhere returns the principal if it may act in every account.
func everywhere(ctx context.Context, act auth.Permission) (auth.Principal, error) {
	p, err := may(ctx, act)
	if err == nil && p.Accounts != nil {
		err = api.Errorf(api.Forbidden, "%s may act in some accounts only, and this concerns all of them: somebody without that limit has to", p.Name)
	}
	return p, err
}

// plan returns a plan that the principal sees whole.
func (s authorized) plan(ctx context.Context, p auth.Principal, id string) (api.Plan, error) {
	v, err := s.svc.Plan(ctx, id)
	if err != nil {
		return api.Plan{}, err
	}
	if !seesAll(p, v.Lines) {
		return api.Plan{}, api.Errorf(api.NotFound, "plan %s: not found: bursar plan list shows the plans", id)
	}
	return v, nil
}

func seesAll(p auth.Principal, lines []api.Line) bool {
	return !slices.ContainsFunc(lines, func(l api.Line) bool { return !p.Sees(l.Account) })
}

// line returns a line that the principal sees.
func (s authorized) line(ctx context.Context, p auth.Principal, id string) (api.LineHistory, error) {
	v, err := s.svc.Line(ctx, id)
	if err != nil {
		return api.LineHistory{}, err
	}
	if !p.Sees(v.Account) {
		return api.LineHistory{}, api.Errorf(api.NotFound, "line %s: not found: bursar history shows the lines", id)
	}
	return v, nil
}

// onPlan is may for an act on a plan.
func (s authorized) onPlan(ctx context.Context, act auth.Permission, id string) (auth.Principal, api.Plan, error) {
	p, err := may(ctx, act)
	if err != nil {
		return p, api.Plan{}, err
	}
	v, err := s.plan(ctx, p, id)
	return p, v, err
}

// onLine is may for an act on a line.
func (s authorized) onLine(ctx context.Context, act auth.Permission, id string) (auth.Principal, api.LineHistory, error) {
	p, err := may(ctx, act)
	if err != nil {
		return p, api.LineHistory{}, err
	}
	v, err := s.line(ctx, p, id)
	return p, v, err
}

func (s authorized) Installation(ctx context.Context) (api.Installation, error) {
	if _, err := may(ctx, auth.Read); err != nil {
		return api.Installation{}, err
	}
	return s.svc.Installation(ctx)
}

func (s authorized) Overview(ctx context.Context) (api.Overview, error) {
	if _, err := may(ctx, auth.Read); err != nil {
		return api.Overview{}, err
	}
	return s.svc.Overview(ctx)
}

func (s authorized) CreatePlan(ctx context.Context, r api.PlanRequest) (api.PlanCreated, error) {
	p, err := may(ctx, auth.Plan)
	if err != nil {
		return api.PlanCreated{}, err
	}
	if r.Content == nil {
		r.Content = []byte{} // no file of this host is read for somebody else
	}
	if r.Supersedes != "" {
		of, err := s.plan(ctx, p, r.Supersedes)
		if err != nil {
			return api.PlanCreated{}, err
		}
		r.Supersedes = of.ID
	}
	r.Requester, r.Accounts = p.Name, p.Accounts
	return s.svc.CreatePlan(ctx, r)
}

func (s authorized) ContinuePlan(ctx context.Context, id, _ string) (api.PlanCreated, error) {
	p, v, err := s.onPlan(ctx, auth.Plan, id)
	if err != nil {
		return api.PlanCreated{}, err
	}
	return s.svc.ContinuePlan(ctx, v.ID, p.Name)
}

func (s authorized) Plan(ctx context.Context, id string) (api.Plan, error) {
	_, v, err := s.onPlan(ctx, auth.Read, id)
	return v, err
}

func (s authorized) Plans(ctx context.Context) ([]api.Plan, error) {
	p, err := may(ctx, auth.Read)
	if err != nil {
		return nil, err
	}
	list, err := s.svc.Plans(ctx)
	return slices.DeleteFunc(list, func(v api.Plan) bool { return !seesAll(p, v.Lines) }), err
}

func (s authorized) PlanPage(ctx context.Context, f api.PlanFilter) (api.PlanPage, error) {
	if _, err := may(ctx, auth.Read); err != nil {
		return api.PlanPage{}, err
	}
	return s.svc.PlanPage(ctx, f)
}

func (s authorized) Decide(ctx context.Context, d api.Decision, valid time.Duration) (api.Plan, error) {
	p, v, err := s.onPlan(ctx, auth.Approve, d.Plan)
	if err != nil {
		return api.Plan{}, err
	}
	d.Plan, d.By = v.ID, p.Name
	return s.svc.Decide(ctx, d, valid)
}

func (s authorized) Begin(ctx context.Context, id, _ string) (api.Plan, bool, error) {
	p, v, err := s.onPlan(ctx, auth.Apply, id)
	if err != nil {
		return api.Plan{}, false, err
	}
	return s.svc.Begin(ctx, v.ID, p.Name)
}

func (s authorized) Cancel(ctx context.Context, ids []string, _, comment string) ([]api.Canceled, error) {
	p, err := may(ctx, auth.Stop)
	if err != nil {
		return nil, err
	}
	if p.Accounts != nil {
		for _, id := range ids {
			plan, planErr := s.svc.Plan(ctx, id)
			line, lineErr := s.svc.Line(ctx, id)
			if planErr == nil && !seesAll(p, plan.Lines) || lineErr == nil && !p.Sees(line.Account) {
				return nil, api.Errorf(api.NotFound, "there is no plan and no line %s: bursar plan list shows the plans, bursar history the lines", id)
			}
		}
	}
	return s.svc.Cancel(ctx, ids, p.Name, comment)
}

func (s authorized) Purchasing(ctx context.Context) (api.Purchasing, error) {
	if _, err := may(ctx, auth.Read); err != nil {
		return api.Purchasing{}, err
	}
	return s.svc.Purchasing(ctx)
}

func (s authorized) SetPurchasing(ctx context.Context, on bool, _, comment string) (api.Purchasing, error) {
	act := auth.Stop
	if on {
		act = auth.Administer
	}
	p, err := everywhere(ctx, act)
	if err != nil {
		return api.Purchasing{}, err
	}
	return s.svc.SetPurchasing(ctx, on, p.Name, comment)
}

func (s authorized) History(ctx context.Context, f api.HistoryFilter) ([]api.Line, error) {
	p, err := may(ctx, auth.Read)
	if err != nil {
		return nil, err
	}
	lines, err := s.svc.History(ctx, f)
	return slices.DeleteFunc(lines, func(l api.Line) bool { return !p.Sees(l.Account) }), err
}

func (s authorized) LinePage(ctx context.Context, f api.LineFilter) (api.LinePage, error) {
	p, err := may(ctx, auth.Read)
	if err != nil {
		return api.LinePage{}, err
	}
	if f.Plan != "" {
		v, err := s.plan(ctx, p, f.Plan)
		if err != nil {
			return api.LinePage{}, err
		}
		f.Plan = v.ID
	}
	return s.svc.LinePage(ctx, f)
}

func (s authorized) Line(ctx context.Context, id string) (api.LineHistory, error) {
	_, v, err := s.onLine(ctx, auth.Read, id)
	return v, err
}

func (s authorized) Watch(ctx context.Context, plan string, after int, moved func(api.Progress) error) error {
	_, v, err := s.onPlan(ctx, auth.Read, plan)
	if err != nil {
		return err
	}
	return s.svc.Watch(ctx, v.ID, after, moved)
}

func (s authorized) Case(ctx context.Context, id string) (api.Case, error) {
	_, v, err := s.onLine(ctx, auth.Read, id)
	if err != nil {
		return api.Case{}, err
	}
	return s.svc.Case(ctx, v.ID)
}

func (s authorized) Resolve(ctx context.Context, r api.Resolution) (api.LineHistory, error) {
	p, v, err := s.onLine(ctx, auth.Resolve, r.Line)
	if err != nil {
		return api.LineHistory{}, err
	}
	if r.Second != "" {
		return api.LineHistory{}, api.Errorf(api.Forbidden, "nobody speaks for a second person here: with two people, use bursar resolve on the ledger itself")
	}
	r.Line, r.By = v.ID, p.Name
	return s.svc.Resolve(ctx, r)
}

func (s authorized) UndoOptions(ctx context.Context, id string) (api.UndoOptions, error) {
	_, v, err := s.onLine(ctx, auth.Read, id)
	if err != nil {
		return api.UndoOptions{}, err
	}
	return s.svc.UndoOptions(ctx, v.ID)
}

func (s authorized) Undo(ctx context.Context, r api.UndoRequest) (api.UndoOptions, error) {
	p, v, err := s.onLine(ctx, auth.Resolve, r.Line)
	if err != nil {
		return api.UndoOptions{}, err
	}
	r.Line, r.By = v.ID, p.Name
	return s.svc.Undo(ctx, r)
}

func (s authorized) Inventory(ctx context.Context) (api.Inventory, error) {
	p, err := may(ctx, auth.Read)
	if err != nil {
		return api.Inventory{}, err
	}
	v, err := s.svc.Inventory(ctx)
	if err != nil || p.Accounts == nil {
		return v, err
	}
	v.Items = slices.DeleteFunc(v.Items, func(i api.Item) bool { return !p.Sees(i.Account) })
	v.Equations = slices.DeleteFunc(v.Equations, func(q api.Equation) bool { return !p.Sees(q.Account) })
	v.Findings = slices.DeleteFunc(v.Findings, func(f api.AuditFinding) bool { return !p.Sees(f.Account) })
	v.Failed = slices.DeleteFunc(v.Failed, func(d api.Dropped) bool {
		return !slices.ContainsFunc(p.Accounts, func(a string) bool { return slices.Contains(strings.FieldsFunc(d.Where, notOfAnID), a) })
	})
	v.Lanes, v.Counts = len(v.Equations)+len(v.Failed), map[string]int{}
	for _, i := range v.Items {
		v.Counts[i.Match]++
	}
	v.Balanced = len(v.Failed) == 0 && !slices.ContainsFunc(v.Equations, func(q api.Equation) bool { return !q.Holds })
	return v, nil
}

// notOfAnID divides the words in which a lane is named.
func notOfAnID(r rune) bool { return r == ' ' || r == '/' || r == ',' }

func (s authorized) Check(ctx context.Context) ([]api.Finding, error) {
	if _, err := everywhere(ctx, auth.Read); err != nil {
		return nil, err
	}
	return s.svc.Check(ctx)
}

func (s authorized) Budgets(ctx context.Context) ([]api.Budget, error) {
	p, err := may(ctx, auth.Read)
	if err != nil {
		return nil, err
	}
	list, err := s.svc.Budgets(ctx)
	return slices.DeleteFunc(list, func(b api.Budget) bool { return !p.Sees(b.Account) }), err
}

func (s authorized) SetBudget(ctx context.Context, r api.BudgetRequest) (api.Budget, error) {
	p, err := everywhere(ctx, auth.Administer)
	if err != nil {
		return api.Budget{}, err
	}
	r.By = p.Name
	return s.svc.SetBudget(ctx, r)
}

func (s authorized) RetireBudget(ctx context.Context, name, _ string) error {
	p, err := everywhere(ctx, auth.Administer)
	if err != nil {
		return err
	}
	return s.svc.RetireBudget(ctx, name, p.Name)
}

func (s authorized) Schedules(ctx context.Context) (api.Schedules, error) {
	p, err := may(ctx, auth.Read)
	if err != nil {
		return api.Schedules{}, err
	}
	v, err := s.svc.Schedules(ctx)
	if err != nil || p.Accounts == nil {
		return v, err
	}
	v.Plans = slices.DeleteFunc(v.Plans, func(w api.PlanSchedule) bool {
		_, err := s.plan(ctx, p, w.Plan)
		return err != nil
	})
	return v, nil
}

func (s authorized) SchedulePlan(ctx context.Context, id string, at time.Time, _ string) (api.PlanSchedule, error) {
	p, v, err := s.onPlan(ctx, auth.Apply, id)
	if err != nil {
		return api.PlanSchedule{}, err
	}
	return s.svc.SchedulePlan(ctx, v.ID, at, p.Name)
}

func (s authorized) CancelSchedule(ctx context.Context, id, _ string) (api.PlanSchedule, error) {
	p, err := may(ctx, auth.Apply)
	if err != nil {
		return api.PlanSchedule{}, err
	}
	if p.Accounts != nil {
		seen, err := s.Schedules(ctx)
		if err != nil {
			return api.PlanSchedule{}, err
		}
		if !slices.ContainsFunc(seen.Plans, func(w api.PlanSchedule) bool { return strings.HasPrefix(w.ID, strings.ToUpper(strings.TrimSpace(id))) }) {
			return api.PlanSchedule{}, api.Errorf(api.NotFound, "schedule %s: not found: bursar schedule list shows what is scheduled", id)
		}
	}
	return s.svc.CancelSchedule(ctx, id, p.Name)
}

func (s authorized) RunTask(ctx context.Context, name string) (api.Ran, error) {
	if _, err := everywhere(ctx, auth.Resolve); err != nil {
		return api.Ran{}, err
	}
	return s.svc.RunTask(ctx, name)
}

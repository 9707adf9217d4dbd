package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

func (s *site) planPages() {
	s.get("/plans", auth.Read, s.listPlans)
	s.get("/plans/new", auth.Plan, s.newPlan)
	s.post("/plans", auth.PlanCreate, s.createPlan)
	s.get("/plans/{plan}", auth.Read, s.showPlan)
	s.post("/plans/{plan}/begin", auth.PlanApply, s.beginPlan)
	s.post("/plans/{plan}/schedule", auth.PlanSchedule, s.schedulePlan)
	s.post("/plans/{plan}/cancel", auth.LineCancel, s.cancelPlan)
	s.post("/plans/{plan}/continue", auth.PlanContinue, s.continuePlan)
}

func (s *site) listPlans(w http.ResponseWriter, r *http.Request, v view) error {
	page, err := s.Service.PlanPage(r.Context(), api.PlanFilter{State: v.query("state"), Text: v.query("q"), Cursor: v.query("cursor")})
	if err != nil {
		return err
	}
	sorted := order(v, page.Plans, map[string]func(a, b api.PlanSummary) int{
		"name":    func(a, b api.PlanSummary) int { return byText(strings.ToLower(a.Name), strings.ToLower(b.Name)) },
		"created": func(a, b api.PlanSummary) int { return byTime(a.CreatedAt, b.CreatedAt) },
		"lines":   func(a, b api.PlanSummary) int { return a.Lines - b.Lines },
		"total":   func(a, b api.PlanSummary) int { return byMoney(a.Total.Total, b.Total.Total) },
		"bound":   func(a, b api.PlanSummary) int { return byMoney(a.Bound, b.Bound) },
		"state":   func(a, b api.PlanSummary) int { return byText(a.State, b.State) },
	})
	return s.show(w, r, http.StatusOK, plansPage(v.titled("plans", "Plans"), page, sorted))
}

// newPlanForm is what somebody has filled in.
type newPlanForm struct {
	api.PlanRequest
	coverage, problem string
	replaces          *api.Plan
}

func (s *site) newPlan(w http.ResponseWriter, r *http.Request, v view) error {
	var f newPlanForm
	if id := v.query("supersedes"); id != "" {
		p, err := s.Service.Plan(r.Context(), id)
		if err != nil {
			return err
		}
		f.replaces = &p
	}
	return s.show(w, r, http.StatusOK, newPlanPage(v.titled("plans", "New plan"), f))
}

// input bounds the file of a plan.
const input = 32 << 20

func (s *site) createPlan(w http.ResponseWriter, r *http.Request, v view) error {
	r.Body = http.MaxBytesReader(w, r.Body, input)
	f := newPlanForm{}
	refuse := func(err error) error {
		f.problem = sentence(err)
		return s.show(w, r, status(err), newPlanPage(v.titled("plans", "New plan"), f))
	}
	if err := r.ParseMultipartForm(1 << 20); err != nil {
		return refuse(errors.New("the file is missing, or larger than 32 MB"))
	}
	f.PlanRequest = api.PlanRequest{
		Name: r.FormValue("name"), Requester: v.who.Name, MaxTotal: r.FormValue("max_total"), MaxMonthly: r.FormValue("max_monthly"),
		Purpose: r.FormValue("purpose"), Supersedes: r.FormValue("supersedes"),
	}
	f.coverage = strings.TrimSuffix(strings.TrimSpace(r.FormValue("coverage")), "%")
	if f.Supersedes != "" {
		p, err := s.Service.Plan(r.Context(), f.Supersedes)
		if err != nil {
			return refuse(err)
		}
		f.replaces = &p
	}
	if f.coverage != "" {
		n, err := strconv.Atoi(f.coverage)
		if err != nil || n < 1 || n > 100 {
			return refuse(fmt.Errorf("coverage: %q is not a whole number of per cent from 1 to 100", f.coverage))
		}
		f.Coverage = n
	}
	if err := f.inputs(r); err != nil {
		return refuse(err)
	}
	if err := s.planned(w, r, v, f.PlanRequest); err != nil {
		return refuse(err)
	}
	return nil
}

// dossier is what a person must know about a plan.
type dossier struct {
	api.Plan
	versions []api.Plan // of the lineage, oldest first
	before   *api.Plan  // the version before this one
	changes  []change
	finals   []api.Final
	warnings []string
	waits    *api.PlanSchedule
	newest   bool
	sorted   sorting
	columns  lineColumns
}

func (s *site) readDossier(r *http.Request, v view, id string) (dossier, error) {
	ctx := r.Context()
	p, err := s.Service.Plan(ctx, id)
	if err != nil {
		return dossier{}, err
	}
	d := dossier{Plan: p}
	if d.versions, err = s.Service.Versions(ctx, p.ID); err != nil {
		return d, err
	}
	d.newest = newestVersions(d.versions)[p.Lineage] == p.ID
	for i := range d.versions {
		if d.versions[i].Version < p.Version {
			d.before = &d.versions[i]
		}
	}
	if d.before != nil {
		d.changes = changes(*d.before, p)
	}
	if d.finals, err = s.Service.AfterPurchase(ctx, p.ID); err != nil {
		return d, err
	}
	schedules, err := s.Service.Schedules(ctx)
	if err != nil {
		return d, err
	}
	for i, w := range schedules.Plans {
		if w.Plan == p.ID && w.State == "waiting" {
			d.waits = &schedules.Plans[i]
		}
	}
	d.warnings = warnings(v, d)
	d.columns = columnsOf(p.Lines)
	d.sorted = order(v, d.Lines, map[string]func(a, b api.Line) int{
		"number":  func(a, b api.Line) int { return a.Number - b.Number },
		"what":    func(a, b api.Line) int { return byText(a.Wanted(), b.Wanted()) },
		"account": func(a, b api.Line) int { return byText(a.Account+a.Region, b.Account+b.Region) },
		"upfront": func(a, b api.Line) int { return byMoney(a.Price.Upfront, b.Price.Upfront) },
		"hourly":  func(a, b api.Line) int { return byMoney(a.Price.Hourly, b.Price.Hourly) },
		"total":   func(a, b api.Line) int { return byMoney(a.Price.Total, b.Price.Total) },
		"state":   func(a, b api.Line) int { return byText(a.State, b.State) },
	})
	return d, nil
}

// warnings are what a person should have read before approving.
func warnings(v view, d dossier) (list []string) {
	if d.State == "proposed" && !d.newest {
		list = append(list, fmt.Sprintf("This is version %d; only the newest version can be approved.", d.Version))
	}
	for _, b := range d.Budgets {
		if b.Fits != nil && !*b.Fits {
			list = append(list, sentence(fmt.Errorf("budget %s: %s", b.Name, cmp.Or(b.Problem, "it does not fit now"))))
		}
	}
	for _, l := range d.Lines {
		for _, o := range d.versions {
			for _, e := range o.Lines {
				if o.Version < d.Version && e.State == "purchased" && l.State == "draft" && e.Account == l.Account && e.Offering == l.Offering {
					list = append(list, fmt.Sprintf("Line %d: version %d has bought %s of the same; approving buys more of it.", l.Number, o.Version, e.Wanted()))
				}
			}
		}
		if l.Class == "C" || l.Class == "AC" {
			if !ended(l.State) {
				list = append(list, fmt.Sprintf("Line %d: %s has no identity by which a lost reply could be told apart; its lane is kept for it alone while in doubt.", l.Number, l.Service))
			}
		}
	}
	for _, a := range d.Advice {
		list = append(list, sentence(fmt.Errorf("advice only, not bought: %s: %s: %s", a.Where, a.What, a.Why)))
	}
	if d.State == "approved" && d.ApprovalExpires != nil && d.Begun == nil && hasOpen(d.Plan) {
		if left := d.ApprovalExpires.Sub(v.now); left < 24*time.Hour && left > 0 {
			list = append(list, "The approval is over in "+span(left)+".")
		}
	}
	return list
}

// change is how one line of a version differs from the version before.
type change struct {
	kind     string // added, removed, changed
	was, now *api.Line
}

// changes compares two versions: a line is the same if it is of the same account and
// offering.
func changes(before, after api.Plan) (list []change) {
	key := func(l api.Line) string { return l.Account + " " + l.Offering }
	left := map[string][]*api.Line{}
	for i := range before.Lines {
		left[key(before.Lines[i])] = append(left[key(before.Lines[i])], &before.Lines[i])
	}
	for i := range after.Lines {
		l := &after.Lines[i]
		was := left[key(*l)]
		if len(was) == 0 {
			list = append(list, change{kind: "added", now: l})
			continue
		}
		left[key(*l)] = was[1:]
		if was[0].Quantity != l.Quantity || !was[0].Price.Total.Equal(l.Price.Total) {
			list = append(list, change{kind: "changed", was: was[0], now: l})
		}
	}
	for i := range before.Lines {
		l := &before.Lines[i]
		for _, x := range left[key(*l)] {
			if x == l {
				list = append(list, change{kind: "removed", was: l})
			}
		}
	}
	return list
}

func (s *site) showPlan(w http.ResponseWriter, r *http.Request, v view) error {
	d, err := s.readDossier(r, v, r.PathValue("plan"))
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, planPage(v.titled("plans", d.Name), d))
}

func (s *site) beginPlan(w http.ResponseWriter, r *http.Request, v view) error {
	p, err := s.Service.Plan(r.Context(), r.PathValue("plan"))
	if err != nil {
		return err
	}
	if _, _, err := s.Service.Begin(r.Context(), p.ID, v.who.Name); err != nil {
		return err
	}
	return done(w, r, "/plans/"+p.ID+"/execution")
}

func (s *site) schedulePlan(w http.ResponseWriter, r *http.Request, v view) error {
	p, err := s.Service.Plan(r.Context(), r.PathValue("plan"))
	if err != nil {
		return err
	}
	// What a browser sends of a date and a time, which the page says is UTC.
	at, err := time.ParseInLocation("2006-01-02T15:04", r.FormValue("at"), time.UTC)
	if err != nil {
		return fmt.Errorf("the time %q is not one such as 2026-12-01T09:00", r.FormValue("at"))
	}
	if _, err := s.Service.SchedulePlan(r.Context(), p.ID, at, v.who.Name); err != nil {
		return err
	}
	return done(w, r, "/plans/"+p.ID)
}

func (s *site) cancelPlan(w http.ResponseWriter, r *http.Request, v view) error {
	p, err := s.Service.Plan(r.Context(), r.PathValue("plan"))
	if err != nil {
		return err
	}
	ids := r.Form["line"]
	if err := r.ParseForm(); err == nil {
		ids = r.Form["line"]
	}
	if len(ids) == 0 {
		ids = []string{p.ID}
	}
	for _, id := range ids {
		if id != p.ID && !slices.ContainsFunc(p.Lines, func(l api.Line) bool { return l.ID == id }) {
			return fmt.Errorf("line %s is not of plan %s; nothing was asked", id, p.ID)
		}
	}
	if _, err := s.Service.Cancel(r.Context(), ids, v.who.Name, r.FormValue("comment")); err != nil {
		return err
	}
	return done(w, r, "/plans/"+p.ID)
}

func (s *site) continuePlan(w http.ResponseWriter, r *http.Request, v view) error {
	p, err := s.Service.Plan(r.Context(), r.PathValue("plan"))
	if err != nil {
		return err
	}
	created, err := s.Service.ContinuePlan(r.Context(), p.ID, v.who.Name)
	if err != nil {
		return err
	}
	return done(w, r, "/plans/"+created.Plan.ID)
}

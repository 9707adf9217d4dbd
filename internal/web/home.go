package web

import (
	"context"
	"net/http"
	"slices"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/money"
)

func (s *site) homePages() {
	s.get("/{$}", auth.Read, s.home)
	s.post("/purchasing", s.setPurchasing)
}

// home is what a person must see first.
type home struct {
	bound, hourly []money.Amount // of what is purchased, over the terms and in an hour
	commitments   int
	doubted       []money.Amount
	doubts        []doubt
	waiting       []waiting
	running       []api.Plan
	ends          []ending // within 90 days, the next first
	endRate       []money.Amount
	tasks         []api.Schedule
	findings      int
	listed        time.Time // when the clouds were listed for these pages; zero: never
	plans         int
}

// waiting is something that waits for the person who looks.
type waiting struct {
	what, says string
	path, verb string
	amount     money.Amount
	since      time.Time
}

func (s *site) home(w http.ResponseWriter, r *http.Request, v view) error {
	h, err := s.readHome(r.Context(), v)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, homePage(v.titled("home", "Home"), h))
}

func (s *site) readHome(ctx context.Context, v view) (h home, err error) {
	plans, err := s.Service.Plans(ctx)
	if err != nil {
		return h, err
	}
	h.plans = len(plans)
	bound, hourly, doubted, rates := purse{}, purse{}, purse{}, purse{}
	for _, p := range plans {
		for _, l := range p.Lines {
			if l.State != "purchased" || l.Receipt != nil && !v.now.Before(l.End()) {
				continue
			}
			h.commitments++
			if err := bound.add(l.Price.Total); err != nil {
				return h, err
			}
			if err := hourly.add(rate(l.Price, l.TermMonths)); err != nil {
				return h, err
			}
		}
		if p.Progress == "running" && p.Begun != nil {
			h.running = append(h.running, p)
		}
	}
	if h.doubts, err = s.doubts(ctx, v, plans); err != nil {
		return h, err
	}
	for _, d := range h.doubts {
		if err := doubted.add(d.line.Price.Total); err != nil {
			return h, err
		}
	}
	h.waiting = waitingFor(v, plans)
	for _, e := range s.endings(v, plans) {
		if e.end.Sub(v.now) <= 90*24*time.Hour {
			h.ends = append(h.ends, e)
			if err := rates.add(e.rate); err != nil {
				return h, err
			}
		}
	}
	h.bound, h.hourly, h.doubted, h.endRate = bound.list(), hourly.list(), doubted.list(), rates.list()
	schedules, err := s.Service.Schedules(ctx)
	if err != nil {
		return h, err
	}
	h.tasks = schedules.Tasks
	findings, err := s.Service.Findings(ctx)
	if err != nil {
		return h, err
	}
	h.findings = len(findings)
	_, h.listed = s.inventory.last(v.who)
	return h, nil
}

// waitingFor lists what somebody may do, and nobody has done, the oldest first.
func waitingFor(v view, plans []api.Plan) (list []waiting) {
	newest := newestVersions(plans)
	for _, p := range plans {
		path := "/plans/" + p.ID
		switch {
		case p.State == "proposed" && standing(v.who, p, newest[p.Lineage] == p.ID) == "":
			list = append(list, waiting{
				what: "Approve " + p.Name, says: "requested by " + p.Requester + ", " + count(len(p.Lines), "line", "lines"),
				path: path + "/approve", verb: "Approve", amount: p.Total.Total, since: p.CreatedAt,
			})
		case p.State == "approved" && p.Begun == nil && hasOpen(p) && v.who.May(auth.Apply):
			list = append(list, waiting{
				what: "Begin " + p.Name, says: "approved, and nobody has let it be bought yet", path: path, verb: "Open", amount: p.Total.Total, since: p.CreatedAt,
			})
		}
		for _, l := range p.Lines {
			switch {
			case l.State == "needs_review" && v.who.May(auth.Resolve):
				list = append(list, waiting{
					what: "Decide about " + l.Wanted(), says: l.Reason, path: "/doubt/" + l.ID, verb: "Decide", amount: l.Price.Total, since: l.UpdatedAt,
				})
			case l.State == "needs_reapproval" && v.who.May(auth.Plan):
				list = append(list, waiting{
					what: "Plan anew: " + l.Wanted(), says: l.Reason, path: path, verb: "Open", amount: l.Price.Total, since: l.UpdatedAt,
				})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b waiting) int { return a.since.Compare(b.since) })
	return list
}

func hasOpen(p api.Plan) bool {
	return slices.ContainsFunc(p.Lines, func(l api.Line) bool { return !ended(l.State) })
}

// newestVersions is the newest version of each lineage.
func newestVersions(plans []api.Plan) map[string]string {
	newest, version := map[string]string{}, map[string]int{}
	for _, p := range plans {
		if p.Version > version[p.Lineage] {
			newest[p.Lineage], version[p.Lineage] = p.ID, p.Version
		}
	}
	return newest
}

// setPurchasing stops all purchasing, which everybody who may plan can, or starts it
// again.
func (s *site) setPurchasing(w http.ResponseWriter, r *http.Request, v view) error {
	on := r.FormValue("on") == "true"
	if _, err := s.Service.SetPurchasing(r.Context(), on, v.who.Name, r.FormValue("comment")); err != nil {
		return err
	}
	return done(w, r, "/")
}

// done counts the lines of a plan that have ended, and those in doubt.
func progress(p api.Plan) (done, doubted int) {
	for _, l := range p.Lines {
		if ended(l.State) {
			done++
		}
		if inDoubt(l.State) {
			doubted++
		}
	}
	return done, doubted
}

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
	s.post("/purchasing", auth.PurchasingStop, s.setPurchasing)
}

// shown is how many lines or plans of a kind the first page lists.
const shown = 20

// home is what a person must see first.
type home struct {
	api.Desk
	doubts   int // of which Doubts may hold fewer
	waiting  []waiting
	waits    int      // of which waiting may hold fewer
	ends     []ending // the next within 90 days
	ending   int      // how many end within 90 days
	endRate  []money.Amount
	tasks    []api.Schedule
	findings int
	listed   time.Time // when the clouds were listed for these pages; zero: never
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
	soon := within(v.now, 90).Add(-time.Microsecond)
	if h.Desk, err = s.Service.Desk(ctx, api.DeskFilter{Soon: soon, Most: shown}); err != nil {
		return h, err
	}
	for state, n := range h.Lines {
		if inDoubt(state) {
			h.doubts += n
		}
	}
	h.waiting, h.waits = waitingFor(v, h.Desk)
	if err := s.readEnds(ctx, v, soon, &h); err != nil {
		return h, err
	}
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

// readEnds adds what ends until soon: of the last listing of the clouds and what was
// bought since or, before the first, of the receipts, which are summed.
func (s *site) readEnds(ctx context.Context, v view, soon time.Time, h *home) error {
	if _, at := s.inventory.last(v.who); at.IsZero() {
		h.ends, h.ending, h.endRate = s.endings(v, h.Desk.Ending), h.Ends, h.EndsRate
		return nil
	}
	lines, err := s.Service.Ending(ctx, s.notListed(v, soon))
	if err != nil {
		return err
	}
	rates := purse{}
	for _, e := range s.endings(v, lines) {
		if e.end.After(soon) {
			continue
		}
		h.ends = append(h.ends, e)
		if err := rates.add(e.rate); err != nil {
			return err
		}
	}
	h.ending, h.endRate = len(h.ends), rates.list()
	return nil
}

// waitingFor lists what somebody may do, and nobody has done, the oldest first, and
// counts it.
func waitingFor(v view, d api.Desk) (list []waiting, n int) {
	for _, p := range d.Decide {
		asked := api.Plan{State: p.State, Requester: p.Requester, Approvals: p.Approvals, Decisions: p.Decisions}
		if standing(v.who, asked, true) != "" {
			continue
		}
		n++
		list = append(list, waiting{
			what: "Approve " + p.Name, says: "requested by " + p.Requester + ", " + count(p.Lines, "line", "lines"),
			path: "/plans/" + p.ID + "/approve", verb: "Approve", amount: p.Total.Total, since: p.CreatedAt,
		})
	}
	if v.who.May(auth.Apply) {
		n += d.Begins
		for _, p := range d.Begin {
			list = append(list, waiting{
				what: "Begin " + p.Name, says: "approved, and nobody has let it be bought yet", path: "/plans/" + p.ID, verb: "Open", amount: p.Total.Total, since: p.CreatedAt,
			})
		}
	}
	if v.who.May(auth.Resolve) {
		n += d.Lines["needs_review"]
		for _, l := range d.Review {
			list = append(list, waiting{
				what: "Decide about " + l.Wanted(), says: l.Reason, path: "/doubt/" + l.ID, verb: "Decide", amount: l.Price.Total, since: l.UpdatedAt,
			})
		}
	}
	if v.who.May(auth.Plan) {
		n += d.Lines["needs_reapproval"]
		for _, l := range d.Replan {
			list = append(list, waiting{
				what: "Plan anew: " + l.Wanted(), says: l.Reason, path: "/plans/" + l.Plan, verb: "Open", amount: l.Price.Total, since: l.UpdatedAt,
			})
		}
	}
	slices.SortStableFunc(list, func(a, b waiting) int { return a.since.Compare(b.since) })
	return list[:min(len(list), shown)], n
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

// progress counts the lines of a plan that have ended, and those in doubt.
func progress(states map[string]int) (done, doubted int) {
	for state, n := range states {
		if ended(state) {
			done += n
		}
		if inDoubt(state) {
			doubted += n
		}
	}
	return done, doubted
}

func byState(lines []api.Line) map[string]int {
	n := map[string]int{}
	for _, l := range lines {
		n[l.State]++
	}
	return n
}

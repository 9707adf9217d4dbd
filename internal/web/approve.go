package web

import (
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

func (s *site) approvePages() {
	s.get("/plans/{plan}/approve", auth.Read, s.approve)
	s.post("/plans/{plan}/approve", auth.PlanApprove, s.decide)
}

// standing says why somebody may not approve a plan, "" if nothing stands against
// it. The ledger decides; this tells people beforehand.
func standing(who auth.Principal, p api.Plan, newest bool) string {
	decided := slices.ContainsFunc(p.Decisions, func(d api.Decision) bool { return same(d.By, who.Name) })
	switch {
	case p.State != "proposed":
		return "the plan is " + p.State + " already"
	case !newest:
		return "only the newest version can be approved"
	case !who.May(auth.Approve):
		return "you have no permission to approve"
	case same(who.Name, p.Requester) && !p.Approvals.RequesterMay:
		return "you requested the plan, and somebody else has to approve it"
	case len(p.Approvals.Approvers) > 0 && !slices.ContainsFunc(p.Approvals.Approvers, func(name string) bool { return same(name, who.Name) }):
		return "you are not one of its approvers: " + strings.Join(p.Approvals.Approvers, ", ")
	case decided:
		return "you have decided already, and count once"
	}
	return ""
}

// approvalRule says how far a plan is approved and by whom it can be.
func approvalRule(a api.Approvals) string {
	text := fmt.Sprintf("%d of %d", a.Given, a.Needed)
	if len(a.Approvers) > 0 {
		text += ", by " + strings.Join(a.Approvers, ", ")
	}
	if !a.RequesterMay {
		text += "; not by the requester"
	}
	return text
}

// ballot is the form of a decision.
type ballot struct {
	dossier
	against, problem     string
	typed, comment, days string
}

func (s *site) approve(w http.ResponseWriter, r *http.Request, v view) error {
	d, err := s.readDossier(r, v, r.PathValue("plan"))
	if err != nil {
		return err
	}
	b := ballot{dossier: d, against: standing(v.who, d.Plan, d.newest), days: "3"}
	return s.show(w, r, http.StatusOK, approvePage(v.titled("plans", "Approve "+d.Name), b))
}

// decide records a decision on the digest that the person saw.
func (s *site) decide(w http.ResponseWriter, r *http.Request, v view) error {
	d, err := s.readDossier(r, v, r.PathValue("plan"))
	if err != nil {
		return err
	}
	b := ballot{
		dossier: d, against: standing(v.who, d.Plan, d.newest),
		typed: r.FormValue("total"), comment: r.FormValue("comment"), days: r.FormValue("days"),
	}
	refuse := func(err error) error {
		b.problem = sentence(err)
		return s.show(w, r, status(err), approvePage(v.titled("plans", "Approve "+d.Name), b))
	}
	decision := api.Decision{Plan: d.ID, Digest: r.FormValue("digest"), By: v.who.Name, Comment: b.comment}
	var valid time.Duration
	switch r.FormValue("decision") {
	case "approve":
		decision.Approve = true
		days, err := strconv.Atoi(b.days)
		switch {
		case err != nil || days < 1 || days > 30:
			return refuse(errors.New("an approval stands for 1 to 30 days; nothing was approved"))
		case !sameTotal(b.typed, d.Total.Total):
			return refuse(errors.New("that is not the total; nothing was approved"))
		}
		valid = time.Duration(days) * 24 * time.Hour
	case "reject":
		if strings.TrimSpace(b.comment) == "" {
			return refuse(errors.New("say why it is rejected; nothing was decided"))
		}
	default:
		return refuse(errors.New("approve it or reject it; nothing was decided"))
	}
	if _, err := s.Service.Decide(r.Context(), decision, valid); err != nil {
		return refuse(err)
	}
	return done(w, r, "/plans/"+d.ID)
}

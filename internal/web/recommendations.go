package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/money"
)

func (s *site) recommendationPages() {
	s.get("/recommendations", auth.Read, s.showRecommendations)
	s.post("/recommendations", auth.AdviceAsk, s.askRecommendations)
	s.post("/recommendations/plan", auth.PlanCreate, s.planRecommendations)
	s.post("/recommendations/advice/{key}", auth.AdviceJudge, s.judgeRecommendation)
}

// mostPages is how many pages an answer may have on average, where nobody says how many
// requests may be sent.
const mostPages = 4

// advicePage is a page of what the clouds recommend.
type advicePage struct {
	api.Recommendations
	ask    api.RecommendRequest // as the address says
	cost   api.AdviceCost
	none   string // why the cost is not known
	asked  bool   // the clouds were asked before
	rows   []adviceRow
	sorted sorting
	said   []api.Advice // the last words on advice that count
	best   []money.Amount
	buys   int // lines that a plan would be made of
}

// adviceRow is a recommendation with its number, which alternatives are told by.
type adviceRow struct {
	n int
	api.Recommendation
}

// shut reports whether somebody does not want the advice now.
func (r adviceRow) shut() bool { return r.Said != nil && r.Said.Counts }

func (s *site) showRecommendations(w http.ResponseWriter, r *http.Request, v view) error {
	v = v.titled("recommendations", "Recommendations")
	v.wide = true
	p := advicePage{ask: askedFor(v.url.Query())}
	var err error
	if p.cost, err = s.Service.AdviceCost(r.Context(), p.ask); err != nil {
		p.none = sentence(err)
	}
	var none *api.Error
	p.Recommendations, err = s.Service.Recommended(r.Context())
	switch {
	case err == nil:
		p.asked = true
	case !errors.As(err, &none) || none.Kind != api.NotFound:
		return err
	}
	list, err := s.Service.Advices(r.Context(), "", nil)
	if err != nil {
		return err
	}
	p.said = slices.DeleteFunc(list, func(a api.Advice) bool { return !a.Counts })
	sum := purse{}
	for i, l := range p.Lines {
		row := adviceRow{i + 1, l}
		p.rows = append(p.rows, row)
		if l.State != api.Recommended || row.shut() {
			continue
		}
		p.buys++
		if l.SavesPerMonth != nil && sum != nil {
			if sum.add(*l.SavesPerMonth) != nil {
				sum = nil // beyond what an amount holds: the lines stand alone
			}
		}
	}
	p.best = sum.list()
	amount := func(a *money.Amount) money.Amount {
		if a == nil {
			return money.Amount{}
		}
		return *a
	}
	p.sorted = order(v, p.rows, map[string]func(a, b adviceRow) int{
		"what":    func(a, b adviceRow) int { return byText(a.goods(), b.goods()) },
		"account": func(a, b adviceRow) int { return byText(a.Account+a.Region, b.Account+b.Region) },
		"saves":   func(a, b adviceRow) int { return byMoney(amount(a.SavesPerMonth), amount(b.SavesPerMonth)) },
		"even":    func(a, b adviceRow) int { return a.BreakEvenMonths - b.BreakEvenMonths },
		"state":   func(a, b adviceRow) int { return byText(a.State, b.State) },
		"source":  func(a, b adviceRow) int { return byText(a.Source, b.Source) },
	})
	return s.show(w, r, http.StatusOK, recommendationsPage(v, p))
}

// askedFor reads what the clouds are to be asked, of an address or a form.
func askedFor(q url.Values) api.RecommendRequest {
	words := func(name string) (list []string) {
		for _, text := range q[name] {
			list = append(list, strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })...)
		}
		return list
	}
	r := api.RecommendRequest{
		Providers: words("provider"), Account: strings.TrimSpace(q.Get("account")), Services: words("service"), Terms: words("term"), Payments: words("payment"),
	}
	r.MaxRequests, _ = strconv.Atoi(q.Get("max_requests")) // none where it is no number
	return r
}

// asks reports whether a choice is made; where nothing is, the first of the list are.
func asks(chosen []string, x string, usual ...string) bool {
	if len(chosen) == 0 {
		chosen = usual
	}
	return slices.Contains(chosen, x)
}

func (s *site) askRecommendations(w http.ResponseWriter, r *http.Request, _ view) error {
	if err := r.ParseForm(); err != nil {
		return errors.New("the form could not be read: send it again")
	}
	ask := askedFor(r.PostForm)
	if text := strings.TrimSpace(r.PostForm.Get("max_requests")); text != "" && ask.MaxRequests < 1 {
		return fmt.Errorf("the most requests: %q is not a whole number of at least 1", text)
	}
	if _, err := s.Service.Recommend(r.Context(), ask); err != nil {
		return err
	}
	q := r.PostForm
	q.Del("max_requests")
	to := url.URL{Path: "/recommendations", RawQuery: q.Encode()}
	return done(w, r, to.String())
}

// planRecommendations makes a plan of what was recommended when the page was shown.
func (s *site) planRecommendations(w http.ResponseWriter, r *http.Request, v view) error {
	r.Body = http.MaxBytesReader(w, r.Body, form)
	if err := r.ParseMultipartForm(form); err != nil {
		return errors.New("the policy is larger than 1 MB, or the form could not be read")
	}
	at, err := time.Parse(time.RFC3339Nano, r.FormValue("asked"))
	if err != nil {
		return errors.New("the form does not say of which advice: look at the recommendations again")
	}
	ask := api.PlanRequest{Asked: &at, Name: strings.TrimSpace(r.FormValue("name")), Requester: v.who.Name}
	if ask.Policy, ask.PolicyContent, err = uploaded(r, "policy"); err != nil {
		return err
	}
	return s.planned(w, r, v, ask)
}

func (s *site) judgeRecommendation(w http.ResponseWriter, r *http.Request, v view) error {
	ask := api.AdviceRequest{Key: r.PathValue("key"), Reason: r.FormValue("reason"), By: v.who.Name}
	var err error
	switch word := r.FormValue("word"); word {
	case "dismiss":
		_, err = s.Service.DismissAdvice(r.Context(), ask)
	case "snooze":
		if ask.Until, err = time.Parse(time.DateOnly, r.FormValue("until")); err != nil {
			return errors.New("say until which day it is snoozed")
		}
		_, err = s.Service.SnoozeAdvice(r.Context(), ask)
	case "restore":
		_, err = s.Service.RestoreAdvice(r.Context(), ask)
	default:
		err = fmt.Errorf("%q is not a word on advice", word)
	}
	if err != nil {
		return err
	}
	return done(w, r, back(r))
}

// troubled reports whether a source has failed or is old.
func (p advicePage) troubled() bool {
	return slices.ContainsFunc(p.Sources, func(s api.AdviceSource) bool { return s.Problem != "" || s.Stale })
}

func joinWords(list []string) string { return strings.Join(list, ", ") }

func (r adviceRow) goods() string { return api.Goods(r.Service, r.Attributes) }

func (r adviceRow) quantity() string {
	if r.PerHour != nil {
		return strings.TrimRight(strings.TrimRight(r.PerHour.Canonical(), "0"), ".") + " " + r.PerHour.Currency() + "/h"
	}
	return strconv.FormatInt(r.Quantity, 10)
}

// orUnknown is an amount, or that nobody says it.
func orUnknown(a *money.Amount) string {
	if a == nil {
		return "?"
	}
	return a.Round(2).String()
}

func months(n int) string {
	if n == 0 {
		return "?"
	}
	return count(n, "month", "months")
}

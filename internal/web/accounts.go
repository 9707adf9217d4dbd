package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

func (s *site) accountPages() {
	s.get("/accounts", auth.Read, s.accounts)
	s.post("/accounts/doctor", auth.ReadAny, s.askDoctor)
}

// holding is an account with what is known about it.
type holding struct {
	api.Account
	budgets []api.Budget // that cap it, those of every account included
	doctor  []api.DoctorLine
	state   string // the worst of the doctor's
	owner   *api.DoctorLine
}

// estate is the page of the accounts.
type estate struct {
	accounts []holding
	general  []api.DoctorLine // of no account
	asked    time.Time        // the doctor; zero: never
	ok       bool
}

func (s *site) accounts(w http.ResponseWriter, r *http.Request, v view) error {
	accounts, err := s.Service.Accounts(r.Context())
	if err != nil {
		return err
	}
	budgets, err := s.Service.Budgets(r.Context())
	if err != nil {
		return err
	}
	doctor, asked := s.doctor.last(v.who)
	e := estate{asked: asked, ok: doctor.OK}
	for _, l := range doctor.Lines {
		if l.Account == "" {
			e.general = append(e.general, l)
		}
	}
	for _, a := range accounts {
		h := holding{Account: a}
		for _, b := range budgets {
			if b.Account == "" || b.Account == a.Account {
				h.budgets = append(h.budgets, b)
			}
		}
		for i, l := range doctor.Lines {
			switch {
			case l.Account != a.Account:
				continue
			case l.Subject == "owner":
				h.owner = &doctor.Lines[i]
			default:
				h.doctor = append(h.doctor, l)
			}
			if worse(l.State, h.state) {
				h.state = l.State
			}
		}
		slices.SortStableFunc(h.doctor, func(a, b api.DoctorLine) int { return severity(b.State) - severity(a.State) })
		e.accounts = append(e.accounts, h)
	}
	return s.show(w, r, http.StatusOK, accountsPage(v.titled("accounts", "Accounts"), e))
}

func severity(state string) int { return slices.Index([]string{"ok", "unproven", "failed"}, state) }

func worse(a, b string) bool { return severity(a) > severity(b) }

func (s *site) askDoctor(w http.ResponseWriter, r *http.Request, v view) error {
	if err := s.doctor.ask(r.Context(), v, s.Service.Doctor); err != nil {
		return err
	}
	return done(w, r, "/accounts")
}

// place is where a line of the doctor is about, in a few words.
func place(l api.DoctorLine) string {
	words := slices.DeleteFunc([]string{l.Region, l.Service}, func(w string) bool { return w == "" })
	if len(words) == 0 {
		return l.Subject
	}
	return strings.Join(words, " ")
}

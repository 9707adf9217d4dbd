package web

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"bursar/internal/api"
	"bursar/internal/auth"
)

func (s *site) doubtPages() {
	s.get("/doubt", auth.Read, s.doubtDesk)
	s.get("/doubt/{line}", auth.Read, s.doubtCase)
	s.post("/doubt/{line}", auth.LineResolve, s.decideDoubt)
	s.post("/doubt/{line}/second", auth.LineResolve, s.agreeDoubt)
}

// inDoubt reports whether it is not known what a line has bought.
func inDoubt(state string) bool {
	return state == "armed" || state == "recovery" || state == "needs_review"
}

// desk is how many lines in doubt the desk lists.
const desk = 200

func (s *site) doubtDesk(w http.ResponseWriter, r *http.Request, v view) error {
	list, err := s.Service.Doubts(r.Context(), desk)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, doubtDeskPage(v.titled("doubt", "Doubt desk"), list))
}

// court is what a person needs to decide about a line.
type court struct {
	api.Case
	open    bool // somebody may decide now
	asked   *api.Asked
	problem string
}

func (s *site) readCourt(ctx context.Context, v view, id string) (court, error) {
	h, err := s.Service.Line(ctx, id)
	if err != nil {
		return court{}, err
	}
	c := court{Case: api.Case{LineHistory: h}}
	if h.State != "needs_review" {
		return c, nil
	}
	if c.Case, err = s.Service.Case(ctx, h.ID); err != nil {
		return court{}, err
	}
	c.open = true
	c.asked, err = s.Service.Asked(ctx, h.ID)
	return c, err
}

func (s *site) doubtCase(w http.ResponseWriter, r *http.Request, v view) error {
	c, err := s.readCourt(r.Context(), v, r.PathValue("line"))
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, casePage(v.titled("doubt", c.Wanted()), c))
}

// decideDoubt carries out a decision, or keeps it until a second person agrees where
// one has to.
func (s *site) decideDoubt(w http.ResponseWriter, r *http.Request, v view) error {
	c, err := s.readCourt(r.Context(), v, r.PathValue("line"))
	if err != nil {
		return err
	}
	d := api.Resolution{Line: c.ID, Choice: r.FormValue("choice"), By: v.who.Name, Comment: r.FormValue("comment")}
	refuse := func(err error) error {
		c.problem = sentence(err)
		return s.show(w, r, status(err), casePage(v.titled("doubt", c.Wanted()), c))
	}
	i := slices.IndexFunc(c.Choices, func(o api.Choice) bool { return o.Choice == d.Choice })
	switch {
	case i < 0:
		return refuse(errors.New("take one of the decisions; nothing was decided"))
	case d.Comment == "":
		return refuse(errors.New("say why: it is kept with your name; nothing was decided"))
	case d.Choice == "adopt" || d.Choice == "foreign":
		if d.Commitment = r.FormValue("commitment"); d.Commitment == "" {
			return refuse(errors.New("name the commitment; nothing was decided"))
		}
	}
	if c.Choices[i].Second && c.Choices[i].Open {
		if err := s.Service.AskSecond(r.Context(), d); err != nil {
			return refuse(err)
		}
		return done(w, r, "/doubt/"+c.ID)
	}
	if _, err := s.Service.Resolve(r.Context(), d); err != nil {
		return refuse(err)
	}
	return done(w, r, "/doubt/"+c.ID)
}

// agreeDoubt carries out what another person has decided, or drops it.
func (s *site) agreeDoubt(w http.ResponseWriter, r *http.Request, v view) error {
	id := r.PathValue("line")
	if err := s.Service.Agree(r.Context(), id, r.FormValue("answer") == "yes"); err != nil {
		return err
	}
	return done(w, r, "/doubt/"+id)
}

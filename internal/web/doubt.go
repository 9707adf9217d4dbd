package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

func (s *site) doubtPages() {
	s.get("/doubt", auth.Read, s.doubtDesk)
	s.get("/doubt/{line}", auth.Read, s.doubtCase)
	s.post("/doubt/{line}", auth.Resolve, s.decideDoubt)
	s.post("/doubt/{line}/second", auth.Resolve, s.agreeDoubt)
}

// inDoubt reports whether it is not known what a line has bought.
func inDoubt(state string) bool {
	return state == "armed" || state == "recovery" || state == "needs_review"
}

// doubt is a line of which it is not known what it has bought.
type doubt struct {
	line    api.Line
	plan    string    // its name
	since   time.Time // its last request was allowed, or it was found out
	attempt int       // the last one, 0 for none
	waits   bool      // for a second person
}

// doubts lists the lines in doubt: first those that are looked up, the oldest first,
// then those that wait for a person.
func (s *site) doubts(ctx context.Context, v view, plans []api.Plan) (list []doubt, err error) {
	for _, p := range plans {
		for _, l := range p.Lines {
			if !inDoubt(l.State) {
				continue
			}
			d := doubt{line: l, plan: p.Name, since: l.UpdatedAt}
			h, err := s.Service.Line(ctx, l.ID)
			if err != nil {
				return nil, err
			}
			if n := len(h.Tries); n > 0 {
				d.since, d.attempt = h.Tries[n-1].ArmedAt, h.Tries[n-1].N
			}
			_, d.waits = s.seconds.of(h.Line, v.now)
			list = append(list, d)
		}
	}
	rank := func(d doubt) int {
		if d.line.State == "needs_review" {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b doubt) int {
		if x, y := rank(a), rank(b); x != y {
			return x - y
		}
		return a.since.Compare(b.since)
	})
	return list, nil
}

func (s *site) doubtDesk(w http.ResponseWriter, r *http.Request, v view) error {
	plans, err := s.Service.Plans(r.Context())
	if err != nil {
		return err
	}
	list, err := s.doubts(r.Context(), v, plans)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, doubtDeskPage(v.titled("doubt", "Doubt desk"), list))
}

// court is what a person needs to decide about a line.
type court struct {
	api.Case
	open    bool // somebody may decide now
	asked   *second
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
	if asked, ok := s.seconds.of(c.Line, v.now); ok {
		c.asked = &asked
	}
	return c, nil
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
		return s.show(w, r, http.StatusUnprocessableEntity, casePage(v.titled("doubt", c.Wanted()), c))
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
		s.seconds.ask(second{Resolution: d, line: c.Line, at: v.now})
		return done(w, r, "/doubt/"+c.ID)
	}
	if _, err := s.Service.Resolve(r.Context(), d); err != nil {
		return refuse(err)
	}
	s.seconds.forget(c.ID)
	return done(w, r, "/doubt/"+c.ID)
}

// agreeDoubt carries out what another person has decided.
func (s *site) agreeDoubt(w http.ResponseWriter, r *http.Request, v view) error {
	c, err := s.readCourt(r.Context(), v, r.PathValue("line"))
	if err != nil {
		return err
	}
	switch {
	case c.asked == nil:
		return fmt.Errorf("nobody waits for a second person about line %s any more; nothing was decided", c.ID)
	case r.FormValue("answer") == "no":
		s.seconds.forget(c.ID)
		return done(w, r, "/doubt/"+c.ID)
	case same(c.asked.By, v.who.Name):
		return fmt.Errorf("%s has decided, and a second person has to agree", v.who.Name)
	}
	d := c.asked.Resolution
	d.Second = v.who.Name
	if _, err := s.Service.Resolve(r.Context(), d); err != nil {
		return err
	}
	s.seconds.forget(c.ID)
	return done(w, r, "/doubt/"+c.ID)
}

// second is a decision that waits for a second person to agree.
type second struct {
	api.Resolution
	line api.Line // as the first person saw it
	at   time.Time
}

// secondWaits is how long a decision waits for a second person.
const secondWaits = time.Hour

// seconds are the decisions that wait. They are kept in this process: one that is
// forgotten is asked for again, and nothing was decided.
type seconds struct {
	mu   sync.Mutex
	list map[string]second
}

func (s *seconds) ask(d second) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list == nil {
		s.list = map[string]second{}
	}
	s.list[d.line.ID] = d
}

// of returns what waits about a line, unless the line is another one by now.
func (s *seconds) of(l api.Line, now time.Time) (second, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.list[l.ID]
	return d, ok && l.State == d.line.State && l.UpdatedAt.Equal(d.line.UpdatedAt) && now.Sub(d.at) < secondWaits
}

func (s *seconds) forget(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.list, line)
}

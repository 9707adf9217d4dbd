package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// The control surface: what a test or a person may see and do that no client of
// a cloud can. It is not authenticated and never shows a secret or a session
// token.

// controlRoutes maps path and method to a handler that returns the JSON answer.
// An error is answered with status 400 and one sentence.
var controlRoutes = map[string]map[string]func(*Sim, *http.Request) (any, error){
	"/_sim/ledger": {
		"GET": func(s *Sim, r *http.Request) (any, error) {
			if err := onlyQuery(r.URL.Query()); err != nil {
				return nil, err
			}
			return s.ledger()
		},
	},
	"/_sim/existing": {
		"POST": func(s *Sim, r *http.Request) (any, error) {
			var in []Existing
			if err := decode(r, &in); err != nil {
				return nil, err
			}
			return map[string]string{}, s.Add(in...)
		},
	},
	"/_sim/requests": {"GET": (*Sim).controlRequests},
	"/_sim/faults": {
		"GET": func(s *Sim, _ *http.Request) (any, error) { return s.faultViews() },
		"POST": func(s *Sim, r *http.Request) (any, error) {
			var f Fault
			if err := decode(r, &f); err != nil {
				return nil, err
			}
			id, err := s.AddFault(f)
			return map[string]string{"id": id}, err
		},
		"DELETE": func(s *Sim, r *http.Request) (any, error) {
			q := r.URL.Query()
			if err := onlyQuery(q, "id"); err != nil {
				return nil, err
			}
			if q.Has("id") {
				return map[string]string{}, s.RemoveFault(q.Get("id"))
			}
			return map[string]string{}, s.ClearFaults()
		},
	},
	"/_sim/clock": {
		"GET": func(s *Sim, _ *http.Request) (any, error) { return s.clockView() },
		"POST": func(s *Sim, r *http.Request) (any, error) {
			var in struct {
				Advance string `json:"advance"`
			}
			if err := decode(r, &in); err != nil {
				return nil, err
			}
			d, err := time.ParseDuration(in.Advance)
			if err != nil {
				return nil, fmt.Errorf("advance %q is not a duration such as 15m or 8760h", in.Advance)
			}
			if err := s.Advance(d); err != nil {
				return nil, err
			}
			return s.clockView()
		},
	},
	"/_sim/reset": {
		"POST": func(s *Sim, _ *http.Request) (any, error) { return map[string]string{}, s.Reset() },
	},
	"/_sim/accounts": {
		"GET": func(s *Sim, _ *http.Request) (any, error) { return s.Accounts(), nil },
	},
	"/_sim/prices": {
		"POST": func(s *Sim, r *http.Request) (any, error) {
			var in struct {
				OfferingID string `json:"offering_id"`
				Fixed      string `json:"fixed"`
				Hourly     string `json:"hourly"`
			}
			if err := decode(r, &in); err != nil {
				return nil, err
			}
			fixed, err := money.Parse(in.Fixed, currency)
			if err != nil {
				return nil, fmt.Errorf("fixed: %w", err)
			}
			hourly, err := money.Parse(in.Hourly, currency)
			if err != nil {
				return nil, fmt.Errorf("hourly: %w", err)
			}
			return map[string]string{}, s.SetPrice(in.OfferingID, fixed, hourly)
		},
	},
}

func (s *Sim) control(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_sim" || r.URL.Path == "/_sim/" {
		if r.Method != http.MethodGet {
			writeJSON(w, http.StatusMethodNotAllowed, controlError(fmt.Errorf("%s takes GET, not %s", r.URL.Path, r.Method)))
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, Help)
		return
	}
	methods, ok := controlRoutes[r.URL.Path]
	if !ok {
		writeJSON(w, http.StatusNotFound, controlError(fmt.Errorf("no %s; GET /_sim/ lists what there is", r.URL.Path)))
		return
	}
	handler, ok := methods[r.Method]
	if !ok {
		var allowed []string
		for m := range methods {
			allowed = append(allowed, m)
		}
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeJSON(w, http.StatusMethodNotAllowed, controlError(fmt.Errorf("%s takes %s, not %s", r.URL.Path, strings.Join(allowed, " or "), r.Method)))
		return
	}
	out, err := handler(s, r)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, controlError(err))
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func controlError(err error) map[string]string { return map[string]string{"error": err.Error()} }

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// decode reads exactly one JSON value without unknown fields.
func decode(r *http.Request, into any) error {
	dec := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("the body is not the JSON this wants: %w", err)
	}
	if dec.More() {
		return errors.New("the body holds more than one JSON value")
	}
	return nil
}

// onlyQuery refuses query parameters other than those named.
func onlyQuery(q url.Values, names ...string) error {
	for name := range q {
		if !slices.Contains(names, name) {
			return fmt.Errorf("unknown query parameter %q", name)
		}
	}
	return nil
}

func (s *Sim) controlRequests(r *http.Request) (any, error) {
	q := r.URL.Query()
	if err := onlyQuery(q, "service", "operation", "account", "spending"); err != nil {
		return nil, err
	}
	spending, err := strconv.ParseBool(q.Get("spending"))
	if q.Has("spending") && err != nil {
		return nil, fmt.Errorf("spending %q: want true or false", q.Get("spending"))
	}
	list, err := s.requests()
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(e Request) bool {
		return q.Has("service") && q.Get("service") != e.Service ||
			q.Has("operation") && q.Get("operation") != e.Operation ||
			q.Has("account") && q.Get("account") != e.Account ||
			q.Has("spending") && spending != e.Spending
	})
	return append([]Request{}, list...), nil // [] and not null
}

type clockView struct {
	Now    time.Time `json:"now"`
	Offset string    `json:"offset"` // ahead of the wall clock
}

func (s *Sim) clockView() (v clockView, err error) {
	err = s.read(func(w *world, now time.Time) { v = clockView{Now: now, Offset: w.offset.String()} })
	return v, err
}

type faultView struct {
	Fault   Fault `json:"fault"`
	Matched int   `json:"matched"` // requests it fitted
	Struck  int   `json:"struck"`
	Spent   bool  `json:"spent"` // strikes no more
}

func (s *Sim) faultViews() (views []faultView, err error) {
	views = []faultView{}
	err = s.read(func(w *world, _ time.Time) {
		for _, f := range w.faults {
			views = append(views, faultView{Fault: f.Fault, Matched: f.matched, Struck: f.struck, Spent: f.spent()})
		}
	})
	return views, err
}

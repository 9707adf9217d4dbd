package web

import (
	"cmp"
	"fmt"
	"net/http"

	"bursar/internal/api"
	"bursar/internal/auth"
)

func (s *site) schedulePages() {
	s.get("/schedules", auth.Read, s.schedules)
	s.post("/schedules/run", auth.TaskRun, s.runTask)
	s.post("/schedules/cancel", auth.ScheduleCancel, s.cancelSchedule)
}

func (s *site) schedules(w http.ResponseWriter, r *http.Request, v view) error {
	list, err := s.Service.Schedules(r.Context())
	if err != nil {
		return err
	}
	ids := make([]string, len(list.Plans))
	for i, p := range list.Plans {
		ids[i] = p.Plan
	}
	names, err := s.Service.PlanNames(r.Context(), ids)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, schedulesPage(v.titled("schedules", "Schedules"), list, names))
}

func (s *site) runTask(w http.ResponseWriter, r *http.Request, v view) error {
	ran, err := s.Service.RunTask(r.Context(), r.FormValue("task"))
	if err != nil {
		return err
	}
	if ran.Problem != "" {
		return fmt.Errorf("%s: %s", ran.Task, ran.Problem)
	}
	return done(w, r, "/schedules")
}

func (s *site) cancelSchedule(w http.ResponseWriter, r *http.Request, v view) error {
	if _, err := s.Service.CancelSchedule(r.Context(), r.FormValue("schedule"), v.who.Name); err != nil {
		return err
	}
	return done(w, r, "/schedules")
}

// planName is what a plan is called, or its id where it is not known.
func planName(names map[string]string, s api.PlanSchedule) string {
	return cmp.Or(names[s.Plan], s.Plan)
}

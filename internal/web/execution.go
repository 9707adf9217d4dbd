package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"bursar/internal/auth"
)

func (s *site) executionPages() {
	s.get("/plans/{plan}/execution", auth.Read, s.execution)
	s.get("/plans/{plan}/events", auth.Read, s.executionEvents)
}

func (s *site) execution(w http.ResponseWriter, r *http.Request, v view) error {
	p, err := s.Service.Plan(r.Context(), r.PathValue("plan"))
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, executionPage(v.titled("plans", "Execution of "+p.Name), p))
}

// beat is how often a plan is looked at for those who watch it.
const beat = time.Second

// executionEvents sends the state of an execution whenever it has changed, until it
// has ended or the browser goes.
func (s *site) executionEvents(w http.ResponseWriter, r *http.Request, v view) error {
	p, err := s.Service.Plan(r.Context(), r.PathValue("plan"))
	if err != nil {
		return err
	}
	flusher := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // of a proxy in front
	if err := flusher.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var last string
	for {
		var b bytes.Buffer
		if err := executionLive(v, p).Render(r.Context(), &b); err != nil {
			return nil
		}
		if text := b.String(); text != last {
			last = text
			if err := event(w, "", text); err != nil {
				return nil
			}
			if err := flusher.Flush(); err != nil {
				return nil
			}
		}
		if !hasOpen(p) {
			event(w, "ended", "") //nolint:errcheck // the browser has gone
			return nil
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-tick.C:
		}
		v.now = s.Service.Now()
		if p, err = s.Service.Plan(r.Context(), p.ID); err != nil {
			return nil // the next connection tells, or the browser has gone
		}
	}
}

// event writes one event of a stream.
func event(w http.ResponseWriter, name, data string) error {
	var b strings.Builder
	if name != "" {
		fmt.Fprintf(&b, "event: %s\n", name)
	}
	for line := range strings.Lines(data) {
		fmt.Fprintf(&b, "data: %s\n", strings.TrimRight(line, "\r\n"))
	}
	if data == "" {
		b.WriteString("data:\n")
	}
	b.WriteString("\n")
	_, err := w.Write([]byte(b.String()))
	return err
}

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"bursar/internal/api"
	"bursar/internal/auth"
)

const (
	heartbeat   = 15 * time.Second // of a stream on which nothing happens
	writeWithin = 10 * time.Second
)

type watch struct {
	PlanID
	LastEventID int `header:"Last-Event-ID" doc:"Number of the last event that was received" minimum:"0"`
}

// events registers the stream of a plan's progress.
func (s *Server) events(a huma.API) {
	event := huma.SchemaFromType(a.OpenAPI().Components.Schemas, reflect.TypeFor[api.Progress]())
	op := huma.Operation{
		Method: http.MethodGet, Path: prefix + "/plans/{plan}/events", OperationID: "watch-plan", Summary: "How the execution of a plan goes on, as it happens",
		Description: "Server-sent events, numbered from 1 by the moves of the plan's lines. The data of each event progress is a line as it then is, with the sums of the plan. " +
			"After Last-Event-ID nothing is left out; what an earlier event told may be told again. The event end follows when no line can move any more.",
		Errors: []int{401, 403, 404, 409, 422}, Security: []map[string][]string{{"token": {}}}, RejectUnknownQueryParameters: true,
		Responses: map[string]*huma.Response{"200": {
			Description: "OK", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: event}},
		}},
	}
	op.Middlewares = huma.Middlewares{s.permit(auth.ReadAny)}
	huma.Register(a, op, func(ctx context.Context, in *watch) (*huma.StreamResponse, error) {
		if _, err := s.Service.Plan(ctx, in.Plan); err != nil {
			return nil, problemOf(ctx, err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			_, w := humago.Unwrap(c)
			s.stream(c.Context(), w, in)
		}}, nil
	})
}

// stream sends events until the execution is over or nobody listens.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, in *watch) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	to := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	var mu sync.Mutex
	send := func(text string) error {
		mu.Lock()
		defer mu.Unlock()
		if err := to.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
		return to.Flush()
	}
	if send(": the progress of the plan\n\n") != nil {
		return
	}
	var beating sync.WaitGroup
	defer beating.Wait()
	defer stop()
	beating.Go(func() {
		beat := time.NewTicker(heartbeat)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
				if send(":\n\n") != nil {
					stop()
					return
				}
			}
		}
	})
	err := s.Service.Watch(ctx, in.Plan, in.LastEventID, func(p api.Progress) error {
		data, err := json.Marshal(p)
		if err != nil {
			return err
		}
		return send(fmt.Sprintf("id: %d\nevent: progress\ndata: %s\n\n", p.Number, data))
	})
	switch {
	case err == nil:
		_ = send("event: end\ndata: {}\n\n") // whoever listened has gone
	case ctx.Err() == nil:
		data, _ := json.Marshal(problemOf(ctx, err)) // of texts
		_ = send(fmt.Sprintf("event: problem\ndata: %s\n\n", data))
	}
}

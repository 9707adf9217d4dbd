package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

type noPlans struct{ api.Service }

func (noPlans) PlanPage(context.Context, api.PlanFilter) (api.PlanPage, error) {
	return api.PlanPage{Plans: []api.PlanSummary{{ID: "01"}}}, nil
}

func TestSlice(t *testing.T) {
	s, err := New(Options{
		Service: noPlans{}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Auth: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "Bearer ada" {
					r = r.WithContext(auth.With(r.Context(), auth.Principal{Name: "ada", Roles: []auth.Role{auth.Viewer}}))
				}
				next.ServeHTTP(w, r)
			})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	for _, path := range []string{"/api/v1/plans", "/api/v1/plans?x=1", "/api/v1/plans?limit=9999", "/api/v2/", "/nowhere", "/openapi.json"} {
		r, _ := http.NewRequest("GET", srv.URL+path, nil)
		r.Header.Set("Authorization", "Bearer ada")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		t.Log(path, resp.Status, string(b[:min(len(b), 600)]), resp.Header)
	}
}

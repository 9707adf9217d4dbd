package web_test

import (
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
)

// TestMarkedRecommendation: the page of a line tells what Google was told of it.
func TestMarkedRecommendation(t *testing.T) {
	w := newWorld(t, configuration)
	created, err := w.app.CreatePlan(t.Context(), api.PlanRequest{Clouds: &api.RecommendRequest{Providers: []string{"gcp"}, Account: "example-prod", Services: []string{"compute"}}, Requester: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	p := created.Plan
	if _, err := w.app.Decide(t.Context(), api.Decision{Plan: p.ID, Digest: p.Digest, By: "grace", Approve: true}, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.app.Begin(t.Context(), p.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if ran, err := w.app.RunTask(t.Context(), "recommendations"); err != nil || ran.Counts["claimed"] != len(p.Lines) {
		t.Fatalf("%+v, %v", ran, err)
	}
	v := visitor{w, "vera"}
	if _, body := v.open("/history/" + p.Lines[0].ID); !strings.Contains(body, "recommendation was marked CLAIMED") || !strings.Contains(body, "recommendations/") {
		t.Error(body)
	}
}

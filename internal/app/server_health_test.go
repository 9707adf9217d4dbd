package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bursar/internal/auth"
)

// TestHealth: a process that lives says so to anybody, a ledger that cannot be used is
// told of, and metrics are for who sees every account, or for the operator.
func TestHealth(t *testing.T) {
	_, a, _ := approved(t, 1)
	s := serve(t, a)
	all, some := s.token("vi", false, nil, auth.Viewer), s.token("will", false, []string{"444455556666"}, auth.Viewer)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if got := s.ask("GET", path, "", ""); got.StatusCode != 200 || string(got.body) != want {
			t.Errorf("%s: %s %q", path, got.Status, got.body)
		}
	}
	for token, want := range map[string]int{"": 401, some: 403, all: 200} {
		if got := s.ask("GET", "/metrics", token, ""); got.StatusCode != want {
			t.Errorf("metrics: %s, want %d", got.Status, want)
		}
	}
	said := string(s.ask("GET", "/metrics", all, "").body)
	for _, line := range []string{`bursar_lines{state="ready"} 2`, `bursar_lines{state="armed"} 0`, "bursar_in_doubt_age_seconds 0", "bursar_purchasing 1", "bursar_recovery 0", "bursar_ledger_up 1", `bursar_cloud_calls_total{provider="aws",result="200",service="rds"} `} {
		if !strings.Contains(said, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	o, _, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	probes := httptest.NewServer(o.Probes())
	defer probes.Close()
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/api/v1/plans": 404} {
		resp, err := http.Get(probes.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("probe %s: %s", path, resp.Status)
		}
	}
	if err := a.db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.ask("GET", "/readyz", "", ""); got.StatusCode != 503 || !strings.Contains(got.problem.Detail, "the ledger cannot be read") {
		t.Errorf("%s %s", got.Status, got.body)
	}
	if got := s.ask("GET", "/healthz", "", ""); got.StatusCode != 200 {
		t.Errorf("%s", got.Status)
	}
}

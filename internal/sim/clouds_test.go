package sim

import (
	"net/http"
	"testing"
)

// TestOnePort: a path decides which cloud a request is for, a token where no path does,
// and what is neither is AWS. No cloud takes the token of another.
func TestOnePort(t *testing.T) {
	const (
		subscriptionToken = "Bearer sim-" + azureA
		projectToken      = "Bearer sim-example-prod"
		region            = "/compute/v1/projects/example-prod/regions/us-central1"
	)
	s := newSim(t, Options{})
	url := serve(t, s)
	for _, row := range []struct {
		path, auth string
		cloud      string
		status     int
	}{
		{"/subscriptions?api-version=2022-12-01", subscriptionToken, onAzure, 200},
		{"/subscriptions?api-version=2022-12-01", projectToken, onAzure, 401},
		{"/subscriptions?api-version=2022-12-01", "", onAzure, 401},
		{region, projectToken, onGCP, 200},
		{region, subscriptionToken, onGCP, 401},
		{region, "", onGCP, 401},
		{"/nowhere", subscriptionToken, onAzure, 404},
		{"/nowhere", projectToken, onGCP, 404},
		{"/nowhere", "", onAWS, 403},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+row.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if row.auth != "" {
			req.Header.Set("Authorization", row.auth)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		log := s.Requests()
		if got := log[len(log)-1].Provider; got != row.cloud || resp.StatusCode != row.status {
			t.Errorf("%s as %q: %s %d, want %s %d", row.path, row.auth, got, resp.StatusCode, row.cloud, row.status)
		}
		if id := resp.Header.Get("X-Amzn-Requestid"); (id != "") != (row.cloud == onAWS) {
			t.Errorf("%s as %q: the header of AWS is %q", row.path, row.auth, id)
		}
	}
}

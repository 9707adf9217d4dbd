package sim

import (
	"net/http"
	"strings"
	"testing"
	"time"

	gce "google.golang.org/api/compute/v1"
	"google.golang.org/api/option"
	"google.golang.org/api/recommender/v1"
)

// TestRecommendations reads the advice with the official client, page by page.
func TestRecommendations(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true, PageSize: 1})
	g := newGoogle(t, s)
	api, err := recommender.NewService(t.Context(), option.WithHTTPClient(&http.Client{Transport: g}), option.WithEndpoint(g.url+"/"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*recommender.GoogleCloudRecommenderV1Recommendation
	parent := "projects/" + project + "/locations/europe-west1/recommenders/google.compute.commitment.UsageCommitmentRecommender"
	err = api.Projects.Locations.Recommenders.Recommendations.List(parent).Pages(t.Context(), func(r *recommender.GoogleCloudRecommenderV1ListRecommendationsResponse) error {
		all = append(all, r.Recommendations...)
		return nil
	})
	if err != nil || len(all) != 2 || all[0].XorGroupId != all[1].XorGroupId || all[0].StateInfo.State != "ACTIVE" || strings.Contains(all[0].Name, project) ||
		len(all[0].Content.OperationGroups) != 1 || all[0].PrimaryImpact.CostProjection.Cost.Units >= 0 {
		t.Errorf("recommendations %+v, %v", all, err)
	}
}

// TestLicenseCommitments: a license commitment has no type, and a license is of some
// number of cores.
func TestLicenseCommitments(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true, Visibility: -1})
	g := newGoogle(t, s)
	const sles = "https://www.googleapis.com/compute/v1/projects/suse-sap-cloud/global/licenses/sles-sap-12"
	insert := func(c gce.Commitment) error {
		c.Plan = "TWELVE_MONTH"
		_, err := g.compute().RegionCommitments.Insert(project, gcpTestZone, &c).Do()
		return err
	}
	license := func(cores string, n int64) *gce.LicenseResourceCommitment {
		return &gce.LicenseResourceCommitment{License: sles, CoresPerLicense: cores, Amount: n}
	}
	for name, c := range map[string]gce.Commitment{
		"of no cores":      {Category: "LICENSE", LicenseResource: license("", 1)},
		"of odd cores":     {Category: "LICENSE", LicenseResource: license("4", 1)},
		"of none":          {Category: "LICENSE", LicenseResource: license("3-4", 0)},
		"with a type":      {Category: "LICENSE", Type: "GENERAL_PURPOSE_N2", LicenseResource: license("3-4", 1)},
		"of machines":      {Category: "MACHINE", Type: "GENERAL_PURPOSE_N2", LicenseResource: license("3-4", 1)},
		"without category": {LicenseResource: license("3-4", 1)},
	} {
		c.Name = "bad"
		if err := insert(c); err == nil || !strings.Contains(err.Error(), "invalid") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := insert(gce.Commitment{Name: "good", Category: "LICENSE", LicenseResource: license("3-4", 5)}); err != nil {
		t.Fatal(err)
	}
	got, err := g.compute().RegionCommitments.Get(project, gcpTestZone, "good").Do()
	if err != nil || got.Category != "LICENSE" || got.Type != "" || got.LicenseResource == nil || got.LicenseResource.Amount != 5 || got.LicenseResource.CoresPerLicense != "3-4" || got.LicenseResource.License != sles {
		t.Errorf("shows %+v, %v", got, err)
	}
	if l := s.Ledger(); len(l) != 1 || l[0].Count != 5 || l[0].Hourly.Canonical() != "0.1394" {
		t.Errorf("ledger %+v", l)
	}
}

// TestGooglePermissions: what is not granted is refused, and told when it is asked for.
func TestGooglePermissions(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true, GooglePermissions: map[string][]string{project: {"compute.regions.get"}}})
	g := newGoogle(t, s)
	if status, body := g.ask("POST", "/v3/projects/"+project+":testIamPermissions", `{"permissions":["compute.commitments.create","compute.regions.get"]}`); status != 200 ||
		strings.Contains(body, "commitments") || !strings.Contains(body, `"compute.regions.get"`) {
		t.Errorf("test of permissions: %d %s", status, body)
	}
	if status, body := g.ask("GET", "/compute/v1/projects/"+project+"/regions/"+gcpTestZone+"/commitments", ""); status != 403 || !strings.Contains(body, "Required 'compute.commitments.list' permission") {
		t.Errorf("list: %d %s", status, body)
	}
	if status, _ := g.ask("GET", "/compute/v1/projects/"+project+"/regions/"+gcpTestZone, ""); status != 200 {
		t.Errorf("region: %d", status)
	}
	if _, err := g.compute().RegionCommitments.Insert(project, gcpTestZone, &gce.Commitment{Name: "x"}).Do(); err == nil || len(s.Ledger()) != 0 {
		t.Errorf("insert: %v", err)
	}
}

// TestMarkedRecommendations: a mark takes the newest etag, changes it, and shows.
func TestMarkedRecommendations(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true})
	g := newGoogle(t, s)
	api, err := recommender.NewService(t.Context(), option.WithHTTPClient(&http.Client{Transport: g}), option.WithEndpoint(g.url+"/"))
	if err != nil {
		t.Fatal(err)
	}
	all := api.Projects.Locations.Recommenders.Recommendations
	listed, err := all.List("projects/" + project + "/locations/europe-west1/recommenders/google.compute.commitment.UsageCommitmentRecommender").Do()
	if err != nil {
		t.Fatal(err)
	}
	name, old := listed.Recommendations[0].Name, listed.Recommendations[0].Etag
	if err := s.Advance(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	claim := func(etag string, said map[string]string) (*recommender.GoogleCloudRecommenderV1Recommendation, error) {
		return all.MarkClaimed(name, &recommender.GoogleCloudRecommenderV1MarkRecommendationClaimedRequest{Etag: etag, StateMetadata: said}).Do()
	}
	if _, err := claim(old, nil); err == nil || !strings.Contains(err.Error(), "etag") {
		t.Errorf("claimed with the etag of yesterday: %v", err)
	}
	if _, err := claim("", nil); err == nil {
		t.Error("claimed without an etag")
	}
	now, err := all.Get(name).Do()
	if err != nil || now.Etag == old || now.StateInfo.State != "ACTIVE" {
		t.Fatalf("%+v, %v", now, err)
	}
	if _, err := claim(now.Etag, map[string]string{"Upper": "x"}); err == nil {
		t.Error("claimed with a key that is none")
	}
	claimed, err := claim(now.Etag, map[string]string{"line": "L1"})
	if err != nil || claimed.StateInfo.State != "CLAIMED" || claimed.StateInfo.StateMetadata["line"] != "L1" || claimed.Etag == now.Etag {
		t.Fatalf("%+v, %v", claimed, err)
	}
	if err := s.Advance(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if got, err := all.Get(name).Do(); err != nil || got.Etag != claimed.Etag || got.StateInfo.State != "CLAIMED" {
		t.Errorf("a day later %+v, %v", got, err)
	}
	done, err := all.MarkSucceeded(name, &recommender.GoogleCloudRecommenderV1MarkRecommendationSucceededRequest{Etag: claimed.Etag}).Do()
	if err != nil || done.StateInfo.State != "SUCCEEDED" || len(done.StateInfo.StateMetadata) != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if status, _ := g.ask("POST", "/v1/"+strings.Replace(name, "projects/", "projects/9", 1)+":markFailed", `{"etag":"x"}`); status != 403 {
		t.Errorf("of another project: %d", status)
	}
}

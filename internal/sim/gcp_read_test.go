package sim

import (
	"net/http"
	"strings"
	"testing"

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

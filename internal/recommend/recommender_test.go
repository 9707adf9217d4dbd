package recommend

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecommender(t *testing.T) {
	in, err := readFile(t, "recommender.json")
	if err != nil {
		t.Fatal(err)
	}
	var drafts, left []string
	for _, d := range in.Drafts {
		checkDraft(t, d)
		drafts = append(drafts, inWords(d))
	}
	for _, l := range in.Left {
		left = append(left, l.What+": "+l.Why)
	}
	if diff := cmp.Diff([]string{
		"1 x compute memory_gb=16 type=general-purpose-n2 vcpu=4, 1y monthly, example-prod us-central1; Google's Recommender, LOW_WATERMARK; expected savings USD 120.50 in 30 days",
		"1 x compute memory_gb=32.5 type=compute-optimized-c3 vcpu=8, 3y monthly, example-prod europe-west1; Google's Recommender, LOW_WATERMARK; expected savings USD 120.50 in 30 days",
	}, drafts); diff != "" {
		t.Errorf("drafts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"recommendation r2: it and recommendation r1 exclude one another",
		"recommendation r4: its state is CLAIMED",
		`recommendation r5: it names its project by number: add the id beside the recommendations: "project_ids": {"777": "example-prod"}`,
		"recommendation r6: it has accelerators or local disks, which need a reservation that is billed by itself",
		"recommendation r7: it does not name the offer that spending is committed to by: write a line of service spend",
		"further pages: the answer was saved without them",
	}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestRecommenderRefuses(t *testing.T) {
	const name = `"name": "projects/example-prod/locations/us-central1/recommenders/google.compute.commitment.UsageCommitmentRecommender/recommendations/r1"`
	for text, want := range map[string]string{
		`{"recommendations": []}`:                                         "",
		`{"recommendations": [{"name": "r1"}]}`:                           `f.json:1: recommendations[0].name: "r1" is not the name of a recommendation`,
		`[{"content": {}, ` + name + `}]`:                                 "content.operationGroups: is missing",
		`{"recommendations": [1]}`:                                        "recommendations[0]: must be an object, not a number",
		`{"project_ids": {"example-prod": "123"}, "recommendations": []}`: "want a project's number with its id",
		`[{` + name + `, "content": {"operationGroups": [{"operations": [{"action": "add", "resourceType": "compute.googleapis.com/Commitment",
 "value": {"plan": "TWELVE_MONTH", "type": "GENERAL_PURPOSE_N2", "resources": [{"type": "VCPU", "amount": "4.5"}]}}]}]}}]`: "resources[0].amount: 4.5 is not a whole number",
	} {
		in, err := Read("f.json", strings.NewReader(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %+v, %v, want %q", text, in, err, want)
		}
	}
}

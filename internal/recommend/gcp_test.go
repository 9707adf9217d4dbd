package recommend

import (
	"slices"
	"strings"
	"testing"
)

// commitmentTypes are those of compute v1, revision 20261026, as gcloud spells them.
var commitmentTypes = strings.Fields(`
	accelerator-optimized accelerator-optimized-a3 accelerator-optimized-a3-mega accelerator-optimized-a3-ultra
	accelerator-optimized-a4 compute-optimized compute-optimized-c2d compute-optimized-c3 compute-optimized-c3d
	compute-optimized-h3 compute-optimized-h4d compute-optimized-h4d-3tb general-purpose general-purpose-c4
	general-purpose-c4a general-purpose-c4d general-purpose-e2 general-purpose-n2 general-purpose-n2d general-purpose-n4
	general-purpose-n4a general-purpose-n4d general-purpose-t2d graphics-optimized graphics-optimized-g4
	graphics-optimized-g4-vgpu memory-optimized memory-optimized-m3 memory-optimized-m4 memory-optimized-m4n
	memory-optimized-m4n-6tb memory-optimized-m4-6tb memory-optimized-x4-1440-24t memory-optimized-x4-16tb
	memory-optimized-x4-1920-32t memory-optimized-x4-24tb memory-optimized-x4-32tb memory-optimized-x4-480-6t
	memory-optimized-x4-480-8t memory-optimized-x4-960-12t memory-optimized-x4-960-16t memory-optimized-x5-1376-24t
	memory-optimized-x5-1376-32t memory-optimized-x5-2064-48t memory-optimized-x5-688-12t memory-optimized-x5-688-16t
	network-optimized-c4n network-optimized-u4c network-optimized-u4p network-optimized-u4s storage-optimized-z3
	storage-optimized-z4d4t storage-optimized-z4dh storage-optimized-z4ds storage-optimized-z4m
`)

// TestMachineSeries: a machine series stands for the one type of commitment that covers
// its machines, and one whose machines have several stands for none.
func TestMachineSeries(t *testing.T) {
	for series, kind := range machineSeries {
		if !slices.Contains(commitmentTypes, kind) {
			t.Errorf("series %s: Google has no commitments of type %s", series, kind)
		}
	}
	const head = "provider,account,region,service,resource type,vcpu,memory gb,cores,count,term,payment option\n"
	for _, c := range []struct{ service, text, key, want string }{
		{"compute", "N2", "type", "general-purpose-n2"},
		{"compute", "n1", "type", "general-purpose"},
		{"compute", "c3", "type", "compute-optimized-c3"},
		{"compute", "GENERAL_PURPOSE_E2", "type", "general-purpose-e2"},
		{"compute", "general-purpose-n4", "type", "general-purpose-n4"},
		{"compute", "x4", "type", ""},
		{"compute", "m4", "type", ""},
		{"licenses", "https://www.googleapis.com/compute/v1/projects/suse-sap-cloud/global/licenses/sles-sap-12", "license", "suse-sap-cloud/sles-sap-12"},
	} {
		row := "gcp,example-prod,europe-west1,compute," + c.text + ",8,32,,1,1y,monthly\n"
		if c.service == "licenses" {
			row = "gcp,example-prod,europe-west1,licenses," + c.text + ",,,3-4,5,1y,monthly\n"
		}
		in, err := Read("f.csv", strings.NewReader(head+row))
		switch {
		case c.want == "" && (err == nil || !strings.Contains(err.Error(), "f.csv:2")):
			t.Errorf("%s: %+v, %v, want an error", c.text, in.Drafts, err)
		case c.want != "" && (err != nil || len(in.Drafts) != 1 || in.Drafts[0].Attributes[c.key] != c.want):
			t.Errorf("%s: %+v, %v, want %s", c.text, in.Drafts, err, c.want)
		}
	}
}

package policy

import (
	"os"
	"testing"
)

func TestTheExampleIsRead(t *testing.T) {
	data, err := os.ReadFile("../../testdata/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Read("policy.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "databases" || len(p.filters) != 5 || len(p.Caps) != 3 || p.Ladder.Tranches != 4 || p.Auto == nil || len(p.Approvals) != 2 {
		t.Errorf("%+v", p)
	}
}

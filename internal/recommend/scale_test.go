package recommend

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScale(t *testing.T) {
	in := Input{Name: "p", Left: []Left{{What: "x", Why: "y"}}, Drafts: []Draft{
		{At: Position{"p", 1, ""}, Quantity: 3}, {At: Position{"p", 2, ""}, Quantity: 5, Account: "111122223333", Region: "us-east-1"}, {At: Position{"p", 3, ""}, Quantity: 1, Account: "111122223333", Region: "us-east-1"},
	}}
	before := in.Drafts[0]
	out, rounded, err := in.Scale(80)
	if err != nil {
		t.Fatal(err)
	}
	wantOut := Input{Name: "p",
		Drafts: []Draft{{At: Position{"p", 1, ""}, Quantity: 2}, {At: Position{"p", 2, ""}, Quantity: 4, Account: "111122223333", Region: "us-east-1"}},
		Left:   []Left{{What: "x", Why: "y"}, {Position{"p", 3, ""}, "1 x  in us-east-1 for 111122223333", "80 per cent of 1 is 0.8, less than one"}},
	}
	wantRounded := []Rounded{{Position{"p", 1, ""}, "3", "2.4", "2", "0.4"}, {Position{"p", 3, ""}, "1", "0.8", "0", "0.8"}}
	if diff := cmp.Diff(wantOut, out); diff != "" {
		t.Errorf("scaled (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantRounded, rounded); diff != "" {
		t.Errorf("rounded (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, in.Drafts[0]); diff != "" || len(in.Drafts) != 3 || len(in.Left) != 1 {
		t.Errorf("the input was changed:\n%s", diff)
	}
	for _, bad := range []int{0, -1, 101} {
		if _, _, err := in.Scale(bad); err == nil {
			t.Errorf("coverage %d accepted", bad)
		}
	}
}

// TestScaleLosesNothing checks every coverage against many quantities: what is
// kept and what is away add up to the exact share.
func TestScaleLosesNothing(t *testing.T) {
	quantities := []int64{1 << 62, 1<<63 - 1, 99_999_999_999}
	for q := range int64(250) {
		quantities = append(quantities, q+1, q*39+1)
	}
	for coverage := 1; coverage <= 100; coverage++ {
		for _, q := range quantities {
			out, rounded, err := Input{Drafts: []Draft{{Quantity: q}}}.Scale(coverage)
			if err != nil {
				t.Fatal(err)
			}
			kept, sum := int64(0), new(big.Rat)
			if len(out.Drafts) == 1 {
				kept = out.Drafts[0].Quantity
			}
			exact := big.NewRat(1, 100)
			exact.Mul(exact, new(big.Rat).SetInt(new(big.Int).Mul(big.NewInt(q), big.NewInt(int64(coverage)))))
			sum.SetInt64(kept)
			for _, r := range rounded {
				away, _ := new(big.Rat).SetString(r.Away)
				said, _ := new(big.Rat).SetString(r.Exact)
				if said.Cmp(exact) != 0 || r.Kept != fmt.Sprint(kept) || r.Was != fmt.Sprint(q) || strings.HasSuffix(r.Exact, "0") && strings.Contains(r.Exact, ".") {
					t.Fatalf("%d%% of %d: %+v", coverage, q, r)
				}
				sum.Add(sum, away)
			}
			if sum.Cmp(exact) != 0 || (kept == 0) != (len(out.Left) == 1) {
				t.Fatalf("%d%% of %d: kept %d, rounded %+v, left %d, exact %s", coverage, q, kept, rounded, len(out.Left), exact.RatString())
			}
		}
	}
}

// TestScaleCommitments: an amount per hour keeps five decimals, and what is less than
// the least is left.
func TestScaleCommitments(t *testing.T) {
	plan := func(n int64) Draft {
		return Draft{Quantity: n, Unit: "0.00001", Account: "111122223333", Attributes: map[string]string{"plan_type": "Compute"}}
	}
	out, rounded, err := Input{Drafts: []Draft{plan(150_000), plan(123_457), plan(120)}}.Scale(33)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Draft{plan(49_500), plan(40_740)}, out.Drafts); diff != "" {
		t.Errorf("scaled (-want +got):\n%s", diff)
	}
	want := []Rounded{{Was: "1.23457", Exact: "0.4074081", Kept: "0.4074", Away: "0.0000081"}, {Was: "0.0012", Exact: "0.000396", Kept: "0.00039", Away: "0.000006"}}
	if diff := cmp.Diff(want, rounded); diff != "" {
		t.Errorf("rounded (-want +got):\n%s", diff)
	}
	left := []Left{{What: "0.0012 per hour, plan_type=Compute, for 111122223333", Why: "33 per cent of 0.0012 is 0.000396, less than 0.001 per hour"}}
	if diff := cmp.Diff(left, out.Left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/google/go-cmp/cmp"
)

// allOfferings pages through a region with the SDK's paginator and returns the
// ids in the order seen, and the sizes of the pages.
func allOfferings(t *testing.T, c *rds.Client, in *rds.DescribeReservedDBInstancesOfferingsInput) (ids []string, sizes []int) {
	t.Helper()
	p := rds.NewDescribeReservedDBInstancesOfferingsPaginator(c, in)
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(out.ReservedDBInstancesOfferings))
		for _, o := range out.ReservedDBInstancesOfferings {
			ids = append(ids, *o.ReservedDBInstancesOfferingId)
		}
	}
	return ids, sizes
}

func TestPagesHoldEachOfferingOnce(t *testing.T) {
	var want []string
	for _, o := range builtin().byShop[shop{"rds", "us-east-1"}] {
		want = append(want, o.id)
	}
	slices.Sort(want)
	for _, size := range []int{1, 7, 20, 1000} {
		s := newSim(t, Options{PageSize: size, Seed: uint64(size)})
		ids, sizes := allOfferings(t, rdsClient(serve(t, s)), &rds.DescribeReservedDBInstancesOfferingsInput{MaxRecords: aws.Int32(50)})
		if slices.Max(sizes) > min(size, 50) || size > 1 && slices.Equal(slices.Compact(slices.Clone(sizes)), sizes[:1]) {
			t.Errorf("PageSize %d: pages of %v", size, sizes)
		}
		if slices.IsSorted(ids) {
			t.Errorf("PageSize %d: not shuffled", size)
		}
		slices.Sort(ids)
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("PageSize %d: (-want +got)\n%s", size, diff)
		}
	}
}

func TestEqualSeedsMakeEqualWorlds(t *testing.T) {
	run := func(seed uint64) string {
		s, endpoint := fixedSim(t, Options{Seed: seed, Visibility: time.Hour})
		var all strings.Builder
		for _, f := range []string{"DescribeReservedDBInstancesOfferings", "DescribeReservedDBInstancesOfferings"} {
			resp, body := signed{service: "rds", at: noon, form: rdsForm(f, "MaxRecords", "20")}.do(t, endpoint)
			fmt.Fprintln(&all, resp.Header, body)
		}
		_, body := signed{service: "rds", at: noon, form: rdsForm(purchase, "ReservedDBInstancesOfferingId", anOffering().id, "ReservedDBInstanceId", "x")}.do(t, endpoint)
		fmt.Fprintln(&all, body, s.Ledger()[0].VisibleAt, s.Ledger()[0].SettlesAt)
		return all.String()
	}
	if diff := cmp.Diff(run(1), run(1)); diff != "" {
		t.Errorf("two runs of one seed differ:\n%s", diff)
	}
	if run(1) == run(2) {
		t.Error("two seeds make one world")
	}
}

func TestOfferingFilters(t *testing.T) {
	s := newSim(t, Options{})
	c := rdsClient(serve(t, s))
	count := func(in *rds.DescribeReservedDBInstancesOfferingsInput) int {
		ids, _ := allOfferings(t, c, in)
		return len(ids)
	}
	type input = rds.DescribeReservedDBInstancesOfferingsInput
	large := aws.String("db.r6g.large") // mysql, postgresql, mariadb in two forms, two auroras in one
	for _, tt := range []struct {
		name string
		in   input
		want int
	}{
		{"class", input{DBInstanceClass: large}, 8 * 5},
		{"part of a product", input{DBInstanceClass: large, ProductDescription: aws.String("postgresql")}, 3 * 5},
		{"years", input{DBInstanceClass: large, Duration: aws.String("3")}, 8 * 2},
		{"seconds", input{DBInstanceClass: large, Duration: aws.String("31536000")}, 8 * 3},
		{"payment", input{DBInstanceClass: large, OfferingType: aws.String("No Upfront")}, 8},
		{"zones", input{DBInstanceClass: large, MultiAZ: aws.Bool(true)}, 3 * 5},
		{"not zones", input{DBInstanceClass: large, MultiAZ: aws.Bool(false)}, 5 * 5},
		{"none such", input{DBInstanceClass: aws.String("db.x9.huge")}, 0},
	} {
		if got := count(&tt.in); got != tt.want {
			t.Errorf("%s: %d offerings, want %d", tt.name, got, tt.want)
		}
	}
}

// A listing shows what was there when it began, whatever happens meanwhile.
func TestListingIsASnapshot(t *testing.T) {
	s := newSim(t, Options{PageSize: 3, Visibility: -1, Quota: 1000})
	url := serve(t, s)
	var seeds []Existing
	for i := range 25 {
		seeds = append(seeds, Existing{Account: account, Region: "us-east-1", ID: fmt.Sprintf("old-%d", i), OfferingID: anOffering().id, Count: 1})
	}
	if err := s.Add(seeds...); err != nil {
		t.Fatal(err)
	}
	c := rdsClient(url)
	p := rds.NewDescribeReservedDBInstancesPaginator(c, nil)
	seen := map[string]int{}
	for n := 0; p.HasMorePages(); n++ {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.ReservedDBInstances {
			seen[*r.ReservedDBInstanceId]++
		}
		mustBuy(t, url, fmt.Sprintf("new-%d", n))
		if err := s.Add(Existing{Account: account, Region: "us-east-1", ID: fmt.Sprintf("late-%d", n), OfferingID: anOffering().id, Count: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range seeds {
		if seen[e.ID] != 1 {
			t.Errorf("%s seen %d times", e.ID, seen[e.ID])
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d records, want 25: %v", len(seen), seen)
	}
}

func TestMarkerIsOfOneQuery(t *testing.T) {
	s := newSim(t, Options{})
	c := rdsClient(serve(t, s))
	out, err := c.DescribeReservedDBInstancesOfferings(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	tampered := []byte(*out.Marker)
	tampered[len(tampered)/2] ^= 1
	for name, in := range map[string]*rds.DescribeReservedDBInstancesOfferingsInput{
		"other query": {Marker: out.Marker, MultiAZ: aws.Bool(true)},
		"tampered":    {Marker: aws.String(string(tampered))},
		"empty":       {Marker: aws.String("")},
	} {
		if _, err := c.DescribeReservedDBInstancesOfferings(t.Context(), in); code(err) != "InvalidParameterValue" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.DescribeReservedDBInstances(t.Context(), &rds.DescribeReservedDBInstancesInput{Marker: out.Marker}); code(err) != "InvalidParameterValue" {
		t.Errorf("marker of another operation: %v", err)
	}
	if _, err := c.DescribeReservedDBInstancesOfferings(t.Context(), &rds.DescribeReservedDBInstancesOfferingsInput{Marker: out.Marker, MaxRecords: aws.Int32(20)}); err != nil {
		t.Errorf("a marker with other MaxRecords: %v", err)
	}
}

func TestAddMany(t *testing.T) {
	s := newSim(t, Options{PageSize: 100, Path: t.TempDir() + "/state"})
	seeds := make([]Existing, 10_000)
	for i := range seeds {
		seeds[i] = Existing{Account: account, Region: "us-east-1", ID: fmt.Sprintf("old-%d", i), OfferingID: anOffering().id, Count: 2}
	}
	if err := s.Add(seeds...); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(seeds[0]); err == nil || len(s.Ledger()) != 10_000 {
		t.Errorf("adding one twice: %v, %d in the ledger", err, len(s.Ledger()))
	}
	p := rds.NewDescribeReservedDBInstancesPaginator(rdsClient(serve(t, s)), nil)
	seen := map[string]bool{}
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.ReservedDBInstances {
			if seen[*r.ReservedDBInstanceId] || *r.State != stateActive {
				t.Fatalf("%s again, or %s", *r.ReservedDBInstanceId, *r.State)
			}
			seen[*r.ReservedDBInstanceId] = true
		}
	}
	if len(seen) != 10_000 {
		t.Errorf("listed %d", len(seen))
	}
}

package sizing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
)

const googleBilling = "012345-6789AB-CDEF01"

// resources is a file of 100 hours of vCPUs and memory of two projects, of one billing
// account, and of a machine of Azure and one of AWS.
func resources(t *testing.T, billing string) *Usage {
	t.Helper()
	var b strings.Builder
	b.WriteString("hour,provider,account,region,service,resource type,platform,tenancy,resource,billing account,quantity,on-demand rate,currency\n")
	for i := range 100 {
		at := hourTime(firstHour + i).Format(time.RFC3339)
		vcpu, memory := "16", "64"
		if i >= 50 {
			vcpu, memory = "20", "96.5"
		}
		for _, row := range []string{
			"gcp,example-prod,us-central1,compute,general-purpose-n2,,,vcpu," + billing + "," + vcpu + ",0.03",
			"gcp,example-prod,us-central1,compute,general-purpose-n2,,,memory_gb," + billing + "," + memory + ",0.004",
			"gcp,example-data,us-central1,compute,memory-optimized,,,vcpu," + billing + ",8,0.03",
			"azure,00000000-0000-4000-8000-000000000001,westeurope,vm,Standard_D2s_v5,,,,,5,0.10",
			"aws,111122223333,us-east-1,ec2,m6g.large,Linux/UNIX,default,,,10,0.077",
		} {
			fmt.Fprintf(&b, "%s,%s,USD\n", at, row)
		}
	}
	u, err := Read("u.csv", strings.NewReader(b.String()), "")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Google's commitments are made to measure: one line has vCPUs and memory.
func TestMeasured(t *testing.T) {
	u := resources(t, "")
	o := onto(u)
	o.Services, o.Prices, o.Method = []cloud.Service{compute}, Discounted(3000, 0), Method{ByPercentile, 100}
	r := size(t, u, o)
	if len(r.Proposals) != 1 {
		t.Fatalf("%+v", r.Proposals)
	}
	p := r.Proposals[0]
	if p.Quantity != 1 || p.Buys.String() != "memory_gb=96 type=general-purpose-n2 vcpu=20" || p.Measure != "20 vCPUs and 96 GB of memory" || p.Payment != cloud.Monthly {
		t.Errorf("%d of %s: %s, %s", p.Quantity, p.Buys, p.Measure, p.Payment)
	}
	// 20 x 0.021 + 96 x 0.0028 = 0.6888 per hour. Used are 18 of 20 and 80 of 96 on average:
	// 0.54 + 0.32 = 0.86 of 0.6 + 0.384 = 0.984 on-demand.
	if !p.Hourly.Equal(money.MustParse("0.6888", "USD")) || !p.Total.Equal(money.MustParse("6033.888", "USD")) {
		t.Errorf("%s per hour, %s", p.Hourly, p.Total)
	}
	if want := money.MustParse("1499.712", "USD"); !p.Savings.Equal(want) { // 0.86 x 8760 - 6033.888
		t.Errorf("it saves %s, want %s", p.Savings, want)
	}
	if p.UtilizationBP != 8739 || p.EffectiveSavingsRateBP != 1988 || p.BreakEvenMonths != 10 || p.CoverageBP != 9988 {
		t.Errorf("used %d, rate %d, even after %d, coverage %d", p.UtilizationBP, p.EffectiveSavingsRateBP, p.BreakEvenMonths, p.CoverageBP)
	}
	if len(p.Drops) != 3 || !p.Drops[0].OnDemand.Equal(money.MustParse("6788.124", "USD")) { // 90% of 0.861 x 8760, with the half gigabyte
		t.Errorf("%+v", p.Drops)
	}
	says(t, p.Why, "vCPUs: percentile", "GB of memory: percentile")
	// One of the two cannot be bought.
	says(t, r.Dropped, "memory-optimized", "a commitment is to vCPUs and memory together, and only 8 of vcpu carry one for 1y monthly")
	// What is held is taken off each.
	o.Known = true
	held, err := Hold(cloud.Commitment{Lane: cloud.Lane{Provider: cloud.GCP, Account: "example-prod", Region: "us-central1", Service: compute}, ID: "cud-1",
		Attributes: cloud.Attributes{"type": "general-purpose-n2", "vcpu": "12", "memory_gb": "90.25"}, Term: cloud.OneYear, Payment: cloud.Monthly, Quantity: 1,
		Hourly: money.MustParse("0.5", "USD"), Start: o.AsOf}, "held", "")
	if err != nil || len(held) != 2 {
		t.Fatalf("%+v, %v", held, err)
	}
	o.Held = held
	if p := size(t, u, o).Proposals[0]; p.Measure != "8 vCPUs and 6 GB of memory" {
		t.Errorf("%s is proposed, want 20 less 12 and 96 less 90.25", p.Measure)
	}
}

// A plan of a provider takes what its own reservations leave, and nothing of another's.
func TestPlansOfClouds(t *testing.T) {
	u := resources(t, googleBilling)
	o := onto(u)
	o.Services, o.Prices = []cloud.Service{vm, azurePlans, spend, SavingsPlans}, Discounted(4000, 3000)
	r := size(t, u, o)
	want := []string{
		"azure vm 5", "aws savingsplans 0.539 USD/h", // 10 x 0.077 less 30%
		// 16 vCPUs and 64 GB in every hour are 0.736 on-demand, 0.5152 with it: the cent that
		// they begin is used more than 70%, as more runs in half of the hours.
		"gcp spend 0.52 USD/h",
	}
	var got []string
	for _, p := range r.Proposals {
		got = append(got, fmt.Sprintf("%s %s %s", p.Provider, p.Service, p.Measure))
		if p.Service == spend && p.Account != googleBilling || p.Region != "global" && IsPlan(p.Service) {
			t.Errorf("%s is for %s in %s", p.Service, p.Account, p.Region)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// The reservation took all of Azure's usage.
	says(t, r.Dropped, "azure/00000000-0000-4000-8000-000000000001/global/savings-plan")
	says(t, r.Notes, "virtual machines of Azure are sized by SKU")
	// Alone, its plan takes it.
	o.Services = []cloud.Service{azurePlans}
	if p := size(t, u, o).Proposals; len(p) != 1 || p[0].Measure != "0.35 USD/h" || p[0].Payment != cloud.Monthly || p[0].Buys.String() != "sku=Compute_Savings_Plan" {
		t.Errorf("%+v", p)
	}
	// A held one is taken off, but in its own currency only.
	o.Known = true
	plan := cloud.Commitment{Lane: cloud.Lane{Provider: cloud.Azure, Account: "00000000-0000-4000-8000-000000000001", Region: "global", Service: azurePlans}, ID: "sp-1",
		Attributes: cloud.Attributes{"sku": "Compute_Savings_Plan", "scope": "shared"}, Term: cloud.OneYear, Payment: cloud.Monthly, Quantity: 10_000,
		Unit: money.MustParse("0.00001", "USD"), Hourly: money.MustParse("0.00001", "USD"), Start: o.AsOf}
	for currency, measure := range map[string]string{"USD": "0.25 USD/h", "EUR": "0.35 USD/h"} {
		plan.Unit, plan.Hourly = money.MustParse("0.00001", currency), money.MustParse("0.00001", currency)
		held, err := Hold(plan, "held", "")
		if err != nil {
			t.Fatal(err)
		}
		o.Held = held
		if p := size(t, u, o).Proposals; len(p) != 1 || p[0].Measure != measure {
			t.Errorf("with one in %s: %+v, want %s", currency, p, measure)
		}
	}
	o.Services, o.Known, o.Held = []cloud.Service{spend}, false, nil
	says(t, size(t, resources(t, ""), o).Dropped, "the file tells no billing account, which buys commitments to spending: add the column billing account")
	o.Mix[0].Payment = cloud.PartialUpfront
	says(t, size(t, u, o).Dropped, `\"partial-upfront\" is not a payment option of gcp: it is paid monthly`)
}

func TestReadResources(t *testing.T) {
	head := "hour,provider,account,region,service,resource type,resource,billing account,quantity,on-demand rate,currency\n"
	row := func(kind, resource, billing string) string {
		return "2026-01-01T00:00:00Z,gcp,example-prod,us-central1,compute," + kind + "," + resource + "," + billing + ",1,0.03,USD\n"
	}
	for _, tc := range []struct{ file, want string }{
		{row("n2", "vcpu", ""), `u.csv:2: resource type: "n2" is no type of commitment such as general-purpose-n2`},
		{row("general-purpose-n2", "gpu", ""), `u.csv:2: resource: "gpu" is no resource of a commitment: use vcpu or memory_gb`},
		{row("general-purpose-n2", "", ""), "u.csv:2: resource: is empty, and compute needs it"},
		{row("general-purpose-n2", "vcpu", "my-billing"), `u.csv:2: billing account: "my-billing" is not a billing account of Google`},
		{row("general-purpose-n2", "vcpu", googleBilling) + strings.Replace(row("general-purpose-n2", "vcpu", "FFFFFF-6789AB-CDEF01"), "T00", "T01", 1), "u.csv:3: billing account: is \"FFFFFF-6789AB-CDEF01\", and another row"},
	} {
		if _, err := Read("u.csv", strings.NewReader(head+tc.file), ""); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v does not contain %q", err, tc.want)
		}
	}
}

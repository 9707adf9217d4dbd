package gcp

import (
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/sim"
)

// TestLicenseConfiguration: what a person has looked up is checked for its form, and
// against the price list.
func TestLicenseConfiguration(t *testing.T) {
	w := newWorld(t, Licenses, testRegion, sim.Options{Unthrottled: true})
	good := w.licenses()[0]
	for name, c := range map[string]struct {
		change func(*License)
		want   string
	}{
		"name":  {func(l *License) { l.Name = "sles-sap-12" }, `license "sles-sap-12": want PROJECT/LICENSE`},
		"cores": {func(l *License) { l.Cores = "4" }, `cores "4": want 1-2, 3-4, 5+ or none`},
		"term":  {func(l *License) { l.Term = 0 }, "want a term of 1y or 3y"},
		"sku":   {func(l *License) { l.SKU = "sles" }, `sku "sles": want one such as`},
		"twice": {func(*License) {}, "it or its SKU is given twice"},
	} {
		l := good
		c.change(&l)
		_, err := Open(Licenses, Config{Account: testProject, Region: testRegion, Tokens: SimulatorTokens(testProject, w.sim.Now), Licenses: []License{l, l}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}

	// A SKU of three years under a license of one.
	swapped := good
	swapped.SKU = w.licenses()[1].SKU
	d := w.open(t, func(c *Config) { c.Licenses = []License{swapped} })
	if list, err := d.Offerings(t.Context(), driver.Query{}); err == nil || !strings.Contains(err.Error(), "Commit3Yr") {
		t.Errorf("a SKU of another term: %v, %v", list, err)
	}
	d = w.open(t, func(c *Config) { c.Licenses = nil })
	if _, err := d.Offerings(t.Context(), driver.Query{}); err == nil || !strings.Contains(err.Error(), "no licenses are configured for project example-prod") {
		t.Errorf("without licenses: %v", err)
	}
}

// TestLicensesAreApart: each service lists what is its own, and a name is taken
// whatever has it.
func TestLicensesAreApart(t *testing.T) {
	w := newWorld(t, Licenses, testRegion, sim.Options{Unthrottled: true, Visibility: -1})
	machines, err := Open(Compute, Config{Account: testProject, Region: testRegion, Endpoint: w.url, Now: w.sim.Now, Tokens: SimulatorTokens(testProject, w.sim.Now)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sim.Add(
		sim.Existing{Account: testProject, Region: testRegion, ID: "a-license", OfferingID: "suse-sap-cloud/sles-sap-12 5+ 1y", Months: 12, Count: 7},
		sim.Existing{Account: testProject, Region: testRegion, ID: "a-machine", OfferingID: "GENERAL_PURPOSE_N2", Months: 12, Resources: map[string]string{"VCPU": "4", "MEMORY": "4096"}},
	); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		d    driver.Service
		want string
	}{{w.open(t, nil), "a-license"}, {machines, "a-machine"}} {
		list, err := c.d.Find(t.Context(), driver.Request{Account: testProject})
		if err != nil || len(list) != 1 || list[0].Commitment == nil || list[0].Commitment.ID != c.want {
			t.Errorf("%s lists %+v, %v", c.d.Info().Lane.Service, list, err)
		}
		named, err := c.d.Find(t.Context(), driver.Request{Account: testProject, Identities: []string{"a-license"}})
		if err != nil || len(named) != 1 || named[0].Commitment == nil || named[0].Commitment.Quantity != 7 ||
			named[0].Commitment.Attributes.String() != "cores=5+ license=suse-sap-cloud/sles-sap-12" {
			t.Errorf("%s shows %+v, %v", c.d.Info().Lane.Service, named, err)
		}
	}
}

// TestAcceleratorsAreNotSold: nothing that is billed is made beside a commitment.
func TestAcceleratorsAreNotSold(t *testing.T) {
	w := newWorld(t, Compute, testRegion, sim.Options{Unthrottled: true})
	d := w.open(t, nil)
	for _, kind := range []string{"accelerator-optimized", "accelerator-optimized-a3-mega", "graphics-optimized"} {
		list, err := d.Offerings(t.Context(), driver.Query{Attributes: cloud.Attributes{attrType: kind, attrVCPU: "12", attrMemory: "85"}})
		if err == nil || !strings.Contains(err.Error(), "type "+kind+": its machines have accelerators, and Google wants a reservation") {
			t.Errorf("%s: %v, %v", kind, list, err)
		}
	}
	// An order that skips the plan sends nothing.
	r := w.request(d)
	r.Offering.ID = "GRAPHICS_OPTIMIZED"
	if _, err := d.Quote(t.Context(), r); err == nil {
		t.Error("a quote of accelerators")
	}
	if _, err := d.Purchase(t.Context(), r); driver.OutcomeOf(err) != cloud.Unsent || w.Spending() != 0 {
		t.Errorf("bought accelerators: %v, %d requests", err, w.Spending())
	}
}

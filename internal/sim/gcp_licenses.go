package sim

import (
	"strconv"
	"strings"
)

// License commitments of Compute Engine: of the category LICENSE, without a type. A
// license is an address, and SLES for SAP is sold by the cores of the machine (help of
// gcloud compute commitments create-license: "1-2", "3-4" or "5+"). Google's price
// list has a SKU for each and says of which license it is in prose; that prose is made
// up here, and so is that a license costs the same everywhere.

// License is a license for a term, as a person finds it in the price list.
type License struct {
	License string `json:"license"` // PROJECT/LICENSE
	Cores   string `json:"cores,omitempty"`
	Term    string `json:"term"` // "1y", "3y"
	SKU     string `json:"sku"`
}

// gcpLicensed is a license with what it costs per hour, in millionths of a dollar.
type gcpLicensed struct {
	name, cores, title string
	micros             map[int]int64 // by months
}

var gcpLicenses = []gcpLicensed{
	{"suse-sap-cloud/sles-sap-12", "1-2", "SLES for SAP (1-2 vCPU)", map[int]int64{12: 69_700, 36: 62_900}},
	{"suse-sap-cloud/sles-sap-12", "3-4", "SLES for SAP (3-4 vCPU)", map[int]int64{12: 139_400, 36: 125_800}},
	{"suse-sap-cloud/sles-sap-12", "5+", "SLES for SAP (5+ vCPU)", map[int]int64{12: 168_100, 36: 151_700}},
	{"suse-cloud/sles-12", "", "SLES", map[int]int64{12: 24_640, 36: 20_020}},
}

func licenseLink(name string) string {
	project, license, _ := strings.Cut(name, "/")
	return "https://www.googleapis.com/compute/v1/projects/" + project + "/global/licenses/" + license
}

// gcpLicenseAt is the license under an address for a number of cores.
func gcpLicenseAt(link, cores string) *gcpLicensed {
	for i, l := range gcpLicenses {
		if licenseLink(l.name) == link && l.cores == cores {
			return &gcpLicenses[i]
		}
	}
	return nil
}

// licenseOf takes the class of a license commitment apart: "PROJECT/LICENSE 3-4 1y",
// or without cores.
func licenseOf(class string) (name, cores string) {
	words := strings.Fields(class)
	if len(words) == 3 {
		cores = words[1]
	}
	if len(words) > 0 {
		name = words[0]
	}
	return name, cores
}

// give makes o a commitment to the license.
func (l *gcpLicensed) give(o *gcpOwned) {
	o.License, o.Class = true, strings.Join(strings.Fields(l.name+" "+l.cores+" "+strconv.Itoa(o.Months/12)+"y"), " ")
	o.Hourly, o.Resources = microDollars(l.micros[o.Months]).Canonical(), map[string]string{}
}

func (l *gcpLicensed) sku(months int) gcpSKU {
	years := strconv.Itoa(months / 12)
	return gcpSKU{
		id: skuID("license", l.name, l.cores, years), description: "Commitment: " + l.title + " for " + years + " Year", family: "License", group: "CommittedUse",
		usage: "Commit" + years + "Yr", unit: "h", regions: []string{"global"}, micros: l.micros[months],
	}
}

func licenseList() []License {
	var list []License
	for _, l := range gcpLicenses {
		for _, months := range []int{12, 36} {
			list = append(list, License{l.name, l.cores, strconv.Itoa(months/12) + "y", l.sku(months).id})
		}
	}
	return list
}

package recommend

import (
	"regexp"
	"strings"

	"bursar/internal/cloud"
)

// Committed-use discounts of Google Cloud. One of resources is made to measure, so a
// line is one commitment whose vCPUs and memory are attributes and whose quantity is
// 1; one of spending is an amount of money per hour, for a billing account.

var gcpPayments = []cloud.Payment{cloud.Monthly}

var computeService = service{
	provider: cloud.GCP,
	name:     "compute",
	title:    "Compute Engine",
	aliases:  []string{"compute", "computeengine", "googlecomputeengine", "gce"},
	payments: gcpPayments,
	attributes: []attribute{
		{key: "type", example: "general-purpose-n2", pattern: regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)*$`), columns: []string{"resource type"},
			loose: func(text string, _ func(string) string) (string, bool) {
				if kind, ok := machineSeries[text]; ok {
					return kind, true
				}
				return strings.ReplaceAll(text, "_", "-"), strings.Contains(text, "_")
			}},
		{key: "vcpu", example: "64", number: true, pattern: regexp.MustCompile(`^[1-9][0-9]{0,5}$`), columns: []string{"vcpu"}},
		{key: "memory_gb", example: "256", number: true, pattern: regexp.MustCompile(`^([1-9][0-9]{0,6}(\.(25|5|75))?|0\.(25|5|75))$`), columns: []string{"memory gb"}},
	},
}

// machineSeries are the commitment types of machines, where a file names those: a
// commitment of a type covers all machines of its series, and machines of no other
// (Compute Engine, "Resource-based committed use discounts"). Series whose machines
// have a type of commitment for each size are not here.
var machineSeries = map[string]string{
	"n1": "general-purpose", "n2": "general-purpose-n2", "n2d": "general-purpose-n2d", "n4": "general-purpose-n4", "n4a": "general-purpose-n4a",
	"n4d": "general-purpose-n4d", "e2": "general-purpose-e2", "t2d": "general-purpose-t2d", "c4": "general-purpose-c4", "c4a": "general-purpose-c4a",
	"c4d": "general-purpose-c4d", "c2": "compute-optimized", "c2d": "compute-optimized-c2d", "c3": "compute-optimized-c3", "c3d": "compute-optimized-c3d",
	"h3": "compute-optimized-h3", "m1": "memory-optimized", "m2": "memory-optimized", "m3": "memory-optimized-m3", "z3": "storage-optimized-z3",
	"a2": "accelerator-optimized", "g2": "graphics-optimized", "g4": "graphics-optimized-g4",
}

var licensesService = service{
	provider: cloud.GCP,
	name:     "licenses",
	title:    "licenses on Compute Engine",
	aliases:  []string{"licenses", "computeenginelicenses"},
	payments: gcpPayments,
	attributes: []attribute{
		{key: "license", example: "suse-sap-cloud/sles-sap-12", pattern: regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]/[a-z][-a-z0-9]{0,62}$`), columns: []string{"resource type"},
			loose: func(text string, _ func(string) string) (string, bool) {
				m := licensePath.FindStringSubmatch(text)
				if m == nil {
					return "", false
				}
				return m[1] + "/" + m[2], true
			}},
		{key: "cores", example: "3-4", optional: true, values: []string{"1-2", "3-4", "5+"}, columns: []string{"cores"}},
	},
}

// licensePath matches the address of a license as Google spells it.
var licensePath = regexp.MustCompile(`(?:^|/)projects/([^/]+)/global/licenses/([^/]+)$`)

var spendService = service{
	provider: cloud.GCP,
	name:     "spend",
	title:    "Spend-based commitments",
	aliases:  []string{"spend", "spendbased", "spendbasedcommitment", "flexiblecud", "spendbasedcud"},
	payments: gcpPayments,
	unit:     "0.00001",
	regional: true,
	payer:    billingAccount,
	attributes: []attribute{
		{key: "product", example: "compute-flexible", pattern: regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`), columns: []string{"plan type"}},
	},
}

var (
	// A project id, with its domain in front where it has one.
	gcpProject = regexp.MustCompile(`^([a-z][a-z0-9.-]{1,61}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	gcpBilling = regexp.MustCompile(`^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$`)
	gcpRegion  = regexp.MustCompile(`^[a-z]+(-[a-z]+)+[0-9]+$`)
)

func project(text string) (cloud.Account, error) {
	if !gcpProject.MatchString(text) {
		return "", problemf("%s is not a project id such as example-prod", show(text))
	}
	return cloud.Account(text), nil
}

// billingAccount reads the account of what is bought for all projects of one.
func billingAccount(text string) (cloud.Account, error) {
	if !gcpBilling.MatchString(text) {
		return "", problemf("%s is not a billing account such as 012345-6789AB-CDEF01", show(text))
	}
	return cloud.Account(text), nil
}

func googleRegion(text string) (cloud.Region, error) {
	if !gcpRegion.MatchString(text) {
		return "", problemf("%s is not a region of Google Cloud such as europe-west1", show(text))
	}
	return cloud.Region(text), nil
}

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
				return strings.ReplaceAll(strings.ToLower(text), "_", "-"), strings.Contains(text, "_")
			}},
		{key: "vcpu", example: "64", number: true, pattern: regexp.MustCompile(`^[1-9][0-9]{0,5}$`), columns: []string{"vcpu"}},
		{key: "memory_gb", example: "256", number: true, pattern: regexp.MustCompile(`^([1-9][0-9]{0,6}(\.(25|5|75))?|0\.(25|5|75))$`), columns: []string{"memory gb"}},
	},
}

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

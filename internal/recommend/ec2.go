package recommend

import (
	"regexp"
	"slices"
	"strings"

	"bursar/internal/cloud"
)

// Reserved instances of EC2 are two services, those of a region and those of an
// availability zone. They cover different usage: none is ever read for the other.

// ec2Platforms are EC2's product descriptions of reserved instances.
var ec2Platforms = []string{
	"Linux/UNIX", "Linux/UNIX (Amazon VPC)", "Red Hat Enterprise Linux", "Red Hat Enterprise Linux with HA", "SUSE Linux",
	"Linux with SQL Server Standard", "Linux with SQL Server Web", "Linux with SQL Server Enterprise",
	"Windows", "Windows (Amazon VPC)", "Windows with SQL Server Standard", "Windows with SQL Server Web", "Windows with SQL Server Enterprise",
}

var ec2Attributes = []attribute{
	{key: "instance_type", example: "m7g.large", pattern: regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`),
		columns: []string{"resource type"}, member: "InstanceType"},
	{key: "platform", example: "Linux/UNIX", values: ec2Platforms, loose: loosePlatform, columns: []string{"platform", "engine"}, member: "Platform"},
	{key: "tenancy", example: "default", values: []string{"default", "dedicated"}, loose: looseTenancy, columns: []string{"tenancy"}, member: "Tenancy"},
	{key: "offering_class", example: "standard", values: []string{"standard", "convertible"}, columns: []string{"offering class"},
		general: []string{"ServiceSpecification", "EC2Specification", "OfferingClass"}},
}

// ec2Service are the reserved instances of a region. All of Cost Explorer's
// recommendations are for these (Cost Management User Guide).
var ec2Service = service{
	provider:   cloud.AWS,
	name:       "ec2",
	title:      "EC2",
	aliases:    []string{"ec2", "amazonec2", "awsec2", "amazonelasticcomputecloud", "amazonelasticcomputecloudcompute", "elasticcomputecloud"},
	payments:   awsPayments,
	attributes: ec2Attributes,
	details:    "EC2InstanceDetails",
	remark: func(details *value) string {
		if zone := details.member("AvailabilityZone"); zone != nil && ec2Zone.MatchString(zone.text) {
			return "for the region, not only " + zone.text
		}
		return ""
	},
	contrary: func(cell func(string) string) (string, error) {
		if zone := cell("zone"); ec2Zone.MatchString(strings.ToLower(zone)) {
			return "zone", problemf("%s is a zone, and ec2 is bought for the whole region: make the service ec2-zonal, or empty the cell", show(zone))
		}
		return wantScope(cell, "ec2-zonal", "region", "regional")
	},
}

// ec2ZonalService are the reserved instances of an availability zone.
var ec2ZonalService = service{
	provider:   cloud.AWS,
	name:       "ec2-zonal",
	title:      "EC2 (zonal)",
	aliases:    []string{"ec2zonal", "amazonec2zonal", "awsec2zonal"},
	payments:   awsPayments,
	attributes: append([]attribute{{key: "zone", example: "eu-west-1a", pattern: ec2Zone, columns: []string{"zone"}}}, ec2Attributes...),
	check: func(d Draft) (string, error) {
		if zone := d.Attributes["zone"]; !strings.HasPrefix(zone, string(d.Region)) {
			return "zone", problemf("%s is not a zone of %s", show(zone), d.Region)
		}
		return "", nil
	},
	contrary: func(cell func(string) string) (string, error) {
		return wantScope(cell, "ec2", "availabilityzone", "zone", "zonal")
	},
}

// ec2Zone matches the name of an availability zone or a local zone: eu-west-1a,
// us-west-2-lax-1a.
var ec2Zone = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}(-[a-z]{2,4}-[0-9]{1,2})?[a-z]$`)

// wantScope refuses a scope, where a row has one, that is none of the words of
// its service; other is the service that may be meant.
func wantScope(cell func(string) string, other string, words ...string) (string, error) {
	if scope := cell("scope"); scope != "" && !slices.Contains(words, fold(scope)) {
		return "scope", problemf("%s is not the scope of the row's service: make the service %s, or empty the cell", show(scope), other)
	}
	return "", nil
}

// loosePlatform reads what people call a platform.
func loosePlatform(text string, _ func(string) string) (string, bool) {
	p, ok := map[string]string{
		"linux": "Linux/UNIX", "unix": "Linux/UNIX",
		"rhel": "Red Hat Enterprise Linux", "redhat": "Red Hat Enterprise Linux", "rhelwithha": "Red Hat Enterprise Linux with HA",
		"suse": "SUSE Linux", "suselinuxenterpriseserver": "SUSE Linux",
	}[fold(text)]
	return p, ok
}

// looseTenancy reads what the price lists and Cost Explorer call the default.
func looseTenancy(text string, _ func(string) string) (string, bool) {
	return "default", fold(text) == "shared"
}

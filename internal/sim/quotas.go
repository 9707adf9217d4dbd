package sim

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Service Quotas. Source of names, members and errors: Service Quotas API reference
// 2019-06-24 and botocore 1.43.67, checked against the Go SDK (servicequotas
// v1.43.10). It knows the quotas that the simulator itself enforces, among others
// that nothing depends on. Codes that AWS publishes are those of the user guides
// of RDS and ElastiCache; the rest are made up, as a client must not know them.
func init() {
	register(&service{
		name: "servicequotas", regional: true, protocol: awsJSON, targets: []string{"ServiceQuotasV20190624"},
		codes: jsonCodes(map[string]string{
			"InvalidParameterCombination": "IllegalArgumentException",
			"InvalidParameterValue":       "IllegalArgumentException",
			"MissingParameter":            "IllegalArgumentException",
			"Throttling":                  "TooManyRequestsException",
		}),
		operations: map[string]*operation{
			"ListServiceQuotas": {
				pages:   &pager{token: "NextToken", size: "MaxResults", low: 1, high: 100, invalid: "InvalidPaginationTokenException"},
				members: []string{"ServiceCode", "QuotaCode", "QuotaAppliedAtLevel", "MaxResults", "NextToken"},
				numbers: []string{"MaxResults"},
				run:     listQuotas,
			},
			"GetServiceQuota": {
				members:  []string{"ServiceCode", "QuotaCode"},
				unserved: map[string]string{"ContextId": "the simulator has no quotas of single resources"},
				run:      getQuota,
			},
		},
	})
}

// accountQuota is a quota of an account in a region.
type accountQuota struct {
	code, name string
	value      int
	adjustable bool
}

// knownQuotas are names and codes of the quotas of reserved capacity.
var knownQuotas = map[string][]accountQuota{
	"rds":         {{code: "L-78E853F4", name: "Reserved DB instances", adjustable: true}},
	"elasticache": {{code: "L-DFE45DF3", name: "Reserved nodes per Region", adjustable: true}},
	"memorydb":    {{name: "Reserved nodes per Region", adjustable: true}},
	"redshift":    {{name: "Reserved nodes", adjustable: true}},
	savingsPlans:  {}, // its quota is of no region
	"ec2":         {{name: "Reserved Instances bought per month in the Region"}, {name: "Reserved Instances bought per month in one Availability Zone"}},
}

// quotasOf are the quotas of a service; none if Service Quotas does not know it.
func (c *call) quotasOf(code string) []accountQuota {
	s := services[code]
	if s == nil || s.sells == nil {
		return nil
	}
	reserved := knownQuotas[code]
	if reserved == nil {
		reserved = []accountQuota{{name: "Reserved capacity"}}
	}
	var all []accountQuota
	for _, q := range reserved {
		q.value = c.opts.quotaOf(code)
		all = append(all, q)
	}
	for _, name := range []string{"Subnet groups", "Parameter groups per Region", "Manual snapshots", "Tags per resource"} {
		all = append(all, accountQuota{name: name, value: 50, adjustable: true})
	}
	for i, q := range all {
		if q.code == "" {
			sum := digest(0, "quota", code, q.name)
			all[i].code = "L-" + strings.ToUpper(hex.EncodeToString(sum[:4]))
		}
	}
	return all
}

func (c *call) quotas() (code string, all []accountQuota, err *apiError) {
	if code, err = c.in.required("ServiceCode"); err != nil {
		return "", nil, err
	}
	if all = c.quotasOf(code); all == nil {
		return "", nil, fail("NoSuchResourceException", "The specified service %q does not exist.", code)
	}
	return code, all, nil
}

func listQuotas(c *call) (node, *apiError) {
	code, all, err := c.quotas()
	if err != nil {
		return node{}, err
	}
	if level, ok := c.in["QuotaAppliedAtLevel"]; ok && level != "ACCOUNT" && level != "ALL" {
		return node{}, fail("InvalidParameterValue", "Invalid value %q for QuotaAppliedAtLevel", level)
	}
	var found []accountQuota
	for _, q := range all {
		if want, ok := c.in["QuotaCode"]; !ok || want == q.code {
			found = append(found, q)
		}
	}
	page, next, err := paginate(c, found, func(accountQuota) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	list := list("Quotas")
	for _, q := range page {
		list.kids = append(list.kids, c.quota("", code, q))
	}
	return node{kids: []node{list}}.maybe("NextToken", next), nil
}

func getQuota(c *call) (node, *apiError) {
	code, all, err := c.quotas()
	if err != nil {
		return node{}, err
	}
	want, err := c.in.required("QuotaCode")
	if err != nil {
		return node{}, err
	}
	for _, q := range all {
		if q.code == want {
			return node{kids: []node{c.quota("Quota", code, q)}}, nil
		}
	}
	return node{}, fail("NoSuchResourceException", "The request failed because the specified service quota does not exist.")
}

func (c *call) quota(name, code string, q accountQuota) node {
	return group(name,
		leaf("ServiceCode", code), leaf("ServiceName", "Amazon "+code),
		leaf("QuotaArn", "arn:aws:servicequotas:"+c.region+":"+c.who.account+":"+code+"/"+q.code),
		leaf("QuotaCode", q.code), leaf("QuotaName", q.name), number("Value", strconv.Itoa(q.value)+".0"), leaf("Unit", "None"),
		number("Adjustable", boolText(q.adjustable)), number("GlobalQuota", "false"), leaf("QuotaAppliedAtLevel", "ACCOUNT"),
	)
}

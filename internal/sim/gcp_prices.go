package sim

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"bursar/internal/money"
)

//go:embed gcp_prices.csv
var gcpPriceList string

// gcpPriced is a commitment type with what it costs per hour in us-central1, near the
// public list of 2026: a vCPU and a gibibyte of memory.
type gcpPriced struct {
	class    string
	label    string // in the descriptions of its SKUs
	core     string // what they call a vCPU
	micros   map[string]int64
	onDemand map[string]int64
}

var gcpFamilies = sync.OnceValue(func() []gcpPriced {
	rows, err := csv.NewReader(strings.NewReader(gcpPriceList)).ReadAll()
	if err != nil {
		panic(fmt.Sprintf("sim: embedded prices of compute: %v", err))
	}
	var list []gcpPriced
	for _, row := range rows[1:] {
		at := func(i int) int64 {
			n, err := strconv.ParseInt(strings.Replace(row[i], ".", "", 1), 10, 64)
			if err != nil {
				panic(fmt.Sprintf("sim: embedded price %q: %v", row[i], err))
			}
			return n
		}
		f := gcpPriced{class: row[0], label: "Commitment " + row[1], core: "Cpu",
			micros:   map[string]int64{"VCPU12": at(2), "MEMORY12": at(3), "VCPU36": at(4), "MEMORY36": at(5)},
			onDemand: map[string]int64{"VCPU": at(6), "MEMORY": at(7)}}
		if row[1] == ": " { // the one family whose SKUs are worded differently
			f.label, f.core = "Commitment: Compute optimized ", "Core"
		}
		list = append(list, f)
	}
	return list
})

func gcpFamily(class string) *gcpPriced {
	for _, f := range gcpFamilies() {
		if f.class == class {
			return &f
		}
	}
	return nil
}

// unit is what one of a resource costs per hour in a region, in millionths of a
// dollar.
func (f *gcpPriced) unit(region, resource string, months int) int64 {
	for _, r := range gcpRegions {
		if r.name == region {
			return f.micros[resource+strconv.Itoa(months)] * r.permille / 1000
		}
	}
	return 0
}

// price is what a commitment costs per hour. Memory is in MB of 1024 * 1024 bytes and
// priced by the gibibyte.
func (f *gcpPriced) price(region string, months int, resources map[string]string) (money.Amount, error) {
	sum := money.Zero(currency)
	for kind, text := range resources {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return sum, err
		}
		part, err := microDollars(f.unit(region, kind, months)).Mul(n)
		if err == nil && kind == "MEMORY" {
			part, err = part.Div(1024, 10)
		}
		if err == nil {
			sum, err = sum.Add(part)
		}
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func microDollars(n int64) money.Amount {
	return money.MustParse(fmt.Sprintf("%d.%06d", n/1_000_000, n%1_000_000), currency)
}

// gcpSKU is an entry of the price list.
type gcpSKU struct {
	id, description, family, group, usage, unit string
	regions                                     []string
	micros                                      int64
}

// computeEngine is the id of Compute Engine in the price list.
const computeEngine = "6F81-5844-456A"

// gcpSKUs is the price list: the commitments, and what runs on demand beside them. A
// SKU is of all regions of a place.
var gcpSKUs = sync.OnceValue(func() []gcpSKU {
	var list []gcpSKU
	places := map[string]bool{}
	for _, r := range gcpRegions {
		if places[r.place] {
			continue
		}
		places[r.place] = true
		var regions []string
		for _, other := range gcpRegions {
			if other.place == r.place {
				regions = append(regions, other.name)
			}
		}
		for _, f := range gcpFamilies() {
			for _, resource := range []struct{ kind, word, group, unit string }{{"VCPU", f.core, "CPU", "h"}, {"MEMORY", "Ram", "RAM", "GiBy.h"}} {
				add := func(description, usage string, micros int64) {
					list = append(list, gcpSKU{id: skuID(description, r.place), description: description, family: "Compute", group: resource.group,
						usage: usage, unit: resource.unit, regions: regions, micros: micros})
				}
				for _, months := range []int{12, 36} {
					years := strconv.Itoa(months / 12)
					add(f.label+resource.word+" in "+r.place+" for "+years+" Year", "Commit"+years+"Yr", f.unit(r.name, resource.kind, months))
				}
				name := strings.TrimSuffix(strings.NewReplacer("Commitment v1: ", "", "Commitment: ", "").Replace(f.label), " ")
				add(strings.TrimSpace(name+" Instance "+resource.word)+" running in "+r.place, "OnDemand", f.onDemand[resource.kind]*r.permille/1000)
			}
		}
	}
	for _, l := range gcpLicenses {
		list = append(list, l.sku(12), l.sku(36))
	}
	return list
})

func skuID(parts ...string) string {
	id := strings.ToUpper(strings.ReplaceAll(drawUUID(0, append(parts, "sku")...), "-", ""))
	return id[:4] + "-" + id[4:8] + "-" + id[8:12]
}

func (s gcpSKU) node(now time.Time) node {
	var regions []node
	for _, r := range s.regions {
		regions = append(regions, leaf("", r))
	}
	return group("",
		leaf("name", "services/"+computeEngine+"/skus/"+s.id), leaf("skuId", s.id), leaf("description", s.description),
		group("category", leaf("serviceDisplayName", "Compute Engine"), leaf("resourceFamily", s.family),
			leaf("resourceGroup", s.group), leaf("usageType", s.usage)),
		list("serviceRegions", regions...),
		list("pricingInfo", group("", leaf("summary", ""), leaf("effectiveTime", now.Truncate(24*time.Hour).Format(time.RFC3339)),
			group("pricingExpression", leaf("usageUnit", s.unit), number("displayQuantity", "1"),
				list("tieredRates", group("", number("startUsageAmount", "0"), group("unitPrice",
					leaf("currencyCode", currency), leaf("units", strconv.FormatInt(s.micros/1_000_000, 10)),
					integer("nanos", s.micros%1_000_000*1000))))),
			number("currencyConversionRate", "1"))),
		leaf("serviceProviderName", "Google"),
	)
}

// The Cloud Billing API: its price list, and which billing account a project has.
const cloudBilling = "cloudbilling"

func init() {
	register(&service{
		name: cloudBilling, provider: onGCP, protocol: gcpREST, codes: gcpCodes(false),
		operations: map[string]*operation{
			"services.skus.list": {
				pages: &pager{token: "pageToken", size: "pageSize", low: 0, high: 5000, invalid: "INVALID_ARGUMENT", answer: "nextPageToken"},
				run:   listSKUs,
			},
			"projects.getBillingInfo":            {proves: true, run: billingInfo},
			"billingAccounts.testIamPermissions": {run: testPermissions},
		},
	})
	gcpRoutes = append(gcpRoutes,
		gcpRoute{method: "GET", path: "/v1/services/{service}/skus", service: cloudBilling, operation: "services.skus.list",
			query: []string{"currencyCode", "pageSize", "pageToken"}},
		gcpRoute{method: "GET", path: "/v1/projects/{project}/billingInfo", service: cloudBilling, operation: "projects.getBillingInfo"},
	)
}

func listSKUs(c *call) (node, *apiError) {
	if c.in["service"] != computeEngine {
		return node{}, fail("NotFound", "Service %s is not found.", c.in["service"])
	}
	if code := c.in["currencyCode"]; code != "" && code != currency {
		return node{}, fail("InvalidParameterValue", "The simulator has prices in %s, not in %s.", currency, code)
	}
	page, next, err := paginate(c, gcpSKUs(), func(gcpSKU) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	var items []node
	for _, s := range page {
		items = append(items, s.node(c.now))
	}
	return group("", list("skus", items...)).maybe("nextPageToken", next), nil
}

func billingInfo(c *call) (node, *apiError) {
	project := c.who.account
	if _, wrong := c.hits[WrongCaller]; wrong {
		project = "other-corp"
	}
	return group("", leaf("name", "projects/"+project+"/billingInfo"), leaf("projectId", project),
		leaf("billingAccountName", "billingAccounts/"+gcpBillingOf(project)), number("billingEnabled", "true")), nil
}

package sizing

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"bursar/internal/cloud"
)

// Services whose usage is sized.
const (
	ec2         cloud.Service = "ec2"
	ec2Zonal    cloud.Service = "ec2-zonal"
	rds         cloud.Service = "rds"
	elastiCache cloud.Service = "elasticache"
	memoryDB    cloud.Service = "memorydb"
	openSearch  cloud.Service = "opensearch"
	redshift    cloud.Service = "redshift"
	fargate     cloud.Service = "fargate" // covered by plans only
	lambda      cloud.Service = "lambda"  // likewise
	vm          cloud.Service = "vm"
	compute     cloud.Service = "compute" // vCPUs and memory of a type of commitment
	// SavingsPlans is sized from what is left of the usage that a Compute Savings Plan
	// applies to.
	SavingsPlans cloud.Service = "savingsplans"
	azurePlans   cloud.Service = "savings-plan"
	spend        cloud.Service = "spend" // of Google
)

// kind is how usage of a service is told apart.
type kind struct {
	typeKey string   // attribute that names the resource type
	keys    []string // further attributes of usage, all needed
	// compute: the plan of the provider applies to it, see plans.
	compute bool
	plan    bool // nothing but a plan covers it
	// measured: a commitment is made to measure of several resources, each of them a
	// pool; what is bought is one of them all, see joinMeasured.
	measured bool
}

var kinds = map[cloud.Provider]map[cloud.Service]kind{
	cloud.AWS: {
		ec2:         {typeKey: "instance_type", keys: []string{"platform", "tenancy"}, compute: true},
		ec2Zonal:    {typeKey: "instance_type", keys: []string{"platform", "tenancy", "zone"}, compute: true},
		rds:         {typeKey: "class", keys: []string{"engine", "multi_az"}},
		elastiCache: {typeKey: "node_type", keys: []string{"engine"}},
		memoryDB:    {typeKey: "node_type"},
		openSearch:  {typeKey: "instance_type"},
		redshift:    {typeKey: "node_type"},
		fargate:     {typeKey: "resource", compute: true, plan: true},
		lambda:      {typeKey: "resource", compute: true, plan: true},
	},
	// Reservations of Azure are sized by SKU: its groups of sizes and their ratios are in
	// no source that is read. Of App Service a savings plan covers some tiers only.
	cloud.Azure: {
		vm:           {typeKey: "sku", compute: true},
		"sql":        {typeKey: "sku"},
		"redis":      {typeKey: "sku"},
		"cosmosdb":   {typeKey: "sku"},
		"synapse":    {typeKey: "sku"},
		"appservice": {typeKey: "sku"},
		"disk":       {typeKey: "sku"},
	},
	cloud.GCP: {
		compute: {typeKey: "type", keys: []string{resourceKey}, compute: true, measured: true},
	},
}

// resourceKey tells apart what a commitment made to measure is to.
const resourceKey = "resource"

// measures are the resources of a commitment that is made to measure, by the attribute
// of a line, and what one is called.
var measures = map[string]string{"vcpu": "vCPUs", "memory_gb": "GB of memory"}

// committedType are the types of Google's commitments to machines, in the words of
// gcloud: a series of machines, such as n2, is none.
var committedType = regexp.MustCompile(`^(general-purpose|compute-optimized|memory-optimized|storage-optimized|accelerator-optimized|graphics-optimized)(-[a-z0-9]+)*$`)

// planKind is a commitment to an amount of money per hour of a provider, which covers
// what reservations leave of usage.
type planKind struct {
	service    cloud.Service
	attributes cloud.Attributes
	lot, least int64 // in hundred-thousandths per hour
}

// plans by provider. Of AWS: "EC2 instance usage regardless of instance family, size,
// AZ, Region, OS or tenancy, and also Fargate or Lambda usage" (AWS Savings Plans User
// Guide). Of Azure: a savings plan applies to what reservations leave of virtual
// machines. Of Google: a Compute flexible commitment applies to what resource-based
// commitments leave; its amounts have two decimals (Consumer Procurement API).
var plans = map[cloud.Provider]planKind{
	cloud.AWS:   {SavingsPlans, cloud.Attributes{"plan_type": "Compute"}, 1, 100},
	cloud.Azure: {azurePlans, cloud.Attributes{"sku": "Compute_Savings_Plan"}, 1, 100},
	cloud.GCP:   {spend, cloud.Attributes{"product": "compute-flexible"}, 1_000, 1_000},
}

// payments are the ways in which a provider sells. What AWS calls no-upfront is monthly
// with the others.
var payments = map[cloud.Provider][]cloud.Payment{
	cloud.AWS:   {cloud.NoUpfront, cloud.PartialUpfront, cloud.AllUpfront},
	cloud.Azure: {cloud.Monthly, cloud.AllUpfront},
	cloud.GCP:   {cloud.Monthly},
}

// PlanOf returns the service that sells commitments to an amount of money of a provider.
func PlanOf(p cloud.Provider) cloud.Service { return plans[p].service }

// IsPlan reports whether a service sells commitments to an amount of money.
func IsPlan(s cloud.Service) bool {
	return s == SavingsPlans || s == azurePlans || s == spend
}

// coveredByPlan reports whether the plan of the provider covers usage of a pool.
func (p *pool) coveredByPlan() bool {
	if p.Provider == cloud.GCP { // Google names machines for general purposes and for computing
		return strings.HasPrefix(p.Family, "general-purpose") || strings.HasPrefix(p.Family, "compute-optimized")
	}
	return p.kind.compute
}

// Sized lists the services of a provider whose usage is sized, reservations first.
func Sized(p cloud.Provider) []cloud.Service {
	names := slices.Sorted(maps.Keys(kinds[p]))
	names = slices.DeleteFunc(names, func(s cloud.Service) bool { return kinds[p][s].plan })
	return append(names, plans[p].service)
}

// Measured reports whether a commitment of a service is made to measure: then its size
// is in its attributes, and no other one is the same goods.
func Measured(p cloud.Provider, s cloud.Service) bool { return kinds[p][s].measured }

// Rests reports whether sizing those services needs to know what a lane holds.
func Rests(services []cloud.Service, l cloud.Lane) bool {
	k := kinds[l.Provider][l.Service]
	return slices.Contains(services, l.Service) || k.compute && slices.Contains(services, plans[l.Provider].service)
}

// factors are quarters of the normalization factors of sizes. EC2 User Guide, "Instance
// size flexibility" (github.com/awsdocs/amazon-ec2-user-guide, doc_source/apply_ri.md);
// RDS User Guide, "Size-flexible reserved DB instances", has the same for the sizes
// that it names.
var factors = map[string]int64{
	"nano": 1, "micro": 2, "small": 4, "medium": 8, "large": 16, "xlarge": 32, "2xlarge": 64, "3xlarge": 96, "4xlarge": 128,
	"6xlarge": 192, "8xlarge": 256, "9xlarge": 288, "10xlarge": 320, "12xlarge": 384, "16xlarge": 512, "18xlarge": 576,
	"24xlarge": 768, "32xlarge": 1024, "56xlarge": 1792, "112xlarge": 3584,
}

// metals are the factors of bare metal, which has that of the virtual size that it
// equals (the same page).
var metals = map[string]int64{
	"a1": 32, "m5zn": 96, "z1d": 96, "c6g": 128, "c6gd": 128, "i3": 128, "m6g": 128, "m6gd": 128, "r6g": 128, "r6gd": 128, "x2gd": 128,
	"c5n": 144, "c5": 192, "c5d": 192, "i3en": 192, "m5": 192, "m5d": 192, "m5dn": 192, "m5n": 192, "r5": 192, "r5b": 192, "r5d": 192,
	"r5dn": 192, "r5n": 192,
}

// rigid are families of EC2 to which size flexibility does not apply (the same page).
var rigid = []string{"g4ad", "g4dn", "g5", "g5g"}

// flexibleEngines are the engines of RDS whose reservations apply across sizes, and
// across Single-AZ and Multi-AZ (RDS User Guide, "Size-flexible reserved DB
// instances"; Aurora User Guide for its two).
var flexibleEngines = []string{
	"mariadb", "mysql", "postgresql", "oracle-se2(byol)", "oracle-ee(byol)", "oracle-se1(byol)", "oracle-se(byol)",
	"aurora-mysql", "aurora-postgresql",
}

// Factor is the normalization factor of a size, such as "large" or "2xlarge"; not of
// "metal", which has none of its own.
func Factor(size string) (Units, bool) {
	quarters, ok := factors[size]
	return Units(quarters) * One / 4, ok
}

// goods is what a resource or a commitment counts for: in which pool, and how much.
type goods struct {
	pool Pool
	// size is how many units of the pool one of it is.
	size Units
	buys cloud.Attributes
	kind kind
	unit string // of the pool, for people
	// billing is the account that pays, where it is told.
	billing cloud.Account
}

var typeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// goodsOf tells what the attributes of usage or of a commitment mean. Attributes that
// only commitments have, such as an offering class, do not matter.
func goodsOf(lane cloud.Lane, a cloud.Attributes, currency string) (goods, string, error) {
	k, ok := kinds[lane.Provider][lane.Service]
	if !ok {
		return goods{}, "service", fmt.Errorf("%s is no service of %s whose usage is sized: use %s", show(string(lane.Service)), show(string(lane.Provider)),
			joinServices(slices.Sorted(maps.Keys(kinds[lane.Provider]))))
	}
	g := goods{
		pool: Pool{Provider: lane.Provider, Account: lane.Account, Region: lane.Region, Service: lane.Service, Currency: currency, Attributes: cloud.Attributes{}},
		size: One, buys: cloud.Attributes{}, kind: k, unit: "instances",
	}
	for _, key := range append([]string{k.typeKey}, k.keys...) {
		text := a[key]
		if text == "" {
			return goods{}, key, fmt.Errorf("is empty, and %s needs it", lane.Service)
		}
		g.buys[key], g.pool.Attributes[key] = text, text
		if key == "platform" {
			// It tells a VPC from EC2-Classic, which is no more.
			g.pool.Attributes[key] = strings.TrimSuffix(text, " (Amazon VPC)")
		}
	}
	name := a[k.typeKey]
	if k.measured {
		g.unit = measures[a[resourceKey]]
		switch {
		case g.unit == "":
			return goods{}, resourceKey, fmt.Errorf("%s is no resource of a commitment: use vcpu or memory_gb", show(a[resourceKey]))
		case !committedType.MatchString(name):
			return goods{}, k.typeKey, fmt.Errorf("%s is no type of commitment such as general-purpose-n2", show(name))
		}
		g.pool.Family = name
		return g, "", nil
	}
	if !typeName.MatchString(name) {
		return goods{}, k.typeKey, fmt.Errorf("%s does not look like a resource type", show(name))
	}
	family, size := name, ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		family, size = name[:dot], name[dot+1:]
	}
	if lane.Service == openSearch { // r6g.large.search
		family, _, _ = strings.Cut(name, ".")
	}
	g.pool.Family = family
	if k.plan {
		return g, "", nil
	}
	quarters := factors[size]
	if size == "metal" {
		quarters = 4 * metals[family]
		if strings.HasPrefix(family, "u-") {
			quarters = 4 * 896
		}
	}
	if quarters == 0 || !flexible(lane.Service, family, a) {
		return g, "", nil
	}
	if lane.Service == rds {
		if a["multi_az"] == "true" {
			quarters *= 2
		}
		delete(g.pool.Attributes, "multi_az")
	}
	delete(g.pool.Attributes, k.typeKey)
	g.size, g.unit = Units(quarters)*One/4, normalized
	return g, "", nil
}

// Flexible tells what one of the goods counts for where a reservation applies to all sizes
// of a family: family is the same text for all goods that count together, name is the
// size for people, and units its normalized units in quarters. It is false for goods
// that cover nothing but themselves.
func Flexible(lane cloud.Lane, a cloud.Attributes) (family, name string, units int64, ok bool) {
	k, known := kinds[lane.Provider][lane.Service]
	if !known || k.typeKey == "" || k.measured {
		return "", "", 0, false
	}
	g, _, err := goodsOf(lane, a, "")
	if err != nil || g.unit != normalized {
		return "", "", 0, false
	}
	name = a[k.typeKey]
	if a["multi_az"] == "true" {
		name += " Multi-AZ"
	}
	return g.pool.key(), name, int64(g.size / (One / 4)), true
}

// normalized is the unit of goods that count together with other sizes.
const normalized = "normalized units"

// flexible reports whether a reservation applies to all sizes of its family: regional
// ones of EC2 for Linux on shared hardware, those of some engines of RDS, and those of
// nodes in memory ("your reserved nodes are automatically applied to usage of any size
// in the same node family", MemoryDB Developer Guide, "Size flexible reserved nodes";
// "size flexibility for all its reserved node offerings", AWS Database Blog, 2024, of
// ElastiCache). Those of OpenSearch and Redshift apply to one type.
func flexible(s cloud.Service, family string, a cloud.Attributes) bool {
	switch s {
	case ec2:
		return strings.TrimSuffix(a["platform"], " (Amazon VPC)") == "Linux/UNIX" && a["tenancy"] == "default" && !slices.Contains(rigid, family)
	case rds:
		return slices.Contains(flexibleEngines, a["engine"])
	case elastiCache, memoryDB:
		return true
	}
	return false
}

// planPool is the pool of what the plan of a provider covers that an account pays for.
func planPool(p cloud.Provider, account cloud.Account, currency string) Pool {
	return Pool{Provider: p, Account: account, Region: "global", Service: plans[p].service, Attributes: maps.Clone(plans[p].attributes), Currency: currency}
}

func joinServices(names []cloud.Service) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = string(n)
	}
	return cmp.Or(strings.Join(words, ", "), "another")
}

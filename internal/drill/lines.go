package drill

import (
	"fmt"
	"strings"

	"bursar/internal/sim"
)

// good is something to buy: a line of a plan file.
type good struct{ provider, line string }

// goods are what is bought: one entry for each service of each cloud, as a line of a
// plan file. A region and a term in braces stand for every one of them.
var goods = []good{
	{"aws", `service: rds, engine: postgresql, class: db.r6g.large, multi_az: false, term: 1y, payment: partial-upfront, quantity: %d`},
	{"aws", `service: elasticache, engine: valkey, node_type: cache.m7g.large, term: 1y, payment: partial-upfront, quantity: %d`},
	{"aws", `service: memorydb, node_type: db.r7g.large, term: 1y, payment: partial-upfront, quantity: %d`},
	{"aws", `service: redshift, node_type: ra3.xlplus, offering_type: Regular, term: 1y, payment: partial-upfront, quantity: %d`},
	{"aws", `service: ec2, instance_type: m5.large, platform: Linux/UNIX, tenancy: default, offering_class: standard, term: 1y, payment: partial-upfront, quantity: %d`},
	{"aws", `service: ec2-zonal, zone: {region}a, instance_type: m5.large, platform: Linux/UNIX, tenancy: default, offering_class: standard, term: 1y, payment: partial-upfront, quantity: %d`},
	{"aws", `service: opensearch, instance_type: r6g.large.search, term: 1y, payment: partial-upfront, quantity: %d`},
	{"aws", `service: redshift-serverless, term: 1y, payment: no-upfront, quantity: %d`},
	{"aws", `region: global, service: savingsplans, plan_type: Compute, term: 1y, payment: partial-upfront, commitment: "0.%d0"`},
	{"azure", `service: vm, sku: Standard_D2s_v5, scope: shared, flexible: true, renew: false, term: 1y, payment: monthly, quantity: %d`},
	{"azure", `service: sql, sku: SQLDB_GP_Compute_Gen5, scope: shared, term: 3y, payment: all-upfront, quantity: %d`},
	{"azure", `service: redis, sku: Redis_Cache_Premium_P1, scope: shared, term: 1y, payment: monthly, quantity: %d`},
	{"azure", `service: cosmosdb, sku: CosmosDB_RU_100, scope: shared, term: 1y, payment: all-upfront, quantity: %d`},
	{"azure", `service: synapse, sku: SQLDW_cDWU_100, scope: shared, term: 1y, payment: monthly, quantity: %d`},
	{"azure", `service: appservice, sku: P1v3, scope: shared, term: 1y, payment: monthly, quantity: %d`},
	{"azure", `service: disk, sku: P30_LRS, scope: shared, term: 1y, payment: all-upfront, quantity: %d`},
	{"azure", `service: databricks, sku: DBCU_12500, scope: shared, term: 1y, payment: all-upfront, quantity: %d`},
	{"azure", `region: global, service: savings-plan, sku: Compute_Savings_Plan, scope: shared, term: 3y, payment: monthly, commitment: "0.%d0"`},
	{"gcp", `service: compute, type: general-purpose-n2, vcpu: %d, memory_gb: 16, term: 1y, payment: monthly, quantity: 1`},
	{"gcp", `billing: global, service: spend, product: compute-flexible, term: {term}, payment: monthly, commitment: "0.%d0"`},
}

// eachPlan is how many lines a plan of a drill has: no two of them buy the same.
const eachPlan = 40

// linesOf are lines over goods, accounts and regions.
func linesOf(s *sim.Sim, goods []good, n int) []string {
	accounts := map[string][]sim.Account{}
	for _, a := range s.Accounts() {
		accounts[a.Provider] = append(accounts[a.Provider], a)
	}
	lines := make([]string, n)
	for i := range lines {
		g := goods[i%len(goods)]
		round := i / len(goods)
		of := accounts[g.provider]
		a := of[round%len(of)]
		region := a.Regions[round/len(of)%len(a.Regions)]
		id := a.ID
		line := fmt.Sprintf(g.line, 2+2*(round%3))
		line = strings.NewReplacer("{region}", region, "{term}", []string{"1y", "3y"}[round%2]).Replace(line)
		switch {
		case strings.HasPrefix(line, "billing: "):
			id, line = a.BillingAccount, "region"+strings.TrimPrefix(line, "billing")
		case !strings.HasPrefix(line, "region: "):
			line = "region: " + region + ", " + line
		}
		lines[i] = fmt.Sprintf("provider: %s, account: %q, %s", g.provider, id, line)
	}
	return lines
}

// planFile is a plan of these lines.
func planFile(lines []string) []byte {
	var b strings.Builder
	b.WriteString("version: 1\nname: Drill\ntolerance: 1%\nlines:\n")
	for _, l := range lines {
		fmt.Fprintf(&b, "  - {%s}\n", l)
	}
	return []byte(b.String())
}

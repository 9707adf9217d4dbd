package recommend

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bursar/internal/cloud"
)

// azureLine is a plan of one line with these keys beside those that every line has.
func azureLine(service, quantity string, own ...string) string {
	text := "version: 1\nlines:\n  - provider: azure\n    account: 40000000-0000-4000-8000-000000000001\n    region: westeurope\n    service: " + service +
		"\n    term: 1y\n    payment: monthly\n    " + quantity + "\n"
	for _, o := range own {
		text += "    " + o + "\n"
	}
	return text
}

// azureCases are plans of Azure for the decoder and the schema alike.
var azureCases = func() []planCase {
	vm := func(own ...string) string {
		return azureLine("vm", "quantity: 2", append([]string{"sku: Standard_D2s_v5", "flexible: true"}, own...)...)
	}
	plan := strings.Replace(azureLine("savings-plan", `commitment: "1.50"`, "sku: Compute_Savings_Plan", "scope: shared"), "westeurope", "global", 1)
	const group = "/subscriptions/40000000-0000-4000-8000-000000000001/resourcegroups/my-rg"
	return []planCase{
		{name: "vm", text: vm("scope: shared")},
		{name: "vm renewed", text: vm("scope: shared", "renew: true")},
		{name: "vm of a group", text: vm("scope: " + group)},
		{name: "vm of a management group", text: vm("scope: /providers/microsoft.management/managementgroups/finance")},
		{name: "sql", text: azureLine("sql", "quantity: 2", "sku: SQLDB_GP_Compute_Gen5", "scope: shared")},
		{name: "azure savings plan", text: plan},
		{name: "vm of a group in capitals", text: vm("scope: " + strings.Replace(group, "resourcegroups", "resourceGroups", 1)),
			want: `p.yaml:12: scope: "` + strings.Replace(group, "resourcegroups", "resourceGroups", 1)[:40] + `..." does not look like shared`},
		{name: "vm without a scope", text: vm(), want: "p.yaml:3: scope: is missing: write for example scope: shared"},
		{name: "vm without flexible", text: azureLine("vm", "quantity: 2", "sku: Standard_D2s_v5", "scope: shared"), want: "p.yaml:3: flexible: is missing: write for example flexible: true"},
		{name: "sql flexible", text: azureLine("sql", "quantity: 2", "sku: X", "scope: shared", "flexible: true"), want: "p.yaml:12: flexible: is not a key of a line of service sql: its own keys are sku, scope, renew"},
		{name: "vm renewed in words", text: vm("scope: shared", "renew: never"), want: "p.yaml:13: renew: must be true or false, without quotes"},
		{name: "vm upfront in part", text: strings.Replace(vm("scope: shared"), "monthly", "partial-upfront", 1), want: "p.yaml:8: payment: partial-upfront is not sold for vm: use all-upfront or monthly"},
		{name: "vm of nobody", text: strings.Replace(vm("scope: shared"), "40000000-0000-4000-8000-000000000001", `"111122223333"`, 1), want: `p.yaml:4: account: 111122223333 is not the id of a subscription, a GUID in lower case`},
		{name: "vm in a region of others", text: strings.Replace(vm("scope: shared"), "westeurope", "eu-west-1", 1), want: `p.yaml:5: region: "eu-west-1" is not the name of a region such as westeurope`},
		{name: "vm everywhere", text: strings.Replace(vm("scope: shared"), "westeurope", "global", 1), want: `p.yaml:5: region: "global" is not the name of a region such as westeurope`},
		{name: "vm of no cloud", text: strings.Replace(vm("scope: shared"), "provider: azure\n    ", "", 1), want: `p.yaml:5: service: "vm" is a service of azure, not of aws: make the provider azure`},
		{name: "azure savings plan in a region", text: strings.Replace(plan, "global", "westeurope", 1), want: `p.yaml:5: region: "westeurope" is a region, and Azure savings plans are sold for all regions at once: write global`},
	}
}()

// TestAzureRows: what the history writes as CSV is read again.
func TestAzureRows(t *testing.T) {
	const head = "provider,account,region,service,resource type,scope,renew,flexible,count,term,payment,offering id\n"
	in, err := Read("f.csv", strings.NewReader(head+
		"azure,/subscriptions/40000000-0000-4000-8000-000000000001,West Europe,Virtual Machines,Standard_D2s_v5,shared,false,true,2,1y,monthly,Standard_D2s_v5.P1Y.Monthly\n"))
	if err != nil || len(in.Drafts) != 1 {
		t.Fatalf("%+v, %v", in, err)
	}
	d := in.Drafts[0]
	if got := inWords(d); d.Provider != cloud.Azure || d.OfferingID != "Standard_D2s_v5.P1Y.Monthly" ||
		got != "2 x vm flexible=true renew=false scope=shared sku=Standard_D2s_v5, 1y monthly, 40000000-0000-4000-8000-000000000001 westeurope" {
		t.Errorf("%s: %s", d.Provider, got)
	}
}

// TestAzureExample reads the example.
func TestAzureExample(t *testing.T) {
	f, err := os.Open(filepath.Join(testdata, "plan-azure.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := Read("plan-azure.yaml", f)
	if err != nil {
		t.Fatal(err)
	}
	var names []cloud.Service
	for _, d := range in.Drafts {
		names = append(names, d.Service)
	}
	for _, s := range azureServices {
		if !slices.Contains(names, s.name) {
			t.Errorf("the example has no %s", s.name)
		}
	}
}

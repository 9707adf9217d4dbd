package recommend

import (
	"regexp"
	"strings"

	"bursar/internal/cloud"
)

// A line of Azure says provider: azure; its account is a subscription. Reservations of
// one type of resource are one service, in Azure's own words for what is bought: a SKU,
// to what the benefit applies, and whether it renews itself.

// azurePayments: the two cost the same.
var azurePayments = []cloud.Payment{cloud.AllUpfront, cloud.Monthly}

var (
	subscriptionID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	azureLocation  = regexp.MustCompile(`^[a-z][a-z0-9]{1,39}$`)
)

var (
	azureSKU = attribute{key: "sku", example: "Standard_D2s_v5", pattern: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_ -]*$`), cased: true,
		columns: []string{"resource type"}}
	// azureScope is "shared" or the id of a subscription, a resource group or a
	// management group. Azure does not tell capitals apart in ids; here they are small.
	azureScope = attribute{key: "scope", example: "shared", most: 200, columns: []string{"scope"},
		pattern: regexp.MustCompile(`^(shared|/subscriptions/[0-9a-f-]{36}(/resourcegroups/[a-z0-9._()-]+)?|/providers/microsoft\.management/managementgroups/[a-z0-9._()-]+)$`)}
	azureRenew    = attribute{key: "renew", example: "false", boolean: true, optional: true, columns: []string{"renew"}}
	azureFlexible = attribute{key: "flexible", example: "true", boolean: true, columns: []string{"flexible"}}
)

func azureReservation(name cloud.Service, title string, aliases []string, more ...attribute) service {
	return service{
		provider: cloud.Azure, name: name, title: title, aliases: append(aliases, fold(string(name))), payments: azurePayments,
		attributes: append([]attribute{azureSKU, azureScope, azureRenew}, more...),
	}
}

var azureServices = []service{
	azureReservation("vm", "Azure virtual machines", []string{"virtualmachines", "virtualmachine", "compute"}, azureFlexible),
	azureReservation("sql", "Azure SQL", []string{"sqldatabases", "sqldatabase"}),
	azureReservation("cosmosdb", "Azure Cosmos DB", nil),
	azureReservation("redis", "Azure Cache for Redis", []string{"rediscache", "cache"}),
	azureReservation("synapse", "Azure Synapse", []string{"sqldatawarehouse"}),
	azureReservation("appservice", "Azure App Service", nil),
	azureReservation("disk", "Azure managed disks", []string{"manageddisk", "manageddisks"}),
	azureReservation("databricks", "Azure Databricks", nil),
	{
		provider: cloud.Azure, name: "savings-plan", title: "Azure savings plans", aliases: []string{"savingsplan", "savingsplans"},
		payments: azurePayments, unit: "0.00001",
		attributes: []attribute{
			{key: "sku", example: "Compute_Savings_Plan", values: []string{"Compute_Savings_Plan"}, columns: []string{"resource type"}},
			azureScope,
		},
	},
}

// subscription reads the id of a subscription.
func subscription(text string) (cloud.Account, error) {
	if subscriptionID.MatchString(text) {
		return cloud.Account(text), nil
	}
	return "", problemf("%s is not the id of a subscription, a GUID in lower case", show(text))
}

func looseSubscription(text string) (cloud.Account, error) {
	return subscription(strings.TrimPrefix(strings.ToLower(text), "/subscriptions/"))
}

// location reads the name of a region of Azure.
func location(text string) (cloud.Region, error) {
	if azureLocation.MatchString(text) && text != string(everywhere) {
		return cloud.Region(text), nil
	}
	return "", problemf("%s is not the name of a region such as westeurope", show(text))
}

// looseLocation also takes the name for people: "West Europe".
func looseLocation(text string) (cloud.Region, error) {
	return location(strings.ToLower(strings.ReplaceAll(text, " ", "")))
}

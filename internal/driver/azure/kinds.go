package azure

import (
	"strings"

	"bursar/internal/cloud"
)

// kind is a type of resource that is reserved, which is a service here: reservations of
// one type and location are told from all others by what they say of themselves.
type kind struct {
	service  cloud.Service
	resource string // reservedResourceType, an open list
	flexible bool   // sold with and without flexibility in size
	final    bool   // never taken back
}

// kinds are what is sold. All of it is one wire API.
var kinds = []kind{
	{service: "vm", resource: "VirtualMachines", flexible: true},
	{service: "sql", resource: "SqlDatabases"},
	{service: "cosmosdb", resource: "CosmosDb"},
	{service: "redis", resource: "RedisCache"},
	{service: "synapse", resource: "SqlDataWarehouse"},
	{service: "appservice", resource: "AppService"},
	{service: "disk", resource: "ManagedDisk"},
	{service: "databricks", resource: "Databricks", final: true},
}

// serviceOf is the service of a resource type; one that is not sold here is its own name.
func serviceOf(resource string) cloud.Service {
	for _, k := range kinds {
		if strings.EqualFold(k.resource, resource) {
			return k.service
		}
	}
	return cloud.Service(strings.ToLower(resource))
}

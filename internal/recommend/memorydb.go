package recommend

import (
	"regexp"

	"bursar/internal/cloud"
)

var memoryDBService = service{
	provider: cloud.AWS,
	name:     "memorydb",
	title:    "MemoryDB",
	aliases:  []string{"memorydb", "amazonmemorydb", "awsmemorydb", "amazonmemorydbforredis"},
	payments: awsPayments,
	attributes: []attribute{
		{key: "node_type", example: "db.r7g.large", pattern: regexp.MustCompile(`^db(\.[a-z0-9-]+){2}$`),
			columns: []string{"resource type"}, member: "NodeType"},
	},
	details: "MemoryDBInstanceDetails",
}

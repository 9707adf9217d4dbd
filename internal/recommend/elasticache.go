package recommend

import (
	"regexp"

	"bursar/internal/cloud"
)

var elastiCacheService = service{
	provider: cloud.AWS,
	name:     "elasticache",
	title:    "ElastiCache",
	aliases:  []string{"elasticache", "amazonelasticache", "awselasticache"},
	payments: awsPayments,
	attributes: []attribute{
		{key: "engine", example: "valkey", values: []string{"valkey", "redis", "memcached"}, loose: looseCacheEngine,
			columns: []string{"engine"}, member: "ProductDescription"},
		{key: "node_type", example: "cache.r7g.large", pattern: regexp.MustCompile(`^cache(\.[a-z0-9-]+){2}$`),
			columns: []string{"resource type"}, member: "NodeType"},
	},
	details: "ElastiCacheInstanceDetails",
}

// looseCacheEngine reads the name that Redis has in the User Guide.
func looseCacheEngine(text string, _ func(string) string) (string, bool) {
	return "redis", fold(text) == "redisoss"
}

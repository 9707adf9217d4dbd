package recommend

import (
	"regexp"
	"strings"

	"bursar/internal/cloud"
)

var openSearchService = service{
	provider: cloud.AWS,
	name:     "opensearch",
	title:    "OpenSearch",
	aliases: []string{"opensearch", "amazonopensearch", "awsopensearch", "amazonopensearchservice", "opensearchservice",
		"elasticsearch", "amazonelasticsearch", "amazonelasticsearchservice"},
	payments: awsPayments,
	attributes: []attribute{
		{key: "instance_type", example: "r6g.large.search", pattern: regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+\.search$`), loose: looseSearchType,
			columns: []string{"resource type"}, member: "InstanceClass", helpers: []helper{{"instance size", "InstanceSize"}}},
	},
	details: "ESInstanceDetails",
}

// looseSearchType reads what Cost Explorer says in two members, "r6g" and
// "large.search", and the names that types had in the Elasticsearch Service.
func looseSearchType(text string, helper func(string) string) (string, bool) {
	if size := strings.ToLower(helper("instance size")); size != "" {
		text += "." + size
	}
	if old, ok := strings.CutSuffix(text, ".elasticsearch"); ok {
		text = old + ".search"
	}
	return text, true
}

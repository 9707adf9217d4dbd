package recommend

import (
	"regexp"

	"bursar/internal/cloud"
)

// redshiftService: Cost Explorer does not tell offering types apart; its advice is
// read as the regular one, and the note says so.
var redshiftService = service{
	provider: cloud.AWS,
	name:     "redshift",
	title:    "Redshift",
	aliases:  []string{"redshift", "amazonredshift", "awsredshift"},
	payments: awsPayments,
	attributes: []attribute{
		{key: "node_type", example: "ra3.xlplus", pattern: regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`),
			columns: []string{"resource type"}, member: "NodeType"},
		{key: "offering_type", example: "Regular", values: []string{"Regular", "Upgradable"}, columns: []string{"node offering type"}, advised: "Regular"},
	},
	details: "RedshiftInstanceDetails",
}

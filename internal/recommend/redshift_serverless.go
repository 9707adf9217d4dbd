package recommend

import "bursar/internal/cloud"

// redshiftServerlessService: a quantity is in RPUs, and nothing but the terms tells
// its offerings apart. Cost Explorer does not recommend them.
var redshiftServerlessService = service{
	provider: cloud.AWS,
	name:     "redshift-serverless",
	title:    "Redshift Serverless",
	aliases:  []string{"redshiftserverless", "amazonredshiftserverless", "awsredshiftserverless"},
	payments: []cloud.Payment{cloud.AllUpfront, cloud.NoUpfront},
}

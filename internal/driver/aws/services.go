package aws

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// The services.
const (
	RDS         cloud.Service = "rds"
	ElastiCache cloud.Service = "elasticache"
	MemoryDB    cloud.Service = "memorydb"
	Redshift    cloud.Service = "redshift"
	OpenSearch  cloud.Service = "opensearch"
	EC2         cloud.Service = "ec2"       // reserved instances of a region
	EC2Zonal    cloud.Service = "ec2-zonal" // reserved instances of an availability zone

	RedshiftServerless cloud.Service = "redshift-serverless"
	SavingsPlans       cloud.Service = "savingsplans"
)

// Global is the region of the services that have none.
const Global cloud.Region = "global"

// Services are those that Open knows.
var Services = []cloud.Service{RDS, ElastiCache, MemoryDB, Redshift, EC2, EC2Zonal, OpenSearch, RedshiftServerless, SavingsPlans}

// HasRegions reports whether a service is sold by region; what another one sells is
// in Global.
func HasRegions(s cloud.Service) bool { return s != SavingsPlans }

// Open returns the driver of a service for one account and region. It does no IO.
func Open(s cloud.Service, cfg Config) (driver.Service, error) {
	c, err := newCore(cfg, !HasRegions(s))
	if err != nil {
		return nil, err
	}
	switch s {
	case RDS:
		return &reserved{c, rdsProduct, rdsAPI{c}}, nil
	case ElastiCache:
		return &reserved{c, elastiCacheProduct, elastiCacheAPI{c}}, nil
	case MemoryDB:
		return &reserved{c, memoryDBProduct, memoryDBAPI{c}}, nil
	case Redshift:
		return audited{&reserved{c, redshiftProduct, redshiftAPI{c}}}, nil
	case EC2:
		return ec2Regional{&reserved{c, ec2Product, ec2API{c, types.ScopeRegional}}}, nil
	case SavingsPlans:
		product := savingsPlansProduct
		if c.QueueSavingsPlans {
			product = queuedPlansProduct
		}
		return savingsPlans{&reserved{c, product, savingsPlansAPI{c}}}, nil
	case EC2Zonal:
		return ec2Zonal{followed{audited{&reserved{c, ec2ZonalProduct, ec2API{c, types.ScopeAvailabilityZone}}}}}, nil
	case OpenSearch:
		return followed{audited{&reserved{c, openSearchProduct(c.OpenSearchNamesUnique), openSearchAPI{c}}}}, nil
	case RedshiftServerless:
		return audited{&reserved{c, serverlessProduct, serverlessAPI{c}}}, nil
	}
	return nil, fmt.Errorf("aws %s cannot be bought", s)
}

package api

import "testing"

func TestGoods(t *testing.T) {
	ec2 := map[string]string{"instance_type": "m7g.large", "platform": "Linux/UNIX", "tenancy": "default", "offering_class": "standard"}
	for _, c := range []struct {
		service    string
		attributes map[string]string
		want       string
	}{
		{"rds", map[string]string{"engine": "mysql", "class": "db.r6g.large", "multi_az": "false"}, "rds mysql db.r6g.large"},
		{"rds", map[string]string{"engine": "mysql", "class": "db.r6g.large", "multi_az": "true"}, "rds mysql db.r6g.large multi-AZ"},
		{"rds", nil, "rds"},
		{"elasticache", map[string]string{"engine": "valkey", "node_type": "cache.r7g.large"}, "elasticache valkey cache.r7g.large"},
		{"memorydb", map[string]string{"node_type": "db.r7g.large"}, "memorydb db.r7g.large"},
		{"redshift", map[string]string{"node_type": "ra3.xlplus", "offering_type": "Regular"}, "redshift ra3.xlplus"},
		{"redshift", map[string]string{"node_type": "ra3.xlplus", "offering_type": "Upgradable"}, "redshift ra3.xlplus upgradable"},
		{"opensearch", map[string]string{"instance_type": "r6g.large.search"}, "opensearch r6g.large.search"},
		{"redshift-serverless", map[string]string{}, "redshift-serverless"},
		{"ec2", ec2, "ec2 m7g.large Linux/UNIX standard"},
		{"ec2", map[string]string{"instance_type": "m7i.large", "platform": "Windows", "tenancy": "dedicated", "offering_class": "convertible"},
			"ec2 m7i.large Windows convertible dedicated"},
		{"ec2-zonal", map[string]string{"zone": "eu-west-1a", "instance_type": "m7g.large", "platform": "Linux/UNIX", "tenancy": "default", "offering_class": "standard"},
			"ec2-zonal m7g.large Linux/UNIX standard in eu-west-1a"},
	} {
		if got := Goods(c.service, c.attributes); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.service, c.attributes, got, c.want)
		}
	}
}

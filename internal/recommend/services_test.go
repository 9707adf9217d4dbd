package recommend

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// inWords says what a draft is, for tables.
func inWords(d Draft) string {
	text := fmt.Sprintf("%s x %s %s, %s %s, %s %s", d.amount(d.Quantity), d.Service, d.Attributes, d.Term, d.Payment, d.Account, d.Region)
	if d.Note != "" {
		text += "; " + d.Note
	}
	return text
}

// TestServiceDocuments reads one document of each service in each format that it
// has.
func TestServiceDocuments(t *testing.T) {
	const us, eu = "111122223333 us-east-1", "444455556666 eu-west-1"
	const saves = "; Cost Explorer, 30 days of usage; expected savings USD "
	const regular = "; offering_type Regular, of which Cost Explorer says nothing"
	const m6i = "instance_type=m6i.large offering_class=standard platform=Linux/UNIX tenancy=default"
	each := []string{
		"1 x rds class=db.r6g.large engine=postgresql multi_az=false, 1y no-upfront, " + us,
		"3 x elasticache engine=valkey node_type=cache.r7g.large, 1y no-upfront, " + us,
		"2 x memorydb node_type=db.r7g.large, 1y partial-upfront, " + us,
		"2 x redshift node_type=ra3.xlplus offering_type=Regular, 1y all-upfront, " + us,
		"5 x ec2 " + m6i + ", 1y no-upfront, " + us,
		"1 x ec2-zonal " + m6i + " zone=us-east-1a, 1y no-upfront, " + us,
		"3 x opensearch instance_type=r6g.large.search, 1y no-upfront, " + us,
		"8 x redshift-serverless , 1y all-upfront, " + us,
		"1.5 x savingsplans plan_type=Compute, 1y partial-upfront, 111122223333 global",
	}
	rows := make([]string, len(each))
	for i, text := range each {
		rows[i] = text + "; team=shop"
	}
	rows[1] = each[1] + "; deployment=N/A; team=shop"
	for _, c := range []struct {
		file   string
		drafts []string
		left   []string
	}{
		{"plan-services.yaml", each, nil},
		{"services.csv", rows, []string{`11: 5 Amazon EC2 m5.large us-east-1 111122223333: its status "completed" says that it was bought`}},
		{"ce-elasticache.json", []string{
			each[1] + saves + "71.20 a month",
			"2 x elasticache engine=redis node_type=cache.m6g.large, 1y no-upfront, " + eu + saves + "32.10 a month",
			"1 x elasticache engine=memcached node_type=cache.m7g.xlarge, 3y all-upfront, " + us + saves + "101.50 a month; break-even after some 14.2 months",
		}, nil},
		{"ce-memorydb.json", []string{
			"4 x memorydb node_type=db.r7g.large, 1y partial-upfront, " + us + saves + "140.00 a month",
			"2 x memorydb node_type=db.r7g.xlarge, 1y partial-upfront, " + eu + saves + "155.50 a month",
		}, nil},
		{"ce-redshift.json", []string{
			each[3] + saves + "540.25 a month" + regular,
			"1 x redshift node_type=ra3.4xlarge offering_type=Regular, 1y all-upfront, " + eu + saves + "810.50 a month" + regular,
		}, nil},
		{"ce-ec2.json", []string{
			each[4] + saves + "118.40 a month",
			"1 x ec2 instance_type=m6i.xlarge offering_class=standard platform=Windows tenancy=dedicated, 1y no-upfront, " + us + saves + "60.00 a month",
			"2 x ec2 instance_type=c6i.large offering_class=standard platform=Linux/UNIX tenancy=default, 1y no-upfront, " + eu + saves + "44.00 a month; for the region, not only eu-west-1b",
			"1 x ec2 instance_type=r6i.large offering_class=convertible platform=Red Hat Enterprise Linux tenancy=default, 3y partial-upfront, " + us + saves + "35.00 a month",
		}, []string{
			`96: EC2 reservation: its Tenancy "host" is not known`,
			`122: EC2 reservation: its Platform "Windows BYOL" is not known`,
			"195: EC2 reservation: the recommendation does not say its OfferingClass: ask AWS again with --service-specification",
		}},
		{"ce-opensearch.json", []string{
			each[6] + saves + "71.20 a month",
			"2 x opensearch instance_type=m6g.large.search, 1y no-upfront, " + us + saves + "31.20 a month",
		}, nil},
		{"ce-savingsplans.json", []string{
			"1.234 x savingsplans ec2_region=us-east-1 family=m7g plan_type=EC2Instance, 1y no-upfront, 111122223333 global" + saves + "530.66 a month",
			"0.42857 x savingsplans ec2_region=eu-west-1 family=c6i plan_type=EC2Instance, 1y no-upfront, 444455556666 global" + saves +
				"96.20 a month; 0.4285714 per hour advised, rounded down to 0.42857",
		}, []string{
			"43: ec2_region=eu-west-1 family=t3 plan_type=EC2Instance: AWS recommends to commit to 0.0004 per hour, less than can be bought",
			"53: ec2_region=eu-west-1 family=r6g plan_type=EC2Instance: AWS recommends to buy none",
		}},
	} {
		t.Run(c.file, func(t *testing.T) {
			in, err := readFile(t, c.file)
			if err != nil {
				t.Fatal(err)
			}
			var drafts, left []string
			for _, d := range in.Drafts {
				checkDraft(t, d)
				drafts = append(drafts, inWords(d))
			}
			for _, l := range in.Left {
				left = append(left, fmt.Sprintf("%d: %s: %s", l.At.Line, l.What, l.Why))
			}
			if diff := cmp.Diff(c.drafts, drafts); diff != "" {
				t.Errorf("drafts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.left, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

// line returns a plan of one line with the keys of its service. The service is on
// line 5, its first key on line 6.
func line(service string, own ...string) string {
	return "version: 1\nlines:\n  - account: \"111122223333\"\n    region: us-east-1\n    service: " + service + "\n    " +
		strings.Join(own, "\n    ") + "\n    term: 1y\n    payment: no-upfront\n    quantity: 1\n"
}

// serviceCases are plans of each service for the decoder and the schema alike.
var serviceCases = func() []planCase {
	linux := []string{"platform: Linux/UNIX", "tenancy: default", "offering_class: standard"}
	ec2 := func(instance string, rest ...string) []string {
		return append([]string{"instance_type: " + instance}, rest...)
	}
	sp := func(own ...string) string {
		text := line("savingsplans", own...)
		return strings.NewReplacer("us-east-1\n    service", "global\n    service", "    quantity: 1\n", "").Replace(text)
	}
	google := func(service string, own ...string) string {
		text := line(service, append([]string{"provider: gcp"}, own...)...)
		return strings.NewReplacer(`"111122223333"`, "example-prod", "us-east-1", "us-central1", "no-upfront", "monthly").Replace(text)
	}
	n2 := []string{"type: general-purpose-n2", "vcpu: 64", "memory_gb: 256"}
	committed := func(own ...string) string {
		return strings.NewReplacer("    quantity: 1\n", "", "example-prod", "012345-6789AB-CDEF01").Replace(google("spend", own...))
	}
	return []planCase{
		{name: "commitment", text: google("compute", n2...)},
		{name: "licenses", text: google("licenses", "license: suse-sap-cloud/sles-sap-12", "cores: 3-4")},
		{name: "licenses of any cores", text: google("licenses", "license: suse-cloud/sles-12")},
		{name: "licenses of cores", text: google("licenses", "license: suse-sap-cloud/sles-sap-12", `cores: "4"`), want: "p.yaml:8: cores: 4 is not known for licenses: did you mean 3-4?"},
		{name: "license without project", text: google("licenses", "license: sles-12"), want: `p.yaml:7: license: "sles-12" does not look like suse-sap-cloud/sles-sap-12`},
		{name: "commitment in quotes", text: google("compute", "type: general-purpose-n2", `vcpu: "64"`, `memory_gb: "0.5"`)},
		{name: "commitment of quarters", text: google("compute", "type: general-purpose", "vcpu: 1", "memory_gb: 0.75")},
		{name: "commitment without memory", text: google("compute", n2[:2]...), want: "p.yaml:3: memory_gb: is missing: write for example memory_gb: 256"},
		{name: "commitment of thirds", text: google("compute", n2[0], n2[1], "memory_gb: 0.3"), want: "p.yaml:9: memory_gb: 0.3 does not look like 256"},
		{name: "commitment of no vcpu", text: google("compute", n2[0], "vcpu: 0", n2[2]), want: "p.yaml:8: vcpu: 0 does not look like 64"},
		{name: "commitment of half a vcpu", text: google("compute", n2[0], "vcpu: 1.5", n2[2]), want: "p.yaml:8: vcpu: 1.5 does not look like 64"},
		{name: "commitment of true", text: google("compute", n2[0], "vcpu: true", n2[2]), want: "p.yaml:8: vcpu: must be text: put \"true\" in quotes"},
		{name: "type in capitals", text: google("compute", "type: GENERAL_PURPOSE_N2", n2[1], n2[2]), want: `p.yaml:7: type: "GENERAL_PURPOSE_N2" does not look like general-purpose-n2`},
		{name: "commitment upfront", text: strings.Replace(google("compute", n2...), "monthly", "no-upfront", 1), want: "p.yaml:11: payment: no-upfront is not sold for compute: use monthly"},
		{name: "project as digits", text: strings.Replace(google("compute", n2...), "example-prod", `"111122223333"`, 1), want: "p.yaml:3: account: 111122223333 is not a project id such as example-prod"},
		{name: "region of aws", text: strings.Replace(google("compute", n2...), "us-central1", "us-east-1", 1), want: `p.yaml:4: region: "us-east-1" is not a region of Google Cloud such as europe-west1`},
		{name: "commitment in no region", text: strings.Replace(google("compute", n2...), "us-central1", "global", 1), want: `p.yaml:4: region: "global" is not a region of Google Cloud such as europe-west1`},
		{name: "monthly on aws", text: strings.Replace(line("memorydb", "node_type: db.r7g.large"), "no-upfront", "monthly", 1), want: "p.yaml:8: payment: monthly is not sold for memorydb: use all-upfront, partial-upfront or no-upfront"},
		{name: "google on aws", text: strings.Replace(google("compute", n2...), "    provider: gcp\n", "", 1), want: `p.yaml:5: service: "compute" is a service of gcp, not of aws: make the provider gcp`},
		{name: "spending", text: committed("product: cloud-sql", `commitment: "0.25"`)},
		{name: "spending everywhere", text: strings.Replace(committed("product: compute-flexible", `commitment: "1.50"`), "us-central1", "global", 1)},
		{name: "spending of a project", text: strings.Replace(committed("product: cloud-sql", `commitment: "0.25"`), "012345-6789AB-CDEF01", "example-prod", 1), want: `p.yaml:3: account: "example-prod" is not a billing account such as 012345-6789AB-CDEF01`},
		{name: "spending by the piece", text: committed("product: cloud-sql", "quantity: 3"), want: `p.yaml:8: quantity: is not a key of a line of service spend, which commits to an amount per hour: write for example commitment: "1.50"`},

		{name: "compute plan", text: sp("plan_type: Compute", `commitment: "1.50"`)},
		{name: "least plan", text: sp("plan_type: SageMaker", `commitment: "0.001"`)},
		{name: "largest plan", text: sp("plan_type: Database", `commitment: "1000000.00"`)},
		{name: "instance plan", text: sp("plan_type: EC2Instance", "family: m7g", "ec2_region: eu-west-1", `commitment: "12.34567"`)},
		{name: "plan of no amount", text: sp("plan_type: Compute"), want: "p.yaml:3: commitment: is missing: write for example commitment: \"1.50\""},
		{name: "plan by the piece", text: sp("plan_type: Compute", "quantity: 3"), want: "p.yaml:7: quantity: is not a key of a line of service savingsplans, which commits to an amount per hour: write for example commitment: \"1.50\""},
		{name: "rds by the hour", text: strings.Replace(plan("quantity", "1"), "    quantity: 1", `    commitment: "1.50"`, 1), want: "p.yaml:11: commitment: is not a key of a line of service rds, which is bought by the piece: write for example quantity: 3"},
		{name: "plan number", text: sp("plan_type: Compute", "commitment: 1.50"), want: "p.yaml:7: commitment: must be text: put 1.50 in quotes"},
		{name: "plan too fine", text: sp("plan_type: Compute", `commitment: "1.000001"`), want: "p.yaml:7: commitment: 1.000001 is not an amount per hour with at most five decimals, such as 1.50"},
		{name: "plan too small", text: sp("plan_type: Compute", `commitment: "0.00099"`), want: "p.yaml:7: commitment: 0.00099 is not from 0.001 to 1,000,000 per hour"},
		{name: "plan too large", text: sp("plan_type: Compute", `commitment: "1000000.00001"`), want: "p.yaml:7: commitment: 1000000.00001 is not from 0.001 to 1,000,000 per hour"},
		{name: "plan negative", text: sp("plan_type: Compute", `commitment: "-1"`), want: "p.yaml:7: commitment: -1 is not an amount per hour with at most five decimals, such as 1.50"},
		{name: "plan grouped", text: sp("plan_type: Compute", `commitment: "1,000"`), want: "p.yaml:7: commitment: 1,000 is not an amount per hour with at most five decimals, such as 1.50"},
		{name: "plan exponent", text: sp("plan_type: Compute", `commitment: "1e3"`), want: `p.yaml:7: commitment: 1e3 is not an amount per hour with at most five decimals, such as 1.50`},
		{name: "plan in a region", text: strings.Replace(sp("plan_type: Compute", `commitment: "1"`), "global", "us-east-1", 1), want: `p.yaml:4: region: "us-east-1" is a region, and Savings Plans are sold for all regions at once: write global`},
		{name: "rds in none", text: plan("region", "global"), want: `p.yaml:4: region: "global" is not a region code such as eu-west-1`},
		{name: "plan without family", text: sp("plan_type: EC2Instance", "ec2_region: eu-west-1", `commitment: "1"`), want: "p.yaml:6: plan_type: is EC2Instance, which needs family: write for example family: m7g"},
		{name: "plan without region", text: sp("plan_type: EC2Instance", "family: m7g", `commitment: "1"`), want: "p.yaml:6: plan_type: is EC2Instance, which needs ec2_region: write for example ec2_region: eu-west-1"},
		{name: "plan with family", text: sp("plan_type: Compute", "family: m7g", `commitment: "1"`), want: "p.yaml:7: family: belongs to plan_type EC2Instance only: remove it"},
		{name: "plan with region", text: sp("plan_type: Compute", "ec2_region: eu-west-1", `commitment: "1"`), want: "p.yaml:7: ec2_region: belongs to plan_type EC2Instance only: remove it"},
		{name: "plan type", text: sp("plan_type: compute", `commitment: "1"`), want: `p.yaml:6: plan_type: "compute" is not known for savingsplans: did you mean Compute?`},
		{name: "redis", text: line("elasticache", "engine: redis", "node_type: cache.t4g.medium")},
		{name: "memorydb", text: line("memorydb", "node_type: db.r6gd.xlarge")},
		{name: "search", text: line("opensearch", "instance_type: ultrawarm1.medium.search")},
		{name: "search type", text: line("opensearch", "instance_type: r6g.large.elasticsearch"), want: `p.yaml:6: instance_type: "r6g.large.elasticsearch" does not look like r6g.large.search`},
		{name: "no search type", text: line("opensearch", "note: x"), want: "p.yaml:3: instance_type: is missing: write for example instance_type: r6g.large.search"},
		{name: "serverless", text: line("redshift-serverless", "note: x")},
		{name: "serverless key", text: line("redshift-serverless", "node_type: ra3.xlplus"), want: "p.yaml:6: node_type: is not a key of a line of service redshift-serverless: it has no keys of its own"},
		{name: "serverless partly", text: strings.Replace(line("redshift-serverless", "note: x"), "no-upfront", "partial-upfront", 1), want: "p.yaml:8: payment: partial-upfront is not sold for redshift-serverless: use all-upfront or no-upfront"},
		{name: "upgradable", text: line("redshift", "node_type: dc2.8xlarge", "offering_type: Upgradable")},
		{name: "metal", text: line("ec2", ec2("u7in-16tb.224xlarge", linux...)...)},
		{name: "sql server", text: line("ec2", ec2("c7i.metal-24xl", "platform: Windows with SQL Server Web", "tenancy: dedicated", "offering_class: convertible")...)},
		{name: "zone", text: line("ec2-zonal", append([]string{"zone: us-east-1f"}, ec2("m6i.large", linux...)...)...)},
		{name: "local zone", text: line("ec2-zonal", append([]string{"zone: us-east-1-bos-1a"}, ec2("m6i.large", linux...)...)...)},

		{name: "cache engine", text: line("elasticache", "engine: mysql", "node_type: cache.t4g.medium"), want: `p.yaml:6: engine: "mysql" is not known for elasticache: use one of valkey, redis, memcached`},
		{name: "cache engine near", text: line("elasticache", "engine: valky", "node_type: cache.t4g.medium"), want: `p.yaml:6: engine: "valky" is not known for elasticache: did you mean valkey?`},
		{name: "cache node", text: line("elasticache", "engine: redis", "node_type: db.t4g.medium"), want: `p.yaml:7: node_type: "db.t4g.medium" does not look like cache.r7g.large`},
		{name: "no cache node", text: line("elasticache", "engine: redis"), want: "p.yaml:3: node_type: is missing: write for example node_type: cache.r7g.large"},
		{name: "cache class", text: line("elasticache", "engine: redis", "class: cache.t4g.medium"), want: "p.yaml:7: class: is not a key of a line of service elasticache: its own keys are engine, node_type"},
		{name: "memorydb engine", text: line("memorydb", "engine: redis", "node_type: db.r6gd.xlarge"), want: "p.yaml:6: engine: is not a key of a line of service memorydb: its own keys are node_type"},
		{name: "memorydb node", text: line("memorydb", "node_type: r7g.large"), want: `p.yaml:6: node_type: "r7g.large" does not look like db.r7g.large`},
		{name: "redshift type", text: line("redshift", "node_type: ra3.xlplus", "offering_type: regular"), want: `p.yaml:7: offering_type: "regular" is not known for redshift: did you mean Regular?`},
		{name: "no redshift type", text: line("redshift", "node_type: ra3.xlplus"), want: "p.yaml:3: offering_type: is missing: write for example offering_type: Regular"},
		{name: "redshift node", text: line("redshift", "node_type: ra3", "offering_type: Regular"), want: `p.yaml:6: node_type: "ra3" does not look like ra3.xlplus`},
		{name: "instance type", text: line("ec2", ec2("M6i.Large", linux...)...), want: `p.yaml:6: instance_type: "M6i.Large" does not look like m7g.large`},
		{name: "platform", text: line("ec2", ec2("m6i.large", "platform: Solaris", "tenancy: default", "offering_class: standard")...), want: `p.yaml:7: platform: "Solaris" is not known for ec2: use one of ` + strings.Join(ec2Platforms, ", ")},
		{name: "tenancy", text: line("ec2", ec2("m6i.large", "platform: Windows", "tenancy: host", "offering_class: standard")...), want: `p.yaml:8: tenancy: "host" is not known for ec2: use one of default, dedicated`},
		{name: "offering class", text: line("ec2", ec2("m6i.large", "platform: Windows", "tenancy: default", "offering_class: STANDARD")...), want: `p.yaml:9: offering_class: "STANDARD" is not known for ec2: use one of standard, convertible`},
		{name: "zone of a region", text: line("ec2", append([]string{"zone: us-east-1a"}, ec2("m6i.large", linux...)...)...), want: "p.yaml:6: zone: is not a key of a line of service ec2: its own keys are instance_type, platform, tenancy, offering_class"},
		{name: "no zone", text: line("ec2-zonal", ec2("m6i.large", linux...)...), want: "p.yaml:3: zone: is missing: write for example zone: eu-west-1a"},
		{name: "zone id", text: line("ec2-zonal", append([]string{"zone: use1-az1"}, ec2("m6i.large", linux...)...)...), want: `p.yaml:6: zone: "use1-az1" does not look like eu-west-1a`},
		{name: "zone elsewhere", text: line("ec2-zonal", append([]string{"zone: eu-west-1a"}, ec2("m6i.large", linux...)...)...), want: `p.yaml:6: zone: "eu-west-1a" is not a zone of us-east-1`, onlyDecoder: true},
		{name: "unknown key of redshift", text: line("redshift", "node_type: ra3.xlplus", "offering_type: Regular", "owner: me"), want: "p.yaml:8: owner: is not a key of a line: the keys are account, region, service, term, payment, quantity, provider, offering, currency, note, purpose, node_type, offering_type"},
	}
}()

func TestCSVServices(t *testing.T) {
	const head = "account,region,service,engine,resource type,platform,tenancy,offering class,zone,scope,node offering type,count,term,payment option\n"
	row := func(service, own string) string {
		return head + "111122223333,us-east-1," + service + "," + own + ",1,1y,no-upfront\n"
	}
	const m6i = "1 x ec2 instance_type=m6i.large offering_class=standard platform=Linux/UNIX tenancy=default, 1y no-upfront, 111122223333 us-east-1"
	for _, c := range []struct{ name, text, want string }{
		{"redis oss", row("ElastiCache", "Redis OSS,cache.m6g.large,,,,,,"), "1 x elasticache engine=redis node_type=cache.m6g.large, 1y no-upfront, 111122223333 us-east-1"},
		{"platform in engine", row("ec2", "Linux/UNIX,m6i.large,,shared,standard,,,"), m6i},
		{"regional scope", row("ec2", ",m6i.large,linux,shared,standard,NA,Region,"), m6i + "; zone=NA; scope=Region"},
		{"rhel", row("ec2", ",m6i.large,RHEL,dedicated,Convertible,,,"), "1 x ec2 instance_type=m6i.large offering_class=convertible platform=Red Hat Enterprise Linux tenancy=dedicated, 1y no-upfront, 111122223333 us-east-1"},
		{"old search type", row("Amazon Elasticsearch Service", ",M6G.large.elasticsearch,,,,,,"), "1 x opensearch instance_type=m6g.large.search, 1y no-upfront, 111122223333 us-east-1"},
		{"nothing of its own", row("Redshift Serverless", ",ra3.xlplus,,,,,,"), "1 x redshift-serverless , 1y no-upfront, 111122223333 us-east-1; resource type=ra3.xlplus"},
		{"foreign columns", row("memorydb", "redis,db.r7g.large,,,,us-east-1a,,"), "1 x memorydb node_type=db.r7g.large, 1y no-upfront, 111122223333 us-east-1; engine=redis; zone=us-east-1a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := inWords(accepted(t, "f.csv", c.text).Drafts[0]); got != c.want {
				t.Errorf("draft:\n got %s\nwant %s", got, c.want)
			}
		})
	}
	for _, c := range []struct{ name, text, want string }{
		{"zone for ec2", row("ec2", ",m6i.large,linux,shared,standard,us-east-1a,,"), `f.csv:2: zone: "us-east-1a" is a zone, and ec2 is bought for the whole region: make the service ec2-zonal, or empty the cell`},
		{"zonal scope for ec2", row("ec2", ",m6i.large,linux,shared,standard,,Availability Zone,"), `f.csv:2: scope: "Availability Zone" is not the scope of the row's service: make the service ec2-zonal, or empty the cell`},
		{"regional scope for zonal", row("ec2-zonal", ",m6i.large,linux,shared,standard,us-east-1a,Region,"), `f.csv:2: scope: "Region" is not the scope of the row's service: make the service ec2, or empty the cell`},
		{"zone elsewhere", row("ec2-zonal", ",m6i.large,linux,shared,standard,eu-west-1a,,"), `f.csv:2: zone: "eu-west-1a" is not a zone of us-east-1`},
		{"no zone", row("ec2-zonal", ",m6i.large,linux,shared,standard,,,"), "f.csv:2: zone: is empty"},
		{"no platform", row("ec2", ",m6i.large,,shared,standard,,,"), "f.csv:2: platform: is empty"},
		{"platform in engine", row("ec2", "BeOS,m6i.large,,shared,standard,,,"), `f.csv:2: engine: "BeOS" is not known for ec2: use one of ` + strings.Join(ec2Platforms, ", ")},
		{"no node offering type", row("redshift", ",ra3.xlplus,,,,,,"), "f.csv:2: node offering type: is empty"},
		{"cache node", row("elasticache", "redis,db.r6g.large,,,,,,"), `f.csv:2: resource type: "db.r6g.large" does not look like cache.r7g.large`},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, "f.csv", c.text, c.want) })
	}
}

package sim

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// clientTrips is what the official command line client does with each service of
// the simulator. A service is added with one entry, a trade if it sells as most do,
// or with the reason in clientLacks.
var clientTrips = map[string]func(*client){
	"rds": trade{
		offerings: []string{"rds", "describe-reserved-db-instances-offerings", "--db-instance-class", "db.r6g.large", "--no-multi-az"},
		sold:      "ReservedDBInstancesOfferings.ReservedDBInstancesOfferingId",
		keep:      func(o *offering) bool { return o.Class == "db.r6g.large" && o.Attributes["multi_az"] == "false" },
		purchase: []string{"rds", "purchase-reserved-db-instances-offering", "--reserved-db-instances-offering-id", "OFFERING",
			"--reserved-db-instance-id", "cli-1", "--db-instance-count", "3", "--tags", "Key=team,Value=data"},
		bought: "ReservedDBInstance.ReservedDBInstanceId", id: "cli-1", tags: []Tag{{"team", "data"}},
		list: []string{"rds", "describe-reserved-db-instances"}, listed: "ReservedDBInstances.ReservedDBInstanceId",
	}.trip,
	"elasticache": trade{
		offerings: []string{"elasticache", "describe-reserved-cache-nodes-offerings", "--cache-node-type", "cache.m7g.large"},
		sold:      "ReservedCacheNodesOfferings.ReservedCacheNodesOfferingId",
		keep:      func(o *offering) bool { return o.Class == "cache.m7g.large" },
		purchase: []string{"elasticache", "purchase-reserved-cache-nodes-offering", "--reserved-cache-nodes-offering-id", "OFFERING",
			"--reserved-cache-node-id", "cli-1", "--cache-node-count", "3", "--tags", "Key=team,Value=data"},
		bought: "ReservedCacheNode.ReservedCacheNodeId", id: "cli-1", tags: []Tag{{"team", "data"}},
		list: []string{"elasticache", "describe-reserved-cache-nodes"}, listed: "ReservedCacheNodes.ReservedCacheNodeId",
	}.trip,
	"memorydb": trade{
		offerings: []string{"memorydb", "describe-reserved-nodes-offerings", "--node-type", "db.r7g.large"},
		sold:      "ReservedNodesOfferings.ReservedNodesOfferingId",
		keep:      func(o *offering) bool { return o.Class == "db.r7g.large" },
		purchase: []string{"memorydb", "purchase-reserved-nodes-offering", "--reserved-nodes-offering-id", "OFFERING",
			"--reservation-id", "cli-1", "--node-count", "3", "--tags", "Key=team,Value=data"},
		bought: "ReservedNode.ReservationId", id: "cli-1", tags: []Tag{{"team", "data"}},
		list: []string{"memorydb", "describe-reserved-nodes"}, listed: "ReservedNodes.ReservationId",
	}.trip,
	"redshift": trade{
		offerings: []string{"redshift", "describe-reserved-node-offerings"},
		sold:      "ReservedNodeOfferings.ReservedNodeOfferingId",
		purchase: []string{"redshift", "purchase-reserved-node-offering", "--reserved-node-offering-id", "OFFERING",
			"--node-count", "3"},
		bought: "ReservedNode.ReservedNodeId",
		list:   []string{"redshift", "describe-reserved-nodes"}, listed: "ReservedNodes.ReservedNodeId",
	}.trip,
	"redshift-serverless": func(c *client) {
		if !c.knows("redshift-serverless", "create-reservation") {
			c.Log("the client of Debian 12 (2.9.19) is older than these reservations")
			return
		}
		trade{
			offerings: []string{"redshift-serverless", "list-reservation-offerings"},
			sold:      "reservationOfferingsList.offeringId",
			purchase: []string{"redshift-serverless", "create-reservation", "--offering-id", "OFFERING", "--capacity", "3",
				"--client-token", "0b1c2d3e-4f50-4a6b-8c7d-8e9f0a1b2c3d"},
			bought: "reservation.reservationId",
			list:   []string{"redshift-serverless", "list-reservations"}, listed: "reservationsList.reservationId",
		}.trip(c)
	},
	// The client reads one page of these lists.
	"savingsplans": trade{
		offerings: []string{"savingsplans", "describe-savings-plans-offerings", "--plan-types", "Compute", "--currencies", "USD",
			"--durations", "31536000", "--payment-options", "No Upfront"},
		sold: "searchResults.offeringId",
		keep: func(o *offering) bool {
			return o.Class == planCompute && o.hourly.Currency() == currency && o.Seconds == oneYear && o.Payment == noUpfront
		},
		purchase: []string{"savingsplans", "create-savings-plan", "--savings-plan-offering-id", "OFFERING", "--commitment", "0.00300",
			"--client-token", "cli-1", "--tags", "team=data"},
		bought: "savingsPlanId", tags: []Tag{{"team", "data"}}, region: noRegion, count: 300,
		list: []string{"savingsplans", "describe-savings-plans"}, listed: "savingsPlans.savingsPlanId",
	}.trip,
	// By the API of 2015 the client pages to the end, by that of 2021 it does not.
	"es": func(c *client) {
		old := trade{
			offerings: []string{"es", "describe-reserved-elasticsearch-instance-offerings"},
			sold:      "ReservedElasticsearchInstanceOfferings.ReservedElasticsearchInstanceOfferingId",
			purchase: []string{"es", "purchase-reserved-elasticsearch-instance-offering", "--reserved-elasticsearch-instance-offering-id", "OFFERING",
				"--reservation-name", "cli-1", "--instance-count", "3"},
			bought: "ReservedElasticsearchInstanceId",
			list:   []string{"es", "describe-reserved-elasticsearch-instances"}, listed: "ReservedElasticsearchInstances.ReservedElasticsearchInstanceId",
		}
		old.trip(c)
		now := old
		now.purchase = []string{"opensearch", "purchase-reserved-instance-offering", "--reserved-instance-offering-id", "OFFERING",
			"--reservation-name", "cli-2", "--instance-count", "3"}
		now.bought = "ReservedInstanceId"
		e := now.deal(c)
		out := c.aws("opensearch", "describe-reserved-instances", "--reserved-instance-id", e.ID)
		if got := pick(out, "ReservedInstances.ReservationName"); !slices.Equal(got, []string{"cli-2"}) || e.Name != "cli-2" {
			c.Errorf("%s is listed under %v", e.Name, got)
		}
	},
	"ec2": func(c *client) {
		all := trade{
			offerings: []string{"ec2", "describe-reserved-instances-offerings", "--instance-type", "m5.large", "--no-include-marketplace",
				"--product-description", "Linux/UNIX", "--offering-class", "standard"},
			sold: "ReservedInstancesOfferings.ReservedInstancesOfferingId",
			keep: func(o *offering) bool {
				return o.Class == "m5.large" && o.Attributes["product"] == "Linux/UNIX" && o.Attributes["offering_class"] == "standard"
			},
			purchase: []string{"ec2", "purchase-reserved-instances-offering", "--reserved-instances-offering-id", "OFFERING", "--instance-count", "3"},
			bought:   "ReservedInstancesId",
			list:     []string{"ec2", "describe-reserved-instances"}, listed: "ReservedInstances.ReservedInstancesId",
		}
		of := func(zone string) func(*offering) bool {
			return func(o *offering) bool { return all.keep(o) && o.Attributes["zone"] == zone }
		}
		zonal := all
		zonal.offerings = append(slices.Clone(all.offerings), "--availability-zone", "us-east-1a")
		zonal.keep = of("us-east-1a")
		zonal.trip(c)

		// A regional order that is queued, and then deleted.
		queued := all
		queued.offerings = append(slices.Clone(all.offerings), "--filters", "Name=scope,Values=Region")
		queued.keep = of("")
		at := c.sim.Now().Add(time.Hour).Truncate(time.Second)
		queued.purchase = append(slices.Clone(all.purchase), "--purchase-time", at.Format(time.RFC3339))
		queued.list = append(slices.Clone(all.list), "--filters", "Name=start,Values="+at.Format(timestamp))
		e := queued.deal(c)
		if e.State != stateQueued || !e.StartsAt.Equal(at) {
			c.Errorf("ordered for %s: %s from %s", at, e.State, e.StartsAt)
		}
		out := c.aws("ec2", "delete-queued-reserved-instances", "--reserved-instances-ids", e.ID)
		if got := pick(out, "SuccessfulQueuedPurchaseDeletions.ReservedInstancesId"); !slices.Equal(got, []string{e.ID}) {
			c.Errorf("deleted %v", got)
		}
		if ledger := c.sim.Ledger(); ledger[1].State != stateDeleted || ledger[0].State == stateDeleted {
			c.Errorf("the ledger after the deletion: %s and %s", ledger[0].State, ledger[1].State)
		}
	},
	"organizations": func(c *client) {
		if got := pick(c.aws("organizations", "list-accounts"), "Accounts.Id"); len(got) != len(members()) {
			c.Errorf("accounts %v", got)
		}
		if got := pick(c.aws("organizations", "describe-organization"), "Organization.MasterAccountId"); !slices.Equal(got, []string{account}) {
			c.Errorf("the management account is %v", got)
		}
	},
	"ssm": func(c *client) {
		put := []string{"ssm", "put-parameter", "--name", "/bursar/owner", "--type", "String", "--value", "us"}
		c.aws(put...)
		c.aws(append(put[:len(put)-1:len(put)-1], "them", "--overwrite")...)
		if got := pick(c.aws("ssm", "get-parameter", "--name", "/bursar/owner"), "Parameter.Value"); !slices.Equal(got, []string{"them"}) {
			c.Errorf("the parameter is %v", got)
		}
	},
	"servicequotas": func(c *client) {
		got := pick(c.aws("service-quotas", "list-service-quotas", "--service-code", "rds"), "Quotas.QuotaCode")
		if !slices.Contains(got, "L-78E853F4") {
			c.Errorf("quotas %v", got)
		}
		out := c.aws("service-quotas", "get-service-quota", "--service-code", "rds", "--quota-code", "L-78E853F4")
		if got := pick(out, "Quota.QuotaName"); !slices.Equal(got, []string{"Reserved DB instances"}) {
			c.Errorf("the quota is %v", got)
		}
	},
	"ce": func(c *client) {
		out := c.aws("ce", "get-reservation-purchase-recommendation", "--service", "Amazon Relational Database Service",
			"--term-in-years", "ONE_YEAR", "--payment-option", "ALL_UPFRONT", "--account-scope", "LINKED")
		if got := pick(out, "Recommendations.RecommendationDetails.AccountId"); len(got) == 0 {
			c.Errorf("no advice: %s", out)
		}
	},
	"sts": func(c *client) {
		if got := pick(c.aws("sts", "get-caller-identity"), "Account"); !slices.Equal(got, []string{account}) {
			c.Errorf("the caller is of account %v", got)
		}
		out := c.aws("sts", "assume-role", "--role-arn", role, "--role-session-name", "cli-session", "--duration-seconds", "900")
		if got := pick(out, "AssumedRoleUser.Arn"); len(got) != 1 || !strings.HasSuffix(got[0], ":assumed-role/buyer/cli-session") {
			c.Errorf("assumed %v", got)
		}
	},
	"cloudtrail": func(c *client) {
		mustBuy(c.T, c.url, "cli-1")
		out := c.aws("cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue="+purchase)
		if got := pick(out, "Events.EventName"); !slices.Equal(got, []string{purchase}) {
			c.Errorf("the trail has %v", got)
		}
		document := strings.Join(pick(out, "Events.CloudTrailEvent"), "")
		if !strings.Contains(document, `"cli-1"`) {
			c.Errorf("the event does not name the reservation: %s", document)
		}
	},
}

// clientLacks says of a service without an entry above why the client that Debian
// packages cannot use it.
var clientLacks = map[string]string{}

// TestClient lets the official command line client use every service.
func TestClient(t *testing.T) {
	program, err := exec.LookPath("aws")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("CI has no aws: .ci/run installs it")
	} else if err != nil {
		t.Skip("aws is not installed: apt-get install awscli")
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		if services[name].cloud() != onAWS {
			continue
		}
		trip := clientTrips[name]
		switch {
		case services[name].provider != "": // another cloud's
			continue
		case trip == nil && clientLacks[name] == "":
			t.Errorf("%s has no entry in clientTrips", name)
			continue
		case trip == nil:
			t.Logf("%s: %s", name, clientLacks[name])
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t, Options{Visibility: -1, TrailDelay: -1, Unthrottled: true})
			trip(&client{T: t, sim: s, url: serve(t, s), program: program})
		})
	}
	for name := range clientTrips {
		if services[name] == nil {
			t.Errorf("clientTrips has %s, which the simulator does not", name)
		}
	}
}

// trade is how a service is asked what it sells, to sell some of it, and what it
// sold. OFFERING in an argument stands for the offering's id.
type trade struct {
	offerings []string             // arguments of the client
	sold      string               // where its answer has offering ids
	keep      func(*offering) bool // what the arguments select; nil is all
	purchase  []string
	bought    string // where its answer has the id of what was bought
	id        string // that id; "" if the service makes it
	tags      []Tag
	count     int    // that it buys; 0 means 3
	region    string // where the offerings are; "" means us-east-1
	list      []string
	listed    string
}

func (d trade) trip(c *client) { d.deal(c) }

// deal trades once and returns what the simulator's ledger has of it.
func (d trade) deal(c *client) Entry {
	c.Helper()
	if d.region == "" {
		d.region = "us-east-1"
	}
	if d.count == 0 {
		d.count = 3
	}
	before := len(c.sim.Ledger())
	service := c.service()
	var want []string
	for _, o := range c.sim.catalog.byShop[shop{service, d.region}] {
		if d.keep == nil || d.keep(o) {
			want = append(want, o.id)
		}
	}
	got := pick(c.aws(d.offerings...), d.sold)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(want) == 0 {
		c.Fatalf("it offers %d: %v\nfor sale are %d: %v", len(got), got, len(want), want)
	}
	offering := got[len(got)/2]

	buying := slices.Clone(d.purchase)
	buying[slices.Index(buying, "OFFERING")] = offering
	sent := len(c.sim.Requests())
	id := pick(c.aws(buying...), d.bought)
	if n := len(c.sim.Requests()) - sent; n != 1 {
		c.Errorf("the purchase took %d requests", n)
	}
	ledger := c.sim.Ledger()
	if len(ledger) != before+1 || len(id) != 1 {
		c.Fatalf("bought %v; the ledger grew by %d", id, len(ledger)-before)
	}
	e := ledger[before]
	if e.Service != service || e.Account != account || e.Region != d.region || e.OfferingID != offering || e.Count != d.count ||
		e.ID != id[0] || d.id != "" && d.id != e.ID || !slices.Equal(e.Tags, append([]Tag{}, d.tags...)) {
		c.Errorf("asked for %d of %s and bought %+v", d.count, offering, e)
	}
	if got := pick(c.aws(d.list...), d.listed); !slices.Contains(got, e.ID) {
		c.Errorf("%s is not listed: %v", e.ID, got)
	}
	return e
}

// client is the official command line client, aimed at one simulator.
type client struct {
	*testing.T
	sim     *Sim
	url     string
	program string
}

// service is the one that the test is about: its last name.
func (c *client) service() string { return c.Name()[strings.LastIndexByte(c.Name(), '/')+1:] }

// aws runs the client and returns what it prints.
func (c *client) aws(args ...string) (out any) {
	c.Helper()
	raw, said, err := c.run(append(args, "--endpoint-url", c.url, "--output", "json")...)
	if err != nil {
		c.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		c.Fatalf("aws %s: %v in\n%s", strings.Join(args, " "), err, raw)
	}
	return out
}

// knows reports whether this release of the client has an operation.
func (c *client) knows(service, operation string) bool {
	_, said, err := c.run(service, operation)
	return err == nil || !strings.Contains(said, "Invalid choice") && !strings.Contains(said, "invalid choice")
}

// run tries once, as the client's own retries would hide what the simulator
// refuses.
func (c *client) run(args ...string) (out []byte, said string, err error) {
	cmd := exec.CommandContext(c.Context(), c.program, args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.TempDir(), "LANG=C.UTF-8", "AWS_ACCESS_KEY_ID=" + account, "AWS_SECRET_ACCESS_KEY=" + staticSecret,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_MAX_ATTEMPTS=1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "NO_PROXY=*",
	}
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err = cmd.Output()
	return out, errOut.String(), err
}

// pick returns the texts at a path of member names; a list stands for all of its
// elements.
func pick(v any, path string) (found []string) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			found = append(found, pick(one, path)...)
		}
	case map[string]any:
		name, rest, _ := strings.Cut(path, ".")
		return pick(v[name], rest)
	case string:
		if path == "" {
			return []string{v}
		}
	}
	return found
}

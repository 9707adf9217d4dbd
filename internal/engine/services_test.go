package engine_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/driver/azure"
	"bursar/internal/driver/gcp"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
)

// ofAzure are services of Azure, one for each way to buy there.
var ofAzure = []cloud.Service{"vm", "disk", azure.SavingsPlan}

// markets are the clouds: what is sold there, who buys it where, and how the driver of
// a lane is opened.
var markets = []market{
	{cloud.AWS, aws.Services, accountA, "us-east-1", (*simulated).amazon},
	{cloud.Azure, ofAzure, subscription, "westeurope", (*simulated).microsoft},
	{cloud.GCP, gcp.Services, project, "us-central1", (*simulated).google},
}

type market struct {
	provider cloud.Provider
	services []cloud.Service
	account  cloud.Account
	region   cloud.Region
	open     func(*simulated, cloud.Lane) (driver.Service, error)
}

// marketOf is the cloud that sells a service; no two clouds call one alike.
func marketOf(s cloud.Service) market {
	return markets[slices.IndexFunc(markets, func(m market) bool { return slices.Contains(m.services, s) })]
}

// each runs a test for each service of each cloud.
func each(t *testing.T, test func(*testing.T, cloud.Service)) {
	for _, m := range markets {
		for _, s := range m.services {
			t.Run(string(m.provider)+"/"+string(s), func(t *testing.T) { test(t, s) })
		}
	}
}

// goods is a line for each service, and the operation that buys it.
var goods = map[cloud.Service]struct {
	attributes cloud.Attributes
	buy        string
	count      int64
	payment    cloud.Payment
}{
	aws.RDS:         {cloud.Attributes{"engine": "postgresql", "class": "db.r6g.large", "multi_az": "false"}, opBuy, 2, cloud.PartialUpfront},
	aws.ElastiCache: {cloud.Attributes{"engine": "valkey", "node_type": "cache.m7g.large"}, "PurchaseReservedCacheNodesOffering", 2, cloud.PartialUpfront},
	aws.MemoryDB:    {cloud.Attributes{"node_type": "db.r7g.large"}, "PurchaseReservedNodesOffering", 2, cloud.PartialUpfront},
	aws.Redshift:    {cloud.Attributes{"node_type": "ra3.xlplus", "offering_type": "Regular"}, "PurchaseReservedNodeOffering", 2, cloud.PartialUpfront},
	aws.EC2: {cloud.Attributes{"instance_type": "m5.large", "platform": "Linux/UNIX", "tenancy": "default", "offering_class": "standard"},
		"PurchaseReservedInstancesOffering", 2, cloud.PartialUpfront},
	aws.EC2Zonal: {cloud.Attributes{"instance_type": "m5.large", "platform": "Linux/UNIX", "tenancy": "default", "offering_class": "standard",
		"zone": "us-east-1a"}, "PurchaseReservedInstancesOffering", 2, cloud.PartialUpfront},
	aws.OpenSearch:         {cloud.Attributes{"instance_type": "r6g.large.search"}, "PurchaseReservedInstanceOffering", 2, cloud.PartialUpfront},
	aws.RedshiftServerless: {cloud.Attributes{}, "CreateReservation", 2, cloud.NoUpfront},
	aws.SavingsPlans: {cloud.Attributes{"plan_type": "EC2Instance", "family": "m7g", "ec2_region": "eu-west-1"}, "CreateSavingsPlan",
		5_000, cloud.PartialUpfront},

	"vm": {cloud.Attributes{"sku": "Standard_D2s_v5", "scope": "shared", "renew": "false", "flexible": "true"},
		"ReservationOrder.purchase", 2, cloud.Monthly},
	"disk":            {cloud.Attributes{"sku": "P30_LRS", "scope": "shared", "renew": "false"}, "ReservationOrder.purchase", 2, cloud.AllUpfront},
	azure.SavingsPlan: {cloud.Attributes{"sku": "Compute_Savings_Plan", "scope": "shared"}, "SavingsPlanOrderAlias.create", 100, cloud.Monthly},

	gcp.Compute:  {cloud.Attributes{"type": "general-purpose-n2", "vcpu": "8", "memory_gb": "32"}, "regionCommitments.insert", 1, cloud.Monthly},
	gcp.Licenses: {cloud.Attributes{"license": "suse-sap-cloud/sles-sap-12", "cores": "3-4"}, "regionCommitments.insert", 2, cloud.Monthly},
	gcp.Spend:    {cloud.Attributes{"product": "compute-flexible"}, "orders.place", 5_000, cloud.Monthly},
}

// draftOf is a line of a service.
func draftOf(service cloud.Service) recommend.Draft {
	m := marketOf(service)
	d := recommend.Draft{
		At: recommend.Position{File: "test.yaml", Line: 1}, Provider: m.provider, Service: service, Account: m.account,
		Region: m.region, Attributes: goods[service].attributes, Term: cloud.OneYear, Payment: goods[service].payment, Quantity: goods[service].count,
	}
	switch service {
	case gcp.Spend:
		d.Account, d.Region, d.Unit = billing, gcp.Global, "0.00001"
	case aws.SavingsPlans, azure.SavingsPlan:
		d.Region, d.Unit = aws.Global, "0.00001"
	}
	return d
}

// wires are what the simulator calls services, where that is another name.
var wires = map[cloud.Service]string{aws.OpenSearch: "es", aws.EC2Zonal: "ec2", "vm": "microsoft.capacity", "disk": "microsoft.capacity", azure.SavingsPlan: "microsoft.billingbenefits",
	gcp.Licenses: "compute", gcp.Spend: "consumerprocurement"}

func sold(s cloud.Service) string { return cmp.Or(wires[s], string(s)) }

// TestServices carries a line of each service from its plan to its receipt, with
// a good answer, with one that is lost, and with a request that is lost.
func TestServices(t *testing.T) {
	each(t, func(t *testing.T, service cloud.Service) { carry(t, service, false) })
}

// TestOpenSearchNames is OpenSearch where names are known to be unique.
func TestOpenSearchNames(t *testing.T) { carry(t, aws.OpenSearch, true) }

func carry(t *testing.T, service cloud.Service, unique bool) {
	for name, fault := range map[string]*sim.Fault{
		"answered": nil, "lost answer": {Kind: sim.LoseReply}, "lost request": {Kind: sim.LoseRequest},
	} {
		t.Run(name, func(t *testing.T) {
			opts := sim.Options{Visibility: time.Minute, Unthrottled: true}
			if unique {
				opts.OpenSearchNames = sim.NamesUnique
			}
			w := newWorld(t, opts)
			w.clouds.unique = unique
			p := w.approved(draftOf(service))
			if fault != nil {
				fault.Service, fault.Operation = sold(service), goods[service].buy
				w.fault(*fault)
			}
			for range 300 {
				w.run(p)
				if p = w.plan(p); p.Lines[0].State.Terminal() || p.Lines[0].State == purchase.NeedsReview {
					break
				}
				if err := w.sim.Advance(time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			if p.Lines[0].State != purchase.Purchased {
				t.Fatalf("%s", w.story(p))
			}
			if fault == nil {
				// Where the answer is an id and nothing else: accepted, not yet bought.
				want := cloud.Bought
				if service == aws.EC2 || service == aws.EC2Zonal || service == aws.OpenSearch || marketOf(service).provider != cloud.AWS {
					want = cloud.Accepted
				}
				facts, err := w.db.Facts(t.Context(), p.Lines[0].ID)
				if err != nil || len(facts) == 0 || facts[0].Kind != cloud.EvidenceReply || facts[0].Outcome != want {
					t.Errorf("the first evidence is not a reply that says %s: %+v, %v", want, facts, err)
				}
			}
			ledger := w.sim.Ledger()
			if len(ledger) != 1 || ledger[0].Count != int(goods[service].count) || !slices.Contains([]string{"active", "payment-pending", "ACTIVE", "NOT_YET_ACTIVE"}, ledger[0].State) {
				t.Errorf("the cloud holds %+v", ledger)
			}
			if inv, err := w.engine.Inventory(t.Context()); err != nil || !inv.Balanced() {
				t.Errorf("inventory %+v, %v", inv, err)
			}
			w.check()
		})
	}
}

// TestClassOfALineIsKept: a line that was armed where names are unique is looked up,
// but nothing of it is sent, while they are not known to be.
func TestClassOfALineIsKept(t *testing.T) {
	for fault, want := range map[string]purchase.State{sim.LoseReply: purchase.Purchased, sim.LoseRequest: purchase.Ready} {
		w := newWorld(t, sim.Options{Visibility: time.Minute, Unthrottled: true})
		unique := func(is bool) {
			w.clouds.unique = is
			clear(w.clouds.open)
		}
		unique(true)
		p := w.approved(draftOf(aws.OpenSearch))
		w.fault(sim.Fault{Kind: fault, Service: "es", Operation: goods[aws.OpenSearch].buy})
		w.fault(sim.Fault{Kind: sim.StaleListing, Service: "es", Operation: "DescribeReservedInstances", Times: -1, Duration: time.Hour})
		w.run(p)
		unique(false)
		if err := w.sim.ClearFaults(); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			w.run(p)
			w.advance(time.Minute)
		}
		l := w.plan(p).Lines[0]
		if l.State != want || w.spent() > 2 {
			t.Errorf("%s: %s: %s; %d requests", fault, l.State, l.Reason, w.spent())
		}
		if want == purchase.Ready && !strings.Contains(l.Reason, "is of class C now and was of class B") {
			t.Errorf("%s: %s", fault, l.Reason)
		}
		unique(true)
		if l := w.settle(p).Lines[0]; l.State != purchase.Purchased || len(w.sim.Ledger()) != 1 {
			t.Errorf("%s: %s: %s; %d sold", fault, l.State, l.Reason, len(w.sim.Ledger()))
		}
	}
}

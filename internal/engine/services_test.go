package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver/aws"
	"bursar/internal/driver/azure"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
)

// goods is a line for each service of AWS and for some of Azure, and the operation that
// buys it.
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
}

// ofAzure are the services of Azure among them.
var ofAzure = []cloud.Service{"vm", "disk", azure.SavingsPlan}

// draftOf is a line of a service.
func draftOf(service cloud.Service) recommend.Draft {
	d := recommend.Draft{
		At: recommend.Position{File: "test.yaml", Line: 1}, Provider: cloud.AWS, Service: service, Account: accountA,
		Region: "us-east-1", Attributes: goods[service].attributes, Term: cloud.OneYear, Payment: goods[service].payment, Quantity: goods[service].count,
	}
	global := !aws.HasRegions(service)
	if slices.Contains(ofAzure, service) {
		d.Provider, d.Account, d.Region, global = cloud.Azure, subscription, "westeurope", !azure.HasRegions(service)
	}
	if global {
		d.Region, d.Unit = aws.Global, "0.00001"
	}
	return d
}

// sold is what the simulator calls a service.
func sold(s cloud.Service) string {
	switch {
	case s == aws.OpenSearch:
		return "es"
	case s == azure.SavingsPlan:
		return "microsoft.billingbenefits"
	case slices.Contains(ofAzure, s):
		return "microsoft.capacity"
	}
	return strings.TrimSuffix(string(s), "-zonal")
}

// TestServices carries a line of each service from its plan to its receipt, with
// a good answer, with one that is lost, and with a request that is lost.
func TestServices(t *testing.T) {
	for _, service := range aws.Services {
		carry(t, service, false)
	}
}

// TestOpenSearchNames is OpenSearch where names are known to be unique.
func TestOpenSearchNames(t *testing.T) { carry(t, aws.OpenSearch, true) }

func carry(t *testing.T, service cloud.Service, unique bool) {
	for name, fault := range map[string]*sim.Fault{
		"answered": nil, "lost answer": {Kind: sim.LoseReply}, "lost request": {Kind: sim.LoseRequest},
	} {
		t.Run(string(service)+"/"+name, func(t *testing.T) {
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
				if service == aws.EC2 || service == aws.EC2Zonal || service == aws.OpenSearch {
					want = cloud.Accepted
				}
				facts, err := w.db.Facts(t.Context(), p.Lines[0].ID)
				if err != nil || len(facts) == 0 || facts[0].Kind != cloud.EvidenceReply || facts[0].Outcome != want {
					t.Errorf("the first evidence is not a reply that says %s: %+v, %v", want, facts, err)
				}
			}
			ledger := w.sim.Ledger()
			if len(ledger) != 1 || ledger[0].Count != int(goods[service].count) || ledger[0].State != "active" && ledger[0].State != "payment-pending" {
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

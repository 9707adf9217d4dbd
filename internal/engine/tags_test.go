package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/aws"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
)

// mistagging is a driver whose purchases come out with other tags than the ledger
// says.
type mistagging struct {
	driver.Service
	tags map[string]string
}

func (m mistagging) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	r.Tags = maps.Clone(m.tags)
	return m.Service.Purchase(ctx, r)
}

// TestTagsDecideNothing: with the right tags, with none and with those of another
// line, each purchase ends alike, whatever is lost on the way.
func TestTagsDecideNothing(t *testing.T) {
	for _, service := range []cloud.Service{aws.RDS, aws.SavingsPlans} {
		for _, fault := range []string{"", sim.LoseReply, sim.LoseRequest, sim.ErrorAfter} {
			want := ""
			for i, tags := range []map[string]string{{"right": ""}, {}, {"bursar:line": "01K00000000000000000000000", "bursar:plan": "01P00000000000000000000000", "team": "other"}} {
				w := newWorld(t, sim.Options{Unthrottled: true})
				if fault != "" {
					w.fault(sim.Fault{Kind: fault, Service: sold(service), Operation: goods[service].buy})
				}
				d := draftOf(service)
				if i > 0 {
					svc, err := w.clouds.Service(cloud.Lane{Provider: d.Provider, Account: d.Account, Region: d.Region, Service: d.Service})
					if err != nil {
						t.Fatal(err)
					}
					w.clouds.open[cloud.Lane{Provider: d.Provider, Account: d.Account, Region: d.Region, Service: d.Service}] = mistagging{svc, tags}
				}
				p := w.settle(w.approved(d))
				l := p.Lines[0]
				got := fmt.Sprintf("%s after %d attempts, %d sold", l.State, l.Armed, len(w.sim.Ledger()))
				if want == "" {
					want = got
				}
				if got != want || l.State != purchase.Purchased || len(w.sim.Ledger()) != 1 {
					t.Errorf("%s, %s, tags %v: %s, with the right ones %s", service, fault, tags, got, want)
				}
			}
		}
	}
}

// TestAClaimIsNoPurchase: somebody else's reservation that is tagged as ours is
// what it is without the tag.
func TestAClaimIsNoPurchase(t *testing.T) {
	var outcomes []string
	for _, claimed := range []bool{false, true} {
		w := newWorld(t, sim.Options{Unthrottled: true, Seed: 3})
		p, err := w.propose(0, draftOf(aws.RDS))
		if err != nil {
			t.Fatal(err)
		}
		l := p.Lines[0]
		other := sim.Existing{Account: accountA, Region: "us-east-1", ID: "strange", OfferingID: l.Spec.Offering.ID, Count: int(l.Spec.Quantity), BoughtAt: w.sim.Now()}
		if claimed {
			other.Tags = []sim.Tag{{Key: "bursar:line", Value: string(l.ID)}, {Key: "bursar:plan", Value: string(p.ID)}}
		}
		if err := w.sim.Add(other); err != nil {
			t.Fatal(err)
		}
		now := w.sim.Now()
		if err := w.db.Decide(t.Context(), purchase.Decision{Plan: p.ID, Digest: p.Digest, By: "grace", Approve: true, At: now}, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		l = w.settle(p).Lines[0]
		outcomes = append(outcomes, fmt.Sprintf("%s: %s; %d sold", l.State, l.Reason, len(w.sim.Ledger())))
	}
	if outcomes[0] != outcomes[1] {
		t.Errorf("without the claim %q, with it %q", outcomes[0], outcomes[1])
	}
}

// TestProposeTags: what a plan is tagged with is frozen, and what does not fit is
// an error at its place.
func TestProposeTags(t *testing.T) {
	w := newWorld(t, sim.Options{})
	d := draft(accountA, "us-east-1", "mysql", "db.m6g.large", 1)
	d.Purpose = "orders"
	o := engine.PlanOptions{
		Name: "March", Requester: "ada", Approvals: engine.ApprovalRules{Needed: 2, Approvers: []string{"ada", "bob", "grace"}},
		Tags: purchase.Tags{"cost": "{purpose}", "who": "{requester} {approvers}", "what": "{plan_name} {version} {account} {service} {term}"},
	}
	p, err := w.engine.Propose(t.Context(), recommend.Input{Drafts: []recommend.Draft{d}}, o)
	if err != nil {
		t.Fatal(err)
	}
	want := purchase.Tags{"cost": "orders", "who": "ada {approvers}", "what": "March 1 " + accountA + " rds 1y"}
	if diff := cmp.Diff(want, p.Lines[0].Spec.Tags); diff != "" || p.Lines[0].Spec.Purpose != "orders" {
		t.Errorf("purpose %q, tags (-want +got):\n%s", p.Lines[0].Spec.Purpose, diff)
	}

	// The next version has the purpose too.
	now := w.sim.Now()
	for _, name := range []string{"bob", "grace"} {
		if err := w.db.Decide(t.Context(), purchase.Decision{Plan: p.ID, Digest: p.Digest, By: name, Approve: true, At: now}, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	row, err := w.db.Row(t.Context(), p.Lines[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := row.Intent(now).Tags["who"]; got != "ada bob+grace" {
		t.Errorf("who: %q", got)
	}
	w.advance(2 * time.Hour)
	w.run(p)
	o.Tags = purchase.Tags{"cost": "{purpose} v{version}"}
	next, _, err := w.engine.Continue(t.Context(), w.plan(p), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := next.Lines[0].Spec; got.Purpose != "orders" || got.Tags["cost"] != "orders v2" {
		t.Errorf("version 2: %q, %v", got.Purpose, got.Tags)
	}

	for want, change := range map[string]func(){
		"test.yaml:1: purpose: tag cost: holds {purpose}, and there is none: write it, or take it out of the configuration": func() { d.Purpose = "" },
		"test.yaml:1: name: tag what: '&' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @":           func() { o.Name = "R&D" },
		"test.yaml:1: requester: tag who: '!' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @":       func() { o.Requester = "ada!" },
		"test.yaml:1: tags: tag who: it names the approvers, c&a, and '&' cannot stand in a tag: use letters, digits, spaces and _ . : / = + - @": func() {
			o.Approvals.Approvers = []string{"bob", "grace", "c&a"}
		},
	} {
		d.Purpose, o.Name, o.Requester, o.Approvals.Approvers = "orders", "March", "ada", []string{"ada", "bob", "grace"}
		o.Tags = purchase.Tags{"cost": "{purpose}", "who": "{requester} {approvers}", "what": "{plan_name}"}
		change()
		_, err := w.engine.Propose(t.Context(), recommend.Input{Drafts: []recommend.Draft{d}}, o)
		var wrong *recommend.Error
		if !errors.As(err, &wrong) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestTagsAfterThePurchase: reserved instances are tagged once they are active,
// and whether that works or not changes nothing else.
func TestTagsAfterThePurchase(t *testing.T) {
	for _, service := range []cloud.Service{aws.EC2, aws.EC2Zonal, aws.Redshift} {
		for _, fault := range []string{"", sim.DenyAction} {
			w := newWorld(t, sim.Options{Unthrottled: true})
			d := draftOf(service)
			d.Purpose = "orders"
			p, err := w.engine.Propose(t.Context(), recommend.Input{Drafts: []recommend.Draft{d}},
				engine.PlanOptions{Name: "test", Requester: "ada", Tags: purchase.Tags{"cost": "{purpose} {approvers}"}})
			if err != nil {
				t.Fatal(err)
			}
			now := w.sim.Now()
			if err := w.db.Decide(t.Context(), purchase.Decision{Plan: p.ID, Digest: p.Digest, By: "grace", Approve: true, At: now}, now.Add(24*time.Hour)); err != nil {
				t.Fatal(err)
			}
			if fault != "" {
				w.fault(sim.Fault{Kind: fault, Service: "ec2", Operation: "CreateTags", Times: 1})
			}
			for range 300 {
				w.run(p)
				if w.plan(p).Lines[0].State.Terminal() {
					break
				}
				w.advance(time.Minute)
			}
			l := w.plan(p).Lines[0]
			for _, after := range []time.Duration{25 * time.Hour, 25 * time.Hour, 367 * 24 * time.Hour} { // active, and at last retired
				w.advance(after)
				audit, err := w.engine.Audit(t.Context(), false)
				if err != nil || len(audit.Findings) != 0 {
					t.Fatalf("%s: %+v, %v", service, audit, err)
				}
			}
			want := map[string]string{"bursar:line": string(l.ID), "bursar:plan": string(p.ID), "cost": "orders grace"}
			if fault != "" || service == aws.Redshift {
				want = map[string]string{}
			}
			got := map[string]string{}
			for _, tag := range w.sim.Ledger()[0].Tags {
				got[tag.Key] = tag.Value
			}
			if diff := cmp.Diff(want, got); diff != "" || l.State != purchase.Purchased {
				t.Errorf("%s, %q: %s, tags (-want +got):\n%s", service, fault, l.State, diff)
			}
			asked := 0
			for _, r := range w.sim.Requests() {
				if r.Operation == "CreateTags" {
					asked++
				}
			}
			if once := 1; service == aws.Redshift && asked != 0 || service != aws.Redshift && asked != once {
				t.Errorf("%s, %q: asked for tags %d times", service, fault, asked)
			}
			w.check()
		}
	}
}

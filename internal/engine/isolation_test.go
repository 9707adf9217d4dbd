package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
	"bursar/internal/sim"
)

// square returns lines of RDS in two accounts and two regions, n each.
func square(n int) (list []recommend.Draft) {
	for range n {
		for _, account := range []string{accountA, accountB} {
			for _, region := range []string{"us-east-1", "eu-west-1"} {
				list = append(list, draft(account, region, "mysql", "db.m6g.large", 1))
			}
		}
	}
	return list
}

// bad reports whether a line is of account B in eu-west-1.
func bad(l purchase.Line) bool {
	return l.Spec.Account == accountB && l.Spec.Offering.Region == "eu-west-1"
}

// troubles are what can befall one account in one region, with what its lines say.
var troubles = map[string]struct {
	fault sim.Fault
	says  []string
}{
	"denied": {
		sim.Fault{Kind: sim.DenyAction, Service: "rds", Operation: "DescribeReservedDBInstances"},
		[]string{"account " + accountB + " does not permit rds:DescribeReservedDBInstances in eu-west-1", "bursar doctor"},
	},
	"no session": {
		sim.Fault{Kind: sim.DenyAction, Service: "sts", Operation: "AssumeRole"},
		[]string{"account " + accountB + " does not permit sts:AssumeRole in eu-west-1", "bursar doctor"},
	},
	"disabled": {
		sim.Fault{Kind: sim.RegionDisabled},
		[]string{"region eu-west-1 is not enabled for account " + accountB, "bursar doctor"},
	},
	"unreachable": {
		sim.Fault{Kind: sim.RegionUnreachable},
		[]string{"no connection to aws rds in eu-west-1 for account " + accountB, "bursar doctor"},
	},
}

func (w *world) trouble(f sim.Fault) {
	w.t.Helper()
	f.Account, f.Region = accountB, "eu-west-1"
	if _, err := w.sim.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

// TestOneLaneInTrouble: the lines of an account and region that does not answer
// say why and what to do, and all others are bought. Once it is mended, they are
// bought too.
func TestOneLaneInTrouble(t *testing.T) {
	for name, tc := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sim.Options{Unthrottled: true})
			p := w.approved(square(12)...)
			w.trouble(tc.fault)
			before := len(w.sim.Requests())
			for range 3 { // 5 s, 10 s: held most of the time
				w.run(p)
				w.advance(2 * time.Second)
			}
			for _, l := range w.plan(p).Lines {
				if !bad(l) {
					if l.State != purchase.Purchased {
						t.Errorf("line %d of a good lane is %s: %s", l.Number, l.State, l.Reason)
					}
					continue
				}
				if l.State != purchase.Ready {
					t.Errorf("line %d is %s: %s", l.Number, l.State, l.Reason)
				}
				for _, want := range tc.says {
					if !strings.Contains(l.Reason, want) {
						t.Errorf("line %d says %q, want %q", l.Number, l.Reason, want)
					}
				}
			}
			asked := 0
			for _, r := range w.sim.Requests()[before:] {
				if r.Account == accountB && r.Region == "eu-west-1" && r.Attempt <= 1 {
					asked++
				}
			}
			if asked > 6 { // 12 lines, 3 rounds
				t.Errorf("the lane in trouble was asked %d times", asked)
			}
			if err := w.sim.ClearFaults(); err != nil {
				t.Fatal(err)
			}
			w.advance(5 * time.Minute)
			w.audit(w.settle(p))
		})
	}
}

// TestOneLaneHangs: a region that swallows requests keeps one worker, and the
// lines of the others are all bought meanwhile.
func TestOneLaneHangs(t *testing.T) {
	w := newWorld(t, sim.Options{Unthrottled: true})
	w.engine.Workers = 4
	p := w.approved(square(20)...)
	w.trouble(sim.Fault{Kind: sim.RegionUnreachable, Duration: time.Minute})
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var mu sync.Mutex
	bought := 0
	err := w.engine.Run(ctx, engine.RunOptions{Plan: p.ID, Patience: time.Minute, Moved: func(row purchase.Row, _ error) {
		mu.Lock()
		defer mu.Unlock()
		if row.Line.State == purchase.Purchased {
			if bought++; bought == 60 {
				stop()
			}
		}
	}})
	if bought != 60 {
		t.Errorf("%d of 60 lines of good lanes were bought beside a lane that hangs: %v", bought, err)
	}
	w.audit(p)
}

// TestPlanNamesEveryBadLane: whoever makes a plan learns at once of all lanes that
// cannot be read, whatever it is that they do not answer.
func TestPlanNamesEveryBadLane(t *testing.T) {
	w := newWorld(t, sim.Options{})
	w.trouble(sim.Fault{Kind: sim.RegionDisabled})
	for _, f := range []sim.Fault{
		{Kind: sim.DenyAction, Service: "rds", Operation: "DescribeReservedDBInstancesOfferings", Account: accountA, Region: "eu-west-1"},
		{Kind: sim.DenyAction, Service: "rds", Operation: "DescribeReservedDBInstances", Account: accountB, Region: "us-east-1"},
	} {
		if _, err := w.sim.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.propose(0, square(2)...)
	if err == nil {
		t.Fatal("a plan was made")
	}
	for _, want := range []string{
		"3 lanes could not be read",
		"account " + accountA + " does not permit rds:DescribeReservedDBInstancesOfferings in eu-west-1",
		"account " + accountB + " does not permit rds:DescribeReservedDBInstances in us-east-1",
		"region eu-west-1 is not enabled for account " + accountB,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if plans, err := w.db.Plans(t.Context()); err != nil || len(plans) != 0 {
		t.Errorf("%d plans, %v", len(plans), err)
	}
}

// TestDeniedPurchase: a permission that only the purchase lacks is told in the
// same words.
func TestDeniedPurchase(t *testing.T) {
	w := newWorld(t, sim.Options{})
	p := w.approved(square(1)...)
	w.trouble(sim.Fault{Kind: sim.DenyAction, Service: "rds", Operation: opBuy})
	p = w.settle(p)
	for _, l := range p.Lines {
		switch want := "refused: account " + accountB + " does not permit rds:" + opBuy + " in eu-west-1"; {
		case !bad(l) && l.State != purchase.Purchased:
			t.Errorf("line %d is %s: %s", l.Number, l.State, l.Reason)
		case bad(l) && (l.State != purchase.Failed || !strings.Contains(l.Reason, want)):
			t.Errorf("line %d is %s: %q, want %q", l.Number, l.State, l.Reason, want)
		}
	}
	w.audit(p)
}

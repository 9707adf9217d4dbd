package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// These are the cases that no simulated service can show yet: purchases known by
// a second or a handle.

var t0 = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

func listed(id string, state cloud.CommitmentState, start time.Time) cloud.Commitment {
	return cloud.Commitment{ID: id, State: state, Start: start, Term: cloud.OneYear, Quantity: 1,
		Upfront: money.MustParse("10", "USD"), Hourly: money.MustParse("1", "USD")}
}

func queuedBooks() *store.Books {
	fire := t0.Add(2 * time.Hour)
	return &store.Books{
		Install: "test", Receipts: map[string]purchase.Receipt{"ri-ours": {Line: "OURS"}},
		Open:  []purchase.Attempt{{Line: "Q", FireAt: fire, Intent: purchase.Intent{Identity: "bu-q"}}},
		Class: map[purchase.LineID]cloud.Class{"Q": cloud.ClassQueued},
	}
}

func TestNewsOfAQueuedLane(t *testing.T) {
	l := &look{began: t0}
	for _, c := range []cloud.Commitment{
		listed("ri-order", cloud.Queued, t0.Add(2*time.Hour)), // the second of an open attempt
		listed("ri-unpaid", cloud.Failed, t0),
		listed("ri-deleted", cloud.Deleted, t0),
		listed("ri-OURS", cloud.Active, t0),
		listed("ri-Base", cloud.Active, t0),
		listed("ri-new", cloud.Active, t0),
	} {
		l.found = append(l.found, cloud.Evidence{Commitment: &c})
	}
	got, err := news(l.lane, l.beyond(map[string]bool{"ri-base": true}), queuedBooks())
	if err != nil || !slices.Equal(got, []string{"ri-new"}) {
		t.Errorf("news %v, %v", got, err)
	}
}

func TestAnOrderInDoubtIsAwaited(t *testing.T) {
	i := explain(queuedBooks(), listed("ri-order", cloud.Queued, t0.Add(2*time.Hour)))
	if i.Match != Awaited || i.Line != "Q" || i.finding() != "" {
		t.Errorf("%+v", i)
	}
}

func TestDifference(t *testing.T) {
	receipt := listed("ri", cloud.Pending, t0)
	for name, change := range map[string]func(*cloud.Commitment){
		"offering":       func(c *cloud.Commitment) { c.OfferingID = "other" },
		"quantity":       func(c *cloud.Commitment) { c.Quantity = 2 },
		"3y":             func(c *cloud.Commitment) { c.Term = cloud.ThreeYears },
		"no-upfront":     func(c *cloud.Commitment) { c.Payment = cloud.NoUpfront },
		"USD 11":         func(c *cloud.Commitment) { c.Upfront = money.MustParse("11", "USD") },
		"USD 2":          func(c *cloud.Commitment) { c.Hourly = money.MustParse("2", "USD") },
		"engine=mysql":   func(c *cloud.Commitment) { c.Attributes = cloud.Attributes{"engine": "mysql"} },
		"payment failed": func(c *cloud.Commitment) { c.State = cloud.Failed },
	} {
		c := receipt
		change(&c)
		if got := difference(receipt, c); !strings.Contains(got, name) {
			t.Errorf("%s: %q", name, got)
		}
	}
	active := receipt
	active.State = cloud.Active
	if got := difference(receipt, active); got != "" {
		t.Errorf("no difference: %q", got)
	}
}

package drivertest

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

func testInfo(t *testing.T, h Harness) {
	i := h.Service.Info()
	if i.Lane.Provider == "" || i.Lane.Account == "" || i.Lane.Region == "" || i.Lane.Service == "" {
		t.Errorf("lane %+v is not complete", i.Lane)
	}
	if i.Class == "" || i.Life <= 0 || i.Settle <= 0 || i.Answer <= 0 || i.Guarantee == "" {
		t.Errorf("info %+v is not complete", i)
	}
	if token := i.Class == cloud.ClassToken || i.Class == cloud.ClassUnlisted; token != (i.Window > 0) {
		t.Errorf("class %s with a window of %s", i.Class, i.Window)
	}
	if _, returns := h.Service.(driver.Returner); returns && i.Final != "" {
		t.Errorf("what is bought is given back, and it is not: %s", i.Final)
	}
	if h.Impatient.Info().Lane != i.Lane || h.Stranger.Info().Lane != i.Lane {
		t.Error("the drivers of the harness are of different lanes")
	}
	r := h.Request()
	known := map[string]bool{}
	for _, a := range i.Attributes {
		known[a.Key] = true
		if r.Offering.Attributes[a.Key] == "" && !a.Optional || a.Example == "" {
			t.Errorf("attribute %+v: want an example and a value in %s", a, r.Offering.Attributes)
		}
	}
	for key := range r.Offering.Attributes {
		if !known[key] {
			t.Errorf("attributes %+v, but the offering has %s", i.Attributes, r.Offering.Attributes)
		}
	}
	if tokens := i.Class == cloud.ClassToken || i.Class == cloud.ClassUnlisted; tokens != (i.Window > 0) {
		t.Errorf("class %s remembers tokens for %s", i.Class, i.Window)
	}
}

func testOfferingsAll(t *testing.T, h Harness) {
	r, info := h.Request(), h.Service.Info()
	if h.Composed {
		if list, err := h.Service.Offerings(t.Context(), driver.Query{}); err == nil {
			t.Errorf("asked for everything: %d offerings, want an error", len(list))
		}
		return
	}
	all := offerings(t, h, driver.Query{})
	seen := map[string]bool{}
	for _, o := range all {
		if o.Provider != info.Lane.Provider || o.Service != info.Lane.Service || o.Region != info.Lane.Region {
			t.Errorf("offering %s is of another lane: %+v", o.ID, o)
		}
		if o.Term != cloud.OneYear && o.Term != cloud.ThreeYears {
			t.Errorf("offering %s has the term %d", o.ID, o.Term)
		}
		if o.Upfront.Currency() == "" || o.Hourly.Currency() != o.Upfront.Currency() || o.Upfront.Sign() < 0 || o.Hourly.Sign() < 0 ||
			o.Upfront.IsZero() && o.Hourly.IsZero() {
			t.Errorf("offering %s costs %s and %s an hour", o.ID, o.Upfront, o.Hourly)
		}
		key := fmt.Sprint(o.ID, o.Attributes, o.Term, o.Payment)
		if seen[key] {
			t.Errorf("offering %s is listed twice", o.ID)
		}
		seen[key] = true
	}
	if o := only(t, offerings(t, h, driver.Query{ID: r.Offering.ID})); !o.SameGoods(r.Offering) {
		t.Errorf("offering by id is %+v, want %+v", o, r.Offering)
	}
	if !seen[fmt.Sprint(r.Offering.ID, r.Offering.Attributes, r.Offering.Term, r.Offering.Payment)] {
		t.Error("the offering of the request is not among all offerings")
	}
}

func testOfferingsByAttributes(t *testing.T, h Harness) {
	want := h.Request().Offering
	got := only(t, offerings(t, h, driver.Query{Attributes: want.Attributes, Term: want.Term, Payment: want.Payment}))
	if !got.SameGoods(want) {
		t.Errorf("offering %+v, want %+v", got, want)
	}
	if h.Composed {
		if list := offerings(t, h, driver.Query{Attributes: want.Attributes}); len(list) < 2 {
			t.Errorf("%d offerings of any term, want one for each", len(list))
		}
	} else {
		wantFiltered(t, h, want)
	}
	if list, err := h.Service.Offerings(t.Context(), driver.Query{Attributes: cloud.Attributes{"no such key": "x"}}); err == nil {
		t.Errorf("an unknown attribute returned %d offerings, want an error", len(list))
	}
}

// wantFiltered asks for each attribute of an offering alone.
func wantFiltered(t *testing.T, h Harness, want cloud.Offering) {
	t.Helper()
	// Each attribute alone must give exactly those of all that have its value.
	all := offerings(t, h, driver.Query{})
	for key, value := range want.Attributes {
		n := 0
		for _, o := range all {
			if o.Attributes[key] == value {
				n++
			}
		}
		some := offerings(t, h, driver.Query{Attributes: cloud.Attributes{key: value}})
		if len(some) != n {
			t.Errorf("%d offerings with %s=%s, want %d", len(some), key, value, n)
		}
		for _, o := range some {
			if o.Attributes[key] != value {
				t.Errorf("asked for %s=%s, got %s", key, value, o.Attributes)
			}
		}
	}
}

func testOfferingsNone(t *testing.T, h Harness) {
	if list := offerings(t, h, driver.Query{ID: h.NotSold}); len(list) != 0 {
		t.Errorf("an id that does not exist returned %+v", list)
	}
}

func testQuotePrice(t *testing.T, h Harness) {
	r := h.Request()
	before := h.World.Now()
	q := quote(t, h.Service, r)
	if !q.Offering.SameGoods(r.Offering) || !q.Offering.Upfront.Equal(r.Offering.Upfront) || !q.Offering.Hourly.Equal(r.Offering.Hourly) {
		t.Errorf("quote of %+v, want %+v", q.Offering, r.Offering)
	}
	if q.Credential == "" || q.At.Before(before) || q.CloudTime.IsZero() {
		t.Errorf("quote %+v: want a credential and both times", q)
	}
	wantWorld(t, h, r, 0, 0)
}

func testQuoteNotSold(t *testing.T, h Harness) {
	r := h.Request()
	r.Offering.ID = h.NotSold
	if _, err := h.Service.Quote(t.Context(), r); !errors.Is(err, driver.ErrNotSold) {
		t.Errorf("Quote: %v, want ErrNotSold", err)
	}
}

func testQuoteOtherGoods(t *testing.T, h Harness) {
	r := h.Request()
	changed := cloud.Attributes{}
	for key := range maps.Keys(r.Offering.Attributes) {
		changed[key] = "something-else"
	}
	r.Offering.Attributes = changed
	if len(changed) == 0 { // nothing tells its offerings apart but the terms
		r.Offering.Payment = "something-else"
	}
	if q, err := h.Service.Quote(t.Context(), r); err == nil {
		t.Errorf("an offering that is other goods by now was quoted: %+v", q)
	}
}

func testQuoteWrongAccount(t *testing.T, h Harness) {
	if _, err := h.Stranger.Quote(t.Context(), h.Request()); !errors.Is(err, driver.ErrWrongAccount) {
		t.Errorf("Quote: %v, want ErrWrongAccount", err)
	}
}

func testFindNothing(t *testing.T, h Harness) {
	r := h.Request()
	asked := h.World.Now()
	found, err := h.Service.Find(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	wantAbsence(t, found, asked)

	r.Identities = nil
	if found, err = h.Service.Find(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	wantAbsence(t, found, asked)
}

func testFindWrongAccount(t *testing.T, h Harness) {
	r := h.Request()
	if found, err := h.Stranger.Find(t.Context(), r); !errors.Is(err, driver.ErrWrongAccount) {
		t.Errorf("Find: %+v, %v: another account's absence must be ErrWrongAccount", found, err)
	}
	r.Account = "000000000000"
	if found, err := h.Service.Find(t.Context(), r); !errors.Is(err, driver.ErrWrongAccount) {
		t.Errorf("Find: %+v, %v: a request for another account must be ErrWrongAccount", found, err)
	}
}

// testFindInventory needs several pages of the cloud.
func testFindInventory(t *testing.T, h Harness) {
	const n = 35
	want := map[string]bool{}
	var all []driver.Request
	for range n {
		all = append(all, h.Request())
		want[strings.ToLower(all[len(all)-1].Identity)] = true
	}
	h.World.Stock(all...)
	settle(h)
	r := h.Request()
	r.Identities = nil
	found, err := h.Service.Find(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, ev := range found {
		if ev.Kind != cloud.EvidenceListing || ev.Commitment == nil {
			t.Fatalf("evidence %+v, want a listing", ev)
		}
		id := nameOf(ev.Commitment)
		if listed[id] || h.listed() && !want[id] {
			t.Errorf("%s is listed twice or not in the world", id)
		}
		listed[id] = true
		same := r // of the same goods and quantity
		same.Identity = id
		same.FireAt = ev.Commitment.Start
		wantCommitment(t, *ev.Commitment, same, h.Service.Info().Lane)
	}
	if len(listed) != n {
		t.Errorf("%d commitments in the inventory, want %d", len(listed), n)
	}
}

func testFindAllIdentities(t *testing.T, h Harness) {
	r, old := h.Request(), h.Request()
	h.World.Stock(old)
	settle(h)
	r.Identities = []string{old.Identity, r.Identity}
	found, err := h.Service.Find(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Commitment == nil || !strings.EqualFold(nameOf(found[0].Commitment), old.Identity) {
		t.Errorf("Find returned %+v, want the commitment of the older identity", found)
	}
}

// testFindOtherCase is about ids that we choose; what a token stands for, the cloud
// does not look at.
func testFindOtherCase(t *testing.T, h Harness) {
	if h.Service.Info().Class != cloud.ClassName {
		return
	}
	r := h.Request()
	upper := r
	upper.Identity = strings.ToUpper(r.Identity)
	h.World.Stock(upper)
	wantFound(t, h, r)
	r = again(h, r)
	quote(t, h.Service, r)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, repeated(h))
	wantWorld(t, h, r, 1, 1)
}

func testFindStaleThenSettled(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	h.World.Inject(ListingStale)
	asked := h.World.Now()
	found, err := h.Service.Find(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	wantAbsence(t, found, asked) // what a stale listing says, with the time that makes it worthless
	wantFound(t, h, r)
	wantWorld(t, h, r, 1, 1)
}

// testFindAmongOthers looks for ours in an inventory of several pages, in which it
// is on another page each time.
func testFindAmongOthers(t *testing.T, h Harness) {
	var others []driver.Request
	for range 15 {
		o := h.Request()
		o.Quantity = 1
		others = append(others, o)
	}
	h.World.Stock(others...)
	settle(h)
	r := h.Request()
	quote(t, h.Service, r)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	for range 3 {
		wantFound(t, h, r)
	}
	wantWorld(t, h, r, 1, 1)
}

// testFindStrangeState: a state that the driver does not know binds.
func testFindStrangeState(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	settle(h)
	h.World.Inject(StateStrange)
	found, err := h.Service.Find(t.Context(), r)
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	if mine := live(h, r, found); len(mine) != 1 || mine[0].Commitment.State != cloud.Unknown || !mine[0].Commitment.State.Binding() {
		t.Errorf("Find returned %+v, want one commitment in a state that is unknown and binds", found)
	}
	wantFound(t, h, r)
	wantWorld(t, h, r, 1, 1)
}

// testFindBusy: a read that is throttled twice in a row is asked again, and what
// comes of it is a whole listing.
func testFindBusy(t *testing.T, h Harness) {
	r := h.Request()
	quote(t, h.Service, r)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	h.World.Inject(ListingBusy)
	h.World.Inject(ListingBusy)
	wantFound(t, h, r)
	wantWorld(t, h, r, 1, 1)
}

func offerings(t *testing.T, h Harness, q driver.Query) []cloud.Offering {
	t.Helper()
	list, err := h.Service.Offerings(t.Context(), q)
	if err != nil {
		t.Fatalf("Offerings(%+v): %v", q, err)
	}
	return list
}

func only(t *testing.T, list []cloud.Offering) cloud.Offering {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("%d offerings, want 1: %+v", len(list), list)
	}
	return list[0]
}

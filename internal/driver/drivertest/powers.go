package drivertest

import (
	"testing"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// testTrail: after a lost answer the audit log names what the attempt bought, and
// nothing for another attempt. Where attempts share a credential it is silent.
func testTrail(t *testing.T, h Harness) {
	auditor, ok := h.Service.(driver.Auditor)
	if !ok {
		return
	}
	r, other := h.Request(), h.Request()
	q := quote(t, h.Service, r)
	h.World.Inject(ReplyLost)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.InDoubt)
	bought := wantFound(t, h, r)[0].Commitment

	other = again(h, other)
	p := quote(t, h.Service, other)
	h.World.Inject(Throttled)
	ev, err = h.Service.Purchase(t.Context(), other)
	wantOutcome(t, ev, err, cloud.Throttled)
	settle(h)
	wants := map[string]bool{p.Credential: false, "": false}
	wants[q.Credential] = h.Trails
	for credential, want := range wants {
		found, err := auditor.Trail(t.Context(), r, credential)
		if err != nil {
			t.Fatalf("Trail: %v", err)
		}
		if !want {
			if len(found) != 0 {
				t.Errorf("the audit log of another credential names %+v", found)
			}
			continue
		}
		if len(found) != 1 || found[0].Kind != cloud.EvidenceAuditLog || found[0].Commitment == nil || found[0].Commitment.ID != bought.ID {
			t.Errorf("the audit log names %+v, want %s", found, bought.ID)
		}
	}
}

// testPoll follows the handle that a purchase gave until it names the commitment.
func testPoll(t *testing.T, h Harness) {
	follower, ok := h.Service.(driver.Follower)
	if !ok {
		return
	}
	r := h.Request()
	quote(t, h.Service, r)
	ev, err := h.Service.Purchase(t.Context(), r)
	wantOutcome(t, ev, err, cloud.Bought)
	if ev.Handle == "" {
		t.Fatal("the answer gave no handle")
	}
	now, err := follower.Poll(t.Context(), r, ev.Handle)
	if err != nil || now.Outcome != cloud.Accepted && now.Outcome != cloud.Bought {
		t.Errorf("just bought: %+v, %v", now, err)
	}
	settle(h)
	then, err := follower.Poll(t.Context(), r, ev.Handle)
	if err != nil || then.Outcome != cloud.Bought || then.Commitment == nil {
		t.Fatalf("settled: %+v, %v", then, err)
	}
	wantCommitment(t, *then.Commitment, r, h.Service.Info().Lane)

	failed := h.Request()
	quote(t, h.Service, failed)
	h.World.Inject(PaymentFails)
	if ev, err = h.Service.Purchase(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	settle(h)
	if end, err := follower.Poll(t.Context(), failed, ev.Handle); err != nil || end.Outcome != cloud.Refused && end.Outcome != cloud.Accepted {
		t.Errorf("its payment failed: %+v, %v", end, err)
	}
}

// testRelease: of two orders for one second one is deleted, and the other fires.
func testRelease(t *testing.T, h Harness) {
	if !h.queued() {
		return
	}
	releaser, ok := h.Service.(driver.Releaser)
	if !ok {
		t.Fatal("orders cannot be deleted")
	}
	r := h.Request()
	for _, n := range []driver.Request{r, again(h, r)} {
		quote(t, h.Service, n)
		ev, err := h.Service.Purchase(t.Context(), n)
		wantOutcome(t, ev, err, cloud.Bought)
	}
	wantWorld(t, h, r, 2, 2)
	settle(h)
	found, err := h.Service.Find(t.Context(), r)
	if err != nil || len(live(h, r, found)) != 2 {
		t.Fatalf("Find: %+v, %v: want both orders", found, err)
	}
	surplus := *live(h, r, found)[0].Commitment
	strange := surplus
	strange.Account = "000000000000"
	if err := releaser.Release(t.Context(), r, strange); err == nil {
		t.Error("an order of another account was deleted")
	}
	if err := releaser.Release(t.Context(), r, surplus); err != nil {
		t.Fatalf("Release: %v", err)
	}
	wantWorld(t, h, r, 1, 2)
	if kept := wantFound(t, h, r); kept[0].Commitment.ID == surplus.ID || kept[0].Commitment.State != cloud.Queued {
		t.Errorf("kept %+v", kept[0].Commitment)
	}
	if err := releaser.Release(t.Context(), r, surplus); err == nil {
		t.Error("an order was deleted twice")
	}
	fire(h, r)
	fired := *wantFound(t, h, r)[0].Commitment
	if fired.State != cloud.Active {
		t.Errorf("fired into state %s", fired.State)
	}
	if err := releaser.Release(t.Context(), r, fired); err == nil {
		t.Error("what has fired was deleted")
	}
	wantWorld(t, h, r, 1, 2)
}

package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

func TestLedger(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) { testLedger(t, on.open) })
}

// testLedger is the suite that every engine passes.
func testLedger(t *testing.T, open func(*testing.T) *engine) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *engine){
		"what is saved is read back":          testRoundTrip,
		"a purchase is read back":             testPurchaseRoundTrip,
		"a lost guard changes nothing":        testGuards,
		"arming needs every permission":       testArmingGuards,
		"a change is whole or not at all":     testAtomicity,
		"a decision is on a digest, once":     testDecisions,
		"as many people as the plan needs":    testApprovals,
		"two people decide at once":           testApprovalsAtOnce,
		"who may decide":                      testApprovers,
		"tags name those who approved":        testTagsNameApprovers,
		"a new version supersedes":            testSupersede,
		"what is in doubt is not superseded":  testSupersedeInDoubt,
		"purchasing is stopped and started":   testStop,
		"a commitment is declared foreign":    testForeign,
		"a person closes a line":              testDecidedLine,
		"ids may be shortened":                testPrefixes,
		"a line can be called off":            testCancel,
		"all or nothing":                      testAllOrNothing,
		"a line can be taken back or not":     testTakenBack,
		"lines become due":                    testDue,
		"a line that does not exist":          testMissing,
		"the protocol's invariants hold":      testInvariants,
		"a lane without identity is kept":     testLaneIsKept,
		"a receipt belongs to one line":       testReceiptOnce,
		"a plan is saved once":                testPlanOnce,
		"only the nonce of the line is armed": testArmedByNonce,
		"holds live as long as their lines":   testHolds,
		"a budget refuses, whole or not":      testOverBudget,
		"a new version takes the old room":    testSupersedeReleases,
		"a budget counts what it covers":      testBudgetCovers,
		"a budget is set and retired":         testSetBudget,
		"a new budget takes over":             testTakeOver,
		"a line is armed only with its holds": testArmingNeedsHolds,
		"a hold ends with its line or not":    testHoldsAreWhole,
		"what a plan takes can be looked up":  testPlanBudgets,
		"a forgotten approval holds nothing":  testForgottenApproval,
		"a ledger that went back recovers":    testRecovery,
		"whoever lags behind moves nothing":   testIncarnation,
		"a recovery ends when all is known":   testRecoveryEnds,
		"what was regained is explained":      testRegained,
		"marks are taken anew":                testMarks,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func testRoundTrip(t *testing.T, e *engine) {
	p := newPlan(t, 1, 3)
	p.Lines[1].Spec.Simulated = true
	p.Lines[2].Spec.Offering.Hourly = usd("0.000000001")
	p.Lines[2].Spec.Quantity = 123456
	p.Lines[2].Spec.Offering.Attributes = nil
	e.ok(p.Freeze())
	e.ok(e.SavePlan(t.Context(), p))
	got, err := e.Plan(t.Context(), string(p.ID))
	e.ok(err)
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("plan (-saved +read):\n%s", diff)
	}
	for i, l := range got.Lines {
		if a, b := l.Spec.Price.Total.Canonical(), p.Lines[i].Spec.Price.Total.Canonical(); a != b {
			t.Errorf("line %d costs %s, saved was %s", i+1, a, b)
		}
	}
	if digest, err := got.ComputeDigest(); err != nil || digest != p.Digest {
		t.Errorf("what is read back has the digest %s, %v", digest, err)
	}
	batch := allOrNothing(t, 3, 2)
	e.ok(e.SavePlan(t.Context(), batch))
	got, err = e.Plan(t.Context(), string(batch.ID))
	e.ok(err)
	if diff := cmp.Diff(batch, got); diff != "" {
		t.Errorf("all-or-nothing plan (-saved +read):\n%s", diff)
	}
	if digest, err := got.ComputeDigest(); err != nil || digest != batch.Digest {
		t.Errorf("what is read back has the digest %s, %v", digest, err)
	}
	other := e.approve(4, 1)
	all, err := e.Plans(t.Context())
	e.ok(err)
	if len(all) != 3 || all[0].ID != other.ID || len(all[0].Lines) != 1 || len(all[1].Lines) != 2 || len(all[2].Lines) != 3 {
		t.Errorf("plans, newest first: %v", all)
	}
	if all[0].State != purchase.PlanApproved || !all[0].ApprovalExpires.Equal(t0.Add(2*time.Hour)) || all[0].ApprovalExpires.Location() != time.UTC {
		t.Errorf("approved plan: %s until %s", all[0].State, all[0].ApprovalExpires)
	}
	decisions, err := e.Decisions(t.Context(), other.ID)
	e.ok(err)
	if diff := cmp.Diff([]purchase.Decision{yes(other)}, decisions); diff != "" {
		t.Errorf("decisions (-made +read):\n%s", diff)
	}
}

func testPurchaseRoundTrip(t *testing.T, e *engine) {
	p := e.approve(1, 1)
	line := p.Lines[0].ID
	want := purchase.Row{
		Line: p.Lines[0], PlanState: purchase.PlanApproved, ApprovalExpires: t0.Add(2 * time.Hour),
		Tolerance: 50, Purchasing: true, Install: "k7f2", Attempts: []purchase.Attempt{},
	}
	want.Line.State, want.Line.LookAt, want.Line.MustLeaveBy = purchase.Ready, t0, t0.Add(purchase.ReadyDwell)
	if diff := cmp.Diff(want, e.row(line)); diff != "" {
		t.Errorf("approved (-want +got):\n%s", diff)
	}

	c := e.step(line, checked(p.Lines[0].Spec.Offering, t0, "nonce-1"), t0)
	e.apply(c, t0.Add(789*time.Nanosecond)) // cut, not rounded
	want.Line.State, want.Line.Armed, want.Line.Version, want.Line.LookAt, want.Line.MustLeaveBy = purchase.Armed, 1, 1, c.LookAt, c.MustLeaveBy
	want.Attempts = []purchase.Attempt{*c.Arm}
	want.Attempts[0].Intent.Identities = nil // derived, not stored
	if diff := cmp.Diff(want, e.row(line)); diff != "" {
		t.Errorf("armed (-want +got):\n%s", diff)
	}

	now := t0.Add(time.Second)
	c = e.step(line, answer(want.Attempts[0], cloud.Bought), now)
	e.apply(c, now)
	want.Line.State, want.Line.Version, want.Line.LookAt, want.Line.MustLeaveBy, want.Line.UpdatedAt = purchase.Purchased, 2, time.Time{}, time.Time{}, now
	a := &want.Attempts[0]
	a.State, a.Outcome, a.EndedAt = purchase.AttemptSucceeded, cloud.Bought, now
	if diff := cmp.Diff(want, e.row(line)); diff != "" {
		t.Errorf("purchased (-want +got):\n%s", diff)
	}
	found, err := e.Facts(t.Context(), line)
	e.ok(err)
	if diff := cmp.Diff([]purchase.StoredFact{{Line: line, At: now, AttemptEvidence: c.Evidence[0]}}, found); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	receipts, err := e.Receipts(t.Context())
	e.ok(err)
	if diff := cmp.Diff([]purchase.Receipt{*c.Receipt}, receipts); diff != "" {
		t.Errorf("receipts (-want +got):\n%s", diff)
	}
	ends := c.Receipt.Commitment.Start.AddDate(0, int(c.Receipt.Commitment.Term), 0)
	day := EndingSum{Account: p.Lines[0].Spec.Account, Day: ends.Truncate(24 * time.Hour), Total: p.Lines[0].Spec.Price.Total, Term: p.Lines[0].Spec.Offering.Term, Count: 1}
	sums, err := e.db.EndingSums(t.Context(), ends.Add(-time.Microsecond))
	e.ok(err)
	if diff := cmp.Diff([]EndingSum{day}, sums); diff != "" {
		t.Errorf("what ends (-want +got):\n%s", diff)
	}
	if sums, err = e.db.EndingSums(t.Context(), ends); err != nil || len(sums) != 0 {
		t.Errorf("what has ended ends again: %v, %v", sums, err)
	}
	if versions, err := e.db.Lineage(t.Context(), p.Lineage); err != nil || len(versions) != 1 || len(versions[0].Lines) != 1 || versions[0].ID != p.ID {
		t.Errorf("versions %v, %v", versions, err)
	}
	s := e.everything()
	if !s.Intents["nonce-1"] || s.Install != "k7f2" {
		t.Errorf("the stored request does not have its digest: %v", s.Intents)
	}
}

func testGuards(t *testing.T, e *engine) {
	p := e.approve(1, 2)
	line := p.Lines[0].ID
	a := e.armed(line, t0, "nonce-1")
	now := t0.Add(time.Second)
	base := e.step(line, answer(a, cloud.InDoubt), now)
	for name, change := range map[string]func(*purchase.Change){
		"another state":           func(c *purchase.Change) { c.From = purchase.Ready },
		"a later version":         func(c *purchase.Change) { c.Version++ },
		"an earlier version":      func(c *purchase.Change) { c.Version-- },
		"a cancel request":        func(c *purchase.Change) { c.CancelRequested = true },
		"another line":            func(c *purchase.Change) { c.Line = p.Lines[1].ID },
		"a line nobody knows":     func(c *purchase.Change) { c.Line = "01NONE" },
		"an attempt nobody knows": func(c *purchase.Change) { c.Attempts[0].N = 2 },
		"a purchase from a stale state": func(c *purchase.Change) {
			*c = e.step(line, answer(a, cloud.Bought), now)
			c.From = purchase.Ready
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := e.everything()
			c := base
			c.Attempts = append([]purchase.AttemptChange(nil), base.Attempts...)
			change(&c)
			if err := e.Apply(t.Context(), c, now); !errors.Is(err, purchase.ErrLost) {
				t.Errorf("apply: %v, want ErrLost", err)
			}
			e.unchanged(before)
		})
	}
	// The other way round: the change was computed before somebody called it off.
	if _, err := e.Cancel(t.Context(), line, "ana", "", now); err != nil {
		t.Fatal(err)
	}
	before := e.everything()
	if err := e.Apply(t.Context(), base, now); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("called off since: %v, want ErrLost", err)
	}
	e.unchanged(before)

	refused := e.step(line, answer(a, cloud.Refused), now)
	e.apply(refused, now)
	before = e.everything()
	if err := e.Apply(t.Context(), refused, now); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("the same change again: %v, want ErrLost", err)
	}
	e.unchanged(before)

	// An attempt that is closed is never moved, whatever the line's guard says.
	line = p.Lines[1].ID
	first := e.armed(line, t0, "nonce-2")
	later := t0.Add(time.Minute)
	e.armed(line, later, "nonce-3")
	e.apply(e.step(line, answer(first, cloud.Throttled), later), later)
	c := e.step(line, purchase.Looked{Facts: facts, Found: absent(t0)}, later)
	c.Attempts = []purchase.AttemptChange{{N: 1, To: purchase.AttemptInDoubt, EndedAt: later}}
	c.Evidence = []purchase.AttemptEvidence{{Evidence: absent(later)[0]}}
	before = e.everything()
	if err := e.Apply(t.Context(), c, later); !errors.Is(err, purchase.ErrLost) {
		t.Errorf("a closed attempt: %v, want ErrLost", err)
	}
	e.unchanged(before)
}

func testArmingGuards(t *testing.T, e *engine) {
	expires := t0.Add(2 * time.Hour)
	n := 0
	for name, c := range map[string]struct {
		at     time.Duration
		change func(*purchase.Change)
		behind string // SQL that somebody else commits first
		undo   string
	}{
		"another state":              {change: func(c *purchase.Change) { c.From = purchase.Armed }},
		"another version":            {change: func(c *purchase.Change) { c.Version = 7 }},
		"a generation that is over":  {change: func(c *purchase.Change) { c.Generation = 0 }},
		"a generation of the future": {change: func(c *purchase.Change) { c.Generation = 2 }},
		"the approval is over":       {at: 2 * time.Hour},
		"the approval is long over":  {at: 3 * time.Hour},
		"called off":                 {behind: "UPDATE line SET cancel_requested = 1"},
		"the plan is superseded":     {behind: "UPDATE plan SET state = 'superseded'"},
		"the approval was shortened": {behind: "UPDATE plan SET approval_expires_at = 1"},
		"the installation stopped":   {behind: "UPDATE installation SET state = 'stopped'", undo: "UPDATE installation SET state = 'purchasing'"},
		"the ledger is in recovery":  {behind: "UPDATE installation SET state = 'recovery'", undo: "UPDATE installation SET state = 'purchasing'"},
	} {
		n++
		p := e.approve(n, 1)
		t.Run(name, func(t *testing.T) {
			line := p.Lines[0].ID
			change := e.step(line, checked(p.Lines[0].Spec.Offering, t0, "fresh "+name), t0)
			if c.change != nil {
				c.change(&change)
			}
			if c.behind != "" {
				e.ok(e.exec(c.behind))
			}
			before := e.everything()
			if err := e.Apply(t.Context(), change, t0.Add(c.at)); !errors.Is(err, purchase.ErrLost) {
				t.Errorf("apply: %v, want ErrLost", err)
			}
			e.unchanged(before)
			if armed, err := e.Armed(t.Context(), line, "fresh "+name); err != nil || armed {
				t.Errorf("armed: %v, %v", armed, err)
			}
			if c.undo != "" {
				e.ok(e.exec(c.undo))
			}
		})
	}
	p := e.approve(99, 1)
	c := e.step(p.Lines[0].ID, checked(p.Lines[0].Spec.Offering, t0, "last moment"), t0)
	if err := e.Apply(t.Context(), c, expires.Add(-time.Microsecond)); err != nil {
		t.Errorf("in the last microsecond of the approval: %v", err)
	}
}

func testAtomicity(t *testing.T, e *engine) {
	p := e.approve(1, 2)
	first, second := p.Lines[0].ID, p.Lines[1].ID
	a := e.armed(first, t0, "nonce-1")
	b := e.armed(second, t0, "nonce-2")
	now := t0.Add(time.Second)
	e.apply(e.step(first, answer(a, cloud.Bought), now), now)

	// The receipt is the last thing written: all before it must vanish.
	c := e.step(second, answer(b, cloud.Bought), now)
	c.Receipt.Commitment = commitment(a)
	before := e.everything()
	if err := e.Apply(t.Context(), c, now); err == nil || errors.Is(err, purchase.ErrLost) || errors.Is(err, purchase.ErrCommitUnknown) {
		t.Errorf("a commitment of another line: %v, want an error", err)
	}
	e.unchanged(before)

	// The same with an attempt whose nonce exists.
	q := e.approve(2, 1)
	c = e.step(q.Lines[0].ID, checked(q.Lines[0].Spec.Offering, now, "nonce-1"), now)
	before = e.everything()
	if err := e.Apply(t.Context(), c, now); err == nil || errors.Is(err, purchase.ErrLost) {
		t.Errorf("a nonce twice: %v, want an error", err)
	}
	e.unchanged(before)

	// And with a move that is not in the table.
	c = e.step(second, answer(b, cloud.Refused), now)
	c.To = purchase.NeedsReapproval
	c.MustLeaveBy = now
	if err := e.Apply(t.Context(), c, now); err == nil || errors.Is(err, purchase.ErrLost) {
		t.Errorf("an illegal move: %v, want an error", err)
	}
	e.unchanged(before)
}

// Without an identity, one line of a lane is sent at a time, and no other until
// nothing of it is in doubt.
func testLaneIsKept(t *testing.T, e *engine) {
	for i, c := range []struct {
		name string
		hold func(line purchase.LineID, a purchase.Attempt) // what keeps the lane
		free func(line purchase.LineID)
	}{
		{name: "armed", hold: func(purchase.LineID, purchase.Attempt) {}, free: func(line purchase.LineID) {
			a, now := e.row(line).Attempts[0], t0.Add(time.Second)
			e.apply(e.step(line, answer(a, cloud.Bought), now), now)
		}},
		{name: "with a person, its purchase listed", hold: func(line purchase.LineID, a purchase.Attempt) {
			e.apply(e.step(line, sold(a, 1), t0.Add(time.Second)), t0.Add(time.Second))
		}, free: func(line purchase.LineID) {
			now := t0.Add(time.Minute)
			seen := e.row(line).Attempts[0]
			c := commitment(seen)
			c.Quantity = 1
			found := absent(now)
			found[0].Kind, found[0].Commitment = cloud.EvidenceListing, &c
			e.apply(e.step(line, purchase.Decided{Facts: facts, Choice: purchase.Adopt, By: "ana", Adopt: c.ID, Found: found}, now), now)
		}},
		{name: "in recovery", hold: func(line purchase.LineID, a purchase.Attempt) {
			e.apply(e.step(line, sold(a, 1), t0.Add(time.Second)), t0.Add(time.Second))
			e.ok(e.exec("UPDATE line SET state = 'recovery' WHERE id = $1", line))
		}, free: func(line purchase.LineID) {
			now := t0.Add(time.Hour)
			e.apply(e.step(line, purchase.Looked{Facts: facts, Found: absent(now)}, now), now)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlan(t, i+1, 5)
			for l := range p.Lines {
				p.Lines[l].Class, p.Lines[l].Spec.Account = cloud.ClassNone, cloud.Account(fmt.Sprintf("11112222%04d", i)) // a lane of its own
			}
			p.Lines[2].Class = cloud.ClassName
			p.Lines[3].Spec.Offering.Region = "us-east-1"
			p.Lines[4].Class = cloud.ClassQueued
			e.ok(p.Freeze())
			e.ok(e.SavePlan(t.Context(), p))
			e.ok(e.Decide(t.Context(), yes(p), t0.Add(2*time.Hour)))
			holder, other := p.Lines[0].ID, p.Lines[1].ID
			nonce := func(n int) string { return fmt.Sprintf("%s %d", c.name, n) }

			if held := e.row(other).LaneHeld; !held.IsZero() {
				t.Errorf("nothing is open and the lane is held until %s", held)
			}
			first := e.step(other, checked(p.Lines[1].Spec.Offering, t0, nonce(1)), t0) // before anybody had the lane
			c.hold(holder, e.armed(holder, t0, nonce(0)))
			row := e.row(holder)
			want := row.Line.LookAt
			if want.IsZero() {
				want = row.Line.MustLeaveBy
			}
			if held := e.row(other).LaneHeld; !held.Equal(want) || held.IsZero() {
				t.Errorf("the lane is held until %s, want %s", held, want)
			}
			for _, free := range []int{2, 3, 4} {
				if held := e.row(p.Lines[free].ID).LaneHeld; !held.IsZero() {
					t.Errorf("line %d has its own identity or lane, and is held until %s", free+1, held)
				}
			}
			if held := row.LaneHeld; !held.IsZero() {
				t.Errorf("the holder of the lane waits for itself until %s", held)
			}
			before := e.everything()
			if err := e.Apply(t.Context(), first, t0); !errors.Is(err, purchase.ErrLost) {
				t.Errorf("a second line of the lane: %v, want ErrLost", err)
			}
			e.unchanged(before)
			e.armed(p.Lines[2].ID, t0, nonce(2)) // another class
			e.armed(p.Lines[3].ID, t0, nonce(3)) // another lane

			c.free(holder)
			if state := e.row(holder).Line.State; !state.Terminal() {
				t.Fatalf("the line that held the lane is %s", state)
			}
			if held := e.row(other).LaneHeld; !held.IsZero() {
				t.Errorf("the lane is free and held until %s", held)
			}
			e.armed(other, t0, nonce(1))
		})
	}
}

// sold is the answer that an attempt bought another quantity than it asked for.
func sold(a purchase.Attempt, quantity int64) purchase.Answered {
	ev := answer(a, cloud.Bought)
	ev.Evidence.Commitment.Quantity = quantity
	return ev
}

func testReceiptOnce(t *testing.T, e *engine) {
	p := e.approve(1, 2)
	now := t0.Add(time.Second)
	a := e.armed(p.Lines[0].ID, t0, "nonce-1")
	e.apply(e.step(p.Lines[0].ID, answer(a, cloud.Bought), now), now)
	b := e.armed(p.Lines[1].ID, t0, "nonce-2")
	c := e.step(p.Lines[1].ID, answer(b, cloud.Bought), now)
	c.Receipt.Attempt = 2 // which does not exist
	before := e.everything()
	if err := e.Apply(t.Context(), c, now); err == nil {
		t.Error("a receipt for an attempt that does not exist was written")
	}
	e.unchanged(before)
	c.Receipt.Attempt, c.Receipt.Line = 1, p.Lines[0].ID
	if err := e.Apply(t.Context(), c, now); err == nil {
		t.Error("a second receipt for one line was written")
	}
	e.unchanged(before)
}

func testInvariants(t *testing.T, e *engine) {
	p := e.approve(1, 4)
	now := t0
	for i, outcome := range []cloud.Outcome{cloud.Bought, cloud.Refused, cloud.InDoubt, cloud.Throttled} {
		a := e.armed(p.Lines[i].ID, now, "nonce-"+string(outcome))
		now = now.Add(time.Second)
		e.apply(e.step(p.Lines[i].ID, answer(a, outcome), now), now)
	}
	for _, f := range purchase.Check(e.everything(), now) {
		for _, problem := range f.Problems {
			t.Errorf("%s: %s", f.Name, problem)
		}
	}
	states := map[purchase.State]bool{}
	for _, l := range p.Lines {
		states[e.row(l.ID).Line.State] = true
	}
	want := map[purchase.State]bool{purchase.Purchased: true, purchase.Failed: true, purchase.Armed: true, purchase.Ready: true}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

package purchase

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
)

// healthy is a ledger with a line in every kind of place: bought by its second
// name, failed by refusal, in doubt, waiting for a person, ready, and a draft of
// a plan that nobody has decided on.
func healthy(t *testing.T) *Snapshot {
	t.Helper()
	s := &Snapshot{Install: testInstall, Intents: map[string]bool{}}
	line := func(n int, state State, attempts ...Attempt) Line {
		l := lineIn(state).Line
		l.ID = LineID("01JNB3XQZ5W8Y2K7M4T6R9V0L" + string(rune('0'+n)))
		for i := range attempts {
			a := &attempts[i]
			a.Line, a.Nonce = l.ID, a.Nonce+string(l.ID)
			a.Intent.Identity = Identity(testInstall, l.ID, a.Generation)
			l.Generation = max(l.Generation, a.Generation)
			s.Intents[a.Nonce] = true
		}
		l.Armed = len(attempts)
		if state.Terminal() {
			l.MustLeaveBy = time.Time{}
		}
		s.Attempts = append(s.Attempts, attempts...)
		return l
	}
	dead, lost := attempt(1, 1, AttemptDead, cloud.InDoubt), attempt(1, 1, AttemptInDoubt, cloud.InDoubt)
	approved := &Plan{
		ID: testPlan, Lineage: testPlan, Version: 1, Name: "approved", CreatedAt: t0, State: PlanApproved, ApprovalExpires: t0.Add(2 * time.Hour),
		Lines: []Line{
			line(1, Purchased, dead, attempt(2, 2, AttemptSucceeded, cloud.Bought)),
			line(2, Failed, attempt(1, 1, AttemptRejected, cloud.Refused)),
			line(3, Armed, lost),
			line(4, NeedsReview, lost),
			line(5, Ready),
			line(6, Canceled),
		},
	}
	proposed := &Plan{
		ID: "01JNB3XQZ0000000000PROPOSE", Lineage: "01JNB3XQZ0000000000PROPOSE", Version: 1, Name: "proposed", CreatedAt: t0, State: PlanProposed,
		Lines: []Line{line(7, Draft)},
	}
	proposed.Lines[0].MustLeaveBy = time.Time{}
	s.Plans = []*Plan{approved, proposed}
	for _, p := range s.Plans {
		if err := p.Freeze(); err != nil {
			t.Fatal(err)
		}
	}
	s.Decisions = []Decision{{Plan: testPlan, Digest: approved.Digest, By: "ana", Approve: true, At: t0}}
	c := boughtAs(s.Attempts[1].Intent.Identity)
	s.Receipts = []Receipt{{Line: approved.Lines[0].ID, Attempt: 2, Commitment: c, At: t0, How: cloud.EvidenceReply}}
	fact := func(l LineID, n int, e cloud.Evidence) {
		s.Evidence = append(s.Evidence, StoredFact{Line: l, At: t0, AttemptEvidence: AttemptEvidence{N: n, Evidence: e}})
	}
	fact(approved.Lines[0].ID, 2, cloud.Evidence{Kind: cloud.EvidenceReply, Outcome: cloud.Bought, Commitment: &c})
	fact(approved.Lines[1].ID, 1, cloud.Evidence{Kind: cloud.EvidenceReply, Outcome: cloud.Refused})
	fact(approved.Lines[3].ID, 1, nothingListed(t0)[0])
	s.Undos = []Undo{{
		ID: "undo-1", Line: approved.Lines[0].ID, Commitment: c.ID, Digest: "sha256:u", Requester: "ada", Approvals: Approvals{Needed: 1}, State: UndoKept, Tries: 1,
		Decisions: []UndoDecision{{Undo: "undo-1", Digest: "sha256:u", By: "grace", Approve: true}},
	}}
	withHolds(t, s, approved)
	return s
}

// problems returns the names of the invariants that do not hold.
func problems(s *Snapshot, now time.Time) map[string][]string {
	all := map[string][]string{}
	for _, f := range Check(s, now) {
		if len(f.Problems) > 0 {
			all[f.Name] = f.Problems
		}
	}
	return all
}

func TestAHealthyLedgerHasNoProblems(t *testing.T) {
	for name, found := range problems(healthy(t), t0) {
		t.Errorf("%s: %q", name, found)
	}
	for _, f := range Check(healthy(t), t0) {
		if f.Checked == 0 || f.Says == "" {
			t.Errorf("%s looked at nothing", f.Name)
		}
	}
	for name, found := range problems(&Snapshot{}, t0) {
		t.Errorf("an empty ledger, %s: %q", name, found)
	}
}

func TestEveryInvariantSeesItsCorruption(t *testing.T) {
	line := func(n int) func(*Snapshot) *Line {
		return func(s *Snapshot) *Line { return &s.Plans[0].Lines[n-1] }
	}
	boughtLine, failedLine, armedLine, reviewLine := line(1), line(2), line(3), line(4)
	corruptions := []struct {
		invariant, name string
		do              func(*Snapshot)
	}{
		{"plan-digest", "another quantity", func(s *Snapshot) { line(5)(s).Spec.Quantity++ }},
		{"plan-digest", "another digest", func(s *Snapshot) { s.Plans[1].Digest = "sha256:0" }},
		{"plan-total", "another total", func(s *Snapshot) { s.Plans[0].Total.Total = usd("1") }},
		{"plan-total", "another upfront", func(s *Snapshot) { s.Plans[0].Total.Upfront = usd("1") }},
		{"plan-total", "another hourly", func(s *Snapshot) { s.Plans[0].Total.Hourly = usd("1") }},
		{"plan-total", "a line is gone", func(s *Snapshot) { s.Plans[0].Lines = s.Plans[0].Lines[:5] }},
		{"plan-total", "a line in another currency", func(s *Snapshot) { line(6)(s).Spec.Price = cloud.Price{Upfront: eur("1")} }},
		{"approval-bound", "no decision", func(s *Snapshot) { s.Decisions = nil }},
		{"approval-bound", "a decision on another digest", func(s *Snapshot) { s.Decisions[0].Digest = "sha256:0" }},
		{"approval-bound", "a no", func(s *Snapshot) { s.Decisions[0].Approve = false }},
		{"approval-bound", "a draft was opened", func(s *Snapshot) { s.Plans[1].Lines[0].State = Ready }},
		{"attempt-sequence", "an attempt is gone", func(s *Snapshot) { s.Attempts = s.Attempts[1:] }},
		{"attempt-sequence", "a gap", func(s *Snapshot) { s.Attempts[1].N = 3 }},
		{"attempt-sequence", "a twin", func(s *Snapshot) { s.Attempts[1].Nonce = s.Attempts[0].Nonce }},
		{"attempt-sequence", "a wrong count", func(s *Snapshot) { armedLine(s).Armed = 2 }},
		{"attempt-identity", "another name", func(s *Snapshot) { s.Attempts[0].Intent.Identity = identity(9) }},
		{"attempt-identity", "another installation", func(s *Snapshot) { s.Install = "zzzz" }},
		{"attempt-identity", "a changed request", func(s *Snapshot) { s.Intents[s.Attempts[2].Nonce] = false }},
		{"attempt-approved", "before the approval", func(s *Snapshot) { s.Decisions[0].At = t0.Add(1) }},
		{"attempt-approved", "after its end", func(s *Snapshot) { s.Plans[0].ApprovalExpires = t0 }},
		{"one-generation-open", "an old name is open", func(s *Snapshot) { s.Attempts[0].State = AttemptInDoubt }},
		{"one-generation-open", "an old name succeeded", func(s *Snapshot) { armedLine(s).Generation = 2; attemptOf(s, armedLine(s)).State = AttemptSucceeded }},
		{"one-generation-open", "a name of the future", func(s *Snapshot) { boughtLine(s).Generation = 1 }},
		{"one-receipt", "bought without", func(s *Snapshot) { s.Receipts = nil }},
		{"one-receipt", "a receipt for a line in doubt", func(s *Snapshot) { s.Receipts[0].Line = armedLine(s).ID }},
		{"one-receipt", "two receipts", func(s *Snapshot) { s.Receipts = append(s.Receipts, s.Receipts[0]) }},
		{"one-receipt", "bought by no attempt", func(s *Snapshot) { s.Attempts[1].State = AttemptDead }},
		{"one-receipt", "bought by two attempts", func(s *Snapshot) { s.Attempts[0].State = AttemptSucceeded }},
		{"one-receipt", "a failed line with a success", func(s *Snapshot) { attemptOf(s, failedLine(s)).State = AttemptSucceeded }},
		{"receipt-matches", "another name", func(s *Snapshot) { s.Receipts[0].Commitment.ID = "other" }},
		{"receipt-matches", "another attempt", func(s *Snapshot) { s.Receipts[0].Attempt = 1 }},
		{"receipt-matches", "no such attempt", func(s *Snapshot) { s.Receipts[0].Attempt = 9 }},
		{"receipt-matches", "an attempt of the future", func(s *Snapshot) { s.Receipts[0].Attempt = 9 }},
		{"commitment-once", "two lines claim it", func(s *Snapshot) {
			r := s.Receipts[0]
			r.Line, r.Commitment.ID = failedLine(s).ID, strings.ToUpper(r.Commitment.ID)
			s.Receipts = append(s.Receipts, r)
		}},
		{"closed-empty", "an open attempt", func(s *Snapshot) { attemptOf(s, failedLine(s)).State = AttemptArmed }},
		{"closed-empty", "against evidence", func(s *Snapshot) { s.Evidence[1].Commitment = s.Evidence[0].Commitment }},
		{"closed-empty", "canceled while in doubt", func(s *Snapshot) { armedLine(s).State = Canceled }},
		{"closed-empty", "expired while in doubt", func(s *Snapshot) { armedLine(s).State = Expired }},
		{"closed-empty", "superseded while in doubt", func(s *Snapshot) { armedLine(s).State = Superseded }},
		{"evidence-cited", "failed without", func(s *Snapshot) { s.Evidence = slices.Delete(s.Evidence, 1, 2) }},
		{"evidence-cited", "bought without", func(s *Snapshot) { s.Evidence = s.Evidence[1:] }},
		{"evidence-cited", "a person was asked without", func(s *Snapshot) { s.Evidence = s.Evidence[:2] }},
		{"within-budget", "over the cap", func(s *Snapshot) { s.Periods[0].Cap = usd("1") }},
		{"within-budget", "less than nothing held", func(s *Snapshot) { s.Periods[0].Held = usd("-1") }},
		{"within-budget", "more counted as held than there is", func(s *Snapshot) { s.Periods[1].Held = s.Periods[1].Cap }},
		{"within-budget", "less counted as spent than there is", func(s *Snapshot) { s.Periods[1].Spent = usd("0") }},
		{"within-budget", "a hold vanished", func(s *Snapshot) { s.Holds = s.Holds[1:] }},
		{"within-budget", "a hold that no period counts", func(s *Snapshot) { s.Periods = s.Periods[:1] }},
		{"within-budget", "a hold in another month", func(s *Snapshot) { s.Holds[len(s.Holds)-1].Period = "2026-04" }},
		{"within-budget", "a hold of another account", func(s *Snapshot) { s.Budgets[1].Account = "444455556666" }},
		{"within-budget", "a smaller hold than the line may cost", func(s *Snapshot) { s.Holds[0].Amount = usd("1") }},
		{"within-budget", "a hold of no budget", func(s *Snapshot) { s.Holds[0].Budget = "01NONE" }},
		{"within-budget", "a hold of no line", func(s *Snapshot) { s.Holds[0].Line = "01NONE" }},
		{"hold-state", "released while in doubt", func(s *Snapshot) { holdOf(s, armedLine(s)).State = HoldReleased }},
		{"hold-state", "spent while in doubt", func(s *Snapshot) { holdOf(s, armedLine(s)).State = HoldSpent }},
		{"hold-state", "released while a person decides", func(s *Snapshot) { holdOf(s, reviewLine(s)).State = HoldReleased }},
		{"hold-state", "held after the purchase", func(s *Snapshot) { holdOf(s, boughtLine(s)).State = HoldHeld }},
		{"hold-state", "released after the purchase", func(s *Snapshot) { holdOf(s, boughtLine(s)).State = HoldReleased }},
		{"hold-state", "held after the failure", func(s *Snapshot) { holdOf(s, failedLine(s)).State = HoldHeld }},
		{"hold-state", "no hold on the ceiling", func(s *Snapshot) { holdOf(s, armedLine(s)).Budget = "01OTHER" }},
		{"hold-state", "a draft that holds", func(s *Snapshot) { holdOf(s, armedLine(s)).Line = s.Plans[1].Lines[0].ID }},
		{"undo-approved", "no decision", func(s *Snapshot) { s.Undos[0].Decisions = nil }},
		{"undo-approved", "a decision on another digest", func(s *Snapshot) { s.Undos[0].Decisions[0].Digest = "sha256:0" }},
		{"undo-approved", "a no", func(s *Snapshot) {
			s.Undos[0].Decisions = append(s.Undos[0].Decisions, UndoDecision{Digest: "sha256:u", By: "linus"})
		}},
		{"undo-approved", "by the requester", func(s *Snapshot) { s.Undos[0].Decisions[0].By = " ADA" }},
		{"undo-approved", "one of two", func(s *Snapshot) { s.Undos[0].Approvals.Needed = 2 }},
		{"undo-approved", "another commitment", func(s *Snapshot) { s.Undos[0].Commitment = "other" }},
		{"undo-approved", "of a line in doubt", func(s *Snapshot) { s.Undos[0].Line = armedLine(s).ID }},
		{"undo-approved", "never sent", func(s *Snapshot) { s.Undos[0].Tries = 0 }},
		{"hold-state", "returned without", func(s *Snapshot) { s.Undos[0].State = UndoReturned }},
		{"nobody-forgotten", "too late", func(s *Snapshot) { armedLine(s).MustLeaveBy = t0.Add(-1) }},
		{"nobody-forgotten", "no time", func(s *Snapshot) { reviewLine(s).MustLeaveBy = time.Time{} }},
		{"nobody-forgotten", "a state nobody knows", func(s *Snapshot) { armedLine(s).State = "limbo" }},
	}
	for name, change := range mismatches {
		corruptions = append(corruptions, struct {
			invariant, name string
			do              func(*Snapshot)
		}{"receipt-matches", "another " + name, func(s *Snapshot) { change(&s.Receipts[0].Commitment) }})
	}
	covered := map[string]bool{}
	for _, c := range corruptions {
		t.Run(c.invariant+": "+c.name, func(t *testing.T) {
			s := healthy(t)
			c.do(s)
			covered[c.invariant] = true
			if found := problems(s, t0); len(found[c.invariant]) == 0 {
				t.Errorf("not seen; found %q", found)
			}
		})
	}
	for _, inv := range invariants {
		if !covered[inv.name] {
			t.Errorf("no corruption of %s is tried", inv.name)
		}
	}
}

// attemptOf returns the first attempt of a line.
func attemptOf(s *Snapshot, l *Line) *Attempt {
	i := slices.IndexFunc(s.Attempts, func(a Attempt) bool { return a.Line == l.ID })
	return &s.Attempts[i]
}

package purchase

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
)

// Snapshot is the whole ledger at one moment.
type Snapshot struct {
	Install   string
	Plans     []*Plan // with their lines
	Decisions []Decision
	Attempts  []Attempt       // by line, then N
	Evidence  []StoredFact    // by line, then time
	Receipts  []Receipt       //
	Budgets   []Budget        // the ceilings of plans among them
	Periods   []BudgetPeriod  //
	Holds     []Hold          // by line, then budget
	Undos     []Undo          // with their decisions
	Intents   map[string]bool // nonce -> the stored request still has its stored digest
}

// StoredFact is one row of evidence.
type StoredFact struct {
	Line LineID
	At   time.Time // when it was written
	AttemptEvidence
}

// Finding is the result of one invariant: no problems means that it holds.
type Finding struct {
	Name     string
	Says     string
	Checked  int // how many things were looked at
	Problems []string
}

// invariant inspects a snapshot and reports problems through bad; it returns how
// many things it looked at.
type invariant struct {
	name, says string
	inspect    func(v *view, bad func(format string, args ...any)) int
}

// view is a snapshot with its indexes.
type view struct {
	*Snapshot
	now      time.Time
	plans    map[PlanID]*Plan
	lines    []Line
	byLine   map[LineID]Line
	attempts map[LineID][]Attempt
	facts    map[LineID][]StoredFact
	receipts map[LineID]Receipt
}

var invariants = []invariant{
	{"plan-digest", "every plan still has the digest that people saw", checkDigests},
	{"plan-total", "the lines of every plan add up to its total", checkTotals},
	{"approval-bound", "a line was opened only by as many people as its plan needs, on its digest, and no veto", checkApprovals},
	{"attempt-sequence", "attempts are numbered without gaps and none has a twin", checkSequence},
	{"attempt-identity", "every attempt carries the name of its line and generation, and its request is unchanged", checkIdentities},
	{"attempt-approved", "no attempt was armed before the approval or after its end", checkArmTimes},
	{"one-generation-open", "a new name is used only when every request under the old ones is proven empty", checkGenerations},
	{"one-receipt", "every purchased line has one receipt, and no other line has any", checkReceipts},
	{"receipt-matches", "every receipt names exactly what was approved, or a person decided so", checkReceiptGoods},
	{"commitment-once", "a commitment belongs to one line", checkCommitments},
	{"closed-empty", "no line is closed as not bought while a request of it is in doubt, or against evidence", checkClosed},
	{"evidence-cited", "every line that ended after a request cites evidence", checkEvidence},
	{"within-budget", "what every budget holds and has spent is within its cap, and is the sum of its holds", checkBudgets},
	{"hold-state", "a line's holds are held while it is open, spent when it is purchased, released when it ended without, returned when the cloud took its purchase back", checkHolds},
	{"undo-approved", "what was given back was bought by its line, and enough people approved that", checkUndos},
	{"nobody-forgotten", "no line waits longer than it may without somebody being told", checkOverdue},
}

// Check tests every invariant on a snapshot. It depends on nothing but its
// arguments, so that tests, users and the simulation run the same checks.
func Check(s *Snapshot, now time.Time) []Finding {
	v := &view{
		Snapshot: s, now: now, plans: map[PlanID]*Plan{}, attempts: map[LineID][]Attempt{},
		facts: map[LineID][]StoredFact{}, receipts: map[LineID]Receipt{}, byLine: map[LineID]Line{},
	}
	for _, p := range s.Plans {
		v.plans[p.ID] = p
		v.lines = append(v.lines, p.Lines...)
		for _, l := range p.Lines {
			v.byLine[l.ID] = l
		}
	}
	for _, a := range s.Attempts {
		v.attempts[a.Line] = append(v.attempts[a.Line], a)
	}
	for _, f := range s.Evidence {
		v.facts[f.Line] = append(v.facts[f.Line], f)
	}
	for _, r := range s.Receipts {
		v.receipts[r.Line] = r
	}
	findings := make([]Finding, len(invariants))
	for i, inv := range invariants {
		f := Finding{Name: inv.name, Says: inv.says}
		f.Checked = inv.inspect(v, func(format string, args ...any) {
			f.Problems = append(f.Problems, fmt.Sprintf(format, args...))
		})
		findings[i] = f
	}
	return findings
}

func checkDigests(v *view, bad func(string, ...any)) int {
	for _, p := range v.Plans {
		got, err := p.ComputeDigest()
		if err != nil {
			bad("plan %s: %v", p.ID, err)
		} else if got != p.Digest {
			bad("plan %s has digest %.19s, its content hashes to %.19s", p.ID, p.Digest, got)
		}
	}
	return len(v.Plans)
}

func checkTotals(v *view, bad func(string, ...any)) int {
	for _, p := range v.Plans {
		var sum cloud.Price
		var err error
		for _, l := range p.Lines {
			if sum, err = sum.Add(l.Spec.Price); err != nil {
				bad("plan %s line %d: %v", p.ID, l.Number, err)
				break
			}
		}
		if err == nil && !(sum.Total.Equal(p.Total.Total) && sum.Upfront.Equal(p.Total.Upfront) && sum.Hourly.Equal(p.Total.Hourly)) {
			bad("plan %s says %s, its lines add up to %s", p.ID, p.Total.Total, sum.Total)
		}
	}
	return len(v.Plans)
}

func checkApprovals(v *view, bad func(string, ...any)) int {
	yes, no := map[PlanID]map[string]bool{}, map[PlanID]string{}
	for _, d := range v.Decisions {
		p := v.plans[d.Plan]
		switch {
		case p == nil || d.Digest != p.Digest:
		case !d.Approve:
			no[d.Plan] = d.By
		case p.Approvals.Needed == 0 || p.Approvals.May(d.By, p.Requester): // 0: a plan without a rule, outside a ledger
			if yes[d.Plan] == nil {
				yes[d.Plan] = map[string]bool{}
			}
			yes[d.Plan][PersonKey(d.By)] = true
		}
	}
	for _, l := range v.lines {
		if l.State == Draft || l.Armed == 0 && l.State.Terminal() {
			continue // not opened
		}
		if need, n := max(v.plans[l.Plan].Approvals.Needed, 1), len(yes[l.Plan]); n < need {
			bad("line %s is %s and %d of %d people approved the digest of plan %s", l.ID, l.State, n, need, l.Plan)
		}
		if by := no[l.Plan]; by != "" {
			bad("line %s is %s although %s rejected plan %s", l.ID, l.State, by, l.Plan)
		}
	}
	return len(v.lines)
}

func checkSequence(v *view, bad func(string, ...any)) int {
	nonces := map[string]bool{}
	for _, l := range v.lines {
		as := v.attempts[l.ID]
		if len(as) != l.Armed {
			bad("line %s counts %d attempts and has %d", l.ID, l.Armed, len(as))
		}
		for i, a := range as {
			if a.N != i+1 {
				bad("line %s has attempt %d in place %d", l.ID, a.N, i+1)
			}
			if nonces[a.Nonce] {
				bad("attempt %d of line %s has the nonce of another", a.N, l.ID)
			}
			nonces[a.Nonce] = true
		}
	}
	return len(v.Attempts)
}

func checkIdentities(v *view, bad func(string, ...any)) int {
	for _, a := range v.Attempts {
		if want := Identity(v.Install, a.Line, a.Generation); a.Intent.Identity != want {
			bad("attempt %d of line %s carries the name %s", a.N, a.Line, a.Intent.Identity)
		}
		if !v.Intents[a.Nonce] {
			bad("the stored request of attempt %d of line %s was changed", a.N, a.Line)
		}
	}
	return len(v.Attempts)
}

func checkArmTimes(v *view, bad func(string, ...any)) int {
	approved := map[PlanID]time.Time{}
	for _, d := range v.Decisions {
		if d.Approve && d.At.After(approved[d.Plan]) {
			approved[d.Plan] = d.At // the last of them opened the lines
		}
	}
	for _, l := range v.lines {
		p := v.plans[l.Plan]
		for _, a := range v.attempts[l.ID] {
			if a.ArmedAt.Before(approved[l.Plan]) || !a.ArmedAt.Before(p.ApprovalExpires) {
				bad("attempt %d of line %s was armed at %s, outside the approval of plan %s", a.N, l.ID, a.ArmedAt.Format(time.RFC3339), p.ID)
			}
		}
	}
	return len(v.Attempts)
}

func checkGenerations(v *view, bad func(string, ...any)) int {
	for _, l := range v.lines {
		for _, a := range v.attempts[l.ID] {
			switch {
			case a.Generation > l.Generation:
				bad("attempt %d of line %s is of generation %d, the line of %d", a.N, l.ID, a.Generation, l.Generation)
			case a.Generation < l.Generation && (!a.State.Closed() || a.State == AttemptSucceeded):
				bad("line %s went on to generation %d while attempt %d is %s", l.ID, l.Generation, a.N, a.State)
			}
		}
	}
	return len(v.lines)
}

func checkReceipts(v *view, bad func(string, ...any)) int {
	for _, l := range v.lines {
		r, has := v.receipts[l.ID]
		succeeded := 0
		for _, a := range v.attempts[l.ID] {
			if a.State == AttemptSucceeded {
				succeeded++
			}
		}
		switch purchased := l.State == Purchased; {
		case purchased && !has:
			bad("line %s is purchased without a receipt", l.ID)
		case !purchased && has:
			bad("line %s is %s and has a receipt for %s", l.ID, l.State, r.Commitment.ID)
		case purchased && succeeded == 0 && (r.Heuristic || r.Attempt == 0):
			// A person's word, or an attempt that the ledger has lost.
		case purchased && succeeded != 1:
			bad("line %s is purchased by %d attempts", l.ID, succeeded)
		case !purchased && succeeded > 0:
			bad("line %s is %s although an attempt succeeded", l.ID, l.State)
		}
	}
	if len(v.receipts) != len(v.Receipts) {
		bad("%d receipts for %d lines", len(v.Receipts), len(v.receipts))
	}
	return len(v.lines)
}

func checkReceiptGoods(v *view, bad func(string, ...any)) int {
	for _, l := range v.lines {
		r, has := v.receipts[l.ID]
		if !has {
			continue
		}
		if why := mismatch(&Row{Line: l}, r.Commitment); why != "" && !r.Heuristic {
			bad("line %s: %s", l.ID, why)
		}
		as := v.attempts[l.ID]
		anonymous := l.Class.Locks() || l.Class == cloud.ClassQueued && r.Attempt == 0 || r.Heuristic
		if lost := identityPrefix(v.Install, l.ID); r.Attempt == 0 && (anonymous || hasPrefix(r.Commitment.ID, lost) || hasPrefix(r.Commitment.Name, lost)) {
			continue // the attempt was lost with a rollback of the ledger
		}
		if r.Attempt < 1 || r.Attempt > len(as) || !anonymous && !as[r.Attempt-1].made(r.Commitment) {
			bad("line %s: the receipt names %s, which none of its attempts asked for", l.ID, r.Commitment.ID)
		}
	}
	return len(v.Receipts)
}

func checkCommitments(v *view, bad func(string, ...any)) int {
	owner := map[string]LineID{}
	for _, r := range v.Receipts {
		key := r.Commitment.Lane.String() + "/" + strings.ToLower(r.Commitment.ID)
		if other, taken := owner[key]; taken {
			bad("%s is claimed by lines %s and %s", r.Commitment.ID, other, r.Line)
		}
		owner[key] = r.Line
	}
	return len(v.Receipts)
}

func checkClosed(v *view, bad func(string, ...any)) int {
	n := 0
	for _, l := range v.lines {
		if l.State != Failed && l.State != Canceled && l.State != Expired && l.State != Superseded {
			continue
		}
		n++
		for _, a := range v.attempts[l.ID] {
			if !a.State.Closed() {
				bad("line %s is %s while attempt %d is %s", l.ID, l.State, a.N, a.State)
			}
		}
		// The last word on a commitment counts: an order may have been queued and have
		// come to nothing.
		last := map[string]cloud.CommitmentState{}
		for _, f := range v.undecided(l) {
			if f.Commitment != nil {
				last[f.Commitment.ID] = f.Commitment.State
			}
		}
		for _, id := range slices.Sorted(maps.Keys(last)) {
			if last[id].Binding() {
				bad("line %s is %s, and evidence shows %s (%s)", l.ID, l.State, id, last[id])
			}
		}
	}
	return n
}

// undecided returns the evidence about a line that no person had before them when
// they decided that nothing was bought.
func (v *view) undecided(l Line) []StoredFact {
	facts := v.facts[l.ID]
	if l.DecidedBy == "" {
		return facts
	}
	var since time.Time
	for _, f := range facts {
		if f.Kind == cloud.EvidencePerson && f.Operation == string(NotBought) {
			since = f.At
		}
	}
	return slices.DeleteFunc(slices.Clone(facts), func(f StoredFact) bool { return !f.At.After(since) })
}

func checkEvidence(v *view, bad func(string, ...any)) int {
	n := 0
	for _, l := range v.lines {
		ended := l.State.Terminal() || l.State == NeedsReview
		if !ended || l.Armed == 0 {
			continue
		}
		n++
		if len(v.facts[l.ID]) == 0 {
			bad("line %s is %s without any evidence", l.ID, l.State)
		}
	}
	return n
}

func checkOverdue(v *view, bad func(string, ...any)) int {
	n := 0
	for _, l := range v.lines {
		if l.State == Draft || l.State.Terminal() {
			continue
		}
		n++
		if l.MustLeaveBy.IsZero() || v.now.After(l.MustLeaveBy) {
			bad("line %s has been %s since %s and was to leave by %s: run bursar reconcile", l.ID, l.State,
				l.UpdatedAt.Format(time.RFC3339), l.MustLeaveBy.Format(time.RFC3339))
		}
		if !slices.Contains(States, l.State) {
			bad("line %s is in the state %q, which this program does not know", l.ID, l.State)
		}
	}
	return n
}

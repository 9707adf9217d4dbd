package purchase

import (
	"strings"
	"testing"
	"time"

	"bursar/internal/cloud"
)

func TestWhoMayApprove(t *testing.T) {
	for _, c := range []struct {
		rule   Approvals
		person string
		want   bool
	}{
		{Approvals{Needed: 1}, "grace", true},
		{Approvals{Needed: 1}, "ada", false},
		{Approvals{Needed: 1}, " ADA\t", false},
		{Approvals{Needed: 1, Self: true}, "ada", true},
		{Approvals{Needed: 1, Approvers: []string{"Grace"}}, "grace ", true},
		{Approvals{Needed: 1, Approvers: []string{"Grace"}}, "eve", false},
		{Approvals{Needed: 1, Approvers: []string{"ada"}}, "ada", false},
		{Approvals{Needed: 1, Approvers: []string{"grace"}, Self: true}, "ada", false},
		{Approvals{Needed: 1, Approvers: []string{"ada"}, Self: true}, "Ada", true},
	} {
		if got := c.rule.May(c.person, "Ada"); got != c.want {
			t.Errorf("%+v, %q: %t", c.rule, c.person, got)
		}
	}
}

func TestCheckCountsPeople(t *testing.T) {
	with := func(rule Approvals, decisions ...Decision) []string {
		s := healthy(t)
		p := s.Plans[0]
		p.Approvals, p.Requester = rule, "ada"
		for i := range decisions {
			decisions[i].Plan, decisions[i].At = p.ID, t0.Add(-time.Minute)
			if decisions[i].Digest == "" {
				decisions[i].Digest = p.Digest
			}
		}
		s.Decisions = decisions
		return problems(s, t0)["approval-bound"]
	}
	yes := func(by string) Decision { return Decision{By: by, Approve: true} }
	two := Approvals{Needed: 2}
	for name, c := range map[string]struct {
		got    []string
		broken bool
	}{
		"two of two":          {with(two, yes("grace"), yes("kim")), false},
		"one of two":          {with(two, yes("grace")), true},
		"one twice":           {with(two, yes("grace"), yes(" Grace")), true},
		"the requester":       {with(two, yes("grace"), yes("ada")), true},
		"a stranger":          {with(Approvals{Needed: 1, Approvers: []string{"kim"}}, yes("grace")), true},
		"another digest":      {with(Approvals{Needed: 1}, Decision{By: "kim", Approve: true, Digest: "sha256:0"}), true},
		"a veto":              {with(two, yes("grace"), yes("kim"), Decision{By: "eve"}), true},
		"nobody":              {with(Approvals{}), true},
		"one, without a rule": {with(Approvals{}, yes("ada")), false},
	} {
		if broken := len(c.got) > 0; broken != c.broken {
			t.Errorf("%s: %q", name, c.got)
		}
	}
}

// A person's word against evidence that lay before them is no contradiction; what
// turns up later is.
func TestCheckOfADecidedLine(t *testing.T) {
	s := healthy(t)
	l := &s.Plans[0].Lines[3] // needs review
	l.State, l.DecidedBy, l.MustLeaveBy = Failed, "grace", time.Time{}
	s.Budgets, s.Periods, s.Holds = nil, nil, nil
	withHolds(t, s, s.Plans[0]) // its own are released
	for i := range s.Attempts {
		if s.Attempts[i].Line == l.ID {
			s.Attempts[i].State, s.Attempts[i].EndedAt = AttemptDead, t0
		}
	}
	odd := boughtAs("somebody-elses")
	fact := func(at time.Time, e cloud.Evidence) {
		s.Evidence = append(s.Evidence, StoredFact{Line: l.ID, At: at, AttemptEvidence: AttemptEvidence{Evidence: e}})
	}
	fact(t0, cloud.Evidence{Kind: cloud.EvidenceListing, Commitment: &odd})
	fact(t0.Add(time.Minute), cloud.Evidence{Kind: cloud.EvidencePerson, Operation: string(NotBought)})
	if got := problems(s, t0); len(got) > 0 {
		t.Errorf("decided: %q", got)
	}
	l.DecidedBy = ""
	if got := problems(s, t0)["closed-empty"]; len(got) != 1 {
		t.Errorf("not decided by anybody: %q", got)
	}
	l.DecidedBy = "grace"
	fact(t0.Add(time.Hour), cloud.Evidence{Kind: cloud.EvidenceListing, Commitment: &odd})
	if got := problems(s, t0)["closed-empty"]; len(got) != 1 || !strings.Contains(got[0], "somebody-elses") {
		t.Errorf("listed after the decision: %q", got)
	}
	unpaid := odd
	unpaid.State = cloud.Failed
	fact(t0.Add(2*time.Hour), cloud.Evidence{Kind: cloud.EvidenceListing, Commitment: &unpaid})
	if got := problems(s, t0); len(got) > 0 {
		t.Errorf("it came to nothing: %q", got)
	}
	fact(t0.Add(3*time.Hour), cloud.Evidence{Kind: cloud.EvidenceListing, Commitment: &odd})
	if got := problems(s, t0)["closed-empty"]; len(got) != 1 {
		t.Errorf("and yet it is there: %q", got)
	}
}

// An adopted commitment may differ from what was approved: a person said that it
// is the line's.
func TestCheckOfAnAdoptedCommitment(t *testing.T) {
	s := healthy(t)
	s.Receipts[0].Commitment.Quantity++
	if got := problems(s, t0)["receipt-matches"]; len(got) != 1 {
		t.Errorf("proven: %q", got)
	}
	s.Receipts[0].Heuristic = true
	if got := problems(s, t0)["receipt-matches"]; len(got) != 0 {
		t.Errorf("adopted: %q", got)
	}
}

package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/money"
	"bursar/internal/recommend"
	"bursar/internal/recommend/policy"
)

// TestAPolicyOnlyTightens: who approves a plan of a policy is never fewer people, or
// others, than the configuration demands; and the policy approves by itself only where
// that leaves room, by its own rule and with leave.
func TestAPolicyOnlyTightens(t *testing.T) {
	const tiers = "approvals:\n  - {above: 0 USD, approvers: [ada, grace]}\n  - {above: 1000 USD, needed: 2, approvers: [grace, hans]}\n"
	const auto = "auto_approve: {up_to: 500 USD}\n"
	for _, c := range []struct {
		name   string
		policy string
		config ApprovalRules
		total  string
		leave  bool
		want   ApprovalRules
		auto   bool
		not    string
		fails  string
	}{
		{name: "nothing said", total: "9", config: ApprovalRules{Needed: 2, Approvers: []string{"ada", "bob"}}, want: ApprovalRules{Needed: 2, Approvers: []string{"ada", "bob"}}},
		{name: "the first tier", policy: tiers, total: "1000", want: ApprovalRules{Needed: 1, Approvers: []string{"ada", "grace"}}},
		{name: "the second tier", policy: tiers, total: "1000.01", want: ApprovalRules{Needed: 2, Approvers: []string{"grace", "hans"}}},
		{name: "more people by the configuration", policy: tiers, total: "10", config: ApprovalRules{Needed: 2}, want: ApprovalRules{Needed: 2, Approvers: []string{"ada", "grace"}}},
		{name: "some of the configuration's", policy: tiers, total: "10", config: ApprovalRules{Approvers: []string{"Ada", "Grace", "zoe"}}, want: ApprovalRules{Needed: 1, Approvers: []string{"ada", "grace"}}},
		{name: "a stranger", policy: tiers, total: "10", config: ApprovalRules{Approvers: []string{"ada"}}, fails: "p.yaml:4: approvals[0]: grace is not one of the approvers of the configuration: ada"},
		{name: "by itself", policy: auto, total: "500", leave: true, auto: true},
		{name: "by itself, beside people", policy: tiers + auto, total: "500", leave: true, auto: true, want: ApprovalRules{Needed: 1, Approvers: []string{"ada", "grace", "policy:p"}}},
		{name: "too much", policy: auto, total: "500.01", leave: true},
		{name: "without leave", policy: auto, total: "1"},
		{name: "without a rule", total: "1", leave: true},
		{name: "two are needed", policy: auto, total: "1", leave: true, config: ApprovalRules{Needed: 2}, want: ApprovalRules{Needed: 2}, not: "2 people have to approve it"},
		{name: "others are named", policy: auto, total: "1", leave: true, config: ApprovalRules{Approvers: []string{"ada"}}, want: ApprovalRules{Approvers: []string{"ada"}},
			not: "the approvers of the configuration do not name policy:p"},
		{name: "it is named", policy: auto, total: "1", leave: true, config: ApprovalRules{Approvers: []string{"ada", "policy:p"}}, auto: true, want: ApprovalRules{Approvers: []string{"ada", "policy:p"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := policy.Read("p.yaml", []byte("version: 1\nname: p\n"+c.policy))
			if err != nil {
				t.Fatal(err)
			}
			var out PolicyPlan
			got, err := out.tighten(c.config, p, c.leave, money.MustParse(c.total, "USD"))
			if c.fails != "" {
				if _, ok := recommend.AsError(err); !ok || err.Error() != c.fails {
					t.Errorf("error %v, want %s", err, c.fails)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if out.Auto != c.auto || out.NotAuto != c.not {
				t.Errorf("approves by itself: %v, %q", out.Auto, out.NotAuto)
			}
		})
	}
}

// TestWhatNobodyAllowedIsNotApproved: a plan that waits for people is not approved in the
// name of its policy.
func TestWhatNobodyAllowedIsNotApproved(t *testing.T) {
	err := (&Engine{}).ApproveByPolicy(t.Context(), &PolicyPlan{}, &policy.Policy{}, 0)
	if err == nil || !strings.Contains(err.Error(), "does not approve") || errors.Unwrap(err) != nil {
		t.Errorf("%v", err)
	}
}

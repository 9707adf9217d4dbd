package auth

import (
	"fmt"
	"slices"
	"strings"
)

// Act is what somebody does, as the audit log names it.
type Act string

// The acts. Reading is one of them and is not logged.
const (
	ReadAny Act = "read"

	PlanCreate   Act = "plan.create"
	PlanContinue Act = "plan.continue"
	PlanApprove  Act = "plan.approve"
	PlanReject   Act = "plan.reject"
	PlanApply    Act = "plan.apply"
	PlanSchedule Act = "plan.schedule"
	AdviceJudge  Act = "advice.judge" // dismiss, snooze, restore

	UtilizationAsk Act = "utilization.ask" // it may cost money
	AdviceAsk      Act = "advice.ask"      // likewise

	ScheduleCancel Act = "schedule.cancel"
	LineCancel     Act = "line.cancel"
	LineResolve    Act = "line.resolve"
	LineUndo       Act = "line.undo"

	PurchasingStop  Act = "purchasing.stop"
	PurchasingStart Act = "purchasing.start"

	Reconcile Act = "reconcile"
	TaskRun   Act = "task.run"
	Follow    Act = "audit" // look after what was bought

	BudgetSet    Act = "budget.set"
	BudgetRetire Act = "budget.retire"

	RecoveryStart   Act = "recovery.start"
	RecoveryMoved   Act = "recovery.moved"
	RecoveryAdopt   Act = "recovery.adopt"
	RecoveryExplain Act = "recovery.explain"
	RecoveryFinish  Act = "recovery.finish"
	Calibrate       Act = "calibrate"

	PersonAdd     Act = "person.add"
	PersonBind    Act = "person.bind" // by the first sign-in with an identity
	PersonRoles   Act = "person.roles"
	PersonDisable Act = "person.disable"
	PersonEnable  Act = "person.enable"
	TokenCreate   Act = "token.create"
	TokenRevoke   Act = "token.revoke"
	LinkCreate    Act = "link.create"
	AuditRead     Act = "audit.read" // who did what, of all accounts

	NotifyMute   Act = "notify.mute"
	NotifyUnmute Act = "notify.unmute"

	LedgerCreate Act = "ledger.create"
	LedgerCopy   Act = "ledger.copy"
	SignIn       Act = "sign_in"
	SignOut      Act = "sign_out"
	CrossSite    Act = "cross_site" // what another site made a browser send
)

// Acts says which permission an act needs. An act that is not here needs none, and only
// being signed in: signing out.
var Acts = map[Act]Permission{
	ReadAny: Read,

	PlanCreate: Plan, PlanContinue: Plan, AdviceJudge: Plan, UtilizationAsk: Plan, AdviceAsk: Plan,
	PlanApprove: Approve, PlanReject: Approve,
	PlanApply: Apply, PlanSchedule: Apply, Reconcile: Apply,
	LineResolve: Resolve, LineUndo: Resolve, TaskRun: Resolve, Follow: Resolve,
	PurchasingStop: Stop, LineCancel: Stop, ScheduleCancel: Stop,

	PurchasingStart: Administer, BudgetSet: Administer, BudgetRetire: Administer,
	RecoveryStart: Administer, RecoveryMoved: Administer, RecoveryAdopt: Administer, RecoveryExplain: Administer, RecoveryFinish: Administer,
	Calibrate: Administer, PersonAdd: Administer, PersonRoles: Administer, PersonDisable: Administer, PersonEnable: Administer,
	TokenCreate: Administer, TokenRevoke: Administer, LinkCreate: Administer, AuditRead: Administer,

	NotifyMute: Own, NotifyUnmute: Own,
}

// ForbiddenError says that somebody may not do what they asked for. It is one sentence
// for people.
type ForbiddenError struct {
	Who string
	Act Act
	Why string
}

func (e *ForbiddenError) Error() string { return e.Why }

// Check returns nil if the principal may do an act on these accounts, else a
// *ForbiddenError.
func (p Principal) Check(act Act, accounts ...string) error {
	need, ok := Acts[act]
	switch {
	case !ok && p.Name != "":
		return nil
	case p.Agent && !slices.Contains(agents, need):
		return &ForbiddenError{p.Name, act, fmt.Sprintf("the token is an agent's, which plans and explains and does nothing else: %s needs a person", act)}
	case !p.May(need):
		return &ForbiddenError{p.Name, act, fmt.Sprintf("%s may not do this (%s): it takes the role %s", p.Name, act, strings.Join(rolesWith(need), " or "))}
	}
	for _, account := range accounts {
		if !p.Sees(account) {
			return &ForbiddenError{p.Name, act, fmt.Sprintf("%s may not do this (%s): account %s is not among their accounts", p.Name, act, account)}
		}
	}
	return nil
}

func rolesWith(need Permission) (names []string) {
	for _, r := range Roles {
		if slices.Contains(grants[r], need) {
			names = append(names, string(r))
		}
	}
	return names
}

// ParseRoles reads the names of roles, at least one.
func ParseRoles(names []string) (roles []Role, err error) {
	for _, name := range names {
		r := Role(strings.ToLower(strings.TrimSpace(name)))
		if !slices.Contains(Roles, r) {
			return nil, fmt.Errorf("%q is not a role: use viewer, planner, approver or admin", name)
		}
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	if len(roles) == 0 {
		return nil, fmt.Errorf("name a role: viewer, planner, approver or admin")
	}
	return roles, nil
}

// Within are those of the roles that give nothing which the owner's roles do not.
func Within(roles, owner []Role) (kept []Role) {
	all := Principal{Name: "owner", Roles: owner}
	for _, r := range roles {
		if !slices.ContainsFunc(grants[r], func(need Permission) bool { return !all.May(need) }) {
			kept = append(kept, r)
		}
	}
	return kept
}

// both are the accounts that are in two scopes, of which nil is all.
func both(a, b []string) []string {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	kept := []string{}
	for _, account := range a {
		if slices.Contains(b, account) {
			kept = append(kept, account)
		}
	}
	return kept
}

// Package auth says who may do what.
package auth

import (
	"context"
	"slices"
)

// Role is what a person or a token is for. Nobody who requested a plan approves it
// by any role where its rule of approval says so: that is the ledger's to hold.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"
	Planner  Role = "planner"
	Approver Role = "approver"
	Admin    Role = "admin"
)

// Roles lists the roles, the weakest first.
var Roles = []Role{Viewer, Planner, Approver, Admin}

// Permission is a kind of act.
type Permission string

// The permissions.
const (
	Read       Permission = "read"       // see plans, lines, evidence, inventory
	Plan       Permission = "plan"       // create plans and change what is advised
	Approve    Permission = "approve"    // approve, reject
	Apply      Permission = "apply"      // let an approved plan be bought, now or at a time
	Resolve    Permission = "resolve"    // decide about a line that needs review, undo
	Stop       Permission = "stop"       // stop purchasing, ask not to buy a line
	Administer Permission = "administer" // people, tokens, budgets, recovery, starting again
	Own        Permission = "own"        // change what oneself is told
)

// Permissions lists the permissions.
var Permissions = []Permission{Read, Plan, Approve, Apply, Resolve, Stop, Administer, Own}

var grants = map[Role][]Permission{
	Viewer:   {Read, Own},
	Planner:  {Read, Plan, Stop, Own},
	Approver: {Read, Approve, Apply, Resolve, Stop, Own},
	Admin:    Permissions,
}

// agents are the permissions that a token of an agent can have at most.
var agents = []Permission{Read, Plan}

// Principal is who acts: a person who is signed in, or the bearer of a token.
type Principal struct {
	Name  string // by which decisions are recorded; never empty
	Roles []Role
	// Accounts limits what is seen and acted upon to these accounts; nil is all. An act
	// on a plan needs every account of its lines.
	Accounts []string
	// Agent is a program that plans and explains. It never approves or buys, whatever
	// its roles.
	Agent bool
	// Session names the session or token, masked.
	Session string
}

// May reports whether the principal's roles permit an act.
func (p Principal) May(act Permission) bool {
	if p.Name == "" || p.Agent && !slices.Contains(agents, act) {
		return false
	}
	return slices.ContainsFunc(p.Roles, func(r Role) bool { return slices.Contains(grants[r], act) })
}

// Sees reports whether the principal's scope holds an account.
func (p Principal) Sees(account string) bool {
	return p.Name != "" && (p.Accounts == nil || slices.Contains(p.Accounts, account))
}

type key struct{}

// With returns a context in which p acts.
func With(ctx context.Context, p Principal) context.Context { return context.WithValue(ctx, key{}, p) }

// From returns who acts in ctx; ok is false if nobody does, as in a command on the
// ledger itself.
func From(ctx context.Context) (p Principal, ok bool) {
	p, ok = ctx.Value(key{}).(Principal)
	return p, ok
}

// Package purchase is the core: what a plan and its lines are, which step a line
// may take next, and the order in which a purchase happens. It is pure. It does
// no IO of its own, starts no goroutine and reads no clock: time is an argument,
// and the three things it needs from outside (a ledger, a market, a clock) are
// the ports of Protocol.
//
// Read it in this order: plan.go (what people approve), line.go (what is stored),
// state.go (the table of transitions), step.go (which transition follows from
// which fact), protocol.go (one purchase from preflight to receipt). The facts
// have a file each: arm.go (the reads before a purchase), answer.go (the reply),
// look.go (a look in doubt; lane.go and queued.go where the cloud knows no name),
// person.go (a decision), recover.go (a ledger that went back in time). check.go
// tests the invariants on a whole ledger.
//
// The one rule behind all others: a request that may have been sent is in doubt
// until evidence from the cloud says otherwise. No timer ever decides that a line
// failed.
package purchase

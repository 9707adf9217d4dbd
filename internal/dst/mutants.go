package dst

import (
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// Mutant is a world in which one guard is gone. The core is the same as ever: a
// mutant lies to it, or to the ledger, or adds somebody who does what must not be
// done.
type Mutant struct {
	Name  string
	Guard string // what is taken away

	blindCommit, lateAccept, sdkRetry, newToken, fiveHundredFinal, cancelFinal, reaper, budgetRace, noIntent, tagGuard, noGate, restoreNaive, keepOrders, noCompare, personEarly, oldLook bool

	ledger  guards
	facts   func(purchase.Facts) purchase.Facts
	row     func(purchase.Row) purchase.Row
	listing func(*world, []cloud.Evidence)
	change  func(purchase.Change) purchase.Change
}

// Mutants are all mutants; each must be caught.
var Mutants = []Mutant{
	{Name: "blind-commit", Guard: "an unknown COMMIT is read back before anything is sent", blindCommit: true},
	{Name: "no-quarantine", Guard: "nothing is concluded before every request is dead and visible",
		facts: func(f purchase.Facts) purchase.Facts { f.Life, f.Settle = 30*time.Second, -30*time.Second; return f }},
	{Name: "no-vis-wait", Guard: "a listing counts only after the settle time",
		facts: func(f purchase.Facts) purchase.Facts { f.Settle = 0; return f }},
	{Name: "late-accept", Guard: "the cloud refuses a request after its deadline", lateAccept: true},
	{Name: "no-version-cas", Guard: "a step is taken only on the row that was read", ledger: guards{version: true, attempt: true}},
	{Name: "fail-fast", Guard: "a refusal closes a line only if no other request of it is open",
		row: func(r purchase.Row) purchase.Row {
			if n := len(r.Attempts); n > 1 {
				as := append([]purchase.Attempt(nil), r.Attempts...)
				for i := range as[:n-1] {
					if !as[i].State.Closed() {
						as[i].State = purchase.AttemptDead
					}
				}
				r.Attempts = as
			}
			return r
		}},
	{Name: "timer-fail", Guard: "no timer decides that a line failed", reaper: true},
	{Name: "five-hundred-final", Guard: "an answer that proves nothing stays in doubt", fiveHundredFinal: true},
	{Name: "sdk-retry", Guard: "one attempt is one request", sdkRetry: true},
	{Name: "new-token", Guard: "a request that is repeated carries the same identity", newToken: true},
	{Name: "token-window", Guard: "a token is used again only while the cloud is sure to remember it",
		facts: func(f purchase.Facts) purchase.Facts { f.Window = 1000 * time.Hour; return f }},
	{Name: "resend-without-name", Guard: "what the cloud cannot recognize is not sent again in doubt",
		row: func(r purchase.Row) purchase.Row {
			if r.Line.Class == cloud.ClassNone && r.Line.State == purchase.Armed {
				r.Line.Class = cloud.ClassName
			}
			return r
		}},
	{Name: "cancel-final", Guard: "calling off an armed line only forbids further requests", cancelFinal: true},
	{Name: "no-approval", Guard: "nothing is armed without an approval that stands", ledger: guards{approval: true},
		row: func(r purchase.Row) purchase.Row { r.ApprovalExpires = beginning.Add(1000 * time.Hour); return r }},
	{Name: "no-cancel-check", Guard: "nothing is armed that was called off", ledger: guards{cancel: true},
		row: func(r purchase.Row) purchase.Row { r.Line.CancelRequested = false; return r }},
	{Name: "no-stop-check", Guard: "nothing is armed while purchasing is stopped", ledger: guards{stop: true},
		row: func(r purchase.Row) purchase.Row { r.Purchasing = true; return r }},
	{Name: "no-lane-lock", Guard: "one open purchase in a lane of class C", ledger: guards{lane: true}},
	{Name: "no-second-lock", Guard: "one order for one second", ledger: guards{second: true},
		change: func(c purchase.Change) purchase.Change {
			if c.Arm != nil && !c.Arm.FireAt.IsZero() {
				c.Arm.FireAt = c.Arm.FireAt.Truncate(time.Hour)
				c.Arm.Intent.FireAt = c.Arm.FireAt
			}
			return c
		}},
	{Name: "naive-attribution", Guard: "a new commitment in a shared lane is not taken as ours without proof",
		row: func(r purchase.Row) purchase.Row { r.Exclusive = true; return r }},
	{Name: "stale-image", Guard: "what was in the lane before is not taken as ours",
		row: func(r purchase.Row) purchase.Row {
			as := append([]purchase.Attempt(nil), r.Attempts...)
			for i := range as {
				as[i].Before = nil
				as[i].ArmedAt = as[i].ArmedAt.Add(-100 * time.Hour)
			}
			r.Attempts, r.Exclusive = as, true
			return r
		}},
	{Name: "unexplained", Guard: "what a receipt explains is not taken twice",
		row: func(r purchase.Row) purchase.Row { r.Explained = nil; return r }},
	{Name: "cloud-clock", Guard: "a listing must be late by the cloud's clock too",
		listing: func(w *world, found []cloud.Evidence) {
			for i := range found {
				found[i].CloudTime, found[i].Started = w.clock(1000*time.Hour), w.clock(1000*time.Hour)
			}
		}},
	{Name: "old-look", Guard: "a look that serves many lines says when it began", oldLook: true},
	{Name: "budget-race", Guard: "a hold is taken in the step that approves", budgetRace: true},
	{Name: "no-intent", Guard: "an attempt is in the ledger before its request leaves", noIntent: true},
	{Name: "tag-guard", Guard: "a tag written after the purchase is not asked whether there was one", tagGuard: true,
		facts: func(f purchase.Facts) purchase.Facts {
			if f.Class == cloud.ClassNone {
				f.Life, f.Settle = 30*time.Second, -30*time.Second
			}
			return f
		}},
	{Name: "restore-naive", Guard: "a ledger that has gone back in time buys nothing until everything lost is looked up",
		restoreNaive: true, ledger: guards{timeline: true}},
	{Name: "restore-no-wait", Guard: "a line in recovery waits until everything lost must be dead and visible",
		row: func(r purchase.Row) purchase.Row {
			if r.Line.State == purchase.Recovery {
				r.Restored = r.Restored.Add(-1000 * time.Hour)
			}
			return r
		}},
	{Name: "restore-by-attempt", Guard: "a line in recovery is looked up by its prefix, whatever attempts the ledger remembers",
		row: func(r purchase.Row) purchase.Row {
			if r.Line.State == purchase.Recovery {
				r.Install = "none"
			}
			return r
		}},
	{Name: "restore-image", Guard: "what appeared in the lane since the backup may be what the lost time bought",
		row: func(r purchase.Row) purchase.Row {
			r.Backup = r.Backup.Add(1000 * time.Hour)
			return r
		}},
	{Name: "keep-orders", Guard: "an order that must not fire is deleted, and a listing has to show it", keepOrders: true},
	{Name: "no-compare", Guard: "what the cloud sold is compared with what was approved", noCompare: true},
	{Name: "person-early", Guard: "a person decides that nothing was bought only when everything must be visible", personEarly: true},
	{Name: "double-click", Guard: "a plan is approved once", ledger: guards{draft: true}},
	{Name: "supersede-final", Guard: "superseding a plan ends only lines that were not sent", ledger: guards{supersede: true}},
	{Name: "no-plan-check", Guard: "nothing is armed for a plan that was superseded", ledger: guards{plan: true},
		row: func(r purchase.Row) purchase.Row {
			r.PlanState = purchase.PlanApproved
			return r
		}},
	{Name: "no-verify", Guard: "an order of an all-or-nothing plan is deleted in time unless all others are there",
		row: func(r purchase.Row) purchase.Row {
			r.PlanShort = false
			return r
		}},
	{Name: "no-gate", Guard: "an attempt is not sent long after it was armed", noGate: true},
}

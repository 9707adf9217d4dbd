package dst

// awaitPoint names a place in the protocol where a process waits for something
// outside itself, and can therefore be killed or stopped.
type awaitPoint int

// The await points, in the order of a purchase. Each is a call out of the process,
// and has a before and an after: whether the call had its effect when the process
// was killed.
const (
	atRead awaitPoint = iota
	atFind
	atNews
	atQuote
	atArm
	atReadBack
	atSend
	atRecord
	atStep
	atTrail
	atPoll
	atRelease
	numPoints
)

var pointNames = [numPoints]string{
	"read the row", "look", "look for news", "quote", "arm", "read back", "send", "record", "step",
	"read the audit log", "poll", "delete an order",
}

func (p awaitPoint) String() string { return pointNames[p] }

// coverage counts what happened at an await point.
type coverage struct{ reached, before, after int }

// faultKind is a family of faults. A history draws an intensity for each.
type faultKind int

// The families.
const (
	faultCrash faultKind = iota
	faultPause
	faultLedger
	faultCommitLost
	faultCommitUnknown
	faultRead
	faultDrift
	faultRequestLost
	faultRequestLate
	faultReplyLost
	faultFiveHundred
	faultThrottle
	faultRefuse
	faultVisibility
	faultPayment
	faultDouble
	faultGoods
	faultSecond
	numFaults
)

var faultNames = [numFaults]string{
	"crash", "pause", "ledger unavailable", "commit lost", "commit unknown", "read failed", "offering withdrawn",
	"request lost", "request late", "reply lost", "bound, then 500", "throttled", "refused", "listed late", "payment failed",
	"order doubled by the cloud", "other goods sold", "second request stopped",
}

// A script puts one fault at one await of a history that is otherwise calm.
type script int

const (
	scriptNone script = iota
	scriptCrash
	scriptCrashAfter
	scriptPause
	scriptLost    // of a step of the ledger: not applied, unknown
	scriptUnknown // of a step of the ledger: applied, unknown
	numScripts
)

package dst

// awaitPoint names a place in the protocol where a process waits for something
// outside itself, and can therefore be killed or stopped.
type awaitPoint int

// The await points, in the order of a purchase. Those in the past tense lie after
// an effect, the others before it.
const (
	atRead awaitPoint = iota
	atFind
	atFound
	atNews
	atQuote
	atArm
	atArmed
	atReadBack
	atSend
	atAnswer
	atRecord
	atRecorded
	atStep
	atStepped
	atTrail
	atPoll
	atRelease
	atReleased
	numPoints
)

var pointNames = [numPoints]string{
	"read the row", "look", "looked", "look for news", "quote", "arm", "armed", "read back", "send", "answered",
	"record", "recorded", "step", "stepped", "read the audit log", "poll", "delete an order", "deleted an order",
}

func (p awaitPoint) String() string { return pointNames[p] }

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
	numFaults
)

var faultNames = [numFaults]string{
	"crash", "pause", "ledger unavailable", "commit lost", "commit unknown", "read failed", "offering withdrawn",
	"request lost", "request late", "reply lost", "bound, then 500", "throttled", "refused", "listed late", "payment failed",
}

// A script puts one fault at one await of a history that is otherwise calm.
type script int

const (
	scriptNone script = iota
	scriptCrash
	scriptPause
	scriptLost    // of a step of the ledger: not applied, unknown
	scriptUnknown // of a step of the ledger: applied, unknown
	numScripts
)

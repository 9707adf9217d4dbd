package purchase

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"bursar/internal/cloud"
)

// Line is one offering x quantity x account of a plan: the unit that is bought
// at most once. The ledger holds one row for it.
type Line struct {
	ID     LineID
	Plan   PlanID
	Number int // 1-based within the plan
	Spec   Spec
	Class  cloud.Class
	State  State
	// Generation counts the identities the line has used up; it starts at 1. A
	// new generation begins only when every attempt of the one before is proven
	// to have bought nothing.
	Generation int
	Armed      int // attempts ever armed
	// Version counts the steps. A step is applied only to the version that it was
	// decided on: what somebody else wrote in between, be it only an answer, is read
	// first.
	Version         int
	CancelRequested bool
	// Listing is the first settled listing of the lane, for class C.
	Listing Listing
	// DecidedBy is who closed the line by a guess instead of evidence; "" if nobody
	// did.
	DecidedBy   string
	Reason      string    // why the line is where it is, one sentence for people
	MustLeaveBy time.Time // UTC; when it passes a person is told; zero in terminal states
	LookAt      time.Time // UTC; the line is due for a worker from here on
	UpdatedAt   time.Time
}

// Listing identifies what a complete listing showed.
type Listing struct {
	Digest string
	At     time.Time // our clock; zero when there was none
}

// Attempt is one right to send one request. Its row is committed before the
// request leaves and its identity columns never change.
type Attempt struct {
	Line       LineID
	N          int // 1-based within the line
	Generation int
	// Nonce exists in the memory of the process that armed the attempt and in
	// this row. It is how that process recognizes its own row when the answer to
	// COMMIT was lost.
	Nonce      string
	Protocol   int
	Intent     Intent
	Credential string // access key id or the like that the request is signed with
	ArmedAt    time.Time
	// AnswerBy is when the process that armed the attempt has sent it or given
	// up, and has its answer or has stopped waiting.
	AnswerBy time.Time
	// SettledAt is the deadline plus the settle time of the service: a complete
	// listing begun after it, by our clock and by the cloud's, shows whatever this
	// attempt did.
	SettledAt time.Time
	// FireAt is the second a queued purchase is ordered for, class Q; else zero.
	FireAt time.Time
	// Before are the ids that the lane held when the attempt was armed, class C.
	Before []string
	// Handle is the order or operation that the cloud named, if it did.
	Handle  string
	State   AttemptState
	Outcome cloud.Outcome // what the answer proved; InDoubt until one came
	Code    string        // the cloud's error code, if any
	EndedAt time.Time     // zero while armed
}

// ProtocolVersion is written into every attempt. A binary that meets a version
// it does not know leaves the line alone.
const ProtocolVersion = 1

// Intent is the exact request of an attempt, stored before it is sent.
type Intent struct {
	Account    cloud.Account  `json:"account"`
	Offering   cloud.Offering `json:"offering"`
	Quantity   int64          `json:"quantity"`
	Identity   string         `json:"identity"`
	Identities []string       `json:"-"`               // of all generations; derived, not part of the request
	Order      string         `json:"order,omitempty"` // what the cloud named it when it was priced
	Attempt    string         `json:"attempt"`
	Deadline   time.Time      `json:"deadline"`
	FireAt     time.Time      `json:"fire_at,omitzero"` // class Q: buy at this second
	Tags       Tags           `json:"tags"`
}

// Bytes returns the stored form of the intent.
func (i Intent) Bytes() ([]byte, error) {
	raw, err := json.Marshal(i)
	if err != nil {
		return nil, fmt.Errorf("intent: %w", err)
	}
	return raw, nil
}

// SHA256 returns the digest of the stored form in hex.
func (i Intent) SHA256() (string, error) {
	raw, err := i.Bytes()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// Receipt is our single record that a line is settled as bought.
type Receipt struct {
	Line       LineID
	Attempt    int
	Term       cloud.Term // that the line asks for
	Commitment cloud.Commitment
	At         time.Time
	// How says what proved it: the answer itself, a later look, the audit log, or
	// a person.
	How cloud.EvidenceKind
	// Heuristic: a person's guess closed the doubt. It is compared with the cloud's
	// list for as long as the commitment lives.
	Heuristic bool
}

// Row is all that the ledger knows of one line, read in one transaction.
type Row struct {
	Line     Line
	Attempts []Attempt // by N
	// What the plan allows at this moment.
	PlanState       PlanState
	ApprovalExpires time.Time
	Tolerance       Tolerance
	// Purchasing is false while a person has stopped the installation.
	Purchasing bool
	// PlanFailed: the plan is all or nothing, and another line of it is Unbought.
	PlanFailed bool
	// Together: the plan is all or nothing. PlanShort: and another line of it is
	// neither ordered nor bought.
	Together, PlanShort bool
	// Explained are the ids in the line's lane that a receipt or a person's word
	// explains, for classes C and Q.
	Explained []string
	// LaneHeld is when the line that holds this one's lane, class C, is looked at
	// next, by a worker or a person; zero when the lane is free. A lane is held by a
	// line that is armed, needs review or is in recovery.
	LaneHeld time.Time
	// Exclusive: nobody but this installation buys in the lane, so it was declared,
	// and nothing unexplained has been seen there.
	Exclusive bool
	// Restored is when the ledger was last found to have gone back, and Backup the
	// moment that it went back to; zero if it never did.
	Restored, Backup time.Time
	// Approvers are those who said yes to the plan, where a tag of the line names them.
	Approvers []string
	Install   string // four characters that tell this installation's identities from others'
}

// Open yields the attempts whose effect is not known, by N. They must not be
// changed.
func (r *Row) Open() iter.Seq[*Attempt] {
	return func(yield func(*Attempt) bool) {
		for i := range r.Attempts {
			if a := &r.Attempts[i]; !a.State.Closed() && !yield(a) {
				return
			}
		}
	}
}

// InDoubt counts the attempts whose effect is not known.
func (r *Row) InDoubt() (n int) {
	for range r.Open() {
		n++
	}
	return n
}

// SettledAt returns when a complete listing will show everything that the open
// attempts did; the zero time when none is open.
func (r *Row) SettledAt() time.Time {
	var last time.Time
	for a := range r.Open() {
		if a.SettledAt.After(last) {
			last = a.SettledAt
		}
	}
	return last
}

// Sendable reports whether something new may be sent for the line at the given
// time: the approval stands and nobody has called it off.
func (r *Row) Sendable(now time.Time) bool {
	return r.PlanState == PlanApproved && now.Before(r.ApprovalExpires) && !r.calledOff() && r.Purchasing
}

// Identity is what the cloud knows a purchase by: bu-<install>-<line>-<g>, all
// lower case, at most 41 characters. Everything a line ever bought is found by
// the prefix without the generation. The derivation is frozen: a changed one
// would not find what an older binary bought.
func Identity(install string, line LineID, generation int) string {
	return identityPrefix(install, line) + strconv.Itoa(generation)
}

// identityPrefix is what all names of a line begin with, whatever the generation.
func identityPrefix(install string, line LineID) string {
	return "bu-" + install + "-" + strings.ToLower(string(line)) + "-"
}

// made reports whether a commitment carries what the attempt asked for: its name
// (compared without case: RDS shows names folded), its second, or its handle.
func (a Attempt) made(c cloud.Commitment) bool {
	return a.named(c) || !a.FireAt.IsZero() && c.Start.Equal(a.FireAt) ||
		a.Handle != "" && a.Handle == c.ID
}

// named reports whether a commitment carries a name that the attempt sent.
func (a Attempt) named(c cloud.Commitment) bool {
	return a.Intent.Order != "" && strings.EqualFold(a.Intent.Order, c.ID) ||
		strings.EqualFold(a.Intent.Identity, c.ID) || strings.EqualFold(a.Intent.Identity, c.Name)
}

// maker returns the number of the attempt that asked for exactly this commitment:
// the first open one, for the cloud merges requests of one name, else the last; 0
// when the ledger knows none.
func (r *Row) maker(c cloud.Commitment) int {
	n := 0
	for _, a := range r.Attempts {
		if a.made(c) && (n == 0 || r.Attempts[n-1].State.Closed()) {
			n = a.N
		}
	}
	return n
}

// Identities returns the identities of all generations of the line up to and
// including the current one, and then the orders of its attempts.
func (r *Row) Identities() []string {
	ids := make([]string, r.Line.Generation)
	prefix := identityPrefix(r.Install, r.Line.ID)
	for g := range ids {
		ids[g] = prefix + strconv.Itoa(g+1)
	}
	for _, a := range r.Attempts {
		if a.Intent.Order != "" {
			ids = append(ids, a.Intent.Order)
		}
	}
	return ids
}

// Intent returns what the next attempt of the line would send.
func (r *Row) Intent(deadline time.Time) Intent {
	identities := r.Identities()
	identity := identities[r.Line.Generation-1]
	return Intent{
		Account:    r.Line.Spec.Account,
		Offering:   r.Line.Spec.Offering,
		Quantity:   r.Line.Spec.Quantity,
		Identity:   identity,
		Identities: identities,
		Attempt:    identity + "-a" + strconv.Itoa(r.Line.Armed+1),
		Deadline:   deadline,
		Tags:       r.Line.Tagged(r.Approvers),
	}
}

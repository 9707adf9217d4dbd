package purchase

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/cloud"
)

// UndoID is a ULID in upper case.
type UndoID string

// UndoState is the state of an undo.
type UndoState string

// The states of an undo: that somebody asked for it, that enough people approved,
// that one request may be on the wire or on its way through the cloud, and how it
// ended.
const (
	UndoRequested UndoState = "requested"
	UndoApproved  UndoState = "approved"
	UndoSent      UndoState = "sent"
	UndoReturned  UndoState = "returned" // the cloud shows the commitment as given back
	UndoRefused   UndoState = "refused"  // the cloud refused, and changed nothing
	UndoKept      UndoState = "kept"     // the cloud shows it as active after all
	UndoRejected  UndoState = "rejected" // by a person
	UndoExpired   UndoState = "expired"  // not sent in time
)

// Open reports whether the undo may still come to something.
func (s UndoState) Open() bool {
	return s == UndoRequested || s == UndoApproved || s == UndoSent
}

// Undo is a person's request to give back what a line bought. The line stays
// purchased, whatever comes of it.
type Undo struct {
	ID          UndoID
	Line        LineID
	Commitment  string // its id
	Digest      string // of what is given back, and by what
	Token       string // the cloud merges requests with it
	Requester   string
	RequestedAt time.Time
	Comment     string
	Approvals   Approvals
	Until       time.Time // nothing is sent from then on
	State       UndoState
	Tries       int // requests that may have been sent
	// Deadline is when the cloud refuses the last request at the latest, and
	// SettledAt when a complete listing shows what it did.
	Deadline, SettledAt time.Time
	Outcome             cloud.Outcome // of the last request; doubt while it is not known
	Detail              string        // one sentence
	UpdatedAt           time.Time
	Decisions           []UndoDecision
}

// UndoDecision is one person's yes or no on an undo. It is never changed.
type UndoDecision struct {
	Undo    UndoID
	Digest  string
	By      string
	Approve bool
	At      time.Time
	Comment string
}

// NewUndo is a request to give back what a receipt names, under the rule and until
// the time given.
func NewUndo(id UndoID, install string, l Line, r Receipt, by, comment string, rule Approvals, until, now time.Time) (Undo, error) {
	u := Undo{
		ID: id, Line: l.ID, Commitment: r.Commitment.ID, Token: "bu-" + install + "-undo-" + strings.ToLower(string(id)),
		Requester: by, RequestedAt: now, Comment: comment, Approvals: rule, Until: until, State: UndoRequested, UpdatedAt: now,
	}
	raw, err := json.Marshal(struct {
		Form       string      `json:"form"`
		Undo       UndoID      `json:"undo"`
		Line       LineID      `json:"line"`
		Lane       cloud.Lane  `json:"lane"`
		Commitment string      `json:"commitment"`
		Price      cloud.Price `json:"price"`
		Until      string      `json:"until"`
	}{"bursar-undo-1", id, l.ID, r.Commitment.Lane, r.Commitment.ID, l.Spec.Price, until.UTC().Format(time.RFC3339)})
	if err != nil {
		return Undo{}, fmt.Errorf("undo of line %s: %w", l.ID, err)
	}
	sum := sha256.Sum256(raw)
	u.Digest = "sha256:" + hex.EncodeToString(sum[:])
	return u, nil
}

// Attempt names the next request, fit for a session name.
func (u Undo) Attempt() string { return u.Token + "-" + strconv.Itoa(u.Tries) }

// Yes counts the people who approved the undo.
func (u Undo) Yes() (n int) {
	for _, d := range u.Decisions {
		if d.Approve && d.Digest == u.Digest {
			n++
		}
	}
	return n
}

// UndoMove is what comes of an undo that was sent.
type UndoMove struct {
	To      UndoState
	Outcome cloud.Outcome
	Detail  string
}

// Answered is what the answer to the request of a sent undo proves. Only that
// nothing was sent, or that the cloud will not, ends the doubt: what a yes has come
// to is for a listing to show.
func (u Undo) Answered(e cloud.Evidence) UndoMove {
	m := UndoMove{To: UndoSent, Outcome: e.Outcome, Detail: e.Detail}
	switch e.Outcome {
	case cloud.Refused:
		m.To = UndoRefused
	case cloud.Unsent, cloud.Throttled:
		m.To = UndoApproved // nothing is on the wire: it may be sent again
	case cloud.Accepted:
		m.Detail = "the cloud has accepted the return; waiting until it shows what came of it"
	default:
		m.Outcome, m.Detail = cloud.InDoubt, "no answer that proves anything: "+e.Detail
	}
	return m
}

// Looked is what a complete listing that began at the given time shows of a sent
// undo. ok is false while it proves nothing: a request may still be on its way, and
// a listing may be behind.
func (u Undo) Looked(items []cloud.Commitment, at time.Time) (m UndoMove, ok bool) {
	i := slices.IndexFunc(items, func(c cloud.Commitment) bool { return strings.EqualFold(c.ID, u.Commitment) })
	if u.State != UndoSent || i < 0 {
		return UndoMove{}, false
	}
	switch state := items[i].State; {
	case state == cloud.Returned:
		return UndoMove{To: UndoReturned, Outcome: u.Outcome, Detail: "the cloud shows it as returned"}, true
	case state == cloud.Returning || state == cloud.Unknown:
		return UndoMove{}, false
	case !at.After(u.SettledAt.Add(maxSkew)):
		return UndoMove{}, false
	default:
		return UndoMove{To: UndoKept, Outcome: u.Outcome, Detail: "the cloud shows it as " + string(state) + ": it was not given back"}, true
	}
}

func checkUndos(v *view, bad func(string, ...any)) int {
	for _, u := range v.Undos {
		r, bought := v.receipts[u.Line]
		switch {
		case !bought || v.byLine[u.Line].State != Purchased:
			bad("undo %s is of line %s, which bought nothing", u.ID, u.Line)
			continue
		case !strings.EqualFold(r.Commitment.ID, u.Commitment):
			bad("undo %s is of %s, the receipt of line %s is %s", u.ID, u.Commitment, u.Line, r.Commitment.ID)
		}
		yes, no := map[string]bool{}, ""
		for _, d := range u.Decisions {
			switch {
			case d.Digest != u.Digest:
			case !d.Approve:
				no = d.By
			case u.Approvals.May(d.By, u.Requester):
				yes[PersonKey(d.By)] = true
			}
		}
		if u.Tries > 0 && (len(yes) < max(u.Approvals.Needed, 1) || no != "") {
			bad("undo %s was sent and %d of %d people approved it, %s refused", u.ID, len(yes), u.Approvals.Needed, no)
		}
		if (u.State == UndoReturned || u.State == UndoKept || u.State == UndoRefused) && u.Tries == 0 {
			bad("undo %s is %s and was never sent", u.ID, u.State)
		}
	}
	return len(v.Undos)
}

package dst

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// Memory is a ledger in memory with the guards of the real one: what the database
// checks in a statement or by an index is checked here in Go. The store's own
// tests run the same steps against both and compare.
type Memory struct {
	Install    string
	Purchasing bool
	lines      []*entry
	receipts   map[string]purchase.LineID // commitment -> line
	// AllOrNothing: one line that ends without a purchase calls off all others.
	AllOrNothing bool
	// Cap bounds what is held and spent together, in millionths.
	Cap, Held, Spent int64
	// incarnation counts the times that the ledger was found to have gone back; it
	// was found last at restored, and had gone back to backup.
	incarnation      int
	restored, backup time.Time
	// timeline is the mark of the database itself: another one after every
	// restore. known is the one that was seen last.
	timeline, known int
	// blind names guards that are left out; only mutants set it.
	blind guards
}

// guards are what a mutant can take away from the ledger.
type guards struct {
	version, approval, cancel, stop, lane, second, attempt, timeline, draft, supersede, plan bool
}

// entry is a line with what surrounds it.
type entry struct {
	row   purchase.Row
	facts int // rows of evidence
	hold  hold
	// heuristic: a person said what the line bought.
	heuristic bool
}

// hold is the state of the money that an approval sets aside for a line.
type hold int

const (
	noHold hold = iota
	held
	spent
	released
)

// NewMemory returns an empty ledger.
func NewMemory(install string) *Memory {
	return &Memory{Install: install, Purchasing: true, receipts: map[string]purchase.LineID{}}
}

// Add stores a line in any state, with what its plan allows.
func (m *Memory) Add(row purchase.Row) {
	row.Install = m.Install
	m.lines = append(m.lines, &entry{row: row})
}

// Free is what the cap leaves.
func (m *Memory) Free() int64 { return m.Cap - m.Held - m.Spent }

// Approve opens a draft and takes its hold. It reports whether there was a draft.
func (m *Memory) Approve(id purchase.LineID, now, expires time.Time) bool {
	e := m.find(id)
	if e.row.Line.State != purchase.Draft && !m.blind.draft {
		return false
	}
	e.row.PlanState, e.row.ApprovalExpires = purchase.PlanApproved, expires
	e.row.Line.State, e.row.Line.LookAt, e.row.Line.MustLeaveBy = purchase.Ready, now, now.Add(purchase.ReadyDwell)
	m.move(e, held)
	return true
}

// Cancel asks that a line not be bought. It reports whether it still could be, and
// nobody had asked before.
func (m *Memory) Cancel(id purchase.LineID, now time.Time) bool {
	l := &m.find(id).row.Line
	switch l.State {
	case purchase.Ready, purchase.Armed, purchase.QueuedLine, purchase.NeedsReapproval:
	default:
		return false
	}
	if l.CancelRequested {
		return false
	}
	l.CancelRequested, l.LookAt, l.UpdatedAt = true, now, now
	return true
}

// Supersede ends a plan: what was not sent is dropped, what may have been sent is
// only looked up from now on.
func (m *Memory) Supersede() {
	for _, e := range m.lines {
		e.row.PlanState = purchase.PlanSuperseded
		l := &e.row.Line
		drop := l.State == purchase.Draft || l.State == purchase.Ready || l.State == purchase.NeedsReapproval
		if !drop && !(m.blind.supersede && l.State == purchase.Armed) {
			continue
		}
		l.State, l.Version, l.MustLeaveBy = purchase.Superseded, l.Version+1, time.Time{}
		if e.hold == held {
			m.move(e, released)
		}
	}
}

// move takes a line's hold to another state.
func (m *Memory) move(e *entry, to hold) {
	switch e.hold {
	case held:
		m.Held -= lineCost
	case spent:
		m.Spent -= lineCost
	}
	switch to {
	case held:
		m.Held += lineCost
	case spent:
		m.Spent += lineCost
	}
	e.hold = to
}

// backupOf is a copy of the ledger to go back to.
type backupOf struct {
	at          time.Time
	lines       []entry
	receipts    map[string]purchase.LineID
	held, spent int64
	purchasing  bool
}

// Backup copies the ledger.
func (m *Memory) Backup(now time.Time) *backupOf {
	b := &backupOf{at: now, receipts: maps.Clone(m.receipts), held: m.Held, spent: m.Spent, purchasing: m.Purchasing}
	for _, e := range m.lines {
		b.lines = append(b.lines, *e) // attempts are never changed in place
	}
	return b
}

// GoBack makes the ledger what it was at the backup. The database's mark changes;
// nobody has noticed yet.
func (m *Memory) GoBack(b *backupOf) {
	for i := range b.lines {
		*m.lines[i] = b.lines[i]
	}
	m.receipts, m.Held, m.Spent, m.Purchasing = maps.Clone(b.receipts), b.held, b.spent, b.purchasing
	m.backup = b.at
	m.timeline++
}

// WentBack reports whether the database's mark is another one than was last seen.
// Every write asks for it, those of people too.
func (m *Memory) WentBack() bool { return m.timeline != m.known && !m.blind.timeline }

// Recover notices that the ledger has gone back (T14): purchasing is off, every
// approval is void, and every open line waits until what was lost must be visible.
func (m *Memory) Recover(now time.Time) {
	m.known, m.incarnation, m.restored, m.Purchasing = m.timeline, m.incarnation+1, now, false
	for _, e := range m.lines {
		e.row.ApprovalExpires = now
		if l := &e.row.Line; !l.State.Terminal() {
			l.State, l.Version, l.Reason = purchase.Recovery, l.Version+1, "the ledger went back in time"
			l.LookAt, l.MustLeaveBy = now, now.Add(purchase.RecoveryDwell)
		}
	}
}

func (m *Memory) find(id purchase.LineID) *entry {
	for _, e := range m.lines {
		if e.row.Line.ID == id {
			return e
		}
	}
	return nil
}

// Row reads a line. The attempts are shared and never changed in place.
func (m *Memory) Row(_ context.Context, id purchase.LineID) (purchase.Row, error) {
	e := m.find(id)
	row := e.row
	row.Purchasing, row.Restored, row.Backup = m.Purchasing, m.restored, m.backup
	if row.Together = m.AllOrNothing; m.AllOrNothing {
		row.PlanFailed, row.PlanShort = false, false
		for _, o := range m.lines {
			if s := o.row.Line.State; o.row.Line.ID != id {
				row.PlanFailed = row.PlanFailed || s.Unbought()
				row.PlanShort = row.PlanShort || !s.Ordered()
			}
		}
	}
	if !row.Line.Class.Named() {
		row.Explained = m.explained(row.Line.Spec.Lane())
		row.LaneHeld = m.laneHeld(&row.Line)
	}
	return row, nil
}

// failedBeside reports whether a line other than this one has ended without a
// purchase.
func (m *Memory) failedBeside(id purchase.LineID) bool {
	return slices.ContainsFunc(m.lines, func(e *entry) bool {
		return e.row.Line.ID != id && e.row.Line.State.Unbought()
	})
}

// callOffBeside makes the other lines due when the first one ends without a
// purchase, and voids what was decided on them before.
func (m *Memory) callOffBeside(id purchase.LineID, now time.Time) {
	if !m.AllOrNothing || m.failedBeside(id) {
		return
	}
	for _, e := range m.lines {
		l := &e.row.Line
		if l.ID == id {
			continue
		}
		switch l.State {
		case purchase.Ready, purchase.Armed, purchase.QueuedLine, purchase.NeedsReapproval, purchase.Recovery:
			l.LookAt, l.UpdatedAt, l.Version = now, now, l.Version+1
		}
	}
}

// explained lists the commitments of a lane that a receipt names.
func (m *Memory) explained(lane cloud.Lane) []string {
	var ids []string
	prefix := lane.String() + "/"
	for key := range m.receipts {
		if id, ok := strings.CutPrefix(key, prefix); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// laneHeld returns when the line that holds another one's lane is looked at next.
func (m *Memory) laneHeld(l *purchase.Line) time.Time {
	if l.Class.Locks() && !m.blind.lane {
		for _, o := range m.lines {
			other := &o.row.Line
			if other.ID != l.ID && other.Class.Locks() && holdsLane(other.State) && other.Spec.Lane() == l.Spec.Lane() {
				if other.LookAt.IsZero() {
					return other.MustLeaveBy
				}
				return other.LookAt
			}
		}
	}
	return time.Time{}
}

// holdsLane reports whether a line without identity keeps its lane: something of
// it is in doubt, with a worker or with a person.
func holdsLane(s purchase.State) bool {
	return s == purchase.Armed || s == purchase.NeedsReview || s == purchase.Recovery
}

// Armed reports whether the line has an attempt with this nonce.
func (m *Memory) Armed(_ context.Context, id purchase.LineID, nonce string) (bool, error) {
	return slices.ContainsFunc(m.find(id).row.Attempts, func(a purchase.Attempt) bool { return a.Nonce == nonce }), nil
}

// Apply performs a change under its guards, whole or not at all.
func (m *Memory) Apply(_ context.Context, c purchase.Change, now time.Time) error {
	if m.WentBack() {
		return purchase.ErrWentBack
	}
	e := m.find(c.Line)
	l := &e.row.Line
	if !m.blind.version && (l.State != c.From || l.Version != c.Version) {
		return purchase.ErrLost
	}
	if c.Arm != nil {
		if err := m.mayArm(e, c, now); err != nil {
			return err
		}
	} else if l.CancelRequested != c.CancelRequested && !m.blind.cancel {
		return purchase.ErrLost
	}
	for _, ac := range c.Attempts {
		if ac.N < 1 || ac.N > len(e.row.Attempts) || e.row.Attempts[ac.N-1].State.Closed() && !m.blind.attempt {
			return purchase.ErrLost
		}
	}
	key := ""
	if c.Receipt != nil {
		key = c.Receipt.Commitment.Lane.String() + "/" + c.Receipt.Commitment.ID
		if _, taken := m.receipts[key]; taken {
			return errUnique
		}
	}

	switch {
	case c.Rule == "":
	case e.hold != held: // its approval was lost with a rollback
	case c.To == purchase.Purchased:
		m.move(e, spent)
	case c.To.Terminal():
		m.move(e, released)
	}
	if c.To != c.From && c.To.Unbought() {
		m.callOffBeside(c.Line, now)
	}
	e.row = c.Applied(e.row, now)
	e.facts += len(c.Evidence)
	if c.Receipt != nil {
		m.receipts[key] = c.Line
		e.heuristic = c.Receipt.Heuristic
	}
	return nil
}

// mayArm holds the guards of ArmLine and of the unique indexes.
func (m *Memory) mayArm(e *entry, c purchase.Change, now time.Time) error {
	l := &e.row.Line
	switch {
	case l.Generation != c.Generation,
		l.CancelRequested && !m.blind.cancel,
		!m.blind.plan && e.row.PlanState != purchase.PlanApproved,
		!m.blind.approval && !now.Before(e.row.ApprovalExpires),
		!m.Purchasing && !m.blind.stop,
		e.hold != held:
		return purchase.ErrLost
	}
	for _, o := range m.lines {
		other := &o.row
		sameLane := other.Line.Spec.Lane() == l.Spec.Lane()
		if sameLane && other.Line.ID != l.ID && l.Class.Locks() && other.Line.Class.Locks() &&
			holdsLane(other.Line.State) && !m.blind.lane {
			return purchase.ErrTaken
		}
		for _, a := range other.Attempts {
			sameSecond := !c.Arm.FireAt.IsZero() && a.FireAt.Equal(c.Arm.FireAt)
			if a.Nonce == c.Arm.Nonce || sameSecond && sameLane && !m.blind.second {
				return purchase.ErrTaken
			}
		}
	}
	return nil
}

// errUnique is what a unique index says that no step expects to meet.
var errUnique = uniqueError{}

type uniqueError struct{}

func (uniqueError) Error() string { return "a unique index refused the row" }

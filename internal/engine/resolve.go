package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// A line that needs review waits for a person, who may only adopt what is listed,
// confirm that nothing was bought, declare something foreign, or ask to look
// again. There is no way from here to a request.

// DeclareForeign is the choice that is about a commitment rather than the line:
// it is somebody else's.
const DeclareForeign purchase.Choice = "foreign"

// ErrNoReview is returned for a line that waits for no person.
var ErrNoReview = errors.New("the line does not need review")

// Resolution is a person's decision about a line.
type Resolution struct {
	Choice     purchase.Choice
	Commitment string // for Adopt and DeclareForeign, as listed
	By, Second string
	Comment    string
}

// CaseItem is a commitment in the lane of a line under review, with what explains
// it: at most one of Receipt, Imported and Foreign is set.
type CaseItem struct {
	Commitment cloud.Commitment
	Receipt    purchase.LineID // the line that bought it
	Imported   bool            // it was there before us
	Foreign    *store.Foreign  // the word of a person
	Named      bool            // it carries a name or second of the line under review
	Differs    string          // how it is not what was approved; "" if it is
	Adopt      bool            // may be adopted now
}

// Explained reports whether something but the line under review accounts for the
// item.
func (i CaseItem) Explained() bool { return i.Receipt != "" || i.Imported || i.Foreign != nil }

// Case is all that a person needs to decide about a line.
type Case struct {
	Row   purchase.Row
	Items []CaseItem // what the lane lists now, by start
	// Unlisted is why the lane could not be listed; nothing can be decided then
	// but to look again.
	Unlisted error
	// Settled is from when it may be decided that nothing was bought.
	Settled time.Time
	// NotBought and LookAgain are why the choice is not open; nil if it is.
	NotBought, LookAgain error
	// Second: NotBought needs a second person.
	Second bool
}

// Case reads a line under review and lists its lane.
func (e *Engine) Case(ctx context.Context, id purchase.LineID) (*Case, error) {
	row, err := e.review(ctx, id)
	if err != nil {
		return nil, err
	}
	c := &Case{Row: row, Settled: row.SettledSince()}
	sight, err := e.see(ctx, &row)
	if err != nil {
		c.Unlisted, c.NotBought = err, err
		_, c.LookAgain = purchase.DefaultRules.Step(row, purchase.Decided{Choice: purchase.LookAgain, By: "?"}, e.Now())
		return c, nil
	}
	now := e.Now()
	try := func(d purchase.Decided) error {
		d.By = "?"
		_, err := purchase.DefaultRules.Step(row, d, now)
		return err
	}
	books, err := e.DB.Books(ctx, row.Line.Spec.Lane())
	if err != nil {
		return nil, err
	}
	declared, err := e.DB.Declared(ctx, row.Line.Spec.Lane())
	if err != nil {
		return nil, err
	}
	for _, f := range sight.lane {
		id := store.Fold(f.Commitment.ID)
		item := CaseItem{
			Commitment: *f.Commitment, Named: row.Ours(*f.Commitment), Differs: row.Mismatch(*f.Commitment),
			Receipt: books.Receipts[id].Line, Imported: books.Imported[id],
		}
		for i := range declared {
			if declared[i].Commitment == f.Commitment.ID {
				item.Foreign = &declared[i]
			}
		}
		item.Adopt = try(sight.decided(Resolution{Choice: purchase.Adopt, Commitment: f.Commitment.ID})) == nil
		c.Items = append(c.Items, item)
	}
	slices.SortStableFunc(c.Items, func(a, b CaseItem) int { return a.Commitment.Start.Compare(b.Commitment.Start) })
	alone := sight.decided(Resolution{Choice: purchase.NotBought})
	c.NotBought = try(alone)
	if errors.Is(c.NotBought, purchase.ErrSecondPerson) {
		c.Second = true
		alone.Second = "!"
		c.NotBought = try(alone)
	}
	c.LookAgain = try(purchase.Decided{Choice: purchase.LookAgain})
	return c, nil
}

// Resolve carries out a person's decision about a line and returns the line as it
// then is. The row is read first and the lane is listed afresh after it; whoever
// has moved the line in between wins, and this is purchase.ErrLost.
func (e *Engine) Resolve(ctx context.Context, id purchase.LineID, r Resolution) (purchase.Row, error) {
	row, err := e.review(ctx, id)
	if err != nil {
		return purchase.Row{}, err
	}
	switch r.Choice {
	case DeclareForeign:
		return e.declare(ctx, &row, r)
	case purchase.LookAgain:
		return e.lookAgain(ctx, &row, r)
	}
	sight, err := e.see(ctx, &row)
	if err != nil {
		return purchase.Row{}, err
	}
	now := e.Now()
	c, err := purchase.DefaultRules.Step(row, sight.decided(r), now)
	if err == nil {
		err = e.DB.Apply(ctx, c, now)
	}
	if err != nil {
		return purchase.Row{}, err
	}
	return e.DB.Row(ctx, id)
}

// review reads a line that must need review and be of a protocol that this
// program knows.
func (e *Engine) review(ctx context.Context, id purchase.LineID) (purchase.Row, error) {
	row, err := e.DB.Row(ctx, id)
	if err != nil {
		return purchase.Row{}, err
	}
	if row.Line.State != purchase.NeedsReview {
		return row, fmt.Errorf("line %s is %s: %w", id, row.Line.State, ErrNoReview)
	}
	for _, a := range row.Attempts {
		if a.Protocol != purchase.ProtocolVersion {
			return row, fmt.Errorf("attempt %d of line %s was made by another version of this program: use that one", a.N, id)
		}
	}
	return row, nil
}

// sight is a fresh look for one line: under its names where it has some, and at
// its whole lane.
type sight struct {
	found   []cloud.Evidence // under the line's names, or the lane where it has none; never empty
	lane    []cloud.Evidence // every commitment of the lane
	names   []string         // of the line; nil where it has none
	foreign []string
	open    []string // ids in the lane that nothing explains and that bind
}

// see looks afresh, and sets on the row what explains the lane.
func (e *Engine) see(ctx context.Context, row *purchase.Row) (*sight, error) {
	m := market{e}
	intent := row.Intent(e.Now())
	s := &sight{}
	var err error
	if row.Line.Class.Named() {
		s.names = intent.Identities
		if s.found, err = m.Find(ctx, intent, e.Now()); err != nil {
			return nil, err
		}
	}
	intent.Identities = nil
	lane, err := m.Find(ctx, intent, e.Now())
	if err != nil {
		return nil, err
	}
	if s.names == nil {
		s.found = lane
	}
	at := row.Line.Spec.Lane()
	if row.Explained, err = e.DB.Explained(ctx, at); err != nil {
		return nil, err
	}
	if s.foreign, err = e.DB.ForeignItems(ctx, at); err != nil {
		return nil, err
	}
	for _, f := range lane {
		if f.Commitment == nil {
			continue
		}
		s.lane = append(s.lane, f)
		if f.Commitment.State.Binding() && !slices.Contains(row.Explained, f.Commitment.ID) {
			s.open = append(s.open, f.Commitment.ID)
		}
	}
	return s, nil
}

// decided is a decision about a line with what is seen.
func (s *sight) decided(r Resolution) purchase.Decided {
	d := purchase.Decided{
		Choice: r.Choice, By: r.By, Second: r.Second, Comment: r.Comment, Adopt: r.Commitment, Unexplained: s.open,
	}
	switch r.Choice {
	case purchase.Adopt: // also what the cloud named differently
		d.Found = slices.Concat(s.found, s.lane)
	case purchase.NotBought: // what is somebody else's is not this line's, whatever its name
		for _, f := range slices.Concat(s.found, s.lane) { // one of the two looks may have missed it
			if f.Commitment == nil || !slices.Contains(s.foreign, f.Commitment.ID) {
				d.Found = append(d.Found, f)
			}
		}
		if len(d.Found) == 0 {
			only := s.found[0]
			only.Kind, only.Commitment, only.Detail = cloud.EvidenceAbsence, nil, "only what was declared foreign is listed"
			d.Found = []cloud.Evidence{only}
		}
	}
	return d
}

// declare records that a commitment of the lane is somebody else's, and looks
// again if that can show anything: under the line's own name a look would only
// find the same commitment.
func (e *Engine) declare(ctx context.Context, row *purchase.Row, r Resolution) (purchase.Row, error) {
	s, err := e.see(ctx, row)
	if err != nil {
		return purchase.Row{}, err
	}
	i := slices.IndexFunc(s.lane, func(f cloud.Evidence) bool { return f.Commitment.ID == r.Commitment })
	if i < 0 || slices.Contains(row.Explained, r.Commitment) {
		return purchase.Row{}, purchase.ErrNotListed
	}
	err = e.DB.DeclareForeign(ctx, store.Foreign{
		Lane: row.Line.Spec.Lane(), Commitment: r.Commitment, By: r.By, Comment: r.Comment, At: e.Now(), Line: row.Line.ID,
	})
	if err != nil {
		return purchase.Row{}, err
	}
	if row.Ours(*s.lane[i].Commitment) {
		return e.DB.Row(ctx, row.Line.ID)
	}
	again, err := e.lookAgain(ctx, row, r)
	if errors.Is(err, purchase.ErrNothingToLook) || errors.Is(err, purchase.ErrLost) {
		return e.DB.Row(ctx, row.Line.ID)
	}
	return again, err
}

// lookAgain puts a line back into doubt and looks once. It never sends anything.
func (e *Engine) lookAgain(ctx context.Context, row *purchase.Row, r Resolution) (purchase.Row, error) {
	now := e.Now()
	c, err := purchase.DefaultRules.Step(*row, purchase.Decided{Choice: purchase.LookAgain, By: r.By, Second: r.Second, Comment: r.Comment}, now)
	if err == nil {
		err = e.DB.Apply(ctx, c, now)
	}
	if err != nil {
		return purchase.Row{}, err
	}
	// The line is in doubt again; whatever hinders this look, the next one comes.
	if err := e.lookOnce(ctx, row.Line.ID); err != nil {
		e.Log.Debug("look after a decision", "line", row.Line.ID, "error", err)
	}
	return e.DB.Row(ctx, row.Line.ID)
}

// lookOnce draws the conclusion from one look at a line in doubt.
func (e *Engine) lookOnce(ctx context.Context, id purchase.LineID) error {
	row, err := e.DB.Row(ctx, id)
	if err != nil {
		return err
	}
	var m purchase.Market = market{e}
	facts, err := m.Facts(row.Line)
	if err != nil {
		return err
	}
	intent := row.Intent(e.Now())
	if !row.Line.Class.Named() {
		intent.Identities = nil
	}
	found, err := m.Find(ctx, intent, e.Now())
	if err != nil {
		return err
	}
	looked := purchase.Looked{Facts: facts, Found: found}
	if auditor, ok := m.(purchase.Auditor); ok && row.Line.Class.Locks() {
		for a := range row.Open() {
			if a.Credential == "" {
				continue
			}
			trail, err := auditor.Trail(ctx, intent, a.Credential)
			if err != nil {
				return err
			}
			looked.Trail = append(looked.Trail, trail...)
		}
	}
	now := e.Now()
	c, err := purchase.DefaultRules.Step(row, looked, now)
	if err != nil {
		return err
	}
	return e.DB.Apply(ctx, c, now)
}

// Sentence tells a person why a decision about a line was not taken and what is
// possible instead; "" for an error that is not about the decision.
func (c *Case) Sentence(err error) string {
	line := c.Row.Line.ID
	switch {
	case errors.Is(err, purchase.ErrTooEarly):
		return fmt.Sprintf("line %s may still have been bought: that it was not can be decided from %s", line, c.Settled.UTC().Format("2006-01-02 15:04:05Z"))
	case errors.Is(err, purchase.ErrStillThere):
		return fmt.Sprintf("something is listed under the names of line %s: adopt it, or declare it foreign", line)
	case errors.Is(err, purchase.ErrSecondPerson):
		return fmt.Sprintf("the lane of line %s holds %s that nothing explains, and one of them may be this line's: a second person has to agree, with --second NAME",
			line, strings.Join(c.unexplained(), ", "))
	case errors.Is(err, purchase.ErrNothingToLook):
		return fmt.Sprintf("no request of line %s is open: there is nothing to look for", line)
	case errors.Is(err, purchase.ErrNotListed):
		return fmt.Sprintf("the lane of line %s does not list that commitment as unexplained: see bursar resolve %s", line, line)
	}
	return ""
}

// unexplained lists what nothing in the lane explains.
func (c *Case) unexplained() (ids []string) {
	for _, i := range c.Items {
		if !i.Explained() && i.Commitment.State.Binding() {
			ids = append(ids, i.Commitment.ID)
		}
	}
	return ids
}

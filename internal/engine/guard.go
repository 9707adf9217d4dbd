package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/journal"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// Guard holds what is outside the ledger and tells whether the ledger is the one
// that it was: the intent journal, the place where the ledger lives, and who it is in
// the accounts that pay. An engine without one compares nothing.
type Guard struct {
	// Journal is where a request is written down before it is sent. It may be nil:
	// Unready then says why, and nothing is bought.
	Journal *journal.Journal
	Unready error
	// Place tells where the ledger is now, under the names file, host and environment.
	// What cannot be told is "" or missing. It is asked before every purchase.
	Place func() (map[store.MarkName]string, error)
	// Shared: the ledger is on a server, and every host that works on it has a journal
	// of its own.
	Shared bool
	// Claims: every generation of a line is claimed in the account that pays before it
	// is sent.
	Claims bool

	mu       sync.Mutex
	compared time.Time // by the wall clock; zero before the first time
	refusal  error     // of the last comparison
	stored   map[store.MarkName]string
	unsure   bool // the journal was not written
	owned    map[payer]*ownership
}

// Claimants is what Clouds may have besides: marks in the accounts that pay.
type Claimants interface {
	// Claimer returns nil without an error for an account that keeps none.
	Claimer(p cloud.Provider, a cloud.Account) (driver.Claimer, error)
}

// payer is an account that pays.
type payer struct {
	provider cloud.Provider
	account  cloud.Account
}

// ownership is what was last known of who buys in an account.
type ownership struct {
	mu      sync.Mutex
	asked   time.Time // by the wall clock
	refusal error
}

const (
	// compareEvery is how often a long run compares the marks.
	compareEvery = time.Minute
	// refusedFor is how long a refusal of an account is not asked about again.
	refusedFor = 5 * time.Second
)

// ErrRefused: the ledger may be the wrong one, and buys nothing until a person says.
// The text of the error is one sentence with the next step.
var ErrRefused = errors.New("this ledger must not buy")

// refuse is an ErrRefused in words for people.
func refuse(format string, args ...any) error {
	return told{fmt.Sprintf(format, args...), ErrRefused}
}

// Comparison is what the marks say.
type Comparison struct {
	// Back are the marks that say that the ledger has gone back in time, one clause
	// each.
	Back []string
	// Begun: the recovery was begun for it by this comparison.
	Begun bool
	// Refusal is why nothing may be bought though the ledger did not go back; nil if it
	// may. It is an ErrRefused.
	Refusal error
	// Moved: the place is another one, and a person may say that this is right.
	Moved []string
	// Lost are the records of the journal whose attempts the ledger has not.
	Lost []journal.Record
}

// Compare holds the ledger against everything outside of it but the accounts. If the
// ledger went back in time, it begins the recovery; a process that was second goes on
// with what the first one left. Marks that were never taken are taken.
func (e *Engine) Compare(ctx context.Context) (*Comparison, error) {
	g := e.Guard
	if g == nil {
		return &Comparison{}, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return e.compare(ctx)
}

// compare is Compare with the lock.
func (e *Engine) compare(ctx context.Context) (*Comparison, error) {
	g, now := e.Guard, e.Now()
	in, err := e.DB.Installation(ctx)
	if err != nil {
		return nil, err
	}
	stored, err := e.DB.StoredMarks(ctx)
	if err != nil {
		return nil, err
	}
	c := &Comparison{}
	marks := map[store.MarkName]string{}
	if marks[store.MarkSystem], marks[store.MarkTimeline], err = e.DB.Marks(ctx); err != nil {
		return nil, err
	}
	head, err := e.compareJournal(ctx, stored, marks, c)
	if err != nil {
		return nil, err
	}
	for _, m := range []struct {
		name store.MarkName
		says string
	}{
		{store.MarkSystem, "the database is of another cluster"},
		{store.MarkTimeline, "the database is on another timeline"},
	} {
		if was := stored[m.name]; was == "" {
			delete(stored, m.name) // it is taken now
		} else if marks[m.name] != "" && was != marks[m.name] {
			c.Back = append(c.Back, fmt.Sprintf("%s: %q, and it was %q", m.says, marks[m.name], was))
		}
	}
	if err := e.comparePlace(stored, marks, c); err != nil {
		return nil, err
	}
	g.compared, g.stored = time.Now(), stored
	if len(c.Back) > 0 {
		marks[store.MarkHolder] = newID(now)
		if g.Journal != nil {
			marks[store.JournalMark(g.Journal.ID())] = strconv.FormatInt(head, 10)
		}
		c.Begun, err = e.DB.BeginRecovery(ctx, store.Rollback{
			RecoveryEvent: store.RecoveryEvent{By: store.ByMark, At: now, Detail: strings.Join(c.Back, "; "), Incarnation: in.Incarnation},
			Marks:         marks,
		})
		g.refusal, g.owned, g.stored = errRecovering, nil, marks
		return c, err
	}
	if err := e.takeMarks(ctx, stored, marks, now); err != nil {
		return nil, err
	}
	if _, err := e.DB.Recognize(ctx); err != nil {
		return nil, err
	}
	if in.Recovery {
		g.refusal = errRecovering
		return c, nil
	}
	g.refusal = c.Refusal
	return c, nil
}

var errRecovering = refuse("the ledger went back in time: nothing is bought until bursar recovery finish")

// takeMarks records marks that were never taken. Without a journal there is none to take.
func (e *Engine) takeMarks(ctx context.Context, stored, marks map[store.MarkName]string, now time.Time) error {
	missing := map[store.MarkName]string{}
	for name, value := range marks {
		if _, ok := stored[name]; !ok {
			missing[name], stored[name] = value, value
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return e.DB.SetMarks(ctx, missing, nil, now)
}

// compareJournal looks for attempts that the journal has and the ledger has not. head
// is the newest record.
func (e *Engine) compareJournal(ctx context.Context, stored, marks map[store.MarkName]string, c *Comparison) (head int64, err error) {
	g := e.Guard
	if g.Journal == nil {
		c.Refusal = refuse("%s", unready(g.Unready))
		return 0, nil
	}
	mark := store.JournalMark(g.Journal.ID())
	was, known := stored[mark]
	if !known && store.HasJournal(stored) && !g.Shared {
		c.Refusal = refuse("%s is not the journal that this ledger has written: put that one back, or, if it is lost, see bursar recovery start", g.Journal.Path())
		return 0, nil
	}
	recent, err := g.Journal.Recent()
	if err != nil {
		c.Refusal = refuse("%s", unready(err))
		return 0, nil
	}
	var base int64 // of a ledger that forgot the journal itself, all is compared
	if known {
		if base, err = strconv.ParseInt(was, 10, 64); err != nil {
			return 0, fmt.Errorf("mark %s: %w", mark, err)
		}
	}
	marks[mark] = "0"
	for _, r := range recent {
		if head = r.Seq; r.Seq <= base || r.Line == "" {
			continue
		}
		has, err := e.DB.HasIntent(ctx, purchase.LineID(r.Line), r.N, r.Request)
		if err != nil {
			return 0, err
		}
		if !has {
			c.Lost = append(c.Lost, r)
		}
	}
	if n := len(c.Lost); n > 0 {
		first := c.Lost[0]
		c.Back = append(c.Back, fmt.Sprintf("the journal has %s that the ledger has not, the first is attempt %d of line %s at %s",
			counted(n, "attempt", "attempts"), first.N, first.Line, first.At.UTC().Format("2006-01-02 15:04:05Z")))
	}
	return head, nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// unready says why the journal cannot be written and what to do.
func unready(err error) string {
	switch {
	case err == nil:
		return "there is no journal to write a purchase down in before it is sent: name one with journal: in bursar.yaml"
	case errors.Is(err, journal.ErrMissing):
		return err.Error() + " for this ledger, and nothing is sent that it does not have: put it back or name its path with journal: in bursar.yaml; if it is lost, see bursar recovery start"
	case errors.Is(err, journal.ErrCorrupt):
		return err.Error() + ": put a copy of it in its place; if there is none, see bursar recovery start"
	}
	return err.Error() + ": nothing is sent that the journal does not have; mend its disk or its permissions"
}

// comparePlace looks whether the ledger is where it was.
func (e *Engine) comparePlace(stored, marks map[store.MarkName]string, c *Comparison) error {
	if e.Guard.Place == nil {
		return nil
	}
	place, err := e.Guard.Place()
	if err != nil {
		return err
	}
	for _, m := range []struct {
		name   store.MarkName
		says   string
		always bool // also "" differs from a text
	}{
		{store.MarkFile, "the ledger is another file than it was", false},
		{store.MarkHost, "the ledger is on another host than it was", false},
		{store.MarkEnvironment, "the ledger is in another environment than it was", true},
	} {
		now, told := place[m.name]
		if !told || now == "" && !m.always {
			continue
		}
		marks[m.name] = now
		was, known := stored[m.name]
		if known && was != now && (was != "" || m.always) {
			says := m.says
			if m.always {
				says = fmt.Sprintf("%s (%s, and was %s)", says, orNone(now), orNone(was))
			}
			c.Moved = append(c.Moved, says)
		}
	}
	if len(c.Moved) > 0 && c.Refusal == nil {
		c.Refusal = refuse("%s: nothing is bought from a copy; if it was moved here and the old one is gone, say so with bursar recovery moved, and if it is a restored backup, with bursar recovery start", strings.Join(c.Moved, " and "))
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// watch compares the marks when that is due in a long run.
func (e *Engine) watch(ctx context.Context) error {
	g := e.Guard
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.compared) < compareEvery {
		return nil
	}
	_, err := e.compare(ctx)
	return err
}

// mayBuy refuses purchases of a ledger that may be the wrong one. The text of the
// error is for people.
func (e *Engine) mayBuy(ctx context.Context, lane cloud.Lane) error {
	g := e.Guard
	if g == nil {
		return nil
	}
	if err := e.fit(ctx); err != nil {
		return err
	}
	return e.owns(ctx, payer{lane.Provider, lane.Account})
}

// fit is mayBuy without the account.
func (e *Engine) fit(ctx context.Context) error {
	g := e.Guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.compared) >= compareEvery || g.refusal != nil {
		if _, err := e.compare(ctx); err != nil {
			return err
		}
	}
	if g.refusal != nil {
		return g.refusal
	}
	// The place costs one look at a file: a ledger that was replaced under this
	// process is seen before the next purchase.
	var c Comparison
	if err := e.comparePlace(g.stored, map[store.MarkName]string{}, &c); err != nil {
		return err
	}
	if c.Refusal != nil {
		g.refusal = c.Refusal
		return c.Refusal
	}
	if g.unsure {
		if err := g.Journal.Append(ctx, journal.Record{At: e.Now()}); err != nil {
			return refuse("%s", unready(err))
		}
		g.unsure = false
	}
	return nil
}

// intend writes down what is about to be sent. On any error nothing may be sent.
func (e *Engine) intend(ctx context.Context, i purchase.Intent) error {
	g := e.Guard
	if g == nil {
		return nil
	}
	if g.Journal == nil {
		return refuse("%s", unready(g.Unready))
	}
	r, err := entry(i, e.Now())
	if err != nil {
		return err
	}
	if err := g.Journal.Append(ctx, r); err != nil {
		g.mu.Lock()
		g.unsure = true
		g.mu.Unlock()
		return refuse("%s", unready(err))
	}
	if !g.Claims {
		return nil
	}
	return e.claim(ctx, i, r)
}

// lineOf tells the line of an attempt, its number and its generation, by its names.
func lineOf(i purchase.Intent) (line purchase.LineID, n, generation int, err error) {
	fail := func(format string, args ...any) (purchase.LineID, int, int, error) {
		return "", 0, 0, fmt.Errorf(format, args...)
	}
	at := strings.LastIndex(i.Attempt, "-a")
	parts := strings.Split(i.Identity, "-") // bu, installation, line, generation
	if at < 0 || len(parts) != 4 {
		return fail("attempt %q is not named as attempts are", i.Attempt)
	}
	if n, err = strconv.Atoi(i.Attempt[at+2:]); err != nil {
		return fail("attempt %q is not named as attempts are", i.Attempt)
	}
	if generation, err = strconv.Atoi(parts[3]); err != nil {
		return fail("identity %q is not of a line", i.Identity)
	}
	return purchase.LineID(strings.ToUpper(parts[2])), n, generation, nil
}

// entry is what the journal holds of an attempt, whose name says which one it is.
func entry(i purchase.Intent, now time.Time) (journal.Record, error) {
	line, n, generation, err := lineOf(i)
	if err != nil {
		return journal.Record{}, err
	}
	digest, err := i.SHA256()
	if err != nil {
		return journal.Record{}, err
	}
	lane := laneOf(i)
	return journal.Record{
		At: now, Line: string(line), N: n, Generation: generation, Identity: i.Identity,
		Provider: string(lane.Provider), Account: string(lane.Account), Region: string(lane.Region), Service: string(lane.Service),
		Offering: i.Offering.ID, Quantity: i.Quantity, Deadline: i.Deadline, FireAt: i.FireAt, Request: digest,
	}, nil
}

package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"bursar/internal/money"
)

// IDCase says what the simulated services do with the case of a reservation id
// that its buyer chose, which AWS does not document.
type IDCase int

const (
	// FoldCase compares ids without case and lists them in lower case, while
	// the reply to a purchase echoes the id as it was sent (API references of
	// RDS, samples of both operations, and of ElastiCache, user guide).
	FoldCase IDCase = iota
	// PreserveCase keeps ids as sent; two ids that differ in case are two ids.
	PreserveCase
)

// TokenMismatch says what a service does with a client token that it remembers
// from a request for something else, which AWS does not document for Savings Plans:
// their model declares no error for it.
type TokenMismatch int

const (
	// AnswerOld answers with what was bought with the token.
	AnswerOld TokenMismatch = iota
	// RefuseMismatch answers ValidationException.
	RefuseMismatch
)

// NameRule says whether the names of OpenSearch reservations are unique, which AWS
// does not document: it asks for a unique name and declares an error for a used one.
type NameRule int

const (
	// NamesReusable sells again under a used name.
	NamesReusable NameRule = iota
	// NamesUnique refuses a name that was used in the account and region.
	NamesUnique
)

// Options configure New. The zero value is a hostile cloud in memory. Several
// processes over one state file should use equal options.
type Options struct {
	// Path names the state file; it is created when absent, and Path+".lock"
	// beside it. Empty keeps the state in memory.
	Path string
	// Now is the wall clock; nil means time.Now. It must not go backwards for
	// long: the simulated clock stands still meanwhile.
	Now func() time.Time
	// Seed feeds every random choice. An existing state file keeps the seed it
	// was created with; a non-zero Seed that differs from it is refused by New.
	Seed uint64
	// Visibility bounds how long a new reservation is hidden from Describe, in
	// simulated time. Each reservation draws its delay from [0, Visibility].
	// 0 means 2s, negative means none.
	Visibility time.Duration
	// PageSize bounds the records of one page, whatever MaxRecords says; each
	// page holds 1 to PageSize records. 0 means 20.
	PageSize int
	// FullPages gives every page but the last as many records as it may hold.
	FullPages bool
	// SignatureAge is how old (or how far in the future) a signature may be.
	// 0 means 5m.
	SignatureAge time.Duration
	// Latency holds every answer to the cloud protocols, in wall time.
	Latency time.Duration
	// IDCase says whether reservation ids are folded.
	IDCase IDCase
	// OpenSearchNames says whether names of OpenSearch reservations are unique.
	OpenSearchNames NameRule
	// Quota is how much of each service an account may hold per region, as the
	// service counts: most sum the counts of all that are pending or active. 0
	// means the default of each service.
	Quota int
	// QueueLead is how far ahead a queued order must at least be, which EC2 does
	// not publish. 0 accepts any later second.
	QueueLead time.Duration
	// FireAtAnyPrice lets a queued order go through at the price of its second if
	// that changed; otherwise the order fails then.
	FireAtAnyPrice bool
	// TokenLife is how long a service remembers the client token of a purchase, which
	// AWS does not publish. 0 means 24h.
	TokenLife time.Duration
	// TokenMismatch says what a client token does that comes with another request.
	TokenMismatch TokenMismatch
	// TrailDelay is how long it takes CloudTrail to show a call, give or take half
	// of it. 0 means 5m, negative means none.
	TrailDelay time.Duration
	// UserPolicy and RolePolicy are IAM policy documents by account id: what its
	// static key and what its roles may do. An account that is not in them is not
	// limited.
	UserPolicy, RolePolicy map[string]string
	// GooglePermissions are the permissions of a project's caller, in the project and on
	// its billing account. A project that is not in them is not limited.
	GooglePermissions map[string][]string
	// ExternalID is what AssumeRole must name, by account id.
	ExternalID map[string]string
	// Actions are what the caller of a subscription may do, by its id, as in a role
	// definition of Azure: an asterisk stands for anything. A subscription that is not in
	// them is not limited.
	Actions map[string][]string
	// DataActions are likewise what it may do with the data in storage accounts.
	DataActions map[string][]string
	// QuoteLife is how long an order that Azure's calculatePrice has named may be bought,
	// which is not published. 0 means 15m.
	QuoteLife time.Duration
	// SecondPut says what a second request for an Azure reservation order does.
	SecondPut SecondPut
	// SecondAlias says what a second request for a savings plan or a reservation under one
	// alias does.
	SecondAlias SecondAlias
	// OperationTime bounds how long an operation of Google runs, in simulated time; it
	// may outlast every deadline. 0 means 30s.
	OperationTime time.Duration
	// NameTaken says where Google refuses a commitment's name that is taken.
	NameTaken NameTaken
	// Unthrottled lifts the rates of the services, for a clock that stands still.
	Unthrottled bool
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Visibility == 0 {
		o.Visibility = 2 * time.Second
	}
	if o.TrailDelay == 0 {
		o.TrailDelay = 5 * time.Minute
	}
	if o.TokenLife == 0 {
		o.TokenLife = 24 * time.Hour
	}
	if o.QuoteLife == 0 {
		o.QuoteLife = 15 * time.Minute
	}
	if o.OperationTime == 0 {
		o.OperationTime = 30 * time.Second
	}
	if o.PageSize <= 0 {
		o.PageSize = 20
	}
	if o.SignatureAge <= 0 {
		o.SignatureAge = 5 * time.Minute
	}
	return o
}

// Sim is a simulated set of clouds and an http.Handler that speaks for them. It
// is safe for concurrent use.
type Sim struct {
	opts     Options
	policies policies
	catalog  *catalog
	closed   chan struct{}
	stop     sync.Once

	mu      sync.Mutex // guards all below, and is held while the file lock is
	journal *journal   // nil in memory
	world   *world
	pending bytes.Buffer              // folded, not yet written
	waiters map[string]chan heldReply // by request id: held calls whose client is connected to this process
}

// New returns a simulator over the state file of opts, or in memory. It fails
// if the file is not a state file, is of a newer version, is damaged before its
// last line, or was made with another seed.
func New(opts Options) (*Sim, error) {
	opts = opts.withDefaults()
	rights, err := parsePolicies(opts)
	if err != nil {
		return nil, err
	}
	s := &Sim{
		opts: opts, policies: rights,
		catalog: builtin(),
		closed:  make(chan struct{}),
		waiters: map[string]chan heldReply{},
	}
	if opts.Path == "" {
		s.world = newWorld(opts.Seed, opts.IDCase)
		return s, nil
	}
	s.journal = newJournal(opts.Path, opts.Seed)
	if err := s.read(func(*world, time.Time) {}); err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends every held and slow reply and releases the state file. Requests
// that arrive later are answered with status 503.
func (s *Sim) Close() error {
	s.stop.Do(func() { close(s.closed) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		return nil
	}
	return s.journal.close()
}

// update runs one transaction: it takes the lock, reads what other processes
// wrote, settles held requests that are due, and lets fn decide. fn must change
// the world only through the commit function it is given. Nothing fn committed
// is visible to other processes until update returns nil.
func (s *Sim) update(fn func(w *world, now time.Time, commit func(change) error) error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal != nil {
		unlock, err := s.journal.lock()
		if err != nil {
			return err
		}
		defer unlock()
		if s.world, err = s.journal.replay(s.world, s.opts.IDCase); err != nil {
			return err
		}
	}
	defer func() {
		if werr := s.write(); werr != nil {
			err = errors.Join(err, werr)
			return
		}
		s.wake()
	}()
	now := s.clock()
	if err := s.settle(now); err != nil {
		return err
	}
	return fn(s.world, now, s.commit)
}

// read is update for callers that change nothing.
func (s *Sim) read(fn func(w *world, now time.Time)) error {
	return s.update(func(w *world, now time.Time, _ func(change) error) error {
		fn(w, now)
		return nil
	})
}

// clock is the simulated time, UTC. It never goes backwards, whatever the wall
// clock or another process's wall clock does.
func (s *Sim) clock() time.Time {
	now := s.opts.Now().Round(0).UTC().Add(s.world.offset)
	if now.Before(s.world.last) {
		return s.world.last
	}
	return now
}

// commit folds one change into the world and queues its line for the journal.
func (s *Sim) commit(c change) error {
	if s.journal != nil {
		line, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("encoding a change: %w", err)
		}
		s.pending.Write(line)
		s.pending.WriteByte('\n')
	}
	s.world.fold(c)
	return nil
}

// write appends the queued lines in one write. On an error the world in memory
// is ahead of the file, so it is dropped and read again by the next caller.
func (s *Sim) write() error {
	if s.journal == nil || s.pending.Len() == 0 {
		return nil
	}
	defer s.pending.Reset()
	if err := s.journal.append(s.pending.Bytes()); err != nil {
		s.world = nil
		return err
	}
	return nil
}

// Now returns the simulated time, UTC.
func (s *Sim) Now() time.Time { return must(s.clockView()).Now }

// Advance moves the simulated clock forward by d, which must not be negative,
// and applies every held request that becomes due on the way, each at its own
// time.
func (s *Sim) Advance(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("advance %s: the simulated clock never goes backwards", d)
	}
	return s.update(func(_ *world, now time.Time, commit func(change) error) error {
		if err := commit(change{At: now, Advance: d}); err != nil {
			return err
		}
		return s.settle(s.clock())
	})
}

// Reset empties the world: commitments, sessions, faults, prices, held requests
// and the request log. Accounts, seed and clock stay.
func (s *Sim) Reset() error {
	return s.update(func(_ *world, now time.Time, commit func(change) error) error {
		return commit(change{At: now, Reset: true})
	})
}

// Ledger returns every commitment of every account, hidden ones included, in
// the order they came to be: the ground truth.
func (s *Sim) Ledger() []Entry { return must(s.ledger()) }

func (s *Sim) ledger() (entries []Entry, err error) {
	err = s.read(func(w *world, now time.Time) {
		entries = make([]Entry, 0, len(w.reservations))
		for _, r := range w.reservations {
			entries = append(entries, r.entry(now))
		}
		for _, o := range w.gcp.owned {
			entries = append(entries, o.entry(now))
		}
	})
	return entries, err
}

// Requests returns every request to the cloud protocols, refused ones included,
// oldest first. Requests to the control surface are not logged.
func (s *Sim) Requests() []Request { return must(s.requests()) }

func (s *Sim) requests() (list []Request, err error) {
	err = s.read(func(w *world, _ time.Time) { list = slices.Clone(w.requests) })
	return list, err
}

// must panics on an error of the state file in a method that has no error: a
// simulator that cannot read its ledger has no answer to give.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("sim: %v", err))
	}
	return v
}

// Existing is a reservation that is already there, bought earlier or by somebody
// else. Its service, what it is of and its prices are those of the offering in
// the catalog.
type Existing struct {
	Account    string    `json:"account"`
	Region     string    `json:"region"`
	ID         string    `json:"id"`   // "" for a service that names what it sells
	Name       string    `json:"name"` // beside the id, of OpenSearch and Azure; "" makes one up for OpenSearch
	OfferingID string    `json:"offering_id"`
	Count      int       `json:"count"`
	BoughtAt   time.Time `json:"bought_at"` // zero: an hour ago
	Tags       []Tag     `json:"tags,omitempty"`
	// Of Google only. The offering of a commitment is its type, and its resources are
	// VCPU and MEMORY (MB); an order's is its offer, counted in hundred-thousandths of a dollar per hour, and its
	// label the display name.
	Resources map[string]string `json:"resources,omitempty"`
	Months    int               `json:"months,omitempty"`
	Label     string            `json:"label,omitempty"`
}

// Add puts reservations into the world in one transaction: all or, on an error,
// none. They are visible at once, and active or retired by their age. The quota
// does not stop them but counts them.
func (s *Sim) Add(list ...Existing) error {
	return s.update(func(w *world, now time.Time, commit func(change) error) error {
		c := change{At: now}
		taken := map[resourceKey]bool{}
		for i, e := range list {
			if gcpBillingOf(e.Account) != "" {
				o, err := s.existingGoogle(w, now, i, e)
				if err != nil {
					return fmt.Errorf("commitment %d (%q): %w", i+1, e.ID, err)
				}
				if c.GCP == nil {
					c.GCP = &gcpChange{}
				}
				c.GCP.Owned = append(c.GCP.Owned, o)
				continue
			}
			r, err := s.existing(w, now, i, e)
			if err != nil {
				return fmt.Errorf("reservation %d (%q): %w", i+1, e.ID, err)
			}
			if key := w.key(r.scope(), r.ID); taken[key] || w.byKey[key] != nil {
				return fmt.Errorf("reservation %d (%q): the id is already taken in this account and region", i+1, e.ID)
			} else {
				taken[key] = true
			}
			c.Bought = append(c.Bought, r)
		}
		return commit(c)
	})
}

// SetPrice makes an offering cost something else from now on, in every account:
// a price that drifted since it was quoted. Both amounts are USD per instance,
// hourly being the recurring charge.
func (s *Sim) SetPrice(offeringID string, fixed, hourly money.Amount) error {
	switch o := s.catalog.byID[offeringID]; {
	case o == nil:
		return fmt.Errorf("no offering %q in the catalog", offeringID)
	case o.service == savingsPlans || o.service == benefitsService:
		return fmt.Errorf("offering %q has no price: a savings plan costs what is committed to", offeringID)
	}
	for _, a := range []money.Amount{fixed, hourly} {
		if a.Currency() != currency || a.Sign() < 0 {
			return fmt.Errorf("%s is not a price of at least 0 in %s", a, currency)
		}
	}
	return s.update(func(_ *world, now time.Time, commit func(change) error) error {
		return commit(change{At: now, Price: &price{OfferingID: offeringID, Fixed: fixed, Hourly: hourly}})
	})
}

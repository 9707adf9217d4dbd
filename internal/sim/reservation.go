package sim

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"bursar/internal/money"
)

// seller is what is special about the reservations of a service.
type seller struct {
	// onDemand holds the on-demand price per hour in us-east-1, USD, near the
	// public list of 2026, as CSV: a line per class, a column per product. An
	// empty cell is not sold.
	onDemand string
	variants func(region, class, product string) []variant
	// stock puts what is for sale into the catalog, where that is not at a discount
	// on a price list; nil uses onDemand and variants.
	stock func(*catalog)
	// ids is the form of the ids that a buyer may choose; nil if the service
	// names what it sells.
	ids    *regexp.Regexp
	idsMax int
	named  bool // the buyer gives a name beside the id
	// labels: a buyer may name a reservation as it likes.
	labels bool
	// newID names a reservation whose buyer did not.
	newID func(*call) string
	// arn is the resource of a reservation; nil if the service has no such type.
	arn func(region, account, id string) string
	// quota is the default of Options.Quota.
	quota int
	// used counts what uses the quota that an order starting then would use; nil
	// counts what is pending or active then.
	used func(w *world, in scope, of terms, then time.Time) int
	// adorn gives a new reservation what its service adds; may be nil.
	adorn func(w *world, r *reservation)
}

// reservation is one purchase of an offering.
type reservation struct {
	terms
	Service    string       `json:"service"`
	Account    string       `json:"account"`
	Region     string       `json:"region"`
	ID         string       `json:"id"`
	SentID     string       `json:"sent_id,omitempty"`
	Name       string       `json:"name,omitempty"` // beside the id
	OfferingID string       `json:"offering_id"`
	Count      int          `json:"count"`
	Fixed      money.Amount `json:"fixed"`
	Hourly     money.Amount `json:"hourly"`
	Tags       []Tag        `json:"tags,omitempty"`
	BoughtAt   time.Time    `json:"bought_at"`
	StartsAt   time.Time    `json:"starts_at"` // after BoughtAt if it was queued
	VisibleAt  time.Time    `json:"visible_at"`
	SettlesAt  time.Time    `json:"settles_at"`
	DeletedAt  time.Time    `json:"deleted_at,omitzero"` // while it was queued
	Fails      bool         `json:"fails,omitempty"`     // the payment
	Return     *returned    `json:"return,omitempty"`    // asked for last
	Token      string       `json:"token,omitempty"`     // by which its buyer may repeat the request
	Asked      string       `json:"asked,omitempty"`     // what the request with the token was for
	Existing   bool         `json:"existing,omitempty"`
	AccessKey  string       `json:"access_key,omitempty"`
	Session    string       `json:"session,omitempty"`
	RequestID  string       `json:"request_id,omitempty"`
	seq        int          // position in the world
}

func (r *reservation) scope() scope { return scope{r.Service, r.Account, r.Region} }

func (r *reservation) arn() string {
	if arn := services[r.Service].sells.arn; arn != nil {
		return arn(r.Region, r.Account, r.ID)
	}
	return ""
}

func (r *reservation) endsAt() time.Time {
	return r.StartsAt.Add(time.Duration(r.Seconds) * time.Second)
}

// States of a reservation, in the words most services share (user guides of RDS,
// ElastiCache and EC2).
const (
	stateQueued  = "queued"
	stateDeleted = "queued-deleted"
	statePending = "payment-pending"
	stateActive  = "active"
	stateFailed  = "payment-failed"
	stateRetired = "retired"

	// Of Savings Plans.
	stateReturning = "pending-return"
	stateReturned  = "returned"
)

func (r *reservation) state(at time.Time) string {
	switch {
	case !r.DeletedAt.IsZero() && !at.Before(r.DeletedAt):
		return stateDeleted
	case at.Before(r.StartsAt) && r.StartsAt.After(r.BoughtAt):
		return stateQueued
	case at.Before(r.SettlesAt):
		return statePending
	case r.Fails:
		return stateFailed
	case r.Return.pending(at):
		return stateReturning
	case r.Return.done(at):
		return stateReturned
	case at.Before(r.endsAt()):
		return stateActive
	}
	return stateRetired
}

func (r *reservation) entry(now time.Time) Entry {
	attributes := map[string]string{} // {} and not null
	maps.Copy(attributes, r.Attributes)
	return Entry{
		Provider: services[r.Service].cloud(),
		Service:  r.Service, Account: r.Account, Region: r.Region, ID: r.ID, SentID: r.SentID, Name: r.Name, Token: r.Token, ARN: r.arn(),
		OfferingID: r.OfferingID, Class: r.Class, Attributes: attributes, Payment: r.Payment,
		Seconds: r.Seconds, Count: r.Count, Fixed: r.Fixed, Hourly: r.Hourly, Tags: append([]Tag{}, r.Tags...), State: r.state(now),
		BoughtAt: r.BoughtAt, StartsAt: r.StartsAt, VisibleAt: r.VisibleAt, SettlesAt: r.SettlesAt, EndsAt: r.endsAt(),
		Existing: r.Existing, AccessKey: r.AccessKey, Session: r.Session, RequestID: r.RequestID,
	}
}

// purchase makes the reservation that the call bought: count of an offering under
// an id, from startsAt on, which is now unless the order is queued.
func (c *call) purchase(o *offering, id string, count int, startsAt time.Time) reservation {
	r := newReservation(c.world, o, c.who.account, id, count, c.now, startsAt, c.opts.Visibility)
	_, r.Fails = c.hits[PaymentFailed]
	r.AccessKey, r.RequestID = c.who.accessKey, c.requestID
	if c.who.session != nil {
		r.Session = c.who.session.Name
	}
	return r
}

// newReservation draws what the service decides: when it shows and when its
// payment settles.
func newReservation(w *world, o *offering, account, id string, count int, boughtAt, startsAt time.Time, visibility time.Duration) reservation {
	s := services[o.service].sells
	if w.folds(o.service) {
		id = strings.ToLower(id)
	}
	r := reservation{
		terms: o.terms, Service: o.service, Account: account, Region: o.region, ID: id, OfferingID: o.id,
		Count: count, BoughtAt: boughtAt, StartsAt: startsAt,
	}
	r.Attributes = maps.Clone(o.Attributes)
	r.Fixed, r.Hourly = w.quote(o)
	key := []string{o.service, o.region, account, id}
	r.VisibleAt = boughtAt.Add(drawDuration(0, visibility, w.seed, append(key, "visible")...))
	r.SettlesAt = startsAt.Add(drawDuration(time.Minute, 10*time.Minute, w.seed, append(key, "settle")...))
	if s.adorn != nil {
		s.adorn(w, &r)
	}
	return r
}

// used counts what uses the quota at an instant.
func (w *world) used(in scope, of terms, then time.Time) int {
	if used := services[in.service].sells.used; used != nil {
		return used(w, in, of, then)
	}
	n := 0
	for _, r := range w.byScope[in] {
		if s := r.state(then); s == statePending || s == stateActive {
			n += r.Count
		}
	}
	return n
}

// quotaOf is how much of the service an account may hold per region.
func (o *Options) quotaOf(service string) int {
	if o.Quota > 0 {
		return o.Quota
	}
	return services[service].sells.quota
}

// existing turns what Add was given into a reservation that settled at once.
func (s *Sim) existing(w *world, now time.Time, n int, e Existing) (reservation, error) {
	o := s.catalog.byID[e.OfferingID]
	_, known := accountByID(e.Account)
	if o == nil || o.region != e.Region {
		return reservation{}, fail("InvalidParameterValue", "no offering %q in region %q", e.OfferingID, e.Region)
	}
	sells := services[o.service].sells
	if e.ID == "" && sells.ids == nil {
		e.ID = drawUUID(w.seed, "existing", o.service, e.Account, e.Region, strconv.Itoa(len(w.reservations)+n))
	} else if sells.ids != nil && !sells.valid(e.ID) {
		return reservation{}, fail("InvalidParameterValue", "not a valid id")
	}
	if sells.named && e.Name == "" {
		e.Name = "reservation-" + e.ID[:8]
	}
	switch {
	case sells.named && !validName(e.Name) || !sells.named && !sells.labels && e.Name != "":
		return reservation{}, fail("InvalidParameterValue", "name %q: want 5 to 64 characters, and none where the service has only ids", e.Name)
	case sells.named && s.opts.OpenSearchNames == NamesUnique && w.takenName(scope{o.service, e.Account, e.Region}, e.Name):
		return reservation{}, fail("InvalidParameterValue", "the name %q is taken", e.Name)
	case !known:
		return reservation{}, fail("InvalidParameterValue", "no account %q", e.Account)
	case e.Count < 1:
		return reservation{}, fail("InvalidParameterValue", "count %d is below 1", e.Count)
	case e.BoughtAt.After(now):
		return reservation{}, fail("InvalidParameterValue", "bought at %s, which is in the future", e.BoughtAt)
	case e.BoughtAt.IsZero():
		e.BoughtAt = now.Add(-time.Hour)
	}
	r := newReservation(w, o, e.Account, e.ID, e.Count, e.BoughtAt.UTC(), e.BoughtAt.UTC(), 0)
	r.SettlesAt = r.BoughtAt
	r.Existing = true
	r.Tags, r.Name = e.Tags, e.Name
	return r, nil
}

// remembered is what was bought with a client token that the cloud still remembers;
// nil if there is nothing.
func (c *call) remembered(token string) *reservation {
	r := c.world.tokens[tokenKey{c.scope(), token}]
	if r == nil || !c.now.Before(r.BoughtAt.Add(c.opts.TokenLife)) {
		return nil
	}
	return r
}

// validName reports whether a buyer may give a reservation this name beside its id.
func validName(name string) bool {
	n := utf8.RuneCountInString(name)
	return n >= 5 && n <= 64
}

// takenName reports whether something was ever bought under a name. Whether its
// case counts is as with ids.
func (w *world) takenName(in scope, name string) bool {
	return slices.ContainsFunc(w.byScope[in], func(r *reservation) bool {
		return r.Name == name || w.ids == FoldCase && strings.EqualFold(r.Name, name)
	})
}

// customerID is the form that RDS documents for its identifiers (API reference,
// DBInstanceIdentifier); the reserved-instance and reserved-node services state
// none for theirs.
var customerID = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$`)

const customerIDMax = 60

func (s *seller) valid(id string) bool { return len(id) <= s.idsMax && s.ids.MatchString(id) }

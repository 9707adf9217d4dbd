package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/money"
)

const secondsAYear = 31_536_000 // a year as AWS sells it: 365 days

// reserved sells the reserved capacity of one service. All of it is the same for
// every service but what product says and what api calls.
type reserved struct {
	*core
	product
	api
}

// product is what is always true of one service's reserved capacity.
type product struct {
	service    cloud.Service
	class      cloud.Class
	title      string // "RDS"
	noun       string // "reserved DB instance"
	attributes []driver.Attribute
	guarantee  string
	grant      grant
	form       form
	// arn is what the ARN of a reservation has before the id, behind partition,
	// region and account: "rds" and "ri:"; without the second, the form of what
	// follows the account is not known. Empty where reservations have no ARN.
	arn [2]string
	// labeled: the identity is a name beside the id, which AWS makes. A listing
	// shows it and cannot be filtered by it.
	labeled bool
	// most is how much one purchase may be of; 0 means what fits 32 bits.
	most int64
	// allows says what is wrong with a quantity besides; nil allows all.
	allows func(o cloud.Offering, quantity int64) error
	// sources are the event sources under which the audit log may have a purchase,
	// and bought is the member of its answer that holds the id.
	sources []string
	bought  string
	// tagged: a purchase sets its identity as a tag, which the listing shows.
	tagged bool
	// unoffered: a reservation does not say of which offering it is.
	unoffered bool
	// monthly: the quota counts what started in the calendar month, UTC, by scope;
	// elsewhere it counts what is pending or active.
	monthly bool
	// unsold is the code by which a purchase says that there is no such offering,
	// where that is not noOffering.
	unsold string
	// measured gives a request the unit and the least quantity of the service; nil
	// where one is a unit.
	measured func(*driver.Request)
	// states are the states of a reservation in the service's words.
	states map[string]cloud.CommitmentState
	// Operations as they stand on the wire, and the codes by which the two
	// listings say that an id does not exist.
	opOfferings, opReserved, opBuy string
	noOffering, noReservation      string
}

// api is the wire API of one service. Every method makes a client of the SDK,
// calls one operation once, and translates the answer.
type api interface {
	// offerings returns one page of the offerings that match q, or of more: the
	// filters of AWS are coarse.
	offerings(ctx context.Context, creds aws.Credentials, q driver.Query, marker *string) (page, error)
	// reservations returns one page of the reservations under an id, or of all for
	// an empty id.
	reservations(ctx context.Context, creds aws.Credentials, id string, marker *string) (page, error)
	// buy sends the one request that spends, through the given client and with the
	// retries of the SDK off. Where the answer names an id and nothing else, the
	// item has that and the time of the answer.
	buy(ctx context.Context, client *http.Client, creds aws.Credentials, r driver.Request) (*item, error)
}

// page is one answer of a listing.
type page struct {
	items  []item
	listed bool // the answer holds the list, which may be empty
	next   *string
	meta   middleware.Metadata
}

// item is an offering or a reservation as an answer shows it. Zero is what the
// answer does not say.
type item struct {
	id           string
	name         string // ours, beside the id
	foreign      bool   // of the same wire API, but not of this service
	attributes   cloud.Attributes
	seconds      int64
	payment      string
	fixed, usage *float64
	recurring    []charge
	currency     string
	// Where a commitment is to an amount of money: its unit and the exact prices of
	// one, in the place of the floats above.
	unit, upfront, hourly money.Amount

	// Of a reservation only.
	offering, arn, lease, state string
	count                       int64
	start                       time.Time
}

// payments are the payments AWS sells, in its words.
var payments = map[cloud.Payment]string{
	cloud.AllUpfront:     "All Upfront",
	cloud.PartialUpfront: "Partial Upfront",
	cloud.NoUpfront:      "No Upfront",
}

// nameMin is the least number of characters of a name beside the id.
const nameMin = 5

var reservationForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// CheckReservationID reports whether an identity can be the id of a reservation:
// at most 60 lower-case letters, digits and single hyphens, a letter first. RDS
// and ElastiCache fold the case of ids, so only lower case is sent to anybody.
func CheckReservationID(identity string) error {
	if len(identity) > 60 || !reservationForm.MatchString(identity) {
		return fmt.Errorf("%.60q is not a reservation id: want at most 60 lower-case letters, digits and single hyphens, a letter first", identity)
	}
	return nil
}

// Info returns the facts of the service.
func (d *reserved) Info() driver.Info {
	info := driver.Info{
		Lane: d.lane(), Class: d.class, Life: d.life(), Settle: max(settleTime, d.Settle), Answer: d.Answer, Lists: !d.byID(),
		Attributes: slices.Clone(d.attributes), Guarantee: d.guarantee,
	}
	if d.class == cloud.ClassQueued {
		info.Lead = d.QueueLead
	}
	if d.class == cloud.ClassToken || d.class == cloud.ClassUnlisted {
		info.Window = d.TokenWindow
	}
	return info
}

func (d *reserved) lane() cloud.Lane {
	return cloud.Lane{Provider: cloud.AWS, Account: d.Account, Region: d.Region, Service: d.service}
}

// byID reports whether the service takes an id that we choose.
func (d *reserved) byID() bool { return d.class == cloud.ClassName && !d.labeled }

// carries reports whether our identity is in the request, as an id, a name, a tag or
// what a token is made of.
func (d *reserved) carries() bool {
	return d.class == cloud.ClassName || d.class == cloud.ClassUnlisted || d.labeled || d.tagged
}

// Offerings returns every offering that matches q. Offerings on terms or
// payments that are no longer sold to new buyers are left out.
func (d *reserved) Offerings(ctx context.Context, q driver.Query) ([]cloud.Offering, error) {
	if err := d.checkQuery(q); err != nil {
		return nil, err
	}
	creds, err := d.readCredentials(ctx, d.grant)
	if err != nil {
		return nil, err
	}
	all, _, err := d.offerings(ctx, creds, q)
	return all, err
}

// checkQuery refuses what the service does not know: a filter that is not
// understood would match too much.
func (d *reserved) checkQuery(q driver.Query) error {
	if q.Payment != "" && payments[q.Payment] == "" {
		return fmt.Errorf("%s does not sell %s", d.title, q.Payment)
	}
	for key, want := range q.Attributes {
		i := slices.IndexFunc(d.attributes, func(a driver.Attribute) bool { return a.Key == key })
		if i < 0 {
			keys := make([]string, len(d.attributes))
			for i, a := range d.attributes {
				keys[i] = a.Key
			}
			return fmt.Errorf("%s has no attribute %q: use %s", d.title, key, strings.Join(keys, ", "))
		}
		if legal := d.attributes[i].Values; legal != nil && !slices.Contains(legal, want) {
			return fmt.Errorf("%s %q: want %s", key, want, strings.Join(legal, " or "))
		}
	}
	return nil
}

// offerings returns the offerings of all pages that match q, and the cloud's time
// of the last answer. An offering that does not exist is an empty list.
func (d *reserved) offerings(ctx context.Context, creds aws.Credentials, q driver.Query) ([]cloud.Offering, time.Time, error) {
	var all []cloud.Offering
	var at time.Time
	err := pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		p, err := d.api.offerings(ctx, creds, q, marker)
		if saysMissing(err, d.noOffering) {
			at = errorTime(err)
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if !p.listed {
			return nil, errNoList
		}
		at = answerTimeOf(p.meta)
		for _, i := range p.items {
			offering, sold, err := d.offering(i)
			if err != nil {
				return nil, err
			}
			if sold && matches(q, offering) && !slices.ContainsFunc(all, func(o cloud.Offering) bool { return o.ID == offering.ID }) {
				all = append(all, offering)
			}
		}
		return p.next, nil
	})
	if err != nil {
		return nil, at, readError(d.opOfferings, err, creds)
	}
	return all, at, nil
}

// matches compares an offering with what was asked for. RDS matches a product
// description in part ("mysql" finds "aurora-mysql"), and Redshift knows no
// filters at all.
func matches(q driver.Query, o cloud.Offering) bool {
	for key, want := range q.Attributes {
		if o.Attributes[key] != want {
			return false
		}
	}
	return (q.ID == "" || o.ID == q.ID) && (q.Term == 0 || o.Term == q.Term) && (q.Payment == "" || o.Payment == q.Payment)
}

// Quote opens the session of the attempt and returns today's price of the
// offering, which must still be the same goods.
func (d *reserved) Quote(ctx context.Context, r driver.Request) (cloud.Quote, error) {
	fail := func(err error) (cloud.Quote, error) {
		return cloud.Quote{}, &driver.Error{Operation: d.opOfferings, Err: err}
	}
	if err := d.accepts(r, d.service); err != nil {
		return fail(err)
	}
	if r.Offering.ID == "" {
		return fail(errNoOfferingID)
	}
	s, err := d.open(ctx, r, d.grant)
	if err != nil {
		return cloud.Quote{}, err
	}
	quote := cloud.Quote{At: d.now(), Credential: s.creds.AccessKeyID, CloudTime: s.opened}
	known := false
	if d.role != "" { // without one, only this read shows that the credential works and what time it is
		quote.Offering, known = d.shelf.shown(r.Offering.ID, quote.At)
	}
	if !known {
		all, at, err := d.offerings(ctx, s.creds, driver.Query{ID: r.Offering.ID})
		if err != nil {
			return cloud.Quote{}, err
		}
		if len(all) == 0 {
			return fail(driver.ErrNotSold)
		}
		d.shelf.put(all[0], quote.At)
		quote.Offering, quote.CloudTime = all[0], at
	}
	if o := quote.Offering; !o.SameGoods(r.Offering) {
		return fail(fmt.Errorf("the offering is now %s, %s, %s", o.Attributes, o.Term, o.Payment))
	}
	d.sessions.put(s)
	return quote, nil
}

// priceAge is how long a price that was asked for serves other attempts: not longer
// than one attempt may take from its quote to its purchase.
const priceAge = 20 * time.Second

// shelf remembers what offerings were when they were last asked for.
type shelf struct {
	mu  sync.Mutex
	all map[string]priceTag
}

type priceTag struct {
	offering cloud.Offering
	at       time.Time
}

func (s *shelf) put(o cloud.Offering, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]priceTag{}
	}
	maps.DeleteFunc(s.all, func(_ string, t priceTag) bool { return at.Sub(t.at) >= priceAge })
	s.all[o.ID] = priceTag{o, at}
}

func (s *shelf) shown(id string, now time.Time) (cloud.Offering, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.all[id]
	age := now.Sub(t.at)
	return t.offering, known && age >= 0 && age < priceAge
}

var errNoOfferingID = errors.New("the offering has no id")

// Purchase buys r.Quantity units of r.Offering.
func (d *reserved) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	if err := d.checkOrder(r); err != nil {
		return unsent(cloud.Evidence{Kind: cloud.EvidenceReply, Operation: d.opBuy, Started: d.now()}, err)
	}
	return d.spend(ctx, r, d.order(r))
}

func (d *reserved) order(r driver.Request) order {
	return order{
		operation: d.opBuy,
		form:      d.form,
		send: func(ctx context.Context, client *http.Client, creds aws.Credentials) (receipt, error) {
			got, err := d.api.buy(ctx, client, creds, r)
			if err != nil {
				return receipt{}, err
			}
			return d.receipt(got, r)
		},
	}
}

func (d *reserved) checkOrder(r driver.Request) error {
	if err := d.accepts(r, d.service); err != nil {
		return err
	}
	if d.carries() {
		if err := CheckReservationID(r.Identity); err != nil {
			return err
		}
	}
	if d.labeled && len(r.Identity) < nameMin {
		return fmt.Errorf("%q is not the name of a reservation: want at least %d characters", r.Identity, nameMin)
	}
	most := d.most
	if most == 0 {
		most = math.MaxInt32
	}
	if r.Quantity < 1 || r.Quantity > most {
		return fmt.Errorf("quantity %d: want 1 to %d", r.Quantity, most)
	}
	if d.allows != nil {
		if err := d.allows(r.Offering, r.Quantity); err != nil {
			return err
		}
	}
	if r.Offering.ID == "" {
		return errNoOfferingID
	}
	queued := d.class == cloud.ClassQueued
	switch {
	case queued != !r.FireAt.IsZero():
		return fmt.Errorf("fire time %s: %s wants one only where purchases are queued", r.FireAt, d.title)
	case queued && !r.FireAt.Equal(r.FireAt.Truncate(time.Second)):
		return errors.New("the fire time is not a whole second")
	case queued && r.FireAt.Before(d.now().Add(d.QueueLead)):
		return fmt.Errorf("the order would fire at %s, and the account was measured to take orders only %s ahead", r.FireAt.UTC().Format(time.RFC3339), d.QueueLead)
	case queued && !r.FireAt.After(r.Deadline):
		return errors.New("the order would fire while the request may still arrive")
	}
	return nil
}

// idForm is the shape of an id that AWS makes.
var idForm = regexp.MustCompile(`^[0-9A-Za-z-]{8,64}$`)

// receipt reads the answer to a purchase. Of an answer that names only an id, the
// id is a handle; where a token stands for all that was asked for, it is that of the
// commitment. An error beside a commitment says how it does not fit r.
func (d *reserved) receipt(got *item, r driver.Request) (receipt, error) {
	if got == nil {
		return receipt{}, errors.New("the answer names no reservation")
	}
	if got.attributes == nil && got.state == "" && got.id != "" {
		if !idForm.MatchString(got.id) {
			return receipt{}, errors.New("the answer names no id of a known form")
		}
		if d.labeled && !strings.EqualFold(got.name, r.Identity) {
			return receipt{}, fmt.Errorf("the answer is about a reservation with the name %q", got.name)
		}
		if d.class == cloud.ClassToken {
			return receipt{commitment: d.asked(got, r), detail: "the answer names " + got.id + " and nothing else"}, nil
		}
		return receipt{handle: got.id}, nil
	}
	bought, err := d.commitment(*got)
	if err != nil {
		return receipt{}, err
	}
	return receipt{commitment: &bought}, d.fits(bought, r)
}

// asked is the commitment of which an answer names only the id: what r asked for,
// from the time of the answer on.
func (d *reserved) asked(got *item, r driver.Request) *cloud.Commitment {
	o, start := r.Offering, got.start
	if start.IsZero() {
		start = d.now()
	}
	return &cloud.Commitment{
		Lane: d.lane(), ID: got.id, Name: r.Identity, OfferingID: o.ID, Attributes: o.Attributes, Term: o.Term, Payment: o.Payment,
		Quantity: r.Quantity, Upfront: o.Upfront, Hourly: o.Hourly, Unit: o.Unit, State: cloud.Pending, Start: start,
	}
}

// fits checks that a commitment is what r asked for. The price is left to the
// engine, which knows the tolerance.
func (d *reserved) fits(c cloud.Commitment, r driver.Request) error {
	switch {
	case d.byID() && !strings.EqualFold(c.ID, r.Identity):
		return fmt.Errorf("the answer is about reservation %s", c.ID)
	case c.OfferingID != r.Offering.ID:
		return errors.New("the answer is about another offering")
	case !maps.Equal(c.Attributes, r.Offering.Attributes):
		return fmt.Errorf("the answer is about %s", c.Attributes)
	case c.Term != r.Offering.Term || c.Payment != r.Offering.Payment:
		return fmt.Errorf("the answer is about %s, %s", c.Term, c.Payment)
	case c.Quantity != r.Quantity:
		return fmt.Errorf("the answer is about %d units, not %d", c.Quantity, r.Quantity)
	case c.State != cloud.Pending && c.State != cloud.Active:
		return fmt.Errorf("the answer shows the state %s", c.State)
	}
	return nil
}

// Find returns what exists under r.Identities, or the whole inventory without
// them, and always where the service knows nothing by a name of ours. A service
// answers an id it does not know with a fault; an empty list is taken the same
// way. Where the identity is a name beside the id, the inventory is searched for it.
//
// The look began at Started by our clock and not after CloudTime by the cloud's:
// that of its first answer.
func (d *reserved) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	fail := func(err error) ([]cloud.Evidence, error) {
		return nil, &driver.Error{Operation: d.opReserved, Err: err}
	}
	if r.Account != d.Account {
		return fail(driver.ErrWrongAccount)
	}
	var names []string
	if d.class.Named() || d.tagged {
		for _, id := range r.Identities {
			if id == "" {
				return fail(errors.New("an empty identity"))
			}
			if !slices.ContainsFunc(names, func(s string) bool { return strings.EqualFold(s, id) }) {
				names = append(names, id)
			}
		}
	}
	absent := cloud.Evidence{Kind: cloud.EvidenceAbsence, Operation: d.opReserved, Started: d.now()}
	creds, err := d.readCredentials(ctx, d.grant)
	if err != nil {
		return nil, err
	}
	ids := []string{""}
	if d.byID() && len(names) > 0 {
		ids = names
	}
	var found []cloud.Evidence
	for _, id := range ids {
		list, err := d.list(ctx, creds, id, &absent)
		if err != nil {
			return nil, err
		}
		found = append(found, list...)
	}
	absent.Detail = fmt.Sprintf("the account has no %s in the region", d.noun)
	if len(names) > 0 {
		found = under(names, found)
		absent.Detail = fmt.Sprintf("no %s under %d identities", d.noun, len(names))
	}
	if len(found) > 0 {
		return found, nil
	}
	return []cloud.Evidence{absent}, nil
}

// under keeps what has one of the names as its id or beside it.
func under(names []string, found []cloud.Evidence) (kept []cloud.Evidence) {
	for _, ev := range found {
		if slices.ContainsFunc(names, func(s string) bool {
			return strings.EqualFold(s, ev.Commitment.ID) || strings.EqualFold(s, ev.Commitment.Name)
		}) {
			ev.Outcome = cloud.Exists
			kept = append(kept, ev)
		}
	}
	return kept
}

// list returns the reservations under one id, or all for an empty id. It writes
// what is known of the answers to absent: the time of the first, the rest of the
// last.
func (d *reserved) list(ctx context.Context, creds aws.Credentials, id string, absent *cloud.Evidence) ([]cloud.Evidence, error) {
	var found []cloud.Evidence
	seen := map[string]bool{}
	started := d.now()
	err := pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		p, err := d.api.reservations(ctx, creds, id, marker)
		if id != "" && saysMissing(err, d.noReservation) {
			absent.Status, absent.Code = errorStatus(err), d.noReservation
			first(&absent.CloudTime, errorTime(err))
			absent.RequestID = errorRequestID(err)
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if !p.listed {
			return nil, errNoList
		}
		absent.Status, absent.Code = http.StatusOK, ""
		first(&absent.CloudTime, answerTimeOf(p.meta))
		absent.RequestID = requestIDOf(p.meta)
		for _, i := range p.items {
			if i.foreign {
				continue
			}
			c, err := d.commitment(i)
			if err != nil {
				return nil, err
			}
			if id != "" && !strings.EqualFold(c.ID, id) {
				return nil, errors.New("asked for one reservation, AWS showed another")
			}
			// A page may repeat an item of the page before. Two reservations that
			// share an id but not their lease or start stay two.
			key := strings.Join([]string{strings.ToLower(c.ID), i.lease, c.Start.String()}, "\n")
			if seen[key] {
				continue
			}
			seen[key] = true
			ev := cloud.Evidence{
				Kind: cloud.EvidenceListing, Operation: d.opReserved, Started: started,
				CloudTime: absent.CloudTime, RequestID: absent.RequestID, Status: absent.Status,
				Detail: fmt.Sprintf("commitment %s is %s", c.ID, c.State), Commitment: &c,
			}
			found = append(found, ev)
		}
		return p.next, nil
	})
	if err != nil {
		return nil, readError(d.opReserved, err, creds)
	}
	return found, nil
}

// offering translates an offering; sold is false for terms and payments that are
// not sold any more (light, medium and heavy utilization).
func (d *reserved) offering(i item) (_ cloud.Offering, sold bool, err error) {
	term, payment := termOf(i.seconds), paymentOf(i.payment)
	if i.foreign || payments[payment] == "" || (term != cloud.OneYear && term != cloud.ThreeYears) {
		return cloud.Offering{}, false, nil
	}
	out := cloud.Offering{
		Provider: cloud.AWS, Service: d.service, Region: d.Region,
		ID: i.id, Attributes: i.attributes, Term: term, Payment: payment, Unit: i.unit,
	}
	if out.ID == "" {
		return out, false, errors.New("an offering without an id")
	}
	if out.Upfront, out.Hourly, err = d.priced(i); err != nil {
		return out, false, fmt.Errorf("offering %s: %w", out.ID, err)
	}
	if out.Upfront.IsZero() && out.Hourly.IsZero() { // the JSON of the SDK does not tell 0 from nothing
		return out, false, fmt.Errorf("offering %s: it has no price", out.ID)
	}
	return out, true, nil
}

// commitment translates a reservation. Where it has an ARN, that must be of our
// account and region.
func (d *reserved) commitment(i item) (cloud.Commitment, error) {
	c := cloud.Commitment{
		Lane: d.lane(), ID: i.id, Name: i.name, ARN: i.arn, OfferingID: i.offering, Attributes: i.attributes,
		Term: termOf(i.seconds), Payment: paymentOf(i.payment), Quantity: i.count, Unit: i.unit,
		State: cloud.Unknown, Start: i.start.UTC(),
	}
	if c.ID == "" {
		return c, errors.New("a reservation without an id")
	}
	if c.OfferingID == "" && !d.unoffered {
		return c, fmt.Errorf("reservation %s is of no offering", c.ID)
	}
	if a := d.arn; a[0] != "" {
		region := d.Region
		if region == Global {
			region = ""
		}
		want := fmt.Sprintf("arn:%s:%s:%s:%s:", d.partition, a[0], region, d.Account)
		has := c.ARN[:min(len(c.ARN), len(want))]
		if a[1] != "" {
			want, has = want+a[1]+c.ID, c.ARN
		}
		if !strings.EqualFold(has, want) {
			return c, fmt.Errorf("reservation %s has an ARN of another account, region or name", c.ID)
		}
	}
	if s, known := d.states[i.state]; known {
		c.State = s
	}
	var err error
	if c.Upfront, c.Hourly, err = d.priced(i); err != nil {
		return c, fmt.Errorf("reservation %s: %w", c.ID, err)
	}
	return c, nil
}

// priced checks that an item has all attributes, and returns its prices.
func (d *reserved) priced(i item) (upfront, hourly money.Amount, err error) {
	for _, a := range d.attributes {
		if i.attributes[a.Key] == "" && !a.Optional {
			return upfront, hourly, fmt.Errorf("its %s is missing", a.Key)
		}
	}
	if i.unit.Sign() > 0 {
		return i.upfront, i.hourly, nil
	}
	return prices(i.fixed, i.usage, i.recurring, i.currency)
}

// termOf turns a duration in seconds into months; 0 is a duration that is not
// a whole number of years.
func termOf(seconds int64) cloud.Term {
	if seconds > 0 && seconds%secondsAYear == 0 && seconds <= 100*secondsAYear {
		return cloud.Term(12 * seconds / secondsAYear)
	}
	return 0
}

// durationOf is a term in the seconds by which AWS counts it; nil for no term.
func durationOf(t cloud.Term) *string {
	if t == 0 {
		return nil
	}
	return aws.String(fmt.Sprint(int64(t) * secondsAYear / 12))
}

// paymentOf reads an offering type, "All Upfront" or "ALL_UPFRONT"; an old
// reservation keeps the word AWS has for it.
func paymentOf(offeringType string) cloud.Payment {
	for p, word := range payments {
		if word == offeringType || strings.ToUpper(strings.ReplaceAll(word, " ", "_")) == offeringType {
			return p
		}
	}
	return cloud.Payment(offeringType)
}

// optional is nil for an empty text, which AWS would take for a value.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

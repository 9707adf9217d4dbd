package sim

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// Reservations of Amazon RDS. Source of names, parameters, errors and states:
// RDS API reference 2014-10-31 and botocore 1.43.67, checked against the Go SDK
// (core v1.47.7, rds v1.132.1).
func init() {
	filters := "this parameter isn't currently supported"
	register(&service{
		name: "rds", version: "2014-10-31", xmlns: "http://rds.amazonaws.com/doc/2014-10-31/",
		regional: true, protocol: awsQuery,
		operations: map[string]*operation{
			"DescribeReservedDBInstancesOfferings": {
				pages:    true,
				members:  []string{"ReservedDBInstancesOfferingId", "DBInstanceClass", "Duration", "ProductDescription", "OfferingType", "MultiAZ", "MaxRecords", "Marker"},
				unserved: map[string]string{"Filters.Filter.N.Name": filters, "Filters.Filter.N.Values.Value.N": filters},
				run:      rdsOfferings,
			},
			"PurchaseReservedDBInstancesOffering": {
				spends:   true,
				members:  []string{"ReservedDBInstancesOfferingId", "ReservedDBInstanceId", "DBInstanceCount", "Tags.Tag.N.Key", "Tags.Tag.N.Value"},
				resource: func(c *call) string { return c.reservationARN(c.reservationID()) },
				run:      rdsPurchase,
			},
			"DescribeReservedDBInstances": {
				lists:    true,
				pages:    true,
				members:  []string{"ReservedDBInstanceId", "ReservedDBInstancesOfferingId", "DBInstanceClass", "Duration", "ProductDescription", "OfferingType", "MultiAZ", "LeaseId", "MaxRecords", "Marker"},
				unserved: map[string]string{"Filters.Filter.N.Name": filters, "Filters.Filter.N.Values.Value.N": filters},
				resource: func(c *call) string {
					if id := c.in["ReservedDBInstanceId"]; id != "" {
						return c.reservationARN(id)
					}
					return c.reservationARN("*")
				},
				run: rdsReservations,
			},
		},
	})
}

// reservation is one purchase of an RDS offering.
type reservation struct {
	Account    string       `json:"account"`
	Region     string       `json:"region"`
	ID         string       `json:"id"`
	SentID     string       `json:"sent_id,omitempty"`
	LeaseID    string       `json:"lease_id"`
	OfferingID string       `json:"offering_id"`
	Class      string       `json:"class"`
	Product    string       `json:"product"`
	Payment    string       `json:"payment"`
	MultiAZ    bool         `json:"multi_az,omitempty"`
	Seconds    int64        `json:"seconds"`
	Count      int          `json:"count"`
	Fixed      money.Amount `json:"fixed"`
	Hourly     money.Amount `json:"hourly"`
	Tags       []Tag        `json:"tags,omitempty"`
	BoughtAt   time.Time    `json:"bought_at"`
	VisibleAt  time.Time    `json:"visible_at"`
	SettlesAt  time.Time    `json:"settles_at"`
	Fails      bool         `json:"fails,omitempty"` // the payment
	Existing   bool         `json:"existing,omitempty"`
	AccessKey  string       `json:"access_key,omitempty"`
	Session    string       `json:"session,omitempty"`
	RequestID  string       `json:"request_id,omitempty"`
	seq        int          // position in the world
}

func (r *reservation) scope() scope { return scope{"rds", r.Account, r.Region} }

func (r *reservation) arn() string {
	return "arn:aws:rds:" + r.Region + ":" + r.Account + ":ri:" + r.ID
}

func (r *reservation) endsAt() time.Time {
	return r.BoughtAt.Add(time.Duration(r.Seconds) * time.Second)
}

// States of a reservation (RDS user guide; the model has no enum).
const (
	statePending = "payment-pending"
	stateActive  = "active"
	stateFailed  = "payment-failed"
	stateRetired = "retired"
)

func (r *reservation) state(at time.Time) string {
	switch {
	case at.Before(r.SettlesAt):
		return statePending
	case r.Fails:
		return stateFailed
	case at.Before(r.endsAt()):
		return stateActive
	}
	return stateRetired
}

func (r *reservation) entry(now time.Time) Entry {
	return Entry{
		Service: "rds", Account: r.Account, Region: r.Region, ID: r.ID, SentID: r.SentID, ARN: r.arn(),
		OfferingID: r.OfferingID, Class: r.Class, Product: r.Product, Payment: r.Payment, MultiAZ: r.MultiAZ,
		Seconds: r.Seconds, Count: r.Count, Fixed: r.Fixed, Hourly: r.Hourly, Tags: append([]Tag{}, r.Tags...),
		State: r.state(now), BoughtAt: r.BoughtAt, VisibleAt: r.VisibleAt, SettlesAt: r.SettlesAt, EndsAt: r.endsAt(),
		Existing: r.Existing, AccessKey: r.AccessKey, Session: r.Session, RequestID: r.RequestID,
	}
}

// reservationIDForm is the naming habit of RDS identifiers; the model itself
// has no constraint. Capitals are legal and then folded.
var reservationIDForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$`)

const reservationIDMax = 60

// reservationID is the id the call buys under: the caller's, or one made from
// the clock as the service does. With the latter nothing ties a retry to the
// first try.
func (c *call) reservationID() string {
	if id := c.in["ReservedDBInstanceId"]; id != "" {
		return id
	}
	id := "ri-" + strings.NewReplacer(".", "-").Replace(c.now.Format("2006-01-02-15-04-05.000"))
	for n := 2; c.world.byKey[c.world.key(c.scope(), id)] != nil; n++ {
		id = id[:len("ri-2006-01-02-15-04-05-000")] + "-" + strconv.Itoa(n)
	}
	return id
}

func (c *call) reservationARN(id string) string {
	if c.world.ids == FoldCase {
		id = strings.ToLower(id)
	}
	return "arn:aws:rds:" + c.region + ":" + c.who.account + ":ri:" + id
}

func rdsPurchase(c *call) (node, *apiError) {
	offeringID, err := c.in.required("ReservedDBInstancesOfferingId")
	if err != nil {
		return node{}, err
	}
	id := c.reservationID()
	if len(id) > reservationIDMax || !reservationIDForm.MatchString(id) {
		return node{}, fail("InvalidParameterValue", "The parameter ReservedDBInstanceId is not a valid identifier: it must begin with a letter, hold only letters, digits and single hyphens, not end with a hyphen, and have at most %d characters", reservationIDMax)
	}
	count, err := c.in.integer("DBInstanceCount", 1, 1, 1<<31-1)
	if err != nil {
		return node{}, err
	}
	tags, err := c.in.tags("Tags.Tag")
	if err != nil {
		return node{}, err
	}
	if len(tags) > 0 { // a dependent action of the purchase (Service Authorization Reference)
		if err := c.permit("rds:AddTagsToResource", c.reservationARN(id)); err != nil {
			return node{}, err
		}
	}
	o := c.catalog.byID[offeringID]
	if o == nil || o.region != c.region {
		return node{}, fail("ReservedDBInstancesOfferingNotFound", "The specified offering is not found: %s", offeringID)
	}
	if c.world.byKey[c.world.key(c.scope(), id)] != nil {
		return node{}, fail("ReservedDBInstanceAlreadyExists", "Reservation %s already exists", id)
	}
	if held := c.world.reserved(c.scope(), c.now); count > c.opts.Quota-held {
		return node{}, fail("ReservedDBInstanceQuotaExceeded", "Request would exceed the quota of %d reserved DB instances: %d are in use and %d more were asked for", c.opts.Quota, held, count)
	}

	r := newReservation(c.world, o, c.who.account, id, count, c.now, c.opts.Visibility)
	_, r.Fails = c.hits[PaymentFailed]
	r.SentID = c.in["ReservedDBInstanceId"]
	r.Tags = tags
	r.AccessKey, r.RequestID = c.who.accessKey, c.requestID
	if c.who.session != nil {
		r.Session = c.who.session.Name
	}
	c.out.Bought = append(c.out.Bought, r)
	return node{kids: []node{group("ReservedDBInstance", r.nodes(id, c.now)...)}}, nil
}

// newReservation draws what the service decides: when it shows and when its
// payment settles.
func newReservation(w *world, o *offering, account, id string, count int, now time.Time, visibility time.Duration) reservation {
	if w.ids == FoldCase {
		id = strings.ToLower(id)
	}
	r := reservation{
		Account: account, Region: o.region, ID: id, OfferingID: o.id, Class: o.class, Product: o.product,
		Payment: o.payment, MultiAZ: o.multiAZ, Seconds: o.seconds, Count: count, BoughtAt: now,
	}
	r.Fixed, r.Hourly = w.quote(o)
	r.LeaseID = drawUUID(w.seed, "lease", r.arn())
	r.VisibleAt = now.Add(drawDuration(0, visibility, w.seed, "visible", r.arn()))
	r.SettlesAt = now.Add(drawDuration(time.Minute, 10*time.Minute, w.seed, "settle", r.arn()))
	return r
}

// reserved counts the instances that use the quota.
func (w *world) reserved(in scope, now time.Time) int {
	n := 0
	for _, r := range w.byScope[in] {
		if s := r.state(now); s == statePending || s == stateActive {
			n += r.Count
		}
	}
	return n
}

// existing turns what Add was given into a reservation that settled at once.
func (s *Sim) existing(w *world, now time.Time, e Existing) (reservation, error) {
	o := s.catalog.byID[e.OfferingID]
	_, known := accountByID(e.Account)
	switch {
	case !known:
		return reservation{}, fail("InvalidParameterValue", "no account %q", e.Account)
	case o == nil || o.region != e.Region:
		return reservation{}, fail("ReservedDBInstancesOfferingNotFound", "no offering %q in region %q", e.OfferingID, e.Region)
	case len(e.ID) > reservationIDMax || !reservationIDForm.MatchString(e.ID):
		return reservation{}, fail("InvalidParameterValue", "not a valid id")
	case e.Count < 1:
		return reservation{}, fail("InvalidParameterValue", "count %d is below 1", e.Count)
	case e.BoughtAt.After(now):
		return reservation{}, fail("InvalidParameterValue", "bought at %s, which is in the future", e.BoughtAt)
	case e.BoughtAt.IsZero():
		e.BoughtAt = now.Add(-time.Hour)
	}
	r := newReservation(w, o, e.Account, e.ID, e.Count, e.BoughtAt.UTC(), 0)
	r.SettlesAt = r.BoughtAt
	r.Existing = true
	r.Tags = e.Tags
	return r, nil
}

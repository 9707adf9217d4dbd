package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
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

package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

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

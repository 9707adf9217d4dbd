package aws

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

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

package sim

import (
	"strings"
	"time"

	"bursar/internal/money"
)

// ref names a reservation in the journal.
type ref struct {
	Service string `json:"service"`
	Account string `json:"account"`
	Region  string `json:"region"`
	ID      string `json:"id"`
}

func (w *world) find(r ref) *reservation {
	return w.byKey[w.key(scope{r.Service, r.Account, r.Region}, r.ID)]
}

// fired is what became of a queued order at its second.
type fired struct {
	ref
	Fails  bool         `json:"fails,omitempty"` // at once, without a payment
	Fixed  money.Amount `json:"fixed"`
	Hourly money.Amount `json:"hourly"`
}

// nextQueued is the first order to fire by now, nil if there is none.
func (w *world) nextQueued(now time.Time) *reservation {
	var first *reservation
	for r := range w.queued {
		if r.StartsAt.After(now) {
			continue
		}
		if first == nil || r.StartsAt.Before(first.StartsAt) || r.StartsAt.Equal(first.StartsAt) && strings.Compare(r.ID, first.ID) < 0 {
			first = r
		}
	}
	return first
}

// fire decides a queued order at its second, by the world of that second. A
// purchase is not completed if the price changed (EC2 user guide, "Buy Reserved
// Instances"), or if it would exceed the quota; the guide of Savings Plans says
// that orders are validated when they start, that of EC2 does not say when.
func (s *Sim) fire(r *reservation) error {
	f := fired{ref: ref{r.Service, r.Account, r.Region, r.ID}, Fixed: r.Fixed, Hourly: r.Hourly}
	if o := s.catalog.byID[r.OfferingID]; o != nil { // nil: sold by a program with another catalog
		fixed, hourly := s.world.quote(o)
		if !fixed.Equal(r.Fixed) || !hourly.Equal(r.Hourly) {
			f.Fails = !s.opts.FireAtAnyPrice
		}
		if !f.Fails {
			f.Fixed, f.Hourly = fixed, hourly
		}
	}
	if s.world.used(r.scope(), r.terms, r.StartsAt) > s.opts.quotaOf(r.Service) { // the order itself is counted
		f.Fails = true
	}
	return s.commit(change{At: r.StartsAt, Fired: &f})
}

func (w *world) foldQueued(c change) {
	for _, d := range c.Deleted {
		if r := w.find(d); r != nil {
			r.DeletedAt = c.At
			delete(w.queued, r)
		}
	}
	if c.Fired != nil {
		if r := w.find(c.Fired.ref); r != nil {
			r.Fixed, r.Hourly = c.Fired.Fixed, c.Fired.Hourly
			if c.Fired.Fails {
				r.Fails, r.SettlesAt = true, r.StartsAt
			}
			delete(w.queued, r)
		}
	}
}

package driver

import (
	"context"
	"slices"
	"time"

	"bursar/internal/cloud"
)

// Adviser asks a cloud what it recommends to buy for one account. It is read only.
type Adviser interface {
	// Advice asks every source of the cloud that a fits, all pages. A source that fails
	// is one with an Err: the others answer still.
	Advice(ctx context.Context, a AdviceAsk) []Advice
	// Requests is how many requests Advice sends at least that the cloud charges for. It
	// does no IO.
	Requests(a AdviceAsk) int
}

// AdviceAsk selects advice.
type AdviceAsk struct {
	Services []cloud.Service // none for all
	Terms    []cloud.Term    // at least one
	Payments []cloud.Payment // at least one; those that the cloud does not know are left out
	// Charge is asked before each request that the cloud charges for; an error of it ends
	// the source. nil lets all be sent.
	Charge func() error
}

// Wants reports whether advice on a service is asked for.
func (a AdviceAsk) Wants(s cloud.Service) bool {
	return len(a.Services) == 0 || slices.Contains(a.Services, s)
}

// Charged asks whether a request may be sent that the cloud charges for.
func (a AdviceAsk) Charged() error {
	if a.Charge == nil {
		return nil
	}
	return a.Charge()
}

// Advice is the answer of one source.
type Advice struct {
	Source string // what was asked, for people: "Cost Explorer rds 1y no-upfront"
	// Made is when the cloud worked it out, UTC; of several times the oldest, and zero
	// where it does not say.
	Made time.Time
	// Document is JSON as the cloud's own tools print it, all pages in one, with what it
	// does not say beside it; nil where the source failed.
	Document []byte
	Err      error
}

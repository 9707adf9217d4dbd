// Package engine joins the purchase protocol to the drivers and the ledger: it
// prices plans, works on their lines, and compares the ledger with what the
// clouds list.
package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// Clouds opens the services that this installation may use.
type Clouds interface {
	// Service returns the service of a lane, or an error that tells a person how
	// to allow it. It does no IO and may be called often.
	Service(lane cloud.Lane) (driver.Service, error)
	// Lanes lists the lanes that this installation watches.
	Lanes() []cloud.Lane
	// Simulated reports whether the lane is served by a simulator.
	Simulated(lane cloud.Lane) bool
}

// Engine works on one ledger. It is safe for concurrent use, also by several
// processes at once.
type Engine struct {
	DB     *store.DB
	Clouds Clouds
	// Now is the clock, UTC. It may run ahead of the wall clock when the clouds
	// are simulated.
	Now func() time.Time
	// Workers is how many lines are worked on at once, of all lanes; 0 means
	// DefaultWorkers.
	Workers int
	Log     *slog.Logger
	// Proposals make the plans of policies, by task.
	Proposals map[Task]Proposal
	// Guard compares the ledger with what is outside of it; nil compares nothing.
	Guard *Guard
	// Outbox does TaskOutbox: the engine knows what is to be told, not how; nil tells
	// nobody.
	Outbox func(ctx context.Context, r *TaskResult) error
	// Recommendations does TaskRecommendations; nil does nothing.
	Recommendations func(ctx context.Context, r *TaskResult) error

	kept  looks
	paces paces
	// foreseen is when all that was bought was last looked through, in microseconds.
	foreseen atomic.Int64
}

// DefaultWorkers is as many as a ledger on one disk can write for; they mostly
// wait for a cloud.
const DefaultWorkers = 64

func (e *Engine) workers() int {
	if e.Workers > 0 {
		return e.Workers
	}
	return DefaultWorkers
}

func (e *Engine) protocol(ledger purchase.Ledger) *purchase.Protocol {
	return &purchase.Protocol{
		Ledger: ledger, Market: teller{market{e}}, Rules: purchase.DefaultRules, Now: e.Now, Nonce: nonce,
	}
}

func nonce() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails: crypto/rand aborts the program instead
	return hex.EncodeToString(b[:])
}

// market is purchase.Market over the drivers.
type market struct{ *Engine }

var _ purchase.Market = market{}

func (m market) Facts(l purchase.Line) (purchase.Facts, error) {
	lane := l.Spec.Lane()
	svc, err := m.Clouds.Service(lane)
	if err != nil {
		return purchase.Facts{}, err
	}
	if simulated := m.Clouds.Simulated(lane); simulated != l.Spec.Simulated {
		return purchase.Facts{}, fmt.Errorf("%s is %s now and was %s when the plan was priced: make a new plan",
			lane, world(simulated), world(l.Spec.Simulated))
	}
	info := facts(svc.Info())
	// What is open is looked up in either way; what is not is not sent in another one
	// than people approved.
	if l.State == purchase.Ready && info.Class != l.Class {
		return purchase.Facts{}, fmt.Errorf("%s is of class %s now and was of class %s when the plan was made: make a new plan, or change the configuration back",
			lane, info.Class, l.Class)
	}
	return purchase.Facts{Class: info.Class, Life: info.Life, Settle: info.Settle, Answer: info.Answer, Window: info.Window, Lead: info.Lead}, nil
}

func world(simulated bool) string {
	if simulated {
		return "simulated"
	}
	return "real"
}

func (m market) Quote(ctx context.Context, i purchase.Intent) (cloud.Quote, error) {
	svc, err := m.service(i)
	if err != nil {
		return cloud.Quote{}, err
	}
	q, err := svc.Quote(ctx, request(i, time.Time{}))
	if errors.Is(err, driver.ErrNotSold) {
		return cloud.Quote{}, fmt.Errorf("%w: %s", purchase.ErrNotSold, i.Offering.ID)
	}
	return q, err
}

func (m market) Purchase(ctx context.Context, i purchase.Intent, sendBy time.Time) purchase.Answered {
	svc, err := m.service(i)
	if err != nil {
		return purchase.Answered{Evidence: cloud.Evidence{
			Kind: cloud.EvidenceReply, Outcome: cloud.Unsent, Started: m.Now(), Detail: err.Error(),
		}}
	}
	started := m.Now()
	if err := m.intend(ctx, i); err != nil {
		return purchase.Answered{Evidence: cloud.Evidence{
			Kind: cloud.EvidenceReply, Outcome: cloud.Unsent, Started: started, Detail: err.Error(),
		}}
	}
	e, err := svc.Purchase(ctx, request(i, sendBy))
	e.Kind, e.Outcome = cloud.EvidenceReply, driver.OutcomeOf(err)
	if err == nil && e.Commitment == nil && e.Handle != "" {
		e.Outcome = cloud.Accepted
	}
	if e.Started.IsZero() {
		e.Started = started
	}
	if text := driver.Says(laneOf(i), err); text != "" {
		e.Detail = text
	} else if err != nil && e.Detail == "" {
		e.Detail = err.Error()
	}
	if e.Outcome == cloud.Throttled {
		m.paces.slower(laneOf(i))
	}
	return purchase.Answered{Evidence: e, SecondRequest: errors.Is(err, driver.ErrSecondRequest)}
}

func (m market) service(i purchase.Intent) (driver.Service, error) {
	return m.Clouds.Service(laneOf(i))
}

func laneOf(i purchase.Intent) cloud.Lane {
	return cloud.Lane{Provider: i.Offering.Provider, Account: i.Account, Region: i.Offering.Region, Service: i.Offering.Service}
}

func request(i purchase.Intent, sendBy time.Time) driver.Request {
	return driver.Request{
		Account: i.Account, Offering: i.Offering, Quantity: i.Quantity, Identity: i.Identity,
		Identities: i.Identities, Order: i.Order, Attempt: i.Attempt, Deadline: i.Deadline, SendBy: sendBy, FireAt: i.FireAt, Tags: i.Tags,
	}
}

package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/sim"
)

// Rehearsal is a set of simulated clouds, served by this process for a fresh
// ledger, whose faults and clock are in hand and whose truth can be read.
type Rehearsal struct {
	URL    string // address of the clouds
	Ledger string // file of the ledger

	sim  *sim.Sim
	stop func()
}

// Rehearse starts simulated clouds with their state in dir and creates a ledger
// there.
func Rehearse(ctx context.Context, dir string) (*Rehearsal, error) {
	r := &Rehearsal{Ledger: filepath.Join(dir, "bursar.db")}
	var err error
	if r.sim, err = sim.New(sim.Options{Path: CloudsPath(r.Ledger)}); err != nil {
		return nil, err
	}
	if r.URL, r.stop, err = sim.Serve(r.sim); err != nil {
		return nil, errors.Join(err, r.sim.Close())
	}
	if _, err := Init(ctx, Options{Ledger: r.Ledger, Endpoint: r.URL}); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close stops the clouds. Their state and the ledger stay.
func (r *Rehearsal) Close() error {
	r.stop()
	return r.sim.Close()
}

// Open opens the ledger of the rehearsal.
func (r *Rehearsal) Open(ctx context.Context) (*App, error) {
	return Open(ctx, Options{Ledger: r.Ledger, Endpoint: r.URL})
}

// Advance moves the simulated clock.
func (r *Rehearsal) Advance(d time.Duration) error { return r.sim.Advance(d) }

// Trouble is a fault that strikes purchases.
type Trouble struct {
	Kind  string // of the simulator
	Only  string // the service whose purchases it strikes; "" for any
	Skip  int    // purchases let through first
	Times int    // how many it strikes
	// Hold is how long a reply is held back by the kind "slow".
	Hold time.Duration
}

// Cause makes purchases go wrong from now on.
func (r *Rehearsal) Cause(troubles ...Trouble) error {
	for _, t := range troubles {
		_, err := r.sim.AddFault(sim.Fault{
			Kind: t.Kind, Service: t.Only, Spending: true,
			Skip: t.Skip, Times: t.Times, Duration: t.Hold,
		})
		if err != nil {
			return fmt.Errorf("fault %s: %w", t.Kind, err)
		}
	}
	return nil
}

// Sent counts the spending requests that reached the clouds: all of them, those
// that bound or ordered something, and those of the given fault that did.
func (r *Rehearsal) Sent(fault string) (all, applied, struck int) {
	for _, q := range r.sim.Requests() {
		if !q.Spending {
			continue
		}
		all++
		if q.Applied {
			applied++
			if q.Fault == fault {
				struck++
			}
		}
	}
	return all, applied, struck
}

// Faults tells what struck purchases so far: kind to count.
func (r *Rehearsal) Faults() map[string]int {
	counts := map[string]int{}
	for _, q := range r.sim.Requests() {
		if q.Spending && q.Fault != "" {
			counts[q.Fault]++
		}
	}
	return counts
}

// Owned is one commitment as the clouds themselves know it.
type Owned struct {
	Account, Region, ID, Offering, State string
	// Names are the id and all that its buyer gave it beside that, in lower case.
	Names    []string
	Quantity int64
	Total    money.Amount // over the term
}

// Truth reads what the clouds sold, listed or not. Bursar never sees it.
func (r *Rehearsal) Truth() ([]Owned, error) {
	var owned []Owned
	for _, e := range r.sim.Ledger() {
		hourly, err := e.Hourly.Mul(e.Seconds / 3600)
		if err != nil {
			return nil, err
		}
		unit, err := e.Fixed.Add(hourly)
		if err != nil {
			return nil, err
		}
		total, err := unit.Mul(int64(e.Count))
		if err != nil {
			return nil, err
		}
		names := []string{strings.ToLower(e.ID), strings.ToLower(e.Name)}
		for _, t := range e.Tags {
			names = append(names, strings.ToLower(t.Value))
		}
		owned = append(owned, Owned{
			Account: e.Account, Region: e.Region, ID: e.ID, Offering: offeringOf(e), State: e.State, Names: names,
			Quantity: int64(e.Count), Total: total,
		})
	}
	return owned, nil
}

// offeringOf is an offering as plans name it: SKU.term.billing plan for Azure, whose
// offerings have no ids. The simulator divides its own by slashes, behind the region
// where there is one.
func offeringOf(e sim.Entry) string {
	parts := strings.Split(e.OfferingID, "/")
	if e.Provider != string(cloud.Azure) || len(parts) < 3 {
		return e.OfferingID
	}
	return strings.Join(parts[len(parts)-3:], ".")
}

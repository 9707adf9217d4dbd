// Package driver is the contract between Bursar and one wire API of a cloud that
// sells commitments. A driver is a wire API, not a product name, bound to one
// account and one region.
//
// The contract has five methods and only one of them can spend. Both sides owe
// something:
//
//   - The engine calls Purchase only after a durable row holds the exact Request,
//     and never calls it twice with the same Attempt.
//   - The driver puts at most one spending request on the wire for one call of
//     Purchase, with the retries of its SDK off, and says of the outcome only
//     what the answer proves. What it cannot prove is doubt.
//   - The engine alone decides what an outcome means for a line.
package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bursar/internal/cloud"
)

// Service sells commitments of one service in one account and region. Its
// methods may be called concurrently.
type Service interface {
	// Info returns the facts of the service; it does no IO.
	Info() Info

	// Offerings returns every offering that matches q, all pages. None is an
	// empty list and no error. It is read only.
	Offerings(ctx context.Context, q Query) ([]cloud.Offering, error)

	// Quote returns today's price of r.Offering and proves, with the credential
	// that Purchase will use, that the caller is r.Account: a mismatch is
	// ErrWrongAccount. An offering that is no longer sold is ErrNotSold. Where a
	// role is configured, Quote opens the session of r.Attempt, which the cloud
	// itself ends for spending at r.Deadline. It is read only.
	Quote(ctx context.Context, r Request) (cloud.Quote, error)

	// Purchase sends at most one request that can spend. In this order it
	//
	//  1. proves once more that the caller is r.Account,
	//  2. refuses if it is later than r.SendBy,
	//  3. sends the one request: no SDK retry, a fresh connection, no redirect.
	//
	// A nil error means that the answer proves the purchase; the evidence then
	// names the commitment, or the handle of an order that the cloud has accepted
	// and carries out later. Any other answer is an error whose outcome OutcomeOf
	// tells, and the evidence holds what was seen. Purchase never lists.
	Purchase(ctx context.Context, r Request) (cloud.Evidence, error)

	// Find returns what exists, in every state the cloud shows, that r could have
	// made: one evidence for each commitment under one of r.Identities. When there
	// is none it returns one evidence of kind absence. Without identities it
	// returns the whole inventory of the lane. The listing is complete or the
	// result is an error; a state the driver does not know is cloud.Unknown. The
	// CloudTime of its evidence is that of the first answer of the look. It is read
	// only.
	Find(ctx context.Context, r Request) ([]cloud.Evidence, error)
}

// Info holds what is always true of a service in this configuration.
type Info struct {
	Lane  cloud.Lane
	Class cloud.Class
	// Life is how far ahead the deadline of an attempt is to be: long enough to
	// send within it, and no request of the attempt can take effect after it. With
	// a role the session policy ends it; otherwise the signature's age does, so
	// the time until the signing counts on top.
	Life time.Duration
	// Settle is how long after an effect a complete listing may still miss it.
	Settle time.Duration
	// Window is how long the cloud is proven to remember a token, class A; else zero.
	Window time.Duration
	// Lead is how far ahead an order must be to be taken, class Q; zero if that is not
	// known.
	Lead time.Duration
	// Lists: Find reads the whole inventory of the lane, whatever it is asked for,
	// so one look can serve many requests.
	Lists bool
	// Answer bounds one call of Purchase.
	Answer time.Duration
	// Attributes are the keys that select an offering.
	Attributes []Attribute
	// Guarantee says in one sentence what the cloud itself promises about buying
	// twice. It is shown to people.
	Guarantee string
	// Final says in one clause, with its source, that the cloud takes nothing back of
	// what the service sells; empty where a Returner does, or nobody has said it. It is
	// shown to people.
	Final string
}

// Attribute describes one key of cloud.Attributes.
type Attribute struct {
	Key     string
	Example string
	// Values lists all legal values; nil means free text.
	Values []string
	// Optional: not every offering has it.
	Optional bool
}

// Query selects offerings. Zero fields select all.
type Query struct {
	ID         string
	Attributes cloud.Attributes
	Term       cloud.Term
	Payment    cloud.Payment
}

// Request is the wire-facing copy of a stored intent. All fields are frozen when
// the attempt is armed.
type Request struct {
	Account    cloud.Account
	Offering   cloud.Offering
	Quantity   int64
	Identity   string    // the name or token of this generation of the line
	Identities []string  // every identity the line has ever had, this one included
	Order      string    // what Quote's answer named this purchase, where the cloud does so
	Attempt    string    // unique for the attempt; fit for a session name
	Deadline   time.Time // the cloud must refuse the request from here on, UTC
	// SendBy is the local gate: not one byte is sent later than this, by the wall
	// clock nor by the monotonic reading that it carries: Linux stops the latter
	// while a machine is suspended, and the former can be set back.
	SendBy time.Time
	// FireAt is the second that a queued purchase is ordered for, class Q; else zero.
	FireAt time.Time
	// Tags are claims for people. No guard reads them.
	Tags map[string]string
}

// Errors that callers match with errors.Is.
var (
	// ErrWrongAccount: the credential belongs to another account.
	ErrWrongAccount = errors.New("credentials belong to another account")
	// ErrNotSold: the offering does not exist, or no longer.
	ErrNotSold = errors.New("offering is not sold")
	// ErrAdvice: what is asked for can be recommended and not bought, as the
	// configuration does not say which offering of the cloud it is.
	ErrAdvice = errors.New("it can be recommended only")
	// ErrSecondRequest: the transport was asked to send a second spending request
	// for one attempt and refused. One request per attempt no longer holds above
	// it, so a person has to look.
	ErrSecondRequest = errors.New("second spending request of one attempt refused")
	// ErrTooLate: SendBy had passed before the first byte.
	ErrTooLate = errors.New("too late to send")
)

// Error is a failed call with what it proves.
type Error struct {
	Outcome   cloud.Outcome
	Operation string
	Code      string  // the cloud's code; empty without an answer
	Status    int     // HTTP status; 0 without an answer
	Trouble   Trouble // "" for none that is known
	Action    string  // the permission that is missing, if the cloud names it
	Err       error
}

// Error returns one line: operation, code, cause.
func (e *Error) Error() string {
	if e.Code != "" {
		return fmt.Sprintf("%s: %s: %v", e.Operation, e.Code, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Operation, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeOf returns what err proves about the request: Bought for nil, the
// outcome of an *Error, and doubt for anything else.
func OutcomeOf(err error) cloud.Outcome {
	if err == nil {
		return cloud.Bought
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Outcome
	}
	return cloud.InDoubt
}

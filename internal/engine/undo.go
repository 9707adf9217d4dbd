package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/purchase"
	"bursar/internal/store"
)

// UndoWay is how a line can be undone.
type UndoWay string

// The ways. A line that is not bought is canceled, and what is bought is given back
// where the cloud takes it.
const (
	UndoByCancel UndoWay = "cancel"
	UndoByReturn UndoWay = "return"
	UndoNever    UndoWay = "none"
)

// UndoOptions are what can be undone for one line at one moment.
type UndoOptions struct {
	Line    purchase.Line
	Receipt *purchase.Receipt
	Way     UndoWay
	Why     string    // why not now; "" means that it can be undone
	Until   time.Time // zero if there is no end, or no way
	Listed  *cloud.Commitment
	Terms   driver.ReturnTerms // of a return
	Undos   []purchase.Undo    // of the line, oldest first
}

// Open is the undo that may still come to something; nil if there is none.
func (o *UndoOptions) Open() *purchase.Undo {
	if n := len(o.Undos); n > 0 && o.Undos[n-1].State.Open() {
		return &o.Undos[n-1]
	}
	return nil
}

// Last is the newest undo; nil if there never was one.
func (o *UndoOptions) Last() *purchase.Undo {
	if n := len(o.Undos); n > 0 {
		return &o.Undos[n-1]
	}
	return nil
}

// UndoOptions looks at the cloud and says what can be undone for a line. What an
// earlier undo has come to is recorded on the way.
func (e *Engine) UndoOptions(ctx context.Context, id purchase.LineID) (*UndoOptions, error) {
	row, err := e.DB.Row(ctx, id)
	if err != nil {
		return nil, err
	}
	o := &UndoOptions{Line: row.Line, Way: UndoNever}
	switch s := row.Line.State; {
	case s == purchase.Purchased:
	case s == purchase.Draft, s == purchase.Ready, s == purchase.NeedsReapproval, s == purchase.QueuedLine:
		o.Way = UndoByCancel
		if s == purchase.QueuedLine && len(row.Attempts) > 0 {
			o.Until = row.Attempts[len(row.Attempts)-1].FireAt.Add(-purchase.LastCall)
		}
		return o, nil
	default:
		o.Why = "it is " + string(s)
		return o, nil
	}
	receipts, err := e.DB.Receipts(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(receipts, func(r purchase.Receipt) bool { return r.Line == id })
	if i < 0 {
		return nil, fmt.Errorf("line %s is purchased without a receipt: see bursar check", id)
	}
	o.Receipt = &receipts[i]
	svc, err := e.Clouds.Service(row.Line.Spec.Lane())
	if err != nil {
		return nil, err
	}
	returner, ok := svc.(driver.Returner)
	if !ok {
		o.Why = cmp.Or(svc.Info().Final, fmt.Sprintf("%s takes nothing back that is bought", row.Line.Spec.Offering.Service))
		return o, nil
	}
	o.Way = UndoByReturn
	seen, err := e.look(ctx, row.Line.Spec.Lane())
	if err != nil {
		return nil, err
	}
	listing := seen.listing()
	if err := e.settleUndos(ctx, listing); err != nil {
		return nil, err
	}
	if o.Undos, err = e.DB.LineUndos(ctx, id); err != nil {
		return nil, err
	}
	i = slices.IndexFunc(listing.Items, func(c cloud.Commitment) bool { return strings.EqualFold(c.ID, o.Receipt.Commitment.ID) })
	if i < 0 {
		if o.Terms, err = returner.ReturnTerms(ctx, o.Receipt.Commitment, listing.Items, e.Now()); err != nil {
			return nil, err
		}
		o.Until = o.Terms.Until
		o.Why = o.Receipt.Commitment.ID + " is not listed yet: try again in some minutes"
		return o, nil
	}
	o.Listed = &listing.Items[i]
	if o.Terms, err = returner.ReturnTerms(ctx, *o.Listed, listing.Items, e.Now()); err != nil {
		return nil, err
	}
	o.Why, o.Until = o.Terms.Why, o.Terms.Until
	return o, nil
}

// Errors of undos.
var (
	// ErrNoUndo: what a line bought cannot be given back now.
	ErrNoUndo = errors.New("it cannot be given back")
)

// RequestUndo asks in a person's name that what a line bought be given back, under the
// same rule as its plan would be approved by today. It sends nothing.
func (e *Engine) RequestUndo(ctx context.Context, o *UndoOptions, rules ApprovalRules, by, comment string) error {
	if o.Way != UndoByReturn || o.Why != "" {
		return fmt.Errorf("%w: %s", ErrNoUndo, o.Why)
	}
	rule, err := rules.freeze(&purchase.Plan{Requester: by, Lines: []purchase.Line{o.Line}})
	if err != nil {
		return err
	}
	in, err := e.DB.Installation(ctx)
	if err != nil {
		return err
	}
	now := e.Now()
	u, err := purchase.NewUndo(purchase.UndoID(newID(now)), in.Install, o.Line, *o.Receipt, by, comment, rule, o.Until, now)
	if err != nil {
		return err
	}
	if err := e.DB.RequestUndo(ctx, u); err != nil {
		return err
	}
	o.Undos, err = e.DB.LineUndos(ctx, o.Line.ID)
	return err
}

// SendUndo sends the one request of an approved undo, after a durable row says so, and
// records what its answer proves. The terms must still allow it.
func (e *Engine) SendUndo(ctx context.Context, o *UndoOptions) error {
	u := o.Open()
	switch {
	case u == nil || u.State != purchase.UndoApproved:
		return fmt.Errorf("undo of line %s: %w", o.Line.ID, purchase.ErrLost)
	case !e.Now().Before(u.Until):
		return e.DB.MoveUndo(ctx, *u, purchase.UndoMove{To: purchase.UndoExpired, Detail: "it was not sent in time"}, nil, e.Now())
	case o.Why != "" || o.Listed == nil:
		return fmt.Errorf("%w: %s", ErrNoUndo, o.Why)
	}
	svc, err := e.Clouds.Service(o.Line.Spec.Lane())
	if err != nil {
		return err
	}
	returner, ok := svc.(driver.Returner)
	if !ok {
		return fmt.Errorf("%w: %s takes nothing back", ErrNoUndo, o.Line.Spec.Offering.Service)
	}
	if e.Clouds.Simulated(o.Line.Spec.Lane()) != o.Line.Spec.Simulated {
		return fmt.Errorf("%s is %s now, and the line was bought in a %s one", o.Line.Spec.Lane(), world(!o.Line.Spec.Simulated), world(o.Line.Spec.Simulated))
	}
	info, now := svc.Info(), e.Now()
	deadline := now.Add(info.Life)
	sendBy := now.Add(purchase.DefaultRules.Gate)
	if err := e.DB.SendUndo(ctx, *u, deadline, deadline.Add(info.Settle), now); err != nil {
		return err
	}
	sent := *u
	sent.State, sent.Tries, sent.Deadline, sent.SettledAt = purchase.UndoSent, u.Tries+1, deadline, deadline.Add(info.Settle)

	// From here on the request may be on the wire: a stop lets it finish and be
	// recorded. If that fails, the listings tell what came of it.
	ctx = context.WithoutCancel(ctx)
	ev, err := returner.Return(ctx, driver.Request{
		Account: o.Line.Spec.Account, Offering: o.Line.Spec.Offering, Quantity: o.Line.Spec.Quantity,
		Identity: sent.Token, Attempt: sent.Attempt(), Deadline: deadline, SendBy: sendBy,
	}, *o.Listed)
	ev.Kind = cloud.EvidenceReply
	if err != nil {
		if ev.Outcome = driver.OutcomeOf(err); ev.Detail == "" {
			ev.Detail = err.Error()
		}
	}
	if ev.Started.IsZero() {
		ev.Started = now
	}
	if err := e.DB.MoveUndo(ctx, sent, sent.Answered(ev), &ev, e.Now()); err != nil && !errors.Is(err, purchase.ErrLost) {
		return err
	}
	o.Undos, err = e.DB.LineUndos(ctx, o.Line.ID)
	return err
}

// settleUndos records what a complete listing of a lane shows of the undos there that
// were sent.
func (e *Engine) settleUndos(ctx context.Context, listing store.LaneListing) error {
	sent, err := e.DB.SentUndos(ctx)
	if err != nil {
		return err
	}
	for _, u := range sent {
		row, err := e.DB.Row(ctx, u.Line)
		if err != nil {
			return err
		}
		if row.Line.Spec.Lane() != listing.Lane {
			continue
		}
		m, ok := u.Looked(listing.Items, listing.At)
		if !ok {
			continue
		}
		i := slices.IndexFunc(listing.Items, func(c cloud.Commitment) bool { return strings.EqualFold(c.ID, u.Commitment) })
		seen := cloud.Evidence{Kind: cloud.EvidenceListing, Started: listing.At, Detail: m.Detail, Commitment: &listing.Items[i]}
		if err := e.DB.MoveUndo(ctx, u, m, &seen, e.Now()); err != nil && !errors.Is(err, purchase.ErrLost) {
			return err
		}
	}
	return nil
}

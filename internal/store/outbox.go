package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// MessageKind says what a message tells.
type MessageKind string

// The kinds of messages. Triggers write those of what has happened, in the transaction
// in which it does; those of what is about to come are written by whoever looks.
const (
	MessageApproval       MessageKind = "waiting_for_approval"
	MessageWillBuy        MessageKind = "will_buy"
	MessageBought         MessageKind = "bought"
	MessageNotBought      MessageKind = "not_bought"
	MessageInDoubt        MessageKind = "in_doubt"
	MessageNeedsDecision  MessageKind = "needs_decision"
	MessageFinding        MessageKind = "finding"
	MessageOverdue        MessageKind = "overdue"
	MessageExpiry         MessageKind = "expiry"
	MessageReturnWindow   MessageKind = "return_window"
	MessagePaymentPending MessageKind = "payment_pending"
	MessageUndelivered    MessageKind = "undelivered" // another message could not be delivered
)

// MessageKinds are all of them.
var MessageKinds = []MessageKind{
	MessageApproval, MessageWillBuy, MessageBought, MessageNotBought, MessageInDoubt, MessageNeedsDecision, MessageFinding,
	MessageOverdue, MessageExpiry, MessageReturnWindow, MessagePaymentPending, MessageUndelivered,
}

// Message is something that people are told. Its id is made of what it is about: the
// same thing is never told twice.
type Message struct {
	ID        string
	Kind      MessageKind
	Plan      purchase.PlanID // "" for none
	Line      purchase.LineID // "" for none
	About     string          // what else it is about: a finding, an undo, a schedule, a notice, a channel
	DueAt     time.Time       // that it warns of, UTC; zero for none
	CreatedAt time.Time
	RoutedAt  time.Time // when it was decided who gets it; zero before
	ToldBy    string    // the message that tells this one, too; "" if it is told by itself
	Document  string    // what everybody gets, once it is routed
}

// DeliveryState says what became of a delivery.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryWaiting DeliveryState = "waiting"
	DeliverySent    DeliveryState = "sent"
	DeliveryGivenUp DeliveryState = "given_up"
	DeliveryDropped DeliveryState = "dropped" // nobody wants it any more
)

// Delivery is one message on its way to one channel.
type Delivery struct {
	Message   string
	Kind      MessageKind // only of due ones, as Document
	Document  string
	Channel   string
	Recipient string // of a channel that has recipients; else ""
	State     DeliveryState
	Tries     int
	NextAt    time.Time // UTC; tried from then on
	LastAt    time.Time // and no more from then on
	EndedAt   time.Time
	Detail    string // why it was not sent, without secrets
}

// Mute is a person's wish not to hear of a kind of message, or of all if Kind is "",
// until a time.
type Mute struct {
	Person string
	Kind   MessageKind
	Until  time.Time // UTC
	At     time.Time
}

// Tell writes messages that are not there yet and returns how many those were.
func (db *DB) Tell(ctx context.Context, list []Message) (told int, err error) {
	var news []Message
	for _, m := range list {
		_, err := db.read().GetMessage(ctx, m.ID)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			news = append(news, m)
		case err != nil:
			return 0, fmt.Errorf("messages: %w", err)
		}
	}
	if len(news) == 0 {
		return 0, nil
	}
	err = db.writeStep(ctx, func(q *rows.Queries) error {
		told = 0
		for _, m := range news {
			n, err := q.InsertMessage(ctx, rows.InsertMessageParams{
				ID: m.ID, Kind: string(m.Kind), PlanID: string(m.Plan), LineID: string(m.Line), About: m.About,
				DueAt: micros(m.DueAt), CreatedAt: micros(m.CreatedAt),
			})
			if err != nil {
				return err
			}
			told += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("messages: %w", err)
	}
	return told, nil
}

// Unrouted reads at most so many messages of which nobody has decided who gets them,
// oldest first.
func (db *DB) Unrouted(ctx context.Context, most int) ([]Message, error) {
	rs, err := db.read().UnroutedMessages(ctx, int32(most))
	if err != nil {
		return nil, fmt.Errorf("messages: %w", err)
	}
	return toMessages(rs), nil
}

// Stands reports whether what a message tells is still so. What has happened stays so;
// what waited for somebody may have been done.
func (db *DB) Stands(ctx context.Context, id string, now time.Time) (bool, error) {
	n, err := db.read().MatterStands(ctx, rows.MatterStandsParams{ID: id, Now: micros(now)})
	if err != nil {
		return false, fmt.Errorf("message %s: %w", id, err)
	}
	return n > 0, nil
}

// Route decides who gets a message, and with it others of its kind, which it tells,
// too: all of it or, if somebody has routed any of them, nothing and purchase.ErrLost.
// Of deliveries their channel, recipient, state, times and detail count.
func (db *DB) Route(ctx context.Context, m Message, with []string, deliveries []Delivery, now time.Time) error {
	err := db.writeStep(ctx, func(q *rows.Queries) error {
		route := func(p rows.RouteMessageParams) error {
			n, err := q.RouteMessage(ctx, p)
			if err == nil && n != 1 {
				err = purchase.ErrLost
			}
			return err
		}
		if err := route(rows.RouteMessageParams{RoutedAt: micros(now), Document: m.Document, ID: m.ID}); err != nil {
			return err
		}
		for _, id := range with {
			if err := route(rows.RouteMessageParams{RoutedAt: micros(now), ToldBy: m.ID, ID: id}); err != nil {
				return err
			}
		}
		for _, d := range deliveries {
			err := q.InsertDelivery(ctx, rows.InsertDeliveryParams{
				MessageID: m.ID, Channel: d.Channel, Recipient: d.Recipient, State: string(d.State), NextAt: micros(d.NextAt),
				LastAt: micros(d.LastAt), EndedAt: micros(d.EndedAt), Detail: d.Detail,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("route message %s: %w", m.ID, err)
	}
	return nil
}

// DueDeliveries reads at most so many deliveries that wait and are due, the most
// overdue first.
func (db *DB) DueDeliveries(ctx context.Context, now time.Time, most int) ([]Delivery, error) {
	rs, err := db.read().DueDeliveries(ctx, rows.DueDeliveriesParams{Now: micros(now), Most: int32(most)})
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	list := make([]Delivery, len(rs))
	for i, r := range rs {
		list[i] = Delivery{
			Message: r.MessageID, Kind: MessageKind(r.Kind), Document: r.Document, Channel: r.Channel, Recipient: r.Recipient,
			State: DeliveryWaiting, Tries: int(r.Tries), LastAt: fromMicros(r.LastAt), Detail: r.Detail,
		}
	}
	return list, nil
}

// ClaimDelivery makes a delivery as it was read this process's to try, until a time: if
// it does not say by then what came of it, another one tries. It reports false when
// somebody else has it.
func (db *DB) ClaimDelivery(ctx context.Context, d *Delivery, now, until time.Time) (mine bool, err error) {
	err = db.writeStep(ctx, func(q *rows.Queries) error {
		n, err := q.ClaimDelivery(ctx, rows.ClaimDeliveryParams{
			Until: micros(until), MessageID: d.Message, Channel: d.Channel, Recipient: d.Recipient, Tries: int64(d.Tries), Now: micros(now),
		})
		mine = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("delivery of %s: %w", d.Message, err)
	}
	if mine {
		d.Tries++
	}
	return mine, nil
}

// PutOffDelivery has a claimed delivery tried again at a time, and says why.
func (db *DB) PutOffDelivery(ctx context.Context, d Delivery, next time.Time, why string) error {
	return db.moveDelivery(ctx, d, func(q *rows.Queries) (int64, error) {
		return q.PutOffDelivery(ctx, rows.PutOffDeliveryParams{
			NextAt: micros(next), Detail: why, MessageID: d.Message, Channel: d.Channel, Recipient: d.Recipient, Tries: int64(d.Tries),
		})
	})
}

// EndDelivery ends a delivery that was claimed, or of which no try is under way. One
// that is given up is told by a message of its own, unless it was one itself.
func (db *DB) EndDelivery(ctx context.Context, d Delivery, to DeliveryState, why string, now time.Time) error {
	return db.moveDelivery(ctx, d, func(q *rows.Queries) (int64, error) {
		return q.EndDelivery(ctx, rows.EndDeliveryParams{
			ToState: string(to), EndedAt: micros(now), Detail: why,
			MessageID: d.Message, Channel: d.Channel, Recipient: d.Recipient, Tries: int64(d.Tries),
		})
	})
}

// moveDelivery returns purchase.ErrLost when another process has the delivery.
func (db *DB) moveDelivery(ctx context.Context, d Delivery, move func(*rows.Queries) (int64, error)) error {
	err := db.writeStep(ctx, func(q *rows.Queries) error {
		n, err := move(q)
		if err == nil && n != 1 {
			err = purchase.ErrLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delivery of %s: %w", d.Message, err)
	}
	return nil
}

// Messages reads at most so many messages, newest first, each with its deliveries.
func (db *DB) Messages(ctx context.Context, most int) (list []Message, deliveries map[string][]Delivery, err error) {
	deliveries = map[string][]Delivery{}
	err = db.view(ctx, func(q *rows.Queries) error {
		rs, err := q.NewestMessages(ctx, int32(most))
		if err != nil {
			return err
		}
		list = toMessages(rs)
		for _, m := range list {
			ds, err := q.MessageDeliveries(ctx, m.ID)
			if err != nil {
				return err
			}
			for _, d := range ds {
				deliveries[m.ID] = append(deliveries[m.ID], Delivery{
					Message: d.MessageID, Kind: m.Kind, Channel: d.Channel, Recipient: d.Recipient, State: DeliveryState(d.State), Tries: int(d.Tries),
					NextAt: fromMicros(d.NextAt), LastAt: fromMicros(d.LastAt), EndedAt: fromMicros(d.EndedAt), Detail: d.Detail,
				})
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("messages: %w", err)
	}
	return list, deliveries, nil
}

// GivenUp counts the deliveries that were given up since a time.
func (db *DB) GivenUp(ctx context.Context, since time.Time) (int, error) {
	n, err := db.read().CountDeliveries(ctx, rows.CountDeliveriesParams{State: string(DeliveryGivenUp), EndedAt: micros(since)})
	if err != nil {
		return 0, fmt.Errorf("deliveries: %w", err)
	}
	return int(n), nil
}

// SetMute keeps a person's wish, in the place of an earlier one about the same kind.
func (db *DB) SetMute(ctx context.Context, m Mute) error {
	return db.write(ctx, func(q *rows.Queries) error {
		return q.SetMute(ctx, rows.SetMuteParams{
			PersonKey: purchase.PersonKey(m.Person), Kind: string(m.Kind), Person: m.Person, Until: micros(m.Until), At: micros(m.At),
		})
	})
}

// Mutes reads the wishes that hold at a time, by person.
func (db *DB) Mutes(ctx context.Context, now time.Time) ([]Mute, error) {
	rs, err := db.read().ListMutes(ctx, micros(now))
	if err != nil {
		return nil, fmt.Errorf("mutes: %w", err)
	}
	list := make([]Mute, len(rs))
	for i, r := range rs {
		list[i] = Mute{Person: r.Person, Kind: MessageKind(r.Kind), Until: fromMicros(r.Until), At: fromMicros(r.At)}
	}
	return list, nil
}

// Coming is something that happens at a time unless somebody stops it.
type Coming struct {
	Plan  purchase.PlanID
	Line  purchase.LineID // "" if it is the whole plan
	N     int             // attempt of the line
	About string          // the schedule of a plan
	At    time.Time       // UTC
}

// ComingPurchases reads what will be bought within a time: plans that are begun at
// their time, and orders that fire.
func (db *DB) ComingPurchases(ctx context.Context, now, until time.Time) (list []Coming, err error) {
	plans, err := db.read().SchedulesBefore(ctx, rows.SchedulesBeforeParams{Before: micros(until), After: micros(now)})
	if err != nil {
		return nil, fmt.Errorf("scheduled plans: %w", err)
	}
	for _, s := range toPlanSchedules(plans) {
		list = append(list, Coming{Plan: s.Plan, About: s.ID, At: s.At})
	}
	orders, err := db.read().QueuedOrders(ctx, rows.QueuedOrdersParams{
		Before: sql.NullInt64{Int64: micros(until), Valid: true}, After: sql.NullInt64{Int64: micros(now), Valid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("queued orders: %w", err)
	}
	for _, o := range orders {
		list = append(list, Coming{Plan: purchase.PlanID(o.PlanID), Line: purchase.LineID(o.LineID), N: int(o.N), At: fromMicros(o.FireAt.Int64)})
	}
	return list, nil
}

// Unanswered reads the attempts whose answer was awaited until a time after the one
// given and before the other, and of which nobody has said what came of them.
func (db *DB) Unanswered(ctx context.Context, after, before time.Time) (list []Coming, err error) {
	rs, err := db.read().UnansweredAttempts(ctx, rows.UnansweredAttemptsParams{Before: micros(before), After: micros(after)})
	if err != nil {
		return nil, fmt.Errorf("attempts without an answer: %w", err)
	}
	for _, r := range rs {
		list = append(list, Coming{Plan: purchase.PlanID(r.PlanID), Line: purchase.LineID(r.LineID), N: int(r.N), At: fromMicros(r.AnswerBy)})
	}
	return list, nil
}

func toMessages(rs []rows.Outbox) []Message {
	list := make([]Message, len(rs))
	for i, r := range rs {
		list[i] = Message{
			ID: r.ID, Kind: MessageKind(r.Kind), Plan: purchase.PlanID(r.PlanID), Line: purchase.LineID(r.LineID), About: r.About,
			DueAt: fromMicros(r.DueAt), CreatedAt: fromMicros(r.CreatedAt), RoutedAt: fromMicros(r.RoutedAt), ToldBy: r.ToldBy, Document: r.Document,
		}
	}
	return list
}

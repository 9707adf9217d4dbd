package api

import (
	"context"
	"time"

	"bursar/internal/money"
)

// Message is what people are told about something, and the body that a webhook of type
// webhook gets. One with the same id is about the same thing.
type Message struct {
	ID string `json:"id"`
	// Kind is waiting_for_approval, will_buy, bought, not_bought, in_doubt, needs_decision,
	// finding, overdue, expiry, return_window, payment_pending, undelivered or test.
	Kind         string        `json:"kind"`
	At           time.Time     `json:"at"` // when it happened, or was foreseen
	Installation string        `json:"installation"`
	Simulated    bool          `json:"simulated"` // nothing of it is real
	Title        string        `json:"title"`     // one line for people
	DueAt        *time.Time    `json:"due_at,omitempty"`
	Days         int           `json:"days,omitempty"` // of expiry: within how many
	Plan         *MessagePlan  `json:"plan,omitempty"`
	Undo         *MessageUndo  `json:"undo,omitempty"`
	Schedule     string        `json:"schedule,omitempty"` // that begins the plan
	Items        []MessageItem `json:"items,omitempty"`
	Channel      string        `json:"channel,omitempty"` // of undelivered and test
	Link         string        `json:"link,omitempty"`    // a page; to open it changes nothing
	Next         string        `json:"next,omitempty"`    // a command that shows more
}

// MessagePlan is the plan of a message.
type MessagePlan struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Version   int      `json:"version"`
	Requester string   `json:"requester"`
	Lines     int      `json:"lines"`
	Price     Price    `json:"price"`
	Needed    int      `json:"approvals_needed"`
	Approvers []string `json:"approvers,omitempty"` // empty is anybody
}

// MessageUndo is what somebody asks to give back.
type MessageUndo struct {
	ID        string `json:"id"`
	Requester string `json:"requester"`
	Comment   string `json:"comment,omitempty"`
	Needed    int    `json:"approvals_needed"`
}

// MessageItem is one line or commitment of a message.
type MessageItem struct {
	Line       string        `json:"line,omitempty"`
	Plan       string        `json:"plan,omitempty"`
	Number     int           `json:"number,omitempty"` // within the plan
	Provider   string        `json:"provider"`
	Account    string        `json:"account"`
	Region     string        `json:"region"`
	Service    string        `json:"service"`
	What       string        `json:"what"`    // the goods, in the words of the service
	Measure    string        `json:"measure"` // how many or how much
	TermMonths int           `json:"term_months"`
	Payment    string        `json:"payment"`
	Total      *money.Amount `json:"total,omitempty"`
	State      string        `json:"state,omitempty"`
	Reason     string        `json:"reason,omitempty"`
	Commitment string        `json:"commitment,omitempty"`
	Finding    string        `json:"finding,omitempty"` // kind of a finding
	DueAt      *time.Time    `json:"due_at,omitempty"`
}

// Outbox is what was told lately, newest first.
type Outbox struct {
	Messages []OutboxMessage `json:"messages"`
}

// OutboxMessage is a message and what became of it.
type OutboxMessage struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind"`
	At         time.Time  `json:"at"`
	Plan       string     `json:"plan,omitempty"`
	Line       string     `json:"line,omitempty"`
	Title      string     `json:"title,omitempty"`     // once it is routed
	RoutedAt   *time.Time `json:"routed_at,omitempty"` // when it was decided who gets it
	ToldBy     string     `json:"told_by,omitempty"`   // the message that tells this one, too
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is one message on its way to one channel.
type Delivery struct {
	Channel   string     `json:"channel"`
	Recipient string     `json:"recipient,omitempty"`
	State     string     `json:"state"` // waiting, sent, given_up, dropped
	Tries     int        `json:"tries"`
	NextAt    *time.Time `json:"next_at,omitempty"` // while it waits
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Detail    string     `json:"detail,omitempty"` // why it was not sent
}

// Notifier tells who is told of what, and what was told.
type Notifier interface {
	// Notifications shows the mutes of whoever asks; a command on the ledger itself those
	// of everybody.
	Notifications(ctx context.Context) (Notifications, error)
	Outbox(ctx context.Context) (Outbox, error)
	// Mute keeps a person from mail of a kind for a while, and Unmute ends that.
	Mute(ctx context.Context, r MuteRequest) (Mute, error)
	Unmute(ctx context.Context, kind, by string) (Mute, error)
}

// Notifications are who is told of what.
type Notifications struct {
	Kinds    []MessageKind `json:"kinds"`
	Channels []Channel     `json:"channels"`
	Mutes    []Mute        `json:"mutes"`
}

// MessageKind is a kind of message that people can be told, and can mute.
type MessageKind struct {
	Kind string `json:"kind"`
	Says string `json:"says"` // what it tells, in one clause
}

// MessageKinds are all of them.
var MessageKinds = []MessageKind{
	{"waiting_for_approval", "a plan or an undo waits for people"},
	{"will_buy", "a scheduled purchase comes near"},
	{"bought", "lines were bought"},
	{"not_bought", "lines came to nothing"},
	{"in_doubt", "it is not known whether a line was bought"},
	{"needs_decision", "a line waits for a person"},
	{"finding", "what the clouds list and the ledger holds differ"},
	{"overdue", "a line was to have moved on"},
	{"expiry", "a term ends soon"},
	{"return_window", "what was bought can soon not be given back any more"},
	{"payment_pending", "the month ends, and a payment is pending"},
	{"undelivered", "a channel does not work"},
}

// MuteRequest asks in a person's name for no mail of a kind, for a time or until one.
type MuteRequest struct {
	Kind  string // or all
	By    string
	For   time.Duration
	Until time.Time
}

// NewMute asks for no mail of a kind, for a time or until one.
type NewMute struct {
	Kind  string     `json:"kind" doc:"Kind of message, or all" minLength:"1" maxLength:"64"`
	For   string     `json:"for,omitempty" doc:"For how long, such as 72h"`
	Until *time.Time `json:"until,omitempty" doc:"Until when"`
}

// NewUnmute asks for mail of a kind again.
type NewUnmute struct {
	Kind string `json:"kind" doc:"Kind of message, or all" minLength:"1" maxLength:"64"`
}

// Notifications implements Service.
func (c *Client) Notifications(ctx context.Context) (Notifications, error) {
	return get[Notifications](ctx, c, "/notifications", nil)
}

// Outbox implements Service.
func (c *Client) Outbox(ctx context.Context) (Outbox, error) {
	return get[Outbox](ctx, c, "/notifications/outbox", nil)
}

// Mute implements Service.
func (c *Client) Mute(ctx context.Context, r MuteRequest) (Mute, error) {
	if err := nobody(r.By); err != nil {
		return Mute{}, err
	}
	body := NewMute{Kind: r.Kind}
	if r.For != 0 {
		body.For = r.For.String()
	}
	if !r.Until.IsZero() {
		body.Until = &r.Until
	}
	return post[Mute](ctx, c, "/notifications/mutes", body)
}

// Unmute implements Service.
func (c *Client) Unmute(ctx context.Context, kind, by string) (Mute, error) {
	if err := nobody(by); err != nil {
		return Mute{}, err
	}
	return post[Mute](ctx, c, "/notifications/unmute", NewUnmute{Kind: kind})
}

// Channel is one way to tell people.
type Channel struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`              // mail, slack, teams, discord, webhook
	Address string   `json:"address"`           // masked where it is a secret
	To      []string `json:"to,omitempty"`      // people and addresses of mail
	Kinds   []string `json:"kinds"`             // that it gets
	Problem string   `json:"problem,omitempty"` // why nothing can be sent now
}

// Mute is a person's wish not to hear of a kind of message for a while.
type Mute struct {
	Person string    `json:"person"`
	Kind   string    `json:"kind"` // or all
	Until  time.Time `json:"until"`
}

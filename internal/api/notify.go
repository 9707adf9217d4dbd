package api

import (
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

// Notifications are who is told of what.
type Notifications struct {
	Channels []Channel `json:"channels"`
	Mutes    []Mute    `json:"mutes"`
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

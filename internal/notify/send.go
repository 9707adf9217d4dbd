package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"bursar/internal/api"
)

// Type is a way of telling people.
type Type string

// The types of channels.
const (
	TypeMail    Type = "mail"
	TypeSlack   Type = "slack"
	TypeTeams   Type = "teams"
	TypeDiscord Type = "discord"
	TypeWebhook Type = "webhook"
)

// Types are all of them.
var Types = []Type{TypeMail, TypeSlack, TypeTeams, TypeDiscord, TypeWebhook}

// Channel is one way of telling people, as the configuration names it.
type Channel struct {
	Name string
	Type Type
	URL  Secret // of all types but mail
	Key  Secret // that a webhook is signed with
	Mail Mail
}

// Patience bounds one try: that of the whole exchange with a server.
const Patience = 20 * time.Second

// Failure is a try that has failed. The text holds no secret.
type Failure struct {
	Says string
	// Gone: the other side has said that it will never take it, so that nothing more is
	// tried.
	Gone bool
	// After is how long the other side asks to be left alone; zero if it does not.
	After time.Duration
}

func (f *Failure) Error() string { return f.Says }

// Send sends a message once, to a mail address or, on channels without recipients, to
// "". The same message has the same id each time: mail shows it as Message-ID, webhooks
// as Bursar-Message-Id. Every error is a *Failure.
func (c Channel) Send(ctx context.Context, m api.Message, to string) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	m.Title = Title(m)
	var err error
	if c.Type == TypeMail {
		err = c.Mail.send(ctx, m, to)
	} else {
		err = c.post(ctx, m)
	}
	var f *Failure
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return &Failure{Says: fmt.Sprintf("no answer within %s", Patience)}
	case errors.Is(err, context.Canceled):
		return &Failure{Says: "stopped while it was being sent"}
	}
	return &Failure{Says: plainError(err)}
}

// plainError is what went wrong without the address that it went wrong with.
func plainError(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "the name of the server is not known: " + dns.Name
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return "the server cannot be reached: " + op.Err.Error()
	}
	return err.Error()
}

// Address shows where a channel sends, without what is secret of it.
func (c Channel) Address() string {
	if c.Type == TypeMail {
		return c.Mail.Server
	}
	u, err := c.address()
	if err != nil {
		return string(c.URL) // the name of the secret is none
	}
	return maskedURL(u)
}

// Problem says why nothing can be sent now, as far as this side knows; "" is nothing.
func (c Channel) Problem() string {
	var err error
	if c.Type == TypeMail {
		_, err = c.Mail.password()
	} else {
		_, err = c.address()
		if err == nil && c.Key != "" {
			_, err = c.Key.Reveal()
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/wneessen/go-mail"

	"bursar/internal/api"
)

// TLS is how the connection to a mail server is protected.
type TLS string

// The ways. Without TLS no password is sent.
const (
	STARTTLS    TLS = "starttls"
	ImplicitTLS TLS = "tls"
	NoTLS       TLS = "none"
)

// Mail is how mail is sent.
type Mail struct {
	Server   string // host:port
	TLS      TLS
	CA       string // file with the certificates that the server's is to be signed by; "" is the system's
	User     string
	Password Secret
	From     string // an address
}

func (c Mail) password() (string, error) {
	if c.Password == "" {
		return "", nil
	}
	return c.Password.Reveal()
}

// send sends a message to one address. It is taken once the server has said so; what
// goes wrong afterwards does not matter.
func (c Mail) send(ctx context.Context, m api.Message, to string) error {
	msg, err := c.compose(m, to)
	if err != nil {
		return err
	}
	var line connection
	client, err := c.client(line.dial(c.TLS))
	if err != nil {
		return &Failure{Says: err.Error()}
	}
	defer line.close()
	defer context.AfterFunc(ctx, line.close)()
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return cmp.Or(ctx.Err(), mailFailure(err))
	}
	err = client.SendWithSMTPClient(conn, msg)
	_ = client.CloseWithSMTPClient(conn) // the server has decided by now
	if msg.IsDelivered() {
		return nil
	}
	if err == nil {
		err = errors.New("the server did not take the mail")
	}
	return cmp.Or(ctx.Err(), mailFailure(err))
}

// connection is the one to a mail server. The library leaves it open when the greeting
// fails, and does not hear a context once it is open.
type connection struct {
	mu     sync.Mutex
	conn   net.Conn
	closed bool
}

type dialer = func(ctx context.Context, trust *tls.Config, address string) (net.Conn, error)

// dial opens the connection, with TLS from the first byte if that is the way.
func (l *connection) dial(way TLS) dialer {
	return func(ctx context.Context, trust *tls.Config, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		l.conn = c
		late := l.closed
		l.mu.Unlock()
		if late {
			return nil, errors.Join(context.Canceled, c.Close())
		}
		if way != ImplicitTLS {
			return c, nil
		}
		secure := tls.Client(c, trust)
		return secure, secure.HandshakeContext(ctx)
	}
}

func (l *connection) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed = true; l.conn != nil {
		_ = l.conn.Close() // whoever closes it does not use it any more
	}
}

func (c Mail) client(dial dialer) (*mail.Client, error) {
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	trust := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no certificate", c.CA)
		}
	}
	options := []mail.Option{mail.WithPort(n), mail.WithTimeout(Patience), mail.WithTLSConfig(trust), mail.WithoutNoop(), mail.WithoutRset()}
	options = append(options, mail.WithDialContextFunc(func(ctx context.Context, _, address string) (net.Conn, error) { return dial(ctx, trust, address) }))
	switch c.TLS {
	case ImplicitTLS: // there is nothing to start any more; the library sees that the connection is secure
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	case NoTLS:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.User != "" {
		password, err := c.password()
		if err != nil {
			return nil, err
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.User), mail.WithPassword(password))
	}
	return mail.NewClient(host, options...)
}

// compose writes the mail: plain text, because a link in it must be what it looks like.
func (c Mail) compose(m api.Message, to string) (*mail.Msg, error) {
	w := say(m)
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(c.From); err != nil {
		return nil, &Failure{Says: "from: it is no mail address", Gone: true}
	}
	if err := msg.To(to); err != nil {
		return nil, &Failure{Says: fmt.Sprintf("%q is no mail address", to), Gone: true}
	}
	msg.SetMessageIDWithValue(c.messageID(m))
	msg.SetDateWithValue(m.At)
	msg.Subject("[Bursar] " + w.title)
	// RFC 3834: nobody is to answer it by machine.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(mail.TypeTextPlain, w.title+"\n\n"+w.text())
	return msg, nil
}

// messageID is the same for every copy of a message.
func (c Mail) messageID(m api.Message) string {
	domain := "bursar.invalid"
	if a, err := netmail.ParseAddress(c.From); err == nil {
		domain = a.Address[strings.LastIndexByte(a.Address, '@')+1:]
	}
	return m.ID + "." + m.Installation + "@" + domain
}

// mailFailure says what an error of an exchange means: a server that refuses the
// recipient for good will not take the next try either.
func mailFailure(err error) error {
	var sent *mail.SendError
	if !errors.As(err, &sent) {
		return &Failure{Says: plainError(err)}
	}
	gone := sent.Reason == mail.ErrSMTPRcptTo && !sent.IsTemp()
	says := "the mail server did not take it"
	if gone {
		says = "the mail server refuses the recipient"
	}
	if n := sent.ErrorCode(); n > 0 {
		says += " (" + strconv.Itoa(n) + ")"
	}
	return &Failure{Says: says, Gone: gone}
}

package notify

import (
	"context"
	"errors"
	"mime"
	"strings"
	"testing"
	"time"

	"bursar/internal/api"
	"bursar/internal/money"
)

func usd(text string) money.Amount { return money.MustParse(text, "USD") }

var at = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// bought is a message as the ledger makes it.
func bought() api.Message {
	total := usd("2331.00")
	return api.Message{
		ID: "bought.01K", Kind: "bought", At: at, Installation: "k7f2", Link: "https://bursar.example.com/plans/01P", Next: "bursar plan show 01P",
		Plan: &api.MessagePlan{ID: "01P", Name: "fleet <!channel> *x*", Requester: "ana", Lines: 2, Needed: 1},
		Items: []api.MessageItem{{
			Line: "01K", Plan: "01P", Number: 1, Provider: "aws", Account: "111122223333", Region: "eu-west-1", Service: "rds",
			What: "class=db.r6g.large", Measure: "3", TermMonths: 12, Payment: "partial-upfront", Total: &total, State: "purchased", Commitment: "ri-1",
		}},
	}
}

func (s *smtpServer) channel() Channel {
	return Channel{Name: "team", Type: TypeMail, Mail: Mail{Server: s.addr, TLS: STARTTLS, CA: s.ca, From: "Bursar <bursar@example.com>"}}
}

// failed is what a try that must fail says.
func failed(t *testing.T, c Channel, to string) *Failure {
	t.Helper()
	err := c.Send(t.Context(), bought(), to)
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("%v is no failure", err)
	}
	return f
}

func TestMail(t *testing.T) {
	t.Setenv("SMTP_PASSWORD", "hush")
	for name, tc := range map[string]struct {
		server func(*smtpServer)
		mail   func(*Mail)
		user   string
		secure bool
	}{
		"starttls": {nil, nil, "", true},
		"tls":      {func(s *smtpServer) { s.implicit = true }, func(m *Mail) { m.TLS = ImplicitTLS }, "", true},
		"password": {func(s *smtpServer) { s.password = "hush" }, func(m *Mail) { m.User, m.Password = "bursar", "env:SMTP_PASSWORD" }, "bursar", true},
		"tls and password": {func(s *smtpServer) { s.implicit, s.password = true, "hush" },
			func(m *Mail) { m.TLS, m.User, m.Password = ImplicitTLS, "bursar", "env:SMTP_PASSWORD" }, "bursar", true},
		"none": {func(s *smtpServer) { s.noTLS = true }, func(m *Mail) { m.TLS = NoTLS }, "", false},
		// A server that hangs up once it has taken the mail has taken it.
		"hangs up": {func(s *smtpServer) { s.hangUp = true }, nil, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSMTP(t, tc.server)
			c := s.channel()
			if tc.mail != nil {
				tc.mail(&c.Mail)
			}
			for range 2 { // the same message again is the same mail
				if err := c.Send(t.Context(), bought(), "ada@example.com"); err != nil {
					t.Fatal(err)
				}
			}
			got := s.letters()
			if len(got) != 2 {
				t.Fatalf("%d mails", len(got))
			}
			for _, l := range got {
				if l.from != "bursar@example.com" || l.to != "ada@example.com" || l.secure != tc.secure || l.user != tc.user {
					t.Errorf("%+v", l)
				}
				subject, err := new(mime.WordDecoder).DecodeHeader(l.Header.Get("Subject"))
				if want := "[Bursar] Bought: 1 line of plan \u201cfleet <!channel> *x*\u201d"; err != nil || subject != want {
					t.Errorf("subject %q, want %q, %v", subject, want, err)
				}
				for header, want := range map[string]string{
					"Message-Id": "<bought.01K.k7f2@example.com>", "Auto-Submitted": "auto-generated", "Content-Type": "text/plain; charset=UTF-8",
					"Date": at.Format(time.RFC1123Z),
				} {
					if l.Header.Get(header) != want {
						t.Errorf("%s is %q, want %q", header, l.Header.Get(header), want)
					}
				}
				for _, want := range []string{"https://bursar.example.com/plans/01P", "More: bursar plan show 01P", "USD 2,331.00 in total"} {
					if !strings.Contains(strings.ReplaceAll(l.body, "=\r\n", ""), want) {
						t.Errorf("no %q in:\n%s", want, l.body)
					}
				}
			}
		})
	}
}

func TestMailFails(t *testing.T) {
	t.Setenv("SMTP_PASSWORD", "wrong-hush")
	for name, tc := range map[string]struct {
		server func(*smtpServer)
		mail   func(*Mail)
		to     string
		want   Failure
		not    string // a command that the server must not hear
	}{
		"no such person": {server: func(s *smtpServer) { s.refuse["RCPT"] = "550 5.1.1 no such user" },
			want: Failure{Says: "the mail server refuses the recipient (550)", Gone: true}},
		"busy": {server: func(s *smtpServer) { s.refuse["RCPT"] = "451 4.7.1 later" }, want: Failure{Says: "the mail server did not take it (451)"}},
		"full": {server: func(s *smtpServer) { s.refuse["DATA"] = "552 full" }, want: Failure{Says: "the mail server did not take it (552)"}},
		// Without TLS nothing is sent that asks for it, a password least of all.
		"no starttls": {server: func(s *smtpServer) { s.noTLS = true }, want: Failure{Says: `STARTTLS mode set to: "TLSMandatory", but target host does not support STARTTLS`}, not: "MAIL"},
		"password in the clear": {server: func(s *smtpServer) { s.noTLS, s.password = true, "hush" },
			mail: func(m *Mail) { m.TLS, m.User, m.Password = NoTLS, "bursar", "env:SMTP_PASSWORD" }, not: "AUTH"},
		"unknown certificate": {mail: func(m *Mail) { m.CA = "" }, not: "MAIL"},
		"wrong password": {server: func(s *smtpServer) { s.password = "hush" },
			mail: func(m *Mail) { m.User, m.Password = "bursar", "env:SMTP_PASSWORD" }, not: "MAIL"},
		"no password": {mail: func(m *Mail) { m.User, m.Password = "bursar", "env:NOT_SET" }, want: Failure{Says: "the environment has no NOT_SET"}, not: "EHLO"},
		"no address":  {to: "ada", want: Failure{Says: `"ada" is no mail address`, Gone: true}, not: "EHLO"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSMTP(t, tc.server)
			c := s.channel()
			if tc.mail != nil {
				tc.mail(&c.Mail)
			}
			if tc.to == "" {
				tc.to = "ada@example.com"
			}
			f := failed(t, c, tc.to)
			if tc.want.Says != "" && *f != tc.want || f.Gone != tc.want.Gone {
				t.Errorf("%+v, want %+v", *f, tc.want)
			}
			if strings.Contains(f.Says, "hush") {
				t.Errorf("it says %q", f.Says)
			}
			if len(s.letters()) > 0 {
				t.Error("the mail was taken")
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, verb := range s.said {
				if verb == tc.not {
					t.Errorf("the server heard %q", s.said)
				}
			}
		})
	}
	s := newSMTP(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.channel().Send(ctx, bought(), "ada@example.com"); err == nil || len(s.letters()) > 0 {
		t.Errorf("sent by a process that was stopped: %v", err)
	}
}

package notify

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// smtpServer speaks as much SMTP as a client needs (RFC 5321, 3207, 4954).
type smtpServer struct {
	t    *testing.T
	addr string
	ca   string // file with its certificate
	tls  *tls.Config

	implicit bool   // TLS from the first byte
	noTLS    bool   // it does not offer STARTTLS
	password string // of the user bursar; "" asks for none
	refuse   map[string]string
	hangUp   bool // after it has taken the mail

	mu   sync.Mutex
	got  []letter
	said []string // commands
}

// letter is a mail that the server has taken.
type letter struct {
	from, to string
	secure   bool
	user     string
	*mail.Message
	body string
}

func newSMTP(t *testing.T, change func(*smtpServer)) *smtpServer {
	t.Helper()
	s := &smtpServer{t: t, refuse: map[string]string{}}
	s.certify()
	if change != nil {
		change(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return s
}

// certify makes a certificate that nobody but this test trusts.
func (s *smtpServer) certify() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ca = filepath.Join(s.t.TempDir(), "ca.pem")
	if err := os.WriteFile(s.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func (s *smtpServer) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	secure := false
	if s.implicit {
		c, secure = tls.Server(c, s.tls), true
	}
	r := bufio.NewReader(c)
	say := func(line string) { fmt.Fprint(c, line+"\r\n") }
	say("220 test")
	var from, to, user string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		verb, rest, _ := strings.Cut(line, " ")
		s.mu.Lock()
		s.said = append(s.said, verb)
		s.mu.Unlock()
		if answer, ok := s.refuse[verb]; ok {
			say(answer)
			continue
		}
		switch verb {
		case "EHLO":
			say("250-test")
			if !secure && !s.noTLS {
				say("250-STARTTLS")
			}
			if s.password != "" {
				say("250-AUTH PLAIN")
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			c, secure = tls.Server(c, s.tls), true
			r = bufio.NewReader(c)
		case "AUTH":
			_, sent, _ := strings.Cut(rest, " ")
			raw, _ := base64.StdEncoding.DecodeString(sent)
			if string(raw) != "\x00bursar\x00"+s.password {
				say("535 no")
				continue
			}
			user = "bursar"
			say("235 welcome")
		case "MAIL":
			if s.password != "" && user == "" {
				say("530 who are you")
				continue
			}
			from = address(rest)
			say("250 ok")
		case "RCPT":
			to = address(rest)
			say("250 ok")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				l, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if l == ".\r\n" {
					break
				}
				text.WriteString(strings.TrimPrefix(l, "."))
			}
			m, err := mail.ReadMessage(strings.NewReader(text.String()))
			if err != nil {
				s.t.Errorf("no mail: %v\n%s", err, &text)
				return
			}
			body, err := io.ReadAll(m.Body)
			if err != nil {
				s.t.Error(err)
			}
			s.mu.Lock()
			s.got = append(s.got, letter{from: from, to: to, secure: secure, user: user, Message: m, body: string(body)})
			s.mu.Unlock()
			say("250 taken")
			if s.hangUp {
				return
			}
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func address(s string) string {
	i, j := strings.IndexByte(s, '<'), strings.IndexByte(s, '>')
	if i < 0 || j < i {
		return s
	}
	return s[i+1 : j]
}

func (s *smtpServer) letters() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

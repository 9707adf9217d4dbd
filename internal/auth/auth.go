package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"bursar/internal/auditlog"
)

// Person is somebody who may sign in.
type Person struct {
	ID              string
	Name            string
	Mail            string
	Issuer, Subject string
	Roles           []Role
	Accounts        []string // nil is all
	Claimed         bool     // roles and accounts are those of the groups at each sign-in
	Disabled        bool
}

// Session is a browser in which somebody is signed in.
type Session struct {
	Hash, Mask string
	Person     string // id
	How        string // oidc or link
	CreatedAt  time.Time
	ExpiresAt  time.Time
	Idle       time.Duration
	SeenAt     time.Time
	EndedAt    time.Time
}

// Token is a key for programs.
type Token struct {
	ID        string
	Mask      string
	Name      string
	Person    string // id
	Roles     []Role
	Accounts  []string
	Agent     bool
	ExpiresAt time.Time
	SeenAt    time.Time
	RevokedAt time.Time
}

// Link signs a person in once.
type Link struct {
	ID        string
	Person    string // id
	ExpiresAt time.Time
	UsedAt    time.Time
}

// Errors of a Book; match them with errors.Is.
var (
	ErrUnknown = errors.New("there is nothing of that name or hash")
	ErrUsed    = errors.New("the link was used before, or its time is over")
)

// Book is where people, sessions, tokens and links are kept, and the audit log. Of
// secrets it is given the SHA-256 in hex.
type Book interface {
	Person(ctx context.Context, id string) (Person, error)
	PersonIdentified(ctx context.Context, issuer, subject string) (Person, error)
	PersonByMail(ctx context.Context, mail string) (Person, error)
	AddPerson(ctx context.Context, p Person, now time.Time) (Person, error)
	BindPerson(ctx context.Context, id, issuer, subject string, now time.Time) error
	SetRights(ctx context.Context, id string, roles []Role, accounts []string, now time.Time) error // by claims

	Session(ctx context.Context, hash string) (Session, error)
	StartSession(ctx context.Context, s Session, replaces string) error // the hash of the one that it ends; "" for none
	SeeSession(ctx context.Context, hash string, now time.Time) error
	EndSession(ctx context.Context, hash string, now time.Time) error

	Token(ctx context.Context, hash string) (Token, error)
	SeeToken(ctx context.Context, id string, now time.Time) error

	Link(ctx context.Context, hash string) (Link, error)
	UseLink(ctx context.Context, id string, now time.Time) error

	// Tries counts failures under a key since the window began, and Try adds one.
	Tries(ctx context.Context, key string, window time.Time) (int, error)
	Try(ctx context.Context, key string, window time.Time) error

	// Record appends to the audit log; without an error the entry is on disk.
	Record(ctx context.Context, e auditlog.Entry) (auditlog.Entry, error)
}

// How long things last, and how often somebody may fail.
const (
	DefaultLifetime = 12 * time.Hour
	DefaultIdle     = time.Hour
	LinkLifetime    = 15 * time.Minute
	// A session or token that was seen so recently is not written again.
	seenEvery = time.Minute

	tryWindow  = 15 * time.Minute
	addressMay = 20 // failures in a window
	nameMay    = 10
)

// Options are those of an Authenticator.
type Options struct {
	Book Book
	// BaseURL is the address that browsers use: "https://bursar.example.org". With https
	// cookies are sent over TLS only.
	BaseURL string
	OIDC    *OIDC // nil: links alone sign in
	// Lifetime and Idle are those of sessions; 0 takes the defaults.
	Lifetime, Idle time.Duration
	// Proxies are those whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	Now     func() time.Time // nil is the clock of this host
	// Refuse writes an answer that is no success, one sentence; nil writes plain text.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, sentence string)
}

// Authenticator finds out who acts in a request, and signs people in and out. It is
// safe for concurrent use.
type Authenticator struct {
	Options
	secure bool
	cross  *http.CrossOriginProtection
	oidc   *provider
}

// New makes an Authenticator. It asks nobody: an identity provider that is away keeps
// no server from starting.
func New(o Options) (*Authenticator, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lifetime == 0 {
		o.Lifetime = DefaultLifetime
	}
	if o.Idle == 0 {
		o.Idle = DefaultIdle
	}
	if o.Refuse == nil {
		o.Refuse = func(w http.ResponseWriter, _ *http.Request, status int, sentence string) {
			http.Error(w, sentence, status)
		}
	}
	a := &Authenticator{Options: o, cross: http.NewCrossOriginProtection()}
	if o.BaseURL != "" {
		u, err := url.Parse(o.BaseURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery+u.Fragment != "" {
			return nil, errors.New("auth: base_url: use the address that browsers use, without a path, such as https://bursar.example.org")
		}
		a.BaseURL, a.secure = u.Scheme+"://"+u.Host, u.Scheme == "https"
		// A proxy in front may give the request another host.
		if err := a.cross.AddTrustedOrigin(a.BaseURL); err != nil {
			return nil, err
		}
	}
	if o.OIDC != nil {
		if o.BaseURL == "" {
			return nil, errors.New("auth: base_url: sign-in by OIDC needs the address that browsers use, such as https://bursar.example.org")
		}
		a.oidc = &provider{OIDC: *o.OIDC, redirect: a.BaseURL + CallbackPath}
	}
	return a, nil
}

// HasOIDC reports whether people can sign in by OIDC.
func (a *Authenticator) HasOIDC() bool { return a.oidc != nil }

// TokenPrefix is what every token begins with, so that a leaked one is recognized.
const TokenPrefix = "bursar_"

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewSecret makes a secret of 256 random bits, with its hash and its mask for people.
func NewSecret(prefix string) (secret, hash, mask string) {
	var b [32]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	secret = prefix + letters.EncodeToString(b[:])
	return secret, Hash(secret), Mask(secret)
}

// Hash is what is kept of a secret. The secret is random, so that no salt is needed.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Mask is the beginning of a secret, by which people tell two apart. What does not look
// like one of ours is not shown.
func Mask(secret string) string {
	rest, token := strings.CutPrefix(secret, TokenPrefix)
	if raw, err := letters.DecodeString(rest); err != nil || len(raw) != 32 {
		return ""
	}
	if token {
		return TokenPrefix + rest[:4] + "..."
	}
	return rest[:4] + "..."
}

func (a *Authenticator) now() time.Time { return a.Now().UTC() }

// principal is a person as the owner of a session.
func (p Person) principal(session string) Principal {
	return Principal{Name: p.Name, Roles: p.Roles, Accounts: p.Accounts, Session: session}
}

// errSignedOut is a credential that is not, or no longer, good; its text is for people.
type errSignedOut struct{ why, who, mask string }

func (e *errSignedOut) Error() string { return e.why }

// bySession finds whose session it is.
func (a *Authenticator) bySession(ctx context.Context, secret string) (Principal, error) {
	hash, now := Hash(secret), a.now()
	s, err := a.Book.Session(ctx, hash)
	over := &errSignedOut{why: "your session is over: sign in again"}
	if errors.Is(err, ErrUnknown) {
		return Principal{}, over
	} else if err != nil {
		return Principal{}, err
	}
	if !s.EndedAt.IsZero() || !now.Before(s.ExpiresAt) || !now.Before(s.SeenAt.Add(s.Idle)) {
		return Principal{}, over
	}
	p, err := a.Book.Person(ctx, s.Person)
	switch {
	case err != nil:
		return Principal{}, err
	case p.Disabled:
		return Principal{}, &errSignedOut{why: p.Name + " is disabled: ask an admin", who: p.Name}
	}
	if now.Sub(s.SeenAt) >= min(seenEvery, s.Idle/4) {
		if err := a.Book.SeeSession(ctx, hash, now); err != nil {
			return Principal{}, err
		}
	}
	return p.principal("session " + s.Mask), nil
}

// byToken finds whose token it is.
func (a *Authenticator) byToken(ctx context.Context, secret string) (Principal, error) {
	now, mask := a.now(), Mask(secret)
	bad := func(why, who string) error { return &errSignedOut{why: why, who: who, mask: mask} }
	if !strings.HasPrefix(secret, TokenPrefix) || mask == "" {
		return Principal{}, bad("this is not a token of Bursar: one begins with "+TokenPrefix, "")
	}
	t, err := a.Book.Token(ctx, Hash(secret))
	if errors.Is(err, ErrUnknown) {
		return Principal{}, bad("there is no such token: bursar token list shows the tokens", "")
	} else if err != nil {
		return Principal{}, err
	}
	p, err := a.Book.Person(ctx, t.Person)
	switch {
	case err != nil:
		return Principal{}, err
	case !t.RevokedAt.IsZero():
		return Principal{}, bad("the token was revoked on "+t.RevokedAt.Format(time.DateOnly)+": ask an admin for another one", p.Name)
	case !now.Before(t.ExpiresAt):
		return Principal{}, bad("the token expired on "+t.ExpiresAt.Format(time.DateOnly)+": ask an admin for another one", p.Name)
	case p.Disabled:
		return Principal{}, bad(p.Name+", whose token it is, is disabled: ask an admin", p.Name)
	}
	if now.Sub(t.SeenAt) >= seenEvery {
		if err := a.Book.SeeToken(ctx, t.ID, now); err != nil {
			return Principal{}, err
		}
	}
	return Principal{
		Name: p.Name, Roles: Within(t.Roles, p.Roles), Accounts: both(p.Accounts, t.Accounts), Agent: t.Agent, Session: "token " + t.Mask,
	}, nil
}

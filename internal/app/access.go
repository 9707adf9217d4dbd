package app

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/user"
	"time"

	"bursar/internal/auditlog"
	"bursar/internal/auth"
	"bursar/internal/store"
)

// Authenticator makes what finds out who acts in the requests of a server. refuse
// writes its answers that are no success; nil writes plain text.
func (a *App) Authenticator(refuse func(w http.ResponseWriter, r *http.Request, status int, sentence string)) (*auth.Authenticator, error) {
	o, err := a.auth.options(true)
	if err != nil {
		return nil, err
	}
	o.Book, o.Refuse = book{a.db}, refuse
	return auth.New(o)
}

// book is the ledger as auth needs it.
type book struct{ db *store.DB }

var _ auth.Book = book{}

// known turns the store's word for nothing into that of auth.
func known(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return errors.Join(auth.ErrUnknown, err)
	}
	return err
}

func toAuthPerson(p store.Person, err error) (auth.Person, error) {
	return auth.Person{
		ID: p.ID, Name: p.Name, Mail: p.Mail, Issuer: p.Issuer, Subject: p.Subject, Roles: toAuthRoles(p.Roles), Accounts: p.Accounts,
		Claimed: p.Claimed, Disabled: p.Disabled,
	}, known(err)
}

func toAuthRoles(names []string) []auth.Role {
	roles := make([]auth.Role, len(names))
	for i, n := range names {
		roles[i] = auth.Role(n)
	}
	return roles
}

func roleNames(roles []auth.Role) []string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return names
}

func (b book) Person(ctx context.Context, id string) (auth.Person, error) {
	return toAuthPerson(b.db.Person(ctx, id))
}

func (b book) PersonIdentified(ctx context.Context, issuer, subject string) (auth.Person, error) {
	return toAuthPerson(b.db.PersonIdentified(ctx, issuer, subject))
}

func (b book) PersonByMail(ctx context.Context, mail string) (auth.Person, error) {
	return toAuthPerson(b.db.PersonByMail(ctx, mail))
}

func (b book) AddPerson(ctx context.Context, p auth.Person, now time.Time) (auth.Person, error) {
	return toAuthPerson(b.db.AddPerson(ctx, store.Person{
		Name: p.Name, Mail: p.Mail, Issuer: p.Issuer, Subject: p.Subject, Roles: roleNames(p.Roles), Accounts: p.Accounts, Claimed: p.Claimed, CreatedAt: now,
	}))
}

func (b book) BindPerson(ctx context.Context, id, issuer, subject string, now time.Time) error {
	return b.db.BindPerson(ctx, id, issuer, subject, now)
}

func (b book) SetRights(ctx context.Context, id string, roles []auth.Role, accounts []string, now time.Time) error {
	return b.db.SetRights(ctx, id, roleNames(roles), accounts, true, now)
}

func (b book) Session(ctx context.Context, hash string) (auth.Session, error) {
	s, err := b.db.SessionHashed(ctx, hash)
	return auth.Session(s), known(err)
}

func (b book) StartSession(ctx context.Context, s auth.Session, replaces string) error {
	return b.db.StartSession(ctx, store.Session(s), replaces)
}

func (b book) SeeSession(ctx context.Context, hash string, now time.Time) error {
	return b.db.SeeSession(ctx, hash, now)
}

func (b book) EndSession(ctx context.Context, hash string, now time.Time) error {
	return b.db.EndSession(ctx, hash, now)
}

func (b book) Token(ctx context.Context, hash string) (auth.Token, error) {
	t, err := b.db.TokenHashed(ctx, hash)
	return auth.Token{
		ID: t.ID, Mask: t.Mask, Name: t.Name, Person: t.Person, Roles: toAuthRoles(t.Roles), Accounts: t.Accounts, Agent: t.Agent,
		ExpiresAt: t.ExpiresAt, SeenAt: t.SeenAt, RevokedAt: t.RevokedAt,
	}, known(err)
}

func (b book) SeeToken(ctx context.Context, id string, now time.Time) error {
	return b.db.SeeToken(ctx, id, now)
}

func (b book) Link(ctx context.Context, hash string) (auth.Link, error) {
	l, err := b.db.SignInLink(ctx, hash)
	return auth.Link{ID: l.ID, Person: l.Person, ExpiresAt: l.ExpiresAt, UsedAt: l.UsedAt}, known(err)
}

func (b book) UseLink(ctx context.Context, id string, now time.Time) error {
	err := b.db.UseSignInLink(ctx, id, now)
	if errors.Is(err, store.ErrUsed) {
		return errors.Join(auth.ErrUsed, err)
	}
	return err
}

func (b book) Tries(ctx context.Context, key string, window time.Time) (int, error) {
	return b.db.Tries(ctx, key, window)
}

func (b book) Try(ctx context.Context, key string, window time.Time) error {
	return b.db.Try(ctx, key, window)
}

func (b book) Record(ctx context.Context, e auditlog.Entry) (auditlog.Entry, error) {
	return b.db.Record(ctx, e)
}

// operator names the account of the operating system that runs this process: people on
// a command line may call themselves as they like.
func operator() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return "os " + name + "@" + host
}

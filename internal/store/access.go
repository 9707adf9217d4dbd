package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// Who may use the installation: people, their sessions and tokens, the links that sign
// somebody in once, and how often somebody has failed to. Of secrets the store is given
// hashes only.

// Errors of access; match them with errors.Is.
var (
	// ErrPerson: there is a person of that name, mail address or identity.
	ErrPerson = errors.New("there is such a person already")
	// ErrUsed: the link has been used, or its time is over.
	ErrUsed = errors.New("the link was used before, or its time is over")
	// ErrAlready: it is so already, and stays so.
	ErrAlready = errors.New("it is so already")
)

// Person is somebody who may sign in.
type Person struct {
	ID              string
	Name            string // by which decisions are recorded
	Mail            string // lower case; "" for none
	Issuer, Subject string // of OIDC; "" until the first sign-in
	Roles           []string
	Accounts        []string // nil is all
	Claimed         bool     // the roles are those of the claims at each sign-in
	Disabled        bool
	CreatedAt       time.Time
	ChangedAt       time.Time
}

// Token is a key for programs.
type Token struct {
	ID         string
	Hash, Mask string
	Name       string
	Person     string // id of its owner
	Roles      []string
	Accounts   []string // nil is all of the owner's
	Agent      bool
	CreatedAt  time.Time
	CreatedBy  string
	ExpiresAt  time.Time
	SeenAt     time.Time // zero: never used
	RevokedAt  time.Time
	RevokedBy  string
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

// SignInLink signs a person in once.
type SignInLink struct {
	ID, Hash  string
	Person    string // id
	CreatedAt time.Time
	CreatedBy string
	ExpiresAt time.Time
	UsedAt    time.Time
}

// AddPerson stores a new person and returns it with its id, else ErrPerson.
func (db *DB) AddPerson(ctx context.Context, p Person) (Person, error) {
	p.ID, p.ChangedAt, p.Mail = newID(p.CreatedAt), p.CreatedAt, strings.ToLower(strings.TrimSpace(p.Mail))
	accounts, err := scope(p.Accounts)
	if err != nil {
		return Person{}, err
	}
	err = db.write(ctx, func(q *rows.Queries) error {
		err := q.InsertPerson(ctx, rows.InsertPersonParams{
			ID: p.ID, Name: p.Name, NameKey: purchase.PersonKey(p.Name), Mail: p.Mail, Issuer: p.Issuer, Subject: p.Subject,
			Roles: strings.Join(p.Roles, ","), Accounts: accounts, GivenBy: givenBy(p.Claimed), CreatedAt: micros(p.CreatedAt),
		})
		if isUnique(err) {
			return ErrPerson
		}
		return err
	})
	if err != nil {
		return Person{}, fmt.Errorf("person %s: %w", p.Name, err)
	}
	return p, nil
}

func givenBy(claimed bool) string {
	if claimed {
		return "claims"
	}
	return "person"
}

func scope(accounts []string) (string, error) {
	if accounts == nil {
		return "", nil
	}
	raw, err := json.Marshal(accounts)
	return string(raw), err
}

func toScope(text string) (accounts []string, err error) {
	if text == "" {
		return nil, nil
	}
	err = json.Unmarshal([]byte(text), &accounts)
	return accounts, err
}

func toRoles(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func toPerson(r rows.Person, err error) (Person, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return Person{}, fmt.Errorf("person: %w", ErrNotFound)
	} else if err != nil {
		return Person{}, fmt.Errorf("person: %w", err)
	}
	p := Person{
		ID: r.ID, Name: r.Name, Mail: r.Mail, Issuer: r.Issuer, Subject: r.Subject, Roles: toRoles(r.Roles),
		Claimed: r.GivenBy == "claims", Disabled: r.Disabled == 1, CreatedAt: fromMicros(r.CreatedAt), ChangedAt: fromMicros(r.ChangedAt),
	}
	if p.Accounts, err = toScope(r.Accounts); err != nil {
		return Person{}, fmt.Errorf("accounts of %s: %w", r.Name, err)
	}
	return p, nil
}

// People reads all people, by name.
func (db *DB) People(ctx context.Context) ([]Person, error) {
	rs, err := db.read().ListPersons(ctx)
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	list := make([]Person, len(rs))
	for i, r := range rs {
		if list[i], err = toPerson(r, nil); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Person reads a person by id, else ErrNotFound.
func (db *DB) Person(ctx context.Context, id string) (Person, error) {
	return toPerson(db.read().GetPerson(ctx, id))
}

// PersonNamed reads a person by name, without regard to case, else ErrNotFound.
func (db *DB) PersonNamed(ctx context.Context, name string) (Person, error) {
	return toPerson(db.read().GetPersonByKey(ctx, purchase.PersonKey(name)))
}

// PersonIdentified reads whom an issuer knows by a subject, else ErrNotFound.
func (db *DB) PersonIdentified(ctx context.Context, issuer, subject string) (Person, error) {
	return toPerson(db.read().GetPersonBySubject(ctx, rows.GetPersonBySubjectParams{Issuer: issuer, Subject: subject}))
}

// PersonByMail reads whose mail address it is, else ErrNotFound.
func (db *DB) PersonByMail(ctx context.Context, mail string) (Person, error) {
	return toPerson(db.read().GetPersonByMail(ctx, strings.ToLower(strings.TrimSpace(mail))))
}

// SetRights gives a person other roles and accounts.
func (db *DB) SetRights(ctx context.Context, id string, roles, accounts []string, claimed bool, now time.Time) error {
	text, err := scope(accounts)
	if err != nil {
		return err
	}
	return db.write(ctx, func(q *rows.Queries) error {
		n, err := q.SetRights(ctx, rows.SetRightsParams{
			Roles: strings.Join(roles, ","), Accounts: text, GivenBy: givenBy(claimed), ChangedAt: micros(now), ID: id,
		})
		return one(n, err, ErrNotFound)
	})
}

func one(n int64, err, otherwise error) error {
	if err == nil && n != 1 {
		err = otherwise
	}
	return err
}

// DisablePerson keeps a person from signing in, or lets them again, and ends their
// sessions; ErrAlready if that is so already.
func (db *DB) DisablePerson(ctx context.Context, id string, disabled bool, now time.Time) error {
	return db.write(ctx, func(q *rows.Queries) error {
		n, err := q.SetDisabled(ctx, rows.SetDisabledParams{Disabled: flag(disabled), ChangedAt: micros(now), ID: id})
		if err = one(n, err, ErrAlready); err != nil {
			return err
		}
		_, err = q.EndSessionsOf(ctx, rows.EndSessionsOfParams{EndedAt: micros(now), PersonID: id})
		return err
	})
}

// BindPerson gives a person the identity at an issuer; ErrAlready if there is one.
func (db *DB) BindPerson(ctx context.Context, id, issuer, subject string, now time.Time) error {
	return db.write(ctx, func(q *rows.Queries) error {
		n, err := q.BindPerson(ctx, rows.BindPersonParams{Issuer: issuer, Subject: subject, ChangedAt: micros(now), ID: id})
		if isUnique(err) {
			return ErrPerson
		}
		return one(n, err, ErrAlready)
	})
}

// AddToken stores a new token and returns it with its id.
func (db *DB) AddToken(ctx context.Context, t Token) (Token, error) {
	t.ID = newID(t.CreatedAt)
	accounts, err := scope(t.Accounts)
	if err != nil {
		return Token{}, err
	}
	err = db.write(ctx, func(q *rows.Queries) error {
		return q.InsertToken(ctx, rows.InsertTokenParams{
			ID: t.ID, Hash: t.Hash, Mask: t.Mask, Name: t.Name, PersonID: t.Person, Roles: strings.Join(t.Roles, ","), Accounts: accounts,
			Agent: flag(t.Agent), CreatedAt: micros(t.CreatedAt), CreatedBy: t.CreatedBy, ExpiresAt: micros(t.ExpiresAt),
		})
	})
	if err != nil {
		return Token{}, fmt.Errorf("token %s: %w", t.Name, err)
	}
	return t, nil
}

func toToken(r rows.ApiToken, err error) (Token, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return Token{}, fmt.Errorf("token: %w", ErrNotFound)
	} else if err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	t := Token{
		ID: r.ID, Hash: r.Hash, Mask: r.Mask, Name: r.Name, Person: r.PersonID, Roles: toRoles(r.Roles), Agent: r.Agent == 1,
		CreatedAt: fromMicros(r.CreatedAt), CreatedBy: r.CreatedBy, ExpiresAt: fromMicros(r.ExpiresAt), SeenAt: fromMicros(r.SeenAt),
		RevokedAt: fromMicros(r.RevokedAt), RevokedBy: r.RevokedBy,
	}
	if t.Accounts, err = toScope(r.Accounts); err != nil {
		return Token{}, fmt.Errorf("accounts of token %s: %w", r.ID, err)
	}
	return t, nil
}

// Tokens reads all tokens, oldest first.
func (db *DB) Tokens(ctx context.Context) ([]Token, error) {
	rs, err := db.read().ListTokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	list := make([]Token, len(rs))
	for i, r := range rs {
		if list[i], err = toToken(r, nil); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// TokenID completes a shortened id of a token.
func (db *DB) TokenID(ctx context.Context, prefix string) (string, error) {
	return fullID(prefix, "token", func(like string) ([]string, error) { return db.read().TokenIDs(ctx, like) })
}

// TokenHashed reads a token by the hash of its secret, else ErrNotFound.
func (db *DB) TokenHashed(ctx context.Context, hash string) (Token, error) {
	return toToken(db.read().GetTokenByHash(ctx, hash))
}

// SeeToken records that a token was used.
func (db *DB) SeeToken(ctx context.Context, id string, now time.Time) error {
	return db.writeStep(ctx, func(q *rows.Queries) error {
		_, err := q.SeeToken(ctx, rows.SeeTokenParams{SeenAt: micros(now), ID: id})
		return err
	})
}

// RevokeToken ends a token; ErrAlready if it was revoked before.
func (db *DB) RevokeToken(ctx context.Context, id, by string, now time.Time) error {
	return db.write(ctx, func(q *rows.Queries) error {
		n, err := q.RevokeToken(ctx, rows.RevokeTokenParams{RevokedAt: micros(now), RevokedBy: by, ID: id})
		return one(n, err, ErrAlready)
	})
}

// StartSession stores a session, and ends the one that it takes the place of.
func (db *DB) StartSession(ctx context.Context, s Session, replaces string) error {
	return db.write(ctx, func(q *rows.Queries) error {
		if replaces != "" {
			if _, err := q.EndSession(ctx, rows.EndSessionParams{EndedAt: micros(s.CreatedAt), Hash: replaces}); err != nil {
				return err
			}
		}
		return q.InsertSession(ctx, rows.InsertSessionParams{
			Hash: s.Hash, Mask: s.Mask, PersonID: s.Person, How: s.How, CreatedAt: micros(s.CreatedAt), ExpiresAt: micros(s.ExpiresAt), Idle: s.Idle.Microseconds(),
		})
	})
}

// SessionHashed reads a session by the hash of its secret, ended or not, else
// ErrNotFound.
func (db *DB) SessionHashed(ctx context.Context, hash string) (Session, error) {
	r, err := db.read().GetSession(ctx, hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, fmt.Errorf("session: %w", ErrNotFound)
	} else if err != nil {
		return Session{}, fmt.Errorf("session: %w", err)
	}
	return Session{
		Hash: r.Hash, Mask: r.Mask, Person: r.PersonID, How: r.How, CreatedAt: fromMicros(r.CreatedAt), ExpiresAt: fromMicros(r.ExpiresAt),
		Idle: time.Duration(r.Idle) * time.Microsecond, SeenAt: fromMicros(r.SeenAt), EndedAt: fromMicros(r.EndedAt),
	}, nil
}

// SeeSession records that a session was used.
func (db *DB) SeeSession(ctx context.Context, hash string, now time.Time) error {
	return db.writeStep(ctx, func(q *rows.Queries) error {
		_, err := q.SeeSession(ctx, rows.SeeSessionParams{SeenAt: micros(now), Hash: hash})
		return err
	})
}

// EndSession ends a session; one that has ended stays so.
func (db *DB) EndSession(ctx context.Context, hash string, now time.Time) error {
	return db.writeStep(ctx, func(q *rows.Queries) error {
		_, err := q.EndSession(ctx, rows.EndSessionParams{EndedAt: micros(now), Hash: hash})
		return err
	})
}

// AddSignInLink stores a link and makes earlier ones of the person useless.
func (db *DB) AddSignInLink(ctx context.Context, l SignInLink) error {
	return db.write(ctx, func(q *rows.Queries) error {
		if err := q.VoidSignInLinks(ctx, rows.VoidSignInLinksParams{At: micros(l.CreatedAt), PersonID: l.Person}); err != nil {
			return err
		}
		return q.InsertSignInLink(ctx, rows.InsertSignInLinkParams{
			ID: newID(l.CreatedAt), Hash: l.Hash, PersonID: l.Person, CreatedAt: micros(l.CreatedAt), CreatedBy: l.CreatedBy, ExpiresAt: micros(l.ExpiresAt),
		})
	})
}

// SignInLink reads a link by the hash of its secret, used or not, else ErrNotFound.
func (db *DB) SignInLink(ctx context.Context, hash string) (SignInLink, error) {
	r, err := db.read().GetSignInLink(ctx, hash)
	if errors.Is(err, sql.ErrNoRows) {
		return SignInLink{}, fmt.Errorf("link: %w", ErrNotFound)
	} else if err != nil {
		return SignInLink{}, fmt.Errorf("link: %w", err)
	}
	return SignInLink{
		ID: r.ID, Hash: r.Hash, Person: r.PersonID, CreatedAt: fromMicros(r.CreatedAt), CreatedBy: r.CreatedBy, ExpiresAt: fromMicros(r.ExpiresAt), UsedAt: fromMicros(r.UsedAt),
	}, nil
}

// UseSignInLink uses a link up, else ErrUsed. Of several at once one is told that it
// did.
func (db *DB) UseSignInLink(ctx context.Context, id string, now time.Time) error {
	return db.write(ctx, func(q *rows.Queries) error {
		n, err := q.UseSignInLink(ctx, rows.UseSignInLinkParams{At: micros(now), ID: id})
		return one(n, err, ErrUsed)
	})
}

// Tries counts what has failed under a key since the window began.
func (db *DB) Tries(ctx context.Context, key string, window time.Time) (int, error) {
	n, err := db.read().CountTries(ctx, rows.CountTriesParams{Key: key, WindowAt: micros(window)})
	return int(n), err
}

// Try counts one more; earlier windows are over.
func (db *DB) Try(ctx context.Context, key string, window time.Time) error {
	return db.write(ctx, func(q *rows.Queries) error {
		return q.AddTry(ctx, rows.AddTryParams{Key: key, WindowAt: micros(window)})
	})
}

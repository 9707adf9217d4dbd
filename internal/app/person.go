package app

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/store"
)

// Who may sign in and what programs may do. Of these acts all need an admin who sees
// every account.

// AddPerson lets somebody sign in.
func (a *App) AddPerson(ctx context.Context, r api.PersonRequest) (api.Person, error) {
	by, p, err := a.personStep(ctx, auth.PersonAdd, &r)
	if err != nil {
		return api.Person{}, err
	}
	p.CreatedAt = time.Now().UTC()
	err = a.does(ctx, by, func() error {
		p, err = a.db.AddPerson(ctx, p)
		return err
	})
	if errors.Is(err, store.ErrPerson) {
		return api.Person{}, fmt.Errorf("there is a person named %s, or with that mail address, already: see bursar person list", r.Name)
	}
	return personView(p), err
}

// personStep reads what is asked for a person.
func (a *App) personStep(ctx context.Context, act auth.Act, r *api.PersonRequest) (s step, p store.Person, err error) {
	r.Name, r.Mail = strings.TrimSpace(r.Name), strings.ToLower(strings.TrimSpace(r.Mail))
	if r.Name == "" {
		return s, p, errors.New("a person needs a name")
	}
	if err := errors.Join(plain("the name of the person", r.Name), plain("the mail address", r.Mail)); err != nil {
		return s, p, err
	}
	if at, err := mail.ParseAddress(r.Mail); r.Mail != "" && (err != nil || at.Address != r.Mail) {
		return s, p, fmt.Errorf("--mail %q is not a mail address", r.Mail)
	}
	roles, err := auth.ParseRoles(r.Roles)
	if err != nil {
		return s, p, fmt.Errorf("--roles: %w", err)
	}
	if err := a.knownAccounts(r.Accounts); err != nil {
		return s, p, err
	}
	by, err := a.actor(ctx, act, r.Name, r.By)
	p = store.Person{Name: r.Name, Mail: r.Mail, Roles: roleNames(roles), Accounts: r.Accounts}
	return step{act: act, by: by, subject: r.Name, all: true, details: map[string]any{"mail": r.Mail, "roles": p.Roles, "scope": r.Accounts}}, p, err
}

func (a *App) knownAccounts(accounts []string) error {
	known := a.clouds.accounts()
	for _, id := range accounts {
		if !slices.Contains(known, id) {
			return fmt.Errorf("--accounts: nothing can be bought in %q: use one of %s", id, strings.Join(known, ", "))
		}
	}
	return nil
}

// People lists who may sign in.
func (a *App) People(ctx context.Context) ([]api.Person, error) {
	if err := a.readsAll(ctx, auth.AuditRead); err != nil {
		return nil, err
	}
	list, err := a.db.People(ctx)
	views := make([]api.Person, len(list))
	for i, p := range list {
		views[i] = personView(p)
	}
	return views, err
}

func personView(p store.Person) api.Person {
	v := api.Person{
		Name: p.Name, Mail: p.Mail, Roles: p.Roles, Accounts: p.Accounts, By: "person", Identity: p.Subject != "", Disabled: p.Disabled, CreatedAt: p.CreatedAt,
	}
	if p.Claimed {
		v.By = "claims"
	}
	return v
}

func (a *App) personNamed(ctx context.Context, name string) (store.Person, error) {
	p, err := a.db.PersonNamed(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("there is no person named %q: bursar person list shows them", strings.TrimSpace(name))
	}
	return p, err
}

// SetRoles gives a person other roles and accounts. They hold at once, also in sessions
// and for tokens.
func (a *App) SetRoles(ctx context.Context, r api.PersonRequest) (api.Person, error) {
	s, want, err := a.personStep(ctx, auth.PersonRoles, &r)
	if err != nil {
		return api.Person{}, err
	}
	p, err := a.personNamed(ctx, r.Name)
	if err != nil {
		return api.Person{}, err
	}
	err = a.does(ctx, s, func() error {
		return a.db.SetRights(ctx, p.ID, want.Roles, want.Accounts, false, time.Now())
	})
	if err != nil {
		return api.Person{}, err
	}
	p, err = a.db.Person(ctx, p.ID)
	return personView(p), err
}

// DisablePerson keeps a person, their sessions and their tokens out at once, or lets
// them in again.
func (a *App) DisablePerson(ctx context.Context, name string, disabled bool, by string) (api.Person, error) {
	act, is := auth.PersonDisable, "disabled"
	if !disabled {
		act, is = auth.PersonEnable, "enabled"
	}
	who, err := a.actor(ctx, act, name, by)
	if err != nil {
		return api.Person{}, err
	}
	p, err := a.personNamed(ctx, name)
	if err != nil {
		return api.Person{}, err
	}
	err = a.does(ctx, step{act: act, by: who, subject: p.Name, all: true}, func() error { return a.db.DisablePerson(ctx, p.ID, disabled, time.Now()) })
	if errors.Is(err, store.ErrAlready) {
		return api.Person{}, fmt.Errorf("%s is %s already", p.Name, is)
	} else if err != nil {
		return api.Person{}, err
	}
	p, err = a.db.Person(ctx, p.ID)
	return personView(p), err
}

// How long a token may be good.
const (
	DefaultTokenLife = 90 * 24 * time.Hour
	longestTokenLife = 366 * 24 * time.Hour
)

// CreateToken makes a token. The answer holds it whole, once.
func (a *App) CreateToken(ctx context.Context, r api.TokenRequest) (api.Token, error) {
	r.Name = strings.TrimSpace(r.Name)
	switch {
	case r.Name == "":
		return api.Token{}, errors.New("a token needs a name, which tells what it is for: bursar token create NAME")
	case r.Valid <= 0 || r.Valid > longestTokenLife:
		return api.Token{}, fmt.Errorf("a token cannot be good for %s: use more than 0s, and 8784h at most", r.Valid)
	}
	if err := plain("the name of the token", r.Name); err != nil {
		return api.Token{}, err
	}
	if err := a.knownAccounts(r.Accounts); err != nil {
		return api.Token{}, err
	}
	by, err := a.actor(ctx, auth.TokenCreate, r.Name, r.By)
	if err != nil {
		return api.Token{}, err
	}
	if r.Owner == "" {
		r.Owner = by
	}
	owner, err := a.personNamed(ctx, r.Owner)
	if err != nil {
		return api.Token{}, err
	}
	roles, kept := toAuthRoles(owner.Roles), toAuthRoles(owner.Roles)
	if len(r.Roles) > 0 {
		if roles, err = auth.ParseRoles(r.Roles); err != nil {
			return api.Token{}, fmt.Errorf("--roles: %w", err)
		}
		kept = auth.Within(roles, toAuthRoles(owner.Roles))
	}
	if len(kept) < len(roles) {
		return api.Token{}, fmt.Errorf("--roles: %s has the roles %s, and a token gives nothing more than its owner has", owner.Name, strings.Join(owner.Roles, ", "))
	}
	for _, account := range r.Accounts {
		if owner.Accounts != nil && !slices.Contains(owner.Accounts, account) {
			return api.Token{}, fmt.Errorf("--accounts: %s does not see account %s, and a token gives nothing more than its owner has", owner.Name, account)
		}
	}
	now := time.Now().UTC()
	secret, hash, mask := auth.NewSecret(auth.TokenPrefix)
	t := store.Token{
		Hash: hash, Mask: mask, Name: r.Name, Person: owner.ID, Roles: roleNames(roles), Accounts: r.Accounts, Agent: r.Agent,
		CreatedAt: now, CreatedBy: by, ExpiresAt: now.Add(r.Valid),
	}
	err = a.does(ctx, step{
		act: auth.TokenCreate, by: by, subject: r.Name, all: true, details: map[string]any{
			"mask": mask, "owner": owner.Name, "roles": t.Roles, "scope": r.Accounts, "agent": r.Agent, "expires": t.ExpiresAt.Format(time.RFC3339),
		},
	}, func() error {
		t, err = a.db.AddToken(ctx, t)
		return err
	})
	if err != nil {
		return api.Token{}, err
	}
	v := tokenView(t, owner, now)
	v.Value = secret
	return v, nil
}

// Tokens lists all tokens, oldest first.
func (a *App) Tokens(ctx context.Context) ([]api.Token, error) {
	if err := a.readsAll(ctx, auth.AuditRead); err != nil {
		return nil, err
	}
	people, err := a.db.People(ctx)
	if err != nil {
		return nil, err
	}
	list, err := a.db.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	views := make([]api.Token, len(list))
	for i, t := range list {
		owner := slices.IndexFunc(people, func(p store.Person) bool { return p.ID == t.Person })
		if owner < 0 { // added since the people were read
			return nil, fmt.Errorf("token %s: %w", t.ID, store.ErrNotFound)
		}
		views[i] = tokenView(t, people[owner], now)
	}
	return views, nil
}

func tokenView(t store.Token, owner store.Person, now time.Time) api.Token {
	v := api.Token{
		ID: t.ID, Mask: t.Mask, Name: t.Name, Owner: owner.Name, Roles: t.Roles, Accounts: t.Accounts, Agent: t.Agent, State: "good",
		CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy, ExpiresAt: t.ExpiresAt, SeenAt: optional(t.SeenAt), RevokedAt: optional(t.RevokedAt), RevokedBy: t.RevokedBy,
	}
	switch {
	case v.RevokedAt != nil:
		v.State = "revoked"
	case !now.Before(t.ExpiresAt):
		v.State = "expired"
	case owner.Disabled:
		v.State = "disabled"
	}
	return v
}

// RevokeToken ends a token at once; the id may be shortened to a unique prefix.
func (a *App) RevokeToken(ctx context.Context, id, by string) (api.Token, error) {
	who, err := a.actor(ctx, auth.TokenRevoke, id, by)
	if err != nil {
		return api.Token{}, err
	}
	full, err := a.db.TokenID(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return api.Token{}, fmt.Errorf("%w: bursar token list shows the tokens", err)
	case errors.Is(err, store.ErrAmbiguous):
		return api.Token{}, fmt.Errorf("%w: use more of the id", err)
	case err != nil:
		return api.Token{}, err
	}
	err = a.does(ctx, step{act: auth.TokenRevoke, by: who, subject: full, all: true}, func() error { return a.db.RevokeToken(ctx, full, who, time.Now()) })
	if errors.Is(err, store.ErrAlready) {
		return api.Token{}, fmt.Errorf("token %s was revoked before: see bursar token list", full)
	} else if err != nil {
		return api.Token{}, err
	}
	all, err := a.Tokens(ctx)
	if err != nil {
		return api.Token{}, err
	}
	i := slices.IndexFunc(all, func(t api.Token) bool { return t.ID == full })
	return all[i], nil
}

// SignInLink makes a link that signs a person in once, and makes earlier ones useless. On
// a fresh installation, where nobody may sign in, the person is added as an admin.
func (a *App) SignInLink(ctx context.Context, name, base, by string) (api.SignInLink, error) {
	who, err := a.actor(ctx, auth.LinkCreate, name, by)
	if err != nil {
		return api.SignInLink{}, err
	}
	if name == "" {
		name = who
	}
	people, err := a.db.People(ctx)
	if err != nil {
		return api.SignInLink{}, err
	}
	if len(people) == 0 {
		if _, err := a.AddPerson(ctx, api.PersonRequest{Name: name, Roles: []string{string(auth.Admin)}, By: who}); err != nil {
			return api.SignInLink{}, err
		}
	}
	p, err := a.personNamed(ctx, name)
	switch {
	case err != nil:
		return api.SignInLink{}, err
	case p.Disabled:
		return api.SignInLink{}, fmt.Errorf("%s is disabled: bursar person enable %s", p.Name, word(p.Name))
	}
	if base == "" {
		base = a.auth.BaseURL
	}
	if base == "" {
		base = DefaultBaseURL
	}
	secret, hash, _ := auth.NewSecret("")
	now := time.Now().UTC()
	l := store.SignInLink{Hash: hash, Person: p.ID, CreatedAt: now, CreatedBy: who, ExpiresAt: now.Add(auth.LinkLifetime)}
	err = a.does(ctx, step{act: auth.LinkCreate, by: who, subject: p.Name, all: true}, func() error { return a.db.AddSignInLink(ctx, l) })
	return api.SignInLink{
		Person: p.Name, URL: strings.TrimRight(base, "/") + auth.LinkPath + "?" + auth.LinkField + "=" + secret, ExpiresAt: l.ExpiresAt,
	}, err
}

// DefaultBaseURL is where a server is reached if the configuration does not say.
const DefaultBaseURL = "http://127.0.0.1:8080"

package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"bursar/internal/auditlog"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDC is the identity provider by which people sign in.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret string // "" for a public client
	Scopes       []string
	// Domains limits whose mail addresses are taken; none is all. The provider must say
	// that it has verified the address, unless TrustMail is set.
	Domains   []string
	TrustMail bool
	// GroupsClaim names the claim that lists groups. The first of Groups that a person is
	// in gives roles and accounts, at every sign-in anew. Whoever is in none needs to have
	// been added by name.
	GroupsClaim string
	Groups      []Grant
	Client      *http.Client // nil is one with a timeout
}

// Grant is what the members of a group may do.
type Grant struct {
	Group    string
	Roles    []Role
	Accounts []string // nil is all
}

// startLife is how long somebody may take at the provider.
const startLife = 10 * time.Minute

// provider is an OIDC that is asked for its configuration when it is needed first.
type provider struct {
	OIDC
	redirect string
	mu       sync.Mutex
	found    *oidc.Provider
}

func (p *provider) client() *http.Client {
	if p.Client != nil {
		return p.Client
	}
	return &http.Client{Timeout: 10 * time.Second}
}

func (p *provider) discover() (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	// The provider keeps the context for fetching keys later, so it is not a request's.
	ctx, client := context.Background(), p.client()
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, client), p.Issuer)
	if err == nil {
		p.found = found
	}
	return found, err
}

func (p *provider) oauth(found *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: p.redirect,
		Scopes: append([]string{oidc.ScopeOpenID, "email", "profile"}, p.Scopes...),
	}
}

// start is what the browser keeps while somebody is at the provider.
type start struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Next     string `json:"next"`
}

func random() string { return rand.Text() + rand.Text() }

// begun reads what StartOIDC has left in the browser; zero for nothing.
func (a *Authenticator) begun(r *http.Request) (s start) {
	raw, err := base64.RawURLEncoding.DecodeString(a.cookie(r, startCookie))
	if err != nil || json.Unmarshal(raw, &s) != nil {
		return start{}
	}
	return s
}

// StartOIDC sends a browser to the identity provider. It changes nothing here.
func (a *Authenticator) StartOIDC(w http.ResponseWriter, r *http.Request) {
	if a.oidc == nil {
		a.Refuse(w, r, http.StatusNotFound, "no identity provider is configured: use a link of bursar sign-in-link")
		return
	}
	found, err := a.oidc.discover()
	if err != nil {
		a.Refuse(w, r, http.StatusBadGateway, "the identity provider does not answer: try again, or use a link of bursar sign-in-link")
		return
	}
	s := start{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Next: Next(r.FormValue(NextField))}
	raw, err := json.Marshal(s)
	if err != nil {
		a.broken(w, r)
		return
	}
	a.setCookie(w, startCookie, base64.RawURLEncoding.EncodeToString(raw), startLife)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, a.oidc.oauth(found).AuthCodeURL(s.State, oidc.Nonce(s.Nonce), oauth2.S256ChallengeOption(s.Verifier)), http.StatusSeeOther)
}

// FinishOIDC takes a browser back from the identity provider and signs the person in.
// It is a GET, because the provider redirects to it; the state in the browser's cookie
// keeps anybody else from calling it.
func (a *Authenticator) FinishOIDC(w http.ResponseWriter, r *http.Request) {
	if a.oidc == nil {
		a.Refuse(w, r, http.StatusNotFound, "no identity provider is configured: use a link of bursar sign-in-link")
		return
	}
	if wait := a.tooOften(r, ""); wait > 0 {
		a.tellToWait(w, r, wait)
		return
	}
	s := a.begun(r)
	a.setCookie(w, startCookie, "", 0)
	query := r.URL.Query()
	if s.State == "" || subtle.ConstantTimeCompare([]byte(s.State), []byte(query.Get("state"))) != 1 {
		a.fail(w, r, http.StatusBadRequest, failure{act: SignIn, why: "this sign-in was not begun in this browser, or took too long: begin again"})
		return
	}
	id, status, err := a.identify(r.Context(), query, s)
	var no *errSignedOut
	switch {
	case errors.As(err, &no):
		a.fail(w, r, status, failure{who: no.who, act: SignIn, why: no.why})
		return
	case err != nil:
		a.Refuse(w, r, status, "the identity provider does not answer: try again, or use a link of bursar sign-in-link")
		return
	}
	if wait := a.tooOften(r, id.Mail); wait > 0 {
		a.tellToWait(w, r, wait)
		return
	}
	p, err := a.personOf(r, id)
	if errors.As(err, &no) {
		a.fail(w, r, http.StatusForbidden, failure{who: no.who, act: SignIn, subject: id.Mail, why: no.why})
		return
	} else if err != nil {
		a.broken(w, r)
		return
	}
	if err := a.signIn(w, r, p, "oidc", func() error { return nil }); err != nil {
		a.broken(w, r)
	}
}

// identity is what the provider says of a person.
type identity struct {
	Issuer, Subject string
	Mail            string // verified, lower case; "" for none
	Grant           *Grant // of the first group; nil for none
}

// identify exchanges the code and tests the token that it gets. An *errSignedOut is the
// person's to know; any other error is the provider's.
func (a *Authenticator) identify(ctx context.Context, query map[string][]string, s start) (id identity, status int, err error) {
	no := func(why string) (identity, int, error) {
		return identity{}, http.StatusUnauthorized, &errSignedOut{why: why}
	}
	get := func(name string) string {
		if v := query[name]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	if get("error") != "" {
		return no("the identity provider did not sign you in: begin again, or ask its administrator")
	}
	found, err := a.oidc.discover()
	if err != nil {
		return identity{}, http.StatusBadGateway, err
	}
	got, err := a.oidc.oauth(found).Exchange(oidc.ClientContext(ctx, a.oidc.client()), get("code"), oauth2.VerifierOption(s.Verifier))
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response.StatusCode < 500 {
		return no("the identity provider did not take the code of this sign-in: begin again")
	} else if err != nil {
		return identity{}, http.StatusBadGateway, err
	}
	raw, ok := got.Extra("id_token").(string)
	if !ok {
		return no("the identity provider sent no ID token: ask for the scope openid in its configuration")
	}
	token, err := found.Verifier(&oidc.Config{ClientID: a.oidc.ClientID, Now: a.now}).Verify(oidc.ClientContext(ctx, a.oidc.client()), raw)
	var old *oidc.TokenExpiredError
	switch {
	case errors.As(err, &old):
		return no("the ID token of the identity provider is expired: begin again, and see whether the clocks agree")
	case err != nil:
		return no("the ID token of the identity provider is not good: it is not for this client, or not signed by its keys")
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(s.Nonce)) != 1:
		return no("the ID token is not of this sign-in: begin again")
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return no("the ID token of the identity provider cannot be read")
	}
	if azp, ok := claims["azp"].(string); ok && azp != a.oidc.ClientID || !ok && len(token.Audience) > 1 {
		return no("the ID token of the identity provider was made for another client")
	}
	return a.oidc.identity(token, claims)
}

func (p *provider) identity(token *oidc.IDToken, claims map[string]any) (id identity, status int, err error) {
	id = identity{Issuer: token.Issuer, Subject: token.Subject}
	mail, _ := claims["email"].(string)
	verified, _ := claims["email_verified"].(bool)
	if text, _ := claims["email_verified"].(string); text == "true" { // of some providers
		verified = true
	}
	if verified || p.TrustMail {
		id.Mail = strings.ToLower(strings.TrimSpace(mail))
	}
	if _, domain, _ := strings.Cut(id.Mail, "@"); len(p.Domains) > 0 && !slices.ContainsFunc(p.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
		return id, http.StatusForbidden, &errSignedOut{who: mail, why: "only verified mail addresses at " + strings.Join(p.Domains, ", ") + " sign in here"}
	}
	var groups []string
	switch v := claims[p.GroupsClaim].(type) {
	case string:
		groups = []string{v}
	case []any:
		for _, g := range v {
			if text, ok := g.(string); ok {
				groups = append(groups, text)
			}
		}
	}
	for i, g := range p.Groups {
		if slices.Contains(groups, g.Group) {
			id.Grant = &p.Groups[i]
			break
		}
	}
	return id, http.StatusOK, nil
}

// personOf finds whom an identity belongs to: who has signed in with it before, or was
// added with its mail address, or whom a group lets in. People are named by their mail
// address, for which the provider vouches, and never by what they call themselves.
func (a *Authenticator) personOf(r *http.Request, id identity) (p Person, err error) {
	ctx, now := r.Context(), a.now()
	first := func(act Act, name string, details map[string]string) error {
		details["issuer"], details["subject"] = id.Issuer, id.Subject
		if id.Grant != nil {
			details["group"] = id.Grant.Group
		}
		e, err := a.entry(r, name, "", act, auditlog.Did, name, details)
		if err == nil {
			_, err = a.Book.Record(ctx, e)
		}
		return err
	}
	p, err = a.Book.PersonIdentified(ctx, id.Issuer, id.Subject)
	if errors.Is(err, ErrUnknown) && id.Mail != "" {
		p, err = a.Book.PersonByMail(ctx, id.Mail)
		if err == nil && p.Subject != "" {
			return p, &errSignedOut{who: p.Name, why: id.Mail + " belongs to somebody who signs in with another identity: ask an admin"}
		}
		if err == nil && !p.Disabled {
			if err = first(PersonBind, p.Name, map[string]string{"mail": id.Mail}); err == nil {
				err = a.Book.BindPerson(ctx, p.ID, id.Issuer, id.Subject, now)
			}
		}
	}
	switch unknown := errors.Is(err, ErrUnknown); {
	case unknown && id.Mail == "":
		return p, &errSignedOut{why: "the identity provider vouches for no mail address of yours, and nobody is known without one: ask an admin"}
	case unknown && id.Grant == nil:
		return p, &errSignedOut{who: id.Mail, why: id.Mail + " has no role here: ask an admin for bursar person add"}
	case unknown:
		if err := first(PersonAdd, id.Mail, map[string]string{"roles": joined(id.Grant.Roles)}); err != nil {
			return p, err
		}
		return a.Book.AddPerson(ctx, Person{
			Name: id.Mail, Mail: id.Mail, Issuer: id.Issuer, Subject: id.Subject, Roles: id.Grant.Roles, Accounts: id.Grant.Accounts, Claimed: true,
		}, now)
	case err != nil:
		return p, err
	case p.Disabled:
		return p, &errSignedOut{who: p.Name, why: p.Name + " is disabled: ask an admin"}
	case p.Claimed && id.Grant == nil:
		return p, &errSignedOut{who: p.Name, why: p.Name + " is in no group that has a role here any more: ask an admin"}
	case p.Claimed && (!slices.Equal(p.Roles, id.Grant.Roles) || !slices.Equal(p.Accounts, id.Grant.Accounts) || (p.Accounts == nil) != (id.Grant.Accounts == nil)):
		if err := first(PersonRoles, p.Name, map[string]string{"roles": joined(id.Grant.Roles)}); err != nil {
			return p, err
		}
		p.Roles, p.Accounts = id.Grant.Roles, id.Grant.Accounts
		err = a.Book.SetRights(ctx, p.ID, p.Roles, p.Accounts, now)
	}
	return p, err
}

func joined(roles []Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

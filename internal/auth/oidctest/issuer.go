// Package oidctest is an identity provider of OpenID Connect for tests, over HTTP.
package oidctest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// Issuer is an identity provider: it gives the next sign-in the claims that it is told,
// signed by the key that it has now.
type Issuer struct {
	URL    string
	Claims map[string]any  // besides those that a token has anyway
	Asked  int             // for tokens
	Away   bool            // it does not answer
	Sign   *rsa.PrivateKey // another key than the one it shows; nil for none

	t    *testing.T
	key  *rsa.PrivateKey
	kid  int
	sent *url.URL // where the browser was sent
	code string
}

// New starts a provider that knows the client bursar with the secret hush.
func New(t *testing.T) *Issuer {
	t.Helper()
	i := &Issuer{t: t}
	i.Rotate()
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if i.Away {
			w.WriteHeader(503)
			return
		}
		answer(w, map[string]any{
			"issuer": i.URL, "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /auth", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>Provider</title><link rel="icon" href="data:,"><main id="main"><form method="post" action="/auth?%s"><button>Continue</button></form></main></html>`, html.EscapeString(r.URL.RawQuery))
	})
	mux.HandleFunc("POST /auth", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, i.Grant(r.URL), http.StatusSeeOther)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		n := base64.RawURLEncoding.EncodeToString(i.key.N.Bytes())
		e := base64.RawURLEncoding.EncodeToString(big.NewInt(int64(i.key.E)).Bytes())
		answer(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": fmt.Sprint(i.kid), "n": n, "e": e}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		i.Asked++
		id, secret, _ := r.BasicAuth()
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		challenge := base64.RawURLEncoding.EncodeToString(sum[:])
		query := i.sent.Query()
		if id != "bursar" || secret != "hush" || r.PostFormValue("code") != i.code || challenge != query.Get("code_challenge") || query.Get("code_challenge_method") != "S256" {
			w.WriteHeader(400)
			answer(w, map[string]any{"error": "invalid_grant"})
			return
		}
		answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": i.token()})
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	i.URL = srv.URL
	return i
}

// Rotate gives the provider another key.
func (i *Issuer) Rotate() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		i.t.Fatal(err)
	}
	i.key, i.kid = key, i.kid+1
}

// Grant lets somebody in who was sent to an address of the provider, and returns where the
// browser goes back to.
func (i *Issuer) Grant(sent *url.URL) (back string) {
	query := sent.Query()
	i.sent, i.code = sent, "code-"+query.Get("nonce")
	return query.Get("redirect_uri") + "?" + url.Values{"state": {query.Get("state")}, "code": {i.code}}.Encode()
}

func (i *Issuer) token() string {
	claims := map[string]any{
		"iss": i.URL, "aud": "bursar", "sub": "sub-1", "nonce": i.sent.Query().Get("nonce"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"email": "ada@example.org", "email_verified": true,
	}
	for k, v := range i.Claims {
		claims[k] = v
	}
	part := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			i.t.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	text := part(map[string]any{"alg": "RS256", "kid": fmt.Sprint(i.kid)}) + "." + part(claims)
	key := i.key
	if i.Sign != nil {
		key = i.Sign
	}
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		i.t.Error(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

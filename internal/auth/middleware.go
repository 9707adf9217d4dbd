package auth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/auditlog"
)

// Middleware finds out who acts in a request and hands it on with the Principal in its
// context, or with none where there is no credential. A session that is over is none.
//
// A token that is not good is answered with 401, and what a browser was made to send by
// another site with 403, unless it can change nothing; the request then goes no further.
func (a *Authenticator) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, why, err := a.who(r)
		var bad *errSignedOut
		switch {
		case errors.As(err, &bad):
			w.Header().Set("WWW-Authenticate", `Bearer realm="bursar", error="invalid_token"`)
			a.fail(w, r, http.StatusUnauthorized, failure{who: bad.who, session: bad.mask, act: SignIn, why: bad.why})
			return
		case err != nil:
			a.broken(w, r)
			return
		}
		if err := a.cross.Check(r); err != nil {
			a.fail(w, r, http.StatusForbidden, failure{
				who: p.Name, session: p.Session, act: CrossSite, subject: r.Method + " " + r.URL.Path,
				why: "this request came from another site and was not carried out: open Bursar itself",
			})
			return
		}
		ctx := r.Context()
		switch {
		case p.Name != "":
			ctx = With(ctx, p)
		case why != "":
			ctx = context.WithValue(ctx, whyKey{}, why)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

type whyKey struct{}

// who reads the credential of a request. why tells of a session that is over; a token
// that is not good is an *errSignedOut.
func (a *Authenticator) who(r *http.Request) (p Principal, why string, err error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Principal{}, "", &errSignedOut{why: "use Authorization: Bearer and a token"}
		}
		p, err = a.byToken(r.Context(), strings.TrimSpace(secret))
		return p, "", err
	}
	secret := a.cookie(r, sessionCookie)
	if secret == "" {
		return Principal{}, "", nil
	}
	p, err = a.bySession(r.Context(), secret)
	var over *errSignedOut
	if errors.As(err, &over) {
		return Principal{}, over.why, nil
	}
	return p, "", err
}

// Permit reports whether whoever sends the request may do an act on these accounts. If
// not, it has answered: with 401 if nobody is signed in and 403 otherwise.
func (a *Authenticator) Permit(w http.ResponseWriter, r *http.Request, act Act, accounts ...string) (Principal, bool) {
	p, ok := From(r.Context())
	if !ok {
		why, _ := r.Context().Value(whyKey{}).(string)
		if why == "" {
			why = "sign in first, or send a token"
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="bursar"`)
		if Acts[act] == Read {
			a.Refuse(w, r, http.StatusUnauthorized, why)
		} else {
			a.fail(w, r, http.StatusUnauthorized, failure{act: act, subject: r.URL.Path, why: why})
		}
		return Principal{}, false
	}
	if err := p.Check(act, accounts...); err != nil {
		if !a.denied(w, r, failure{who: p.Name, session: p.Session, act: act, subject: r.URL.Path, why: err.Error()}) {
			return Principal{}, false
		}
		a.Refuse(w, r, http.StatusForbidden, err.Error())
		return Principal{}, false
	}
	return p, true
}

// Require hands on the requests of those who may do an act.
func (a *Authenticator) Require(act Act, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := a.Permit(w, r, act); ok {
			next.ServeHTTP(w, r)
		}
	})
}

// failure is an attempt that comes to nothing.
type failure struct {
	who, session string // "" for nobody
	act          Act
	subject, why string
}

// fail counts a failure against the address, and the name if there is one, logs it and
// answers. Whoever has failed too often is told to wait, and nothing is written.
func (a *Authenticator) fail(w http.ResponseWriter, r *http.Request, status int, f failure) {
	if f.who == "" || status == http.StatusUnauthorized {
		if wait := a.tooOften(r, f.who); wait > 0 {
			a.tellToWait(w, r, wait)
			return
		}
		if err := a.count(r, f.who); err != nil {
			a.broken(w, r)
			return
		}
	}
	if a.denied(w, r, f) {
		a.Refuse(w, r, status, f.why)
	}
}

// denied logs an attempt that is not permitted. If that fails it has answered.
func (a *Authenticator) denied(w http.ResponseWriter, r *http.Request, f failure) bool {
	e, err := a.entry(r, f.who, f.session, f.act, auditlog.Denied, f.subject, map[string]string{"why": f.why})
	if err == nil {
		_, err = a.Book.Record(r.Context(), e)
	}
	if err != nil {
		a.broken(w, r)
	}
	return err == nil
}

func (a *Authenticator) entry(r *http.Request, who, session string, act Act, kind auditlog.Kind, subject string, details map[string]string) (auditlog.Entry, error) {
	if who == "" {
		who = "nobody"
	}
	details["address"] = a.address(r)
	for k, v := range details {
		details[k] = auditlog.Text(v)
	}
	text, err := auditlog.Details(details)
	return auditlog.Entry{
		At: a.now(), Actor: auditlog.Text(who), Session: session, Act: string(act), Kind: kind, Subject: auditlog.Text(subject), Details: text,
	}, err
}

// broken answers where the ledger cannot be read or written.
func (a *Authenticator) broken(w http.ResponseWriter, r *http.Request) {
	a.Refuse(w, r, http.StatusInternalServerError, "the ledger cannot be used now, and nothing was done: try again")
}

// window is the beginning of the one that now is in.
func (a *Authenticator) window() time.Time { return a.now().Truncate(tryWindow) }

func (a *Authenticator) keys(r *http.Request, name string) map[string]int {
	// So many keys and no more: nobody fills the ledger by trying.
	key := func(kind, value string) string { return kind + " " + Hash(value)[:4] }
	keys := map[string]int{key("address", network(a.address(r))): addressMay}
	if name != "" {
		keys[key("name", strings.ToLower(strings.TrimSpace(name)))] = nameMay
	}
	return keys
}

// tooOften returns how long the address, or the name, has to wait; 0 for not at all.
// Where it cannot be known nobody waits.
func (a *Authenticator) tooOften(r *http.Request, name string) time.Duration {
	for key, may := range a.keys(r, name) {
		if n, err := a.Book.Tries(r.Context(), key, a.window()); err == nil && n >= may {
			return a.window().Add(tryWindow).Sub(a.now())
		}
	}
	return 0
}

func (a *Authenticator) count(r *http.Request, name string) error {
	var all error
	for key := range a.keys(r, name) {
		all = errors.Join(all, a.Book.Try(r.Context(), key, a.window()))
	}
	return all
}

func (a *Authenticator) tellToWait(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	seconds := int((wait + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	a.Refuse(w, r, http.StatusTooManyRequests, "too many attempts to sign in have failed: wait "+strconv.Itoa((seconds+59)/60)+" min")
}

// address is that of whoever sends a request, behind the proxies that are believed.
func (a *Authenticator) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		at, err := netip.ParseAddr(host)
		trusted := func(p netip.Prefix) bool { return p.Contains(at.Unmap()) }
		if err != nil || !slices.ContainsFunc(a.Proxies, trusted) {
			break
		}
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		host = hop.String()
	}
	return host
}

// network is what one subscriber has: an address of IPv4, 64 bits of IPv6.
func network(address string) string {
	at, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if at = at.Unmap(); at.Is4() {
		return at.String()
	}
	p, err := at.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

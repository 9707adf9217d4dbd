package auth

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"bursar/internal/auditlog"
)

// Where signing in happens. LinkPath is that of the page that a link opens: a GET shows
// a button and nothing more, because scanners open links; its POST is UseLink, with the
// field LinkField of the form.
const (
	SignInPath   = "/sign-in"
	SignOutPath  = "/sign-out"
	StartPath    = "/sign-in/oidc"
	CallbackPath = "/sign-in/callback"
	LinkPath     = "/sign-in/link"
	LinkField    = "link"
	NextField    = "next" // the path to go on to, of query or form
)

const (
	sessionCookie = "bursar"
	startCookie   = "bursar-sign-in"
)

// cookieName has the prefix by which a browser takes a cookie from this host over TLS
// only.
func (a *Authenticator) cookieName(name string) string {
	if a.secure {
		return "__Host-" + name
	}
	return name
}

func (a *Authenticator) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(a.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie keeps a value in the browser for a time; 0 takes it back. Lax: a link from
// elsewhere opens a page, and nothing else from elsewhere carries it.
func (a *Authenticator) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	age := int(life / time.Second)
	if age == 0 {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(name), Value: value, Path: "/", MaxAge: age, Secure: a.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// Next is where to go on after signing in: a path of this server, or "/".
func Next(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// UseLink signs in whoever holds a link, once. It takes a POST only.
func (a *Authenticator) UseLink(w http.ResponseWriter, r *http.Request) {
	if !a.post(w, r) {
		return
	}
	if wait := a.tooOften(r, ""); wait > 0 {
		a.tellToWait(w, r, wait)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	secret := strings.TrimSpace(r.PostFormValue(LinkField))
	bad := func(who, why string) {
		a.fail(w, r, http.StatusUnauthorized, failure{who: who, act: SignIn, why: why})
	}
	const fresh = "make a fresh one with: bursar sign-in-link"
	l, err := a.Book.Link(r.Context(), Hash(secret))
	if errors.Is(err, ErrUnknown) {
		bad("", "there is no such link: "+fresh)
		return
	} else if err != nil {
		a.broken(w, r)
		return
	}
	p, err := a.Book.Person(r.Context(), l.Person)
	switch {
	case err != nil:
		a.broken(w, r)
		return
	case !l.UsedAt.IsZero():
		bad(p.Name, "the link was used before, or a later one took its place: "+fresh)
		return
	case !a.now().Before(l.ExpiresAt):
		bad(p.Name, "the link's time is over: "+fresh)
		return
	case p.Disabled:
		bad(p.Name, p.Name+" is disabled: ask an admin")
		return
	}
	if wait := a.tooOften(r, p.Name); wait > 0 {
		a.tellToWait(w, r, wait)
		return
	}
	err = a.signIn(w, r, p, "link", func() error { return a.Book.UseLink(r.Context(), l.ID, a.now()) })
	if errors.Is(err, ErrUsed) {
		bad(p.Name, "the link was used at the same moment: "+fresh)
	} else if err != nil {
		a.broken(w, r)
	}
}

// signIn logs that somebody signs in, then does what makes it so, and starts a session
// in the place of the one that the browser had. On an error nothing was answered.
func (a *Authenticator) signIn(w http.ResponseWriter, r *http.Request, p Person, how string, first func() error) error {
	secret, hash, mask := NewSecret("")
	e, err := a.entry(r, p.Name, "session "+mask, SignIn, auditlog.Did, p.Name, map[string]string{"how": how})
	if err == nil {
		_, err = a.Book.Record(r.Context(), e)
	}
	if err == nil {
		err = first()
	}
	if err != nil {
		return err
	}
	now, replaces := a.now(), ""
	if old := a.cookie(r, sessionCookie); old != "" {
		replaces = Hash(old)
	}
	err = a.Book.StartSession(r.Context(), Session{
		Hash: hash, Mask: mask, Person: p.ID, How: how, CreatedAt: now, ExpiresAt: now.Add(a.Lifetime), Idle: a.Idle,
	}, replaces)
	if err != nil {
		return err
	}
	a.setCookie(w, sessionCookie, secret, a.Lifetime)
	next := r.FormValue(NextField)
	if how == "oidc" {
		next = a.begun(r).Next
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, Next(next), http.StatusSeeOther)
	return nil
}

// SignOut ends the session of the browser. It takes a POST only.
func (a *Authenticator) SignOut(w http.ResponseWriter, r *http.Request) {
	if !a.post(w, r) {
		return
	}
	secret := a.cookie(r, sessionCookie)
	if p, ok := From(r.Context()); ok && secret != "" {
		e, err := a.entry(r, p.Name, p.Session, SignOut, auditlog.Did, p.Name, map[string]string{})
		if err == nil {
			_, err = a.Book.Record(r.Context(), e)
		}
		if err == nil {
			err = a.Book.EndSession(r.Context(), Hash(secret), a.now())
		}
		if err != nil {
			a.broken(w, r)
			return
		}
	}
	a.setCookie(w, sessionCookie, "", 0)
	http.Redirect(w, r, SignInPath, http.StatusSeeOther)
}

func (a *Authenticator) post(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodPost {
		return true
	}
	w.Header().Set("Allow", http.MethodPost)
	a.Refuse(w, r, http.StatusMethodNotAllowed, "this changes something, and takes a POST")
	return false
}

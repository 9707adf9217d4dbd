// Package web holds the pages: what Bursar knows and lets people do, as HTML that
// is complete without scripts. A page is one file with its handler and one with its
// template. Reading a page never acts: every act is a form that is posted, and
// answers with a redirect.
package web

//go:generate go tool -modfile=../../tools.mod templ generate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"bursar/internal/api"
	"bursar/internal/auth"
)

// Options are what the pages need.
type Options struct {
	Service api.Pages
	SignIn  SignIn // nil: nobody signs in here, and who acts is in the context or nobody is
	// Denied records an attempt that was not permitted; nil records none.
	Denied func(ctx context.Context, p auth.Principal, act auth.Act, subject, why string) error
	Log    *slog.Logger // nil discards
}

// Site is the pages, which answer requests.
type Site struct {
	http.Handler
	routes []string
}

// Routes are the patterns of the requests that are answered, in order.
func (s *Site) Routes() []string { return slices.Sorted(slices.Values(s.routes)) }

// site holds what the pages are made of.
type site struct {
	Options
	mux       *http.ServeMux
	routes    []string
	inventory memo[listing]
	measured  memo[api.Inventory] // with what the clouds were asked of use
	doctor    memo[api.Doctor]
	checks    memo[[]api.Finding]
	chain     memo[api.AuditHead]
}

// New returns the pages. The principal that acts is expected in the context of each
// request; without one a page leads to the sign-in. What another site made a browser
// send must have been refused before.
func New(o Options) *Site {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &site{Options: o, mux: http.NewServeMux()}
	s.route("GET /assets/{name}", asset)
	s.homePages()
	s.planPages()
	s.approvePages()
	s.executionPages()
	s.doubtPages()
	s.historyPages()
	s.undoPages()
	s.inventoryPages()
	s.expiryPages()
	s.whatIfPages()
	s.recommendationPages()
	s.schedulePages()
	s.accountPages()
	s.auditPages()
	s.notificationPages()
	s.signInPages()
	s.route("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusNotFound, "There is no such page.", "/")
	})
	return &Site{secure(s.mux), s.routes}
}

// policy lets a page use what this server sends and nothing else: no script or style
// within a page, no frame around it. Pico draws its checkmarks from data.
const policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// route has a pattern of requests answered.
func (s *site) route(pattern string, answer http.HandlerFunc) {
	s.routes = append(s.routes, pattern)
	s.mux.HandleFunc(pattern, answer)
}

// page is a handler of one page or act. An error is shown as a sentence.
type page func(w http.ResponseWriter, r *http.Request, v view) error

// form bounds what is posted; files have a bound of their own.
const form = 1 << 20

// get serves a page to whoever has the permission.
func (s *site) get(path string, needs auth.Permission, p page) {
	s.route("GET "+path, s.handle(func(_ *http.Request, v view) error {
		if !v.who.May(needs) {
			return api.Errorf(api.Forbidden, "%s may not do this: it needs the permission to %s", v.who.Name, needs)
		}
		return nil
	}, p))
}

// post serves an act. One that the roles of whoever asks do not permit is refused before
// anything of the form is looked at, and recorded; the rest is up to the service.
func (s *site) post(path string, act auth.Act, p page) {
	s.route("POST "+path, s.handle(func(r *http.Request, v view) error {
		err := v.who.Check(act)
		if err != nil && act != auth.ReadAny && s.Denied != nil {
			err = errors.Join(err, s.Denied(r.Context(), v.who, act, cmp.Or(r.PathValue("line"), r.PathValue("plan"), r.URL.Path), err.Error()))
		}
		return err
	}, p))
}

// handle serves a page to whoever is signed in and is not refused.
func (s *site) handle(refused func(r *http.Request, v view) error, p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, ok := auth.From(r.Context())
		if !ok || who.Name == "" {
			s.toSignIn(w, r)
			return
		}
		v, err := s.view(r, who)
		if err != nil {
			s.fail(w, r, http.StatusInternalServerError, err.Error(), "/")
			return
		}
		if err := refused(r, v); err != nil {
			s.problem(w, r, v, status(err), sentence(err), "/")
			return
		}
		if r.Method == http.MethodPost && r.ContentLength != 0 && !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			r.Body = http.MaxBytesReader(w, r.Body, form)
		}
		if err := p(w, r, v); err != nil && r.Context().Err() == nil {
			s.Log.Info("page", "path", r.URL.Path, "error", err)
			s.problem(w, r, v, status(err), sentence(err), back(r))
		}
	}
}

// status is what an error means for HTTP.
func status(err error) int {
	var kind *api.Error
	var forbidden *auth.ForbiddenError
	switch {
	case errors.As(err, &forbidden):
		return http.StatusForbidden
	case !errors.As(err, &kind):
		return http.StatusUnprocessableEntity
	}
	switch kind.Kind {
	case api.NotFound:
		return http.StatusNotFound
	case api.Forbidden:
		return http.StatusForbidden
	case api.Unavailable:
		return http.StatusServiceUnavailable
	case api.Internal:
		return http.StatusInternalServerError
	}
	return http.StatusUnprocessableEntity
}

// Refuse answers with one sentence as a page does.
func Refuse(w http.ResponseWriter, r *http.Request, status int, says string) {
	secure(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		new(site).bare(w, r, status, sentence(errorText(says)), "/")
	})).ServeHTTP(w, r)
}

// back is where a refused act was asked for.
func back(r *http.Request) string {
	if u, err := url.Parse(r.Referer()); err == nil && u.Host == r.Host && u.Path != "" {
		return u.RequestURI()
	}
	return "/"
}

// sentence is an error as people are told it.
func sentence(err error) string {
	text := strings.TrimSpace(err.Error())
	if text == "" {
		return "It could not be done."
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

// view is what every page shows, and who looks at it.
type view struct {
	title   string
	section string // of the navigation
	who     auth.Principal
	in      api.Installation
	stop    *api.Stop
	now     time.Time // of the clouds
	url     *url.URL
	wide    bool
}

func (s *site) view(r *http.Request, who auth.Principal) (view, error) {
	v := view{who: who, now: s.Service.Now(), url: r.URL}
	var err error
	if v.in, err = s.Service.Installation(r.Context()); err != nil {
		return v, err
	}
	p, err := s.Service.Purchasing(r.Context())
	v.stop = p.Stopped
	return v, err
}

func (v view) titled(section, title string) view {
	v.section, v.title = section, title
	return v
}

// page is the address of another page of the same list; "" is the first.
func (v view) page(cursor string) string {
	q := v.url.Query()
	q.Del("cursor")
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	to := url.URL{Path: v.url.Path, RawQuery: q.Encode()}
	return to.String()
}

// query is a parameter of the address.
func (v view) query(name string) string { return strings.TrimSpace(v.url.Query().Get(name)) }

// show renders a page. Nothing is sent before all of it is there.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var b bytes.Buffer
	if err := c.Render(r.Context(), &b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	send(w, r, status, b.Bytes())
	return nil
}

func (s *site) problem(w http.ResponseWriter, r *http.Request, v view, status int, says, back string) {
	if err := s.show(w, r, status, problemPage(v.titled("", "Not done"), says, back)); err != nil {
		http.Error(w, says, status)
	}
}

// fail tells of a problem where nobody is signed in.
func (s *site) fail(w http.ResponseWriter, r *http.Request, status int, says, back string) {
	if who, ok := auth.From(r.Context()); ok && who.Name != "" {
		if v, err := s.view(r, who); err == nil {
			s.problem(w, r, v, status, says, back)
			return
		}
	}
	s.bare(w, r, status, says, back)
}

func (s *site) bare(w http.ResponseWriter, r *http.Request, status int, says, back string) {
	if err := s.show(w, r, status, barePage("Not done", says, back)); err != nil {
		http.Error(w, says, status)
	}
}

// done leads on after an act.
func done(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// same reports whether two names are of one person: case and surrounding space do not
// matter.
func same(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

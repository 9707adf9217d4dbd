package web

import (
	"net/http"
	"net/url"

	"bursar/internal/auth"
)

// SignIn signs people in and out.
type SignIn interface {
	HasOIDC() bool
	StartOIDC(w http.ResponseWriter, r *http.Request)
	FinishOIDC(w http.ResponseWriter, r *http.Request)
	UseLink(w http.ResponseWriter, r *http.Request)
	SignOut(w http.ResponseWriter, r *http.Request)
}

func (s *site) signInPages() {
	s.route("GET "+auth.SignInPath, s.signInPage)
	if s.SignIn == nil {
		return
	}
	s.route("GET "+auth.LinkPath, s.linkPage)
	s.route("POST "+auth.LinkPath, s.SignIn.UseLink)
	s.route("GET "+auth.StartPath, s.SignIn.StartOIDC)
	s.route("GET "+auth.CallbackPath, s.SignIn.FinishOIDC)
	s.route("POST "+auth.SignOutPath, s.SignIn.SignOut)
}

// toSignIn leads somebody who is not signed in to where they can, and back.
func (s *site) toSignIn(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		s.fail(w, r, http.StatusUnauthorized, "Nobody is signed in, and nothing was done.", auth.SignInPath)
		return
	}
	if r.Header.Get("HX-Request") != "" { // a part of a page: the whole of it leads on
		w.Header().Set("HX-Redirect", auth.SignInPath)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	to := auth.SignInPath
	if r.URL.Path != "/" {
		to += "?" + url.Values{auth.NextField: {r.URL.RequestURI()}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *site) signInPage(w http.ResponseWriter, r *http.Request) {
	if _, ok := auth.From(r.Context()); ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	start := auth.StartPath
	if next := r.URL.Query().Get(auth.NextField); next != "" {
		start += "?" + url.Values{auth.NextField: {next}}.Encode()
	}
	oidc := s.SignIn != nil && s.SignIn.HasOIDC()
	if err := s.show(w, r, http.StatusOK, signInPage(oidc, start)); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
	}
}

// linkPage is what a link opens: a button, because scanners of mail open links. The
// secret stays out of what the browser tells others.
func (s *site) linkPage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	q := r.URL.Query()
	if err := s.show(w, r, http.StatusOK, linkPage(q.Get(auth.LinkField), q.Get(auth.NextField))); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
	}
}

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
	s.mux.HandleFunc("GET /sign-in", s.signInPage)
	if s.SignIn == nil {
		return
	}
	s.mux.HandleFunc("GET /sign-in/link", s.linkPage)
	s.mux.HandleFunc("POST /sign-in/link", s.SignIn.UseLink)
	s.mux.HandleFunc("GET /sign-in/oidc", s.SignIn.StartOIDC)
	s.mux.HandleFunc("GET /sign-in/callback", s.SignIn.FinishOIDC)
	s.mux.HandleFunc("POST /sign-out", s.SignIn.SignOut)
}

// toSignIn leads somebody who is not signed in to where they can, and back.
func (s *site) toSignIn(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		s.fail(w, r, http.StatusUnauthorized, "Nobody is signed in, and nothing was done.", "/sign-in")
		return
	}
	if r.Header.Get("HX-Request") != "" { // a part of a page: the whole of it leads on
		w.Header().Set("HX-Redirect", "/sign-in")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	to := "/sign-in"
	if r.URL.Path != "/" {
		to += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *site) signInPage(w http.ResponseWriter, r *http.Request) {
	if _, ok := auth.From(r.Context()); ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	start := "/sign-in/oidc"
	if next := r.URL.Query().Get("next"); next != "" {
		start += "?" + url.Values{"next": {next}}.Encode()
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
	if err := s.show(w, r, http.StatusOK, linkPage(q.Get("link"), q.Get("next"))); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
	}
}

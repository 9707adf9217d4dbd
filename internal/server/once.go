package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
)

// AnswerKey tells one request of one principal from all others.
type AnswerKey struct {
	Principal string
	Key       string // that its sender chose
	Route     string // method and path
	Body      string // digest of the body
}

// Answer is what was answered to a request.
type Answer struct {
	Route, Body string
	Done        bool // false while the request is carried out
	Status      int
	MediaType   string
	ETag        string
	Text        string
}

// Answers keeps what was answered, so that the same request is carried out once.
type Answers interface {
	// TakeAnswer takes the right to carry out a request until a time. If somebody has
	// taken it before, token is "" and found tells what came of it.
	TakeAnswer(ctx context.Context, k AnswerKey, now, until time.Time) (token string, found Answer, err error)
	KeepAnswer(ctx context.Context, k AnswerKey, token string, a Answer, until time.Time) error
	// DropAnswer gives up what was taken: the request may be carried out again.
	DropAnswer(ctx context.Context, k AnswerKey, token string) error
}

const (
	underWay = 10 * time.Minute // longer than any request may last
	kept     = 24 * time.Hour
	maxKey   = 255
)

// once carries a request out under the key of its sender, or answers as it did before.
func (s *Server) once(w http.ResponseWriter, r *http.Request, p auth.Principal) {
	if _, pattern := s.mux.Handler(r); !strings.HasPrefix(pattern, http.MethodPost+" ") {
		s.mux.ServeHTTP(w, r) // there is nothing to carry out
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" || len(key) > maxKey || len(r.Header.Values("Idempotency-Key")) > 1 {
		newProblem(http.StatusBadRequest, api.Invalid, fmt.Sprintf("Idempotency-Key: send one of 1 to %d characters with every POST, a new one for every new request", maxKey)).write(w)
		return
	}
	most := int64(maxBody)
	if r.URL.Path == plansPath || r.URL.Path == adviceOfFile {
		most = maxPlan
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		newProblem(http.StatusRequestEntityTooLarge, api.TooLarge, fmt.Sprintf("the request is larger than %d bytes: leave out what is not needed", most)).write(w)
		return
	case err != nil:
		newProblem(http.StatusBadRequest, api.Invalid, "the request ended before it was whole: send it again").write(w)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(body)
	k := AnswerKey{Principal: p.Name, Key: key, Route: r.Method + " " + r.URL.Path, Body: hex.EncodeToString(sum[:])}
	// Who goes away does not keep what is done from being recorded.
	ctx := context.WithoutCancel(r.Context())
	now := s.Now()
	token, found, err := s.Answers.TakeAnswer(ctx, k, now, now.Add(underWay))
	switch {
	case err != nil:
		problemOf(ctx, err).write(w)
	case token != "":
		s.carryOut(w, r, k, token)
	case found.Route != k.Route || found.Body != k.Body:
		newProblem(http.StatusUnprocessableEntity, api.Invalid, "Idempotency-Key: this one belongs to another request: choose a new one for every new request").write(w)
	case !found.Done:
		newProblem(http.StatusConflict, api.Conflict, "Idempotency-Key: the request of this one is being carried out: ask again in a moment").write(w)
	default:
		w.Header().Set("Content-Type", found.MediaType)
		w.Header().Set("Idempotent-Replayed", "true")
		if found.ETag != "" {
			w.Header().Set("ETag", found.ETag)
		}
		w.WriteHeader(found.Status)
		_, _ = io.WriteString(w, found.Text) // whoever asked has gone
	}
}

// carryOut carries a request out and keeps the answer before it is sent, unless a second
// try may fare better.
func (s *Server) carryOut(w http.ResponseWriter, r *http.Request, k AnswerKey, token string) {
	ctx := context.WithoutCancel(r.Context())
	out := &recorded{header: w.Header()}
	done := false
	defer func() {
		var err error
		if !done || out.status >= http.StatusInternalServerError || out.status == http.StatusForbidden {
			err = s.Answers.DropAnswer(ctx, k, token)
		} else {
			err = s.Answers.KeepAnswer(ctx, k, token, Answer{
				Status: out.status, MediaType: w.Header().Get("Content-Type"), ETag: w.Header().Get("ETag"), Text: out.text.String(),
			}, s.Now().Add(kept))
		}
		if err != nil {
			s.Log.Error("an answer was not kept", "route", k.Route, "error", err)
		}
		if done {
			w.WriteHeader(out.status)
			_, _ = w.Write(out.text.Bytes()) // whoever asked has gone
		}
	}()
	s.mux.ServeHTTP(out, r)
	out.WriteHeader(http.StatusOK)
	done = true
}

// recorded holds an answer.
type recorded struct {
	header http.Header
	status int
	text   bytes.Buffer
}

func (k *recorded) Header() http.Header { return k.header }

func (k *recorded) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *recorded) Write(b []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.text.Write(b)
}

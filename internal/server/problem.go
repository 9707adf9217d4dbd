package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"bursar/internal/api"
	"bursar/internal/auth"
)

// statuses are what kinds of errors are over HTTP.
var statuses = map[api.Kind]int{
	api.NotFound: http.StatusNotFound, api.Ambiguous: http.StatusConflict, api.Invalid: http.StatusUnprocessableEntity,
	api.Conflict: http.StatusConflict, api.Stale: http.StatusPreconditionFailed, api.Forbidden: http.StatusForbidden,
	api.SignedOut: http.StatusUnauthorized, api.TooLarge: http.StatusRequestEntityTooLarge,
	api.Unavailable: http.StatusServiceUnavailable, api.Internal: http.StatusInternalServerError,
}

// problem is an error as it is answered: RFC 9457 with a kind.
type problem struct {
	api.Problem
	headers http.Header
}

func (p *problem) Error() string           { return p.Detail }
func (p *problem) GetStatus() int          { return p.Status }
func (p *problem) GetHeaders() http.Header { return p.headers }
func (p *problem) ContentType(was string) string {
	return strings.Replace(was, "application/json", "application/problem+json", 1)
}
func (p *problem) MarshalJSON() ([]byte, error) { return json.Marshal(p.Problem) }

// newProblem says in one sentence what is wrong.
func newProblem(status int, kind api.Kind, sentence string) *problem {
	return &problem{Problem: api.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: strings.ReplaceAll(sentence, "\n", "; "), Kind: kind,
	}}
}

// problemOf turns an error into what is answered.
func problemOf(ctx context.Context, err error) *problem {
	var already *problem
	var typed *api.Error
	var forbidden *auth.ForbiddenError
	switch {
	case errors.As(err, &already):
		return already
	case errors.As(err, &forbidden):
		return newProblem(http.StatusForbidden, api.Forbidden, err.Error())
	case errors.As(err, &typed):
		return newProblem(statuses[typed.Kind], typed.Kind, err.Error())
	case ctx.Err() != nil:
		return newProblem(http.StatusServiceUnavailable, api.Unavailable, "stopped before it was done: ask again")
	}
	return newProblem(http.StatusInternalServerError, api.Internal, err.Error())
}

// write answers outside of the operations.
func (p *problem) write(w http.ResponseWriter) {
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever asked has gone
}

// unusable is what the library says of a request that does not fit the operation, in
// one sentence.
func unusable(status int, says string, details ...error) huma.StatusError {
	kind := api.Invalid
	switch status {
	case http.StatusRequestEntityTooLarge:
		kind, says = api.TooLarge, "the request is too large"
	case http.StatusInternalServerError:
		kind = api.Internal
	case http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
		says = "use application/json"
	}
	for _, d := range details {
		if d == nil {
			continue
		}
		var detail *huma.ErrorDetail
		if errors.As(d, &detail) {
			says = detail.Message
			if detail.Location != "" {
				says = fmt.Sprintf("%s: %s", detail.Location, detail.Message)
			}
		} else {
			says = d.Error()
		}
		break
	}
	return newProblem(status, kind, says)
}

func init() { huma.NewError = unusable } // a variable of the library is how it takes another form of errors

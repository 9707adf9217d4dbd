package gcp

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"google.golang.org/api/googleapi"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

// verdict says what an error document of Google proves about one spending request.
type verdict struct {
	status  int
	code    string // the reason of Compute Engine, or the canonical status of the others
	outcome cloud.Outcome
}

// verdicts is the only place where an error of Google becomes definite. What is not
// here is doubt, and so is every code of it under another status, or in a document
// that is not an error document from its first to its last byte. Each entry has a
// sample in testdata/errors.
//
// Sources: Compute Engine, "Troubleshooting API errors" and "Rate quotas" (403
// rateLimitExceeded, and not 429); google.rpc.Code with its HTTP mapping. A
// name that is taken is an error of Compute Engine alone: orders have no name.
var verdicts = []verdict{
	{http.StatusConflict, "alreadyExists", cloud.Exists},
	{http.StatusBadRequest, "invalid", cloud.Refused},
	{http.StatusBadRequest, "required", cloud.Refused},
	{http.StatusBadRequest, "badRequest", cloud.Refused},
	{http.StatusBadRequest, "parseError", cloud.Refused},
	{http.StatusUnauthorized, "authError", cloud.Refused},
	{http.StatusUnauthorized, "required", cloud.Refused},
	{http.StatusForbidden, "forbidden", cloud.Refused},
	{http.StatusForbidden, "insufficientPermissions", cloud.Refused},
	{http.StatusForbidden, "accessNotConfigured", cloud.Refused},
	{http.StatusNotFound, "notFound", cloud.Refused},
	{http.StatusForbidden, "rateLimitExceeded", cloud.Throttled},
	{http.StatusForbidden, "userRateLimitExceeded", cloud.Throttled},
	{http.StatusTooManyRequests, "rateLimitExceeded", cloud.Throttled},

	{http.StatusBadRequest, "INVALID_ARGUMENT", cloud.Refused},
	{http.StatusBadRequest, "FAILED_PRECONDITION", cloud.Refused},
	{http.StatusUnauthorized, "UNAUTHENTICATED", cloud.Refused},
	{http.StatusForbidden, "PERMISSION_DENIED", cloud.Refused},
	{http.StatusNotFound, "NOT_FOUND", cloud.Refused},
	{http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", cloud.Throttled},
}

// classify looks an error code up; the default is doubt.
func classify(code string, status int) cloud.Outcome {
	for _, v := range verdicts {
		if v.code == code && v.status == status {
			return v.outcome
		}
	}
	return cloud.InDoubt
}

// codeOf returns the code of a whole error document, and "" for anything else: the
// page of a proxy that happens to hold a code, a document that broke off, or one whose
// own status is not that of the answer proves nothing. Two different reasons are none.
func codeOf(r *oneshot.Reply) string {
	if r.Err != nil || whole(r.Body) != nil {
		return ""
	}
	var doc struct {
		Error struct {
			Code   int    `json:"code"`
			Status string `json:"status"`
			Errors []struct {
				Reason string `json:"reason"`
			} `json:"errors"`
		} `json:"error"`
	}
	if json.Unmarshal(r.Body, &doc) != nil || doc.Error.Code != r.Status {
		return ""
	}
	code := doc.Error.Status
	for i, e := range doc.Error.Errors {
		if i > 0 && e.Reason != code {
			return ""
		}
		code = e.Reason
	}
	return code
}

// isThrottle reports whether Google asks to slow down.
func isThrottle(api *googleapi.Error) bool {
	for _, e := range api.Errors {
		if classify(e.Reason, api.Code) == cloud.Throttled {
			return true
		}
	}
	return false
}

// saysMissing reports whether an error is Google's answer that there is no such thing.
func saysMissing(err error) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && api.Code == http.StatusNotFound && codeOf(&oneshot.Reply{Status: api.Code, Body: []byte(api.Body)}) != ""
}

// readError is the error of a call that cannot spend. Its outcome is doubt: it proves
// nothing about any purchase. That a token may not read the project is that of
// credentials of another one.
func (c *core) readError(operation string, err error) error {
	e := &driver.Error{Operation: operation, Err: quiet(err)}
	var api *googleapi.Error
	if !errors.As(err, &api) {
		return e
	}
	e.Status = api.Code
	e.Code = codeOf(&oneshot.Reply{Status: api.Code, Body: []byte(api.Body)})
	if e.Code == "forbidden" || e.Code == "PERMISSION_DENIED" {
		e.Err = cause{"the credentials may not act for project " + c.Project + ": " + quiet(err).Error(), driver.ErrWrongAccount}
	}
	return e
}

// cause is an error whose text is fit to be shown; errors.Is and errors.As see the
// error itself.
type cause struct {
	text string
	error
}

func (c cause) Error() string { return c.text }
func (c cause) Unwrap() error { return c.error }

// secretForm are tokens: those of Google, and those of the simulator.
var secretForm = regexp.MustCompile(`(ya29\.|1//|sim-)[A-Za-z0-9._/-]{8,}|Bearer \S+`)

// quiet keeps out of the text of err what must not be stored or shown: tokens,
// addresses with their query, and bodies.
func quiet(err error) error {
	if _, done := err.(cause); done {
		return err
	}
	text := err.Error()
	var api *googleapi.Error
	var where *url.Error
	switch {
	case errors.As(err, &api):
		if text = api.Message; text == "" {
			text = "an answer with status " + http.StatusText(api.Code)
		}
	case errors.As(err, &where):
		text = where.Err.Error()
	}
	// Below its first line an error of a token endpoint repeats the whole answer.
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text = secretForm.ReplaceAllString(text, "[redacted]")
	if r := []rune(text); len(r) > 300 {
		text = string(r[:300]) + "..."
	}
	if text == "" {
		text = "no message"
	}
	return cause{text, err}
}

// errorDate is the Date of an answer that was an error, UTC.
func errorDate(err error) time.Time {
	var api *googleapi.Error
	if !errors.As(err, &api) {
		return time.Time{}
	}
	return dateOf(api.Header)
}

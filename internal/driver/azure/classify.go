package azure

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

// verdict says what an error code proves about one spending request.
type verdict struct {
	operation string // "*" is any
	code      string // exactly as on the wire
	outcome   cloud.Outcome
}

// verdicts is the only place where an answer becomes definite. What is not here is
// doubt, and so is every code of the table under a status that is not 4xx, or under
// 408, or in a document that is not a whole error document. Each entry has a sample in
// testdata/errors.
//
// BadRequest is not here: with it Azure says "Session timed out" of an order that no
// price has named, and it may say the same of one that was just bought. Neither are
// the codes of a purchase that had begun: those of billing, of quotes and of
// fulfillment, but that nothing is left.
//
// Codes: ErrorResponseCode of Microsoft.Capacity 2022-11-01; "Resolve common errors" of
// Azure Resource Manager.
var verdicts = []verdict{
	{opBuyReservation, "ReservationOrderIdAlreadyExists", cloud.Exists},
	{opBuyReservation, "InvalidReservationOrderId", cloud.Refused},
	{opBuyReservation, "ReservationOrderNotEnabled", cloud.Refused},

	{opReturn, codeOverPool, cloud.Refused},
	{opReturn, codeNoRefund, cloud.Refused},

	{"*", "AppliedScopesNotAssociatedWithCommerceAccount", cloud.Refused},
	{"*", "FulfillmentOutOfStockError", cloud.Refused},
	{"*", "InvalidLocationId", cloud.Refused},
	{"*", "InvalidSingleAppliedScopesCount", cloud.Refused},
	{"*", "InvalidSubscriptionId", cloud.Refused},
	{"*", "InvalidTenantId", cloud.Refused},
	{"*", "MissingAppliedScopesForSingle", cloud.Refused},
	{"*", "MissingTenantId", cloud.Refused},
	{"*", "NonsupportedAccountId", cloud.Refused},
	{"*", "NotSupportedCountry", cloud.Refused},
	{"*", "PaymentInstrumentNotFound", cloud.Refused},
	{"*", "RiskCheckFailed", cloud.Refused},
	{"*", "UnsupportedReservationTerm", cloud.Refused},

	{"*", "AuthenticationFailed", cloud.Refused},
	{"*", "AuthorizationFailed", cloud.Refused},
	{"*", "ExpiredAuthenticationToken", cloud.Refused},
	{"*", "InvalidAuthenticationToken", cloud.Refused},
	{"*", "InvalidAuthenticationTokenTenant", cloud.Refused},
	{"*", "InvalidRequestContent", cloud.Refused},
	{"*", "SubscriptionNotFound", cloud.Refused},

	{"*", "TooManyRequests", cloud.Throttled},
	{"*", "UnauthenticatedRequestsThrottled", cloud.Throttled},
}

// classify looks an error code up; the default is doubt.
func classify(operation, code string, status int) cloud.Outcome {
	if status < 400 || status > 499 || status == http.StatusRequestTimeout {
		return cloud.InDoubt
	}
	for _, v := range verdicts {
		if v.code == code && (v.operation == "*" || v.operation == operation) {
			return v.outcome
		}
	}
	return cloud.InDoubt
}

// fault is an error document.
type fault struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// errorCode returns the code of a whole error document, and "" for anything else: the
// page of a proxy that happens to hold a code proves nothing.
func errorCode(r *oneshot.Reply) string {
	var doc fault
	if r.Err != nil || json.Unmarshal(r.Body, &doc) != nil {
		return ""
	}
	return doc.Error.Code
}

func requestID(h http.Header) string {
	if id := h.Get("X-Ms-Request-Id"); len(id) <= 128 {
		return id
	}
	return ""
}

// dateOf is the Date of an answer, UTC; zero if it had none.
func dateOf(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// saysMissing reports whether an error is Azure's answer that a thing does not exist:
// one of these codes, under status 404. A page that lacks them is of a proxy.
func saysMissing(err error) bool {
	var api *azcore.ResponseError
	if !errors.As(err, &api) || api.StatusCode != http.StatusNotFound {
		return false
	}
	switch api.ErrorCode {
	case "ReservationOrderNotFound", "ResourceNotFound", "NotFound":
		return true
	}
	return false
}

// readError is the error of a call that cannot spend. Its outcome is doubt: it proves
// nothing about any purchase.
func readError(operation string, err error, tokens ...azcore.AccessToken) error {
	var inner *driver.Error
	if errors.As(err, &inner) {
		return err
	}
	e := &driver.Error{Operation: operation, Err: quiet(err, tokens...)}
	var api *azcore.ResponseError
	if errors.As(err, &api) {
		e.Code, e.Status = api.ErrorCode, api.StatusCode
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

// quiet keeps out of the text of err what must not be stored or shown: tokens, and the
// whole answer that the SDK puts into its errors. Of a message only the first line
// stays.
func quiet(err error, tokens ...azcore.AccessToken) error {
	if err == nil {
		return nil
	}
	if _, done := err.(cause); done {
		return err
	}
	text := err.Error()
	var api *azcore.ResponseError
	if errors.As(err, &api) {
		text = http.StatusText(api.StatusCode)
		var doc fault
		if api.RawResponse != nil {
			if body, bodyErr := runtime.Payload(api.RawResponse); bodyErr == nil && json.Unmarshal(body, &doc) == nil && doc.Error.Message != "" {
				text = doc.Error.Message
			}
		}
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	for _, t := range tokens {
		if len(t.Token) > 8 {
			text = strings.ReplaceAll(text, t.Token, "[redacted]")
		}
	}
	if r := []rune(text); len(r) > 300 {
		text = string(r[:300]) + "..."
	}
	if text == "" {
		text = "no message"
	}
	return cause{text, err}
}

package aws

import (
	"errors"
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// errNoList: the SDK decodes an empty body to an empty answer without an error.
// AWS writes the list element also when the list is empty, so an answer without
// one lists nothing and proves no absence.
var errNoList = errors.New("the answer holds no list")

// saysMissing reports whether an error is AWS's answer that an id does not exist:
// the exact code, under a status 4xx.
func saysMissing(err error, code string) bool {
	var api smithy.APIError
	status := errorStatus(err)
	return code != "" && status >= 400 && status < 500 && errors.As(err, &api) && api.ErrorCode() == code
}

// first keeps the earliest answer's time: whatever came into being after it may
// be missing from the listing.
func first(t *time.Time, answer time.Time) {
	if t.IsZero() {
		*t = answer
	}
}

// answerTimeOf is the Date of an answer, UTC; zero if it had none.
func answerTimeOf(m middleware.Metadata) time.Time {
	at, _ := awsmiddleware.GetServerTime(m)
	if at.IsZero() {
		return time.Time{}
	}
	return at.UTC()
}

// requestIDOf is the id AWS gave to the request of an answer; "" if it gave none.
func requestIDOf(m middleware.Metadata) string {
	id, _ := awsmiddleware.GetRequestIDMetadata(m)
	return id
}

// errorStatus is the status of an answer that was an error; 0 without an answer.
func errorStatus(err error) int {
	var resp *awshttp.ResponseError
	if !errors.As(err, &resp) {
		return 0
	}
	return resp.HTTPStatusCode()
}

// errorTime is the Date of an answer that was an error, UTC.
func errorTime(err error) time.Time {
	var resp *awshttp.ResponseError
	if !errors.As(err, &resp) || resp.Response == nil {
		return time.Time{}
	}
	at, parseErr := http.ParseTime(resp.Response.Header.Get("Date"))
	if parseErr != nil {
		return time.Time{}
	}
	return at.UTC()
}

func errorRequestID(err error) string {
	var resp *awshttp.ResponseError
	if !errors.As(err, &resp) {
		return ""
	}
	return resp.ServiceRequestID()
}

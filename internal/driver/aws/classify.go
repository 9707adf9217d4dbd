package aws

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// verdict says what an error code of AWS proves about one spending request.
type verdict struct {
	operation string // "*" is any
	code      string // exactly as on the wire
	outcome   cloud.Outcome
}

// verdicts is the only place where an answer of AWS becomes definite. What is
// not here is doubt, and so is every code of the table under a status that is
// not 4xx, or under 408, or in a document that is not an error document from
// its first to its last byte. Each entry has a sample in testdata/errors.
//
// Codes: service models of 2026 and the common errors of the Query API.
var verdicts = []verdict{
	{"PurchaseReservedDBInstancesOffering", "ReservedDBInstanceAlreadyExists", cloud.Exists},
	{"PurchaseReservedDBInstancesOffering", "ReservedDBInstancesOfferingNotFound", cloud.Refused},
	{"PurchaseReservedDBInstancesOffering", "ReservedDBInstanceQuotaExceeded", cloud.Refused},

	{"*", "InvalidParameterValue", cloud.Refused},
	{"*", "InvalidParameterCombination", cloud.Refused},
	{"*", "MissingParameter", cloud.Refused},
	{"*", "ValidationError", cloud.Refused},
	{"*", "AccessDenied", cloud.Refused},
	{"*", "AccessDeniedException", cloud.Refused},
	{"*", "UnauthorizedOperation", cloud.Refused},
	{"*", "OptInRequired", cloud.Refused},
	{"*", "MissingAuthenticationToken", cloud.Refused},
	{"*", "InvalidClientTokenId", cloud.Refused},
	{"*", "ExpiredToken", cloud.Refused},
	{"*", "RequestExpired", cloud.Refused},
	{"*", "SignatureDoesNotMatch", cloud.Refused},
	{"*", "IncompleteSignature", cloud.Refused},

	{"*", "Throttling", cloud.Throttled},
	{"*", "ThrottlingException", cloud.Throttled},
	{"*", "ThrottledException", cloud.Throttled},
	{"*", "RequestThrottled", cloud.Throttled},
	{"*", "RequestThrottledException", cloud.Throttled},
	{"*", "RequestLimitExceeded", cloud.Throttled},
	{"*", "TooManyRequestsException", cloud.Throttled},
	{"*", "BandwidthLimitExceeded", cloud.Throttled},
	{"*", "EC2ThrottledException", cloud.Throttled},
	{"*", "SlowDown", cloud.Throttled},
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

// requestID returns the id AWS gave to a request, from the header or, in the
// Query protocol, from the body.
func requestID(r *reply) string {
	id := r.header.Get("X-Amzn-Requestid")
	if id == "" {
		var doc struct {
			Failure string `xml:"RequestId"`
			Success string `xml:"ResponseMetadata>RequestId"`
		}
		if xml.Unmarshal(r.body, &doc) == nil {
			id = doc.Failure + doc.Success
		}
	}
	if len(id) > 128 {
		return ""
	}
	return id
}

// queryCode returns the code of an error document of the Query protocol, and ""
// for anything else: the page of a proxy that happens to hold a code, or a
// document that broke off, proves nothing.
func queryCode(r *reply) (code string) {
	if r.err != nil || wholeXML(r.body, "ErrorResponse") != nil {
		return ""
	}
	var doc struct {
		Code string `xml:"Error>Code"`
	}
	if xml.Unmarshal(r.body, &doc) != nil {
		return ""
	}
	return doc.Code
}

// wholeXML checks that a body is one XML document with this root element and
// nothing behind it. The SDK reads as far as it needs and any root.
func wholeXML(body []byte, root string) error {
	d := xml.NewDecoder(bytes.NewReader(body))
	depth, roots := 0, 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.New("the answer is not whole XML")
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth == 1 {
				if roots++; t.Name.Local != root {
					return errors.New("the answer is of another kind")
				}
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(t)) > 0 {
				return errors.New("the answer has text outside its XML")
			}
		}
	}
	if roots != 1 {
		return errors.New("the answer is not one XML document")
	}
	return nil
}

// readError is the error of a call that cannot spend. Its outcome is doubt: it
// proves nothing about any purchase.
func readError(operation string, err error, creds ...aws.Credentials) error {
	e := &driver.Error{Operation: operation, Err: quiet(err, creds...)}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code = api.ErrorCode()
	}
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) {
		e.Status = resp.HTTPStatusCode()
	}
	return e
}

// cause is an error whose text is fit to be shown; errors.Is and errors.As see
// the error itself.
type cause struct {
	text string
	error
}

func (c cause) Error() string { return c.text }
func (c cause) Unwrap() error { return c.error }

var arnForm = regexp.MustCompile(`arn:[^\s'",]+`)

// quiet keeps out of the text of err what must not be stored or shown: secrets
// and tokens, and the ARNs by which AWS names callers. Of a message of AWS only
// the first line stays: below it SignatureDoesNotMatch repeats the request with
// its session token.
func quiet(err error, creds ...aws.Credentials) error {
	if _, done := err.(cause); done {
		return err
	}
	text := err.Error()
	var api smithy.APIError
	var call *smithy.OperationError
	if errors.As(err, &api) {
		text = api.ErrorMessage()
	} else if errors.As(err, &call) {
		text = call.Err.Error()
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	for _, c := range creds {
		for _, secret := range []string{c.SessionToken, c.SecretAccessKey} {
			if len(secret) > 4 { // "test", the simulator's, is a word
				text = strings.ReplaceAll(text, secret, "[redacted]")
			}
		}
	}
	text = arnForm.ReplaceAllString(text, "[arn]")
	if r := []rune(text); len(r) > 300 {
		text = string(r[:300]) + "..."
	}
	if text == "" {
		text = "no message"
	}
	return cause{text, err}
}

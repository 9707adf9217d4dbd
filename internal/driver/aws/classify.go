package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
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
// Codes: service models of 2026, the error codes of the EC2 API Reference, and
// the common errors of the Query and JSON protocols.
var verdicts = []verdict{
	{"PurchaseReservedDBInstancesOffering", "ReservedDBInstanceAlreadyExists", cloud.Exists},
	{"PurchaseReservedDBInstancesOffering", "ReservedDBInstancesOfferingNotFound", cloud.Refused},
	{"PurchaseReservedDBInstancesOffering", "ReservedDBInstanceQuotaExceeded", cloud.Refused},

	{"PurchaseReservedCacheNodesOffering", "ReservedCacheNodeAlreadyExists", cloud.Exists},
	{"PurchaseReservedCacheNodesOffering", "ReservedCacheNodesOfferingNotFound", cloud.Refused},
	{"PurchaseReservedCacheNodesOffering", "ReservedCacheNodeQuotaExceeded", cloud.Refused},
	{"PurchaseReservedCacheNodesOffering", "TagQuotaPerResourceExceeded", cloud.Refused},

	{"PurchaseReservedNodesOffering", "ReservedNodeAlreadyExistsFault", cloud.Exists},
	{"PurchaseReservedNodesOffering", "ReservedNodesOfferingNotFoundFault", cloud.Refused},
	{"PurchaseReservedNodesOffering", "ReservedNodeQuotaExceededFault", cloud.Refused},
	{"PurchaseReservedNodesOffering", "ServiceLinkedRoleNotFoundFault", cloud.Refused},
	{"PurchaseReservedNodesOffering", "TagQuotaPerResourceExceeded", cloud.Refused},
	{"PurchaseReservedNodesOffering", "InvalidParameterValueException", cloud.Refused},
	{"PurchaseReservedNodesOffering", "InvalidParameterCombinationException", cloud.Refused},

	{"PurchaseReservedNodeOffering", "ReservedNodeOfferingNotFound", cloud.Refused},
	{"PurchaseReservedNodeOffering", "ReservedNodeQuotaExceeded", cloud.Refused},
	{"PurchaseReservedNodeOffering", "UnsupportedOperation", cloud.Refused},

	// DisabledOperationException is declared too; when it occurs is not documented.
	{"PurchaseReservedInstanceOffering", "ResourceAlreadyExistsException", cloud.Exists},
	{"PurchaseReservedInstanceOffering", "ResourceNotFoundException", cloud.Refused},
	{"PurchaseReservedInstanceOffering", "LimitExceededException", cloud.Refused}, // the quota
	{"PurchaseReservedInstanceOffering", "ValidationException", cloud.Refused},
	{"PurchaseReservedInstanceOffering", "UnrecognizedClientException", cloud.Refused},
	{"PurchaseReservedInstanceOffering", "InvalidSignatureException", cloud.Refused},
	{"PurchaseReservedInstanceOffering", "ExpiredTokenException", cloud.Refused},

	// ConflictException is declared too: an earlier request may have bought.
	{"CreateReservation", "ResourceNotFoundException", cloud.Refused},
	{"CreateReservation", "ServiceQuotaExceededException", cloud.Refused},
	{"CreateReservation", "ValidationException", cloud.Refused},
	{"CreateReservation", "UnrecognizedClientException", cloud.Refused},
	{"CreateReservation", "InvalidSignatureException", cloud.Refused},
	{"CreateReservation", "ExpiredTokenException", cloud.Refused},

	{"PurchaseReservedInstancesOffering", "InvalidReservedInstancesOfferingId", cloud.Refused},
	{"PurchaseReservedInstancesOffering", "ReservedInstancesLimitExceeded", cloud.Refused},
	{"PurchaseReservedInstancesOffering", "ReservedInstancesCountExceeded", cloud.Refused},
	{"PurchaseReservedInstancesOffering", "ReservedInstancesUnavailable", cloud.Refused},
	{"PurchaseReservedInstancesOffering", "InsufficientReservedInstancesCapacity", cloud.Refused},
	{"PurchaseReservedInstancesOffering", "PendingVerification", cloud.Refused},
	{"PurchaseReservedInstancesOffering", "AuthFailure", cloud.Refused},

	{"CreateSavingsPlan", "ResourceNotFoundException", cloud.Refused},
	{"CreateSavingsPlan", "ServiceQuotaExceededException", cloud.Refused},
	{"CreateSavingsPlan", "ValidationException", cloud.Refused},

	{"ReturnSavingsPlan", "ResourceNotFoundException", cloud.Refused},
	{"ReturnSavingsPlan", "ServiceQuotaExceededException", cloud.Refused},
	{"ReturnSavingsPlan", "ValidationException", cloud.Refused},

	{"*", "UnrecognizedClientException", cloud.Refused},
	{"*", "InvalidSignatureException", cloud.Refused},
	{"*", "ExpiredTokenException", cloud.Refused},

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

// busy is how EC2 throttles: under 503, where every other code is doubt.
var busy = verdict{"PurchaseReservedInstancesOffering", "RequestLimitExceeded", cloud.Throttled}

// classify looks an error code up; the default is doubt.
func classify(operation, code string, status int) cloud.Outcome {
	if status == http.StatusServiceUnavailable && operation == busy.operation && code == busy.code {
		return busy.outcome
	}
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
func requestID(r *oneshot.Reply) string {
	id := r.Header.Get("X-Amzn-Requestid")
	if id == "" {
		var doc struct {
			Failure    string `xml:"RequestId"`
			Success    string `xml:"ResponseMetadata>RequestId"`
			EC2Failure string `xml:"RequestID"`
			EC2Success string `xml:"requestId"`
		}
		if xml.Unmarshal(r.Body, &doc) == nil {
			id = doc.Failure + doc.Success + doc.EC2Failure + doc.EC2Success
		}
	}
	if len(id) > 128 {
		return ""
	}
	return id
}

// form is how a wire protocol writes its answers.
type form struct {
	// code reads the error code out of an answer, and returns "" unless it is a
	// whole error document.
	code func(*oneshot.Reply) string
	// whole checks that the body of a success is a whole answer to the operation.
	whole func(body []byte, operation string) error
}

// The protocols: Query (RDS, ElastiCache, Redshift), that of EC2, and JSON, whether
// JSON 1.1 (MemoryDB, Redshift Serverless) or rest-json (OpenSearch, Savings Plans).
var (
	queryForm = form{code: queryCode, whole: wholeResponse}
	ec2Form   = form{code: ec2Code, whole: wholeResponse}
	jsonForm  = form{code: jsonCode, whole: func(body []byte, _ string) error { _, err := wholeJSON(body); return err }}
)

func wholeResponse(body []byte, operation string) error { return wholeXML(body, operation+"Response") }

// queryCode returns the code of an error document of the Query protocol, and ""
// for anything else: the page of a proxy that happens to hold a code, or a
// document that broke off, proves nothing.
func queryCode(r *oneshot.Reply) (code string) {
	if r.Err != nil || wholeXML(r.Body, "ErrorResponse") != nil {
		return ""
	}
	var doc struct {
		Code string `xml:"Error>Code"`
	}
	if xml.Unmarshal(r.Body, &doc) != nil {
		return ""
	}
	return doc.Code
}

// ec2Code is queryCode for EC2, whose error document has another shape. It may
// hold a list of errors; more than one prove nothing.
func ec2Code(r *oneshot.Reply) string {
	if r.Err != nil || wholeXML(r.Body, "Response") != nil {
		return ""
	}
	var doc struct {
		Codes []string `xml:"Errors>Error>Code"`
	}
	if xml.Unmarshal(r.Body, &doc) != nil || len(doc.Codes) != 1 {
		return ""
	}
	return doc.Codes[0]
}

// jsonCode is queryCode for JSON: the code stands in the body or in a header, and
// where it stands in both they agree. It may be dressed up as a name in a
// namespace, "com.amazonaws.memorydb#Code", and with an address behind a colon.
func jsonCode(r *oneshot.Reply) string {
	if r.Err != nil {
		return ""
	}
	doc, err := wholeJSON(r.Body)
	if err != nil {
		return ""
	}
	code := bareCode(r.Header.Get("X-Amzn-Errortype"))
	for _, name := range []string{"__type", "code"} {
		value, there := doc[name]
		if !there {
			continue
		}
		var text string
		if json.Unmarshal(value, &text) != nil {
			return ""
		}
		if text = bareCode(text); code != "" && code != text {
			return ""
		}
		code = text
	}
	return code
}

func bareCode(text string) string {
	text, _, _ = strings.Cut(text, ":")
	if _, name, dressed := strings.Cut(text, "#"); dressed {
		return name
	}
	return text
}

// wholeJSON checks that a body is one JSON object with nothing behind it, and
// returns its members.
func wholeJSON(body []byte) (map[string]json.RawMessage, error) {
	var doc map[string]json.RawMessage
	if json.Unmarshal(body, &doc) != nil || doc == nil {
		return nil, errors.New("the answer is not one whole JSON object")
	}
	return doc, nil
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
	trouble(e, err)
	return e
}

// troubles are the codes that say of a whole account and region why nothing is
// answered. A region that is not enabled refuses the credentials themselves, with
// OptInRequired in EC2 and the Query protocol.
var troubles = map[string]driver.Trouble{
	"AccessDenied": driver.Denied, "AccessDeniedException": driver.Denied, "UnauthorizedOperation": driver.Denied,
	"OptInRequired": driver.RegionOff, "UnrecognizedClientException": driver.RegionOff, "InvalidClientTokenId": driver.RegionOff,
}

// actionForm finds the permission in "not authorized to perform: rds:CreateX on".
var actionForm = regexp.MustCompile(`perform: ([a-z0-9-]+:[A-Za-z]+)`)

// trouble says of an error what a person can mend.
func trouble(e *driver.Error, err error) {
	e.Trouble = troubles[e.Code]
	var lost *smithyhttp.RequestSendError
	if e.Code == "" && (errors.As(err, &lost) || errors.Is(err, context.DeadlineExceeded)) && !errors.Is(err, context.Canceled) {
		e.Trouble = driver.Unreachable
	}
	if m := actionForm.FindStringSubmatch(err.Error()); m != nil && e.Trouble == driver.Denied {
		e.Action = m[1]
	}
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

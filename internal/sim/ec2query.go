package sim

import (
	"strings"
)

// ec2Query is the query protocol of EC2: lists are flat in the request and hold
// items in the answer, no element wraps the result, and errors have a form of
// their own.
var ec2Query = &protocol{parse: parseQuery, result: ec2Result, failure: ec2Failure}

const (
	xmlHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	ec2Type = "text/xml;charset=UTF-8"
)

func ec2Result(s *service, op *operation, requestID string, out node) reply {
	var b strings.Builder
	b.WriteString(xmlHead + `<` + op.name + `Response xmlns="` + s.xmlns + `">`)
	writeXML(&b, leaf("requestId", requestID))
	for _, k := range out.kids {
		writeXML(&b, k)
	}
	b.WriteString(`</` + op.name + `Response>`)
	return reply{status: 200, contentType: ec2Type, body: []byte(b.String())}
}

func ec2Failure(_ *service, requestID string, err *apiError) reply {
	var b strings.Builder
	b.WriteString(xmlHead)
	writeXML(&b, group("Response",
		group("Errors", group("Error", leaf("Code", err.code), leaf("Message", err.message))),
		leaf("RequestID", requestID)))
	return reply{status: err.status(), code: err.code, contentType: ec2Type, body: []byte(b.String())}
}

// ec2Codes are what EC2 calls the errors that all services share ("Error codes for
// the Amazon EC2 API", EC2 developer guide). Credentials that do not hold are all
// one failure to it.
var ec2Codes = map[string]string{
	"AccessDenied":          "UnauthorizedOperation",
	"ExpiredToken":          "RequestExpired",
	"InternalFailure":       "InternalError",
	"InvalidClientTokenId":  "AuthFailure",
	"MalformedInput":        "UnknownParameter",
	"ServiceUnavailable":    "Unavailable",
	"SignatureDoesNotMatch": "AuthFailure",
	"Throttling":            "RequestLimitExceeded",
}

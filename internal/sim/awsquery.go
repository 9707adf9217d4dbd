package sim

import (
	"encoding/xml"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// protocol is a wire form of requests and answers.
type protocol struct {
	// parse finds the operation and its members; a refused request still
	// returns the operation if it was recognized.
	parse   func(s *service, r *http.Request, body []byte) (*operation, params, *apiError)
	result  func(s *service, op *operation, requestID string, out node) reply
	failure func(s *service, requestID string, err *apiError) reply
}

// reply is an answer before any fault touches it.
type reply struct {
	status      int
	code        string // error code, "" on success
	contentType string
	codeHeader  bool // the code stands in a header
	body        []byte
	header      map[string]string // besides those that every answer has; may be nil
}

// awsQuery is the query protocol of RDS, ElastiCache, Redshift and STS: a form
// in, XML out.
var awsQuery = &protocol{parse: parseQuery, result: queryResult, failure: queryFailure}

func parseQuery(s *service, r *http.Request, body []byte) (*operation, params, *apiError) {
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" {
		return nil, nil, fail("MalformedInput", "The request must be POST / without a query, not %s %s", r.Method, r.URL.RequestURI())
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return nil, nil, fail("MalformedInput", "Content-Type must be application/x-www-form-urlencoded, not %q", r.Header.Get("Content-Type"))
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, nil, fail("MalformedInput", "The body is not a form")
	}
	in := params{}
	for name, values := range form {
		if len(values) != 1 {
			return nil, nil, fail("MalformedInput", "The parameter %s is given %d times", name, len(values))
		}
		in[name] = values[0]
	}
	action, version := in["Action"], in["Version"]
	delete(in, "Action")
	delete(in, "Version")
	op := s.operations[action]
	switch {
	case action == "":
		return nil, nil, fail("MissingAction", "The request must contain the parameter Action")
	case op == nil || version != s.version:
		return nil, nil, fail("InvalidAction", "Could not find operation %s for version %s", action, version)
	}
	return op, in, in.check(op)
}

func queryResult(s *service, op *operation, requestID string, out node) reply {
	out.name = op.name + "Result"
	var b strings.Builder
	b.WriteString(`<` + op.name + `Response xmlns="` + s.xmlns + `">`)
	writeXML(&b, out)
	writeXML(&b, group("ResponseMetadata", leaf("RequestId", requestID)))
	b.WriteString(`</` + op.name + `Response>`)
	return reply{status: 200, contentType: "text/xml", body: []byte(b.String())}
}

func queryFailure(s *service, requestID string, err *apiError) reply {
	kind := "Sender"
	if err.status() >= 500 {
		kind = "Receiver"
	}
	var b strings.Builder
	b.WriteString(`<ErrorResponse`)
	if s.xmlns != "" {
		b.WriteString(` xmlns="` + s.xmlns + `"`)
	}
	b.WriteString(`>`)
	writeXML(&b, group("Error", leaf("Type", kind), leaf("Code", err.code), leaf("Message", err.message)))
	writeXML(&b, leaf("RequestId", requestID))
	b.WriteString(`</ErrorResponse>`)
	return reply{status: err.status(), code: err.code, contentType: "text/xml", body: []byte(b.String())}
}

func writeXML(b *strings.Builder, n node) {
	b.WriteString("<" + n.name + ">")
	_ = xml.EscapeText(b, []byte(n.text)) // a strings.Builder does not fail
	for _, k := range n.kids {
		writeXML(b, k)
	}
	b.WriteString("</" + n.name + ">")
}

package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const jsonType = "application/x-amz-json-1.1"

// awsJSON is the json-1.1 protocol of MemoryDB, Redshift Serverless and CloudTrail:
// one JSON object in, one out, the operation in a header.
var awsJSON = &protocol{parse: parseJSON, result: jsonResult, failure: jsonFailure}

// jsonCodes are what services of that protocol call the errors that all share
// (API references, "Common Errors"; the codes without a page are those AWS
// services answer when a body or a target cannot be read).
func jsonCodes(own map[string]string) map[string]string {
	codes := map[string]string{
		"AccessDenied":               "AccessDeniedException",
		"ExpiredToken":               "ExpiredTokenException",
		"IncompleteSignature":        "IncompleteSignatureException",
		"InvalidAction":              "UnknownOperationException",
		"InvalidClientTokenId":       "UnrecognizedClientException",
		"MalformedInput":             "SerializationException",
		"MissingAction":              "UnknownOperationException",
		"OptInRequired":              "UnrecognizedClientException",
		"MissingAuthenticationToken": "MissingAuthenticationTokenException",
		"SignatureDoesNotMatch":      "InvalidSignatureException",
		"Throttling":                 "ThrottlingException",
	}
	for generic, code := range own {
		codes[generic] = code
	}
	return codes
}

func parseJSON(s *service, r *http.Request, body []byte) (*operation, params, *apiError) {
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" {
		return nil, nil, fail("MalformedInput", "The request must be POST / without a query, not %s %s", r.Method, r.URL.RequestURI())
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != jsonType {
		return nil, nil, fail("MalformedInput", "Content-Type must be %s, not %q", jsonType, r.Header.Get("Content-Type"))
	}
	target := r.Header.Get("X-Amz-Target")
	prefix, name := target, ""
	if i := strings.LastIndexByte(target, '.'); i >= 0 {
		prefix, name = target[:i], target[i+1:]
	}
	op := s.operations[name]
	if op == nil || !slices.Contains(s.targets, prefix) {
		return nil, nil, fail("InvalidAction", "Unknown operation %q", target)
	}
	in := params{}
	if err := decodeObject(in, op, body); err != nil {
		return op, nil, err
	}
	return op, in, in.check(op)
}

// oneObject reads a body that is one JSON object and nothing behind it. Numbers keep
// their text.
func oneObject(body []byte) (map[string]any, *apiError) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var object map[string]any
	err := dec.Decode(&object)
	if _, more := dec.Token(); err != nil || object == nil || !errors.Is(more, io.EOF) {
		return nil, fail("MalformedInput", "The body is not one JSON object")
	}
	return object, nil
}

// decodeObject reads a body that is one JSON object, and nothing behind it, into
// members named as in the query protocol: "Tags.1.Key". Numbers keep their text. A
// member that is a map with free keys stays one text, its JSON with sorted keys.
func decodeObject(in params, op *operation, body []byte) *apiError {
	object, err := oneObject(body)
	if err != nil {
		return err
	}
	for _, name := range op.maps {
		if value := object[name]; value != nil {
			free, ok := value.(map[string]any)
			for _, v := range free {
				_, text := v.(string)
				ok = ok && text
			}
			if !ok {
				return fail("MalformedInput", "%s is not a map of strings", name)
			}
			text, _ := json.Marshal(free) // strings always encode
			in[name] = string(text)
		}
		delete(object, name)
	}
	return flatten(in, op, "", object)
}

func flatten(in params, op *operation, name string, value any) *apiError {
	generic := listIndex.ReplaceAllString(name, ".N$1")
	number := slices.Contains(op.numbers, generic)
	under := func(part string) string {
		if name == "" {
			return part
		}
		return name + "." + part
	}
	switch v := value.(type) {
	case nil: // as if it were not there
	case map[string]any:
		for key, member := range v {
			if err := flatten(in, op, under(key), member); err != nil {
				return err
			}
		}
	case []any:
		for i, member := range v {
			if err := flatten(in, op, under(strconv.Itoa(i+1)), member); err != nil {
				return err
			}
		}
	case string:
		if number {
			return fail("MalformedInput", "%s is a string where a number is wanted", name)
		}
		in[name] = v
	case json.Number:
		if !number && slices.Contains(op.members, generic) {
			return fail("MalformedInput", "%s is a number where a string is wanted", name)
		}
		in[name] = v.String()
	case bool:
		if slices.Contains(op.members, generic) && !slices.Contains(op.booleans, generic) {
			return fail("MalformedInput", "%s is a boolean", name)
		}
		in[name] = boolText(v)
	}
	return nil
}

func jsonResult(_ *service, _ *operation, _ string, out node) reply {
	out.kind = isGroup
	var b bytes.Buffer
	writeNode(&b, out)
	return reply{status: 200, contentType: jsonType, body: b.Bytes()}
}

// writeNode writes a node as JSON, without its name.
func writeNode(b *bytes.Buffer, n node) {
	switch n.kind {
	case isText:
		text, _ := json.Marshal(n.text) // strings always encode
		b.Write(text)
	case isLiteral:
		b.WriteString(n.text)
	case isGroup:
		b.WriteByte('{')
		for i, k := range n.kids {
			if i > 0 {
				b.WriteByte(',')
			}
			writeNode(b, leaf("", k.name))
			b.WriteByte(':')
			writeNode(b, k)
		}
		b.WriteByte('}')
	case isList:
		b.WriteByte('[')
		for i, k := range n.kids {
			if i > 0 {
				b.WriteByte(',')
			}
			writeNode(b, k)
		}
		b.WriteByte(']')
	}
}

// jsonFailure is an error of the json-1.1 protocol. Its code is the name of the
// shape.
func jsonFailure(_ *service, _ string, err *apiError) reply {
	body, _ := json.Marshal(map[string]string{"__type": err.code, "message": err.message}) // strings always encode
	return reply{status: err.status(), code: err.code, contentType: jsonType, body: body}
}

package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

const restType = "application/json"

// restJSON is the rest-json protocol of Savings Plans: one JSON object in, one out,
// the operation in the path. The code of an error is in a header.
var restJSON = &protocol{parse: parseREST, result: restResult, failure: restFailure}

// parseREST flattens the body into members as parseJSON does. A member that is a map
// with free keys stays one text, its JSON with sorted keys.
func parseREST(s *service, r *http.Request, body []byte) (*operation, params, *apiError) {
	op := s.operations[strings.TrimPrefix(r.URL.Path, "/")]
	if op == nil || r.Method != http.MethodPost {
		return nil, nil, fail("InvalidAction", "Unknown operation %s %q", r.Method, r.URL.Path)
	}
	if r.URL.RawQuery != "" {
		return op, nil, fail("MalformedInput", "The request must not have a query")
	}
	if t := r.Header.Get("Content-Type"); t != restType {
		return op, nil, fail("MalformedInput", "Content-Type must be %s, not %q", restType, t)
	}
	object, err := oneObject(body)
	if err != nil {
		return op, nil, err
	}
	in := params{}
	for _, name := range op.maps {
		value, there := object[name]
		if !there || value == nil {
			continue
		}
		free, ok := value.(map[string]any)
		for _, v := range free {
			_, text := v.(string)
			ok = ok && text
		}
		if !ok {
			return op, nil, fail("MalformedInput", "%s is not a map of strings", name)
		}
		text, _ := json.Marshal(free) // strings always encode
		in[name] = string(text)
		delete(object, name)
	}
	if err := flatten(in, op, "", object); err != nil {
		return op, nil, err
	}
	return op, in, in.check(op)
}

// oneObject reads a body that is one JSON object and nothing behind it; numbers
// keep their text.
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

// texts reads a member that is a map, sorted by key.
func (p params) texts(name string) []Tag {
	var free map[string]string
	_ = json.Unmarshal([]byte(p[name]), &free) // parseREST wrote it; absent is none
	var list []Tag
	for key, value := range free {
		list = append(list, Tag{key, value})
	}
	slices.SortFunc(list, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return list
}

func restResult(_ *service, _ *operation, _ string, out node) reply {
	r := jsonResult(nil, nil, "", out)
	r.contentType = restType
	return r
}

// restFailure has the code in the header alone, which the sender writes.
func restFailure(_ *service, _ string, err *apiError) reply {
	body, _ := json.Marshal(map[string]string{"message": err.message}) // strings always encode
	return reply{status: err.status(), code: err.code, contentType: restType, body: body}
}

package sim

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const restType = "application/json"

// route is where an operation of a rest-json service is: a method and a path, in
// which {Member} stands for a member of the request. The zero value is POST and the
// name of the operation.
type route struct {
	method, path string
	query        map[string]string // query parameter to member
}

// restJSON is the rest-json protocol: the operation in method and path, members in
// the path, the query and, where there is one, a JSON object as body.
var restJSON = &protocol{parse: parseREST, result: restResult, failure: restFailure}

func parseREST(s *service, r *http.Request, body []byte) (*operation, params, *apiError) {
	var op *operation
	in := params{}
	for name, o := range s.operations {
		at := o.route
		if at.path == "" {
			at = route{method: http.MethodPost, path: "/" + name}
		}
		if members, ok := at.match(r.Method, r.URL.Path); ok {
			op, in = o, members
			break
		}
	}
	if op == nil {
		return nil, nil, fail("InvalidAction", "Unable to determine service/operation name to be authorized: %s %s", r.Method, r.URL.Path)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return op, nil, fail("MalformedInput", "The query cannot be read")
	}
	for name, values := range query {
		member := op.route.query[name]
		if member == "" || len(values) != 1 {
			return op, nil, fail("MalformedInput", "%s has no query parameter %q, or only once", op.name, name)
		}
		in[member] = values[0]
	}
	switch {
	case r.Method == http.MethodGet && len(body) > 0:
		return op, nil, fail("MalformedInput", "A GET has no body")
	case r.Method == http.MethodGet:
		return op, in, in.check(op)
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != restType {
		return op, nil, fail("MalformedInput", "Content-Type must be %s, not %q", restType, r.Header.Get("Content-Type"))
	}
	if err := decodeObject(in, op, body); err != nil {
		return op, nil, err
	}
	return op, in, in.check(op)
}

// match reports whether a request is for the route, with the members of its path.
func (r route) match(method, path string) (params, bool) {
	want, got := strings.Split(r.path, "/"), strings.Split(path, "/")
	if method != r.method || len(want) != len(got) {
		return nil, false
	}
	in := params{}
	for i, part := range want {
		if name, ok := strings.CutPrefix(part, "{"); ok && got[i] != "" {
			in[strings.TrimSuffix(name, "}")] = got[i]
		} else if part != got[i] {
			return nil, false
		}
	}
	return in, true
}

func restResult(s *service, op *operation, requestID string, out node) reply {
	r := jsonResult(s, op, requestID, out)
	r.contentType = restType
	return r
}

// restFailure names the code in a header and nowhere else.
func restFailure(_ *service, _ string, err *apiError) reply {
	body, _ := json.Marshal(map[string]string{"message": err.message}) // strings always encode
	return reply{status: err.status(), code: err.code, contentType: restType, codeHeader: true, body: body}
}

// texts reads a member that is a map, sorted by key.
func (p params) texts(name string) []Tag {
	var free map[string]string
	_ = json.Unmarshal([]byte(p[name]), &free) // decodeObject wrote it; absent is none
	var list []Tag
	for key, value := range free {
		list = append(list, Tag{key, value})
	}
	slices.SortFunc(list, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return list
}

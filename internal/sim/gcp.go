package sim

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Google Cloud. Its APIs are on hosts of their own, and here on one port, routed by
// path; none of the paths collide. Sources: the discovery documents of compute v1
// (revision 20261026), cloudbilling v1 and recommender v1, the REST reference of the
// Cloud Commerce Consumer Procurement API v1, and for errors the Compute Engine
// reference ("Rate quotas": 403 rateLimitExceeded, not 429).
//
// A caller is a bearer token: "sim-PROJECT", which is taken for minted when it
// arrives, or "sim-PROJECT.EXPIRY" with the second of its end, Unix time. Tokens live
// for an hour at most, as those of service accounts do.
const (
	gcpType     = "application/json; charset=UTF-8"
	gcpTokenAge = time.Hour
)

// gcpProjects are the projects, the same in every world; the last belongs to another
// billing account.
var gcpProjects = []struct{ id, name, billing string }{
	{"example-prod", "Example Corp Production", "012345-6789AB-CDEF01"},
	{"example-data", "Example Corp Data Platform", "012345-6789AB-CDEF01"},
	{"other-corp", "Other Corp", "FEDCBA-987654-321000"},
}

func gcpBillingOf(project string) string {
	for _, p := range gcpProjects {
		if p.id == project {
			return p.billing
		}
	}
	return ""
}

// gcpRegions are the regions, with how the price list calls where they are.
var gcpRegions = []struct {
	name, place string
	permille    int64
}{
	{"us-central1", "Americas", 1000},
	{"us-east1", "Americas", 1000},
	{"europe-west1", "Belgium", 1100},
	{"europe-west4", "Netherlands", 1101},
}

func isGCPRegion(name string) bool {
	return slices.ContainsFunc(gcpRegions, func(r struct {
		name, place string
		permille    int64
	}) bool {
		return r.name == name
	})
}

// gcpRoute is where an operation of Google is on the wire, and what its body may
// hold: members by name, with what they are.
type gcpRoute struct {
	method, path       string // a segment in braces is a parameter
	service, operation string
	query              []string
	body               map[string]jsonKind
	upload             bool // the body has two parts, and body is what the first may hold, under "object."
}

// jsonKind is what a member of a body is. An int64 is a string of digits.
type jsonKind int

const (
	jsonText jsonKind = iota
	jsonInt64
	jsonNumber
	jsonBool
)

// gcpRoutes is filled by the files of the services.
var gcpRoutes []gcpRoute

// gcpREST is the protocol of them all. Requests are parsed by admitGCP, which knows
// the path.
var gcpREST = &protocol{
	result: func(_ *service, _ *operation, _ string, out node) reply {
		out.kind = isGroup
		var b bytes.Buffer
		writeNode(&b, out)
		return reply{status: http.StatusOK, contentType: gcpType, body: b.Bytes()}
	},
	failure: gcpFailure,
}

// gcpFailure is an error document: of compute with a reason, of the others with a
// canonical status.
func gcpFailure(s *service, _ string, err *apiError) reply {
	status := err.status()
	inner := map[string]any{"code": status, "message": err.message}
	if s.name == cloudStorage {
		inner["errors"] = []map[string]string{storageProblem(err)}
	} else if s.name == compute {
		domain := "global"
		if err.code == "rateLimitExceeded" {
			domain = "usageLimits"
		}
		inner["errors"] = []map[string]string{{"message": err.message, "domain": domain, "reason": err.code}}
	} else {
		inner["status"] = err.code
	}
	body, _ := json.Marshal(map[string]any{"error": inner}) // strings and numbers always encode
	return reply{status: status, code: err.code, contentType: gcpType, body: body}
}

// Rates of the APIs of Google, per project, region and method. Google counts by the
// minute ("Rate quotas"), and what a project has differs: these are the simulator's.
var gcpReads, gcpWrites = rate{200, 20}, rate{20, 2}

// gcpCodes is what a service of Google calls errors that the simulator shares.
func gcpCodes(compute bool) map[string]string {
	words := [][3]string{
		{"AccessDenied", "forbidden", "PERMISSION_DENIED"},
		{"ExpiredToken", "authError", "UNAUTHENTICATED"},
		{"InternalFailure", "internalError", "INTERNAL"},
		{"InvalidParameterValue", "invalid", "INVALID_ARGUMENT"},
		{"MalformedInput", "invalid", "INVALID_ARGUMENT"},
		{"MissingAuthenticationToken", "authError", "UNAUTHENTICATED"},
		{"MissingParameter", "required", "INVALID_ARGUMENT"},
		{"NotFound", "notFound", "NOT_FOUND"},
		{"OptInRequired", "forbidden", "PERMISSION_DENIED"},
		{"ServiceUnavailable", "backendError", "UNAVAILABLE"},
		{"SignatureDoesNotMatch", "authError", "UNAUTHENTICATED"},
		{"Throttling", "rateLimitExceeded", "RESOURCE_EXHAUSTED"},
	}
	codes := map[string]string{}
	for _, w := range words {
		codes[w[0]] = w[2]
		if compute {
			codes[w[0]] = w[1]
		}
	}
	return codes
}

func init() {
	maps.Copy(vendorErrors, map[string]int{
		"alreadyExists": 409, "authError": 401, "backendError": 503, "forbidden": 403, "internalError": 500,
		"invalid": 400, "notFound": 404, "rateLimitExceeded": 403, "required": 400,

		"FAILED_PRECONDITION": 400, "INTERNAL": 500, "INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "PERMISSION_DENIED": 403,
		"RESOURCE_EXHAUSTED": 429, "UNAUTHENTICATED": 401, "UNAVAILABLE": 503, "ABORTED": 409,
	})
}

// routeGCP finds the operation of a request and the parameters in its path; nil if
// it is none of Google's.
func routeGCP(r *http.Request) (*gcpRoute, params) {
	for i, route := range gcpRoutes {
		if in, fits := gcpMatch(route.path, r.URL.EscapedPath()); fits && route.method == r.Method {
			return &gcpRoutes[i], in
		}
	}
	return nil, nil
}

func gcpMatch(pattern, path string) (params, bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i := range got { // a name may have slashes
		var err error
		if got[i], err = url.PathUnescape(got[i]); err != nil {
			return nil, false
		}
	}
	if len(want) != len(got) {
		return nil, false
	}
	in := params{}
	for i, w := range want {
		if name, ok := strings.CutPrefix(w, "{"); ok && got[i] != "" {
			// A custom verb is behind a colon of the last segment, and no name has one.
			name, verb, _ := strings.Cut(name, "}")
			value, fits := strings.CutSuffix(got[i], verb)
			if !fits || verb == "" && strings.Contains(value, ":") {
				return nil, false
			}
			in[name] = value
		} else if w != got[i] {
			return nil, false
		}
	}
	return in, true
}

// looksGCP reports whether a request that is not for Azure is meant for Google: its
// path says so, or its token.
func looksGCP(r *http.Request) bool {
	route, _ := routeGCP(r)
	return route != nil || strings.HasPrefix(r.URL.Path, "/compute/") || strings.HasPrefix(r.URL.Path, "/v1/billingAccounts/") ||
		strings.HasPrefix(r.Header.Get("Authorization"), "Bearer sim-")
}

// admitGCP turns a request into a call.
func (s *Sim) admitGCP(w *world, now time.Time, r *http.Request, body []byte, log *Request) (c *call, until time.Time, err *apiError) {
	route, in := routeGCP(r)
	log.Provider, log.Service = onGCP, compute
	if route == nil {
		return nil, until, fail("NotFound", "The requested URL %s was not found on this server.", r.URL.Path)
	}
	service := services[route.service]
	op := service.operations[route.operation]
	log.Service, log.Operation, log.Spending = service.name, op.name, op.spends
	log.Region = "global"
	if region := in["region"]; region != "" {
		log.Region = region
	}
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		return nil, until, fail("MissingAuthenticationToken", "Login Required.")
	}
	project, until, err := gcpToken(token, now)
	if err != nil {
		return nil, until, err
	}
	log.Account, log.AccessKey = project, "sim-"+project
	if err := route.read(r, body, in); err != nil {
		return nil, until, err
	}
	if err := s.chargesQuota(r, project); err != nil {
		return nil, until, err
	}
	if named := in["project"]; named != "" && named != project {
		return nil, until, fail("AccessDenied", "Required permission for 'projects/%s' is missing", named)
	}
	if in["billing"] != "" && in["billing"] != gcpBillingOf(project) {
		return nil, until, fail("AccessDenied", "The caller does not have permission on billingAccounts/%s", in["billing"])
	}
	if region := in["region"]; region != "" && !isGCPRegion(region) {
		return nil, until, fail("NotFound", "The resource 'projects/%s/regions/%s' was not found", project, region)
	}
	c = s.call(w, now, caller{account: project, accessKey: "sim-" + project}, service, op, log.Region, in, log.ID)
	c.userAgent = r.UserAgent()
	return c, until, nil
}

// gcpToken tells whose a token is and until when it may be acted upon.
func gcpToken(token string, now time.Time) (project string, until time.Time, err *apiError) {
	invalid := fail("SignatureDoesNotMatch", "Request had invalid authentication credentials. Expected OAuth 2 access token.")
	project, known := strings.CutPrefix(token, "sim-")
	project, end, timed := strings.Cut(project, ".")
	if !known || gcpBillingOf(project) == "" {
		return "", until, invalid
	}
	until = now.Add(gcpTokenAge)
	if timed {
		second, parseErr := strconv.ParseInt(end, 10, 64)
		at := time.Unix(second, 0).UTC()
		if parseErr != nil || at.After(until.Add(time.Second)) {
			return "", until, invalid
		}
		until = at
	}
	if now.After(until) {
		return "", until, fail("ExpiredToken", "Invalid Credentials: the token has expired.")
	}
	return project, until, nil
}

// read puts the query and the body into the members of a call. A real service
// ignores what it does not know; a client that sends it has a mistake that must show.
func (g *gcpRoute) read(r *http.Request, body []byte, in params) *apiError {
	for name, values := range r.URL.Query() {
		switch {
		case name == "alt" && values[0] == "json", name == "prettyPrint": // of every method
		case !slices.Contains(g.query, name) || len(values) != 1:
			return fail("MalformedInput", "Invalid JSON payload received. Unknown name %q: Cannot bind query parameter.", name)
		default:
			in[name] = values[0]
		}
	}
	if g.body == nil {
		if len(bytes.TrimSpace(body)) > 0 {
			return fail("MalformedInput", "%s takes no body", g.operation)
		}
		return nil
	}
	within := ""
	if g.upload {
		about, err := multipartBody(r, body, in)
		if err != nil {
			return err
		}
		within, body = "object", about
	} else if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); t != "application/json" {
		return fail("MalformedInput", "Content-Type must be application/json, not %q", r.Header.Get("Content-Type"))
	}
	object, err := oneObject(body)
	if err != nil {
		return err
	}
	return g.bind(in, within, object)
}

// int64Text is how JSON of Google writes an int64.
var int64Text = regexp.MustCompile(`^-?[0-9]{1,19}$`)

// bind flattens a value into members: "resources.1.amount".
func (g *gcpRoute) bind(in params, name string, value any) *apiError {
	under := func(part string) string { return strings.TrimPrefix(name+"."+part, ".") }
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := g.bind(in, under(key), v[key]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		for i, member := range v {
			if err := g.bind(in, under(strconv.Itoa(i+1)), member); err != nil {
				return err
			}
		}
		return nil
	}
	member := name
	if g.upload {
		member = strings.TrimPrefix(name, "object.")
	}
	kind, known := g.body[listIndex.ReplaceAllString(member, ".N$1")]
	if i := strings.IndexByte(member, '.'); !known && i >= 0 {
		kind, known = g.body[member[:i]+".*"] // a map with free keys
	}
	text, fits := "", false
	switch v := value.(type) {
	case string:
		text, fits = v, kind == jsonText || kind == jsonInt64 && int64Text.MatchString(v)
	case json.Number:
		text, fits = v.String(), kind == jsonNumber
	case bool:
		text, fits = boolText(v), kind == jsonBool
	}
	switch {
	case !known:
		return fail("MalformedInput", "Invalid JSON payload received. Unknown name %q: Cannot find field.", name)
	case !fits:
		return fail("MalformedInput", "Invalid value at '%s'", name)
	}
	in[name] = text
	return nil
}

// gcpOwned is a commitment of compute, or a spend-based order.
type gcpOwned struct {
	Service   string            `json:"service"`
	Account   string            `json:"account"` // project
	Billing   string            `json:"billing"` // its billing account
	Region    string            `json:"region"`
	ID        string            `json:"id"`    // the commitment's name, or the order's id
	Label     string            `json:"label"` // the display name of an order
	Class     string            `json:"class"` // type, offer, or license with its cores
	License   bool              `json:"license,omitempty"`
	Resources map[string]string `json:"resources"`
	Months    int               `json:"months"`
	Count     int               `json:"count"`
	Hourly    string            `json:"hourly"` // USD, of one
	Operation string            `json:"operation,omitempty"`
	Fails     bool              `json:"fails,omitempty"` // its operation does
	BoughtAt  time.Time         `json:"bought_at"`
	DoneAt    time.Time         `json:"done_at"` // of its operation
	StartsAt  time.Time         `json:"starts_at"`
	VisibleAt time.Time         `json:"visible_at"`
	Existing  bool              `json:"existing,omitempty"`
	AccessKey string            `json:"access_key,omitempty"`
	RequestID string            `json:"request_id,omitempty"` // of the log
	seq       int
}

func (o *gcpOwned) endsAt() time.Time { return o.StartsAt.AddDate(0, o.Months, 0) }

// gcpOperation is what an insert or an order answered: work that ends later.
type gcpOperation struct {
	Service   string    `json:"service"`
	Account   string    `json:"account"`
	Region    string    `json:"region"`
	Name      string    `json:"name"`
	Target    string    `json:"target"`              // id of what it makes
	ClientID  string    `json:"client_id,omitempty"` // requestId
	Asked     string    `json:"asked"`
	StartedAt time.Time `json:"started_at"`
	DoneAt    time.Time `json:"done_at"`
	Code      string    `json:"code,omitempty"` // it fails with
	Message   string    `json:"message,omitempty"`
	HTTP      int       `json:"http,omitempty"` // httpErrorStatusCode; 0 leaves it out
}

// gcpChange is the part of a change that is about Google.
type gcpChange struct {
	Owned     []gcpOwned    `json:"owned,omitempty"`
	Operation *gcpOperation `json:"operation,omitempty"`

	Mark *recommendationMark `json:"mark,omitempty"`
}

// gcpRequest is a request id where it is remembered.
type gcpRequest struct{ service, account, region, id string }

// gcpWorld is the part of the world that is about Google.
type gcpWorld struct {
	owned      []*gcpOwned
	byID       map[resourceKey]*gcpOwned
	operations map[string]*gcpOperation // by name
	requests   map[gcpRequest]*gcpOperation
	marks      map[string]recommendationMark // by the name of the recommendation
}

func newGCPWorld() gcpWorld {
	return gcpWorld{marks: map[string]recommendationMark{}, byID: map[resourceKey]*gcpOwned{}, operations: map[string]*gcpOperation{}, requests: map[gcpRequest]*gcpOperation{}}
}

func (g *gcpWorld) fold(c *gcpChange) {
	if c == nil {
		return
	}
	for i := range c.Owned {
		o := &c.Owned[i]
		o.seq = len(g.owned)
		g.owned = append(g.owned, o)
		g.byID[resourceKey{scope{o.Service, o.Account, o.Region}, o.ID}] = o
	}
	if c.Mark != nil {
		g.marks[c.Mark.Name] = *c.Mark
	}
	if op := c.Operation; op != nil {
		g.operations[op.Name] = op
		if op.ClientID != "" {
			g.requests[gcpRequest{op.Service, op.Account, op.Region, op.ClientID}] = op
		}
	}
}

// answered is the operation of an earlier request with this id, while that is
// remembered; a different request with it is refused if the options say so.
func (c *call) answered(requestID, asked string) (*gcpOperation, *apiError) {
	if requestID == "" {
		return nil, nil
	}
	if !requestUUID.MatchString(requestID) || strings.Trim(requestID, "0-") == "" {
		return nil, fail("InvalidParameterValue", "Invalid value for field 'requestId': '%s'. Must be a valid UUID.", requestID)
	}
	op := c.world.gcp.requests[gcpRequest{c.service.name, c.who.account, c.region, requestID}]
	if op == nil || !c.now.Before(op.StartedAt.Add(c.opts.TokenLife)) {
		return nil, nil
	}
	if op.Asked != asked && c.opts.TokenMismatch == RefuseMismatch {
		return nil, fail("InvalidParameterValue", "The request id was used for another request.")
	}
	return op, nil
}

var requestUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// asked is what a request is for, without its id: two with equal text are the same.
func (in params) asked() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if name != "requestId" {
			b.WriteString(name + "=" + in[name] + "\n")
		}
	}
	return b.String()
}

// operate begins an operation about target. Its length is drawn.
func (c *call) operate(name, target string) gcpOperation {
	return gcpOperation{
		Service: c.service.name, Account: c.who.account, Region: c.region, Name: name, Target: target,
		ClientID: c.in["requestId"], Asked: c.in.asked(), StartedAt: c.now,
		DoneAt: c.now.Add(drawDuration(time.Second, c.opts.OperationTime, c.world.seed, "operation", name)),
	}
}

// running is what lists and operations are shown of the operation's end.
func (o *gcpOperation) running(at time.Time) bool { return at.Before(o.DoneAt) }

// pageGCP picks the page of what the caller owns, visible and kept.
func pageGCP(c *call, keep func(*gcpOwned) bool) ([]*gcpOwned, string, *apiError) {
	records := slices.DeleteFunc(slices.Clone(c.world.gcp.owned), func(o *gcpOwned) bool { return o.Service != c.service.name || !keep(o) })
	return paginate(c, records, func(o *gcpOwned) (time.Time, int) { return o.VisibleAt, o.seq })
}

// gcpTime is the form of compute's timestamps.
const gcpTime = "2006-01-02T15:04:05.000-07:00"

// pacific is where Google's days begin.
var pacific = time.FixedZone("PST", -8*3600)

// nextMidnight is when a commitment made at t starts: at the beginning of the next
// day in Pacific time.
func nextMidnight(t time.Time) time.Time {
	y, m, d := t.In(pacific).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, pacific).UTC()
}

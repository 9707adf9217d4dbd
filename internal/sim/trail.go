package sim

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// event is what CloudTrail knows of one call that a service carried out or
// refused. A call that never reached its service leaves none.
type event struct {
	ID        string          `json:"id"`
	RequestID string          `json:"request_id"`
	At        time.Time       `json:"at"`
	VisibleAt time.Time       `json:"visible_at"` // lookups show it from then on
	Lost      bool            `json:"lost,omitempty"`
	Service   string          `json:"service"`
	Name      string          `json:"name"`
	ReadOnly  bool            `json:"read_only,omitempty"`
	Account   string          `json:"account"`
	Region    string          `json:"region"`
	AccessKey string          `json:"access_key"`
	Role      string          `json:"role,omitempty"`
	Session   string          `json:"session,omitempty"`
	UserAgent string          `json:"user_agent,omitempty"`
	In        params          `json:"in,omitempty"`
	Out       json.RawMessage `json:"out,omitempty"` // of a write that succeeded
	Code      string          `json:"code,omitempty"`
	Message   string          `json:"message,omitempty"`
	seq       int
}

// userAgentMax is where CloudTrail cuts a user agent (its user guide, record
// contents).
const userAgentMax = 1024

// record notes the call, whose answer is out or err, for CloudTrail.
func (c *call) record(out node, err *apiError) {
	if c.service.provider != "" {
		return // another cloud's
	}
	e := event{
		ID: drawUUID(c.world.seed, "event", c.requestID), RequestID: c.requestID, At: c.now, VisibleAt: c.now,
		Service: c.service.name, Name: c.op.name, Account: c.who.account, Region: c.region, AccessKey: c.who.accessKey,
		ReadOnly:  !c.op.spends && !c.op.changes,
		UserAgent: c.userAgent[:min(len(c.userAgent), userAgentMax)], In: c.in,
	}
	_, e.Lost = c.hits[NoTrail]
	if c.who.session != nil {
		e.Role, e.Session = c.who.session.Role, c.who.session.Name
	}
	if delay := c.opts.TrailDelay; delay > 0 {
		e.VisibleAt = c.now.Add(drawDuration(delay/2, delay*3/2, c.world.seed, "trail", c.requestID))
	}
	switch {
	case err != nil:
		known := c.service.code(err)
		e.Code, e.Message = known.code, known.message
	case !e.ReadOnly:
		e.Out = elements(c, out)
	}
	c.out.Event = &e
}

// elements is an answer as CloudTrail keeps it. The user guides show it only for
// other operations: names begin in lower case, and the one record that a query
// service answers is not wrapped.
func elements(c *call, out node) json.RawMessage {
	if c.service.protocol == awsQuery && len(out.kids) == 1 {
		out = out.kids[0]
	}
	if c.service.protocol == ec2Query {
		out.kids = append([]node{leaf("requestId", c.requestID)}, out.kids...)
	}
	out = lowered(out)
	out.kind = isGroup
	var b bytes.Buffer
	writeNode(&b, out)
	return b.Bytes()
}

func lowered(n node) node {
	n.name = lowerFirst(n.name)
	kids := make([]node, len(n.kids))
	for i, k := range n.kids {
		kids[i] = lowered(k)
	}
	n.kids = kids
	return n
}

func lowerFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[size:]
}

// source is the eventSource. Where the sources of a service are in dispute, one is
// drawn for each event: a client must read them all.
func (e *event) source() string {
	name := e.Service
	if s := services[e.Service]; s != nil && len(s.sources) > 0 {
		name = s.sources[draw(uint64(len(s.sources)), 0, "event source", e.ID)]
	}
	return name + ".amazonaws.com"
}

// user is the Username of a lookup. For the session of a role the guide promises
// "a role name"; what is seen is the name of the session.
func (e *event) user() string {
	if e.Session != "" {
		return e.Session
	}
	return "operator"
}

// document is the CloudTrailEvent of a lookup (user guide, record contents).
func (e *event) document() string {
	identity := map[string]any{
		"type": "IAMUser", "principalId": drawID("AIDA", 17, 0, "user", e.Account), "arn": "arn:aws:iam::" + e.Account + ":user/operator",
		"accountId": e.Account, "accessKeyId": e.AccessKey, "userName": "operator",
	}
	if e.Session != "" {
		identity = map[string]any{
			"type": "AssumedRole", "principalId": roleID(e.Account, e.Role) + ":" + e.Session,
			"arn":       "arn:aws:sts::" + e.Account + ":assumed-role/" + e.Role + "/" + e.Session,
			"accountId": e.Account, "accessKeyId": e.AccessKey,
			"sessionContext": map[string]any{"sessionIssuer": map[string]any{
				"type": "Role", "principalId": roleID(e.Account, e.Role), "arn": "arn:aws:iam::" + e.Account + ":role/" + e.Role,
				"accountId": e.Account, "userName": e.Role,
			}},
		}
	}
	doc := map[string]any{
		"eventVersion": "1.11", "userIdentity": identity, "eventTime": e.At.Format("2006-01-02T15:04:05Z"), "eventSource": e.source(),
		"eventName": e.Name, "awsRegion": e.Region, "sourceIPAddress": "127.0.0.1", "userAgent": e.UserAgent,
		"requestParameters": e.parameters(), "responseElements": e.Out, "requestID": e.RequestID, "eventID": e.ID,
		"readOnly": e.ReadOnly, "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": e.Account, "eventCategory": "Management",
	}
	if len(e.Out) == 0 {
		doc["responseElements"] = nil
	}
	if e.Code != "" {
		doc["errorCode"], doc["errorMessage"] = e.Code, e.Message
		if e.Service == "ec2" { // as in the guide's example of an EC2 error
			doc["errorCode"] = "Client." + e.Code
		}
	}
	text, _ := json.Marshal(doc) // strings, booleans and valid JSON always encode
	return string(text)
}

// parameters are the members of the request, maps with free keys among them.
func (e *event) parameters() any {
	in := maps.Clone(e.In)
	free := map[string]json.RawMessage{}
	if s := services[e.Service]; s != nil && s.operations[e.Name] != nil {
		for _, name := range s.operations[e.Name].maps {
			if text, there := in[name]; there {
				free[name] = json.RawMessage(text)
				delete(in, name)
			}
		}
	}
	if len(free) == 0 {
		return requestParameters(in)
	}
	all, _ := requestParameters(in).(map[string]any)
	if all == nil {
		all = map[string]any{}
	}
	for name, value := range free {
		all[name] = value
	}
	return all
}

// requestParameters nests the members of a request: Filter.1.Value.2 is the second
// of the values of the first filter. Counts are numbers.
func requestParameters(in params) any {
	if len(in) == 0 {
		return nil
	}
	tree := map[string]any{}
	for name, value := range in {
		at := tree
		parts := strings.Split(name, ".")
		for _, p := range parts[:len(parts)-1] {
			next, ok := at[p].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[p] = next
			}
			at = next
		}
		last := parts[len(parts)-1]
		at[last] = value
		if n, err := strconv.Atoi(value); err == nil && strings.HasSuffix(last, "Count") {
			at[last] = n
		}
	}
	return nested(tree)
}

var listNumber = regexp.MustCompile(`^[1-9][0-9]*$`)

func nested(v any) any {
	tree, ok := v.(map[string]any)
	if !ok {
		return v
	}
	var keys []string
	for key := range tree {
		keys = append(keys, key)
	}
	if !slices.ContainsFunc(keys, func(k string) bool { return !listNumber.MatchString(k) }) {
		sort.Slice(keys, func(i, j int) bool {
			return len(keys[i]) < len(keys[j]) || len(keys[i]) == len(keys[j]) && keys[i] < keys[j]
		})
		var items []any
		for _, key := range keys {
			items = append(items, nested(tree[key]))
		}
		return items
	}
	out := map[string]any{}
	for _, key := range keys {
		member := nested(tree[key])
		if _, isList := member.([]any); isList && len(keys) == 1 && (key == "Tag" || key == "member") {
			return member // the name that the query protocol puts before an index
		}
		out[lowerFirst(key)] = member
	}
	return out
}

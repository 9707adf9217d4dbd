package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// service is one cloud service: a name in credential scopes and operations.
type service struct {
	name       string
	provider   string // cloud; "" is aws
	version    string // of its API, in the query protocols
	xmlns      string
	targets    []string // prefixes of X-Amz-Target, in the JSON protocol
	regional   bool     // only in the regions of the catalog
	global     bool     // one endpoint for all regions, signed for globalRegion
	protocol   *protocol
	operations map[string]*operation
	// codes are the service's own for errors that the simulator shares.
	codes map[string]string
	// statuses are the service's own for codes that have another elsewhere.
	statuses map[string]int
	// sources are what CloudTrail may call the service, apart from its name.
	sources []string
	sells   *seller // nil if it sells nothing
}

// code is what the service calls an error.
func (s *service) code(err *apiError) *apiError {
	if s == nil {
		return err
	}
	code := cmp.Or(s.codes[err.code], err.code)
	return &apiError{code: code, message: err.message, http: s.statuses[code]}
}

// operation is a function over the world. It knows nothing of HTTP.
type operation struct {
	name     string
	route    route // in the REST protocols; in rest-json, without one it is POST /<name>
	spends   bool  // a success is a commitment that cannot be undone
	changes  bool  // a success changes something all the same
	rate     rate
	lists    bool // answers what commitments there are
	proves   bool // answers who the caller is
	pages    *pager
	members  []string
	numbers  []string // members that are numbers, in the JSON protocols
	maps     []string // members that are maps with free keys, in the rest-json protocol
	booleans []string // members that are booleans, in the JSON protocols
	// Of Azure Resource Manager: the API version if it is not the service's, and the
	// permission in its words; "" needs none.
	version string
	action  string
	data    bool // of Azure: the permission is one for data, which no role for management gives
	// plain says of a call that its error is told as a sentence and not in the protocol.
	plain func(*call) bool
	// unserved are members the real operation has and this one refuses, with
	// the reason.
	unserved map[string]string
	// resources are the ARNs that permissions are checked on; nil means "*".
	resources func(*call) []string
	// public operations need no permission, not even with an explicit deny.
	public bool
	run    func(*call) (node, *apiError)
}

// services is filled by the files of the services.
var services = map[string]*service{}

func register(s *service) *service {
	services[s.name] = s
	for name, op := range s.operations {
		op.name = name
	}
	return s
}

func serviceNames() string {
	return strings.Join(slices.Sorted(maps.Keys(services)), ", ")
}

// caller is who signed a request.
type caller struct {
	account   string
	accessKey string
	session   *session // nil for a static key
}

// arn is the principal in the words of IAM.
func (c caller) arn() string {
	if c.session != nil {
		return "arn:aws:sts::" + c.account + ":assumed-role/" + c.session.Role + "/" + c.session.Name
	}
	return "arn:aws:iam::" + c.account + ":user/operator"
}

// call is one authenticated request to an operation, at an instant.
type call struct {
	world     *world // read only
	now       time.Time
	opts      *Options
	policies  policies
	catalog   *catalog
	who       caller
	service   *service
	op        *operation
	region    string
	in        params
	requestID string
	userAgent string
	hits      map[string]Fault // by kind
	out       change           // what the call does to the world

	// Of Azure Resource Manager: the address that the request came to, and what the
	// answer has besides its body.
	base   string
	status int // 0 is 200
	header map[string]string
}

func (c *call) scope() scope { return scope{c.service.name, c.who.account, c.place()} }

// A global service has one endpoint, whose signatures are for globalRegion; what it
// sells is in no region, which is called noRegion.
const (
	globalRegion = "us-east-1"
	noRegion     = "global"
)

// place is the region that what the call is about belongs to.
func (c *call) place() string {
	if c.service.global {
		return noRegion
	}
	return c.region
}

// asOf is the instant a listing shows: now, unless it is stale.
func (c *call) asOf() time.Time { return c.now.Add(-c.hits[StaleListing].Duration) }

// execute checks the permission and runs the operation.
func (c *call) execute() (node, *apiError) {
	_, hit := c.hits[DenyAction]
	if hit && c.service.cloud() == onGCP {
		return node{}, c.refuseGoogle()
	}
	if hit && c.service.cloud() == onAWS {
		return node{}, fail("AccessDenied", "User: %s is not authorized to perform: %s because no identity-based policy allows the %s:%s action",
			c.who.arn(), c.service.name+":"+c.op.name, c.service.name, c.op.name)
	}
	switch {
	case c.service.cloud() == onAzure:
		if err := c.permitARM(); err != nil {
			return node{}, err
		}
	case c.service.cloud() == onGCP:
		if err := c.permitGoogle(); err != nil {
			return node{}, err
		}
	case !c.op.public:
		resources := []string{"*"}
		if c.op.resources != nil {
			resources = c.op.resources(c)
		}
		for _, resource := range resources {
			if err := c.permit(c.service.name+":"+c.op.name, resource); err != nil {
				return node{}, err
			}
		}
	}
	return c.op.run(c)
}

// permit checks one permission of the caller. A user and a role may do what their
// policy allows, and everything if they were given none; a session may besides do
// only what its session policy allows, if it was given one.
func (c *call) permit(action, resource string) *apiError {
	identity, session := c.policies.user[c.who.account], (*policy)(nil)
	if c.who.session != nil {
		identity, session = c.policies.role[c.who.account], c.who.session.policy
	}
	for _, p := range []struct {
		*policy
		kind string
	}{{identity, "identity-based"}, {session, "session"}} {
		if p.policy == nil {
			continue
		}
		switch p.decide(action, resource, c.now, c.facts()) {
		case denied:
			return fail("AccessDenied", "User: %s is not authorized to perform: %s with an explicit deny in a %s policy", c.who.arn(), action, p.kind)
		case unmentioned:
			return fail("AccessDenied", "User: %s is not authorized to perform: %s because no %s policy allows the %s action", c.who.arn(), action, p.kind, action)
		}
	}
	return nil
}

// facts are what the conditions of policies see of the call.
func (c *call) facts() facts {
	f := facts{requestedRegion: {c.region}, c.service.name + ":region": {c.region}}
	for name, key := range c.in {
		prefix, ok := strings.CutSuffix(name, ".Key")
		if ok && (strings.HasPrefix(name, "Tags.") || strings.HasPrefix(name, "Tag.")) {
			f[tagKeys] = append(f[tagKeys], key)
			f[requestTag+strings.ToLower(key)] = []string{c.in[prefix+".Value"]}
		}
	}
	if slices.Contains(c.op.maps, "tags") {
		for _, t := range c.in.texts("tags") {
			f[tagKeys] = append(f[tagKeys], t.Key)
			f[requestTag+strings.ToLower(t.Key)] = []string{t.Value}
		}
	}
	return f
}

// policies are those of the users and roles of each account; an account that is
// not in them is not limited.
type policies struct{ user, role map[string]*policy }

func parsePolicies(o Options) (p policies, err error) {
	parse := func(kind string, texts map[string]string) map[string]*policy {
		all := map[string]*policy{}
		for _, account := range slices.Sorted(maps.Keys(texts)) {
			parsed, parseErr := parsePolicy(texts[account])
			if parseErr != nil && err == nil {
				err = fmt.Errorf("the policy of the %s of account %s: %w", kind, account, parseErr)
			}
			all[account] = parsed
		}
		return all
	}
	p.user, p.role = parse("user", o.UserPolicy), parse("roles", o.RolePolicy)
	return p, err
}

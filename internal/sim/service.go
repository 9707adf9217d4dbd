package sim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// service is one cloud service: a name in credential scopes and operations.
type service struct {
	name       string
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
	name    string
	route   route // in the rest-json protocol; without one it is POST /<name>
	spends  bool  // a success is a commitment that cannot be undone
	changes bool  // a success changes something all the same
	rate    rate
	lists   bool // answers what commitments there are
	pages   *pager
	members []string
	numbers []string // members that are numbers, in the JSON protocols
	maps    []string // members that are maps with free keys, in the rest-json protocol
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
	if _, hit := c.hits[DenyAction]; hit {
		return node{}, fail("AccessDenied", "User: %s is not authorized to perform: %s because no identity-based policy allows the %s:%s action",
			c.who.arn(), c.service.name+":"+c.op.name, c.service.name, c.op.name)
	}
	if !c.op.public {
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

// permit checks one permission of the caller. Static keys may do everything; a
// session may do what its session policy allows, if it was given one.
func (c *call) permit(action, resource string) *apiError {
	if c.who.session == nil || c.who.session.policy == nil {
		return nil
	}
	switch c.who.session.policy.decide(action, resource, c.now) {
	case allowed:
		return nil
	case denied:
		return fail("AccessDenied", "User: %s is not authorized to perform: %s with an explicit deny in a session policy", c.who.arn(), action)
	default:
		return fail("AccessDenied", "User: %s is not authorized to perform: %s because no session policy allows the %s action", c.who.arn(), action, action)
	}
}

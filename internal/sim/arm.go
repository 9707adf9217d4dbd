package sim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Azure Resource Manager: a bearer token, a path that names the provider of a
// resource, an api-version, JSON in and out. Source of routes, members and codes:
// Azure SDK for Go (armreservations v3.1.0, armbillingbenefits v1.0.0), recordings of
// Microsoft's own client tests, the "Common errors" of Azure Resource Manager; for
// permissions "Azure permissions for General". That a listing of all reservations needs
// the permission to list those of an order is the simulator's guess.
//
// A token is "sim-" and the id of a subscription, and may end in "-" and the second
// (Unix time, of the simulated clock) at which it expires. Without that it is good for
// an hour after each request.
const (
	authorizationService = "microsoft.authorization"
	capacityService      = "microsoft.capacity"
	benefitsService      = "microsoft.billingbenefits"
	resourcesService     = "microsoft.resources"
	readSubscription     = "Microsoft.Resources/subscriptions/read"
	opSubscription       = "Subscriptions.get"
	armType              = "application/json; charset=utf-8"
	armTime              = "2006-01-02T15:04:05.0000000Z"
	armDate              = "2006-01-02"
	armTokenLife         = time.Hour
	simTenant            = "10000000-0000-4000-8000-000000000001"
	otherTenant          = "20000000-0000-4000-8000-000000000002"
	subscriptionsPath    = "/subscriptions"
)

var (
	armTokenForm = regexp.MustCompile(`^Bearer sim-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-([0-9]{1,12}))?$`)
)

// armProtocol has no parse: a route decides which service a request is for.
var armProtocol = &protocol{result: armResult, failure: armFailure}

// Rates of Azure Resource Manager, per principal and scope, since 2024.
var armReads, armWrites = rate{250, 25}, rate{200, 10}

// armCodes are what Azure Resource Manager calls the errors that all services share.
var armCodes = map[string]string{
	"ExpiredToken":                "ExpiredAuthenticationToken",
	"InternalFailure":             "InternalServerError",
	"InvalidAction":               "ResourceNotFound",
	"InvalidParameterCombination": "InvalidRequestContent",
	"InvalidParameterValue":       "InvalidRequestContent",
	"MalformedInput":              "InvalidRequestContent",
	"MissingParameter":            "InvalidRequestContent",
	"SignatureDoesNotMatch":       "ExpiredAuthenticationToken",
	"Throttling":                  "TooManyRequests",
}

// at is a route as descriptions of an API write it.
func at(text string) route {
	method, path, _ := strings.Cut(text, " ")
	return route{method: method, path: path}
}

// registerARM registers a service of Azure.
func registerARM(s *service) {
	s.provider, s.global, s.protocol, s.codes = onAzure, true, armProtocol, armCodes
	for _, op := range s.operations {
		op.rate = armReads
		if op.route.method != http.MethodGet {
			op.rate = armWrites
		}
	}
	register(s)
}

// isARM reports whether a request is meant for Azure: its path says so, or its token
// and no path of another cloud.
func isARM(r *http.Request) bool {
	path := strings.ToLower(r.URL.Path)
	if path == subscriptionsPath || strings.HasPrefix(path, subscriptionsPath+"/") || strings.HasPrefix(path, "/providers/") {
		return true
	}
	route, _ := routeGCP(r)
	return route == nil && armTokenForm.MatchString(r.Header.Get("Authorization"))
}

// admitARM turns a request into a call, and fills in what the log may know of it.
func (s *Sim) admitARM(w *world, now time.Time, r *http.Request, body []byte, log *Request) (c *call, until time.Time, err *apiError) {
	log.Provider = onAzure
	until, err = s.azureCaller(now, r, log, armTokenForm)
	if err != nil {
		return nil, until, err
	}
	service, op, in := armRoute(r)
	if op == nil {
		if service != nil {
			log.Service = service.name
		}
		return nil, until, fail("ResourceNotFound", "No HTTP resource was found that matches the request URI '%s' for %s", r.URL.Path, r.Method)
	}
	log.Service, log.Operation, log.Spending = service.name, op.name, op.spends
	if err := armMembers(service, op, in, r, body); err != nil {
		return nil, until, err
	}
	who := caller{account: log.Account, accessKey: log.AccessKey}
	c = s.call(w, now, who, service, op, "", in, log.ID)
	c.userAgent, c.base = r.UserAgent(), "http://"+r.Host
	if r.TLS != nil {
		c.base = "https://" + r.Host
	}
	return c, until, nil
}

// azureCaller reads a token of a form, and returns until when it may be acted upon.
func (s *Sim) azureCaller(now time.Time, r *http.Request, log *Request, form *regexp.Regexp) (until time.Time, err *apiError) {
	auth := r.Header.Get("Authorization")
	if auth == "" {
		return until, fail("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	}
	m := form.FindStringSubmatch(auth)
	if m == nil {
		return until, fail("InvalidAuthenticationToken", "The access token is invalid.")
	}
	a, ok := accountByID(m[1])
	if !ok || a.Provider != onAzure {
		return until, fail("InvalidAuthenticationToken", "The access token is of no known subscription.")
	}
	log.Account, log.AccessKey = a.ID, mask("sim-"+a.ID)
	if m[2] == "" {
		return now.Add(armTokenLife), nil
	}
	seconds, _ := strconv.ParseInt(m[2], 10, 64) // at most 12 digits
	if until = time.Unix(seconds, 0).UTC(); !now.Before(until) {
		return until, fail("ExpiredAuthenticationToken", "The access token expiry UTC time '%s' is earlier than current UTC time '%s'.",
			until.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	return until, nil
}

// armRoute finds the operation of a path and the names in it. Fixed parts of a path
// are compared without case.
func armRoute(r *http.Request) (*service, *operation, params) {
	namespace := resourcesService
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	for i, p := range parts[:len(parts)-1] {
		if strings.EqualFold(p, "providers") {
			namespace = strings.ToLower(parts[i+1])
		}
	}
	s := services[namespace]
	if s == nil || s.protocol != armProtocol {
		return nil, nil, nil
	}
	for _, op := range s.operations {
		if in := armMatch(strings.Split(strings.Trim(op.route.path, "/"), "/"), parts); op.route.method == r.Method && in != nil {
			return s, op, in
		}
	}
	return s, nil, nil
}

// armMatch compares a path with a pattern, and returns the parts that have a name in it:
// {name} stands for one part, and {name*} at the beginning for one or more.
func armMatch(pattern, parts []string) params {
	in := params{}
	if name, many := strings.CutSuffix(pattern[0], "*}"); many && len(parts) >= len(pattern) {
		rest := len(parts) - len(pattern) + 1
		in["path."+strings.TrimPrefix(name, "{")] = strings.Join(parts[:rest], "/")
		pattern, parts = pattern[1:], parts[rest:]
	}
	if len(pattern) != len(parts) {
		return nil
	}
	for i, p := range pattern {
		name, isName := strings.CutPrefix(p, "{")
		switch {
		case isName && parts[i] != "":
			in["path."+strings.TrimSuffix(name, "}")] = parts[i]
		case !strings.EqualFold(p, parts[i]):
			return nil
		}
	}
	return in
}

// armMembers reads query and body into in. A member that the operation does not have
// is refused, as is a type that it does not have.
func armMembers(s *service, op *operation, in params, r *http.Request, body []byte) *apiError {
	given := params{}
	for name, values := range r.URL.Query() {
		if len(values) != 1 {
			return fail("MalformedInput", "The parameter %s is given %d times", name, len(values))
		}
		given[name] = values[0]
	}
	want := s.version
	if op.version != "" {
		want = op.version
	}
	switch v := given["api-version"]; {
	case v == "":
		return fail("MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	case v != want:
		return fail("InvalidResourceType", "The api-version '%s' is not supported for %s; supported is '%s'", v, op.name, want)
	}
	delete(given, "api-version")
	if len(body) > 0 {
		object, err := oneObject(body)
		if err != nil {
			return err
		}
		if err := armFlatten(given, op, "", object); err != nil {
			return err
		}
	}
	if err := given.check(op); err != nil {
		return err
	}
	for name, value := range given {
		in[name] = value
	}
	return nil
}

func armFlatten(in params, op *operation, name string, value any) *apiError {
	generic := listIndex.ReplaceAllString(name, ".N$1")
	under := strings.TrimPrefix(name+".", ".")
	wrong := func(kind string) *apiError {
		return fail("MalformedInput", "The value of %s is %s, which is not what it must be", name, kind)
	}
	switch v := value.(type) {
	case map[string]any:
		for key, member := range v {
			if err := armFlatten(in, op, under+key, member); err != nil {
				return err
			}
		}
	case []any:
		for i, member := range v {
			if err := armFlatten(in, op, under+strconv.Itoa(i+1), member); err != nil {
				return err
			}
		}
	case string:
		if slices.Contains(op.numbers, generic) || slices.Contains(op.booleans, generic) {
			return wrong("a string")
		}
		in[name] = v
	case json.Number:
		if !slices.Contains(op.numbers, generic) {
			return wrong("a number")
		}
		in[name] = v.String()
	case bool:
		if !slices.Contains(op.booleans, generic) {
			return wrong("a boolean")
		}
		in[name] = boolText(v)
	}
	return nil
}

func armHeader(requestID string) map[string]string {
	return map[string]string{
		"X-Ms-Request-Id": requestID, "X-Ms-Correlation-Request-Id": requestID, "Cache-Control": "no-cache",
	}
}

func armResult(_ *service, _ *operation, requestID string, out node) reply {
	out.kind = isGroup
	var b bytes.Buffer
	writeNode(&b, out)
	return reply{status: http.StatusOK, contentType: armType, body: b.Bytes(), header: armHeader(requestID)}
}

func armFailure(_ *service, requestID string, err *apiError) reply {
	body, _ := json.Marshal(map[string]any{"error": map[string]string{"code": err.code, "message": err.message}}) // strings always encode
	r := reply{status: err.status(), code: err.code, contentType: armType, body: body, header: armHeader(requestID)}
	if r.status == http.StatusTooManyRequests {
		r.header["Retry-After"] = "1"
	}
	return r
}

// flag is a boolean member.
func flag(name string, b bool) node { return number(name, boolText(b)) }

// null is a member that is there and has nothing in it.
func null(name string) node { return number(name, "null") }

// nextLink is the address of the next page of the call's listing; "" for no page.
func (c *call) nextLink(path, marker string) string {
	if marker == "" {
		return ""
	}
	q := url.Values{"api-version": {c.service.version}, c.op.pages.token: {marker}}
	for name, value := range c.in {
		if !strings.HasPrefix(name, "path.") && name != c.op.pages.token {
			q.Set(name, value)
		}
	}
	return c.base + path + "?" + q.Encode()
}

// armPages is how listings of Azure Resource Manager page: by an absolute address.
var armPages = &pager{token: "$skiptoken", size: "take", low: 1, high: 100, invalid: "InvalidRequestContent"}

// pageOf is an answer with one page of a listing.
func pageOf(c *call, path, marker string, kids []node) node {
	out := node{kids: []node{{name: "value", kind: isList, kids: kids}}}
	return out.maybe("nextLink", c.nextLink(path, marker))
}

func init() {
	registerARM(&service{
		name: authorizationService, version: "2022-04-01",
		operations: map[string]*operation{
			"Permissions.ListForSubscription": {
				route: at("GET /subscriptions/{subscription}/providers/Microsoft.Authorization/permissions"), action: "Microsoft.Authorization/permissions/read",
				run: armPermissions,
			},
		},
	})
	registerARM(&service{
		name: resourcesService, version: "2022-12-01",
		operations: map[string]*operation{
			opSubscription: {proves: true, route: at("GET /subscriptions/{subscription}"), action: readSubscription, run: armSubscription},
			"Subscriptions.list": {route: at("GET /subscriptions"), run: func(c *call) (node, *apiError) {
				a, _ := accountByID(c.who.account)
				return pageOf(c, "", "", []node{subscriptionNode("", a, a.Tenant)}), nil
			}},
		},
	})
}

func armSubscription(c *call) (node, *apiError) {
	a, ok := accountByID(strings.ToLower(c.in["path.subscription"]))
	switch {
	case !ok || a.Provider != onAzure:
		return node{}, fail("SubscriptionNotFound", "The subscription '%s' could not be found.", c.in["path.subscription"])
	case a.ID != c.who.account:
		return node{}, forbidden(c, readSubscription, "/subscriptions/"+a.ID)
	}
	tenant := a.Tenant
	if _, wrong := c.hits[WrongCaller]; wrong {
		tenant = otherTenant
	}
	return node{kids: subscriptionNode("", a, tenant).kids}, nil
}

func subscriptionNode(name string, a Account, tenant string) node {
	return group(name, leaf("id", "/subscriptions/"+a.ID), leaf("subscriptionId", a.ID), leaf("displayName", a.Name),
		leaf("state", "Enabled"), leaf("tenantId", tenant))
}

// forbidden is what the front door says of an action that the caller's role lacks.
func forbidden(c *call, action, scope string) *apiError {
	return fail("AuthorizationFailed", "The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		"operator", drawUUID(0, "object", c.who.account), action, scope)
}

// permitARM checks the permission of the caller.
func (c *call) permitARM() *apiError {
	_, denied := c.hits[DenyAction]
	if !denied {
		actions, limited := c.opts.Actions[c.who.account]
		if c.op.data {
			actions, limited = c.opts.DataActions[c.who.account]
		}
		denied = limited && c.op.action != "" && !slices.ContainsFunc(actions, func(pattern string) bool { return allows(pattern, c.op.action) })
	}
	switch {
	case !denied:
		return nil
	case c.op.data:
		return fail("AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.")
	}
	return forbidden(c, cmp.Or(c.op.action, c.op.name), "/subscriptions/"+c.who.account)
}

// allows reports whether a pattern of a role definition covers an action. An asterisk
// stands for anything, slashes included, and capitals do not count.
func allows(pattern, action string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	action = strings.ToLower(action)
	rest, starts := strings.CutPrefix(action, parts[0])
	if len(parts) == 1 || !starts {
		return starts && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// armPermissions are what the caller may do in its subscription.
func armPermissions(c *call) (node, *apiError) {
	if id := strings.ToLower(c.in["path.subscription"]); id != c.who.account {
		return node{}, forbidden(c, c.op.action, "/subscriptions/"+id)
	}
	actions, limited := c.opts.Actions[c.who.account]
	if !limited {
		actions = []string{"*"}
	}
	role := group("", textList("actions", actions), list("notActions"), list("dataActions"), list("notDataActions"))
	return node{kids: []node{{name: "value", kind: isList, kids: []node{role}}}}, nil
}

// billed checks that a purchase is billed to the caller's subscription, which may be
// written with or without its path.
func (c *call) billed(member, action string) *apiError {
	scope, err := c.in.required(member)
	if err != nil {
		return err
	}
	id := strings.ToLower(strings.TrimPrefix(scope, subscriptionsPath+"/"))
	switch {
	case !guidForm.MatchString(id):
		return fail("InvalidRequestContent", "The billing scope '%s' is not a subscription", scope)
	case id != c.who.account:
		return forbidden(c, action, "/subscriptions/"+id)
	}
	return nil
}

// appliedScope checks where the benefit goes, and returns it as one text: Shared, or
// the id of a subscription, a resource group or a management group.
func (c *call) appliedScope(at string) (string, *apiError) {
	kind, err := c.in.required(at + "appliedScopeType")
	if err != nil {
		return "", err
	}
	properties := at + "appliedScopeProperties."
	given := map[string]string{}
	for _, name := range []string{"subscriptionId", "resourceGroupId", "managementGroupId", "tenantId"} {
		if v := c.in[properties+name]; v != "" {
			given[name] = v
		}
	}
	old, err := c.in.list(at + "appliedScopes")
	if err != nil {
		return "", err
	}
	invalid := func(code, format string, args ...any) (string, *apiError) { return "", fail(code, format, args...) }
	switch kind {
	case "Shared":
		if len(given)+len(old) > 0 {
			return invalid("InvalidRequestContent", "A shared scope has no applied scopes")
		}
		return kind, nil
	case "ManagementGroup":
		if given["tenantId"] == "" || given["managementGroupId"] == "" {
			return invalid("MissingTenantId", "A management group needs tenantId and managementGroupId")
		}
		if given["tenantId"] != simTenant {
			return invalid("InvalidTenantId", "The tenant '%s' is not that of the caller", given["tenantId"])
		}
		return given["managementGroupId"], nil
	case "Single":
		for _, v := range []string{given["resourceGroupId"], given["subscriptionId"]} {
			if v != "" {
				old = append(old, v)
			}
		}
		if len(old) == 0 {
			return invalid("MissingAppliedScopesForSingle", "A single scope needs a subscription or a resource group")
		}
		if len(old) > 1 {
			return invalid("InvalidSingleAppliedScopesCount", "A single scope is exactly one, not %d", len(old))
		}
		if !strings.HasPrefix(old[0], "/subscriptions/") {
			return invalid("InvalidRequestContent", "'%s' is not the id of a subscription or a resource group", old[0])
		}
		return old[0], nil
	}
	return invalid("InvalidRequestContent", "The appliedScopeType '%s' is not known", kind)
}

// scopeNodes are how an applied scope is shown.
func scopeNodes(scope string) []node {
	kind, properties := "Single", []node{leaf("subscriptionId", scope)}
	switch {
	case scope == "Shared":
		return []node{leaf("appliedScopeType", scope), null("appliedScopeProperties")}
	case strings.Contains(strings.ToLower(scope), "/resourcegroups/"):
		properties = []node{leaf("resourceGroupId", scope)}
	case strings.HasPrefix(strings.ToLower(scope), "/providers/microsoft.management/"):
		kind, properties = "ManagementGroup", []node{leaf("managementGroupId", scope), leaf("tenantId", simTenant)}
	}
	return []node{leaf("appliedScopeType", kind), group("appliedScopeProperties", properties...)}
}

// amountNode is an amount as a JSON number.
func amountNode(name, amount string) node {
	return group(name, leaf("currencyCode", currency), number("amount", amount))
}

// armTerm is a term in the words of Azure.
func armTerm(seconds int64) string { return fmt.Sprintf("P%dY", seconds/oneYear) }

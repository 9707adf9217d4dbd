package sim

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/money"
)

// Resource-based commitments of Compute Engine: regionCommitments of compute v1. No
// method of v1 ends one. Not published, and drawn or switched here: how long a request
// id is remembered (Options.TokenLife), what it does with another body, how long an
// operation takes, whether a taken name is refused at the request or on the operation
// (Options.NameTaken), and whether a failed operation carries httpErrorStatusCode.
const compute = "compute"

// NameTaken says where a commitment's name that is taken is refused.
type NameTaken int

const (
	// AtRequest answers 409 to the request.
	AtRequest NameTaken = iota
	// OnOperation lets the operation fail with RESOURCE_ALREADY_EXISTS.
	OnOperation
)

var commitmentName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// gcpQuota is how many commitments a project may have per region (metric
// COMMITMENTS).
const gcpQuota = 40

func init() {
	pages := &pager{token: "pageToken", size: "maxResults", low: 0, high: 500, invalid: "invalid", answer: "nextPageToken"}
	register(&service{
		name: compute, provider: onGCP, protocol: gcpREST, codes: gcpCodes(true),
		operations: map[string]*operation{
			"regionCommitments.insert":         {spends: true, rate: gcpWrites, run: insertCommitment},
			"regionCommitments.get":            {lists: true, rate: gcpReads, run: getCommitment},
			"regionCommitments.list":           {lists: true, pages: pages, rate: gcpReads, run: listCommitments},
			"regionCommitments.aggregatedList": {lists: true, pages: pages, rate: gcpReads, run: aggregateCommitments},
			"regionOperations.get":             {rate: gcpReads, run: getOperation},
			"regionOperations.list":            {pages: pages, rate: gcpReads, run: listOperations},
			"regionOperations.wait":            {rate: gcpReads, run: getOperation}, // it may answer before the end at any time
			"regions.get":                      {proves: true, run: getRegion},
		},
		sells: &seller{stock: func(*catalog) {}, quota: gcpQuota},
	})
	const base = "/compute/v1/projects/{project}/regions/{region}"
	listing := []string{"filter", "maxResults", "orderBy", "pageToken", "returnPartialSuccess"}
	gcpRoutes = append(gcpRoutes,
		gcpRoute{method: "POST", path: base + "/commitments", service: compute, operation: "regionCommitments.insert",
			query: []string{"requestId"}, body: map[string]jsonKind{
				"name": jsonText, "description": jsonText, "plan": jsonText, "category": jsonText, "type": jsonText, "autoRenew": jsonBool,
				"resources.N.type": jsonText, "resources.N.amount": jsonInt64, "resources.N.acceleratorType": jsonText,
				"licenseResource.license": jsonText, "licenseResource.amount": jsonInt64, "licenseResource.coresPerLicense": jsonText,
			}},
		gcpRoute{method: "GET", path: base + "/commitments/{name}", service: compute, operation: "regionCommitments.get"},
		gcpRoute{method: "GET", path: base + "/commitments", service: compute, operation: "regionCommitments.list", query: listing},
		gcpRoute{method: "GET", path: "/compute/v1/projects/{project}/aggregated/commitments", service: compute,
			operation: "regionCommitments.aggregatedList", query: append([]string{"includeAllScopes"}, listing...)},
		gcpRoute{method: "GET", path: base + "/operations/{operation}", service: compute, operation: "regionOperations.get"},
		gcpRoute{method: "POST", path: base + "/operations/{operation}/wait", service: compute, operation: "regionOperations.wait"},
		gcpRoute{method: "GET", path: base + "/operations", service: compute, operation: "regionOperations.list", query: listing},
		gcpRoute{method: "GET", path: base, service: compute, operation: "regions.get"},
	)
}

// gcpPlans are the plans with their months.
var gcpPlans = map[string]int{"TWELVE_MONTH": 12, "THIRTY_SIX_MONTH": 36}

func planOf(months int) string {
	if months == 36 {
		return "THIRTY_SIX_MONTH"
	}
	return "TWELVE_MONTH"
}

// insertCommitment sells.
func insertCommitment(c *call) (node, *apiError) {
	asked := c.in.asked()
	if op, err := c.answered(c.in["requestId"], asked); op != nil || err != nil {
		if err != nil {
			return node{}, err
		}
		return c.operation(op), nil
	}
	o, err := c.wanted()
	if err != nil {
		return node{}, err
	}
	op := c.operate("operation-"+drawUUID(c.world.seed, "operation", c.requestID), o.ID)
	used := 0
	for _, other := range c.world.gcp.owned {
		if other.Service == compute && other.Account == o.Account && other.Region == o.Region && other.state(c.now) != "EXPIRED" && other.state(c.now) != "CANCELLED" {
			used++
		}
	}
	limit := c.opts.quotaOf(compute)
	_, fails := c.hits[PaymentFailed]
	switch {
	case c.world.gcp.byID[resourceKey{scope{compute, o.Account, o.Region}, o.ID}] != nil:
		text := "The resource 'projects/" + o.Account + "/regions/" + o.Region + "/commitments/" + o.ID + "' already exists"
		if c.opts.NameTaken == AtRequest {
			return node{}, fail("alreadyExists", "%s", text)
		}
		op.fail(c, "RESOURCE_ALREADY_EXISTS", text, 409)
	case used >= limit:
		op.fail(c, "QUOTA_EXCEEDED", "Quota 'COMMITMENTS' exceeded.  Limit: "+strconv.Itoa(limit)+".0 in region "+o.Region+".", 403)
	case fails: // and leaves something behind
		op.fail(c, "INTERNAL_ERROR", "Internal error. Please try again or contact Google Support.", 500)
		fallthrough
	default:
		o.Fails = fails
		o.Operation, o.DoneAt, o.BoughtAt, o.StartsAt = op.Name, op.DoneAt, c.now, nextMidnight(c.now)
		o.VisibleAt = c.now.Add(drawDuration(0, c.opts.Visibility, c.world.seed, "visible", compute, o.Account, o.Region, o.ID))
		o.AccessKey, o.RequestID = c.who.accessKey, c.requestID
		c.out.GCP = &gcpChange{Owned: []gcpOwned{o}, Operation: &op}
		return c.operation(&op), nil
	}
	c.out.GCP = &gcpChange{Operation: &op}
	return c.operation(&op), nil
}

// fail lets an operation end in an error, with a status or, which also happens,
// without one.
func (o *gcpOperation) fail(c *call, code, message string, status int) {
	o.Code, o.Message = code, message
	if draw(2, c.world.seed, "status", o.Name) == 0 {
		o.HTTP = status
	}
}

// wanted reads the commitment that an insert asks for.
func (c *call) wanted() (gcpOwned, *apiError) {
	in := c.in
	o := gcpOwned{
		Service: compute, Account: c.who.account, Billing: gcpBillingOf(c.who.account), Region: c.region,
		ID: in["name"], Class: in["type"], Months: gcpPlans[in["plan"]], Count: 1, Resources: map[string]string{},
	}
	invalid := func(field, format string, args ...any) (gcpOwned, *apiError) {
		err := fail("InvalidParameterValue", format, args...)
		err.message = "Invalid value for field 'resource." + field + "': '" + in[field] + "'. " + err.message
		return o, err
	}
	switch {
	case !commitmentName.MatchString(o.ID):
		return invalid("name", "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'")
	case o.Months == 0:
		return invalid("plan", "Must be TWELVE_MONTH or THIRTY_SIX_MONTH.")
	case in["autoRenew"] == "true":
		return invalid("autoRenew", "The simulator does not renew.")
	case in["category"] == "LICENSE":
		return c.wantedLicense(o)
	case in["licenseResource.license"] != "" || in["licenseResource.amount"] != "":
		return invalid("licenseResource.license", "Only a commitment of category LICENSE has a license.")
	case in["category"] != "" && in["category"] != "MACHINE":
		return invalid("category", "Unknown category.")
	}
	family := gcpFamily(o.Class)
	if family == nil {
		return invalid("type", "Unknown commitment type.")
	}
	for i := 1; in["resources."+strconv.Itoa(i)+".type"] != "" || in["resources."+strconv.Itoa(i)+".amount"] != ""; i++ {
		at := "resources." + strconv.Itoa(i)
		kind := in[at+".type"]
		amount, err := strconv.ParseInt(in[at+".amount"], 10, 64)
		switch {
		case err != nil || amount < 1 || amount > 1<<40:
			return invalid(at+".amount", "Must be a positive amount.")
		case o.Resources[kind] != "":
			return invalid(at+".type", "Given twice.")
		case kind == "MEMORY" && amount%256 != 0:
			return invalid(at+".amount", "Memory must be a multiple of 256 MB.")
		case kind == "ACCELERATOR" || kind == "LOCAL_SSD":
			return invalid(at+".type", "Accelerators and local disks need reservations, which the simulator does not have.")
		case kind != "VCPU" && kind != "MEMORY":
			return invalid(at+".type", "Unknown resource type.")
		}
		o.Resources[kind] = in[at+".amount"]
	}
	if o.Resources["VCPU"] == "" || o.Resources["MEMORY"] == "" {
		return invalid("resources", "Both VCPU and MEMORY are required.")
	}
	hourly, err := family.price(o.Region, o.Months, o.Resources)
	if err != nil {
		return invalid("resources", "%v", err)
	}
	o.Hourly = hourly.Canonical()
	return o, nil
}

// wantedLicense reads a commitment of the category LICENSE, which has no type.
func (c *call) wantedLicense(o gcpOwned) (gcpOwned, *apiError) {
	in := c.in
	l := gcpLicenseAt(in["licenseResource.license"], in["licenseResource.coresPerLicense"])
	amount, err := strconv.Atoi(in["licenseResource.amount"])
	switch {
	case in["type"] != "" || in["resources.1.type"] != "":
		return o, fail("InvalidParameterValue", "Invalid value for field 'resource.type': '%s'. A license commitment has neither type nor resources.", in["type"])
	case l == nil:
		return o, fail("InvalidParameterValue", "Invalid value for field 'resource.licenseResource.license': '%s'. No such license for cores '%s'.",
			in["licenseResource.license"], in["licenseResource.coresPerLicense"])
	case err != nil || amount < 1 || amount > 1_000_000:
		return o, fail("InvalidParameterValue", "Invalid value for field 'resource.licenseResource.amount': '%s'. Must be a positive amount.", in["licenseResource.amount"])
	}
	l.give(&o)
	o.Count = amount
	return o, nil
}

func (o *gcpOwned) state(at time.Time) string {
	switch {
	case at.Before(o.DoneAt):
		return "CREATING"
	case o.Fails:
		return "CANCELLED"
	case at.Before(o.StartsAt):
		return "NOT_YET_ACTIVE"
	case at.Before(o.endsAt()):
		return "ACTIVE"
	}
	return "EXPIRED"
}

const gcpLink = "https://www.googleapis.com/compute/v1/projects/"

// link is the address of something in the call's region.
func (c *call) link(rest string) string {
	return gcpLink + c.who.account + "/regions/" + c.region + rest
}

func numericID(seed uint64, parts ...string) string {
	return strconv.FormatUint(1e18+draw(8e18, seed, append(parts, "number")...), 10)
}

// operation is how an operation shows now.
func (c *call) operation(o *gcpOperation) node {
	link := func(rest string) string { return gcpLink + o.Account + "/regions/" + o.Region + rest }
	status, progress := "RUNNING", "0"
	if !o.running(c.now) {
		status, progress = "DONE", "100"
	}
	out := group("",
		leaf("kind", "compute#operation"), leaf("id", numericID(c.world.seed, o.Name)), leaf("name", o.Name),
		leaf("operationType", "insert"), leaf("targetLink", link("/commitments/"+o.Target)),
		leaf("targetId", numericID(c.world.seed, compute, o.Account, o.Region, o.Target)),
		leaf("status", status), leaf("user", "sa@"+o.Account+".iam.gserviceaccount.com"), number("progress", progress),
		leaf("insertTime", o.StartedAt.In(pacific).Format(gcpTime)), leaf("startTime", o.StartedAt.In(pacific).Format(gcpTime)),
		leaf("selfLink", link("/operations/"+o.Name)), leaf("region", link("")),
	).maybe("clientOperationId", o.ClientID)
	if status != "DONE" {
		return out
	}
	out = out.maybe("endTime", o.DoneAt.In(pacific).Format(gcpTime))
	if o.Code != "" {
		if o.HTTP > 0 {
			out.kids = append(out.kids, integer("httpErrorStatusCode", o.HTTP), leaf("httpErrorMessage", o.Code))
		}
		out.kids = append(out.kids, group("error", list("errors", group("", leaf("code", o.Code), leaf("message", o.Message)))))
	}
	return out
}

func getOperation(c *call) (node, *apiError) {
	o := c.world.gcp.operations[c.in["operation"]]
	if o == nil || o.Service != compute || o.Account != c.who.account || o.Region != c.region {
		return node{}, fail("NotFound", "The resource 'projects/%s/regions/%s/operations/%s' was not found", c.who.account, c.region, c.in["operation"])
	}
	return c.operation(o), nil
}

// equals is the one form of filter that is served: FIELD="VALUE" or FIELD=VALUE.
var equals = regexp.MustCompile(`^\(?([A-Za-z_]+)\s*(?:=|eq)\s*"?([^"()]*)"?\)?$`)

func (c *call) filter() (field, value string, err *apiError) {
	text := c.in["filter"]
	if text == "" {
		return "", "", nil
	}
	m := equals.FindStringSubmatch(text)
	if m == nil {
		return "", "", fail("InvalidParameterValue", "Invalid value for field 'filter': '%s'. The simulator knows FIELD=\"VALUE\".", text)
	}
	return m[1], m[2], nil
}

func listOperations(c *call) (node, *apiError) {
	field, value, err := c.filter()
	if err == nil && field != "" && field != "clientOperationId" && field != "name" {
		err = fail("InvalidParameterValue", "Invalid value for field 'filter': '%s'.", c.in["filter"])
	}
	if err != nil {
		return node{}, err
	}
	var records []*gcpOperation
	for _, o := range c.world.gcp.operations {
		if o.Service == compute && o.Account == c.who.account && o.Region == c.region &&
			(field == "" || field == "name" && o.Name == value || field == "clientOperationId" && o.ClientID == value) {
			records = append(records, o)
		}
	}
	slices.SortFunc(records, func(a, b *gcpOperation) int { return strings.Compare(a.Name, b.Name) })
	page, next, err := paginate(c, records, func(o *gcpOperation) (time.Time, int) { return o.StartedAt, 0 })
	if err != nil {
		return node{}, err
	}
	var items []node
	for _, o := range page {
		items = append(items, c.operation(o))
	}
	return c.listed("compute#operationList", "operations", items, next), nil
}

// listed is a list as compute answers it; an empty one has no items.
func (c *call) listed(kind, what string, items []node, next string) node {
	out := group("", leaf("kind", kind), leaf("id", "projects/"+c.who.account+"/regions/"+c.region+"/"+what))
	if len(items) > 0 {
		out.kids = append(out.kids, list("items", items...))
	}
	return out.maybe("nextPageToken", next).maybe("selfLink", c.link("/"+what))
}

func (c *call) googleCommitment(o *gcpOwned, at time.Time) node {
	base := gcpLink + o.Account + "/regions/" + o.Region
	about := []node{leaf("type", o.Class), leaf("category", "MACHINE")}
	if o.License {
		license, cores := licenseOf(o.Class)
		about = []node{leaf("category", "LICENSE"), group("licenseResource", leaf("license", licenseLink(license)),
			leaf("amount", strconv.Itoa(o.Count))).maybe("coresPerLicense", cores)}
	}
	var resources []node
	for _, kind := range []string{"VCPU", "MEMORY"} {
		if amount := o.Resources[kind]; amount != "" {
			resources = append(resources, group("", leaf("type", kind), leaf("amount", amount)))
		}
	}
	if len(resources) > 0 {
		about = append(about, list("resources", resources...))
	}
	out := group("",
		leaf("kind", "compute#commitment"), leaf("id", numericID(c.world.seed, compute, o.Account, o.Region, o.ID)),
		leaf("creationTimestamp", o.BoughtAt.In(pacific).Format(gcpTime)), leaf("name", o.ID), leaf("region", base),
		leaf("selfLink", base+"/commitments/"+o.ID), leaf("status", o.state(at)), leaf("plan", planOf(o.Months)),
		leaf("startTimestamp", o.StartsAt.In(pacific).Format(gcpTime)), leaf("endTimestamp", o.endsAt().In(pacific).Format(gcpTime)),
		number("autoRenew", "false"),
	)
	out.kids = append(out.kids, about...)
	return out
}

func getCommitment(c *call) (node, *apiError) {
	o := c.world.gcp.byID[resourceKey{scope{compute, c.who.account, c.region}, c.in["name"]}]
	if o == nil || o.VisibleAt.After(c.asOf()) {
		return node{}, fail("NotFound", "The resource 'projects/%s/regions/%s/commitments/%s' was not found", c.who.account, c.region, c.in["name"])
	}
	return c.googleCommitment(o, c.asOf()), nil
}

func listCommitments(c *call) (node, *apiError) {
	field, value, err := c.filter()
	if err == nil && field != "" && field != "name" {
		err = fail("InvalidParameterValue", "Invalid value for field 'filter': '%s'.", c.in["filter"])
	}
	if err != nil {
		return node{}, err
	}
	page, next, err := pageGCP(c, func(o *gcpOwned) bool {
		return o.Account == c.who.account && o.Region == c.region && (field == "" || o.ID == value)
	})
	if err != nil {
		return node{}, err
	}
	var items []node
	for _, o := range page {
		items = append(items, c.googleCommitment(o, c.asOf()))
	}
	return c.listed("compute#commitmentList", "commitments", items, next), nil
}

// aggregateCommitments shows every region; one without anything on the page has a
// warning instead.
func aggregateCommitments(c *call) (node, *apiError) {
	page, next, err := pageGCP(c, func(o *gcpOwned) bool { return o.Account == c.who.account })
	if err != nil {
		return node{}, err
	}
	var regions []node
	for _, r := range gcpRegions {
		var items []node
		for _, o := range page {
			if o.Region == r.name {
				items = append(items, c.googleCommitment(o, c.asOf()))
			}
		}
		if len(items) == 0 {
			regions = append(regions, group("regions/"+r.name, group("warning", leaf("code", "NO_RESULTS_ON_PAGE"),
				leaf("message", "There are no results for scope 'regions/"+r.name+"' on this page."))))
			continue
		}
		regions = append(regions, group("regions/"+r.name, list("commitments", items...)))
	}
	return group("", leaf("kind", "compute#commitmentAggregatedList"), leaf("id", "projects/"+c.who.account+"/aggregated/commitments"),
		group("items", regions...)).maybe("nextPageToken", next), nil
}

// getRegion shows a region with its quota of commitments.
func getRegion(c *call) (node, *apiError) {
	used := 0
	for _, o := range c.world.gcp.owned {
		if o.Service == compute && o.Account == c.who.account && o.Region == c.region && o.state(c.now) != "EXPIRED" {
			used++
		}
	}
	link := c.link("")
	if _, wrong := c.hits[WrongCaller]; wrong {
		link = gcpLink + "other-corp/regions/" + c.region
	}
	return group("", leaf("kind", "compute#region"), leaf("id", numericID(0, "region", c.region)), leaf("name", c.region),
		leaf("status", "UP"), leaf("selfLink", link), list("quotas",
			group("", leaf("metric", "COMMITMENTS"), integer("limit", c.opts.quotaOf(compute)), integer("usage", used)))), nil
}

// entry is what the ledger says of it.
func (o *gcpOwned) entry(now time.Time) Entry {
	e := Entry{
		Provider: onGCP, Service: o.Service, Account: o.Account, Region: o.Region, ID: o.ID, SentID: o.ID, OfferingID: o.Class, Class: o.Class,
		Attributes: map[string]string{}, Payment: "Monthly", Seconds: int64(o.Months) * oneYear / 12, Count: o.Count,
		Fixed: money.Zero(currency), Hourly: money.MustParse(o.Hourly, currency), Tags: []Tag{}, State: o.state(now),
		BoughtAt: o.BoughtAt, StartsAt: o.StartsAt, VisibleAt: o.VisibleAt, SettlesAt: o.DoneAt, EndsAt: o.endsAt(),
		Existing: o.Existing, AccessKey: o.AccessKey, RequestID: o.RequestID,
	}
	for name, value := range o.Resources {
		e.Attributes[strings.ToLower(name)] = value
	}
	if o.Service == compute {
		e.ARN = strings.TrimPrefix(gcpLink, "https://www.googleapis.com/compute/v1/") + o.Account + "/regions/" + o.Region + "/commitments/" + url.PathEscape(o.ID)
	} else {
		e.State = o.stateOfOrder(now)
		e.Account = o.Billing // whoever of its projects ordered
		e.SentID, e.ARN = "", "billingAccounts/"+o.Billing+"/orders/"+o.ID
		e.Attributes["display_name"] = o.Label
	}
	return e
}

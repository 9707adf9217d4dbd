package sim

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Permissions of Google Cloud, and the Cloud Resource Manager API v3: which projects
// there are, and what a caller may do there. Sources: its discovery document, and the
// IAM permissions that the reference names for each method. testIamPermissions needs
// no permission and answers with those of the asked ones that the caller has; with
// none, the answer is empty.
const resourceManager = "cloudresourcemanager"

// gcpPermissions are what operations need: on the project or, where they are of a
// billing account, there. One that is not here needs none.
var gcpPermissions = map[string]string{
	"compute.regionCommitments.insert":         "compute.commitments.create",
	"compute.regionCommitments.get":            "compute.commitments.get",
	"compute.regionCommitments.list":           "compute.commitments.list",
	"compute.regionCommitments.aggregatedList": "compute.commitments.list",
	"compute.regionOperations.get":             "compute.regionOperations.get",
	"compute.regionOperations.wait":            "compute.regionOperations.get",
	"compute.regionOperations.list":            "compute.regionOperations.list",
	"compute.regions.get":                      "compute.regions.get",

	"cloudbilling.projects.getBillingInfo": "resourcemanager.projects.get",
	resourceManager + ".projects.search":   "resourcemanager.projects.get",

	consumerProcurement + ".orders.place":          "consumerprocurement.orders.place",
	consumerProcurement + ".orders.get":            "consumerprocurement.orders.get",
	consumerProcurement + ".orders.list":           "consumerprocurement.orders.list",
	consumerProcurement + ".orders.operations.get": "consumerprocurement.orders.get",
}

// useQuota is what a request needs that names the project to be charged for quota.
const useQuota = "serviceusage.services.use"

func init() {
	register(&service{
		name: resourceManager, provider: onGCP, protocol: gcpREST, codes: gcpCodes(false),
		operations: map[string]*operation{
			"projects.testIamPermissions": {run: testPermissions},
			"projects.search": {
				pages: &pager{token: "pageToken", size: "pageSize", low: 0, high: 500, invalid: "INVALID_ARGUMENT", answer: "nextPageToken"},
				run:   searchProjects,
			},
		},
	})
	asked := map[string]jsonKind{"permissions.N": jsonText}
	gcpRoutes = append(gcpRoutes,
		gcpRoute{method: "POST", path: "/v3/projects/{project}:testIamPermissions", service: resourceManager, operation: "projects.testIamPermissions", body: asked},
		gcpRoute{method: "GET", path: "/v3/projects:search", service: resourceManager, operation: "projects.search",
			query: []string{"query", "pageSize", "pageToken"}},
		gcpRoute{method: "POST", path: "/v1/billingAccounts/{billing}:testIamPermissions", service: cloudBilling, operation: "billingAccounts.testIamPermissions", body: asked},
	)
}

// mayGoogle reports whether a project's caller has a permission; it has all unless
// the options list them.
func (o *Options) mayGoogle(project, permission string) bool {
	list, limited := o.GooglePermissions[project]
	return !limited || permission == "" || slices.Contains(list, permission)
}

// permitGoogle checks what an operation needs.
func (c *call) permitGoogle() *apiError {
	if c.opts.mayGoogle(c.who.account, gcpPermissions[c.service.name+"."+c.op.name]) {
		return nil
	}
	return c.refuseGoogle()
}

func (c *call) refuseGoogle() *apiError {
	return fail("AccessDenied", "Required '%s' permission for 'projects/%s'", gcpPermissions[c.service.name+"."+c.op.name], c.who.account)
}

// chargesQuota checks the header that names the project to be charged.
func (s *Sim) chargesQuota(r *http.Request, project string) *apiError {
	named := r.Header.Get("X-Goog-User-Project")
	if named == "" || named == project && s.opts.mayGoogle(project, useQuota) {
		return nil
	}
	return fail("AccessDenied", "Caller does not have required permission to use project %s. Grant the caller the %s permission.", named, useQuota)
}

func testPermissions(c *call) (node, *apiError) {
	var has []node
	n := 1
	for ; c.in["permissions."+strconv.Itoa(n)] != ""; n++ {
		p := c.in["permissions."+strconv.Itoa(n)]
		if c.opts.mayGoogle(c.who.account, p) {
			has = append(has, leaf("", p))
		}
	}
	switch {
	case n == 1 || n > 101:
		return node{}, fail("InvalidParameterValue", "want 1 to 100 permissions")
	case len(has) == 0:
		return group(""), nil
	}
	return group("", list("permissions", has...)), nil
}

// gcpGone is a project that is being deleted, which the list still shows.
var gcpGone = struct{ id, name string }{"example-old", "Example Corp Old Shop"}

func searchProjects(c *call) (node, *apiError) {
	type found struct{ id, name, state string }
	var all []found
	for _, p := range gcpProjects {
		if p.billing == gcpBillingOf(c.who.account) { // those that the caller can see
			all = append(all, found{p.id, p.name, "ACTIVE"})
		}
	}
	all = append(all, found{gcpGone.id, gcpGone.name, "DELETE_REQUESTED"})
	page, next, err := paginate(c, all, func(found) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	var items []node
	for _, p := range page {
		items = append(items, group("", leaf("name", "projects/"+numericID(0, "project", p.id)), leaf("parent", "organizations/"+numericID(0, "organization")),
			leaf("projectId", p.id), leaf("state", p.state), leaf("displayName", p.name)))
	}
	return group("", list("projects", items...)).maybe("nextPageToken", next), nil
}

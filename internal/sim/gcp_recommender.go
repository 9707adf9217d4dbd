package sim

import (
	"strconv"
	"time"
)

// The Recommender API v1, as far as it advises to commit: for each project and region
// the same two alternatives, of one year and of three, which exclude one another. They
// name the project by its number. Source: the discovery document of recommender v1
// (revision 20260913), and for the content of a recommendation public policy templates
// that read it. How they are marked is in gcp_recommender_marks.go.
const (
	advisor          = "recommender"
	usageRecommender = "google.compute.commitment.UsageCommitmentRecommender"
	spendRecommender = "google.cloudbilling.commitment.SpendBasedCommitmentRecommender"
)

func init() {
	register(&service{
		name: advisor, provider: onGCP, protocol: gcpREST, codes: gcpCodes(false),
		operations: map[string]*operation{
			"recommendations.list": {
				pages: &pager{token: "pageToken", size: "pageSize", low: 0, high: 1000, invalid: "INVALID_ARGUMENT", answer: "nextPageToken"},
				rate:  gcpReads, run: listRecommendations,
			},
			"billingAccounts.recommendations.list": {
				pages: &pager{token: "pageToken", size: "pageSize", low: 0, high: 1000, invalid: "INVALID_ARGUMENT", answer: "nextPageToken"},
				rate:  gcpReads, run: listSpendRecommendations,
			},
		},
	})
	gcpPermissions[advisor+".recommendations.list"] = "recommender.usageCommitmentRecommendations.list"
	gcpRoutes = append(gcpRoutes, gcpRoute{method: "GET", path: "/v1/projects/{project}/locations/{region}/recommenders/{recommender}/recommendations",
		service: advisor, operation: "recommendations.list", query: []string{"filter", "pageSize", "pageToken"}},
		gcpRoute{method: "GET", path: "/v1/billingAccounts/{billing}/locations/{location}/recommenders/{recommender}/recommendations",
			service: advisor, operation: "billingAccounts.recommendations.list", query: []string{"filter", "pageSize", "pageToken"}})
	gcpPermissions[advisor+".billingAccounts.recommendations.list"] = "recommender.spendBasedCommitmentRecommendations.list"
}

// listSpendRecommendations advises a billing account to commit to spending, for all
// regions alone. What such a recommendation says of its offer is not published: here it
// says nothing.
func listSpendRecommendations(c *call) (node, *apiError) {
	location := c.in["location"]
	switch {
	case c.in["recommender"] != spendRecommender || location != "global" && !isGCPRegion(location):
		return node{}, fail("NotFound", "Recommender %s is not found in %s.", c.in["recommender"], location)
	case c.in["filter"] != "":
		return node{}, fail("InvalidParameterValue", "The simulator knows no filter.")
	}
	var terms []int
	if location == "global" {
		terms = []int{12, 36}
	}
	page, next, err := paginate(c, terms, func(int) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	var items []node
	for _, months := range page {
		items = append(items, group("",
			leaf("name", "billingAccounts/"+c.in["billing"]+"/locations/"+location+"/recommenders/"+spendRecommender+
				"/recommendations/"+drawUUID(c.world.seed, advisor, c.in["billing"], strconv.Itoa(months))),
			leaf("description", "Purchase a spend-based commitment"), leaf("lastRefreshTime", c.now.Truncate(24*time.Hour).Format(time.RFC3339)),
			group("primaryImpact", leaf("category", "COST"), group("costProjection",
				group("cost", leaf("currencyCode", currency), leaf("units", strconv.Itoa(-10*months))), leaf("duration", "2592000s"))),
			group("stateInfo", leaf("state", "ACTIVE")), leaf("etag", "\"1\""), leaf("priority", "P4"),
			leaf("xorGroupId", drawUUID(c.world.seed, advisor, c.in["billing"])),
		))
	}
	return group("", list("recommendations", items...)).maybe("nextPageToken", next), nil
}

func listRecommendations(c *call) (node, *apiError) {
	if err := c.isUsageRecommender(); err != nil {
		return node{}, err
	}
	if c.in["filter"] != "" {
		return node{}, fail("InvalidParameterValue", "The simulator knows no filter.")
	}
	page, next, err := paginate(c, []int{12, 36}, func(int) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	var items []node
	for _, months := range page {
		items = append(items, c.usageRecommendation(months))
	}
	return group("", list("recommendations", items...)).maybe("nextPageToken", next), nil
}

func (c *call) isUsageRecommender() *apiError {
	if c.in["recommender"] != usageRecommender {
		return fail("NotFound", "Recommender %s is not found.", c.in["recommender"])
	}
	return nil
}

// usageName is the name of the recommendation to commit for so many months.
func (c *call) usageName(months int) string {
	return "projects/" + numericID(0, "project", c.who.account) + "/locations/" + c.region + "/recommenders/" + usageRecommender +
		"/recommendations/" + drawUUID(c.world.seed, advisor, c.who.account, c.region, strconv.Itoa(months))
}

// usageRecommendation is how one shows now. One that nobody has marked is refreshed each
// day, and then has another etag.
func (c *call) usageRecommendation(months int) node {
	vcpu := 4 * int(1+draw(8, c.world.seed, advisor, c.who.account, c.region))
	// Roughly what the commitment saves: a little of what its machines cost.
	saves, algorithm := vcpu*5, "LOW_WATERMARK"
	if months == 36 {
		saves, algorithm = vcpu*8, "BREAK_EVEN_POINT"
	}
	name := c.usageName(months)
	m := c.world.gcp.marks[name]
	return group("", leaf("name", name), leaf("description", "Purchase a commitment for N2 machines"),
		leaf("lastRefreshTime", c.refreshed(m).Format(time.RFC3339)), leaf("recommenderSubtype", "PROJECT_SCOPED_COMMITMENTS"),
		group("primaryImpact", leaf("category", "COST"), group("costProjection",
			group("cost", leaf("currencyCode", currency), leaf("units", strconv.Itoa(-saves)), integer("nanos", -250_000_000)), leaf("duration", "2592000s"))),
		group("content", list("operationGroups", group("", list("operations", group("",
			leaf("action", "add"), leaf("resourceType", "compute.googleapis.com/Commitment"), leaf("path", "/"),
			group("value", leaf("name", "suggested-"+strconv.Itoa(months)), leaf("plan", planOf(months)), leaf("type", "GENERAL_PURPOSE_N2"),
				list("resources",
					group("", leaf("type", "VCPU"), leaf("amount", strconv.Itoa(vcpu))),
					group("", leaf("type", "MEMORY"), leaf("amount", strconv.Itoa(vcpu*4*1024))))))))),
			group("overview", leaf("algorithm", algorithm))),
		m.stateInfo(), leaf("etag", c.etagOf(name, m)), leaf("priority", "P4"),
		leaf("xorGroupId", drawUUID(c.world.seed, advisor, c.who.account, c.region)),
	)
}

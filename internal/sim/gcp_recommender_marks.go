package sim

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What people say that they did with a recommendation. Sources: the discovery document of
// recommender v1 (revision 20260913) and its reference for states, etags and the form of
// stateMetadata: each of the marks is made on recommendations that are ACTIVE, CLAIMED,
// SUCCEEDED or FAILED, needs the newest etag, and stops the content from being updated.
//
// Not published: which error refuses a stale etag, here ABORTED; and whether a refresh
// that changes nothing changes the etag, which it does here each day.

// recommendationMark is what a recommendation was marked as last.
type recommendationMark struct {
	Name     string            `json:"name"`
	State    string            `json:"state"`
	Metadata map[string]string `json:"metadata,omitempty"`
	N        int               `json:"n"` // marks so far
	At       time.Time         `json:"at"`
	Since    time.Time         `json:"since"` // the first: nothing is refreshed from then on
}

// The marks, by the verb of their method.
var recommendationMarks = map[string]string{"markClaimed": "CLAIMED", "markSucceeded": "SUCCEEDED", "markFailed": "FAILED"}

func init() {
	const base = "/v1/projects/{owner}/locations/{region}/recommenders/{recommender}/recommendations/{recommendation}"
	operations := services[advisor].operations
	operations["recommendations.get"] = &operation{name: "recommendations.get", rate: gcpReads, run: getRecommendation}
	gcpRoutes = append(gcpRoutes, gcpRoute{method: "GET", path: base, service: advisor, operation: "recommendations.get"})
	gcpPermissions[advisor+".recommendations.get"] = "recommender.usageCommitmentRecommendations.get"
	for verb, state := range recommendationMarks {
		operations["recommendations."+verb] = &operation{name: "recommendations." + verb, changes: true, rate: gcpWrites, run: func(c *call) (node, *apiError) { return markRecommendation(c, state) }}
		gcpRoutes = append(gcpRoutes, gcpRoute{method: "POST", path: base + ":" + verb, service: advisor, operation: "recommendations." + verb,
			body: map[string]jsonKind{"etag": jsonText, "stateMetadata.*": jsonText}})
		gcpPermissions[advisor+".recommendations."+verb] = "recommender.usageCommitmentRecommendations.update"
	}
}

// named is the recommendation that a request is about, by its months.
func (c *call) namedRecommendation() (months int, err *apiError) {
	owner := c.in["owner"]
	if owner != c.who.account && owner != numericID(0, "project", c.who.account) {
		return 0, fail("AccessDenied", "Permission denied on resource project %s.", owner)
	}
	if err := c.isUsageRecommender(); err != nil {
		return 0, err
	}
	for _, months := range []int{12, 36} {
		if strings.HasSuffix(c.usageName(months), "/"+c.in["recommendation"]) {
			return months, nil
		}
	}
	return 0, fail("NotFound", "Recommendation %s is not found.", c.in["recommendation"])
}

func getRecommendation(c *call) (node, *apiError) {
	months, err := c.namedRecommendation()
	if err != nil {
		return node{}, err
	}
	return c.usageRecommendation(months), nil
}

var (
	metadataKey   = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)
	metadataValue = regexp.MustCompile(`^[a-zA-Z0-9_./-]{0,255}$`)
)

func markRecommendation(c *call, state string) (node, *apiError) {
	months, err := c.namedRecommendation()
	if err != nil {
		return node{}, err
	}
	name := c.usageName(months)
	m, marked := c.world.gcp.marks[name]
	switch etag := c.in["etag"]; {
	case etag == "":
		return node{}, fail("MissingParameter", "The etag is required.")
	case etag != c.etagOf(name, m):
		return node{}, fail("ABORTED", "The recommendation was changed: its etag is not the one of the request.")
	}
	next := recommendationMark{Name: name, State: state, Metadata: map[string]string{}, N: m.N + 1, At: c.now, Since: m.Since}
	if !marked {
		next.Since = c.now
	}
	for key, value := range c.in {
		if key, is := strings.CutPrefix(key, "stateMetadata."); is {
			if !metadataKey.MatchString(key) || !metadataValue.MatchString(value) {
				return node{}, fail("InvalidParameterValue", "state_metadata has an invalid key or value: %q", key)
			}
			next.Metadata[key] = value
		}
	}
	c.out.GCP = &gcpChange{Mark: &next}
	shown := *c
	copied := *c.world
	copied.gcp.marks = maps.Clone(c.world.gcp.marks)
	copied.gcp.marks[name] = next
	shown.world = &copied
	return shown.usageRecommendation(months), nil
}

// refreshed is when a recommendation was worked out.
func (c *call) refreshed(m recommendationMark) time.Time {
	if !m.Since.IsZero() {
		return m.Since.Truncate(24 * time.Hour)
	}
	return c.now.Truncate(24 * time.Hour)
}

func (c *call) etagOf(name string, m recommendationMark) string {
	return "\"" + drawUUID(c.world.seed, name, strconv.Itoa(m.N), c.refreshed(m).Format(time.DateOnly))[:8] + "\""
}

// stateInfo is how the state shows.
func (m recommendationMark) stateInfo() node {
	if m.State == "" {
		return group("stateInfo", leaf("state", "ACTIVE"))
	}
	var said []node
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		said = append(said, leaf(key, m.Metadata[key]))
	}
	return group("stateInfo", leaf("state", m.State), group("stateMetadata", said...))
}

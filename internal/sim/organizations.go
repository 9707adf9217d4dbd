package sim

import (
	"slices"
	"strconv"
	"time"
)

// The organization of the accounts. Source of names, members and errors: AWS
// Organizations API reference 2016-11-28 and botocore 1.43.67, checked against the
// Go SDK (organizations v1.62.6). The service has one endpoint, in us-east-1. Only
// the management account may list the accounts. A page may be empty and still
// have a next one (API reference, ListAccounts).
func init() {
	register(&service{
		name: "organizations", global: true, protocol: awsJSON, targets: []string{"AWSOrganizationsV20161128"},
		codes: jsonCodes(map[string]string{
			"InvalidParameterCombination": "InvalidInputException",
			"InvalidParameterValue":       "InvalidInputException",
			"MissingParameter":            "InvalidInputException",
			"Throttling":                  "TooManyRequestsException",
		}),
		operations: map[string]*operation{
			"ListAccounts": {
				pages:   &pager{token: "NextToken", size: "MaxResults", low: 1, high: 20, invalid: "InvalidInputException", blanks: true},
				members: []string{"MaxResults", "NextToken"},
				numbers: []string{"MaxResults"},
				run:     listAccounts,
			},
			"DescribeOrganization": {run: describeOrganization},
		},
	})
}

// member is an account as the organization knows it.
type member struct {
	id, name string
	status   string // old word; state is the new one
	state    string
}

// closedAccounts belong to the organization, and no credential of theirs works.
var closedAccounts = []member{
	{"222233334444", "Example Corp Acquired Last Year", "SUSPENDED", "SUSPENDED"},
	{"888877776666", "Example Corp Old Sandbox", "PENDING_CLOSURE", "PENDING_CLOSURE"},
}

func members() []member {
	var all []member
	for _, a := range accounts {
		all = append(all, member{a.ID, a.Name, "ACTIVE", "ACTIVE"})
	}
	return append(all, closedAccounts...)
}

// management is the account that pays for all others.
func management() string {
	i := slices.IndexFunc(accounts, func(a Account) bool { return a.Management })
	return accounts[i].ID
}

const organizationID = "o-bursarexample"

func memberARN(id string) string {
	return "arn:aws:organizations::" + management() + ":account/" + organizationID + "/" + id
}

func mailOf(id string) string { return "aws+" + id + "@example.com" }

func listAccounts(c *call) (node, *apiError) {
	if c.who.account != management() {
		return node{}, fail("AccessDenied", "You don't have permissions to access this resource.")
	}
	page, next, err := paginate(c, members(), func(member) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	list := list("Accounts")
	for _, m := range page {
		joined := time.Date(2019, 3, 1+len(m.name)%28, 9, 30, 0, 0, time.UTC)
		list.kids = append(list.kids, group("",
			leaf("Id", m.id), leaf("Arn", memberARN(m.id)), leaf("Email", mailOf(m.id)), leaf("Name", m.name),
			leaf("Status", m.status), leaf("State", m.state), leaf("JoinedMethod", "CREATED"),
			number("JoinedTimestamp", strconv.FormatInt(joined.Unix(), 10)),
		))
	}
	return node{kids: []node{list}}.maybe("NextToken", next), nil
}

func describeOrganization(*call) (node, *apiError) {
	id := management()
	return node{kids: []node{group("Organization",
		leaf("Id", organizationID), leaf("Arn", "arn:aws:organizations::"+id+":organization/"+organizationID), leaf("FeatureSet", "ALL"),
		leaf("MasterAccountArn", memberARN(id)), leaf("MasterAccountId", id), leaf("MasterAccountEmail", mailOf(id)),
		list("AvailablePolicyTypes", group("", leaf("Type", "SERVICE_CONTROL_POLICY"), leaf("Status", "ENABLED"))),
	)}}, nil
}

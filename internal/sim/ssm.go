package sim

import (
	"regexp"
	"strings"
	"time"
)

// Parameters of AWS Systems Manager, as much of Parameter Store as keeps a mark in an
// account: creation that does not overwrite is atomic. Source of names, members and
// errors: Systems Manager API reference 2014-11-06 (PutParameter, GetParameter,
// DeleteParameter), checked against the Go SDK (ssm v1.81.3). Parameters are of an
// account and a region. There is the standard tier only, and the type String.
func init() {
	later := "the simulator keeps plain standard parameters only"
	register(&service{
		name: "ssm", regional: true, protocol: awsJSON, targets: []string{"AmazonSSM"},
		codes: jsonCodes(map[string]string{
			"InvalidParameterCombination": "ValidationException",
			"InvalidParameterValue":       "ValidationException",
			"MissingParameter":            "ValidationException",
		}),
		operations: map[string]*operation{
			"PutParameter": {
				changes: true,
				members: []string{"Name", "Value", "Type", "Overwrite", "Description"}, booleans: []string{"Overwrite"},
				unserved: map[string]string{
					"KeyId": later, "AllowedPattern": later, "Tier": later, "Policies": later, "DataType": later, "Tags.N.Key": later, "Tags.N.Value": later,
				},
				resources: ofParameter, run: putParameter,
			},
			"GetParameter": {
				members: []string{"Name", "WithDecryption"}, booleans: []string{"WithDecryption"},
				resources: ofParameter, run: getParameter,
			},
			"DeleteParameter": {changes: true, members: []string{"Name"}, resources: ofParameter, run: deleteParameter},
		},
	})
}

// parameter is one of Parameter Store. A deleted one has no version.
type parameter struct {
	Account string    `json:"account"`
	Region  string    `json:"region"`
	Name    string    `json:"name"`
	Value   string    `json:"value"`
	Version int       `json:"version"`
	At      time.Time `json:"at"`
}

type parameterKey struct{ account, region, name string }

func (p *parameter) key() parameterKey { return parameterKey{p.Account, p.Region, p.Name} }

// foldParameter applies a change of one parameter.
func (w *world) foldParameter(p *parameter) {
	switch {
	case p == nil:
	case p.Version == 0:
		delete(w.parameters, p.key())
	default:
		w.parameters[p.key()] = p
	}
}

var parameterForm = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)

const (
	parameterNameMost  = 1011
	parameterValueMost = 4096 // of the standard tier
	parameterLevels    = 15
)

func parameterARN(c *call, name string) string {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	return "arn:aws:ssm:" + c.region + ":" + c.who.account + ":parameter" + name
}

func ofParameter(c *call) []string { return []string{parameterARN(c, c.in["Name"])} }

// parameter finds the one that a call is about; nil if there is none.
func (c *call) parameter() (name string, found *parameter, err *apiError) {
	if name, err = c.in.required("Name"); err != nil {
		return "", nil, err
	}
	first := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case !parameterForm.MatchString(name), len(name) > parameterNameMost, strings.HasPrefix(first, "aws"), strings.HasPrefix(first, "ssm"):
		return "", nil, fail("InvalidParameterValue", "Parameter name %q must be of letters, digits and .-_/ and must not begin with aws or ssm.", name)
	case strings.Count(name, "/") > parameterLevels:
		return "", nil, fail("HierarchyLevelLimitExceededException", "A hierarchy has at most %d levels.", parameterLevels)
	}
	return name, c.world.parameters[parameterKey{c.who.account, c.region, name}], nil
}

func putParameter(c *call) (node, *apiError) {
	name, old, err := c.parameter()
	if err != nil {
		return node{}, err
	}
	value, err := c.in.required("Value")
	if err != nil {
		return node{}, err
	}
	version := 1
	switch kind := c.in["Type"]; {
	case len(value) > parameterValueMost:
		return node{}, fail("InvalidParameterValue", "Standard tier parameters support a maximum parameter value of %d characters.", parameterValueMost)
	case old != nil && c.in["Overwrite"] != "true":
		return node{}, fail("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case old == nil && kind == "":
		return node{}, fail("InvalidParameterValue", "A parameter type is required when you create a parameter.")
	case kind != "" && kind != "String":
		return node{}, fail("UnsupportedParameterType", "The parameter type %q is not supported.", kind)
	case old != nil:
		version = old.Version + 1
	}
	c.out.Parameter = &parameter{Account: c.who.account, Region: c.region, Name: name, Value: value, Version: version, At: c.now}
	return node{kids: []node{leaf("Tier", "Standard"), integer("Version", int64(version))}}, nil
}

func getParameter(c *call) (node, *apiError) {
	_, p, err := c.parameter()
	switch {
	case err != nil:
		return node{}, err
	case p == nil:
		return node{}, fail("ParameterNotFound", "")
	}
	return node{kids: []node{group("Parameter",
		leaf("ARN", parameterARN(c, p.Name)), leaf("DataType", "text"), epoch("LastModifiedDate", p.At), leaf("Name", p.Name),
		leaf("Type", "String"), leaf("Value", p.Value), integer("Version", int64(p.Version)),
	)}}, nil
}

func deleteParameter(c *call) (node, *apiError) {
	name, p, err := c.parameter()
	switch {
	case err != nil:
		return node{}, err
	case p == nil:
		return node{}, fail("ParameterNotFound", "")
	}
	c.out.Parameter = &parameter{Account: c.who.account, Region: c.region, Name: name}
	return node{}, nil
}

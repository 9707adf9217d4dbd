package sim

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AWS STS: who am I, and credentials for a role. Source: STS API reference
// 2011-06-15 and botocore 1.43.67.
func init() {
	later := "the simulator does not serve this parameter"
	register(&service{
		name: "sts", version: "2011-06-15", xmlns: "https://sts.amazonaws.com/doc/2011-06-15/",
		protocol: awsQuery,
		operations: map[string]*operation{
			"GetCallerIdentity": {public: true, proves: true, run: stsCallerIdentity},
			"AssumeRole": {
				members: []string{"RoleArn", "RoleSessionName", "DurationSeconds", "Policy", "ExternalId", "SourceIdentity"},
				unserved: map[string]string{
					"PolicyArns.member.N.arn": later, "Tags.member.N.Key": later, "Tags.member.N.Value": later,
					"TransitiveTagKeys.member.N": later, "SerialNumber": later, "TokenCode": later, "MinimumSessionTokenSize": later,
					"ProvidedContexts.member.N.ProviderArn": later, "ProvidedContexts.member.N.ContextAssertion": later,
				},
				resources: func(c *call) []string { return []string{c.in["RoleArn"]} },
				run:       stsAssumeRole,
			},
		},
	})
}

func stsCallerIdentity(c *call) (node, *apiError) {
	who := c.who
	if _, wrong := c.hits[WrongCaller]; wrong {
		for _, a := range accounts {
			if a.ID != who.account {
				who.account = a.ID
				break
			}
		}
	}
	user := drawID("AIDA", 17, 0, "user", who.account)
	if who.session != nil {
		user = roleID(who.account, who.session.Role) + ":" + who.session.Name
	}
	return node{kids: []node{leaf("Arn", who.arn()), leaf("UserId", user), leaf("Account", who.account)}}, nil
}

// roleID is the unique id of a role, the same in every world.
func roleID(account, role string) string { return drawID("AROA", 17, 0, "role", account, role) }

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

const policyMax = 2048 // characters of an inline session policy (IAM user guide, quotas)

func stsAssumeRole(c *call) (node, *apiError) {
	arn, err := c.in.required("RoleArn")
	if err != nil {
		return node{}, err
	}
	name, err := c.in.required("RoleSessionName")
	if err != nil {
		return node{}, err
	}
	if !sessionName.MatchString(name) {
		return node{}, invalid(name, "roleSessionName", `Member must satisfy regular expression pattern: [\w+=,.@-]*, 2 to 64 characters`)
	}
	source := c.in["SourceIdentity"]
	if source != "" && !sessionName.MatchString(source) {
		return node{}, invalid(source, "sourceIdentity", `Member must satisfy regular expression pattern: [\w+=,.@-]*, 2 to 64 characters`)
	}
	seconds := 3600
	if text, ok := c.in["DurationSeconds"]; ok {
		n, convErr := strconv.Atoi(text)
		if convErr != nil || n < 900 || n > 43200 {
			return node{}, invalid(text, "durationSeconds", "Member must have value between 900 and 43200")
		}
		seconds = n
	}
	match := roleARN.FindStringSubmatch(arn)
	if match == nil {
		return node{}, invalid(arn, "roleArn", "Member must be the ARN of an IAM role")
	}
	_, ok := accountByID(match[1])
	if want := c.opts.ExternalID[match[1]]; !ok || c.who.session != nil || want != "" && c.in["ExternalId"] != want {
		// Chaining roles is not simulated; a role nobody trusts answers the same.
		return node{}, fail("AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.who.arn(), arn)
	}
	text, hasPolicy := c.in["Policy"]
	if hasPolicy {
		if n := utf8.RuneCountInString(text); n > policyMax {
			return node{}, invalid(strconv.Itoa(n)+" characters", "policy", "Member must have length less than or equal to 2048")
		}
		if _, err := parsePolicy(text); err != nil {
			return node{}, fail("MalformedPolicyDocument", "%s", err)
		}
	}

	issue := []string{strconv.Itoa(c.world.generation), strconv.Itoa(c.world.issued)}
	s := &session{
		AccessKey: drawID("ASIA", 16, c.world.seed, append(issue, "key")...),
		Secret:    drawSecret(40, c.world.seed, append(issue, "secret")...),
		Token:     drawSecret(240, c.world.seed, append(issue, "token")...),
		Account:   match[1],
		Role:      match[2][strings.LastIndexByte(match[2], '/')+1:],
		Name:      name,
		Policy:    text,
		Expires:   c.now.Add(time.Duration(seconds) * time.Second).Truncate(time.Second),
	}
	c.out.Session = s
	out := node{kids: []node{
		group("Credentials",
			leaf("AccessKeyId", s.AccessKey),
			leaf("SecretAccessKey", s.Secret),
			leaf("SessionToken", s.Token),
			leaf("Expiration", s.Expires.Format("2006-01-02T15:04:05Z")),
		),
		group("AssumedRoleUser",
			leaf("AssumedRoleId", roleID(s.Account, s.Role)+":"+name),
			leaf("Arn", caller{account: s.Account, session: s}.arn()),
		),
	}}
	if hasPolicy {
		out = out.maybe("PackedPolicySize", strconv.Itoa(max(1, len(text)*100/policyMax)))
	}
	return out.maybe("SourceIdentity", source), nil
}

// invalid is the form in which STS refuses a value.
func invalid(value, member, constraint string) *apiError {
	return fail("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", value, member, constraint)
}

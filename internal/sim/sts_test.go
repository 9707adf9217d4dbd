package sim

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

const role = "arn:aws:iam::444455556666:role/ops/buyer"

// assume returns the credentials of a new session of the role.
func assume(t *testing.T, endpoint, policy string) aws.Credentials {
	t.Helper()
	in := &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("line-1"), ExternalId: aws.String("ex-1")}
	if policy != "" {
		in.Policy = aws.String(policy)
	}
	out, err := stsClient(endpoint).AssumeRole(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	return aws.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}
}

func TestAssumeRole(t *testing.T) {
	s := newSim(t, Options{})
	url := serve(t, s)
	creds := assume(t, url, "")
	cfg := config(url, creds)
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *who.Account != "444455556666" || *who.Arn != "arn:aws:sts::444455556666:assumed-role/buyer/line-1" || !strings.HasSuffix(*who.UserId, ":line-1") {
		t.Errorf("caller %s %s %s", *who.Account, *who.Arn, *who.UserId)
	}
	if _, err := buy(t.Context(), rds.NewFromConfig(cfg), "x", 1); err != nil {
		t.Fatal(err)
	}
	if e := s.Ledger()[0]; e.Account != "444455556666" || e.Session != "line-1" || e.AccessKey != creds.AccessKeyID {
		t.Errorf("ledger %+v", e)
	}
	if r := s.Requests()[2]; r.Session != "line-1" || r.AccessKey != creds.AccessKeyID[:4]+"..."+creds.AccessKeyID[16:] {
		t.Errorf("logged %+v", r)
	}
	if other := assume(t, url, ""); other.AccessKeyID == creds.AccessKeyID || other.SessionToken == creds.SessionToken {
		t.Error("two sessions share credentials")
	}

	noToken, badToken, badSecret := creds, creds, creds
	noToken.SessionToken, badToken.SessionToken, badSecret.SecretAccessKey = "", "guess", "test"
	for want, c := range map[string][]aws.Credentials{"InvalidClientTokenId": {noToken, badToken}, "SignatureDoesNotMatch": {badSecret}} {
		for _, c := range c {
			if _, err := sts.NewFromConfig(config(url, c)).GetCallerIdentity(t.Context(), nil); code(err) != want {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
	if _, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("again")}); code(err) != "AccessDenied" {
		t.Errorf("chained role: %v", err)
	}
	advance(t, s, time.Hour)
	if _, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil); code(err) != "ExpiredToken" {
		t.Errorf("expired session: %v", err)
	}
}

func TestAssumeRoleRefusals(t *testing.T) {
	s := newSim(t, Options{})
	c := stsClient(serve(t, s))
	ok := func() *sts.AssumeRoleInput {
		return &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("me")}
	}
	for name, tt := range map[string]struct {
		edit func(*sts.AssumeRoleInput)
		code string
	}{
		"short name":       {func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("x") }, "ValidationError"},
		"long name":        {func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String(strings.Repeat("x", 65)) }, "ValidationError"},
		"bad name":         {func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, "ValidationError"},
		"short duration":   {func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(899) }, "ValidationError"},
		"long duration":    {func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }, "ValidationError"},
		"no role":          {func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::444455556666:user/me") }, "ValidationError"},
		"strange account":  {func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::999999999999:role/buyer") }, "AccessDenied"},
		"not a policy":     {func(in *sts.AssumeRoleInput) { in.Policy = aws.String("{") }, "MalformedPolicyDocument"},
		"a long policy":    {func(in *sts.AssumeRoleInput) { in.Policy = aws.String("{" + strings.Repeat(" ", 2048)) }, "ValidationError"},
		"session tags":     {func(in *sts.AssumeRoleInput) { in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}} }, "InvalidParameterCombination"},
		"a source":         {func(in *sts.AssumeRoleInput) { in.SourceIdentity = aws.String("jane") }, ""},
		"longest duration": {func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43200) }, ""},
	} {
		in := ok()
		tt.edit(in)
		if _, err := c.AssumeRole(t.Context(), in); code(err) != tt.code {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
	var malformed *types.MalformedPolicyDocumentException
	in := ok()
	in.Policy = aws.String(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}}`)
	if _, err := c.AssumeRole(t.Context(), in); !errors.As(err, &malformed) {
		t.Errorf("unknown condition: %v", err)
	}
}

// A session policy with a deadline fences a purchase: after it nothing can be
// bought, however late the request is.
func TestSessionPolicyDeadline(t *testing.T) {
	s := newSim(t, Options{})
	url := serve(t, s)
	deadline := s.Now().Add(time.Minute).Truncate(time.Second)
	cfg := config(url, assume(t, url, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Action":["rds:Purchase*","rds:AddTagsToResource"],"Resource":"arn:aws:rds:*:444455556666:ri:line-*",
		"Condition":{"DateLessThan":{"aws:CurrentTime":"`+deadline.Format(time.RFC3339)+`"}}}]}`))
	c := rds.NewFromConfig(cfg)
	if _, err := buy(t.Context(), c, "line-1", 1); err != nil {
		t.Errorf("before the deadline: %v", err)
	}
	if _, err := buy(t.Context(), c, "other", 1); code(err) != "AccessDenied" {
		t.Errorf("an id outside the policy: %v", err)
	}
	if _, err := c.DescribeReservedDBInstances(t.Context(), nil); code(err) != "AccessDenied" {
		t.Errorf("an action outside the policy: %v", err)
	}
	if _, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Errorf("GetCallerIdentity needs no permission: %v", err)
	}
	advance(t, s, time.Minute)
	_, err := buy(t.Context(), c, "line-2", 1)
	want := "User: arn:aws:sts::444455556666:assumed-role/buyer/line-1 is not authorized to perform: rds:PurchaseReservedDBInstancesOffering because no session policy allows the rds:PurchaseReservedDBInstancesOffering action"
	if code(err) != "AccessDenied" || !strings.Contains(err.Error(), want) {
		t.Errorf("after the deadline: %v", err)
	}
	if n := len(s.Ledger()); n != 1 {
		t.Errorf("%d commitments", n)
	}
}

// Buying with tags needs rds:AddTagsToResource as well.
func TestTagsNeedTheirPermission(t *testing.T) {
	s := newSim(t, Options{})
	url := serve(t, s)
	c := rds.NewFromConfig(config(url, assume(t, url, `{"Statement":{"Effect":"Allow","Action":"rds:Purchase*","Resource":"*"}}`)))
	_, err := c.PurchaseReservedDBInstancesOffering(t.Context(), &rds.PurchaseReservedDBInstancesOfferingInput{
		ReservedDBInstancesOfferingId: aws.String(anOffering().id), Tags: tagList("a", "b"),
	})
	if code(err) != "AccessDenied" || !strings.Contains(err.Error(), "rds:AddTagsToResource") {
		t.Errorf("with tags: %v", err)
	}
	if _, err := buy(t.Context(), c, "x", 1); err != nil {
		t.Errorf("without: %v", err)
	}
}

func tagList(key, value string) []rdstypes.Tag {
	return []rdstypes.Tag{{Key: aws.String(key), Value: aws.String(value)}}
}

func TestPolicyDecisions(t *testing.T) {
	const arn = "arn:aws:rds:us-east-1:111122223333:ri:a"
	of := facts{requestedRegion: {"us-east-1"}, tagKeys: {"bursar:line", "a"}, requestTag + "a": {"1"}}
	when := func(condition string) string {
		return `{"Statement":{"Effect":"Allow","Action":"rds:*","Resource":"*","Condition":{` + condition + `}}}`
	}
	for _, tt := range []struct {
		policy string
		want   decision
	}{
		{`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`, allowed},
		{`{"Id":"x","Version":"2012-10-17","Statement":{"Sid":"s","Effect":"Allow","Action":"RDS:describe*DBInst?nces","Resource":"arn:aws:rds:*:*:ri:*"}}`, allowed},
		{`{"Statement":{"Effect":"Allow","Action":"rds:Describe","Resource":"*"}}`, unmentioned},
		{`{"Statement":{"Effect":"Allow","Action":"rds:*","Resource":"arn:aws:rds:us-east-1:111122223333:ri:b*"}}`, unmentioned},
		{`{"Statement":[{"Effect":"Allow","Action":"rds:*","Resource":"*"},{"Effect":"Deny","Action":"rds:D*","Resource":"*"}]}`, denied},
		{`{"Statement":{"Effect":"Allow","Action":"rds:*","Resource":"*","Condition":{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-11-23T12:00:00.577Z"},"DateLessThanEquals":{"AWS:currenttime":["2020-01-01T00:00:00Z","2026-11-23T12:00:01Z"]}}}}`, allowed},
		{`{"Statement":{"Effect":"Allow","Action":"rds:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-11-23T13:00:00+01:00"}}}}`, allowed},
		{`{"Statement":{"Effect":"Allow","Action":"rds:*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2026-11-23T12:00:00Z"}}}}`, unmentioned},
		{when(`"StringEquals":{"aws:RequestedRegion":["eu-west-1","us-east-1"]}`), allowed},
		{when(`"StringEquals":{"aws:RequestedRegion":"us-*"}`), unmentioned},
		{when(`"StringLike":{"aws:RequestedRegion":"us-*"}`), allowed},
		{when(`"StringEquals":{"ec2:Region":"us-east-1"}`), unmentioned},
		{when(`"ForAllValues:StringLike":{"aws:TagKeys":"bursar:*"}`), unmentioned},
		{when(`"ForAllValues:StringLike":{"aws:TagKeys":["bursar:*","a"]}`), allowed},
		{when(`"ForAllValues:StringLike":{"ec2:Region":"none"}`), allowed},
		{when(`"StringEquals":{"aws:RequestTag/A":"1"}`), allowed},
		{when(`"StringEquals":{"aws:RequestTag/b":"1"}`), unmentioned},
	} {
		p, err := parsePolicy(tt.policy)
		if err != nil {
			t.Errorf("%s: %v", tt.policy, err)
			continue
		}
		if got := p.decide("rds:DescribeReservedDBInstances", arn, noon, of); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.policy, got, tt.want)
		}
	}
	for _, bad := range []string{
		``, `{}`, `[]`, `{"Statement":[]}`, `{"Statement":{"Effect":"Maybe","Action":"*","Resource":"*"}}`, `{"Statement":{"Effect":"Allow","Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","NotAction":"*","Resource":"*"}}`, `{"Statement":{"Effect":"Allow","Action":"rds","Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"ri:x"}}`, `{"Version":"2026-01-01","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:EpochTime":"1"}}}}`,
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"soon"}}}}`,
		`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}} {}`,
		when(`"StringNotEquals":{"aws:RequestedRegion":"x"}`), when(`"ForAnyValue:StringEquals":{"aws:TagKeys":"x"}`),
		when(`"StringEquals":{"aws:SourceIp":"x"}`), when(`"StringEquals":{"aws:CurrentTime":"x"}`),
		when(`"DateLessThan":{"aws:RequestedRegion":"2026-11-23T12:00:00Z"}`),
	} {
		if _, err := parsePolicy(bad); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

// The policies of an account's user and roles hold besides that of the session.
func TestIdentityPolicies(t *testing.T) {
	allow := func(actions string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":` + actions + `,"Resource":"*"}}`
	}
	s := newSim(t, Options{
		UserPolicy: map[string]string{account: allow(`["sts:AssumeRole","rds:DescribeReservedDBInstancesOfferings"]`)},
		RolePolicy: map[string]string{account: allow(`"rds:*"`), "444455556666": allow(`"rds:DescribeReservedDBInstances"`)},
		ExternalID: map[string]string{account: "tenant-7"},
	})
	url := serve(t, s)
	if _, err := buy(t.Context(), rdsClient(url), "x", 1); code(err) != "AccessDenied" {
		t.Errorf("the user buys: %v", err)
	}
	if _, err := rdsClient(url).DescribeReservedDBInstancesOfferings(t.Context(), nil); err != nil {
		t.Errorf("the user reads: %v", err)
	}
	session := func(role, external string) (*rds.Client, error) {
		in := &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("me"), Policy: aws.String(allow(`"rds:Purchase*"`))}
		if external != "" {
			in.ExternalId = aws.String(external)
		}
		out, err := stsClient(url).AssumeRole(t.Context(), in)
		if err != nil {
			return nil, err
		}
		return rds.NewFromConfig(config(url, aws.Credentials{
			AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken,
		})), nil
	}
	own := "arn:aws:iam::" + account + ":role/buyer"
	if _, err := session(own, "tenant-8"); code(err) != "AccessDenied" {
		t.Errorf("another external id: %v", err)
	}
	c, err := session(own, "tenant-7")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := buy(t.Context(), c, "x", 1); err != nil {
		t.Errorf("both policies allow it: %v", err)
	}
	if _, err := c.DescribeReservedDBInstances(t.Context(), nil); code(err) != "AccessDenied" {
		t.Errorf("only the role's allows it: %v", err)
	}
	if c, err = session("arn:aws:iam::444455556666:role/buyer", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := buy(t.Context(), c, "y", 1); code(err) != "AccessDenied" {
		t.Errorf("only the session's allows it: %v", err)
	}
	if _, err := New(Options{RolePolicy: map[string]string{account: "{"}}); err == nil {
		t.Error("accepted a policy that is none")
	}
}

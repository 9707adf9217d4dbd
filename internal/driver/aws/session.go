package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"bursar/internal/driver"
)

const (
	opAssumeRole = "AssumeRole"
	opIdentity   = "GetCallerIdentity"
	// sessionSeconds is the shortest session STS gives.
	sessionSeconds = 900
	// readSession is the session name of reads that belong to no attempt.
	readSession = "bursar-read"
	// releaseSession is the session name of deletions of queued orders.
	releaseSession = "bursar-release"
	// tagSession is the session name of tags that are added after a purchase.
	tagSession = "bursar-tag"
	// checkSession is the session name of checks, which can buy nothing.
	checkSession = "bursar-check"
	// maxSessions bounds the attempts between Quote and Purchase. The oldest is
	// forgotten first; its Purchase then sends nothing.
	maxSessions = 256
	maxCallers  = 256
)

// session is the credential of one attempt: retrieved once by Quote, used as it
// is by Purchase. It lives in memory only.
type session struct {
	attempt  string
	creds    aws.Credentials
	deadline time.Time // in the session policy; zero without a role
	opened   time.Time // when AWS opened it, by its clock; zero without a role
}

// frozen provides the same values for ever: nothing refreshes them on the way.
func frozen(c aws.Credentials) credentials.StaticCredentialsProvider {
	return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
}

// sessions holds the session of each attempt that was quoted and not yet bought.
type sessions struct {
	mu  sync.Mutex
	all []*session // oldest first
}

// put replaces the session of the same attempt, so the last Quote counts.
func (s *sessions) put(n *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(o *session) bool { return o.attempt == n.attempt })
	s.all = append(s.all, n)
	if len(s.all) > maxSessions {
		s.all = slices.Delete(s.all, 0, len(s.all)-maxSessions)
	}
}

// take returns the session of an attempt and forgets it: an attempt has one
// Purchase. It returns nil if there is none.
func (s *sessions) take(attempt string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(o *session) bool { return o.attempt == attempt })
	if i < 0 {
		return nil
	}
	found := s.all[i]
	s.all = slices.Delete(s.all, i, i+1)
	return found
}

// callers remembers which access key ids were proven to belong to the account.
// AWS gives an access key id to one account for ever.
type callers struct {
	mu    sync.Mutex
	known map[string]bool
}

func (c *callers) proven(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[key]
}

func (c *callers) add(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) == maxCallers {
		c.known = map[string]bool{}
	}
	c.known[key] = true
}

// reader is the session that reads where a role is configured.
type reader struct {
	mu    sync.Mutex
	creds aws.Credentials
}

// grant is what a session may do, in IAM action names.
type grant struct {
	reads    []string
	spends   []string // allowed before the deadline of the attempt only; the first is the purchase
	releases []string // deletions of orders that have not fired, in sessions of their own
	returns  []string // of what was bought, in sessions of their own
	tags     []string // of what was bought, in sessions of their own
}

// policy writes the session policy. A session can do what both its role and
// this policy allow. The deadline is rounded down to the second, so AWS never
// accepts what Bursar already holds for dead.
func (g grant) policy(deadline time.Time) (string, error) {
	p := newPolicy(Statement{Effect: allow, Action: append([]string{"sts:GetCallerIdentity"}, g.reads...), Resource: texts{"*"}})
	if !deadline.IsZero() {
		p.Statement = append(p.Statement, Statement{Effect: allow, Action: g.spends, Resource: texts{"*"},
			Condition: map[string]map[string]texts{"DateLessThan": {
				"aws:CurrentTime": {deadline.UTC().Truncate(time.Second).Format(time.RFC3339)}}}})
	}
	text, err := json.Marshal(p)
	return string(text), err
}

// open retrieves the credential of an attempt and proves that it belongs to the
// account. The caller puts the session among the sessions when the quote stands.
func (c *core) open(ctx context.Context, r driver.Request, g grant) (*session, error) {
	if !attemptForm.MatchString(r.Attempt) {
		return nil, errors.New("attempt: want 2 to 64 characters fit for a role session name")
	}
	if !c.now().Before(r.Deadline) {
		return nil, errors.New("the deadline of the attempt has passed")
	}
	s := &session{attempt: r.Attempt}
	var err error
	if c.role == "" {
		s.creds, err = c.base(ctx)
	} else {
		s.deadline = r.Deadline
		s.creds, s.opened, err = c.assume(ctx, r.Attempt, g, r.Deadline)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// readCredentials returns a credential for reading that is proven to belong to
// the account: what is absent from another account proves nothing.
func (c *core) readCredentials(ctx context.Context, g grant) (aws.Credentials, error) {
	if c.role == "" {
		return c.base(ctx)
	}
	c.reader.mu.Lock()
	defer c.reader.mu.Unlock()
	if c.reader.creds.HasKeys() && c.now().Add(time.Minute).Before(c.reader.creds.Expires) {
		return c.reader.creds, nil
	}
	creds, _, err := c.assume(ctx, readSession, g, time.Time{})
	if err == nil {
		c.reader.creds = creds
	}
	return creds, err
}

// base retrieves the base credentials and proves whose they are, once for each
// access key id.
func (c *core) base(ctx context.Context) (aws.Credentials, error) {
	creds, err := c.retrieve(ctx)
	if err != nil || c.callers.proven(creds.AccessKeyID) {
		return creds, err
	}
	return creds, c.prove(ctx, creds)
}

func (c *core) retrieve(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	creds, err := c.Credentials.Retrieve(ctx)
	if err == nil && !creds.HasKeys() {
		err = errors.New("the provider has none")
	}
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("credentials: %w", quiet(err, creds))
	}
	return creds, nil
}

// assume opens a session of the role. The answer itself names the account and
// the session, so no further call is needed to prove them. at is the time of the
// answer by the clock of AWS.
func (c *core) assume(ctx context.Context, name string, g grant, deadline time.Time) (creds aws.Credentials, at time.Time, err error) {
	base, err := c.retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, at, err
	}
	policy, err := g.policy(deadline)
	if err != nil {
		return aws.Credentials{}, at, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	in := &sts.AssumeRoleInput{
		RoleArn: aws.String(c.RoleARN), RoleSessionName: aws.String(name),
		DurationSeconds: aws.Int32(sessionSeconds), Policy: aws.String(policy),
	}
	if c.ExternalID != "" {
		in.ExternalId = aws.String(c.ExternalID)
	}
	out, err := c.sts(base).AssumeRole(ctx, in)
	if err != nil {
		return aws.Credentials{}, at, readError(opAssumeRole, err, base)
	}
	if out.Credentials == nil || out.AssumedRoleUser == nil {
		return aws.Credentials{}, at, readError(opAssumeRole, errors.New("an answer without credentials"))
	}
	creds = aws.Credentials{
		AccessKeyID:     aws.ToString(out.Credentials.AccessKeyId),
		SecretAccessKey: aws.ToString(out.Credentials.SecretAccessKey),
		SessionToken:    aws.ToString(out.Credentials.SessionToken),
		CanExpire:       true,
		Expires:         aws.ToTime(out.Credentials.Expiration),
	}
	if !creds.HasKeys() || creds.SessionToken == "" {
		return aws.Credentials{}, at, readError(opAssumeRole, errors.New("an answer without credentials"))
	}
	if err := c.own(aws.ToString(out.AssumedRoleUser.Arn), name); err != nil {
		return aws.Credentials{}, at, readError(opAssumeRole, err)
	}
	return creds, answerTimeOf(out.ResultMetadata), nil
}

// prove asks AWS whose the credential is: another account is ErrWrongAccount.
func (c *core) prove(ctx context.Context, creds aws.Credentials) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out, err := c.sts(creds).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return readError(opIdentity, err, creds)
	}
	if got := aws.ToString(out.Account); got != string(c.Account) {
		return readError(opIdentity, fmt.Errorf("%w: want %s", driver.ErrWrongAccount, c.Account))
	}
	if err := c.own(aws.ToString(out.Arn), ""); err != nil {
		return readError(opIdentity, err)
	}
	c.callers.add(creds.AccessKeyID)
	return nil
}

// own checks the ARN of a caller: arn:PARTITION:iam or sts::ACCOUNT:what. With a
// session name it must be the configured role under that name.
func (c *core) own(arn, name string) error {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 || part[0] != "arn" || (part[2] != "iam" && part[2] != "sts") || part[5] == "" {
		return errors.New("the caller has no ARN of a known form")
	}
	if part[4] != string(c.Account) {
		return fmt.Errorf("%w: want %s", driver.ErrWrongAccount, c.Account)
	}
	if part[1] != c.partition {
		return fmt.Errorf("%w: the caller is of another partition than %s", driver.ErrWrongAccount, c.Region)
	}
	if name != "" && part[5] != "assumed-role/"+c.role+"/"+name {
		return errors.New("the session is not of the role or of the name that was asked for")
	}
	return nil
}

package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

const (
	// noOffering is the id that checks ask to buy: of the form that AWS gives to
	// offerings, and of none. It is all that a check ever asks to buy.
	noOffering = "00000000-0000-0000-0000-000000000000"
	// checkGate is how long after it was made the request of a check may leave.
	checkGate = 20 * time.Second
	// patientAttempts is how often the audit log is asked, which takes two requests a
	// second for all services of a region.
	patientAttempts = 8
	// checkAhead is how far ahead an order of a check would fire, if it were one.
	checkAhead = 60 * 24 * time.Hour
)

// Some services have requests that AWS answers and does not carry out.
type (
	buyAsker interface {
		askToBuy(ctx context.Context, client *http.Client, creds aws.Credentials) error
	}
	releaseAsker interface {
		askToRelease(ctx context.Context, creds aws.Credentials) error
	}
	tagAsker interface {
		askToTag(ctx context.Context, creds aws.Credentials, keys []string) error
	}
	returnAsker interface {
		askToReturn(ctx context.Context, creds aws.Credentials) error
	}
)

var (
	_ driver.Checker = (*reserved)(nil)
	_ buyAsker       = ec2API{}
	_ releaseAsker   = ec2API{}
	_ tagAsker       = ec2API{}
	_ releaseAsker   = savingsPlansAPI{}
	_ returnAsker    = savingsPlansAPI{}
)

// Check asks, with a session such as an attempt has, for every permission of the
// service: each read by one small call, the purchase by one that asks for an
// offering that cannot exist or, where there is one, by a dry run. That call goes
// out as a purchase does, as one request on one connection, and is refused for the
// offering if the caller may buy, and before that if not.
func (d *reserved) Check(ctx context.Context, identity string) []driver.Check {
	k := &checks{}
	rights := grant{reads: slices.Concat(d.grant.reads, d.grant.releases, d.grant.returns, d.grant.tags, []string{actionQuotas}), spends: d.grant.spends}
	creds, ok := d.enter(ctx, k, rights)
	if !ok {
		return k.list
	}
	for _, action := range d.grant.reads {
		if err := d.checkRead(ctx, creds, action, identity); !d.judgeCheck(k, action, err, creds) {
			return k.list
		}
	}
	for _, action := range d.grant.releases {
		var err error = errNoQuestion
		if a, ok := d.api.(releaseAsker); ok {
			call, cancel := context.WithTimeout(ctx, readTimeout)
			err = a.askToRelease(call, creds)
			cancel()
		}
		d.judgeCheck(k, action, err, creds)
	}
	for _, action := range d.grant.returns {
		var err error = errNoQuestion
		if a, ok := d.api.(returnAsker); ok {
			call, cancel := context.WithTimeout(ctx, readTimeout)
			err = a.askToReturn(call, creds)
			cancel()
		}
		d.judgeCheck(k, action, err, creds)
	}
	for _, action := range d.grant.tags {
		var err error = errNoQuestion
		if a, ok := d.api.(tagAsker); ok {
			call, cancel := context.WithTimeout(ctx, readTimeout)
			err = a.askToTag(call, creds, d.TagKeys)
			cancel()
		}
		d.judgeCheck(k, action, err, creds)
	}
	d.checkPurchase(ctx, k, creds, identity)
	if d.Region != Global { // Service Quotas is of a region
		d.checkQuota(ctx, k, creds)
	}
	return k.list
}

// errNoQuestion: there is no call that asks and does nothing.
var errNoQuestion = errors.New("AWS offers no way to ask without doing it")

// checkRead makes one small call that needs the permission.
func (d *reserved) checkRead(ctx context.Context, creds aws.Credentials, action, identity string) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	_, operation, _ := strings.Cut(action, ":")
	var err error
	switch operation {
	case d.opOfferings:
		_, err = d.api.offerings(ctx, creds, driver.Query{ID: noOffering}, nil)
	case d.opReserved:
		id := noOffering
		if d.byID() {
			id = identity
		}
		_, err = d.api.reservations(ctx, creds, id, nil)
	case opLookup:
		_, err = d.trailClient(creds).LookupEvents(ctx, &cloudtrail.LookupEventsInput{
			MaxResults: aws.Int32(1),
			LookupAttributes: []types.LookupAttribute{{
				AttributeKey: types.LookupAttributeKeyAccessKeyId, AttributeValue: aws.String(creds.AccessKeyID),
			}},
		}, func(o *cloudtrail.Options) { o.RetryMaxAttempts = patientAttempts })
	default:
		return errNoQuestion
	}
	return err
}

// buyNothing asks to buy an offering that cannot exist, as one request on one
// connection. Without an error something was bought.
func (d *reserved) buyNothing(ctx context.Context, creds aws.Credentials, identity string) (*item, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Answer)
	defer cancel()
	g := oneshot.New(d.Transport, d.now, d.Now().Add(checkGate))
	defer g.Close()
	if a, ok := d.api.(buyAsker); ok {
		return nil, a.askToBuy(ctx, g.Client(), creds)
	}
	r := driver.Request{
		Account: d.Account, Identity: identity, Attempt: identity, Quantity: 1, Tags: map[string]string{"bursar:line": "doctor"},
		Offering: cloud.Offering{Provider: cloud.AWS, Service: d.service, Region: d.Region, ID: noOffering},
	}
	for _, key := range d.TagKeys {
		r.Tags[key] = "doctor"
	}
	if d.measured != nil {
		d.measured(&r)
	}
	if d.class == cloud.ClassQueued {
		r.FireAt = d.now().Add(checkAhead).Truncate(time.Second)
	}
	return d.api.buy(ctx, g.Client(), creds, r)
}

// checkPurchase asks to buy what does not exist. What tags need is asked with it.
func (d *reserved) checkPurchase(ctx context.Context, k *checks, creds aws.Credentials, identity string) {
	buy, tags := d.grant.spends[0], d.grant.spends[1:]
	got, err := d.buyNothing(ctx, creds, identity)
	if err == nil {
		detail := "AWS took the order for an offering that does not exist"
		if got != nil {
			detail += " as " + got.id
		}
		k.add(buy, driver.CheckFailed, detail, "look at the inventory and tell the authors of Bursar")
		return
	}
	for _, tag := range tags {
		if refusesPermission(codeOf(err)) && strings.Contains(err.Error(), tag) {
			k.add(tag, driver.CheckFailed, notPermitted, allowIt(tag))
			return
		}
	}
	if d.judgeCheck(k, buy, err, creds); k.list[len(k.list)-1].State != driver.CheckOK {
		return
	}
	for _, tag := range tags {
		k.add(tag, driver.CheckUnproven, "asked with the purchase and not refused; AWS does not say that it looks at tags before the offering", "")
	}
}

// judgeCheck says what the answer to a question proves. It is false if no further
// question can be answered either.
func (d *reserved) judgeCheck(k *checks, action string, err error, creds aws.Credentials) bool {
	switch code := codeOf(err); {
	case err == nil, d.permits(code):
		k.add(action, driver.CheckOK, "permitted", "")
	case errors.Is(err, errNoQuestion):
		k.add(action, driver.CheckUnproven, err.Error(), "")
	default:
		return d.failCheck(k, action, err, creds)
	}
	return true
}

// permits reports whether a code says that the caller has the permission.
func (d *reserved) permits(code string) bool {
	return code != "" && (code == "DryRunOperation" || code == d.noOffering || code == d.noReservation || code == d.unsold)
}

// failCheck adds the reason of a refusal.
func (c *core) failCheck(k *checks, action string, err error, creds aws.Credentials) (goOn bool) {
	code := codeOf(err)
	switch {
	case refusesPermission(code):
		k.add(action, driver.CheckFailed, notPermitted, allowIt(action))
		return true
	case code == "OptInRequired", code == "InvalidClientTokenId", code == "UnrecognizedClientException", code == "AuthFailure":
		k.add(action, driver.CheckFailed, fmt.Sprintf("%s does not accept the credentials of the account: the region is not enabled, or the keys are not valid (%s)", c.Region, code),
			"enable the region for the account, or take it out of the configuration; if it is enabled, renew the keys")
	case errorStatus(err) == 0:
		k.add(action, driver.CheckFailed, fmt.Sprintf("%s cannot be reached: %s", c.Region, quiet(err, creds)),
			"check the network and the proxy of this machine, then run bursar doctor again")
	case isBusy(code):
		k.add(action, driver.CheckUnproven, "AWS was busy ("+code+")", "run bursar doctor again")
		return true
	default:
		k.add(action, driver.CheckUnproven, quiet(err, creds).Error(), "run bursar doctor again; if it stays, look for "+orNone(code)+" in the documentation of AWS")
		return true
	}
	return false
}

func orNone(code string) string {
	if code == "" {
		return "the message"
	}
	return code
}

const notPermitted = "not permitted"

func allowIt(action string) string {
	return "allow " + action + ": bursar doctor --iam prints the policy"
}

// refusesPermission reports whether a code says that the caller lacks a permission.
func refusesPermission(code string) bool {
	return code == "AccessDenied" || code == "AccessDeniedException" || code == "UnauthorizedOperation"
}

// isBusy reports whether a code says that there were too many requests.
func isBusy(code string) bool {
	for _, v := range verdicts {
		if v.operation == "*" && v.code == code {
			return v.outcome == cloud.Throttled
		}
	}
	return false
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// checks are the results so far.
type checks struct{ list []driver.Check }

func (k *checks) add(of string, s driver.CheckState, detail, next string) {
	k.list = append(k.list, driver.Check{Of: of, State: s, Detail: detail, Next: next})
}

// enter finds out who the caller is and what time AWS has. With a role it opens
// the session of an attempt, its deadline included.
func (c *core) enter(ctx context.Context, k *checks, g grant) (aws.Credentials, bool) {
	creds, err := c.retrieve(ctx)
	if err != nil {
		k.add("identity", driver.CheckFailed, err.Error(), "give this machine credentials of the account, or name their profile in the configuration")
		return creds, false
	}
	if c.role != "" {
		base := creds
		if creds, _, err = c.assume(ctx, checkSession, g, c.now().Add(sessionLife)); err != nil {
			switch {
			case c.checkClock(k, errorTime(err), c.now(), c.now()):
			case refusesPermission(codeOf(err)):
				k.add(actionAssume, driver.CheckFailed, "the role cannot be assumed",
					"allow the base credentials "+actionAssume+" on the role, and let its trust policy name them and the external id: bursar doctor --iam prints both")
			case errors.Is(err, driver.ErrWrongAccount):
				k.add(actionAssume, driver.CheckFailed, err.Error(), "name a role of the account")
			default:
				c.failCheck(k, actionAssume, err, base)
			}
			return creds, false
		}
		k.add(actionAssume, driver.CheckOK, "permitted", "")
	}
	call, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	before := c.now()
	out, err := c.sts(creds).GetCallerIdentity(call, &sts.GetCallerIdentityInput{})
	if err != nil {
		if !c.checkClock(k, errorTime(err), before, c.now()) {
			c.failCheck(k, "identity", err, creds)
		}
		return creds, false
	}
	if got := aws.ToString(out.Account); got != string(c.Account) {
		k.add("identity", driver.CheckFailed, fmt.Sprintf("the credentials are of account %s", got),
			fmt.Sprintf("use credentials of account %s, or a role in it", c.Account))
		return creds, false
	}
	k.add("identity", driver.CheckOK, "account "+string(c.Account), "")
	if !c.checkClock(k, answerTimeOf(out.ResultMetadata), before, c.now()) {
		k.add("clock", driver.CheckOK, "within a minute of AWS", "")
	}
	return creds, true
}

// checkClock adds a clock that is wrong, and reports whether it is.
func (c *core) checkClock(k *checks, date, before, after time.Time) bool {
	check := driver.CheckClock("AWS", date, before, after)
	if check.State != driver.CheckOK {
		k.list = append(k.list, check)
	}
	return check.State != driver.CheckOK
}

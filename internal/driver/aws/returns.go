package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/savingsplans"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const opReturnPlan = "ReturnSavingsPlan"

// returnRules are the rules by which AWS takes a Savings Plan back: Savings Plans
// User Guide, "Returning a purchased Savings Plan", as read in 2026. All of the
// upfront payment comes back within 24 hours.
var returnRules = struct {
	source  string
	perHour int64 // units: the largest commitment
	days    int   // since the start
	aYear   int   // returns in a calendar year, of the management account
}{"Savings Plans User Guide, 2026", 10_000_000, 7, 10}

var (
	_ driver.Returner = savingsPlans{}
	_ driver.Closing  = savingsPlans{}
)

// ReturnTerms applies returnRules. A year's returns are counted in the lane: what is
// returned started in the month of its return. AWS counts them over all accounts of
// an organization, so there may be more. That a plan is not sold by AWS Brazil or
// Turkey, where one with an upfront payment is never taken back, is for AWS to say.
func (d savingsPlans) ReturnTerms(_ context.Context, c cloud.Commitment, lane []cloud.Commitment, now time.Time) (driver.ReturnTerms, error) {
	now = now.UTC()
	t := driver.ReturnTerms{
		Until: d.ReturnUntil(c), Most: returnRules.aYear,
		Rule: fmt.Sprintf("at most 100 per hour, within %d days of the start and in its calendar month (UTC), active, %d a year (%s)",
			returnRules.days, returnRules.aYear, returnRules.source),
	}
	for _, other := range lane {
		if (other.State == cloud.Returned || other.State == cloud.Returning) && other.Start.UTC().Year() == now.Year() {
			t.Used++
		}
	}
	switch {
	case c.Quantity > returnRules.perHour:
		t.Why = "its commitment is " + c.Measure() + ", and AWS takes back at most 100 per hour"
	case c.State == cloud.Returned || c.State == cloud.Returning:
		t.Why = "it is " + string(c.State) + " already"
	case now.After(t.Until):
		t.Why = "the time for it ended at " + t.Until.Format("2006-01-02 15:04:05Z")
	case c.State == cloud.Pending:
		t.Why = "its payment is pending, and AWS takes back only what is active: try again in some minutes"
	case c.State != cloud.Active:
		t.Why = "it is " + string(c.State) + ", and AWS takes back only what is active"
	case t.Used >= t.Most:
		t.Why = fmt.Sprintf("%d Savings Plans were returned this year, the most that AWS takes back", t.Used)
	}
	return t, nil
}

// ReturnUntil is the end of the days after the start, or of its month if that is sooner.
func (savingsPlans) ReturnUntil(c cloud.Commitment) time.Time {
	if c.Quantity > returnRules.perHour {
		return time.Time{}
	}
	start := c.Start.UTC()
	month := time.Date(start.Year(), start.Month()+1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second)
	if until := start.AddDate(0, 0, returnRules.days); until.Before(month) {
		return until
	}
	return month
}

// Return gives a plan back. The session of the attempt, where a role is configured,
// can do nothing else.
func (d savingsPlans) Return(ctx context.Context, r driver.Request, c cloud.Commitment) (cloud.Evidence, error) {
	ev := cloud.Evidence{Kind: cloud.EvidenceReply, Operation: opReturnPlan, Started: d.now()}
	switch err := d.accepts(r, d.service); {
	case err != nil:
		return unsent(ev, err)
	case c.Lane != d.lane() || !idForm.MatchString(c.ID):
		return unsent(ev, fmt.Errorf("commitment %s is of %s: %w", c.ID, c.Lane, driver.ErrWrongAccount))
	case c.State != cloud.Active:
		return unsent(ev, fmt.Errorf("commitment %s is %s, not active", c.ID, c.State))
	case r.Identity == "":
		return unsent(ev, errors.New("a return without a token"))
	}
	s, err := d.open(ctx, r, grant{spends: d.grant.returns})
	if err != nil {
		return unsent(ev, err)
	}
	d.sessions.put(s)
	return d.spend(ctx, r, order{
		operation: opReturnPlan,
		form:      d.form,
		send: func(ctx context.Context, client *http.Client, creds aws.Credentials) (receipt, error) {
			out, err := savingsPlansAPI{d.core}.client(creds).ReturnSavingsPlan(ctx, &savingsplans.ReturnSavingsPlanInput{
				SavingsPlanId: aws.String(c.ID), ClientToken: aws.String(r.Identity),
			}, func(o *savingsplans.Options) {
				o.HTTPClient, o.Retryer = client, aws.NopRetryer{}
			})
			switch {
			case err != nil:
				return receipt{}, err
			case aws.ToString(out.SavingsPlanId) != c.ID:
				return receipt{}, errors.New("the answer is about another Savings Plan")
			}
			return receipt{handle: c.ID}, nil
		},
	})
}

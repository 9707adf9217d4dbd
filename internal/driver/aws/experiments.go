package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// The names of results.
const (
	// StartSecond holds if a queued order starts at the second it was ordered for.
	StartSecond = "start_second"
	// QueueLead is the least time ahead at which an order was taken; none nearer
	// than 30 days is tried.
	QueueLead = "queue_lead"
	// Visibility is the longest that a new order was not listed, Deletion the longest
	// that a deleted one was still listed as queued.
	Visibility = "visibility"
	Deletion   = "deletion"
	// Deadline holds if a session policy stopped a request that was signed before
	// its deadline and sent after it.
	Deadline = "deadline"
	// SignatureAge is the greatest age at which a signature was accepted.
	SignatureAge = "signature_age"
	// TrailDelay is how long the audit log took to show an order by access key; it
	// holds if the log names the order.
	TrailDelay = "trail_delay"
	// Throttle holds if no request that was refused as one too many ordered anything.
	Throttle = "throttle"
	// TokenLife is an age at which a client token was used again; it holds if the
	// token was remembered.
	TokenLife = "token_life"
	// TokenChanged holds if a remembered token with another commitment orders nothing.
	TokenChanged = "token_changed"
)

const (
	burst      = 12 // orders at once
	oldest     = 20 * time.Minute
	trailMost  = 30 * time.Minute
	trailEvery = 15 * time.Second
)

// Run cleans up, makes every experiment once, and cleans up again, also after an
// error.
func (l *Lab) Run(ctx context.Context) error {
	if err := l.Clean(ctx, false); err != nil {
		return err
	}
	err := l.experiments(ctx)
	return errors.Join(err, l.Clean(context.WithoutCancel(ctx), false))
}

func (l *Lab) experiments(ctx context.Context) error {
	for _, experiment := range []func(context.Context) error{
		l.signatureAges, l.firstOrder, l.queueLead, l.cycles, l.deadline, l.throttle, l.tokens,
	} {
		if err := experiment(ctx); err != nil {
			return err
		}
	}
	return nil
}

// signatureAges asks every service to buy nothing with older and older signatures.
func (l *Lab) signatureAges(ctx context.Context) error {
	for _, s := range Services {
		value, detail, err := l.signatureAge(ctx, s)
		if err != nil {
			return err
		}
		lane := cloud.Lane{Provider: cloud.AWS, Account: l.cfg.Account, Region: l.cfg.Region, Service: s}
		if !HasRegions(s) {
			lane.Region = Global
		}
		m := Measurement{Lane: lane, Name: SignatureAge, Value: value, Holds: value <= signatureLife, Detail: detail, Skipped: value == 0}
		if err := l.note(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) signatureAge(ctx context.Context, s cloud.Service) (time.Duration, string, error) {
	cfg := l.cfg
	if !HasRegions(s) {
		cfg.Region = Global
	}
	svc, err := Open(s, cfg)
	if err != nil {
		return 0, "", err
	}
	fresh, ok := svc.(interface{ asks() *reserved })
	if !ok {
		return 0, "there is no way to ask", nil
	}
	creds := aws.Credentials{}
	if d := fresh.asks(); d.role == "" {
		creds, err = d.base(ctx)
	} else {
		creds, _, err = d.assume(ctx, labSession, labGrant(d), time.Time{})
	}
	if err != nil {
		return 0, "", err
	}
	accepted := func(age time.Duration) (bool, string, error) {
		for range 10 {
			old := cfg
			old.Now = func() time.Time { return cfg.Now().Add(-age) }
			svc, err := Open(s, old)
			if err != nil {
				return false, "", err
			}
			d := svc.(interface{ asks() *reserved }).asks()
			if _, err = d.buyNothing(ctx, creds, "bu-calibrate-1"); err == nil {
				return false, "", fmt.Errorf("%s took the order for an offering that does not exist: look at the inventory", d.title)
			}
			code := codeOf(err)
			if !isBusy(code) {
				return d.permits(code), code, nil
			}
			if err := l.Wait(ctx, pollEvery); err != nil {
				return false, "", err
			}
		}
		return false, "busy", nil
	}
	good, code, err := accepted(0)
	if err != nil || !good {
		return 0, "a fresh signature is answered with " + code, err
	}
	low, high := time.Duration(0), oldest
	good, refusal, err := accepted(oldest)
	if err != nil || good {
		return oldest, "accepted at " + oldest.String() + ", and nothing older was tried", err
	}
	for high-low > time.Second {
		middle := (low + (high-low)/2).Truncate(time.Second)
		if good, code, err = accepted(middle); err != nil {
			return 0, "", err
		}
		if good {
			low = middle
		} else {
			high, refusal = middle, code
		}
	}
	return low, fmt.Sprintf("refused at %s with %s", high, refusal), nil
}

// asks is the driver that asks to buy nothing.
func (d *reserved) asks() *reserved { return d }

// firstOrder sees whether an order starts at the second it was ordered for, and how
// long the audit log takes to show it.
func (l *Lab) firstOrder(ctx context.Context) error {
	t, a, err := l.place(ctx, l.ec2, "first", "", farAhead, 1)
	if err != nil {
		return err
	}
	if a.id == "" {
		return fmt.Errorf("an order %s ahead was not taken: %w", farAhead, a.err)
	}
	ordered, key := l.now(), l.creds.AccessKeyID
	_, c, err := l.untilState(ctx, l.ec2, a.id, cloud.Queued, settleTime)
	if err != nil {
		return err
	}
	m := Measurement{Name: StartSecond, Holds: c.Start.Equal(t.FireAt), Detail: "ordered for " + t.FireAt.Format(time.RFC3339) + ", listed for " + c.Start.Format(time.RFC3339)}
	if err := l.note(ctx, m); err != nil {
		return err
	}
	if l.ec2.role == "" {
		return l.note(ctx, Measurement{Name: TrailDelay, Skipped: true, Detail: "without a role every request has the same access key"})
	}
	return l.trail(ctx, a.id, key, ordered)
}

func (l *Lab) trail(ctx context.Context, id, key string, ordered time.Time) error {
	for {
		looked := l.now()
		shown, err := l.trailed(ctx, id, key)
		switch {
		case err != nil:
			return err
		case shown != "":
			return l.note(ctx, Measurement{Name: TrailDelay, Value: looked.Sub(ordered), Holds: shown == id, Detail: "the audit log shows the order under the access key of its session"})
		case looked.Sub(ordered) > trailMost:
			return l.note(ctx, Measurement{Name: TrailDelay, Value: trailMost, Detail: "the audit log did not show the order in time"})
		}
		if err := l.Wait(ctx, trailEvery); err != nil {
			return err
		}
	}
}

// trailed is the id that the audit log names for an order with the access key;
// "none" if it shows the order and names none, and "" if it shows none.
func (l *Lab) trailed(ctx context.Context, id, key string) (shown string, err error) {
	creds, err := l.credentials(ctx)
	if err != nil {
		return "", err
	}
	log := audited{&reserved{l.ec2.core, ec2ZonalProduct, l.ec2.api}} // the same operation
	err = pages(ctx, func(ctx context.Context, marker *string) (*string, error) {
		out, err := l.ec2.trailClient(creds).LookupEvents(ctx, &cloudtrail.LookupEventsInput{
			LookupAttributes: []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyAccessKeyId, AttributeValue: aws.String(key)}},
			NextToken:        marker,
		})
		if err != nil {
			return nil, err
		}
		for _, e := range out.Events {
			if aws.ToString(e.EventName) != l.ec2.opBuy {
				continue
			}
			got, _, err := log.boughtBy(key, aws.ToString(e.CloudTrailEvent))
			switch {
			case got == id:
				shown = id
			case err != nil && shown == "":
				shown = "none"
			}
		}
		return out.NextToken, nil
	})
	if err != nil && isBusy(codeOf(err)) {
		return "", nil
	}
	return shown, err
}

// queueLead looks for the least time ahead at which an order is taken, from 30 days
// on.
func (l *Lab) queueLead(ctx context.Context) error {
	taken := func(ahead time.Duration) (bool, error) {
		_, a, err := l.place(ctx, l.ec2, "lead", "", ahead, 1)
		if err == nil && a.outcome != cloud.Bought && a.outcome != cloud.Refused {
			err = fmt.Errorf("an order %s ahead is in doubt: %w", ahead, a.err)
		}
		return a.id != "", err
	}
	low, high := leastAhead, farAhead
	if good, err := taken(low); err != nil || good {
		if err != nil {
			return err
		}
		return l.note(ctx, Measurement{Name: QueueLead, Value: low, Holds: true, Detail: "an order 30 days ahead is taken; none nearer is tried"})
	}
	for high-low > 24*time.Hour {
		middle := (low + (high-low)/2).Truncate(time.Hour)
		good, err := taken(middle)
		if err != nil {
			return err
		}
		if good {
			high = middle
		} else {
			low = middle
		}
	}
	return l.note(ctx, Measurement{Name: QueueLead, Value: high, Detail: "an order " + days(low) + " ahead is refused, one " + days(high) + " ahead is taken"})
}

func days(d time.Duration) string { return fmt.Sprintf("%.1f days", d.Hours()/24) }

// cycles orders and deletes, and sees when either shows.
func (l *Lab) cycles(ctx context.Context) error {
	var visible, deleted time.Duration
	for range l.Cycles {
		t, a, err := l.place(ctx, l.ec2, "cycle", "", farAhead, 1)
		if err != nil {
			return err
		}
		if a.id == "" {
			return fmt.Errorf("an order was not taken: %w", a.err)
		}
		took, c, err := l.untilState(ctx, l.ec2, a.id, cloud.Queued, settleTime)
		if err != nil {
			return err
		}
		visible = max(visible, took)
		if err := (ec2Regional{l.ec2}).Release(ctx, driver.Request{Account: l.ec2.Account}, c); err != nil {
			return err
		}
		if took, _, err = l.untilState(ctx, l.ec2, a.id, cloud.Deleted, settleTime); err != nil {
			return err
		}
		deleted = max(deleted, took)
		if err := l.Book.End(ctx, t.ID, l.now()); err != nil {
			return err
		}
		if err := l.Wait(ctx, pollEvery); err != nil {
			return err
		}
	}
	l.seen = max(visible, deleted)
	of := fmt.Sprintf("the longest of %d orders", l.Cycles)
	return errors.Join(
		l.note(ctx, Measurement{Name: Visibility, Value: visible, Holds: 5*visible <= settleTime, Detail: of}),
		l.note(ctx, Measurement{Name: Deletion, Value: deleted, Holds: 5*deleted <= settleTime, Detail: of}))
}

// deadline signs an order before the deadline of its session policy and sends it
// after.
func (l *Lab) deadline(ctx context.Context) error {
	if l.ec2.role == "" {
		return l.note(ctx, Measurement{Name: Deadline, Skipped: true, Detail: "there is no role, and so no session policy"})
	}
	t, err := l.begin(ctx, l.ec2, "deadline", "", farAhead)
	if err != nil {
		return err
	}
	end := l.now().Add(20 * time.Second).Truncate(time.Second)
	creds, _, err := l.ec2.assume(ctx, labSession, l.ec2.grant, end)
	if err != nil {
		return err
	}
	for !l.now().After(end.Add(5 * time.Second)) {
		if err := l.Wait(ctx, pollEvery); err != nil {
			return err
		}
	}
	cfg := l.cfg
	cfg.Now = func() time.Time { return end.Add(-time.Second) }
	early, err := Open(EC2, cfg)
	if err != nil {
		return err
	}
	a, err := l.order(ctx, early.(ec2Regional).reserved, &t, creds, 1)
	if err != nil {
		return err
	}
	if a.outcome == cloud.Refused {
		if err := l.Book.End(ctx, t.ID, l.now()); err != nil {
			return err
		}
	}
	m := Measurement{Name: Deadline, Holds: refusesPermission(a.code), Detail: "a request signed before the deadline and sent after it is refused with " + a.code}
	switch {
	case a.id != "":
		m.Detail = "a request signed before the deadline and sent after it was carried out: the fence of a session does not hold"
	case !m.Holds:
		m.Skipped, m.Detail = true, "the late request was not answered with a refusal of permission: "+a.err.Error()
	}
	return l.note(ctx, m)
}

// throttle orders more at once than AWS allows, and counts what came of it.
func (l *Lab) throttle(ctx context.Context) error {
	var refused []Trial
	var trials []Trial
	for range burst {
		t, err := l.begin(ctx, l.ec2, "burst", "", farAhead)
		if err != nil {
			return err
		}
		trials = append(trials, t)
	}
	creds, err := l.credentials(ctx)
	if err != nil {
		return err
	}
	taken := 0
	for i := range trials {
		a, err := l.order(ctx, l.ec2, &trials[i], creds, 1)
		if err != nil {
			return err
		}
		switch {
		case a.id != "":
			taken++
		case a.outcome == cloud.Throttled:
			refused = append(refused, trials[i])
		}
	}
	if len(refused) == 0 {
		return l.note(ctx, Measurement{Name: Throttle, Skipped: true, Detail: fmt.Sprintf("%d orders at once were not too many", burst)})
	}
	// Whatever was ordered shows by then, by what was seen of the cycles.
	if err := l.Wait(ctx, max(time.Minute, 5*l.seen)); err != nil {
		return err
	}
	all, err := l.list(ctx, l.ec2)
	if err != nil {
		return err
	}
	wrong := 0
	for _, t := range refused {
		if slices.ContainsFunc(all, func(c cloud.Commitment) bool { return c.Start.Equal(t.FireAt) }) {
			wrong++
		}
	}
	return l.note(ctx, Measurement{Name: Throttle, Holds: wrong == 0, Detail: fmt.Sprintf(
		"of %d orders at once %d were taken and %d refused as too many; %d of the refused are listed", burst, taken, len(refused), wrong)})
}

// tokenAges are when a client token is used again.
var tokenAges = []time.Duration{time.Minute, 11 * time.Minute, time.Hour, 8 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// tokens orders a Savings Plan and asks for it again and again with the same token,
// as long as it is remembered. The order stays between runs, and is deleted in the
// end.
func (l *Lab) tokens(ctx context.Context) error {
	open, err := l.Book.Open(ctx)
	if err != nil {
		return err
	}
	var t Trial
	if i := slices.IndexFunc(open, func(t Trial) bool { return t.Experiment == tokenTrial }); i >= 0 {
		t = open[i]
	}
	if t.ID == "" {
		token := "bursar-token-" + strings.ToLower(fmt.Sprintf("%x", l.now().UnixNano()))
		var a placed
		if t, a, err = l.place(ctx, l.plans, tokenTrial, token, farAhead, leastCommitment); err != nil {
			return err
		}
		if a.id == "" {
			return l.note(ctx, Measurement{Lane: l.plans.lane(), Name: TokenLife, Skipped: true, Detail: "a Savings Plan could not be queued: " + a.err.Error()})
		}
	}
	if t.Order == "" {
		return l.remove(ctx, t) // the answer to its first request was lost
	}
	notes, err := l.Book.Notes(ctx)
	if err != nil {
		return err
	}
	var done time.Duration
	changed := false
	for _, m := range notes {
		if m.At.Before(t.StartedAt) {
			continue
		}
		changed = changed || m.Name == TokenChanged
		if m.Name == TokenLife {
			done = max(done, m.Value)
		}
	}
	for _, age := range tokenAges {
		if age <= done {
			continue
		}
		for due := t.StartedAt.Add(age); l.now().Before(due); {
			left := due.Sub(l.now())
			if left > l.Patience {
				return l.note(ctx, Measurement{Lane: l.plans.lane(), Name: TokenLife, Skipped: true, Detail: fmt.Sprintf(
					"the token is due again at %s: run bursar doctor --calibrate then; the order behind it is queued for %s",
					due.UTC().Format(time.RFC3339), t.FireAt.Format(time.DateOnly))})
			}
			if err := l.Wait(ctx, left); err != nil {
				return err
			}
		}
		remembered, err := l.again(ctx, t, &changed)
		if err != nil {
			return err
		}
		if !remembered {
			break
		}
	}
	return l.remove(ctx, t)
}

// again uses the token of a trial once more, and once with another commitment.
func (l *Lab) again(ctx context.Context, t Trial, changed *bool) (remembered bool, err error) {
	creds, err := l.credentials(ctx)
	if err != nil {
		return false, err
	}
	age := l.now().Sub(t.StartedAt)
	a, err := l.order(ctx, l.plans, &t, creds, leastCommitment)
	if err != nil {
		return false, err
	}
	if a.id == "" {
		return false, fmt.Errorf("the token was not answered: %w", a.err)
	}
	m := Measurement{Lane: l.plans.lane(), Name: TokenLife, Value: age, Holds: a.id == t.Order, Detail: "the token is remembered after " + age.Round(time.Second).String()}
	if !m.Holds {
		m.Detail = "the token is forgotten after " + age.Round(time.Second).String() + ": it ordered again"
	}
	if err := l.note(ctx, m); err != nil || !m.Holds || *changed {
		return m.Holds, err
	}
	*changed = true
	a, err = l.order(ctx, l.plans, &t, creds, 2*leastCommitment)
	if err != nil {
		return false, err
	}
	m = Measurement{Lane: l.plans.lane(), Name: TokenChanged, Holds: a.id == "" || a.id == t.Order}
	switch {
	case a.id == t.Order:
		m.Detail = "the token with another commitment is answered with the old order"
	case a.id != "":
		m.Detail = "the token with another commitment ordered again"
	case a.outcome != cloud.Refused:
		m.Skipped, m.Detail = true, "the token with another commitment was not answered: "+a.err.Error()
	default:
		m.Detail = "the token with another commitment is refused with " + a.code
	}
	return true, l.note(ctx, m)
}

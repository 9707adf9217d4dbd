package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

// A Lab measures what AWS does not publish, with orders that cost nothing: each is
// queued years ahead, is stored before it is placed, and is deleted. It must not run
// while plans are executed in the account.
type Lab struct {
	LabOptions
	cfg   Config
	ec2   *reserved
	plans *reserved
	cheap map[cloud.Service]cloud.Offering
	creds aws.Credentials
	until time.Time // creds are good until then
	seen  time.Duration
}

// LabOptions are what a Lab needs besides the configuration of an account and region.
type LabOptions struct {
	Book Notebook
	// Wait lets time pass on the clock of Config.Now, or ends with its context.
	Wait func(context.Context, time.Duration) error
	// Tell is told each result once it is stored.
	Tell func(Measurement)
	// Cycles is how many orders are placed and deleted to see when they show.
	Cycles int
	// Patience is how long the Lab waits to use a client token again; what is due
	// later is left for another run.
	Patience time.Duration
}

// Trial is an order that an experiment places.
type Trial struct {
	ID         string
	Lane       cloud.Lane
	Experiment string
	FireAt     time.Time // the second it is queued for
	Token      string
	Offering   string
	Before     []string // ids of the orders that were queued before
	Order      string   // its id, once AWS has told it
	StartedAt  time.Time
}

// Measurement is one result.
type Measurement struct {
	Lane   cloud.Lane
	Name   string
	Value  time.Duration
	Holds  bool // what was hoped for is so
	Detail string
	At     time.Time
	// Skipped: it was not measured, for the reason in Detail, and is not stored.
	Skipped bool
}

// Notebook keeps the trials and results of one account. What it has taken is durable.
type Notebook interface {
	// Begin stores a trial and returns its id; ErrSecondTaken if another was ordered
	// for its second.
	Begin(ctx context.Context, t Trial) (id string, err error)
	Ordered(ctx context.Context, id, order string) error
	End(ctx context.Context, id string, at time.Time) error
	Open(ctx context.Context) ([]Trial, error)
	Note(ctx context.Context, m Measurement) error
	Notes(ctx context.Context) ([]Measurement, error)
}

// ErrSecondTaken: another trial was ordered for the second.
var ErrSecondTaken = errors.New("another trial was ordered for this second")

const (
	// farAhead is how far ahead orders are queued: within the three years that AWS
	// takes, and so far that a forgotten one is found long before it fires.
	farAhead = 730 * 24 * time.Hour
	// leastAhead is how near an order may ever be.
	leastAhead = 30*24*time.Hour + time.Hour
	// labSession is the session name of experiments.
	labSession = "bursar-calibrate"
	// doubtLife is how long after its beginning a trial without an answer may still
	// come to be listed.
	doubtLife = signatureLife + settleTime
	// cleanMost ends the deletion of one order.
	cleanMost = time.Hour
	pollEvery = time.Second
)

// OpenLab opens the lab of an account and region.
func OpenLab(cfg Config, o LabOptions) (*Lab, error) {
	l := &Lab{LabOptions: o, cfg: cfg, cheap: map[cloud.Service]cloud.Offering{}}
	regional, err := Open(EC2, cfg)
	if err != nil {
		return nil, err
	}
	cfg.Region, cfg.QueueSavingsPlans = Global, true
	global, err := Open(SavingsPlans, cfg)
	if err != nil {
		return nil, err
	}
	l.ec2, l.plans = regional.(ec2Regional).reserved, global.(savingsPlans).reserved
	return l, nil
}

func (l *Lab) now() time.Time { return l.ec2.now() }

// service returns the driver of a trial's lane.
func (l *Lab) service(lane cloud.Lane) (*reserved, driver.Releaser, error) {
	switch lane {
	case l.ec2.lane():
		return l.ec2, ec2Regional{l.ec2}, nil
	case l.plans.lane():
		return l.plans, savingsPlans{l.plans}, nil
	}
	return nil, nil, fmt.Errorf("a trial in %s cannot be looked at here: name its region", lane)
}

// note stores a result and tells it.
func (l *Lab) note(ctx context.Context, m Measurement) error {
	m.At = l.now()
	if m.Lane == (cloud.Lane{}) {
		m.Lane = l.ec2.lane()
	}
	if !m.Skipped {
		if err := l.Book.Note(ctx, m); err != nil {
			return err
		}
	}
	l.Tell(m)
	return nil
}

// credentials are those of a session that may order and delete, renewed in time.
func (l *Lab) credentials(ctx context.Context) (aws.Credentials, error) {
	if l.ec2.role == "" {
		return l.ec2.base(ctx)
	}
	if l.creds.HasKeys() && l.now().Add(3*time.Minute).Before(l.until) {
		return l.creds, nil
	}
	creds, _, err := l.ec2.assume(ctx, labSession, labGrant(l.ec2, l.plans), time.Time{})
	if err == nil {
		l.creds, l.until = creds, creds.Expires
	}
	return creds, err
}

func labGrant(of ...*reserved) (g grant) {
	for _, d := range of {
		g.reads = slices.Concat(g.reads, d.grant.reads, d.grant.spends, d.grant.releases)
	}
	g.reads = append(g.reads, lookupEvents)
	return g
}

// offering is the cheapest that the service sells for a year without an upfront
// payment.
func (l *Lab) offering(ctx context.Context, d *reserved) (cloud.Offering, error) {
	if o, known := l.cheap[d.service]; known {
		return o, nil
	}
	q := driver.Query{Term: cloud.OneYear, Payment: cloud.NoUpfront, Attributes: cloud.Attributes{planType: "Compute"}}
	if d == l.ec2 {
		q.Attributes = cloud.Attributes{"platform": "Linux/UNIX", "tenancy": "default", "offering_class": "standard"}
	}
	all, err := d.Offerings(ctx, q)
	if err != nil {
		return cloud.Offering{}, err
	}
	if len(all) == 0 {
		return cloud.Offering{}, fmt.Errorf("%s offers nothing to order", d.title)
	}
	o := slices.MinFunc(all, func(a, b cloud.Offering) int {
		c, _ := a.Hourly.Cmp(b.Hourly) // one currency: of one account
		return cmp.Or(c, cmp.Compare(a.ID, b.ID))
	})
	l.cheap[d.service] = o
	return o, nil
}

// placed is what became of an order.
type placed struct {
	id      string
	outcome cloud.Outcome // Bought, or what the refusal proves
	code    string
	err     error
}

// begin stores a trial for a second of its own, at least ahead from now.
func (l *Lab) begin(ctx context.Context, d *reserved, experiment, token string, ahead time.Duration) (Trial, error) {
	o, err := l.offering(ctx, d)
	if err != nil {
		return Trial{}, err
	}
	queued, err := l.list(ctx, d)
	if err != nil {
		return Trial{}, err
	}
	t := Trial{Lane: d.lane(), Experiment: experiment, Token: token, Offering: o.ID, StartedAt: l.now(), Before: []string{}}
	for _, c := range queued {
		if c.State == cloud.Queued {
			t.Before = append(t.Before, c.ID)
		}
	}
	t.FireAt = t.StartedAt.Add(ahead).Truncate(time.Second).Add(time.Second)
	for {
		if t.ID, err = l.Book.Begin(ctx, t); !errors.Is(err, ErrSecondTaken) {
			return t, err
		}
		t.FireAt = t.FireAt.Add(time.Second)
	}
}

// order places the order of a trial: one request, whose answer is stored.
func (l *Lab) order(ctx context.Context, d *reserved, t *Trial, creds aws.Credentials, quantity int64) (placed, error) {
	o, err := l.offering(ctx, d)
	if err != nil {
		return placed{}, err
	}
	if t.FireAt.Before(l.now().Add(leastAhead - time.Hour)) {
		return placed{}, errors.New("the order of a trial would fire within 30 days")
	}
	call, cancel := context.WithTimeout(ctx, d.Answer)
	defer cancel()
	g := oneshot.New(d.Transport, l.ec2.now, l.ec2.Now().Add(checkGate))
	identity := "bursar-trial-" + t.ID
	got, err := d.api.buy(call, g.Client(), creds, driver.Request{
		Account: d.Account, Offering: o, Quantity: quantity, FireAt: t.FireAt, Identity: identity, Attempt: cmp.Or(t.Token, identity),
		Tags: map[string]string{"bursar:line": "calibration"},
	})
	rec := g.Close()
	a := placed{outcome: cloud.InDoubt, err: quiet(orElse(err, "an answer without an order"), creds)}
	switch {
	case err == nil && got != nil && got.id != "":
		a = placed{id: got.id, outcome: cloud.Bought}
		if t.Order == "" {
			t.Order = got.id
			return a, l.Book.Ordered(ctx, t.ID, got.id)
		}
	case !rec.Wrote:
		a.outcome = cloud.Unsent
	case rec.Reply != nil:
		a.code = d.form.code(rec.Reply)
		a.outcome = classify(d.opBuy, a.code, rec.Reply.Status)
	}
	return a, nil
}

// place begins a trial and orders it; while AWS is busy it waits and begins another.
// An order that was refused for good is closed.
func (l *Lab) place(ctx context.Context, d *reserved, experiment, token string, ahead time.Duration, quantity int64) (Trial, placed, error) {
	for range 20 {
		creds, err := l.credentials(ctx)
		if err != nil {
			return Trial{}, placed{}, err
		}
		t, err := l.begin(ctx, d, experiment, token, ahead)
		if err != nil {
			return t, placed{}, err
		}
		a, err := l.order(ctx, d, &t, creds, quantity)
		if err != nil {
			return t, a, err
		}
		switch a.outcome {
		case cloud.Refused, cloud.Throttled, cloud.Unsent:
			if err := l.Book.End(ctx, t.ID, l.now()); err != nil {
				return t, a, err
			}
		}
		if a.outcome != cloud.Throttled {
			return t, a, nil
		}
		if err := l.Wait(ctx, 2*pollEvery); err != nil {
			return t, a, err
		}
	}
	return Trial{}, placed{}, errors.New("AWS is busy for long: run bursar doctor --calibrate again later")
}

// list is the inventory of a lane.
func (l *Lab) list(ctx context.Context, d *reserved) ([]cloud.Commitment, error) {
	found, err := d.Find(ctx, driver.Request{Account: d.Account})
	if err != nil {
		return nil, err
	}
	var all []cloud.Commitment
	for _, ev := range found {
		if ev.Commitment != nil {
			all = append(all, *ev.Commitment)
		}
	}
	return all, nil
}

// until lists until an order of the trial is in a state, and returns how long that
// took and the order.
func (l *Lab) untilState(ctx context.Context, d *reserved, id string, s cloud.CommitmentState, most time.Duration) (time.Duration, cloud.Commitment, error) {
	began := l.now()
	for {
		looked := l.now()
		all, err := l.list(ctx, d)
		if err != nil {
			return 0, cloud.Commitment{}, err
		}
		if i := slices.IndexFunc(all, func(c cloud.Commitment) bool { return c.ID == id && c.State == s }); i >= 0 {
			return looked.Sub(began), all[i], nil
		}
		if looked.Sub(began) > most {
			return 0, cloud.Commitment{}, fmt.Errorf("order %s is not listed as %s after %s", id, s, most)
		}
		if err := l.Wait(ctx, pollEvery); err != nil {
			return 0, cloud.Commitment{}, err
		}
	}
}

// ours reports whether a queued order can be of a trial: it has its id or its
// second; or, where AWS never told the id, it came after the trial began, for a
// second near that of the trial.
func (t Trial) ours(c cloud.Commitment) bool {
	off := c.Start.Sub(t.FireAt)
	return c.ID == t.Order || off == 0 || t.Order == "" && !slices.Contains(t.Before, c.ID) && off.Abs() < 24*time.Hour
}

// remove deletes what is queued of a trial, and closes it when that was seen.
func (l *Lab) remove(ctx context.Context, t Trial) error {
	d, releaser, err := l.service(t.Lane)
	if err != nil {
		return err
	}
	began := l.now()
	// A token may have ordered more than once, and the last order may not be listed
	// yet: then the deletion of one proves nothing.
	certain := t.StartedAt.Add(doubtLife)
	if t.Experiment == tokenTrial {
		certain = began.Add(doubtLife)
	}
	for {
		all, err := l.list(ctx, d)
		if err != nil {
			return err
		}
		queued, gone := 0, false
		for _, c := range all {
			if !t.ours(c) {
				continue
			}
			switch c.State {
			case cloud.Queued:
				queued++
				// What goes wrong here shows in the next listing.
				_ = releaser.Release(ctx, driver.Request{Account: d.Account}, c)
			case cloud.Deleted:
				gone = gone || c.ID == t.Order && t.Experiment != tokenTrial
			case cloud.Pending, cloud.Active:
				return fmt.Errorf("order %s of an experiment has fired and is %s: it was queued for %s", c.ID, c.State, t.FireAt.Format(time.RFC3339))
			}
		}
		if queued == 0 && (gone || l.now().After(certain)) {
			return l.Book.End(ctx, t.ID, l.now())
		}
		if l.now().Sub(began) > cleanMost {
			return fmt.Errorf("order %s of an experiment cannot be deleted: delete it by hand before %s", t.Order, t.FireAt.Format(time.RFC3339))
		}
		every := pollEvery
		if queued == 0 && !gone {
			every = 10 * pollEvery
		}
		if err := l.Wait(ctx, every); err != nil {
			return err
		}
	}
}

// tokenTrial is the experiment that goes on over several runs.
const tokenTrial = "token"

// Clean deletes what earlier runs left, with all also the order by which a client
// token is tried over days. It goes on after an error.
func (l *Lab) Clean(ctx context.Context, all bool) error {
	open, err := l.Book.Open(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, t := range open {
		if t.Experiment != tokenTrial || all || t.Order == "" {
			failed = errors.Join(failed, l.remove(ctx, t))
		}
	}
	return failed
}

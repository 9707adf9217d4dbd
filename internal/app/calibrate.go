package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/cloud"
	"bursar/internal/driver/aws"
	"bursar/internal/store"
)

// CalibrateOptions say what to measure.
type CalibrateOptions struct {
	Account, Region string // may be empty where there is only one account; the region is then its first
	Cycles          int    // orders that are placed and deleted to see when they show
	// Clean only deletes what experiments have left, the order behind a client token
	// included.
	Clean bool
}

// patience is how long one run waits to use a client token again. A simulated clock
// is moved on.
const patience = 15 * time.Minute

// calibration is what follows from what was measured in an account. It errs to the
// safe side: zero is what holds without any measurement.
type calibration struct {
	settle    time.Duration
	window    time.Duration
	queueLead time.Duration
}

const (
	settleFactor  = 5 // how many times the longest delay seen a listing is taken to be late
	defaultSettle = 10 * time.Minute
	defaultWindow = 10 * time.Minute
)

// calibrated reads the results of each account. A listing is taken to be five times
// as late as was seen, a token to be remembered half as long as was proven, or less
// than by default where it was forgotten early.
func calibrated(results []store.Calibration) map[cloud.Account]calibration {
	type tokens struct{ kept, lost time.Duration }
	all, tokened := map[cloud.Account]calibration{}, map[cloud.Account]tokens{}
	for _, r := range results {
		c, t := all[r.Lane.Account], tokened[r.Lane.Account]
		switch r.Name {
		case aws.Visibility, aws.Deletion:
			c.settle = max(c.settle, settleFactor*r.Value)
		case aws.QueueLead:
			if c.queueLead = r.Value; r.Holds {
				c.queueLead = 0
			}
		case aws.TokenLife:
			switch {
			case r.Holds:
				t.kept = max(t.kept, r.Value)
			case t.lost == 0 || r.Value < t.lost:
				t.lost = r.Value
			}
		}
		all[r.Lane.Account], tokened[r.Lane.Account] = c, t
	}
	for account, t := range tokened {
		c := all[account]
		if t.lost > 0 {
			t.kept = min(t.kept, t.lost)
		}
		switch half := t.kept / 2; {
		case half > defaultWindow:
			c.window = half
		case t.lost > 0 && t.lost <= 2*defaultWindow:
			c.window = max(half, time.Second)
		}
		if c.settle <= defaultSettle {
			c.settle = 0
		}
		all[account] = c
	}
	return all
}

// CalibrationPlan tells what Calibrate would do.
func (a *App) CalibrationPlan(ctx context.Context, o CalibrateOptions) (api.CalibrationPlan, error) {
	p, err := a.laboratory(o)
	if err != nil {
		return api.CalibrationPlan{}, err
	}
	open, err := a.db.OpenTrials(ctx, cloud.AWS, p.id)
	return api.CalibrationPlan{
		Account: string(p.id), Name: p.name, Region: string(p.regions[0]), Simulated: a.Simulated(), Cycles: o.Cycles, Left: len(open),
	}, err
}

// laboratory is the one account and region that the options name.
func (a *App) laboratory(o CalibrateOptions) (patient, error) {
	patients := a.clouds.awsPatients(DoctorFilter{Account: o.Account, Region: o.Region})
	if len(patients) == 0 {
		return patient{}, fmt.Errorf("there is no account %s of aws with region %s, and experiments are made in one", cmp.Or(o.Account, "(any)"), cmp.Or(o.Region, "(any)"))
	}
	if len(patients) > 1 {
		return patient{}, errors.New("experiments are made in one account at a time: name it with --account")
	}
	return patients[0], nil
}

// Calibrate measures one account and tells each result once it is stored. It costs
// nothing: each order is queued two years ahead and deleted. It must not run while
// plans are executed in the account.
func (a *App) Calibrate(ctx context.Context, o CalibrateOptions, tell func(api.Calibration)) error {
	p, err := a.laboratory(o)
	if err != nil {
		return err
	}
	cfg, err := a.clouds.config(p.id, p.regions[0])
	if err != nil {
		return err
	}
	// The laboratory asks for what the drivers are later configured with.
	cfg.Settle, cfg.TokenWindow, cfg.QueueLead = 0, 0, 0
	options := aws.LabOptions{
		Book: notebook{a.db, p.id}, Cycles: o.Cycles, Patience: patience, Wait: sleep,
		Tell: func(m aws.Measurement) { tell(calibrationView(m)) },
	}
	if a.clouds.simulator != nil {
		options.Wait, options.Patience = a.clouds.simulator.wait, 30*24*time.Hour
	}
	lab, err := aws.OpenLab(cfg, options)
	if err != nil {
		return err
	}
	by, err := a.actor(ctx, auth.Calibrate, string(p.id), "")
	if err != nil {
		return err
	}
	return a.does(ctx, step{act: auth.Calibrate, by: by, subject: string(p.id), accounts: []string{string(p.id)}, details: map[string]any{"clean": o.Clean}}, func() error {
		if o.Clean {
			return lab.Clean(ctx, true)
		}
		if err := lab.Run(ctx); err != nil {
			return fmt.Errorf("%w; run bursar doctor --calibrate again: it deletes what is left first", err)
		}
		return nil
	})
}

func calibrationView(m aws.Measurement) api.Calibration {
	v := api.Calibration{
		Provider: string(m.Lane.Provider), Account: string(m.Lane.Account), Region: string(m.Lane.Region), Service: string(m.Lane.Service),
		Name: m.Name, Holds: m.Holds, Skipped: m.Skipped, Detail: m.Detail, At: m.At,
	}
	if m.Value > 0 {
		v.Value = m.Value.Round(time.Millisecond).String()
	}
	return v
}

func measurement(c store.Calibration) aws.Measurement {
	return aws.Measurement{Lane: c.Lane, Name: c.Name, Value: c.Value, Holds: c.Holds, Detail: c.Detail, At: c.At}
}

// sleep waits in real time.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait moves the simulated clock on.
func (s *simulator) wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.own != nil {
		return s.own.Advance(d)
	}
	body, err := json.Marshal(map[string]string{"advance": d.String()})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/_sim/clock", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := simClient.Do(req)
	if err != nil {
		return fmt.Errorf("moving the simulated clock: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("moving the simulated clock: it answers %s", resp.Status)
	}
	return nil
}

// notebook keeps the experiments of one account in the ledger.
type notebook struct {
	db      *store.DB
	account cloud.Account
}

var _ aws.Notebook = notebook{}

func (n notebook) Begin(ctx context.Context, t aws.Trial) (string, error) {
	id, err := n.db.BeginTrial(ctx, store.Trial(t))
	if errors.Is(err, store.ErrSecondTaken) {
		err = aws.ErrSecondTaken
	}
	return id, err
}

func (n notebook) Ordered(ctx context.Context, id, order string) error {
	return n.db.TrialOrdered(ctx, id, order)
}

func (n notebook) End(ctx context.Context, id string, at time.Time) error {
	return n.db.CloseTrial(ctx, id, at)
}

func (n notebook) Open(ctx context.Context) ([]aws.Trial, error) {
	open, err := n.db.OpenTrials(ctx, cloud.AWS, n.account)
	list := make([]aws.Trial, len(open))
	for i, t := range open {
		list[i] = aws.Trial(t)
	}
	return list, err
}

func (n notebook) Note(ctx context.Context, m aws.Measurement) error {
	return n.db.NoteCalibration(ctx, store.Calibration{Lane: m.Lane, Name: m.Name, Value: m.Value, Holds: m.Holds, Detail: m.Detail, At: m.At})
}

func (n notebook) Notes(ctx context.Context) ([]aws.Measurement, error) {
	notes, err := n.db.Calibrations(ctx)
	var list []aws.Measurement
	for _, c := range notes {
		if c.Lane.Account == n.account {
			list = append(list, measurement(c))
		}
	}
	return list, err
}
